"""How often the figures about targeting err, where the best policy is known in closed form.

    python benchmarks/uplift_error_rates.py            writes benchmarks/results/uplift_error_rates.json
    python benchmarks/uplift_error_rates.py NAME ...   prints single scenarios

A customer has a place `x`, even in [0, 1]. Without a mail she spends 20 EUR on average; mail "a" adds 16 sin(2 pi x), mail
"b" adds 3, whoever she is. One in five buys, for amounts spread as a gamma of shape 2. Of each euro half remains, a mail
costs 0.60: the best policy is "a" where sin(2 pi x) > 3/16 and "b" elsewhere, and every policy of places has a value in
closed form. Models that are fitted here are steps and trees, never sines.
Every scenario has a random stream of its own, made of the seed and its name.
"""
import math, sys
import numpy as np
import pandas as pd
from counting.error_rates import ErrorRates, holds
from marketing_mlops.measurement.intervals import Estimate
from marketing_mlops.measurement.policies import choose_arms, pick_single_arm, policy_values
from marketing_mlops.measurement.policy_profits import Economics
from marketing_mlops.measurement.targeting_depths import profit_by_depth, targeting_curve
from marketing_mlops.measurement.uplift_curves import qini_curve, uplift_at

BENCHMARK = ErrorRates("uplift_error_rates", seed=20_260_930)
scenario = BENCHMARK.scenario
PRICES = Economics(margin=.5, contact_cost=.60, currency="EUR")
EVEN = {"none": 1/3, "a": 1/3, "b": 1/3}
UNEVEN = {"none": .2, "a": .2, "b": .6}
SINE, FLAT = 16., 3.

# --- the campaign and its truth ---
def campaign(rng, n, shares=EVEN, *, sine=SINE, flat=FLAT, tail="gamma"):
    "Customers with a place, an arm drawn by chance, and what they spent."
    x, arm = rng.random(n), rng.choice(list(shares), n, p=list(shares.values()))
    mean = 20 + np.where(arm == "a", sine*np.sin(2*np.pi*x), np.where(arm == "b", flat, 0.))
    amount = rng.gamma(2, .5, n) if tail == "gamma" else rng.lognormal(-.5, 1., n)     # mean 1
    return pd.DataFrame(dict(x=x, arm=arm, spend=rng.binomial(1, .2, n)*amount*mean*5))

def best_places():
    "Between these two places mail a is best, elsewhere b."
    first = math.asin(FLAT/SINE)/(2*math.pi)
    return first, .5-first

def best_policy(x):
    first, last = best_places()
    return pd.Series(np.where((x > first) & (x < last), "a", "b"), index=x.index)

def value_beyond_nobody(start, end):
    "Of mail a between two places and b elsewhere: the integral of its gains, half of it, less a mail per customer."
    gained = SINE*(math.cos(2*math.pi*start)-math.cos(2*math.pi*end))/(2*math.pi) + FLAT*(1-(end-start))
    return .5*gained - .60

BEST = value_beyond_nobody(*best_places())
B_TO_ALL = .5*FLAT - .60

def compare(rows, chosen, shares=EVEN, best="b", prices=PRICES):
    return policy_values(rows, chosen, shares=shares, economics=prices, control="none", best_single_arm=best)

SIZES = {"6,000 customers": dict(n=6_000), "6,000 customers in uneven arms": dict(n=6_000, shares=UNEVEN),
         "6,000 customers, heavier tail": dict(n=6_000, tail="lognormal")}

@scenario("coverage", "95 % interval holds the best policy's true profit beyond nobody", 1_000, (.93, .97), **SIZES)
def value_held(rng, n, shares=EVEN, tail="gamma"):
    rows = campaign(rng, n, shares, tail=tail)
    return holds(compare(rows, best_policy(rows["x"]), shares).values["learned"], BEST)

@scenario("coverage", "95 % interval holds the true difference of the best policy and the best single arm", 1_000, (.93, .97), **SIZES)
def difference_held(rng, n, shares=EVEN, tail="gamma"):
    rows = campaign(rng, n, shares, tail=tail)
    return holds(compare(rows, best_policy(rows["x"]), shares).differences["b"], BEST-B_TO_ALL)

@scenario("coverage", "95 % interval holds the true difference of two tenths of a policy and the best single arm", 1_000, (.93, .97))
def small_difference_held(rng):
    rows = campaign(rng, 9_000)
    chosen = pd.Series(np.where((rows["x"] > .3) & (rows["x"] < .5), "a", "b"), index=rows.index)
    return holds(compare(rows, chosen).differences["b"], value_beyond_nobody(.3, .5)-B_TO_ALL)

def steps(training, rows):
    "Gains predicted by means in ten steps of the place: fitted, and no sine."
    step = lambda df: np.minimum((10*df["x"]).astype(int), 9)
    means = training.groupby([step(training), "arm"])["spend"].mean().unstack()
    return means.sub(means["none"], axis=0)[["a", "b"]].reindex(step(rows)).set_axis(rows.index)

def fitted_and_compared(rng, n=6_000, **truth):
    training, rows = campaign(rng, n, **truth), campaign(rng, n, **truth)
    return compare(rows, choose_arms(steps(training, rows), PRICES, "none"), best=pick_single_arm(training, PRICES, "none"))

