"""A model card is put together from records alone; a record that is not there reads `unknown`."""
import json
import shutil
from dataclasses import replace
from types import SimpleNamespace
import pandas as pd
import pytest
from marketing_mlops.contracts.verdict import Verdict, judged
from marketing_mlops.governance.approvals import REFUSED, grant, request_approval
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.governance.registrations import register_bundle
from marketing_mlops.governance.release_gates import MEASURED_GATES, GateFindings, check_bundle
from marketing_mlops.governance.releases import RollbackChoice, bundle_evidence, release, rollback
from marketing_mlops.registry.bundles import write_bundle
from marketing_mlops.registry.graph_drafts import GraphDraft, finished_graph
from marketing_mlops.registry.input_schemas import input_schema
from marketing_mlops.registry.origins import note_origin
from marketing_mlops.reporting import card_blocks as blocks
from marketing_mlops.reporting.card_predictions import contacted_share_sentence, predicted_sentence
from marketing_mlops.reporting.gain_blocks import margin_block
from marketing_mlops.reporting.model_cards import read_card
from marketing_mlops.reporting.reports import run_report
from marketing_mlops.reporting.training_costs import training_costs
from marketing_mlops.workspace.clock import ReplayClock, instant_of
from marketing_mlops.workspace.errors import StageError
from marketing_mlops.workspace.places import find_workspace, write_text

HOSTILE = "<script>alert('x')</script>"
SPEC = dict(model="churn", task="propensity", owner="model-owner@example.com", purpose=f"Win back {HOSTILE}", audience="Customers", source="shop", consent_purpose="email",
            outcome=dict(kind="no_order", horizon_days=90), cutoffs=dict(count=8), split=dict(held_out="last_cutoff"), algorithm=dict(name="logistic_regression"), holdout=.05,
            release=dict(approval_days=30), monitoring=dict(psi=.2))
FIGURES = dict(auc=dict(value=.7127, low=.694, high=.7307, unit="AUC", level=.95, n=2932, method="DeLong, logit"))
CALIBRATION = [dict(group=1, n=294, claimed=.21, happened=.245, low=.199, high=.297)]
EVALUATION = dict(figures=FIGURES, n_training=13711, n_held_out=2932, sentences=["It ranks well."], tables=dict(calibration=CALIBRATION), verdict=Verdict("churn", "pass").to_dict())

def build(shop, parameters=SPEC, evaluation=EVALUATION, features=("recency_days",)):
    draft = GraphDraft()
    graph = finished_graph(draft, draft.add("Sigmoid", draft.input(features[0], is_text=False)), list(features))
    return write_bundle(shop.path("data", "bundle", "churn"), scorer={"no_order": graph}, kind="graph", features=list(features), schema=input_schema(pd.DataFrame({features[0]: [5., 60., None]}), list(features)),
                        parameters=parameters, evaluation=evaluation, lock_hash="a1"*32, data_hashes={"training_set": "b2"*32}, code_hash="c3"*32, envelope={})

@pytest.fixture
def shop(tmp_path, repository):
    write_text(tmp_path/"settings.ini", "[DEFAULT]\napprovers = model-owner@example.com, marketing@example.com\n")
    write_text(tmp_path/"params.yaml", "sources: {shop: {kind: simulated}}\nmodels:\n  churn: {owner: another@example.com, purpose: Edited since, audience: All, source: shop, task: propensity}\n")
    (tmp_path/"nbs"/"reports").mkdir(parents=True)
    shutil.copy2(repository/"nbs"/"reports"/"model_card.ipynb", tmp_path/"nbs"/"reports")
    found = find_workspace(tmp_path)
    build(found)
    return found

def put_live(shop, day="01"):
    folder, clock = shop.path("data", "bundle", "churn"), ReplayClock(instant_of(f"2026-03-{day}T09:00:00Z"))
    asked = bundle_evidence(folder)
    request_approval(shop, asked.matter, "analyst@example.com", clock=clock)
    check_bundle(shop, "churn", folder, "analyst@example.com", findings=GateFindings({name: judged(name) for name in MEASURED_GATES}), clock=clock)
    for role in ("model-owner@example.com", "marketing@example.com"): grant(shop, asked.matter, role, reason="Good for spring", clock=clock)
    return release(shop, "churn", folder, "analyst@example.com", clock=clock)

def without(record, name): return {key: value for key, value in record.items() if key != name}

def entry(block, name):
    "What a block says behind a name."
    return next(line.split(": ", 1)[1] for line in str(block).splitlines() if line.startswith(f"{name}: "))

