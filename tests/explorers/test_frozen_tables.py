"""What a frozen page may hold: no row, no combination of a few rows or of a few people, and nothing that adds up to one."""
import json, re
import numpy as np
import pandas as pd
import pytest
from app_workspace import HOSTILE, orders
from hypothesis import given, settings, strategies as st
from marketing_mlops.explorers.codes import build_codes
from marketing_mlops.explorers.frozen_tables import coarser, count_cells, freeze_cells, frozen_table, told_counts
from marketing_mlops.explorers.table_explorer import TableExplorer
from marketing_mlops.workspace.errors import MmopsError

@settings(max_examples=60)
@given(st.integers(0, 300), st.integers(1, 40), st.integers(1, 25), st.integers(1, 8), st.integers(0, 2**16))
def test_what_is_told_is_told_of_enough_rows_and_people_and_so_is_what_is_left_out(rows, persons, minimum, most, seed):
    rng = np.random.default_rng(seed)
    df = pd.DataFrame(dict(a=rng.choice(list("xyz"), rows), b=rng.integers(0, 5, rows), c=rng.choice(["u", None], rows)))
    people, codes = rng.integers(0, persons, rows), build_codes(df)
    charts = list(codes.dimensions)
    if not charts: return
    cells = count_cells(codes, charts, most, minimum, people)
    assert (cells.counts >= minimum).all() and (cells.hidden == 0 or cells.hidden >= minimum or not len(cells.counts))
    seen = pd.DataFrame({name: coarser(codes.dimensions[name], most)[1][codes.arrays[name]] for name in charts} | dict(person=people))
    by_hand = seen.groupby(charts).person.agg(["size", "nunique"])
    for place, count in zip(zip(*cells.bins.values()), cells.counts): assert by_hand.loc[tuple(place) if len(charts) > 1 else place[0]].tolist()[0] == count and by_hand.loc[tuple(place) if len(charts) > 1 else place[0], "nunique"] >= minimum

def test_a_busy_customer_is_one_person_in_files_and_frames(tmp_path):
    df = orders(3_000)
    df.loc[df.index[:40], ["customer_id", "channel"]] = ["c-busy", "post"]
    df.to_parquet(tmp_path/"orders.parquet")
    for table in (df, tmp_path/"orders.parquet"):
        explorer = TableExplorer(table, columns=["channel", "market"])
        cells = explorer.freeze()
        at = cells.dimensions["channel"].first.index("post")
        assert at not in cells.bins["channel"] and cells.hidden >= 40
        assert at in freeze_cells(explorer.codes).bins["channel"]                   # rows alone would have told

def test_the_file_holds_no_identifier_no_row_and_no_script_of_a_name():
    df = orders(5_000)
    page = frozen_table(TableExplorer(df).freeze(), HOSTILE)
    assert HOSTILE not in page and not re.search(r"\bc\d{1,4}\b|\bo\d{1,5}\b", page.split('id="figures">')[1].split("</script>")[0])
    cells = json.loads(page.split('id="figures">')[1].split("</script>")[0])["cells"]
    assert set(cells) == {"names", "widths", "bins", "counts"} and min(cells["counts"]) >= 10

@pytest.mark.parametrize("df", [orders(0), orders(1), pd.DataFrame(dict(never=[None]*50)), pd.DataFrame(dict(always=[3.]*50))], ids=["empty", "one row", "nothing", "one value"])
def test_a_table_that_says_nothing_is_refused_in_words(df, tmp_path):
    with pytest.raises(MmopsError) as refused: TableExplorer(df).write_page(tmp_path/"page.html")
    assert refused.value.remedy and not (tmp_path/"page.html").exists()

def test_ten_thousand_names_and_infinite_values_still_make_a_small_page(tmp_path):
    rng, n = np.random.default_rng(7), 60_000
    df = pd.DataFrame(dict(campaign=[f"campaign {i}" for i in rng.integers(0, 10_000, n)], amount=np.where(rng.random(n) < .01, np.inf, rng.gamma(2, 30, n)), channel=rng.choice(["a", "b", "c"], n)))
    page = TableExplorer(df).write_page(tmp_path/"page.html", ["campaign", "amount", "channel"])
    assert page.stat().st_size < 400_000

def test_a_selection_says_the_same_as_pandas_where_nothing_is_left_out():
    df = orders()
    explorer = TableExplorer(df, columns=["market", "channel", "occurred_at"])
    cells = explorer.freeze(["market", "channel"])
    assert cells.hidden == 0
    at = {name: list(cells.dimensions[name].first) for name in cells.dimensions}
    selected, charts = told_counts(cells, {"market": [at["market"].index("DE")], "channel": [at["channel"].index("app")]})
    assert selected == ((df.market == "DE") & (df.channel == "app")).sum()
    assert charts["channel"][at["channel"].index("web")] == ((df.market == "DE") & (df.channel == "web")).sum()
