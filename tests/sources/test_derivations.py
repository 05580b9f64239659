"""Columns the file does not hold."""
import numpy as np
import pandas as pd
import pytest
from marketing_mlops.contracts.schemas import TABLES
from marketing_mlops.sources.derivations import RULES, RowsSoFar, derive
from marketing_mlops.sources.mappings import ColumnMapping, Derivation
from marketing_mlops.workspace.errors import DataError, MappingError

def made(raw, to, rule, typed=None, table="order_lines", **options):
    raw = pd.DataFrame(raw, dtype="str"); raw.index += 2
    typed = pd.DataFrame(index=raw.index) if typed is None else typed.set_axis(raw.index)
    return derive(Derivation(rule, options=options), to, RowsSoFar(typed, raw, TABLES[table], "x.csv"), ColumnMapping(to, zone="UTC", currency="EUR"))

def test_every_rule_says_what_it_does(): assert all(r.__doc__ for r in RULES.values())

def test_a_return_names_the_latest_sale_that_fits_and_none_that_does_not():
    raw = {"who": ["a", "a", "b", "a", "a", "a", ""]}
    typed = pd.DataFrame({"order_line_id": list("123r456"), "product_id": ["p"]*6 + ["p"], "unit_price": [1., 1., 1., 1., 2., 1., 1.], "quantity": [5, 1, 9, -2, 9, 9, -1],
                          "occurred_at": pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-02", "2026-01-03", "2026-01-02", "2026-01-04", "2026-01-05"], utc=True)})
    sale = made(raw, "sale_line_id", "sale_of_return", typed, customer="who")
    assert sale[5] == "1" and sale.notna().sum() == 1   # too few pieces, another customer, another price, later, no customer

def test_line_numbers_do_not_depend_on_the_order_of_the_rows():
    raw = pd.DataFrame({"o": ["1", "1", "1", "2"], "p": ["b", "a", "a", "c"]}, dtype="str")
    ids = made(raw, "order_line_id", "numbered_within", column="o").tolist()
    shuffled = raw.sample(frac=1, random_state=1)
    again = pd.Series(made(shuffled.reset_index(drop=True), "order_line_id", "numbered_within", column="o").tolist(), index=shuffled.index).sort_index()
    assert sorted(again[:3]) == sorted(ids[:3]) and again[0] == ids[0] and len(set(ids)) == 4

def test_months_in_another_order_are_refused_instead_of_dated():
    months = ["may"]*3 + ["nov"]*3 + ["mar"]*3 + ["nov"]*3
    options = dict(column="m", first="2008-05", last="2009-11", table="contacts")
    assert made({"m": months}, "occurred_at", "month_in_row_order", **options).dt.year.tolist() == [2008]*6 + [2009]*6
    with pytest.raises(DataError, match="not in the order of time"): made({"m": list(np.random.default_rng(0).permutation(months))}, "occurred_at", "month_in_row_order", **options)

@pytest.mark.parametrize("rule, options", [("constant", {}), ("constant", {"value": "x", "extra": 1}), ("copy", {"column": "nowhere"}), ("nothing", {}), ("choose", {"cases": [{"column": "a"}]})])
def test_a_rule_used_wrongly_is_a_mapping_error_of_two_lines(rule, options):
    with pytest.raises(MappingError) as e: made({"a": ["1"]}, "kind", rule, **options)
    assert len(str(e.value).splitlines()) == 2

def test_an_unlisted_text_is_told_by_the_column_of_the_file_and_the_path_of_the_mapping():
    raw = pd.DataFrame({"Testzelle": ["A", "Variante Z"]}, index=[6, 7], dtype="str")
    rows = RowsSoFar(raw.rename(columns={"Testzelle": "arm"}), raw, TABLES["experiments"], "verteiler.csv", {"arm": "Testzelle"}, "data/sources/shop/mapping.yaml")
    with pytest.raises(DataError) as e: derive(Derivation("lookup", options=dict(column="arm", values={"A": .5, "B": .5})), "share", rows, ColumnMapping("share"))
    assert "column 'Testzelle' (arm) holds 'Variante Z' in row 7" in e.value.problem and e.value.column == "Testzelle"
    assert "table experiments in data/sources/shop/mapping.yaml" in e.value.remedy
