"""Answers of gbstats about covariates and clusters, recorded for tests: run in an environment of its own.

    pip install gbstats   &&  python make_design_oracles.py      (wants an older numpy)

The data are made by formulas, so that both sides have the same without a shared source of chance.
"""
import json
from importlib.metadata import version
from pathlib import Path
from gbstats.frequentist.tests import FrequentistConfig, TwoSidedTTest
from gbstats.models.statistics import RatioStatistic, RegressionAdjustedStatistic, SampleMeanStatistic, compute_theta

HERE = Path(__file__).resolve().parent

def before(n, shift): return [round(40 + ((37*i+shift) % 101)**1.5/10, 2) for i in range(n)]
def spent(n, shift, gain): return [round(.3*b + (13*i+shift) % 17 + gain, 2) for i, b in enumerate(before(n, shift))]
def in_shops(n, shift): return [round(10 + ((i//20)*7+shift) % 11 + (13*i+shift) % 17/4, 2) for i in range(n)]

def mean_of(values): return SampleMeanStatistic(n=len(values), sum=sum(values), sum_squares=sum(v*v for v in values))
def answer(control, treated):
    found = TwoSidedTTest(control, treated, FrequentistConfig(difference_type="absolute")).compute_result()
    return dict(value=float(found.expected), low=float(found.ci[0]), high=float(found.ci[1]), p_value=float(found.p_value))

def covariates():
    arms = {name: (spent(n, shift, gain), before(n, shift)) for name, n, shift, gain in (("treated", 900, 5, 1.5), ("control", 700, 40, 0.))}
    def statistic(after, past, theta): return RegressionAdjustedStatistic(n=len(after), post_statistic=mean_of(after), pre_statistic=mean_of(past),
                                                                         post_pre_sum_of_products=sum(a*b for a, b in zip(after, past)), theta=theta)
    theta = compute_theta(*(statistic(*arms[arm], 0.) for arm in ("control", "treated")))
    found = answer(*(statistic(*arms[arm], theta) for arm in ("control", "treated")))
    return {arm: dict(after=after, before=past) for arm, (after, past) in arms.items()} | dict(theta=float(theta), answer=found)

def clusters():
    arms = {name: in_shops(n, shift) for name, n, shift in (("treated", 600, 5), ("control", 500, 41))}
    def statistic(values):
        sums = [sum(values[i:i+20]) for i in range(0, len(values), 20)]
        return RatioStatistic(n=len(sums), m_statistic=mean_of(sums), d_statistic=mean_of([20]*len(sums)), m_d_sum_of_products=20*sum(sums))
    return arms | dict(customers_per_shop=20, answer=answer(statistic(arms["control"]), statistic(arms["treated"])))

if __name__ == "__main__":
    recorded = dict(covariates=covariates(), clusters=clusters(), versions={"gbstats": version("gbstats")})
    (HERE/"designs.json").write_text(json.dumps(recorded, indent=1, sort_keys=True)+"\n")
