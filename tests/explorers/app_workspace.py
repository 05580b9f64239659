"""A workspace as its pipeline leaves it, small, with hostile names: for the tests of the app; and the app, started as a person would."""
import os, re, signal, subprocess, sys, time
from contextlib import contextmanager
from pathlib import Path
import numpy as np
import pandas as pd
from marketing_mlops.contracts.verdict import Verdict
from marketing_mlops.features.training_files import write_training_set
from marketing_mlops.features.training_sets import TrainingSet
from marketing_mlops.registry.bundles import write_bundle
from marketing_mlops.registry.graph_drafts import GraphDraft, finished_graph
from marketing_mlops.registry.input_schemas import input_schema
from marketing_mlops.workspace.places import Workspace, find_workspace, write_json

BIN = Path(sys.executable).parent
HOSTILE = "<img src=x onerror=alert(1)>"
PARAMS = f"""sources: {{shop: {{kind: file}}}}
models:
  churn: {{owner: model-owner@example.com, purpose: "Win back {HOSTILE}", audience: Customers, source: shop, task: propensity}}
  spring: {{owner: model-owner@example.com, purpose: Who gets the mail, audience: Customers, source: shop, task: uplift}}
"""

def orders(rows: int = 20_000) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    return pd.DataFrame(dict(order_id=[f"o{i}" for i in range(rows)], customer_id=[f"c{i}" for i in rng.integers(0, 3_000, rows)],
        occurred_at=pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(rng.integers(0, 180, rows), "D"), market=rng.choice(["DE", "UK", None], rows, p=[.6, .3, .1]),
        channel=rng.choice(["web", "app", HOSTILE], rows, p=[.5, .4, .1]), basket=rng.gamma(2, 30, rows).round(2)))

def held_out(n: int = 4_000) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    interest, arm = rng.random(n), rng.choice(["no_mail", "promo_mail"], n)
    spend = rng.binomial(1, .2, n)*rng.gamma(2, 8 + 6*(arm == "promo_mail")*(interest > .4), n)
    return pd.DataFrame({"arm": arm, "spend": spend.round(2), "split": "held_out", "gain_promo_mail": interest - .4, "chosen": np.where(interest > .4, "promo_mail", "no_mail")})

def _put_features(place: Workspace):
    rng, n = np.random.default_rng(7), 1_500
    frame = pd.DataFrame(dict(customer_id=[f"c{i}" for i in range(n)], cutoff=pd.Timestamp("2026-01-31", tz="UTC"), recency_days=rng.exponential(60, n).round(), orders_90d=rng.poisson(1.5, n).astype(float)))
    frame["label"] = (rng.random(n) < np.clip(frame.recency_days/150, .05, .9)).astype(int)
    frame["split"] = np.where(rng.random(n) < .3, "held_out", "train")
    frame["matured_at"], frame["is_holdout"] = frame.cutoff + pd.Timedelta(90, "D"), False
    folder = place.output("features", "churn")
    folder.mkdir(parents=True)
    write_training_set(TrainingSet("churn", frame, ["recency_days", "orders_90d"], "label", None, {}), folder)

def _put_uplift(place: Workspace):
    parameters = dict(model="spring", task="uplift", experiment=dict(arms=dict(no_mail=.5, promo_mail=.5), control="no_mail", currency="EUR"), economics=dict(margin=.45, contact_cost=.1), facts=dict(best_single_arm="promo_mail", n_training=4_000))
    draft = GraphDraft()
    graph = finished_graph(draft, draft.add("Sigmoid", draft.input("recency_days", is_text=False)), ["recency_days"])
    schema = input_schema(pd.DataFrame({"recency_days": [5., 60.]}), ["recency_days"])
    write_bundle(place.output("bundle", "spring"), scorer=dict(no_mail=graph, promo_mail=graph), kind="graph", features=["recency_days"], schema=schema, parameters=parameters, evaluation={}, lock_hash="a1"*32, data_hashes={}, code_hash="c3"*32, envelope={})
    folder = place.output("train", "spring")
    write_json(folder/"training.json", dict(model="spring", features=["recency_days"], scorers={}, facts=parameters["facts"], schema=schema, agreement=Verdict("agreement", "pass").to_dict()))
    held_out().to_parquet(folder/"held_out.parquet")

def empty_workspace(root: Path) -> Workspace:
    root.mkdir(parents=True, exist_ok=True)
    (root/"settings.ini").write_text("[DEFAULT]\nreporting_currency = EUR\ndefault_models = churn, spring\n")
    (root/"params.yaml").write_text(PARAMS)
    return find_workspace(root)

def filled_workspace(root: Path) -> Workspace:
    "With an accepted table, a training set and a bundled uplift model."
    place = empty_workspace(root)
    file = place.accepted("shop")/"orders.parquet"
    file.parent.mkdir(parents=True)
    orders().to_parquet(file)
    _put_features(place)
    _put_uplift(place)
    return place

@contextmanager
def running_app(root: Path, environment: dict):
    "`mmops app`, its address and its process; ended politely where the test did not end it."
    process = subprocess.Popen([BIN/"mmops", "app", "--no-open", "--workspace", str(root)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True)
    try:
        said = [process.stdout.readline() for _ in range(3)]
        found = re.search(r"http://\S+", "".join(said))
        if not found: raise RuntimeError(f"the app did not start: {said} {process.communicate(timeout=600)}")
        yield found[0], process
    finally:
        if process.poll() is None: process.terminate()
        process.communicate(timeout=600)

def come(page, address):
    "The page, once the server listens; the kernel may have to be prepared first."
    for _ in range(300):
        try: page.goto(address); break
        except Exception: time.sleep(.2)      # noqa: BLE001 - nobody listens yet
    page.wait_for_selector(".mmd-card", timeout=120_000)

def guarded(watched, address):
    "Whatever leaves the machine is refused and remembered."
    watched.page.route(lambda url: not url.startswith((address, "data:", "blob:")), lambda route: route.abort())

def sideways(page) -> list[str]:
    "What of an open explorer is cut off or has to be scrolled to sideways; text to copy scrolls in its own box."
    return page.evaluate("""() => [...(Math.max(document.documentElement.scrollWidth, document.body.scrollWidth) > innerWidth ? ['the page'] : []),
        ...[...document.querySelectorAll('.mmd-content *, .mmd-bar *')].filter(n => n.clientWidth > 1 && !n.closest('pre') && !n.classList.contains('mmx-tip') && n.getBoundingClientRect().right > innerWidth + 1)
            .map(n => `${n.tagName} ${n.className.baseVal ?? n.className} ends at ${Math.round(n.getBoundingClientRect().right)}`)]""")

def children(process) -> list[tuple[int, str]]:
    "Number and command of the processes below this one, as the system tells."
    listed = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [(int(pid), int(parent), words) for pid, parent, words in re.findall(r"^\s*(\d+)\s+(\d+)\s+(.*)$", listed, re.M)]
    below = {process.pid}
    while more := {pid for pid, parent, _ in rows if parent in below} - below: below |= more
    return [(pid, words) for pid, _, words in rows if pid in below - {process.pid}]

@contextmanager
def kernels_busy(process):
    "The kernels of the app stand still, as if each had minutes of work before it; they go on afterwards."
    kernels = [pid for pid, words in children(process) if "ipykernel" in words]
    if not kernels: raise RuntimeError("the app has no kernel")
    for pid in kernels: os.kill(pid, signal.SIGSTOP)
    try: yield
    finally:
        for pid in kernels: os.kill(pid, signal.SIGCONT)
