"""Of many cases that go the same way through other programs, the first few are tested always and the others by `make test-slow`."""
import pytest

def first_always(cases, n=1):
    "Cases for `parametrize`, all but the first n marked slow."
    def slow(case): return pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.slow)
    return [case if i < n else slow(case) for i, case in enumerate(cases)]
