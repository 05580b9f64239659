"""What a backup holds comes back, byte for byte, and going back never forgets a decision."""
import gzip, os, shutil, tarfile, io
import pytest
from governed_workspace import at, contents, killed, make_workspace
from marketing_mlops.governance.backups import BackupError, restore_backup, write_backup
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.governance.ledger_databases import store_file
from marketing_mlops.governance.text_log import log_file

def note(shop, text): return Ledger(shop, at("09-03")).append("note", "churn", "marketing@example.com", {"text": text})
def notes(shop): return [entry.payload["text"] for entry in Ledger(shop).entries("note")]

@pytest.fixture
def kept(three, tmp_path):
    "A workspace and its backup."
    for folder, name in (("bundles", "5f2a/graph.onnx"), ("live", "churn.json"), ("governance", "allowed_signers"), ("state", "schedules/due.json")):
        path = three.path("data", folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"{folder} {name}".encode()*100)
    write_backup(three, tmp_path/"kept.backup", clock=at("09-02"))
    return three, tmp_path/"kept.backup"

def lose(shop, *names):
    for name in names: shutil.rmtree(shop.path("data", name), ignore_errors=True)

@pytest.mark.parametrize("lost", [("state",), ("ledger",), ("live", "bundles"), ("state", "ledger", "live", "bundles", "governance")], ids="-".join)
def test_what_was_lost_comes_back_as_it_was(kept, lost):
    shop, file = kept
    before = contents(shop)
    lose(shop, *lost)
    restore_backup(shop, file)
    assert contents(shop) == before and notes(shop) == ["one", "two", "three"] and Ledger(shop).verify().passed
    assert shop.path("data", "state", "schedules", "due.json").exists() and not list(shop.path("data").glob(".restore-*"))

def test_a_restored_copy_writes_under_a_name_of_its_own_and_makes_no_fork(kept, tmp_path):
    shop, file = kept
    lose(shop, "state")
    restore_backup(shop, file)
    assert note(shop, "four").writer != "laptop" and notes(shop) == ["one", "two", "three", "four"] and Ledger(shop).verify().passed

def test_a_backup_goes_into_an_empty_folder_of_another_machine(kept, tmp_path):
    other = make_workspace(tmp_path/"other", "office")
    restore_backup(other, kept[1])
    assert notes(other) == ["one", "two", "three"] and note(other, "four").seen

def test_nothing_that_was_decided_since_is_overwritten(kept):
    shop, file = kept
    note(shop, "four")
    before = contents(shop)
    with pytest.raises(BackupError, match="holds 1 entry that it lacks"): restore_backup(shop, file)
    log_file(shop, "laptop").write_text("")                       # only the database knows it now
    with pytest.raises(BackupError, match="holds 1 entry that it lacks"): restore_backup(shop, file)
    assert contents(shop) | {"data/ledger/laptop.jsonl": b""} == before | {"data/ledger/laptop.jsonl": b""}

def test_state_that_is_here_and_differs_is_not_overwritten(kept):
    shop, file = kept
    shop.path("data", "state", "schedules", "due.json").write_text("newer")
    lose(shop, "live")
    with pytest.raises(BackupError, match="data/state/schedules/due.json is here with other content"): restore_backup(shop, file)
    assert not shop.path("data", "live").exists()

def test_a_look_at_a_workspace_that_lost_its_state_does_not_stand_in_the_way_of_its_backup(three, tmp_path):
    "`mmops status` and `mmops live` leave behind what they have read; nobody has to move that aside first."
    looks = [three.state/name for name in ("signatures_read.json", "stages_seen.json")]
    old = tmp_path/"old.backup"
    for file in looks: file.write_text("{}")
    write_backup(three, old, clock=at("09-02"))
    lose(three, "state")
    three.state.mkdir(parents=True)
    for file in looks: file.write_text('{"read": "since"}')
    restore_backup(three, old)
    assert notes(three) == ["one", "two", "three"] and all(file.read_text() == '{"read": "since"}' for file in looks)

def test_what_was_looked_at_in_an_older_backup_is_passed_over(three, tmp_path, monkeypatch):
    monkeypatch.setattr("marketing_mlops.governance.backups._RECALLED", ())           # as it was written before
    (three.state/"stages_seen.json").write_text("{}")
    made = write_backup(three, tmp_path/"old.backup", clock=at("09-02"))
    monkeypatch.undo()
    (three.state/"stages_seen.json").write_text('{"read": "since"}')
    restore_backup(three, tmp_path/"old.backup")
    assert "data/state/stages_seen.json" in made.digests and (three.state/"stages_seen.json").read_text() == '{"read": "since"}'

