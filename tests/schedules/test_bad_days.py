"A full disk, a clock that jumps, a file of which half was saved, a damaged database: said, survived, and nothing done twice."
import contextlib, errno, json, os, resource, sqlite3
from datetime import datetime, timedelta, timezone
import pytest
from small_disk import on_small_disk
from marketing_mlops.schedules.alert_journal import alert_events, journal_path
from marketing_mlops.schedules.alerts import Alert, open_alerts, raise_alert
from marketing_mlops.schedules.attempts import carry_out, order_environment
from marketing_mlops.jobs.runs import Run, save_run
from marketing_mlops.schedules.claims import claim_next, left_behind, take_slot, try_lock
from marketing_mlops.schedules.entries import Schedule
from marketing_mlops.schedules.records import DueRun, RecordsError, add_due_runs, due_runs, one_step, open_records, records_path, save_fact, stamp
from marketing_mlops.schedules.repairs import records_damage, repair_records
from marketing_mlops.schedules.rounds import Round, start_next, stop_all
from marketing_mlops.schedules.watches import keep_watch
from marketing_mlops.workspace.errors import MmopsError
from marketing_mlops.workspace.places import find_workspace
from marketing_mlops.workspace.reserve import is_full, keep_reserve, reserve_path

MONDAY = datetime(2026, 4, 6, 5, tzinfo=timezone.utc)
SETTINGS = "[DEFAULT]\nreporting_currency = EUR\n[markets]\nDE = Europe/Berlin, monday, 1, DE\n"

@pytest.fixture
def workspace(tmp_path):
    (tmp_path/"settings.ini").write_text(SETTINGS)
    return find_workspace(tmp_path)

def failed(hour): return Alert("failed", "hourly", MONDAY.replace(hour=hour), "It failed.", "Read its page.")

def test_an_alert_is_written_on_a_disk_that_is_really_full(tmp_path):
    said = on_small_disk(tmp_path, f"""
(disk/"settings.ini").write_text({SETTINGS!r})
from datetime import datetime, timezone
from marketing_mlops.schedules.alert_journal import alert_events
from marketing_mlops.schedules.alerts import Alert, raise_alert
from marketing_mlops.workspace.places import find_workspace
from marketing_mlops.workspace.reserve import keep_reserve, reserve_path
workspace = find_workspace(disk)
assert keep_reserve(workspace.state)
fill()
for hour in range(20): assert raise_alert(Alert("failed", "hourly", datetime(2026, 4, 6, hour, tzinfo=timezone.utc), "It failed. "*30, "Read its page."), workspace)
assert not keep_reserve(workspace.state)                # the rest of it is for more alerts
print(len(alert_events(workspace)), reserve_path(workspace.state).exists())
(disk/"filler").unlink()
print(keep_reserve(workspace.state))
""", megabytes=8)
    assert said.split() == ["20", "False", "True"]

def test_an_alert_that_finds_no_room_leaves_no_half_line(workspace, monkeypatch):
    raise_alert(failed(1), workspace, now=MONDAY)
    before = journal_path(workspace).read_bytes()
    def half(descriptor, content, write=__import__("os").write):
        write(descriptor, content[:10])
        raise OSError(errno.ENOSPC, "No space left on device")
    with monkeypatch.context() as patch:
        patch.setattr("marketing_mlops.schedules.alert_journal.os.write", half)
        with pytest.raises(OSError, match="No space left"): raise_alert(failed(2), workspace, now=MONDAY)
    assert journal_path(workspace).read_bytes() == before
    assert raise_alert(failed(2), workspace, now=MONDAY) and len(alert_events(workspace)) == 2

SCHEDULE = "schedules:\n  hourly: {job: count, cron: 0 * * * *, market: DE, owner: marketing@example.com, retries: 2, retry_after: 1 min}\n"

