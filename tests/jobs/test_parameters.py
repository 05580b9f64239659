"""Parameters: what a notebook declares, what is refused before it starts, and what it gets."""
import calendar, json, os, runpy, subprocess, sys
from datetime import date, datetime, timedelta
from pathlib import Path
import hypothesis, jsonschema, nbformat, pytest
from hypothesis import strategies as st
from papermill.parameterize import parameterize_notebook
from marketing_mlops.jobs.job_code import job_code
from marketing_mlops.jobs.parameter_comments import read_comment
from marketing_mlops.jobs.parameter_declarations import parameters_of_cell
from marketing_mlops.jobs.parameter_injection import checked_notebook, inject_checked
from marketing_mlops.jobs.parameter_kinds import read_value
from marketing_mlops.jobs.parameters import check_parameters, read_parameters, typed_value, values_to_inject
from marketing_mlops.jobs.parameter_schema import schema_of
from marketing_mlops.jobs.relative_dates import DAY_WORDS, as_date
from marketing_mlops.jobs.runner import RunOptions, run_notebook
from marketing_mlops.jobs.runs import list_runs, read_run
from marketing_mlops.jobs.secret_references import secret_name
from marketing_mlops.workspace.errors import MmopsError, ParameterError
from marketing_mlops.workspace.places import find_workspace

BIN = Path(sys.executable).parent
WEDNESDAY = date(2026, 3, 18)
CELL = '''n_weeks: int = 8          # weeks, 2 to 52: how many are shown
share: float = .5         # above 0, below 1: part of the customers
until: "date" = "last_month_end"
basis: "Literal['net', 'gross']" = "net"
markets: list[str] = ["DE"]
token: "Secret | None" = None
'''

def notebook(folder, cell=CELL, *code, tags=("parameters",)):
    cells = [nbformat.v4.new_code_cell(cell, metadata=dict(tags=[*tags])), *map(nbformat.v4.new_code_cell, code)]
    kernel = dict(name="python3", display_name="python3", language="python")
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=dict(kernelspec=kernel)), folder/"weekly.ipynb")
    return folder/"weekly.ipynb"

def refusal(page, **given):
    with pytest.raises(ParameterError) as refused: check_parameters(page, given, WEDNESDAY, environment={})
    assert len(str(refused.value).splitlines()) == 2
    return refused.value

@pytest.mark.parametrize("given, said", [
    (dict(n_week=8), "Did you mean 'n_weeks'?"), (dict(n_weeks="5O"), "2 to 52 weeks"), (dict(n_weeks="53"), "2 to 52 weeks"), (dict(n_weeks=True), "int"),
    (dict(n_weeks="8.0"), "int"), (dict(n_weeks="1_0"), "int"), (dict(share="0_1.5"), "share"), (dict(share="1"), "share"), (dict(share="nan"), "share"), (dict(share="inf"), "share"), (dict(until="2026-02-30"), "28 days"),
    (dict(until="2026-13-01"), "no month 13"), (dict(until="mondy"), "Did you mean 'monday'?"), (dict(until=""), "until"), (dict(basis="nett"), "'net' or 'gross'"),
    (dict(markets="[1"), "markets"), (dict(markets={"DE": 1}), "markets"), (dict(n_weeks=None), "int"), (dict(token="env:NOT_SET"), "no NOT_SET")])
def test_a_value_that_is_not_allowed_is_refused_in_two_lines_that_say_what_is(tmp_path, given, said):
    error = refusal(notebook(tmp_path), **given)
    assert said in error.problem and set(error.fields["wrong"]) == set(given)

@pytest.mark.parametrize("kind, value", [("int", "5O"), ("int", "1_000"), ("int", "8.0"), ("int", True), ("int", 8.0), ("float", "nan"), ("float", "1_0.5"), ("float", float("inf")), ("bool", "yes"), ("bool", 1),
    ("date", datetime(2026, 3, 16, 8)), ("datetime", date(2026, 3, 16)), ("dict", '{"DE": 1e999}'), ("dict", "[1]"), ("list", "5"), ("list", {"DE": 1}), ("str", 5)])
def test_a_value_of_another_type_is_none_of_this_type_and_said_to_be_none(kind, value):
    with pytest.raises(ValueError, match=f"is no {kind}"): read_value(kind, value, WEDNESDAY)

