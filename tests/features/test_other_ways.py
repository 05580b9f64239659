"""Features that are not counted: rates of creatives, the calendar, and what other models said."""
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo
import holidays
import numpy as np
import pandas as pd
import pytest
from marketing_mlops.features.creative_rates import rate_prior
from marketing_mlops.features.feature_notes import feature_notes
from marketing_mlops.features.catalogue import FEATURES, feature
from marketing_mlops.features.event_rows import open_events
from marketing_mlops.features.local_times import offset_changes
from marketing_mlops.features.point_in_time import features_of
from marketing_mlops.features.score_features import keep_scores
from marketing_mlops.workspace.errors import DataError

CUTOFF = datetime(2026, 3, 1, tzinfo=timezone.utc)
DAY = timedelta(days=1)

def asked(workspace, spine, names):
    with open_events(workspace, "shop") as events: return features_of(events, spine, names)

# Creatives

def stated(creative, at, known_at, clicks, impressions=1_000):
    return dict(day=at.date(), account_id="a", channel="social", campaign_id="c", creative_id=creative, market="DE", impressions=impressions, clicks=clicks, occurred_at=at, known_at=known_at)

def some_media(rng, n):
    found = {}
    for _ in range(n):
        at = CUTOFF - DAY*int(rng.integers(1, 200))
        each = stated(f"v{rng.integers(6)}", at, at + DAY*int(rng.integers(1, 12)), int(rng.integers(5, 60)))
        found[each["creative_id"], at, each["known_at"]] = each
    return list(found.values())

def test_no_figure_known_at_or_after_the_cutoff_changes_a_creatives_rate_or_its_prior(shop):
    rng = np.random.default_rng(2)
    past = [each for each in some_media(rng, 60) if each["known_at"] < CUTOFF]
    restated = [each | dict(known_at=CUTOFF + DAY*int(rng.integers(0, 9)), clicks=999) for each in past]
    fresh = [stated("v9", CUTOFF - 3*DAY, CUTOFF, 900)]
    spine = pd.DataFrame(dict(creative_id=[f"v{i}" for i in (*range(6), 8)], cutoff=pd.Timestamp(CUTOFF)))
    names = ["creative_click_rate_90d", "creative_click_rate_ever"]
    before = asked(shop.accept(media=past), spine, names)
    pd.testing.assert_frame_equal(asked(shop.accept(media=[*restated, *fresh, *past]), spine, names), before)
    latest = pd.DataFrame(past).sort_values("known_at").drop_duplicates(["creative_id", "occurred_at"], keep="last")
    sums = latest.groupby("creative_id")[["clicks", "impressions"]].sum()
    prior = rate_prior(sums.clicks.to_numpy(), sums.impressions.to_numpy())
    by_hand = prior.drawn(*sums.reindex(spine.creative_id).fillna(0).to_numpy().T)
    np.testing.assert_allclose(before.creative_click_rate_ever, by_hand, rtol=1e-12)
    assert before.creative_click_rate_ever.iloc[-1] == pytest.approx(prior.rate)   # never shown: the rate of all

def test_the_prior_finds_the_one_the_rates_were_drawn_from():
    "400 creatives from beta(2, 98), 50 times: the worth of the prior is 100, and drawn rates are nearer to the truth than plain ones nearly always."
    rng, worths, better = np.random.default_rng(11), [], 0
    for _ in range(50):
        true, shown = rng.beta(2, 98, 400), rng.integers(20, 400, 400)
        clicked = rng.binomial(shown, true)
        prior = rate_prior(clicked, shown)
        worths.append(prior.worth)
        better += np.mean((prior.drawn(clicked, shown) - true)**2) < np.mean((clicked/shown - true)**2)
    assert 85 < np.median(worths) < 120 and better == 50

@pytest.mark.parametrize("clicked, shown, rate, worth", [([], [], np.nan, 0), ([0, 0], [10, 20], 0, np.inf), ([3], [10], .3, 0), ([1, 1], [10, 10], .1, np.inf), ([10, 0], [10, 0], 1, 0)])
def test_priors_at_the_edge(clicked, shown, rate, worth):
    prior = rate_prior(np.array(clicked), np.array(shown))
    assert prior.worth == worth and (prior.rate == rate or np.isnan(rate) and np.isnan(prior.rate))

# The calendar

