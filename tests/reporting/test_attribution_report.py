"""The report of attribution: it says first how far it moves, its sentences follow from the figures, and it never calls a credit incremental."""
import shutil
from dataclasses import replace
from datetime import date
import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from marketing_mlops.contracts.journey_rules import JourneyRules
from marketing_mlops.contracts.schemas import canonical_arrow, frame_of_rows
from marketing_mlops.measurement.attribution import AttributionSpec
from marketing_mlops.measurement.journeys import NO_TOUCH
from marketing_mlops.reporting.attribution_answers import attribution_answer
from marketing_mlops.reporting.attribution_blocks import account_block, beside_table, credits_table, movement_table, rules_block, week_credits_block
from marketing_mlops.reporting.attribution_figures import attribution_tables, credits_apart, read_attribution, week_credits
from marketing_mlops.reporting.reports import run_report
from marketing_mlops.sources.customer_journeys import UNTOUCHED, customer_journeys
from marketing_mlops.sources.ingestion import ingest
from marketing_mlops.sources.simulator import simulate
from marketing_mlops.workspace.errors import DataError, ParameterError
from marketing_mlops.workspace.params import read_params, read_yaml
from marketing_mlops.workspace.places import find_workspace, write_text

HOSTILE = "<script>alert(1)</script>"

@pytest.fixture(scope="module")
def place(tmp_path_factory, repository):
    "A workspace with 800 simulated customers, one channel with a hostile name, and a small table of counted journeys."
    root = tmp_path_factory.mktemp("attribution")
    shutil.copy2(repository/"settings.ini", root)
    write_text(root/"params.yaml", "sources:\n  retailer: {kind: simulated}\n  counted: {kind: simulated}\n  empty: {kind: simulated}\nmodels: {}\n")
    (root/"nbs"/"reports").mkdir(parents=True)
    shutil.copy2(repository/"nbs"/"reports"/"attribution.ipynb", root/"nbs"/"reports")
    found = find_workspace(root)
    simulate(800, 9, 7, into=found.accepted("retailer"), private=found.private("retailer"))
    for name in ("touchpoints", "media"):
        file = found.accepted("retailer")/f"{name}.parquet"
        rows = pq.read_table(file).to_pandas()
        rows["channel"] = rows.channel.astype(str).where(rows.channel != "affiliate", HOSTILE)
        pq.write_table(pa.Table.from_pandas(rows, schema=pq.read_schema(file), preserve_index=False), file)
    write_counted(found, PATHS)
    return found

PATHS = [("search", 30, 300), ("social > search", 20, 200), ("email", 10, 100)]

def write_counted(place, paths):
    rows = [dict(journey_id=str(i), path=path, converted_journeys=won, lost_journeys=lost, conversion_value=40*won) for i, (path, won, lost) in enumerate(paths)]
    place.accepted("counted").mkdir(parents=True, exist_ok=True)
    pq.write_table(canonical_arrow(frame_of_rows("journeys", rows), "journeys"), place.accepted("counted")/"journeys.parquet")

@pytest.fixture(scope="module")
def found(place): return read_attribution("retailer", place)

def test_the_page_shows_how_far_it_moves_before_any_credit_and_keeps_hostile_names_as_text(place, tmp_path, tools):
    page = run_report("attribution", dict(method="time_decay"), place, tmp_path)
    text, results = tools.as_it_reads(page.read_text()), read_yaml(page.with_suffix(".json"))["results"]
    assert results["sentence"] in text and results["verdict"] in ("review", "pass", "unknown")
    assert text.index("specifications that could have been chosen") < text.index("What is credited") < text.index("What was measured") < text.index("What to do") < text.index("By each method")
    assert HOSTILE not in page.read_text() and "&lt;script&gt;" in text and results["specification"] in text
    assert sum(each["share"] for each in results["credits"].values()) == pytest.approx(1, abs=1e-4)

