"""The explorer of uplift as a page without a kernel, in headless Chromium, on a desk and on a telephone, by day and by night."""
import re
import numpy as np
import pytest
from lab_session import browser, has_chromium
from uplift_campaign import GIVEN, HOSTILE, PRICES, campaign, settled, slider, typed
from marketing_mlops.explorers.uplift_explorer import UpliftExplorer
from marketing_mlops.measurement.policies import policy_sentence

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.skipif(not has_chromium(), reason="Debian's chromium is not installed")]
@pytest.fixture(scope="module")
def library(): return UpliftExplorer(campaign(), PRICES, **GIVEN)

@pytest.fixture(scope="module", params=[(1280, False), (1280, True), (390, False), (390, True)], ids=["desk-light", "desk-dark", "phone-light", "phone-dark"])
def frozen(request, library, tmp_path_factory):
    "The page without a kernel, on a desk and on a telephone, by day and by night."
    width, dark = request.param
    file = library.write_page(tmp_path_factory.mktemp("page")/"uplift.html")
    with browser(file.as_uri(), width=width, dark=dark) as watched:
        watched.page.goto(file.as_uri())
        watched.page.wait_for_selector(".mmu-mark circle")
        yield watched, width, dark

def put_depth(page, depth):
    slider(page, "Depth").evaluate("(node, depth) => { node.value = depth; node.dispatchEvent(new Event('input', {bubbles: true})) }", depth)
    settled(page)

@pytest.fixture
def page(frozen):
    frozen[0].page.click("text=Given figures")
    frozen[0].page.select_option(".mmx-select", "none")
    put_depth(frozen[0].page, 100)
    return frozen[0].page

def test_the_words_are_those_of_the_library_at_every_price(page, library):
    for depth, prices in ((100, {}), (0, {}), (8, {}), (40, dict(contact_cost=.5)), (60, dict(margin=.1, contact_cost=2.)), (75, dict(margin=1., contact_cost=0., unsubscribe_cost=0.)), (55, dict(unsubscribe_cost=80.))):
        library.select(library.curve.shares[depth], **PRICES | prices)
        put_depth(page, depth)
        for name, key, factor in (("Margin", "margin", 100), ("Contact cost", "contact_cost", 1), ("Unsubscribe cost", "unsubscribe_cost", 1)): typed(page, name).fill(f"{(PRICES | prices)[key]*factor:g}")
        settled(page)
        assert page.inner_text(".mmu-sentence") == policy_sentence(library.comparison()), (depth, prices)
        shown = page.locator(".mmu-table:not(.mmu-groups) tbody .mmu-value").all_inner_texts()
        assert len(shown) == 6 and all(re.fullmatch(r"[+−]?[\d.,]+ EUR|not measurable", s) for s in shown)

def test_arrow_keys_move_a_slider(page):
    slider(page, "Depth").focus()
    for _ in range(10): page.keyboard.press("ArrowLeft")
    settled(page)
    assert "90 % of customers" in page.inner_text(".mmu-reach")
    page.keyboard.press("Home"); settled(page)
    assert page.inner_text(".mmu-reach") == "Reaching 0 % of customers brings 0.00 EUR per customer beyond nobody."
    assert slider(page, "Depth").get_attribute("aria-valuetext") == "0 % of customers"

def test_dragging_in_the_chart_moves_the_depth(page):
    plot = page.locator(".mmu-plot")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    page.mouse.move(box["x"] + .9*box["width"], box["y"] + 100); page.mouse.down()
    page.mouse.move(box["x"] + .5*box["width"], box["y"] + 100, steps=8); page.mouse.up(); settled(page)
    assert 35 <= int(slider(page, "Depth").input_value()) <= 55

