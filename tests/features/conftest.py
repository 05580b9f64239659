"""Shops of a few rows, the simulated retailer, and the public files as accepted tables."""
import shutil
from pathlib import Path
import pytest
from marketing_mlops.contracts.schemas import frame_of_rows
from marketing_mlops.sources.ingestion import ingest, write_table
from marketing_mlops.sources.simulator import simulate
from marketing_mlops.workspace.params import read_params
from marketing_mlops.workspace.places import Workspace, find_workspace
from marketing_mlops.workspace.settings import Settings

class Shop:
    "A workspace with one source `shop`, whose accepted tables are written row by row."
    def __init__(self, root):
        self.workspace = Workspace(Path(root), Settings("development", Path(root)))
        self.folder = self.workspace.accepted("shop")

    def accept(self, **tables):
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        for name, rows in tables.items():
            if rows: write_table(frame_of_rows(name, rows), name, self.folder)
        return self.workspace

@pytest.fixture
def shop(tmp_path): return Shop(tmp_path)

@pytest.fixture(scope="session")
def retailer(tmp_path_factory):
    "A workspace with 1,500 simulated customers as accepted tables of the source `retailer`."
    root = tmp_path_factory.mktemp("retailer")
    workspace = Workspace(root, Settings("development", root))
    simulate(1_500, 18, 7, into=workspace.accepted("retailer"), private=root/"private")
    return workspace

@pytest.fixture(scope="session")
def public(repository, datasets, tmp_path_factory):
    "Function (source) -> workspace in which the public source is ingested; its candidates stand for accepted tables."
    root, done = tmp_path_factory.mktemp("public"), set()
    (root/"settings.ini").write_text("[DEFAULT]\nreporting_currency = EUR\n[markets]\nDE = Europe/Berlin, monday, 1, DE\n")
    (root/"params.yaml").write_text("sources:\n  hillstrom: {kind: file}\n  bank-marketing: {kind: file}\n  online-retail: {kind: file}\nmodels: {}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MMOPS_DATASETS", str(datasets))   # may have been relative to the repository
        workspace = find_workspace(root)
    def ready(source):
        if source in done: return workspace
        shutil.copytree(repository/"data"/"sources"/source, workspace.source_folder(source), ignore=lambda _, names: [n for n in names if n != "mapping.yaml"])
        for folder in (workspace.accepted(source), workspace.private(source)): folder.mkdir(parents=True)
        ingest(source, workspace, read_params(workspace), workspace.accepted(source), workspace.private(source))
        done.add(source)
        return workspace
    return ready
