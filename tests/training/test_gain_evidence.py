"""What the evaluation says of an uplift model's gains: against chance, against rivals, and only on rows it has never seen."""
import json
import numpy as np
import pandas as pd
import pytest
from marketing_mlops.measurement.intervals import NotMeasurable
from marketing_mlops.measurement.targeting_depths import profit_by_depth, targeting_curve
from marketing_mlops.measurement.uplift_evidence import uplift_evidence
from marketing_mlops.training.candidates import fit_candidate
from marketing_mlops.training.evaluations import evaluate
from marketing_mlops.training.gain_evidence import DEPTHS_KEPT, arm_evidence, chosen_depth, gain_evidence
from marketing_mlops.workspace.errors import DataError
from drawn_customers import CHURN, MAIL, churn_rows, drawn, mail_rows, mailed

PARTS = ["gain_tests", "gain_groups", "gain_curve", "profit_curve", "depth_rule", "depth_policies"]
ARMS = {"none": .4, "mail": .3, "post": .3}
SPEC = dict(task="uplift", algorithm=dict(name="hist_gradient_boosting", max_iter=5), economics=dict(margin=.5, contact_cost=.5), experiment=dict(arms=ARMS, control="none", currency="EUR"))
TERMS = dict(shares=ARMS, control="none", economics=dict(margin=.5, contact_cost=.5, currency="EUR"))

@pytest.fixture(scope="module")
def held_out():
    rng, n = np.random.default_rng(6), 3_000
    x, arm = rng.random(n), rng.choice(list(ARMS), n, p=list(ARMS.values()))
    spend = 10 + 8*(x-.4)*(arm == "mail") + 1.5*(arm == "post") + rng.gamma(2, 2, n)
    rows = pd.DataFrame(dict(customer_id=[f"c{i:04d}" for i in range(n)], arm=arm, spend=spend, label=spend, split="held_out", gain_mail=8*(x-.4), gain_post=rng.normal(1.5, 1, n)))
    return rows.assign(chosen=np.where(x > .6, "mail", "post"))

@pytest.fixture(scope="module")
def found(held_out): return gain_evidence(held_out, SPEC, "post")

def test_every_part_of_the_evidence_is_there_and_is_plain_content(found):
    assert list(found.tables) == PARTS and json.loads(json.dumps(found.tables)) == found.tables

def test_figures_are_those_of_each_arm_and_its_control(held_out, found):
    for arm in ("mail", "post"):
        alone = uplift_evidence(held_out, arm, "none", unit="EUR").figures
        assert {name: found.figures[f"{name}_{arm}"] for name in alone} == alone

def test_the_arm_that_is_known_is_told_from_the_one_that_is_not(found):
    p = {row["of"]: row["p_value"] for row in found.tables["gain_tests"]}
    assert p["mail"] < .01 < .05 < p["post"] and p["learned"] < .01
    assert "knows who gains" in found.sentences[0] and "is not told from" in found.sentences[1]

def test_the_profit_curve_is_that_of_the_ranking_against_nobody_and_the_best_single_arm(held_out, found):
    kept = pd.DataFrame(found.tables["profit_curve"]).groupby("rival", sort=False)
    assert [name for name, _ in kept] == ["none", "post"]
    curve = targeting_curve(held_out, held_out[["gain_mail", "gain_post"]].set_axis(["mail", "post"], axis=1), best_single_arm="post", **TERMS)
    for rival, rows in kept:
        whole = profit_by_depth(curve, rival).set_index("share")
        assert len(rows) <= DEPTHS_KEPT+1 and rows.share.iloc[[0, -1]].tolist() == [0, 1]
        assert np.allclose(rows.profit.astype(float), whole.loc[rows.share, "profit"], equal_nan=True)

def test_a_depth_is_judged_on_customers_who_did_not_choose_it(held_out, found):
    rule = found.tables["depth_rule"][0]
    assert rule["n_choosing"] + rule["n_judging"] == len(held_out) and abs(rule["n_choosing"]-rule["n_judging"]) <= 1
    names = [row["policy"] for row in found.tables["depth_policies"]]
    assert len(names) == 4 and "sending nobody anything" in names

def test_the_order_of_the_rows_changes_no_half(held_out, found):
    assert chosen_depth(held_out.sample(frac=1, random_state=3), TERMS, "post")["depth_rule"] == found.tables["depth_rule"]

@pytest.mark.parametrize("change", [lambda r: r.assign(gain_mail=1., gain_post=1., chosen="mail"), lambda r: r[r.arm != "none"], lambda r: r.assign(spend=0., label=0.)])
def test_what_cannot_be_measured_is_said_and_never_a_zero(held_out, change):
    found = gain_evidence(change(held_out), SPEC, "post")
    assert all(isinstance(each, NotMeasurable) for each in found.figures.values())
    assert all(row["p_value"] is None and row["reason"] for row in found.tables["gain_tests"])
    assert all("cannot be said" in sentence for sentence in found.sentences)

def test_rows_of_another_split_give_no_evidence(held_out):
    with pytest.raises(DataError, match="were not held out"): arm_evidence(held_out.assign(split="train"), SPEC["experiment"])

@pytest.mark.parametrize("which", ["propensity", "uplift"])
def test_rows_a_candidate_has_learned_from_are_refused_whatever_their_split_says(which):
    training, spec = dict(propensity=(churn_rows(drawn()), CHURN), uplift=(mail_rows(mailed()), MAIL))[which]
    candidate = fit_candidate(training, spec)
    own = candidate.held_out.assign(**training.train.iloc[:len(candidate.held_out)][list(candidate.learned_from.keys)].to_dict("list"))
    assert own.split.eq("held_out").all()
    with pytest.raises(DataError, match="has learned from about"): evaluate("shop", own, spec, candidate.facts, learned_from=candidate.learned_from)
    assert evaluate("shop", candidate.held_out, spec, candidate.facts, learned_from=candidate.learned_from).n_held_out == len(candidate.held_out)

def test_a_gate_may_name_any_figure_of_the_gains(held_out, found):
    limits = dict(auuc_mail=found.figures["auuc_mail"].low - 1e-9, qini_mail=found.figures["qini_mail"].low + 1e-9)
    reasons = evaluate("shop", held_out, SPEC | dict(gates=limits), dict(n_training=1, best_single_arm="post")).verdict.reasons
    assert [each.severity for each in reasons if "beats" not in each.code] == ["pass", "fail"]
