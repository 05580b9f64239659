"""Every word of a frozen explorer and of a report, in headless Chromium: can it be read, by day and by night, on a desk and on a telephone?"""
import pandas as pd
import pytest
from app_workspace import orders
from contrast_of_words import too_pale, words_on
from lab_session import browser, has_chromium
from marketing_mlops.contracts.verdict import Reason, Verdict
from marketing_mlops.explorers.table_explorer import TableExplorer
from marketing_mlops.explorers.uplift_explorer import UpliftExplorer
from marketing_mlops.reporting.blocks import decision_block, facts_block, page_heading, table_block, verdict_block
from marketing_mlops.reporting.pages import render_page
from uplift_campaign import GIVEN, PRICES, campaign

pytestmark = [pytest.mark.browser, pytest.mark.skipif(not has_chromium(), reason="Debian's chromium is not installed")]
LIGHTS = [(1280, False), (390, True)]

def report() -> str:
    "A page with every decision, every verdict, a table, facts, code, an error, labels."
    blocks = [page_heading("Spring", "What was tried", ["replay", "live", "registered"], owner="marketing@example.com"), *(decision_block(word, "Said in a sentence", {"Why": "Because"}) for word in ("ship", "hold", "stop")),
              *(verdict_block(Verdict("spring", word, [Reason("x", "What was found", next_step="What to do", severity=word)]), "Gate", ("more", "more.html")) for word in ("pass", "review", "fail", "unknown")),
              facts_block({"Customers": "1,200"}), table_block(pd.DataFrame({"arm": ["mail"], "n": [3]}), hints={"n": "customers"}, caption="Arms")]
    outputs = [dict(output_type="display_data", data=each._repr_mimebundle_()) for each in blocks]
    outputs += [dict(output_type="stream", name="stdout", text="printed"), dict(output_type="error", ename="ValueError", evalue="wrong", traceback=["wrong"])]
    return render_page(dict(cells=[dict(cell_type="markdown", source="# Spring\n\nWith [a link](https://example.com), `code`\n\n> and a quotation"), dict(cell_type="code", source="x = 1", outputs=outputs, metadata={})]), title="Spring")

@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    "A file for each kind of page, and what shows that it is drawn."
    folder = tmp_path_factory.mktemp("pages")
    (folder/"report.html").write_text(report(), encoding="utf-8")
    TableExplorer(orders(), name="orders of spring").write_page(folder/"table.html", ["occurred_at", "market", "channel", "basket"])
    UpliftExplorer(campaign(), PRICES, **GIVEN).write_page(folder/"uplift.html")
    return dict(report=(folder/"report.html", "h1", 25), table=(folder/"table.html", ".mmx-in[d]", 25), uplift=(folder/"uplift.html", ".mmu-mark circle", 40))

@pytest.mark.parametrize("width, dark", LIGHTS, ids=["desk-light", "phone-dark"])
@pytest.mark.parametrize("kind", ["report", "table", "uplift"])
def test_every_word_of_a_page_without_a_kernel_can_be_read(pages, kind, width, dark):
    file, drawn, least = pages[kind]
    with browser(file.as_uri(), width=width, dark=dark) as watched:
        watched.page.goto(file.as_uri())
        watched.page.wait_for_selector(drawn, state="attached")
        for row in watched.page.locator(".mmx-row").all()[:2]: row.click()
        for more in watched.page.locator("details").all(): more.evaluate("node => { node.open = true }")
        watched.page.wait_for_timeout(300)
        found = words_on(watched.page)
        assert len(found) >= least and too_pale(found) == []

def test_a_word_that_is_too_pale_is_found(tmp_path):
    "What the walk reads is what a reader sees: through opacity, on another ground, and large words by their own measure."
    said = [("#999999", "", "grey"), ("#1b2430", "opacity:.3", "faded"), ("#ffffff", "background:#eeeeee", "white"), ("#949494", "font-size:24px", "large"), ("#1b2430", "", "plain"), ("#999999", "visibility:hidden", "gone")]
    file = tmp_path/"pale.html"
    file.write_text("<!doctype html><body style='background:#ffffff'>" + "".join(f"<p class='{name}' style='color:{ink};{more}'>words</p>" for ink, more, name in said))
    with browser(file.as_uri()) as watched:
        watched.page.goto(file.as_uri())
        found = words_on(watched.page)
    assert {where for where, _, _ in too_pale(found)} == {"grey", "faded", "white"} and len(found) == 5
    assert round(next(each["ratio"] for each in found if each["where"] == "grey"), 2) == 2.85
