"Rows with a known truth and hostile names, for the tests of the explorer of features."
import numpy as np
import pandas as pd
from marketing_mlops.explorers.feature_rows import rows_of_frame

HOSTILE = "trait.<img src=x onerror=alert(1)> 🌷"

def leaving(n=600, seed=7):
    "Customers at three month ends: orders tell who leaves, visits drift, the channel knows nothing."
    rng = np.random.default_rng(seed)
    months = pd.to_datetime(["2026-01-31", "2026-02-28", "2026-03-31"], utc=True)
    loyal = np.tile(rng.gamma(1, 1.5, n), 3)
    df = pd.DataFrame(dict(customer_id=np.tile([f"c{i:04}" for i in range(n)], 3), cutoff=np.repeat(months, n), orders_90d=rng.poisson(loyal).astype(float)))
    df["visits_90d"] = rng.poisson(np.repeat([3, 4, 6], n)).astype(float)
    df["trait.channel"] = rng.choice(["email", "<b>fair</b> 🌷", None], 3*n, p=[.8, .15, .05])
    df[HOSTILE] = np.where(rng.random(3*n) < .2, np.nan, rng.normal(size=3*n))
    df["net_revenue_365d"] = np.where(df.orders_90d > 0, rng.lognormal(12, 3, 3*n), 0)
    df["small"] = rng.normal(0, 1e-7, 3*n)
    df["label"] = (rng.random(3*n) < .7*np.exp(-loyal/2)).astype(int)
    df["split"] = np.where(df.cutoff == months[-1], "held_out", "train")
    return df

def leaving_rows(df=None): return rows_of_frame(leaving() if df is None else df, "label", "cutoff", name="Leaving <b>soon</b>")
