"""Models from elsewhere: nothing in a file is trusted, and what is taken over gives the scores it gave where it was made."""
import copy, io, json, os, pickle, random, stat, zipfile
import numpy as np, onnx, pandas as pd, pytest, skops.io
from onnx import TensorProto, helper
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from marketing_mlops.features.training_sets import TrainingSet
from marketing_mlops.registry.foreign_graphs import AdoptedColumn, ForeignModelError, adopted_graph, checked_graph, graph_output, newest_opset, read_model_file
from marketing_mlops.registry.graph_rows import open_graph, run_graph
from marketing_mlops.registry.imported_models import brought_model, import_candidate, scorer_from, seal_import
from marketing_mlops.registry.model_contracts import read_contract
from marketing_mlops.workspace.errors import MmopsError, ParameterError
from marketing_mlops.workspace.places import write_text

CONTRACT = """
outcome: {kind: no_order, horizon_days: 90}
owner: agency@example.com
origin: Churn study of the agency
licence: Within the company
learned: {rows: 600, until: 2026-01-31}
features:
  - {name: recency_days, theirs: days, type: number, range: [0, 1000], missing: true}
  - {name: trait.age_band, theirs: age, type: category, missing: true}
"""
SPEC = dict(task="propensity", source="shop", features=["recency_days", "trait.age_band"], outcome=dict(kind="no_order", horizon_days=90))

def table(n=600, seed=3):
    rng = np.random.default_rng(seed)
    days, age = rng.gamma(2, 40, n).round(), pd.Series(rng.choice(["18-24", "35+"], n), dtype=object)
    return pd.DataFrame({"days": days, "age": age}), (rng.random(n) < 1/(1 + np.exp((70 - days)/25))).astype(int)

X, Y = table()
ONE_HOT = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
def linear(): return make_pipeline(make_column_transformer((make_pipeline(SimpleImputer(), StandardScaler()), ["days"]), (ONE_HOT, ["age"])), LogisticRegression()).fit(X, Y)
def trees(): return make_pipeline(make_column_transformer(("passthrough", ["days"]), (ONE_HOT, ["age"])), HistGradientBoostingClassifier(max_iter=8, random_state=0)).fit(X, Y)
OURS = X.rename(columns={"days": "recency_days", "age": "trait.age_band"})

@pytest.fixture
def contract(tmp_path): return lambda text=CONTRACT: read_contract(write_text(tmp_path/"contract.yaml", text))

@pytest.fixture
def stored(tmp_path):
    def store(model, name="agency.skops"):
        skops.io.dump(model, tmp_path/name)
        return tmp_path/name
    return store

def training():
    rows = OURS.astype({"trait.age_band": "str"}).assign(label=Y, customer_id=[f"c{i}" for i in range(len(X))], split=["train"]*400 + ["held_out"]*200, cutoff=pd.Timestamp("2026-03-31", tz="UTC"))
    return TrainingSet("churn", rows, SPEC["features"], "label", None)

def refuses(says, do):
    with pytest.raises(ForeignModelError) as found: do()
    assert says in str(found.value), str(found.value)
    assert found.value.remedy and "Traceback" not in str(found.value)

class Opened:
    "A pickle that leaves a trace when it is opened."
    def __init__(self, place): self.place = place
    def __reduce__(self): return os.mkdir, (str(self.place),)

@pytest.mark.parametrize("name", ["churn.pkl", "churn.joblib", "churn.pickle", "churn.onnx", "churn.skops", "churn.sav", "CHURN.PKL", "churn.bin"])
def test_no_pickle_is_opened_under_any_name(tmp_path, name, contract):
    trace = tmp_path/"opened"
    (tmp_path/name).write_bytes(pickle.dumps(Opened(trace)))
    refuses("pickle", lambda: scorer_from(tmp_path/name, contract(), OURS))
    assert not trace.exists()

def test_a_pickle_inside_a_skops_file_is_not_opened(tmp_path, stored, contract):
    trace, made = tmp_path/"opened", io.BytesIO()
    np.save(made, np.array([Opened(trace)], dtype=object), allow_pickle=True)
    file = stored(linear())
    with zipfile.ZipFile(file, "a") as archive: archive.writestr("more.npy", made.getvalue())
    refuses("holds objects, which are pickles", lambda: scorer_from(file, contract(), OURS))
    assert not trace.exists()

