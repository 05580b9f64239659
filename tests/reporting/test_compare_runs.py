"""The comparison of two runs, made as `mmops report` makes it, on a shop whose truth is known."""
import json, shutil
from dataclasses import replace
import numpy as np
import pandas as pd
import pytest
from marketing_mlops.contracts.verdict import Reason, Verdict, judged
from marketing_mlops.features.training_files import write_training_set
from marketing_mlops.features.training_sets import TrainingSet
from marketing_mlops.registry.candidate_files import write_candidate
from marketing_mlops.reporting.compared_runs import check_not_learned, compared_pair
from marketing_mlops.reporting.reports import run_report
from marketing_mlops.reporting.treatment_blocks import attributes_spared, page_verdict, review_run, treated_line
from marketing_mlops.training.candidates import fit_candidate
from marketing_mlops.training.run_comparisons import compare_runs
from marketing_mlops.workspace.errors import DataError, StageError
from marketing_mlops.workspace.params import read_params
from marketing_mlops.workspace.places import find_workspace, write_text

PARAMS = """sources: {shop: {kind: file}}
models:
  churn: {owner: model-owner@example.com, purpose: Win back, audience: Customers, source: shop, task: propensity, features: [recency_days, trait.band],
          algorithm: {name: hist_gradient_boosting, max_iter: 15}, primary_metric: auc, split: {held_out: last_cutoff}}
"""

def rows_of():
    rng, months = np.random.default_rng(5), pd.date_range("2026-01-01", periods=4, freq="MS", tz="UTC")
    rows = pd.DataFrame([dict(customer_id=f"c{i:03d}", cutoff=at, is_holdout=i % 20 == 0, matured_at=at + pd.Timedelta(days=28)) for at in months for i in range(400)])
    rows["recency_days"] = rng.integers(0, 180, len(rows)).astype(float)
    rows["label"] = (rng.random(len(rows)) < .1 + .5*rows.recency_days.between(40, 110)).astype(int)
    rows["trait.band"] = pd.Series(rng.choice(["18-29", "<b>30+</b>"], len(rows)), dtype="str")
    rows["split"] = np.where(rows.cutoff < months[3], "train", "held_out")
    return TrainingSet("churn", rows, ["recency_days", "trait.band"], "label", None)

@pytest.fixture(scope="module")
def shop(tmp_path_factory, repository):
    folder, rows = tmp_path_factory.mktemp("shop"), rows_of()
    write_text(folder/"settings.ini", "[DEFAULT]\nreporting_currency = EUR\n")
    write_text(folder/"params.yaml", PARAMS)
    (folder/"nbs"/"reports").mkdir(parents=True)
    shutil.copy2(repository/"nbs"/"reports"/"compare_runs.ipynb", folder/"nbs"/"reports")
    place = find_workspace(folder)
    for name in ("features", "train"): place.output(name, "churn").mkdir(parents=True)
    write_training_set(rows, place.output("features", "churn"))
    write_candidate(fit_candidate(rows, read_params(place).model("churn")), rows, "no_order", place.output("train", "churn"))
    return place

def test_the_page_says_which_run_is_better_and_whose_treatment_would_change(shop):
    page = run_report("compare_runs", dict(model="churn"), shop)
    results = json.loads(page.with_suffix(".json").read_text())["results"]
    assert results["verdict"] == "unknown" and results["sentence"].startswith("Candidate is better than logistic regression: AUC")     # nobody knows who is treated
    assert "would be treated otherwise (" in (text := page.read_text())
    assert results["treated"]["word"] == "unknown" and "not recorded for these customers" in text          # the shop records no trait.age_band
    assert "<b>30+</b>" not in text and "c001" not in text

def test_the_same_model_trained_again_is_called_the_same_model_again(shop):
    for wish in ("retrained", "seed=7"):                           # no seed plays a part in these trees
        comparison = compare_runs(compared_pair("churn", wish, "candidate", shop))
        assert comparison.is_same_model and "is the same model again" in comparison.sentence and all(each.better == "same" for each in comparison.figures)

