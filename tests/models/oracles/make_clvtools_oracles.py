"""What the tests of the R package CLVTools expect of the customers of CDNOW, beside what this project finds for the same customers.

    uv venv -p 3.11 LIFE && uv pip install -p LIFE/bin/python --no-deps "lifetimes==0.11.3"      for CDNOW_sample.txt, which it ships
    python make_clvtools_oracles.py LIFE/lib/python3.11/site-packages/lifetimes/datasets/CDNOW_sample.txt      writes clvtools.json

The customers themselves are not kept here: nothing says that they may be passed on. R is not run: `PUBLISHED` holds the figures that
stand in the tests of CLVTools (github.com/bachmannpatrick/CLVTools, tests/testthat, commit 0c97cc5 and, for amounts, 590c074),
which has fitted them itself and agrees in them with Fader, Hardie & Lee 2005 and Fader & Hardie 2013. `alive_of` are four customers for
whom an earlier CLVTools had found no number; its test asks for finite ones and names no value.

Purchases count up to 30 September 1997, in weeks; days without an amount count as purchases there, those without one not as amounts.
"""
import json, sys
from importlib.metadata import version
from pathlib import Path
import pandas as pd
from marketing_mlops.models import bg_nbd, pareto_nbd   # each registers its model
from marketing_mlops.models.gamma_gamma import fit_gamma_gamma
from marketing_mlops.models.purchase_models import Habits, fit_model, fit_steady, purchase_model

HERE, END = Path(__file__).resolve().parent, pd.Timestamp("1997-09-30")
PUBLISHED = {
    "bg_nbd": dict(file="test_correctness_bgnbd.R", parameters=dict(r=.2425945, alpha=4.4136019, a=.7929199, b=2.4258881), log_likelihood=-9582.429),
    "pareto_nbd": dict(file="test_correctness_pnbd.R", parameters=dict(r=.55315, alpha=10.57633, s=.60625, beta=11.67150), log_likelihood=-9594.976,
                       standard_errors=dict(r=.0476264, alpha=.8427222, s=.1872594, beta=6.2105448)),
    "gamma_gamma": dict(file="test_correctness_gg.R", parameters=dict(p=6.25, q=3.74, gamma=15.44), log_likelihood=-4055.9177)}
ALIVE_OF = dict(file="test_correctness_pnbd.R", parameters=dict(r=.5143, alpha=2.8845, s=.2856, beta=14.1087), x=[221, 254, 161, 204],
                t_x=[103.42857, 97.14286, 94.71429, 98.57143], T=[103.57143, 97.28571, 98.00000, 99.42857])

def purchases(path):
    "Days on which somebody bought, and how much, up to the end."
    rows = pd.read_csv(path, sep=r"\s+", names=["master", "customer", "day", "discs", "amount"])
    rows = rows.assign(day=pd.to_datetime(rows.day.astype(str)))
    return rows[rows.day <= END].groupby(["customer", "day"], as_index=False).amount.sum()

def cdnow_habits(days):
    "Frequency, recency and age in weeks."
    found = days.groupby("customer").day.agg(["min", "max", "size"])
    return Habits((found["size"] - 1).to_numpy("int64"), ((found["max"] - found["min"]).dt.days/7).to_numpy(float), ((END - found["min"]).dt.days/7).to_numpy(float))

def cdnow_fits(path):
    "Our own fits to these customers, by name."
    days = purchases(path)
    habits = cdnow_habits(days)
    first = fit_steady(habits).parameters
    fits = {name: fit_model(purchase_model(name), habits, purchase_model(name).start(first["r"], first["alpha"])) for name in ("bg_nbd", "pareto_nbd")}
    later = days[days.day > days.groupby("customer").day.transform("min")].groupby("customer").amount.agg(["size", "mean"]).query("mean > 0")
    return fits | dict(gamma_gamma=fit_gamma_gamma(later["size"].to_numpy(), later["mean"].to_numpy()))

def main(path):
    ours = {name: dict(parameters=fit.parameters, log_likelihood=fit.log_likelihood, standard_errors=fit.standard_errors, n=fit.n) for name, fit in cdnow_fits(path).items()}
    result = dict(published=PUBLISHED, ours=ours, alive_of=ALIVE_OF, versions={name: version(name) for name in ("numpy", "scipy", "pandas")})
    (HERE/"clvtools.json").write_text(json.dumps(result, indent=1, sort_keys=True)+"\n")

if __name__ == "__main__": main(sys.argv[1])
