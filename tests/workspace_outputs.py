"""What is compared before and after something breaks, and how something is broken."""
import hashlib, time

OUTPUTS = ("ingest", "private", "validate", "features", "train", "evaluate", "bundle", "score", "monitor", "report", "metrics", "plots")

# A test workspace carries a copy of the package, which its stages import. This goes to the end of the module through
# which every stage swaps its output in. Nothing happens unless a file `break` says how, and in which stage: then
# everything is computed and written, nothing is in place yet, and the process fails.
BREAK = '''
_put_in_place_unbroken = _put_in_place
def _put_in_place(new, target):
    import signal, time
    root = next(p for p in target.resolve().parents if (p/"settings.ini").exists())
    way, stage = (root/"break").read_text().split() if (root/"break").exists() else ("", "nowhere")
    if stage not in target.parts: return _put_in_place_unbroken(new, target)
    write_text(root/"reached", str(os.getpid()))
    if way == "exception": raise RuntimeError("the disk said no")
    if way == "kill": os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(3600)
'''

def fingerprint(workspace):
    "SHA-256 of every output file of a workspace; a half-written sibling of an output is not one."
    files = [f for name in OUTPUTS for f in (workspace/"data"/name).rglob("*") if f.is_file()]
    names = {f.relative_to(workspace).as_posix(): f for f in files}
    return {name: hashlib.sha256(f.read_bytes()).hexdigest() for name, f in names.items() if "/." not in name}

def until(true, seconds=300):
    "Waits for a condition; the test fails when it never holds."
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(.02)
