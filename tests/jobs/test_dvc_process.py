"""What is changed of DVC for a block is put back at its end, and one thread at a time changes it."""
import copy, datetime, inspect, logging, os, threading
from pathlib import Path
import pytest
from dvc.output import Output
from dvc.utils.serialize import _yaml
from marketing_mlops.jobs.dvc_process import looked_at_once, open_pipeline, quiet_dvc, written_in_parts
from marketing_mlops.workspace.places import find_workspace, write_text

def changed(): return _yaml.parse_yaml, _yaml._modify_data, Output._build, logging.getLogger("dvc").level, Path.cwd()

@pytest.fixture
def shop(tmp_path):
    write_text(tmp_path/"settings.ini", "[DEFAULT]\ndefault_models =\n")
    write_text(tmp_path/".dvc"/"config", "[core]\n    analytics = false\n    no_scm = true\n")
    write_text(tmp_path/"dvc.yaml", "stages: {}\n")
    return find_workspace(tmp_path)

@pytest.mark.parametrize("error", [None, KeyError, KeyboardInterrupt, GeneratorExit])
def test_all_that_is_dvcs_is_put_back_whatever_ends_the_block(shop, error):
    before = changed()
    try:
        with looked_at_once(), written_in_parts(), open_pipeline(shop), open_pipeline(shop):
            assert all(now != own for now, own in zip(changed(), before))
            if error: raise error
    except BaseException as raised: assert type(raised) is error
    assert changed() == before

def test_all_that_is_dvcs_is_put_back_where_it_cannot_be_opened(tmp_path):
    write_text(tmp_path/"settings.ini", "[DEFAULT]\ndefault_models =\n")
    before = changed()
    with pytest.raises(Exception, match="not inside of a DVC repository"), open_pipeline(find_workspace(tmp_path)): pass
    assert changed() == before

def test_a_second_thread_waits_until_the_first_has_put_everything_back():
    before, order, started = changed(), [], threading.Event()
    def second():
        started.set()
        with quiet_dvc(): order.append("second")
    other = threading.Thread(target=second)
    with quiet_dvc():
        other.start(), started.wait()
        with quiet_dvc(), looked_at_once(): order.append("first")
    other.join()
    assert order == ["first", "second"] and changed() == before

def test_dvc_still_has_the_functions_ours_stand_in_for():
    assert list(inspect.signature(_yaml.parse_yaml).parameters) == ["text", "path", "typ"]
    assert list(inspect.signature(Output._build).parameters) == ["self", "args", "no_progress_bar", "kwargs"]

ODD = {"cmd": "count", "params": {"params.yaml": {"from": datetime.date(2026, 3, 1), 90: None, "says": "yes", "rate": 1e-07, "text": "a: b # c " + "word "*30, "empty": {}}},
       "outs": [{"path": "Übersicht 🍂.csv", "md5": "0"*32}]}

@pytest.mark.parametrize("name", ["dvc.lock", pytest.param("data/replays/dvc.lock", marks=pytest.mark.slow)])
def test_a_record_written_in_parts_has_the_bytes_dvc_writes(tmp_path, name):
    root = Path(__file__).resolve().parents[2]
    ours, theirs = tmp_path/"ours"/"dvc.lock", tmp_path/"theirs"/"dvc.lock"
    for path in (ours, theirs): write_text(path, (root/name).read_text())
    for path, around in ((theirs, quiet_dvc()), (ours, written_in_parts())):
        with around:
            for n in range(2):
                with _yaml.modify_yaml(str(path)) as record:
                    first = next(iter(record["stages"]))
                    record["stages"].update(copy.deepcopy({first: ODD | {"cmd": f"count {n}"}}) | copy.deepcopy({f"new_{n}": ODD}))
    assert ours.read_bytes() == theirs.read_bytes() and len(ours.read_bytes()) > 50_000

def test_a_record_that_cannot_be_written_stays_as_it_was(tmp_path):
    record = write_text(tmp_path/"dvc.lock", "schema: '2.0'\nstages: {}\n")
    with written_in_parts(), pytest.raises(Exception), _yaml.modify_yaml(str(record)) as found: found["stages"]["count"] = dict(cmd=object())
    assert record.read_text() == "schema: '2.0'\nstages: {}\n" and os.listdir(tmp_path) == ["dvc.lock"]