def test_the_exception_stands_beside_the_rule_of_the_alarm(shop):
    said = entry(blocks.purpose_block(read_card("churn", shop)), "Watched for")
    assert "(PSI) above 0.2 (what the company moved itself" in said and "does not ring" in said

@pytest.mark.parametrize("label, name", [(label, name) for label, name in blocks.CARD_FACTS.items() if name in SPEC and name != "task"] + [("Consent", "consent_purpose")])
def test_a_fact_that_was_not_recorded_reads_unknown(shop, label, name):
    assert entry(blocks.purpose_block(read_card("churn", shop)), label) != "unknown"
    build(shop, without(SPEC, name))
    assert entry(blocks.purpose_block(read_card("churn", shop)), label) == "unknown"

@pytest.mark.parametrize("part, block, says", [("figures", blocks.figures_block, "Figures: unknown"), ("tables", blocks.card_chart, "Table: unknown"), ("n_held_out", blocks.purpose_block, "Rows judged on: unknown"),
                                               ("n_training", blocks.purpose_block, "Rows to learn from: unknown"), ("verdict", blocks.gates_block, "Unknown · "),
                                               ("sentences", blocks.card_answer, "The record holds no sentence")])
def test_a_part_of_the_evaluation_that_is_not_there_reads_unknown(shop, part, block, says):
    build(shop, evaluation=without(EVALUATION, part))
    assert says in str(block(read_card("churn", shop)))

def test_groups_that_claim_the_same_stay_groups_of_their_own(shop):
    build(shop, evaluation=dict(EVALUATION, tables=dict(calibration=[dict(CALIBRATION[0], group=i, claimed=.05) for i in (1, 2, 3)])))
    words = blocks.card_chart(read_card("churn", shop)).description
    assert [f"group {i}, claimed 5.0 %" in words for i in (1, 2, 3)] == [True]*3

def test_every_figure_stands_beside_what_a_guess_would_reach(shop):
    card = read_card("churn", shop)
    assert "0.713" in str(blocks.figures_block(card)) and "0.500" in str(blocks.figures_block(card)) and "finds 24.5 % concerned" in str(blocks.card_answer(card))

def test_a_window_longer_than_the_data_is_said_and_one_nobody_counted_is_unknown(shop):
    short = [dict(feature=name, window_days=365, shortest_history_days=244, n_rows=1200) for name in ("orders_365d", "net_revenue_365d")]
    assert any(line.startswith("unknown: nobody recorded whether the data reach back") for line in blocks.card_limits(read_card("churn", shop)))
    build(shop, dict(SPEC, facts=dict(short_windows=short)))
    said = blocks.window_limits(read_card("churn", shop))
    assert len(said) == 1 and "orders_365d and net_revenue_365d look back 365 days" in said[0] and "begin 244 days before the earliest cutoff: in 1,200 of 13,711 rows it learned from" in said[0]
    build(shop, dict(SPEC, facts=dict(short_windows=[dict(each, n_rows=EVALUATION["n_training"]) for each in short])))
    assert "in all 13,711 rows it learned from" in blocks.window_limits(read_card("churn", shop))[0]
    build(shop, dict(SPEC, facts=dict(short_windows=[])))
    assert blocks.window_limits(read_card("churn", shop)) == []

def test_no_recorded_value_stops_a_card_however_odd(shop):
    odd = dict(SPEC, holdout="a tenth", cutoffs=dict(count="many", patience=3), economics=dict(margin=45), release="none", outcome=[])
    build(shop, odd)
    assert "many in all, patience 3" in str(blocks.purpose_block(read_card("churn", shop)))

def test_a_feature_nobody_defined_reads_unknown(shop):
    build(shop, features=("patience",))
    card = read_card("churn", shop)
    assert "unknown" in str(blocks.features_block(card)) and "Nobody has defined the feature patience." in blocks.card_limits(card)

def test_without_its_ledger_a_card_knows_no_approval_and_no_release(shop):
    put_live(shop)
    card = read_card("churn", shop)
    assert blocks.approval_sentence(card) == "Approved by model-owner@example.com, marketing@example.com on 2026-03-01, until 2026-03-31; identity: unverified."
    assert blocks.live_sentence(card) == "This bundle is live since 2026-03-01, by decision of analyst@example.com." and "Good for spring" in str(blocks.decisions_block(card))
    shutil.rmtree(shop.path("data", "ledger")); (shop.state/"ledger.db").unlink()
    card = read_card("churn", shop)
    for said in (blocks.approval_sentence(card), blocks.live_sentence(card), entry(blocks.decisions_block(card), "Decisions")): assert said.startswith("unknown: ")

