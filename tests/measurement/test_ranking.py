"""AUC, calibration, lift and gains: against scikit-learn, against their definitions, and where there is nothing to measure."""
import json, math
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings, strategies as st
from scipy import stats
from scipy.special import expit, logit
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score
from marketing_mlops.contracts.glossary import term
from marketing_mlops.measurement.auc import auc, auc_and_error, perfect_bounds, placements
from marketing_mlops.measurement.calibration import calibration_intercept, calibration_slope, calibration_table, tied_groups
from marketing_mlops.measurement.intervals import Estimate, NotMeasurable
from marketing_mlops.measurement.ranking import (RANKING_TERMS, average_precision, brier_score, gains_at, gains_table, lift_at, quality_record, rank_quality,
                                                 read_quality_record, score_groups)

def drawn(n=800, seed=1, digits=None, centre=-1.5, signal=1.):
    rng = np.random.default_rng(seed)
    log_odds = rng.normal(centre, 1.2, n)
    p = expit(signal*log_odds)
    return rng.random(n) < expit(log_odds), p if digits is None else p.round(digits)

CASES = {"no ties": {}, "many ties": dict(digits=1, signal=.5), "rare": dict(n=3_000, centre=-4), "few": dict(n=60), "noise": dict(signal=1e-9)}
def case(parameters): return pytest.mark.parametrize("parameters", list(parameters.values()), ids=list(parameters))

@pytest.mark.parametrize("claim", [1e-6, .001, .02, .5, .98, .9999])
@pytest.mark.parametrize("n_hits", [1, 30, 60, 99])
def test_a_level_is_found_however_far_it_is_off(claim, n_hits):
    found = calibration_intercept(np.arange(100) < n_hits, np.full(100, claim))
    assert found.value == pytest.approx(logit(n_hits/100) - logit(claim), abs=1e-6) and found.high - found.value == pytest.approx(1.959964/math.sqrt(n_hits*(1 - n_hits/100)), rel=1e-4)

# --- agreement ---
@case(CASES)
def test_point_values_agree_with_scikit_learn(parameters):
    y, p = drawn(**parameters)
    found = rank_quality(y, p)
    assert found["auc"].value == pytest.approx(roc_auc_score(y, p), abs=1e-12)
    assert found["average_precision"].value == pytest.approx(average_precision_score(y, p), abs=1e-12)
    assert found["brier"].value == pytest.approx(brier_score_loss(y, p), abs=1e-12)

def delong_by_definition(y, p):
    "DeLong, DeLong & Clarke-Pearson 1988, equations (4) to (7), every pair compared."
    did, rest = p[y], p[~y]
    pairs = (did[:, None] > rest[None]) + .5*(did[:, None] == rest[None])
    return pairs.mean(), math.sqrt(np.var(pairs.mean(1), ddof=1)/len(did) + np.var(pairs.mean(0), ddof=1)/len(rest))

@case(CASES)
def test_the_standard_error_agrees_with_delongs_definition_pair_by_pair(parameters):
    y, p = drawn(**parameters)
    assert auc_and_error(y, p) == pytest.approx(delong_by_definition(y, p), rel=1e-9)

@case(CASES)
def test_the_auc_is_mann_and_whitneys_u(parameters):
    y, p = drawn(**parameters)
    assert auc(y, p).value*y.sum()*(~y).sum() == pytest.approx(stats.mannwhitneyu(p[y], p[~y]).statistic)

@case({name: CASES[name] for name in ("no ties", "many ties", "rare")})
def test_calibration_agrees_with_statsmodels(parameters):
    y, p = drawn(**parameters)
    p = p.clip(.01, .99)
    free = sm.GLM(y.astype(float), np.column_stack([np.ones(len(p)), logit(p)]), family=sm.families.Binomial()).fit()
    shift = sm.GLM(y.astype(float), np.ones(len(p)), family=sm.families.Binomial(), offset=logit(p)).fit()
    slope, intercept = calibration_slope(y, p), calibration_intercept(y, p)
    assert (slope.value, slope.low, slope.high) == pytest.approx((free.params[1], *free.conf_int()[1]), rel=1e-5)
    assert (intercept.value, intercept.low, intercept.high) == pytest.approx((shift.params[0], *shift.conf_int()[0]), rel=1e-5, abs=1e-7)

