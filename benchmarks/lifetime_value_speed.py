"""How long BG/NBD takes on 25,000 customers, and the package lifetimes on the same ones.

    python benchmarks/lifetime_value_speed.py                  writes benchmarks/results/lifetime_value_speed.json
    python benchmarks/lifetime_value_speed.py --peer PYTHON    with PYTHON of an environment that has lifetimes 0.11.3
                                                               (see tests/models/oracles/make_value_oracles.py)

Customers are drawn from the parameters published for CDNOW, in days. Both packages search the same likelihood; `difference`
is how far their parameters lie apart, as a share. Times are processor seconds of one fit, the best of three.
"""
import argparse, json, subprocess, tempfile, time
from pathlib import Path
import numpy as np
import pandas as pd
from marketing_mlops.models.bg_nbd import BG_NBD
from marketing_mlops.models.gamma_gamma import draw_spend, fit_gamma_gamma
from marketing_mlops.models.pareto_nbd import PARETO_NBD
from marketing_mlops.models.purchase_models import expected_purchases, fit_model, fit_steady

ROOT = Path(__file__).resolve().parent.parent
N, SEED = 25_000, 20_261_122
PEER = """
import sys, time, json, warnings
warnings.filterwarnings("ignore")
import pandas as pd
from lifetimes import BetaGeoFitter
rows, took = pd.read_csv(sys.argv[1]), []
for _ in range(3):
    began = time.process_time(); fit = BetaGeoFitter().fit(rows.x, rows.t_x, rows["T"]); took.append(time.process_time() - began)
print(json.dumps(dict(seconds=min(took), parameters=fit.params_.to_dict())))
"""

def best(call, times=3):
    took = []
    for _ in range(times):
        began = time.process_time(); result = call(); took.append(time.process_time() - began)
    return round(min(took), 3), result

def fitted(model, habits): return fit_model(model, habits, model.start(**fit_steady(habits).parameters))

def main():
    asked = argparse.ArgumentParser()
    asked.add_argument("--peer")
    peer, rng = asked.parse_args().peer, np.random.default_rng(SEED)
    habits = BG_NBD.draw(dict(r=.243, alpha=4.414*7, a=.793, b=2.426), np.floor(rng.uniform(189, 273, N)), rng)
    n = habits.x + 1
    mean = draw_spend(dict(p=6.25, q=3.74, gamma=15.44), n, rng)/n
    seconds, fit = best(lambda: fitted(BG_NBD, habits))
    result = dict(customers=N, seed=SEED, bg_nbd=seconds, pareto_nbd=best(lambda: fitted(PARETO_NBD, habits), 1)[0], gamma_gamma=best(lambda: fit_gamma_gamma(n, mean))[0],
                  expected_purchases=best(lambda: expected_purchases(BG_NBD, fit.parameters, habits, 365.))[0], command="python benchmarks/lifetime_value_speed.py" + " --peer PYTHON"*bool(peer))
    if peer:
        with tempfile.TemporaryDirectory() as folder:
            pd.DataFrame(vars(habits)).to_csv(f"{folder}/rows.csv", index=False)
            other = json.loads(subprocess.run([peer, "-c", PEER, f"{folder}/rows.csv"], capture_output=True, text=True, check=True).stdout)
        result["lifetimes"] = dict(version="0.11.3", bg_nbd=round(other["seconds"], 3), times_slower=round(other["seconds"]/seconds, 1),
                                   difference=max(abs(other["parameters"][name]/value - 1) for name, value in fit.parameters.items()))
    result["commit"] = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    (ROOT/"benchmarks"/"results"/"lifetime_value_speed.json").write_text(json.dumps(result, indent=1, sort_keys=True)+"\n")
    print(json.dumps(result, indent=1))

if __name__ == "__main__": main()
