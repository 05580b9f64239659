"""Bundles of parameters: the same bits back, one name for one content, and nothing that was changed is read."""
import json, shutil
import numpy as np
import pandas as pd
import pytest
from marketing_mlops.features.purchase_histories import PurchaseHistories
from marketing_mlops.models.gamma_gamma import draw_spend
from marketing_mlops.models.lifetime_value import Horizon, value_table
from marketing_mlops.models.purchase_models import purchase_model
from marketing_mlops.models.value_fits import fit_value
from marketing_mlops.registry.bundle_files import BundleError, seal_files
from marketing_mlops.registry.bundles import read_bundle
from marketing_mlops.registry.parameter_bundles import fit_content, fit_from, read_value_bundle, score_histories, write_value_bundle

FACTS = dict(lock_hash="0"*64, code_hash="1"*64, data_hashes=dict(orders="2"*64))
TRUE = {"bg_nbd": dict(r=.8, alpha=60., a=1., b=3.), "pareto_nbd": dict(r=.8, alpha=60., s=.8, beta=120.), "nbd": dict(r=.8, alpha=60.)}

def shop(name, n=250):
    rng = np.random.default_rng(1)
    habits = purchase_model(name).draw(TRUE[name], rng.integers(100, 500, n).astype(float), rng)
    spent = draw_spend(dict(p=6., q=4., gamma=17.5), habits.x + 1, rng)/(habits.x + 1)
    return PurchaseHistories(pd.DataFrame(dict(customer_id=[f"c{i}" for i in range(n)], frequency=habits.x, recency_days=habits.t_x, age_days=habits.T, mean_value=spent)), "EUR")

def sealed(folder, fit, **changed):
    return write_value_bundle(folder, fit, Horizon(180, .05), **dict(name="value", evaluation=dict(off=.1), facts=FACTS, envelope=dict(made_at="2026-01-01")) | changed)

@pytest.mark.parametrize("name", TRUE)
def test_scores_are_those_of_the_fit_bit_for_bit(tmp_path, name):
    histories = shop(name)
    fit = fit_value(histories, name)
    bundle = sealed(tmp_path/"b", fit)
    read = read_value_bundle(shutil.copytree(tmp_path/"b", tmp_path/"copy"), bundle.core_hash)
    assert read.fit == fit and read.horizon == Horizon(180, .05) and read.facts == FACTS and read.evaluation == dict(off=.1)
    assert score_histories(read, histories).equals(value_table(fit, histories, Horizon(180, .05)))

def test_one_content_one_name(tmp_path):
    fit = fit_value(shop("bg_nbd"))
    one, later, other = sealed(tmp_path/"a", fit), sealed(tmp_path/"b", fit, envelope=dict(made_at="2027-01-01")), sealed(tmp_path/"c", fit, name="another")
    assert one.core_hash == later.core_hash != other.core_hash

def test_nothing_of_a_customer_is_in_it(tmp_path):
    histories = shop("bg_nbd")
    sealed(tmp_path/"b", fit_value(histories))
    written = "".join(file.read_text() for file in (tmp_path/"b").rglob("*") if file.is_file())
    assert not [each for each in histories.frame.customer_id if f'"{each}"' in written]

@pytest.mark.parametrize("file", ["scorer/parameters.json", "horizon.json", "evaluation.json", "README.md", "core.json"])
def test_a_changed_byte_is_found(tmp_path, file):
    sealed(tmp_path/"b", fit_value(shop("bg_nbd")))
    path = tmp_path/"b"/file
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(BundleError): read_value_bundle(tmp_path/"b")

def test_another_kind_and_what_is_no_fit_are_refused(tmp_path):
    fit = fit_value(shop("bg_nbd"))
    sealed(tmp_path/"b", fit)
    with pytest.raises(BundleError): read_bundle(tmp_path/"b")                                  # the reader of graphs
    seal_files(tmp_path/"graph", {"x.json": b"{}"}, dict(kind="graph", task="propensity"), {})
    with pytest.raises(BundleError, match="of kind 'graph'"): read_value_bundle(tmp_path/"graph")
    seal_files(tmp_path/"empty", {"x.json": b"{}"}, dict(kind="parameters", task="lifetime_value", model="m"), {})
    with pytest.raises(BundleError, match="not those of a lifetime value"): read_value_bundle(tmp_path/"empty")
    for change in (dict(model="bg"), dict(purchases=dict(parameters={})), dict(spend=fit_content(fit)["spend"] | dict(parameters=dict(p=1., q=float("nan"), gamma=2.)))):
        with pytest.raises(BundleError): fit_from(fit_content(fit) | change)
    assert fit_from(json.loads(json.dumps(fit_content(fit)))) == fit
    with pytest.raises(BundleError, match="cannot be written as JSON"): sealed(tmp_path/"nan", fit, evaluation=dict(off=float("nan")))
    assert not (tmp_path/"nan").exists()
