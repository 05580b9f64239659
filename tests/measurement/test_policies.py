"""Does targeting pay? Against a campaign whose best policy is known in closed form, against Welch and the bootstrap, and on Hillstrom's mails."""
import json, math
from pathlib import Path
import numpy as np
import pandas as pd
import pytest
from marketing_mlops.measurement.differences import difference_of_means
from marketing_mlops.measurement.intervals import Estimate, NotMeasurable
from marketing_mlops.measurement.policies import choose_arms, judge_policy, pick_single_arm, policy_sentence, policy_table, policy_values
from marketing_mlops.measurement.policy_profits import Economics, policy_parts, profit_difference, read_economics
from marketing_mlops.measurement.targeting_depths import comparison_at, profit_by_depth, rank_customers, targeting_curve
from marketing_mlops.workspace.errors import DataError, MmopsError, ParameterError

ROOT = Path(__file__).resolve().parents[2]
HILLSTROM = dict.fromkeys(["No E-Mail", "Mens E-Mail", "Womens E-Mail"], 1/3)

@pytest.fixture(scope="module")
def truth(benchmark_script):
    "The campaign of the benchmark, whose best policy is known in closed form."
    return benchmark_script("uplift_error_rates")

# --- known truth ---
def test_the_closed_form_is_the_integral_and_no_other_cut_is_better(truth):
    x = (np.arange(200_000)+.5)/200_000
    gains = np.maximum(.5*truth.SINE*np.sin(2*np.pi*x), .5*truth.FLAT) - .60
    assert truth.BEST == pytest.approx(np.maximum(gains, 0).mean(), abs=1e-6)
    first, last = truth.best_places()
    assert truth.BEST >= max(truth.value_beyond_nobody(first+a, last+b) for a in (-.05, 0, .05) for b in (-.05, 0, .05)) > truth.B_TO_ALL

@pytest.mark.slow
@pytest.mark.parametrize("shares", ["EVEN", "UNEVEN"])
def test_intervals_hold_the_true_value_and_the_true_difference_as_often_as_they_say(truth, shares):
    rng, shares, held = np.random.default_rng(20), getattr(truth, shares), np.zeros(2)
    for _ in range(120):
        rows = truth.campaign(rng, 3_000, shares)
        found = truth.compare(rows, truth.best_policy(rows["x"]), shares)
        held += [truth.holds(found.values["learned"], truth.BEST), truth.holds(found.differences["b"], truth.BEST-truth.B_TO_ALL)]
    assert (held >= 105).all(), held       # 95 % of 120 is 114; fewer than 105 happens once in 2,000 times

def test_a_fitted_policy_of_another_form_finds_the_gain_and_a_coin_does_not(truth):
    rng = np.random.default_rng(4)
    found = truth.fitted_and_compared(rng, n=40_000)
    assert found.beats and found.best_single_arm == "b" and "beats the b to all" in policy_sentence(found)
    rows = truth.campaign(rng, 40_000)
    tossed = truth.compare(rows, pd.Series(rng.choice(["a", "b"], len(rows)), rows.index))
    assert tossed.beats is False and "Targeting does worse than the b to all" in policy_sentence(tossed)

# --- against other methods ---
def test_a_single_arm_to_all_is_measured_as_welch_does(truth):
    rows = truth.campaign(np.random.default_rng(1), 9_000)
    found = truth.compare(rows, pd.Series("a", rows.index)).values["b"]
    welch = difference_of_means(*(rows.loc[rows["arm"] == arm, "spend"].to_numpy()*.5 for arm in ("b", "none"))).estimate
    assert (found.value, found.low, found.high) == pytest.approx((welch.value-.6, welch.low-.6, welch.high-.6), abs=2e-3)

