"""One report for each value: what fails stays alone, nothing is left running, and a part of a campaign decides nothing."""
import json, signal, subprocess, sys, time
from datetime import date
from decimal import Decimal
from pathlib import Path
import nbformat
import pandas as pd
import pytest
from marketing_mlops.jobs.limits import RunLimits
from marketing_mlops.jobs.runs import latest_run, list_runs
from marketing_mlops.reporting.campaigns import read_campaign
from marketing_mlops.reporting.grid_outcomes import raise_failures
from marketing_mlops.reporting.grid_values import FINDERS, grid_parameters, read_axes
from marketing_mlops.reporting.grids import GridOptions, make_grid
from marketing_mlops.sources.ingestion import write_table
from marketing_mlops.workspace.errors import DataError, ParameterError, StageError
from marketing_mlops.workspace.places import find_workspace, write_text

HEAD = 'market: str = "DE"  # Market to report on\nweek: int = 1  # Week of the year'
BODY = """
from marketing_mlops.jobs.results import record
import os, signal, time
if market == "US": raise ValueError("no orders in US; ask jo.doe@mail.test")
if market == "KILLED": os.kill(os.getpid(), signal.SIGKILL)
if market == "ENDLESS": time.sleep(600)
if market == "LARGE": x = b"x"*700_000_000; time.sleep(30)
record("decision", "hold")
record("sentence", f"{market}: fine in week {week}.")
"""

@pytest.fixture(scope="module")
def weekly(tmp_path_factory):
    root = tmp_path_factory.mktemp("weekly")
    write_text(root/"settings.ini", "[DEFAULT]\nreporting_currency = EUR\n[markets]\nDE = Europe/Berlin, monday, 1, DE\nUK = Europe/London, monday, 4, UK\n")
    write_text(root/"params.yaml", "sources: {}\nmodels: {}\n")
    cells = [nbformat.v4.new_code_cell(HEAD, metadata=dict(tags=["parameters"])), nbformat.v4.new_code_cell(BODY)]
    kernel = dict(kernelspec=dict(name="python3", language="python", display_name="python3"))
    (root/"nbs/reports").mkdir(parents=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), root/"nbs/reports/weekly.ipynb")
    return find_workspace(root)

@pytest.fixture(scope="module")
def with_failures(weekly):
    "One grid with everything that can go wrong with a report, made once for several tests."
    return make_grid("weekly", read_axes(["market=DE,US,KILLED,A/B <b>&"]), {}, weekly, options=GridOptions(workers=3))

def test_one_report_that_fails_keeps_no_other_from_its_page(with_failures):
    ends = {each.item.name: each.status for each in with_failures.outcomes}
    assert ends == {"DE": "done", "US": "failed", "KILLED": "failed", "A/B <b>&": "done"}
    for each in with_failures.outcomes:
        if each.status == "done": assert "weekly" in (with_failures.folder/each.page).name and (with_failures.folder/each.page).is_file()

def test_every_report_that_failed_says_why_in_two_lines(with_failures):
    said = {each.item.name: each for each in with_failures.outcomes if each.status == "failed"}
    assert all(each.problem and each.remedy and "\n" not in each.problem + each.remedy for each in said.values())
    assert "no orders in US" in said["US"].problem and "ended" in said["KILLED"].problem
    with pytest.raises(StageError) as error: raise_failures(with_failures)
    assert len(str(error.value).splitlines()) == 2 and "2 of 4 reports failed" in str(error.value)

def test_the_summary_is_escaped_and_leads_to_every_page(with_failures):
    page = (with_failures.folder/"summary.html").read_text()
    assert "<b>&" not in page and "&lt;b&gt;" in page and "<script" not in page
    for each in with_failures.outcomes:
        if each.page: assert f'href="{each.page}"' in page and (with_failures.folder/each.page).is_file()
    failed = next(each for each in with_failures.outcomes if each.item.name == "US")
    assert failed.page and not [each.page for each in with_failures.outcomes if ".." in each.page]     # what failed moves with the folder, too
    record = json.loads((with_failures.folder/"summary.json").read_text())
    assert record["counts"] == dict(done=2, failed=2) and len(record["reports"]) == 4

