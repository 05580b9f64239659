"""The readout a reviewer signs: published figures, decisions, refusals, and sentences that follow their figures."""
import json
from dataclasses import replace
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from marketing_mlops.contracts.verdict import Decision
from marketing_mlops.measurement.contrasts import Contrast
from marketing_mlops.measurement.designs import PLAIN, compare_by_design, estimate_by_design
from marketing_mlops.measurement.differences import difference_of_means
from marketing_mlops.measurement.effect_verdicts import goal_verdict
from marketing_mlops.measurement.experiments import read_experiment
from marketing_mlops.measurement.kept_promises import REGISTERED_BEFORE, KeptPromise, promise_facts
from marketing_mlops.measurement.intervals import Moments
from marketing_mlops.measurement.lifts import relative_lift
from marketing_mlops.measurement.metric_kinds import ArmValues
from marketing_mlops.measurement.readouts import read_out
from marketing_mlops.measurement.sample_sizes import further_customers
from marketing_mlops.measurement.sample_ratio import sample_ratio
from marketing_mlops.measurement.unit_frames import MetricColumn, gather_units, metric_column
from marketing_mlops.workspace.clock import ReplayClock, WallClock, instant_of
from marketing_mlops.workspace.errors import DataError, ParameterError
from marketing_mlops.workspace.params import read_yaml

BASE = dict(name="trial", hypothesis="A mail raises spend", objective="Choose a mail", owner="marketing@example.com", control="none",
            arms={"none": .5, "mail": .5}, goal="spend_per_customer", worthwhile_effect=.5, currency="EUR", outcome_window_days=14,
            stopping_rule="fixed_horizon", planned_customers=1_000)

IN_APRIL = pd.Timestamp("2026-04-01", tz="UTC")

def customers(n=4_000, arms=("none", "mail"), gain=2., seed=0):
    rng = np.random.default_rng(seed)
    arm = rng.permutation(np.array([arms[i % len(arms)] for i in range(n)], dtype=object))
    buys = rng.random(n) < np.where(arm == "none", .10, .10+gain/40)
    return pd.DataFrame(dict(unit_id=[f"c{i}" for i in range(n)], arm=arm, conversion_rate=buys.astype(int),
                             spend_per_customer=buys*rng.gamma(2, 20, n).round(2), complaint_rate=(rng.random(n) < .01).astype(int)))

@pytest.fixture(scope="module")
def hillstrom(datasets):
    raw = pd.read_csv(datasets/"hillstrom"/"hillstrom.csv")
    return pd.DataFrame(dict(unit_id=raw.index.astype(str), arm=raw.segment, visit_rate=raw.visit, conversion_rate=raw.conversion,
                             spend_per_customer=raw.spend, assigned_at=pd.Timestamp("2008-03-01", tz="UTC")))

@pytest.fixture(scope="module")
def email(repository):
    return read_experiment(read_yaml(repository/"data/replays/params.yaml")["models"]["hillstrom_email"]["experiment"])

# --- published figures ---
ARMS = {"Mens E-Mail": (21_307, 3_894, .182757, 267, .012531, 30_311.69, 1.422617), "Womens E-Mail": (21_387, 3_238, .151400, 189, .008837, 23_038.11, 1.077202),
        "No E-Mail": (21_306, 2_262, .106167, 122, .005726, 13_908.33, .652789)}
EFFECTS = {("Mens E-Mail", "visit_rate"): (.076590, 22.486), ("Mens E-Mail", "conversion_rate"): (.006805, 7.385), ("Mens E-Mail", "spend_per_customer"): (.769827, 5.300),
           ("Womens E-Mail", "visit_rate"): (.045233, 13.949), ("Womens E-Mail", "conversion_rate"): (.003111, 3.780), ("Womens E-Mail", "spend_per_customer"): (.424412, 3.256)}

def test_hillstrom_arms_are_those_of_the_reference(hillstrom, email):
    table = read_out(email, hillstrom).arm_table.set_index(["arm", "metric"])
    for arm, (n, *figures) in ARMS.items():
        for metric, total, value in zip(("visit_rate", "conversion_rate", "spend_per_customer"), figures[::2], figures[1::2]):
            row = table.loc[(arm, metric)]
            assert (row["n"], round(row["total"], 2), round(row["value"], 6)) == (n, total, value)
            assert row["low"] < row["value"] < row["high"]

