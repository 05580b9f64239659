"""Leaving out groups of customers: held against formulas of their own, whatever the order of the rows."""
import numpy as np
import pandas as pd
import pytest
from marketing_mlops.measurement.auc import auc
from marketing_mlops.measurement.differences import difference_of_means
from marketing_mlops.measurement.intervals import NotMeasurable
from marketing_mlops.measurement.jackknife import customer_groups, jackknife_estimate, left_out_figures

def drawn(n=1_500, seed=3):
    rng = np.random.default_rng(seed)
    happened = rng.random(n) < .2
    return pd.Series([f"c{i}" for i in range(n)]), happened, rng.normal(0, 1, n) + happened

def test_with_one_row_a_customer_it_agrees_with_delong():
    ids, happened, score = drawn()
    found = jackknife_estimate(left_out_figures(lambda kept: auc(happened[kept], score[kept]).value, customer_groups(ids)), len(ids))
    formula = auc(happened, score)
    assert found.value == formula.value
    assert (found.high - found.low)/(formula.high - formula.low) == pytest.approx(1, abs=.3)

def test_a_difference_of_means_has_the_width_welch_gives_it():
    ids, treated, spent = drawn()
    found = jackknife_estimate(left_out_figures(lambda kept: spent[kept & treated].mean() - spent[kept & ~treated].mean(), customer_groups(ids, most=1_500)), len(ids))
    formula = difference_of_means(spent[treated], spent[~treated]).estimate
    assert (found.low, found.high) == pytest.approx((formula.low, formula.high), abs=.005)

def test_the_order_of_the_rows_changes_nothing():
    ids, happened, score = drawn(300)
    order = np.random.default_rng(1).permutation(300)
    def interval(ids, happened, score): return jackknife_estimate(left_out_figures(lambda kept: auc(happened[kept], score[kept]).value, customer_groups(ids.reset_index(drop=True))), 300)
    one, other = interval(ids, happened, score), interval(ids[order], happened[order], score[order])
    assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))

def test_groups_differ_by_one_customer_at_most():
    sizes = np.bincount(customer_groups(pd.Series([f"c{i}" for i in range(87)])))
    assert len(sizes) == 40 and sizes.max() - sizes.min() <= 1

def test_a_figure_that_rests_on_one_group_is_not_measured():
    ids, happened, score = drawn(300)
    with pytest.raises(NotMeasurable): left_out_figures(lambda kept: score[kept & (ids == "c7").to_numpy()].mean() if (kept & (ids == "c7")).any() else np.nan, customer_groups(ids))
