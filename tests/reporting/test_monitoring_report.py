"""What a look at a model in use says follows from the look: what rang, what the company moved itself, and whether the model was ever of use."""
from dataclasses import replace
import pytest
from marketing_mlops.contracts.verdict import Reason, judged
from marketing_mlops.measurement.intervals import Estimate
from marketing_mlops.monitoring.input_checks import FeatureShift, MonitoringRules
from marketing_mlops.monitoring.periods import PeriodJudged, evaluation_note, read_period
from marketing_mlops.reporting.monitoring_blocks import evaluation_words, look_answer, look_sentence, moved_words, questions_block

def psi(value): return Estimate(value, value - .1, value + .1, .95, 2900, "delta", "PSI")
def moved(name, value): return FeatureShift(name, 2900, 0., None, None, None, psi(value), 1.4, [.5, .5], [.1, .9])
def own_act(name, value): return Reason("own_act", f"{name} has moved: PSI {value:.3f}. It tells what the company itself did, so it does not ring.", value, .2, severity="pass")

NO_LATER = Reason("no_later_experiment", "Who gained from a contact is known only where chance decided who got it.", next_step="Run another experiment, and train and judge on it.", severity="unknown")
FAILED = dict(status="fail", said="Targeting does worse than the mail to all.", steps=["Use the mail to all, which needs no model."], moved=[])
LOOK = PeriodJudged("mail", "ab12"*16, "candidate", "2026-07-01T00:00:00+00:00", 2900,
                    dict(input=judged("input", [own_act("contacts_90d", 2.353)]), scores=judged("scores"), performance=judged("performance", [NO_LATER])),
                    [moved("contacts_90d", 2.353)], [moved("gain_mail", .1)], {}, MonitoringRules(), FAILED)

def test_a_model_that_failed_is_asked_for_no_further_experiment():
    said = str(look_answer(LOOK))
    assert "did not pass its evaluation (fail)" in look_sentence(LOOK) and "Targeting does worse" in look_sentence(LOOK)
    assert "Use the mail to all, which needs no model." in said and "Run another experiment" not in said

def test_a_model_that_passed_is_asked_for_one():
    passed = replace(LOOK, evaluation=dict(status="pass", said="", steps=[], moved=[]))
    assert evaluation_words(passed) == evaluation_words(replace(LOOK, evaluation={})) == "" and "Run another experiment" in str(look_answer(passed))

def test_a_pass_beside_a_feature_that_moved_far_says_what_it_judges():
    found = str(questions_block(LOOK))
    assert "Nothing that customers do is beyond its threshold. Shown and not judged: contacts_90d has moved: PSI 2.353" in found
    assert "contacts_90d (PSI 2.35, threshold 0.2) has moved" in str(look_answer(LOOK))

@pytest.mark.parametrize("value, says", [(.1, "The scores stayed: PSI 0.10."), (.9, "The scores moved too: PSI 0.90.")])
def test_whether_the_scores_moved_with_it_is_said(value, says): assert moved_words(replace(LOOK, scores=[moved("gain_mail", value)])).endswith(says)

def test_a_base_rate_that_moved_is_said_where_change_cannot_be_told():
    line = "The base rate has moved: it happened to 6.4 % of the rows learned from and to 30.8 % of the rows judged on, 4.84 times as often (4.59 to 5.10)."
    note = evaluation_note(dict(verdict=judged("term", [Reason("gate", "slope is 5.04.", severity="fail")]).to_dict(), sentences=["It ranks.", line]))
    assert note["moved"] == [line] and line in str(look_answer(replace(LOOK, evaluation=note)))

def test_a_look_is_read_as_it_was_written_and_one_of_before_without_an_evaluation():
    written = LOOK.to_dict()
    assert read_period(written) == LOOK
    assert read_period({name: value for name, value in written.items() if name != "evaluation"}).evaluation == {}
