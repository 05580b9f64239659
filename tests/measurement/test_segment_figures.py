"""Associations, ratios of shares and paired shares against independent software, closed forms and known truth."""
import math
from itertools import product
import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import stats
from marketing_mlops.measurement.associations import chi_squared, cramers_v, filled_table
from marketing_mlops.measurement.intervals import NotMeasurable, proportion_interval
from marketing_mlops.measurement.paired_shares import change_of_share
from marketing_mlops.measurement.share_ratios import ratio_of_shares, share_ratio

TABLES = [[[60, 140], [45, 155], [20, 180]], [[5, 9, 1], [2, 30, 4]], [[1_200, 3_400, 90, 7], [800, 2_900, 45, 12], [44, 31, 2, 900]]]

@pytest.mark.parametrize("table", TABLES)
def test_chi_squared_and_the_uncorrected_v_agree_with_scipy(table):
    expected = stats.chi2_contingency(table, correction=False)
    statistic, freedom = chi_squared(table)
    assert (statistic, freedom) == (pytest.approx(expected.statistic, rel=1e-12), expected.dof)
    n, width = np.sum(table), min(np.shape(table))-1
    assert math.sqrt(statistic/(n*width)) == pytest.approx(stats.contingency.association(np.array(table), method="cramer"), rel=1e-9)
    assert cramers_v(table).value == pytest.approx(math.sqrt(max(0, statistic-freedom)/(n*width)), rel=1e-12)

@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("level", [.9, .95, .999])
def test_the_ends_of_v_are_where_the_statistic_is_just_unsurprising(table, level):
    found, (statistic, freedom) = cramers_v(table, level), chi_squared(table)
    n, width, tail = np.sum(table), min(np.shape(table))-1, (1-level)/2
    above = stats.ncx2.sf(statistic, freedom, found.low**2*n*width) if found.low else stats.chi2.sf(statistic, freedom)
    assert above == pytest.approx(tail, abs=1e-7) or (found.low == 0 and above > tail)
    if found.high < 1: assert stats.ncx2.cdf(statistic, freedom, found.high**2*n*width) == pytest.approx(tail, abs=1e-7)

def test_v_of_two_hundred_million_people_is_a_number():
    found = cramers_v([[60_000_000, 40_000_000], [45_000_000, 55_000_000]])
    assert found.low < found.value < found.high and found.high - found.low < 1e-3

def test_v_does_not_mind_order_transposition_or_empty_groups():
    table = np.array(TABLES[2])
    known = cramers_v(table)
    for other in (table[::-1], table[:, ::-1], table.T, np.pad(table, ((0, 2), (1, 0)))):
        found = cramers_v(other)
        assert (found.value, found.low, found.high) == pytest.approx((known.value, known.low, known.high), rel=1e-9)

@pytest.mark.parametrize("table", [[[-1, 2], [3, 4]], [[.5, 2], [3, 4]], [1, 2, 3], [[float("nan"), 1], [2, 3]]])
def test_what_is_no_table_of_counts_is_refused(table):
    with pytest.raises(ValueError, match="whole numbers of 0 or more"): filled_table(table)

@pytest.mark.parametrize("table", [[[0, 0], [0, 0]], [[5, 5]], [[5], [5]]])
def test_one_group_alone_has_no_association(table):
    with pytest.raises(NotMeasurable): cramers_v(table)

@pytest.mark.parametrize("counts", [(900, 6_000, 1_800, 9_000), (3_894, 21_307, 2_262, 21_306), (400, 40_000, 500, 41_000)])
def test_a_ratio_of_large_groups_agrees_with_scipys_relative_risk(counts):
    found, expected = ratio_of_shares(*counts), stats.contingency.relative_risk(*counts)
    assert found.value == pytest.approx(expected.relative_risk)
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval(.95)), rel=3e-3)

@given(x=st.integers(1, 200), more=st.integers(0, 300), y=st.integers(1, 200), others=st.integers(0, 300))
def test_a_ratio_turned_round_is_its_interval_turned_round(x, more, y, others):
    one, turned = ratio_of_shares(x, x+more, y, y+others), ratio_of_shares(y, y+others, x, x+more)
    assert (one.low*turned.high, one.value*turned.value, one.high*turned.low) == pytest.approx((1, 1, 1), rel=1e-9)
    assert 0 < one.low <= one.value <= one.high

@pytest.mark.parametrize("truth, n", [((.15, .20), (600, 900)), ((.02, .03), (300, 2_000)), ((.5, .9), (60, 60))])
def test_the_interval_of_a_ratio_holds_the_truth_as_often_as_it_says(truth, n):
    rng = np.random.default_rng(7)
    draws = [(int(x), int(y)) for x, y in zip(rng.binomial(n[0], truth[0], 1_500), rng.binomial(n[1], truth[1], 1_500)) if y]
    held = [found.low <= truth[0]/truth[1] <= found.high for x, y in draws if (found := ratio_of_shares(x, n[0], y, n[1]))]
    assert .935 <= np.mean(held) <= .97

def test_the_smallest_of_many_ratios_holds_its_truth_also_where_groups_differ():
    rng = np.random.default_rng(8)
    shares, n = np.array([.12, .13, .20, .21, .22]), 800
    found = [share_ratio({str(i): (int(x), n) for i, x in enumerate(rng.binomial(n, shares))}).estimate for _ in range(300)]
    assert sum(each.low <= .12/.22 <= each.high for each in found) >= 282

def test_two_groups_need_no_allowance_for_choosing():
    named, found = ratio_of_shares(90, 600, 180, 900), share_ratio({"young": (90, 600), "old": (180, 900)})
    assert (found.estimate.value, found.estimate.low, found.estimate.high) == pytest.approx((named.value, named.low, named.high))

def test_a_group_in_which_nobody_is_has_the_ratio_zero():
    found = share_ratio({"young": (0, 600), "old": (180, 900), "none either": (0, 50)})
    assert found.estimate.value == 0 and found.estimate.low == 0 and found.estimate.high < 1

@pytest.mark.parametrize("won, gone", [(.05, .02), (.1, .1), (.01, .01), (.3, .1)])
def test_paired_intervals_hold_the_truth_by_exact_enumeration(won, gone):
    n, held = 60, 0.
    for gained, lost in product(range(n+1), range(n+1)):
        if gained + lost > n: continue
        found = change_of_share(gained, lost, n)
        if found.low <= won-gone <= found.high: held += stats.multinomial.pmf([gained, lost, n-gained-lost], n, [won, gone, 1-won-gone])
    assert held >= .94

@given(gained=st.integers(0, 400), lost=st.integers(0, 400), still=st.integers(0, 400))
def test_a_change_lies_in_its_interval_and_turns_its_sign_with_its_people(gained, lost, still):
    n = gained + lost + still
    if not n: return
    found, turned = change_of_share(gained, lost, n), change_of_share(lost, gained, n)
    assert -1 <= found.low <= found.value <= found.high <= 1
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))

def test_a_paired_interval_is_never_much_wider_than_the_change_itself_allows():
    assert change_of_share(0, 0, 10_000).high < 5e-4
    assert change_of_share(0, 10, 10).low == -1
    assert proportion_interval(0, 10).high > .2, "ten people leave a lot open"
