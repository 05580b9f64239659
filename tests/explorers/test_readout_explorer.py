"""The explorer of a readout in Python: what it refuses, what it hides, and that its figures are the library's."""
import json, xml.dom.minidom
from dataclasses import replace
import numpy as np
import pandas as pd
import pytest
from readout_example import HOSTILE, LOOK, customers, promise, read
from marketing_mlops.explorers.readout_explorer import ReadoutExplorer
from marketing_mlops.explorers.readout_rows import GROUPS_SHOWN
from marketing_mlops.explorers.readout_views import VIEWS
from marketing_mlops.measurement.daily_readings import AFTER_THE_FACT, readings_by_day
from marketing_mlops.measurement.effect_verdicts import gain_in_money
from marketing_mlops.measurement.experiments import STOPPING_RULES
from marketing_mlops.measurement.readout_sentences import FAULT_ONLY, gain_sentence
from marketing_mlops.workspace.clock import ReplayClock, instant_of
from marketing_mlops.workspace.errors import DataError, MmopsError

@pytest.fixture(scope="module")
def units(): return customers()

@pytest.fixture(scope="module")
def readout(units): return read(units)

@pytest.fixture(scope="module")
def figures(readout, units): return ReadoutExplorer(readout, units, look_into=LOOK).figures

def screens(explorer):
    "Every view of every metric, arm and column."
    f = explorer.figures
    for view in VIEWS:
        for metric in f["metrics"]:
            for arm in f["arms"]:
                for segment in dict.fromkeys([s["name"] for s in f["slices"]]) or [None]:
                    yield explorer.select(view, metric=metric["name"], arm=arm, segment=segment)

def rows_of(figures): return [*figures["effects"], *(r for s in figures["days"]["series"] for r in s["rows"]), *(r for s in figures["slices"] for r in s["rows"])]

def test_no_point_stands_without_its_interval(figures):
    for row in rows_of(figures):
        if row["value"] is None: assert row["low"] is row["high"] is None and row["note"] and row["words"] == "not measured"
        else: assert row["low"] <= row["value"] <= row["high"] and row["interval"]

def test_the_goal_is_the_interval_that_decides_and_the_last_day_is_the_readout(figures, readout):
    for c in readout.contrasts[:2]:
        decides = gain_in_money(c, readout.experiment)
        whole = next(r for r in figures["effects"] if (r["metric"], r["arm"]) == (c.metric.name, c.arm))
        last = next(s for s in figures["days"]["series"] if (s["metric"], s["arm"]) == (c.metric.name, c.arm))["rows"][-1]
        assert (whole["low"], whole["high"]) == pytest.approx((decides.low, decides.high), rel=1e-5)
        assert (last["value"], last["low"], last["high"]) == (whole["value"], whole["low"], whole["high"])
        assert whole["says"] == gain_sentence(c)

def test_the_decision_is_the_readouts_whatever_is_looked_at(readout, units):
    explorer = ReadoutExplorer(readout, units, look_into=LOOK)
    for _ in screens(explorer):
        shot = explorer.snapshot()
        assert readout.decision.sentence in shot.sentence
        xml.dom.minidom.parseString(shot.svg)
    assert explorer.figures["decision"]["word"] == readout.decision.decision

@pytest.mark.parametrize("rule", STOPPING_RULES)
def test_days_are_labelled_unless_the_promise_allows_to_watch(rule, units):
    explorer = ReadoutExplorer(read(units, stopping_rule=rule), units)
    said = explorer.select("days")
    assert said.startswith(AFTER_THE_FACT) == (rule != "always_valid")
    assert (AFTER_THE_FACT in explorer.snapshot().svg) == (rule != "always_valid")

def test_a_day_knows_nothing_of_later_days(readout, units):
    changed = units.assign(spend_per_customer=units.spend_per_customer.where(units.assigned_at < "2026-03-06", 999.))
    first, second = readings_by_day(readout, units), readings_by_day(readout, changed)
    assert [str(a.contrasts[0]) == str(b.contrasts[0]) for a, b in zip(first, second)] == [True]*3 + [False]*5

