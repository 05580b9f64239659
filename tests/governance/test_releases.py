"""What goes live was approved to the byte, comes back by one command, and is never half there."""
import json, shutil
import pytest
from governed_workspace import approved, at, contents, finished, killed, make_workspace, put_live, small_bundle, start
from marketing_mlops.governance.approvals import ApprovalError, grant, refuse, request_approval
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.governance.ledger_entries import LedgerError
from marketing_mlops.governance.live_pointers import RELEASED, ROLLED_BACK, ReleaseError, bundle_place, champions, live, pointer_file, what_was_live
from marketing_mlops.governance.releases import RollbackChoice, bundle_evidence, evaluation_hash, release, rollback
from marketing_mlops.governance.release_states import LEFT_OUT, MoveError
from marketing_mlops.governance.trials import retire, start_canary, start_shadow
from marketing_mlops.registry.bundle_files import BundleError
from marketing_mlops.registry.bundles import read_bundle
from marketing_mlops.workspace.errors import MmopsError
from marketing_mlops.workspace.places import find_workspace, write_json

def bundle(shop, days, **words): return small_bundle(shop, f"churn_{days}", even_after=float(days), **words)
def go_back(shop, day="03-10", reason="Twice as many complaints"): return rollback(shop, "churn", "marketing@example.com", reason, clock=at(day))
def digest(folder): return read_bundle(folder).core_hash

def spoil(folder, name="parameters.json", content=b"{}"): (folder/name).write_bytes(content); return folder

REFUSED = {
    "not asked for": (lambda s: bundle(s, 60), "03-02", "nobody asked"),
    "expired": (lambda s: approved(s, bundle(s, 60)), "03-31", "ended on 2026-03-31"),
    "other bytes": (lambda s: (approved(s, bundle(s, 60)), bundle(s, 61))[1], "03-02", "nobody asked for these bytes"),
    "same scorer, other evaluation": (lambda s: (approved(s, bundle(s, 60)), bundle(s, 60, status="review"))[1], "03-02", "nobody asked for these bytes"),
    "changed after approval": (lambda s: spoil(approved(s, bundle(s, 60))), "03-02", "was changed after the bundle was made"),
    "a file too many": (lambda s: spoil(approved(s, bundle(s, 60)), "extra.txt"), "03-02", "does not belong to the bundle"),
    "a pickle": (lambda s: spoil(approved(s, bundle(s, 60)), "model.pkl", b"\x80\x04N."), "03-02", "pickle"),
    "verdict fail": (lambda s: approved(s, bundle(s, 60, status="fail")), "03-02", "has the verdict 'fail'"),
    "verdict unknown": (lambda s: approved(s, bundle(s, 60, status="unknown")), "03-02", "has the verdict 'unknown'"),
    "no verdict": (lambda s: approved(s, bundle(s, 60, verdict=False)), "03-02", "holds no verdict"),
    "another model's": (lambda s: approved(s, bundle(s, 60, model="promo"), model="promo"), "03-02", "is of the model 'promo'"),
    "no folder": (lambda s: s.path("data", "bundle", "nowhere"), "03-02", "no such folder"),
}

@pytest.mark.parametrize("case", REFUSED)
def test_what_may_not_go_live_is_refused_with_the_reason_and_nothing_is_half_applied(two, case):
    make, day, contains = REFUSED[case]
    other = make(two) if case != "not asked for" else bundle(two, 30)
    kept, entries, champion = contents(two), Ledger(two).entries(), live(two, "churn")
    with pytest.raises(MmopsError) as refused: put_live(two, other, day)
    assert contains in str(refused.value) and str(refused.value).count("\n") == 1
    assert contents(two) == kept and Ledger(two).entries() == entries and live(two, "churn") == champion

def test_an_approval_that_was_taken_back_releases_nothing(shop):
    folder = approved(shop, bundle(shop, 60))
    asked = bundle_evidence(folder)
    refuse(shop, asked.matter, "data-protection@example.com", reason="Consents were missing", clock=at("03-02"))
    with pytest.raises(ReleaseError, match="data-protection@example.com refused it: Consents were missing"): put_live(shop, folder)
    assert live(shop, "churn") is None and not pointer_file(shop, "churn").exists()

