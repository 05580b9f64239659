"""The explorer of features in a real JupyterLab, driven by headless Chromium: keys, texts to take away, and what Python learns."""
import re
import pytest
from feature_rows_example import HOSTILE, leaving, leaving_rows
from lab_session import browser, end_kernels, has_chromium, lab, narrow, open_notebook, run_until, write_notebook
from marketing_mlops.explorers.feature_explorer import FeatureExplorer

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.skipif(not has_chromium(), reason="Debian's chromium is not installed")]

@pytest.fixture(scope="module")
def library(): return FeatureExplorer(leaving_rows())

@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    root = tmp_path_factory.mktemp("workspace")
    leaving().to_parquet(root/"leaving.parquet")
    write_notebook(root/"features.ipynb", "import pandas as pd\nfrom marketing_mlops.explorers.feature_explorer import FeatureExplorer\nfrom marketing_mlops.explorers.feature_rows import rows_of_frame",
                   "explorer = FeatureExplorer(rows_of_frame(pd.read_parquet('leaving.parquet'), 'label', 'cutoff', name='Leaving <b>soon</b>'))\nexplorer", "explorer.settings['feature'], explorer.features()")
    with lab(root, tmp_path_factory.mktemp("jupyter"), True) as server, browser(server.address, dark=True) as watched:
        open_notebook(server, watched.page, "features.ipynb")
        run_until(watched.page, ".mmf-dots circle")
        yield watched

@pytest.fixture
def page(opened):
    choose(opened.page, "orders_90d")
    opened.page.select_option("select[id$=-period]", "")
    return opened.page

def shows(page, title): page.wait_for_function("title => document.querySelector('.mmf-big').textContent === title && !document.querySelector('.mmx-waiting')", arg=title, timeout=120_000)
def says(page, selector, words): page.wait_for_function("([s, w]) => document.querySelector(s).textContent.includes(w)", arg=[selector, words], timeout=120_000)

def choose(page, name):
    page.locator(".mmf-feature").filter(has_text=name).first.click()
    shows(page, name)

def test_in_lab_the_words_are_those_of_python(page, library):
    for name in library.rows.features:
        choose(page, name)
        library.select(name)
        assert page.inner_text(".mmf-sentence") == library.profile().sentence
        assert page.locator(".mmf-dots circle").count() == len(library.profile().bins)

def test_in_lab_arrow_keys_go_through_the_list_and_not_through_the_notebook(page):
    before = page.evaluate("[...document.querySelectorAll('.jp-Cell')].findIndex(c => c.classList.contains('jp-mod-active'))")
    first, second = page.locator(".mmf-label").all_inner_texts()[:2]
    page.locator(".mmf-feature").first.click()
    page.keyboard.press("ArrowDown"); shows(page, second)
    page.keyboard.press("Home"); shows(page, first)
    for key in "aabb": page.keyboard.press(key)
    assert page.evaluate("[...document.querySelectorAll('.jp-Cell')].findIndex(c => c.classList.contains('jp-mod-active'))") == before
    assert page.locator(".jp-Notebook .jp-CodeCell").count() == 3

def test_in_lab_two_hundred_moves_in_a_row_leave_the_last_one_shown(page, library):
    last = page.evaluate("""() => { const all = [...document.querySelectorAll('.mmf-feature')]; let name;
        for (let k = 0; k < 200; k++) { const one = all[(3 * k + 2) % all.length]; one.click(); name = one.querySelector('.mmf-label').textContent } return name }""")
    shows(page, last)
    page.wait_for_timeout(1_500)
    library.select(last)
    assert (page.inner_text(".mmf-big"), page.inner_text(".mmf-sentence")) == (last, library.profile().sentence)
    says(page, ".mmx-code", library.code()[:60])

