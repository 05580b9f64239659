"""A damaged log comes back as it was written, or stays as it is: nothing is invented, nothing whole is lost, and no history is chosen."""
import json, random, shutil, subprocess
from dataclasses import replace
import pytest
from governed_workspace import at, make_workspace
from marketing_mlops.cli.commands import main
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.governance.ledger_databases import store_file
from marketing_mlops.governance.ledger_entries import LedgerError, entry_from_line, entry_hash, entry_line
from marketing_mlops.governance.ledger_repairs import repair_ledger
from marketing_mlops.governance.ledger_store import ledger_table
from marketing_mlops.governance.live_pointers import live
from marketing_mlops.governance.text_log import log_file

TEXTS = ["one", "two", "three", "four", "five", "six"]

@pytest.fixture
def noted(shop):
    for i, text in enumerate(TEXTS, start=1): Ledger(shop, at(f"09-0{i}")).append("note", "churn", "marketing@example.com", {"text": text})
    return shop

def log(shop): return log_file(shop, "laptop")
def lines(shop): return log(shop).read_bytes().splitlines(keepends=True)
def write(shop, kept): log(shop).write_bytes(b"".join(kept)); return kept
def edited(line, old, new): assert old in line; return line.replace(old, new)
def rehashed(line, text):
    entry = replace(entry_from_line(line.decode().rstrip("\n")), payload={"text": text})
    return entry_line(replace(entry, hash=entry_hash(entry))).encode() + b"\n"
def in_database(shop, number, **values):
    with Ledger(shop).store.begin() as connection: connection.execute(ledger_table().update().where(ledger_table().c.number == number).values(**values))

DAMAGES = {
    "a line edited": (lambda l: [*l[:2], edited(l[2], b'"three"', b'"3"'), *l[3:]], "payload.text read '3' instead of 'three'"),
    "the newest edited": (lambda l: [*l[:5], edited(l[5], b'"six"', b'"6"')], "payload.text read '6'"),
    "the digit of its shape changed": (lambda l: [*l[:2], edited(l[2], b'"schema":1', b'"schema":2'), *l[3:]], "schema read '2' instead of '1'"),
    "the first removed": (lambda l: l[1:], "entry 1 (note, churn, 2026-09-01) was missing"),
    "one in the middle removed": (lambda l: [*l[:3], *l[4:]], "entry 4 (note, churn, 2026-09-04) was missing"),
    "the tail cut": (lambda l: l[:3], "entry 6 (note, churn, 2026-09-06) was missing"),
    "cut within a line": (lambda l: [*l[:4], l[4][:50]], "entry 5 (note, churn, 2026-09-05) was missing"),
    "garbage over a line": (lambda l: [*l[:2], b"\x00\xff\xfe garbage\n", *l[3:]], "entry 3 (note, churn, 2026-09-03) was overwritten by"),
    "garbage between lines": (lambda l: [*l[:2], b"<<<<<<< ours\n", *l[2:]], "a line that was no entry: '<<<<<<< ours'"),
    "two swapped": (lambda l: [l[0], l[2], l[1], *l[3:]], "another order, or twice"),
    "one twice": (lambda l: [*l[:3], l[2], *l[3:]], "another order, or twice"),
    "everything gone": (lambda l: [], "entry 1 (note, churn, 2026-09-01) was missing"),
    "Windows ends": (lambda l: [line.replace(b"\n", b"\r\n") for line in l], "written in another way"),
}

@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_log_comes_back_byte_for_byte_and_the_damaged_one_is_kept(noted, damage, capsys):
    spoil, said = DAMAGES[damage]
    good = lines(noted)
    write(noted, spoil(good))
    spoiled = log(noted).read_bytes()
    with pytest.raises(LedgerError, match="ledger repair"): Ledger(noted).append("note", "churn", "marketing@example.com", {"text": "seven"})
    assert main(["ledger", "repair", "--workspace", str(noted.root)]) == 0
    printed = capsys.readouterr().out
    assert said in printed and "data/state/damaged/laptop." in printed
    assert lines(noted) == good and Ledger(noted).verify().passed
    (kept,) = noted.path("data", "state", "damaged").iterdir()
    assert kept.read_bytes() == spoiled
    Ledger(noted, at("09-08")).append("note", "churn", "marketing@example.com", {"text": "seven"})
    assert [entry.payload["text"] for entry in Ledger(noted).entries()] == [*TEXTS, "seven"]

