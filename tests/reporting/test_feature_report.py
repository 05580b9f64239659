"""The report on features, run as `mmops report` runs it, on a shop whose truth is known."""
import json, shutil
from dataclasses import replace
import numpy as np
import pandas as pd
import pytest
from marketing_mlops.contracts.schemas import frame_of_rows
from marketing_mlops.features.training_files import write_training_set
from marketing_mlops.features.training_sets import TrainingSet
from marketing_mlops.reporting.feature_blocks import advice_table, features_answer, features_heading, features_sentence, features_word, leak_words, needed_words, review_days, review_model
from marketing_mlops.reporting.reports import run_report
from marketing_mlops.sources.ingestion import write_table
from marketing_mlops.workspace.errors import StageError
from marketing_mlops.workspace.places import find_workspace, write_text

PARAMS = """sources: {shop: {kind: file}}
models:
  churn: {owner: model-owner@example.com, purpose: Win back, audience: Customers, source: shop, task: propensity, features: [recency_days, contacts_90d, trait.note],
          algorithm: {name: logistic_regression}, primary_metric: auc, split: {held_out: last_cutoff}}
  letters: {owner: model-owner@example.com, purpose: Letters, audience: Customers, source: shop, task: propensity}
"""

def rows_of(leak):
    rng, months = np.random.default_rng(5), pd.date_range("2026-01-01", periods=3, freq="MS", tz="UTC")
    rows = pd.DataFrame([dict(customer_id=f"c{i:03d}", cutoff=at, is_holdout=False, matured_at=at + pd.Timedelta(days=28)) for at in months for i in range(200)])
    rows["recency_days"], rows["contacts_90d"] = rng.integers(0, 180, len(rows)).astype(float), rng.poisson(4, len(rows)).astype(float)
    rows["label"] = (rng.random(len(rows)) < .2 + .5*(rows.recency_days > 90)).astype(int)
    told = np.where(rows.label == 1, "<b>gone</b>", "here")
    rows["trait.note"] = pd.Series(told if leak else rng.permutation(told), dtype="str")
    rows["split"] = np.where(rows.cutoff < months[2], "train", "held_out")
    return TrainingSet("churn", rows, ["recency_days", "contacts_90d", "trait.note"], "label", None)

@pytest.fixture
def shop(tmp_path, repository):
    write_text(tmp_path/"settings.ini", "[DEFAULT]\nreporting_currency = EUR\n")
    write_text(tmp_path/"params.yaml", PARAMS)
    (tmp_path/"nbs"/"reports").mkdir(parents=True)
    shutil.copy2(repository/"nbs"/"reports"/"feature_review.ipynb", tmp_path/"nbs"/"reports")
    place = find_workspace(tmp_path)
    for folder in (place.accepted("shop"), place.output("features", "churn")): folder.mkdir(parents=True)
    at, days_late = "2025-12-01T10:00Z", "2025-12-04T10:00Z"
    tables = dict(orders=[dict(order_id="o1", customer_id="c001", occurred_at=at, known_at=at)], traits=[dict(customer_id="c001", trait="note", value="here", known_when="before_contact", is_time_derived=False, occurred_at=at, known_at=at)],
                  order_lines=[dict(order_line_id="l1", order_id="o1", kind="sale", quantity=1, unit_price=9, currency="EUR", occurred_at=at, known_at=at)],
                  contacts=[dict(contact_id="k1", kind="send", customer_id="c001", channel="email", occurred_at=at, known_at=days_late)])
    for name, rows in tables.items(): write_table(frame_of_rows(name, rows), name, place.accepted("shop"))
    return place

def test_the_page_names_what_carries_what_is_late_what_took_how_long_and_what_is_suspicious(shop):
    write_training_set(rows_of(leak=True), shop.output("features", "churn"))
    page = run_report("feature_review", dict(model="churn"), shop)
    results = json.loads(page.with_suffix(".json").read_text())["results"]
    assert results["verdict"] == "review" and "trait.note" in results["sentence"] and results["owner"] == "model-owner@example.com"
    assert "Find out when trait.note is written" in page.read_text() and "<b>gone</b>" not in page.read_text()
    costs = {row["feature"]: row for row in results["review"]["tables"]["costs"]}
    assert costs["contacts_90d"]["days_most"] == 3 and costs["contacts_90d"]["only_reader_of"] == "contacts"
    assert costs["recency_days"]["days_most"] is None and "not measured" in page.read_text()      # its orders have one time for both
    assert set(results["seconds"]) == set(costs) and all(each > 0 for each in results["seconds"].values())
    assert costs["recency_days"]["bytes"] == 8*results["review"]["n_rows"] and "seconds" not in json.dumps(results["review"])

def test_without_a_leak_the_first_sentence_says_so(shop):
    write_training_set(rows_of(leak=False), shop.output("features", "churn"))
    review = review_model("churn", shop)
    assert review.named("carries") == ["recency_days"] and "no leak was found, which is no proof" in features_sentence(review)
    assert features_word(review) in ("pass", "review")

def test_what_these_rows_leave_open_is_no_pass(shop):
    write_training_set(rows_of(leak=False), shop.output("features", "churn"))
    review = review_model("churn", shop)
    vague = replace(review, advice=[replace(each, word="open" if i else "carries") for i, each in enumerate(review.advice)])
    assert features_word(vague) == "unknown" and "2 cannot be judged on these rows" in features_sentence(vague)
    assert "Add customers or cutoffs" in str(features_answer(vague))

def test_a_model_without_features_ends_in_two_lines(shop):
    with pytest.raises(StageError) as ended: run_report("feature_review", dict(model="letters"), shop)
    assert "names no features" in str(ended.value) and str(ended.value).count("\n") == 1

def test_what_is_called_needed_stands_beside_its_figure_and_the_rows_have_days(shop):
    write_training_set(rows_of(leak=False), shop.output("features", "churn"))
    review, frame = review_model("churn", shop), rows_of(leak=False).train
    row = next(each for each in review.tables["lost"] if each["feature"] == "recency_days")
    said = needed_words(review)
    assert len(said) == 1 and f"Without recency_days {100*row['value']/review.gain.value:.1f} % of the gain" in said[0] and said[0] in str(features_answer(review))
    assert "needed" in str(advice_table(review)) and "carries" not in str(advice_table(review))
    assert review_days("churn", shop) == f"{frame.cutoff.min():%Y-%m-%d} to {frame.cutoff.max():%Y-%m-%d}" and review_days("churn", shop) in str(features_heading(review, "o@example.com", review_days("churn", shop)))

def test_how_often_a_leak_is_found_is_that_of_the_models_algorithm(shop):
    write_training_set(rows_of(leak=False), shop.output("features", "churn"))
    review = review_model("churn", shop)
    def measured(algorithm): write_text(shop.path("benchmarks", "results", "feature_leaks.json"), json.dumps(dict(kinds=[dict(kind="noisy", algorithm=algorithm, draws=200, suspected=126)])))
    measured(review.algorithm)
    assert "found 63 % of the noisy ones (200 sets of each)" in leak_words(review, shop) and leak_words(review, shop) in str(features_answer(review, leak_words(review, shop)))
    measured("another")
    assert leak_words(review, shop) == ""
