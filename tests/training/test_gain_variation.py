"""Whether a gain is found again: against the spread of gains of training sets that were really drawn anew."""
from dataclasses import replace
import numpy as np
import pandas as pd
import pytest
from marketing_mlops.features.training_sets import TrainingSet
from marketing_mlops.measurement.intervals import Estimate
from marketing_mlops.training.gain_variation import LEARNED_GROUPS, GainVariation, gain_between, gain_variation, variation_sentences, whole_interval, without_customers
from marketing_mlops.training.run_comparisons import ComparisonPlan

SIMPLE = dict(task="propensity", algorithm=dict(name="logistic_regression"))
BENT = dict(task="propensity", algorithm=dict(name="hist_gradient_boosting", max_iter=5, min_samples_leaf=20))

def drawn(rng, held_out, n=200):
    months = pd.date_range("2026-01-01", periods=2, freq="MS", tz="UTC")
    rows = pd.DataFrame([dict(customer_id=f"c{i:03d}", cutoff=at, is_holdout=False, matured_at=at + pd.Timedelta(days=28)) for at in months for i in range(n)])
    rows["recency_days"] = rng.integers(0, 180, len(rows)).astype(float)
    rows["label"] = (rng.random(len(rows)) < .1 + .4*rows.recency_days.between(40, 110)).astype(int)
    rows["split"] = "train"
    return TrainingSet("churn", pd.concat([rows, held_out], ignore_index=True), ["recency_days"], "label", None)

def judged(rng, n=400):
    at = pd.Timestamp("2026-06-01", tz="UTC")
    rows = pd.DataFrame(dict(customer_id=[f"h{i:03d}" for i in range(n)], cutoff=at, is_holdout=False, matured_at=at + pd.Timedelta(days=28), recency_days=rng.integers(0, 180, n).astype(float), split="held_out"))
    return rows.assign(label=(rng.random(n) < .1 + .4*rows.recency_days.between(40, 110)).astype(int))

def test_no_row_to_judge_by_leaves_and_every_customer_leaves_once():
    training = drawn(np.random.default_rng(1), judged(np.random.default_rng(2)))
    parts = [without_customers(training, part) for part in range(LEARNED_GROUPS)]
    gone = [set(training.train.customer_id) - set(part.train.customer_id) for part in parts]
    assert all(part.held_out.equals(training.held_out) for part in parts)
    assert sum(map(len, gone)) == 200 and set.union(*gone) == set(training.train.customer_id)

@pytest.mark.slow
def test_the_jackknife_of_learning_is_of_the_size_of_the_true_spread_or_wider():
    rng = np.random.default_rng(7)
    held_out, plan = judged(rng, 2_000), ComparisonPlan("log_loss")
    gains = [gain_between(drawn(rng, held_out), BENT, SIMPLE, plan) for _ in range(60)]
    widths = [(found.by_learning.high - found.claimed)/2.262157 for found in (gain_variation(drawn(rng, held_out), BENT, SIMPLE, plan, n_seeds=0) for _ in range(8))]
    assert .6 < np.median(widths)/np.std(gains, ddof=1) < 2.5

@pytest.mark.slow
def test_two_models_that_are_the_same_have_no_gain_to_find_again():
    found = gain_variation(drawn(np.random.default_rng(1), judged(np.random.default_rng(2))), SIMPLE, SIMPLE, n_seeds=1)
    assert found.is_nothing and variation_sentences(found) == ["There is no gain to find again: in 12 fits of both, the two were the same by their AUC each time."]
    with pytest.raises(Exception, match="same order"): whole_interval(found)

def test_another_seed_is_named_only_where_a_seed_plays_a_part():
    found = GainVariation("AUC", .02, Estimate(.02, .015, .025, .95, 300, "DeLong, paired", "AUC"), (.021, .019)*5, (.02, .02))
    moved = replace(found, seeds=(.02, .022))
    assert [("and with other seeds" in variation_sentences(each)[0], variation_sentences(each)[2][:7]) for each in (found, moved)] == [(False, "No seed"), (True, "With 2 ")]
