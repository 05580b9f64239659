"""The declarations are complete and consistent, and a frame that breaks them is told everything at once."""
from decimal import Decimal
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from marketing_mlops.contracts.columns import PERSONAL_MARKS
from marketing_mlops.contracts.schemas import TABLES, arrow_schema, canonical_arrow, canonical_frame, check_frame, frame_of_rows, pandas_types, table

NAMED = {"customers", "identifiers", "consents", "traits", "products", "orders", "order_lines", "contacts", "touchpoints", "campaigns", "creatives", "media", "journeys",
         "targets", "exchange_rates", "experiments", "assignments", "outcomes"}
COLUMNS = [(each.name, column) for each in TABLES.values() for column in each.columns]

def test_every_table_of_the_design_is_there(): assert set(TABLES) == NAMED

@pytest.mark.parametrize("each", TABLES.values(), ids=list(TABLES))
def test_a_table_has_a_definition_an_owner_and_a_key_that_is_always_filled(each):
    assert each.definition.endswith(".") and each.owner.endswith("@example.com") and set(each.key) <= set(each.required)

@pytest.mark.parametrize("each", [each for each in TABLES.values() if each.event_time or "occurred_at" in each.names], ids=lambda each: each.name)
def test_every_event_has_both_times_and_a_mark_of_derived_ones(each):
    assert each.event_time == "occurred_at" and {"occurred_at", "known_at"} <= set(each.required) and "is_time_derived" in each.names

def test_tables_that_must_not_grow_old_have_a_budget():
    assert {name for name in TABLES if TABLES[name].freshness_days} >= {"orders", "order_lines", "contacts", "touchpoints", "media", "consents"}
    assert all(TABLES[name].event_time for name in TABLES if TABLES[name].freshness_days)

@pytest.mark.parametrize("where, column", COLUMNS, ids=[f"{where}.{column.name}" for where, column in COLUMNS])
def test_a_column_is_defined_and_points_to_a_key(where, column):
    assert column.definition.endswith(".") and column.pii in (None, *PERSONAL_MARKS)
    if column.references:
        name, key = column.references.split(".")
        assert TABLES[name].key == (key,) and TABLES[name].column(key).type == column.type
    if column.type == "money": assert column.unit == "currency of the row" and "currency" in TABLES[where].names
    if column.type == "instant": assert column.unit == "UTC"

def test_only_identifiers_name_a_person():
    assert {(where, column.name) for where, column in COLUMNS if column.pii == "direct"} == {("identifiers", "value")}

def test_every_id_of_a_person_is_marked_in_every_table():
    assert all(column.pii == "pseudonym" for where, column in COLUMNS
               if column.name in ("customer_id", "anonymous_id", "household_id") or column.name == "account_id" and where != "media")

MOMENT = "2026-05-04T10:15:00.123456+00:00"
VALUES = {"string": ["a", "<b>|", "🎉"], "int": [1, -2, 2**53 + 1], "float": [.5, -1.0, 1e300], "money": ["0.0001", "-12345678901234.5678", "19.99"],
          "bool": [True, False, True], "instant": [MOMENT, "1969-12-31T23:59:59+00:00", "2038-01-19T03:14:08+02:00"], "date": ["2026-05-04", "1969-12-31", "2024-02-29"]}

@pytest.mark.parametrize("name", TABLES)
def test_every_value_survives_the_way_through_parquet_and_pandas(name, tmp_path):
    rows = [{column.name: VALUES[column.type][i] for column in TABLES[name].columns} for i in range(3)]
    rows.append({column.name: VALUES[column.type][0] if not column.nullable else None for column in TABLES[name].columns})
    df = frame_of_rows(name, rows)
    pq.write_table(canonical_arrow(df, name), tmp_path/"x.parquet")
    again = canonical_frame(pq.read_table(tmp_path/"x.parquet"), name)
    pd.testing.assert_frame_equal(df, again)
    assert pq.read_schema(tmp_path/"x.parquet").remove_metadata() == arrow_schema(name)
    assert {column: str(kind) for column, kind in df.dtypes.items()} == {column: str(kind) for column, kind in pandas_types(name).items()}

@pytest.mark.parametrize("name", TABLES)
def test_an_empty_table_keeps_its_types(name):
    empty = canonical_frame(arrow_schema(name).empty_table(), name)
    assert len(empty) == 0 and check_frame(empty, name) == []

