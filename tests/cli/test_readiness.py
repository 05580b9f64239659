"""`mmops readiness`: a practice counts when a record shows it, and only then."""
import pytest
from marketing_mlops.cli.commands import main
from marketing_mlops.reporting.maturity_questions import LEVELS, READINESS_QUESTIONS, readiness_answers, reached_level
from marketing_mlops.cli.workflow_files import WORKFLOWS
from marketing_mlops.workspace.places import find_workspace, write_json, write_text

@pytest.fixture
def shop(tmp_path):
    write_text(tmp_path/"settings.ini", "[DEFAULT]\nreporting_currency = EUR\n")
    return find_workspace(tmp_path)

def by_text(workspace): return {each.question.text: each for each in readiness_answers(workspace)}
def answers(workspace): return [each.answer for each in readiness_answers(workspace)]

def with_pipeline(workspace):
    write_text(workspace.path("dvc.lock"), "schema: '2.0'\nstages:\n  train@spring:\n    cmd: x\n")
    write_json(workspace.path("data/metrics/validate/shop.json"), dict(verdict="pass"))
    write_json(workspace.path("data/metrics/evaluate/spring.json"), dict(figures=dict(auc=dict(value=.7, low=.6, high=.8))))
    write_text(workspace.path("data/monitor/spring/monitor.json"), "{}")

def test_nothing_on_record_is_manual_and_looking_leaves_nothing_behind(shop):
    before = sorted(shop.root.rglob("*"))
    assert set(answers(shop)) == {"no"} and reached_level(readiness_answers(shop)) == "manual" and sorted(shop.root.rglob("*")) == before

def test_every_level_but_the_first_has_questions_and_every_question_a_command():
    assert {each.level for each in READINESS_QUESTIONS} == set(LEVELS[1:]) and all(each.command for each in READINESS_QUESTIONS)

@pytest.mark.parametrize("file, text", [("data/metrics/evaluate/spring.json", "{"), ("data/metrics/evaluate/spring.json", "[1]"), ("data/runs/monitoring/spring/20260301T080000000000Z-a1b2/run.json", '{"within": "schedule/'),
                                        ("data/ledger/laptop.jsonl", "{broken\n")])
def test_a_record_that_cannot_be_read_is_unknown_and_never_a_yes(shop, file, text):
    with_pipeline(shop)
    write_text(shop.path(file), text)
    found = readiness_answers(shop)
    unknown = [each for each in found if each.answer == "unknown"]
    assert unknown and all(each.because for each in unknown) and reached_level(found) == "manual"

def test_a_figure_without_a_range_does_not_count(shop):
    write_json(shop.path("data/metrics/evaluate/spring.json"), dict(figures=dict(auc=dict(value=.7))))
    assert by_text(shop)["models are judged on rows they have not seen, with ranges"].answer == "no"

def test_a_workflow_counts_when_it_reviews_changes(shop):
    text = "every change is tried on a copy before it is merged"
    write_text(shop.path(WORKFLOWS["github"].file), "jobs: {}\n")
    assert by_text(shop)[text].answer == "no"
    write_text(shop.path(WORKFLOWS["gitlab"].file), "check:\n  script: [mmops ci review --base main]\n")
    assert by_text(shop)[text].answer == "yes"

def test_deleting_a_record_takes_its_yes_away(shop):
    with_pipeline(shop)
    assert answers(shop)[:4] == ["yes"]*4
    shop.path("dvc.lock").unlink()
    assert answers(shop)[:4] == ["no", "yes", "yes", "yes"]

def test_the_command_says_what_comes_next(shop, capsys):
    assert main(["readiness", "--workspace", str(shop.root)]) == 0
    said = capsys.readouterr().out
    assert "Level reached: manual." in said and "Next: training is a pipeline that anybody can repeat: mmops run" in said

@pytest.mark.parametrize("status, within, answer", [("done", "schedule/weekly@2026-03-01T08:00:00+00:00#1", "yes"), ("failed", "schedule/weekly@2026-03-01T08:00:00+00:00#1", "no"), ("done", "", "no"), ("done", "report/spring", "no")])
def test_only_a_run_that_a_schedule_began_and_that_ended_well_counts_as_scheduled(shop, status, within, answer):
    write_json(shop.path("data/runs/monitoring/spring/20260301T080000000000Z-a1b2/run.json"), dict(status=status, within=within, note='"schedule/ in words'))
    found = by_text(shop)["it runs without anybody pressing a button"]
    assert found.answer == answer and ("monitoring for spring on 2026-03-01" in found.because) == (answer == "yes")
