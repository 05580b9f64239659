"""`mmops features`: retired by typed words, refused at the next run, and taken back."""
import pytest
from marketing_mlops.cli.commands import main
from marketing_mlops.jobs.targets import check_before_run
from marketing_mlops.workspace.errors import ParameterError
from marketing_mlops.workspace.places import find_workspace, write_text

PARAMS = """sources: {shop: {kind: file}}
models:
  churn: {owner: model-owner@example.com, purpose: Win back, audience: Customers, source: shop, task: propensity, outcome: {kind: no_order, horizon_days: 90},
          cutoffs: {last: "2026-01-01"}, split: {held_out: last_cutoff}, algorithm: {name: logistic_regression}, features: [recency_days, clicks_90d]}
"""
WHO_AND_WHY = ["--as", "marketing@example.com", "--reason", "The \x1b[2J tracker ends"]

@pytest.fixture
def shop(tmp_path, monkeypatch):
    write_text(tmp_path/"settings.ini", "[DEFAULT]\ndefault_models = churn\n")
    write_text(tmp_path/"params.yaml", PARAMS)
    monkeypatch.chdir(tmp_path)
    return find_workspace(tmp_path)

def test_a_retired_feature_stops_the_run_of_a_model_that_names_it_until_it_is_taken_back(shop, capsys):
    check_before_run(shop)
    assert main(["features", "retire", "clicks_90d", *WHO_AND_WHY]) == 0
    said = capsys.readouterr().out
    assert "The next run of churn is refused" in said and "\x1b" not in said
    with pytest.raises(ParameterError, match="clicks_90d was retired on") as refused: check_before_run(shop)
    assert str(refused.value).count("\n") == 1
    assert main(["run", "--no-open"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 2
    assert main(["features", "unretire", "clicks_90d", *WHO_AND_WHY]) == 0
    check_before_run(shop)

def test_the_list_shows_who_names_a_feature_and_since_when_it_is_retired(shop, capsys):
    main(["features", "retire", "clicks_90d", *WHO_AND_WHY]); capsys.readouterr()
    assert main(["features", "list", "--used"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "churn" in lines["clicks_90d"] and lines["clicks_90d"].rstrip()[-10:-6].isdigit() and not lines["recency_days"].rstrip()[-1].isdigit()

@pytest.mark.parametrize("words,says", [(["features", "retire", "clicks_90d", "--as", "marketing@example.com"], "reason is missing"), (["features", "retire", "clicks_90", *WHO_AND_WHY], "Did you mean"),
                                        (["features", "unretire", "clicks_90d", *WHO_AND_WHY], "is not retired"), (["features", "show", "click"], "There is no feature"), (["features", "lst"], "no command")])
def test_what_cannot_be_done_is_two_lines(shop, capsys, words, says):
    assert main(words) == 1
    err = capsys.readouterr().err.splitlines()
    assert len(err) == 2 and says in err[0]
