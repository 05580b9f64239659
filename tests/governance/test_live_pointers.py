"""Before anybody is scored: every pointer and every champion is held against the ledger, and looking changes nothing."""
import shutil
import pytest
from governed_workspace import approved, at, make_workspace, put_live, small_bundle
from marketing_mlops.governance import live_pointers
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.governance.live_pointers import RELEASED, ReleaseError, bundle_place, champion_faults, check_champions, live, pointer_file, pointer_reasons
from marketing_mlops.registry.bundle_files import BundleError
from marketing_mlops.workspace.places import write_json

def released(shop, model, bundle, day="03-02"):
    return Ledger(shop, at(day)).append(RELEASED, model, "analyst@example.com", dict(bundle_hash=bundle*64, approver="model-owner@example.com", reason=""))

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
    read, own = [], live_pointers.read_logs
    monkeypatch.setattr(live_pointers, "read_logs", lambda workspace: read.append(workspace) or own(workspace))
    assert len(champion_faults(shop, [f"model_{i}" for i in range(5)])) == 5 and read == [shop]

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
    monkeypatch.setattr(live_pointers, "store_file", lambda workspace: None)
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
