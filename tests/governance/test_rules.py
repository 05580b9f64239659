"""Every rule of a release has a test that watches it, and every such test notices when its rule is switched off: tests/rules.csv."""
import csv, importlib, shutil, subprocess
from dataclasses import replace
from pathlib import Path
import pandas as pd
import pytest
from governed_workspace import approved, at, make_workspace, put_live, small_bundle
from marketing_mlops.explorers.approval_answers import Answer, answer_matter, head_of
from marketing_mlops.governance.approval_states import approval_state
from marketing_mlops.governance.approvals import ApprovalError, champion_structure, grant, refuse, request_approval, withdraw
from marketing_mlops.governance.decided_experiments import ReadoutEvidence, record_decision
from marketing_mlops.governance.duties import review_duties
from marketing_mlops.governance.governance_reviews import ReviewNotes, record_review
from marketing_mlops.governance.grant_proofs import check_grant
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.governance.ledger_checks import read_entries
from marketing_mlops.governance.ledger_databases import store_file
from marketing_mlops.governance.ledger_entries import LedgerError, entry_hash, entry_line
from marketing_mlops.governance.live_pointers import ReleaseError, bundle_place, live
from marketing_mlops.governance.policies import policy_in_force, policy_of, recorded_policies
from marketing_mlops.governance.release_gates import check_bundle
from marketing_mlops.governance.release_proofs import release_proof
from marketing_mlops.governance.release_states import CHECKED, MoveError
from marketing_mlops.governance.releases import RollbackChoice, bundle_evidence, keep_bundle, rollback
from marketing_mlops.governance.signatures import SignatureError, add_signer, sign_facts, signers_file
from marketing_mlops.governance.trials import start_canary
from marketing_mlops.governance.rollback_goals import RollbackGoal
from marketing_mlops.registry.bundle_files import BundleError
from marketing_mlops.registry.bundles import read_bundle, write_bundle
from marketing_mlops.registry.input_schemas import input_schema
from marketing_mlops.workspace.errors import MmopsError, ParameterError
from marketing_mlops.workspace.places import find_workspace

ANALYST, OWNER, FINANCE, PROTECTION, STRANGER = (f"{name}@example.com" for name in ("analyst", "model-owner", "finance", "data-protection", "stranger"))
def bundle(shop, days, **words): return small_bundle(shop, f"churn_{days}", even_after=float(days), **words)
def about(shop, folder): return shop, bundle_evidence(folder).matter
def ask(shop, folder, by=ANALYST, day="03-01", **words): request_approval(*about(shop, folder), by, structure=bundle_evidence(folder).structure, clock=at(day), **words); return folder
def yes(shop, folder, role=OWNER, day="03-01"): return grant(*about(shop, folder), role, clock=at(day))
def state(shop, folder, day="03-02"): return approval_state(*about(shop, folder), clock=at(day))
def champion(shop, days=60, day="03-01"): return put_live(shop, approved(shop, bundle(shop, days), day), day).champion
def back(shop, reason="Complaints", **words): return rollback(shop, "churn", STRANGER, reason, choice=RollbackChoice(**words), clock=at("03-10"))
def edited(shop, old, new, name="params.yaml"):
    path = shop.root/name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    return find_workspace(shop.root)
def ruled(shop, release): return edited(shop, "task: propensity}", f"task: propensity, release: {{{release}}}}}")

# ---- who may say yes, and to what

def test_who_asked_or_built_may_not_approve(shop):
    ask(shop, folder := bundle(shop, 60), by=OWNER)
    with pytest.raises(ApprovalError, match="cannot answer"): yes(shop, folder, OWNER)

def test_a_request_leaves_somebody_to_answer(shop):
    folder = bundle(shop, 60)
    alone = edited(shop, "approvers = model-owner@example.com, Data-Protection@example.com, finance@example.com", "technical_approvers = model-owner@example.com\nbusiness_approvers = finance@example.com", "settings.ini")
    with pytest.raises(ApprovalError, match="No approver of the technical side would be left"): ask(alone, folder, by=OWNER)
    assert Ledger(alone).entries() == []

def test_only_an_approver_may_approve(shop):
    ask(shop, folder := bundle(shop, 60))
    with pytest.raises(ApprovalError, match="may not approve"): yes(shop, folder, STRANGER)

def test_a_structural_change_waits_for_both_sides(shop):
    ask(shop, folder := bundle(shop, 60))
    assert not yes(shop, folder).is_valid and yes(shop, folder, FINANCE).is_valid

