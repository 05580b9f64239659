"Every bad input is named with its table, column and rows; nothing that failed is ever put in use."
import shutil
from pathlib import Path
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from variants import first_always
from scipy.stats import chi2
from marketing_mlops.contracts.schemas import TABLES, canonical_arrow, canonical_frame
from marketing_mlops.measurement.sample_ratio import sample_ratio
from marketing_mlops.sources import quality
from marketing_mlops.sources.evidence import CHECK_LIST
from marketing_mlops.sources.experiment_checks import chi_square_tail
from marketing_mlops.sources.profiles import profile_tables
from marketing_mlops.sources.quality import accept, candidate_tables, check_source, experiments_of, judge_candidate
from marketing_mlops.sources.recipes import SIMULATED_END
from marketing_mlops.sources.simulator import simulate
from marketing_mlops.workspace.clock import ReplayClock, instant_of
from marketing_mlops.workspace.errors import ContractError, DataError, WorkspaceError
from marketing_mlops.workspace.params import read_params
from marketing_mlops.workspace.places import find_workspace

PROMISED = dict(name="promo_mail_2026", control="no_mail", arms={"no_mail": .5, "promo_mail": .5}, outcome_window_days=14, registered_at="2026-03-01T00:00:00Z")
CLOCK = ReplayClock(SIMULATED_END)

@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("retailer")
    made = simulate(1200, 8, into=folder/"tables", private=folder/"private").tables
    return {name: path for name, path in made.items() if name != "identifiers"}

def judge(tables, **changed): return check_source({**tables, **changed}, source="retailer", clock=CLOCK, experiments=[PROMISED])
def frame(tables, name): return canonical_frame(pq.read_table(tables[name]), name)
def found(report): return {(each.table, each.column, each.check, each.severity) for each in report.findings}

def changed_cell(df, column, row, value):
    "A copy with one cell changed; the column keeps its type where the value allows."
    values = df[column].astype(object) if not isinstance(value, (pd.Timestamp, int, float)) else df[column].copy()
    values.iloc[row] = value
    return df.assign(**{column: values.astype(df[column].dtype)})

def test_a_retailer_in_order_passes_without_a_word(tables):
    assert judge(tables).findings == ()

def test_the_order_of_rows_and_columns_does_not_matter(tables):
    shuffled = {name: frame(tables, name).sample(frac=1, random_state=3).reset_index(drop=True).iloc[:, ::-1] for name in tables}
    assert judge(shuffled).verdict.status == "pass"

