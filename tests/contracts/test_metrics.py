"""A figure is the same to the cent however it is cut, equals an independent count, and is never a number when it is not known."""
from collections import defaultdict
from dataclasses import replace
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from marketing_mlops.contracts import metrics
from marketing_mlops.contracts.figures import METRICS, register_metric
from marketing_mlops.contracts.measures import Metric, Quantity
from marketing_mlops.contracts.metrics import Identification, identified_value, metric, metric_value, unit_values
from marketing_mlops.contracts.schemas import arrow_schema, canonical_arrow, canonical_frame, frame_of_rows
from marketing_mlops.workspace.errors import DataError, SettingsError, TermError
from marketing_mlops.workspace.settings import Market, Settings

ZONES = {"DE": "Europe/Berlin", "US": "America/New_York", "NZ": "Pacific/Auckland"}
SETTINGS = Settings("development", Path("."), reporting_currency="EUR", markets={name: Market(name, zone, "sunday" if name == "US" else "monday") for name, zone in ZONES.items()})
WEEK = dict(start=date(2026, 3, 23), end=date(2026, 3, 30))   # Berlin changes its clocks on the 29th
UTC = timezone.utc

def random_shop(n=400, seed=7, currencies=("EUR",)):
    "Orders and lines as plain Python rows, and as canonical frames."
    rng = np.random.default_rng(seed)
    money = lambda low, high: Decimal(int(rng.integers(low, high)))/100
    orders, lines = [], []
    for i in range(n):
        at = datetime(2026, 3, 18, tzinfo=UTC) + timedelta(seconds=int(rng.integers(0, 18*86_400)))
        orders.append(dict(order_id=f"O{i}", customer_id=None if rng.random() < .1 else f"c{rng.integers(0, 80)}", market=None if rng.random() < .05 else str(rng.choice(list(ZONES))),
                           currency=str(rng.choice(currencies)), occurred_at=at, known_at=at))
        for j in range(rng.integers(1, 4)):
            quantity, price = int(rng.integers(1, 6)), money(100, 20_000)
            line = dict(order_line_id=f"O{i}-{j}", order_id=f"O{i}", kind="sale", quantity=quantity, unit_price=price, discount=None if rng.random() < .5 else money(0, 300),
                        tax=money(0, 500), cost=money(50, 5_000), currency=orders[-1]["currency"], occurred_at=at, known_at=at)
            lines.append(line)
            if rng.random() < .2:
                back = at + timedelta(days=int(rng.integers(1, 9)))
                lines.append(line | dict(order_line_id=line["order_line_id"] + "-r", kind="return", quantity=-quantity, discount=line["discount"] and -line["discount"], tax=-line["tax"],
                                         cost=-line["cost"], occurred_at=back, known_at=back))
    tables = dict(orders=frame_of_rows("orders", orders), order_lines=frame_of_rows("order_lines", lines),
                  customers=frame_of_rows("customers", [dict(customer_id=f"c{i}", market="DE") for i in range(80)]))
    return orders, lines, tables

def local(at, market): return at.astimezone(ZoneInfo(ZONES[market]) if market else UTC).replace(tzinfo=None)
def net(line): return line["quantity"]*line["unit_price"] - (line["discount"] or 0) - (line["tax"] or 0)

ORDERS, LINES, SHOP = random_shop()
MARKET = {order["order_id"]: order["market"] for order in ORDERS}
IN_WEEK = [line for line in LINES if WEEK["start"] <= local(line["occurred_at"], MARKET[line["order_id"]]).date() < WEEK["end"]]

def test_net_revenue_of_a_week_equals_an_independent_sum():
    found = metric_value("net_revenue", SHOP, **WEEK, settings=SETTINGS)
    assert found.numerator == sum(map(net, IN_WEEK)) and found.currency == "EUR" and found.value == float(found.numerator)

