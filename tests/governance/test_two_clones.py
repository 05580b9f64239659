"""A release decides on the merged ledger: what a colleague recorded elsewhere counts as soon as its log is here."""
import shutil
import pytest
from governed_workspace import MEASURED, approved, at, contents, make_workspace, put_live, small_bundle
from marketing_mlops.governance.approval_states import REQUESTED, approval_state
from marketing_mlops.governance.approvals import RequestNote, grant, refuse, request_approval
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.governance.ledger_entries import knew
from marketing_mlops.governance.live_checks import check_champions, pointer_reasons
from marketing_mlops.governance.live_pointers import RELEASED, ReleaseError, live
from marketing_mlops.governance.release_gates import check_bundle
from marketing_mlops.governance.releases import bundle_evidence, rollback

OWNER, PROTECTION, ANALYST = "model-owner@example.com", "data-protection@example.com", "analyst@example.com"

def note(shop, n): [Ledger(shop, at("03-02")).append("note", "churn", ANALYST, {"n": i}) for i in range(n)]
def matter(folder): return bundle_evidence(folder).matter

def pull(here, there):
    "The logs of two clones after both have pulled."
    for source, into in ((here, there), (there, here)):
        name = source.path("data", "state", "ledger_writer").read_text().strip() + ".jsonl"
        shutil.copy2(source.path("data", "ledger", name), into.path("data", "ledger", name))

@pytest.fixture(params=[("anna", "zoe"), ("zoe", "anna")], ids="-".join)
def clones(request, tmp_path):
    "Two clones that share a request for one bundle; either of the writers sorts first."
    here, there = (make_workspace(tmp_path/name, name) for name in request.param)
    folder = small_bundle(here, "candidate")
    shutil.copytree(folder, there.path("data", "bundle", "candidate"))
    request_approval(here, matter(folder), ANALYST, clock=at("03-01"))
    there.path("data", "ledger").mkdir()
    note(there, 1), pull(here, there)
    return here, there, folder

def say_yes(shop, folder, day="03-03"):
    check_bundle(shop, "churn", folder, ANALYST, findings=MEASURED, clock=at(day))
    return [grant(shop, matter(folder), role, clock=at(day)) for role in (OWNER, "finance@example.com")][-1]
def is_approved(shop, folder): return approval_state(shop, matter(folder), clock=at("03-05")).is_valid
def not_released(shop, folder, says):
    live(shop, "churn")     # writes the pointer of what was pulled
    kept = contents(shop)
    with pytest.raises(ReleaseError, match=says) as refused: put_live(shop, folder, "03-05")
    assert str(refused.value).count("\n") == 1 and contents(shop) == kept

@pytest.mark.parametrize("ahead", [0, 5], ids=["level", "ahead"])
@pytest.mark.parametrize("day", ["03-02", "03-04"], ids=["before", "after"])
def test_a_refusal_the_approver_could_not_know_ends_the_approval_wherever_it_is_sorted(clones, ahead, day):
    here, there, folder = clones
    note(here, ahead), say_yes(here, folder)
    refuse(there, matter(folder), PROTECTION, reason="Consents were missing", clock=at(day))
    assert is_approved(here, folder)
    pull(here, there)
    for shop in (here, there): not_released(shop, folder, "data-protection@example.com refused it: Consents were missing")

def test_the_question_is_open_again_once_somebody_who_knows_the_refusal_asks(clones):
    here, there, folder = clones
    say_yes(here, folder), refuse(there, matter(folder), PROTECTION, reason="Consents were missing", clock=at("03-02"))
    pull(here, there)
    request_approval(here, matter(folder), ANALYST, clock=at("03-04"))
    assert not is_approved(here, folder)
    say_yes(here, folder, "03-05")
    assert put_live(here, folder, "03-05").approver == f"{OWNER}, finance@example.com"

