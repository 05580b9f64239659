"""Gains equal those of econml, causalml and scikit-uplift, recorded by oracles/make_uplift_learner_oracles.py, where the definitions agree."""
import importlib.util, json
from pathlib import Path
import numpy as np
import pandas as pd
import pytest
from marketing_mlops.models.arm_scores import ArmPart
from marketing_mlops.models.crossed_outcomes import crossed_outcomes
from marketing_mlops.models.doubly_robust import DRLearner, doubly_robust_gains
from marketing_mlops.models.uplift_learners import UPLIFT_LEARNERS
from marketing_mlops.models.uplift_rows import fit_part, learnable_rows

ORACLES = Path(__file__).parent/"oracles"
LINE = {"name": "linear_regression", "alpha": 1e-6}

def told(name): return json.loads((ORACLES/f"{name}.json").read_text())

@pytest.fixture(scope="module")
def shop():
    "The customers the other software was asked about."
    found = importlib.util.spec_from_file_location("uplift_learner_oracles", ORACLES/"make_uplift_learner_oracles.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    x, arm, y, chances = module.customers()
    return pd.DataFrame(x, columns=["x0", "x1"]), np.array(module.ARMS)[arm], y, pd.DataFrame(chances, columns=module.ARMS)

def made(way): return UPLIFT_LEARNERS[way].model(LINE, ["x0", "x1"], [], "none")

def apart(found, expected): return np.abs(found.to_numpy()[::10].T - np.array(expected)).max()

@pytest.mark.parametrize("way", ["t", "s", "x"])
def test_gains_equal_those_of_econml(shop, way):
    X, arm, y, _ = shop
    assert apart(made(way).fit(X, y, arm).predict(X), told("econml")[way]) < 1e-6

@pytest.mark.parametrize("way", ["t", "x"])
def test_gains_equal_those_of_causalml(shop, way):
    X, arm, y, _ = shop
    assert apart(made(way).fit(X, y, arm).predict(X), told("causalml")[way]) < 1e-6

@pytest.mark.parametrize("i, name", list(enumerate(["a", "b"])))
def test_the_single_model_of_one_arm_and_the_control_equals_that_of_causalml(shop, i, name):
    "causalml fits one model for each pair; ours and econml's learns from all arms at once."
    X, arm, y, _ = shop
    pair = np.isin(arm, ["none", name])
    assert apart(made("s").fit(X[pair], y[pair], arm[pair]).predict(X), told("causalml")["s"][i:i+1]) < 1e-6

def test_doubly_robust_gains_under_chances_that_differ_equal_those_of_econml(shop):
    "In econml's folds, which are cut in the order of the rows."
    X, arm, y, chances = shop
    model = made("dr")
    rows = learnable_rows(model, X, y, arm, chances)
    estimates = doubly_robust_gains(rows, crossed_outcomes(model, rows, np.repeat(np.arange(5), len(X)//5)))
    equally = np.ones(len(X))
    found = {name: ArmPart(fit_part(model, rows, equally > 0, estimates[name].to_numpy(), weights=equally)).values(rows.frame) for name in rows.arms}
    assert apart(pd.DataFrame(found), told("econml")["dr"]) < 1e-6

def test_class_transformation_equals_that_of_scikit_uplift(shop):
    X, *_ = shop
    recorded, treated = told("sklift"), np.where(np.arange(len(X)) % 2, "mail", "none")
    model = UPLIFT_LEARNERS["class_transformation"].model({"name": "logistic_regression", "max_iter": 10_000}, ["x0", "x1"], [], "none")
    assert apart(model.fit(X, recorded["visit"], treated).predict(X), recorded["class_transformation"]) < 1e-4
