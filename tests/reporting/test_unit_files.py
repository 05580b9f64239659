"""A table somebody delivered is read, or refused in two lines that say what to do."""
import pandas as pd
import pytest
from marketing_mlops.measurement.designs import Design
from marketing_mlops.measurement.unit_frames import MetricColumn, check_units
from marketing_mlops.reporting.unit_files import read_unit_file
from marketing_mlops.workspace.errors import DataError

SPEND = MetricColumn("spend", "Spend", "mean", "EUR")
HEADER = "unit_id,arm,spend,before,before.known_at,assigned_at"

def table(tmp_path, *lines, name="units.csv", encoding="utf-8"):
    (tmp_path/name).write_text("\n".join(lines), encoding=encoding)
    return tmp_path/name

def test_instants_of_covariates_in_a_csv_are_compared_and_not_tripped_over(tmp_path):
    early = "k1,mail,3.5,10,2026-02-01T00:00:00+01:00,2026-03-01T00:00:00Z"
    units = read_unit_file(table(tmp_path, HEADER, early, early.replace("k1", "k2")))
    check_units(units, ["mail"], [SPEND], Design(covariates=("before",)))
    late = read_unit_file(table(tmp_path, HEADER, early, "k2,mail,1,10,2026-03-02T00:00:00Z,2026-03-01T00:00:00Z"))
    with pytest.raises(DataError, match="before was known only after the assignment in 1 of 2 rows"): check_units(late, ["mail"], [SPEND], Design(covariates=("before",)))

def test_instants_as_text_are_a_fault_with_its_column(tmp_path):
    units = pd.DataFrame(dict(unit_id=["k1"], arm=["mail"], spend=[1.], before=[2.], assigned_at=pd.Timestamp("2026-03-01", tz="UTC"))).assign(**{"before.known_at": "2026-02-01"})
    with pytest.raises(DataError, match="before.known_at holds no instants") as refused: check_units(units, ["mail"], [SPEND], Design(covariates=("before",)))
    assert len(str(refused.value).splitlines()) == 2

@pytest.mark.parametrize("lines,says", [([HEADER], "holds no customers"), ([""], "cannot be read"), ([HEADER, "k1,mail,3,1,2026-02-01,2026-03-01"], "names no time zone, such as 2026-0"),
                                        ([HEADER, "k1,mail,3,1,soon,2026-03-01T00:00:00Z"], "before.known_at cannot be read")])
def test_a_file_without_customers_or_times_is_refused_in_two_lines(tmp_path, lines, says):
    with pytest.raises(DataError, match=says) as refused: read_unit_file(table(tmp_path, *lines))
    assert len(str(refused.value).splitlines()) == 2

def test_a_file_in_another_encoding_is_refused_in_two_lines(tmp_path):
    with pytest.raises(DataError, match="cannot be read") as refused: read_unit_file(table(tmp_path, "unit_id,arm,spend", "Jörg,mail,3", encoding="latin-1"))
    assert "UTF-8" in str(refused.value).splitlines()[1]

@pytest.mark.parametrize("header", ["unit_id,arm,spend,spend", "unit_id,arm,spend,spend ", 'unit_id;arm;"spend";spend'])
def test_two_columns_of_one_name_are_refused(tmp_path, header):
    with pytest.raises(DataError, match="several columns called spend") as refused: read_unit_file(table(tmp_path, header, "k1,mail,3,4".replace(",", ";" if ";" in header else ",")))
    assert refused.value.column == "spend" and len(str(refused.value).splitlines()) == 2

@pytest.mark.parametrize("ids,refused_for", [(["k1 ", "k2", " k1"], "same but for blanks in 2 of 3 rows"), (["k 1", "k1", "k3"], "same but for blanks in 2 of 3 rows")])
def test_identifiers_that_differ_by_blanks_only_are_refused_with_examples(ids, refused_for):
    with pytest.raises(DataError, match=refused_for): check_units(pd.DataFrame(dict(unit_id=ids, arm="mail", spend=1.)), ["mail"], [SPEND])

def test_outcomes_of_the_future_are_refused():
    now = pd.Timestamp("2026-03-10", tz="UTC")
    units = pd.DataFrame(dict(unit_id=["k1", "k2"], arm="mail", spend=[1., 2.])).assign(**{"spend.known_at": [now, now + pd.Timedelta(days=30)]})
    check_units(units, ["mail"], [SPEND])
    with pytest.raises(DataError, match="spend is known only after today, 2026-03-10, in 1 of 2 rows, first row 1"): check_units(units, ["mail"], [SPEND], now=now)
