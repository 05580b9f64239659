"""The ledger keeps what it was told, survives what kills its writers, and shows what was changed."""
import json, shutil, threading
from dataclasses import replace
import pytest
from hypothesis import given, settings as hypothesis_settings, strategies as st
from governed_workspace import at, contents, finished, killed, make_workspace, start
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.governance.ledger_entries import LedgerEntry, LedgerError, chain_reasons, entry_hash, entry_line, next_entry, entry_from_line
from marketing_mlops.governance.ledger_databases import store_file
from marketing_mlops.governance.ledger_store import ledger_table, newest_entries, stored_entries
from marketing_mlops.governance.text_log import log_file, read_logs, writer_name
from marketing_mlops.workspace.places import find_workspace

def note(shop, text, day="09-01"): return Ledger(shop, at(day)).append("note", "churn", "marketing@example.com", {"text": text})
def notes(shop): return [entry.payload["text"] for entry in Ledger(shop).entries("note")]
def log(shop, writer="laptop"): return log_file(shop, writer)
def codes(verdict): return [reason.code for reason in verdict.reasons]

def rewrite(shop, change, writer="laptop"):
    "Let somebody edit the lines of a log."
    lines = read_logs(shop)[writer]
    log(shop, writer).write_text("".join(f"{line}\n" for line in change(lines)), encoding="utf-8", newline="")

def ask(shop, statement):
    with Ledger(shop).store.begin() as connection: connection.execute(statement)

# ---- what it keeps

ODD = ["<script>alert('x')</script>", "\"quoted\" 'single' \\ back", "🍂 Größe 中文", "'); DROP TABLE ledger_entries; --", "line\nbreak\r\nand\ttab",
       "separator\u2028and\u0085more", "\x00 nul", "{\"hash\": \"fake\"}", "x"*5000]

def test_whatever_was_typed_comes_back_from_log_and_database(shop):
    for text in ODD: note(shop, text)
    assert notes(shop) == ODD
    assert len(log(shop).read_bytes().split(b"\n")) == len(ODD) + 1, "one line for each entry"
    store_file(shop).unlink()
    assert Ledger(shop).rebuild() == len(ODD) and notes(shop) == ODD
    assert Ledger(shop).verify().passed

@given(st.dictionaries(st.text(max_size=8), st.recursive(st.none() | st.booleans() | st.integers(-2**53, 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12),
                                                         lambda inner: st.lists(inner, max_size=3), max_leaves=5), max_size=4))
