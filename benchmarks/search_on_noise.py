"""Whether a search is taken in by noise.

    python benchmarks/search_on_noise.py            500 searches, rewrites benchmarks/results/search_on_noise.json
    python benchmarks/search_on_noise.py --draft    10 searches, prints only

Every search is of another small shop: other numbers of customers, months and features, other base rates, one or two months held
out. In one of five, trees are in use and are drawn beside weighted sums; in the others there are weighted sums alone. Nothing
that is known says anything of the answer. The page of training.search says what is counted and why; search_known_truth.py
turns the question round.
"""
import os
os.environ.setdefault("OMP_NUM_THREADS", "1")
import json, subprocess, sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
import numpy as np
import pandas as pd
from marketing_mlops.features.training_sets import TrainingSet
from marketing_mlops.measurement.intervals import proportion_interval
from marketing_mlops.training.search import search_for_model
from marketing_mlops.training.search_rungs import SearchRequest

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT/"benchmarks"/"results"/"search_on_noise.json"
SEED, SEARCHES, TRIALS = 20_260_102, 500, 5
PROMISED = .93 # share of headlines, at least
SUMS, TREES = dict(name="logistic_regression"), dict(name="hist_gradient_boosting", max_iter=10, max_leaf_nodes=7, min_samples_leaf=20)

def spec_of(number): return dict(task="propensity", primary_metric="auc", algorithm=SUMS if number % 5 else TREES)

def drawn_shop(rng):
    "A training set in which nothing that is known says anything of the answer."
    n, n_months, k = int(rng.integers(150, 500)), int(rng.integers(4, 6)), int(rng.integers(2, 5))
    base, lasting = rng.uniform(-2, 0), rng.uniform(0, 1)      # log-odds of everybody; how much customers differ for reasons nobody knows
    names = [*(f"number_{i}" for i in range(k)), "store"]
    def rows(customers, reasons):
        numbers, store = rng.normal(size=(customers, k)), rng.choice(["north", "south", "east"], customers)
        label = rng.random(customers) < 1/(1 + np.exp(-base - lasting*reasons))
        return pd.DataFrame(numbers, columns=names[:k]).assign(store=pd.Series(store, dtype="str"), label=label.astype(int))
    reasons = rng.normal(size=n)
    months = pd.date_range("2026-01-01", periods=n_months, freq="MS", tz="UTC")
    frame = pd.concat([rows(n, reasons).assign(customer_id=[f"c{i}" for i in range(n)], cutoff=at, matured_at=at + pd.Timedelta(days=28)) for at in months], ignore_index=True)
    begins = months[-int(rng.integers(1, 3))]
    return TrainingSet("drawn", frame.assign(split=np.where(frame.cutoff >= begins, "held_out", "train")), names, "label", None)

def found_in(number):
    "What a search of one shop found; the truth is a half."
    rows = drawn_shop(np.random.default_rng([SEED, 1, number]))
    found = search_for_model(rows, spec_of(number), SearchRequest(trials=TRIALS, seed=number, algorithms=(SUMS["name"],) if number % 5 else None))
    return dict(low=found.opened.headline.low, high=found.opened.headline.high, advice=found.advice,
                best_inner=found.choice.best.figure, best_held_out=found.opened.best.value, trials=len(found.course.trials))

def counted(searches, pool):
    found = list(pool.map(found_in, range(searches), chunksize=5))
    covers, taken = sum(each["low"] <= .5 <= each["high"] for each in found), sum(each["advice"] != "nothing" for each in found)
    share = proportion_interval(covers, searches)
    made = dict(searches=searches, covers=covers, low=round(share.low, 4), high=round(share.high, 4), something_found=taken, trials=sum(each["trials"] for each in found),
                mean_best_inner=round(float(np.mean([each["best_inner"] for each in found])), 4), mean_best_held_out=round(float(np.mean([each["best_held_out"] for each in found])), 4),
                standard_error_of_these=round(float(np.std([each["best_held_out"] for each in found])/np.sqrt(searches)), 4))
    print(made, flush=True)
    return made

def main(*arguments):
    is_draft = "--draft" in arguments
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    with ProcessPoolExecutor(int(os.environ.get("SEARCH_WORKERS", "2")), mp_context=get_context("spawn")) as pool: made = counted(10 if is_draft else SEARCHES, pool)
    if is_draft: return
    scenarios = [dict(name="headlines of noise that cover the truth", observed=made["covers"]/made["searches"], allowed=[PROMISED, 1.])]
    RESULT.write_text(json.dumps(dict(command="python benchmarks/search_on_noise.py", commit=commit, seed=SEED, kinds=dict(noise=made), scenarios=scenarios), indent=1, sort_keys=True) + "\n")

if __name__ == "__main__": main(*sys.argv[1:])
