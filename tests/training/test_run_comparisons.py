"""Two runs on the same rows: what must hold whatever the rows, their order, or the number of arms."""
import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from marketing_mlops.measurement.intervals import NotMeasurable
from marketing_mlops.training.run_comparisons import ComparisonPlan, compare_runs, compared_figures
from marketing_mlops.training.scored_runs import ScoredRun, changed_share, same_rows, treatment_of
from marketing_mlops.workspace.errors import DataError

def churn(n=1_500, seed=3):
    rng = np.random.default_rng(seed)
    habit = rng.normal(0, 1, n)
    rows = pd.DataFrame(dict(customer_id=[f"c{i:05d}" for i in range(n)], cutoff=pd.Timestamp("2026-03-31", tz="UTC"), split="held_out", label=(rng.random(n) < expit(habit-1)).astype(int)))
    return rows, rng, [ScoredRun(name, "propensity", rows.assign(score=expit(habit + rng.normal(0, noise, n) - 1))) for name, noise in (("new", .3), ("old", 1.5))]

@pytest.mark.slow
def test_the_order_of_the_rows_and_of_their_index_changes_nothing():
    rows, rng, (new, old) = churn()
    shuffled = ScoredRun("old", "propensity", old.held_out.sample(frac=1, random_state=1).set_axis(range(7, 7+len(rows))))
    plain, other = (compare_runs(same_rows(new, each)) for each in (old, shuffled))
    assert plain.to_dict() == other.to_dict()

def test_first_and_second_say_the_opposite_of_each_other():
    rows, rng, (new, old) = churn()
    one, other = (compare_runs(same_rows(*each)) for each in ((new, old), (old, new)))
    assert (one.verdict.status, other.verdict.status) == ("pass", "fail")
    assert {each.better for each in one.figures} <= {"first", "open"} and {each.better for each in other.figures} <= {"second", "open"}

def test_ties_at_the_edge_do_not_look_like_a_change():
    rows, _, _ = churn()
    tied = [ScoredRun(name, "propensity", rows.assign(score=.5)) for name in ("a", "b")]
    assert changed_share(same_rows(*tied)).value == 0 and (treatment_of(tied[0]) == "contacted").sum() == 150

def test_scores_that_say_nothing_are_not_measurable_and_never_equal():
    rows, _, (new, _) = churn()
    found = compare_runs(same_rows(new, ScoredRun("constant", "propensity", rows.assign(score=.5))))
    assert not isinstance(found.figures[0].first, NotMeasurable) and isinstance(found.figures[0].second, NotMeasurable)
    assert found.verdict.status in ("pass", "unknown")

def test_two_models_that_give_everybody_one_score_are_no_result_that_was_repeated():
    rows, _, _ = churn()
    found = compare_runs(same_rows(*(ScoredRun(name, "propensity", rows.assign(score=.5)) for name in ("a", "b"))))
    assert not found.is_same_model and found.verdict.status != "pass"

def test_a_recalibrated_model_has_the_same_order_and_other_chances():
    rows, _, (new, _) = churn()
    found = compare_runs(same_rows(ScoredRun("recalibrated", "propensity", rows.assign(score=new.held_out.score/2)), new))
    better = {each.name: each.better for each in found.figures}
    assert (found.verdict.status, better["auc"], better["log_loss"]) == ("review", "same", "second") and "in the same order" in found.sentence

def test_runs_that_disagree_about_an_arm_are_refused():
    rows, rng, _ = churn()
    mails = [ScoredRun(name, "uplift", rows.assign(arm=arm, spend=1., chosen="mail"), "none") for name, arm in (("a", "mail"), ("b", "none"))]
    with pytest.raises(DataError, match="disagree about arm"): same_rows(*mails)

def test_several_arms_are_compared_by_profit_and_have_no_single_curve():
    rows, rng, _ = churn(4_000)
    arms = rng.choice(["none", "mail", "letter"], len(rows))
    spend = np.maximum(0, rng.normal(5, 8, len(rows))) + 2*(arms == "mail")
    base = rows.assign(arm=arms, spend=spend, label=spend, gain_mail=rng.random(len(rows)), gain_letter=rng.random(len(rows)))
    runs = [ScoredRun(name, "uplift", base.assign(chosen=chosen), "none") for name, chosen in (("mails", "mail"), ("letters", "letter"))]
    plan = ComparisonPlan("profit", experiment=dict(control="none", arms=dict(none=1/3, mail=1/3, letter=1/3), currency="EUR"), economics=dict(margin=.5, contact_cost=.1))
    figures = {each.name: each for each in compared_figures(same_rows(*runs), plan)}
    assert figures["profit"].better == "first" and figures["qini"].better == "unknown" and "one curve belongs to one arm" in figures["qini"].difference.problem