def test_a_request_from_a_copy_without_the_refusal_does_not_open_the_question(clones):
    here, there, folder = clones
    refuse(there, matter(folder), PROTECTION, reason="Consents were missing", clock=at("03-02"))
    note(here, 4), request_approval(here, matter(folder), "marketing@example.com", clock=at("03-03")), say_yes(here, folder)
    pull(here, there)
    not_released(here, folder, "refused it: Consents were missing")

def test_a_rollback_in_another_clone_ends_an_approval_given_without_knowing_it(clones):
    here, there, folder = clones
    put_live(there, approved(there, small_bundle(there, "earlier", even_after=30.), "03-01"), "03-01")
    put_live(there, approved(there, there.path("data", "bundle", "candidate"), "03-02"), "03-02")
    rollback(there, "churn", "marketing@example.com", "Complaints doubled", clock=at("03-03"))
    say_yes(here, folder, "03-04"), pull(here, there)
    not_released(here, folder, "marketing@example.com rolled it back on 2026-03-03 .Complaints doubled., and nobody has approved it since")

@pytest.mark.parametrize("asker, says", [((OWNER, ""), "asked for this approval"), (("marketing@example.com", OWNER), "built this bundle")])
def test_an_approver_whom_another_clone_knows_as_requester_or_author_does_not_count(clones, asker, says):
    here, there, folder = clones
    say_yes(here, folder), request_approval(there, matter(folder), asker[0], note=RequestNote(author=asker[1]), clock=at("03-02"))
    pull(here, there)
    not_released(here, folder, f"is not approved: {OWNER} {says} and cannot answer")

def test_a_release_in_another_clone_is_what_the_next_release_replaces(clones):
    here, there, folder = clones
    other = approved(there, small_bundle(there, "other", even_after=30.), "03-01")
    say_yes(here, folder), put_live(there, other, "03-02")
    pull(here, there)
    assert live(here, "churn").champion == bundle_evidence(other).bundle_hash
    not_released(here, folder, "it was held against no champion, and by now")
    say_yes(here, folder, "03-04")
    assert put_live(here, folder, "03-05").champion == bundle_evidence(folder).bundle_hash
    assert Ledger(here).entries(RELEASED)[-1].payload["before"] == bundle_evidence(other).bundle_hash
    pull(here, there)
    assert live(there, "churn") == live(here, "churn") and Ledger(there).verify().status != "fail"

def test_a_release_by_a_second_writer_stops_no_run(clones):
    here, there, folder = clones
    for days in (30., 40.): put_live(here, approved(here, small_bundle(here, f"after_{days:g}", even_after=days), "03-01"), "03-01")
    pull(here, there)
    say_yes(there, there.path("data", "bundle", "candidate"))
    newest = put_live(there, there.path("data", "bundle", "candidate"), "03-05")
    pull(here, there)
    assert newest.champion == bundle_evidence(folder).bundle_hash
    for shop in (here, there): assert live(shop, "churn") == newest and pointer_reasons(shop) == []
    check_champions(there, ["churn", "promo"])

def test_two_clones_agree_about_every_state_after_both_have_pulled(clones):
    here, there, folder = clones
    say_yes(here, folder), say_yes(there, folder, "03-04"), pull(here, there)
    first, second = (approval_state(shop, matter(folder), clock=at("03-05")) for shop in (here, there))
    assert first == second and first.is_valid

def test_what_an_entry_knew_is_told_by_its_links_not_by_its_clock(clones):
    here, there, folder = clones
    refusal = refuse(there, matter(folder), PROTECTION, reason="No", clock=at("03-01")).answer
    answer, everything = say_yes(here, folder, "03-09").answer, (pull(here, there), Ledger(here).entries())[1]
    assert not knew(answer, refusal, everything) and not knew(refusal, answer, everything)
    asked = Ledger(here).entries(REQUESTED)[0]
    assert knew(refusal, asked, everything) and knew(answer, asked, everything)
