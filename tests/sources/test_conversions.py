"""Text to types, against values worked out by hand and against Python's own decimal and datetime."""
from datetime import datetime, timezone
from decimal import ROUND_HALF_EVEN, Decimal
from zoneinfo import ZoneInfo
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from marketing_mlops.sources.conversions import convert
from marketing_mlops.sources.mappings import ColumnMapping

def one(text, kind, **options):
    done = convert(pd.Series([text], dtype="str"), kind, ColumnMapping("x", **options))
    return None if done.values.isna()[0] else done.values[0]

@given(st.decimals(min_value=-10**9, max_value=10**9, places=6))
def test_money_is_rounded_half_to_even_to_a_ten_thousandth(amount):
    assert one(f"{amount:f}", "money") == amount.quantize(Decimal("1.0000"), ROUND_HALF_EVEN)

@pytest.mark.parametrize("text, decimal, value", [("1.234,56", ",", "1234.56"), ("1,234.56", ".", "1234.56"), ("1 234,5", ",", "1234.5"), ("1'234.50", ".", "1234.5"),
    ("-0,5", ",", "-.5"), ("€ 12,50", ",", "12.5"), ("12,50 €", ",", "12.5"), ("EUR 3", ".", "3"), ("-€5", ".", "-5"), ("1.234", ",", "1234"), ("1.234", ".", "1.234"), ("0", ".", "0")])
def test_amounts_are_read_as_people_write_them(text, decimal, value): assert one(text, "money", decimal=decimal, currency="EUR") == Decimal(value)

@pytest.mark.parametrize("text", ["viel", "12,50,3", "$ 5", "5 USD", "1.2.3", "--5", "NaN", "inf", "1e400", "1" * 20, "12-50", "5€5"])
def test_what_is_no_amount_is_rejected(text): assert one(text, "money", currency="EUR") is None

@pytest.mark.parametrize("kind", ["money", "float", "int"])
@pytest.mark.parametrize("text", ["12.50", "12.0", "1.23", "1234.567", "1,234.50"])
def test_a_decimal_point_is_rejected_where_the_mapping_declares_a_comma(text, kind): assert one(text, kind, decimal=",") is None

@pytest.mark.parametrize("text, currency, is_read", [("12,50 kr", "EUR", False), ("12,50 kr", "DKK", True), ("12,50 kr.", "NOK", True), ("kr 12,50", "SEK", True), ("12,50 kr", "ISK", True),
    ("12,50 $", "CAD", True), ("$12,50", "USD", True), ("$12,50", "EUR", False), ("12,50 $", "CHF", False), ("¥ 12", "CNY", True), ("¥ 12", "EUR", False), ("12,50 DKK", "SEK", False)])
def test_a_sign_is_welcome_beside_every_currency_it_can_mean_and_no_other(text, currency, is_read):
    assert (one(text, "money", decimal=",", currency=currency) is not None) == is_read

@pytest.mark.parametrize("text, cents, value", [("0.00005", False, "0"), ("0.00005000000000001", False, ".0001"), ("0.00015", False, ".0002"), ("0.000249999999999999", False, ".0002"), ("-0.00005000000000001", False, "-.0001"),
    ("5e-5", False, "0"), ("5.00000000000001e-5", False, ".0001"), ("1.5e3", False, "1500"), ("1e-90", False, "0"), ("0.00500000000000001", True, ".0001")])
def test_no_digit_is_too_far_right_to_decide_how_an_amount_is_rounded(text, cents, value):
    assert one(text, "money", unit="cents" if cents else None) == Decimal(value)

@pytest.mark.parametrize("text, kind", [("12.5", "int"), ("1e3", "int"), ("maybe", "bool"), ("31.02.2026", "date"), ("2026-13-01", "instant"), ("2026", "instant"), ("0202-01-01", "instant"), ("2026-03-29 02:30", "instant")])
def test_what_does_not_fit_its_type_is_rejected(text, kind): assert one(text, kind, zone="Europe/Berlin") is None

@given(st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1)), st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC", "Europe/Lisbon"]))
def test_wall_clocks_agree_with_pythons_own_zones(wall, zone):
    expected = wall.replace(tzinfo=ZoneInfo(zone), fold=0)
    exists = expected.astimezone(timezone.utc).astimezone(ZoneInfo(zone)).replace(tzinfo=None) == wall
    found = one(wall.isoformat(sep=" "), "instant", zone=zone)
    assert found == expected.astimezone(timezone.utc) if exists else found is None

def test_a_time_without_offset_and_zone_is_rejected_instead_of_taken_for_utc():
    assert one("2026-03-01 10:00", "instant") is None and one("2026-03-01T10:00:00+01:00", "instant") == pd.Timestamp("2026-03-01 09:00", tz="UTC")

def test_reasons_stand_at_the_rows_they_concern():
    done = convert(pd.Series(["1", "x", "", "unknown"], index=[2, 3, 4, 5], dtype="str"), "int", ColumnMapping("n", missing=("unknown",)))
    assert list(done.problems.index) == [3] and done.values.isna().tolist() == [False, True, True, True]
