"""Uplift curves against scikit-uplift's recorded answers, on Hillstrom's file, and by simulation."""
import json
from pathlib import Path
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from marketing_mlops.measurement.intervals import NotMeasurable
from marketing_mlops.measurement.uplift_curves import POINTS, _cells, area_over_chance, depth_ends, gains_by_depth, qini_curve, scored_rows, uplift_at
from marketing_mlops.workspace.errors import DataError

ROOT = Path(__file__).resolve().parents[2]
ORACLE = json.loads((Path(__file__).parent/"oracles"/"uplift.json").read_text())
RECORDED = json.loads((ROOT/"benchmarks"/"results"/"uplift_error_rates.json").read_text())

def gains_at(rows, reached):
    ends = np.unique([*reached, len(rows.score)])
    return gains_by_depth(_cells(rows, ends))[np.searchsorted(ends, reached)]

def test_the_curve_and_its_area_are_those_of_scikit_uplift():
    case = {k: np.array(v) for k, v in ORACLE["formula"].items() if k in ("score", "treated", "outcome")}
    rows = scored_rows(case["score"], case["treated"] == 1, case["outcome"])
    assert gains_at(rows, ORACLE["formula"]["reached"]) == pytest.approx(ORACLE["formula"]["gains"], abs=1e-12)
    ends = depth_ends(rows.score)
    assert len(ends) == POINTS and area_over_chance(ends/100, gains_by_depth(_cells(rows, ends))) == pytest.approx(ORACLE["formula"]["area"], abs=1e-12)

@pytest.mark.parametrize("share", ["0.1", "0.3", "0.5"])
def test_uplift_among_the_first_is_that_of_scikit_uplift(share):
    case = {k: np.array(ORACLE["formula"][k]) for k in ("score", "treated", "outcome")}
    found = uplift_at(case["score"], case["treated"] == 1, case["outcome"], float(share))
    assert found.estimate.value == pytest.approx(ORACLE["formula"]["uplift_at"][share], abs=1e-12) and found.share == float(share)

@pytest.fixture(scope="module")
def womens(datasets):
    df = pd.read_csv(datasets/"hillstrom"/"hillstrom.csv")
    return df[df["segment"].isin(["Womens E-Mail", "No E-Mail"])].reset_index(drop=True)

def test_on_hillstrom_the_curve_is_that_of_scikit_uplift(womens):
    rows = scored_rows(womens["history"], (womens["segment"] == "Womens E-Mail").to_numpy(), womens["visit"])
    assert gains_at(rows, ORACLE["hillstrom"]["reached"]) == pytest.approx(ORACLE["hillstrom"]["gains"], abs=1e-12)

def test_on_hillstrom_the_published_uplift_lies_in_the_interval_of_a_model_of_the_published_kind(womens):
    from sklearn.ensemble import HistGradientBoostingClassifier
    X = pd.get_dummies(womens[["recency", "history", "mens", "womens", "zip_code", "newbie", "channel"]]).astype(float)
    treated, visit, train = (womens["segment"] == "Womens E-Mail").to_numpy(), womens["visit"].to_numpy(), np.random.default_rng(42).random(len(womens)) < .7
    same = (visit == treated).astype(int)          # class transformation, as in the published notebook
    model = HistGradientBoostingClassifier(max_iter=50, learning_rate=.05, max_leaf_nodes=8, min_samples_leaf=200, random_state=0).fit(X[train], same[train])
    score = model.predict_proba(X[~train])[:, 1]
    found = uplift_at(score, treated[~train], visit[~train], .3)
    assert found.estimate.low < .0661 < found.estimate.high

@pytest.mark.parametrize("n_top", [3, 59, 60, 61, 1_000])
def test_a_ranking_with_two_levels_keeps_its_cut_however_small_the_top_is(n_top):
    score = np.repeat([2., 1.], [n_top, 6_000-n_top])
    assert depth_ends(score).tolist() == [n_top, 6_000]

def test_a_small_group_that_gains_shows_in_the_coefficient_and_in_the_test_alike():
    rng, n = np.random.default_rng(14), 6_000
    top, treated = np.arange(n) < 50, rng.random(n) < .5
    found = qini_curve(top.astype(float), treated, (rng.random(n) < .1 + .8*top*treated).astype(float))
    assert len(found.points) == 2 and found.coefficient.low > 0

