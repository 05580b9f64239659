"""The weekly report: its figures are those of an independent count, its sentences follow from the data, its holidays move."""
import shutil
from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
import duckdb
import pandas as pd
import pytest
from dateutil.easter import easter
from marketing_mlops.contracts import scopes
from marketing_mlops.contracts.metrics import metric_value
from marketing_mlops.contracts.schemas import frame_of_rows
from marketing_mlops.contracts.scopes import OpenedTables
from marketing_mlops.contracts.verdict import Verdict
from marketing_mlops.reporting import week_blocks
from marketing_mlops.reporting.provenance import source_facts
from marketing_mlops.reporting.reports import run_report
from marketing_mlops.reporting.week_answers import week_answer
from marketing_mlops.reporting.week_blocks import channels_block, increments_block, read_weekly, weekly_heading
from marketing_mlops.reporting.week_figures import WEEKLY_METRICS, ranges_hold, read_week, weeks_outside
from marketing_mlops.reporting.week_pairs import week_holidays, week_pair
from marketing_mlops.reporting.week_targets import WeekPlan
from marketing_mlops.sources.quality import check_source
from marketing_mlops.sources.simulator import simulate
from marketing_mlops.workspace.errors import DataError, StageError
from marketing_mlops.workspace.params import read_yaml
from marketing_mlops.workspace.places import find_workspace, write_text

HOSTILE = "<script>alert(1)</script>"

@pytest.fixture(scope="module")
def place(tmp_path_factory, repository):
    "A workspace with 1,000 simulated customers; one platform has a hostile name."
    root = tmp_path_factory.mktemp("weekly")
    shutil.copy2(repository/"settings.ini", root)
    write_text(root/"params.yaml", "sources:\n  retailer: {kind: simulated}\n  empty: {kind: simulated}\nmodels: {}\n")
    (root/"nbs"/"reports").mkdir(parents=True)
    shutil.copy2(repository/"nbs"/"reports"/"weekly_performance.ipynb", root/"nbs"/"reports")
    found = find_workspace(root)
    simulate(1_000, 18, 7, into=found.accepted("retailer"), private=root/"private")
    file = found.accepted("retailer")/"media.parquet"
    media = pd.read_parquet(file)
    media["channel"] = media.channel.astype(str).where(media.channel != "display", HOSTILE)
    import pyarrow.parquet as pq, pyarrow as pa
    pq.write_table(pa.Table.from_pandas(media, schema=pq.read_schema(file), preserve_index=False), file)
    return found

def sold(place, market, zone, start):
    "Net revenue of seven days of one market whose currency is the one shown, counted in SQL."
    folder = place.accepted("retailer")
    with duckdb.connect() as con:
        con.execute("set TimeZone = 'UTC'")
        return con.execute(f"""select sum(l.quantity*l.unit_price - coalesce(l.discount, 0) - coalesce(l.tax, 0)) from '{folder}/order_lines.parquet' l join '{folder}/orders.parquet' o using (order_id)
            where o.market = ? and (l.occurred_at at time zone ?)::date between ?::date and ?::date""", [market, zone, start, start + timedelta(days=6)]).fetchone()[0]

def test_the_weeks_net_revenue_is_that_of_a_count_in_sql(place):
    week = read_weekly("retailer", place).week
    found = week.by_market["DE"]
    assert found.value == pytest.approx(float(sold(place, "DE", "Europe/Berlin", week.starts["DE"])), abs=.005)
    assert found.last_year == pytest.approx(float(sold(place, "DE", "Europe/Berlin", week.pairs["DE"].last_year)), abs=.005)
    assert week.figures["net_revenue"].value == pytest.approx(sum(each.value for each in week.by_market.values()), abs=.01)

def test_the_page_answers_in_the_first_screen_and_keeps_hostile_names_as_text(place, tmp_path):
    page = run_report("weekly_performance", {}, place, tmp_path)
    text, results = page.read_text(), read_yaml(page.with_suffix(".json"))["results"]
    assert results["verdict"] in ("as_usual", "below_plan", "unusual", "unknown") and results["sentence"] in text and results["week"] == "2026-06-22"
    assert HOSTILE not in text and "&lt;script&gt;" in text and "Open rate" not in text
    assert text.index("How sure") < text.index("What to do") < text.index("The weeks before")
    assert len(text) < 1_000_000

