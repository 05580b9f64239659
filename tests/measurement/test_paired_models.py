"""Two scores on the same customers: what others compute, and what must hold for any scores."""
import json, math
from pathlib import Path
import numpy as np
import pytest
from marketing_mlops.measurement.auc import placements
from marketing_mlops.measurement.intervals import NotMeasurable
from marketing_mlops.measurement.paired_models import auc_difference, loss_difference, paired_bootstrap, squared_losses

RECORDED = json.loads((Path(__file__).parent/"oracles"/"paired_models.json").read_text())
HAPPENED, FIRST, SECOND = (np.array(RECORDED["data"][name]) for name in ("happened", "first", "second"))
LOSSES = [squared_losses(HAPPENED, np.clip(score/2, 0, 1)) for score in (FIRST, SECOND)]

def test_delongs_error_is_that_of_another_implementation():
    found = auc_difference(HAPPENED, FIRST, SECOND)
    below, above = (a-b for a, b in zip(placements(HAPPENED == 1, FIRST), placements(HAPPENED == 1, SECOND)))
    error = math.sqrt(below.var(ddof=1)/len(below) + above.var(ddof=1)/len(above))
    assert abs(found.estimate.value/error) == pytest.approx(RECORDED["delong"]["z"], abs=1e-6)
    assert RECORDED["delong"]["p"] <= found.p_value < 2*RECORDED["delong"]["p"]        # theirs is normal, ours Student's t

def test_a_difference_of_losses_is_scipys_paired_t():
    found = loss_difference(*LOSSES)
    assert [found.estimate.low, found.estimate.high] == pytest.approx(RECORDED["paired_t"]["interval"], abs=1e-9)
    assert found.p_value == pytest.approx(RECORDED["paired_t"]["p"], rel=1e-6)

def test_the_paired_bootstrap_is_near_scipys():
    found = paired_bootstrap(lambda scores: lambda times: np.average((np.clip(scores/2, 0, 1)-HAPPENED)**2, weights=times), FIRST, SECOND).estimate
    assert [found.low, found.high] == pytest.approx(RECORDED["bootstrap"], abs=.1*(found.high-found.low))

def test_only_the_order_of_scores_counts_for_the_auc():
    plain, bent = auc_difference(HAPPENED, FIRST, SECOND), auc_difference(HAPPENED, np.exp(FIRST), SECOND**3)
    assert bent == plain

def test_two_scores_without_knowledge_are_rarely_told_apart():
    rng, n_found = np.random.default_rng(11), 0
    for _ in range(300):
        happened = np.arange(300) < 40
        n_found += auc_difference(happened, *rng.normal(size=(2, 300))).p_value < .05
    assert 5 <= n_found <= 26

@pytest.mark.parametrize("n_happened", [1, 19])
def test_few_outcomes_are_no_ground_for_a_comparison(n_happened):
    happened, rng = np.arange(500) < n_happened, np.random.default_rng(3)
    with pytest.raises(NotMeasurable) as refused: auc_difference(happened, *rng.normal(size=(2, 500)))
    assert refused.value.code == "too_few"

def test_constant_scores_are_never_called_equal_with_certainty():
    with pytest.raises(NotMeasurable): auc_difference(HAPPENED, np.full(len(HAPPENED), .5), np.full(len(HAPPENED), .2))
    with pytest.raises(ValueError): auc_difference(HAPPENED, np.where(HAPPENED, np.nan, FIRST), SECOND)