def test_orders_and_their_revenue_are_those_of_a_count_in_sql(place, found):
    folder = place.accepted("retailer")
    with duckdb.connect() as con:
        con.execute("set TimeZone = 'UTC'")
        n, euros = con.execute(f"""select count(distinct o.order_id), sum(case when l.currency = 'EUR' then l.quantity*l.unit_price - coalesce(l.discount, 0) - coalesce(l.tax, 0) end)
            from '{folder}/orders.parquet' o join '{folder}/order_lines.parquet' l using (order_id) where o.occurred_at >= ? and o.occurred_at < ?""", list(found.period)).fetchall()[0]
    assert found.chosen.n_conversions == n == found.account["orders of the period"]
    assert found.chosen.credits.conversions.sum() == pytest.approx(n) and found.chosen.credits.value.sum() > float(euros) > 0

def test_weeks_are_whole_and_over(found): assert found.period[0].weekday() == found.period[1].weekday() == 0 and (found.period[1] - found.period[0]).days == 91 and found.period[1] <= pd.Timestamp("2026-07-01", tz="UTC")

def test_the_credits_of_a_week_sum_to_its_orders_and_their_revenue(place, found):
    "Adding up by week what the report shows over all of them; a touch counts for the week of its order."
    tables, monday = found.facts.tables | {"identifiers": place.private("retailer")/"identifiers.parquet"}, found.period[1] - pd.Timedelta(weeks=1)
    credited = week_credits(tables, place.settings, monday.date(), found.chosen.spec)
    assert credited.attributed_conversions.sum() == pytest.approx(pd.read_parquet(tables["orders"]).query("@monday <= occurred_at < @found.period[1]").order_id.nunique())
    assert credited.attributed_revenue.sum() > 0 and (credited.attributed_conversions <= found.chosen.credits.conversions.reindex(credited.index) + 1e-9).all()

def test_the_weekly_report_credits_all_orders_of_the_week_and_calls_nothing_incremental(place, found):
    monday = (found.period[1] - pd.Timedelta(weeks=1)).date()
    lines = str(week_credits_block(found.facts, place, monday)).splitlines()
    *lines, total = lines
    assert "Credited, not caused: linear" in lines[0] and lines[-1].strip().startswith(NO_TOUCH) and all(line.rstrip().endswith("not measured") for line in lines[2:-1])
    shown = sum(float(line.rsplit(" EUR", 1)[0].split()[-2].replace(",", "")) for line in lines[2:])
    assert f"All rows together: {shown:,.0f} orders and " in total and "each counts with its own returns" in total and "so the two differ" in total
    begun = pd.Timestamp(monday, tz="UTC")
    n = pd.read_parquet(found.facts.tables["orders"]).query("@begun <= occurred_at < @found.period[1]").order_id.nunique()
    assert shown == pytest.approx(n, abs=.5)
    never = week_credits_block(found.facts, place, monday, AttributionSpec("linear", JourneyRules(consent_purpose="measurement")))
    assert str(never).startswith("Nothing is attributed: consent_purpose is 'measurement'")
    assert str(week_credits_block(found.facts, place, date(2019, 1, 7))).startswith("Nothing is attributed: this source")

def test_a_credit_is_never_called_incremental(found):
    said = str(beside_table(found))
    assert "Attributed" in said and "not measured" in said
    for name in found.chosen.credits.index.drop([NO_TOUCH, "email"]): assert next(line for line in said.splitlines() if line.strip().startswith(name)).rstrip().endswith("not measured"), name

def test_every_column_of_credits_sums_to_the_conversions(found):
    last = str(credits_table(found)).splitlines()[-1]
    assert last.split()[2:] == [f"{found.chosen.n_conversions:,.1f}"]*7

def test_what_was_left_out_is_on_the_page(found):
    said = str(account_block(found))
    for reason in ("Touchpoints left out: no consent", "Touchpoints left out: opened by a machine", "Touchpoints left out: anonymous, so no consent", "Orders without a touchpoint that may be used: of customers who had not agreed to profiling"): assert reason in said
    assert "agreed to profiling" in str(rules_block(found)) and found.chosen.spec.version in str(rules_block(found))
    assert len(str(movement_table(found)).splitlines()) == len(found.moves) + 1

