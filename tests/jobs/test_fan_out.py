"""Tasks side by side: the same whoever starts their processes, and nothing of them is left."""
import os, subprocess, sys, time
from contextlib import closing
import pytest
from marketing_mlops.jobs.fan_out import _PROCESSES, Task, run_tasks
from marketing_mlops.jobs.limits import RunLimits
from marketing_mlops.jobs.process_memory import processes
from marketing_mlops.jobs.workers import worker_home, worker_status

TASKS = """
import os, signal, sys, time
from pathlib import Path
def where(name): Path(name).write_text(os.getcwd() + " " + os.environ["SHOP"]); print("written")
def leaves(): sys.exit(3)
def is_killed(): os.kill(os.getpid(), signal.SIGKILL)
def waits(name): Path(name).touch(); time.sleep(600)
"""
KINDS = [pytest.param("warm", marks=pytest.mark.skipif(sys.platform != "linux", reason="the warm worker needs Linux")), "kernel"]

@pytest.fixture
def folder(tmp_path):
    (tmp_path/"settings.ini").touch()
    (tmp_path/"shop_tasks.py").write_text(TASKS)
    return tmp_path

def ends(tasks, folder, engine, **options):
    environment = os.environ | dict(MMOPS_ENGINE=engine, SHOP="Leeds")
    events = list(run_tasks(tasks, folder=str(folder), environment=environment, **options))
    assert [sum(event.task == task for event in events) for task in tasks] == [2]*len(tasks)
    return {event.task.name: event for event in events if event.has_ended}

@pytest.mark.parametrize("engine", KINDS)
def test_a_task_has_the_folder_the_variables_and_the_log_it_was_given(folder, engine):
    [end] = ends([Task("one", "shop_tasks:where", ("here.txt",), str(folder/"log.txt"))], folder, engine).values()
    assert (end.exit, end.reason) == (0, "") and (folder/"here.txt").read_text() == f"{folder} Leeds" and (folder/"log.txt").read_text() == "written\n"

@pytest.mark.parametrize("engine", KINDS)
def test_every_way_to_end_is_told_alike(folder, engine):
    tasks = [Task("leaves", "shop_tasks:leaves"), Task("killed", "shop_tasks:is_killed"), Task("absent", "shop_tasks:nothing"), Task("fine", "os.path:basename", ("",)),
             Task("no log", "shop_tasks:leaves", log=str(folder/"absent"/"log.txt"))]
    found = ends(tasks, folder, engine, workers=3)
    assert {name: end.exit for name, end in found.items()} == {"leaves": 3, "killed": -9, "absent": 1, "fine": 0, "no log": 1}
    assert "could not be started" in found["no log"].reason and not [name for name, end in found.items() if end.reason and name != "no log"]

@pytest.mark.parametrize("engine", KINDS)
def test_a_task_that_never_ends_is_ended_at_its_deadline(folder, engine):
    [end] = ends([Task("endless", "shop_tasks:waits", ("begun.txt",))], folder, engine, limits=RunLimits(deadline_s=.5)).values()
    assert end.exit < 0 and end.reason == "deadline"

@pytest.mark.parametrize("engine", KINDS)
def test_leaving_the_loop_waits_for_the_end_of_what_runs_and_starts_nothing_more(folder, engine):
    def ours(): return {pid for pid, process in processes().items() if process.parent == os.getpid()}
    before, names = ours(), [f"{i}.txt" for i in range(4)]
    with closing(run_tasks([Task(name, "shop_tasks:waits", (name,)) for name in names], workers=2, folder=str(folder), environment=os.environ | dict(MMOPS_ENGINE=engine))) as events:
        next(events)
        while not all((folder/name).exists() for name in names[:2]): time.sleep(.01)
    assert not [name for name in names[2:] if (folder/name).exists()]
    assert not ours() - before and not (worker_status(worker_home(str(folder))) or dict(n_running=0))["n_running"]

def test_every_engine_has_a_process_with_the_two_abilities():
    assert {*_PROCESSES} == {"warm", "spawn", "kernel"} and len({*_PROCESSES.values()}) == 2
    assert all(callable(getattr(kind, ability)) for kind in _PROCESSES.values() for ability in ("wait", "end"))

@pytest.mark.skipif(sys.platform != "linux", reason="the warm worker needs Linux")
def test_whoever_is_killed_leaves_no_task_running(folder):
    code = "from marketing_mlops.jobs.fan_out import *; list(run_tasks([Task(str(i), 'signal:pause') for i in range(3)], workers=3))"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=folder)
    home = worker_home(str(folder))
    while (worker_status(home) or dict(n_running=0))["n_running"] < 3: time.sleep(.02)
    process.kill(); process.wait()
    while worker_status(home)["n_running"]: time.sleep(.02)
