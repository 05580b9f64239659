"""`mmops upgrade`: a workspace goes from an older version to a newer one, and nothing the team wrote is lost."""
import json, os, shutil, subprocess, sys, zipfile
from pathlib import Path
import pytest
from marketing_mlops.cli import init, upgrade
from marketing_mlops.cli.commands import main
from marketing_mlops.cli.plain_notebooks import plain_cells, plain_notebook, rebuilt_notebook
from marketing_mlops.cli.upgrade import NOTE, finish_upgrade, fresh_files, note_upgrade, planned_upgrade
from marketing_mlops.cli.upgrade_steps import merged_text
from marketing_mlops.cli.template import notebook_text
from marketing_mlops.cli.workspace_record import RECORD_FILE, read_workspace_record, source_digest
from marketing_mlops.workspace.errors import AlreadyRunning

AS = ["-c", "user.name=analyst", "-c", "user.email=analyst@example.com"]
REPORT = "nbs/reports/monitoring.ipynb"
CARD = "nbs/reports/model_card.ipynb"

def git(root, *words): return subprocess.run(["git", "-C", str(root), *AS, *words], capture_output=True, text=True, check=True).stdout
def commit(root, message="Monday"): git(root, "add", "-A"); git(root, "commit", "-qm", message)

@pytest.fixture(scope="session")
def shipped(): return fresh_files()

@pytest.fixture(scope="session")
def made(tmp_path_factory):
    "A workspace as `mmops init` writes it, in git."
    root = tmp_path_factory.mktemp("made")/"spring"
    root.mkdir()
    init.fill_workspace(root, "spring")
    git(root, "init", "-q"); commit(root, "As it was made")
    return root

@pytest.fixture
def spring(tmp_path, made): return Path(shutil.copytree(made, tmp_path/"spring"))

def with_cell(text, source, at=None):
    "A notebook with one cell more."
    plain = json.loads(text)
    cell = dict(cell_type="code", id=f"own{len(source)}", metadata={}, source=source, outputs=[], execution_count=None)
    plain["cells"].insert(len(plain["cells"]) if at is None else at, cell)
    return json.dumps(plain, indent=1)

@pytest.fixture
def newer(monkeypatch, shipped):
    "The next version, as if it were installed: a report corrected, one added, one gone, other parameters."
    fresh = {name: text for name, text in shipped.items() if name != "nbs/reports/compare_runs.ipynb"}
    fresh[REPORT] = with_cell(fresh[REPORT], "news = 'of the newer version'", at=2)
    fresh[CARD] = with_cell(fresh[CARD], "news = 'of the newer version'", at=2)
    fresh["nbs/reports/inventory_of_spring.ipynb"] = notebook_text([("markdown", "# Inventory")])
    fresh["params.yaml"] = fresh["params.yaml"].replace("customers: 20000", "customers: 30000")
    for module in (upgrade, init): monkeypatch.setattr(module, "__version__", "9.2.0")
    monkeypatch.setattr(upgrade, "fresh_files", lambda: fresh)
    return fresh

def mmops_upgrade(root, *words): return main(["upgrade", "--workspace", str(root), *words])
def kinds(root, fresh): return {step.name: step.kind for step in planned_upgrade(root, fresh)}

def test_a_workspace_that_was_just_made_is_up_to_date_and_stays_as_it_is(spring, capsys):
    assert mmops_upgrade(spring, "--write") == 0
    assert "up to date" in capsys.readouterr().out and git(spring, "status", "--porcelain") == ""

def test_nothing_is_written_unless_somebody_says_so(spring, newer, capsys):
    assert mmops_upgrade(spring) == 0
    said = capsys.readouterr().out
    assert "Dry run" in said and "+ news = 'of the newer version'" in said and "cell 3 (code)" in said
    assert git(spring, "status", "--porcelain", "--ignored") == ""

def test_untouched_files_are_replaced_edited_ones_merged_or_kept_and_all_is_told(spring, newer, shipped, capsys):
    (spring/CARD).write_text(with_cell(shipped[CARD], "ours = 'stays'"))
    (spring/"params.yaml").write_text(shipped["params.yaml"].replace("customers: 20000", "customers: 777"))
    (spring/"nbs/reports/segments.ipynb").unlink()
    commit(spring)
    assert mmops_upgrade(spring, "--write") == 0
    said = capsys.readouterr().out
    assert plain_notebook((spring/REPORT).read_text()) == plain_notebook(newer[REPORT])
    card = [cell.source for cell in plain_cells((spring/CARD).read_text())]
    assert "ours = 'stays'" == card[-1] and card[2] == "news = 'of the newer version'"
    assert "customers: 777" in (spring/"params.yaml").read_text() and (spring/"params.yaml.new").read_text() == newer["params.yaml"]
    assert (spring/"nbs/reports/inventory_of_spring.ipynb").is_file() and (spring/"nbs/reports/compare_runs.ipynb").is_file()
    assert not (spring/"nbs/reports/segments.ipynb").exists()
    assert "marketing_mlops==9.2.0" in (spring/"pyproject.toml").read_text() and (spring/"marketing_mlops.version").read_text() == "9.2.0\n"
    for line in ("params.yaml.new waits", f"{CARD} was merged", "compare_runs.ipynb: no longer shipped"): assert line in said
    assert not (spring/"data"/"state"/"upgrade.json").exists() and read_workspace_record(spring).version == "9.2.0"

