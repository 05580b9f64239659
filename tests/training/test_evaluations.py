"""The verdict follows the gates and the figures, and only held-out rows are judged."""
import json
from dataclasses import replace
import numpy as np
import pandas as pd
import pytest
from marketing_mlops.measurement.intervals import Estimate, NotMeasurable
from marketing_mlops.training.candidates import fit_candidate
from marketing_mlops.training.evaluations import Evaluation, evaluate
from marketing_mlops.training.model_specs import POLICY_GATES, policy_figures, ranking_figures
from marketing_mlops.workspace.errors import DataError, ParameterError
from drawn_customers import CHURN, MAIL, churn_rows, drawn, mail_rows, mailed

@pytest.fixture(scope="module")
def churn(): return fit_candidate(churn_rows(drawn()), CHURN)

@pytest.fixture(scope="module")
def mail(): return fit_candidate(mail_rows(mailed()), MAIL)

@pytest.fixture(scope="module")
def judged(churn, mail): return evaluate("shop_churn", churn.held_out, CHURN, churn.facts), evaluate("shop_mail", mail.held_out, MAIL, mail.facts)

def with_gates(spec, **gates): return spec | dict(gates=gates)

def test_figures_are_those_a_spec_may_name(judged):
    churn, mail = judged
    assert set(churn.figures) == set(ranking_figures(CHURN))
    assert set(mail.figures) | set(POLICY_GATES) == set(policy_figures(MAIL))

@pytest.mark.parametrize("figure", ["auc", "lift_at_10", "average_precision"])
def test_the_lower_end_of_the_interval_decides(churn, judged, figure):
    e = judged[0].figures[figure]
    assert isinstance(e, Estimate) and e.low < e.value
    for limit, status in ((e.low - 1e-9, "pass"), (e.low + 1e-9, "fail"), (e.value, "fail")):
        assert evaluate("shop_churn", churn.held_out, with_gates(CHURN, **{figure: limit}), churn.facts).verdict.status == status

def test_one_gate_that_is_not_reached_fails_the_candidate(churn, judged):
    auc = judged[0].figures["auc"]
    verdict = evaluate("shop_churn", churn.held_out, with_gates(CHURN, auc=.5, calibration_slope=[9, 10]), churn.facts).verdict
    assert auc.low > .5 and (verdict.status, [each.severity for each in verdict.reasons]) == ("fail", ["pass", "fail"])

def test_a_spec_that_promises_nothing_does_not_pass(churn):
    assert evaluate("shop_churn", churn.held_out, with_gates(CHURN), churn.facts).verdict.status == "review"

def test_other_scores_give_another_verdict_and_another_sentence(churn, judged):
    by_chance = churn.held_out.assign(score=np.random.default_rng(0).permutation(churn.held_out.score))
    found = evaluate("shop_churn", by_chance, CHURN, churn.facts)
    assert (judged[0].verdict.status, found.verdict.status) == ("pass", "fail")
    assert found.sentences[0] != judged[0].sentences[0]

def test_a_mail_that_stops_paying_turns_the_verdict(mail, judged):
    "Nobody spends more for the mail any longer: sending nothing is better, and the sentence says so."
    rows, rng = mail.held_out, np.random.default_rng(2)
    useless = rows.assign(spend=20 + rng.normal(0, 3, len(rows)))
    found = evaluate("shop_mail", useless.assign(label=useless.spend), MAIL, mail.facts)
    assert (judged[1].verdict.status, found.verdict.status) == ("pass", "fail") and "does worse than" in found.sentences[0]
    assert found.figures["profit_learned"].high < judged[1].figures["profit_learned"].low and found.sentences[0] != judged[1].sentences[0]

def test_what_an_unbeaten_rival_leads_to_is_said_by_the_spec(mail):
    rows = mail.held_out.assign(chosen="mail")
    statuses = [evaluate("shop_mail", rows, spec, mail.facts).verdict.status for spec in (MAIL, with_gates(MAIL, beats_best_rival="fail"))]
    assert statuses == ["review", "fail"]

def test_a_gate_on_a_figure_of_an_arm_counts_beside_the_comparison(mail, judged):
    qini = judged[1].figures["qini_mail"]
    statuses = [evaluate("shop_mail", mail.held_out, with_gates(MAIL, qini_mail=limit), mail.facts).verdict.status for limit in (qini.low - 1e-9, qini.low + 1e-9)]
    assert statuses == ["pass", "fail"]

