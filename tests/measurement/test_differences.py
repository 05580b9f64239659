"""Differences, lifts, ratios, several comparisons and sample sizes against independent software and closed forms."""
import json
from pathlib import Path
from unittest import mock
import numpy as np
import pytest
from hypothesis import assume, given, strategies as st
from scipy import optimize, stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import confint_proportions_2indep, proportions_ztest
from marketing_mlops.measurement.differences import difference_of_means, difference_of_proportions
from marketing_mlops.measurement.intervals import Moments, NotMeasurable, mean_interval, moments
from marketing_mlops.measurement.lifts import fieller_bounds, relative_lift
from marketing_mlops.measurement.multiplicity import holm_adjusted, simultaneous_level
from marketing_mlops.measurement.ratios import ratio_moments
from marketing_mlops.measurement.resampling import bootstrap_difference, effective_spenders
from marketing_mlops.measurement.sample_sizes import customers_needed, further_customers
from marketing_mlops.measurement.sequential_shares import watched_share_difference
from marketing_mlops.measurement.sufficient_sizes import share_difference

def oracle(name): return json.loads((Path(__file__).parent/"oracles"/f"{name}.json").read_text())

COUNTS = [(3_894, 21_307, 2_262, 21_306), (189, 21_387, 122, 21_306), (1, 40, 0, 60), (56, 70, 48, 80), (0, 50, 7, 40), (30, 30, 25, 30)]

@pytest.mark.parametrize("counts", COUNTS)
@pytest.mark.parametrize("level", [.9, .95, .9875])
def test_shares_agree_with_statsmodels(counts, level):
    x, n, y, m = counts
    found = difference_of_proportions(x, n, y, m, level)
    z, p = proportions_ztest([x, y], [n, m])
    low, high = confint_proportions_2indep(x, n, y, m, method="newcomb", compare="diff", alpha=1-level)
    assert (found.statistic, found.p_value) == pytest.approx((z, p), rel=1e-9)
    assert (found.estimate.low, found.estimate.high) == pytest.approx((low, high), abs=1e-10)

@pytest.mark.parametrize("n,m,scale", [(2, 2, 1), (10, 25, 4), (400, 30, .1), (5_000, 5_000, 1)])
@pytest.mark.parametrize("level", [.9, .95, .99])
def test_amounts_agree_with_scipy(n, m, scale, level):
    rng = np.random.default_rng(n)
    treated, control = rng.gamma(2, 10, n), scale*rng.gamma(2, 10, m)
    expected = stats.ttest_ind(treated, control, equal_var=False)
    interval = expected.confidence_interval(level)
    found = difference_of_means(treated, control, level)
    assert (found.statistic, found.p_value) == pytest.approx((expected.statistic, expected.pvalue), rel=1e-8)
    assert (found.estimate.low, found.estimate.high) == pytest.approx((interval.low, interval.high), rel=1e-8)

@given(st.integers(0, 200), st.integers(1, 200), st.integers(0, 200), st.integers(1, 200))
def test_swapping_the_arms_turns_the_sign(x, n, y, m):
    x, y = min(x, n), min(y, m)
    assume(0 < x+y < n+m)
    one, other = difference_of_proportions(x, n, y, m), difference_of_proportions(y, m, x, n)
    assert (one.estimate.value, one.estimate.low, one.estimate.high) == pytest.approx((-other.estimate.value, -other.estimate.high, -other.estimate.low))
    assert -1 <= one.estimate.low <= one.estimate.high <= 1 and 0 <= one.p_value <= 1

@pytest.mark.parametrize("counts", [(0, 400, 0, 400), (400, 400, 30, 30), (0, 1, 0, 100_000)])
@pytest.mark.parametrize("compare", [difference_of_proportions, share_difference, watched_share_difference])
def test_nobody_or_everybody_in_both_arms_is_never_no_difference(compare, counts):
    with pytest.raises(NotMeasurable) as refused: compare(*counts)
    assert refused.value.fields["code"] == "no_variation" and len(str(refused.value).splitlines()) == 2

@pytest.mark.parametrize("scale", [1e-100, 1e-6, 1e100])
def test_welch_survives_amounts_of_any_size(scale):
    treated, control = np.array([1., 2, 4, 7])*scale, np.array([1., 1, 2, 3])*scale
    assert difference_of_means(treated, control).p_value == pytest.approx(stats.ttest_ind([1, 2, 4, 7], [1, 1, 2, 3], equal_var=False).pvalue)

