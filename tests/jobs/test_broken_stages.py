"""Whatever ends a stage, its earlier outputs are the same to the byte, and the next run is fine."""
import itertools, os, signal, subprocess, sys
from pathlib import Path
import pytest
from variants import first_always
from workspace_outputs import fingerprint, until
from marketing_mlops.jobs.runs import latest_run
from marketing_mlops.workspace.places import find_workspace

pytestmark = [pytest.mark.edges, pytest.mark.skipif(sys.platform != "linux", reason="kills processes of the warm worker")]
STAGES = dict(ingest=("source", "retailer"), validate=("source", "retailer"), report=("model", "retailer_promo_uplift"))
BIN = Path(sys.executable).parent

def environment(workspace):
    "With the plain shell, as cron and CI have it: it stays between DVC and the stage, where bash steps aside."
    return os.environ | dict(SHELL="/bin/sh", MMOPS_WORKSPACE=str(workspace), PATH=f"{BIN}:{os.environ['PATH']}", DVC_NO_ANALYTICS="1")

def start(workspace, stage):
    "DVC runs one stage, in a process group of its own as a terminal would give it."
    return subprocess.Popen([sys.executable, "-m", "dvc", "repro", "--force", "--single-item", f"{stage}@{STAGES[stage][1]}"], cwd=workspace,
        env=environment(workspace), start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

def command_of(dvc):
    "Process id of the stage command below DVC."
    children = Path(f"/proc/{dvc.pid}/task/{dvc.pid}/children").read_text().split()
    return next(int(c) for c in children if "mmops-stage" in Path(f"/proc/{c}/cmdline").read_text())

def is_gone(pid): return not Path(f"/proc/{pid}").exists()

def check_nothing_lost(workspace, stage, before):
    assert fingerprint(workspace) == before
    (workspace/"break").unlink()
    name, value = STAGES[stage]
    done = subprocess.run([BIN/"mmops-stage", stage, f"{name}={value}"], cwd=workspace, env=environment(workspace), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert fingerprint(workspace) == before
    assert not list((workspace/"data").rglob(".*.tmp"))

@pytest.mark.parametrize("way, stage", first_always([("kill", "ingest"), *itertools.product(["kill", "exception"], ["validate", "report"]), ("exception", "ingest")]))
def test_a_stage_that_dies_leaves_the_earlier_outputs(made_workspace, stage, way):
    before = fingerprint(made_workspace)
    (made_workspace/"break").write_text(f"{way} {stage}")
    dvc = start(made_workspace, stage)
    said = dvc.communicate(timeout=600)[1].splitlines()
    assert dvc.returncode != 0 and (made_workspace/"reached").exists()
    run = latest_run(find_workspace(made_workspace), stage)
    assert run.status == "failed" and run.executed.exists()
    assert said[:2] == [run.error["problem"], run.error["remedy"]] and said[2].startswith("ERROR: failed to reproduce")
    check_nothing_lost(made_workspace, stage, before)

@pytest.mark.parametrize("way, stage", first_always([("ctrl-c", "ingest"), ("kill the stage command", "report"), ("kill dvc", "validate"), ("kill the stage command", "ingest"), ("kill dvc", "ingest"),
                                                     *itertools.product(["ctrl-c", "kill the stage command"], ["validate"]), ("ctrl-c", "report"), ("kill dvc", "report")], 3))
def test_a_stage_that_is_ended_leaves_the_earlier_outputs(made_workspace, stage, way):
    before = fingerprint(made_workspace)
    (made_workspace/"break").write_text(f"hang {stage}")
    dvc = start(made_workspace, stage)
    until((made_workspace/"reached").exists)
    notebook = int((made_workspace/"reached").read_text())
    if way == "ctrl-c": os.killpg(dvc.pid, signal.SIGINT)
    elif way == "kill the stage command": os.kill(command_of(dvc), signal.SIGKILL)
    else: dvc.kill()
    dvc.communicate(timeout=600)
    assert dvc.returncode != 0
    until(lambda: is_gone(notebook))
    run = latest_run(find_workspace(made_workspace), stage)
    assert run.status in ("interrupted", "killed") and run.executed.exists()
    check_nothing_lost(made_workspace, stage, before)
