"""Writing survives everything, and a workspace is found from everywhere."""
import json, os, random, shutil, signal, subprocess, sys, threading, time
from pathlib import Path
import numpy as np
import pytest
from marketing_mlops.workspace import places
from marketing_mlops.workspace.errors import WorkspaceError
from marketing_mlops.workspace.places import canonical_json, file_sha256, find_workspace, is_workspace, swap_folder, write_json, write_text

def hidden(folder: Path) -> list[str]: return sorted(each.name for each in folder.iterdir() if each.name.startswith("."))

WRITER = """
import sys
from pathlib import Path
from marketing_mlops.workspace.places import swap_folder, write_text
where, n = Path(sys.argv[1]), 0
print("ready", flush=True)
while True:
    n += 1
    write_text(where/"page.html", f"{n}\\n"*20_000)
    with swap_folder(where/"tables") as folder:
        for name in ("a", "b", "c"): (folder/name).write_text(f"{n}\\n"*5_000)
"""

def test_a_writer_killed_at_any_moment_leaves_whole_files_and_whole_folders(tmp_path):
    rng = random.Random(7)
    write_text(tmp_path/"page.html", "0\n"*20_000)
    with swap_folder(tmp_path/"tables") as folder:
        for name in ("a", "b", "c"): (folder/name).write_text("0\n"*5_000)
    for _ in range(12):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE)
        try:
            assert writer.stdout.readline() == b"ready\n"
            time.sleep(rng.uniform(0, .05))
        finally:
            writer.kill(); writer.wait(); writer.stdout.close()
        page = (tmp_path/"page.html").read_text().split()
        assert len(page) == 20_000 and len(set(page)) == 1
        tables = [(tmp_path/"tables"/name).read_text().split() for name in ("a", "b", "c")]
        assert {len(table) for table in tables} == {5_000} and len({word for table in tables for word in table}) == 1
    write_text(tmp_path/"page.html", "last")
    with swap_folder(tmp_path/"tables") as folder: (folder/"a").write_text("last")
    assert hidden(tmp_path) == []

def test_an_interrupted_writer_leaves_the_old_folder_and_no_leftover(tmp_path):
    with swap_folder(tmp_path/"tables") as folder: (folder/"a").write_text("old")
    with pytest.raises(KeyboardInterrupt):
        with swap_folder(tmp_path/"tables") as folder:
            (folder/"a").write_text("new")
            raise KeyboardInterrupt
    assert (tmp_path/"tables"/"a").read_text() == "old" and hidden(tmp_path) == []

def test_a_folder_at_work_in_another_process_is_not_taken_for_a_leftover(tmp_path):
    code = ("import sys; from marketing_mlops.workspace.places import swap_folder\n"
            f"with swap_folder({str(tmp_path/'tables')!r}) as folder:\n"
            "    print(folder, flush=True); sys.stdin.readline(); (folder/'a').write_text('slow')")
    slow = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        at_work = Path(slow.stdout.readline().strip())
        with swap_folder(tmp_path/"tables") as folder: (folder/"a").write_text("quick")
        assert at_work.is_dir()
        slow.communicate("\n")
        assert slow.returncode == 0 and (tmp_path/"tables"/"a").read_text() == "slow" and hidden(tmp_path) == []
    finally:
        slow.kill(); slow.wait()

def test_writers_of_one_target_do_not_disturb_each_other(tmp_path):
    errors = []
    def write(word):
        try:
            for _ in range(25):
                write_text(tmp_path/"page.html", word*1_000)
                with swap_folder(tmp_path/"tables") as folder:
                    for name in ("a", "b"): (folder/name).write_text(word*1_000)
        except BaseException as e: errors.append(e)
    threads = [threading.Thread(target=write, args=(word,)) for word in "xyz"]
    [each.start() for each in threads]; [each.join() for each in threads]
    assert errors == []
    assert len(set((tmp_path/"page.html").read_text())) == 1
    assert (tmp_path/"tables"/"a").read_text() == (tmp_path/"tables"/"b").read_text()
    assert hidden(tmp_path) == []

def test_without_an_exchange_the_folder_is_replaced_by_two_renames(tmp_path, monkeypatch):
    monkeypatch.setattr(places, "_exchange", lambda new, target: False)
    for word in ("first", "second"):
        with swap_folder(tmp_path/"tables") as folder: (folder/"a").write_text(word)
    assert (tmp_path/"tables"/"a").read_text() == "second" and hidden(tmp_path) == []

@pytest.mark.parametrize("killed_after", ["first rename", "second rename"])
def test_a_run_killed_between_two_renames_is_mended_by_the_next(tmp_path, monkeypatch, killed_after):
    with swap_folder(tmp_path/"tables") as folder: (folder/"a").write_text("old")
    if killed_after == "first rename": (tmp_path/"tables").rename(tmp_path/".tables.before")
    else: shutil.copytree(tmp_path/"tables", tmp_path/".tables.before")
    with pytest.raises(ValueError):
        with swap_folder(tmp_path/"tables"): raise ValueError
    assert (tmp_path/"tables"/"a").read_text() == "old" and hidden(tmp_path) == []

def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    write_text(tmp_path/"page.html", "old")
    def full(descriptor): raise OSError(28, "No space left on device")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"): write_text(tmp_path/"page.html", "new")
    assert (tmp_path/"page.html").read_text() == "old" and hidden(tmp_path) == []

