"""Entries of params.yaml that cannot be trained are refused before a single row is read."""
import pytest
from marketing_mlops.measurement.gates import read_gates
from marketing_mlops.training.model_specs import check_model_spec, policy_figures
from marketing_mlops.workspace.errors import ParameterError
from marketing_mlops.workspace.params import read_params, seen_from_workspace

CHURN = dict(source="shop", task="propensity", consent_purpose="email", outcome=dict(kind="no_order", horizon_days=90, active_days=365),
             cutoffs=dict(last="2026-03-01", every_days=30, count=6), features=["recency_days", "trait.age_band"], split=dict(held_out="last_cutoff"),
             algorithm=dict(name="hist_gradient_boosting", max_iter=60), primary_metric="auc", gates=dict(auc=.6, calibration_slope=[.7, 1.4]))
PROMO = dict(source="shop", task="uplift", consent_purpose="email", features=["recency_days"], split=dict(held_out=.5), algorithm=dict(name="hist_gradient_boosting"),
             gates=dict(beats_best_rival="review", qini_mail=0), economics=dict(margin=.45, contact_cost=.03),
             experiment=dict(name="spring", hypothesis="A mail raises revenue", objective="Sales", owner="marketing@example.com", arms={"no_mail": .5, "mail": .5},
                             control="no_mail", goal="net_revenue_per_customer", worthwhile_effect=.5, currency="EUR", outcome_window_days=14, stopping_rule="none_known"))

def test_the_specs_of_the_repository_pass(repository):
    from marketing_mlops.workspace.places import find_workspace
    params = read_params(find_workspace(repository))
    assert len(params.models) >= 5
    for name, spec in params.models.items(): check_model_spec(name, spec, file=seen_from_workspace(params.where(name)))

def test_what_is_only_read_out_is_not_asked_how_it_is_trained():
    check_model_spec("readout", dict(task="uplift", experiment=PROMO["experiment"], algorithm=dict(name="xgboost")))

