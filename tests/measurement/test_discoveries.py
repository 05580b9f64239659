"""False discovery rates against statsmodels and a naive count."""
import numpy as np
import pytest
from hypothesis import given, strategies as st
from statsmodels.stats.multitest import multipletests
from marketing_mlops.measurement.discoveries import discoveries, discovery_adjusted, level_of_chosen
from marketing_mlops.measurement.multiplicity import holm_adjusted

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=30)

@given(P_VALUES)
def test_adjusted_values_agree_with_statsmodels(p):
    assert discovery_adjusted(p) == pytest.approx(multipletests(p, method="fdr_bh")[1], rel=1e-9, abs=1e-300)
    assert discovery_adjusted(p, dependence="any") == pytest.approx(multipletests(p, method="fdr_by")[1], rel=1e-9, abs=1e-300)

@given(P_VALUES, st.randoms(use_true_random=False))
def test_the_order_of_the_list_changes_nothing(p, random):
    order = list(range(len(p))); random.shuffle(order)
    assert discovery_adjusted(np.array(p)[order]).tolist() == discovery_adjusted(p)[order].tolist()

@given(P_VALUES)
def test_a_list_of_discoveries_holds_all_that_holm_vouches_for(p):
    assert (discovery_adjusted(p) <= holm_adjusted(p)*(1+1e-12)).all() and (discovery_adjusted(p) >= np.array(p)*(1-1e-12)).all()

def test_nothing_looked_at_is_nothing_found():
    assert discovery_adjusted([]).tolist() == [] and discoveries({}) == {}

def test_all_chosen_need_no_higher_level(): assert level_of_chosen(12, 12) == pytest.approx(.95)

@pytest.mark.parametrize("p", [[-.1], [1.0001], [float("nan")]])
def test_what_is_no_p_value_is_refused(p):
    with pytest.raises(ValueError, match="p-values must lie"): discovery_adjusted(p)

@pytest.mark.slow
def test_the_share_of_false_findings_keeps_the_promise_over_many_lists():
    rng, truth = np.random.default_rng(41), np.arange(40) < 8
    from scipy.special import ndtr
    shared = rng.normal(size=(4_000, 1))*.5   # metrics of the same customers err together
    p = ndtr(-(rng.normal(2.5*truth, np.sqrt(.75), (4_000, 40)) + shared))
    lists = [discovery_adjusted(row) <= .1 for row in p]
    assert np.mean([(found & ~truth).sum()/max(1, found.sum()) for found in lists]) < .1
