"""The worker of one list of tasks may be killed, and so may whoever asked: every task ends once, and nothing is left."""
import os, shutil, signal, subprocess, sys, tempfile, time
from contextlib import closing
import pytest
from marketing_mlops.jobs.fan_out import Task, run_tasks
from marketing_mlops.jobs.process_memory import processes
from marketing_mlops.jobs.sockets import worker_address
from marketing_mlops.jobs.task_workers import task_worker
from marketing_mlops.jobs.workers import stop_worker, wait_until_gone, worker_status

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the worker of the tasks is forked, which needs Linux")
TASKS = """
import os, signal, subprocess, time
from pathlib import Path
def waits(name):
    Path(f"{name}.child").write_text(str(subprocess.Popen(["sleep", "600"]).pid))
    Path(name).write_text(str(os.getpid()))
    time.sleep(600)
def says(name): Path(name).write_text("said")
"""

@pytest.fixture(scope="module")
def home():
    "A workspace with a worker of its own."
    folder = tempfile.mkdtemp(dir="/tmp")
    yield folder
    stop_worker(folder)
    shutil.rmtree(folder)

@pytest.fixture
def folder(tmp_path):
    (tmp_path/"listed.py").write_text(TASKS)
    (tmp_path/"grid").mkdir()
    return tmp_path

def begun(folder, names):
    "Process ids of tasks that wait and of what they have started, once they are all there."
    while not all((folder/name).exists() and (folder/name).read_text() for name in names): time.sleep(.01)
    return [int((folder/file).read_text()) for name in names for file in (name, f"{name}.child")]

def are_gone(pids): return all(wait_until_gone(pid, 20) for pid in pids)

def test_tasks_end_once_with_a_reason_when_their_worker_is_killed_and_later_ones_still_run(home, folder):
    grid, names = str(folder/"grid"), ["first", "second"]
    tasks = [Task(name, "listed:waits", (name,)) for name in names] + [Task(name, "listed:says", (name,)) for name in ("third", "fourth")]
    with task_worker(grid, ["marketing_mlops.jobs.results"], {**os.environ, "MMOPS_WARM_HOME": home}) as shared:
        assert shared["MMOPS_WARM_HOME"] == grid
        with closing(run_tasks(tasks, workers=2, environment=shared, folder=str(folder))) as happening:
            events = [next(happening), next(happening)]
            pids, worker = begun(folder, names), worker_status(grid)["pid"]
            os.kill(worker, signal.SIGKILL)
            events += happening
        assert are_gone([worker, *pids])
        ends = [(event.task.name, event.exit, event.reason) for event in events if event.has_ended]
        assert sorted(ends) == [("first", -9, "worker gone"), ("fourth", 0, ""), ("second", -9, "worker gone"), ("third", 0, "")]
        assert len(events) == 8 and worker_status(grid)["pid"] != worker   # another one has taken its place
        other = worker_status(grid)["pid"]
    assert are_gone([other]) and not os.path.exists(worker_address(grid)) and worker_status(home)["n_running"] == 0

ASKS = """
import os, sys
from marketing_mlops.jobs.fan_out import Task, run_tasks
from marketing_mlops.jobs.task_workers import task_worker
with task_worker("grid", [], dict(os.environ)) as shared: list(run_tasks([Task(name, "listed:waits", (name,)) for name in sys.argv[1:]], workers=2, environment=shared))
"""

def test_nothing_is_left_of_a_list_whose_process_was_killed(home, folder):
    asks = subprocess.Popen([sys.executable, "-c", ASKS.replace('"grid"', repr(str(folder/"grid"))), "first", "second"], cwd=folder, env={**os.environ, "MMOPS_WARM_HOME": home})
    pids, worker = begun(folder, ["first", "second"]), worker_status(str(folder/"grid"))["pid"]
    asks.kill(); asks.wait()
    assert are_gone([worker, *pids]) and not os.path.exists(worker_address(str(folder/"grid")))
    while worker_status(home)["n_running"]: time.sleep(.02)
    assert not [pid for pid, process in processes().items() if process.parent == worker_status(home)["pid"]]

def test_where_nothing_is_forked_no_address_is_asked_for(monkeypatch, folder):
    monkeypatch.delattr(os, "getuid")                          # as on Windows
    environment = {**os.environ, "MMOPS_ENGINE": "kernel"}
    with task_worker(str(folder/"grid"), [], environment) as shared: assert shared == environment
