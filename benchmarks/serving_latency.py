"""What one prediction over HTTP takes: `mmops serve` against `mlflow models serve` on the same bundle, one worker each.

Both services run at once and are asked in turns, block by block, so that a busy machine slows both alike; the one that
is not asked is idle. One caller, one connection that stays open, the same rows, the same machine; the caller's own time
is in both figures. The ratio is what travels between machines. The load of the machine is recorded before and after.

    python benchmarks/serving_latency.py [--requests 3000]
"""
import argparse, http.client, json, os, signal, socket, subprocess, sys, tempfile, time
from pathlib import Path
from statistics import quantiles
import numpy as np, pandas as pd

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
RESULT = ROOT/"benchmarks"/"results"/"serving_latency.json"
KEY = "a-key-of-the-benchmark"
MODEL = "churn"
SIDES = "model-owner@example.com", "marketing@example.com"     # technical, business: a first release needs both
NUMERIC = ["recency_days", "orders_90d", "orders_365d", "net_revenue_365d", "average_order_value_365d", "tenure_days", "clicks_90d", "engagement_seconds_90d", "contacts_90d"]
CATEGORICAL = ["trait.age_band", "trait.acquisition_channel"]
FEATURES = NUMERIC + CATEGORICAL
ALGORITHM = dict(name="hist_gradient_boosting", max_iter=100, learning_rate=0.1, max_leaf_nodes=15, min_samples_leaf=40)
BLOCKS = 10

def customers(n, seed):
    rng = np.random.default_rng(seed)
    rows = {name: rng.gamma(2, 20, n).round(2) for name in NUMERIC}
    return pd.DataFrame(rows | {"trait.age_band": rng.choice(["18-24", "25-34", "35-49", "50+"], n), "trait.acquisition_channel": rng.choice(["search", "shop", "mail"], n)})

def released_bundle(shop, versions=None):
    "A boosted model of eleven features, fitted, written, approved and released; with the versions of its features where customers are looked up."
    from marketing_mlops.contracts.verdict import Verdict, judged
    from marketing_mlops.governance.approvals import grant, request_approval
    from marketing_mlops.governance.release_gates import MEASURED_GATES, GateFindings, check_bundle
    from marketing_mlops.governance.releases import bundle_evidence, release
    from marketing_mlops.models.propensity import PropensityModel
    from marketing_mlops.registry.bundles import write_bundle
    from marketing_mlops.registry.graphs import propensity_graph
    from marketing_mlops.registry.input_schemas import input_schema
    rows = customers(20_000, 7)
    gone = (np.random.default_rng(8).random(len(rows)) < 1/(1 + np.exp(-(rows.recency_days - rows.orders_90d)/20))).astype(int)
    graph = propensity_graph(PropensityModel(ALGORITHM, NUMERIC, CATEGORICAL).fit(rows, gone), FEATURES)
    bundle = write_bundle(shop.path("data", "bundle", MODEL), scorer={"no_order": graph}, kind="graph", features=FEATURES, schema=input_schema(rows, FEATURES) | ({"versions": versions} if versions else {}),
        parameters={"model": MODEL, "task": "propensity"}, evaluation={"verdict": Verdict(MODEL, "pass", []).to_dict()}, lock_hash="a1", data_hashes={}, code_hash="c3", envelope={})
    asked = bundle_evidence(bundle.folder)
    request_approval(shop, asked.matter, "analyst@example.com", structure=asked.structure)
    check_bundle(shop, MODEL, bundle.folder, "analyst@example.com", findings=GateFindings({name: judged(name) for name in MEASURED_GATES}))
    for role in SIDES: grant(shop, asked.matter, role)
    release(shop, MODEL, bundle.folder, "analyst@example.com")
    return bundle

def mlflow_model(shop, bundle):
    "Where mlflow keeps the same bundle as a model of its own."
    from marketing_mlops.registry.tracking import record_trial, register_version, tracking_client
    version = register_version(shop, MODEL, bundle, record_trial(shop, MODEL, bundle, {}, {}))
    return tracking_client(shop).get_model_version(MODEL, version).source

def free_port():
    with socket.create_server(("127.0.0.1", 0)) as found: return found.getsockname()[1]

def start(words, **environment):
    return subprocess.Popen([str(word) for word in words], env=os.environ | environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)

def end(process):
    "Ends a service and what it started: its own group, by its id."
    if process.poll() is None: os.killpg(process.pid, signal.SIGTERM)
    process.wait(60)

