"""What a split at random would have promised, and earlier days: with a known truth, where it must not flatter, and where a class is missing."""
import json
from dataclasses import replace
import numpy as np
import pandas as pd
import pytest
from marketing_mlops.features.training_sets import TrainingSet, training_set
from marketing_mlops.measurement.intervals import NotMeasurable
from marketing_mlops.measurement.paired_models import auc_difference
from marketing_mlops.measurement.ranking import rank_quality, read_quality_record
from marketing_mlops.training.candidates import fit_candidate
from marketing_mlops.training.evaluations import evaluate
from marketing_mlops.training.propensity_evidence import day_reasons
from marketing_mlops.training.split_checks import base_counts, days_sentence, drawn_at_random, earlier_days, flattery, promised_too_much, split_at_random, split_check, split_sentences

DAYS, TREES = pd.date_range("2025-06-01", periods=6, freq="MS", tz="UTC"), dict(name="hist_gradient_boosting", max_iter=10, min_samples_leaf=15)
SPEC = dict(task="propensity", algorithm=TREES, gates=dict(auc=.6))

def months(rates, signal=1.5, n=300, seed=1):
    "One cutoff a month; the price index gives the month away, recency tells who is more likely."
    rng, parts = np.random.default_rng(seed), []
    for i, (day, rate) in enumerate(zip(DAYS, rates)):
        away = rng.random(n) < .5
        parts.append(pd.DataFrame(dict(customer_id=[f"c{k:03d}" for k in range(n)], cutoff=day, matured_at=day + pd.Timedelta(days=25), recency_days=30.*away + rng.integers(0, 20, n), price_index=100. + (i*7) % 5,
                                       label=(rng.random(n) < np.clip(rate*np.where(away, signal, 2 - signal), 0, 1)).astype("int64"), split="held_out" if i == 5 else "train")))
    return TrainingSet("shop", pd.concat(parts, ignore_index=True), ["recency_days", "price_index"], "label", None)

UNEVEN, STEADY = (.15, .55, .2, .6, .1, .35), (.35,)*6

@pytest.fixture(scope="module")
def uneven():
    rows = months(UNEVEN)
    return rows, split_check(rows, SPEC, fit_candidate(rows, SPEC))

def test_months_that_differ_flatter_a_split_at_random_and_the_sentence_says_so(uneven):
    _, candidate = uneven
    check, in_time = candidate.facts["split_check"], rank_quality(candidate.held_out.label, candidate.held_out.score)["auc"]
    assert flattery(check) == "flatters" and check["at_random"]["figures"]["auc"]["low"] > in_time.high
    assert split_sentences(check, in_time)[0].startswith("A split at random flatters this model")

@pytest.mark.slow
def test_where_all_months_are_alike_a_split_at_random_is_not_called_flattering():
    "20 shops without any change over time: the interval of the difference may miss zero in about one of twenty."
    called = []
    for seed in range(20):
        rows = months(STEADY, seed=100 + seed)
        candidate = fit_candidate(rows, SPEC | dict(algorithm=dict(name="logistic_regression")))
        called.append(flattery(dict(at_random=split_at_random(rows, SPEC | dict(algorithm=dict(name="logistic_regression")), candidate, seed))))
    assert called.count("open") >= 17

def test_the_verdict_and_scores_of_the_candidate_are_untouched(uneven):
    rows, candidate = uneven
    plain = fit_candidate(rows, SPEC)
    assert candidate.held_out.equals(plain.held_out) and {name: fact for name, fact in candidate.facts.items() if name != "split_check"} == plain.facts
    assert evaluate("shop", candidate.held_out, SPEC, candidate.facts).verdict.reasons[0] == evaluate("shop", plain.held_out, SPEC, plain.facts).verdict.reasons[0]

