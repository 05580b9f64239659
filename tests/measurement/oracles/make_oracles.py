"""Answers of other people's software, recorded for tests: run each part in an environment of its own.

    pip install tea-tasting arch   &&  python make_oracles.py ratio bootstrap
    pip install gbstats            &&  python make_oracles.py split lift      (wants an older numpy)

The data are made by formulas, so that both sides have the same without a shared source of chance.
"""
import json, sys
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent

def write(name, libraries, **answer):
    answer["versions"] = {library: version(library) for library in libraries}
    (HERE/f"{name}.json").write_text(json.dumps(answer, indent=1, sort_keys=True)+"\n")

def orders(n, shift): return [1 + (7*i+shift) % 5 for i in range(n)]
def revenue(n, shift): return [round(o*(12 + (13*i+shift) % 17) + (i*i) % 7, 2) for i, o in enumerate(orders(n, shift))]
def spend(n, every, shift): return [round(5 + ((37*i+shift) % 101)**1.7/40, 2) if i % every == 0 else 0. for i in range(n)]

def ratio():
    import pyarrow as pa, tea_tasting as tt
    above, below = revenue(240, 3) + revenue(200, 8), orders(240, 3) + orders(200, 8)
    data = pa.table(dict(variant=[0]*240+[1]*200, revenue=above, orders=below))
    found = tt.Experiment(value=tt.RatioOfMeans("revenue", "orders", confidence_level=.95, equal_var=False, use_t=True)).analyze(data)["value"]
    write("ratio", ["tea-tasting"], control=dict(numerators=above[:240], denominators=below[:240]), treated=dict(numerators=above[240:], denominators=below[240:]),
          control_value=float(found.control), treated_value=float(found.treatment), difference=float(found.effect_size),
          low=float(found.effect_size_ci_lower), high=float(found.effect_size_ci_upper), p_value=float(found.pvalue), statistic=float(found.statistic))

def bootstrap():
    import numpy as np
    from arch.bootstrap import IndependentSamplesBootstrap
    treated, control = np.array(spend(1_600, 8, 5)), np.array(spend(900, 10, 40))
    def gain(x, y): return np.array([x.mean()-y.mean()])
    def error(_, x, y): return np.array([np.sqrt(x.var(ddof=1)/len(x) + y.var(ddof=1)/len(y))])
    drawn = IndependentSamplesBootstrap(treated, control, seed=7)
    low, high = drawn.conf_int(gain, reps=40_000, method="studentized", size=.95, std_err_func=error).ravel()
    write("bootstrap", ["arch", "numpy"], treated=treated.tolist(), control=control.tolist(), draws=40_000, low=float(low), high=float(high))

def split():
    from gbstats.utils import check_srm
    cases = [([21307, 21387, 21306], [1, 1, 1]), ([145274, 145310], [.5, .5]), ([147202, 147276], [.5, .5]), ([9500, 520], [.95, .05]), ([900, 1100], [1, 1])]
    write("split", ["gbstats"], cases=[dict(counts=c, weights=w, p_value=float(check_srm(c, w))) for c, w in cases])

def lift():
    from gbstats.frequentist.tests import FrequentistConfig, TwoSidedTTest
    from gbstats.models.statistics import SampleMeanStatistic
    def arm(n, mean, variance): return SampleMeanStatistic(n=n, sum=n*mean, sum_squares=variance*(n-1)+n*mean*mean)
    cases = []
    for t, c in (((21307, 1.422617, 315.2118), (21306, .652789, 134.2864)), ((5000, 22., 90.), (5000, 20., 80.))):
        row = dict(treated=t, control=c)
        for relative in (False, True):
            found = TwoSidedTTest(arm(*c), arm(*t), FrequentistConfig(difference_type="relative" if relative else "absolute")).compute_result()
            row["relative" if relative else "absolute"] = dict(value=float(found.expected), low=float(found.ci[0]), high=float(found.ci[1]), p_value=float(found.p_value))
        cases.append(row)
    write("lift", ["gbstats"], cases=cases)

if __name__ == "__main__":
    for part in sys.argv[1:]: globals()[part]()
