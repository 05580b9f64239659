"""What a file does not say of itself is asked; what it says is never asked again."""
import pandas as pd
import pytest
from marketing_mlops.sources.column_guesses import ROLES
from marketing_mlops.sources.conversions import convert
from marketing_mlops.sources.drafts import Wishes, start_draft
from marketing_mlops.sources.mappings import ColumnMapping
from marketing_mlops.sources.raw_files import RawRows
from marketing_mlops.sources.reading_questions import currency_of, time_piece
from marketing_mlops.workspace.errors import MappingError

def drafted(times=("03.02.2026",), amounts=("12,50",), **wishes):
    n = max(len(times), len(amounts))*4
    df = pd.DataFrame({"Bestellnr": [f"B{i}" for i in range(n)], "Kunde": "7", "Datum": [times[i % len(times)] for i in range(n)], "Gesamt": [amounts[i % len(amounts)] for i in range(n)]}, dtype="str")
    return start_draft(RawRows(df, {}, "orders.csv"), ROLES["orders"], Wishes(**wishes), ("Europe/Berlin", "Europe/London"), ("EUR", "CHF"))

@pytest.mark.parametrize("times", [("13-02-2026", "14-02-2026"), ("3-Okt-2026", "14-Okt-2026")])
def test_a_date_that_ends_in_its_year_is_asked_for_its_zone_and_can_then_be_read(times):
    piece, asked = time_piece(drafted(times))
    assert "--zone ZONE" in [question.flag for question in asked.questions]
    assert convert(pd.Series(times), "instant", ColumnMapping(**piece)).problems.empty

@pytest.mark.parametrize("said", ["euros", "EURO", "€", "XYZ", "E U R"])
def test_what_is_no_iso_code_is_refused_in_two_lines(said):
    with pytest.raises(MappingError) as refused: currency_of(drafted(currency=said), "amount")
    assert said in refused.value.problem and len(str(refused.value).splitlines()) == 2

@pytest.mark.parametrize("amount, code, choices", [("12,50 €", "EUR", None), ("12,50 zł", "PLN", None), ("12,50 kr", "DKK", ("DKK", "SEK", "NOK", "ISK")), ("12,50", "EUR", ("EUR", "CHF"))])
def test_a_sign_settles_the_currency_only_where_it_can_mean_one(amount, code, choices):
    found, asked = currency_of(drafted(amounts=(amount,), columns={"Gesamt": "amount"}), "amount")
    assert (found, next((q.choices for q in asked.questions if q.flag == "--currency CODE"), None)) == (code, choices)
