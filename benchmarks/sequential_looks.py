"""How often somebody who looks at an experiment every morning announces what is not there, where the truth is known.

    python benchmarks/sequential_looks.py            writes benchmarks/results/sequential_looks.json
    python benchmarks/sequential_looks.py NAME ...   prints single scenarios

Every draw is an experiment of 60 days, looked at on each of them by `as_always_valid`. A scenario of the kind "limit"
shows what the ordinary interval does in its place, or where a promise is not given.
"""
import sys
import numpy as np
from counting.error_rates import ErrorRates
from marketing_mlops.measurement.differences import difference_of_means, difference_of_proportions
from marketing_mlops.measurement.intervals import Moments, NotMeasurable
from marketing_mlops.measurement.multiplicity import simultaneous_level
from marketing_mlops.measurement.sequential_intervals import as_always_valid

BENCHMARK = ErrorRates("sequential_looks", seed=20_260_831)
scenario = BENCHMARK.scenario
DAYS = 60

# --- what customers do: amounts of `days` x `per_day` customers ---
def normal(rng, size): return rng.normal(30, 20, size)
def gamma_spend(rng, size, rate=.05): return rng.binomial(1, rate, size)*rng.gamma(1.6, 25, size)
def lognormal_spend(rng, size, rate=.05, sigma=1.): return rng.binomial(1, rate, size)*rng.lognormal(3.5, sigma, size)
def wider_spend(rng, size): return lognormal_spend(rng, size, sigma=1.5)

def moments_by_day(amounts):
    "Moments of everybody so far, for each evening."
    n = amounts.shape[1]*np.arange(1, len(amounts)+1)
    total, squares = np.cumsum(amounts.sum(1)), np.cumsum((amounts**2).sum(1))
    mean = total/n
    return [Moments(int(k), float(m), float(max(v, 0))) for k, m, v in zip(n, mean, (squares-n*mean**2)/(n-1))]

def amounts_by_day(rng, draw, per_day, level=.95):
    "Differences of amounts, without effect, on each of the days."
    arms = [moments_by_day(draw(rng, (DAYS, n))) for n in per_day]
    for treated, control in zip(*arms):
        if treated.variance + control.variance: yield difference_of_means(treated, control, level, "EUR")

def shares_by_day(rng, rates, per_day, level=.95):
    "Differences of shares on each of the days."
    counts = [rng.binomial(n, rate, DAYS).cumsum() for rate, n in zip(rates, per_day)]
    for day, (a, b) in enumerate(zip(*counts), 1):
        if a+b: yield difference_of_proportions(int(a), per_day[0]*day, int(b), per_day[1]*day, level)

def sequential(differences, planned):
    "The same, as far as they may be looked at."
    for difference in differences:
        try: yield as_always_valid(difference, planned)
        except NotMeasurable: continue

def announced(differences): return any(d.estimate.low > 0 or d.estimate.high < 0 for d in differences)

SHARES = {"0.1 % of 100 a day": dict(rate=.001, per_day=(100, 100)), "0.5 % of 475 and 25 a day": dict(rate=.005, per_day=(475, 25)), "1 % of 100 a day": dict(rate=.01, per_day=(100, 100)), "5 % of 100 a day": dict(rate=.05, per_day=(100, 100)),
          "30 % of 40 a day": dict(rate=.3, per_day=(40, 40)), "5 % of 475 and 25 a day": dict(rate=.05, per_day=(475, 25))}
AMOUNTS = {"normal amounts, 10 a day": dict(draw=normal, per_day=(10, 10)), "gamma spend, 100 a day": dict(draw=gamma_spend, per_day=(100, 100)),
           "lognormal spend, 100 a day": dict(draw=lognormal_spend, per_day=(100, 100)),
           "lognormal 1.5 spend, 100 a day": dict(draw=wider_spend, per_day=(100, 100))}
HOLDOUT = {"lognormal spend, 475 and 25 a day": dict(draw=lognormal_spend, per_day=(475, 25)),
           "lognormal 1.5 spend, 475 and 25 a day": dict(draw=wider_spend, per_day=(475, 25))}

@scenario("false_alarm", "95 % sequential interval excludes zero on any of 60 days although nothing differs", 2_000, (0, .05), **SHARES)
def shares_alarm(rng, rate, per_day): return announced(sequential(shares_by_day(rng, (rate, rate), per_day), DAYS*sum(per_day)))

@scenario("false_alarm", "the sequential p-value is below 5 % on any of 60 days although nothing differs", 2_000, (0, .05),
          **{"0.1 % of 100 a day": dict(rate=.001, per_day=(100, 100)), "0.5 % of 100 a day": dict(rate=.005, per_day=(100, 100))})
def rare_alarm(rng, rate, per_day): return any(d.p_value < .05 for d in sequential(shares_by_day(rng, (rate, rate), per_day), DAYS*sum(per_day)))

@scenario("false_alarm", "95 % sequential interval excludes zero on any of 60 days although nothing differs", 2_000, (0, .05), **AMOUNTS)
def amounts_alarm(rng, draw, per_day): return announced(sequential(amounts_by_day(rng, draw, per_day), DAYS*sum(per_day)))

@scenario("false_alarm", "planned for a twelfth of the customers: 95 % sequential interval excludes zero on any of 60 days although nothing differs", 2_000, (0, .05),
          **{"5 % of 100 a day": {}})
def misplanned_alarm(rng): return announced(sequential(shares_by_day(rng, (.05, .05), (100, 100)), 1_000))

@scenario("false_alarm", "any of three arms without effect is announced on any of 60 days, error shared", 2_000, (0, .05))
def arms_alarm(rng):
    level, control = simultaneous_level(.95, 3), moments_by_day(gamma_spend(rng, (DAYS, 100)))
    arms = [moments_by_day(gamma_spend(rng, (DAYS, 100))) for _ in range(3)]
    return any(announced(sequential((difference_of_means(a, b, level, "EUR") for a, b in zip(arm, control) if a.variance + b.variance), 12_000)) for arm in arms)

@scenario("coverage", "95 % sequential interval holds the true gain on all of 60 days", 2_000, (.95, 1), **{"8 % against 5 % of 100 a day": {}})
def shares_coverage(rng):
    return all(d.estimate.low <= .03 <= d.estimate.high for d in sequential(shares_by_day(rng, (.08, .05), (100, 100)), 12_000))

@scenario("power", "a rise from 5 % to 7 % is found on one of 60 days, 100 a day in each arm", 2_000, (.8, 1))
def shares_found(rng): return announced(sequential(shares_by_day(rng, (.07, .05), (100, 100)), 12_000))

@scenario("limit", "the ordinary 95 % interval excludes zero on any of 60 days although nothing differs", 2_000, (0, 1), **{"5 % of 100 a day": {}})
def ordinary_alarm(rng): return announced(shares_by_day(rng, (.05, .05), (100, 100)))

@scenario("limit", "beside a small holdout, 95 % sequential interval excludes zero on any of 60 days although nothing differs", 2_000, (0, .06), **HOLDOUT)
def holdout_alarm(rng, draw, per_day): return announced(sequential(amounts_by_day(rng, draw, per_day), DAYS*sum(per_day)))

if __name__ == "__main__": BENCHMARK.main(*sys.argv[1:])
