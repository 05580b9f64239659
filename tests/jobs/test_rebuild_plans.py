"""A plan of a rebuild names what is missing, takes nothing that is not what was recorded, and reads locks as they come."""
import hashlib, json, subprocess
import pytest
from marketing_mlops.jobs.rebuild_plans import (BuildStage, RebuildError, build_plan, cached_content, check_revision, files_below, files_hash, git_answer, lock_naming, recorded_hash,
                                                recorded_stages, stages_to)
from marketing_mlops.workspace.errors import MmopsError
from marketing_mlops.workspace.places import find_workspace, write_text

ODD = "<b>rows</b> 🌷 'a'.csv".replace("/", "")

def git(folder, *words):
    done = subprocess.run(["git", "-C", str(folder), "-c", "user.name=tests", "-c", "user.email=tests@example.com", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()

@pytest.fixture
def shop(tmp_path):
    write_text(tmp_path/"shop"/"settings.ini", "[DEFAULT]\nreporting_currency = EUR\n")
    write_text(tmp_path/"shop"/"data/sources/shop"/ODD, "ada\n")
    return find_workspace(tmp_path/"shop")

@pytest.fixture
def copy(shop, tmp_path):
    "A revision checked out beside the workspace, which holds the code and no data."
    write_text(tmp_path/"copy"/"make.py", "print()\n")
    return tmp_path/"copy"

def md5(text): return hashlib.md5(text.encode()).hexdigest()
def ingest(shop, digest=None): return BuildStage("ingest@shop", "x", {"data/sources/shop": digest or recorded_hash(shop.path("data/sources/shop")), "make.py": md5("print()\n")}, {"data/ingest/shop": "a"*32})
BUNDLE = BuildStage("bundle@churn", "x", {"data/ingest/shop": "a"*32}, {"data/bundle/churn": "b"*32})

def test_a_folder_has_the_hash_that_dvc_writes_whatever_its_files_are_called(tmp_path):
    from dvc.repo import Repo
    write_text(tmp_path/"data"/ODD, "ada\n"); write_text(tmp_path/"data"/"deep"/"b.csv", "bob\n"); write_text(tmp_path/"data"/"deep.csv", "")
    (tmp_path/"dvc.yaml").write_text("stages: {}\n")
    with Repo.init(str(tmp_path), no_scm=True) as repo: stage, = repo.add(str(tmp_path/"data"))
    assert stage.outs[0].hash_info.value == recorded_hash(tmp_path/"data") == files_hash(files_below(tmp_path/"data"))
    assert recorded_hash(tmp_path/"data"/ODD) == md5("ada\n")

def test_a_folder_that_is_not_there_has_no_files(tmp_path): assert files_below(tmp_path/"nowhere") == {} and files_below(write_text(tmp_path/"a file", "x")) == {}

def test_git_answers_for_its_folder_whatever_the_callers_variables_say(shop, monkeypatch, tmp_path):
    git(shop.root, "init", "-q"); git(tmp_path, "init", "-q", str(tmp_path/"other"))
    monkeypatch.setenv("GIT_DIR", str(tmp_path/"other"/".git")); monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path/"other"))
    assert git_answer(shop.root, "rev-parse", "--show-toplevel") == str(shop.root) and git_answer(shop.root, "no-such-word") is None and git_answer(tmp_path/"nowhere", "status") is None
    monkeypatch.setenv("PATH", "")
    assert git_answer(shop.root, "status") is None

@pytest.mark.parametrize("commit", ["0"*40, "🌷", "<b>", "HEAD~7", "--help"])
def test_a_revision_that_is_none_is_refused_with_a_remedy(shop, commit):
    git(shop.root, "init", "-q"); git(shop.root, "add", "-A"); git(shop.root, "commit", "-qm", "A shop")
    with pytest.raises(RebuildError, match="is not in this clone") as error: check_revision(shop, commit, "churn")
    assert "git fetch --all" in error.value.remedy
    check_revision(shop, git(shop.root, "rev-parse", "HEAD"), "churn")

