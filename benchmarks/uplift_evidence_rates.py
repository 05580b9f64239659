"""How often the tests and the calibration of uplift err, where the truth is known.

    python benchmarks/uplift_evidence_rates.py            writes benchmarks/results/uplift_evidence_rates.json
    python benchmarks/uplift_evidence_rates.py NAME ...   prints single scenarios

A customer has two places, even in [0, 1]: `x` decides what she gains by a mail, `z` how much she does anyway. Visits happen
with a chance of .10 + .20 z + effect, spend is that chance times an amount spread as a lognormal. Uneven campaigns mail
customers with z above one half with a chance of .8 and the others with .3.
"""
import sys
import numpy as np
import pandas as pd
from counting.error_rates import ErrorRates, holds
from marketing_mlops.measurement.chosen_depths import choose_on_half
from marketing_mlops.measurement.intervals import Estimate
from marketing_mlops.measurement.policies import policy_values
from marketing_mlops.measurement.policy_profits import Economics
from marketing_mlops.measurement.uplift_calibration import gain_slope
from marketing_mlops.measurement.uplift_curves import qini_curve, scored_rows, uplift_at
from marketing_mlops.measurement.uplift_tests import choice_test, ranking_test

BENCHMARK = ErrorRates("uplift_evidence_rates", seed=20_261_121)
scenario = BENCHMARK.scenario

def campaign(rng, n, *, effect=0., rising=0., even=True, money=False):
    "Places, arm, chance and outcome; the gain is `effect` for all and `rising` times x beyond it."
    x, z = rng.random(n), rng.random(n)
    chance = np.full(n, .5) if even else np.where(z > .5, .8, .3)
    treated = rng.random(n) < chance
    outcome = (rng.random(n) < .10 + .20*z + treated*(effect + rising*x)).astype(float)
    return x, z, treated, chance, outcome*(rng.lognormal(3, 1, n) if money else 1)

KINDS = {"visits of 500": dict(n=500), "spend of 500": dict(n=500, money=True), "visits of 500, uneven chances": dict(n=500, even=False)}

# --- p-values: a random score passes as often as promised, at each level ---
@scenario("false_alarm", "a random score has p at most 0.05, 5 % promised", 2_000, (.035, .065), **KINDS)
def random_score_passes(rng, n, **how): return random_p(rng, n, **how) <= .05

@scenario("false_alarm", "a random score has p at most 0.20, 20 % promised", 1_000, (.16, .24), **KINDS)
def random_score_below_a_fifth(rng, n, **how): return random_p(rng, n, **how) <= .20

@scenario("false_alarm", "a random score has p at most 0.50, 50 % promised", 1_000, (.45, .55), **KINDS)
def random_score_below_a_half(rng, n, **how): return random_p(rng, n, **how) <= .50

def random_p(rng, n, **how):
    _, _, treated, chance, outcome = campaign(rng, n, rising=.15, **how)
    return ranking_test(rng.random(n), treated, outcome, chance=chance, draws=199, seed=int(rng.integers(2**31))).p_value

LARGE = {"visits of 3,000": dict(n=3_000), "spend of 3,000": dict(n=3_000, money=True), "visits of 3,000, uneven chances": dict(n=3_000, even=False)}

@scenario("false_alarm", "a score that knows who visits but not who gains has p at most 0.05, about 5 % promised", 2_000, (.03, .07), **LARGE)
def buyers_score_passes(rng, n, **how):
    _, z, treated, chance, outcome = campaign(rng, n, effect=.05, **how)
    return ranking_test(z, treated, outcome, chance=chance, draws=199, seed=int(rng.integers(2**31))).p_value <= .05

@scenario("false_alarm", "being among the best 30 % of a random score has p at most 0.05, 5 % promised", 2_000, (.035, .065), **{"visits of 500": dict(n=500)})
def random_third_passes(rng, n):
    _, _, treated, _, outcome = campaign(rng, n, rising=.15)
    return ranking_test(rng.random(n), treated, outcome, share=.3, draws=199, seed=int(rng.integers(2**31))).p_value <= .05

