"""Nothing asks the network for anything: with a resolver that raises, and without the variables that hush libraries in CI."""
import os, subprocess, sys
from pathlib import Path
import pytest

BIN = Path(sys.executable).parent
RESOLVER = '''
import os, socket
_local = {None, "", "localhost", "127.0.0.1", "::1", "0.0.0.0", b"localhost", b"127.0.0.1"}
def _refuse(name, real):
    def look_up(host=None, *rest, **options):
        if host in _local: return real(host, *rest, **options)
        with open(os.environ["MMOPS_TEST_LOOKUPS"], "a") as f: f.write(f"{name} {host}\\n")
        raise OSError(f"a name was looked up: {host}")
    return look_up
for _name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"): setattr(socket, _name, _refuse(_name, getattr(socket, _name)))
'''

@pytest.fixture
def offline(tmp_path):
    "Environment in which every Python process, children included, notes and refuses look-ups."
    (tmp_path/"site").mkdir()
    (tmp_path/"site"/"sitecustomize.py").write_text(RESOLVER)
    noted = tmp_path/"lookups.txt"
    env = {k: v for k, v in os.environ.items() if k not in ("CI", "PYTEST_CURRENT_TEST", "DO_NOT_TRACK", "MLFLOW_DISABLE_TELEMETRY", "DVC_NO_ANALYTICS")}
    env |= {"PYTHONPATH": str(tmp_path/"site"), "MMOPS_TEST_LOOKUPS": str(noted), "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    return env, noted

def test_the_resolver_of_this_test_bites(offline):
    env, noted = offline
    code = "import socket; socket.getaddrinfo('example.com', 443)"
    assert subprocess.run([sys.executable, "-c", code], env=env, capture_output=True).returncode != 0
    assert "example.com" in noted.read_text()

@pytest.mark.parametrize("command", [("run", "--no-open"), ("status",), ("data", "list"), ("jobs",), ("report", "--list")], ids=" ".join)
def test_no_command_looks_a_name_up(tiny_workspace, offline, command):
    env, noted = offline
    done = subprocess.run([str(BIN/"mmops"), *command], cwd=tiny_workspace, env=env, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout+done.stderr
    assert not noted.exists(), noted.read_text()