def test_the_yes_of_somebody_whom_the_approved_rules_name_no_more_does_not_count(shop):
    folder = approved(shop, bundle(shop, 60))
    (shop.root/"settings.ini").write_text("[DEFAULT]\napprovers = data-protection@example.com, finance@example.com\n")
    changed = find_workspace(shop.root)
    matter = bundle_evidence(bundle(changed, 90)).matter
    request_approval(changed, matter, "analyst@example.com", clock=at("03-02"))
    for role in ("data-protection@example.com", "finance@example.com"): grant(changed, matter, role, clock=at("03-02"))
    with pytest.raises(ReleaseError, match="model-owner@example.com is no approver any more"): put_live(changed, folder)

def test_a_list_of_approvers_shortened_in_the_file_changes_nothing_until_it_is_approved(shop):
    folder = approved(shop, bundle(shop, 60))
    (shop.root/"settings.ini").write_text("[DEFAULT]\napprovers = analyst@example.com\n")
    assert put_live(find_workspace(shop.root), folder).approver == "model-owner@example.com, finance@example.com"

def test_a_gate_lowered_in_the_file_is_found_at_the_release(shop):
    path, folder = shop.root/"params.yaml", approved(shop, bundle(shop, 60))
    path.write_text(path.read_text().replace("source: shop, task: propensity}", "source: shop, task: propensity, gates: {auc: 0.6}}", 1))
    strict = approved(shop, bundle(shop, 90))
    with pytest.raises(ReleaseError, match="judged by other gates|other rules than those in force"): put_live(shop, folder)
    with pytest.raises(ReleaseError, match="judged by other gates|other rules than those in force"): put_live(shop, strict)

def test_an_unknown_model_is_named_with_its_nearest(shop):
    folder = approved(shop, bundle(shop, 60))
    with pytest.raises(MmopsError, match="Did you mean 'churn'"): put_live(shop, folder, model="churm")

def test_a_verdict_of_review_may_be_approved(shop):
    assert put_live(shop, approved(shop, bundle(shop, 60, status="review"))).champion

def test_releasing_again_changes_nothing_even_after_the_approval_ended(two):
    kept = contents(two)
    assert put_live(two, two.path("data", "bundle", "churn_90"), "09-01") == live(two, "churn")
    assert contents(two) == kept

def test_released_bytes_stay_when_the_pipeline_overwrites_its_folder(two):
    before = live(two, "churn")
    spoil(two.path("data", "bundle", "churn_90"))
    assert read_bundle(before.bundle_folder(two), expected=before.champion).core_hash == before.champion

def test_the_evaluation_hash_does_not_depend_on_the_order_of_keys_and_takes_numbers_of_numpy():
    import numpy as np
    assert evaluation_hash({"a": 1, "b": {"c": .5}}) == evaluation_hash({"b": {"c": np.float64(.5)}, "a": np.int64(1)})

# ---- killed

def test_killed_between_entry_and_pointer_the_release_holds_and_the_next_call_writes_the_pointer(two):
    folder = approved(two, bundle(two, 30), "03-05")
    killed(two, f"""
        from marketing_mlops.governance import live_pointers
        live_pointers.write_json = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        put_live(shop, {str(folder)!r}, "03-06")""")
    assert json.loads(pointer_file(two, "churn").read_text())["champion"] == digest(two.path("data", "bundle", "churn_90"))
    assert live(two, "churn").champion == digest(folder)
    assert json.loads(pointer_file(two, "churn").read_text())["champion"] == digest(folder)
    assert len(Ledger(two).entries(RELEASED)) == 3 and Ledger(two).verify().passed

