"""Kills schedulers, workers and runs at random times and lets the next look go on: python storm.py FOLDER ROUNDS SEED

The folder becomes a workspace with one job that is due every minute. A clock of our own goes on by a minute a round. Prints
what there is to judge as JSON."""
import json, os, random, signal, subprocess, sys, time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from marketing_mlops.jobs.runs import read_run
from marketing_mlops.jobs.workers import stop_worker, worker_status
from marketing_mlops.schedules.records import attempts_of, due_runs, open_records
from marketing_mlops.schedules.rounds import run_due
from marketing_mlops.workspace.places import find_workspace

CELLS = ['import datetime\nminute: datetime.datetime|None = None',
         # two at once would find the folder made; a run that was killed leaves it, with the number of a process that has gone
         'import os, pathlib\nroot = pathlib.Path(os.environ["MMOPS_WORKSPACE"])\n'
         'import fcntl\nalone = open(root/"alone", "w")\nfcntl.flock(alone, fcntl.LOCK_EX | fcntl.LOCK_NB)\n'
         'started = open(root/"started.txt", "a")\nprint(os.getpid(), file=started, flush=True)',
         'import time\ntime.sleep(.05)\nfrom marketing_mlops.jobs.results import record\nrecord("answer", 42)']

def make_workspace(root):
    (root/"nbs"/"jobs").mkdir(parents=True)
    (root/"settings.ini").write_text("[DEFAULT]\nreporting_currency = EUR\n[markets]\nDE = Europe/Berlin, monday, 1, DE\n")
    (root/"schedule.yaml").write_text("schedules:\n  tick: {job: tick, cron: '* * * * *', market: DE, owner: marketing@example.com, retries: 20, retry_after: 0 s, deadline: 1 min, on_missed: all}\n")
    cells = [dict(cell_type="code", id=f"cell{i}", execution_count=None, outputs=[], metadata={"tags": ["parameters"]} if i == 0 else {}, source=text) for i, text in enumerate(CELLS)]
    cells[0]["source"] = 'minute: str = "now"   # What is counted'
    meta = dict(kernelspec=dict(name="python3", language="python", display_name="python3"))
    (root/"nbs"/"jobs"/"tick.ipynb").write_text(json.dumps(dict(cells=cells, metadata=meta, nbformat=4, nbformat_minor=5)))
    return find_workspace(root)

def scheduler(workspace, now):
    "A scheduler in a process of its own, as cron would start one; all of them look at the same clock."
    (workspace.root/".now.txt").write_text(now.isoformat())
    os.replace(workspace.root/".now.txt", workspace.root/"now.txt")
    pid = os.fork()
    if pid: return pid
    code = 1
    try: run_due(workspace, lambda: datetime.fromisoformat((workspace.root/"now.txt").read_text()), tell=lambda line: None); code = 0
    except BaseException as error:
        with open(workspace.root/"errors.txt", "a") as errors: print(repr(error), file=errors)
    finally: os._exit(code)

def children(pid):
    try: return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError: return []

def kill_something(chance, scheduler_pid, worker_pid, workers_left):
    runs = children(worker_pid) if worker_pid else []
    draw = chance.random()
    victim = worker_pid if workers_left and draw < .1 else chance.choice(runs) if runs and draw < .55 else scheduler_pid
    try: os.kill(victim, signal.SIGKILL)
    except (ProcessLookupError, TypeError): pass
    return victim == worker_pid

def belongs(pid, root):
    try: return f"MMOPS_WORKSPACE={root}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") and "worker_process" not in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError: return False

def main(folder, rounds, seed):
    root, chance = Path(folder), random.Random(seed)
    os.environ.update(MMOPS_WARM_HOME=str(root), MMOPS_WORKSPACE=str(root))
    workspace, now, workers_left, killed_workers = make_workspace(root), datetime(2026, 4, 6, 5, tzinfo=timezone.utc), max(2, rounds//15), 0
    os.waitpid(scheduler(workspace, now), 0)                    # the first look: from now on
    now, began = now + timedelta(minutes=1), time.monotonic()
    os.waitpid(scheduler(workspace, now), 0)                    # starts the worker
    now, began = now + timedelta(minutes=1), time.monotonic()
    os.waitpid(scheduler(workspace, now), 0)
    usual = time.monotonic() - began
    for _ in range(rounds):
        now += timedelta(minutes=1)
        pid, worker = scheduler(workspace, now), (worker_status(str(root)) or {}).get("pid")
        time.sleep(chance.uniform(0, 1.3*usual))
        if kill_something(chance, pid, worker, workers_left): workers_left -= 1; killed_workers += 1
        while chance.random() < .5 and not os.waitpid(pid, os.WNOHANG)[0]: time.sleep(.05)   # sometimes the next begins beside it
        try: os.waitpid(pid, os.WNOHANG)
        except ChildProcessError: pass
    for i in range(600):                                        # nobody kills any more; one that was left alone may still be at work
        os.waitpid(scheduler(workspace, now + timedelta(seconds=min(i/2, 59))), 0)     # pauses come to their end, no further minute begins
        time.sleep(.1)
        with open_records(workspace) as records: states = [run.state for run in due_runs(records)]
        if set(states) <= {"done", "failed", "missed"}: break
    worker = worker_status(str(root))
    used_s = sum(map(int, Path(f"/proc/{worker['pid']}/stat").read_text().rpartition(")")[2].split()[11:15]))/os.sysconf("SC_CLK_TCK") if worker else 0
    stop_worker(str(root))
    time.sleep(.2)
    with open_records(workspace) as records:
        tried = [each for run in due_runs(records) for each in attempts_of(records, run)]
    runs = [read_run(path.parent) for path in root.glob("data/runs/*/*/*/run.json")]
    done = [run.within.split("#")[0] for run in runs if run.status == "done"]
    started = (root/"started.txt").read_text().split()
    print(json.dumps(dict(rounds=rounds, usual_s=round(usual, 2), last_worker_s=used_s, schedulers_s=sum(os.times()[:4]), states={each: states.count(each) for each in set(states)}, done=len(done), done_twice=len(done) - len(set(done)),
        runs=len(runs), runs_without_attempt=len({f"{root}/{each.run}" for each in tried if each.run} ^ {str(run.folder) for run in runs}), attempts=len(tried),
        outcomes={each: [a.outcome for a in tried].count(each) for each in {a.outcome for a in tried}}, started=len(started),
        without_evidence=len([f for f in root.glob("data/runs/*/*/*") if not (f/"run.json").exists()]), killed_workers=killed_workers,
        overlaps=sum("BlockingIOError" in json.dumps(run.error or {}) for run in runs),
        orphans=[int(p.name) for p in Path("/proc").glob("[0-9]*") if int(p.name) != os.getpid() and belongs(p.name, root)],
        errors=(root/"errors.txt").read_text().splitlines() if (root/"errors.txt").exists() else [])))

if __name__ == "__main__": main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
