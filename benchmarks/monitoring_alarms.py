"""How often monitoring rings: in stable months, after planted incidents, and where every figure sits on its threshold.

    python benchmarks/monitoring_alarms.py            all of it, rewrites benchmarks/results/monitoring_alarms.json
    python benchmarks/monitoring_alarms.py --draft    one small shop, prints only

A look is one judged month of one simulated shop: a model is trained once, released, and then looked at on the first of the
next twelve months without being retrained. Seasons, campaigns and the ageing of customers are in the shop.
"""
import os
os.environ.setdefault("OMP_NUM_THREADS", "1")
import json, subprocess, sys, tempfile
from pathlib import Path
import numpy as np
import pandas as pd
from marketing_mlops.features.event_rows import open_events
from marketing_mlops.features.point_in_time import features_of
from marketing_mlops.features.eligibility import eligible_rows
from marketing_mlops.features.spines import customer_candidates
from marketing_mlops.features.training_sets import training_set
from marketing_mlops.measurement.intervals import NotMeasurable
from marketing_mlops.measurement.shifts import stability_index
from marketing_mlops.monitoring.input_checks import MonitoringRules, family_level, is_own_act, shift_reasons
from marketing_mlops.monitoring.periods import judge_period
from marketing_mlops.monitoring.realised import matured_rows
from marketing_mlops.registry.bundles import score_rows, write_bundle
from marketing_mlops.registry.candidate_files import scorer_of
from marketing_mlops.registry.input_schemas import input_schema
from marketing_mlops.sources.incidents import INCIDENTS, Incident, register_incident
from marketing_mlops.sources.simulator import simulate
from marketing_mlops.training.candidates import fit_candidate
from marketing_mlops.training.evaluations import evaluate
from marketing_mlops.workspace.places import Workspace
from marketing_mlops.workspace.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT/"benchmarks"/"results"/"monitoring_alarms.json"
SEEDS, CUSTOMERS, MONTHS, DRAWS = (7, 8, 9, 10, 11), 8_000, 48, 4_000
RULES = MonitoringRules()
FEATURES = ["recency_days", "orders_90d", "orders_365d", "net_revenue_365d", "average_order_value_365d", "tenure_days", "clicks_90d",
            "engagement_seconds_90d", "contacts_90d", "trait.age_band", "trait.acquisition_channel"]
SPEC = dict(model="retailer_churn_90d", task="propensity", source="retailer", consent_purpose="email", features=FEATURES, split=dict(held_out="last_cutoff"),
            outcome=dict(kind="no_order", horizon_days=90, active_days=365), cutoffs=dict(last="2025-04-01", every_days=30, count=6),
            algorithm=dict(name="hist_gradient_boosting", max_iter=100, learning_rate=.1, max_leaf_nodes=15, min_samples_leaf=40), gates={})
STABLE = pd.date_range("2025-08-01", periods=12, freq="MS", tz="UTC").as_unit("us")
LAST = STABLE[-1]

# The incidents that are shipped happen in the last weeks, and move windows of 90 days little. This one does not.
ALL_TRACKING_LOST = Incident("all_tracking_lost", "From 1 April 2026 no visit and no click is recorded anywhere.", {
    "touchpoints": "SELECT * FROM touchpoints WHERE NOT (kind IN ('visit', 'click') AND occurred_at >= '2026-04-01')"}, noticed_by="monitoring")
if ALL_TRACKING_LOST.name not in INCIDENTS: register_incident(ALL_TRACKING_LOST)
SHIPPED = ("tracking_loss", "price_shock", "late_data", "bot_traffic") # schema_change stops at validation: no feature can be computed

# --- a shop with a model in use ---
def open_shop(folder, seed, customers=CUSTOMERS, months=MONTHS, incidents=()):
    "A workspace whose source `retailer` is simulated."
    workspace = Workspace(Path(folder), Settings("development", Path(folder)))
    simulate(customers, months, seed, tuple(incidents), into=workspace.accepted("retailer"), private=Path(folder)/"private")
    return workspace

