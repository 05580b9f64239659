"""Declarations nobody could compute, and values that stay what they are."""
import json
from dataclasses import replace
from pathlib import Path
import pandas as pd
import pytest
from marketing_mlops.features.catalogue import FEATURES
from marketing_mlops.features.declarations import OTHER_WAYS, Feature, Tally
from marketing_mlops.features.event_rows import open_events, source_end
from marketing_mlops.features.own_features import own_features
from marketing_mlops.features.point_in_time import features_of
from marketing_mlops.features.short_windows import short_windows
from marketing_mlops.workspace.errors import DataError, ParameterError

AT = "2026-01-10T10:00Z"
ORDERS = [dict(order_id=f"o{i}", customer_id=who, occurred_at=AT, known_at=AT) for i, who in enumerate(["ada", "ben"])]
LINES = [dict(order_line_id=f"l{i}", order_id=f"o{i}", kind="sale", quantity=1 + i, unit_price=20, currency="EUR", occurred_at=AT, known_at=AT, product_id=product)
         for i, product in enumerate(["coat", None])]
PEOPLE = [dict(customer_id=who, household_id=home, first_seen_at=AT) for who, home in (("ada", "h1"), ("ben", None), ("cem", "h1"), ("dag", "h2"))]
SPINE = pd.DataFrame(dict(customer_id=["ada", "ben", "cem", "dag", "eve"], cutoff=pd.Timestamp("2026-03-01", tz="UTC")))
ENTRY = dict(definition="Pieces bought.", unit="pieces", table="order_lines", aggregation="sum", column="quantity")
PER_ORDER = Tally("orders", "count")

def declared(name, aggregation, column=None, **more): return Feature(name, "Something.", "pieces", "order_lines", aggregation, column, **more)

def values(shop, *features, spine=SPINE, **more):
    workspace = shop.accept(orders=ORDERS, order_lines=LINES, customers=PEOPLE)
    with open_events(workspace, "shop") as events:
        return features_of(replace(events, own={each.name: each for each in features}), spine, [each.name for each in features], **more)

@pytest.mark.parametrize("over_tiles", [False, True])
def test_a_household_feature_is_missing_for_who_has_none_and_zero_for_a_household_without_orders(shop, over_tiles):
    at_home = declared("orders_at_home", "distinct", "order_id", entity="household", missing=0.)
    assert values(shop, at_home, over_tiles=over_tiles).orders_at_home.fillna(-1).tolist() == [1, -1, 1, 0, -1]
    named = SPINE.assign(household_id=["h1", None, "h1", "h2", None])
    assert values(shop, at_home, spine=named, over_tiles=over_tiles).orders_at_home.fillna(-1).tolist() == [1, -1, 1, 0, -1]

@pytest.mark.parametrize("people", [["ada", "ben"], ["ben", "eve"], []])
def test_a_text_stays_a_text_where_nobody_has_one(shop, people):
    found = values(shop, declared("last_product", "last", "product_id"), spine=SPINE[SPINE.customer_id.isin(people)])
    assert found.last_product.dtype == "str" and found.last_product.notna().sum() == people.count("ada")

def test_a_row_whose_column_is_empty_meets_no_condition(shop):
    coats = declared("coats", "count", where=(("product_id", ("coat",)),), missing=0.)
    assert values(shop, coats, declared("lines_bought", "count", missing=0.))[["coats", "lines_bought"]].values.tolist()[:2] == [[1, 1], [0, 1]]

def test_a_smoothed_rate_is_the_mean_of_its_posterior_and_the_usual_rate_where_nothing_is_known(shop):
    rate = declared("coat_share", "count", where=(("product_id", ("coat",)),), per=Tally("order_lines", "count"), smoothing=(.02, 50))
    found = values(shop, rate).coat_share
    assert found.tolist() == pytest.approx([(1 + 1)/(1 + 50), 1/51, .02, .02, .02])
    assert values(shop, replace(rate, smoothing=None)).coat_share.fillna(-1).tolist() == [1, 0, -1, -1, -1]

def test_what_a_rate_is_divided_by_has_to_be_there(shop):
    with pytest.raises(DataError, match="no table contacts"): values(shop, declared("rate", "count", per=Tally("contacts", "count"), smoothing=(.02, 50)))

