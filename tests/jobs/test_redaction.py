"""What must not be stored is in no file a run leaves; what is no secret stays as it was."""
import datetime, json, os, re, string, subprocess, sys
from pathlib import Path
import nbformat, pytest
from hypothesis import given, settings, strategies as st
from marketing_mlops.jobs.redaction import Redactor, redact_content
from marketing_mlops.jobs.runner import RunOptions, run_notebook
from marketing_mlops.jobs.stored_notebooks import open_addresses
from marketing_mlops.jobs.runs import list_runs
from marketing_mlops.workspace.errors import StageError
from marketing_mlops.workspace.places import find_workspace

BIN = Path(sys.executable).parent
hide = Redactor().text

# ---- planted secrets ---------------------------------------------------------------------------------------------

PLANTED = dict(mail="jane.doe@shop-mail.de", phone="+49 170 1234567", key="sk-Zr2TnLw04pXv9bQ8aa", cloud="AKIAIOSFODNN7EXAMPLE", password="pear-tree-7",
               token="a drawn token, 42 of them", person="a89c31d27c4d9152f596", number="c000123", trait="a trait of hers")
LEAKS = """
import json, os, sys, logging, pandas as pd
from IPython.display import display, HTML, Markdown, JSON
from marketing_mlops.jobs.results import record
planted = json.load(open(os.environ["PLANTED_AT"]))
said = " | ".join([planted[k] for k in ("mail", "phone", "key", "cloud", "person")] + ["postgresql://loader:" + planted["password"] + "@dwh.example.com/sales", os.environ["SHOP_TOKEN"]])
rows = pd.DataFrame(dict(customer_id=[planted["number"]], value=[planted["trait"]], campaign=["spring_promo"]))
"""
WAYS = ["print(said)", "print(said, file=sys.stderr)", "logging.warning(said)", "said", "display(HTML('<p>' + said + '</p>'))", "display(Markdown(said))", "display(JSON(dict(a=[said])))",
        "rows", "print(rows)", "rows.set_index('customer_id')", "print(rows.set_index('customer_id'))", "record('first', rows.to_dict('records')[0])", "record('said', dict(said=[said]))",
        "os.system('echo ' + repr(said))", "display({'image/svg+xml': '<svg xmlns=\"http://www.w3.org/2000/svg\"><text>' + said + '</text></svg>'}, raw=True)"]

def write(workspace, *code, name="mailing"):
    cells = [nbformat.v4.new_code_cell('model: str = "promo"\nrecipient: str = ""\ntoken: str = "env:SHOP_TOKEN"', metadata=dict(tags=["parameters"])), *map(nbformat.v4.new_code_cell, code)]
    path = workspace.path("nbs", "jobs", f"{name}.ipynb")
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=dict(kernelspec=dict(name="python3", language="python", display_name="python3"))), path)
    return path

@pytest.fixture
def workspace(tmp_path, tmp_path_factory, monkeypatch):
    planted = tmp_path_factory.mktemp("planted")/"planted.json"
    planted.write_text(json.dumps(PLANTED))
    monkeypatch.setenv("PLANTED_AT", str(planted))
    monkeypatch.setenv("SHOP_TOKEN", PLANTED["token"])
    (tmp_path/"settings.ini").write_text("[DEFAULT]\ndefault_models = promo\napprovers = head-of-crm@shop-mail.de\n")
    (tmp_path/"params.yaml").write_text("sources: {}\nmodels:\n  promo:\n    owner: crm@shop-mail.de\n")
    return find_workspace(tmp_path)

def found_in(*texts): return {name for name, secret in PLANTED.items() for text in texts if secret in text or secret.replace("@", "%40") in text}

def stored(workspace):
    "All a workspace holds beside what was put there by hand."
    return [f.read_text(errors="replace") for f in workspace.path("data").rglob("*") if f.is_file()]

ENGINES = [pytest.param("warm", marks=pytest.mark.skipif(sys.platform != "linux", reason="the warm worker forks")), pytest.param("kernel", marks=pytest.mark.slow)]