def test_hillstrom_effects_are_those_of_the_reference(hillstrom, email):
    table = read_out(email, hillstrom).differences.set_index(["arm", "metric"])
    for key, (value, statistic) in EFFECTS.items():
        assert table.loc[key, "value"] == pytest.approx(value, abs=1.01e-6)
        assert round(table.loc[key, "statistic"], 3) == statistic
    assert round(table.loc[("Womens E-Mail", "conversion_rate"), "p_value"], 6) == .000157
    assert round(table.loc[("Womens E-Mail", "spend_per_customer"), "p_value"], 5) == .00113

def test_hillstrom_is_a_healthy_split_and_ships_the_mens_mail_set_afterwards(hillstrom, email):
    readout = read_out(email, hillstrom, clock=ReplayClock(instant_of("2008-03-20")))
    assert readout.sample_ratio.passed and "chi-square 0.2025, p 0.904" in readout.sample_ratio.reasons[0].message
    assert (readout.decision.decision, next(iter(readout.arm_decisions)), readout.label) == ("ship", "Mens E-Mail", "set afterwards, replay")
    assert "Womens E-Mail is worth it too, with a smaller gain." in readout.sentences["decision"]
    assert "set afterwards" in readout.decision.sentence and "This is a replay." in readout.decision.sentence

def test_hillstrom_any_mail_against_none(hillstrom, email):
    pooled = hillstrom.assign(arm=hillstrom["arm"].where(hillstrom["arm"] == "No E-Mail", "any mail"))
    table = read_out(replace(email, arms={"No E-Mail": 1/3, "any mail": 2/3}), pooled).differences.set_index("metric")["value"]
    assert [round(table[m], 6) for m in ("visit_rate", "conversion_rate", "spend_per_customer")] == [.060882, .004955, .596796]

def test_shuffled_rows_and_columns_change_no_figure(hillstrom, email):
    shuffled = hillstrom.sample(frac=1, random_state=1)[list(reversed(hillstrom.columns))]
    first, second = read_out(email, hillstrom), read_out(email, shuffled)
    assert first.sentences == second.sentences
    pd.testing.assert_frame_equal(first.differences, second.differences, rtol=1e-9)

def test_one_per_cent_of_nonsense_is_refused_with_its_rows(hillstrom, email):
    broken = hillstrom.copy()
    broken.loc[::100, "spend_per_customer"] = np.nan
    broken.loc[1::100, "arm"] = "Kids E-Mail"
    broken.loc[2::100, "visit_rate"] = 7
    with pytest.raises(DataError) as refused: read_out(email, broken)
    said = str(refused.value)
    assert "640 of 64,000 rows, first row 0" in said and "'Kids E-Mail' of 640 customers" in said and "visit_rate must be 0 or 1" in said
    assert len(said.splitlines()) == 2 and set(refused.value.fields["faults"]) == {"spend_per_customer", "arm", "visit_rate"}

def test_landing_page_agrees_with_the_reference(datasets):
    raw = pd.read_csv(datasets/"ab-landing-page"/"ab_data.csv.gz")
    clean = raw[(raw.group == "treatment") == (raw.landing_page == "new_page")].drop_duplicates("user_id")
    units = pd.DataFrame(dict(unit_id=clean.user_id.astype(str), arm=clean.group, conversion_rate=clean.converted))
    page = read_experiment(BASE | dict(name="landing_page", control="control", arms={"control": .5, "treatment": .5}, goal="conversion_rate",
                                       goal_value=40., worthwhile_effect=.10, planned_customers=290_000))
    readout = read_out(page, units)
    row, arms = readout.differences.iloc[0], readout.arm_table.set_index("arm")
    assert arms["total"].to_dict() == {"control": 17_489, "treatment": 17_264} and arms["n"].to_dict() == {"control": 145_274, "treatment": 145_310}
    assert [round(row[k], d) for k, d in (("value", 6), ("statistic", 4), ("p_value", 5))] == [-.001578, -1.3109, .18988]
    assert "chi-square 0.0045" in readout.sample_ratio.reasons[0].message
    assert readout.decision.decision == "stop", "even the high end, +3 cents per visitor, is below ten cents"

