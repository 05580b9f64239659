"""The stage as a whole: published facts, equal bytes, rejected rows, and no person outside the private folder."""
import json, re
from decimal import Decimal
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from marketing_mlops.contracts.schemas import TABLES, canonical_frame, check_frame
from marketing_mlops.sources.ingestion import accepted_tables, read_table
from marketing_mlops.workspace.errors import DataError, DownloadError, MappingError, MmopsError, ParameterError, WorkspaceError
from marketing_mlops.workspace.places import file_sha256

def frame(folder, table): return canonical_frame(pq.read_table(folder/f"{table}.parquet"), table)
def digests(folder): return {p.name: file_sha256(p) for p in sorted(folder.iterdir())}

# Facts of the published files, as datasets/REFERENCE.md states them

@pytest.fixture(scope="module")
def replays(public):
    "Every public source, ingested: source -> (its account, folder)."
    folders = {source: public(source).accepted(source) for source in ("hillstrom", "bank-marketing", "online-retail")}
    return {source: (json.loads((folder/"ingest.json").read_text()), folder) for source, folder in folders.items()}

def test_no_row_of_a_public_file_is_rejected_and_every_table_keeps_its_contract(replays):
    for source, (account, folder) in replays.items():
        assert sum(table["n_rejected"] for table in account["tables"].values()) == 0
        for name in account["tables"]: assert check_frame(frame(folder, name).head(5000), name) == [], (source, name)

def test_the_mail_experiment_has_the_published_arms_and_outcomes(replays):
    _, folder = replays["hillstrom"]
    df = frame(folder, "assignments").merge(frame(folder, "outcomes"), on=["experiment_id", "customer_id"])
    arms = df.groupby("arm").agg(n=("visit", "size"), visits=("visit", "sum"), conversions=("conversion", "sum"), spend=("spend", "sum"))
    assert arms.astype({"spend": str}).T.to_dict("list") == {"Mens E-Mail": [21307, 3894, 267, "30311.6900"], "No E-Mail": [21306, 2262, 122, "13908.3300"], "Womens E-Mail": [21387, 3238, 189, "23038.1100"]}
    assert df.is_time_derived_x.all() and df.is_time_derived_y.all()

def test_the_bank_calls_keep_their_order_and_their_dates_are_marked(replays):
    account, folder = replays["bank-marketing"]
    calls, outcomes, traits = (frame(folder, t) for t in ("contacts", "outcomes", "traits"))
    in_order = calls.sort_values("contact_id")
    assert len(calls) == 41188 and outcomes.conversion.sum() == 4640 and calls.is_time_derived.all()
    assert in_order.occurred_at.is_monotonic_increasing and in_order.occurred_at.dt.tz_convert("Europe/Lisbon").dt.strftime("%Y-%m").agg(["min", "max"]).tolist() == ["2008-05", "2010-11"]
    unknown = 41188 - traits.groupby("trait").size()
    assert unknown[["has_default", "education", "has_housing_loan", "has_personal_loan", "job", "marital", "days_since_earlier_contact"]].tolist() == [8597, 1731, 990, 990, 330, 80, 39673]
    assert set(traits[traits.trait == "duration"].known_when) == {"during"} and account["tables"]["traits"]["derived"]["occurred_at"].startswith("month_in_row_order")

def test_the_gift_shop_has_the_published_lines_invoices_customers_and_revenue(replays):
    _, folder = replays["online-retail"]
    lines, orders, products = (frame(folder, t) for t in ("order_lines", "orders", "products"))
    assert (len(lines), len(orders), len(products), orders.customer_id.nunique()) == (541909, 25900, 4070, 4372)
    exact = pq.read_table(folder/"order_lines.parquet").to_pandas()
    assert sum(q*p for q, p in zip(exact.quantity, exact.unit_price)) == Decimal("9747747.934")
    assert (lines.quantity < 0).sum() == 10624 and (lines.unit_price < 0).sum() == 2
    assert lines.occurred_at.agg(["min", "max"]).dt.strftime("%F %R").tolist() == ["2010-12-01 08:26", "2011-12-09 12:50"]