@case({name: CASES[name] for name in ("no ties", "many ties", "rare")})
def test_bootstrap_intervals_agree_with_customers_drawn_one_by_one(parameters):
    y, p = drawn(**parameters)
    rng, lifts, precisions = np.random.default_rng(0), [], []
    for _ in range(600):
        i = rng.integers(0, len(y), len(y))
        top = np.sort(p[i])[-len(y)//10]
        above, level = p[i] > top, p[i] == top
        hits = y[i][above].sum() + y[i][level].mean()*(.1*len(y)-above.sum())
        lifts.append(hits/(.1*y[i].sum())); precisions.append(average_precision_score(y[i], p[i]))
    for found, draws in ((lift_at(y, p), lifts), (average_precision(y, p), precisions)):
        assert found.method == "bootstrap" and found.high-found.low == pytest.approx(np.subtract(*np.quantile(draws, [.975, .025])), rel=.2)

# --- closed forms ---
def test_lift_and_gains_of_a_list_that_can_be_counted():
    y, p = np.zeros(100), np.arange(100, 0, -1)/100
    y[:5] = y[50:65] = 1   # 5 of 20 hits in the best ten
    assert gains_at(y, p).value == .25 and lift_at(y, p).value == pytest.approx(2.5)
    assert lift_at(y, p, depth=1.).value == pytest.approx(1) and gains_at(y, p, depth=.05).value == .25

def test_ties_across_the_depth_count_in_proportion():
    y, p = np.array([1, 0]*50), np.full(100, .5)
    p[:2] = .9
    assert gains_at(y, p).value == pytest.approx((1 + 49*8/98)/50)

def test_perfect_order_is_no_certainty():
    y = np.arange(100) < 10
    found = auc(y, y/2)
    assert found.value == found.high == 1 and found.low == pytest.approx(.025**.1) and found.method.startswith("exact")
    assert perfect_bounds(0., 10, .95) == pytest.approx((0, 1-.025**.1))

def test_the_last_row_of_the_gains_table_is_everybody():
    table = gains_table(*drawn())
    assert table["gains"].iloc[-1] == table["lift"].iloc[-1] == 1 and table["gains"].is_monotonic_increasing and len(table) == 20

def test_equal_chances_stay_in_one_group_of_the_calibration_table():
    y, p = drawn(digits=1)
    table = calibration_table(y, p)
    assert table["n"].sum() == len(y) and (table["n"]*table["happened"]).sum() == pytest.approx(y.sum())
    assert pd.Series(p).groupby(tied_groups(p, 10)).nunique().sum() == len(np.unique(p))

# --- properties ---
@st.composite
def scored(draw):
    n = draw(st.integers(4, 60))
    y = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    p = np.array(draw(st.lists(st.integers(1, 99), min_size=n, max_size=n)))/100
    return y, p

@settings(max_examples=60, deadline=None)
@given(scored())
def test_every_figure_lies_in_its_interval_or_gives_its_reason(rows):
    for name, found in rank_quality(*rows).items():
        if isinstance(found, NotMeasurable): assert found.code and len(str(found).splitlines()) == 2, name
        else: assert found.low <= found.value <= found.high and math.isfinite(found.high-found.low), name

@settings(max_examples=40, deadline=None)
@given(scored(), st.randoms())
def test_the_order_of_the_rows_and_the_scale_of_the_score_mean_nothing(rows, random):
    y, p = rows
    if not 2 <= y.sum() <= len(y)-2 or p.min() == p.max(): return
    i = np.array(random.sample(range(len(y)), len(y)))
    assert lift_at(y[i], 100*p[i]-7) == lift_at(y, p) and average_precision(y[i], np.exp(p[i])) == average_precision(y, p)
    assert auc(y[i], logit(p[i])).value == pytest.approx(auc(y, p).value, abs=1e-12)
    assert auc(~y, -p).value == pytest.approx(auc(y, p).value, abs=1e-12) and auc(y, -p).value == pytest.approx(1-auc(y, p).value, abs=1e-12)

def test_more_confidence_widens_every_interval():
    y, p = drawn()
    narrow, wide = (rank_quality(y, p, level=level) for level in (.8, .99))
    assert all(wide[name].low < narrow[name].low and narrow[name].high < wide[name].high for name in narrow)

def test_four_times_the_customers_halve_every_interval():
    y, p = drawn(n=1_500)
    one, four = rank_quality(y, p), rank_quality(np.tile(y, 4), np.tile(p, 4))
    for name in one: assert (four[name].high-four[name].low)/(one[name].high-one[name].low) == pytest.approx(.5, abs=.08), name

def test_the_same_seed_gives_the_same_intervals_and_another_seed_others():
    y, p = drawn()
    assert rank_quality(y, p, seed=3) == rank_quality(y, p, seed=3) and lift_at(y, p, seed=3) != lift_at(y, p, seed=4)

def test_a_million_customers_are_grouped_and_keep_their_figures():
    y, p = drawn(n=200_000)
    hits, customers = score_groups(y, p, 1_000)
    assert len(hits) == 1_000 and hits.sum() == y.sum() and customers.sum() == len(y)
    assert lift_at(y, p).low < lift_at(y, p).value < lift_at(y, p).high

# --- nothing to measure ---
@pytest.mark.parametrize("y,p,codes", [
    ([], [], {"empty"}), ([0, 0, 0], [.1, .2, .3], {"one_outcome"}), ([1, 1], [.1, .2], {"one_outcome"}), ([True]*5, [.5]*5, {"one_outcome"})])
def test_without_two_kinds_of_customers_nothing_is_measured(y, p, codes):
    found = rank_quality(np.array(y, dtype=float), np.array(p))
    assert all(isinstance(each, NotMeasurable) for each in found.values()) and {each.code for each in found.values()} == codes

def test_a_score_that_is_the_same_for_everybody_ranks_nobody_and_claims_a_level():
    found = rank_quality(np.arange(200) % 4 == 0, np.full(200, .25))
    assert found["auc"].code == found["calibration_slope"].code == "no_variation"
    assert found["calibration_intercept"].value == pytest.approx(0, abs=1e-9) and found["lift_at_10"].value == pytest.approx(1)

def test_one_single_outcome_has_no_interval():
    found = rank_quality(np.arange(50) == 3, np.linspace(.1, .9, 50))
    assert found["auc"].code == found["average_precision"].code == "too_few"

def test_certainty_and_perfect_separation_have_no_calibration():
    y = np.arange(100) >= 50
    assert rank_quality(y, np.where(y, 1., .3))["calibration_slope"].code == "certain"
    assert rank_quality(y, np.linspace(.01, .99, 100))["calibration_slope"].code == "separated"

@pytest.mark.parametrize("y,p,says", [
    ([0, 1, 2], [.1, .2, .3], "labels must be 0 or 1"), ([0, 1], [.1, .2, .3], "every score needs its label"), ([0, 1, 0], [.1, np.nan, .3], "rows \\[1\\]"),
    ([0, np.nan, 1], [.1, .2, .3], "rows \\[1\\]"), ([0, 1, 0], [10, 20, 30], "p must lie in \\[0, 1\\]")])
def test_what_is_no_label_or_no_chance_is_refused(y, p, says):
    with pytest.raises(ValueError, match=says): rank_quality(np.array(y), np.array(p))

@pytest.mark.parametrize("depth", [0, -.1, 10, 1.01])
def test_a_depth_is_a_share(depth):
    with pytest.raises(ValueError, match="ten per cent is 0.10"): lift_at(*drawn(), depth=depth)

# --- records ---
def test_figures_survive_json_with_their_reasons():
    quality = rank_quality(*drawn(), depths=(.05, .1, .3)) | {"none": auc_or_reason()}
    again = read_quality_record(json.loads(json.dumps(quality_record(quality), allow_nan=False)))
    assert {"lift_at_5", "gains_at_30"} <= set(again) and all(again[n] == e for n, e in quality.items() if isinstance(e, Estimate))
    assert again["none"].code == quality["none"].code and str(again["none"]) == str(quality["none"])

def auc_or_reason():
    try: return auc([0, 0], [.1, .2])
    except NotMeasurable as reason: return reason

def test_every_figure_is_a_word_of_the_glossary():
    assert all(term(name.split("_at_")[0]).definition for name in rank_quality(*drawn())) and set(RANKING_TERMS) <= {term(name).name for name in RANKING_TERMS}

def test_nullable_columns_are_read():
    y, p = drawn(200)
    assert auc(pd.Series(y, dtype="boolean"), pd.Series(p, dtype="Float64")) == auc(y, p)
    assert len(placements(y, p)[0]) == y.sum() and brier_score(pd.Series(y).astype(int), p) == brier_score(y, p)
