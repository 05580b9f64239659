"""The planner of experiments in a real JupyterLab, driven by headless Chromium, from the first sentence to the ledger."""
import re
import pytest
from lab_session import browser, end_kernels, has_chromium, lab, narrow, open_notebook, run_until, write_notebook
from planned_shop import HOSTILE, make_shop, rows_of_shop
from marketing_mlops.explorers.experiment_planner import planner_of
from marketing_mlops.governance.experiment_entries import record_lesson, registered_experiments
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.reporting.plan_drafts import plan_rows, plan_sentences

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.skipif(not has_chromium(), reason="Debian's chromium is not installed")]

BEFORE = dict(name="old_promo", hypothesis=HOSTILE, objective="Autumn", owner="marketing@example.com", control="none", arms=dict(none=.5, mail=.5), goal="net_revenue_per_customer",
              worthwhile_effect=.4, currency="EUR", outcome_window_days=14, stopping_rule="none_known")
MODEL = dict(owner="model-owner@example.com", purpose="Who gets it", audience="Everybody", source="shop", task="uplift", experiment=BEFORE)
START = dict(worthwhile=.5, hoped=2.5, weekly_customers=500, contact_cost=.03)

@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = make_shop(tmp_path_factory.mktemp("workspace"), rows_of_shop(4_000), dict(promo=MODEL))
    record_lesson(place, "old_promo", "Ask for a minimum order.", "marketing@example.com")
    return place

@pytest.fixture(scope="module")
def library(place): return planner_of(place)

@pytest.fixture(scope="module")
def opened(place, tmp_path_factory):
    write_notebook(place.root/"plan.ipynb", "from marketing_mlops.explorers.experiment_planner import planner_of\nplanner = planner_of()", f"planner.select(**{START!r})\nplanner",
                   "planner.chosen.hypothesis, planner.chosen.days", "planner.select(hoped=3.5)\nplanner.select(power=.9).plan.n_customers")
    with lab(place.root, tmp_path_factory.mktemp("jupyter"), True) as server, browser(server.address, height=1600, dark=True) as watched:
        open_notebook(server, watched.page, "plan.ipynb")
        run_until(watched.page, ".mmp-mark circle")
        watched.page.wait_for_function("document.querySelector('.mmp-table tr')?.textContent.includes(',')")
        watched.page.wait_for_timeout(1_000)
        yield watched

def field(page, label, kind="input"): return page.locator(f".mmp-field:has(label:text-is('{label}')) {kind}")

def slider(page, label): return page.locator(f".mmp .mmx-control:has(label:text-is('{label}')) input[type=range]")

def typed(page, label): return page.locator(f".mmp .mmx-control:has(label:text-is('{label}')) input[type=number]")

def shows(page, draft):
    "The page shows a plan, every sentence and figure of it."
    wanted = [list(row.values()) for row in plan_rows(draft)]
    page.wait_for_function("wanted => JSON.stringify([...document.querySelectorAll('.mmp-table tr')].map(r => [...r.children].map(c => c.textContent))) === JSON.stringify(wanted)", arg=wanted, timeout=120_000)
    assert page.locator(".mmp-sentences p").all_inner_texts() == plan_sentences(draft)

def run_cell(page, k):
    cell = page.locator(".jp-Notebook .jp-CodeCell").nth(k)
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    page.wait_for_timeout(1_500)
    return cell

def test_in_lab_the_first_figures_are_those_of_python(opened, library):
    run_cell(opened.page, 3)     # the notebook chose in its last cell; the form has followed
    library.select(**START | dict(hoped=3.5, power=.9))
    shows(opened.page, library.draft())
    assert typed(opened.page, "Gain hoped for").input_value() == "3.5"

def test_in_lab_arrow_keys_move_the_slider_and_not_the_notebook(opened, library):
    page = opened.page
    active = "[...document.querySelectorAll('.jp-Cell')].findIndex(c => c.classList.contains('jp-mod-active'))"
    slider(page, "Chance of seeing it").focus()
    before = page.evaluate(active)
    for _ in range(5): page.keyboard.press("ArrowLeft")
    page.keyboard.press("a"); page.keyboard.press("ArrowUp"); page.keyboard.press("ArrowDown")
    library.select(power=.85)
    shows(page, library.draft())
    assert page.evaluate(active) == before and page.locator(".jp-Notebook .jp-CodeCell").count() == 4

