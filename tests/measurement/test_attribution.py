"""Credits: equal to brute force on small cases and to independent implementations on a public one; they sum to the conversions whatever the journeys."""
import json
from dataclasses import fields, replace
from itertools import permutations
from pathlib import Path
import numpy as np
import pandas as pd
import pytest
from marketing_mlops.contracts.journey_rules import JourneyRules, rules_words, sensible_rules
from marketing_mlops.measurement.attribution import METHODS, AttributionSpec, attribute_conversions, compare_specs, leaders, movements
from marketing_mlops.measurement.intervals import NotMeasurable
from marketing_mlops.measurement.journeys import NO_TOUCH, journey_doubts, journeys_of_touches, merged_repeats, read_journeys
from marketing_mlops.measurement.removal_effects import removal_credits, removal_effects
from marketing_mlops.measurement.rule_credits import first_credits, last_credits, linear_credits, position_credits, time_decay_credits
from marketing_mlops.measurement.shapley_credits import drawn_shapley, exact_shapley, journey_sets, shapley_credits, subset_sums
from marketing_mlops.workspace.errors import DataError, ParameterError

ORACLES = json.loads((Path(__file__).parent/"oracles"/"attribution.json").read_text())

def drawn_paths(seed, n=60, channels=5, longest=6):
    "Random paths with counts and values, some without a touch, some with a channel met again, some that never convert."
    rng = np.random.default_rng(seed)
    paths = [" > ".join(f"c{k}" for k in rng.integers(0, channels, rng.integers(0, longest + 1))) for _ in range(n)]
    converted = rng.binomial(8, .2, n)
    return pd.DataFrame(dict(path=paths, conversions=converted, lost=rng.integers(0, 30, n), value=np.round(converted*rng.gamma(2, 20, n), 2)))

def timed(paths, seed):
    "The same paths as touches with days."
    rng = np.random.default_rng(seed)
    rows = [(i, name, day) for i, path in enumerate(paths.path) for names in [[each for each in path.split(" > ") if each]] for name, day in zip(names, sorted(rng.uniform(0, 40, len(names)), reverse=True))]
    return journeys_of_touches(pd.DataFrame(rows, columns=["journey", "channel", "days_before"]).sample(frac=1, random_state=seed), paths.assign(journey=range(len(paths))))

def by_loop(journeys, weigh):
    "Credits path by path, in plain Python."
    credits, at = dict.fromkeys(journeys.channels, 0.), 0
    for n, conversions in zip(journeys.lengths, journeys.conversions):
        names, days = [journeys.channels[code] for code in journeys.touches[at:at + n]], None if journeys.days_before is None else journeys.days_before[at:at + n]
        weights = weigh(int(n), days) if n else []
        for name, weight in zip(names, weights): credits[name] += conversions*weight/sum(weights)
        at += n
    return pd.Series(credits)

RULES = {"first": (first_credits, lambda n, days: [1] + [0]*(n - 1)), "last": (last_credits, lambda n, days: [0]*(n - 1) + [1]), "linear": (linear_credits, lambda n, days: [1]*n),
         "position": (position_credits, lambda n, days: [1] if n == 1 else [.5, .5] if n == 2 else [.4] + [.2/(n - 2)]*(n - 2) + [.4]),
         "time_decay": (time_decay_credits, lambda n, days: [.5**(day/7) for day in days])}

@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", RULES)
def test_a_rule_credits_what_a_loop_over_the_paths_credits(name, seed):
    journeys, (rule, weigh) = timed(drawn_paths(seed), seed), RULES[name]
    found = rule(journeys)
    np.testing.assert_allclose(found.conversions[list(journeys.channels)], by_loop(journeys, weigh)[list(journeys.channels)], atol=1e-9)
    assert found.conversions.sum() == pytest.approx(journeys.n_conversions) and found.value.sum() == pytest.approx(journeys.total_value)

