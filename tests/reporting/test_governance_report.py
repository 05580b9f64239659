"""The governance review, run as `mmops report` runs it: it says what is live, who allowed it and whether that is proven, and believes no entry blindly."""
import json, shutil, subprocess
from dataclasses import replace
import pytest
from marketing_mlops.contracts.verdict import judged
from marketing_mlops.governance.approval_states import ApprovalMatter
from marketing_mlops.governance.approvals import grant, request_approval
from marketing_mlops.governance.governance_reviews import ReviewNotes, record_review
from marketing_mlops.governance.incidents import IncidentNote, open_incident
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.governance.release_states import CHECKED, GRANTED, RELEASED, ROLLED_BACK
from marketing_mlops.governance.signatures import add_signer, signers_file
from marketing_mlops.reporting.governance_blocks import bundles_table, governance_answer, governance_sentence, live_table, reviews_table
from marketing_mlops.reporting.governance_records import read_governance
from marketing_mlops.reporting.reports import run_report
from marketing_mlops.workspace.clock import ReplayClock, instant_of
from marketing_mlops.workspace.errors import StageError
from marketing_mlops.workspace.places import find_workspace, write_text

SETTINGS = "[DEFAULT]\nbusiness_approvers = marketing@example.com\ntechnical_approvers = model-owner@example.com\n"
PARAMS = """sources: {shop: {kind: simulated}}
models:
  churn: {owner: model-owner@example.com, purpose: Win back, audience: Customers, source: shop, task: propensity, release: {stages: [canary], live_days: 20}}
  promo: {owner: model-owner@example.com, purpose: Spring, audience: Customers, source: shop, task: propensity}
"""
OWNER, MARKETING, ANALYST = "model-owner@example.com", "marketing@example.com", "analyst@example.com"
EVALUATION, HOSTILE = "ab"*32, "<script>alert('x')</script>"

def at(day): return ReplayClock(instant_of(f"2026-{day}T09:00:00Z"))

@pytest.fixture
def shop(tmp_path, repository):
    write_text(tmp_path/"settings.ini", SETTINGS)
    write_text(tmp_path/"params.yaml", PARAMS)
    write_text(tmp_path/"data"/"state"/"ledger_writer", "laptop\n")
    (tmp_path/"nbs"/"reports").mkdir(parents=True)
    shutil.copy2(repository/"nbs"/"reports"/"governance_review.ipynb", tmp_path/"nbs"/"reports")
    place = find_workspace(tmp_path)
    for role in ("owner", "marketing"): subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path/role)], check=True)
    for role, who in (("owner", OWNER), ("marketing", MARKETING)): add_signer(place, who, (tmp_path/f"{role}.pub").read_text())
    return place

def agreed(shop, digits, day, keys=("owner", "marketing")):
    "Two yeses to a bundle; None in place of a key leaves one unsigned."
    request_approval(shop, ApprovalMatter("churn", digits*32, EVALUATION), ANALYST, clock=at(day))
    Ledger(shop, at(day)).append(CHECKED, "churn", ANALYST, dict(bundle_hash=digits*32, status="pass", verdicts={}))
    for who, key in zip((OWNER, MARKETING), keys): state = grant(shop, ApprovalMatter("churn", digits*32, EVALUATION), who, key=key and str(shop.root/key), reason=HOSTILE, clock=at(day))
    return state

def put_live(shop, digits, day, **keys):
    state = agreed(shop, digits, day, **keys)
    facts = dict(bundle_hash=digits*32, evaluation_hash=EVALUATION, approval=state.answer.hash, approver=state.approver, reason="", before=None, identity="verified")
    return Ledger(shop, at(day)).append(RELEASED, "churn", ANALYST, facts)

def taken_back(shop, to, left, day): Ledger(shop, at(day)).append(ROLLED_BACK, "churn", ANALYST, dict(to=to.hash, bundle_hash=to.payload["bundle_hash"], before=left*32, stage="champion", reason=HOSTILE, review_due="2026-03-13T00:00:00+01:00"))

def codes(record): return [point.code for point in record.points if point.code not in ("not_as_released", "not_anchored")]

