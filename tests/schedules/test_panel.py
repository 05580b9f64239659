"""What the panel answers, without a JupyterLab: two people at once, grids by hand, and a busy schedule."""
import dataclasses, json, threading
from datetime import datetime, timezone
import pytest
from marketing_mlops.schedules import panel_answers
from marketing_mlops.schedules.entries import read_schedules
from marketing_mlops.schedules.entry_edits import save_entry
from marketing_mlops.schedules.hand_runs import HandRuns, hand_run_words
from marketing_mlops.schedules.lab_server import answer_to
from marketing_mlops.schedules.panel_answers import Asked, answer, run_answer, save_answer
from marketing_mlops.schedules.panel_history import newest_runs
from marketing_mlops.workspace.places import find_workspace

FILLED = {"name": "spend", "cron": "0 7 * * mon", "market": "DE", "owner": "marketing@example.com"}

@pytest.fixture
def asked(tmp_path):
    (tmp_path/"settings.ini").write_text("[DEFAULT]\nreporting_currency = EUR\n[markets]\nDE = Europe/Berlin, monday, 1, DE\n")
    notebook = tmp_path/"nbs"/"reports"/"weekly_spend.ipynb"
    notebook.parent.mkdir(parents=True)
    cell = dict(cell_type="code", metadata=dict(tags=["parameters"]), execution_count=None, outputs=[], source="budget: float = 500")
    notebook.write_text(json.dumps(dict(cells=[cell], metadata={}, nbformat=4, nbformat_minor=5)))
    return Asked(find_workspace(tmp_path), notebook, filled=FILLED, now=datetime(2026, 3, 31, 9, tzinfo=timezone.utc))

def kept(workspace, job, run_id, within):
    folder = workspace.runs(job, "all")/run_id
    folder.mkdir(parents=True)
    (folder/"run.json").write_text(json.dumps(dict(job=job, key="all", run_id=run_id, status="done", parameters={}, engine="warm", started_at="2026-03-31T09:00:00+00:00", duration_s=2., within=within)))

class Started:
    def __init__(self, order, workspace, files): self.order = order
    def has_ended(self): return True
    def interrupt(self): pass

def test_a_name_that_was_taken_a_moment_ago_is_not_overwritten(asked, monkeypatch):
    def save(*args, **more):                                   # a colleague saves between the check and the writing
        save_entry(asked.workspace, "spend", dict(report="weekly_spend", cron="0 6 * * *", market="DE", owner="model-owner@example.com"), was="")
        return save_entry(*args, **more)
    monkeypatch.setattr(panel_answers, "save_entry", save)
    saved = save_answer(asked)
    assert not saved["is_well"] and "already" in saved["wrong"]["name"]
    assert read_schedules(asked.workspace).schedules["spend"].owner == "model-owner@example.com"

def test_values_named_for_a_grid_are_saved_and_run_as_they_were_typed(asked):
    varied = dataclasses.replace(asked, filled=FILLED | {"for_each": "budget=500,750"})
    assert save_answer(varied)["is_well"] and read_schedules(asked.workspace).schedules["spend"].for_each == ("budget=500,750",)
    unfinished = dataclasses.replace(asked, filled={"for_each": "budget=500,750"})
    mapping = dataclasses.replace(asked, filled={"for_each": '{"budget": [500, 750]}'})
    for each in (varied, unfinished, mapping):
        assert run_answer(each, runs := HandRuns(), start=Started)["told"] == "It runs."
        assert runs.take_ended(asked.notebook).process.order.schedule.for_each == ("budget=500,750",)

@pytest.mark.parametrize("typed", ["[[500]]", '{"budget": 500}', "{budget", "[5"])
def test_what_varies_and_cannot_be_read_starts_nothing_with_or_without_a_name(asked, typed):
    for filled in ({"for_each": typed}, FILLED | {"for_each": typed}):
        told = answer("run", dataclasses.replace(asked, filled=filled), runs := HandRuns())
        assert not told["is_well"] and "allowed are names of parameters" in told["wrong"]["for_each"] and not runs.take_ended(asked.notebook)

