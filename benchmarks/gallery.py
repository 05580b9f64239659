"""The gallery of thousands of runs: how long it takes to open, to find a run and to be written, and what a report's page weighs.

The runs are synthetic: manifests and pages as the runner leaves them, of five reports in three markets, with six figures and a
table of twelve rows each. The list is opened from its file in headless Chromium, several times in a fresh browser page: the time
counts from the navigation until the list with its first runs stands. Then a search is typed letter by letter, filters are
chosen, and each step is timed from the event to the next painted frame. Beside it stands what writing costs: everything for the
first time, again without a change, and after one new run. Rendering is measured on the executed notebooks of this workspace.

    python benchmarks/gallery.py [--runs 5000] [--repeat 5]
"""
import argparse, json, os, statistics, subprocess, sys, tempfile, time
from datetime import datetime, timedelta, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT/"benchmarks"/"results"/"gallery.json"
sys.path.insert(0, str(ROOT/"tests"/"reporting"))
NOW = datetime(2026, 12, 1, 9, tzinfo=timezone.utc)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
TYPED = ["weekly", "finance shop_17", "net revenue of week 4321", "nothing like this", "example.com"]
STEP = """([name, value]) => new Promise(done => {
    const field = document.getElementById(name), began = performance.now();
    field.value = value;
    field.dispatchEvent(new Event("input", {bubbles: true}));
    const computed = performance.now() - began;
    requestAnimationFrame(() => { const channel = new MessageChannel(); channel.port1.onmessage = () => done([computed, performance.now() - began]); channel.port2.postMessage(0); });
})"""

def written(workspace, runs):
    "Seconds to write a gallery for the first time, again, and after one more run."
    from gallery_example import add_run, page_text
    from marketing_mlops.reporting.galleries import write_gallery
    found = {}
    for name in ("first_s", "unchanged_s", "one_more_s"):
        if name == "one_more_s": add_run(workspace, "monitoring", "shop_3", NOW, page=page_text("Monitoring: shop 3", {"a": "1 EUR"}), parameters=dict(source="shop_3", market="UK", channel="email"))
        started = time.perf_counter()
        came = write_gallery(workspace, NOW)
        found[name] = round(time.perf_counter() - started, 2)
    return came.index, found | dict(list_mb=round(came.index.stat().st_size/1e6, 2), cover_kb=round(statistics.mean(path.stat().st_size for path in (came.index.parent/"runs").glob("*/index.html"))/1e3, 1))

def in_browser(index, repeat):
    "Milliseconds to open the list and to take each step of a search."
    from playwright.sync_api import sync_playwright
    opened, steps, computed = [], [], []
    with sync_playwright() as play:
        for _ in range(repeat):
            browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
            page = browser.new_page(viewport=dict(width=1280, height=900))
            page.goto("about:blank")
            page.goto(index.resolve().as_uri())
            page.wait_for_selector("#list li")
            opened.append(page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd"))
            asked = [("q", text[:n]) for text in TYPED for n in range(1, len(text) + 1)] + [("q", "")]
            asked += [("market", "UK"), ("report", "monitoring"), ("status", "failed"), ("status", ""), ("from", "2026-02-01"), ("market", ""), ("report", "")]
            for step in asked:
                script, shown = page.evaluate(STEP, list(step))
                computed.append(script); steps.append(shown)
            browser.close()
    tail = lambda values: round(sorted(values)[int(.95*(len(values) - 1))], 1)
    return dict(open_ms=round(statistics.median(opened), 1), open_worst_ms=round(max(opened), 1), search_ms=round(statistics.median(steps), 1), search_p95_ms=tail(steps),
                search_worst_ms=round(max(steps), 1), search_script_ms=round(statistics.median(computed), 1), n_steps=len(steps))

def rendered(repeat):
    "Seconds and bytes of the pages of the last runs of this workspace, by report."
    from marketing_mlops.reporting.pages import render_page
    found = {}
    for folder in sorted((ROOT/"data"/"runs").glob("*/*/*")):
        if (folder/"run.json").is_file() and (folder/"executed.ipynb").is_file() and json.loads((folder/"run.json").read_text())["notebook"].startswith("nbs/reports/"): found[folder.parts[-3]] = folder/"executed.ipynb"
    def one(path):
        times = []
        for _ in range(repeat):
            started = time.perf_counter()
            page = render_page(path)
            times.append(time.perf_counter() - started)
        return dict(seconds=round(statistics.median(times), 3), first_s=round(times[0], 3), kb=round(len(page.encode())/1e3, 1))
    return {name: one(path) for name, path in found.items()}

def main():
    parse = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parse.add_argument("--runs", type=int, default=5000)
    parse.add_argument("--repeat", type=int, default=5)
    asked = parse.parse_args()
    load = round(os.getloadavg()[0], 2)
    from gallery_example import add_many, gallery_workspace
    with tempfile.TemporaryDirectory() as folder:
        workspace = gallery_workspace(Path(folder))
        add_many(workspace, asked.runs)
        index, writing = written(workspace, asked.runs)
        found = dict(writing=writing, browser=in_browser(index, asked.repeat), pages=rendered(asked.repeat))
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    result = dict(command=f"python benchmarks/gallery.py --runs {asked.runs} --repeat {asked.repeat}", commit=commit, cores=os.cpu_count(), load_at_start=load, runs=asked.runs, repeat=asked.repeat, found=found)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))

if __name__ == "__main__": main()
