"""An approval that nobody used in time is on record once, as of its end, and the record decides nothing."""
import shutil
import pytest
from governed_workspace import approved, at, contents, make_workspace, put_live, small_bundle
from marketing_mlops.governance.approval_states import approval_state
from marketing_mlops.governance.approvals import grant, refuse, request_approval
from marketing_mlops.governance.ended_approvals import EXPIRED, record_ended
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.governance.live_pointers import ReleaseError, live
from marketing_mlops.governance.release_gates import check_bundle
from marketing_mlops.governance.releases import bundle_evidence

ANALYST = "analyst@example.com"
def about(shop, folder): return shop, bundle_evidence(folder).matter
def ended(shop): return [(entry.occurred_at[5:10], entry.recorded_at[5:10], entry.actor) for entry in Ledger(shop).entries(EXPIRED)]
ON_RECORD = [("03-31", "04-20", "finance@example.com")]

def test_the_next_request_writes_it_once(shop):
    folder = approved(shop, small_bundle(shop, "first"), "03-01")
    request_approval(*about(shop, folder), ANALYST, clock=at("04-20"))
    request_approval(*about(shop, small_bundle(shop, "second", even_after=90.)), ANALYST, clock=at("04-21"))
    assert ended(shop) == ON_RECORD and Ledger(shop).verify().passed

def test_the_next_check_writes_it(shop):
    approved(shop, small_bundle(shop, "first"), "03-01")
    for day in ("03-20", "04-20", "04-20"): check_bundle(shop, "churn", small_bundle(shop, "second", even_after=90.), ANALYST, clock=at(day))
    assert ended(shop) == ON_RECORD

def test_what_was_released_in_time_did_not_end(shop):
    put_live(shop, approved(shop, small_bundle(shop, "first"), "03-01"), "03-02")
    assert record_ended(Ledger(shop, at("09-01"))) == []

def test_what_was_refused_in_time_did_not_end_and_what_was_refused_too_late_did(shop):
    folder = approved(shop, small_bundle(shop, "first"), "03-01")
    refuse(*about(shop, folder), "data-protection@example.com", reason="Consents", clock=at("03-20"))
    assert record_ended(Ledger(shop, at("09-01"))) == []

def test_an_approval_that_waits_for_the_other_side_is_none_that_could_end(shop):
    folder = small_bundle(shop, "first")
    request_approval(*about(shop, folder), ANALYST, structure=bundle_evidence(folder).structure, clock=at("03-01"))
    grant(*about(shop, folder), "model-owner@example.com", clock=at("03-01"))
    assert record_ended(Ledger(shop, at("09-01"))) == []

def test_a_release_refused_for_an_end_writes_nothing_and_the_entry_changes_no_answer(shop):
    folder = approved(shop, small_bundle(shop, "first"), "03-01")
    before, kept = approval_state(*about(shop, folder), clock=at("04-20")), contents(shop)
    with pytest.raises(ReleaseError, match="ended on 2026-03-31"): put_live(shop, folder, "04-20")
    assert contents(shop) == kept
    record_ended(Ledger(shop, at("04-20")))
    with pytest.raises(ReleaseError, match="ended on 2026-03-31"): put_live(shop, folder, "04-20")
    assert approval_state(*about(shop, folder), clock=at("04-20")) == before and live(shop, "churn") is None

def test_a_second_approval_of_the_same_bundle_ends_on_its_own(shop):
    folder = small_bundle(shop, "first")
    for day in ("03-01", "05-01"): approved(shop, folder, day)
    record_ended(Ledger(shop, at("09-01")))
    assert [day for day, *_ in ended(shop)] == ["03-31", "05-31"]

def test_two_clones_that_both_wrote_it_are_no_fork(shop, tmp_path):
    approved(shop, small_bundle(shop, "first"), "03-01")
    there = make_workspace(tmp_path/"clone", writer="office")
    shutil.copytree(shop.root/"data"/"ledger", there.root/"data"/"ledger")
    for each in (shop, there): record_ended(Ledger(each, at("04-20")))
    shutil.copy2(there.root/"data"/"ledger"/"office.jsonl", shop.root/"data"/"ledger")
    assert len(Ledger(shop).entries(EXPIRED)) == 2 and Ledger(shop).verify().passed and record_ended(Ledger(shop, at("04-22"))) == []
