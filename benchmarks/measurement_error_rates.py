"""How often the intervals, tests and decisions of `measurement` err, where the truth is known.

    python benchmarks/measurement_error_rates.py            writes benchmarks/results/measurement_error_rates.json
    python benchmarks/measurement_error_rates.py NAME ...   prints single scenarios

Every scenario draws data with a known truth many times and counts. `allowed` is what was promised, widened by the
chance of the count; a scenario of the kind "limit" shows where a method stops being safe, and its `allowed` is what was
seen to be kept there.
Each has a random stream of its own, made of the seed and its name, so that adding one changes no other.
"""
import sys
from dataclasses import replace
import numpy as np
import pandas as pd
from counting.error_rates import ErrorRates, holds
from marketing_mlops.measurement.differences import difference_of_means, difference_of_proportions
from marketing_mlops.measurement.experiments import read_experiment
from marketing_mlops.measurement.intervals import NotMeasurable, mean_interval, moments, proportion_interval
from marketing_mlops.measurement.lifts import relative_lift
from marketing_mlops.measurement.multiplicity import holm_adjusted, simultaneous_level
from marketing_mlops.measurement.ratios import ratio_moments
from marketing_mlops.measurement.readouts import read_out
from marketing_mlops.measurement.resampling import bootstrap_difference
from marketing_mlops.measurement.sample_ratio import sample_ratio
from marketing_mlops.measurement.sample_sizes import customers_needed

BENCHMARK = ErrorRates("measurement_error_rates", seed=20_260_630)
scenario = BENCHMARK.scenario

# --- what customers do ---
def gamma_spend(rng, n, rate=.0125, mean=113.53):
    "Like the spend after a mail: one in eighty buys, amounts spread as a gamma of shape 1.6."
    spend = np.zeros(n); k = rng.binomial(n, rate)
    spend[:k] = rng.gamma(1.6, mean/1.6, k)
    return spend

def lognormal_spend(rng, n, rate=.05, sigma=1., mean=40.):
    "Heavier tail: with sigma 2 one buyer in a thousand spends a thousand times the median."
    spend = np.zeros(n); k = rng.binomial(n, rate)
    spend[:k] = rng.lognormal(np.log(mean)-sigma**2/2, sigma, k)
    return spend

# --- intervals of one group ---
@scenario("coverage", "95 % Wilson interval holds the true share", 20_000, (.93, .985),
          **{"p 0.001, n 5,000": dict(p=.001, n=5_000), "p 0.01, n 1,000": dict(p=.01, n=1_000), "p 0.01, n 20,000": dict(p=.01, n=20_000),
             "p 0.1, n 200": dict(p=.1, n=200), "p 0.5, n 50": dict(p=.5, n=50), "p 0.95, n 400": dict(p=.95, n=400)})
def wilson_coverage(rng, p, n): return holds(proportion_interval(int(rng.binomial(n, p)), n), p)

@scenario("coverage", "95 % t interval holds the true mean of normal amounts", 20_000, (.944, .956),
          **{"n 5": dict(n=5), "n 50": dict(n=50)})
def t_coverage(rng, n): return holds(mean_interval(rng.normal(30, 8, n)), 30)

@scenario("coverage", "95 % t interval holds the true mean spend", 10_000, (.935, .955), **{"250 buyers of 20,000": {}})
def t_coverage_spend(rng): return holds(mean_interval(gamma_spend(rng, 20_000)), .0125*113.53)

@scenario("coverage", "95 % delta interval holds the true average order value", 10_000, (.935, .957))
def ratio_coverage(rng):
    orders, taste = rng.poisson(1.2, 500), rng.gamma(4, 10, 500)
    return holds(mean_interval(ratio_moments(orders*taste, orders)), 40)

# --- differences ---
@scenario("coverage", "95 % Newcombe interval holds the true difference", 20_000, (.94, .985),
          **{"0.2 % and 0.1 % of 5,000": dict(p=.002, q=.001, n=5_000, m=5_000), "1.25 % and 0.57 % of 21,300": dict(p=.0125, q=.0057, n=21_300, m=21_300),
             "5 % of 20,000 and 4 % of 1,000": dict(p=.05, q=.04, n=20_000, m=1_000), "50 % and 40 % of 60": dict(p=.5, q=.4, n=60, m=60)})
def newcombe_coverage(rng, p, q, n, m):
    return holds(difference_of_proportions(int(rng.binomial(n, p)), n, int(rng.binomial(m, q)), m).estimate, p-q)

@scenario("false_alarm", "pooled z test at 5 % rejects equal shares", 20_000, (.03, .055),
          **{"1 % of 5,000": dict(p=.01, n=5_000), "10 % of 500": dict(p=.1, n=500)})
def pooled_z_alarm(rng, p, n): return difference_of_proportions(int(rng.binomial(n, p)), n, int(rng.binomial(n, p)), n).p_value < .05

@scenario("coverage", "95 % Welch interval holds the true difference of normal amounts", 20_000, (.943, .957),
          **{"10 and 25 customers, spreads 2 and 8": dict(n=10, m=25, s=2, t=8), "300 each": dict(n=300, m=300, s=5, t=5)})