@pytest.mark.slow
def test_a_day_of_a_watched_experiment_is_what_its_readout_said_that_day(units):
    readout = read(units, stopping_rule="always_valid")
    for reading in readings_by_day(readout, units)[3:5]:
        assert str(reading.contrasts) == str(read(units, clock=ReplayClock(instant_of(reading.day)), stopping_rule="always_valid").contrasts)

def test_days_after_the_readouts_own_are_left_out(readout, units):
    days = [r.day.isoformat() for r in readings_by_day(readout, units, clock=ReplayClock(instant_of("2026-03-20")))]
    assert days[-1] == "2026-03-20" and len(days) == 4

def test_groups_nobody_named_are_labelled_and_do_not_widen_those_of_the_promise(figures, readout, units):
    alone = ReadoutExplorer(readout, units).figures
    named = [s for s in figures["slices"] if s["named"]]
    assert named == alone["slices"] and all("Named in the promise." in s["words"] for s in named)
    others = [s for s in figures["slices"] if not s["named"]]
    assert {s["name"] for s in others} == set(LOOK) and all(s["words"].startswith("Exploratory: nobody named") for s in others)
    assert others[0]["rows"][0]["level"] > .95 + .02

def test_where_a_condition_failed_nothing_is_judged(units):
    broken = units[(units.arm != "long_mail") | (np.arange(len(units)) % 2 == 0)]
    explorer = ReadoutExplorer(read(broken), broken, look_into=LOOK)
    assert {r["verdict"]["status"] for r in explorer.figures["effects"]} == {""}
    for said in screens(explorer): assert FAULT_ONLY in said and "decision rests" not in said
    assert FAULT_ONLY in explorer.snapshot().svg

def test_small_cells_and_customers_stay_in_the_kernel(readout, units):
    few = units.assign(club=np.where(units.index < 12, "founders", "others"))
    explorer = ReadoutExplorer(readout, few, look_into=["club"])
    hidden = [r for s in explorer.figures["slices"] for r in s["rows"] if r.get("group") == "founders"]
    assert hidden and all(r["value"] is None and r["n"] is None for r in hidden)
    assert "c00001" not in json.dumps(explorer.figures) and "unit_id" not in json.dumps(explorer.figures)
    assert min(r["n"] for r in rows_of(explorer.figures) if r["n"] is not None) >= 20

@pytest.mark.parametrize("change,says", [
    (lambda d: d.iloc[:0], "no rows|no customers|empty"), (lambda d: d.assign(spend_per_customer=np.nan), "spend_per_customer"), (lambda d: d.assign(spend_per_customer=np.inf), "spend_per_customer"),
    (lambda d: d.drop(columns="spend_per_customer"), "spend_per_customer"), (lambda d: d.drop(columns="market"), "market")])
def test_customers_that_cannot_be_read_out_are_refused_in_words(change, says, units):
    try: explorer = ReadoutExplorer(read(change(units)), change(units))
    except MmopsError as refused: assert len(str(refused)) < 600 and "Traceback" not in str(refused); return
    assert all(r["value"] is None for r in explorer.figures["effects"])
    for _ in screens(explorer): xml.dom.minidom.parseString(explorer.snapshot().svg)

@pytest.mark.parametrize("rows", [1, 2, 30])
def test_few_customers_are_shown_as_what_cannot_be_measured(rows, units):
    few = units.iloc[:rows]
    explorer = ReadoutExplorer(read(few), few, look_into=LOOK)
    for _ in screens(explorer): xml.dom.minidom.parseString(explorer.snapshot().svg)
    assert {r["words"] for r in explorer.figures["effects"] if r["metric"] == "spend_per_customer"} == {"not measured"}
    json.dumps(explorer.figures, allow_nan=False)

def test_customers_of_one_day_have_no_series_and_it_says_why(readout, units):
    for rows, why in ((units.assign(assigned_at=units.assigned_at[0]), "one reading and no series"), (units.drop(columns="assigned_at"), "Nobody knows when"), (None, "opened without its customers")):
        explorer = ReadoutExplorer(read(units) if rows is None else read(rows), rows)
        explorer.select("days")
        assert why in explorer.snapshot().sentence and why in explorer.figures["days"]["problem"]
        with pytest.raises(DataError, match="no day"): explorer.select(day="2026-03-20")