def test_the_gift_shop_has_the_orders_and_buyers_of_an_independent_count(replays, datasets):
    "Its 3,836 cancellations are numbered like orders; counted as such they lowered the basket from 514 to 411 pounds."
    from marketing_mlops.contracts.metrics import metric_value
    tables = {path.stem: path for path in replays["online-retail"][1].glob("*.parquet")}
    raw = pd.read_csv(datasets/"online-retail"/"online-retail.csv.gz", dtype=str).astype({"Quantity": int})
    sales = raw[~raw.InvoiceNo.str.match("[CA]") & (raw.Quantity >= 0)]
    amount, orders = sum(n*Decimal(price) for n, price in zip(sales.Quantity, sales.UnitPrice)), sales.groupby("CustomerID").InvoiceNo.nunique()
    assert (raw.InvoiceNo.nunique(), sales.InvoiceNo.nunique(), len(orders), int((orders > 1).sum())) == (25900, 20725, 4339, 2845)
    found = {name: metric_value(name, tables) for name in ("average_order_value", "repeat_rate", "new_customer_share")}
    assert {name: (each.numerator, each.denominator) for name, each in found.items()} == {
        "average_order_value": (amount, 20725), "repeat_rate": (2845, 4339), "new_customer_share": (4339, 4339)}
    assert round(found["average_order_value"].value, 2) == 514.14 and round(found["repeat_rate"].value, 4) == .6557

def test_cancellations_are_returns_that_name_an_earlier_sale_where_there_is_one(replays):
    _, folder = replays["online-retail"]
    lines = frame(folder, "order_lines")
    returns = lines[lines.kind == "return"]
    assert len(returns) == 9288 and returns.sale_line_id.notna().sum() == 7174 and lines[lines.kind != "return"].sale_line_id.isna().all()
    pairs = returns.dropna(subset=["sale_line_id"]).merge(lines, left_on="sale_line_id", right_on="order_line_id", suffixes=("", "_sold"))
    assert len(pairs) == 7174 and (pairs.kind_sold == "sale").all() and (pairs.occurred_at_sold <= pairs.occurred_at).all()
    assert (pairs.product_id == pairs.product_id_sold).all() and (pairs.unit_price == pairs.unit_price_sold).all()

def test_british_summer_time_is_taken_off(replays):
    _, folder = replays["online-retail"]
    orders = frame(folder, "orders").set_index("order_id")
    assert orders.occurred_at["536365"] == pd.Timestamp("2010-12-01 08:26", tz="UTC")   # winter
    assert orders.occurred_at["558638"] == pd.Timestamp("2011-07-01 07:16", tz="UTC")   # summer: the file says 08:16

# The same adapters on changed copies

def shuffled(lines): return [lines[0], *np.random.default_rng(5).permutation(np.array(lines[1:], dtype=object))]

def test_the_same_rows_in_another_order_give_the_same_bytes(published, run_ingest):
    published("online-retail", "online-retail.csv", rows=8000); _, first, _ = run_ingest("online-retail", "first")
    published("online-retail", "online-retail.csv", shuffled, rows=8000); _, second, _ = run_ingest("online-retail", "second")
    assert digests(first) == digests(second)

def test_the_mail_experiment_has_the_same_arms_in_any_order_of_rows(published, run_ingest):
    published("hillstrom", "hillstrom.csv", shuffled, rows=5000)
    _, folder, _ = run_ingest("hillstrom")
    assert len(frame(folder, "assignments")) == 5000 and frame(folder, "experiments").arm.tolist() == ["Mens E-Mail", "No E-Mail", "Womens E-Mail"]

def test_bank_rows_in_another_order_are_refused_because_the_order_is_the_time(published, run_ingest):
    published("bank-marketing", "bank-additional-full.csv", shuffled)
    with pytest.raises(DataError, match="not in the order of time"): run_ingest("bank-marketing")

def but_the_bank(sources): return [pytest.param(name, marks=pytest.mark.slow) if name == "bank-marketing" else name for name in sources]   # 41,188 rows, read a dozen times

