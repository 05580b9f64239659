"""The form: it gives what the command line would accept, says what it would not, and shows text as text."""
import json, shlex
from datetime import date
import nbformat, pytest
from marketing_mlops.explorers.parameter_form import ParameterForm, start_line
from marketing_mlops.jobs.parameters import check_parameters
from marketing_mlops.jobs.stages import parameter_words
from marketing_mlops.workspace.errors import ParameterError

CELL = '''model: str                                # Model to show
n_weeks: int | None = 8                   # weeks, 2 to 52: how many <b>weeks</b>
until: "date" = "last_month_end"
basis: "Literal['net', 'gross'] | None" = None
markets: "list[Literal['DE', 'UK', 'US, all']]" = ["DE"]
loud: bool = False
token: "Secret | None" = None
'''

def notebook(folder, cell=CELL):
    tagged = nbformat.v4.new_code_cell(cell, metadata=dict(tags=["parameters"]))
    nbformat.write(nbformat.v4.new_notebook(cells=[tagged]), folder/"weekly.ipynb")
    return folder/"weekly.ipynb"

@pytest.fixture
def page(tmp_path):
    (tmp_path/"reports").mkdir()
    return notebook(tmp_path/"reports")

def filled(page, **values):
    form = ParameterForm(page, on=date(2026, 3, 18), environment={})
    for name, value in values.items(): form.fields[name].value = value
    return form

def test_the_line_of_a_form_means_what_its_fields_say(page):
    form = filled(page, model="retailer's model", until="monday-1w", basis="gross", markets=("UK", "US, all"), loud=True, n_weeks="none")
    words = shlex.split(form.command())
    assert words[:4] == ["mmops", "report", "weekly", "-p"]
    assert check_parameters(page, parameter_words(words[4:]), date(2026, 3, 18)) == form.values
    assert form.values["n_weeks"] is None and form.values["markets"] == ["UK", "US, all"]

def test_an_untouched_form_says_only_what_is_missing(page):
    assert filled(page).wrong == {"model": "'model' is missing."} and filled(page).given == {}
    with pytest.raises(ParameterError): filled(page).command()

def test_what_is_wrong_stands_beside_its_field_and_goes_when_it_is_mended(page):
    form = filled(page, model="churn", n_weeks="60", until="2026-02-30", token="hunter2")
    assert set(form.wrong) == {"n_weeks", "until", "token"} and "hunter2" not in str(form.wrong)
    assert "28 days" in form._remarks["until"].value
    form.fields["until"].value = ""
    assert set(form.wrong) == {"n_weeks", "token"} and "✗" not in form._remarks["until"].value

def test_text_from_a_notebook_is_shown_as_text(page):
    form = filled(page, model="<script>alert(1)</script>", n_weeks="<i>")
    for shown in (form.snapshot()._repr_html_(), form._remarks["n_weeks"].value, filled(page)._remarks["n_weeks"].value):
        assert "<script>" not in shown and "<i>" not in shown and "<b>weeks" not in shown

def test_a_secret_that_was_written_out_is_in_no_picture_of_the_form(page):
    assert "hunter2" not in filled(page, token="hunter2").snapshot()._repr_html_()

def test_a_default_that_is_not_allowed_is_said_when_the_form_is_opened(tmp_path):
    page = notebook(tmp_path, "basis: \"Literal['net', 'gross']\" = 'nett'")
    with pytest.raises(ParameterError, match="'basis': its default 'nett' is not among its choices"): ParameterForm(page)
    assert start_line(page, {}).endswith("--engine mmops")

def test_a_form_is_filled_in_again_as_it_was_and_keeps_no_secret(page):
    form = filled(page, model="churn", n_weeks="none", until="sunday", basis="gross", markets=("UK", "US, all"), loud=True, token="env:TOKEN")
    kept = json.loads(json.dumps(form.state()))
    again = ParameterForm.from_state(kept, on=form.on, environment={})
    assert (again.given, again.wrong) == (form.given, form.wrong)
    assert "hunter2" not in json.dumps(filled(page, token="hunter2").state())

@pytest.mark.parametrize("given,says", [(dict(n_week="3"), "Did you mean 'n_weeks'"), (dict(basis="gros"), "does not offer"), (dict(markets=["FR"]), "does not offer")])
def test_a_parameter_or_choice_that_has_gone_is_named(page, given, says):
    with pytest.raises(ParameterError, match=says) as refused: ParameterForm.from_state(dict(notebook=str(page), given=given))
    assert len(str(refused.value).splitlines()) == 2

def test_every_field_has_its_parameter_s_name(page):
    assert {field.description for field in filled(page).fields.values()} == set(filled(page).fields)

def test_a_notebook_without_parameters_has_an_empty_form(tmp_path):
    form = ParameterForm(notebook(tmp_path, "pass"))
    assert (form.given, form.state()["given"], form.snapshot().rows) == ({}, {}, ())
