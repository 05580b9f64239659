"""What every test may use: the dataset mirror, and a tiny workspace of its own."""
import os
from pathlib import Path
import pytest

ROOT = Path(__file__).resolve().parent.parent

@pytest.fixture(scope="session")
def repository() -> Path:
    "Root of this repository."
    return ROOT

@pytest.fixture(scope="session")
def datasets() -> Path:
    "The mirror of public datasets named by MMOPS_DATASETS; tests that need it skip without it."
    mirror = os.environ.get("MMOPS_DATASETS")
    if not mirror: pytest.skip("MMOPS_DATASETS names no mirror of the public datasets")
    path = Path(mirror) if Path(mirror).is_absolute() else ROOT/mirror
    if not path.is_dir(): pytest.skip(f"MMOPS_DATASETS is {mirror!r}, which is not a folder")
    return path.resolve()