@scenario("coverage", "95 % interval holds the true difference of a fitted policy and the arm picked on its training rows", 1_000, (.93, .97))
def fitted_difference_held(rng):
    training, rows = campaign(rng, 6_000), campaign(rng, 6_000)
    best, fine = pick_single_arm(training, PRICES, "none"), pd.DataFrame(dict(x=(np.arange(20_000)+.5)/20_000))
    profit = lambda chosen: np.select([chosen == "a", chosen == "b"], [.5*SINE*np.sin(2*np.pi*fine["x"])-.6, .5*FLAT-.6], 0.).mean()
    truth = profit(choose_arms(steps(training, fine), PRICES, "none")) - profit(pd.Series(best, fine.index))
    return holds(compare(rows, choose_arms(steps(training, rows), PRICES, "none"), best=best).differences[best], truth)

@scenario("false_alarm", "a coin between arms that change nothing and cost nothing is said to beat its rivals, at most 2.5 % promised", 1_000, (0, .04))
def coin_beats(rng):
    training, rows = campaign(rng, 6_000, sine=0., flat=0.), campaign(rng, 6_000, sine=0., flat=0.)
    chosen = pd.Series(rng.choice(["none", "a", "b"], len(rows)), index=rows.index)
    free = Economics(margin=.5)
    return compare(rows, chosen, best=pick_single_arm(training, free, "none"), prices=free).beats is True

@scenario("false_alarm", "a policy that differs for few buyers and is no better is said to be, at most 2.5 % promised", 3_000, (0, .035),
          **{"gamma amounts": dict(tail="gamma"), "lognormal amounts": dict(tail="lognormal")})
def few_buyers_beat(rng, tail):
    rows = campaign(rng, 500, {"none": .5, "b": .5}, flat=0., tail=tail)
    chosen = pd.Series(np.where(rows["x"] < .3, "none", "b"), index=rows.index)
    found = policy_values(rows, chosen, shares={"none": .5, "b": .5}, economics=Economics(margin=.5), control="none", best_single_arm="b").differences["b"]
    return isinstance(found, Estimate) and found.low > 0

@scenario("false_alarm", "a policy fitted where all gain the same is said to beat its rivals, at most 2.5 % promised", 1_000, (0, .04))
def fitted_beats_where_all_are_alike(rng): return fitted_and_compared(rng, sine=0., flat=FLAT).beats is True

@scenario("power", "a policy fitted to 30,000 customers is said to beat its rivals, as it does", 100, (.5, 1))
def fitted_beats(rng): return fitted_and_compared(rng, n=30_000).beats is True

# --- curves: visits, one in ten, raised by x/10 with a mail: the curve is (s - s²/2)/10, its area over chance 1/120 ---
def visits(rng, n, effect=.1):
    x, treated = rng.random(n), rng.random(n) < .5
    return x, treated, rng.random(n) < .1 + effect*x*treated

@scenario("false_alarm", "the interval of the Qini coefficient of a random score lies off zero, 5 % promised", 1_000, (.03, .07),
          **{"visits of 2,000": dict(n=2_000), "visits of 10,000": dict(n=10_000), "spend of 6,000": dict(n=6_000, money=True)})
def random_score_found(rng, n, money=False):
    if money:
        rows = campaign(rng, n, {"none": .5, "b": .5})
        found = qini_curve(rng.random(n), (rows["arm"] == "b").to_numpy(), rows["spend"], unit="EUR", seed=int(rng.integers(2**31))).coefficient
    else:
        _, treated, visit = visits(rng, n)
        found = qini_curve(rng.random(n), treated, visit, seed=int(rng.integers(2**31))).coefficient
    return not holds(found, 0)

@scenario("coverage", "95 % interval holds the true Qini coefficient", 1_000, (.93, .97), **{"visits of 2,000": dict(n=2_000), "visits of 10,000": dict(n=10_000)})
def coefficient_held(rng, n):
    x, treated, visit = visits(rng, n)
    return holds(qini_curve(x, treated, visit, seed=int(rng.integers(2**31))).coefficient, .1/12)

@scenario("coverage", "95 % interval holds the true uplift among the best 30 %", 4_000, (.94, .965), **{"visits of 2,000": dict(n=2_000)})
def uplift_held(rng, n): return holds(uplift_at(*visits(rng, n), .3).estimate, .1*.85)

# --- depths: every depth at once ---
@scenario("coverage", "95 % band holds the true profit at all depths at once", 150, (.92, .99), **{"beyond nobody": dict(rival="none"), "beyond the mail to all": dict(rival="b")})
def band_held(rng, rival):
    rows = campaign(rng, 8_000, {"none": .5, "b": .5}).assign(spend=lambda r: r["spend"] + (r["arm"] == "b")*rng.gamma(2, 1.5, len(r))*4*(r["x"] > .75))
    curve = targeting_curve(rows, pd.DataFrame({"b": rows["x"]}), shares={"none": .5, "b": .5}, economics=PRICES, control="none", best_single_arm="b")
    found, s = profit_by_depth(curve, rival), curve.shares
    beyond_nobody = 0.5*(FLAT*s + 12*np.minimum(s, .25)) - .6*s
    truth = beyond_nobody if rival == "none" else beyond_nobody - beyond_nobody[-1]
    seen = found["low"].notna()
    return bool(((found["low"] <= truth+1e-12) & (truth-1e-12 <= found["high"]))[seen].all())

if __name__ == "__main__": BENCHMARK.main(*sys.argv[1:])
