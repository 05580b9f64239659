"""`mmops run` prints published figures to their digits, says what did not change, and what a stop leaves behind."""
import os, re, shutil, signal, subprocess, sys, time
from pathlib import Path
import pandas as pd
import pytest
from variants import first_always
from workspace_outputs import fingerprint
from marketing_mlops.cli.readout_lines import difference_lines, readout_lines
from marketing_mlops.cli.run import many_table, model_lines
from marketing_mlops.cli.release_status import candidate_words
from marketing_mlops.cli.status import saved_readout
from marketing_mlops.governance.dataset_entries import dataset_history, tables_digest
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.sources.ingestion import accepted_tables
from marketing_mlops.workspace.places import find_workspace, write_json

pytestmark = pytest.mark.edges

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent

@pytest.fixture(scope="module")
def small(first_run, tmp_path_factory):
    "A workspace with a small simulation that was built by the command, and the folder with what the command said."
    folder = tmp_path_factory.mktemp("small")/"workspace"
    shutil.copytree(first_run/"workspace", folder, symlinks=True)
    yield folder, first_run
    shutil.rmtree(folder, ignore_errors=True)

def test_what_is_printed_is_what_the_report_keeps(small):
    folder, said = small
    assert readout_lines(saved_readout(find_workspace(folder), "retailer_promo_uplift")) in (said/"printed.txt").read_text()

def test_the_address_of_the_result_is_printed_and_exists(small):
    folder, said = small
    printed = (said/"printed.txt").read_text()
    pages = [line for line in printed.splitlines() if line.endswith(".html")]
    assert "data/report/retailer_promo_uplift/campaign_readout.html" in pages
    for page in pages: assert (folder/page.removeprefix("All reports: ")).is_file()
    assert "\x1b" not in printed and (said/"complained.txt").read_text() == ""

def test_the_table_of_many_models_says_whose_figure_stands_beside_another_champion(tmp_path):
    (tmp_path/"data").mkdir()
    (tmp_path/"settings.ini").write_text("[DEFAULT]\nreporting_currency = EUR\n[development]\n")
    (tmp_path/"params.yaml").write_text("sources: {}\nmodels: {}\n")
    shop = find_workspace(tmp_path)
    for model, role, now in (("same", "champion", "aa"), ("other", "champion", "bb"), ("fresh", "candidate", "aa")):
        write_json(shop.output("bundle", model)/"envelope.json", dict(core_hash="aa"*32))
        write_json(shop.output("score", model)/"score.json", dict(role=role, bundle_hash=now*32, n=300))
    said = many_table(shop, dict.fromkeys(("same", "other", "fresh"), {}))
    ends = {line.split()[0]: line for line in said.splitlines()}
    assert ends["same"].endswith("champion, the same") and ends["other"].endswith("champion bbbbbbbbbbbb, another bundle") and ends["fresh"].endswith("candidate")
    assert said.endswith("Verdict and figure are those of the newest candidate.")

def test_a_second_run_says_unchanged_and_changes_nothing(small, run_mmops, snapshot):
    folder, _ = small
    before = snapshot(folder/"data") | {"lock": (folder/"dvc.lock").read_bytes()}
    done = run_mmops("run", cwd=folder)
    assert done.returncode == 0 and re.search(r"Unchanged: all \d+ stages are up to date\.", done.stdout) and "made " not in done.stdout
    after = snapshot(folder/"data") | {"lock": (folder/"dvc.lock").read_bytes()}
    assert {k: v for k, v in after.items() if "state/" not in k} == {k: v for k, v in before.items() if "state/" not in k}

def stale_lines_of(shown):
    "What `mmops status` calls stale; the replays of public data were never built here."
    lines = shown.partition("stale\n")[2].partition("\n\n")[0].splitlines()
    return [line for line in lines if "not built yet: attribution-paths" not in line]

def test_status_knows_what_the_run_left(small, run_mmops):
    folder, _ = small
    shown = run_mmops("status", cwd=folder).stdout
    assert re.search("^retailer +replay", shown, re.MULTILINE) and stale_lines_of(shown) == []

def test_a_changed_parameter_is_stale_until_the_next_run(small, run_mmops):
    folder, _ = small
    params = folder/"params.yaml"
    text = params.read_text()
    try:
        params.write_text(text.replace("worthwhile_effect: 0.50", "worthwhile_effect: 0.60"))
        assert re.search("report.* of retailer_promo_uplift: parameter", run_mmops("status", cwd=folder).stdout)
    finally: params.write_text(text)
    assert stale_lines_of(run_mmops("status", cwd=folder).stdout) == []

