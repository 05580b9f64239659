"""Whoever can write to the ledger past the commands gains no side, no rules, no signature and no release by it: each such entry is named."""
import shutil, subprocess
import pytest
from governed_workspace import MEASURED, approved, at, put_live, small_bundle
from marketing_mlops.cli.live import show_live
from marketing_mlops.governance.approval_states import matter_of
from marketing_mlops.governance.approvals import grant, refuse, request_approval, withdraw
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.governance.live_pointers import ReleaseError, live
from marketing_mlops.governance.policies import policy_in_force, policy_of, record_policy
from marketing_mlops.governance.release_gates import check_bundle
from marketing_mlops.governance.release_proofs import release_proof
from marketing_mlops.governance.release_states import CANARY_STEP, CHECKED, GRANTED, RELEASED, REQUESTED, SHADOWED
from marketing_mlops.governance.releases import bundle_evidence
from marketing_mlops.governance.signatures import SignatureError, add_signer
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
    request_approval(shop, asked.matter, ANALYST, structure=asked.structure, clock=at("03-01"))
    check_bundle(shop, "churn", folder, ANALYST, findings=MEASURED, clock=at("03-01"))
    return folder, grant(shop, asked.matter, OWNER, clock=at("03-01"))

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

# ---- steps made by hand

FINANCE = "finance@example.com"

def made(shop, folder, day="03-04", kind=RELEASED, **facts):
    "The entry of a step as the program would write it, without any of its questions."
    asked = bundle_evidence(folder)
    said = dict(bundle_hash=asked.bundle_hash, evaluation_hash=asked.evaluation_hash, verdict="pass", structure=asked.structure, approver=f"{OWNER}, {FINANCE}", identity="verified", reason="")
    return Ledger(shop, at(day)).append(kind, "churn", ANALYST, said | facts)

def proof(shop, entry): return release_proof(Ledger(shop).entries(), entry)
def both_sides(shop, folder, day="03-01"): return approved(shop, small_bundle(shop, folder) if isinstance(folder, str) else folder, day)

@pytest.mark.parametrize("kind, facts", [(RELEASED, {}), (CANARY_STEP, dict(share=.5)), (SHADOWED, {})])
def test_a_step_that_nobody_approved_is_shown_as_one(sided, kind, facts, capsys):
    put_live(sided, both_sides(sided, "first"))
    step = made(sided, small_bundle(sided, "second", even_after=90.), kind=kind, **facts)
    assert proof(sided, step).objection == "nobody asked for these bytes and this evaluation to be approved"
    show_live("churn", workspace=str(sided.root))
    said = capsys.readouterr().out
    assert f"no valid approval stands behind the entry '{kind.replace('_', ' ')}' of bundle {step.payload['bundle_hash'][:12]}" in said
    assert "nobody (not proven)" in said

def test_a_step_that_was_taken_by_the_rules_is_proven_and_said_to_be_unsigned(sided, capsys):
    put_live(sided, both_sides(sided, "first"))
    assert (proof(sided, Ledger(sided).entries(RELEASED)[-1]).identity, "Warning: churn: no valid approval" in (show_live("churn", workspace=str(sided.root)) or capsys.readouterr().out)) == ("unverified", False)

def test_what_happens_to_an_approval_after_the_release_does_not_reach_back(sided):
    folder = both_sides(sided, "first")
    put_live(sided, folder, "03-30")
    step, asked = Ledger(sided).entries(RELEASED)[-1], bundle_evidence(folder)
    withdraw(sided, asked.matter, OWNER, reason="Doubts", clock=at("03-30"))
    refuse(sided, asked.matter, FINANCE, reason="Complaints", clock=at("05-01"))
    assert proof(sided, step).words == f"{OWNER}, {FINANCE} (identity: unverified)"

def test_a_step_after_a_refusal_or_an_end_is_not_proven(sided):
    folder = both_sides(sided, "first")
    assert "ended on 2026-03-31" in proof(sided, made(sided, folder, "04-10")).objection
    asked = bundle_evidence(folder)
    refuse(sided, asked.matter, FINANCE, reason="Consents", clock=at("04-11"))
    assert proof(sided, made(sided, folder, "04-12")).objection == f"{FINANCE} refused it: Consents"

def test_a_step_on_half_an_approval_or_on_an_invented_half_is_not_proven(sided):
    folder, half = asked_and_half_granted(sided)
    assert proof(sided, made(sided, folder, approver=OWNER)).objection == "the yes of the business side is missing"
    Ledger(sided, at("03-05")).append(GRANTED, "churn", OWNER, half.grants[-1].payload | {"missing": []})
    assert proof(sided, made(sided, folder, "03-06", approver=OWNER)).objection == "the yes of the business side is missing, whatever the entries say"
    Ledger(sided, at("03-07")).append(GRANTED, "churn", ANALYST, half.grants[-1].payload | {"missing": []})
    assert f"{ANALYST} asked for this approval" in proof(sided, made(sided, folder, "03-08", approver=ANALYST)).objection