def test_no_address_of_a_customer_reaches_what_a_grid_stores(with_failures, weekly):
    stored = [path for folder in (with_failures.folder, weekly.path("data", "runs")) for path in folder.rglob("*") if path.is_file()]
    assert stored and not [path for path in stored if b"jo.doe" in path.read_bytes()]

def test_every_report_of_a_grid_is_a_run_with_its_evidence(with_failures, weekly):
    run = next(run for run in list_runs(weekly, "weekly_grid", "market") if run.folder == with_failures.folder)
    assert run.status == "failed" and run.results["counts"] == dict(done=2, failed=2)
    assert {"DE", "US", "A_B_b_"} <= {run.key for run in list_runs(weekly, "weekly") if run.within == "weekly_grid/market"}
    assert not [run for run in list_runs(weekly, "weekly") if run.status == "running"]

def test_the_same_grid_made_again_says_the_same_and_leaves_the_first_alone(weekly):
    first = make_grid("weekly", read_axes(["market"]), dict(week="7"), weekly)
    before = {path: path.read_bytes() for path in first.folder.rglob("*") if path.is_file()}
    again = make_grid("weekly", read_axes(["market"]), dict(week="7"), weekly)
    assert [each.says for each in again.outcomes] == ["DE: fine in week 7.", "UK: fine in week 7."] == [each.says for each in first.outcomes]
    assert before == {path: path.read_bytes() for path in first.folder.rglob("*") if path.is_file()}
    pages = [[(grid.folder/each.page).read_bytes() for each in grid.outcomes] for grid in (first, again)]
    assert pages[0] == pages[1]

def test_never_more_reports_run_than_were_allowed(weekly):
    running, most = set(), []
    def tell(outcome):
        (running.discard if outcome.has_ended else running.add)(outcome.item.name)
        most.append(len(running))
    make_grid("weekly", read_axes(["week=1,2,3,4,5"]), {}, weekly, options=GridOptions(workers=2), tell=tell)
    assert max(most) == 2

def test_a_report_that_needs_more_memory_than_its_share_ends_alone(weekly):
    if sys.platform != "linux": pytest.skip("memory is watched by the warm worker, which needs Linux")
    grid = make_grid("weekly", read_axes(["market=LARGE,DE"]), {}, weekly, options=GridOptions(workers=2, limits=RunLimits(deadline_s=60, memory_mb=600)))
    assert [each.status for each in grid.outcomes] == ["failed", "done"] and "memory" in grid.outcomes[0].problem
    assert "used 0 MB" not in grid.outcomes[0].problem

def test_a_report_that_never_ends_is_ended_at_its_deadline_and_says_so(weekly):
    [endless] = make_grid("weekly", read_axes(["market=ENDLESS"]), {}, weekly, options=GridOptions(limits=RunLimits(deadline_s=1.5))).outcomes
    assert endless.status == "failed" and "deadline of 1.5 s" in endless.problem
    assert list_runs(weekly, "weekly", "ENDLESS")[0].status == "failed"

def test_a_slip_starts_nothing(weekly):
    before = len(list_runs(weekly, "weekly_grid"))
    for words, given, says in ((["markets"], {}, "Did you mean 'market'"), (["week=one,two"], {}, "week"), (["week"], {}, "No values are known"),
                               (["market", "market=DE"], {}, "twice"), (["market"], dict(market="DE"), "at the same time")):
        with pytest.raises(ParameterError, match=says): make_grid("weekly", read_axes(words), given, weekly)
    assert len(list_runs(weekly, "weekly_grid")) == before

