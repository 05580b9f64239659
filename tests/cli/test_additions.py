"""Files nobody has described reach a readout by commands alone, and what is refused leaves everything as it was."""
import gzip
import numpy as np
import pandas as pd
import pytest
from variants import first_always
from marketing_mlops.cli.additions import add_file, shares_from, wishes_from, with_answer
from marketing_mlops.sources.drafts import Question, Wishes
from marketing_mlops.workspace.errors import MmopsError, ParameterError
from marketing_mlops.workspace.params import read_yaml

pytestmark = pytest.mark.edges

def french_files(folder, seed=11, shuffled=False):
    "Orders and assignments under names that stand nowhere in this repository."
    rng = np.random.default_rng(seed)
    people = np.array([f"FR-{i:05}" for i in rng.permutation(4_000)])
    mailed = rng.permutation(4_000) % 2 == 0
    buys = rng.random(4_000) < np.where(mailed, .20, .10)
    orders = pd.DataFrame({"n° de pièce": [f"P{i}" for i in range(buys.sum())], "identifiant": people[buys],
                           "quand": [f"2026/02/{d:02} 10:15" for d in rng.integers(11, 20, buys.sum())],
                           "montant TTC": [f"{x:.2f}".replace(".", ",") for x in rng.gamma(4, 12, buys.sum())]})
    groups = pd.DataFrame({"identifiant": people, "cellule": np.where(mailed, "courriel é&<b>", "témoin"), "envoi": "2026-02-10"})
    if shuffled:
        orders, groups = orders.sample(frac=1, random_state=1), groups.sample(frac=1, random_state=2)
        orders, groups = orders[orders.columns[::-1]], groups[groups.columns[::-1]]
    orders.to_csv(folder/"ventes février.csv", sep="|", index=False, encoding="cp1252")
    groups.to_excel(folder/"cellules.xlsx", index=False)
    return people, mailed, buys

ORDERS = ("data", "add", "../ventes février.csv", "--as", "orders", "--source", "boutique", "--column", "n° de pièce=order_id", "identifiant=customer_id",
          "quand=occurred_at", "montant TTC=amount", "--currency", "EUR", "--zone", "Europe/Paris", "--date-format", "%Y/%m/%d %H:%M", "--tax-rate", "0")
GROUPS = ("data", "add", "../cellules.xlsx", "--as", "assignments", "--source", "boutique", "--column", "identifiant=customer_id", "cellule=arm", "envoi=occurred_at",
          "--control", "témoin", "--experiment", "fevrier", "--worthwhile-effect", "0.5", "--zone", "Europe/Paris", "--currency", "EUR")

@pytest.fixture(scope="module", params=[False, pytest.param(True, marks=pytest.mark.slow)], ids=["as exported", "shuffled"])
def journey(request, new_workspace, run_mmops):
    "The how-to's steps with other files; every step's answer."
    folder = new_workspace("atelier")
    truth = french_files(folder.parent, shuffled=request.param)
    steps = {"dry run": run_mmops(*ORDERS, cwd=folder)}
    steps["after dry run"] = sorted(p.name for p in (folder/"data"/"sources").iterdir())
    steps["orders"] = run_mmops(*ORDERS, "--yes", cwd=folder)
    steps["groups"] = run_mmops(*GROUPS, "--yes", cwd=folder)
    steps["run"] = run_mmops("run", "boutique_fevrier", cwd=folder)
    return folder, truth, steps

def test_a_dry_run_writes_nothing_and_says_so(journey):
    _, _, steps = journey
    assert steps["dry run"].returncode == 0 and "nothing was written" in steps["dry run"].stdout
    assert steps["after dry run"] == ["retailer"]

def test_every_step_succeeds(journey):
    _, _, steps = journey
    for name in ("orders", "groups", "run"): assert steps[name].returncode == 0, (name, steps[name].stdout, steps[name].stderr)

