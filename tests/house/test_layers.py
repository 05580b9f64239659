"""The drawing of the house, kept true: imports go only down, and a library lives in one room."""
import ast, functools, re
from pathlib import Path

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
    "ipywidgets": {"explorers"}, "jupyter_server": {"schedules"}, "tornado": {"schedules"}, "anywidget": {"explorers"}, "voila": {"explorers"}, "pandera": {"contracts"}, "ruamel": {"workspace", "sources"},
    "mlflow": {"registry"}, "skops": {"registry"}, "skl2onnx": {"registry"}, "onnx": {"registry"}, "onnxruntime": {"serving", "registry"},
    "fastapi": {"serving"}, "sqlalchemy": {"governance"}, "redis": {"features"}, "httpx": {"activation"},
    "scipy": {"measurement", "models"}, "statsmodels": {"measurement"}, "sklearn": {"models", "training", "measurement", "registry"},
}
ENGINES = {"duckdb", "ibis", "pyspark"}           # from sources upwards
NETWORK = {"urllib.request", "http.client", "requests", "httpx", "ftplib", "smtplib"}

def modules():
    return sorted(p for p in PACKAGE.rglob("*.py") if p.parent != PACKAGE and "__pycache__" not in p.parts and "template" not in p.parts)

@functools.cache
def tree_of(path): return ast.parse(path.read_text())

@functools.cache
def imports_of(path):
    "Absolute dotted names a module imports, ours resolved."
    return tuple(_imports_of(path))

def _imports_of(path):
    parts = ["marketing_mlops", *path.relative_to(PACKAGE).with_suffix("").parts]
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import): yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = parts[:len(parts)-node.level] if node.level else []
            name = ".".join([*base, *((node.module or "").split(".") if node.module else [])])
            yield name
            if node.module is None or node.module in ("urllib", "http"): yield from (f"{name}.{a.name}" for a in node.names)

def box_of(path): return path.relative_to(PACKAGE).parts[0]

def name(path): return str(path.relative_to(PACKAGE))

def test_every_box_stands_in_the_drawing(): assert {box_of(path) for path in modules()} <= set(FLOOR)

def test_imports_go_only_down():
    def is_upward(path, imported):
        box, other = box_of(path), imported.split(".")[1] if imported.startswith("marketing_mlops.") else "_"
        return other != box and not other.startswith("_") and FLOOR[other] >= FLOOR[box]
    assert [f"{name(path)} imports {imported}" for path in modules() for imported in imports_of(path) if is_upward(path, imported)] == []

def test_a_library_lives_in_its_room():
    def is_outside(path, imported):
        box, top = box_of(path), imported.split(".")[0]
        return (top in ROOMS and box not in ROOMS[top]) or (top in ENGINES and FLOOR[box] < FLOOR["sources"])
    assert [f"{name(path)} imports {imported}" for path in modules() for imported in imports_of(path) if is_outside(path, imported)] == []

def test_redis_is_known_to_one_module():
    assert {name(path) for path in modules() if any(imported.split(".")[0] == "redis" for imported in imports_of(path))} == {"features/online_redis.py"}

def test_the_network_is_reached_from_one_module_of_sources_and_one_of_schedules():
    reaching = {name(p) for p in modules() if box_of(p) not in ("activation", "serving") and NETWORK & set(imports_of(p))}
    assert reaching == {"sources/datasets.py", "schedules/transports.py"}      # public files in, alerts and reports out

OWN_DATABASE = "schedules/records.py"            # the one module that owns the database of due times

def sql_in(path):
    "Lines of a module that hold the text of a query."
    tree = tree_of(path)
    documentation = {id(n.body[0].value) for n in ast.walk(tree)
                     if isinstance(n, (ast.Module, ast.FunctionDef, ast.ClassDef)) and n.body and isinstance(n.body[0], ast.Expr)}
    texts = [n for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str) and id(n) not in documentation]
    return [n.lineno for n in texts if re.search(r"\bSELECT\b[\s\S]+\bFROM\b", n.value)]

def test_sql_text_stays_in_sources_and_features():
    others = [path for path in modules() if box_of(path) not in ("sources", "features") and name(path) != OWN_DATABASE]
    assert {name(path): found for path in others if (found := sql_in(path))} == {}
    assert sql_in(PACKAGE/OWN_DATABASE) or any(sql_in(path) for path in modules() if box_of(path) == "sources"), "the search finds nothing anywhere"

def test_nothing_unpickles():
    for path in modules():
        assert not {"pickle", "cloudpickle", "joblib", "dill"} & {i.split(".")[0] for i in imports_of(path)}, name(path)