def test_a_log_that_is_gone_comes_back(noted):
    good = lines(noted)
    log(noted).unlink()
    assert repair_ledger(noted).is_whole and lines(noted) == good

@pytest.mark.parametrize("seed", range(20))
def test_any_random_damage_comes_back_whole_or_is_left_as_it_is(noted, seed):
    rng, good = random.Random(seed), lines(noted)
    spoiled = list(good)
    for _ in range(rng.randint(1, 4)):
        i = rng.randrange(len(spoiled))
        how = rng.choice(["bytes", "drop", "swap", "cut"])
        if how == "bytes": j = rng.randrange(len(spoiled[i]) - 1); spoiled[i] = spoiled[i][:j] + bytes([rng.randrange(256)]) + spoiled[i][j+1:]
        elif how == "drop" and len(spoiled) > 1: del spoiled[i]
        elif how == "swap": j = rng.randrange(len(spoiled)); spoiled[i], spoiled[j] = spoiled[j], spoiled[i]
        elif how == "cut": spoiled = spoiled[:i+1]
    before = write(noted, spoiled)
    done = repair_ledger(noted)
    assert lines(noted) == good if done.is_whole else log(noted).read_bytes() == b"".join(before)
    if all(len(line.splitlines()) == 1 for line in spoiled): assert done.is_whole

def test_entries_that_only_the_log_holds_are_kept(noted):
    good = lines(noted)
    with Ledger(noted).store.begin() as connection: connection.execute(ledger_table().delete().where(ledger_table().c.number > 4))
    write(noted, [good[0], edited(good[1], b'"two"', b'"2"'), *good[2:]])
    assert repair_ledger(noted).is_whole and lines(noted) == good and len(Ledger(noted).entries()) == 6

def test_a_damaged_end_that_the_database_never_had_is_left_alone(noted, capsys):
    good = lines(noted)
    with Ledger(noted).store.begin() as connection: connection.execute(ledger_table().delete().where(ledger_table().c.number > 4))
    kept = write(noted, [edited(good[0], b'"one"', b'"1"'), *good[1:5], edited(good[5], b'"six"', b'"6"')])
    assert main(["ledger", "repair", "--workspace", str(noted.root)]) == 1
    assert "1 damaged line at its end may hold what the database never had" in capsys.readouterr().out and lines(noted) == kept and not noted.path("data", "state", "damaged").exists()

@pytest.mark.parametrize("rows", ["lost", "edited alike"])
def test_where_log_and_database_are_both_damaged_at_one_place_nothing_is_invented(noted, rows):
    good = lines(noted)
    spoiled = edited(good[2], b'"three"', b'"3"')
    kept = write(noted, [*good[:2], spoiled, *good[3:]])
    if rows == "lost": store_file(noted).unlink()
    else: in_database(noted, 3, line=spoiled.decode().rstrip("\n"))
    done = repair_ledger(noted)
    assert not done.is_whole and "entry 3 of laptop is whole neither in the log nor in the database" in done.repairs[0].trouble and lines(noted) == kept

def test_where_log_and_database_are_damaged_at_different_places_both_are_mended(noted):
    good = lines(noted)
    write(noted, [*good[:2], edited(good[2], b'"three"', b'"3"'), *good[3:]])
    in_database(noted, 5, line="{}")
    in_database(noted, 1, actor="somebody@example.com")
    done = repair_ledger(noted)
    assert done.is_whole and done.n_rows == 2 and lines(noted) == good and [entry.payload["text"] for entry in Ledger(noted).entries()] == TEXTS
    rows = [json.loads(line) for path in done.kept if "database" in path.name for line in noted.path(path).read_text().splitlines()]
    assert {row["line"] == "{}" or row["actor"] == "somebody@example.com" for row in rows} == {True}

