"""A workspace made from the built wheel, outside the clone, runs the pipeline."""
import os, shutil, subprocess, sys, zipfile
from pathlib import Path
import pytest
from marketing_mlops.cli.init import make_workspace, package_name, pin_pipeline
from marketing_mlops.cli.template import SHIPPED, SHIPPED_NAMES, copy_template, empty_pointer, template_files, template_root
from marketing_mlops.workspace.errors import ParameterError, WorkspaceError
from marketing_mlops.workspace.params import read_yaml

pytestmark = pytest.mark.edges

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent

def run(*command, cwd, **environment):
    env = {k: v for k, v in os.environ.items() if not k.startswith("MMOPS_")} | {"CI": "1", "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"} | environment
    return subprocess.run([str(c) for c in command], cwd=cwd, env=env, capture_output=True, text=True)

@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    "The wheel, built without a network from a copy of the tracked and new files."
    folder = tmp_path_factory.mktemp("build")/"copy"
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if not (ROOT/name).is_file() or name.startswith(("tests/", "benchmarks/")): continue
        (folder/name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT/name, folder/name)
    done = run(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", folder.parent/"dist", cwd=folder)
    assert done.returncode == 0, done.stdout[-2000:]+done.stderr[-2000:]
    return next((folder.parent/"dist").glob("*.whl"))

@pytest.fixture(scope="session")
def installed(wheel, tmp_path_factory):
    "A folder for PYTHONPATH that holds the wheel's content, and the script `mmops`."
    target = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive: archive.extractall(target)
    subprocess.run([sys.executable, "-m", "compileall", "-q", target/"marketing_mlops"], check=True)      # as an installer does
    return target

def test_the_wheel_carries_the_repositorys_own_files(installed):
    carried = installed/"marketing_mlops"/"cli"/"workspace_template"
    names = template_files(ROOT)
    assert template_files(carried) == names
    assert [str(n) for n in names if (carried/n).read_bytes() != (ROOT/n).read_bytes()] == []
    assert {Path("dvc.yaml"), Path("nbs/jobs/ingest.ipynb"), Path("nbs/reports/campaign_readout.ipynb")} <= set(names)

def test_the_wheel_carries_every_module_and_its_styles(installed):
    for path in (ROOT/"marketing_mlops").rglob("*"):
        if path.suffix in (".py", ".css", ".js", ".html") and "__pycache__" not in path.parts:
            assert (installed/path.relative_to(ROOT)).is_file(), path.name

def test_the_wheel_carries_what_jupyterlab_looks_for(installed):
    placed = next(installed.glob("*.data"))/"data"
    assert {each.relative_to(placed).as_posix() for each in placed.rglob("*") if each.is_file()} == {
        "share/jupyter/labextensions/marketing_mlops/package.json", "share/jupyter/labextensions/marketing_mlops/static/remoteEntry.js",
        "etc/jupyter/jupyter_server_config.d/marketing_mlops.json"}

MAIN = "import sys; from marketing_mlops.cli.commands import main; sys.exit(main())"

@pytest.fixture(scope="session")
def workspace(installed, tmp_path_factory):
    "A workspace made by the installed package, with a small simulation."
    parent = tmp_path_factory.mktemp("elsewhere")
    done = run(sys.executable, "-c", MAIN, "init", "Spring Campaigns", cwd=parent, PYTHONPATH=str(installed))
    assert done.returncode == 0, done.stderr
    folder = parent/"Spring Campaigns"
    params = (folder/"params.yaml").read_text()
    (folder/"params.yaml").write_text(params.replace("customers: 20000", "customers: 3000"))
    return folder

def test_a_new_workspace_has_the_same_top_level(workspace):
    names = {p.name for p in workspace.iterdir()}
    assert {"nbs", "data", "tests", "spring_campaigns", "settings.ini", "params.yaml", "dvc.yaml", "README.md", "pyproject.toml", ".gitignore", ".git", ".dvc"} <= names
    assert not {n for n in names if n.startswith(".") and n.endswith(".tmp")}
    assert (workspace.stat().st_mode & 0o777) == 0o777 & ~_umask()

def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask

def test_the_version_it_came_from_is_written_down(workspace):
    import tomllib
    from marketing_mlops import __version__
    project = tomllib.loads((workspace/"pyproject.toml").read_text())
    assert project["project"]["dependencies"] == [f"marketing_mlops=={__version__}"]
    assert project["tool"]["marketing_mlops"]["made_with"] == __version__
    assert (workspace/"marketing_mlops.version").read_text().strip() == __version__

def test_its_pipeline_depends_on_the_version_and_on_no_file_of_the_clone(workspace):
    for stage in read_yaml(workspace/"dvc.yaml")["stages"].values():
        deps = stage.get("do", stage)["deps"]
        assert "marketing_mlops.version" in deps
        assert not [d for d in deps if str(d).startswith("marketing_mlops/")]

def test_nothing_in_it_names_the_place_it_was_made_in(workspace, installed):
    for path in workspace.rglob("*"):
        if path.is_file() and ".git" not in path.parts:
            text = path.read_bytes()
            assert str(workspace.parent).encode() not in text and str(installed).encode() not in text, path

@pytest.fixture(scope="session")
def ran(workspace, installed):
    return run(sys.executable, "-c", MAIN, "run", "retailer_promo_uplift", "--no-open", cwd=workspace, PYTHONPATH=str(installed), MMOPS_WARM_IDLE="20")

def test_the_pipeline_runs_in_it(ran, workspace):
    assert ran.returncode == 0, ran.stdout+ran.stderr
    assert list(workspace.glob("data/report/*/campaign_readout.html"))
    assert "promo_mail" in ran.stdout

def test_a_second_run_says_unchanged(ran, workspace, installed):
    done = run(sys.executable, "-c", MAIN, "run", "retailer_promo_uplift", "--no-open", cwd=workspace, PYTHONPATH=str(installed), MMOPS_WARM_IDLE="20")
    assert done.returncode == 0 and "unchanged" in done.stdout.lower()

def test_git_shows_only_what_a_team_would_commit(ran, workspace):
    status = run("git", "status", "--porcelain", "--untracked-files=all", cwd=workspace).stdout
    assert "data/validate" not in status and "data/runs" not in status and "data/private" not in status
    assert "dvc.yaml" in status and "nbs/jobs/ingest.ipynb" in status

def test_the_keys_of_approvers_can_be_committed_in_it(workspace):
    asked = run("git", "check-ignore", "--no-index", "data/governance/allowed_signers", "data/ledger/laptop.jsonl", cwd=workspace)
    assert (asked.returncode, asked.stdout, asked.stderr) == (1, "", "")

def test_its_own_page_becomes_its_own_package(workspace, installed, tmp_path):
    copy = tmp_path/"copy"
    shutil.copytree(workspace, copy, ignore=shutil.ignore_patterns(".git", "data", ".dvc"))
    done = run(BIN/"nbdev-export", cwd=copy)
    assert done.returncode == 0, done.stderr
    assert "def break_even_orders" in (copy/"spring_campaigns"/"break_even.py").read_text()

def test_a_folder_in_use_is_left_alone(tmp_path):
    (tmp_path/"notes.txt").write_text("mine")
    with pytest.raises(WorkspaceError, match="holds notes.txt"): make_workspace(str(tmp_path))
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]