@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"])
def test_clocks_change_when_pythons_do(zone):
    changes, place, rng = offset_changes(zone), ZoneInfo(zone), np.random.default_rng(4)
    moments = [datetime(2000, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=int(s)) for s in rng.integers(0, 40*365*86_400, 300)]
    moments += [at + timedelta(seconds=step) for at, _ in changes[1:] for step in (-1, 0)]
    for at in moments: assert [seconds for since, seconds in changes if since <= at][-1] == at.astimezone(place).utcoffset().total_seconds()

def test_holidays_are_those_of_the_customers_market_on_her_own_day(shop):
    workspace = shop.accept(customers=[dict(customer_id="ada", market="DE"), dict(customer_id="ben", market="US"), dict(customer_id="cem", market=None)])
    cutoffs = pd.date_range("2025-12-20", "2026-01-08", tz="UTC")
    spine = pd.DataFrame(dict(customer_id=["ada", "ben", "cem"]*len(cutoffs), cutoff=np.repeat(cutoffs, 3)))
    found = asked(workspace, spine, ["days_to_holiday", "days_since_holiday", "holiday_ahead", "week_sine"])
    for row in found.itertuples():
        if row.customer_id == "cem": assert np.isnan(row.days_to_holiday) and np.isnan(row.holiday_ahead); continue
        country, zone = dict(ada=("DE", "Europe/Berlin"), ben=("US", "America/New_York"))[row.customer_id]
        today, days = row.cutoff.tz_convert(zone).date(), holidays.country_holidays(country, years=range(2025, 2028), observed=False)
        expected = min((day - today).days for day in days if day > today), min((today - day).days for day in days if day < today)
        assert (row.days_to_holiday, row.days_since_holiday) == expected and row.holiday_ahead == (expected[0] <= 14)

def test_a_source_without_markets_says_its_clock_and_has_no_holidays(shop):
    workspace, spine = shop.accept(customers=[dict(customer_id="ada")]), pd.DataFrame(dict(customer_id=["ada"], cutoff=pd.Timestamp(CUTOFF)))
    with pytest.raises(DataError, match="days_to_holiday needs a holiday calendar"): asked(workspace, spine, ["days_to_holiday"])
    with open_events(workspace, "shop") as events: said = feature_notes(events, spine, [feature("year_sine"), feature("orders_90d")])
    assert list(said) == ["year_sine"] and "those of UTC, because source 'shop' names no market" in said["year_sine"]

# Other models' scores

def score(workspace, day, bundle, values, role="champion"):
    folder = workspace.output("score", "churn")
    folder.mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame(dict(customer_id=list(values), cutoff=pd.Timestamp(day, tz="UTC").as_unit("us"), p_churn=list(values.values()), role=role, bundle_hash=bundle*64))
    frame.to_parquet(folder/"scores.parquet")
    return keep_scores(workspace, "churn", pd.Timestamp(day, tz="UTC") + pd.Timedelta(hours=30))

def test_only_scores_made_before_the_cutoff_count_with_their_age(shop):
    workspace = shop.accept(customers=[dict(customer_id="ada")])
    spine = pd.DataFrame(dict(customer_id=["ada"]*4 + ["eve"], cutoff=pd.to_datetime(["2026-01-02 05:59", "2026-01-02 06:00", "2026-01-02 06:01", "2026-02-20", "2026-02-20"], utc=True, format="mixed")))
    names = ["score.churn", "score_age_days.churn"]
    with pytest.raises(DataError, match="No score of the model 'churn' has been kept") as refused: asked(workspace, spine, names)
    assert len(str(refused.value).splitlines()) == 2
    score(workspace, "2026-01-01", "a", dict(ada=.25))
    before = asked(workspace, spine, names)
    assert before["score.churn"].fillna(-1).tolist() == [-1, -1, .25, .25, -1] and before["score_age_days.churn"].fillna(-1).tolist() == [-1, -1, 0, 48, -1]
    score(workspace, "2026-02-19", "b", dict(ada=.75, eve=.5))           # made on 20 February at 6: not known at midnight
    score(workspace, "2026-01-15", "c", dict(ada=.99), role="candidate")   # nobody released it
    pd.testing.assert_frame_equal(asked(workspace, spine, names), before)

def test_every_feature_of_the_package_says_what_missing_means_or_is_never_missing():
    for each in FEATURES.values(): assert each.means_missing or each.missing is not None or each.smoothing or each.table == "calendar", each.name