def test_the_readout_counts_what_was_in_the_files(journey):
    folder, (people, mailed, buys), steps = journey
    shown = steps["run"].stdout
    assert "fevrier (set afterwards, live)" in shown and "No plan is known" in shown
    raw = pd.read_csv(folder.parent/"ventes février.csv", sep="|", encoding="cp1252", decimal=",")
    spent = raw.groupby("identifiant")["montant TTC"].sum().reindex(people, fill_value=0.)
    for arm, chosen in (("courriel é&<b>", mailed), ("témoin", ~mailed)):
        row = next(line for line in shown.splitlines() if line.startswith("net_revenue_per_customer") and arm in line and "−" not in line)
        assert f"{chosen.sum():,}" in row and f"{spent[chosen].sum():,.2f}" in row and f"{spent[chosen].mean():.6f}" in row

def test_nobodys_number_leaves_the_private_folder(journey):
    folder, (people, *_), _ = journey
    for path in [*folder.glob("data/report/**/*"), *folder.glob("data/runs/**/*"), *folder.glob("data/validate/**/*"), *folder.glob("data/ingest/**/*")]:
        if path.is_file(): assert people[0].encode() not in path.read_bytes(), path

def test_a_name_with_markup_is_escaped_on_the_page(journey):
    folder, *_ = journey
    page = (folder/"data/report/boutique_fevrier/campaign_readout.html").read_text()
    assert "courriel é&<b>" not in page and "courriel é&amp;&lt;b&gt;" in page

def test_adding_the_same_file_again_changes_nothing(journey, run_mmops, snapshot):
    folder, *_ = journey
    before = snapshot(folder/"data"/"sources") | {"params": (folder/"params.yaml").read_bytes()}
    assert run_mmops(*ORDERS, "--yes", cwd=folder).returncode == 0
    assert run_mmops(*GROUPS, "--yes", cwd=folder).returncode == 0
    assert snapshot(folder/"data"/"sources") | {"params": (folder/"params.yaml").read_bytes()} == before

def test_comments_in_params_survive(journey):
    folder, *_ = journey
    assert "# What is being tried." in (folder/"params.yaml").read_text()
    assert "boutique_fevrier" in read_yaml(folder/"params.yaml")["models"]

BAD = {
    "a missing file": (None, "missing.csv", ["missing.csv"]),
    "an empty file": (b"", "empty.csv", ["empty.csv"]),
    "a header alone": (b"order_id;customer_id;date;total\n", "header.csv", ["header.csv"]),
    "a truncated gzip": (gzip.compress(b"order_id;customer_id;date;total\n"+b"1;c;2026-03-01;9,50\n"*5000)[:-200], "cut.csv.gz", ["cut.csv.gz"]),
}

@pytest.mark.parametrize("name", first_always(BAD))
def test_a_file_that_cannot_be_used_ends_in_two_lines_and_changes_nothing(name, new_workspace, run_mmops, is_refused, snapshot, tmp_path):
    content, file, says = BAD[name]
    folder = new_workspace("shop")
    if content is not None: (tmp_path/file).write_bytes(content)
    before = snapshot(folder)
    done = run_mmops("data", "add", tmp_path/file, "--as", "orders", "--source", "shop", "--currency", "EUR", "--zone", "UTC", "--yes", cwd=folder)
    is_refused(done, *says)
    assert snapshot(folder) == before

def test_an_open_question_is_an_error_even_with_yes(new_workspace, run_mmops, is_refused, snapshot, tmp_path):
    (tmp_path/"orders.csv").write_text("order_id,customer_id,date,total\n"+"".join(f"{i},c{i % 50},2026-03-{i % 28+1:02},{i % 40}.50\n" for i in range(200)))
    folder = new_workspace("shop")
    before = snapshot(folder)
    is_refused(run_mmops("data", "add", tmp_path/"orders.csv", "--as", "orders", "--source", "shop", "--yes", cwd=folder), "--zone", "--currency", "nothing was written")
    assert snapshot(folder) == before

