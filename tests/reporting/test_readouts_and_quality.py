"""The two reports, run as the pipeline and as papermill run them, on data whose answer is known."""
import json, os, shutil, subprocess, sys
from dataclasses import replace
from decimal import Decimal
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from marketing_mlops.contracts.schemas import canonical_frame, frame_of_rows
from marketing_mlops.contracts.verdict import VERDICT_STATUSES, Reason, Verdict, judged, worst_status
from marketing_mlops.measurement.experiments import read_experiment
from marketing_mlops.measurement.readouts import read_out
from marketing_mlops.reporting.campaigns import Campaign, campaign_units, read_campaign
from marketing_mlops.reporting.data_age import age_sentence, data_verdict
from marketing_mlops.reporting.plain_answers import three_answers
from marketing_mlops.reporting.quality_blocks import newest_week, read_quality
from marketing_mlops.reporting.readout_blocks import arms_block, differences_block, gain_chart, sure_lines
from marketing_mlops.reporting.provenance import SourceFacts
from marketing_mlops.reporting.reports import report_index, run_report
from marketing_mlops.sources.evidence import open_evidence
from marketing_mlops.sources.ingestion import ingest, write_table
from marketing_mlops.sources.volume_checks import last_complete_day, days_of_newest_week, weekly_totals
from marketing_mlops.workspace.clock import WallClock, clock_for
from marketing_mlops.workspace.errors import DataError, ParameterError, StageError
from marketing_mlops.workspace.params import read_params
from marketing_mlops.workspace.places import find_workspace, write_json

ARM = 'Spring <script>document.title="pwned"</script>'
PARAMS = f"""
sources:
  shop: {{kind: file}}
models:
  spring:
    owner: model-owner@example.com
    purpose: Who gets the mail
    audience: Customers with consent
    source: shop
    task: uplift
    experiment:
      name: spring_mail
      hypothesis: The mail raises spend per customer
      objective: Spring season
      owner: marketing@example.com
      control: no_mail
      arms: {{no_mail: 0.5, '{ARM}': 0.5}}
      goal: spend_per_customer
      guardrails: []
      diagnostics: [visit_rate]
      worthwhile_effect: 0.50
      currency: USD
      outcome_window_days: 14
      planned_customers: 2000
      stopping_rule: fixed_horizon
  quiet: {{owner: model-owner@example.com, purpose: p, audience: a, source: shop, task: propensity}}
"""

def accepted(workspace, gain=2.):
    "2,000 customers, half with a mail that brings `gain` USD each, or takes it from what they spend."
    rng, n = np.random.default_rng(3), 2000
    folder = workspace.accepted("shop")
    folder.mkdir(parents=True, exist_ok=True)
    ids = [f"c{i:04}" for i in range(n)]
    at = pd.Series([pd.Timestamp("2026-03-10 06:00", tz="UTC")]*n).astype("datetime64[us, UTC]")
    treated = np.arange(n) % 2 == 1
    spend = np.maximum(np.where(rng.random(n) < .3, rng.gamma(2, 10, n), 0) + treated*gain, 0)
    common = dict(experiment_id="spring_mail", customer_id=ids, occurred_at=at, known_at=at)
    write_table(pd.DataFrame(common | dict(arm=np.where(treated, ARM, "no_mail"))), "assignments", folder)
    write_table(pd.DataFrame(common | dict(visit=spend > 0, conversion=spend > 0, spend=[Decimal(f"{s:.2f}") for s in spend], currency="USD", window_days=14)), "outcomes", folder)
    write_table(pd.DataFrame(dict(customer_id=ids)), "customers", folder)
    write_json(folder/"verdict.json", Verdict("shop", "pass").to_dict())