@hypothesis_settings(max_examples=150, deadline=None)
def test_a_line_read_back_is_the_entry_that_was_written(payload):
    moment = "2026-09-01T09:00:00.000000+00:00"
    draft = LedgerEntry("note", "churn", "marketing@example.com", payload, moment, moment, "laptop", 0, 0)
    try: json.dumps(payload, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        with pytest.raises(LedgerError): next_entry(draft, None)
        return
    entry = next_entry(draft, None)
    assert entry_from_line(entry_line(entry)) == entry and entry_hash(entry) == entry.hash and "\n" not in entry_line(entry)

@pytest.mark.parametrize("words, contains", [
    (dict(kind="relase"), "no kind of ledger entry"), (dict(subject=""), "subject of a ledger entry"), (dict(subject="half \ud83c emoji"), "subject of a ledger entry"),
    (dict(actor="the boss"), "no mail address"), (dict(payload={"text": "half \ud83c emoji"}), "cannot be written as JSON"),
    (dict(payload={"value": float("nan")}), "cannot be written as JSON"), (dict(payload={"value": object()}), "cannot be written as JSON"),
    (dict(payload={"text": "x"*70_000}), "at most 64000"), (dict(subject="x"*201), "1 to 200")])
def test_what_cannot_be_recorded_is_refused_and_nothing_is_written(three, words, contains):
    before = contents(three)
    with pytest.raises(LedgerError, match=contains) as refused:
        Ledger(three, at("09-02")).append(**dict(kind="note", subject="churn", actor="marketing@example.com", payload={}) | words)
    assert str(refused.value).count("\n") == 1 and contents(three) == before and notes(three) == ["one", "two", "three"]

def test_who_only_looks_leaves_nothing_behind(tmp_path):
    (tmp_path/"settings.ini").write_text("[DEFAULT]\nreporting_currency = EUR\n")
    shop = find_workspace(tmp_path)
    assert Ledger(shop).entries() == [] and Ledger(shop).verify().passed and Ledger(shop).head == ""
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["settings.ini"]

# ---- several at once

APPEND_TWENTY = """
    from marketing_mlops.governance.ledger import Ledger
    print("ready", flush=True); sys.stdin.readline()
    for i in range(20): Ledger(shop).append("note", "churn", "marketing@example.com", {"text": f"NAME-{i}"})
"""

def test_two_processes_appending_at_once_lose_nothing(shop):
    import subprocess
    processes = [start(shop, APPEND_TWENTY.replace("NAME", name), stdin=subprocess.PIPE) for name in ("first", "second")]
    for process in processes: process.stdout.readline()
    for process in processes: process.stdin.write("go\n"); process.stdin.flush()
    for process in processes: finished(process)
    entries = Ledger(shop).entries()
    assert [entry.number for entry in entries] == list(range(1, 41))
    assert {entry.payload["text"] for entry in entries} == {f"{name}-{i}" for name in ("first", "second") for i in range(20)}
    assert Ledger(shop).verify().passed and not chain_reasons("log", read_logs(shop)["laptop"])

def test_two_threads_of_one_process_take_turns(shop):
    threads = [threading.Thread(target=lambda: [note(shop, str(i)) for i in range(10)]) for _ in range(2)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    assert [entry.number for entry in Ledger(shop).entries()] == list(range(1, 21)) and Ledger(shop).verify().passed

def test_two_processes_that_start_at_once_agree_on_their_name(tmp_path):
    (tmp_path/"settings.ini").write_text("[DEFAULT]\nreporting_currency = EUR\n")
    shop = find_workspace(tmp_path)
    names, barrier = [], threading.Barrier(8)
    def draw(): barrier.wait(); names.append(writer_name(shop))
    threads = [threading.Thread(target=draw) for _ in range(8)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    assert len(names) == 8 and len(set(names)) == 1
    assert [path.name for path in shop.state.iterdir()] == ["ledger_writer"]

# ---- killed and broken

def test_killed_between_line_and_database_the_entry_counts(three):
    killed(three, """
        from marketing_mlops.governance import ledger
        def then_die(path, line, append=ledger.append_line): append(path, line); os.kill(os.getpid(), signal.SIGKILL)
        ledger.append_line = then_die
        ledger.Ledger(shop).append("note", "churn", "marketing@example.com", {"text": "four"})""")
    assert Ledger(three).verify().status == "pass", "the database is behind, nothing is wrong"
    assert notes(three) == ["one", "two", "three", "four"] and Ledger(three).verify().passed
    assert note(three, "five").number == 5

def test_killed_in_the_middle_of_a_line_the_entry_never_was(three):
    killed(three, """
        from marketing_mlops.governance import ledger, text_log
        def half(file, data): file.write(data[:len(data)//2]); os.kill(os.getpid(), signal.SIGKILL)
        text_log._write_all = half
        ledger.Ledger(shop).append("note", "churn", "marketing@example.com", {"text": "never"})""")
    assert not log(three).read_bytes().endswith(b"\n")
    assert notes(three) == ["one", "two", "three"] and Ledger(three).verify().passed
    note(three, "four")
    assert notes(three) == ["one", "two", "three", "four"] and Ledger(three).verify().passed

def test_a_full_disk_leaves_neither_line_nor_row(three, monkeypatch):
    before = contents(three)
    def full(*_): raise OSError(28, "No space left on device")
    monkeypatch.setattr("marketing_mlops.governance.text_log.os.fsync", full)
    with pytest.raises(OSError): note(three, "four")
    monkeypatch.undo()
    assert contents(three) == before and notes(three) == ["one", "two", "three"] and Ledger(three).verify().passed

def test_a_database_that_cannot_be_written_leaves_no_line(three):
    before = contents(three)
    store_file(three).unlink(); store_file(three).mkdir()
    with pytest.raises(LedgerError, match="cannot be used"): note(three, "four")
    assert contents(three) == before

def test_an_unreachable_server_is_told_in_two_lines_without_its_password(three, monkeypatch):
    monkeypatch.setenv("LEDGER_PASSWORD", "7Yw-secret")
    (three.root/"settings.ini").write_text("[DEFAULT]\nledger_url = postgresql://mmops:${LEDGER_PASSWORD}@127.0.0.1:1/ledger\n")
    with pytest.raises(LedgerError) as refused: Ledger(find_workspace(three.root)).entries()
    assert str(refused.value).count("\n") == 1 and "secret" not in str(refused.value)

# ---- changed by somebody

@pytest.mark.parametrize("change, code", [
    (lambda lines: [lines[0], lines[1].replace('"two"', '"ten"'), lines[2]], "edited"),
    (lambda lines: [lines[0], lines[1].replace('"number":2', '"number": 2'), lines[2]], "edited"),
    (lambda lines: [lines[0], lines[1][:-1] + ',"hash":"' + json.loads(lines[1])["hash"] + '"}', lines[2]], "edited"),
    (lambda lines: [lines[0], "", *lines[1:]], "edited"),
    (lambda lines: [f"{line}\r" for line in lines], "edited"),
    (lambda lines: [lines[0], lines[2]], "removed_or_moved"),
    (lambda lines: lines[1:], "removed_or_moved"),
    (lambda lines: [lines[0], lines[2], lines[1]], "removed_or_moved"),
    (lambda lines: [lines[0], lines[1], lines[1], lines[2]], "removed_or_moved"),
    (lambda lines: lines[:2], "not_in_the_log"),
    (lambda lines: [], "not_in_the_log")], ids=["edited", "respelt", "key twice", "empty line", "line ends of Windows", "removed", "first removed", "swapped", "repeated", "last removed", "all removed"])
def test_every_change_of_the_log_shows_and_stops_further_entries(three, change, code):
    rewrite(three, change)
    verdict = Ledger(three).verify()
    assert verdict.status == "fail" and code in codes(verdict)
    before = contents(three)
    with pytest.raises(LedgerError) as refused: note(three, "four")
    assert str(refused.value).count("\n") == 1 and contents(three) == before

def forged(lines):
    "All lines after an edit with new hashes, as somebody who knows the code would do it."
    made, last = [], None
    for line in lines:
        entry = entry_from_line(line.replace('"two"', '"ten"'))
        entry = replace(entry, previous=last.hash if last else "")
        last = replace(entry, hash=entry_hash(entry))
        made.append(entry_line(last))
    return made

def test_a_forged_chain_is_whole_in_itself_and_shows_against_the_database(three):
    rewrite(three, forged)
    assert not chain_reasons("log", read_logs(three)["laptop"])
    assert Ledger(three).verify().status == "fail"

def test_a_chain_forged_in_log_and_database_shows_against_an_anchor_only(three):
    head = Ledger(three).head
    rewrite(three, forged)
    store_file(three).unlink()
    Ledger(three).rebuild()
    assert Ledger(three).verify().passed, "nothing that is left contradicts it"
    verdict = Ledger(three).verify({head: "mail to the auditor"})
    assert verdict.status == "fail" and "mail to the auditor" in verdict.reasons[0].message

def test_an_end_removed_everywhere_shows_only_against_an_anchor_and_the_pass_says_so(three):
    head = Ledger(three).head
    rewrite(three, lambda lines: lines[:2])
    store_file(three).unlink()
    Ledger(three).rebuild()
    verdict = Ledger(three).verify()
    assert verdict.passed and "cannot be seen" in verdict.reasons[0].message and verdict.reasons[0].value == 2
    assert Ledger(three).verify({head: "ticket 12"}).status == "fail"

def test_an_edited_row_shows_and_is_made_again(three):
    table = ledger_table()
    ask(three, table.update().where(table.c.number == 2).values(actor="somebody.else@example.com"))
    assert codes(Ledger(three).verify()) == ["row_edited"]
    Ledger(three).rebuild()
    assert Ledger(three).verify().passed

@pytest.mark.parametrize("column, value", [("subject", "promo"), ("kind", "released"), ("actor", "somebody@example.com"), ("position", 7), ("line", "in its own spelling")])
def test_an_edited_row_answers_nothing(three, column, value):
    last = Ledger(three).entries()[-1]
    if column == "line": value = entry_line(replace(last, payload={"text": "three, and a half"}))
    ask(three, ledger_table().update().where(ledger_table().c.number == 3).values({column: value}))
    with pytest.raises(LedgerError, match="a row that is no entry"): stored_entries(Ledger(three).store)
    with pytest.raises(LedgerError, match="a row that is no entry"): newest_entries(Ledger(three).store)

def test_an_entry_edited_alike_in_log_and_database_answers_nothing(three):
    last = Ledger(three).entries()[-1]
    line = entry_line(replace(last, payload={"text": "three, and a half"}))
    rewrite(three, lambda lines: [*lines[:-1], line])
    ask(three, ledger_table().update().where(ledger_table().c.number == 3).values(line=line))
    with pytest.raises(LedgerError, match="a row that is no entry"): Ledger(three).entries()

def test_a_row_moved_to_another_writer_is_made_again(three):
    table = ledger_table()
    ask(three, table.update().where(table.c.number == 2).values(writer="stranger", number=77))
    assert Ledger(three).verify().status == "fail"
    Ledger(three).rebuild()
    assert Ledger(three).verify().passed and notes(three) == ["one", "two", "three"]

def test_a_removed_row_comes_back_by_itself(three):
    ask(three, ledger_table().delete().where(ledger_table().c.number == 3))
    assert codes(Ledger(three).verify()) == ["behind", "reach", "anchors"]
    assert notes(three) == ["one", "two", "three"]

def test_rebuilding_does_not_cover_up_a_lost_end(three):
    rewrite(three, lambda lines: lines[:2])
    with pytest.raises(LedgerError, match="is in the database, but not in"): Ledger(three).rebuild()
    assert codes(Ledger(three).verify()) == ["not_in_the_log"]

def test_rebuilding_keeps_an_entry_whose_place_another_one_took_in_the_log(three):
    before = [entry.hash for entry in Ledger(three).entries()]
    rewrite(three, forged)
    with pytest.raises(LedgerError, match="Entry 2 of laptop in the database is another one"): Ledger(three).rebuild()
    with Ledger(three).store.connect() as connection:
        assert connection.execute(ledger_table().select().order_by(ledger_table().c.number)).scalars().all() == before

def test_a_row_that_is_no_entry_is_never_passed_over(three):
    ask(three, ledger_table().update().where(ledger_table().c.number == 3).values(line="not an entry"))
    with pytest.raises(LedgerError, match="holds a row that is no entry"): newest_entries(Ledger(three).store)

def test_a_ledger_on_a_server_is_empty_until_something_is_recorded(shop, monkeypatch):
    monkeypatch.setattr("marketing_mlops.governance.ledger.store_file", lambda _: None)     # as for a server
    assert Ledger(shop).is_empty and Ledger(shop).entries() == [] and Ledger(shop).verify().passed
    note(shop, "first")
    log(shop).unlink()
    assert not Ledger(shop).is_empty, "the server knows of it"

# ---- several clones

@pytest.fixture
def clones(three, tmp_path):
    "Two clones of one workspace, as git would make them: logs travel, state does not."
    def clone(name):
        other = make_workspace(tmp_path/name, name)
        shutil.copytree(three.path("data", "ledger"), other.path("data", "ledger"))
        return other
    return clone("berlin"), clone("london")

def pull(into, source):
    "Take over what the other knows, as a pull does: nobody's log gets shorter by it."
    for path in source.path("data", "ledger").glob("*.jsonl"):
        mine = into.path("data", "ledger", path.name)
        if not mine.exists() or mine.stat().st_size < path.stat().st_size: shutil.copy2(path, mine)

def test_a_clone_knows_what_was_decided(clones):
    berlin, _ = clones
    assert notes(berlin) == ["one", "two", "three"] and Ledger(berlin).verify().passed

def test_verifying_a_clone_that_has_no_database_yet_makes_none(clones):
    berlin, _ = clones
    assert codes(Ledger(berlin).verify()) == ["behind", "reach", "anchors"] and not store_file(berlin).exists()

def test_logs_of_two_clones_meet_without_a_conflict_and_keep_cause_before_effect(clones):
    berlin, london = clones
    note(berlin, "berlin", "09-05")
    pull(london, berlin)
    note(london, "london, with a clock that is late", "08-01")
    note(berlin, "berlin, unaware of london", "09-06")
    pull(berlin, london), pull(london, berlin)
    assert notes(berlin) == notes(london)
    told = notes(berlin)
    assert told.index("berlin") < told.index("london, with a clock that is late")
    assert Ledger(berlin).verify().passed and Ledger(london).verify().passed

def test_an_end_removed_in_one_clone_contradicts_the_other(clones):
    berlin, london = clones
    note(berlin, "to be forgotten")
    pull(london, berlin)
    note(london, "seen")
    rewrite(london, lambda lines: [], "berlin")
    store_file(london).unlink()
    verdict = Ledger(london).verify()
    assert "anchor_missing" in codes(verdict) and verdict.status == "fail"

def test_a_copied_folder_that_writes_under_the_same_name_is_found(three, tmp_path):
    copy = find_workspace(shutil.copytree(three.root, tmp_path/"copy"))
    note(three, "four here"), note(copy, "four there, a little longer")
    pull(three, copy)
    assert Ledger(three).verify().status == "fail"
    with pytest.raises(LedgerError): note(three, "five")

def test_a_log_under_another_writers_name_is_refused(three):
    shutil.copy2(log(three), log(three, "stranger"))
    assert "other_writer" in codes(Ledger(three).verify())

# ---- portable

def test_the_statements_are_understood_by_postgres_too():
    import sqlalchemy as sa
    from sqlalchemy.dialects import postgresql, sqlite
    table = ledger_table()
    for statement in (sa.schema.CreateTable(table, if_not_exists=True), table.insert(), sa.select(table.c.writer, sa.func.max(table.c.number)).group_by(table.c.writer)):
        assert str(statement.compile(dialect=postgresql.dialect())) and str(statement.compile(dialect=sqlite.dialect()))
    assert {type(column.type).__name__ for column in table.columns} == {"String", "Text", "Integer"}

# ---- what it says about itself

def test_the_reach_of_a_check_is_said_as_a_person_would_say_it(shop):
    def said(**anchors): return Ledger(shop).verify(anchors).reasons[0].message
    assert said() == "Nothing is recorded here; entries recorded after the last anchor and cut off from log and database together cannot be seen."
    one = note(shop, "first")
    assert said() == "Intact: 1 entry of 1 writer. 1 entry is covered by no anchor; entries recorded after the last anchor and cut off from log and database together cannot be seen."
    assert said(**{one.hash: "a mail"}) == "Intact: 1 entry of 1 writer. Anchors cover every entry that is here; entries recorded after the last anchor and cut off from log and database together cannot be seen."
    note(shop, "second"), note(shop, "third")
    assert said(**{one.hash: "a mail"}).startswith("Intact: 3 entries of 1 writer. 2 entries are covered by no anchor")

@pytest.mark.parametrize("n, says", [(1, "lacks 1 entry of the logs"), (2, "lacks 2 entries of the logs")])
def test_how_far_the_database_lags_is_counted_in_words_that_agree(shop, n, says):
    for i in range(2): note(shop, str(i))
    ask(shop, ledger_table().delete().where(ledger_table().c.number > 2 - n))
    assert says in Ledger(shop).verify().reasons[0].message

# ---- other versions, other clocks

def as_schema(shop, schema):
    "Let the last line be one of another version."
    last = Ledger(shop).entries()[-1]
    changed = replace(last, schema=schema)
    rewrite(shop, lambda lines: [*lines[:-1], entry_line(replace(changed, hash=entry_hash(changed)))])

def test_a_log_of_a_newer_version_is_refused_by_name_and_nothing_is_half_applied(three):
    as_schema(three, 2)
    store_file(three).unlink()
    for ask_it in (lambda: Ledger(three).entries(), lambda: Ledger(three).verify(), lambda: Ledger(three).rebuild(), lambda: note(three, "four")):
        with pytest.raises(LedgerError, match="schema 2, written by a newer version"): ask_it()
    with Ledger(three).store.connect() as connection: assert connection.execute(ledger_table().select()).first() is None

def test_a_log_from_before_shapes_were_counted_is_read_and_continued(three):
    as_schema(three, 0)
    store_file(three).unlink()
    assert '"schema"' not in read_logs(three)["laptop"][-1] and notes(three) == ["one", "two", "three"]
    assert note(three, "four").schema == 1 and Ledger(three).verify().passed

def test_a_clock_that_went_back_changes_no_order_and_is_told(three):
    late = note(three, "recorded in spring", "03-01")
    assert late.position == 4 and notes(three)[-1] == "recorded in spring"
    verdict = Ledger(three).verify()
    assert verdict.status == "review" and "from 2026-09-01T09:00:00 to 2026-03-01T09:00:00 (UTC) at its entry 4" in verdict.reasons[0].message

def test_two_that_wait_for_one_another_are_recorded_in_the_order_of_their_clock(shop):
    threads = [threading.Thread(target=lambda: [Ledger(shop).append("note", "churn", "marketing@example.com", {}) for _ in range(8)]) for _ in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    assert Ledger(shop).verify().passed, "the time is taken when it is one's turn"

# ---- one name, two histories

def test_a_copied_folder_is_called_a_fork_and_what_to_do_is_said(three, tmp_path):
    copy = find_workspace(shutil.copytree(three.root, tmp_path/"copy"))
    note(three, "four here"), note(copy, "four there, a little longer")
    pull(three, copy)
    verdict = Ledger(three).verify()
    assert codes(verdict)[0] == "fork" and "two histories from its entry 4 on" in verdict.reasons[0].message and "ledger_writer" in verdict.reasons[0].next_step
    with pytest.raises(LedgerError, match="two histories"): note(three, "five")

def test_both_histories_merged_into_one_file_are_a_fork_too(three, tmp_path):
    copy = find_workspace(shutil.copytree(three.root, tmp_path/"copy"))
    note(three, "four here"), note(copy, "four there")
    rewrite(three, lambda lines: [*lines, read_logs(copy)["laptop"][-1]])
    assert "fork" in codes(Ledger(three).verify())

# ---- quick, and never at the price of an answer

def test_while_nothing_changed_no_log_is_read(three, monkeypatch):
    Ledger(three).catch_up()
    def read(_): raise AssertionError("a log was read")
    monkeypatch.setattr("marketing_mlops.governance.ledger_steps.read_logs", read)
    assert notes(three) == ["one", "two", "three"] and Ledger(three).holds(Ledger(three).head) and note(three, "four").number == 4

@pytest.mark.parametrize("boot", ["another start of the machine"])
def test_after_a_restart_everything_is_compared_once(three, monkeypatch, boot):
    Ledger(three).catch_up()
    monkeypatch.setattr("marketing_mlops.governance.ledger_marks.boot_name", lambda: boot)
    compared = []
    monkeypatch.setattr("marketing_mlops.governance.ledger_steps.check_store", lambda *_: compared.append(1))
    notes(three), notes(three)
    assert compared == [1]

def test_a_pull_in_the_middle_of_an_append_is_not_overlooked(three, tmp_path, monkeypatch):
    office = make_workspace(tmp_path/"office", "office")
    note(office, "from the office")
    from marketing_mlops.governance import ledger
    def append_while_pulling(path, line, append=ledger.append_line): append(path, line); shutil.copy2(log(office, "office"), log(three, "office"))
    monkeypatch.setattr(ledger, "append_line", append_while_pulling)
    note(three, "four")
    monkeypatch.undo()
    assert "from the office" in notes(three)

@given(st.lists(st.sampled_from(["append", "append there", "pull", "lose the row", "lose the database", "lose the marks", "rebuild"]), max_size=8))
@hypothesis_settings(max_examples=12, deadline=None)
def test_whatever_happened_in_between_the_answer_is_what_the_logs_say(tmp_path_factory, steps):
    here, there = (make_workspace(tmp_path_factory.mktemp("steps")/name, name) for name in ("here", "there"))
    acts = {"append": lambda: note(here, "x"), "append there": lambda: note(there, "y"),
            "pull": lambda: log(there, "there").exists() and (log(here).parent.mkdir(parents=True, exist_ok=True), shutil.copy2(log(there, "there"), log(here, "there"))),
            "lose the row": lambda: store_file(here).exists() and ask(here, ledger_table().delete().where(ledger_table().c.number == 1)),
            "lose the database": lambda: store_file(here).unlink(missing_ok=True), "lose the marks": lambda: (here.state/"ledger_marks.json").unlink(missing_ok=True),
            "rebuild": lambda: Ledger(here).rebuild()}
    for step in steps:
        acts[step]()
        logged = sorted(line for lines in read_logs(here).values() for line in lines)
        assert sorted(entry_line(entry) for entry in Ledger(here).entries()) == logged
