"""How long a question about one number takes in a workspace with 10,000 runs.

The workspace has the locks, parameters and mappings of this repository and none of its data, as after a clone. Its runs are
generated: a manifest for every stage in the locks, and reports of four kinds for ten subjects each, one a day, up to the
number asked for. Every manifest has the size of a real one; the figures are random, and two of them are known: one stands
in a newest run, one only in the oldest.

Each question is asked of a workspace opened anew, with everything imported; the first one is asked once before it is
measured. Besides a figure by its name and numbers by their value, a table and a model are asked, and whole commands,
each a process of its own, whose start is in the figure. Time on the clock and computing are told apart, since other work on the
machine lengthens the first.

    python benchmarks/lineage.py [--runs 10000] [--repeats 5]
"""
import argparse, json, os, shutil, subprocess, sys, tempfile, time
from datetime import datetime, timedelta, timezone
from pathlib import Path
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT/"benchmarks"/"results"/"lineage.json"
MOST_MS, SEED = 200, 11
REPORTS = ("weekly_performance", "data_quality", "monitoring", "campaign_readout")
BEGAN = datetime(2025, 9, 1, 6, tzinfo=timezone.utc)
TODAY, LONG_AGO = 319_874.99, 271_828.18       # figures of the newest and of the oldest run of one report
KEPT = ("settings.ini", "params.yaml", "dvc.yaml", "dvc.lock", "data/replays/params.yaml", "data/replays/dvc.lock", "data/many/params.yaml", "data/sources", "data/live")

def manifest(job, key, at, run_id, rng, net):
    "What a run leaves, as long as a real one."
    inputs = {f"data/validate/online-retail/{name}.parquet": rng.bytes(32).hex() for name in ("customers", "order_lines", "orders", "products", "traits")}
    figures = {name: dict(value=round(float(rng.uniform(1_000, 99_000)), 4), low=float(rng.uniform(0, 1)), high=float(rng.uniform(1, 2)), last_year=None, word="usual") for name in ("average_order_value", "cac", "conversion", "ctr", "engagement_time", "new_customer_share", "roas")}
    results = dict(figures=figures | {"net_revenue": dict(value=net, low=net*.8, high=net*1.2)}, owner="finance@example.com", sentence=f"Net revenue of the week was {net:,.2f} GBP.", labels=["replay"])
    return dict(job=job, key=key, run_id=run_id, status="done", started_at=at.isoformat(), ended_at=at.isoformat(), duration_s=14.7, parameters={"source": "online-retail"}, inputs=inputs, results=results,
                semantic_hash=rng.bytes(32).hex(), notebook=f"nbs/reports/{job}.ipynb", notebook_sha256=rng.bytes(32).hex(), version="0.1.0", engine="warm", within="", error=None, note="", limits=dict(deadline_s=21600., memory_mb=18957., output_mb=10.),
                environment=dict(lock_sha256=rng.bytes(32).hex(), platform="linux x86_64", python="3.11.7", libraries={f"library_{i}": "1.2.3" for i in range(11)}))

