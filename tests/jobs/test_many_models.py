"""Models that share a stage: skipped honestly, isolated when they fail, and outputs like any other."""
import json, os, shutil, signal, subprocess, sys
from pathlib import Path
import nbformat, pytest, yaml
from workspace_outputs import until
from marketing_mlops.jobs.dvc_process import open_pipeline
from marketing_mlops.jobs.many_models import make_models, only_run, read_record
from marketing_mlops.jobs.model_steps import model_steps, step_place
from marketing_mlops.jobs.pipeline import reproduce
from marketing_mlops.jobs.stage_figures import figures_file
from marketing_mlops.jobs.targets import shared_models
from marketing_mlops.workspace.errors import AlreadyRunning, StageError
from marketing_mlops.workspace.params import read_params
from marketing_mlops.workspace.places import find_workspace

pytestmark = pytest.mark.edges

BIN = Path(sys.executable).parent
MODELS = ("churn_30d", "churn_60d", "churn_90d")
PARAMS = """churn: &churn {owner: model-owner@example.com, purpose: Win back, audience: All, source: shop, task: propensity}
sources: [shop]
models:
  churn_30d: {<<: *churn, horizon: 30}
  churn_60d: {<<: *churn, horizon: 60}
  churn_90d: {<<: *churn, horizon: 90}
"""
STEPS = {"train": ["nbs/jobs/train.ipynb", "data/validate/${item.source}"], "score": ["nbs/jobs/score.ipynb", "data/train/${key}", "data/live/${key}.json", "data/ledger"]}
JOBS = {
    "train": """import time
from marketing_mlops.workspace.params import read_params
from marketing_mlops.workspace.places import find_workspace, swap_folder, write_json
place = find_workspace()
days = read_params(place).model(model)["horizon"]
if place.path("hang").exists() and model == "churn_60d": place.path("reached").touch(); time.sleep(3600)
orders = int(place.path("data/validate/shop/orders.txt").read_text())
with swap_folder(place.output("train", model)) as into: write_json(into/"model.json", dict(rate=orders/days))""",
    "score": """from marketing_mlops.workspace.places import find_workspace, swap_folder, write_json
place = find_workspace()
with swap_folder(place.output("score", model)) as into: write_json(into/"scores.json", dict(n=4))"""}
MANY = """from marketing_mlops.jobs.many_models import make_models
from marketing_mlops.workspace.places import find_workspace

done = make_models(find_workspace(), source)
done.raise_failures()"""

def notebook(file, parameter, code):
    cells = [nbformat.v4.new_markdown_cell("# A job"), nbformat.v4.new_code_cell(parameter, metadata=dict(tags=["parameters"])), nbformat.v4.new_code_cell(code)]
    for number, cell in enumerate(cells): cell["id"] = f"cell-{number}"
    nbformat.write(nbformat.v4.new_notebook(metadata=dict(kernelspec=dict(name="python3", language="python", display_name="python3")), cells=cells), file)

def git(folder, *words): subprocess.run(["git", "-c", "user.name=tests", "-c", "user.email=tests@example.com", *words], cwd=folder, check=True, capture_output=True)
def dvc(folder, *words): subprocess.run([sys.executable, "-m", "dvc", *words, "-q"], cwd=folder, check=True, capture_output=True, env=os.environ | dict(DVC_NO_ANALYTICS="1"))

