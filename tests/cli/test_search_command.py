"""`mmops search`: one line for each candidate, two lines where it cannot be, and params.yaml as it was."""
import numpy as np
import pandas as pd
import pytest
from marketing_mlops.cli.commands import main
from marketing_mlops.features.training_files import write_training_set
from marketing_mlops.features.training_sets import TrainingSet
from marketing_mlops.training.search_trials import search_alone
from marketing_mlops.workspace.params import read_params, read_yaml
from marketing_mlops.workspace.places import find_workspace, write_text

PARAMS = """sources: {shop: {kind: file}}
models:
  churn: {owner: model-owner@example.com, purpose: Win back, audience: Customers, source: shop, task: propensity, primary_metric: auc,
          features: [recency_days, orders_90d], algorithm: {name: hist_gradient_boosting, max_iter: 10, min_samples_leaf: 2}}
  bare: {owner: model-owner@example.com, purpose: Read out, audience: Customers, source: shop, task: propensity}
"""
SMALL = ["search", "churn", "--trials", "1", "--algorithms", "logistic_regression", "--untracked"]

@pytest.fixture
def shop(tmp_path, monkeypatch):
    "A workspace whose features stage has run: whoever has not bought for long leaves."
    write_text(tmp_path/"settings.ini", "[DEFAULT]\ndefault_models = churn\n")
    write_text(tmp_path/"params.yaml", PARAMS)
    monkeypatch.chdir(tmp_path)
    rng, months = np.random.default_rng(3), pd.date_range("2026-01-01", periods=4, freq="MS", tz="UTC")
    rows = pd.DataFrame([dict(customer_id=f"c{i:03d}", cutoff=at, matured_at=at + pd.Timedelta(days=28), is_holdout=False) for at in months for i in range(120)])
    rows["recency_days"], rows["orders_90d"] = rng.integers(0, 180, len(rows)).astype(float), rng.poisson(2, len(rows)).astype(float)
    rows["label"] = (rng.random(len(rows)) < .1 + .6*(rows.recency_days > 90)).astype(int)
    rows["split"] = np.where(rows.cutoff < months[-1], "train", "held_out")
    found = find_workspace(tmp_path)
    found.output("features", "churn").mkdir(parents=True)
    write_training_set(TrainingSet("churn", rows, ["recency_days", "orders_90d"], "label", None), found.output("features", "churn"))
    return found

def test_a_search_prints_a_line_for_each_candidate_and_lines_that_params_yaml_takes(shop, capsys, tmp_path):
    before = shop.path("params.yaml").read_bytes()
    assert main(SMALL) == 0
    said = capsys.readouterr().out
    assert shop.path("params.yaml").read_bytes() == before
    for kind in ("in use", "as it comes", "one feature", "drawn"): assert sum(line.startswith(kind) for line in said.splitlines()) >= 1
    assert "on held-out rows that nothing was chosen by" in said and "s of computing" in said
    copied = [line.strip() for line in said.splitlines() if line.startswith("    ")]
    assert copied and copied[-1].startswith("algorithm: {name: logistic_regression")
    write_text(tmp_path/"copied.yaml", "\n".join(copied) + "\n")
    spec = read_params(shop).model("churn") | read_yaml(tmp_path/"copied.yaml")
    from marketing_mlops.models.learners import classifier_for
    assert classifier_for(spec["algorithm"]) and set(spec["features"]) <= {"recency_days", "orders_90d"}

@pytest.mark.parametrize("words, says", [
    (["search", "chrn"], "Did you mean 'churn'?"), (["search", "bare"], "names no features"), (["search", "churn", "--minutes", "0"], "--minutes is 0"),
    (["search", "churn", "--trials", "-1"], "trials is -1"), (["search", "churn", "--trials", "many"], "invalid int value"), (["search", "churn", "--algorithms", "forest"], "'forest' is not known"),
    (["search", "churn", "--seed", "-3"], "seed is -3"), (["search"], "model"), (["search", "churn", "--minute", "3"], "unrecognized")], ids=lambda each: " ".join(each) if isinstance(each, list) else "")
def test_what_cannot_be_searched_for_is_two_lines(shop, capsys, words, says):
    assert main(words) == 1
    err = capsys.readouterr().err.splitlines()
    assert len(err) == 2 and says in " ".join(err), err

def test_a_model_that_was_never_run_says_how_to_run_it(shop, capsys):
    shop.output("features", "churn").joinpath("training_set.parquet").unlink()
    assert main(SMALL) == 1
    assert capsys.readouterr().err.splitlines()[1] == "Run `mmops run churn` first."

def test_a_second_search_of_the_same_model_is_refused_in_two_lines(shop, capsys):
    with search_alone(shop.state/"searches"/"churn"): assert main(SMALL) == 1
    assert "Another search of churn is running" in capsys.readouterr().err

def test_ctrl_c_says_that_trials_are_kept_and_the_next_search_goes_on(shop, capsys, monkeypatch):
    from marketing_mlops.training import search_rungs
    learn, calls = search_rungs.run_trial, []
    def stopped(*given, **options):
        calls.append(1)
        if len(calls) == 3: raise KeyboardInterrupt
        return learn(*given, **options)
    monkeypatch.setattr(search_rungs, "run_trial", stopped)
    assert main(SMALL) == 130
    assert "Finished trials are kept" in capsys.readouterr().err
    monkeypatch.setattr(search_rungs, "run_trial", learn)
    assert main(SMALL) == 0
    whole = capsys.readouterr().out
    assert main([*SMALL, "--again"]) == 0
    def without_seconds(text): return [line for line in text.splitlines() if "s of computing" not in line and " ± " not in line]
    assert without_seconds(capsys.readouterr().out) == without_seconds(whole)
