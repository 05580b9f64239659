"""A small workspace with approvers and one model, bundles of one file, and processes that die where a test says."""
import json, os, signal, subprocess, sys, textwrap
from types import SimpleNamespace
from marketing_mlops.contracts.verdict import Reason, Verdict
from marketing_mlops.workspace.clock import ReplayClock, instant_of
from marketing_mlops.workspace.places import file_sha256, find_workspace, write_json

SETTINGS = "[DEFAULT]\napprovers = model-owner@example.com, Data-Protection@example.com\n"
PARAMS = """
sources: {shop: {kind: simulated}}
models:
  churn: {owner: model-owner@example.com, purpose: Win back, audience: Customers, source: shop, task: propensity}
  promo: {owner: model-owner@example.com, purpose: Spring, audience: Customers, source: shop, task: propensity, release: {approval_days: 7}}
"""

def make_workspace(root, writer="laptop"):
    (root/"data"/"state").mkdir(parents=True)
    (root/"settings.ini").write_text(SETTINGS)
    (root/"params.yaml").write_text(PARAMS)
    (root/"data"/"state"/"ledger_writer").write_text(writer + "\n")
    return find_workspace(root)

def at(day): return ReplayClock(instant_of(f"2026-{day}T09:00:00Z"))

def read_small_bundle(folder):
    "A bundle of one file, whose core hash is the digest of that file."
    core = folder/"core.json"
    return SimpleNamespace(core_hash=file_sha256(core), evaluation=json.loads(core.read_text())["evaluation"])

def small_bundle(workspace, name, status="pass"):
    reasons = [] if status == "pass" else [Reason("auc", "AUC is 0.58; at least 0.60 is asked for.", .58, .6, severity=status)]
    evaluation = {"auc": .7, "verdict": Verdict("churn", status, reasons).to_dict()}
    return write_json(workspace.path("data", "bundle", name, "core.json"), {"trees": name, "evaluation": evaluation}).parent

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
