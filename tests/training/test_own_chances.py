"""A campaign whose customers had chances of their own is learned and judged as the plan demands, from the rows to the verdict."""
import numpy as np
import pandas as pd
import pytest
from marketing_mlops.features.training_sets import TrainingSet
from marketing_mlops.training.candidates import extra_unsubscribes, fit_candidate
from marketing_mlops.training.evaluations import evaluate
from marketing_mlops.training.own_chances import own_chances, with_own_chance
from marketing_mlops.workspace.errors import DataError

SPEC = dict(task="uplift", algorithm=dict(name="hist_gradient_boosting", max_iter=20), economics=dict(margin=.5, contact_cost=.5, unsubscribe_cost=1.), experiment=dict(arms={"none": .5, "mail": .5}, control="none", currency="EUR"))
PLAN = ["chance_mail", "chance_none"]

def campaign(n=6_000, seed=11):
    "The loyal spend 20 EUR more and were mailed with 80 %; the mail brings 3 EUR to everybody, and every tenth loyal customer leaves, mailed or not."
    rng = np.random.default_rng(seed)
    loyal = rng.random(n) < .5
    rows = pd.DataFrame(dict(customer_id=[f"c{i}" for i in range(n)], cutoff=pd.Timestamp("2026-03-01", tz="UTC"), orders_365d=loyal*5. + rng.poisson(1, n), chance_mail=np.where(loyal, .8, .2), chance_none=np.where(loyal, .2, .8)))
    rows["arm"] = np.where(rng.random(n) < rows.chance_mail, "mail", "none")
    rows["unsubscribed"] = (loyal & (rng.random(n) < .1)).astype(float)
    rows["spend"] = rows["label"] = 10 + 20*loyal + 3*(rows.arm == "mail") + rng.gamma(4, 1, n)
    return rows.assign(split=np.where(rng.random(n) < .5, "train", "held_out"))

def candidate_of(rows): return fit_candidate(TrainingSet("loyal_mail", rows, ["orders_365d"], "label", "arm", outcomes=("spend", "unsubscribed")), SPEC)

@pytest.fixture(scope="module")
def found():
    made = {name: candidate_of(rows) for name, rows in (("planned", campaign()), ("even", campaign().drop(columns=PLAN)))}
    return {name: (candidate, evaluate("loyal_mail", candidate.held_out, SPEC, candidate.facts)) for name, candidate in made.items()}

def test_figures_of_the_evaluation_hold_the_truth_with_the_plan_and_miss_it_without(found):
    figures = {name: each.figures for name, (_, each) in found.items()}
    profit = .5*3 - .5     # of the margin on 3 EUR, less the contact
    assert figures["planned"]["profit_mail"].low < profit < figures["planned"]["profit_mail"].high
    assert figures["even"]["profit_mail"].low > 2*profit
    shift = figures["planned"]["gain_shift_mail"]
    assert shift.low < 0 < shift.high

def test_the_profit_by_depth_ends_at_the_profit_of_the_mail_to_all(found):
    _, evaluation = found["planned"]
    last = [row for row in evaluation.tables["profit_curve"] if row["rival"] == "none"][-1]
    assert last["share"] == 1 and last["profit"] == pytest.approx(evaluation.figures["profit_mail"].value)

def test_customers_who_leave_anyway_are_not_charged_to_the_mail(found):
    lost = {name: candidate.facts["extra_unsubscribes"]["mail"] for name, (candidate, _) in found.items()}
    assert lost["planned"] < .015 < .04 < lost["even"]

def test_an_equal_plan_changes_nothing():
    rows = campaign(2_000).assign(chance_mail=.5, chance_none=.5)
    with_plan, without = (evaluate("loyal_mail", (c := candidate_of(each)).held_out, SPEC, c.facts) for each in (rows, rows.drop(columns=PLAN)))
    assert {name: each.value for name, each in with_plan.figures.items()} == pytest.approx({name: each.value for name, each in without.figures.items()})

def test_rows_are_weighed_in_any_order():
    rows = campaign(500)
    mixed = rows.sample(frac=1, random_state=2)
    pd.testing.assert_frame_equal(with_own_chance(mixed).loc[rows.index], with_own_chance(rows))
    assert own_chances(mixed).index.equals(mixed.index) and extra_unsubscribes(with_own_chance(mixed), "none") == pytest.approx(extra_unsubscribes(with_own_chance(rows), "none"))

@pytest.mark.parametrize("change, says", [(lambda r: r.drop(columns="chance_none"), "none of 'none'"), (lambda r: r.assign(chance_none=0., chance_mail=1.), "chances that are none"),
                                          (lambda r: r.assign(chance_mail=np.nan), "chances that are none"), (lambda r: r.assign(chance_mail=.5, chance_none=.6), "chances that are none")])
def test_a_plan_with_a_gap_is_refused_in_two_lines(change, says):
    with pytest.raises(DataError, match=says) as caught: candidate_of(change(campaign(600)))
    assert len(str(caught.value).splitlines()) == 2
