"""The explorer in a real JupyterLab, driven by headless Chromium: what is dragged, shown and counted."""
import re
import numpy as np
import pandas as pd
import pytest
from lab_session import browser, has_chromium, lab, narrow, open_notebook, run_until, write_notebook
from marketing_mlops.explorers.table_explorer import TableExplorer

pytestmark = [pytest.mark.browser, pytest.mark.skipif(not has_chromium(), reason="Debian's chromium is not installed")]
ROWS = 20_000

def orders() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    channel = rng.choice(["email", "search", "direct", "<img src=x onerror=alert(1)>"], ROWS, p=[.4, .3, .2, .1])
    return pd.DataFrame(dict(
        customer_id=[f"c{i}" for i in rng.integers(0, 3_000, ROWS)], occurred_at=pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(rng.integers(0, 180, ROWS), "D"),
        market=rng.choice(["DE", "UK", None], ROWS, p=[.6, .3, .1]), channel=channel, basket=np.where(channel == "email", rng.gamma(2, 10, ROWS), rng.gamma(2, 30, ROWS)).round(2),
        shipping_amount=np.where(rng.random(ROWS) < .05, np.nan, rng.integers(0, 9, ROWS))))

@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    "A workspace with an accepted table and the notebook an analyst would write."
    root = tmp_path_factory.mktemp("workspace")
    (root/"settings.ini").write_text("[DEFAULT]\nreporting_currency = EUR\n")
    place = root/"data"/"validate"/"retailer"/"orders.parquet"
    place.parent.mkdir(parents=True)
    orders().to_parquet(place)
    write_notebook(root/"explore.ipynb", "from marketing_mlops.explorers.table_explorer import TableExplorer", "explorer = TableExplorer('orders')\nexplorer", "note = 'typed by nobody'")
    return root

@pytest.fixture(scope="module")
def library(folder): return TableExplorer(folder/"data"/"validate"/"retailer"/"orders.parquet", name="orders")

@pytest.fixture(scope="module", params=["light", pytest.param("dark", marks=pytest.mark.slow)])
def opened(request, folder, tmp_path_factory):
    "The explorer on screen, in the light and in the dark theme."
    dark = request.param == "dark"
    with lab(folder, tmp_path_factory.mktemp("jupyter"), dark) as server, browser(server.address, dark=dark) as watched:
        open_notebook(server, watched.page, "explore.ipynb")
        run_until(watched.page, ".mmx-card")
        yield watched, dark

@pytest.fixture
def page(opened):
    "The page without any filter."
    watched, _ = opened
    clear = watched.page.locator(".mmx-button")
    if clear.is_enabled(): clear.click()
    watched.page.wait_for_function("document.querySelector('.mmx-selected').textContent.startsWith('all ')")
    return watched.page

def selected(page) -> int:
    page.wait_for_timeout(400)
    return int(re.search(r"[\d,]+", page.inner_text(".mmx-selected"))[0].replace(",", ""))

def bars(page, column): return page.get_attribute(f"[data-column={column}] .mmx-in", "d")

def brushed(page, column) -> range:
    ends = [int(page.locator(f"[data-column={column}] .mmx-handle").nth(i).get_attribute("aria-valuenow")) for i in (0, 2)]
    return range(ends[0], ends[1] + 1)

def drag(page, column, start, end, steps=12):
    plot = page.locator(f"[data-column={column}] .mmx-plot")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    page.mouse.move(box["x"] + start*box["width"], box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + end*box["width"], box["y"] + 50, steps=steps)
    page.mouse.up()

def test_a_dragged_range_filters_the_other_charts_as_the_library_does(page, library):
    before = bars(page, "occurred_at")
    drag(page, "basket", .1, .4)
    counted = library.engine.counts({"basket": brushed(page, "basket")})
    assert selected(page) == counted.selected < ROWS
    assert bars(page, "occurred_at") != before
    told = [page.get_attribute(f"[data-column=channel] .mmx-row >> nth={i}", "aria-label") for i in range(4)]
    assert [t.rsplit(": ", 1)[1] for t in told] == [f"{c:,} rows" for c in counted.charts["channel"][:4]]

def test_two_filters_and_a_choice_agree_with_the_library(page, library):
    drag(page, "basket", .1, .5)
    first = brushed(page, "basket")
    drag(page, "occurred_at", .2, .7)
    second = brushed(page, "occurred_at")
    page.click("[data-column=channel] .mmx-row >> nth=0")
    page.click("[data-column=channel] .mmx-row >> nth=2")
    assert selected(page) == library.engine.counts({"basket": first, "occurred_at": second, "channel": [0, 2]}).selected

