"""The desk of an approver: what it shows, what it takes, and what it refuses."""
import json
import pytest
from approval_shop import ANALYST, HOSTILE, MARKETING, OWNER, ask, build, make_shop
from marketing_mlops.explorers.approval_changes import structure_sentence
from marketing_mlops.explorers.approval_desk import ApprovalDesk
from marketing_mlops.explorers.approval_matters import EVIDENCE_PAGES, open_matters, evidence_text
from marketing_mlops.governance.approvals import ApprovalError
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.governance.releases import release
from marketing_mlops.governance.signatures import SignatureError
from marketing_mlops.workspace.errors import MmopsError, ParameterError
from marketing_mlops.workspace.places import find_workspace, write_text

@pytest.fixture
def shop(tmp_path): return make_shop(tmp_path)

def kinds(place): return [each.kind for each in Ledger(place).entries()]

def desk_of(shop, role=MARKETING, **words):
    place, keys = shop
    return ApprovalDesk(place, role, key=str(keys[role]) if role in keys else None, **words)

def test_an_empty_workspace_has_an_empty_desk(shop):
    desk = desk_of(shop)
    assert desk.matter() is None and desk.waiting().empty and desk.confirmation() == []
    assert "Nothing waits" in desk.select() and "Nothing waits" in desk.snapshot().sentence
    with pytest.raises(ParameterError, match="No model is chosen"): desk.approve()

def test_a_signed_yes_is_verified_and_on_record(shop):
    build(shop[0]); ask(shop[0])
    desk = desk_of(shop)
    assert any("Identity: verified" in line for line in desk.confirmation())
    assert "identity: verified" in desk.approve("Agreed")
    given = Ledger(shop[0]).entries("approval_granted")[-1]
    assert (given.actor, given.payload["identity"], given.payload["reason"]) == (MARKETING, "verified", "Agreed")
    assert given.payload["signature"].startswith("-----BEGIN SSH SIGNATURE-----")

def test_a_key_of_somebody_else_signs_nothing(tmp_path):
    place, keys = make_shop(tmp_path, signed=(MARKETING, OWNER))
    build(place); ask(place)
    desk = ApprovalDesk(place, MARKETING, key=str(keys[OWNER]))
    assert any("is not the one the rules list" in line for line in desk.confirmation())
    before = kinds(place)
    with pytest.raises(SignatureError): desk.approve()
    assert kinds(place) == before

def test_without_a_key_the_identity_is_called_unverified_before_and_after(shop):
    build(shop[0]); ask(shop[0])
    desk = desk_of(shop, OWNER)
    assert any("unverified" in line for line in desk.confirmation())
    assert "identity: unverified" in desk.approve()

def test_a_yes_names_every_open_point_and_every_new_rule(shop):
    build(shop[0]); ask(shop[0])
    lines = desk_of(shop).confirmation()
    assert any(line.startswith("You answer for fairness: for a person to decide. Few older") for line in lines)
    assert any(line.startswith("Rule: approval days: 30") for line in lines) and any(line.startswith(f"Rule: keys: {MARKETING}") for line in lines)

def test_a_shut_gate_is_not_answered_for(shop):
    build(shop[0], features=("n_orders",)); ask(shop[0])
    found = desk_of(shop).matter()
    assert [each["gate"] for each in found["gates"] if each["status"] == "fail"] == [line.split(":")[0].removeprefix("No yes opens ") for line in found["confirm"] if line.startswith("No yes opens")] != []
    assert any("a gate is shut" in line for line in found["hurdles"])

def test_of_two_desks_one_wins_and_the_other_is_told_why(shop):
    build(shop[0]); ask(shop[0])
    first, second = desk_of(shop), desk_of(shop, OWNER)
    first.matter(), second.matter()
    first.refuse("Too many mails in May")
    before = kinds(shop[0])
    with pytest.raises(ApprovalError, match="Meanwhile: marketing@example.com: approval refused, Too many mails in May"): second.approve()
    assert kinds(shop[0]) == before
    with pytest.raises(ApprovalError, match="was refused by marketing@example.com"): second.approve()

def test_a_later_check_of_the_gates_has_to_be_read_first(shop):
    build(shop[0]); ask(shop[0])
    desk = desk_of(shop)
    desk.matter()
    ask(shop[0], open_gate=False)
    with pytest.raises(ApprovalError, match="analyst@example.com: bundle checked"): desk.approve()
    assert "approval_granted" not in kinds(shop[0])

def test_a_candidate_built_anew_is_not_approved_by_an_old_screen(shop):
    build(shop[0]); ask(shop[0])
    desk = desk_of(shop)
    read = desk.matter()
    build(shop[0], even_after=90.)
    for word in ("approve", "refuse"):
        with pytest.raises(MmopsError, match="Nobody asked about that one"): desk._answered(word, "No", read["head"], read["bundle_hash"])
    assert "Nobody asked about that one" in desk.matter()["stops"] and desk.matter()["may"] == []
    assert not {"approval_granted", "approval_refused"} & {*kinds(shop[0])}

def test_an_unmeasured_gate_has_no_yes_but_a_no(shop):
    build(shop[0]); ask(shop[0], measured=False)
    desk = desk_of(shop)
    assert "Nobody has measured fairness and rebuild" in desk.matter()["stops"]
    with pytest.raises(ParameterError, match="Nobody has measured"): desk.approve()
    assert "refused by marketing@example.com" in desk.refuse("Measure it first")

