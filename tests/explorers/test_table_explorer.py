"""The explorer on tables as they come: empty, odd, missing, hostile; and what leaves it."""
import html
import json
import re
import xml.dom.minidom
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from marketing_mlops.explorers.codes import build_codes
from marketing_mlops.explorers.crossfilter import CrossFilter
from marketing_mlops.explorers.live_charts import LiveCharts, answer_message, explorer_spec
from marketing_mlops.explorers.table_explorer import TableExplorer, reading_notes
from marketing_mlops.workspace.errors import DataError, MmopsError, ParameterError, WorkspaceError
from marketing_mlops.workspace.places import find_workspace

HOSTILE = ["<img src=x onerror=alert(1)>", "</svg><script>alert(1)</script>", "a & b", "\"'><b>", "🌷", "\u0001\ufffe", ""]

ODD = dict(
    empty=pd.DataFrame(dict(spend=pd.Series([], dtype="float64"), name=pd.Series([], dtype="str"))), no_columns=pd.DataFrame(index=range(3)), one_row=pd.DataFrame(dict(spend=[3.5], name=["a"])),
    one_value=pd.DataFrame(dict(spend=[2.]*50, name=["a"]*50)), all_missing=pd.DataFrame(dict(spend=[np.nan]*5, name=[None]*5)), hostile=pd.DataFrame(dict(name=HOSTILE*40)),
    numbered=pd.DataFrame(np.arange(40.).reshape(20, 2)), ten_thousand=pd.DataFrame(dict(name=[f"n{i}" for i in range(10_000)]*3)), infinite=pd.DataFrame(dict(x=[np.inf, -np.inf, np.nan, 0, 1]*9)))

@pytest.mark.parametrize("kind", ODD)
def test_every_odd_table_has_a_profile_a_snapshot_code_and_a_widget(kind):
    explorer = TableExplorer(ODD[kind])
    assert explorer.selected_rows() == len(ODD[kind])
    assert len(explorer.profile()) == ODD[kind].shape[1]
    shot = explorer.snapshot(minimum_rows=1)
    xml.dom.minidom.parseString(shot.svg)
    assert "selected = df" in explorer.code()
    json.dumps(explorer.live().spec, allow_nan=False)
    explorer.live().close()

def test_an_empty_table_says_so():
    assert reading_notes(TableExplorer(ODD["empty"]).codes)[0] == "The table has no rows."

def test_hostile_names_stay_text_in_the_picture():
    svg = TableExplorer(ODD["hostile"]).snapshot().svg
    assert "<img" not in svg and "<script" not in svg and html.escape("<img src=x")[:10] in svg

def test_a_selection_smaller_than_the_minimum_is_not_told():
    df = pd.DataFrame(dict(name=["a"]*100 + ["b"]*3, spend=np.r_[np.full(100, 5.), [1, 2, 3]]))
    explorer = TableExplorer(df)
    explorer.select({"name": {"any_of": ["b"]}})
    shot = explorer.snapshot(minimum_rows=10)
    assert "fewer than 10 rows" in shot.sentence and "3 of" not in shot.sentence
    assert set(shot.table["in_selection"]) == {""}

def test_extremes_and_values_of_personal_data_are_in_no_output():
    df = pd.DataFrame(dict(customer_id=[f"c-secret-{i}" for i in range(60)], market=["DE"]*60))
    explorer = TableExplorer(df, name="orders")
    outputs = explorer.profile().to_html() + explorer.snapshot().svg + json.dumps(explorer_spec(explorer.engine, "orders")) + explorer.code() + json.dumps(explorer.state())
    assert "secret" not in outputs

def test_a_table_that_is_not_there_names_the_command(tmp_path):
    (tmp_path/"settings.ini").write_text("[DEFAULT]\nreporting_currency = EUR\n")
    workspace = find_workspace(tmp_path)
    with pytest.raises(WorkspaceError, match="make run"): TableExplorer("orders", workspace)
    with pytest.raises(WorkspaceError, match="Did you mean 'orders'"): TableExplorer("ordres", workspace)
    for source in ("retailer", "shop"):
        place = workspace.accepted(source)
        place.mkdir(parents=True)
        pd.DataFrame(dict(market=["DE"]*3)).to_parquet(place/"orders.parquet")
    with pytest.raises(WorkspaceError, match="Several sources have a table 'orders': retailer, shop"): TableExplorer("orders", workspace)
    assert TableExplorer("orders", workspace, "shop").codes.rows == 3