def test_secrets_are_looked_for_in_the_environment_of_the_question(asked):
    asked.notebook.write_text(asked.notebook.read_text().replace("budget: float = 500", "shop_key: Secret = 'env:SHOP_KEY_NOBODY_SET'"))
    assert "is not set here" in run_answer(asked, HandRuns(), start=Started)["wrong"]["parameters.shop_key"]
    assert run_answer(dataclasses.replace(asked, environment={"SHOP_KEY_NOBODY_SET": "s"}), HandRuns(), start=Started)["is_well"]

def test_a_grid_that_was_run_from_the_panel_is_told_as_done(asked):
    varied = dataclasses.replace(asked, filled=FILLED | {"for_each": "budget=500,750"})
    run_answer(varied, runs := HandRuns(), start=Started)
    run = runs.take_ended(asked.notebook)
    kept(asked.workspace, "weekly_spend_grid", "20260331T090000000000Z-00aa", run.token)
    assert hand_run_words(asked.workspace, run) == ("Done in 2.0 s.", True)

def test_of_many_who_press_at_the_same_moment_one_gets_a_run(asked):
    class Lasting(Started):
        def has_ended(self): return False
    runs, together, told = HandRuns(), threading.Barrier(8), []
    def press():
        together.wait()
        told.append(run_answer(asked, runs, start=Lasting)["told"])
    people = [threading.Thread(target=press) for _ in range(8)]
    for each in people: each.start()
    for each in people: each.join()
    assert sorted(told) == ["It is running already."]*7 + ["It runs."]

def test_a_busy_schedule_does_not_hide_what_somebody_tried_by_hand(asked):
    kept(asked.workspace, "weekly_spend", "20260301T090000000000Z-00aa", "")
    for hour in range(24): kept(asked.workspace, "weekly_spend", f"20260302T{hour:02}0000000000Z-00aa", f"schedule/spend@2026-03-02T{hour:02}:00#1")
    assert [run.run_id[:8] for run in newest_runs(asked.workspace, "weekly_spend", 20, without="spend")] == ["20260301"]
    assert len(newest_runs(asked.workspace, "weekly_spend", 20)) == 20

def test_a_box_ticked_for_a_parameter_that_is_gone_is_named_by_the_check_and_saves_nothing(asked):
    ticked = dataclasses.replace(asked, filled=FILLED | {"parameters.ghost": ["a"]})
    told = answer("save", ticked, runs := HandRuns())
    assert not told["is_well"] and "ghost" in told["wrong"]["parameters.ghost"] and not asked.workspace.path("schedule.yaml").exists()
    assert answer("run", ticked, runs)["told"] == "It was not started: a value is not right." and not runs.take_ended(ticked.notebook)

@pytest.mark.parametrize("broken", ["5", "[budget]", "none at all", "{budget: [1, 2]}"])
def test_an_entry_whose_parameters_are_broken_by_hand_is_mended_in_the_panel(asked, broken):
    asked.workspace.path("schedule.yaml").write_text(f"schedules:\n  spend: {{report: weekly_spend, parameters: {broken}, cron: 0 6 * * *, market: DE, owner: marketing@example.com}}\n")
    shown = dataclasses.replace(asked, entry="spend", filled=FILLED | {"parameters.budget": "750"})
    assert answer("check", shown, HandRuns())["wrong"] == {} and answer("save", shown, HandRuns())["is_well"]
    assert read_schedules(asked.workspace).schedules["spend"].parameters == dict(budget=750)

@pytest.mark.parametrize("word", ["check", "save", "history"])
@pytest.mark.parametrize("body", [dict(notebook="a\0b"), dict(notebook="\ud800"), dict(notebook=["a"]), dict(filled=5), dict(filled={"cron": ["a"]}), dict(filled={"retries": [None, ["2"]]})])
def test_whatever_a_browser_sends_gets_an_answer(asked, word, body):
    sent = dict(notebook="nbs/reports/weekly_spend.ipynb") | body
    assert answer_to(word, asked.workspace.root, sent, "/", HandRuns()).get("wrong", {}) != {} or word == "history"