def write_job(root, *sources):
    "A workspace with one job that is due every hour."
    (root/"settings.ini").write_text(SETTINGS)
    (root/"schedule.yaml").write_text(SCHEDULE)
    cells = [dict(cell_type="code", id=f"c{i}", execution_count=None, outputs=[], metadata={"tags": ["parameters"]} if i == 0 else {}, source=source)
             for i, source in enumerate(['share: float = 0.5 # Of something', *sources])]
    kernel = dict(kernelspec=dict(name="python3", language="python", display_name="python3"))
    (root/"nbs"/"jobs").mkdir(parents=True, exist_ok=True)
    (root/"nbs"/"jobs"/"count.ipynb").write_text(json.dumps(dict(cells=cells, metadata=kernel, nbformat=4, nbformat_minor=5)))

FULL_NIGHT = """
import os, json
from datetime import datetime, timedelta, timezone
os.environ.update(MMOPS_WARM_HOME=str(disk/"warm"), MMOPS_WORKSPACE=str(disk))
(disk/"warm").mkdir()                                             # a worker whose folder is not there ends at once
from marketing_mlops.jobs.workers import stop_worker
from marketing_mlops.schedules.alert_journal import alert_events
from marketing_mlops.schedules.watches import keep_watch
from marketing_mlops.workspace.places import find_workspace
workspace, said = find_workspace(disk), []
def at(minutes): return [(run.state, run.attempt, run.sentence) for run in keep_watch(workspace, lambda: datetime(2026, 4, 6, 4, 59, tzinfo=timezone.utc) + timedelta(minutes=minutes), tell=said.append)]
try:
    at(0)
    night = at(2)
    (disk/"data"/"orders").unlink(missing_ok=True)
    morning = at(5)
    manifests = [json.loads(path.read_text()) for path in sorted(disk.glob("data/runs/*/*/*/run.json"))]
    print(json.dumps(dict(night=night, morning=morning, runs=[run["status"] for run in manifests], problem=manifests[0]["error"]["problem"],
        warm=not any("new Python" in line for line in said),
        alerts=[event["kind"] for event in alert_events(workspace) if event["event"] == "raised"], reserve=(disk/"data"/"state"/"reserve").exists())))
finally: stop_worker(str(disk/"warm"))
"""

def test_a_run_that_fills_the_disk_is_recorded_alerted_and_made_when_there_is_room(tmp_path):
    "Takes two seconds: the worker has to be started on that disk."
    disk = tmp_path/"disk"; disk.mkdir()
    files = tmp_path/"files"; files.mkdir()
    write_job(files, "first = not list(__import__('pathlib').Path('data/runs').glob('*/*/*/run.json'))[1:]",
              "if first:\n    with open('data/orders', 'wb', buffering=0) as orders:\n        while True: orders.write(b'x'*4096)")
    said = on_small_disk(disk, f"import shutil; shutil.copytree({str(files)!r}, disk, dirs_exist_ok=True)\n" + FULL_NIGHT, megabytes=24)
    found = json.loads(said.splitlines()[-1])
    assert [state for state, *_ in found["night"]] == ["waiting"] and "no room on the disk" in found["problem"]
    assert [(state, attempt) for state, attempt, _ in found["morning"]] == [("done", 2)]
    assert found["warm"] and found["runs"] == ["failed", "done"] and found["alerts"] == ["full"] and found["reserve"]

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

@pytest.fixture
def at_once(monkeypatch): monkeypatch.setattr("marketing_mlops.schedules.rounds.start_process", AtOnce)

def look(workspace, minutes):
    said = []
    ended = keep_watch(workspace, lambda: MONDAY.replace(hour=4, minute=59) + timedelta(minutes=minutes), tell=said.append)
    return [(run.schedule, run.state) for run in ended], said

def states(workspace):
    with open_records(workspace) as records: return [(run.due.hour, run.state, run.attempt) for run in due_runs(records)]

