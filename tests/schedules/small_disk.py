"A disk of a few megabytes that exists for one Python process and disappears with it."
import subprocess, sys
import pytest

def on_small_disk(folder, code, *, megabytes, environment=None):
    "Runs Python code with a file system of its own mounted at `folder`; `code` finds it as `disk`, and `fill()` leaves no byte free."
    probe = subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "none", str(folder)], capture_output=True, text=True) if sys.platform == "linux" else None
    if probe is None or probe.returncode: pytest.skip(f"no file system can be mounted here ({probe.stderr.strip() if probe else sys.platform})")
    mount = f'mount -t tmpfs -o size={megabytes}m none "$0" && cd "$0" && exec "$@"'
    done = subprocess.run(["unshare", "-rm", "sh", "-c", mount, str(folder), sys.executable, "-c", FILL + code, str(folder)], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout

FILL = '''
import sys
from pathlib import Path
disk = Path(sys.argv[1])
def fill():
    size = 1 << 16
    with open(disk/"filler", "ab", buffering=0) as filler:
        while size:
            try: filler.write(b"x"*size)
            except OSError: size //= 2
'''
