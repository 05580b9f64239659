"""Pages opened in headless Chromium: nothing runs, nothing is fetched, everything can be read."""
import json
import pytest
from marketing_mlops.reporting.pages import render_page
from marketing_mlops.reporting.reports import report_index
from marketing_mlops.workspace.places import find_workspace
from test_pages_are_safe import ATTACKS, everything

pytestmark = pytest.mark.browser

@pytest.mark.parametrize("live", [False, True], ids=["static", "live"])
def test_no_attack_runs_and_nothing_is_asked_for(chromium, tmp_path, live):
    page = tmp_path/"page.html"
    cells = [cell for attack in ATTACKS.values() for cell in everything(attack)["cells"]]
    page.write_text(render_page(dict(cells=cells), title="Attacks", live=live), encoding="utf-8")
    watched = chromium(page)
    watched.page.wait_for_timeout(1500 if live else 200)
    assert watched.page.title() == "Attacks"
    assert (watched.said, watched.asked, watched.dialogs) == ([], [], [])
    if live: assert watched.page.locator("div.chart svg").count() == len(ATTACKS)

@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_a_page_fits_its_screen_and_is_readable_in_both_lights(chromium, tmp_path, width, scheme):
    page = tmp_path/"page.html"
    page.write_text(render_page(everything("Spring sale, an arm with quite a long name indeed"), title="Readout"), encoding="utf-8")
    watched = chromium(page, width, scheme)
    assert watched.page.evaluate("document.documentElement.scrollWidth") <= width
    ink, paper = watched.page.evaluate("[getComputedStyle(document.querySelector('h1')).color, getComputedStyle(document.documentElement).backgroundColor]")
    bright = [sum(int(x) for x in c[4:-1].split(",")[:3]) for c in (ink, paper)]
    assert (bright[0] < bright[1]) == (scheme == "light") and abs(bright[0] - bright[1]) > 450

def test_a_chart_changes_its_colours_with_the_readers_light(chromium, tmp_path):
    page = tmp_path/"page.html"
    page.write_text(render_page(everything("Spring"), title="Readout"), encoding="utf-8")
    pictures = {}
    for scheme in ("light", "dark"):
        watched = chromium(page, 1280, scheme)
        pictures[scheme] = watched.page.locator("figure img").last.screenshot()
    assert pictures["light"] != pictures["dark"]

def test_a_narrow_screen_gets_a_chart_drawn_for_it(chromium, tmp_path):
    page = tmp_path/"page.html"
    page.write_text(render_page(everything("Spring"), title="Readout"), encoding="utf-8")
    wide, narrow = (chromium(page, width).page.evaluate("[...document.querySelectorAll('figure img')].at(-1).naturalWidth") for width in (1280, 390))
    assert wide > 700 and narrow <= 340

def test_on_paper_a_page_is_dark_on_white_and_without_code(chromium, tmp_path):
    page = tmp_path/"page.html"
    page.write_text(render_page(everything("Spring"), title="Readout"), encoding="utf-8")
    watched = chromium(page, 1280, "dark")
    watched.page.emulate_media(media="print")
    assert watched.page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(255, 255, 255)"
    assert watched.page.evaluate("getComputedStyle(document.querySelector('h1')).color") == "rgb(27, 36, 48)"
    assert not watched.page.locator("details.code").is_visible()

def test_the_list_of_reports_opens_without_a_request(chromium, tmp_path):
    (tmp_path/"settings.ini").write_text("[DEFAULT]\nreporting_currency = EUR\n")
    folder = tmp_path/"data"/"report"/"spring"
    folder.mkdir(parents=True)
    (folder/"campaign_readout.html").write_text("<!doctype html><title>Readout</title>")
    (folder/"campaign_readout.json").write_text(json.dumps(dict(report="campaign_readout", parameters=dict(model="spring"), results=dict(decision="hold", sentence="Hold: too few."))))
    watched = chromium(report_index(find_workspace(tmp_path)), 390)
    watched.page.get_by_role("link").click()
    watched.page.wait_for_url("**/campaign_readout.html")
    assert watched.page.title() == "Readout" and not watched.asked

def test_the_figures_below_a_narrow_chart_do_not_run_into_each_other(chromium, tmp_path):
    import pandas as pd
    from marketing_mlops.reporting.charts import NARROW, draw_svg, house_theme
    from marketing_mlops.reporting.plots import plot_intervals
    gains = pd.DataFrame([dict(arm="an arm with quite a long name", gain=2.27, low=1.19, high=3.34)])
    chart = plot_intervals(gains, label="arm", value="gain", low="low", high="high", unit="USD", worthwhile=.5, title="Gain").to_dict()
    picture = tmp_path/"chart.html"
    picture.write_text(draw_svg(chart | house_theme(), NARROW), encoding="utf-8")
    boxes = chromium(picture, 390).page.evaluate("""[...document.querySelectorAll('text')].filter(t => /^[0-9.]+$/.test(t.textContent) && getComputedStyle(t).opacity > 0)
        .map(t => t.getBoundingClientRect()).map(b => [b.left, b.right]).sort((a, b) => a[0] - b[0])""")
    assert len(boxes) >= 3 and all(right + 4 <= left for (_, right), (left, _) in zip(boxes, boxes[1:])), boxes
