"A moving bound is answered from sums made before; here every such answer is held against counting the customers one by one."
from dataclasses import replace
from fractions import Fraction
import numpy as np
import pytest
from variants import first_always
from hypothesis import HealthCheck, given, settings, strategies as st
from segment_people_example import FEATURES, HOSTILE, STAGES, customers, people_of
from marketing_mlops.explorers.segment_amounts import AmountSums, half_bits, whole_amounts
from marketing_mlops.explorers.segment_counters import KEPT_CONDITIONS, KEPT_INDEXES, SegmentCounter
from marketing_mlops.explorers.segment_people import people_of_frame
from marketing_mlops.explorers.segment_tallies import CONSENT, MEMBER
from marketing_mlops.explorers.segment_views import look_at, view_message
from marketing_mlops.features.conditions import Condition
from marketing_mlops.measurement.intervals import moments

def odd_customers(n=3_000):
    "Missing and infinite values, amounts below zero and without decimals, customers without arm or outcome, a group of nobody."
    df, rng = customers(n), np.random.default_rng(3)
    df["net_revenue_365d"] = np.where(rng.random(n) < .01, rng.choice([np.inf, -np.inf, -3.25, 0.1 + 0.2], n), df.net_revenue_365d)
    df["spend"] = np.where(rng.random(n) < .02, -df.spend - 1/3, df.spend)
    return df.assign(spend=df.spend.where(rng.random(n) > .05), arm=df.arm.where(rng.random(n) > .03), **{"agreed.post": False})

COUNTERS = {"plain": SegmentCounter(people_of()), "odd": SegmentCounter(people_of(odd_customers())), "few_bins": SegmentCounter(people_of(), bins=3),
            "mark": SegmentCounter(people_of_frame(customers(), FEATURES, sets=[STAGES]).with_outcome((customers().spend > 0).astype(int), "bought")),
            "no_outcome": SegmentCounter(people_of_frame(customers(), FEATURES))}

def bounds(counter, name):
    "Conditions on one feature as a control makes them, and some it cannot make."
    dimension = counter.dimensions[name]
    if dimension.kind == "category":
        names = st.lists(st.sampled_from([*dimension.first, "unheard of"]), min_size=1, max_size=3, unique=True).map(tuple)
        return st.one_of(st.just(()), st.just((Condition(name, "is missing"),)), st.tuples(st.builds(Condition, st.just(name), st.sampled_from(["in", "not in"]), names)))
    place = st.sampled_from(dimension.cuts) | st.floats(-10, 500) | st.integers(0, 400)
    one = st.builds(Condition, st.just(name), st.sampled_from([">=", "<", ">", "<=", "==", "!="]), place)
    cut = st.builds(Condition, st.just(name), st.sampled_from([">=", "<"]), st.sampled_from(dimension.cuts))
    return st.one_of(st.just(()), st.just((Condition(name, "is missing"),)), st.just((Condition(name, "is not missing"),)), st.lists(cut, max_size=2).map(tuple), st.lists(one, max_size=2).map(tuple))

@pytest.mark.parametrize("kind", first_always(COUNTERS, 2))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_every_move_is_answered_as_if_customers_were_counted_one_by_one(kind, data):
    counter, held = COUNTERS[kind], {}
    for _ in range(data.draw(st.integers(1, 6))):
        name = data.draw(st.sampled_from(list(counter.dimensions)))
        for _ in range(data.draw(st.integers(1, 3))):
            held[name] = data.draw(bounds(counter, name))
            conditions = tuple(each for conditions in held.values() for each in conditions)
            inside = counter.inside(conditions)
            found = counter.tally(conditions)
            assert (found.numbers == counter.columns._count(inside)[0]).all() and (counter.count(inside).numbers == found.numbers).all()
            assert found.n == inside.sum() and (found.rest.numbers == counter.columns._count(~inside)[0]).all()
            assert found.numbers.dtype == np.int64 and len(counter._indexes) <= KEPT_INDEXES and len(counter._held) <= KEPT_CONDITIONS

@pytest.mark.parametrize("kind", first_always(COUNTERS, 2))
def test_a_tally_holds_what_the_frames_hold(kind):
    counter = COUNTERS[kind]
    people, inside = counter.people, counter.inside([Condition("orders_365d", ">=", 3)])
    found = counter.tally([Condition("orders_365d", ">=", 3)])
    assert found.marked(CONSENT) == people.consented[inside].sum().to_dict() and found.marked(MEMBER) == people.flags[inside].sum().to_dict()
    if people.outcome is None: return
    for i in (None, *range(len(people.outcome.arms))):
        known = people.outcome.values[inside & np.isfinite(people.outcome.values) & (True if i is None else people.outcome.arm == i)]
        ended, expected = found.ended(i), moments(known)
        assert (ended.n, ended.active) == (len(known), np.count_nonzero(known))
        assert ended.moments.mean == pytest.approx(expected.mean, rel=1e-11, abs=1e-11) and ended.moments.variance == pytest.approx(expected.variance, rel=1e-11)