def test_media_that_were_stated_before_pass_and_the_same_statement_twice_does_not(tables, tmp_path):
    media = frame(tables, "media")
    earlier = media.assign(known_at=media.known_at - pd.Timedelta(hours=12), clicks=media.clicks//2)
    def judged(df):
        pq.write_table(canonical_arrow(df, "media"), tmp_path/"media.parquet")
        return found(judge(tables, media=tmp_path/"media.parquet"))
    assert judged(pd.concat([media, earlier], ignore_index=True)) == set()
    assert {(table, check) for table, _, check, _ in judged(pd.concat([media, media.tail(1)], ignore_index=True))} == {("media", "duplicate_key")}

BREAKS = {
    "a renamed column": ("order_lines", lambda df: df.rename(columns={"quantity": "quantities"}), ("quantity", "schema", "fail")),
    "a column nobody declared": ("orders", lambda df: df.assign(mood="good"), ("mood", "schema", "review")),
    "a time without a zone": ("orders", lambda df: df.assign(occurred_at=df.occurred_at.dt.tz_localize(None)), ("occurred_at", "schema", "fail")),
    "an amount as text": ("order_lines", lambda df: df.assign(unit_price=df.unit_price.astype(str)), ("unit_price", "schema", "fail")),
    "a number as an amount": ("order_lines", lambda df: df.assign(unit_price=df.unit_price.astype(float)), ("unit_price", "schema", "fail")),
    "a missing id": ("orders", lambda df: changed_cell(df, "order_id", 5, None), ("order_id", "missing_value", "fail")),
    "a word outside the closed set": ("order_lines", lambda df: changed_cell(df, "kind", 5, "refund"), ("kind", "not_allowed", "fail")),
    "negative impressions": ("media", lambda df: changed_cell(df, "impressions", 5, -1), ("impressions", "too_small", "fail")),
    "a share above one": ("experiments", lambda df: changed_cell(df, "share", 0, 1.5), ("share", "too_large", "fail")),
    "a row that is there twice": ("orders", lambda df: pd.concat([df, df.tail(1)], ignore_index=True), ("order_id", "duplicate_key", "fail")),
    "a table without rows": ("orders", lambda df: df.head(0), ("", "empty_table", "fail")),
    "a customer nobody knows": ("orders", lambda df: changed_cell(df, "customer_id", 5, "nobody"), ("customer_id", "reference", "review")),
    "a contact with a customer nobody knows": ("contacts", lambda df: changed_cell(df, "customer_id", 5, "nobody"), ("customer_id", "reference", "fail")),
    "an event of next year": ("touchpoints", lambda df: changed_cell(df, "occurred_at", 5, pd.Timestamp("2027-01-01", tz="UTC")), ("occurred_at", "future", "fail")),
    "an event at the zero of the computer": ("touchpoints", lambda df: changed_cell(df, "occurred_at", 5, pd.Timestamp(0, tz="UTC")), ("occurred_at", "long_ago", "review")),
    "a row known before it happened": ("orders", lambda df: changed_cell(df, "known_at", 5, pd.Timestamp("2025-11-02", tz="UTC")), ("known_at", "known_too_early", "fail")),
    "a currency as a word": ("order_lines", lambda df: df.assign(currency=df.currency.replace("EUR", "Euro")), ("currency", "currency_code", "fail")),
    "an arm nobody planned": ("assignments", lambda df: df.assign(arm=df.arm.replace("promo_mail", "Promo-Mail")), ("arm", "unknown_arm", "fail")),
    "another name for the experiment": ("assignments", lambda df: df.assign(experiment_id=df.experiment_id.replace("promo_mail_2026", "promo_mail_26")), ("experiment_id", "unknown_experiment", "fail")),
    "half of an arm lost": ("assignments", lambda df: df[~((df.arm == "promo_mail") & (df.customer_id < "8"))].reset_index(drop=True), ("arm", "sample_ratio", "fail")),
    "a person in two arms": ("assignments", lambda df: pd.concat([df, df[df.arm == "no_mail"].head(1).assign(arm="promo_mail")], ignore_index=True), ("arm", "two_arms", "fail")),
    "a currency without a rate": ("exchange_rates", lambda df: df[df.from_currency != "GBP"], ("from_currency", "missing_rate", "fail")),
    "a return before its sale": ("order_lines", lambda df: df.assign(occurred_at=df.occurred_at.where(df.kind != "return", pd.Timestamp("2025-11-01", tz="UTC"))), ("occurred_at", "return_before_sale", "review")),
    "a return that brings money": ("order_lines", lambda df: df.assign(quantity=df.quantity.abs(), discount=df.discount.abs(), tax=df.tax.abs(), cost=df.cost.abs()), ("quantity, kind", "sign_of_return", "fail")),
}

@pytest.mark.parametrize("name", first_always(sorted(BREAKS), 8))
def test_a_break_is_named_with_its_table_and_column(tables, name):
    table, damage, (column, check, severity) = BREAKS[name]
    assert (table, column, check, severity) in found(judge(tables, **{table: damage(frame(tables, table))}))

def test_all_breaks_are_reported_at_once(tables):
    lines = frame(tables, "order_lines").rename(columns={"quantity": "qty"})
    orders = changed_cell(changed_cell(frame(tables, "orders"), "order_id", 3, None), "market", 7, None)
    report = judge(tables, order_lines=lines, orders=orders, products=frame(tables, "products").head(0))
    assert {"schema", "missing_value", "empty_table"} <= {each.check for each in report.findings}
    assert report.verdict.status == "fail" and report.findings[0].severity == "fail"

def test_the_rows_named_are_the_rows_broken(tables):
    orders = frame(tables, "orders")
    for row in (3, 17, 400): orders = changed_cell(orders, "order_id", row, None)
    broken, = [each for each in judge(tables, orders=orders).findings if each.check == "missing_value"]
    assert (broken.value, broken.rows) == (3, (3, 17, 400))

def test_one_per_cent_nonsense_in_a_column_is_counted_to_the_row(tables):
    lines, rng = frame(tables, "order_lines"), np.random.default_rng(5)
    nonsense = rng.choice(len(lines), len(lines)//100, replace=False)
    kinds = lines.kind.to_numpy(dtype=object)
    kinds[nonsense] = "💥 <b>refund</b>"
    broken, = [each for each in judge(tables, order_lines=lines.assign(kind=pd.array(kinds, dtype="str"))).findings if each.check == "not_allowed"]
    assert broken.value == len(nonsense) and set(broken.rows) == set(sorted(nonsense)[:5])
    assert "<b>" not in judge(tables, order_lines=lines.assign(kind=pd.array(kinds, dtype="str"))).verdict._repr_markdown_()

def test_no_finding_repeats_who_somebody_is(tables):
    orders = changed_cell(frame(tables, "orders"), "customer_id", 5, "jane.doe@example.com")
    contacts = changed_cell(frame(tables, "contacts"), "customer_id", 5, "jane.doe@example.com")
    report = judge(tables, orders=orders, contacts=contacts)
    assert {each.column for each in report.findings} >= {"customer_id"}
    assert not any("jane" in each.reason.message for each in report.findings)

def test_names_with_apostrophes_and_signs_are_only_names(tables):
    name = "Mother's Day; DROP TABLE orders --"
    assignments = frame(tables, "assignments").assign(experiment_id=lambda df: df.experiment_id.replace("promo_mail_2026", name))
    report = check_source({**tables, "assignments": assignments}, source="retailer", clock=CLOCK, experiments=[PROMISED | dict(name=name, registered_at="2026-06-01")])
    assert {each.check for each in report.findings} >= {"registered_late"} and "unknown" not in {each.severity for each in report.findings}

def test_a_missing_optional_table_is_said_and_not_held_against_anybody(tables):
    some = {name: path for name, path in tables.items() if name not in ("products", "customers")}
    report = check_source(some, source="retailer", clock=CLOCK, experiments=[PROMISED])
    assert report.verdict.status == "pass" and any("there is no table products" in each.message for each in report.findings)

def test_every_check_leaves_an_empty_source_and_a_strange_one_alone():
    assert check_source({}, source="nothing", clock=CLOCK).findings == ()
    assert check_source({"weather": pd.DataFrame({"rain": [1]})}, source="weather", clock=CLOCK).findings == ()

def test_an_experiment_that_is_read_but_not_delivered_fails(tables):
    some = {name: path for name, path in tables.items() if name != "assignments"}
    assert ("assignments", "experiment_id", "unknown_experiment", "fail") in found(check_source(some, source="retailer", clock=CLOCK, experiments=[PROMISED]))

def test_a_torn_file_is_named(tables, tmp_path):
    torn = tmp_path/"orders.parquet"
    torn.write_bytes(Path(tables["orders"]).read_bytes()[:5000])
    with pytest.raises(DataError, match="orders.parquet cannot be read as Parquet"): judge(tables, orders=torn)

@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 7, 12])
def test_the_tail_of_chi_square_agrees_with_scipy(freedom):
    grid = [0, .1, .5, 1, 2, 3.84, 7, 15, 40, 120]
    assert [chi_square_tail(x, freedom) for x in grid] == pytest.approx([chi2.sf(x, freedom) for x in grid], rel=1e-9, abs=1e-15)

