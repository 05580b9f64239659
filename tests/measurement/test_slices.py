"""Figures by group: what statsmodels computes, and what must hold for any grouping."""
import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.proportion import confint_proportions_2indep
from marketing_mlops.measurement.intervals import NotMeasurable, mean_interval, proportion_interval
from marketing_mlops.measurement.slices import UNKNOWN_GROUP, difference_of_estimates, slice_figures, slice_table

@pytest.mark.parametrize("counts", [(3, 150, 9, 400), (0, 120, 30, 300), (50, 60, 20, 80)])
def test_the_difference_of_two_shares_is_statsmodels_newcombe(counts):
    x1, n1, x0, n0 = counts
    found = difference_of_estimates(proportion_interval(x1, n1), proportion_interval(x0, n0))
    assert [found.low, found.high] == pytest.approx(confint_proportions_2indep(x1, n1, x0, n0, method="newcomb", compare="diff"), abs=1e-9)

def test_every_customer_is_in_one_group_and_missing_ones_are_unknown():
    values = pd.DataFrame(dict(age=["a"]*300 + ["b"]*200 + [None]*150, points=[1.]*325 + [np.nan]*325))
    spend = np.arange(650.)
    found = slice_figures(lambda which, level: mean_interval(spend[which], level, "EUR"), values)
    for attribute in values: assert sum(each.n for each in found if each.attribute == attribute) == 650
    assert [each.n for each in found if each.group == UNKNOWN_GROUP] == [150, 325]
    assert found[0].figure.level == pytest.approx(1 - .05/5)

def test_groups_and_their_rest_add_up_to_everybody():
    rng = np.random.default_rng(1)
    spend, groups = rng.gamma(2, 20, 900), pd.DataFrame(dict(market=rng.choice(["DE", "AT"], 900)))
    for each in slice_figures(lambda which, level: mean_interval(spend[which], level, "EUR"), groups):
        assert each.figure.n*each.figure.value + each.rest.n*each.rest.value == pytest.approx(spend.sum())

def test_a_group_too_small_and_a_rest_too_small_are_unknown_with_their_reason():
    bought = np.arange(1_000) % 2 == 0
    groups = pd.DataFrame(dict(market=["DE"]*950 + ["AT"]*50))
    found = slice_figures(lambda which, level: proportion_interval(int(bought[which].sum()), int(which.sum()), level), groups)
    table = slice_table(found).set_index("group")
    assert list(table.side) == ["unknown", "unknown"] and table.difference.isna().all()
    assert "AT has 50 customers" in table.why_not["AT"] and "rest has 50 customers" in table.why_not["DE"]

def test_a_name_of_html_is_kept_as_a_name():
    groups = pd.DataFrame(dict(market=["<b>DE</b>"]*200 + ["AT"]*200))
    assert {each.group for each in slice_figures(lambda which, level: mean_interval(np.arange(400.)[which], level), groups)} == {"<b>DE</b>", "AT"}
