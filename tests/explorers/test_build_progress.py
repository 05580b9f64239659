"""Somebody who waits for ten million rows sees how far they are, and the bar goes away however the work ends."""
import sys
import pytest
from marketing_mlops.explorers import build_progress
from marketing_mlops.explorers.build_progress import show_progress

@pytest.fixture
def shown(monkeypatch):
    "What a notebook displayed."
    boxes = []
    monkeypatch.setattr(build_progress, "runs_in_notebook", lambda: True)
    class Shown:
        def update(self, what): self.left = what.data
    def display(box, display_id): boxes.append(box); return Shown()
    monkeypatch.setattr("IPython.display.display", display)
    return boxes

def test_a_notebook_shows_a_bar_and_what_is_being_coded(shown):
    with show_progress("Coding orders", 2_000_000) as report:
        report(1, 4, "channel")
        bar, words, stop = shown[0].children
        assert (bar.value, words.value) == (.25, "Coding orders: channel") and "■" in stop.value

def test_the_bar_goes_away_when_the_work_is_stopped(shown, monkeypatch):
    import ipywidgets
    closed = []
    monkeypatch.setattr(ipywidgets.HBox, "close", lambda box: closed.append(box))
    with pytest.raises(KeyboardInterrupt):
        with show_progress("Coding orders", 2_000_000): raise KeyboardInterrupt
    assert closed == shown

def test_a_terminal_gets_a_bar_and_a_short_table_none(monkeypatch):
    started = []
    monkeypatch.setattr(build_progress, "_terminal_bar", lambda title: started.append(title) or ((lambda *step: started.append(step)), lambda: started.append("gone")))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with show_progress("Coding visits", 10) as report: report(1, 1, "channel")
    assert started == []
    with show_progress("Coding orders", 2_000_000) as report: report(2, 4, "market")
    assert started == ["Coding orders", (2, 4, "market"), "gone"]

def test_a_notebook_that_is_opened_again_has_no_bar_that_is_gone():
    import nbformat
    from nbclient import NotebookClient
    cell = "from marketing_mlops.explorers.build_progress import show_progress\nwith show_progress('Coding orders', 2_000_000) as report: report(1, 4, 'channel')"
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    NotebookClient(book, timeout=120, kernel_name="python3").execute()
    assert [dict(output.data) for output in book.cells[0].outputs] == [{"text/plain": "<IPython.core.display.HTML object>", "text/html": ""}]
