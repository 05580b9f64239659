"""A scheduled report leaves an entry in the ledger of a workspace that keeps one, and no trace where it found nothing new."""
import json
from datetime import datetime, timedelta, timezone
import pytest
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.schedules.attempts import carry_out, order_environment
from marketing_mlops.schedules.issued_reports import REPORT_ISSUED
from marketing_mlops.schedules.watches import keep_watch
from marketing_mlops.workspace.errors import MmopsError
from marketing_mlops.workspace.places import find_workspace

class AtOnce:
    "Stands for a process: carries an order out in this one, at once."
    reason = ""
    def __init__(self, order, workspace, files, tell=print):
        with pytest.MonkeyPatch.context() as patch:
            for name, value in order_environment(order, workspace, {}).items(): patch.setenv(name, value)
            try: carry_out(order, workspace)
            except MmopsError: pass                               # the manifest says it
    def has_ended(self): return True
    def interrupt(self): pass

def notebook(*sources):
    cells = [dict(cell_type="code", id=f"c{i}", execution_count=None, outputs=[], metadata={"tags": ["parameters"]} if i == 0 else {}, source=source) for i, source in enumerate(sources)]
    return json.dumps(dict(cells=cells, metadata=dict(kernelspec=dict(name="python3", language="python", display_name="python3")), nbformat=4, nbformat_minor=5))

@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setattr("marketing_mlops.schedules.rounds.start_process", AtOnce)
    (tmp_path/"settings.ini").write_text("[DEFAULT]\nreporting_currency = EUR\n[markets]\nDE = Europe/Berlin, monday, 1, DE\n")
    (tmp_path/"params.yaml").write_text("sources: {}\nmodels: {}\n")
    (tmp_path/"data"/"state").mkdir(parents=True)
    (tmp_path/"data"/"state"/"ledger_writer").write_text("laptop\n")
    for kind in ("reports", "jobs"):
        (tmp_path/"nbs"/kind).mkdir(parents=True)
        (tmp_path/"nbs"/kind/"count.ipynb").write_text(notebook("shop: str = 'anna@shop-mail.de'  # Whose orders are counted", "from marketing_mlops.jobs.results import record\nrecord('orders', int(open('orders').read()))"))
    (tmp_path/"orders").write_text("12")
    monkeypatch.chdir(tmp_path)
    return find_workspace(tmp_path)

def look(workspace, hour, kind="report"):
    (workspace.root/"schedule.yaml").write_text(f"schedules:\n  hourly: {{{kind}: count, cron: 0 * * * *, market: DE, owner: marketing@example.com, retries: 0}}\n")
    said = []
    keep_watch(workspace, lambda: datetime(2026, 4, 6, 4, 59, tzinfo=timezone.utc) + timedelta(hours=hour), tell=said.append)
    return said

def note(workspace): Ledger(workspace).append("note", "shop", "marketing@example.com", dict(text="begun"))
def issued(workspace): return Ledger(workspace).entries(REPORT_ISSUED)

def test_a_report_is_on_record_when_it_says_something_new(workspace):
    note(workspace)
    for hour in range(3): look(workspace, hour)
    (workspace.root/"orders").write_text("13")
    look(workspace, 3)
    manifests = [json.loads((workspace.root/entry.payload["run"]/"run.json").read_text()) for entry in issued(workspace)]
    assert [each["results"]["orders"] for each in manifests] == [12, 13] and [each["semantic_hash"] for each in manifests] == [entry.payload["results_hash"] for entry in issued(workspace)]
    assert {(entry.subject, entry.actor, entry.payload["schedule"], entry.payload["pages"]) for entry in issued(workspace)} == {("count", "marketing@example.com", "hourly", 1)}
    assert "anna" not in workspace.path("data", "ledger", "laptop.jsonl").read_text() and Ledger(workspace).verify().passed

def test_a_job_and_a_report_that_failed_are_none_that_was_issued(workspace):
    note(workspace)
    look(workspace, 0, "job"), look(workspace, 1, "job")
    (workspace.root/"orders").write_text("many")
    look(workspace, 2), look(workspace, 3)
    assert issued(workspace) == []

def test_a_workspace_without_a_ledger_begins_none(workspace):
    look(workspace, 0), look(workspace, 1)
    assert not workspace.path("data", "ledger").exists() and not (workspace.state/"ledger.db").exists()

def test_a_ledger_that_takes_no_entry_stops_no_report(workspace):
    note(workspace)
    look(workspace, 0)
    log = workspace.path("data", "ledger", "laptop.jsonl")
    log.write_text(log.read_text().replace("begun", "began"))
    assert any("could not be put on record" in line for line in look(workspace, 1))
    assert len(list(workspace.root.glob("data/runs/count/*/*/run.json"))) == 1

def test_a_scheduler_killed_before_it_settled_a_run_loses_no_entry_and_makes_no_second(workspace, monkeypatch):
    note(workspace)
    look(workspace, 0)                                         # takes note of the schedule; the next look finds a report due
    with monkeypatch.context() as patch:
        def killed(*_): raise KeyboardInterrupt
        patch.setattr("marketing_mlops.schedules.rounds.settle", killed)
        with pytest.raises(KeyboardInterrupt): look(workspace, 1)
    assert len(issued(workspace)) == 1
    (workspace.root/"orders").write_text("13")
    look(workspace, 2)
    assert [each.payload["due_at"][11:13] for each in issued(workspace)] == ["05", "06"]
