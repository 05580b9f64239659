"""The runner: checked parameters, evidence however a run ends, the same on both engines."""
import json, os, signal, subprocess, sys, time
from pathlib import Path
import nbformat, pytest
from workspace_outputs import until
from marketing_mlops.jobs.client import begin_run
from marketing_mlops.jobs.limits import RunLimits
from marketing_mlops.jobs.runner import RunOptions, run_notebook
from marketing_mlops.jobs.runs import list_runs, latest_run
from marketing_mlops.workspace.errors import ParameterError, StageError
from marketing_mlops.workspace.places import find_workspace

BIN = Path(sys.executable).parent
ENGINES = ["warm", "kernel"] if sys.platform == "linux" else ["kernel"]

@pytest.fixture
def workspace(tmp_path):
    (tmp_path/"settings.ini").write_text("[DEFAULT]\ndefault_models = promo\n")
    return find_workspace(tmp_path)

def notebook(workspace, *code, name="weekly", parameters='market: str = "DE"   # Market\nn: int = 3'):
    cells = [nbformat.v4.new_code_cell(parameters, metadata=dict(tags=["parameters"])), *map(nbformat.v4.new_code_cell, code)]
    meta = dict(kernelspec=dict(name="python3", language="python", display_name="python3"))
    path = workspace.path("nbs", "jobs", f"{name}.ipynb")
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=meta), path)
    return path

RECORD = "from marketing_mlops.jobs.results import record"

@pytest.mark.parametrize("engine", ENGINES)
def test_a_run_leaves_its_results_and_the_executed_notebook(workspace, engine):
    run = run_notebook(notebook(workspace, RECORD, "record('n', n)", "market"), dict(n="5", market="UK"), workspace=workspace, options=RunOptions(engine=engine))
    assert run.results == dict(n=5) and run.status == "done" and run.key == "UK" and run.engine == engine
    executed = nbformat.read(run.executed, 4)
    nbformat.validate(executed)
    injected = [c for c in executed.cells if "injected-parameters" in c.metadata.get("tags", [])]
    assert len(injected) == 1 and "n = 5" in injected[0].source
    assert executed.metadata.papermill.parameters == dict(n=5, market="UK")

@pytest.mark.parametrize("engine", ENGINES)
def test_a_failing_run_keeps_what_had_run(workspace, engine):
    with pytest.raises(StageError) as error:
        run_notebook(notebook(workspace, RECORD, "record('n', n)", "{}['price']"), workspace=workspace, options=RunOptions(engine=engine))
    run = latest_run(workspace, "weekly")
    assert run.status == "failed" and run.results == dict(n=3) and "KeyError: 'price'" in run.error["problem"]
    assert len(str(error.value).splitlines()) == 2

