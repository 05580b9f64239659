"""The app of all explorers in a real Voilà, driven by headless Chromium: what is opened, moved and read there is what the library says."""
import pytest
from app_workspace import HOSTILE, come, filled_workspace, guarded, kernels_busy, running_app
from lookups import without_lookups
from lab_session import browser, has_chromium
from marketing_mlops.explorers.explorer_pages import open_explorer
from marketing_mlops.measurement.policies import policy_sentence

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.skipif(not has_chromium(), reason="Debian's chromium is not installed")]

@pytest.fixture(scope="module")
def workspace(tmp_path_factory): return filled_workspace(tmp_path_factory.mktemp("app")/"shop")

@pytest.fixture(scope="module")
def started(workspace, tmp_path_factory):
    noted = tmp_path_factory.mktemp("noted")/"lookups.txt"
    with running_app(workspace.root, without_lookups(noted)) as (address, process): yield address, process, noted

@pytest.fixture(scope="module", params=[(1280, False), (390, True)], ids=["desk-light", "phone-dark"])
def opened(request, started):
    width, dark = request.param
    home = started[0].split("/?")[0]
    with browser(home, width=width, dark=dark) as watched:
        guarded(watched, home)
        come(watched.page, started[0])
        yield watched, width

@pytest.fixture
def page(opened):
    back = opened[0].page.locator(".mmd-bar .mmx-button")
    if back.is_visible(): back.click()
    return opened[0].page

def show(page, name, selector, choice=None):
    if choice: page.select_option(f"[data-explorer={name}] select", choice)
    page.click(f"[data-explorer={name}] .mmd-open")
    page.wait_for_selector(f".mmd-content {selector}", timeout=120_000)

def test_the_start_page_lists_every_explorer_with_its_question_and_asks_nobody_outside(page, opened):
    titles = page.locator(".mmd-title").all_inner_texts()
    assert titles[:3] == ["Table explorer", "Feature explorer", "Uplift explorer"] and page.title() == "Explorers of shop"
    assert page.locator(".mmd-sentence").first.inner_text().endswith("?")
    assert "token" not in page.url
    assert page.evaluate("document.documentElement.scrollWidth") <= opened[1]

def test_a_click_in_the_table_explorer_counts_what_the_library_counts(page, workspace):
    show(page, "table", ".mmx-in[d]")
    page.locator("[data-column=channel] .mmx-row").nth(1).click()
    page.locator("[data-column=market] .mmx-row").nth(0).click()
    page.wait_for_function("document.querySelector('.mmx-selected').textContent.includes(' of ')")
    library = open_explorer(workspace, "table")
    library.select({"channel": {"any_of": ["app"]}, "market": {"any_of": ["DE"]}})
    page.wait_for_function("words => document.querySelector('.mmx-selected').textContent.startsWith(words)", arg=f"{library.selected_rows():,} of", timeout=120_000)

def test_the_feature_explorer_opens_with_the_sentence_of_the_library(page, workspace):
    show(page, "features", ".mmf")
    said = open_explorer(workspace, "features").profile().sentence
    page.wait_for_function("words => document.querySelector('.mmd-content').innerText.includes(words)", arg=said, timeout=120_000)

def test_a_moved_slider_of_the_uplift_explorer_says_what_the_library_says(page, workspace):
    show(page, "uplift", ".mmu-mark circle")
    depth = page.locator(".mmx-control:has(label:text-is('Depth')) input[type=range]")
    depth.evaluate("node => { node.value = 30; node.dispatchEvent(new Event('input', {bubbles: true})) }")
    library = open_explorer(workspace, "uplift")
    library.select(library.curve.shares[30])
    page.wait_for_function("words => document.querySelector('.mmu-sentence').textContent === words", arg=policy_sentence(library.comparison()), timeout=120_000)

def test_what_was_left_stands_as_it_was_left(page):
    show(page, "uplift", ".mmu-mark circle")
    depth = page.locator(".mmx-control:has(label:text-is('Depth')) input[type=range]")
    depth.evaluate("node => { node.value = 44; node.dispatchEvent(new Event('input', {bubbles: true})) }")
    page.wait_for_timeout(600)
    page.click(".mmd-bar .mmx-button")
    show(page, "features", ".mmf")
    page.click(".mmd-bar .mmx-button")
    show(page, "uplift", ".mmu-mark circle")
    assert page.locator(".mmx-control:has(label:text-is('Depth')) input[type=range]").input_value() == "44"

def test_the_keyboard_opens_an_explorer_and_the_browsers_way_back_closes_it(page):
    page.locator("[data-explorer=table] select").focus()
    page.keyboard.press("Tab"); page.keyboard.press("Enter")
    page.wait_for_selector(".mmd-content .mmx-in[d]", timeout=120_000)
    assert page.url.endswith("#table") and page.evaluate("document.activeElement.className") == "mmd-name"
    page.go_back()
    page.wait_for_selector(".mmd-card")
    assert page.locator(".mmd-content").is_hidden()

