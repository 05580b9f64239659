"""What it takes to look a customer's features up: SQLite in this process and Redis on loopback, by one customer and by a thousand.

200,000 customers with 40 features (38 numbers, 2 texts) are stored in both. A look-up is the whole of it, as the service
does it: the store is asked, the versions are checked, the row becomes values by name. The two are asked in turns, block by
block, so that a busy machine slows both alike. The last part asks `mmops serve` about customers by their id and, in turns,
with their features in the question: the difference is what looking up adds to an answer over HTTP.

    python benchmarks/online_reads.py [--requests 5000]
"""
import argparse, json, os, subprocess, sys, tempfile, time
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from statistics import quantiles
import numpy as np, pandas as pd
from serving_latency import BIN, BLOCKS, FEATURES, KEY, MODEL, SIDES, Service, customers, end, free_port, milliseconds, released_bundle, start

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT/"benchmarks"/"results"/"online_reads.json"
NAMES = [f"feature_{i:02}" for i in range(38)] + ["trait.age_band", "trait.acquisition_channel"]
CUSTOMERS = 200_000
MOST_MS = .3 # p99 of one customer's 40 features in process

def percentiles(times):
    cut = quantiles(times, n=100)
    return dict(p50_ms=round(cut[49], 4), p99_ms=round(cut[98], 4), n=len(times))

def stored(store, frame, names, texts, shelf):
    "Seconds to store a frame, customers `c0` to the last."
    from marketing_mlops.features.online_rows import Generation, packed_rows
    now = datetime.now(timezone.utc)
    draft = Generation(shelf, "shop", now, now, {name: f"{i:012x}" for i,name in enumerate(names)}, texts=tuple(texts))
    started = time.perf_counter()
    def chunks():
        for at in range(0, len(frame), 50_000):
            part = frame.iloc[at:at+50_000]
            yield list(zip((f"c{i}" for i in part.index), packed_rows(part, draft)))
    return store.write(draft, chunks()), round(time.perf_counter() - started, 2)

def look_ups(stores, versions, size, requests, seed):
    "Percentiles of each store for look-ups of `size` customers, in turns."
    from marketing_mlops.features.online_values import look_up
    rng, times = np.random.default_rng(seed), {name: [] for name in stores}
    for block in range(BLOCKS):
        asked = [[f"c{i}" for i in rng.integers(0, CUSTOMERS, size)] for _ in range(requests//BLOCKS)]
        for name, store in stores.items():
            look_up(store, "forty", asked[0], versions)
            for each in asked:
                started = time.perf_counter()
                look_up(store, "forty", each, versions)
                times[name].append((time.perf_counter() - started)*1000)
    return dict(customers=size, **{name: percentiles(found) for name, found in times.items()})

def measured_stores(shop, requests):
    from marketing_mlops.features.online_stores import open_online_store
    from marketing_mlops.features.own_redis import own_redis
    rng, port = np.random.default_rng(7), free_port()
    frame = pd.DataFrame(rng.gamma(2, 20, (CUSTOMERS, 38)), columns=NAMES[:38]).mask(rng.random((CUSTOMERS, 38)) < .1)
    frame = frame.assign(**{"trait.age_band": rng.choice(["18-24", "25-34", "35+"], CUSTOMERS), "trait.acquisition_channel": rng.choice(["search", "shop", "mail"], CUSTOMERS)})
    with own_redis("--port", str(port), "--bind", "127.0.0.1") as is_there:
        if is_there is None: sys.exit("redis-server is not installed")
        places = {"sqlite in process": "sqlite", "redis on loopback": f"redis://127.0.0.1:{port}/0"}
        stores = {name: open_online_store(replace(shop, settings=replace(shop.settings, online_store=address))) for name, address in places.items()}
        written = {name: stored(store, frame, NAMES, NAMES[38:], "forty") for name, store in stores.items()}
        versions = next(iter(written.values()))[0].versions
        return dict(seconds_to_store={name: seconds for name,(_,seconds) in written.items()},
                    reads=[look_ups(stores, versions, 1, requests, 8), look_ups(stores, versions, 1_000, max(requests//50, 2*BLOCKS), 9)])

def measured_service(shop, requests):
    "Questions over HTTP about the same customers, by id and with their features."
    from marketing_mlops.features.online_stores import open_online_store
    rows, port = customers(4_000, 9), free_port()
    generation, _ = stored(open_online_store(shop), rows[FEATURES], FEATURES, FEATURES[-2:], MODEL)
    released_bundle(shop, generation.versions)
    service = start([BIN/"mmops", "serve", "--port", port, "--workspace", shop.root], MMOPS_SERVE_KEY=KEY)
    try:
        asks = {"features looked up": [{"customer_id": f"c{i}"} for i in range(len(rows))], "features in the question": rows.to_dict("records")}
        caller = Service(port, "/predict", lambda rows: json.dumps({"model": MODEL, "rows": rows}).encode(), lambda found: [each["p_no_order"] for each in found["scores"]], {"Authorization": f"Bearer {KEY}"})
        answers = [caller.wait(each[:100]) for each in asks.values()]
        if answers[0] != answers[1]: sys.exit("looked up and sent features get different scores")
        times = {name: [] for name in asks}
        for block in range(BLOCKS):
            at = [(block*requests//BLOCKS + i) % len(rows) for i in range(requests//BLOCKS)]
            for name, each in asks.items(): times[name] += milliseconds(caller, [caller.wrap([each[i]]) for i in at])
        return {name: percentiles(found) for name, found in times.items()}
    finally: end(service)

def main(requests):
    from marketing_mlops.workspace.places import find_workspace
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root/"settings.ini").write_text(f"[DEFAULT]\ntechnical_approvers = {SIDES[0]}\nbusiness_approvers = {SIDES[1]}\n")
        (root/"params.yaml").write_text(f"sources: {{shop: {{kind: simulated}}}}\nmodels:\n  {MODEL}: {{owner: model-owner@example.com, purpose: Win back, audience: Customers, source: shop, task: propensity}}\n")
        shop, before = find_workspace(root), os.getloadavg()[0]
        found = measured_stores(shop, requests) | dict(over_http=measured_service(shop, requests))
        return found | dict(load_before=round(before, 1), load_after=round(os.getloadavg()[0], 1))

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=5000, help="look-ups of one customer in each store, and questions over HTTP of each kind; a fiftieth of it for a thousand customers")
    requests = parser.parse_args().requests
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)            # users compile
    found = main(requests)
    for each in (*found["reads"], found["over_http"], found["seconds_to_store"]): print(each)
    from importlib.metadata import version
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    server = subprocess.run(["redis-server", "--version"], capture_output=True, text=True).stdout.split("v=")[1].split()[0]
    RESULT.write_text(json.dumps(dict(command=f"python benchmarks/online_reads.py --requests {requests}", commit=commit, cores=os.cpu_count(), seed=7, stored=CUSTOMERS, features=len(NAMES), target_p99_ms=MOST_MS,
        **found, versions={"redis": version("redis"), "redis-server": server}), indent=1, sort_keys=True) + "\n")
