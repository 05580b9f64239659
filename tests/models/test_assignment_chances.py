"""Chances of an arm are those of the plan, and weights undo them."""
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from marketing_mlops.models.assignment_chances import assignment_chances, chance_weights
from marketing_mlops.workspace.errors import DataError, ParameterError

ARM = np.resize(["none", "a", "b"], 300)

@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(.05, 1), min_size=3, max_size=3), st.integers(0, 2**31))
def test_each_customers_chances_sum_to_one_and_her_arm_is_possible(parts, seed):
    noise = np.random.default_rng(seed).uniform(.5, 1, (300, 3))*parts
    given_ = pd.DataFrame(noise/noise.sum(axis=1, keepdims=True), columns=["a", "b", "none"])
    chances = assignment_chances(given_, ARM)
    assert np.allclose(chances.sum(axis=1), 1) and (chances > 0).all().all() and np.allclose(chances, given_)
    weights = chance_weights(chances, ARM)
    assert weights.mean() == pytest.approx(1) and (weights > 0).all()

def test_weighted_arms_look_like_all_customers():
    rng, n = np.random.default_rng(1), 40_000
    x = rng.random(n)
    chances = pd.DataFrame(dict(none=.2 + .6*x, a=.8 - .6*x))
    arm = np.where(rng.random(n) < chances.none, "none", "a")
    weights = chance_weights(assignment_chances(chances, arm), arm)
    for name in ("none", "a"):
        assert abs(x[arm == name].mean() - .5) > .08 and np.average(x[arm == name], weights=weights[arm == name]) == pytest.approx(.5, abs=.01)

def test_arms_that_are_not_among_the_rows_leave_the_proportions_of_the_others():
    found = assignment_chances(dict(none=.5, a=.25, b=.15, post=.1), ARM)
    assert list(found) == ["a", "b", "none"] and np.allclose(found, np.array([.25, .15, .5])/.9) and chance_weights(found, ARM) is None

def test_rows_count_by_their_place_and_not_by_their_index():
    chances = pd.DataFrame(dict(none=np.linspace(.2, .6, 300), a=.2, b=np.linspace(.6, .2, 300)))
    assert assignment_chances(chances.set_index(np.arange(300)[::-1]), ARM).equals(assignment_chances(chances, ARM))

@pytest.mark.parametrize("given_, error, says", [
    (dict(none=.5, a=.5), ParameterError, "'b' has no chance"), (dict(none=.5, a=.5, b=0.), DataError, "b 0"), (dict(none=.9, a=.2, b=-.1), DataError, "b -0.1"),
    (dict(none=50, a=25, b=25), DataError, "300 of 300"), (pd.DataFrame(dict(none=["half"]*300, a=.25, b=.25)), DataError, "none nan")])
def test_chances_that_cannot_be_are_refused_with_the_first_row(given_, error, says):
    with pytest.raises(error, match=says): assignment_chances(given_, ARM)