def test_orders_without_a_usable_touchpoint_are_told_apart_as_a_count_in_pandas_does(place, found):
    "Guests, customers who had not agreed when they ordered, and those who had and met nothing."
    start, end = found.period
    orders = pd.read_parquet(place.accepted("retailer")/"orders.parquet").query("@start <= occurred_at < @end")
    said = pd.read_parquet(place.accepted("retailer")/"consents.parquet").query("purpose == 'profiling'").sort_values("occurred_at")
    last = pd.merge_asof(orders.dropna(subset=["customer_id"]).sort_values("occurred_at")[["order_id", "customer_id", "occurred_at"]], said[["customer_id", "occurred_at", "is_granted"]], on="occurred_at", by="customer_id")
    parts = {name.removeprefix(UNTOUCHED + ": "): n for name, n in found.account.items() if name.startswith(UNTOUCHED + ": ")}
    guests, refused, met_nothing = parts.values()
    assert [name.split()[1] for name in parts] == ["guests,", "customers", "customers"] and guests == orders.customer_id.isna().sum()
    assert 0 < refused <= (last.is_granted.fillna(False).astype(bool) == False).sum() and met_nothing > 0                  # some agreed when they were seen and withdrew before they ordered
    assert sum(parts.values()) == found.account[UNTOUCHED] == pytest.approx(found.chosen.credits.conversions[NO_TOUCH])
    said = attribution_answer(replace(found, account={f"{UNTOUCHED}: of guests, whose order names no customer": 7})).details["What is credited"][1]
    assert "7 of guests" in said and f"{refused:,} of customers" in attribution_answer(found).details["What is credited"][1]

def test_credits_of_people_without_a_message_are_told(place, found):
    "Every order of a person without a send, and of the holdout; with sends taken away the part grows to all of it."
    assert 0 < found.apart["unsent"] < found.apart["all"] == pytest.approx(found.chosen.credits.conversions["email"]) and found.apart["held out"] <= found.apart["unsent"]
    tables = attribution_tables(found.facts, place)
    own = customer_journeys(tables, found.chosen.spec.rules, *found.period, settings=place.settings)
    nobody = credits_apart(tables | dict(contacts=pd.read_parquet(tables["contacts"]).query("kind != 'send'")), own, found.chosen.spec, ("email",))
    assert nobody["unsent"] == nobody["all"] == pytest.approx(found.apart["all"])
    sentence = attribution_answer(found).details["What was measured"][2]
    assert "Touches of the channel email are credited with" in sentence and f"{found.apart['unsent']/found.apart['all']:.0%}".replace("%", " %") in sentence
    by_shapley = replace(found, chosen=replace(found.chosen, spec=replace(found.chosen.spec, method="shapley")))
    assert "by the linear rule, since Shapley credits no single journey" in attribution_answer(by_shapley).details["What was measured"][2] and "no single journey" not in sentence
    reached = next(each for each in found.increments if each.kind == "holdout")
    assert 0 < found.n_contacted[reached.evidence] <= reached.n_reached and f"{found.n_contacted[reached.evidence]:,} were sent a message" in attribution_answer(found).details["What was measured"][1]

def test_the_choice_that_moves_most_is_named(found):
    rows = found.choices
    assert {"the method", "how long clicks count", "what becomes of direct visits"} <= set(rows.index) and rows.move.is_monotonic_decreasing
    assert attribution_answer(found).details["What moves it"][0].startswith(f"The choice that moves the answer most is {rows.index[0]}.")
    only = found.comparison.rows
    methods = replace(found, comparison=replace(found.comparison, rows=only[only.rules == found.chosen.spec.rules.name]))
    assert methods.choices.index.tolist() == ["the method"] and "most is the method" in attribution_answer(methods).details["What moves it"][0]
    assert f"Agree on {rows.index[0]} before" in attribution_answer(found).details["What to do"][0]
    assert found.moves.loc[NO_TOUCH, ["low_by", "high_by"]].isin(found.comparison.rules).all()

