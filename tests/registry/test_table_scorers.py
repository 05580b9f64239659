"""A table of scores answers as a join does, names nobody, and goes wherever a graph goes."""
import json, subprocess, sys
from pathlib import Path
import numpy as np, pandas as pd, pytest
from marketing_mlops.registry.bare_scorer import Scorer, scored
from marketing_mlops.registry.bundle_files import BundleError
from marketing_mlops.registry.bundles import read_bundle, score_rows, write_bundle
from marketing_mlops.registry.graph_rows import category_texts
from marketing_mlops.registry.input_schemas import input_schema
from marketing_mlops.registry.parameter_bundles import read_value_bundle
from marketing_mlops.registry.portable_bundles import stored_examples, write_portable
from marketing_mlops.registry.table_scorers import looked_up_scores, open_score_table, table_scorer
from marketing_mlops.registry.tracked_models import TrackedModel
from marketing_mlops.workspace.errors import DataError

LOCK = (Path(__file__).resolve().parents[2]/"requirements.lock").read_text()
NAMES = ["DE", "<b>UK</b>", "🎁", " ", "null", None]

def rates():
    "A score for some of the combinations of two keys with awkward names."
    rng = np.random.default_rng(5)
    every = pd.MultiIndex.from_product([NAMES, ["new", "old", None]], names=["market", "segment"]).to_frame(index=False)
    return every.assign(rate=rng.uniform(0, 1, len(every))).iloc[::2]

def sealed(into, *, task="propensity", scorer=None, **parameters):
    asked = pd.DataFrame(dict(market=NAMES[:5] + ["SE"], segment=["new", "old", "new", None, "old", "new"]))
    scorer = scorer or {"no_order": table_scorer(rates(), ["market", "segment"], "rate", otherwise=.25)}
    return write_bundle(into, scorer=scorer, kind="table", features=["market", "segment"], schema=input_schema(asked, ["market", "segment"]), parameters=dict(model="churn", task=task, **parameters),
                        evaluation={}, lock_hash="a1"*32, data_hashes={}, code_hash="c3"*32, envelope={})

def test_looking_up_is_a_join():
    rng = np.random.default_rng(11)
    asked = pd.DataFrame(dict(market=rng.choice(np.array([*NAMES, "SE"], object), 2000), segment=rng.choice(np.array(["new", "old", None], object), 2000)))
    joined = asked.fillna("\0").merge(rates().fillna("\0"), how="left", on=["market", "segment"]).rate
    for otherwise in (None, .25):
        table = open_score_table(table_scorer(rates(), ["market", "segment"], "rate", otherwise=otherwise))
        found = looked_up_scores(table, {name: category_texts(asked[name]) for name in table.keys})
        expected = joined if otherwise is None else joined.fillna(otherwise)
        np.testing.assert_array_equal(found, expected)
    assert joined.isna().any() and joined.notna().any()

def test_the_same_table_in_any_order_is_the_same_bundle(tmp_path):
    one = sealed(tmp_path/"one")
    other = sealed(tmp_path/"other", scorer={"no_order": table_scorer(rates().sample(frac=1, random_state=2), ["market", "segment"], "rate", otherwise=.25)})
    assert one.core_hash == other.core_hash == read_bundle(tmp_path/"one", one.core_hash).core_hash

@pytest.mark.parametrize("keys", [["customer_id"], ["household_id"], ["code"]])
def test_keys_that_tell_persons_apart_are_refused(keys):
    frame = pd.DataFrame({name: [f"c{i}" for i in range(1_200 if name == "code" else 3)] for name in keys})
    with pytest.raises(DataError, match="tells persons apart"): table_scorer(frame.assign(rate=.5), keys, "rate")

def test_a_bundle_answers_the_same_here_elsewhere_and_in_mlflow(tmp_path):
    bundle = sealed(tmp_path/"churn")
    asked = pd.DataFrame([dict(market=market, segment=segment) for market in (*NAMES, "SE") for segment in ("new", "old", None, "none such")])
    here = score_rows(bundle, asked)["p_no_order"].tolist()
    rows = [{name: None if pd.isna(value) else value for name, value in row.items()} for row in asked.to_dict("records")]
    assert [each["p_no_order"] for each in scored(Scorer(bundle.folder), rows)] == here == TrackedModel(bundle).predict(asked)["p_no_order"].tolist()

def test_the_portable_form_repeats_every_example_without_a_runtime_for_graphs(tmp_path):
    bundle = sealed(tmp_path/"churn")
    write_portable(tmp_path/"portable", bundle, LOCK)
    needed = (tmp_path/"portable"/"requirements.txt").read_text()
    assert "numpy==" in needed and "onnx" not in needed and len(stored_examples(bundle)) > 200
    code = "import sys; sys.modules['onnxruntime'] = None; sys.path.insert(0, '.'); import score; sys.exit(score.main(['bundle', '--check', 'examples.json']))"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path/"portable", capture_output=True, text=True)
    assert json.loads(done.stdout) == dict(core_hash=bundle.core_hash, largest_difference=0.0), done.stderr

def test_several_arms_are_several_tables(tmp_path):
    arms = {arm: table_scorer(rates().assign(rate=worth*rates().rate), ["market", "segment"], "rate", otherwise=0.) for arm, worth in (("no_mail", 10.), ("mail", 14.))}
    bundle = sealed(tmp_path/"promo", task="uplift", scorer=arms, control="no_mail")
    asked = rates()[["market", "segment"]]
    np.testing.assert_allclose(score_rows(bundle, asked)["gain_mail"], 4*rates().rate)

@pytest.mark.parametrize("change, says", [(dict(scorer={"no_order": b'{"keys": ["market"], "rows": [[["DE"], 31]], "otherwise": null}'}), "no probability"),
    (dict(scorer={"no_order": b'{"keys": ["age"], "rows": [[["x"], 0.5]], "otherwise": null}'}), "asks for age"), (dict(scorer={"no_order": b"\x80\x04N."}), "no table of scores")])
def test_what_is_no_table_of_this_model_is_not_written(tmp_path, change, says):
    with pytest.raises((BundleError, DataError), match=says): sealed(tmp_path/"churn", **change)
    assert not (tmp_path/"churn").exists()

def test_each_reader_names_the_other(tmp_path):
    with pytest.raises(BundleError, match="not the parameters of a lifetime value"): read_value_bundle(sealed(tmp_path/"churn").folder)
