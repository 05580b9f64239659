"""The same rows, settings and seed give the same model to the last bit, in another process too."""
import os, subprocess, sys
import pytest

pytestmark = pytest.mark.edges

FIT = """
import hashlib, numpy as np, pandas as pd
from marketing_mlops.models.propensity import PropensityModel
from marketing_mlops.models.uplift_learners import UPLIFT_LEARNERS
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
for way in ("s", "x", "dr", "class_transformation"):
    print(digest(UPLIFT_LEARNERS[way].model({"name": "hist_gradient_boosting", "max_iter": 5}, names, ["channel"], "none").fit(X[:900], y[:900], arm[:900]).predict(X)))
"""

def fitted(threads):
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE", "PYTHONHASHSEED": "random"}
    return subprocess.run([sys.executable, "-c", FIT], env=environment, capture_output=True, text=True, check=True).stdout

@pytest.mark.slow
def test_two_processes_fit_the_same_model_to_the_bit_whatever_threads_the_environment_gives():
    first = fitted(2)
    assert len(first.splitlines()) == 8 and fitted(2) == first and fitted(1) == first

FORK = FIT + """
import os, time
child = os.fork()
if not child:
    from sklearn.ensemble import HistGradientBoostingClassifier
    HistGradientBoostingClassifier(max_iter=5).fit(X[names], y)
    os._exit(0)
for _ in range(600):
    if (ended := os.waitpid(child, os.WNOHANG))[0]: break
    time.sleep(.1)
else: os.kill(child, 9); os.waitpid(child, 0); ended = (0, "hangs")
print(ended[1])
"""

@pytest.mark.slow
def test_a_process_that_has_fitted_can_be_forked():
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE"}
    assert subprocess.run([sys.executable, "-c", FORK], env=environment, capture_output=True, text=True, check=True).stdout.split()[-1] == "0"
