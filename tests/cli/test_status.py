"""`mmops status` tells fresh from late, stale from never built, and needs neither pandas nor mlflow to do it."""
import subprocess, sys
from datetime import datetime, timedelta, timezone
import pytest
from marketing_mlops.cli.release_status import candidate_words
from marketing_mlops.cli.status import failed_runs, model_row, show_status, source_row, stale_lines, table_freshness, waiting_for_source
from marketing_mlops.contracts.schemas import TABLES
from marketing_mlops.workspace.clock import ReplayClock, WallClock
from marketing_mlops.workspace.places import find_workspace, write_json, write_text

@pytest.fixture
def workspace(tmp_path):
    write_text(tmp_path/"settings.ini", "[DEFAULT]\ndefault_models = spring_mail\n[development]\n")
    write_text(tmp_path/"params.yaml", """sources: {shop: {kind: file}}
models:
  spring_mail: {owner: model-owner@example.com, purpose: p, audience: a, source: shop, task: uplift, experiment: {name: spring}}
""")
    return find_workspace(tmp_path)

def account(newest, **more): return {"n_read": 9, "n_written": 9, "n_rejected": 0, "newest_event": newest} | more

def ingested(workspace, **tables): write_json(workspace.ingested("shop")/"ingest.json", dict(source="shop", tables=tables))

@pytest.mark.parametrize("age_days, late", [(1.9, False), (2.1, True)])
def test_a_table_is_late_when_it_is_older_than_its_budget(age_days, late):
    now = datetime(2026, 6, 30, tzinfo=timezone.utc)
    found, = table_freshness({"orders": account((now-timedelta(days=age_days)).isoformat())}, ReplayClock(now))
    assert TABLES["orders"].freshness_days == 2 and found.is_late is late

def test_a_table_without_events_or_budget_is_never_late():
    tables = {"customers": account(None), "assignments": account("2001-01-01T00:00:00+00:00"), "a table of next year": account("2001-01-01T00:00:00+00:00")}
    assert [f.is_late for f in table_freshness(tables, WallClock())] == [False]

def test_a_live_source_that_stopped_is_late_and_names_the_table(workspace):
    ingested(workspace, orders=account("2001-01-01T00:00:00+00:00"), traits=account(datetime.now(timezone.utc).isoformat()))
    row = source_row(workspace, "shop")
    assert row["clock"] == "live" and row["freshness"].startswith("orders late (") and row["age"] == "0 d"

@pytest.mark.parametrize("content", ["", "{", "null", "[]", '{"tables": '])
def test_a_file_cut_off_is_called_unreadable_and_waits_with_what_to_do(workspace, content):
    write_text(workspace.ingested("shop")/"ingest.json", content)
    write_text(workspace.accepted("shop")/"verdict.json", content)
    row = source_row(workspace, "shop")
    assert (row["freshness"], row["quality"]) == ("unreadable", "unreadable")
    assert waiting_for_source(workspace, "shop") == [f"shop: data/{file} cannot be read. Make it again with `mmops run shop`." for file in ("ingest/shop/ingest.json", "validate/shop/verdict.json")]

def cut(file, content):
    write_text(file, content)
    return file

CUT = ["", "{", "[]", '{"status": "fa']

@pytest.mark.parametrize("content", CUT)
def test_a_readout_cut_off_is_not_called_missing(workspace, content):
    cut(workspace.report_folder("spring_mail")/"campaign_readout.json", content)
    row = model_row(workspace, "spring_mail", dict(source="shop", experiment=dict(name="spring")))
    assert (row["decision"], row["because"]) == ("unreadable", "data/report/spring_mail/campaign_readout.json cannot be read. Make it again with `mmops run spring_mail`.")

@pytest.mark.parametrize("content", CUT)
def test_a_candidate_whose_files_are_cut_off_neither_waits_nor_goes_unsaid(workspace, content):
    envelope = workspace.output("bundle", "spring_mail")/"envelope.json"
    cut(envelope, content)
    assert candidate_words(workspace, "spring_mail", []) == "spring_mail: data/bundle/spring_mail/envelope.json cannot be read. Make it again with `mmops run spring_mail`."
    write_json(envelope, dict(core_hash="5f2a"*16))
    cut(workspace.output("evaluate", "spring_mail")/"evaluation.json", content)
    assert candidate_words(workspace, "spring_mail", []) == "spring_mail: data/evaluate/spring_mail/evaluation.json cannot be read. Make it again with `mmops run spring_mail`."