def test_a_file_in_the_way_is_left_alone(tmp_path):
    (tmp_path/"spring").write_text("mine")
    with pytest.raises(WorkspaceError, match="not a folder"): make_workspace(str(tmp_path/"spring"))
    assert (tmp_path/"spring").read_text() == "mine"

def test_an_interrupted_init_leaves_nothing(tmp_path, monkeypatch):
    from marketing_mlops.cli import init
    def stop(*_): raise KeyboardInterrupt
    monkeypatch.setattr(init, "_initialise_history", stop)
    with pytest.raises(KeyboardInterrupt): make_workspace(str(tmp_path/"spring"))
    assert list(tmp_path.iterdir()) == []

def test_an_empty_folder_may_be_filled(tmp_path):
    (tmp_path/"spring").mkdir()
    make_workspace(str(tmp_path/"spring"))
    assert (tmp_path/"spring"/"dvc.yaml").is_file()

def test_inside_a_repository_no_second_one_is_made(tmp_path):
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    make_workspace(str(tmp_path/"spring"))
    assert not (tmp_path/"spring"/".git").exists() and (tmp_path/"spring"/".dvc"/"config").is_file()

@pytest.mark.parametrize("name", ["2026", "json", "data", "", "  ", "marketing_mlops", "🌷"])
def test_a_name_python_cannot_use_is_refused(name):
    with pytest.raises(ParameterError): package_name(name)