def test_ten_thousand_groups_are_refused_afterwards_and_cut_where_the_promise_names_them(readout, units):
    many = units.assign(postcode=[f"p{i % 10_000}" for i in range(len(units))])
    with pytest.raises(DataError, match="10,000 values; at most 50"): ReadoutExplorer(readout, many, look_into=["postcode"])
    hundred = units.assign(market=[f"m{i % 100}" for i in range(len(units))])
    explorer = ReadoutExplorer(read(hundred))
    said = explorer.select("segments", segment="market")
    assert len(explorer.figures["slices"][0]["rows"]) == GROUPS_SHOWN and "60 smaller groups are not shown" in said
    assert "200 intervals" in said

def test_an_all_missing_column_is_one_unknown_group(readout, units):
    explorer = ReadoutExplorer(readout, units.assign(colour=None), look_into=["colour"])
    assert "cannot be compared" in explorer.select("segments", segment="colour")

def test_what_the_treatment_made_is_no_group(readout, units):
    for name, says in (("spend_per_customer", "no group"), ("arm", "no group"), ("opened", "differ between the arms"), ("market", "named beforehand"), ("gendr", "Did you mean 'gender'")):
        with pytest.raises(DataError, match=says): ReadoutExplorer(readout, units, look_into=[name])

def test_names_with_markup_stay_text():
    units = customers(HOSTILE)
    explorer = ReadoutExplorer(read(units, mail=HOSTILE), units.assign(gender=HOSTILE), look_into=["gender"])
    for _ in screens(explorer): assert "<img" not in explorer.snapshot().svg

def test_a_view_opens_again_and_not_where_its_day_or_column_has_gone(readout, units):
    explorer = ReadoutExplorer(readout, units, look_into=LOOK)
    explorer.select("days", day="2026-03-20", arm="short_mail")
    kept = json.loads(json.dumps(explorer.state()))
    assert ReadoutExplorer.from_state(kept, readout, units).snapshot().sentence == explorer.snapshot().sentence
    with pytest.raises(DataError, match="no column 'gender'"): ReadoutExplorer.from_state(kept, readout, units.drop(columns="gender"))
    early = ReplayClock(instant_of("2026-03-19"))
    with pytest.raises(DataError, match="no day '2026-03-20'"): ReadoutExplorer.from_state(kept | dict(as_of=early.now().isoformat()), readout, units)

def test_kept_figures_open_the_same_explorer_without_customers(readout, units):
    explorer = ReadoutExplorer(readout, units, look_into=LOOK)
    explorer.select("segments", segment=LOOK[0])
    again = ReadoutExplorer.from_state(explorer.state(), json.loads(json.dumps(explorer.figures)))
    assert again.snapshot() .svg == explorer.snapshot().svg

def test_the_same_readout_makes_the_same_bytes(readout, units):
    assert json.dumps(ReadoutExplorer(readout, units, look_into=LOOK).figures) == json.dumps(ReadoutExplorer(read(units), customers(), look_into=LOOK).figures)

def test_rows_in_another_order_say_the_same(units, figures):
    shuffled = units.sample(frac=1, random_state=3)
    other = ReadoutExplorer(read(shuffled), shuffled, look_into=LOOK).figures
    assert [r["words"] for r in rows_of(other)] == [r["words"] for r in rows_of(figures)]

@pytest.mark.parametrize("worth", [.1, 5.])
def test_another_worthwhile_effect_moves_the_line_and_the_decision_of_the_readout(worth, units):
    explorer = ReadoutExplorer(read(units, worthwhile_effect=worth))
    assert explorer.figures["effects"][0]["line"]["at"] == worth
    assert explorer.figures["by_arm"]["long_mail"]["word"] == ("ship" if worth < 1 else "stop")

def test_lower_is_better_puts_the_margin_where_harm_lies(readout, figures):
    lines = {r["metric"]: r["line"] for r in figures["effects"]}
    assert lines["unsubscribe_rate"]["at"] == 1. and lines["conversion_rate"] is None
    higher = [replace(c, metric=replace(c.metric, better="higher")) if c.role == "guardrail" else c for c in readout.contrasts]
    other = ReadoutExplorer(replace(readout, contrasts=tuple(higher))).figures
    assert next(r for r in other["effects"] if r["metric"] == "unsubscribe_rate")["line"]["at"] == -1.
