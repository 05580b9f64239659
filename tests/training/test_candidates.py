"""What may reach a fitted model, and what must not."""
import numpy as np
import pandas as pd
import pytest
from marketing_mlops.features.short_windows import ShortWindow
from marketing_mlops.training.candidates import ESTIMATORS, fit_candidate
from marketing_mlops.training.model_specs import TASK_RULES
from marketing_mlops.features.task_rows import ROWS_FOR
from marketing_mlops.workspace.errors import DataError, ParameterError
from drawn_customers import CHURN, FEATURES, MAIL, TREES, churn_rows, drawn, mail_rows, mailed

def scores(candidate): return candidate.held_out.filter(regex="^(score|gain_|chosen)")

def test_a_feature_that_betrays_the_held_out_answers_is_worth_nothing(kind):
    draw, rows_of, spec = kind
    frame = draw()
    betrayed = frame.assign(betrays=frame.label.astype(float).where(frame.split == "held_out", 0.))
    silent = frame.assign(betrays=0.)
    told, untold = (fit_candidate(rows_of(each, [*FEATURES, "betrays"]), spec) for each in (betrayed, silent))
    pd.testing.assert_frame_equal(scores(told), scores(untold))

def test_a_feature_that_names_the_held_out_rows_is_worth_nothing(kind):
    draw, rows_of, spec = kind
    frame = draw()
    marked = frame.assign(is_held_out=(frame.split == "held_out").astype(float))
    pd.testing.assert_frame_equal(scores(fit_candidate(rows_of(marked, [*FEATURES, "is_held_out"]), spec)),
                                  scores(fit_candidate(rows_of(frame.assign(is_held_out=0.), [*FEATURES, "is_held_out"]), spec)))

def test_nonsense_in_the_held_out_rows_changes_neither_model_nor_facts(kind):
    draw, rows_of, spec = kind
    frame = draw()
    held, probe = frame.split == "held_out", frame[FEATURES].head(50)
    wrong = frame.assign(label=frame.label.where(~held, frame.label.iloc[::-1].to_numpy()), orders_90d=frame.orders_90d.where(~held, 1e6),
                         country=frame.country.where(~held, "XX").astype("str"))
    if "spend" in wrong: wrong["spend"] = wrong.spend.where(~held, 1e5*(wrong.arm == "none"))
    right, fooled = fit_candidate(rows_of(frame), spec), fit_candidate(rows_of(wrong), spec)
    pd.testing.assert_frame_equal(right.estimator.scores(probe), fooled.estimator.scores(probe))
    assert right.facts == fooled.facts

def test_each_held_out_row_is_scored_by_itself_and_in_its_place(kind):
    draw, rows_of, spec = kind
    frame = draw()
    alone = frame[(frame.split == "train") | (frame.index >= 890)].reset_index(drop=True)
    whole, few = fit_candidate(rows_of(frame), spec).held_out, fit_candidate(rows_of(alone), spec).held_out
    assert few.customer_id.tolist() == frame.customer_id[890:].tolist()
    pd.testing.assert_frame_equal(few, whole[-10:].reset_index(drop=True))

def test_same_inputs_give_the_same_candidate(kind):
    draw, rows_of, spec = kind
    first, second = (fit_candidate(rows_of(draw()), spec, seed=3) for _ in range(2))
    pd.testing.assert_frame_equal(first.held_out, second.held_out)
    assert first.facts == second.facts and first.task == second.task == spec["task"]

def test_rows_out_of_the_order_of_time_are_refused(kind):
    draw, rows_of, spec = kind
    with pytest.raises(DataError, match="not in the order of time, first in rows .300"): fit_candidate(rows_of(draw().iloc[::-1].reset_index(drop=True)), spec)

@pytest.mark.parametrize("algorithm", [dict(name="logistic_regression"), TREES], ids=lambda each: each["name"])
def test_chances_are_held_true_on_the_latest_rows_to_learn_from(algorithm):
    "In the last quarter before the held-out period nearly everybody leaves; chances of the period after it are higher for that."
    frame, rng = drawn(), np.random.default_rng(1)
    late = (frame.index >= 450) & (frame.split == "train")
    worse = frame.assign(label=frame.label.where(~late, (rng.random(len(frame)) < np.where(frame.recency_days > 90, .97, .8)).astype(int)))
    same_answers_earlier = worse.assign(label=np.r_[worse.label[450:600], worse.label[:450], worse.label[600:]],
                                        recency_days=np.r_[worse.recency_days[450:600], worse.recency_days[:450], worse.recency_days[600:]])
    now, before = (fit_candidate(churn_rows(each, ["recency_days"]), CHURN | dict(algorithm=algorithm)).held_out.score.mean() for each in (worse, same_answers_earlier))
    assert now > before + .1

def test_windows_shorter_than_their_name_travel_with_the_candidate():
    from dataclasses import replace
    short = ShortWindow("orders_90d", 90, 41, 300)
    assert fit_candidate(replace(churn_rows(drawn()), short_windows=(short,)), CHURN).facts == dict(n_training=600, answers_until=None, short_windows=[short.to_dict()])

@pytest.mark.parametrize("split, what", [("train", "judge the model by"), ("held_out", "learn from")])
def test_both_sides_of_the_split_are_needed(kind, split, what):
    draw, rows_of, spec = kind
    with pytest.raises(DataError, match=what): fit_candidate(rows_of(draw().assign(split=split)), spec)

@pytest.mark.parametrize("change, says", [(dict(task="lifetime_value"), "trained are propensity, uplift"), (dict(algorithm=None), "algorithm is missing"),
                                          (dict(algorithm=dict(name="xgboost")), "There is no algorithm 'xgboost'"),
                                          (dict(algorithm=dict(name="linear_regression")), "does not suit the task propensity")])
def test_a_spec_that_cannot_be_fitted_is_refused_in_two_lines(change, says):
    with pytest.raises(ParameterError, match=says) as caught: fit_candidate(churn_rows(drawn()), CHURN | change)
    assert len(str(caught.value).splitlines()) == 2

def test_the_best_single_arm_is_that_of_the_training_rows():
    frame = mailed()
    poor = frame.assign(spend=frame.spend.where((frame.split == "held_out") | (frame.arm == "none"), 0.))
    assert fit_candidate(mail_rows(frame), MAIL).facts["best_single_arm"] == "mail"
    assert fit_candidate(mail_rows(poor), MAIL).facts["best_single_arm"] == "none"

def test_every_task_that_is_fitted_has_rules_rows_and_a_judge():
    from marketing_mlops.training.evaluations import EVALUATIONS
    assert set(ESTIMATORS) == set(TASK_RULES) == set(ROWS_FOR) == set(EVALUATIONS)
