"""The documentation: built from notebooks without running them, complete, and without asking anybody for anything."""
import importlib, json, re, sys, tomllib
from html.parser import HTMLParser
from pathlib import Path
import pytest
from marketing_mlops.contracts.glossary import Term
from marketing_mlops.reporting.explained_words import explain_words
from marketing_mlops.reporting.pages import render_page
from marketing_mlops.reporting.readme import readme_in_sync, readme_text
from marketing_mlops.reporting.site import build_site, site_texts, write_pages
from marketing_mlops.reporting.site_benchmarks import PROMISES, benchmarks_text
from marketing_mlops.reporting.site_folders import site_notebooks
from marketing_mlops.reporting.site_pages import cell_definitions, exported_cells, page_text, prose_text, reference_text
from marketing_mlops.workspace.errors import WorkspaceError

def cell(kind, source, *outputs): return dict(cell_type=kind, source=source, outputs=list(outputs), metadata={})

PAGES = {
    "nbs/index.ipynb": [cell("markdown", "# Shop\n> Decisions.\n\nSee [the guide](how_to/10_files.ipynb).")],
    "nbs/api/contracts/10_terms.ipynb": [cell("code", "#| default_exp contracts.terms"), cell("markdown", "# Terms\n> Words."), cell("markdown", "#| export\n\n`Term` and `term` differ; `unknown_name` is nobody's."),
        cell("code", "#| export\nimport json"), cell("code", "#| export\nclass Term:\n    \"A word.\"\n    name:str # As written"), cell("code", "#| export\ndef term(\n    name:str, # As `<b>` written\n)->str: # Found\n    \"One word, see `Term`.\"\n    raise RuntimeError('never run')"),
        cell("markdown", "## Use\nCosts $5 and $\\frac{a}{b}$; <b>not bold</b> stays text."),
        cell("code", "term('x')", dict(output_type="stream", name="stdout", text="two ``` ticks"), dict(output_type="stream", name="stderr", text="FutureWarning: old.py:3")),
        cell("code", "frame", dict(output_type="execute_result", data={"text/html": "<table><tr><td>1</td></tr></table><script>alert(1)</script>", "text/plain": "1"})),
        cell("code", "#| hide\nsecret = 1")],
    "nbs/api/jobs/10_results.ipynb": [cell("markdown", "# Results\n> Found."), cell("code", "#| export\ndef main(): ...")],
    "nbs/api/cli/10_commands.ipynb": [cell("markdown", "# Commands\n> Typed."), cell("code", "#| export\ndef main(): ...")],
    "nbs/how_to/10_files.ipynb": [cell("markdown", "# Files\n> Yours.\n\n::: {.callout-note}\nBack to `term`.\n:::")],
    "nbs/jobs/ingest.ipynb": [cell("markdown", "# A job")], "nbs/_drafts/x.ipynb": [cell("markdown", "# Draft")]}
TERMS = [Term("readout", "What an experiment showed."), Term("Readout", "The class of that name."), Term("net_revenue", "Paid <b>less</b> returned.", "EUR", "finance@example.com")]

