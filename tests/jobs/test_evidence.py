"""A run says what it was, what it used and what it showed; what did not change is not run again."""
import json, sys
import nbformat, pytest
from marketing_mlops.jobs.limits import RunLimits
from marketing_mlops.jobs.pipeline import reproduce
from marketing_mlops.jobs.runner import RunOptions, run_notebook
from marketing_mlops.jobs.runs import list_runs, read_run
from marketing_mlops.jobs.staleness import stale_stages
from marketing_mlops.workspace.errors import StageError
from marketing_mlops.workspace.places import find_workspace

linux = pytest.mark.skipif(sys.platform != "linux", reason="the warm worker forks")

@pytest.fixture
def workspace(tmp_path):
    (tmp_path/"settings.ini").write_text("[DEFAULT]\ndefault_models = promo\n")
    (tmp_path/"requirements.lock").write_text("pandas==3.1.0\n")
    return find_workspace(tmp_path)

def write(workspace, *code):
    cells = [nbformat.v4.new_code_cell("n: int = 3   # Orders", metadata=dict(tags=["parameters"])), *map(nbformat.v4.new_code_cell, code)]
    path = workspace.path("weekly.ipynb")
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=dict(kernelspec=dict(name="python3", language="python", display_name="python3"))), path)
    return path

@linux
def test_a_manifest_says_what_a_run_was_allowed_what_it_used_and_with_what(workspace):
    run = run_notebook(write(workspace, "kept = bytearray(80_000_000)\nimport time; time.sleep(.3)\nbegan = time.process_time()\nwhile time.process_time() < began + .5: pass"), dict(n="5"), workspace=workspace, options=RunOptions(limits=RunLimits(deadline_s=120)))
    said = json.loads((run.folder/"run.json").read_text())
    assert said["duration_s"] > .3 and said["memory_mb"] > 80 and .5 <= said["cpu_s"] < 60 and said["limits"]["deadline_s"] == 120 and said["parameters"] == dict(n=5)
    assert said["environment"]["libraries"]["pandas"] and len(said["environment"]["lock_sha256"]) == 64
    import socket
    assert socket.gethostname() not in json.dumps(said["environment"])

@linux
def test_a_page_stands_beside_every_run_also_beside_one_that_failed(workspace):
    done = run_notebook(write(workspace, "print('41 orders')"), workspace=workspace)
    with pytest.raises(StageError): run_notebook(write(workspace, "print('41 orders')", "1/0"), workspace=workspace)
    failed = list_runs(workspace, "weekly")[0]
    assert failed.status == "failed" and failed.note == done.note == ""
    assert all("41 orders" in run.page.read_text() for run in (done, failed)) and "division by zero" in failed.page.read_text()

@linux
@pytest.mark.parametrize("error", [ValueError("a chart of 0 rows"), OSError(28, "No space left on device"), RecursionError("too deep")])
def test_a_page_that_cannot_be_drawn_does_not_lose_the_run(workspace, error):
    def broken(executed): raise error
    run = run_notebook(write(workspace, "from marketing_mlops.jobs.results import record\nrecord('n', n)"), workspace=workspace, options=RunOptions(make_page=broken))
    assert (run.status, run.results, run.page.exists()) == ("done", dict(n=3), False)
    assert type(error).__name__ in run.note and read_run(run.folder) == run

def test_a_manifest_of_the_first_version_is_read(workspace):
    folder = workspace.runs("ingest", "shop")/"20261121T050210361845Z-2fb5"
    folder.mkdir(parents=True)
    (folder/"run.json").write_text(json.dumps(dict(ended_at="2026-11-21T05:02:12+00:00", engine="warm", error=None, inputs={}, job="ingest", key="shop", notebook="nbs/jobs/ingest.ipynb",
        notebook_sha256="19", parameters=dict(source="shop"), results={}, run_id=folder.name, semantic_hash="", started_at="2026-11-21T05:02:10+00:00", status="done", version="0.1.0", within="")))
    run = read_run(folder)
    assert (run.status, run.duration_s, run.memory_mb, run.cpu_s, run.limits, run.environment, run.note) == ("done", None, None, None, {}, {}, "")

# ---- the pipeline ------------------------------------------------------------------------------------------------

def edit(path, change):
    notebook = json.loads(path.read_text())
    change([c for c in notebook["cells"] if c["cell_type"] == "markdown"], [c for c in notebook["cells"] if c["cell_type"] == "code"])
    path.write_text(json.dumps(notebook))

def made(workspace, **options): return [each.stage for each in reproduce(workspace, **options).stages if each.status == "made"]

@pytest.mark.slow
def test_editing_prose_outputs_or_cell_metadata_of_a_job_runs_no_job_again_and_editing_its_code_does(made_workspace):
    workspace = find_workspace(made_workspace)
    def prose(texts, code):
        texts[0]["source"] = "# Another title"
        code[-1]["metadata"] |= dict(collapsed=True, tags=["looked-at"])
        code[-1]["outputs"] = [dict(output_type="stream", name="stdout", text="41")]
    for path in workspace.path("nbs", "jobs").glob("*.ipynb"): edit(path, prose)
    assert [each.stage for each in stale_stages(workspace) if each.is_built] == ["code"]
    assert made(workspace) == ["code"] and made(workspace) == []
    def code(texts, code): code[-1]["source"] = [*code[-1]["source"], "\n_ = 1"]
    edit(workspace.path("nbs", "jobs", "validate.ipynb"), code)
    assert made(workspace) == ["code", "validate@retailer"]                    # its outputs are what they were, so nothing follows

def test_a_forced_run_with_equal_results_leaves_what_follows_clean(made_workspace):
    workspace = find_workspace(made_workspace)
    assert made(workspace, targets=["validate@retailer"], force=True) == ["code", "ingest@retailer", "validate@retailer"]
    assert made(workspace) == []

def test_a_job_that_is_no_notebook_stops_the_pipeline_in_two_lines_and_changes_nothing(made_workspace):
    workspace = find_workspace(made_workspace)
    before = {f.name: f.read_text() for f in workspace.path("data", "code").iterdir()}
    workspace.path("nbs", "jobs", "train.ipynb").write_text("<<<<<<< HEAD\n")
    with pytest.raises(StageError, match="nbs/jobs/train.ipynb is not a notebook") as error: reproduce(workspace)
    assert len(str(error.value).splitlines()) == 2
    assert {f.name: f.read_text() for f in workspace.path("data", "code").iterdir()} == before
