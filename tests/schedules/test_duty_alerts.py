"""What somebody owes a model reaches people through the scheduler, once, and a broken ledger stops no report."""
from datetime import datetime, timedelta, timezone
import pytest
from marketing_mlops.governance.duties import REVIEW_HELD
from marketing_mlops.governance.ended_approvals import EXPIRED
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.governance.policies import POLICY_CHANGED, Policy
from marketing_mlops.governance.release_states import GRANTED, RELEASED, REQUESTED, ROLLED_BACK
from marketing_mlops.schedules.alert_journal import alert_events
from marketing_mlops.schedules.alerts import open_alerts
from marketing_mlops.schedules.watches import keep_watch
from marketing_mlops.workspace.errors import MmopsError
from marketing_mlops.workspace.clock import ReplayClock, instant_of
from marketing_mlops.workspace.places import find_workspace

OWNER, MARKETING, FIRST, SECOND = "model-owner@example.com", "marketing@example.com", "5f2a"*16, "77c1"*16
def at(moment): return instant_of(f"2026-{moment}:00Z")

@pytest.fixture
def workspace(tmp_path):
    (tmp_path/"settings.ini").write_text("[DEFAULT]\nalert_destinations = \n")
    (tmp_path/"params.yaml").write_text(f"sources: {{shop: {{kind: simulated}}}}\nmodels: {{churn: {{owner: {OWNER}, purpose: Win back, audience: All, source: shop, task: propensity}}}}\n")
    (tmp_path/"schedule.yaml").write_text("schedules: {}\n")
    (tmp_path/"data"/"state").mkdir(parents=True)
    (tmp_path/"data"/"state"/"ledger_writer").write_text("laptop\n")
    return find_workspace(tmp_path)

def wrote(workspace, kind, moment, actor=MARKETING, model="churn", **facts): return Ledger(workspace, ReplayClock(at(moment))).append(kind, model, actor, facts)

def rolled_back(workspace, model="churn"):
    "Two champions, the second of which was left on the evening of the 2nd of April."
    rules = Policy(model, {}, business=(MARKETING,), technical=(OWNER,), live_days=90)
    wrote(workspace, POLICY_CHANGED, "01-10T09:00", model=model, policy_hash=rules.hash, policy=rules.to_dict())
    for role, missing in ((MARKETING, ["technical"]), (OWNER, [])):
        wrote(workspace, GRANTED, "01-10T10:00", role, model, bundle_hash=FIRST, evaluation_hash="e7"*32, request="", missing=missing, policy_hash=rules.hash, expires_at="2026-02-09T10:00:00+00:00")
    first = wrote(workspace, RELEASED, "01-11T09:00", model=model, bundle_hash=FIRST, approver=OWNER, reason="")
    wrote(workspace, RELEASED, "04-01T09:00", model=model, bundle_hash=SECOND, approver=OWNER, reason="")
    wrote(workspace, ROLLED_BACK, "04-02T18:30", model=model, before=SECOND, bundle_hash=FIRST, to=first.hash, reason="Complaints doubled", review_due="2026-04-04T00:00:00+00:00")

def look(workspace, moment, said=None): return keep_watch(workspace, lambda: at(moment), tell=(said if said is not None else []).append)
def waiting(workspace, moment): return [(alert.kind, alert.schedule, alert.owner) for alert in open_alerts(workspace, now=at(moment))]
def raised(workspace): return [event["kind"] for event in alert_events(workspace) if event["event"] == "raised"]

def test_a_missed_review_is_told_once_and_settled_when_it_was_held(workspace):
    rolled_back(workspace)
    said = []
    for moment in ("04-03T12:00", "04-04T00:00", "04-04T00:01", "04-06T07:00"): look(workspace, moment, said)
    assert raised(workspace) == ["review_missing"] and waiting(workspace, "04-06T07:00") == [("review_missing", "churn", OWNER)]
    assert sum("review_missing" in line for line in said) == 1 and "mmops review record churn" in "".join(said)
    wrote(workspace, REVIEW_HELD, "04-06T09:00", OWNER, seen="The list held each customer twice")
    look(workspace, "04-06T09:01")
    assert waiting(workspace, "04-06T09:01") == [] and raised(workspace) == ["review_missing"]

def test_two_models_rolled_back_on_one_evening_are_two_alerts(workspace):
    rolled_back(workspace), rolled_back(workspace, "promo")
    look(workspace, "04-06T07:00")
    assert sorted(model for _, model, _ in waiting(workspace, "04-06T07:00")) == ["churn", "promo"]

def test_a_champion_past_its_time_is_told_once_and_goes_on_serving(workspace):
    rolled_back(workspace)
    wrote(workspace, REVIEW_HELD, "04-03T09:00", OWNER, seen="Sound")
    for moment in ("07-01T07:00", "07-02T07:00", "07-03T07:00"): look(workspace, moment)
    assert raised(workspace) == ["champion_expired"]
    wrote(workspace, RELEASED, "07-03T09:00", bundle_hash="c3"*32, approver=OWNER, reason="")
    look(workspace, "07-03T09:01")
    assert waiting(workspace, "07-03T09:01") == []

def test_an_alert_that_somebody_has_seen_is_not_raised_again(workspace):
    from marketing_mlops.schedules.alerts import settle_alerts
    rolled_back(workspace)
    look(workspace, "04-06T07:00"), settle_alerts(workspace, now=at("04-06T07:01")), look(workspace, "04-06T07:02")
    assert waiting(workspace, "04-06T07:02") == [] and raised(workspace) == ["review_missing"]

def test_an_approval_that_ended_unused_is_put_on_record_by_the_scheduler_and_not_by_a_rehearsal(workspace):
    asked = wrote(workspace, REQUESTED, "03-01T09:00", "analyst@example.com", bundle_hash=FIRST, evaluation_hash="e7"*32)
    ends = datetime.now(timezone.utc) + timedelta(days=20)
    for end in ("2026-03-31T09:00:00+00:00", ends.isoformat()): wrote(workspace, GRANTED, "03-01T10:00", OWNER, bundle_hash=FIRST, evaluation_hash="e7"*32, request=asked.hash, missing=[], expires_at=end)
    look(workspace, "03-30T07:00")
    assert Ledger(workspace).entries(EXPIRED) == []
    keep_watch(workspace, lambda: ends + timedelta(days=1), tell=[].append)
    assert [entry.occurred_at[:10] for entry in Ledger(workspace).entries(EXPIRED)] == ["2026-03-31"]

def test_a_ledger_that_cannot_be_read_is_an_alert_and_the_round_is_done(workspace):
    rolled_back(workspace)
    log = workspace.path("data", "ledger", "laptop.jsonl")
    log.write_text(log.read_text().replace('"Complaints doubled"', '"All was well"'))
    said = []
    assert look(workspace, "04-06T07:00", said) == [] and look(workspace, "04-06T08:00", said) == []
    assert waiting(workspace, "04-06T08:00") == [("unreadable", "ledger", "")] and any(line.startswith("ledger: ") for line in said)

def test_duties_are_told_also_where_the_schedule_cannot_be_read(workspace):
    rolled_back(workspace)
    workspace.path("schedule.yaml").write_text("schedules: [\n")
    with pytest.raises(MmopsError): look(workspace, "04-06T07:00")
    assert ("review_missing", "churn", OWNER) in waiting(workspace, "04-06T07:00")

def test_where_nothing_was_recorded_no_ledger_is_made(workspace):
    look(workspace, "04-06T07:00")
    assert not (workspace.state/"ledger.db").exists() and not workspace.path("data", "ledger").exists()