@pytest.mark.parametrize("text", ["<<<<<<< HEAD\nstages: {}\n", "stages:\n\t- x\n", "[1, 2]\n", "just words\n", "stages: {a: {cmd: x\n"])
def test_a_lock_that_cannot_be_read_is_an_error_in_two_lines(tmp_path, text):
    write_text(tmp_path/"dvc.lock", text)
    with pytest.raises(MmopsError): recorded_stages(tmp_path)

@pytest.mark.parametrize("text", [None, "", "schema: '2.0'\n", "schema: '2.0'\nstages:\n", "schema: '2.0'\nstages: {}\n"])
def test_without_a_stage_there_is_none(tmp_path, text):
    if text is not None: write_text(tmp_path/"dvc.lock", text)
    assert recorded_stages(tmp_path) == []

def test_stages_of_all_locks_are_read_in_the_order_of_the_files(tmp_path):
    lock = "schema: '2.0'\nstages:\n  train@{}:\n    cmd: mmops-stage train model={}\n    deps:\n    - path: data/features/{}\n      hash: md5\n      md5: aa\n    outs:\n    - path: data/train/{}\n      hash: md5\n      md5: bb\n"
    for name, model in (("data/replays/dvc.lock", "far"), ("dvc.lock", "near"), ("data/many/dvc.lock", "many")): write_text(tmp_path/name, lock.replace("{}", model))
    found = recorded_stages(tmp_path)
    assert [stage.name for stage in found] == ["train@near", "train@far", "train@many"]
    assert found[0] == BuildStage("train@near", "mmops-stage train model=near", {"data/features/near": "aa"}, {"data/train/near": "bb"})

def test_only_the_stages_that_lead_there_come_and_each_after_what_it_reads(shop):
    other = BuildStage("train@promo", "x", {}, {"data/train/promo": ""})
    assert stages_to([BUNDLE, other, ingest(shop)], "data/bundle/churn") == [ingest(shop), BUNDLE] and stages_to([BUNDLE], "data/bundle/chu") == [] and stages_to([], "x") == []

def test_stages_that_read_each_other_end_all_the_same():
    ring = [BuildStage("a", "x", {"b": ""}, {"a": ""}), BuildStage("b", "x", {"a": ""}, {"b": ""})]
    assert {stage.name for stage in stages_to(ring, "a")} == {"a", "b"}

def test_a_ring_of_stages_is_refused_by_name(shop, copy):
    ring = [BuildStage("a", "x", {"b": ""}, {"a": ""}), BuildStage("b", "x", {"a": ""}, {"b": ""})]
    with pytest.raises(RebuildError, match="reads what is made of its own result"): build_plan(shop, copy, stages_to(ring, "a"), "churn")

def test_raw_files_that_are_what_was_read_are_taken_by_name(shop, copy):
    plan = build_plan(shop, copy, [ingest(shop), BUNDLE], "churn")
    assert ([stage.name for stage in plan.stages], list(plan.raw), plan.taken, plan.notes) == (["ingest@shop", "bundle@churn"], [f"data/sources/shop/{ODD}"], {}, [])

def test_other_raw_files_are_refused_unless_todays_are_asked_for(shop, copy):
    chain = [ingest(shop), BUNDLE]
    write_text(shop.path("data/sources/shop", ODD), "eve\n")
    with pytest.raises(RebuildError, match="holds other files than were read then") as error: build_plan(shop, copy, chain, "churn")
    assert error.value.fields["missing"] == "data"
    assert len(build_plan(shop, copy, chain, "churn", todays_data=True).stages) == 2

def test_a_result_that_is_here_is_taken_in_place_of_raw_files_that_are_not(shop, copy):
    write_text(shop.path("data/ingest/shop/rows.csv"), "ada\n")
    made = recorded_hash(shop.path("data/ingest/shop"))
    chain = [BuildStage("ingest@shop", "x", {"data/sources/gone": "c"*32}, {"data/ingest/shop": made}), BuildStage("bundle@churn", "x", {"data/ingest/shop": made}, {"data/bundle/churn": "b"*32})]
    plan = build_plan(shop, copy, chain, "churn")
    assert ([stage.name for stage in plan.stages], plan.taken) == (["bundle@churn"], {"data/ingest/shop": made}) and "data/sources/gone is not here" in plan.notes[0]
    write_text(shop.path("data/ingest/shop/rows.csv"), "somebody else\n")
    with pytest.raises(RebuildError, match="nor is what was made of it: missing is data/ingest/shop"): build_plan(shop, copy, chain, "churn")

