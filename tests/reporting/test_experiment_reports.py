"""The readout of any experiment and the catalogue of all: from a table of somebody's own, escaped, alike when made twice, and fitting their screen."""
import json, re, shutil
import numpy as np
import pandas as pd
import pytest
from marketing_mlops.contracts.schemas import frame_of_rows
from marketing_mlops.governance.decided_experiments import record_decision
from marketing_mlops.governance.experiment_entries import record_lesson, register_experiment
from marketing_mlops.reporting.past_experiments import evidence_of
from marketing_mlops.reporting.reports import run_report
from marketing_mlops.workspace.clock import ReplayClock, instant_of
from marketing_mlops.sources.ingestion import write_table
from marketing_mlops.workspace.errors import StageError
from marketing_mlops.workspace.params import read_params
from marketing_mlops.workspace.places import find_workspace, write_text

ARM = 'Card <script>document.title="pwned"</script>'
PROMISE = dict(name="postcards_2026", hypothesis="A postcard <b>raises</b> spend per customer", objective="Autumn", owner="head-of-print@shop-mail.de", control="no_card", arms={"no_card": .5, ARM: .5},
               goal="spend_per_customer", worthwhile_effect=.5, currency="EUR", outcome_window_days=28, stopping_rule="none_known")
READOUT, CATALOGUE = "experiment_readout", "experiment_catalogue"