def test_influences_give_the_error_that_redrawing_customers_gives(truth):
    rows = truth.campaign(np.random.default_rng(2), 5_000, truth.UNEVEN)
    chosen, rng, n = truth.best_policy(rows["x"]).to_numpy(), np.random.default_rng(3), len(rows)
    parts = lambda i: [policy_parts(rows.iloc[i], c[i], truth.UNEVEN, "none").means @ truth.PRICES.weights for c in (chosen, np.full(n, "b"))]
    drawn = [np.subtract(*parts(rng.integers(0, n, n))) for _ in range(250)]
    found = truth.compare(rows, pd.Series(chosen, rows.index), truth.UNEVEN).differences["b"]
    assert (found.high-found.low)/2/1.96 == pytest.approx(np.std(drawn), rel=.15)

def test_the_order_of_rows_changes_nothing(truth):
    rows = truth.campaign(np.random.default_rng(5), 6_000)
    chosen, mixed = truth.best_policy(rows["x"]), rows.sample(frac=1, random_state=0)
    one, two = truth.compare(rows, chosen), truth.compare(mixed, chosen.loc[mixed.index])
    assert one.difference.low == pytest.approx(two.difference.low, abs=1e-9) and policy_sentence(one) == policy_sentence(two)

def test_unsubscribes_and_contacts_are_paid_by_hand():
    rows = pd.DataFrame(dict(arm=["mail", "none"]*2_000, spend=np.tile([10., 0, 4, 2], 1_000), unsubscribed=np.tile([1, 0, 0, 0], 1_000)))
    found = policy_values(rows, pd.Series("mail", rows.index), shares={"mail": .5, "none": .5}, economics=dict(margin=.5, contact_cost=.25, unsubscribe_cost=2), control="none", best_single_arm="mail")
    assert found.values["mail"].value == pytest.approx(.5*(7-1) - .25 - 2*.5)
    assert found.values["none"].value == 0 and found.difference.method == "same policy" and found.beats is False

# --- refusals ---
def small(n=4_000):
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(dict(arm=rng.choice(["mail", "none"], n), spend=rng.gamma(2, 10, n)))
    return rows, pd.Series(rng.choice(["mail", "none"], n), rows.index)

GIVEN = dict(shares={"mail": .5, "none": .5}, economics=dict(margin=.5), control="none", best_single_arm="mail")

@pytest.mark.parametrize("change,kind,says", [
    (dict(shares={"mail": .5, "none": .4}), ParameterError, "sum to 0.9"), (dict(shares={"mail": 1., "none": 0.}), ParameterError, "sum to 1"),
    (dict(control="nothing"), ParameterError, "'nothing' is no arm"), (dict(best_single_arm="mial"), DataError, "Did you mean 'mail'?"),
    (dict(economics={}), ParameterError, "no margin"), (dict(economics=dict(margin=0)), ParameterError, "margin of 0"),
    (dict(economics=dict(margin=.5, contact_cost=-1)), ParameterError, "contact_cost is -1"), (dict(economics=dict(margin=float("nan"))), ParameterError, "margin is nan"),
    (dict(economics=dict(margin="0.45")), ParameterError, "margin is '0.45'"), (dict(economics=dict(margin=True)), ParameterError, "margin is True")])
def test_what_cannot_be_is_refused_in_two_lines(change, kind, says):
    rows, chosen = small()
    with pytest.raises(kind, match="(?s).*") as refused: policy_values(rows, chosen, **GIVEN | change)
    assert says in str(refused.value) and len(str(refused.value).splitlines()) == 2

def test_training_rows_foreign_choices_and_missing_spend_are_refused():
    rows, chosen = small()
    with pytest.raises(DataError, match="3 of 4,000 rows are of split train"): policy_values(rows.assign(split=["train"]*3 + ["held_out"]*3_997), chosen, **GIVEN)
    with pytest.raises(DataError, match="another order"): policy_values(rows, chosen.iloc[::-1], **GIVEN)
    with pytest.raises(DataError, match="chosen arm 'coupon', which has no share"): policy_values(rows, chosen.replace("none", "coupon"), **GIVEN)
    with pytest.raises(DataError, match="have the arm 'Mail'"): policy_values(rows.replace({"arm": {"mail": "Mail"}}), chosen, **GIVEN)
    with pytest.raises(DataError, match=r"spend is missing or infinite in 1 of 4,000 rows, first row 0 \(nan\)"): policy_values(rows.assign(spend=rows["spend"].where(rows.index > 0)), chosen, **GIVEN)
    with pytest.raises(TypeError, match="chosen must be a Series"): policy_values(rows, chosen.to_numpy(), **GIVEN)
    with pytest.raises(DataError, match="of split held_out, not train"): pick_single_arm(rows.assign(split="held_out"), Economics(.5), "none")

