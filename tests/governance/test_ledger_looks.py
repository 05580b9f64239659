"""The quick look at the ledger sees what the complete one sees, wherever somebody touched the record and whatever became of the note."""
import json, shutil, subprocess
import pytest
from governed_workspace import approved, at, make_workspace, put_live, small_bundle
from marketing_mlops.governance import ledger_looks, live_checks
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.governance.ledger_databases import store_file
from marketing_mlops.governance.ledger_entries import LedgerError, entry_from_line, entry_hash, entry_line
from marketing_mlops.governance.ledger_looks import check_ledger, look_file
from marketing_mlops.governance.ledger_marks import kept_marks, marks_file
from marketing_mlops.governance.ledger_store import ledger_table
from marketing_mlops.governance.live_checks import check_champions
from marketing_mlops.governance.live_pointers import ReleaseError, pointer_file
from marketing_mlops.workspace.places import write_json

def note(shop, text): return Ledger(shop, at("09-01")).append("note", "churn", "marketing@example.com", {"text": text})
def log(shop, writer="laptop"): return shop.path("data", "ledger", f"{writer}.jsonl")
def look(shop): return check_ledger(Ledger(shop))
def is_quick(shop): return [reason.code for reason in look(shop).reasons] == ["quick_look"]
def rewrite(shop, change): log(shop).write_text("".join(f"{line}\n" for line in change(log(shop).read_text().splitlines())))
def ask(shop, statement):
    with Ledger(shop).store.begin() as connection: connection.execute(statement)

@pytest.fixture
def looked(three):
    "Three notes found whole, and two that came later."
    assert not is_quick(three) and is_quick(three)
    for text in ("four", "five"): note(three, text)
    return three

def forged(lines, old, new):
    "With a chain made anew behind the edit."
    from dataclasses import replace
    made, last = [], None
    for line in lines:
        entry = replace(entry_from_line(line.replace(old, new)), previous=last.hash if last else "")
        last = replace(entry, hash=entry_hash(entry))
        made.append(entry_line(last))
    return made

CHANGES = {"edited in the noted part": lambda lines: [line.replace('"two"', '"ten"') for line in lines],
           "edited behind it": lambda lines: [line.replace('"four"', '"for"') for line in lines],
           "chain made anew from the noted part on": lambda lines: forged(lines, '"two"', '"ten"'),
           "chain made anew behind it": lambda lines: forged(lines, '"five"', '"six"'),
           "removed from the noted part": lambda lines: lines[1:],
           "removed in between": lambda lines: [*lines[:3], lines[4]],
           "end removed behind it": lambda lines: lines[:4],
           "end removed within it": lambda lines: lines[:2],
           "swapped behind it": lambda lines: [*lines[:3], lines[4], lines[3]],
           "respelt": lambda lines: [*lines[:4], lines[4].replace('":', '": ')],
           "all removed": lambda lines: []}

@pytest.mark.parametrize("change", CHANGES)
def test_an_edit_of_the_log_is_found_by_the_quick_look_as_by_the_complete_one(looked, change):
    rewrite(looked, CHANGES[change])
    found = look(looked)
    assert found.status == "fail" and found.reasons == Ledger(looked).verify().reasons

@pytest.mark.parametrize("number", [2, 5], ids=["in the noted part", "behind it"])
@pytest.mark.parametrize("column, value", [("actor", "somebody@example.com"), ("subject", "promo"), ("kind", "released"), ("occurred_at", "2020-01-01T00:00:00.000000+00:00"), ("line", "{}")])
def test_an_edit_of_the_database_alone_is_found(looked, column, value, number):
    ask(looked, ledger_table().update().where(ledger_table().c.number == number).values({column: value}))
    assert look(looked).status == "fail"

def test_an_edit_of_the_database_is_found_though_an_answer_was_given_in_between(looked):
    ask(looked, ledger_table().update().where(ledger_table().c.number == 2).values(subject="promo"))
    assert len(Ledger(looked).entries(subject="churn")) == 4 and kept_marks(looked).whole_at == "", "logs and database agree about the lines"
    assert look(looked).status == "fail"