@pytest.mark.parametrize("words, says", first_always([
    (("--as", "order"), "Did you mean 'orders'?"), ((), "--as orders"), (("--as", "orders", "--column", "total"), "--column"),
    (("--as", "orders", "--column", "totl=amount"), "Did you mean 'total'?"), (("--as", "orders", "--window-days", "two"), "--window-days"),
    (("--as", "orders", "--source", "../elsewhere"), "cannot be the name of a source"), (("--as", "orders", "--source", "retailer", "--currency", "EUR", "--zone", "UTC", "--yes"), "retailer"),
], 2))
def test_a_wrong_flag_is_named(words, says, new_workspace, run_mmops, is_refused, tmp_path):
    (tmp_path/"orders.csv").write_text("order_id,customer_id,date,total\n"+"".join(f"{i},c{i % 50},2026-03-{i % 28+1:02},{i % 40}.50\n" for i in range(200)))
    is_refused(run_mmops("data", "add", tmp_path/"orders.csv", *words, cwd=new_workspace("shop")), says)

def test_answers_typed_at_questions_equal_flags():
    asked = [("--currency CODE", "eur"), ("--zone ZONE", "Europe/Berlin"), ("--rows lines", "lines"), ("--control ARM", "nobody"), ("--sent-on DATE", "2026-02-20"), ("--shares equal", "equal")]
    wishes = Wishes()
    for flag, text in asked: wishes = with_answer(wishes, Question(flag, "?"), text)
    assert wishes == wishes_from(currency="eur", zone="Europe/Berlin", rows="lines", control="nobody", sent_on="2026-02-20", shares=["equal"])

@pytest.mark.parametrize("words", [["a"], ["a=b"], ["equal", "a=0.5"]], ids=str)
def test_shares_that_are_no_shares_are_refused(words):
    with pytest.raises(ParameterError): shares_from(words)

@pytest.fixture
def person(monkeypatch):
    "Somebody at a terminal, who gives these answers in turn."
    import sys
    def answering(*answers):
        left = list(answers)
        for stream in (sys.stdin, sys.stdout): monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
        for name in ("CI", "JPY_PARENT_PID"): monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr("builtins.input", lambda shown: left.pop(0))
        return left
    return answering

def test_a_person_is_asked_until_it_is_clear_and_then_once_more(new_workspace, person, tmp_path):
    (tmp_path/"orders.csv").write_text("order_id,customer_id,date,total\n"+"".join(f"{i},c{i % 50},2026-03-{i % 28+1:02},{i % 40}.50\n" for i in range(200)))
    folder = new_workspace("shop")
    left = person("UTC", "EUR", "y")
    add_file(str(tmp_path/"orders.csv"), as_="orders", source="shop", workspace=str(folder))
    assert left == [] and (folder/"data/sources/shop/mapping.yaml").is_file()

def test_a_person_who_declines_changes_nothing(new_workspace, person, snapshot, tmp_path, capsys):
    (tmp_path/"orders.csv").write_text("order_id,customer_id,date,total\n"+"".join(f"{i},c{i % 50},2026-03-{i % 28+1:02},{i % 40}.50\n" for i in range(200)))
    folder = new_workspace("shop")
    before = snapshot(folder)
    person("UTC", "EUR", "")
    add_file(str(tmp_path/"orders.csv"), as_="orders", source="shop", workspace=str(folder))
    assert snapshot(folder) == before and "Nothing was written." in capsys.readouterr().out

def test_a_person_who_leaves_a_question_open_is_not_asked_for_ever(new_workspace, person, tmp_path):
    (tmp_path/"orders.csv").write_text("order_id,customer_id,date,total\n"+"".join(f"{i},c{i % 50},2026-03-{i % 28+1:02},{i % 40}.50\n" for i in range(200)))
    person("", "")
    with pytest.raises(MmopsError, match="2 questions are open"): add_file(str(tmp_path/"orders.csv"), as_="orders", source="shop", workspace=str(new_workspace("shop")))

GERMAN = "Beleg;Kunde;Datum;Betrag brutto;Status\n" + "".join(f"B{i};{i % 20};{i % 28 + 1:02}.03.2026;11,90;{'storniert' if i % 10 == 0 else 'bezahlt'}\n" for i in range(100))

