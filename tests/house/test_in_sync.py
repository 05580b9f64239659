"""What is committed is what the notebooks say. That every page runs on its own is the business of run_pages.py."""
import os, shutil, subprocess, sys
from pathlib import Path
import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent

def git(*words, cwd=ROOT): return subprocess.run(["git", *words], cwd=cwd, capture_output=True, text=True, check=True).stdout

@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    "A clone's worth of the tracked files as they are now, with a commit of its own to compare with."
    folder = tmp_path_factory.mktemp("copy")/"marketing_mlops_copy"
    for name in git("ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0"):
        if name and (ROOT/name).is_file():
            (folder/name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT/name, folder/name)
    git("init", "-q", cwd=folder); git("add", "-A", cwd=folder)
    git("-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-qm", "copy", cwd=folder)
    return folder

def run(folder, *command):
    done = subprocess.run([str(BIN/command[0]), *command[1:]], cwd=folder, capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(folder)})
    assert done.returncode == 0, done.stdout+done.stderr

# `nbdev-export` reads pyproject.toml anew four thousand times, which is a third of its time; here it is read once.
EXPORT = """
import functools, nbdev.config
nbdev.config._load_toml = functools.cache(nbdev.config._load_toml)
from nbdev.doclinks import nbdev_export
nbdev_export()
"""

def test_export_changes_nothing(copy):
    run(copy, "python", "-c", EXPORT)
    assert git("status", "--porcelain", cwd=copy) == ""

def test_clean_changes_nothing(copy):
    run(copy, "nbdev-clean")
    assert git("status", "--porcelain", cwd=copy) == ""
