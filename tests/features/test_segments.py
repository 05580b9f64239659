"""Segments: what is missing is never guessed, nothing that came to be known later changes a membership, and a slip in params.yaml is answered where it stands."""
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st
from marketing_mlops.features.conditions import OPERATORS, Condition, holds_for
from marketing_mlops.features.event_rows import open_events
from marketing_mlops.features.segment_members import as_members, segment_flags, segment_members
from marketing_mlops.features.segment_sets import read_segments, segment_set_from
from marketing_mlops.features.segments import Segment, in_segment
from marketing_mlops.features.spines import customer_candidates
from marketing_mlops.workspace.errors import ParameterError
from marketing_mlops.workspace.places import find_workspace, write_text

VALUES = dict(number=30, value=30, values=(30, 60), nothing=None)

@given(operator=st.sampled_from(sorted(OPERATORS)), values=st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=1))
def test_a_condition_on_a_missing_value_holds_only_where_that_was_asked(operator, values):
    known = pd.Series(values, dtype="float64")
    found = holds_for(Condition("recency_days", operator, VALUES[OPERATORS[operator].takes]), known)
    assert found.dtype == bool and found.index.equals(known.index)
    assert (found[known.isna()] == (operator == "is missing")).all()

def test_a_condition_and_its_opposite_leave_out_exactly_whom_nothing_is_known_about():
    known = pd.Series([10., 180, 181, None])
    one, other = (holds_for(Condition("recency_days", operator, 180), known) for operator in ("<=", ">"))
    assert (one | other).tolist() == known.notna().tolist() and not (one & other).any()

def test_a_text_is_told_from_a_number_also_where_it_looks_like_one():
    with pytest.raises(ParameterError, match="holds texts"): holds_for(Condition("trait.band", "in", [30]), pd.Series(["30", "60"], dtype="str"))
    assert not holds_for(Condition("trait.band", ">", 30), pd.Series([None, None], dtype="str")).any(), "of nobody anything is known"

@pytest.mark.parametrize("hostile", ["__import__('os').system('true')", "<script>alert(1)</script>", "'; DROP TABLE orders --", "🎁", "a\nb"])
def test_a_hostile_value_is_compared_and_never_run(hostile):
    assert holds_for(Condition("trait.band", "==", hostile), pd.Series([hostile, "other"], dtype="str")).tolist() == [True, False]

def test_the_way_in_does_not_matter_to_whom_a_segment_holds():
    rng = np.random.default_rng(2)
    known = pd.DataFrame(dict(recency_days=rng.choice([10., 100, np.nan], 200), orders_365d=rng.integers(0, 9, 200).astype(float)))
    late, often = Condition("recency_days", ">", 90), Condition("orders_365d", ">=", 4)
    either, turned = Segment("a", "A.", [[late], [often]]), Segment("a", "A.", [[often], [late]])
    assert in_segment(either, known).equals(in_segment(turned, known))
    assert in_segment(Segment("b", "B.", [[late, often]]), known).equals(in_segment(Segment("b", "B.", [[often, late]]), known))

def test_the_version_follows_values_and_their_types_and_not_words():
    def version(value, definition="A.", name="a"): return Segment(name, definition, [[Condition("orders_365d", ">=", value)]]).version
    assert version(4) == version(4, "Another sentence.", "another_name") and version(4) != version(5)

SEGMENTS = [Segment("awake", "Bought within 90 days.", [[Condition("recency_days", "<=", 90)]]), Segment("asleep", "Has not.", [[Condition("recency_days", ">", 90)]]),
            Segment("young", "Young.", [[Condition("trait.age_band", "in", ["18-29", "30-44"])]])]

def test_what_becomes_known_later_changes_no_membership(shop, retailer):
    cutoffs = pd.to_datetime(["2025-12-01", "2026-03-01"], utc=True)
    with open_events(retailer, "retailer") as events:
        spine = customer_candidates(events, cutoffs)
        before = segment_members(events, spine, SEGMENTS)
        earlier = {name: events.read(name).to_pandas() for name in ("customers", "orders", "order_lines", "traits", "exchange_rates")}
    cut = {name: rows[rows.known_at < cutoffs[-1]] if "known_at" in rows else rows for name, rows in earlier.items()}
    for name, rows in cut.items():
        shop.folder.mkdir(parents=True, exist_ok=True)
        rows.sample(frac=1, random_state=4).to_parquet(shop.folder/f"{name}.parquet")
    with open_events(shop.workspace, "shop") as events: after = segment_members(events, spine, SEGMENTS)
    pd.testing.assert_frame_equal(after, before)

