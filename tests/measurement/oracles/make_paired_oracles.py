"""Answers of MLstatkit (DeLong's test) and scipy (paired t, paired bootstrap), recorded for tests: run in an environment of its own.

    pip install MLstatkit scipy  &&  python make_paired_oracles.py

The scores are made by formulas, so that both sides have the same data without a shared source of chance.
"""
import json
from importlib.metadata import version
from pathlib import Path
import numpy as np
from MLstatkit import Delong_test
from scipy.stats import bootstrap, ttest_rel

def scores(n=400):
    i = np.arange(n)
    happened = (13*i % 17 < 4).astype(int)
    first = (37*i % 101)/101 + .35*happened
    second = .6*first + (53*i % 97)/97*.8                      # with ties between customers
    return dict(happened=happened, first=first.round(3), second=second.round(2))

def main():
    data = scores()
    z, p, *_ = Delong_test(data["happened"], data["first"], data["second"])
    losses = [(np.clip(data[name]/2, 0, 1)-data["happened"])**2 for name in ("first", "second")]
    t = ttest_rel(*losses)
    resampled = bootstrap(losses, lambda a, b, axis=-1: a.mean(axis)-b.mean(axis), paired=True, n_resamples=20_000, method="BCa", random_state=1)
    found = dict(versions={name: version(name) for name in ("mlstatkit", "scipy")}, data={k: v.tolist() for k, v in data.items()},
                 delong=dict(z=abs(float(z)), p=float(p)), paired_t=dict(t=float(t.statistic), p=float(t.pvalue), interval=[float(e) for e in t.confidence_interval()]),
                 bootstrap=[float(e) for e in resampled.confidence_interval])
    Path(__file__).with_name("paired_models.json").write_text(json.dumps(found, indent=None, sort_keys=True)+"\n")

if __name__ == "__main__": main()