def test_in_lab_a_key_chooses_a_day_and_escape_goes_back(page):
    page.locator(".mmf-course").focus()
    page.keyboard.press("End"); page.keyboard.press("Enter")
    says(page, ".mmf-reading", "2026-03-31, held out: 600 rows")
    page.keyboard.press("Escape")
    says(page, ".mmf-reading", "all training rows: 1,200 rows")

def test_in_lab_the_declaration_follows_the_window_and_filter(page, library):
    choose(page, "visits_90d")
    page.select_option("select[id$=-window]", "30")
    page.select_option("select[id$=-column]", "is_machine_open")
    page.select_option("select[id$=-only]", "false")
    says(page, ".mmx-code", 'name="visits_is_machine_open_no_30d"')
    library.select("visits_90d", window=30, filter=["is_machine_open", False])
    assert page.inner_text(".mmx-code >> nth=0") == library.code()
    assert "window_days: 30" in page.inner_text(".mmx-code >> nth=1")

def test_in_lab_ticked_features_become_a_list_and_python_learns_it(page):
    page.locator(".mmf-row", has_text="orders_90d").locator("input").check()
    page.locator(".mmf-row", has_text="trait.channel").locator("input").check()
    says(page, ".mmx-copy:last-child .mmx-code", "features: [orders_90d, trait.channel]")
    page.locator(".jp-Notebook .jp-CodeCell").nth(2).locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    page.wait_for_function("[...document.querySelectorAll('.jp-OutputArea-output')].some(o => o.textContent.includes(\"('orders_90d', 'features: [orders_90d, trait.channel]')\"))", timeout=120_000)

def test_in_lab_a_search_without_a_hit_says_so(page):
    page.fill(".mmf-search", "zebra")
    assert page.locator(".mmf-feature").count() == 0 and page.is_visible("text=No feature has this in its name")
    page.fill(".mmf-search", "orders")
    assert page.locator(".mmf-feature").count() == 1
    page.fill(".mmf-search", "")

def test_in_lab_names_with_markup_are_shown_as_text(page):
    choose(page, HOSTILE)
    assert page.inner_text(".mmf-big") == HOSTILE and page.locator(".mmf img, .mmf b").count() == 0
    assert "Leaving <b>soon</b>" in page.inner_text(".mmx-header")

def test_in_lab_no_word_of_a_chart_is_cut_off(page, library):
    for name in library.rows.features:
        choose(page, name)
        outside = page.evaluate("""[...document.querySelectorAll('.mmf-plot text')].filter(t => { const a = t.getBoundingClientRect(), b = t.closest('.mmf-card').getBoundingClientRect();
            return a.width && (a.left < b.left || a.right > b.right) }).map(t => t.textContent)""")
        assert outside == []

def test_in_lab_everything_has_a_name(page):
    nameless = page.evaluate("""[...document.querySelectorAll('.mmf input, .mmf select, .mmf button, .mmf [role=img], .mmf pre')]
        .filter(n => !(n.getAttribute('aria-label') || n.textContent.trim() || n.labels?.length)).length""")
    assert nameless == 0

def test_in_lab_a_telephone_shows_it_dark_quiet_and_without_sideways_scrolling(page, opened):
    narrow(page)
    choose(page, "net_revenue_365d")
    wide = page.evaluate("Math.max(...[...document.querySelectorAll('.mmf *')].filter(n => !n.closest('pre')).map(n => n.getBoundingClientRect().right)) - document.querySelector('.mmf').getBoundingClientRect().right")
    assert wide <= 4
    colour = page.evaluate("getComputedStyle(document.querySelector('.mmf-card')).backgroundColor")
    assert sum(map(int, re.findall(r"\d+", colour)[:3])) < 200
    assert opened.outgoing == [] and opened.errors == []

def test_in_lab_an_ended_kernel_is_named(opened):
    page = opened.page
    end_kernels(page)
    page.select_option("select[id$=-scale]", "log")
    page.wait_for_selector(".mmf .mmx-problem:not([hidden])", timeout=120_000)
    assert "run the cell again" in page.inner_text(".mmf .mmx-problem")
