"""Answers of scikit-uplift and causalml, recorded for tests: run in an environment of its own.

    pip install scikit-uplift causalml  &&  python make_uplift_oracles.py [MIRROR]

`formula` is made by formulas, so that both sides have the same data without a shared source of chance. `hillstrom` ranks
the customers of MineThatData's experiment by what they spent before (`history`), Womens E-Mail against No E-Mail, and
needs the mirror of public datasets. `conventions` has no equal scores, because causalml's figures change there with the
order of the file; the first customers by score are all of one arm, where causalml interpolates.
"""
import json, sys
from importlib.metadata import version
from pathlib import Path
import numpy as np
import pandas as pd
from causalml.metrics import auuc_score, qini_score
from sklift.metrics import qini_auc_score, qini_curve, uplift_at_k, uplift_auc_score

HERE = Path(__file__).resolve().parent

def formula(n=100):
    i = np.arange(n)
    return dict(score=(37*i % 101)/101, treated=((i*i+3*i) % 5 < 3).astype(int), outcome=(13*i % 17 < 5).astype(int))

def answers(score, treated, outcome, reached):
    x, y = qini_curve(outcome, score, treated)
    n, n_treated = len(score), int(treated.sum())
    at = np.interp(reached, x, y)/n_treated
    area = np.trapezoid(y, x)/n/n_treated - y[-1]/n_treated/2
    first = {str(k): float(uplift_at_k(outcome, score, treated, strategy="overall", k=k)) for k in (.1, .3, .5)}
    return dict(reached=[int(r) for r in reached], gains=at.tolist(), area=float(area), uplift_at=first)

def hillstrom(mirror):
    df = pd.read_csv(Path(mirror)/"hillstrom"/"hillstrom.csv")
    df = df[df["segment"].isin(["Womens E-Mail", "No E-Mail"])]
    score = df["history"].to_numpy()
    ends = np.flatnonzero(np.diff(np.sort(score)[::-1])) + 1     # never between equal scores
    return answers(score, (df["segment"] == "Womens E-Mail").astype(int).to_numpy(), df["visit"].to_numpy(), ends[:: len(ends)//40])

def distinct(n=300):
    i = np.arange(n)
    score, treated = (37*i % 307)/307, ((i*i+3*i) % 5 < 3).astype(int)
    treated[np.argsort(-score)[:4]], treated[np.argsort(-score)[4]] = 1, 0
    outcome = ((13*i % 17 < 4) | ((treated == 1) & (score > .6) & (i % 3 == 0))).astype(int)
    return dict(score=score, treated=treated, outcome=outcome)

def conventions():
    data = distinct()
    score, treated, outcome = data.values()
    found = dict(scikit_uplift_qini=qini_auc_score(outcome, score, treated), scikit_uplift_auuc=uplift_auc_score(outcome, score, treated))
    amount, cases = np.round(outcome*(5 + 7*np.arange(len(score)) % 23), 2), {}
    for name, y in dict(outcome=outcome, amount=amount).items():
        df = pd.DataFrame(dict(model=score, w=treated, y=y))
        cases[name] = dict(causalml_auuc=float(auuc_score(df)["model"]), causalml_qini=float(qini_score(df)["model"]))
    cases["outcome"] |= {name: float(value) for name, value in found.items()}
    return {k: v.tolist() for k, v in (data | dict(amount=amount)).items()} | dict(areas=cases)

def main(mirror=None):
    data = formula()
    found = dict(versions={name: version(name) for name in ("scikit-uplift", "causalml")}, conventions=conventions(), formula={k: v.tolist() for k, v in data.items()} | answers(**data, reached=np.arange(10, 101, 10)))
    if mirror: found["hillstrom"] = hillstrom(mirror)
    (HERE/"uplift.json").write_text(json.dumps(found, indent=1, sort_keys=True)+"\n")

if __name__ == "__main__": main(*sys.argv[1:])
