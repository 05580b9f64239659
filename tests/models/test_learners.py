"""What a spec may say about its algorithm."""
import math
import pytest
from hypothesis import given, strategies as st
from marketing_mlops.models.learners import LEARNERS, Learner, NotLearnable, classifier_for, read_algorithm, register_learner, regressor_for
from marketing_mlops.workspace.errors import MmopsError, ParameterError

@pytest.mark.parametrize("algorithm,key", [
    (None, "algorithm.name"), ({}, "algorithm.name"), ("logistic_regression", "algorithm.name"), ({"name": 3}, "algorithm.name"),
    ({"name": "logistic"}, "algorithm.name"), ({"name": "logistic_regression", "max_leaf_nodes": 15}, "algorithm.max_leaf_nodes"),
    ({"name": "hist_gradient_boosting", "max_iter": 10.5}, "algorithm.max_iter"), ({"name": "hist_gradient_boosting", "max_iter": True}, "algorithm.max_iter"),
    ({"name": "hist_gradient_boosting", "learning_rate": "0.1"}, "algorithm.learning_rate"), ({"name": "hist_gradient_boosting", "max_iter": 0}, "algorithm.max_iter"),
    ({"name": "logistic_regression", "C": math.nan}, "algorithm.C"), ({"name": "logistic_regression", "C": None}, "algorithm.C")])
def test_an_algorithm_that_cannot_be_used_is_refused_in_two_lines_with_its_key(algorithm, key):
    with pytest.raises(ParameterError) as refused: read_algorithm(algorithm)
    assert refused.value.fields["key"] == key and len(str(refused.value).splitlines()) == 2

@given(st.dictionaries(st.text(max_size=8), st.none() | st.floats() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)))
def test_no_spec_ends_in_another_error(algorithm):
    with pytest.raises(ParameterError): read_algorithm(algorithm)

def test_every_setting_is_recorded_with_its_value():
    learner, settings = read_algorithm({"name": "hist_gradient_boosting", "learning_rate": 1})
    assert set(settings) == set(learner.settings) and settings["learning_rate"] == 1. and type(settings["learning_rate"]) is float

@pytest.mark.parametrize("name", sorted(LEARNERS))
def test_the_defaults_of_a_learner_lie_within_its_own_bounds_and_make_an_estimator(name):
    _, settings = read_algorithm({"name": name})
    made = [make({"name": name}, 7) for make, kind in ((classifier_for, "classifier"), (regressor_for, "regressor")) if getattr(LEARNERS[name], kind)]
    assert made and all(each.get_params()[key] == value for each in made for key, value in settings.items())

def test_the_seed_reaches_the_estimator():
    assert classifier_for({"name": "hist_gradient_boosting"}, 7).random_state == 7

def test_a_name_is_registered_once_and_a_learner_predicts_something():
    with pytest.raises(ValueError, match="registered already"): register_learner(LEARNERS["logistic_regression"])
    with pytest.raises(ValueError, match="needs a classifier or a regressor"): register_learner(Learner("idle", "Predicts nothing.", {}))
    assert "idle" not in LEARNERS

def test_a_refusal_of_rows_is_ours_and_scikit_learns():
    assert issubclass(NotLearnable, MmopsError) and issubclass(NotLearnable, ValueError)