def build(root):
    for folder in ("nbs/jobs", "data/many", "data/validate/shop", "data/ledger"): (root/folder).mkdir(parents=True)
    (root/"settings.ini").write_text("[DEFAULT]\ndefault_models = many\n")
    (root/"params.yaml").write_text("sources: {shop: {kind: file}}\nmodels: {}\n")
    (root/"data/many/params.yaml").write_text(PARAMS)
    (root/"data/validate/shop/orders.txt").write_text("90")
    each = {name: dict(foreach="${models}", do=dict(cmd=f"mmops-stage {name} model=${{key}}", deps=deps, params=["models.${key}"], outs=["data/%s/${key}" % name])) for name, deps in STEPS.items()}
    (root/"dvc.yaml").write_text(yaml.safe_dump(dict(stages=each), sort_keys=False))
    many = dict(wdir="../..", cmd="mmops-stage many source=${item}", outs=[{"data/many/${item}": dict(persist=True)}],
                deps=["data/many/params.yaml", "data/validate/${item}", "data/live", "data/ledger", *(f"nbs/jobs/{name}.ipynb" for name in ("many", *JOBS))])
    (root/"data/many/dvc.yaml").write_text(yaml.safe_dump(dict(stages=dict(many=dict(foreach="${sources}", do=many)))))
    (root/"data/ledger/README.md").write_text("Decisions.\n")
    for name, code in JOBS.items(): notebook(root/"nbs/jobs"/f"{name}.ipynb", 'model: str = "churn_30d"', code)
    notebook(root/"nbs/jobs/many.ipynb", 'source: str = "shop"', MANY)
    (root/".gitignore").write_text("/data/many/shop\n/data/runs\n/data/state\n/reached\n")
    (root/".dvcignore").write_text(".*.tmp\n/data/runs\n/data/state\n")
    git(root, "init", "-q"); dvc(root, "init"); dvc(root, "remote", "add", "-d", "local", "../storage")

@pytest.fixture(scope="module")
def _made_many(tmp_path_factory):
    root = tmp_path_factory.mktemp("many")/"workspace"
    root.mkdir()
    build(root)
    reproduce(find_workspace(root))
    git(root, "add", "-A"); git(root, "commit", "-qm", "First run")
    return root

@pytest.fixture
def shop(_made_many, tmp_path):
    "A workspace with three models made."
    shutil.copytree(_made_many, tmp_path/"workspace", symlinks=True)
    return find_workspace(tmp_path/"workspace")

def remade(shop):
    "Steps that the next run makes, by model."
    return {each.model: each.made for each in make_models(shop, "shop", tell=lambda line: None).models if each.made}

def contents(shop): return {p.relative_to(shop.root).as_posix(): p.read_bytes() for p in shop.path("data", "many").rglob("*") if p.is_file()}

def edit(file, old, new):
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))

def test_nothing_is_made_twice_and_a_forced_run_gives_the_same_bytes(shop):
    before = contents(shop)
    assert all(shop.output("score", model).is_dir() for model in MODELS)
    assert reproduce(shop).is_current and not remade(shop)
    assert not reproduce(shop, force=True).is_current
    assert contents(shop) == before

@pytest.mark.parametrize("held", ["dvc", "the stage"])
def test_a_forced_run_that_is_refused_has_changed_nothing(shop, monkeypatch, held):
    monkeypatch.setattr("dvc.lock.DEFAULT_TIMEOUT", 0)
    shop.path("data/live/churn_30d.json").unlink()
    before = contents(shop), sorted(shop.path("data/live").iterdir())
    with open_pipeline(shop) as repo, (repo.lock if held == "dvc" else only_run(shop, "shop")), pytest.raises(AlreadyRunning, match="this one has changed nothing"):
        reproduce(shop, ["many"], force=True)
    assert (contents(shop), sorted(shop.path("data/live").iterdir())) == before

def test_a_colleague_who_pulls_has_all_outputs_and_nothing_to_do(shop, tmp_path):
    dvc(shop.root, "push")
    git(tmp_path, "clone", "-q", str(shop.root), "colleague")
    dvc(tmp_path/"colleague", "pull")
    clone = find_workspace(tmp_path/"colleague")
    assert contents(clone) == contents(shop)
    assert reproduce(clone).is_current and not remade(clone)

def damaged(shop): (shop.output("train", "churn_60d")/"model.json").write_text("{}")
def deleted(shop): shutil.rmtree(shop.output("train", "churn_60d"))
def added(shop): (shop.output("train", "churn_60d")/"stray.txt").write_text("?")
def unrecorded(shop): (shop.home("churn_60d")/"made.json").write_text("no JSON")

@pytest.mark.parametrize("way", [damaged, deleted, added])
def test_an_output_that_is_not_as_it_was_made_is_made_again(shop, way):
    before = contents(shop)
    way(shop)
    assert not reproduce(shop).is_current
    assert contents(shop) == before

def test_a_damaged_record_costs_a_run_and_nothing_else(shop):
    unrecorded(shop)
    assert remade(shop) == {"churn_60d": ("train", "score")}

