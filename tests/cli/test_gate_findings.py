"""The second build is held against the first under the conditions of the first."""
import subprocess
import pytest
from marketing_mlops.cli.gate_findings import rebuild_finding
from marketing_mlops.features import training_files
from marketing_mlops.jobs import workers
from marketing_mlops.workspace.places import find_workspace, write_text

@pytest.fixture
def shop(tmp_path):
    write_text(tmp_path/"settings.ini", "[DEFAULT]\nreporting_currency = EUR\n")
    return find_workspace(tmp_path)

@pytest.fixture(autouse=True)
def rows_there(monkeypatch):
    "Without a training set no second build starts."
    monkeypatch.setattr(training_files, "read_training_set", lambda folder: None)

@pytest.fixture
def started(monkeypatch):
    "What processes were to be started with; each one fails."
    calls = []
    def run(words, **options):
        calls.append(options)
        raise subprocess.TimeoutExpired(words, options["timeout"])
    monkeypatch.setattr(subprocess, "run", run)
    return calls

def test_the_second_build_starts_with_the_arithmetic_of_the_stages(shop, started, monkeypatch):
    monkeypatch.setattr(workers, "same_arithmetic", lambda: {"OPENBLAS_CORETYPE": "Haswell"})
    rebuild_finding(shop, "churn", None)
    assert [(call["env"]["OPENBLAS_CORETYPE"], call["cwd"]) for call in started] == [("Haswell", shop.root)]

def test_a_second_build_that_does_not_end_is_not_known(shop, started):
    found = rebuild_finding(shop, "churn", None)
    assert found.status == "unknown" and "did not end" in found.reasons[0].message

def test_a_second_build_that_dies_is_not_known_and_says_its_last_words(shop, monkeypatch):
    monkeypatch.setattr(subprocess, "run", lambda words, **options: subprocess.CompletedProcess(words, -9, "", "Traceback …\nMemoryError: too many rows\n"))
    found = rebuild_finding(shop, "churn", None)
    assert found.status == "unknown" and "MemoryError: too many rows" in found.reasons[0].message
