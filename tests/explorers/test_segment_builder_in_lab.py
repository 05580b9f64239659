"""The builder of segments in a real JupyterLab, driven by headless Chromium: bounds, lists, rules, saving, and what Python learns."""
import re
import pytest
from lab_session import browser, end_kernels, has_chromium, lab, narrow, open_notebook, run_until, write_notebook
from segment_people_example import HOSTILE, customers, people_of
from marketing_mlops.explorers.segment_builder import SegmentBuilder
from marketing_mlops.explorers.segment_sides import side_words
from marketing_mlops.explorers.segment_views import view_sentence
from marketing_mlops.features.segment_sets import read_segments
from marketing_mlops.workspace.places import find_workspace, write_text

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.skipif(not has_chromium(), reason="Debian's chromium is not installed")]

OPEN = """import sys; sys.path.insert(0, '.')
import pandas as pd
from segment_people_example import people_of
from marketing_mlops.explorers.segment_builder import SegmentBuilder
from marketing_mlops.workspace.places import find_workspace"""

@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    root = tmp_path_factory.mktemp("workspace")
    write_text(root/"settings.ini", "[DEFAULT]\nreporting_currency = EUR\n")
    write_text(root/"params.yaml", "sources: {}\nmodels: {}   # none yet\n")
    return find_workspace(root)

@pytest.fixture(scope="module")
def opened(tmp_path_factory, shop):
    customers().to_parquet(shop.root/"customers.parquet")
    example = __file__.replace("test_segment_builder_in_lab.py", "segment_people_example.py")
    write_text(shop.root/"segment_people_example.py", open(example, encoding="utf-8").read())
    write_notebook(shop.root/"segment.ipynb", OPEN, "builder = SegmentBuilder(people_of(pd.read_parquet('customers.parquet')), find_workspace('.'))\nbuilder", "builder.conditions, builder.name")
    with lab(shop.root, tmp_path_factory.mktemp("jupyter"), True) as server, browser(server.address, dark=True) as watched:
        open_notebook(server, watched.page, "segment.ipynb")
        run_until(watched.page, ".mms-sentence")
        yield watched

@pytest.fixture
def library(): return SegmentBuilder(people_of())

@pytest.fixture
def page(opened):
    opened.page.click(".mms-header .mmx-button")
    return shows(opened.page, "6,000 of 6,000")

def shows(page, words):
    page.wait_for_function("w => document.querySelector('.mms-sentence').textContent.includes(w) && !document.querySelector('.mms .mmx-waiting, .mms.mmx-waiting')", arg=words, timeout=120_000)
    return page

def typed(page, name): return page.locator(f".mms input[type=number][aria-label^='{name}']")
def bound(page, name): return page.locator(f".mms input[type=range][aria-label^='{name}']")
def agrees(page, library, conditions):
    sentence = library.select(conditions)
    shows(page, sentence)
    return page.inner_text(".mms-sentence") == sentence

def test_in_lab_a_moved_bound_says_what_the_library_says(page, library):
    slider = bound(page, "recency_days, at least")
    slider.focus()
    for _ in range(8): page.keyboard.press("ArrowRight")
    cut = library.counter.dimensions["recency_days"].cuts[7]
    assert agrees(page, library, [["recency_days", ">=", cut]])
    typed(page, "orders_365d, at least").fill("3")
    assert agrees(page, library, [["orders_365d", ">=", 3], ["recency_days", ">=", cut]])
    mail = library.view().uplift[0]
    words = page.inner_text("section[aria-label='What the campaign changed']")
    assert side_words(mail.inside, True) in words and side_words(mail.outside, True) in words
    for row in library.view().coverage.itertuples(): assert f"{100*row.share:.0f} % (" in page.inner_text("section[aria-label='Whom one may address']")

def test_in_lab_a_list_and_the_unknown_are_conditions(page, library):
    page.locator("section[aria-label='trait.channel'] .mmx-row", has_text="<b>fair</b>").click()
    page.locator("section[aria-label='trait.age_band'] .mmx-row", has_text="not known").click()
    assert agrees(page, library, [["trait.channel", "in", ["<b>fair</b> 🌷"]], ["trait.age_band", "is missing"]])
    page.locator("section[aria-label='recency_days'] input[type=checkbox]").check()
    assert agrees(page, library, [["trait.channel", "in", ["<b>fair</b> 🌷"]], ["trait.age_band", "is missing"], ["recency_days", "is missing"]])
    assert page.locator(".mms b:not(.mms-x), .mms img").count() == 0 and HOSTILE in page.inner_text(".mms-features")

def test_in_lab_keys_stay_in_the_widget(page):
    active = "[...document.querySelectorAll('.jp-Cell')].findIndex(c => c.classList.contains('jp-mod-active'))"
    bound(page, "orders_365d, below").focus()
    before = page.evaluate(active)
    for key in ("ArrowLeft", "ArrowUp", "ArrowDown", "a", "b"): page.keyboard.press(key)
    assert page.evaluate(active) == before and page.locator(".jp-Notebook .jp-CodeCell").count() == 3

