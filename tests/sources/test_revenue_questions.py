"""Exports that hold more than revenue: cancelled orders, tax, old files; and mappings that hold what was shown."""
import re
from dataclasses import replace
from decimal import Decimal
import pandas as pd
import pytest
from marketing_mlops.sources.drafts import Wishes
from marketing_mlops.sources.mappings import read_mapping
from marketing_mlops.sources.onboarding import write_mapping
from marketing_mlops.sources.proposals import propose_mapping
from marketing_mlops.workspace.clock import ReplayClock, instant_of
from marketing_mlops.workspace.errors import MappingError, ParameterError

SAID = Wishes(currency="EUR", zone="Europe/Berlin", tax_rate=0.)
SPRING = ReplayClock(instant_of("2026-04-01"))
N = 60

def export(folder, name="shop.csv", amount="Summe", **columns):
    "A German shop's export of 60 orders of 11.90 each, with further columns."
    df = pd.DataFrame({"Beleg": [f"B{i}" for i in range(N)], "Kunde": [str(i % 20) for i in range(N)], "Datum": [f"{i % 28 + 1:02}.03.2026" for i in range(N)], amount: "11,90"} | columns)
    df.to_csv(folder/name, sep=";", index=False)
    return folder/name

def revenue(proposal):
    lines = proposal.trial["order_lines"].frame
    taxes = lines["tax"] if "tax" in lines else [None]*len(lines)
    return sum(int(n)*price - (0 if pd.isna(tax) else tax) for n, price, tax in zip(lines.quantity, lines.unit_price, taxes))

@pytest.mark.parametrize("states, no_sale", [(["bezahlt", "storniert"], "storniert"), (["paid", "cancelled"], "cancelled"), (["paid", "refunded"], "refunded"), (["Versandt", "Rückerstattet"], "Rückerstattet")])
@pytest.mark.parametrize("column", ["Status", "Vorgang"])
def test_cancelled_and_refunded_orders_are_no_revenue_and_that_is_said(states, no_sale, column, tmp_path):
    proposal = propose_mapping(export(tmp_path, **{column: [states[i % 6 == 0] for i in range(N)]}), "orders", wishes=SAID, clock=SPRING)
    assert proposal.is_ready and revenue(proposal) == Decimal("11.90")*50
    assert {t.n_left_out for t in proposal.trial.values()} == {10}
    assert any(no_sale in note and "10 rows" in note and "--leave-out" in note for note in proposal.notes)

def test_a_state_no_word_settles_is_a_question_that_an_option_answers(tmp_path):
    file = export(tmp_path, Status=["bezahlt"]*50 + ["offen"]*7 + ["storniert"]*3)
    asked = propose_mapping(file, "orders", wishes=SAID, clock=SPRING)
    assert [q.flag for q in asked.questions] == ["--leave-out STATE"] and "'offen' (7 rows)" in asked.questions[0].text and "storniert" in asked.questions[0].choices
    counts = {said: revenue(propose_mapping(file, "orders", wishes=replace(SAID, leave_out=said), clock=SPRING))/Decimal("11.90") for said in [("offen", "storniert"), ("storniert",), ()]}
    assert counts == {("offen", "storniert"): 50, ("storniert",): 57, (): 60}
    with pytest.raises(MappingError, match="Did you mean 'offen'"): propose_mapping(file, "orders", wishes=replace(SAID, leave_out=("ofen",)), clock=SPRING)

@pytest.mark.parametrize("column, no_sale", [("Storno", ["", "x"]), ("storniert", ["nein", "ja"]), ("cancelled", ["0", "1"]), ("Cancelled at", ["", "2026-03-09"])])
def test_a_column_named_after_cancelling_needs_no_words(column, no_sale, tmp_path):
    proposal = propose_mapping(export(tmp_path, **{column: [no_sale[i % 6 == 0] for i in range(N)]}), "orders", wishes=replace(SAID, columns={"Datum": "occurred_at"}), clock=SPRING)
    assert proposal.is_ready, proposal.questions
    assert revenue(proposal) == Decimal("11.90")*50

