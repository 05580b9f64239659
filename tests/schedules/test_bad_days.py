"A full disk, a clock that jumps, a file of which half was saved, a damaged database: said, survived, and nothing done twice."
import errno, json
from datetime import datetime, timezone
import pytest
from small_disk import on_small_disk
from marketing_mlops.schedules.alerts import Alert, alert_events, journal_path, raise_alert
from marketing_mlops.workspace.places import find_workspace
from marketing_mlops.workspace.reserve import keep_reserve, reserve_path

MONDAY = datetime(2026, 4, 6, 5, tzinfo=timezone.utc)
SETTINGS = "[DEFAULT]\nreporting_currency = EUR\n[markets]\nDE = Europe/Berlin, monday, 1, DE\n"

@pytest.fixture
def workspace(tmp_path):
    (tmp_path/"settings.ini").write_text(SETTINGS)
    return find_workspace(tmp_path)

def failed(hour): return Alert("failed", "hourly", MONDAY.replace(hour=hour), "It failed.", "Read its page.")

def test_an_alert_is_written_on_a_disk_that_is_really_full(tmp_path):
    said = on_small_disk(tmp_path, f"""
(disk/"settings.ini").write_text({SETTINGS!r})
from datetime import datetime, timezone
from marketing_mlops.schedules.alerts import Alert, alert_events, raise_alert
from marketing_mlops.workspace.places import find_workspace
from marketing_mlops.workspace.reserve import keep_reserve, reserve_path
workspace = find_workspace(disk)
assert keep_reserve(workspace.state)
fill()
for hour in range(20): assert raise_alert(Alert("failed", "hourly", datetime(2026, 4, 6, hour, tzinfo=timezone.utc), "It failed. "*30, "Read its page."), workspace)
assert not keep_reserve(workspace.state)                # the rest of it is for more alerts
print(len(alert_events(workspace)), reserve_path(workspace.state).exists())
(disk/"filler").unlink()
print(keep_reserve(workspace.state))
""", megabytes=8)
    assert said.split() == ["20", "False", "True"]

def test_an_alert_that_finds_no_room_leaves_no_half_line(workspace, monkeypatch):
    raise_alert(failed(1), workspace, now=MONDAY)
    before = journal_path(workspace).read_bytes()
    def half(descriptor, content, write=__import__("os").write):
        write(descriptor, content[:10])
        raise OSError(errno.ENOSPC, "No space left on device")
    with monkeypatch.context() as patch:
        patch.setattr("marketing_mlops.schedules.alerts.os.write", half)
        with pytest.raises(OSError, match="No space left"): raise_alert(failed(2), workspace, now=MONDAY)
    assert journal_path(workspace).read_bytes() == before
    assert raise_alert(failed(2), workspace, now=MONDAY) and len(alert_events(workspace)) == 2
