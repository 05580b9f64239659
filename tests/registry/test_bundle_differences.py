"""What differs between two bundles is said part by part; what cannot be read is said too, and what agrees is not left out."""
import json
import pytest
from marketing_mlops.registry.bundle_differences import MOST_SHOWN, compared_parts, difference_words, leaf_values
from marketing_mlops.registry.bundle_files import BundleError, opened_files, seal_files
from marketing_mlops.registry.bundles import write_bundle

HOSTILE = "<script>alert('x')</script> 🌷"

def sealed(place, files, **facts):
    seal_files(place, {name: content if isinstance(content, bytes) else json.dumps(content).encode() for name, content in files.items()}, dict(format=1, model="churn") | facts, {})
    return place

def differing(first, second): return {part.name: part.differences for part in compared_parts(first, second) if not part.agrees}

def test_a_bundle_agrees_with_itself_in_every_part_and_all_are_there(bundle):
    parts = compared_parts(bundle.folder, bundle.folder)
    assert all(part.agrees for part in parts) and {"code", "libraries", "data training_set", "form", "parameters", "features", "input schema", "evaluation", "README", "scorer/00_no_order.onnx"} <= {part.name for part in parts}

def test_ingredients_stand_before_what_comes_out(make_bundle):
    parts = compared_parts(make_bundle(60.).folder, make_bundle(90.).folder)
    assert [part.goes_in for part in parts] == sorted([part.goes_in for part in parts], reverse=True)

def test_another_parameter_is_named_and_so_is_what_came_of_it(make_bundle):
    found = differing(make_bundle(60.).folder, make_bundle(90.).folder)
    assert found["parameters"] == ("algorithm.even_at was 60, is 90",) and "scorer/00_no_order.onnx" in found and "code" not in found and "evaluation" not in found

@pytest.mark.parametrize("name, other, part", [("code_hash", "d4"*32, "code"), ("lock_hash", "d4"*32, "libraries"), ("data_hashes", {"training_set": "d4"*32}, "data training_set")])
def test_another_digest_is_told_by_its_first_digits(tmp_path, contents, name, other, part):
    first, second = (write_bundle(tmp_path/str(i), **(contents | more), envelope={}) for i, more in enumerate(({}, {name: other})))
    assert differing(first.folder, second.folder) == {part: (f"was {('b2' if part.startswith('data') else 'c3' if part == 'code' else 'a1')*6}, is {'d4'*6}",)}

def test_the_envelope_decides_nothing(tmp_path, contents):
    first, second = (write_bundle(tmp_path/str(i), **contents, envelope=dict(made_at=f"2026-03-0{i}")) for i in (1, 2))
    assert differing(first.folder, second.folder) == {}

def test_data_that_are_only_in_one_are_not_there_in_the_other(tmp_path):
    assert differing(sealed(tmp_path/"a", {}, data_hashes={"old": "ab"*32}), sealed(tmp_path/"b", {}, data_hashes={"new": "cd"*32})) == {"data old": (f"was {'ab'*6}, is not there",), "data new": (f"was not there, is {'cd'*6}",)}

@pytest.mark.parametrize("file, part", [("parameters.json", "parameters"), ("features.json", "features"), (f"{HOSTILE.replace('/', '')}.json", f"{HOSTILE.replace('/', '')}.json"), ("notes.txt", "notes.txt")])
def test_a_file_that_came_or_went_is_said(tmp_path, file, part):
    without, with_it = sealed(tmp_path/"a", {}), sealed(tmp_path/"b", {file: {"a": 1}})
    assert differing(without, with_it) == {part: ("is new",)} and differing(with_it, without) == {part: ("is there no more",)}

@pytest.mark.parametrize("file", ["parameters.json", "evaluation.json", "strange.json"])
@pytest.mark.parametrize("content", [b"{", b"\xff\xfe\x00", b"", b"nonsense"])
def test_a_sealed_file_that_is_no_json_is_told_by_its_bytes_and_stops_nothing(tmp_path, file, content):
    good, bad = sealed(tmp_path/"a", {file: {"a": 1}}), sealed(tmp_path/"b", {file: content})
    assert [words[0].startswith("other bytes") for words in differing(good, bad).values()] == [True]
    assert differing(bad, bad) == {}

@pytest.mark.parametrize("content", [[1, 2], "text", 7, None])
def test_parameters_of_another_shape_are_compared_as_they_are(tmp_path, content):
    assert "parameters" in differing(sealed(tmp_path/"a", {"parameters.json": {"a": 1}}), sealed(tmp_path/"b", {"parameters.json": content}))

def test_facts_of_the_training_come_out_and_do_not_go_in(tmp_path):
    first, second = (sealed(tmp_path/str(n), {"parameters.json": dict(owner="x", facts=dict(n_training=n))}) for n in (1, 2))
    part, = [part for part in compared_parts(first, second) if not part.agrees]
    assert (part.name, part.goes_in, part.differences) == ("facts of the training", False, ("facts.n_training was 1, is 2",))

@pytest.mark.parametrize("was, now, words", [
    ({}, {}, []), ({"a": 1}, {"a": 1}, []), ({"a": 1}, {"a": 2}, ["a was 1, is 2"]), ({"a": {"b": None}}, {"a": {"b": 0}}, ["a.b was None, is 0"]), ({"a": True}, {"a": 1}, ["a was True, is 1"]),
    ({"a": 1}, {}, ["a was 1, is not there"]), ({"a": ["x", "y"]}, {"a": ["y", "x"]}, ["a: the order is another"]), ({"a": ["x"]}, {"a": ["x", "z"]}, ["a: with z"]), (["x"], ["z"], ["without x; with z"]),
    ([{"n": 1}, {"n": 2}], [{"n": 1}, {"n": 3}], ["1.n was 2, is 3"]), ({HOSTILE: 1}, {HOSTILE: 2}, [f"{HOSTILE} was 1, is 2"]), (.1, .1 + 1e-12, ["was 0.1, is 0.1"]), ({"a": {}}, {"a": []}, ["a was {}, is []"])])
def test_differences_in_words(was, now, words): assert difference_words(was, now) == words

def test_many_differences_are_counted_and_long_values_cut():
    said = difference_words({f"k{i:02d}": 0 for i in range(1_100)}, {f"k{i:02d}": 1 for i in range(1_100)})
    assert len(said) == MOST_SHOWN + 1 and said[-1] == f"and {1_100 - MOST_SHOWN:,} more"
    assert len(difference_words({"a": "x"*900}, {"a": "y"*900})[0]) < 150

def test_every_single_value_has_a_name_of_its_own(bundle):
    files = opened_files(bundle.folder)[0]
    schema = json.loads(files["schema.json"])
    assert "features.recency_days.minimum" in leaf_values(schema) and all(not isinstance(value, dict) or not value for value in leaf_values(schema).values())

@pytest.mark.parametrize("damage", [lambda folder: (folder/"evaluation.json").write_bytes(b"{}"), lambda folder: (folder/"core.json").unlink(), lambda folder: (folder/"more.txt").write_text("x"), lambda folder: (folder/"core.json").write_text("[]")])
def test_a_bundle_that_was_changed_is_compared_with_nothing(bundle, make_bundle, damage):
    damage(bundle.folder)
    for pair in ((bundle.folder, make_bundle(90.).folder), (make_bundle(80.).folder, bundle.folder)):
        with pytest.raises(BundleError): compared_parts(*pair)
