"""Sessions and journeys are those of a loop over people, whatever the rules; and nothing is used that must not be."""
from dataclasses import replace
from pathlib import Path
import numpy as np
import pandas as pd
import pytest
from marketing_mlops.contracts.journey_rules import JourneyRules, sensible_rules
from marketing_mlops.contracts.schemas import frame_of_rows
from marketing_mlops.sources.customer_journeys import customer_journeys, journeys_by_rules, order_worth
from marketing_mlops.sources.sessions import session_rows, touch_rows
from marketing_mlops.workspace.errors import DataError
from marketing_mlops.workspace.settings import Market, Settings

SETTINGS = Settings("test", Path("."), reporting_currency="EUR", markets={"DE": Market("DE", "Europe/Berlin"), "US": Market("US", "America/New_York")})
START, END = pd.Timestamp("2026-03-01", tz="UTC"), pd.Timestamp("2026-05-01", tz="UTC")
CHANNELS = ["search", "social", "direct", "email", "display"]

def drawn_shop(seed, people=12, touches=160, orders=30):
    "A shop whose people are seen around midnight, around the gap, before and after consent, and under a cookie."
    rng = np.random.default_rng(seed)
    day = lambda: pd.Timestamp("2026-02-01", tz="UTC") + pd.Timedelta(minutes=int(rng.integers(0, 90*24*12))*5)
    seen, base = [], day()
    for i in range(touches):
        base = base + pd.Timedelta(minutes=int(rng.integers(1, 45))) if rng.random() < .5 else day()
        who, kind = f"p{rng.integers(people)}", rng.choice(["visit", "click", "impression", "open"])
        is_known = rng.random() < .7
        seen.append(dict(touchpoint_id=f"t{i:03}", kind=kind, channel=rng.choice(CHANNELS), customer_id=who if is_known else None, anonymous_id=None if is_known else f"cookie {who}", market=rng.choice(["DE", "US", "FR"]),
                         is_machine_open=bool(rng.random() < .3) if kind == "open" else None, occurred_at=base.isoformat(), known_at=(base + pd.Timedelta(hours=1)).isoformat()))
    placed = [(f"o{i:02}", f"p{rng.integers(people)}" if rng.random() < .9 else None, day().isoformat()) for i in range(orders)]
    agreed = [dict(customer_id=f"p{i}", purpose="profiling", is_granted=granted, occurred_at=at, known_at=at) for i in range(people) for granted, at in [(True, "2026-02-10T00:00:00+00:00"), (False, "2026-04-15T00:00:00+00:00")][:1 + i % 2] if i % 5]
    links = [dict(customer_id=f"p{i}", anonymous_id=f"cookie p{i}", kind="cookie", value_hash=str(i), source="shop", valid_from="2026-03-05T00:00:00Z") for i in range(0, people, 2)]
    return dict(touchpoints=frame_of_rows("touchpoints", seen), consents=frame_of_rows("consents", agreed), identifiers=frame_of_rows("identifiers", links),
                orders=frame_of_rows("orders", [dict(order_id=id, customer_id=who, market="DE", channel="web", currency="EUR", occurred_at=at, known_at=at) for id, who, at in placed]),
                order_lines=frame_of_rows("order_lines", [dict(order_line_id=f"l{id}", order_id=id, kind="sale", quantity=1, unit_price=10 + i, tax=1, currency="EUR", occurred_at=at, known_at=at) for i, (id, _, at) in enumerate(placed)]))

def usable(shop, rules):
    "Touches that may be used, by a loop."
    found = []
    for row in shop["touchpoints"].to_dict("records"):
        who = row["customer_id"] if isinstance(row["customer_id"], str) else None
        if who is None and rules.link_anonymous:
            who = next((link["customer_id"] for link in shop["identifiers"].to_dict("records") if link["anonymous_id"] == row["anonymous_id"] and link["valid_from"] <= row["occurred_at"]), None)
        said = [each for each in shop["consents"].to_dict("records") if each["customer_id"] == who and each["occurred_at"] <= row["occurred_at"]]
        agreed = bool(said) and max(said, key=lambda each: each["occurred_at"])["is_granted"]
        if row["is_machine_open"] is True or rules.consent_purpose and not agreed: continue
        zone = dict(DE="Europe/Berlin", US="America/New_York").get(row["market"], "UTC")
        found.append(dict(id=row["touchpoint_id"], person=who or f"anonymous {row['anonymous_id']}", side="click" if row["kind"] in ("visit", "click") else "view", channel=row["channel"], at=row["occurred_at"], day=row["occurred_at"].tz_convert(zone).date()))
    return sorted(found, key=lambda each: (each["person"], each["at"], each["id"]))