@pytest.mark.parametrize("content", [*CUT, "{}", '{"job": "validate"}'])
def test_a_manifest_cut_off_hides_no_other_failure_and_calls_nothing_fresh(workspace, content, capsys):
    ingested(workspace, orders=account(datetime.now(timezone.utc).isoformat()))
    failed(workspace, "weekly", "DE")
    file = cut(workspace.runs("validate", "shop")/"20260331T060000000000Z-aaaa"/"run.json", content)
    lines = failed_runs(workspace)
    assert len(lines) == 2 and lines[0].startswith(f"{file.relative_to(workspace.root).as_posix()} cannot be read") and lines[1].startswith("weekly (DE) failed")
    assert source_row(workspace, "shop")["freshness"] == "unreadable"
    show_status(workspace=str(workspace.root))
    assert "run.json cannot be read" in capsys.readouterr().out

def test_a_file_that_is_not_there_is_not_called_unreadable(workspace):
    row = source_row(workspace, "shop")
    assert (row["freshness"], row["quality"]) == ("nothing ingested", "not judged") and waiting_for_source(workspace, "shop") == []

def test_every_finding_that_asks_for_a_person_waits(workspace):
    reasons = [dict(code="x", message=f"Finding {i}.", value=None, threshold=None, next_step="Look.", severity=s) for i, s in enumerate(["pass", "review", "fail", "unknown", "review"])]
    write_json(workspace.accepted("shop")/"verdict.json", dict(subject="shop", status="fail", reasons=reasons))
    lines = waiting_for_source(workspace, "shop")
    assert lines[:3] == ["shop: review: Finding 1. Look.", "shop: fail: Finding 2. Look.", "shop: unknown: Finding 3. Look."]
    assert "1 more findings" in lines[3]

def test_a_model_without_experiment_is_not_waiting_for_a_readout(workspace):
    assert model_row(workspace, "churn", dict(source="shop"))["decision"] == ""
    assert model_row(workspace, "spring_mail", dict(source="shop", experiment=dict(name="spring")))["decision"] == "not read out"

def test_only_the_newest_run_of_a_job_counts(workspace):
    def run(run_id, status):
        folder = workspace.runs("validate", "shop")/run_id
        write_json(folder/"run.json", dict(job="validate", key="shop", run_id=run_id, status=status, parameters={}, engine="warm",
                                           started_at="2026-03-31T06:00:00+00:00", error=dict(problem="40 rows hold no date.", remedy="Correct them.")))
    run("20260331T060000000000Z-aaaa", "failed")
    assert "40 rows hold no date. Correct them." in failed_runs(workspace)[0]
    run("20260331T070000000000Z-aaaa", "done")
    assert failed_runs(workspace) == []

def test_a_refused_delivery_does_not_make_a_source_fresh(workspace):
    ingested(workspace, orders=account(datetime.now(timezone.utc).isoformat()))
    assert source_row(workspace, "shop")["freshness"] == "fresh"
    folder = workspace.runs("validate", "shop")/"20260331T060000000000Z-aaaa"
    write_json(folder/"run.json", dict(job="validate", key="shop", run_id=folder.name, status="failed", parameters={}, engine="warm",
                                       started_at="2026-03-31T06:00:00+00:00", error=dict(problem="40 rows hold no date.", remedy="Correct them.")))
    row = source_row(workspace, "shop")
    assert (row["freshness"], row["newest"], row["age"]) == ("newest delivery refused", "", "")

PIPELINE = "stages:\n  validate:\n    foreach: ${sources}\n    do: {cmd: 'mmops-stage validate source=${key}'}\n"

def failed(workspace, job="validate", key="shop", **more):
    folder = workspace.runs(job, key)/"20260331T060000000000Z-aaaa"
    write_json(folder/"run.json", dict(job=job, key=key, run_id=folder.name, status="failed", parameters={}, engine="warm",
                                       started_at="2026-03-31T06:00:00+00:00", error=dict(problem="40 rows hold no date.", remedy="Correct them.")) | more)