def test_a_weekly_figure_is_the_same_to_the_last_digit_from_tables_that_were_opened_once(place):
    tables = {file.stem: file for file in place.accepted("retailer").glob("*.parquet")}
    opened = OpenedTables(tables, place.settings)
    for name in WEEKLY_METRICS:
        assert metric_value(name, opened, by=["week", "market"], settings=place.settings).equals(metric_value(name, tables, by=["week", "market"], settings=place.settings)), name
        assert metric_value(name, opened, start=date(2026, 6, 1), end=date(2026, 6, 8), settings=place.settings) == metric_value(name, tables, start=date(2026, 6, 1), end=date(2026, 6, 8), settings=place.settings), name

def test_a_week_reads_no_column_of_a_table_twice_for_its_figures(place, monkeypatch):
    read, really = Counter(), scopes.pq.read_table
    def counted(file, columns): read.update((file.stem, column) for column in columns); return really(file, columns=columns)
    monkeypatch.setattr(scopes.pq, "read_table", counted)
    read_weekly("retailer", place)
    assert read[("order_lines", "unit_price")] == 1 and max(read.values()) == 1, read.most_common(3)

def test_one_changed_figure_changes_the_sentence_and_the_word(place, tmp_path):
    copy = tmp_path/"copy"
    shutil.copytree(place.root, copy, ignore=shutil.ignore_patterns("runs"))
    other = find_workspace(copy)
    before = read_weekly("retailer", other)
    file = other.accepted("retailer")/"order_lines.parquet"
    with duckdb.connect() as con:
        con.execute("set TimeZone = 'UTC'")
        con.execute(f"""copy (select * replace (case when occurred_at >= '2026-06-22' and occurred_at < '2026-06-28' and kind = 'sale' then unit_price*3 else unit_price end::decimal(18,4) as unit_price) from '{file}') to '{file}.new' (format parquet)""")
    shutil.move(f"{file}.new", file)
    after = read_weekly("retailer", other)
    assert after.answer.changed != before.answer.changed and after.week.figures["net_revenue"].word == "above" and after.answer.word in ("unusual", "unknown")
    assert any("Find out what brought it" in step for step in after.answer.details["What to do"])

@pytest.mark.parametrize("parameters, says", [(dict(week=date(2031, 1, 6)), "is not in the data"), (dict(source="empty"), "has no accepted tables"), (dict(source="retialer"), "retailer")])
def test_what_cannot_be_shown_is_refused_in_words(place, tmp_path, parameters, says):
    with pytest.raises((StageError, DataError), match=says): run_report("weekly_performance", parameters, place, tmp_path)

def test_good_friday_is_held_against_good_friday_in_every_year():
    for year in range(2011, 2040):
        friday, before = easter(year) - timedelta(days=2), easter(year - 1) - timedelta(days=2)
        pair = week_pair(friday - timedelta(days=4), "DE")
        assert not pair.is_alike or pair.last_year == before - timedelta(days=4), year

@pytest.mark.parametrize("calendar", ["DE", "UK", "US", "FR", "TN", ""])
def test_a_pair_keeps_weekdays_and_holidays(calendar):
    for start in pd.date_range("2019-01-07", "2027-12-27", freq="7D").date:
        pair = week_pair(start, calendar)
        assert pair.last_year.weekday() == start.weekday() and abs((start - pair.last_year).days - 364) <= 35 and 364 + 7*-pair.weeks_moved == (start - pair.last_year).days
        assert not pair.is_alike or sorted(week_holidays(pair.last_year, calendar)) == sorted(pair.holidays)
        if not calendar: assert pair.weeks_moved == 0

def small_shop(orders, market=lambda i: "DE"):
    "One order a day of 100 EUR; `orders` are days."
    at = [f"{day:%Y-%m-%d}T10:00:00Z" for day in orders]
    rows = [dict(order_id=f"o{i}", customer_id=f"c{i % 50}", market=market(i), currency="EUR", occurred_at=when, known_at=when) for i, when in enumerate(at)]
    lines = [dict(order_line_id=f"l{i}", order_id=f"o{i}", kind="sale", quantity=1, unit_price=100, currency="EUR", occurred_at=when, known_at=when) for i, when in enumerate(at)]
    return {"orders": frame_of_rows("orders", rows), "order_lines": frame_of_rows("order_lines", lines)}

@pytest.fixture
def settings(place): return place.settings

