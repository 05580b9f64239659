"""Decisions on experiments: bound to the results they rest on, readable by a colleague who pulls the log, and apart from what a readout proposes."""
import json, shutil
from concurrent.futures import ThreadPoolExecutor
import pytest
from governed_workspace import at, make_workspace
from marketing_mlops.governance.decided_experiments import DECIDED, ReadoutEvidence, decided_experiments, record_decision, standing_decision
from marketing_mlops.governance.experiment_entries import AMENDED, REGISTERED, kept_promises, register_experiment, registered_experiments
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.workspace.errors import ParameterError

MARKETING = "marketing@example.com"
FOUND = ReadoutEvidence("shipping_2026", "hold", "5d01"*16, {"sample ratio": "pass"}, {"shipping": "hold"}, MARKETING, "data/report/shipping/campaign_readout.html")
PROMISE = dict(name="shipping_2026", hypothesis="Free shipping raises revenue", objective="Spring", owner=MARKETING, control="none", arms=dict(none=.5, shipping=.5),
               goal="spend_per_customer", worthwhile_effect=.4, currency="EUR", outcome_window_days=14, stopping_rule="none_known")

def promise(shop, **changes):
    (shop.root/"promise.yaml").write_text(json.dumps(PROMISE | changes))
    return str(shop.root/"promise.yaml")

@pytest.mark.parametrize("proposes", ["ship", "hold", "stop"])
@pytest.mark.parametrize("decision", ["ship", "hold", "stop"])
def test_a_reason_is_needed_exactly_where_the_decision_is_another(shop, proposes, decision):
    found = ReadoutEvidence("shipping_2026", proposes, "5d01"*16)
    if proposes == decision: assert not record_decision(shop, found, decision, MARKETING).differs
    else:
        with pytest.raises(ParameterError, match="nobody says why"): record_decision(shop, found, decision, MARKETING, reason=" \n")
        assert not Ledger(shop).entries()
        assert record_decision(shop, found, decision, MARKETING, reason="Sold out").differs

@pytest.mark.parametrize("digest", ["", "5d01", "g"*64, "5D01"*16])
def test_nothing_is_decided_on_results_without_a_digest(shop, digest):
    with pytest.raises(ParameterError, match="no readout that a decision could rest on"): record_decision(shop, ReadoutEvidence("shipping_2026", "hold", digest), "hold", MARKETING)
    assert not Ledger(shop).entries()

def test_no_address_of_a_customer_stands_in_the_log(shop):
    record_decision(shop, FOUND, "stop", MARKETING, reason="anna.meier@shop-mail.de wrote twice, 0171 2345678")
    assert "anna" not in (log := shop.path("data", "ledger", "laptop.jsonl").read_text()) and "2345678" not in log

def test_a_colleague_who_pulls_the_log_reads_the_same_decision(shop, tmp_path):
    record_decision(shop, FOUND, "ship", MARKETING, reason="Stock", clock=at("06-02"))
    there = make_workspace(tmp_path/"clone", writer="office")
    shutil.copytree(shop.root/"data"/"ledger", there.root/"data"/"ledger")
    assert decided_experiments(there) == decided_experiments(shop) and Ledger(there).verify().passed
    record_decision(there, FOUND, "hold", MARKETING, clock=at("06-03"))
    shutil.copytree(there.root/"data"/"ledger", shop.root/"data"/"ledger", dirs_exist_ok=True)
    assert (standing_decision(shop, "shipping_2026").decision, len(Ledger(shop).entries(DECIDED))) == ("hold", 2)

def test_the_same_decision_at_once_is_one_entry(shop):
    with ThreadPoolExecutor(4) as pool: list(pool.map(lambda _: record_decision(shop, FOUND, "hold", MARKETING), range(8)))
    assert len(Ledger(shop).entries(DECIDED)) == 1

def test_an_amendment_of_an_older_ledger_is_read_as_one(shop):
    first = register_experiment(shop, promise(shop), MARKETING, clock=at("03-01"))
    Ledger(shop, at("04-01")).append(REGISTERED, "shipping_2026", MARKETING, first.payload | dict(worthwhile_effect=.2))      # as it was written before
    register_experiment(shop, promise(shop, worthwhile_effect=.1), MARKETING, clock=at("05-01"))
    known = registered_experiments(shop)["shipping_2026"]
    assert [f"{day:%m-%d}" for day in known.amended_at] == ["04-01", "05-01"] and known.promise["worthwhile_effect"] == .1
    assert [each.facts["worthwhile_effect"] for each in kept_promises(shop, "shipping_2026")] == [.4, .2, .1]
    assert [(entry.kind, entry.payload["changes"]) for entry in Ledger(shop).entries(AMENDED)] == [(AMENDED, ["worthwhile effect 0.20 → 0.10"])]