def test_killed_while_copying_nothing_was_released_and_the_next_attempt_succeeds(shop):
    folder = approved(shop, bundle(shop, 60))
    killed(shop, f"""
        from marketing_mlops.governance import releases
        def half(source, into, **words): (into/"core.json").write_text("half"); os.kill(os.getpid(), signal.SIGKILL)
        releases.shutil.copytree = half
        put_live(shop, {str(folder)!r})""")
    assert live(shop, "churn") is None and Ledger(shop).entries(RELEASED) == []
    assert put_live(shop, folder).champion == digest(folder)
    assert [path.name for path in shop.path("data", "bundles").iterdir()] == [digest(folder)]

def test_of_two_releases_at_once_one_wins_and_the_other_is_told_why(shop):
    folders = [approved(shop, bundle(shop, days)) for days in (60, 90)]
    processes = [start(shop, f"put_live(shop, {str(folder)!r})") for folder in folders]
    said = [process.communicate()[1] for process in processes]
    assert sorted(process.returncode for process in processes) == [0, 1]
    assert "it was held against no champion, and by now" in "".join(said)
    standing = champions(Ledger(shop).entries(RELEASED, ROLLED_BACK))
    assert [entry.payload["bundle_hash"] for entry in standing] == [digest(folder) for folder, process in zip(folders, processes) if process.returncode == 0]
    assert json.loads(pointer_file(shop, "churn").read_text())["champion"] == standing[-1].payload["bundle_hash"] == live(shop, "churn").champion
    assert Ledger(shop).verify().passed

# ---- back

def test_rollback_returns_to_the_bytes_that_were_live_before(two):
    first = digest(two.path("data", "bundle", "churn_60"))
    back = go_back(two, reason='Twice as "many" <b>complaints</b> 🍂 from anna@example.com')
    assert back.champion == first and back.approver == "model-owner@example.com, finance@example.com" and back.actor == "marketing@example.com"
    assert back.reason == 'Twice as "many" <b>complaints</b> 🍂 from <e-mail>' and "<b>" not in back._repr_markdown_()
    assert json.loads(pointer_file(two, "churn").read_text())["ledger_head"] == back.ledger_head

def test_a_second_rollback_does_not_go_forward_again(two):
    go_back(two)
    kept = contents(two)
    with pytest.raises(ReleaseError, match="no earlier champion to return to; releases standing: 1"): go_back(two)
    assert contents(two) == kept

def test_after_a_rollback_a_new_release_returns_to_the_one_before_it(two):
    go_back(two, "03-05")
    put_live(two, approved(two, bundle(two, 30), "03-06"), "03-06")
    assert go_back(two, "03-07").champion == digest(two.path("data", "bundle", "churn_60"))

def test_what_was_rolled_back_returns_only_on_an_approval_given_after_the_rollback(two):
    again = two.path("data", "bundle", "churn_90")
    go_back(two, "03-05")
    kept = contents(two)
    with pytest.raises(ReleaseError, match="marketing@example.com rolled it back on 2026-03-05 .* nobody has approved it since.\nAsk with `mmops request churn"): put_live(two, again, "03-06")
    with pytest.raises(ApprovalError, match="was rolled back by marketing@example.com: Twice as many complaints.\nAsk again"):
        grant(two, bundle_evidence(again).matter, "model-owner@example.com", clock=at("03-06"))
    assert contents(two) == kept
    assert put_live(two, approved(two, again, "03-07"), "03-07").champion == digest(again)
    assert len(champions(Ledger(two).entries(RELEASED, ROLLED_BACK))) == 2

def test_a_bundle_that_was_never_rolled_back_keeps_its_approval_when_another_one_is(two):
    go_back(two, "03-05")
    other = approved(two, bundle(two, 30), "03-04")
    assert put_live(two, other, "03-06").champion == digest(other)

def test_where_only_what_was_itself_left_is_before_it_returns_and_says_so(two):
    first, second = (two.path("data", "bundle", name) for name in ("churn_60", "churn_90"))
    with pytest.raises(MoveError, match="is retired; from there it cannot become champion"): put_live(two, first, "03-05")
    put_live(two, approved(two, first, "04-10"), "04-10")      # released a second time, above the other, on a new approval
    assert go_back(two, "04-11").champion == digest(second)
    back = go_back(two, "04-12")                               # the same bytes, as they were live in March
    assert back.champion == digest(first) and back.despite.startswith("marketing@example.com rolled it back on 2026-04-11 (Twice as many complaints)")
    with pytest.raises(ReleaseError, match=f"releases standing: 1.\\n.*--to: {digest(second)[:12]}"): go_back(two, "04-13")