def test_a_week_that_is_not_over_is_not_shown_and_a_day_is_over_with_the_next(settings):
    shop = small_shop(pd.date_range("2025-01-06", "2026-06-28"))
    assert read_week(shop, settings).monday == date(2026, 6, 15)                     # Sunday has begun, and may go on
    with pytest.raises(DataError, match="or not over"): read_week(shop, settings, date(2026, 6, 24))
    assert read_week(small_shop(pd.date_range("2025-01-06", "2026-06-29")), settings).monday == date(2026, 6, 22)

def test_a_market_that_sold_nothing_is_a_week_of_nothing(settings):
    shop = small_shop([*pd.date_range("2025-01-06", "2026-06-30"), *pd.date_range("2025-01-06", "2026-06-20")], market=lambda i: "DE" if i < 541 else "UK")
    week = read_week(shop, settings)
    assert week.by_market["UK"].value == 0 and week.by_market["UK"].word == "below" and week.figures["net_revenue"].value == 700

def test_orders_without_a_market_stay_in_the_total(settings):
    shop = small_shop(pd.date_range("2025-01-06", "2026-06-30"), market=lambda i: None if i % 3 == 0 else "DE")
    week = read_week(shop, settings)
    assert week.figures["net_revenue"].value == pytest.approx(700) and set(week.by_market) == {"", "DE"}

def test_media_that_end_before_the_week_leave_their_figures_out(settings):
    shop = small_shop(pd.date_range("2025-01-06", "2026-06-30"))
    shop["media"] = frame_of_rows("media", [dict(day=f"{day:%Y-%m-%d}", channel="search", market="DE", spend=10, clicks=5, impressions=100, currency="EUR", occurred_at=f"{day:%Y-%m-%d}T00:00:00Z", known_at=f"{day:%Y-%m-%d}T00:00:00Z")
                                            for day in pd.date_range("2025-01-06", "2026-06-25")])
    found = read_week(shop, settings).figures["roas"]
    assert found.value is None and found.expected is None and "media end on 2026-06-25" in found.why

def test_nobody_is_called_new_against_a_year_in_which_everybody_was(settings):
    "Shop of 18 months: a share of new customers has no last year before the second anniversary of the data."
    found = read_week(small_shop(pd.date_range("2025-01-06", "2026-06-30")), settings).figures["new_customer_share"]
    assert found.value is not None and found.last_year is None

def test_media_of_no_market_and_of_a_market_without_orders_count_in_the_total(settings):
    shop = small_shop(pd.date_range("2025-01-06", "2026-06-30"))
    days = pd.date_range("2025-01-06", "2026-06-30")
    shop["media"] = frame_of_rows("media", [dict(day=f"{day:%Y-%m-%d}", channel=channel, market=market, spend=10, clicks=5, impressions=100, currency="EUR", occurred_at=f"{day:%Y-%m-%d}T00:00:00Z", known_at=f"{day:%Y-%m-%d}T00:00:00Z")
                                            for day in days for channel, market in (("search", "DE"), ("video", None), ("social", "UK"))])
    week = read_week(shop, settings)
    assert week.figures["roas"].value == pytest.approx(700/210) and list(week.starts) == ["DE"]

def test_every_market_figure_is_that_of_its_market_alone(settings):
    shop = small_shop([*pd.date_range("2025-01-06", "2026-06-30"), *pd.date_range("2025-01-06", "2026-06-30")], market=lambda i: "DE" if i < 541 else "UK")
    week = read_week(shop, settings)
    assert {name: each.value for name, each in week.market_figures["net_revenue"].items()} == {"DE": 700, "UK": 700}
    assert week.market_figures["average_order_value"]["UK"].value == 100 and set(week.market_figures) <= set(week.figures)

def with_plans(place, root, times):
    "A copy of the workspace whose plans ask for so many times as much."
    shutil.copytree(place.root, root, ignore=shutil.ignore_patterns("runs"))
    file = find_workspace(root).accepted("retailer")/"targets.parquet"
    with duckdb.connect() as con: con.execute(f"copy (select * replace ((value*{times})::decimal(18,4) as value) from '{file}') to '{file}.new' (format parquet)")
    shutil.move(f"{file}.new", file)
    return find_workspace(root)