@pytest.mark.parametrize("treated,control,code", [([], [1, 2], "empty"), ([1, 2], [], "empty"), ([1], [1, 2], "too_few"),
                                                  ([3, 3], [3, 3], "no_variation"), ([0, 0, 0], [0, 0], "no_variation")])
def test_a_difference_that_does_not_exist_is_refused(treated, control, code):
    with pytest.raises(NotMeasurable) as refused: difference_of_means(np.array(treated, float), np.array(control, float))
    assert refused.value.code == code

def test_one_constant_arm_is_still_compared():
    found = difference_of_means(np.array([0., 0, 5, 9]), np.zeros(50))
    assert found.estimate.low < 3.5 < found.estimate.high and np.isfinite(found.p_value)

# --- lift ---
@pytest.mark.parametrize("treated,control", [(Moments(60, 22, 90), Moments(50, 20, 160)), (Moments(21_307, 1.4226, 315.2), Moments(21_306, .6528, 134.3)),
                                             (Moments(400, -3, 50), Moments(300, 4, 80))])
def test_fieller_is_the_set_of_lifts_the_test_accepts(treated, control):
    quantile = 1.96
    def distance(lift):
        gap = treated.mean - (1+lift)*control.mean
        return gap**2 - quantile**2*(treated.error_variance + (1+lift)**2*control.error_variance)
    middle = treated.mean/control.mean - 1
    low, high = optimize.brentq(distance, middle-50, middle), optimize.brentq(distance, middle, middle+50)
    found = fieller_bounds(treated.mean, treated.error_variance, control.mean, control.error_variance, quantile)
    assert np.array(found)-1 == pytest.approx([low, high], rel=1e-8)

@pytest.mark.parametrize("case", oracle("lift")["cases"])
def test_lift_agrees_with_gbstats(case):
    difference = difference_of_means(Moments(*case["treated"]), Moments(*case["control"]))
    absolute, relative = difference.estimate, relative_lift(difference)
    assert (absolute.value, absolute.low, absolute.high) == pytest.approx([case["absolute"][k] for k in ("value", "low", "high")], rel=1e-6)
    assert relative.value == pytest.approx(case["relative"]["value"], rel=1e-9)
    # the delta method of gbstats is symmetric; Fieller leans upward, and the two meet where the control is known well
    lean = difference.control.error_variance/difference.control.mean**2
    for end in ("low", "high"): assert getattr(relative, end) == pytest.approx(case["relative"][end], abs=30*lean*(1+relative.value)**2)

@given(st.floats(.1, 5), st.floats(.05, 5))
def test_the_lift_excludes_zero_exactly_when_the_difference_does(mean, other):
    difference = difference_of_means(Moments(200, mean, 1.), Moments(300, other, 1.5))
    try: lift = relative_lift(difference)
    except NotMeasurable: return
    if min(abs(difference.estimate.low), abs(difference.estimate.high)) < 1e-9: return
    assert (lift.low > 0, lift.high < 0) == (difference.estimate.low > 0, difference.estimate.high < 0)

@pytest.mark.parametrize("control,code", [(0., "control_not_positive"), (-1., "control_not_positive"), (.01, "control_uncertain")])
def test_a_lift_over_nothing_is_refused(control, code):
    with pytest.raises(NotMeasurable) as refused: relative_lift(difference_of_means(Moments(100, 2, 4), Moments(100, control, 4)))
    assert refused.value.code == code

# --- ratios ---
def test_a_ratio_of_sums_agrees_with_tea_tasting():
    recorded = oracle("ratio")
    treated, control = (ratio_moments(np.array(recorded[arm]["numerators"]), np.array(recorded[arm]["denominators"])) for arm in ("treated", "control"))
    assert (treated.mean, control.mean) == pytest.approx((recorded["treated_value"], recorded["control_value"]), rel=1e-12)
    found = difference_of_means(treated, control)
    assert (found.estimate.value, found.estimate.low, found.estimate.high) == pytest.approx([recorded[k] for k in ("difference", "low", "high")], rel=1e-9)
    assert (found.statistic, found.p_value) == pytest.approx((recorded["statistic"], recorded["p_value"]), rel=1e-9)

