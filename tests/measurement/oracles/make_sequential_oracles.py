"""Sequential intervals of gbstats, recorded for tests: run in an environment of its own.

    pip install gbstats            &&  python make_sequential_oracles.py      (wants an older numpy)
"""
import json
from importlib.metadata import version
from pathlib import Path
from gbstats.frequentist.tests import SequentialConfig, SequentialTwoSidedTTest
from gbstats.models.statistics import ProportionStatistic, SampleMeanStatistic

def amounts(n, mean, variance): return SampleMeanStatistic(n=n, sum=n*mean, sum_squares=variance*(n-1)+n*mean*mean)
def share(successes, n): return ProportionStatistic(sum=successes, n=n)

CASES = [("amounts", (21_307, 1.422617, 315.2118), (21_306, .652789, 134.2864), 42_000), ("amounts", (600, 22., 90.), (540, 20., 80.), 5_000),
         ("amounts", (9_500, 14.1, 900.), (500, 13.9, 840.), 10_000), ("shares", (260, 3_000), (180, 3_000), 12_000), ("shares", (3_894, 21_307), (2_262, 21_306), 5_000)]

def answer(kind, treated, control, planned, alpha):
    arm = {"amounts": amounts, "shares": share}[kind]
    found = SequentialTwoSidedTTest(arm(*control), arm(*treated), SequentialConfig(alpha=alpha, difference_type="absolute", sequential_tuning_parameter=planned)).compute_result()
    return dict(kind=kind, treated=treated, control=control, planned=planned, level=1-alpha, value=float(found.expected), low=float(found.ci[0]),
                high=float(found.ci[1]), p_value=float(found.p_value))

if __name__ == "__main__":
    cases = [answer(*case, alpha) for case in CASES for alpha in (.05, .0125)]
    text = json.dumps(dict(cases=cases, versions=dict(gbstats=version("gbstats"))), indent=1, sort_keys=True)
    (Path(__file__).parent/"sequential.json").write_text(text+"\n")
