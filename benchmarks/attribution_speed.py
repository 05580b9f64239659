"""How long credits take: a million paths over twenty channels by removal effects, and Shapley values of twelve channels and of thirty.

    python benchmarks/attribution_speed.py [PYTHON]            (writes benchmarks/results/attribution_speed.json)

Paths are texts, as other tools write them, and are read and checked each time. `wall` is what a clock on the wall said, `cpu` the time
of the process; they differ on a machine that has other things to do. PYTHON is the interpreter of an environment with ChannelAttribution
and marketing-attribution-models (see tests/measurement/oracles/make_attribution_oracles.py); they get the same million paths. Only their
model is timed, not the making of the frame each of them takes. Without it their figures are left as they were recorded.
"""
import json, subprocess, sys, time
from pathlib import Path
from tempfile import TemporaryDirectory
import numpy as np
import pandas as pd
from marketing_mlops.measurement.attribution import METHODS, AttributionSpec, attribute_conversions
from marketing_mlops.measurement.journeys import read_journeys
from marketing_mlops.measurement.removal_effects import removal_credits, transition_counts
from marketing_mlops.measurement.shapley_credits import shapley_credits

RESULTS = Path(__file__).resolve().parent/"results"/"attribution_speed.json"
N, SEED, REPEATS = 1_000_000, 12, 3

PEERS = '''
import json, sys, time
import pandas as pd, polars as pl
import ChannelAttribution
from mam.models.markov import MarkovModel
paths, found = pd.read_parquet(sys.argv[1]), {}
def timed(name, run):
    start = time.perf_counter(), time.process_time(); answer = run()
    found[name] = dict(wall=round(time.perf_counter() - start[0], 2), cpu=round(time.process_time() - start[1], 2)); return answer
ChannelAttribution.markov_model(paths.head(100), "path", "conversions", var_null="lost", seed=1)
timed("ChannelAttribution markov (drawn)", lambda: ChannelAttribution.markov_model(paths, "path", "conversions", var_null="lost", seed=1))
lists = paths.path.str.split(" > ").tolist()
frame = pl.concat([pl.DataFrame(dict(channels=lists, weight=paths[name].astype(float).tolist())).with_columns(pl.lit(name == "conversions").alias("has_conversion")) for name in ("conversions", "lost")])
parts = timed("marketing-attribution-models markov", lambda: MarkovModel(transition_to_same_state=True)._compute_markov(frame.filter(pl.col("weight") > 0)))
print(json.dumps(dict(seconds=found, credits={name: part*float(paths.conversions.sum()) for name, part in parts.items()})))
'''

def drawn_paths(n, channels, seed=SEED):
    "Paths of one to nine touches; channels are met unequally often."
    rng = np.random.default_rng(seed)
    names, lengths = np.array([f"channel {k:02}" for k in range(channels)]), rng.integers(1, 10, n)
    codes = rng.choice(channels, (n, 9), p=np.arange(1, channels + 1)/(channels*(channels + 1)/2))
    texts = [" > ".join(names[row[:length]]) for row, length in zip(codes, lengths)]
    return pd.DataFrame(dict(path=texts, conversions=rng.binomial(3, .05, n), lost=rng.integers(0, 4, n)))

def seconds(run):
    taken = []
    for _ in range(REPEATS):
        start = time.perf_counter(), time.process_time()
        run()
        taken.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    wall, cpu = min(taken)
    return dict(wall=round(wall, 3), cpu=round(cpu, 3))

def one_after_the_other(journeys):
    "Each channel taken out of the chain, which is solved again."
    start, steps, converted, lost = transition_counts(journeys)
    leaving, n = np.maximum(steps.sum(axis=1) + converted + lost, 1), len(journeys.channels)
    def chance(kept): return (start/start.sum())[kept] @ np.linalg.solve(np.eye(len(kept)) - (steps/leaving[:, None])[np.ix_(kept, kept)], (converted/leaving)[kept])
    whole = chance(np.arange(n))
    effects = np.array([1 - chance(np.delete(np.arange(n), k))/whole for k in range(n)])
    return effects/effects.sum()*journeys.n_conversions

def main(peers=None):
    paths = drawn_paths(N, 20)
    journeys = read_journeys(paths)
    found = {"read and check a million paths": seconds(lambda: read_journeys(paths)), "markov, a million paths, 20 channels, text to credits": seconds(lambda: removal_credits(read_journeys(paths)))}
    found |= {f"{name}, a million paths, 20 channels": seconds(lambda: attribute_conversions(journeys, AttributionSpec(name))) for name in METHODS if name not in ("time_decay",)}
    found["channels removed one after the other, a million paths"] = seconds(lambda: one_after_the_other(journeys))
    assert np.allclose(one_after_the_other(journeys), removal_credits(journeys).conversions)
    twelve, thirty = (read_journeys(drawn_paths(N//5, channels)) for channels in (12, 30))
    found["shapley by rate, exact, 200,000 paths, 12 channels"] = seconds(lambda: shapley_credits(twelve, "rate"))
    found["shapley by rate, drawn, 200,000 paths, 30 channels, 100 orders"] = seconds(lambda: shapley_credits(thirty, "rate", draws=100))
    drawn = shapley_credits(thirty, "rate", draws=100)
    known = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    others = known.get("peers")
    if peers:
        with TemporaryDirectory() as folder:
            paths.to_parquet(f"{folder}/paths.parquet")
            told = json.loads(subprocess.run([peers, "-c", PEERS, f"{folder}/paths.parquet"], capture_output=True, text=True, check=True).stdout.splitlines()[-1])
        mine = removal_credits(journeys).conversions
        others = told["seconds"] | dict(largest_difference_to_marketing_attribution_models=float(max(abs(mine[name] - value) for name, value in told["credits"].items())))
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=RESULTS.parent, capture_output=True, text=True).stdout.strip()
    result = dict(command="python benchmarks/attribution_speed.py [PYTHON]", paths=N, touches=int(len(journeys.touches)), seed=SEED, best_of=REPEATS, commit=commit, seconds=found, widest_interval_of_30_channels=round(float((drawn.high - drawn.low).max()), 2),
                  conversions_of_30_channels=float(drawn.conversions.sum()), peers=others, promised={"markov, a million paths, 20 channels, text to credits": 5., "shapley by rate, exact, 200,000 paths, 12 channels": 2.})
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))

if __name__ == "__main__": main(*sys.argv[1:])