def test_rules_the_source_cannot_follow_and_sources_without_journeys_are_refused(place):
    with pytest.raises(ParameterError, match="were asked for"): read_attribution("retailer", place, AttributionSpec("linear", JourneyRules(consent_purpose="measurement")))
    with pytest.raises(DataError, match="neither touchpoints nor counted journeys"): read_attribution("empty", place)
    with pytest.raises(ValueError, match="no method .lineer."): read_attribution("counted", place, AttributionSpec("lineer", None))

def test_one_changed_figure_changes_the_sentences(place):
    before = attribution_answer(read_attribution("counted", place))
    assert before.word == "review" and "search with 50.0 %" in before.sentence
    write_counted(place, [("search", 30, 300), ("email", 10, 100)])
    calm = attribution_answer(read_attribution("counted", place))
    assert calm.word == "pass" and "All of them credit search most." in calm.details["Who comes first"] and "search 75.0 %" in calm.details["What is credited"][0]
    write_counted(place, [("search", 30, 300), ("email", 40, 100)])
    other = attribution_answer(read_attribution("counted", place))
    assert "email most" in other.details["Who comes first"][0] and "Measure email first" in other.details["What to do"][1]
    write_counted(place, [("search", 0, 300)])
    with pytest.raises(Exception, match="No "): read_attribution("counted", place)
    write_counted(place, PATHS)

def test_measured_and_attributed_stand_beside_each_other_and_the_sentence_says_which_is_larger(found):
    measured = next(each for each in found.increments if each.estimate is not None and each.kind == "holdout")
    credited = found.chosen.credits.value["email"]
    def said(low, high): return " ".join(attribution_answer(replace(found, increments=[replace(measured, estimate=replace(measured.estimate, value=(low + high)/2, low=low, high=high))])).details["What was measured"])
    assert "more than all that contacts can have brought" in said(1., credited/2) and "less than contacts brought" in said(2*credited, 3*credited) and "neither contradicts nor confirms" in said(-credited, 2*credited)
    assert "Not measured: no holdout" in " ".join(attribution_answer(replace(found, increments=[], ended=())).details["What was measured"])
    ended = " ".join(attribution_answer(found).details["What was measured"])
    assert all(each.name in ended and f"the last until {each.until.day} {each.until:%B}. Of these weeks it covers those until then." in ended for each in found.ended) and "promo_mail_2026" in [each.name for each in found.ended]

def test_the_public_paths_run_as_a_replay(place, repository, datasets, monkeypatch, tmp_path):
    monkeypatch.setenv("MMOPS_DATASETS", str(datasets))
    write_text(place.root/"params.yaml", (place.root/"params.yaml").read_text().replace("  empty:", "  attribution-paths: {kind: file}\n  empty:"))
    shutil.copytree(repository/"data"/"sources"/"attribution-paths", place.source_folder("attribution-paths"))
    workspace, private = find_workspace(place.root), tmp_path/"private"
    for folder in (workspace.accepted("attribution-paths"), private): folder.mkdir(parents=True)
    ingest("attribution-paths", workspace, read_params(workspace), workspace.accepted("attribution-paths"), private)
    page = run_report("attribution", dict(source="attribution-paths", method="linear"), workspace, tmp_path/"linear")
    shown, first = read_yaml(page.with_suffix(".json"))["results"], read_attribution("attribution-paths", workspace, AttributionSpec("first", None)).chosen.credits.conversions
    assert shown["labels"] == ["replay"]
    for name, expected in dict(alpha=(6_308, 7_574.7186), eta=(3_164, 3_539.9512), iota=(4_606, 3_857.0962)).items(): assert (first[name], shown["credits"][name]["conversions"]) == expected
    assert all(sum(each) == pytest.approx(19_785, abs=.01) for each in (first, (row["conversions"] for row in shown["credits"].values())))
