"""A verdict is never greener than its reasons, and nothing shown can run or tear a table."""
import json
from datetime import date
import numpy as np
import pytest
from hypothesis import given, strategies as st
from marketing_mlops.contracts.verdict import (DECISIONS, NEEDS_EVIDENCE, VERDICT_STATUSES, Decision, Reason, Verdict, combine, judged, markdown_table,
                                               markdown_text, worst_status)

statuses = st.sampled_from(VERDICT_STATUSES)
def verdict(status, subject="x"): return judged(subject, [] if status == "pass" else [Reason("code", "message", severity=status)])

@given(st.lists(statuses, min_size=1))
def test_the_worst_of_several_decides(found):
    combined = combine([verdict(status) for status in found])
    assert combined.status == worst_status(found)
    assert combined.passed == (set(found) == {"pass"})

@given(st.lists(statuses, min_size=1), st.lists(statuses, min_size=1))
def test_combining_in_steps_changes_nothing(left, right):
    steps = combine([combine([verdict(s) for s in left], "left"), combine([verdict(s) for s in right], "right")])
    assert steps.status == combine([verdict(s) for s in [*left, *right]]).status

def test_nothing_judged_is_unknown_and_not_a_pass():
    assert combine([]).status == "unknown" and not combine([]).passed and not judged("x", [Reason("c", "m", severity="unknown")]).passed

@given(statuses, statuses)
def test_no_verdict_is_milder_than_its_reason(status, severity):
    reason = Reason("c", "m", severity=severity)
    if VERDICT_STATUSES.index(severity) > VERDICT_STATUSES.index(status):
        with pytest.raises(ValueError): Verdict("x", status, [reason])
    else: assert Verdict("x", status, [reason]).status == status

@pytest.mark.parametrize("value, plain", [(np.float64(.5), .5), (np.int64(3), 3), (np.bool_(True), True), ("<b>", "<b>"), (date(2026, 1, 1), "2026-01-01"), (None, None)])
def test_values_of_a_reason_become_plain_and_survive_json(value, plain):
    found = judged("x", [Reason("c", "m", value, value, severity="review")])
    assert Verdict.from_dict(json.loads(json.dumps(found.to_dict()))) == found and found.reasons[0].value == plain
    assert type(found.reasons[0].value) is type(plain)

@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float64("nan")])
def test_what_is_no_number_is_no_value(value):
    with pytest.raises(ValueError, match="must be finite"): Reason("c", "m", value, severity="review")

@pytest.mark.parametrize("kind, decision", [(kind, decision) for kind, allowed in DECISIONS.items() for decision in allowed])
@pytest.mark.parametrize("status", VERDICT_STATUSES)
def test_acting_needs_evidence_that_neither_failed_nor_is_missing(kind, decision, status):
    make = lambda: Decision("x", kind, decision, "sentence", [verdict(status)], "marketing@example.com", date(2026, 1, 1), "more data")
    if decision in NEEDS_EVIDENCE and status in ("fail", "unknown"):
        with pytest.raises(ValueError, match="cannot rest on"): make()
    else: assert Decision.from_dict(json.loads(json.dumps(make().to_dict()))) == make()

@pytest.mark.parametrize("kind, decision", [("experiment", "promote"), ("canary", "ship"), ("experimnt", "ship"), ("retraining", "")])
def test_no_decision_outside_its_closed_set(kind, decision):
    with pytest.raises(ValueError, match="must be one of"): Decision("x", kind, decision, "sentence")

NASTY = ["<script>alert(1)</script>", "a|b", "`code`", "*bold* _it_ __b__", "[x](javascript:alert(1))", "![x](http://example.com/x.png)", "line\nbreak", "\\|", "# title",
         "&lt;b&gt;", "<!-- x -->", "~~gone~~", "$x$", "http://example.com/x", "🎉|", "- item", "1. item", "| --- |", "a  \nb"]

@pytest.mark.parametrize("text", NASTY)
def test_shown_text_stays_text(text):
    markdown_it = pytest.importorskip("markdown_it")
    import html, re
    page = markdown_it.MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(markdown_table(["a", "b"], [[text, text]]))
    assert page.count("<td>") == 2 and not re.search(r"<(script|img|a|em|strong|code|s|h1|ul|ol)\b", page)
    cell = re.search(r"<td>(.*?)</td>", page, re.S)[1]
    assert html.unescape(cell) == " ".join(text.split())

@given(st.text())
def test_markdown_text_is_one_line(text): assert "\n" not in markdown_text(text) and "<" not in markdown_text(text)
