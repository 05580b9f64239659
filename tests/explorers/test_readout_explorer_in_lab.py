"""The explorer of a readout in a real JupyterLab, driven by headless Chromium: every view says what the library says."""
import re
import pytest
from lab_session import browser, end_kernels, has_chromium, lab, narrow, open_notebook, run_until, write_notebook
from readout_example import HOSTILE, IN_MAY, LOOK, customers, read
from marketing_mlops.explorers.readout_explorer import ReadoutExplorer
from marketing_mlops.explorers.readout_views import view_of

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.skipif(not has_chromium(), reason="Debian's chromium is not installed")]
MAIL = HOSTILE # somebody typed markup into the name of an arm
CELL = f"""import pandas as pd
from readout_example import *
from marketing_mlops.explorers.readout_explorer import ReadoutExplorer
units = pd.read_parquet('units.parquet')
readout = read(units, mail={MAIL!r})
explorer = ReadoutExplorer(readout, units, look_into=LOOK, clock=IN_MAY)
explorer"""

@pytest.fixture(scope="module")
def library():
    units = customers(MAIL)
    return ReadoutExplorer(read(units, mail=MAIL), units, look_into=LOOK, clock=IN_MAY)

@pytest.fixture(scope="module")
def opened(tmp_path_factory, request):
    root = tmp_path_factory.mktemp("workspace")
    customers(MAIL).to_parquet(root/"units.parquet")
    (root/"readout_example.py").write_text((request.path.parent/"readout_example.py").read_text())
    write_notebook(root/"readout.ipynb", CELL, "explorer.chosen['view'], explorer.chosen['day']")
    with lab(root, tmp_path_factory.mktemp("jupyter"), True) as server, browser(server.address, dark=True) as watched:
        open_notebook(server, watched.page, "readout.ipynb")
        run_until(watched.page, ".mmr-plot circle")
        yield watched

def view(page, name): page.click(f".mmr-view[data-view={name}]"); page.wait_for_timeout(120)

def choose(page, label, value): page.locator(f".mmr .mmx-choice:has-text('{label}') select").select_option(value); page.wait_for_timeout(120)

def shown(page): return page.inner_text(".mmr-says")

def squeezed(words): return re.sub(r"\s+", " ", words).strip()

def test_in_lab_the_decision_is_the_readouts_and_every_metric_and_arm_says_what_the_library_says(opened, library):
    page = opened.page
    assert page.inner_text(".mmr-decided") == library.figures["decision"]["sentence"] and library.figures["decision"]["word"] in page.inner_text(".mmr-badge")
    view(page, "effects")
    for metric in library.figures["metrics"]:
        for arm in library.figures["arms"]:
            choose(page, "Metric", metric["name"]); choose(page, "Arm", arm)
            assert squeezed(shown(page)) == squeezed(library.select("effects", metric=metric["name"], arm=arm))
            rows = view_of(library.figures, library.chosen)["rows"]
            words = page.locator(".mmr-plot .mmr-figures").all_text_contents()
            assert words == [r["short"] for r in rows]
    assert page.locator(".mmr img").count() == 0 and HOSTILE in page.inner_text(".mmr-table >> nth=-1")

def test_in_lab_a_row_of_the_table_chooses_and_its_interval_is_the_librarys(opened, library):
    page = opened.page
    view(page, "effects")
    for effect in library.figures["effects"]:
        button = page.locator(f".mmr-pick[data-key={effect['metric'] + '/' + effect['arm']!r}]")
        button.focus(); page.keyboard.press("Enter"); page.wait_for_timeout(120)
        assert button.get_attribute("aria-pressed") == "true" and button.evaluate("node => node.getRootNode().activeElement === node")
        cells = page.locator("tr.mmr-chosen").inner_text()
        assert effect["words"] in cells and effect["interval"] in cells and effect["verdict"]["message"] in cells

def test_in_lab_days_are_labelled_and_arrow_keys_go_through_them(opened, library):
    page = opened.page
    view(page, "effects"); choose(page, "Metric", "spend_per_customer"); choose(page, "Arm", "long_mail"); view(page, "days")
    assert "After the fact, not a basis for decisions" in page.inner_text(".mmr-picture .mmr-warning")
    page.locator(".mmr input[type=range]").focus()
    days = library.figures["days"]["days"]
    for day in days[::-1][1:4]:
        page.keyboard.press("ArrowLeft"); page.wait_for_timeout(120)
        assert squeezed(shown(page)) == squeezed(library.select("days", metric="spend_per_customer", arm="long_mail", day=day))
    assert page.locator(".jp-Notebook .jp-CodeCell").count() == 2