def test_a_plan_that_cannot_be_reached_any_more_is_told_while_the_week_stays_what_it_is(place, tmp_path):
    low, high = (read_weekly("retailer", with_plans(place, tmp_path/str(times), times)).answer for times in (.5, 100))
    assert not any("would have to bring" in step for step in low.details["What to do"]) and "ahead by" in low.details["Against the plan"][-1]
    assert any("of June would have to bring" in step for step in high.details["What to do"]) and high.changed.split(" That is")[0] == low.changed.split(" That is")[0]

def test_a_plan_that_most_weeks_miss_is_told_to_stand_apart_and_not_the_week(place, tmp_path):
    low, high = (read_weekly("retailer", with_plans(place, tmp_path/str(times), times)) for times in (.5, 2))
    assert not any("stands apart" in line for line in low.answer.details["Against the plan"])
    said = " ".join(high.answer.details["Against the plan"])
    assert "13 of the 13 weeks shown were below their plan" in said and "the plan is what stands apart, not this week" in said and "at the exchange rate of each day" in said
    assert high.answer.changed.endswith("13 of 13 weeks were below theirs.")

def test_a_day_that_has_begun_is_named_and_left_out_of_the_month(place):
    weekly = read_weekly("retailer", place)
    assert weekly.whole_until == "2026-06-29" and weekly.plan.month.last == date(2026, 6, 29)
    assert "30 June has data and is not counted" in weekly.answer.details["Against the plan"][-1] and "Data end: 2026-06-30\nWhole days until: 2026-06-29" in str(weekly_heading(weekly))

def broken_weeks(settings):
    "A shop that sells every day, and in four weeks many times as much, each time more."
    days = pd.date_range("2025-01-06", "2026-06-30")
    shop = small_shop(days)
    wild = {11: 3., 8: 20., 5: 150., 2: 5_000.}
    weeks_back = ((pd.Timestamp("2026-06-28") - days).days//7)
    shop["order_lines"]["unit_price"] = pd.Series([wild.get(back, 1.)*(100 + i % 7) for i, back in enumerate(weeks_back)]).map(lambda each: Decimal(str(each))).astype(shop["order_lines"].unit_price.dtype)
    return read_week(shop, settings)

def test_a_week_whose_ranges_do_not_hold_calls_no_figure_usual_or_unusual(settings):
    week = broken_weeks(settings)
    assert weeks_outside(week)[0] >= 3 and not ranges_hold(week)
    assert {each.word for each in [*week.figures.values(), *week.by_market.values()]} == {"not judged"} and week.figures["net_revenue"].value > 0
    answer = week_answer(week, WeekPlan(), Verdict("shop", "pass", []))
    assert answer.word == "unknown" and "no figure on this page is called usual or unusual" in answer.details["How sure"][0] and "usual range" not in " ".join(answer.details["What to do"])

def test_old_rows_of_a_public_source_are_a_remark_and_not_the_first_step(public, monkeypatch):
    facts = source_facts("online-retail", public("online-retail"))
    checked = check_source(facts.tables, source="online-retail", clock=facts.clock).verdict
    monkeypatch.setattr(week_blocks, "quality_of", lambda facts: checked)
    weekly = read_weekly("online-retail", public("online-retail"))
    assert "None of these rows lies in the 13 weeks shown" in weekly.answer.details["The data"][0]
    assert not any("negative price" in step for step in weekly.answer.details["What to do"])
    assert {each.word for each in weekly.week.figures.values()} == {"not judged"} and "no figure on this page" in weekly.answer.details["How sure"][0]

def test_an_experiment_before_the_week_is_told_with_its_days_and_leaves_the_cells_of_channels_unmeasured(place):
    weekly = read_weekly("retailer", place)
    spring = next(each for each in weekly.ended if each.name == "promo_mail_2026")
    assert (spring.channel, spring.first, spring.until) == ("email", date(2026, 3, 10), date(2026, 4, 21)) and spring.until < weekly.week.monday
    said = str(increments_block(weekly)).replace("\N{NO-BREAK SPACE}", " ")
    assert "promo_mail_2026 (one campaign by email), drawn by lot: assigned 10 March to 7 April 2026" in said and "It covers no day of this week." in said
    assert weekly.channels.incremental_revenue.isna().all() and str(channels_block(weekly)).count("not measured") >= len(weekly.channels)
    begun = read_weekly("retailer", place, date(2026, 4, 15))
    assert "promo_mail_2026" not in [each.name for each in begun.ended] and "promo_mail_2026" in [each.evidence for each in begun.increments]
