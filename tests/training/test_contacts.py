"""What a contact has to bring: noted by the evaluation, and read where a list of people ends."""
import numpy as np
import pandas as pd
from marketing_mlops.features.training_sets import TrainingSet
from marketing_mlops.training.candidates import fit_candidate
from marketing_mlops.training.evaluations import evaluate

SPEC = dict(task="uplift", algorithm=dict(name="hist_gradient_boosting", max_iter=5), economics=dict(margin=.5, contact_cost=1., unsubscribe_cost=4.),
            experiment=dict(arms={"none": .5, "mail": .5}, control="none", currency="EUR"))

def found(measured):
    rng, n = np.random.default_rng(5), 2_000
    arm = np.where(np.arange(n) % 2, "mail", "none")
    frame = pd.DataFrame(dict(customer_id=[f"c{i}" for i in range(n)], cutoff=pd.Timestamp("2026-04-01", tz="UTC"), is_holdout=False, recency_days=rng.integers(0, 200, n).astype(float),
                              arm=arm, spend=rng.gamma(2, 10, n), split=np.where(np.arange(n) < n//2, "train", "held_out")))
    frame["label"] = frame.spend
    if measured: frame["unsubscribed"] = ((arm == "mail") & (np.arange(n) % 50 == 1)).astype(float)   # one in 25 of those who got it
    candidate = fit_candidate(TrainingSet("shop_mail", frame, ["recency_days"], "label", "arm"), SPEC)
    return evaluate("shop_mail", candidate.held_out, SPEC, candidate.facts).to_dict()["tables"]["contacts"]

def test_an_evaluation_notes_what_a_contact_has_to_bring_with_the_customers_it_drives_away():
    assert found(measured=True) == [dict(arm="mail", extra_unsubscribes=.04, paying_gain=(1 + .04*4)/.5)]

def test_unsubscribes_nobody_measured_are_said_to_be_missing_and_not_none():
    assert found(measured=False) == [dict(arm="mail", extra_unsubscribes=None, paying_gain=2.)]
