"""How often each 95 % interval a readout prints holds the truth, by the number of customers and how uneven they are.

    python benchmarks/interval_coverage.py            writes benchmarks/results/interval_coverage.json
    python benchmarks/interval_coverage.py NAME ...   prints single cells whose name holds NAME

Each cell draws 2,000 samples with a known truth and asks the very functions behind the tables of a readout for their
interval: `estimate_by_design` for the figure of an arm, `compare_by_design` for a difference, and for the goal the range
that decides. It counts how many were answered, how many of the answers held the truth, how many samples ended in a wrong
answer, and how many answers said that they are exact or widened. `enough` says whether the cell is at or above the size
declared in `SUFFICIENT_SIZES`: there the answers hold the truth in 93.5 to 96.5 % of cases; below it they are refused,
exact or widened, so that no more than 6.5 % of samples end in a wrong answer.
"""
import json, os, subprocess, sys, zlib
from dataclasses import dataclass
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from types import SimpleNamespace
import numpy as np
from scipy.stats import norm
from marketing_mlops.measurement.capping import capped_amounts
from marketing_mlops.measurement.contrasts import Contrast
from marketing_mlops.measurement.designs import PLAIN, Design, compare_by_design, estimate_by_design, resampled_by_design
from marketing_mlops.measurement.effect_verdicts import gain_in_money
from marketing_mlops.measurement.intervals import NotMeasurable
from marketing_mlops.measurement.lifts import relative_lift
from marketing_mlops.measurement.metric_kinds import ArmValues
from marketing_mlops.measurement.unit_frames import MetricColumn

ROOT, SEED, DRAWS = Path(__file__).resolve().parents[1], 20_261_121, 2_000
PROMISE, MOST_WRONG = (.935, .965), .065
CAUTIOUS = ("exact", "widened")

@dataclass(frozen=True)
class Cell:
    kind: str      # of the figure
    shape: str     # of what customers do
    n: int         # customers, in the smaller arm where there are two
    enough: bool   # at or above the size declared sufficient
    truth: float
    once: Callable[[np.random.Generator], object] # an Estimate, or raises NotMeasurable

    @property
    def name(self): return f"{self.kind}, {self.shape}, n {self.n:,}"

CELLS = []
def cell(*parts):
    made = Cell(*parts)
    if made.name not in {each.name for each in CELLS}: CELLS.append(made) # sizes that are 60 at least may fall together

def arm(values, kind="mean"): return estimate_by_design(values, kind)
def difference(treated, control, kind="mean", design=PLAIN): return compare_by_design(treated, control, kind, design).estimate

SPEND = MetricColumn("spend_per_customer", "Spend per customer", "mean", "EUR")
def goal(treated, control):
    "The range that decides: by formula and by resampling together."
    compared = compare_by_design(treated, control, "mean", PLAIN, unit="EUR")
    contrast = Contrast(SPEND, "goal", "mail", "no_mail", compared, compared, resampled_by_design(treated, control, "mean", PLAIN, unit="EUR"))
    return gain_in_money(contrast, SimpleNamespace(goal_value=1., currency="EUR"))

# --- shares: 20 who do it, and 20 who do not, are expected ---
def did(rng, n, p): return ArmValues((rng.random(n) < p).astype(float))

for p in (.01, .05, .5):
    for expected in (5, 10, 20, 40, 100):
        n, enough = round(expected/p), expected >= 20
        cell("share", f"{100*p:g} %", n, enough, p, lambda rng, p=p, n=n: arm(did(rng, n, p), "proportion"))
        for times, words in ((1, "equal arms"), (10, "arms 10 to 1")):
            q = min(.9, 1.5*p)
            cell("difference of shares", f"{100*q:g} % and {100*p:g} %, {words}", n, enough, q-p,
                 lambda rng, p=p, q=q, n=n, m=n*times: difference(did(rng, m, q), did(rng, n, p), "proportion"))