def sessions_of(touches, rules):
    sessions, last = [], None
    for each in (each for each in touches if each["side"] == "click"):
        goes_on = last and last["person"] == each["person"] and each["at"] - last["at"] <= pd.Timedelta(minutes=rules.session_gap_minutes) and not (rules.ends_at_midnight and last["day"] != each["day"])
        if goes_on: sessions[-1].append(each)
        else: sessions.append([each])
        last = each
    return [dict(person=each[0]["person"], side="click", at=each[0]["at"], n=len(each), channel=next((one["channel"] for one in each if one["channel"] != "direct"), "direct")) for each in sessions]

def marks_of(touches, rules):
    if rules.repeats == "all": return touches
    views = {}
    for each in touches:
        if each["side"] == "view": views.setdefault((each["person"], each["channel"], each["day"]), each)
    return [*sessions_of(touches, rules), *views.values()]

def journeys_of(shop, rules):
    "Journeys by a loop over orders and people: {order or (person, last moment): [(channel, days before)]}."
    orders = sorted((row["customer_id"], row["occurred_at"], row["order_id"]) for row in shop["orders"].to_dict("records") if isinstance(row["customer_id"], str))
    found, idle = {}, {}
    for mark in marks_of(usable(shop, rules), rules):
        days = rules.look_back("click" if mark["side"] == "click" else "impression", mark["channel"])
        if not days or mark["at"] >= END: continue
        later = [(at, id) for who, at, id in orders if who == mark["person"] and at > mark["at"]]
        within = [(at, id) for at, id in later if at <= mark["at"] + pd.Timedelta(days=days)]
        for at, id in within if not rules.after_last_conversion else within[:1]: found.setdefault(id, []).append((mark["channel"], round((at - mark["at"])/pd.Timedelta(days=1), 9)))
        if not within: idle.setdefault((mark["person"], later[0][1] if later else None), []).append(mark)
    for marks in idle.values():
        chain = []
        for mark in sorted(marks, key=lambda each: each["at"]) + [None]:
            if chain and (mark is None or mark["at"] - chain[-1]["at"] > pd.Timedelta(days=rules.conversion_window_days)):
                end = chain[-1]["at"]
                if START <= end <= END - pd.Timedelta(days=rules.conversion_window_days): found[(chain[0]["person"], end)] = [(each["channel"], round((end - each["at"])/pd.Timedelta(days=1), 9)) for each in chain]
                chain = []
            if mark: chain.append(mark)
    asked = {row["order_id"] for row in shop["orders"].to_dict("records") if START <= row["occurred_at"] < END}
    def direct(path):
        known = [each for each in path if each[0] != "direct"]
        return path if rules.direct == "counts" else known if known or rules.direct == "never" else path
    return sorted(filter(None, (sorted(direct(path)) for key, path in found.items() if not isinstance(key, str) or key in asked)))

CHOICES = [dict(), dict(click_days={"*": 5, "email": 20}, view_days={"*": 12}), dict(direct="counts"), dict(direct="never", view_days={"*": 0}), dict(repeats="all"), dict(after_last_conversion=False, click_days={"*": 60}), dict(session_gap_minutes=90, ends_at_midnight=False),
           dict(link_anonymous=False), dict(conversion_window_days=6)]

@pytest.mark.parametrize("seed, choice", enumerate(CHOICES), ids=str)
def test_journeys_are_those_of_a_loop(seed, choice):
    shop, rules = drawn_shop(seed), replace(JourneyRules(view_days={"*": 3}), **choice)
    # the loop reads everything; what lies before the longest look-back and silence belongs to no journey of the period
    found = customer_journeys(shop, rules, START, END, settings=SETTINGS)
    mine = sorted(sorted((channel, round(days, 9)) for channel, days in part[["channel", "days_before"]].itertuples(index=False)) for _, part in found.touches.groupby("journey"))
    expected = journeys_of({**shop, "touchpoints": shop["touchpoints"][shop["touchpoints"].occurred_at >= START - pd.Timedelta(days=max(*rules.click_days.values(), *rules.view_days.values(), rules.conversion_window_days))]}, rules)
    assert mine == expected and len(mine) > 5

@pytest.mark.parametrize("choice", [dict(), dict(session_gap_minutes=5), dict(ends_at_midnight=False), dict(consent_purpose="profiling", link_anonymous=False)], ids=str)
def test_sessions_are_those_of_a_loop(choice):
    shop, rules = drawn_shop(5), replace(JourneyRules(), **choice)
    found, expected = session_rows(shop, rules, SETTINGS), sessions_of(usable(shop, rules), rules)
    assert found[["person", "channel", "n_touchpoints"]].to_numpy().tolist() == [[each["person"], each["channel"], each["n"]] for each in expected]
    assert found.started_at.tolist() == [each["at"] for each in expected] and found.session_id.is_unique

@pytest.mark.parametrize("seed", range(2))
def test_rows_in_another_order_give_the_same_journeys(seed):
    shop = drawn_shop(seed)
    mixed = {name: rows.sample(frac=1, random_state=seed).reset_index(drop=True) for name, rows in shop.items()}
    one, other = (customer_journeys(each, JourneyRules(), START, END, settings=SETTINGS) for each in (shop, mixed))
    pd.testing.assert_frame_equal(one.touches, other.touches)
    assert one.account == other.account and one.ends.sort_values("journey").value.tolist() == other.ends.sort_values("journey").value.tolist()