@scenario("false_alarm", "a coin between three arms has p at most 0.05, 5 % promised", 10_000, (.043, .057))
def coin_passes(rng, n=600):
    shares = {"none": .4, "a": .3, "b": .3}
    arm = rng.choice(list(shares), n, p=list(shares.values()))
    rows = pd.DataFrame(dict(arm=arm, spend=(rng.random(n) < .2 + .1*(arm == "a"))*rng.lognormal(3, 1, n)))
    chosen = pd.Series(rng.choice(list(shares), n))
    return choice_test(rows, chosen, shares=shares, economics=Economics(margin=.5), control="none", draws=199, seed=int(rng.integers(2**31))).p_value <= .05

@scenario("power", "a score that knows who gains has p at most 0.05, as it should", 500, (.8, 1), **{"visits of 3,000": dict(n=3_000)})
def gainers_score_passes(rng, n):
    x, _, treated, _, outcome = campaign(rng, n, rising=.30)
    return ranking_test(x, treated, outcome, draws=199, seed=int(rng.integers(2**31))).p_value <= .05

# --- calibration: slope of the true gain is 1, of three times its differences a third, of noise 0 ---
SIZES = {"visits of 1,000": dict(n=1_000), "visits of 5,000": dict(n=5_000), "spend of 5,000": dict(n=5_000, money=True), "visits of 5,000, uneven chances": dict(n=5_000, even=False)}

@scenario("coverage", "95 % interval holds the true slope of predicted gains", 2_000, (.935, .965), **SIZES)
def slope_held(rng, n, **how):
    x, _, treated, chance, outcome = campaign(rng, n, rising=.20, **how)
    mean = np.exp(3.5) if how.get("money") else 1.
    return holds(gain_slope(scored_rows(.20*x*mean, treated, outcome, chance)), 1)

# --- known chances that are not constant ---
@scenario("coverage", "95 % interval holds the true uplift among the best 30 %, chances weighed", 2_000, (.935, .965), **{"visits of 2,000": dict(n=2_000), "visits of 10,000": dict(n=10_000)})
def weighed_uplift_held(rng, n):
    x, z, treated, chance, outcome = campaign(rng, n, rising=.20, even=False)
    return holds(uplift_at(x, treated, outcome, .3, chance=chance).estimate, .20*.85)

@scenario("coverage", "95 % interval holds the true Qini coefficient, chances weighed", 1_000, (.93, .97), **{"visits of 2,000": dict(n=2_000)})
def weighed_coefficient_held(rng, n):
    x, z, treated, chance, outcome = campaign(rng, n, rising=.20, even=False)
    return holds(qini_curve(x, treated, outcome, chance=chance, seed=int(rng.integers(2**31))).coefficient, .20/12)

# --- a depth chosen on one half: a mail adds 4 x and costs 1 at a margin of one half, so it pays above x = .5 ---
def chosen_and_judged(rng, n, rising=4., noise=0.):
    "What the depth chosen on one half is said to earn beyond nobody on the other, and what it earns there."
    x, arm = rng.random(n), np.where(rng.random(n) < .5, "mail", "none")
    gain, mail = rising*x if rising else np.full(n, 2.), arm == "mail"
    rows = pd.DataFrame(dict(arm=arm, spend=(rng.random(n) < .4)*rng.gamma(2, .5, n)*(10 + gain*mail)/.4))
    asked = dict(shares={"none": .5, "mail": .5}, economics=Economics(margin=.5, contact_cost=1.), control="none")
    chosen = choose_on_half(rows, pd.DataFrame(dict(mail=x + noise*rng.normal(size=n))), **asked, seed=int(rng.integers(2**31)))
    found = policy_values(rows.loc[chosen.index], chosen, **asked, best_single_arm="mail").values["learned"]
    return found, float(((.5*gain[chosen.index]-1)*(chosen == "mail")).mean())

@scenario("coverage", "95 % interval holds the profit of a depth chosen on the other half, where it is measurable", 2_000, (.935, .965), **{"2,000 customers": dict(n=2_000)})
def chosen_depth_held(rng, n):
    found, truth = chosen_and_judged(rng, n, noise=.2)
    while not isinstance(found, Estimate): found, truth = chosen_and_judged(rng, n, noise=.2)
    return holds(found, truth)

@scenario("false_alarm", "a depth of a random ranking chosen on the other half is said to earn where the mail earns its cost, at most 2.5 % promised", 2_000, (0, .035), **{"2,000 customers": dict(n=2_000)})
def blind_depth_earns(rng, n):
    found, _ = chosen_and_judged(rng, n, rising=0.)
    return isinstance(found, Estimate) and found.low > 0

if __name__ == "__main__": BENCHMARK.main(*sys.argv[1:])