@pytest.mark.parametrize("n_learned", [1, 150, 300])
@pytest.mark.parametrize("which", [0, 1], ids=["propensity", "uplift"])
def test_a_single_row_that_was_learned_from_stops_the_judgement(churn, mail, which, n_learned):
    candidate, spec = ((churn, CHURN), (mail, MAIL))[which]
    rows = candidate.held_out.assign(split=["train"]*n_learned + ["held_out"]*(len(candidate.held_out) - n_learned))
    with pytest.raises(DataError, match=f"{n_learned} of 300 rows of shop are not held out"): evaluate("shop", rows, spec, candidate.facts)

def test_rows_that_do_not_say_or_belong_to_neither_side_are_refused(churn):
    for rows in (churn.held_out.drop(columns="split"), churn.held_out.assign(split=None)):
        with pytest.raises(DataError): evaluate("shop", rows, CHURN, churn.facts)

@pytest.mark.parametrize("change", [dict(task="lifetime_value"), dict(gates=dict(acc=.9)), dict(gates=dict(auc="high")), dict(primary_metric="auroc")])
def test_a_spec_nobody_can_judge_by_is_refused_in_two_lines(churn, change):
    with pytest.raises(ParameterError) as caught: evaluate("shop", churn.held_out, CHURN | change, churn.facts)
    assert len(str(caught.value).splitlines()) == 2

def test_the_order_of_the_held_out_rows_changes_no_figure(churn, mail, judged):
    for candidate, spec, before in ((churn, CHURN, judged[0]), (mail, MAIL, judged[1])):
        rows = candidate.held_out.sample(frac=1, random_state=1).reset_index(drop=True)
        found = evaluate(candidate.model, rows, spec, candidate.facts)
        for name, e in before.figures.items():
            assert found.figures[name].value == pytest.approx(e.value, rel=1e-9), name
        assert found.verdict.status == before.verdict.status

def test_an_evaluation_survives_its_way_through_json(judged):
    for found in judged:
        again = Evaluation.from_dict(json.loads(json.dumps(found.to_dict())))
        assert again.to_dict() == found.to_dict() and again.verdict == found.verdict

def test_an_outcome_nobody_had_is_unknown_and_not_a_pass(churn):
    found = evaluate("shop_churn", churn.held_out.assign(label=0), CHURN, churn.facts)
    assert found.verdict.status == "unknown" and isinstance(found.figures["auc"], NotMeasurable)
    assert all("cannot be said" in sentence for sentence in found.sentences)

def priced(rows, left): return rows.assign(contribution=left*rows.spend)

@pytest.mark.parametrize("left, says, status", [(.5, "is not shown to be off", "pass"), (.3, "counts too much, by +", "review"), (.8, "counts too little, by −", "pass")])
def test_an_assumed_margin_is_held_against_what_the_goods_cost(mail, left, says, status):
    "The spec assumes 50 %; a little noise stands for goods that cost not all the same."
    rows = mail.held_out
    found = evaluate("shop_mail", rows.assign(contribution=left*rows.spend + np.random.default_rng(3).normal(0, .5, len(rows))), MAIL, mail.facts)
    said, row = next(each for each in found.sentences if each.startswith("All profits here assume")), found.tables["margin"][0]
    assert says in said and "assume that 50 %" in said and found.verdict.status == status
    assert row["measured"] == pytest.approx(left, abs=.05) and f"leaves {100*row['measured']:.0f} %" in said

def test_profits_at_cost_are_those_of_a_spec_that_assumes_what_the_goods_leave(mail):
    at_cost = evaluate("shop_mail", priced(mail.held_out, .3), MAIL, mail.facts).tables["policies_at_cost"]
    assumed = evaluate("shop_mail", mail.held_out, MAIL | dict(economics=dict(margin=.3, contact_cost=2.)), mail.facts).tables["policies"]
    for one, other in zip(at_cost, assumed, strict=True):
        assert one["policy"] == other["policy"]
        for name in ("profit", "low", "high", "learned_minus_it"): assert one[name] == (other[name] if other[name] is None else pytest.approx(other[name]))

def test_the_answer_at_cost_is_said_where_it_is_another_one(mail):
    "At a fiftieth of what is spent no contact for 2 EUR pays."
    found = evaluate("shop_mail", priced(mail.held_out, .02), MAIL, mail.facts)
    assert any("the answer is another one: targeting does worse than sending nobody anything" in each for each in found.sentences)
    reason = next(each for each in found.verdict.reasons if each.code == "assumed_margin")
    assert (reason.severity, reason.threshold) == ("review", .5) and "Set margin: 0.02" in reason.next_step

def test_without_costs_the_margin_is_called_an_assumption_and_judged_by_nothing(mail, judged):
    assert any(each.startswith("That 50 % of what is spent remains is an assumption") for each in judged[1].sentences)
    assert judged[1].tables["margin"][0]["measured"] is None and "policies_at_cost" not in judged[1].tables
    assert "assumed_margin" not in [each.code for each in judged[1].verdict.reasons]
