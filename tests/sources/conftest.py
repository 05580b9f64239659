"""A small workspace of its own for every test, with a shop's files where a test wants them."""
import shutil
from pathlib import Path
import pytest
from marketing_mlops.sources.ingestion import ingest
from marketing_mlops.workspace.params import read_params
from marketing_mlops.workspace.places import find_workspace

SETTINGS = "[DEFAULT]\ndefault_models =\nreporting_currency = EUR\n[markets]\nDE = Europe/Berlin, monday, 1, DE\n"

@pytest.fixture
def small_workspace(tmp_path, monkeypatch):
    "An empty workspace without a mirror and with a key of its own."
    monkeypatch.delenv("MMOPS_DATASETS", raising=False)
    monkeypatch.setenv("MMOPS_ID_KEY", "a key for tests, long enough")
    (tmp_path/"settings.ini").write_text(SETTINGS)
    (tmp_path/"params.yaml").write_text("sources: {}\nmodels: {}\n")
    return find_workspace(tmp_path)

@pytest.fixture
def run_ingest(small_workspace):
    "Function (source, attempt) -> (result, folder of the tables, private folder)."
    def run(source, attempt="once", workspace=None):
        workspace = workspace or small_workspace
        (workspace.root/"params.yaml").write_text(f"sources:\n  {source}: {{kind: file}}\nmodels: {{}}\n")
        into, private = (workspace.path("out", attempt, part) for part in ("ingest", "private"))
        for folder in (into, private): shutil.rmtree(folder, ignore_errors=True); folder.mkdir(parents=True)
        return ingest(source, workspace, read_params(workspace), into, private), into, private
    return run

@pytest.fixture
def published(repository, datasets, small_workspace):
    "Function (source, change) -> raw file of a public source copied into the small workspace, changed as text."
    def place(source, file, change=None, rows=None, mapping_change=None):
        folder = small_workspace.source_folder(source)
        folder.mkdir(parents=True, exist_ok=True)
        text = (repository/"data"/"sources"/source/"mapping.yaml").read_text()
        (folder/"mapping.yaml").write_text(mapping_change(text) if mapping_change else text)
        from marketing_mlops.sources.raw_files import file_bytes
        found = next(p for p in (datasets/source).iterdir() if p.name.startswith(file))
        lines = file_bytes(found).decode().splitlines()
        lines = lines[:rows + 1] if rows else lines
        (folder/file).write_text("\n".join(change(lines) if change else lines) + "\n")
        return folder/file
    return place