def test_one_person_is_never_both_sides(shop):
    ask(shop, folder := bundle(shop, 60))
    assert yes(shop, folder).missing

def test_a_yes_counts_for_its_bundle_only(shop):
    approved(shop, bundle(shop, 60))
    assert state(shop, bundle(shop, 90)).status == "none"

def test_a_yes_counts_for_its_evaluation_only(shop):
    matter = bundle_evidence(approved(shop, bundle(shop, 60))).matter
    assert approval_state(shop, replace(matter, evaluation_hash="c0de"*16), clock=at("03-02")).status == "none"

def test_a_yes_counts_under_its_rules_only(shop):
    first = approved(shop, bundle(shop, 60))
    approved(later := ruled(shop, "approval_days: 9"), bundle(shop, 90))
    with pytest.raises(ReleaseError, match="approved by other rules than those in force"): put_live(later, first)

def test_one_yes_to_a_refresh_brings_no_earlier_rules_back(shop):
    champion(shop)
    ask(shop, refresh := bundle(shop, 30), day="03-02")
    approved(later := ruled(shop, "approval_days: 9"), bundle(shop, 90), "03-02")
    yes(later, refresh, day="03-03")
    assert policy_in_force(Ledger(later).entries(subject="churn")).approval_days == 9

def test_an_approval_ends(shop):
    folder = approved(shop, bundle(shop, 60), "03-01")
    with pytest.raises(ReleaseError, match="ended on 2026-03-31"): put_live(shop, folder, "04-01")

def test_a_refusal_needs_a_reason(shop):
    ask(shop, folder := bundle(shop, 60))
    with pytest.raises(ApprovalError, match="A reason is missing"): refuse(*about(shop, folder), OWNER, reason=" ", clock=at("03-02"))

def test_a_refusal_ends_an_approval(shop):
    refuse(*about(shop, folder := approved(shop, bundle(shop, 60))), PROTECTION, reason="Consents", clock=at("03-01"))
    with pytest.raises(ReleaseError, match="refused it"): put_live(shop, folder)

def test_a_yes_taken_back_releases_nothing(shop):
    withdraw(*about(shop, folder := approved(shop, bundle(shop, 60))), OWNER, reason="Read too fast", clock=at("03-01"))
    with pytest.raises(ReleaseError, match="took the yes back"): put_live(shop, folder)

def test_a_yes_of_an_earlier_round_that_ended_cannot_be_taken_back(shop):
    folder = approved(shop, bundle(shop, 60))
    yes(shop, folder, PROTECTION, "05-01"), yes(shop, folder, FINANCE, "05-01")
    with pytest.raises(ApprovalError, match="has no yes to take back"): withdraw(*about(shop, folder), OWNER, reason="Late", clock=at("05-02"))

def test_a_yes_to_what_changed_since_it_was_read_is_none(shop):
    folder = ask(shop, bundle(shop, 60))
    read = head_of(Ledger(shop).entries(subject="churn"))
    ask(shop, bundle(shop, 90), day="03-02")
    with pytest.raises(ApprovalError, match="not what you have read any more"):
        answer_matter(shop, bundle_evidence(folder).matter, Answer("approve", OWNER, head=read), at("03-03"))

# ---- signatures

def signing(shop):
    "A workspace whose rules list the owner's key, and the key."
    if not shutil.which("ssh-keygen"): pytest.skip("ssh-keygen is not installed")
    key = shop.root/"key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    add_signer(shop, OWNER, key.with_suffix(".pub").read_text())
    ask(shop, folder := bundle(shop, 60))
    return folder, key

def test_one_key_is_never_two_roles(shop):
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA"
    add_signer(shop, OWNER, f"{key} owner")
    with pytest.raises(SignatureError, match=f"one key for {OWNER} and {FINANCE}"): add_signer(shop, FINANCE, key)
    options = ("", 'namespaces="mmops-approval,git" ')
    shared = [f"{OWNER} {key}\n{FINANCE.title()} {each}{key} the same\n" for each in options] + [f"{OWNER},{FINANCE} {each}{key}\n" for each in options] + [f'"{OWNER}, {FINANCE}" {key}\n', f"*@example.com {key}\n"]
    for text in shared:
        signers_file(shop).write_text(text)
        with pytest.raises(SignatureError, match="one key for .*, so one person would pass for two"): policy_of(shop, "churn")
    signers_file(shop).write_text(f"# {FINANCE} {key}\n{OWNER} {key}\n{OWNER} {options[1]}{key}\n{FINANCE} {key}B\n")
    assert len(policy_of(shop, "churn").signers) == 4

