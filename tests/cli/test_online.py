"""Stored features by typed words: what is stored, what is refused in two lines, and what a scheduler is told by the exit code."""
import shutil
import pandas as pd
import pytest
from marketing_mlops.cli.commands import main
from marketing_mlops.contracts.schemas import frame_of_rows
from marketing_mlops.features.online_rows import feature_versions
from marketing_mlops.features.online_stores import open_online_store
from marketing_mlops.features.own_redis import own_redis
from marketing_mlops.registry.bundles import write_bundle
from marketing_mlops.registry.graph_drafts import GraphDraft, finished_graph
from marketing_mlops.registry.input_schemas import input_schema
from marketing_mlops.sources.ingestion import write_table
from marketing_mlops.workspace.places import find_workspace, write_text

PARAMS = """sources: {shop: {kind: file}}
models:
  churn: {owner: model-owner@example.com, purpose: Win back, audience: Customers, source: shop, task: propensity}
  spring: {owner: model-owner@example.com, purpose: Spring mail, audience: Customers, source: shop, task: uplift}
features:
  mugs_90d: {definition: Mugs bought in the 90 days before the cutoff, unit: mugs, table: order_lines, aggregation: count, window_days: 90, missing: 0, max_age_days: 2}
"""

def build(shop, versions):
    draft = GraphDraft()
    graph = finished_graph(draft, draft.add("Sigmoid", draft.input("recency_days", is_text=False)), ["recency_days"])
    names = ["recency_days", "mugs_90d"]
    write_bundle(shop.path("data", "bundle", "churn"), scorer={"no_order": graph}, kind="graph", features=names, schema=input_schema(pd.DataFrame({name: [5., 60., None] for name in names}), names) | {"versions": versions},
        parameters={"model": "churn", "task": "propensity", "source": "shop"}, evaluation={}, lock_hash="a1"*32, data_hashes={}, code_hash="c3"*32, envelope={})

def versions_of(shop):
    from marketing_mlops.features.own_features import own_features
    return feature_versions(["recency_days", "mugs_90d"], own_features(shop))

@pytest.fixture
def shop(tmp_path, monkeypatch):
    write_text(tmp_path/"settings.ini", "[DEFAULT]\nonline_store = sqlite\n")
    write_text(tmp_path/"params.yaml", PARAMS)
    write_text(tmp_path/"data"/"sources"/"shop"/"mapping.yaml", "name: shop\nkind: simulated\nidentity: keyed\nas_of: 2026-06-30\ncurrency: EUR\nzone: Europe/Berlin\nnote: Three customers.\n")
    found, since = find_workspace(tmp_path), {"ada": "2026-06-27T09:00Z", "ben": "2026-03-02T09:00Z"}
    found.accepted("shop").mkdir(parents=True)
    tables = dict(customers=[dict(customer_id=each, first_seen_at="2024-01-01T00:00Z") for each in since],
        orders=[dict(order_id=each, customer_id=each, occurred_at=day, known_at=day) for each, day in since.items()],
        order_lines=[dict(order_line_id=each, order_id=each, kind="sale", quantity=1, unit_price=80, currency="EUR", occurred_at=day, known_at=day) for each, day in since.items()])
    for name, rows in tables.items(): write_table(frame_of_rows(name, rows), name, found.accepted("shop"))
    build(found, versions_of(found))
    monkeypatch.setenv("MMOPS_WORKSPACE", str(tmp_path))
    return found

def typed(capsys, *words):
    code = main(list(words))
    said = capsys.readouterr()
    return code, said.out, said.err.splitlines()

def test_from_nothing_to_stored_compared_and_listed(shop, capsys):
    assert "Nothing is stored yet" in typed(capsys, "online")[1]
    assert typed(capsys, "materialise")[:2] == (0, "churn: 2 customers, 2 features as of 2026-07-01 00:00 UTC\n")
    code, said, _ = typed(capsys, "parity")
    assert code == 0 and said.startswith("churn: pass\n") and "2 is the strictest limit" in said
    assert "2026-07-01 00:00 UTC" in typed(capsys, "online")[1]

def test_a_feature_of_the_teams_own_is_stored_with_its_limit_of_age(shop, capsys):
    typed(capsys, "materialise")
    shown = open_online_store(shop).shown("churn")
    assert shown.limits == {"mugs_90d": 2.} and shown.versions == versions_of(shop)

