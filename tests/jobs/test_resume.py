"""Going on with a failed run: what comes of it, and every reason for which it is refused, in words."""
import os, shlex, signal, subprocess, sys, threading
from pathlib import Path
import nbformat, pytest, yaml
from workspace_outputs import until
from marketing_mlops.jobs.kept_runs import kept_runs
from marketing_mlops.jobs.parameters import check_parameters
from marketing_mlops.jobs.resume import full_command, resume_run
from marketing_mlops.jobs.runner import RunOptions, run_notebook, wall_clock
from marketing_mlops.jobs.runs import Run, list_runs
from marketing_mlops.jobs.workers import stop_worker, worker_home, worker_status
from marketing_mlops.workspace.errors import StageError
from marketing_mlops.workspace.places import find_workspace

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the warm worker needs Linux")
BIN = Path(sys.executable).parent
START = "import os\nfrom marketing_mlops.jobs.results import record, record_inputs\nrecord('process', os.getpid())"

@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("MMOPS_KEEP_FAILED_S", "600")
    (tmp_path/"settings.ini").write_text("[DEFAULT]\ndefault_models = promo\n")
    (tmp_path/"params.yaml").write_text("models: {}\n")
    (tmp_path/"data"/"validate"/"shop").mkdir(parents=True)
    (tmp_path/"data"/"validate"/"shop"/"orders.csv").write_text("day,n\n2026-03-30,41\n")
    found = find_workspace(tmp_path)
    yield found
    end_waiting(found)

def end_waiting(workspace):
    "Leaves nothing behind that waits."
    runs = {run.run_id: run for run in list_runs(workspace, "weekly")}
    for kept in kept_runs(workspace):
        pid = runs[kept.run_id].results.get("process")
        if pid and is_there(pid): os.kill(pid, signal.SIGTERM)
        else: Path(kept.park_at).unlink(missing_ok=True)

def is_there(pid): return Path(f"/proc/{pid}").exists()      # until its worker has taken note of its end

def write(workspace, *code, prose="# Weekly", parameters='market: str = "DE"', tags=()):
    cells = [nbformat.v4.new_code_cell(parameters, metadata=dict(tags=["parameters"])), nbformat.v4.new_markdown_cell(prose),
             *(nbformat.v4.new_code_cell(source, metadata=dict(tags=list(tags))) for source in code)]
    path = workspace.path("nbs", "reports", "weekly.ipynb")
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=dict(kernelspec=dict(name="python3", language="python", display_name="python3"))), path)
    return path

def fail(workspace, *code, given=None, **options):
    "A run of these cells and one that fails."
    with pytest.raises(StageError): run_notebook(write(workspace, START, *code, "1/0", **options), given or {}, workspace=workspace)
    return list_runs(workspace, "weekly")[0]

def mend(workspace, *code, start=START, **options): return write(workspace, start, *code, "record('mended', True)", **options)

def refused(workspace, name="latest", **environment):
    "The first line of a refusal."
    with pytest.raises(StageError) as error: resume_run(name, workspace, os.environ | environment)
    lines = str(error.value).splitlines()
    assert len(lines) == 2 and lines[1].startswith("A full run is the way: mmops report weekly")
    return lines[0]

def test_a_resumed_run_holds_the_results_and_outputs_of_all_cells_and_says_that_it_was_resumed(workspace):
    failed = fail(workspace, "record('market', market)\nprint('41 orders')", given=dict(market="UK"))
    mend(workspace, "record('market', market)\nprint('41 orders')", prose="# Another heading")
    run = resume_run("latest", workspace)
    assert run.results == failed.results | dict(mended=True) and run.results["market"] == "UK"
    assert (run.status, run.resumed_from, run.resumed_after, run.parameters, run.key) == ("done", failed.run_id, 5, dict(market="UK"), "UK")
    executed = nbformat.read(run.executed, 4)
    nbformat.validate(executed)
    assert "# Another heading" in [cell.source for cell in executed.cells] and "41 orders\n" == executed.cells[4].outputs[-1].text
    assert "Resumed after cell 5" in executed.cells[5].source and f"Resumed after cell 5 of run {failed.run_id}." == run.note
    assert "Resumed after cell 5" in run.page.read_text() and not is_there(run.results["process"])
    assert executed.metadata.papermill.parameters == dict(market="UK") and not [c for c in executed.cells if "papermill-error-cell-tag" in c.metadata.get("tags", [])]

