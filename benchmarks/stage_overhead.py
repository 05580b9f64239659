"""What a stage costs beyond its cells: the stock papermill command against the warm worker.

Nine notebooks of nothing (they import pandas, DuckDB and scikit-learn, as our stages do), three ways: the papermill
command, our stage command with the stock kernel, our stage command on the warm worker. One run each is enough for a
ratio; --repeat takes the median of several.

    python benchmarks/stage_overhead.py [--repeat 3]
"""
import argparse, json, os, statistics, subprocess, sys, tempfile, time
from pathlib import Path
import nbformat
from marketing_mlops.jobs.workers import stop_worker

STAGES = 9
BIN = Path(sys.executable).parent
RESULTS = Path(__file__).parent/"results"/"stage_overhead.json"

def make_workspace(root):
    (root/"settings.ini").write_text("[DEFAULT]\ndefault_models = none\n")
    cells = [nbformat.v4.new_code_cell('source: str = "shop"', metadata=dict(tags=["parameters"])),
             nbformat.v4.new_code_cell("import pandas, duckdb, sklearn.ensemble")]
    meta = dict(kernelspec=dict(name="python3", language="python", display_name="python3"))
    (root/"nbs"/"jobs").mkdir(parents=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=meta), root/"nbs"/"jobs"/"nothing.ipynb")

def seconds(command, root, **environment):
    "Seconds for all stages, one after the other, as DVC starts them."
    started = time.perf_counter()
    for i in range(STAGES):
        words = [w.format(i=i) for w in command]
        subprocess.run(words, cwd=root, env=os.environ | environment, check=True, capture_output=True)
    return time.perf_counter() - started

WAYS = {
    "papermill command": ([str(BIN/"papermill"), "nbs/jobs/nothing.ipynb", "out{i}.ipynb", "-p", "source", "shop"], {}),
    "stage command, stock kernel": ([str(BIN/"mmops-stage"), "nothing", "source=s{i}"], dict(MMOPS_ENGINE="kernel")),
    "stage command, warm worker": ([str(BIN/"mmops-stage"), "nothing", "source=s{i}"], dict(MMOPS_ENGINE="warm")),
    "Python that does nothing": ([sys.executable, "-S", "-E", "-c", "pass"], {}),
}

def start_up(root, words, n=20):
    "Median seconds of a command that ends at once."
    times = []
    for _ in range(n):
        started = time.perf_counter()
        subprocess.run(words, cwd=root, check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    return statistics.median(times)

def main(repeat):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_workspace(root)
        seconds(*_warm(root))                                  # the worker is started once a day, not once a stage
        time.sleep(8)                                          # and imports its last libraries while nobody waits
        found = {name: statistics.median(seconds(words, root, **env) for _ in range(repeat)) for name, (words, env) in WAYS.items()}
        client = "import sys; sys.path.insert(0, {!r}); import marketing_mlops.jobs.client".format(str(Path(__file__).resolve().parent.parent))
        starts = {"python -S -E": start_up(root, [sys.executable, "-S", "-E", "-c", client]),
                  "console script": start_up(root, [sys.executable, "-c", "import marketing_mlops.jobs.client"])}
        stop_worker(str(root))
    return found, starts

def _warm(root):
    words, _ = WAYS["stage command, warm worker"]
    return words, root

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=1, help="runs of each way; the median counts")
    repeat = parser.parse_args().repeat
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)            # users compile; without, every start pays again
    found, starts = main(repeat)
    warm = found["stage command, warm worker"]
    for name, s in found.items(): print(f"{name:30} {s:7.2f} s for {STAGES} stages, {s/STAGES:6.3f} s each, {s/warm:6.1f} × the warm worker")
    for name, s in starts.items(): print(f"start-up of the client, {name:15} {s*1000:6.1f} ms")
    ratios = {name: round(s/warm, 2) for name, s in found.items()}
    RESULTS.write_text(json.dumps(dict(command=f"python benchmarks/stage_overhead.py --repeat {repeat}", stages=STAGES, repeat=repeat, cores=os.cpu_count(),
        seconds={name: round(s, 3) for name, s in found.items()}, times_the_warm_worker=ratios,
        client_start_ms={name: round(s*1000, 1) for name, s in starts.items()}), indent=2) + "\n")
