"""Incidents, reviews and the decision log say the same in every clone, hold no customer, and change no decision."""
import shutil
from dataclasses import replace
from decimal import Decimal
import pytest
from governed_workspace import approved, at, finished, make_workspace, put_live, small_bundle, start
from marketing_mlops.governance.decision_log import CHANGE_REASONS, decision_log, explain_change
from marketing_mlops.governance.duties import review_duties
from marketing_mlops.governance.governance_reviews import ReviewNotes, record_review, reviews_from
from marketing_mlops.governance.incidents import CLOSED, Impact, IncidentEnding, IncidentError, IncidentNote, close_incident, find_incident, incidents_from, open_incident, read_impact, update_incident
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.governance.live_pointers import live
from marketing_mlops.governance.release_states import RELEASED, ROLLED_BACK
from marketing_mlops.governance.releases import rollback
from marketing_mlops.workspace.errors import ParameterError

OWNER, MARKETING = "model-owner@example.com", "marketing@example.com"
ENDED = IncidentEnding("A join without the market", "The audience is checked for repeats")

def opened(shop, day="04-02", **words): return open_incident(shop, "churn", MARKETING, IncidentNote("Customers got the mail three times", **words), clock=at(day))

@pytest.mark.parametrize("text", ["", "1200", "EUR", "-5 EUR", "nan EUR", "inf EUR", "1200 EURO", "1,200 EUR", "1200 EUR and more", "zero"])
def test_a_cost_is_an_amount_with_a_currency_or_said_to_be_unknown(text):
    with pytest.raises(IncidentError): read_impact(text)

@pytest.mark.parametrize("text, impact", [("1200 EUR", Impact(Decimal(1200), "EUR")), (" 0.00 usd ", Impact(Decimal("0.00"), "USD")), ("Unknown", Impact(None, None))])
def test_a_cost_keeps_its_cents_and_its_currency(text, impact): assert read_impact(text) == impact

@pytest.mark.parametrize("text", ["1.200 EUR", "12.3456 USD"])
def test_a_cost_that_may_be_a_thousand_times_as_much_is_refused_and_one_on_record_is_still_read(shop, text):
    with pytest.raises(IncidentError, match="a thousand times"): opened(shop, impact=text)
    with pytest.raises(IncidentError, match="a thousand times"): replace(ENDED, impact=text)
    assert Ledger(shop).entries() == [] and read_impact(text).amount == Decimal(text.split()[0])

def test_nothing_goes_wrong_before_it_happens(shop):
    with pytest.raises(IncidentError, match="still to come"): opened(shop, day="04-02", happened_at=at("04-03").now())
    name = opened(shop, day="04-02", happened_at=at("04-02").now()).name
    with pytest.raises(IncidentError, match="still to come"): update_incident(shop, name, OWNER, IncidentNote("Rolled back", happened_at=at("04-05").now()), clock=at("04-04"))
    assert len(Ledger(shop).entries()) == 1

def test_an_incident_without_a_cost_cannot_be_closed_and_stays_as_it_was(shop):
    name = opened(shop).name
    with pytest.raises(IncidentError, match="cost"): close_incident(shop, name, OWNER, ENDED, clock=at("04-03"))
    assert len(Ledger(shop).entries()) == 1
    update_incident(shop, name, OWNER, IncidentNote("About so much", impact="900 EUR"), clock=at("04-03"))
    assert str(close_incident(shop, name, OWNER, ENDED, clock=at("04-04")).impact) == "900.00 EUR"

def test_the_cost_stated_last_counts_and_unknown_takes_none_back(shop):
    name = opened(shop, impact="100 EUR").name
    assert str(update_incident(shop, name, OWNER, IncidentNote("Refunds went out", impact="250 EUR"), clock=at("04-03")).impact) == "250.00 EUR"
    assert str(close_incident(shop, name, OWNER, replace(ENDED, impact="unknown"), clock=at("04-04")).impact) == "250.00 EUR"
    never = opened(shop).name
    assert str(close_incident(shop, never, OWNER, replace(ENDED, impact="unknown"), clock=at("04-04")).impact) == "not worked out"

def test_no_address_or_phone_number_reaches_the_timeline(shop):
    open_incident(shop, "churn", MARKETING, IncidentNote("anna.schmidt@kunde.de and +49 170 1234567 complained"), clock=at("04-02"))
    line = (shop.root/"data"/"ledger"/"laptop.jsonl").read_text()
    assert "kunde.de" not in line and "1234567" not in line

def test_two_clones_tell_the_same_incident(shop, tmp_path):
    name = opened(shop).name
    office = make_workspace(tmp_path/"office", writer="office")
    shutil.copytree(shop.root/"data"/"ledger", office.root/"data"/"ledger", dirs_exist_ok=True)
    update_incident(office, name, OWNER, IncidentNote("Rolled back"), clock=at("04-03"))
    update_incident(shop, name, MARKETING, IncidentNote("Two more complaints"), clock=at("04-03"))
    for there, other, file in ((shop, office, "office"), (office, shop, "laptop")): shutil.copy(other.root/"data"/"ledger"/f"{file}.jsonl", there.root/"data"/"ledger")
    told = [[entry.payload["text"] for entry in incidents_from(Ledger(each).entries())[0].entries] for each in (shop, office)]
    assert told[0] == told[1] and len(told[0]) == 3

