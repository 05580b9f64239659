"""The small workspace of these tests."""
import pytest
from governed_workspace import make_workspace

@pytest.fixture
def shop(tmp_path): return make_workspace(tmp_path/"shop")
