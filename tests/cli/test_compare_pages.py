"""`mmops compare-pages`: two revisions of a report from the same data, and nothing left behind in the workspace."""
import json, re, subprocess
import pytest
from marketing_mlops.cli.commands import main
from marketing_mlops.reporting.reports import run_report
from marketing_mlops.workspace.places import find_workspace, write_text

pytestmark = pytest.mark.edges
AS = ["-c", "user.name=analyst", "-c", "user.email=analyst@example.com"]

def git(root, *words): return subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, check=True).stdout

def write_report(root, source):
    cells = [dict(cell_type="markdown", id="t", metadata={}, source="# Spring"),
             dict(cell_type="code", id="p", metadata=dict(tags=["parameters"]), source='market = "DE" # Market', outputs=[], execution_count=None),
             dict(cell_type="code", id="c", metadata={}, source=source, outputs=[], execution_count=None)]
    kernel = dict(kernelspec=dict(name="python3", display_name="python3", language="python"))
    write_text(root/"nbs/reports/spring.ipynb", json.dumps(dict(cells=cells, metadata=kernel, nbformat=4, nbformat_minor=5)))

@pytest.fixture
def shop(tmp_path, monkeypatch):
    root = tmp_path/"shop"
    write_text(root/"settings.ini", "[DEFAULT]\nreporting_currency = EUR\n")
    write_text(root/".gitignore", "/data\n")
    write_text(root/"data/validate/gains.txt", "148")
    write_report(root, "from pathlib import Path\nfrom marketing_mlops.jobs.results import record\nfrom marketing_mlops.workspace.places import find_workspace\n"
                       "record('gain', int(find_workspace().path('data', 'validate', 'gains.txt').read_text()))")
    git(root, "init", "-q"); git(root, "add", "."); git(root, *AS, "commit", "-qm", "before")
    monkeypatch.chdir(root)
    run_report("spring", {}, find_workspace())
    return root

def test_a_moved_figure_stands_on_the_page_with_both_sides_and_the_workspace_stays_as_it_was(shop, capsys):
    source = json.loads((shop/"nbs/reports/spring.ipynb").read_text())["cells"][2]["source"]
    write_report(shop, source.replace("'gain', int(", "'gain', -int("))
    git(shop, *AS, "commit", "-qam", "after")
    before = {p: p.stat().st_mtime_ns for p in (shop/"data").rglob("*")}
    assert main(["compare-pages", "HEAD~1", "--into", str(shop.parent/"change.html"), "--no-open"]) == 0
    page = (shop.parent/"change.html").read_text()
    assert "1 of 1 reports changed" in capsys.readouterr().out
    assert re.search(r">148</td><td[^>]*>-148</td>", page) and page.count("<iframe") == 2 and "<script" not in page
    assert before == {p: p.stat().st_mtime_ns for p in (shop/"data").rglob("*")}
    assert git(shop, "worktree", "list").count("\n") == 1 and git(shop, "status", "--porcelain") == ""

def test_a_report_that_broke_says_why_in_its_place(shop, capsys):
    write_report(shop, "raise ValueError('no <b>margin</b>')")
    git(shop, *AS, "commit", "-qam", "broken")
    assert main(["compare-pages", "HEAD~1", "--into", str(shop.parent/"change.html"), "--no-open"]) == 0
    page = (shop.parent/"change.html").read_text()
    assert "Not made" in page and ">absent</td>" in page and "no &amp;lt;b&amp;gt;margin" in page

def test_a_revision_nobody_knows_is_told_in_two_lines(shop, capsys):
    assert main(["compare-pages", "no_such_branch", "--no-open"]) == 1
    assert "git says" in capsys.readouterr().err
