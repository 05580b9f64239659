"""Gains of several arms over the control, with known truth and with rows that teach nothing."""
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import estimator_checks as checks
from marketing_mlops.models.learners import NotLearnable
from marketing_mlops.models.uplift_models import TLearner
from marketing_mlops.models.uplift_rows import is_chance, outcome_numbers, treated_arms
from marketing_mlops.workspace.errors import DataError, ParameterError

LINE, LOGIT = {"name": "linear_regression"}, {"name": "logistic_regression"}
TREES = {"name": "hist_gradient_boosting", "max_iter": 40, "max_leaf_nodes": 7}

def drawn(n=4_000, seed=5):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(dict(recency_days=rng.uniform(0, 120, n), orders_365d=1.+rng.poisson(2, n), channel=rng.choice(["search", "store"], n)), index=rng.permutation(n))
    arm = pd.Series(rng.permutation(np.resize(["none", "a", "b"], n)), index=X.index)
    gain = pd.DataFrame(dict(a=np.where(X["recency_days"] > 60, 4., -2.), b=1.), index=X.index)
    y = 5*X["orders_365d"] + gain["a"]*(arm == "a") + gain["b"]*(arm == "b") + rng.normal(0, 5, n)
    return X, y, arm, gain

def made(algorithm=TREES, **more): return TLearner(algorithm, ["recency_days", "orders_365d"], ["channel"], "none", **more)

CHECKS = [checks.check_estimator_cloneable, checks.check_estimator_repr, checks.check_estimator_tags_renamed, checks.check_valid_tag_types, checks.check_no_attributes_set_in_init,
          checks.check_get_params_invariance, checks.check_set_params, checks.check_parameters_default_constructible, checks.check_mixin_order]

@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
def test_scikit_learn_accepts_what_does_not_need_arms(check): check("TLearner", made())

def test_trees_find_who_gains_and_who_loses():
    X, y, arm, gain = drawn()
    found = made().fit(X, y, arm).predict(X)
    late = X["recency_days"] > 60
    assert found["a"][late].mean() == pytest.approx(4, abs=.8) and found["a"][~late].mean() == pytest.approx(-2, abs=.8)
    assert np.corrcoef(found["a"], gain["a"])[0, 1] > .85

@pytest.mark.parametrize("algorithm", [LINE, TREES], ids=lambda a: a["name"])
def test_the_mean_gain_is_nearer_to_the_truth_than_the_plain_difference_of_the_arms(algorithm):
    "The features take out what the arms differ in by chance."
    X, y, arm, gain = drawn()
    found = made(algorithm).fit(X, y, arm).predict(X).mean()
    for each in ("a", "b"):
        plain = y[arm == each].mean()-y[arm == "none"].mean()
        assert abs(found[each]-gain[each].mean()) < min(.35, abs(plain-gain[each].mean()))

def test_a_straight_line_is_recovered_in_closed_form():
    rng = np.random.default_rng(0)
    x = rng.normal(size=300); arm = np.where(np.arange(300) % 2, "mail", "none")
    model = TLearner({"name": "linear_regression", "alpha": 1e-6}, ["x"], [], "none").fit(pd.DataFrame(dict(x=x)), 1 + 2*x + (3 - x)*(arm == "mail"), arm)
    assert model.predict(pd.DataFrame(dict(x=[0., 2.])))["mail"].tolist() == pytest.approx([3, 1], abs=1e-4)

def test_gains_in_other_money_scale_with_it():
    X, y, arm, _ = drawn(900)
    assert made(LINE).fit(X, 100*y, arm).predict(X).to_numpy() == pytest.approx(100*made(LINE).fit(X, y, arm).predict(X).to_numpy(), rel=1e-6)

def test_without_any_effect_gains_are_small():
    X, _, arm, _ = drawn()
    y = np.random.default_rng(8).normal(20, 5, len(X))
    assert made(LINE).fit(X, y, arm).predict(X).abs().mean().max() < 1