def test_a_secret_that_is_written_out_appears_in_no_error(tmp_path):
    for value in ("hunter2-hunter2", "env:", "env:hunter2-hunter2", "ENV:hunter2", 7345223, ["hunter2"]):
        assert "hunter2" not in str(refusal(notebook(tmp_path), token=value)) and "7345223" not in str(refusal(notebook(tmp_path), token=value))
    assert "hunter2" not in str(refusal(notebook(tmp_path, 'token: "Secret" = "hunter2"')))

@pytest.mark.parametrize("line", ['token: "Secret" = "hun" + "ter2"', "token: 'Secret' = f'hunter2'", 'token: "Secret | None" = str("hunter2")', 'token: "Secret" = ["hunter2"]', 'token: "Secret" = b"hunter2"',
    'token: "Secret" = {"a": "hunter2"}', 'token: list["Secret"] = ["hunter2"]', 'token: "Secert" = "hunter" + "hunter2"', 'token = "hun" + str("hunter2")', 'token: "Secret" = ("hunter2")'])
def test_a_secret_in_a_declaration_is_refused_and_not_repeated_however_it_is_written(line):
    with pytest.raises(ParameterError) as refused: parameters_of_cell(line, "weekly.ipynb")
    assert "hun" not in str(refused.value) and len(str(refused.value).splitlines()) == 2

@pytest.mark.parametrize("line", ['n: int = "eight"', 'n: int = "8"', "n: int = 8.0", "n: bool = 1", "n: int = 60  # weeks, 2 to 52: shown", 'n: list[int] = [1, "2"]', 'n: list[str] = "DE, UK"', 'n: "date" = "mondy"',
    "n: float = 1e999", 'n: "Literal[\'net\', \'gross\']" = "nett"', "n: dict = {'a': [1e999]}", "n: float = 2  # above 1, at most 1: x", "n: 'date' = None  # 2026-12-31 to 2026-01-01: x"])
def test_a_default_that_could_not_be_given_is_refused_where_it_is_declared(line):
    with pytest.raises(ParameterError) as refused: parameters_of_cell(line, "weekly.ipynb")
    assert len(str(refused.value).splitlines()) == 2

def test_a_parameter_that_may_be_missing_need_not_be_given_and_reaches_the_notebook(tmp_path):
    page = notebook(tmp_path, "segment: str | None\nn: int\n")
    values = check_parameters(page, dict(n=3), WEDNESDAY, environment={})
    assert values == dict(segment=None, n=3) and values_to_inject(page, dict(n=3), values) == values
    assert schema_of(page)["required"] == ["n"] and "'n' is missing" in refusal(page).problem

@pytest.mark.parametrize("head", ["EUR per week, 0 - 10000", ">= 5", "0 - 10000", "0 to 10000 EUR", "at leat 5", "abov 1", "EUR 0 to 5", "above 1_000", "from 2"])
def test_a_misspelt_range_does_not_become_a_unit(head):
    with pytest.raises(ValueError): read_comment(f"{head}: what may be spent", "float")

@pytest.mark.parametrize("head, kind", [("above 0, below 1", "int"), ("0.2 to 0.8", "int"), ("above 0, below 1.0", "int"), ("52 to 2", "float"), ("above 1, at most 1", "float"),
    ("tomorrow to yesterday", "date"), ("today to -1d", "date"), ("above 2026-01-01, below 2026-01-02", "date"), ("above today, below tomorrow", "date")])
def test_a_range_in_which_no_value_can_lie_is_refused(head, kind):
    with pytest.raises(ValueError, match="holds no (value|whole number)"): read_comment(f"{head}: what it is", kind)

@pytest.mark.parametrize("head, kind", [("above 0, below 2", "int"), ("0.5 to 1", "int"), ("above 0, below 1", "float"), ("month_start to yesterday", "date"), ("2030-01-01 to yesterday", "date"), ("above -2d, below today", "date")])
def test_a_range_in_which_some_value_lies_on_some_day_is_allowed(head, kind): assert read_comment(f"{head}: what it is", kind).range

@pytest.mark.parametrize("unit", ["EUR per 1000 contacts", "% of all customers", "leads", "€ per week", "posts", "%", "Beiträge", "z-values"])
def test_units_stay_units(unit): assert read_comment(f"{unit}: what it is", "float").unit == unit

