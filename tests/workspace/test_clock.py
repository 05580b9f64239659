"""Instants carry a zone, days have an end, and a replay stands still."""
from datetime import date, datetime, timedelta, timezone
import pandas as pd
import pytest
from marketing_mlops.workspace.clock import ReplayClock, WallClock, age_in_days, clock_for, instant_of
from marketing_mlops.workspace.errors import ParameterError

UTC = timezone.utc

@pytest.mark.parametrize("value, found", [
    ("2026-06-30", datetime(2026, 6, 30, 23, 59, 59, tzinfo=UTC)), (date(2026, 6, 30), datetime(2026, 6, 30, 23, 59, 59, tzinfo=UTC)),
    ("20260630", datetime(2026, 6, 30, 23, 59, 59, tzinfo=UTC)), ("2026-06-30T12:00:00Z", datetime(2026, 6, 30, 12, tzinfo=UTC)),
    ("2026-06-30 12:00:00+02:00", datetime(2026, 6, 30, 10, tzinfo=UTC)), (datetime(2026, 6, 30, 12, tzinfo=timezone(timedelta(hours=-5))), datetime(2026, 6, 30, 17, tzinfo=UTC)),
    (pd.Timestamp("2026-06-30T12:00:00Z"), datetime(2026, 6, 30, 12, tzinfo=UTC))])
def test_an_instant_is_the_same_in_every_spelling(value, found):
    assert instant_of(value) == found and instant_of(value).tzinfo is UTC

@pytest.mark.parametrize("value", ["2026-06-30T12:00:00", datetime(2026, 6, 30), "2026-02-30", "30.06.2026", "2026-06", "", "soon", None, 20260630, pd.NaT, True])
def test_what_is_no_instant_is_refused_in_two_lines(value):
    with pytest.raises(ParameterError, match="as_of") as e: instant_of(value)
    assert str(e.value).count("\n") == 1

def test_a_replay_stands_still_and_the_wall_clock_does_not():
    replay = clock_for("2008-03-20")
    assert isinstance(replay, ReplayClock) and replay.now() == replay.now() and replay.label == "replay"
    assert isinstance(clock_for(None), WallClock) and abs(WallClock().now() - datetime.now(UTC)) < timedelta(minutes=1)

def test_an_age_counts_days_in_any_zone():
    clock = ReplayClock(datetime(2026, 3, 30, tzinfo=UTC))
    assert age_in_days(datetime(2026, 3, 28, 19, tzinfo=timezone(timedelta(hours=-5))), clock) == 1
