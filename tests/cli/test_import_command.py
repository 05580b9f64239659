"""`mmops import`, as somebody types it who was sent a model."""
import json, pickle
from pathlib import Path
import numpy as np, pandas as pd, pytest, skops.io
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from marketing_mlops.cli.commands import main
from marketing_mlops.cli.gate_findings import rebuild_finding
from marketing_mlops.features.training_files import write_training_set
from marketing_mlops.features.training_sets import TrainingSet
from marketing_mlops.registry.bundles import read_bundle, score_rows
from marketing_mlops.training.model_specs import check_model_spec
from marketing_mlops.workspace.errors import ParameterError
from marketing_mlops.workspace.params import read_params
from marketing_mlops.workspace.places import find_workspace, write_text

pytestmark = pytest.mark.edges

ROOT = Path(__file__).resolve().parents[2]

PARAMS = """sources: {shop: {kind: simulated}}
models:
  churn:                       # the comment stays
    owner: model-owner@example.com
    purpose: Win back
    audience: Customers
    source: shop
    task: propensity
    primary_metric: auc
    outcome: {kind: no_order, horizon_days: 90, active_days: 365}
    features: [recency_days, orders_90d, trait.age_band]
    algorithm: {name: logistic_regression}
    cutoffs: {last: "2026-03-31", every_days: 30, count: 2}
    split: {held_out: last_cutoff}
    gates: {auc: 0.6}
"""
CONTRACT = """
outcome: {kind: no_order, horizon_days: 90}
owner: agency@example.com
origin: Churn study <b>2026</b> 🎁
licence: Within the company
learned: {rows: 300, until: 2026-01-31}
features:
  - {name: recency_days, theirs: days, type: number, range: [0, 1000], missing: true}
  - {name: orders_90d, type: number, range: [0, 60]}
  - {name: trait.age_band, theirs: age, type: category, levels: ["18-24", "35+"], missing: true}
examples: {file: examples.csv, score: p}
"""
THEIRS = {"recency_days": "days", "trait.age_band": "age"}

@pytest.fixture
def shop(tmp_path, monkeypatch, snapshot):
    "A workspace with rows and a model somebody sent; nobody has imported anything."
    root, rng, n = tmp_path/"shop", np.random.default_rng(3), 600
    for name, text in (("settings.ini", "[DEFAULT]\nreporting_currency = EUR\n"), ("params.yaml", PARAMS), ("contract.yaml", CONTRACT)): write_text(root/name, text)
    rows = pd.DataFrame({"customer_id": [f"c{i}" for i in range(n)], "cutoff": pd.to_datetime(["2026-01-31"]*400 + ["2026-03-31"]*200, utc=True), "is_holdout": False, "recency_days": rng.gamma(2, 40, n).round(),
                         "orders_90d": rng.poisson(2, n).astype(float), "trait.age_band": pd.Series(rng.choice(["18-24", "35+"], n), dtype="str"), "matured_at": pd.Timestamp("2026-06-29", tz="UTC"), "split": ["train"]*400 + ["held_out"]*200})
    rows["label"] = (rng.random(n) < 1/(1 + np.exp((70 - rows.recency_days)/25))).astype(int)
    names = ["recency_days", "orders_90d", "trait.age_band"]
    folder = root/"data"/"features"/"churn"
    folder.mkdir(parents=True)
    write_training_set(TrainingSet("churn", rows, names, "label", None), folder)
    X = rows[names].rename(columns=THEIRS).astype({"age": object})
    model = make_pipeline(make_column_transformer((make_pipeline(SimpleImputer(), StandardScaler()), ["days", "orders_90d"]), (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["age"])), LogisticRegression()).fit(X[:300], rows.label[:300])
    skops.io.dump(model, root/"agency.skops")
    X.head(20).assign(p=model.predict_proba(X.head(20))[:, 1]).to_csv(root/"examples.csv", index=False)
    monkeypatch.chdir(root)
    monkeypatch.delenv("MMOPS_WORKSPACE", raising=False)
    return find_workspace(root)

def typed(*words): return main(["import", *words])
WORDS = ("churn", "agency.skops", "--contract", "contract.yaml")

def changed(shop, *pairs):
    text = CONTRACT
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    write_text(shop.path("contract.yaml"), text)

