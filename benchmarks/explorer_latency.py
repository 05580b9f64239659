"""How fast the explorer is, measured where it counts: from a key press in JupyterLab, and in the app, to the next picture.

    python benchmarks/explorer_latency.py [ROWS]

Generates touchpoints (10 million by default, seed 7), opens them with TableExplorer in a real JupyterLab and in a real
Voilà (`mmops app`) in headless Chromium, then 1.2 million customers (an eighth of the rows, where these are fewer) with
SegmentBuilder in JupyterLab, then a slider each of UpliftExplorer and ReadoutExplorer on 100,000 customers (a hundredth of
the rows, where these are fewer) and of ExperimentPlanner on 40,000, and writes benchmarks/results/explorer_latency.json.
With fewer rows than ten million it prints the record and writes nothing. Takes about ten minutes, needs Debian's chromium.
"""
import json, os, re, shutil, statistics, subprocess, sys, tempfile, time
from pathlib import Path
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from playwright.sync_api import Error

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT/"tests"/"explorers"))
from lab_session import browser, lab, open_notebook, write_notebook  # noqa: E402
from segment_moves import CUSTOMERS, segment_moves  # noqa: E402
from slider_moves import CUSTOMERS as IN_CAMPAIGN, PLANNED, moved_sliders  # noqa: E402
from marketing_mlops.explorers.codes import cached_codes  # noqa: E402
from marketing_mlops.explorers.crossfilter import CrossFilter  # noqa: E402
from marketing_mlops.explorers.explorer_pages import open_explorer  # noqa: E402
from marketing_mlops.explorers.live_charts import pack_index  # noqa: E402
from marketing_mlops.workspace.places import find_workspace  # noqa: E402

SEED, BATCH = 7, 500_000
SCHEMA = pa.schema([("touchpoint_id", pa.string()), ("seen_at", pa.timestamp("us", "UTC")), ("channel", pa.string()), ("device", pa.string()),
                    ("country", pa.string()), ("campaign", pa.string()), ("engagement_seconds", pa.float64()), ("price", pa.float64()),
                    ("net_revenue", pa.float64()), ("pages", pa.int64()), ("is_machine_open", pa.bool_())])

def touchpoints(rng, start, n):
    "One batch: skewed categories, a long tail, zeros, missing values."
    def choice(names):
        weights = 1/np.arange(1, len(names) + 1)
        return pa.DictionaryArray.from_arrays(rng.choice(len(names), n, p=weights/weights.sum()).astype(np.int32), pa.array(names)).cast(pa.string())
    revenue = np.where(rng.random(n) < .93, 0, rng.lognormal(3.6, 1.1, n)).round(2)
    return pa.table([pa.array(np.char.mod("t%09d", np.arange(start, start + n))), pa.array(1_735_689_600_000_000 + rng.integers(0, 540*86_400, n)*10**6, pa.timestamp("us", "UTC")),
                     choice(["email", "search", "social", "display", "affiliate", "direct", "push", "post"]), choice(["phone", "desktop", "tablet"]),
                     choice([f"country {i:02}" for i in range(30)]), choice([f"campaign {i:03}" for i in range(400)]),
                     pa.array(rng.lognormal(3, 1.2, n).round(1), mask=rng.random(n) < .03), pa.array(rng.gamma(2, 20, n).round(2)), pa.array(revenue),
                     pa.array(rng.poisson(3, n)), pa.array(rng.random(n) < .08)], schema=SCHEMA)

def generate(path, rows):
    rng = np.random.default_rng(SEED)
    with pq.ParquetWriter(path, SCHEMA) as file:
        for start in range(0, rows, BATCH): file.write_table(touchpoints(rng, start, min(BATCH, rows - start)))

def timed(work, repeats=7):
    "Median milliseconds."
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(1000*(time.perf_counter() - start))
    return round(statistics.median(times), 2)

def spread(times):
    "Median, 95th percentile and count of a list of milliseconds."
    if not times: raise RuntimeError("no event was followed by a new picture")
    ordered = sorted(times)
    return dict(median=round(statistics.median(ordered), 1), p95=round(ordered[min(len(ordered) - 1, int(.95*len(ordered)))], 1), n=len(ordered))