def test_a_failure_waits_only_while_its_stage_is_not_up_to_date(workspace):
    from marketing_mlops.jobs.staleness import StaleStage
    write_text(workspace.path("dvc.yaml"), PIPELINE)
    ingested(workspace, orders=account(datetime.now(timezone.utc).isoformat()))
    failed(workspace)
    for stale in (None, [StaleStage("validate@shop", (), True)], [StaleStage("data/replays/dvc.yaml:validate@shop", (), False)]):
        assert len(failed_runs(workspace, stale)) == 1 and source_row(workspace, "shop", stale)["freshness"] == "newest delivery refused"
    for stale in ([], [StaleStage("validate@other", (), True), StaleStage("ingest@shop", (), True)]):
        assert failed_runs(workspace, stale) == [] and source_row(workspace, "shop", stale)["freshness"] == "fresh"

def test_every_failure_is_found_also_where_the_stale_stages_come_one_by_one(workspace):
    from marketing_mlops.jobs.staleness import StaleStage
    write_text(workspace.path("dvc.yaml"), PIPELINE)
    for key in ("kiosk", "shop"): failed(workspace, key=key)
    assert len(failed_runs(workspace, (StaleStage(f"validate@{key}", (), True) for key in ("shop", "kiosk")))) == 2

def test_a_failure_of_models_that_share_a_stage_waits_only_while_that_stage_is_stale(workspace):
    from marketing_mlops.jobs.staleness import StaleStage
    write_text(workspace.path("data", "many", "dvc.yaml"), "stages:\n  many:\n    foreach: ${sources}\n    do: {cmd: 'mmops-stage many source=${item}'}\n")
    failed(workspace, job="many")
    assert failed_runs(workspace, []) == []
    assert len(failed_runs(workspace, [StaleStage("data/many/dvc.yaml:many@shop", (), True)])) == 1

def test_a_page_that_failed_in_a_stage_says_nothing_of_its_own_and_one_made_alone_does(workspace):
    write_text(workspace.path("dvc.yaml"), PIPELINE)
    failed(workspace, "campaign_readout", "spring_mail", within="report/spring_mail")
    assert failed_runs(workspace, []) == []
    failed(workspace, "weekly", "DE")
    assert len(failed_runs(workspace, [])) == 1

def test_days_are_those_of_the_sources_zone(workspace):
    ingested(workspace, orders=account("2026-03-30T22:30:00+00:00"))
    assert source_row(workspace, "shop")["newest"] == "2026-03-30 UTC"
    write_text(workspace.source_folder("shop")/"mapping.yaml", "zone: Europe/Berlin\nas_of: 2026-03-31\n")
    assert source_row(workspace, "shop")["newest"] == "2026-03-31 CEST"
    write_text(workspace.source_folder("shop")/"mapping.yaml", "zone: Europe/Berlim\n")
    assert source_row(workspace, "shop")["newest"] == "2026-03-30 UTC"

def test_a_run_that_was_killed_is_found(workspace):
    folder = workspace.runs("validate", "shop")/"20260331T060000000000Z-aaaa"
    write_json(folder/"run.json", dict(job="validate", key="shop", run_id=folder.name, status="running", parameters={}, engine="warm", started_at="2026-03-31T06:00:00+00:00"))
    assert "killed" in failed_runs(workspace)[0]

def test_names_with_control_characters_do_not_steer_the_terminal(workspace, capsys):
    write_json(workspace.report_folder("spring_mail")/"campaign_readout.json", dict(results=dict(readout=dict(decision=dict(decision="hold"), sentences=dict(decision="Hold \x1b[2J <b>it</b>.")))))
    show_status(workspace=str(workspace.root))
    assert "\x1b" not in capsys.readouterr().out

def test_never_built_is_not_called_stale(tmp_path):
    from marketing_mlops.jobs.staleness import stale_stage
    never = stale_stage("ingest@hillstrom", [{"changed deps": {"params.yaml": "new"}}, {"changed outs": {"data/ingest/hillstrom": "not in cache"}}], tmp_path)
    changed = stale_stage("ingest@shop", [{"changed deps": {"params.yaml": {"sources.shop": "modified"}}}], tmp_path)
    assert stale_lines([never, changed]) == ["ingest@shop: parameter sources.shop modified", "not built yet: hillstrom"]