@pytest.mark.parametrize("says, pairs", [
    ("predicts horizon_days 30", [("horizon_days: 90", "horizon_days: 30")]), ("Did you mean", [("name: recency_days", "name: recency_day")]), ("does not name it", [("name: orders_90d, type", "name: clicks_90d, theirs: orders_90d, type")]),
    ("feature 1 is 'days' in the model and 'orders_90d'", [("  - {name: recency_days, theirs: days, type: number, range: [0, 1000], missing: true}\n  - {name: orders_90d, type: number, range: [0, 60]}", "  - {name: orders_90d, type: number, range: [0, 60]}\n  - {name: recency_days, theirs: days, type: number, range: [0, 1000], missing: true}")]),
    ("is a number in the contract and a category here", [('theirs: age, type: category, levels: ["18-24", "35+"]', "theirs: age, type: number")]), ("another unit", [("range: [0, 1000]", "range: [0, 3]")]), ("was fitted to 'age'", [("theirs: age", "theirs: alter")]),
    ("was fitted to 'days'", [("theirs: days", "theirs: <script>🎁</script>")]), ("licence is missing", [("licence: Within the company\n", "")])])
def test_a_contract_that_does_not_fit_is_said_in_two_lines_and_changes_nothing(shop, capsys, snapshot, says, pairs):
    changed(shop, *pairs)
    before = snapshot(shop.root)
    assert typed(*WORDS) == 1
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 2 and says in said and "Traceback" not in said, said
    assert snapshot(shop.root) == before

@pytest.mark.parametrize("words, says", [
    (["chrun", "agency.skops", "--contract", "contract.yaml"], "Did you mean 'churn'"), (["churn", "agency.skops"], "the contract is missing"), (["churn", "gone.onnx", "--contract", "contract.yaml"], "no such file"),
    (["churn", "agency.pkl", "--contract", "contract.yaml"], "skops.io.dump"), (["churn", "contract.yaml", "--contract", "contract.yaml"], ".yaml are not read"), (["churn", "agency.skops", "--contract", "gone.yaml"], "does not exist"),
    (["churn", "agency.skops", "--contract", "agency.skops"], "UTF-8"), (["churn", "cut.skops", "--contract", "contract.yaml"], "damaged, cut off"), (["churn", "\x1b[31m🎁.onnx", "--contract", "contract.yaml"], "no such file")])
def test_what_cannot_be_read_is_said_in_two_lines_and_changes_nothing(shop, capsys, snapshot, words, says):
    shop.path("agency.pkl").write_bytes(pickle.dumps(5))
    shop.path("cut.skops").write_bytes(shop.path("agency.skops").read_bytes()[:5000])
    before = snapshot(shop.root)
    assert typed(*words) == 1
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 2 and says in said and "\x1b" not in said, said
    assert snapshot(shop.root) == before

def test_a_dry_run_says_everything_and_keeps_nothing(shop, capsys, snapshot):
    before = snapshot(shop.root)
    assert typed(*WORDS, "--dry-run") == 0
    said = capsys.readouterr().out
    assert "It repeats 20 scores" in said and "Nothing was kept" in said and "days → recency_days" in said
    assert snapshot(shop.root) == before

def test_only_the_algorithm_of_the_entry_changes_and_typing_it_again_changes_nothing(shop, capsys, snapshot):
    assert typed(*WORDS) == 0
    after = snapshot(shop.root)
    spec = read_params(shop).model("churn")
    assert shop.path("params.yaml").read_text() == PARAMS.replace("{name: logistic_regression}", f"{{name: imported, import: {spec['algorithm']['import']}}}")
    assert "instead of logistic_regression" in capsys.readouterr().out
    assert typed(*WORDS) == 0 and snapshot(shop.root) == after
    assert "instead of" not in capsys.readouterr().out
    check_model_spec("churn", spec)
    for wrong in ({"name": "imported"}, {"name": "imported", "import": "5f2a"}, spec["algorithm"] | {"max_iter": 5}):
        with pytest.raises(ParameterError): check_model_spec("churn", spec | dict(algorithm=wrong))

@pytest.mark.slow
def test_the_stages_judge_and_pack_it_and_its_bundle_scores_as_it_did_elsewhere(shop, capsys):
    from marketing_mlops.jobs.runner import run_notebook
    assert typed(*WORDS) == 0
    for stage in ("train", "evaluate", "bundle"): run_notebook(ROOT/"nbs"/"jobs"/f"{stage}.ipynb", dict(model="churn"), workspace=shop)
    bundle = read_bundle(shop.output("bundle", "churn"))
    assert bundle.parameters["algorithm"]["name"] == "imported" and bundle.parameters["facts"]["imported"]["owner"] == "agency@example.com"
    evaluation = json.loads((shop.output("evaluate", "churn")/"evaluation.json").read_text())
    assert evaluation["n_held_out"] == 200 and any("trained elsewhere" in each for each in evaluation["sentences"])
    examples = pd.read_csv("examples.csv").rename(columns={theirs: ours for ours, theirs in THEIRS.items()}).astype({"trait.age_band": object})
    assert np.abs(score_rows(bundle, examples)["p_no_order"] - examples.p).max() < 1e-6
    assert rebuild_finding(shop, "churn", bundle).status == "pass"
