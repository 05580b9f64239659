"""Log loss beside money: closed forms, and what must not be said."""
import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import ttest_rel
from sklearn.metrics import log_loss
from marketing_mlops.measurement.intervals import NotMeasurable
from marketing_mlops.measurement.loss_and_profit import ContactTerms, contact_profits, loss_and_profit, loss_profit_sentence, profit_gain
from marketing_mlops.measurement.paired_models import log_losses

RNG = np.random.default_rng(2)
ODDS = RNG.normal(-1, 1, 3_000)
HAPPENED, RIGHT = RNG.random(3_000) < expit(ODDS), expit(ODDS)
BLURRED, TERMS = expit(ODDS + RNG.normal(0, 1, 3_000)), ContactTerms(10, 3)

def test_log_loss_is_that_of_scikit_learn():
    assert log_losses(HAPPENED, BLURRED).mean() == pytest.approx(log_loss(HAPPENED, BLURRED), abs=1e-12)

def test_the_profit_gain_is_a_paired_t_of_profits():
    found = profit_gain(HAPPENED, RIGHT, BLURRED, TERMS)
    expected = ttest_rel(contact_profits(HAPPENED, RIGHT, TERMS), contact_profits(HAPPENED, BLURRED, TERMS))
    assert [found.estimate.low, found.estimate.high] == pytest.approx(expected.confidence_interval(), abs=1e-9) and found.p_value == pytest.approx(expected.pvalue)

def test_the_true_chances_are_not_beaten_by_blurred_ones():
    assert loss_and_profit(HAPPENED, RIGHT, {"blurred": BLURRED}, TERMS)[0].reading == "neither"
    assert loss_and_profit(HAPPENED, BLURRED, {"right": RIGHT}, TERMS)[0].reading == "both"

def test_the_same_model_is_neither_better_nor_measured_as_zero():
    found = loss_and_profit(HAPPENED, RIGHT, {"copy": RIGHT.copy()}, TERMS)
    assert found[0].reading == "neither" and isinstance(found[0].profit, NotMeasurable) and loss_profit_sentence(found) == "Copy claims the same chances, so it earns the same."

def test_a_profit_nobody_can_tell_takes_nothing_away_from_a_log_loss_that_is_better():
    found = loss_and_profit(HAPPENED, BLURRED, {"right": RIGHT}, ContactTerms(150, 1))            # nearly everybody pays, so hardly anybody tells the two apart
    assert found[0].sides == ("above", "unknown") and found[0].profit.code == "too_few"
    assert loss_profit_sentence(found) == "Right is closer to the truth for certain; whether it earns more or less cannot be told."

def test_a_model_that_is_farther_from_the_truth_is_called_so():
    assert loss_profit_sentence(loss_and_profit(HAPPENED, RIGHT, {"blurred": BLURRED}, TERMS)).startswith("Blurred is farther from the truth for certain, and earns less for certain.")

def test_a_chance_of_zero_for_what_happened_makes_the_reading_unknown():
    found = loss_and_profit(HAPPENED, RIGHT, {"certain": np.where(HAPPENED & (RIGHT < .2), 0., RIGHT)}, TERMS)
    assert found[0].reading == "unknown" and found[0].loss.code == "impossible_happened"

@pytest.mark.parametrize("p", [np.full(3_000, np.nan), np.full(3_000, 1.2)])
def test_what_is_no_chance_is_refused(p):
    with pytest.raises(ValueError): loss_and_profit(HAPPENED, RIGHT, {"broken": p}, TERMS)

def test_labels_of_one_kind_are_refused():
    with pytest.raises(NotMeasurable): loss_and_profit(np.zeros(3_000), RIGHT, {"blurred": BLURRED}, TERMS)
