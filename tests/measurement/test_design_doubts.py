"""What cannot have been known before the assignment decides nothing, and a cap that decides says so."""
import numpy as np
import pandas as pd
import pytest
from marketing_mlops.measurement.design_doubts import design_doubts, without_doubted
from marketing_mlops.measurement.experiments import read_experiment
from marketing_mlops.measurement.intervals import NotMeasurable
from marketing_mlops.measurement.known_before import adjustment_move, share_balance, stratum_indices
from marketing_mlops.measurement.readouts import read_out
from marketing_mlops.measurement.unit_frames import metric_column
from marketing_mlops.workspace.clock import ReplayClock
from marketing_mlops.workspace.errors import DataError

BASE = dict(name="trial", hypothesis="B raises spend", objective="Choose", owner="marketing@example.com", control="a", arms={"a": .5, "b": .5},
            goal="spend_per_customer", worthwhile_effect=.5, currency="EUR", outcome_window_days=14, stopping_rule="fixed_horizon", planned_customers=1_000)
N, DAY = 4_000, pd.Timestamp("2026-03-02", tz="UTC")
COLUMNS = {"spend_per_customer": metric_column("spend_per_customer", "EUR", "goal")}

def experiment(**changes): return read_experiment(BASE | changes)

def draw(seed, more=.07):
    rng = np.random.default_rng(seed)
    arm = rng.permutation(np.array(["a", "b"]*(N//2), dtype=object))
    spend = ((rng.random(N) < .3 + more*(arm == "b"))*rng.gamma(4, 8, N)).round(2)
    return pd.DataFrame(dict(unit_id=[f"c{i}" for i in range(N)], arm=arm, spend_per_customer=spend, m=np.where(spend > 0, "buyer", "no"),
                             market=rng.choice(["DE", "AT", "CH"], N), noise=rng.normal(0, 1, N)))

@pytest.fixture(scope="module")
def customers(): return draw(1)

def codes(readout, status="review"): return [r.code for v in readout.conditions for r in v.reasons if r.severity == status]

# --- strata and segments ---
def test_a_stratum_that_is_the_outcome_changes_no_figure_and_asks_for_review(customers):
    plain, found = read_out(experiment(), customers), read_out(experiment(strata=["m"]), customers)
    pd.testing.assert_frame_equal(found.differences, plain.differences)
    assert found.decision.decision == plain.decision.decision == "ship" and "strata_differ" in codes(found) and found.experiment.strata == ("m",)

def test_a_stratum_that_leaks_too_little_for_its_shares_is_found_by_what_it_moves():
    weak = draw(5, more=.04)
    assert [d.reason.code for d in design_doubts(experiment(strata=["m"]), weak, COLUMNS)] == ["adjustment_moves"]

def test_markets_are_strata_and_segments_that_nobody_doubts(customers):
    found = read_out(experiment(strata=["market"], segments=["market"]), customers)
    assert "stratified" in found.contrasts[0].difference.estimate.method and len(found.segments) == 3 and set(codes(found)) == {"undated"}

@pytest.mark.parametrize("part", ["strata", "segments", "covariates"])
def test_what_was_known_after_the_assignment_is_refused_with_its_rows(customers, part):
    late = customers.assign(**{"assigned_at": DAY, "late": 1. + np.arange(N) % 3, "late.known_at": DAY + pd.to_timedelta(np.where(np.arange(N) == 7, 3, -3), unit="D")})
    with pytest.raises(DataError, match="late was known only after the assignment in 1 of 4,000 rows, first row 7"): read_out(experiment(**{part: ["late"]}), late)

def test_a_segment_that_is_the_outcome_is_set_aside_and_one_without_a_column_is_still_refused(customers):
    found = read_out(experiment(segments=["m", "market"]), customers)
    assert {g.segment for g in found.segments} == {"market"} and "segments_differ" in codes(found) and "By m," not in found.sentences["how_sure"]
    with pytest.raises(DataError, match="no column 'region'"): read_out(experiment(segments=["region"]), customers)

@pytest.mark.slow
def test_shares_of_what_was_known_before_differ_as_often_as_promised():
    rng = np.random.default_rng(11)
    arms, homes = pd.Series(["a", "b"]*200), pd.Series(np.arange(400)//4)
    by_home = pd.Series(np.repeat(["a", "b"]*50, 4))
    people = np.mean([share_balance(pd.Series(rng.choice(list("xyz"), 400)), arms)[1] < .05 for _ in range(200)])
    households = np.mean([share_balance(pd.Series(np.repeat(rng.choice(list("xy"), 100), 4)), by_home, homes)[1] < .05 for _ in range(100)])
    assert .015 < people < .1 and households < .13

@pytest.mark.slow
def test_strata_known_before_move_a_gain_as_often_as_promised():
    rng, alarms = np.random.default_rng(12), []
    for _ in range(300):
        strata = tuple(rng.choice(["x", "y"], 400) for _ in "ab")
        numbers = tuple(rng.gamma(2, 5, 400)*(1 + 2*(each == "x")) + 3*treated for each, treated in zip(strata, (1, 0)))
        alarms.append(adjustment_move(stratum_indices(numbers, strata)).p_value < .05)
    assert .025 < np.mean(alarms) < .08

def test_groups_too_rare_to_compare_are_no_doubt():
    with pytest.raises(NotMeasurable, match="0 groups"): share_balance(pd.Series(list("abcdefgh")), pd.Series(["a", "b"]*4))

# --- covariates ---
def test_a_covariate_that_is_the_outcome_with_noise_is_found_as_often_as_its_gain_and_decides_nothing_then(customers):
    rng, by_past = np.random.default_rng(5), experiment(covariates=["past"])
    found = {noise: np.mean([bool(design_doubts(by_past, rows.assign(past=rows.spend_per_customer + rng.normal(0, noise, N)), COLUMNS)) for rows in map(draw, range(12))]) for noise in (8, 15)}
    assert found[8] >= found[15] >= .6 and found[8] >= .9
    leaked = read_out(by_past, customers.assign(past=customers.spend_per_customer + rng.normal(0, 8, N)))
    assert "adjustment_moves" in codes(leaked) and leaked.decision.decision == "ship"
    pd.testing.assert_frame_equal(leaked.differences, read_out(experiment(), customers).differences)

def test_watched_experiments_are_asked_more_gently_and_dated_columns_not_at_all(customers):
    rng = np.random.default_rng(6)
    leaked = draw(5, more=.04).assign(**{"assigned_at": DAY, "m.known_at": DAY - pd.Timedelta(days=1)})
    assert design_doubts(experiment(strata=["m"]), leaked, COLUMNS) == ()
    undated = leaked.drop(columns="m.known_at")
    found = [d.reason.threshold for d in design_doubts(experiment(strata=["m"]), undated, COLUMNS)]
    assert found == [.05] and not design_doubts(experiment(strata=["m"], stopping_rule="always_valid"), undated, COLUMNS)

def test_only_the_columns_in_doubt_are_left_out(customers):
    promised = experiment(strata=["m", "market"], segments=["market"])
    assert without_doubted(promised, design_doubts(promised, customers, COLUMNS)) == experiment(strata=["market"], segments=["market"])

# --- caps ---
@pytest.mark.parametrize("cap,decided,code,status", [(30., "hold", "cap_decides", "review"), (.51, "hold", "cap_decides_most", "unknown"), (500., "ship", None, "review")])
def test_a_cap_that_turns_the_answer_names_both_figures(cap, decided, code, status):
    rng = np.random.default_rng(8)
    arm = np.array(["a", "b"]*(N//2), dtype=object)
    spend = (rng.random(N) < .4)*rng.gamma(9, 2, N) + ((arm == "b") & (rng.random(N) < .03))*200.
    units = pd.DataFrame(dict(unit_id=[f"c{i}" for i in range(N)], arm=arm, spend_per_customer=spend))
    found = read_out(experiment(caps={"spend_per_customer": cap}), units)
    assert found.decision.decision == decided and (code is None or code in codes(found, status))
    said = " ".join(r.message for v in found.conditions for r in v.reasons)
    assert ("EUR without it" in said) == (code is not None)

# --- units and names ---
def test_an_arm_in_cents_holds_the_test(customers):
    found = read_out(experiment(), customers.assign(spend_per_customer=customers.spend_per_customer*np.where(customers.arm == "b", 100, 1)))
    assert found.decision.decision == "hold" and "another_unit" in codes(found, "unknown") and "another_unit" not in codes(read_out(experiment(), customers), "unknown")

def test_customers_who_may_be_in_both_arms_under_two_names_hold_the_experiment(customers):
    other = int(np.flatnonzero(customers.arm != customers.arm[0])[0])
    found = read_out(experiment(), customers.assign(unit_id=customers.unit_id.where(np.arange(N) != other, "C0")))
    assert found.decision.decision == "hold" and "alike_ids" in codes(found, "unknown") and "'C0'" in found.decision.sentence

def test_outcomes_of_the_next_month_are_refused(customers):
    now = DAY + pd.Timedelta(days=30)
    ahead = customers.assign(**{"assigned_at": DAY, "spend_per_customer.known_at": now + pd.Timedelta(days=30)})
    with pytest.raises(DataError, match="known only after today, 2026-04-01"): read_out(experiment(), ahead, clock=ReplayClock(now.to_pydatetime()))

def test_an_undated_past_that_takes_a_plain_answer_away_is_for_review_and_a_dated_one_is_believed(customers):
    unlucky = customers.assign(past=customers.spend_per_customer*.6 + 8*customers.noise + .3*(customers.arm == "b"), assigned_at=DAY)
    promised = experiment(covariates=["past"], worthwhile_effect=.9)
    found, dated = read_out(promised, unlucky), read_out(promised, unlucky.assign(**{"past.known_at": DAY - pd.Timedelta(days=2)}))
    assert {"adjustment_moves", "adjustment_turns"} & {*codes(found)} and not {"adjustment_moves", "adjustment_turns"} & {*codes(dated)}
