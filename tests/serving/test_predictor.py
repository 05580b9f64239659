"""A predictor follows the ledger, and never falls silent."""
import shutil, threading
import numpy as np, pytest
from marketing_mlops.governance.live_pointers import ReleaseError, bundle_place, pointer_file
from marketing_mlops.governance.releases import rollback
from marketing_mlops.registry.bundle_files import BundleError
from marketing_mlops.registry.bundles import read_bundle, score_rows
from marketing_mlops.serving import predictor as room
from marketing_mlops.serving.predictor import RETRY_SECONDS, Predictor
from marketing_mlops.governance.approvals import grant, request_approval
from marketing_mlops.governance.release_gates import check_bundle
from marketing_mlops.governance.releases import bundle_evidence
from marketing_mlops.governance.routing import serving_role
from marketing_mlops.governance.trials import start_canary
from served_shop import MEASURED, customers, put_live

ROWS = customers(50).astype(object).where(customers(50).notna(), None).to_dict("records")

@pytest.fixture
def clock(): return [0.]

@pytest.fixture
def churn(shop, clock): return Predictor(shop, "churn", seconds=lambda: clock[0])

def test_a_customer_gets_the_score_of_the_score_stage(churn, spring):
    served = [each["p_no_order"] for each in churn.predict(ROWS).scores]
    assert served == score_rows(spring, customers(50)).p_no_order.tolist()

def test_one_row_or_many_give_the_same_scores(churn):
    together = [each["p_no_order"] for each in churn.predict(ROWS).scores]
    assert [churn.predict([row]).scores[0]["p_no_order"] for row in ROWS] == pytest.approx(together, abs=1e-12)

def test_a_release_and_a_rollback_are_followed(churn, shop, spring, summer):
    put_live(shop, summer)
    turned = churn.predict(ROWS)
    assert turned.bundle_hash == summer.core_hash
    rollback(shop, "churn", "marketing@example.com", "Complaints")
    back = churn.predict(ROWS)
    assert back.bundle_hash == spring.core_hash and churn.champion.pointer.reason == "Complaints"
    assert not np.allclose([each["p_no_order"] for each in back.scores], [each["p_no_order"] for each in turned.scores])

NAMED = [row | {"customer_id": f"customer {i}"} for i, row in enumerate(ROWS)]

def on_trial(shop, bundle, share=.4):
    asked = bundle_evidence(bundle.folder)
    request_approval(shop, asked.matter, "analyst@example.com", structure=asked.structure)
    check_bundle(shop, "churn", bundle.folder, "analyst@example.com", findings=MEASURED)
    for role in ("model-owner@example.com", "marketing@example.com"): grant(shop, asked.matter, role)
    return start_canary(shop, "churn", bundle.folder, "analyst@example.com", share=share)

def test_a_canary_answers_for_the_customers_the_nightly_scores_give_it_in_the_order_asked(churn, shop, spring, summer):
    route = on_trial(shop, summer).route
    found = churn.predict(NAMED)
    trial = [i for i, row in enumerate(NAMED) if serving_role(row["customer_id"], route) == "canary"]
    by = {"champion": score_rows(spring, customers(50)).p_no_order, "canary": score_rows(summer, customers(50)).p_no_order}
    assert found.canary_rows == tuple(trial) and 0 < len(trial) < len(NAMED) and found.to_dict()["canary"] == dict(bundle=summer.core_hash, rows=trial)
    assert [each["p_no_order"] for each in found.scores] == pytest.approx([by["canary" if i in trial else "champion"][i] for i in range(50)], abs=1e-12)
    assert "canary" not in churn.predict(ROWS).to_dict(), "rows that name nobody are the champion's"
    odd = [row | {"recency_days": 1e6} for row in NAMED]
    assert {i for note in churn.predict(odd).notes for i in note.rows if note.code == "outside_range"} & set(trial), "notes name the rows of the whole question"

def test_the_end_of_a_trial_is_followed_at_once(churn, shop, spring, summer):
    on_trial(shop, summer, .9)
    assert churn.predict(NAMED).canary_rows
    rollback(shop, "churn", "marketing@example.com", "Complaints")
    assert churn.predict(NAMED).canary_rows == () and churn.champion.canary is None and churn.champion.bundle.core_hash == spring.core_hash

