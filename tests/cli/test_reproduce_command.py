"""`mmops reproduce` and `mmops check-bundle`, as a colleague types them."""
import os, shutil, subprocess, sys
from pathlib import Path
import pytest
from marketing_mlops.cli.commands import main
from marketing_mlops.governance.erasure_entries import ERASED
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.jobs.rebuild_plans import recorded_hash
from marketing_mlops.registry.bundle_files import opened_files, seal_files
from marketing_mlops.registry.recipes import library_hash
from marketing_mlops.registry.origins import note_origin
from marketing_mlops.workspace.places import find_workspace, write_text

pytestmark = pytest.mark.edges

ROOT = Path(__file__).resolve().parents[2]
MODEL = "retailer_churn_90d"

@pytest.fixture
def shop(tmp_path):
    "A workspace with a candidate nobody knows the origin of; no git."
    root = tmp_path/"shop"
    write_text(root/"settings.ini", "[DEFAULT]\nreporting_currency = EUR\n")
    write_text(root/"params.yaml", "sources: {shop: {kind: simulated}}\nmodels:\n  churn: {owner: model-owner@example.com, purpose: Win back, audience: Customers, source: shop, task: propensity, primary_metric: auc}\n")
    seal_files(root/"data/bundle/churn", {"parameters.json": b'{"model": "churn"}\n'}, dict(format=1, kind="parameters"), {})
    return root

@pytest.mark.parametrize("words, says", [
    (["reproduce", "chrun@champion"], "Did you mean 'churn'"), (["reproduce", "churn@champion"], "churn has no champion"), (["reproduce", "churn@99"], "no bundle '99'"),
    (["reproduce", "churn@candidate"], "nobody noted from which revision"), (["reproduce", "churn@candidate", "--into", "."], "something is there already"),
    (["reproduce", "<b>🎁</b>@\x1b[31m"], "There is no model"), (["check-bundle", "churn@candidate"], "which only this project reads"), (["check-bundle", "gone.zip"], "There is no file gone.zip"),
    (["check-bundle", "settings.ini"], "There is no model"), (["check-bundle", "data/bundle/churn"], "not a portable bundle")])
def test_what_cannot_be_done_is_said_in_two_lines(shop, monkeypatch, capsys, words, says):
    monkeypatch.chdir(shop)
    monkeypatch.delenv("MMOPS_WORKSPACE", raising=False)
    assert main(words) == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2 and says in said[0] + said[1] and "\x1b" not in "".join(said), said

MAKE = """import json, os; from pathlib import Path
from marketing_mlops.governance.erasure_entries import ERASED
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.jobs.rebuild_plans import recorded_hash
from marketing_mlops.registry.bundle_files import opened_files, seal_files
from marketing_mlops.registry.recipes import library_hash
from marketing_mlops.registry.origins import note_origin
rows = Path("data/sources/shop/rows.csv").read_text().splitlines()
figures = dict(auc=dict(value=.5 + len(rows)/100, low=.4, high=.9))
files = {"parameters.json": dict(model="churn", facts=dict(n_training=len(rows))), "evaluation.json": dict(figures=figures), "chance.json": DRAW}
seal_files("data/bundle/churn", {name: json.dumps(each).encode() for name, each in files.items()}, dict(format=1, kind="parameters", lock_hash=HASH, code_hash="c3"*32, data_hashes={}), {})
"""

@pytest.fixture
def built(shop, monkeypatch):
    "Builds the candidate by one shell command, commits everything and notes the origin; given what the command draws."
    def git(*words):
        done = subprocess.run(["git", "-C", str(shop), "-c", "user.name=tests", "-c", "user.email=tests@example.com", *words], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    def build(draw="5", lock_hash=None):
        write_text(shop/"make.py", MAKE.replace("DRAW", draw).replace("HASH", repr(lock_hash or library_hash())))
        for name, text in ((".gitignore", "/data/?*\n!/data/ledger\n"), ("data/sources/shop/rows.csv", "ada\nbob\ncleo\n")): write_text(shop/name, text)
        subprocess.run([sys.executable, "make.py"], cwd=shop, check=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})
        h = lambda path: recorded_hash(shop/path)
        write_text(shop/"dvc.lock", f"stages:\n  bundle@churn:\n    cmd: {sys.executable} make.py\n    deps: [{{path: data/sources/shop, md5: {h('data/sources/shop')}}}, {{path: make.py, md5: {h('make.py')}}}]\n"
                                    f"    outs: [{{path: data/bundle/churn, md5: {h('data/bundle/churn')}}}]\n")
        git("init", "-q"); git("add", "-A"); git("commit", "-qm", "A shop")
        note_origin(find_workspace(shop), opened_files(shop/"data/bundle/churn")[3])
        monkeypatch.chdir(shop)
        monkeypatch.delenv("MMOPS_WORKSPACE", raising=False)
        return shop
    return build

