"""The model inventory, run as `mmops report` runs it: what is on record, `unknown` where nothing is, and nothing kept a second time."""
import json, re, shutil
from dataclasses import replace
import pytest
from marketing_mlops.governance.approval_states import ApprovalMatter
from marketing_mlops.governance.approvals import grant, request_approval
from marketing_mlops.governance.incidents import IncidentNote, open_incident
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.governance.release_states import CHECKED, RELEASED
from marketing_mlops.reporting.model_inventory import inventory_sentence, read_inventory
from marketing_mlops.reporting.reports import run_report
from marketing_mlops.workspace.clock import ReplayClock, instant_of
from marketing_mlops.workspace.places import find_workspace, write_json, write_text

OWNER, MARKETING, ANALYST = "model-owner@example.com", "marketing@example.com", "analyst@example.com"
HOSTILE = "<script>alert('x')</script> 🌷 | `a`"
SETTINGS = f"[DEFAULT]\nbusiness_approvers = {MARKETING}\ntechnical_approvers = {OWNER}\n"
PARAMS = f"""sources: {{shop: {{kind: simulated}}}}
models:
  churn: {{owner: {OWNER}, purpose: "{HOSTILE}", audience: Customers, source: shop, task: propensity, release: {{live_days: 20}}}}
  promo: {{owner: {MARKETING}, purpose: Spring, audience: Customers, source: shop, task: uplift}}
"""

def at(day): return ReplayClock(instant_of(f"2026-{day}T09:00:00Z"))

@pytest.fixture
def shop(tmp_path, repository):
    write_text(tmp_path/"settings.ini", SETTINGS)
    write_text(tmp_path/"params.yaml", PARAMS)
    write_text(tmp_path/"data"/"state"/"ledger_writer", "laptop\n")
    write_json(tmp_path/"data"/"metrics"/"evaluate"/"churn.json", dict(verdict="pass"))
    (tmp_path/"nbs"/"reports").mkdir(parents=True)
    shutil.copy2(repository/"nbs"/"reports"/"model_inventory.ipynb", tmp_path/"nbs"/"reports")
    place = find_workspace(tmp_path)
    matter = ApprovalMatter("churn", "5f"*32, "ab"*32)
    request_approval(place, matter, ANALYST, clock=at("03-01"))
    Ledger(place, at("03-01")).append(CHECKED, "churn", ANALYST, dict(bundle_hash="5f"*32, status="pass", verdicts={}))
    for role in (OWNER, MARKETING): state = grant(place, matter, role, clock=at("03-02"))
    Ledger(place, at("03-03")).append(RELEASED, "churn", ANALYST, dict(bundle_hash="5f"*32, evaluation_hash="ab"*32, approval=state.answer.hash, approver=state.approver, reason="", before=None))
    return place

def entries(shop, day="03-12"): return {each.model: each for each in read_inventory(shop, at(day).now()).entries}

def test_what_is_on_record_stands_there(shop):
    churn, promo = (entries(shop)[name] for name in ("churn", "promo"))
    assert (churn.owner, churn.live, churn.since, churn.until, churn.evaluation) == (OWNER, "5f"*6, "2026-03-03", "2026-03-23", "pass")
    assert (promo.owner, promo.live, promo.until, promo.evaluation) == (MARKETING, "nothing", "", "unknown")

@pytest.mark.parametrize("remove, name", [("data/metrics/evaluate/churn.json", "evaluation")])
def test_a_record_that_is_gone_takes_its_entry_with_it(shop, remove, name):
    shop.path(remove).unlink()
    assert getattr(entries(shop)["churn"], name) == "unknown"

def test_a_model_nobody_declares_any_more_has_no_owner_and_that_is_the_gravest_finding(shop):
    write_text(shop.root/"params.yaml", "\n".join(line for line in PARAMS.splitlines() if "churn" not in line) + "\n")
    found = read_inventory(shop, at("03-12").now())
    assert found.entries[0].model == "churn" and found.entries[0].owner == found.entries[0].purpose == "unknown" and found.status == "fail"
    assert "nobody is known to answer for 1" in inventory_sentence(found)

def test_before_the_release_nothing_was_live(shop): assert entries(shop, "03-02")["churn"].live == "nothing"

def test_what_is_owed_comes_and_goes_with_its_record(shop):
    open_incident(shop, "churn", ANALYST, IncidentNote(HOSTILE), clock=at("03-11"))
    assert any("Incident" in text for text in entries(shop)["churn"].owed)
    request_approval(shop, ApprovalMatter("promo", "a1"*32, "ab"*32), ANALYST, clock=at("03-10"))
    assert any("waits for the yes of" in text for text in entries(shop)["promo"].owed) and not any("waits for" in text for text in entries(shop, "03-09")["promo"].owed)
    assert any("its rules allow 20" in text for text in entries(shop, "04-20")["churn"].owed)

def test_an_edited_ledger_is_believed_in_nothing(shop):
    log = next(shop.path("data", "ledger").glob("*.jsonl"))
    log.write_text(log.read_text().replace(MARKETING, "somebody@example.com", 1))
    found = read_inventory(shop)
    assert found.entries == () and found.status == "fail" and "cannot be trusted" in inventory_sentence(found)

def test_the_page_shows_it_and_nothing_on_it_runs(shop):
    page = run_report("model_inventory", dict(at="2026-03-12"), shop)
    said = page.read_text()
    assert "<script" not in said and "&lt;script&gt;" in said and "2 models, 1 live" in said and "churn may serve until 2026-03-23" in said and "2026\u201103\u201123" in said
    results = json.loads(page.with_suffix(".json").read_text())["results"]
    assert results["models"]["churn"]["owner"] == OWNER and results["models"]["promo"]["evaluation"] == "unknown" and results["labels"] == ["as it was"]

def test_an_empty_workspace_says_so(tmp_path, repository):
    write_text(tmp_path/"settings.ini", SETTINGS)
    write_text(tmp_path/"params.yaml", "sources: {}\nmodels: {}\n")
    assert inventory_sentence(read_inventory(find_workspace(tmp_path))).startswith("No model is on record.")

def test_nothing_live_and_nothing_owed_is_said_to_be_no_pass(shop):
    before = read_inventory(shop, at("03-02").now())
    bare = replace(before, entries=tuple(replace(each, live="nothing", owed=(), status="unknown") for each in before.entries))
    assert inventory_sentence(bare).endswith("nothing is live, so there is nothing to judge yet, and that is no pass.") and bare.status == "unknown"
    live = replace(before, entries=tuple(replace(each, live="ab12", owed=()) for each in before.entries))
    assert "nothing to judge" not in inventory_sentence(live)

def test_the_headline_counts_the_evaluations_that_fail(shop):
    before = read_inventory(shop, at("03-02").now())
    def said(verdict): return inventory_sentence(replace(before, entries=tuple(replace(each, evaluation=verdict) for each in before.entries[:1])))
    assert "1 evaluation fails" in said("fail") and "evaluation" not in said("pass")
