"""Nothing asks the network for anything: with a resolver that raises, and without the variables that hush libraries in CI."""
import subprocess, sys
from pathlib import Path
import pytest

BIN = Path(sys.executable).parent
def test_the_resolver_of_this_test_bites(offline):
    env, noted = offline
    code = "import socket; socket.getaddrinfo('example.com', 443)"
    assert subprocess.run([sys.executable, "-c", code], env=env, capture_output=True).returncode != 0
    assert "example.com" in noted.read_text()

def test_a_whole_run_looks_no_name_up(first_run):
    assert "campaign_readout.html" in (first_run/"printed.txt").read_text()
    assert not (first_run/"lookups.txt").exists(), (first_run/"lookups.txt").read_text()

@pytest.mark.parametrize("command", [("status",), ("data", "list"), ("jobs",), ("report", "--list")], ids=" ".join)
def test_no_command_looks_a_name_up(tiny_workspace, offline, command):
    env, noted = offline
    done = subprocess.run([str(BIN/"mmops"), *command], cwd=tiny_workspace, env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout+done.stderr
    assert not noted.exists(), noted.read_text()
