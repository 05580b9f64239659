"""The drawing of the house, kept true: imports go only down, and a library lives in one room."""
import ast
from pathlib import Path
import pytest

PACKAGE = Path(__file__).resolve().parents[2]/"marketing_mlops"

# From the ground up; boxes that share a line do not know each other.
FLOORS = [["workspace"], ["contracts"], ["sources"], ["features"], ["models", "measurement"], ["training"], ["registry"],
          ["governance"], ["serving", "monitoring", "activation"], ["playbooks"], ["jobs"], ["reporting"], ["schedules"],
          ["explorers"], ["cli"]]
FLOOR = {box: i for i, boxes in enumerate(FLOORS) for box in boxes}

# Library -> the boxes that may import it.
ROOMS = {
    "altair": {"reporting"}, "vl_convert": {"reporting"}, "markdown_it": {"reporting"}, "mdit_py_plugins": {"reporting"},
    "bleach": {"reporting"}, "latex2mathml": {"reporting"}, "sphinx": {"reporting"}, "nbdev": {"reporting", "cli"},
    "papermill": {"jobs"}, "execnb": {"jobs"}, "dvc": {"jobs"}, "IPython": {"jobs", "reporting", "explorers"},
    "ipywidgets": {"explorers"}, "jupyter_server": {"schedules"}, "tornado": {"schedules"}, "anywidget": {"explorers"}, "pandera": {"contracts"}, "ruamel": {"workspace", "sources"},
    "mlflow": {"registry"}, "skops": {"registry"}, "skl2onnx": {"registry"}, "onnx": {"registry"}, "onnxruntime": {"serving", "registry"},
    "fastapi": {"serving"}, "sqlalchemy": {"governance"}, "redis": {"features"}, "httpx": {"activation"},
    "scipy": {"measurement", "models"}, "statsmodels": {"measurement"}, "sklearn": {"models", "training", "measurement", "registry"},
}
ENGINES = {"duckdb", "ibis", "pyspark"}           # from sources upwards
NETWORK = {"urllib.request", "http.client", "requests", "httpx", "ftplib", "smtplib"}

def modules():
    return sorted(p for p in PACKAGE.rglob("*.py") if p.parent != PACKAGE and "__pycache__" not in p.parts and "template" not in p.parts)

def imports_of(path):
    "Absolute dotted names a module imports, ours resolved."
    parts = ["marketing_mlops", *path.relative_to(PACKAGE).with_suffix("").parts]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import): yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = parts[:len(parts)-node.level] if node.level else []
            name = ".".join([*base, *((node.module or "").split(".") if node.module else [])])
            yield name
            if node.module is None or node.module in ("urllib", "http"): yield from (f"{name}.{a.name}" for a in node.names)

def box_of(path): return path.relative_to(PACKAGE).parts[0]

def name(path): return str(path.relative_to(PACKAGE))

@pytest.mark.parametrize("path", modules(), ids=name)
def test_imports_go_only_down(path):
    box = box_of(path)
    assert box in FLOOR, f"the box {box!r} is not in the drawing of the house"
    for imported in imports_of(path):
        if not imported.startswith("marketing_mlops."): continue
        other = imported.split(".")[1]
        if other == box or other.startswith("_"): continue
        assert FLOOR[other] < FLOOR[box], f"{name(path)} imports {imported}: {box} may import only from below"

@pytest.mark.parametrize("path", modules(), ids=name)
def test_a_library_lives_in_its_room(path):
    box = box_of(path)
    for imported in imports_of(path):
        top = imported.split(".")[0]
        if top in ROOMS: assert box in ROOMS[top], f"{name(path)} imports {top}, which belongs to {sorted(ROOMS[top])}"
        if top in ENGINES: assert FLOOR[box] >= FLOOR["sources"], f"{name(path)} imports {top} below sources"

def test_the_network_is_reached_from_one_module_of_sources_and_one_of_schedules():
    reaching = {name(p) for p in modules() if box_of(p) not in ("activation", "serving") and NETWORK & set(imports_of(p))}
    assert reaching == {"sources/datasets.py", "schedules/destinations.py"}      # public files in, alerts out

OWN_DATABASE = "schedules/records.py"            # the one module that owns the database of due times

@pytest.mark.parametrize("path", [p for p in modules() if box_of(p) not in ("sources", "features") and name(p) != OWN_DATABASE], ids=name)
def test_sql_text_stays_in_sources_and_features(path):
    import re
    tree = ast.parse(path.read_text())
    documentation = {id(n.body[0].value) for n in ast.walk(tree)
                     if isinstance(n, (ast.Module, ast.FunctionDef, ast.ClassDef)) and n.body and isinstance(n.body[0], ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            assert not re.search(r"\bSELECT\b[\s\S]+\bFROM\b", node.value), f"{name(path)}:{node.lineno} holds SQL"

def test_nothing_unpickles():
    for path in modules():
        assert not {"pickle", "cloudpickle", "joblib", "dill"} & {i.split(".")[0] for i in imports_of(path)}, name(path)