@pytest.mark.parametrize("facts, why", [(dict(approver="board@example.com"), "it names board@example.com as approver"), (dict(structure={"feature set": "ee"*32}), "it has another structure than its approvers were told"),
    (dict(evaluation_hash="c0de"*16), "nobody asked for these bytes"), (dict(environment="production"), "Production takes no unsigned yes")])
def test_a_step_that_says_more_than_was_approved_is_not_proven(sided, facts, why):
    assert why in proof(sided, made(sided, both_sides(sided, "first"), **facts)).objection

def test_a_step_past_a_shut_gate_is_not_proven(sided):
    folder = both_sides(sided, "first")
    check = Ledger(sided).entries(CHECKED)[-1]
    Ledger(sided, at("03-02")).append(CHECKED, "churn", ANALYST, check.payload | dict(status="fail"))
    assert "a gate was shut on 2026-03-02" in proof(sided, made(sided, folder)).objection

def test_a_check_made_by_hand_opens_no_gate(sided):
    folder = both_sides(sided, "first")
    check = Ledger(sided).entries(CHECKED)[-1]
    for day, status in (("03-02", "fail"), ("03-03", "pass")): Ledger(sided, at(day)).append(CHECKED, "churn", ANALYST, check.payload | dict(status=status))
    with pytest.raises(ReleaseError, match="a gate was shut on 2026-03-02, and .* has read no check since that opens it"): put_live(sided, folder, "03-04")

def test_a_yes_whose_check_was_exchanged_is_forged(sided):
    if not shutil.which("ssh-keygen"): pytest.skip("ssh-keygen is not installed")
    for role in (OWNER, FINANCE):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(sided.root/role)], check=True)
        add_signer(sided, role, (sided.root/f"{role}.pub").read_text())
    folder, half = asked_and_half_granted(sided)
    matter = matter_of(half.request)
    Ledger(sided, at("03-02")).append(CHECKED, "churn", ANALYST, Ledger(sided).entries(CHECKED)[-1].payload | dict(champion="ab"*32))
    for role in (OWNER, FINANCE): whole = grant(sided, matter, role, key=str(sided.root/role), clock=at("03-02"))
    assert proof(sided, put_live(sided, folder, "03-03") and Ledger(sided).entries(RELEASED)[-1]).identity == "verified"   # the first yes was not signed; who signs afterwards has signed
    last = whole.grants[-1]
    Ledger(sided, at("03-04")).append(GRANTED, "churn", FINANCE, last.payload | {"checked": Ledger(sided).entries(CHECKED)[0].hash})
    assert f"The signature is not of {FINANCE}" in proof(sided, made(sided, folder, "03-05")).objection

def test_a_signature_given_afterwards_counts(sided):
    if not shutil.which("ssh-keygen"): pytest.skip("ssh-keygen is not installed")
    for role in (OWNER, FINANCE):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(sided.root/role)], check=True)
        add_signer(sided, role, (sided.root/f"{role}.pub").read_text())
    folder, half = asked_and_half_granted(sided)
    matter = matter_of(half.request)
    grant(sided, matter, FINANCE, clock=at("03-01"))
    production = find_workspace(sided.root, environment="production")
    with pytest.raises(SignatureError, match="Production takes no unsigned yes"): put_live(production, folder, "03-02")
    for role in (OWNER, FINANCE, FINANCE): signed = grant(production, matter, role, key=str(sided.root/role), clock=at("03-02"))
    assert [each.payload["identity"] for each in signed.grants] == ["unverified", "unverified", "verified", "verified"]   # a repeated signature adds nothing
    put_live(production, folder, "03-02")
    assert proof(sided, Ledger(sided).entries(RELEASED)[-1]).identity == "verified"

def test_an_invented_champion_makes_no_refresh_of_a_first_release(sided):
    folder = small_bundle(sided, "first")
    made(sided, folder, "02-01")
    other = small_bundle(sided, "second", even_after=90.)
    asked = bundle_evidence(other)
    request_approval(sided, asked.matter, ANALYST, structure=asked.structure, clock=at("03-01"))
    approved(sided, other, "03-01")
    assert live(sided, "churn").champion == bundle_evidence(folder).bundle_hash
    with pytest.raises(ReleaseError, match="the yes of the business side is missing, whatever the entries say"): put_live(sided, other, "03-02")

def test_an_entry_with_half_of_its_facts_is_named_and_stops_nobody_from_asking_what_is_live(sided, capsys):
    bare = Ledger(sided, at("03-01")).append(RELEASED, "churn", ANALYST, dict(bundle_hash="ab"*32))
    assert "lacks the fact 'evaluation_hash'" in proof(sided, bare).objection
    show_live("churn", workspace=str(sided.root))
    assert "abababababab" in (said := capsys.readouterr().out) and "nobody (not proven)" in said
