"""Calibration of predicted gains: against statsmodels, by simulation, and where it is refused."""
import numpy as np
import pytest
from marketing_mlops.measurement.intervals import NotMeasurable
from marketing_mlops.measurement.uplift_calibration import gain_slope, gains_by_group, uplift_calibration
from marketing_mlops.measurement.uplift_curves import scored_rows
from marketing_mlops.measurement.uplift_tests import witnessed_gains

def draw(seed, n=3_000, even=True):
    rng = np.random.default_rng(seed)
    x = rng.random(n)
    chance = np.full(n, .5) if even else np.where(x > .5, .7, .35)
    treated = rng.random(n) < chance
    return x, treated, (rng.random(n) < .1 + .2*x + .3*x*treated).astype(float), chance

@pytest.mark.parametrize("even", [True, False])
def test_slope_and_interval_are_those_of_a_robust_regression_in_statsmodels(even):
    sm = pytest.importorskip("statsmodels.api")
    x, treated, y, chance = draw(1, even=even)
    rows = scored_rows(.3*x, treated, y, chance)
    fit = sm.OLS(witnessed_gains(rows), sm.add_constant(rows.score)).fit(cov_type="HC1", use_t=True)
    found = gain_slope(rows)
    assert (found.value, found.low, found.high) == pytest.approx((fit.params[1], *fit.conf_int()[1]), rel=1e-8)

def test_the_slope_is_one_for_true_gains_and_scales_with_boldness():
    x, treated, y, _ = draw(2, 20_000)
    honest, bold = (gain_slope(scored_rows(k*x, treated, y)) for k in (.3, .9))
    assert honest.low < 1 < honest.high and bold.value == pytest.approx(honest.value/3) and bold.high < 1

def test_groups_hold_every_customer_once_and_never_part_equal_predictions():
    x, treated, y, _ = draw(3)
    table = gains_by_group(scored_rows(x.round(1), treated, y), n_groups=4)
    assert table["n"].sum() == len(x) and table["predicted"].is_monotonic_increasing and (table["low"] < table["gained"]).all()

def test_one_group_is_the_whole_campaign():
    x, treated, y, _ = draw(4)
    (row,) = gains_by_group(scored_rows(x, treated, y), n_groups=1).to_dict("records")
    assert row["gained"] == pytest.approx(y[treated].mean()-y[~treated].mean()) and row["predicted"] == pytest.approx(x.mean())

def test_the_shift_is_the_gain_less_the_prediction():
    x, treated, y, _ = draw(5)
    found = uplift_calibration(.3*x+.5, treated, y)
    assert found.shift.value == pytest.approx(y[treated].mean()-y[~treated].mean()-.3*x.mean()-.5) and found.shift.high < 0
    assert "below the prediction" in found.sentence

def test_the_sentence_follows_the_figures():
    x, treated, y, _ = draw(6, 20_000)
    said = {k: uplift_calibration(k*x, treated, y).sentence for k in (.3, 1.5, .05)}
    assert "as wide as they should be" in said[.3] and "too wide" in said[1.5] and "too narrow" in said[.05]

@pytest.mark.parametrize("predicted,treated,outcome,says", [
    (np.ones(400), np.arange(400) % 2 == 0, np.arange(400) % 3 == 0, "ranks nobody"), (np.arange(400.), np.ones(400, bool), np.arange(400) % 3 == 0, "control has 0"),
    (np.arange(400.), np.arange(400) % 2 == 0, np.arange(400) < 12, "30 are needed"), (np.arange(400.), np.arange(400) % 2 == 0, np.zeros(400), "Nobody did it in either arm"),
    (np.arange(400.), np.arange(400) % 2 == 0, np.ones(400), "Everybody did it in either arm")])
def test_what_cannot_be_calibrated_is_refused(predicted, treated, outcome, says):
    with pytest.raises(NotMeasurable, match=says): uplift_calibration(predicted, treated, outcome.astype(float))
