"""Codes of odd columns, and a cache that can be trusted."""
import datetime as dt
import os
from decimal import Decimal
from pathlib import Path
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings, strategies as st
from marketing_mlops.contracts.schemas import TABLES
from marketing_mlops.explorers.binning import bin_count, bin_text, calendar_dimension, number_cuts, range_dimension, value_bins
from marketing_mlops.explorers.codes import build_codes, cached_codes, drawn_columns
from marketing_mlops.explorers.scanning import scan_column
from marketing_mlops.workspace.errors import DataError

def counts(codes, name): return np.bincount(codes.arrays[name], minlength=bin_count(codes.dimensions[name]))

def test_a_column_of_one_value_has_one_bar():
    codes = build_codes(pd.DataFrame(dict(always=[7.5]*10)))
    assert (value_bins(codes.dimensions["always"]), counts(codes, "always").tolist()) == (1, [10, 0])
    assert bin_text(codes.dimensions["always"], 0, 0) == "7.5"

@pytest.mark.parametrize("values", [[None, None], [np.nan]*3, pd.array([pd.NA]*2, dtype="Int64"), pd.Series([pd.NaT]*2), pd.array([None], dtype="boolean")])
def test_a_column_without_values_has_only_missing_rows(values):
    codes = build_codes(pd.DataFrame(dict(never=values)))
    assert counts(codes, "never")[-1] == codes.rows
    assert codes.facts[0].missing == codes.rows

def test_ten_thousand_categories_keep_the_commonest_and_count_the_rest():
    names = [f"campaign {i:05}" for i in range(10_000)]
    df = pd.DataFrame(dict(campaign=names*2 + names[:254]*3))
    codes = build_codes(df, columns=["campaign"])
    assert codes.arrays["campaign"].dtype == np.uint8
    assert set(codes.dimensions["campaign"].first) == set(names[:254])
    assert counts(codes, "campaign")[254] == 2*(10_000 - 254)
    assert codes.facts[0].distinct == 10_000

def test_more_names_than_anybody_reads_are_not_counted_out():
    facts = scan_column(pd.DataFrame(dict(visit=[f"v{i}" for i in range(120_000)])), "visit")
    assert facts.distinct is None and facts.counts is None

def test_infinity_falls_into_the_outer_bins_and_never_into_missing():
    codes = build_codes(pd.DataFrame(dict(ratio=[1., 2, 3, 4, np.inf, -np.inf, np.nan])))
    assert codes.arrays["ratio"][4] == value_bins(codes.dimensions["ratio"]) - 1
    assert codes.arrays["ratio"][5] == 0
    assert counts(codes, "ratio")[-1] == 1

def test_zero_has_a_bin_of_its_own():
    amounts = np.r_[np.zeros(50), np.random.default_rng(7).lognormal(3, 2, 500)]
    for values in (amounts, np.r_[amounts, -amounts], amounts.round() * 7):
        codes = build_codes(pd.DataFrame(dict(amount=values)))
        zero = codes.arrays["amount"][0]
        assert bin_text(codes.dimensions["amount"], zero, zero) == "0"
        assert counts(codes, "amount")[zero] == (values == 0).sum()

def test_a_decimal_on_a_cut_is_coded_as_pandas_compares_it():
    cents = np.arange(-30_000, 30_000, 7)
    money = pa.array([Decimal(int(c)).scaleb(-4) for c in cents], pa.decimal128(18, 4))
    df = pd.DataFrame(dict(money=pd.Series(pd.arrays.ArrowExtensionArray(money))))
    codes = build_codes(df)
    for i, cut in enumerate(codes.dimensions["money"].cuts):
        assert (codes.arrays["money"] > i).sum() == (df["money"].astype("float64") >= cut).sum()

def test_times_without_zone_are_read_as_utc_and_said_so():
    naive = pd.DataFrame(dict(at=pd.to_datetime(["2026-03-01 23:30", "2026-03-02 00:30"])))
    codes = build_codes(naive)
    aware = build_codes(pd.DataFrame(dict(at=naive["at"].dt.tz_localize("UTC"))))
    assert codes.facts[0].note == "no time zone, read as UTC"
    assert codes.arrays["at"].tolist() == aware.arrays["at"].tolist()
    assert codes.dimensions["at"].cuts == aware.dimensions["at"].cuts

def test_emoji_markup_and_empty_text_are_just_names():
    names = ["🌷", "<script>alert(1)</script>", "", "a\u202eb", "a"*5_000]
    codes = build_codes(pd.DataFrame(dict(campaign=names*3)))
    assert set(codes.dimensions["campaign"].first) == set(names)

@pytest.mark.parametrize("frame", [
    pd.DataFrame(dict(tags=[["a"], ["b"]])), pd.DataFrame(dict(blob=[b"x", b"y"])), pd.DataFrame(dict(clock=[dt.time(1), dt.time(2)])),
    pd.DataFrame(dict(record=[dict(a=1), dict(a=2)]))])
def test_types_nobody_can_draw_are_listed_without_a_chart(frame):
    codes = build_codes(frame)
    assert not codes.dimensions
    assert codes.facts[0].note.startswith("not drawn")

def test_mixed_objects_are_read_as_text():
    codes = build_codes(pd.DataFrame(dict(code=[1, "1b", None, 2.5])))
    assert set(codes.dimensions["code"].first) == {"1", "1b", "2.5"}

@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=64), min_size=1, max_size=60), st.integers(1, 298), st.sampled_from(["auto", "linear", "log", "quantile"]))
def test_cuts_ascend_and_never_exceed_what_a_code_holds(values, bins, scale):
    sample = np.array(values)
    cuts = number_cuts(sample, bins, scale)
    assert cuts == sorted(set(cuts)) and all(np.isfinite(cuts))
    positive = sample[sample > 0]
    dimension = range_dimension("x", sample, sample.min(), sample.max(), positive.min() if len(positive) and (sample == 0).any() else None, bins=bins, scale=scale)
    assert bin_count(dimension) <= 310