@pytest.mark.parametrize("number", [1, 4, 6])
def test_an_edited_line_with_a_hash_of_its_own_is_a_fork_and_stays_one(noted, number, capsys):
    good = lines(noted)
    kept = write(noted, [*good[:number-1], rehashed(good[number-1], "invented"), *good[number:]])
    assert main(["ledger", "repair", "--workspace", str(noted.root)]) == 1
    assert f"has two whole entries {number}" in capsys.readouterr().out and lines(noted) == kept

def test_two_whole_histories_stay_two(noted, tmp_path):
    other = make_workspace(tmp_path/"copy", "laptop")
    shutil.copytree(noted.path("data", "ledger"), other.path("data", "ledger"))
    for shop, texts in ((noted, ["ours"]), (other, ["theirs", "and more"])):
        for text in texts: Ledger(shop, at("09-08")).append("note", "churn", "marketing@example.com", {"text": text})
    kept = write(noted, lines(other))
    assert not repair_ledger(noted).is_whole and lines(noted) == kept

def test_an_end_that_only_the_database_vouches_for_is_named(noted):
    write(noted, lines(noted)[:4])
    assert repair_ledger(noted).unvouched == {"laptop": [5, 6]}

def test_the_log_of_a_colleague_is_repaired_as_well(noted, tmp_path):
    there = make_workspace(tmp_path/"office", "office")
    shutil.copytree(noted.path("data", "ledger"), there.path("data", "ledger"))
    Ledger(there, at("09-08")).append("note", "churn", "marketing@example.com", {"text": "from the office"})
    shutil.copy2(log_file(there, "office"), log_file(noted, "office"))
    assert len(Ledger(noted).entries()) == 7
    good = log_file(noted, "office").read_text()
    log_file(noted, "office").write_text(good.replace("from the office", "from home"))
    assert repair_ledger(noted).is_whole and log_file(noted, "office").read_text() == good

def test_a_tag_on_an_entry_that_nobody_holds_any_more_fails_the_repair(noted):
    git = lambda *words: subprocess.run(["git", "-C", noted.root, "-c", "user.name=analyst", "-c", "user.email=analyst@example.com", *words], check=True, capture_output=True)
    git("init", "-q"), git("commit", "-q", "--allow-empty", "-m", "First")
    Ledger(noted, at("09-08")).append("note", "churn", "marketing@example.com", {"text": "seven"})
    Ledger(noted).anchor()
    good = lines(noted)
    write(noted, [edited(good[0], b'"one"', b'"1"'), *good[1:6]])
    with Ledger(noted).store.begin() as connection: connection.execute(ledger_table().delete().where(ledger_table().c.number == 7))
    done = repair_ledger(noted)
    assert lines(noted) == good[:6] and not done.is_whole and [reason.code for reason in done.verdict.reasons if reason.severity == "fail"] == ["anchor_missing"]

def test_at_night_two_commands_bring_the_earlier_champion_back_and_the_error_shows_them(two, capsys, monkeypatch):
    first = [entry.payload["bundle_hash"] for entry in Ledger(two).entries("released")][0]
    log(two).write_text(log(two).read_text().replace("analyst@example.com", "someone@example.com", 1))
    words = ["rollback", "churn", "--as", "marketing@example.com", "--reason", "Twice the \"complaints\" at $5", "--workspace", str(two.root)]
    assert main(words) == 1
    problem, remedy = capsys.readouterr().err.splitlines()
    assert "was edited" in problem
    assert f"Type `mmops ledger repair --workspace {two.root}`, then" in remedy and """`mmops rollback churn --as marketing@example.com --reason 'Twice the "complaints" at $5'""" in remedy
    assert main(["ledger", "repair", "--workspace", str(two.root)]) == 0 and main(words) == 0
    assert live(two, "churn").champion == first
