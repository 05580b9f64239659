"""Likelihoods, chances and expectations of lifetime value as the package lifetimes computes them, recorded for tests.

    python3.11 -m venv LIFE && LIFE/bin/pip install "lifetimes==0.11.3" "numpy<2" "pandas<2.2" "scipy<1.12" "setuptools<81"
    LIFE/bin/python make_value_oracles.py                    writes lifetimes.json

The histories are made by formulas, so that both sides have the same without a shared source of chance. The package also
ships the customers of CDNOW, on which its authors' papers rest; of them only the fitted figures are recorded here.
"""
import json
from importlib.metadata import version
from pathlib import Path
import numpy as np
import pandas as pd
from lifetimes import BetaGeoFitter, GammaGammaFitter, ParetoNBDFitter
from lifetimes.datasets import load_cdnow_summary_data_with_monetary_value

HERE = Path(__file__).resolve().parent
POINTS = {"bg_nbd": [dict(r=.243, alpha=4.414, a=.793, b=2.426), dict(r=1.7, alpha=150., a=.34, b=7.6), dict(r=.6, alpha=30., a=2.5, b=.8)],
          "pareto_nbd": [dict(r=.553, alpha=10.578, s=.606, beta=11.669), dict(r=1.7, alpha=20., s=1.4, beta=90.), dict(r=.6, alpha=30., s=2.5, beta=8.)],
          "gamma_gamma": [dict(p=6.25, q=3.74, gamma=15.44), dict(p=1.2, q=2.2, gamma=300.)]}
AHEAD = 39.

def histories(n=60):
    i = np.arange(n)
    x = (i*i) % 13 % 9
    T = 20. + (37*i) % 41
    t_x = np.where(x > 0, np.round(T*((17*i) % 19 + 1)/20, 2), 0.)
    return x, t_x, T, 5. + (29*i) % 97

def fitter(kind, point):
    made = {"bg_nbd": BetaGeoFitter, "pareto_nbd": ParetoNBDFitter}[kind]()
    made.params_ = pd.Series(point)
    return made

def answers(kind, point):
    x, t_x, T, _ = histories()
    made, values = fitter(kind, point), np.array(list(point.values()))
    if kind == "bg_nbd": each = [-made._negative_log_likelihood(np.log(values), x[[k]], t_x[[k]], T[[k]], np.ones(1), 0.) for k in range(len(x))]
    else: each = made._conditional_log_likelihood(values, x, t_x, T)
    return dict(parameters=point, log_likelihood=np.asarray(each, float).tolist(),
                alive=np.asarray(made.conditional_probability_alive(x, t_x, T), float).tolist(),
                expected=np.asarray(made.conditional_expected_number_of_purchases_up_to_time(AHEAD, x, t_x, T), float).tolist())

def spend(point):
    x, *_, m = histories()
    made = GammaGammaFitter()
    names = dict(p=point["p"], q=point["q"], v=point["gamma"])
    made.params_ = pd.Series(names)
    each = [-GammaGammaFitter._negative_log_likelihood(np.log(list(names.values())), np.array([k + 1]), np.array([value]), np.ones(1), 0.) for k, value in zip(x, m)]
    return dict(parameters=point, log_likelihood=np.asarray(each, float).tolist(), expected=np.asarray(made.conditional_expected_average_profit(x + 1, m), float).tolist())

def cdnow():
    rows = load_cdnow_summary_data_with_monetary_value()
    back = rows[rows.frequency > 0]
    fits = dict(bg_nbd=BetaGeoFitter().fit(rows.frequency, rows.recency, rows["T"]), pareto_nbd=ParetoNBDFitter().fit(rows.frequency, rows.recency, rows["T"]))
    found = {name: dict(parameters=fit.params_.to_dict()) for name, fit in fits.items()}
    found["gamma_gamma"] = dict(parameters=GammaGammaFitter().fit(back.frequency, back.monetary_value).params_.to_dict())
    return dict(customers=len(rows), fits=found)

def main():
    result = {kind: [answers(kind, point) for point in POINTS[kind]] for kind in ("bg_nbd", "pareto_nbd")}
    result |= dict(gamma_gamma=[spend(point) for point in POINTS["gamma_gamma"]], cdnow=cdnow(), ahead=AHEAD)
    result["versions"] = {name: version(name) for name in ("lifetimes", "numpy", "scipy", "pandas")}
    (HERE/"lifetimes.json").write_text(json.dumps(result, indent=1, sort_keys=True)+"\n")

if __name__ == "__main__": main()
