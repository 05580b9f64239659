"""Tallies over tiles are those of a range join, and those a person would count."""
from datetime import datetime, timedelta, timezone
import ibis
import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings, strategies as st
from marketing_mlops.features.aggregations import AGGREGATIONS, undated
from marketing_mlops.features.declarations import Tally
from marketing_mlops.features.event_rows import open_events
from marketing_mlops.features.range_joins import WindowedTally, contributions
from marketing_mlops.features.tallies import FEWEST_ROWS, WAYS, rows_per_entity, ways_for
from marketing_mlops.features.traits import trait_values

NOON = datetime(2026, 3, 29, 1, tzinfo=timezone.utc)          # clocks change in Europe
DAY, MICROSECOND = timedelta(days=1), timedelta(microseconds=1)
WINDOWS = (1, 7, None)
VISITS = (("kind", ("visit", "🛒")),)
COLUMNS = {"nothing": [None], "number": ["seconds"], "value": ["channel", "seconds"], "any": ["channel", "is_first"]}
ASKED = [WindowedTally(Tally("touchpoints", how, column, where), days) for how, each in AGGREGATIONS.items() for column in COLUMNS[each.takes] for where in ((), VISITS) for days in WINDOWS]

cutoffs = st.sampled_from([NOON + days*DAY for days in (0, 1, 2, 6, 7, 8)])
# At a cutoff, at the beginning of a window, a microsecond to either side of them, or anywhere.
moments = st.one_of(st.builds(lambda at, back, step: at - back*DAY + step*MICROSECOND, cutoffs, st.sampled_from([0, 1, 7]), st.sampled_from([-1, 0, 1])),
                    st.integers(-40*86_400, 10*86_400).map(lambda seconds: NOON + timedelta(seconds=seconds)))
people = st.sampled_from(["ada", "ben", "<b>🛒</b>"])
EVENT = dict(customer_id=people, kind=st.sampled_from(["visit", "🛒", "click"]), channel=st.sampled_from(["email", "📧", None]), is_first=st.sampled_from([True, False, None]),
             seconds=st.sampled_from([None, 0., -0., -2.5, .1, 12_345.6789, 99e9]), occurred_at=moments, late=st.sampled_from([timedelta(0), MICROSECOND, DAY, 5*DAY]))
some = st.lists(st.sampled_from(ASKED), min_size=1, max_size=8, unique=True) # So that no tally depends on what is computed beside it
spines = st.lists(st.tuples(people, cutoffs), min_size=1, max_size=12)
COLUMN_TYPES = dict(customer_id="string", kind="string", channel="string", is_first="boolean", seconds="float64", occurred_at="timestamp('UTC', 6)", known_at="timestamp('UTC', 6)")

@pytest.fixture(scope="module")
def duckdb_backend():
    backend = ibis.duckdb.connect()
    yield backend
    backend.disconnect()

def computed(backend, events, rows, over_tiles, asked):
    "Tallies, by position of the spine."
    seen = pd.DataFrame([{name: value for name, value in each.items() if name != "late"} | dict(known_at=each["occurred_at"] + each["late"]) for each in events], columns=list(COLUMN_TYPES))
    table = ibis.memtable(seen, schema=COLUMN_TYPES)
    spine = pd.DataFrame(rows, columns=["customer_id", "cutoff"]).astype({"cutoff": "datetime64[us, UTC]"})
    found = [backend.to_pyarrow(undated(WAYS[way.name](contributions(table, "customer_id", list(dict.fromkeys(each.tally for each in way.asked))), spine, "customer_id", list(way.asked)))).to_pandas().set_index("row_")
             for way in ways_for(asked, float("inf") if over_tiles else 0)]
    parts = pd.concat(found, axis=1).reindex(range(len(spine)))
    return {each: AGGREGATIONS[each.tally.aggregation].value(*(parts[each.column(i)] for i in range(len(AGGREGATIONS[each.tally.aggregation].parts)))) for each in asked}

@settings(max_examples=20, deadline=None, derandomize=True, database=None)
@given(events=st.lists(st.fixed_dictionaries(EVENT), max_size=30), rows=spines, asked=some)
@example(events=[], rows=[("ada", NOON)], asked=ASKED[:4])
def test_tiles_give_every_tally_of_a_range_join(duckdb_backend, events, rows, asked):
    plain, tiled = (computed(duckdb_backend, events, rows, over_tiles, asked) for over_tiles in (False, True))
    for each in asked: pd.testing.assert_series_equal(plain[each], tiled[each], check_exact=True, check_names=False, check_dtype=False, obj=str(each))

