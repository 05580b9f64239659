"""Before anybody is scored: every pointer and every champion is held against the ledger, and looking changes nothing."""
import json, shutil
import pytest
import sqlalchemy as sa
from governed_workspace import approved, at, make_workspace, put_live, small_bundle
from marketing_mlops.governance import live_checks
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.governance.ledger_databases import store_file
from marketing_mlops.governance.ledger_entries import LedgerError
from marketing_mlops.governance.ledger_store import ledger_table
from marketing_mlops.governance.live_checks import champion_faults, check_champions, pointer_reasons
from marketing_mlops.governance.live_pointers import RELEASED, ROLLED_BACK, ReleaseError, bundle_place, live, pointer_file
from marketing_mlops.registry.bundle_files import BundleError
from marketing_mlops.workspace.places import write_json

def released(shop, model, bundle, day="03-02"):
    return Ledger(shop, at(day)).append(RELEASED, model, "analyst@example.com", dict(bundle_hash=bundle*64, approver="model-owner@example.com", reason=""))

def rewrite(shop, change):
    "Let somebody edit the lines of our log."
    log = shop.path("data", "ledger", "laptop.jsonl")
    log.write_text("".join(f"{line}\n" for line in change(log.read_text().splitlines())))

def everything(shop): return {path: path.read_bytes() for path in shop.root.rglob("*") if path.is_file()}

def test_every_pointer_that_differs_is_told_at_once_with_the_fields_of_the_first(shop):
    models = [f"model_{i}" for i in range(7)]
    for model in models: released(shop, model, "a")
    write_json(pointer_file(shop, "model_0"), dict(champion="b"*64))
    with pytest.raises(ReleaseError, match="7 champions are not what was released. .*And 2 more") as stopped: check_champions(shop, models)
    assert stopped.value.fields == dict(model="model_0", bundle_hash="b"*64) and str(stopped.value).count("\n") == 1
    for model in models[:5]: assert f"{model}: data/live/{model}.json" in stopped.value.problem and f"mmops register {model}" in stopped.value.remedy
    assert len(pointer_reasons(shop)) == 7

def test_one_pointer_that_differs_names_its_model_and_its_bundle(shop):
    released(shop, "churn", "a")
    with pytest.raises(ReleaseError, match="names no champion") as stopped: check_champions(shop, ["churn", "promo"])
    assert stopped.value.fields == dict(model="churn", bundle_hash=None)

def test_a_champion_that_was_changed_and_one_that_is_missing_are_told_together(shop):
    for model, days in (("churn", 30.), ("promo", 40.)):
        put_live(shop, approved(shop, small_bundle(shop, model, even_after=days, model=model), model=model), model=model)
    check_champions(shop, ["churn", "promo"])
    file = bundle_place(shop, live(shop, "churn").champion)/"parameters.json"
    file.write_text(file.read_text() + " ")
    with pytest.raises(BundleError, match="parameters.json: this file was changed"): check_champions(shop, ["churn", "promo"])
    shutil.rmtree(bundle_place(shop, live(shop, "promo").champion))
    with pytest.raises(BundleError, match="2 champions .*churn: .*was changed.*promo: .*no such folder"): check_champions(shop, ["churn", "promo"])
    pointer_file(shop, "promo").unlink()
    assert [(model, type(fault)) for model, fault in champion_faults(shop, ["churn", "promo"]).items()] == [("promo", ReleaseError), ("churn", BundleError)]

def test_the_logs_are_read_once_for_all_models(shop, monkeypatch):
    for i in range(5): released(shop, f"model_{i}", "a")
    read, own = [], live_checks.read_logs
    monkeypatch.setattr(live_checks, "read_logs", lambda workspace: read.append(workspace) or own(workspace))
    assert len(champion_faults(shop, [f"model_{i}" for i in range(5)])) == 5 and read == [shop]

