"""What is stored online is what training computes, on the simulated retailer and in both stores."""
from dataclasses import replace
import pandas as pd
import pytest
from marketing_mlops.features import materialisation, online_parity
from marketing_mlops.features.event_rows import open_events
from marketing_mlops.features.materialisation import ShelfPlan, materialise
from marketing_mlops.features.online_parity import ages_at_request, compared_values, parity
from marketing_mlops.features.online_rows import packed_rows, unpacked_rows
from marketing_mlops.features.online_stores import open_online_store
from marketing_mlops.features.own_redis import own_redis
from marketing_mlops.features.point_in_time import features_of
from marketing_mlops.workspace.clock import ReplayClock, instant_of
from marketing_mlops.workspace.errors import DataError, ParameterError

NAMES = ("recency_days", "orders_90d", "orders_365d", "net_revenue_365d", "average_order_value_365d", "tenure_days", "clicks_90d", "engagement_seconds_90d",
         "contacts_90d", "trait.age_band", "trait.acquisition_channel")
PLAN = ShelfPlan("churn", "retailer", NAMES, purpose="email", active_days=365)
def at(day, hour=2): return ReplayClock(instant_of(f"2026-06-{day:02}T{hour:02}:00:00Z"))

@pytest.fixture(scope="module", params=["sqlite", "redis"])
def stored(request, retailer, tmp_path_factory):
    "The retailer with the values of one night, and these values as a generation."
    with own_redis() as address:
        if request.param == "redis" and address is None: pytest.skip("redis-server is not installed")
        online = address if request.param == "redis" else f"sqlite:///{tmp_path_factory.mktemp('online')}/online.db"
        place = replace(retailer, settings=replace(retailer.settings, online_store=online))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(materialisation, "CHUNK_ROWS", 300)                      # several parts, the last one smaller
            yield place, materialise(place, PLAN, at="2026-06-15", clock=at(15))

def test_offline_equals_online_for_every_customer_and_feature(stored):
    place, generation = stored
    n, differing, is_same_data = compared_values(place, open_online_store(place), generation)
    assert (n, differing, is_same_data) == (generation.n, {}, True) and n > 600
    assert parity(place, "churn", at(15, 12)).status == "pass"

def test_only_people_with_consent_and_a_purchase_are_stored(stored):
    place, generation = stored
    with open_events(place, "retailer") as events:
        consents = events.read("consents").to_pandas()
    consents = consents[(consents.purpose == "email") & (consents.known_at < generation.cutoff)].sort_values(["known_at", "is_granted"], ascending=[True, False])
    agreed = consents.drop_duplicates("customer_id", keep="last").query("is_granted").customer_id
    assert set(open_online_store(place).entities("churn")) <= set(agreed) and generation.left_out["no_consent"] > 0 and generation.left_out["not_active"] > 0

@pytest.mark.parametrize("name, change", [("orders_90d", lambda values: values + 1), ("net_revenue_365d", lambda values: values*(1 + 1e-15) + 1e-12), ("trait.age_band", lambda values: values + "?")])
def test_a_single_value_that_differs_is_found_and_nobody_is_named(stored, name, change):
    place, generation = stored
    store = open_online_store(place)
    people = store.entities("churn")
    rows = unpacked_rows(store.read("churn", people).packed, generation)
    touched = rows.index[rows[name].notna() & (change(rows[name]) != rows[name])][0]
    wrong = rows.copy()
    wrong.loc[touched, name] = change(rows[name]).loc[touched]
    try:
        store.write(generation, [list(zip(people, packed_rows(wrong, generation)))])
        verdict = parity(place, "churn", at(15, 12))
    finally: store.write(generation, [list(zip(people, packed_rows(rows, generation)))])
    found = [reason for reason in verdict.reasons if reason.severity == "fail"]
    assert verdict.status == "fail" and [reason.value for reason in found] == [1] and found[0].message.startswith(f"{name} differs for 1 of ")
    assert people[touched] not in str(verdict.to_dict())

