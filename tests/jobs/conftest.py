"""A workspace whose pipeline has run, and which can be told to fail."""
import shutil
import pytest
from workspace_outputs import BREAK

@pytest.fixture(scope="session")
def _made_template(_tiny_template, tmp_path_factory):
    from marketing_mlops.jobs.pipeline import reproduce
    from marketing_mlops.workspace.places import find_workspace
    folder = tmp_path_factory.mktemp("made")/"workspace"
    shutil.copytree(_tiny_template, folder, symlinks=True)
    with open(folder/"marketing_mlops"/"workspace"/"places.py", "a") as f: f.write(BREAK)
    made = reproduce(find_workspace(folder))
    assert {s.status for s in made.stages} == {"made"}
    return folder

@pytest.fixture
def made_workspace(_made_template, tmp_path):
    "A tiny workspace in which every stage has run; see `workspace_outputs.BREAK` for how to break it."
    folder = tmp_path/"workspace"
    shutil.copytree(_made_template, folder, symlinks=True)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