@pytest.mark.parametrize("change, says", first_always([
    (("    source: retailer\n", ""), ["params.yaml", "models.retailer_"]),
    (("source: retailer\n", "source: retailr\n"), ["retailr", "Did you mean 'retailer'?"]),
    (("models:\n", "modles:\n"), ["params.yaml", "Did you mean"]),
    (("task: uplift", "task: [uplift"), ["params.yaml"]),
    (("control: no_mail", "control: nobody"), ["control"]),
    (("      goal: net_revenue_per_customer\n", ""), ["params.yaml: models.retailer_promo_uplift.experiment: goal is missing", "Add `goal:` below models.retailer_promo_uplift.experiment in params.yaml."]),
    (("      worthwhile_effect: 0.50\n", ""), ["worthwhile_effect is missing", "Add `worthwhile_effect:` below"]),
    (("    months: 18\n", ""), ["params.yaml: sources.retailer.months is missing.", "Add `months: 18` below sources.retailer in params.yaml"]),
    (("customers: 2000\n", "customers: many\n"), ["params.yaml: sources.retailer.customers must be a whole number, got 'many'", "the demo has `customers: 20000`"]),
    (("gates: {auc: 0.65", "gates: {acu: 0.65"), ["params.yaml: models.retailer_churn_90d", "gates.acu", "Did you mean 'auc'?"]),
], 3), ids=["missing key", "unknown source", "misspelt top", "broken YAML", "unknown arm", "missing goal", "missing effect", "missing setting", "word for a number", "unknown gate"])
def test_a_wrong_parameter_ends_in_two_lines_and_keeps_every_output(small, run_mmops, is_refused, snapshot, change, says):
    folder, _ = small
    params, before = folder/"params.yaml", snapshot(folder/"data"/"report") | snapshot(folder/"data"/"validate")
    text = params.read_text()
    assert change[0] in text
    try:
        params.write_text(text.replace(*change))
        refused = run_mmops("run", cwd=folder)
        is_refused(refused, *says)
        assert str(folder) not in refused.stderr
    finally: params.write_text(text)
    assert snapshot(folder/"data"/"report") | snapshot(folder/"data"/"validate") == before
    waits = run_mmops("status", cwd=folder).stdout.partition("waiting\n")[2].split("\n\n")[0].splitlines()
    assert waits and all("a candidate waits" in line for line in waits), "taken back, the mistake waits for nobody"

def test_an_experiment_that_cannot_be_read_out_is_refused_before_the_first_stage(small, run_mmops, is_refused):
    folder, _ = small
    params, runs = folder/"params.yaml", lambda: sorted((folder/"data"/"runs").rglob("run.json"))
    text, before = params.read_text(), runs()
    try:
        params.write_text(text.replace("customers: 2000\n", "customers: 2001\n").replace("      goal: net_revenue_per_customer\n", ""))
        is_refused(run_mmops("run", cwd=folder), "goal is missing")
    finally: params.write_text(text)
    assert runs() == before

def test_the_p_value_in_the_terminal_is_the_adjusted_one():
    row = dict(metric="visit_rate", arm="mail", control="none", value=.02, low=.01, high=.03, level=.975, statistic=2.5, p_value=.0124, p_adjusted=.0248)
    lines = difference_lines([row]).splitlines()
    assert lines[0].rstrip().endswith("p, adjusted") and lines[-1].rstrip().endswith("0.0248")

@pytest.mark.parametrize("verdict,is_offered", [("pass", True), ("review", True), ("fail", False), ("unknown", False)])
def test_only_a_model_that_may_be_released_is_offered_for_release(tmp_path, verdict, is_offered):
    (tmp_path/"settings.ini").write_text("[DEFAULT]\nreporting_currency = EUR\n")
    shop = find_workspace(tmp_path)
    write_json(shop.output("evaluate", "churn")/"evaluation.json", dict(verdict=dict(status=verdict), n_held_out=1, sentences=[]))
    first, last = model_lines(shop, "churn")
    assert ("mmops request" in last, "not offered for release" in last) == (is_offered, not is_offered) and first.endswith("on 1 held-out row")
    write_json(shop.output("bundle", "churn")/"envelope.json", dict(core_hash="5f2a"*16))
    assert bool(candidate_words(shop, "churn", [])) is is_offered, "and `mmops status` agrees"