def test_a_removed_row_comes_back_and_is_not_taken_for_looked_at(looked):
    ask(looked, ledger_table().delete().where(ledger_table().c.number == 2))
    assert not is_quick(looked) and len(Ledger(looked).entries()) == 5 and is_quick(looked)

def test_an_edit_of_log_and_database_alike_is_found(looked):
    line = log(looked).read_text().splitlines()[1].replace('"two"', '"ten"')
    rewrite(looked, lambda lines: [lines[0], line, *lines[2:]])
    ask(looked, ledger_table().update().where(ledger_table().c.number == 2).values(line=line))
    assert look(looked).status == "fail"

NOTES = {"deleted": lambda file: file.unlink(), "empty": lambda file: file.write_text(""), "garbage": lambda file: file.write_bytes(b"\xff\x00{"),
         "another shape": lambda file: file.write_text('{"name": "x", "logs": {"laptop": "many"}, "tags": [], "keys": 3}'),
         "of another look": lambda file: write_json(file, json.loads(file.read_text()) | dict(name="of another look")),
         "longer than the log": lambda file: write_json(file, json.loads(file.read_text()) | dict(logs={"laptop": [10**9, "0"*64]})),
         "about a log that is gone": lambda file: write_json(file, json.loads(file.read_text()) | dict(logs={"office": [5, "0"*64]}))}

@pytest.mark.parametrize("change", NOTES)
def test_a_note_that_is_gone_or_odd_costs_a_complete_look_and_hides_nothing(looked, change):
    NOTES[change](look_file(looked))
    kept = look_file(looked).read_bytes() if look_file(looked).exists() else None
    assert not is_quick(looked) and is_quick(looked)
    look_file(looked).unlink() if kept is None else look_file(looked).write_bytes(kept)
    rewrite(looked, CHANGES["edited in the noted part"])
    assert look(looked).status == "fail"

def test_without_marks_everything_is_looked_at(looked):
    marks_file(looked).unlink()
    assert not is_quick(looked) and is_quick(looked)

def test_a_pull_is_looked_at_as_what_came_since_and_an_edit_in_it_is_found(looked, tmp_path):
    office = make_workspace(tmp_path/"office", "office")
    for text in ("seen there", "and again"): note(office, text)
    shutil.copy2(log(office, "office"), log(looked, "office"))
    assert len(Ledger(looked).entries()) == 7 and is_quick(looked)
    text = log(looked, "office").read_text()
    log(looked, "office").write_text(text.replace("seen there", "seen here"))
    assert look(looked).status == "fail"
    log(looked, "office").write_text(text)
    assert look(looked).status != "fail"
    log(looked, "office").unlink()
    assert look(looked).status == "fail", "the database holds what no log holds"

def test_a_pull_that_brings_a_forged_chain_is_found(looked, tmp_path):
    shutil.copytree(looked.root, tmp_path/"copy")
    copy = looked.__class__(tmp_path/"copy", looked.settings)
    note(copy, "in the copied folder"), note(looked, "here")
    shutil.copy2(log(copy), log(looked))
    assert look(looked).status == "fail"

def test_a_note_from_before_the_log_was_rewritten_is_worth_nothing(looked):
    "As after a reset of the repository to an earlier commit, and a database made again."
    kept = look_file(looked).read_bytes(), marks_file(looked).read_bytes()
    rewrite(looked, lambda lines: forged(lines, '"two"', '"ten"'))
    store_file(looked).unlink()
    Ledger(looked).rebuild()
    look_file(looked).write_bytes(kept[0]), marks_file(looked).write_bytes(kept[1])
    assert not is_quick(looked)

def test_a_pointer_that_names_no_entry_is_found(looked):
    write_json(pointer_file(looked, "churn"), dict(champion="a"*64, ledger_head="b"*64))
    assert look(looked).status == "fail"