FILTERS = [{}, {"price": range(3, 15)}, {"price": range(3, 15), "channel": [0, 1]}, {"price": range(3, 15), "channel": [0, 1], "country": [0, 1, 2, 3, 4]}]

def scan_of_rows(path):
    "The same step without codes and index: filter a pandas frame and count every column."
    import pandas as pd
    names = ["channel", "device", "country", "campaign"]
    df = pq.read_table(path, columns=[*names, "price", "net_revenue", "pages"], read_dictionary=names).to_pandas()
    def step():
        kept = df[(df["price"] >= 10) & (df["price"] < 50) & df["channel"].isin(["email", "search"])]
        for name in [*names, "pages"]: kept[name].value_counts()
        np.histogram(kept["net_revenue"], 40)
    return timed(step, 3)

def in_the_kernel(path, cache):
    "What the kernel does: building once, opening, activating, counting."
    start = time.perf_counter()
    codes = cached_codes(path, cache)
    CrossFilter(codes)
    built = time.perf_counter() - start
    open_again = timed(lambda: CrossFilter(cached_codes(path, cache)), 3)
    engine = CrossFilter(cached_codes(path, cache))
    activations = [dict(filters=len(f), rows_passing=engine.counts(f).selected, milliseconds=timed(lambda: engine.activate("seen_at", f))) for f in FILTERS]
    index = engine.activate("seen_at", FILTERS[2])
    return dict(build_seconds=round(built, 1), open_cached_ms=open_again, activate=activations, index_kilobytes=round(len(pack_index(index, 1)[1])/1000),
                one_step_on_index_ms=timed(lambda: index.counts(range(5, 20))), one_step_counting_codes_ms=timed(lambda: engine.counts(FILTERS[2])),
                one_step_pandas_rows_ms=scan_of_rows(path), codes_megabytes=round(sum(a.nbytes for a in codes.arrays.values())/1e6), charts=len(codes.dimensions))

# Measures from the event to the animation frame after another chart's bars, or a sentence, changed.
PROBE = """() => {
  const probe = window.probe = {times: [], frames: 0, long: 0, last: 0, begun: null, watch(selector, ...kinds) {
    probe.times = []; probe.frames = 0; probe.begun = null;
    probe.observer?.disconnect(); probe.off?.();
    const begin = (e) => { probe.begun ??= performance.now(); };
    kinds.forEach(k => window.addEventListener(k, begin, true));
    probe.off = () => kinds.forEach(k => window.removeEventListener(k, begin, true));
    probe.observer = new MutationObserver(() => requestAnimationFrame(() => {
      const now = performance.now(); probe.frames++; probe.last = now;
      if (probe.begun !== null) { probe.times.push(now - probe.begun); probe.begun = null; } }));
    document.querySelectorAll(selector).forEach(n => probe.observer.observe(n, {attributes: true, attributeFilter: ['d'], childList: true}));
  }};
  new PerformanceObserver(list => { for (const e of list.getEntries()) probe.long = Math.max(probe.long, e.duration); }).observe({entryTypes: ['longtask']});
}"""
PAINT = """() => { window.painted = new Promise(done => {
  let begun = null;
  window.addEventListener('keydown', () => { begun ??= performance.now(); }, {capture: true, once: true});
  const look = () => { const bars = document.querySelector('.mmx-in[d]'); if (bars && begun) requestAnimationFrame(() => done(performance.now() - begun)); else requestAnimationFrame(look); };
  look(); }); }"""

def box_of(page, column):
    plot = page.locator(f"[data-column={column}] .mmx-plot")
    plot.scroll_into_view_if_needed()
    return plot.bounding_box()

def at(box, share): return box["x"] + share*box["width"], box["y"] + box["height"]*.4