@pytest.mark.parametrize("text", ["", "no notebook", "[]", "{}", '{"cells": 3}', '{"cells": ["x"]}', '{"cells": [{"metadata": 5}]}', "\x00\xff"])
def test_garbage_instead_of_a_notebook_is_said_in_two_lines(tmp_path, text):
    (tmp_path/"weekly.ipynb").write_text(text)
    assert "weekly.ipynb" in str(refusal(tmp_path/"weekly.ipynb", n_weeks=3))
    with pytest.raises(ParameterError): read_parameters(tmp_path/"none.ipynb")

def test_a_notebook_without_a_parameters_cell_takes_none_and_says_how_it_would(tmp_path):
    page = notebook(tmp_path, tags=())
    assert check_parameters(page, {}) == {}
    assert "declares no parameters" in refusal(page, n_weeks=9).problem and "tag that cell" in refusal(page, n_weeks=9).remedy

@pytest.mark.parametrize("line, said", [("until: date = date.today()", 'such as "yesterday"'), ("n: complex = 1", "its type is 'complex'"), ("n: int = 8  # 52 to 2: weeks", "holds no value"), ("a, b = 1, 2", "one name has to stand on a line"),
    ("%matplotlib inline", "is no Python"), ("until: date = date(2026, 2, 30)", "is no day"), ('n: int = "eight"', "'eight' is no int"), ("n: int = 60  # weeks, 2 to 52: shown", "does not lie in 2 to 52"), ("token: 'Secret' = 27182818", "instead of a reference")])
def test_what_is_wrong_with_a_declaration_is_said(line, said):
    with pytest.raises(ParameterError) as refused: parameters_of_cell(line, "weekly.ipynb")
    assert said in str(refused.value) and "weekly.ipynb" in refused.value.problem

@pytest.mark.parametrize("line", ["n: int | str = 1", "n: 5 = 1", "n: Literal[1, 'a'] = 1", "n: Annotated[int, 3] = 1", "n: 'int(' = 1", "n: int = 1 + x", "n = (1, 2)", "n = {1}",
    "n, m = 1, 2", "n: int = 1 # 0 - 9, EUR: what", "n: int = 1 # EUR, 0 to x: what", "a.b = 3", "n: list[complex] = []", "%time", "n = '", "until: date = date(2026, 2, 30)"])
def test_a_declaration_that_cannot_be_read_is_refused_in_two_lines(line):
    with pytest.raises(ParameterError) as refused: parameters_of_cell(line, "weekly.ipynb")
    assert len(str(refused.value).splitlines()) == 2

def test_the_declaration_is_plain_python_that_runs_without_us():
    names = {}
    exec(CELL, names)
    assert {n: names[n] for n in parameters_of_cell(CELL, "x")} == {n: p.default for n, p in parameters_of_cell(CELL, "x").items()}

@hypothesis.given(on=st.dates(date(3, 1, 1), date(9990, 12, 31)), word=st.sampled_from(sorted(DAY_WORDS)), n=st.integers(-400, 400))
def test_relative_dates_keep_their_meaning_on_every_day(on, word, n):
    day = as_date(word, on)
    assert as_date(day.isoformat(), on) == day and as_date(f"{word}{n:+d}d", on) == day + timedelta(n)
    if word.endswith("_end"): assert (day + timedelta(1)).day == 1
    if word.endswith("_start"): assert day.day == 1 and day <= on
    if word.startswith("last_"): assert day < on
    if word in ("monday", "sunday"): assert 0 <= (on - day).days < 7 and day.strftime("%A").lower() == word

@hypothesis.given(on=st.dates(date(1000, 1, 1), date(3000, 12, 31)), word=st.sampled_from(sorted(w for w in DAY_WORDS if w.endswith("_end"))), n=st.integers(-400, 400), unit=st.sampled_from("my"))
def test_the_end_of_a_month_stays_one_however_many_months_or_years_away(on, word, n, unit):
    day, moved = as_date(word, on), as_date(f"{word}{n:+d}{unit}", on)
    assert (moved + timedelta(1)).day == 1 and 12*moved.year + moved.month == 12*day.year + day.month + n*(12 if unit == "y" else 1)

@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
def test_a_weekday_is_called_the_same_whatever_language_the_machine_speaks(monkeypatch):
    monkeypatch.setattr(calendar, "day_name", ["lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"])
    monkeypatch.setattr(calendar, "month_name", ["", *["janvier"]*12])
    names = runpy.run_module("marketing_mlops.jobs.relative_dates")
    assert list(names["DAY_WORDS"]) == list(DAY_WORDS) and names["as_date"]("monday", WEDNESDAY) == date(2026, 3, 16)
    with pytest.raises(ValueError, match="February 2026 has 28 days"): names["as_date"]("2026-02-30", WEDNESDAY)