def test_a_pipeline_without_files_of_the_clone_is_not_touched():
    content = {"stages": {"a": {"cmd": "true", "deps": ["x"]}}}
    pin_pipeline(content)
    assert content == {"stages": {"a": {"cmd": "true", "deps": ["x"]}}}

def test_what_is_shipped_is_what_stands_in_the_repository():
    other = [name for name, kept in SHIPPED_NAMES.items() if (SHIPPED/kept).read_bytes() != (ROOT/name).read_bytes()]
    assert other == [], ("if the demonstration is meant to change: python -c 'from pathlib import Path; "
                         "from marketing_mlops.cli.template import keep_shipped; keep_shipped(Path())'")

@pytest.fixture
def edited_clone(tmp_path):
    "A clone in which somebody works: a source of her own, other numbers, another default model, a store."
    clone = tmp_path/"clone"
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if not (ROOT/name).is_file() or name.startswith(("tests/", "benchmarks/", "nbs/api/")): continue
        (clone/name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT/name, clone/name)
    (clone.parent/"people.csv").write_text("customer_id,first_seen_at\n" + "".join(f"c{i},2026-02-{1+i % 27:02}T10:15:00+00:00\n" for i in range(60)))
    done = run(sys.executable, "-c", MAIN, "data", "add", "../people.csv", "--as", "customers", "--source", "my_shop", "--zone", "UTC", "--yes", cwd=clone, PYTHONPATH=str(clone))
    assert done.returncode == 0, done.stdout+done.stderr
    for name, old, new in (("params.yaml", "customers: 20000", "customers: 777"), ("settings.ini", "default_models = retailer_churn_90d, retailer_promo_uplift", "default_models = my_model"),
                           (".dvc/config", "../../dvc-storage", "../../my-store")):
        text = (clone/name).read_text()
        assert old in text
        (clone/name).write_text(text.replace(old, new))
    return clone

def test_an_edited_clone_makes_a_workspace_with_the_demo_as_shipped(edited_clone):
    assert "my_shop" in (edited_clone/"params.yaml").read_text()
    done = run(sys.executable, "-c", MAIN, "init", "../spring", cwd=edited_clone, PYTHONPATH=str(edited_clone))
    assert done.returncode == 0, done.stderr
    made = edited_clone.parent/"spring"
    for name in SHIPPED_NAMES: assert (made/name).read_bytes() == (ROOT/name).read_bytes(), name
    assert [p.name for p in (made/"data"/"sources").iterdir()] == ["retailer"]
    assert not [p for p in made.rglob("*") if p.is_file() and ".git" not in p.parts and b"my_" in p.read_bytes() and b"my_shop" in p.read_bytes()]

def test_a_champion_of_the_clone_is_none_of_a_new_workspace(tmp_path):
    for name in template_files(ROOT):
        (tmp_path/"clone"/name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT/name, tmp_path/"clone"/name)
    live, ledger = (tmp_path/"clone"/"data"/each for each in ("live", "ledger"))
    (live/"retailer_churn_90d.json").write_text(f'{{"champion": "{"ab"*32}", "ledger_head": "{"cd"*32}", "model": "retailer_churn_90d", "routing": {{"champion": 1.0}}}}')
    (ledger/"laptop.jsonl").write_text("{}\n")
    copy_template(tmp_path/"clone", tmp_path/"spring")
    assert (tmp_path/"spring"/"data"/"live"/"retailer_churn_90d.json").read_bytes() == empty_pointer("retailer_churn_90d").encode()
    assert [file.name for file in (tmp_path/"spring"/"data"/"ledger").iterdir()] == ["README.md"]

def test_a_pointer_of_a_new_workspace_is_the_one_the_pipeline_places(tmp_path):
    from marketing_mlops.jobs.scoring import place_pointers
    from marketing_mlops.workspace.places import Workspace
    from marketing_mlops.workspace.settings import Settings
    placed, = place_pointers(Workspace(tmp_path, Settings("development", tmp_path)), ["spring_mail"])
    assert placed.read_bytes() == empty_pointer("spring_mail").encode()

def test_the_clone_is_its_own_template(): assert template_root() == ROOT and template_files(ROOT)
