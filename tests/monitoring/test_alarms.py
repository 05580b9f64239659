"""Silent in twelve stable months, loud after a planted incident: a small shop here, five larger ones on record."""
import json, shutil
from pathlib import Path
import numpy as np
import pandas as pd
import pytest
from marketing_mlops.contracts.verdict import Reason, judged
from marketing_mlops.measurement.intervals import NotMeasurable
from marketing_mlops.monitoring.input_checks import RowsJudged
from marketing_mlops.monitoring.periods import judge_period, judge_volume, monitor, read_period, why_not_new, without_comparison
from marketing_mlops.monitoring.realised import matured_cutoff
from marketing_mlops.monitoring.release_rules import ReleaseRules
from marketing_mlops.registry.bundles import score_rows
from marketing_mlops.features.training_files import write_training_set
from marketing_mlops.sources.incidents import INCIDENTS
from marketing_mlops.workspace.errors import DataError

ROOT = Path(__file__).resolve().parents[2]
RECORDED = json.loads((ROOT/"benchmarks"/"results"/"monitoring_alarms.json").read_text())
SMALL = dict(customers=2_000, months=36)

@pytest.fixture(scope="module")
def benchmark(benchmark_script):
    module = benchmark_script("monitoring_alarms")
    yield module
    INCIDENTS.pop(module.ALL_TRACKING_LOST.name)   # other tests find the incidents as they are shipped

@pytest.fixture(scope="module")
def shop(benchmark, tmp_path_factory):
    "A small shop with a model in use: workspace, training set, bundle."
    workspace = benchmark.open_shop(tmp_path_factory.mktemp("shop"), 7, **SMALL)
    return workspace, *benchmark.put_in_use(workspace)

@pytest.fixture(scope="module")
def july(benchmark, shop): return benchmark.month_of(shop[0], benchmark.LAST)

@pytest.mark.parametrize("step", [6, pytest.param(1, marks=pytest.mark.slow)], ids=["every half year", "every month"])
def test_a_stable_year_rings_never(benchmark, shop, step):
    workspace, training, bundle = shop
    looks = [benchmark.look(bundle, training, *benchmark.month_of(workspace, at)) for at in benchmark.STABLE[::step]]
    assert [(each.cutoff[:10], each.alarms) for each in looks if each.alarms] == []
    early, later = ({each.verdict.status for each in looks if (each.cutoff < "2025-09-28") == is_early} for is_early in (True, False))
    assert (early, later) == ({"unknown"}, {"pass"})   # until then the answers overlap with those of the evaluation

def test_a_planted_incident_is_caught_by_the_features_it_touches(benchmark, shop, tmp_path):
    struck = benchmark.open_shop(tmp_path, 7, **SMALL, incidents=["all_tracking_lost"])   # the same shop until April 2026, long after training
    found = [reason.message for reason in benchmark.look(shop[2], shop[1], *benchmark.month_of(struck, benchmark.LAST)).alarms]
    assert any("engagement_seconds_90d" in message for message in found)
    assert not any("orders" in message or "trait" in message for message in found)

def test_every_shift_planted_by_hand_is_caught(benchmark, shop, july):
    (_, training, bundle), (rows, matured), rng = shop, july, np.random.default_rng(1)
    assert [name for name, plant in benchmark.PLANTED.items() if not benchmark.look(bundle, training, plant(rows, rng), matured).alarms] == []
    assert benchmark.look(bundle, training, rows, benchmark.answers_by_chance(matured, rng)).verdicts["performance"].status == "fail"

def test_a_look_survives_json_and_holds_no_customer(benchmark, shop, july):
    (_, training, bundle), (rows, matured) = shop, july
    look = benchmark.look(bundle, training, rows, matured)
    text = json.dumps(look.to_dict(), allow_nan=False)
    assert read_period(json.loads(text)) == look
    assert not any(customer in text for customer in rows.customer_id)

def test_answers_that_overlap_with_the_evaluations_are_unknown_until_the_day_named(benchmark):
    spec, judged_at = benchmark.SPEC, pd.Timestamp("2025-04-01", tz="UTC")
    for days in (91, 92, 179):
        with pytest.raises(NotMeasurable, match="2025-04-01") as reason: matured_cutoff(spec, judged_at + pd.Timedelta(days=days))
        assert "2025-06-30" in reason.value.problem and "2025-09-28" in reason.value.remedy
    assert matured_cutoff(spec, pd.Timestamp("2025-09-28", tz="UTC")) == pd.Timestamp("2025-06-30", tz="UTC")

def test_both_days_of_a_performance_are_named(benchmark, shop, july):
    (_, training, bundle), (rows, matured) = shop, july
    message = benchmark.look(bundle, training, rows, matured).verdicts["performance"].reasons[0].message
    assert "2025-04-01" in message and f"{matured.cutoff.max():%Y-%m-%d}" in message

def test_the_people_of_training_once_more_are_unknown_and_no_psi_of_nothing(benchmark, shop, july):
    (_, training, bundle), (_, matured) = shop, july
    same = training.held_out.drop(columns=["label", "split"]).reset_index(drop=True)
    for at in (same.cutoff.max(), benchmark.LAST):   # the same day, and a later one with the features of then
        look = benchmark.look(bundle, training, same.assign(cutoff=at), matured)
        assert {look.verdicts[name].status for name in ("input", "scores")} == {"unknown"} and not look.features + look.scores
    spoilt = benchmark.look(bundle, training, same.assign(**{"trait.age_band": None}, cutoff=same.cutoff.max()), matured)
    assert spoilt.verdicts["input"].status == "fail" and any("trait.age_band" in reason.message for reason in spoilt.alarms)