@pytest.mark.parametrize("counts", [dict(a=5000, b=5100), dict(a=5000, b=5330), dict(a=900, b=1100), dict(a=3, b=9)])
def test_the_split_is_judged_here_as_in_measurement(counts):
    at = pd.Timestamp("2026-03-10", tz="UTC").as_unit("us")
    rows = pd.DataFrame([dict(experiment_id="e", customer_id=f"{arm}{i}", arm=arm, occurred_at=at, known_at=at) for arm, n in counts.items() for i in range(n)])
    report = check_source({"assignments": rows}, source="s", clock=CLOCK, experiments=[dict(name="e", arms=dict(a=.5, b=.5), registered_at="2026-01-01")])
    here = "fail" if any(each.check == "sample_ratio" and each.severity == "fail" for each in report.findings) else "pass"
    assert here == ("fail" if sample_ratio(counts, dict(a=.5, b=.5)).status == "fail" else "pass")

@pytest.mark.slow
def test_a_healthy_split_is_refused_once_in_a_thousand_times():
    "20,000 fair splits of 1,000 people, seed 3: between 8 and 34 alarms."
    n = np.random.default_rng(3).binomial(1000, .5, 20_000)
    assert 8 <= sum(chi_square_tail((k - 500)**2/500*2, 1) < .001 for k in n) <= 34

