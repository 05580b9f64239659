"""The file that travels with a bundle refuses what it cannot vouch for, in one line, and gives the project's numbers otherwise."""
import json, math, os, sys
from io import StringIO
from pathlib import Path
import numpy as np, pandas as pd, pytest
from marketing_mlops.registry import bare_scorer
from marketing_mlops.registry.bare_scorer import MOST_DIFFERENCE, Scorer, Unusable, largest_difference, main, read_sealed, scored
from marketing_mlops.registry.bundle_files import opened_files, seal_files
from marketing_mlops.registry.bundles import score_rows, write_bundle
from marketing_mlops.registry.graph_drafts import GraphDraft, finished_graph
from marketing_mlops.registry.input_schemas import input_schema
from marketing_mlops.registry.portable_bundles import stored_examples

HOSTILE = "<script>alert('x')</script> 🌷"
ROW = {"recency_days": 60., "trait.age_band": None}

def resealed(bundle, into, change, **facts):
    "The bundle with other contents, sealed as if it were meant."
    files, old, _, _ = opened_files(bundle.folder)
    seal_files(into, change(dict(files)), {name: value for name, value in old.items() if name != "files"} | facts, {})
    return into

def asked(monkeypatch, capsys, text, *words):
    monkeypatch.setattr(sys, "stdin", StringIO(text))
    code = main([str(word) for word in words])
    return code, *capsys.readouterr()

def test_it_imports_nothing_of_the_project(): assert "marketing_mlops" not in Path(bare_scorer.__file__).read_text().split("# %%", 2)[2]

@pytest.mark.parametrize("damage, says", [
    (lambda folder: (folder/"schema.json").write_bytes(b"{}"), "schema.json is missing, foreign or was changed"), (lambda folder: (folder/"features.json").unlink(), "features.json"), (lambda folder: (folder/HOSTILE.replace("/", "")).write_text("x"), "foreign"),
    (lambda folder: (folder/"core.json").unlink(), "core.json is missing"), (lambda folder: (folder/"deep").mkdir() or (folder/"deep"/"model.pkl").write_bytes(b"x"), "deep/model.pkl")])
def test_a_changed_missing_or_foreign_file_is_named_before_anything_runs(bundle, damage, says):
    damage(bundle.folder)
    with pytest.raises(Unusable, match=says): Scorer(bundle.folder)

@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_a_link_is_no_file_wherever_it_leads(bundle, tmp_path):
    (bundle.folder/"README.md").rename(tmp_path/"README.md")
    (bundle.folder/"README.md").symlink_to(tmp_path/"README.md")
    with pytest.raises(Unusable, match="README.md is no ordinary file"): read_sealed(bundle.folder)

def test_another_bundle_than_asked_for_is_refused(bundle):
    assert read_sealed(bundle.folder, bundle.core_hash)[2] == bundle.core_hash
    with pytest.raises(Unusable, match=f"this is bundle {bundle.core_hash[:12]}, and 000000000000 was asked for"): read_sealed(bundle.folder, "0"*64)

@pytest.mark.parametrize("facts", [dict(kind="parameters"), dict(kind=HOSTILE), dict(format=2), dict(kind=None)])
def test_a_bundle_of_another_kind_or_a_later_format_is_left_alone(bundle, tmp_path, facts):
    with pytest.raises(Unusable, match="needs another scorer"): Scorer(resealed(bundle, tmp_path/"other", lambda files: files, **facts))

def test_a_graph_that_calls_itself_a_table_is_refused_in_words(bundle, tmp_path):
    with pytest.raises(Unusable, match="its table of scores cannot be read"): Scorer(resealed(bundle, tmp_path/"other", lambda files: files, kind="table"))

@pytest.mark.parametrize("rows", [None, {}, "rows", 7, [1], [None], [ROW, []], [[ROW]]])
def test_rows_are_a_list_of_objects(bundle, rows):
    with pytest.raises(Unusable, match="list of objects"): scored(Scorer(bundle.folder), rows)

@pytest.mark.parametrize("value, says", [(math.nan, "without bounds"), (math.inf, "without bounds"), (-math.inf, "without bounds"), (10**400, "without bounds"), ("60", "a number or null"), ({}, "a number or null")])
def test_a_value_that_is_no_number_is_refused_with_the_name_of_its_feature(bundle, value, says):
    with pytest.raises(Unusable, match=f"recency_days is .*{says.split()[0]}"): scored(Scorer(bundle.folder), [ROW, ROW | {"recency_days": value}])

