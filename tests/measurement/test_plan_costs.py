"""Weeks and money of a plan."""
from datetime import date
import pytest
from hypothesis import given, strategies as st
from marketing_mlops.measurement.experiment_plans import Baseline, ExperimentLayout, share_baseline
from marketing_mlops.measurement.plan_costs import CampaignTerms, arm_sizes, assignment_days, contact_bill, plan_experiment, reading_day, visible_by_week

MAIL = ExperimentLayout({"none": .5, "mail": .3, "letter": .2}, "none")
TERMS = CampaignTerms(2_500, 14, {"mail": .03, "letter": .85}, "EUR")

@given(st.integers(1, 10**7), st.floats(.5, 10**6))
def test_a_test_runs_for_the_fewest_whole_weeks_that_bring_its_customers(n, daily):
    days = assignment_days(n, daily)
    assert days % 7 == 0 and days*daily >= n*(1-1e-6) and (days-7)*daily < n

def test_the_last_customer_has_as_many_days_as_the_first():
    assert reading_day(date(2026, 2, 23), 7, 14) == date(2026, 3, 16)

def test_each_arm_pays_for_its_own_contacts():
    assert contact_bill(MAIL, TERMS, 10_000) == pytest.approx(3_000*.03 + 2_000*.85)

@pytest.mark.parametrize("n", [*range(1, 60), 4_111, 73_381])
def test_the_bill_counts_the_customers_that_are_written_beside_it(n):
    sizes = arm_sizes(MAIL.arms, n)
    assert sum(sizes.values()) == n and all(abs(size-n*MAIL.arms[arm]) <= 1 for arm, size in sizes.items())
    assert contact_bill(MAIL, TERMS, n) == pytest.approx(sum(sizes[arm]*cost for arm, cost in TERMS.contact_costs.items()))

def test_more_weeks_show_smaller_effects_for_more_money():
    table = visible_by_week(MAIL, share_baseline(.05), TERMS)
    assert table["detectable"].is_monotonic_decreasing and table["contacts"].is_monotonic_increasing

def test_weeks_without_customers_say_so_and_show_no_effect():
    table = visible_by_week(MAIL, share_baseline(.05), CampaignTerms(.1, 14, {}, "EUR"), (1, 2))
    assert table["detectable"].isna().all() and table["note"].str.contains("too few").all()

def test_a_plan_of_given_size_keeps_that_size():
    plan = plan_experiment(MAIL, Baseline(30, 900, "EUR"), 1.5, TERMS, n_customers=9_000)
    assert (plan.n_customers, plan.assigned_days, plan.total_days) == (9_000, 7, 21) and 0 < plan.power < 1
