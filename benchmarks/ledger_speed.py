"""What one decision costs to record, and one question costs to ask, in a ledger of 100,000 entries.

The entries are notes about 20 models, of which every fiftieth is a release: 100 releases of each model. They are written
by the ledger's own functions, then measured: `append`; "what was live at T" for random models and moments, each asked of a
workspace opened anew, as a command does; the same by `live`; the whole comparison after a pull; `verify`, which reads everything, and the
quick look a release takes; whole releases, one after another; the check of pointers before a score; and the commands `mmops ledger` and
`mmops status`, each a process of its own, whose start is in the figure.

An append waits until its line is on the disk, so its time is mostly the disk's. The disk is measured by itself in the same run
(a line added to a file and flushed), and everything once more in a folder that is memory, where flushing costs nothing.
The load of the machine during the run is recorded, since other work lengthens every wait; so is what a fixed piece of work takes (reading
one entry's JSON), which is more where neighbours share the processor and lets two records be compared.

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

def few(times):
    "Of measurements too few for a hundredth: the middle and the longest."
    wall, computed = (sorted(each) for each in zip(*times))
    return dict(p50_ms=round(wall[len(wall)//2], 1), longest_ms=round(wall[-1], 1), computing_p50_ms=round(computed[len(computed)//2], 1), n=len(times))

def yardstick_us():
    "Microseconds of computing for reading one entry's JSON."
    line, began = json.dumps({f"name_{i}": "x"*40 for i in range(13)}), time.process_time()
    for _ in range(20_000): json.loads(line)
    return round((time.process_time() - began)/20_000*1e6, 2)

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
    from marketing_mlops.workspace.places import write_text
    from governed_workspace import make_workspace
    shop, last, lines = make_workspace(folder), None, []
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

def looks(shop):
    "The complete look, the quick one after it, releases, and what is asked before a score."
    from governed_workspace import approved, put_live, small_bundle
    from marketing_mlops.governance.ledger import Ledger
    from marketing_mlops.governance.ledger_looks import check_ledger
    from marketing_mlops.governance.live_checks import check_champions, pointer_reasons
    complete, quick, releases, pointers, bundles = [], [], [], [], [f"churn_{days}" for days in range(30, 36)]
    for _ in range(3): assert timed(complete, Ledger(shop).verify).status != "fail"
    assert check_ledger(Ledger(shop)).status != "fail"
    for _ in range(20): assert timed(quick, lambda: check_ledger(Ledger(shop))).reasons[0].code == "quick_look"
    for i, name in enumerate(bundles):
        folder = approved(shop, small_bundle(shop, name, even_after=30. + i), f"03-{i+1:02}")
        timed(releases, lambda: put_live(shop, folder, f"03-{i+1:02}"))
        timed(pointers, lambda: check_champions(shop, ["churn"]))
    assert pointer_reasons(shop, ["churn"]) == []
    return dict(verify=few(complete), quick_look=few(quick), release=few(releases), check_before_a_score=few(pointers))

def commands(shop):
    "Whole commands; their computing is that of the child."
    found = {}
    for words in (["ledger"], ["ledger", "--about", MODELS[0]], ["status"], ["live"]):
        times = []
        for _ in range(3):
            began, before = time.perf_counter(), os.times()
            subprocess.run([str(Path(sys.executable).with_name("mmops")), *words, "--workspace", str(shop.root)], check=True, capture_output=True)
            after = os.times()
            times.append(((time.perf_counter() - began)*1000, (after.children_user + after.children_system - before.children_user - before.children_system)*1000))
        found["mmops " + " ".join(words)] = few(times)
    return found

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
    one = []
    timed(one, Ledger(shop).catch_up)
    return found | dict(seconds_to_compare_all=round(one[0][0]/1000, 2), **looks(shop), commands=commands(shop), yardstick_us=yardstick_us(), log_mb=round(sum(p.stat().st_size for p in (folder/"data"/"ledger").iterdir())/1e6, 1))

def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--entries", type=int, default=100_000)
    parser.add_argument("--appends", type=int, default=2_000)
    parser.add_argument("--into", type=Path, default=RESULT)
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT/"tests"/"governance"))      # the small workspace of the tests, with a model that can be released
    places = {"on the disk": None} | ({"in memory": "/dev/shm"} if Path("/dev/shm").is_dir() else {})
    found, began = {}, os.getloadavg()[:1]
    for name, parent in places.items():
        with tempfile.TemporaryDirectory(dir=parent) as folder: found[name] = measured(Path(folder)/"shop", options.entries, options.appends)
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
