"""Judging segments: planted faults are found, nothing is found where nothing is, and what could not be asked is never a pass."""
from dataclasses import replace
import numpy as np
import pandas as pd
import pytest
from marketing_mlops.contracts.schemas import frame_of_rows
from marketing_mlops.features.conditions import Condition
from marketing_mlops.features.event_rows import open_events
from marketing_mlops.features.segment_rules import SegmentRules
from marketing_mlops.features.segment_sets import SegmentSet
from marketing_mlops.features.segments import Segment
from marketing_mlops.training import segment_fairness # registers its questions
from marketing_mlops.training.segment_checks import SEGMENT_CHECKS, ask, segment_drifts, segment_sizes
from marketing_mlops.training.segment_evidence import NOT_YET_KNOWN, SegmentEvidence, membership_changes, moved, overlaps
from marketing_mlops.measurement.intervals import NotMeasurable
from marketing_mlops.measurement.share_ratios import share_ratio
from marketing_mlops.measurement.multiplicity import simultaneous_level
from marketing_mlops.training.segment_fairness import SMALLEST_GROUP, attribute_groups, attribute_ratios, group_categories, group_counts, reachable_shares
from marketing_mlops.training.segment_reviews import drawn_customers, segment_evidence
from marketing_mlops.sources.ingestion import write_table
from marketing_mlops.workspace.errors import DataError
from marketing_mlops.workspace.places import Workspace
from marketing_mlops.workspace.settings import Settings

NAMES = ("new", "active", "asleep")
SET = SegmentSet("habit", "Who buys", [Segment(name, "A sentence.", [[Condition("recency_days", ">", i)]]) for i, name in enumerate(NAMES)], True, True,
                 rules=SegmentRules(minimum_customers=20, protected=["trait.age_band"], proxies=["market"], reachable={"email": .4}))

def flags(words): return pd.DataFrame(dict(customer_id=[f"c{i}" for i in range(len(words))], **{name: np.asarray(words) == name for name in NAMES}))

def drawn(seed=1, n=3_000, **changes):
    rng = np.random.default_rng(seed)
    words = rng.choice(NAMES, n, p=[.2, .5, .3])
    groups = pd.DataFrame({"trait.age_band": rng.choice(["18-29", "30-59", "60+"], n), "market": rng.choice(["DE", "UK"], n)})
    return SegmentEvidence(SET, flags(words), flags(np.where(rng.random(n) < .9, words, rng.choice(NAMES, n, p=[.2, .5, .3]))), groups, pd.DataFrame(dict(email=rng.random(n) < .6)), {}, n)

def statuses(evidence): return {name: ask(name, evidence).status for name in SEGMENT_CHECKS}

def test_nothing_is_found_where_nothing_is():
    found = [statuses(drawn(seed)) for seed in range(8)]
    assert sum(set(each.values()) != {"pass"} for each in found) <= 1

def planted_overlap(e): return replace(e, now=e.now.assign(new=e.now.new | (e.now.index == 0), active=e.now.active | (e.now.index == 0)))
def planted_gap(e): return replace(e, now=e.now.assign(**{name: e.now[name] & (e.now.index > 0) for name in NAMES}))
def planted_dwarf(e): return replace(e, now=e.now.assign(new=e.now.new & (e.now.new.cumsum() < 10), active=e.now.active | (e.now.new & (e.now.new.cumsum() >= 10))))
def planted_drift(e): return replace(e, before=e.before.assign(active=e.before.active | e.before.asleep, asleep=False))
def planted_age(e):
    is_young = (e.attributes["trait.age_band"] == "18-29").to_numpy()
    return replace(e, now=e.now.assign(new=e.now.new & ~is_young, active=e.now.active | (e.now.new & is_young)))
def planted_market(e): return replace(e, attributes=e.attributes.assign(market=np.where(e.now.new, "DE", e.attributes.market)))
def planted_silence(e): return replace(e, consented=e.consented.assign(email=e.consented.email & ~(e.now.asleep & (e.now.index % 2 == 0))))

@pytest.mark.parametrize("plant, check, status", [(planted_overlap, "exclusive", "fail"), (planted_gap, "exhaustive", "fail"), (planted_dwarf, "size", "review"), (planted_drift, "drift", "review"),
                                                  (planted_age, "protected", "review"), (planted_market, "proxies", "review"), (planted_silence, "reachable", "review")], ids=lambda each: getattr(each, "__name__", each))
