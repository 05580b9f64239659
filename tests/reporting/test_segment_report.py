"""The report on segments: made from the demonstration, escaped, alike when made twice, and fitting its screen."""
import shutil
from dataclasses import replace
import pandas as pd
import pytest
from marketing_mlops.reporting.reports import run_report
from marketing_mlops.reporting.segment_blocks import changes_sentence, largest_move, meant_by, segments_answer, segments_heading, step_for_movers
from marketing_mlops.sources.simulator import simulate
from marketing_mlops.training.segment_reviews import review_segments
from marketing_mlops.workspace.errors import StageError
from marketing_mlops.workspace.params import read_yaml
from marketing_mlops.workspace.places import find_workspace, write_text

HOSTILE = "<script>alert(1)</script>"

@pytest.fixture(scope="module")
def place(tmp_path_factory, repository):
    "A workspace with 1,500 simulated customers and the shipped segments, one of them with a hostile sentence."
    root = tmp_path_factory.mktemp("segments")
    write_text(root/"settings.ini", "[DEFAULT]\nreporting_currency = EUR\n")
    shipped = (repository/"params.yaml").read_text()
    write_text(root/"params.yaml", "sources:\n  retailer: {kind: simulated}\nmodels: {}\n" + shipped[shipped.index("\nsegments:"):].replace("Bought last between 91", f"{HOSTILE} Bought last between 91"))
    (root/"nbs"/"reports").mkdir(parents=True)
    shutil.copy2(repository/"nbs"/"reports"/"segments.ipynb", root/"nbs"/"reports")
    found = find_workspace(root)
    simulate(1_500, 18, 7, into=found.accepted("retailer"), private=root/"private")
    return found

@pytest.fixture(scope="module")
def page(place, tmp_path_factory): return run_report("segments", {}, place, tmp_path_factory.mktemp("page"))

def test_the_page_says_whether_the_segments_may_be_used_and_holds_no_customer(place, page, tools):
    text, results = tools.as_it_reads(page.read_text()), read_yaml(page.with_suffix(".json"))["results"]
    assert results["verdict"] in text.lower() and results["sentence"] in text
    assert [each["segment"] for each in results["sizes"]] == ["prospect", "new", "active", "loyal", "slipping", "lost"]
    assert set(results["review"]["verdicts"]) >= {"exclusive", "exhaustive", "size", "drift", "protected", "proxies", "reachable"}
    import pandas as pd
    ids = pd.read_parquet(place.accepted("retailer")/"customers.parquet").customer_id
    executed = "".join(file.read_text() for file in place.path("data", "runs").rglob("*.*") if file.suffix in (".ipynb", ".json", ".html"))
    assert not [each for each in ids if each in text or each in executed]

def test_the_head_says_what_is_judged_and_the_first_screen_what_changed_how_sure_what_to_do_and_who(page, tools):
    text = tools.as_it_reads(page.read_text())
    top = text[:text.index("Who moves")]
    places = [top.index(part) for part in ("· definitions", "How the business does is not judged here" if "Pass<" in top else "segments of lifecycle", "What changed", "Among the same", "How sure", "What to do", "Who acts", "marketing@example.com.")]
    assert places == sorted(places) and "in 90 days, the largest movement" in top and "are to get, and keep a holdout of them" in top and "agreed to email" in top

@pytest.fixture(scope="module")
def review(place): return review_segments(place, "retailer", "lifecycle")

def test_what_changed_follows_the_counts_and_names_only_what_is_sure(review):
    evidence = review.evidence
    still = replace(review, evidence=replace(evidence, before=evidence.now))
    assert changes_sentence(still).endswith("no segment grew or shrank for certain.") and step_for_movers(still) == "" and meant_by(still) == []
    emptied = evidence.before.assign(**{name: name == "loyal" for name in evidence.names})   # everybody was loyal before
    said = changes_sentence(replace(review, evidence=replace(evidence, before=emptied)))
    assert "loyal shrank by" in said and " grew by " in said and "went from loyal to" in largest_move(replace(review, evidence=replace(evidence, before=emptied)))
    assert "100 %" not in largest_move(review) and " %) went from " in largest_move(review)

def test_the_page_names_the_last_day_that_counts(review):
    assert dict(segments_heading(review).facts)["As of"] == f"{review.cutoff - pd.Timedelta(days=1):%Y-%m-%d}"

def test_lost_is_told_apart_from_left_for_good_and_from_churn(review):
    said = str(segments_answer(review))
    assert "Nobody is predicted: who has left for good is told by the page on customer value" in said and "churn model" in said and all(line in said for line in meant_by(review))

def test_a_hostile_sentence_stays_text(page):
    assert HOSTILE not in page.read_text() and "&lt;script&gt;" in page.read_text()

def test_the_page_can_be_made_twice_alike(place, page, tmp_path):
    assert run_report("segments", {}, place, tmp_path).read_bytes() == page.read_bytes()

@pytest.mark.parametrize("given, says", [(dict(segments="lifecycl"), "Did you mean 'lifecycle'"), (dict(cutoff="2001-01-01"), "knows no customer before 2001-01-01"), (dict(source="retailr"), "There is no source 'retailr'"), (dict(customers=0), "0 customers are to be looked at")])
def test_what_cannot_be_looked_at_is_said_in_two_lines(place, given, says):
    with pytest.raises(StageError, match=says): run_report("segments", given, place)

@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_fits_its_screen_and_asks_for_nothing(chromium, page, width, scheme):
    watched = chromium(page, width, scheme)
    assert watched.page.evaluate("document.documentElement.scrollWidth") <= width
    assert (watched.said, watched.asked, watched.dialogs) == ([], [], [])