# --- amounts of mean 1 per buyer: how to draw k of them, their second and third moment, and how many buy ---
def lognormal(s): return lambda rng, k: rng.lognormal(-s*s/2, s, k), float(np.exp(s*s)), float(np.exp(3*s*s))
SHAPES = {"normal amounts, all buy": (lambda rng, k: rng.normal(1, .5, k), 1.25, 1.75, 1.),
          "exponential amounts, all buy": (lambda rng, k: rng.exponential(1, k), 2., 6., 1.),
          "gamma spend, 5 % buy": (lambda rng, k: rng.gamma(1.6, 1/1.6, k), 1.625, 3.65625, .05),
          "lognormal spend, 20 % buy": (*lognormal(1.), .2), "heavier lognormal spend, 20 % buy": (*lognormal(1.2), .2)}

def skewness(second, third, rate):
    "Of the amount per customer, when `rate` of them buy."
    m, s, t = rate, rate*second, rate*third
    return (t - 3*m*s + 2*m**3)/(s-m*m)**1.5

def spend(rng, draw, rate, n, gain=1.):
    amounts = np.zeros(n); k = rng.binomial(n, rate) if rate < 1 else n
    amounts[:k] = gain*draw(rng, k)
    return amounts

def paid(rng, shape, n, gain=1.): return ArmValues(spend(rng, SHAPES[shape][0], SHAPES[shape][3], n, gain))

def size(shape, times): # customers for each unit of squared skewness, and 60 at least
    return max(60, round(times*max(1., skewness(*SHAPES[shape][1:])**2)))

for shape, (*_, rate) in SHAPES.items():
    for n, enough in ((20, False), (size(shape, 4), False), (size(shape, 12), False), (size(shape, 50), True), (size(shape, 100), True)):
        cell("mean", shape, n, enough or n == size(shape, 50), rate, lambda rng, s=shape, n=n: arm(paid(rng, s, n)))
    for n, enough in ((20, False), (size(shape, 8), False), (size(shape, 25), True), (size(shape, 50), True)):
        cell("difference of means", f"{shape}, equal arms", n, enough or n == size(shape, 25), .1*rate,
             lambda rng, s=shape, n=n: difference(paid(rng, s, n, 1.1), paid(rng, s, n)))
    for n, enough in ((20, False), (size(shape, 6), False), (size(shape, 15), False), (size(shape, 50), True)):
        cell("difference of means", f"{shape}, arms 10 to 1", n, enough or n == size(shape, 50), .1*rate,
             lambda rng, s=shape, n=n: difference(paid(rng, s, 10*n, 1.1), paid(rng, s, n)))
    for times, words in ((1, "equal arms"), (10, "arms 10 to 1")):
        for n, enough in ((size(shape, 12), False), (size(shape, 50), True)):
            cell("lift", f"{shape}, {words}", n, enough or n == size(shape, 50), .1, lambda rng, s=shape, n=n, m=n*times:
                 relative_lift(compare_by_design(paid(rng, s, m, 1.1), paid(rng, s, n), "mean", PLAIN)))

for shape in ("gamma spend, 5 % buy", "lognormal spend, 20 % buy"):
    for times, words in ((1, "equal arms"), (10, "arms 10 to 1")):
        for n, enough in ((size(shape, 8), False), (size(shape, 50), True)):
            if n*times > 40_000: continue   # minutes of resampling
            cell("goal", f"{shape}, {words}", n, enough, .1*SHAPES[shape][3], lambda rng, s=shape, n=n, m=n*times: goal(paid(rng, s, m, 1.1), paid(rng, s, n)))

# --- amounts with a cap that one buyer in fifty reaches ---
CAP = float(np.exp(-.5 + norm.ppf(.98)))
CAPPED = float(norm.cdf(norm.ppf(.98)-1) + .02*CAP) # mean of a lognormal amount of mean 1, capped there
def capped(rng, n, gain=1.): return ArmValues(capped_amounts(spend(rng, SHAPES["lognormal spend, 20 % buy"][0], .2, n, gain), gain*CAP))
for n, enough in ((100, False), (300, False), (1_000, True), (3_000, True)):
    cell("capped mean", "lognormal spend, 20 % buy", n, enough, .2*CAPPED, lambda rng, n=n: arm(capped(rng, n)))
    cell("capped difference of means", "lognormal spend, 20 % buy, arms 10 to 1", n, enough, .02*CAPPED, lambda rng, n=n: difference(capped(rng, 10*n, 1.1), capped(rng, n)))