@pytest.mark.parametrize("role, words", [(ANALYST, "cannot answer"), ("stranger@example.com", "is no approver of this model")])
def test_who_may_not_answer_reads_why_and_records_nothing(shop, role, words):
    build(shop[0]); ask(shop[0])
    desk, before = desk_of(shop, role), kinds(shop[0])
    assert words in desk.matter()["part"] and desk.matter()["may"] == []
    for word in (desk.approve, lambda: desk.refuse("No")):
        with pytest.raises(ApprovalError): word()
    assert kinds(shop[0]) == before

def test_a_refusal_and_a_second_thought_need_a_reason(shop):
    build(shop[0]); ask(shop[0])
    desk = desk_of(shop)
    with pytest.raises(ApprovalError, match="A reason is missing"): desk.refuse("  ")
    desk.approve()
    with pytest.raises(ApprovalError, match="A reason is missing"): desk.withdraw("")
    assert "took the yes back: Later" in desk.withdraw("Later")

def test_the_list_puts_what_waits_for_the_role_first(tmp_path):
    place, keys = make_shop(tmp_path, models=("churn", "spring"))
    for model in ("churn", "spring"): build(place, model); ask(place, model)
    desk = ApprovalDesk(place, MARKETING, "churn", key=str(keys[MARKETING]))
    desk.approve()
    assert [(each["model"], each["is_asked"]) for each in open_matters(place, MARKETING)] == [("spring", True), ("churn", False)]

def test_what_changed_since_the_champion_is_said_part_by_part(shop):
    place = shop[0]
    build(place); matter = ask(place)
    for role in (MARKETING, OWNER): desk_of(shop, role).approve()
    release(place, "churn", place.output("bundle", "churn"), ANALYST)
    build(place, features=("recency_days", "n_orders")); ask(place)
    said = desk_of(shop).matter()
    assert f"Other than the champion {matter.bundle_hash[:12]}" in said["structure"] and "feature set, input schema" in said["structure"]
    assert said["features"] == ["New: n_orders."] and {each["gate"]: each["before"] for each in said["gates"]}["fairness"] == "for a person to decide"
    assert said["rules"][1] == [] or said["rules"][1] == ()
    assert structure_sentence(Ledger(place).entries(subject="churn"), matter.bundle_hash, []) == "This bundle is live already."

def test_a_model_that_left_params_is_named(shop):
    build(shop[0]); ask(shop[0])
    state = desk_of(shop, model="churn").state()
    write_text(shop[0].root/"params.yaml", "sources: {shop: {kind: simulated}}\nmodels: {}\n")
    with pytest.raises(MmopsError): ApprovalDesk.from_state(state, find_workspace(shop[0].root))
    desk = ApprovalDesk(find_workspace(shop[0].root), MARKETING)
    assert "churn" in desk.message()["problem"]

def test_a_bundle_that_is_not_here_or_was_changed_is_read_about_and_not_answered(shop):
    place = shop[0]
    build(place); ask(place)
    (place.output("bundle", "churn")/"parameters.json").write_text("{}")
    desk = desk_of(shop)
    assert desk.matter()["stops"] and desk.matter()["may"] == []
    for file in place.output("bundle", "churn").iterdir():
        if file.is_file(): file.unlink()
    assert "holds no bundle here" in desk.matter()["stops"] and "analyst@example.com asked for approval" in desk.matter()["stands"]

def test_markup_stays_text_in_the_saved_picture(shop):
    build(shop[0]); ask(shop[0])
    shot = desk_of(shop).snapshot()
    assert "<img" not in shot.svg and "<b>" not in shot.svg and "&lt;img" in shot.svg and HOSTILE in shot.sentence
    json.dumps(desk_of(shop).message(), allow_nan=False)

def test_only_rendered_pages_of_known_names_are_shown(shop):
    place = shop[0]
    build(place)
    for name in ("../../../settings", "model_card", "params.yaml"):
        with pytest.raises(ParameterError, match="There is no page"): evidence_text(place, "churn", name)
    for name in EVIDENCE_PAGES: write_text(place.report_folder("churn")/f"{name}.html", "<p>Here")
    assert evidence_text(place, "churn", "model_card") == "<p>Here"

def test_a_state_comes_back_and_holds_no_key(shop):
    build(shop[0]); ask(shop[0])
    desk = desk_of(shop, model="churn")
    assert json.loads(json.dumps(desk.state())) == dict(role=MARKETING, model="churn") and "key" not in desk.code()
    for wrong in ({}, dict(role=1, model=None), "x"):
        with pytest.raises(ValueError, match="a state has a role and a model"): ApprovalDesk.from_state(wrong, shop[0])

@pytest.mark.parametrize("wrong", [("drop", "", "", ""), ("approve", 1, "", ""), (None, None, None, None), ("approve", "x"*6_000, "", "")])
def test_what_no_button_could_send_is_refused(shop, wrong):
    build(shop[0]); ask(shop[0])
    before = kinds(shop[0])
    with pytest.raises((ValueError, MmopsError)): desk_of(shop)._answered(*wrong)
    assert kinds(shop[0]) == before