def test_what_waits_is_told_again_and_the_second_time_nothing_else_happens(spring, newer, shipped, capsys):
    (spring/"params.yaml").write_text(shipped["params.yaml"].replace("customers: 20000", "customers: 777"))
    commit(spring); mmops_upgrade(spring, "--write"); commit(spring)
    capsys.readouterr()
    assert mmops_upgrade(spring, "--write") == 0
    said = capsys.readouterr().out
    assert "up to date" in said and "params.yaml.new waits" in said and git(spring, "status", "--porcelain") == ""

def test_a_live_pointer_and_the_teams_own_files_are_never_touched(spring, newer):
    names = ["README.md", "tests/test_workspace.py", "nbs/api/10_break_even.ipynb", "spring/__init__.py", *(p.relative_to(spring).as_posix() for p in (spring/"data/live").glob("*.json"))]
    for name in names: (spring/name).write_text("ours 🌷 <b>")
    commit(spring); mmops_upgrade(spring, "--write")
    assert {(spring/name).read_text() for name in names} == {"ours 🌷 <b>"} and not list(spring.rglob("README.md.new"))

def test_a_notebook_that_was_only_run_counts_as_untouched(spring, newer):
    ran = json.loads((spring/REPORT).read_text())
    for cell in ran["cells"]:
        if cell["cell_type"] == "code": cell.update(execution_count=4, outputs=[dict(output_type="stream", name="stdout", text=["148"])])
    (spring/REPORT).write_text(json.dumps(ran))
    assert kinds(spring, newer)[REPORT] == "replaced"

@pytest.mark.parametrize("broken", ["", "<<<<<<< ours\n", "{}", "[1]", '{"cells": 3}', "\udcff"])
def test_a_notebook_nobody_can_read_stays_and_the_new_one_lies_beside_it(spring, newer, broken):
    (spring/REPORT).write_bytes(broken.encode("utf-8", "surrogateescape"))
    commit(spring)
    assert mmops_upgrade(spring, "--write") == 0
    assert (spring/REPORT).read_bytes() == broken.encode("utf-8", "surrogateescape") and (spring/f"{REPORT}.new").read_text() == newer[REPORT]

def test_changes_that_are_not_committed_are_refused_until_somebody_insists(spring, newer, capsys):
    (spring/"notes.txt").write_text("mine")
    assert mmops_upgrade(spring, "--write") == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2 and "notes.txt" in said[0] and "--anyway" in said[1] and git(spring, "status", "--porcelain") == "?? notes.txt\n"
    assert mmops_upgrade(spring, "--write", "--anyway") == 0 and (spring/"notes.txt").read_text() == "mine"

def test_without_a_repository_it_is_refused_too(spring, newer, capsys, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(spring.parent))
    shutil.rmtree(spring/".git")
    assert mmops_upgrade(spring, "--write") == 1
    assert "no git repository" in capsys.readouterr().err

def test_a_newer_workspace_is_left_alone(spring, capsys):
    record = json.loads((spring/RECORD_FILE).read_text())
    (spring/RECORD_FILE).write_text(json.dumps(record | dict(version="99.0")))
    assert mmops_upgrade(spring) == 1
    said = capsys.readouterr().err
    assert "is at marketing_mlops 99.0" in said and "pip install 'marketing_mlops>=99.0'" in said and len(said.splitlines()) == 2

def test_without_a_record_every_difference_is_the_teams(spring, newer, shipped, capsys):
    (spring/RECORD_FILE).unlink()
    commit(spring)
    assert mmops_upgrade(spring, "--write") == 0
    said = capsys.readouterr().out
    assert "is missing" in said and "install marketing_mlops==0.1.0" in said
    assert (spring/REPORT).read_text() == shipped[REPORT] and (spring/f"{REPORT}.new").is_file()
    assert read_workspace_record(spring).version == "9.2.0"

def test_without_a_record_at_the_same_version_it_is_simply_written(spring, capsys):
    noted = (spring/RECORD_FILE).read_text()
    (spring/RECORD_FILE).unlink()
    (spring/"params.yaml").write_text("sources: {}\nmodels: {}\n")
    commit(spring)
    assert mmops_upgrade(spring, "--write") == 0
    assert (spring/RECORD_FILE).read_text() == noted and not (spring/"params.yaml.new").exists() and "--write makes it" in capsys.readouterr().out

