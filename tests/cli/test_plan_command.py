"""`mmops plan`: a test is sized from the workspace's own customers, and its promise is one that can be registered."""
import json
import numpy as np
import pytest
from marketing_mlops.cli.commands import main
from marketing_mlops.contracts.schemas import frame_of_rows
from marketing_mlops.measurement.experiments import read_experiment
from marketing_mlops.workspace.params import read_yaml
from marketing_mlops.workspace.places import find_workspace, write_text

HYPOTHESIS = "Free shipping \x1b[2J raises revenue: by 100 %"
PLAN = ["plan", HYPOTHESIS, "--worthwhile", "0.4", "--hoped", "2.4", "--owner", "marketing@example.com"]

@pytest.fixture
def shop(tmp_path, monkeypatch):
    rng, days = np.random.default_rng(73), {i: "2026-06-20T10:00Z" for i in range(400)} | {2_000: "2026-01-10T10:00Z"}
    tables = dict(customers=[dict(customer_id=f"c{i}", household_id=f"h{i//2}", market="DE", first_seen_at="2024-01-01T00:00Z") for i in range(2_000)],
                  orders=[dict(order_id=f"o{i}", customer_id=f"c{i % 2_000}", currency="EUR", occurred_at=day, known_at=day) for i, day in days.items()],
                  order_lines=[dict(order_line_id=f"l{i}", order_id=f"o{i}", kind="sale", quantity=1, unit_price=float(rng.integers(15, 60)), currency="EUR", occurred_at=day, known_at=day)
                               for i, day in days.items()])
    write_text(tmp_path/"settings.ini", "[DEFAULT]\nreporting_currency = EUR\n")
    write_text(tmp_path/"params.yaml", json.dumps(dict(sources=dict(shop=dict(kind="simulated"), agency=dict(kind="file")), models={})))
    found = find_workspace(tmp_path)
    found.accepted("shop").mkdir(parents=True)
    for name, rows in tables.items(): frame_of_rows(name, rows).to_parquet(found.accepted("shop")/f"{name}.parquet")
    monkeypatch.chdir(tmp_path)
    return found

def test_a_plan_says_how_many_how_long_and_how_much(shop, capsys):
    assert main([*PLAN, "--arms", "now=0.5", "free=0.5", "--contact-cost", "0.03", "--per-day", "100", "--starts", "2026-07-06"]) == 0
    said = capsys.readouterr().out
    for words in ("customers in all arms", "now ", "weeks of assignment", "last day before it is read", "cost of the contacts", "smallest effect it sees"): assert words in said
    assert "\x1b" not in said

def test_a_kept_promise_is_read_as_an_experiment_and_registered(shop, capsys):
    options = ["--clusters", "household_id", "--segments", "market", "--caps", "net_revenue_per_customer=500", "--diagnostics", "net_revenue_per_customer_p95", "--out", "promise.yaml"]
    assert main([*PLAN, *options]) == 0
    experiment = read_experiment(read_yaml("promise.yaml"))
    assert (experiment.hypothesis, experiment.clusters, experiment.segments) == (HYPOTHESIS, "household_id", ("market",))
    assert experiment.caps == {"net_revenue_per_customer": 500} and f"{experiment.planned_customers:,}" in capsys.readouterr().out
    assert main(["experiments", "register", "promise.yaml", "--as", "marketing@example.com"]) == 0

def test_a_promise_is_never_written_over(shop, capsys):
    write_text("promise.yaml", "kept: as it was\n")
    assert main([*PLAN, "--out", "promise.yaml"]) == 1
    assert read_yaml("promise.yaml") == dict(kept="as it was") and "not written over" in capsys.readouterr().err

@pytest.mark.parametrize("words,says", [
    (PLAN[:2], "--worthwhile is missing"), (["plan"], "hypothesis"), ([*PLAN[:2], "--worthwhile", "0,4"], "is no number"), ([*PLAN, "--hoped", "0.4"], "no number of customers"),
    ([*PLAN, "--goal", "net_revenu"], "Did you mean"), ([*PLAN, "--goal", "net_revenue_per_customer_p50"], "do not add up to money"), ([*PLAN, "--arms", "now=half"], "a name and a number"),
    ([*PLAN, "--arms", "now=0.5", "free=0.6"], "sum to 1.1"), ([*PLAN, "--starts", "6.7.2026"], "a day is allowed"), ([*PLAN, "--source", "agency"], "no accepted tables"),
    ([*PLAN, "--source", "shops"], "Did you mean"), ([*PLAN, "--purpose", "email"], "nobody agreed"), ([*PLAN, "--covariates", "eyes"], "nothing known of a customer"),
    ([*PLAN, "--clusters", "household_id", "--strata", "market"], "cannot be combined"), ([*PLAN, "--power", "80"], "power is 80"), ([*PLAN, "--per-day", "0"], "above 0"),
    ([*PLAN, "--goal", "conversion_rate"], "no amount of money"), ([*PLAN, "--out", "promise.txt"], "does not end in .yaml"), ([*PLAN, "--days", "400"], "does not fit"),
    ([*PLAN, "--currency", "USD"], "exchange rate"), ([*PLAN, "--goal", "repeat_rate", "--goal-value", "5"], "repeat_rate")])
def test_what_cannot_be_planned_is_two_lines(shop, capsys, words, says):
    code, err = main(words), capsys.readouterr().err.splitlines()
    assert code == 1 and len(err) == 2 and says in err[0], err