@pytest.mark.parametrize("method", list(METHODS))
@pytest.mark.parametrize("seed", range(6))
def test_credits_of_every_method_sum_to_the_conversions(method, seed):
    journeys = timed(drawn_paths(seed, channels=3 + seed), seed)
    found = attribute_conversions(journeys, AttributionSpec(method)).credits
    assert found.conversions.sum() == pytest.approx(journeys.n_conversions) and found.share.sum() == pytest.approx(1)
    assert (found.conversions >= -1e-9).all() and found.conversions[NO_TOUCH] == journeys.conversions[journeys.lengths == 0].sum()

@pytest.mark.parametrize("method", ["first", "last", "linear", "position", "markov", "shapley"])
def test_credits_do_not_depend_on_the_order_of_rows_nor_on_how_counts_are_split_nor_on_names(method):
    paths = drawn_paths(11)
    def credits(rows): return attribute_conversions(read_journeys(rows), AttributionSpec(method)).credits.conversions
    expected = credits(paths)
    pd.testing.assert_series_equal(credits(paths.sample(frac=1, random_state=3)), expected)
    halves = pd.concat([paths.assign(**{name: paths[name]//2 for name in ("conversions", "lost")}), paths.assign(**{name: paths[name] - paths[name]//2 for name in ("conversions", "lost")})])
    pd.testing.assert_series_equal(credits(halves), expected)
    renamed = credits(paths.assign(path=paths.path.str.replace("c", "z", regex=False).str.replace(" > ", ">", regex=False)))
    np.testing.assert_allclose(renamed.drop(NO_TOUCH), expected.drop(NO_TOUCH))

def by_removal(paths):
    "Removal effects as their definition says: the chain without a channel, followed step by step until nobody is left."
    def converted(without):
        counts = {}
        for path, conversions, lost in paths[["path", "conversions", "lost"]].itertuples(index=False):
            names = ["(start)", *(name for name in path.split(" > ") if name)]
            if len(names) == 1: continue
            for a, b in zip(names, names[1:]): counts.setdefault(a, {}); counts[a][b] = counts[a].get(b, 0) + conversions + lost
            last = counts.setdefault(names[-1], {})
            last["(yes)"], last["(no)"] = last.get("(yes)", 0) + conversions, last.get("(no)", 0) + lost
        people, yes = {"(start)": 1.}, 0.
        for _ in range(5_000):
            after = {}
            for state, share in people.items():
                whole = sum(counts[state].values())
                for to, n in counts[state].items():
                    if to == "(yes)": yes += share*n/whole
                    elif to not in ("(no)", without) and n: after[to] = after.get(to, 0) + share*n/whole
            people = after
            if sum(people.values()) < 1e-13: break
        return yes
    names = sorted({name for path in paths.path for name in path.split(" > ") if name})
    whole = converted(None)
    return pd.Series({name: 1 - converted(name)/whole for name in names})

@pytest.mark.parametrize("seed", range(5))
def test_removal_effects_are_those_of_the_chain_without_the_channel(seed):
    paths = drawn_paths(seed, n=25, channels=4)
    np.testing.assert_allclose(removal_effects(read_journeys(paths)).removal_effect, by_removal(paths), atol=1e-10)

def test_removal_effects_find_those_of_the_chain_that_made_the_journeys():
    "Journeys drawn from a chain with cycles whose removal effects are known."
    Q, r, s = np.array([[.1, .3, .1], [.2, .1, .2], [0., .2, .2]]), np.array([.05, .15, .3]), np.array([.6, .3, .1])
    def p(without=None):
        keep = [k for k in range(3) if k != without]
        return s[keep] @ np.linalg.solve(np.eye(len(keep)) - Q[np.ix_(keep, keep)], r[keep])
    rng, rows = np.random.default_rng(5), []
    steps = np.column_stack([Q, r, 1 - Q.sum(axis=1) - r])
    for _ in range(12_000):
        path = [rng.choice(3, p=s)]
        while (at := rng.choice(5, p=steps[path[-1]])) < 3: path.append(at)
        rows.append((" > ".join("abc"[k] for k in path), int(at == 3), int(at == 4)))
    found = removal_effects(read_journeys(pd.DataFrame(rows, columns=["path", "conversions", "lost"]))).removal_effect
    np.testing.assert_allclose(found, [1 - p(k)/p() for k in range(3)], atol=.035)

def test_a_channel_that_follows_itself_changes_no_removal_effect():
    journeys = read_journeys(drawn_paths(3, channels=3))
    pd.testing.assert_frame_equal(removal_effects(journeys)[["p_reached", "removal_effect"]], removal_effects(merged_repeats(journeys, "runs"))[["p_reached", "removal_effect"]])

def by_all_orders(paths, channels, worth):
    "Shapley values as their definition says, with the worth read from the paths themselves."
    def value(members):
        inside = [set(path.split(" > ")) <= members for path in paths.path]
        converted, seen = paths.conversions[inside].sum(), (paths.conversions + paths.lost)[inside].sum()
        return converted if worth == "conversions" else converted/seen if seen else 0.
    gains = dict.fromkeys(channels, 0.)
    orders = list(permutations(channels))
    for order in orders:
        for k, name in enumerate(order): gains[name] += (value(set(order[:k + 1])) - value(set(order[:k])))/len(orders)
    return pd.Series(gains)

@pytest.mark.parametrize("worth", ["conversions", "rate"])
@pytest.mark.parametrize("seed", range(3))
def test_shapley_credits_are_those_of_all_orders(seed, worth):
    paths = drawn_paths(seed, n=20, channels=4).query("path != ''")
    journeys = read_journeys(paths)
    values = by_all_orders(paths, journeys.channels, worth)
    np.testing.assert_allclose(shapley_credits(journeys, worth).conversions, values/values.sum()*journeys.n_conversions, atol=1e-9)

def test_sums_over_subsets_and_shapley_values_of_one_channel_and_of_none():
    amounts = np.random.default_rng(2).normal(size=32)
    np.testing.assert_allclose(subset_sums(amounts), [sum(amounts[t] for t in range(32) if t & s == t) for s in range(32)])
    np.testing.assert_allclose(exact_shapley(np.array([0., 7.])), [7.])
    assert len(exact_shapley(np.array([0.]))) == 0

def test_drawn_values_lie_within_their_error_of_the_exact_ones():
    "60 draws with other seeds: the exact value lies within two standard errors about as often as it should."
    sets, converted, seen = journey_sets(read_journeys(drawn_paths(8, n=80, channels=8).query("path != ''")))
    place = sets @ (1 << np.arange(sets.shape[1]))
    sums = [subset_sums(np.bincount(place, each, minlength=1 << sets.shape[1])) for each in (converted, seen)]
    exact = exact_shapley(np.divide(*sums, out=np.zeros_like(sums[0]), where=sums[1] > 0))
    z = np.array([(mean - exact)/error for mean, error in (drawn_shapley(sets, converted, seen, "rate", 60, seed) for seed in range(60))])
    assert .90 < np.mean(np.abs(z) < 2) < .99 and abs(z.mean()) < .25

def test_many_channels_are_drawn_with_an_interval_that_sums_to_the_conversions():
    rng = np.random.default_rng(4)
    paths = pd.DataFrame(dict(path=[" > ".join(f"channel {k}" for k in rng.choice(70, rng.integers(1, 4))) for _ in range(300)], conversions=rng.binomial(9, .2, 300), lost=9))
    found = shapley_credits(read_journeys(paths), "rate", draws=40)
    assert len(found) > 64 and found.conversions.sum() == pytest.approx(paths.conversions.sum()) and (found.low <= found.conversions).all() and (found.high > found.low).any()
    pd.testing.assert_frame_equal(found, shapley_credits(read_journeys(paths), "rate", draws=40))

def test_shapley_by_conversions_is_the_equal_division_among_different_channels():
    journeys = read_journeys(drawn_paths(9, channels=6))
    pd.testing.assert_series_equal(shapley_credits(journeys).conversions, linear_credits(merged_repeats(journeys, "once")).conversions)

def test_one_channel_gets_everything_and_a_channel_on_no_converted_journey_gets_nothing():
    one = read_journeys(pd.DataFrame(dict(path=["search", "search > search"], conversions=[3, 4], lost=[10, 0])))
    for method in METHODS:
        if method != "time_decay": assert attribute_conversions(one, AttributionSpec(method)).credits.conversions.to_dict() == {"search": 7}
    none = read_journeys(pd.DataFrame(dict(path=["search", "social", "video"], conversions=[3, 0, 0], lost=[10, 20, 0])))
    for method in METHODS:
        if method != "time_decay": assert attribute_conversions(none, AttributionSpec(method)).credits.conversions.to_dict() == {"search": 3, "social": 0, "video": 0}

@pytest.mark.parametrize("method", list(METHODS))
def test_where_nothing_converted_there_is_no_answer(method):
    nothing = timed(drawn_paths(1).assign(conversions=0, value=0.), 1)
    with pytest.raises(NotMeasurable): attribute_conversions(nothing, AttributionSpec(method))
    assert journey_doubts(nothing).status == "unknown"

def test_conversions_without_a_touch_alone_are_credited_to_nobody_or_refused():
    bare = read_journeys(pd.DataFrame(dict(path=["", ""], conversions=[3, 4])))
    assert linear_credits(bare).conversions.to_dict() == {NO_TOUCH: 7}
    for rule in (removal_credits, shapley_credits):
        with pytest.raises(NotMeasurable, match="No journey with a touch"): rule(bare)

BAD = {"mixed currencies": (dict(currency=["EUR", "USD", "EUR"]), "different currencies"), "unknown channel": (dict(path=["search", "sozial", "email"]), "'sozial' is no channel"), "a state": (dict(path=["search", "(conversion)", "email"]), "stands for a state"),
       "negative": (dict(conversions=[3, -1, 0]), "below 0"), "missing count": (dict(lost=[3, np.nan, 0]), "missing"), "text": (dict(conversions=["3", "many", "0"]), "no number"), "endless": (dict(value=[1., np.inf, 2.]), "no number"),
       "missing path": (dict(path=["search", None, "email"]), "path is missing"), "hole": (dict(path=["search > ", "social", "email"]), "without a channel")}

@pytest.mark.parametrize("kind", BAD)
def test_bad_paths_are_refused_with_the_reason(kind):
    change, said = BAD[kind]
    paths = pd.DataFrame(dict(path=["search", "social > search", "email"], conversions=[3, 1, 0], lost=[9, 8, 7], value=[30., 20., 0.], currency="EUR")).assign(**change)
    with pytest.raises(DataError, match=said.replace("(", r"\(")): read_journeys(paths, known=["search", "social", "email"])

def test_all_faults_are_told_at_once():
    paths = pd.DataFrame(dict(path=["a", None], conversions=[-1, 2], lost=[1, 1], currency=["EUR", "USD"]))
    with pytest.raises(DataError) as told: read_journeys(paths)
    assert len(told.value.fields["faults"]) == 3

def test_a_conversion_before_its_touches_is_refused():
    touches, ends = pd.DataFrame(dict(journey=["o1"], channel=["search"], days_before=[-.01])), pd.DataFrame(dict(journey=["o1"], conversions=[1], lost=[0]))
    with pytest.raises(DataError, match="come after the end"): journeys_of_touches(touches, ends)

def test_a_touch_of_the_same_moment_counts():
    touches, ends = pd.DataFrame(dict(journey=["o1"], channel=["search"], days_before=[0.])), pd.DataFrame(dict(journey=["o1"], conversions=[1], lost=[0]))
    assert time_decay_credits(journeys_of_touches(touches, ends)).conversions.to_dict() == {"search": 1}

def test_cycles_are_a_reason_to_look_and_not_to_refuse():
    paths = pd.DataFrame(dict(path=["a > b > a > b > a", "c"], conversions=[5, 5], lost=[5, 5]))
    assert [reason.code for reason in journey_doubts(read_journeys(paths)).reasons] == ["cycles"]
    assert removal_effects(read_journeys(paths)).removal_effect["a"] == pytest.approx(.5)

OTHER = dict(method="last", rules=JourneyRules(direct="never"), repeats="once", half_life_days=3, ends=(.3, .3), worth="rate", draws=10, seed=1)

@pytest.mark.parametrize("name", [each.name for each in fields(AttributionSpec)])
def test_every_choice_is_in_the_version(name):
    assert replace(AttributionSpec(), **{name: OTHER[name]}).version != AttributionSpec().version

RULE_CHOICES = dict(click_days={"*": 5}, view_days={"*": 5}, session_gap_minutes=5, ends_at_midnight=False, direct="never", repeats="all", conversion_window_days=5, after_last_conversion=False, consent_purpose=None, link_anonymous=False)

def test_every_rule_but_the_name_is_in_the_version_and_in_the_words():
    assert {each.name for each in fields(JourneyRules)} == {"name", *RULE_CHOICES}
    for name, choice in RULE_CHOICES.items():
        other = replace(JourneyRules(), **{name: choice})
        assert other.version != JourneyRules().version and rules_words(other) != rules_words(JourneyRules()), name
    assert replace(JourneyRules(), name="ours").version == JourneyRules().version

def test_versions_stay_what_they_were():
    "A figure of last year must be found by its version; a change of the hash is a decision."
    assert (JourneyRules().version, AttributionSpec().version, AttributionSpec("markov", JourneyRules()).version) == tuple(ORACLES["versions"])

@pytest.mark.parametrize("wrong", [dict(direct="sometimes"), dict(repeats="once"), dict(click_days={}), dict(click_days={"*": 10_000}), dict(view_days={"*": True}), dict(conversion_window_days=0), dict(session_gap_minutes=float("nan")), dict(name="")])
def test_rules_nobody_could_follow_are_refused(wrong):
    with pytest.raises(ParameterError): JourneyRules(**wrong)

def test_movements_hold_the_chosen_share_and_channels_some_rules_never_see():
    few, many = read_journeys(pd.DataFrame(dict(path=["search", ""], conversions=[4, 6]))), read_journeys(pd.DataFrame(dict(path=["search > video", "video"], conversions=[4, 6])))
    base = AttributionSpec("last", JourneyRules())
    neighbours = sensible_rules(base.rules)
    found = compare_specs({"standard": (base.rules, few), "views count 7 days": (neighbours["views count 7 days"], many)}, base)
    moved = movements(found)
    assert moved.loc["video", ["low", "high"]].tolist() == [0, 1] and moved.chosen[NO_TOUCH] == .6 and np.isnan(moved.chosen["video"])
    assert leaders(found).sum() == pytest.approx(1) and "time_decay" in found.skipped

def test_the_public_paths_are_credited_as_the_reference_says(datasets):
    paths = pd.read_csv(datasets/"attribution-paths"/"path_data.csv").rename(columns=dict(total_conversions="conversions", total_conversion_value="value", total_null="lost"))
    journeys = read_journeys(paths)
    assert (journeys.n_conversions, journeys.n_lost, round(journeys.total_value, 4), len(journeys.channels)) == (19_785, 68_602, 74_802.9716, 12)
    for name, expected in dict(alpha=(6_308, 8_447, 7_574.7186), eta=(3_164, 4_167, 3_539.9512), iota=(4_606, 3_355, 3_857.0962)).items():
        assert tuple(round(rule(journeys).conversions[name], 4) for rule in (first_credits, last_credits, linear_credits)) == expected
    for oracle in ORACLES["answers"]:
        mine = attribute_conversions(merged_repeats(journeys, oracle["repeats"]), AttributionSpec(oracle["method"])).credits.conversions
        np.testing.assert_allclose(mine[list(oracle["credits"])], list(oracle["credits"].values()), atol=oracle["tolerance"], err_msg=oracle["by"])