class Service:
    "A service as its caller sees it."
    def __init__(self, port, path, wrap, unwrap, headers):
        self.port,self.path,self.wrap,self.unwrap,self.headers = port,path,wrap,unwrap,{"Content-Type": "application/json"} | headers
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    def ask(self, body):
        self.connection.request("POST", self.path, body, self.headers)
        answer = self.connection.getresponse()
        found = answer.read()
        if answer.status != 200: sys.exit(f"{self.path}: {answer.status} {found[:300]!r}")
        return found
    def touch(self, body):
        "One question that is not counted; opens the connection again where the service has closed it meanwhile."
        try: self.ask(body)
        except (ConnectionError, http.client.HTTPException): self.connection.close(); self.ask(body)
    def scores(self, rows): return self.unwrap(json.loads(self.ask(self.wrap(rows))))
    def wait(self, rows, seconds=120):
        for _ in range(seconds*5):
            try: return self.scores(rows)
            except (ConnectionError, http.client.HTTPException): self.connection.close(); time.sleep(.2)
        sys.exit(f"{self.path}: no answer within {seconds} seconds")

def milliseconds(service, bodies):
    found = []
    service.touch(bodies[0])
    for body in bodies:
        started = time.perf_counter()
        service.ask(body)
        found.append((time.perf_counter() - started)*1000)
    return found

def compared(services, rows, size, requests):
    "Percentiles of each service for questions of `size` rows, asked in turns."
    times = {name: [] for name in services}
    for block in range(BLOCKS):
        starts = [(block*requests//BLOCKS + i)*size % (len(rows) - size) for i in range(requests//BLOCKS)]
        for name, service in services.items(): times[name] += milliseconds(service, [service.wrap(rows[at:at+size]) for at in starts])
    cut = {name: quantiles(found, n=100) for name, found in times.items()}
    figures = {name: dict(p50_ms=round(each[49], 3), p99_ms=round(each[98], 3), n=len(times[name])) for name, each in cut.items()}
    ours, theirs = figures.values()
    return dict(rows=size, **figures, p50_ratio=round(theirs["p50_ms"]/ours["p50_ms"], 1), p99_ratio=round(theirs["p99_ms"]/ours["p99_ms"], 1))

def main(requests):
    from marketing_mlops.workspace.places import find_workspace
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root/"settings.ini").write_text(f"[DEFAULT]\ntechnical_approvers = {SIDES[0]}\nbusiness_approvers = {SIDES[1]}\n")
        (root/"params.yaml").write_text(f"sources: {{shop: {{kind: simulated}}}}\nmodels:\n  {MODEL}: {{owner: model-owner@example.com, purpose: Win back, audience: Customers, source: shop, task: propensity}}\n")
        shop = find_workspace(root)
        bundle = released_bundle(shop)
        source = mlflow_model(shop, bundle)
        ours, theirs = free_port(), free_port()
        started = [start([BIN/"mmops", "serve", "--port", ours, "--workspace", root], MMOPS_SERVE_KEY=KEY),
                   start([BIN/"mlflow", "models", "serve", "-m", source, "--env-manager", "local", "--port", theirs, "--workers", 1], MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true", PATH=f"{BIN}{os.pathsep}{os.environ['PATH']}")]
        try: return measured(ours, theirs, requests)
        finally:
            for process in started: end(process)

def measured(ours, theirs, requests):
    services = {"mmops serve": Service(ours, "/predict", lambda rows: json.dumps({"model": MODEL, "rows": rows}).encode(), lambda found: [each["p_no_order"] for each in found["scores"]], {"Authorization": f"Bearer {KEY}"}),
                "mlflow models serve": Service(theirs, "/invocations", lambda rows: json.dumps({"dataframe_records": rows}).encode(), lambda found: [each["p_no_order"] for each in found["predictions"]], {})}
    rows = customers(4_000, 9).to_dict("records")
    answers = [service.wait(rows[:100]) for service in services.values()]
    if not np.allclose(*answers, rtol=0, atol=1e-9): sys.exit("the two services disagree about the same customers")
    for service in services.values(): milliseconds(service, [service.wrap(rows[i:i+1]) for i in range(100)])     # warm
    before = os.getloadavg()[0]
    found = [compared(services, rows, 1, requests), compared(services, rows, 100, requests//10)]
    return dict(questions=found, load_before=round(before, 1), load_after=round(os.getloadavg()[0], 1))

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=3000, help="questions about one customer to each service; a tenth of it about a hundred")
    requests = parser.parse_args().requests
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)            # users compile
    found = main(requests)
    for each in found["questions"]: print(each)
    from importlib.metadata import version
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    RESULT.write_text(json.dumps(dict(command=f"python benchmarks/serving_latency.py --requests {requests}", commit=commit, cores=os.cpu_count(), seed=7, model="hist_gradient_boosting, 100 trees, 11 features", workers=1, **found,
        versions={name: version(name) for name in ("fastapi", "uvicorn", "onnxruntime", "mlflow")}), indent=1, sort_keys=True) + "\n")