def welch_coverage(rng, n, m, s, t): return holds(difference_of_means(rng.normal(12, s, n), rng.normal(10, t, m)).estimate, 2)

@scenario("coverage", "95 % Welch interval holds the true difference of spend", 10_000, (.943, .962),
          **{"20,000 each": dict(n=20_000, m=20_000), "4,000 each": dict(n=4_000, m=4_000)})
def welch_coverage_spend(rng, n, m):
    return holds(difference_of_means(gamma_spend(rng, n, .0125), gamma_spend(rng, m, .00625)).estimate, .00625*113.53)

@scenario("coverage", "95 % bootstrap t interval holds the true difference of spend", 1_000, (.93, .97),
          **{"20,000 each": dict(n=20_000, m=20_000), "4,000 each": dict(n=4_000, m=4_000)})
def bootstrap_coverage_spend(rng, n, m):
    return holds(bootstrap_difference(gamma_spend(rng, n, .05), gamma_spend(rng, m, .025), seed=int(rng.integers(2**31))), .025*113.53)

@scenario("coverage", "95 % Fieller interval holds the true lift", 10_000, (.94, .96),
          **{"gamma amounts, 200 each": {}})
def fieller_coverage(rng): return holds(relative_lift(difference_of_means(rng.gamma(2, 11, 200), rng.gamma(2, 10, 200))), .10)

@scenario("coverage", "95 % Fieller interval holds the true lift of a share", 20_000, (.94, .96), **{"6 % against 5 % of 5,000": {}})
def fieller_coverage_shares(rng):
    return holds(relative_lift(difference_of_proportions(int(rng.binomial(5_000, .06)), 5_000, int(rng.binomial(5_000, .05)), 5_000)), .20)

# --- where methods stop being safe: a small holdout and a heavy tail ---
HOLDOUT = {"lognormal 1, 20,000 and 1,000": dict(n=20_000, m=1_000, sigma=1.), "lognormal 1, 20,000 and 2,500": dict(n=20_000, m=2_500, sigma=1.),
           "lognormal 2, 20,000 and 1,000": dict(n=20_000, m=1_000, sigma=2.), "lognormal 1.5, 20,000 and 5,000": dict(n=20_000, m=5_000, sigma=1.5),
           "lognormal 2, 4,000 each": dict(n=4_000, m=4_000, sigma=2.)}

def _no_effect(rng, n, m, sigma): return lognormal_spend(rng, n, sigma=sigma), lognormal_spend(rng, m, sigma=sigma)

@scenario("limit", "97.5 % Welch interval lies wholly above zero although nothing differs", 2_000, (0, 1), **HOLDOUT)
def welch_above(rng, n, m, sigma): return difference_of_means(*_no_effect(rng, n, m, sigma), .975).estimate.low > 0

@scenario("limit", "both 97.5 % intervals are to be had and lie wholly above zero although nothing differs", 2_000, (0, .027), **HOLDOUT)
def both_above(rng, n, m, sigma):
    treated, control = _no_effect(rng, n, m, sigma)
    if difference_of_means(treated, control, .975).estimate.low <= 0: return False
    try: return bootstrap_difference(treated, control, .975, seed=int(rng.integers(2**31))).low > 0
    except NotMeasurable: return False

# --- several comparisons, peeking, splits ---
@scenario("false_alarm", "any of ten arms without effect found by Holm at 5 %", 5_000, (0, .055))
def holm_alarm(rng):
    control, *arms = (int(x) for x in rng.binomial(2_000, .05, 11))
    return min(holm_adjusted([difference_of_proportions(x, 2_000, control, 2_000).p_value for x in arms])) < .05

@scenario("coverage", "all five simultaneous 95 % intervals hold their differences", 5_000, (.945, 1))
def simultaneous_coverage(rng):
    level, control = simultaneous_level(.95, 5), moments(rng.gamma(2, 10, 400))
    return all(holds(difference_of_means(moments(rng.gamma(2, 10+i, 400)), control, level).estimate, 2*i) for i in range(5))

@scenario("limit", "an interval excludes zero at one of ten looks although nothing differs", 2_000, (0, 1))
def peeking_alarm(rng):
    a, b = rng.gamma(2, 10, 2_000), rng.gamma(2, 10, 2_000)
    return any(difference_of_means(a[:n], b[:n]).p_value < .05 for n in range(200, 2_001, 200))

SPLIT = {"a": .5, "b": .3, "c": .2}

@scenario("false_alarm", "the sample-ratio alarm rings in a healthy experiment", 50_000, (.0003, .0018), **{"2,000 customers": dict(n=2_000), "60,000 customers": dict(n=60_000)})
def split_alarm(rng, n): return sample_ratio(dict(zip(SPLIT, map(int, rng.multinomial(n, list(SPLIT.values()))))), SPLIT).status == "fail"

