"""Rows as of a cutoff: what may enter them, and what may not."""
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings, strategies as st
from marketing_mlops.features.catalogue import FEATURES, feature
from marketing_mlops.features.declarations import Feature
from marketing_mlops.features.event_rows import EventSource
from marketing_mlops.contracts.schemas import TABLES
from marketing_mlops.features.computed_columns import COMPUTED_COLUMNS
from marketing_mlops.features.point_in_time import behind, feature_table, refuse_late
from marketing_mlops.training.feature_review_costs import columns_read, only_readers
from marketing_mlops.workspace.errors import DataError, ParameterError

CUTOFF = datetime(2026, 3, 1, tzinfo=timezone.utc)
EARLIER = CUTOFF - timedelta(days=40)
NAMES = ["recency_days", "orders_90d", "orders_365d", "orders_ever", "net_revenue_365d", "sales_ever", "average_order_value_365d",
         "clicks_90d", "visits_90d", "engagement_seconds_90d", "contacts_90d", "trait.age_band"]
SIGNALS = ["contacts_7d", "discount_share_365d", "discounted_order_share_ever",
         "return_rate_365d", "products_365d", "categories_ever", "weekend_order_share_365d", "evening_order_share_ever", "night_visit_share_365d", "search_visit_share_365d",
         "mobile_visit_share_ever", "email_click_rate_365d", "opens_90d", "machine_open_share_ever", "complaints_ever", "unsubscribes_365d"]
CLOCKS = dict(ada=ZoneInfo("Europe/Berlin"), ben=ZoneInfo("America/New_York"), cem=ZoneInfo("UTC"))
SPINE = pd.DataFrame(dict(customer_id=["ada", "ben", "ada"], cutoff=pd.to_datetime([EARLIER, CUTOFF, CUTOFF])))
PEOPLE = ["ada", "ben", "cem"]
MICROSECOND = timedelta(microseconds=1)
# Distances to the cutoffs that matter: the bounds of every window, and a microsecond to either side of them.
EDGES = [CUTOFF - timedelta(days=days) + step*MICROSECOND for days in (0, 40, 90, 130, 365, 405) for step in (-1, 0, 1)]
KINDS = ["sale", "gift", "return", "click", "visit", "open", "machine_open", "send", "delivery", "complaint", "unsubscribe", "trait"]
moments = st.one_of(st.sampled_from(EDGES), st.datetimes(datetime(2024, 12, 1), datetime(2026, 4, 1), timezones=st.just(timezone.utc)))
delays = st.one_of(st.just(timedelta(0)), st.timedeltas(timedelta(0), timedelta(days=60)))

@st.composite
def events(draw):
    at = draw(moments)
    return dict(kind=draw(st.sampled_from(KINDS)), customer=draw(st.sampled_from(PEOPLE)),
                occurred_at=at, known_at=at + draw(delays), number=draw(st.integers(1, 5_000)))

def price_of(each): return 0 if each["kind"] == "gift" else each["number"]/100
def discount_of(each): return each["number"]/1000 if each["kind"] == "sale" and each["number"] % 3 == 0 else 0
def product_of(each): return f"p{each['number'] % 5}"
def device_of(each): return ("mobile", "desktop", None)[each["number"] % 3]
def visited_by(each): return ("search", "direct")[each["number"] % 2]

def tables_of(found):
    "Canonical rows of a list of events."
    tables = dict(orders=[], order_lines=[], touchpoints=[], contacts=[], traits=[], products=[dict(product_id=f"p{i}", category=f"k{i % 3}") for i in range(5)],
                  customers=[dict(customer_id=who, market=market, first_seen_at=datetime(2024, 1, 1, tzinfo=timezone.utc)) for who, market in (("ada", "DE"), ("ben", "US"), ("cem", None))])
    for i, each in enumerate(found):
        times = dict(occurred_at=each["occurred_at"], known_at=each["known_at"])
        who, kind = dict(customer_id=each["customer"]), each["kind"]
        if kind in ("sale", "gift", "return"):
            tables["orders"].append(dict(order_id=f"o{i}", **who, **times))
            tables["order_lines"].append(dict(order_line_id=f"l{i}", order_id=f"o{i}", kind="return" if kind == "return" else "sale", quantity=-1 if kind == "return" else 1,
                                              unit_price=price_of(each), discount=discount_of(each), product_id=product_of(each), currency="EUR", **times))
        elif kind in ("click", "visit", "open", "machine_open"):
            visit = dict(engagement_seconds=each["number"]/10, device=device_of(each), channel=visited_by(each)) if kind == "visit" else dict(channel="email", contact_id=f"m{each['number'] % 4}")
            tables["touchpoints"].append(dict(touchpoint_id=f"t{i}", kind=kind.removeprefix("machine_"), is_machine_open=kind == "machine_open" if "open" in kind else None, **visit, **who, **times))
        elif kind in ("send", "delivery", "complaint", "unsubscribe"): tables["contacts"].append(dict(contact_id=f"m{i}", kind=kind, channel="email", campaign_id="spring", **who, **times))
        else: tables["traits"].append(dict(trait="age_band", value=str(each["number"]), known_when="timestamp", **who, **times))
    return tables