def test_in_lab_two_hundred_moves_in_a_row_leave_the_last_one_shown(page, library):
    last = len(library.counter.dimensions["recency_days"].cuts)
    bound(page, "recency_days, below").evaluate("""async (node, last) => { for (let k = 0; k < 200; k++) { node.value = 1 + (7 * k) % last; node.dispatchEvent(new Event('input', {bubbles: true})); await new Promise(f => setTimeout(f, 8)) } }""", last)
    assert agrees(page, library, [["recency_days", "<", library.counter.dimensions["recency_days"].cuts[1 + (7*199) % last]]])

def test_in_lab_rules_are_judged_when_the_hand_rests(page, library):
    typed(page, "orders_365d, at least").fill("3")
    page.fill(".mms input[id$=-set]", "stage")
    page.wait_for_function("document.querySelector('section[aria-label=\"What the rules of the set say\"]').textContent.includes('✗ broken')", timeout=120_000)
    library.select([["orders_365d", ">=", 3]], name="new_segment", definition="x", set_name="stage")
    for verdict in library.checks().values():
        for reason in verdict.reasons: assert reason.message in page.inner_text("section[aria-label='What the rules of the set say']")
    page.fill(".mms input[id$=-set]", "found")

def test_in_lab_a_segment_is_saved_once_and_its_name_keeps_its_meaning(page, library, shop):
    typed(page, "orders_365d, at least").fill("3")
    assert page.locator(".mms-save").is_disabled()
    page.fill(".mms input[id$=-name]", "faded"); page.fill(".mms textarea", "Used to <b>order</b> often.")
    assert agrees(page, library, [["orders_365d", ">=", 3]])
    page.click(".mms-save")
    page.wait_for_function("document.querySelector('.mms-done').textContent.includes('is saved in params.yaml as version')", timeout=120_000)
    saved = read_segments(shop)["found"].segment("faded")
    library.select(name="faded", definition="Used to <b>order</b> often.")
    assert saved.version == library.segment().version and saved.version in page.inner_text(".mms p.mms-done")
    shows(page, "inside")
    page.wait_for_function("document.querySelector('section[aria-label=\"Where they are already\"]').textContent.includes('found.faded')", timeout=120_000)
    typed(page, "orders_365d, at least").fill("4")
    assert agrees(page, library, [["orders_365d", ">=", 4]])
    page.click(".mms-save")
    page.wait_for_selector(".mms-refused", timeout=120_000)
    assert f"faded means version {saved.version}" in page.inner_text(".mms p.mms-done") and read_segments(shop)["found"].segment("faded").version == saved.version
    page.click(f"button:has-text('Replace version {saved.version}')")
    page.wait_for_function("document.querySelector('.mms-done').textContent.includes('in place of')", timeout=120_000)
    assert read_segments(shop)["found"].segment("faded").version == library.segment().version

def test_in_lab_python_learns_the_draft_and_sets_it(page):
    typed(page, "orders_365d, at least").fill("5")
    shows(page, "inside"); page.wait_for_timeout(400)
    cell = page.locator(".jp-Notebook .jp-CodeCell").nth(2)
    cell.locator(".cm-content").click(); page.keyboard.press("Control+Enter")
    page.wait_for_function("[...document.querySelectorAll('.jp-OutputArea-output')].some(o => o.textContent.includes(\"operator='>=', value=5\"))", timeout=120_000)

def test_in_lab_everything_has_a_name_and_nothing_goes_out(page, opened):
    nameless = page.evaluate("""[...document.querySelectorAll('.mms input, .mms textarea, .mms select, .mms button, .mms pre')]
        .filter(n => !n.hidden && !(n.getAttribute('aria-label') || n.textContent.trim() || n.labels?.length)).length""")
    assert nameless == 0 and opened.outgoing == [] and opened.errors == []

def test_in_lab_a_telephone_shows_it_dark_and_without_sideways_scrolling(page):
    narrow(page)
    wide = page.evaluate("Math.max(...[...document.querySelectorAll('.mms *')].filter(n => !n.closest('pre') && !n.classList.contains('mmx-tip')).map(n => n.getBoundingClientRect().right)) - document.querySelector('.mms').getBoundingClientRect().right")
    assert wide <= 4
    colour = page.evaluate("getComputedStyle(document.querySelector('.mms-part')).backgroundColor")
    assert sum(map(int, re.findall(r"\d+", colour)[:3])) < 200

def test_in_lab_an_ended_kernel_is_named(opened):
    page = opened.page
    end_kernels(page)
    typed(page, "orders_365d, at least").fill("2")
    page.wait_for_selector(".mms .mmx-problem:not([hidden])", timeout=120_000)
    assert "run the cell again" in page.inner_text(".mms .mmx-problem")