def test_too_few_buyers_are_no_answer_and_never_pass():
    rows, chosen = small(60)
    found = policy_values(rows.assign(spend=np.where(rows.index < 9, rows["spend"], 0.)), chosen, **GIVEN)
    assert isinstance(found.difference, NotMeasurable) and found.beats is None
    assert judge_policy(found, "model", "fail").status == "unknown" and "cannot be said" in policy_sentence(found)
    assert json.loads(json.dumps(found.to_dict()))["differences"]["mail"]["code"] == "few_spenders"

def test_an_arm_nobody_was_given_is_not_measurable_and_the_others_are():
    rows, chosen = small()
    found = policy_values(rows, chosen, **GIVEN | dict(shares={"mail": .4, "none": .4, "coupon": .2}))
    assert isinstance(found.values["coupon"], NotMeasurable) and isinstance(found.values["mail"], Estimate) and found.beats is not True

def test_the_cost_of_unsubscribes_that_were_not_measured_is_said():
    rows, chosen = small()
    found = policy_values(rows, chosen, **GIVEN | dict(economics=dict(margin=.5, unsubscribe_cost=4)))
    assert found.notes == ("Unsubscribes were not measured; their cost is left out.",) and found.notes[0] in found._repr_markdown_()

def test_names_with_markup_stay_text():
    rows, chosen = small()
    renamed = {"mail": "<img src=x>|a*b*", "none": "none"}
    found = policy_values(rows.assign(arm=rows["arm"].map(renamed)), chosen.map(renamed), shares={"<img src=x>|a*b*": .5, "none": .5}, economics=dict(margin=.5), control="none", best_single_arm="<img src=x>|a*b*")
    assert "<img" not in found._repr_markdown_().split("\n\n", 1)[1]

def test_a_policy_that_sends_where_it_does_not_pay_sends_nothing_instead():
    gains = pd.DataFrame({"a": [.1, 1., -3.], "b": [.05, 2., -1.]})
    assert choose_arms(gains, Economics(margin=.5, contact_cost=.06), "none").tolist() == ["none", "b", "none"]
    assert choose_arms(gains, Economics(margin=.5, unsubscribe_cost=10), "none", {"b": .1}).tolist() == ["a", "a", "none"]

def test_the_conclusion_is_computed_from_the_figures(truth):
    rows = truth.campaign(np.random.default_rng(6), 20_000)
    chosen = truth.best_policy(rows["x"])
    before = truth.compare(rows, chosen)
    spoiled = rows.assign(spend=rows["spend"].where(~((rows["arm"] == "a") & (chosen == "a")), 0.))
    after = truth.compare(spoiled, chosen)
    assert before.beats and not after.beats and "worse than" in policy_sentence(after)
    for each in (before, after): assert f"at the assumed margin of {100*each.economics.margin:.4g} %" in policy_sentence(each, priced=True) and "margin" not in policy_sentence(each)
    assert "at the assumed margin" in judge_policy(after, "model").reasons[0].message
    assert policy_table(after)["profit"].iloc[0] < policy_table(before)["profit"].iloc[0]

# --- depths ---
def depth_case(n=6_000, seed=1):
    rng = np.random.default_rng(seed)
    x, arm = rng.random(n), rng.choice(["none", "a", "b"], n)
    spend = rng.binomial(1, .2, n)*rng.gamma(2, 5+4*(arm == "a")*(x > .5)+3*(arm == "b")*(x < .5), n)
    rows = pd.DataFrame(dict(arm=arm, spend=spend, unsubscribed=rng.binomial(1, .01*(arm != "none"))))
    return rows, pd.DataFrame(dict(a=x, b=1-x)), dict(shares=dict.fromkeys(["none", "a", "b"], 1/3), economics=dict(margin=.5, contact_cost=.2, unsubscribe_cost=3), control="none", best_single_arm="a")

