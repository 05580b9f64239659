"""How long a wrong champion goes on after somebody has decided to go back: for HTTP, for the next score, and for who types the command.

A real service answers over loopback while it is asked all the time: one caller without a pause, whose answers tell who
speaks, and two more that ask a hundred times a second together. Two boosted models of eleven features were released one
after the other; each rollback names the other one, so that the same two change places as often as wanted. The workspace is
a git repository, so each rollback leaves a tag, as it does in practice.

Measured from the moment `rollback` returns: the first answer by the earlier champion (0 where one came before that), how
many answers to questions asked after it still came from the one that was left, and the time until the pointer is read and
the bundle is open for the next score. Beside it the time inside `rollback`, and the whole command `mmops rollback`.

    python benchmarks/rollback_speed.py [--rollbacks 60] [--commands 30]
"""
import argparse, json, multiprocessing, os, subprocess, sys, tempfile, time
from pathlib import Path
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
RESULT = ROOT/"benchmarks"/"results"/"rollback_speed.json"
sys.path.insert(0, str(ROOT/"benchmarks"))
from serving_latency import ALGORITHM, CATEGORICAL, FEATURES, KEY, MODEL, NUMERIC, Service, customers, end, free_port, start
ANALYST, SIDES = "analyst@example.com", ("model-owner@example.com", "marketing@example.com")
MOST_MS = 100

def bundle_of(shop, seed):
    "A fitted model, written as a bundle."
    from marketing_mlops.contracts.verdict import Verdict
    from marketing_mlops.models.propensity import PropensityModel
    from marketing_mlops.registry.bundles import write_bundle
    from marketing_mlops.registry.graphs import propensity_graph
    from marketing_mlops.registry.input_schemas import input_schema
    rows = customers(20_000, seed)
    gone = (np.random.default_rng(seed + 1).random(len(rows)) < 1/(1 + np.exp(-(rows.recency_days - rows.orders_90d)/20))).astype(int)
    graph = propensity_graph(PropensityModel(ALGORITHM, NUMERIC, CATEGORICAL).fit(rows, gone), FEATURES)
    return write_bundle(shop.path("data", "made", str(seed)), scorer={"no_order": graph}, kind="graph", features=FEATURES, schema=input_schema(rows, FEATURES),
        parameters={"model": MODEL, "task": "propensity"}, evaluation={"verdict": Verdict(MODEL, "pass", []).to_dict()}, lock_hash="a1", data_hashes={}, code_hash="c3", envelope={})

def put_live(shop, bundle):
    from marketing_mlops.contracts.verdict import judged
    from marketing_mlops.governance.approvals import grant, request_approval
    from marketing_mlops.governance.release_gates import MEASURED_GATES, GateFindings, check_bundle
    from marketing_mlops.governance.releases import bundle_evidence, release
    asked = bundle_evidence(bundle.folder)
    request_approval(shop, asked.matter, ANALYST, structure=asked.structure)
    check_bundle(shop, MODEL, bundle.folder, ANALYST, findings=GateFindings({name: judged(name) for name in MEASURED_GATES}))
    for role in SIDES: grant(shop, asked.matter, role)
    release(shop, MODEL, bundle.folder, ANALYST)

def asking(port, pause, stop, answers=None):
    "Asks until told to stop; notes when each question was asked and answered, and by whom."
    service = Service(port, "/predict", None, None, {"Authorization": f"Bearer {KEY}"})
    body, said = json.dumps({"model": MODEL, "rows": customers(1, 9).to_dict("records")}).encode(), []
    while not stop.is_set():
        asked = time.perf_counter()
        found = json.loads(service.ask(body))["bundle"]
        if answers is not None: said.append((asked, time.perf_counter(), found))
        if pause: time.sleep(pause)
    if answers is not None: answers.put(said)

def gone_back(shop, to):
    "One rollback: when it began and returned, and when the next score had the earlier champion open."
    from marketing_mlops.governance.releases import RollbackChoice, rollback
    from marketing_mlops.jobs.scoring import bundle_to_score, champion_of
    began = time.perf_counter()
    rollback(shop, MODEL, SIDES[1], "Complaints doubled", choice=RollbackChoice(to=to[:12]))
    returned = time.perf_counter()
    if champion_of(shop, MODEL) != to: sys.exit("the pointer names another bundle")
    pointed = time.perf_counter()
    if bundle_to_score(shop, MODEL)[0].core_hash != to: sys.exit("the next score would take another bundle")
    return dict(to=to, began=began, returned=returned, pointed=pointed, opened=time.perf_counter())

def commanded(shop, to):
    began = time.perf_counter()
    subprocess.run([BIN/"mmops", "rollback", MODEL, "--as", SIDES[1], "--reason", "Complaints doubled", "--to", to[:12], "--workspace", shop.root], check=True, stdout=subprocess.DEVNULL)
    return dict(to=to, began=began, returned=time.perf_counter())