def graph(nodes=(), *, inputs=None, outputs=None, constants=(), opset=19, kind=TensorProto.FLOAT):
    inputs = inputs or [helper.make_tensor_value_info("days", kind, [None, 1])]
    outputs = outputs or [helper.make_tensor_value_info("p", TensorProto.FLOAT, [None, 1])]
    nodes = nodes or [helper.make_node("Cast", ["days"], ["d"], to=1), helper.make_node("Sigmoid", ["d"], ["p"])]
    return helper.make_model(helper.make_graph(nodes, "g", inputs, outputs, constants), opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)], ir_version=9)

def in_a_branch(node):
    value = helper.make_tensor_value_info("r", TensorProto.FLOAT, None)
    branch = helper.make_graph([node], "branch", [], [value])
    return graph([helper.make_node("If", ["yes"], ["p"], then_branch=branch, else_branch=branch)], constants=[helper.make_tensor("yes", TensorProto.BOOL, [], [True])])

def external():
    part = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.])
    part.ClearField("float_data")
    part.data_location = TensorProto.EXTERNAL
    part.external_data.add(key="location", value="../../etc/passwd")
    return part

def with_a_function():
    model = graph()
    model.functions.append(helper.make_function("own", "f", ["a"], ["b"], [helper.make_node("Identity", ["a"], ["b"])], [helper.make_opsetid("", 19)]))
    return model

@pytest.mark.parametrize("says, model", [
    ("lies in another file", lambda: graph(constants=[external()])), ("lies in another file", lambda: in_a_branch(helper.make_node("Constant", [], ["r"], value=external()))),
    ("draws lots", lambda: in_a_branch(helper.make_node("RandomNormal", [], ["r"], shape=[1]))), ("operators of 'com.agency'", lambda: in_a_branch(helper.make_node("Own", [], ["r"], domain="com.agency"))),
    ("function of its own", with_a_function), ("runs up to", lambda: graph(opset=newest_opset("") + 1)), ("breaks the rules of ONNX", lambda: graph([helper.make_node("Sigmoyd", ["days"], ["p"])]))])
def test_a_graph_is_refused_for_what_lies_anywhere_in_it(says, model): refuses(says, lambda: checked_graph(model().SerializeToString()))

def test_a_graph_cut_off_anywhere_is_refused_in_words_or_whole(contract, tmp_path):
    whole, one = graph().SerializeToString(), AdoptedColumn("recency_days", "days", False)
    for n in range(len(whole)):
        try:
            model = checked_graph(whole[:n])
            adopted_graph(model, [one], *graph_output(model))
        except ForeignModelError: pass

NAMES = ["days", "score", "adopted/value_0", "model/days", "recency_days", "<script>alert(1)</script>", "🎁 gift", "a b\"c"]

@pytest.mark.parametrize("name", NAMES)
def test_no_name_in_a_graph_meets_one_of_ours(name):
    nodes = [helper.make_node("Sigmoid", [name], ["score" if name != "score" else "x"]), helper.make_node("Identity", ["score" if name != "score" else "x"], ["p"])]
    model = checked_graph(graph(nodes, inputs=[helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1])]).SerializeToString())
    scorer = adopted_graph(model, [AdoptedColumn("recency_days", name, False)], *graph_output(model))
    assert [each.name for each in open_graph(scorer).get_inputs()] == ["recency_days"]
    assert run_graph(open_graph(scorer), pd.DataFrame({"recency_days": [0.]})).tolist() == [.5]

@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL])
@pytest.mark.parametrize("shape", [[None, 1], [None]])
def test_every_type_of_number_and_shape_of_column_gives_the_same_score(kind, shape):
    output = [helper.make_tensor_value_info("p", TensorProto.FLOAT, shape)]
    model = checked_graph(graph(inputs=[helper.make_tensor_value_info("days", kind, shape)], outputs=output).SerializeToString())
    scorer = adopted_graph(model, [AdoptedColumn("recency_days", "days", False)], *graph_output(model))
    assert np.allclose(run_graph(open_graph(scorer), pd.DataFrame({"recency_days": [0., 1.]})), [.5, 1/(1 + np.exp(-1))], atol=1e-7)

@pytest.mark.parametrize("make", [linear, trees])
def test_a_stored_pipeline_gives_its_own_scores(make, stored, contract):
    model = make()
    scorer, kind, digest, agreed = scorer_from(stored(model), contract(), OURS)
    assert (kind, len(digest), agreed.status) == ("skops", 64, "pass")
    assert np.abs(run_graph(open_graph(scorer), OURS) - model.predict_proba(X)[:, 1]).max() < 1e-6

