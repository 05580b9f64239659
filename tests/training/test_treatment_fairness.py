"""Who is contacted, by groups: what is shown, what is not, and what nobody can say."""
import numpy as np
import pandas as pd
import pytest
from marketing_mlops.training.scored_runs import ScoredRun, same_rows
from marketing_mlops.training.treatment_fairness import FairnessRules, review_treatment, treated_shares, treatment_changes

def people(n=4_000, seed=0, missing=.02):
    rng = np.random.default_rng(seed)
    known = 1 - missing
    rows = pd.DataFrame(dict(customer_id=[f"c{i:05d}" for i in range(n)], cutoff=pd.Timestamp("2026-03-31", tz="UTC"), split="held_out", label=rng.integers(0, 2, n)))
    rows["band"] = pd.Series(rng.choice(["young", "middle", "old", None], n, p=[.3*known, .4*known, .3*known, missing]), dtype="str")
    rows["age_years"], rows["orders"] = rng.normal(45, 12, n), rng.poisson(3, n).astype(float)
    return rows, rng

def test_groups_that_fare_alike_are_rarely_called_unequal():
    words = []
    for seed in range(40):
        rows, rng = people(seed=seed)
        words.append(review_treatment(rng.random(len(rows)) < .2, rows, ["band"], ["orders"]).word)
    assert words.count("review") <= 3 and words.count("pass") > 25

def test_a_planted_disparity_names_the_group_and_the_role():
    rows, rng = people()
    treated = rng.random(len(rows)) < np.where(rows.band == "old", .08, .2)
    found = review_treatment(treated, rows, ["band"], ["orders"], FairnessRules(escalate_to="works-council@example.com"))
    assert found.word == "review" and "old are contacted" in found.verdict.reasons[0].message and "works-council@example.com" in found.verdict.reasons[0].next_step

@pytest.mark.parametrize("missing, expected", [(.02, "pass"), (.5, "unknown")])
def test_an_attribute_mostly_missing_is_no_pass(missing, expected):
    rows, rng = people(missing=missing)
    assert review_treatment(rng.random(len(rows)) < .4, rows, ["band"], ["orders"]).word == expected

@pytest.mark.parametrize("features, expected", [(["orders"], "unknown"), (["orders", "band"], "review")])
def test_how_groups_fare_may_stay_unknown_only_where_the_model_does_not_read_the_attribute(features, expected):
    rows, rng = people(missing=.5)
    found = review_treatment(rng.random(len(rows)) < .4, rows, ["band"], features)
    assert found.word == expected and ("data-protection@example.com" in found.verdict.reasons[0].next_step) == (expected == "review")

def test_an_attribute_nobody_recorded_and_one_without_a_value_are_unknown():
    rows, rng = people()
    rows["faith"] = pd.Series([None]*len(rows), dtype="str")
    found = review_treatment(rng.random(len(rows)) < .4, rows, ["faith", "origin"], ["orders"])
    assert found.word == "unknown" and [each.severity for each in found.verdict.reasons] == ["unknown", "unknown"]

@pytest.mark.parametrize("treated", [np.zeros(4_000, bool), np.ones(4_000, bool)])
def test_contacting_nobody_or_everybody_is_never_a_disparity(treated):
    rows, _ = people()
    found = review_treatment(treated, rows, ["band"], ["orders"])
    assert found.word == ("pass" if treated.all() else "unknown")

def test_a_numeric_attribute_is_compared_in_quarters_and_found_among_the_features():
    rows, rng = people()
    rows["proxy"] = rows.age_years + rng.normal(0, 4, len(rows))
    found = review_treatment(rng.random(len(rows)) < .4, rows, ["age_years"], ["orders", "proxy", "age_years"])
    assert len(found.shares["age_years"]) == 4 and list(found.proxies["age_years"].feature[:2]) == ["age_years", "proxy"]
    assert "reads it itself" in found.verdict.reasons[1].message

def test_customers_nobody_knows_stay_in_the_table():
    rows, rng = people()
    shares = treated_shares(rng.random(len(rows)) < .4, rows.band)
    assert shares.customers.sum() == len(rows) and list(shares.group)[-1] == "unknown"

def test_changes_over_all_groups_add_up_to_the_change_of_all():
    rows, rng = people()
    runs = [ScoredRun(name, "propensity", rows.assign(score=rng.random(len(rows)))) for name in ("new", "old")]
    changes = treatment_changes(same_rows(*runs), "band")
    assert abs((changes.customers*changes.change).sum()) < 1e-6 and (changes.low < changes.change).all()
