"""The area under the gains curve: against scikit-learn's trapezoids, by hand, by simulation, and where it cannot be had."""
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.special import ndtr
from sklearn.metrics import auc as trapezoids
from marketing_mlops.contracts.glossary import term
from marketing_mlops.measurement.auc import auc
from marketing_mlops.measurement.intervals import NotMeasurable
from marketing_mlops.measurement.lift_areas import alift, alift_of_auc
from marketing_mlops.measurement.ranking import hits_within, rank_quality, score_groups

def under_the_curve(happened, scores):
    "Trapezoids under the cumulative gains curve, equal scores reached together."
    hits, customers = score_groups(happened, scores)
    share, reached = (np.append(0, each.cumsum()/each.sum()) for each in (customers, hits))
    return trapezoids(share, reached)

@pytest.mark.parametrize("digits", [None, 1, 0], ids=["no ties", "many ties", "nearly all tied"])
@pytest.mark.parametrize("rate", [.02, .3, .9])
def test_the_area_is_that_under_the_gains_curve(digits, rate):
    rng = np.random.default_rng(3)
    label = rng.random(900) < rate
    score = rng.normal(size=900) + label
    score = score if digits is None else score.round(digits)
    assert alift(label, score).value == pytest.approx(under_the_curve(label, score), abs=1e-12)

def test_four_customers_by_hand():
    "Best first: hit, none, hit, none. Areas of the quarters: (0+1/2)/2, 1/2, (1/2+1)/2, 1; their mean is 0.625."
    assert alift(np.array([1, 0, 1, 0]), np.array([4., 3, 2, 1])).value == pytest.approx(.625)

@given(st.floats(0, 1), st.floats(0, 1))
@settings(max_examples=60, deadline=None)
def test_no_order_leaves_the_room_the_base_rate_gives(auc_value, rate):
    value = alift_of_auc(auc_value, rate)
    assert rate/2 - 1e-12 <= value <= 1 - rate/2 + 1e-12 and alift_of_auc(.5, rate) == pytest.approx(.5)
    assert alift_of_auc(1 - auc_value, rate) == pytest.approx(1 - value)

@pytest.mark.parametrize("rate, shift, n", [(.3, 1., 600), (.03, 1.5, 1_500), (.6, -.5, 500)])
def test_the_interval_holds_the_true_area(rate, shift, n):
    "400 lists each, seed 5: at least 92 of 100 hold it."
    truth, rng = alift_of_auc(float(ndtr(shift/np.sqrt(2))), rate), np.random.default_rng(5)
    held = 0
    for _ in range(400):
        label = rng.random(n) < rate
        found = alift(label, rng.normal(size=n) + shift*label)
        held += found.low <= truth <= found.high
    assert 368 <= held <= 396

def test_a_perfect_order_reaches_the_best_there_is_and_stays_in_bounds():
    label = np.arange(40) >= 30
    found = alift(label, np.arange(40.))
    assert found.value == pytest.approx(1 - .25/2) and 0 <= found.low < found.value < found.high <= 1

def test_a_wider_level_gives_a_wider_interval_and_the_order_of_rows_none():
    rng = np.random.default_rng(1)
    label = rng.random(300) < .2
    score = rng.normal(size=300) + label
    shuffled = rng.permutation(300)
    narrow, wide = alift(label, score, .8), alift(label, score, .99)
    assert wide.low < narrow.low < narrow.high < wide.high
    again = alift(label[shuffled], score[shuffled], .8)
    assert (again.value, again.low, again.high) == pytest.approx((narrow.value, narrow.low, narrow.high), abs=1e-12)

@pytest.mark.parametrize("label, score, code", [([0]*9, range(9), "one_outcome"), ([], [], "empty"), ([1] + [0]*8, range(9), "too_few"), ([1, 0]*9, [5]*18, "no_variation")])
def test_what_cannot_be_measured_says_why(label, score, code):
    with pytest.raises(NotMeasurable) as caught: alift(np.array(label), np.array(score, dtype=float))
    assert caught.value.code == code

@pytest.mark.parametrize("auc_value, rate, says", [(1.2, .3, "auc"), (.8, 30, "base_rate")])
def test_a_figure_in_per_cent_is_refused(auc_value, rate, says):
    with pytest.raises(ValueError, match=says): alift_of_auc(auc_value, rate)

def test_it_is_one_of_the_figures_of_a_ranking_and_a_word_of_the_glossary():
    rng = np.random.default_rng(2)
    label = rng.random(400) < .3
    p = np.clip(.3 + .2*(label - .3) + rng.normal(0, .1, 400), .01, .99)
    assert rank_quality(label, p)["alift"] == alift(label, p) and "gains" in term("alift").definition

def test_the_gains_at_every_depth_average_to_the_area():
    rng = np.random.default_rng(4)
    label = rng.random(500) < .3
    score = rng.normal(size=500) + label
    depths = (np.arange(1_000) + .5)/1_000
    mean = np.mean([hits_within(*score_groups(label, score), depth) for depth in depths])/label.sum()
    assert alift(label, score).value == pytest.approx(mean, abs=5e-4) and auc(label, score).value > alift(label, score).value
