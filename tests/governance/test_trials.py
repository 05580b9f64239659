"""Beside the champion and back: what may stand there, who is served, and that nothing is half there."""
import json, shutil
import pytest
from governed_workspace import approved, at, contents, finished, killed, make_workspace, put_live, small_bundle, start
from marketing_mlops.governance.approvals import grant
from marketing_mlops.governance.duties import review_duties
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.governance.live_checks import check_champions
from marketing_mlops.governance.live_pointers import ReleaseError, bundle_place, live, pointer_file, what_was_live
from marketing_mlops.contracts.verdict import Reason, Verdict
from marketing_mlops.governance.release_gates import GateFindings, check_bundle
from marketing_mlops.governance.release_states import CANARY_STEP, CHECKED, LEFT_OUT, RELEASED, ROLLED_BACK, MoveError, release_states
from marketing_mlops.governance.releases import RollbackChoice, bundle_evidence, rollback, state_of_bundle
from marketing_mlops.governance.routing import customer_place, routed
from marketing_mlops.governance.trials import retire, start_canary, start_shadow
from marketing_mlops.registry.bundles import read_bundle
from marketing_mlops.workspace.errors import MmopsError
from marketing_mlops.workspace.places import write_json

ANALYST, OWNER = "analyst@example.com", "model-owner@example.com"
CUSTOMERS = [f"customer {i:04}" for i in range(2_000)]
def digest(folder): return read_bundle(folder).core_hash
def third(shop, days=30, day="03-05"): return approved(shop, small_bundle(shop, f"churn_{days}", even_after=float(days)), day)
def on_trial(shop, folder, share=.1, day="03-06"): return start_canary(shop, "churn", folder, ANALYST, share=share, clock=at(day))
def watched(shop, folder, day="03-06"): return start_shadow(shop, "churn", folder, ANALYST, clock=at(day))
def back(shop, day="03-10", **words): return rollback(shop, "churn", "marketing@example.com", "Complaints", choice=RollbackChoice(**words), clock=at(day))
def stages(shop, *names):
    path = shop.root/"params.yaml"
    path.write_text(path.read_text().replace("source: shop, task: propensity}", f"source: shop, task: propensity, release: {{stages: [{', '.join(names)}]}}}}", 1))

# ---- forward

def test_a_rule_that_asks_for_both_stages_lets_nobody_jump_over_one(shop):
    stages(shop, "shadow", "canary")
    first = put_live(shop, approved(shop, small_bundle(shop, "first")), "03-02")
    assert {entry.payload["why"] for entry in Ledger(shop).entries(LEFT_OUT)} == {"there was no champion to stand beside"}
    folder = third(shop)
    for step in (lambda: put_live(shop, folder, "03-06"), lambda: on_trial(shop, folder)):
        with pytest.raises(MoveError, match="asks for shadow before this step"): step()
    assert watched(shop, folder).shadow == digest(folder)
    with pytest.raises(MoveError, match="asks for canary before this step"): put_live(shop, folder, "03-07")
    on_trial(shop, folder, day="03-07")
    assert put_live(shop, folder, "03-08").champion == digest(folder) != first.champion
    assert len(Ledger(shop).entries(LEFT_OUT)) == 2, "nothing was left out the second time"

def test_a_larger_share_serves_everybody_the_smaller_one_did_and_is_one_entry(two):
    folder = third(two)
    routes = [on_trial(two, folder, share).route for share in (.1, .3, .9)]
    shares = [{each for each in CUSTOMERS if routed(each, route) == route.canary} for route in routes]
    assert shares[0] < shares[1] < shares[2] and len(Ledger(two).entries(CANARY_STEP)) == 3
    assert all((customer_place(each, "churn") < .9) == (each in shares[2]) for each in CUSTOMERS)
    kept = contents(two)
    on_trial(two, folder, .9)
    assert contents(two) == kept

@pytest.mark.parametrize("step", [watched, on_trial])
def test_a_trial_is_held_against_everything_a_release_is(two, step):
    for make, contains in ((lambda: small_bundle(two, "asked", even_after=11.), "nobody asked"), (lambda: approved(two, small_bundle(two, "weak", status="fail", even_after=12.), "03-05"), "has the verdict 'fail'"),
                           (lambda: two.path("data", "bundle", "churn_90"), "is a champion; from there it cannot")):
        folder = make()
        kept = contents(two)
        with pytest.raises(MmopsError, match=contains): step(two, folder)
        assert contents(two) == kept