def test_arrow_keys_move_the_brush_and_not_the_notebook(page, library):
    cell = page.evaluate("[...document.querySelectorAll('.jp-Cell')].findIndex(c => c.classList.contains('jp-mod-active'))")
    page.locator("[data-column=basket] .mmx-handle").nth(0).focus()
    for _ in range(3): page.keyboard.press("ArrowRight")
    page.locator("[data-column=basket] .mmx-handle").nth(2).focus()
    page.keyboard.press("ArrowLeft")
    assert brushed(page, "basket").start == 3
    assert selected(page) == library.engine.counts({"basket": brushed(page, "basket")}).selected
    page.keyboard.press("a"); page.keyboard.press("ArrowUp")
    assert page.locator(".jp-Notebook .jp-CodeCell").count() == 3
    assert cell == page.evaluate("[...document.querySelectorAll('.jp-Cell')].findIndex(c => c.classList.contains('jp-mod-active'))")
    page.keyboard.press("Escape")
    assert selected(page) == ROWS

def test_missing_values_are_a_bar_of_their_own(page, library):
    page.locator("[data-column=shipping_amount] .mmx-missing").focus()
    page.keyboard.press("Enter")
    missing = len(library.engine.totals["shipping_amount"]) - 1
    assert selected(page) == library.engine.totals["shipping_amount"][missing] > 0

def test_two_hundred_moves_leave_the_last_state(page, library):
    drag(page, "occurred_at", .0, .9)
    drag(page, "basket", .05, .6, steps=200)
    filters = {"basket": brushed(page, "basket"), "occurred_at": brushed(page, "occurred_at")}
    assert selected(page) == library.engine.counts(filters).selected

def test_the_selection_is_written_as_code(page):
    page.click("[data-column=market] .mmx-row >> nth=0")
    page.wait_for_function("document.querySelector('.mmx-code').textContent.includes(\"orders['market'].isin(['DE'])\")", timeout=120_000)

def test_names_with_markup_are_shown_as_text(page):
    labels = page.locator("[data-column=channel] .mmx-label").all_inner_texts()
    assert "<img src=x onerror=alert(1)>" in labels
    assert page.locator(".mmx img").count() == 0

def test_definitions_show_on_focus_and_pseudonyms_do_not_show(page):
    name = page.locator("[data-column=market] .mmx-name")
    name.hover()
    assert page.locator("[data-column=market] .mmx-tip").is_visible()
    assert page.locator("[data-column=customer_id]").count() == 0
    assert "Masked as personal data: customer_id." in page.inner_text(".mmx-header")

def test_every_control_has_a_name_for_screen_readers(page):
    nameless = page.evaluate("""[...document.querySelectorAll('.mmx [role=slider], .mmx button, .mmx [role=button], .mmx input, .mmx section')]
        .filter(n => !(n.getAttribute('aria-label') || n.textContent.trim() || n.closest('label'))).length""")
    assert nameless == 0

def test_surfaces_follow_the_theme(page, opened):
    colour = page.evaluate("getComputedStyle(document.querySelector('.mmx-card')).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", colour)[:3])) < 200) == opened[1]

def test_nothing_was_asked_of_another_machine_and_the_console_stayed_quiet(page, opened):
    watched, _ = opened
    assert watched.outgoing == []
    assert watched.errors == []

def test_a_telephone_shows_it_without_sideways_scrolling(page, opened):
    narrow(page)
    wide = page.evaluate("Math.max(...[...document.querySelectorAll('.mmx *')].map(n => n.getBoundingClientRect().right)) - document.querySelector('.mmx').getBoundingClientRect().right")
    assert wide <= 4
    drag(page, "basket", .2, .6)
    assert selected(page) < ROWS

@pytest.mark.parametrize("opened", ["light"], indirect=True)
def test_a_silent_kernel_is_named(page, opened):
    assert opened[0].page is page
    page.evaluate("""async () => { for (const k of await (await fetch('/api/kernels')).json())
        await fetch(`/api/kernels/${k.id}/restart`, {method: 'POST', headers: {'X-XSRFToken': document.cookie.match(/_xsrf=([^;]+)/)?.[1] ?? ''}}) }""")
    page.wait_for_timeout(1_500)
    page.locator("[data-column=basket] .mmx-handle").nth(0).focus()
    page.keyboard.press("ArrowRight")
    page.locator("[data-column=occurred_at] .mmx-handle").nth(0).focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector(".mmx-problem:not([hidden])", timeout=120_000)
    assert "run the cell again" in page.inner_text(".mmx-problem")
