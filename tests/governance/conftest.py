"""The small workspace of these tests, with and without a past."""
import shutil
import pytest
from governed_workspace import approved, at, make_workspace, put_live, small_bundle
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.workspace.places import find_workspace

@pytest.fixture
def shop(tmp_path): return make_workspace(tmp_path/"shop")

@pytest.fixture(scope="session")
def _three(tmp_path_factory):
    shop = make_workspace(tmp_path_factory.mktemp("three")/"shop")
    for text in ("one", "two", "three"): Ledger(shop, at("09-01")).append("note", "churn", "marketing@example.com", {"text": text})
    return shop

@pytest.fixture(scope="session")
def _two(tmp_path_factory):
    shop = make_workspace(tmp_path_factory.mktemp("two")/"shop")
    for i, days in enumerate((60, 90)): put_live(shop, approved(shop, small_bundle(shop, f"churn_{days}", even_after=float(days)), f"03-0{2*i+1}"), f"03-0{2*i+2}")
    return shop

def _copy(shop, into): return find_workspace(shutil.copytree(shop.root, into))

@pytest.fixture
def three(_three, tmp_path):
    "A workspace with three notes in its ledger."
    return _copy(_three, tmp_path/"shop")

@pytest.fixture
def two(_two, tmp_path):
    "A workspace with two champions, one after the other."
    return _copy(_two, tmp_path/"shop")
