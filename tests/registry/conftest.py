"""A small churn model and its bundle, for the tests of this folder."""
import numpy as np, pandas as pd, pytest
from marketing_mlops.registry.bundles import write_bundle
from marketing_mlops.registry.graph_drafts import GraphDraft, finished_graph
from marketing_mlops.registry.input_schemas import input_schema

def churn_contents(even_at=60.):
    "What `write_bundle` wants, of a model that is certain of nothing at `even_at` days."
    draft = GraphDraft()
    days = draft.add("Sub", draft.input("recency_days", is_text=False), draft.constant([even_at]))
    old = draft.add("Cast", draft.add("Equal", draft.input("trait.age_band", is_text=True), draft.constant(["35+"])), to=11)
    graph = finished_graph(draft, draft.add("Sigmoid", draft.add("Add", draft.add("Div", days, draft.constant([20.])), old)), ["recency_days", "trait.age_band"])
    rows = pd.DataFrame({"recency_days": np.arange(0., 400.), "trait.age_band": ["18-24", "25-34", "35+", None]*100})
    return dict(scorer={"no_order": graph}, kind="graph", features=["recency_days", "trait.age_band"], schema=input_schema(rows, ["recency_days", "trait.age_band"]),
                parameters={"model": "retailer_churn_90d", "task": "propensity", "owner": "model-owner@example.com", "algorithm": {"name": "by_hand", "even_at": even_at}},
                evaluation={"auc": {"value": .71, "low": .68, "high": .74}}, lock_hash="a1"*32, data_hashes={"training_set": "b2"*32}, code_hash="c3"*32)

@pytest.fixture
def contents(): return churn_contents()

@pytest.fixture
def bundle(tmp_path, contents): return write_bundle(tmp_path/"retailer_churn_90d", **contents, envelope={"made_at": "2026-03-01T06:00:00Z"})

@pytest.fixture
def make_bundle(tmp_path):
    return lambda even_at: write_bundle(tmp_path/f"even_{even_at:g}", **churn_contents(even_at), envelope={})
