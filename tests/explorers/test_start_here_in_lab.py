"""The page `make lab` opens, in a real JupyterLab: after the first run, and before it."""
import shutil
import pytest
from app_workspace import empty_workspace, filled_workspace
from lab_session import browser, has_chromium, lab, open_notebook, run_until
from marketing_mlops.explorers.explorer_pages import EXPLORER_PAGES, open_explorer

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.skipif(not has_chromium(), reason="Debian's chromium is not installed")]

def with_pages(place, repository):
    for name in ("tutorials/00_start_here.ipynb", "reports/explorer_snapshot.ipynb"):
        (place.root/"nbs"/name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(repository/"nbs"/name, place.root/"nbs"/name)
    return place

def open_page(server, page):
    open_notebook(server, page, "nbs/tutorials/00_start_here.ipynb")
    run_until(page, ".mmd-card")
    page.wait_for_function("[...document.querySelectorAll('.jp-OutputArea-output')].some(o => o.textContent.includes('of all visits'))", timeout=120_000)
    page.locator(".mmd").first.scroll_into_view_if_needed()       # what is far from the screen JupyterLab does not draw
    page.wait_for_selector(".mmd-card >> nth=0", timeout=120_000)

def test_after_the_first_run_an_explorer_opens_from_the_page(tmp_path, repository):
    place = with_pages(filled_workspace(tmp_path/"shop"), repository)
    with lab(place.root, tmp_path/"jupyter") as server, browser(server.address) as watched:
        page = watched.page
        open_page(server, page)
        assert page.locator(".mmd-card").count() == len(EXPLORER_PAGES)
        page.click("[data-explorer=table] .mmd-open")
        page.wait_for_selector(".mmd-content .mmx-in[d]", timeout=120_000)
        library = open_explorer(place, "table")
        assert f"{library.codes.rows:,}" in page.locator(".mmx-selected").first.inner_text()
        assert watched.outgoing == [] and watched.errors == []
        assert page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr'], .jp-RenderedText[data-mime-type*=error]").count() == 0

def test_before_the_first_run_it_says_what_to_type_and_still_shows_a_finding(tmp_path, repository):
    place = with_pages(empty_workspace(tmp_path/"shop"), repository)
    with lab(place.root, tmp_path/"jupyter") as server, browser(server.address) as watched:
        page = watched.page
        open_page(server, page)
        assert "mmops run" in page.locator(".mmd-missing").first.text_content() and page.locator(".mmd-open").count() == 0
        assert page.locator(".jp-RenderedText[data-mime-type*=error]").count() == 0
        assert watched.outgoing == [] and watched.errors == []

def test_make_lab_opens_this_page(repository):
    assert "default_url=/lab/tree/nbs/tutorials/00_start_here.ipynb" in (repository/"tasks.py").read_text() and (repository/"nbs"/"tutorials"/"00_start_here.ipynb").is_file()