def test_a_run_that_fails_again_can_be_resumed_again_and_both_times_stand_in_the_notebook(workspace):
    fail(workspace)
    write(workspace, START, "first = 7", "later/0")
    with pytest.raises(StageError, match="later"): resume_run("latest", workspace)
    write(workspace, START, "first = 7", "record('first', first)")
    run = resume_run("latest", workspace)
    assert run.results["first"] == 7
    assert sum("Resumed after cell" in cell.source for cell in nbformat.read(run.executed, 4).cells) == 2

@pytest.mark.slow # a worker of its own has to import everything
def test_it_works_with_the_worker_that_does_not_fork_too(workspace, monkeypatch):
    monkeypatch.setenv("MMOPS_ENGINE", "spawn")
    failed = fail(workspace)
    mend(workspace)
    assert failed.engine == "spawn" and resume_run("latest", workspace).results == failed.results | dict(mended=True)
    stop_worker(worker_home(str(workspace.root)))

def test_a_failed_run_that_waits_keeps_nobody_waiting(workspace):
    write(workspace, START, "import sys, subprocess; print('late', file=sys.stderr); _ = subprocess.run(['echo', 'more'])", "1/0")
    code = f"from marketing_mlops.cli.commands import main; import sys; sys.exit(main(['report', 'weekly', '--workspace', {str(workspace.root)!r}]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=workspace.root)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 2) and "`mmops resume" in done.stderr
    assert is_there(list_runs(workspace, "weekly")[0].results["process"])

def resume_command(workspace, *words):
    code = f"from marketing_mlops.cli.commands import main; import sys; sys.exit(main(['resume', *{words!r}, '--workspace', {str(workspace.root)!r}]))"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=workspace.root)

def test_the_command_goes_on_from_another_process_and_the_failed_run_is_used_once(workspace):
    failed = fail(workspace)
    mend(workspace)
    done = resume_command(workspace)
    assert (done.returncode, done.stderr) == (0, "") and "mended: True" in done.stdout and done.stdout.strip().endswith("page.html")
    assert "has gone on with it" in refused(workspace, failed.run_id[:-2])

def test_of_two_who_resume_at_once_one_goes_on(workspace):
    fail(workspace)
    mend(workspace)
    said = []
    def resume():
        try: said.append(resume_run("latest", workspace).status)
        except StageError as error: said.append("refused" if "cannot go on" in str(error) else str(error))
    both = [threading.Thread(target=resume) for _ in range(2)]
    for one in both: one.start()
    for one in both: one.join()
    assert sorted(said) == ["done", "refused"]

def test_a_process_that_was_killed_is_said_to_have_ended(workspace):
    failed = fail(workspace)
    os.kill(failed.results["process"], signal.SIGKILL)
    until(lambda: not is_there(failed.results["process"]))
    mend(workspace)
    assert "its process has ended since: it was killed" in refused(workspace, failed.run_id)

def test_a_process_whose_time_is_over_is_said_to_have_been_kept_until_then(workspace, monkeypatch):
    monkeypatch.setenv("MMOPS_KEEP_FAILED_S", "0.2")
    failed = fail(workspace)
    until(lambda: not is_there(failed.results["process"]))
    mend(workspace)
    assert "its process was kept until" in refused(workspace, failed.run_id)

@pytest.mark.parametrize("restarted", [False, True], ids=["ended", "restarted"])
def test_a_worker_that_has_ended_or_was_started_anew_is_named_as_the_reason(workspace, restarted):
    failed, home = fail(workspace), worker_home(str(workspace.root))
    os.kill(worker_status(home)["pid"], signal.SIGKILL)
    until(lambda: not is_there(failed.results["process"]))
    if restarted:
        with pytest.raises(StageError): run_notebook(write(workspace, "0/0"), workspace=workspace)
    mend(workspace)
    said = refused(workspace, failed.run_id)
    assert "the warm worker that had kept its process has ended" in said and ("another one was started" in said) == restarted

READS = "import weeks; record_inputs([f'{os.getcwd()}/data/validate/shop/orders.csv'], os.getcwd())"

@pytest.fixture(scope="module")
def waiting(tmp_path_factory):
    "A workspace with a run that waits; a refusal leaves it as it is."
    root = tmp_path_factory.mktemp("waiting")
    (root/"data"/"validate"/"shop").mkdir(parents=True)
    for name, text in {"settings.ini": "[DEFAULT]\ndefault_models = promo\n", "params.yaml": "models: {}\n", "weeks.py": "n = 7\n",
                       "requirements.lock": "numpy==1\n", "data/validate/shop/orders.csv": "day,n\n2026-03-30,41\n"}.items(): (root/name).write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MMOPS_KEEP_FAILED_S", "600"); patch.setenv("CRM_TOKEN", "first-token")
        fail(find_workspace(root), READS, **SECRET)
    yield find_workspace(root)
    end_waiting(find_workspace(root))

SECRET = dict(parameters='market: str = "DE"\ntoken: "Secret" = "env:CRM_TOKEN"')
CHANGES = {
    "code": ("the code that has run is not the same: cell of code 2 now begins 'import sys'", lambda w: mend(w, READS, start="import sys\n" + START, **SECRET)),
    "a removed cell": ("a cell that has run was removed", lambda w: write(w, START, **SECRET)),
    "an added cell": ("cell of code 2 now begins 'more = 1'", lambda w: write(w, "more = 1", START, READS, "2/1", **SECRET)),
    "a tag": ("the code that has run is not the same", lambda w: write(w, START, READS, "2/1", tags=["skip-execution"], **SECRET)),
    "a default": ("cell of code 1 now begins", lambda w: write(w, START, READS, "2/1", parameters=SECRET["parameters"].replace("DE", "FR"))),
    "the notebook": ("cannot be read any more", lambda w: w.path("nbs", "reports", "weekly.ipynb").unlink()),
    "an input": ("data/validate/shop/orders.csv, which it has read, has changed", lambda w: w.path("data", "validate", "shop", "orders.csv").write_text("day,n\n")),
    "an input gone": ("data/validate/shop/orders.csv, which it has read, is no longer there", lambda w: w.path("data", "validate", "shop", "orders.csv").unlink()),
    "other data": ("data/validate/shop/mails.csv is newer than the stop", lambda w: w.path("data", "validate", "shop", "mails.csv").write_text("")),
    "parameters": ("params.yaml has changed", lambda w: w.path("params.yaml").write_text("models: {a: 1}\n")),
    "imported code": ("weeks.py has changed, and its process holds what was there before", lambda w: w.path("weeks.py").write_text("n = 8\n")),
    "the lock file": ("requirements.lock has changed", lambda w: w.path("requirements.lock").write_text("numpy==2\n")),
}

@pytest.mark.parametrize("change", CHANGES)
def test_what_has_changed_since_is_named_and_nothing_is_lost_by_asking(waiting, change, monkeypatch):
    said, make = CHANGES[change]
    monkeypatch.setenv("CRM_TOKEN", "first-token")
    before = {path: path.read_bytes() for path in [*waiting.root.glob("*.*"), *waiting.path("nbs").rglob("*.ipynb"), *waiting.path("data", "validate").rglob("*.csv")]}
    make(waiting)
    assert said in refused(waiting)
    waiting.path("data", "validate", "shop", "mails.csv").unlink(missing_ok=True)
    for path, content in before.items(): path.write_bytes(content)

@pytest.mark.parametrize("variable", [dict(CRM_TOKEN="renewed"), dict(TZ="Asia/Tokyo"), dict(MMOPS_DATASETS="/srv/elsewhere"), dict(OMP_NUM_THREADS="3")], ids=str)
def test_a_variable_that_the_notebook_may_depend_on_is_named_without_its_value(waiting, variable):
    said = refused(waiting, **(dict(CRM_TOKEN="first-token") | variable))
    assert f"the variable {next(iter(variable))} is another one than it had" in said and next(iter(variable.values())) not in said

def test_a_variable_that_only_says_how_a_run_is_carried_out_does_not_matter(waiting):
    from marketing_mlops.jobs.resume import find_run, resumable
    environment = os.environ | dict(CRM_TOKEN="first-token", MMOPS_DEADLINE_S="60", EDITOR="vi")
    assert resumable(find_run("latest", waiting, now := wall_clock()), waiting, environment, now).gone == ""

def test_a_note_on_a_waiting_run_holds_no_secret_and_no_code_and_is_only_for_this_user(waiting):
    note, = (waiting.state/"kept").glob("*.json")
    assert "first-token" not in note.read_text() and "record_inputs" not in note.read_text()
    assert oct(note.parent.stat().st_mode)[-3:] == "700"

def test_what_was_changed_while_the_run_went_on_counts_as_changed(workspace):
    fail(workspace, "open('params.yaml', 'a').write('\\n')")
    mend(workspace, "open('params.yaml', 'a').write('\\n')")
    assert "params.yaml has changed" in refused(workspace)

def test_another_version_of_a_library_is_named(workspace, monkeypatch):
    fail(workspace)
    mend(workspace)
    monkeypatch.setattr("marketing_mlops.jobs.run_conditions.run_environment", lambda workspace: dict(newer(workspace)))
    assert "pandas was" in refused(workspace)

def newer(workspace):
    from marketing_mlops.jobs.environments import run_environment
    now = run_environment(workspace)
    return now | dict(libraries=now["libraries"] | dict(pandas="99.0"))

def test_the_oldest_of_three_failed_runs_is_let_go_and_says_so(workspace):
    runs = [fail(workspace, given=dict(market=market)) for market in ("DE", "FR", "UK")]
    mend(workspace)
    until(lambda: [is_there(run.results["process"]) for run in runs] == [False, True, True])
    assert "2 failed runs are kept, and newer ones took its place" in refused(workspace, runs[0].run_id)
    assert [resume_run("latest", workspace).resumed_from for _ in range(2)] == [runs[2].run_id, runs[1].run_id]

def test_a_full_run_of_the_same_lets_the_waiting_one_go(workspace):
    failed = fail(workspace)
    run_notebook(mend(workspace), workspace=workspace)
    until(lambda: not is_there(failed.results["process"]))
    assert "the same was run again from the beginning" in refused(workspace, failed.run_id)

NOT_KEPT = {"a schedule": dict(MMOPS_LOCKS="1:2"), "another run": dict(MMOPS_WITHIN="report/spring"), "nobody": dict(MMOPS_KEEP_FAILED_S="0")}

@pytest.mark.parametrize("who", NOT_KEPT)
def test_a_run_that_nobody_would_come_for_ends_with_its_failure(workspace, monkeypatch, who):
    for name, value in NOT_KEPT[who].items(): monkeypatch.setenv(name, value)
    failed = fail(workspace)
    until(lambda: not is_there(failed.results["process"]))
    assert "`mmops resume" not in failed.error["remedy"]
    assert ("it was part of report/spring" if who == "another run" else "its process was not kept") in refused(workspace, failed.run_id)

