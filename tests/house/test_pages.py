"""Pages stay small enough to read, and page, module and names agree."""
import ast, json, re
from collections import defaultdict
from pathlib import Path
import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT/"nbs"/"api").rglob("[0-9]*.ipynb"))
EXPORT = re.compile(r"^\s*#\s*\|\s*exports?i?d?\b", re.M)

def short(path): return str(path.relative_to(ROOT/"nbs"))
def source(cell): return "".join(cell["source"])
def cells(path): return json.loads(path.read_text())["cells"]
def lines(text): return [l for l in text.splitlines() if l.strip() and not l.lstrip().startswith("#|")]
def is_exported(cell): return cell["cell_type"] == "code" and bool(EXPORT.search(source(cell)))

def beyond_budget(path):
    page = cells(path)
    largest = max((len(lines(source(c))) for c in page if is_exported(c)), default=0)
    if largest > 40: yield f"an exported cell has {largest} lines, more than 40: split the idea"
    if len(page) > 90: yield f"{len(page)} cells, more than 90: two ideas, two pages"
    if path.stat().st_size > 250_000: yield "more than 250 kB"

def test_a_page_stays_within_its_budget():
    assert {short(path): found for path in PAGES if (found := [*beyond_budget(path)])} == {}

def unlike_its_module(path):
    default = re.search(r"#\|\s*default_exp\s+(\S+)", "\n".join(source(c) for c in cells(path)))
    box, name = path.parent.name, re.sub(r"^\d+_", "", path.stem)
    module = ROOT/"marketing_mlops"/box/f"{name}.py"
    if not default: yield "no default_exp"
    elif default[1] != f"{box}.{name}": yield f"default_exp is {default[1]}, the page's name says {box}.{name}"
    if not module.is_file(): yield "it has no module: run nbdev-export"
    elif len(lines(module.read_text())) > 350: yield "its module has more than 350 lines"

def test_one_page_one_module_same_name():
    assert {short(path): found for path in PAGES if (found := [*unlike_its_module(path)])} == {}

def test_base_names_are_unique():
    seen = defaultdict(list)
    for path in (ROOT/"nbs").rglob("*.ipynb"):
        if not {".ipynb_checkpoints", "_proc"} & set(path.parts) and path.name != "index.ipynb": seen[path.name].append(short(path))
    assert not {k: v for k, v in seen.items() if len(v) > 1}

def test_public_names_are_unique_over_the_package():
    seen = defaultdict(list)
    for path in (ROOT/"marketing_mlops").rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_") and not _is_patch(node):
                seen[node.name].append(str(path.relative_to(ROOT)))
    assert not {k: v for k, v in seen.items() if len(v) > 1 and k != "main"}

def _is_patch(node): return any(ast.unparse(d).startswith("patch") for d in node.decorator_list)

@pytest.mark.parametrize("path", sorted((ROOT/"nbs"/"jobs").glob("*.ipynb"))+sorted((ROOT/"nbs"/"reports").glob("*.ipynb")), ids=short)
def test_jobs_and_reports_only_call(path):
    page = cells(path)
    assert sum("parameters" in c["metadata"].get("tags", []) for c in page) == 1, "exactly one cell is tagged `parameters`"
    for c in page:
        if c["cell_type"] != "code": continue
        assert not c["outputs"], "jobs and reports are committed without outputs"
        body = "\n".join(l for l in source(c).splitlines() if not l.startswith(("%", "!")))
        assert not [n for n in ast.walk(ast.parse(body)) if isinstance(n, (ast.FunctionDef, ast.ClassDef, ast.Lambda))]
