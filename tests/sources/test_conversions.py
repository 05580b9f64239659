"""Text to types, against values worked out by hand and against Python's own decimal and datetime."""
from datetime import datetime, timezone
from decimal import ROUND_HALF_EVEN, Decimal
from zoneinfo import ZoneInfo
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from marketing_mlops.sources.conversions import convert, date_formats
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

def test_a_file_that_cannot_tell_days_from_months_gets_both_readings():
    assert date_formats(pd.Series(["01/02/2026", "12/12/2026"])) == ["%d/%m/%Y", "%m/%d/%Y"]
    assert date_formats(pd.Series(["01/02/2026", "13/12/2026"])) == ["%d/%m/%Y"]

@pytest.mark.parametrize("text, pattern", [("202603011347", "%Y%m%d%H%M"), ("20260301134705", "%Y%m%d%H%M%S"), ("202603011347.0", "%Y%m%d%H%M"), ("20260301", "%Y%m%d"), ("1772370000", "unix"), ("1772370000000", "unix_ms"),
    ("3/1/26 1:47 PM", "%m/%d/%y %I:%M %p"), ("1.3.26 13:47 Uhr", "%d.%m.%y %H:%M Uhr"), ("01-Mär-2026 13:47", "%d-%b-%Y %H:%M"), ("1. März 2026", "%d. %b %Y"), ("01 March 2026", "%d %b %Y"),
    ("2026/14/03", "%Y/%d/%m"), ("2026.03.01 13:47", "%Y.%m.%d %H:%M"), ("2026.03.01 13h47", "%Y.%m.%d %Hh%M")])
def test_a_way_of_writing_days_is_recognised_and_read(text, pattern):
    assert date_formats(pd.Series([text])) == [pattern]
    assert one(text, "instant", date_format=pattern, zone="UTC").year == 2026 and one(text, "instant", date_format=pattern, zone="UTC").month == 3

@pytest.mark.parametrize("text", ["202613011347", "198912312359", "210101011200", "300000000", "600000000000", "202603011"])
def test_digits_are_no_epoch_before_1990_and_no_day_outside_the_calendar(text): assert date_formats(pd.Series([text])) == []

def test_ten_digits_with_two_readings_get_both():
    assert date_formats(pd.Series(["2026030113"])) == ["%Y%m%d%H", "unix"]

def test_a_day_number_of_a_spreadsheet_is_read_when_said_and_never_guessed():
    assert one("46082", "instant", date_format="excel", zone="UTC") == pd.Timestamp("2026-03-01", tz="UTC") and date_formats(pd.Series(["46082"])) == []
