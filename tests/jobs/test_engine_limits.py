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