def test_zeros_and_ones_are_learned_as_chances_and_gains_are_shares():
    X, _, arm, _ = drawn()
    visited = (np.random.default_rng(4).random(len(X)) < .2 + .1*(arm == "b")).astype(int)
    for algorithm in (LOGIT, TREES):
        model = made(algorithm).fit(X, visited, arm)
        outcomes = model.predict_outcomes(X)
        assert model.outcome_ == "chance" and outcomes.min().min() >= 0 and outcomes.max().max() <= 1
        assert model.predict(X)["b"].mean() == pytest.approx(.1, abs=.05)
    assert made(LINE).fit(X, visited, arm).outcome_ == "amount"

def test_the_names_of_the_arms_mean_nothing_but_the_control():
    X, y, arm, _ = drawn(900)
    renamed = arm.map({"none": "none", "a": "zz <b>", "b": "Ä | b"})
    found, other = made(LINE).fit(X, y, arm).predict(X), made(LINE).fit(X, y, renamed).predict(X)
    assert list(found) == ["a", "b"] and (other["zz <b>"] == found["a"]).all() and list(other) == ["zz <b>", "Ä | b"]

def test_the_index_of_the_rows_is_kept_and_not_used_to_align():
    X, y, arm, _ = drawn(900)
    plain = made(LINE).fit(X.reset_index(drop=True), y.to_numpy(), arm.to_numpy())
    found = made(LINE).fit(X, y.to_numpy(), arm.to_numpy()).predict(X)
    assert (found.index == X.index).all() and (found.to_numpy() == plain.predict(X).to_numpy()).all()

def test_predict_is_the_difference_of_the_expected_outcomes():
    X, y, arm, _ = drawn(900)
    model = made().fit(X, y, arm)
    outcomes = model.predict_outcomes(X)
    assert list(outcomes) == ["none", "a", "b"] and (model.predict(X)["b"] == outcomes["b"]-outcomes["none"]).all()

@pytest.mark.parametrize("change,error,says", [
    (lambda X, y, arm: (X, y, arm.where(arm != "a")), NotLearnable, "rows have no arm"),
    (lambda X, y, arm: (X, y, arm.replace("none", "None")), ParameterError, "Did you mean 'None'"),
    (lambda X, y, arm: (X, y, pd.Series("none", index=arm.index)), NotLearnable, "All 900 rows are in the control"),
    (lambda X, y, arm: (X, y.where(y > 5), arm), NotLearnable, "missing or no finite"),
    (lambda X, y, arm: (X, y.astype(str)+"EUR", arm), NotLearnable, "missing or no finite"),
    (lambda X, y, arm: (X, y*(arm != "b"), arm), NotLearnable, "All 300 customers of arm 'b'"),
    (lambda X, y, arm: (X, y, arm.mask(np.arange(900) < 2, "c")), NotLearnable, "Arm 'c' has 2 customers"),
    (lambda X, y, arm: (X.mask((arm == "a").to_numpy()[:, None] & (X.columns == "recency_days")), y, arm), NotLearnable, "recency_days has no value in any of the 300"),
    (lambda X, y, arm: (X.drop(columns="channel"), y, arm), DataError, "no column channel"),
    (lambda X, y, arm: (X, y[:-1], arm), ValueError, "one entry per row")])
def test_rows_that_teach_nothing_are_refused(change, error, says):
    X, y, arm, _ = drawn(900)
    with pytest.raises(error, match=says): made(LINE).fit(*change(X, y, arm))

def test_nothing_is_predicted_before_fitting_and_a_clone_is_unfitted():
    X, y, arm, _ = drawn(900)
    with pytest.raises(NotFittedError): made().predict(X)
    assert not hasattr(clone(made(LINE).fit(X, y, arm)), "models_")

def test_a_failed_fit_leaves_the_earlier_models():
    X, y, arm, _ = drawn(900)
    model = made(LINE).fit(X, y, arm)
    before = model.predict(X)
    with pytest.raises(NotLearnable): model.fit(X, y*(arm != "b"), arm)
    assert model.predict(X).equals(before)

def test_chances_need_zeros_and_ones():
    assert is_chance(outcome_numbers([True, False]), LOGIT) and not is_chance(outcome_numbers([0, 2]), LOGIT) and not is_chance(outcome_numbers([0, 1]), LINE)
    assert treated_arms(pd.Series(["b", "none", "a"]), "none") == ["a", "b"]
