"""Intervals for experiments that are watched: closed forms, recorded simulations, other people's software."""
import json, math
from dataclasses import replace
from pathlib import Path
import pytest
from hypothesis import given, strategies as st
from scipy import optimize
from marketing_mlops.measurement.differences import difference_of_means, difference_of_proportions
from marketing_mlops.measurement.intervals import Moments, NotMeasurable
from marketing_mlops.measurement.sequential_shares import log_winnings, watched_share
from marketing_mlops.measurement.sufficient_sizes import exact_interval
from marketing_mlops.measurement.sequential_intervals import (always_valid_p_value, always_valid_reach, as_always_valid, equivalent_level,
    first_look_worth)

ROOT = Path(__file__).resolve().parents[2]
RECORDED = json.loads((ROOT/"benchmarks"/"results"/"sequential_looks.json").read_text())
GBSTATS = json.loads((Path(__file__).parent/"oracles"/"sequential.json").read_text())["cases"]

@pytest.fixture(scope="module")
def benchmark(benchmark_script): return benchmark_script("sequential_looks").BENCHMARK

@pytest.mark.parametrize("case", GBSTATS, ids=lambda c: f"{c['kind']} {c['planned']} {c['level']}")
def test_interval_and_p_value_agree_with_gbstats(case):
    if case["kind"] == "shares": gain = difference_of_proportions(*case["treated"], *case["control"], case["level"])
    else: gain = difference_of_means(Moments(*case["treated"]), Moments(*case["control"]), case["level"])
    found = as_always_valid(gain, case["planned"])
    assert (found.estimate.value, found.estimate.low, found.estimate.high) == pytest.approx((case["value"], case["low"], case["high"]), rel=1e-6)
    assert found.p_value == pytest.approx(case["p_value"], rel=1e-6, abs=1e-300)

@pytest.mark.parametrize("row", RECORDED["scenarios"], ids=lambda row: row["name"])
def test_sixty_looks_err_no_more_often_than_promised(row):
    low, high = row["allowed"]
    assert low <= row["observed"] <= high, row["says"]

def test_the_record_is_of_the_scenarios_that_stand_there(benchmark):
    assert RECORDED["seed"] == benchmark.seed and RECORDED["command"] and RECORDED["commit"]
    assert {row["name"]: row["draws"] for row in RECORDED["scenarios"]} == {s.name: s.draws for s in benchmark.scenarios.values()}

@pytest.mark.slow
@pytest.mark.parametrize("row", RECORDED["scenarios"], ids=lambda row: row["name"])
def test_every_scenario_of_looks_gives_the_recorded_figure_again(benchmark, row):
    assert benchmark.observe(benchmark.scenarios[row["name"]]) == pytest.approx(row["observed"], abs=2/row["draws"]+1e-5)

@given(st.integers(2, 10**7), st.integers(2, 10**7), st.floats(.5, .999))
def test_interval_and_p_value_never_disagree(n, planned, level):
    reach = always_valid_reach(n, planned, level)
    assert always_valid_p_value(reach, n, planned, level) == pytest.approx(1-level, rel=1e-6)
    assert reach > 0 and level < equivalent_level(n, planned, level) <= 1

@pytest.mark.parametrize("level", [.9, .95, .99])
def test_the_interval_is_narrowest_about_where_it_was_planned(level):
    best = optimize.minimize_scalar(lambda log_n: always_valid_reach(math.exp(log_n), 10_000, level)*1., bounds=(0, 20), method="bounded")
    narrowest = math.exp(best.x)
    assert always_valid_reach(10_000, 10_000, level) == pytest.approx(always_valid_reach(narrowest, 10_000, level), rel=1e-3)

def test_a_first_look_waits_for_those_who_did_not_as_well():
    rare, common = difference_of_proportions(20, 1_000, 40, 1_000), difference_of_proportions(980, 1_000, 960, 1_000)
    assert first_look_worth(rare) == pytest.approx(first_look_worth(common)) == pytest.approx(20)
    for gain in (rare, common): assert as_always_valid(gain, 2_000).estimate.method == "exact always valid"
    assert as_always_valid(difference_of_proportions(60, 1_000, 80, 1_000), 2_000).estimate.method == "always valid"

def test_amounts_wait_for_those_who_spend():
    with pytest.raises(NotMeasurable) as refused: as_always_valid(difference_of_means(Moments(1_000, .02, .0196), Moments(1_000, .04, .0384)), 2_000)
    assert refused.value.code == "few_spenders" and refused.value.fields["share"] == pytest.approx(20/30, rel=1e-2)

def test_nobody_in_one_arm_is_watched_all_the_same():
    found = as_always_valid(difference_of_proportions(120, 2_000, 0, 2_000), 4_000)
    assert found.estimate.low > 0 and found.p_value < 1e-6

@given(st.integers(0, 400), st.integers(0, 10_000), st.floats(.5, .999))
def test_an_exact_sequence_holds_the_rate_seen_and_reaches_further_than_one_reading(successes, others, level):
    n = successes + others
    if not n: return
    watched, once = watched_share(successes, n, level), exact_interval(successes, n, level)
    assert 0 <= watched.low <= successes/n <= watched.high <= 1
    assert watched.high >= once.high - 1e-9 and watched.low <= once.low + 1e-9
    for end in (watched.low, watched.high):
        if 0 < end < 1: assert log_winnings(end, successes, n) == pytest.approx(-math.log(1-level), abs=1e-5)

def test_the_bet_is_fair():
    # the expected winnings against the true rate are one, whatever the number of customers
    from scipy.stats import binom
    for n, rate in ((1, .3), (12, .05), (60, .5)):
        assert sum(binom.pmf(x, n, rate)*math.exp(log_winnings(rate, x, n)) for x in range(n+1)) == pytest.approx(1, rel=1e-9)

def test_the_shape_is_taken_from_the_heavier_tail():
    heavy, light = Moments(20_000, 2., 2_000.), Moments(1_000, 2., 20.)
    assert first_look_worth(difference_of_means(heavy, light)) == pytest.approx(1_000*4/2_004)

def test_arms_and_level_stay_as_they_were():
    gain = difference_of_means(Moments(5_000, 22., 90.), Moments(5_000, 20., 80.), .99, "EUR")
    found = as_always_valid(gain, 10_000)
    assert (found.treated, found.control, found.estimate.level, found.estimate.unit) == (gain.treated, gain.control, .99, "EUR")
    assert found.estimate.low < gain.estimate.low and found.estimate.high > gain.estimate.high
