"""The report that shows a table as an explorer saw it: bound to parameters, made twice alike, without a customer in it."""
import json, re, shutil
import numpy as np
import pandas as pd
import pytest
from marketing_mlops.explorers.table_explorer import TableExplorer
from marketing_mlops.reporting.reports import run_report
from marketing_mlops.workspace.errors import StageError
from marketing_mlops.workspace.places import find_workspace, write_text

HOSTILE = "<script>alert(1)</script>"

@pytest.fixture(scope="module")
def place(tmp_path_factory, repository):
    "A workspace with one accepted table."
    root = tmp_path_factory.mktemp("snapshot")
    write_text(root/"settings.ini", "[DEFAULT]\nreporting_currency = EUR\n")
    write_text(root/"params.yaml", "sources:\n  shop: {kind: file}\nmodels: {}\n")
    (root/"nbs"/"reports").mkdir(parents=True)
    shutil.copy2(repository/"nbs"/"reports"/"table_snapshot.ipynb", root/"nbs"/"reports")
    found, rng, n = find_workspace(root), np.random.default_rng(7), 4_000
    found.accepted("shop").mkdir(parents=True)
    pd.DataFrame(dict(order_id=[f"o{i:05}" for i in range(n)], customer_id=[f"c{i:05}" for i in rng.integers(0, 900, n)], occurred_at=pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(rng.integers(0, 90, n), "D"),
                      market=rng.choice(["DE", "UK"], n), channel=rng.choice(["web", "app", HOSTILE], n))).to_parquet(found.accepted("shop")/"orders.parquet")
    return found

CHOSEN = dict(table="orders", selection={"channel": {"any_of": ["app"]}, "market": {"any_of": ["DE"]}})

@pytest.fixture(scope="module")
def page(place, tmp_path_factory): return run_report("table_snapshot", CHOSEN, place, tmp_path_factory.mktemp("page"))

def test_the_page_says_what_the_explorer_says_and_opens_it_again(place, page):
    results = json.loads(page.with_suffix(".json").read_text())["results"]
    explorer = TableExplorer("orders", place)
    explorer.select(CHOSEN["selection"])
    assert results["sentence"] == explorer.snapshot().sentence and results["sentence"] in page.read_text()
    assert TableExplorer.from_state(results["state"], place).selected_rows() == explorer.selected_rows()

def test_no_customer_and_no_script_of_a_name_is_in_it(place, page):
    executed = "".join(file.read_text() for file in place.path("data", "runs").rglob("*.*") if file.suffix in (".ipynb", ".json", ".html"))
    assert not re.search(r"\bc0\d{4}\b|\bo0\d{4}\b", page.read_text() + executed)
    assert HOSTILE not in page.read_text()

def test_it_can_be_made_twice_alike(place, page, tmp_path): assert run_report("table_snapshot", CHOSEN, place, tmp_path).read_bytes() == page.read_bytes()

@pytest.mark.parametrize("given, says", [(dict(table="ordrs"), "Did you mean 'orders'"), (dict(table="orders", selection={"chanel": {"any_of": ["app"]}}), "chanel"), (dict(table="orders", minimum=0), "at least 1")])
def test_what_cannot_be_shown_is_said(place, given, says):
    with pytest.raises(StageError, match=says): run_report("table_snapshot", given, place)

def test_a_selection_of_a_few_is_not_drawn(place, tmp_path):
    results = json.loads(run_report("table_snapshot", CHOSEN | dict(minimum=3_000), place, tmp_path).with_suffix(".json").read_text())["results"]
    assert "fewer than 3000 rows selected" in results["sentence"]