def test_the_same_week_is_equal_to_the_cent_in_total_by_market_by_day_by_both_and_per_unit():
    total = metric_value("net_revenue", SHOP, **WEEK, settings=SETTINGS)
    cents = lambda value: round(Decimal(str(round(value, 4))), 2)
    for by in ("market", "day", "week", "month", ["day", "market"], "kind", "channel" if "channel" in SHOP["orders"] else "currency"):
        frame = metric_value("net_revenue", SHOP, by, **WEEK, settings=SETTINGS)
        assert cents(frame.value.sum()) == cents(total.value), by
        assert sum(Decimal(str(round(value, 4))) for value in frame.value) == total.numerator, by
    customers = pd.DataFrame({"unit_id": sorted({order["customer_id"] for order in ORDERS if order["customer_id"]})})
    per_unit = unit_values("net_revenue", SHOP, customers, **WEEK, settings=SETTINGS)
    customer = {order["order_id"]: order["customer_id"] for order in ORDERS}
    guests = sum(net(line) for line in IN_WEEK if customer[line["order_id"]] is None)
    assert sum(Decimal(str(round(value, 4))) for value in per_unit.numerator) + guests == total.numerator

def test_each_day_and_market_equals_its_own_sum():
    expected = defaultdict(Decimal)
    for line in IN_WEEK: expected[pd.Timestamp(local(line["occurred_at"], MARKET[line["order_id"]]).date()), MARKET[line["order_id"]] or ""] += net(line)
    frame = metric_value("net_revenue", SHOP, ["day", "market"], **WEEK, settings=SETTINGS)
    assert {(day, market if isinstance(market, str) else ""): Decimal(str(round(value, 4))) for day, market, value in zip(frame.day, frame.market, frame.value)} == dict(expected)

def test_each_customer_equals_her_own_sum():
    customer = {order["order_id"]: order["customer_id"] for order in ORDERS}
    expected = defaultdict(Decimal)
    for line in IN_WEEK: expected[customer[line["order_id"]]] += net(line)
    found = unit_values("net_revenue_per_customer", SHOP, pd.DataFrame({"unit_id": [f"c{i}" for i in range(80)]}), **WEEK, settings=SETTINGS)
    assert found.denominator.eq(1).all() and found.unit_id.tolist() == [f"c{i}" for i in range(80)]
    assert [Decimal(str(round(value, 4))) for value in found.numerator] == [expected[f"c{i}"] for i in range(80)]

@pytest.mark.parametrize("change", ["shuffled", "columns", "parquet", "arrow", "index"])
def test_the_form_of_the_tables_changes_no_digit(change, tmp_path):
    def other(name, df):
        if change == "shuffled": return df.sample(frac=1, random_state=3)
        if change == "columns": return df[list(df.columns)[::-1]]
        if change == "arrow": return canonical_arrow(df, name)
        if change == "index": return df.set_axis(range(5_000, 5_000 + len(df)))
        pq.write_table(canonical_arrow(df, name), tmp_path/f"{name}.parquet")
        return tmp_path/f"{name}.parquet"
    tables = {name: other(name, df) for name, df in SHOP.items()}
    for name in ("net_revenue", "contribution_margin", "average_order_value", "repeat_rate", "new_customer_share", "net_revenue_per_customer"):
        assert metric_value(name, tables, **WEEK, settings=SETTINGS) == metric_value(name, SHOP, **WEEK, settings=SETTINGS)
    pd.testing.assert_frame_equal(metric_value("net_revenue", tables, ["market", "week"], **WEEK, settings=SETTINGS), metric_value("net_revenue", SHOP, ["market", "week"], **WEEK, settings=SETTINGS))

