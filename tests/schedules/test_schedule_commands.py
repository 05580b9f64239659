"`mmops schedule` in processes of its own: two at once, errors in two lines, an interrupted run that begins again."
import json, os, signal, subprocess, sys, time
from datetime import datetime, timedelta, timezone
from pathlib import Path
import pytest
from marketing_mlops.cli.schedule_lists import list_schedules, show_history, show_next
from marketing_mlops.jobs.runs import list_runs
from marketing_mlops.schedules.alerts import open_alerts
from marketing_mlops.schedules.claims import try_lock
from marketing_mlops.schedules.records import Attempt, DueRun, due_runs, open_records, save_attempt, save_due_run, stamp
from marketing_mlops.workspace.errors import ParameterError
from marketing_mlops.workspace.places import find_workspace

MMOPS = [sys.executable, "-c", "import sys; from marketing_mlops.cli.commands import main; sys.exit(main())", "schedule"]
SETTINGS = "[DEFAULT]\nreporting_currency = EUR\n[markets]\nDE = Europe/Berlin, monday, 1, DE\n"

def write_job(root, name, *sources):
    cells = [dict(cell_type="code", id=f"c{i}", execution_count=None, outputs=[], metadata={"tags": ["parameters"]} if i == 0 else {}, source=source)
             for i, source in enumerate(["import datetime\nday: datetime.date = datetime.date(2026, 1, 1) # The day that is counted", *sources])]
    (root/"nbs"/"jobs").mkdir(parents=True, exist_ok=True)
    kernel = dict(kernelspec=dict(name="python3", language="python", display_name="python3"))
    (root/"nbs"/"jobs"/f"{name}.ipynb").write_text(json.dumps(dict(cells=cells, metadata=kernel, nbformat=4, nbformat_minor=5)))

@pytest.fixture
def root(tmp_path):
    (tmp_path/"settings.ini").write_text(SETTINGS)
    write_job(tmp_path, "count", "from marketing_mlops.jobs.results import record\nrecord('day', day)")
    (tmp_path/"schedule.yaml").write_text("schedules:\n" + "".join(
        f"  count_{i}: {{job: count, parameters: {{day: yesterday}}, cron: '{i} * * * *', market: DE, owner: marketing@example.com, on_missed: all}}\n" for i in range(3)))
    return tmp_path