def test_each_planted_fault_is_found_by_its_question(plant, check, status):
    found = [statuses(plant(drawn(seed))) for seed in range(3)]
    assert [each[check] for each in found] == [status]*3

def test_all_questions_are_answered_at_once_and_the_worst_is_not_hidden():
    both = planted_overlap(planted_drift(planted_age(drawn())))
    assert {name for name, status in statuses(both).items() if status != "pass"} >= {"exclusive", "drift", "protected"}

def test_what_could_not_be_asked_is_unknown():
    blind = replace(drawn(), before=None, attributes=pd.DataFrame(), consented=pd.DataFrame(), absent={"market": "there is no market"})
    assert {name: status for name, status in statuses(blind).items() if status != "pass"} == dict(drift="unknown", protected="unknown", proxies="unknown", reachable="unknown")
    assert "nobody looked it up" in ask("protected", blind).reasons[0].message and "there is no market" in ask("proxies", blind).reasons[0].message

def test_nobody_at_all_is_no_pass():
    nobody = drawn(n=0)
    assert {statuses(nobody)[name] for name in ("exhaustive", "size", "drift")} == {"unknown"} and segment_sizes(nobody).empty and reachable_shares(nobody).empty

def test_an_attribute_that_is_never_known_is_unknown():
    assert statuses(replace(drawn(), attributes=drawn().attributes.assign(**{"trait.age_band": None})))["protected"] == "unknown"

def test_the_order_of_customers_changes_no_answer():
    e = drawn(3)
    order = np.random.default_rng(0).permutation(len(e.now))
    turned = replace(e, now=e.now.iloc[order], before=e.before.sample(frac=1, random_state=1), attributes=e.attributes.iloc[order], consented=e.consented.iloc[order])
    assert {name: ask(name, e).to_dict() for name in SEGMENT_CHECKS} == {name: ask(name, turned).to_dict() for name in SEGMENT_CHECKS}

def test_moves_add_up_to_the_customers_of_now():
    e = drawn(4)
    e = replace(e, before=e.before[:2_500])
    counts, changes = moved(e.before, e.now, NAMES), membership_changes(e.before, e.now, NAMES).set_index("segment")
    assert counts.to_numpy().sum() == len(e.now) and counts.loc[NOT_YET_KNOWN].sum() == 500
    for name in NAMES:
        assert counts.loc[name, name] == changes.stayed[name]
        assert e.now[name].sum() == changes.stayed[name] + changes.gained[name] + changes.newcomers[name]

def test_newcomers_are_no_drift():
    e = drawn(5)
    grown = replace(e, before=e.now[:1_500], now=e.now)
    assert all(each.value == 0 for each in segment_drifts(grown).values())

def test_overlaps_are_counted_for_every_pair():
    everything = drawn().now.assign(**dict.fromkeys(NAMES, True))
    assert overlaps(everything, NAMES).customers.tolist() == [3_000]*3

def test_small_groups_are_not_compared_one_by_one():
    e = drawn(6)
    few = replace(e, attributes=e.attributes.assign(market=np.where(e.attributes.index < 10, "LI", e.attributes.market)))
    assert {name for each in attribute_ratios(few, "market").values() for name in (each.lowest, each.highest)} <= {"DE", "UK"}

def counted_by_pandas(e, attribute):
    "Tables and ratios as one writes them by hand."
    groups = attribute_groups(e.attributes[attribute]).reset_index(drop=True)
    tables = {name: pd.crosstab(groups, e.now[name].reset_index(drop=True)) for name in NAMES}
    sizes = {name: e.now[name].reset_index(drop=True).groupby(groups).agg(["sum", "size"]).query("size >= @SMALLEST_GROUP") for name in NAMES}
    level = simultaneous_level(e.declared.rules.level, len(NAMES)*len(e.attributes.columns))
    def ratio(rows):
        try: return share_ratio({group: (int(row["sum"]), int(row["size"])) for group, row in rows.iterrows()}, level)
        except NotMeasurable: return None
    return tables, {name: found for name, rows in sizes.items() if (found := ratio(rows)) is not None}

