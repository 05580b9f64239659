"""Who may say yes, to which bytes, for how long; every other answer is refused and leaves no trace."""
import pytest
from governed_workspace import at, contents
from marketing_mlops.governance.approval_states import ApprovalMatter, approval_state
from marketing_mlops.governance.approvals import REQUESTED, ApprovalError, RequestNote, grant, refuse, request_approval
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.governance.ledger_entries import LedgerError
from marketing_mlops.workspace.errors import MmopsError, ParameterError
from marketing_mlops.workspace.places import find_workspace

BUNDLE, EVALUATION, OTHER = "5f2a"*16, "c0de"*16, "77c1"*16
ABOUT = ApprovalMatter("churn", BUNDLE, EVALUATION)
def state(shop, day, about=ABOUT): return approval_state(shop, about, clock=at(day))
def ask(shop, actor="analyst@example.com", day="03-01", about=ABOUT, **note): return request_approval(shop, about, actor, note=RequestNote(**note), clock=at(day))
def say_yes(shop, actor="model-owner@example.com", day="03-02", about=ABOUT, **words):
    "One role answers, and finance after it where another side is asked too."
    after = grant(shop, about, actor, clock=at(day), **words)
    return grant(shop, about, "finance@example.com", clock=at(day)) if after.missing else after
def say_no(shop, actor="model-owner@example.com", day="03-02", about=ABOUT, reason="Not yet", **words): return refuse(shop, about, actor, clock=at(day), reason=reason, **words)

@pytest.mark.parametrize("before, attempt, contains", [
    (lambda s: ask(s), lambda s: say_yes(s, "analyst@example.com"), "may not approve"),
    (lambda s: ask(s), lambda s: say_yes(s, "stranger@example.com"), "may not approve; the approvers of the rules that decide are: model-owner@example.com"),
    (lambda s: ask(s), lambda s: say_yes(s, "model-owner@exmple.com"), "Did you mean 'model-owner@example.com'"),
    (lambda s: ask(s, "model-owner@example.com"), lambda s: say_yes(s), "asked for this approval and cannot answer"),
    (lambda s: ask(s, "model-owner@example.com"), lambda s: say_yes(s, " MODEL-Owner@Example.com "), "asked for this approval and cannot answer"),
    (lambda s: ask(s, "model-owner@example.com"), lambda s: say_no(s), "asked for this approval and cannot answer"),
    (lambda s: ask(s, author="Model-Owner@example.com"), lambda s: say_yes(s), "built this bundle and cannot answer"),
    (lambda s: ask(s), lambda s: say_yes(s, about=ApprovalMatter("churn", OTHER, EVALUATION)), "Nobody asked for bundle 77c177c177c1"),
    (lambda s: ask(s), lambda s: say_yes(s, about=ApprovalMatter("churn", BUNDLE, OTHER)), "with evaluation 77c177c177c1 to be approved; asked for: bundle 5f2a"),
    (lambda s: ask(s), lambda s: say_yes(s, about=ApprovalMatter("promo", BUNDLE, EVALUATION)), "Nobody asked for bundle"),
    (lambda s: None, lambda s: say_yes(s), "asked for: none"),
    (lambda s: None, lambda s: say_no(s), "asked for: none"),
    (lambda s: (ask(s), say_no(s)), lambda s: say_yes(s, "data-protection@example.com"), "was refused by model-owner@example.com: Not yet"),
    (lambda s: ask(s), lambda s: say_no(s, reason=" \n "), "A reason is missing"),
    (lambda s: ask(s), lambda s: say_yes(s, reason="x"*2001), "2001 characters"),
    (lambda s: None, lambda s: ask(s, about=ApprovalMatter("churm", BUNDLE, EVALUATION)), "Did you mean 'churn'"),
    (lambda s: None, lambda s: ask(s, about=ApprovalMatter("churn", BUNDLE.upper(), EVALUATION)), "is no digest"),
    (lambda s: None, lambda s: ask(s, about=ApprovalMatter("churn", None, EVALUATION)), "is no digest"),
    (lambda s: None, lambda s: ask(s, actor="somebody"), "no mail address"),
    (lambda s: None, lambda s: ask(s, author="somebody"), "no mail address")])
