"""Technical documentation: each answer comes from a record that is named, and goes when the record goes."""
import json, re, shutil
import pandas as pd
import pytest
import marketing_mlops.activation.audience_files   # declares the entry of an exported list
from marketing_mlops.contracts.verdict import Verdict, judged
from marketing_mlops.governance.approvals import grant, request_approval
from marketing_mlops.governance.governance_reviews import ReviewNotes, record_review
from marketing_mlops.governance.incidents import IncidentNote, open_incident
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.governance.release_gates import MEASURED_GATES, GateFindings, check_bundle
from marketing_mlops.governance.releases import bundle_evidence, release
from marketing_mlops.registry.bundles import write_bundle
from marketing_mlops.registry.graph_drafts import GraphDraft, finished_graph
from marketing_mlops.registry.input_schemas import input_schema
from marketing_mlops.registry.origins import origin_file
from marketing_mlops.reporting.documented_decisions import document_place
from marketing_mlops.reporting.documented_versions import QUESTIONS, SECTIONS, DocumentedQuestion, Found, answer_of, answers_of, read_version
from marketing_mlops.reporting.reports import run_report
from marketing_mlops.reporting.technical_documentation import documentation_answer, documentation_sentence, read_documentation, section_table
from marketing_mlops.workspace.clock import ReplayClock, instant_of
from marketing_mlops.workspace.errors import ParameterError
from marketing_mlops.workspace.places import find_workspace, write_json, write_text

OWNER, MARKETING, ANALYST = "model-owner@example.com", "marketing@example.com", "analyst@example.com"
HOSTILE = "<script>alert('x')</script> 🌷 | `a`"
SPEC = dict(model="churn", task="propensity", owner=OWNER, purpose=f"Win back {HOSTILE}", audience="Customers", source="shop", consent_purpose="email", outcome=dict(kind="no_order", horizon_days=90),
            split=dict(held_out="last_cutoff"), algorithm=dict(name="logistic_regression"), holdout=.05, primary_metric="auc", gates=dict(auc=.65), facts=dict(short_windows=[]),
            release=dict(approval_days=30, cadence_days=30, rollback_when=dict(auc_drop=.05)), monitoring=dict(psi=.2))
GROUPS = [dict(attribute="trait.age_band", group=HOSTILE, side="below"), dict(attribute="trait.age_band", group="60+", side="open")]
EVALUATION = dict(figures=dict(auc=dict(value=.7127, low=.694, high=.7307, unit="AUC", level=.95, n=2932, method="DeLong, logit")), n_training=13711, n_held_out=2932, tables=dict(groups=GROUPS),
                  verdict=Verdict("churn", "pass").to_dict())

def on(day): return ReplayClock(instant_of(f"2026-03-{day}T09:00:00Z"))

def build(shop, spec=SPEC):
    graph = finished_graph(draft := GraphDraft(), draft.add("Sigmoid", draft.input("recency_days", is_text=False)), ["recency_days"])
    return write_bundle(shop.output("bundle", "churn"), scorer={"no_order": graph}, kind="graph", features=["recency_days"], schema=input_schema(pd.DataFrame(dict(recency_days=[5., 60., None])), ["recency_days"]),
                        parameters=spec, evaluation=EVALUATION, lock_hash="a1"*32, data_hashes={"training_set": "b2"*32}, code_hash="c3"*32, envelope={})

def ran(shop, job, key, minute, **results):
    said = dict(status="done", results=results, inputs={}, parameters={}, ended_at=f"2026-03-05T08:{minute}:30+00:00", duration_s=30., memory_mb=400.,
                environment=dict(python="3.11.7", platform="linux x86_64", libraries={"numpy": "2.4.6"}))
    return write_json(shop.path(f"data/runs/{job}/{key}/20260305T08{minute}00000000Z-a1b2/run.json"), said)

def put_live(shop, day):
    folder = shop.output("bundle", "churn")
    asked = bundle_evidence(folder)
    request_approval(shop, asked.matter, ANALYST, clock=on(day))
    check_bundle(shop, "churn", folder, ANALYST, findings=GateFindings({name: judged(name) for name in MEASURED_GATES}), clock=on(day))
    for role in (OWNER, MARKETING): grant(shop, asked.matter, role, reason="Good", clock=on(day))
    release(shop, "churn", folder, ANALYST, clock=on(day))

@pytest.fixture
def bare(tmp_path, repository):
    write_text(tmp_path/"settings.ini", f"[DEFAULT]\nbusiness_approvers = {MARKETING}\ntechnical_approvers = {OWNER}\n")
    write_text(tmp_path/"params.yaml", f"sources: {{shop: {{kind: simulated}}}}\nmodels:\n  churn: {{owner: {OWNER}, purpose: Edited since, audience: All, source: shop, task: propensity, gates: {{auc: 0.65}}}}\n")
    write_text(tmp_path/"data"/"state"/"ledger_writer", "laptop\n")
    write_text(tmp_path/"data"/"ledger"/"README.md", "Decisions are kept here.")
    (tmp_path/"nbs"/"reports").mkdir(parents=True)
    shutil.copy2(repository/"nbs"/"reports"/"technical_documentation.ipynb", tmp_path/"nbs"/"reports")
    return find_workspace(tmp_path)

