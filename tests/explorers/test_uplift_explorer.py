"""The explorer of uplift in Python: what it refuses, what it sends, what leaves it."""
import json, xml.dom.minidom
import numpy as np
import pandas as pd
import pytest
import traitlets
from marketing_mlops.explorers.uplift_charts import UpliftCharts, check_settings, frozen_uplift, start_settings, uplift_spec
from marketing_mlops.explorers.uplift_explorer import UpliftExplorer
from marketing_mlops.measurement.targeting_depths import profit_by_depth
from marketing_mlops.workspace.errors import DataError, MmopsError

HOSTILE = "</script><img src=x onerror=alert(1)>"

def held_out(n=6_000, mail="mail", seed=1, binary=False):
    rng = np.random.default_rng(seed)
    x, arm = rng.random(n), rng.choice(["none", mail], n)
    spend = rng.binomial(1, .2, n)*(1 if binary else rng.gamma(2, 5+4*(x > .6)*(arm == mail), n))
    return pd.DataFrame({"arm": arm, "spend": spend, "unsubscribed": rng.binomial(1, .02*(arm == mail)), "split": "held_out", f"gain_{mail}": x})

def explorer(rows=None, mail="mail", **given):
    rows = held_out(mail=mail) if rows is None else rows
    return UpliftExplorer(rows, dict(margin=.5, contact_cost=.3, unsubscribe_cost=4, currency="EUR"), **dict(shares={"none": .5, mail: .5}, control="none", best_single_arm=mail) | given)

@pytest.fixture(scope="module")
def spring(): return explorer()   # for tests that change nothing in it

ODD = dict(tiny=held_out(6), hundred=held_out(100), nobody_buys=held_out(400).assign(spend=0.), one_score=held_out(800).assign(gain_mail=1.), two_scores=held_out(2_000).assign(gain_mail=lambda d: (d["gain_mail"] > .5)*1.),
           binary=held_out(4_000, binary=True), one_arm=held_out(600).assign(arm="mail"), integers=held_out(900).astype({"spend": int}))

@pytest.mark.parametrize("kind", ODD)
def test_every_odd_campaign_has_a_curve_a_sentence_a_snapshot_and_a_page(kind):
    one = explorer(ODD[kind])
    for share in (0, .3, 1):
        one.select(share)
        shot = one.snapshot()
        xml.dom.minidom.parseString(shot.svg)
        assert one.title in shot.sentence and len(shot.table) == 3
    json.dumps(uplift_spec(one.curve, "x"), allow_nan=False)
    assert frozen_uplift(one.curve).count("<script") == 2

@pytest.mark.parametrize("change,says", [
    (dict(split="train"), "of split train"), (dict(arm="coupon"), "'coupon', which has no share"), (dict(gain_mial=1.), "belongs to no arm")])
def test_rows_that_cannot_be_shown_are_refused_in_two_lines(change, says):
    with pytest.raises(DataError, match=says) as refused: explorer(held_out().assign(**change))
    assert len(str(refused.value).splitlines()) == 2

def test_missing_gains_are_named():
    with pytest.raises(DataError, match="no predicted gain 'gain_mail'"): explorer(held_out().drop(columns="gain_mail"))
    with pytest.raises(DataError, match="5 customers have no predicted gain"): explorer(held_out().assign(gain_mail=lambda d: d["gain_mail"].where(d.index >= 5)))

def test_names_with_markup_stay_text_in_picture_and_page():
    one = explorer(mail=HOSTILE)
    page = frozen_uplift(one.curve, HOSTILE)
    assert "<img" not in page and page.count("</script>") == 2 and "<img" not in one.snapshot().svg

def test_no_customer_leaves_with_the_page():
    rows = held_out().assign(customer_id=[f"secret-{i}" for i in range(6_000)])
    one = explorer(rows)
    assert "secret" not in frozen_uplift(one.curve) + one.snapshot().svg
    told = uplift_spec(one.curve, "x")["rivals"][0]["against"]
    assert all(not any(m) for m, ok in zip(told["means"], told["measurable"]) if not ok)
    assert not all(told["measurable"])

def test_the_page_and_the_spec_are_the_same_bytes_for_the_same_rows():
    assert frozen_uplift(explorer().curve) == frozen_uplift(explorer().curve)

@pytest.mark.parametrize("wrong", [dict(depth=-1), dict(depth=1.5), dict(depth=True), dict(margin=0), dict(margin=float("nan")), dict(contact_cost=-.1), dict(contact_cost="1"), dict(rival="all"), dict(extra=1), None, []])
def test_settings_no_slider_has_are_refused(wrong, spring):
    spec, start = uplift_spec(spring.curve, "x"), start_settings(spring.curve)
    with pytest.raises(ValueError): check_settings(start | wrong if isinstance(wrong, dict) else wrong, spec)
    charts = UpliftCharts(spring.curve)
    with pytest.raises(traitlets.TraitError): charts.settings = start | wrong if isinstance(wrong, dict) else wrong
    assert charts.settings == start
    charts.close()

def test_what_the_widget_sets_the_explorer_has_and_the_other_way_round():
    one = explorer()
    charts = one.live()
    charts.settings = charts.settings | dict(depth=30, contact_cost=1.25, rival="mail")
    assert (one.depth, one.economics.contact_cost, one.rival) == (30, 1.25, "mail")
    one.select(.5, margin=.2)
    assert charts.settings["margin"] == .2 and charts.settings["depth"] == 50
    charts.close()