@pytest.mark.parametrize("text", ["", "{", "[]", '{"version": 1, "files": {}}', '{"version": "1", "files": {"a": 2}}', "<<<<<<< ours"])
def test_a_damaged_record_is_said_and_changes_nothing(spring, newer, text, capsys):
    (spring/RECORD_FILE).write_text(text)
    assert mmops_upgrade(spring, "--write", "--anyway") == 1
    assert f"git checkout -- {RECORD_FILE}" in capsys.readouterr().err and not (spring/f"{REPORT}.new").exists()

def test_the_repository_itself_is_no_workspace_to_upgrade(tmp_path, capsys):
    (tmp_path/"settings.ini").write_text("[DEFAULT]\nreporting_currency = EUR\n")
    assert mmops_upgrade(tmp_path) == 1 and "was not made by `mmops init`" in capsys.readouterr().err

def test_an_upgrade_killed_at_any_write_is_finished_by_the_next_one(spring, newer, monkeypatch, capsys):
    whole = upgrade.write_text
    n_steps = len([s for s in planned_upgrade(spring, newer) if s.into])
    for stop_at in range(n_steps):
        done = []
        def write(path, text):
            if len(done) == stop_at: raise KeyboardInterrupt
            done.append(path); return whole(path, text)
        git(spring, "checkout", "-q", "-f", "."); git(spring, "clean", "-qfd")
        monkeypatch.setattr(upgrade, "write_text", write)
        assert mmops_upgrade(spring, "--write") == 130
        monkeypatch.setattr(upgrade, "write_text", whole)
        assert mmops_upgrade(spring) == 0 and "was interrupted" in capsys.readouterr().out
        assert mmops_upgrade(spring, "--write") == 0
        assert kinds(spring, newer) == {} and read_workspace_record(spring).version == "9.2.0"

def test_what_was_edited_while_an_upgrade_lay_unfinished_is_kept(spring, newer):
    note_upgrade(spring, planned_upgrade(spring, newer), newer, "9.2.0")
    (spring/REPORT).write_text("edited meanwhile")
    finish_upgrade(spring)
    assert (spring/REPORT).read_text() == "edited meanwhile" and (spring/f"{REPORT}.new").read_text() == newer[REPORT]

def test_two_at_once_are_refused(spring, newer):
    with upgrade._alone(spring), pytest.raises(AlreadyRunning): upgrade._write(spring, [], {}, True)

def test_a_full_disk_leaves_the_workspace_as_it_was(spring, newer, monkeypatch, capsys):
    def full(*_): raise OSError(28, "No space left on device", str(spring))
    monkeypatch.setattr(upgrade, "write_json", full)
    assert mmops_upgrade(spring, "--write") == 1
    assert len(capsys.readouterr().err.splitlines()) == 2 and git(spring, "status", "--porcelain") == ""

def test_a_merge_that_would_break_a_notebook_or_a_yaml_is_none():
    base = notebook_text([("code", "a = 1\nb = 2")])
    assert merged_text("x.ipynb", base.replace("a = 1", "a = 3"), base, base.replace("a = 1", "a = 4")) is None
    assert merged_text("x.yaml", "a: 1\nb: 2\nc: 3\nd: [\n", "a: 1\nb: 2\nc: 3\n", "a: 2\nb: 2\nc: 3\n") is None

@pytest.mark.parametrize("source", ["␞ code", "␞␞ markdown\n␞", "", "\n\n", "a\n", "print('␞')"])
def test_a_plain_notebook_comes_back_as_it_was(source):
    text = notebook_text([("code", source), ("markdown", source)])
    assert plain_cells(rebuilt_notebook(plain_notebook(text), [text])) == plain_cells(text)

def test_an_engine_named_by_a_notebook_counts():
    text = notebook_text([("code", "a = 1")])
    other = json.loads(text); other["metadata"]["mmops"] = dict(engine="kernel")
    assert source_digest("x.ipynb", json.dumps(other)) != source_digest("x.ipynb", text)
    assert json.loads(rebuilt_notebook(plain_notebook(json.dumps(other)), [text]))["metadata"]["mmops"] == dict(engine="kernel")

# --- two wheels

ROOT = Path(__file__).resolve().parents[2]
MAIN = "import sys; from marketing_mlops.cli.commands import main; sys.exit(main())"