def test_no_rows_have_no_scores_and_further_names_are_left_out(bundle):
    scorer = Scorer(bundle.folder)
    assert scored(scorer, []) == [] and scored(scorer, [ROW | {HOSTILE: HOSTILE, "customer_id": "c1"}]) == scored(scorer, [ROW]) == [{"p_no_order": .5}]

def test_a_category_nobody_has_seen_counts_as_every_other_unknown_one(bundle):
    rows = [ROW | {"trait.age_band": band} for band in (HOSTILE, "", "🌷"*1000, "35+")]
    frame = pd.DataFrame(rows)
    assert [each["p_no_order"] for each in scored(Scorer(bundle.folder), rows)] == score_rows(bundle, frame)["p_no_order"].tolist()

def test_gains_are_against_the_control_and_the_control_has_none(tmp_path):
    def graph(at):
        draft = GraphDraft()
        return finished_graph(draft, draft.add("Sigmoid", draft.add("Sub", draft.input("recency_days", is_text=False), draft.constant([at]))), ["recency_days"])
    rows = pd.DataFrame({"recency_days": [0., 1., 2.]})
    made = write_bundle(tmp_path/"uplift", scorer={"no_mail": graph(1.), HOSTILE: graph(0.)}, kind="graph", features=["recency_days"], schema=input_schema(rows, ["recency_days"]), parameters=dict(model="promo", task="uplift", experiment=dict(control="no_mail")),
                        evaluation={}, lock_hash="a1"*32, data_hashes={}, code_hash="c3"*32, envelope={})
    found = scored(Scorer(made.folder), [{"recency_days": 0.}, {"recency_days": 2.}])
    assert [list(each) for each in found] == [[f"gain_{HOSTILE}"]]*2
    assert np.allclose([each[f"gain_{HOSTILE}"] for each in found], [.5 - 1/(1 + math.e), 1/(1 + math.e**-2) - 1/(1 + math.e**-1)], atol=1e-6)

def test_stored_examples_are_repeated_to_the_bit_and_a_moved_one_is_measured(bundle):
    scorer, examples = Scorer(bundle.folder), stored_examples(bundle)
    assert largest_difference(scorer, examples) == 0.
    examples[3]["scores"]["p_no_order"] += .25
    assert abs(largest_difference(scorer, examples) - .25) < 1e-12
    with pytest.raises(Unusable, match="no stored examples"): largest_difference(scorer, [])
    with pytest.raises(Unusable, match="of another model"): largest_difference(scorer, [dict(row=ROW, scores={"p_order": .5})])

@pytest.mark.parametrize("off, code", [(0., 0), (MOST_DIFFERENCE/2, 0), (MOST_DIFFERENCE*2, 1)])
def test_the_check_ends_well_only_within_what_is_allowed(bundle, tmp_path, monkeypatch, capsys, off, code):
    (tmp_path/"examples.json").write_text(json.dumps([dict(row=ROW, scores={"p_no_order": .5 + off})]))
    ended, said, trouble = asked(monkeypatch, capsys, "", bundle.folder, "--check", tmp_path/"examples.json")
    assert ended == code and json.loads(said)["core_hash"] == bundle.core_hash and not trouble

@pytest.mark.parametrize("text", ["", "{", "null", "[1]", "7", '"x"', "[{}]", '[{"recency_days": NaN, "trait.age_band": null}]', "["*100_000, f'[{{"recency_days": "{HOSTILE}", "trait.age_band": null}}]'])
def test_whatever_comes_in_the_answer_is_scores_or_one_line(bundle, monkeypatch, capsys, text):
    code, said, trouble = asked(monkeypatch, capsys, text, bundle.folder)
    assert (code, said, trouble.count("\n")) == (1, "", 1) and trouble.startswith("This cannot be scored: ")

@pytest.mark.parametrize("words", [[], ["no such folder"], ["."]])
def test_without_a_bundle_there_is_one_line_too(monkeypatch, capsys, tmp_path, words):
    monkeypatch.chdir(tmp_path)
    assert asked(monkeypatch, capsys, "[]", *words)[0] == 1

@pytest.mark.parametrize("file, content", [("schema.json", b"{"), ("parameters.json", b"[]"), ("features.json", b'["unheard_of"]'), ("schema.json", b'{"features": {}}'), ("scorer/00_no_order.onnx", b"no graph")])
def test_a_bundle_sealed_with_nonsense_ends_in_one_line(bundle, tmp_path, monkeypatch, capsys, file, content):
    place = resealed(bundle, tmp_path/"nonsense", lambda files: files | {file: content})
    code, said, trouble = asked(monkeypatch, capsys, json.dumps([ROW]), place)
    assert (code, said, trouble.count("\n")) == (1, "", 1)
