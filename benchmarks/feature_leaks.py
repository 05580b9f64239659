"""How often a leak is suspected: where nothing was planted, and where a feature gives the answer away.

    python benchmarks/feature_leaks.py            200 drawn training sets of each kind, rewrites benchmarks/results/feature_leaks.json
    python benchmarks/feature_leaks.py --draft    12 of each kind, prints only

A set is a training set of drawn customers (training.feature_review_draws), reviewed as a model's own set is. The page of
training.feature_review_leaks shows the counts.
"""
import os
os.environ.setdefault("OMP_NUM_THREADS", "1")
import json, subprocess, sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
import numpy as np
from marketing_mlops.measurement.intervals import proportion_interval
from marketing_mlops.training.feature_review_draws import DRAWN_KINDS, drawn_training_set
from marketing_mlops.training.feature_review_gains import alone_figures
from marketing_mlops.training.feature_review_leaks import leak_suspicion
from marketing_mlops.training.feature_review_plans import review_plan, subset_figure

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT/"benchmarks"/"results"/"feature_leaks.json"
SEED, DRAWS = 20_260_101, 200
ALGORITHMS = {"logistic_regression": dict(name="logistic_regression"),
              "hist_gradient_boosting": dict(name="hist_gradient_boosting", max_iter=30, learning_rate=.1, max_leaf_nodes=7, min_samples_leaf=40)}
BOOSTED = ("clean", "strong", "partial") # the kinds that are also reviewed with trees, which take longer

def found_in(kind, algorithm, number):
    "Codes of the reasons for a suspicion, and which features they name."
    rows = drawn_training_set(np.random.default_rng([SEED, DRAWN_KINDS.index(kind), number]), kind)
    plan = review_plan(rows, dict(task="propensity", primary_metric="auc", algorithm=ALGORITHMS[algorithm]))
    verdict = leak_suspicion(plan, subset_figure(plan, plan.features), alone_figures(plan))
    return [tuple(reason.code.split(":")) for reason in verdict.reasons if reason.severity == "review"]

def counted(kind, algorithm, draws, pool):
    found = list(pool.map(found_in, [kind]*draws, [algorithm]*draws, range(draws), chunksize=4))
    suspected = sum(map(bool, found))
    share = proportion_interval(suspected, draws)
    names_it = sum(any(name == "leak" for _, name in each) for each in found)
    codes = {code: sum(any(code == each for each, _ in reasons) for reasons in found) for code in ("one_feature", "too_strong", "nearly_certain")}
    print(f"{kind}, {algorithm}: {suspected} of {draws} suspected, {names_it} name the leak, {codes}", flush=True)
    return dict(kind=kind, algorithm=algorithm, draws=draws, suspected=suspected, names_the_leak=names_it, low=round(share.low, 4), high=round(share.high, 4), codes=codes)

def main(*arguments):
    draws = 12 if "--draft" in arguments else DRAWS
    with ProcessPoolExecutor(int(os.environ.get("LEAK_WORKERS", "2")), mp_context=get_context("spawn")) as pool:
        kinds = [counted(kind, name, draws, pool) for name in ALGORITHMS for kind in DRAWN_KINDS if name == "logistic_regression" or kind in BOOSTED]
    if "--draft" in arguments: return
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    RESULT.write_text(json.dumps(dict(command="python benchmarks/feature_leaks.py", seed=SEED, draws=DRAWS, commit=commit, kinds=kinds), indent=1, sort_keys=True) + "\n")

if __name__ == "__main__": main(*sys.argv[1:])