def gone_back(page):
    return page.locator(".mmd-list").is_visible() and page.locator(".mmd-content").is_hidden() and page.locator(".mmd-busy").is_hidden()

def test_back_works_at_once_while_an_explorer_opens_and_the_late_answer_stays_behind(page, started):
    page.reload(); page.wait_for_selector(".mmd-card", timeout=120_000)
    page.wait_for_timeout(500)
    with kernels_busy(started[1]):
        page.click("[data-explorer=uplift] .mmd-open")
        page.wait_for_selector(".mmd-busy:not([hidden])")
        assert page.inner_text(".mmd-status") == "Opening Uplift explorer …"
        page.click(".mmd-bar button:text-is('← Back')", timeout=2_000)
        assert gone_back(page) and not page.url.endswith("#uplift")
        assert page.inner_text(".mmd-behind") == "Uplift explorer is still being made ready. What you open next comes right after it."
        page.wait_for_timeout(1_000)
        assert gone_back(page)
    page.wait_for_function("document.querySelector('.mmd-behind').textContent === ''", timeout=120_000)
    page.wait_for_timeout(1_000)
    assert gone_back(page)
    show(page, "uplift", ".mmu-mark circle")     # it was made ready, and nothing of the first wish is left
    assert page.inner_text(".mmd-bar button") == "← All explorers"

def test_what_is_wished_for_after_giving_up_comes_next_and_only_that(page, started):
    page.reload(); page.wait_for_selector(".mmd-card", timeout=120_000)
    page.wait_for_timeout(500)
    with kernels_busy(started[1]):
        page.click("[data-explorer=features] .mmd-open")
        page.keyboard.press("Escape")
        assert gone_back(page)
        page.click("[data-explorer=uplift] .mmd-open")
        page.click(".mmd-bar button:text-is('← Back')", timeout=2_000)
        page.click("[data-explorer=table] .mmd-open")
        assert page.inner_text(".mmd-status") == "Opening Table explorer … It comes as soon as Feature explorer, which was asked for first, is ready."
    page.wait_for_selector(".mmd-content .mmx-in[d]", timeout=120_000)
    assert page.inner_text(".mmd-name") == "Table explorer" and page.locator(".mmd-content .mmf, .mmd-content .mmu-mark").count() == 0
    page.wait_for_timeout(500)
    assert page.locator(".mmd-content").is_visible() and page.locator(".mmd-busy").is_hidden()

def test_what_was_given_up_and_is_wished_for_again_opens(page, started):
    page.wait_for_timeout(500)
    with kernels_busy(started[1]):
        page.click("[data-explorer=features] .mmd-open")
        page.click(".mmd-bar button:text-is('← Back')", timeout=2_000)
        page.click("[data-explorer=features] .mmd-open")
        page.wait_for_selector(".mmd-busy:not([hidden])")
    page.wait_for_selector(".mmd-content .mmf", timeout=120_000)
    page.wait_for_timeout(1_000)
    assert page.locator(".mmd-content .mmf").is_visible() and page.locator(".mmd-busy").is_hidden()

def test_a_hostile_purpose_is_shown_as_text(page):
    assert HOSTILE in page.locator("[data-explorer=features] option").first.inner_text()
    assert page.locator(".mmd img").count() == 0

def test_an_undeclared_wish_is_refused_in_words_and_the_page_goes_on(page, workspace):
    page.evaluate("""() => { const select = document.querySelector('[data-explorer=table] select');
        const wrong = document.createElement('option'); wrong.value = '../../secrets'; select.append(wrong); select.value = wrong.value }""")
    page.click("[data-explorer=table] .mmd-open")
    page.wait_for_selector(".mmd .mmx-problem:not([hidden])", timeout=120_000)
    assert "cannot be opened on '../../secrets'" in page.inner_text(".mmd .mmx-problem")
    page.click(".mmd-bar .mmx-button")
    page.reload(); page.wait_for_selector(".mmd-card", timeout=120_000)
    show(page, "table", ".mmx-in[d]")

def test_a_table_that_vanished_since_is_named(page, workspace):
    file = workspace.accepted("shop")/"orders.parquet"
    page.reload(); page.wait_for_selector(".mmd-card", timeout=120_000)
    away = file.rename(file.with_suffix(".away"))
    page.wait_for_timeout(300)
    try:
        page.reload(); page.wait_for_selector(".mmd-missing", timeout=120_000)
        assert "mmops run" in page.locator("[data-explorer=table] .mmd-missing").inner_text()
    finally: away.rename(file)

def test_nothing_left_the_machine_and_nothing_complained(opened, started):
    watched, noted = opened[0], started[2]
    assert watched.outgoing == [] and watched.errors == []
    assert not noted.exists() or noted.read_text() == ""