@pytest.mark.parametrize("engine", ENGINES)
def test_no_planted_secret_is_in_any_file_of_a_run_that_finished(workspace, engine):
    run = run_notebook(write(workspace, LEAKS, *WAYS), dict(recipient=PLANTED["mail"]), workspace=workspace, options=RunOptions(engine=engine))
    assert run.page.is_file() and found_in(*stored(workspace)) == set()
    assert run.results["first"]["campaign"] == "spring_promo" and run.parameters == dict(model="promo", recipient="[e-mail]", token="env:SHOP_TOKEN")
    assert all(word in run.executed.read_text() for word in ("spring_promo", "dwh.example.com/sales", "[phone]", "[secret]", "[person]", "[key]", "[password]"))

@pytest.mark.parametrize("engine", ENGINES)
def test_no_planted_secret_is_in_any_file_or_error_of_a_run_that_failed(workspace, engine):
    with pytest.raises(StageError) as error:
        run_notebook(write(workspace, LEAKS, "raise ValueError(said)"), dict(recipient=PLANTED["mail"]), workspace=workspace, options=RunOptions(engine=engine))
    run, = list_runs(workspace, "mailing")
    assert run.page.is_file() and found_in(str(error.value), *map(str, error.value.fields.values()), *stored(workspace)) == set()

def test_no_planted_secret_leaves_a_stage_command(workspace):
    write(workspace, LEAKS, *WAYS[:3], "from marketing_mlops.workspace.errors import DataError\nraise DataError(said, 'Ask ' + planted['mail'] + '.')")
    for file in ("", str(workspace.path("data", "error.json"))):
        done = subprocess.run([BIN/"mmops-stage", "mailing", f"recipient={PLANTED['mail']}"], cwd=workspace.root, capture_output=True, text=True,
                              env=os.environ | dict(MMOPS_WORKSPACE=str(workspace.root), MMOPS_ERROR_FILE=file))
        assert done.returncode == 1 and found_in(done.stdout, done.stderr, *stored(workspace)) == set()
    assert "[e-mail]" in (workspace.path("data")/"error.json").read_text()

def test_no_planted_secret_is_on_the_disk_while_a_run_is_under_way_or_after_it_was_killed(workspace):
    look = "import pathlib\nfound = [f.name for f in pathlib.Path('data').rglob('*') if f.is_file() and any(v in f.read_text() for v in planted.values())]\nrecord('found', found)"
    with pytest.raises(StageError): run_notebook(write(workspace, LEAKS, "print(said)", "rows", look, "os.kill(os.getpid(), 9)"), dict(recipient=PLANTED["mail"]), workspace=workspace)
    run, = list_runs(workspace, "mailing")
    assert run.results == dict(found=[]) and found_in(*stored(workspace)) == set()

def test_a_run_for_somebody_is_not_filed_under_her_address(workspace):
    run = run_notebook(write(workspace, "1"), workspace=workspace, options=RunOptions(key=PLANTED["mail"]))
    assert run.key == "[e-mail]" and "doe" not in str(run.folder)

def test_addresses_of_roles_stay_readable(workspace):
    run = run_notebook(write(workspace, "print('asked by crm@shop-mail.de, approved by Head-of-CRM@shop-mail.de, seen by jane.doe@shop-mail.de')"), workspace=workspace)
    text = json.loads(run.executed.read_text())["cells"][-1]["outputs"][0]["text"]
    assert "".join(text) == "asked by crm@shop-mail.de, approved by Head-of-CRM@shop-mail.de, seen by [e-mail]\n"

def test_owners_named_anywhere_in_this_repository_stay_readable(repository):
    roles = open_addresses(find_workspace(repository))
    assert {"model-owner@example.com", "marketing@example.com", "data-protection@example.com", "finance@example.com"} <= roles
    assert "customer.1@example.com" not in roles

