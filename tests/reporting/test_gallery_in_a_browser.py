"""The gallery in headless Chromium: names do nothing, the search finds, the address remembers, the keyboard reaches everything."""
from datetime import datetime, timedelta, timezone
import pytest
from gallery_example import BEGAN, add_many, add_run, gallery_workspace, page_text
from test_pages_are_safe import ATTACKS
from marketing_mlops.reporting.galleries import cover_path, write_gallery

pytestmark = pytest.mark.browser
NOW = datetime(2026, 12, 1, 9, tzinfo=timezone.utc)

@pytest.fixture(scope="module")
def four_hundred(tmp_path_factory):
    workspace = gallery_workspace(tmp_path_factory.mktemp("gallery"))
    runs = add_many(workspace, 400)
    return workspace, runs, write_gallery(workspace, NOW).index

def hits(watched): return watched.page.locator("#hits").inner_text()
def ask(watched, **words):
    for name, value in words.items():
        field = watched.page.locator(f"#{name}")
        field.select_option(value) if field.evaluate("e => e.tagName") == "SELECT" else field.fill(value)

def test_no_name_runs_loads_or_restyles_anything(chromium, tmp_path):
    workspace = gallery_workspace(tmp_path/"shop")
    for i, attack in enumerate(ATTACKS.values()):
        results = dict(decision=attack, owner=attack, sentence=attack, labels=[attack], figures={attack: dict(value=i + .5, note=attack)})
        for j in (0, 1): last = add_run(workspace, "weekly_performance", f"shop{i}", BEGAN + timedelta(days=i, hours=j), page=page_text(attack, {attack: f"{attack}{j}"}, (attack,), {"Owner": attack}),
                                        results=results | dict(figures={attack: dict(value=i + j + .5, note=attack + "!"*j)}), parameters=dict(campaign=attack, market=attack, channel=attack))
        add_run(workspace, "weekly_performance", f"shop{i}", BEGAN + timedelta(days=i, hours=2), status="failed", error=dict(problem=attack, remedy=attack))
    index = write_gallery(workspace, NOW).index
    watched = chromium(index)
    watched.page.wait_for_timeout(200)
    assert watched.page.title() == "Gallery of reports" and (watched.said, watched.asked, watched.dialogs) == ([], [], [])
    assert watched.page.locator("#list li").count() == 30 and '<script>document.title="pwned"</script>' in watched.page.locator("#market").inner_text()
    for run_id in watched.page.evaluate("JSON.parse(document.getElementById('runs').textContent).runs.map(r => r[0])")[:6]:
        seen = chromium(cover_path(workspace, run_id))
        assert "pwned" not in seen.page.title().replace('"pwned"', "") and (seen.said, seen.asked, seen.dialogs) == ([], [], [])

def test_search_and_filters_find_exactly_what_fits(chromium, four_hundred):
    workspace, runs, index = four_hundred
    watched = chromium(index)
    assert hits(watched).startswith("400 of 400 runs")
    ask(watched, status="failed")
    assert hits(watched).startswith("8 of 400") and "Name a week before." in watched.page.locator("#list li").first.inner_text()
    ask(watched, status="", market="UK", report="monitoring")
    expected = sum(run.job == "monitoring" and run.parameters["market"] == "UK" for run in runs)
    assert hits(watched).startswith(f"{expected} of 400")
    watched.page.locator("#clear").click()
    ask(watched, q="FINANCE weekly shop_5")
    assert hits(watched).startswith(f"{sum(run.job == 'weekly_performance' and run.key == 'shop_5' and run.results.get('owner') == 'finance@example.com' for run in runs)} of 400")
    ask(watched, q="", **{"from": "2026-01-06", "to": "2026-01-06"})
    assert hits(watched).startswith(f"{sum(run.started_at[:10] == '2026-01-06' for run in runs)} of 400")
    ask(watched, q="there is no such thing")
    assert hits(watched).startswith("None of 400 runs fits")

