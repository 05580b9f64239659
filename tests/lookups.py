"""A process that may look up no name, and notes each it tries."""
import os, sys
from pathlib import Path

TESTS, BIN = Path(__file__).resolve().parent, Path(sys.executable).parent

def without_lookups(noted) -> dict[str, str]:
    "An environment in which names that are looked up are noted in a file and refused, without what hushes libraries in CI."
    env = {k: v for k, v in os.environ.items() if k not in ("CI", "PYTEST_CURRENT_TEST", "DO_NOT_TRACK", "MLFLOW_DISABLE_TELEMETRY", "DVC_NO_ANALYTICS")}
    return env | {"PYTHONPATH": str(TESTS/"no_lookups"), "MMOPS_TEST_LOOKUPS": str(noted), "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
