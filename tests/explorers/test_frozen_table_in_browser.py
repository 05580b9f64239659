"""A frozen table in headless Chromium, from a file, with the network off: three selections at once, counted as the library counts."""
import re
import numpy as np
import pytest
from app_workspace import orders
from lab_session import browser, has_chromium
from marketing_mlops.explorers.frozen_tables import told_counts
from marketing_mlops.explorers.table_explorer import TableExplorer

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.skipif(not has_chromium(), reason="Debian's chromium is not installed")]
CHARTS = ["occurred_at", "market", "channel", "basket"]

@pytest.fixture(scope="module")
def explorer(): return TableExplorer(orders(), name="orders of spring")

@pytest.fixture(scope="module")
def cells(explorer): return explorer.freeze(CHARTS)

@pytest.fixture(scope="module", params=[(1280, False), (390, True)], ids=["desk-light", "phone-dark"])
def opened(request, explorer, tmp_path_factory):
    width, dark = request.param
    file = explorer.write_page(tmp_path_factory.mktemp("page")/"orders.html", CHARTS)
    with browser(file.as_uri(), width=width, dark=dark) as watched:
        watched.page.context.set_offline(True)
        watched.page.goto(file.as_uri())
        watched.page.wait_for_selector(".mmx-in[d]")
        yield watched, width

@pytest.fixture
def page(opened):
    page = opened[0].page
    if page.locator(".mmx-button").is_enabled(): page.click(".mmx-button")
    page.wait_for_timeout(250)                     # the page's policy forbids the code by which a browser test waits for more
    assert page.inner_text(".mmx-selected").startswith("all ")
    return page

def settled(page): page.wait_for_timeout(250)

def brush(page, column, low, high):
    plot = page.locator(f"[data-column={column}] .mmx-plot")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    y = box["y"] + 50
    page.mouse.move(box["x"] + low*box["width"], y); page.mouse.down()
    page.mouse.move(box["x"] + high*box["width"], y, steps=5); page.mouse.up()
    settled(page)

def brushed(page, column):
    low, _, high = (int(handle.get_attribute("aria-valuenow")) for handle in page.locator(f"[data-column={column}] .mmx-handle").all())
    return list(range(low, high + 1))

def selected(page): return int(re.search(r"[\d,]+", page.inner_text(".mmx-selected"))[0].replace(",", ""))

def shown(page, column): return {row.get_attribute("title"): int(re.search(r": ([\d,]+) rows", row.get_attribute("aria-label"))[1].replace(",", "")) for row in page.locator(f"[data-column={column}] .mmx-row").all()}

def test_three_selections_at_once_count_what_the_library_counts(page, cells, explorer):
    brush(page, "occurred_at", .1, .6)
    brush(page, "basket", .05, .3)
    page.locator("[data-column=channel] .mmx-row").nth(0).click(); settled(page)
    page.locator("[data-column=channel] .mmx-row").nth(1).click(); settled(page)
    filters = {"occurred_at": brushed(page, "occurred_at"), "basket": brushed(page, "basket"), "channel": [0, 1]}
    assert all(len(bins) > 1 for bins in filters.values())
    count, charts = told_counts(cells, filters)
    assert selected(page) == count
    for column in ("market", "channel"):
        names = [*cells.dimensions[column].first, "other", "missing"]
        assert shown(page, column) == {name: n for name, n in zip(names, charts[column]) if np.bincount(cells.bins[column], minlength=len(names))[names.index(name)]}
    brush(page, "occurred_at", .3, .9)                                             # the first of the three moves again
    filters["occurred_at"] = brushed(page, "occurred_at")
    assert selected(page) == told_counts(cells, filters)[0]

def test_the_counts_lie_below_those_of_all_rows_by_no_more_than_the_page_says(page, cells, explorer):
    page.locator("[data-column=market] .mmx-row").nth(0).click(); settled(page)
    page.locator("[data-column=channel] .mmx-row").nth(0).click(); settled(page)
    brush(page, "basket", .02, .4)
    low, high = brushed(page, "basket")[0], brushed(page, "basket")[-1]
    fine = [0.0, *cells.dimensions["basket"].cuts, np.inf]
    df = orders()
    everything = int(((df.market == cells.dimensions["market"].first[0]) & (df.channel == cells.dimensions["channel"].first[0]) & (df.basket >= fine[low]) & (df.basket < fine[high + 1])).sum())
    said = page.locator(".mmx-note").first.inner_text()
    hidden = int(re.search(r"([\d,]+) of [\d,]+ rows are left out", said)[1].replace(",", "")) if "are left out" in said else 0
    assert hidden == cells.hidden and 0 <= everything - selected(page) <= hidden

def test_keys_move_a_brush_and_two_hundred_moves_end_where_the_hand_ends(page, cells):
    handle = page.locator("[data-column=basket] .mmx-handle").nth(2)
    handle.focus()
    for k in range(200): page.keyboard.press("ArrowLeft" if k % 3 else "ArrowRight")
    settled(page)
    assert selected(page) == told_counts(cells, {"basket": brushed(page, "basket")})[0]

def test_it_fits_the_screen_asks_nobody_and_complains_of_nothing(page, opened):
    watched, width = opened
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator(".mmx-details").is_hidden() and page.locator("img").count() == 0
    assert watched.outgoing == [] and watched.errors == []
