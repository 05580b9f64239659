"""A bundle is one hash: any byte that differs, any file too many or too few is found."""
import json, os, random, shutil, socket, subprocess, sys
from pathlib import Path
import numpy as np, pandas as pd, pytest
from marketing_mlops.registry.bundle_files import BundleError, bytes_hash
from marketing_mlops.registry.bundles import read_bundle, score_rows, write_bundle
from marketing_mlops.workspace.errors import DataError, MmopsError
from marketing_mlops.workspace.places import canonical_json

def files_of(folder): return sorted(path for path in folder.rglob("*") if path.is_file())

def refused(folder, expected=None):
    "The error's text, after checking that it is two lines of ours."
    with pytest.raises(MmopsError) as caught: read_bundle(folder, expected)
    assert len(str(caught.value).splitlines()) == 2
    return str(caught.value)

# the hash

def test_the_hash_depends_on_content_alone(tmp_path, contents, bundle):
    turned = {key: dict(reversed(value.items())) if isinstance(value, dict) else value for key, value in reversed(contents.items())}
    elsewhere = write_bundle(tmp_path/"another"/"name", **turned, envelope={"made_at": "2030-01-01", "revision": "f00"})
    assert elsewhere.core_hash == bundle.core_hash
    os.utime(bundle.folder/"core.json", (0, 0))
    assert read_bundle(bundle.folder).core_hash == bundle.core_hash

@pytest.mark.parametrize("part", ["scorer", "schema", "parameters", "evaluation", "lock_hash", "data_hashes", "code_hash"])
def test_every_part_of_the_core_changes_the_hash(tmp_path, contents, bundle, make_bundle, part):
    other = {"scorer": make_bundle(61.).scorer, "schema": contents["schema"] | {"n_rows": 7}, "parameters": contents["parameters"] | {"owner": "marketing@example.com"},
             "evaluation": {}, "lock_hash": "0", "data_hashes": {}, "code_hash": "0"}
    assert write_bundle(tmp_path/"other", **contents | {part: other[part]}, envelope={}).core_hash != bundle.core_hash

SCRIPT = """
import sys; sys.path.insert(0, sys.argv[1])
from conftest import churn_contents
from marketing_mlops.registry.bundles import write_bundle
print(write_bundle(sys.argv[2], **churn_contents(), envelope={"pid": __import__("os").getpid()}).core_hash)
"""

def test_two_processes_make_the_same_bundle(tmp_path, repository, bundle):
    def made(seed, zone):
        return subprocess.run([sys.executable, "-c", SCRIPT, str(Path(__file__).parent), str(tmp_path/seed)], cwd=tmp_path, text=True, capture_output=True, check=True,
                              env=os.environ | {"PYTHONHASHSEED": seed, "TZ": zone, "LANG": "C", "PYTHONPATH": str(repository)}).stdout.strip()
    assert {made("1", "UTC"), made("2", "Asia/Tokyo")} == {bundle.core_hash}
    same = [[(path.relative_to(tmp_path/seed), path.read_bytes()) for path in files_of(tmp_path/seed) if path.name != "envelope.json"] for seed in "12"]
    assert same[0] == same[1]

def test_nothing_of_the_machine_is_in_the_core(tmp_path, bundle):
    for path in files_of(bundle.folder):
        content = path.read_bytes()
        for told in (str(tmp_path), socket.gethostname(), str(Path.home())): assert told.encode() not in content or len(told) < 3, (path.name, told)

# fuzz

def test_every_changed_byte_is_found(bundle):
    rng = random.Random(7)
    for path in files_of(bundle.folder):
        before = path.read_bytes()
        places = {0, len(before)-1, *(rng.randrange(len(before)) for _ in range(12))}
        for place in places:
            changed = bytearray(before); changed[place] ^= 1 << rng.randrange(8)
            path.write_bytes(bytes(changed))
            if path.name == "envelope.json":
                try: found = read_bundle(bundle.folder)
                except MmopsError: continue
                assert found.core_hash == bundle.core_hash, "the envelope decides nothing"
            else: refused(bundle.folder)
        path.write_bytes(before)
    assert read_bundle(bundle.folder).core_hash == bundle.core_hash

def test_every_missing_shortened_or_emptied_file_is_found(bundle):
    for path in files_of(bundle.folder):
        before = path.read_bytes()
        for change in (path.unlink, lambda: path.write_bytes(before[:-1]), lambda: path.write_bytes(b""), lambda: path.write_bytes(before+b" ")):
            change()
            if path.name == "envelope.json" and path.exists() and path.read_bytes().rstrip() == before.rstrip(): assert read_bundle(bundle.folder).core_hash == bundle.core_hash
            else: assert path.name in refused(bundle.folder) or path.name == "core.json"
            path.write_bytes(before)

