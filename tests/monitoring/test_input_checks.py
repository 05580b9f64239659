"""Rows of a period against the input schema of a bundle."""
import numpy as np
import pandas as pd
import pytest
from marketing_mlops.monitoring.input_checks import MonitoringRules, judge_rows, read_rules, without_ageing
from marketing_mlops.registry.input_schemas import input_schema
from marketing_mlops.workspace.errors import ParameterError

def customers(n, seed):
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"orders_90d": rng.poisson(1., n).astype(float), "net_revenue_365d": rng.gamma(2, 50, n).round(2), "tenure_days": np.floor(rng.exponential(500, n)),
                         "trait.age_band": pd.Series(rng.choice(["a", "b", "c"], n)).mask(rng.random(n) < .1, None)})

TRAINING = customers(4_000, 1)
SCHEMA = input_schema(TRAINING, list(TRAINING))
def judged(rows, **options): return judge_rows("input", rows, SCHEMA, options.pop("rules", MonitoringRules()), **options)
def codes(rows, **options): return [reason.code for reason in judged(rows, **options).verdict.reasons]

def test_forty_quiet_months_ring_never():
    assert [seed for seed in range(40) if codes(customers(1_000, 100+seed))] == []

@pytest.mark.parametrize("change, code, status", [
    (dict(net_revenue_365d=lambda df: df.net_revenue_365d*100), "shift", "review"),
    (dict(orders_90d=lambda df: df.orders_90d.mask(df.index % 5 == 0)), "missing", "fail"),
    (dict(orders_90d=np.nan), "missing", "fail"),
    ({"trait.age_band": "new"}, "unfamiliar", "review"),
    ({"trait.age_band": None}, "missing", "fail"),
    (dict(orders_90d="many"), "not_a_number", "fail")], ids=["cents", "a fifth missing", "all missing", "unseen category", "all categories missing", "words"])
def test_each_planted_fault_rings_by_name(change, code, status):
    found = judged(customers(1_000, 2).assign(**change))
    assert code in [reason.code for reason in found.verdict.reasons] and found.verdict.status == status
    assert all(next(iter(change)) in reason.message for reason in found.verdict.reasons)

def test_a_column_that_is_gone_fails():
    assert judged(customers(1_000, 2).drop(columns="orders_90d")).verdict.status == "fail"

def test_shuffled_rows_and_columns_change_nothing():
    rows = customers(1_000, 3)
    other = rows.sample(frac=1, random_state=1)[rows.columns[::-1]]
    assert {each.name: each for each in judged(other).shifts} == {each.name: each for each in judged(rows).shifts}

def test_too_few_customers_are_unknown_and_never_fine():
    few = customers(499, 4)
    assert judged(few).verdict.status == "unknown"
    assert judged(few.assign(orders_90d=0.)).shifts == []
    assert judged(few.iloc[:0]).verdict.status == "unknown"
    assert judged(few, rules=MonitoringRules(fewest_rows=400)).verdict.status == "pass"

def test_a_year_older_is_no_shift_and_younger_than_their_shop_is():
    rows = customers(1_000, 5)
    older = rows.assign(tenure_days=rows.tenure_days + 365)
    assert codes(older, days_since=365) == [] and "shift" in codes(older)
    assert "shift" in codes(rows.assign(tenure_days=365 + rows.tenure_days*20), days_since=365)

def test_newcomers_only_are_compared_as_they_are():
    assert "shift" in codes(customers(1_000, 6).assign(tenure_days=30.), days_since=365)

def test_ageing_leaves_the_rows_it_was_given():
    rows = customers(10, 7)
    before = rows.copy()
    without_ageing(rows, 100)
    pd.testing.assert_frame_equal(rows, before)

def test_same_customers_at_three_cutoffs_count_once():
    moved = customers(1_000, 8).assign(net_revenue_365d=lambda df: df.net_revenue_365d*1.5)
    wide, narrow = (next(each.psi for each in judged(moved, n_before=n).shifts if each.name == "net_revenue_365d") for n in (1_300, 4_000))
    assert wide.high - wide.low > narrow.high - narrow.low > 0

def test_a_feature_nobody_had_in_training_is_not_compared_and_names_what_came():
    empty = TRAINING.assign(orders_90d=np.nan)
    found = judge_rows("input", customers(1_000, 9), input_schema(empty, list(empty)), MonitoringRules())
    assert next(each for each in found.shifts if each.name == "orders_90d").psi is None
    assert [reason.code for reason in found.verdict.reasons] == ["unfamiliar"]

@pytest.mark.parametrize("given, says", [(dict(psi=-1), "monitoring.psi is -1"), (dict(fewest_rows=2.5), "whole number of rows"), (dict(auc_drop=True), "monitoring.auc_drop is True"),
                                         (dict(auc_drop=5), "below 1"), (dict(psii=.1), "Did you mean 'psi'"), ("strict", "monitoring is 'strict'"), (dict(psi="high"), "monitoring.psi is 'high'")])
def test_a_rule_that_is_none_is_refused_in_two_lines(given, says):
    with pytest.raises(ParameterError, match=says) as error: read_rules(dict(monitoring=given))
    assert len(str(error.value).splitlines()) == 2