def test_sales_figures_equal_independent_counts():
    orders = [order for order in ORDERS if WEEK["start"] <= local(order["occurred_at"], order["market"]).date() < WEEK["end"]]
    first = {}
    for order in sorted(ORDERS, key=lambda order: (order["occurred_at"], order["order_id"])): first.setdefault(order["customer_id"], order["order_id"])
    buyers = defaultdict(list)
    for order in orders:
        if order["customer_id"]: buyers[order["customer_id"]].append(order["order_id"])
    sold = sum(net(line) for line in IN_WEEK if line["kind"] == "sale")
    value = lambda name: metric_value(name, SHOP, **WEEK, settings=SETTINGS)
    assert value("contribution_margin").numerator == sum(net(line) - line["cost"] for line in IN_WEEK)
    assert (value("average_order_value").numerator, value("average_order_value").denominator) == (sold, len(orders))
    assert value("repeat_rate").value == pytest.approx(sum(len(found) > 1 for found in buyers.values())/len(buyers), rel=1e-15)
    assert value("new_customer_share").value == pytest.approx(sum(first[name] in found for name, found in buyers.items())/len(buyers), rel=1e-15)
    own = sum(net(line) for line in IN_WEEK if {order["order_id"]: order["customer_id"] for order in ORDERS}[line["order_id"]])
    assert (value("net_revenue_per_customer").numerator, value("net_revenue_per_customer").denominator) == (own, 80)

def test_amounts_in_several_currencies_need_rates_and_then_add_up():
    orders, lines, shop = random_shop(120, 3, ("EUR", "USD"))
    with pytest.raises(DataError, match="no exchange rate from USD to EUR"): metric_value("net_revenue", shop, settings=SETTINGS)
    with pytest.raises(DataError, match="EUR, USD cannot be added"): metric_value("net_revenue", shop)
    shop["exchange_rates"] = frame_of_rows("exchange_rates", [dict(from_currency="USD", to_currency="EUR", day="2026-03-01", rate=.5)])
    total = metric_value("net_revenue", shop, settings=SETTINGS)
    assert total.numerator == sum((net(line)*(Decimal(".5") if line["currency"] == "USD" else 1)).quantize(Decimal("1.0000")) for line in lines)
    assert round(metric_value("net_revenue", shop, ["market", "day"], settings=SETTINGS).value.sum(), 4) == round(total.value, 4)

def test_one_foreign_currency_is_converted_too_and_without_settings_keeps_its_own():
    _, lines, shop = random_shop(20, 3, ("USD",))
    with pytest.raises(DataError, match="from USD to EUR"): metric_value("net_revenue", shop, settings=SETTINGS)
    assert metric_value("net_revenue", shop).currency == "USD" and metric_value("net_revenue", shop).numerator == sum(map(net, lines))

AT = "2026-05-04T10:00:00+00:00"
def rows(name, *given): return frame_of_rows(name, [dict(occurred_at=AT, known_at=AT, currency="EUR") | each if name not in ("touchpoints",) else dict(occurred_at=AT, known_at=AT) | each for each in given])
def media(**more): return dict(day="2026-05-04", account_id="a", campaign_id="", creative_id="", market="DE") | more
def touch(number, kind, customer=None, anonymous=None, **more): return dict(touchpoint_id=str(number), kind=kind, channel="web", customer_id=customer, anonymous_id=anonymous) | more
def contact(number, customer, kind): return dict(contact_id=str(number), customer_id=customer, kind=kind, channel="email")