@pytest.fixture(scope="module")
def project(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    for path, cells in PAGES.items():
        (root/path).parent.mkdir(parents=True, exist_ok=True)
        (root/path).write_text(json.dumps(dict(cells=cells)))
    return root

@pytest.fixture(scope="module")
def site(project):
    pytest.importorskip("sphinx", reason="the docs group is not installed")
    return build_site(project, terms=TERMS, writers={})

class Links(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.loads, self.links, self.ids = [], [], set()
        self.feed(text)
    def handle_starttag(self, tag, attributes):
        a = dict(attributes)
        if "id" in a: self.ids.add(a["id"])
        if tag in ("script", "img", "source", "iframe") and a.get("src"): self.loads.append(a["src"])
        if tag == "link" and a.get("href"): self.loads.append(a["href"])
        if tag == "a" and a.get("href"): self.links.append(a["href"])

def test_jobs_and_drafts_are_no_pages_but_the_box_named_jobs_is(project):
    assert set(site_notebooks(project)) == {"index", "api/contracts/terms", "api/jobs/results", "api/cli/commands", "how_to/files"}

def test_every_link_of_the_site_leads_somewhere_and_nothing_is_loaded_from_outside(site):
    assert site.complaints == ()
    html = site.first_page.parent
    pages = {p: Links(p.read_text()) for p in html.rglob("*.html") if "_static" not in p.parts}
    for page, found in pages.items():
        for address in found.loads: assert not re.match(r"(https?:)?//", address), (page.name, address)
        for link in found.links:
            if re.match(r"(https?:|mailto:)", link): continue
            path, _, anchor = link.partition("#")
            target = (page.parent/path).resolve() if path else page
            assert target.exists(), (page.name, link)
            if anchor and target in pages: assert anchor in pages[target].ids, (page.name, link)

def test_reference_entries_are_linked_from_wherever_a_name_is_mentioned(site):
    guide = (site.first_page.parent/"how_to/files.html").read_text()
    assert "api/contracts/terms.html#contracts-terms-function-term" in guide and "admonition note" in guide
    terms = (site.first_page.parent/"api/contracts/terms.html").read_text()
    assert 'id="contracts-terms-class-term"' in terms and 'id="contracts-terms-function-term"' in terms

def test_pages_show_text_as_text_and_hide_what_is_hidden(site):
    page = (site.first_page.parent/"api/contracts/terms.html").read_text()
    assert "&lt;b&gt;not bold&lt;/b&gt;" in page and "alert(1)" not in page and "secret" not in page and "FutureWarning" not in page
    assert "<mfrac>" in page and "two ``` ticks" in page and "#| export" not in page

def test_the_glossary_puts_terms_that_differ_in_capitals_together(site):
    page = (site.first_page.parent/"glossary.html").read_text()
    assert page.count('id="term-readout"') == 1 and "The class of that name" in page and "Paid &lt;b&gt;less" in page

def test_a_second_build_writes_nothing_that_did_not_change(project, site):
    before = {p: p.stat().st_mtime_ns for p in (project/"_docs/pages").rglob("*.md")}
    build_site(project, terms=TERMS, writers={})
    assert before == {p: p.stat().st_mtime_ns for p in (project/"_docs/pages").rglob("*.md")}

def test_a_page_that_was_removed_leaves_the_site(tmp_path):
    notebooks = {"index": dict(cells=[]), "how_to/old": dict(cells=[cell("markdown", "# Old")])}
    write_pages(site_texts(notebooks, tmp_path), tmp_path)
    write_pages(site_texts({"index": dict(cells=[])}, tmp_path), tmp_path)
    assert not (tmp_path/"how_to/old.md").exists()

def test_a_second_build_in_one_process_complains_about_nothing_new(project, site):
    assert build_site(project, terms=TERMS, writers={}).complaints == ()

def test_a_search_index_that_was_left_broken_is_made_anew(tmp_path, site):
    pytest.importorskip("sphinx")
    for path in ("index", "how_to/other"):
        (tmp_path/f"nbs/{path}.ipynb").parent.mkdir(parents=True, exist_ok=True)
        (tmp_path/f"nbs/{path}.ipynb").write_text(json.dumps(dict(cells=[cell("markdown", f"# Page\n\nAbout {path}.")])))
    built = build_site(tmp_path, terms=TERMS, writers={})
    index = built.first_page.parent/"searchindex.js"
    index.write_text("Search.setInd")
    (tmp_path/"nbs/index.ipynb").write_text(json.dumps(dict(cells=[cell("markdown", "# Page\n\nChanged.")])))
    assert build_site(tmp_path, terms=TERMS, writers={}).complaints == () and "how_to/other" in index.read_text()

def test_the_explorer_of_uplift_is_registered_for_the_site():
    from marketing_mlops.reporting.site_extras import site_writers
    assert site_writers()["uplift"].__name__ == "write_uplift_pages"

@pytest.mark.parametrize("name", ["tables", "segments"])
def test_a_frozen_page_is_registered_for_the_site(repository, name):
    declared = tomllib.loads((repository/"pyproject.toml").read_text())["project"]["entry-points"]["marketing_mlops.site"]
    module, function = declared[name].split(":")
    assert callable(getattr(importlib.import_module(module), function))

def test_without_sphinx_the_error_names_make_docs(project, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "sphinx.application", None)
    with pytest.raises(WorkspaceError, match="make docs"): build_site(project, tmp_path/"out", terms=TERMS)

def test_every_page_of_this_repository_can_be_turned_into_documentation(repository):
    notebooks = site_notebooks(repository)
    for address, page in notebooks.items():
        text = page_text(page, {}, address, str)
        assert text.startswith("# "), f"{address} begins with no title"
        assert not re.search(r"^#\| ", re.sub(r"^(```+).*?^\1$", "", text, flags=re.S | re.M), re.M), address

def test_a_decorated_or_one_line_definition_has_its_signature():
    for source, head in [("@cache\ndef f(a:int)->int: return a", "def f(a:int)->int:"), ("class E(ValueError): 'No.'", "class E(ValueError)")]:
        assert head in reference_text(source, {}, "api/x/y")
    assert list(cell_definitions("@patch\ndef go(self:Run, n=1): ...")) == ["Run.go"]
    assert exported_cells(dict(cells=[cell("code", ["#| export\n", "x = 1"]), cell("code", "y = 2")])) == ["x = 1"]

def test_readme_says_what_the_first_page_says(repository):
    assert readme_in_sync(repository), "README.md is stale: run `python -m marketing_mlops.reporting.readme`"

def test_readme_links_and_pictures_exist(repository):
    text = (repository/"README.md").read_text()
    for target in re.findall(r"\]\((?!https?:|mailto:|#)([^)\s]+)\)", text): assert (repository/target).exists(), target
    assert all(each.stat().st_size < 200_000 for each in (repository/"nbs/images").glob("*.png"))

def test_links_inside_code_are_left_alone():
    assert "`[x](y.ipynb)`" in readme_text(dict(cells=[cell("markdown", "`[x](y.ipynb)`")]))
    assert prose_text("[web](https://example.com/a.ipynb)", {}) == "[web](https://example.com/a.ipynb)"

def test_benchmarks_and_changelog_are_pages_that_say_what_the_files_say(project, tmp_path):
    pytest.importorskip("sphinx", reason="the docs group is not installed")
    for name, text in (("CHANGELOG.md", "# Changelog\n\n- `terms.nothing` and `contracts.terms.term(name)` stay; see [files](nbs/how_to/10_files.ipynb).\n"), ("benchmarks/pipeline.py", '"""How long a run takes."""'),
                       ("benchmarks/results/pipeline.json", json.dumps(dict(command="python benchmarks/pipeline.py", commit="9d6e411aa", first_run_s=70, unchanged_run_s=2)))):
        (tmp_path/name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path/name).write_text(text)
    for path, cells in PAGES.items():
        (tmp_path/path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path/path).write_text(json.dumps(dict(cells=cells)))
    built = build_site(tmp_path, terms=TERMS, writers={})
    html = built.first_page.parent
    assert built.complaints == () and "1 of 2 promises" in (html/"benchmarks.html").read_text() and "9d6e411" in (html/"benchmarks.html").read_text()
    changelog = (html/"changelog.html").read_text()
    assert 'href="how_to/files.html"' in changelog and changelog.count("contracts-terms-function-term") == 1
    assert all(f'href="{name}.html"' in built.first_page.read_text() for name in ("benchmarks", "changelog", "glossary"))

def test_every_record_of_a_benchmark_in_this_repository_is_on_the_page(repository):
    records = {file.stem for file in (repository/"benchmarks/results").glob("*.json")}
    text = benchmarks_text(repository)
    assert text.count("\n## ") == len(records) and {each.benchmark for each in PROMISES} <= records and "not recorded" not in text

def test_words_are_explained_once_in_a_section_and_never_in_code_headings_or_links(site):
    page = explain_words('<h1>Readout</h1><p><a href="x">readout</a> <code>readout</code> readout and Readouts</p><table><td class="number">readout 3</td></table><h2>Readout</h2><p>readout</p>',
                         dict(readout='<script>alert("x")</script>'))
    assert page.count("<dfn") == 2 and page.count("<script") == 0 and page.count("&lt;script&gt;") == 2
    assert page.index("<dfn") > page.index("</code>")

def test_a_text_that_was_remembered_is_made_anew_when_a_name_moves(project, tmp_path):
    notebooks = site_notebooks(project)
    first = site_texts(notebooks, tmp_path, kept=tmp_path/"kept")
    assert site_texts(notebooks, tmp_path, kept=tmp_path/"kept") == first == site_texts(notebooks, tmp_path)
    moved = {("api/contracts/words" if address == "api/contracts/terms" else address): page for address, page in notebooks.items()}
    assert "contracts-words-function-term" in site_texts(moved, tmp_path, kept=tmp_path/"kept")["how_to/files"]

@pytest.mark.browser
@pytest.mark.parametrize("width, scheme", [(1280, "light"), (390, "dark")])
def test_a_definition_shows_under_the_mouse_at_the_keyboard_and_under_a_finger_within_the_screen(chromium, tmp_path, width, scheme):
    page = tmp_path/"page.html"
    cells = [cell("markdown", "# Page\n\nWho is in the holdout?\n\n" + "word "*300)]
    page.write_text(render_page(dict(cells=cells)), encoding="utf-8")
    watched = chromium(page, width, scheme)
    word, said = watched.page.locator("dfn.term").first, watched.page.locator(".said").first
    assert not said.is_visible()
    for show, leave in ((word.hover, lambda: watched.page.mouse.move(5, 5)), (lambda: watched.page.keyboard.press("Tab"), lambda: watched.page.locator("body").evaluate("e => document.activeElement.blur()")), (word.click, lambda: None)):
        show()
        box = said.bounding_box()
        assert said.is_visible() and box["x"] >= 0 and box["x"] + box["width"] <= width and box["y"] + box["height"] <= 900
        leave()
    assert watched.page.evaluate("document.documentElement.scrollWidth") <= width and not watched.said and not watched.asked
    assert word.get_attribute("aria-describedby") == said.get_attribute("id")

@pytest.mark.browser
@pytest.mark.parametrize("width, scheme", [(1280, "light"), (390, "dark")])
def test_the_site_opens_and_searches_without_a_request(site, chromium, width, scheme):
    watched = chromium(f"{site.first_page.parent.as_uri()}/search.html?q=returned", width, scheme)
    watched.page.wait_for_selector("#search-results li")
    assert "Glossary" in watched.page.inner_text("#search-results")
    assert not watched.asked and not [m for m in watched.said if m.startswith("error")]
    page = chromium(site.first_page.parent/"api/contracts/terms.html", width, scheme).page
    assert page.evaluate("document.documentElement.scrollWidth") <= width