def test_a_wrong_answer_is_refused_in_two_lines_and_leaves_no_trace(shop, before, attempt, contains):
    before(shop)
    kept, entries = contents(shop), Ledger(shop).entries()
    with pytest.raises(MmopsError) as refused: attempt(shop)
    assert contains in str(refused.value) and str(refused.value).count("\n") == 1
    assert contents(shop) == kept and Ledger(shop).entries() == entries

def test_an_approver_is_recognised_however_the_settings_spell_the_address(shop):
    ask(shop)
    assert say_yes(shop, "data-protection@example.com").granted_by == ("data-protection@example.com", "finance@example.com")

def test_nobody_may_approve_where_the_settings_name_no_approvers(shop):
    (shop.root/"settings.ini").write_text("[DEFAULT]\nreporting_currency = EUR\n")
    ask(shop := find_workspace(shop.root))
    with pytest.raises(ApprovalError, match="the approvers of the rules that decide are: none"): say_yes(shop)

def test_an_approval_ends_to_the_second(shop):
    ask(shop), say_yes(shop, day="03-02")
    assert state(shop, "03-31").is_valid
    assert state(shop, "04-01").status == "expired" and not state(shop, "04-01").is_valid   # thirty days later, the same hour

def test_the_spec_says_how_long_an_approval_holds(shop):
    about = ApprovalMatter("promo", BUNDLE, EVALUATION)
    ask(shop, about=about), say_yes(shop, about=about)
    assert state(shop, "03-08", about).is_valid and state(shop, "03-09", about).status == "expired"

@pytest.mark.parametrize("days", ["0", "366", "true", "soon", "1.5"])
def test_odd_days_in_the_spec_are_refused_before_anybody_is_asked(shop, days):
    path = shop.root/"params.yaml"
    path.write_text(path.read_text().replace("approval_days: 7", f"approval_days: {days}"))
    about = ApprovalMatter("promo", BUNDLE, EVALUATION)
    with pytest.raises(ParameterError, match="whole days from 1 to 365"): ask(shop, about=about)
    assert state(shop, "03-02", about).status == "none" and not Ledger(shop).entries()

def test_an_approval_counts_for_its_bundle_its_evaluation_and_its_model_only(shop):
    ask(shop), say_yes(shop)
    assert state(shop, "03-03").is_valid
    for about in (ApprovalMatter("churn", OTHER, EVALUATION), ApprovalMatter("churn", BUNDLE, OTHER), ApprovalMatter("promo", BUNDLE, EVALUATION)): assert state(shop, "03-03", about).status == "none"

def test_a_refusal_takes_an_approval_back_and_a_new_request_opens_the_matter_again(shop):
    ask(shop), say_yes(shop), say_no(shop, "data-protection@example.com", day="03-03", reason="Consents were missing")
    assert state(shop, "03-03").status == "refused"
    ask(shop, day="03-04")
    assert state(shop, "03-04").status == "requested"
    assert say_yes(shop, day="03-05").is_valid

def test_an_expired_approval_is_renewed_by_the_approver(shop):
    ask(shop), say_yes(shop, day="03-02")
    assert state(shop, "05-01").status == "expired"
    assert say_yes(shop, day="05-01").is_valid

def test_asking_twice_is_asking_once(shop):
    ask(shop), ask(shop, day="03-05")
    assert len(Ledger(shop).entries(REQUESTED)) == 1
    ask(shop, "marketing@example.com", day="03-06")
    assert state(shop, "03-06").request.actor == "marketing@example.com"

def test_a_second_requester_does_not_become_the_one_who_may_not_answer_by_stealth(shop):
    ask(shop, "model-owner@example.com"), ask(shop, "analyst@example.com", author="model-owner@example.com", day="03-02")
    with pytest.raises(ApprovalError, match="built this bundle"): say_yes(shop, day="03-03")