def test_a_booking_that_takes_a_sale_back_is_not_left_out_unasked(tmp_path):
    file = export(tmp_path, Status=["bezahlt"]*59 + ["erstattet"])
    file.write_text(re.sub(r"11,90;erstattet", "-11,90;erstattet", file.read_text()))
    asked = propose_mapping(file, "orders", wishes=SAID, clock=SPRING)
    assert [q.flag for q in asked.questions] == ["--leave-out STATE"]
    assert revenue(propose_mapping(file, "orders", wishes=replace(SAID, leave_out=()), clock=SPRING)) == Decimal("11.90")*58

def test_a_state_that_turns_up_next_month_is_set_aside_and_not_counted(tmp_path, small_workspace):
    from marketing_mlops.sources.ingestion import ingest
    from marketing_mlops.workspace.params import read_params
    file = export(tmp_path, Status=["bezahlt"]*59 + ["storniert"])
    added = write_mapping(propose_mapping(file, "orders", "shop", wishes=SAID, clock=SPRING), small_workspace)
    added.file.write_text(added.file.read_text().replace("B7;7;08.03.2026;11,90;bezahlt", "B7;7;08.03.2026;11,90;in Klärung"))
    into, private = tmp_path/"i", tmp_path/"p"; into.mkdir(); private.mkdir()
    account = ingest("shop", small_workspace, read_params(small_workspace), into, private).tables["order_lines"]
    assert (account.n_written, account.n_left_out, account.n_rejected) == (58, 1, 1)
    assert list(account.rejected) == ["Status: is listed neither under where nor under leave_out"]

@pytest.mark.parametrize("name", ["Betrag brutto", "Total gross", "montant TTC", "Total (incl. VAT)"])
def test_gross_amounts_are_a_question_and_the_rate_takes_the_tax_out(name, tmp_path):
    file = export(tmp_path, amount=name)
    asked = propose_mapping(file, "orders", wishes=replace(SAID, tax_rate=None, columns={name: "amount"}), clock=SPRING)
    assert [q.flag for q in asked.questions] == ["--tax-rate PERCENT"]
    taxed, as_is = (propose_mapping(file, "orders", wishes=replace(SAID, tax_rate=rate, columns={name: "amount"}), clock=SPRING) for rate in (19., 0.))
    assert revenue(taxed) == Decimal("10.00")*N and revenue(as_is) == Decimal("11.90")*N
    assert taxed.is_ready and as_is.is_ready

def test_what_a_name_does_not_say_about_tax_is_said_to_be_assumed(tmp_path):
    proposal = propose_mapping(export(tmp_path), "orders", wishes=replace(SAID, tax_rate=None), clock=SPRING)
    assert proposal.is_ready and any("'Summe' is counted as it stands" in note and "--tax-rate" in note for note in proposal.notes)

def test_a_column_of_tax_is_subtracted_once_and_never_from_net_amounts(tmp_path):
    gross = propose_mapping(export(tmp_path, "a.csv", amount="Brutto", MwSt="1,90"), "orders", wishes=replace(SAID, tax_rate=None), clock=SPRING)
    net = propose_mapping(export(tmp_path, "b.csv", amount="Netto", MwSt="1,90"), "orders", wishes=replace(SAID, tax_rate=None), clock=SPRING)
    assert gross.is_ready and net.is_ready
    assert (revenue(gross), revenue(net)) == (Decimal("10.00")*N, Decimal("11.90")*N)

WIDE = dict(Status=["bezahlt"]*58 + ["storniert"]*2, Menge="2", Einzelpreis="5,95", MwSt="1,90", Kanal="web", Artikel=["hose", "rake"]*30, Mail="k@example.com", Notiz="eilt")

