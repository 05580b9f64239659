"The list of alerts: a run once, with all that happened to it, until somebody has seen it."
from datetime import datetime, timedelta, timezone
import pytest
from marketing_mlops.cli.alert_list import alert_list, alerted_runs
from marketing_mlops.schedules.alerts import Alert, raise_alert, settle_alerts
from marketing_mlops.workspace.places import find_workspace

MONDAY = datetime(2026, 4, 6, 5, tzinfo=timezone.utc)

@pytest.fixture
def workspace(tmp_path):
    (tmp_path/"settings.ini").write_text("[DEFAULT]\nreporting_currency = EUR\n")
    return find_workspace(tmp_path)

def told(workspace, kind, due_at=MONDAY, schedule="readout"):
    raise_alert(Alert(kind, schedule, due_at, f"It was {kind}.", "Look."), workspace, now=MONDAY + timedelta(minutes=20))

def test_a_run_that_was_made_without_its_page_still_says_that_it_was_late(workspace):
    for kind in ("late", "page_missing"): told(workspace, kind)
    settle_alerts(workspace, "readout", MONDAY, because="ran", now=MONDAY + timedelta(hours=1))
    [run] = alerted_runs(workspace, now=MONDAY + timedelta(hours=2))
    assert (run.what, run.waits) == ("late, page missing", True)

def test_alerts_of_different_runs_and_those_without_a_run_stand_in_lines_of_their_own(workspace):
    for hour in (0, 1): told(workspace, "failed", MONDAY + timedelta(hours=hour))
    told(workspace, "failed", schedule="another")
    for kind in ("full", "damaged"): told(workspace, kind, None, "")
    assert [run.what for run in alerted_runs(workspace, now=MONDAY + timedelta(hours=2))] == ["failed", "failed", "failed", "full", "damaged"]

def test_what_was_seen_is_named_no_more_also_where_it_was_made_after_all(workspace):
    told(workspace, "late")
    settle_alerts(workspace, "readout", MONDAY, because="ran", now=MONDAY + timedelta(hours=1))
    now = MONDAY + timedelta(hours=2)
    assert alert_list(workspace, now=now).endswith("readout, due 2026-04-06 05:00 UTC: late, made after all.")
    settle_alerts(workspace, now=now)
    assert alert_list(workspace, now=now) == "No alert waits for anybody."