@pytest.mark.slow
def test_healthy_retailers_pass():
    "20 retailers of 3,000 customers, seeds 100 to 119: none fails, at most two are asked about."
    import tempfile
    verdicts = [judge(simulate(3000, 8, seed, into=Path(tempfile.mkdtemp())).tables).verdict.status for seed in range(100, 120)]
    assert "fail" not in verdicts and verdicts.count("pass") >= 18

# --- acceptance

PARAMS = """sources:
  retailer: {kind: simulated, customers: 300, months: 6, seed: 7, incidents: []}
models:
  promo:
    owner: model-owner@example.com
    purpose: Decide who receives the mail
    audience: Customers with consent
    source: retailer
    task: uplift
    experiment: {name: promo_mail_2026, hypothesis: It sells, objective: Sales, owner: marketing@example.com, unit: customer, control: no_mail, arms: {no_mail: 0.5, promo_mail: 0.5},
      goal: net_revenue_per_customer, worthwhile_effect: 0.5, currency: EUR, outcome_window_days: 14, stopping_rule: fixed_horizon, registered_at: 2026-03-01T00:00:00Z}
"""

@pytest.fixture(scope="module")
def deliveries(tmp_path_factory):
    "Two deliveries of 300 customers, by their seed: folders `tables` and `private`."
    folders = {seed: tmp_path_factory.mktemp(f"delivery-{seed}") for seed in (7, 8)}
    for seed, folder in folders.items(): simulate(300, 6, seed, into=folder/"tables", private=folder/"private")
    return folders

def deliver(workspace, delivery):
    for part, into in (("tables", workspace.ingested("retailer")), ("private", workspace.private("retailer"))): shutil.copytree(delivery/part, into, dirs_exist_ok=True)

@pytest.fixture
def workspace(small_workspace, deliveries):
    (small_workspace.root/"params.yaml").write_text(PARAMS)
    deliver(small_workspace, deliveries[7])
    return small_workspace

@pytest.fixture(scope="module")
def judged(deliveries, tmp_path_factory):
    "What all checks say of the first delivery, for tests about what is done with it."
    folder = tmp_path_factory.mktemp("judged")
    (folder/"settings.ini").write_text("[DEFAULT]\nreporting_currency = EUR\n")
    (folder/"params.yaml").write_text(PARAMS)
    place = find_workspace(folder)
    deliver(place, deliveries[7])
    return judge_candidate("retailer", place, read_params(place))

def contents(folder): return {path.name: path.read_bytes() for path in sorted(folder.iterdir())} if folder.exists() else {}

def damage(workspace, table="orders"):
    path = workspace.ingested("retailer")/f"{table}.parquet"
    pq.write_table(pq.read_table(path).drop_columns(["order_id"]), path)