def test_a_run_that_ended_otherwise_says_how(workspace):
    done = run_notebook(write(workspace, "41"), workspace=workspace)
    assert "it has finished" in refused(workspace, done.run_id)
    with pytest.raises(StageError): run_notebook(write(workspace, START, "os.kill(os.getpid(), 9)"), workspace=workspace)
    assert "its process did not fail but was ended: its process ended while" in refused(workspace)

def test_a_workspace_without_a_failed_run_and_a_misspelt_name_say_so_in_two_lines(workspace, capsys):
    from marketing_mlops.cli.commands import main
    for name, said in (("latest", "No run of this workspace has failed"), ("20251231", "There is no run '20251231'")):
        assert main(["resume", name, "--workspace", str(workspace.root)]) == 1
        printed = capsys.readouterr()
        assert (printed.out, len(printed.err.splitlines())) == ("", 2) and said in printed.err

def test_a_number_of_seconds_that_is_none_is_refused_before_anything_starts(workspace, monkeypatch):
    from marketing_mlops.workspace.errors import ParameterError
    monkeypatch.setenv("MMOPS_KEEP_FAILED_S", "soon")
    with pytest.raises(ParameterError, match="MMOPS_KEEP_FAILED_S"): run_notebook(write(workspace, "41"), workspace=workspace)
    assert not workspace.path("data", "runs").exists()