@pytest.mark.parametrize("change, says", [
    (dict(window_days=True), "got True"), (dict(window_days=30.), "got 30.0"), (dict(missing=float("inf")), "missing is inf"), (dict(smoothing=(float("nan"), 1), per=PER_ORDER), "both above 0"),
    (dict(per=Tally("order_lines", "mean", "quantity")), "only counts and sums"), (dict(where=(("kind", ("sales",)),)), "Did you mean 'sale'"), (dict(where=(("kind", ()),)), "names no value"),
    (dict(where=(("quantity", (True,)),)), "cannot be True"), (dict(owner="marketing"), "mail address"), (dict(name="label"), "column of this name"), (dict(name="household_id"), "column of this name"),
    (dict(name="<b>x</b>"), "no name"), (dict(name="row_"), "no name"), (dict(aggregation="last", column="occurred_at"), "is a time"), (dict(column="product_id"), "needs numbers")])
def test_what_nobody_could_compute_cannot_be_declared(change, says):
    with pytest.raises(ValueError, match=says): replace(declared("pieces_ever", "sum", "quantity"), **change)

@pytest.mark.parametrize("name, entry, says", [
    ("12", {}, "no name"), ("true", dict(window_days=[True]), "got True"), ("bouquets", dict(window_days=[30.5]), "got 30.5"), ("bouquets", dict(window_days="thirty"), "got 'thirty'"),
    ("a.b", {}, "no name"), ("🌷", {}, "no name"), ("2026-01-01", {}, "no name"), ("cutoff", {}, "column of this name"), ("net_revenue", {}, "name that is taken"), ("orders_90d", {}, "name that is taken"),
    ("bouquets", dict(where=["is_purchase"]), "has the condition"), ("bouquets", dict(per={}), "no tally"), ("bouquets", dict(per=["orders"]), "no tally"), ("bouquets", dict(smoothing=5, per=dict(table="orders", aggregation="count")), "both above 0"),
    ("bouquets", dict(table=["orders"]), "a text is needed"), ("bouquets", dict(owner=4), "a text is needed"), ("bouquets", dict(definition=["a"]), "a text is needed"), ("bouquets", dict(max_age_days=0), "above 0"),
    ("bouquets", dict(table="traits", aggregation="latest", column="age_band"), "is called trait.age_band")])
def test_an_entry_that_cannot_be_right_is_refused_in_two_lines(shop, name, entry, says):
    (shop.workspace.root/"params.yaml").write_text(json.dumps({"features": {name: ENTRY | entry}}))
    with pytest.raises(ParameterError, match=says) as caught: own_features(shop.workspace)
    assert len(str(caught.value).splitlines()) == 2 and "params.yaml: features." in str(caught.value)

@pytest.mark.parametrize("said", ["hello", 5, 0, ["a"]])
def test_features_that_are_no_entries_are_refused(shop, said):
    (shop.workspace.root/"params.yaml").write_text(json.dumps({"features": said}))
    with pytest.raises(ParameterError, match="one key for each feature"): own_features(shop.workspace)

def test_a_name_is_declared_once_whatever_windows_make_of_it(shop):
    entries = dict(pieces=ENTRY | dict(window_days=[30, 90]), pieces_30d=ENTRY | dict(window_days=365))
    (shop.workspace.root/"params.yaml").write_text(json.dumps(dict(features=entries)))
    with pytest.raises(ParameterError, match="pieces_30d is declared twice"): own_features(shop.workspace)

@pytest.mark.parametrize("cutoff", ["2026-03-01", pd.Timestamp("2026-03-01"), pd.Timestamp("2026-03-01", tz="Europe/Berlin"), pd.Timestamp("2026-03-01").date()])
def test_a_cutoff_that_is_no_instant_in_utc_is_refused(shop, cutoff):
    with pytest.raises(DataError, match="instants in UTC are needed"): values(shop, declared("lines_bought", "count"), spine=SPINE.assign(cutoff=cutoff))

def test_ids_that_were_read_as_numbers_are_refused(shop):
    with pytest.raises(DataError, match="texts are needed"): values(shop, declared("lines_bought", "count"), spine=SPINE.assign(customer_id=[1., 2, 3, 4, 5]))

def test_a_table_without_rows_does_not_end_a_source(shop):
    import pyarrow.parquet as pq
    workspace = shop.accept(orders=ORDERS, order_lines=LINES)
    file = shop.folder/"order_lines.parquet"
    pq.write_table(pq.read_table(file)[:0], file)
    with open_events(workspace, "shop") as events: assert source_end(events) == pd.Timestamp(AT)

@pytest.mark.parametrize("change, says", [
    (dict(missing="None"), "leave missing out where"), (dict(window_days="None"), "leave window_days out for all days"), (dict(aggregation="ratio"), "is divided by what stands under per"),
    (dict(aggregation="Rate"), "is divided by what stands under per"), (dict(aggregation="median"), "Use one of count, distinct"), (dict(table="order_line"), "Did you mean 'order_lines'"),
    (dict(per=dict(table=["orders"], aggregation="count")), "there is no table")])
