"""What the charts count and what the written code selects are the same rows."""
import json
from decimal import Decimal
import datetime as dt
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from marketing_mlops.explorers.binning import bin_count, value_bins
from marketing_mlops.explorers.codes import build_codes
from marketing_mlops.explorers.crossfilter import CrossFilter
from marketing_mlops.explorers.selections import filters_of, moved_bounds, pandas_filter, state_of

def frame_of(seed, rows=300):
    "Every type a canonical table or a colleague's frame may hold."
    rng = np.random.default_rng(seed)
    cents = rng.integers(-20_000, 900_000, rows)
    gone = rng.random(rows) < .1
    days = [None if g else dt.date(2025, 1, 1) + dt.timedelta(days=int(d)) for g, d in zip(gone, rng.integers(0, 500, rows))]
    return pd.DataFrame(dict(
        money=pd.Series(pd.array([None if g else Decimal(int(c)).scaleb(-4) for g, c in zip(gone, cents)], dtype=pd.ArrowDtype(pa.decimal128(18, 4)))),
        skewed=np.where(gone, np.nan, np.where(rng.random(rows) < .3, 0, rng.lognormal(2, 2, rows))), narrow=rng.normal(0, 1, rows).astype("float32"),
        count=pd.array(np.where(gone, None, rng.integers(0, 500, rows)), dtype="Int64"),
        instant=pd.Series(pd.Timestamp("2025-03-01", tz="UTC") + pd.to_timedelta(rng.integers(0, 4_000_000, rows), "s")).mask(gone),
        naive=pd.Timestamp("1969-06-01") + pd.to_timedelta(rng.integers(0, 900, rows), "D"), berlin=pd.Timestamp("2025-03-01", tz="Europe/Berlin") + pd.to_timedelta(rng.integers(0, 9_000, rows), "min"),
        day=pd.Series(pd.array(days, dtype=pd.ArrowDtype(pa.date32()))), flag=pd.array(rng.choice([True, False, None], rows), dtype="boolean"),
        name=rng.choice(['email', '"]; import os #', "it's", "🌷", "", None], rows), kind=pd.Categorical(rng.choice(["a", "b", "c"], rows))))

def some_filters(draw, codes):
    filters = {}
    for name, dimension in codes.dimensions.items():
        if not draw(st.integers(0, 2)): continue
        n = value_bins(dimension)
        if dimension.kind == "category": filters[name] = sorted(draw(st.sets(st.integers(0, n + 1), min_size=1)))
        elif draw(st.integers(0, 9)) == 0: filters[name] = [n]
        else:
            low = draw(st.integers(0, n - 1))
            filters[name] = range(low, draw(st.integers(low, n - 1)) + 1)
    return filters

SLOW = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
CODES = {}

def coded(seed):
    if seed not in CODES:
        df = frame_of(seed)
        codes = build_codes(df, columns=list(df))
        CODES[seed] = df, codes, CrossFilter(codes)
    return CODES[seed]

@SLOW
@given(data=st.data(), seed=st.integers(0, 9))
def test_the_code_selects_the_rows_the_charts_count(data, seed):
    df, codes, engine = coded(seed)
    filters = some_filters(data.draw, codes)
    names = dict(df=df, pd=pd)
    exec(pandas_filter(filters, codes.dimensions), names)
    assert len(names["selected"]) == engine.counts(filters).selected

@pytest.mark.parametrize("column", list(frame_of(0, 5)))
def test_each_bin_alone_is_selected_by_its_code(column):
    df, codes, engine = coded(1)
    for bin in range(bin_count(codes.dimensions[column])):
        names = dict(df=df, pd=pd)
        exec(pandas_filter({column: [bin]}, codes.dimensions), names)
        assert len(names["selected"]) == engine.totals[column][bin], (column, bin)

@SLOW
@given(data=st.data(), seed=st.integers(0, 9))
def test_a_state_survives_json_and_gives_the_same_bins(data, seed):
    _, codes, _ = coded(seed)
    filters = some_filters(data.draw, codes)
    state = json.loads(json.dumps(state_of(filters, codes.dimensions)))
    assert {k: list(v) for k, v in filters_of(state, codes.dimensions).items()} == {k: list(v) for k, v in filters.items()}
    assert moved_bounds(state, codes.dimensions) == []

@SLOW
@given(low=st.floats(-50, 3_000), wide=st.floats(0.01, 500), seed=st.integers(0, 3))
def test_a_bound_between_two_cuts_moves_outwards(low, wide, seed):
    _, codes, _ = coded(seed)
    [state] = state_of(filters_of({"skewed": {"from": low, "below": low + wide}}, codes.dimensions), codes.dimensions).values()
    assert state["from"] is None or state["from"] <= low
    assert state["below"] is None or state["below"] >= low + wide

def test_other_is_written_as_what_it_is_not():
    df = pd.DataFrame(dict(name=[f"n{i:03}" for i in range(300)]*2 + ["n000"]))
    codes = build_codes(df, columns=["name"])
    other = value_bins(codes.dimensions["name"])
    names = dict(df=df, pd=pd)
    exec(pandas_filter({"name": [0, other]}, codes.dimensions), names)
    assert len(names["selected"]) == CrossFilter(codes).counts({"name": [0, other]}).selected == 3 + 2*(300 - 254)
