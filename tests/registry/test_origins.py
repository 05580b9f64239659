"""A revision is named only where git vouches for it, and a note about a making never lies about another one."""
import os, subprocess
import pytest
from marketing_mlops.registry.origins import git_revision, note_origin, noted_origin
from marketing_mlops.workspace.clock import ReplayClock, instant_of
from marketing_mlops.workspace.places import find_workspace, write_text

def git(root, *words):
    own = ["-c", "user.name=analyst", "-c", "user.email=analyst@example.com", "-c", "commit.gpgsign=false"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return subprocess.run(["git", "-C", str(root), *own, *words], check=True, capture_output=True, text=True, env=clean).stdout.strip()

def settings(root): write_text(root/"settings.ini", "[DEFAULT]\nreporting_currency = EUR\n"); return find_workspace(root)

@pytest.fixture
def committed(tmp_path):
    shop = settings(tmp_path/"shop with a blank")
    git(shop.root, "init"), git(shop.root, "add", "."), git(shop.root, "commit", "-m", "A shop")
    return shop

def test_the_revision_is_the_one_git_names(committed): assert git_revision(committed) == git(committed.root, "rev-parse", "HEAD")

@pytest.mark.parametrize("path", ["params.yaml", "settings.ini", "nbs/new page.ipynb", "data/sources/shop/mapping.yaml"])
def test_a_changed_or_new_file_makes_the_revision_half_the_truth(committed, path):
    write_text(committed.root/path, "changed\n")
    assert git_revision(committed) == git(committed.root, "rev-parse", "HEAD") + " with uncommitted changes"

@pytest.mark.parametrize("path", ["data/ledger/laptop.jsonl", "data/live/churn.json", "dvc.lock", "data/replays/dvc.lock"])
def test_what_runs_and_decisions_write_is_no_change(committed, path):
    write_text(committed.root/path, "changed\n")
    assert git_revision(committed) == git(committed.root, "rev-parse", "HEAD")

def test_a_workspace_without_git_without_a_commit_or_unknown_to_the_repository_around_it_has_no_revision(tmp_path, committed):
    assert git_revision(settings(tmp_path/"plain")) == "unknown"
    fresh = settings(tmp_path/"fresh")
    git(fresh.root, "init")
    assert git_revision(fresh) == "unknown"
    git(fresh.root, "add", ".")
    assert git_revision(fresh) == "unknown"
    write_text(committed.root/".gitignore", "inner/\n")
    assert git_revision(settings(committed.root/"inner")) == "unknown"

def test_without_the_program_git_the_revision_is_unknown(committed, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_revision(committed) == "unknown"

def test_the_variables_of_a_git_hook_do_not_lead_to_another_repository(committed, monkeypatch, tmp_path):
    monkeypatch.setenv("GIT_DIR", str(tmp_path/"elsewhere"))
    assert git_revision(committed) == git(committed.root, "rev-parse", "HEAD")

def test_a_note_is_found_by_its_bundle_alone_and_the_newest_making_counts(committed):
    for day in ("01", "02"): note_origin(committed, "a"*64, clock=ReplayClock(instant_of(f"2026-03-{day}T08:00:00Z")))
    assert noted_origin(committed, "a"*64).made_at == "2026-03-02T08:00:00+00:00"
    assert noted_origin(committed, "b"*64).made_at == "unknown"
