"""The warm worker: started once, fresh for every run, gone when it should be."""
import os, signal, socket, subprocess, sys, threading, time
from pathlib import Path
import pytest
from marketing_mlops.jobs.client import begin_run, run_request
from marketing_mlops.jobs.sockets import last_answer, listen, receive_message, send_message, worker_address
from marketing_mlops.jobs.workers import connect_worker, stop_worker, worker_status

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the warm worker needs Linux")

@pytest.fixture
def home(tmp_path, monkeypatch):
    "A folder with a worker of its own, stopped afterwards."
    monkeypatch.setenv("MMOPS_WARM_HOME", str(tmp_path))
    yield tmp_path
    stop_worker(str(tmp_path))

def code(home, text): (home/"job.py").write_text(text)

def ask(home, *arguments, environment=None, deadline_s=60, memory_mb=None, wait=True):
    "Runs job:main in the worker of `home`; gives its answer and what it printed, or the open connection."
    out = open(home/"out.txt", "w+")
    request = run_request("job:main", list(arguments), deadline_s=deadline_s, memory_mb=memory_mb, environment=os.environ | (environment or {}), folder=str(home)) | dict(grace_s=1.)
    connection = begin_run(str(home), request, (out.fileno(), out.fileno()))
    if not wait: return connection
    with connection, out:
        answer = receive_message(connection)[0]
        out.seek(0)
        return {k: answer[k] for k in ("exit", "reason")}, out.read()

def until(true, seconds=120):
    "Waits for a condition; the test fails when it never holds."
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(.02)

def is_running(pid):
    try: return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError): return False

SLEEPER = """import os, subprocess, time
def main():
    child = subprocess.Popen(["sleep", "3600"])
    open("pids.tmp", "w").write(f"{os.getpid()} {child.pid}"); os.rename("pids.tmp", "pids")
    time.sleep(3600)
"""

def pids(home):
    until((home/"pids").exists)
    return [int(p) for p in (home/"pids").read_text().split()]

def test_clients_that_start_together_share_one_worker(home):
    found = []
    def look():
        with connect_worker(str(home)) as connection:
            send_message(connection, dict(do="status"))
            found.append(receive_message(connection)[0]["pid"])
    threads = [threading.Thread(target=look) for _ in range(6)]
    for t in threads: t.start()
    for t in threads: t.join()
    assert len(found) == 6 and len(set(found)) == 1
    assert not Path(worker_address(str(home)) + ".lock").exists()

def test_one_at_a_time_starts_a_worker_though_the_lock_is_removed_each_time(tmp_path):
    "Several processes take and remove the lock in turn; two inside at once would meet in the folder that each makes."
    held = f"""
import os, sys, time
from marketing_mlops.jobs.workers import start_lock
for _ in range(60):
    with start_lock({str(tmp_path/'w.sock')!r}): os.mkdir({str(tmp_path/'inside')!r}); time.sleep(.0005); os.rmdir({str(tmp_path/'inside')!r})
"""
    several = [subprocess.Popen([sys.executable, "-c", held], stderr=subprocess.PIPE, text=True) for _ in range(5)]
    said = [p.communicate()[1] for p in several]
    assert [p.returncode for p in several] == [0]*5, said
    assert list(tmp_path.iterdir()) == []

def test_a_killed_worker_is_replaced(home):
    code(home, "def main(): print('hello')")
    ask(home)
    old = worker_status(str(home))["pid"]
    os.kill(old, signal.SIGKILL)
    until(lambda: not is_running(old))
    assert Path(worker_address(str(home))).exists()            # its socket is still there and refuses
    assert ask(home) == (dict(exit=0, reason=""), "hello\n")
    assert worker_status(str(home))["pid"] != old

def test_a_request_to_a_worker_that_is_ending_is_served_by_the_next(home):
    code(home, "def main(): print('hello')")
    for _ in range(5):
        assert ask(home)[1] == "hello\n"
        with connect_worker(str(home)) as connection: send_message(connection, dict(do="stop"))

