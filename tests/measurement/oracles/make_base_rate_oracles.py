"""Answers of quapy 0.2.3 (EMQ, the EM of Saerens, Latinne & Decaestecker) for `tests/measurement/test_base_rates.py`.

    uv venv ov; uv pip install --python ov/bin/python quapy==0.2.3 "numpy<2.3" scikit-learn scipy
    ov/bin/python tests/measurement/oracles/make_base_rate_oracles.py"""
import json, numpy as np, quapy
from quapy.method.aggregative import EMQ
out = []
for seed, before, now, n, strength in ((1, .1, .3, 2000, 1.5), (2, .3, .1, 1500, 1.), (3, .5, .8, 800, .7), (4, .05, .05, 3000, 2.)):
    rng = np.random.default_rng(seed)
    took = rng.random(n) < now
    score = rng.normal(size=n) + strength*took
    p = 1/(1+np.exp(-(strength*score - strength**2/2 + np.log(before/(1-before)))))
    got = EMQ.EM(np.array([1-before, before]), np.column_stack([1-p, p]), epsilon=1e-10)
    out.append(dict(seed=seed, before=before, now=now, n=n, strength=strength, guessed=float(np.asarray(got[0])[1])))
print(quapy.__version__, json.dumps(out))