def test_accepted_tables_are_the_candidates_byte_for_byte_and_hold_no_identifier(workspace):
    accept("retailer", workspace)
    kept = contents(workspace.accepted("retailer"))
    assert "verdict.json" in kept and "identifiers.parquet" not in kept and "truth.json" not in kept
    assert all(kept[path.name] == path.read_bytes() for path in candidate_tables("retailer", workspace).values())

def test_accepting_twice_gives_the_same_bytes(workspace):
    accept("retailer", workspace)
    before = contents(workspace.accepted("retailer"))
    accept("retailer", workspace)
    assert contents(workspace.accepted("retailer")) == before

def test_identifiers_are_never_accepted_even_where_they_lie_among_the_candidates(workspace, judged):
    shutil.copy(workspace.private("retailer")/"identifiers.parquet", workspace.ingested("retailer"))
    accept("retailer", workspace, report=judged)
    assert "identifiers.parquet" not in contents(workspace.accepted("retailer"))

def test_a_refused_candidate_leaves_the_accepted_tables_and_says_why_in_two_lines(workspace, judged):
    accept("retailer", workspace, report=judged)
    before = contents(workspace.accepted("retailer"))
    damage(workspace)
    with pytest.raises(ContractError) as caught: accept("retailer", workspace)
    assert contents(workspace.accepted("retailer")) == before
    assert len(str(caught.value).splitlines()) == 2
    assert (caught.value.file, caught.value.column) == ("orders.parquet", "order_id") and caught.value.fields["violations"]

def test_nothing_is_accepted_where_the_first_candidate_fails(workspace):
    damage(workspace)
    with pytest.raises(ContractError): accept("retailer", workspace)
    assert not workspace.accepted("retailer").exists()

@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError])
def test_an_interrupted_acceptance_changes_nothing(workspace, judged, deliveries, monkeypatch, interruption):
    accept("retailer", workspace, report=judged)
    before = contents(workspace.accepted("retailer"))
    deliver(workspace, deliveries[8])
    copied, copyfile = [], shutil.copyfile
    def interrupted(source, target):
        copied.append(source)
        if len(copied) == 3: raise interruption("the disk is full")
        return copyfile(source, target)
    monkeypatch.setattr(quality.shutil, "copyfile", interrupted)
    with pytest.raises(interruption): accept("retailer", workspace, report=judged)
    assert contents(workspace.accepted("retailer")) == before
    assert sorted(path.name for path in workspace.accepted("retailer").parent.iterdir()) == ["retailer"]

def test_a_check_that_cannot_answer_does_not_count_as_a_pass(workspace, monkeypatch):
    import duckdb
    from marketing_mlops.sources.evidence import Check
    def broken(evidence): raise duckdb.Error("no such thing")
    monkeypatch.setitem(CHECK_LIST, "broken", Check("broken", "nothing", broken))
    with pytest.raises(ContractError, match="could not be made"): accept("retailer", workspace)

def test_a_source_that_was_never_ingested_is_told_so(workspace):
    with pytest.raises(WorkspaceError, match="has no candidate tables"): judge_candidate("shop", workspace, read_params(workspace))

def test_experiments_are_those_of_the_models_of_the_source(workspace):
    params = read_params(workspace)
    assert [promise["name"] for promise in experiments_of(params, "retailer")] == ["promo_mail_2026"]
    assert experiments_of(params, "elsewhere") == []

# --- profiles

def test_profiles_hold_nothing_that_identifies_a_person(tables):
    profiles = profile_tables({name: tables[name] for name in ("orders", "contacts", "touchpoints", "traits", "customers")})
    people = set(frame(tables, "customers").customer_id)
    for name, profile in profiles.items():
        text = profile.to_csv()
        assert not any(person in text for person in list(people)[:200]), name

def test_a_column_nobody_declared_is_not_shown(tables):
    orders = frame(tables, "orders").assign(**{'mail "address"': "jane.doe@example.com"})
    profile = profile_tables({"orders": orders})["orders"].set_index("column")
    assert "jane" not in profile.to_csv() and profile.loc['mail "address"', "n_distinct"] == 1