def test_signed_yeses_need_no_look_and_an_unsigned_one_does(shop):
    put_live(shop, "5f", "03-01")
    assert codes(read_governance(shop, at=at("03-02").now())) == []
    put_live(shop, "a1", "03-05", keys=("owner", None))
    record = read_governance(shop, at=at("03-06").now())
    assert codes(record) == ["unsigned"] and MARKETING in record.points[-1].message and OWNER not in record.points[-1].message
    assert record.models[0].identity == "unverified"       # whatever the release wrote down

def test_a_release_that_no_yes_stands_behind_fails_the_page_and_names_nobody_as_approver(shop):
    put_live(shop, "5f", "03-01")
    Ledger(shop, at("03-02")).append(RELEASED, "churn", ANALYST, dict(bundle_hash="a1"*32, evaluation_hash=EVALUATION, approver=MARKETING, reason="", identity="verified"))
    record = read_governance(shop, at=at("03-03").now())
    assert codes(record) == ["not_proven"] and record.status == "fail" and record.models[0].identity == "not proven"
    page = str(governance_answer(record)) + str(live_table(record))
    assert "without a valid approval" in page and "nobody asked for these bytes" in page and f"approved by {MARKETING}" not in page

def test_one_key_listed_for_two_roles_is_a_finding_and_the_page_is_made(shop):
    put_live(shop, "5f", "03-01")
    listed = signers_file(shop)
    listed.write_text(listed.read_text() + listed.read_text().splitlines()[0].replace(OWNER, "finance@example.com") + "\n")
    record = read_governance(shop, at=at("03-02").now())
    shared = next(point for point in record.points if point.code == "shared_key")
    assert OWNER in shared.message and "finance@example.com" in shared.message and "ssh-keygen" in shared.next_step
    assert record.models[0].identity == "verified" and "not_in_force" in codes(record), "what was approved stands, and the list differs from it"
    page = run_report("governance_review", dict(at="2026-03-02T00:00:00Z"), shop)
    assert "lists one key for" in page.read_text()

def test_a_yes_that_was_copied_from_another_bundle_is_forged(shop):
    put_live(shop, "5f", "03-01")
    request_approval(shop, ApprovalMatter("churn", "a1"*32, EVALUATION), ANALYST, clock=at("03-02"))
    entries = Ledger(shop).entries(subject="churn")
    yes, asked = next(e for e in reversed(entries) if e.kind == GRANTED), entries[-1]
    Ledger(shop, at("03-02")).append(GRANTED, "churn", MARKETING, yes.payload | dict(bundle_hash="a1"*32, request=asked.hash, missing=[]))
    record = read_governance(shop, at=at("03-03").now())
    assert "forged" in codes(record) and record.status == "fail"

def test_a_review_is_due_then_missing_and_what_was_held_ends_it(shop):
    first = put_live(shop, "5f", "03-01")
    put_live(shop, "a1", "03-05")
    taken_back(shop, first, "a1", "03-12")
    assert codes(read_governance(shop, at=at("03-12").now())) == ["review_due"]
    assert codes(read_governance(shop, at=at("03-14").now())) == ["review_missing"]
    Ledger(shop, at("03-15")).append("review_held", "churn", OWNER, dict(seen="An export was late"))
    assert codes(read_governance(shop, at=at("03-16").now())) == []

def test_of_a_rollback_the_bundle_that_was_left_and_the_one_that_is_live_again_are_told_apart(shop):
    first = put_live(shop, "5f", "03-01")
    put_live(shop, "a1", "03-05")
    taken_back(shop, first, "a1", "03-12")
    rows = [line for line in bundles_table(read_governance(shop, at=at("03-13").now())).text.splitlines() if "2026-03-12" in line]
    assert {("5f5f" in line, "came back by a rollback" in line) for line in rows} == {(True, True), (False, False)}
    assert "due by the end of 2026-03-12" in reviews_table(read_governance(shop, at=at("03-13").now())).text