def test_none_is_said_where_nothing_was_ever_decided_and_unknown_where_it_cannot_be_known(shop):
    shop.path("data", "ledger").mkdir(parents=True)
    def said(): card = read_card("churn", shop); return [blocks.approval_sentence(card), blocks.live_sentence(card), entry(blocks.decisions_block(card), "Decisions"), blocks.expiry_words(card)]
    assert [each.split(":")[0] for each in said()] == ["none"]*4
    write_text(shop.path("data", "live", "churn.json"), json.dumps(dict(model="churn", champion="a1"*32)))
    assert [each.split(":")[0] for each in said()] == ["unknown"]*4 and "names a champion" in said()[1]
    shop.path("data", "live", "churn.json").unlink(); shop.path("data", "ledger").rmdir()
    for database in shop.state.glob("ledger.db*"): database.unlink()
    assert [each.split(":")[0] for each in said()] == ["unknown"]*4 and "there is no ledger" in said()[0]

def test_a_card_says_until_when_its_approval_holds(shop):
    put_live(shop)
    assert blocks.expiry_words(read_card("churn", shop)).startswith("its approval until 2026-03-31; as champion")

def trained(shop, **spent):
    "A kept run of the stage train that noted the facts of the bundle."
    facts = dict(n_training=13711)
    build(shop, dict(SPEC, facts=facts))
    run = shop.runs("train", "churn")/"20260228T090000000000Z-0001"
    said = dict(job="train", key="churn", run_id=run.name, status="done", parameters={}, engine="warm", started_at="2026-02-28T09:00:00+00:00", duration_s=20.5, results=dict(facts=facts))
    write_text(run/"run.json", json.dumps(said | spent))
    return run

def test_what_training_took_is_that_of_the_run_that_trained_this_bundle(shop):
    trained(shop, cpu_s=36., memory_mb=480.4)
    said = training_costs(read_card("churn", shop), shop)
    assert said["Computing time of training"] == "36.0 s over all cores, 20.5 s from start to end, 480 MB of memory (run of 2026-02-28)"
    assert said["Energy of training"].startswith("about 0.10 Wh, an estimate: 36.0 s at an assumed 10 W per core")
    trained(shop, cpu_s=.8)
    assert training_costs(read_card("churn", shop), shop)["Energy of training"].startswith("less than 0.01 Wh, an estimate: 0.8 s")
    build(shop, dict(SPEC, facts=dict(n_training=99)))          # another training, whose run was not kept
    assert [each.split(":")[0] for each in training_costs(read_card("churn", shop), shop).values()] == ["unknown"]*3

def test_the_page_of_the_pipeline_holds_no_seconds(shop, tmp_path):
    "They differ from run to run, and its page is the same on every machine."
    trained(shop, cpu_s=36.)
    told, left_out = (run_report("model_card", dict(model="churn", took=took), shop, tmp_path/str(took)).read_text() for took in (True, False))
    assert "36.0 s over all cores" in told and "over all cores" not in left_out and "which is the same on every machine" in left_out

def test_seconds_nobody_measured_give_no_energy(shop):
    trained(shop)
    said = training_costs(read_card("churn", shop), shop)
    assert said["Energy of training"].startswith("unknown") and said["Computing time of training"].startswith("unknown: the manifest")

MARGIN = dict(arm="mail", assumed=.45, measured=.29, too_much=.55, low=.42, high=.68, n=6072, why="")
ENTRIES = { # a record of a card → how to delete it, and the part of the page that told it
    "run of the training": (lambda shop: shutil.rmtree(shop.runs("train", "churn")), lambda card, shop: training_costs(card, shop)["Computing time of training"]),
    "owner": (lambda shop: build(shop, without(SPEC, "owner")), lambda card, shop: entry(blocks.purpose_block(card), "Owner")),
    "audience": (lambda shop: build(shop, without(SPEC, "audience")), lambda card, shop: entry(blocks.purpose_block(card), "Audience")),
    "outcome": (lambda shop: build(shop, without(SPEC, "outcome")), lambda card, shop: predicted_sentence(card.parameters)),
    "release rules": (lambda shop: build(shop, without(SPEC, "release")), lambda card, shop: entry(blocks.purpose_block(card), "Release rules")),
    "ledger": (lambda shop: (shutil.rmtree(shop.path("data", "ledger")), (shop.state/"ledger.db").unlink()), lambda card, shop: blocks.expiry_words(card)),
    "bundle": (lambda shop: [shutil.rmtree(folder) for folder in (shop.path("data", "bundle", "churn"), *shop.path("data", "bundles").iterdir())], lambda card, shop: entry(blocks.origin_block(card), "Bundle"))}

