"""Every kind of candidate, for properties that hold for all of them."""
import pytest
from drawn_customers import KINDS

@pytest.fixture(params=KINDS.values(), ids=KINDS)
def kind(request): return request.param
