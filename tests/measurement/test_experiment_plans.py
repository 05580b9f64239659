"""Plans of experiments against statsmodels, closed forms and themselves."""
from dataclasses import replace
import pytest
from hypothesis import given, settings, strategies as st
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import samplesize_proportions_2indep_onetail
from marketing_mlops.measurement.experiment_plans import (Baseline, ExperimentLayout, detectable_effect, measurable_size, planned_power,
    planned_size, reading_level, share_baseline)
from marketing_mlops.measurement.intervals import NotMeasurable

HALVES = ExperimentLayout({"control": .5, "treated": .5}, "control")

def layout(share, level=.95, power=.8): return ExperimentLayout({"control": 1-share, "treated": share}, "control", level=level, power=power)

@pytest.mark.parametrize("share", [.5, .8, .05])
@pytest.mark.parametrize("level,power", [(.95, .8), (.9, .95), (.99, .5)])
def test_power_size_and_detectable_effect_agree_with_statsmodels(share, level, power):
    chosen, n, effect, spread = layout(share, level, power), 40_000, 1.3, 36.
    baseline, ratio, oracle = Baseline(50, spread**2, "EUR"), (1-share)/share, NormalIndPower()
    expected = oracle.power(effect/spread, n*share, 1-level, ratio, alternative="two-sided")
    # two-sided power counts findings on the wrong side too
    wrong = oracle.power(effect/spread, n*share, (1-level)/2, ratio, alternative="smaller")
    assert planned_power(chosen, baseline, effect, n) == pytest.approx(expected-wrong, rel=1e-6)
    def to_the_right(effect, n): return oracle.power(effect/spread, n*share, (1-level)/2, ratio, alternative="larger")
    # statsmodels' own solver stops at five digits, so its power is taken at our answers
    assert to_the_right(detectable_effect(chosen, baseline, n), n) == pytest.approx(power, rel=1e-6)
    size = planned_size(chosen, baseline, effect)
    assert size == measurable_size(chosen, baseline) or to_the_right(effect, size-2) < power <= to_the_right(effect, size) + 1e-9

@pytest.mark.parametrize("rate,rise", [(.02, .003), (.1, .02), (.4, .05)])
def test_sizes_for_shares_are_near_those_of_the_pooled_test(rate, rise):
    pooled = samplesize_proportions_2indep_onetail(rise, rate, .8, alpha=.025, alternative="larger")
    assert planned_size(HALVES, share_baseline(rate), rise) == pytest.approx(2*pooled, rel=.01)

@settings(max_examples=60)
@given(st.floats(.005, .9), st.floats(.02, .98), st.floats(.55, .95), st.integers(0, 2))
def test_the_three_questions_have_answers_that_fit(rate, share, power, treated):
    arms = {"control": 1-share} | {f"treated {i}": share/(treated+1) for i in range(treated+1)}
    chosen, baseline = ExperimentLayout(arms, "control", power=power), share_baseline(rate)
    n = 3*measurable_size(chosen, baseline)
    try: effect = detectable_effect(chosen, baseline, n)
    except NotMeasurable: return
    assert planned_power(chosen, baseline, effect, n) == pytest.approx(power, abs=1e-6)
    assert planned_size(chosen, baseline, effect) <= n + 1 + 1/min(share+other for share, other in chosen.pairs)

@pytest.mark.parametrize("change", [dict(threshold=.001), dict(n_goals=2), dict(stopping_rule="always_valid"), dict(level=.99), dict(power=.9)])
def test_asking_more_takes_more_customers(change):
    page = share_baseline(.02)
    assert planned_size(replace(HALVES, **change), page, .003) > planned_size(HALVES, page, .003)
    assert planned_power(replace(HALVES, **change), page, .003, 60_000) < planned_power(HALVES, page, .003, 60_000) or "power" in change

def test_a_harmful_effect_is_as_hard_to_see_as_a_gain():
    spend = Baseline(40, 900, "EUR")
    assert planned_size(HALVES, spend, -2.) == planned_size(HALVES, spend, 2.)

def test_daily_reading_costs_the_reach_at_the_planned_size():
    assert reading_level(replace(HALVES, stopping_rule="always_valid")) == pytest.approx(.99759637, abs=1e-7)
    assert reading_level(replace(HALVES, stopping_rule="none_known")) == .95

@pytest.mark.parametrize("n", [0, -5])
def test_nobody_has_no_power(n):
    with pytest.raises(ValueError, match="n_customers"): planned_power(HALVES, share_baseline(.02), .01, n)

def test_a_threshold_beyond_every_share_is_refused():
    with pytest.raises(NotMeasurable): detectable_effect(replace(HALVES, threshold=.99), share_baseline(.02), 50_000)
