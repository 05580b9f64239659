"""How long a readout of a million customers takes: ten metrics, two arms, from Parquet to the decision.

    python benchmarks/readout_speed.py            (writes benchmarks/results/readout_speed.json)

The frame is read from Parquet each time, in the columns the experiment names. `plain` is an experiment as most are;
the others name covariates, strata, clusters, caps or segments beforehand, or are watched. `cpu` is the time of the
process itself, `wall` what a clock on the wall said; they differ on a machine that has other things to do.
"""
import json, sys, time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock
import numpy as np
import pandas as pd
from marketing_mlops.contracts.figures import METRICS, metric
from marketing_mlops.measurement.experiments import read_experiment
from marketing_mlops.measurement.readouts import read_out

RESULTS = Path(__file__).resolve().parent/"results"/"readout_speed.json"
N, SEED, REPEATS = 1_000_000, 6, 2
NAMES = [f"amount_{i}" for i in range(6)] + [f"share_{i}" for i in range(4)]

def declared():
    amounts = {name: replace(metric("spend_per_customer"), name=name) for name in NAMES[:6]}
    return amounts | {name: replace(metric("conversion_rate"), name=name) for name in NAMES[6:]}

def customers(n=N):
    rng = np.random.default_rng(SEED)
    arm, past = rng.permutation(np.arange(n) % 2), rng.gamma(2, 100, n)
    units = dict(unit_id=np.char.add("c", np.arange(n).astype(str)), arm=np.where(arm, "mail", "none"), spent_before=past, market=rng.choice(["DE", "FR", "UK"], n),
                 shop=np.char.add(np.where(arm, "m", "n"), rng.integers(0, 400, n).astype(str)))
    units |= {name: ((rng.random(n) < .06+.004*arm)*rng.gamma(2, 20, n)).round(2) for name in NAMES[:6]}
    return pd.DataFrame(units | {name: (rng.random(n) < .05+.002*arm).astype("int8") for name in NAMES[6:]})

BASE = dict(name="million", hypothesis="A mail raises spend", objective="Choose a mail", owner="marketing@example.com", control="none", arms={"none": .5, "mail": .5},
            goal="amount_0", guardrails=["share_0"], diagnostics=[name for name in NAMES if name not in ("amount_0", "share_0")], worthwhile_effect=.05, currency="EUR",
            outcome_window_days=14, stopping_rule="fixed_horizon", planned_customers=N)
DESIGNS = {"plain": {}, "covariates": dict(covariates=["spent_before"]), "strata": dict(strata=["market"]), "clusters": dict(clusters="shop"),
           "caps": dict(caps={"amount_0": 150.}), "segments": dict(segments=["market"]), "watched": dict(stopping_rule="always_valid")}

def seconds(file, experiment):
    columns, taken = ["unit_id", "arm", *NAMES, *experiment.design.columns, *experiment.segments], []
    for _ in range(REPEATS):
        start = time.perf_counter(), time.process_time()
        read_out(experiment, pd.read_parquet(file, columns=columns))
        taken.append((time.perf_counter()-start[0], time.process_time()-start[1]))
    wall, cpu = min(taken, key=lambda both: both[1])
    return dict(wall=round(wall, 2), cpu=round(cpu, 2))

def main():
    with TemporaryDirectory() as folder, mock.patch.dict(METRICS, declared()):
        file = Path(folder)/"units.parquet"
        customers().to_parquet(file)
        found = {name: seconds(file, read_experiment(BASE | design)) for name, design in DESIGNS.items() if name in (sys.argv[1:] or DESIGNS)}
    print(found)
    if not sys.argv[1:]: RESULTS.write_text(json.dumps(dict(command="python benchmarks/readout_speed.py", customers=N, metrics=len(NAMES), arms=2, seed=SEED, best_of=REPEATS, seconds=found, promised=dict(plain=3.)), indent=1)+"\n")

if __name__ == "__main__": main()
