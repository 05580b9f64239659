"""Chances that can be believed, an estimator scikit-learn accepts, and rows that teach nothing."""
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.utils.estimator_checks import parametrize_with_checks
from marketing_mlops.models.learners import NotLearnable
from marketing_mlops.models.propensity import PropensityModel, calibration_start
from marketing_mlops.models.sigmoids import fit_sigmoid, sigmoid, softened_targets
from marketing_mlops.workspace.errors import DataError

LINE, TREES = {"name": "logistic_regression"}, {"name": "hist_gradient_boosting", "max_iter": 20, "min_samples_leaf": 5}
FEW = "ten rows in the order of their outcome: the latest hold one class only, which is refused"

@parametrize_with_checks([PropensityModel(LINE), PropensityModel(TREES)],
                         expected_failed_checks=lambda _: {"check_positive_only_tag_during_fit": FEW, "check_classifier_data_not_an_array": FEW})
def test_scikit_learn_accepts_the_estimator(estimator, check): check(estimator)

def drawn(n, seed=1):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(dict(recency_days=rng.gamma(1.5, 45, n).round(), orders_365d=1.+rng.poisson(2, n), channel=rng.choice(["search", "social", "store"], n)))
    p = expit(.02*(X["recency_days"]-70) - .4*(X["orders_365d"]-3) + .8*(X["channel"] == "social")).to_numpy()
    return X, (rng.random(n) < p).astype(int), p

def made(algorithm=LINE, **more): return PropensityModel(algorithm, ["recency_days", "orders_365d"], ["channel"], **more)

@pytest.mark.parametrize("algorithm", [LINE, {**TREES, "max_iter": 60, "min_samples_leaf": 40}], ids=lambda a: a["name"])
def test_chances_are_near_the_true_ones(algorithm):
    X, y, _ = drawn(6_000)
    strangers, _, truth = drawn(4_000, seed=2)
    says = made(algorithm).fit(X, y).predict_proba(strangers)[:, 1]
    assert np.abs(says-truth).mean() < .06 and says.mean() == pytest.approx(truth.mean(), abs=.03)

def test_an_algorithm_that_learns_by_heart_is_held_back():
    X, y, _ = drawn(1_500)
    bold = made({"name": "hist_gradient_boosting", "max_iter": 100, "min_samples_leaf": 2, "max_leaf_nodes": 40}).fit(X, y)
    assert -.5 < bold.sigmoid_[0] < 0

def test_rows_of_noise_give_nobody_a_chance_far_from_the_rate():
    X, _, _ = drawn(4_000)
    y = (np.random.default_rng(3).random(4_000) < .2).astype(int)
    says = made(LINE).fit(X, y).predict_proba(X)[:, 1]
    assert np.abs(says-.2).mean() < .03 and says.min() > .05 and says.max() < .4

def test_probabilities_are_the_sigmoid_of_the_pipelines_log_odds():
    "What a served graph has to repeat."
    X, y, _ = drawn(800)
    model = made().fit(X, y)
    a, b = model.sigmoid_
    scores = model.pipeline_.decision_function(model._rows(X, reset=False))
    assert model.predict_proba(X)[:, 1] == pytest.approx(1/(1+np.exp(a*scores+b)), abs=1e-15)

def test_the_sigmoid_comes_from_the_latest_rows_alone_and_the_pipeline_from_all():
    X, y, _ = drawn(1_000)
    first = made(refit=False).fit(X, y)
    start = calibration_start(1_000, .25)
    frame = first._rows(X, reset=False)
    assert first.sigmoid_ == fit_sigmoid(first.pipeline_.decision_function(frame[start:]), y[start:])
    assert made().fit(X, y).sigmoid_ == first.sigmoid_
    altered = y.copy(); altered[-100:] = 1-altered[-100:]
    assert (made(refit=False).fit(X, altered).pipeline_[-1].coef_ == first.pipeline_[-1].coef_).all()
    assert (made().fit(X, altered).pipeline_[-1].coef_ != made().fit(X, y).pipeline_[-1].coef_).any()

def test_a_turned_season_never_turns_the_order_of_customers():
    X, y, _ = drawn(2_000)
    y = np.where(np.arange(2_000) < 1_000, y, 1-y)
    model = made().fit(X, y)
    assert not model.calibrated_ and model.sigmoid_ == (-1., 0.)
    scores = model.pipeline_.decision_function(model._rows(X, reset=False))
    assert (np.diff(model.decision_function(X)[np.argsort(scores)]) >= 0).all()

def test_labels_of_any_two_kinds_give_the_same_chances():
    X, y, _ = drawn(600)
    expected = made().fit(X, y).predict_proba(X)
    for labels in (y.astype(bool), np.where(y, "yes", "no"), pd.Series(y, dtype="Int64"), y.astype(float), pd.Series(np.where(y, "yes", "no"))):
        assert (made().fit(X, labels).predict_proba(X) == expected).all()
    assert set(made().fit(X, np.where(y, "yes", "no")).predict(X)) <= {"yes", "no"}

