"""The evaluation report says what its record holds: one figure turned turns the sentence, and a part that is not there reads unknown."""
import copy, json, shutil
from types import SimpleNamespace
import numpy as np
import pandas as pd
import pytest
from marketing_mlops.registry.bundles import write_bundle
from marketing_mlops.registry.graph_drafts import GraphDraft, finished_graph
from marketing_mlops.registry.input_schemas import input_schema
from marketing_mlops.reporting import depth_blocks as depths, evaluation_blocks as blocks
from marketing_mlops.reporting.card_blocks import card_answer
from marketing_mlops.reporting.charts import draw_svg
from marketing_mlops.reporting.model_cards import ModelCard
from marketing_mlops.reporting.reports import run_report
from marketing_mlops.training.evaluations import evaluate
from marketing_mlops.training.propensity_evidence import customer_group_rows, group_features, group_sentence, propensity_evidence
from marketing_mlops.measurement.intervals import NotMeasurable
from marketing_mlops.workspace.errors import ParameterError
from marketing_mlops.workspace.places import find_workspace, write_text

HOSTILE, N = "<script>alert('x')</script>", 600
SPEC = dict(model="deposit", task="propensity", owner="model-owner@example.com", purpose=f"Choose {HOSTILE}", audience="Clients", source="bank", consent_purpose=None, features=["contact", "age"],
            outcome=dict(kind="outcome", column="conversion"), split=dict(held_out=.2), algorithm=dict(name="logistic_regression"), gates=dict(auc=.6, calibration_slope=[.7, 1.4]))

def rows(timid=.25, names=("cellular", "telephone"), n=N):
    "Three in ten take it; chances are as timid as asked and belong to a base rate of one in sixteen."
    rng = np.random.default_rng(7)
    took = rng.random(n) < .3
    score = rng.normal(size=n) + 1.2*took
    return pd.DataFrame(dict(label=took.astype(int), score=1/(1 + np.exp(2.7 - timid*(1.2*score - .72))), contact=pd.Series(rng.choice(names, n), dtype="str"), age=rng.integers(20, 80, n)*1., split="held_out"))

def figure(value, half, unit="AUC"): return dict(value=value, low=value-half, high=value+half, level=.95, n=N, method="DeLong", unit=unit)

def check(too_much=.04, verdict="pass", days=((.52, .03),)):
    drawn = dict(n_training=6_000, n_judged=N, verdict=verdict, too_much=figure(too_much, .02), same_weeks=figure(too_much/2, .005), figures=dict(auc=figure(.84, .02), calibration_slope=figure(1., .1, "slope")))
    past = [dict(judged_from=f"2009-0{i+1}-01", judged_to=f"2009-0{i+1}-28", n_training=900, n_judged=800, rate_before=.04, rate=.05, left_out=[], figures=dict(auc=figure(*each))) for i, each in enumerate(days)]
    return dict(at_random=drawn, earlier_days=past, base_counts=dict(learned=[375, 6_000], latest=[94, 1_500]))

def card_of(frame=None, spec=SPEC, noted="check", **changes):
    facts = dict(n_training=6_000) | (dict(split_check=check(**changes)) if noted else {})
    evaluation = evaluate("deposit", rows() if frame is None else frame, spec, facts).to_dict()
    return ModelCard("deposit", SimpleNamespace(core_hash="a1"*32, parameters=spec | dict(facts=facts), evaluation=evaluation), "", None, ())

@pytest.fixture(scope="module")
def card(): return card_of()

UPLIFT = ModelCard("mail", SimpleNamespace(core_hash="b2"*32, parameters=dict(task="uplift"), evaluation={}), "", None, ())
PARTS = [blocks.evaluation_answer, blocks.split_chart, blocks.split_table, blocks.correction_table_block, blocks.group_table, blocks.change_block, depths.gains_chart,
         lambda card: depths.threshold_block(card, None), lambda card: blocks.said_block(card, "split")]

def test_the_first_screen_leads_with_later_rows_and_names_the_other_figure(card):
    said = str(blocks.evaluation_answer(card))
    first = said.splitlines()[0]
    assert first.startswith(f"Fail. On {N:,} customers of later days") and f"{card.evaluation['figures']['auc']['value']:.3f}" in first and "0.840" not in first
    assert "A split at random flatters this model" in said and "would have said pass; later rows say fail" in said and "do not take the figure of the later rows for the rule" in said

@pytest.mark.parametrize("changes, says, says_not", [(dict(too_much=.0), "is not shown to flatter", "flatters this"), (dict(too_much=-.05), "look worse than it is", "flatters this"),
                                                     (dict(verdict="fail"), "flatters this", "would have said"), (dict(days=((.95, .02),)), "has become worse", "for the rule"), (dict(days=()), "flatters this", "earlier day")])
def test_one_figure_turned_turns_the_sentence(changes, says, says_not):
    said = str(blocks.evaluation_answer(card_of(**changes)))
    assert says in said and says_not not in said

