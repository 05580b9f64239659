"""The explorer of uplift in a real JupyterLab, driven by headless Chromium: keys, and what Python learns."""
import re
import pytest
from lab_session import browser, end_kernels, has_chromium, lab, narrow, open_notebook, run_until, write_notebook
from uplift_campaign import GIVEN, PRICES, campaign, settled, slider, typed
from marketing_mlops.explorers.uplift_explorer import UpliftExplorer
from marketing_mlops.measurement.policies import policy_sentence

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.skipif(not has_chromium(), reason="Debian's chromium is not installed")]

@pytest.fixture(scope="module")
def library(): return UpliftExplorer(campaign(), PRICES, **GIVEN)

@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    root = tmp_path_factory.mktemp("workspace")
    campaign().to_parquet(root/"held_out.parquet")
    write_notebook(root/"uplift.ipynb", "import pandas as pd\nfrom marketing_mlops.explorers.uplift_explorer import UpliftExplorer",
                   f"explorer = UpliftExplorer(pd.read_parquet('held_out.parquet'), {PRICES!r}, **{GIVEN!r})\nexplorer", "explorer.depth, explorer.economics.contact_cost")
    with lab(root, tmp_path_factory.mktemp("jupyter"), True) as server, browser(server.address, dark=True) as watched:
        open_notebook(server, watched.page, "uplift.ipynb")
        run_until(watched.page, ".mmu-mark circle")
        yield watched

def active_cell(page): return page.evaluate("[...document.querySelectorAll('.jp-Cell')].findIndex(c => c.classList.contains('jp-mod-active'))")

def test_in_lab_arrow_keys_move_the_slider_and_not_the_notebook(opened, library):
    page = opened.page
    slider(page, "Depth").focus()
    before = active_cell(page)
    for _ in range(20): page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowUp"); page.keyboard.press("ArrowDown"); page.keyboard.press("a")
    settled(page)
    library.select(library.curve.shares[80], **PRICES)
    assert page.inner_text(".mmu-sentence") == policy_sentence(library.comparison())
    assert active_cell(page) == before and page.locator(".jp-Notebook .jp-CodeCell").count() == 3

def test_in_lab_python_learns_where_the_sliders_stand(opened):
    page = opened.page
    typed(page, "Contact cost").fill("0.25")
    slider(page, "Depth").evaluate("node => { node.value = 33; node.dispatchEvent(new Event('input', {bubbles: true})) }")
    page.wait_for_timeout(600)
    cell = page.locator(".jp-Notebook .jp-CodeCell").nth(2)
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    page.wait_for_function("[...document.querySelectorAll('.jp-OutputArea-output')].some(o => o.textContent.includes('(33, 0.25)'))", timeout=120_000)

def test_in_lab_the_audience_follows_two_hundred_moves_and_can_be_copied(opened, library):
    page = opened.page
    typed(page, "Contact cost").fill("0.25")
    slider(page, "Depth").evaluate("""async node => { for (let k = 0; k < 200; k++) { node.value = (37 * k) % 101; node.dispatchEvent(new Event('input', {bubbles: true})); if (k % 10 === 9) await new Promise(f => setTimeout(f, 130)) } }""")
    library.select(library.curve.shares[37*199 % 101], **PRICES | dict(contact_cost=.25))
    page.wait_for_function("words => document.querySelector('.mmu-take .mmx-code').textContent === words", arg=library.audience(), timeout=120_000)
    assert page.inner_text(".mmu-sentence") == policy_sentence(library.comparison())
    page.click(".mmu-take .mmx-button")
    page.wait_for_function("document.querySelector('.mmu-take .mmx-done').textContent !== ''", timeout=120_000)

def test_in_lab_a_telephone_shows_it_dark_quiet_and_without_sideways_scrolling(opened):
    page = opened.page
    narrow(page)
    wide = page.evaluate("Math.max(...[...document.querySelectorAll('.mmu *')].map(n => n.getBoundingClientRect().right)) - document.querySelector('.mmu').getBoundingClientRect().right")
    assert wide <= 4
    colour = page.evaluate("getComputedStyle(document.querySelector('.mmu-controls')).backgroundColor")
    assert sum(map(int, re.findall(r"\d+", colour)[:3])) < 200
    assert opened.outgoing == [] and opened.errors == []

def test_in_lab_an_ended_kernel_is_named_and_the_figures_go_on(opened, library):
    page = opened.page
    end_kernels(page)
    slider(page, "Depth").evaluate("node => { node.value = 20; node.dispatchEvent(new Event('input', {bubbles: true})) }")
    page.wait_for_selector(".mmu .mmx-problem:not([hidden])", timeout=120_000)
    assert "The kernel does not answer." in page.inner_text(".mmu .mmx-problem") and "run the cell again" in page.inner_text(".mmu .mmx-problem")
    library.select(library.curve.shares[20], **PRICES | dict(contact_cost=.25))
    assert page.inner_text(".mmu-sentence") == policy_sentence(library.comparison())
