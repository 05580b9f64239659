"""What two hundred models on one source cost: first run, idle re-run, one changed model, and that model's own steps.

    python benchmarks/many_models.py [N_MODELS]          writes benchmarks/results/many_models.json; 200 models if no number is given

A workspace is made from the shipped template: the simulated retailer with 3,000 customers, and models that share one
stage (`data/many/params.yaml`). They differ in horizon and in who counts as active; trees are few (`max_iter: 10`), so
what is measured is what it costs to have many models, not to train them. The idle run and the run after a change are
medians of three. A model's own time is that of its seven steps, run alone by `mmops-stage` on the same warm worker.
The commands come from a clone of the committed project. The seconds are those of the machine that recorded them.
"""
import json, os, statistics, subprocess, sys, tempfile, time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
RESULT = ROOT/"benchmarks"/"results"/"many_models.json"
CUSTOMERS, MODEL = 3_000, "churn_007"
STEPS = ("features", "train", "evaluate", "bundle", "score", "monitor", "report")
TEMPLATE = """churn: &churn
  owner: model-owner@example.com
  purpose: Win customers back before they are gone
  audience: Customers with e-mail consent who ordered lately
  source: retailer
  task: propensity
  consent_purpose: email
  cutoffs: {last: "2026-03-31", every_days: 30, count: 4}
  features: [recency_days, orders_90d, orders_365d, net_revenue_365d, tenure_days, clicks_90d, contacts_90d, trait.age_band]
  algorithm: {name: hist_gradient_boosting, max_iter: 10, learning_rate: 0.1, max_leaf_nodes: 7, min_samples_leaf: 40}
  split: {held_out: last_cutoff}
  primary_metric: auc
  gates: {auc: 0.60}
  holdout: 0.05
  release: {cadence_days: 30, approval_days: 30}
  monitoring: {missing_share: 0.05, psi: 0.2}
sources: [retailer]
models:
"""

def model_line(number, horizon): return f"  churn_{number:03}: {{<<: *churn, outcome: {{kind: no_order, horizon_days: {horizon}, active_days: {180+number}}}}}\n"

def command(clone, folder, *words):
    env = {**os.environ, "CI": "true", "PYTHONPATH": str(clone), "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    env.pop("MMOPS_WORKSPACE", None)
    started = time.perf_counter()
    done = subprocess.run([str(BIN/words[0]), *words[1:]], cwd=folder, env=env, capture_output=True, text=True)
    if done.returncode: sys.exit(done.stdout+done.stderr)
    return time.perf_counter()-started

def make_workspace(clone, top, n_models):
    command(clone, top, "mmops", "init", "shop")
    folder = top/"shop"
    params = folder/"params.yaml"
    params.write_text(params.read_text().replace("customers: 20000", f"customers: {CUSTOMERS}"))
    (folder/"data"/"many"/"params.yaml").write_text(TEMPLATE+"".join(model_line(i, 30+i%60) for i in range(n_models)))
    return folder

def change(folder, horizon):
    "Gives one model another horizon."
    file, number = folder/"data"/"many"/"params.yaml", int(MODEL[-3:])
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(model_line(number, horizon) if line.startswith(f"  {MODEL}:") else line for line in lines))

def main(n_models=200, repeats=3):
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as top:
        clone = Path(top)/"project"
        subprocess.run(["git", "clone", "-q", "--no-hardlinks", str(ROOT), str(clone)], check=True)
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=clone, capture_output=True, text=True, check=True).stdout.strip()
        folder = make_workspace(clone, Path(top), n_models)
        run = lambda: command(clone, folder, "mmops", "run", "many", "--no-open")
        first = run()
        print(f"first run of {n_models} models: {first:.0f} s", flush=True)
        load_when_idle = os.getloadavg()[0]
        idle = [run() for _ in range(repeats)]
        changed, own = [], []
        for i in range(repeats):
            change(folder, 50+i)
            changed.append(run())
            own.append(sum(command(clone, folder, "mmops-stage", step, f"model={MODEL}") for step in STEPS))
            print(f"{i+1} of {repeats}: idle {idle[i]:.2f} s, one changed {changed[i]:.2f} s, its own steps {own[i]:.2f} s", flush=True)
    seconds = dict(first_run_s=first, idle_run_s=statistics.median(idle), one_changed_s=statistics.median(changed), own_steps_s=statistics.median(own),
                   over_own_s=statistics.median(c-o for c, o in zip(changed, own)))
    RESULT.write_text(json.dumps(dict(command=f"python benchmarks/many_models.py {n_models}", commit=commit, cores=os.cpu_count(), customers=CUSTOMERS,
        load_at_start=round(load, 1), load_when_idle=round(load_when_idle, 1), n_models=n_models, repeats=repeats, **{k: round(v, 2) for k, v in seconds.items()}), indent=1, sort_keys=True)+"\n")
    print(RESULT.read_text())

if __name__ == "__main__": main(*map(int, sys.argv[1:]))