# One event of each sort, long past, so that every table is there.
ALWAYS = [dict(kind=kind, customer="eve", occurred_at=datetime(2024, 1, 1, tzinfo=timezone.utc), known_at=datetime(2024, 1, 1, tzinfo=timezone.utc), number=1)
          for kind in ("sale", "visit", "click", "open", "machine_open", "send", "trait")]

def computed(shop, found, names=NAMES, spine=SPINE):
    return feature_table(shop.accept(**tables_of([*ALWAYS, *found])), "shop", spine, names)

SETTINGS = dict(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True, database=None)

@settings(max_examples=3, **SETTINGS)
@given(before=st.lists(events(), min_size=4, max_size=30), after=st.lists(events(), min_size=4, max_size=20), lateness=st.integers(0, 100))
def test_no_event_known_at_or_after_the_cutoff_changes_a_row(shop, before, after, lateness):
    # the added events happened whenever they like, before the cutoff too; they only became known at it or later
    added = [each | dict(known_at=max(each["known_at"], CUTOFF) + timedelta(hours=lateness)) for each in after]
    pd.testing.assert_frame_equal(computed(shop, [*before, *added]), computed(shop, before))

@settings(max_examples=3, **SETTINGS)
@given(before=st.lists(events(), min_size=4, max_size=30), after=st.lists(events(), min_size=4, max_size=20))
def test_no_event_that_happens_at_or_after_the_cutoff_changes_a_row(shop, before, after):
    # known early, as an appointment is, and still to come
    added = [each | dict(occurred_at=max(each["occurred_at"], CUTOFF), known_at=CUTOFF - timedelta(days=1)) for each in after]
    rows = computed(shop, [*before, *added]), computed(shop, before)
    pd.testing.assert_frame_equal(*[each[SPINE.cutoff == CUTOFF] for each in rows])

def random_events(rng, n):
    "Events of a year and more, many at a bound, a third of them known late."
    def instant(): return EDGES[rng.integers(len(EDGES))] if rng.random() < .3 else CUTOFF - timedelta(seconds=int(rng.integers(0, 450*86_400)))
    def one():
        at = instant()
        return dict(kind=KINDS[rng.integers(len(KINDS))], customer=PEOPLE[rng.integers(3)], occurred_at=at, number=int(rng.integers(1, 5_000)),
                    known_at=at + timedelta(hours=int(rng.integers(0, 900)))*(rng.random() < .3))
    return [each for each in (one() for _ in range(n)) if each["kind"] != "trait"]

def shuffled(workspace, seed):
    "The accepted tables in another order of their rows."
    for path in workspace.accepted("shop").glob("*.parquet"): pq.write_table((rows := pq.read_table(path)).take(np.random.default_rng(seed).permutation(len(rows))), path)
    return workspace

def test_no_registered_feature_knows_what_became_known_later_or_in_which_order_rows_stand(shop):
    rng, names = np.random.default_rng(3), [name for name, each in FEATURES.items() if each.entity == "customer"]
    past, later = random_events(rng, 150), [each | dict(known_at=max(each["known_at"], CUTOFF)) for each in random_events(rng, 80)]
    spine = pd.DataFrame(dict(customer_id=PEOPLE*2, cutoff=pd.to_datetime([CUTOFF]*3 + [EARLIER]*3)))
    before = computed(shop, past, names, spine)
    workspace = shuffled(shop.accept(**tables_of([*ALWAYS, *past, *later])), 1)
    pd.testing.assert_frame_equal(feature_table(workspace, "shop", spine, names), before)
    assert before[names].notna().any().sum() > .9*len(names)

