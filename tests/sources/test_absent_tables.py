"""A question about a table or column that is not there is answered in two lines, with the nearest name."""
import pytest
from marketing_mlops.contracts.schemas import arrow_schema, canonical_frame, frame_of_rows
from marketing_mlops.sources.evidence import open_evidence
from marketing_mlops.sources.profiles import column_facts, frequent_values, profile_tables
from marketing_mlops.sources.volume_checks import weekly_counts
from marketing_mlops.workspace.clock import WallClock
from marketing_mlops.workspace.errors import DataError

AT = "2026-05-04T10:00:00+00:00"
SHOP = dict(orders=frame_of_rows("orders", [dict(order_id="A1", occurred_at=AT, known_at=AT)]), customers=frame_of_rows("customers", [dict(customer_id="ann")]))

@pytest.mark.parametrize("ask, says", [
    (lambda e: weekly_counts(e, "order"), "Did you mean 'orders'?"), (lambda e: weekly_counts(e, "media"), "no table 'media'; there are orders, customers"),
    (lambda e: weekly_counts(e, "customers"), "no events to count"), (lambda e: column_facts(e, "media"), "no table 'media'"),
    (lambda e: frequent_values(e, "media", "channel"), "no table 'media'"), (lambda e: frequent_values(e, "orders", "order_di"), "Did you mean 'order_id'?")])
def test_what_is_not_there_is_named_in_two_lines_with_what_is_there(ask, says):
    with open_evidence(SHOP, source="shop", clock=WallClock()) as evidence:
        with pytest.raises(DataError) as raised: ask(evidence)
    assert says in str(raised.value) and len(str(raised.value).splitlines()) == 2

def test_a_table_without_rows_has_no_weeks():
    with open_evidence(dict(orders=canonical_frame(arrow_schema("orders").empty_table(), "orders")), source="shop", clock=WallClock()) as evidence:
        assert weekly_counts(evidence, "orders") == {}

def test_a_file_that_is_gone_is_named(tmp_path):
    with pytest.raises(DataError, match="orders.parquet"): profile_tables(dict(orders=tmp_path/"orders.parquet"))
