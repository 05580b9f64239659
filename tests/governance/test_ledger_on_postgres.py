"""The ledger on a real Postgres server: what holds in a file holds there, and colleagues who share one take turns."""
import os, shutil, subprocess, tempfile
from pathlib import Path
import pytest
from governed_workspace import at, finished, make_workspace, start
from marketing_mlops.cli.commands import main
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.governance.ledger_entries import LedgerError, entry_line
from marketing_mlops.governance.ledger_repairs import repair_ledger
from marketing_mlops.governance.ledger_store import ledger_table
from marketing_mlops.governance.text_log import log_file
from test_ledger_repairs import DAMAGES, TEXTS, rehashed
from marketing_mlops.workspace.errors import AlreadyRunning
from marketing_mlops.workspace.places import find_workspace

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))

def as_server(*command):
    "Postgres refuses to run as root; Debian's package brings a user for it."
    user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--"] if os.geteuid() == 0 else []
    subprocess.run([*user, *map(str, command)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")

@pytest.fixture(scope="module")
def server():
    "The folder of the socket of a server of our own, which ends with the module."
    if not PROGRAMS: pytest.skip("Postgres is not installed (Debian's package postgresql)")
    programs, folder = PROGRAMS[-1].parent, Path(tempfile.mkdtemp(prefix="mmops-pg-"))
    if os.geteuid() == 0: shutil.chown(folder, "postgres", "postgres")
    try:
        as_server(programs/"initdb", "-D", folder/"data", "-U", "ledger", "-A", "trust", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8")
        as_server(programs/"pg_ctl", "-D", folder/"data", "-w", "-l", folder/"log", "-o", f"-k {folder} -c listen_addresses='' -c fsync=off", "start")
        yield folder
    finally:
        if (folder/"data"/"postmaster.pid").exists(): as_server(programs/"pg_ctl", "-D", folder/"data", "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)

@pytest.fixture
def team(server, tmp_path, request):
    "Two clones that share one empty database."
    import sqlalchemy as sa
    name = f"ledger_{abs(hash(request.node.name)) % 10**9}"
    with sa.create_engine(f"postgresql://ledger@/postgres?host={server}", poolclass=sa.NullPool, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    def clone(writer):
        shop = make_workspace(tmp_path/writer, writer)
        with open(shop.root/"settings.ini", "a") as file: file.write(f"ledger_url = postgresql://ledger@/{name}?host={server}\n")
        return find_workspace(shop.root)
    return clone("berlin"), clone("london")

def note(shop, text, day="09-01"): return Ledger(shop, at(day)).append("note", "churn", "marketing@example.com", {"text": text})
def notes(shop): return [entry.payload["text"] for entry in Ledger(shop).entries("note", subject="churn")]
def ask(shop, statement):
    with Ledger(shop).store.begin() as connection: connection.execute(statement)
def codes(shop): return [reason.code for reason in Ledger(shop).verify().reasons]

ODD = ["<b>", "'); DROP TABLE ledger_entries; --", "🍂 Größe 中文", "\x00 nul", "back\\slash \\u0000", "x"*5000]

def test_whatever_was_typed_comes_back_from_the_server(team):
    for text in ODD: note(team[0], text)
    assert notes(team[0]) == ODD and Ledger(team[0]).verify().passed
    ask(team[0], ledger_table().delete())
    assert Ledger(team[0]).rebuild() == len(ODD) and notes(team[0]) == ODD

def test_a_colleague_sees_what_was_decided_before_pulling_and_stands_behind_it(team):
    berlin, london = team
    first = note(berlin, "from berlin")
    second = note(london, "from london")
    assert second.seen == {"berlin": first.hash} and second.position == first.position + 1
    assert notes(berlin) == notes(london) == ["from berlin", "from london"] and Ledger(london).newest() == second
    assert codes(london) == ["logs_elsewhere", "reach", "anchors"]
    for one, other, writer in ((berlin, london, "berlin"), (london, berlin, "london")): shutil.copy2(log_file(one, writer), log_file(other, writer))
    assert Ledger(berlin).verify().passed and Ledger(london).verify().passed

def test_a_row_removed_on_the_server_comes_back_from_the_log(team):
    for text in ("one", "two", "three"): note(team[0], text)
    for number in (2, 3):
        ask(team[0], ledger_table().delete().where(ledger_table().c.number == number))
        assert notes(team[0]) == ["one", "two", "three"]

def test_an_edited_row_is_found_answers_nothing_and_is_made_again(team):
    for text in ("one", "two"): note(team[0], text)
    ask(team[0], ledger_table().update().where(ledger_table().c.number == 2).values(actor="somebody@example.com"))
    with pytest.raises(LedgerError, match="a row that is no entry"): notes(team[0])
    assert codes(team[0]) == ["row_edited"]
    Ledger(team[0]).rebuild()
    assert notes(team[0]) == ["one", "two"] and Ledger(team[0]).verify().passed

def test_two_copies_of_one_folder_on_one_server_are_a_fork(team, tmp_path):
    note(team[0], "one")
    copy = find_workspace(shutil.copytree(team[0].root, tmp_path/"copy"))
    note(team[0], "two, here")
    with pytest.raises(LedgerError, match="in the database, but not in data/ledger/berlin.jsonl"): note(copy, "two, there")
    two_there = Ledger(make_workspace(tmp_path/"apart", "berlin"), at("09-01"))
    two_there.append("note", "churn", "marketing@example.com", {"text": "one"})
    entry = two_there.append("note", "churn", "marketing@example.com", {"text": "two, there"})
    with open(log_file(copy, "berlin"), "a") as file: file.write(entry_line(entry) + "\n")
    assert "fork" in codes(copy)
    with pytest.raises(LedgerError, match="two histories from its entry 2 on"): note(copy, "three")

def test_a_server_that_goes_away_in_between_leaves_no_line(team, monkeypatch):
    import sqlalchemy as sa
    note(team[0], "one")
    kept = log_file(team[0], "berlin").read_bytes()
    def cut_off(connection, entries): connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
    monkeypatch.setattr("marketing_mlops.governance.ledger.add_entries", cut_off)
    with pytest.raises(LedgerError, match="cannot be used"): note(team[0], "two")
    monkeypatch.undo()
    assert log_file(team[0], "berlin").read_bytes() == kept and notes(team[0]) == ["one"]

APPEND_TEN = """
    from marketing_mlops.governance.ledger import Ledger
    print("ready", flush=True); sys.stdin.readline()
    for i in range(10): Ledger(shop).append("note", "churn", "marketing@example.com", {"text": f"{i}"})
"""

def test_clones_that_append_at_once_take_turns_and_no_two_stand_in_one_place(team):
    processes = [start(shop, APPEND_TEN, stdin=subprocess.PIPE) for shop in team]     # the first use of the database, by both
    for process in processes: process.stdout.readline()
    for process in processes: process.stdin.write("go\n"); process.stdin.flush()
    for process in processes: finished(process)
    assert [entry.position for entry in Ledger(team[0]).entries()] == list(range(1, 21))

def test_whoever_holds_the_ledger_holds_it_for_all_who_share_the_server(team):
    with Ledger(team[0]).locked(), pytest.raises(AlreadyRunning, match="more than 0.05 seconds"), Ledger(team[1]).locked(wait_s=.05): pass
    with Ledger(team[1]).locked(wait_s=.05), Ledger(team[1]).locked(): assert note(team[1], "mine").number == 1

def lines(shop, writer): return log_file(shop, writer).read_bytes().splitlines(keepends=True)
def write(shop, writer, kept): log_file(shop, writer).write_bytes(b"".join(kept)); return kept

@pytest.fixture
def noted(team):
    "Two clones after six entries of Berlin and two of London, whose log Berlin has not pulled."
    for i, text in enumerate(TEXTS, start=1): note(team[0], text, f"09-0{i}")
    for text in ("from london", "again"): note(team[1], text, "09-07")
    return team

@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_log_comes_back_byte_for_byte_from_the_server(noted, damage, capsys):
    berlin, (spoil, said), good = noted[0], DAMAGES[damage], lines(noted[0], "berlin")
    write(berlin, "berlin", spoil(good))
    spoiled = log_file(berlin, "berlin").read_bytes()
    with pytest.raises(LedgerError, match="ledger repair"): note(berlin, "seven")
    assert main(["ledger", "repair", "--workspace", str(berlin.root)]) == 0
    assert said in capsys.readouterr().out and lines(berlin, "berlin") == good
    assert not log_file(berlin, "london").exists(), "a log that was never pulled is not written here"
    (kept,) = berlin.path("data", "state", "damaged").iterdir()
    assert kept.read_bytes() == spoiled and [each for each in notes(berlin) if "london" not in each and each != "again"] == TEXTS
    note(berlin, "seven", "09-08")
    assert notes(noted[1])[-1] == "seven"

def test_the_pulled_log_of_a_colleague_comes_back_as_far_as_it_was_pulled(noted):
    berlin, london = noted
    good = write(berlin, "london", lines(london, "london")[:1])
    note(london, "and a third", "09-08")
    write(berlin, "london", [good[0].replace(b"from london", b"from paris")])
    done = repair_ledger(berlin)
    assert done.is_whole and lines(berlin, "london") == good and len(lines(london, "london")) == 3

def test_edited_rows_of_the_server_are_made_anew_and_rows_that_no_log_here_holds_stay(noted):
    berlin, london = noted
    table = ledger_table()
    ask(berlin, table.update().where(table.c.writer == "berlin", table.c.number == 2).values(actor="somebody@example.com"))
    write(berlin, "berlin", [*lines(berlin, "berlin")[:4], lines(berlin, "berlin")[4].replace(b"five", b"5"), lines(berlin, "berlin")[5]])
    done = repair_ledger(berlin)
    assert (done.is_whole, done.n_rows) == (True, 1) and any("database" in path.name for path in done.kept)
    assert notes(berlin) == notes(london) == [*TEXTS, "from london", "again"] and Ledger(london).verify().status != "fail"

def test_an_entry_that_neither_log_nor_server_holds_whole_is_not_invented(noted):
    berlin = noted[0]
    kept = write(berlin, "berlin", [line.replace(b'"three"', b'"3"') for line in lines(berlin, "berlin")])
    ask(berlin, ledger_table().update().where(ledger_table().c.writer == "berlin", ledger_table().c.number == 3).values(line=kept[2].decode().rstrip("\n")))
    done = repair_ledger(berlin)
    assert not done.is_whole and "entry 3 of berlin is whole neither in the log nor in the database" in done.repairs[0].trouble and lines(berlin, "berlin") == kept

def test_an_edited_line_with_a_hash_of_its_own_stays_a_fork_of_the_server(noted, capsys):
    berlin, good = noted[0], lines(noted[0], "berlin")
    kept = write(berlin, "berlin", [*good[:3], rehashed(good[3], "invented"), *good[4:]])
    assert main(["ledger", "repair", "--workspace", str(berlin.root)]) == 1
    assert "has two whole entries 4" in capsys.readouterr().out and lines(berlin, "berlin") == kept

def test_without_its_server_a_repair_writes_nothing_and_says_why(noted, capsys):
    berlin = noted[0]
    kept = write(berlin, "berlin", [line.replace(b'"three"', b'"3"') for line in lines(berlin, "berlin")])
    settings = berlin.root/"settings.ini"
    settings.write_text(settings.read_text().replace("?host=", "?host=/nowhere"))
    assert main(["ledger", "repair", "--workspace", str(berlin.root)]) == 1
    said = capsys.readouterr().err
    assert "cannot be used" in said and len(said.splitlines()) == 2 and lines(berlin, "berlin") == kept and not berlin.path("data", "state", "damaged").exists()