def test_in_lab_dragging_in_the_chart_moves_the_day_and_python_learns_it(opened, library):
    page = opened.page
    view(page, "days")
    plot = page.locator(".mmr-plot")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    page.mouse.move(box["x"] + .9*box["width"], box["y"] + 120); page.mouse.down()
    page.mouse.move(box["x"] + 70, box["y"] + 120, steps=8); page.mouse.up(); page.wait_for_timeout(600)
    day = library.figures["days"]["days"][0]
    assert squeezed(shown(page)) == squeezed(library.select("days", metric="spend_per_customer", arm="long_mail", day=day))
    cell = page.locator(".jp-Notebook .jp-CodeCell").nth(1)
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    page.wait_for_function("day => [...document.querySelectorAll('.jp-OutputArea-output')].some(o => o.textContent.includes(`('days', '${day}')`))", arg=day, timeout=120_000)

def test_in_lab_groups_of_the_promise_and_others_are_told_apart(opened, library):
    page = opened.page
    view(page, "segments")
    for segment in ("market", *LOOK):
        for arm in library.figures["arms"]:
            choose(page, "Groups by", segment); choose(page, "Arm", arm)
            assert squeezed(shown(page)) == squeezed(library.select("segments", segment=segment, arm=arm))
            warning = page.locator(".mmr-picture .mmr-warning")
            assert warning.is_visible() == (segment != "market")
            assert len(page.locator(".mmr-plot .mmr-figures").all()) == len(view_of(library.figures, library.chosen)["rows"])

def test_in_lab_two_hundred_choices_leave_the_last_and_the_cell_to_copy_follows(opened, library):
    page = opened.page
    view(page, "days"); choose(page, "Metric", "spend_per_customer"); choose(page, "Arm", "long_mail")
    page.locator(".mmr input[type=range]").evaluate("""async node => { for (let k = 0; k < 200; k++) { node.value = (3 * k) % 8; node.dispatchEvent(new Event('input', {bubbles: true})); if (k % 10 === 9) await new Promise(f => setTimeout(f, 130)) } }""")
    library.select("days", metric="spend_per_customer", arm="long_mail", day=library.figures["days"]["days"][3*199 % 8], segment=LOOK[-1])
    assert squeezed(shown(page)) == squeezed(view_of(library.figures, library.chosen)["says"])
    page.wait_for_function("words => document.querySelector('.mmr .mmx-code').textContent === words", arg=library.code(), timeout=120_000)

def test_in_lab_everything_has_a_name_and_the_sentence_is_spoken(opened, library):
    page = opened.page
    nameless = page.evaluate("""[...document.querySelectorAll('.mmr input, .mmr select, .mmr button, .mmr [role=img]')]
        .filter(n => !(n.getAttribute('aria-label') || n.textContent.trim() || n.labels?.length)).length""")
    assert nameless == 0
    view(page, "effects"); page.wait_for_timeout(700)
    assert shown(page) in page.text_content(".mmr .mmx-spoken")
    assert "spend" in page.get_attribute(".mmr-plot", "aria-label").lower()

def test_in_lab_a_telephone_shows_it_dark_quiet_and_without_sideways_scrolling(opened):
    page = opened.page
    narrow(page)
    for name in ("effects", "days", "segments"):
        view(page, name)
        wide = page.evaluate("Math.max(...[...document.querySelectorAll('.mmr *')].map(n => n.getBoundingClientRect().right)) - document.querySelector('.mmr').getBoundingClientRect().right")
        assert wide <= 4, name
    colour = page.evaluate("getComputedStyle(document.querySelector('.mmr-picture')).backgroundColor")
    assert sum(map(int, re.findall(r"\d+", colour)[:3])) < 200
    assert opened.outgoing == [] and opened.errors == []

def test_in_lab_an_ended_kernel_is_named_and_the_figures_go_on(opened, library):
    page = opened.page
    end_kernels(page)
    view(page, "effects"); choose(page, "Metric", "unsubscribe_rate")
    page.wait_for_selector(".mmr .mmx-problem:not([hidden])", timeout=120_000)
    assert "The kernel does not answer." in page.inner_text(".mmr .mmx-problem") and "run the cell again" in page.inner_text(".mmr .mmx-problem")
    assert squeezed(shown(page)) == squeezed(library.select("effects", metric="unsubscribe_rate", arm="long_mail"))