def test_gross_amounts_and_cancelled_orders_are_answered_by_options(new_workspace, run_mmops, is_refused, tmp_path):
    (tmp_path/"verkauf.csv").write_text(GERMAN)
    folder = new_workspace("shop")
    words = ("data", "add", tmp_path/"verkauf.csv", "--as", "orders", "--source", "shop", "--currency", "EUR", "--zone", "Europe/Berlin")
    asked = run_mmops(*words, cwd=folder)
    is_refused(asked, "--tax-rate PERCENT")
    assert "Assumed: Rows whose 'Status' is 'storniert' (10 rows) are no sales" in asked.stdout
    done = run_mmops(*words, "--tax-rate", "19", "--leave-out", "storniert", "--as-of", "2026-03-31", "--yes", cwd=folder)
    assert done.returncode == 0, done.stderr
    mapping = read_yaml(folder/"data/sources/shop/mapping.yaml")
    assert str(mapping["as_of"]) == "2026-03-31" and mapping["tables"]["order_lines"]["derived"]["tax"]["rate"] == 19
    assert mapping["tables"]["orders"]["leave_out"] == {"Status": ["storniert"]}

@pytest.mark.parametrize("words, says", first_always([(("--worthwhile-effect", "fifty cents"), "--worthwhile-effect is 'fifty cents'"), (("--worthwhile-effect=-1",), "--worthwhile-effect is '-1'"),
                                         (("--tax-rate", "much"), "--tax-rate is 'much'"), (("--as-of", "31.03.2026"), "--as-of is no date: '31.03.2026'")]))
def test_a_number_or_day_that_is_none_is_refused_in_our_words(words, says, new_workspace, run_mmops, is_refused, tmp_path):
    (tmp_path/"verkauf.csv").write_text(GERMAN)
    is_refused(run_mmops("data", "add", tmp_path/"verkauf.csv", "--as", "orders", *words, cwd=new_workspace("shop")), says)

def test_a_decimal_comma_is_understood_and_no_plan_is_invented(new_workspace, run_mmops, tmp_path):
    (tmp_path/"liste.csv").write_text("kunde,gruppe,datum\n" + "".join(f"{i},{'mail' if i % 2 else 'keine'},2026-03-02\n" for i in range(100)))
    folder = new_workspace("shop")
    done = run_mmops("data", "add", tmp_path/"liste.csv", "--as", "assignments", "--source", "shop", "--experiment", "mail", "--worthwhile-effect", "0,50", "--shares", "mail=0,5", "keine=0,5",
                     "--zone", "UTC", "--currency", "EUR", "--yes", cwd=folder)
    assert done.returncode == 0, done.stderr
    experiment = read_yaml(folder/"params.yaml")["models"]["shop_mail"]["experiment"]
    assert experiment["worthwhile_effect"] == .5 and "planned_customers" not in experiment

@pytest.fixture(scope="module")
def old_shop(new_workspace):
    "A source of one file whose last order is long gone, and which is said to grow."
    folder = new_workspace("alt")
    (folder.parent/"verkauf.csv").write_text(GERMAN.replace(".03.2026", ".03.2020").replace(";storniert", ";bezahlt"))
    add_file(str(folder.parent/"verkauf.csv"), as_="orders", source="shop", currency="EUR", zone="Europe/Berlin", tax_rate="0", yes=True, workspace=str(folder))
    return folder

def test_a_file_far_too_old_ends_the_check_with_an_error_that_names_the_file(old_shop, capsys):
    from marketing_mlops.cli.checks import check_tables
    with pytest.raises(MmopsError) as e: check_tables("shop", workspace=str(old_shop))
    shown = capsys.readouterr().out
    assert "freshness fail" in shown and "example.com" not in shown + str(e.value)
    assert "shop is too old to act on" in e.value.problem and "verkauf.csv" in e.value.remedy and not any(f"{n}.{d} days" in shown + str(e.value) for n in range(10) for d in range(10))

def test_a_file_of_a_source_that_has_ended_passes_the_check(old_shop, capsys):
    from marketing_mlops.cli.checks import check_tables
    mapping = old_shop/"data/sources/shop/mapping.yaml"
    kept = mapping.read_text()
    mapping.write_text(kept + "as_of: 2020-03-28\n")
    try: check_tables("shop", workspace=str(old_shop))
    finally: mapping.write_text(kept)
    assert "freshness pass" in capsys.readouterr().out