def test_other_data_and_other_code_make_all_models_again_and_other_prose_none(shop):
    edit(shop.path("nbs/jobs/train.ipynb"), "# A job", "# A job that trains")
    assert not remade(shop)
    edit(shop.path("nbs/jobs/score.ipynb"), "n=4", "n=5")
    assert remade(shop) == dict.fromkeys(MODELS, ("score",))
    shop.path("data/validate/shop/orders.txt").write_text("180")
    assert remade(shop) == dict.fromkeys(MODELS, ("train", "score"))

def test_a_decision_about_one_model_concerns_that_model_only(shop):
    shop.path("data/ledger/w-1.jsonl").write_text(json.dumps(dict(kind="release", subject="churn_90d")) + "\n")
    assert remade(shop) == {"churn_90d": ("score",)}
    shop.path("data/live/churn_30d.json").write_text("{}")
    assert remade(shop) == {"churn_30d": ("score",)}
    with open(shop.path("data/ledger/w-1.jsonl"), "a") as log: log.write("no JSON\n[]\n")
    assert remade(shop) == dict.fromkeys(MODELS, ("score",))

def test_one_models_failure_leaves_the_others_done_and_its_last_outputs_in_place(shop):
    before = contents(shop)
    edit(shop.path("data/many/params.yaml"), "horizon: 30", "horizon: 0")
    edit(shop.path("data/many/params.yaml"), "horizon: 90", "horizon: 45")
    with pytest.raises(StageError, match="1 of 3 models failed: churn_30d.*division by zero"): reproduce(shop)
    after = contents(shop)
    changed = {name.split("/")[3] for name in after if name.startswith("data/many/shop/") and before[name] != after[name]}
    assert changed == {"churn_90d"}

def test_a_model_that_is_no_longer_declared_leaves_nothing_behind(shop):
    edit(shop.path("data/many/params.yaml"), "  churn_60d: {<<: *churn, horizon: 60}\n", "")
    reproduce(shop)
    assert shop.home("churn_60d") is None and not list(shop.path("data", "many", "shop").glob("churn_60d*"))

@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["kill", "ctrl-c"])
def test_a_run_that_is_ended_loses_only_the_model_in_work_and_keeps_others_out(shop, number):
    shop.path("data/validate/shop/orders.txt").write_text("180")
    shop.path("hang").touch()
    run = subprocess.Popen([BIN/"mmops-stage", "many", "source=shop"], cwd=shop.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(shop.path("reached").exists)
        with pytest.raises(AlreadyRunning, match="models of shop"): make_models(shop, "shop")
    finally: run.send_signal(number); run.wait()
    shop.path("hang").unlink()
    until(lambda: not _is_busy(shop))
    assert remade(shop) == dict.fromkeys(MODELS[1:], ("train", "score"))
    assert not [p for p in shop.home("churn_60d").rglob("*") if p.name.endswith(".tmp")]

def _is_busy(shop):
    try:
        with only_run(shop, "shop"): return False
    except AlreadyRunning: return True

def test_the_steps_of_a_model_are_those_of_the_pipeline_and_lie_where_jobs_write(repository, shop):
    steps, model = model_steps(find_workspace(repository)), "churn_30d"
    assert [step.name for step in steps] == ["features", "train", "evaluate", "bundle", "score", "monitor", "report"]
    made = {out for step in steps for out in step.outs}
    for out in made:
        kind, *stage = out.removeprefix("data/").removesuffix(".json").split("/")[:-1]
        written = figures_file(shop, kind, stage[0], model) if stage else shop.output(kind, model)
        assert step_place(out, shop, model, "shop", made) == written

def test_the_shared_stage_depends_on_whatever_a_step_depends_on(repository):
    declared = set(yaml.safe_load((repository/"data/many/dvc.yaml").read_text())["stages"]["many"]["do"]["deps"])
    steps = model_steps(find_workspace(repository))
    made = {out for step in steps for out in step.outs}
    wanted = {dep.replace("${item.source}", "${item}").replace("data/live/${key}.json", "data/live") for step in steps for dep in step.deps if dep not in made}
    assert not {dep for dep in wanted if not any(dep == d or dep.startswith(f"{d}/") for d in declared)}

def test_shared_models_are_those_of_their_own_file(shop):
    assert shared_models(read_params(shop)) == list(MODELS)
    assert sorted(read_record(shop.home("churn_30d"))) == ["score", "train"]
