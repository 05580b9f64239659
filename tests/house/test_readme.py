"""What README promises can be typed."""
import re, subprocess, sys
from pathlib import Path
import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
README = (ROOT/"README.md").read_text() if (ROOT/"README.md").is_file() else ""
BLOCKS = [line.split("#")[0].strip() for block in re.findall(r"```(?:sh|bash|console|shell)?\n(.*?)```", README, re.S) for line in block.splitlines()]
COMMANDS = sorted({b.removeprefix("$ ") for b in BLOCKS if b} | {c for c in re.findall(r"`((?:make|mmops|python3? tasks\.py) [^`]*)`", README)})

def test_the_first_screen_says_what_to_type():
    first = README[:3000]
    for command in ("make run", "make lab"): assert command in first

@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("make ")])
def test_each_make_target_of_readme_exists(command):
    done = subprocess.run(["make", "-n", *command.split()[1:]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

@pytest.mark.parametrize("command", [c for c in COMMANDS if c.startswith("mmops ")])
def test_each_command_of_readme_is_known_with_its_options(command):
    words = command.split()[1:]
    name = words[:2] if words[0] == "data" else words[:1]
    done = subprocess.run([str(BIN/"mmops"), *name, "--help"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for option in (w.split("=")[0] for w in words if w.startswith("--")): assert option in done.stdout, f"{option} is not an option of {' '.join(name)}"
