"""Shops of a few rows, and the simulated retailer."""
import shutil
from pathlib import Path
import pytest
from marketing_mlops.contracts.schemas import frame_of_rows
from marketing_mlops.sources.ingestion import write_table
from marketing_mlops.sources.simulator import simulate
from marketing_mlops.workspace.places import Workspace
from marketing_mlops.workspace.settings import Market, Settings

MARKETS = {"DE": Market("DE", "Europe/Berlin", holidays="DE"), "US": Market("US", "America/New_York", holidays="US")}

class Shop:
    "A workspace with one source `shop`, whose accepted tables are written row by row."
    def __init__(self, root):
        self.workspace = Workspace(Path(root), Settings("development", Path(root), markets=MARKETS))
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
