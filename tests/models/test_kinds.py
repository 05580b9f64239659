"""Every kind of model answers the questions a scorer is written from."""
import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from marketing_mlops.models.propensity import PropensityModel
from marketing_mlops.models.uplift_models import TLearner

TREES = dict(name="hist_gradient_boosting", max_iter=5)
RNG = np.random.default_rng(0)
X = pd.DataFrame(dict(recency_days=RNG.integers(0, 90, 200).astype(float)))
ARM = pd.Series(RNG.choice(["none", "mail"], 200))
KINDS = dict(propensity=(lambda: PropensityModel(TREES, ["recency_days"]), lambda model: model.fit(X, RNG.integers(0, 2, 200)), ["probability"]),
             uplift=(lambda: TLearner(TREES, ["recency_days"], [], "none"), lambda model: model.fit(X, RNG.normal(20, 3, 200), ARM), ["mail"]))

@pytest.mark.parametrize("made, fit, columns", KINDS.values(), ids=KINDS)
def test_a_fitted_model_names_its_pipelines_and_scores_rows_in_their_order(made, fit, columns):
    model, asked = fit(made()), X[150:].set_axis(range(900, 950))
    assert model.pipelines() and all(isinstance(each, Pipeline) for each in model.pipelines().values())
    scores = model.scores(asked)
    assert scores.columns.tolist() == columns and scores.index.tolist() == asked.index.tolist()
    pd.testing.assert_frame_equal(model.scores(asked[::-1])[::-1], scores)

@pytest.mark.parametrize("made, fit, columns", KINDS.values(), ids=KINDS)
def test_a_model_that_is_not_fitted_answers_neither(made, fit, columns):
    for question in (lambda model: model.pipelines(), lambda model: model.scores(X)):
        with pytest.raises(NotFittedError): question(made())
