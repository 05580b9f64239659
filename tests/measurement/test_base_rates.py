"""Base rates that move: against quapy's EM, in closed form, by simulation with a known truth, and where nothing can be told."""
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit
from marketing_mlops.contracts.glossary import term
from marketing_mlops.measurement.base_rates import base_rate_shift, check_rate, correction_table, guessed_base_rate, is_large_move, moved_chances, shift_sentences
from marketing_mlops.measurement.calibration import calibration_slope
from marketing_mlops.measurement.intervals import NotMeasurable

def clients(rng, before, now, n, strength=1.5):
    took = rng.random(n) < now
    score = rng.normal(size=n) + strength*took
    return took, expit(strength*score - strength**2/2 + logit(before))

# quapy 0.2.3, `EMQ.EM(..., epsilon=1e-10)`; made by tests/measurement/oracles/make_base_rate_oracles.py
QUAPY = [dict(seed=1, before=.1, now=.3, n=2000, strength=1.5, guessed=.2854424091469649), dict(seed=2, before=.3, now=.1, n=1500, strength=1., guessed=.07394279854786849),
         dict(seed=3, before=.5, now=.8, n=800, strength=.7, guessed=.9006383265237768), dict(seed=4, before=.05, now=.05, n=3000, strength=2., guessed=.049949238503641545)]

@pytest.mark.parametrize("case", QUAPY, ids=lambda case: f"{case['before']} to {case['now']}")
def test_the_guess_is_where_the_published_steps_end(case):
    _, p = clients(np.random.default_rng(case["seed"]), case["before"], case["now"], case["n"], case["strength"])
    assert guessed_base_rate(p, case["before"]).value == pytest.approx(case["guessed"], abs=1e-6)

def test_two_kinds_of_chances_in_closed_form():
    "Half of those it happens to claim 0.8, one in eight of the others: the share of high claims is linear in the base rate."
    rate_before, high, low = .2, .5, .125
    claim = {True: high*rate_before/(high*rate_before + low*(1-rate_before)), False: (1-high)*rate_before/((1-high)*rate_before + (1-low)*(1-rate_before))}
    p = np.repeat([claim[True], claim[False]], [300, 700])
    assert guessed_base_rate(p, rate_before).value == pytest.approx((.3 - low)/(high - low), abs=1e-8)

@pytest.mark.parametrize("before, now", [(.1, .3), (.4, .2), (.3, .3)])
def test_the_guess_holds_the_true_rate_where_only_the_rate_has_moved(before, now):
    "300 lists each, seed 8."
    rng = np.random.default_rng(8)
    held = sum(e.low <= now <= e.high for e in (guessed_base_rate(clients(rng, before, now, 600)[1], before) for _ in range(300)))
    assert 274 <= held <= 298

def test_moved_chances_sum_up_to_the_new_rate_and_come_back():
    rng = np.random.default_rng(1)
    took, p = clients(rng, .1, .4, 40_000)
    moved = moved_chances(p, .1, .4)
    assert moved.mean() == pytest.approx(.4, abs=.01) and moved_chances(moved, .4, .1) == pytest.approx(p) and (np.argsort(moved) == np.argsort(p)).all()
    assert moved_chances(np.array([0., .5, 1.]), .5, .8).tolist() == pytest.approx([0., .8, 1.])

@pytest.mark.parametrize("rate", [0, 1, 30, -.1])
def test_a_rate_of_nobody_or_everybody_moves_nothing(rate):
    with pytest.raises(ValueError, match="strictly between 0 and 1"): check_rate("rate_now", rate)
    with pytest.raises(ValueError, match="rate_now"): moved_chances(np.array([.2, .3]), .2, rate)

@pytest.mark.parametrize("p, code", [([], "empty"), ([.2]*50, "no_variation")])
def test_without_differences_there_is_no_guess(p, code):
    with pytest.raises(NotMeasurable) as caught: guessed_base_rate(np.array(p), .2)
    assert caught.value.code == code

def test_chances_that_are_all_high_push_the_guess_to_its_edge_and_not_beyond():
    found = guessed_base_rate(np.linspace(.9, .99, 200), .1)
    assert 0 <= found.low < found.value <= found.high <= 1 and found.value > .999

def shift(before=.1, now=.3, timid=1., n=4_000, latest=(200, 2_000), seed=3):
    took, p = clients(np.random.default_rng(seed), before, now, n)
    p = expit(timid*(logit(p) - logit(before)) + logit(before))
    rates = base_rate_shift((int(8_000*before), 8_000), latest, took, p)
    return rates, correction_table(took, p, rates), took, p

def test_what_is_said_follows_from_what_moved():
    rates, mended, *_ = shift()
    said = shift_sentences(rates, mended)
    assert rates.has_moved and is_large_move(rates) and len(said) == 3
    assert "10.0 % of the rows learned from" in said[0] and "agrees with what happened" in said[1] and said[2] == "With the new base rate known the chances would fit."
    timid = shift_sentences(*shift(timid=.3)[:2])
    assert "which is wrong" in timid[1] and "too narrow" in timid[2] and "calibrated anew" in timid[2]
    bold = shift_sentences(*shift(timid=2.)[:2])
    assert "too wide" in bold[2]

def test_one_figure_turned_turns_the_sentence():
    assert shift_sentences(*shift(before=.1, now=.1, seed=4)[:2])[0].startswith("The base rate is not shown to have moved")
    assert len(shift_sentences(*shift(before=.3, now=.34, latest=(600, 2_000))[:2])) == 1      # moved, and by less than a quarter
    seldom = shift_sentences(*shift(before=.4, now=.1, latest=(800, 2_000))[:2])
    assert "0.2" in seldom[0] and len(seldom) == 3

def test_a_correction_moves_the_level_and_never_the_spread():
    rates, mended, took, p = shift(timid=.5)
    assert mended.slope.nunique() == 3 or mended.slope.tolist() == pytest.approx([calibration_slope(took, p).value]*3)
    level = mended.set_index("chances").intercept.abs()
    assert level["moved to what happened"] < level["as claimed"]

def test_rows_that_cannot_tell_are_refused_and_a_one_sided_past_gives_no_guess():
    took, p = clients(np.random.default_rng(3), .1, .3, 500)
    with pytest.raises(NotMeasurable): base_rate_shift((10, 100), (5, 50), np.zeros(500), p)
    with pytest.raises(NotMeasurable): base_rate_shift((0, 100), (0, 50), took, p)
    rates = base_rate_shift((10, 100), (0, 50), took, p)
    assert isinstance(rates.guessed, NotMeasurable) and correction_table(took, p, rates).chances.tolist() == ["as claimed"]
    assert any("could not have been guessed" in line for line in shift_sentences(rates, correction_table(took, p, rates)))

def test_certain_chances_leave_gaps_and_no_wrong_figure():
    rng = np.random.default_rng(5)
    took = rng.random(400) < .5
    p = np.where(rng.random(400) < .3, 1., rng.uniform(.2, .8, 400))
    rates = base_rate_shift((100, 400), (50, 200), took, p)
    mended = correction_table(took, p, rates)
    assert mended.intercept.isna().all() and mended.brier.notna().all() and len(shift_sentences(rates, mended)) >= 1

def test_its_words_are_in_the_glossary(): assert all(term(name).definition for name in ("base_rate", "prior_shift")) and isinstance(correction_table(*shift()[2:], shift()[0]), pd.DataFrame)
