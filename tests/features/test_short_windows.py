"""Windows that begin before the data are said, with the days there were."""
from datetime import datetime, timedelta, timezone
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from marketing_mlops.features.catalogue import FEATURES, feature
from marketing_mlops.features.event_rows import open_events
from marketing_mlops.features.point_in_time import feature_table
from marketing_mlops.features.short_windows import ShortWindow, short_windows
from marketing_mlops.features.training_files import read_training_set, write_training_set
from marketing_mlops.features.training_sets import training_set
from marketing_mlops.workspace.errors import DataError

FIRST = datetime(2025, 6, 1, tzinfo=timezone.utc)
DAY, MICROSECOND = timedelta(days=1), timedelta(microseconds=1)

def a_shop(shop, first=FIRST):
    return shop.accept(contacts=[dict(contact_id=f"m{i}", kind="send", channel="email", customer_id="ada", occurred_at=at, known_at=at) for i, at in enumerate((first, first + 400*DAY))])

def found(workspace, cutoffs, names=("contacts_90d",)):
    spine = pd.DataFrame(dict(customer_id="ada", cutoff=pd.to_datetime(list(cutoffs), utc=True).as_unit("us")))
    with open_events(workspace, "shop") as events: return short_windows(events, spine, map(feature, names))

ENOUGH = FIRST + 200*DAY   # a cutoff with a full window, beside which others may be short

@pytest.mark.parametrize("after, short", [(90*DAY, None), (90*DAY - MICROSECOND, 89), (DAY, 1), (timedelta(0), 0), (-30*DAY, 0)])
def test_a_window_is_short_until_the_history_fills_it(shop, after, short):
    expected = () if short is None else (ShortWindow("contacts_90d", 90, short, 1),)
    assert found(a_shop(shop), [FIRST + after, ENOUGH]) == expected

@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True, database=None)
@given(days=st.lists(st.integers(-20, 200), min_size=1, max_size=8))
def test_the_shortest_history_and_the_rows_it_touches_are_counted(shop, days):
    expected = [max(0, day) for day in days if day < 90]
    said = found(a_shop(shop), [*(FIRST + day*DAY for day in days), ENOUGH])
    assert [(each.shortest_history_days, each.n_rows) for each in said] == ([(min(expected), len(expected))] if expected else [])

@pytest.mark.parametrize("after", [90*DAY - MICROSECOND, DAY, -30*DAY])
def test_a_window_that_no_row_can_fill_is_refused_with_what_can_be_used_instead(shop, after):
    days = max(0, after//DAY)
    with pytest.raises(DataError, match=f"contacts_90d looks back 90 days, and before the last cutoff there are only {days} days") as refused: found(a_shop(shop), [FIRST, FIRST + after])
    assert ("contacts_30d" in refused.value.remedy) == (days >= 30) and "contacts_90d" not in refused.value.remedy

def test_such_a_window_is_refused_before_any_feature_is_computed(retailer, monkeypatch):
    import marketing_mlops.features.training_sets as training_sets
    monkeypatch.setattr(training_sets, "features_of", lambda *args: pytest.fail("features were computed"))
    early = SPEC | dict(cutoffs=dict(last="2025-10-01", every_days=30, count=3), outcome=dict(kind="no_order", horizon_days=20))
    with pytest.raises(DataError, match="orders_365d looks back 365 days") as refused: training_set(retailer, "churn", early)
    assert "orders_180d or orders_ever" in refused.value.remedy

def test_a_rate_is_as_young_as_the_younger_of_its_tables(shop):
    def at(moment, **values): return values | dict(customer_id="ada", channel="email", occurred_at=moment, known_at=moment)
    place = shop.accept(contacts=[at(FIRST, contact_id="m", kind="send")], touchpoints=[at(FIRST + 300*DAY, touchpoint_id="t", contact_id="m", kind="click")])
    with pytest.raises(DataError, match="there are only 100 days"): found(place, [FIRST + 400*DAY], ["email_click_rate_365d"])

def test_an_older_event_makes_the_window_whole(shop):
    cutoffs = [FIRST + 30*DAY, FIRST + 60*DAY, ENOUGH]
    assert found(a_shop(shop), cutoffs)[0].n_rows == 2
    assert found(a_shop(shop, FIRST - 60*DAY), cutoffs) == ()

def test_features_without_a_window_are_never_short(retailer):
    endless = [each for each in FEATURES.values() if each.window_days is None]
    spine = pd.DataFrame(dict(customer_id="x", cutoff=pd.to_datetime(["2025-01-20"], utc=True).as_unit("us")))
    with open_events(retailer, "retailer") as events: assert short_windows(events, spine, [*endless, feature("trait.age_band")]) == ()

def test_features_without_a_window_are_refused_before_the_first_event(shop):
    for cutoffs in ([FIRST], [FIRST - 30*DAY, FIRST]):
        with pytest.raises(DataError, match="last_contact_days cannot be told as of 2025-06-01 00:00 UTC: the rows it reads in source 'shop' begin"): found(a_shop(shop), cutoffs, ["last_contact_days"])
    assert found(a_shop(shop), [FIRST, FIRST + MICROSECOND], ["last_contact_days"]) == ()

@pytest.mark.parametrize("day, problem", [("2024-03-01", "there are only 0 days"), ("2025-01-05", "there are only 3 days")])
def test_a_feature_table_of_a_window_nobody_can_fill_is_refused(retailer, day, problem):
    spine = pd.DataFrame(dict(customer_id=["x"], cutoff=pd.to_datetime([day], utc=True).as_unit("us")))
    with pytest.raises(DataError, match=f"orders_365d looks back 365 days, and before the last cutoff {problem}"): feature_table(retailer, "retailer", spine, ["orders_365d"])

SPEC = dict(source="retailer", task="propensity", consent_purpose="email", outcome=dict(kind="no_order", horizon_days=90, active_days=365),
            cutoffs=dict(last="2026-03-31", every_days=30, count=8), features=["orders_365d", "orders_90d", "tenure_days"], split=dict(held_out="last_cutoff"))

def test_eight_months_of_a_year_are_said_by_the_training_set_and_survive_its_files(retailer, tmp_path):
    "The demonstration begins on 1 January 2025, its first cutoff is 2 September."
    training = training_set(retailer, "churn", SPEC)
    short, = training.short_windows
    assert (short.feature, short.window_days) == ("orders_365d", 365) and 240 <= short.shortest_history_days <= 244
    assert short.n_rows == (training.frame.cutoff < pd.Timestamp("2026-01-02", tz="UTC")).sum() > 0
    write_training_set(training, tmp_path)
    assert read_training_set(tmp_path).short_windows == training.short_windows

def test_late_cutoffs_leave_nothing_to_say(retailer):
    late = SPEC | dict(cutoffs=dict(last="2026-03-31", every_days=30, count=2), outcome=dict(kind="no_order", horizon_days=20))
    assert training_set(retailer, "churn", late).short_windows == ()