@hypothesis.given(st.text(max_size=20))
def test_no_text_makes_a_date_or_a_comment_fail_in_another_way_than_refusal(text):
    for read in (lambda: as_date(text, WEDNESDAY), lambda: read_comment(text, "float"), lambda: secret_name(text)):
        try: read()
        except ValueError: pass

@hypothesis.given(st.one_of(st.integers(), st.floats(), st.booleans(), st.none(), st.text(max_size=8), st.lists(st.integers(), max_size=2), st.dates()))
def test_a_checked_value_has_its_declared_type_whatever_was_given(value):
    types = dict(n_weeks=int, share=float, until=date, basis=str, markets=list, token=str)
    for name, parameter in parameters_of_cell(CELL, "x").items():
        try: typed = typed_value(parameter, value, WEDNESDAY)
        except ValueError: continue
        assert type(typed) is types[name] or (typed is None and parameter.is_optional)

def test_the_schema_is_valid_and_agrees_with_the_check(tmp_path):
    page = notebook(tmp_path)
    schema = schema_of(page)
    jsonschema.Draft202012Validator.check_schema(schema)
    judge = jsonschema.Draft202012Validator(schema)
    for values in (dict(n_weeks=2), dict(n_weeks=53), dict(share=1.), dict(share=.2), dict(basis="nett"), dict(markets=["DE", "UK"]), dict(markets=[1]), dict(token="x"), dict(nweeks=1)):
        try: check_parameters(page, values, WEDNESDAY, environment={}); fits = True
        except ParameterError: fits = False
        assert judge.is_valid(values) == fits, values
    assert json.loads(json.dumps(schema)) == schema

@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    root = tmp_path_factory.mktemp("workspace")
    (root/"settings.ini").write_text("[DEFAULT]\nreporting_currency = EUR\n[development]\n[markets]\nDE = Europe/Berlin, monday, 1, DE\n")
    (root/"nbs"/"jobs").mkdir(parents=True)
    return find_workspace(root)

SHOW = "from marketing_mlops.jobs.results import record\nrecord('got', [str(until), n_weeks, markets])"

def test_a_run_gets_and_records_the_day_a_relative_date_means_on_the_day_it_is_due(workspace):
    page = notebook(workspace.path("nbs", "jobs"), CELL, SHOW)
    run = run_notebook(page, dict(markets="DE,UK"), workspace=workspace, options=RunOptions(on=WEDNESDAY))
    assert run.results["got"] == ["2026-02-28", 8, ["DE", "UK"]]
    assert run.parameters["until"] == "2026-02-28" and read_run(run.folder).parameters == run.parameters
    assert 'until = "2026-02-28"' in run.executed.read_text().replace('\\"', '"')
    assert run_notebook(page, dict(until="-7d"), workspace=workspace, options=RunOptions(on=WEDNESDAY)).results["got"][0] == "2026-03-11"

def test_what_a_secret_stands_for_is_in_no_file_of_a_run(workspace, monkeypatch):
    monkeypatch.setenv("CRM_TOKEN", "hunter2-hunter2")
    use = "from marketing_mlops.jobs.secret_references import secret_value\nfrom marketing_mlops.jobs.results import record\nrecord('length', len(secret_value(token)))"
    page = notebook(workspace.path("nbs", "jobs"), CELL, use)
    run = run_notebook(page, dict(token="env:CRM_TOKEN"), workspace=workspace, options=RunOptions(on=WEDNESDAY))
    assert run.results == dict(length=15) and run.parameters["token"] == "env:CRM_TOKEN"
    assert not any("hunter2" in f.read_text() for f in run.folder.rglob("*") if f.is_file())

def test_nothing_is_left_of_a_run_that_was_refused(workspace):
    page = notebook(workspace.path("nbs", "jobs"), CELL, SHOW)
    for given in (dict(token="env:NOT_SET_AT_ALL"), dict(until="2026-02-30"), dict(n_week=3)):
        with pytest.raises(ParameterError): run_notebook(page, given, workspace=workspace, options=RunOptions(job="refused"))
    assert not list_runs(workspace, "refused")