@pytest.fixture
def shop(tmp_path, repository):
    (tmp_path/"settings.ini").write_text("[DEFAULT]\nreporting_currency = EUR\n")
    (tmp_path/"params.yaml").write_text(PARAMS)
    shutil.copytree(repository/"nbs"/"reports", tmp_path/"nbs"/"reports")
    mapping = tmp_path/"data/sources/shop/mapping.yaml"
    mapping.parent.mkdir(parents=True)
    mapping.write_text("name: shop\nkind: file\nas_of: 2026-06-30\nfiles: {a.csv: {}}\ntables: {customers: {file: a.csv, columns: {n: customer_id}}}\n")
    workspace = find_workspace(tmp_path)
    accepted(workspace)
    return workspace

def test_a_figure_that_changes_in_the_data_changes_the_sentence(shop):
    said = {}
    for gain in (2., 0.55, -5.):
        accepted(shop, gain)
        said[gain] = str(three_answers(read_campaign("spring", shop)))
    assert [s.split(".")[0] for s in said.values()] == ["Ship", "Hold", "Stop"]
    assert len(set(said.values())) == 3

@pytest.fixture(scope="module")
def two_mails():
    "A readout of two mails, one of which hardly anybody answered."
    rng, n, arms = np.random.default_rng(5), 6000, ["no_mail", "mail", "sms"]
    units = pd.DataFrame(dict(unit_id=[f"c{i}" for i in range(n)], arm=arms*(n//3)))
    seldom = units.arm.map(dict(no_mail=.10, mail=.12, sms=.005))
    units["spend_per_customer"] = np.where(rng.random(n) < seldom, rng.gamma(2, 20, n), 0).round(2)
    about = dict(name="two_mails", hypothesis="A mail raises spend", objective="Spring", owner="marketing@example.com", control="no_mail", arms=dict.fromkeys(arms, 1/3),
                 goal="spend_per_customer", worthwhile_effect=.5, currency="EUR", outcome_window_days=14, stopping_rule="fixed_horizon", planned_customers=n)
    return read_out(read_experiment(about), units)

def test_a_row_that_decides_nothing_says_so_with_its_reason(two_mails):
    lines = differences_block(two_mails).text.splitlines()
    mail, sms = ([line for line in lines if line.strip().startswith(arm)] for arm in ("mail", "sms"))
    assert len(mail) == len(sms) == 2 and all("no decision: too few spenders" in line for line in sms) and "Too few customers carry the mean" in sms[0]
    assert not any("no decision" in line for line in mail)
    assert [bool(note) for note in two_mails.differences.note] == [False, True]

def test_the_range_of_the_answer_stands_in_the_table_and_in_the_sentences(two_mails):
    decides = sure_lines(two_mails)[0].partition(": ")[2].partition(" per customer fits the data")[0]
    assert decides in differences_block(two_mails).text and f"either leaves open, {decides}" in two_mails.sentences["how_sure"]

def test_one_range_is_not_spoken_of_as_many(two_mails):
    last = sure_lines(two_mails)[-1]
    assert "this range contains" in last and "by formula and by resampling" in last

def first_answers(units, **changes):
    "The first screen and the picture of a readout of these units."
    about = dict(name="page_test", hypothesis="It sells more", objective="Spring", owner="marketing@example.com", control="old", arms=dict(old=.5, new=.5), goal="conversion_rate", goal_value=20, worthwhile_effect=.04,
                 currency="USD", outcome_window_days=7, stopping_rule="none_known", unit="visitor")
    readout = read_out(read_experiment(about | changes), units)
    return str(three_answers(Campaign("page", {}, readout.experiment, SourceFacts("page", "file", None, None, "", {}, {}, {}), readout))), " ".join(chart) if isinstance(chart := gain_chart(readout).to_dict()["title"], list) else chart

@pytest.fixture(scope="module")
def visits():
    "4,000 visitors of two pages on three days, a hundredth of whom unsubscribed."
    rng, n = np.random.default_rng(2), 4000
    at = pd.Series(pd.Timestamp("2017-01-02 08:00", tz="UTC") + pd.to_timedelta(np.arange(n) % 3, "D"))
    return pd.DataFrame(dict(unit_id=[f"v{i}" for i in range(n)], arm=["old", "new"]*(n//2), assigned_at=at, conversion_rate=(rng.random(n) < .12).astype(int), unsubscribe_rate=(rng.random(n) < .01).astype(int),
                             spend_per_customer=np.where(rng.random(n) < .3, rng.gamma(2, 10, n), 0).round(2)))

def test_money_that_nobody_measured_is_called_assumed_on_the_first_screen(visits):
    assumed, title = first_answers(visits)
    assert "The money is assumed: 20.00 USD for each visitor counted in conversion rate" in assumed and "percentage points, which counts as an assumed" in assumed and "USD, assumed" in title
    assert "The money is assumed: 35.00 USD" in first_answers(visits, goal_value=35)[0]
    measured, title = first_answers(visits, goal="spend_per_customer", goal_value=1)
    assert "assumed" not in measured + title

def test_a_readout_calls_people_what_the_promise_calls_them(visits):
    said = first_answers(visits)[0]
    assert "customer" not in said.replace("planned_customers", "") and "per visitor" in said and "4,000 visitors in 2 arms" in said and "how many visitors" in said
    assert "visitor" not in first_answers(visits, unit="customer")[0]

def test_the_first_screen_says_who_was_in_it_when_and_what_was_not_to_get_worse(visits):
    bare, guarded = (first_answers(visits, **more)[0] for more in ({}, dict(guardrails=["unsubscribe_rate"], guardrail_margins=dict(unsubscribe_rate=.02))))
    assert "assigned from 2017-01-02 to 2017-01-04; 7 days of each count." in bare and "Nobody looked: the promise names no guardrail" in bare
    assert "Unsubscribe rate stays within its margin of 2.00 percentage points" in guarded and "Nobody looked" not in guarded
    assert "assigned on 2017-01-02; 1 day of each counts." in first_answers(visits[visits.assigned_at.dt.day == 2], outcome_window_days=1)[0]

def test_a_bar_that_was_set_afterwards_says_so_wherever_it_is_shown(visits):
    late, picture = first_answers(visits)
    assert "set afterwards: whoever chose it could know the result" in late and "which was set afterwards, it stays open" in late and "set afterwards" in picture
    before, picture = first_answers(visits, registered_at="2016-12-01T00:00:00Z")
    assert "afterwards" not in before + picture and "which was asked, it stays open" in before

def test_the_words_of_an_unmeasured_arm_stand_where_no_line_crosses_them(two_mails):
    def parts(layers): return [part for layer in layers for part in (parts(layer["layer"]) if "layer" in layer else [layer])]
    chart = gain_chart(two_mails).to_dict()
    drawn, names = parts(chart["layer"]), [part["encoding"]["y"]["axis"] for part in parts(chart["layer"]) if "y" in part["encoding"]]
    assert names and all('["sms"]' in axis["labelExpr"] and "not measured" in axis["labelExpr"] for axis in names)
    assert not any("not measured" in str(part["mark"]) for part in drawn) and "sms: not measured" in chart["description"]

def test_the_readout_shows_a_name_with_a_script_as_text_and_is_the_same_twice(shop, tools):
    page = run_report("campaign_readout", {"model": "spring"}, shop)
    first = page.read_bytes(), page.with_suffix(".json").read_bytes()
    assert run_report("campaign_readout", {"model": "spring"}, shop) == page
    assert (page.read_bytes(), page.with_suffix(".json").read_bytes()) == first
    parts = tools.Parts(first[0].decode())
    assert "script" not in parts.elements and ARM in "".join(parts.text)
    assert "2026-03-10" in first[0].decode() and str(shop.root) not in first[0].decode() + first[1].decode()

def test_the_first_screen_answers_three_questions_and_the_rest_stands_below_the_picture(shop, tools):
    text = "".join(tools.Parts(run_report("campaign_readout", {"model": "spring"}, shop).read_text()).text)
    order = [text.index(part) for part in ("replay", "set afterwards", "Ship", "Did it work?", "How sure?", "With 95 % confidence", "What now?", "What happened", "What would change it", "What each arm did")]
    assert order == sorted(order)

def test_data_that_nobody_validated_are_unknown_on_the_readout(shop, tools):
    (shop.accepted("shop")/"verdict.json").unlink()
    page = tools.as_it_reads(run_report("campaign_readout", {"model": "spring"}, shop).read_text())
    assert "Unknown</strong> · Data quality of shop" in page and "have not been validated" in page

def test_the_quality_page_leads_with_its_verdict_and_next_step(shop, tools):
    late = Reason("late", "orders: <b>50</b> rows came late.", 50, 0, "Ask `sales`.", severity="review")
    write_json(shop.accepted("shop")/"verdict.json", Verdict("shop", "review", [late]).to_dict())
    page = run_report("data_quality", {"source": "shop"}, shop, shop.report_folder("spring"))
    text = "".join(tools.Parts(page.read_text()).text)
    assert text.index("Review") < text.index("<b>50</b> rows came late") < text.index("Ask sales") < text.index("What became of every row")

def visits_on(days, per_day):
    "Visits, so many a day, and others so many days before the end."
    start = pd.Timestamp("2026-06-30", tz="UTC")
    rows = [dict(day=(start - pd.Timedelta(days=ago)).date(), n=days.get(ago, per_day)) for ago in range(7*16)]
    at = [pd.Timestamp(row["day"], tz="UTC") + pd.Timedelta(minutes=i) for row in rows for i in range(row["n"])]
    return pd.DataFrame(dict(kind="visit", occurred_at=pd.Series(at).astype("datetime64[us, UTC]")))

@pytest.mark.parametrize("days, says", [({0: 1, 1: 30}, "Touchpoints is 24 % below the least of those weeks: 2026-06-29 has 30 (100 before), 2026-06-30 has 1 (100 before), all within the 2 days that touchpoints may come late. Nobody has to ask"),
                                        ({5: 0, 6: 30}, "2026-06-24 has 30 (100 before), 2026-06-25 has 0 (100 before). Nobody has to ask"), ({2: 300}, "Touchpoints is 29 % above the most of those weeks: 2026-06-28 has 300 (100 before). Nobody has to ask"), ({}, None)])
def test_a_week_that_lies_outside_is_explained_by_its_share_and_its_days(shop, days, says):
    with open_evidence(dict(touchpoints=visits_on(days, 100)), source="shop", clock=clock_for("2026-06-30")) as evidence: weeks, of_days, end = weekly_totals(evidence), days_of_newest_week(evidence, "touchpoints"), last_complete_day(evidence)
    quality = replace(read_quality("shop", shop), weeks=weeks, days=dict(touchpoints=of_days), weeks_end=end)
    said = newest_week(quality)
    assert says in said if says else "of those weeks" not in said, said
    asked = replace(quality, verdict=Verdict("shop", "review", [Reason("volume", "touchpoints.visit: one of the last 4 weeks stands out.", 1, 2, "Ask.", severity="review")]))
    if says: assert "What was found says whom to ask." in newest_week(asked) and "Nobody has to ask" not in newest_week(asked)

def without_an_end(workspace):
    "The same source, still growing: its age is judged by the wall clock."
    mapping = workspace.source_folder("shop")/"mapping.yaml"
    mapping.write_text(mapping.read_text().replace("as_of: 2026-06-30\n", ""))
    moment = "2026-03-10T06:00:00+00:00"
    write_table(frame_of_rows("orders", [dict(order_id="A1", customer_id="c0001", currency="USD", occurred_at=moment, known_at=moment)]), "orders", workspace.accepted("shop"))

def first_screen(text, end): return text[:text.index(end)]

def test_data_that_passed_every_check_and_are_old_are_no_pass_on_either_page(shop, tools):
    without_an_end(shop)
    readout, quality = (run_report(name, parameters, shop, shop.report_folder("spring")) for name, parameters in (("campaign_readout", {"model": "spring"}), ("data_quality", {"source": "shop"})))
    seen = {page.stem: "".join(tools.Parts(tools.as_it_reads(page.read_text())).text) for page in (readout, quality)}
    top = first_screen(seen["data_quality"], "Everything that was found")
    assert "Fail" in top and "Pass" not in top and "passed every check" in top
    assert "in orders the newest row is of 2026-03-10" in top and "no ground for deciding about today" in top and "why nothing newer has arrived" in top
    assert "Pass" not in seen["data_quality"]
    top = first_screen(seen["campaign_readout"], "What each arm did")
    assert "passed every check" in top and "too old" in top and "2026-03-10" in top and "no ground" not in top   # a finished experiment stays as it was
    assert "Fail · Data quality of shop" in seen["campaign_readout"] and "Pass · Data quality" not in seen["campaign_readout"]
    results = json.loads(quality.with_suffix(".json").read_text())["results"]
    assert results["verdict"] == "fail" and "too old" in results["sentence"]
    listed = "".join(tools.Parts(tools.as_it_reads(report_index(shop).read_text())).text)
    assert "Fail · Data quality: shop" in listed and "too old" in listed

def test_a_replay_is_judged_on_its_last_day_and_says_nothing_about_age(shop, tools):
    for page in (run_report("campaign_readout", {"model": "spring"}, shop), run_report("data_quality", {"source": "shop"}, shop)):
        text = "".join(tools.Parts(page.read_text()).text)
        assert "too old" not in text and "older than agreed" not in text and "cannot be told" not in first_screen(text, "What ")
        assert "Pass" in text and "Fail" not in text and "Unknown" not in text

@pytest.mark.parametrize("checked", VERDICT_STATUSES)
@pytest.mark.parametrize("age", VERDICT_STATUSES)
@pytest.mark.parametrize("clock", [WallClock(), clock_for("2026-06-30")], ids=["live", "replay"])
def test_the_status_of_data_is_never_better_than_its_worst_part(checked, age, clock):
    def verdict(status): return Verdict("shop", status, [Reason("x", "orders: x.", 9, 2, severity=status)] if status != "pass" else [])
    whole = data_verdict(verdict(checked), verdict(age), clock)
    assert worst_status([whole.status, checked]) == whole.status and whole.status in (checked, age)
    if clock.label == "live" or age != "unknown": assert worst_status([whole.status, age]) == whole.status

def test_the_table_furthest_beyond_its_limit_is_named_and_the_others_counted():
    late = [Reason("late", f"{table}: the newest row is of 2026-06-01, {age} days before 2026-06-30.", age, limit, severity="fail") for table, age, limit in [("traits", 99., 31.), ("orders", 29., 2.), ("media", 29., 3.)]]
    said = age_sentence(judged("shop freshness", late), WallClock())
    assert "in orders the newest row is of 2026-06-01, 29.0 days before 2026-06-30, where 2 days are allowed; 2 more tables are late." in said

@pytest.mark.parametrize("name, parameters, error, words", [
    ("campaign_readout", {"model": "sprnig"}, StageError, "Did you mean 'spring'?"), ("campaign_readout", {"model": "quiet"}, StageError, "has no experiment"),
    ("campaign_readout", {"modle": "spring"}, ParameterError, "model"), ("data_quality", {"source": "shpo"}, StageError, "Did you mean 'shop'?")])
def test_a_wrong_word_ends_in_two_lines_and_keeps_the_page(shop, name, parameters, error, words):
    kept = shop.report_folder("spring")/f"{name}.html"
    kept.parent.mkdir(parents=True)
    kept.write_text("yesterday's page")
    with pytest.raises(error) as raised: run_report(name, parameters, shop, shop.report_folder("spring"))
    assert words in str(raised.value) and len(str(raised.value).splitlines()) == 2
    assert kept.read_text() == "yesterday's page"

def test_without_accepted_tables_the_error_says_what_to_run(shop):
    shutil.rmtree(shop.accepted("shop"))
    with pytest.raises(DataError, match="mmops run"): read_campaign("spring", shop)

def test_an_arm_nobody_declared_is_refused_by_name(shop):
    folder = shop.accepted("shop")
    frame = pd.read_parquet(folder/"assignments.parquet")
    pd.DataFrame(frame.assign(arm=frame.arm.replace("no_mail", "no mail"))).to_parquet(folder/"assignments.parquet")
    with pytest.raises(DataError, match="no mail"): read_campaign("spring", shop)

def test_shuffled_rows_give_the_same_units(shop):
    from marketing_mlops.measurement.experiments import read_experiment
    experiment = read_experiment(read_params(shop).model("spring")["experiment"])
    tables = {p.stem: canonical_frame(pq.read_table(p), p.stem) for p in shop.accepted("shop").glob("*.parquet")}
    shuffled = {name: df.sample(frac=1, random_state=1)[list(df.columns[::-1])] for name, df in tables.items()}
    pd.testing.assert_frame_equal(campaign_units(experiment, tables), campaign_units(experiment, shuffled))

@pytest.mark.slow
def test_papermill_runs_a_report_from_any_folder(shop, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    command = [sys.executable, "-m", "papermill", str(shop.root/"nbs/reports/campaign_readout.ipynb"), "out.ipynb", "-p", "model", "spring", "-p", "workspace", str(shop.root), "--log-level", "ERROR", "--no-progress-bar"]
    done = subprocess.run(command, cwd=elsewhere, capture_output=True, text=True, env=os.environ | {"PYTHONWARNINGS": "ignore"})
    assert done.returncode == 0, done.stderr[-2000:]
    from marketing_mlops.reporting.pages import render_page
    page = render_page(elsewhere/"out.ipynb")
    assert "Ship" in page and str(shop.root) not in page

def test_a_page_that_two_models_share_is_listed_once_unless_it_says_two_things(shop):
    for model in ("spring", "winter"): run_report("data_quality", {"source": "shop"}, shop, shop.report_folder(model))
    assert report_index(shop).read_text().count("Data quality: shop") == 1
    other = shop.report_folder("winter")/"data_quality.json"
    other.write_text(other.read_text().replace('"verdict": "pass"', '"verdict": "fail"'))
    assert report_index(shop).read_text().count("Data quality: shop") == 2

def test_the_list_names_every_report_and_its_decision(shop, tools):
    run_report("campaign_readout", {"model": "spring"}, shop)
    run_report("data_quality", {"source": "shop"}, shop, shop.report_folder("spring"))
    (shop.report_folder("spring")/"broken.json").write_text("{")
    listed = report_index(shop).read_text()
    text = "".join(tools.Parts(listed).text)
    assert "2 pages in this workspace" in text and text.index("Campaign readout: spring") < text.index("Data quality: shop")
    assert 'href="report/spring/campaign_readout.html"' in listed

def test_hillstrom_is_read_out_to_the_digits_of_the_reference(tmp_path, repository, datasets, monkeypatch):
    monkeypatch.setenv("MMOPS_DATASETS", str(datasets))
    for name in ("settings.ini", "params.yaml"): shutil.copy2(repository/name, tmp_path/name)
    for name in ("data/sources", "data/replays"): shutil.copytree(repository/name, tmp_path/name)
    workspace = find_workspace(tmp_path)
    folder, private = workspace.accepted("hillstrom"), workspace.private("hillstrom")
    for place in (folder, private): place.mkdir(parents=True)
    ingest("hillstrom", workspace, read_params(workspace), folder, private)
    campaign = read_campaign("hillstrom_email", workspace)
    arms, differences = str(arms_block(campaign.readout)), str(differences_block(campaign.readout))
    for figure in ("21,307", "30,311.69 USD", "1.422617 USD", "18.2757 %", "1.2531 %", "21,387", "23,038.11 USD", "1.077202 USD", "15.1400 %", "0.8837 %", "21,306", "13,908.33 USD", "0.652789 USD", "10.6167 %", "0.5726 %"):
        assert figure in arms, figure
    for figure in ("+0.7698 USD", "5.300", "+0.4244 USD", "3.256", "+7.6590 points", "22.486", "+4.5233 points", "13.949", "+0.6805 points", "7.385", "+0.3111 points", "3.780"):
        assert figure in differences, figure
    assert campaign.readout.label == "set afterwards, replay"