def test_a_failed_check_stops_every_step_until_one_passes_and_never_a_rollback(two):
    folder = third(two)
    def checked(status, day):
        found = Verdict("rebuild", status, [Reason("rebuilt", "As measured.", severity=status)])
        check_bundle(two, "churn", folder, ANALYST, findings=GateFindings({"rebuild": found}), clock=at(day))
    checked("fail", "03-06")
    for step in (lambda: put_live(two, folder, "03-07"), lambda: on_trial(two, folder), lambda: watched(two, folder)):
        with pytest.raises(ReleaseError, match="a gate is shut. rebuild: As measured"): step()
    checked("pass", "03-08")
    with pytest.raises(ReleaseError, match="has read no check since that opens it"): on_trial(two, folder, day="03-09")
    grant(two, bundle_evidence(folder).matter, OWNER, clock=at("03-09"))
    on_trial(two, folder, day="03-09"), put_live(two, folder, "03-10")
    for each in ("churn_60", "churn_90"): Ledger(two, at("03-11")).append(CHECKED, "churn", ANALYST, dict(bundle_hash=digest(two.path("data", "bundle", each)), evaluation_hash="e"*64, status="fail", verdicts=[]))
    assert back(two, "12-01").champion == digest(two.path("data", "bundle", "churn_90")), "neither a check nor an end of an approval holds up a rollback"

def test_a_trial_whose_approval_ended_goes_on_and_takes_no_further_step(two):
    folder = third(two)
    on_trial(two, folder)
    assert live(two, "churn").canary == digest(folder)
    with pytest.raises(ReleaseError, match="ended on"): put_live(two, folder, "06-01")
    assert what_was_live(two, "churn", at("06-01").now()).canary == digest(folder)
    assert put_live(two, approved(two, folder, "06-02"), "06-02").champion == digest(folder)

# ---- back

def test_every_live_state_has_its_way_back_and_leaves_the_others_alone(two):
    canary, shadow = third(two, 30), third(two, 40)
    on_trial(two, canary), watched(two, shadow)
    champion = live(two, "churn").champion
    ended = back(two)
    assert (ended.champion, ended.canary, ended.shadow) == (champion, None, digest(shadow))
    gone = back(two, "03-11")
    assert gone.champion == digest(two.path("data", "bundle", "churn_60")) and gone.shadow == digest(shadow), "a shadow reaches nobody, so the champion is left"
    with pytest.raises(ReleaseError, match="has no canary"): back(two, stage="canary")
    assert back(two, "03-12", stage="shadow").shadow is None
    assert [entry.payload["stage"] for entry in Ledger(two).entries(ROLLED_BACK)] == ["canary", "champion", "shadow"]
    assert len(review_duties(Ledger(two).entries(), at("03-12").now())) == 3

def test_any_earlier_champion_can_be_named_also_one_that_is_not_standing(two):
    put_live(two, third(two, 30), "03-06"), put_live(two, third(two, 40), "03-07")
    by_days = {days: digest(two.path("data", "bundle", f"churn_{days}")) for days in (60, 90, 30, 40)}
    assert back(two, "03-08", to=by_days[60]).champion == by_days[60]
    assert back(two, "03-09", to=by_days[30][:10].upper()).champion == by_days[30]
    with pytest.raises(ReleaseError, match="names 0 of the earlier champions"): back(two, "03-10", to="00")
    again = back(two, "03-10", to=by_days[40])
    assert again.champion == by_days[40] and "rolled it back on 2026-03-08" in again.despite
    assert back(two, "03-11", to=by_days[90]).champion == by_days[90]
    assert [what_was_live(two, "churn", at(day).now()).champion for day in ("03-07", "03-08", "03-09", "03-10", "03-11")] == [by_days[days] for days in (40, 60, 30, 40, 90)]

def test_where_an_earlier_champion_is_named_the_champion_is_left_and_a_canary_goes_on(two):
    canary = third(two)
    on_trial(two, canary)
    now = back(two, to=digest(two.path("data", "bundle", "churn_60")))
    assert (now.champion, now.canary) == (digest(two.path("data", "bundle", "churn_60")), digest(canary))

def test_two_clones_that_end_the_same_trial_end_it_once_and_leave_the_champion(two, tmp_path):
    on_trial(two, third(two))
    clone = make_workspace(tmp_path/"clone", "clone")
    for name in ("ledger", "live", "bundles"): shutil.copytree(two.path("data", name), clone.path("data", name))
    before = back(two), back(clone)
    shutil.copy2(clone.path("data", "ledger", "clone.jsonl"), two.path("data", "ledger", "clone.jsonl"))
    assert (live(two, "churn").champion, live(two, "churn").canary) == (before[0].champion, None) == (before[1].champion, None)

