"However often and whenever somebody looks, each due time is planned exactly once, and what is missed is on record."
from dataclasses import replace
from datetime import datetime, timedelta, timezone
import json
import pytest
from hypothesis import given, settings, strategies as st
from marketing_mlops.schedules.entries import Schedule
from marketing_mlops.schedules.due_times import due_times
from marketing_mlops.schedules.planning import known_schedules, plan_due, plan_schedule
from marketing_mlops.schedules.records import due_runs, open_records, read_clocks, save_due_run, stamp
from marketing_mlops.workspace.places import find_workspace

BEGIN = datetime(2026, 3, 27, tzinfo=timezone.utc)
HOURLY = Schedule("hourly", "job", "count", "0 * * * *", "Europe/Berlin", "marketing@example.com")
ENTRY = "schedules:\n  hourly: {{job: count, cron: '{cron}', market: DE, owner: marketing@example.com}}\n"

@pytest.fixture
def workspace(tmp_path):
    (tmp_path/"settings.ini").write_text("[DEFAULT]\nreporting_currency = EUR\n[markets]\nDE = Europe/Berlin, monday, 1, DE\n")
    (tmp_path/"schedule.yaml").write_text(ENTRY.format(cron="0 * * * *"))
    return find_workspace(tmp_path)

@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 60*50), min_size=1, max_size=12), st.sampled_from(["latest", "all", "skip"]))
def test_looks_at_any_times_plan_every_due_time_once(minutes, rule):
    schedule, since, runs = replace(HOURLY, on_missed=rule), BEGIN, []
    for pause in minutes:
        plan = plan_schedule(schedule, since, since + timedelta(minutes=pause))
        runs += plan.runs
        since = plan.planned_until
    assert [run.due for run in runs] == list(due_times(schedule.cron, schedule.zone, BEGIN, since))
    late = [run for run in runs if run.state == "due" and rule == "skip"]
    assert all(run.state in ("due", "missed") for run in runs) and (rule != "all" or not any(run.state == "missed" for run in runs))
    assert len(late) <= len(minutes)                                # skip runs only what somebody saw in time

@pytest.mark.parametrize("rule, states", [("latest", "mmd"), ("all", "ddd"), ("skip", "mmm")])
def test_a_machine_that_was_off(rule, states):
    plan = plan_schedule(replace(HOURLY, on_missed=rule), BEGIN, BEGIN + timedelta(hours=3, minutes=30))
    assert "".join(run.state[0] for run in plan.runs) == states
    assert all(run.sentence for run in plan.missed)

def looked(workspace, records, now): return plan_due(records, known_schedules(workspace, records, now).schedules, now)

def test_a_clock_that_jumps_a_year_ahead_and_back_silences_nothing(workspace):
    with open_records(workspace) as records:
        schedules = known_schedules(workspace, records, BEGIN).schedules
        plan_due(records, schedules, BEGIN)
        plan_due(records, schedules, BEGIN + timedelta(days=365))
        ran = due_runs(records, states=("due",))[-1]
        save_due_run(records, replace(ran, state="done"))           # something ran in that future
        assert not plan_due(records, schedules, BEGIN + timedelta(minutes=1))
        planned = plan_due(records, schedules, BEGIN + timedelta(hours=2))["hourly"].runs
    assert [run.due for run in planned] == [BEGIN + timedelta(hours=1), BEGIN + timedelta(hours=2)]

def test_an_expression_that_was_changed_counts_from_the_last_look(workspace):
    with open_records(workspace) as records:
        looked(workspace, records, BEGIN)
        (workspace.root/"schedule.yaml").write_text(ENTRY.format(cron="30 * * * *"))
        planned = looked(workspace, records, BEGIN + timedelta(minutes=30))
    assert [run.due for run in planned["hourly"].runs] == [BEGIN + timedelta(minutes=30)]

def test_a_schedule_that_was_taken_out_and_put_back_begins_anew(workspace):
    with open_records(workspace) as records:
        looked(workspace, records, BEGIN)
        looked(workspace, records, BEGIN + timedelta(hours=1))
        (workspace.root/"schedule.yaml").write_text("schedules: {}\n")
        assert not looked(workspace, records, BEGIN + timedelta(hours=2))
        assert not read_clocks(records) and [(run.state, run.ended_at) for run in due_runs(records)] == [("missed", stamp(BEGIN + timedelta(hours=2)))]
        (workspace.root/"schedule.yaml").write_text(ENTRY.format(cron="0 * * * *"))
        assert not looked(workspace, records, BEGIN + timedelta(days=30))
        planned = looked(workspace, records, BEGIN + timedelta(days=30, hours=1))
    assert len(planned["hourly"].runs) == 1

def test_a_broken_entry_keeps_its_place_in_time_and_stops_nobody(workspace):
    two = ENTRY.format(cron="0 * * * *") + "  other: {job: count, cron: '0 * * * *', market: DE, owner: marketing@example.com}\n"
    (workspace.root/"schedule.yaml").write_text(two)
    with open_records(workspace) as records:
        looked(workspace, records, BEGIN)
        (workspace.root/"schedule.yaml").write_text(two.replace("other: {job", "other: {jobb"))
        broken = known_schedules(workspace, records, BEGIN)
        assert broken.problems[0][0] == "other" and "Did you mean 'job'?" in broken.problems[0][1]
        assert set(plan_due(records, broken.schedules, BEGIN + timedelta(hours=1))) == {"hourly"}
        (workspace.root/"schedule.yaml").write_text(two)
        mended = looked(workspace, records, BEGIN + timedelta(hours=2))
    assert [run.state for run in mended["other"].runs] == ["missed", "due"]      # what it was due for meanwhile is on record

def test_records_hold_instants_that_sort_as_text():
    instants = [BEGIN, BEGIN + timedelta(microseconds=1), BEGIN.astimezone(HOURLY.zone) + timedelta(hours=1)]
    assert sorted(map(stamp, instants)) == list(map(stamp, instants)) and json.dumps(stamp(BEGIN))