def test_in_lab_what_is_typed_is_planned_and_past_tests_come_near(opened, library):
    page = opened.page
    field(page, "Hypothesis", "textarea").fill(HOSTILE)
    typed(page, "Gain hoped for").fill("2.75")
    library.select(hypothesis=HOSTILE, hoped=2.75)
    shows(page, library.draft())
    page.wait_for_function("document.querySelector('.mmp-near').textContent.includes('Learnt: Ask for a minimum order.')", timeout=120_000)
    assert HOSTILE in page.inner_text(".mmp-near") and page.locator(".mmp img").count() == 0
    page.wait_for_function("words => document.querySelectorAll('.mmp .mmx-code')[1].textContent === words", arg=library.code().splitlines()[1], timeout=120_000)

def test_in_lab_a_press_in_the_chart_plans_for_that_week(opened, library):
    page = opened.page
    plot = page.locator(".mmp-plot")
    plot.scroll_into_view_if_needed()
    circles = page.locator(".mmp-curve circle").all()
    box = circles[3].bounding_box()
    page.mouse.click(box["x"] + box["width"]/2, box["y"] + 40)
    words = circles[3].text_content()
    week = library.by_week()
    size = int(week[week.weeks == int(re.search(r"After (\d+) weeks", words)[1])].customers.iloc[0])
    draft = library.select(n_customers=size)
    shows(page, draft)
    assert typed(page, "Customers").input_value() == str(size)
    page.locator(".mmp-check input").first.check()
    shows(page, library.select(n_customers=None))

def test_in_lab_a_wish_that_cannot_be_granted_is_refused_in_words(opened, library):
    page = opened.page
    typed(page, "Gain hoped for").fill("0.1")
    page.wait_for_selector(".mmp .mmx-problem:not([hidden])", timeout=120_000)
    assert "not above the worthwhile one" in page.inner_text(".mmp .mmx-problem")
    assert page.locator(".mmp-table td").all_inner_texts() == ["see above"] and page.locator(".mmp-register").is_disabled()
    typed(page, "Gain hoped for").fill("2.75")
    shows(page, library.draft())
    assert page.locator(".mmp .mmx-problem").is_hidden()

def test_in_lab_arms_are_added_named_and_shared(opened, library):
    page = opened.page
    page.click("text=Add an arm")
    library.select(arms=[["control", 1/3], ["treatment", 1/3], ["treatment_2", 1/3]])
    shows(page, library.draft())
    page.get_by_label("Name of arm 3").fill("voucher")
    page.get_by_label("Share of the control in per cent").fill("50")
    page.wait_for_selector(".mmp .mmx-problem:not([hidden])", timeout=120_000)
    assert "sum to" in page.inner_text(".mmp .mmx-problem")
    page.get_by_label("Share of arm 2 in per cent").fill("25"); page.get_by_label("Share of arm 3 in per cent").fill("25")
    shows(page, library.select(arms=[["control", .5], ["treatment", .25], ["voucher", .25]]))
    page.get_by_label("Remove arm 3").click()
    shows(page, library.select(arms=[["control", .5], ["treatment", .5]]))

def test_in_lab_two_hundred_moves_leave_the_last_one_shown(opened, library):
    page = opened.page
    slider(page, "Gain hoped for").evaluate("""async node => { for (let k = 0; k < 200; k++) { node.value = 2 + (k % 50) / 25; node.dispatchEvent(new Event('input', {bubbles: true})); if (k % 10 === 9) await new Promise(f => setTimeout(f, 8)) } }""")
    last = float(slider(page, "Gain hoped for").input_value())
    shows(page, library.select(hoped=last))