@pytest.mark.parametrize("columns", [{}, WIDE, {k: WIDE[k] for k in ("Status", "Menge")}, {k: WIDE[k] for k in ("Menge", "Einzelpreis", "Notiz")}], ids=["plain", "wide", "pieces", "prices"])
def test_every_column_shown_as_becoming_something_is_in_the_written_mapping(columns, tmp_path, small_workspace):
    proposal = propose_mapping(export(tmp_path, **columns), "orders", "shop", wishes=replace(SAID, columns={"Summe": "amount"}, leave_out=("storniert",) if "Status" in columns else None), clock=SPRING)
    assert proposal.is_ready, proposal.questions
    written = read_mapping(write_mapping(proposal, small_workspace).mapping.parent)
    for column, becomes, _ in proposal.columns:
        targets = {t.columns[column].to for t in written.tables.values() if column in t.columns} | {"which rows count" for t in written.tables.values() if column in t.where}
        assert targets == set(becomes.split(" and ")) - {"–"}, column
    assert {c for c, *_ in proposal.columns} >= set(columns)

def test_a_last_day_is_written_kept_and_never_earlier_than_the_newest_row(tmp_path, small_workspace):
    file = export(tmp_path)
    autumn = ReplayClock(instant_of("2026-09-15"))
    plain = propose_mapping(file, "orders", "shop", wishes=SAID, workspace=small_workspace, clock=autumn)
    assert any("add --as-of 2026-03-28" in note for note in plain.notes)
    assert not any("--as-of" in note for note in propose_mapping(file, "orders", "shop", wishes=SAID, clock=ReplayClock(instant_of("2026-03-28"))).notes)
    too_early = propose_mapping(file, "orders", "shop", wishes=replace(SAID, as_of="2026-03-26"), clock=autumn)
    assert "after --as-of 2026-03-26" in too_early.problems[0] and not too_early.is_ready
    added = write_mapping(propose_mapping(file, "orders", "shop", wishes=replace(SAID, as_of="2026-03-31"), workspace=small_workspace, clock=autumn), small_workspace)
    assert read_mapping(added.mapping.parent).as_of == "2026-03-31"
    again = propose_mapping(file, "orders", "shop", wishes=SAID, workspace=small_workspace, clock=autumn)
    assert not any("--as-of" in note for note in again.notes)
    write_mapping(again, small_workspace)
    assert read_mapping(added.mapping.parent).as_of == "2026-03-31"
    with pytest.raises(ParameterError, match="--as-of is no date"): propose_mapping(file, "orders", wishes=replace(SAID, as_of="31.03.2026"))

@pytest.mark.parametrize("cells, format", [([f"{i % 28 + 1}.9.25" for i in range(N)], "%d.%m.%y"), ([f"{i % 28 + 1}.9.25 8:05" for i in range(N)], "%d.%m.%y %H:%M")])
def test_short_german_dates_and_an_accountants_column_names_are_understood(cells, format, tmp_path):
    pd.DataFrame({"Rg-Nr.": range(7000, 7000 + N), "Rg-Datum": cells, "Kunde": [i % 9 for i in range(N)], "Stk": "1", "Netto": "9,90"}).to_csv(tmp_path/"x.csv", sep=";", index=False)
    proposal = propose_mapping(tmp_path/"x.csv", "orders", wishes=replace(SAID, columns={"Netto": "amount"}), clock=SPRING)
    assert proposal.is_ready, (proposal.questions, proposal.problems)
    assert proposal.content["tables"]["orders"]["columns"]["Rg-Datum"]["date_format"] == format and "Rg-Nr." in proposal.content["tables"]["orders"]["columns"]

