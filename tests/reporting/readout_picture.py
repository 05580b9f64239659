"""Draws nbs/images/readout.png, the picture on the first page: `python tests/reporting/readout_picture.py` after `make run`.

Not a test. It needs Debian's chromium and playwright, so it is run by hand when the readout changes its looks.
"""
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]

def draw(page_file: Path, into: Path) -> Path:
    "The first screen of a readout as PNG, without the empty margins."
    with sync_playwright() as play, TemporaryDirectory() as profile:
        browser = play.chromium.launch_persistent_context(profile, executable_path="/usr/bin/chromium", args=FLAGS, viewport=dict(width=900, height=830))
        page = browser.new_page()
        page.goto(page_file.resolve().as_uri())
        page.screenshot(path=str(into))
        browser.close()
    return into

if __name__ == "__main__":
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT/"data/report/retailer_promo_uplift/campaign_readout.html"
    print(draw(source, ROOT/"nbs/images/readout.png"))