# --- ratios: orders and taste go together ---
def ordered(rng, shape, n, gain=1.):
    orders = rng.poisson(1.2, n)
    return ArmValues(gain*orders*SHAPES[shape][0](rng, n), orders.astype(float))
for shape in ("exponential amounts, all buy", "normal amounts, all buy"):
    for n, enough in ((40, False), (150, False), (1_000, True), (4_000, True)):
        said = f"revenue per order, {shape.partition(',')[0]}"
        cell("ratio", said, n, enough, 1., lambda rng, s=shape, n=n: arm(ordered(rng, s, n), "ratio"))
        cell("difference of ratios", f"{said}, arms 10 to 1", n, enough, .1, lambda rng, s=shape, n=n: difference(ordered(rng, s, 10*n, 1.1), ordered(rng, s, n), "ratio"))

# --- quantiles of amounts where everybody buys ---
def quantiled(rng, s, n, q, gain=1.): return ArmValues(gain*rng.lognormal(0, s, n), quantile=q)
for q, words in ((.5, "median"), (.9, "90 % quantile")):
    for s in (.5, 1.2):
        for n in (20, 60, 400, 2_000):
            enough, truth = n*q*(1-q) >= 150, float(np.exp(s*norm.ppf(q)))
            cell("quantile", f"{words}, lognormal {s:g}", n, enough, truth, lambda rng, q=q, s=s, n=n: arm(quantiled(rng, s, n, q), "quantile"))
            cell("difference of quantiles", f"{words}, lognormal {s:g}, arms 10 to 1", n, enough, .1*truth,
                 lambda rng, q=q, s=s, n=n: difference(quantiled(rng, s, 10*n, q, 1.1), quantiled(rng, s, n, q), "quantile"))

# --- what an experiment knows beforehand: past spend, and markets of which one spends four times as much as another ---
TASTE = (1.25, 1.875) # second and third moment of a customer's taste
SHARES = np.array([.5, .3, .2])
DEAR = np.array([1., 2., 4.])

def known(rng, shape, n, gain=1., *, past=False, markets=False):
    draw, _, _, rate = SHAPES[shape]
    taste, market = rng.gamma(4, .25, n) if past else np.ones(n), rng.choice(3, n, p=SHARES) if markets else np.zeros(n, int)
    buys, bought = rng.random(n) < rate, rng.random(n) < rate
    before = (bought*draw(rng, n)*taste*DEAR[market])[:, None] if past else None
    return ArmValues(gain*buys*draw(rng, n)*taste*DEAR[market], covariates=before, strata=market if markets else None)

DESIGNS = {"covariate-adjusted difference": (Design(covariates=("past spend",)), dict(past=True)), "stratified difference": (Design(strata=("market",)), dict(markets=True)),
           "adjusted and stratified difference": (Design(covariates=("past spend",), strata=("market",)), dict(past=True, markets=True))}
for kind, (design, knows) in DESIGNS.items():
    for shape in ("gamma spend, 5 % buy", "lognormal spend, 20 % buy"):
        second, third, rate = SHAPES[shape][1:]
        if knows.get("past"): second, third = second*TASTE[0], third*TASTE[1]
        level = float(SHARES@DEAR) if knows.get("markets") else 1.
        if knows.get("markets"): second, third = second*float(SHARES@DEAR**2)/level**2, third*float(SHARES@DEAR**3)/level**3
        uneven = skewness(second, third, rate)**2
        for times, arms in ((1, "equal arms"), (3, "arms 3 to 1")):
            if len(knows) > 1 and times > 1: continue
            for each, enough in ((6, False), (25 if times == 1 else 50, True)):
                n = round(each*uneven)
                cell(kind, f"{shape}, {arms}", n, enough, .1*rate*level, lambda rng, s=shape, n=n, m=n*times, d=design, w=knows:
                     difference(known(rng, s, m, 1.1, **w), known(rng, s, n, **w), "mean", d))

