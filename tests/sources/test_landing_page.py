"""The published landing-page test: 3,893 rows that contradict themselves, one visitor twice, and figures somebody else computed."""
from dataclasses import replace
import pandas as pd
import pytest
from marketing_mlops.measurement.experiments import read_experiment
from marketing_mlops.measurement.readouts import read_out
from marketing_mlops.sources.evidence import open_evidence
from marketing_mlops.sources.experiment_checks import find_uncounted_people
from marketing_mlops.sources.mappings import read_mapping
from marketing_mlops.sources.raw_files import RawRows, read_rows
from marketing_mlops.sources.typed_tables import typed_table
from marketing_mlops.workspace.clock import ReplayClock, instant_of
from marketing_mlops.workspace.errors import DataError

PROMISE = dict(name="landing_page_test", hypothesis="The new page converts more visitors", objective="Which page stays", owner="marketing@example.com", control="old_page",
               arms={"old_page": .5, "new_page": .5}, goal="conversion_rate", goal_value=20., worthwhile_effect=.04, currency="USD", outcome_window_days=1, stopping_rule="none_known")

@pytest.fixture(scope="module")
def mapping(repository): return read_mapping(repository/"data"/"sources"/"landing-page")

@pytest.fixture(scope="module")
def visits(datasets, mapping):
    "The file as text. It is read whole, because the figures of the reference are those of the whole file."
    rows = read_rows(datasets/"ab-landing-page"/"ab_data.csv.gz", mapping.files["ab_data.csv"].format)
    return RawRows(rows.frame, rows.unreadable, "ab_data.csv")

@pytest.fixture(scope="module")
def tables(visits, mapping): return {name: typed_table(visits, mapping.tables[name], mapping) for name in ("assignments", "outcomes")}

@pytest.fixture(scope="module")
def units(tables):
    both = tables["assignments"].frame.merge(tables["outcomes"].frame[["customer_id", "conversion"]], on="customer_id", validate="one_to_one")
    return pd.DataFrame(dict(unit_id=both.customer_id, arm=both.arm, assigned_at=both.occurred_at, conversion_rate=both.conversion.astype(int)))

def test_mismatched_rows_are_set_aside_and_the_double_visitor_counts_once(tables):
    for table in tables.values():
        assert (table.n_read, table.n_rejected, table.n_repeated, len(table.frame)) == (294_478, 3_893, 1, 290_584)
    assert set(tables["assignments"].rejected["reason"]) == {"the page shown is not the page of the group"}
    assert str(tables["assignments"].frame.set_index("customer_id").loc["773192", "occurred_at"].date()) == "2017-01-09"

def test_whoever_was_set_aside_or_came_twice_is_asked_about(tables):
    found = tables["assignments"]
    told = dict(n_read=found.n_read, n_rejected=found.n_rejected, n_repeated=found.n_repeated, rejected={"group, landing_page: the page shown is not the page of the group": found.n_rejected})
    with open_evidence({}, source="landing-page", clock=ReplayClock(instant_of("2017-01-26"))) as evidence:
        findings = find_uncounted_people(replace(evidence, accounts=dict(assignments=told)))
    assert [(each.check, each.severity, each.value) for each in findings] == [("assignments_set_aside", "review", 3_893), ("assigned_again", "review", 1)]

def test_the_readout_equals_the_reference(units):
    readout = read_out(read_experiment(PROMISE), units, clock=ReplayClock(instant_of("2017-01-26")))
    arms, found = readout.arm_table.set_index("arm"), readout.differences.iloc[0]
    assert [(int(row.total), int(row.n), round(row.value, 6)) for row in arms.itertuples()] == [(17_489, 145_274, .120386), (17_264, 145_310, .118808)]
    assert (round(found.value, 6), round(abs(found.statistic), 4), round(found.p_value, 5)) == (-.001578, 1.3109, .18988)
    assert "chi-square 0.0045, p 0.947" in readout.sample_ratio.reasons[0].message
    assert (readout.decision.decision, readout.label) == ("stop", "set afterwards, replay")
    assert "No plan is known" in readout.decision.sentence

def test_the_decision_does_not_hang_on_the_visitors_with_mismatched_rows(units, visits):
    counts = visits.frame["user_id"].value_counts()
    once = units[units.unit_id.map(counts) == 1]
    whole, without = (read_out(read_experiment(PROMISE), each, clock=ReplayClock(instant_of("2017-01-26"))) for each in (units, once))
    assert len(units) - len(once) == 3_894
    assert whole.decision.decision == without.decision.decision == "stop"
    assert without.differences["value"][0] == pytest.approx(whole.differences["value"][0], abs=.0005)

def test_a_file_with_many_contradictions_is_refused(visits, mapping):
    doubled = visits.frame[visits.frame["user_id"].duplicated(keep=False)]
    with pytest.raises(DataError, match="most often column 'group, landing_page' the page shown is not the page of the group"):
        typed_table(RawRows(doubled, {}, "ab_data.csv"), mapping.tables["assignments"], mapping)