def wheel_of(folder, version, edits):
    "A wheel of this repository under another version and with other shipped files, unpacked as an installer does."
    listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if not (ROOT/name).is_file() or name.startswith(("tests/", "benchmarks/", "nbs/api/")): continue
        (folder/name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT/name, folder/name)
    for name, old, new in (("pyproject.toml", 'version = "0.1.0"', f'version = "{version}"'), ("marketing_mlops/__init__.py", '__version__ = "0.1.0"', f'__version__ = "{version}"'), *edits):
        text = (folder/name).read_text()
        assert old in text, (name, old)
        (folder/name).write_text(text.replace(old, new, 1))
    done = subprocess.run([sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", folder.parent/f"dist{version}", "."], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    with zipfile.ZipFile(next((folder.parent/f"dist{version}").glob(f"*{version}*.whl"))) as archive: archive.extractall(folder.parent/f"installed{version}")
    return folder.parent/f"installed{version}"

@pytest.mark.edges
def test_a_workspace_goes_from_an_older_wheel_to_a_newer_one_and_back_is_refused(tmp_path):
    shipped_params = "marketing_mlops/cli/shipped/params.yaml"
    old = wheel_of(tmp_path/"old", "0.7.0", [])
    new = wheel_of(tmp_path/"new", "0.8.0", [(REPORT, "# Monitoring", "# Monitoring, for its owner"), (shipped_params, "customers: 20000", "customers: 30000"), ("schedule.yaml", "cron: 0 7", "cron: 0 8"),
                                             ("marketing_mlops/cli/shipped/schedule.yaml", "cron: 0 7", "cron: 0 8")])
    def mmops(package, *words, cwd): return subprocess.run([sys.executable, "-c", MAIN, *words], cwd=cwd, env={k: v for k, v in os.environ.items() if not k.startswith("MMOPS_")} | {"PYTHONPATH": str(package), "CI": "1"}, capture_output=True, text=True)
    assert mmops(old, "init", "shop", cwd=tmp_path).returncode == 0
    shop = tmp_path/"shop"
    commit(shop, "Made")
    (shop/"schedule.yaml").write_text((shop/"schedule.yaml").read_text().replace("retries: 2", "retries: 5"))
    (shop/"params.yaml").write_text((shop/"params.yaml").read_text().replace("customers: 20000", "customers: 777"))
    commit(shop, "Ours")
    assert "up to date" in mmops(old, "upgrade", cwd=shop).stdout
    shown = mmops(new, "upgrade", cwd=shop)
    assert "From marketing_mlops 0.7.0 to 0.8.0" in shown.stdout and "+ # Monitoring, for its owner" in shown.stdout and git(shop, "status", "--porcelain") == ""
    done = mmops(new, "upgrade", "--write", cwd=shop)
    assert done.returncode == 0, done.stderr
    assert "for its owner" in (shop/REPORT).read_text() and "marketing_mlops==0.8.0" in (shop/"pyproject.toml").read_text()
    schedule = (shop/"schedule.yaml").read_text()
    assert "retries: 5" in schedule and "cron: 0 8" in schedule and "customers: 777" in (shop/"params.yaml").read_text() and "customers: 30000" in (shop/"params.yaml.new").read_text()
    commit(shop, "0.8.0")
    assert "up to date with marketing_mlops 0.8.0" in mmops(new, "upgrade", cwd=shop).stdout
    refused = mmops(old, "upgrade", "--write", cwd=shop)
    assert refused.returncode == 1 and "which is older" in refused.stderr and len(refused.stderr.splitlines()) == 2 and git(shop, "status", "--porcelain") == ""

@pytest.mark.edges
def test_an_upgrade_killed_by_the_system_is_finished_by_the_next_one(tmp_path, made):
    "kill -9 in the middle of the writes, in a process of its own."
    root = Path(shutil.copytree(made, tmp_path/"spring"))
    killed = ("import os, signal, sys; from marketing_mlops.cli import upgrade; from pathlib import Path; root = Path(sys.argv[1]); fresh = upgrade.fresh_files();\n"
              "fresh = {name: text.replace('# Monitoring', '# Watching') for name, text in fresh.items()} | {'nbs/reports/aaa.ipynb': fresh['nbs/reports/segments.ipynb']}\n"
              "whole = upgrade.write_text; n = []\n"
              "def write(path, text):\n    n.append(path)\n    if len(n) == 2: os.kill(os.getpid(), signal.SIGKILL)\n    return whole(path, text)\n"
              "upgrade.write_text = write; upgrade.note_upgrade(root, upgrade.planned_upgrade(root, fresh), fresh, '0.1.0'); upgrade.finish_upgrade(root)")
    assert subprocess.run([sys.executable, "-c", killed, str(root)]).returncode == -9
    assert root.joinpath(*NOTE).is_file()
    assert mmops_upgrade(root, "--write") == 0 and not root.joinpath(*NOTE).exists() and (root/"nbs/reports/aaa.ipynb").is_file() and "# Watching" in (root/REPORT).read_text()
