"""Shuffle tests of rankings and choices: closed forms, chance, and what cannot be tested."""
import json
from itertools import permutations
from pathlib import Path
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from marketing_mlops.measurement.intervals import NotMeasurable
from marketing_mlops.measurement.policy_profits import Economics
from marketing_mlops.measurement.uplift_curves import scored_rows
from marketing_mlops.measurement.uplift_tests import choice_test, ranking_test, shuffle_test, witnessed_gains
from marketing_mlops.workspace.errors import DataError

ROOT = Path(__file__).resolve().parents[2]
RECORDED = json.loads((ROOT/"benchmarks"/"results"/"uplift_evidence_rates.json").read_text())
EVEN, FREE = {"none": .5, "mail": .5}, Economics(margin=.5, currency="EUR")

def draw(seed, n=600, rising=.2):
    rng = np.random.default_rng(seed)
    x, treated = rng.random(n), rng.random(n) < .5
    return x, treated, (rng.random(n) < .2 + rising*x*treated).astype(float)

def test_the_p_value_is_the_share_of_all_orders_that_do_as_well():
    x, treated, y = draw(3, 7)
    treated[:2], y[:4] = [True, False], [1, 0, 0, 1]
    gains = witnessed_gains(scored_rows(x, treated, y))
    places = np.arange(7.)[::-1]
    def t(order): each = (places[list(order)]-3)*(gains-gains.mean()); return each.sum()/np.sqrt(each @ each)
    exact = np.mean([t(order) >= t(range(7))-1e-12 for order in permutations(range(7))])
    found = shuffle_test(places[:, None], gains[:, None], draws=9_999)
    assert found.p_value == pytest.approx(exact, abs=5*np.sqrt(exact*(1-exact)/9_999)) and found.statistic == pytest.approx(t(range(7)))

def test_the_statistic_is_the_robust_t_of_a_line_through_witnessed_gains_under_no_slope():
    x, treated, y = draw(4)
    sm = pytest.importorskip("statsmodels.api")
    gains, places = witnessed_gains(scored_rows(x, treated, y)), stats.rankdata(np.sort(x)[::-1])/len(x)
    fit = sm.OLS(gains-gains.mean(), places-places.mean()).fit()
    slope_error = np.sqrt(((places-places.mean())**2) @ (gains-gains.mean())**2)/((places-places.mean())**2).sum()
    assert ranking_test(x, treated, y, draws=99).statistic == pytest.approx(fit.params[0]/slope_error, rel=1e-9)

def test_p_values_of_scores_that_know_nothing_are_uniform():
    _, treated, y = draw(5, 300)
    p = [ranking_test(np.random.default_rng(i).random(300), treated, y, draws=99, seed=i).p_value for i in range(200)]
    assert stats.kstest(p, "uniform").pvalue > .001

@pytest.mark.parametrize("row", RECORDED["scenarios"], ids=lambda row: row["name"])
def test_no_test_or_slope_of_uplift_errs_more_often_than_promised(row):
    low, high = row["allowed"]
    assert low <= row["observed"] <= high, row["says"]

def test_the_record_of_error_rates_is_that_of_the_benchmark(benchmark_script):
    benchmark = benchmark_script("uplift_evidence_rates").BENCHMARK
    assert RECORDED["seed"] == benchmark.seed and RECORDED["command"] and RECORDED["commit"]
    assert {row["name"]: row["draws"] for row in RECORDED["scenarios"]} == {s.name: s.draws for s in benchmark.scenarios.values()}

def test_a_p_value_is_never_zero_and_the_better_score_has_the_smaller_one():
    x, treated, y = draw(6, 4_000, .4)
    good, bad = (ranking_test(s, treated, y, draws=199).p_value for s in (x, -x))
    assert good == 1/200 and bad > .9

def test_scale_of_score_order_of_rows_and_money_unit_do_not_change_the_statistic():
    x, treated, y = draw(7)
    mixed = np.random.default_rng(0).permutation(len(x))
    found = ranking_test(x, treated, y).statistic
    for other in (ranking_test(np.exp(x), treated, y), ranking_test(x[mixed], treated[mixed], y[mixed]), ranking_test(x, treated, 29.9*y)):
        assert other.statistic == pytest.approx(found, rel=1e-9)

def test_one_chance_for_all_changes_nothing_and_different_ones_are_weighed():
    x, treated, y = draw(8, 2_000)
    assert ranking_test(x, treated, y, chance=np.full(2_000, .7)) == ranking_test(x, treated, y)
    assert witnessed_gains(scored_rows(x, treated, y, np.where(x > .5, .6, .4))).mean() != pytest.approx(witnessed_gains(scored_rows(x, treated, y)).mean(), abs=1e-6)

def test_a_choice_between_two_arms_is_tested_like_being_among_the_best():
    x, treated, y = draw(9, 2_000)
    rows = pd.DataFrame(dict(arm=np.where(treated, "mail", "none"), spend=y))
    chosen = pd.Series(np.where(x >= np.sort(x)[-600], "mail", "none"))
    of_choice = choice_test(rows, chosen, shares=EVEN, economics=FREE, control="none", draws=499)
    assert of_choice.p_value == pytest.approx(ranking_test(x, treated, y, share=.3, draws=499).p_value, abs=.08)

@pytest.mark.parametrize("score,treated,outcome,kind,says", [
    ([1, 1, 1, 1], [True, False]*2, [0, 1, 0, 1], NotMeasurable, "ranks nobody"), ([1, 2, 3, 4], [True]*4, [0, 1, 0, 1], NotMeasurable, "control has 0"),
    ([1, 2, 3, 4], [True, False]*2, [0, 0, 0, 0], NotMeasurable, "nobody differs"), ([1, np.nan, 3, 4], [True, False]*2, [0, 1, 0, 1], DataError, "score is missing or infinite in 1 of 4 rows, first row 1")])
def test_what_cannot_be_tested_is_refused_instead_of_given_a_p_value(score, treated, outcome, kind, says):
    with pytest.raises(kind, match=says): ranking_test(np.array(score, dtype=float), np.array(treated), np.array(outcome, dtype=float))

def test_training_rows_unknown_arms_and_one_arm_for_all_are_refused():
    x, treated, y = draw(10, 200)
    rows, chosen = pd.DataFrame(dict(arm=np.where(treated, "mail", "none"), spend=y)), pd.Series(np.where(x > .5, "mail", "none"))
    asked = dict(shares=EVEN, economics=FREE, control="none")
    with pytest.raises(DataError, match="split train"): choice_test(rows.assign(split="train"), chosen, **asked)
    with pytest.raises(DataError, match="chosen arm 'sms'"): choice_test(rows, chosen.replace("mail", "sms"), **asked)
    with pytest.raises(NotMeasurable, match="no choice"): choice_test(rows, pd.Series("mail", rows.index), **asked)
