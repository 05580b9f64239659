"""Rates and means with intervals, against statsmodels and scipy, and where there is nothing to measure."""
import math, pickle
from decimal import Decimal
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint
from marketing_mlops.measurement.intervals import Estimate, Moments, NotMeasurable, mean_interval, moments, proportion_interval, side_of

@pytest.mark.parametrize("successes,n", [(0, 80), (1, 80), (3_894, 21_307), (40, 80), (80, 80), (1, 1), (122, 21_306), (5, 2_000_000)])
@pytest.mark.parametrize("level", [.8, .95, .975, .999])
def test_wilson_agrees_with_statsmodels(successes, n, level):
    low, high = proportion_confint(successes, n, alpha=1-level, method="wilson")
    found = proportion_interval(successes, n, level)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-12)

@pytest.mark.parametrize("level", [.8, .95, .999])
def test_t_interval_agrees_with_scipy(level):
    amounts = np.random.default_rng(1).gamma(2, 10, 37)
    expected = stats.t.interval(level, 36, loc=amounts.mean(), scale=stats.sem(amounts))
    found = mean_interval(amounts, level, "EUR")
    assert (found.low, found.high) == pytest.approx(expected, rel=1e-9)

@given(st.integers(1, 10_000), st.floats(.5, .999), st.data())
def test_a_share_lies_within_its_interval_and_the_interval_within_0_and_1(n, level, data):
    found = proportion_interval(data.draw(st.integers(0, n)), n, level)
    assert 0 <= found.low <= found.value <= found.high <= 1 and found.high > found.low

@given(st.integers(0, 500), st.integers(1, 500))
def test_more_customers_with_the_same_share_never_widen_the_interval(successes, misses):
    narrow, wide = (proportion_interval(k*successes, k*(successes+misses)) for k in (10, 1))
    assert narrow.high-narrow.low <= wide.high-wide.low + 1e-12

@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50).filter(lambda v: max(v)-min(v) > 1e-3), st.floats(.01, 100), st.floats(-1e3, 1e3))
def test_the_mean_interval_moves_and_scales_with_its_currency(values, factor, shift):
    first, second = mean_interval(np.array(values)), mean_interval(np.array(values)*factor+shift)
    for end in ("value", "low", "high"):
        assert getattr(second, end) == pytest.approx(getattr(first, end)*factor+shift, rel=1e-6, abs=1e-3)

def test_money_as_exact_decimals_and_nullable_columns_is_read():
    decimals = np.array([Decimal("29.90"), Decimal("0"), Decimal("12.50")], dtype=object)
    assert moments(decimals).mean == pytest.approx(42.40/3)
    assert moments(pd.Series([1, 2, 3], dtype="Int64")).mean == 2

@pytest.mark.parametrize("values,code", [([], "empty"), ([29.9], "too_few"), ([0, 0, 0], "no_variation"), ([.1]*7, "no_variation")])
def test_what_cannot_be_measured_is_refused_with_its_reason(values, code):
    with pytest.raises(NotMeasurable) as refused: mean_interval(np.array(values, dtype=float))
    assert refused.value.code == code and len(str(refused.value).splitlines()) == 2

def test_a_refusal_survives_a_process_boundary():
    refusal = NotMeasurable("Nobody.", "Wait.", code="empty")
    assert pickle.loads(pickle.dumps(refusal)).code == "empty"

@pytest.mark.parametrize("values", [[1, np.nan], [1, np.inf], [[1, 2]], ["a", "b"], [None, 1.]])
def test_values_that_are_no_amounts_are_refused(values):
    with pytest.raises((ValueError, TypeError)): moments(np.array(values, dtype=object if None in values else None))

@pytest.mark.parametrize("successes,n", [(-1, 5), (6, 5), (0, -1), (1, 0)])
def test_impossible_counts_are_refused(successes, n):
    with pytest.raises((ValueError, NotMeasurable)): proportion_interval(successes, n)

@pytest.mark.parametrize("level", [0, 1, 95, -1, float("nan")])
def test_a_level_is_a_share(level):
    with pytest.raises(ValueError, match="between 0 and 1"): proportion_interval(1, 2, level)

def test_an_estimate_never_holds_nan_and_touching_the_threshold_is_open():
    with pytest.raises(ValueError): Estimate(1, math.nan, 2, .95, 5, "t", "EUR")
    with pytest.raises(ValueError): Estimate(1, 2, 0, .95, 5, "t", "EUR")
    touching = Estimate(1, .5, 2, .95, 5, "t", "EUR")
    assert (side_of(touching, .5), side_of(touching, 2), side_of(touching, .49)) == ("open", "open", "above")

def test_moments_of_a_constant_column_have_no_rounding_in_their_variance():
    assert moments(np.full(10_001, .1)) == Moments(10_001, .1, 0.)
