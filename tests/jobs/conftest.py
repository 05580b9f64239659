"""A workspace whose pipeline has run, and which can be told to fail."""
import shutil
import pytest

@pytest.fixture
def made_workspace(first_run, tmp_path):
    "A tiny workspace in which every stage has run; see `workspace_outputs.BREAK` for how to break it."
    folder = tmp_path/"workspace"
    shutil.copytree(first_run/"workspace", folder, symlinks=True)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
