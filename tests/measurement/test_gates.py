"""Gates are held against the interval, and what cannot be judged never passes."""
import math
import numpy as np
import pytest
from hypothesis import given, strategies as st
from marketing_mlops.measurement.auc import auc
from marketing_mlops.measurement.gates import Gate, judge_gate, judge_gates, read_gates
from marketing_mlops.measurement.intervals import Estimate, NotMeasurable
from marketing_mlops.workspace.errors import ParameterError

def estimate(low, value, high): return Estimate(value, low, high, .95, 400, "test", "units")
GONE = NotMeasurable("Nobody churned.", "Wait for outcomes.", code="one_outcome")

@pytest.mark.parametrize("found,status,advice", [
    (estimate(.60, .65, .70), "pass", ""), (estimate(.61, .65, .70), "pass", ""), (estimate(.59, .65, .70), "fail", "Hold out more"),
    (estimate(.50, .55, .60), "fail", "Hold out more"), (estimate(.50, .55, .59), "fail", "Improve the model"), (GONE, "unknown", "Wait for outcomes.")])
def test_the_lower_end_has_to_reach_the_gate(found, status, advice):
    reason = judge_gates(dict(auc=found), dict(auc=.60)).reasons[0]
    assert reason.severity == status and reason.next_step.startswith(advice) and (advice or not reason.next_step)

@pytest.mark.parametrize("found,status", [(estimate(.10, .12, .14), "pass"), (estimate(.10, .12, .141), "fail"), (estimate(.15, .16, .17), "fail")])
def test_of_an_error_the_upper_end_has_to_stay_below(found, status): assert judge_gates(dict(brier=found), dict(brier=.14)).status == status

@pytest.mark.parametrize("found,status", [(estimate(.2, .9, 3), "pass"), (estimate(.69, .69, .69), "fail"), (estimate(.7, .7, .7), "pass"), (estimate(1.3, 1.5, 1.7), "fail")])
def test_a_range_holds_the_figure(found, status): assert judge_gates(dict(calibration_slope=found), dict(calibration_slope=[.7, 1.4])).status == status

@pytest.mark.parametrize("word", ["review", "fail"])
def test_a_difference_that_is_not_above_zero_leads_to_the_word_declared(word):
    assert judge_gates(dict(beats_best_rival=estimate(-.1, .2, .5)), dict(beats_best_rival=word)).status == word
    assert judge_gates(dict(beats_best_rival=estimate(0, .2, .5)), dict(beats_best_rival=word)).status == word
    assert judge_gates(dict(beats_best_rival=estimate(.01, .2, .5)), dict(beats_best_rival=word)).status == "pass"

def test_the_worst_gate_decides_and_all_are_reported():
    verdict = judge_gates(dict(auc=estimate(.7, .75, .8), lift_at_10=GONE), dict(auc=.6, lift_at_10=1.2), "retailer_churn_90d")
    assert verdict.status == "unknown" and not verdict.passed and [r.severity for r in verdict.reasons] == ["pass", "unknown"] and verdict.subject == "retailer_churn_90d"
    assert "lift at 10 %" in verdict.reasons[1].message

def test_no_gate_promises_nothing(): assert judge_gates(dict(auc=estimate(.9, .95, .99)), {}).status == "review"

def test_a_gate_for_a_figure_nobody_computes_is_refused_with_the_nearest():
    with pytest.raises(ParameterError, match="Did you mean 'lift_at_10'") as refused: judge_gates(dict(lift_at_10=GONE), dict(lift_at_1=2))
    assert refused.value.fields["key"] == "gates.lift_at_1" and len(str(refused.value).splitlines()) == 2

@pytest.mark.parametrize("declared", [None, "0.6", True, [], [1], [1.4, .7], [1, 1], [1, 2, 3], ["a", "b"], {}, "pass", [True, 2], math.nan, [.7, math.nan], math.inf])
def test_what_is_no_gate_is_refused_with_its_key(declared):
    with pytest.raises(ParameterError) as refused: read_gates(dict(auc=declared))
    assert refused.value.fields["key"] == "gates.auc"

def test_gates_are_a_mapping():
    with pytest.raises(ParameterError): read_gates([("auc", .6)])

@given(st.floats(-5, 5), st.floats(0, 2), st.floats(0, 2), st.floats(-5, 5))
def test_a_pass_never_contradicts_the_interval(value, below, above, gate):
    found = estimate(value-below, value, value+above)
    assert (judge_gate(Gate("auc", "at_least", (gate,)), found).severity == "pass") == (found.low >= gate)

def test_a_random_score_passes_a_gate_above_chance_no_more_often_than_promised():
    "At most 2.5 % of tries; of 300, 15 would be a surprise of one in a thousand."
    rng = np.random.default_rng(25)
    passed = sum(judge_gates(dict(auc=auc(rng.random(400) < .15, rng.random(400))), dict(auc=.5)).passed for _ in range(300))
    assert passed <= 15