def first_paint(server, page, name, repeats=3):
    "Milliseconds from Shift+Enter in a fresh kernel to the first bars."
    times = []
    for _ in range(repeats):
        open_notebook(server, page, name)
        page.wait_for_timeout(1500)
        page.evaluate(PAINT)
        page.click(".jp-NotebookPanel .jp-CodeCell .cm-content >> nth=0")
        page.keyboard.press("Shift+Enter")
        times.append(page.evaluate("window.painted"))
        if _ < repeats - 1:
            for kernel in server.call("/api/sessions"): server.call(f"/api/sessions/{kernel['id']}", "DELETE")
    return spread(times)

def clear(page):
    button = page.locator(".mmx-header .mmx-button")
    if button.is_enabled(): button.click()
    page.wait_for_timeout(300)

def moves(page, other, work, kinds):
    page.evaluate("([s, k]) => probe.watch(s, ...k)", [f"[data-column={other}] .mmx-in", kinds])
    work()
    page.wait_for_timeout(300)
    return spread(page.evaluate("probe.times"))

def brush(page, column, low, high):
    box = box_of(page, column)
    page.mouse.move(*at(box, low)); page.mouse.down(); page.mouse.move(*at(box, high), steps=4); page.mouse.up()
    page.wait_for_timeout(400)

