"""A bundle scores elsewhere as it does here, and what is no bundle of ours is refused before it runs."""
import json, subprocess, sys
from pathlib import Path
import numpy as np, onnx, pandas as pd, pytest
from onnx import helper
from marketing_mlops.registry.bare_scorer import Scorer, Unusable, largest_difference, scored
from marketing_mlops.registry.bundle_files import BundleError
from marketing_mlops.registry.bundles import score_rows
from marketing_mlops.registry.graph_rows import open_graph
from marketing_mlops.registry.portable_bundles import check_portable, stored_examples, write_portable
from marketing_mlops.workspace.errors import DataError

LOCK = (Path(__file__).resolve().parents[2]/"requirements.lock").read_text()

def test_the_bare_scorer_says_what_the_project_says(bundle, rng=np.random.default_rng(7)):
    rows = pd.DataFrame({"recency_days": np.where(rng.random(500) < .1, np.nan, rng.normal(60, 80, 500)), "trait.age_band": rng.choice(["18-24", "35+", "new 🎁", None], 500)})
    known = rows[rows["recency_days"].notna()]
    asked = [{"recency_days": float(days), "trait.age_band": None if pd.isna(band) else band} for days, band in known.itertuples(index=False)]
    assert [each["p_no_order"] for each in scored(Scorer(bundle.folder), asked)] == score_rows(bundle, known)["p_no_order"].tolist()

@pytest.mark.edges
@pytest.mark.parametrize("row, says", [({"recency_days": 5}, "is missing"), ({"recency_days": "5", "trait.age_band": None}, "a number or null"), ({"recency_days": 1e39, "trait.age_band": None}, "without bounds"),
    ({"recency_days": 10**400, "trait.age_band": None}, "without bounds"), ({"recency_days": 5, "trait.age_band": 35}, "text or null"), ({"recency_days": [5], "trait.age_band": None}, "a number or null")])
def test_nonsense_in_a_row_is_refused_by_name(bundle, row, says):
    with pytest.raises(Unusable, match=says): scored(Scorer(bundle.folder), [row])

@pytest.mark.edges
def test_examples_hold_what_a_conversion_gets_wrong(bundle):
    rows = [each["row"] for each in stored_examples(bundle)]
    assert {None, "a category nobody has used before", "35+"} <= {row["trait.age_band"] for row in rows} and max(row["recency_days"] for row in rows) == 1e9

@pytest.mark.edges
@pytest.mark.parametrize("file", ["score.py", "bundle/scorer/00_no_order.onnx", "examples.json", "Dockerfile"])
def test_any_changed_byte_is_found(bundle, tmp_path, file):
    write_portable(tmp_path/"portable", bundle, LOCK)
    path = tmp_path/"portable"/file
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(BundleError, match="was changed"): check_portable(tmp_path/"portable")

@pytest.mark.edges
def test_the_file_beside_the_bundle_runs_by_itself(bundle, tmp_path):
    write_portable(tmp_path/"portable", bundle, LOCK)
    ask = lambda *words, **more: subprocess.run([sys.executable, "-I", "score.py", *words], cwd=tmp_path/"portable", capture_output=True, text=True, **more)
    done = ask("bundle", "--check", "examples.json")
    assert json.loads(done.stdout) == dict(core_hash=bundle.core_hash, largest_difference=0.0), done.stderr
    done = ask("bundle", input='[{"recency_days": 60, "trait.age_band": null}]')
    assert json.loads(done.stdout) == [{"p_no_order": 0.5}], done.stderr
    for said in ("", "{}", "[1]", '[{"recency_days": 60}]', "nonsense"):
        done = ask("bundle", input=said)
        assert (done.returncode, done.stdout) == (1, "") and "Traceback" not in done.stderr and done.stderr.count("\n") == 1, (said, done.stderr)
    assert ask("no_such_bundle").returncode == 1

def graph_with(*, in_a_branch=False, domain=""):
    "A graph with a part in another file, at the top or in a branch of an If."
    value = helper.make_tensor("w", onnx.TensorProto.FLOAT, [1], [1.])
    if not domain:
        value.ClearField("float_data")
        value.data_location = onnx.TensorProto.EXTERNAL
        value.external_data.add(key="location", value="../../etc/passwd")
    y = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    inner = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"], domain=domain)], "inner", [], [y], [value])
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    if not in_a_branch: inner.input.append(x); return helper.make_model(inner).SerializeToString()
    yes = helper.make_tensor("yes", onnx.TensorProto.BOOL, [], [True])
    outer = helper.make_graph([helper.make_node("If", ["yes"], ["y"], then_branch=inner, else_branch=inner)], "outer", [x], [y], [yes])
    return helper.make_model(outer).SerializeToString()

@pytest.mark.parametrize("in_a_branch", [False, True], ids=["at_the_top", "in_a_branch"])
def test_parts_in_other_files_are_refused_wherever_they_are(in_a_branch):
    with pytest.raises(DataError, match="parts that lie in other files"): open_graph(graph_with(in_a_branch=in_a_branch))

@pytest.mark.parametrize("in_a_branch", [False, True], ids=["at_the_top", "in_a_branch"])
def test_operators_of_others_are_refused_wherever_they_are(in_a_branch):
    with pytest.raises(DataError, match="operators of 'somebody.else'"): open_graph(graph_with(in_a_branch=in_a_branch, domain="somebody.else"))

@pytest.mark.slow
def test_in_an_environment_of_its_own_every_score_is_the_same_to_the_bit(bundle, tmp_path):
    from marketing_mlops.jobs.clean_environments import tried_out
    write_portable(tmp_path/"portable", bundle, LOCK)
    tried = tried_out(tmp_path/"portable", tmp_path)
    assert tried.largest_difference == 0 and tried.n_examples > 200
    assert tried.megabytes < 150       # with 100 MB of Debian 12 and its Python below 250
    asked = subprocess.run([tmp_path/"environment/bin/python", "-I", "-c", "import marketing_mlops"], capture_output=True, text=True)
    assert "No module named 'marketing_mlops'" in asked.stderr
