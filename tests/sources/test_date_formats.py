"""Which pattern a column of dates is written in; nothing is chosen that the cells leave open."""
import pandas as pd
import pytest
from marketing_mlops.sources.date_formats import date_formats
from marketing_mlops.sources.instants import instants_of, says_zone, written_like
from marketing_mlops.workspace.errors import MappingError

def read(text, date_format): return instants_of(pd.Series([text], dtype="str"), date_format, "UTC")[0]

def test_a_file_that_cannot_tell_days_from_months_gets_both_readings():
    assert date_formats(pd.Series(["01/02/2026", "12/12/2026"])) == ["%d/%m/%Y", "%m/%d/%Y"]
    assert date_formats(pd.Series(["01/02/2026", "13/12/2026"])) == ["%d/%m/%Y"]

@pytest.mark.parametrize("text, pattern", [("202603011347", "%Y%m%d%H%M"), ("20260301134705", "%Y%m%d%H%M%S"), ("202603011347.0", "%Y%m%d%H%M"), ("20260301", "%Y%m%d"), ("1772370000", "unix"), ("1772370000000", "unix_ms"),
    ("3/1/26 1:47 PM", "%m/%d/%y %I:%M %p"), ("1.3.26 13:47 Uhr", "%d.%m.%y %H:%M Uhr"), ("01-Mär-2026 13:47", "%d-%b-%Y %H:%M"), ("1. März 2026", "%d. %b %Y"), ("01 March 2026", "%d %b %Y"),
    ("2026/14/03", "%Y/%d/%m"), ("2026.03.01 13:47", "%Y.%m.%d %H:%M"), ("2026.03.01 13h47", "%Y.%m.%d %Hh%M")])
def test_a_way_of_writing_days_is_recognised_and_read(text, pattern):
    assert date_formats(pd.Series([text])) == [pattern]
    assert (read(text, pattern).year, read(text, pattern).month) == (2026, 3)

@pytest.mark.parametrize("text", ["202613011347", "198912312359", "210101011200", "300000000", "600000000000", "202603011"])
def test_digits_are_no_epoch_before_1990_and_no_day_outside_the_calendar(text): assert date_formats(pd.Series([text])) == []

def test_ten_digits_with_two_readings_get_both():
    assert date_formats(pd.Series(["2026030113"])) == ["%Y%m%d%H", "unix"]

def test_a_day_number_of_a_spreadsheet_is_read_when_said_and_never_guessed():
    assert read("46082", "excel") == pd.Timestamp("2026-03-01", tz="UTC") and date_formats(pd.Series(["46082"])) == []

def test_one_late_day_settles_a_long_column_that_could_be_read_either_way():
    early = [f"{day:02}/01/2026 {minute//60:02}:{minute%60:02}" for day in range(1, 10) for minute in range(0, 1440, 5)]
    assert date_formats(pd.Series(early)) == ["%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M"]
    assert date_formats(pd.Series([*early, "25/01/2026 08:00"])) == ["%d/%m/%Y %H:%M"]
    assert date_formats(pd.Series([*early, "01/25/2026 08:00"])) == ["%m/%d/%Y %H:%M"]

def test_days_that_contradict_each_other_leave_the_question_open():
    early = [f"0{day}/0{month}/2026" for day in range(1, 10) for month in range(1, 10)]
    assert date_formats(pd.Series([*early, "25/01/2026", "01/25/2026"])) == ["%d/%m/%Y", "%m/%d/%Y"]

@pytest.mark.parametrize("texts, formats", [(["31.12.2026", "01.01.2027"], ["%d.%m.%Y"]), (["3.9.26 8:05", "13.12.26 18:05"], ["%d.%m.%y %H:%M"]), (["3.9.26"], ["%d.%m.%y"]), (["2026-12-31T10:00:00Z"], ["iso"]),
    (["Ulm"], []), (["", " "], []), (["2026/03/05"], ["%Y/%m/%d"]), (["19850314"], ["%Y%m%d"]), (["21500101"], ["%Y%m%d"])])
def test_columns_are_read_by_the_pattern_their_owner_meant(texts, formats): assert date_formats(pd.Series(texts)) == formats

@pytest.mark.parametrize("cell, date_format, says", [("13-02-2026", "%d-%m-%Y", False), ("3-Okt-2026", "%d-%b-%Y", False), ("13-02-2026", "iso", False), ("2026-02-13", "iso", False), ("2026-02-13T10:00-0500", "iso", True),
    ("2026-02-13 10:00:00.5 Z", "iso", True), ("1772370000", "unix", True), ("1772370000000", "unix_ms", True), ("46082", "excel", False), ("2026-02-13+01:00", "iso", False), ("2026-02-13T10:00+01:00", "iso", True), ("13.02.2026 10:00 +0100", "%d.%m.%Y %H:%M %z", True)])
def test_a_year_is_never_taken_for_an_offset(cell, date_format, says): assert says_zone(pd.Series([cell]), date_format) == says

@pytest.mark.parametrize("name", ["isoo", "unixms", "", "excell"])
def test_a_misspelt_writing_is_refused_and_reads_no_column_as_missing(name):
    for use in (lambda: read("2026-02-13", name), lambda: says_zone(pd.Series(["2026-02-13"]), name), lambda: written_like(name)):
        with pytest.raises(MappingError) as refused: use()
        assert len(str(refused.value).splitlines()) == 2

@pytest.mark.parametrize("share", [98, 0, -1])
def test_a_share_of_readable_cells_is_a_share(share):
    with pytest.raises(ValueError): date_formats(pd.Series(["2026-02-13"]), share)