def test_a_report_whose_page_cannot_be_drawn_is_done_once_and_somebody_is_told(workspace, at_once, monkeypatch):
    write_job(workspace.root)
    (workspace.root/"nbs"/"reports").mkdir()
    (workspace.root/"nbs"/"jobs"/"count.ipynb").rename(workspace.root/"nbs"/"reports"/"count.ipynb")
    (workspace.root/"schedule.yaml").write_text(SCHEDULE.replace("job:", "report:"))
    monkeypatch.setattr("marketing_mlops.reporting.pages.render_page", lambda *page, **more: 1/0)
    look(workspace, 0)
    assert look(workspace, 2)[0] == [("hourly", "done")] and look(workspace, 3)[0] == []
    assert [(alert.kind, alert.schedule) for alert in open_alerts(workspace, now=MONDAY)] == [("page_missing", "hourly")]

def test_records_that_are_garbage_are_told_of_repaired_and_nothing_runs_twice(workspace, at_once):
    write_job(workspace.root)
    look(workspace, 0)
    assert look(workspace, 2)[0] == look(workspace, 62)[0] == [("hourly", "done")]
    content = bytearray(records_path(workspace).read_bytes())
    content[:100] = b"\x00garbage\xff"*12 + b"....";
    records_path(workspace).write_bytes(content)
    with pytest.raises(MmopsError, match="mmops schedule repair") as stopped: look(workspace, 63)
    assert len(str(stopped.value).splitlines()) == 2 and "damaged" in [alert.kind for alert in open_alerts(workspace, now=MONDAY)]
    assert "cannot be read" in records_damage(workspace)
    repair_records(workspace, ["hourly"], MONDAY + timedelta(hours=1, minutes=4))
    assert states(workspace) == [(5, "done", 1), (6, "done", 1)]
    assert look(workspace, 64)[0] == [] and look(workspace, 122)[0] == [("hourly", "done")]
    assert len(list(workspace.root.glob("data/runs/count/*/*/run.json"))) == 3

def test_a_clock_that_jumps_ahead_and_back_runs_nothing_twice_and_hides_nothing(workspace, at_once):
    write_job(workspace.root)
    look(workspace, 0)
    assert look(workspace, 2)[0] == [("hourly", "done")]
    assert look(workspace, 60*24*30)[0] == [("hourly", "done")]           # a month ahead: the newest only
    assert look(workspace, 62)[0] == [] and (6, "missed", 0) in states(workspace)      # and back: said, and kept for a backfill
    assert look(workspace, 63)[0] == [] and look(workspace, 2)[0] == []
    assert look(workspace, 122)[0] == look(workspace, 182)[0] == [("hourly", "done")]
    assert len(list(workspace.root.glob("data/runs/count/*/*/run.json"))) == 4

@pytest.mark.parametrize("share", [0, .09, .3, .5, .9])     # .5 is correct YAML, with one schedule of two; so is .09, with nothing but `schedules:`
def test_a_schedule_file_of_which_half_was_saved_takes_nobodys_report_away(workspace, at_once, share):
    write_job(workspace.root)
    whole = SCHEDULE + SCHEDULE.partition("\n")[2].replace("hourly", "nightly")
    if share == .5: share = (len(SCHEDULE) - 1)/len(whole) + 1e-9
    if share == .09: share = len("schedules:\n")/len(whole) + 1e-9
    (workspace.root/"schedule.yaml").write_text(whole)
    look(workspace, 0)
    (workspace.root/"schedule.yaml").write_text(whole[:int(share*len(whole))])
    found, said = look(workspace, 2)
    assert sorted(found) == [("hourly", "done"), ("nightly", "done")]
    assert "unreadable" in [alert.kind for alert in open_alerts(workspace, now=MONDAY)]
    (workspace.root/"schedule.yaml").write_text(whole)
    assert sorted(look(workspace, 62)[0]) == [("hourly", "done"), ("nightly", "done")]

