"""Stages declare the code they depend on: all of it, and nothing else."""
import ast, json
from functools import cache
from pathlib import Path
import pytest, yaml

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "marketing_mlops"

def module_file(name):
    "File of one of our modules, None for a name that is not a module of ours."
    path = ROOT/Path(*name.split("."))
    return next((f for f in (path.with_suffix(".py"), path/"__init__.py") if f.is_file()), None)

def imported(source, module=""):
    "Modules of ours that a piece of code imports, wherever in it the import stands."
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import): yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = module.split(".")[:-node.level] if node.level else []
            base = ".".join([*base, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{a.name}" for a in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith(PACKAGE + "."):
            yield node.value.split(":")[0]                     # 'package.module:function', imported by name

@cache
def direct(path):
    path = Path(path)
    if path.suffix == ".ipynb":
        cells = json.loads(path.read_text())["cells"]
        source = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
        return {module_file(m) for m in imported(source)} - {None}
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    return {module_file(m) for m in imported(path.read_text(), name)} - {None}

def closure(*notebooks):
    "Files of ours that notebooks need."
    found, open_ = set(), [f for n in notebooks for f in direct(n)]
    while open_:
        f = open_.pop()
        if f not in found: found.add(f); open_ += direct(f)
    return {f for f in found if f.name != "__init__.py"}

def stages():
    for file in (ROOT/"dvc.yaml", ROOT/"data"/"replays"/"dvc.yaml", ROOT/"data"/"many"/"dvc.yaml"):
        for name, stage in yaml.safe_load(file.read_text())["stages"].items():
            yield pytest.param(stage.get("do", stage), id=f"{file.parent.name}-{name}")

def declared(stage):
    "Notebooks whose code a stage runs, and package paths among its dependencies; the code of a job stands in data/code."
    deps = [ROOT/d for d in stage["deps"] if "$" not in d]
    jobs = [ROOT/"nbs"/"jobs"/f"{d.stem}.ipynb" for d in deps if d.parent == ROOT/"data"/"code"]
    return jobs + [d for d in deps if d.suffix == ".ipynb"], [d for d in deps if d.is_relative_to(ROOT/PACKAGE)]

def needed_by(stage):
    "Files of ours that a stage needs."
    if stage["cmd"] == "mmops-stage code": return closure(ROOT/PACKAGE/"jobs"/"job_code.py") | {ROOT/PACKAGE/"jobs"/"job_code.py"}
    return closure(*declared(stage)[0])

@pytest.mark.parametrize("stage", list(stages()))
def test_a_stage_declares_every_module_its_notebooks_need(stage):
    notebooks, code = declared(stage)
    missing = {f.relative_to(ROOT).as_posix() for f in needed_by(stage) if not any(f == d or f.is_relative_to(d) for d in code)}
    assert not missing

@pytest.mark.parametrize("stage", list(stages()))
def test_a_stage_declares_no_folder_it_does_not_need(stage):
    notebooks, code = declared(stage)
    needed = needed_by(stage)
    needless = {d.relative_to(ROOT).as_posix() for d in code if not any(f == d or f.is_relative_to(d) for f in needed)}
    assert not needless

@pytest.mark.parametrize("stage", list(stages()))
def test_a_stage_keeps_its_last_good_outputs(stage):
    outs = [*stage["outs"], *stage.get("metrics", []), *stage.get("plots", [])]
    assert all(isinstance(out, dict) and all(o.get("persist") for o in out.values()) for out in outs)

def jobs(): return sorted((ROOT/"nbs"/"jobs").glob("*.ipynb"))

@pytest.mark.parametrize("stage", [s for s in stages() if not s.id.endswith("-code")])
def test_the_code_of_its_job_is_a_dependency_of_a_stage_and_the_notebook_is_none(stage):
    job = stage["cmd"].split()[1]
    assert f"data/code/{job}.py" in stage["deps"] and not any(d.startswith("nbs/jobs") for d in stage["deps"])

def test_the_stage_of_the_code_reads_every_job_and_writes_a_file_for_each():
    code = yaml.safe_load((ROOT/"dvc.yaml").read_text())["stages"]["code"]
    assert {d for d in code["deps"] if d.startswith("nbs/")} == {f.relative_to(ROOT).as_posix() for f in jobs()}
    assert {name for out in code["outs"] for name in out} == {f"data/code/{f.stem}.py" for f in jobs()}

def test_the_address_of_a_worker_depends_on_all_the_code_it_consists_of():
    "Else a worker of yesterday would serve clients of today."
    from marketing_mlops.jobs.sockets import WORKER_FILES
    served = [ROOT/PACKAGE/"jobs"/f"{name}.py" for name in ("worker_process", "spawner")]
    assert {f.name for f in closure(*served) | {*served}} == {*WORKER_FILES}
