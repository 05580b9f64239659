"""A small workspace with a fitted churn model, its releases, and `mmops serve` in a process of its own."""
import contextlib, http.client, json, os, subprocess, sys
from urllib.parse import urlsplit
import numpy as np, pandas as pd
from marketing_mlops.contracts.verdict import Verdict, judged
from marketing_mlops.governance.approvals import grant, request_approval
from marketing_mlops.governance.release_gates import MEASURED_GATES, GateFindings, check_bundle
from marketing_mlops.governance.releases import bundle_evidence, release
from marketing_mlops.models.propensity import PropensityModel
from marketing_mlops.registry.bundles import write_bundle
from marketing_mlops.registry.graphs import propensity_graph
from marketing_mlops.registry.input_schemas import input_schema
from marketing_mlops.workspace.places import find_workspace

KEY = "a-key-of-these-tests"
NUMERIC,CATEGORICAL = ["recency_days", "orders_90d"], ["trait.age_band"]
FEATURES = NUMERIC + CATEGORICAL
ENTRY = "{owner: model-owner@example.com, purpose: Win back, audience: Customers, source: shop, task: propensity}"

def customers(n=400, seed=7):
    "Rows of customers, some of an unknown age band."
    rng = np.random.default_rng(seed)
    bands = rng.choice(["18-24", "25-34", "35+", None], n, p=[.3, .3, .3, .1])
    return pd.DataFrame({"recency_days": rng.gamma(2, 40, n).round(), "orders_90d": rng.poisson(1.2, n).astype(float), "trait.age_band": pd.Series(bands, dtype=object)})

def fitted_graph(sign):
    "The graph of a model; `sign` -1 turns its opinion round, so that two champions never agree."
    rows = customers()
    left = (np.random.default_rng(1).random(len(rows)) < 1/(1 + np.exp(-sign*(rows.recency_days - 80)/20))).astype(int)
    model = PropensityModel({"name": "logistic_regression", "C": 1.}, NUMERIC, CATEGORICAL).fit(rows, left)
    return propensity_graph(model, FEATURES)

def make_workspace(root):
    root.mkdir(parents=True)
    (root/"settings.ini").write_text("[DEFAULT]\napprovers = model-owner@example.com, marketing@example.com\n")
    (root/"params.yaml").write_text(f"sources: {{shop: {{kind: simulated}}}}\nmodels:\n  churn: {ENTRY}\n  promo: {ENTRY}\n")
    return find_workspace(root)

MEASURED = GateFindings({name: judged(name) for name in MEASURED_GATES})   # everything was measured, and nothing stands against it

def make_bundle(shop, name, graph, model="churn"):
    return write_bundle(shop.path("data", "bundle", name), scorer={"no_order": graph}, kind="graph", features=FEATURES, schema=input_schema(customers(), FEATURES),
        parameters={"model": model, "task": "propensity"}, evaluation={"verdict": Verdict(model, "pass", []).to_dict()}, lock_hash="a1", data_hashes={}, code_hash="c3", envelope={})

def put_live(shop, bundle, model="churn"):
    "Ask for approval, grant it, release."
    asked = bundle_evidence(bundle.folder)
    request_approval(shop, asked.matter, "analyst@example.com")
    check_bundle(shop, model, bundle.folder, "analyst@example.com", findings=MEASURED)
    for role in ("model-owner@example.com", "marketing@example.com"): grant(shop, asked.matter, role)
    return release(shop, model, bundle.folder, "analyst@example.com")

def start_service(shop, *words, code="", **environment):
    "`mmops serve` on a free port; its first lines are still to be read."
    lines = ["import sys", code, "from marketing_mlops.cli.commands import main", "sys.exit(main(['serve', *sys.argv[1:]]))"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MMOPS_")} | environment
    return subprocess.Popen([sys.executable, "-c", "\n".join(lines), "--workspace", str(shop.root), *words], env=clean, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

@contextlib.contextmanager
def served(shop, *words, **environment):
    "The address of a running service and its process, which is ended by its id."
    process = start_service(shop, "--port", "0", *words, **environment)
    try:
        line = next((line for line in process.stdout if line.startswith("Serving at")), None)
        assert line, process.stderr.read()
        yield Client(urlsplit(line.split()[2].rstrip(",")).netloc, environment.get("MMOPS_SERVE_KEY")), process
    finally:
        if process.poll() is None: process.terminate()
        process.communicate(timeout=600)

class Client:
    "One caller with one connection that is kept open."
    def __init__(self, netloc, key): self.netloc,self.key,self.connection = netloc,key,http.client.HTTPConnection(netloc, timeout=600)
    def another(self): return Client(self.netloc, self.key)
    def send(self, body, path="/predict", method="POST", **headers):
        "Status, content and the text of the answer to raw bytes."
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {self.key}"} if self.key else {}) | headers
        for attempt in range(2):
            try:
                self.connection.request(method, path, body, headers)
                answer = self.connection.getresponse()
                text = answer.read().decode()
                return answer.status, json.loads(text) if text else None, text
            except (ConnectionError, http.client.HTTPException):      # a connection the service had closed
                self.connection.close()
                if attempt: raise
    def ask(self, rows, model="churn"): return self.send(json.dumps({"model": model, "rows": rows}).encode())
    def health(self, **headers): return self.send(None, "/healthz", "GET", **headers)[1]
    def close(self): self.connection.close()