@pytest.mark.parametrize("seed", range(6))
def test_groups_are_counted_as_pandas_counts_them(seed):
    e, rng = drawn(seed, n=400 + 300*seed), np.random.default_rng(seed)
    years = pd.Series(rng.integers(18, 90, len(e.now)).astype(float)).mask(rng.random(len(e.now)) < .2)
    rare = pd.Series(rng.choice(["b", "a", "rare"], len(e.now), p=[.5, .48, .02]), dtype="object").mask(rng.random(len(e.now)) < .1)
    e = replace(e, declared=replace(SET, is_exclusive=False), attributes=e.attributes.assign(market=rare, years=years), now=e.now.assign(new=rng.random(len(e.now)) < (0 if seed == 5 else .02)))
    prepared = replace(e, attributes=pd.DataFrame({name: group_categories(e.attributes[name]) for name in e.attributes}))
    for attribute in e.attributes:
        tables, ratios = counted_by_pandas(e, attribute)
        for given in (e, prepared):
            found = group_counts(given, attribute)
            for name in NAMES:
                mine = found[name].reindex(columns=[f"not {name}", name], fill_value=0)
                assert (mine.to_numpy() == tables[name].reindex(columns=[False, True], fill_value=0).to_numpy()).all() and mine.index.tolist() == tables[name].index.tolist()
            assert attribute_ratios(given, attribute) == attribute_ratios(given, attribute, found) == ratios

@pytest.mark.parametrize("seed", range(4))
def test_who_came_and_went_is_told_by_names_alone(seed):
    e = drawn(seed, n=700)
    e = replace(e, before=e.before.sample(500, random_state=seed), now=e.now.sample(600, random_state=seed + 9), attributes=pd.DataFrame(), consented=pd.DataFrame())
    then, now = set(e.before.customer_id), set(e.now.customer_id)
    for row in membership_changes(e.before, e.now, NAMES).itertuples():
        was, inside = (set(frame.customer_id[frame[row.segment]]) for frame in (e.before, e.now))
        assert (row.stayed, row.gained, row.lost, row.newcomers, row.both) == (len(was & inside), len(inside & then - was), len(was & now - inside), len(inside - then), len(then & now))

def test_an_age_in_years_is_looked_at_in_quarters():
    years = pd.Series(np.random.default_rng(1).integers(18, 90, 4_000)).astype(float)
    counts = attribute_groups(years).value_counts(normalize=True)
    assert len(counts) == 4 and counts.between(.2, .3).all()
    assert attribute_groups(pd.Series([1.] * 990 + list(range(10)))).notna().all(), "many alike"

def test_sizes_of_a_sample_hold_the_truth_as_often_as_they_say():
    whole = drawn(9, n=20_000)
    truth, held = whole.now[list(NAMES)].sum(), 0
    for seed in range(60):
        rows = np.random.default_rng(seed).choice(20_000, 1_000, replace=False)
        sizes = segment_sizes(replace(whole, now=whole.now.iloc[rows], attributes=pd.DataFrame(), consented=pd.DataFrame())).set_index("segment")
        held += all(sizes.customers_low[name] <= truth[name] <= sizes.customers_high[name] for name in NAMES)
    assert held >= 54

def test_the_same_customers_are_drawn_whatever_their_order():
    ids = pd.Series([f"c{i}" for i in range(500)])
    one, other = drawn_customers(ids, 50), drawn_customers(ids.sample(frac=1, random_state=2), 50)
    assert set(one) == set(other) and len(one) == 50
    assert set(one) <= set(drawn_customers(ids, 100))

def test_a_window_that_no_history_fills_is_not_judged_and_one_filled_only_now_has_no_drift(tmp_path):
    place = Workspace(tmp_path, Settings("development", tmp_path))
    place.accepted("shop").mkdir(parents=True)
    times = dict(occurred_at="2025-06-01T00:00Z", known_at="2025-06-01T00:00Z")
    tables = dict(customers=[dict(customer_id="ada", first_seen_at="2024-01-01T00:00Z")], contacts=[dict(contact_id="m", kind="send", channel="email", customer_id="ada", **times)])
    for name, rows in tables.items(): write_table(frame_of_rows(name, rows), name, place.accepted("shop"))
    mailed = SegmentSet("mailed", "Who is mailed", [Segment("often", "A sentence.", [[Condition("contacts_90d", ">", 5)]])], False, False, rules=SegmentRules(drift_days=30))
    with open_events(place, "shop") as events:
        with pytest.raises(DataError, match="contacts_90d looks back 90 days, and before the last cutoff there are only 9 days"): segment_evidence(events, mailed, "2025-06-10")
        assert segment_evidence(events, mailed, "2025-09-10").before is None
        assert segment_evidence(events, mailed, "2025-12-10").before is not None