def test_an_edited_declaration_is_refused_before_anything_is_computed(shop, capsys):
    typed(capsys, "materialise")
    write_text(shop.path("params.yaml"), PARAMS.replace("window_days: 90", "window_days: 60"))
    code, _, errors = typed(capsys, "materialise")
    assert code == 1 and len(errors) == 2 and "mugs_90d is declared in version" in errors[0] and versions_of(find_workspace(shop.root))["mugs_90d"] in errors[0]
    assert typed(capsys, "parity")[0] == 1

def test_a_declaration_that_was_taken_away_is_named_and_its_values_are_not_judged(shop, capsys):
    typed(capsys, "materialise")
    write_text(shop.path("params.yaml"), PARAMS.replace("mugs_90d:", "cups_90d:"))
    code, _, errors = typed(capsys, "materialise")
    assert code == 1 and len(errors) == 2 and "mugs_90d is not declared any more" in errors[0]
    code, said, _ = typed(capsys, "parity")
    assert code == 1 and "churn: unknown" in said and "mugs_90d is stored in version" in said and "not declared any more" in said

def test_a_bundle_of_another_declaration_fails_parity_and_names_both_versions(shop, capsys):
    typed(capsys, "materialise")
    build(shop, versions_of(shop) | {"mugs_90d": "0123456789ab"})
    code, said, _ = typed(capsys, "parity", "churn")
    assert code == 1 and "churn: fail" in said and "0123456789ab" in said and versions_of(shop)["mugs_90d"] in said

@pytest.mark.parametrize("words, problem", [
    (("materialise", "chrun"), "Did you mean 'churn'?"), (("materialise", "spring"), "spring has no bundle"), (("materialise", "churn", "--at", "2026-09-01"), "lies ahead"),
    (("materialise", "churn", "--at", "yesterday"), "is no day"), (("parity",), "nothing to compare"), (("parity", "chrun"), "Did you mean 'churn'?")], ids=" ".join)
def test_what_cannot_be_is_two_lines_and_stores_nothing(shop, capsys, words, problem):
    code, said, errors = typed(capsys, *words)
    assert code == 1 and len(errors) == 2 and problem in errors[0] and not said
    assert not (shop.state/"online.db").exists()

def test_newer_values_are_not_replaced_by_older_ones_unless_told_to(shop, capsys):
    typed(capsys, "materialise")
    code, said, errors = typed(capsys, "materialise", "--at", "2026-06-30")
    assert (code, said, len(errors)) == (1, "", 2) and "as of 2026-07-01 00:00 UTC" in errors[0] and "--older" in errors[1]
    assert typed(capsys, "materialise", "--at", "2026-06-30", "--older")[:2] == (0, "churn: 2 customers, 2 features as of 2026-06-30 00:00 UTC\n")

def test_one_model_that_fails_does_not_hold_up_the_others(shop, capsys):
    code, said, errors = typed(capsys, "materialise", "spring", "churn")
    assert code == 1 and len(errors) == 2 and said.startswith("churn: 2 customers")

def test_a_redis_that_is_not_there_is_two_lines_without_its_password(shop, capsys, monkeypatch):
    monkeypatch.setenv("MMOPS_REDIS_PASSWORD", "s3cret")
    write_text(shop.path("settings.ini"), "[DEFAULT]\nonline_store = redis://:${MMOPS_REDIS_PASSWORD}@127.0.0.1:1/0\n")
    for words in (("materialise",), ("parity",), ("online",)):
        code, _, errors = typed(capsys, *words)
        assert code == 1 and len(errors) == 2 and "redis://:***@127.0.0.1:1/0 cannot be used" in errors[0] and "s3cret" not in " ".join(errors)

@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_the_models_of_the_demonstration_have_the_same_features_online_as_offline(first_run, tmp_path, capsys, kind):
    "The parity job, on everything the pipeline makes of the retailer."
    shutil.copytree(first_run/"workspace", tmp_path/"demo", symlinks=True)
    with own_redis() as address:
        if kind == "redis" and address is None: pytest.skip("redis-server is not installed")
        settings = tmp_path/"demo"/"settings.ini"
        settings.write_text(settings.read_text().replace("online_store = sqlite", f"online_store = {address if kind == 'redis' else 'sqlite'}"))
        place = ("--workspace", str(tmp_path/"demo"))
        code, said, errors = typed(capsys, "materialise", *place)
        assert (code, errors) == (0, []) and [line.split(":")[0] for line in said.splitlines()] == ["retailer_churn_90d", "retailer_promo_uplift"]
        code, said, _ = typed(capsys, "parity", *place)
    assert code == 0 and said.count("are equal online and offline") == 2
