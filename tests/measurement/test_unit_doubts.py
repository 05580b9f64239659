"""Bad input through a whole readout: nothing that looks like an answer comes out of it."""
import numpy as np
import pandas as pd
import pytest
from marketing_mlops.measurement.experiments import read_experiment
from marketing_mlops.measurement.readouts import read_out
from marketing_mlops.measurement.policies import judge_policy, policy_values
from marketing_mlops.measurement.policy_profits import campaign_economics
from marketing_mlops.measurement.uplift_curves import uplift_at
from marketing_mlops.measurement.intervals import NotMeasurable
from marketing_mlops.measurement.unit_doubts import doubts_about, trusted_design
from marketing_mlops.measurement.unit_frames import metric_column

BASE = dict(name="trial", hypothesis="A mail raises spend", objective="Choose a mail", owner="marketing@example.com", control="none",
            arms={"none": .5, "mail": .5}, goal="spend_per_customer", worthwhile_effect=.5, currency="EUR", outcome_window_days=14,
            stopping_rule="fixed_horizon", planned_customers=1_000)
N = 4_000

def experiment(**changes): return read_experiment(BASE | changes)

@pytest.fixture(scope="module")
def customers():
    rng = np.random.default_rng(0)
    arm = rng.permutation(np.array(["none", "mail"]*(N//2), dtype=object))
    past = rng.gamma(2, 100, N)
    spend = (.05*past + rng.gamma(2, 8, N) + 3*(arm == "mail")).round(2)
    return pd.DataFrame(dict(unit_id=[f"c{i}" for i in range(N)], arm=arm, spend_per_customer=spend, net_revenue_per_customer=spend, spent_before=past.round(2),
                             conversion_rate=(rng.random(N) < .1).astype(int), unsubscribe_rate=(rng.random(N) < .02).astype(int)))

def codes(readout, status): return [r.code for v in readout.decision.verdicts for r in v.reasons if r.severity == status]

# --- zero conversions ---
def test_an_experiment_in_which_nobody_converts_is_held_and_not_stopped(customers):
    found = read_out(experiment(goal="conversion_rate", goal_value=20.), customers.assign(conversion_rate=0))
    row = found.differences.iloc[0]
    assert found.decision.decision == "hold" and "Nobody did it in either arm" in found.decision.sentence
    assert row[["value", "low", "high", "p_value"]].isna().all() and "no_variation" in codes(found, "unknown")

def test_a_guardrail_nobody_touched_is_unknown_and_never_passes(customers):
    found = read_out(experiment(guardrails=["unsubscribe_rate"], guardrail_margins={"unsubscribe_rate": .01}), customers.assign(unsubscribe_rate=0))
    assert found.decision.decision == "hold" and "cannot be measured" in found.decision.sentence

def test_uplift_of_a_campaign_without_a_buyer_is_refused():
    rng = np.random.default_rng(1)
    with pytest.raises(NotMeasurable, match="Nobody did it"): uplift_at(rng.random(800), rng.random(800) < .5, np.zeros(800), .3)

# --- amounts below zero ---
def test_revenue_below_zero_is_counted_named_and_decides_nothing(customers):
    coded = customers.assign(spend_per_customer=customers.spend_per_customer.where(np.arange(N) % 80 != 7, -999.))
    found = read_out(experiment(), coded)
    assert found.decision.decision == "hold" and "50 of 4,000 rows, first row 7 (-999.0)" in found.decision.sentence
    assert found.decision.sentence.startswith("Hold: some amounts are below zero and nobody said why.") and "below_zero" in codes(found, "unknown")

@pytest.mark.parametrize("order", [np.arange(N), np.random.default_rng(3).permutation(N)])
def test_turned_signs_are_found_also_where_returns_are_allowed(customers, order):
    turned = customers.iloc[order].assign(net_revenue_per_customer=-customers.net_revenue_per_customer)
    found = read_out(experiment(goal="net_revenue_per_customer"), turned)
    assert found.decision.decision == "hold" and "Hardly an amount is above 0 with" in found.decision.sentence

def test_returns_pass_where_the_metric_is_net_of_them_and_a_code_does_not(customers):
    net, some = experiment(goal="net_revenue_per_customer"), np.arange(N) % 80 == 7
    returned = customers.assign(net_revenue_per_customer=customers.net_revenue_per_customer.where(~some, -.1*customers.spent_before))
    assert (net_found := read_out(net, returned)).decision.decision == "ship" and "below_zero" not in codes(net_found, "unknown")
    coded = read_out(net, customers.assign(net_revenue_per_customer=customers.net_revenue_per_customer.where(~some, -999.)))
    assert "one_amount_below_zero" in codes(coded, "review")
    large = read_out(net, customers.assign(net_revenue_per_customer=customers.net_revenue_per_customer.where(~some, -9999.)))
    assert large.decision.decision == "hold" and "below_zero" in codes(large, "unknown") and "is -9999 in 50 of 4,000 rows" in large.decision.sentence

def test_an_arm_whose_returns_exceed_its_sales_is_stopped_for_its_loss_and_reviewed(customers):
    rng = np.random.default_rng(4)
    back = (customers.arm == "mail") & (rng.random(N) < .15)
    found = read_out(experiment(goal="net_revenue_per_customer"), customers.assign(net_revenue_per_customer=customers.net_revenue_per_customer.mask(back, -customers.spent_before)))
    assert found.decision.decision == "stop" and "more_returned" in codes(found, "review")

# --- covariates that are the outcome ---
@pytest.mark.parametrize("noise", [0., .1, 1.])
def test_a_covariate_that_is_the_outcome_changes_no_figure_and_asks_for_review(customers, noise):
    copied = customers.assign(spent_before=customers.spend_per_customer + np.random.default_rng(9).normal(0, noise, N))
    plain, found = read_out(experiment(), copied), read_out(experiment(covariates=["spent_before"]), copied)
    pd.testing.assert_frame_equal(found.differences, plain.differences)
    assert found.decision.decision == plain.decision.decision == "ship" and "covariate_is_outcome" in codes(found, "review")
    assert "off the variance" not in found.sentences["how_sure"] and found.experiment.covariates == ("spent_before",)

def test_a_past_that_explains_much_is_used_and_asks_nobody(customers):
    found = read_out(experiment(covariates=["spent_before"]), customers)
    assert "covariate-adjusted" in found.contrasts[0].difference.estimate.method and "covariate_is_outcome" not in codes(found, "review")

def test_a_bill_that_is_the_same_each_month_is_used_where_its_day_is_known(customers):
    day = pd.Timestamp("2026-03-02", tz="UTC")
    bill = customers.assign(spent_before=customers.spend_per_customer - 3*(customers.arm == "mail") + np.random.default_rng(9).normal(0, 1, N))
    dated = bill.assign(**{"assigned_at": day, "spent_before.known_at": day - pd.Timedelta(days=20)})
    half_dated = dated.assign(**{"spent_before.known_at": dated["spent_before.known_at"].where(np.arange(N) > 0)})
    columns, promise = {"spend_per_customer": metric_column("spend_per_customer", "EUR")}, experiment(covariates=["spent_before"])
    assert trusted_design(dated, columns, promise.design).covariates == ("spent_before",) and doubts_about(promise, dated, columns) == ()
    assert not trusted_design(half_dated, columns, promise.design).covariates and not trusted_design(bill, columns, promise.design).covariates

# --- policies ---
def _campaign(spend):
    rng = np.random.default_rng(4)
    arm = np.where(rng.random(N) < .5, "mail", "none")
    amounts = (rng.random(N) < .3)*rng.gamma(2, 20, N) + 15.*(arm == "mail")
    return pd.DataFrame(dict(arm=arm, spend=spend(amounts), split="held_out"))

def _judged(rows, **economics):
    compared = policy_values(rows, pd.Series("mail", rows.index), shares=dict(mail=.5, none=.5), economics=dict(margin=.5, currency="EUR") | economics, control="none", best_single_arm="none")
    return compared, judge_policy(compared, "model", "fail")

@pytest.mark.parametrize("spend,net,n_doubts", [(lambda a: a, False, 0), (lambda a: np.where(np.arange(N) % 80 == 7, -999., a), False, 1), (lambda a: np.where(np.arange(N) % 80 == 7, -999., a), True, 1),
                                                (lambda a: -a, True, 1), (lambda a: np.where(np.arange(N) % 80 == 7, -a/2 - .01*np.arange(N) - .01, a), True, 0)])
def test_a_policy_paid_by_nobody_is_for_review_with_its_rows_counted(spend, net, n_doubts):
    compared, verdict = _judged(_campaign(spend), net_of_returns=net)
    assert (len(compared.doubts), len(compared.notes)) == (n_doubts, n_doubts)
    assert not n_doubts or verdict.status != "pass" and "review" in [r.severity for r in verdict.reasons]
    assert n_doubts or all(r.code == "beats_best_rival" for r in verdict.reasons)

def test_what_a_campaign_may_lose_follows_from_its_goal_and_may_be_said():
    of = lambda goal, **given: campaign_economics(dict(margin=.4) | given, dict(goal=goal, currency="EUR")).net_of_returns
    assert of("net_revenue_per_customer") and not of("spend_per_customer") and not of("conversion_rate") and of("conversion_rate", net_of_returns=True)
