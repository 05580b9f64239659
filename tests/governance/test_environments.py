"""Environments are apart: what goes from one to the other is named, checked, and nothing there is overwritten."""
import hashlib, os, shutil, subprocess, sys
from pathlib import Path
import pytest
from marketing_mlops.cli.commands import main
from marketing_mlops.governance.environment_copies import bundle_versions, copied_bundle, copied_versions
from marketing_mlops.governance.environments import environment_drift, environment_place
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.governance.named_bundles import named_bundle
from marketing_mlops.registry.bundle_files import BundleError, opened_files
from marketing_mlops.workspace.errors import DataError, SettingsError, WorkspaceError
from marketing_mlops.workspace.places import find_workspace

MODEL = "retailer_churn_90d"
BIN = Path(sys.executable).parent

def git(folder, *words):
    done = subprocess.run(["git", "-C", str(folder), "-c", "user.name=tests", "-c", "user.email=tests@example.com", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout

@pytest.fixture
def shops(first_run, tmp_path):
    "The tiny workspace after its run, committed, and a clone of it without any data."
    here, there = tmp_path/"shop", tmp_path/"shop 🧪"
    shutil.copytree(first_run/"workspace", here, symlinks=True)
    settings = (here/"settings.ini").read_text()
    assert settings.count("[development]") == settings.count("[staging]") == 1
    (here/"settings.ini").write_text(settings.replace("[development]", "[development]\nartefact_root = ../shop/data").replace("[staging]", "[staging]\nartefact_root = ../shop 🧪/data"))
    git(here, "add", "-A"); git(here, "commit", "-qm", "Environments")
    git(tmp_path, "clone", "-q", str(here), str(there))
    return find_workspace(here, "development"), find_workspace(there, "staging")

def test_a_model_copied_into_staging_is_the_candidate_there_after_a_checkout(shops, capsys):
    here, there = shops
    assert main(["copy", f"{MODEL}@candidate", "--to", "staging", "--as", "analyst@example.com", "--workspace", str(here.root)]) == 0
    said = capsys.readouterr().out
    assert "every byte checked" in said and "On record in staging: copied from development." in said
    environment = {name: value for name, value in os.environ.items() if name != "MMOPS_WORKSPACE"} | {"MMOPS_ENVIRONMENT": "staging"}
    done = subprocess.run([BIN/"dvc", "checkout", "-q", "--allow-missing"], cwd=there.root, env=environment, capture_output=True, text=True)
    first, second = (opened_files(place.output("bundle", MODEL))[3] for place in shops)
    assert first == second, done.stderr
    entry, = Ledger(there).entries("bundle_registered")
    assert entry.payload["bundle_hash"] == first and entry.payload["links"] == {"copied from": "development"} and entry.payload["made_at"] != "unknown"
    assert not there.private("retailer").exists() and not (there.state/"id_key").exists()
    assert main(["copy", f"{MODEL}@candidate", "--to", "staging", "--workspace", str(here.root)]) == 0
    assert "is in staging" in (again := capsys.readouterr().out) and " 0 files copied" in again

def test_who_works_in_one_folder_cannot_take_it_for_another_environment(shops, monkeypatch):
    here, _ = shops
    with pytest.raises(WorkspaceError, match="staging keeps its data in"): find_workspace(here.root, "staging")
    monkeypatch.setenv("MMOPS_ENVIRONMENT", "staging")
    with pytest.raises(WorkspaceError, match="choose another environment"): find_workspace(here.root)

@pytest.mark.parametrize("root, says", [("s3://bucket/data", "a folder called data is allowed"), ("../shop", "a folder called data is allowed"), ("../nowhere/data", "there is no workspace")])
def test_a_place_that_is_none_is_refused_in_words(tmp_path, root, says):
    (tmp_path/"settings.ini").write_text(f"[DEFAULT]\nreporting_currency = EUR\n[development]\n[staging]\nartefact_root = {root}\n")
    with pytest.raises((SettingsError, WorkspaceError), match=says): environment_place(find_workspace(tmp_path, "development"), "staging")

def test_a_bundle_that_was_changed_is_copied_nowhere(shops):
    here, there = shops
    bundle = named_bundle(here, f"{MODEL}@candidate")
    with open(bundle.folder/"evaluation.json", "ab") as file: file.write(b" ")
    with pytest.raises(BundleError, match="was changed after the bundle was made"): copied_bundle(there, here, bundle)
    assert not there.path("data", "bundles").exists()

def test_a_copy_that_was_cut_short_is_completed_and_keeps_nothing_half(shops):
    here, there = shops
    versions = bundle_versions(here, named_bundle(here, f"{MODEL}@candidate"))
    assert f"data/bundle/{MODEL}" in versions and "data/validate/retailer" in versions and not [path for path in versions if "private" in path]
    objects = sorted(here.path(".dvc", "cache", "files", "md5").rglob("*"))
    whole = copied_versions(there, here, versions)
    cache = there.path(".dvc", "cache", "files", "md5")
    some = sorted(each for each in cache.rglob("*") if each.is_file())
    for each in some[::2]: each.unlink()
    (some[0].parent/".mmops.half").write_bytes(b"half")
    again = copied_versions(there, here, versions)
    assert again.n_copied == len(some[::2]) and again.n_there == whole.n_copied - again.n_copied and objects
    for each in cache.rglob("*"):
        if each.is_file() and not each.name.startswith("."): assert hashlib.md5(each.read_bytes()).hexdigest() == (each.parent.name + each.name).removesuffix(".dir")

def test_a_bundle_of_another_lock_brings_no_guessed_data(shops):
    here, _ = shops
    (here.root/"dvc.lock").unlink()
    assert bundle_versions(here, named_bundle(here, f"{MODEL}@candidate")) == {}

def test_environments_of_one_commit_agree_and_a_change_in_one_is_named(shops, capsys):
    here, there = shops
    assert environment_drift(here, there).status == "pass"
    params = there.root/"params.yaml"
    params.write_text(params.read_text().replace("max_iter: 60", "max_iter: 61"))
    assert main(["environments", "staging", "--workspace", str(here.root)]) == 2
    said = capsys.readouterr().out
    assert f"{MODEL}.algorithm.max_iter was 61, is 60" in said and "with uncommitted changes" in said

def test_a_cache_with_a_hole_is_told_to_pull(shops):
    here, there = shops
    versions = bundle_versions(here, named_bundle(here, f"{MODEL}@candidate"))
    digest = versions[f"data/bundle/{MODEL}"]
    here.path(".dvc", "cache", "files", "md5", digest[:2], digest[2:]).unlink()
    with pytest.raises(DataError, match="dvc pull"): copied_versions(there, here, versions)

def test_nothing_said_about_where_to_is_asked_for(shops, capsys):
    assert main(["copy", f"{MODEL}@candidate", "--workspace", str(shops[0].root)]) == 1
    assert "--to development or --to staging" in capsys.readouterr().err