def draw(rng, n=3_000):
    x, treated = rng.random(n), rng.random(n) < .5
    return x, treated, rng.random(n) < .1 + .1*x*treated

@pytest.mark.slow
def test_a_random_score_is_found_about_five_times_in_a_hundred():
    rng, found = np.random.default_rng(31), 0
    for i in range(120):
        _, treated, visit = draw(rng, 1_500)
        c = qini_curve(rng.random(1_500), treated, visit, seed=i).coefficient
        found += not c.low <= 0 <= c.high
    assert stats.binom.ppf(.0005, 120, .05) <= found <= stats.binom.ppf(.9995, 120, .05)

@pytest.mark.parametrize("row", RECORDED["scenarios"], ids=lambda row: row["name"])
def test_no_figure_about_targeting_errs_more_often_than_promised(row):
    low, high = row["allowed"]
    assert low <= row["observed"] <= high, row["says"]

def test_order_of_rows_and_scale_of_the_score_change_nothing():
    rng = np.random.default_rng(3)
    x, treated, visit = draw(rng)
    mixed = rng.permutation(len(x))
    one, two, three = qini_curve(x, treated, visit), qini_curve(x[mixed], treated[mixed], visit[mixed]), qini_curve(np.exp(5*x), treated, visit)
    assert one.coefficient == two.coefficient == three.coefficient
    pd.testing.assert_frame_equal(one.points, two.points)

def test_equal_scores_are_never_parted():
    rng = np.random.default_rng(4)
    x, treated, visit = draw(rng)
    curve = qini_curve(np.ceil(3*x), treated, visit)
    assert len(curve.points) == 3 and curve.points["share"].iloc[-1] == 1
    assert uplift_at(np.ceil(3*x), treated, visit, .1).share == pytest.approx(1/3, abs=.03)

def test_money_is_measured_in_its_currency_and_reversed_scores_mirror_the_coefficient():
    rng = np.random.default_rng(5)
    x, treated, visit = draw(rng, 6_000)
    spend = visit*rng.gamma(2, 20, 6_000)
    up, down = (qini_curve(s, treated, spend, unit="EUR").coefficient for s in (x, -x))
    assert up.unit == "EUR" and up.value == pytest.approx(-down.value, rel=.15) and up.value > 0

@pytest.mark.parametrize("score,treated,outcome,kind,says", [
    ([1, 1, 1, 1], [True, False]*2, [0, 1, 0, 1], NotMeasurable, "ranks nobody"), ([1, 2, 3, 4], [True]*4, [0, 1, 0, 1], NotMeasurable, "control has 0"),
    ([1, np.nan, 3, 4], [True, False]*2, [0, 1, 0, 1], DataError, "score is missing or infinite in 1 of 4 rows, first row 1"), ([1, 2, 3], [True, False]*2, [0, 1, 0, 1], ValueError, "got 3, 4 and 4"),
    ([], np.array([], dtype=bool), [], NotMeasurable, "arm has 0"), ([1, 2, 3, 4], [1, 0, 1, 0], [0, 1, 0, 1], TypeError, "True or False")])
def test_what_cannot_be_ranked_is_refused(score, treated, outcome, kind, says):
    with pytest.raises(kind, match=says): qini_curve(np.array(score, dtype=float), np.array(treated), np.array(outcome, dtype=float))

@pytest.mark.parametrize("n_buyers", [0, 1, 20])
def test_an_outcome_nobody_or_hardly_anybody_has_is_no_flat_curve_but_not_measurable(n_buyers):
    with pytest.raises(NotMeasurable, match="15 are needed"): qini_curve(np.arange(400.), np.arange(400) % 2 == 0, (np.arange(400) < n_buyers).astype(float))

def test_the_record_names_command_seed_and_commit_and_every_scenario(benchmark_script):
    benchmark = benchmark_script("uplift_error_rates").BENCHMARK
    assert RECORDED["seed"] == benchmark.seed and RECORDED["command"] and RECORDED["commit"]
    assert {row["name"]: row["draws"] for row in RECORDED["scenarios"]} == {s.name: s.draws for s in benchmark.scenarios.values()}
    name = "uplift_held[visits of 2,000]"
    assert round(benchmark.observe(benchmark.scenarios[name], 4_000), 5) == next(row["observed"] for row in RECORDED["scenarios"] if row["name"] == name)