CAMPAIGN = dict(
    media=rows("media", media(channel="search", impressions=1_000, clicks=40, spend="100", claimed_conversions=4, claimed_revenue="250"),
               media(channel="tv", impressions=9_000, clicks=None, spend="300", claimed_conversions=None, claimed_revenue=None)),
    touchpoints=rows("touchpoints", touch(1, "impression", "ann"), touch(2, "impression", "ann"), touch(3, "impression", None, "v1"), touch(4, "impression"),
                     touch(5, "visit", "ann", engagement_seconds=30.), touch(6, "visit", "ann", engagement_seconds=60.), touch(7, "visit", None, "v1", engagement_seconds=None),
                     touch(8, "visit", "bob", engagement_seconds=0.), touch(9, "open", "cleo", is_machine_open=True)),
    contacts=rows("contacts", contact(1, "ann", "delivery"), contact(2, "ann", "delivery"), contact(3, "bob", "delivery"), contact(4, "cleo", "bounce"), contact(1, "ann", "unsubscribe"),
                  contact(2, "ann", "unsubscribe"), contact(3, "bob", "complaint"), contact(5, "dan", "delivery")),
    orders=rows("orders", dict(order_id="A", customer_id="ann"), dict(order_id="B", customer_id="eve"), dict(order_id="V", anonymous_id="v1"), dict(order_id="X", customer_id="bob")),
    order_lines=rows("order_lines", dict(order_line_id="V1", order_id="V", kind="sale", quantity=1, unit_price="0"), dict(order_line_id="X1", order_id="X", kind="return", quantity=-1, unit_price="0"), dict(order_line_id="A1", order_id="A", kind="sale", quantity=1, unit_price="600"), dict(order_line_id="B1", order_id="B", kind="sale", quantity=1, unit_price="200")),
    customers=frame_of_rows("customers", [dict(customer_id=name) for name in ("ann", "bob", "cleo", "dan", "eve")]))

@pytest.mark.parametrize("name, numerator, denominator", [
    ("ctr", 40, 1_000), ("cpa", Decimal(100), 4.0), ("roas", Decimal(800), Decimal(400)), ("claimed_roas", Decimal(250), Decimal(100)), ("cac", Decimal(400), 2),
    ("frequency", 4, 2), ("engagement_time", 90., 3), ("unsubscribe_rate", 1, 3), ("complaint_rate", 1, 3), ("conversion", 2, 3)])
def test_campaign_figures_in_closed_form(name, numerator, denominator):
    found = metric_value(name, CAMPAIGN)
    assert (found.numerator, found.denominator) == (numerator, denominator) and type(found.denominator) is type(denominator) and found.value == pytest.approx(float(numerator)/float(denominator))

def test_an_order_number_that_holds_only_returns_is_no_order():
    "Two sales of Ann's, one of Bob's; a return and a cancellation under numbers of their own, an adjustment under one without a sale, a return beside its sale."
    def line(order, kind, price, day): return dict(order_line_id=f"{order}-{kind}", order_id=order, kind=kind, quantity=-1 if kind in ("return", "cancellation") else 1, unit_price=price, occurred_at=f"2026-05-{day:02}T10:00:00+00:00")
    sold = [("A", "ann", 4), ("B", "bob", 5), ("A2", "ann", 6), ("CA", "ann", 7), ("CB", "bob", 8), ("CZ", "zoe", 2), ("ADJ", None, 9)]
    tables = dict(orders=rows("orders", *[dict(order_id=number, customer_id=who, occurred_at=f"2026-05-{day:02}T10:00:00+00:00") for number, who, day in sold]),
                  order_lines=rows("order_lines", line("A", "sale", "60", 4), line("B", "sale", "30", 5), line("B", "return", "30", 9), line("A2", "sale", "90", 6), line("A2", "adjustment", "3", 6),
                                   line("CA", "return", "60", 7), line("CB", "cancellation", "30", 8), line("CZ", "return", "5", 2), line("ADJ", "adjustment", "-500", 9)),
                  touchpoints=rows("touchpoints", touch(1, "visit", "ann"), touch(2, "visit", "zoe")), media=rows("media", media(channel="search", spend="100")))
    found = {name: metric_value(name, tables) for name in ("average_order_value", "repeat_rate", "new_customer_share", "conversion", "cac", "net_revenue")}
    assert {name: (each.numerator, each.denominator) for name, each in found.items()} == {
        "average_order_value": (Decimal(183), 3), "repeat_rate": (1, 2), "new_customer_share": (2, 2), "conversion": (1, 2), "cac": (Decimal(100), 2), "net_revenue": (Decimal(-442), None)}
    after = metric_value("new_customer_share", tables, start=datetime(2026, 5, 7, tzinfo=UTC))
    assert after.value is None and "nothing to divide by" in after.why   # the returns of the last days are no buyers
    baskets = unit_values("average_order_value", tables, pd.DataFrame({"unit_id": ["ann", "bob", "zoe"]}))
    assert baskets.numerator.tolist() == [153, 30, 0] and baskets.denominator.tolist() == [2, 1, 0]

