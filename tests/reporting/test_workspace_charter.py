"""The charter of a workspace: what a team promised beside what the records say, and nothing that no record says."""
import json, shutil
import pandas as pd
import pytest
from marketing_mlops.governance.approval_states import ApprovalMatter
from marketing_mlops.governance.approvals import grant, refuse, request_approval
from marketing_mlops.governance.incidents import IncidentNote, open_incident
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.reporting.charter_figures import business_figure, timed_runs
from marketing_mlops.reporting.charter_targets import TARGET_KINDS, CharterSection, read_charter_section, target_words
from marketing_mlops.reporting.friction_points import runs_ended_badly
from marketing_mlops.reporting.reports import run_report
from marketing_mlops.reporting.workspace_charter import charter_sentence, charter_figures_table, read_charter, with_friction
from marketing_mlops.schedules.missed_schedules import missed_schedules
from marketing_mlops.schedules.records import DueRun, add_due_runs, open_records, records_path, stamp
from marketing_mlops.sources.ingestion import accepted_tables
from marketing_mlops.workspace.clock import ReplayClock, instant_of
from marketing_mlops.workspace.errors import ParameterError
from marketing_mlops.workspace.places import find_workspace, write_json, write_text

OWNER, MARKETING, ANALYST = "model-owner@example.com", "marketing@example.com", "analyst@example.com"
HOSTILE = "<script>alert('x')</script> 🌷 | `a`"
PARAMS = f"""sources: {{shop: {{kind: simulated}}}}
models:
  churn: {{owner: {OWNER}, purpose: "{HOSTILE}", audience: Customers, source: shop, task: propensity, release: {{approval_days: 5}}}}
charter:
  scope: "{HOSTILE}"
  until: "2026-06-30"
  targets: {{data_to_report_hours: 1, request_to_grant_hours: 24, machine_hours: 2, message_cost: 1}}
"""

def at(day, hour="09"): return ReplayClock(instant_of(f"2026-03-{day}T{hour}:00:00Z"))
def matter(digit): return ApprovalMatter("churn", digit*64, "ab"*32)

def ran(shop, job, key, day, start, minutes, status="done", notebook="", **said):
    begun = pd.Timestamp(f"2026-03-{day}T{start}:00Z")
    content = dict(status=status, notebook=notebook, started_at=begun.isoformat(), ended_at=(begun + pd.Timedelta(minutes=minutes)).isoformat(), duration_s=60.*minutes, results={}, inputs={}, parameters={}) | said
    return write_json(shop.path(f"data/runs/{job}/{key}/202603{day}T{start.replace(':', '')}00000000Z-a1b2/run.json"), content)

@pytest.fixture
def empty(tmp_path, repository):
    write_text(tmp_path/"settings.ini", f"[DEFAULT]\nbusiness_approvers = {MARKETING}\ntechnical_approvers = {OWNER}\nreporting_currency = EUR\n[markets]\nDE = Europe/Berlin, monday, 1, DE\n")
    write_text(tmp_path/"params.yaml", "sources: {}\nmodels: {}\n")
    (tmp_path/"nbs"/"reports").mkdir(parents=True)
    shutil.copy2(repository/"nbs"/"reports"/"workspace_charter.ipynb", tmp_path/"nbs"/"reports")
    return find_workspace(tmp_path)

@pytest.fixture
def shop(empty):
    write_text(empty.root/"params.yaml", PARAMS)
    write_text(empty.state/"ledger_writer", "laptop\n")
    ran(empty, "ingest", "shop", "02", "08:00", 10)
    ran(empty, "weekly_performance", "shop", "02", "08:20", 10, notebook="nbs/reports/weekly_performance.ipynb")     # half an hour
    ran(empty, "ingest", "shop", "03", "08:00", 10)
    ran(empty, "model_card", "churn", "03", "09:20", 10, notebook="nbs/reports/model_card.ipynb")                     # an hour and a half, by a model that reads it
    ran(empty, "train", "churn", "03", "10:00", 20, "failed", error=dict(problem=HOSTILE))
    request_approval(empty, matter("1"), ANALYST, clock=at("04"))
    grant(empty, matter("1"), OWNER, clock=at("04", "12"))
    grant(empty, matter("1"), MARKETING, clock=at("04", "15"))                                                       # complete after six hours
    request_approval(empty, matter("2"), ANALYST, clock=at("05"))
    refuse(empty, matter("2"), OWNER, reason=HOSTILE, clock=at("06"))
    open_incident(empty, "churn", ANALYST, IncidentNote(HOSTILE), clock=at("07"))
    return empty

def figures(shop, day="08", **options): return {each.name: each for each in read_charter(shop, at(day).now(), **options).figures}
def friction(shop, day="08", **options): return {each.kind: each.n for each in read_charter(shop, at(day).now(), **options).friction}

