"""The weekly report: its figures are those of an independent count, its sentences follow from the data, its holidays move."""
import shutil
from datetime import date, timedelta
import duckdb
import pandas as pd
import pytest
from dateutil.easter import easter
from marketing_mlops.reporting.reports import run_report
from marketing_mlops.reporting.week_blocks import read_weekly
from marketing_mlops.reporting.week_pairs import week_holidays, week_pair
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
    assert results["verdict"] in ("as_usual", "unusual", "unknown") and results["sentence"] in text and results["week"] == "2026-06-22"
    assert HOSTILE not in text and "&lt;script&gt;" in text and "Open rate" not in text
    assert text.index("How sure") < text.index("What to do") < text.index("The weeks before")
    assert len(text) < 1_000_000

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
