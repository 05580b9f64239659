"""Rows a model has learned from are found, by their ids or by a sketch of them."""
import json
import numpy as np
import pandas as pd
import pytest
from marketing_mlops.measurement.intervals import NotMeasurable
from marketing_mlops.measurement.unseen_rows import CERTAIN, RowsSeen, check_unseen, least_shared, rows_seen, shared_rows
from marketing_mlops.workspace.errors import DataError

def customers(start, stop, prefix="c"): return pd.DataFrame(dict(customer_id=[f"{prefix}{i}" for i in range(start, stop)]))

def test_the_estimate_of_shared_rows_is_right_within_its_error_whatever_the_overlap():
    off = []
    for i, n_shared in enumerate(np.linspace(0, 3_000, 40).astype(int)):
        one, two = customers(0, 5_000, f"{i}-"), customers(5_000-n_shared, 8_000-n_shared, f"{i}-")
        found, error = shared_rows(rows_seen(one), two)
        off.append((found-n_shared)/error)
    assert np.abs(off).max() < 4 and .6 < np.std(off) < 1.5 and abs(np.mean(off)) < .7

def test_a_sketch_of_the_same_rows_in_another_order_or_twice_is_the_same_and_survives_json():
    rows = customers(0, 1_000)
    seen = rows_seen(rows)
    assert rows_seen(pd.concat([rows, rows]).sample(frac=1, random_state=1)) == seen == RowsSeen.from_dict(json.loads(json.dumps(seen.to_dict())))

@pytest.mark.parametrize("moments", [["2026-03-01", "2026-04-01"], ["2026-03-01 02:30", "2026-04-01"], ["2026-03-01 02:30:00.000001", None, "2026-03-01"]])
def test_a_moment_is_remembered_as_pandas_writes_it_out(moments):
    rows = customers(0, 600).assign(cutoff=pd.Series(pd.to_datetime(moments*(600//len(moments)), utc=True, format="ISO8601")))
    assert rows_seen(rows, ("customer_id", "cutoff")) == RowsSeen(("customer_id", "cutoff"), 600, rows_seen(rows.astype(str), ("customer_id", "cutoff")).slots)

def test_a_sketch_holds_no_id_and_is_small_whatever_it_saw():
    seen = rows_seen(customers(0, 30_000))
    assert "c123" not in json.dumps(seen.to_dict()) and len(json.dumps(seen.to_dict())) < 20_000

def test_unseen_rows_pass_and_a_share_above_the_least_one_is_refused():
    seen = rows_seen(customers(0, 20_000))
    for start in range(20_000, 120_000, 5_000): check_unseen(customers(start, start+5_000), seen)
    n_known = int(5_000*least_shared(seen, 5_000)*1.8)
    with pytest.raises(DataError, match="learned from about"): check_unseen(customers(20_000-n_known, 25_000-n_known), seen)
    assert CERTAIN >= 5

def test_one_known_row_is_found_where_the_ids_are_at_hand():
    with pytest.raises(DataError, match="learned from 1 row of these 11"): check_unseen(customers(9, 20), customers(0, 10))
    check_unseen(customers(10, 20), customers(0, 10))

def test_numbers_and_texts_of_the_same_id_are_the_same_row():
    numbers = pd.DataFrame(dict(customer_id=np.arange(500)))
    with pytest.raises(DataError, match="500 rows of these 500"): check_unseen(numbers.astype(str), numbers)
    assert shared_rows(rows_seen(numbers), numbers.astype(str))[0] == pytest.approx(500, abs=150)

@pytest.mark.parametrize("rows,learned_from,kind,says", [
    (customers(0, 5).assign(split="train"), None, DataError, "were not held out"), (customers(0, 5).assign(split=["held_out"]*4 + [None]), None, DataError, "1 row of 5"),
    (customers(0, 5), None, DataError, "Nothing says"), (customers(0, 5).rename(columns={"customer_id": "id"}), customers(5, 9), DataError, "no column 'customer_id'"),
    (customers(0, 5), rows_seen(customers(100, 9_000)), NotMeasurable, "too few"), (customers(0, 0), rows_seen(customers(5, 9)), NotMeasurable, "no rows")])
def test_rows_that_do_not_prove_themselves_are_refused(rows, learned_from, kind, says):
    with pytest.raises(kind, match=says): check_unseen(rows, learned_from)