@pytest.mark.parametrize("change", [lambda lines: [lines[0], lines[1].replace("b"*64, "c"*64)], lambda lines: lines[1:]], ids=["edited", "removed"])
def test_a_pointer_set_to_match_an_edited_log_stops_the_run(shop, change):
    for bundle in "ab": released(shop, "churn", bundle)
    live(shop, "churn")
    rewrite(shop, change)
    write_json(pointer_file(shop, "churn"), dict(json.loads(pointer_file(shop, "churn").read_text()), champion="c"*64))
    for ask in (pointer_reasons, champion_faults, check_champions):
        with pytest.raises(LedgerError, match="was edited|lines were removed"): ask(shop, ["churn"])

def test_a_pointer_that_outlived_the_end_of_the_ledger_stops_the_run(shop):
    first, _ = released(shop, "churn", "a"), released(shop, "churn", "b", "03-03")
    Ledger(shop, at("03-04")).append(ROLLED_BACK, "churn", "analyst@example.com", dict(to=first.hash, reason="Complaints"))
    assert live(shop, "churn").champion == "a"*64 and pointer_reasons(shop) == []
    rewrite(shop, lambda lines: lines[:1])
    store_file(shop).unlink()
    reason, = pointer_reasons(shop)
    assert "which the ledger does not hold" in reason.message
    with pytest.raises(ReleaseError, match="which the ledger does not hold"): check_champions(shop, ["churn"])
    with pytest.raises(ReleaseError, match="which the ledger does not hold"): live(shop, "churn")

def test_a_pointer_that_only_lags_behind_a_rollback_to_its_own_bundle_stops_nobody(shop):
    first = released(shop, "churn", "a")
    live(shop, "churn")
    released(shop, "churn", "b", "03-03")
    Ledger(shop, at("03-04")).append(ROLLED_BACK, "churn", "analyst@example.com", dict(to=first.hash, reason="Complaints"))
    assert pointer_reasons(shop) == []

@pytest.fixture
def shared(shop, tmp_path, monkeypatch):
    "A database that holds what a colleague recorded, whose log was not pulled; the file stands for a server."
    there = make_workspace(tmp_path/"office", "office")
    released(there, "churn", "a")
    shop.path("data", "ledger").mkdir(exist_ok=True)
    shutil.copy2(there.path("data", "ledger", "office.jsonl"), shop.path("data", "ledger"))
    live(shop, "churn")
    shop.path("data", "ledger", "office.jsonl").unlink()
    home = make_workspace(tmp_path/"home", "home")
    released(home, "promo", "c")
    shutil.copy2(home.path("data", "ledger", "home.jsonl"), shop.path("data", "ledger"))      # which the database lacks
    monkeypatch.setattr(live_checks, "store_file", lambda workspace: None)
    return shop

def test_what_a_colleague_recorded_in_a_shared_database_counts_and_looking_writes_nothing(shared):
    kept = everything(shared)
    assert pointer_reasons(shared, ["churn"]) == [] and everything(shared) == kept
    write_json(pointer_file(shared, "churn"), dict(champion="b"*64))
    kept = everything(shared)
    reason, = pointer_reasons(shared, ["churn"])
    assert "by the ledger aaaaaaaaaaaa is the champion" in reason.message and everything(shared) == kept

def test_a_shared_database_is_not_believed_about_what_our_own_log_does_not_hold(shared):
    (shared.state/"ledger_writer").write_text("office\n")
    reason, = pointer_reasons(shared, ["churn"])
    assert "by the ledger there is no champion" in reason.message

def test_an_edited_row_of_a_shared_database_is_not_believed(shared):
    write_json(pointer_file(shared, "churn"), dict(champion="b"*64))
    with Ledger(shared).store.begin() as connection:
        line = connection.execute(sa.select(ledger_table().c.line).where(ledger_table().c.writer == "office")).scalar()
        connection.execute(ledger_table().update().where(ledger_table().c.writer == "office").values(line=line.replace("a"*64, "b"*64)))
    with pytest.raises(LedgerError, match="The ledger's database, office, line 1: entry 1 was edited"): check_champions(shared, ["churn"])