def test_a_backup_that_is_not_there_and_one_that_is_damaged_are_told_apart(kept, tmp_path):
    shop, file = kept
    with pytest.raises(BackupError, match="There is no file monday.backup"): restore_backup(shop, tmp_path/"monday.backup")
    content = gzip.decompress(file.read_bytes())
    (tmp_path/"cut.backup").write_bytes(gzip.compress(content[:content.rindex(b"manifest.json")]))
    with pytest.raises(BackupError, match="cut short or damaged"): restore_backup(shop, tmp_path/"cut.backup")

def test_a_backup_altered_in_any_place_restores_nothing(kept, tmp_path):
    shop, file = kept
    lose(shop, "live", "state")
    before, content = contents(shop), gzip.decompress(file.read_bytes())
    for i in range(0, len(content), 997):                         # one bit, wherever it is
        changed = bytearray(content)
        changed[i] ^= 1
        (tmp_path/"altered").write_bytes(gzip.compress(bytes(changed), 1))
        try: restore_backup(shop, tmp_path/"altered")
        except BackupError: assert contents(shop) == before
        else:                                                     # padding, and times that nobody reads
            assert notes(shop) == ["one", "two", "three"]
            lose(shop, "live", "state")

@pytest.mark.parametrize("name", ["../../../evil", "data/state/../../../evil", "/var/tmp/mmops-evil", "data/runs/evil", "settings.ini", "data/state"])
def test_an_archive_that_reaches_elsewhere_is_refused(three, tmp_path, name):
    with tarfile.open(tmp_path/"evil.backup", "w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = 4
        archive.addfile(member, io.BytesIO(b"evil"))
    with pytest.raises(BackupError, match="which no backup holds"): restore_backup(three, tmp_path/"evil.backup")
    assert not [path for path in tmp_path.rglob("evil")] and not os.path.exists("/var/tmp/mmops-evil")

def test_a_ledger_that_is_broken_is_neither_kept_nor_brought_back(three, tmp_path):
    log_file(three, "laptop").write_text(log_file(three, "laptop").read_text().replace("two", "ten"))
    with pytest.raises(BackupError, match="was edited"): write_backup(three, tmp_path/"broken.backup")
    assert not list(tmp_path.glob("*broken*"))

def test_a_full_disk_leaves_no_half_backup(three, tmp_path, monkeypatch):
    def full(*_): raise OSError(28, "No space left on device")
    monkeypatch.setattr("marketing_mlops.governance.backups.os.fsync", full)
    with pytest.raises(BackupError, match="No space left"): write_backup(three, tmp_path/"full.backup")
    assert not [path for path in tmp_path.iterdir() if "backup" in path.name]

def test_a_restore_killed_in_the_middle_is_completed_by_another(kept):
    shop, file = kept
    before = contents(shop)
    lose(shop, "state", "ledger", "live", "bundles")
    killed(shop, f"""
        from marketing_mlops.governance import backups
        def put(source, target, put=backups._put, seen=[]):
            seen.append(put(source, target))
            if len(seen) == 3: os.kill(os.getpid(), signal.SIGKILL)
        backups._put = put
        backups.restore_backup(shop, {str(file)!r})""")
    restore_backup(shop, file)
    assert contents(shop) == before and notes(shop) == ["one", "two", "three"] and store_file(shop).exists()
    assert not list(shop.path("data").glob(".restore-*"))

def test_only_its_owner_may_read_a_backup(kept): assert kept[1].stat().st_mode & 0o077 == 0

def test_a_backup_leaves_out_what_was_last_found_whole_and_a_restored_copy_looks_at_everything(kept, tmp_path):
    from marketing_mlops.governance.ledger_looks import check_ledger, look_file
    shop, _ = kept
    assert check_ledger(Ledger(shop)).passed and look_file(shop).exists()
    made = write_backup(shop, tmp_path/"looked.backup", clock=at("09-03"))
    assert "data/state/ledger_look.json" not in made.digests and "data/state/ledger_marks.json" not in made.digests
    note(shop, "four"), check_ledger(Ledger(shop))
    other = make_workspace(tmp_path/"other", "office")
    restore_backup(other, tmp_path/"looked.backup")
    assert "quick_look" not in [reason.code for reason in check_ledger(Ledger(other)).reasons]
