"Entries are written and taken out, and what colleagues wrote between them stays."
import pytest
from marketing_mlops.schedules.entries import read_schedules
from marketing_mlops.schedules.entry_edits import remove_entry, save_entry
from marketing_mlops.workspace.params import edit_params
from marketing_mlops.workspace.places import find_workspace

ONE = dict(report="data_quality", cron="0 6 * * *", zone="Europe/Berlin", owner="marketing@example.com")
FILE = """# the whole team reads this
schedules:
  # about one
  one:
    report: data_quality
    # about retries
    retries: 2   # twice is enough
    # about for_each
    destinations:
    - file
    # about owner
    owner: marketing@example.com
    cron: 0 6 * * *
    zone: Europe/Berlin

  # about two
  two:
    job: count   # daily
    cron: 0 7 * * *
    zone: UTC
    owner: marketing@example.com
    # of two itself
  # about three
  three: {job: count, cron: 0 8 * * *, zone: UTC, owner: marketing@example.com, retries: 3}
# the last word
"""

@pytest.fixture
def workspace(tmp_path):
    (tmp_path/"settings.ini").write_text("[DEFAULT]\nreporting_currency = EUR\n")
    (tmp_path/"schedule.yaml").write_text(FILE)
    return find_workspace(tmp_path)

def comments(text): return [line.strip() for line in text.splitlines() if line.strip().startswith("#")]

def test_a_key_that_goes_and_a_list_that_changes_take_no_line_of_comment_with_them(workspace):
    save_entry(workspace, "one", ONE | dict(destinations=["file", "email:marketing@example.com"]))
    text = workspace.path("schedule.yaml").read_text()
    assert comments(text) == comments(FILE) and "retries: 2" not in text
    assert read_schedules(workspace).schedules["one"].destinations == ("file", "email:marketing@example.com")

@pytest.mark.parametrize("name, gone", [("one", {"# about retries", "# about for_each", "# about owner"}), ("two", {"# of two itself"}), ("three", set())])
def test_an_entry_that_is_removed_takes_only_the_comments_inside_it(workspace, name, gone):
    remove_entry(workspace, name)
    assert comments(workspace.path("schedule.yaml").read_text()) == [line for line in comments(FILE) if line not in gone]
    assert set(read_schedules(workspace).schedules) == {"one", "two", "three"} - {name}

def test_an_entry_in_braces_loses_a_key_and_the_last_entry_leaves_a_file_that_can_be_read(workspace):
    save_entry(workspace, "three", dict(job="count", cron="0 8 * * *", zone="UTC", owner="marketing@example.com"))
    assert read_schedules(workspace).schedules["three"].retries == 1
    for name in ("one", "two", "three"): remove_entry(workspace, name)
    assert read_schedules(workspace).schedules == {}
    save_entry(workspace, "one", ONE)
    assert list(read_schedules(workspace).schedules) == ["one"]

def test_a_key_that_others_refer_to_is_taken_out_with_what_it_named_kept(tmp_path):
    (path := tmp_path/"params.yaml").write_text("one: &shared {horizon: 30}\ntwo: *shared\n")
    edit_params(path, lambda content: None, drop=[("one",)])
    assert "30" in path.read_text() and "one:" not in path.read_text()