def test_a_live_model_is_not_called_unbuilt(tmp_path):
    from marketing_mlops.jobs.staleness import StaleStage
    stages = [StaleStage("data/replays/dvc.yaml:score@churn", (), False), StaleStage("monitor@churn", (), False), StaleStage("ingest@hillstrom", (), False)]
    assert stale_lines(stages, {"churn"}) == ["churn is live; not made in this folder yet: score, monitor. Next: `mmops run churn`.", "not built yet: hillstrom"]
    assert stale_lines(stages, {"promo"}) == ["not built yet: churn, hillstrom"]

@pytest.mark.parametrize("is_clone", [False, True])
def test_where_nothing_was_built_the_first_step_waits_and_a_clone_may_pull(workspace, capsys, is_clone):
    if is_clone: write_text(workspace.path("dvc.lock"), "schema: '2.0'\n")
    show_status(workspace=str(workspace.root))
    waiting = capsys.readouterr().out.partition("\nwaiting\n")[2]
    assert "nothing\n" not in waiting and "`mmops run`" in waiting and ("`dvc pull --allow-missing`" in waiting) is is_clone

def test_a_candidate_nobody_was_asked_about_waits(workspace, capsys):
    from marketing_mlops.governance.approvals import REQUESTED
    from marketing_mlops.governance.ledger import Ledger
    write_text(workspace.state/"ledger_writer", "laptop\n")
    def said():
        capsys.readouterr()
        show_status(workspace=str(workspace.root))
        return capsys.readouterr().out
    envelope = workspace.path("data", "bundle", "spring_mail", "envelope.json")
    for cut_off in ("", "[]", "{}"):
        write_text(envelope, cut_off)
        assert "a candidate waits" not in said()
    write_json(envelope, dict(core_hash="5f2a"*16))
    assert "a candidate waits, bundle 5f2a5f2a5f2a. Next: `mmops request spring_mail --as ROLE`." in said()
    Ledger(workspace).append(REQUESTED, "spring_mail", "analyst@example.com", dict(bundle_hash="5f2a"*16, evaluation_hash="77c1"*16))
    asked = said()
    assert "a candidate waits" not in asked and "nobody has answered" in asked

def test_only_what_was_decided_about_a_candidate_takes_it_off_the_list(workspace):
    from marketing_mlops.governance.approval_states import GRANTED, REFUSED, REQUESTED
    from marketing_mlops.governance.ledger_entries import ENTRY_KINDS, LedgerEntry
    from marketing_mlops.governance.live_pointers import RELEASED
    from marketing_mlops.governance.registrations import REGISTERED
    write_json(workspace.path("data", "bundle", "spring_mail", "envelope.json"), dict(core_hash="5f2a"*16))
    at_nine = "2026-03-31T09:00:00+00:00"
    def past(kind): return [LedgerEntry(kind, "spring_mail", "analyst@example.com", dict(bundle_hash="5f2a"*16), at_nine, at_nine, "laptop", 1, 1)]
    waits = {kind for kind in [*ENTRY_KINDS, "a_kind_of_next_year"] if candidate_words(workspace, "spring_mail", past(kind))}
    assert waits == {*ENTRY_KINDS, "a_kind_of_next_year"} - {REQUESTED, GRANTED, REFUSED, RELEASED} and REGISTERED in waits

def test_an_empty_workspace_says_what_to_do(workspace, capsys):
    show_status(workspace=str(workspace.root))
    assert "Next: `mmops run`." in capsys.readouterr().out

def test_status_imports_nothing_slow(workspace):
    write_json(workspace.path("data", "bundle", "spring_mail", "envelope.json"), dict(core_hash="5f2a"*16))
    code = "import sys; from marketing_mlops.cli.commands import main; main(['status', '--workspace', sys.argv[1]]); print(sorted(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code, str(workspace.root)], capture_output=True, text=True, check=True)
    for heavy in ("pandas", "numpy", "duckdb", "pyarrow", "mlflow", "sklearn", "altair", "papermill", "nbformat", "sqlalchemy"):
        assert f"'{heavy}'" not in done.stderr, heavy