def test_parity_of_very_many_looks_at_some_of_them(stored, monkeypatch):
    place, _ = stored
    monkeypatch.setattr(online_parity.sampled, "__defaults__", (100,))
    assert parity(place, "churn", at(15, 12)).reasons[0].message.startswith("All features of 100 customers")

def test_a_declaration_that_was_edited_is_unknown_and_not_a_pass(stored, monkeypatch):
    place, _ = stored
    declared = online_parity.declared_version
    monkeypatch.setattr(online_parity, "declared_version", lambda name, own: "0123456789ab" if name == "clicks_90d" else declared(name, own))
    verdict = parity(place, "churn", at(15, 12))
    assert verdict.status == "unknown" and [reason.message.split()[0] for reason in verdict.reasons if reason.severity == "unknown"] == ["clicks_90d"]

@pytest.mark.slow
def test_an_hour_later_offline_still_equals_what_was_stored_then(stored):
    place, generation = stored
    with open_events(place, "retailer") as events:
        spine = pd.DataFrame({"customer_id": open_online_store(place).entities("churn"), "cutoff": pd.Timestamp("2026-06-25", tz="UTC").as_unit("us")})
        later = features_of(events, spine, NAMES)[list(NAMES)]
    now = unpacked_rows(open_online_store(place).read("churn", spine.customer_id.tolist()).packed, generation)
    assert online_parity.differing_values(later, now), "ten days change something"
    assert compared_values(place, open_online_store(place), generation)[1] == {}

@pytest.mark.parametrize("day, problem", [("2026-08-01", "lies ahead"), ("2026-06-15T10:00:00", "no instant with a time zone"), ("yesterday", "is no day")])
def test_a_moment_nobody_could_know_is_refused_before_anything_is_computed(stored, day, problem):
    place, generation = stored
    with pytest.raises(ParameterError, match=problem): materialise(place, PLAN, at=day, clock=at(15))
    assert open_online_store(place).shown("churn").cutoff == generation.cutoff

def test_what_cannot_be_computed_leaves_the_values_before(stored):
    place, generation = stored
    for plan, error in ((replace(PLAN, features=("no_such_feature",)), ParameterError), (replace(PLAN, features=("trait.shoe_size",)), ParameterError), (replace(PLAN, purpose="emial"), ParameterError)):
        with pytest.raises(error): materialise(place, plan, at="2026-06-15", clock=at(15))
    assert open_online_store(place).shown("churn").cutoff == generation.cutoff

def test_a_window_that_no_history_fills_is_not_stored(stored):
    place, generation = stored
    with pytest.raises(DataError, match="orders_90d looks back 90 days, and before the last cutoff there are only 3 days"): materialise(place, PLAN, at="2025-01-05", older=True, clock=at(15))
    assert open_online_store(place).shown("churn").cutoff == generation.cutoff

@pytest.mark.slow
def test_newer_values_are_replaced_by_older_ones_only_on_purpose(stored):
    place, _ = stored
    plan = ShelfPlan("going_back", "retailer", ("recency_days",), purpose="email")
    def store(day, **how): return materialise(place, plan, at=day, clock=at(15), **how).cutoff
    newest = store("2026-06-15")
    with pytest.raises(ParameterError, match="going_back is served as of 2026-06-15 00:00 UTC; values as of 2026-06-14 00:00 UTC are older"): store("2026-06-14")
    assert open_online_store(place).shown("going_back").cutoff == newest == store("2026-06-15")
    assert store("2026-06-14", older=True) == pd.Timestamp("2026-06-14", tz="UTC")

def test_age_is_told_of_every_moment_and_of_every_feature_with_a_limit(stored):
    place, generation = stored
    assert parity(place, "churn", at(20)).status == "review"
    old = replace(generation, limits={"clicks_90d": 3.})
    verdict = online_parity.age_reasons([old], at(20))[0]
    assert verdict.severity == "fail" and "Served as missing now: clicks_90d." in verdict.message
    assert ages_at_request([generation], at(16)).max() == pytest.approx(1 + 2/24)
    assert len(ages_at_request([replace(generation, materialised_at=at(20).now())], at(16))) == 1