@pytest.fixture
def shop(bare):
    "A model whose second version is live, with every record there can be."
    build(bare, SPEC | dict(holdout=.1))
    put_live(bare, "01")
    bundle = build(bare)
    ran(bare, "validate", "shop", "01", figures=dict(n_fail=0, n_review=1, rows=dict(orders=1200), status="review"))
    ran(bare, "features", "churn", "02", dropped=dict(no_consent=46))
    for minute, job in (("03", "train"), ("04", "evaluate")): ran(bare, job, "churn", minute)
    ran(bare, "bundle", "churn", "05", core_hash=bundle.core_hash)
    put_live(bare, "05")
    write_json(origin_file(bare, bundle.core_hash), dict(made_at="2026-03-05T08:05:00+00:00", revision="d4"*20))
    write_json(bare.output("score", "churn")/"score.json", dict(bundle_hash=bundle.core_hash, cutoff="2026-03-05T00:00:00+00:00", n=9665, role="champion", left_out=dict(no_consent=3)))
    write_json(bare.output("monitor", "churn")/"monitor.json", dict(bundle_hash=bundle.core_hash, cutoff="2026-03-06T00:00:00+00:00", n_rows=9665, verdict=dict(status="pass", reasons=[dict(message="Nothing moved.")])))
    Ledger(bare, on("06")).append("audience_exported", "churn", MARKETING, dict(bundle_hash=bundle.core_hash, counts=dict(included=1204), purpose="email", file="a.csv"))
    open_incident(bare, "churn", ANALYST, IncidentNote(HOSTILE), clock=on("07"))
    record_review(bare, "churn", OWNER, ReviewNotes("All well"), clock=on("08"))
    for name in ("risks", "standards", "declaration", "monitoring_plan"): write_text(document_place(bare, "churn", name), f"\n# {name} {HOSTILE}\nMore\n")
    return bare

def answers(shop, **options): return {each.question.text: each for each in answers_of(read_version("churn", shop, **options))}
def records_of(shop): return {each.record for each in answers(shop).values() if each.is_known}

def test_with_every_record_every_question_is_answered_and_names_one_that_is_there(shop):
    found = answers(shop)
    assert [text for text, each in found.items() if not each.is_known] == []
    written = {f"ledger entry {entry.number} of laptop" for entry in Ledger(shop).entries()}
    assert all(each.record in written or shop.path(each.record).is_file() for each in found.values())
    assert read_documentation("churn", shop).status == "pass" and documentation_sentence(read_documentation("churn", shop)).endswith("are answered from records.")

def test_a_file_that_is_deleted_takes_every_answer_it_gave_with_it(shop):
    files = sorted(each for each in records_of(shop) if not each.startswith("ledger entry"))
    assert len(files) > 12
    for record in files:
        gave = [text for text, each in answers(shop).items() if each.record == record]
        kept = shop.path(record).read_bytes()
        shop.path(record).unlink()
        found = answers(shop)
        assert [text for text in gave if found[text].record == record] == [] and gave, record
        if "/runs/" not in record: assert {found[text].answer for text in gave} == {"unknown"}, record
        shop.path(record).write_bytes(kept)

def test_without_the_ledger_no_decision_is_documented_and_nothing_is_made_up(shop):
    gave = [text for text, each in answers(shop).items() if each.record.startswith("ledger entry")]
    shutil.rmtree(shop.path("data", "ledger"))
    (shop.state/"ledger.db").unlink()
    found = answers(shop)
    assert len(gave) > 10 and {found[text].answer for text in gave} == {"unknown"}
    said = read_documentation("churn", shop)
    assert said.status == "fail" and "there is no ledger in this workspace" in documentation_sentence(said)

LEDGER_ANSWERS = dict(released=["Which versions came before it?", "What could it be taken back to?", "What differs from the version that was released before it?"], approval_granted=["Who allowed it?", "Is it proven who said yes?"],
                      policy_changed=["Which rules is a release judged by?", "Who may allow or refuse it?"], audience_exported=["Where have its scores gone?"], review_held=["Who looked at it since, and what was seen?"])

def test_an_answer_of_the_ledger_hangs_on_entries_of_its_kind(shop, monkeypatch):
    whole = Ledger.entries
    for kind, texts in LEDGER_ANSWERS.items():
        monkeypatch.setattr(Ledger, "entries", whole)
        assert all(answers(shop)[text].is_known for text in texts)
        monkeypatch.setattr(Ledger, "entries", lambda self, *kinds, **more: [entry for entry in whole(self, *kinds, **more) if entry.kind != kind])
        assert {answers(shop)[text].answer for text in texts} == {"unknown"}, kind

