"""A shop whose candidate waits for an approval, with keys of its approvers, for the tests of the desk."""
import subprocess
import pandas as pd
from marketing_mlops.contracts.verdict import Reason, Verdict, judged
from marketing_mlops.governance.approvals import RequestNote, request_approval
from marketing_mlops.governance.release_gates import MEASURED_GATES, GateFindings, check_bundle
from marketing_mlops.governance.releases import bundle_evidence
from marketing_mlops.governance.signatures import add_signer
from marketing_mlops.registry.bundles import write_bundle
from marketing_mlops.registry.graph_drafts import GraphDraft, finished_graph
from marketing_mlops.registry.input_schemas import input_schema
from marketing_mlops.workspace.clock import WallClock
from marketing_mlops.workspace.places import find_workspace, write_text

HOSTILE = "<img src=x onerror=alert(1)> for Monday"
MARKETING, OWNER, ANALYST = (f"{name}@example.com" for name in ("marketing", "model-owner", "analyst"))

def make_shop(root, models=("churn",), signed=(MARKETING,)):
    "A workspace with an approver on each side, and the key files of those who sign."
    write_text(root/"settings.ini", f"[DEFAULT]\nbusiness_approvers = {MARKETING}\ntechnical_approvers = {OWNER}\n")
    entries = "\n".join(f"  {name}: {{owner: {OWNER}, purpose: '{HOSTILE}', audience: Customers, source: shop, task: propensity}}" for name in models)
    write_text(root/"params.yaml", f"sources: {{shop: {{kind: simulated}}}}\nmodels:\n{entries}\n")
    write_text(root/"data"/"state"/"ledger_writer", "laptop\n")
    place, keys = find_workspace(root), {}
    for role in signed:
        keys[role] = root/f"{role.split('@')[0]}_key"
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(keys[role])], check=True)
        add_signer(place, role, keys[role].with_suffix(".pub").read_text())
    return place, keys

def build(place, model="churn", even_after=60., sentence=HOSTILE, features=("recency_days",)):
    "The candidate of a model."
    draft = GraphDraft()
    days = draft.add("Sub", [draft.input(name, is_text=False) for name in features][0], draft.constant([even_after]))
    graph = finished_graph(draft, draft.add("Sigmoid", draft.add("Div", days, draft.constant([20.]))), list(features))
    schema = input_schema(pd.DataFrame({name: [5., 60., None] for name in features}), list(features))
    return write_bundle(place.path("data", "bundle", model), scorer={"no_order": graph}, kind="graph", features=list(features), schema=schema, parameters={"model": model, "task": "propensity"},
        evaluation=dict(verdict=Verdict(model, "pass").to_dict(), sentences=[sentence]), lock_hash="a1"*32, data_hashes={}, code_hash="c3"*32, envelope={})

def ask(place, model="churn", measured=True, open_gate=True, clock=WallClock()):
    "The analyst asks for the candidate, and the gates are asked; one of them leaves a point to a person."
    folder = place.output("bundle", model)
    found = bundle_evidence(folder)
    request_approval(place, found.matter, ANALYST, structure=found.structure, note=RequestNote(reason=HOSTILE), clock=clock)
    point = [Reason("few", "Few older customers <b>would</b> be contacted.", next_step="Look at the groups.", severity="review")] if open_gate else []
    findings = {name: judged(name, point if name == "fairness" else []) for name in MEASURED_GATES} if measured else {}
    check_bundle(place, model, folder, ANALYST, findings=GateFindings(findings), clock=clock)
    return found.matter
