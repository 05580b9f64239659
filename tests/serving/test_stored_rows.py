"""A customer who is named by her id gets the score her features would get, or a reason why not."""
from dataclasses import replace
from datetime import datetime, timedelta, timezone
import json
import pytest
from hypothesis import given, settings, strategies as st
from marketing_mlops.features.online_rows import Generation, declared_version, packed_rows
from marketing_mlops.features.online_stores import open_online_store
from marketing_mlops.features.own_redis import own_redis
from marketing_mlops.registry.input_schemas import input_schema
from marketing_mlops.serving.prediction_requests import RequestRefused
from marketing_mlops.serving.predictor import Predictor
from marketing_mlops.serving.stored_rows import customers_by_id

from served_shop import CATEGORICAL, FEATURES, KEY, customers, fitted_graph, make_workspace, put_live, served
from marketing_mlops.registry.bundles import write_bundle
from marketing_mlops.contracts.verdict import Verdict

VERSIONS = {name: declared_version(name) for name in FEATURES}
NOW = datetime.now(timezone.utc)

def versioned_bundle(shop, name, versions):
    return write_bundle(shop.path("data", "bundle", name), scorer={"no_order": fitted_graph(1)}, kind="graph", features=FEATURES, schema=input_schema(customers(), FEATURES) | ({"versions": versions} if versions else {}),
        parameters={"model": "churn", "task": "propensity"}, evaluation={"verdict": Verdict("churn", "pass", []).to_dict()}, lock_hash="a1", data_hashes={}, code_hash="c3", envelope={})

def keep(shop, cutoff=NOW, versions=VERSIONS, limits=None, n=20):
    draft = Generation("churn", "shop", cutoff, cutoff, versions, texts=tuple(CATEGORICAL), limits=limits)
    frame = customers(n).astype({name: "str" for name in CATEGORICAL})
    return open_online_store(shop).write(draft, [list(zip((f"customer {i}" for i in range(n)), packed_rows(frame, draft)))])

@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    "A shop whose champion knows the versions of its features, with twenty customers stored a moment ago; to be read only."
    shop = make_workspace(tmp_path_factory.mktemp("stored")/"shop")
    put_live(shop, versioned_bundle(shop, "spring", VERSIONS))
    keep(shop)
    return shop

@pytest.fixture
def predictor(kept): return Predictor(kept, "churn")

@pytest.fixture
def other(kept, tmp_path):
    "The same shop with an online store of its own."
    return replace(kept, settings=replace(kept.settings, online_store=f"sqlite:///{tmp_path}/online.db"))

def features_of_all(n=20): return customers(n).astype(object).where(customers(n).notna(), None).to_dict("records")

def refused(predictor, *rows):
    with pytest.raises(RequestRefused) as found: predictor.predict(list(rows))
    assert "customer 1" not in str(found.value) and len(str(found.value).splitlines()) == 2
    return found.value

def test_looked_up_and_sent_rows_get_the_same_scores_and_notes_in_the_order_asked(predictor):
    rows = features_of_all()
    sent = predictor.predict(rows)
    assert predictor.predict([{"customer_id": f"customer {i}"} for i in range(20)]) == sent
    mixed = [rows[i] if i % 3 else {"customer_id": f"customer {i}"} for i in range(20)]
    assert predictor.predict(mixed) == sent

def test_a_row_with_features_and_an_id_is_answered_from_its_features(predictor):
    row = features_of_all()[0]
    assert predictor.predict([row | {"customer_id": "nobody we know"}]) == predictor.predict([row])
    assert "not there" in refused(predictor, {"customer_id": "customer 1", "recency_days": 3}).problem

def test_unknown_customers_are_404_by_their_place(predictor):
    found = refused(predictor, {"customer_id": "customer 1"}, {"customer_id": "eve"}, features_of_all()[0], {"customer_id": "mallory"})
    assert found.status == 404 and "2 rows of 4: 1, 3 (counted from 0)" in found.problem and "eve" not in json.dumps(found.to_dict())