@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_whose_record_is_deleted_reads_unknown(shop, name):
    delete, told = ENTRIES[name]
    trained(shop, cpu_s=36.)
    if name in ("ledger", "bundle"): put_live(shop)
    assert not told(read_card("churn", shop), shop).startswith("unknown")
    delete(shop)
    assert told(read_card("churn", shop), shop).startswith("unknown")

def test_a_card_says_what_is_predicted_for_whom_and_until_when(shop):
    assert entry(blocks.card_answer(read_card("churn", shop)), "What it predicts") == "It predicts the chance that a customer places no order in the 90 days after a cutoff. Of whom: Customers."

def test_the_first_line_counts_those_who_would_be_contacted(shop):
    lift = dict(FIGURES, lift_at_10=dict(value=2., low=1.5, high=5., unit="times", level=.95, n=2932, method="bootstrap"))
    evaluation = dict(EVALUATION, figures=lift, tables=dict(calibration=[dict(CALIBRATION[0], n=1000, happened=.25)]))
    assert contacted_share_sentence(evaluation, SPEC) == "Of the 100 customers with the highest chances 50 % placed no order in the 90 days after the cutoff (38 % to 100 %); of all 1,000 it was 25 %."
    build(shop, evaluation=evaluation)
    assert str(blocks.card_answer(read_card("churn", shop))).startswith("Pass. Of the 100 customers")

def test_the_assumed_margin_stands_beside_the_measured_one(shop):
    def said(**tables):
        bundle = SimpleNamespace(parameters=dict(task="uplift", experiment=dict(currency="EUR")), evaluation=dict(tables=tables))
        return margin_block(replace(read_card("churn", shop), bundle=bundle))
    both = str(said(margin=[MARGIN]))
    assert "Margin assumed: 45 %, from the model's entry; it decides" in both and "29 % of what mail adds (6,072 held-out customers)" in both and "+0.42 to +0.68 EUR" in both
    assert entry(said(margin=[dict(MARGIN, measured=None, too_much=None, why="the lines hold no cost.")]), "Margin measured from the cost of goods") == "not measured: the lines hold no cost."
    assert str(said()) == "Margin measured from the cost of goods: unknown"

def test_an_edited_ledger_is_not_believed(shop):
    put_live(shop)
    log, = shop.path("data", "ledger").glob("*.jsonl")
    log.write_text(log.read_text().replace("model-owner@example.com", "intern@example.com"))
    card = read_card("churn", shop)
    assert "intern" not in str(blocks.decisions_block(card)) and "was edited" in blocks.approval_sentence(card)

def test_a_damaged_or_missing_bundle_makes_every_entry_unknown(shop):
    put_live(shop)
    kept, = shop.path("data", "bundles").iterdir()
    (kept/"parameters.json").write_text("{}")
    for card in (read_card("churn", shop), (shutil.rmtree(kept), read_card("churn", shop))[1]):
        assert (card.role, blocks.card_verdict(card).status) == ("unknown", "unknown")
        assert entry(blocks.purpose_block(card), "Owner") == "unknown" and entry(blocks.origin_block(card), "Bundle").startswith("unknown: ")
        assert "released" in str(blocks.decisions_block(card))        # the ledger still knows

def test_the_card_of_an_earlier_champion_says_what_is_live_instead(shop):
    first = put_live(shop)
    build(shop, SPEC | dict(audience="Everybody")); put_live(shop, "05")
    card = read_card("churn", shop, first.champion[:12])
    assert card.role == "earlier champion" and "another one, is live since 2026-03-05" in blocks.live_sentence(card)

def test_a_source_without_consents_is_a_limit(shop):
    build(shop, SPEC | dict(consent_purpose=None))
    assert any("nobody may be contacted" in line for line in blocks.card_limits(read_card("churn", shop)))

def test_the_page_is_made_from_records_escapes_them_and_can_be_made_twice_alike(shop, tmp_path):
    put_live(shop)
    page = run_report("model_card", dict(model="churn"), shop, tmp_path/"one").read_text()
    assert "model-owner@example.com" in page and "Edited since" not in page and "another@example.com" not in page
    assert HOSTILE not in page and "Win back &lt;script&gt;" in page
    assert run_report("model_card", dict(model="churn"), shop, tmp_path/"two").read_text() == page

def test_a_model_nobody_knows_has_no_card(shop):
    with pytest.raises(StageError, match="Did you mean 'churn'"): run_report("model_card", dict(model="chrun"), shop)