def by_hand(found, customer, cutoff):
    "The features of one row, from the sentences of their definitions."
    known = [each for each in [*ALWAYS, *found] if each["customer"] == customer and each["known_at"] < cutoff and each["occurred_at"] < cutoff]
    def within(days, *kinds): return [each for each in known if each["kind"] in kinds and (days is None or each["occurred_at"] >= cutoff - timedelta(days=days))]
    def money(rows): return sum((-1 if each["kind"] == "return" else 1)*price_of(each) - discount_of(each) for each in rows)
    def share(some, rows): return len([each for each in rows if some(each)])/len(rows) if rows else np.nan
    def at(each): return each["occurred_at"].astimezone(CLOCKS[customer])
    placed, bought, visits, opens = [each for each in within(None, "visit") if device_of(each)], within(None, "sale"), within(365, "visit"), within(None, "open", "machine_open")
    year, told = within(365, "sale"), {each["occurred_at"]: str(each["number"]) for each in known if each["kind"] == "trait"}
    return dict(recency_days=(cutoff - max(each["occurred_at"] for each in within(None, "sale")))//timedelta(days=1) if within(None, "sale") else np.nan,
                orders_90d=len(within(90, "sale")), orders_365d=len(year), orders_ever=len(within(None, "sale")),
                net_revenue_365d=money(within(365, "sale", "gift", "return")), sales_ever=money(within(None, "sale")),
                average_order_value_365d=money(year)/len(year) if year else np.nan,
                clicks_90d=len(within(90, "click")), visits_90d=len(within(90, "visit")), contacts_90d=len(within(90, "send")),
                engagement_seconds_90d=sum(each["number"] for each in within(90, "visit"))/10,
                contacts_7d=len(within(7, "send")), discount_share_365d=sum(map(discount_of, year))/sum(map(price_of, year)) if year else np.nan,
                discounted_order_share_ever=share(lambda each: discount_of(each) > 0, bought), return_rate_365d=(len(within(365, "return")) + 1)/(len(year) + 10),
                products_365d=len(set(map(product_of, year))), categories_ever=len({int(product_of(each)[1]) % 3 for each in bought}),
                weekend_order_share_365d=share(lambda each: at(each).weekday() >= 5, year), evening_order_share_ever=share(lambda each: at(each).hour >= 18, bought),
                night_visit_share_365d=share(lambda each: at(each).hour < 6, visits), search_visit_share_365d=share(lambda each: visited_by(each) == "search", visits),
                mobile_visit_share_ever=share(lambda each: device_of(each) == "mobile", placed),
                email_click_rate_365d=(len({each["number"] % 4 for each in within(365, "click")}) + 1)/(len(within(365, "send")) + 50), opens_90d=len(within(90, "open")),
                machine_open_share_ever=share(lambda each: each["kind"] == "machine_open", opens), complaints_ever=len(within(None, "complaint")),
                unsubscribes_365d=len(within(365, "unsubscribe"))) | {"trait.age_band": told[max(told)] if told else np.nan}

@settings(max_examples=3, **SETTINGS)
@given(found=st.lists(events(), min_size=10, max_size=40))
@example(found=[dict(kind=kind, customer="ada", occurred_at=at, known_at=at, number=100) for at in EDGES for kind in ("sale", "visit", "send")])
def test_features_are_what_their_definitions_say_at_every_bound(shop, found):
    # two traits of one moment break the table's key, so only the first is kept
    kept, seen = [], set()
    for each in found:
        key = (each["customer"], each["occurred_at"]) if each["kind"] == "trait" else len(kept)
        if key not in seen: kept.append(each)
        seen.add(key)
    compare(shop, kept, NAMES, SPINE)

def compare(shop, found, names, spine):
    expected = pd.DataFrame([by_hand(found, customer, cutoff.to_pydatetime()) for customer, cutoff in zip(spine.customer_id, spine.cutoff)])[names]
    values = computed(shop, found, names, spine)[names]
    texts = [name for name in names if name.startswith("trait.")]
    pd.testing.assert_frame_equal(values.drop(columns=texts), expected.drop(columns=texts).astype("float64"), rtol=1e-12)
    for name in texts: assert values[name].fillna("none").tolist() == expected[name].fillna("none").tolist()

# Sales at the moments at which clocks change, a weekend begins in one market and not in the other, or an evening does.
CLOCK_CHANGES = pd.to_datetime(["2025-03-30 00:59:59.9Z", "2025-03-30 01:00Z", "2025-10-26 00:59Z", "2025-10-26 16:59:59.9Z", "2025-10-26 17:00Z", "2025-10-31 22:59Z", "2025-10-31 23:00Z",
                                "2025-11-02 05:59Z", "2025-11-02 06:00Z", "2025-11-03 04:59Z"], format="ISO8601").to_pydatetime()