@pytest.mark.parametrize("lost", [None, {"mail": .02}])
def test_a_contact_is_chosen_from_the_gain_that_pays_for_it_and_for_whom_it_drives_away(lost):
    prices = read_economics(dict(margin=.45, contact_cost=.03, unsubscribe_cost=4))
    least = prices.paying_gain((lost or {}).get("mail", 0.))
    assert least == pytest.approx(.03/.45 if lost is None else (.03+.08)/.45)
    assert choose_arms(pd.DataFrame(dict(mail=[least-1e-9, least+1e-9])), prices, "none", lost).tolist() == ["none", "mail"]

def test_a_depth_is_the_policy_of_that_depth_with_a_wider_interval():
    rows, gains, given = depth_case()
    curve = targeting_curve(rows, gains, **given)
    i = 40
    n_reached = round(curve.shares[i]*len(rows))
    best = gains.idxmax(axis=1).where(gains.max(axis=1).rank(ascending=False, method="first") <= n_reached, "none")
    single, banded = policy_values(rows, best, **given), comparison_at(curve, i)
    for rival in ("none", "a", "b"):
        one, band = single.differences[rival], banded.differences[rival]
        assert band.value == pytest.approx(one.value) and band.high-band.low > 1.2*(one.high-one.low)
        assert (band.high-band.low)/(one.high-one.low) == pytest.approx(curve.against[rival].critical/1.96, rel=1e-3)
    assert banded.chosen_shares == pytest.approx(single.chosen_shares)
    assert "at all depths at once), measured on" in policy_sentence(banded) and "depths" not in policy_sentence(single)   # the same words, two intervals: each says what it holds for

def test_prices_are_applied_after_the_fact_as_if_they_had_been_given():
    rows, gains, given = depth_case()
    dear = dict(margin=.3, contact_cost=.9, unsubscribe_cost=8)
    one, two = targeting_curve(rows, gains, **given), targeting_curve(rows, gains, **given | dict(economics=dear))
    first, second = profit_by_depth(one, "a", read_economics(dear)), profit_by_depth(two, "a")
    assert np.allclose(first["profit"], second["profit"], equal_nan=True)
    assert (one.against["a"].critical/two.against["a"].critical) == pytest.approx(1, abs=.03)