def test_the_same_rows_and_seed_give_the_same_record_which_survives_json(uneven):
    rows, candidate = uneven
    again = split_check(rows, SPEC, fit_candidate(rows, SPEC)).facts["split_check"]
    assert again == candidate.facts["split_check"] == json.loads(json.dumps(again))
    assert split_check(rows, SPEC, fit_candidate(rows, SPEC), seed=1).facts["split_check"]["at_random"] != again["at_random"]

def test_drawn_rows_are_judged_once_and_by_nobody_who_saw_them():
    learn, judge = drawn_at_random(1_000, 200, 3)
    assert len(judge) == 200 and sorted([*learn, *judge]) == list(range(1_000)) and (np.diff(judge) > 0).all() and (np.diff(learn) < 0).any()

def test_no_earlier_day_learns_from_answers_that_were_not_complete():
    rows = months(UNEVEN)
    late = replace(rows, frame=rows.frame.assign(matured_at=rows.frame.cutoff + pd.Timedelta(days=70)))
    by_day, gap = earlier_days(rows, SPEC), earlier_days(late, SPEC)
    assert [each["n_training"] for each in by_day] > [each["n_training"] for each in gap] and all(each["n_training"] % 300 == 0 for each in gap)
    for each in gap:
        known = late.train[late.train.matured_at <= pd.Timestamp(each["judged_from"], tz="UTC")]
        assert each["n_training"] == len(known) and each["rate_before"] == pytest.approx(known.label.mean())

def test_earlier_days_never_touch_the_held_out_rows():
    rows = months(UNEVEN)
    other = replace(rows, frame=rows.frame.assign(label=rows.frame.label.where(rows.frame.split == "train", 1 - rows.frame.label)))
    assert earlier_days(rows, SPEC) == earlier_days(other, SPEC)

def test_a_day_with_one_class_is_kept_with_its_reason_and_asks_for_a_review():
    rows, lines = months((0, 0, .3, .4, .3, .35)), SPEC | dict(algorithm=dict(name="logistic_regression"), gates=dict(auc=.01))
    candidate = split_check(rows, lines, fit_candidate(rows, lines))
    days = candidate.facts["split_check"]["earlier_days"]
    assert "only one class" in days[0]["why_not"] and "figures" in days[-1]
    verdict = evaluate("shop", candidate.held_out, lines, candidate.facts).verdict
    assert verdict.status == "review" and any("only one class" in each.message and each.next_step for each in verdict.reasons)

def test_a_day_whose_later_rows_hold_one_class_is_reviewed_too():
    rows = months((.3, .3, .3, .3, 0, .35))
    days = earlier_days(rows, SPEC)
    assert "not_measured" in days[-1]["figures"]["auc"] and len(day_reasons(dict(earlier_days=days))) == 1
    assert "nobody to tell apart" in day_reasons(dict(earlier_days=days))[0].message

def test_a_constant_label_is_refused_before_anything_is_compared():
    with pytest.raises(ValueError, match="only one class"): fit_candidate(months((0, 0, 0, 0, 0, .3)), SPEC)

def test_held_out_rows_of_one_class_make_the_comparison_unknown_and_never_a_pass():
    rows = months((.3, .3, .3, .3, .3, 0))
    candidate = split_check(rows, SPEC, fit_candidate(rows, SPEC))
    check = candidate.facts["split_check"]
    assert flattery(check) == "unknown" and "not_measured" in check["at_random"]["too_much"]
    found = evaluate("shop", candidate.held_out, SPEC, candidate.facts)
    assert found.verdict.status == "unknown" and not any("flatter" in line for line in found.sentences)

def test_a_feature_without_values_on_an_early_day_is_left_out_and_named():
    rows = months(UNEVEN)
    frame = rows.frame.assign(new=np.where(rows.frame.cutoff >= DAYS[3], rows.frame.recency_days, np.nan))
    days = earlier_days(replace(rows, frame=frame, features=[*rows.features, "new"]), SPEC)
    assert days[0]["left_out"] == ["new"] and "figures" in days[0]