@pytest.mark.parametrize("name", ["recency_days", "orders_365d", "net_revenue_365d", HOSTILE])
def test_a_slider_at_every_place_sends_the_same_message_as_a_counter_that_was_never_asked(name):
    moving, others = COUNTERS["odd"], [Condition("trait.channel", "in", ("email", "search"))]
    look_at(moving, others)
    for sign in (">=", "<"):
        for cut in moving.dimensions[name].cuts:
            asked = [*others, Condition(name, sign, cut)]
            message = view_message(look_at(moving, asked))
            moving.follow(moving.people)                         # forgets every index
            moving._last = frozenset([Condition(each, "is missing") for each in FEATURES]), None
            assert view_message(look_at(moving, asked)) == message and moving._indexes == {}
            look_at(moving, others)

def test_moves_of_one_slider_ask_no_customer_again(monkeypatch):
    counter = SegmentCounter(people_of())
    cuts = counter.dimensions["recency_days"].cuts
    counter.tally([Condition("orders_365d", ">=", 2)])
    counter.tally([Condition("orders_365d", ">=", 2), Condition("recency_days", ">=", cuts[0])])
    monkeypatch.setattr(counter.columns, "_count", None)
    monkeypatch.setattr(counter, "_holds", None)
    for cut in cuts: counter.tally([Condition("orders_365d", ">=", 2), Condition("recency_days", ">=", cut)])

def test_a_segment_that_was_just_saved_is_counted_while_a_slider_moves_on():
    counter = SegmentCounter(people_of())
    cuts = counter.dimensions["recency_days"].cuts
    for cut in cuts[:3]: counter.tally([Condition("recency_days", ">=", cut)])
    people = counter.people
    flags = people.flags.assign(**{"found.often": (people.frame.orders_365d >= 3).to_numpy()})
    counter.follow(replace(people, flags=flags))
    for cut in cuts[:3]:
        asked = [Condition("recency_days", ">=", cut)]
        assert counter.tally(asked).marked(MEMBER)["found.often"] == int((counter.inside(asked) & flags["found.often"]).sum())

def test_a_text_that_is_compared_with_a_number_is_refused_while_it_moves():
    counter = SegmentCounter(people_of())
    counter.tally([])
    with pytest.raises(Exception, match="holds texts"): counter.tally([Condition("trait.channel", ">", 3)])
    assert counter.tally([]).n == counter.people.n

amount = st.one_of(st.integers(-10**7, 10**7).map(lambda cents: cents/100), st.floats(-1e6, 1e6, allow_nan=False), st.just(0.), st.just(np.nan))

@settings(max_examples=200, deadline=None)
@given(values=st.lists(amount, min_size=1, max_size=60), seed=st.integers(0, 9))
def test_sums_of_amounts_do_not_depend_on_order_and_are_those_of_fractions(values, seed):
    values = np.array(values)
    found, mixed = (whole_amounts(each) for each in (values, np.random.default_rng(seed).permutation(values)))
    assert (found.parts.sum(axis=1) == mixed.parts.sum(axis=1)).all() and found.step == mixed.step
    known = values[np.isfinite(values)]
    sums = AmountSums(len(known), len(found.rows), tuple(found.parts.sum(axis=1).tolist()), found.step, found.bits)
    exact = [Fraction(int(each))*found.step for each in found.parts[0]]
    assert sums.sums[0]*found.step == sum(exact) and sums.squares*found.step**2 == sum(each**2 for each in exact)
    assert all(abs(float(each) - value) <= float(found.step)/2 for each, value in zip(exact, values[found.rows]))
    if len(known): assert sums.moments.mean == pytest.approx(known.mean(), rel=1e-9, abs=1e-9)

@pytest.mark.parametrize("values", [[5e-324, 1e-300], [1e300, -1e300, 3.], [.1]*9, [2.**53, 1.], [1e12, .01], [1/3, 2/3]])
def test_amounts_of_every_size_are_added_up_without_an_overflow(values):
    values = np.array(values)
    found = whole_amounts(np.tile(values, 1_000))
    sums = AmountSums(len(values)*1_000, len(found.rows), tuple(found.parts.sum(axis=1).tolist()), found.step, found.bits)
    assert sums.moments.mean == pytest.approx(np.mean(values), rel=1e-9, abs=np.abs(values).max()*1e-9) and 0 <= sums.moments.variance and 1 <= sums.effective <= sums.n
    if len(set(values)) == 1: assert sums.moments.variance == 0

def test_sums_over_a_billion_customers_would_fit():
    for n in (1, 10**3, 10**6, 10**7, 10**9): assert n*(2**half_bits(n))**2 < 2**62