def test_steps_take_in_ten_customers_and_never_part_equal_gains():
    gains = pd.DataFrame(dict(a=np.repeat([3., 2, 1], [40, 5, 155])))
    assert rank_customers(gains, fewest=1).ends.tolist() == [40, 45, 200]
    assert rank_customers(gains).ends.tolist() == [45, 200]      # five more are too few for a step
    rng = np.random.default_rng(0)
    for n in (4, 19, 437, 5_000):
        ends = rank_customers(pd.DataFrame(dict(a=rng.integers(0, max(2, n//7), n).astype(float)))).ends
        assert ends[-1] == n and (len(ends) == 1 or np.diff(ends, prepend=0).min() >= 10)

def test_depths_of_shuffled_rows_are_the_same():
    rows, gains, given = depth_case(3_000)
    mixed = rows.sample(frac=1, random_state=3)
    one, two = targeting_curve(rows, gains, **given), targeting_curve(mixed, gains.loc[mixed.index], **given)
    assert np.allclose(one.against["a"].means, two.against["a"].means) and one.against["a"].critical == pytest.approx(two.against["a"].critical, abs=2e-3)

# --- Hillstrom ---
@pytest.fixture(scope="module")
def hillstrom(request):
    "The published campaign: the accepted tables where a replay has run, else the publisher's file."
    place = ROOT/"data"/"validate"/"hillstrom"
    if (place/"outcomes.parquet").exists():
        table = lambda name: pd.read_parquet(place/f"{name}.parquet")
        traits = table("traits").assign(shown=lambda t: t["number"].astype(object).where(t["number"].notna(), t["value"])).pivot(index="customer_id", columns="trait", values="shown")
        df = table("assignments").set_index("customer_id")[["arm"]].join(table("outcomes").set_index("customer_id")[["spend", "visit"]]).join(traits).sort_index()
    else: df = pd.read_csv(request.getfixturevalue("datasets")/"hillstrom"/"hillstrom.csv").rename(columns={"segment": "arm"})
    df["spend"], numbers = df["spend"].astype(float), ["recency", "history", "mens", "womens", "newbie"]
    coded = {name: df[name].astype("category").cat.codes for name in ("zip_code", "channel")}
    X = pd.DataFrame({name: df[name].astype(float) for name in numbers} | coded).astype(float)
    return df.assign(split=np.where(np.random.default_rng(2008).random(len(df)) < .5, "train", "held_out")), X

def test_on_hillstrom_targeting_does_not_beat_the_mens_mail_to_all(hillstrom):
    from sklearn.ensemble import HistGradientBoostingRegressor
    df, X = hillstrom
    train, prices = df["split"] == "train", read_economics(dict(margin=.45, contact_cost=.03, currency="USD"))
    def predicted(arm):
        fitted = HistGradientBoostingRegressor(max_iter=60, learning_rate=.05, max_leaf_nodes=8, min_samples_leaf=200, random_state=0)
        return fitted.fit(X[train & (df["arm"] == arm)], df.loc[train & (df["arm"] == arm), "spend"]).predict(X[~train])
    spends = pd.DataFrame({arm: predicted(arm) for arm in HILLSTROM}, index=df.index[~train])
    gains = spends.drop(columns="No E-Mail").sub(spends["No E-Mail"], axis=0)
    best = pick_single_arm(df[train], prices, "No E-Mail")
    found = policy_values(df[~train], choose_arms(gains, prices, "No E-Mail"), shares=HILLSTROM, economics=prices, control="No E-Mail", best_single_arm=best)
    assert best == "Mens E-Mail" and found.beats is False
    assert policy_sentence(found).startswith(("Targeting does not beat the Mens E-Mail to all:", "Targeting does worse than the Mens E-Mail to all:"))
    assert found.values["learned"].low > 0      # better than nobody: the comparison with nobody alone would have sold it
    assert judge_policy(found, "hillstrom_email").status == "review"

def test_on_hillstrom_the_mails_to_all_earn_what_the_readout_says(hillstrom):
    df, _ = hillstrom
    rows = df.drop(columns="split")
    found = policy_values(rows, rows["arm"].astype(object), shares=HILLSTROM, economics=dict(margin=1.), control="No E-Mail", best_single_arm="Mens E-Mail")
    assert found.values["Mens E-Mail"].value == pytest.approx(.769827, abs=1e-6) and found.values["Womens E-Mail"].value == pytest.approx(.424412, abs=1e-6)

def test_known_chances_give_a_policy_its_true_profit_where_good_customers_were_preferred():
    rng = np.random.default_rng(77)
    n, economics = 20_000, Economics(margin=.5, contact_cost=.5, currency="EUR")
    good = rng.random(n) < .5
    chance = np.where(good, .8, .3)
    mailed = rng.random(n) < chance
    rows = pd.DataFrame(dict(arm=np.where(mailed, "mail", "none"), spend=rng.exponential(10, n)*(1+good) + 4.*mailed*~good, chance=np.where(mailed, chance, 1-chance)))
    chosen = pd.Series(np.where(good, "none", "mail"))
    asked = dict(shares={"none": .5, "mail": .5}, economics=economics, control="none", best_single_arm="mail")
    known, plain = policy_values(rows, chosen, **asked), policy_values(rows.drop(columns="chance"), chosen, **asked)
    truth = (.5*4-.5)/2
    assert known.values["learned"].low < truth < known.values["learned"].high
    assert plain.values["mail"].low > known.values["mail"].high
