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

@pytest.mark.slow
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

CELLS = {"'left out'": ["slow"], "raise KeyError('spring')": [], "print('12 orders')": [], "1/0": [], "print('3 returns')": []}
LENIENT = dict(allow_error_names=["KeyError"], skip_cells_with_tag="slow", record_timing=False, log_output=True)

def run_with_options(folder, engine, **options):
    "Runs `CELLS` with options of papermill's client; what the cells have shown, and what is noted of them."
    import nbformat
    cells = [nbformat.v4.new_code_cell(source, metadata=dict(tags=tags)) for source, tags in CELLS.items()]
    spec = dict(name="python3", language="python", display_name="python3")
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=dict(kernelspec=spec)), folder/"orders.ipynb")
    with pytest.raises(papermill.PapermillExecutionError): papermill.execute_notebook(folder/"orders.ipynb", folder/"out.ipynb", engine_name=engine, progress_bar=False, **options)
    return [(cell.source[:9], [output.output_type for output in cell.get("outputs", [])], "execution" in cell.metadata, cell.get("execution_count"))
            for cell in nbformat.read(folder/"out.ipynb", 4).cells]

def test_options_of_papermills_client_count_on_the_warm_kernel_too(tmp_path, warm_home, caplog):
    "What is let pass, left out, noted and logged is the same on the stock kernel."
    caplog.set_level("INFO", "papermill")
    shown, logged = {}, {}
    for engine in ("mmops", "nbclient"):
        caplog.clear()
        shown[engine] = run_with_options(tmp_path, engine, **LENIENT)
        logged[engine] = [record.message for record in caplog.records if "orders" in record.message]
    assert shown["mmops"] == shown["nbclient"]
    assert logged["mmops"] == logged["nbclient"] and "12 orders\n" in logged["mmops"]

def test_an_option_that_only_the_stock_kernel_heeds_takes_a_notebook_there_and_says_so(tmp_path, warm_home, capfd):
    seen, usage = [], {}
    run_with_options(tmp_path, "mmops", on_cell_error=lambda cell, cell_index, execute_reply: seen.append(cell_index), usage=usage)
    assert (seen, usage["engine"]) == ([1], "kernel")
    assert "which alone heeds on_cell_error" in capfd.readouterr().err