def by_hand(each, known):
    "One tally of one row, from its sentence."
    kept = sorted((e for e in known if not each.tally.where or e["kind"] in VISITS[0][1]), key=lambda e: (e["occurred_at"], e["occurred_at"] + e["late"]))
    values = [e[each.tally.column] for e in kept if each.tally.column and e[each.tally.column] is not None]
    if each.tally.aggregation == "count": return len(kept) or None
    if each.tally.aggregation == "distinct": return len(set(values)) or None
    if not (kept if each.tally.column is None else values): return None
    in_ten_thousandths = lambda: sum(int(np.floor(value*10_000 + .5)) for value in values)
    return {"sum": lambda: in_ten_thousandths()/10_000, "mean": lambda: in_ten_thousandths()/10_000/len(values), "min": lambda: min(values) + 0., "max": lambda: max(values) + 0.,
            "days_since_last": lambda: kept[-1]["occurred_at"], "days_since_first": lambda: kept[0]["occurred_at"]}[each.tally.aggregation]()

@settings(max_examples=10, deadline=None, derandomize=True, database=None)
@given(events=st.lists(st.fixed_dictionaries(EVENT), max_size=20), rows=spines, asked=some)
def test_a_range_join_counts_as_a_person_would(duckdb_backend, events, rows, asked):
    found = computed(duckdb_backend, events, rows, False, asked)
    for each in (each for each in asked if each.tally.aggregation not in ("last", "first")):
        for i, (who, cutoff) in enumerate(rows):
            since = cutoff - each.window_days*DAY if each.window_days else datetime.min.replace(tzinfo=timezone.utc)
            known = [e for e in events if e["customer_id"] == who and since <= e["occurred_at"] < cutoff and e["occurred_at"] + e["late"] < cutoff]
            expected, value = by_hand(each, known), found[each][i]
            assert (pd.isna(value) and expected is None) or value == expected, (each, i)

def test_the_last_of_several_at_one_instant_is_the_one_known_later(duckdb_backend):
    same = dict(customer_id="ada", kind="visit", is_first=None, occurred_at=NOON - DAY)
    events = [same | dict(channel="push", seconds=1., late=timedelta(0)), same | dict(channel="email", seconds=9., late=timedelta(hours=2)), same | dict(channel=None, seconds=None, late=timedelta(hours=3))]
    asked = [WindowedTally(Tally("touchpoints", "last", column), None) for column in ("channel", "seconds")]
    for over_tiles in (False, True): assert [values[0] for values in computed(duckdb_backend, events, [("ada", NOON)], over_tiles, asked).values()] == ["email", 9.]

@pytest.mark.parametrize("order", [1, -1])
def test_of_two_traits_of_one_instant_the_one_known_later_counts(shop, order):
    told = dict(customer_id="ada", trait="job", known_when="timestamp", occurred_at=NOON)
    stated = [told | dict(value="teacher", known_at=NOON + 2*DAY), told | dict(value="student", known_at=NOON + DAY)][::order]
    spine = pd.DataFrame(dict(customer_id="ada", cutoff=[NOON + 2*DAY, NOON + 3*DAY])).astype({"cutoff": "datetime64[us, UTC]"})
    with open_events(shop.accept(traits=stated), "shop") as events: assert trait_values(events, spine, ["job"]).job.tolist() == ["student", "teacher"]

def test_few_cutoffs_of_the_same_customers_go_over_tiles():
    weekly = pd.date_range("2026-01-05", periods=12, freq="7D", tz="UTC")
    dense = pd.DataFrame(dict(customer_id=np.repeat([f"c{i}" for i in range(50)], 12), cutoff=np.tile(weekly, 50)))
    campaign = dense.assign(cutoff=dense.cutoff + pd.to_timedelta(range(600), unit="s"))
    def ways(spine): return {way.name for way in ways_for(ASKED, rows_per_entity(spine, "customer_id"))}
    assert ways(dense) == {"tiles", "tiles of values"} and ways(campaign) == ways(dense[:0]) == {"range join", "range join of values"}
    half = dense[dense.cutoff.isin(weekly[:FEWEST_ROWS["values"]])]
    assert ways(half) == {"range join", "tiles of values"}