def test_in_lab_a_baseline_somebody_knows_better_is_taken_and_given_back(opened, library):
    page = opened.page
    field_of = page.locator(".mmp-figure:has(label:text-is('Baseline')) input")
    page.locator(".mmp-figure:has(label:text-is('Spread')) input").fill("20")
    shows(page, library.select(spread=20))
    page.click("text=As measured")
    shows(page, library.select(spread=None))
    assert float(field_of.input_value()) == pytest.approx(library.draft().baseline.mean, rel=1e-3)

def test_in_lab_the_promise_is_registered_once(opened, place, library):
    page, button = opened.page, opened.page.locator(".mmp-register")
    assert button.is_disabled() and "who registers it" in page.inner_text(".mmp-buttons:has(.mmp-register)")
    field(page, "Name").fill("free_shipping_2026")
    field(page, "Registered by").fill("marketing")
    page.wait_for_function("document.querySelector('.mmp .mmx-code').textContent.includes('free_shipping_2026')", timeout=120_000)
    button.click()
    page.wait_for_selector(".mmp-answer[data-kept='false']", timeout=120_000)
    assert "no mail address" in page.inner_text(".mmp-answer") and not registered_experiments(place)
    field(page, "Registered by").fill("marketing@example.com")
    button.dblclick()
    page.wait_for_selector(".mmp-answer[data-kept='true']", timeout=120_000)
    assert "free_shipping_2026 is registered by marketing@example.com." in page.inner_text(".mmp-answer")
    draft = library.select(name="free_shipping_2026")
    kept = registered_experiments(place)["free_shipping_2026"]
    assert (kept.promise["planned_customers"], kept.promise["hypothesis"]) == (draft.plan.n_customers, HOSTILE)
    assert len(Ledger(place).entries("experiment_registered")) == 1 and not Ledger(place).entries("experiment_amended")
    assert button.is_disabled() and "stands in the ledger" in page.inner_text(".mmp-buttons:has(.mmp-register)")

def test_in_lab_another_promise_under_the_same_name_is_refused(opened, place, library):
    page = opened.page
    typed(page, "Worthwhile gain").fill("0.75")
    shows(page, library.select(worthwhile=.75))
    page.locator(".mmp-register").click()
    page.wait_for_selector(".mmp-answer[data-kept='false']", timeout=120_000)
    assert "worthwhile effect 0.50 → 0.75" in page.inner_text(".mmp-answer")
    assert len(Ledger(place).entries("experiment_registered", "experiment_amended")) == 1

def test_in_lab_python_learns_what_was_chosen(opened):
    page = opened.page
    slider(page, "Days to react").evaluate("node => { node.value = 10; node.dispatchEvent(new Event('input', {bubbles: true})) }")
    page.wait_for_timeout(1_500)
    assert "10)" in run_cell(page, 2).locator(".jp-OutputArea-output").inner_text()

def test_in_lab_a_telephone_shows_it_dark_quiet_and_without_sideways_scrolling(opened):
    page = opened.page
    narrow(page)
    wide = page.evaluate("Math.max(...[...document.querySelectorAll('.mmp *')].map(n => n.getBoundingClientRect().right)) - document.querySelector('.mmp').getBoundingClientRect().right")
    assert wide <= 4
    colour = page.evaluate("getComputedStyle(document.querySelector('.mmp-card')).backgroundColor")
    assert sum(map(int, re.findall(r"\d+", colour)[:3])) < 200
    named = page.evaluate("""[...document.querySelectorAll('.mmp input, .mmp select, .mmp textarea, .mmp button')].filter(n => !n.labels?.length && !n.getAttribute('aria-label') && !n.textContent.trim()).length""")
    assert named == 0 and opened.outgoing == [] and opened.errors == []

def test_in_lab_an_ended_kernel_is_named(opened):
    page = opened.page
    end_kernels(page)
    slider(page, "Gain hoped for").evaluate("node => { node.value = 3; node.dispatchEvent(new Event('input', {bubbles: true})) }")
    page.wait_for_selector(".mmp .mmx-problem:not([hidden])", timeout=120_000)
    assert "The kernel does not answer." in page.inner_text(".mmp .mmx-problem") and "run the cell again" in page.inner_text(".mmp .mmx-problem")