def test_columns_in_another_order_and_further_columns_change_nothing():
    X, y, _ = drawn(600)
    model = made().fit(X, y)
    other = X[["channel", "orders_365d", "recency_days"]].assign(customer_id="c1")
    assert (model.predict_proba(other) == model.predict_proba(X)).all()
    assert (made().fit(other, y).predict_proba(X) == model.predict_proba(X)).all()

def test_a_row_is_scored_alike_alone_and_among_others():
    X, y, _ = drawn(600)
    for algorithm in (LINE, TREES):
        model = made(algorithm).fit(X, y)
        assert model.predict_proba(X.iloc[[7]])[0, 1] == pytest.approx(model.predict_proba(X)[7, 1], abs=1e-15)

def test_one_per_cent_nonsense_is_named_and_not_learned():
    X, y, _ = drawn(500)
    broken = X.astype(object); broken.iloc[[3, 77, 200, 201, 499], 0] = "n/a"
    with pytest.raises(DataError, match=r"recency_days holds 5 values .* \(rows 3, 77, 200, 201, 499\)"): made().fit(broken, y)

@pytest.mark.parametrize("y,says", [
    (np.zeros(400, int), "earlier 300 row"), (np.arange(400) < 300, "earlier 300 row"), (np.arange(400) < 200, "latest 100 row"),
    (np.arange(400) % 3, "3 classes"), (np.where(np.arange(400) == 5, np.nan, np.arange(400) % 2), "first in row 5"), (None, "requires y")])
def test_outcomes_that_teach_nothing_are_refused_in_two_lines(y, says):
    with pytest.raises(NotLearnable, match=says) as refused: made().fit(drawn(400)[0], y)
    assert len(str(refused.value).splitlines()) == 2

@pytest.mark.parametrize("algorithm", [LINE, TREES], ids=lambda a: a["name"])
def test_a_feature_nobody_had_in_the_earlier_rows_is_named(algorithm):
    X, y, _ = drawn(400)
    X.loc[:299, "recency_days"] = np.nan
    with pytest.raises(NotLearnable, match="recency_days has no value in any of the 300 rows"): made(algorithm).fit(X, y)
    X.loc[299, "recency_days"] = 4.
    assert made(algorithm).fit(X, y).predict_proba(X.assign(recency_days=np.nan)).min() > 0

@pytest.mark.parametrize("share", [0, 1, -.1, 25])
def test_a_share_for_calibration_lies_between_0_and_1(share):
    X, y, _ = drawn(100)
    with pytest.raises(ValueError, match="strictly between 0 and 1"): made(calibration_share=share).fit(X, y)

def test_labels_and_rows_of_different_length_are_refused():
    X, y, _ = drawn(100)
    with pytest.raises(ValueError, match="inconsistent"): made().fit(X, y[:-1])

def test_a_clone_is_unfitted_and_the_specs_dict_is_left_alone():
    algorithm = dict(TREES)
    model = made(algorithm).fit(*drawn(300)[:2])
    assert not hasattr(clone(model), "pipeline_") and algorithm == TREES and model.algorithm is algorithm

# --- sigmoids ---
@pytest.mark.parametrize("seed,scale", [(1, 1), (2, .05), (3, 40), (4, 3)])
def test_the_sigmoid_agrees_with_scikit_learns(seed, scale):
    rng = np.random.default_rng(seed)
    s = rng.normal(-1, 1, 700)*scale
    y = rng.random(700) < expit(s/scale*.8 - .3)
    class Scores:
        "A frozen classifier whose log-odds are the scores."
        classes_, n_features_in_ = np.array([0, 1]), 1
        def decision_function(self, X): return X[:, 0]
        def predict(self, X): return (X[:, 0] > 0).astype(int)
        def fit(self, X, y): return self
        def __sklearn_tags__(self): return PropensityModel(LINE).__sklearn_tags__()
        def __sklearn_is_fitted__(self): return True
        _estimator_type = "classifier"
    reference = CalibratedClassifierCV(FrozenEstimator(Scores()), method="sigmoid", ensemble=False).fit(s[:, None], y.astype(int))
    assert sigmoid(s, *fit_sigmoid(s, y)) == pytest.approx(reference.predict_proba(s[:, None])[:, 1], abs=2e-4)

def test_a_perfect_order_gives_large_but_finite_slopes():
    a, b = fit_sigmoid(np.arange(20.), np.arange(20) >= 10)
    assert np.isfinite([a, b]).all() and a < 0
    assert 0 < sigmoid([0], a, b)[0] < 1/12 and sigmoid([0, 19], a, b).sum() == pytest.approx(1)

def test_equal_scores_give_everybody_the_rate():
    y = np.arange(10) < 3
    assert sigmoid(np.full(3, 2.), *fit_sigmoid(np.full(10, 2.), y)) == pytest.approx(np.full(3, softened_targets(y).mean()))
