"""The desk of an approver in a real JupyterLab, driven by headless Chromium, from the list to the ledger."""
import re
import pytest
from approval_shop import HOSTILE, MARKETING, OWNER, ask, build, make_shop
from lab_session import browser, end_kernels, has_chromium, lab, narrow, open_notebook, run_until, write_notebook
from marketing_mlops.explorers.approval_desk import ApprovalDesk
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.workspace.places import write_text

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.skipif(not has_chromium(), reason="Debian's chromium is not installed")]

@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place, _ = make_shop(tmp_path_factory.mktemp("workspace"), models=("churn", "spring"))
    for model in ("churn", "spring"): build(place, model); ask(place, model)
    write_text(place.report_folder("churn")/"model_card.html", "<!doctype html><h1>Model card: churn</h1><script>parent.document.title = 'taken'</script>")
    return place

@pytest.fixture(scope="module")
def opened(place, tmp_path_factory):
    write_notebook(place.root/"desk.ipynb", "from marketing_mlops.explorers.approval_desk import ApprovalDesk\ndesk = ApprovalDesk(key='marketing_key')", "desk", "desk.state()")
    with lab(place.root, tmp_path_factory.mktemp("jupyter"), True) as server, browser(server.address, height=1500, dark=True) as watched:
        open_notebook(server, watched.page, "desk.ipynb")
        run_until(watched.page, ".mma-pick")
        yield watched

def says(page, selector, text): page.wait_for_function("([s, t]) => document.querySelector(s)?.textContent.includes(t)", arg=[selector, text], timeout=120_000)

def log_in(page, role): page.get_by_label("I am").fill(role)

def pick(page, model):
    page.locator(f".mma-pick:has(.mma-model:text-is('{model}'))").click()
    says(page, ".mma-title", f"{model}, bundle")

def kinds(place): return [each.kind for each in Ledger(place).entries()]

def test_in_lab_nobody_answers_without_a_role(opened):
    page = opened.page
    says(page, ".mma-part", "Say which role you are")
    assert page.locator(".mma-approve").is_disabled() and page.locator(".mma-refuse").is_disabled()
    log_in(page, "marketing")
    says(page, ".mma .mmx-problem", "no mail address")

def test_in_lab_the_matter_is_that_of_the_library(opened, place):
    page = opened.page
    log_in(page, MARKETING)
    says(page, ".mma-asked", "waits for you")
    pick(page, "churn")
    said = ApprovalDesk(place, MARKETING, "churn", key=str(place.root/"marketing_key")).matter()
    assert page.inner_text(".mma-stands") == said["stands"] and page.inner_text(".mma-part") == said["part"]
    shown = page.locator(".mma-table tr[data-gate]")
    assert [each.get_attribute("data-gate") for each in shown.all()] == [each["gate"] for each in said["gates"]]
    assert "Few older customers <b>would</b> be contacted." in shown.filter(has_text="fairness").inner_text()
    assert HOSTILE in page.inner_text(".mma") and page.locator(".mma img, .mma b").count() == 0

def test_in_lab_a_page_is_read_beside_the_answer_and_runs_nothing(opened):
    page = opened.page
    assert page.locator("[data-page=monitoring]").is_disabled() and "not made yet" in page.inner_text(".mma-pages")
    page.click("[data-page=model_card]")
    page.frame_locator(".mma-frame").locator("h1").wait_for(timeout=120_000)
    assert page.frame_locator(".mma-frame").locator("h1").inner_text() == "Model card: churn" and page.title() != "taken"
    page.click("text=Close the page")
    opened.errors[:] = [each for each in opened.errors if "sandboxed" not in each]       # the blocked script says so in the console

def test_in_lab_figures_that_cannot_be_measured_say_why(opened):
    page = opened.page
    page.click("text=Measure the figures")
    page.wait_for_function("document.querySelector('.mma').textContent.includes('cannot be measured here')", timeout=120_000)

