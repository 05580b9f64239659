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
    monkeypatch.setattr("IPython.display.display", boxes.append)
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