@pytest.mark.parametrize("content", [b"", b"PAR1 no more", b"customer;spend\n1;2\n"])
def test_a_file_that_is_no_parquet_is_named_in_two_lines(tmp_path, content):
    (tmp_path/"broken.parquet").write_bytes(content)
    with pytest.raises(DataError, match="broken.parquet cannot be read as Parquet") as caught: TableExplorer(tmp_path/"broken.parquet")
    assert len(str(caught.value).splitlines()) == 2

def test_a_view_opens_again_on_a_grown_table_and_not_on_one_without_the_column():
    rng = np.random.default_rng(7)
    df = pd.DataFrame(dict(spend=rng.gamma(2, 30, 2_000), name=rng.choice(["a", "b"], 2_000)))
    explorer = TableExplorer(df)
    explorer.select({"spend": {"from": 20.0, "below": 60.0}, "name": {"any_of": ["a"]}})
    grown = pd.concat([df, pd.DataFrame(dict(spend=rng.gamma(4, 900, 500), name="a"))], ignore_index=True)
    assert TableExplorer.from_state(explorer.state(), frame=grown).selected_rows() >= explorer.selected_rows()
    with pytest.raises(ParameterError, match="no chart shows 'name'"): TableExplorer.from_state(explorer.state(), frame=df[["spend"]])

def test_the_widget_and_the_explorer_hold_one_selection():
    explorer = TableExplorer(pd.DataFrame(dict(name=["a", "a", "b"])))
    charts = explorer.live()
    charts.filters = {"name": [0]}
    assert explorer.state()["selection"] == {"name": {"any_of": ["a"]}}
    explorer.select({"name": {"any_of": ["b"]}})
    assert charts.filters == {"name": [1]} and "isin(['b'])" in charts.code
    charts.close()

JSON = st.recursive(st.none() | st.booleans() | st.integers(-5, 400) | st.floats(allow_nan=True) | st.text(max_size=8),
                    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["type", "sequence", "dimension", "filters", "name", "spend", "sql"]), inner, max_size=5), max_leaves=12)
ENGINE = CrossFilter(build_codes(pd.DataFrame(dict(name=["a", "b"]*20, spend=np.arange(40.)))))

@settings(max_examples=300, deadline=None)
@given(JSON)
def test_no_message_from_outside_raises_or_is_obeyed_beyond_the_declaration(message):
    reply, buffers = answer_message(ENGINE, message)
    assert reply["type"] in ("index", "refused")
    if reply["type"] == "refused": assert not buffers and reply["problem"] and reply["remedy"]
    else: assert reply["dimension"] in ENGINE.codes.dimensions

@pytest.mark.parametrize("filters", [{"name": "ab"}, {"name": [0.0]}, {"name": [True]}, {"name": [-1]}, {"name": [10**12]}, {"name": [0]*302}, {"secret": [0]}, {"name": {"0": 1}}, [["name", [0]]]])
def test_filters_that_were_not_declared_are_refused(filters):
    reply, _ = answer_message(ENGINE, dict(type="activate", sequence=1, dimension="spend", filters=filters))
    assert (reply["type"], reply["sequence"]) == ("refused", 1)

def test_the_script_loads_nothing_and_writes_no_markup():
    script, style = LiveCharts._esm, LiveCharts._css
    text = str(script) + str(style)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|\bfetch\(|XMLHttpRequest|@import|url\(", text)
    assert set(re.findall(r"https?://[^\s\"')]+", text)) <= {"http://www.w3.org/2000/svg"}

def test_errors_of_the_explorer_are_ours(tmp_path):
    with pytest.raises(MmopsError): TableExplorer(tmp_path/"gone.parquet")
    with pytest.raises(DataError, match="Did you mean 'spend'"): TableExplorer(pd.DataFrame(dict(spend=[1.])), columns=["spent"])