@pytest.mark.parametrize("spoiled, error, contains", [
    (lambda place: shutil.rmtree(place), ReleaseError, "is not in data/bundles"),
    (lambda place: spoil(place), BundleError, "was changed after the bundle was made"),
    (lambda place: (place/"scorer").rename(place/"scorers"), BundleError, "does not belong")])
def test_a_rollback_to_bytes_that_are_gone_or_changed_is_refused(two, spoiled, error, contains):
    spoiled(bundle_place(two, digest(two.path("data", "bundle", "churn_60"))))
    kept = contents(two)
    with pytest.raises(error, match=contains): go_back(two)
    assert contents(two) == kept

def refused(shop, name, day="03-08", reason="Consents were missing"):
    asked = bundle_evidence(shop.path("data", "bundle", name))
    refuse(shop, asked.matter, "data-protection@example.com", reason=reason, clock=at(day))

def test_a_rollback_to_a_bundle_that_was_refused_goes_through_and_says_so_everywhere(two):
    refused(two, "churn_60")
    back = go_back(two)
    said = "data-protection@example.com refused it on 2026-03-08 (Consents were missing), and nobody has approved it since"
    assert back.champion == digest(two.path("data", "bundle", "churn_60")) and back.despite == said == Ledger(two).entries(ROLLED_BACK)[-1].payload["despite"]
    assert live(two, "churn").despite == said and what_was_live(two, "churn", at("03-11").now()).despite == said
    assert said in back._repr_markdown_() and "despite" not in json.loads(pointer_file(two, "churn").read_text())
    with pytest.raises(ReleaseError, match="is not approved"): put_live(two, two.path("data", "bundle", "churn_90"), "03-11")
    assert put_live(two, approved(two, two.path("data", "bundle", "churn_90"), "03-12"), "03-12").despite == ""

def test_without_a_name_a_rollback_passes_over_what_somebody_objects_to_and_says_so(two):
    put_live(two, approved(two, bundle(two, 30), "03-05"), "03-05")
    refused(two, "churn_90")
    back, (entry,) = go_back(two), Ledger(two).entries(ROLLED_BACK)
    assert back.champion == digest(two.path("data", "bundle", "churn_60")) and back.despite == ""
    assert "refused it on 2026-03-08" in entry.payload["passed_over"][digest(two.path("data", "bundle", "churn_90"))]

def test_where_every_earlier_champion_has_an_objection_the_one_before_returns(two):
    put_live(two, approved(two, bundle(two, 30), "03-05"), "03-05")
    for name in ("churn_90", "churn_60"): refused(two, name)
    back = go_back(two)
    assert back.champion == digest(two.path("data", "bundle", "churn_90")) and "refused it" in back.despite and Ledger(two).entries(ROLLED_BACK)[-1].payload["passed_over"] == {}

def test_a_champion_that_was_retired_for_good_comes_back_by_name_and_the_retirement_is_said(two):
    first = digest(two.path("data", "bundle", "churn_60"))
    retire(two, "churn", first, "model-owner@example.com", "Never again", clock=at("03-08"))
    with pytest.raises(ReleaseError, match="no earlier champion"): go_back(two)
    back = rollback(two, "churn", "marketing@example.com", "Complaints", choice=RollbackChoice(to=first[:8]), clock=at("03-10"))
    assert back.champion == first and back.despite.startswith("model-owner@example.com retired it for good on 2026-03-08 (Never again)")

@pytest.mark.parametrize("stage", ["shadow", "canary"])
def test_an_earlier_champion_that_is_on_trial_again_comes_back_and_its_trial_ends(two, stage):
    folder = two.path("data", "bundle", "churn_60")
    approved(two, folder, "04-10")
    (start_shadow if stage == "shadow" else start_canary)(two, "churn", folder, "analyst@example.com", clock=at("04-10"))
    back = rollback(two, "churn", "marketing@example.com", "Complaints", choice=RollbackChoice(to=digest(folder)[:8]), clock=at("04-11"))
    assert (back.champion, back.canary, back.shadow) == (digest(folder), None, None)

