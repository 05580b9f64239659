"""No way of showing rows leaves an id in what is stored, and counts stay."""
import json, re
import pandas as pd, pytest
from marketing_mlops.jobs.personal_rows import hide_personal_rows

SHOWN = pd.DataFrame(dict(order_id=["o-1", "o-2"], customer_id=["c000123", "c000124"], price=[19.9, 1249.9]))
NUMBERED = SHOWN.assign(customer_id=[17850, 17851])

@pytest.mark.parametrize("rows", [SHOWN, NUMBERED], ids=["texts", "numbers"])
@pytest.mark.parametrize("show", [
    str, lambda rows: rows.to_string(index=False), lambda rows: str(rows.iloc[0]), lambda rows: rows.iloc[0].to_string(), lambda rows: str(rows.customer_id), lambda rows: str(rows.set_index("order_id").customer_id),
    lambda rows: str(rows.customer_id.value_counts()), lambda rows: str(rows.groupby("customer_id").price.sum()), lambda rows: str(rows.to_dict("records")), lambda rows: str(rows.to_dict("list")), lambda rows: str(rows.T),
    lambda rows: f"read 2 rows\n\n{rows}\n\n{rows.iloc[1]}", lambda rows: "| order_id | customer_id | price |\n|---|:--|---|\n" + "\n".join(f"| {o} | {c} | {p} |" for o, c, p in rows.values),
    lambda rows: "customer_id | price\n--- | ---\n" + "\n".join(f"{c} | {p}" for _, c, p in rows.values), lambda rows: "| customer_id | " + str(rows.customer_id[0]) + " |",
    lambda rows: "│ customer_id │ price │\n├─────────────┼───────┤\n" + "\n".join(f"│ {c} │ {p} │" for _, c, p in rows.values)])
@pytest.mark.parametrize("form", ["text/plain", "text/markdown"])
def test_no_way_of_printing_rows_leaves_an_id(rows, show, form):
    hidden = hide_personal_rows(form, show(rows))
    assert not re.search(r"c00012|1785", hidden), hidden

@pytest.mark.parametrize("rows", [SHOWN, NUMBERED], ids=["texts", "numbers"])
def test_no_table_in_html_and_no_json_leaves_an_id(rows):
    pages = [hide_personal_rows("text/html", shown.to_html()) for shown in (rows, rows.set_index("customer_id"), rows.iloc[0].to_frame(), rows.T)]
    content = [hide_personal_rows("application/json", content) for content in (rows.to_dict("records"), rows.to_dict("list"), dict(rows=[dict(customer_id=rows.customer_id.tolist()[0])]))]
    assert not re.search(r"c00012|1785", "".join(pages) + json.dumps(content)) and "19.9" in pages[0]

@pytest.mark.parametrize("counts", [str(SHOWN.isna().sum()), str(SHOWN.nunique()), str(SHOWN.dtypes), str(SHOWN[["order_id", "customer_id"]].isna().sum().to_dict()), "customer_id, price | 3", "DE    120\nUK    80\nName: customer_id, dtype: int64",
    "| column | missing |\n|---|---|\n| customer_id | 12 |", "SELECT customer_id FROM orders", "20,000 customers, 0.97 of customer_id known"])
def test_counts_by_column_and_by_group_survive(counts): assert hide_personal_rows("text/plain", counts) == counts