def test_in_lab_a_yes_is_confirmed_once_signed_and_found_in_the_ledger(opened, place):
    page = opened.page
    page.get_by_label("Reason").fill("Agreed for Monday <i>only</i>")
    page.click(".mma-approve")
    page.wait_for_selector(".mma-confirm:not([hidden])")
    asked = page.inner_text(".mma-confirm")
    assert "You answer for fairness: for a person to decide." in asked and "Rule: approval days: 30" in asked and "Identity: verified." in asked
    assert "approval_granted" not in kinds(place)
    page.keyboard.press("Escape")
    assert page.locator(".mma-confirm").is_hidden() and "approval_granted" not in kinds(place)
    page.click(".mma-approve")
    page.dblclick("text=Yes, I answer for this")
    page.wait_for_selector(".mma-answer[data-kept='true']", timeout=120_000)
    assert "identity: verified" in page.inner_text(".mma-answer")
    says(page, ".mma-yesline", "identity: verified")
    given, = Ledger(place).entries("approval_granted")
    assert (given.subject, given.actor, given.payload["identity"], given.payload["reason"]) == ("churn", MARKETING, "verified", "Agreed for Monday <i>only</i>")
    assert "You have said yes." in page.inner_text(".mma-part")

def test_in_lab_the_second_of_two_is_told_what_the_first_did(opened, place):
    page = opened.page
    pick(page, "spring")
    page.get_by_label("Reason").fill("Too many mails")
    page.click(".mma-approve")
    page.wait_for_selector(".mma-confirm:not([hidden])")
    ApprovalDesk(place, OWNER, "spring").refuse("The spring data are missing")
    before = kinds(place)
    page.click("text=Yes, I answer for this", timeout=120_000)
    page.wait_for_selector(".mma-answer[data-kept='false']", timeout=120_000)
    assert "model-owner@example.com: approval refused, The spring data are missing" in page.inner_text(".mma-answer") and kinds(place) == before
    says(page, ".mma-stands", "refused by model-owner@example.com")

def test_in_lab_the_list_refreshes_by_itself(opened, place):
    ask(place, "spring")
    says(opened.page, ".mma-list", "spring")
    says(opened.page, ".mma-stands", "asked for approval")

def test_in_lab_a_refusal_needs_a_reason(opened, place):
    page = opened.page
    page.get_by_label("Reason").fill("")
    assert page.locator(".mma-refuse").is_disabled() and "A refusal needs a reason" in page.inner_text(".mma")
    page.get_by_label("Reason").fill("Not before May")
    page.locator(".mma-refuse").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".mma-answer[data-kept='true']", timeout=120_000)
    assert Ledger(place).entries("approval_refused", subject="spring")[-1].payload["reason"] == "Not before May"

def test_in_lab_python_knows_who_sits_there(opened):
    page = opened.page
    cell = page.locator(".jp-Notebook .jp-CodeCell").nth(2)
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    page.wait_for_function("[...document.querySelectorAll('.jp-OutputArea-output')].some(n => n.textContent.includes(\"'role': 'marketing@example.com', 'model': 'spring'\"))", timeout=120_000)

def test_in_lab_a_telephone_shows_it_dark_quiet_and_without_sideways_scrolling(opened):
    page = opened.page
    narrow(page)
    wide = page.evaluate("Math.max(...[...document.querySelectorAll('.mma *')].filter(n => n.clientWidth > 1).map(n => n.getBoundingClientRect().right)) - document.querySelector('.mma').getBoundingClientRect().right")
    assert wide <= 4
    colour = page.evaluate("getComputedStyle(document.querySelector('.mma-card')).backgroundColor")
    assert sum(map(int, re.findall(r"\d+", colour)[:3])) < 200
    unnamed = page.evaluate("[...document.querySelectorAll('.mma input, .mma textarea, .mma button')].filter(n => !n.labels?.length && !n.getAttribute('aria-label') && !n.textContent.trim()).length")
    assert unnamed == 0 and opened.outgoing == [] and opened.errors == []

def test_in_lab_an_ended_kernel_is_named(opened):
    page = opened.page
    end_kernels(page)
    page.click("text=Look again")
    page.wait_for_selector(".mma .mmx-problem:not([hidden])", timeout=120_000)
    assert "The kernel does not answer." in page.inner_text(".mma .mmx-problem")