RENAMED = {"hillstrom": ("hillstrom.csv", "spend", "spend_usd"), "online-retail": ("online-retail.csv", "UnitPrice", "Unit Price"), "bank-marketing": ("bank-additional-full.csv", '"duration"', '"call_duration"')}

@pytest.mark.parametrize("source", but_the_bank(RENAMED))
def test_a_renamed_column_is_named_with_its_closest_match_and_mends_with_one_word(source, published, run_ingest):
    file, old, new = RENAMED[source]
    bare_old, bare_new = old.strip('"'), new.strip('"')
    rename = lambda lines: [lines[0].replace(old, new), *lines[1:]]
    rows = None if source == "bank-marketing" else 2000
    published(source, file, rename, rows=rows)
    with pytest.raises(DataError) as e: run_ingest(source)
    assert all(w in str(e.value) for w in (file, repr(bare_old), f"Did you mean {bare_new!r}?")) and len(str(e.value).splitlines()) == 2
    mended = lambda text: re.sub(rf"(?m)^(\s+){bare_old}:", rf'\1"{bare_new}":', text).replace(f"trait: {bare_old}", f"trait: {bare_old}")
    published(source, file, rename, rows=rows, mapping_change=mended); _, renamed, _ = run_ingest(source, "renamed")
    published(source, file, rows=rows); _, plain, _ = run_ingest(source, "plain")
    same = {n for n in digests(plain) if digests(plain)[n] == digests(renamed).get(n)}
    assert {n for n in digests(plain) if n.endswith(".parquet")} - same <= {"traits.parquet"}   # a trait is called after its column

NONSENSE = {"hillstrom": ("hillstrom.csv", ",", 11), "online-retail": ("online-retail.csv", ",", -3), "bank-marketing": ("bank-additional-full.csv", ";", 10)}

