"""An answer of DVC's is remembered exactly as long as DVC would give it again."""
import json, os
import pytest
from marketing_mlops.jobs.stage_looks import look_of
from marketing_mlops.jobs.staleness import stale_stages
from marketing_mlops.workspace.places import find_workspace, write_text

LONG_AGO = (1_790_000_000, 1_790_000_000)

def aged(root):
    for path in root.rglob("*"): os.utime(path, LONG_AGO, follow_symlinks=False)

@pytest.fixture
def shop(tmp_path):
    root = tmp_path/"shop"
    write_text(root/"settings.ini", "[DEFAULT]\nreporting_currency = EUR\n")
    write_text(root/".dvc"/"config", "[core]\n    analytics = false\n    no_scm = true\n")
    write_text(root/"params.yaml", "shop: {margin: 0.4}\n")
    write_text(root/"code"/"copy.py", "one")
    write_text(root/"orders.csv", "order_id\n1\n")
    write_text(root/"dvc.yaml", "stages:\n  ingest:\n    cmd: cp orders.csv tables.csv\n    deps: [orders.csv, code]\n    params: [shop.margin]\n    outs: [tables.csv]\n")
    aged(root)
    place = find_workspace(root)
    assert [each.stage for each in stale_stages(place)] == ["ingest"]
    return place

@pytest.fixture
def asked(monkeypatch):
    "How often DVC was asked."
    import marketing_mlops.jobs.staleness as page
    calls, own = [], page.open_pipeline
    monkeypatch.setattr(page, "open_pipeline", lambda workspace: calls.append(1) or own(workspace))
    return calls

def test_nothing_changed_and_dvc_is_not_asked_again(shop, asked):
    assert [each.because for each in stale_stages(shop)] and asked == []

@pytest.mark.parametrize("change", [
    lambda root: write_text(root/"code"/"copy.py", "two"),
    lambda root: write_text(root/"code"/"deep"/"er.py", "new"),
    lambda root: (root/"orders.csv").unlink(),
    lambda root: write_text(root/"tables.csv", "order_id\n1\n"),
    lambda root: write_text(root/"params.yaml", "shop: {margin: 0.5}\n"),
    lambda root: write_text(root/"dvc.lock", "schema: '2.0'\n"),
    lambda root: write_text(root/".dvcignore", "*.tmp\n"),
    lambda root: write_text(root/"orders.csv.dvc", "outs: []\n"),
    lambda root: write_text(root/"more"/"dvc.yaml", "stages: {}\n"),
    lambda root: write_text(root/".dvc"/"config.local", "[core]\n"),
], ids=["code", "code below", "input gone", "output made", "parameter", "record", "ignored", "tracked file", "pipeline file", "settings"])
def test_whatever_dvc_would_see_is_seen(shop, asked, change):
    change(shop.root)
    stale_stages(shop)
    assert asked == [1]

def test_a_file_of_the_same_size_and_time_that_is_another_one_is_seen(shop, asked):
    write_text(shop.root/"code"/"copy.py", "two")
    os.utime(shop.root/"code"/"copy.py", LONG_AGO)
    stale_stages(shop)
    assert asked == [1]

def test_what_changed_a_moment_ago_is_not_remembered(shop, asked):
    write_text(shop.root/"code"/"copy.py", "two")
    for _ in range(2): stale_stages(shop)
    assert asked == [1, 1]

@pytest.mark.parametrize("nonsense", ["", "{", "[]", "null", '{"look": 1}', "answer"], ids=["empty", "cut", "list", "nothing", "half", "other shape"])
def test_a_damaged_memory_is_no_answer_and_no_error(shop, asked, nonsense):
    file = shop.state/"stages_seen.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"answer": [{"name": "ingest"}]}) if nonsense == "answer" else nonsense)
    assert [each.stage for each in stale_stages(shop)] == ["ingest"] and asked == [1]

def test_a_folder_behind_a_link_is_not_believed_and_a_circle_ends(shop):
    (shop.root/"code"/"again").symlink_to(shop.root/"code", target_is_directory=True)
    aged(shop.root)
    assert look_of([shop.root/"code"])[1] == float("inf")
