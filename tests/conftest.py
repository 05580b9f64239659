"""What every test may use: the dataset mirror, and tiny workspaces of its own."""
import gc, importlib, os, shutil, signal, subprocess, sys
from pathlib import Path
import filelock
import pytest
from lookups import without_lookups
from workspace_outputs import BREAK

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
TRAVELS = ["settings.ini", "params.yaml", "schedule.yaml", "dvc.yaml", ".dvcignore", ".dvc/config", "data/sources", "data/live", "data/ledger",
           "data/replays", "benchmarks/results/monitoring_alarms.json", "nbs/jobs", "nbs/reports", "marketing_mlops"]

# A shell that starts the suite in the background has SIGINT ignored, and children inherit that: Ctrl-C could not be tested.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN: signal.signal(signal.SIGINT, signal.default_int_handler)

# Where PYTHONDONTWRITEBYTECODE is set, each worker would rewrite the asserts of all tests again: half of what collecting them costs.
WRITES_NOTHING, sys.dont_write_bytecode = sys.dont_write_bytecode, False

# What takes longest by the clock, longest first, so that no core is idle at the end. Those that wait for one and the same pipeline
# to be run from nothing stand apart: the first of them makes it, and nobody has to wait meanwhile.
LONGEST = [f"tests/{name}.py" for name in (
    "cli/test_run", "house/test_fresh_clone", "features/test_engines", "cli/test_init", "cli/test_additions", "cli/test_model_life",
    "jobs/test_dvc_usage", "jobs/test_broken_stages",
    "jobs/test_evidence", "reporting/test_weekly_performance", "jobs/test_warm_worker", "governance/test_ledger_on_postgres",
    "sources/test_ingestion", "sources/test_quality", "features/test_point_in_time", "house/test_in_sync", "monitoring/test_alarms",
    "schedules/test_sent_reports", "features/test_materialisation", "sources/test_simulator", "explorers/test_explorer_in_lab",
    "explorers/test_readout_explorer", "schedules/test_schedule_commands", "sources/test_revenue_questions", "registry/test_graphs",
    "models/test_uplift_learners", "reporting/test_pages_in_a_browser", "jobs/test_scoring", "governance/test_rules", "serving/test_service",
    "features/test_training_sets", "reporting/test_site", "jobs/test_runner", "explorers/test_explorer_reports", "training/test_feature_review",
    "training/test_search", "reporting/test_experiment_reports", "explorers/test_segment_tallies", "reporting/test_segment_report",
    "governance/test_releases", "reporting/test_model_card", "schedules/test_lab", "governance/test_trials", "jobs/test_resume",
    "governance/test_cut_short", "reporting/test_readouts_and_quality", "reporting/test_governance_report", "jobs/test_papermill_suite")]
PLACES = {name: i for i, name in enumerate(LONGEST)}

def pytest_collection_modifyitems(items): items.sort(key=lambda item: PLACES.get(item.nodeid.split("::")[0], len(PLACES)))

def pytest_collection_finish():
    "Thousands of tests are thousands of objects that every garbage collection would look at again."
    sys.dont_write_bytecode = WRITES_NOTHING
    gc.freeze()

import hypothesis
hypothesis.settings.register_profile("suite", deadline=None)   # a busy machine is no fault of the code
hypothesis.settings.load_profile("suite")

@pytest.fixture(scope="session")
def repository() -> Path:
    "Root of this repository."
    return ROOT

@pytest.fixture(scope="session")
def datasets() -> Path:
    "The mirror of public datasets named by MMOPS_DATASETS; tests that need it skip without it."
    mirror = os.environ.get("MMOPS_DATASETS")
    if not mirror: pytest.skip("MMOPS_DATASETS names no mirror of the public datasets")
    path = Path(mirror) if Path(mirror).is_absolute() else ROOT/mirror
    if not path.is_dir(): pytest.skip(f"MMOPS_DATASETS is {mirror!r}, which is not a folder")
    return path.resolve()

@pytest.fixture(scope="module")
def benchmark_script():
    "Function (name) -> the script benchmarks/<name>.py as a module; it is forgotten when the test module ends."
    before = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT/"benchmarks")
        yield importlib.import_module
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(str(ROOT/"benchmarks")): del sys.modules[name]

def _copy_tracked(name, into):
    "Copies what git tracks (or would track) below `name`, as it is in the working tree."
    found = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", name],
                           cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for path in filter(None, found):
        if not (ROOT/path).is_file(): continue
        (into/path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT/path, into/path)

def copy_compiled(into):
    "Copies our compiled modules: where PYTHONDONTWRITEBYTECODE is set, each process started in a copy would compile them again."
    for compiled in (ROOT/"marketing_mlops").rglob("__pycache__"): shutil.copytree(compiled, into/compiled.relative_to(ROOT), dirs_exist_ok=True)