def test_code_that_changed_is_told_and_code_that_is_gone_is_refused(shop, copy):
    write_text(copy/"make.py", "print(1)\n")
    assert build_plan(shop, copy, [ingest(shop), BUNDLE], "churn").changed == ["make.py"]
    (copy/"make.py").unlink()
    with pytest.raises(RebuildError, match="make.py is not in the revision"): build_plan(shop, copy, [ingest(shop), BUNDLE], "churn")

def test_without_stages_the_lock_is_what_is_missing(shop, copy):
    with pytest.raises(RebuildError, match="no lock of its revision knows") as error: build_plan(shop, copy, [], "churn 🌷")
    assert error.value.fields == dict(model="churn 🌷", missing="lock")

def cached(shop, files):
    listed = [dict(md5=md5(text), relpath=name) for name, text in files.items()]
    digest = md5(json.dumps(listed)) + ".dir"
    for name, content in [(digest, json.dumps(listed)), *((md5(text), text) for text in files.values())]: write_text(shop.path(".dvc/cache/files/md5", name[:2], name[2:]), content)
    return digest

def test_the_cache_says_which_files_a_folder_had_and_which_are_lost(shop):
    digest = cached(shop, {ODD: "ada\n", "deep/b.csv": "bob\n"})
    found, missing = cached_content(shop, digest)
    assert {name: file.read_text() for name, file in found.items()} == {ODD: "ada\n", "deep/b.csv": "bob\n"} and missing == []
    found[ODD].unlink()
    assert cached_content(shop, digest)[1] == [ODD] and cached_content(shop, "f"*32) == ({}, ["everything"])

@pytest.mark.parametrize("name", ["../outside.csv", "/etc/passwd", "a/../../b"])
def test_a_file_in_the_cache_that_leaves_its_folder_counts_as_missing(shop, name):
    assert cached_content(shop, cached(shop, {name: "x"}))[1] == [f"{name} (leaves its folder)"]

def test_the_cache_is_where_the_settings_of_the_clone_put_it_its_own_before_the_teams(shop, tmp_path):
    digest = cached(shop, {"a.csv": "ada\n"})
    for file, folder in (("config", "theirs"), ("config.local", "mine")): write_text(shop.path(".dvc", file), f"[core]\n    dir = nothing\n[cache]\n    dir = {tmp_path/folder}\n")
    assert cached_content(shop, digest) == ({}, ["everything"])
    shop.path(".dvc/cache").rename(tmp_path/"mine")
    assert list(cached_content(shop, digest)[0]) == ["a.csv"]

def test_the_lock_that_names_a_bundle_is_found_in_a_later_revision_or_here(shop):
    git(shop.root, "init", "-q"); git(shop.root, "add", "-A"); git(shop.root, "commit", "-qm", "Code")
    first = git(shop.root, "rev-parse", "HEAD")
    write_text(shop.path("dvc.lock"), f"stages:\n  a: {{cmd: x, outs: [{{path: data/bundle/churn, md5: {'b'*32}}}]}}\n"); git(shop.root, "add", "dvc.lock"); git(shop.root, "commit", "-qm", "Run")
    second = git(shop.root, "rev-parse", "HEAD")
    assert lock_naming(shop, first, "b"*32)[0] == f"revision {second[:12]}" and lock_naming(shop, second, "b"*32)[0] == "its revision"
    write_text(shop.path("dvc.lock"), "c"*32)
    assert lock_naming(shop, second, "c"*32)[0] == "this workspace" and lock_naming(shop, first, "d"*32) == ("", {}) and lock_naming(shop, first, "") == ("", {})