def test_a_forged_signature_is_no_yes(shop):
    folder, key = signing(shop)
    entry = grant(*about(shop, folder), OWNER, key=str(key), clock=at("03-02")).grants[-1]
    longer = replace(entry, payload=dict(entry.payload, expires_at="2099-01-01T00:00:00+00:00"))
    rules = policy_of(shop, "churn")
    assert check_grant("development", rules, entry) == "verified"
    with pytest.raises(SignatureError, match="is not of model-owner@example.com"): check_grant("development", rules, longer)

def test_production_takes_no_unsigned_yes(shop):
    ask(shop, folder := bundle(shop, 60))
    production = replace(shop, settings=replace(shop.settings, environment="production"))
    with pytest.raises(SignatureError, match="takes no unsigned yes"): yes(production, folder)

# ---- rules that were approved, not those of the file

def test_gates_edited_in_the_file_decide_nothing(shop):
    folder = approved(shop, bundle(shop, 60, gates={"auc": .6}))
    with pytest.raises(ReleaseError, match="judged by other gates .* than those in force"): put_live(edited(shop, "task: propensity}", "task: propensity, gates: {auc: 0.6}}"), folder)

def test_approvers_edited_in_the_file_answer_nothing(shop):
    champion(shop)
    ask(changed := edited(shop, "approvers = ", f"approvers = {STRANGER}, ", "settings.ini"), folder := bundle(shop, 90), day="03-02")
    with pytest.raises(ApprovalError, match="may not approve"): yes(changed, folder, STRANGER, "03-02")

def test_a_stage_that_the_rules_ask_for_is_not_left_out(shop):
    champion(shop := ruled(shop, "stages: [canary]"))
    with pytest.raises(MoveError, match="asks for canary before"): put_live(shop, approved(shop, bundle(shop, 90), "03-02"), "03-03")

def test_what_was_replaced_is_not_released_again_unasked(shop):
    first = bundle(shop, 60)
    champion(shop), champion(shop, 90, "03-02")
    with pytest.raises(MoveError, match="is retired"): put_live(shop, first, "03-03")

# ---- evidence

def test_a_failed_verdict_is_not_released(shop):
    with pytest.raises(ReleaseError, match="has the verdict 'fail'"): put_live(shop, approved(shop, bundle(shop, 60, status="fail")))

def test_a_failed_gate_is_not_released(shop):
    matter = bundle_evidence(folder := approved(shop, bundle(shop, 60))).matter
    Ledger(shop, at("03-02")).append(CHECKED, matter.model, ANALYST, dict(bundle_hash=matter.bundle_hash, evaluation_hash=matter.evaluation_hash, policy_hash="", status="fail", champion=None, measured=[], tests={}, verdicts={}))
    with pytest.raises(ReleaseError): put_live(shop, folder)

def test_a_gate_nobody_asked_keeps_a_bundle_back(shop):
    check_bundle(shop, "churn", ask(shop, folder := bundle(shop, 60)), ANALYST, clock=at("03-01"))
    yes(shop, folder), yes(shop, folder, FINANCE)
    with pytest.raises(ReleaseError, match="nobody has measured fairness and rebuild"): put_live(shop, folder)

def test_a_comparison_with_another_champion_releases_nothing(shop):
    first, second = (approved(shop, bundle(shop, days)) for days in (60, 90))
    put_live(shop, first)
    with pytest.raises(ReleaseError, match="held against no champion, and by now"): put_live(shop, second)

def test_an_altered_bundle_is_not_released(shop):
    folder = approved(shop, bundle(shop, 60))
    (folder/"evaluation.json").write_text((folder/"evaluation.json").read_text() + " ")
    with pytest.raises(BundleError, match="was changed after"): put_live(shop, folder)

# ---- trials and the way back

def test_one_canary_at_a_time(shop):
    champion(shop)
    first, second = (approved(shop, bundle(shop, days), "03-02") for days in (30, 90))
    start_canary(shop, "churn", first, ANALYST, clock=at("03-03"))
    with pytest.raises(ReleaseError, match="has a canary already"): start_canary(shop, "churn", second, ANALYST, clock=at("03-03"))

