"""Intervals at any size: exact ones against statsmodels and scipy, recorded coverage, refusals."""
import json
from pathlib import Path
import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint
from marketing_mlops.measurement.intervals import NotMeasurable
from marketing_mlops.measurement.sufficient_sizes import SUFFICIENT_SIZES, exact_difference, exact_interval, share_difference
from marketing_mlops.measurement.uneven_amounts import (Lean, amount_difference, amount_interval, difference_skewness, lean_of, mean_skewness,
    widened_reach)

ROOT = Path(__file__).resolve().parents[2]
RECORDED = json.loads((ROOT/"benchmarks"/"results"/"interval_coverage.json").read_text())

@pytest.fixture(scope="module")
def benchmark(benchmark_script): return benchmark_script("interval_coverage")

@pytest.mark.parametrize("row", RECORDED["cells"], ids=lambda row: row["name"])
def test_intervals_hold_the_truth_where_there_is_enough_and_rarely_mislead_below(row):
    low, high = RECORDED["promise"]
    if row["enough"]: assert low <= row["held"] <= high and row["answered"] > .85
    else: assert row["wrong"] <= RECORDED["most_wrong"]

def test_the_record_is_of_the_cells_that_stand_there(benchmark):
    assert RECORDED["seed"] == benchmark.SEED and RECORDED["commit"] and {row["draws"] for row in RECORDED["cells"]} == {benchmark.DRAWS} == {2_000}
    assert [row["name"] for row in RECORDED["cells"]] == [cell.name for cell in benchmark.CELLS]
    assert set(SUFFICIENT_SIZES) == {cell.kind for cell in benchmark.CELLS if cell.enough} == {cell.kind for cell in benchmark.CELLS if not cell.enough}

def test_below_the_sufficient_size_most_answers_say_that_they_are_cautious_or_hold_all_the_same():
    below = [row for row in RECORDED["cells"] if not row["enough"] and row["answered"] >= 1/3]
    assert all(row["held"] >= .91 for row in below), [row["name"] for row in below if row["held"] < .91]
    assert any(row["cautious"] > .5 for row in below)

@pytest.mark.slow
@pytest.mark.parametrize("row", RECORDED["cells"], ids=lambda row: row["name"])
def test_every_cell_gives_the_recorded_figures_again(benchmark, row):
    found = benchmark.observe(next(cell for cell in benchmark.CELLS if cell.name == row["name"]))
    assert (found["answered"], found["wrong"]) == pytest.approx((row["answered"], row["wrong"]), abs=.0011)

@given(st.integers(1, 3_000), st.floats(0, 1), st.sampled_from([.9, .95, .9875]))
def test_exact_intervals_agree_with_statsmodels(n, share, level):
    x = round(share*n)
    found = exact_interval(x, n, level)
    assert (found.low, found.high) == pytest.approx(proportion_confint(x, n, 1-level, method="beta"), abs=1e-9)

def _held(n, m, p, q):
    "Chance that the difference of two shares lies in its exact interval, counted over all outcomes that matter."
    xs, ys = (range(int(stats.binom.ppf(1e-7, k, r)), int(stats.binom.ppf(1-1e-7, k, r))+1) for k, r in ((n, p), (m, q)))
    found = {(x, y): exact_difference(x, n, y, m).estimate for x in xs for y in ys if 0 < x+y < n+m} # the rest is refused
    answered = sum(stats.binom.pmf(x, n, p)*stats.binom.pmf(y, m, q) for x, y in found)
    return sum(stats.binom.pmf(x, n, p)*stats.binom.pmf(y, m, q) for (x, y), e in found.items() if e.low <= p-q <= e.high)/answered

@pytest.mark.parametrize("n,m,p,q", [(60, 60, .03, .02), (400, 40, .004, .05), (30, 30, .9, .5)])
def test_differences_from_few_customers_promise_too_little_rather_than_too_much(n, m, p, q, monkeypatch):
    # the p-value costs most of the time and is not looked at
    monkeypatch.setattr(stats, "fisher_exact", lambda table: type("Found", (), {"pvalue": 1.})())
    assert _held(n, m, p, q) >= .95