def test_the_page_answers_for_a_day_in_the_past_and_runs_nothing_it_was_told(shop):
    first = put_live(shop, "5f", "03-01")
    put_live(shop, "a1", "03-05")
    taken_back(shop, first, "a1", "03-12")
    page = run_report("governance_review", dict(at="2026-03-06T00:00:00Z"), shop)
    results = json.loads(page.with_suffix(".json").read_text())["results"]
    assert results["live"]["churn"] == dict(champion="a1"*32, since="2026-03-05T09:00:00+00:00", approver=f"{OWNER}, {MARKETING}", identity="verified")
    text = page.read_text()
    assert HOSTILE not in text and "&lt;script&gt;" in text and "as it was" in text and "became champion" in text and "was rolled back" not in text

def test_a_ledger_somebody_edited_is_the_answer_and_a_model_nobody_knows_is_refused(shop):
    put_live(shop, "5f", "03-01")
    log = shop.path("data", "ledger", "laptop.jsonl")
    log.write_text(log.read_text().replace(MARKETING, "somebody@example.com", 1))
    page = run_report("governance_review", {}, shop)
    results = json.loads(page.with_suffix(".json").read_text())["results"]
    assert results["verdict"] == "fail" and results["live"] == {} and "cannot be trusted" in results["sentence"]
    shutil.rmtree(shop.path("data", "ledger")), shop.path("data", "state", "ledger.db").unlink()
    with pytest.raises(StageError, match="churn"): run_report("governance_review", dict(model="churm"), shop)

SIDEWAYS = "[...document.querySelectorAll('.scroll, .chart, figure')].filter(each => each.scrollWidth > each.clientWidth + 1).map(each => each.innerText.slice(0, 60))"

@pytest.mark.browser
def test_no_table_of_the_governance_page_scrolls_sideways_however_long_its_words(shop, chromium):
    write_text(shop.root/"params.yaml", PARAMS.replace("  promo:", "  promo: {owner: model-owner@example.com, purpose: Spring, audience: Customers, source: shop, task: propensity}\n  retailer_churn_of_the_last_ninety_days:"))
    shop_at = lambda hour: ReplayClock(instant_of(f"2026-03-05T{hour}:00:00Z"))
    put_live(shop, "5f", "03-01"), put_live(shop, "a1", "03-05")
    long = "The newsletter of Thursday went to 41,208 people twice, and complaints_per_thousand_deliveries_within_a_day doubled; see data/report/retailer_churn_of_the_last_ninety_days/campaign_readout.html"
    open_incident(shop, "churn", MARKETING, IncidentNote(long, "1200 EUR"), clock=shop_at("11"))
    record_review(shop, "churn", OWNER, ReviewNotes(long, {"monitoring.psi_of_the_worst_feature": "0.2 to 0.15"}, (), (MARKETING, "data-protection-of-the-whole-group@example.com")), clock=shop_at("12"))
    open_incident(shop, "retailer_churn_of_the_last_ninety_days", MARKETING, IncidentNote(long), clock=shop_at("13"))
    page = run_report("governance_review", dict(at="2026-03-06T00:00:00Z"), shop)
    for width, scheme in ((1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")):
        watched = chromium(page, width, scheme)
        assert watched.page.evaluate(SIDEWAYS) == []
        assert watched.page.evaluate("document.documentElement.scrollWidth") <= width

@pytest.mark.browser
def test_the_governance_page_fits_its_screen_in_both_lights(shop, chromium):
    first = put_live(shop, "5f", "03-01")
    put_live(shop, "a1", "03-05")
    taken_back(shop, first, "a1", "03-12")
    page = run_report("governance_review", dict(model="churn", at="2026-03-20T00:00:00Z"), shop)
    for width, scheme in ((1280, "light"), (390, "dark")):
        watched = chromium(page, width, scheme)
        assert watched.page.evaluate("document.documentElement.scrollWidth") <= width
        assert (watched.said, watched.asked, watched.dialogs) == ([], [], [])

def test_a_record_without_any_release_says_that_there_is_nothing_to_judge_and_not_that_all_is_well(shop):
    record = replace(read_governance(shop, at=at("03-01").now()), faults=())
    record = replace(record, ledger=judged("ledger"))
    assert (record.status, codes(record)) == ("unknown", [])
    said = governance_sentence(record)
    assert said.endswith("Nothing was ever released, so there is nothing to judge yet, and that is no pass.") and "needs a look" not in said
