"""The planner of experiments: it says what `mmops plan` says, registers once, and answers odd customers and odd wishes in words."""
import json, shlex
from concurrent.futures import ThreadPoolExecutor
from itertools import product
import pandas as pd
import pytest
from planned_shop import HOSTILE, make_shop, rows_of_shop
from marketing_mlops.cli.commands import main
from marketing_mlops.explorers.experiment_planner import ExperimentPlanner, planner_of
from marketing_mlops.explorers.plan_choices import PlanChoices, read_choices
from marketing_mlops.explorers.plan_grounds import PlanGround
from marketing_mlops.explorers.plan_messages import plan_message
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.measurement.experiment_plans import Baseline, share_baseline
from marketing_mlops.measurement.plan_costs import plan_experiment
from marketing_mlops.reporting.past_experiments import PastExperiment
from marketing_mlops.reporting.plan_drafts import CustomersNow
from marketing_mlops.workspace.errors import MmopsError, ParameterError
from marketing_mlops.workspace.places import write_text

@pytest.fixture
def shop(tmp_path): return lambda tables: make_shop(tmp_path, tables)

WISH = dict(hypothesis="Free shipping raises revenue", owner="marketing@example.com", worthwhile=.5, hoped=4.)

def planned(place, **more):
    made = planner_of(place)
    made.select(**WISH | more)
    return made

@pytest.mark.parametrize("more", [{}, dict(arms=dict(now=.2, free=.5, half=.3), contact_cost=.05), dict(level=.9, power=.7, watched=True), dict(n_customers=450, weekly_customers=100.),
                                  dict(hypothesis="Mothers' day; $(rm) \"sells\"", name="mothers_day", days=21, starts_on="2026-07-06"), dict(goal="repeat_rate", goal_value=40., days=162)])
def test_the_command_plans_what_the_planner_shows(shop, capsys, monkeypatch, more):
    made = planned(place := shop(rows_of_shop()), **more)
    monkeypatch.chdir(place.root)
    assert main(shlex.split(made.code().splitlines()[1])[1:]) == 0
    said = capsys.readouterr().out
    for row in made.snapshot().table.itertuples(index=False): assert " ".join(row[1].split()) in " ".join(said.split())

def test_every_figure_is_the_librarys(shop):
    draft = planned(shop(rows_of_shop()), weekly_customers=200., contact_cost=.1).draft()
    assert draft.plan == plan_experiment(draft.layout, draft.baseline, draft.plan.effect, draft.campaign)

def test_the_customers_are_measured_once_however_often_the_wish_changes():
    looked = []
    def look(experiment): looked.append(experiment.goal); return CustomersNow(share_baseline(.05), "counted", 20_000)
    made = ExperimentPlanner(PlanGround(("conversion_rate",), look, "EUR"))
    for k in range(200): made.select(goal_value=25., worthwhile=.1, hoped=.5 + k/200)
    assert looked == ["conversion_rate"] and made.chosen.hoped == .5 + 199/200