@pytest.mark.parametrize("name", ["extra.json", "scorer/extra.onnx", ".hidden", "scorer/.DS_Store", "deep/er/file", "README.md~", "name with\nbreak.txt", "ü.txt"])
def test_every_extra_file_is_found(bundle, name):
    (bundle.folder/name).parent.mkdir(parents=True, exist_ok=True)
    (bundle.folder/name).write_text("{}")
    assert "does not belong" in refused(bundle.folder)

@pytest.mark.parametrize("name", ["model.pkl", "model.joblib", "weights.pt", "innocent.json"])
def test_a_pickle_is_named_and_never_opened(bundle, tmp_path, name):
    trap = tmp_path/"opened"
    class Trap:
        def __reduce__(self): return (Path.touch, (trap,))
    import pickle
    (bundle.folder/name).write_bytes(pickle.dumps(Trap()))
    assert "pickle" in refused(bundle.folder)
    assert not trap.exists()

def test_a_pickle_cannot_take_the_scorers_place(tmp_path, contents):
    with pytest.raises(DataError, match="is no ONNX graph"): write_bundle(tmp_path/"b", **contents | {"scorer": {"no_order": b"\x80\x04N."}}, envelope={})
    assert not (tmp_path/"b").exists()

def test_links_are_refused_even_to_the_same_content(bundle, tmp_path):
    for path in [*files_of(bundle.folder), bundle.folder/"scorer"]:
        away = tmp_path/"away"
        path.rename(away)
        path.symlink_to(away)
        assert "link" in refused(bundle.folder)
        path.unlink(); away.rename(path)
    (bundle.folder/"dangling").symlink_to("/nowhere")
    assert "link" in refused(bundle.folder)

def test_a_pipe_does_not_stop_the_reader(bundle):
    os.mkfifo(bundle.folder/"pipe")
    assert "no ordinary file" in refused(bundle.folder)

def test_a_file_is_no_bundle_and_neither_is_an_empty_folder(tmp_path):
    (tmp_path/"file").write_text("x"); (tmp_path/"empty").mkdir()
    assert "no such folder" in refused(tmp_path/"file")
    assert "core.json: this file is missing" in refused(tmp_path/"empty")

def resealed(folder, change):
    "Change core.json and repeat its hash in the envelope, as somebody who knows how would."
    core = json.loads((folder/"core.json").read_text())
    change(core)
    (folder/"core.json").write_text(canonical_json(core))
    (folder/"envelope.json").write_text(canonical_json({"core_hash": bytes_hash((folder/"core.json").read_bytes())}))

def test_a_resealed_bundle_is_another_bundle(bundle):
    (bundle.folder/"evaluation.json").write_text('{"auc": 0.99}')
    resealed(bundle.folder, lambda core: core["files"].update({"evaluation.json": bytes_hash(b'{"auc": 0.99}')}))
    assert read_bundle(bundle.folder).core_hash != bundle.core_hash
    assert "was asked for" in refused(bundle.folder, expected=bundle.core_hash)

@pytest.mark.parametrize("change", [lambda core: core["files"].update({"../settings.ini": "0"*64}), lambda core: core["files"].update({"/etc/hostname": "0"*64}),
    lambda core: core.pop("files"), lambda core: core.update(files=["README.md"]), lambda core: core.update(files={"README.md": 7}), lambda core: core.pop("scorers"),
    lambda core: core.update(scorers={"../x": "a"}), lambda core: core.update(scorers=[]), lambda core: core.update(kind="pickle"), lambda core: core.pop("data_hashes")],
    ids=["path upwards", "absolute path", "no files", "files a list", "a hash a number", "no scorers", "a scorer elsewhere", "scorers a list", "kind pickle", "no hashes"])
def test_a_resealed_list_that_makes_no_sense_is_refused(bundle, change):
    resealed(bundle.folder, change)
    refused(bundle.folder)