def test_a_tag_that_was_altered_or_names_no_entry_is_found(looked):
    def git(*words, **more): return subprocess.run(["git", "-C", looked.root, "-c", "user.name=analyst", "-c", "user.email=analyst@example.com", *words], check=True, capture_output=True, text=True, **more).stdout
    git("init", "-q"), git("commit", "-q", "--allow-empty", "-m", "First")
    Ledger(looked).anchor()
    assert is_quick(looked)
    name = git("tag").strip()
    wrong = git("cat-file", "tag", name).replace(Ledger(looked).head, "0"*64)
    git("update-ref", f"refs/tags/{name}", git("hash-object", "-t", "tag", "-w", "--stdin", input=wrong).strip())
    assert look(looked).status == "fail"
    git("tag", "-d", name), git("tag", "-a", "-m", f"End of the ledger\n\nentry: {'7'*64}\n", f"ledger/20260901T090000Z-{'7'*12}")
    assert look(looked).status == "fail"

def test_a_release_looks_quickly_and_an_edited_ledger_stops_it(two, monkeypatch):
    folder = approved(two, small_bundle(two, "churn_30", even_after=30.), "03-05")
    complete = [] if look(two).passed else None
    own = Ledger.verify
    monkeypatch.setattr(Ledger, "verify", lambda self, *words, **more: complete.append(1) or own(self, *words, **more))
    assert put_live(two, folder, "03-06") and complete == []
    after = approved(two, small_bundle(two, "churn_20", even_after=20.), "03-07")
    ask(two, ledger_table().update().where(ledger_table().c.number == 2).values(actor="somebody@example.com"))
    with pytest.raises((ReleaseError, LedgerError), match="was edited|no entry"): put_live(two, after, "03-08")

def test_a_full_disk_leaves_no_note_and_the_verdict_stands(three, monkeypatch):
    def full(*_): raise OSError(28, "No space left on device")
    monkeypatch.setattr(ledger_looks, "write_json", full)
    assert look(three).status == "pass" and not look_file(three).exists() and not is_quick(three)

# ---- what rests on the look

def test_after_a_look_champions_are_checked_without_reading_a_log_and_an_edit_is_found_again(two, monkeypatch):
    assert look(two).passed
    monkeypatch.setattr(live_checks, "read_logs", lambda _: pytest.fail("a log was read"))
    check_champions(two, ["churn"])
    pointer = json.loads(pointer_file(two, "churn").read_text())
    for wrong in (dict(champion="c"*64), dict(ledger_head="c"*64)):
        write_json(pointer_file(two, "churn"), pointer | wrong)
        with pytest.raises(ReleaseError): check_champions(two, ["churn"])
    write_json(pointer_file(two, "churn"), pointer)
    check_champions(two, ["churn"])
    monkeypatch.undo()
    for column, value in (("kind", "note"), ("subject", "promo")):
        ask(two, ledger_table().update().where(ledger_table().c.kind == "released").values({column: value}))
        Ledger(two).catch_up()
        check_champions(two, ["churn"]), "the logs are read again, which nobody touched"
        Ledger(two).rebuild()
    rewrite(two, lambda lines: [line.replace('"kind":"released"', '"kind":"note"') for line in lines])
    with pytest.raises(LedgerError, match="was edited"): check_champions(two, ["churn"])

def test_where_an_approval_stands_is_told_by_its_own_entries_as_by_all(two, tmp_path):
    "What another clone knew when it asked is found without reading everything."
    from marketing_mlops.governance.approval_states import approval_from, approval_state
    from marketing_mlops.governance.releases import bundle_evidence
    office = make_workspace(tmp_path/"office", "office")
    for text in ("one", "two"): note(office, text)
    shutil.copy2(log(office, "office"), log(two, "office"))
    asked = bundle_evidence(approved(two, small_bundle(two, "churn_30", even_after=30.), "03-05"))
    everything = Ledger(two).entries()
    assert approval_state(two, asked.matter, clock=at("03-06")) == approval_from(everything, asked.matter, at("03-06").now())
    assert [entry.writer for entry in Ledger(two).seen_by(Ledger(two).entries("approval_requested", subject="churn"))] == ["office"]

def test_the_last_entries_are_the_end_of_all_of_them(looked, tmp_path):
    office = make_workspace(tmp_path/"office", "office")
    for text in ("seen there", "and again"): note(office, text)
    shutil.copy2(log(office, "office"), log(looked, "office"))
    everything = Ledger(looked).entries()[::-1]
    for n in (1, 2, 4, 99): assert Ledger(looked).latest(n) == (everything[:n], 7)
    assert Ledger(looked).latest(3, subject="promo") == ([], 0)
