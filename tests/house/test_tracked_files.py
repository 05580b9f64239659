"""Nothing of a machine, a registry or a person gets into the repository."""
import re, subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEXT = {".py", ".ipynb", ".md", ".toml", ".ini", ".yaml", ".yml", ".lock", ".js", ".css", ".txt", ".json", ".html", ".cfg", ""}
REGISTRY = re.compile(r"://[^ /\"']*(py" r"pi|pythonhosted|npm" r"js)[^ /\"']*/|--(extra-)?index-" r"url", re.I)
MACHINE = re.compile(r"(?<![\w.:/])/(home|root|Users|work|tmp)/[\w.]+")

def tracked():
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return [ROOT/n for n in names if n and (ROOT/n).is_file()]

def found(pattern):
    return [f"{p.relative_to(ROOT)}:{i}" for p in tracked() if p.suffix in TEXT
            for i, line in enumerate(p.read_text(errors="replace").splitlines(), 1) if pattern.search(line)]

def test_no_address_of_a_package_index(): assert found(REGISTRY) == []

def test_no_path_of_a_machine(): assert found(MACHINE) == []

def test_no_large_file_and_no_data():
    large = [str(p.relative_to(ROOT)) for p in tracked() if p.stat().st_size > 1_000_000]
    assert set(large) <= {"marketing_mlops/_modidx.py"}       # the list of all symbols, which the export writes
    data = [str(p.relative_to(ROOT)) for p in tracked() if p.suffix in {".csv", ".parquet", ".gz", ".xlsx", ".pkl"}]
    assert data == ["tests/rules.csv"]       # a list of rules and their tests, no rows of anybody

def test_what_a_team_decides_is_committed_and_nothing_else_beside_it():
    names = [f"data/governance/{name}" for name in ("allowed_signers", "documents/churn/risks.md", "key", "allowed_signers.old")] + ["data/ledger/laptop.jsonl", "data/live/churn.json"]
    ignored = subprocess.run(["git", "check-ignore", "--no-index", *names], cwd=ROOT, capture_output=True, text=True).stdout.split()
    assert ignored == ["data/governance/key", "data/governance/allowed_signers.old"]

def test_every_dependency_has_a_floor():
    import tomllib
    project = tomllib.loads((ROOT/"pyproject.toml").read_text())
    names = [*project["project"]["dependencies"], *(d for g in project["dependency-groups"].values() for d in g)]
    assert [n for n in names if ">=" not in n and "<" not in n] == []