def test_whoever_resumes_and_is_killed_leaves_no_process(workspace):
    failed = fail(workspace)
    write(workspace, START, "open('begun', 'w').close(); import time; time.sleep(3600)")
    code = f"from marketing_mlops.cli.commands import main; main(['resume', '--workspace', {str(workspace.root)!r}])"
    resuming = subprocess.Popen([sys.executable, "-c", code], cwd=workspace.root)
    until((workspace.root/"begun").exists)
    resuming.kill(); resuming.wait()
    until(lambda: not is_there(failed.results["process"]))
    assert list_runs(workspace, "weekly")[0].status == "killed"

def test_a_waiting_process_may_not_use_more_memory_than_its_run(workspace):
    from marketing_mlops.jobs.limits import RunLimits
    grow = "import threading, time\nkept = []\ndef grow():\n    time.sleep(1)\n    while True: kept.append(bytearray(20_000_000)); time.sleep(.005)\nthreading.Thread(target=grow, daemon=True).start()"
    with pytest.raises(StageError, match="ZeroDivisionError"): run_notebook(write(workspace, START, grow, "1/0"), workspace=workspace, options=RunOptions(limits=RunLimits(memory_mb=600)))
    failed = list_runs(workspace, "weekly")[0]
    until(lambda: not is_there(failed.results["process"]))