def test_evidence_of_the_demo_hides_customers_and_its_reports_lose_nothing(first_run):
    folder = first_run/"workspace"/"data"
    pages = [f for f in (folder/"report").rglob("*") if f.suffix in (".html", ".json")]
    assert pages and not [f.name for f in pages if re.search(r"\[(e-mail|phone|key|password|secret|person|account)\]", f.read_text())]
    evidence = [f for f in (folder/"runs").rglob("*") if f.is_file()]
    assert not [str(f) for f in evidence if re.search(r"(?<![\w.])(?=\d*[a-f])[0-9a-f]{20}(?!\w)", f.read_text())]
    assert any("[person]" in f.read_text() for f in evidence)

# ---- forms -------------------------------------------------------------------------------------------------------

around = st.tuples(st.sampled_from(["", "call ", "(", "'", "\n", "tel:", "x: ", "<td>"]), st.sampled_from(["", " now", ")", "'", "\n", ", ", ". ", "</td>"]))
word = st.text("abcdefghijklmnopqrstuvwxyzäöü0123456789._+-", min_size=1, max_size=12).map(lambda s: "a" + s.strip(".-+") + "z")
label = st.text(string.ascii_lowercase + string.digits + "-", min_size=1, max_size=10).map(lambda s: "b" + s.strip("-") + "c")
mails = st.builds(lambda user, at, hosts, top: user + at + ".".join([*hosts, top]), word, st.sampled_from(["@", "%40", "&#64;"]), st.lists(label, min_size=1, max_size=3), st.sampled_from(["de", "com", "co.uk", "shop", "museum"]))
digits = lambda a, b: st.text(string.digits, min_size=a, max_size=b)
phones = st.one_of(
    st.builds("+{}{}{} {}".format, st.sampled_from(["49", "44", "1", "33", "352"]), st.sampled_from([" ", "-", "/", " ("]), st.sampled_from(["30", "170", "89", "555"]), digits(6, 8)).map(lambda s: s.replace("( ", "(").replace(" (", " (0) ")),
    st.builds("+{}{}".format, st.sampled_from(["49", "44", "33"]), digits(9, 11).map(lambda s: "1" + s)),
    st.builds("00{} {} {}".format, st.sampled_from(["49", "44", "43"]), st.sampled_from(["30", "170", "660"]), digits(6, 8)),
    st.builds("0{}{}{}".format, st.sampled_from(["30", "170", "89", "4421", "711"]), st.sampled_from(["/", " ", "-"]), digits(7, 7)),
    st.builds("({}) {}-{}".format, st.sampled_from(["555", "212"]), digits(3, 3), digits(4, 4)),
    st.builds("01{}{}".format, st.sampled_from(["51", "60", "70"]), digits(7, 8)))
letters = string.ascii_letters + string.digits
keys = st.one_of(*(st.builds(lambda body, start=start: start + body, st.text(letters, min_size=36, max_size=40)) for start in ("sk-", "ghp_", "xoxb-", "glpat-", "sk_live_")),
                 st.text(string.ascii_uppercase + string.digits, min_size=16, max_size=16).map("AKIA{}".format),
                 st.text(letters, min_size=20, max_size=40).map(lambda s: f"Bearer {s}9"), st.text(letters, min_size=10, max_size=30).map(lambda s: f"access_token={s}a1"))

@settings(max_examples=150, deadline=None)
@given(st.one_of(st.tuples(st.just("e-mail"), mails), st.tuples(st.just("phone"), phones), st.tuples(st.just("key"), keys)), around)
def test_every_form_of_a_secret_is_hidden_and_hiding_twice_changes_nothing(secret, around):
    kind, text = secret
    hidden = hide(around[0] + text + around[1])
    assert f"[{kind}]" in hidden and hide(hidden) == hidden
    assert not re.search(r"\d{6}|[A-Za-z0-9]{12}", hidden) and "@" not in hidden

