"""A hundred reports: one after another with papermill's own engine, and side by side in children of the warm worker.

Two notebooks, each made for a hundred models. The campaign readout reads 20,000 customers and draws a chart; the weekly
figures read one table and show it. The stock side is `papermill NOTEBOOK OUT -p model NAME`, which is measured on --stock
reports and multiplied, because it does the same thing every time. Ours is `mmops report NAME --for-each model`, all hundred
of them, and does more: it also draws the pages, hides what is personal, and writes a summary. Beside the two stands what one
more report costs over the time of its own cells, on a worker that runs already.

    python benchmarks/report_fanout.py [--repeat 3] [--reports 100] [--stock 10]
"""
import argparse, json, os, shutil, statistics, subprocess, sys, tempfile, time
from pathlib import Path
import nbformat, yaml
from marketing_mlops.jobs.fan_out import usable_cores
from marketing_mlops.jobs.runner import run_notebook
from marketing_mlops.jobs.workers import stop_worker, worker_status
from marketing_mlops.workspace.places import find_workspace

ROOT, BIN = Path(__file__).resolve().parent.parent, Path(sys.executable).parent
RESULTS = ROOT/"benchmarks"/"results"/"report_fanout.json"
WEEKLY = ["from marketing_mlops.contracts.scopes import rows_of\nfrom marketing_mlops.jobs.results import record\n"
          "from marketing_mlops.sources.ingestion import accepted_tables\nfrom marketing_mlops.workspace.params import read_params\n"
          "from marketing_mlops.workspace.places import find_workspace",
          'place = find_workspace()\norders = rows_of(accepted_tables(place, read_params(place).model(model)["source"]), "orders", ["order_id", "market", "occurred_at"])',
          'weekly = orders.groupby([orders.occurred_at.dt.strftime("%G-W%V"), "market"]).order_id.nunique().unstack()\nweekly.tail(8)',
          'record("orders", int(weekly.iloc[-1].sum()))']

def make_workspace(root, reports):
    "The demonstration's customers with accepted tables, and as many models as reports are to be made."
    for place in ("nbs/jobs", "nbs/reports", "data/sources"): shutil.copytree(ROOT/place, root/place)
    for file in ("settings.ini", "params.yaml"): shutil.copy2(ROOT/file, root/file)
    for stage in ("ingest", "validate"): timed([str(BIN/"mmops-stage"), stage, "source=retailer"], root)
    params = yaml.safe_load((root/"params.yaml").read_text())
    params["models"] = {f"promo_{i:03}": params["models"]["retailer_promo_uplift"] for i in range(reports)}
    (root/"params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    cells = [nbformat.v4.new_code_cell('model: str = "promo_000"', metadata=dict(tags=["parameters"])), *map(nbformat.v4.new_code_cell, WEEKLY)]
    kernel = dict(kernelspec=dict(name="python3", language="python", display_name="python3"))
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), root/"nbs"/"reports"/"weekly_orders.ipynb")

def environment(root):
    return {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | dict(MMOPS_WORKSPACE=str(root), CI="true")

def timed(words, root):
    started = time.perf_counter()
    done = subprocess.run(words, cwd=root, env=environment(root), capture_output=True, text=True)
    if done.returncode: sys.exit(done.stdout + done.stderr)
    return time.perf_counter() - started

def stock_seconds(report, root, n):
    "Seconds of one report, over several, one after another."
    words = lambda i: [str(BIN/"papermill"), f"nbs/reports/{report}.ipynb", "out.ipynb", "-p", "model", f"promo_{i:03}", "--no-progress-bar"]
    return sum(timed(words(i), root) for i in range(n))/n

def over_its_cells(report, root, n=5):
    "Seconds of one more run on a warm worker, and how many of them were not its cells'; medians."
    workspace, found = find_workspace(root), []
    for i in range(n + 1):
        started = time.perf_counter()
        run = run_notebook(workspace.path("nbs", "reports", f"{report}.ipynb"), dict(model=f"promo_{i:03}"), workspace=workspace)
        took, cells = time.perf_counter() - started, nbformat.read(run.executed, 4).cells
        found.append((took, took - sum(c.metadata.papermill.duration or 0 for c in cells if c.cell_type == "code")))
    return [statistics.median(values) for values in zip(*found[1:])] # the first imports papermill

def wait_until_warm(root):
    "The worker imports its last libraries while nobody waits."
    timed([str(BIN/"mmops"), "report", "weekly_orders", "--no-open"], root)
    while worker_status(str(root))["n_to_import"]: time.sleep(.2)

def measure(report, root, reports, stock):
    ours = timed([str(BIN/"mmops"), "report", report, "--for-each", "model", "--no-open"], root)
    one, over = over_its_cells(report, root)
    return dict(stock_one_s=stock_seconds(report, root, stock), grid_s=ours, one_more_s=one, over_its_cells_s=over)

def main(repeat, reports, stock):
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()/"workspace"
        os.environ.update(MMOPS_WORKSPACE=str(root))
        make_workspace(root, reports)
        wait_until_warm(root)
        for report in ("campaign_readout", "weekly_orders"):
            rounds = [measure(report, root, reports, stock) for _ in range(repeat)]
            medians = {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
            ratios = [reports*each["stock_one_s"]/each["grid_s"] for each in rounds]
            found[report] = {name: round(value, 3) for name, value in medians.items()} | dict(times_faster=round(statistics.median(ratios), 2), ratios=[round(r, 2) for r in ratios])
            print(report, found[report], flush=True)
        stop_worker(str(root))
    return found

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default, about in (("repeat", 3, "rounds; medians count"), ("reports", 100, "reports of a grid"), ("stock", 10, "reports the stock side is measured on")):
        parser.add_argument(f"--{name}", type=int, default=default, help=about)
    given = vars(parser.parse_args())
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)            # users compile; without, every start pays again
    load, found = os.getloadavg()[0], main(**given)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    command = "python benchmarks/report_fanout.py " + " ".join(f"--{name} {value}" for name, value in given.items())
    RESULTS.write_text(json.dumps(dict(command=command, commit=commit, cores=usable_cores(), load_at_start=round(load, 2), **given, found=found), indent=2) + "\n")