@pytest.mark.slow
def test_the_same_hash_ends_with_0_and_says_every_part(built, capsys):
    built()
    assert main(["reproduce", "churn@candidate"]) == 0
    said = capsys.readouterr().out
    assert "Reproduced: core hash" in said and said.count("agrees") == 7

def test_a_model_that_depends_on_chance_ends_with_2_and_is_called_that(built, capsys):
    built(draw="os.urandom(8).hex()")
    assert main(["reproduce", "churn"]) == 2
    said = capsys.readouterr().out
    assert "Not reproduced" in said and "depends on chance" in said and "chance.json" in said and "data/bundle/churn" in said

@pytest.mark.slow
def test_other_libraries_are_named_before_anything_is_built(built, capsys):
    built(lock_hash="0"*64)
    assert main(["reproduce", "churn"]) == 1
    said = capsys.readouterr()
    assert "has no requirements.lock that says which" in said.err and "--install" in said.err and "bundle@churn" not in said.out

def test_after_an_erasure_it_is_built_without_them_and_ends_with_3(built, capsys):
    shop = built()
    Ledger(find_workspace(shop)).append(ERASED, "shop", "data-protection@example.com", dict(n_persons=1))
    write_text(shop/"data/sources/shop/rows.csv", "ada\ncleo\n")
    assert main(["reproduce", "churn"]) == 3
    said = capsys.readouterr().out
    assert "Not reproducible: 1 person erased on 20" in said and "0.53 (0.4 to 0.9)" in said and "0.52 (0.4 to 0.9)" in said and "-0.01" in said

@pytest.mark.slow
def test_after_an_erasure_without_the_tables_that_is_said_too(built, capsys):
    shop = built()
    Ledger(find_workspace(shop)).append(ERASED, "shop", "data-protection@example.com", dict(n_persons=2))
    shutil.rmtree(shop/"data/sources")
    assert main(["reproduce", "churn"]) == 1
    said = capsys.readouterr().err
    assert "2 persons erased on 20" in said and "Without them it cannot be built here either" in said and "data/sources/shop is not here" in said

@pytest.mark.slow
def test_a_colleague_builds_a_released_demo_model_again_to_the_same_core_hash(tmp_path, run_mmops):
    "A released model of the demo; a clone of the repository, without any of its data; the same hash. Then other parameters; then an erasure."
    first, colleague = tmp_path/"first", tmp_path/"colleague"
    def git(folder, *words):
        done = subprocess.run(["git", "-C", str(folder), "-c", "user.name=tests", "-c", "user.email=tests@example.com", *words], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    def mmops(folder, *words, code=0):
        done = run_mmops(*words, cwd=folder, timeout=1800, PYTHONPATH=str(folder), CI="true", MMOPS_WARM_HOME=str(folder))
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout
    names = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in filter(None, names.stdout.split("\0")):
        if not (ROOT/name).is_file(): continue
        (first/name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT/name, first/name)
    git(first, "init", "-q"); git(first, "add", "-A"); git(first, "commit", "-qm", "The repository")
    mmops(first, "run", MODEL, "--no-open")
    mmops(first, "request", MODEL, "--as", "analyst@example.com")
    for role in ("model-owner", "marketing"): mmops(first, "approve", MODEL, "--as", f"{role}@example.com")
    mmops(first, "release", MODEL, "--as", "analyst@example.com")
    git(first, "add", "-A"); git(first, "commit", "-qm", "A release")
    git(tmp_path, "clone", "-q", str(first), str(colleague))
    said = mmops(colleague, "reproduce", f"{MODEL}@champion")
    assert "Reproduced: core hash" in said and "from code on" in said
    said = mmops(first, "reproduce", f"{MODEL}@champion", "--into", str(tmp_path/"again"))
    assert said.count("agrees") >= 9 and "differs" not in said and (tmp_path/"again/core.json").is_file()
    assert "each to the bit" in mmops(first, "check-bundle", f"{MODEL}@champion", "--into", str(tmp_path/"churn.zip"))
    assert "unpacked from churn.zip" in mmops(tmp_path/"again", "check-bundle", str(tmp_path/"churn.zip"))
    for folder in (first, colleague): assert subprocess.run(["git", "-C", str(folder), "status", "--porcelain"], capture_output=True, text=True).stdout == ""