def test_landing_page_with_its_mismatched_rows_is_refused(datasets):
    raw = pd.read_csv(datasets/"ab-landing-page"/"ab_data.csv.gz")
    units = pd.DataFrame(dict(unit_id=raw.user_id.astype(str), arm=raw.group, conversion_rate=raw.converted))
    with pytest.raises(DataError, match="unit_id is not unique"):
        read_out(read_experiment(BASE | dict(control="control", arms={"control": .5, "treatment": .5}, goal="conversion_rate", goal_value=40.)), units)

# --- when it is over ---
@pytest.mark.parametrize("now,waits", [("2026-04-20", True), ("2026-05-10", False)])
def test_nobody_is_told_to_wait_for_customers_of_a_mailing_that_is_over(now, waits):
    few = customers(4_000).assign(spend_per_customer=lambda u: u.spend_per_customer.where(u.index < 120, 0.), assigned_at=IN_APRIL)
    for planned in (1_000, 9_000):
        experiment = read_experiment(BASE | dict(planned_customers=planned, planned_end="2026-04-30"))
        readout = read_out(experiment, few, clock=ReplayClock(instant_of(now)))
        assert readout.decision.decision == "hold"
        advice = [readout.sentences["would_change"], *(d.would_change for d in readout.arm_decisions.values()),
                  *(r.next_step for d in readout.arm_decisions.values() for v in d.verdicts for r in v.reasons)]
        assert any("Wait" in said for said in advice) is waits, advice
        if not waits: assert any("measured from about" in said and "customers" in said and "metric" in said for said in advice)

def ended_with_few_spenders():
    few = customers(4_000).assign(spend_per_customer=lambda u: u.spend_per_customer.where(u.index < 1_000, 0.), assigned_at=IN_APRIL)
    experiment = read_experiment(BASE | dict(planned_end="2026-04-30"))
    return few, experiment, read_out(experiment, few, clock=ReplayClock(instant_of("2026-05-10"))).contrasts[0]

def proposed(after, said): return int(said.split(f"{after} about ")[1].split()[0].replace(",", ""))

def test_the_repetition_proposed_is_as_large_as_settling_takes_and_not_only_as_measuring_does():
    few, experiment, goal = ended_with_few_spenders()
    settling = proposed("Repeat it with", goal.check.remedy)
    assert "settle it with a chance of 80 %" in goal.check.remedy
    further = further_customers(goal.seen, experiment.worthwhile_effect)
    assert settling >= len(few) + further > proposed("measured from", goal.check.remedy) and settling < 1.2*(len(few) + further)

def test_a_repetition_that_no_realistic_number_would_settle_is_not_given_a_size():
    few, experiment, goal = ended_with_few_spenders()
    near = replace(experiment, worthwhile_effect=goal.seen.estimate.value + 1e-9)
    said = read_out(near, few, clock=ReplayClock(instant_of("2026-05-10"))).sentences["would_change"]
    assert "no realistic number would settle" in said and "Repeat it with" not in said

