"""How often the intervals of AUC, lift, gains, average precision and calibration err, and how often noise passes a gate.

    python benchmarks/ranking_error_rates.py            writes benchmarks/results/ranking_error_rates.json
    python benchmarks/ranking_error_rates.py NAME ...   prints single scenarios

Every scenario draws customers with a known truth many times and counts. `allowed` is what was promised, widened by the
chance of the count; a scenario of the kind "limit" shows where a method stops being safe, and its `allowed` is what was
seen to be kept there. Each has a random stream of its own, made of the seed and its name.
"""
import sys
from functools import cache
import numpy as np
from scipy.special import expit, ndtr, ndtri
from counting.error_rates import ErrorRates, holds
from marketing_mlops.measurement.auc import auc
from marketing_mlops.measurement.calibration import calibration_intercept, calibration_slope
from marketing_mlops.measurement.gates import judge_gates
from marketing_mlops.measurement.ranking import average_precision, hits_within, lift_at, precision_over_hits

BENCHMARK = ErrorRates("ranking_error_rates", seed=20_260_701, unmeasured_is_none=True)
scenario = BENCHMARK.scenario

# --- AUC: normal scores, `apart` standard deviations between the two kinds ---
def held_auc(rng, apart, churned, others):
    happened = np.arange(churned+others) < churned
    return holds(auc(happened, rng.normal(0, 1, churned+others) + apart*happened), ndtr(apart/2**.5))

@scenario("coverage", "95 % interval of the AUC holds the true one", 10_000, (.93, .975), **{
    "0.50, 50 of 550": dict(apart=0., churned=50, others=500), "0.76, 50 of 550": dict(apart=1., churned=50, others=500),
    "0.64, 200 of 2,000": dict(apart=.5, churned=200, others=1_800), "0.96, 100 of 1,000": dict(apart=2.5, churned=100, others=900)})
def auc_coverage(rng, **parameters): return held_auc(rng, **parameters)

@scenario("limit", "95 % interval of the AUC holds the true one", 10_000, (.90, .985), **{
    "0.76, 10 of 100": dict(apart=1., churned=10, others=90), "0.96, 10 of 100": dict(apart=2.5, churned=10, others=90),
    "0.99, 15 of 215": dict(apart=3.5, churned=15, others=200)})
def auc_coverage_few(rng, **parameters): return held_auc(rng, **parameters)

# --- lift and average precision: log-odds of a normal distribution, chances that are the truth ---
@cache
def truth(centre, spread):
    "Lift in the best tenth and average precision of 400,000 customers at even quantiles."
    p = expit(centre + spread*ndtri((np.arange(400_000)+.5)/400_000))[::-1]
    ones = np.ones_like(p)
    return hits_within(p, ones, .1)/p.sum()/.1, precision_over_hits(p, ones)

SHOPS = {"55 hits of 500": dict(n=500, centre=-2.5, spread=1.), "28 hits of 1,000": dict(n=1_000, centre=-4., spread=1.),
         "105 hits of 1,000": dict(n=1_000, centre=-2.5, spread=1.), "300 hits of 1,000": dict(n=1_000, centre=-1., spread=1.),
         "18 hits of 1,000, a score of noise": dict(n=1_000, centre=-4., spread=1e-4), "100 hits of 1,000, a score of noise": dict(n=1_000, centre=-2.2, spread=1e-4)}

def customers(rng, n, centre, spread):
    log_odds = rng.normal(centre, spread, n)
    return rng.random(n) < expit(log_odds), expit(log_odds)

@scenario("coverage", "95 % interval of the lift in the best tenth holds the true one", 1_000, (.925, .99), **SHOPS)
def lift_coverage(rng, **shop): return holds(lift_at(*customers(rng, **shop), seed=int(rng.integers(2**31))), truth(shop["centre"], shop["spread"])[0])

@scenario("limit", "95 % interval of average precision holds the true one", 1_000, (.89, .98), **SHOPS)
def precision_coverage(rng, **shop): return holds(average_precision(*customers(rng, **shop), seed=int(rng.integers(2**31))), truth(shop["centre"], shop["spread"])[1])

# --- calibration ---
CLAIMS = {"honest, 500": dict(n=500, slope=1., shift=0.), "too bold, 500": dict(n=500, slope=.5, shift=0.), "claimed too low, 2,000": dict(n=2_000, slope=1., shift=.8),
          "30 hits of 1,000": dict(n=1_000, slope=1., shift=-2.5)}

def claimed(rng, n, slope, shift):
    "Claims whose true log-odds are shift + slope times the claimed ones."
    log_odds = rng.normal(-1.2, 1, n)
    return rng.random(n) < expit(shift+slope*log_odds), expit(log_odds)

@scenario("coverage", "95 % interval of the calibration slope holds the true one", 5_000, (.935, .965), **CLAIMS)
def slope_coverage(rng, **claims): return holds(calibration_slope(*claimed(rng, **claims)), claims["slope"])

@scenario("coverage", "95 % interval of the calibration intercept holds the true one", 5_000, (.935, .965), **{name: c for name, c in CLAIMS.items() if c["slope"] == 1})
def intercept_coverage(rng, **claims): return holds(calibration_intercept(*claimed(rng, **claims)), claims["shift"])

# --- gates ---
@scenario("false_alarm", "a random score passes a gate set at chance, at most 2.5 % promised", 4_000, (0, .033), **{
    "AUC 0.5, 60 of 400": dict(n=400, gates={"auc": .5}), "AUC 0.5, 300 of 2,000": dict(n=2_000, gates={"auc": .5})})
def noise_passes_auc(rng, n, gates): return judge_gates({"auc": auc(rng.random(n) < .15, rng.random(n))}, gates).passed

@scenario("false_alarm", "a random score passes a gate set at chance, at most 2.5 % promised", 1_000, (0, .04), **{
    "lift 1, 60 of 400": dict(n=400), "lift 1, 300 of 2,000": dict(n=2_000)})
def noise_passes_lift(rng, n):
    return judge_gates({"lift_at_10": lift_at(rng.random(n) < .15, rng.random(n), seed=int(rng.integers(2**31)))}, {"lift_at_10": 1.}).passed

if __name__ == "__main__": BENCHMARK.main(*sys.argv[1:])