def lines(n=200, seed=7):
    rng = np.random.default_rng(seed)
    return frame_of_rows("order_lines", [dict(order_line_id=f"L{i}", order_id=f"O{i//2}", kind="sale", quantity=int(rng.integers(1, 5)), unit_price=f"{rng.integers(100, 9999)/100:.2f}",
                                              discount=None if i % 3 else "1.00", currency="EUR", occurred_at=MOMENT, known_at=MOMENT) for i in range(n)])

def rules(df, name="order_lines"): return {(each.column, each.rule, each.n_rows) for each in check_frame(df, name)}

def test_shuffled_rows_and_columns_change_nothing():
    df = lines()
    df.loc[[3, 5], "kind"] = "refund"
    shuffled = df.sample(frac=1, random_state=1)[list(df.columns)[::-1]]
    assert rules(shuffled) == rules(df) == {("kind", "allowed", 2)}

def test_every_breach_is_counted_and_reported_at_once():
    df = lines()
    df.loc[[1, 2, 3], "kind"] = "refund"
    df.loc[[10, 11], "order_line_id"] = "L12"
    df.loc[[20], "order_id"] = None
    df = df.drop(columns="currency").rename(columns={"known_at": "know_at"})
    assert rules(df) == {("kind", "allowed", 3), ("order_line_id", "duplicate_key", 3), ("order_id", "null", 1), ("currency", "missing_column", 200),
                         ("known_at", "missing_column", 200), ("know_at", "unknown_column", 200)}

def test_examples_are_at_most_five_rows_and_show_no_person():
    df = lines()
    df["kind"] = "refund"
    found, = check_frame(df, "order_lines")
    assert found.n_rows == 200 and found.examples == tuple((i, "refund") for i in range(5))
    orders = frame_of_rows("consents", [dict(customer_id="ann@example.com", purpose="email", is_granted=True, occurred_at=MOMENT, known_at=MOMENT)]*2)
    found, = check_frame(orders, "consents")
    assert found.rule == "duplicate_key" and found.examples == ((0, None), (1, None)) and "ann@" not in str(found)

@pytest.mark.parametrize("column, values, rule", [
    ("quantity", [1.5]*200, "type"), ("quantity", ["1"]*200, "type"), ("unit_price", [1.0]*200, "type"), ("order_id", list(range(200)), "type"),
    ("occurred_at", pd.to_datetime(["2026-05-04 10:15"]*200), "type"), ("occurred_at", pd.to_datetime(["2026-05-04 10:15+02:00"]*200), "type"), ("is_time_derived", ["yes"]*200, "type")])
def test_a_wrong_type_is_named_with_the_right_one(column, values, rule):
    found, = check_frame(lines().assign(**{column: values}), "order_lines")
    assert (found.column, found.rule) == (column, rule) and table("order_lines").column(column).type in found.remedy

def test_a_column_without_any_value_has_every_type(): assert rules(lines().assign(discount=[None]*200, tax=np.nan)) == set()

def test_limits_hold_for_money_and_numbers():
    media = frame_of_rows("media", [dict(day="2026-05-04", account_id="a", channel="tv", campaign_id="", creative_id="", market="DE", impressions=-1, spend="-0.0001", currency="EUR",
                                         occurred_at=MOMENT, known_at=MOMENT)])
    assert rules(media, "media") == {("impressions", "minimum", 1), ("spend", "minimum", 1)}
    arms = frame_of_rows("experiments", [dict(experiment_id="e", arm=arm, share=share, is_control=False) for arm, share in [("a", 1.0), ("b", 1.01)]])
    assert rules(arms, "experiments") == {("share", "maximum", 1)}

def test_a_check_leaves_the_frame_as_it_was():
    df = lines().set_index(pd.Index(range(1_000, 1_200)))
    before = df.copy(deep=True)
    check_frame(df.assign(kind="refund"), "order_lines"); check_frame(df, "order_lines")
    pd.testing.assert_frame_equal(df, before)

def test_an_unknown_column_in_hand_written_rows_is_refused():
    with pytest.raises(ValueError, match="Did you mean 'quantity'"): frame_of_rows("order_lines", [dict(quantity=1), dict(quantitiy=2)])

def test_money_keeps_ten_thousandths_and_refuses_more_digits_than_fit():
    assert frame_of_rows("order_lines", [dict(unit_price="0.00005")]).unit_price[0] in (Decimal("0.0000"), Decimal("0.0001"))
    with pytest.raises((pa.ArrowInvalid, ArithmeticError)): frame_of_rows("order_lines", [dict(unit_price="123456789012345678")])
