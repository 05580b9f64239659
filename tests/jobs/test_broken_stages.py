"""Whatever ends a stage, its earlier outputs are the same to the byte, and the next run is fine."""
import os, signal, subprocess, sys
from pathlib import Path
import pytest
from workspace_outputs import fingerprint, until
from marketing_mlops.jobs.pipeline import reproduce
from marketing_mlops.jobs.runs import latest_run
from marketing_mlops.workspace.errors import AlreadyRunning, MmopsError, StageError
from marketing_mlops.workspace.places import find_workspace

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kills processes of the warm worker")
STAGES = {"ingest": "retailer", "validate": "retailer", "report": "retailer_promo_uplift"}

# The workspace carries a copy of the package, which its stages import. This goes to the end of the module through
# which every stage swaps its output in: everything is computed and written by then, and nothing is in place yet.
BREAK = '''
_put_in_place_unbroken = _put_in_place
def _put_in_place(new, target):
    import signal, time
    root = next(p for p in target.resolve().parents if (p/"settings.ini").exists())
    way, stage = (root/"break").read_text().split() if (root/"break").exists() else ("", "nowhere")
    if stage not in target.parts: return _put_in_place_unbroken(new, target)
    (root/"reached").write_text(str(os.getpid()))
    if way == "exception": raise RuntimeError("the disk said no")
    if way == "kill": os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(3600)
'''

@pytest.fixture
def breakable(made_workspace):
    with open(made_workspace/"marketing_mlops"/"workspace"/"places.py", "a") as f: f.write(BREAK)
    reproduce(find_workspace(made_workspace))                  # the edited module is a dependency of every stage
    return made_workspace

DRIVER = """import sys
from marketing_mlops.jobs.pipeline import reproduce
from marketing_mlops.workspace.places import find_workspace
try: reproduce(find_workspace(), [sys.argv[1]], force=True)
except KeyboardInterrupt: print("interrupted"); sys.exit(130)
"""

def start(workspace, target):
    "A forced run of one stage in a process group of its own, as a terminal would start it."
    env = os.environ | dict(MMOPS_WORKSPACE=str(workspace))
    return subprocess.Popen([sys.executable, "-c", DRIVER, target], cwd=workspace, env=env, start_new_session=True, stdout=subprocess.PIPE, text=True)

def command_of(driver):
    "Process id of the stage command below a driver."
    children = Path(f"/proc/{driver.pid}/task/{driver.pid}/children").read_text().split()
    return next(int(c) for c in children if "mmops-stage" in Path(f"/proc/{c}/cmdline").read_text())

def is_gone(pid): return not Path(f"/proc/{pid}").exists()

def check_nothing_lost(workspace, before):
    assert fingerprint(workspace) == before
    (workspace/"break").unlink()
    assert reproduce(find_workspace(workspace), force=True)
    assert fingerprint(workspace) == before
    assert not [f for f in (workspace/"data").rglob(".*.tmp")]

@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("way", ["exception", "kill"])
def test_a_stage_that_dies_leaves_the_earlier_outputs(breakable, stage, way):
    before, found = fingerprint(breakable), find_workspace(breakable)
    (breakable/"break").write_text(f"{way} {stage}")
    with pytest.raises(StageError) as error: reproduce(found, [f"{stage}@{STAGES[stage]}"], force=True)
    assert len(str(error.value).splitlines()) == 2
    run = latest_run(found, stage)
    assert run.status == "failed" and run.executed.exists() and run.error["problem"] == error.value.problem
    check_nothing_lost(breakable, before)

@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("way", ["ctrl-c", "kill the stage command", "kill dvc"])
def test_a_stage_that_is_ended_leaves_the_earlier_outputs(breakable, stage, way):
    before, found = fingerprint(breakable), find_workspace(breakable)
    (breakable/"break").write_text(f"hang {stage}")
    driver = start(breakable, f"{stage}@{STAGES[stage]}")
    until((breakable/"reached").exists)
    until(lambda: (breakable/"reached").read_text())
    notebook = int((breakable/"reached").read_text())
    if way == "ctrl-c": os.killpg(driver.pid, signal.SIGINT)
    elif way == "kill the stage command": os.kill(command_of(driver), signal.SIGKILL)
    else: driver.kill()
    said = driver.communicate(timeout=60)[0]
    if way == "ctrl-c": assert (driver.returncode, said) == (130, "interrupted\n")
    else: assert driver.returncode not in (0, 130)
    until(lambda: is_gone(notebook))
    assert latest_run(found, stage).status in ("interrupted", "killed")
    check_nothing_lost(breakable, before)