def started(root, *words): return subprocess.Popen([*MMOPS, *words, "--workspace", str(root)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

def said(root, *words):
    process = started(root, *words)
    out, err = process.communicate()
    return process.returncode, out, err

def states(root):
    with open_records(find_workspace(root)) as records: return [(run.schedule, run.due_at[11:16], run.state) for run in due_runs(records)]

def test_two_schedulers_at_the_same_time_run_each_due_time_once(root):
    assert said(root, "due", "--now", "2026-04-06T06:59:59+02:00")[0] == 0
    both = [started(root, "due", "--now", "2026-04-06T08:02:30+02:00") for _ in range(2)]
    printed = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], printed
    assert {state for _, _, state in states(root)} == {"done"} and len(states(root)) == 6
    runs = list_runs(find_workspace(root), "count")
    assert len(runs) == 6 == len({run.within for run in runs})
    starts = [line for out, _ in printed for line in out.splitlines() if "starts, attempt" in line]
    assert len(starts) == 6 == len(set(starts))

def test_a_run_that_was_interrupted_begins_again(root):
    write_job(root, "count", "import pathlib, time\nbegun = pathlib.Path('begun')\nif not begun.exists():\n    begun.touch()\n    time.sleep(60)")
    said(root, "due", "--now", "2026-04-06T06:59:59+02:00")
    first = started(root, "due", "--now", "2026-04-06T07:00:30+02:00")
    while not (root/"begun").exists(): time.sleep(.05)
    first.send_signal(signal.SIGTERM)                              # as systemd and Kubernetes do
    out, err = first.communicate()
    assert first.returncode == 130 and len(err.splitlines()) == 2 and "starts it again" in err
    assert [state for _, _, state in states(root)] == ["waiting"]
    assert said(root, "due", "--now", "2026-04-06T07:00:40+02:00")[0] == 0
    assert [run.status for run in list_runs(find_workspace(root), "count")] == ["done", "interrupted"]

def test_a_schedule_that_fails_is_told_once_and_the_exit_code_says_so(root):
    write_job(root, "count", "raise ValueError('the table of orders is empty')")
    (root/"schedule.yaml").write_text("schedules:\n  count: {job: count, cron: 0 7 * * *, market: DE, owner: marketing@example.com, retries: 1, retry_after: 1 min}\n")
    codes = [said(root, "due", "--now", f"2026-04-{day}T{at}+02:00")[0] for day, at in (("05", "12:00:00"), ("06", "07:00:10"), ("06", "07:01:20"), ("06", "07:02:20"))]
    assert codes == [0, 0, 1, 0]
    assert [alert["kind"] for line in (root/"data"/"state"/"alerts.jsonl").read_text().splitlines() if (alert := json.loads(line))["event"] == "raised"] == ["failed"]
    code, out, _ = said(root, "history", "--attempts")
    assert code == 0 and out.count("the table of orders is empty") == 3 and "#2" in out

def test_a_run_past_its_deadline_is_ended_and_tried_again(root):
    write_job(root, "count", "import time\ntime.sleep(60)")
    (root/"schedule.yaml").write_text("schedules:\n  count: {job: count, cron: 0 7 * * *, market: DE, owner: marketing@example.com, deadline: 1 s, retries: 0}\n")
    said(root, "due", "--now", "2026-04-05T12:00:00+02:00")
    code, out, _ = said(root, "due", "--now", "2026-04-06T07:00:10+02:00")
    assert code == 1 and "deadline" in out and [state for _, _, state in states(root)] == ["failed"]

@pytest.mark.parametrize("content, words, expected", [
    ("schedules:\n  a: {job: cuont, cron: 0 7 * * *, market: DE, owner: marketing@example.com}\n", ["check"], "Did you mean 'count'?"),
    ("schedules:\n  a: {job: count, parameters: {day: 2026-02-30}, cron: 0 7 * * *, market: DE, owner: marketing@example.com}\n", ["check"], "2026-02-30"),
    ("schedules:\n  a: {job: count, cron: 0 7 31 2 *, market: DE, owner: marketing@example.com}\n", ["check"], "day-of-month is not possible"),
    ("schedules:\n  a: {job: count, cron: 0 7 * * *, market: DE, owner: marketing@example.com}\n", ["backfill", "b", "--from", "2026-04-01"], "There is no schedule 'b'"),
    ("schedules:\n  a: {job: count, cron: 0 7 * * *, market: DE, owner: marketing@example.com}\n", ["backfill", "a"], "--from is None, which is no day"),
    ("schedules: [", ["due"], "line 1"), (None, ["due"], "does not exist")])
def test_a_mistake_is_two_lines_and_an_exit_code(root, content, words, expected):
    (root/"schedule.yaml").unlink() if content is None else (root/"schedule.yaml").write_text(content)
    code, out, err = said(root, *words)
    assert code == 1 and expected in err and len(err.splitlines()) == 2 and "Traceback" not in err

def test_garbage_instead_of_a_notebook_fails_alone(root):
    (root/"nbs"/"jobs"/"garbage.ipynb").write_text("not a notebook")
    with open(root/"schedule.yaml", "a") as file: file.write("  garbage: {job: garbage, cron: '1 * * * *', market: DE, owner: marketing@example.com, retries: 0}\n")
    said(root, "due", "--now", "2026-04-06T06:59:59+02:00")
    code, out, err = said(root, "due", "--now", "2026-04-06T07:02:30+02:00")
    assert code == 1 and {name: state for name, _, state in states(root)} == dict(count_0="done", count_1="done", count_2="done", garbage="failed")
    assert [alert.schedule for alert in open_alerts(find_workspace(root), days=10_000)] == ["garbage"]

def test_the_stock_kernel_runs_schedules_too(root, monkeypatch):
    monkeypatch.setenv("MMOPS_ENGINE", "kernel")
    (root/"schedule.yaml").write_text("schedules:\n  count: {job: count, cron: 0 7 * * *, market: DE, owner: marketing@example.com}\n")
    said(root, "due", "--now", "2026-04-05T12:00:00+02:00")
    assert said(root, "due", "--now", "2026-04-06T07:00:10+02:00")[0] == 0
    assert [(run.status, run.engine) for run in list_runs(find_workspace(root), "count")] == [("done", "kernel")]

def test_a_look_that_finds_nothing_imports_nothing_heavy(root):
    said(root, "due", "--now", "2026-04-06T06:59:59+02:00")
    code = "import sys; from marketing_mlops.cli.commands import main; main(sys.argv[1:]); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code, "schedule", "due", "--now", "2026-04-06T06:59:59+02:00", "--workspace", str(root)], capture_output=True, text=True, check=True)
    for heavy in ("pandas", "numpy", "papermill", "ruamel", "cronsim", "nbformat", "smtplib", "rich"): assert f"'{heavy}'" not in done.stdout, heavy

def test_a_run_that_hangs_past_its_deadline_is_told_once(root):
    workspace, now = find_workspace(root), datetime.now(timezone.utc)
    said(root, "due", "--now", (now - timedelta(hours=4)).isoformat())
    hour = stamp(now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=3))
    with open_records(workspace) as records:
        save_due_run(records, DueRun("count_0", hour, "running", 1))
        save_attempt(records, Attempt("count_0", hour, 1, stamp(now - timedelta(hours=8))))
    lock = try_lock(workspace, "count_0")                          # its process is still there
    for _ in range(2): said(root, "due", "--now", (now - timedelta(hours=3, minutes=59)).isoformat())
    os.close(lock)
    assert [(alert.kind, alert.schedule) for alert in open_alerts(workspace) if alert.kind == "stuck"] == [("stuck", "count_0")]

