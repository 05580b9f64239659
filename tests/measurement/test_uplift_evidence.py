"""All figures about one arm from one call, and rows that are refused."""
import numpy as np
import pandas as pd
import pytest
from marketing_mlops.measurement.intervals import Estimate, NotMeasurable
from marketing_mlops.measurement.uplift_curves import qini_curve, uplift_at
from marketing_mlops.measurement.uplift_evidence import uplift_evidence
from marketing_mlops.measurement.uplift_tests import ranking_test
from marketing_mlops.measurement.unseen_rows import rows_seen
from marketing_mlops.workspace.errors import DataError

def campaign(seed=1, n=3_000, rising=.3):
    rng = np.random.default_rng(seed)
    x, arm = rng.random(n), rng.choice(["none", "a", "b"], n)
    return pd.DataFrame(dict(customer_id=np.arange(n), arm=arm, label=(rng.random(n) < .1 + rising*x*(arm == "a")).astype(float), gain_a=rising*x, gain_b=rng.random(n), split="held_out"))

def test_the_evidence_is_what_each_page_says_of_the_arm_and_its_control_alone():
    rows = campaign()
    found, part = uplift_evidence(rows, "a", "none"), rows[rows.arm != "b"]
    asked = part.gain_a.to_numpy(), (part.arm == "a").to_numpy(), part.label.to_numpy()
    assert found.figures["qini"] == qini_curve(*asked).coefficient and found.best == uplift_at(*asked, .3) and found.test == ranking_test(*asked)

def test_the_sentence_says_what_the_p_value_says():
    rows = campaign()
    knows, blind = (uplift_evidence(rows.assign(gain_a=gain), "a", "none") for gain in (rows.gain_a, rows.gain_b))
    assert knows.test.p_value <= .05 and "knows who gains (p" in knows.sentence
    assert blind.test.p_value > .05 and "is not told from" in blind.sentence

def test_chances_of_a_plan_with_three_arms_undo_its_preference():
    rng, rows = np.random.default_rng(2), campaign(2, 20_000)
    good = rng.random(len(rows)) < .5
    plan = pd.DataFrame(dict(none=np.where(good, .2, .6), a=np.where(good, .6, .2), b=.2))
    rows["arm"] = np.where((u := rng.random(len(rows))) < plan.none, "none", np.where(u < plan.none+plan.a, "a", "b"))
    rows["label"] = (rng.random(len(rows)) < .05 + .3*good + .2*rows.gain_a*(rows.arm == "a")).astype(float)
    rows["gain_a"] *= .2
    plain, weighed = (uplift_evidence(rows, "a", "none", chances=each).figures["gain_shift"] for each in (None, plan))
    assert plain.low > 0 and weighed.low < 0 < weighed.high

@pytest.mark.parametrize("change,arm,learned_from,says", [
    (lambda r: r.assign(split="train"), "a", None, "were not held out"), (lambda r: r.drop(columns="split"), "a", None, "Nothing says"),
    (lambda r: r, "a", rows_seen(campaign()), "learned from about"), (lambda r: r, "a", campaign()[:1], "learned from 1 row"),
    (lambda r: r, "c", None, "no column 'gain_c'"), (lambda r: r.drop(columns="arm"), "a", None, "no column 'arm'")])
def test_rows_that_may_have_been_learned_from_or_are_no_campaign_give_no_evidence(change, arm, learned_from, says):
    with pytest.raises(DataError, match=says): uplift_evidence(change(campaign()), arm, "none", learned_from=learned_from)

@pytest.mark.parametrize("change", [lambda r: r.assign(gain_a=.1), lambda r: r[r.arm != "none"], lambda r: r[r.arm != "a"], lambda r: r.assign(label=0.).iloc[:3]])
def test_constant_scores_and_missing_arms_are_not_measurable_and_never_zero(change):
    found = uplift_evidence(change(campaign()), "a", "none")
    assert all(isinstance(each, NotMeasurable) for each in found.figures.values()) and "cannot be said" in found.sentence

def test_an_outcome_nobody_has_gives_no_figure_at_all():
    found = uplift_evidence(campaign().assign(label=0.), "a", "none")
    assert all(isinstance(each, NotMeasurable) for each in (found.test, found.calibration, found.curve, *found.figures.values()))

def test_the_sentence_counts_the_deals_the_p_value_counts():
    found = uplift_evidence(campaign(), "b", "none").test
    assert found.p_value == (1 + found.as_good)/(1 + found.draws)