def test_what_is_hidden_in_the_first_half_stays_hidden_in_the_whole(workspace):
    shows = "print('mailed jane.doe@shop.de'); who = 'jane.doe@shop.de'"
    fail(workspace, shows)
    write(workspace, START, shows, "print('again', who)")
    run = resume_run("latest", workspace)
    assert "again" in run.executed.read_text() and not any("jane.doe" in file.read_text() for file in run.folder.iterdir())

@pytest.mark.parametrize("place", ["nbs/reports", "notes"])
def test_the_command_for_a_full_run_gives_every_value_as_it_was(workspace, place):
    notebook = write(workspace, parameters='n: int = 1\nshare: float = .5\nmarkets: list[str] = []\nis_test: bool = False\ncode: str = ""')
    values = dict(n=7, share=.25, markets=["DE", "UK's"], is_test=True, code="007")
    words = shlex.split(full_command(Run("weekly", "7", "r", workspace.root, "failed", values, "warm", "", notebook=f"{place}/weekly.ipynb")))
    if place == "notes":
        from papermill.cli import papermill
        said = yaml.safe_load(papermill.make_context("papermill", words[1:]).params["parameters_yaml"][0])
        assert said == values and words[-2:] == ["notes/weekly.ipynb", "executed.ipynb"]
    else: assert check_parameters(notebook, dict(word.split("=", 1) for word in words[4::2])) == values
