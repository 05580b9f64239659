"""How often each kind of 95 % interval holds the truth, by the number of customers and how uneven they are.

    python benchmarks/interval_coverage.py            writes benchmarks/results/interval_coverage.json
    python benchmarks/interval_coverage.py NAME ...   prints single cells whose name holds NAME

Each cell draws 2,000 samples with a known truth and asks a function of `sufficient_sizes` for its interval. It counts
how many were answered, how many of the answers held the truth, and how many samples ended in a wrong answer. `enough`
says whether the cell is at or above the size the function declares sufficient: there the answers hold the truth in 93.5
to 96.5 % of cases; below it the function refuses or is exact, so that no more than 6.5 % of samples end in a wrong answer.
"""
import json, subprocess, sys, zlib
from dataclasses import dataclass
from collections.abc import Callable
from pathlib import Path
import numpy as np
from marketing_mlops.measurement.intervals import NotMeasurable
from marketing_mlops.measurement.lifts import relative_lift
from marketing_mlops.measurement.sufficient_sizes import amount_difference, amount_interval, share_difference, share_interval

ROOT, SEED, DRAWS = Path(__file__).resolve().parents[1], 20_261_101, 2_000
PROMISE, MOST_WRONG = (.935, .965), .065

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
def cell(*parts): CELLS.append(Cell(*parts))

# --- shares: 20 who do it, and 20 who do not, are expected ---
for p in (.01, .05, .5):
    for expected in (2, 5, 10, 20, 40, 100, 400):
        n = round(expected/p)
        cell("share", f"{100*p:g} %", n, expected >= 20, p, lambda rng, p=p, n=n: share_interval(int(rng.binomial(n, p)), n))
        if expected == 400: continue
        for times, words in ((1, "equal arms"), (10, "arms 10 to 1")):
            q, m = min(.9, 1.5*p), n*times
            cell("difference of shares", f"{100*q:g} % and {100*p:g} %, {words}", n, expected >= 20 and n-expected >= 20, q-p,
                 lambda rng, p=p, q=q, n=n, m=m: share_difference(int(rng.binomial(m, q)), m, int(rng.binomial(n, p)), n).estimate)

# --- amounts of mean 1 per buyer: how to draw k of them, and their second and third moment ---
SHAPES = {"normal amounts, all buy": (lambda rng, k: rng.normal(1, .5, k), 1.25, 1.75, 1.), "exponential amounts, all buy": (lambda rng, k: rng.exponential(1, k), 2., 6., 1.),
          "gamma spend, 5 % buy": (lambda rng, k: rng.gamma(1.6, 1/1.6, k), 1.625, 3.65625, .05),
          "lognormal spend, 5 % buy": (lambda rng, k: rng.lognormal(-.5, 1, k), float(np.e), float(np.e**3), .05),
          "lognormal spend, 20 % buy": (lambda rng, k: rng.lognormal(-.5, 1, k), float(np.e), float(np.e**3), .2)}

def skewness(second, third, rate):
    "Of the amount per customer, when `rate` of them buy."
    m, s, t = rate, rate*second, rate*third
    return (t - 3*m*s + 2*m**3)/(s-m*m)**1.5

def spend(rng, draw, rate, n, gain=1.):
    amounts = np.zeros(n); k = rng.binomial(n, rate) if rate < 1 else n
    amounts[:k] = gain*draw(rng, k)
    return amounts

def ratio_numbers(rng, draw, n):
    "What each customer contributes to revenue per order, where orders and taste go together."
    orders, taste = 1 + rng.poisson(.8, n), draw(rng, n)
    revenue = orders*taste
    ratio = revenue.sum()/orders.sum()
    return ratio + (revenue-ratio*orders)/orders.mean()

for shape, (draw, second, third, rate) in SHAPES.items():
    uneven = max(1., skewness(second, third, rate)**2)
    for times in (3, 10, 50, 150):
        n = round(times*uneven)
        cell("mean", shape, n, times >= 50, rate, lambda rng, d=draw, r=rate, n=n: amount_interval(spend(rng, d, r, n)))
    for times in (3, 8, 50):
        n = max(20, round(times*uneven)) if times >= 8 else max(6, round(times*uneven))
        cell("difference of means", f"{shape}, equal arms", n, times >= 8, .1*rate,
             lambda rng, d=draw, r=rate, n=n: amount_difference(spend(rng, d, r, n, 1.1), spend(rng, d, r, n)).estimate)
    for times in (3, 6, 50):
        n = round(times*uneven)
        cell("difference of means", f"{shape}, arms 10 to 1", n, times >= 50, .1*rate,
             lambda rng, d=draw, r=rate, n=n: amount_difference(spend(rng, d, r, 10*n, 1.1), spend(rng, d, r, n)).estimate)
    for times in (8, 50):
        n = max(4*times, round(times*uneven))
        cell("lift", f"{shape}, equal arms", n, times >= 50, .1,
             lambda rng, d=draw, r=rate, n=n: relative_lift(amount_difference(spend(rng, d, r, n, 1.1), spend(rng, d, r, n))))
for shape in ("exponential amounts, all buy", "normal amounts, all buy"):
    draw, second, third, _ = SHAPES[shape]
    for n in (40, 150, 1_000, 4_000):
        cell("ratio", f"revenue per order, {shape.partition(',')[0]}", n, n >= 1_000, 1., lambda rng, d=draw, n=n: amount_interval(ratio_numbers(rng, d, n)))

def observe(chosen, draws=DRAWS):
    "Answered, held among the answered (None without any), and wrong among all; shares of the draws."
    rng, answered, held = np.random.default_rng([SEED, zlib.crc32(chosen.name.encode())]), 0, 0
    for _ in range(draws):
        try: estimate = chosen.once(rng)
        except NotMeasurable: continue
        answered += 1; held += estimate.low <= chosen.truth <= estimate.high
    return dict(answered=round(answered/draws, 4), held=round(held/answered, 4) if answered else None, wrong=round((answered-held)/draws, 4))

def kept(row):
    "Whether a recorded cell keeps what is promised for it."
    if row["enough"]: return row["held"] is not None and PROMISE[0] <= row["held"] <= PROMISE[1]
    return row["wrong"] <= MOST_WRONG

def main(*names):
    rows = []
    for chosen in CELLS:
        if names and not any(name in chosen.name for name in names): continue
        row = dict(kind=chosen.kind, shape=chosen.shape, n=chosen.n, enough=chosen.enough, name=chosen.name, draws=DRAWS) | observe(chosen)
        print(("  " if kept(row) else "! ") + f"{row['name']}: enough {row['enough']} answered {row['answered']} held {row['held']} wrong {row['wrong']}", flush=True)
        rows.append(row)
    if names: return
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    record = dict(command="python benchmarks/interval_coverage.py", seed=SEED, commit=commit, promise=list(PROMISE), most_wrong=MOST_WRONG, cells=rows)
    (ROOT/"benchmarks"/"results"/"interval_coverage.json").write_text(json.dumps(record, indent=1, sort_keys=True)+"\n")

if __name__ == "__main__": main(*sys.argv[1:])