def test_a_canary_that_cannot_be_read_leaves_everybody_to_the_champion_and_holds_up_no_rollback(churn, shop, spring, summer, clock):
    on_trial(shop, summer, .9)
    place = bundle_place(shop, summer.core_hash)
    place.rename(place.with_name("away"))
    found = churn.predict(NAMED)
    assert found.canary_rows == () and found.bundle_hash == spring.core_hash and isinstance(churn.trouble, BundleError)
    assert Predictor(shop, "churn").trouble
    place.with_name("away").rename(place)
    clock[0] += RETRY_SECONDS
    assert churn.predict(NAMED).canary_rows and churn.trouble is None

@pytest.mark.parametrize("damage", ["changed", "gone", "a pickle beside it", "another bundle"])
def test_a_champion_that_cannot_be_read_leaves_the_one_before_and_is_tried_again(churn, shop, spring, summer, clock, damage):
    put_live(shop, summer)
    place = bundle_place(shop, summer.core_hash)
    kept = shutil.copytree(place, shop.root/"kept")
    if damage == "changed": (place/"parameters.json").write_text("{}")
    elif damage == "gone": shutil.rmtree(place)
    elif damage == "a pickle beside it": (place/"model.pkl").write_bytes(b"\x80\x04N.")
    else:
        shutil.rmtree(place)
        shutil.copytree(bundle_place(shop, spring.core_hash), place)
    assert churn.predict(ROWS).bundle_hash == spring.core_hash and isinstance(churn.trouble, BundleError)
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(kept, place)
    assert churn.predict(ROWS).bundle_hash == spring.core_hash
    clock[0] += RETRY_SECONDS
    assert churn.predict(ROWS).bundle_hash == summer.core_hash and churn.trouble is None and not churn.is_due

def test_a_pointer_edited_by_hand_changes_nothing(churn, shop, spring, summer):
    put_live(shop, summer)
    file = pointer_file(shop, "churn")
    before = file.read_text()
    for content in (before.replace(summer.core_hash, spring.core_hash), "{ not json", '{"champion": null}'):
        file.write_text(content)
        assert churn.predict(ROWS).bundle_hash == summer.core_hash
        assert file.read_text() == before
    file.unlink()
    assert churn.predict(ROWS).bundle_hash == summer.core_hash and file.read_text() == before

def test_a_pointer_without_its_entry_leaves_the_champion(churn, shop, spring):
    pointer_file(shop, "churn").write_text('{"champion": "%s", "ledger_head": "%s"}' % ("e"*64, "0"*64))
    assert churn.predict(ROWS).bundle_hash == spring.core_hash and isinstance(churn.trouble, ReleaseError)

def test_any_failure_of_reading_leaves_the_champion(churn, shop, spring, monkeypatch):
    def fail(*_, **__): raise MemoryError
    monkeypatch.setattr(room, "live", fail)
    pointer_file(shop, "churn").touch()
    pointer_file(shop, "churn").write_text(pointer_file(shop, "churn").read_text() + "\n")
    assert churn.predict(ROWS).bundle_hash == spring.core_hash and isinstance(churn.trouble, MemoryError)

def test_without_a_change_nothing_is_read(churn, monkeypatch):
    monkeypatch.setattr(room, "live", lambda *_: pytest.fail("the ledger was asked"))
    monkeypatch.setattr(room, "read_bundle", lambda *_: pytest.fail("a bundle was read"))
    for _ in range(3): churn.predict(ROWS[:1])

def test_many_threads_open_a_new_champion_once_and_all_get_it(churn, shop, summer, monkeypatch):
    put_live(shop, summer)
    opened, answers = [], []
    monkeypatch.setattr(room, "read_bundle", lambda *words, **named: opened.append(1) or read_bundle(*words, **named))
    threads = [threading.Thread(target=lambda: answers.append(churn.predict(ROWS).bundle_hash)) for _ in range(8)]
    for each in threads: each.start()
    for each in threads: each.join()
    assert set(answers) == {summer.core_hash} and len(answers) == 8 and len(opened) == 1

def test_it_does_not_start_without_a_readable_champion(shop, spring):
    with pytest.raises(ReleaseError, match="promo has no champion"): Predictor(shop, "promo")
    (bundle_place(shop, spring.core_hash)/"features.json").write_text("[]")
    with pytest.raises(BundleError, match="features.json: this file was changed"): Predictor(shop, "churn")