def test_an_unknown_price_is_refused_and_changes_nothing():
    one = explorer()
    before = one._settings()
    for wrong in (dict(contact_costs=1), dict(margin=45), dict(rival="all")):
        with pytest.raises(MmopsError): one.select(.1, **wrong)
    assert one._settings() == before

def test_a_dearer_contact_lowers_profit_by_what_the_reached_cost():
    one = explorer()
    cheap = profit_by_depth(one.curve, "none", one.economics)
    one.select(contact_cost=1.3)
    assert np.allclose((cheap["profit"]-one.profits()["profit"]).dropna(), one.curve.shares[cheap["profit"].notna()]*1.)

@pytest.mark.parametrize("change,says", [
    (lambda d: d.iloc[:0], "no rows"), (lambda d: d.assign(gain_mail=np.nan), "6,000 customers have no predicted gain|6000 customers have no predicted gain"), (lambda d: d.assign(gain_mail=np.inf), "no predicted gain"),
    (lambda d: d.assign(spend=np.nan), "spend"), (lambda d: d.assign(spend=np.inf), "spend"), (lambda d: d.drop(columns="spend"), "'spend'"), (lambda d: d.assign(arm=[f"a{i % 10_000}" for i in range(len(d))]), "has no share|have the arm")])
def test_rows_from_which_nothing_can_be_drawn_are_refused_in_words(change, says):
    with pytest.raises(MmopsError, match=says) as refused: explorer(change(held_out()))
    assert len(str(refused.value)) < 600

def test_one_row_is_shown_as_what_cannot_be_measured():
    one = explorer(held_out().iloc[:1])
    assert one.groups[0].problem and "cannot beat it" in one.snapshot().sentence
    with pytest.raises(DataError, match="cannot be told"): one.who_gains()
    assert frozen_uplift(one.curve, groups=one.groups)

def test_groups_are_measured_as_the_evidence_of_the_model_is():
    rows, one = held_out(), explorer()
    table = one.who_gains()
    ordered = rows.sort_values("gain_mail", ascending=False)
    for group, part in zip(table.itertuples(), (ordered.iloc[k*1_200:(k + 1)*1_200] for k in range(5))):
        mail, none = (part.spend[part.arm == arm] for arm in ("mail", "none"))
        assert group.gained == pytest.approx(mail.mean()-none.mean(), abs=.02) and group.low < group.gained < group.high
        assert group.n == len(part)
    one.select(.3)
    assert one.who_gains().reached.round(2).tolist() == [1., .5, 0, 0, 0]

def test_a_small_group_keeps_its_figures_to_itself():
    one = explorer(held_out(30))
    told = uplift_spec(one.curve, "x", groups=one.groups)["groups"][0]
    assert told["rows"] and all(row["n"] is None and row["gained"] is None and row["buys"] == "" for row in told["rows"])
    assert not np.any(told["reached"])

@pytest.mark.parametrize("share", [0, .1, .5, 1])
def test_the_copied_definition_chooses_whom_the_depth_reaches(share):
    rng = np.random.default_rng(5)
    rows = held_out().assign(gain_flyer=rng.normal(.5, .3, 6_000), arm=rng.choice(["none", "mail", "flyer"], 6_000))
    one = UpliftExplorer(rows, dict(margin=.5), shares=dict(none=1/3, mail=1/3, flyer=1/3), control="none", best_single_arm="mail")
    reached = one.select(share)
    if not share: assert one.audience().startswith("# Nobody"); return
    names = dict(scores=rows)
    exec(one.audience(), names)
    gains = rows[["gain_mail", "gain_flyer"]].to_numpy()
    first = np.argsort(-gains.max(axis=1), kind="stable")[:round(reached*6_000)]
    assert sorted(names["chosen"].index) == sorted(first)
    assert (names["chosen"].arm == np.array(["mail", "flyer"])[gains[names["chosen"].index].argmax(axis=1)]).all()

def test_a_model_with_one_arm_names_the_command_that_makes_the_list():
    one = explorer()
    one.model = "promo"
    one.select(.25)
    line = next(line for line in one.audience().splitlines() if line.startswith("mmops"))
    minimum = float(line.split("--minimum=")[1].split()[0])
    assert line.startswith("mmops activate promo --score gain_mail") and (one.gains["mail"] >= minimum).mean() == one.curve.shares[one.depth]

def test_a_view_opens_again_on_rows_and_not_where_an_arm_s_gains_have_gone():
    one = explorer()
    one.select(.4, contact_cost=.9, rival="mail")
    kept = json.loads(json.dumps(one.state()))
    again = UpliftExplorer.from_state(kept, held_out())
    assert (again.snapshot().sentence, again.state()) == (one.snapshot().sentence, kept)
    with pytest.raises(DataError, match="no predicted gain 'gain_mail'"): UpliftExplorer.from_state(kept, held_out().drop(columns="gain_mail"))

def test_the_browser_learns_which_settings_a_text_belongs_to():
    one = explorer()
    charts = one.live()
    charts.settings = charts.settings | dict(depth=20)
    assert charts.texts == dict(audience=one.audience(), asked=charts.settings)
    charts.close()
