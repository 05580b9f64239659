"What a benchmark takes from the package is there: a benchmark runs seldom, and nobody would notice before."
import ast, importlib
from pathlib import Path
import pytest

ROOT = Path(__file__).resolve().parents[2]

@pytest.mark.parametrize("file", sorted((ROOT/"benchmarks").glob("*.py")), ids=lambda file: file.stem)
def test_every_name_a_benchmark_imports_from_the_package_exists(file):
    found = [node for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("marketing_mlops")]
    missing = [f"{node.module}.{each.name}" for node in found for each in node.names if not hasattr(importlib.import_module(node.module), each.name)]
    assert missing == []