def test_baskets_discounts_habits_and_messages_are_what_their_definitions_say(shop):
    turns = [dict(kind=kind, customer=who, occurred_at=at, known_at=at, number=3) for who in PEOPLE for at in CLOCK_CHANGES for kind in ("sale", "visit")]
    spine = pd.DataFrame(dict(customer_id=PEOPLE*2, cutoff=pd.to_datetime([CUTOFF]*3 + [EARLIER - timedelta(days=100)]*3)))
    compare(shop, [*random_events(np.random.default_rng(5), 250), *turns], SIGNALS, spine)

def test_a_window_holds_its_first_instant_and_not_its_last(shop):
    moments = dict(too_early=CUTOFF - timedelta(days=90) - MICROSECOND, first=CUTOFF - timedelta(days=90), last=CUTOFF - MICROSECOND, too_late=CUTOFF)
    sales = [dict(kind="sale", customer=who, occurred_at=moment, known_at=moment, number=100) for who, moment in moments.items()]
    counts = computed(shop, sales, ["orders_90d"], pd.DataFrame(dict(customer_id=list(moments), cutoff=pd.to_datetime([CUTOFF]*4)))).orders_90d
    assert counts.tolist() == [0, 1, 1, 0]

def test_rows_come_back_in_the_order_of_the_spine_whatever_it_is(retailer):
    customers = pd.read_parquet(retailer.accepted("retailer")/"customers.parquet").customer_id
    spine = pd.DataFrame(dict(customer_id=customers.sample(400, random_state=1), cutoff=pd.Timestamp("2026-03-01", tz="UTC")))
    spine = pd.concat([spine, spine[:50].assign(cutoff=pd.Timestamp("2026-02-01", tz="UTC"))])   # people may occur twice, at two cutoffs
    table = feature_table(retailer, "retailer", spine, ["orders_365d", "trait.age_band", "tenure_days"])
    assert table.customer_id.tolist() == spine.customer_id.tolist()
    backwards = feature_table(retailer, "retailer", spine[::-1], ["orders_365d", "trait.age_band", "tenure_days"])
    pd.testing.assert_frame_equal(backwards[::-1].reset_index(drop=True), table)

def test_a_row_that_is_there_twice_is_refused_with_its_place(retailer):
    spine = pd.DataFrame(dict(customer_id=["c1", "c2", "c1"], cutoff=pd.Timestamp("2026-03-01", tz="UTC")))
    with pytest.raises(DataError, match=r"1 row of the spine repeats the customer_id and cutoff of an earlier row: rows \[2\]"): feature_table(retailer, "retailer", spine, ["orders_365d"])

def test_net_revenue_is_the_metric_of_the_same_name(retailer):
    from marketing_mlops.contracts.metrics import unit_values
    from marketing_mlops.sources.ingestion import accepted_tables
    tables = accepted_tables(retailer, "retailer")
    customers = pd.read_parquet(tables["customers"])[["customer_id"]]
    cutoff = pd.Timestamp("2026-07-02", tz="UTC")   # after everything, so that everything is known
    feature_values = feature_table(retailer, "retailer", customers.assign(cutoff=cutoff), ["net_revenue_365d"]).net_revenue_365d
    metric_values = unit_values("net_revenue_per_customer", tables, customers, start=cutoff - pd.Timedelta(days=365), end=cutoff, settings=retailer.settings).numerator
    np.testing.assert_allclose(feature_values, metric_values.astype(float), atol=.001)
    assert abs(feature_values.sum() - metric_values.astype(float).sum()) < .05 and feature_values.sum() > 50_000

def test_names_nobody_declared_and_traits_nobody_has_are_refused(retailer):
    spine = SPINE.assign(customer_id=["nobody", "no one", "nil"])
    with pytest.raises(ParameterError, match="Did you mean 'tenure_days'"): feature_table(retailer, "retailer", spine, ["tenure_day"])
    with pytest.raises(ParameterError, match="Did you mean 'age_band'"): feature_table(retailer, "retailer", spine, ["trait.age_bnd"])
    with pytest.raises(ParameterError, match="No feature is named"): feature_table(retailer, "retailer", spine, [])

def test_people_without_a_single_event_get_zeros_and_gaps_not_a_missing_row(retailer):
    table = feature_table(retailer, "retailer", SPINE.assign(customer_id=["nobody", "no one", "nil"]), ["orders_90d", "recency_days", "tenure_days", "trait.age_band"])
    assert len(table) == 3 and table.orders_90d.tolist() == [0, 0, 0]
    assert table[["recency_days", "tenure_days", "trait.age_band"]].isna().all(axis=None)