def test_a_stage_takes_a_parameter_of_dvc_by_the_same_declaration(workspace):
    notebook(workspace.path("nbs", "jobs"), CELL, SHOW)
    stage = lambda *words: subprocess.run([BIN/"mmops-stage", "weekly", *words], cwd=workspace.root, capture_output=True, text=True, env=os.environ | dict(MMOPS_WORKSPACE=str(workspace.root)))
    done = stage("n_weeks=60")
    assert done.returncode == 1 and "2 to 52 weeks" in done.stderr and len(done.stderr.splitlines()) == 2
    assert stage("n_weeks=12").returncode == 0

def papermill(page, *words, out="out.ipynb"):
    return subprocess.run([BIN/"papermill", page, page.parent/out, "--engine", "mmops", "--no-progress-bar", "--log-level", "ERROR", *words], capture_output=True, text=True)

def test_papermill_with_our_engine_refuses_in_two_lines_and_writes_nothing(tmp_path):
    page = notebook(tmp_path, CELL, SHOW)
    for words, said in ((("-p", "n_week", "3"), "Did you mean 'n_weeks'?"), (("-p", "token", "hunter2"), "instead of a reference")):
        done = papermill(page, *words)
        assert done.returncode == 1 and said in done.stderr and "hunter2" not in done.stderr, done.stderr
        assert len(done.stderr.splitlines()) == 2 and "Traceback" not in done.stderr
    assert not (tmp_path/"out.ipynb").exists()

def test_papermill_with_our_engine_gives_the_notebook_typed_values(tmp_path):
    done = papermill(notebook(tmp_path, CELL, SHOW), "-r", "n_weeks", "12", "-p", "markets", "DE,UK", "-p", "until", "2026-03-01")
    assert done.returncode == 0, done.stderr
    injected = nbformat.read(tmp_path/"out.ipynb", 4).cells[1].source
    assert "n_weeks = 12" in injected and 'markets = ["DE", "UK"]' in injected

def test_papermill_with_our_engine_leaves_a_notebook_without_types_alone(tmp_path):
    done = papermill(notebook(tmp_path, "n = 1", "print(other)"), "-p", "other", "text")
    assert done.returncode == 0 and 'text' in nbformat.read(tmp_path/"out.ipynb", 4).cells[2].outputs[0].text

def test_a_whole_number_that_papermill_injects_becomes_the_figure_that_is_declared(tmp_path):
    made = nbformat.read(notebook(tmp_path, "budget: float = 250\n"), 4)
    made.metadata["papermill"] = dict(parameters={})
    asked = parameterize_notebook(made, dict(budget=500), kernel_name="python3", language="python")
    assert repr(inject_checked(asked, WEDNESDAY, environment={}).metadata.papermill.parameters["budget"]) == "500.0"

def day_in(tmp_path, zone):
    "Today as a notebook that papermill starts in a workspace with a market in this zone gets it."
    root = tmp_path/zone.rpartition("/")[2]
    root.mkdir()
    (root/"settings.ini").write_text(f"[DEFAULT]\nreporting_currency = EUR\n[development]\n[markets]\nFirst = {zone}, monday, 1, DE\n")
    made = nbformat.read(notebook(root, 'until: "date" = "today"\n'), 4)
    made.metadata["papermill"] = dict(parameters={})
    return date.fromisoformat(checked_notebook(made, dict(MMOPS_WORKSPACE=str(root))).metadata.papermill.parameters["until"])

def test_today_is_the_day_of_the_first_market_when_papermill_starts_a_notebook(tmp_path):
    assert day_in(tmp_path, "Pacific/Kiritimati") > day_in(tmp_path, "Pacific/Pago_Pago") # 25 hours apart: never the same day

def test_without_a_workspace_today_is_the_day_of_this_machine(tmp_path):
    made = nbformat.read(notebook(tmp_path, 'until: "date" = "today"\n'), 4)
    made.metadata["papermill"] = dict(parameters={})
    before = date.today()
    assert checked_notebook(made, dict(MMOPS_WORKSPACE=str(tmp_path))).metadata.papermill.parameters["until"] in (before.isoformat(), date.today().isoformat())

def test_blanks_inside_a_text_are_code_of_a_job():
    cells = lambda text: dict(cells=[dict(cell_type="code", source=text, metadata={})])
    assert job_code(cells('mail = """Dear customer,  \n"""')) != job_code(cells('mail = """Dear customer,\n"""'))
