"""DVC's own commands work on the pipeline as its users expect."""
import json, os, shutil, subprocess, sys, time
from pathlib import Path
import pytest
from variants import first_always
from workspace_outputs import fingerprint, until
from marketing_mlops.jobs.pipeline import reproduce
from marketing_mlops.jobs.runs import list_runs
from marketing_mlops.workspace.errors import AlreadyRunning, MmopsError, ParameterError
from marketing_mlops.workspace.places import find_workspace

pytestmark = pytest.mark.edges

BIN = Path(sys.executable).parent
MODEL = "retailer_promo_uplift"

def dvc(folder, *words):
    env = os.environ | dict(PATH=f"{BIN}:{os.environ['PATH']}", DVC_NO_ANALYTICS="1")
    env.pop("MMOPS_WORKSPACE", None)
    done = subprocess.run([sys.executable, "-m", "dvc", *words], cwd=folder, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout

def git(folder, *words):
    names = ["-c", "user.name=tests", "-c", "user.email=tests@example.com"]
    return subprocess.run(["git", *names, *words], cwd=folder, check=True, capture_output=True, text=True).stdout

@pytest.fixture
def committed(made_workspace):
    "A workspace whose run is committed, as after `git add dvc.lock; git commit`."
    git(made_workspace, "add", "-A"); git(made_workspace, "commit", "-qm", "First run")
    return made_workspace

def test_a_finished_pipeline_has_nothing_to_do(committed):
    assert "up to date" in dvc(committed, "repro")
    again = reproduce(find_workspace(committed))
    assert again.is_current and again.changed_locks == ()
    assert git(committed, "status", "--porcelain") == ""

def test_the_drawing_shows_the_stages_of_a_model(committed):
    drawing = dvc(committed, "dag", f"report@{MODEL}")
    assert all(stage in drawing for stage in ("ingest@retailer", "validate@retailer", f"report@{MODEL}"))

@pytest.mark.slow
def test_an_experiment_tries_a_parameter_and_metrics_show_the_difference(committed):
    dvc(committed, "exp", "run", "-S", "sources.retailer.customers=1500", "validate@retailer")
    assert json.loads(dvc(committed, "metrics", "diff", "--json"))["data/metrics/validate/retailer.json"]["rows.customers"]["diff"] == 1500 - 2000
    assert "sources.retailer.customers" in dvc(committed, "params", "diff", "--json")

@pytest.mark.slow
def test_an_experiment_shows_what_it_does_to_the_readout(committed):
    dvc(committed, "exp", "run", "-S", "sources.retailer.customers=1500", "-S", "models.retailer_promo_uplift.experiment.planned_customers=900", f"report@{MODEL}")
    figures = json.loads(dvc(committed, "metrics", "diff", "--json"))[f"data/metrics/report/{MODEL}.json"]
    assert any("change of net_revenue_per_customer.value" in name for name in figures)

def test_an_experiment_with_an_unknown_parameter_is_refused_by_name(committed):
    with pytest.raises(AssertionError, match="custommers"): dvc(committed, "exp", "run", "-S", "sources.retailer.custommers=1")

def test_plots_need_no_network(committed):
    dvc(committed, "plots", "show")
    page = (committed/"dvc_plots"/"index.html").read_text()
    assert "promo_mail" in page and "<script src" not in page and 'rel="stylesheet"' not in page
    assert "default-src 'none'" in page

def test_a_colleague_pulls_the_readout_without_running_anything(committed, tmp_path):
    dvc(committed, "push")
    assert (committed.parent/"dvc-storage").is_dir()
    clone = tmp_path/"colleague"
    git(tmp_path, "clone", "-q", str(committed), str(clone))
    dvc(clone, "pull", f"report@{MODEL}")
    for name in ("campaign_readout.html", "campaign_readout.json", "data_quality.html"):
        assert (clone/"data"/"report"/MODEL/name).read_bytes() == (committed/"data"/"report"/MODEL/name).read_bytes()
    assert not (clone/"data"/"runs").exists()
    assert git(clone, "status", "--porcelain") == ""

def test_what_is_private_is_never_pushed(committed):
    dvc(committed, "push")
    stored = {p.stat().st_size: p for p in (committed.parent/"dvc-storage").rglob("*") if p.is_file()}
    private = [f for f in (committed/"data"/"private").rglob("*") if f.is_file()]
    assert private
    for f in private: assert f.stat().st_size not in stored or stored[f.stat().st_size].read_bytes() != f.read_bytes()

def test_a_second_run_is_told_about_the_first(made_workspace):
    before = fingerprint(made_workspace)
    (made_workspace/"break").write_text("hang ingest")
    found = find_workspace(made_workspace)
    env = os.environ | dict(MMOPS_WORKSPACE=str(made_workspace), PATH=f"{BIN}:{os.environ['PATH']}")
    first = subprocess.Popen([sys.executable, "-m", "dvc", "repro", "-f", "-s", "ingest@retailer"], cwd=made_workspace, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until((made_workspace/"reached").exists)
        with pytest.raises(AlreadyRunning) as second: reproduce(found, force=True)
        assert len(str(second.value).splitlines()) == 2
    finally: first.terminate(); first.wait()
    (made_workspace/"break").unlink()
    assert fingerprint(made_workspace) == before

def test_plain_dvc_is_kept_out_of_a_run_under_way_and_changes_nothing(made_workspace):
    before = fingerprint(made_workspace)
    (made_workspace/"break").write_text("hang ingest")
    env = os.environ | dict(MMOPS_WORKSPACE=str(made_workspace), PATH=f"{BIN}:{os.environ['PATH']}", DVC_NO_ANALYTICS="1")
    code = "from marketing_mlops.jobs.pipeline import reproduce; from marketing_mlops.workspace.places import find_workspace; reproduce(find_workspace(), force=True)"
    first = subprocess.Popen([sys.executable, "-c", code], cwd=made_workspace, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until((made_workspace/"reached").exists)
        second = subprocess.run([sys.executable, "-m", "dvc", "repro"], cwd=made_workspace, env=env, capture_output=True, text=True)
        assert second.returncode == 255 and "is busy" in second.stderr and str(first.pid) in second.stderr
    finally: first.kill(); first.wait()
    (made_workspace/"break").unlink()
    assert fingerprint(made_workspace) == before

BROKEN = {
    "a missing section": lambda text: text.split("models:")[0],
    "no YAML at all": lambda text: text.replace("sources:", "sources: ["),
    "a date without quotes": lambda text: text.replace('"2026-04-30"', "2026-04-30"),
    "an unknown source": lambda text: text.replace("source: retailer", "source: retialer"),
    "a setting the simulator does not have": lambda text: text.replace("months: 18", "month: 18"),
    "a word for a number": lambda text: text.replace("seed: 7", "seed: lucky"),
    "no experiment arms": lambda text: text.replace("arms: {no_mail: 0.5, promo_mail: 0.5}", "arms: {}"),
}

@pytest.mark.parametrize("how", first_always(BROKEN, 2))
def test_a_broken_parameter_file_ends_in_two_lines_and_changes_nothing(made_workspace, how):
    before, params = fingerprint(made_workspace), made_workspace/"params.yaml"
    text = params.read_text()
    assert BROKEN[how](text) != text
    params.write_text(BROKEN[how](text))
    with pytest.raises(MmopsError) as error: reproduce(find_workspace(made_workspace))
    said = str(error.value).splitlines()
    assert len(said) == 2 and "Traceback" not in said[0]
    if how != "no experiment arms": assert "params.yaml" in str(error.value) or "retailer" in said[0], said
    assert fingerprint(made_workspace) == before
    params.write_text(text)
    reproduce(find_workspace(made_workspace))
    assert fingerprint(made_workspace) == before

def test_an_unknown_model_is_refused_with_the_closest(made_workspace):
    with pytest.raises(ParameterError, match="Did you mean 'retailer_promo_uplift'"): reproduce(find_workspace(made_workspace), ["retailer_promo_uplit"])

def test_a_workspace_without_dvc_says_what_to_do(made_workspace):
    shutil.rmtree(made_workspace/".dvc")
    with pytest.raises(MmopsError, match="dvc init"): reproduce(find_workspace(made_workspace))

def test_the_environment_is_as_it_was_after_a_run(made_workspace):
    before = dict(os.environ)
    reproduce(find_workspace(made_workspace))
    assert dict(os.environ) == before

@pytest.mark.parametrize("stage", [("validate", "source=retailer"), *(pytest.param((each, f"model={MODEL}"), marks=pytest.mark.slow) for each in ("train", "report"))], ids=lambda stage: stage[0])
def test_the_stock_kernel_gives_the_same_bytes(made_workspace, stage):
    before = fingerprint(made_workspace)
    env = os.environ | dict(MMOPS_ENGINE="kernel", MMOPS_WORKSPACE=str(made_workspace))
    done = subprocess.run([BIN/"mmops-stage", *stage], cwd=made_workspace, env=env, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert fingerprint(made_workspace) == before

@pytest.mark.slow
def test_run_all_in_jupyterlab_gives_the_same_bytes(made_workspace):
    "JupyterLab starts a stock kernel in the notebook's own folder and injects nothing."
    import nbclient, nbformat
    before = fingerprint(made_workspace)
    for name in ("validate", "report"):
        page = made_workspace/"nbs"/"jobs"/f"{name}.ipynb"
        env = {k: v for k, v in os.environ.items() if k != "MMOPS_WORKSPACE"}
        nbclient.NotebookClient(nbformat.read(page, 4), resources=dict(metadata=dict(path=str(page.parent)))).execute(env=env, stderr=subprocess.DEVNULL)
    assert fingerprint(made_workspace) == before