def test_states_and_pointer_agree_after_every_entry(two):
    first, second = third(two, 30), third(two, 40)
    watched(two, first), on_trial(two, first, day="03-07"), watched(two, second, "03-07"), put_live(two, first, "03-08"), on_trial(two, third(two, 40, "03-09"), .5, "03-09")
    back(two, "03-10"), back(two, "03-11"), retire(two, "churn", digest(second), ANALYST, "Not needed", clock=at("03-12"))
    entries = Ledger(two).entries(subject="churn")
    for entry in entries:
        pointer = what_was_live(two, "churn", entry.time)
        known = [each for each in entries if each.time <= entry.time]
        states = {bundle: state_of_bundle(known, bundle, entry.time) for bundle in {each.payload.get("bundle_hash") for each in known} - {None}}
        for role in ("champion", "canary", "shadow"):
            assert [bundle for bundle, state in states.items() if state == role] == [each for each in [pointer and getattr(pointer, role)] if each]
    assert release_states(entries, at("03-12").now()).get("0"*64) is None

# ---- the pointer, and processes

@pytest.mark.parametrize("edit", [dict(canary=None), dict(routing={"champion": .1, "canary": .9}), dict(shadow="d"*64), dict(routing="all")], ids=lambda edit: "-".join(edit))
def test_a_pointer_with_another_trial_than_the_ledger_stops_the_scoring_and_is_written_again(two, edit):
    on_trial(two, third(two))
    file = pointer_file(two, "churn")
    kept = file.read_text()
    write_json(file, {name: value for name, value in (json.loads(kept) | edit).items() if value is not None})
    with pytest.raises(ReleaseError, match="data/live/churn.json names"): check_champions(two, ["churn"])
    assert live(two, "churn").canary and file.read_text() == kept
    check_champions(two, ["churn"])

def test_killed_between_what_is_left_out_and_the_release_nothing_is_released_and_nothing_said_twice(two):
    folder = third(two)
    killed(two, f"""
        from marketing_mlops.governance.ledger import Ledger
        own = Ledger.append
        def dying(self, kind, *words, **more):
            if kind == "released": os.kill(os.getpid(), signal.SIGKILL)
            return own(self, kind, *words, **more)
        Ledger.append = dying
        put_live(shop, {str(folder)!r}, "03-06")""")
    before = len(Ledger(two).entries(LEFT_OUT))
    assert live(two, "churn").champion == digest(two.path("data", "bundle", "churn_90"))
    assert put_live(two, folder, "03-07").champion == digest(folder)
    assert len(Ledger(two).entries(LEFT_OUT)) == before and Ledger(two).verify().passed

def test_of_two_canaries_at_once_one_begins_and_the_other_is_told_why(two):
    folders = [third(two, days) for days in (30, 40)]
    code = "from marketing_mlops.governance.trials import start_canary\ntry: start_canary(shop, 'churn', {!r}, 'analyst@example.com', clock=at('03-06')); print('begun')\nexcept Exception as error: print(error)"
    said = [finished(each) for each in [start(two, code.format(str(folder))) for folder in folders]]
    assert sorted("begun" in each for each in said) == [False, True] and any("churn has a canary already" in each for each in said)
    assert len(Ledger(two).entries(CANARY_STEP)) == 1

def test_a_clone_knows_the_trial_from_the_logs_alone(two, tmp_path):
    on_trial(two, third(two))
    clone = make_workspace(tmp_path/"clone", "clone")
    shutil.copytree(two.path("data", "ledger"), clone.path("data", "ledger"))
    assert live(clone, "churn") == live(two, "churn")

def test_a_retired_model_has_no_champion_and_its_next_one_is_asked_of_both_sides(two):
    champion = live(two, "churn").champion
    retire(two, "churn", champion, ANALYST, "The shop closes", clock=at("03-10"))
    assert live(two, "churn") is None and json.loads(pointer_file(two, "churn").read_text())["champion"] is None
    with pytest.raises(ReleaseError, match="no earlier champion"): back(two)
    folder = third(two, 30, "03-11")
    assert put_live(two, folder, "03-12").approver == "model-owner@example.com, finance@example.com"
    assert len(Ledger(two).entries(RELEASED)) == 3 and bundle_place(two, champion).is_dir()