def test_profiles_agree_with_pandas(tables):
    profile, orders = profile_tables({"orders": tables["orders"]})["orders"].set_index("column"), frame(tables, "orders")
    for column in ("customer_id", "market", "channel", "account_id"):
        assert profile.loc[column, "n_missing"] == orders[column].isna().sum()
    assert profile.loc["market", "n_distinct"] == 3 and (profile.n_rows == len(orders)).all()

def test_profiles_do_not_depend_on_the_number_of_threads_or_the_order_of_rows(tables):
    once = profile_tables({"touchpoints": tables["touchpoints"]})["touchpoints"]
    shuffled = profile_tables({"touchpoints": frame(tables, "touchpoints").sample(frac=1, random_state=1)})["touchpoints"]
    assert once.drop(columns="type").equals(shuffled.drop(columns="type"))

# --- published sources

@pytest.mark.parametrize("source, status, said", [("hillstrom", "pass", set()), ("bank-marketing", "review", {"not_known_in_time"}), ("online-retail", "review", {"negative_price"})])
def test_published_sources_are_judged_as_their_publishers_describe_them(public, repository, source, status, said):
    from marketing_mlops.sources.quality import clock_of
    place = find_workspace(repository)
    params = read_params(place)
    report = check_source({path.stem: path for path in public(source).accepted(source).glob("*.parquet")}, source=source, clock=clock_of(place, source, params), experiments=experiments_of(params, source))
    assert report.verdict.status == status
    assert {each.check for each in report.findings if each.severity != "pass"} == said
    if source == "bank-marketing": assert any("'duration' is known only during the contact" in each.message for each in report.findings)

def test_a_finding_names_the_files_own_column_and_the_place_in_the_mapping(small_workspace, tmp_path):
    from marketing_mlops.sources.ingestion import ingest
    from marketing_mlops.workspace.params import read_params
    folder = small_workspace.source_folder("shop"); folder.mkdir(parents=True)
    (folder/"liste.csv").write_text("wer,zelle\n" + "".join(f"{i},{'mail' if i % 2 else 'nichts'}\n" for i in range(100)) + "100,Mial\n")
    (folder/"mapping.yaml").write_text("zone: UTC\nfiles:\n  liste.csv: {}\ntables:\n  assignments:\n    file: liste.csv\n    columns: {wer: customer_id, zelle: arm}\n    derived:\n"
        "      experiment_id: {rule: constant, value: spring}\n      occurred_at: {rule: constant, value: 2026-03-02}\n      known_at: {rule: copy, column: occurred_at}\n")
    (small_workspace.root/"params.yaml").write_text("sources:\n  shop: {kind: file}\nmodels: {}\n")
    into, private = tmp_path/"i", tmp_path/"p"; into.mkdir(); private.mkdir()
    ingest("shop", small_workspace, read_params(small_workspace), into, private)
    tables = {p.stem: p for p in into.glob("*.parquet")}
    report = check_source(tables, source="shop", clock=ReplayClock(instant_of("2026-03-20")), experiments=[dict(name="spring", arms={"mail": .5, "nichts": .5})])
    arm = next(f for f in report.findings if f.check == "unknown_arm")
    assert "1 row of spring is in the arm 'Mial'" in arm.message and "column 'zelle' of liste.csv" in arm.message and arm.reason.message.startswith("assignments.arm")
    assert "tables.assignments.columns.zelle in data/sources/shop/mapping.yaml" in arm.next_step

def test_copies_are_told_with_the_files_own_column_and_the_place_in_the_mapping(small_workspace, tmp_path):
    from marketing_mlops.contracts.schemas import frame_of_rows
    moment = "2026-03-02T10:00:00+00:00"
    orders = frame_of_rows("orders", [dict(order_id="A1", customer_id="c", currency="EUR", occurred_at=moment, known_at=moment)]*2)
    orders.to_parquet(tmp_path/"orders.parquet")
    (tmp_path/"ingest.json").write_text('{"tables": {"orders": {"file": "verkauf.csv", "columns": {"order_id": "Beleg"}, "zone": "Europe/Berlin"}}}')
    report = check_source({"orders": tmp_path/"orders.parquet"}, source="shop", clock=ReplayClock(instant_of("2026-03-20")))
    copies = next(f for f in report.findings if f.check == "duplicate_key")
    assert "1 row repeats" in copies.message and "column 'Beleg' of verkauf.csv" in copies.message
    assert "tables.orders in data/sources/shop/mapping.yaml" in copies.next_step