def test_a_yes_that_did_not_know_of_the_objection_does_not_answer_it_at_a_rollback_either(two, tmp_path):
    first = two.path("data", "bundle", "churn_60")
    clone = make_workspace(tmp_path/"clone", "clone")
    for name in ("ledger", "live", "bundles"): shutil.copytree(two.path("data", name), clone.path("data", name))
    asked = bundle_evidence(first)
    refuse(clone, asked.matter, "data-protection@example.com", reason="Consents were missing", clock=at("04-10"))
    approved(two, first, "04-11")
    shutil.copy2(clone.path("data", "ledger", "clone.jsonl"), two.path("data", "ledger", "clone.jsonl"))
    assert "data-protection@example.com refused it on 2026-04-10" in go_back(two, "04-12").despite

def test_a_bundle_whose_feature_means_something_else_by_now_does_not_come_back(two, monkeypatch):
    import marketing_mlops.governance.rollback_goals as goals
    monkeypatch.setattr(goals, "_changed_feature", lambda workspace, bundle: "recency_days is not declared any more")
    kept = contents(two)
    with pytest.raises(ReleaseError, match="cannot score: recency_days is not declared any more.\nPut that declaration back, or name another one with --to"): go_back(two)
    assert contents(two) == kept

@pytest.mark.parametrize("broken", ["features: 7\n", "models: [\n", "features: {odd_one: {table: nowhere}}\n"])
def test_a_broken_params_file_stops_no_rollback(two, broken):
    two.path("params.yaml").write_text(broken)
    assert go_back(two).champion == digest(two.path("data", "bundle", "churn_60"))

def test_a_holiday_calendar_that_nobody_knows_stops_no_rollback(two):
    path = two.path("settings.ini")
    path.write_text(path.read_text() + "\n[markets]\nXX = Europe/Berlin, monday, 1, XX\n")
    shop = find_workspace(two.root)
    go_back(shop, "03-05")
    assert Ledger(shop).entries(ROLLED_BACK)[-1].payload["review_due"] == "2026-03-07T00:00:00+00:00"

def test_a_rollback_needs_a_reason_and_a_role(two):
    kept = contents(two)
    with pytest.raises(ApprovalError, match="A reason is missing"): go_back(two, reason="")
    with pytest.raises(LedgerError, match="no mail address"): rollback(two, "churn", "me", "Complaints", clock=at("03-10"))
    assert contents(two) == kept

def test_a_rollback_does_not_wait_for_an_ended_approval(two):
    assert go_back(two, "12-01").champion == digest(two.path("data", "bundle", "churn_60"))

# ---- the time machine and the pointer

def test_what_was_live_is_answered_for_every_day(two):
    go_back(two, "03-10")
    first, second = (digest(two.path("data", "bundle", name)) for name in ("churn_60", "churn_90"))
    def on(day): return what_was_live(two, "churn", at(day).now())
    assert on("03-01") is None
    assert [on(day).champion for day in ("03-02", "03-03", "03-04", "03-09", "03-10", "12-31")] == [first, first, second, second, first, first]
    assert on("03-09").approver == "model-owner@example.com" and on("12-31").reason == "Twice as many complaints"
    with pytest.raises(ValueError, match="time zone"): what_was_live(two, "churn", at("03-01").now().replace(tzinfo=None))

@pytest.mark.parametrize("content", ['{"champion": null}', "", "not json", "[1]", '{"champion": "%s", "ledger_head": "HEAD"}' % ("d"*64)])
def test_an_edited_pointer_is_written_again_from_the_ledger(two, content):
    head = live(two, "churn").ledger_head
    pointer_file(two, "churn").write_text(content.replace("HEAD", head))
    assert live(two, "churn").champion == digest(two.path("data", "bundle", "churn_90"))
    assert json.loads(pointer_file(two, "churn").read_text()) == live(two, "churn").to_dict()