def test_ctrl_c_ends_every_report_and_keeps_what_was_made(weekly):
    command = [sys.executable, "-c", "import sys; from marketing_mlops.cli.commands import main; sys.exit(main())",
               "report", "weekly", "--for-each", "market=DE,ENDLESS,UK,FR", "--workers", "1", "--no-open"]
    process = subprocess.Popen(command, cwd=weekly.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert "DE" in process.stdout.readline()                   # the first has ended, the second never would
    process.send_signal(signal.SIGINT)
    said, complained = process.communicate()
    assert process.returncode == 130 and len(complained.splitlines()) == 2 and "Traceback" not in complained, complained
    run = latest_run(weekly, "weekly_grid", "market")
    assert run.status == "interrupted" and run.results["counts"]["done"] == 1
    assert "ENDLESS" not in {each.key for each in list_runs(weekly, "weekly") if each.status == "running"}

@pytest.mark.skipif(sys.platform != "linux", reason="the warm worker needs Linux")
def test_the_summary_of_a_grid_that_was_stopped_is_written_when_nothing_runs_any_more(weekly, monkeypatch):
    from marketing_mlops.jobs.workers import worker_home, worker_status
    from marketing_mlops.reporting import grids
    running = []
    def write(grid): running.append((worker_status(worker_home(str(weekly.root)))["n_running"], [each.status for each in grid.outcomes]))
    def stop(outcome):
        if outcome.has_ended: raise KeyboardInterrupt
    monkeypatch.chdir(weekly.root)
    monkeypatch.setattr(grids, "write_grid", write)
    with pytest.raises(KeyboardInterrupt): make_grid("weekly", read_axes(["market=ENDLESS,DE"]), {}, weekly, options=GridOptions(workers=2), tell=stop)
    assert running == [(0, ["interrupted", "done"])]

def test_a_report_that_had_begun_when_everything_was_stopped_is_never_said_to_wait(weekly):
    root = weekly.runs("weekly_grid", "market")
    earlier = {*root.iterdir()} if root.is_dir() else set()
    def stop(outcome):
        if not outcome.has_ended: return
        while not [log for folder in {*root.iterdir()} - earlier for log in folder.glob("*_ENDLESS/log.txt")]: time.sleep(.01)
        raise KeyboardInterrupt                                # nobody has read yet that the second report has begun
    with pytest.raises(KeyboardInterrupt): make_grid("weekly", read_axes(["market=DE,ENDLESS,UK"]), {}, weekly, options=GridOptions(workers=1), tell=stop)
    assert latest_run(weekly, "weekly_grid", "market").results["counts"] == dict(waiting=1, done=1, interrupted=1)

SPEC = """
sources: {shop: {kind: file}}
models:
  spring:
    owner: model-owner@example.com
    purpose: Who gets the mail
    audience: Customers with consent
    source: shop
    task: uplift
    experiment:
      {name: spring_mail, hypothesis: The mail raises spend, objective: Spring season, owner: marketing@example.com, control: no_mail,
       arms: {no_mail: 0.5, mail: 0.5}, goal: spend_per_customer, worthwhile_effect: 0.50, currency: USD, outcome_window_days: 14,
       planned_customers: 900, stopping_rule: fixed_horizon, level: 0.90, registered_at: "2026-03-01T00:00:00Z"}
  quiet: {owner: model-owner@example.com, purpose: p, audience: a, source: shop, task: propensity}
"""

@pytest.fixture(scope="module")
def campaign(tmp_path_factory, repository):
    "A campaign that was worth its money in all three markets; nobody of the US bought by phone."
    root = tmp_path_factory.mktemp("campaign")
    write_text(root/"settings.ini", "[DEFAULT]\nreporting_currency = EUR\n")
    write_text(root/"params.yaml", SPEC)
    write_text(root/"nbs/reports/campaign_readout.ipynb", (repository/"nbs/reports/campaign_readout.ipynb").read_text())
    write_text(root/"data/sources/shop/mapping.yaml", "name: shop\nkind: file\nas_of: 2026-06-30\nfiles: {a.csv: {}}\ntables: {customers: {file: a.csv, columns: {n: customer_id}}}\n")
    workspace, n = find_workspace(root), 900
    at = pd.Series([pd.Timestamp("2026-03-10 06:00", tz="UTC")]*n).astype("datetime64[us, UTC]")
    ids, market, treated = [f"c{i:04}" for i in range(n)], [["DE", "UK", "US"][i % 3] for i in range(n)], [i // 3 % 2 == 1 for i in range(n)]
    common, folder = dict(experiment_id="spring_mail", customer_id=ids, occurred_at=at, known_at=at), workspace.accepted("shop")
    folder.mkdir(parents=True)
    spend = [Decimal(20 + i*7919 % 61 + 15*t) for i, t in enumerate(treated)]
    write_table(pd.DataFrame(common | dict(arm=["mail" if t else "no_mail" for t in treated])), "assignments", folder)
    write_table(pd.DataFrame(common | dict(visit=True, conversion=True, spend=spend, currency="USD", window_days=14)), "outcomes", folder)
    write_table(pd.DataFrame(dict(customer_id=ids, market=market)), "customers", folder)
    channel = ["Web" if m == "US" or i // 6 % 2 else "Phone" for i, m in enumerate(market)]
    write_table(pd.DataFrame(dict(customer_id=ids, trait="channel", value=channel, known_when="before_contact", occurred_at=at, known_at=at)), "traits", folder)
    return workspace

def test_no_part_of_a_campaign_ships_however_large_its_gain(campaign):
    assert read_campaign("spring", campaign).readout.decision.decision == "ship"
    for part in (dict(market="DE"), dict(channel="Web"), dict(market="UK", channel="Phone")):
        readout = read_campaign("spring", campaign, part).readout
        assert {readout.decision.decision, *(d.decision for d in readout.arm_decisions.values())} == {"exploratory"}
        assert "ship" not in readout.sentences["decision"].lower() and readout.differences.low[0] > 0

def test_the_parts_of_a_campaign_are_all_of_its_customers_once(campaign):
    n = {market: int(read_campaign("spring", campaign, dict(market=market)).readout.arm_table.n.sum()) for market in ("DE", "UK", "US")}
    assert n == dict(DE=300, UK=300, US=300)

def test_a_grid_holds_the_combinations_that_have_customers(campaign):
    items = grid_parameters("campaign_readout", read_axes(["channel,market"]), dict(model="spring"), campaign)
    assert [tuple(item.values()) for item in items] == [("Phone", "DE"), ("Phone", "UK"), ("Web", "DE"), ("Web", "UK"), ("Web", "US")]
    assert list(items[0]) == ["channel", "market"]
    assert grid_parameters("campaign_readout", read_axes(["model"]), {}, campaign) == [dict(model="spring")]      # quiet has no experiment

def test_a_grid_sees_days_and_secrets_as_its_caller_does(weekly, monkeypatch):
    cell = nbformat.v4.new_code_cell('day: date = "yesterday"  # Day of the page\nstore: str = ""  # Only this store\ntoken: Secret | None = None  # Of the shop',
                                     metadata=dict(tags=["parameters"]))
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=dict(kernelspec=dict(name="python3", language="python", display_name="python3"))), weekly.root/"nbs/reports/stores.ipynb")
    monkeypatch.setitem(FINDERS, "store", lambda workspace, chosen: [f"{chosen['token']} open on {chosen['day']}"])
    items = grid_parameters("stores", dict(store=()), dict(token="env:SHOP"), weekly, on=date(2026, 4, 6), environment=dict(SHOP="Leeds"))
    assert items == [dict(store="env:SHOP open on 2026-04-05")]
    with pytest.raises(ParameterError, match="SHOP"): grid_parameters("stores", dict(store=()), dict(token="env:SHOP"), weekly, environment={})

@pytest.fixture(scope="module")
def one_part(campaign): return make_grid("campaign_readout", read_axes(["market=DE"]), dict(model="spring"), campaign)

def test_the_page_of_a_part_says_what_it_is_and_why_it_decides_nothing(one_part):
    page, [outcome] = (one_part.folder/one_part.outcomes[0].page).read_text(), one_part.outcomes
    assert outcome.decision == "exploratory" and "market DE" in outcome.says
    for said in ("spring_mail, market DE", "Exploratory", "Why it decides nothing", "no decision: exploratory", "10 parts of a campaign without any effect"): assert said in page

def test_chance_is_counted_at_the_level_the_experiment_declares(one_part):
    assert one_part.outcomes[0].level == .9
    assert "a 90 % range that excludes zero with a chance of about 10 %" in (one_part.folder/"summary.html").read_text()

def test_a_part_nobody_is_in_is_refused_with_those_there_are(campaign):
    with pytest.raises(DataError, match="its markets are DE, UK, US.*Did you mean 'DE'"): read_campaign("spring", campaign, dict(market="De"))
