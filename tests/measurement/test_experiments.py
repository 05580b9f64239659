"""What an experiment promises: every fault of its section is named, all at once."""
from dataclasses import FrozenInstanceError, fields, replace
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
import pytest
from marketing_mlops.measurement.experiments import OPTIONAL_KEYS, REQUIRED_KEYS, Experiment, read_experiment
from marketing_mlops.measurement.kept_promises import (DIFFERS, REGISTERED_BEFORE, SAYS_SO, SET_AFTERWARDS, KeptPromise, as_registered, promise_facts,
                                                       registration_of)
from marketing_mlops.workspace.errors import ParameterError
from marketing_mlops.workspace.params import read_yaml

PROMO = dict(name="promo_mail_2026", hypothesis="A mail raises revenue", objective="Spring", owner="marketing@example.com", unit="customer",
             control="no_mail", arms={"no_mail": .5, "promo_mail": .5}, goal="net_revenue_per_customer", guardrails=["unsubscribe_rate"],
             worthwhile_effect=.5, currency="EUR", outcome_window_days=14, planned_customers=12_000, planned_end=date(2026, 4, 30),
             stopping_rule="fixed_horizon", holdout=.05, registered_at=datetime(2026, 3, 1, tzinfo=timezone.utc))

def fault(**change):
    with pytest.raises(ParameterError) as refused: read_experiment({k: v for k, v in (PROMO | change).items() if v != "gone"}, "models.m.experiment")
    assert len(str(refused.value).splitlines()) == 2
    assert "models.m.experiment" in str(refused.value) and "params.yaml" in str(refused.value)
    return refused.value

@pytest.mark.parametrize("key", REQUIRED_KEYS)
def test_every_required_key_is_missed_by_name(key):
    assert f"{key} is missing" in fault(**{key: "gone"}).problem
    assert f"{key} is missing" in fault(**{key: None}).problem

@pytest.mark.parametrize("key", [*REQUIRED_KEYS, *OPTIONAL_KEYS])
def test_every_key_refuses_a_value_of_the_wrong_kind(key):
    wrong = fault(**{key: object()})
    assert key in wrong.fields["faults"] and "allowed is" in wrong.problem

@pytest.mark.parametrize("key", [*REQUIRED_KEYS, *OPTIONAL_KEYS])
def test_a_misspelt_key_offers_the_right_one(key):
    misspelt = key[:-1]
    assert f"Did you mean '{key}'?" in fault(**{misspelt: PROMO.get(key)}).fields["faults"][misspelt]

@pytest.mark.parametrize("change,said", [
    (dict(arms={"no_mail": .5, "promo_mail": .4}), "sum to 0.9"),
    (dict(arms={"no_mail": 1.}), "at least two"),
    (dict(arms={"no_mail": 1.2, "promo_mail": -.2}), "a number above 0"),
    (dict(arms={"no_mail": .5, 2026: .5}), "quotes"),
    (dict(arms={"no_mail": .5, True: .5}), "quotes"),
    (dict(arms=["no_mail", "promo_mail"]), "pairs such as"),
    (dict(control="no mail"), "Did you mean 'no_mail'?"),
    (dict(worthwhile_effect=-.5), "at least 0"),
    (dict(worthwhile_effect=float("nan")), "worthwhile_effect is nan"),
    (dict(worthwhile_effect=float("inf")), "worthwhile_effect is inf"),
    (dict(worthwhile_effect="0,50"), "'0,50'"),
    (dict(worthwhile_effect=True), "worthwhile_effect is True"),
    (dict(outcome_window_days=0), "whole number"), (dict(outcome_window_days=1.5), "whole number"),
    (dict(planned_customers=0), "whole number"), (dict(holdout=1), "below 1"), (dict(holdout=5), "0.05 for 5 %"),
    (dict(level=95), "0.95 for 95 %"), (dict(goal_value=0), "above 0"),
    (dict(stopping_rule="fixed"), "fixed_horizon"), (dict(planned_customers="gone", planned_end="gone"), "needs one of them"),
    (dict(planned_end="30.04.2026"), "2026-04-30"), (dict(registered_at="2026-03-01T00:00:00"), "time zone"),
    (dict(registered_at=datetime(2026, 3, 1)), "time zone"),
    (dict(goal="net_revenue_per_costumer"), "Did you mean 'net_revenue_per_customer'?"),
    (dict(guardrails=["unsubscribes_rate"]), "Did you mean 'unsubscribe_rate'?"), (dict(guardrails="unsubscribe_rate"), "a list such as"),
    (dict(diagnostics=["unsubscribe_rate"]), "each has one role"), (dict(guardrails=["net_revenue_per_customer"]), "each has one role"),
    (dict(guardrail_margins={"complaint_rate": .01}), "no guardrail"), (dict(guardrail_margins={"unsubscribe_rate": 0}), "above 0"),
    (dict(currency="€"), "three capital letters"), (dict(name="  "), "name is"), (dict(owner=None), "owner is missing")])