def test_a_run_refused_by_a_worker_that_still_ends_its_runs_is_asked_again_when_it_has_gone(tmp_path):
    ending, was_there = subprocess.Popen(["sleep", ".2"]), []
    def answer(listener):
        for said in (dict(pid=ending.pid, n_running=1), dict(accepted=4711)):
            with listener.accept()[0] as connection:
                for fd in receive_message(connection, 8)[1]: os.close(fd)
                was_there.append(is_running(ending.pid))
                send_message(connection, said)
    with socket.socket(socket.AF_UNIX) as listener:            # stands in for the worker that was told to stop, then for the next
        listener.bind(worker_address(str(tmp_path)))
        listener.listen()
        both = threading.Thread(target=answer, args=(listener,))
        both.start()
        begin_run(str(tmp_path), run_request("job:main", [], deadline_s=60)).close()
        both.join()
    os.unlink(worker_address(str(tmp_path)))
    ending.wait()
    assert was_there == [True, False]

def test_a_run_sees_the_environment_and_folder_of_its_client(home):
    code(home, "import os\ndef main(): print(os.environ.get('MARKET'), os.getcwd(), os.environ.get('GONE'))")
    os.environ["GONE"] = "set when the worker was started"
    try: worker = connect_worker(str(home)); worker.close()
    finally: del os.environ["GONE"]
    assert ask(home, environment=dict(MARKET="DE"))[1] == f"DE {home} None\n"

def test_a_run_reads_our_package_as_it_is_now(home, monkeypatch):
    "An edited module is never served from the worker's memory."
    package = home/"marketing_mlops"
    package.mkdir(); (package/"__init__.py").touch()
    code(home, "def main():\n    import sys; sys.path.insert(0, '.')\n    from marketing_mlops.answer import ANSWER; print(ANSWER)")
    for answer in ("first", "second"):
        (package/"answer.py").write_text(f"ANSWER = {answer!r}")
        assert ask(home)[1] == f"{answer}\n"

def test_a_worker_holds_nothing_of_our_package(home):
    code(home, "import sys\nseen = [m for m in sys.modules if m.startswith('marketing_mlops')]\ndef main(): print(seen)")
    assert ask(home)[1] == "[]\n"

def test_two_runs_do_not_draw_the_same_random_numbers(home):
    code(home, "import random, numpy\ndef main(): print(random.random(), numpy.random.rand(), numpy.random.default_rng().random())")
    first, second = (ask(home)[1].split() for _ in range(2))
    assert not set(first) & set(second)

def test_a_run_and_all_it_started_end_with_its_client(home):
    code(home, SLEEPER)
    connection = ask(home, wait=False)
    processes = pids(home)
    assert all(map(is_running, processes))
    connection.close()
    until(lambda: not any(map(is_running, processes)))

def test_a_run_that_ignores_the_polite_signal_is_killed(home):
    code(home, SLEEPER.replace("    child", "    import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n    child"))
    connection = ask(home, wait=False)
    processes = pids(home)
    connection.close()
    until(lambda: not any(map(is_running, processes)))

def test_a_run_past_its_deadline_is_killed_also_when_its_client_goes_meanwhile(home):
    code(home, SLEEPER.replace("def main():", "import signal\ndef main():\n    signal.signal(signal.SIGTERM, signal.SIG_IGN)"))
    connection = ask(home, deadline_s=1, wait=False)
    started = pids(home)
    time.sleep(1.3)                                            # the deadline has passed, the grace period has not
    connection.close()
    until(lambda: not any(map(is_running, started)))

