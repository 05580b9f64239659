"""A shop with customers, orders and a ledger, for the tests of the planner of experiments."""
import json
from marketing_mlops.contracts.schemas import frame_of_rows
from marketing_mlops.workspace.places import find_workspace, write_text

HOSTILE = "<img src=x onerror=alert(1)> raises revenue"

def rows_of_shop(n=600, price=lambda i: 15. + i % 45):
    days = {i: "2026-06-20T10:00Z" for i in range(0, n, 5)} | {n + i: "2026-01-10T10:00Z" for i in range(0, n, 10)}
    def event(i): return dict(order_id=f"o{i}", currency="EUR", occurred_at=days[i], known_at=days[i])
    return dict(customers=[dict(customer_id=f"c{i}", household_id=f"h{i//2}", market="DE", first_seen_at="2024-01-01T00:00Z") for i in range(n)],
                orders=[dict(customer_id=f"c{i % max(n, 1)}") | event(i) for i in days],
                order_lines=[dict(order_line_id=f"l{i}", kind="sale", quantity=1, unit_price=price(i)) | event(i) for i in days])

def make_shop(root, tables, models={}):
    "A workspace around these tables."
    write_text(root/"settings.ini", "[DEFAULT]\nreporting_currency = EUR\n")
    write_text(root/"params.yaml", json.dumps(dict(sources=dict(shop=dict(kind="simulated")), models=models)))
    write_text(root/"data"/"state"/"ledger_writer", "laptop\n")
    place = find_workspace(root)
    place.accepted("shop").mkdir(parents=True)
    for name, rows in tables.items(): frame_of_rows(name, rows).to_parquet(place.accepted("shop")/f"{name}.parquet")
    return place