def test_without_lines_nobody_knows_which_numbers_are_orders():
    for name in ("average_order_value", "repeat_rate", "new_customer_share", "conversion", "cac"):
        found = metric_value(name, {each: df for each, df in CAMPAIGN.items() if each != "order_lines"})
        assert found.value is None and found.why == "there is no table order_lines", name

def test_reach_counts_people_once(): assert metric_value("reach", CAMPAIGN).value == 2 and metric_value("reach", CAMPAIGN).denominator is None

def test_figures_of_media_split_by_their_own_columns():
    frame = metric_value("ctr", CAMPAIGN, "channel")
    assert frame.channel.tolist() == ["search"] and frame.value.tolist() == [.04]
    assert metric_value("media_spend", CAMPAIGN, ["channel", "day"]).value.tolist() == [100, 300]

def test_media_spend_is_what_every_figure_of_cost_divides_and_needs_no_claim():
    total = metric_value("media_spend", CAMPAIGN)
    assert (total.numerator, total.currency, total.denominator) == (Decimal(400), "EUR", None) and total.numerator == metric_value("cac", CAMPAIGN).numerator == metric_value("roas", CAMPAIGN).denominator
    unclaimed = {"media": CAMPAIGN["media"].drop(columns=["claimed_conversions", "claimed_revenue"])}
    assert metric_value("media_spend", unclaimed).value == 400 and not metric_value("cpa", unclaimed).is_measured and not metric_value("media_spend", {"orders": CAMPAIGN["orders"]}).is_measured

@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("by", ["week", ["week", "market"], "month"])
def test_a_split_of_tables_without_a_row_is_empty_in_a_workspace_with_markets(name, by):
    empty = {each: canonical_frame(arrow_schema(each).empty_table(), each) for each in ("customers", "orders", "order_lines", "media", "touchpoints", "contacts", "outcomes")}
    for settings in (SETTINGS, None):
        found = metric_value(name, empty, by, settings=settings)
        assert not isinstance(found, pd.DataFrame) or len(found) == 0

@pytest.mark.parametrize("name", METRICS)
def test_without_tables_nothing_is_measured_and_no_number_is_shown(name):
    found = metric_value(name, {})
    assert found.value is None and not found.is_measured and found.why and str(found).startswith("not measured")
    assert metric_value(name, {}, "day") == found

@pytest.mark.parametrize("name", METRICS)
def test_of_empty_tables_only_a_total_is_a_number(name):
    empty = {each: canonical_frame(arrow_schema(each).empty_table(), each) for each in ("customers", "orders", "order_lines", "media", "touchpoints", "contacts", "outcomes")}
    found = metric_value(name, empty)
    assert found.value == 0 if METRICS[name].kind == "total" else found.value is None and found.why

@pytest.mark.parametrize("name", ["ctr", "roas", "repeat_rate", "net_revenue_per_customer", "unsubscribe_rate", "engagement_time", "conversion"])
def test_a_period_without_a_denominator_is_not_measured(name):
    found = metric_value(name, CAMPAIGN, start=datetime(2030, 1, 1, tzinfo=UTC))
    assert found.value == 0 if name == "net_revenue_per_customer" else found.value is None and "nothing to divide by" in found.why

