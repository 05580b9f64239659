"A round tells the time by its clock alone, so that a rehearsal says what the real night will say."
from datetime import datetime, timedelta, timezone
import os
import pytest
from marketing_mlops.schedules.alerts import open_alerts
from marketing_mlops.schedules.claims import Ending, claim_next, left_behind, settle
from marketing_mlops.schedules.planning import known_schedules
from marketing_mlops.schedules.records import DueRun, add_due_runs, attempts_of, open_records, stamp
from marketing_mlops.schedules.rounds import run_due
from marketing_mlops.workspace.places import find_workspace

MONDAY = datetime(2026, 4, 6, 5, tzinfo=timezone.utc)

@pytest.fixture
def workspace(tmp_path):
    (tmp_path/"settings.ini").write_text("[DEFAULT]\nreporting_currency = EUR\n[markets]\nDE = Europe/Berlin, monday, 1, DE\n")
    (tmp_path/"schedule.yaml").write_text("schedules:\n  hourly: {job: count, cron: 0 * * * *, market: DE, owner: marketing@example.com, deadline: 1 h}\n")
    return find_workspace(tmp_path)

@pytest.fixture
def claimed(workspace):
    with open_records(workspace) as records:
        schedules = known_schedules(workspace, records, MONDAY).schedules
        add_due_runs(records, [DueRun("hourly", stamp(MONDAY))])
        claim = claim_next(records, workspace, schedules, MONDAY)
    yield claim
    try: os.close(claim.lock)
    except OSError: pass

def test_the_times_of_an_attempt_are_those_of_the_clock(workspace, claimed):
    with open_records(workspace) as records:
        settle(records, workspace, claimed.schedule, claimed.due_run, MONDAY + timedelta(minutes=3), Ending(said="no such notebook"))
        [attempt] = attempts_of(records, claimed.due_run)
    assert (attempt.started_at, attempt.ended_at, attempt.outcome) == (stamp(MONDAY), stamp(MONDAY + timedelta(minutes=3)), "failed")

@pytest.mark.parametrize("minutes, kinds", [(50, []), (70, ["stuck"])])
def test_a_run_is_stuck_by_the_clock_of_the_round(workspace, claimed, minutes, kinds):
    now = MONDAY + timedelta(minutes=minutes)
    run_due(workspace, lambda: now, tell=lambda line: None)
    assert [alert.kind for alert in open_alerts(workspace, now=now)] == kinds

def test_a_scheduler_that_has_gone_leaves_its_run_to_the_next(workspace, claimed):
    with open_records(workspace) as records:
        schedules = {"hourly": claimed.schedule}
        assert left_behind(records, workspace, schedules, MONDAY) == []
        os.close(claimed.lock)
        assert [run.state for run in left_behind(records, workspace, schedules, MONDAY)] == ["waiting"]