orders = st.one_of(digits(4, 10).map(lambda s: f"ORD-2026-{s}"), digits(7, 7).map(lambda s: f"102-{s}-3384821"), st.integers(1, 10**12).map(str), digits(10, 10).map(lambda s: "45" + s), digits(5, 5).map(lambda s: f"2026-00{s}"))
amounts = st.one_of(st.integers(-10**9, 10**9).map("{:,} EUR".format), st.floats(-1e6, 1e6).map("{:+.2f} %".format), st.floats(0, 1).map(repr), st.integers(0, 10**9).map(lambda n: f"{n:,}".replace(",", ".") + ",00 €"), st.integers(0, 10**6).map(lambda n: f"+{n:,} EUR".replace(",", "\u202f")))
others = st.one_of(st.dates(min_value=datetime.date(1000, 1, 1)).map(str), st.datetimes(min_value=datetime.datetime(1000, 1, 1)).map(lambda d: d.isoformat() + "+00:00"), st.dates(min_value=datetime.date(1000, 1, 1)).map(lambda d: d.strftime("%d.%m.%Y")), st.uuids().map(str), st.uuids().map(lambda u: u.hex), st.uuids().map(lambda u: u.hex + u.hex),
                   st.sampled_from(["report@retailer_promo_uplift", "spring_promo", "v1.26.0", "10.0.0.12:8080", "token: str = None", "secret: env:SHOP_TOKEN", "DE-01067 10115", "sha256:9f8e7d6c", "#@patch", "http://localhost:5000/", "customer_id", "ob1f2c94b5abcb164"]))

@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(orders, amounts, others), min_size=1, max_size=4), st.sampled_from([" ", ", ", "\n", " | ", "</td><td>"]))
def test_orders_dates_amounts_and_hashes_survive(figures, between):
    text = between.join(figures)
    assert hide(text) == text

@pytest.mark.parametrize("at", ["@", "%40", "&#64;", "&#x40;", "\\u0040"])
def test_an_address_that_is_kept_later_becomes_readable_and_one_that_is_no_longer_kept_is_hidden(at):
    roles = {"crm@shop.de"}
    redactor = Redactor(kept=lambda: frozenset(roles))
    texts = [f"asked by {name}{at}shop.de" for name in ("crm", "sales")]
    assert [redactor.text(text) for text in texts] == [texts[0], "asked by [e-mail]"]
    roles ^= {"crm@shop.de", "sales@shop.de"}
    assert [redactor.text(text) for text in texts] == ["asked by [e-mail]", texts[1]]

def test_the_secrets_of_one_run_are_not_looked_for_in_another():
    assert [Redactor(secrets).text("plum jam") for secrets in ((), ("plum jam",), ())] == ["plum jam", "[secret]", "plum jam"]

def test_keys_and_values_of_json_are_hidden_and_figures_are_not():
    content = {"jane.doe@shop.de": [491701234567, True, None, 0.5, "+49 170 1234567"], "image/png": "+4917012345678"}
    assert redact_content(content, hide) == {"[e-mail]": [491701234567, True, None, 0.5, "[phone]"], "image/png": "+4917012345678"}

def test_a_long_text_without_secrets_is_unchanged():
    text = "<td>2026-04-06</td><td>1,249.90</td> spring_promo 0.0170123 +12 000\n"*20_000
    assert hide(text) == text

# ---- whose address stays ----------------------------------------------------------------------------------------------

def test_an_address_is_open_only_as_the_value_of_a_key_for_an_owner(tmp_path):
    (tmp_path/"settings.ini").write_text("[DEFAULT]\ndefault_models = promo\n")
    (tmp_path/"params.yaml").write_text("""models:
  promo: {owner: one@shop.de, purpose: "for x@shop.de, by y@shop.de"}
  churn:
    owner: two@shop.de # was asked by old@shop.de
    owners:
      - three@shop.de
      - "four@shop.de"
    purpose: asked for by jane.doe@shop.de, the owner of it
    by: lily@shop.de
    destinations: [five@shop.de, six@shop.de]
    audience: destination is jim@shop.de
""")
    assert {a for a in open_addresses(find_workspace(tmp_path)) if a.endswith("shop.de")} == {f"{n}@shop.de" for n in ("one", "two", "three", "four", "five", "six")}
