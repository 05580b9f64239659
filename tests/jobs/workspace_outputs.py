"""What is compared before and after something breaks."""
import hashlib, time

OUTPUTS = ("ingest", "private", "validate", "report", "metrics", "plots")

def fingerprint(workspace):
    "SHA-256 of every output file of a workspace."
    files = [f for name in OUTPUTS for f in (workspace/"data"/name).rglob("*") if f.is_file()]
    return {f.relative_to(workspace).as_posix(): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}

def until(true, seconds=60):
    "Waits for a condition; the test fails when it never holds."
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(.02)