def test_two_hundred_moves_in_a_row_leave_the_last_state(page, library):
    slider(page, "Depth").evaluate("""node => { for (let k = 0; k < 200; k++) { node.value = (37 * k) % 101; node.dispatchEvent(new Event('input', {bubbles: true})) } }""")
    settled(page)
    depth = 37*199 % 101
    library.select(library.curve.shares[depth], **PRICES)
    assert int(slider(page, "Depth").input_value()) == depth
    assert page.inner_text(".mmu-sentence") == policy_sentence(library.comparison())

def test_groups_say_what_the_library_says_and_whom_the_depth_reaches(page, library):
    library.select(library.curve.shares[30])
    put_depth(page, 30)
    for k, arm in enumerate(library.gains):
        table = library.who_gains(arm)
        shown = [row.inner_text() for row in page.locator(f".mmu-groups >> nth={k} >> tbody tr").all()]
        assert len(shown) == len(table)
        for text, row in zip(shown, table.itertuples()):
            assert row.says in text and f"{row.n:,} customers" in text
            share = f"{100*row.reached:.{1 if 0 < row.reached < .095 else 0}f} %"
            assert share in text, (share, text)

def test_definitions_show_on_focus_and_go_with_escape(page):
    name = page.locator(".mmx-controlhead .mmx-name").nth(1)
    name.focus()
    tip = page.locator(".mmx-controlhead .mmx-tip").nth(1)
    page.keyboard.press("Shift")
    assert name.inner_text() == "Margin" and "Share of spend that remains" in tip.text_content() and "Unit" in tip.text_content()
    name.hover()
    assert tip.is_visible()
    page.keyboard.press("Escape")
    assert not tip.is_visible()
    page.mouse.move(5, 5)

def test_a_rival_can_be_chosen_as_the_line_of_comparison(page):
    before = page.get_attribute(".mmu-curve path >> nth=-1", "d")
    page.select_option(".mmx-select", "mens"); settled(page)
    assert page.get_attribute(".mmu-curve path >> nth=-1", "d") != before
    assert page.locator(".mmu-label").all_text_contents() == ["mens to all"]

def test_nonsense_in_a_box_changes_nothing_and_is_put_right(page):
    sentence = page.inner_text(".mmu-sentence")
    for nonsense in ("", "-3", "101", "1e9"):
        typed(page, "Margin").fill(nonsense); settled(page)
        assert page.inner_text(".mmu-sentence") == sentence
    slider(page, "Depth").focus()
    assert typed(page, "Margin").input_value() == "50"

def test_the_highest_profit_is_the_highest_of_the_curve(page, library):
    page.click("text=Depth of the highest profit"); settled(page)
    library.select(1, **PRICES)
    library.rival = "none"
    assert int(slider(page, "Depth").input_value()) == int(np.nanargmax(library.profits()["profit"]))

def test_names_with_markup_are_shown_as_text(page):
    assert f"the {HOSTILE} to all" in page.inner_text(".mmu-table") and page.locator(".mmu img").count() == 0

def test_everything_has_a_name_and_stays_on_the_screen(page, frozen):
    nameless = page.evaluate("""[...document.querySelectorAll('.mmu input, .mmu select, .mmu button, .mmu [role=img]')]
        .filter(n => !(n.getAttribute('aria-label') || n.textContent.trim() || n.labels?.length)).length""")
    assert nameless == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= frozen[1]
    assert "Targeting" in page.get_attribute(".mmu-plot", "aria-label")

def test_surfaces_follow_the_theme_and_words_can_be_read(page, frozen):
    def brightness(selector, what): return sum(map(int, re.findall(r"\d+", page.evaluate(f"getComputedStyle(document.querySelector('{selector}')).{what}"))[:3]))
    assert (brightness(".mmu-controls", "backgroundColor") < 200) == frozen[2]
    assert abs(brightness(".mmu-controls", "backgroundColor") - brightness(".mmu-sentence", "color")) > 380

def test_the_page_asks_for_nothing_and_the_console_stays_quiet(page, frozen):
    assert frozen[0].outgoing == [] and frozen[0].errors == []
