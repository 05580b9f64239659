"""Gains as other people's software predicts them, recorded for tests: run each part in an environment of its own.

    pip install econml                       &&  python make_uplift_learner_oracles.py econml
    pip install causalml scikit-uplift       &&  python make_uplift_learner_oracles.py causalml sklift

The customers are made by formulas, so that both sides have the same without a shared source of chance.
"""
import json, sys
from importlib.metadata import version
from pathlib import Path
import numpy as np
from sklearn.linear_model import LinearRegression, LogisticRegression

HERE = Path(__file__).resolve().parent
ARMS = ("none", "a", "b")

def customers(n=600):
    i = np.arange(n)
    x = np.column_stack([((37*i) % 101)/10, ((13*i + 5) % 29)/3])
    likely = x[:, 1] > 5
    chances = np.column_stack([np.where(likely, .2, .5), np.where(likely, .5, .3), np.where(likely, .3, .2)])
    arm = (np.cumsum(chances, axis=1) <= ((71*i + 13) % 100 + .5)[:, None]/100).sum(axis=1)
    y = 3 + x[:, 0] - 2*x[:, 1] + np.choose(arm, [0*x[:, 0], 4 - x[:, 0], .5*x[:, 1]]) + ((i*i*7) % 23)/5 - 2.2
    return x, arm, y, chances

def write(name, libraries, **answer):
    answer |= {way: np.asarray(found)[:, ::10].tolist() for way, found in answer.items() if way != "visit"}   # every tenth customer is enough
    answer["versions"] = {library: version(library) for library in (*libraries, "scikit-learn", "numpy")}
    (HERE/f"{name}.json").write_text(json.dumps(answer, indent=1, sort_keys=True)+"\n")

def gains(model, x): return [np.ravel(model.effect(x, T0=0, T1=arm)).tolist() for arm in (1, 2)]

class PerArm:
    "One straight line for each arm; econml hands over features and, after them, the treated arms as zeros and ones."
    def fit(self, X, y, sample_weight=None):
        self.lines = [LinearRegression().fit(X[rows, :2], np.ravel(y)[rows]) for rows in self._arms(X)]
        return self
    def _arms(self, X): return [X[:, -2:].sum(axis=1) < .5, X[:, -2] > .5, X[:, -1] > .5]
    def predict(self, X): return np.select(self._arms(X), [line.predict(X[:, :2]) for line in self.lines])
    def get_params(self, deep=True): return {}
    def set_params(self, **none): return self

class Planned:
    "The chances of the plan, whatever was drawn."
    def fit(self, X, T, sample_weight=None): self.classes_ = np.arange(3); return self
    def predict_proba(self, X):
        likely = (X[:, 1] > 5)[:, None]
        return np.where(likely, [[.2, .5, .3]], [[.5, .3, .2]])
    def score(self, X, T): return 0.
    def get_params(self, deep=True): return {}
    def set_params(self, **none): return self

def econml():
    from econml.dr import DRLearner
    from econml.metalearners import SLearner, TLearner, XLearner
    from sklearn.dummy import DummyClassifier
    from sklearn.model_selection import KFold
    x, arm, y, _ = customers()
    learned = dict(t=TLearner(models=LinearRegression()), s=SLearner(overall_model=LinearRegression()),
                   x=XLearner(models=LinearRegression(), propensity_model=DummyClassifier(strategy="prior")))
    answer = {name: gains(model.fit(y, arm, X=x), x) for name, model in learned.items()}
    folds = list(KFold(5, shuffle=False).split(x))
    robust = DRLearner(model_regression=PerArm(), model_propensity=Planned(), model_final=LinearRegression(), min_propensity=1e-6, cv=folds)
    answer["dr"] = gains(robust.fit(y, arm, X=x), x)
    write("econml", ["econml"], **answer)

def causalml():
    from causalml.inference.meta import BaseSRegressor, BaseTRegressor, BaseXRegressor
    x, arm, y, _ = customers()
    named, line = np.array(ARMS)[arm], LinearRegression()
    pairs = {name: np.full(len(y), float((arm == i + 1).sum()/((arm == i + 1) | (arm == 0)).sum())) for i, name in enumerate(ARMS[1:])}
    answer = dict(t=BaseTRegressor(learner=line, control_name="none").fit_predict(X=x, treatment=named, y=y).T.tolist(),
                  s=BaseSRegressor(learner=line, control_name="none").fit_predict(X=x, treatment=named, y=y).T.tolist(),
                  x=BaseXRegressor(learner=line, control_name="none").fit_predict(X=x, treatment=named, y=y, p=pairs).T.tolist())
    write("causalml", ["causalml"], **answer)

def sklift():
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklift.models import ClassTransformation
    x, _, y, _ = customers()
    treated, visit = np.arange(len(y)) % 2, (y + 3*(np.arange(len(y)) % 2)*(x[:, 0] > 5) > np.median(y)).astype(int)
    model = ClassTransformation(make_pipeline(StandardScaler(), LogisticRegression(C=1., max_iter=10_000, tol=1e-10))).fit(x, visit, treated)
    write("sklift", ["scikit-uplift"], visit=visit.tolist(), class_transformation=[np.ravel(model.predict(x)).tolist()])

if __name__ == "__main__":
    for part in sys.argv[1:]: globals()[part]()
