"""Every error is two lines and survives the way to another process."""
import copy, pickle
import pytest
from hypothesis import given, strategies as st
from marketing_mlops.workspace import errors
from marketing_mlops.workspace.errors import DataError, MmopsError, closest

KINDS = [kind for name in errors.__all__ if isinstance(kind := getattr(errors, name), type)]

@given(problem=st.text(), remedy=st.text())
def test_the_text_of_an_error_never_has_more_than_two_lines(problem, remedy):
    lines = str(MmopsError(problem, remedy)).split("\n")
    assert len(lines) == 2 and not any("\r" in line for line in lines)

@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_survives_pickle_and_copy_with_its_fields(kind):
    raised = kind("p", "r", **({"file": "f.csv", "rows": [1]} if issubclass(kind, DataError) else {"key": "k"}))
    for again in (pickle.loads(pickle.dumps(raised)), copy.deepcopy(raised)):
        assert type(again) is kind and str(again) == str(raised) and again.fields == raised.fields

@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_one_of_ours(kind): assert issubclass(kind, MmopsError) and kind.__doc__

def test_absent_facts_of_a_data_error_are_none():
    assert (DataError("p", "r").file, DataError("p", "r").column, DataError("p", "r").rows) == (None, None, None)

@given(name=st.text(), allowed=st.lists(st.text()))
def test_a_suggestion_is_always_an_allowed_name(name, allowed):
    found = closest(name, allowed)
    assert found == "" or any(found == f" Did you mean {each!r}?" for each in allowed)

def test_a_name_that_is_not_a_text_gets_no_crash(): assert closest(None, ["x"]) == "" and closest(2026, ["2026"]) == " Did you mean '2026'?"
