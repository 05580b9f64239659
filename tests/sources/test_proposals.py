"""Files nobody announced, with columns never seen here."""
from dataclasses import replace
import numpy as np
import pandas as pd
import pytest
from marketing_mlops.contracts.schemas import TABLES
from marketing_mlops.sources.drafts import Wishes
from marketing_mlops.sources.proposals import propose_mapping
from marketing_mlops.workspace.errors import DataError, MappingError

rng = np.random.default_rng(11)
N = 400
PEOPLE = rng.integers(1, 150, N)
DAYS = pd.Timestamp("2026-03-01") + pd.to_timedelta(rng.integers(0, 40*24*60, N), unit="min")
AMOUNTS = (rng.gamma(2, 20, N)).round(2)
SAID = Wishes(currency="EUR", zone="Europe/Berlin", tax_rate=0.)

def comma(values): return [f"{v:.2f}".replace(".", ",") for v in values]

SHOPS = {
    "English, one row per order": (pd.DataFrame({"Order #": [f"O-{i}" for i in range(N)], "Customer ID": PEOPLE, "Created at": DAYS.strftime("%Y-%m-%d %H:%M"), "Total (incl. VAT)": AMOUNTS}), {},
        {"order_id": "Order #", "customer_id": "Customer ID", "occurred_at": "Created at", "unit_price": "Total (incl. VAT)"}),
    "German, semicolons and decimal commas": (pd.DataFrame({"Auftragsnr.": np.arange(N) + 70000, "Kundennummer": PEOPLE, "Bestelldatum": DAYS.strftime("%d.%m.%Y"), "Bestellwert": comma(AMOUNTS), "Filiale": "Ulm"}), {"sep": ";"},
        {"order_id": "Auftragsnr.", "customer_id": "Kundennummer", "occurred_at": "Bestelldatum", "unit_price": "Bestellwert"}),
    "American, lines with articles": (pd.DataFrame({"receipt": np.arange(N)//3, "buyer": PEOPLE//7 + 1, "purchase_date": DAYS.strftime("%m/%d/%Y"), "sku": rng.choice(["A", "B", "C"], N), "qty": rng.integers(1, 5, N), "price_each": AMOUNTS}), {},
        {"order_id": "receipt", "customer_id": "buyer", "occurred_at": "purchase_date", "unit_price": "price_each", "quantity": "qty", "product_id": "sku"}),
    "keyed by address, with offsets": (pd.DataFrame({"id": [f"x{i}" for i in range(N)], "client": [f"p{i}@example.com" for i in PEOPLE], "timestamp": DAYS.strftime("%Y-%m-%dT%H:%M:%S+01:00"), "revenue": AMOUNTS}), {},
        {"customer_id": "client", "occurred_at": "timestamp", "unit_price": "revenue"})}

def becomes(proposal):
    found = {}
    for table in proposal.content["tables"].values(): found |= {(c["to"] if isinstance(c, dict) else c): name for name, c in table["columns"].items()}
    return found

@pytest.mark.parametrize("shop", SHOPS)
def test_orders_with_unseen_columns_are_understood_and_add_up(shop, tmp_path):
    df, style, expected = SHOPS[shop]
    df.to_csv(tmp_path/"shop.csv", index=False, **style)
    proposal = propose_mapping(tmp_path/"shop.csv", "orders", wishes=SAID)
    assert proposal.is_ready, (proposal.questions, proposal.problems)
    assert expected.items() <= becomes(proposal).items()
    lines = proposal.trial["order_lines"].frame
    pieces = df["qty"] if "qty" in df else 1
    assert sum(lines.quantity.astype(int)*lines.unit_price.astype(float)) == pytest.approx((AMOUNTS*pieces).sum()) and len(proposal.rejected) == 0
    first = proposal.trial["orders"].frame.occurred_at.min()
    assert abs(first - DAYS.min().tz_localize("Europe/Berlin").tz_convert("UTC")) <= pd.Timedelta(days=1)
    assert all(check in TABLES["orders"].names + TABLES["order_lines"].names or check.startswith("identifiers.") for check in becomes(proposal))

@pytest.mark.parametrize("kind", ["xlsx", "parquet", "csv.gz"])
def test_excel_parquet_and_gzip_give_the_same_proposal(kind, tmp_path):
    df = SHOPS["English, one row per order"][0]
    path = tmp_path/f"shop.{kind}"
    {"xlsx": lambda: df.to_excel(path, index=False), "parquet": lambda: df.to_parquet(path), "csv.gz": lambda: df.to_csv(path, index=False)}[kind]()
    proposal = propose_mapping(path, "orders", wishes=SAID)
    assert proposal.is_ready and len(proposal.trial["order_lines"].frame) == N

@pytest.mark.parametrize("table, shop", [("orders", shop) for shop in SHOPS] + [("assignments", "English, one row per order")])
def test_drafting_changes_no_draft_and_says_nothing_twice(table, shop):
    from copy import deepcopy
    from marketing_mlops.sources.drafts import start_draft
    from marketing_mlops.sources.raw_files import RawRows
    from marketing_mlops.sources.table_drafts import draft_tables, roles_of
    start = start_draft(RawRows(SHOPS[shop][0].head(40).astype(str), {}, "shop.csv"), roles_of(table), zones=("Europe/Berlin",), currencies=("EUR", "CHF"))
    before = deepcopy((start.guesses, start.questions, start.notes))
    (tables, first), (again, second) = draft_tables(start, table), draft_tables(start, table)
    assert (start.guesses, start.questions, start.notes) == before
    assert (tables, first.questions, first.notes) == (again, second.questions, second.notes)
    assert draft_tables(first, table)[1].notes == first.notes and len(set(first.notes)) == len(first.notes)

def test_what_only_the_owner_knows_is_asked_with_choices_and_a_flag(tmp_path):
    df = SHOPS["English, one row per order"][0].assign(**{"Created at": [f"0{i % 9 + 1}/0{i % 7 + 1}/2026" for i in range(N)], "Grand total": AMOUNTS})
    df.to_csv(tmp_path/"shop.csv", index=False)
    asked = {q.flag.split()[0] + (" " + q.flag.split("=")[1] if "=" in q.flag else ""): q for q in propose_mapping(tmp_path/"shop.csv", "orders").questions}
    assert set(asked) == {"--column amount", "--date-format", "--zone", "--currency", "--tax-rate"}
    assert asked["--column amount"].choices and len(asked["--date-format"].choices) == 2
    said = Wishes(columns={"Grand total": "amount"}, date_format="%d/%m/%Y", zone="Europe/Berlin", currency="EUR")
    assert propose_mapping(tmp_path/"shop.csv", "orders", wishes=said).is_ready

def test_a_repeated_order_number_is_asked_about_and_both_answers_work(tmp_path):
    df = SHOPS["English, one row per order"][0]
    pd.concat([df, df.head(3)]).to_csv(tmp_path/"shop.csv", index=False)
    assert [q.flag for q in propose_mapping(tmp_path/"shop.csv", "orders", wishes=SAID).questions] == ["--rows lines"]
    counts = {rows: len(propose_mapping(tmp_path/"shop.csv", "orders", wishes=replace(SAID, rows=rows)).trial["order_lines"].frame) for rows in ("lines", "orders")}
    assert counts == {"lines": N + 3, "orders": N}

def test_refunds_are_returns_of_one_piece_with_their_size_as_price(tmp_path):
    df = SHOPS["English, one row per order"][0].copy(); df.loc[5, "Total (incl. VAT)"] = -19.99
    df.to_csv(tmp_path/"shop.csv", index=False)
    line = propose_mapping(tmp_path/"shop.csv", "orders", wishes=SAID).trial["order_lines"].frame.loc[7]
    assert (line.kind, int(line.quantity), float(line.unit_price)) == ("return", -1, 19.99)

def test_every_rejected_row_is_listed_with_row_column_and_reason_and_no_address(tmp_path):
    df = SHOPS["keyed by address, with offsets"][0].astype(str)
    df.loc[3, "revenue"], df.loc[8, "timestamp"], df.loc[9, "revenue"], df.loc[20, "client"] = "viel", "soon", df.loc[9, "client"], ""
    df.to_csv(tmp_path/"shop.csv", index=False)
    proposal = propose_mapping(tmp_path/"shop.csv", "orders", wishes=SAID)
    found = proposal.rejected
    assert proposal.is_ready and {(t, r) for t, r in zip(found.table, found.row)} == {("order_lines", 5), ("orders", 10), ("order_lines", 10), ("order_lines", 11)}
    assert (found.reason != "").all() and "@" not in found.to_csv() and "@" not in proposal._repr_markdown_()

def test_too_much_nonsense_is_a_problem_and_not_a_mapping(tmp_path):
    df = SHOPS["English, one row per order"][0].astype(str); df.loc[:40, "Total (incl. VAT)"] = "n/a"
    df.to_csv(tmp_path/"shop.csv", index=False)
    proposal = propose_mapping(tmp_path/"shop.csv", "orders", wishes=Wishes(columns={"Total (incl. VAT)": "amount"}, currency="EUR", zone="UTC"))
    assert not proposal.is_ready and "41 of 400 rows" in proposal.problems[0]

MAIL = pd.DataFrame({"Kd": [f"{i}" for i in range(1, 301)], "Gruppe": ["Frühlingsmail", "kein Mailing", "Gutschein"]*100, "Versand": "01.03.2026"})

def test_a_mailing_is_an_experiment_with_its_arms_control_and_plan(tmp_path):
    MAIL.to_csv(tmp_path/"mail.csv", index=False, sep=";")
    asked = propose_mapping(tmp_path/"mail.csv", "assignments", wishes=SAID)
    assert [q.flag.split()[0] for q in asked.questions] == ["--worthwhile-effect"]
    proposal = propose_mapping(tmp_path/"mail.csv", "assignments", wishes=Wishes(zone="Europe/Berlin", currency="EUR", worthwhile_effect=.4, experiment="fruehling"))
    assert proposal.is_ready and proposal.experiment["control"] == "kein Mailing" and set(proposal.experiment["arms"]) == set(MAIL.Gruppe)
    assert proposal.trial["experiments"].frame.is_control.sum() == 1 and len(proposal.trial["assignments"].frame) == 300
    from marketing_mlops.measurement.experiments import read_experiment
    assert read_experiment(proposal.experiment).goal == "net_revenue_per_customer"

def test_an_unequal_split_without_a_plan_and_a_control_without_a_name_are_asked_about(tmp_path):
    pd.DataFrame({"customer": range(200), "group": ["A"]*150 + ["B"]*50}).to_csv(tmp_path/"mail.csv", index=False)
    flags = [q.flag.split()[0] for q in propose_mapping(tmp_path/"mail.csv", "assignments").questions]
    assert flags == ["--control", "--shares", "--zone", "--sent-on", "--worthwhile-effect"]
    said = Wishes(control="B", shares={"A": .75, "B": .25}, sent_on="2026-03-01", worthwhile_effect=1., zone="UTC")
    assert propose_mapping(tmp_path/"mail.csv", "assignments", wishes=said).is_ready
    assert "There is no arm 'C'" in str(propose_mapping(tmp_path/"mail.csv", "assignments", wishes=Wishes(control="C")).questions[0])

@pytest.mark.parametrize("content, says", [(b"", "empty"), (b"a,b\n", "no rows")])
def test_a_file_that_cannot_be_read_is_an_error_at_once(content, says, tmp_path):
    (tmp_path/"x.csv").write_bytes(content)
    with pytest.raises(DataError, match=says): propose_mapping(tmp_path/"x.csv", "orders")

def test_a_file_of_something_else_asks_instead_of_inventing(tmp_path):
    (tmp_path/"x.csv").write_text("planet,colour\nMars,red\nVenus,white\n")
    proposal = propose_mapping(tmp_path/"x.csv", "orders")
    assert {q.flag for q in proposal.questions} >= {"--column NAME=customer_id", "--column NAME=occurred_at", "--column NAME=amount"} and not proposal.is_ready

@pytest.mark.parametrize("table", sorted(set(TABLES) - {"orders", "order_lines", "assignments"}))
def test_every_canonical_table_can_be_proposed_by_its_own_column_names(table, tmp_path):
    example = {"string": "a", "int": "1", "float": "1.5", "money": "2.50", "bool": "1", "instant": "2026-03-01T10:00:00Z", "date": "2026-03-01"}
    columns = [c for c in TABLES[table].columns if c.name not in ("known_at", "is_time_derived", "currency")]
    pd.DataFrame([{c.name: (c.allowed[0] if c.allowed else example[c.type]) for c in columns}]).to_csv(tmp_path/"x.csv", index=False)
    proposal = propose_mapping(tmp_path/"x.csv", table, wishes=SAID)
    assert set(TABLES[table].required) - {"known_at"} <= set(becomes(proposal)) | {"currency"}, (proposal.questions, becomes(proposal))
