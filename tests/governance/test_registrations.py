"""What is on record about the making of a bundle: kept, added to, and the same in every clone."""
import shutil
import pytest
from governed_workspace import at, contents, make_workspace
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.governance.ledger_entries import LedgerError
from marketing_mlops.governance.registrations import REGISTERED, register_bundle, registration
from marketing_mlops.registry.origins import note_origin

BUNDLE, ANALYST = "77c1"*16, "analyst@example.com"

def put_on_record(shop, day, **links): return register_bundle(shop, "churn", BUNDLE, ANALYST, links=links, clock=at(day))
def found(shop): return registration(Ledger(shop).entries(), BUNDLE)

def test_a_later_link_keeps_the_moment_and_the_earlier_links(shop):
    note_origin(shop, BUNDLE, clock=at("03-01"))
    first = put_on_record(shop, "03-02", trial="17")
    note_origin(shop, BUNDLE, clock=at("03-08"))
    put_on_record(shop, "03-09", version="3")
    assert found(shop).payload == first.payload | {"links": {"trial": "17", "version": "3"}}

def test_nothing_new_adds_no_entry(shop):
    first = put_on_record(shop, "03-02", trial="17")
    assert put_on_record(shop, "03-03") == put_on_record(shop, "03-04", trial="17") == first
    assert len(Ledger(shop).entries(REGISTERED)) == 1

def test_an_origin_that_becomes_known_later_is_added(shop):
    assert put_on_record(shop, "03-02").payload["made_at"] == "unknown"
    note_origin(shop, BUNDLE, clock=at("03-03"))
    assert put_on_record(shop, "03-04").payload["made_at"].startswith("2026-03-03")

def test_another_bundle_is_another_record(shop):
    put_on_record(shop, "03-02")
    assert registration(Ledger(shop).entries(), "0"*64) is None

def test_an_odd_actor_leaves_no_entry(shop):
    before = contents(shop)
    with pytest.raises(LedgerError, match="no mail address"): register_bundle(shop, "churn", BUNDLE, "the analyst")
    assert contents(shop) == before

def test_two_clones_that_record_side_by_side_give_the_same_answer_after_a_pull(shop, tmp_path):
    there = make_workspace(tmp_path/"there", "office")
    put_on_record(shop, "03-02", trial="17"), put_on_record(there, "03-03", trial="4")
    for source, into, name in ((shop, there, "laptop"), (there, shop, "office")):
        shutil.copy2(source.path("data", "ledger", f"{name}.jsonl"), into.path("data", "ledger", f"{name}.jsonl"))
    assert found(shop) == found(there) is not None