def test_that_nobody_may_be_contacted_comes_before_any_advice_on_ranking(card):
    barred, advice = "The source holds no consents, so nobody may be contacted with this model.", "Use its order and not its chances"
    for said in (str(blocks.evaluation_answer(card)), str(card_answer(card))): assert 0 < said.index(barred) < said.index("What it predicts")
    said = str(blocks.evaluation_answer(card))
    assert said.index(barred) < said.index(advice) and "rank by it, contact nobody" in said and "contact by rank" not in said
    agreed = card_of(spec=SPEC | dict(consent_purpose="marketing"))
    assert not any(barred in str(part(agreed)) for part in (blocks.evaluation_answer, card_answer)) and "contact by rank" in str(blocks.evaluation_answer(agreed))

@pytest.mark.parametrize("days, says", [(((.52, .03), (.49, .02)), True), (((.52, .03), (.58, .02)), False), (((.58, .02),), False), ((), False)])
def test_an_order_no_better_than_chance_on_every_earlier_day_is_said_in_the_advice(days, says):
    assert ("its order was no better than chance" in str(blocks.evaluation_answer(card_of(days=days)))) == says

@pytest.mark.parametrize("timid, gates, says", [(1., dict(auc=.6), "kept every promise"), (.25, dict(calibration_slope=[.7, 1.4]), "Use its order and not its chances"), (.25, dict(auc=.97), "Do not use it"),
                                                (.25, dict(auc=.97, calibration_slope=[.7, 1.4]), "Do not use it"), (.25, {}, "Look at the reasons")])
def test_what_to_do_follows_from_the_gates_that_are_shut(timid, gates, says):
    assert says in blocks.use_sentence(card_of(rows(timid), SPEC | dict(gates=gates)))

def test_the_card_of_a_model_that_passes_says_how_to_ask_for_its_approval(card):
    passing = str(card_answer(card_of(rows(1.), SPEC | dict(gates=dict(auc=.6)))))
    assert "mmops request deposit --as ROLE" in passing and "business and a technical approver" in passing and "mmops request" not in str(card_answer(card))

def test_every_sentence_of_the_evaluation_has_a_place_on_the_page(card):
    page = "\n".join(map(str, [blocks.evaluation_answer(card), *(blocks.said_block(card, part) for part in blocks.PLACES)]))
    assert card.evaluation["sentences"] and not [line for line in card.evaluation["sentences"] if line not in page]

def test_rows_that_hold_one_outcome_are_unknown_on_every_part():
    empty = card_of(rows().assign(label=0))
    said = str(blocks.evaluation_answer(empty))
    assert said.startswith("Unknown. How well it ranks is not measured") and "Nothing may be concluded" in said and "flatters" not in said
    assert str(depths.gains_chart(empty)) == "Reached by depth: unknown" and depths.depth_advice(empty, None) == ""

def test_a_record_of_an_earlier_version_reads_unknown_and_hides_nothing():
    old = card_of(noted="")
    evaluation = old.evaluation | dict(tables=dict(calibration=old.evaluation["tables"]["calibration"]))
    bare = ModelCard("deposit", SimpleNamespace(core_hash="a1"*32, parameters=SPEC, evaluation=evaluation), "", None, ())
    said = str(blocks.evaluation_answer(bare))
    assert "customers it has never seen" in said and said.count("unknown: training did not note") == 2
    assert [str(part(bare)).endswith("unknown") for part in (blocks.correction_table_block, blocks.group_table, depths.gains_chart)] == [True]*3 and "unknown" in str(blocks.split_chart(bare))

def test_an_uplift_model_is_sent_to_its_own_reports_and_shows_nothing_here():
    assert [str(part(UPLIFT)) for part in PARTS] == [""]*len(PARTS)
    assert "report model_card -p model=mail" in str(blocks.other_report(UPLIFT)) and str(blocks.other_report(card_of())) == ""
    nobody = ModelCard("gone", None, "There is no bundle.", None, ())
    assert "There is no bundle." in str(blocks.other_report(nobody)) and blocks.evaluation_heading(nobody).facts

def test_names_of_groups_are_escaped():
    hostile = card_of(rows(names=("cellular", HOSTILE)))
    assert HOSTILE in str(blocks.group_table(hostile)) and all(HOSTILE not in part(hostile).html for part in (blocks.group_table, blocks.evaluation_answer, lambda card: blocks.said_block(card, "groups")))

def test_charts_can_be_drawn_and_say_in_words_what_they_show(card):
    terms = depths.contact_terms(card, 40., 4.)
    for chart in (blocks.split_chart(card), depths.gains_chart(card), depths.profit_chart(card, terms)): assert chart.description and draw_svg(chart.to_dict()).startswith("<svg")
    assert "later rows: 0." in blocks.split_chart(card).description and "EUR" in depths.profit_chart(card, terms).description

def test_room_to_a_gate_is_counted_from_the_end_that_decides(card):
    auc = card.evaluation["figures"]["auc"]
    line = blocks.change_lines(card)[0]
    assert f"{auc['low']:.3f}" in line and f"{auc['low'] - .6:.3f} to spare" in line
    assert "to gain" in blocks.change_lines(card_of(spec=SPEC | dict(gates=dict(auc=.99))))[0] and "would shut" in blocks.change_lines(card_of(rows(1.)))[1]