def key_moves(page, n=60):
    handle = page.locator("[data-column=price] .mmx-handle").nth(1)
    handle.focus()
    for i in range(n):
        page.keyboard.press("ArrowRight" if i//8 % 2 == 0 else "ArrowLeft")
        page.wait_for_timeout(45)

def pointer_moves(page, n=60):
    box = box_of(page, "price")
    page.mouse.move(*at(box, .1)); page.mouse.down(); page.wait_for_timeout(400)
    for i in range(n):
        page.mouse.move(*at(box, .15 + .7*abs((i % 24)/12 - 1)))
        page.wait_for_timeout(45)
    page.mouse.up()

def answered(page, before):
    "Wait until one more event has its picture."
    page.wait_for_function("n => probe.times.length > n", arg=before, timeout=10_000)

def new_brushes(page, n=20, rest=0, step=1):
    "Press on a chart without a brush, under two filters of other charts of which one was just changed; `rest`: ms the pointer rests first."
    for i in range(n):
        target = ("seen_at", "engagement_seconds")[i % 2]
        page.evaluate("c => document.querySelector(`[data-column=${c}] .mmx-clear`).click()", target)
        page.evaluate("document.querySelectorAll('[data-column=price] .mmx-handle')[1].focus()")
        page.keyboard.press("ArrowRight" if i % (12*step) < 6*step else "ArrowLeft")
        page.wait_for_timeout(500)
        box = box_of(page, target)
        page.mouse.move(*at(box, .1 + .02*i))
        if rest: page.wait_for_timeout(rest)
        page.mouse.down()
        answered(page, i)
        page.mouse.move(*at(box, .4 + .025*i), steps=2)
        page.mouse.up()
        page.wait_for_timeout(100)

def new_choices(page, n=16):
    "Click a name in one chart and in another, in turn."
    for i in range(n):
        page.locator(f"[data-column={'channel' if i % 2 else 'country'}] .mmx-row").nth(i//4 % 5).click()
        answered(page, i)
        page.wait_for_timeout(250)

def burst(page):
    "Two hundred pointer moves as fast as they come; when does the last frame show after them?"
    box = box_of(page, "price")
    page.mouse.move(*at(box, .1)); page.mouse.down(); page.wait_for_timeout(400)
    page.evaluate("probe.watch('[data-column=net_revenue] .mmx-in', 'pointermove'); window.lastMove = 0; window.addEventListener('pointermove', () => { lastMove = performance.now() }, true)")
    page.mouse.move(*at(box, .9), steps=200)
    page.wait_for_timeout(600)
    page.mouse.up()
    frames, late = page.evaluate("[probe.frames, probe.last - lastMove]")
    return dict(moves=200, frames_shown=frames, last_frame_after_end_ms=round(max(0, late), 1), shown=shown(page))

def shown(page):
    "Where the brush on prices stands, and the rows the page says are selected."
    low, _, high = (int(handle.get_attribute("aria-valuenow")) for handle in page.locator("[data-column=price] .mmx-handle").all())
    return dict(low=low, high=high, selected=int(re.search(r"[\d,]+", page.inner_text(".mmx-selected"))[0].replace(",", "")))

def slider_moves(page, n=200):
    "Two hundred arrow keys on one handle as fast as they come: does the last state stand at the end?"
    brush(page, "price", .2, .5)
    page.locator("[data-column=price] .mmx-handle").nth(2).focus()
    page.evaluate("probe.watch('[data-column=net_revenue] .mmx-in', 'keydown'); window.lastMove = 0; window.addEventListener('keydown', () => { lastMove = performance.now() }, true)")
    for i in range(n): page.keyboard.press("ArrowLeft" if i % 3 else "ArrowRight")
    page.wait_for_timeout(600)
    frames, late = page.evaluate("[probe.frames, probe.last - lastMove]")
    return dict(moves=n, frames_shown=frames, last_frame_after_end_ms=round(max(0, late), 1), shown=shown(page))

def last_state_stands(result, engine):
    "Replace what was shown after a burst by whether it is what the kernel counts for the same brush."
    for name in ("burst", "slider_moves"):
        seen = result[name].pop("shown")
        expected = engine.counts({"price": list(range(seen["low"], seen["high"] + 1))}).selected
        result[name]["last_state_shown"] = bool(seen["selected"] == expected)
    return result

CELL = """from pathlib import Path
from marketing_mlops.explorers.table_explorer import TableExplorer
explorer = TableExplorer(Path("touchpoints_10m.parquet"))
explorer"""
MEMORY = """import json
kept = {line.split(':')[0]: int(line.split()[1])//1000 for line in open('/proc/self/status') if line.startswith(('VmHWM', 'RssAnon', 'RssFile'))}
Path('memory.json').write_text(json.dumps(kept))"""

def under_the_hand(page):
    "Moves, new brushes, choices and bursts on the charts that are on screen."
    result = {}
    page.evaluate(PROBE)
    brush(page, "price", .2, .4)
    result["move_by_key_ms"] = moves(page, "net_revenue", lambda: key_moves(page), ["keydown"])
    clear(page)
    result["move_by_pointer_ms"] = moves(page, "net_revenue", lambda: pointer_moves(page), ["pointermove"])
    clear(page)
    result["burst"] = burst(page)
    clear(page)
    result["slider_moves"] = slider_moves(page)
    clear(page)
    brush(page, "price", .1, .5)
    page.evaluate("probe.long = 0")
    result["new_brush_ms"] = moves(page, "net_revenue", lambda: new_brushes(page), ["pointerdown"])
    result["new_brush_after_resting_ms"] = moves(page, "net_revenue", lambda: new_brushes(page, rest=450, step=2), ["pointerdown"])
    result["new_choice_ms"] = moves(page, "net_revenue", lambda: new_choices(page), ["click"])
    return result | dict(longest_main_thread_task_ms=round(page.evaluate("probe.long")))

APP = """import sys
from marketing_mlops.explorers.explorer_server import serve_explorers
from marketing_mlops.workspace.places import find_workspace
serve_explorers(find_workspace(sys.argv[1]), tell=lambda address: print(address, flush=True))"""
BARS = """() => new Promise(done => { const look = () => { if (document.querySelector('.mmd-content .mmx-in[d]')) requestAnimationFrame(() => done(performance.now())); else requestAnimationFrame(look); }; look(); })"""

def come(page, address):
    "Open a page; milliseconds from the beginning of its navigation to the first bars."
    page.goto("about:blank")
    for _ in range(300):
        try: page.goto(address); break
        except Error: time.sleep(.2)                                  # nobody listens yet
    return page.evaluate(BARS)

def in_the_app(folder, repeats=3):
    "The same in Voilà; each page has a kernel that was prepared before somebody came."
    app = subprocess.Popen([sys.executable, "-c", APP, str(folder)], stdout=subprocess.PIPE, text=True)
    try:
        address = app.stdout.readline().strip()
        with browser(address.split("/?")[0], height=1100) as watched:
            page, times = watched.page, []
            come(page, address + "#table")                            # the first one waits until the first kernel is prepared
            watched.errors.clear()                                    # refused connections, from before somebody listened
            for _ in range(repeats):
                page.wait_for_timeout(8_000)
                times.append(come(page, address + "#table"))
            result = dict(first_paint_ms=spread(times)) | under_the_hand(page)
            return result | dict(outgoing_requests=len(watched.outgoing), console_errors=len(watched.errors))
    finally:
        app.terminate()
        app.wait(30)

def in_the_browser(folder, home):
    with lab(folder, home) as server, browser(server.address, height=1100) as watched:
        page = watched.page
        result = dict(first_paint_ms=first_paint(server, page, "explore.ipynb"))
        page.evaluate("document.querySelector('.mmx').scrollIntoView()")
        result |= under_the_hand(page)
        page.locator(".jp-CodeCell .cm-content").nth(1).click()
        page.keyboard.press("Shift+Enter")
        page.wait_for_timeout(1500)
        result["outgoing_requests"], result["console_errors"] = len(watched.outgoing), len(watched.errors)
    return result

def priority():
    "Scheduling priority of this session over other work on the machine; 0 is ordinary."
    group = Path("/proc/self/autogroup")
    return int(group.read_text().split()[-1]) if group.exists() else os.nice(0)

def main(rows=10_000_000):
    import anywidget, jupyterlab, voila as voila_package
    load = round(os.getloadavg()[0], 1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)/"workspace"
        folder.mkdir()
        (folder/"settings.ini").write_text("[DEFAULT]\nreporting_currency = EUR\n")
        path, cache = folder/"touchpoints_10m.parquet", folder/"data"/"state"/"cache"/"codes"
        generate(path, rows)
        write_notebook(folder/"explore.ipynb", CELL, MEMORY)
        kernel = in_the_kernel(path, cache)
        screen = last_state_stands(in_the_browser(folder, Path(temporary)/"jupyter"), CrossFilter(cached_codes(path, cache)))
        accepted = folder/"data"/"validate"/"shop"/"touchpoints.parquet"
        accepted.parent.mkdir(parents=True)
        shutil.move(path, accepted)
        voila = in_the_app(folder)
        voila = last_state_stands(voila, open_explorer(find_workspace(folder), "table").engine)
        memory = json.loads((folder/"memory.json").read_text())
        size = round(accepted.stat().st_size/1e6)
        builder = segment_moves(Path(temporary)/"segments", Path(temporary)/"segments_jupyter", min(CUSTOMERS, rows//8), seed=SEED, paths=[str(ROOT/"benchmarks"), str(ROOT/"tests"/"explorers")], memory=MEMORY, probe=PROBE, spread=spread)
        sliders = moved_sliders(Path(temporary)/"sliders", Path(temporary)/"sliders_jupyter", min(IN_CAMPAIGN, rows//100), min(PLANNED, rows//250), seed=SEED, paths=[str(ROOT/"benchmarks"), str(ROOT/"tests"/"explorers")], probe=PROBE, spread=spread)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    record = dict(command="python benchmarks/explorer_latency.py", seed=SEED, rows=rows, columns=len(SCHEMA), parquet_megabytes=size, cores=os.cpu_count(), load_at_start=load, priority=priority(), commit=commit,
                  versions=dict(jupyterlab=jupyterlab.__version__, voila=voila_package.__version__, anywidget=anywidget.__version__, numpy=np.__version__, pyarrow=pa.__version__),
                  browser="Chromium, headless, software raster", kernel=kernel, screen=screen, voila=voila, segment_builder=builder, sliders=sliders,
                  kernel_memory_megabytes=dict(own=memory["RssAnon"], mapped=memory["RssFile"], peak=memory["VmHWM"]))
    out = ROOT/"benchmarks"/"results"/"explorer_latency.json"
    if rows >= 10_000_000: out.write_text(json.dumps(record, indent=2, sort_keys=True) + "\n")
    print(json.dumps(record, indent=2, sort_keys=True))

if __name__ == "__main__": main(*map(int, sys.argv[1:2]))
