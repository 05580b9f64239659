"""Tools of the reporting tests: notebooks as dictionaries, a page's parts, and a browser that counts what it is asked for."""
import re
from html.parser import HTMLParser
from pathlib import Path
import pytest

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]
CHROMIUM = Path("/usr/bin/chromium")

def displayed(**forms):
    "An output with the given media types."
    return dict(output_type="display_data", data=forms, metadata={})

def code(source="", *outputs, tags=()):
    return dict(cell_type="code", source=source, outputs=list(outputs), metadata=dict(tags=list(tags)))

def prose(source): return dict(cell_type="markdown", source=source, metadata={})

def notebook(*cells): return dict(cells=list(cells))

class Parts(HTMLParser):
    "Elements, attributes and text of a page, as a browser would see them."
    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.elements, self.attributes, self.text = [], [], []
        self.feed(page)
    def handle_starttag(self, tag, attributes):
        self.elements.append(tag)
        self.attributes += [(tag, name.lower(), value or "") for name, value in attributes]
    def handle_data(self, data): self.text.append(data)

def as_it_reads(page):
    "The text of a page while no word of the glossary is pointed at."
    return re.sub(r'<span class="said".*?</span>|</?dfn[^>]*>', "", page)

@pytest.fixture
def tools():
    class Tools: pass
    Tools.displayed, Tools.code, Tools.prose, Tools.notebook, Tools.Parts = staticmethod(displayed), staticmethod(code), staticmethod(prose), staticmethod(notebook), Parts
    Tools.as_it_reads = staticmethod(as_it_reads)
    return Tools

class Watched:
    "A page in headless Chromium with everything it said and asked for."
    def __init__(self, page):
        self.page, self.said, self.asked, self.dialogs = page, [], [], []
        page.on("console", lambda m: self.said.append(f"{m.type}: {m.text}"))
        page.on("pageerror", lambda e: self.said.append(f"error: {e}"))
        page.on("request", lambda r: self.asked.append(r.url) if not r.url.startswith(("data:", "file:")) else None)
        page.on("dialog", lambda d: (self.dialogs.append(d.message), d.dismiss()))

@pytest.fixture
def chromium(tmp_path):
    "Function (address or file, width, scheme) -> Watched; the browser has a profile of its own and ends with the test."
    if not CHROMIUM.exists(): pytest.skip("Debian's chromium is not installed")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch_persistent_context(str(tmp_path/"profile"), executable_path=str(CHROMIUM), args=FLAGS)
        def open_page(target, width=1280, scheme="light"):
            page = browser.new_page()
            page.set_default_timeout(120_000)
            page.set_viewport_size(dict(width=width, height=900)); page.emulate_media(color_scheme=scheme)
            watched = Watched(page)
            page.goto(str(target) if "://" in str(target) else Path(target).resolve().as_uri())
            page.wait_for_load_state("load")
            return watched
        yield open_page
        browser.close()