@pytest.mark.parametrize("engine", ENGINES)
def test_a_notebook_whose_process_is_killed_keeps_what_had_run(workspace, engine):
    with pytest.raises(StageError):
        run_notebook(notebook(workspace, RECORD, "record('n', n)", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"), workspace=workspace, options=RunOptions(engine=engine))
    run = latest_run(workspace, "weekly")
    assert run.status == "failed" and run.results == dict(n=3) and run.executed.exists()

@pytest.mark.parametrize("engine", ENGINES)
def test_our_own_errors_keep_their_two_lines(workspace, engine):
    raising = "from marketing_mlops.workspace.errors import DataError\nraise DataError('orders.csv has no column price.', 'Add it.', file='orders.csv')"
    with pytest.raises(StageError) as error: run_notebook(notebook(workspace, raising), workspace=workspace, options=RunOptions(engine=engine))
    assert str(error.value) == "orders.csv has no column price.\nAdd it."

@pytest.mark.parametrize("engine", ENGINES)
def test_a_notebook_finds_the_workspace_it_was_started_for(workspace, engine, monkeypatch, tmp_path_factory):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    monkeypatch.setenv("MMOPS_WORKSPACE", str(Path(__file__).parent))
    find = "from marketing_mlops.workspace.places import find_workspace\nrecord('root', str(find_workspace().root))"
    assert run_notebook(notebook(workspace, RECORD, find), workspace=workspace, options=RunOptions(engine=engine)).results == dict(root=str(workspace.root))
    assert os.environ["MMOPS_WORKSPACE"] == str(Path(__file__).parent)

def test_both_engines_find_the_same(workspace):
    page = notebook(workspace, RECORD, "record('total', sum(0.1 for _ in range(n)))", "import pandas as pd\npd.DataFrame(dict(a=[1, 2]))", "print('a'); print('b')")
    runs = [run_notebook(page, dict(n=7), workspace=workspace, options=RunOptions(engine=engine)) for engine in ENGINES]
    assert len({r.semantic_hash for r in runs}) == 1
    outputs = [[[dict(o) for o in c.get("outputs", [])] for c in nbformat.read(r.executed, 4).cells] for r in runs]
    assert all(o == outputs[0] for o in outputs)

def test_nothing_exists_after_a_misspelt_parameter(workspace):
    with pytest.raises(ParameterError, match="Did you mean 'market'"): run_notebook(notebook(workspace), dict(markt="UK"), workspace=workspace)
    assert not workspace.path("data").exists()

def test_a_deadline_ends_a_run(workspace):
    with pytest.raises(StageError, match="deadline"):
        run_notebook(notebook(workspace, "import time; time.sleep(3600)"), workspace=workspace, options=RunOptions(engine=ENGINES[0], limits=RunLimits(deadline_s=1)))

def test_braces_in_a_path_are_not_filled_in(tmp_path):
    root = tmp_path/"sp{ring}"
    root.mkdir(); (root/"settings.ini").write_text("[DEFAULT]\ndefault_models = promo\n")
    found = find_workspace(root)
    assert run_notebook(notebook(found, "1"), workspace=found).executed.exists()

def test_unusual_names_survive(workspace):
    "HTML, quotes and emoji in a parameter arrive as they are, and the run's folder is a folder."
    odd = "<b>Mütter</b> & 'Töchter' \"🎁\""
    run = run_notebook(notebook(workspace, RECORD, "record('market', market)"), dict(market=odd), workspace=workspace, options=RunOptions(key="odd"))
    assert run.results == dict(market=odd)
    with pytest.raises(Exception, match="name"): run_notebook(notebook(workspace), dict(market="../outside"), workspace=workspace)

def stage(workspace, *words, **environment):
    env = os.environ | dict(MMOPS_WORKSPACE=str(workspace.root)) | environment
    return subprocess.run([BIN/"mmops-stage", *words], cwd=workspace.root, env=env, capture_output=True, text=True)

@pytest.mark.parametrize("engine", ENGINES)
def test_a_stage_command_ends_in_two_lines_and_nothing_else(workspace, engine):
    notebook(workspace, "1/0")
    for words in (["weekly"], ["wekly"], ["weekly", "n=x"], ["weekly", "n"], []):
        done = stage(workspace, *words, MMOPS_ENGINE=engine)
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 2), (words, done)

@pytest.mark.parametrize("engine", ENGINES)
def test_a_stage_command_that_succeeds_is_silent(workspace, engine):
    notebook(workspace, "print('inside the notebook')")
    done = stage(workspace, "weekly", "n=4", MMOPS_ENGINE=engine)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

def test_an_unknown_engine_is_refused_in_two_lines(workspace):
    notebook(workspace)
    done = stage(workspace, "weekly", MMOPS_ENGINE="docker")
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 2

@pytest.mark.parametrize("engine", ENGINES)
def test_a_deadline_that_is_no_number_of_seconds_is_refused_in_two_lines_before_anything_starts(workspace, engine):
    notebook(workspace)
    for word in ("six", "0", "nan"):
        done = stage(workspace, "weekly", MMOPS_ENGINE=engine, MMOPS_DEADLINE_S=word)
        assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 2), done
        assert f"MMOPS_DEADLINE_S in the environment is {word!r}" in done.stderr and "MMOPS_DEADLINE_S=3600" in done.stderr
    assert not list(workspace.runs("weekly").glob("*"))

def test_runs_at_the_same_time_do_not_meet(workspace):
    page = notebook(workspace, RECORD, "import time; time.sleep(.5); record('n', n)")
    commands = [subprocess.Popen([BIN/"mmops-stage", "weekly", f"n={n}"], cwd=workspace.root, env=os.environ | dict(MMOPS_WORKSPACE=str(workspace.root))) for n in range(4)]
    assert [c.wait() for c in commands] == [0]*4
    assert sorted(r.results["n"] for r in list_runs(workspace, "weekly")) == [0, 1, 2, 3]

def test_plain_papermill_runs_our_notebooks_from_any_folder(workspace, tmp_path_factory):
    page = notebook(workspace, RECORD, "record('n', n)")
    for engine in ([], ["--engine", "mmops"]):
        out = tmp_path_factory.mktemp("elsewhere")/"out.ipynb"
        done = subprocess.run([BIN/"papermill", page, out, "-p", "n", "9", *engine], cwd=out.parent, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "n = 9" in out.read_text()

def test_a_secret_among_the_given_variables_is_in_no_evidence(workspace, monkeypatch):
    def refuse(*_): raise ValueError("refused for plum-tree-7")
    monkeypatch.setattr("marketing_mlops.jobs.runner._execute", refuse)
    with pytest.raises(StageError, match=r"refused for \[secret\]"):
        run_notebook(notebook(workspace), dict(market="plum-tree-7"), workspace=workspace, environment=dict(SHOP_TOKEN="plum-tree-7"), options=RunOptions(engine="kernel"))
    run = latest_run(workspace, "weekly")
    assert run.key == "[secret]" and not [file for file in workspace.path("data").rglob("*") if "plum" in str(file) or file.is_file() and "plum" in file.read_text()]
