"""How often a search finds what is truly better, by an amount that is known, and whether its headline is true of what it names.

    python benchmarks/search_known_truth.py            200 searches of each kind of shop, rewrites benchmarks/results/search_known_truth.json
    python benchmarks/search_known_truth.py 60         so many of each; the count is written down
    python benchmarks/search_known_truth.py --draft    5 of each, prints only

Two kinds of shop, each drawn anew for every search, with 400 customers, four months to learn from and one held out. In *bent* shops the
odds rise with the distance of a number from its middle, to both sides; a weighted sum, which is in use, cannot say so and trees can.
In *single* shops one of three numbers says everything, and all three are in use. What the best weighted sum and the best score of all
would reach is computed from the odds themselves, on 200,000 customers; what a search names is judged on 20,000 fresh customers.
"""
import os
os.environ.setdefault("OMP_NUM_THREADS", "1")
import json, subprocess, sys, time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
import numpy as np
import pandas as pd
from marketing_mlops.features.training_sets import TrainingSet
from marketing_mlops.measurement.intervals import proportion_interval
from marketing_mlops.models.encoders import feature_frame
from marketing_mlops.training.feature_review_figures import ranked_right
from marketing_mlops.training.feature_review_plans import learn_folds
from marketing_mlops.training.search import search_for_model
from marketing_mlops.training.search_folds import search_plan
from marketing_mlops.training.search_rungs import SearchRequest

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT/"benchmarks"/"results"/"search_known_truth.json"
SEED, DRAWS, FRESH, KNOWN, TRIALS = 20_261_123, 200, 20_000, 200_000, 3
SUMS, TREES = "logistic_regression", "hist_gradient_boosting"
SPEC = dict(task="propensity", primary_metric="auc", algorithm=dict(name=SUMS))
PROMISED = .93 # share of headlines that cover, at least

def bent(x): return .9*(np.abs(x[:, 0]) - .8) + .4*x[:, 1]
def single(x): return 1.*x[:, 0]

KINDS = {"bent": dict(said=bent, numbers=3, without=lambda x: .4*x[:, 1], algorithms=None, is_found=lambda named: named.algorithm["name"] == TREES and "number_0" in named.features),
         "single": dict(said=single, numbers=3, without=single, algorithms=(SUMS,), is_found=lambda named: named.features == ("number_0",))}

def drawn(rng, kind, customers):
    "Rows of customers who differ for reasons nobody knows as well."
    x = rng.normal(size=(customers, KINDS[kind]["numbers"]))
    label = rng.random(customers) < 1/(1 + np.exp(.8 - KINDS[kind]["said"](x) - .5*rng.normal(size=customers)))
    return pd.DataFrame(x, columns=[f"number_{i}" for i in range(x.shape[1])]).assign(label=label.astype(int))

def training_rows(rng, kind):
    months = pd.date_range("2026-01-01", periods=5, freq="MS", tz="UTC")
    frame = pd.concat([drawn(rng, kind, 400).assign(customer_id=[f"c{i}" for i in range(400)], cutoff=at, matured_at=at + pd.Timedelta(days=28)) for at in months], ignore_index=True)
    return TrainingSet("drawn", frame.assign(split=np.where(frame.cutoff == months[-1], "held_out", "train")), [name for name in frame if name.startswith("number_")], "label", None)

def known_amount(kind):
    "What the best weighted sum of the features reaches, and the best score there is."
    rows = drawn(np.random.default_rng([SEED, 9]), kind, KNOWN)
    x = rows.drop(columns="label").to_numpy()
    return [round(float(ranked_right(rows.label, KINDS[kind][name](x))), 4) for name in ("without", "said")]

def found_in(kind, number):
    "What a search of one shop found, and what is true of it."
    rng, began = np.random.default_rng([SEED, list(KINDS).index(kind), number]), time.process_time()
    rows = training_rows(rng, kind)
    found = search_for_model(rows, SPEC, SearchRequest(trials=TRIALS, seed=number, algorithms=KINDS[kind]["algorithms"]))
    outer, fresh = search_plan(rows, SPEC, seed=number).outer, drawn(rng, kind, FRESH)
    def truth(of):
        learned, = learn_folds(replace(outer, spec=outer.spec | dict(algorithm=dict(of.algorithm))), of.features)
        return float(ranked_right(fresh.label, learned.predict(feature_frame(fresh, rows.numeric, rows.categorical), fresh)))
    named, in_use, gain = truth(found.named), truth(found.choice.in_use.candidate), found.opened.gain
    return dict(found=bool(KINDS[kind]["is_found"](found.named)), advice=found.advice, low=found.opened.headline.low, high=found.opened.headline.high, named=named, in_use=in_use,
                headline=found.opened.headline.value, best_inner=found.choice.best.figure, gain=None if gain is None else [gain.low, gain.high], seconds=time.process_time() - began)

def counted(kind, draws, pool):
    found = list(pool.map(found_in, [kind]*draws, range(draws), chunksize=2))
    covers, hits = (sum(each["low"] <= each["named"] <= each["high"] for each in found), sum(each["found"] for each in found))
    gains = [each for each in found if each["gain"]]
    known, share, often = known_amount(kind), proportion_interval(covers, draws), proportion_interval(hits, draws)
    def mean(name): return round(float(np.mean([each[name] for each in found])), 4)
    made = dict(searches=draws, best_weighted_sum=known[0], best_there_is=known[1], found=hits, found_low=round(often.low, 4), found_high=round(often.high, 4), covers=covers, covers_low=round(share.low, 4),
                covers_high=round(share.high, 4), gains=len(gains), gains_cover=sum(each["gain"][0] <= each["named"] - each["in_use"] <= each["gain"][1] for each in gains),
                advice=dict(sorted(Counter(each["advice"] for each in found).items())), mean_named=mean("named"), mean_in_use=mean("in_use"), mean_headline=mean("headline"), mean_best_inner=mean("best_inner"))
    print(kind, made, f"{sum(each['seconds'] for each in found):.0f} s of computing", flush=True)
    return made

def main(*arguments):
    numbers = [int(each) for each in arguments if each.isdigit()]
    draws = 5 if "--draft" in arguments else numbers[0] if numbers else DRAWS
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    with ProcessPoolExecutor(int(os.environ.get("SEARCH_WORKERS", "2")), mp_context=get_context("spawn")) as pool: kinds = {kind: counted(kind, draws, pool) for kind in KINDS}
    if "--draft" in arguments: return
    scenarios = [dict(name=f"headlines of {name} shops that cover the truth", observed=each["covers"]/each["searches"], allowed=[PROMISED, 1.]) for name, each in kinds.items()]
    command = " ".join(["python benchmarks/search_known_truth.py", *map(str, numbers)])
    RESULT.write_text(json.dumps(dict(command=command, commit=commit, seed=SEED, kinds=kinds, scenarios=scenarios), indent=1, sort_keys=True) + "\n")

if __name__ == "__main__": main(*sys.argv[1:])