def put_in_use(workspace, spec=SPEC):
    "Training set and bundle of the model."
    rows = training_set(workspace, spec["model"], spec)
    candidate = fit_candidate(rows, spec)
    found = evaluate(spec["model"], candidate.held_out, spec, candidate.facts)
    bundle = write_bundle(workspace.path("data", "bundle", spec["model"]), scorer=scorer_of(candidate, rows.features, "no_order"), kind="graph", features=rows.features,
        schema=input_schema(rows.train, rows.features), parameters=spec | dict(facts=candidate.facts), evaluation=found.to_dict(), lock_hash="", data_hashes={}, code_hash="", envelope={})
    return rows, bundle

def month_of(workspace, at, spec=SPEC):
    "Rows to be scored at a day, and those whose outcome had matured by then."
    with open_events(workspace, "retailer") as events:
        rows = eligible_rows(events, customer_candidates(events, [at]), purpose="email", active_days=365).frame
        rows = rows.join(features_of(events, rows, spec["features"])[spec["features"]])
        try: return rows, matured_rows(events, spec, as_of=at)
        except NotMeasurable as reason: return rows, reason

def look(bundle, training, rows, matured): return judge_period(bundle, rows.join(score_rows(bundle, rows)).assign(role="champion"), training, matured, RULES)

# --- shifts planted by hand ---
def _missing(rows, rng): return rows.assign(**{"trait.age_band": rows["trait.age_band"].mask(rng.random(len(rows)) < .2, None)})

PLANTED = {
    "revenue arrives in cents": lambda rows, rng: rows.assign(net_revenue_365d=rows.net_revenue_365d*100),
    "one customer in five loses the age band": _missing,
    "clicks and engagement are no longer recorded": lambda rows, rng: rows.assign(clicks_90d=0., engagement_seconds_90d=0.),
    "orders of the last 30 days are missing": lambda rows, rng: rows.assign(recency_days=rows.recency_days + 30),
    "six customers in ten are not scored": lambda rows, rng: rows[rng.random(len(rows)) < .4].reset_index(drop=True),
}

def answers_by_chance(matured, rng): return matured if isinstance(matured, NotMeasurable) else matured.assign(label=rng.permutation(matured.label))

# --- counting ---
def seen_in(judged):
    "What a look found, as plain figures."
    figures = {each.name: round(each.psi.value, 4) for each in judged.features + judged.scores if each.psi}
    notes = sorted({each.name for each in judged.features if is_own_act(each.name) and shift_reasons(each, RULES)})
    return dict(status=judged.verdict.status, alarms=[reason.code + ": " + reason.message for reason in judged.alarms], own_acts=notes, psi=figures,
                drop=round(judged.performance["drop"].value, 4) if "drop" in judged.performance else None, n_rows=judged.n_rows)

def looks_of_shop(seed, customers=CUSTOMERS, months=MONTHS, days=STABLE):
    "Twelve stable months, and each of them with every planted shift."
    rng, stable, planted = np.random.default_rng(seed), [], {name: [] for name in [*PLANTED, "answers come by chance"]}
    with tempfile.TemporaryDirectory() as folder:
        workspace = open_shop(folder, seed, customers, months)
        training, bundle = put_in_use(workspace)
        for at in days:
            rows, matured = month_of(workspace, at)
            stable.append(dict(seed=seed, month=f"{at:%Y-%m-%d}") | seen_in(look(bundle, training, rows, matured)))
            for name, plant in PLANTED.items(): planted[name].append(bool(look(bundle, training, plant(rows, rng), matured).alarms))
            if not isinstance(matured, NotMeasurable): planted["answers come by chance"].append(bool(look(bundle, training, rows, answers_by_chance(matured, rng)).alarms))
    return stable, planted