def test_the_newest_day_is_told_in_the_calendar_of_the_file_and_names_it(tmp_path):
    from marketing_mlops.contracts.schemas import frame_of_rows
    moment = "2025-09-02T22:30:00+00:00"   # half past midnight of 3 September in Berlin
    frame_of_rows("orders", [dict(order_id="A1", customer_id="c", currency="EUR", occurred_at=moment, known_at=moment)]).to_parquet(tmp_path/"orders.parquet")
    for zone, day in (("Europe/Berlin", "2025-09-03 (Europe/Berlin)"), ("America/New_York", "2025-09-02 (America/New_York)")):
        (tmp_path/"ingest.json").write_text(f'{{"tables": {{"orders": {{"file": "x.csv", "zone": "{zone}"}}}}}}')
        report = check_source({"orders": tmp_path/"orders.parquet"}, source="shop", clock=ReplayClock(instant_of("2026-03-20")))
        assert day in report.freshness.reasons[0].message

@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"tables": []}', '{"tables": {"orders": null}}'])
def test_a_broken_account_beside_a_table_is_no_reason_not_to_check_it(content, tmp_path):
    from marketing_mlops.contracts.schemas import frame_of_rows
    moment = "2026-03-02T10:00:00+00:00"
    frame_of_rows("orders", [dict(order_id="A1", customer_id="c", currency="EUR", occurred_at=moment, known_at=moment)]).to_parquet(tmp_path/"orders.parquet")
    (tmp_path/"ingest.json").write_text(content)
    assert check_source({"orders": tmp_path/"orders.parquet"}, source="shop", clock=ReplayClock(instant_of("2026-03-03"))).n_rows == {"orders": 1}

def test_no_connection_draws_a_progress_bar_or_fetches_an_extension():
    from marketing_mlops.sources.evidence import open_evidence
    from marketing_mlops.sources.recipes import Recipe, open_simulation
    sql = "SELECT current_setting('enable_progress_bar'), current_setting('autoinstall_known_extensions'), current_setting('TimeZone')"
    with open_evidence({}, source="shop", clock=ReplayClock(instant_of("2026-03-03"))) as evidence: assert evidence.ask(sql) == [(False, False, "UTC")]
    with open_simulation(Recipe(customers=500, months=6)) as con: assert con.sql(sql).fetchall() == [(False, False, "UTC")]

def test_duckdb_is_opened_in_one_place(repository):
    opened = [p.name for p in (repository/"marketing_mlops").rglob("*.py") if "duckdb.connect(" in p.read_text(encoding="utf-8")]
    assert opened == ["connections.py"]

def test_a_day_that_a_table_states_is_the_markets_own_and_not_that_of_its_instant():
    "Midnight in Berlin is the evening before in UTC: a complete 29 June looked two thirds full."
    from marketing_mlops.sources.evidence import open_evidence
    from marketing_mlops.sources.volume_checks import days_of_newest_week, weekly_totals
    days = pd.date_range("2026-01-01", "2026-06-29").repeat(3)
    hours = pd.to_timedelta([-1, 0, 5]*(len(days)//3), unit="h")
    media = pd.DataFrame(dict(day=days.date, occurred_at=(days + hours).tz_localize("UTC"), market=["DE", "UK", "US"]*(len(days)//3)))
    with open_evidence(dict(media=media), source="shop", clock=ReplayClock(instant_of("2026-06-29T23:59:00Z"))) as evidence:
        assert [n for _, n, _, _ in days_of_newest_week(evidence, "media")] == [3]*7 and weekly_totals(evidence)["media"][0] == 21