def test_a_pipeline_without_an_imputer_is_not_asked_about_gaps(stored, contract):
    model = make_pipeline(make_column_transformer((StandardScaler(), ["days"]), (ONE_HOT, ["age"])), LogisticRegression()).fit(X, Y)
    whole = CONTRACT.replace("[0, 1000], missing: true", "[0, 1000]")
    assert scorer_from(stored(model), contract(whole), OURS)[3].passed
    assert scorer_from(stored(model), contract(CONTRACT.replace("[0, 1000], missing: true", "[0, 1000], missing: true, missing_as: 30")), OURS)[3].passed
    refuses("do not fit each other", lambda: scorer_from(stored(model), contract(), OURS))

def test_what_skl2onnx_writes_is_taken_over_and_a_zipmap_named(contract, tmp_path):
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType
    model, types = linear(), [("days", FloatTensorType([None, 1])), ("age", StringTensorType([None, 1]))]
    for zipmap in (False, True):
        made = convert_sklearn(model, initial_types=types, options={id(model): {"zipmap": zipmap}}, target_opset=19)
        (tmp_path/"churn.onnx").write_bytes(made.SerializeToString())
        if zipmap: refuses('options={"zipmap": False}', lambda: scorer_from(tmp_path/"churn.onnx", contract(), OURS))
        else: assert np.abs(run_graph(open_graph(scorer_from(tmp_path/"churn.onnx", contract(), OURS)[0]), OURS) - model.predict_proba(X)[:, 1]).max() < 1e-5

def test_a_block_without_names_needs_examples(contract, tmp_path):
    block = [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, 2])]
    nodes = [helper.make_node("MatMul", ["X", "w"], ["z"]), helper.make_node("Sigmoid", ["z"], ["p"])]
    model = graph(nodes, inputs=block, constants=[helper.make_tensor("w", TensorProto.FLOAT, [2, 1], [.01, -.5])])
    (tmp_path/"churn.onnx").write_bytes(model.SerializeToString())
    two = CONTRACT.replace("name: trait.age_band, theirs: age, type: category", "name: orders_90d, theirs: orders, type: number")
    rows = pd.DataFrame({"recency_days": [10., 80.], "orders_90d": [1., 3.]})
    refuses("nothing shows that their order", lambda: scorer_from(tmp_path/"churn.onnx", contract(two), rows))
    pd.DataFrame({"days": [10.], "orders": [1.], "p": [1/(1 + np.exp(-(.1 - .5)))]}).to_csv(tmp_path/"examples.csv", index=False)
    assert len(scorer_from(tmp_path/"churn.onnx", contract(two + "examples: {file: examples.csv, score: p}"), rows)[0])

def member(file, name, content=b"", mode=0):
    "The same archive with one more member."
    made = io.BytesIO()
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist(): new.writestr(entry.filename, old.read(entry))
        entry = zipfile.ZipInfo(name)
        entry.external_attr, entry.compress_type = mode, zipfile.ZIP_DEFLATED
        new.writestr(entry, content)
    file.write_bytes(made.getvalue())
    return file

def header(shape, descr="<f8"):
    made = io.BytesIO()
    np.lib.format.write_array_header_1_0(made, dict(descr=descr, fortran_order=False, shape=shape))
    return made.getvalue()

@pytest.mark.parametrize("says, name, content, mode", [
    ("promises", "claim.npy", header((2**31,)), 0), ("promises", "claim.npy", header((2**62, 4)), 0), ("leads out", "../evil.npy", b"", 0), ("place of its own", "/etc/evil.npy", b"", 0), ("it is a link", "link.npy", b"/etc/passwd", stat.S_IFLNK << 16),
    ("would unpack to", "bomb.npy", bytes(30_000_000), 0), ("holds 'inner.npz'", "inner.npz", b"PK", 0), ("holds 'run.py'", "run.py", b"print(1)", 0), ("in it twice", "SCHEMA.JSON", b"{}", 0), ("damaged", "short.npy", b"\x93NUM", 0)])
def test_a_tampered_archive_is_refused(stored, contract, says, name, content, mode):
    refuses(says, lambda: scorer_from(member(stored(linear()), name, content, mode), contract(), OURS))

def test_a_graph_that_asks_for_all_memory_ends_in_words(contract, tmp_path):
    nodes = [helper.make_node("ConstantOfShape", ["n"], ["zeros"]), helper.make_node("ReduceSum", ["zeros"], ["z"], keepdims=0), helper.make_node("Add", ["days", "z"], ["s"]), helper.make_node("Sigmoid", ["s"], ["p"])]
    (tmp_path/"churn.onnx").write_bytes(graph(nodes, constants=[helper.make_tensor("n", TensorProto.INT64, [1], [10**11])]).SerializeToString())
    one = CONTRACT.replace("  - {name: trait.age_band, theirs: age, type: category, missing: true}\n", "")
    refuses("onnxruntime cannot run it on our rows: ConstantOfShape", lambda: brought_model(tmp_path/"churn.onnx", contract(one), "churn", SPEC, training()))

