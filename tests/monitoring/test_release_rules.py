"""What a champion's release rules ask for: a new one in time, and the way back after a loss. Days count in the data."""
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from marketing_mlops.contracts.verdict import Reason, judged
from marketing_mlops.measurement.intervals import Estimate
from marketing_mlops.monitoring.input_checks import MonitoringRules, read_rules
from marketing_mlops.monitoring.realised import judge_drop
from marketing_mlops.monitoring.release_rules import ReleaseRules, answers_known_until, answers_learnable_until, judge_age, judge_loss, read_release_rules
from marketing_mlops.training.candidates import answers_until
from marketing_mlops.workspace.errors import ParameterError
from marketing_mlops.workspace.params import read_params
from marketing_mlops.workspace.places import find_workspace

CHURN = dict(model="churn", task="propensity", outcome=dict(kind="no_order", horizon_days=90, maturity_days=7), cutoffs=dict(last="2026-03-01", every_days=30, count=3))
MAIL = dict(model="mail", task="uplift", experiment=dict(outcome_window_days=14))

def day(text): return pd.Timestamp(text, tz="UTC")
def area(value, half): return Estimate(value, value-half, value+half, .95, 2_000, "test", "AUC")

@pytest.mark.parametrize("release, says", [
    ("monthly", "release is 'monthly'"), (dict(cadence=30), "Did you mean 'cadence_days'"), (dict(cadence_days=0), "whole days from 1"), (dict(cadence_days=30.5), "whole days"),
    (dict(cadence_days=True), "whole days"), (dict(approval_days=0), "from 1 to 365"), (dict(approval_days=400), "from 1 to 365"), (dict(approval_days="30"), "release.approval_days is '30'"), (dict(rollback_when="auc_drop"), "release.rollback_when is 'auc_drop'"), (dict(rollback_when=dict(auc_drp=.05)), "Did you mean 'auc_drop'"),
    (dict(rollback_when=dict(auc_drop=5)), "above 0 and below 1"), (dict(rollback_when=dict(auc_drop=True)), "above 0 and below 1"), (dict(rollback_when=dict(auc_drop="5%")), "'5%'")])
def test_a_rule_nobody_could_keep_is_refused_with_its_key(release, says):
    with pytest.raises(ParameterError) as refused: read_release_rules(dict(release=release))
    assert says in str(refused.value) and refused.value.fields["key"].startswith("release") and len(str(refused.value).splitlines()) == 2

@pytest.mark.parametrize("nothing", [0, False, [], "", 0.])
def test_a_rule_that_is_no_line_of_a_rule_is_refused_even_where_it_looks_like_nothing(nothing):
    with pytest.raises(ParameterError, match="^release is .*`key: value` lines"): read_release_rules(dict(release=nothing))
    with pytest.raises(ParameterError, match="^release.rollback_when is .*`key: value` lines"): read_release_rules(dict(release=dict(rollback_when=nothing)))
    with pytest.raises(ParameterError, match="^monitoring is .*`key: value` lines"): read_rules(dict(monitoring=nothing))

@pytest.mark.parametrize("release", [None, {}, dict(approval_days=30), dict(cadence_days=None, rollback_when=None)])
def test_a_spec_that_asks_for_nothing_has_no_rules(release): assert read_release_rules(dict(release=release)) == ReleaseRules(None, None)

def test_every_model_that_is_shipped_has_rules_that_can_be_read():
    models = read_params(find_workspace()).models
    assert read_release_rules(models["retailer_churn_90d"]) == ReleaseRules(30, .05)
    assert all(isinstance(read_release_rules(spec), ReleaseRules) for spec in models.values())

def learned(spec, until): return spec | dict(facts=dict(answers_until=until))

def test_a_champion_knows_the_answers_it_learned_from_and_not_those_it_was_judged_by():
    "The churn model of the demo: trained on cutoffs to 2025-12-31, judged on 2026-03-31."
    spec = dict(model="churn", outcome=dict(horizon_days=90), cutoffs=dict(last="2026-03-31", every_days=30, count=8), facts=dict(answers_until="2026-03-31"))
    reason = judge_age(spec, day("2026-07-01"), 30).reasons[0]
    assert answers_known_until(spec) == day("2026-03-31") and "end on 2026-03-31, 92 days before the customers of 2026-07-01" in reason.message
    assert "could learn from answers until 2026-04-02, 2 days more" in reason.message and reason.value == 2

def test_what_a_champion_knows_is_what_training_noted():
    frame = pd.DataFrame(dict(matured_at=[day("2026-03-31"), day("2026-03-01")]))
    assert answers_known_until(learned(CHURN, answers_until(frame))) == day("2026-03-31")
    assert answers_until(frame.iloc[:0]) is None and answers_until(frame[[]]) is None

@pytest.mark.parametrize("spec", [CHURN, CHURN | dict(facts=dict(n_training=600)), learned(MAIL, None)])
def test_a_champion_that_does_not_say_what_it_learned_from_has_an_unknown_age(spec):
    verdict = judge_age(spec, day("2026-08-01"), 30)
    assert verdict.status == "unknown" and spec["model"] in verdict.reasons[0].next_step

def test_only_windows_that_have_to_close_before_a_model_can_be_judged_are_waited_for():
    assert answers_learnable_until(CHURN, day("2026-08-01")) == day("2026-08-01") - pd.Timedelta(days=97)
    for spec in (MAIL, dict(outcome=dict(kind="outcome"))): assert answers_learnable_until(spec, day("2026-08-01")) == day("2026-08-01")

@pytest.mark.parametrize("spec, waits, step", [(CHURN, 97, "cutoffs.last"), (MAIL, 0, "newer experiment")])
def test_a_champion_is_due_from_the_day_after_its_cadence_and_the_proposal_names_what_to_change(spec, waits, step):
    made = learned(spec, "2026-06-01")
    def judged_after(days): return judge_age(made, day("2026-06-01") + pd.Timedelta(days=days + waits), 30)
    assert [judged_after(days).status for days in (-5, 0, 30, 31, 400)] == ["pass", "pass", "pass", "review", "review"]
    reason = judged_after(61).reasons[0]
    assert step in reason.next_step and f"mmops request {spec['model']}" in reason.next_step and (reason.value, reason.threshold) == (61, 30)

@given(st.floats(.55, .95), st.floats(.4, .95), st.floats(.001, .2), st.floats(.01, .3))
def test_a_loss_takes_a_champion_back_only_where_chance_cannot_explain_it(before, now, half, rule):
    figures = dict(before=area(before, half), now=area(now, half))
    performance = judge_drop(figures["before"], figures["now"], MonitoringRules(auc_drop=.999))
    lost = before - now
    verdict = judge_loss(performance, figures, "churn", rule)
    if lost <= rule*before or lost <= 2**.5*half: assert verdict in (performance,) or abs(lost - 2**.5*half) < 1e-9 or abs(lost - rule*before) < 1e-9
    else: assert verdict.status == "fail" and "mmops rollback churn" in verdict.reasons[0].next_step

def test_a_performance_nobody_could_measure_stays_unknown():
    unknown = judged("performance", [Reason("too_few_rows", "20 customers are too few.", severity="unknown")])
    assert judge_loss(unknown, dict(before=area(.8, .01), now=area(.5, .01)), "churn", .05) == unknown
    passed = judged("performance")
    assert judge_loss(passed, dict(before=area(.8, .01)), "churn", .05) == passed