def test_whoever_writes_yaml_is_told_what_to_write_and_no_inner_word(shop, change, says):
    (shop.workspace.root/"params.yaml").write_text(json.dumps({"features": {"bouquets": ENTRY | change}}))
    with pytest.raises(ParameterError, match=says) as caught: own_features(shop.workspace)
    assert not any(word in str(caught.value) for word in (*OTHER_WAYS.values(), "creative_rates", "calendar", "or None"))

ANY_ORDER, PLAIN = declared("lines_bought", "count"), {name: value for name, value in LINES[0].items() if name != "discount"}

def refused(shop, *features, **tables):
    "The two lines about features of a source that lacks something."
    workspace = shop.accept(**{"orders": ORDERS, "order_lines": [PLAIN], "customers": PEOPLE} | tables)
    with open_events(workspace, "shop") as events, pytest.raises(DataError) as caught:
        features_of(replace(events, own={each.name: each for each in features}), SPINE, [each.name for each in features])
    return str(caught.value).splitlines()

@pytest.mark.parametrize("wanted, tables, begins, ends", [
    (declared("big_discounts", "sum", "discount_amount"), {}, "big_discounts needs the column discount of order_lines", "Map it, or remove big_discounts from features: in params.yaml."),
    (declared("discounted", "count", where=(("is_discounted", (True,)),)), {}, "discounted needs the column discount of order_lines", "or remove discounted from features: in params.yaml."),
    (declared("kinds_bought", "distinct", "category"), {}, "kinds_bought cannot be computed: Source 'shop' has no table products", "Map a file to the table products, or remove kinds_bought from features: in params.yaml."),
    (Feature("mails", "Mails.", "mails", "contacts", "count"), {}, "mails cannot be computed: Source 'shop' has no table contacts", "Map a file to the table contacts, or remove mails from features: in params.yaml."),
    (declared("at_home", "count", entity="household"), dict(customers=[dict(customer_id="ada")]), "at_home cannot be computed: customers of source 'shop' has no column household_id", "Map one, or remove at_home from features: in params.yaml."),
    (Feature("shown", "Impressions.", "impressions", "touchpoints", "count", entity="campaign"), {}, "shown cannot be computed: A campaign is described, and the rows are of customers", "or remove shown from features: in params.yaml."),
    (Feature("trait.age_band", "Age band.", "", "traits", "latest", "age_band"), {}, "trait.age_band cannot be computed: Source 'shop' has no table traits", "or remove trait.age_band from features: in params.yaml.")])
def test_an_error_names_the_feature_that_reads_what_is_missing_and_no_other(shop, wanted, tables, begins, ends):
    problem, remedy = refused(shop, ANY_ORDER, wanted, **tables)
    assert problem.startswith(begins) and remedy.endswith(ends) and ANY_ORDER.name not in problem + remedy

def test_amounts_in_several_currencies_ask_for_the_table_of_exchange_rates_not_for_a_currency(shop):
    lines = [PLAIN, dict(PLAIN, order_line_id="l9", currency="GBP")]
    problem, remedy = refused(shop, declared("revenue", "sum", "net_amount"), order_lines=lines)
    assert problem.startswith("revenue cannot be computed: Order lines of source 'shop' are in EUR, GBP, and there is no table exchange_rates")
    assert remedy == "Map a file to the table exchange_rates, or remove revenue from features: in params.yaml."
    rate = [dict(day="2026-06-01", from_currency="GBP", to_currency="EUR", rate=1.2)]
    problem, _ = refused(shop, declared("revenue", "sum", "net_amount"), order_lines=lines, exchange_rates=rate)
    assert problem.startswith("revenue cannot be computed: There is no exchange rate from GBP to EUR")

def test_a_short_history_is_looked_up_with_the_name_of_the_feature_that_asks(shop):
    workspace = shop.accept(orders=ORDERS, order_lines=LINES, customers=PEOPLE)
    mails = Feature("mails_30d", "Mails.", "mails", "contacts", "count", window_days=30)
    with open_events(workspace, "shop") as events, pytest.raises(DataError, match="^mails_30d cannot be computed: Source 'shop' has no table contacts"):
        short_windows(events, SPINE, [replace(ANY_ORDER, window_days=30), mails])

def test_features_of_the_package_keep_the_versions_that_bundles_were_trained_on():
    recorded = json.loads(Path(__file__).with_name("feature_versions.json").read_text())   # of a feature whose values change, the new version is recorded
    assert {name: FEATURES[name].version for name in recorded} == recorded
