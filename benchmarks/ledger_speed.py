"""What one decision costs to record, and one question costs to ask, in a ledger of 100,000 entries.

The entries are notes about 20 models, of which every fiftieth is a release: 100 releases of each model. They are written
by the ledger's own functions, then measured: `append`; "what was live at T" for random models and moments, each asked of a
workspace opened anew, as a command does; the same by `live`; the whole comparison after a pull; and `verify`, which reads everything.

An append waits until its line is on the disk, so its time is mostly the disk's. The disk is measured by itself in the same run
(a line added to a file and flushed), and everything once more in a folder that is memory, where flushing costs nothing.
The load of the machine during the run is recorded, since other work lengthens every wait.

    python benchmarks/ledger_speed.py [--entries 100000] [--appends 2000]
"""
import argparse, json, os, subprocess, sys, tempfile, time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from statistics import quantiles
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT/"benchmarks"/"results"/"ledger_speed.json"
MODELS = [f"model_{i:02}" for i in range(20)]
BEGAN = datetime(2024, 1, 1, tzinfo=timezone.utc)
MOST_APPEND_MS, MOST_LIVE_MS = 5, 20     # p99 of both

def percentiles(times):
    "Of the time on the clock, and of what this process computed meanwhile, which other work on the machine does not lengthen."
    wall, computed = (quantiles(each, n=100) for each in zip(*times))
    return dict(p50_ms=round(wall[49], 3), p99_ms=round(wall[98], 3), computing_p50_ms=round(computed[49], 3), computing_p99_ms=round(computed[98], 3), n=len(times))

def timed(times, call):
    started, computed = time.perf_counter(), time.process_time()
    found = call()
    times.append(((time.perf_counter() - started)*1000, (time.process_time() - computed)*1000))
    return found

def drafts(n):
    "Kind, subject, payload and moment of each entry."
    for i in range(n):
        model, at = MODELS[i % len(MODELS)], BEGAN + timedelta(minutes=5*i)
        facts = dict(bundle_hash=f"{i:064x}", approver="model-owner@example.com", reason="", before=f"{max(i-1000, 0):064x}", verdict="pass")
        yield ("released", model, facts, at) if (i//len(MODELS)) % 50 == 0 else ("note", model, {"text": f"Looked at {model}: complaints as usual"}, at)

def filled(folder, n):
    "A workspace with n entries, made from its log as in a clone."
    import marketing_mlops.governance.live_pointers      # declares the kinds
    from marketing_mlops.governance.ledger import Ledger
    from marketing_mlops.governance.ledger_entries import LedgerEntry, entry_line, instant_text, next_entry
    from marketing_mlops.governance.text_log import log_file
    from marketing_mlops.workspace.places import find_workspace, write_text
    write_text(folder/"settings.ini", "[DEFAULT]\nreporting_currency = EUR\n")
    write_text(folder/"data"/"state"/"ledger_writer", "laptop\n")
    shop, last, lines = find_workspace(folder), None, []
    for kind, model, facts, at in drafts(n):
        last = next_entry(LedgerEntry(kind, model, "marketing@example.com", facts, instant_text(at), instant_text(at), "laptop", 0, 0), last)
        lines.append(entry_line(last))
    write_text(log_file(shop, "laptop"), "".join(f"{line}\n" for line in lines))
    started = time.perf_counter()
    assert Ledger(shop).catch_up() == n
    return shop, round(time.perf_counter() - started, 2)

def disk(folder, n):
    "Percentiles of adding a line to a file and flushing it, with nothing else."
    times = []
    with open(folder/"plain", "ab", buffering=0) as file:
        for _ in range(n): timed(times, lambda: (file.write(b"x"*600), os.fsync(file.fileno())))
    return percentiles(times)

def live_times(shop, n):
    from marketing_mlops.governance.live_pointers import live, what_was_live
    rng, at, now = np.random.default_rng(5), [], []
    for _ in range(n):
        model, then = MODELS[rng.integers(len(MODELS))], BEGAN + timedelta(minutes=int(rng.integers(5*100_000)))
        timed(at, lambda: what_was_live(shop, model, then))
        timed(now, lambda: live(shop, model))
    return dict(live_at=percentiles(at), live_now=percentiles(now))

def measured(folder, n, appends):
    "Everything in one folder."
    from marketing_mlops.governance.ledger import Ledger
    from marketing_mlops.governance.ledger_marks import marks_file
    shop, built = filled(folder, n)
    ledger, times = Ledger(shop), []
    for i in range(20): ledger.append("note", MODELS[0], "marketing@example.com", {"text": "warm"})
    for i in range(appends): timed(times, lambda: ledger.append("note", MODELS[i % 20], "marketing@example.com", {"text": f"Looked again, {i}"}))
    found = dict(seconds_to_build=built, append=percentiles(times), flush_alone=disk(folder, appends), **live_times(shop, 300))
    marks_file(shop).unlink()
    one, two = [], []
    timed(one, Ledger(shop).catch_up)
    assert timed(two, Ledger(shop).verify).status != "fail"
    return found | dict(seconds_to_compare_all=round(one[0][0]/1000, 2), seconds_to_verify=round(two[0][0]/1000, 2), log_mb=round(sum(p.stat().st_size for p in (folder/"data"/"ledger").iterdir())/1e6, 1))

def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--appends", type=int, default=2_000)
    parser.add_argument("--into", type=Path, default=RESULT)
    options = parser.parse_args()
    places = {"on the disk": None} | ({"in memory": "/dev/shm"} if Path("/dev/shm").is_dir() else {})
    found, began = {}, os.getloadavg()[:1]
    for name, parent in places.items():
        with tempfile.TemporaryDirectory(dir=parent) as folder: found[name] = measured(Path(folder), options.entries, options.appends)
        print(name, json.dumps(found[name]), flush=True)
    def reached(most, name, what): return {place: bool(each[name][what] <= most) for place,each in found.items()}
    targets = dict(append=(MOST_APPEND_MS, "append"), live_at=(MOST_LIVE_MS, "live_at"))
    record = dict(command=f"python benchmarks/ledger_speed.py --entries {options.entries} --appends {options.appends}", seed=5, entries=options.entries, cores=os.cpu_count(), load=[round(each, 1) for each in (*began, *os.getloadavg()[:1])], places=found,
                  targets=dict(append_p99_ms=MOST_APPEND_MS, live_at_p99_ms=MOST_LIVE_MS),
                  reached={name: dict(on_the_clock=reached(*asked, "p99_ms"), computing=reached(*asked, "computing_p99_ms")) for name,asked in targets.items()},
                  commit=subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip())
    options.into.write_text(json.dumps(record, indent=1) + "\n")
    return int(not all(all(each["computing"].values()) for each in record["reached"].values()))

if __name__ == "__main__": sys.exit(main())
