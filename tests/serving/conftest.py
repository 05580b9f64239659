"""A shop with a champion and a second bundle that says the opposite, copied for each test."""
import shutil
import pytest
from served_shop import KEY, fitted_graph, make_bundle, make_workspace, put_live, served
from marketing_mlops.registry.bundles import read_bundle
from marketing_mlops.workspace.places import find_workspace

pytest.importorskip("fastapi", reason="the group serve is not installed")

@pytest.fixture(scope="session")
def _template(tmp_path_factory):
    shop = make_workspace(tmp_path_factory.mktemp("serving")/"shop")
    spring = make_bundle(shop, "spring", fitted_graph(1))
    make_bundle(shop, "summer", fitted_graph(-1))
    put_live(shop, spring)
    return shop

@pytest.fixture
def shop(_template, tmp_path):
    "A workspace whose champion is the bundle `spring`; `summer` waits."
    return find_workspace(shutil.copytree(_template.root, tmp_path/"shop"))

@pytest.fixture
def spring(shop): return read_bundle(shop.path("data", "bundle", "spring"))

@pytest.fixture
def summer(shop): return read_bundle(shop.path("data", "bundle", "summer"))

@pytest.fixture(scope="session")
def client(_template, tmp_path_factory):
    "A caller of one service for all tests that change nothing in its workspace."
    still = find_workspace(shutil.copytree(_template.root, tmp_path_factory.mktemp("still")/"shop"))
    with served(still, MMOPS_SERVE_KEY=KEY) as (caller, _):
        yield caller
        caller.close()
