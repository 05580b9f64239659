#!/usr/bin/env python3
"""Runs every page of the documentation in a process of its own, forked from a parent that has only imported libraries.

    python tests/house/run_pages.py                  all pages but those of the edges
    python tests/house/run_pages.py --edges          those that run whole pipelines
    python tests/house/run_pages.py nbs/api/sources  a folder or single pages

`nbdev-test` runs pages one after another in the same workers, so a page can pass by what another page left behind;
here it cannot. The parent imports libraries and our modules once and calls nothing: a page costs its own cells. Pages that run
notebooks share a warm worker, except the pages about workers, which start and end their own.
"""
import gc, importlib, os, shutil, signal, sys, tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = ["numpy", "pandas", "pyarrow.parquet", "duckdb", "scipy.stats", "sklearn.base", "pandera.pandas", "altair", "vl_convert", "nbformat",
             "papermill", "markdown_it", "bleach", "rich.progress", "ipywidgets", "anywidget", "IPython", "fastcore.test", "nbdev.test", "ruamel.yaml",
             "matplotlib_inline.backend_inline", "sklearn.ensemble", "statsmodels.stats.proportion", "ibis.backends.duckdb", "openpyxl",
             "pyarrow.dataset", "pyarrow.pandas_compat", "sqlalchemy.dialects.sqlite", "mlflow.pyfunc", "skops.io", "skl2onnx", "dvc.repo"]
EDGES = ["tutorials/10_first_campaign", "tutorials/15_first_model", "how_to/run_many_models", "how_to/add_a_feature", "how_to/use_your_own_files"]
# Of the others what takes longest, longest first: no core is idle at the end. The tutorials and guides come next.
LONGEST = ["how_to/roll_back_at_night", "how_to/release_a_model", "how_to/answer_an_auditor", "api/training/34_feature_review_leaks", "api/jobs/42_spawner",
           "how_to/design_an_experiment", "api/training/54_run_comparisons", "api/measurement/96_daily_readings", "api/training/56_gain_variation", "api/measurement/68_known_before"]
DEADLINE_S = 900
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")      # before it is imported

def modules():
    "Our modules, by name."
    files = sorted(p.relative_to(ROOT).with_suffix("") for p in (ROOT/"marketing_mlops").rglob("*.py"))
    return [".".join(f.parts) for f in files if not {"__init__", "workspace_template", "shipped"} & set(f.parts)]

def pages(names):
    edges = [ROOT/"nbs"/f"{name}.ipynb" for name in EDGES]
    if names == ["--edges"]: return edges
    given = [ROOT/"nbs"/name for name in ("tutorials", "how_to", "explanations", "api", "index.ipynb")] if not names else [ROOT/n for n in names]
    found = [p for g in given for p in ([g] if g.suffix == ".ipynb" else sorted(g.rglob("*.ipynb")))]
    found = [p for p in found if not {".ipynb_checkpoints", "_proc"} & set(p.parts)]
    if names: return found
    long = [ROOT/"nbs"/f"{name}.ipynb" for name in LONGEST]
    return [*long, *(p for p in found if p not in long and p not in edges)]

def warm_shell():
    "The first shell of a process looks through all installed packages for backends of matplotlib; children inherit what it found."
    from execnb.shell import CaptureShell
    CaptureShell().close()

def run_page(page, warm_home):
    "In the child: executes the page and ends the process, whatever happened."
    code = 1
    if page.parent.name != "jobs": os.environ["MMOPS_WARM_HOME"] = warm_home
    try:
        from nbdev.test import test_nb
        signal.alarm(DEADLINE_S)
        code = 0 if test_nb(page, basepath=ROOT, cell_timeout=600)[0] else 1
    finally:
        sys.stdout.flush(); sys.stderr.flush(); os._exit(code)

def main(names):
    sys.path.insert(0, str(ROOT))
    for name in [*LIBRARIES, *modules()]: importlib.import_module(name)
    warm_shell()
    gc.collect(); gc.freeze()                                  # what is here stays here, in all children
    waiting, running, failed, times = list(reversed(pages(names))), {}, [], []
    total, warm_home = len(waiting), tempfile.mkdtemp()       # its worker ends with it
    while waiting or running:
        while waiting and len(running) < min(4, 1 + (os.cpu_count() or 1)):      # the tests run beside them; so both end at about the same time
            page = waiting.pop()
            pid = os.fork()
            if not pid: run_page(page, warm_home)
            running[pid] = page
        pid, status, used = os.wait4(-1, 0)
        if pid not in running: continue
        page = running.pop(pid)
        times.append((used.ru_utime+used.ru_stime, page.relative_to(ROOT)))
        if status: failed.append(page.relative_to(ROOT)); print(f"FAILED {failed[-1]}", flush=True)
        elif len(times) % 20 == 0: print(f"{len(times)} of {total} pages", flush=True)
    shutil.rmtree(warm_home)
    dear = [f"{page} {seconds:.0f} s" for seconds, page in sorted(times, reverse=True)[:12]]
    print(f"{total-len(failed)} of {total} pages passed, each in a process of its own, with {sum(seconds for seconds, _ in times):.0f} s of computing; most: {', '.join(dear)}")
    return 1 if failed else 0

if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush(); os._exit(code)                         # what a library has to say at the end of an interpreter is of no use here