@pytest.mark.parametrize("word", ["during", "after_outcome"])
def test_a_column_the_mapping_declares_as_late_is_refused_by_the_features_name(word):
    source = EventSource("calls", {}, None, "EUR", late={("touchpoints", "engagement_seconds"): word})
    with pytest.raises(DataError, match="engagement_seconds_90d"): refuse_late(source, [feature("engagement_seconds_90d")])
    refuse_late(source, [feature("visits_90d")])

@pytest.mark.parametrize("table, column, refused, allowed", [
    ("order_lines", "discount", ["net_revenue_365d", "sales_ever", "average_order_value_365d"], ["recency_days", "orders_ever", "tenure_days"]),
    ("order_lines", "kind", ["recency_days", "orders_ever", "sales_ever"], ["net_revenue_365d"]),
    ("order_lines", "order_id", ["average_order_value_365d", "orders_ever"], ["net_revenue_365d"]),
    ("exchange_rates", "rate", ["net_revenue_365d"], ["recency_days"]),
    ("orders", "customer_id", ["recency_days", "net_revenue_365d"], ["clicks_90d"]),
    ("customers", "first_seen_at", ["tenure_days"], ["recency_days"])])
def test_what_is_made_from_a_late_column_is_late(table, column, refused, allowed):
    source = EventSource("shop", {}, None, "EUR", late={(table, column): "after_outcome"})
    for name in refused:
        with pytest.raises(DataError, match=f"{name} of source 'shop' is known only after the outcome"): refuse_late(source, [feature(name)])
    refuse_late(source, map(feature, allowed))

@pytest.mark.parametrize("entity, table, linking", [
    ("household", "orders", {("orders", "customer_id"), ("customers", "customer_id"), ("customers", "household_id")}),
    ("account", "orders", {("orders", "account_id"), ("customers", "customer_id"), ("customers", "account_id")}),
    ("account", "order_lines", {("orders", "customer_id"), ("customers", "customer_id"), ("customers", "account_id")}),
    ("campaign", "contacts", {("contacts", "campaign_id")}), ("customer", "orders", {("orders", "customer_id")})])
def test_a_feature_depends_on_the_columns_that_lead_to_whom_it_describes(entity, table, linking):
    declared = Feature("counted_180d", "Counted.", "rows", table, "count", entity=entity, window_days=180)
    assert set(behind(declared)) == linking | {(table, "occurred_at")}
    assert {".".join(pair) for pair in linking} < set(columns_read(declared))
    for pair in linking:
        with pytest.raises(DataError, match="counted_180d of source 'shop' is known only during"): refuse_late(EventSource("shop", {}, None, "EUR", late={pair: "during"}), [declared])

def test_a_table_that_leads_to_households_is_not_read_by_tenure_alone():
    at_home = Feature("household_orders_180d", "Orders of her household.", "orders", "orders", "count", entity="household", window_days=180)
    assert only_readers([feature("tenure_days"), feature("recency_days")])["tenure_days"] == ("customers",)
    assert only_readers([feature("tenure_days"), at_home])["tenure_days"] == ()

def test_every_computed_column_is_made_from_columns_a_source_may_map():
    for table, computed in COMPUTED_COLUMNS.items():
        for each in computed.values(): assert each.made_from and all(column in TABLES[name].names for name, column in each.made_from)

def test_ids_and_categories_may_hold_anything(shop):
    odd = "<b>Ada</b> 🛒 'x'; DROP TABLE orders --"
    at = CUTOFF - timedelta(days=3)
    found = [dict(kind="sale", customer=odd, occurred_at=at, known_at=at, number=250)]
    tables = tables_of([*ALWAYS, *found])
    tables["traits"].append(dict(customer_id=odd, trait="town", value="Köln \"<i>\"", known_when="timestamp", occurred_at=at, known_at=at))
    table = feature_table(shop.accept(**tables), "shop", pd.DataFrame(dict(customer_id=[odd], cutoff=[pd.Timestamp(CUTOFF)])), ["sales_ever", "trait.town"])
    assert (table.customer_id[0], table.sales_ever[0], table["trait.town"][0]) == (odd, 2.5, "Köln \"<i>\"")

def test_every_declared_feature_has_its_term_and_a_version_of_its_own():
    from marketing_mlops.contracts.glossary import term
    assert all(term(name).definition == each.definition for name, each in FEATURES.items())
    assert len({each.version for each in FEATURES.values()}) == len(FEATURES)
    with pytest.raises(ValueError, match="window_days must be 1 or more"): Feature("x", "X.", "", "contacts", "count", window_days=0)
