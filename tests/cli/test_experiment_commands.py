"""`mmops experiments`: found, registered and remembered by typed words."""
import json
import pytest
from marketing_mlops.cli.commands import main
from marketing_mlops.governance.experiment_entries import kept_promises, recorded_lessons, registered_experiments
from marketing_mlops.workspace.places import find_workspace, write_json, write_text

EXPERIMENT = dict(name="shipping_2026", hypothesis="Free shipping \x1b[2J raises revenue", objective="Spring", owner="marketing@example.com", control="none", arms=dict(none=.5, shipping=.5),
                  goal="spend_per_customer", worthwhile_effect=.4, currency="EUR", outcome_window_days=14, stopping_rule="none_known")
AS = ["--as", "marketing@example.com"]

@pytest.fixture
def shop(tmp_path, monkeypatch):
    spec = dict(owner="model-owner@example.com", purpose="p", audience="All", source="shop", task="uplift", experiment=EXPERIMENT)
    write_text(tmp_path/"settings.ini", "[DEFAULT]\nreporting_currency = EUR\n")
    write_text(tmp_path/"params.yaml", json.dumps(dict(sources=dict(shop=dict(kind="file")), models=dict(shipping=spec))))
    monkeypatch.chdir(tmp_path)
    return find_workspace(tmp_path)

def test_a_test_is_registered_read_about_and_remembered(shop, capsys):
    assert main(["experiments", "register", "shipping", *AS]) == 0
    assert main(["experiments", "learnt", "shipping_2026", "--text", "Small orders doubled", *AS]) == 0
    assert main(["experiments", "similar", "Shipping without costs"]) == 0 and main(["experiments", "list", "--search", "doubled"]) == 0
    said = capsys.readouterr().out
    assert "learnt: Small orders doubled" in said and "not read out" in said and "\x1b" not in said
    assert registered_experiments(shop)["shipping_2026"].promise["worthwhile_effect"] == .4
    assert [lesson.text for lesson in recorded_lessons(shop)["shipping_2026"]] == ["Small orders doubled"]

def test_a_test_is_decided_on_what_was_read(shop, capsys):
    assert main(["experiments", "decide", "shipping_2026", "--decision", "ship", *AS]) == 1 and "nobody has read out" in capsys.readouterr().err
    found = dict(decision="hold", readout=dict(experiment="shipping_2026", sentences={}))
    write_json(shop.report_folder("shipping")/"campaign_readout.json", dict(report="campaign_readout", subject="shipping", results=found))
    for words, says in ((["--decision", "ship"], "nobody says why"), (["--decision", "launch"], "it can be ship, hold, stop"), ([], "the decision is missing")):
        assert main(["experiments", "decide", "shipping_2026", *words, *AS]) == 1
        assert len(err := capsys.readouterr().err.splitlines()) == 2 and says in err[0]
    assert main(["experiments", "decide", "shipping_2026", "--decision", "ship", "--reason", "The \x1b[2Jstock", *AS]) == 0
    assert main(["experiments", "list"]) == 0 and main(["ledger"]) == 0
    said = capsys.readouterr().out
    assert "where the readout proposed to hold" in said and "experiment decided" in said and "because The" in said and "\x1b" not in said

def test_the_promise_of_a_test_that_somebody_else_runs_is_registered_from_its_file(shop, capsys):
    write_text(shop.root/"cards.yaml", json.dumps(EXPERIMENT | dict(name="cards_2026", owner="print@example.com")))
    assert main(["experiments", "register", "cards.yaml", *AS]) == 0 and main(["experiments", "register", "cards.yaml", *AS]) == 0
    kept, = kept_promises(shop, "cards_2026")
    assert (kept.facts["owner"], kept.facts["worthwhile_effect"]) == ("print@example.com", .4)
    assert capsys.readouterr().out.count("cards_2026 was registered in the ledger") == 2

@pytest.mark.parametrize("words,says", [(["experiments", "register", "shipping"], "experiments register"), (["experiments", "register", "gone.yaml", *AS], "There is no file gone.yaml"), (["experiments", "learnt", "shiping_2026", "--text", "x", *AS], "Did you mean"),
                                        (["experiments", "learnt", "shipping_2026", *AS], "lesson is missing"), (["experiments", "lst"], "no command")])
def test_what_cannot_be_done_is_two_lines(shop, capsys, words, says):
    assert main(words) == 1
    err = capsys.readouterr().err.splitlines()
    assert len(err) == 2 and says in err[0]