def test_members_and_flags_say_the_same_in_any_order_of_the_spine(retailer):
    with open_events(retailer, "retailer") as events:
        spine = customer_candidates(events, ["2026-03-01"])
        flags = segment_flags(events, spine, SEGMENTS)
        shuffled = segment_flags(events, spine.sample(frac=1, random_state=1), SEGMENTS)
    pd.testing.assert_frame_equal(shuffled.sort_values("customer_id", ignore_index=True), flags.sort_values("customer_id", ignore_index=True))
    counts = as_members(flags, SEGMENTS).segment.value_counts()
    assert {each.name: int(flags[each.name].sum()) for each in SEGMENTS} == counts.reindex([each.name for each in SEGMENTS], fill_value=0).to_dict()

GOOD = dict(purpose="Who buys", owner="marketing@example.com", exclusive=True, exhaustive=False, segments=dict(awake=dict(definition="Bought.", all_of=[["recency_days", "<=", 90]])))

def awake(**changes): return GOOD | dict(segments=dict(awake=GOOD["segments"]["awake"] | changes))

@pytest.mark.parametrize("found, says", [
    (None, "`key: value` lines are allowed"), ([GOOD], "`key: value` lines are allowed"), (GOOD | dict(exclusive="no"), "true or false"), (GOOD | dict(segments=[]), "one key for each segment"),
    (GOOD | dict(segments={}), "needs at least one segment"), (GOOD | dict(segments=dict(awake=None)), "`key: value` lines"), (awake(all_of=None), "a list of conditions"), (awake(all_of=[["recency_days"]]), "feature, operator and value"),
    (awake(all_of=[["recency_days", "<=", 90, 3]]), "feature, operator and value"), (awake(all_of=[["recency_days", "<=", True]]), "needs a number, got True"), (awake(all_of=[["recency_days", "<=", None]]), "needs a number, got None"),
    (awake(all_of=[["recency_days", "in", []]]), "at least one entry"), (awake(all_of=[["recency_days", "in", ["a"]]]), "holds numbers"), (awake(all_of=[["recency_days", "==", "a"]]), "holds numbers"),
    (awake(any_of=[[["recency_days", ">", 1]]]), "has both"), (awake(all_of=[[["recency_days"], ">", 1]]), "feature, operator and value"), (awake(definition=""), "definition is missing"), (GOOD | dict(checks=dict(drift=5)), "unknown key"),
    (GOOD | dict(checks=dict(drift_share="x")), "must be a share"), (GOOD | dict(checks=dict(reachable={"e-mail": .3})), "Did you mean 'email'?"), (GOOD | dict(checks=dict(reachable=[1])), "segments.habit"), (GOOD | dict(checks=dict(protected=["age"])), "no attribute of a customer"),
    (GOOD | dict(segments={"not a name": GOOD["segments"]["awake"]}), "letters, digits and _"), (GOOD | dict(segments={3: GOOD["segments"]["awake"]}), "letters, digits and _")])
def test_a_slip_is_answered_in_two_lines_with_its_key(found, says):
    with pytest.raises(ParameterError) as refused: segment_set_from("habit", found)
    assert says in refused.value.problem and "segments.habit" in refused.value.problem
    assert len(str(refused.value).splitlines()) == 2 and refused.value.fields["key"].startswith("segments.habit")

@pytest.mark.parametrize("text, says", [("segments: lifecycle\n", "one key for each segment set"), ("segments: [a]\n", "one key for each segment set"), ("segments:\n", None), ("", None)])
def test_a_section_without_sets_is_no_error_and_one_that_is_none_is(tmp_path, text, says):
    write_text(tmp_path/"settings.ini", "[DEFAULT]\nreporting_currency = EUR\n")
    write_text(tmp_path/"params.yaml", "sources: {}\nmodels: {}\n" + text)
    if says is None: assert read_segments(find_workspace(tmp_path)) == {}; return
    with pytest.raises(ParameterError, match=says): read_segments(find_workspace(tmp_path))

def test_the_shipped_segments_can_be_read(repository):
    declared = read_segments(find_workspace(repository))["lifecycle"]
    assert declared.is_exclusive and declared.is_exhaustive and len({each.version for each in declared.segments}) == len(declared.segments)
