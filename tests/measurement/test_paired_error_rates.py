"""What was simulated of comparisons of two scores and of groups, recorded and promised."""
import json
from pathlib import Path
import pytest

RECORDED = json.loads((Path(__file__).resolve().parents[2]/"benchmarks"/"results"/"paired_error_rates.json").read_text())

@pytest.fixture(scope="module")
def benchmark(benchmark_script): return benchmark_script("paired_error_rates").BENCHMARK

@pytest.mark.parametrize("row", RECORDED["scenarios"], ids=lambda row: row["name"])
def test_no_comparison_errs_more_often_than_promised(row):
    low, high = row["allowed"]
    assert low <= row["observed"] <= high, row["says"]

def test_the_record_names_command_seed_count_and_commit(benchmark):
    assert RECORDED["seed"] == benchmark.seed and RECORDED["command"] and RECORDED["commit"]
    assert {row["name"]: row["draws"] for row in RECORDED["scenarios"]} == {s.name: s.draws for s in benchmark.scenarios.values()}

@pytest.mark.slow
def test_a_scenario_gives_the_recorded_figure_again(benchmark, name="auc_told_apart[0.5, 40 of 400]"):
    row = next(row for row in RECORDED["scenarios"] if row["name"] == name)
    assert benchmark.observe(benchmark.scenarios[name]) == pytest.approx(row["observed"], abs=2/row["draws"]+1e-5)
