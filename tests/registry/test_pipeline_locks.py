"""The reader of locks finds what a whole reader of YAML finds, and says in words why a lock is none."""
from pathlib import Path
import pytest
from marketing_mlops.registry.pipeline_locks import cached_files, locked_stages, makers, stages_of_lock
from marketing_mlops.workspace.params import read_yaml
from marketing_mlops.workspace.places import find_workspace, write_text

ROOT = Path(__file__).resolve().parents[2]

@pytest.fixture
def shop(tmp_path): return find_workspace(write_text(tmp_path/"settings.ini", "[DEFAULT]\nreporting_currency = EUR\n").parent)

@pytest.mark.parametrize("name", ["dvc.lock", "data/replays/dvc.lock"])
def test_the_locks_of_this_repository_are_read_as_a_reader_of_yaml_reads_them(name):
    known = {stage: tuple({each["path"]: each.get("md5", "") for each in said.get(part) or ()} for part in ("deps", "outs")) for stage, said in read_yaml(ROOT/name)["stages"].items()}
    assert {stage.name: (dict(stage.deps), dict(stage.outs)) for stage in stages_of_lock((ROOT/name).read_text())} == known

def test_names_in_quotes_are_read_as_yaml_reads_them(tmp_path):
    text = "schema: '2.0'\nstages:\n  'it''s@a: b':\n    cmd: x\n    deps:\n    - path: \"data/caf\\xE9 \\U0001F381\"\n      hash: md5\n      md5: aa\n    - path: 'a ''b'\n      hash: md5\n      md5: bb\n"
    stage, = stages_of_lock(text)
    said, = read_yaml(write_text(tmp_path/"dvc.lock", text))["stages"].items()
    assert stage.name == said[0] and list(stage.deps)[1] == said[1]["deps"][1]["path"]

@pytest.mark.parametrize("text, says", {"<<<<<<< HEAD\nstages:\n": "conflict", "{": "no line", "stages:\n  a:\n>>>>>>> other\n": "conflict"}.items())
def test_a_lock_that_is_none_is_said_in_words_and_the_others_are_read(shop, text, says):
    write_text(shop.path("dvc.lock"), text)
    write_text(shop.path("data", "replays", "dvc.lock"), (ROOT/"data"/"replays"/"dvc.lock").read_text())
    stages, doubts = locked_stages(shop)
    assert stages and len(doubts) == 1 and says in doubts[0] and "git checkout -- dvc.lock" in doubts[0]

def test_a_lock_of_other_bytes_is_no_exception(shop):
    shop.path("dvc.lock").write_bytes(b"\xff\xfe\x00stages")
    assert "dvc.lock cannot be read" in locked_stages(shop)[1][0]

def test_without_any_lock_the_remedy_is_named(shop): assert "mmops run" in locked_stages(shop)[1][0]

def test_a_lock_cut_in_the_middle_gives_what_stands_in_it(shop):
    text = (ROOT/"dvc.lock").read_text()
    assert [stage.name for stage in stages_of_lock(text[:len(text)//2])] == [stage.name for stage in stages_of_lock(text)][:len(stages_of_lock(text[:len(text)//2]))]

def test_two_pipelines_that_make_one_folder_are_both_named(shop):
    text = "schema: '2.0'\nstages:\n  validate@shop:\n    outs:\n    - path: data/validate/shop\n      md5: aa.dir\n"
    for name in ("dvc.lock", "data/many/dvc.lock"): write_text(shop.path(name), text)
    assert [stage.pipeline for stage in makers(locked_stages(shop)[0])["data/validate/shop"]] == ["dvc.yaml", "data/many/dvc.yaml"]

@pytest.mark.parametrize("content", ["", "[1, 2]", "{}", '[{"md5": 1}]', "\x00"])
def test_a_damaged_cache_knows_no_files(shop, content):
    write_text(shop.path(".dvc", "cache", "files", "md5", "aa", "bb.dir"), content)
    assert cached_files(shop, "aabb.dir") == {}