def look_after(incident, seed, customers=CUSTOMERS, months=MONTHS):
    "The last month of a shop in which an incident has struck, judged by a model from before."
    with tempfile.TemporaryDirectory() as folder:
        workspace = open_shop(folder, seed, customers, months, (incident,))
        training, bundle = put_in_use(workspace)
        return dict(seed=seed) | seen_in(look(bundle, training, *month_of(workspace, LAST)))

# --- where every figure sits on its threshold ---
def tilted(p, index):
    "A distribution over the bins of `p` whose true index is `index`."
    low, high = 0., 3.
    for _ in range(60):
        middle = (low+high)/2
        q = p*np.exp(middle*np.linspace(0, 1, len(p))); q /= q.sum()
        low, high = (middle, high) if ((q-p)*np.log(q/p)).sum() < index else (low, middle)
    return q

def share_ringing(index, n, draws=DRAWS, columns=len(FEATURES), n_before=2_700, bins=10, seed=20_260_930):
    "Share of looks that ring when all columns, independent, have a true index of `index`."
    rng, p = np.random.default_rng(seed), np.full(bins, 1/bins)
    q, level = tilted(p, index), family_level(columns)
    def rings(): return any(stability_index(a/n_before, n_before, b/n, n, level).low > RULES.psi for a, b in zip(rng.multinomial(n_before, p, columns), rng.multinomial(n, q, columns)))
    return sum(rings() for _ in range(draws))/draws

def measure():
    stable, planted = [], {}
    for seed in SEEDS:
        rows, caught = looks_of_shop(seed)
        stable += rows
        for name, each in caught.items(): planted.setdefault(name, []).extend(each)
        print(f"seed {seed}: {sum(bool(row['alarms']) for row in rows)} of {len(rows)} stable months ring", flush=True)
    struck = {name: [look_after(name, seed) for seed in SEEDS] for name in (ALL_TRACKING_LOST.name, *SHIPPED)}
    largest = {name: max(row["psi"].get(name, 0) for row in stable) for name in stable[0]["psi"]}
    return dict(
        stable=dict(looks=len(stable), rang=sum(bool(row["alarms"]) for row in stable), would_ring_for_own_acts=sum(bool(row["own_acts"]) for row in stable),
                    largest_psi=largest, largest_drop=max(row["drop"] for row in stable if row["drop"] is not None), months=stable),
        planted={name: dict(looks=len(each), rang=sum(each)) for name, each in planted.items()},
        incidents={name: dict(story=INCIDENTS[name].story, looks=len(each), rang=sum(bool(row["alarms"]) for row in each),
                              largest_psi={f: max(row["psi"].get(f, 0) for row in each) for f in each[0]["psi"]}, alarms=sorted({a.split(":")[0] + " " + a.split(": ")[1].split(" ")[0] for row in each for a in row["alarms"]}))
                   for name, each in struck.items()},
        at_threshold=[dict(true_psi=index, customers=n, looks=DRAWS, rang=share_ringing(index, n)) for index in (0., .1, .2) for n in (500, 2_500)])

def main(*arguments):
    if "--draft" in arguments:
        rows, caught = looks_of_shop(7, 2_500, 36)
        print(json.dumps([{k: v for k, v in row.items() if k != "psi"} for row in rows], indent=1), {name: sum(each) for name, each in caught.items()})
        return
    found = measure()
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps({"command": "python benchmarks/monitoring_alarms.py", "seeds": SEEDS, "customers": CUSTOMERS, "months": MONTHS, "commit": commit, "answers_apart_days": SPEC["outcome"]["horizon_days"]} | found, indent=1, sort_keys=True)+"\n")
    print(json.dumps({k: v for k, v in found.items() if k != "stable"} | dict(stable={k: v for k, v in found["stable"].items() if k != "months"}), indent=1))

if __name__ == "__main__": main(*sys.argv[1:])