def test_an_edited_ledger_is_said_first_and_answers_nothing(shop):
    log = next(shop.path("data", "ledger").glob("*.jsonl"))
    log.write_text(log.read_text().replace(MARKETING, "somebody@example.com", 1))
    found = read_documentation("churn", shop)
    assert found.status == "fail" and documentation_sentence(found).startswith("No decision can be documented: ") and not any(each.record.startswith("ledger entry") for each in found.answers)

def test_another_versions_scores_and_monitoring_are_not_this_ones(shop):
    for file in (shop.output("score", "churn")/"score.json", shop.output("monitor", "churn")/"monitor.json"): write_json(file, json.loads(file.read_text()) | dict(bundle_hash="0"*64))
    assert {answers(shop)[text].answer for text in ("Whom did it score, and when?", "How steady is it on what comes in now?")} == {"unknown"}

def test_a_run_after_the_version_was_made_is_not_its_run(shop):
    ran(shop, "train", "churn", "59")
    assert "T080300" in answers(shop)["On which machine was it made, and what did it take?"].record

def test_what_differs_from_the_version_before_is_told_in_words(shop):
    assert "holdout was 0.1, is 0.05" in answers(shop)["What differs from the version that was released before it?"].answer
    assert "holdout was 0.1, is 0.05" in str(documentation_answer(read_documentation("churn", shop)))

def test_a_group_that_is_ranked_worse_is_named_and_one_that_is_not_is_not(shop):
    said = answers(shop)["Was it tested for groups of people?"].answer
    assert f"1 group shown to be ranked worse than the rest: trait.age_band {HOSTILE}" in said and "60+" not in said

def test_an_empty_or_unreadable_document_answers_nothing(shop):
    for content in (b"", b"\n \n#\n", b"\xff\xfe\x00"):
        document_place(shop, "churn", "risks").write_bytes(content)
        assert [each.answer for text, each in answers(shop).items() if text.startswith("Which risks")] == ["unknown"], content

@pytest.mark.parametrize("content", ["{", "[1, 2]", '"text"', "{}"])
def test_a_record_of_another_shape_is_unknown_and_stops_no_page(shop, content):
    for place in (next(shop.path("data/runs/bundle").rglob("run.json")), shop.output("score", "churn")/"score.json", shop.output("monitor", "churn")/"monitor.json"): write_text(place, content)
    found = answers(shop)
    assert len(found) == len(QUESTIONS) and {found[text].answer for text in ("With which software was it made?", "Whom did it score, and when?", "How steady is it on what comes in now?")} == {"unknown"}

def test_what_params_say_today_is_never_taken_for_what_the_version_was_made_with(shop):
    assert "Edited since" not in json.dumps([each.answer for each in answers(shop).values()])

def test_a_model_without_a_version_has_a_page_that_says_what_to_record(bare):
    found = read_documentation("churn", bare)
    assert found.status == "unknown" and len(found.missing) == len(found.answers) and "No version of churn can be read" in documentation_sentence(found)
    assert "mmops run churn" in str(section_table(found, "2"))
    with pytest.raises(ParameterError, match="churn"): read_documentation("churm", bare)

def test_every_question_has_a_section_a_wish_and_a_text_of_its_own():
    assert len({each.text for each in QUESTIONS}) == len(QUESTIONS) and all(each.text.endswith("?") and each.wanted for each in QUESTIONS)
    assert {each.section for each in QUESTIONS} == set(SECTIONS)

def test_an_answer_that_says_nothing_counts_as_none(bare):
    for said in (None, Found("", "x"), Found("  ", "x"), Found("unknown", "x"), Found("unknown: nobody wrote it", "x")):
        assert not answer_of(DocumentedQuestion("1", "What?", "A record.", lambda version: said), read_version("churn", bare)).is_known

def test_the_page_shows_it_says_what_it_is_not_and_nothing_on_it_runs(shop, tools):
    page = run_report("technical_documentation", dict(model="churn"), shop)
    first = page.read_bytes()
    said = tools.as_it_reads(first.decode())
    assert "<script>alert" not in said and "&lt;script&gt;" in said and "No legal advice, and no claim that the regulation applies" in said
    assert re.search(r"\d+ of \d+ questions about churn [0-9a-f]{12} are answered from records", said)
    results = json.loads(page.with_suffix(".json").read_text())["results"]
    assert results["verdict"] == "pass" and results["owner"] == OWNER and all(each["record"] for each in results["answers"].values())
    assert run_report("technical_documentation", dict(model="churn"), shop).read_bytes() == first