def filled(folder, n):
    "A workspace with n runs; the number of days they span."
    from marketing_mlops.registry.pipeline_locks import locked_stages
    from marketing_mlops.workspace.places import find_workspace
    for name in KEPT:
        if (ROOT/name).is_dir(): shutil.copytree(ROOT/name, folder/name)
        elif (ROOT/name).is_file(): (folder/name).parent.mkdir(parents=True, exist_ok=True); shutil.copy(ROOT/name, folder/name)
    shop, rng = find_workspace(folder), np.random.default_rng(SEED)
    subjects = [(report, f"subject_{i:02}") for report in REPORTS for i in range(10)]
    stages = [(stage.step, stage.key) for stage in locked_stages(shop)[0] if stage.key]
    days = -(-(n - len(stages))//len(subjects))
    made = [(*each, BEGAN + timedelta(days=days)) for each in stages] + [(*subject, BEGAN + timedelta(days=day)) for day in range(days) for subject in subjects]
    for i, (job, key, at) in enumerate(made[:n]):
        run_id = f"{at:%Y%m%dT%H%M%S%fZ}-{i % 65536:04x}"
        last = i == n - len(subjects)      # the first report on the last day but for those that were cut off
        net = LONG_AGO if i == len(stages) else TODAY if last else round(float(rng.uniform(100_000, 250_000)), 2)
        place = folder/"data"/"runs"/job/key/run_id
        place.mkdir(parents=True)
        (place/"run.json").write_text(json.dumps(manifest(job, key, at, run_id, rng, net), indent=2, sort_keys=True))
    return shop, days

def few(times):
    "Of few measurements the middle and the longest."
    wall, computed = (sorted(each) for each in zip(*times))
    return dict(p50_ms=round(wall[len(wall)//2], 1), longest_ms=round(wall[-1], 1), computing_p50_ms=round(computed[len(computed)//2], 1), computing_longest_ms=round(computed[-1], 1), n=len(times))

def timed(call, repeats):
    times = []
    for _ in range(repeats):
        began, computed = time.perf_counter(), time.process_time()
        call()
        times.append(((time.perf_counter() - began)*1000, (time.process_time() - computed)*1000))
    return few(times)

def commanded(shop, what):
    "A whole command; its computing is that of the child."
    began, before = time.perf_counter(), os.times()
    subprocess.run([str(Path(sys.executable).with_name("mmops")), "lineage", what, "--workspace", str(shop.root)], check=True, capture_output=True)
    after = os.times()
    return (time.perf_counter() - began)*1000, (after.children_user + after.children_system - before.children_user - before.children_system)*1000

def measured(shop, repeats):
    from marketing_mlops.registry.lineage import lineage
    from marketing_mlops.registry.run_figures import run_places
    from marketing_mlops.workspace.places import find_workspace
    oldest = next(place for place in reversed(run_places(shop)) if place.job == REPORTS[0])
    questions = {"a figure by its name": f"{REPORTS[0]}/subject_00:net_revenue", "a number of a newest run": f"{TODAY:,.2f}", "a figure of the oldest run": f"{oldest.run_id}:net_revenue",
                 "a number only the oldest run says": f"{LONG_AGO:,.2f}", "a table": "online-retail.order_lines", "a model": "retailer_churn_90d"}
    found = {}
    for name, what in questions.items():
        first = lineage(find_workspace(shop.root), what)      # imports, once
        if name != "a model" and not first.up: sys.exit(f"{what} has no origin")
        found[name] = timed(lambda: lineage(find_workspace(shop.root), what), repeats) | dict(things=len(first.up) + len(first.down))
        print(name, found[name], flush=True)
    commands = {f"mmops lineage {what}": few([commanded(shop, what) for _ in range(2)]) for what in (questions["a figure by its name"], questions["a number of a newest run"])}
    return found, commands

def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--into", type=Path, default=RESULT)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        shop, days = filled(Path(folder), options.runs)
        runs = sum(1 for _ in Path(folder).glob("data/runs/*/*/*/run.json"))
        found, commands = measured(shop, options.repeats)
    numbers = [name for name in found if name.startswith(("a figure", "a number"))]
    reached = {name: dict(on_the_clock=bool(found[name]["longest_ms"] <= MOST_MS), computing=bool(found[name]["computing_longest_ms"] <= MOST_MS)) for name in numbers}
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    record = dict(command=f"python benchmarks/lineage.py --runs {options.runs} --repeats {options.repeats}", seed=SEED, runs=runs, days=days, count=options.repeats, cores=os.cpu_count(), load=[round(load, 1), round(os.getloadavg()[0], 1)],
                  target_ms=MOST_MS, questions=found, commands=commands, reached=reached, commit=commit)
    options.into.write_text(json.dumps(record, indent=1) + "\n")
    return int(not all(each["computing"] for name, each in reached.items() if name != "a number only the oldest run says"))

if __name__ == "__main__": sys.exit(main())
