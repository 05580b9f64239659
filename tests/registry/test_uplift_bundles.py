"""From a spec that names how gains are learned to a bundle that scores what the model said."""
import numpy as np
import pandas as pd
import pytest
from marketing_mlops.features.training_sets import TrainingSet
from marketing_mlops.models.uplift_learners import UPLIFT_LEARNERS
from marketing_mlops.registry.bundles import score_rows, write_bundle
from marketing_mlops.registry.candidate_files import read_candidate, write_candidate
from marketing_mlops.training.candidates import fit_candidate
from marketing_mlops.training.model_specs import check_model_spec

SPEC = dict(task="uplift", source="shop", features=["recency_days", "trait.channel"], split=dict(held_out=.5), algorithm=dict(name="hist_gradient_boosting", max_iter=15),
            economics=dict(margin=.5, contact_cost=.2), gates={},
            experiment=dict(name="spring", hypothesis="A mail raises spend", objective="Sales in spring", owner="marketing@example.com", unit="customer", control="none",
                            arms=dict(none=.5, letter=.2, mail=.3), goal="spend_per_customer", worthwhile_effect=.5, currency="EUR", outcome_window_days=14, stopping_rule="none_known"))

@pytest.fixture(scope="module")
def campaign():
    rng, n = np.random.default_rng(3), 1_500
    rows = pd.DataFrame({"customer_id": [f"c{i}" for i in range(n)], "recency_days": rng.integers(0, 120, n).astype(float), "trait.channel": pd.Series(rng.choice(["shop", "web"], n), dtype="str"),
                         "arm": rng.choice(["none", "letter", "mail"], n, p=[.5, .2, .3])})
    rows["label"] = rows["spend"] = 20 + 4*(rows.arm == "mail")*(rows.recency_days > 60) + (rows.arm == "letter") + rng.normal(0, 3, n)
    return TrainingSet("shop_spring", rows.assign(split=np.where(np.arange(n) < 900, "train", "held_out")), SPEC["features"], "label", "arm")

@pytest.mark.parametrize("way", [None, *(name for name, each in UPLIFT_LEARNERS.items() if each.learns_amounts)])
def test_a_bundle_scores_what_the_learner_of_its_spec_said(way, campaign, tmp_path):
    spec = SPEC | ({} if way is None else dict(learner=way))
    check_model_spec("shop_spring", spec, further=())
    candidate = fit_candidate(campaign, spec)
    assert type(candidate.estimator) is UPLIFT_LEARNERS[way or "t"].model
    (tmp_path/"train").mkdir()
    write_candidate(candidate, campaign, "outcome", tmp_path/"train")
    files = read_candidate(tmp_path/"train")
    bundle = write_bundle(tmp_path/"bundle", scorer=files.scorer, kind="graph", features=files.features, schema=files.schema, parameters=spec | dict(model="shop_spring"),
                          evaluation={}, lock_hash="a"*64, data_hashes={}, code_hash="b"*64, envelope={})
    scores = score_rows(bundle, campaign.held_out)
    assert sorted(scores) == ["gain_letter", "gain_mail"] and np.abs(scores - files.held_out[list(scores)]).max().max() < 1e-10
    assert scores.gain_mail[campaign.held_out.recency_days > 60].mean() > 2

def test_rows_of_an_arm_nobody_registered_are_refused(campaign):
    from marketing_mlops.workspace.errors import ParameterError
    late = TrainingSet("shop_spring", campaign.frame.assign(arm=campaign.frame.arm.where(campaign.frame.index % 10 > 0, "sms")), SPEC["features"], "label", "arm")
    with pytest.raises(ParameterError, match="'sms' has no chance; planned are none, letter, mail"): fit_candidate(late, SPEC)