def _git(folder, *words):
    subprocess.run(["git", "-c", "user.name=tests", "-c", "user.email=tests@example.com", *words], cwd=folder, check=True, capture_output=True)

@pytest.fixture(scope="session")
def _tiny_template(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("template")/"workspace"
    folder.mkdir()
    for name in TRAVELS: _copy_tracked(name, folder)
    copy_compiled(folder)
    shutil.copy2(ROOT/".gitignore", folder/".gitignore")
    params = folder/"params.yaml"
    small = params.read_text().replace("customers: 20000", "customers: 2000").replace("planned_customers: 12000", "planned_customers: 1000")
    assert small.count("customers: 2000\n") == 1 and "planned_customers: 1000" in small, "params.yaml has changed: adapt the tiny workspace"
    params.write_text(small)
    _git(folder, "init", "-q"); _git(folder, "add", "-A"); _git(folder, "commit", "-qm", "A tiny workspace")
    return folder

@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    "Function (name, build) -> a folder that one test process fills and all of them read."
    base = tmp_path_factory.getbasetemp()
    base = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base)/"shared"
    base.mkdir(exist_ok=True)
    def share(name, build):
        folder, filled = base/name, base/f"{name}.filled"
        with filelock.FileLock(base/f"{name}.lock"):
            if not filled.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                build(folder)
                filled.touch()
        return folder
    return share

@pytest.fixture(scope="session")
def public(repository, datasets, shared):
    """Function (source) -> a workspace in which that public source has been ingested, once for the whole suite; its candidates
    stand for accepted tables, and `ingest.json` beside them is the account. To be read only."""
    def build(root, source):
        from marketing_mlops.sources.ingestion import ingest
        from marketing_mlops.workspace.params import read_params
        from marketing_mlops.workspace.places import find_workspace
        (root/"settings.ini").write_text("[DEFAULT]\nreporting_currency = EUR\n[markets]\nDE = Europe/Berlin, monday, 1, DE\n")
        (root/"params.yaml").write_text(f"sources:\n  {source}: {{kind: file}}\nmodels: {{}}\n")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MMOPS_DATASETS", str(datasets))      # may have been relative to the repository
            workspace = find_workspace(root)
            workspace.source_folder(source).mkdir(parents=True)
            shutil.copy2(repository/"data"/"sources"/source/"mapping.yaml", workspace.source_folder(source))
            for folder in (workspace.accepted(source), workspace.private(source)): folder.mkdir(parents=True)
            ingest(source, workspace, read_params(workspace), workspace.accepted(source), workspace.private(source))
    def ready(source):
        from marketing_mlops.workspace.places import find_workspace
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MMOPS_DATASETS", str(datasets))
            return find_workspace(shared(f"public-{source}", lambda folder: build(folder, source)))
    return ready

@pytest.fixture
def offline(tmp_path):
    "Such an environment, and the file."
    return without_lookups(tmp_path/"lookups.txt"), tmp_path/"lookups.txt"

@pytest.fixture(scope="session")
def first_run(_tiny_template, shared) -> Path:
    """A folder with a tiny workspace in which `mmops run` was typed once, what it said, and the names it looked up.
    To be read only: the suite has time for one such run. `workspace_outputs.BREAK` tells how copies are broken."""
    def build(folder):
        workspace = folder/"workspace"
        shutil.copytree(_tiny_template, workspace, symlinks=True)
        with open(workspace/"marketing_mlops"/"workspace"/"places.py", "a") as places: places.write(BREAK)
        done = subprocess.run([BIN/"mmops", "run", "--no-open"], cwd=workspace, env=without_lookups(folder/"lookups.txt"), capture_output=True, text=True)
        assert done.returncode == 0, done.stdout+done.stderr
        (folder/"printed.txt").write_text(done.stdout)
        (folder/"complained.txt").write_text(done.stderr)
    return shared("first_run", build)

@pytest.fixture
def tiny_workspace(_tiny_template, tmp_path) -> Path:
    "A workspace with 2,000 simulated customers and nothing run yet; its warm process ends with the test."
    folder = tmp_path/"workspace"
    shutil.copytree(_tiny_template, folder, symlinks=True)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)

@pytest.fixture(scope="session", autouse=True)
def warm_home(tmp_path_factory):
    "One folder for the warm workers of all notebooks that the tests of this process run; they end when it is removed."
    home = tmp_path_factory.mktemp("warm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MMOPS_WARM_HOME", str(home))
        patch.setenv("MMOPS_WARM_IDLE", "60")                  # for tests that are killed before they come to their end
        patch.setenv("MMOPS_KEEP_FAILED_S", "0")               # a suite of failing runs would hold their memory
        yield home
        if hasattr(os, "fork"):
            from marketing_mlops.jobs.workers import stop_worker
            stop_worker(str(home))
    shutil.rmtree(home, ignore_errors=True)                    # workers started with another environment see that it is gone
