"""Amounts are exact, and currencies are never added without a rate."""
from datetime import date
from decimal import Decimal, ROUND_HALF_EVEN
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, strategies as st
from marketing_mlops.contracts.money import common_currency, converted, money_of, money_units
from marketing_mlops.contracts.schemas import frame_of_rows
from marketing_mlops.workspace.errors import DataError

amounts = st.lists(st.one_of(st.none(), st.decimals(min_value=-10**11, max_value=10**11, places=4)), max_size=30)
def canonical(values): return pd.Series(pa.array(values, pa.decimal128(18, 4)), dtype=pd.ArrowDtype(pa.decimal128(18, 4)), name="amount")

@given(amounts, st.integers(0, 5))
def test_amounts_become_whole_numbers_without_losing_a_digit(values, skipped):
    units = money_units(canonical(values)[skipped:], missing=0)
    assert [money_of(unit) for unit in units] == [value or Decimal(0) for value in values[skipped:]]

@given(amounts)
def test_order_and_chunks_do_not_change_a_sum(values):
    series = canonical(values)
    chunked = pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array([pa.array(values[:3], pa.decimal128(18, 4)), pa.array(values[3:], pa.decimal128(18, 4))])))
    assert money_units(series, 0).sum() == money_units(series[::-1], 0).sum() == money_units(chunked, 0).sum()

@pytest.mark.parametrize("values", [pd.Series([.1, .2, 19.99]), pd.Series([Decimal(".1"), Decimal(".2"), Decimal("19.99")])])
def test_other_numbers_become_the_nearest_ten_thousandth(values): assert money_units(values).tolist() == [1000, 2000, 199900]

def test_whole_numbers_are_currency_units(): assert money_units(pd.Series([1, -2])).tolist() == [10_000, -20_000]
def test_nothing_is_nothing(): assert money_units(canonical([])).tolist() == []

def test_a_missing_amount_is_refused_with_its_rows():
    with pytest.raises(DataError, match="missing in 2 of 3") as e: money_units(canonical([None, Decimal(1), None]))
    assert e.value.rows == [0, 2] and e.value.column == "amount"

RATES = frame_of_rows("exchange_rates", [dict(from_currency="EUR", to_currency="USD", day="2026-05-01", rate=1.25), dict(from_currency="EUR", to_currency="USD", day="2026-05-04", rate=1.6),
                                         dict(from_currency="GBP", to_currency="EUR", day="2026-05-01", rate=1.2)])
def convert(currency, day, to, rates=RATES, units=10_001): return int(converted(np.array([units]), pd.Series([currency]), pd.Series(pd.to_datetime([day])), to, rates)[0])

@pytest.mark.parametrize("currency, day, to, expected", [
    ("EUR", "2026-05-01", "USD", 12501), ("EUR", "2026-05-03", "USD", 12501), ("EUR", "2026-05-04", "USD", 16002), ("USD", "2026-05-05", "EUR", 6251), ("GBP", "2026-12-31", "EUR", 12001),
    ("EUR", "1999-01-01", "EUR", 10001)])
def test_the_latest_rate_up_to_the_day_holds_in_both_directions(currency, day, to, expected): assert convert(currency, day, to) == expected

@pytest.mark.parametrize("currency, day, to, rates", [("EUR", "2026-04-30", "USD", RATES), ("GBP", "2026-05-01", "USD", RATES), ("EUR", "2026-05-01", "USD", None), ("CHF", "2026-05-01", "EUR", RATES.head(0))])
def test_only_a_missing_rate_is_an_error_and_names_the_pair_and_the_day(currency, day, to, rates):
    with pytest.raises(DataError, match=f"from {currency} to {to} on or before {day}"): convert(currency, day, to, rates)

@given(st.lists(st.integers(-10**12, 10**12), min_size=1, max_size=20))
def test_rows_are_rounded_before_they_are_added(units):
    found = converted(np.array(units), pd.Series(["EUR"]*len(units)), pd.Series(pd.to_datetime(["2026-05-04"]*len(units))), "USD", RATES)
    assert found.tolist() == [int((Decimal(unit)*Decimal(1.6)).quantize(Decimal(1), ROUND_HALF_EVEN)) for unit in units]

def test_instants_and_days_find_the_same_rate():
    instants = pd.Series(pd.to_datetime(["2026-05-04T00:30:00Z"]))
    assert converted(np.array([100]), pd.Series(["EUR"]), instants, "USD", RATES)[0] == 160

def test_one_currency_needs_no_decision_and_two_do():
    assert common_currency(pd.Series([], dtype="str")) == "" and common_currency(pd.Series(["EUR", None])) == "EUR" and common_currency(pd.Series(["EUR"]), "USD") == "USD"
    with pytest.raises(DataError, match="EUR, USD"): common_currency(pd.Series(["USD", "EUR"]))