def test_times_come_from_manifests_and_ledger(shop):
    found = figures(shop)
    assert (found["data_to_report_hours"].value, found["data_to_report_hours"].is_met) == (1., True)           # median of half an hour and an hour and a half
    assert (found["request_to_grant_hours"].value, found["request_to_grant_hours"].stands_on) == (6., "median of 1 approval, 1 not granted (ledger)")
    assert found["machine_hours"].value == 1. and "20 minutes of it for runs that did not end well" in found["machine_hours"].stands_on

def test_an_ingest_without_a_report_is_told_and_never_counted_as_quick(shop):
    ran(shop, "ingest", "shop", "04", "08:00", 10)
    found = figures(shop)["data_to_report_hours"]
    assert found.value == 1. and "1 without a report" in found.stands_on

def test_a_report_of_another_source_or_one_that_failed_ends_no_wait(shop):
    ran(shop, "ingest", "shop", "04", "08:00", 10)
    ran(shop, "data_quality", "elsewhere", "04", "08:20", 5, notebook="nbs/reports/data_quality.ipynb")
    ran(shop, "weekly_performance", "shop", "04", "08:30", 5, "failed", notebook="nbs/reports/weekly_performance.ipynb")
    assert "1 without a report" in figures(shop)["data_to_report_hours"].stands_on

def test_a_record_that_is_gone_takes_its_figure_with_it(shop):
    shutil.rmtree(shop.path("data/runs"))
    found = figures(shop)
    assert [found[name].value for name in ("data_to_report_hours", "machine_hours")] == [None, None] and found["request_to_grant_hours"].value == 6.
    shutil.rmtree(shop.path("data/ledger"))
    (shop.state/"ledger.db").unlink()
    assert figures(shop)["request_to_grant_hours"].value is None and target_words(figures(shop)["request_to_grant_hours"]) == "not measured: at most 24 hours"

def test_what_held_work_up_is_counted(shop):
    assert friction(shop) == {"failed runs": 1, "refused approvals": 1, "ended approvals": 0, "incidents": 1}
    assert friction(shop, "20")["ended approvals"] == 1            # five days after a yes nobody used
    assert friction(shop, since=at("07").now())["failed runs"] == 0

def test_a_run_whose_process_is_gone_counts_as_failed_and_one_that_runs_does_not(shop, monkeypatch):
    ran(shop, "train", "churn", "06", "10:00", 20, "running")
    runs, damaged = timed_runs(shop, at("01").now(), at("08").now())
    assert runs_ended_badly(shop, runs).n == 2
    monkeypatch.setattr("marketing_mlops.reporting.friction_points.is_alive", lambda folder: True)
    assert runs_ended_badly(shop, runs).n == 1

@pytest.mark.parametrize("content", ["{", "[]", '"text"', "{}", '{"started_at": "yesterday"}', '{"started_at": "2026-03-02T08:00:00"}'])
def test_a_damaged_manifest_is_told_and_stops_nothing(shop, content):
    write_text(shop.path("data/runs/score/churn/20260305T080000000000Z-a1b2/run.json"), content)
    found = read_charter(shop, at("08").now())
    assert "1 manifest could not be read" in found.friction[0].last and figures(shop)["machine_hours"].value == 1.

def test_an_edited_ledger_gives_no_number_and_above_all_no_zero(shop):
    log = next(shop.path("data", "ledger").glob("*.jsonl"))
    log.write_text(log.read_text().replace(MARKETING, "somebody@example.com", 1))
    found = read_charter(shop, at("08").now())
    assert found.status == "fail" and "cannot be trusted" in charter_sentence(found)
    assert {each.kind: each.n for each in found.friction} == {"failed runs": 1, "refused approvals": None, "ended approvals": None, "incidents": None}

def test_missed_due_times_come_and_go_with_their_record(shop):
    with open_records(shop) as records:
        add_due_runs(records, [DueRun(HOSTILE, stamp(instant_of(f"2026-03-{day}T08:00:00Z")), state) for day, state in (("02", "done"), ("03", "missed"), ("04", "failed"), ("30", "missed"))])
    month = (at("01").now(), at("08").now())
    assert missed_schedules(shop, *month).n == 2 and HOSTILE in missed_schedules(shop, *month).last
    records_path(shop).write_bytes(b"no database at all, but long enough to be taken for one"*20)
    found = missed_schedules(shop, *month)
    assert found.n is None and found.last and with_friction(read_charter(shop, month[1]), found).status == "review"
    records_path(shop).unlink()
    assert missed_schedules(shop, *month).n == 0

def mails(shop, n, cost=.02):
    days = pd.date_range("2026-01-01", periods=n, freq="D", tz="UTC") + pd.Timedelta(hours=10)
    place = shop.accepted("shop")
    place.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(dict(contact_id=[f"m{i}" for i in range(n)], kind="send", customer_id=[f"c{i}" for i in range(n)], channel="email", campaign_id="spring", creative_id="a", cost=cost, currency="EUR",
                      occurred_at=days, known_at=days)).to_parquet(place/"contacts.parquet")

