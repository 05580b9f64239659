"""The same rows, settings and seed give the same model to the last bit, in another process too."""
import os, subprocess, sys
import pytest

FIT = """
import hashlib, numpy as np, pandas as pd
from marketing_mlops.models.propensity import PropensityModel
from marketing_mlops.models.uplift_models import TLearner
rng = np.random.default_rng(0); n = 3_000
X = pd.DataFrame({f"f{i}": rng.gamma(1, 100, n) for i in range(6)}).mask(rng.random((n, 6)) < .05)
X["channel"] = rng.choice(["search", "social", ""], n)
y = (rng.random(n) < 1/(1+np.exp(1-X["f0"].fillna(0)/100))).astype(int)
arm, names = np.resize(["none", "a", "b"], n), [f"f{i}" for i in range(6)]
def digest(values): return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()
for name in ("hist_gradient_boosting", "logistic_regression"):
    model = PropensityModel({"name": name}, names, ["channel"], seed=3).fit(X, y)
    print(digest(model.predict_proba(X)), *(each.hex() for each in model.sigmoid_))
for name in ("hist_gradient_boosting", "linear_regression"): print(digest(TLearner({"name": name}, names, ["channel"], "none").fit(X, y*X["f1"].fillna(0), arm).predict(X)))
"""

def fitted(threads):
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE", "PYTHONHASHSEED": "random"}
    return subprocess.run([sys.executable, "-c", FIT], env=environment, capture_output=True, text=True, check=True).stdout

@pytest.mark.parametrize("threads", [1, 2])
def test_two_processes_fit_the_same_model_to_the_bit(threads):
    first = fitted(threads)
    assert len(first.splitlines()) == 4 and fitted(threads) == first
