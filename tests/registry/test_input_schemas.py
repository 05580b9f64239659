"""What training saw, and what is different about new rows."""
import json
from decimal import Decimal
import numpy as np, pandas as pd, pytest
from hypothesis import given, settings, strategies as st
from marketing_mlops.registry.input_schemas import LIKE_IDENTIFIERS, bin_shares, check_rows, input_schema
from marketing_mlops.workspace.errors import DataError
from marketing_mlops.workspace.places import canonical_json

def training(n=500, seed=1):
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"orders_90d": rng.poisson(1.2, n).astype(float), "net_revenue_365d": rng.gamma(2, 50, n), "trait.age_band": rng.choice(["18-24", "25-34", "35+"], n)})

FEATURES = list(training(3))

def codes(frame, schema, **options): return [(each.feature, each.code) for each in check_rows(frame, schema, **options)]

def test_training_rows_have_no_problem_with_their_own_schema():
    rows = training(); rows.loc[:9, "net_revenue_365d"] = None; rows.loc[5:9, "trait.age_band"] = None
    assert check_rows(rows, input_schema(rows, FEATURES)) == []

def test_a_schema_survives_json_and_does_not_depend_on_the_order_of_rows():
    rows = training()
    schema = input_schema(rows, FEATURES)
    assert json.loads(canonical_json(schema)) == schema
    shuffled = rows.sample(frac=1, random_state=3)[FEATURES[::-1]].assign(other=1)
    assert canonical_json(input_schema(shuffled, FEATURES)) == canonical_json(schema)

def test_shares_add_up_for_every_feature():
    for part in input_schema(training(), FEATURES)["features"].values():
        shares = part["shares"].values() if part["type"] == "category" else part["shares"]
        assert sum(shares) == pytest.approx(1, abs=1e-4)

@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(-1e30, 1e30)), min_size=1, max_size=40), st.lists(st.floats(-1e30, 1e30), min_size=1, max_size=20))
def test_every_value_falls_into_one_bin_whatever_training_looked_like(seen, new):
    part = input_schema(pd.DataFrame({"x": pd.Series(seen, dtype=float)}), ["x"])["features"]["x"]
    assert len(part["shares"]) in (0, len(part["edges"])+1)
    assert sum(bin_shares(pd.Series(new), part)) == pytest.approx(1, abs=1e-4)
    assert part["edges"] == sorted(set(part["edges"]))

def test_a_feature_that_is_the_same_for_all_has_one_bin():
    part = input_schema(pd.DataFrame({"x": [0.]*50}), ["x"])["features"]["x"]
    assert part["shares"] == [1.] and part["minimum"] == part["maximum"] == 0

def test_a_value_many_share_has_a_bin_of_its_own():
    part = input_schema(pd.DataFrame({"orders": [0.]*60 + list(np.arange(1., 41.))}), ["orders"])["features"]["orders"]
    assert part["edges"][0] == 0 and part["shares"][0] == .6

@pytest.mark.parametrize("frame, expected", [
    (pd.DataFrame({"orders_90d": [1.]}), [("net_revenue_365d", "missing_feature"), ("trait.age_band", "missing_feature")]),
    (training(5).assign(orders_90d="two"), [("orders_90d", "not_a_number")]),
    (training(5).assign(orders_90d=np.inf), [("orders_90d", "not_a_number")]),
    (training(5).assign(orders_90d=[{}]*5), [("orders_90d", "not_a_number")]),
    (training(5).assign(orders_90d=pd.Timestamp("2026-01-01")), [("orders_90d", "not_a_number")]),
    (training(5).assign(**{"trait.age_band": 3}), [("trait.age_band", "not_text")]),
    (training(5).assign(**{"trait.age_band": [["a"]]*5}), [("trait.age_band", "not_text")]),
    (training(5).assign(orders_90d=None), [("orders_90d", "missing_value")]),
    (training(5).assign(**{"trait.age_band": ""}), [("trait.age_band", "missing_value")]),
    (training(5).assign(**{"trait.age_band": "teens"}), [("trait.age_band", "unseen_category")]),
    (training(5).assign(orders_90d=99), [("orders_90d", "outside_range")]),
    (training(5).assign(colour="red", customer_id="c1"), [("colour", "unknown_column")]),
    (training(5).assign(orders_90d=[Decimal(1)]*5), []), (training(5).assign(orders_90d=True), []), (training(0), []),
], ids=["absent", "text", "infinite", "objects", "a date", "numbers for text", "lists for text", "empty number", "empty text", "unseen", "too many", "extra", "decimals", "booleans", "no rows"])
def test_each_kind_of_nonsense_has_its_word(frame, expected):
    schema = input_schema(training(), FEATURES)
    found = check_rows(frame, schema)
    assert [(each.feature, each.code) for each in found] == expected
    assert all(each.blocks == (each.code in ("missing_feature", "not_a_number", "not_text")) for each in found)

def test_a_column_given_twice_is_refused_by_name():
    rows = training(5)
    twice = pd.concat([rows, rows[["orders_90d"]]], axis=1)
    assert codes(twice, input_schema(training(), FEATURES)) == [("orders_90d", "not_a_number")]

def test_problems_show_positions_never_values():
    rows = training(20)
    rows.loc[3, "trait.age_band"] = "jane.doe@example.com"
    problem, = check_rows(rows, input_schema(training(), FEATURES))
    assert problem.rows == (3,) and problem.n_rows == 1 and "jane" not in problem.message

def test_an_identifier_never_enters_a_schema():
    with pytest.raises(DataError, match="looks like an identifier"): input_schema(pd.DataFrame({"x": [f"c{i}" for i in range(LIKE_IDENTIFIERS+1)]}), ["x"])

def test_drift_is_seen_in_the_shares():
    schema = input_schema(training(), FEATURES)["features"]["net_revenue_365d"]
    stable = bin_shares(training(2000, seed=2)["net_revenue_365d"], schema)
    doubled = bin_shares(training(2000, seed=2)["net_revenue_365d"]*2, schema)
    apart = lambda found: np.abs(np.subtract(found, schema["shares"])).sum()
    assert apart(stable) < .2 < .5 < apart(doubled)