@scenario("power", "the sample-ratio alarm rings when 4 % of one arm of three are lost, 64,000 customers", 5_000, (.85, 1))
def split_found(rng):
    a, b, c = (int(x) for x in rng.multinomial(64_000, [1/3]*3))
    return sample_ratio({"a": a, "b": int(rng.binomial(b, .96)), "c": c}, dict.fromkeys("abc", 1/3)).status == "fail"

@scenario("power", "experiments of the planned size clear the threshold, 80 % promised", 5_000, (.78, .82))
def planned_power(rng):
    n = customers_needed(1.5, (64, 49))//2
    return difference_of_means(rng.normal(12.5, 8, n), rng.normal(10, 7, n)).estimate.low > 1

# --- whole decisions, through the readout a reviewer signs ---
def experiment(arms, worthwhile, **more):
    return read_experiment(dict(name="simulated", hypothesis="h", objective="o", owner="marketing@example.com", control="control",
        arms=dict.fromkeys(["control", *arms], 1/(len(arms)+1)), goal="spend_per_customer", worthwhile_effect=worthwhile, currency="EUR",
        outcome_window_days=14, stopping_rule="fixed_horizon", planned_customers=100, **more))

def customers(rng, arms, n=3_000, gain=0.):
    "Customers at random in arms; every treated customer's expected spend is `gain` above the control's."
    names = np.array(["control", *arms])
    arm = rng.permutation(np.repeat(names, n))
    spend = rng.binomial(1, np.where(arm == "control", .05, .05+gain/40), len(arm))*rng.gamma(1.6, 25, len(arm))
    return pd.DataFrame(dict(unit_id=np.arange(len(arm)).astype(str), arm=arm, spend_per_customer=spend))

ARMS = {"one arm": dict(arms=["a"]), "three arms": dict(arms=["a", "b", "c"])}

@scenario("decision", "no effect and a worthwhile effect of 0 ships, at most 2.5 % promised", 2_000, (0, .035), **ARMS)
def ships_nothing(rng, arms): return read_out(experiment(arms, 0.), customers(rng, arms)).decision.decision == "ship"

@scenario("decision", "an effect exactly worthwhile ships, at most 2.5 % promised", 2_000, (0, .035), **ARMS)
def ships_the_threshold(rng, arms): return read_out(experiment(arms, .5), customers(rng, arms, gain=.5)).decision.decision == "ship"

@scenario("decision", "an arm whose effect is exactly worthwhile is stopped, at most 2.5 % promised", 2_000, (0, .035), **ARMS)
def stops_the_threshold(rng, arms):
    return any(d.decision == "stop" for d in read_out(experiment(arms, .5), customers(rng, arms, gain=.5)).arm_decisions.values())

@scenario("limit", "no effect ships beside a holdout of 2,500 with a lognormal tail, 2.5 % promised", 2_000, (0, .045))
def ships_beside_a_holdout(rng):
    spend = [lognormal_spend(rng, n) for n in (20_000, 2_500)]
    arm = np.repeat(["a", "control"], [20_000, 2_500])
    units = pd.DataFrame(dict(unit_id=np.arange(22_500).astype(str), arm=arm, spend_per_customer=np.concatenate(spend)))
    return read_out(replace(experiment(["a"], 0.), arms={"a": 8/9, "control": 1/9}), units).decision.decision == "ship"

@scenario("decision", "customers chosen by a random score and compared with the rest ship, at most 2.5 % promised", 2_000, (0, .035))
def random_score_ships(rng):
    units = customers(rng, ["a"]).assign(score=lambda u: rng.random(len(u)))
    chosen = units["score"] > units["score"].median()
    return read_out(experiment(["a"], 0.), units.assign(arm=np.where(chosen, "a", "control"), spend_per_customer=
        rng.permutation(units["spend_per_customer"]))).decision.decision == "ship"

@scenario("decision", "an unharmed guardrail without margin stops an arm, at most 2.5 % promised", 2_000, (0, .035))
def stops_unharmed(rng):
    units = customers(rng, ["a"], gain=3.)
    units["complaint_rate"] = rng.binomial(1, .01, len(units))
    return read_out(experiment(["a"], 0., guardrails=["complaint_rate"]), units).decision.decision == "stop"

@scenario("decision", "a guardrail harmed by exactly its margin lets an arm ship, at most 2.5 % promised", 2_000, (0, .035))
def ships_harm(rng):
    units = customers(rng, ["a"], gain=4.)
    units["complaint_rate"] = rng.binomial(1, np.where(units["arm"] == "a", .015, .010))
    guarded = experiment(["a"], 0., guardrails=["complaint_rate"], guardrail_margins={"complaint_rate": .005})
    return read_out(guarded, units).decision.decision == "ship"

@scenario("power", "an effect of 2 EUR ships against a worthwhile effect of 0.50", 500, (.9, 1))
def ships_a_winner(rng): return read_out(experiment(["a"], .5), customers(rng, ["a"], n=6_000, gain=2.)).decision.decision == "ship"

if __name__ == "__main__": BENCHMARK.main(*sys.argv[1:])