def test_a_client_that_leaves_before_its_answer_leaves_no_run_and_a_worker_alive(home):
    code(home, SLEEPER)
    ask_nothing = dict(do="status")
    with connect_worker(str(home)) as connection: send_message(connection, ask_nothing)
    pid = worker_status(str(home))["pid"]
    with open(home/"out.txt", "w") as out, connect_worker(str(home)) as connection:
        send_message(connection, dict(do="run", function="job:main", arguments=[], environment=dict(os.environ), folder=str(home),
            deadline_s=60, grace_s=1.), (out.fileno(), out.fileno()))
    for nonsense in (b"\0\0\0\1x", b"\0\0\0\2[]", b'\0\0\0\x09{"do":[]}'): # no JSON, no object, no word
        with connect_worker(str(home)) as connection: connection.sendall(nonsense)
    until(lambda: worker_status(str(home))["n_running"] == 0)
    assert worker_status(str(home))["pid"] == pid
    time.sleep(.2)
    assert not (home/"pids").exists() or not any(map(is_running, pids(home)))

def test_a_run_past_its_deadline_is_ended_and_says_so(home):
    code(home, SLEEPER)
    answer, _ = ask(home, deadline_s=1)
    assert answer["reason"] == "deadline" and answer["exit"] < 0
    until(lambda: not any(map(is_running, pids(home))))

def test_nobody_who_keeps_silent_or_breaks_off_holds_up_the_deadline_of_another(home):
    code(home, SLEEPER)
    with connect_worker(str(home)), ask(home, wait=False) as breaks_off:
        breaks_off.sendall(b"\0\0")                            # half of the length of a message
        assert ask(home, deadline_s=.2)[0]["reason"] == "deadline"
        assert receive_message(breaks_off)[0]["reason"] == "client gone"

def test_a_daemon_started_in_a_run_ends_with_it(home):
    "It has left the run's process group and has no parent any more."
    code(home, """import subprocess
def main():
    subprocess.run(["sh", "-c", "setsid sh -c 'sleep 3600 & echo $! >pids.tmp; mv pids.tmp pids; wait' &"])
    while not __import__("os").path.exists("pids"): pass
""")
    assert ask(home)[0]["exit"] == 0
    until(lambda: not any(map(is_running, pids(home))))

def test_a_run_that_takes_too_much_memory_is_ended_and_says_so(home):
    code(home, "import time\ndef main():\n    kept = []\n    while True: kept.append(bytearray(10_000_000)); time.sleep(.01)")
    answer, _ = ask(home, memory_mb=500)
    assert answer == dict(exit=-signal.SIGKILL, reason="memory")
    code(home, "def main(): pass")
    assert ask(home, memory_mb=500)[0] == dict(exit=0, reason="")

def test_memory_counts_what_a_run_has_started(home):
    code(home, """import subprocess, sys
def main():
    takes = [sys.executable, "-c", "import time; kept = bytearray(300_000_000); time.sleep(3600)"]
    for p in [subprocess.Popen(takes, start_new_session=True) for _ in range(3)]: p.wait()
""")
    assert ask(home, memory_mb=600)[0]["reason"] == "memory"

def test_a_finished_run_leaves_no_process_behind(home):
    code(home, SLEEPER.replace("    time.sleep(3600)\n", ""))
    assert ask(home)[0]["exit"] == 0
    until(lambda: not any(map(is_running, pids(home))))

def test_runs_end_with_a_killed_worker(home):
    code(home, SLEEPER)
    with ask(home, wait=False) as connection:
        started = pids(home)
        os.kill(worker_status(str(home))["pid"], signal.SIGKILL)
        assert receive_message(connection)[0] is None
    until(lambda: not any(map(is_running, started)))           # its keeper has ended what the run had started

def test_a_worker_ends_when_it_is_idle(home, monkeypatch):
    monkeypatch.setenv("MMOPS_WARM_IDLE", "0.5")
    connect_worker(str(home)).close()
    pid = worker_status(str(home))["pid"]
    until(lambda: not is_running(pid), 60)
    assert worker_status(str(home)) is None

def test_a_worker_ends_with_its_folder(tmp_path):
    home = tmp_path/"workspace"
    home.mkdir()
    connect_worker(str(home)).close()
    pid = worker_status(str(home))["pid"]
    home.rmdir()
    until(lambda: not is_running(pid), 60)