def test_a_share_is_a_share(shop):
    champion(shop)
    with pytest.raises(ParameterError, match="above 0 and below 1"): start_canary(shop, "churn", approved(shop, bundle(shop, 30), "03-02"), ANALYST, share=1.5, clock=at("03-03"))

def test_a_rollback_returns_to_whole_bytes_only(shop):
    first = champion(shop)
    champion(shop, 90, "03-02")
    (bundle_place(shop, first)/"parameters.json").write_text("{}")
    with pytest.raises(BundleError): back(shop)

def test_a_rollback_needs_a_reason(shop):
    champion(shop), champion(shop, 90, "03-02")
    with pytest.raises(ApprovalError, match="A reason is missing"): back(shop, "")

def test_a_rollback_returns_to_nothing_unknown(shop):
    champion(shop), champion(shop, 90, "03-02")
    with pytest.raises(ReleaseError, match="names 0 of the earlier champions"): back(shop, to="abcdef0")

def left_for_harm(shop):
    "A bundle that was rolled back, about which somebody has asked again, and one that is live."
    champion(shop), champion(shop, 90, "03-02")
    back(shop)
    ask(shop, left := bundle(shop, 90), day="03-11")
    champion(shop, 30, "03-12")
    return left

def test_what_was_left_for_harm_comes_back_with_what_stands_against_it(shop):
    digest = bundle_evidence(left_for_harm(shop)).bundle_hash
    found = rollback(shop, "churn", STRANGER, "Worse", choice=RollbackChoice(to=digest), clock=at("03-13"))
    assert (found.champion, found.despite) == (digest, f"{STRANGER} rolled it back on 2026-03-10 (Complaints), and nobody has approved it since")

def test_what_came_back_against_an_objection_is_released_with_a_new_yes_only(shop):
    left = left_for_harm(shop)
    rollback(shop, "churn", STRANGER, "Worse", choice=RollbackChoice(to=bundle_evidence(left).bundle_hash), clock=at("03-13"))
    champion(shop, 45, "03-14")
    with pytest.raises(ReleaseError, match="is not approved"): put_live(shop, left, "03-15")

def test_without_a_name_what_somebody_objects_to_is_passed_over(shop):
    first, second = champion(shop), champion(shop, 90, "03-02")
    champion(shop, 30, "03-03")
    refuse(*about(shop, bundle(shop, 90)), PROTECTION, reason="Consents", clock=at("03-04"))
    assert back(shop).champion == first and list(Ledger(shop).entries("rolled_back")[-1].payload["passed_over"]) == [second]

def test_a_rollback_returns_to_no_bundle_whose_features_changed(shop):
    schema = input_schema(pd.DataFrame({"recency_days": [5., 60., None]}), ["recency_days"]) | {"versions": {"recency_days": "0123456789ab"}}
    read = read_bundle(bundle(shop, 60))
    changed = write_bundle(shop.path("data", "bundle", "changed"), scorer=read.scorer, kind="graph", features=["recency_days"], schema=schema, parameters=read.parameters,
        evaluation=read.evaluation, lock_hash="a1", data_hashes={}, code_hash="c3", envelope={}).folder
    Ledger(shop, at("03-01")).append("released", "churn", ANALYST, about_release(shop, changed))
    champion(shop, 90, "03-02")
    with pytest.raises(ReleaseError, match="recency_days was trained on in version 0123456789ab and is declared in version"): back(shop)

def about_release(shop, folder):
    "What the entry of a release says, of a bundle that no gate would let pass any more."
    asked = bundle_evidence(folder)
    keep_bundle(shop, folder, asked.bundle_hash)
    return dict(bundle_hash=asked.bundle_hash, evaluation_hash=asked.evaluation_hash, approver=OWNER, reason="", structure=asked.structure)

# ---- experiments

def test_a_decision_other_than_proposed_says_why(shop):
    with pytest.raises(ParameterError, match="nobody says why"): record_decision(shop, ReadoutEvidence("shipping", "hold", "5d01"*16), "ship", OWNER)

def test_who_rolled_back_does_not_review_it_alone(shop):
    champion(shop), champion(shop, 90, "03-02")
    back(shop)
    assert record_review(shop, "churn", STRANGER, ReviewNotes("The list was wrong"), clock=at("03-11")).settled == ()
    assert [duty.actor for duty in review_duties(Ledger(shop).entries(), at("03-12").now())] == [STRANGER]