def test_two_who_register_at_once_leave_one_entry(shop):
    place = shop(rows_of_shop())
    made = [planned(place) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool: kept = list(pool.map(lambda each: each.register("marketing@example.com"), made))
    assert len(Ledger(place).entries()) == 1 and len({each.name for each in kept}) == 1

def test_a_promise_that_cannot_be_registered_leaves_no_file(shop):
    place = shop(rows_of_shop())
    made = planned(place)
    with pytest.raises(MmopsError, match="no mail address"): made.register("marketing")
    assert not (place.root/"experiments").exists()
    write_text(place.root/"experiments"/"free_shipping_raises_revenue.yaml", "kept: as it was\n")
    with pytest.raises(ParameterError, match="not written over"): made.register("marketing@example.com")
    assert not Ledger(place).entries()

def test_no_choice_a_control_can_make_ends_in_a_traceback():
    ground = PlanGround(("net_revenue_per_customer", "conversion_rate"), lambda e: CustomersNow(share_baseline(.05) if "rate" in e.goal else Baseline(4., 300., "EUR"), "counted", 20_000), "EUR")
    extremes = dict(worthwhile=(0, 1e6), hoped=(None, 0, 1e6), goal_value=(None, 0, 1e9), weekly_customers=(None, 0, 1e-9, 1e10), n_customers=(None, 0, 1, 10**10), power=(0, .8, 1), level=(0, .5, 1),
                    baseline=(None, -1e9, 0, 1e9), spread=(None, 0, 1e9), days=(1, 3650), starts_on=(None, "9999-12-31"), arms=([["a", 1], ["b", 0]], [["", .5], ["b", .5]], [[str(k), .1] for k in range(10)]))
    for goal, (name, values) in product(ground.goals, extremes.items()):
        for value in values:
            told = plan_message(ground, read_choices({name: value, "starts_on": "2026-07-06"} | {name: value}, PlanChoices("x raises y", goal=goal, goal_value=25., worthwhile=.1, hoped=1., owner="a@example.com")))
            json.dumps(told, allow_nan=False)
            assert bool(told["problem"]) != bool(told["rows"]), (name, value)
            if told["problem"]: assert told["remedy"] and "Traceback" not in told["problem"] and "--" not in told["remedy"]

@pytest.mark.parametrize("tables,says", [
    (dict(rows_of_shop(), customers=[]), "no table customers|No customer"), (rows_of_shop(1), "There are 1 customers|so there is nothing to plan"), (rows_of_shop(price=lambda i: None), "unit_price is missing")])
def test_odd_customers_are_told_in_words(shop, tables, says):
    place = shop(tables)
    with pytest.raises(MmopsError, match=says): planned(place)
    assert plan_message(planner_of(place).ground, PlanChoices(owner="a@example.com"))["problem"]

def test_infinite_amounts_are_told_in_words():
    ground = PlanGround(("net_revenue_per_customer",), lambda e: CustomersNow(Baseline(float("inf"), 300., "EUR"), "counted", 20_000), "EUR")
    assert "a mean and a variance" in plan_message(ground, PlanChoices("x raises y", owner="a@example.com"))["problem"]

def test_a_column_that_vanished_is_named(shop):
    place = shop(rows_of_shop())
    made = planned(place)
    table = place.accepted("shop")/"order_lines.parquet"
    pd.read_parquet(table).drop(columns="unit_price").to_parquet(table)
    assert made.select(hoped=5.).plan.n_customers # what was measured is kept
    with pytest.raises((MmopsError, KeyError), match="unit_price"): made.select(days=7)

def test_names_somebody_typed_stay_text(shop):
    near = PastExperiment("<b>old</b>", dict(hypothesis=HOSTILE), sentence="<script>")
    ground = PlanGround(("conversion_rate",), lambda e: CustomersNow(share_baseline(.05), "<i>counted</i>", 20_000), "EUR", (near,))
    made = ExperimentPlanner(ground, PlanChoices(HOSTILE, goal="conversion_rate", goal_value=25., worthwhile=.1, arms=((HOSTILE, .5), ("b", .5)), owner="a@example.com"), title=HOSTILE)
    assert "<img" not in (picture := made.snapshot().svg) and "<i>" not in picture and "&lt;img" in picture
    assert shlex.split(made.code().splitlines()[1])[2] == HOSTILE

def test_ten_thousand_arms_or_tests_are_no_trouble():
    with pytest.raises(ValueError, match="2 to 10 pairs"): read_choices(dict(arms=[[f"a{k}", 1e-4] for k in range(10_000)]))
    past = tuple(PastExperiment(f"test_{k}", dict(hypothesis=f"Idea {k} sells")) for k in range(10_000))
    ground = PlanGround(("conversion_rate",), lambda e: CustomersNow(share_baseline(.05), "counted", 20_000), "EUR", past)
    told = plan_message(ground, PlanChoices("A form sells", goal="conversion_rate", goal_value=25., worthwhile=.1, owner="a@example.com"))
    assert len(told["near"]) <= 3 and len(json.dumps(told)) < 20_000

@pytest.mark.parametrize("state", [None, [], {}, dict(chosen={}), dict(title="x", source=None, purpose=None, currency="EUR", design={}, chosen=dict(sql="drop"))])
def test_a_state_nobody_saved_is_refused(shop, state):
    with pytest.raises(ValueError): ExperimentPlanner.from_state(state, shop(rows_of_shop()))
