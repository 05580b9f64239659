"""Draws nbs/images/<explorer>.png, the pictures of explorers on the first page and in tutorials: `python tests/explorers/explorer_pictures.py` after `make run`.

Not a test. It needs Debian's chromium and playwright, so it is run by hand when an explorer changes its looks. What it
shows are the simulated retailer's customers, moved as the tutorials move them.
"""
import os, sys
from pathlib import Path
from app_workspace import come, running_app
from lab_session import browser

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT/"nbs"/"images"

def show(page, name, choice, ready):
    page.select_option(f"[data-explorer={name}] select", choice)
    page.click(f"[data-explorer={name}] .mmd-open")
    page.wait_for_selector(f".mmd-content {ready}", timeout=300_000)
    page.wait_for_timeout(1_500)

def take(page, selector, name, height):
    "The part of the page that `selector` names, from its top."
    page.mouse.move(0, 0); page.evaluate("document.activeElement.blur()")
    box = page.locator(selector).first.bounding_box()
    page.screenshot(path=str(IMAGES/f"{name}.png"), clip=dict(x=box["x"] - 12, y=box["y"] - 8, width=box["width"] + 24, height=min(box["height"], height)), full_page=True)
    page.click(".mmd-bar .mmx-button")
    print(IMAGES/f"{name}.png")

def typed(page, frame, label, value):
    field = page.locator(f"{frame} input[type=number][aria-label^='{label}'], {frame} .mmx-control:has(label:text-is('{label}')) input[type=number]").first
    field.fill(value)
    field.press("Enter")

def segment_builder(page):
    show(page, "segments", "source/retailer", ".mms-sentence")
    typed(page, ".mms", "orders_365d, at least", "3")
    typed(page, ".mms", "recency_days, at least", "90")
    page.wait_for_timeout(2_000)
    take(page, ".mms", "segment_builder", 740)

def experiment_planner(page):
    show(page, "plan", "retailer", ".mmp-answer")
    page.locator(".mmp textarea").first.fill("A mail with free delivery raises net revenue within two weeks")
    for label, value in (("Worthwhile gain", "1"), ("Gain hoped for", "2"), ("Cost of a contact", "0.45")): typed(page, ".mmp", label, value)
    page.wait_for_timeout(2_000)
    take(page, ".mmp", "experiment_planner", 780)

if __name__ == "__main__":
    with running_app(ROOT, dict(os.environ)) as (address, _), browser(address.split("/?")[0], width=1120, height=1000) as watched:
        come(watched.page, address)
        for draw in (segment_builder, experiment_planner):
            if len(sys.argv) < 2 or draw.__name__ in sys.argv[1:]: draw(watched.page)
