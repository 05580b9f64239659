"""The worker that keeps a spare interpreter, as on macOS: the same runs, the same ends, nothing left. And what happens where no worker starts."""
import os, signal, socket, subprocess, sys
from pathlib import Path
import pytest
from marketing_mlops.jobs.client import begin_run, run_request
from marketing_mlops.jobs.process_memory import processes
from marketing_mlops.jobs.runner import RunOptions, run_notebook
from marketing_mlops.jobs.sockets import receive_message, send_message, worker_address
from marketing_mlops.jobs.workers import stop_worker, worker_status
from marketing_mlops.workspace.places import find_workspace
from test_runner import notebook
from test_warm_worker import SLEEPER, is_running, pids, until

pytestmark = [pytest.mark.edges, pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such worker")]

@pytest.fixture(scope="module")
def home(tmp_path_factory):
    "A folder with a spawned worker of its own, stopped afterwards."
    home = tmp_path_factory.mktemp("spawned")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in dict(MMOPS_WARM_HOME=str(home), MMOPS_ENGINE="spawn").items(): patch.setenv(name, value)
        yield home
        stop_worker(str(home))

def ask(home, text, wait=True, **limits):
    (home/"job.py").write_text(text)
    (home/"pids").unlink(missing_ok=True)
    with open(home/"out.txt", "w") as out:
        request = run_request("job:main", [], folder=str(home), **dict(deadline_s=60) | limits) | dict(grace_s=1.)
        connection = begin_run(str(home), request, (out.fileno(), out.fileno()))
    if not wait: return connection
    with connection: answer = receive_message(connection)[0]
    return (answer["exit"], answer["reason"]), (home/"out.txt").read_text()

def test_runs_come_and_go_and_each_reads_its_module_anew(home):
    for n in (0, 7): assert ask(home, f"def main(): print('run {n}'); return {n}") == ((n, ""), f"run {n}\n")

def test_a_spawned_run_ends_at_its_deadline_and_for_its_memory(home):
    assert ask(home, SLEEPER, deadline_s=1)[0][1] == "deadline"
    assert ask(home, "import time\ndef main():\n    kept = []\n    while True: kept.append(bytearray(10_000_000)); time.sleep(.01)", memory_mb=700)[0] == (-9, "memory")

def test_a_spawned_run_and_all_it_started_end_with_its_client(home):
    connection = ask(home, SLEEPER, wait=False)
    started = pids(home)
    connection.close()
    until(lambda: not any(map(is_running, started)))

def test_a_notebook_gives_the_same_on_a_spawned_worker(home, tmp_path):
    (tmp_path/"settings.ini").write_text("[DEFAULT]\ndefault_models = promo\n")
    workspace = find_workspace(tmp_path)
    page = notebook(workspace, "from marketing_mlops.jobs.results import record", "record('total', sum(0.1 for _ in range(n)))\nprint(n)")
    spawned, warm = (run_notebook(page, workspace=workspace, options=RunOptions(engine=engine)) for engine in ("spawn", "warm"))
    assert spawned.semantic_hash == warm.semantic_hash and spawned.engine == "spawn"

def test_spawned_runs_end_with_a_killed_worker(home):
    "No spare is left either; the next run gets a new worker."
    with ask(home, SLEEPER, wait=False) as connection:
        started = pids(home)
        worker = worker_status(str(home))["pid"]
        os.kill(worker, signal.SIGKILL)
        assert receive_message(connection)[0] is None
    until(lambda: not any(map(is_running, started)))
    assert ask(home, "def main(): print('hello')") == ((0, ""), "hello\n")

def test_a_spare_that_was_killed_is_replaced_before_a_run_is_handed_over(home):
    ask(home, "def main(): pass")
    worker = worker_status(str(home))["pid"]
    spare, = [pid for pid, process in processes().items() if process.parent == worker]
    os.kill(spare, signal.SIGKILL)
    until(lambda: not is_running(spare) and len(list(Path(f"/proc/{spare}/task").glob("*"))) <= 1) # with all its threads
    for _ in range(2): assert ask(home, "def main(): print('hello')") == ((0, ""), "hello\n")
    assert worker_status(str(home))["pid"] == worker

SPARE = """import sys
from marketing_mlops.jobs import spawner
spawner.NEEDED_FIRST, spawner.NEEDED_SOON, spawner.NEEDED_LATER = ("first",), ("soon",), ("later", "last")
spawner.preload = lambda name: print(name, flush=True)
spawner.wait_for_run(int(sys.argv[1]))
"""

@pytest.mark.parametrize("is_asked", [False, True], ids=["while nobody asks", "and not while somebody waits"])
def test_a_spare_imports_what_some_runs_need_while_it_waits(tmp_path, is_asked):
    (tmp_path/"job.py").write_text("def main(): print('run')")
    worker, channel = socket.socketpair()
    with worker, channel, open(tmp_path/"out.txt", "w") as out:
        if is_asked: send_message(worker, run_request("job:main", [], deadline_s=60, folder=str(tmp_path)), (out.fileno(), out.fileno()))
        spare = subprocess.Popen([sys.executable, "-c", SPARE, str(channel.fileno())], pass_fds=[channel.fileno()], stdout=subprocess.PIPE, text=True, process_group=0)
        channel.close()
        imported = [spare.stdout.readline() for _ in range(2 if is_asked else 4)]
        if not is_asked: worker.close()
        assert (spare.communicate()[0], spare.returncode) == ("", 0)
    assert imported == ["first\n", "soon\n", "later\n", "last\n"][:len(imported)]
    assert (tmp_path/"out.txt").read_text() == ("run\n" if is_asked else "")

def test_a_worker_that_cannot_start_means_one_line_and_the_stock_kernel(tmp_path, monkeypatch, capfd):
    (tmp_path/"settings.ini").write_text("[DEFAULT]\ndefault_models = promo\n")
    workspace = find_workspace(tmp_path)
    for name, value in dict(MMOPS_WARM_HOME=str(tmp_path), MMOPS_ENGINE="spawn").items(): monkeypatch.setenv(name, value)
    taken = Path(worker_address(str(tmp_path)))
    taken.mkdir()                                              # a folder where the socket would be
    try: run = run_notebook(notebook(workspace, "print(n)"), workspace=workspace, options=RunOptions(engine="spawn"))
    finally: taken.rmdir()
    assert (run.status, run.engine) == ("done", "kernel")
    said = capfd.readouterr().err.splitlines()
    assert len(said) == 1 and said[0].startswith("No warm worker, so the stock kernel is used: ")
