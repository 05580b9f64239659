"""A notebook may say in its metadata which engine it needs, however it is started."""
import json, os, subprocess, sys, tomllib
from pathlib import Path
import nbformat, pytest
from marketing_mlops.cli.template import PROJECT
from marketing_mlops.jobs.runner import RunOptions, run_notebook
from marketing_mlops.jobs.runs import list_runs
from marketing_mlops.workspace.errors import ParameterError
from marketing_mlops.workspace.places import find_workspace

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the warm worker needs Linux")

BIN = Path(sys.executable).parent
SHELLS = dict(kernel="ZMQInteractiveShell", warm="NotebookShell", spawn="NotebookShell")
WAYS = dict(report=["mmops", "report", "basket", "--no-open", "-p", "market=UK"], stage=["mmops-stage", "basket", "market=UK"],
            papermill=["papermill", "nbs/reports/basket.ipynb", "out.ipynb", "--engine", "mmops", "--no-progress-bar", "-p", "market", "UK"])

@pytest.fixture
def workspace(tmp_path, monkeypatch):
    (tmp_path/"settings.ini").write_text("[DEFAULT]\ndefault_models = promo\n")
    monkeypatch.delenv("MMOPS_ENGINE", raising=False)
    return find_workspace(tmp_path)

def basket(workspace, **said):
    "A notebook that records what executes it, as a report and as a job; `said` is in its metadata."
    cells = [nbformat.v4.new_code_cell('market: str = "DE"   # Market', metadata=dict(tags=["parameters"])),
             nbformat.v4.new_code_cell("from marketing_mlops.jobs.results import record\nrecord('shell', type(get_ipython()).__name__)")]
    meta = dict(kernelspec=dict(name="python3", language="python", display_name="python3")) | (dict(mmops=said) if said else {})
    for kind in ("jobs", "reports"):
        path = workspace.path("nbs", kind, "basket.ipynb")
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=meta), path)
    return path

def started(workspace, way, **variables):
    env = os.environ | dict(MMOPS_WORKSPACE=str(workspace.root)) | variables
    return subprocess.run([BIN/WAYS[way][0], *WAYS[way][1:]], cwd=workspace.root, env=env, capture_output=True, text=True)

def engines_of(workspace): return [(run.engine, run.results["shell"]) for run in list_runs(workspace, "basket")]

@pytest.mark.parametrize("way", WAYS)
def test_a_notebook_runs_on_the_engine_it_names_however_it_is_started(workspace, way):
    basket(workspace, engine="kernel")
    done = started(workspace, way)
    assert done.returncode == 0, done.stderr
    if way == "papermill": assert SHELLS["kernel"] in (workspace.root/"out.ipynb").read_text()
    else: assert engines_of(workspace) == [("kernel", SHELLS["kernel"])]

@pytest.mark.parametrize("way", WAYS)
def test_an_engine_that_nobody_knows_is_two_lines_before_anything_starts(workspace, way):
    basket(workspace, engine="docker")
    done = started(workspace, way)
    said = [line for line in done.stderr.splitlines() if "Notebook:" not in line]    # papermill's own
    assert (done.returncode, done.stdout, len(said)) == (1, "", 2), done
    assert "basket.ipynb is 'docker'; allowed are 'warm', 'spawn', 'kernel'" in said[0]
    assert not list_runs(workspace, "basket") and not (workspace.root/"out.ipynb").exists()

def test_the_environment_outweighs_a_notebook_and_a_caller_both(workspace):
    path = basket(workspace, engine="kernel")
    warm = os.environ | dict(MMOPS_ENGINE="warm")
    run_notebook(path, workspace=workspace, environment=warm)
    run_notebook(path, workspace=workspace, environment=warm, options=RunOptions(engine="kernel"))
    assert engines_of(workspace) == [("kernel", SHELLS["kernel"]), ("warm", SHELLS["warm"])]

def test_plain_papermill_hears_the_environment_before_the_notebook(workspace):
    basket(workspace, engine="kernel")
    done = started(workspace, "papermill", MMOPS_ENGINE="warm")
    assert done.returncode == 0 and SHELLS["warm"] in (workspace.root/"out.ipynb").read_text()

def test_a_notebook_that_asks_for_the_warm_worker_runs_like_every_other(workspace):
    for said in ({}, dict(engine="warm")): assert run_notebook(basket(workspace, **said), workspace=workspace).engine == "warm"

@pytest.mark.parametrize("said", [dict(engine="docker"), dict(engine=3), dict(engine=["warm"]), dict(engine=""), dict(engine=None), dict(engin="kernel")], ids=str)
def test_what_nobody_understands_is_refused_and_leaves_nothing(workspace, said):
    with pytest.raises(ParameterError, match="basket.ipynb") as error: run_notebook(basket(workspace, **said), workspace=workspace)
    assert len(str(error.value).splitlines()) == 2 and not workspace.path("data").exists()

def test_what_is_no_engine_is_refused_for_the_caller_and_for_the_environment_too(workspace):
    path = basket(workspace)
    with pytest.raises(ParameterError, match="asked for is 'docker'"): run_notebook(path, workspace=workspace, options=RunOptions(engine="docker"))
    with pytest.raises(ParameterError, match="MMOPS_ENGINE is 'docker'"): run_notebook(path, workspace=workspace, environment=os.environ | dict(MMOPS_ENGINE="docker"))
    assert not workspace.path("data").exists()

def test_a_failed_run_on_the_kernel_it_asked_for_names_it_in_its_manifest(workspace):
    path = basket(workspace, engine="kernel")
    page = json.loads(path.read_text())
    page["cells"][1]["source"] = "1/0"
    path.write_text(json.dumps(page))
    with pytest.raises(Exception, match="ZeroDivisionError"): run_notebook(path, workspace=workspace)
    assert [run.engine for run in list_runs(workspace, "basket")] == ["kernel"]

@pytest.mark.parametrize("project", ["ours", "a new workspace's"])
def test_cleaning_a_notebook_keeps_its_engine(repository, project):
    from nbdev.clean import clean_nb
    text = (repository/"pyproject.toml").read_text() if project == "ours" else PROJECT.substitute(name="spring", version="1")
    keys = tomllib.loads(text)["tool"]["nbdev"]["allowed_metadata_keys"]
    notebook = dict(cells=[], metadata=dict(mmops=dict(engine="kernel"), papermill={}), nbformat=4, nbformat_minor=5)
    clean_nb(notebook, allowed_metadata_keys=keys)
    assert notebook["metadata"] == dict(mmops=dict(engine="kernel"))