@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{", b"\xff\xfe", b'{"files": {}}', b"["*100_000, b'{"a": NaN}'], ids=repr)
def test_nonsense_in_the_list_is_two_lines(bundle, content):
    (bundle.folder/"core.json").write_bytes(content)
    refused(bundle.folder)

@pytest.mark.parametrize("name, content", [("parameters.json", {}), ("parameters.json", []), ("parameters.json", {"model": "m", "task": "uplift", "control": "x"}),
    ("features.json", []), ("features.json", ["other"]), ("schema.json", 3), ("schema.json", {"features": {}})], ids=str)
def test_resealed_parts_that_do_not_fit_are_refused(bundle, name, content):
    text = canonical_json(content)
    (bundle.folder/name).write_text(text)
    resealed(bundle.folder, lambda core: core["files"].update({name: bytes_hash(text.encode())}))
    refused(bundle.folder)

# writing

def test_a_failed_write_leaves_the_bundle_that_was_there(bundle, contents):
    with pytest.raises(BundleError, match="evaluation cannot be written"): write_bundle(bundle.folder, **contents | {"evaluation": {"auc": float("nan")}}, envelope={})
    with pytest.raises(ValueError): write_bundle(bundle.folder, **contents, envelope={"x": float("inf")})
    assert read_bundle(bundle.folder, bundle.core_hash)
    assert sorted(path.name for path in bundle.folder.parent.iterdir()) == [bundle.folder.name]

def test_arms_of_any_name_become_plain_file_names(tmp_path, contents):
    arms = ["No E-Mail", "Mens E-Mail", "../../etc/passwd", "<b>", "🎈", "Mens_E_Mail"]
    made = write_bundle(tmp_path/"b", **contents | {"scorer": dict.fromkeys(arms, contents["scorer"]["no_order"]), "parameters": {"model": "m", "task": "uplift", "control": "No E-Mail"}}, envelope={})
    assert sorted(read_bundle(tmp_path/"b").scorer) == sorted(arms)
    assert len(files_of(made.folder/"scorer")) == len(arms) and all(path.name.isascii() for path in files_of(made.folder))
    assert sorted(score_rows(made, pd.DataFrame({"recency_days": [1.], "trait.age_band": ["x"]}))) == sorted(f"gain_{arm}" for arm in arms if arm != "No E-Mail")

def test_markup_in_names_shows_as_text(tmp_path, contents):
    made = write_bundle(tmp_path/"b", **contents | {"parameters": contents["parameters"] | {"purpose": "<script>alert(1)</script> | x"}}, envelope={})
    assert "<script>" not in (made.folder/"README.md").read_text() and "<script>" not in made._repr_markdown_()

def test_a_person_can_read_every_file_but_the_scorer(bundle):
    for path in files_of(bundle.folder):
        if path.suffix == ".onnx": continue
        text = path.read_text()
        assert text.endswith("\n") and max(map(len, text.splitlines())) < 400
        if path.suffix == ".json" and path.name != "features.json": assert text == canonical_json(json.loads(text))

# scoring

def test_scores_do_not_depend_on_the_order_of_columns_or_rows_or_on_the_index(bundle):
    rows = pd.DataFrame({"recency_days": [1., 60., 500., None], "trait.age_band": ["35+", "x", None, "35+"], "customer_id": list("abcd")}, index=[7, 3, 9, 1]).dropna(subset="recency_days")
    scores = score_rows(bundle, rows)
    assert scores.index.tolist() == [7, 3, 9] and scores["p_no_order"][3] == .5
    assert score_rows(bundle, rows[::-1][["trait.age_band", "recency_days"]]).sort_index().equals(scores.sort_index())
    assert score_rows(bundle, rows.iloc[:0]).shape == (0, 1)

def test_all_features_that_cannot_be_scored_are_named_at_once(bundle):
    with pytest.raises(DataError) as caught: score_rows(bundle, pd.DataFrame({"recency_days": ["yesterday"]}))
    assert "recency_days holds 'yesterday'" in str(caught.value) and "trait.age_band is not there" in str(caught.value)
    assert len(caught.value.fields["problems"]) == 2

def test_no_row_is_half_scored(bundle):
    with pytest.raises(DataError, match="gives no number for 1 of 2 rows"): score_rows(bundle, pd.DataFrame({"recency_days": [1., np.nan], "trait.age_band": "x"}))

def test_a_moved_bundle_is_the_same_bundle(bundle, tmp_path):
    shutil.copytree(bundle.folder, tmp_path/"elsewhere"/"x")
    assert read_bundle(tmp_path/"elsewhere"/"x", bundle.core_hash).scorer == bundle.scorer

def test_a_graph_that_reads_other_files_is_refused(tmp_path, contents):
    import onnx
    graph = onnx.load_model_from_string(contents["scorer"]["no_order"])
    part = next(each for each in graph.graph.initializer if each.data_type == onnx.TensorProto.DOUBLE)
    part.ClearField("raw_data"); part.data_location = onnx.TensorProto.EXTERNAL
    entry = part.external_data.add(); entry.key, entry.value = "location", "../../secret"
    with pytest.raises(DataError, match="lie in other files"): write_bundle(tmp_path/"b", **contents | {"scorer": {"no_order": graph.SerializeToString()}}, envelope={})