def test_an_unknown_model_is_answered_with_the_nearest(small, run_mmops, is_refused):
    is_refused(run_mmops("run", "retailer_promo_uplft", cwd=small[0]), "Did you mean 'retailer_promo_uplift'?")

def test_outside_a_workspace_the_remedy_is_named(run_mmops, is_refused, tmp_path):
    is_refused(run_mmops("run", "--workspace", tmp_path, cwd=tmp_path), "mmops init")

def _start_forced(folder):
    "A forced run that has just begun its first stage."
    code = "import sys; from marketing_mlops.cli.commands import main; sys.exit(main())"
    env = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "PYTHONUNBUFFERED": "1", "SHELL": "/bin/sh"}
    runs = folder/"data"/"runs"/"ingest"/"retailer"
    before = len(list(runs.glob("*/run.json")))
    running = subprocess.Popen([sys.executable, "-c", code, "run", "retailer_promo_uplift", "--force"], cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while len(list(runs.glob("*/run.json"))) == before and running.poll() is None: time.sleep(.05)
    return running

def test_ctrl_c_says_what_is_left_and_the_next_run_goes_on(small, run_mmops, snapshot):
    folder, _ = small
    before = snapshot(folder/"data"/"report") | snapshot(folder/"data"/"validate")
    running = _start_forced(folder)
    os.killpg(running.pid, signal.SIGINT)
    _, complaint = running.communicate(timeout=600)
    assert running.returncode == 130 and complaint.splitlines()[0] == "Stopped by Ctrl-C." and len(complaint.splitlines()) == 2, complaint
    assert snapshot(folder/"data"/"report") | snapshot(folder/"data"/"validate") == before
    done = run_mmops("run", cwd=folder)
    assert done.returncode == 0, done.stderr

@pytest.mark.slow
def test_two_runs_at_once_the_second_is_told_so_and_the_first_makes_the_same_bytes(small, run_mmops, is_refused):
    folder, _ = small
    before, lock = fingerprint(folder), (folder/"dvc.lock").read_bytes()
    first = _start_forced(folder)
    os.killpg(first.pid, signal.SIGSTOP)                       # it is under way for as long as the others take
    second, status = run_mmops("run", cwd=folder), run_mmops("status", cwd=folder)
    os.killpg(first.pid, signal.SIGCONT)
    _, complaint = first.communicate(timeout=600)
    assert first.returncode == 0, complaint
    is_refused(second, "Another run of this workspace is under way")
    assert (fingerprint(folder), (folder/"dvc.lock").read_bytes()) == (before, lock), "everything was made again, and nothing differs"
    assert status.returncode == 0 and "a run is under way" in status.stdout

def test_a_report_with_other_parameters_leaves_the_pipelines_alone(small, run_mmops, snapshot, is_refused):
    folder, _ = small
    before = snapshot(folder/"data"/"report")
    done = run_mmops("report", "data_quality", "-p", "source=retailer", "candidate=true", "--into", "quality.html", cwd=folder)
    assert done.returncode == 0 and done.stdout.splitlines()[-1] == "quality.html" and "<html" in (folder/"quality.html").read_text()
    is_refused(run_mmops("report", "data_quality", "-p", "sorce=retailer", cwd=folder), "Did you mean 'source'?")
    is_refused(run_mmops("report", "data_qualty", cwd=folder), "Did you mean 'data_quality'?")
    assert snapshot(folder/"data"/"report") == before

@pytest.fixture(scope="session")
def hillstrom(datasets, shared, run_mmops):
    "What is printed when the published experiment is read out in a copy of the tracked files."
    def build(folder):
        copy = folder/"copy"
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for name in filter(None, listed.split("\0")):
            if (ROOT/name).is_file() and not name.startswith(("tests/", "nbs/api/", "requirements")):
                (copy/name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT/name, copy/name)
        subprocess.run(["git", "init", "-q"], cwd=copy, check=True)
        done = run_mmops("run", "hillstrom_email", cwd=copy, MMOPS_DATASETS=str(datasets), CI="1")
        assert done.returncode == 0, done.stdout+done.stderr
        (folder/"printed.txt").write_text(done.stdout)
    return (shared("hillstrom", build)/"printed.txt").read_text()

# arm, customers, visits, visit rate, conversions, conversion rate, spend, spend per head: the reference table, digit by digit
REFERENCE = [("Mens E-Mail", "21,307", "3,894", "0.182757", "267", "0.012531", "30,311.69", "1.422617"),
             ("Womens E-Mail", "21,387", "3,238", "0.151400", "189", "0.008837", "23,038.11", "1.077202"),
             ("No E-Mail", "21,306", "2,262", "0.106167", "122", "0.005726", "13,908.33", "0.652789")]
DIFFERENCES = [("visit_rate", "Mens", "+0.076590", "22.486"), ("conversion_rate", "Mens", "+0.006805", "7.385"), ("spend_per_customer", "Mens", "+0.769827", "5.300"),
               ("visit_rate", "Womens", "+0.045233", "13.949"), ("conversion_rate", "Womens", "+0.003111", "3.780"), ("spend_per_customer", "Womens", "+0.424412", "3.256")]

@pytest.mark.parametrize("arm, n, visits, visit_rate, conversions, conversion_rate, spend, per_head", REFERENCE, ids=[r[0] for r in REFERENCE])
def test_the_published_arm_table_is_printed_to_its_digits(hillstrom, arm, n, visits, visit_rate, conversions, conversion_rate, spend, per_head):
    for metric, total, value in (("visit_rate", visits, visit_rate), ("conversion_rate", conversions, conversion_rate), ("spend_per_customer", spend, per_head)):
        line = next(line for line in hillstrom.splitlines() if line.startswith(metric) and f"  {arm}" in line and "−" not in line)
        assert f" {n} " in line and f" {total} " in line and f" {value} " in line and " to " in line

@pytest.mark.parametrize("metric, mail, difference, statistic", DIFFERENCES, ids=[f"{d[1]} {d[0]}" for d in DIFFERENCES])
def test_each_mail_is_held_against_none(hillstrom, metric, mail, difference, statistic):
    line = next(line for line in hillstrom.splitlines() if line.startswith(metric) and f"{mail} E-Mail − No E-Mail" in line)
    assert f" {difference} " in line and f" {statistic} " in line and " to " in line

def test_a_replay_says_that_its_threshold_was_set_afterwards(hillstrom):
    assert "minethatdata_email (set afterwards, replay)" in hillstrom

def test_a_refused_delivery_stops_before_the_report_and_names_its_page(small, run_mmops, tmp_path):
    folder = tmp_path/"refused"
    shutil.copytree(small[0], folder, symlinks=True)
    kept = {p: p.read_bytes() for name in ("validate", "report") for p in (folder/"data"/name).rglob("*") if p.is_file()}
    params = folder/"params.yaml"
    params.write_text(params.read_text().replace("incidents: []", "incidents: [schema_change]"))
    done = run_mmops("run", "--as", "data-owner@example.com", cwd=folder)
    assert done.returncode != 0
    problem, remedy = done.stderr.strip().splitlines()
    page = folder/remedy.rpartition("Everything that was found: ")[2]
    assert page.is_file() and page.is_relative_to(folder/"data"/"runs")
    assert {p: p.read_bytes() for p in kept} == kept, "the last accepted version and its reports stay in use"
    refused, = dataset_history(Ledger(find_workspace(folder)).entries())
    assert (refused.what, refused.source, refused.tables_hash) == ("rejected", "retailer", tables_digest(accepted_tables(find_workspace(folder), "retailer"))) and refused.why

@pytest.mark.slow
def test_a_run_in_a_role_keeps_once_which_tables_are_in_use(small, run_mmops, is_refused, tmp_path):
    folder = tmp_path/"recorded"
    shutil.copytree(small[0], folder, symlinks=True)
    is_refused(run_mmops("run", "--as", "me", cwd=folder), "no mail address")
    for _ in range(2): assert run_mmops("run", "--as", "data-owner@example.com", cwd=folder).returncode == 0
    shop = find_workspace(folder)
    entry, = Ledger(shop).entries("dataset_accepted")
    rows = {name: len(pd.read_parquet(file)) for name, file in accepted_tables(shop, "retailer").items()}
    assert (entry.subject, entry.actor, entry.payload["verdict"]) == ("retailer", "data-owner@example.com", "pass") and {name: entry.payload["rows"][name] for name in rows} == rows
    assert entry.payload["tables_hash"] == tables_digest(accepted_tables(shop, "retailer")) and "identifiers" not in accepted_tables(shop, "retailer")