WRONG = {
    "task": (CHURN, dict(task="propensitiy"), "task", "Did you mean 'propensity'"),
    "feature": (CHURN, dict(features=["recency_day"]), "features", "Did you mean 'recency_days'"),
    "feature named twice": (CHURN, dict(features=["recency_days"]*2), "features", "twice"),
    "outcome": (CHURN, dict(outcome=dict(kind="churn")), "outcome", "outcome.kind is 'churn'"),
    "horizon": (CHURN, dict(outcome=dict(kind="order", horizon_days=0)), "outcome.horizon_days", "a whole number of days"),
    "no cutoffs": (CHURN, dict(cutoffs=None), "cutoffs", "cutoffs is missing"),
    "cutoffs": (CHURN, dict(cutoffs=dict(last="2026-03-01", counts=6)), "cutoffs.counts", "Did you mean 'count'"),
    "split": (CHURN, dict(split=dict(held_out="first_cutoff")), "split.held_out", "last_cutoff and a share"),
    "split of an experiment": (PROMO, dict(split=dict(held_out="last_cutoff")), "split.held_out", "an experiment has no cutoffs"),
    "algorithm": (CHURN, dict(algorithm=dict(name="xgboost")), "algorithm.name", "There is no algorithm 'xgboost'"),
    "no algorithm": (CHURN, dict(algorithm=None), "algorithm", "algorithm is missing"),
    "setting": (CHURN, dict(algorithm=dict(name="hist_gradient_boosting", max_iters=60)), "algorithm.max_iters", "Did you mean 'max_iter'"),
    "value of a setting": (CHURN, dict(algorithm=dict(name="hist_gradient_boosting", learning_rate=10)), "algorithm.learning_rate", "from 0.001 to 1"),
    "algorithm of another purpose": (CHURN, dict(algorithm=dict(name="linear_regression")), "algorithm.name", "does not suit"),
    "gate": (CHURN, dict(gates=dict(acc=.9)), "gates.acc", "Did you mean 'auc'"),
    "gate of another task": (CHURN, dict(gates=dict(beats_best_rival="review")), "gates.beats_best_rival", "not computed"),
    "limit": (CHURN, dict(gates=dict(auc="high")), "gates.auc", "a number, a range"),
    "gates": (CHURN, dict(gates=["auc"]), "gates", "a mapping of figures"),
    "gate of an arm there is not": (PROMO, dict(gates=dict(qini_letter=0)), "gates.qini_letter", "not computed"),
    "a number for a word": (PROMO, dict(gates=dict(beats_best_rival=.5)), "gates.beats_best_rival", "review or fail"),
    "primary metric": (CHURN, dict(primary_metric="auroc"), "primary_metric", "primary_metric is 'auroc'"),
    "no economics": (PROMO, dict(economics=None), "economics", "economics is missing"),
    "economics": (PROMO, dict(economics=dict(margin=45)), "margin", "margin is 45"),
    "outcome that is no mapping": (CHURN, dict(outcome="no_order"), "outcome", "key: value"),
    "control that is no arm": (PROMO, dict(experiment=PROMO["experiment"] | dict(control="no-mail")), "experiment.control", "Did you mean 'no_mail'"),
    "experiment without a name": (PROMO, dict(experiment=PROMO["experiment"] | dict(name=None)), "experiment.name", "name is missing"),
    "experiment without a currency": (PROMO, dict(experiment=PROMO["experiment"] | dict(currency=None)), "experiment.currency", "currency is missing"),
    "experiment without a window": (PROMO, dict(experiment=PROMO["experiment"] | dict(outcome_window_days=None)), "experiment.outcome_window_days", "outcome_window_days is missing"),
    "experiment without arms": (PROMO, dict(experiment=PROMO["experiment"] | dict(arms=None)), "experiment.arms", "arms is missing"),
    "an algorithm that predicts no amount": (PROMO, dict(algorithm=dict(name="logistic_regression")), "algorithm.name", "does not suit the task uplift"),
    "gains that are no money": (PROMO, dict(outcome=dict(kind="outcome", column="visit")), "outcome.column", "outcome.column is 'visit'"),
    "holdout": (CHURN, dict(holdout=1.5), "holdout", "holdout is 1.5"),
    "purpose": (CHURN, dict(consent_purpose="e-mail"), "consent_purpose", "Did you mean 'email'"),
    "misspelt key": (CHURN, dict(gate=dict(auc=.6)), "gate", "Did you mean 'gates'"),
    "misspelt features": (CHURN, dict(features=None, feature=["recency_days"]), "feature", "Did you mean 'features'"),
    "no experiment": (PROMO, dict(experiment=None), "experiment", "experiment is missing")}

@pytest.mark.parametrize("spec, change, key, says", WRONG.values(), ids=WRONG)
def test_a_mistake_is_named_by_file_model_and_key(spec, change, key, says):
    with pytest.raises(ParameterError, match=says) as caught: check_model_spec("shop", spec | change, file="data/replays/params.yaml")
    assert caught.value.fields["key"] == f"models.shop.{key}" and str(caught.value).startswith("data/replays/params.yaml: models.shop")
    assert len(str(caught.value).splitlines()) == 2 and "params.yaml" not in str(caught.value).replace("data/replays/params.yaml", "")

@pytest.mark.parametrize("spec", [CHURN, PROMO], ids=lambda each: each["task"])
def test_a_spec_that_can_be_used_passes(spec): check_model_spec("shop", spec)

def test_arms_with_blanks_may_have_gates():
    arms = PROMO | dict(experiment=PROMO["experiment"] | dict(arms={"No E-Mail": .5, "Mens E-Mail": .5}, control="No E-Mail"), gates={"qini_Mens E-Mail": 0})
    check_model_spec("shop", arms)
    assert {gate.figure for gate in read_gates(arms["gates"])} < set(policy_figures(arms))

def test_a_task_no_stage_builds_is_refused_before_anything_runs():
    "It went through every stage as `nothing to train`."
    with pytest.raises(ParameterError, match="(?s)models.worth.task is lifetime_value, which no stage.*customer_value -p source=retailer"):
        check_model_spec("worth", dict(owner="finance@example.com", purpose="Worth", audience="Customers", source="retailer", task="lifetime_value"))