def test_a_pointer_whose_entry_is_missing_stops_release_rollback_and_look_up(two):
    path = two.path("data", "ledger", "laptop.jsonl")
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    two.path("data", "state", "ledger.db").unlink()
    assert Ledger(two).verify().status == "fail", "the pointer is an anchor"
    for attempt in (lambda: live(two, "churn"), lambda: go_back(two), lambda: put_live(two, two.path("data", "bundle", "churn_60"))):
        with pytest.raises(ReleaseError, match="which the ledger does not hold"): attempt()

def test_a_committed_pointer_without_a_champion_means_none_and_stays_as_it_is(shop):
    path = pointer_file(shop, "churn")
    path.parent.mkdir(parents=True)
    path.write_text('{"champion": null}\n')
    assert live(shop, "churn") is None and what_was_live(shop, "churn", at("03-01").now()) is None
    Ledger(shop, at("03-01")).append("note", "churn", "marketing@example.com", {})
    assert live(shop, "churn") is None and path.read_text() == '{"champion": null}\n'

def test_a_look_at_an_unchanged_pointer_writes_nothing(two):
    before = pointer_file(two, "churn").stat().st_mtime_ns
    live(two, "churn")
    assert pointer_file(two, "churn").stat().st_mtime_ns == before

def test_a_clone_with_its_logs_knows_the_champion_and_can_go_back(two, tmp_path):
    clone = make_workspace(tmp_path/"clone", "clone")
    for name in ("ledger", "live", "bundles"): shutil.copytree(two.path("data", name), clone.path("data", name))
    assert live(clone, "churn") == live(two, "churn")
    assert go_back(clone).champion == digest(two.path("data", "bundle", "churn_60"))
    assert Ledger(clone).verify().passed

def test_two_clones_that_roll_back_the_same_release_go_back_one_step_only(two, tmp_path):
    put_live(two, approved(two, bundle(two, 30), "03-05"), "03-06")
    clone = make_workspace(tmp_path/"clone", "clone")
    for name in ("ledger", "live", "bundles"): shutil.copytree(two.path("data", name), clone.path("data", name))
    go_back(two, "03-07"), go_back(clone, "03-07")
    before = live(two, "churn")
    shutil.copy2(clone.path("data", "ledger", "clone.jsonl"), two.path("data", "ledger", "clone.jsonl"))
    assert live(two, "churn").champion == digest(two.path("data", "bundle", "churn_90"))
    assert len(Ledger(two).entries(ROLLED_BACK)) == 2 and live(two, "churn").champion == before.champion

def test_a_rollback_without_effect_does_not_change_who_made_the_champion_live(two):
    first = go_back(two, "03-07")
    again = Ledger(two, at("03-08")).append(ROLLED_BACK, "churn", "model-owner@example.com", Ledger(two).entries(ROLLED_BACK)[0].payload)
    assert live(two, "churn") == first and first.ledger_head != again.hash

def test_a_tampered_ledger_releases_nothing(two):
    folder = approved(two, bundle(two, 30), "03-05")
    from marketing_mlops.governance.ledger_store import ledger_table
    with Ledger(two).store.begin() as connection: connection.execute(ledger_table().update().where(ledger_table().c.number == 2).values(actor="somebody@example.com"))
    with pytest.raises(LedgerError, match="holds a row that is no entry"): put_live(two, folder, "03-06")

def test_a_ledger_that_lost_its_end_for_another_model_releases_nothing(two):
    folder = approved(two, bundle(two, 30), "03-05")
    write_json(pointer_file(two, "promo"), dict(champion="b"*64, ledger_head="c"*64))
    with pytest.raises(ReleaseError, match="does not hold together"): put_live(two, folder, "03-06")

@pytest.mark.parametrize("name", ["../settings", "a/b", "", ".hidden", "nul\0"])
def test_a_model_name_that_leaves_its_place_is_refused(shop, name):
    with pytest.raises(MmopsError): live(shop, name)
