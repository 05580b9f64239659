"""Likelihoods, chances and expectations of lifetime value as the package pymc-marketing computes them, recorded for tests.

    uv venv -p 3.11 PYMC && uv pip install -p PYMC/bin/python "pymc-marketing==0.19.2"
    PYTENSOR_FLAGS=cxx= PYMC/bin/python make_pymc_oracles.py                    writes pymc_marketing.json

The parameters are those of lifetimes.json, so three independent programs answer the same questions. pymc-marketing draws
parameters from a posterior; here its posterior is one draw, the parameters asked for. Its likelihoods are its own
distributions; expectations and chances go through its public methods.
"""
import json
from importlib.metadata import version
from pathlib import Path
import arviz as az
import numpy as np
import pandas as pd
import pymc as pm
from pymc_marketing.clv import BetaGeoModel, GammaGammaModel, ParetoNBDModel
from pymc_marketing.clv.distributions import BetaGeoNBD, ParetoNBD

HERE = Path(__file__).resolve().parent
MODELS = {"bg_nbd": (BetaGeoModel, BetaGeoNBD), "pareto_nbd": (ParetoNBDModel, ParetoNBD)}

def histories(n=60):
    "The same as in make_value_oracles.py."
    i = np.arange(n)
    x = (i*i) % 13 % 9
    T = 20. + (37*i) % 41
    t_x = np.where(x > 0, np.round(T*((17*i) % 19 + 1)/20, 2), 0.)
    return pd.DataFrame(dict(customer_id=i, frequency=x, recency=t_x, T=T, monetary_value=5. + (29*i) % 97))

def with_parameters(model, rows, parameters):
    "A model of the package whose posterior is one draw."
    model.build_model(rows)
    model.idata = az.from_dict(posterior={name: np.array([[value]]) for name, value in parameters.items()})
    return model

def plain(found): return np.asarray(found, float).ravel().tolist()

def answers(kind, parameters, ahead):
    rows = histories()
    made, distribution = MODELS[kind]
    model = with_parameters(made(data=rows[["customer_id", "frequency", "recency", "T"]]), rows[["customer_id", "frequency", "recency", "T"]], parameters)
    exact = {name: np.float64(value) for name, value in parameters.items()}      # a plain 150. would become a number of 32 bits
    each = pm.logp(distribution.dist(**exact, T=rows["T"].to_numpy()), rows[["recency", "frequency"]].to_numpy()).eval()
    return dict(parameters=parameters, log_likelihood=plain(each), alive=plain(model.expected_probability_alive(rows)),
                expected=plain(model.expected_purchases(rows, future_t=ahead)))

def spend(parameters):
    "Its Gamma-Gamma takes purchases of 1 or more, so everybody has one more here, as in make_value_oracles.py."
    rows = histories().assign(frequency=lambda each: each.frequency + 1)[["customer_id", "frequency", "monetary_value"]]
    named = dict(p=parameters["p"], q=parameters["q"], v=parameters["gamma"])
    model = with_parameters(GammaGammaModel(data=rows), rows, named)
    free = {each.name: each for each in model.model.free_RVs}
    each = model.model.potentials[0].eval({free[name]: value for name, value in named.items()})
    return dict(parameters=parameters, log_likelihood=plain(each), expected=plain(model.expected_customer_spend(rows)))

def main():
    asked = json.loads((HERE/"lifetimes.json").read_text())
    result = {kind: [answers(kind, each["parameters"], asked["ahead"]) for each in asked[kind]] for kind in MODELS}
    result |= dict(gamma_gamma=[spend(each["parameters"]) for each in asked["gamma_gamma"]], ahead=asked["ahead"])
    result["versions"] = {name: version(name) for name in ("pymc-marketing", "pymc", "pytensor", "numpy", "scipy")}
    (HERE/"pymc_marketing.json").write_text(json.dumps(result, indent=1, sort_keys=True)+"\n")

if __name__ == "__main__": main()