@pytest.mark.parametrize("source", but_the_bank(NONSENSE))
def test_one_per_cent_nonsense_is_set_aside_row_by_row_and_the_rest_is_unharmed(source, published, run_ingest):
    file, sign, place = NONSENSE[source]
    rows = 41188 if source == "bank-marketing" else 3000
    hit = set(np.random.default_rng(3).choice(np.arange(1, rows + 1), rows//100, replace=False))
    def spoil(lines):
        spoilt = []
        for i, line in enumerate(lines):
            cells = line.split(sign)
            if i in hit: cells[place] = "banana 🍌"
            spoilt.append(sign.join(cells))
        return spoilt
    published(source, file, spoil, rows=rows); result, folder, private = run_ingest(source, "spoilt")
    spoilt = {n: a for n, a in result.tables.items() if a.n_rejected}
    assert spoilt and all(a.n_rejected == len(hit) and sum(a.rejected.values()) == len(hit) for a in spoilt.values())
    kept = pd.read_parquet(private/f"rejected_{next(iter(spoilt))}.parquet")
    assert len(kept) == len(hit) and kept.astype(str).apply(lambda c: c.str.contains("banana")).any(axis=1).all() and (kept.reason != "").all()
    published(source, file, rows=rows); _, plain, _ = run_ingest(source, "plain")
    for name in result.tables:
        if name not in ("customers", "products"): assert len(frame(folder, name)) <= len(frame(plain, name))

def test_two_runs_give_the_same_bytes_and_nothing_of_time_or_place(published, run_ingest, small_workspace):
    published("hillstrom", "hillstrom.csv", rows=2000)
    _, first, first_private = run_ingest("hillstrom", "first"); _, second, second_private = run_ingest("hillstrom", "second")
    assert digests(first) == digests(second) and digests(first_private) == digests(second_private)
    text = (first/"ingest.json").read_text()
    assert str(small_workspace.root) not in text and not re.search(r"20(2[5-9]|3\d)-", text)

# A shop's own files

SHOP = """
currency: EUR
zone: Europe/Berlin
files: {orders.csv: {}}
tables:
  orders:
    file: orders.csv
    columns: {id: order_id, mail: customer_id, day: {to: occurred_at, date_format: "%d.%m.%Y"}, address: identifiers.email}
    derived: {known_at: {rule: copy, column: occurred_at}}
"""
ROWS = [f"A{i},k{i}@secret.example,{i % 28 + 1:02d}.03.2026,k{i}@second.example" for i in range(200)]

@pytest.fixture
def shop(small_workspace, run_ingest):
    "Function (rows, mapping) -> what run_ingest gives."
    folder = small_workspace.source_folder("shop"); folder.mkdir(parents=True)
    def run(rows=ROWS, mapping=SHOP, header="id,mail,day,address", raw=None, attempt="once"):
        (folder/"mapping.yaml").write_text(mapping)
        (folder/"orders.csv").write_bytes(raw if raw is not None else "\n".join([header, *rows, ""]).encode())
        return run_ingest("shop", attempt)
    return run

def bytes_of(folder): return b"".join(p.read_bytes() for p in folder.rglob("*") if p.is_file())

def test_an_address_reaches_the_private_folder_and_nothing_else(shop, capfd, caplog):
    planted = "planted.person@secret.example"
    rows = [*ROWS, f"B1,{planted},01.03.2026,x@y.example", f"B2,z@y.example,{planted},x@y.example", f",{planted},01.03.2026,"]
    result, into, private = shop(rows)
    identifiers = pd.read_parquet(private/"identifiers.parquet")
    assert planted in set(identifiers.value) and set(identifiers.kind) == {"email"} and result.tables["orders"].n_rejected == 2
    seen = bytes_of(into) + repr(result).encode() + result._repr_markdown_().encode() + "".join(capfd.readouterr()).encode() + caplog.text.encode()
    assert b"secret" not in seen and b"second" not in seen and b"planted" not in seen
    # compressed columns would hide a plain search
    assert not any(frame(into, n).astype(str).apply(lambda c: c.str.contains("@")).any().any() for n in result.tables)

@pytest.mark.parametrize("change, header", [
    (lambda r: [x.replace(".03.2026", "/03/2026") for x in r], "id,mail,day,address"), (lambda r: [*r, r[0]], "id,mail,day,address"),
    (lambda r: r, "id,email,day,address"), (lambda r: [",".join(x.split(",")[i] for i in (0, 2, 1, 3)) for x in r], "id,mail,day,address"),
    (lambda r: [x.replace("A", "", 1).replace(x.split(",")[0][1:], "", 1) for x in r], "id,mail,day,address")])
def test_no_error_shows_an_address(shop, change, header):
    with pytest.raises(MmopsError) as e: shop(change(ROWS), header=header)
    assert "secret" not in str(e.value) + repr(e.value.fields) and "second.example" not in str(e.value) + repr(e.value.fields)
    assert len(str(e.value).splitlines()) == 2

@pytest.mark.parametrize("rows, header, says", [
    ([r.replace(".03.2026", "/03/2026") for r in ROWS], "id,mail,day,address", ["orders.csv", "'day'", "rows 2, 3", "%d/%m/%Y", "mapping.yaml"]),
    ([*ROWS, ROWS[7]], "id,mail,day,address", ["orders.csv", "'A7' in column 'id' (order_id)", "rows 9, 202", "one_row_per"]),
    (ROWS, "id,mail,Day,address", ["orders.csv", "'day'", "Did you mean 'Day'?", "Rename the column"]),
    ([], "id,mail,day,address", ["orders.csv", "no rows"])])
def test_bad_files_are_told_by_file_column_rows_and_remedy(shop, rows, header, says):
    with pytest.raises(DataError) as e: shop(rows, header=header)
    assert all(word in str(e.value) for word in says), str(e.value)

@pytest.mark.parametrize("mapping, says", [(SHOP.replace("orders:\n", "oders:\n"), "Did you mean 'orders'?"), (SHOP.replace("order_id", "orderid"), "Did you mean 'order_id'?"),
    (SHOP.replace("orders.csv: {}", "order.csv: {}"), "not under files"), (SHOP.replace("zone: Europe/Berlin", "zone: Mars/Base"), "no IANA time zone"), ("tables: [", "line")])
def test_bad_mappings_are_told_by_file_and_key(shop, mapping, says):
    with pytest.raises(MappingError) as e: shop(mapping=mapping)
    assert says in str(e.value) and "data/sources/shop/mapping.yaml" in str(e.value)

def test_a_failing_source_writes_nothing(shop, small_workspace):
    with pytest.raises(DataError): shop([*ROWS, ROWS[0]])
    assert not any(p.is_file() for p in (small_workspace.root/"out").rglob("*"))

def test_a_file_that_is_not_there_is_named(shop, small_workspace, run_ingest):
    shop(); (small_workspace.source_folder("shop")/"orders.csv").unlink()
    with pytest.raises(DataError, match="orders.csv is not there"): run_ingest("shop")

def test_the_same_customer_is_one_in_every_file_and_another_under_another_key(shop, monkeypatch):
    _, first, _ = shop(attempt="first")
    monkeypatch.setenv("MMOPS_ID_KEY", "another key, also long enough")
    _, second, _ = shop(attempt="second")
    a, b = (set(frame(f, "orders").customer_id) for f in (first, second))
    assert len(a) == len(b) == 200 and not a & b
    assert set(frame(first, "customers").customer_id) == a

def test_faults_of_several_tables_are_reported_at_once(shop):
    mapping = SHOP.replace("files: {orders.csv: {}}", "files: {orders.csv: {}, more.csv: {}}") + SHOP[SHOP.index("  orders:"):].replace("  orders:", "  contacts:").replace("id: order_id", "id: contact_id").replace("derived: {", "derived: {kind: {rule: constant, value: send}, channel: {rule: constant, value: email}, ")
    with pytest.raises(DataError) as e: shop([*ROWS, ROWS[0]], mapping=mapping.replace(", more.csv: {}", ""))
    assert "table orders" in str(e.value) and "table contacts" in str(e.value) and len(e.value.fields["errors"]) == 2

def test_markup_in_names_stays_text(shop):
    _, into, _ = shop([*ROWS, "<script>x</script>,🦔,01.03.2026,"])
    assert "<script>x</script>" in set(frame(into, "orders").order_id)

def test_an_unknown_source_is_refused_with_the_known_ones(small_workspace, run_ingest):
    from marketing_mlops.sources.ingestion import ingest
    from marketing_mlops.workspace.params import read_params
    with pytest.raises(ParameterError, match="There is no source"): ingest("shopp", small_workspace, read_params(small_workspace), small_workspace.root, small_workspace.root)

def test_reading_before_the_first_acceptance_says_what_to_run(small_workspace):
    with pytest.raises(WorkspaceError, match="mmops run"): read_table(small_workspace, "shop", "orders")
    assert accepted_tables(small_workspace, "shop") == {}

RESTATED = """name: platform
currency: EUR
files:
  media.csv: {format: {kind: csv}}
tables:
  media:
    file: media.csv
    columns:
      day: {to: day}
      account: {to: account_id}
      channel: {to: channel}
      campaign: {to: campaign_id}
      creative: {to: creative_id}
      market: {to: market}
      clicks: {to: clicks}
      began_at: {to: occurred_at}
      stated_at: {to: known_at}
"""
STATED = """day,account,channel,campaign,creative,market,clicks,began_at,stated_at
2026-02-02,a1,search,c1,v1,DE,40,2026-02-01T23:00:00Z,2026-02-03T06:00:00Z
2026-02-02,a1,search,c1,v1,DE,31,2026-02-01T23:00:00Z,2026-02-06T06:00:00Z
2026-02-03,a1,search,c1,v1,DE,12,2026-02-02T23:00:00Z,2026-02-04T06:00:00Z
"""

def test_media_stated_again_are_kept_and_judged_as_two_statements_of_one_day(small_workspace, run_ingest):
    folder = small_workspace.source_folder("platform")
    folder.mkdir(parents=True)
    (folder/"mapping.yaml").write_text(RESTATED)
    (folder/"media.csv").write_text(STATED)
    _, into, _ = run_ingest("platform")
    media = frame(into, "media")
    assert media.clicks.tolist() == [40, 31, 12] and check_frame(media, "media") == []
    (folder/"media.csv").write_text(STATED + STATED.splitlines()[2] + "\n")   # the very same statement twice is still a fault
    with pytest.raises(DataError, match="share a key"): run_ingest("platform", "again")
