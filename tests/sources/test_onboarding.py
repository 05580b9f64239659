"""From two files to a workspace that can be read out."""
import json
from datetime import datetime, timezone
from types import SimpleNamespace
import numpy as np
import pandas as pd
import pytest
from marketing_mlops.sources.drafts import Wishes
from marketing_mlops.sources.mappings import read_mapping
from marketing_mlops.sources.onboarding import write_mapping
from marketing_mlops.sources.proposals import propose_mapping
from marketing_mlops.workspace.errors import MappingError, MmopsError
from marketing_mlops.workspace.params import read_params

SAID = Wishes(currency="EUR", zone="Europe/Berlin", worthwhile_effect=.5, experiment="spring", control="none")

@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(2)
    orders = pd.DataFrame({"nr": [f"N{i}" for i in range(500)], "who": rng.integers(0, 200, 500), "bought": (pd.Timestamp("2026-03-01") + pd.to_timedelta(rng.integers(0, 30, 500), unit="D")).strftime("%Y-%m-%d"), "total": rng.gamma(2, 10, 500).round(2)})
    mail = pd.DataFrame({"customer": range(200), "group": ["mail", "none"]*100, "date": "2026-03-05"})
    folder = tmp_path/"downloads"; folder.mkdir()
    orders.to_csv(folder/"orders.csv", index=False); mail.to_csv(folder/"mail.csv", index=False)
    return SimpleNamespace(orders=folder/"orders.csv", mail=folder/"mail.csv", orders_frame=orders, mail_frame=mail)

def state_of(workspace): return {p.relative_to(workspace.root).as_posix(): p.read_bytes() for p in workspace.root.rglob("*") if p.is_file() and "downloads" not in p.parts}

def add(path, table, workspace, wishes=SAID, **more): return write_mapping(propose_mapping(path, table, "shop", wishes=wishes, workspace=workspace), workspace, **more)

def test_two_files_become_a_source_a_model_and_tables_a_readout_can_use(files, small_workspace, tmp_path):
    from marketing_mlops.measurement.experiments import read_experiment
    from marketing_mlops.sources.ingestion import ingest
    wishes = Wishes(**{**SAID.__dict__, "columns": {"nr": "order_id", "who": "customer_id", "bought": "occurred_at", "total": "amount"}})
    add(files.orders, "orders", small_workspace, wishes)
    added = add(files.mail, "assignments", small_workspace)
    params = read_params(small_workspace)
    experiment = read_experiment(params.model(added.model)["experiment"])
    into, private = tmp_path/"i", tmp_path/"p"; into.mkdir(); private.mkdir()
    ingest("shop", small_workspace, params, into, private)
    tables = {p.stem: p for p in into.glob("*.parquet")}
    assert experiment.arms == {"mail": .5, "none": .5} and set(tables) == {"orders", "order_lines", "experiments", "assignments", "customers"}
    total = pd.read_parquet(tables["order_lines"]); assert float((total.quantity*total.unit_price).sum()) == pytest.approx(files.orders_frame.total.sum())
    assert len(pd.read_parquet(tables["assignments"]).merge(pd.read_parquet(tables["customers"]), on="customer_id")) == 200

def test_written_mappings_are_valid_plain_and_free_of_anchors(files, small_workspace):
    added = add(files.mail, "assignments", small_workspace)
    text = added.mapping.read_text()
    assert read_mapping(added.mapping.parent).tables["assignments"].file == "mail.csv" and "&id" not in text and str(small_workspace.root) not in text

def test_repeating_changes_nothing_and_comments_survive(files, small_workspace):
    first = add(files.mail, "assignments", small_workspace)
    first.mapping.write_text(first.mapping.read_text().replace("tables:", "# from the CRM\ntables:"))
    params = small_workspace.root/"params.yaml"; params.write_text("# ours\n" + params.read_text())
    before = state_of(small_workspace)
    again = add(files.mail, "assignments", small_workspace)
    assert state_of(small_workspace) == before and again.is_new_model is False

def test_a_plan_is_not_changed_by_adding_a_file_again(files, small_workspace):
    add(files.mail, "assignments", small_workspace)
    add(files.mail, "assignments", small_workspace, Wishes(**{**SAID.__dict__, "worthwhile_effect": .01}))
    assert read_params(small_workspace).model("shop_spring")["experiment"]["worthwhile_effect"] == .5

@pytest.mark.parametrize("now, registered", [(datetime(2026, 2, 1, tzinfo=timezone.utc), True), (datetime(2026, 3, 20, tzinfo=timezone.utc), False)])
def test_registered_before_the_first_assignment_is_written_only_when_it_is_true(files, small_workspace, now, registered):
    added = add(files.mail, "assignments", small_workspace, clock=SimpleNamespace(now=lambda: now, label="live"))
    assert ("registered_at" in read_params(small_workspace).model(added.model)["experiment"]) is registered

def test_every_refusal_leaves_the_workspace_as_it_was(files, small_workspace):
    (small_workspace.root/"params.yaml").write_text("sources:\n  shop: {kind: simulated}\nmodels: {}\n")
    before = state_of(small_workspace)
    with pytest.raises(MappingError, match="simulated"): add(files.mail, "assignments", small_workspace)
    with pytest.raises(MappingError, match="worthwhile-effect|worth sending"): add(files.mail, "assignments", small_workspace, Wishes(control="none"))
    (small_workspace.root/"params.yaml").write_text("sources: {}\nmodels: [\n")
    with pytest.raises(MmopsError): add(files.mail, "assignments", small_workspace)
    (small_workspace.root/"params.yaml").write_text("sources:\n  shop: {kind: simulated}\nmodels: {}\n")
    assert state_of(small_workspace) == before

def test_public_sources_take_no_files_of_ones_own(files, small_workspace, repository):
    folder = small_workspace.source_folder("shop"); folder.mkdir(parents=True)
    (folder/"mapping.yaml").write_text((repository/"data"/"sources"/"hillstrom"/"mapping.yaml").read_text().replace("name: hillstrom", "name: shop"))
    with pytest.raises(MappingError, match="published data"): add(files.mail, "assignments", small_workspace)

def test_a_file_of_the_same_name_replaces_the_export_of_last_month(files, small_workspace):
    added = add(files.mail, "assignments", small_workspace)
    files.mail_frame.assign(date="2026-03-06").to_csv(files.mail, index=False)
    add(files.mail, "assignments", small_workspace)
    assert added.file.read_bytes() == files.mail.read_bytes()
