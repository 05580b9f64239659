"""Workspaces for tests of the command line, and the command in a process of its own."""
import os, subprocess, sys
from pathlib import Path
import pytest

BIN = Path(sys.executable).parent
MAIN = "import sys; from marketing_mlops.cli.commands import main; sys.exit(main())"

def _run_mmops(*words, cwd, timeout=600, **environment):
    "`mmops WORDS` as somebody would call it, without a terminal."
    env = {k: v for k, v in os.environ.items() if not k.startswith("MMOPS_") or k == "MMOPS_WARM_HOME"}   # a worker for each workspace would import everything again
    env |= {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "MMOPS_WARM_IDLE": "60", **environment}
    return subprocess.run([sys.executable, "-c", MAIN, *map(str, words)], cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout)

def assert_two_lines(done, *says):
    "The promise about errors: two lines, an exit code, no traceback."
    assert done.returncode == 1, done.stdout+done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 2 and "Traceback" not in done.stderr, done.stderr
    for word in says: assert word in done.stderr, done.stderr

@pytest.fixture(scope="session")
def run_mmops(): return _run_mmops

@pytest.fixture
def is_refused(): return assert_two_lines

def files_of(folder):
    "Content of every file below a folder, to see that nothing has changed."
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(Path(folder).rglob("*")) if p.is_file()}

@pytest.fixture
def snapshot(): return files_of

def stop_worker_of(folder):
    from marketing_mlops.jobs.workers import stop_worker
    stop_worker(str(folder))

@pytest.fixture(scope="session")
def new_workspace(tmp_path_factory):
    "Makes empty workspaces; ends their workers afterwards."
    made = []
    def make(name):
        from marketing_mlops.cli.init import make_workspace
        folder = tmp_path_factory.mktemp("workspaces")/name
        make_workspace(str(folder))
        made.append(folder)
        return folder
    yield make
    for folder in made: stop_worker_of(folder)