def test_the_cost_of_messages_is_that_of_the_newest_whole_days_beside_those_before(shop):
    mails(shop, 70)
    found = figures(shop)["message_cost"]
    assert round(found.value, 6) == .56 and found.is_met and "0.56" in found.before and "2026-02-11 to 2026-03-10" in found.stands_on
    mails(shop, 70, cost=.05)
    assert round(figures(shop)["message_cost"].value, 6) == 1.4 and figures(shop)["message_cost"].is_met is False

@pytest.mark.parametrize("n, before", [(28, None), (29, ""), (56, ""), (57, "0.56")])
def test_a_period_the_tables_do_not_know_wholly_is_not_measured(shop, n, before):
    mails(shop, n)
    found = business_figure("message_cost", "shop", accepted_tables(shop, "shop"), shop)
    assert (found.value is None) == (before is None) and (before is None or (before in found.before and bool(before) == bool(found.before)))

def test_a_target_nobody_set_is_neither_met_nor_missed(shop):
    write_text(shop.root/"params.yaml", PARAMS.replace("targets: {data_to_report_hours: 1, request_to_grant_hours: 24, machine_hours: 2, message_cost: 1}", "targets: {}"))
    found = read_charter(shop, at("08").now())
    assert {each.is_met for each in found.figures} == {None} and {target_words(each) for each in found.figures} == {"not set"} and "no target can be judged" in charter_sentence(found)

def test_a_missed_target_is_said_first(shop):
    write_text(shop.root/"params.yaml", PARAMS.replace("data_to_report_hours: 1", "data_to_report_hours: 0.5"))
    found = read_charter(shop, at("08").now())
    assert [each.name for each in found.missed] == ["data_to_report_hours"] and found.status == "review" and "2 of 3 targets met" in charter_sentence(found)
    assert "missed: at most 0.50 hours" in str(charter_figures_table(found))

@pytest.mark.parametrize("charter, says", [("charter: 7", "charter is 7"), ("charter: {scop: x}", "scope"), ("charter: {until: soon}", "until"), ("charter: {targets: {conversoin: 0.1}}", "conversion"), ("charter: {targets: [1]}", "name: number"),
                                           ("charter: {targets: {conversion: 5}}", "up to 1"), ("charter: {targets: {machine_hours: true}}", "above 0"), ("charter: {targets: {machine_hours: -1}}", "above 0"),
                                           ("charter: {targets: {machine_hours: .nan}}", "above 0"), ("charter: {targets: {machine_hours: .inf}}", "above 0"), ("charter: {targets: {machine_hours: 'many'}}", "above 0")])
def test_a_promise_nobody_could_keep_is_refused_by_name(empty, charter, says):
    write_text(empty.root/"params.yaml", f"sources: {{}}\nmodels: {{}}\n{charter}\n")
    with pytest.raises(ParameterError) as error: read_charter_section(empty)
    assert says in f"{error.value.problem} {error.value.remedy}"

@pytest.mark.parametrize("charter", ["", "charter:", "charter: {}", "charter: {targets: }"])
def test_no_promise_is_an_empty_one(empty, charter):
    write_text(empty.root/"params.yaml", f"sources: {{}}\nmodels: {{}}\n{charter}\n")
    assert read_charter_section(empty) == CharterSection()

def test_every_kind_of_target_is_a_figure_of_the_charter(shop):
    assert set(figures(shop)) == set(TARGET_KINDS)

def test_an_empty_workspace_has_a_page_that_says_how_to_begin_and_looking_leaves_nothing_behind(empty):
    before = sorted(empty.root.rglob("*"))
    found = read_charter(empty, at("08").now())
    assert found.is_empty and found.status == "unknown" and charter_sentence(found).startswith("Nothing is on record yet") and sorted(empty.root.rglob("*")) == before
    page = run_report("workspace_charter", dict(at="2026-03-08"), empty).read_text()
    assert "Nothing is on record yet" in page and "mmops run" in page and "No model is declared or on record." in page

def test_the_page_shows_it_and_nothing_on_it_runs(shop, tools):
    page = run_report("workspace_charter", dict(at="2026-03-08", since="2026-03-01T00:00:00Z"), shop)
    said = tools.as_it_reads(page.read_text())
    assert "<script>alert" not in said and "&lt;script&gt;" in said and "3 of 3 targets met" in said
    results = json.loads(page.with_suffix(".json").read_text())["results"]
    assert results["friction"] == {"failed runs": 1, "refused approvals": 1, "ended approvals": 0, "incidents": 1, "missed schedules": 0} and results["level"] == "manual" and results["labels"] == ["as it was"]