@pytest.mark.parametrize("statement, cause", [("pragma query_only = on", "closed"), ("pragma max_page_count = 1", "full"), ("drop table facts", "damaged")])
def test_only_damaged_records_are_sent_to_repair(workspace, statement, cause):
    with pytest.raises(RecordsError) as stopped:
        with open_records(workspace) as records:
            for each in (statement, "insert into facts values ('note', hex(zeroblob(100000)))"): records.execute(each)
    assert stopped.value.fields["cause"] == cause and ("mmops schedule repair" in str(stopped.value)) == (cause == "damaged")

def test_a_dying_disk_is_not_called_full_and_its_records_are_made_again(workspace):
    with open_records(workspace): pass
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with pytest.raises(RecordsError) as stopped:
            with open_records(workspace) as records:
                resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))        # SQLite sees a disk that refuses to write
                records.execute("insert into facts values ('note', hex(zeroblob(500000)))")
    finally: resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert stopped.value.fields["cause"] == "disk" and "Make room" not in str(stopped.value) and "mmops schedule repair" in str(stopped.value)
    assert not is_full(stopped.value)

def test_records_on_a_disk_that_does_not_read_them_are_damaged(workspace, monkeypatch):
    with open_records(workspace): pass
    def unreadable(error, path): return RecordsError("disk I/O error.", "Have it looked at.", cause="disk")
    monkeypatch.setattr("marketing_mlops.schedules.records._in_two_lines", unreadable)
    records_path(workspace).write_bytes(b"no matter what"*300)
    assert records_damage(workspace) == "disk I/O error."

def test_a_folder_that_may_not_be_made_is_two_lines(workspace, monkeypatch):
    def refused(self, **more): raise PermissionError(errno.EACCES, "Permission denied", str(self))
    monkeypatch.setattr("pathlib.Path.mkdir", refused)
    with pytest.raises(RecordsError, match="right to write") as stopped:
        with open_records(workspace): pass
    assert stopped.value.fields["cause"] == "closed" and len(str(stopped.value).splitlines()) == 2

def test_a_repair_takes_the_journal_of_a_killed_step_out_of_the_way(workspace):
    with open_records(workspace): pass
    journal = records_path(workspace).with_name("schedule.db-journal")
    journal.write_bytes(b"pages of another day")
    repair = repair_records(workspace, [], MONDAY)
    assert repair.aside.with_name(f"{repair.aside.name}-journal").read_bytes() == b"pages of another day"
    assert not journal.exists() or journal.stat().st_size == 0

def test_records_rely_on_nothing_two_machines_cannot_share(workspace):
    "Also those of an earlier version, which kept a log in shared memory beside them."
    with open_records(workspace) as records: add_due_runs(records, [DueRun("hourly", stamp(MONDAY))])
    with contextlib.closing(sqlite3.connect(records_path(workspace))) as earlier: assert earlier.execute("pragma journal_mode = wal").fetchone() == ("wal",)
    with open_records(workspace) as records:
        with one_step(records): save_fact(records, "note", "kept")
        assert len(due_runs(records)) == 1 and {path.name for path in workspace.state.glob("schedule.db*")} == {"schedule.db", "schedule.db-journal"}

FULL = "create trigger full before insert on attempts begin select raise(abort, 'database or disk is full'); end"

def no_room(workspace, *statements):
    with open_records(workspace) as records:
        for statement in statements: records.execute(statement)

def free(workspace, *names):
    "Whether nobody holds the locks of these schedules, nor any place for a run."
    found = [*(try_lock(workspace, name) for name in names), take_slot(workspace, 1)]
    for lock in found: lock is None or os.close(lock)
    return None not in found

def test_records_without_room_in_one_round_keep_nothing_from_the_next(workspace, at_once):
    write_job(workspace.root)
    look(workspace, 0)
    no_room(workspace, FULL)
    for minute in (2, 3):
        with pytest.raises(MmopsError, match="no room"): look(workspace, minute)
    assert free(workspace, "hourly")
    no_room(workspace, "drop trigger full")
    assert look(workspace, 4)[0] == [("hourly", "done")]

