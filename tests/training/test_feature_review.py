"""What a review of features promises: it sees rows of training only, finds what was planted, and removes nothing."""
import json
from dataclasses import replace
from pathlib import Path
import numpy as np
import pandas as pd
import pytest
from marketing_mlops.features.splits import split_by_customer
from marketing_mlops.features.training_sets import TrainingSet, training_set
from marketing_mlops.measurement.intervals import Estimate
from marketing_mlops.training.feature_review import review_features
from marketing_mlops.training.feature_review_advice import FeatureAdvice, advise, settled_advice
from marketing_mlops.training.feature_review_draws import DRAWN_KINDS, drawn_training_set
from marketing_mlops.training.feature_review_figures import REVIEW_FIGURES
from marketing_mlops.training.feature_review_folds import folds_by_customer, review_folds
from marketing_mlops.training.feature_review_gains import alone_figures
from marketing_mlops.training.feature_review_leaks import leak_suspicion, suspects
from marketing_mlops.training.feature_review_plans import review_plan, reviewed_rows, subset_figure
from marketing_mlops.training.feature_review_records import TAKEN_OUT

ROOT = Path(__file__).resolve().parents[2]
LOGISTIC = dict(task="propensity", source="shop", primary_metric="auc", algorithm=dict(name="logistic_regression"))
BANK = dict(source="bank-marketing", task="propensity", outcome=dict(kind="outcome", column="conversion"), split=dict(held_out=.2), algorithm=dict(name="logistic_regression"),
            features=["trait.age", "trait.job", "trait.contact_type", "trait.earlier_contacts"])

def suspicion_of(rows, spec=LOGISTIC):
    plan = review_plan(rows, spec)
    return leak_suspicion(plan, subset_figure(plan, plan.features), alone_figures(plan))

@pytest.fixture(scope="module")
def bank(public):
    "Every third row of the bank's training set, and the same with the length of each call forced in past the gate."
    workspace = public("bank-marketing")
    rows = training_set(workspace, "term_deposit", BANK)
    rows = replace(rows, frame=rows.frame.iloc[::3].reset_index(drop=True))
    traits = pd.read_parquet(workspace.accepted("bank-marketing")/"traits.parquet", columns=["customer_id", "trait", "number"])
    seconds = traits[traits.trait == "duration"].set_index("customer_id").number.astype(float)
    forced = rows.frame.assign(duration=rows.frame.customer_id.map(seconds).to_numpy())
    return rows, replace(rows, frame=forced, features=[*rows.features, "duration"])

def test_the_length_of_the_call_is_suspected_and_nothing_is_without_it(bank):
    without, forced = (suspicion_of(rows, BANK) for rows in bank)
    assert (without.status, forced.status, suspects(forced)) == ("pass", "review", ["duration"])

@pytest.mark.parametrize("kind,status", [("strong", "review"), ("clean", "pass")])
def test_a_strong_leak_is_found_and_a_clean_set_passes(kind, status):
    assert suspicion_of(drawn_training_set(np.random.default_rng(11), kind)).status == status

def test_the_recorded_rates_are_those_of_all_kinds_with_two_hundred_sets_each():
    recorded = json.loads((ROOT/"benchmarks"/"results"/"feature_leaks.json").read_text())
    assert {row["kind"] for row in recorded["kinds"]} == set(DRAWN_KINDS) and {row["draws"] for row in recorded["kinds"]} == {200}
    rate = {row["kind"]: row["suspected"]/row["draws"] for row in recorded["kinds"] if row["algorithm"] == "logistic_regression"}
    assert rate["clean"] < .08 and rate["strong"] > .98 and rate["partial"] > .8

def small(n=160, seed=2, label=None):
    rng = np.random.default_rng(seed)
    months = pd.date_range("2026-01-01", periods=4, freq="MS", tz="UTC")
    rows = pd.DataFrame([dict(customer_id=f"c{i:03d}", cutoff=at, matured_at=at + pd.Timedelta(days=30)) for at in months for i in range(n)])
    rows["recency_days"], rows["orders_90d"] = rng.integers(0, 180, len(rows)).astype(float), rng.poisson(2, len(rows)).astype(float)
    rows["label"] = (rng.random(len(rows)) < .15 + .6*(rows.recency_days > 90)).astype(int) if label is None else label
    rows["split"] = np.where(rows.cutoff < months[3], "train", "held_out")
    return TrainingSet("shop", rows, ["recency_days", "orders_90d"], "label", None)

@pytest.fixture(scope="module")
def reviewed(): return review_features(small(), LOGISTIC)

def test_a_suspicion_removes_nothing():
    rows = small()
    leaky = replace(rows, frame=rows.frame.assign(note=rows.frame.label + .1), features=[*rows.features, "note"])
    before = leaky.frame.copy()
    assert suspects(suspicion_of(leaky)) == ["note"]
    assert leaky.features[-1] == "note" and leaky.frame.equals(before)

def test_held_out_rows_do_not_exist_for_a_review(reviewed):
    rows = small()
    kept = rows.frame[rows.frame.split == "train"].reset_index(drop=True)
    assert review_features(replace(rows, frame=kept), LOGISTIC).to_dict() == reviewed.to_dict()