def test_dates_nobody_can_read_are_asked_about_by_the_flag_that_reads_them(tmp_path):
    file = export(tmp_path, Datum=[f"KW {i % 28 + 1:02}/März 2026" for i in range(N)])
    asked = propose_mapping(file, "orders", wishes=SAID, clock=SPRING)
    assert [q.flag for q in asked.questions] == ["--date-format FORMAT"] and not asked.problems and "KW 01/März 2026" in asked.questions[0].text
    wrong = propose_mapping(export(tmp_path, "b.csv"), "orders", wishes=replace(SAID, date_format="%Y-%m-%d"), clock=SPRING)
    assert "--date-format '%d.%m.%Y'" in wrong.problems[0] and "mapping.yaml" not in "".join(wrong.problems)
    strange = propose_mapping(file, "orders", wishes=replace(SAID, date_format="%Y-%m-%d"), clock=SPRING)
    assert "--date-format" in strange.problems[0].splitlines()[1] and "mapping.yaml" not in strange.problems[0]

def test_the_example_of_an_ambiguous_date_is_one_whose_readings_differ(tmp_path):
    dates = ["02/02/2026", "01/01/2026", "05/03/2026"]*20
    question = next(q for q in propose_mapping(export(tmp_path, Datum=dates), "orders", wishes=SAID, clock=SPRING).questions if q.flag.startswith("--date-format"))
    assert "'05/03/2026'" in question.text and question.choices == ("%d/%m/%Y = 5 March 2026", "%m/%d/%Y = 3 May 2026")

def test_no_plan_is_made_of_the_customers_who_happen_to_be_in_the_file(tmp_path):
    from marketing_mlops.measurement.experiments import read_experiment
    pd.DataFrame({"customer": range(200), "group": ["mail", "none"]*100, "date": "2026-03-05"}).to_csv(tmp_path/"mail.csv", index=False)
    said = replace(SAID, worthwhile_effect=.5, control="none")
    silent, planned = (propose_mapping(tmp_path/"mail.csv", "assignments", wishes=w).experiment for w in (said, replace(said, planned_customers=500)))
    assert read_experiment(silent).planned_customers is None and read_experiment(silent).stopping_rule == "none_known"
    assert (read_experiment(planned).planned_customers, read_experiment(planned).stopping_rule) == (500, "fixed_horizon")

STYLES = {"3/1/26 1:47 PM": "%m/%d/%y %I:%M %p", "1.3.26 13:47 Uhr": "%d.%m.%y %H:%M Uhr", "01-Mär-2026 13:47": "%d-%b-%Y %H:%M", "2026/14/03": "%Y/%d/%m", "2026.03.01 13h47": "%Y.%m.%d %Hh%M", "202603011347": "%Y%m%d%H%M"}

@pytest.mark.parametrize("cell", STYLES)
def test_dates_written_in_their_own_way_need_no_question(cell, tmp_path):
    proposal = propose_mapping(export(tmp_path, Datum=[cell]*N), "orders", wishes=SAID, clock=SPRING)
    assert proposal.is_ready, (proposal.questions, proposal.problems)
    assert proposal.content["tables"]["orders"]["columns"]["Datum"]["date_format"] == STYLES[cell] and len(proposal.rejected) == 0
    assert ("month stands first" in "".join(proposal.notes)) == ("PM" in cell)

@pytest.mark.parametrize("column", ["gebucht am", "Spalte 7"])
def test_one_answer_is_enough_where_nobody_can_read_the_times(column, tmp_path):
    file = export(tmp_path, **{column: "46082", "Vertriebsweg": "Katalog", "Rabattcode": "R2026"})
    rows = pd.read_csv(file, sep=";", dtype="str").drop(columns="Datum")
    rows.to_csv(file, sep=";", index=False)
    asked = propose_mapping(file, "orders", wishes=SAID, clock=SPRING).questions
    assert asked[-1].flag == "--date-format FORMAT" and "--date-format 'excel' reads it as 1 March 2026" in asked[-1].text
    assert [q.choices for q in asked[:-1]] == ([] if column == "gebucht am" else [(column,)])
    assert propose_mapping(file, "orders", wishes=replace(SAID, columns={column: "occurred_at"}, date_format="excel"), clock=SPRING).is_ready