def test_text_that_cannot_be_encoded_leaves_the_old_file(tmp_path):
    write_text(tmp_path/"page.html", "old")
    with pytest.raises(UnicodeEncodeError): write_text(tmp_path/"page.html", "\ud800")
    assert (tmp_path/"page.html").read_text() == "old" and hidden(tmp_path) == []

def test_access_rights_survive_a_replacement_and_follow_the_umask_at_first(tmp_path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path/"page.html", "first")
        with swap_folder(tmp_path/"tables"): pass
    finally: os.umask(before)
    assert (tmp_path/"page.html").stat().st_mode & 0o777 == 0o640
    assert (tmp_path/"tables").stat().st_mode & 0o777 == 0o750
    os.chmod(tmp_path/"page.html", 0o600)
    write_text(tmp_path/"page.html", "second")
    assert (tmp_path/"page.html").stat().st_mode & 0o777 == 0o600

def test_a_link_is_replaced_and_its_target_left_alone(tmp_path):
    write_text(tmp_path/"cache", "cached")
    (tmp_path/"page.html").symlink_to(tmp_path/"cache")
    write_text(tmp_path/"page.html", "mine")
    assert (tmp_path/"cache").read_text() == "cached" and (tmp_path/"page.html").read_text() == "mine"

def test_a_file_in_the_place_of_a_folder_is_never_deleted(tmp_path):
    write_text(tmp_path/"tables", "precious")
    with pytest.raises(WorkspaceError, match="is a file"):
        with swap_folder(tmp_path/"tables"): pass
    assert (tmp_path/"tables").read_text() == "precious"

@pytest.mark.parametrize("name", ["a b", "ümlaut", "[brackets]", "star*", "🎉"])
def test_leftovers_of_odd_names_are_cleared_and_neighbours_are_not(tmp_path, name):
    (tmp_path/f".{name}.dead.tmp").write_text("left")
    (tmp_path/".other.dead.tmp").write_text("neighbour")
    write_text(tmp_path/name, "x")
    assert hidden(tmp_path) == [".other.dead.tmp"]

def test_json_has_one_spelling():
    assert canonical_json({"b": 1, "a": [np.int64(2), np.float64(.5), np.bool_(True)]}) == canonical_json({"a": [2, .5, True], "b": 1})
    with pytest.raises(ValueError): canonical_json([np.float64("nan")])
    with pytest.raises(TypeError, match="a set cannot be written"): canonical_json({1, 2})

def test_line_ends_are_written_as_given(tmp_path):
    assert write_text(tmp_path/"x", "a\r\nb\n").read_bytes() == b"a\r\nb\n"

def test_a_large_file_has_the_digest_of_its_bytes(tmp_path):
    import hashlib
    (tmp_path/"big").write_bytes(b"ab"*3_000_000)
    assert file_sha256(tmp_path/"big") == hashlib.sha256(b"ab"*3_000_000).hexdigest()

@pytest.fixture
def workspace(tmp_path):
    (tmp_path/"settings.ini").write_text("[DEFAULT]\nreporting_currency = EUR\n")
    (tmp_path/"nbs"/"jobs").mkdir(parents=True)
    return tmp_path.resolve()

def test_a_workspace_is_found_by_argument_variable_and_working_directory(workspace, monkeypatch, tmp_path_factory):
    monkeypatch.delenv("MMOPS_WORKSPACE", raising=False)
    assert find_workspace(workspace/"nbs"/"jobs").root == workspace
    assert find_workspace(workspace/"settings.ini").root == workspace
    monkeypatch.chdir(workspace/"nbs")
    assert find_workspace().root == workspace
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    monkeypatch.setenv("MMOPS_WORKSPACE", str(workspace/"nbs"))
    assert find_workspace().root == workspace

def test_the_installed_package_leads_to_its_own_workspace(repository, monkeypatch, tmp_path):
    monkeypatch.delenv("MMOPS_WORKSPACE", raising=False)
    monkeypatch.chdir(tmp_path)
    assert find_workspace().root == repository

def test_a_named_place_without_a_workspace_is_refused_and_not_replaced_by_another(workspace, monkeypatch, tmp_path_factory):
    monkeypatch.chdir(workspace)
    empty = tmp_path_factory.mktemp("empty")
    monkeypatch.setenv("MMOPS_WORKSPACE", str(empty))
    with pytest.raises(WorkspaceError, match="MMOPS_WORKSPACE") as e: find_workspace()
    assert str(empty) in e.value.problem and str(e.value).count("\n") == 1
    with pytest.raises(WorkspaceError, match="the argument"): find_workspace(empty)

def test_settings_of_another_program_are_passed_over(workspace):
    (workspace/"nbs"/"settings.ini").write_text("[DEFAULT]\nlib_name = some_library\nnbs_path = nbs\n")
    assert not is_workspace(workspace/"nbs")
    assert find_workspace(workspace/"nbs"/"jobs").root == workspace

@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "a\\b", "a\0b"])
def test_no_name_climbs_out_of_its_place(workspace, name):
    here = find_workspace(workspace)
    for place in (here.source_folder, here.ingested, here.private, here.accepted, here.report_folder, here.runs):
        with pytest.raises(WorkspaceError): place(name)

def test_all_places_lie_below_the_root(workspace):
    here = find_workspace(workspace)
    found = [here.source_folder("bank-marketing"), here.ingested("x"), here.private("x"), here.accepted("x"), here.report_folder("x"), here.runs("report", "x"), here.state]
    assert all(workspace in place.parents for place in found) and len(set(found)) == len(found)
