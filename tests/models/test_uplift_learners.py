"""Every way of learning a gain: the truth of simulations, the same answers to the same questions, and rows that teach nothing."""
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import estimator_checks as checks
from marketing_mlops.models.arm_scores import ArmPart
from marketing_mlops.models.learners import NotLearnable
from marketing_mlops.models.uplift_learners import UPLIFT_LEARNERS, uplift_learner
from marketing_mlops.workspace.errors import DataError, ParameterError

TREES, LINE, LOGIT = {"name": "hist_gradient_boosting", "max_iter": 40, "max_leaf_nodes": 7}, {"name": "linear_regression", "alpha": 1e-6}, {"name": "logistic_regression"}
AMOUNTS = [name for name, each in UPLIFT_LEARNERS.items() if each.learns_amounts]
DEAR = [pytest.param(name, marks=pytest.mark.slow) if name == "dr" else name for name in UPLIFT_LEARNERS]   # the doubly robust one fits three times as often
NUMBERS = ["recency_days", "orders_365d"]

def made(way, algorithm=TREES, **more): return UPLIFT_LEARNERS[way].model(algorithm, NUMBERS, ["channel"], "none", **more)

def customers(n=4_000, seed=5):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(dict(recency_days=rng.uniform(0, 120, n), orders_365d=1.+rng.poisson(2, n), channel=rng.choice(["search", "store"], n)), index=rng.permutation(n)), rng

def drawn(n=4_000, seed=5):
    X, rng = customers(n, seed)
    arm = pd.Series(rng.permutation(np.resize(["none", "a", "b"], n)), index=X.index)
    gain = pd.DataFrame(dict(a=np.where(X.recency_days > 60, 4., -2.), b=1.), index=X.index)
    return X, 5*X.orders_365d + gain.a*(arm == "a") + gain.b*(arm == "b") + rng.normal(0, 5, n), arm, gain

def visits(n=6_000, seed=5):
    X, rng = customers(n, seed)
    arm = pd.Series(rng.permutation(np.resize(["none", "a"], n)), index=X.index)
    gain = np.where(X.recency_days > 60, .2, 0.)
    return X, (rng.random(n) < .2 + gain*(arm == "a")).astype(int), arm, gain

CHECKS = [checks.check_estimator_cloneable, checks.check_estimator_repr, checks.check_estimator_tags_renamed, checks.check_valid_tag_types, checks.check_no_attributes_set_in_init,
          checks.check_get_params_invariance, checks.check_set_params, checks.check_parameters_default_constructible, checks.check_mixin_order]

@pytest.mark.parametrize("way", UPLIFT_LEARNERS)
@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
def test_scikit_learn_accepts_what_does_not_need_arms(check, way): check(type(made(way)).__name__, made(way))