def test_a_fault_says_what_is_allowed(change, said): assert said in fault(**change).problem

def test_all_faults_are_reported_at_once():
    faults = fault(control="nobody", currency="euro", worthwhile_effect=-1, goal="gone", colour="red").fields["faults"]
    assert set(faults) == {"control", "currency", "worthwhile_effect", "goal", "colour"}

@pytest.mark.parametrize("section", [None, [], "promo", 3])
def test_a_section_that_is_no_mapping_is_refused(section):
    with pytest.raises(ParameterError, match="key: value"): read_experiment(section)

def test_a_sound_section_is_read_with_its_types():
    experiment = read_experiment(PROMO)
    assert experiment.contrasts == (("promo_mail", "no_mail"),)
    assert experiment.metrics == {"net_revenue_per_customer": "goal", "unsubscribe_rate": "guardrail"}
    assert (experiment.planned_end, experiment.registered_at.tzinfo is not None) == (date(2026, 4, 30), True)
    assert {f.name for f in fields(Experiment)} == {*REQUIRED_KEYS, *OPTIONAL_KEYS}
    with pytest.raises(FrozenInstanceError): experiment.goal = "visit_rate"

def test_texts_of_any_script_are_kept_as_they_are():
    arms = {"kein Mailing 🙅": .5, "<b>Mail</b>": .5}
    assert read_experiment(PROMO | dict(arms=arms, control="kein Mailing 🙅")).arms == arms

AT = datetime(2026, 3, 1, tzinfo=timezone.utc)                    # first assignment; the promise says it was written down then
def kept(experiment, days=0): return KeptPromise(AT + timedelta(days=days), promise_facts(experiment))

@pytest.mark.parametrize("says, first, words", [(AT, AT, SAYS_SO), (AT, AT.replace(year=2025), SET_AFTERWARDS), (AT, None, SET_AFTERWARDS), (None, AT, SET_AFTERWARDS)])
def test_a_date_in_the_promise_itself_proves_nothing(says, first, words):
    found = registration_of(replace(read_experiment(PROMO), registered_at=says), first)
    assert found.words == words and found.verdict.status == "review"

@pytest.mark.parametrize("days, words", [(-1, REGISTERED_BEFORE), (0, REGISTERED_BEFORE), (1, SET_AFTERWARDS)])
def test_only_an_entry_before_the_first_assignment_counts(days, words):
    experiment = read_experiment(PROMO)
    assert registration_of(experiment, AT, [kept(experiment, days)]).words == words

@pytest.mark.parametrize("change", [dict(worthwhile_effect=.05), dict(outcome_window_days=15), dict(goal_value=2.), dict(owner="crm@example.com"), dict(stopping_rule="none_known"), dict(caps={"spend_per_customer": 9.})])
@pytest.mark.parametrize("days", [-1, 1])
def test_any_field_that_was_changed_is_a_difference(change, days):
    experiment = read_experiment(PROMO)
    found = registration_of(replace(experiment, **change), AT, [kept(experiment, days)])
    assert found.words.startswith(DIFFERS) and next(iter(change)).replace("_", " ") in found.words
    assert found.verdict.status == ("fail" if "outcome_window_days" in change else "review")      # another window is another question
    assert as_registered(replace(experiment, **change), found.promise) == replace(experiment, **{key: change[key] for key in change if key in ("owner", "outcome_window_days")})

def test_a_promise_changed_and_registered_after_the_test_differs_from_the_first_one():
    experiment, lowered = read_experiment(PROMO), replace(read_experiment(PROMO), worthwhile_effect=.05)
    for entries in ([kept(experiment, -1), kept(lowered, 90)], [kept(experiment, 80), kept(lowered, 90)]):
        assert registration_of(lowered, AT, entries).words == "differs from the ledger: worthwhile effect 0.50 → 0.05, changed after the first assignment"
        assert registration_of(lowered, AT, entries[::-1]) == registration_of(lowered, AT, entries)

def test_keys_invented_after_an_entry_was_made_are_no_difference():
    experiment = read_experiment(PROMO)
    old = KeptPromise(AT, {k: v for k, v in promise_facts(experiment).items() if k in REQUIRED_KEYS and k != "owner" or k in ("guardrails", "planned_customers", "planned_end", "holdout")})
    assert registration_of(experiment, AT, [old]).words == REGISTERED_BEFORE

@pytest.mark.parametrize("file", ["params.yaml", "data/replays/params.yaml"])
def test_the_experiments_of_this_workspace_are_sound(repository: Path, file):
    models = read_yaml(repository/file).get("models", {})
    for name, model in models.items():
        if "experiment" in model: read_experiment(model["experiment"], f"models.{name}.experiment", file)
