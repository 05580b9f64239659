"""Files as other people write them."""
import gzip
import pandas as pd
import pytest
from marketing_mlops.sources.raw_files import FileFormat, decode_text, read_rows, sniff_format
from marketing_mlops.workspace.errors import DataError

def written(folder, name, content):
    (folder/name).write_bytes(content if isinstance(content, bytes) else content.encode()); return folder/name

@pytest.mark.parametrize("content, says", [
    (b"", "empty"), (b"\n \n", "empty"), (b"a,b\n", "no rows"), (b"a,b\n\n,\n", "no rows"), (b"a,a\n1,2\n", "'a' 2 times"),
    (b'a,b\n1,"x\n2,y\n', "never closed"), (b"a,b\n\xff\x00\x01\n", "binary"), (gzip.compress(b"a,b\n1,2\n"*500, mtime=0)[:30], "stopped early"),
    (b"\x1f\x8bnot gzip at all", "cannot be unpacked"), ("a,b\n1,Köln\n".encode() + b"2,K\xf6ln\n", "mixes encodings")],
    ids=["nothing", "blank", "header", "header and blanks", "doubled column", "open quote", "binary", "half a gzip", "no gzip", "two encodings"])
def test_a_damaged_file_is_refused_in_two_lines_that_name_it(tmp_path, content, says):
    with pytest.raises(DataError) as e: read_rows(written(tmp_path, "orders.csv", content))
    assert says in e.value.problem and "orders.csv" in e.value.problem
    assert len(str(e.value).splitlines()) == 2 and str(tmp_path) not in str(e.value)

def test_a_missing_file_is_named_without_the_place_of_the_workspace(tmp_path):
    with pytest.raises(DataError) as e: read_rows(tmp_path/"orders.csv")
    assert "orders.csv" in str(e.value) and str(tmp_path) not in str(e.value)

def test_row_numbers_are_those_of_a_spreadsheet(tmp_path):
    rows = read_rows(written(tmp_path, "x.csv", "a,b\n1,2\n\n3,4,5\n6,7\n"))
    assert list(rows.frame.index) == [2, 5] and list(rows.unreadable) == [4]

def test_lines_above_the_header_are_skipped_and_counted(tmp_path):
    rows = read_rows(written(tmp_path, "x.csv", "Export of March\n\na,b\n1,2\n"), FileFormat(skip_rows=2))
    assert list(rows.frame.columns) == ["a", "b"] and list(rows.frame.index) == [4]

@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_sniffed_file_reads_the_same_in_every_encoding(tmp_path, encoding, ends):
    text = ends.join(["Nr;Ort;Betrag", "007;Köln;12,50", '008;"Ulm; Nord";7,00', "009;Düren 🌷;1,25" if encoding != "cp1252" else "009;Düren;1,25"]) + ends
    path = written(tmp_path, "x.csv", text.encode(encoding))
    rows = read_rows(path, sniff_format(path))
    assert rows.frame.loc[2].tolist() == ["007", "Köln", "12,50"] and rows.frame.loc[3, "Ort"] == "Ulm; Nord"
    assert sniff_format(path).decimal == ","

def test_utf8_declared_as_windows_1252_is_noticed():
    with pytest.raises(DataError, match="mixes encodings"): decode_text("a\nKöln\n".encode(), "cp1252", "x.csv")

def test_markup_and_emoji_pass_through_as_text(tmp_path):
    rows = read_rows(written(tmp_path, "x.csv", "id,name\n🦔1,<script>alert(1)</script>\n"))
    assert rows.frame.iloc[0].tolist() == ["🦔1", "<script>alert(1)</script>"]

def test_a_parquet_file_with_records_inside_is_refused(tmp_path):
    pd.DataFrame({"id": [1], "tags": [["a"]]}).to_parquet(tmp_path/"x.parquet")
    with pytest.raises(DataError, match="lists or records"): read_rows(tmp_path/"x.parquet", FileFormat("parquet"))

def test_every_format_gives_the_same_text(tmp_path):
    df = pd.DataFrame({"id": ["007", "008"], "n": [1, 2], "ok": [True, False]})
    df.to_csv(tmp_path/"x.csv", index=False); df.to_parquet(tmp_path/"x.parquet"); df.to_excel(tmp_path/"x.xlsx", index=False)
    frames = [read_rows(p, sniff_format(p)).frame.map(str.lower) for p in (tmp_path/"x.csv", tmp_path/"x.parquet", tmp_path/"x.xlsx")]
    assert frames[0].equals(frames[1]) and frames[1].equals(frames[2])