def test_several_rules_at_once_are_what_each_is_alone():
    shop, rules = drawn_shop(7), sensible_rules(JourneyRules())
    together = journeys_by_rules(shop, rules, START, END, settings=SETTINGS)
    for name, each in list(rules.items())[::3]:
        alone = customer_journeys(shop, each, START, END, settings=SETTINGS)
        assert sorted(map(tuple, alone.touches[alone.touches.journey.str.startswith("o")].to_numpy().tolist())) == sorted(map(tuple, together[name].touches[together[name].touches.journey.str.startswith("o")].to_numpy().tolist()))

def test_every_order_of_the_period_is_there_once_and_worth_its_net_revenue():
    shop = drawn_shop(1)
    found, asked = customer_journeys(shop, JourneyRules(), START, END, settings=SETTINGS), shop["orders"].query("@START <= occurred_at < @END")
    ends = found.ends[found.ends.conversions == 1].set_index("journey")
    lines = shop["order_lines"].assign(net=lambda rows: rows.unit_price.astype(float) - rows.tax.astype(float)).set_index("order_id").net
    assert sorted(ends.index) == sorted(asked.order_id) and ends.value.to_dict() == lines[ends.index].to_dict()

def test_nobody_who_withdrew_or_never_agreed_is_on_a_journey():
    shop = drawn_shop(2)
    used = touch_rows(shop, JourneyRules())
    assert not set(used.rows.customer_id) & {"p0", "p5", "p10"} and used.rows.customer_id.notna().all()
    odd = used.rows[used.rows.customer_id.isin([f"p{i}" for i in range(1, 12, 2)])]
    assert odd.occurred_at.max() < pd.Timestamp("2026-04-15", tz="UTC")
    assert len(used.rows) + sum(used.left_out.values()) == len(shop["touchpoints"])

def test_what_was_not_known_yet_is_not_used():
    shop = drawn_shop(3)
    moment = pd.Timestamp("2026-03-20", tz="UTC")
    then = {name: rows[rows.known_at <= moment] if "known_at" in rows else rows for name, rows in shop.items()}
    asked, cut = (customer_journeys(each, JourneyRules(), START, pd.Timestamp("2026-03-19", tz="UTC"), settings=SETTINGS, known_by=by) for each, by in ((shop, moment), (then, None)))
    pd.testing.assert_frame_equal(asked.touches, cut.touches)
    assert asked.ends.value.sum() == cut.ends.value.sum()

def test_cookies_are_linked_from_their_day_on_and_until_it_ends():
    shop = drawn_shop(4)
    ended = shop | dict(identifiers=shop["identifiers"].assign(valid_to=pd.Timestamp("2026-03-20", tz="UTC")))
    rules = JourneyRules(consent_purpose=None)
    shop, ended = ({name: rows for name, rows in each.items() if name != "consents"} for each in (shop, ended))
    one, other = touch_rows(shop, rules).rows, touch_rows(ended, rules).rows
    linked = lambda rows: rows.merge(shop["touchpoints"].query("customer_id.isna()")[["touchpoint_id"]]).query("customer_id.notna()").occurred_at
    assert linked(one).min() >= pd.Timestamp("2026-03-05", tz="UTC") and linked(one).max() > pd.Timestamp("2026-03-20", tz="UTC") > linked(other).max()

def test_a_cookie_of_two_customers_is_one_touch():
    shop = drawn_shop(6)
    twice = shop | dict(identifiers=pd.concat([shop["identifiers"], shop["identifiers"].assign(customer_id="p11", value_hash="x")], ignore_index=True))
    assert len(touch_rows(twice, JourneyRules()).rows.touchpoint_id.unique()) == len(touch_rows(twice, JourneyRules()).rows) > 0

@pytest.mark.parametrize("gone", ["orders", "order_lines", "touchpoints"])
def test_a_missing_table_is_named(gone):
    with pytest.raises(DataError, match=gone): customer_journeys({name: rows for name, rows in drawn_shop(1).items() if name != gone}, JourneyRules(), START, END)

def test_currencies_are_converted_or_refused():
    shop = drawn_shop(1)
    pounds = shop | dict(order_lines=shop["order_lines"].assign(currency=["GBP", *["EUR"]*(len(shop["order_lines"]) - 1)]))
    with pytest.raises(DataError, match="GBP"): order_worth(pounds, SETTINGS)
    rates = pounds | dict(exchange_rates=frame_of_rows("exchange_rates", [dict(from_currency="GBP", to_currency="EUR", day="2026-02-01", rate=2.)]))
    assert order_worth(rates, SETTINGS)[0].value.sum() == order_worth(shop)[0].value.sum() + 9

def test_a_market_without_a_zone_is_read_in_utc():
    shop = drawn_shop(1)
    assert len(session_rows(shop, JourneyRules(), None)) > 0
