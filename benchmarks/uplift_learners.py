"""How well each way of learning gains finds who gains, where the truth is known.

    python benchmarks/uplift_learners.py            writes benchmarks/results/uplift_learners.json

A customer has two numbers, her days since the last order and her orders, and each campaign has a truth of its own: see
`CAMPAIGNS`. Learners see 3,000 customers and are asked about 3,000 others, with the same boosted trees throughout.
`found` is what the third of customers they rank first gains beyond the average, as a share of what the true best third
gains beyond it: 1 is the truth, 0 is drawing lots. `mistake` is the mean distance of predicted and true gain, in units of
the standard deviation of the true gain, or of the gain itself where all gain alike. The second figures are standard errors over the draws.
"""
import json, subprocess, zlib
from pathlib import Path
import numpy as np
import pandas as pd
from marketing_mlops.models.uplift_learners import UPLIFT_LEARNERS

ROOT = Path(__file__).resolve().parent.parent
N, DRAWS, SEED = 3_000, 30, 20_261_121
TREES = dict(name="hist_gradient_boosting", max_iter=40, learning_rate=.1, max_leaf_nodes=7)

def customers(rng, n=N): return pd.DataFrame(dict(recency_days=rng.uniform(0, 120, n), orders_365d=1.+rng.poisson(2, n)))
def silent(X): return X.recency_days.to_numpy() > 60
def habit(X): return 5*X.orders_365d.to_numpy() + 8*np.sin(X.recency_days.to_numpy()/12)
def even(X): return np.full(len(X), .5)
def step(X): return np.where(silent(X), 4., -2.)

def money(rng, X, gain, treated): return habit(X) + gain*treated + rng.normal(0, 6, len(X))
def visits(rng, X, gain, treated): return (rng.random(len(X)) < .1 + .02*X.orders_365d.clip(upper=10) + gain*treated).astype(int)

# what the campaign adds, how likely the mail was, what is counted, which features the learner sees
CAMPAIGNS = {
    "half are mailed, some gain and some lose": dict(gain=step),
    "one in twenty is mailed": dict(gain=lambda X: 5 - .06*X.recency_days.to_numpy(), chance=lambda X: np.full(len(X), .05)),
    "all gain alike": dict(gain=lambda X: np.full(len(X), 3.)),
    "frequent buyers are mailed four times as often": dict(gain=step, chance=lambda X: np.where(X.orders_365d > 3, .8, .2)),
    "the same, and the learner does not see orders": dict(gain=step, chance=lambda X: np.where(X.orders_365d > 3, .8, .2), sees=("recency_days",)),
    "half are mailed, visits are counted": dict(gain=lambda X: np.where(silent(X), .15, 0.), outcome=visits),
}

def drawn(rng, way, gain, chance=even, outcome=money, sees=("recency_days", "orders_365d")):
    "One campaign, learned once: found and mistake."
    X, later = customers(rng), customers(rng)
    p = chance(X)
    arm = np.where(rng.random(N) < p, "mail", "none")
    y = outcome(rng, X, gain(X), arm == "mail")
    model = UPLIFT_LEARNERS[way].model(TREES, list(sees), [], "none").fit(X, y, arm, pd.DataFrame(dict(mail=p, none=1-p)))
    predicted, truth = model.predict(later).mail.to_numpy(), gain(later)
    third, spread = N//3, truth.std()
    best = np.sort(truth)[-third:].mean() - truth.mean()
    found = (truth[np.argsort(-predicted, kind="stable")[:third]].mean() - truth.mean())/best if spread > 1e-9 else None
    return found, np.abs(predicted - truth).mean()/(spread if spread > 1e-9 else truth.mean())

def judged(way, name):
    campaign = CAMPAIGNS[name]
    if campaign.get("outcome", money) is money and not UPLIFT_LEARNERS[way].learns_amounts: return None
    rng = np.random.default_rng([SEED, zlib.crc32(name.encode())])   # every learner sees the same campaigns
    found, mistake = zip(*(drawn(rng, way, **campaign) for _ in range(DRAWS)))
    def said(values): return None if values[0] is None else [round(float(np.mean(values)), 3), round(float(np.std(values, ddof=1)/DRAWS**.5), 3)]
    return dict(campaign=name, learner=way, found=said(found), mistake=said(mistake))

def main():
    rows = [row for name in CAMPAIGNS for way in UPLIFT_LEARNERS if (row := judged(way, name))]
    result = dict(command="python benchmarks/uplift_learners.py", seed=SEED, draws=DRAWS, customers=N, algorithm=TREES, results=rows,
                  commit=subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip())
    (ROOT/"benchmarks"/"results"/"uplift_learners.json").write_text(json.dumps(result, indent=1, sort_keys=True)+"\n")
    print(pd.DataFrame(rows).to_string())

if __name__ == "__main__": main()