def test_a_loop_stops_when_it_is_told_to(root):
    loop = started(root, "run")
    assert loop.stdout.readline().startswith("Looking at schedule.yaml")
    while not (root/"data"/"state"/"schedule.db").exists(): time.sleep(.05)
    loop.send_signal(signal.SIGINT)
    assert loop.wait() == 130 and len(loop.communicate()[1].splitlines()) == 2

def test_the_schedule_that_is_shipped_can_run(repository):
    code, out, err = said(repository, "check")
    assert (code, err) == (0, "") and out.startswith("monday_readout: At 07:00 on Monday")

def test_what_a_process_says_is_stored_without_addresses(root):
    write_job(root, "count", "1")
    (root/"schedule.yaml").write_text("schedules:\n  count: {job: count, parameters: {dya: x}, cron: 0 7 * * *, market: DE, owner: marketing@example.com, retries: 0}\n")
    said(root, "due", "--now", "2026-04-05T12:00:00+02:00")
    (root/"nbs"/"jobs"/"count.ipynb").write_text((root/"nbs"/"jobs"/"count.ipynb").read_text().replace("datetime.date(2026, 1, 1)", "'customer.4711@post-of-mine.de'"))
    assert said(root, "due", "--now", "2026-04-06T07:00:10+02:00")[0] == 1
    with open_records(find_workspace(root)) as records: sentence = due_runs(records)[0].sentence
    assert sentence and "customer.4711" not in sentence + (root/"data"/"state"/"alerts.jsonl").read_text()

def test_a_list_in_which_every_entry_is_broken_is_not_called_empty_and_a_misspelt_name_is_no_history(root, capsys):
    (root/"schedule.yaml").write_text("schedules:\n  books: {job: count, corn: 0 7 L * *, market: DE, owner: marketing@example.com}\n")
    assert list_schedules(workspace=str(root)) == 1 and "No schedule in schedule.yaml can be read." in capsys.readouterr().out
    with pytest.raises(ParameterError, match="no schedule .bok"): show_history("bok", workspace=str(root))
    for wrong in (0, -1):
        with pytest.raises(ParameterError, match=f"is {wrong}"): show_next(n=wrong, workspace=str(root))
        with pytest.raises(ParameterError, match=f"is {wrong}"): show_history(last=wrong, workspace=str(root))
