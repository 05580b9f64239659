"""Whoever can write to the ledger past the commands gains no side, no rules and no signature by it."""
import pytest
from governed_workspace import approved, at, put_live, small_bundle
from marketing_mlops.governance.approvals import grant, request_approval
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.governance.live_pointers import ReleaseError, live
from marketing_mlops.governance.policies import policy_in_force, policy_of, record_policy
from marketing_mlops.governance.release_gates import check_bundle
from marketing_mlops.governance.release_states import GRANTED, REQUESTED
from marketing_mlops.governance.releases import bundle_evidence
from marketing_mlops.governance.signatures import SignatureError
from marketing_mlops.workspace.places import find_workspace

OWNER, ANALYST = "model-owner@example.com", "analyst@example.com"
SIDES = "[DEFAULT]\nbusiness_approvers = finance@example.com\ntechnical_approvers = model-owner@example.com\n[development]\n[production]\n"

@pytest.fixture
def sided(shop):
    "A workspace whose two approvers stand for one side each."
    (shop.root/"settings.ini").write_text(SIDES)
    return find_workspace(shop.root)

def asked_and_half_granted(shop):
    folder = small_bundle(shop, "first")
    asked = bundle_evidence(folder)
    about = shop, "churn", asked.bundle_hash, asked.evaluation_hash
    request_approval(*about, ANALYST, structure=asked.structure, clock=at("03-01"))
    check_bundle(shop, "churn", folder, ANALYST, clock=at("03-01"))
    return folder, grant(*about, OWNER, clock=at("03-01"))

def test_one_yes_that_says_of_itself_that_nothing_is_missing_releases_nothing(sided):
    folder, half = asked_and_half_granted(sided)
    Ledger(sided, at("03-02")).append(GRANTED, "churn", OWNER, half.grants[-1].payload | {"missing": []})
    with pytest.raises(ReleaseError): put_live(sided, folder, "03-02")
    assert live(sided, "churn") is None

def test_rules_made_by_hand_never_come_into_force(sided):
    put_live(sided, approved(sided, small_bundle(sided, "first")))
    ledger, before = Ledger(sided, at("03-03")), policy_in_force(Ledger(sided).entries(subject="churn"))
    (sided.root/"settings.ini").write_text(SIDES.replace("finance@", "analyst@").replace("model-owner@", "analyst@"))
    taken = record_policy(ledger, policy_of(find_workspace(sided.root), "churn"), ANALYST)
    about = dict(bundle_hash="ab"*32, evaluation_hash="cd"*32, policy_hash=taken)
    request = ledger.append(REQUESTED, "churn", ANALYST, about | dict(author=ANALYST, reason="", structure={}, changes=["policy"], missing=["business", "technical"]))
    for actor in (ANALYST, OWNER):
        ledger.append(GRANTED, "churn", actor, about | dict(request=request.hash, missing=[], signature="", identity="unverified", reason="", expires_at="2099-01-01T09:00:00+00:00"))
    assert taken != before.hash and policy_in_force(Ledger(sided).entries(subject="churn")) == before

def test_production_reads_the_signatures_of_the_rules_too(sided):
    folder = approved(sided, small_bundle(sided, "first"))
    with pytest.raises(SignatureError, match="Production takes no unsigned yes"): put_live(find_workspace(sided.root, environment="production"), folder)