def test_forged_trees_are_found_before_they_are_asked(stored, contract):
    for part, value in (("left", 2_000_000), ("right", 0), ("feature_idx", 9_999)):
        model = trees()
        model[-1]._predictors[0][0].nodes[part][0] = value
        refuses("leads out of the tree", lambda: scorer_from(stored(model), contract(), OURS))

def mutated(schema, rng):
    "A description with one value changed to another kind of value."
    schema, places = copy.deepcopy(schema), []
    def walk(node):
        for key, value in (node.items() if isinstance(node, dict) else enumerate(node)):
            places.append((node, key))
            if isinstance(value, (dict, list)): walk(value)
    walk(schema)
    node, key = rng.choice(places)
    node[key] = rng.choice([None, -1, "", "os.system", [], {}, "builtins", 10**30, "eval", True])
    return schema

def test_no_description_makes_anything_but_a_refusal_in_words(stored, contract, tmp_path):
    file, rng, outcomes = stored(linear()), random.Random(5), {"refused": 0, "taken": 0}
    with zipfile.ZipFile(file) as archive: members = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    schema, terms = json.loads(members["schema.json"]), contract()
    for _ in range(120):
        with zipfile.ZipFile(tmp_path/"forged.skops", "w") as archive:
            for name, content in members.items(): archive.writestr(name, json.dumps(mutated(schema, rng)) if name == "schema.json" else content)
        try: scorer_from(tmp_path/"forged.skops", terms, OURS.head(20))
        except ForeignModelError: outcomes["refused"] += 1
        else: outcomes["taken"] += 1
    assert outcomes["refused"] > 20, outcomes

def test_an_import_is_judged_on_our_held_out_rows_and_sealed_by_content(stored, contract, tmp_path):
    model = linear()
    brought = brought_model(stored(model), contract(), "churn", SPEC, training())
    digits = seal_import(tmp_path/"imports", brought)
    assert seal_import(tmp_path/"again", brought) == digits
    found = import_candidate(tmp_path/"imports", SPEC | dict(algorithm={"name": "imported", "import": digits}), training())
    assert np.abs(found.held_out.score - model.predict_proba(X[400:])[:, 1]).max() < 1e-6 and set(found.held_out.split) == {"held_out"}
    assert (found.facts["n_training"], found.facts["answers_until"], found.schema["features"]["recency_days"]["maximum"]) == (600, "2026-01-31", 1000.)
    (tmp_path/"imports"/"scorer.onnx").write_bytes(b"another")
    with pytest.raises(MmopsError): import_candidate(tmp_path/"imports", SPEC | dict(algorithm={"name": "imported", "import": digits}), training())

@pytest.mark.parametrize("text", ["", "[]", "a: [", "outcome: 5", "features: &a [*a]", CONTRACT + "features: []\n", CONTRACT.replace("name: recency_days", "name: [1]"), CONTRACT.replace("rows: 600", "rows: -1"),
                                  CONTRACT.replace("licence: Within the company", "licence: \"\\x1b[31m\""), CONTRACT.replace("[0, 1000]", "[.nan, 3]"), CONTRACT.replace("theirs: days", "theirs: age")])
def test_a_contract_that_says_nonsense_is_refused_in_words(contract, text):
    with pytest.raises(ParameterError) as found: contract(text)
    assert "\x1b" not in str(found.value) and len(found.value.problem) < 1500

def test_a_file_that_is_no_model_is_said_in_words(tmp_path):
    (tmp_path/"folder.onnx").mkdir()
    (tmp_path/"real.onnx").write_bytes(graph().SerializeToString())
    (tmp_path/"link.onnx").symlink_to(tmp_path/"real.onnx")
    for name, says in {"folder.onnx": "no such file", "link.onnx": "this is a link", "gone.skops": "no such file"}.items(): refuses(says, lambda: read_model_file(tmp_path/name))

def test_asking_where_a_model_comes_from_does_not_load_scikit_learn():
    import subprocess, sys
    asked = "import sys, marketing_mlops.governance.gate_evidence, marketing_mlops.registry.lineage_models, marketing_mlops.cli.import_command; sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked]).returncode == 0
