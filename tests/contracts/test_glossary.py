"""Every word used in the contracts resolves, and none has two meanings."""
import pytest
from marketing_mlops.contracts import glossary as page
from marketing_mlops.contracts.figures import METRICS
from marketing_mlops.contracts.glossary import Term, glossary, register_term, term, term_key, term_table, unresolved
from marketing_mlops.contracts.schemas import TABLES
from marketing_mlops.contracts.verdict import DECISIONS, VERDICT_STATUSES
from marketing_mlops.workspace.errors import TermError
from marketing_mlops.workspace.params import TASKS

OWN = [page.EXPERIMENT_TERMS, page.ESTIMATE_TERMS, page.JUDGEMENT_TERMS, page.WORKSPACE_TERMS, page.STAGE_TERMS, page.PRODUCT_TERMS, page.COLUMN_TERMS]

@pytest.fixture(autouse=True)
def no_added_words():
    before = dict(page._ADDED)
    yield
    page._ADDED.clear(); page._ADDED.update(before)

def test_every_word_has_a_sentence_and_an_owner():
    for name, each in glossary().items():
        assert each.definition.rstrip('"').endswith(".") and each.owner.endswith("@example.com"), name

def test_no_word_is_defined_twice_on_the_page():
    words = [name for terms in OWN for name in terms]
    assert len(words) == len(set(words)) and all(term_key(name) == name for name in words)

def test_no_word_that_has_a_meaning_can_be_given_another():
    assert all(map(page._may_be_taken, glossary())), "the whole glossary is asked about every word it holds"
    for name in ("experiment", "orders", "market", "net_revenue_per_customer"):
        with pytest.raises(ValueError, match="is defined already"): register_term(Term(name, "Something else."))
        assert register_term(glossary()[name]) == glossary()[name]

def test_own_words_do_not_hide_tables_or_metrics():
    words = {name for terms in OWN for name in terms}
    assert not words & set(METRICS) and not words & set(TABLES)

def test_what_others_declare_is_all_there():
    stages = "ingest validate features train evaluate bundle score monitor report".split()
    decisions = [each for allowed in DECISIONS.values() for each in allowed]
    columns = [f"{each.name}.{name}" for each in TABLES.values() for name in each.names]
    assert unresolved([*VERDICT_STATUSES, *decisions, *stages, *TABLES, *METRICS, *TASKS, *columns]) == []

@pytest.mark.parametrize("spelling", ["net_revenue", "Net revenue", "NET-REVENUE", " net  revenue "])
def test_every_spelling_finds_the_word(spelling): assert term(spelling).name == "net_revenue"

def test_an_unknown_word_is_answered_with_the_nearest():
    with pytest.raises(TermError, match="Did you mean 'guardrail'"): term("guard rails")
    assert unresolved(["guardrail", "wow", "wow"]) == ["wow"]

def test_a_second_meaning_is_refused_and_the_same_one_is_not():
    register_term(Term("win_back", "A campaign.")); register_term(Term("win_back", "A campaign."))
    with pytest.raises(ValueError, match="defined already"): register_term(Term("win_back", "Another."))
    with pytest.raises(ValueError, match="write 'win_back'"): register_term(Term("Win back", "A campaign."))

def test_a_table_of_words_is_escaped():
    register_term(Term("odd", "A <b>|</b>."))
    assert "<b>" not in term_table(["odd"]) and r"\|" in term_table(["odd"])