@pytest.mark.parametrize("counts", [(9, 6_000, 2, 6_000), (0, 50, 7, 40), (11, 12, 3, 14)])
def test_few_successes_are_tested_by_fisher(counts):
    x, n, y, m = counts
    found = share_difference(*counts)
    assert found.method == "Fisher exact" and found.p_value == pytest.approx(stats.fisher_exact([[x, n-x], [y, m-y]]).pvalue, rel=1e-9)

@given(st.lists(st.integers(-1_000, 1_000), min_size=3, max_size=60).filter(lambda v: len(set(v)) > 1))
def test_skewness_agrees_with_scipy(values):
    expected = stats.skew(values)/len(values)**.5
    assert mean_skewness(np.array(values)) == pytest.approx(expected, rel=1e-6, abs=1e-9)
    assert difference_skewness(np.array(values), np.array(values)) == pytest.approx(0, abs=1e-12)

def test_a_refusal_says_how_many_customers_would_do():
    rng = np.random.default_rng(8)
    spend = rng.binomial(1, .05, 400)*rng.gamma(1.6, 25, 400)
    with pytest.raises(NotMeasurable) as refused: amount_interval(spend)
    enough = round(400/refused.value.fields["share"])
    larger = rng.binomial(1, .05, 3*enough)*rng.gamma(1.6, 25, 3*enough)
    assert refused.value.code == "few_spenders" and amount_interval(larger).n == 3*enough

@pytest.mark.parametrize("n", [2, 19, 29])
def test_nobody_judges_amounts_from_a_handful(n):
    rng = np.random.default_rng(n)
    with pytest.raises(NotMeasurable) as refused: amount_difference(rng.normal(30, 4, 500), rng.normal(30, 4, n))
    assert refused.value.code == "few_spenders"

def test_customers_who_nearly_all_do_the_same_are_not_many_who_differ():
    waited = np.full(400, 5.); waited[:20] = 6.
    with pytest.raises(NotMeasurable, match="20 differ from the usual amount"): amount_interval(waited)

@given(st.floats(-.7, .7), st.floats(.5, 4))
def test_a_widened_interval_is_never_shorter_and_mirrors_with_the_amounts(skewness, quantile):
    below, above = widened_reach(quantile, skewness)
    assert min(below, above) >= quantile and (above, below) == pytest.approx(widened_reach(quantile, -skewness), rel=1e-6)

def test_the_transformation_is_that_of_hall():
    "Solved numerically: t + s (t² + 1/2)/3 + s² t³/27 reaches the quantile at the end of the interval (Hall 1992, equation 3)."
    from scipy.optimize import brentq
    for s in (.1, .3, .6):
        end = brentq(lambda t: t + s*(t*t/3 + 1/6) + s*s*t**3/27 + 1.96, -60, 0)
        assert widened_reach(1.96, s)[1] == pytest.approx(-end, rel=1e-9)

@given(st.integers(0, 2**31), st.floats(-.6, .6))
def test_a_widened_test_agrees_with_its_interval(seed, gain):
    rng = np.random.default_rng(seed)
    treated, control = rng.exponential(1, 90) + gain, rng.exponential(1, 70)
    try: found = amount_difference(treated, control)
    except NotMeasurable: return
    assert found.estimate.method == "widened Welch" and (found.p_value < .05) == (not found.estimate.low <= 0 <= found.estimate.high)

def test_amounts_that_are_all_alike_are_refused():
    alike = np.full(500, .1)   # whose mean is not exactly .1
    for call in (lambda: amount_interval(alike), lambda: amount_difference(alike, alike), lambda: mean_skewness(alike), lambda: difference_skewness(alike, alike)):
        with pytest.raises(NotMeasurable) as refused: call()
        assert refused.value.code == "no_variation"

def test_a_lean_counts_customers_and_looks_at_the_numbers_it_is_given():
    spent = np.repeat([0., 10., 40.], [300, 60, 40])
    assert lean_of(spent) == Lean(pytest.approx(mean_skewness(spent)), (100,))
    adjusted = spent - np.linspace(0, 5, 400)
    assert lean_of(spent, numbers=[adjusted]) == Lean(pytest.approx(mean_skewness(adjusted)), (100,))
