"Due times in a time zone agree with a clock that is read minute by minute, over daylight saving, month ends and leap days."
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo
import pytest
from hypothesis import given, settings, strategies as st
from marketing_mlops.schedules.due_times import due_times, next_due
from marketing_mlops.schedules.quantities import length_in_words, seconds_of

UTC = timezone.utc
ZONES = ["Europe/Berlin", "Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Casablanca", "America/Sao_Paulo", "UTC"]
INSTANTS = st.datetimes(datetime(2024, 1, 1), datetime(2031, 1, 1)).map(lambda at: at.replace(tzinfo=UTC, microsecond=0))

def due(cron, zone, after, until): return list(due_times(cron, ZoneInfo(zone), after, until))

@settings(max_examples=60, deadline=None)
@given(st.sampled_from(ZONES), st.integers(0, 23), st.integers(0, 59), INSTANTS)
def test_a_daily_report_is_due_once_on_each_local_day(zone, hour, minute, after):
    found = due(f"{minute} {hour} * * *", zone, after, after + timedelta(days=40))
    days = [at.astimezone(ZoneInfo(zone)).date() for at in found]
    assert len(set(days)) == len(days) and 39 <= len(days) <= 41
    assert all((b - a).days == 1 for a, b in pairwise(days))
    for at in found:
        local = at.astimezone(ZoneInfo(zone))
        shifted = (local.hour, local.minute) != (hour, minute)     # only where that hour does not exist
        wished = local.replace(hour=hour, minute=minute, fold=0)
        assert not shifted or wished.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) != wished.replace(tzinfo=None)

@settings(max_examples=25, deadline=None)
@given(st.sampled_from(ZONES), st.sampled_from(["*/15 * * * *", "0 7 * * mon", "30 2 * * *", "0 6 L * *", "15,45 1-3 * * *", "0 0 29 2 *", "5 4 31 * *", "0 12 * * 5L"]), INSTANTS,
       st.lists(st.integers(1, 60*24*20), min_size=1, max_size=6))
def test_however_a_stretch_is_cut_its_due_times_are_the_same(zone, cron, begin, minutes):
    cuts = [begin + timedelta(minutes=sum(minutes[:i])) for i in range(len(minutes) + 1)]
    pieces = [at for a, b in pairwise(cuts) for at in due(cron, zone, a, b)]
    whole = due(cron, zone, cuts[0], cuts[-1])
    assert pieces == whole == sorted(set(whole))

@settings(max_examples=10, deadline=None)
@given(st.sampled_from([zone for zone in ZONES if zone != "Australia/Lord_Howe"]), st.sampled_from(["*/15 * * * *", "*/10 */2 * * *", "* 3 * * *"]), INSTANTS)
def test_steps_follow_the_real_time(zone, cron, after):
    minute, hour = cron.split()[:2]
    fits = lambda value, field: field == "*" or (value % int(field[2:]) == 0 if field.startswith("*/") else value == int(field))
    start = after.replace(second=0)
    minutes = [start + timedelta(minutes=i) for i in range(1, 60*60)]
    local = {at: at.astimezone(ZoneInfo(zone)) for at in minutes}
    assert due(cron, zone, after, minutes[-1]) == [at for at in minutes if fits(local[at].minute, minute) and fits(local[at].hour, hour)]

@pytest.mark.parametrize("cron, days", [("0 6 L * *", [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]), ("0 6 LW * *", [30, 27, 31, 30, 29, 30, 31, 31, 30, 30, 30, 31]),
                                        ("0 6 30 * *", [30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30])])
def test_month_ends(cron, days):
    assert [at.day for at in due(cron, "UTC", datetime(2025, 12, 31, 23, tzinfo=UTC), datetime(2026, 12, 31, 23, tzinfo=UTC))] == days

def test_the_next_due_time_is_the_first_of_those_to_come():
    after = datetime(2026, 10, 25, 0, 29, tzinfo=UTC)              # one minute before the first 02:30 of the long night
    berlin = ZoneInfo("Europe/Berlin")
    assert next_due("30 2 * * *", berlin, after) == after + timedelta(minutes=1)
    assert next_due("30 2 * * *", berlin, after + timedelta(minutes=1)) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)     # not a second time that night

@given(st.sampled_from(["s", "min", "h", "d"]), st.integers(1, 10_000))
def test_a_length_of_time_is_read_as_it_is_written(unit, n):
    seconds = seconds_of(f"{n} {unit}")
    assert seconds_of(length_in_words(seconds)) == seconds