def test_other_packages_or_thread_counts_get_another_worker(home):
    addresses = {worker_address(str(home), os.environ | extra) for extra in ({}, dict(OMP_NUM_THREADS="7"), dict(PYTHONHASHSEED="3"))}
    assert len(addresses) == 3

def test_the_exit_code_and_the_output_of_a_run_come_through(home):
    code(home, "import sys\ndef main(n): print('out'); print('err', file=sys.stderr); return int(n)")
    for n in (0, 7): assert ask(home, str(n)) == (dict(exit=n, reason=""), "out\nerr\n")

def test_sys_exit_without_a_number_is_a_success_and_a_text_an_error(home):
    for said, expected in (("", 0), ("2", 2), ("'no orders'", 1)):
        code(home, f"import sys\ndef main(): sys.exit({said})")
        assert ask(home)[0]["exit"] == expected

def test_the_stage_command_imports_the_standard_library_only():
    probe = "import sys; before = set(sys.modules); import marketing_mlops.jobs.client; print('\\n'.join(set(sys.modules) - before))"
    loaded = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True).stdout.split()
    foreign = {m.split(".")[0] for m in loaded} - set(sys.stdlib_module_names) - {"marketing_mlops"}
    assert not foreign
    assert {m for m in loaded if m.startswith("marketing_mlops")} == {"marketing_mlops", "marketing_mlops.jobs", "marketing_mlops.jobs.client", "marketing_mlops.jobs.sockets",
                                                                           "marketing_mlops.jobs.workers"}

WORKER_IN_A_RUN = """import signal, socket
from marketing_mlops.jobs.zygote import Zygote, serve_runs, stop_runs
TABLE = list(range(1000))
def serve(home, listener):
    worker = Zygote(home, socket.socket(fileno=listener), waiting=[])
    signal.signal(signal.SIGTERM, lambda *_: stop_runs(worker))
    print("removed" if serve_runs(worker) else "left", "its socket")
def main(): print(len(TABLE)); return 7
def sleep(): import time; time.sleep(3600)
"""

def serve_in_a_run(home, address):
    "A run of the worker of `home` that serves runs itself; the connection of its client."
    code(home, WORKER_IN_A_RUN)
    request = run_request("job:serve", [str(home)], deadline_s=60, folder=str(home))
    with listen(address) as listener, open(home/"served.txt", "w") as out:
        return begin_run(str(home), request, (out.fileno(), out.fileno(), listener.fileno()))

def ask_within(home, address, function):
    with open(home/"out.txt", "w") as out:
        return last_answer(address, dict(do="run", **run_request(f"job:{function}", [], deadline_s=60, folder=str(home))), (out.fileno(), out.fileno()))

def test_a_run_serves_runs_that_have_its_modules_and_ends_when_told_to_stop(home):
    address = str(home/"w.sock")
    with serve_in_a_run(home, address) as connection:
        assert ask_within(home, address, "main")["exit"] == 7 and (home/"out.txt").read_text() == "1000\n"
        assert last_answer(address, dict(do="stop"))["n_running"] == 0
        assert receive_message(connection)[0]["exit"] == 0
    assert (home/"served.txt").read_text() == "removed its socket\n" and not Path(address).exists()

def test_a_run_that_serves_runs_ends_with_its_client_and_they_hear_why(home):
    address, answers = str(home/"w.sock"), []
    connection = serve_in_a_run(home, address)
    asking = [threading.Thread(target=lambda: answers.append(ask_within(home, address, "sleep"))) for _ in range(2)]
    for t in asking: t.start()
    until(lambda: last_answer(address, dict(do="status"))["n_running"] == 2)
    connection.close()
    for t in asking: t.join()
    assert [(a["exit"], a["reason"]) for a in answers] == [(-signal.SIGTERM, "stopped")]*2
    until(lambda: worker_status(str(home))["n_running"] == 0)
    assert not Path(address).exists()