def figures(times):
    found = np.asarray(times)*1000
    return dict(median_ms=round(float(np.median(found)), 2), p99_ms=round(float(np.quantile(found, .99)), 2), largest_ms=round(float(found.max()), 2), n=len(found))

def heard(steps, answers):
    "For each step the first answer by whom it returned to, and the wrong answers to questions asked after it."
    first, wrong = [], 0
    for i, step in enumerate(steps):
        until = steps[i+1]["began"] if i + 1 < len(steps) else float("inf")
        within = [(asked, at, who) for asked, at, who in answers if step["began"] <= at < until]
        right = [at for _, at, who in within if who == step["to"]]
        if not right: sys.exit("no answer by the earlier champion before the next rollback")
        first.append(right[0])
        wrong += sum(who != step["to"] and asked > step["returned"] for asked, _, who in within)
    return first, wrong

def measured(shop, port, bundles, rollbacks, commands):
    context = multiprocessing.get_context("spawn")
    stop, answers = context.Event(), context.Queue()
    callers = [context.Process(target=asking, args=(port, 0, stop, answers)), *(context.Process(target=asking, args=(port, .02, stop)) for _ in range(2))]
    for each in callers: each.start()
    time.sleep(8)                                  # they import first
    by_call, by_command = [], []
    for i in range(rollbacks): by_call.append(gone_back(shop, bundles[i % 2])); time.sleep(1.5)
    for i in range(commands): by_command.append(commanded(shop, bundles[(rollbacks + i) % 2])); time.sleep(1.5)
    stop.set()
    said = answers.get()
    for each in callers: each.join()
    first, wrong = heard(by_call + by_command, said)
    called = first[:rollbacks]
    print(f"{len(said)} answers")
    return dict(http_after_return=figures([max(0., at - step["returned"]) for at, step in zip(called, by_call)]), wrong_answers_after_return=wrong,
        next_score_points=figures([step["pointed"] - step["returned"] for step in by_call]), next_score_opens=figures([step["opened"] - step["returned"] for step in by_call]),
        inside_rollback=figures([step["returned"] - step["began"] for step in by_call]), http_from_call=figures([at - step["began"] for at, step in zip(called, by_call)]),
        whole_command=figures([step["returned"] - step["began"] for step in by_command]), http_from_command=figures([at - step["began"] for at, step in zip(first[rollbacks:], by_command)]),
        questions_per_second=round(len(said)/(said[-1][1] - said[0][0])))

def workspace(folder):
    from marketing_mlops.workspace.places import find_workspace
    (folder/"settings.ini").write_text(f"[DEFAULT]\ntechnical_approvers = {SIDES[0]}\nbusiness_approvers = {SIDES[1]}\n")
    (folder/"params.yaml").write_text(f"sources: {{shop: {{kind: simulated}}}}\nmodels:\n  {MODEL}: {{owner: {SIDES[0]}, purpose: Win back, audience: Customers, source: shop, task: propensity}}\n")
    for words in (["init", "-q"], ["-c", "user.name=analyst", "-c", f"user.email={ANALYST}", "commit", "-q", "--allow-empty", "-m", "First"], ["config", "user.name", "analyst"], ["config", "user.email", ANALYST]):
        subprocess.run(["git", "-C", folder, *words], check=True)
    return find_workspace(folder)

def main(rollbacks, commands):
    with tempfile.TemporaryDirectory() as folder:
        shop = workspace(Path(folder))
        made = [bundle_of(shop, seed) for seed in (7, 17)]
        for bundle in made: put_live(shop, bundle)
        port, load = free_port(), os.getloadavg()[0]
        service = start([BIN/"mmops", "serve", "--port", port, "--workspace", shop.root], MMOPS_SERVE_KEY=KEY)
        try:
            Service(port, "/predict", lambda rows: json.dumps({"model": MODEL, "rows": rows}).encode(), lambda found: found["bundle"], {"Authorization": f"Bearer {KEY}"}).wait(customers(1, 9).to_dict("records"))
            found = measured(shop, port, [each.core_hash for each in made], rollbacks, commands)
        finally: end(service)
    return found | dict(load_before=round(load, 1), load_after=round(os.getloadavg()[0], 1))

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rollbacks", type=int, default=60)
    parser.add_argument("--commands", type=int, default=30)
    options = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    found = main(options.rollbacks, options.commands)
    for name, each in found.items(): print(name, each)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    reached = found["http_after_return"]["p99_ms"] <= MOST_MS and found["next_score_opens"]["p99_ms"] <= MOST_MS and not found["wrong_answers_after_return"]
    RESULT.write_text(json.dumps(dict(command=f"python benchmarks/rollback_speed.py --rollbacks {options.rollbacks} --commands {options.commands}", commit=commit, cores=os.cpu_count(), seed=7,
        model="hist_gradient_boosting, 100 trees, 11 features", target_ms=MOST_MS, reached=reached, **found), indent=1) + "\n")
    sys.exit(int(not reached))
