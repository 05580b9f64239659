"""Tables are the same everywhere, questions are for people, browsers only where there is one."""
import sys
import pytest
from hypothesis import given, strategies as st
from marketing_mlops.cli.terminal import confirm, is_interactive, page_address, printable, text_table, terminal_progress

@given(st.text())
def test_no_text_from_data_steers_the_terminal(text):
    shown = printable(text)
    assert shown.isprintable() and "\n" not in shown

@given(st.lists(st.fixed_dictionaries({"arm": st.text(), "n": st.integers()}), min_size=1, max_size=5))
def test_a_table_has_one_line_per_row(rows):
    assert len(text_table(rows).splitlines()) == len(rows)+2

def test_a_missing_key_prints_as_empty():
    assert text_table([{"arm": "mail", "lift": 0.5}, {"arm": "none"}]).splitlines()[-1] == "none"

@pytest.fixture
def terminal(monkeypatch):
    "A person at a terminal."
    for stream in (sys.stdin, sys.stdout): monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    for name in ("CI", "JPY_PARENT_PID"): monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")

@pytest.mark.parametrize("name, value", [("CI", "true"), ("JPY_PARENT_PID", "4711"), ("TERM", "dumb")])
def test_nobody_is_asked_where_nobody_can_type(terminal, monkeypatch, name, value):
    assert is_interactive()
    monkeypatch.setenv(name, value)
    assert not is_interactive() and confirm("Write it?") is None

def test_enter_means_no(terminal, monkeypatch):
    for answer, expected in (("", False), ("n", False), ("maybe", False), ("y", True), (" YES ", True)):
        monkeypatch.setattr("builtins.input", lambda _, answer=answer: answer)
        assert confirm("Write it?") is expected

def test_a_script_is_never_asked(monkeypatch):
    monkeypatch.setattr("builtins.input", lambda _: pytest.fail("asked a script"))
    assert confirm("Write it?") is None

def test_progress_in_a_log_is_one_line_per_step(capsys):
    with terminal_progress("work") as step:
        step("ingest\x1b[2J")
        step("validate")
    captured = capsys.readouterr()
    assert captured.err == "" and captured.out.splitlines() == ["ingest\\x1b[2J", "validate"]

def test_an_address_is_relative_in_a_log_and_clickable_at_a_terminal(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = tmp_path/"größe #1.html"
    page.write_text("x")
    assert page_address(page, at_terminal=False) == "größe #1.html"
    assert page_address(page, at_terminal=True) == page.resolve().as_uri()