def test_a_review_without_an_approver_settles_nothing(shop):
    champion(shop), champion(shop, 90, "03-02")
    back(shop)
    notes = ReviewNotes("The list was wrong", others=("friend@example.com",))
    assert record_review(shop, "churn", ANALYST, notes, clock=at("03-11")).settled == ()
    assert len(review_duties(Ledger(shop).entries(), at("03-12").now())) == 1

# ---- the ledger

def noted(shop):
    for text in ("one", "two", "three"): Ledger(shop, at("09-01")).append("note", "churn", ANALYST, {"text": text})
    return shop.path("data", "ledger", "laptop.jsonl")

def test_an_edited_ledger_is_found(shop):
    log = noted(shop)
    store_file(shop).unlink()
    log.write_text(log.read_text().replace('"two"', '"2"'))
    assert Ledger(shop).verify().status == "fail"

def test_a_ledger_of_a_newer_schema_is_refused(shop):
    log, last = noted(shop), Ledger(shop).entries()[-1]
    store_file(shop).unlink()
    newer = replace(last, schema=99)
    log.write_text("".join(f"{line}\n" for line in [*log.read_text().splitlines()[:-1], entry_line(replace(newer, hash=entry_hash(newer)))]))
    with pytest.raises(LedgerError, match="written by a newer version"): Ledger(shop).entries()

def test_a_pointer_whose_entry_is_gone_is_not_believed(shop):
    champion(shop)
    log = shop.path("data", "ledger", "laptop.jsonl")
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:-1]))
    store_file(shop).unlink()
    with pytest.raises(ReleaseError, match="which the ledger does not hold"): live(shop, "churn")

def test_a_request_that_calls_itself_a_refresh_is_held_against_the_champion(shop):
    champion(shop)
    other = bundle(shop, 90, algorithm={"name": "logistic_regression"})
    asked, ledger = bundle_evidence(other), Ledger(shop, at("03-03"))
    ledger.append("approval_requested", "churn", ANALYST, dict(bundle_hash=asked.bundle_hash, evaluation_hash=asked.evaluation_hash, author=ANALYST, reason="", structure=asked.structure, changes=[],
        missing=["either"], policy_hash=policy_in_force(ledger.entries(subject="churn")).hash))
    check_bundle(shop, "churn", other, ANALYST, clock=at("03-03"))
    assert yes(shop, other, day="03-03").is_valid
    with pytest.raises(ReleaseError, match="is missing, whatever the entries say"): put_live(shop, other, "03-03")

# ---- what a yes has read, and what a release rests on

def recheck(shop, day, **facts):
    ledger = Ledger(shop, at(day))
    return ledger.append(CHECKED, "churn", ANALYST, ledger.entries(CHECKED)[-1].payload | facts)

def test_a_check_that_nobody_has_read_opens_no_gate(shop):
    folder = approved(shop, bundle(shop, 60))
    recheck(shop, "03-01", status="fail"), recheck(shop, "03-01", status="pass")
    with pytest.raises(ReleaseError, match="has read no check since that opens it"): put_live(shop, folder)

def test_a_yes_to_a_check_nobody_made_releases_nothing(shop):
    folder = approved(shop, bundle(shop, 60))
    last = state(shop, folder).grants[-1]
    Ledger(shop, at("03-01")).append("approval_granted", "churn", last.actor, last.payload | {"checked": "beef"*16})
    with pytest.raises(ReleaseError, match="had read is not on record"): put_live(shop, folder)

def made(shop, folder, day="03-03", **facts):
    "A release as its entry would stand in the ledger, written by hand."
    asked = bundle_evidence(folder)
    return Ledger(shop, at(day)).append("released", "churn", ANALYST, dict(bundle_hash=asked.bundle_hash, evaluation_hash=asked.evaluation_hash, structure=asked.structure, approver="", reason="") | facts)

def doubts(shop, entry): return release_proof(Ledger(shop).entries(), entry).objection

def test_an_invented_champion_asks_for_both_sides(shop):
    made(shop, bundle(shop, 60), "02-01")
    approved(shop, other := bundle(shop, 90))
    with pytest.raises(ReleaseError, match="is missing, whatever the entries say"): put_live(shop, other)

def test_a_release_made_by_hand_is_not_proven(shop):
    champion(shop)
    assert doubts(shop, made(shop, bundle(shop, 90))) == "nobody asked for these bytes and this evaluation to be approved"

