"""How long an interval of the Qini coefficient takes, beside a loop over scikit-uplift.

    python benchmarks/qini_speed.py [PYTHON]

PYTHON is that of an environment with scikit-uplift; without it one is made in a temporary folder and removed again.
Writes benchmarks/results/qini_speed.json. 64,000 customers, one in two mailed, visits of 10 to 20 per cent, a score per
customer without ties, 1,000 draws with replacement on either side. scikit-uplift has no interval of its own, so its loop
draws rows and computes the area of its Qini curve, as its users do; it cuts the ranking at every score, where
`qini_curve` cuts it at a hundred depths. Both give the coefficient in visits per customer with its standard error.
"""
import json, os, statistics, subprocess, sys, tempfile, time, venv
from pathlib import Path
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
N, DRAWS, SEED, TIMES = 64_000, 1_000, 20_261_121, 5

def campaign():
    rng = np.random.default_rng(SEED)
    score, treated = rng.random(N), rng.random(N) < .5
    return score, treated, (rng.random(N) < .10 + .10*score*treated).astype(int)

def loop():
    "Runs in the other environment: seconds, coefficient and standard error of scikit-uplift's loop."
    import warnings
    from importlib.metadata import version
    warnings.simplefilter("ignore")
    from sklift.metrics import qini_curve
    score, treated, visit = campaign()
    treated = treated.astype(int)
    def coefficient(rows):
        x, y = qini_curve(visit[rows], score[rows], treated[rows])
        n1 = treated[rows].sum()
        return np.trapezoid(y, x)/len(rows)/n1 - y[-1]/n1/2
    rng, start = np.random.default_rng(SEED), time.perf_counter()
    value = coefficient(np.arange(N))
    drawn = [coefficient(rng.integers(0, N, N)) for _ in range(DRAWS)]
    return dict(seconds=round(time.perf_counter()-start, 2), coefficient=float(value), error=float(np.std(drawn)), version=version("scikit-uplift"))

def ours(**options):
    "Median seconds of several runs, coefficient and standard error."
    from marketing_mlops.measurement.uplift_curves import qini_curve
    seconds = []
    for _ in range(TIMES):
        start = time.perf_counter()
        found = qini_curve(*campaign(), **options).coefficient
        seconds.append(time.perf_counter()-start)
    return dict(seconds=round(statistics.median(seconds), 3), coefficient=found.value, error=(found.high-found.low)/(2*1.959964))

def tested():
    "Median seconds of a shuffle test with 999 deals."
    from marketing_mlops.measurement.uplift_tests import ranking_test
    seconds = []
    for _ in range(3):
        start = time.perf_counter(); ranking_test(*campaign()); seconds.append(time.perf_counter()-start)
    return dict(seconds=round(statistics.median(seconds), 3), draws=999)

def main(peer=None):
    if peer: return record(peer)
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        subprocess.run([f"{folder}/bin/pip", "install", "-q", "scikit-uplift"], check=True)
        record(f"{folder}/bin/python")

def record(peer):
    found = subprocess.run([peer, __file__, "--loop"], capture_output=True, text=True, check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    uneven = np.where(campaign()[0] > .5, .6, .4)
    result = dict(command="python benchmarks/qini_speed.py", seed=SEED, rows=N, draws=DRAWS, scikit_uplift=json.loads(found.stdout), qini_curve=ours(),
                  qini_curve_with_chances=ours(chance=uneven), ranking_test=tested(), cores=os.cpu_count(),
                  commit=subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip())
    result["times_faster"] = round(result["scikit_uplift"]["seconds"]/result["qini_curve"]["seconds"], 1)
    (ROOT/"benchmarks"/"results"/"qini_speed.json").write_text(json.dumps(result, indent=1, sort_keys=True)+"\n")
    print(json.dumps(result, indent=1))

if __name__ == "__main__":
    if sys.argv[1:] == ["--loop"]: print(json.dumps(loop()))
    else: main(*sys.argv[1:])