@pytest.mark.parametrize("value", [17, None, True, 1.5, ["customer 1"], {"id": 1}, "", "x"*201], ids=repr)
def test_an_id_that_is_no_text_is_422(predictor, value): assert refused(predictor, {"customer_id": value}).status == 422

@settings(max_examples=80, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(["customer_id", "cutoff", *FEATURES]), st.none() | st.text(max_size=5) | st.floats() | st.lists(st.none(), max_size=2), max_size=4), max_size=4))
def test_any_rows_are_ids_or_not(rows):
    try: found = customers_by_id(rows)
    except RequestRefused: return
    assert all(isinstance(each, str) and not set(FEATURES) & rows[i].keys() for i,each in found.items())

def test_another_version_is_503_and_names_feature_and_versions(other):
    keep(other, versions=VERSIONS | {"orders_90d": "feedfeedfeed"})
    found = refused(Predictor(other, "churn"), {"customer_id": "customer 1"})
    assert found.status == 503 and all(word in found.problem for word in ("orders_90d", "feedfeedfeed", VERSIONS["orders_90d"]))

def test_nothing_stored_is_503_and_rows_with_features_are_answered(other):
    predictor = Predictor(other, "churn")
    assert refused(predictor, {"customer_id": "customer 1"}).status == 503 and predictor.predict(features_of_all()).scores

def test_a_bundle_without_versions_is_503_by_id(tmp_path):
    shop = make_workspace(tmp_path/"shop")
    put_live(shop, versioned_bundle(shop, "spring", None))
    keep(shop)
    found = refused(Predictor(shop, "churn"), {"customer_id": "customer 1"})
    assert found.status == 503 and "named the versions" in found.problem

def test_a_value_beyond_its_limit_counts_as_missing_with_a_note(other):
    keep(other, NOW - timedelta(days=3), limits={"orders_90d": 2.})
    found = Predictor(other, "churn").predict([{"customer_id": "customer 0"}])
    assert [(each.feature, each.code) for each in found.notes][:2] == [("orders_90d", "too_old"), ("customer_id", "aged")]
    assert found.scores == Predictor(other, "churn").predict([features_of_all()[0] | {"orders_90d": None}]).scores

def test_nothing_but_values_beyond_their_limits_is_503(other):
    keep(other, NOW - timedelta(days=3), limits=dict.fromkeys(FEATURES, 1.))
    assert refused(Predictor(other, "churn"), {"customer_id": "customer 1"}).status == 503

def test_a_materialisation_is_followed_at_the_next_question(other):
    predictor = Predictor(other, "churn")
    keep(other, n=2)
    assert refused(predictor, {"customer_id": "customer 5"}).status == 404
    keep(other, n=6)
    assert predictor.predict([{"customer_id": "customer 5"}]).scores == predictor.predict([features_of_all(6)[5]]).scores

def test_a_redis_answers_alike_and_one_that_has_gone_is_503(kept):
    with own_redis() as address:
        if address is None: pytest.skip("redis-server is not installed")
        shop = replace(kept, settings=replace(kept.settings, online_store=address))
        keep(shop)
        predictor = Predictor(shop, "churn")
        assert predictor.predict([{"customer_id": "customer 3"}]) == Predictor(kept, "churn").predict([{"customer_id": "customer 3"}])
    found = refused(predictor, {"customer_id": "customer 3"})
    assert found.status == 503 and "does not answer" in found.problem and "unix" not in str(found)

def test_over_http_an_id_is_answered_an_unknown_one_is_404_and_neither_is_logged(kept):
    with served(kept, MMOPS_SERVE_KEY=KEY) as (caller, process):
        status, content, _ = caller.ask([{"customer_id": "customer 7"}])
        assert status == 200 and content["scores"] == caller.ask([features_of_all()[7]])[1]["scores"]
        status, content, text = caller.ask([{"customer_id": "somebody-else"}])
        assert status == 404 and "somebody-else" not in text and "Nothing is stored" in content["problem"]
        assert caller.ask([{"customer_id": f"customer {i}"} for i in range(20)])[0] == 200
        caller.close()
    assert process.returncode is not None