@pytest.mark.parametrize("way", AMOUNTS)
def test_a_ranking_by_predicted_gains_finds_who_gains_of_customers_never_seen(way):
    X, y, arm, _ = drawn()
    later, *_, truth = drawn(seed=6)
    found = made(way).fit(X, y, arm).predict(later)
    assert list(found) == ["a", "b"] and np.corrcoef(found.a, truth.a)[0, 1] > .75
    best = found.a.nlargest(len(later)//4).index
    assert truth.a[best].mean() > 3.5 > truth.a.mean() + 1

@pytest.mark.parametrize("way", AMOUNTS)
def test_a_constant_effect_on_a_straight_line_is_recovered(way):
    X, _, arm, _ = drawn(900)
    y = 20 - .1*X.recency_days + 2*X.orders_365d + 3*(arm == "a") - 1*(arm == "b")
    found = made(way, LINE).fit(X, y, arm).predict(X)
    assert np.abs(found - [3, -1]).max().max() < 1e-4

@pytest.mark.parametrize("way", AMOUNTS)
def test_known_chances_of_an_arm_undo_what_the_features_do_not_know(way):
    X, rng = customers()
    often = X.orders_365d.to_numpy() > 3
    chances = pd.DataFrame(dict(a=np.where(often, .8, .2), none=np.where(often, .2, .8)))
    arm = np.where(rng.random(len(X)) < chances.a, "a", "none")
    y = 5*X.orders_365d + 2*(arm == "a") + rng.normal(0, 3, len(X))
    blind = X.assign(orders_365d=0.)
    found = {told: made(way, LINE).fit(blind, y, arm, each).predict(blind).a.mean() for told, each in (("shares", None), ("chances", chances))}
    assert found["shares"] > 6 and found["chances"] == pytest.approx(2, abs=1)

@pytest.mark.parametrize("way", AMOUNTS)
def test_one_chance_for_all_is_no_chance_of_its_own(way):
    X, y, arm, _ = drawn(900)
    third = dict(none=1/3, a=1/3, b=1/3)
    frame = pd.DataFrame({name: np.full(900, 1/3) for name in third})
    found = [made(way, LINE).fit(X, y, arm, each).predict(X) for each in (None, third, frame)]
    assert np.allclose(found[0], found[1]) and np.allclose(found[1], found[2])

@pytest.mark.parametrize("way", DEAR)
def test_visits_are_learned_in_shares(way):
    X, y, arm, gain = visits()
    found = made(way).fit(X, y, arm).predict(X).a
    late = X.recency_days > 60
    assert found[late].mean() == pytest.approx(.2, abs=.06) and found[~late].mean() == pytest.approx(0, abs=.06)

@pytest.mark.parametrize("way", DEAR)
def test_without_any_effect_gains_are_small(way):
    X, _, arm, _ = visits()
    y = (np.random.default_rng(8).random(len(X)) < .3).astype(int)
    assert made(way).fit(X, y, arm).predict(X).a.mean() == pytest.approx(0, abs=.04)

@pytest.mark.parametrize("way", UPLIFT_LEARNERS)
def test_a_fitted_model_answers_what_a_scorer_is_written_from(way):
    X, y, arm, _ = visits(600)
    model = made(way).fit(X, y, arm)
    asked = X[:50]
    assert model.scores(asked).equals(model.predict(asked)) and (model.predict(asked).index == asked.index).all()
    assert list(model.arm_scores()) == ["none", "a"] == list(model.scored_arms(asked))
    assert {id(part.pipeline) for score in model.arm_scores().values() for part in score.parts} == {id(each) for each in model.pipelines().values()}
    assert all(isinstance(part, ArmPart) for score in model.arm_scores().values() for part in score.parts)
    pd.testing.assert_frame_equal(model.predict(asked[::-1])[::-1], model.predict(asked))

@pytest.mark.parametrize("way", DEAR)
def test_the_same_rows_and_seed_give_the_same_gains_whatever_their_index(way):
    X, y, arm, _ = visits(600)
    first, again = (made(way, seed=3).fit(rows, y, np.asarray(arm)).predict(X) for rows in (X, X.reset_index(drop=True)))
    assert first.equals(again)

@pytest.mark.parametrize("way", UPLIFT_LEARNERS)
@pytest.mark.parametrize("change,error,says", [
    (lambda X, y, arm: (X, y, arm.where(arm != "a")), NotLearnable, "rows have no arm"),
    (lambda X, y, arm: (X, y, arm.replace("none", "None")), ParameterError, "Did you mean 'None'"),
    (lambda X, y, arm: (X, y, pd.Series("none", index=arm.index)), NotLearnable, "All 900 rows are in the control"),
    (lambda X, y, arm: (X, y, pd.Series("a", index=arm.index)), ParameterError, "there are: a"),
    (lambda X, y, arm: (X, np.where(np.arange(900) < 3, np.nan, y), arm), NotLearnable, "missing or no finite"),
    (lambda X, y, arm: (X, y*(arm != "a"), arm), NotLearnable, "All 450 customers of arm 'a'"),
    (lambda X, y, arm: (X, y, arm.mask(np.arange(900) < 2, "c")), NotLearnable, "Arm 'c' has 2 customers"),
    (lambda X, y, arm: (X.drop(columns="channel"), y, arm), DataError, "no column channel"),
    (lambda X, y, arm: (X, y[:-1], arm), ValueError, "one entry per row"),
    (lambda X, y, arm: (X, y, arm, dict(none=1.)), ParameterError, "'a' has no chance"),
    (lambda X, y, arm: (X, y, arm, dict(none=.9, a=.9)), DataError, "900 of 900 rows have chances"),
    (lambda X, y, arm: (X, y, arm, pd.DataFrame(dict(none=np.full(900, np.nan), a=.5))), DataError, "have chances that are none"),
    (lambda X, y, arm: (X, y, arm, dict(none=1., a=0.)), DataError, "a 0")])
def test_rows_that_teach_nothing_are_refused(change, error, says, way):
    X, y, arm, _ = visits(900)
    with pytest.raises(error, match=says): made(way).fit(*change(X, y, arm))

@pytest.mark.parametrize("way", UPLIFT_LEARNERS)
def test_a_failed_fit_leaves_the_earlier_models_and_a_clone_has_none(way):
    X, y, arm, _ = visits(600)
    model = made(way).fit(X, y, arm)
    before = model.predict(X)
    with pytest.raises(NotLearnable): model.fit(X, y*(arm != "a"), arm)
    assert model.predict(X).equals(before)
    with pytest.raises(NotFittedError): clone(model).predict(X)

@pytest.mark.parametrize("way", [name for name in UPLIFT_LEARNERS if name in ("x", "dr")])
def test_an_algorithm_of_chances_alone_cannot_learn_gains(way):
    X, y, arm, _ = visits(600)
    with pytest.raises(ParameterError, match="does not predict an amount"): made(way, LOGIT).fit(X, y, arm)

def test_a_way_there_is_not_is_refused_with_those_there_are():
    with pytest.raises(ParameterError, match="known: t, s"): uplift_learner("T-learner")
    assert uplift_learner(None) is UPLIFT_LEARNERS["t"]

def test_recorded_rankings_of_every_way_beat_drawing_lots_in_every_campaign():
    import json
    from pathlib import Path
    recorded = json.loads((Path(__file__).parents[2]/"benchmarks"/"results"/"uplift_learners.json").read_text())
    assert {row["learner"] for row in recorded["results"]} == set(UPLIFT_LEARNERS) and recorded["draws"] >= 30
    for row in recorded["results"]:
        if row["found"]: assert row["found"][0] - 3*row["found"][1] > .1, row