def test_a_group_without_a_denominator_is_missing_and_says_why():
    later = rows("order_lines", dict(order_line_id="C1", order_id="A", kind="sale", quantity=1, unit_price="50", occurred_at="2026-05-05T10:00:00+00:00"))
    frame = metric_value("roas", CAMPAIGN | {"order_lines": pd.concat([CAMPAIGN["order_lines"], later])}, "day")
    assert frame.value.isna().tolist() == [False, True] and "nothing to divide by" in frame.why[1] and frame.value.dtype == "Float64"

@pytest.mark.parametrize("name", ["incremental_roas", "marginal_roas"])
def test_an_effect_is_no_number_without_evidence_that_identifies_it(name):
    assert metric_value(name, CAMPAIGN).value is None and "claims an effect" in metric_value(name, CAMPAIGN).why
    found = identified_value(name, Identification("experiment", "pause", 300., 200., "EUR"))
    assert found.value == 1.5 and found.identified_by == "experiment pause"
    for evidence in (Identification("attribution", "last click", 300., 200., "EUR"), Identification("experiment", "pause", 300., 0., "EUR")):
        assert identified_value(name, evidence).value is None and identified_value(name, evidence).why
    assert identified_value("roas", Identification("experiment", "pause", 300., 200., "EUR")).value is None
    with pytest.raises(DataError, match="not measured"): unit_values(name, CAMPAIGN, pd.DataFrame({"unit_id": ["ann"]}))

def test_a_holdout_identifies_the_whole_and_not_the_margin():
    evidence = Identification("holdout", "permanent", 300., 200., "EUR")
    assert identified_value("incremental_roas", evidence).value == 1.5 and identified_value("marginal_roas", evidence).value is None

def test_a_margin_without_costs_is_not_measured():
    for lines in (CAMPAIGN["order_lines"], CAMPAIGN["order_lines"].assign(cost=None)):
        assert "cost" in metric_value("contribution_margin", CAMPAIGN | {"order_lines": lines}).why

def test_what_is_assigned_counts_in_an_experiment_contacted_or_not():
    assigned = pd.DataFrame({"unit_id": ["ann", "bob", "cleo", "dan", "eve"]})
    found = unit_values("unsubscribe_rate", CAMPAIGN, assigned)
    assert found.numerator.tolist() == [1, 0, 0, 0, 0] and found.denominator.tolist() == [1]*5

@pytest.mark.parametrize("name", ["average_order_value", "repeat_rate", "new_customer_share", "conversion", "engagement_time", "net_revenue", "unsubscribe_rate", "net_revenue_per_customer"])
def test_numbers_per_customer_add_up_to_the_figure(name):
    tables = CAMPAIGN | {"orders": CAMPAIGN["orders"][CAMPAIGN["orders"].customer_id.notna()], "touchpoints": CAMPAIGN["touchpoints"][CAMPAIGN["touchpoints"].customer_id.notna()]}
    found, units = metric_value(name, tables), unit_values(name, tables, pd.DataFrame({"unit_id": ["ann", "bob", "cleo", "dan", "eve"]}))
    assert units.numerator.sum() == pytest.approx(float(found.numerator))
    if name not in ("net_revenue", "unsubscribe_rate"): assert units.denominator.sum() == pytest.approx(float(found.denominator))

def test_each_customer_has_a_window_of_her_own_from_start_to_before_the_end():
    at = [datetime(2026, 5, day, 10, tzinfo=UTC) for day in (1, 15, 4)]
    lines = rows("order_lines", *[dict(order_line_id=f"{i}", order_id=name, kind="sale", quantity=1, unit_price=2**i, occurred_at=moment)
                                 for i, (name, moment) in enumerate([("A", at[0]), ("A", at[1]), ("A", at[1] - timedelta(seconds=1)), ("B", at[2])])])
    units = pd.DataFrame(dict(unit_id=["ann", "eve"], at=pd.to_datetime([at[0], at[2] + timedelta(seconds=1)])), index=[7, 3])
    found = unit_values("net_revenue_per_customer", CAMPAIGN | {"order_lines": lines}, units, start=units["at"], end=units["at"] + pd.Timedelta(days=14))
    assert found.numerator.tolist() == [1 + 4, 0]

