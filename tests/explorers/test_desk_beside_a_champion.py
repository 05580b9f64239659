"""The approval desk in the app beside a champion that was released: what changed, and the figures of both, measured there."""
import re, shutil
import pytest
from app_workspace import come, guarded, kernels_busy, running_app, sideways
from lab_session import browser, has_chromium
from lookups import without_lookups
from shop_after_a_run import ANALYST, MARKETING, MODEL, OWNER, grants, key_of, mmops, says, show, sit, workspace_after_a_run
from marketing_mlops.explorers.approval_desk import ApprovalDesk

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.skipif(not has_chromium(), reason="Debian's chromium is not installed")]

@pytest.fixture(scope="module")
def successor(first_run, tmp_path_factory):
    "The first candidate is the champion, and the next one, with fewer trees, waits for an approval."
    place = workspace_after_a_run(first_run, tmp_path_factory.mktemp("champion")/"workspace")
    for role in (MARKETING, OWNER): mmops(place, "approve", MODEL, "--as", role, MMOPS_SIGNING_KEY=str(key_of(place, role)))
    mmops(place, "release", MODEL, "--as", OWNER)
    params = place.path("params.yaml")
    fewer = params.read_text().replace("max_iter: 60, learning_rate: 0.1", "max_iter: 25, learning_rate: 0.1")
    assert fewer != params.read_text(), "params.yaml has changed: adapt the successor"
    params.write_text(fewer)
    mmops(place, "run", MODEL, "--no-open")
    mmops(place, "request", MODEL, "--as", ANALYST, "--reason", "fewer trees")
    assert grants(place) == [(MARKETING, "verified"), (OWNER, "verified")]
    yield place
    shutil.rmtree(place.root, ignore_errors=True)

def test_figures_against_the_champion_are_measured_at_the_desk(successor, tmp_path):
    place, key = successor, str(key_of(successor, MARKETING))
    with running_app(place.root, without_lookups(tmp_path/"lookups.txt") | dict(MMOPS_SIGNING_KEY=key)) as (address, process), browser(address.split("/?")[0]) as watched:
        page, home = watched.page, address.split("/?")[0]
        guarded(watched, home)
        come(page, address)
        show(page, "approvals", ".mma-pick")
        sit(page, MARKETING)
        desk = ApprovalDesk(place, MARKETING, MODEL, key=key)
        said = desk.matter()
        assert page.inner_text(".mma-stands") == said["stands"] and said["structure"].startswith("A refresh of the champion") and said["structure"] in page.inner_text("[aria-label='What is other than the champion']")
        assert page.locator(".mma-table tr[data-gate=fairness] td").nth(1).inner_text() == next(each["before"] for each in said["gates"] if each["gate"] == "fairness") != ""
        measure = page.locator("[aria-label='What is other than the champion'] .mmx-button")
        with kernels_busy(process):                       # a long measurement is called that, and not a kernel that does not answer
            measure.click()
            assert measure.inner_text() == "Measuring …" and measure.is_disabled()
            page.click("[data-page=data_quality]")
            says(page, ".mma .mmx-problem", "The figures are still being measured")
        page.wait_for_function("[...document.querySelectorAll('.mma .mmx-button')].some(n => n.textContent === 'Measure the figures again' && !n.disabled)", timeout=120_000)
        sentence, rows = desk.figures()
        assert rows and sentence in page.inner_text("[aria-label='What is other than the champion']")
        shown = page.locator("[aria-label='What is other than the champion'] tbody tr").evaluate_all("rows => rows.map(row => [...row.children].map(cell => cell.textContent))")
        assert shown == [[f"{row['figure']}{row['asks']}", *(row[name] or "–" for name in ("candidate", "champion", "difference")), f"{row['word']}{row['note']}"] for row in rows]
        page.frame_locator(".mma-frame").locator("h1").first.wait_for(timeout=120_000)
        assert page.locator(".mma .mmx-problem").is_hidden() and sideways(page) == []
        page.set_viewport_size(dict(width=390, height=844)); page.emulate_media(color_scheme="dark"); page.wait_for_timeout(500)
        assert sideways(page) == [] and sum(map(int, re.findall(r"\d+", page.evaluate("getComputedStyle(document.querySelector('.mma-card')).backgroundColor"))[:3])) < 200
        assert watched.outgoing == [] and [each for each in watched.errors if "sandboxed" not in each] == []