def test_from_the_number_named_on_the_figure_can_be_measured():
    few, experiment, goal = ended_with_few_spenders()
    times = -(-proposed("measured from", goal.check.remedy)//len(few))
    larger = pd.concat([few.assign(unit_id=few.unit_id+f"-{i}") for i in range(times)], ignore_index=True)
    assert read_out(experiment, larger, clock=ReplayClock(instant_of("2026-05-10"))).contrasts[0].check.level > 0

def test_a_gain_that_cannot_be_decided_by_is_printed_nowhere():
    "Twenty-six buyers who all spend the same, in one arm of 450 customers: the mean would look very sure of itself."
    units = pd.DataFrame(dict(unit_id=[f"c{i}" for i in range(900)], arm=["none", "mail"]*450, spend_per_customer=0.))
    units.loc[units.index[units["arm"] == "mail"][:60], "spend_per_customer"] = 40.
    units.loc[units.index[units["arm"] == "none"][:26], "spend_per_customer"] = 40.
    readout = read_out(read_experiment(BASE | dict(planned_customers=800)), units)
    row, control = readout.differences.iloc[0], readout.arm_table.set_index("arm").loc["none"]
    assert pd.isna(row[["value", "low", "high", "p_value", "p_adjusted"]]).all() and pd.isna(control[["value", "low", "high"]]).all()
    told = "worth 26.0 customers who spend alike"
    assert told in row["note"] and told in control["note"] and told in readout.decision.sentence and readout.decision.decision == "hold"

def test_tables_print_the_very_intervals_whose_coverage_is_recorded():
    units = customers(4_000, gain=3.)
    readout = read_out(read_experiment(BASE), units)
    mailed, others = (ArmValues(units.loc[units["arm"] == arm, "spend_per_customer"].to_numpy(dtype=float)) for arm in ("mail", "none"))
    compared, one = compare_by_design(mailed, others, "mean", PLAIN, .95, "EUR").estimate, estimate_by_design(mailed, "mean", .95, "EUR")
    row, arm = readout.differences.iloc[0], readout.arm_table.set_index("arm").loc["mail"]
    assert [row.low, row.high, arm.low, arm.high] == [compared.low, compared.high, one.low, one.high]
    assert [row.method, arm.method] == ["Welch t", one.method] and compared.method in ("Welch", "widened Welch")

# --- decisions ---
@pytest.mark.parametrize("gain,effect,decision", [(3., .5, "ship"), (.5, .5, "hold"), (0., 4., "stop"), (-2., .0, "stop")])
def test_a_decision_follows_the_interval_and_the_threshold(gain, effect, decision):
    assert read_out(read_experiment(BASE | dict(worthwhile_effect=effect)), customers(12_000, gain=gain)).decision.decision == decision

def test_the_threshold_named_in_would_change_it_is_where_the_decision_turns():
    units, experiment = customers(12_000, gain=3.), read_experiment(BASE)
    contrast = read_out(experiment, units).contrasts[0]
    turn = min(contrast.difference.estimate.low, contrast.check.low)
    decisions = [read_out(replace(experiment, worthwhile_effect=turn+step), units).decision.decision for step in (-1e-6, 1e-6)]
    assert decisions == ["ship", "hold"]
    assert f"{turn:.2f} EUR per customer or more" in read_out(experiment, units).sentences["would_change"]

def test_a_failed_split_holds_whatever_the_effect():
    units = customers(12_000, gain=8.)
    readout = read_out(read_experiment(BASE), units[(units.arm == "none") | (units.index % 10 != 0)])
    assert readout.decision.decision == "hold" and "cannot be trusted" in readout.decision.sentence
    assert all(d.decision == "hold" for d in readout.arm_decisions.values())

@pytest.mark.parametrize("now,n,said", [("2026-03-10", 4_000, "has not passed"), ("2026-05-10", 600, "600 of 1,000"), ("2026-04-30T12:00:00Z", 4_000, "has not passed")])
def test_an_early_reading_holds_and_says_so(now, n, said):
    experiment = read_experiment(BASE | dict(planned_end="2026-04-30"))
    readout = read_out(experiment, customers(n, gain=8.), clock=ReplayClock(instant_of(now)))
    assert readout.decision.decision == "hold" and said in readout.decision.sentence and "as declared beforehand" in readout.decision.sentence

def test_a_planned_end_needs_a_clock_and_the_wall_clock_is_no_replay():
    experiment = read_experiment(BASE | dict(planned_end="2020-04-30"))
    with pytest.raises(ValueError, match="clock"): read_out(experiment, customers())
    live = read_out(experiment, customers(), clock=WallClock())
    assert live.clock == "live" and "replay" not in live.decision.sentence

def test_open_outcome_windows_hold():
    units = customers().assign(assigned_at=pd.Timestamp("2026-05-01", tz="UTC"))
    early, late = (read_out(read_experiment(BASE), units, clock=ReplayClock(instant_of(day))).decision.decision for day in ("2026-05-10", "2026-05-16"))
    assert (early, late) == ("hold", "ship")

@pytest.mark.parametrize("assigned_at", [None, pd.Series([IN_APRIL]*3_999)])
def test_without_a_day_of_assignment_the_outcome_window_is_unknown_and_holds(assigned_at):
    units = customers() if assigned_at is None else customers().assign(assigned_at=assigned_at)
    readout = read_out(read_experiment(BASE), units, clock=ReplayClock(instant_of("2026-05-16")))
    window = next(v for v in readout.conditions if v.subject == "outcome window")
    assert (window.status, window.reasons[0].code, readout.decision.decision) == ("unknown", "window_unknown", "hold")

def test_an_outcome_known_before_its_customer_was_assigned_is_refused_with_rows():
    units = customers().assign(assigned_at=IN_APRIL, **{"spend_per_customer.known_at": IN_APRIL + pd.Timedelta(days=3)})
    assert read_out(read_experiment(BASE), units).decision.decision == "ship"
    units.loc[:50, "spend_per_customer.known_at"] = IN_APRIL - pd.Timedelta(days=30)
    with pytest.raises(DataError, match="known before the assignment in 51 of 4,000 rows, first row 0"): read_out(read_experiment(BASE), units)

def test_a_threshold_lowered_after_the_test_is_never_said_to_be_registered_before():
    units, promised = customers().assign(assigned_at=IN_APRIL), read_experiment(BASE | dict(worthwhile_effect=5.))
    kept, lowered = [KeptPromise(instant_of("2026-05-01"), promise_facts(promised))], read_experiment(BASE | dict(registered_at="2026-03-01T00:00:00Z"))
    readout = read_out(lowered, units, kept=kept)
    assert "worthwhile effect 5.00 → 0.50, changed after the first assignment" in readout.registration and readout.registration in readout.decision.sentence
    assert [(v.subject, v.status, v.reasons[0].code) for v in readout.conditions[-1:]] == [("registration", "review", "differs_from_ledger")]
    assert REGISTERED_BEFORE not in str(readout.to_dict())
    assert (readout.decision.decision, readout.experiment.worthwhile_effect) == (read_out(promised, units).decision.decision, 5.) == ("stop", 5.)
    assert "gives stop, the changed one (worthwhile from 0.50 EUR per customer on) would give ship" in readout.decision.sentence

def test_another_goal_or_window_than_the_registered_one_decides_nothing():
    units, promised = customers().assign(assigned_at=IN_APRIL), read_experiment(BASE)
    kept = [KeptPromise(instant_of("2026-03-01"), promise_facts(promised))]
    for change in (dict(outcome_window_days=1), dict(currency="SEK")):
        readout = read_out(replace(promised, **change), units, kept=kept)
        assert readout.decision.decision == "hold" and "the question is not the one that was registered" in readout.decision.sentence

def test_where_nothing_may_be_concluded_no_sentence_rests_a_decision_on_the_figures():
    units = customers().assign(assigned_at=IN_APRIL)
    assert "the decision rests on" in read_out(read_experiment(BASE), units).sentences["how_sure"]
    lossy = read_out(read_experiment(BASE), units[(units.arm != units.arm.iloc[0]) | (np.arange(len(units)) % 3 > 0)])
    assert lossy.decision.decision == "hold" and "rests on" not in str(lossy.to_dict()["sentences"])
    assert lossy.sentences["how_sure"].startswith("Shown for finding the fault, not for deciding.")

def test_harm_outweighs_gain_and_a_margin_has_to_be_kept():
    units = customers(12_000, gain=6.)
    harmed = units.assign(complaint_rate=np.where(units.arm == "mail", (units.index % 20 == 0), units.complaint_rate).astype(int))
    experiment = read_experiment(BASE | dict(guardrails=["complaint_rate"]))
    assert read_out(experiment, units).decision.decision == "ship"
    assert read_out(experiment, harmed).decision.decision == "stop"
    tight, wide = (replace(experiment, guardrail_margins={"complaint_rate": m}) for m in (.001, .02))
    assert [read_out(e, units).decision.decision for e in (tight, wide)] == ["hold", "ship"]
    assert "further customers" in read_out(tight, units).sentences["would_change"]

def test_a_guardrail_without_a_limit_never_passes_for_want_of_evidence():
    units = customers(12_000, gain=6.)
    readout = read_out(read_experiment(BASE | dict(guardrails=["complaint_rate"])), units)
    found = next(v for d in readout.arm_decisions.values() for v in d.verdicts if v.subject == "mail: complaint_rate")
    assert (found.status, found.reasons[0].code) == ("review", "no_harm_limit") and readout.decision.decision == "ship"
    assert all("no harm limit was declared: not judged" in readout.sentences[passage] for passage in ("decision", "how_sure"))

def test_a_gain_of_a_ratio_is_not_called_money_per_customer():
    rng = np.random.default_rng(3)
    orders = rng.poisson(1.5, 6_000)
    units = pd.DataFrame({"unit_id": np.arange(6_000).astype(str), "arm": np.where(np.arange(6_000) % 2, "mail", "none"),
                          "average_order_value": orders*rng.gamma(4, np.where(np.arange(6_000) % 2, 10, 12)), "average_order_value.denominator": orders})
    readout = read_out(read_experiment(BASE | dict(goal="average_order_value")), units)
    assert "per order" in readout.decision.sentence and "per customer" not in readout.decision.sentence
    assert "the whole range is a loss" in readout.sentences["would_change"]

def test_several_diagnostics_are_a_list_with_a_bounded_share_of_luck(hillstrom, email):
    readout = read_out(email, hillstrom)
    looked = readout.differences.query("role == 'diagnostic'")
    assert looked["p_adjusted"].tolist() == pytest.approx(stats.false_discovery_control(looked["p_value"].to_numpy()).tolist())
    assert "Of the 4 comparisons of diagnostics 4 stand out" in readout.sentences["how_sure"]

def test_a_goal_of_which_less_is_better_ships_when_it_falls():
    units = customers(8_000).assign(complaint_rate=lambda u: ((u.index % 100) < np.where(u.arm == "none", 20, 10)).astype(int))
    experiment = read_experiment(BASE | dict(goal="complaint_rate", goal_value=25., worthwhile_effect=1.))
    readout = read_out(experiment, units)
    assert (readout.differences["value"][0] < 0, readout.decision.decision) == (True, "ship")

def test_several_arms_share_the_error_and_each_has_its_decision():
    units = customers(18_000, arms=("none", "good", "useless"), gain=0.)
    good = units.arm == "good"
    units.loc[good & (units.index % 9 == 0), "spend_per_customer"] += 40
    readout = read_out(read_experiment(BASE | dict(arms={"none": 1/3, "good": 1/3, "useless": 1/3}, diagnostics=["conversion_rate"])), units)
    assert {a: d.decision for a, d in readout.arm_decisions.items()} in ({"good": "ship", "useless": "stop"}, {"good": "ship", "useless": "hold"})
    assert readout.differences["level"].round(4).tolist() == [.975]*4 and readout.decision.decision == "ship"
    adjusted = readout.differences.query("role == 'goal'")
    assert (adjusted["p_adjusted"] >= adjusted["p_value"]).all()
    assert all(not v.subject.startswith("useless") for v in readout.decision.verdicts)

# --- what cannot be measured ---
def degenerate():
    units = customers(2_000)
    yield "an empty arm", units[units.arm == "none"]
    yield "no spread", units.assign(spend_per_customer=0.)
    yield "a constant amount", units.assign(spend_per_customer=9.9)
    yield "one treated customer", pd.concat([units[units.arm == "none"], units[units.arm == "mail"].head(1)])
    yield "few spenders", units.assign(spend_per_customer=units.spend_per_customer.where(units.index % 50 == 0, 0))
    yield "two customers", pd.concat([units[units.arm == a].head(1) for a in ("none", "mail")])
    yield "nobody", units.head(0)

@pytest.mark.parametrize("name,units", list(degenerate()), ids=lambda v: v if isinstance(v, str) else "")
def test_what_cannot_be_measured_is_unknown_and_never_nan(name, units):
    experiment = read_experiment(BASE | dict(planned_customers=1, guardrails=["complaint_rate"]))
    readout = read_out(experiment, units)
    assert readout.decision.decision == "hold"
    manifest = json.dumps(readout.to_dict(), allow_nan=False)
    assert "nan" not in manifest.lower().replace("financ", "") and "inf" not in {w.strip('",:.') for w in manifest.split()}
    goal = next(v for d in readout.arm_decisions.values() for v in d.verdicts if v.subject == "mail: spend_per_customer")
    assert goal.status == "unknown" and goal.reasons[0].message and goal.reasons[0].next_step
    assert all("nan" not in sentence.lower() for sentence in readout.sentences.values())

def test_no_lift_without_an_interval():
    table = read_out(read_experiment(BASE), customers()).differences
    assert table[["value", "low", "high"]].notna().all().all()
    for value, low, high in table[["lift_value", "lift_low", "lift_high"]].itertuples(index=False): assert pd.isna(value) == pd.isna(low) == pd.isna(high)

# --- sentences ---
def test_every_passage_changes_with_a_figure_of_its_own():
    units, experiment = customers(12_000, gain=3.), read_experiment(BASE | dict(guardrails=["complaint_rate"]))
    before = read_out(experiment, units).sentences
    richer = units.assign(spend_per_customer=units.spend_per_customer.where(units.arm == "none", units.spend_per_customer*1.05))
    assert all(read_out(experiment, richer).sentences[k] != before[k] for k in before)
    complaining = units.assign(complaint_rate=units.complaint_rate.mask((units.arm == "mail") & (units.index < 60), 1))
    assert read_out(experiment, complaining).sentences["how_sure"] != before["how_sure"]
    assert read_out(replace(experiment, worthwhile_effect=.6), units).sentences["decision"] != before["decision"]

def test_names_are_shown_as_they_are_and_escaped_in_markdown():
    arm = "<script>alert('x')</script> 🎁 | *bold*"
    units = customers(4_000).replace({"arm": {"mail": arm}}).assign(unit_id=lambda u: u.unit_id + " 🧾")
    readout = read_out(read_experiment(BASE | dict(arms={"none": .5, arm: .5})), units)
    assert arm in readout.sentences["how_sure"] and "<script>" not in readout._repr_markdown_()
    assert json.loads(json.dumps(readout.to_dict()))["differences"][0]["arm"] == arm

def test_the_manifest_holds_no_customer_and_restores_the_decision():
    units = customers(4_000).assign(unit_id=lambda u: "secret-" + u.unit_id)
    manifest = read_out(read_experiment(BASE), units).to_dict()
    assert "secret-" not in json.dumps(manifest)
    assert Decision.from_dict(manifest["decision"]).decision == manifest["decision"]["decision"]

# --- unit frames ---
def test_a_unit_frame_is_not_modified_and_may_hold_other_columns():
    units = customers().assign(email="x", segment=None)
    before = units.copy(deep=True)
    read_out(read_experiment(BASE), units)
    pd.testing.assert_frame_equal(units, before)

@pytest.mark.parametrize("change,said", [
    (dict(unit_id=lambda u: ["c1"]*len(u)), "not unique"), (dict(unit_id=lambda u: u.unit_id.where(u.index > 3)), "unit_id is missing in 4"),
    (dict(arm=lambda u: u.arm.where(u.index > 3)), "is not declared"), (dict(arm=lambda u: u.arm.str.upper()), "Did you mean 'mail'?"),
    (dict(spend_per_customer="29,90"), "no numbers"), (dict(spend_per_customer=np.inf), "missing or infinite")])
def test_faults_of_a_unit_frame_are_named(change, said):
    with pytest.raises(DataError, match="cannot be compared") as refused: read_out(read_experiment(BASE), customers().assign(**change))
    assert said in str(refused.value)

def test_a_missing_column_offers_the_nearest():
    with pytest.raises(DataError, match="Did you mean 'spend_per_costumer'?"):
        read_out(read_experiment(BASE), customers().rename(columns={"spend_per_customer": "spend_per_costumer"}))

def test_gathering_keeps_everybody_assigned_and_counts_nothing_found_as_zero():
    people = pd.DataFrame(dict(unit_id=["a", "b", "c"], arm=["none", "mail", "mail"], note=["x"]*3))
    spend = MetricColumn("spend_per_customer", "Spend", "mean", "EUR")
    found = gather_units(people, {spend: pd.DataFrame(dict(customer_id=["c", "z"], numerator=[5., 7.], denominator=[1, 1]))})
    assert found.to_dict("list") == {"unit_id": ["a", "b", "c"], "arm": ["none", "mail", "mail"], "spend_per_customer": [0., 0., 5.]}
    with pytest.raises(DataError, match="several rows"): gather_units(people, {spend: pd.DataFrame(dict(customer_id=["c", "c"], numerator=[5., 7.]))})

def test_a_metric_is_measured_as_it_was_declared():
    assert metric_column("net_revenue_per_customer", "EUR", "goal").unit == "EUR"
    assert metric_column("average_order_value", "EUR").kind == "ratio"
    assert metric_column("complaint_rate", "EUR", "guardrail") == MetricColumn("complaint_rate", metric_column("complaint_rate", "EUR").label, "proportion", "share", "lower")
    with pytest.raises(ParameterError): metric_column("frequency", "EUR", "guardrail")

def test_a_ratio_is_read_out_over_customers():
    rng = np.random.default_rng(2)
    orders = rng.poisson(1.5, 6_000)
    units = pd.DataFrame({"unit_id": np.arange(6_000).astype(str), "arm": np.where(np.arange(6_000) % 2, "mail", "none"),
                          "average_order_value": orders*rng.gamma(4, np.where(np.arange(6_000) % 2, 12, 10)), "average_order_value.denominator": orders})
    readout = read_out(read_experiment(BASE | dict(goal="average_order_value")), units)
    row = readout.arm_table.iloc[0]
    assert row["total"]/row["base"] == pytest.approx(row["value"]) and row["method"] == "delta" and readout.decision.decision == "ship"

# --- sample ratio ---
def test_sample_ratio_refuses_strange_arms_and_shares():
    for counts, shares in (({"c": 5}, {"a": .5, "b": .5}), ({"a": 5}, {"a": .5, "b": .4}), ({"a": -5}, {"a": .5, "b": .5}), ({"a": 1.5}, {"a": .5, "b": .5}), ({}, {"a": 1.})):
        with pytest.raises(ValueError): sample_ratio(counts, shares)
    assert sample_ratio({}, {"a": .5, "b": .5}).status == "unknown"
    assert sample_ratio({"a": 400}, {"a": .5, "b": .5}).status == "fail"

# --- two opinions ---
@pytest.mark.parametrize("low,high,status", [(.6, 1.4, "pass"), (.4, 1.4, "review"), (-1., .45, "review"), (.6, 3., "pass")])
def test_a_goal_is_clear_only_where_both_opinions_are(low, high, status):
    goal = MetricColumn("spend_per_customer", "Spend per customer", "mean", "EUR")
    gain = difference_of_means(Moments(4_000, 2., 9.), Moments(4_000, 1., 9.), unit="EUR")
    contrast = Contrast(goal, "goal", "mail", "none", gain, relative_lift(gain), replace(gain.estimate, low=low, high=high))
    assert goal_verdict(contrast, read_experiment(BASE)).status == status

@pytest.mark.parametrize("high,status", [(1.6, "review"), (1.4, "fail")])
def test_a_goal_is_stopped_only_where_both_opinions_lie_below(high, status):
    goal = MetricColumn("spend_per_customer", "Spend per customer", "mean", "EUR")
    gain = difference_of_means(Moments(4_000, 2., 9.), Moments(4_000, 1., 9.), unit="EUR")
    contrast = Contrast(goal, "goal", "mail", "none", gain, relative_lift(gain), replace(gain.estimate, high=high))
    assert goal_verdict(contrast, read_experiment(BASE | dict(worthwhile_effect=1.5))).status == status

@pytest.mark.parametrize("more, word", [(.1, ("review", "denominator_moved")), (0., None)])
def test_an_average_over_other_orders_is_reviewed_with_orders_and_money_per_customer(more, word):
    n, rng = 6_000, np.random.default_rng(2)
    treated, anyway = np.arange(n) % 2 == 1, np.arange(n)//2 % 10 == 0
    extra = (rng.random(n) < more) & treated
    units = pd.DataFrame({"unit_id": [f"c{i}" for i in range(n)], "arm": np.where(treated, "promo_mail", "no_mail"), "assigned_at": IN_APRIL,
                          "average_order_value": anyway*rng.gamma(16, 5, n) + extra*rng.gamma(9, 10/3, n), "average_order_value.denominator": anyway*1. + extra})
    arms = dict(arms={"no_mail": .5, "promo_mail": .5}, control="no_mail", goal="average_order_value", guardrails=[], guardrail_margins={}, diagnostics=[])
    found = [v for v in read_out(read_experiment(BASE | arms), units).conditions if v.subject == "denominators"]
    assert [(v.status, v.reasons[0].code) for v in found] == [word]*bool(word)
    assert not found or ("orders per customer changed by +0." in found[0].reasons[0].message and "EUR per customer changed by +" in found[0].reasons[0].message)
