"""A small workspace with approvers and one model, bundles of one file, and processes that die where a test says."""
import os, signal, subprocess, sys, textwrap
import pandas as pd
from marketing_mlops.contracts.verdict import Reason, Verdict, judged
from marketing_mlops.governance.approvals import grant, request_approval
from marketing_mlops.governance.release_gates import MEASURED_GATES, GateFindings, check_bundle
from marketing_mlops.governance.releases import bundle_evidence, release
from marketing_mlops.registry.bundles import write_bundle
from marketing_mlops.registry.graph_drafts import GraphDraft, finished_graph
from marketing_mlops.registry.input_schemas import input_schema
from marketing_mlops.workspace.clock import ReplayClock, instant_of
from marketing_mlops.workspace.places import find_workspace

SETTINGS = "[DEFAULT]\napprovers = model-owner@example.com, Data-Protection@example.com, finance@example.com\n"
PARAMS = """
sources: {shop: {kind: simulated}}
models:
  churn: {owner: model-owner@example.com, purpose: Win back, audience: Customers, source: shop, task: propensity}
  promo: {owner: model-owner@example.com, purpose: Spring, audience: Customers, source: shop, task: propensity, release: {approval_days: 7}}
"""

MEASURED = GateFindings({name: judged(name) for name in MEASURED_GATES})   # everything was measured, and nothing stands against it

def make_workspace(root, writer="laptop"):
    (root/"data"/"state").mkdir(parents=True)
    (root/"settings.ini").write_text(SETTINGS)
    (root/"params.yaml").write_text(PARAMS)
    (root/"data"/"state"/"ledger_writer").write_text(writer + "\n")
    return find_workspace(root)

def at(day): return ReplayClock(instant_of(f"2026-{day}T09:00:00Z"))

def small_bundle(workspace, name, status="pass", even_after=60., model="churn", verdict=True, **parameters):
    "A bundle of one rule: even chances of leaving so many days after the last order."
    draft = GraphDraft()
    days = draft.add("Sub", draft.input("recency_days", is_text=False), draft.constant([even_after]))
    graph = finished_graph(draft, draft.add("Sigmoid", draft.add("Div", days, draft.constant([20.]))), ["recency_days"])
    reasons = [] if status == "pass" else [Reason("auc", "AUC is 0.58; at least 0.60 is asked for.", .58, .6, severity=status)]
    evaluation = {"auc": .7} | ({"verdict": Verdict(model, status, reasons).to_dict()} if verdict else {})
    return write_bundle(workspace.path("data", "bundle", name), scorer={"no_order": graph}, kind="graph", features=["recency_days"],
        schema=input_schema(pd.DataFrame({"recency_days": [5., 60., None]}), ["recency_days"]), parameters={"model": model, "task": "propensity"} | parameters,
        evaluation=evaluation, lock_hash="a1"*32, data_hashes={}, code_hash="c3"*32, envelope={}).folder

def approved(workspace, folder, day="03-01", model="churn"):
    "The folder of a bundle, approved on a day."
    asked = bundle_evidence(folder)
    state = request_approval(workspace, asked.matter, "analyst@example.com", structure=asked.structure, clock=at(day))
    check_bundle(workspace, model, folder, "analyst@example.com", findings=MEASURED, clock=at(day))
    for role in () if state.is_valid else ("model-owner@example.com", "finance@example.com")[:len(state.missing)]: grant(workspace, asked.matter, role, clock=at(day))
    return folder

def put_live(workspace, folder, day="03-02", model="churn"): return release(workspace, model, folder, "analyst@example.com", clock=at(day))

def contents(workspace):
    "Everything a refused action must leave as it was: logs, pointers, bundles, audiences."
    kept = [workspace.path("data", each) for each in ("ledger", "live", "bundles", "audiences")]
    return {str(path.relative_to(workspace.root)): path.read_bytes() for folder in kept for path in sorted(folder.rglob("*")) if path.is_file()}

def start(workspace, code, **words):
    "A Python process in the workspace, with the names of this file at hand."
    lines = ["import os, signal, sys", f"sys.path.insert(0, {os.path.dirname(__file__)!r})", "from governed_workspace import *",
             f"shop = find_workspace({str(workspace.root)!r})", textwrap.dedent(code)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MMOPS_")}
    return subprocess.Popen([sys.executable, "-c", "\n".join(lines)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **words)

def killed(workspace, code):
    "Run a process that kills itself with signal 9."
    process = start(workspace, code)
    _, errors = process.communicate()
    assert process.returncode == -signal.SIGKILL, errors

def finished(process):
    output, errors = process.communicate()
    assert process.returncode == 0, errors
    return output