def test_customers_without_a_denominator_change_no_ratio():
    rng = np.random.default_rng(3)
    below = rng.poisson(1, 400); above = below*rng.gamma(2, 10, 400)
    assert ratio_moments(above, below) == ratio_moments(np.append(above, np.zeros(50)), np.append(below, np.zeros(50)))

def test_a_ratio_of_one_customer_shows_no_spread():
    with pytest.raises(NotMeasurable): mean_interval(ratio_moments(np.array([30., 0]), np.array([2, 0])))

# --- several comparisons ---
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_agrees_with_statsmodels(p_values):
    with mock.patch("gc.collect"):   # statsmodels collects at every call, half a second each in a full suite
        assert holm_adjusted(p_values) == pytest.approx(multipletests(p_values, method="holm")[1], abs=1e-12)

def test_no_comparisons_need_no_adjustment():
    assert holm_adjusted([]).tolist() == []
    assert simultaneous_level(.95, 1) == pytest.approx(.95)

# --- resampling ---
def test_bootstrap_t_agrees_with_arch():
    recorded = oracle("bootstrap")
    treated, control = np.array(recorded["treated"]), np.array(recorded["control"])
    found = np.mean([[e.low, e.high] for e in (bootstrap_difference(treated, control, .95, seed=s) for s in range(20))], axis=0)
    width = recorded["high"] - recorded["low"]
    assert found == pytest.approx([recorded["low"], recorded["high"]], abs=.03*width)

def test_resampling_is_reproducible_and_blind_to_the_order_of_rows():
    rng = np.random.default_rng(5)
    treated, control = (rng.binomial(1, .1, 800)*rng.gamma(2, 20, 800) for _ in range(2))
    first = bootstrap_difference(treated, control, seed=3)
    assert first == bootstrap_difference(treated, control, seed=3)
    shuffled = bootstrap_difference(rng.permutation(treated), rng.permutation(control), seed=3)
    assert (shuffled.low, shuffled.high) == pytest.approx((first.low, first.high), rel=1e-9)
    assert first != bootstrap_difference(treated, control, seed=4)

def test_resampling_needs_spenders_and_spread():
    few = np.append(np.full(29, 20.), np.zeros(900))
    with pytest.raises(NotMeasurable) as refused: bootstrap_difference(few, few)
    assert refused.value.code == "few_spenders"
    nearly = np.append(np.full(60, 20.), 21.)
    with pytest.raises(NotMeasurable) as refused: bootstrap_difference(nearly, nearly)
    assert refused.value.code == "no_variation"

def test_one_large_spender_beside_many_is_too_few_and_the_heavier_tail_counts_for_both_arms():
    even, odd = np.append(np.full(200, 20.), np.zeros(800)), np.append(np.full(200, 20.), np.append(50_000., np.zeros(799)))
    assert effective_spenders(even) == pytest.approx(200) and effective_spenders(odd) < 2
    for arms in ((even, odd), (odd, even)):
        with pytest.raises(NotMeasurable): bootstrap_difference(*arms)

def test_dense_and_negative_amounts_are_resampled_too():
    rng = np.random.default_rng(6)
    treated, control = rng.normal(-2, 5, 500), rng.normal(-3, 5, 700)
    found, welch = bootstrap_difference(treated, control), difference_of_means(treated, control).estimate
    assert (found.low, found.high) == pytest.approx((welch.low, welch.high), abs=.15)

# --- sample sizes ---
@pytest.mark.parametrize("gap,sd,ratio,level,power", [(.2, 1, 1, .95, .8), (.05, 1, 1, .975, .9), (1.5, 8, .25, .95, .8), (-.3, 2, 2, .99, .95)])
def test_customers_needed_agrees_with_statsmodels(gap, sd, ratio, level, power):
    n = NormalIndPower().solve_power(effect_size=abs(gap)/sd, alpha=1-level, power=power, ratio=ratio, alternative="two-sided")
    shares = (1/(1+ratio), ratio/(1+ratio))
    assert customers_needed(gap, (sd**2, sd**2), shares, level=level, power=power) == pytest.approx(n*(1+ratio), rel=2e-4, abs=1)

def test_further_customers_do_not_depend_on_which_side_of_the_threshold_the_effect_lies():
    found = difference_of_means(Moments(1_000, 12, 400), Moments(1_000, 10, 400))
    assert further_customers(found, 1.) == further_customers(found, 3.) > 0
    with pytest.raises(NotMeasurable): further_customers(found, 2.)
