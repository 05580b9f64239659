"""Amounts of several currencies are converted or refused, never added as they stand."""
import json
import pytest
from marketing_mlops.contracts.schemas import TABLES
from marketing_mlops.features.aggregations import AGGREGATIONS
from marketing_mlops.features.catalogue import FEATURES
from marketing_mlops.features.computed_columns import is_unconverted
from marketing_mlops.features.declarations import OTHER_WAYS, Feature
from marketing_mlops.features.own_features import own_features
from marketing_mlops.workspace.errors import ParameterError

@pytest.mark.parametrize("column", ["unit_price", "discount", "tax", "cost"])
@pytest.mark.parametrize("how", ["sum", "mean", "min", "max", "last", "first"])
def test_an_amount_in_the_currency_of_its_row_is_refused_where_it_is_declared(shop, column, how):
    entry = dict(definition="An amount.", unit="EUR", table="order_lines", aggregation=how, column=column)
    (shop.workspace.root/"params.yaml").write_text(json.dumps({"features": {"amount": entry}}))
    with pytest.raises(ParameterError, match=f"features.amount cannot be computed: {column} of order_lines is in the currency of each row, and {how} would mix currencies; use one of sale_amount, net_amount, list_amount") as refused: own_features(shop.workspace)
    assert len(str(refused.value).splitlines()) == 2

@pytest.mark.parametrize("table, column, entity", [("media", "spend", "campaign"), ("contacts", "cost", "customer"), ("outcomes", "spend", "customer")])
def test_where_no_column_is_converted_nothing_is_added(table, column, entity):
    with pytest.raises(ValueError, match=f"{table} has no converted column"): Feature("amount", "An amount.", "EUR", table, "sum", column, entity=entity)

def test_a_converted_amount_and_a_count_of_prices_may_be_declared():
    for how, column in (("mean", "list_amount"), ("max", "net_amount"), ("distinct", "unit_price")): Feature("amount", "An amount.", "EUR", "order_lines", how, column)

def test_no_registered_feature_mixes_currencies():
    read = [(each, tally) for each in FEATURES.values() for tally in each.tallies if tally.table not in OTHER_WAYS and tally.column and AGGREGATIONS[tally.aggregation].takes in ("number", "value")]
    assert read and not [each.name for each, tally in read if is_unconverted(tally.table, tally.column)]

def test_every_amount_of_a_table_says_whether_it_is_converted():
    for name, table in TABLES.items():
        for column in table.columns: assert is_unconverted(name, column.name) == (column.unit == "currency of the row")
