"""How often the errors and ranges of lifetime value hold, where the truth is known.

    python benchmarks/lifetime_value_coverage.py      writes benchmarks/results/lifetime_value_coverage.json

Shops are drawn from a purchase model with the amounts of a Gamma-Gamma model, fitted by the same models, and their next 90
days are drawn as well, for the first 80 of them. `parameters` counts how often the 95 % interval of a parameter's logarithm holds the truth and gives
the mean error of the logarithm. `will_come` counts how often the sum that came lies in the range of what may come,
`expectation` how often the sum the true parameters expect lies in the range of the expectation. `silent` is the share of
shops without any leaving of which the fit says that leaving is seen.
"""
import json, subprocess, sys
from pathlib import Path
import numpy as np
import pandas as pd
from marketing_mlops.features.purchase_histories import PurchaseHistories
from marketing_mlops.models.gamma_gamma import draw_spend, expected_spend
from marketing_mlops.models.lifetime_value import Horizon, known_spend, range_of_draws, value_draws, value_table
from marketing_mlops.models.purchase_models import expected_purchases, habits_of, purchase_model
from marketing_mlops.models.value_fits import LEAST_GAIN, fit_value

ROOT = Path(__file__).resolve().parent.parent
SHOPS, SHOPS_WITH_RANGES, CUSTOMERS, DAYS, DRAWS, SEED = 200, 80, 400, 90, 39, 20_261_122   # 39 draws: the outermost are the ends at 95 %
SPEND = dict(p=6., q=4., gamma=17.5)
TRUTHS = {"bg_nbd": dict(r=.8, alpha=60., a=1., b=3.), "pareto_nbd": dict(r=.8, alpha=60., s=.8, beta=120.)}

def drawn(name, truth, rng):
    habits = purchase_model(name).draw(truth, rng.integers(100, 500, CUSTOMERS).astype(float), rng)
    spent = draw_spend(SPEND, habits.x + 1, rng)/(habits.x + 1)
    return PurchaseHistories(pd.DataFrame(dict(customer_id=[f"c{i}" for i in range(CUSTOMERS)], frequency=habits.x, recency_days=habits.t_x, age_days=habits.T, mean_value=spent)), "EUR", "2026-01-01")

def one_shop(name, truth, seed):
    rng = np.random.default_rng([SEED, seed])
    shop, model, horizon = drawn(name, truth, rng), purchase_model(name), Horizon(DAYS, 0.)
    fit, known = fit_value(shop, name), known_spend(shop)
    row = ranges(fit, shop, model, truth, horizon, known, rng, seed) if seed < SHOPS_WITH_RANGES else {}
    for part, true in ((fit.purchases, truth), (fit.spend, SPEND)):
        for key in true:
            error = np.log(part.parameters[key]/true[key])
            row |= {f"error_{key}": error, f"holds_{key}": np.nan if part.log_errors is None else abs(error) <= 1.96*part.log_errors[key]}
    return row

def ranges(fit, shop, model, truth, horizon, known, rng, seed):
    found, draws = value_table(fit, shop, horizon), value_draws(fit, shop, horizon, DRAWS, seed)
    bought = model.draw_future(truth, habits_of(shop.frame), DAYS, rng)
    came = draw_spend(SPEND, bought, rng, known=known).sum()
    expected = (expected_purchases(model, truth, habits_of(shop.frame), DAYS)*expected_spend(SPEND, *known)).sum()
    worth = range_of_draws(found.value.sum(), draws.expected_value, draws.value)
    return dict(will_come=worth.comes_low <= came <= worth.comes_high, expectation=worth.low <= expected <= worth.high, off=np.log(worth.expected/expected))

def summary(name, truth):
    rows = pd.DataFrame([one_shop(name, truth, seed) for seed in range(SHOPS)])
    def share(column): return round(float(rows[column].dropna().astype(float).mean()), 3)
    names = [*truth, *SPEND]
    return dict(model=name, truth=truth, will_come=share("will_come"), expectation=share("expectation"), mean_log_error_of_the_sum=round(float(rows.off.mean()), 4),
                without_errors=int(rows[f"holds_{next(iter(truth))}"].isna().sum()),
                parameters={key: dict(interval_holds=share(f"holds_{key}"), mean_log_error=round(float(rows[f"error_{key}"].mean()), 3), median_log_error=round(float(rows[f"error_{key}"].median()), 3)) for key in names})

def silent(name):
    "Shops nobody leaves: how often leaving is seen."
    seen = [fit_value(drawn("nbd", dict(r=.8, alpha=60.), np.random.default_rng([SEED, 1, seed])), name).dropout_gain >= LEAST_GAIN for seed in range(SHOPS)]
    return dict(model=name, leaving_seen=round(float(np.mean(seen)), 3))

def main():
    result = dict(command="python benchmarks/lifetime_value_coverage.py", seed=SEED, shops=SHOPS, shops_with_ranges=SHOPS_WITH_RANGES, customers=CUSTOMERS, days=DAYS, draws=DRAWS, spend=SPEND,
                  results=[summary(name, truth) for name, truth in TRUTHS.items()], nobody_leaves=[silent(name) for name in TRUTHS],
                  commit=subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip())
    (ROOT/"benchmarks"/"results"/"lifetime_value_coverage.json").write_text(json.dumps(result, indent=1, sort_keys=True)+"\n")
    print(json.dumps(result, indent=1))

if __name__ == "__main__": main()