@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_a_card_fits_its_screen_and_asks_for_nothing(chromium, shop, tmp_path, width, scheme):
    put_live(shop)
    watched = chromium(run_report("model_card", dict(model="churn"), shop, tmp_path/"page"), width, scheme)
    assert watched.page.evaluate("document.documentElement.scrollWidth") <= width
    assert (watched.said, watched.asked, watched.dialogs) == ([], [], [])

def test_the_card_says_when_and_from_which_revision_only_on_the_ledgers_word(shop):
    digest = read_card("churn", shop).bundle.core_hash
    note_origin(shop, digest, clock=ReplayClock(instant_of("2026-02-28T16:20:00Z")))
    assert [entry(blocks.origin_block(read_card("churn", shop)), name) for name in ("Made", "Revision")] == ["unknown", "unknown"], "a note is no record"
    register_bundle(shop, "churn", digest, "analyst@example.com", links={"mlflow version": "3"})
    said = blocks.origin_block(read_card("churn", shop))
    assert [entry(said, name) for name in ("Made", "Revision", "Mlflow version")] == ["2026-02-28 16:20 UTC", "unknown", "3"]

def test_a_bundle_that_was_rolled_back_is_not_called_approved(shop):
    put_live(shop)
    build(shop, evaluation=EVALUATION | dict(n_training=14_000))
    left = put_live(shop, "02").champion
    rollback(shop, "churn", "marketing@example.com", "Complaints doubled", clock=ReplayClock(instant_of("2026-03-05T09:00:00Z")))
    assert blocks.approval_sentence(read_card("churn", shop, left)) == "Rolled back by marketing@example.com on 2026-03-05: Complaints doubled. A release of it needs a new approval."
    assert blocks.approval_sentence(read_card("churn", shop)).startswith("Approved by model-owner@example.com")

def test_the_card_of_what_a_rollback_brought_back_asks_for_no_new_approval(shop):
    first = put_live(shop).champion
    build(shop, evaluation=EVALUATION | dict(n_training=14_000))
    left = put_live(shop, "02").champion
    def back(day, to=None): return rollback(shop, "churn", "marketing@example.com", "Complaints doubled", choice=RollbackChoice(to=to), clock=ReplayClock(instant_of(f"2026-03-{day}T09:00:00Z")))
    back("05"), back("06", left)
    said = blocks.approval_sentence(read_card("churn", shop, left))
    assert said.startswith("Rolled back by marketing@example.com on 2026-03-05: Complaints doubled. Another rollback brought it back on 2026-03-06, which asks for no approval. When it was released, it was approved by ")
    assert "needs a new approval" not in said
    back("07", first)
    assert blocks.approval_sentence(read_card("churn", shop, left)) == "Rolled back by marketing@example.com on 2026-03-07: Complaints doubled. A release of it needs a new approval."

def test_a_yes_that_did_not_know_a_refusal_is_not_shown_as_an_approval(shop, tmp_path_factory):
    asked = bundle_evidence(shop.path("data", "bundle", "churn"))
    about, day = dict(bundle_hash=asked.bundle_hash, evaluation_hash=asked.evaluation_hash), lambda text: ReplayClock(instant_of(f"2026-03-{text}T09:00:00Z"))
    request = request_approval(shop, asked.matter, "analyst@example.com", clock=day("01")).request
    office = find_workspace(shutil.copytree(shop.root, tmp_path_factory.mktemp("clone")/"office"))
    write_text(office.path("data", "state", "ledger_writer"), "a-writer-that-sorts-first\n")
    Ledger(office, day("02")).append(REFUSED, "churn", "data-protection@example.com", about | dict(request=request.hash, reason="Consents were missing"))
    for role in ("model-owner@example.com", "marketing@example.com"): grant(shop, asked.matter, role, clock=day("03"))
    assert blocks.approval_sentence(read_card("churn", shop)).startswith("Approved by model-owner@example.com")
    shutil.copy2(office.path("data", "ledger", "a-writer-that-sorts-first.jsonl"), shop.path("data", "ledger"))
    assert blocks.approval_sentence(read_card("churn", shop)) == "Refused by data-protection@example.com on 2026-03-02: Consents were missing"

def test_every_way_of_learning_gains_has_words_on_the_card():
    from marketing_mlops.models.uplift_learners import DEFAULT_UPLIFT_LEARNER, UPLIFT_LEARNERS
    from marketing_mlops.reporting.card_words import LEARNER_WORDS
    assert LEARNER_WORDS.keys() == {None, *UPLIFT_LEARNERS} and LEARNER_WORDS[None] == LEARNER_WORDS[DEFAULT_UPLIFT_LEARNER]