@pytest.fixture(scope="module")
def place(tmp_path_factory, repository):
    "A workspace without any model, the promise of a postcard test, and the table an agency sent."
    root = tmp_path_factory.mktemp("postcards")
    write_text(root/"settings.ini", "[DEFAULT]\nreporting_currency = EUR\n")
    planned = dict(owner="model-owner@example.com", purpose="p", audience="Lapsed customers", source="shop", task="uplift", experiment=PROMISE | dict(name="coupon_2026", hypothesis="A coupon brings lapsed customers back", owner="marketing@example.com"))
    write_text(root/"params.yaml", json.dumps(dict(sources=dict(shop=dict(kind="simulated")), models=dict(coupon=planned))))
    (root/"nbs"/"reports").mkdir(parents=True)
    for name in (READOUT, CATALOGUE): shutil.copy2(repository/"nbs"/"reports"/f"{name}.ipynb", root/"nbs"/"reports")
    rng, n = np.random.default_rng(2), 4000
    units = pd.DataFrame(dict(unit_id=[f"k-{i:05d}" for i in range(n)], arm=["no_card", ARM]*(n//2), assigned_at="2026-06-01T08:00:00+02:00"))
    units["spend_per_customer"] = (rng.random(n) < .2)*rng.gamma(2, 12, n) + (units.arm == ARM)*(rng.random(n) < .2)*10.
    units.to_csv(root/"cards.csv", index=False)
    write_text(root/"cards.yaml", json.dumps(PROMISE))
    write_text(root/"data"/"state"/"ledger_writer", "laptop\n")
    return find_workspace(root)

@pytest.fixture(scope="module")
def given(place): return dict(experiment="postcards_2026", units=str(place.root/"cards.csv"), promise=str(place.root/"cards.yaml"))

@pytest.fixture(scope="module")
def pages(place, given):
    "Both pages; the catalogue is made after the readout and a lesson."
    readout = run_report(READOUT, given, place)
    record_lesson(place, "coupon_2026", "Nothing yet: the printer was late. Ask anna@example.com", "marketing@example.com")
    return {READOUT: readout, CATALOGUE: run_report(CATALOGUE, dict(planned="Postcards for lapsed customers"), place)}

def results(page): return json.loads(page.with_suffix(".json").read_text())["results"]

def test_the_first_screen_answers_the_three_questions(pages):
    text, found = pages[READOUT].read_text(), results(pages[READOUT])
    top = text[:text.index("<h2")]
    assert all(question in top for question in ("Did it work?", "How sure?", "What now?"))
    assert found["decision"] == "ship" and "Yes. Card" in top and "With 95 % confidence" in top
    assert "Nobody has checked this table" in top and "set afterwards" in top

def test_a_date_typed_into_the_promise_is_only_what_it_says_of_itself(place, given, tmp_path):
    write_text(tmp_path/"dated.yaml", json.dumps(PROMISE | dict(registered_at="2026-05-01T00:00:00Z")))
    page = run_report(READOUT, given | dict(promise=str(tmp_path/"dated.yaml")), place, tmp_path)
    text, found = page.read_text(), results(page)
    assert "not in the ledger" in found["labels"] and "only the promise itself says that it was set before the test" in text[:text.index("<h2")] and "registered before" not in text
    assert [c["reasons"][0]["code"] for c in found["readout"]["conditions"] if c["subject"] == "registration"] == ["not_in_ledger"]

def test_a_threshold_lowered_after_the_test_is_said_on_the_page_in_the_results_and_in_the_catalogue(place, given, tmp_path):
    own = find_workspace(shutil.copytree(place.root, tmp_path/"own", ignore=shutil.ignore_patterns("runs")))
    register_experiment(own, str(own.root/"cards.yaml"), "marketing@example.com", clock=ReplayClock(instant_of("2026-05-02")))
    kept = run_report(READOUT, given, own)
    assert "registered before the first assignment" in results(kept)["labels"]
    write_text(own.root/"cards.yaml", json.dumps(PROMISE | dict(worthwhile_effect=.05)))
    moved = run_report(READOUT, given | dict(promise=str(own.root/"cards.yaml")), own)
    text = moved.read_text()
    said = "differs from the ledger: worthwhile effect 0.50 → 0.05, changed without an entry"
    assert said in text[:text.index("<h2")] and said in results(moved)["readout"]["sentences"]["decision"] and "registered before" not in text
    assert "gives ship, the changed one (worthwhile from 0.05 EUR per customer on) would give ship" in text[:text.index("<h2")] and results(moved)["judged_by"]["worthwhile_effect"] == .5
    catalogue = run_report(CATALOGUE, {}, own)
    assert results(catalogue)["tests"][1]["promise"] == "differs from the ledger" and "worthwhile effect 0.50 → 0.05" in catalogue.read_text()

def prose_of(page): return re.sub(r'<span class="said".*?</span>|</?dfn[^>]*>', "", page.read_text())   # without the definitions of words

def test_a_decision_is_shown_where_the_test_is_read_and_bound_to_what_it_says(place, given, pages, tmp_path):
    own = find_workspace(shutil.copytree(place.root, tmp_path/"own", ignore=shutil.ignore_patterns("runs")))
    page = run_report(READOUT, given, own)
    found = evidence_of(own, "postcards_2026")
    assert found.results_hash == json.loads(page.with_suffix(".json").read_text())["semantic_hash"] and found.verdicts["sample ratio"] == "pass" and found.arms == {ARM: "ship"}
    record_decision(own, found, "hold", "marketing@example.com", reason="The <script>printer</script> is late")
    again, catalogue = run_report(READOUT, given, own), run_report(CATALOGUE, {}, own)
    for each in (again, catalogue): assert "Hold, decided on" in prose_of(each) and "where the readout proposed to ship" in prose_of(each) and "<script>printer" not in each.read_text()
    assert evidence_of(own, "postcards_2026").results_hash == found.results_hash and "decide again" not in catalogue.read_text()
    units = pd.read_csv(given["units"])
    units.assign(spend_per_customer=units.spend_per_customer + 1.).to_csv(tmp_path/"more.csv", index=False)
    run_report(READOUT, given | dict(units=str(tmp_path/"more.csv")), own)
    assert "The results are others by now: decide again." in run_report(CATALOGUE, {}, own).read_text()

def test_whoever_decides_is_named_also_for_a_promise_in_a_file(pages):
    for page in pages.values(): assert "head-of-print@shop-mail.de" in page.read_text() and "[e-mail]" not in page.read_text().partition("Nothing yet")[0]
    assert results(pages[READOUT])["owner"] == "head-of-print@shop-mail.de"

def test_a_table_without_days_of_assignment_is_unknown_and_decides_nothing(place, given, tmp_path):
    pd.read_csv(given["units"]).drop(columns="assigned_at").to_csv(tmp_path/"undated.csv", index=False)
    page = run_report(READOUT, given | dict(units=str(tmp_path/"undated.csv")), place, tmp_path)
    assert results(page)["decision"] == "hold" and "The column assigned_at is missing" in page.read_text()

def test_the_answers_follow_the_figures(place, given, tmp_path):
    units = pd.read_csv(given["units"])
    units["spend_per_customer"] = np.where(units.arm == ARM, 3., 4.) + np.arange(len(units))%7
    units.to_csv(tmp_path/"worse.csv", index=False)
    page = run_report(READOUT, given | dict(units=str(tmp_path/"worse.csv")), place, tmp_path)
    assert results(page)["decision"] == "stop" and "Do not roll out Card" in page.read_text() and "No. Card" in page.read_text()

def test_no_customer_of_the_table_is_on_a_page_or_in_the_evidence(place, pages):
    written = "".join(f.read_text() for f in place.path("data").rglob("*.*") if f.suffix in (".ipynb", ".json", ".html"))
    assert not re.search(r"k-\d{5}", written)

def test_the_catalogue_knows_what_was_read_planned_and_learnt(pages):
    text, found = pages[CATALOGUE].read_text(), results(pages[CATALOGUE])
    assert [(row["experiment"], row["proposal"]) for row in found["tests"]] == [("coupon_2026", "not read out"), ("postcards_2026", "ship")]
    assert found["tests"][1]["times_low"] > 1 and "the printer was late" in text and "anna@" not in text
    assert "These come nearest" in text

def test_a_proposal_is_not_called_a_decision_while_nobody_has_decided(pages):
    text, found = prose_of(pages[CATALOGUE]), results(pages[CATALOGUE])
    assert "Readout proposes" in text and {row["decided"] for row in found["tests"]} == {"nobody has"} and "The ledger holds a decision on none of them." in found["sentence"]

def test_a_test_that_stands_in_the_data_alone_is_in_the_catalogue(place, tmp_path):
    own = find_workspace(shutil.copytree(place.root, tmp_path/"own"))
    source = next(iter(read_params(own).sources))
    own.accepted(source).mkdir(parents=True, exist_ok=True)
    def got(who, arm): return dict(experiment_id="subject_line_2026", customer_id=who, arm=arm, occurred_at="2026-05-19T06:00Z", known_at="2026-05-19T06:00Z")
    write_table(frame_of_rows("assignments", [got("ada", "plain"), got("ben", "question"), got("cem", "plain")]), "assignments", own.accepted(source))
    page = run_report(CATALOGUE, {}, own)
    assert "subject_line_2026" in [row["experiment"] for row in results(page)["tests"]] and "(of which 1 in the data alone)" in results(page)["sentence"]
    assert f"plain 2, question 1 assigned on 2026-05-19, in the tables of {source}." in prose_of(page) and "it stands in the data alone" in prose_of(page)
    assert "no readout of its own" in prose_of(page)
    (own.accepted(source)/"assignments.parquet").unlink()
    assert "subject_line_2026" not in [row["experiment"] for row in results(run_report(CATALOGUE, {}, own))["tests"]]

def test_a_search_keeps_the_tests_that_speak_of_every_word(place, pages, tmp_path):
    def names(search): return [row["experiment"] for row in results(run_report(CATALOGUE, dict(search=search), place, tmp_path))["tests"]]
    assert names("LAPSED printer") == ["coupon_2026"] and names("television") == []

def test_names_with_markup_stay_text(pages):
    for page in pages.values(): assert "<script>document" not in page.read_text() and "<b>raises" not in page.read_text()

def test_the_pages_can_be_made_twice_alike(place, pages, given, tmp_path):
    assert run_report(READOUT, given, place, tmp_path).read_bytes() == pages[READOUT].read_bytes()
    assert run_report(CATALOGUE, dict(planned="Postcards for lapsed customers"), place, tmp_path).read_bytes() == pages[CATALOGUE].read_bytes()

@pytest.mark.parametrize("change, says", [(dict(experiment="postcard_2026"), "Did you mean 'postcards_2026'"), (dict(units="gone.csv"), "There is no file gone.csv"), (dict(units=None), "no table was named")])
def test_what_cannot_be_read_out_is_said_in_two_lines(place, given, change, says):
    with pytest.raises(StageError, match=says): run_report(READOUT, given | change, place)

@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("report", [READOUT, CATALOGUE])
def test_the_pages_fit_their_screen_and_ask_for_nothing(chromium, pages, report, width, scheme):
    watched = chromium(pages[report], width, scheme)
    assert watched.page.evaluate("document.documentElement.scrollWidth") <= width
    assert (watched.said, watched.asked, watched.dialogs) == ([], [], [])
