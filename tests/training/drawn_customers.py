"""Training sets of a few hundred drawn customers: one of a propensity model, one of an experiment."""
import numpy as np
import pandas as pd
from marketing_mlops.features.training_sets import TrainingSet

N, N_TRAIN = 900, 600
CUTOFFS = pd.to_datetime(["2025-10-01", "2025-11-01", "2026-03-01"], utc=True).repeat(N//3)

def drawn(seed=4):
    "Who has not bought for long leaves; the country says nothing. The last third is held out."
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame(dict(customer_id=[f"c{i:03d}" for i in range(N)], cutoff=CUTOFFS, recency_days=rng.integers(0, 180, N).astype(float),
                             orders_90d=rng.poisson(2, N).astype(float), country=pd.Series(rng.choice(["DE", "UK"], N), dtype="str")))
    rows["label"] = (rng.random(N) < .15 + .6*(rows.recency_days > 90)).astype("int64")
    rows["split"] = np.where(np.arange(N) < N_TRAIN, "train", "held_out")
    return rows

def mailed(seed=5):
    "A mail that brings 12 EUR from customers who have been away and nothing from the others."
    rng, rows = np.random.default_rng(100 + seed), drawn(seed)
    rows["arm"] = rng.choice(["none", "mail"], N)
    rows["spend"] = rows["label"] = 20 + 12.*((rows.arm == "mail") & (rows.recency_days > 90)) + rng.normal(0, 3, N)
    rows["unsubscribed"] = ((rows.arm == "mail") & (rng.random(N) < .02)).astype(float)
    return rows

FEATURES = ["recency_days", "orders_90d", "country"]
CHURN = dict(task="propensity", algorithm=dict(name="logistic_regression"), gates=dict(auc=.6))
TREES = dict(name="hist_gradient_boosting", max_iter=15, min_samples_leaf=20)
MAIL = dict(task="uplift", algorithm=TREES, economics=dict(margin=.5, contact_cost=2.),
            experiment=dict(arms={"none": .5, "mail": .5}, control="none", currency="EUR"))

def churn_rows(frame, features=FEATURES): return TrainingSet("shop_churn", frame, list(features), "label", None)
def mail_rows(frame, features=FEATURES): return TrainingSet("shop_mail", frame, list(features), "label", "arm", outcomes=("spend", "unsubscribed"))

# Each kind of candidate: its rows, how they become a training set, its spec.
KINDS = dict(churn_by_lines=(drawn, churn_rows, CHURN), churn_by_trees=(drawn, churn_rows, CHURN | dict(algorithm=TREES)), uplift=(mailed, mail_rows, MAIL))
