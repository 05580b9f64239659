"""How often comparisons of two scores on the same customers, and of groups of customers, err.

    python benchmarks/paired_error_rates.py            writes benchmarks/results/paired_error_rates.json
    python benchmarks/paired_error_rates.py NAME ...   prints single scenarios

Every scenario draws customers with a known truth many times and counts. `allowed` is what was promised, widened by the
chance of the count; a scenario of the kind "limit" shows where a method stops being safe, and its `allowed` is what was
seen to be kept there. Each has a random stream of its own, made of the seed and its name.
"""
import sys
from functools import cache
import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit, ndtr
from counting.error_rates import ErrorRates, holds
from marketing_mlops.measurement.intervals import proportion_interval, side_of
from marketing_mlops.measurement.loss_and_profit import ContactTerms, loss_and_profit
from marketing_mlops.measurement.paired_models import auc_difference, paired_bootstrap
from marketing_mlops.measurement.ranking import hits_within
from marketing_mlops.measurement.slices import slice_figures
from marketing_mlops.training.treatment_fairness import review_treatment

BENCHMARK = ErrorRates("paired_error_rates", seed=20_261_121, unmeasured_is_none=True)
scenario = BENCHMARK.scenario

# --- two scores that share half or nine tenths of their errors; `first` and `second` standard deviations between the two kinds ---
def drawn(rng, churned, others, first, second, shared=.5):
    happened, common = np.arange(churned+others) < churned, np.sqrt(shared)*rng.normal(0, 1, churned+others)
    return happened, *(common + np.sqrt(1-shared)*rng.normal(0, 1, len(happened)) + apart*happened for apart in (first, second))

def held_difference(rng, **how):
    truth = ndtr(how["first"]/2**.5) - ndtr(how["second"]/2**.5)
    return holds(auc_difference(*drawn(rng, **how)).estimate, truth)

@scenario("coverage", "95 % interval of a difference of AUCs holds the true one", 2_000, (.935, .965), **{
    "0.76 against 0.64, 40 of 400": dict(churned=40, others=360, first=1., second=.5), "0.76 against 0.64, 200 of 2,000": dict(churned=200, others=1_800, first=1., second=.5),
    "0.76 twice, nine tenths shared, 50 of 550": dict(churned=50, others=500, first=1., second=1., shared=.9)})
def auc_difference_coverage(rng, **how): return held_difference(rng, **how)

@scenario("limit", "95 % interval of a difference of AUCs holds the true one", 2_000, (.88, .97), **{
    "0.76 against 0.64, 25 of 250": dict(churned=25, others=225, first=1., second=.5), "0.96 against 0.92, nine tenths shared, 50 of 550": dict(churned=50, others=500, first=2.5, second=2., shared=.9)})
def auc_difference_coverage_few(rng, **how): return held_difference(rng, **how)

@scenario("false_alarm", "two scores equally good are told apart at 5 %", 2_000, (.035, .065), **{
    "0.5, 40 of 400": dict(churned=40, others=360, first=0., second=0.), "0.76, 100 of 1,000": dict(churned=100, others=900, first=1., second=1.)})
def auc_told_apart(rng, **how): return auc_difference(*drawn(rng, **how)).p_value < .05

# --- paired bootstrap of the share of churners in the best tenth ---
@cache
def share_in_best_tenth(apart, rate):
    edge = brentq(lambda x: rate*ndtr(apart-x) + (1-rate)*ndtr(-x) - .1, -5, 9)
    return ndtr(apart-edge)

@scenario("coverage", "95 % paired bootstrap of the share in the best tenth holds the true difference", 300, (.91, .985), **{
    "200 of 2,000": dict(churned=200, others=1_800, first=1., second=.5)})
def gains_difference_coverage(rng, **how):
    happened, first, second = drawn(rng, **how)
    def figure(scores):
        group = np.unique(-scores, return_inverse=True)[1]
        def of(times):
            hits, customers = (np.bincount(group, weights=each) for each in (times*happened, times))
            return hits_within(hits, customers, .1)/hits.sum()
        return of
    truth = share_in_best_tenth(how["first"], happened.mean()) - share_in_best_tenth(how["second"], happened.mean())
    return holds(paired_bootstrap(figure, first, second, seed=int(rng.integers(2**31))).estimate, truth)

# --- groups ---
@scenario("false_alarm", "a table of ten groups that fare alike names one, at most 5 % promised", 2_000, (0, .065), **{
    "30 % of 2,000": dict(n=2_000, rate=.3), "3 % of 5,000": dict(n=5_000, rate=.03)})
def alike_groups_named(rng, n, rate):
    groups, did = pd.DataFrame(dict(store=rng.integers(0, 10, n))), rng.random(n) < rate
    return any(each.side in ("above", "below") for each in slice_figures(lambda which, level: proportion_interval(int(did[which].sum()), int(which.sum()), level), groups))

@scenario("false_alarm", "groups contacted alike are called unequal, at most 5 % promised", 1_000, (0, .06), **{
    "four groups, a tenth of 4,000": dict(share=.1), "four groups, half of 4,000": dict(share=.5)})
def alike_groups_reviewed(rng, share):
    rows = pd.DataFrame(dict(band=pd.Series(rng.choice(["a", "b", "c", "d"], 4_000), dtype="str"), orders=rng.poisson(3, 4_000)))
    return review_treatment(rng.random(4_000) < share, rows, ["band"], []).word == "review"

# --- money ---
@scenario("false_alarm", "of two models equally good one earns more, 5 % promised", 2_000, (.035, .065), **{"1,500 customers": dict(n=1_500)})
def equal_profit_told_apart(rng, n):
    odds = rng.normal(-2.2, 1, n)
    did, (one, other) = rng.random(n) < expit(odds), (expit(odds + rng.normal(0, .7, n)) for _ in range(2))
    return side_of(loss_and_profit(did, one, {"other": other}, ContactTerms(30, 4))[0].profit.estimate, 0.) != "open"

if __name__ == "__main__": BENCHMARK.main(*sys.argv[1:])