@pytest.mark.parametrize("first", [dict(actor="model-owner@example.com"), dict(author="model-owner@example.com"), dict(about=ApprovalMatter("churn", BUNDLE, OTHER), author="model-owner@example.com")])
def test_who_once_asked_for_or_built_these_bytes_never_answers_whoever_asks_again(shop, first):
    ask(shop, **first)
    for day in ("03-02", "05-01"): ask(shop, "analyst@example.com", day=day), ask(shop, "marketing@example.com", day=day)
    kept = Ledger(shop).entries()
    for answer in (say_yes, say_no):
        with pytest.raises(ApprovalError, match="cannot answer; see the request of 2026-03-01"): answer(shop, day="05-02")
    assert Ledger(shop).entries() == kept
    assert say_yes(shop, "data-protection@example.com", day="05-02").is_valid

def test_having_asked_for_other_bytes_or_another_model_binds_nobody(shop):
    ask(shop, "model-owner@example.com", about=ApprovalMatter("churn", OTHER, EVALUATION)), ask(shop, "model-owner@example.com", about=ApprovalMatter("promo", BUNDLE, EVALUATION)), ask(shop)
    assert say_yes(shop).is_valid

def test_who_asked_before_a_refusal_still_cannot_answer_the_next_question(shop):
    ask(shop, "model-owner@example.com"), say_no(shop, "data-protection@example.com"), ask(shop, day="03-03")
    with pytest.raises(ApprovalError, match="asked for this approval"): say_yes(shop, day="03-04")

@pytest.mark.parametrize("words", [{}, dict(actor="marketing@example.com"), dict(author="data-protection@example.com")])
def test_a_request_while_an_approval_is_valid_changes_nothing(shop, words):
    ask(shop)
    approved, kept = say_yes(shop), Ledger(shop).entries()
    assert ask(shop, day="03-03", **words) == approved and state(shop, "03-03") == approved
    assert Ledger(shop).entries() == kept

def test_a_request_from_another_copy_does_not_wipe_a_valid_approval(shop):
    ask(shop)
    approved = say_yes(shop)
    Ledger(shop, at("03-03")).append(REQUESTED, "churn", "marketing@example.com", approved.request.payload | dict(author="marketing@example.com"))
    assert state(shop, "03-04") == approved
    assert state(shop, "05-01").status == "expired"

def test_a_request_after_the_end_of_an_approval_opens_a_new_question(shop):
    ask(shop), say_yes(shop)
    asked = ask(shop, "marketing@example.com", day="05-01")
    assert (asked.status, asked.request.actor, asked.answer) == ("requested", "marketing@example.com", None)
    assert say_yes(shop, day="05-02").is_valid

def test_a_request_after_a_refusal_opens_a_new_question_and_never_restores_the_old_approval(shop):
    ask(shop), say_yes(shop), say_no(shop, day="03-03")
    assert ask(shop, day="03-04").status == "requested"
    assert say_no(shop, day="03-05").status == "refused"

def test_reasons_keep_what_was_typed_but_no_address_or_number_of_a_person(shop):
    ask(shop)
    typed = 'Seen with "Zoë" <img src=x onerror=alert(1)> 🍂; anna.b@example.org, +49 30 1234567, \'); DROP TABLE x'
    answer = say_no(shop, reason=typed)
    said = answer.answer.payload["reason"]
    assert "<img src=x onerror=alert(1)>" in said and "🍂" in said and '"Zoë"' in said
    assert "anna.b" not in said and "1234567" not in said
    assert "<img" not in answer._repr_markdown_() and "&lt;img" in answer._repr_markdown_()

def test_an_edited_log_stops_approvals(shop):
    ask(shop)
    path = shop.path("data", "ledger", "laptop.jsonl")
    path.write_text(path.read_text().replace("analyst@", "auditor@"))
    with pytest.raises(LedgerError, match="was edited"): say_yes(shop)