def test_the_first_screen_of_the_same_model_holds_no_word_about_what_cannot_be_measured(shop):
    results = json.loads(run_report("compare_runs", dict(model="churn", run="retrained", against="candidate", value=20., contact_cost=4., seeds=2), shop).with_suffix(".json").read_text())["results"]
    assert results["found_again"] == ["There is no gain to find again: both are fitted from the same entry of params.yaml."]
    assert results["pays"] == ["Retrained claims the same chances, so it earns the same."]
    assert {each["better"] for each in results["comparison"]["figures"]} == {"same"}

def test_who_is_treated_is_asked_of_what_the_run_reads_and_not_of_params(shop):
    words = {wish: review_run(compared_pair("churn", wish, "simple", shop).first, "trait.band", .02).word for wish in ("retrained", "without=trait.band")}
    assert words == {"retrained": "review", "without=trait.band": "unknown"}        # eight contacts tell nothing of either band

def test_a_bundle_that_may_have_seen_the_rows_is_refused(shop):
    spec, held_out = read_params(shop).model("churn"), rows_of().held_out
    check_not_learned(dict(spec) | dict(facts=dict(answers_until="2026-03-29")), dict(spec) | dict(split=dict(held_out=.5)), held_out)
    with pytest.raises(DataError) as refused: check_not_learned(dict(spec) | dict(facts={}), dict(spec) | dict(split=dict(held_out=.5)), held_out)
    assert "a day nobody noted" in str(refused.value)

def test_a_word_that_is_no_run_ends_in_two_lines(shop):
    with pytest.raises(StageError) as ended: run_report("compare_runs", dict(model="churn", against="champoin"), shop)
    assert "Did you mean 'champion'" in str(ended.value) and str(ended.value).count("\n") == 1

def test_a_better_model_that_leaves_a_group_alone_is_for_review(shop):
    pair = compared_pair("churn", "retrained", "simple", shop)
    young = (pair.rows["trait.band"] == "18-29").to_numpy()
    unequal = replace(pair.first, held_out=pair.rows.assign(score=np.where(young, pair.rows.score + 1, pair.rows.score)))
    review, comparison = review_run(unequal, "trait.band"), compare_runs(pair)
    asked = page_verdict(comparison, review)
    assert (comparison.verdict.status, review.word, asked.status) == ("pass", "review", "review")
    assert any("Ask data-protection@example.com" in each.next_step for each in asked.reasons) and "are contacted" in treated_line(review)[0]

def test_a_page_on_which_nobody_looked_at_who_is_treated_never_passes(shop):
    pair = compared_pair("churn", "retrained", "simple", shop)
    asked = page_verdict(compare_runs(pair), review_run(pair.first, ""))
    assert asked.status == "unknown" and "nobody knows whether all groups of customers are treated alike" in asked.reasons[0].message

def test_a_gain_that_goes_away_when_both_are_trained_again_is_for_review(shop):
    pair = compared_pair("churn", "retrained", "simple", shop)
    settled = replace(review_run(pair.first, "trait.band"), verdict=judged("treatment", [Reason("treated_share", "Alike.", severity="pass")]))
    words = {is_luck: page_verdict(compare_runs(pair), settled, is_luck) for is_luck in (False, True)}
    assert (words[False].status, words[True].status) == ("pass", "review") and "the gain may be gone" in words[True].reasons[0].message

def test_a_depth_that_is_no_share_ends_in_two_lines(shop):
    with pytest.raises(StageError) as ended: run_report("compare_runs", dict(model="churn", depth=10), shop)
    assert str(ended.value).splitlines() == ["depth is 10; it is a share of the customers, between 0 and 1.", "Ten per cent is 0.1."]

def test_a_model_that_reads_a_protected_attribute_for_nothing_is_told_so(shop):
    pair = compared_pair("churn", "retrained", "without=trait.band", shop)
    review = review_run(pair.first, "trait.band", .02)
    assert attributes_spared(pair, review) == ["trait.band"] and "reads trait.band itself" in " ".join(treated_line(review))
    worse = replace(compare_runs(pair), verdict=Verdict("retrained", "review", [Reason("better_run", "Not shown.", next_step="Keep the simpler.", severity="review")]))
    said = page_verdict(worse, review, spared=["trait.band"])
    steps = " ".join(each.next_step for each in said.reasons)
    assert said.status == "review" and "leaving it out costs nothing" in said.reasons[0].message and "data-protection@example.com" in steps and "Keep the simpler" not in steps