def test_an_outcome_stated_once_leaves_the_shifts_unknown(benchmark, shop, july):
    why = why_not_new(benchmark.SPEC | dict(outcome=dict(kind="outcome", column="conversion")), july[0], shop[1])
    left = without_comparison(RowsJudged(judged("scores", [Reason("shift", "p_outcome has moved.", severity="review")]), []), why)
    assert [reason.code for reason in left.verdict.reasons] == ["not_new"] and left.verdict.status == "unknown"   # nothing rings and is unknown at once
    assert why.severity == "unknown" and why_not_new(benchmark.SPEC, july[0], shop[1]) is None

def test_a_volume_without_an_earlier_period_is_unknown_and_no_alarm(benchmark):
    verdict = judge_volume(1_000, None, benchmark.RULES)
    assert verdict.status == "unknown" and {reason.severity for reason in verdict.reasons} == {"unknown"}

@pytest.fixture
def scored(benchmark, shop, july):
    "The workspace as the stages before monitoring leave it."
    (workspace, training, bundle), (rows, _) = shop, july
    folder, model = workspace.path("data", "score", bundle.parameters["model"]), bundle.parameters["model"]
    for each in (folder, workspace.path("data", "features", model)): each.mkdir(parents=True, exist_ok=True)
    write_training_set(training, workspace.path("data", "features", model))
    frame = rows.join(score_rows(bundle, rows)).assign(role="candidate", bundle_hash=bundle.core_hash)
    def write(df): df.to_parquet(folder/"scores.parquet"); return workspace, model, benchmark.SPEC
    write.frame = frame
    yield write
    shutil.rmtree(folder)

def test_the_stage_judges_the_rows_just_scored(scored):
    look = monitor(*scored(scored.frame))
    assert (look.verdict.status, look.role, look.n_rows, set(look.performance)) == ("pass", "candidate", len(scored.frame), {"before", "now", "drop"})

def test_only_a_champion_is_held_against_its_release_rules_and_by_the_days_of_the_data(scored):
    rules = dict(release=dict(cadence_days=30, rollback_when=dict(auc_drop=.05)))   # learned from answers until 2025-04-01; on 2026-07-01 they could go until 2026-04-02
    workspace, model, spec = scored(scored.frame)
    assert "age" not in monitor(workspace, model, spec | rules).verdicts
    look = monitor(*scored(scored.frame.assign(role="champion"))[:2], spec | rules)
    assert [(reason.code, reason.value, reason.threshold) for reason in look.alarms] == [("due_for_retraining", 366, 30)] and look.verdict.status == "review"
    assert read_period(json.loads(json.dumps(look.to_dict()))) == look

def test_a_champion_that_ranks_by_chance_is_to_be_taken_back(benchmark, shop, july):
    (_, training, bundle), (rows, matured) = shop, july
    lost = benchmark.answers_by_chance(matured, np.random.default_rng(1))
    champion = rows.join(score_rows(bundle, rows)).assign(role="champion")
    verdicts = [judge_period(bundle, champion.assign(role=role), training, lost, benchmark.RULES, ReleaseRules(auc_drop=.05)).verdicts for role in ("champion", "candidate")]
    assert [each["performance"].reasons[0].code for each in verdicts] == ["rollback_when", "auc_drop"] and "age" not in verdicts[0]

def test_scores_of_a_bundle_that_is_gone_are_not_judged_by_another(scored):
    with pytest.raises(DataError, match="which is not here"): monitor(*scored(scored.frame.assign(bundle_hash="0"*64)))

def test_scores_of_nobody_are_refused(scored):
    with pytest.raises(DataError, match="Nobody was scored"): monitor(*scored(scored.frame.iloc[:0]))

def test_a_later_training_set_without_the_bundles_features_leaves_the_scores_unknown(scored, shop):
    workspace, training, _ = shop
    model = scored(scored.frame)
    narrow = type(training)(training.model, training.frame.drop(columns="orders_90d"), [name for name in training.features if name != "orders_90d"], "label", None)
    write_training_set(narrow, workspace.path("data", "features", training.model))
    look = monitor(*model)
    assert (look.verdicts["scores"].status, look.verdicts["input"].status, look.verdict.status) == ("unknown", "pass", "unknown")

# --- on record ---
def test_no_stable_month_on_record_rang():
    assert RECORDED["stable"]["looks"] == 12*len(RECORDED["seeds"]) and RECORDED["stable"]["rang"] == 0

def test_every_planted_shift_on_record_was_caught():
    assert {name: each["rang"]/each["looks"] for name, each in RECORDED["planted"].items() if each["rang"] < .95*each["looks"]} == {}
    assert RECORDED["incidents"]["all_tracking_lost"]["rang"] == len(RECORDED["seeds"])

@pytest.mark.parametrize("row", RECORDED["at_threshold"], ids=lambda row: f"{row['true_psi']}-{row['customers']}")
def test_a_look_with_every_figure_on_its_threshold_rings_at_most_one_time_in_twenty(row):
    assert row["rang"] <= .05

def test_the_threshold_lies_above_the_season_of_the_shops(benchmark):
    season = {name: psi for name, psi in RECORDED["stable"]["largest_psi"].items() if not benchmark.is_own_act(name)}
    assert max(season.values()) < benchmark.RULES.psi/2

def test_the_record_names_command_seeds_and_commit(benchmark):
    assert tuple(RECORDED["seeds"]) == benchmark.SEEDS and RECORDED["customers"] == benchmark.CUSTOMERS and RECORDED["command"] and RECORDED["commit"]