def test_rows_without_days_have_no_earlier_ones(uneven):
    rows, _ = uneven
    assert earlier_days(replace(rows, frame=rows.frame.drop(columns="matured_at")), SPEC) == [] and days_sentence({}, None) == ""

def test_the_difference_of_two_scores_of_the_same_rows_is_delongs():
    rng, n = np.random.default_rng(2), 1_500
    label = (rng.random(n) < .3).astype(int)
    rows = pd.DataFrame(dict(customer_id=np.arange(n), label=label, score=label + rng.normal(0, 1.5, n)))
    other = rows.assign(score=label + rng.normal(0, 2, n))
    mine, theirs = promised_too_much(rows, other), auc_difference(label, rows.score.to_numpy(), other.score.to_numpy()).estimate
    assert mine.value == pytest.approx(theirs.value) and mine.high - mine.low == pytest.approx(theirs.high - theirs.low, rel=.35)

def test_the_interval_of_the_difference_holds_the_truth():
    "60 pairs of lists of other customers with the same true AUC, seed 6."
    rng, held = np.random.default_rng(6), 0
    def one(first): return pd.DataFrame(dict(customer_id=first + np.arange(300), label=(label := (rng.random(300) < .3).astype(int)), score=label + rng.normal(0, 1, 300)))
    for _ in range(60):
        e = promised_too_much(one(0), one(1_000))
        held += e.low <= 0 <= e.high
    assert held >= 53

def test_too_few_customers_give_no_difference():
    rows = pd.DataFrame(dict(customer_id=range(6), label=[0, 1]*3, score=range(6)))
    with pytest.raises(NotMeasurable): promised_too_much(rows, rows)

def test_base_counts_are_those_of_the_rows_learned_from(uneven):
    rows, _ = uneven
    assert base_counts(rows) == dict(learned=[int(rows.train.label.sum()), 1_500], latest=[int(rows.train.label.iloc[-375:].sum()), 375])

@pytest.mark.parametrize("days, says", [([(.50, .47, .53), (.55, .50, .58)], "do not take the figure of the later rows for the rule"), ([(.9, .85, .95)], "has become worse"), ([(.7, .6, .8)], "0.700 on the later rows")])
def test_the_sentence_on_earlier_days_follows_from_their_figures(days, says):
    in_time = read_quality_record(dict(x=dict(value=.7, low=.66, high=.74, level=.95, n=900, method="", unit="AUC")))["x"]
    assert says in days_sentence(dict(earlier_days=[dict(figures=dict(auc=dict(zip(("value", "low", "high"), each)))) for each in days]), in_time)

BANK = dict(source="bank-marketing", task="propensity", outcome=dict(kind="outcome", column="conversion"), split=dict(held_out=.2), algorithm=dict(name="logistic_regression", C=1.),
            gates=dict(auc=.6, calibration_slope=[.7, 1.4], calibration_intercept=[-.25, .25]),
            features=[f"trait.{name}" for name in ("age", "job", "contact_type", "days_since_earlier_contact", "earlier_contacts", "earlier_outcome")])

@pytest.mark.slow
def test_term_deposits_pass_their_gates_at_random_and_fail_them_in_time(public):
    "Bank Marketing: the base rate of the last fifth is about five times that before, and a split at random hides it."
    rows = training_set(public("bank-marketing"), "term_deposit", BANK)
    candidate = split_check(rows, BANK, fit_candidate(rows, BANK))
    found, check = evaluate("term_deposit", candidate.held_out, BANK, candidate.facts), candidate.facts["split_check"]
    times = next(row for row in found.tables["base_rates"] if row["name"] == "times")
    assert (check["at_random"]["verdict"], found.verdict.status, flattery(check)) == ("pass", "fail", "flatters") and 4.5 < times["low"] < times["high"] < 5.2
    assert any("has moved" in line for line in found.sentences) and any("calibrated anew" in line for line in found.sentences)