def test_of_two_processes_that_close_an_incident_one_is_told_that_it_is_closed(shop):
    name = opened(shop).name
    close = f"""
        from marketing_mlops.governance.incidents import IncidentEnding, IncidentError, close_incident
        try: close_incident(shop, {name!r}, "model-owner@example.com", IncidentEnding("A join", "A check", "0 EUR")); print("closed")
        except IncidentError as error: print(error.problem)
    """
    said = [finished(each).strip() for each in [start(shop, close), start(shop, close)]]
    assert sorted(each.split()[-1] for each in said) == ["closed", "closed."]
    assert len(Ledger(shop).entries(CLOSED)) == 1

def test_a_name_that_fits_two_incidents_finds_none():
    class Twin:
        def __init__(self, digits): self.name, self.model, self.entries = digits[:8], "churn", (type("Entry", (), {"hash": digits}),)
    twins = [Twin("5f2a0c11" + "0"*56), Twin("5f2affff" + "0"*56)]
    with pytest.raises(IncidentError, match="Several"): find_incident(twins, "5f2a")
    assert find_incident(twins, "5f2af") is twins[1]
    with pytest.raises(IncidentError, match="No incident"): find_incident(twins, "5f2")

def test_an_incident_changes_nothing_about_what_is_live(two):
    before = live(two, "churn")
    close_incident(two, opened(two).name, OWNER, replace(ENDED, impact="0 EUR"), clock=at("04-03"))
    assert live(two, "churn") == before

def test_a_review_ends_the_duties_of_its_own_model_only(two):
    put_live(two, approved(two, small_bundle(two, "promo", model="promo"), "03-05", "promo"), "03-06", "promo")
    put_live(two, approved(two, small_bundle(two, "promo_2", even_after=90., model="promo"), "03-05", "promo"), "03-07", "promo")
    for model in ("churn", "promo"): rollback(two, model, MARKETING, "Complaints", clock=at("03-10"))
    owed = review_duties(Ledger(two).entries(), at("03-10").now())
    held = record_review(two, "churn", OWNER, ReviewNotes("The list was wrong"), clock=at("03-11"))
    assert {each.model for each in owed} == {"churn", "promo"}
    assert held.settled == tuple(each.bundle_hash for each in owed if each.model == "churn")
    assert [each.model for each in review_duties(Ledger(two).entries(), at("03-12").now())] == ["promo"]

def test_a_review_with_a_list_of_thousands_is_refused_and_leaves_the_duty(two):
    rollback(two, "churn", MARKETING, "Complaints", clock=at("03-10"))
    with pytest.raises(Exception, match="characters"): record_review(two, "churn", OWNER, ReviewNotes("x"*3_000), clock=at("03-11"))
    assert reviews_from(Ledger(two).entries()) == [] and len(review_duties(Ledger(two).entries(), at("03-12").now())) == 1

@pytest.mark.parametrize("by, others, settles", [
    (MARKETING, (), False), (MARKETING, (MARKETING,), False), (MARKETING, (f" {MARKETING.upper()} ",), False), (MARKETING, (OWNER,), True), (OWNER, (), True), (OWNER, (MARKETING,), True)])
def test_a_review_ends_a_duty_only_with_somebody_else_than_who_rolled_back(two, by, others, settles):
    left = live(two, "churn").champion
    rollback(two, "churn", MARKETING, "Complaints", clock=at("03-10"))
    held = record_review(two, "churn", by, ReviewNotes("The list was wrong", others=others), clock=at("03-11"))
    assert (held.settled, review_duties(Ledger(two).entries(), at("03-12").now()) == []) == ((left,) if settles else (), settles)
    record_review(two, "churn", OWNER, ReviewNotes("And so it was"), clock=at("03-12"))
    assert review_duties(Ledger(two).entries(), at("03-13").now()) == []

def test_of_two_rollbacks_a_review_ends_those_others_did(two):
    put_live(two, approved(two, small_bundle(two, "third", even_after=30.), "03-08"), "03-09")
    newest = live(two, "churn").champion
    for role, day in ((MARKETING, "03-10"), (OWNER, "03-11")): rollback(two, "churn", role, "Complaints", clock=at(day))
    assert record_review(two, "churn", OWNER, ReviewNotes("The list was wrong"), clock=at("03-12")).settled == (newest,)
    assert [each.actor for each in review_duties(Ledger(two).entries(), at("03-13").now())] == [OWNER]

def test_every_release_and_rollback_has_one_of_the_six_reasons(two):
    rollback(two, "churn", MARKETING, "Complaints", clock=at("03-10"))
    log = decision_log(Ledger(two).entries())
    assert [each.change_reason for each in log if each.entry.kind in (RELEASED, ROLLED_BACK)] == ["new approach", "new data", "rollback"]
    assert {each.change_reason for each in log} - {None} <= set(CHANGE_REASONS)

def test_explaining_a_decision_leaves_its_entry_and_what_is_live_as_they_were(two):
    before, entry = live(two, "churn"), decision_log(Ledger(two).entries())[-1].entry
    for reason in ("degradation", "breach"): said = explain_change(two, entry.hash[:8], OWNER, reason, clock=at("03-20"))
    assert (said.change_reason, said.is_explained, said.entry) == ("breach", True, entry)
    assert live(two, "churn") == before and Ledger(two, at("03-21")).verify().status != "fail"
    with pytest.raises(ParameterError): explain_change(two, entry.hash[:8], OWNER, "boredom", clock=at("03-20"))

def test_the_log_of_another_clone_is_the_same(two, tmp_path):
    colleague = make_workspace(tmp_path/"colleague", writer="colleague")
    shutil.copytree(two.root/"data"/"ledger", colleague.root/"data"/"ledger", dirs_exist_ok=True)
    told = [[(each.entry.hash, each.what, each.change_reason) for each in decision_log(Ledger(shop).entries())] for shop in (two, colleague)]
    assert told[0] == told[1] and told[0]
