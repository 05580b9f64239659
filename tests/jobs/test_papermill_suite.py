"""Papermill's own tests of engines and executions, with our engine in the place of its own."""
import os, subprocess, sys
from pathlib import Path
import papermill, pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the warm worker needs Linux")

SUITE = Path(papermill.__file__).parent/"tests"
DEFAULT = """from papermill.engines import papermill_engines
from marketing_mlops.jobs.engine import WarmEngine
for name in (None, "nbclient"): papermill_engines.register(name, WarmEngine)
def pytest_collection_modifyitems(items): items[:] = [item for item in items if not item.nodeid.endswith(LEFT_OUT)]
"""
# Test -> why it says nothing about an engine.
NOT_OURS = {
    "TestNotebookHelpers::test_start_timeout": "replaces the client of the stock kernel and looks at how it was called; nothing has to start here",
    "TestNotebookHelpers::test_default_start_timeout": "the same",
    "TestBrokenNotebook2::test": "imports a name that IPython 9 no longer has; it fails on the stock engine too",
}

def test_papermills_own_tests_pass_on_our_engine(tmp_path, warm_home):
    files = [SUITE/"test_engines.py", SUITE/"test_execute.py"]
    if not all(f.exists() for f in files): pytest.skip("this papermill was installed without its tests")
    (tmp_path/"default_engine.py").write_text(f"LEFT_OUT = {tuple(NOT_OURS)!r}\n{DEFAULT}")
    found = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "default_engine", "-p", "no:cacheprovider", "--import-mode=importlib", "-c", os.devnull, *files]
    done = subprocess.run(command, cwd=tmp_path, env=os.environ | dict(PYTHONPATH=found), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout and " skipped" not in done.stdout

def test_what_is_left_out_of_papermills_tests_still_exists():
    if not SUITE.exists(): pytest.skip("this papermill was installed without its tests")
    text = (SUITE/"test_execute.py").read_text()
    for name in NOT_OURS: assert all(f"{kind} {part}(" in text for kind, part in zip(("class", "def"), name.split("::")))

def test_cells_end_as_on_the_stock_kernel(tmp_path):
    "What papermill's notebooks show: a syntax error, an unknown magic, an exit; outputs, status and metadata are the same."
    import nbformat
    def seen(name, engine):
        try: papermill.execute_notebook(SUITE/"notebooks"/name, tmp_path/f"{engine}.ipynb", engine_name=engine, progress_bar=False, kernel_name="python3")
        except papermill.PapermillExecutionError as error: said = (error.cell_index, error.ename, error.evalue)
        else: said = None
        cells = nbformat.read(tmp_path/f"{engine}.ipynb", 4).cells
        outputs = [[{k: v for k, v in o.items() if k != "traceback"} for o in c.get("outputs", [])] for c in cells]
        status = [(c.metadata.get("papermill", {}).get("status"), sorted(c.metadata.get("execution", {})), c.get("execution_count")) for c in cells]
        return said, outputs, status
    for name in ("broken.ipynb", "line_magic_error.ipynb", "sysexit1.ipynb"):
        assert seen(name, "mmops") == seen(name, "nbclient"), name
