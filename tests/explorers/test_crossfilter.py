"""Counts under filters, compared with a plain pandas group-by of the same rows."""
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from marketing_mlops.explorers.binning import bin_count
from marketing_mlops.explorers.codes import build_codes, load_codes, save_codes
from marketing_mlops.explorers.crossfilter import CrossFilter, _groups

def frame_of(seed, rows):
    "Amounts with zeros, missing and infinite values, names with markup, days, flags."
    rng = np.random.default_rng(seed)
    amount = np.where(rng.random(rows) < .2, 0, rng.lognormal(3, 1.5, rows).round(2))
    amount[rng.random(rows) < .1] = np.nan
    if rows > 3: amount[:2] = [np.inf, -np.inf]
    return pd.DataFrame(dict(
        amount=amount, items=rng.poisson(3, rows), name=rng.choice(["email", "<b>", "🌷", "", None], rows),
        day=pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(rng.integers(0, 90, rows), "D"), flag=pd.array(rng.choice([True, False, None], rows), dtype="boolean")))

def filters_in(draw, codes):
    "Filters on some charts: a run of bins or any choice, possibly empty."
    filters = {}
    for name, dimension in codes.dimensions.items():
        n = bin_count(dimension)
        if draw(st.booleans()): filters[name] = sorted(draw(st.sets(st.integers(0, n - 1), max_size=n)))
        elif draw(st.booleans()):
            low = draw(st.integers(0, n - 1))
            filters[name] = range(low, draw(st.integers(low, n - 1)) + 1)
    return filters

def by_pandas(codes, filters, name, without):
    "Rows per bin of `name` under all filters but those in `without`."
    df = pd.DataFrame({n: np.asarray(a) for n, a in codes.arrays.items()})
    for column, bins in filters.items():
        if column not in without: df = df[df[column].isin(list(bins))]
    counts = df.groupby(name).size().reindex(range(bin_count(codes.dimensions[name])), fill_value=0)
    return counts.to_numpy()

SLOW = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))

@SLOW
@given(data=st.data(), seed=st.integers(0, 10**6), rows=st.sampled_from([1, 7, 400]), chunk=st.sampled_from([3, 64, 10_000]), threads=st.integers(1, 3))
def test_counts_equal_a_group_by(data, seed, rows, chunk, threads):
    codes = build_codes(frame_of(seed, rows))
    filters = filters_in(data.draw, codes)
    answer = CrossFilter(codes, threads=threads, chunk_rows=chunk).counts(filters)
    for name in codes.dimensions:
        np.testing.assert_array_equal(answer.charts[name], by_pandas(codes, filters, name, {name}))
    first = next(iter(codes.dimensions))
    assert answer.selected == by_pandas(codes, filters, first, set()).sum()

@SLOW
@given(data=st.data(), seed=st.integers(0, 10**6), rows=st.sampled_from([1, 7, 400]), chunk=st.sampled_from([50, 10_000]))
def test_every_state_of_the_active_chart_is_in_its_index(data, seed, rows, chunk):
    codes = build_codes(frame_of(seed, rows))
    engine, filters = CrossFilter(codes, chunk_rows=chunk), filters_in(data.draw, codes)
    active = data.draw(st.sampled_from(list(codes.dimensions)))
    index = engine.activate(active, filters)
    np.testing.assert_array_equal(index.own, by_pandas(codes, filters, active, {active}))
    bins = sorted(data.draw(st.sets(st.integers(0, bin_count(codes.dimensions[active]) - 1), min_size=1)))
    state = filters | {active: bins}
    for name, counts in index.counts(bins).items():
        np.testing.assert_array_equal(counts, by_pandas(codes, state, name, {name}))

def test_grouping_small_charts_changes_no_count(monkeypatch):
    codes = build_codes(frame_of(3, 2_000))
    filters = {"items": [1, 2, 3], "name": [0, 1]}
    together = CrossFilter(codes).activate("amount", filters)
    monkeypatch.setattr("marketing_mlops.explorers.crossfilter._most_cells", 1)
    assert all(len(g) == 1 for g in _groups("amount", CrossFilter(codes).sizes))
    apart = CrossFilter(codes).activate("amount", filters)
    for name in together.tables: np.testing.assert_array_equal(together.tables[name], apart.tables[name])

def test_a_single_chart_has_totals_and_an_index():
    engine = CrossFilter(build_codes(pd.DataFrame(dict(items=[1, 2, 2]))))
    assert engine.totals["items"].tolist() == [1, 2, 0]
    assert engine.activate("items", {}).tables == {}
    assert engine.counts({"items": [1]}).selected == 2

def test_an_empty_table_counts_nothing():
    engine = CrossFilter(build_codes(frame_of(1, 10).iloc[:0]))
    assert engine.counts({"name": [0]}).selected == 0
    assert all(t.sum() == 0 for t in engine.activate("name", {"flag": [0]}).tables.values())

def test_measures_add_up_the_rows_that_pass():
    df = frame_of(5, 3_000).replace([np.inf, -np.inf], 0)
    engine = CrossFilter(build_codes(df, measures=("amount",)))
    flag_true = engine.codes.dimensions["flag"].first.index("True")
    sums = engine.activate("items", {"flag": [flag_true]}, measure="amount").counts()["name"]
    emails = df[(df["flag"] == True) & (df["name"] == "email")]["amount"].sum()  # noqa: E712
    assert sums[engine.codes.dimensions["name"].first.index("email")] == pytest.approx(emails, rel=1e-5)

def test_stored_pair_tables_are_used_and_equal(tmp_path):
    codes = build_codes(frame_of(2, 500))
    save_codes(codes, tmp_path/"codes")
    first = CrossFilter(load_codes(tmp_path/"codes"))
    assert (tmp_path/"codes"/"pairs.npz").exists()
    second = CrossFilter(load_codes(tmp_path/"codes"))
    for couple, table in CrossFilter(codes).pairs.items():
        np.testing.assert_array_equal(first.pairs[couple], table)
        np.testing.assert_array_equal(second.pairs[couple], table)

def test_damaged_pair_tables_are_counted_again(tmp_path):
    codes = build_codes(frame_of(2, 500))
    save_codes(codes, tmp_path/"codes")
    (tmp_path/"codes"/"pairs.npz").write_bytes(b"PK\x03\x04 truncated")
    engine = CrossFilter(load_codes(tmp_path/"codes"))
    np.testing.assert_array_equal(engine.totals["items"], CrossFilter(codes).totals["items"])