def test_a_release_on_an_invented_half_is_not_proven(shop):
    ask(shop, folder := bundle(shop, 60))
    half = yes(shop, folder).grants[-1]
    Ledger(shop, at("03-02")).append("approval_granted", "churn", OWNER, half.payload | {"missing": []})
    assert "is missing, whatever the entries say" in doubts(shop, made(shop, folder))

def test_a_release_on_a_forged_signature_is_not_proven(shop):
    folder = approved(shop, bundle(shop, 60))
    last = state(shop, folder).grants[-1]
    Ledger(shop, at("03-02")).append("approval_granted", "churn", last.actor, last.payload | {"signature": "by me, really"})
    assert "The signature is not of" in doubts(shop, made(shop, folder))

def test_production_does_not_believe_an_unsigned_release_made_elsewhere(shop):
    step = made(shop, approved(shop, bundle(shop, 60)))
    known = Ledger(shop).entries()
    assert release_proof(known, step).is_proven and "Production takes no unsigned yes" in release_proof(known, step, serves_in="production").objection

# ---- every switch

RULES = list(csv.DictReader((Path(__file__).parent.parent/"rules.csv").open(encoding="utf-8")))
OPEN = {    # what a switched-off function answers where nothing is not enough
    "approvals.part_in": lambda *_: "",
    "approvals._checked_approver": lambda workspace, policy, matter, actor: actor,
    "approvals.needed_sides": lambda changes: ("either",),
    "approvals.missing_sides": lambda needed, sides, granted_by: (),
    "approvals.reason_text": lambda reason, **_: reason,
    "releases.reason_text": lambda reason, **_: reason,
    "approvals.deciding_policy": lambda entries, request: recorded_policies(entries)[request.payload["policy_hash"]],
    "approval_states._concerns": lambda entry, matter: entry.subject == matter.model and entry.kind.startswith("approval_"),
    "approval_states._holds": lambda answer, at: answer is not None,
    "approval_states._is_objection": lambda entry: False,
    "policies._both_spoke": lambda rules, grants: True,
    "grant_proofs.checked_signature": lambda *_: "verified",
    "grant_proofs.checked_identity": lambda *_: True,
    "release_gates._unread": lambda *_: "",
    "release_gates.checks_behind": lambda entries, given: [each for each in entries if each.kind == CHECKED][-1:],
    "release_proofs._approved_structure": champion_structure,
    "release_proofs.check_grant": lambda *_, **__: "verified",
    "release_proofs.missing_yes": lambda *_: (),
    "releases._check_terms": lambda *_: "unverified",
    "releases.standing_objection": lambda *_: "",
    "releases.rollback_goal": lambda model, own, left, to, objection: RollbackGoal([each for each in own if each.kind == "released" and each.payload["bundle_hash"] != left][-1]),
    "rollback_goals._named": lambda model, past, left, to, objection: RollbackGoal(list(past.values())[-1]),
    "rollback_goals._changed_feature": lambda *_: "",
    "releases.check_move": lambda *_: (),
    "release_gates._unasked": lambda *_: "",
    "duties.ends_duty": lambda duty, roles, rules=None: True,
    "releases.comparison_objection": lambda *_: "",
    "release_proofs.approval_identity": lambda *_, **__: "unverified",
    "trials._checked_share": lambda ledger, model, share: share,
    "decided_experiments._checked": lambda evidence, decision, reason: reason,
    "explorers.approval_answers.since_read": lambda *_: "",
    "ledger.read_entries": lambda logs, ends=None: (read_entries(logs)[0], []),
}

# Where a second line of defence refuses in its stead, the test misses the words it waits for, which is noticing too.
def switched_off(patch, switch):
    module, name = switch.rsplit(".", 1)
    patch.setattr(importlib.import_module(f"marketing_mlops.{module if '.' in module else f'governance.{module}'}"), name, OPEN.get(switch, lambda *_, **__: None))

@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["rule"])
def test_a_rule_that_is_switched_off_is_noticed_by_its_test(rule, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        switched_off(patch, rule["switch"])
        with pytest.raises((AssertionError, pytest.fail.Exception, MmopsError)): globals()[rule["test"]](make_workspace(tmp_path/"shop"))

def test_every_test_of_a_rule_stands_in_the_list():
    watched = {name for name in globals() if name.startswith("test_")} - {"test_a_rule_that_is_switched_off_is_noticed_by_its_test", "test_every_test_of_a_rule_stands_in_the_list"}
    assert {rule["test"] for rule in RULES} == watched and len({rule["rule"] for rule in RULES}) == len(RULES)
