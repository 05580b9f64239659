"""The readout of any experiment and the catalogue of all: from a table of somebody's own, escaped, alike when made twice, and fitting their screen."""
import json, re, shutil
import numpy as np
import pandas as pd
import pytest
from marketing_mlops.governance.experiment_entries import record_lesson
from marketing_mlops.reporting.reports import run_report
from marketing_mlops.workspace.errors import StageError
from marketing_mlops.workspace.places import find_workspace, write_text

ARM = 'Card <script>document.title="pwned"</script>'
PROMISE = dict(name="postcards_2026", hypothesis="A postcard <b>raises</b> spend per customer", objective="Autumn", owner="marketing@example.com", control="no_card", arms={"no_card": .5, ARM: .5},
               goal="spend_per_customer", worthwhile_effect=.5, currency="EUR", outcome_window_days=28, stopping_rule="none_known")
READOUT, CATALOGUE = "experiment_readout", "experiment_catalogue"

@pytest.fixture(scope="module")
def place(tmp_path_factory, repository):
    "A workspace without any model, the promise of a postcard test, and the table an agency sent."
    root = tmp_path_factory.mktemp("postcards")
    write_text(root/"settings.ini", "[DEFAULT]\nreporting_currency = EUR\n")
    planned = dict(owner="model-owner@example.com", purpose="p", audience="Lapsed customers", source="shop", task="uplift", experiment=PROMISE | dict(name="coupon_2026", hypothesis="A coupon brings lapsed customers back"))
    write_text(root/"params.yaml", json.dumps(dict(sources=dict(shop=dict(kind="simulated")), models=dict(coupon=planned))))
    (root/"nbs"/"reports").mkdir(parents=True)
    for name in (READOUT, CATALOGUE): shutil.copy2(repository/"nbs"/"reports"/f"{name}.ipynb", root/"nbs"/"reports")
    rng, n = np.random.default_rng(2), 4000
    units = pd.DataFrame(dict(unit_id=[f"k-{i:05d}" for i in range(n)], arm=["no_card", ARM]*(n//2)))
    units["spend_per_customer"] = (rng.random(n) < .2)*rng.gamma(2, 12, n) + (units.arm == ARM)*(rng.random(n) < .2)*10.
    units.to_csv(root/"cards.csv", index=False)
    write_text(root/"cards.yaml", json.dumps(PROMISE))
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
    assert [(row["experiment"], row["decision"]) for row in found["tests"]] == [("coupon_2026", "not read out"), ("postcards_2026", "ship")]
    assert found["tests"][1]["times_low"] > 1 and "the printer was late" in text and "anna@" not in text
    assert "These come nearest" in text

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