def test_other_money_other_advice_and_wrong_chances_are_not_believed(card):
    dear, cheap = (depths.depth_advice(card, depths.contact_terms(card, 40., cost)) for cost in (30., 1.))
    assert dear != cheap and dear.startswith("By rank") and cheap.startswith("By rank")
    right = card_of(rows(1.).assign(score=lambda each: 1/(1 + (1/each.score - 1)*np.exp(-1.85))))
    assert blocks.chances_hold(right) and "pays from a chance of 10 %" in depths.depth_advice(right, depths.contact_terms(right, 40., 4.))

@pytest.mark.parametrize("value, cost, key", [(40., None, "contact_cost"), (None, 4., "value"), (4., 40., "contact_cost"), (4., -1., "contact_cost")])
def test_money_that_cannot_be_is_refused_by_name(card, value, cost, key):
    with pytest.raises(ParameterError) as caught: depths.contact_terms(card, value, cost)
    assert caught.value.fields["key"] == key

def test_terms_come_from_the_entry_of_the_model_and_a_parameter_wins():
    own = SPEC | dict(economics=dict(value=9., contact_cost=1., currency="USD"))
    card = ModelCard("deposit", SimpleNamespace(core_hash="a1"*32, parameters=own, evaluation={}), "", None, ())
    assert (depths.contact_terms(card).paying_chance, depths.contact_terms(card).currency, depths.contact_terms(card, contact_cost=3.).paying_chance) == (1/9, "USD", 1/3)

def test_the_gains_of_the_chart_are_those_of_the_groups(card):
    groups, lines = depths.groups_of(card), depths.gains_rows(depths.groups_of(card))
    own = lines[lines.line == "this model"]
    assert own.reached.tolist() == pytest.approx([0, *groups.hits.cumsum()/groups.hits.sum()]) and (lines[lines.line == "the best there is"].reached.to_numpy() >= own.reached.to_numpy() - 1e-12).all()

# --- what the record is made of ---
def test_groups_are_features_that_are_texts_and_not_lists_of_names():
    frame = rows().assign(town=[f"t{i % 40}" for i in range(N)], one="x")
    assert group_features(frame, ["contact", "age", "town", "one", "gone"]) == ["contact"]

def test_a_group_for_which_the_order_knows_nothing_is_named():
    frame = rows(1.)
    lost = frame.contact == "telephone"
    frame.loc[lost, "score"] = np.random.default_rng(1).permutation(frame.score[lost])
    said = group_sentence(customer_group_rows(frame, ["contact"]))
    assert said.startswith("Ranked worse than the rest for certain, of 2 groups of customers: contact telephone") and group_sentence(customer_group_rows(rows(1.), ["contact"])).startswith("None of 2 groups")

def test_a_group_of_a_few_is_counted_and_not_judged():
    frame = rows(1.).assign(contact=lambda each: each.contact.where(each.index >= 30, "letter").astype("str"))
    assert "Of 1 more it cannot be said" in group_sentence(customer_group_rows(frame, ["contact"]))

def test_without_a_note_of_training_nothing_is_said_of_time():
    found = propensity_evidence(rows(), SPEC, {}, NotMeasurable("Nobody.", "Wait.", code="empty"))
    assert found.sentences == [] and found.reasons == [] and list(found.tables) == ["chance_groups"]

# --- the page ---
@pytest.fixture
def shop(tmp_path, repository):
    write_text(tmp_path/"settings.ini", "[DEFAULT]\napprovers = model-owner@example.com\n")
    write_text(tmp_path/"params.yaml", "sources: {bank: {kind: file}}\nmodels:\n  deposit: {owner: model-owner@example.com, purpose: Calls, audience: All, source: bank, task: propensity}\n")
    (tmp_path/"nbs"/"reports").mkdir(parents=True)
    shutil.copy2(repository/"nbs"/"reports"/"model_evaluation.ipynb", tmp_path/"nbs"/"reports")
    return find_workspace(tmp_path)

def build(shop, card):
    draft = GraphDraft()
    graph = finished_graph(draft, draft.add("Sigmoid", draft.input("age", is_text=False)), ["age"])
    write_bundle(shop.path("data", "bundle", "deposit"), scorer={"conversion": graph}, kind="graph", features=["age"], schema=input_schema(pd.DataFrame(dict(age=[20., 60.])), ["age"]),
                 parameters=copy.deepcopy(card.parameters), evaluation=card.evaluation, lock_hash="a1"*32, data_hashes={"training_set": "b2"*32}, code_hash="c3"*32, envelope={})

def test_the_page_shows_the_record_escapes_it_and_gives_programs_the_same(shop, card):
    build(shop, card)
    page = run_report("model_evaluation", dict(model="deposit", value=40., contact_cost=4.), shop, shop.report_folder("deposit"))
    text, results = page.read_text(), json.loads(page.with_suffix(".json").read_text())["results"]
    assert HOSTILE not in text and "later rows say fail" in text and "By rank, at 4 EUR a contact" in text
    assert (results["verdict"], results["split_at_random"], results["use"].startswith("Use its order")) == ("fail", "flatters", True)