def outcomes(*given): return {"outcomes": rows("outcomes", *[dict(experiment_id="e", customer_id=name, visit=visit, spend=spend) | more for name, visit, spend, more in given])}

def test_outcomes_are_read_as_the_source_counted_them():
    tables = outcomes(("ann", True, "1.50", {}), ("bob", False, "0", {}), ("cleo", None, None, {}))
    assert metric_value("visit_rate", tables).value == .5 and metric_value("spend_per_customer", tables).value == .75
    found = unit_values("spend_per_customer", tables, pd.DataFrame({"unit_id": ["cleo", "bob", "ann", "zoe"]}), start=datetime(2030, 1, 1, tzinfo=UTC))
    assert found.numerator.tolist() == [0, 0, 1.5, 0] and found.denominator.tolist() == [0, 1, 1, 0]

def test_outcomes_of_several_experiments_are_never_mixed():
    tables = outcomes(("ann", True, "1", {}), ("ann", True, "2", dict(experiment_id="f")))
    with pytest.raises(DataError, match="2 experiments"): unit_values("spend_per_customer", tables, pd.DataFrame({"unit_id": ["ann"]}))
    assert unit_values("spend_per_customer", tables, pd.DataFrame({"unit_id": ["ann"], "experiment_id": ["f"]})).numerator.tolist() == [2]

def test_units_may_be_households():
    customers = frame_of_rows("customers", [dict(customer_id="ann", household_id="h1"), dict(customer_id="eve", household_id="h1"), dict(customer_id="bob", household_id="h2")])
    found = unit_values("net_revenue_per_customer", CAMPAIGN | {"customers": customers}, pd.DataFrame({"household_id": ["h2", "h1"]}))
    assert found.household_id.tolist() == ["h2", "h1"] and found.numerator.tolist() == [0, 800]

@pytest.mark.parametrize("units, says", [(pd.DataFrame({"id": ["ann"]}), "needs one of the columns unit_id"), (pd.DataFrame({"unit_id": ["ann", "ann"]}), "more than once")])
def test_units_that_are_no_units_are_refused(units, says):
    with pytest.raises(ValueError, match=says): unit_values("net_revenue_per_customer", CAMPAIGN, units)

def test_no_units_give_no_rows():
    found = unit_values("net_revenue_per_customer", CAMPAIGN, pd.DataFrame({"unit_id": pd.Series([], dtype="str")}))
    assert len(found) == 0 and list(found) == ["unit_id", "numerator", "denominator"]

def test_a_cap_limits_what_one_customer_counts_everywhere():
    capped = replace(metric("net_revenue_per_customer"), name="capped", cap=300)
    assert metric_value(capped, CAMPAIGN).numerator == 500
    assert unit_values(capped, CAMPAIGN, pd.DataFrame({"unit_id": ["ann", "eve", "bob"]})).numerator.tolist() == [300, 200, 0]

def test_customers_without_anything_count_in_a_quantile():
    median = Metric("median_spend", "Median", "quantile", Quantity("order_lines", "line_amount"), Quantity("customers"), currency_rule="reporting", quantile=.75, definition="x.")
    assert metric_value(median, CAMPAIGN).value == 200   # of 0, 0, 0, 200, 600
    assert unit_values(median, CAMPAIGN, pd.DataFrame({"unit_id": ["ann", "nobody"]})).numerator.tolist() == [600, 0]
    with pytest.raises(ValueError, match="quantile over orders"): unit_values(replace(median, unit_of_analysis="order"), CAMPAIGN, pd.DataFrame({"unit_id": ["ann"]}))

