"""How long the whole pipeline takes: first run, unchanged re-run, and a forced run on the stock kernel.

    python benchmarks/pipeline.py [REPEATS]    writes benchmarks/results/pipeline.json; three repeats if no number is given

Each figure is the median of the repeats, on a copy of the tracked files with an empty data folder. The ratio of the two
engines is what travels between machines; the seconds are those of the machine that recorded them.
"""
import json, os, shutil, statistics, subprocess, sys, tempfile, time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
RESULT = ROOT/"benchmarks"/"results"/"pipeline.json"

def git(*words, cwd=ROOT): return subprocess.run(["git", *words], cwd=cwd, capture_output=True, text=True, check=True).stdout

def fresh_copy(folder):
    "A clone of the committed project, with nothing run in it."
    git("clone", "-q", "--no-hardlinks", str(ROOT), str(folder))
    return folder

def timed(folder, *options, **environment):
    env = {**os.environ, "CI": "true", "MMOPS_WORKSPACE": str(folder), "PYTHONPATH": str(folder), **environment,
           "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    started = time.perf_counter()
    done = subprocess.run([str(BIN/"mmops"), "run", *options], cwd=folder, env=env, capture_output=True, text=True)
    if done.returncode: sys.exit(done.stdout+done.stderr)
    return time.perf_counter()-started

def main(repeats=3):
    figures = {"first_run_s": [], "unchanged_run_s": [], "forced_run_warm_s": [], "forced_run_stock_kernel_s": []}
    for i in range(repeats):
        with tempfile.TemporaryDirectory() as top:
            folder = fresh_copy(Path(top)/"workspace")
            figures["first_run_s"].append(timed(folder))
            figures["unchanged_run_s"].append(timed(folder))
            figures["forced_run_warm_s"].append(timed(folder, "--force"))
            figures["forced_run_stock_kernel_s"].append(timed(folder, "--force", MMOPS_ENGINE="kernel"))
        print(f"{i+1} of {repeats}", {k: round(v[-1], 2) for k, v in figures.items()}, flush=True)
    medians = {k: round(statistics.median(v), 2) for k, v in figures.items()}
    medians["stock_kernel_over_warm"] = round(medians["forced_run_stock_kernel_s"]/medians["forced_run_warm_s"], 2)
    RESULT.write_text(json.dumps({"command": f"python benchmarks/pipeline.py {repeats}", "repeats": repeats, "cores": os.cpu_count(),
                                  "commit": git("rev-parse", "--short", "HEAD").strip(), **medians}, indent=1, sort_keys=True)+"\n")
    print(RESULT.read_text())

if __name__ == "__main__": main(*map(int, sys.argv[1:]))
