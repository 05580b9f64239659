"""What one run may use: time, memory, output; and what an executed notebook says about a run that used more."""
import os, sys
import nbformat, papermill, pytest
from marketing_mlops.jobs.limits import RunLimits

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the warm worker needs Linux")

def execute(folder, *cells, limits=RunLimits(), usage=None, **options):
    "Executes cells on the warm engine with papermill; gives the executed notebook, also of a failure."
    meta = dict(kernelspec=dict(name="python3", language="python", display_name="python3"))
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells], metadata=meta), folder/"in.ipynb")
    try: papermill.execute_notebook(folder/"in.ipynb", folder/"out.ipynb", engine_name="mmops", progress_bar=False, limits=limits, usage=usage, **options)
    except papermill.PapermillExecutionError as error: return nbformat.read(folder/"out.ipynb", 4), error
    return nbformat.read(folder/"out.ipynb", 4), None

def test_a_notebook_past_its_deadline_says_so_in_its_cell(tmp_path):
    usage = {}
    _, error = execute(tmp_path, "print('reads orders')", "import time; time.sleep(3600)", limits=RunLimits(deadline_s=1), usage=usage)
    assert (error.ename, error.evalue, usage["reason"]) == ("RunEnded", "its deadline of 1 s had passed", "deadline")

def test_a_notebook_that_takes_too_much_memory_says_how_much(tmp_path):
    usage = {}
    grow = "import time\nkept = []\nwhile True: kept.append(bytearray(20_000_000)); time.sleep(.005)"
    _, error = execute(tmp_path, grow, limits=RunLimits(memory_mb=500), usage=usage)
    assert error.ename == "RunEnded" and error.evalue.endswith("MB of memory, and 500 MB are allowed") and usage["memory_mb"] > 500

def test_a_run_tells_how_much_memory_it_used(tmp_path):
    usage = {}
    assert execute(tmp_path, "kept = bytearray(100_000_000)", usage=usage)[1] is None
    assert usage["exit"] == 0 and usage["memory_mb"] > 100

LOUD = {"print": "for _ in range(200): print('x'*1_000_000)", "one text": "print('x'*200_000_000)",
        "a subprocess": "import os; _ = os.system('yes 2>/dev/null | head -c 200000000')",
        "displays": "from IPython.display import display\nfor _ in range(200): display({'text/plain': 'x'*1_000_000}, raw=True)",
        "a value": "'x'*200_000_000", "a message of an error": "raise ValueError('x'*20_000_000)"}

@pytest.mark.parametrize("cell", LOUD.values(), ids=LOUD.keys())
def test_a_cell_cannot_fill_a_notebook_with_output(tmp_path, cell):
    executed, error = execute(tmp_path, cell, "'the next cell'", limits=RunLimits(output_mb=1))
    assert (tmp_path/"out.ipynb").stat().st_size < 8e6
    if error: assert error.ename == "ValueError"
    else:
        assert "left out" in executed.cells[0].outputs[-1].text
        assert executed.cells[1].outputs[0].data["text/plain"] == "'the next cell'"

def test_two_gigabytes_of_output_stay_out_of_the_memory(tmp_path):
    usage = {}
    executed, error = execute(tmp_path, "import os\nfor _ in range(2000): print('x'*1_000_000)\n_ = os.system('yes 2>/dev/null | head -c 2000000000')", usage=usage)
    assert not error and usage["memory_mb"] < 700
    assert (tmp_path/"out.ipynb").stat().st_size < 12e6 and "3,990.0 MB" in executed.cells[0].outputs[-1].text

def test_a_process_that_a_cell_forks_does_not_write_into_its_connection(tmp_path):
    executed, error = execute(tmp_path, "import os\nif not (pid := os.fork()): print('from a fork', flush=True); os._exit(0)\n_ = os.waitpid(pid, 0)", "1")
    assert not error and executed.cells[0].outputs[0].text == "from a fork\n"

def test_a_process_that_a_cell_forks_shows_nothing_in_its_notebook(tmp_path):
    cell = "import os\nfrom IPython.display import display\nprint('read', end='')\nif not (pid := os.fork()): display('from a fork'); os._exit(0)\n_ = os.waitpid(pid, 0)"
    executed, error = execute(tmp_path, cell)
    assert not error and [o.get("text") for o in executed.cells[0].outputs] == ["read"]

COMPUTES = {
    "OpenMP": """import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
X = np.random.default_rng(0).normal(size=(2000, 5))
print(HistGradientBoostingClassifier(max_iter=5).fit(X, X[:, 0] > 0).score(X, X[:, 0] > 0) > .9)""",
    "polars": "import polars as pl\nprint(pl.DataFrame(dict(a=range(100_000))).lazy().group_by(pl.col('a') % 7).len().collect().height == 7)",
    "duckdb": "import duckdb\nprint(duckdb.sql('select sum(i) from range(1000000) t(i)').fetchall()[0][0] == 499999500000)"}

@pytest.mark.parametrize("library", COMPUTES)
def test_libraries_with_threads_compute_in_one_run_after_the_other(tmp_path, library):
    "A library that was used before a fork would hang in the child; here each child is the first to use it."
    if library == "polars": pytest.importorskip("polars", reason="polars is not installed; nothing of ours uses it")
    for _ in range(2):
        executed, error = execute(tmp_path, COMPUTES[library], limits=RunLimits(deadline_s=60))
        assert not error and executed.cells[0].outputs[0].text == "True\n"