def test_a_run_that_was_left_behind_can_be_settled_once_there_is_room(workspace):
    hourly = Schedule("hourly", "job", "count", "0 * * * *", "Europe/Berlin", "marketing@example.com")
    with open_records(workspace) as records:
        add_due_runs(records, [DueRun("hourly", stamp(MONDAY))])
        os.close(claim_next(records, workspace, {"hourly": hourly}, MONDAY).lock)
    no_room(workspace, FULL)
    with open_records(workspace) as records, pytest.raises(sqlite3.Error, match="full"): left_behind(records, workspace, {"hourly": hourly}, MONDAY)
    assert free(workspace, "hourly")
    no_room(workspace, "drop trigger full")
    with open_records(workspace) as records: assert [run.state for run in left_behind(records, workspace, {"hourly": hourly}, MONDAY)] == ["waiting"]

class Endless:
    "Stands for a process that runs until it is told to end."
    reason, is_over = "", False
    def __init__(self, order, workspace, files, tell): pass
    def has_ended(self): return self.is_over
    def interrupt(self): self.is_over = True

def test_a_round_that_is_stopped_without_room_gives_every_lock_back(workspace, monkeypatch):
    monkeypatch.setattr("marketing_mlops.schedules.rounds.start_process", Endless)
    two = {name: Schedule(name, "job", "count", "0 * * * *", "Europe/Berlin", "marketing@example.com") for name in ("hourly", "nightly")}
    with open_records(workspace) as records:
        add_due_runs(records, [DueRun(name, stamp(MONDAY)) for name in two])
        now_round = Round(workspace, records, lambda: MONDAY, lambda line: None)
        under_way = [start_next(now_round, two) for _ in two]
        assert not free(workspace, "hourly") and not free(workspace, "nightly")
        records.execute(FULL)
        with pytest.raises(sqlite3.Error, match="full"): stop_all(now_round, under_way)
    assert free(workspace, *two)

def test_a_process_that_cannot_be_started_leaves_its_run_to_the_next_look(workspace, monkeypatch):
    def fails(*arguments): raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
    write_job(workspace.root)
    look(workspace, 0)
    with monkeypatch.context() as patch:
        patch.setattr("marketing_mlops.schedules.rounds.start_process", fails)
        with pytest.raises(MmopsError, match="temporarily unavailable"): look(workspace, 2)
    assert free(workspace, "hourly")
    monkeypatch.setattr("marketing_mlops.schedules.rounds.start_process", AtOnce)
    assert look(workspace, 3)[0][-1] == ("hourly", "done")

def test_a_repair_leaves_open_what_waits_beside_a_newer_run_and_closes_what_was_told(workspace):
    def evidence(hour, status, started):
        folder = workspace.runs("count", "all")/f"20260406T0{hour}0000000000Z-0a1b"
        folder.mkdir(parents=True)
        run = DueRun("hourly", stamp(MONDAY.replace(hour=hour)), attempt=1)
        error = dict(problem="The shop was closed.", remedy="Wait.") if status == "failed" else None
        save_run(Run("count", "all", folder.name, folder, status, {}, "warm", stamp(started), ended_at=stamp(started), within=run.token, error=error))
    for hour, status, started in [(5, "failed", MONDAY), (6, "failed", MONDAY.replace(hour=6)), (7, "failed", MONDAY.replace(hour=12)), (8, "done", MONDAY.replace(hour=8))]: evidence(hour, status, started)
    for hour in (5, 7): raise_alert(failed(hour), workspace, now=MONDAY.replace(hour=hour))     # 7 was begun again at noon
    repair_records(workspace, ["hourly"], MONDAY.replace(hour=13))
    with open_records(workspace) as records: assert [(run.due.hour, run.state) for run in due_runs(records)] == [(5, "failed"), (6, "running"), (7, "running"), (8, "done")]
