"Whatever stands in schedule.yaml, a wrong entry is put aside with its reason and the others go on."
from datetime import date
import json
import pytest
from marketing_mlops.schedules.entries import ENTRY_KEYS, read_schedules, schedules_as_json
from marketing_mlops.workspace.places import find_workspace

GOOD = "  hourly: {job: count, cron: 0 * * * *, market: DE, owner: marketing@example.com}\n"

@pytest.fixture
def workspace(tmp_path):
    (tmp_path/"settings.ini").write_text("[DEFAULT]\nreporting_currency = EUR\n[markets]\nDE = Europe/Berlin, monday, 1, DE\n")
    return find_workspace(tmp_path)

def read(workspace, lines):
    (workspace.root/"schedule.yaml").write_text("schedules:\n" + GOOD + lines)
    return read_schedules(workspace)

@pytest.mark.parametrize("value", ["[DE]", "{a: 1}", "[skip]", "", "5", "true", "1.5", "2026-04-06", "[[DE]]", "'x\\n'"])
def test_no_value_of_any_key_stops_the_other_schedules(workspace, value):
    for key in ENTRY_KEYS:
        found = read(workspace, f"  odd:\n    job: count\n    cron: 0 7 * * *\n    zone: UTC\n    owner: a@example.com\n    {key}: {value}\n".replace(
            {"job": "    job: count\n", "cron": "    cron: 0 7 * * *\n", "zone": "    zone: UTC\n", "owner": "    owner: a@example.com\n"}.get(key, "\0"), ""))
        assert "hourly" in found.schedules and "odd" in {**found.schedules, **found.broken}

@pytest.mark.parametrize("key", ["5", "~", "2026-04-06", "[a, b]", "true"])
def test_a_key_that_is_no_text_is_put_aside_with_its_entry(workspace, key):
    found = read(workspace, GOOD.replace("hourly", "odd").replace("{", f"{{? {key} : 1, "))
    assert list(found.schedules) == ["hourly"] and "unknown key" in found.broken["odd"].problem

def test_a_name_that_is_a_number_is_kept_as_text(workspace):
    assert read(workspace, GOOD.replace("hourly", "7")).schedule("7").name == "7"

def test_days_within_a_list_of_values_can_be_written_down_again(workspace):
    weekly = read(workspace, GOOD.replace("hourly", "weekly").replace("{", "{parameters: {days: [2026-04-06, 2026-04-13]}, ")).schedule("weekly")
    assert json.loads(json.dumps(schedules_as_json({"weekly": weekly})))[0]["parameters"] == dict(days=[str(date(2026, 4, 6)), str(date(2026, 4, 13))])