def test_the_count_of_failures_is_a_link_to_them(chromium, four_hundred):
    watched = chromium(four_hundred[2])
    watched.page.get_by_role("link", name="8 failed").click()
    watched.page.locator("#hits").filter(has_text="8 of 400").wait_for()     # the browser tells of a new address a moment later
    assert hits(watched).startswith("8 of 400") and watched.page.locator("#status").input_value() == "failed" and not watched.said
    watched.page.locator("#clear").click()
    assert hits(watched).startswith("400 of 400")

def test_typing_on_and_going_back_finds_what_a_fresh_look_finds(chromium, four_hundred):
    watched, index = chromium(four_hundred[2]), four_hundred[2]
    for text in ("w", "week 1", "week 12", "week 1", "weekly", "weekly shop_5", "shop_5", ""):
        ask(watched, q=text)
        assert hits(watched) == hits(chromium(f"{index.resolve().as_uri()}#q={text}")), text
    ask(watched, q="week", market="UK")
    ask(watched, market="DE")
    assert hits(watched) == hits(chromium(f"{index.resolve().as_uri()}#q=week&market=DE"))
    watched.page.locator("#list li").nth(29).wait_for()          # the page allows no text to be run, so no condition as text either
    assert watched.page.locator("#list li").count() == 30

def test_what_was_asked_for_stands_in_the_address_and_can_be_sent(chromium, four_hundred):
    index = four_hundred[2]
    watched = chromium(index)
    ask(watched, q="Net revenue & more", market="DE", status="ship")
    address = watched.page.url
    assert "#q=Net%20revenue%20%26%20more&" in address and "market=DE" in address
    again = chromium(address)
    assert again.page.locator("#q").input_value() == "Net revenue & more" and hits(again) == hits(watched)
    strange = chromium(f"{index.resolve().as_uri()}#market=Atlantis&q=%E0%A4%A")
    assert hits(strange).startswith("None of 400") and strange.page.locator("#market").input_value() == "Atlantis" and not strange.said

def test_every_control_has_a_name_and_the_keyboard_reaches_a_run(chromium, four_hundred):
    watched = chromium(four_hundred[2])
    names = watched.page.evaluate("[...document.querySelectorAll('input,select')].map(e => e.labels[0]?.textContent ?? '')")
    assert all(names) and watched.page.locator("#hits").get_attribute("aria-live") == "polite"
    watched.page.keyboard.press("Tab")
    assert watched.page.evaluate("document.activeElement.textContent") == "8 failed"
    watched.page.keyboard.press("Tab")
    assert watched.page.evaluate("document.activeElement.id") == "q"
    watched.page.keyboard.type("model card week 44")
    for _ in range(20):
        watched.page.keyboard.press("Tab")
        if watched.page.evaluate("document.activeElement.tagName") == "A": break
    watched.page.keyboard.press("Enter")
    watched.page.wait_for_url("**/runs/*/index.html")
    assert "Model card" in watched.page.title() and watched.page.get_by_role("link", name="Open the report").is_visible()
    watched.page.get_by_role("link", name="Open the report").click()
    watched.page.wait_for_url("**/page.html")

def test_more_are_shown_on_demand_and_the_first_new_one_has_the_focus(chromium, four_hundred):
    watched = chromium(four_hundred[2])
    watched.page.get_by_role("button", name="Show 30 more").click()                 # appears when the first thirty are there
    assert watched.page.locator("#list li").count() == 60
    assert watched.page.evaluate("[...document.querySelectorAll('#list li')].indexOf(document.activeElement.closest('li'))") == 30

@pytest.mark.parametrize("width", [1280, 390])
def test_list_and_cover_fit_their_screen(chromium, four_hundred, width):
    workspace, runs, index = four_hundred
    for page in (index, cover_path(workspace, runs[399].run_id), cover_path(workspace, runs[280].run_id)):
        assert chromium(page, width).page.evaluate("document.documentElement.scrollWidth") <= width
