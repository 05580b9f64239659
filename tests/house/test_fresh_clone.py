"""What users of git, DVC and papermill expect of a clone, done with the plain tools."""
import json, os, shutil, subprocess, sys
from pathlib import Path
import filelock
import pytest

pytestmark = pytest.mark.edges

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
READOUT = Path("data/report/retailer_promo_uplift/campaign_readout.html")

def run(folder, *command, code=0, **environment):
    "Runs a command of the environment in `folder`, as somebody would who activated it."
    env = {**os.environ, "CI": "true", "PYTHONPATH": str(folder), "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", **environment}
    env.pop("MMOPS_WORKSPACE", None)
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == code, done.stdout+done.stderr
    return done.stdout

def git(folder, *words): return run(folder, "git", "-c", "user.name=tests", "-c", "user.email=tests@example.com", *words)

@pytest.fixture
def clone(shared):
    "The files of this repository as they are, committed, and the demo run once in them; one test at a time has them."
    def build(place):
        folder = place/"repository"
        names = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True)
        for name in filter(None, names.stdout.split("\0")):
            if not (ROOT/name).is_file(): continue
            (folder/name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT/name, folder/name)
        git(folder, "init", "-q"); git(folder, "add", "-A"); git(folder, "commit", "-qm", "The repository")
        run(folder, sys.executable, "-m", "compileall", "-q", "marketing_mlops")   # once, and not in every process of the run
        run(folder, "mmops", "run")
    place = shared("clone", build)
    with filelock.FileLock(place.with_suffix(".in_use")): yield place/"repository"

@pytest.mark.skipif(sys.platform != "linux", reason="the committed dvc.lock was recorded on Linux")
def test_a_run_in_a_clone_leaves_git_clean_and_the_lock_unchanged(clone):
    assert git(clone, "status", "--porcelain") == ""

def test_a_second_run_changes_nothing(clone):
    assert "Unchanged" in run(clone, "mmops", "run")

def test_dvc_finds_everything_up_to_date(clone):
    assert "up to date" in run(clone, "dvc", "status", "dvc.yaml")
    assert "didn't change" in run(clone, "dvc", "repro")

@pytest.mark.parametrize("engine", [pytest.param((), marks=pytest.mark.slow), ("--engine", "mmops")], ids=["stock", "warm"])
def test_plain_papermill_runs_a_report_from_any_folder(clone, tmp_path, engine):
    run(tmp_path, "papermill", str(clone/"nbs/reports/campaign_readout.ipynb"), "out.ipynb", "-p", "model", "retailer_promo_uplift", *engine,
        PYTHONPATH=str(clone))
    executed = json.loads((tmp_path/"out.ipynb").read_text())
    assert any("injected-parameters" in c["metadata"].get("tags", []) for c in executed["cells"])
    assert not [o for c in executed["cells"] for o in c.get("outputs", []) if o["output_type"] == "error"]

@pytest.mark.slow
def test_a_colleague_pulls_the_same_readout_without_running_anything(clone, tmp_path):
    run(clone, "dvc", "push", "-q")
    colleague = clone.parent/"colleague"
    git(clone, "clone", "-q", str(clone), str(colleague))
    try:
        assert not (colleague/READOUT).exists()
        run(colleague, "dvc", "pull", "-q", "dvc.yaml")
        assert (colleague/READOUT).read_bytes() == (clone/READOUT).read_bytes()
        assert not (colleague/"data/private/retailer").exists(), "what is private never travels"
        assert not (colleague/"data/runs").exists(), "nothing was run"
        # replays that nobody ran are in no remote: DVC says so and brings the rest
        shutil.rmtree(colleague/"data/report"); shutil.rmtree(colleague/".dvc/cache")
        run(colleague, "dvc", "pull", "-q", "--allow-missing")
        assert (colleague/READOUT).read_bytes() == (clone/READOUT).read_bytes()
    finally: shutil.rmtree(colleague, ignore_errors=True)