@settings(max_examples=100, deadline=None)
@given(st.integers(-10**16, 10**16), st.integers(0, 10**16), st.integers(2, 300))
def test_calendar_bins_cover_every_span(start, length, bins):
    dimension = calendar_dimension("at", start, start + length, bins=bins)
    assert list(dimension.cuts) == sorted(set(dimension.cuts))
    assert 1 <= value_bins(dimension) <= 301

def test_declared_personal_data_is_masked_before_it_is_read():
    df = pd.DataFrame(dict(customer_id=["c1", "c2", None], anonymous_id=["x", None, None], market=["DE", "UK", "DE"]))
    codes = build_codes(df, TABLES["orders"])
    assert list(codes.dimensions) == ["market"]
    assert [(f.missing, f.distinct, f.counts) for f in codes.facts[:2]] == [(1, None, None), (2, None, None)]
    with pytest.raises(DataError, match="personal data"): build_codes(df, TABLES["orders"], columns=["customer_id"])

def test_no_personal_value_reaches_the_cache(tmp_path):
    pd.DataFrame(dict(mail=["secret@example.com"]*60, customer_id=["c-17"]*60, market=["DE"]*60)).to_parquet(tmp_path/"orders.parquet")
    cached_codes(tmp_path/"orders.parquet", tmp_path/"cache", TABLES["orders"])
    kept = b"".join(p.read_bytes() for p in (tmp_path/"cache").rglob("*") if p.is_file())
    assert b"DE" in kept and b"secret" not in kept and b"c-17" not in kept

def test_a_file_and_its_frame_have_the_same_codes(tmp_path):
    rng = np.random.default_rng(3)
    df = pd.DataFrame(dict(spend=rng.lognormal(2, 1, 5_000), name=rng.choice(["a", "b", None], 5_000), at=pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(rng.integers(0, 10**6, 5_000), "s")))
    df.to_parquet(tmp_path/"t.parquet", row_group_size=700)
    one, two = build_codes(tmp_path/"t.parquet"), build_codes(df)
    for name in one.arrays: np.testing.assert_array_equal(one.arrays[name], two.arrays[name])

def test_the_same_content_has_the_same_codes_whatever_the_order_of_rows(tmp_path):
    rng = np.random.default_rng(3)
    df = pd.DataFrame(dict(spend=rng.lognormal(2, 1, 5_000), name=rng.choice(["a", "b", "c"], 5_000)))
    shuffled = df.sample(frac=1, random_state=1)
    assert build_codes(df).dimensions == build_codes(shuffled).dimensions

def test_a_build_that_dies_leaves_nothing_that_looks_finished(tmp_path):
    path, cache = tmp_path/"t.parquet", tmp_path/"cache"
    pd.DataFrame(dict(spend=[1., 2], name=["a", "b"])).to_parquet(path)
    def stopped(done, total, column): raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt): cached_codes(path, cache, progress=stopped)
    assert not list(cache.rglob("codes.json"))
    assert cached_codes(path, cache).rows == 2

def test_only_the_youngest_entries_of_a_name_are_kept(tmp_path):
    path, cache = tmp_path/"t.parquet", tmp_path/"cache"
    for n in range(1, 10):
        pd.DataFrame(dict(spend=np.arange(n, dtype=float))).to_parquet(path)
        codes = cached_codes(path, cache)
        os.utime(codes.folder/"codes.json", (n, n))
    assert codes.rows == 9 and len(list(cache.rglob("codes.json"))) == 6

def test_a_chart_asked_for_by_a_wrong_name_is_answered_with_the_right_one():
    with pytest.raises(DataError, match="Did you mean 'spend'"): drawn_columns((scan_column(pd.DataFrame(dict(spend=[1.])), "spend"),), columns=["spent"])

def test_an_empty_parquet_file_has_no_rows_and_its_columns(tmp_path):
    pq.write_table(pa.table(dict(spend=pa.array([], pa.float64()), name=pa.array([], pa.string()))), tmp_path/"empty.parquet")
    codes = cached_codes(tmp_path/"empty.parquet", tmp_path/"cache")
    assert codes.rows == 0 and [f.name for f in codes.facts] == ["spend", "name"]

def test_a_copy_and_a_relative_path_find_the_same_codes(tmp_path, monkeypatch):
    (tmp_path/"elsewhere").mkdir()
    for place in (tmp_path/"t.parquet", tmp_path/"elsewhere"/"t.parquet"): pd.DataFrame(dict(spend=[1., 2])).to_parquet(place)
    first = cached_codes(tmp_path/"t.parquet", tmp_path/"cache").folder
    monkeypatch.chdir(tmp_path)
    assert cached_codes(Path("t.parquet"), tmp_path/"cache").folder == cached_codes(tmp_path/"elsewhere"/"t.parquet", tmp_path/"cache").folder == first

def test_a_file_that_is_not_there_is_named_with_the_nearest_one(tmp_path):
    pd.DataFrame(dict(n=[1])).to_parquet(tmp_path/"orders.parquet")
    gone = tmp_path/"order.parquet"
    for ask in (lambda: scan_column(gone, "n"), lambda: build_codes(gone), lambda: cached_codes(gone, tmp_path/"cache")):
        with pytest.raises(DataError, match="Did you mean 'orders.parquet'") as raised: ask()
        assert len(str(raised.value).splitlines()) == 2
    with pytest.raises(DataError, match="no Parquet file"): scan_column(tmp_path/"elsewhere"/"orders.parquet", "n")