@pytest.mark.parametrize("held_out", [.2, .5, .8])
def test_a_large_experiment_is_reviewed_on_a_part_of_those_it_learns_from(held_out):
    "By the hash of the split itself all or none of them would be taken."
    people = pd.Series([f"c{i:05d}" for i in range(6_000)])
    frame = pd.DataFrame(dict(customer_id=people, split=split_by_customer(people, held_out)))
    rows = TrainingSet("mailing", frame, [], "label", "arm")
    for share in (.1, .4, .7):
        taken = reviewed_rows(rows, round(share*len(rows.train)))
        assert abs(len(taken.frame)/len(rows.train) - share) < .05 and set(taken.frame.split) == {"train"}
        judged = [len(fold.judge)/len(taken.frame) for fold in folds_by_customer(taken.frame.customer_id)]
        assert max(judged) - min(judged) < .12

def test_a_review_is_plain_json_and_the_same_again(reviewed):
    assert json.loads(json.dumps(reviewed.to_dict(), allow_nan=False)) == json.loads(json.dumps(review_features(small(), LOGISTIC).to_dict()))

def test_the_order_of_the_features_changes_no_figure_but_the_shuffled_ones(reviewed):
    turned = review_features(replace(small(), features=["orders_90d", "recency_days"]), LOGISTIC)
    def lost(review): return {row["feature"]: round(row["value"], 4) for row in review.tables["lost"] if row["feature"] in ("recency_days", "orders_90d")}
    assert lost(turned) == lost(reviewed)

def test_no_answer_is_learned_from_before_it_was_known():
    rows = small()
    train = rows.train
    for fold in review_folds(rows).folds: assert train.matured_at.iloc[fold.learn].max() <= train.cutoff.iloc[fold.judge].min()

@pytest.mark.parametrize("metric", [name if name in ("auc", "brier") else pytest.param(name, marks=pytest.mark.slow) for name in REVIEW_FIGURES if name != "explained_share"])
def test_every_figure_finds_the_feature_that_counts(metric):
    review = review_features(small(), LOGISTIC | dict(primary_metric=metric))
    assert review.figure == metric and review.tables["alone"][0]["feature"] == "recency_days" and review.gain.value > 0

@pytest.mark.parametrize("change", [lambda rows: rows.assign(recency_days=np.nan), lambda rows: rows.assign(recency_days=7.), lambda rows: rows.assign(recency_days=rows.recency_days.mask(rows.cutoff < rows.cutoff.max()))],
                         ids=["never known", "the same for everybody", "known in the last month only"])
def test_a_feature_nothing_can_be_learned_from_is_named_and_stops_nothing(change):
    rows = small()
    review = review_features(replace(rows, frame=change(rows.frame)), LOGISTIC)
    assert {each.feature for each in review.advice} == {"recency_days", "orders_90d"}
    assert next(each.word for each in review.advice if each.feature == "recency_days") in ("set_aside", "open", "spare")

@pytest.fixture(scope="module")
def six():
    "A strong feature, a pair that says the same, and three that say nothing."
    rng, n = np.random.default_rng(3), 2_400
    at = pd.date_range("2026-01-01", periods=3, freq="MS", tz="UTC").repeat(n//3)
    known = pd.DataFrame(rng.normal(size=(n, 6)), columns=[f"trait.{name}" for name in ("strong", "one", "other", *range(3))])
    known["trait.other"] = known["trait.one"] + .05*known["trait.other"]
    happened = rng.random(n) < 1/(1 + np.exp(-(1.2*known["trait.strong"] + .7*known["trait.one"])))
    frame = pd.DataFrame(dict(customer_id=[f"c{i}" for i in range(n)], cutoff=at, matured_at=at + pd.Timedelta(days=28), label=happened.astype(int), split="train")).join(known)
    return review_features(TrainingSet("shop", frame, list(known), "label", None), LOGISTIC)

def test_what_is_taken_out_loses_less_than_a_fiftieth_together_and_never_both_of_a_pair(six):
    leaving = {*six.named("spare"), *six.named("harms")}
    together = next(row for row in six.tables["lost"] if row["feature"] == TAKEN_OUT)
    assert len(leaving) > 2 and together["high"] <= .02*six.gain.value and six.named("carries") == ["trait.strong"]
    assert len({"trait.one", "trait.other"} & leaving) == 1 == len(six.named("shares"))

@pytest.mark.parametrize("low,high,word", [(.001, .032, "open"), (.021, .05, "carries"), (.001, .019, "spare")])
def test_what_surely_helps_carries_the_model_only_above_a_fiftieth_of_the_gain(low, high, word):
    def of(low, high): return Estimate((low + high)/2, low, high, .95, 900, "by hand", "auc")
    assert advise("tenure_days", {"tenure_days": of(low*.25, high*.25)}, of(.24, .26), [], []).word == word

def test_what_could_go_alone_and_does_not_go_is_kept_by_a_word_of_its_own():
    def of(value, half): return Estimate(value, value - half, value + half, .95, 900, "by hand", "auc")
    lost, advice = {"a": of(0, .001), "b": of(-.003, .001)}, [FeatureAdvice("a", "spare", ""), FeatureAdvice("b", "harms", "")]
    assert [each.word for each in settled_advice(advice, [], lost, of(.3, .01), [])] == ["later", "later"]
    assert settled_advice(advice, ["a", "b"], lost, of(.3, .01), []) == advice

@pytest.mark.slow
def test_no_loss_is_said_to_be_below_nothing(six):
    gain, rows = six.gain.value, [row for row in six.tables["lost"] if row["feature"] != TAKEN_OUT]
    for value in (-.061, -.0001, 0., .008):
        said = replace(six, tables=dict(lost=[*rows, dict(feature=TAKEN_OUT, value=value*gain, low=-.1, high=.015*gain, why_not="")])).sentences[-1]
        assert "-" not in said and "−" not in said and "all that can go together" in said