def test_the_night_the_clocks_change_has_one_day_in_its_market():
    at = [datetime(2026, 3, 28, 22, 30, tzinfo=UTC), datetime(2026, 3, 28, 23, 30, tzinfo=UTC), datetime(2026, 3, 29, 21, 59, tzinfo=UTC), datetime(2026, 3, 29, 22, 0, tzinfo=UTC)]
    tables = dict(orders=rows("orders", dict(order_id="A", market="DE")),
                  order_lines=rows("order_lines", *[dict(order_line_id=str(i), order_id="A", kind="sale", quantity=1, unit_price=1, occurred_at=moment) for i, moment in enumerate(at)]))
    frame = metric_value("net_revenue", tables, "day", settings=SETTINGS)
    assert dict(zip(frame.day.dt.day, frame.value)) == {28: 1, 29: 2, 30: 1}

def test_a_market_the_settings_do_not_know_is_an_error():
    tables = CAMPAIGN | {"orders": CAMPAIGN["orders"].assign(market="AT")}
    with pytest.raises(SettingsError, match="no market 'AT'"): metric_value("net_revenue", tables, "day", settings=SETTINGS)

def test_names_with_markup_stay_what_they_are():
    tables = CAMPAIGN | {"media": CAMPAIGN["media"].assign(channel=["<script>", "🎉|"])}
    assert metric_value("claimed_roas", tables, "channel").channel.tolist() == ["<script>"]

@pytest.mark.parametrize("kind", ["days", "weather", "unit_prices"])
def test_an_unknown_split_is_refused(kind):
    with pytest.raises(ValueError, match="cannot be split"): metric_value("net_revenue", CAMPAIGN, kind)

def test_an_unknown_metric_is_answered_with_the_nearest():
    with pytest.raises(TermError, match="Did you mean 'unsubscribe_rate'"): metric("unsubscribe_rates")

@pytest.mark.parametrize("each", METRICS.values(), ids=list(METRICS))
def test_every_metric_is_fully_declared(each):
    assert each.definition.endswith(".") and each.owner.endswith("@example.com") and each.label
    if each.role != "diagnostic": assert each.direction != "neither"

def test_all_metrics_of_the_house_are_there():
    assert set(METRICS) >= {"net_revenue", "contribution_margin", "conversion", "average_order_value", "repeat_rate", "new_customer_share", "cac", "roas", "marginal_roas", "incremental_roas",
                            "ctr", "cpa", "media_spend", "engagement_time", "unsubscribe_rate", "complaint_rate", "reach", "frequency", "net_revenue_per_customer", "visit_rate", "conversion_rate", "spend_per_customer"}

def test_a_metric_leaves_the_tables_as_they_were():
    before = {name: df.copy(deep=True) for name, df in CAMPAIGN.items()}
    for name in METRICS: metric_value(name, CAMPAIGN); metric_value(name, CAMPAIGN, "day")
    for name, df in CAMPAIGN.items(): pd.testing.assert_frame_equal(df, before[name])

def test_media_stated_again_count_once_in_every_metric_over_them():
    def stated(clicks, spend, known_at): return dict(day="2026-05-04", account_id="a1", channel="search", campaign_id="c1", creative_id="", market="DE", impressions=1_000, clicks=clicks, spend=spend,
        claimed_conversions=2, claimed_revenue="50", currency="EUR", occurred_at="2026-05-04T00:00:00+00:00", known_at=known_at)
    first, second = stated(40, "10", "2026-05-05T06:00:00+00:00"), stated(31, "9", "2026-05-08T06:00:00+00:00")
    for order in ([first, second], [second, first]):
        twice, once = (dict(media=frame_of_rows("media", some)) for some in (order, [second]))
        for name in ("ctr", "cpa", "claimed_roas"):
            assert metric_value(name, twice) == metric_value(name, once) and metric_value(name, once).is_measured
            pd.testing.assert_frame_equal(metric_value(name, twice, "channel"), metric_value(name, once, "channel"))