# --- shops of forty customers or so, some of them twice as good as others; n is the number of shops ---
def in_shops(rng, shops, gain=1., *, share=False):
    sizes = 20 + rng.poisson(20, shops)
    good = np.repeat(rng.gamma(16, 1/16, shops), sizes)
    n = len(good)
    if share: values = (rng.random(n) < .2*gain*good).astype(float)
    else: values = (rng.random(n) < .2)*rng.gamma(1.6, 1/1.6, n)*good*gain
    return ArmValues(values, clusters=np.repeat(np.arange(shops), sizes))
SHOPS = Design(clusters="shop")
for shops, enough in ((6, False), (12, False), (20, True), (60, True)):
    for share, kind, what in ((False, "mean", "gamma spend, 20 % buy"), (True, "proportion", "20 % buy")):
        cell("clustered mean" if not share else "clustered share", f"{what}, shops", shops, enough, .2, lambda rng, k=kind, c=shops, s=share: arm(in_shops(rng, c, share=s), k))
        cell("clustered difference", f"{what}, shops, equal arms", shops, enough, .02, lambda rng, k=kind, c=shops, s=share:
             difference(in_shops(rng, c, 1.1, share=s), in_shops(rng, c, share=s), k, SHOPS))
        cell("clustered difference", f"{what}, shops, arms 3 to 1", shops, enough, .02, lambda rng, k=kind, c=shops, s=share:
             difference(in_shops(rng, 3*c, 1.1, share=s), in_shops(rng, c, share=s), k, SHOPS))

def observe(chosen, draws=DRAWS):
    "Answered, held among the answered (None without any), wrong among all, exact or widened among the answered; shares."
    rng, answered, held, cautious = np.random.default_rng([SEED, zlib.crc32(chosen.name.encode())]), 0, 0, 0
    for _ in range(draws):
        try: estimate = chosen.once(rng)
        except NotMeasurable: continue
        answered += 1; held += estimate.low <= chosen.truth <= estimate.high
        cautious += any(word in estimate.method for word in CAUTIOUS)
    return dict(answered=round(answered/draws, 4), held=round(held/answered, 4) if answered else None, wrong=round((answered-held)/draws, 4),
                cautious=round(cautious/answered, 4) if answered else None)

def kept(row):
    "Whether a recorded cell keeps what is promised for it."
    if row["enough"]: return row["held"] is not None and PROMISE[0] <= row["held"] <= PROMISE[1]
    return row["wrong"] <= MOST_WRONG

def observed(name):
    chosen = next(cell for cell in CELLS if cell.name == name)
    return dict(kind=chosen.kind, shape=chosen.shape, n=chosen.n, enough=chosen.enough, name=chosen.name, draws=DRAWS) | observe(chosen)

def main(*names):
    rows, chosen = [], [cell.name for cell in CELLS if not names or any(name in cell.name for name in names)]
    with ProcessPoolExecutor(max_workers=min(2, os.cpu_count() or 1)) as workers:   # every cell has a stream of its own
        for row in workers.map(observed, chosen):
            print(("  " if kept(row) else "! ") + f"{row['name']}: enough {row['enough']} answered {row['answered']} held {row['held']} wrong {row['wrong']} cautious {row['cautious']}", flush=True)
            rows.append(row)
    if names: return
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    record = dict(command="python benchmarks/interval_coverage.py", seed=SEED, commit=commit, promise=list(PROMISE), most_wrong=MOST_WRONG, cells=rows)
    (ROOT/"benchmarks"/"results"/"interval_coverage.json").write_text(json.dumps(record, indent=1, sort_keys=True)+"\n")

if __name__ == "__main__": main(*sys.argv[1:])
