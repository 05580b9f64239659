"The simulated retailer keeps its contracts, its secrets and its promises about the truth."
import hashlib, json
from pathlib import Path
import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from marketing_mlops.contracts.schemas import TABLES, canonical_frame, check_frame
from marketing_mlops.sources.incidents import INCIDENTS
from marketing_mlops.sources.recipes import SIMULATED_END, Recipe, is_held_out
from marketing_mlops.sources.simulator import build_retailer, simulate, true_effects, write_tables
from marketing_mlops.workspace.errors import ParameterError
from marketing_mlops.workspace.settings import read_settings

SMALL = dict(customers=3000, months=18)

@pytest.fixture(scope="module")
def retailer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("retailer")
    return simulate(**SMALL, into=folder/"tables", private=folder/"private")

@pytest.fixture(scope="module")
def ask(retailer):
    con = duckdb.connect()
    con.execute("SET TimeZone = 'UTC'")
    for name, path in retailer.tables.items(): con.execute(f"CREATE VIEW {name} AS FROM read_parquet('{path}')")
    yield lambda sql: con.sql(sql).fetchall()
    con.close()

def frame(retailer, name): return canonical_frame(pq.read_table(retailer.tables[name]), name)
def bytes_of(tables): return {name: hashlib.sha256(Path(path).read_bytes()).hexdigest() for name, path in tables.items()}
def written(recipe, folder, **options):
    con = build_retailer(recipe, **options)
    folder.mkdir()
    files = write_tables(con, folder)
    con.close()
    return files

def test_every_table_of_the_design_but_outcomes_and_counted_journeys_is_there(retailer):
    assert set(TABLES) - set(retailer.tables) <= {"outcomes", "journeys"}

@pytest.mark.parametrize("name", sorted(set(TABLES) - {"outcomes", "journeys"}))
def test_tables_keep_their_contract(retailer, name):
    assert check_frame(frame(retailer, name), name) == []

def test_bytes_do_not_depend_on_threads(tmp_path):
    recipe = Recipe(customers=1000, months=6)
    hashes = [bytes_of(written(recipe, tmp_path/str(threads), threads=threads)) for threads in (1, 2, 4)]
    assert hashes[0] == hashes[1] == hashes[2]

def test_the_same_figures_give_the_same_bytes_and_another_seed_another_retailer(tmp_path):
    one, again, other = (simulate(500, 6, seed, into=tmp_path/name) for name, seed in [("one", 7), ("again", 7), ("other", 8)])
    assert bytes_of(one.tables) == bytes_of(again.tables)
    assert (tmp_path/"one"/"truth.json").read_bytes() == (tmp_path/"again"/"truth.json").read_bytes()
    assert not set(frame(one, "customers").customer_id) & set(frame(other, "customers").customer_id)

def test_a_larger_retailer_keeps_the_customers_of_the_smaller(tmp_path):
    small, large = (simulate(customers, 6, into=tmp_path/str(customers)) for customers in (300, 600))
    assert set(frame(small, "customers").customer_id) < set(frame(large, "customers").customer_id)

def test_a_folder_holds_tables_and_truth_and_nothing_else(tmp_path):
    simulate(300, 6, into=tmp_path/"made", private=tmp_path/"private")
    assert {path.suffix for path in (tmp_path/"made").iterdir()} == {".parquet", ".json"}
    assert [path.name for path in (tmp_path/"private").iterdir()] == ["identifiers.parquet"]

def test_direct_identifiers_are_in_one_table_only(retailer):
    emails = set(frame(retailer, "identifiers").query("kind == 'email'").value)
    assert len(emails) == SMALL["customers"] and all("@example.com" in email for email in emails)
    for name in set(retailer.tables) - {"identifiers", "campaigns", "targets"}:
        texts = frame(retailer, name).select_dtypes("str")
        assert not any(texts[column].str.contains("@", na=False).any() for column in texts), name

def test_nothing_happens_or_is_known_after_the_end_and_some_rows_are_known_late(retailer):
    for name in [name for name in retailer.tables if TABLES[name].event_time]:
        rows = frame(retailer, name)
        assert rows.known_at.max() <= pd.Timestamp(SIMULATED_END), name
        assert (rows.known_at >= rows.occurred_at).all(), name
    orders = frame(retailer, "orders")
    assert .005 < (orders.known_at - orders.occurred_at > pd.Timedelta(days=1)).mean() < .03

def test_no_message_reaches_the_holdout_or_goes_without_consent(ask):
    assert ask("SELECT count(*) FROM contacts JOIN assignments USING (customer_id) WHERE is_holdout") == [(0,)]
    assert ask("""SELECT count(*) FROM (FROM contacts WHERE kind = 'send') c LEFT JOIN
        (SELECT customer_id, min(occurred_at) FILTER (is_granted) AS granted, min(occurred_at) FILTER (NOT is_granted) AS withdrawn FROM consents WHERE purpose = 'email' GROUP BY ALL) s
        USING (customer_id) WHERE granted IS NULL OR granted > c.occurred_at OR withdrawn < c.occurred_at""") == [(0,)]

def test_the_holdout_is_a_twentieth_and_follows_from_the_id_alone(retailer):
    assigned = frame(retailer, "assignments").query("experiment_id == 'permanent_holdout'")
    assert len(assigned) == SMALL["customers"]
    assert (is_held_out(assigned.customer_id) == assigned.is_holdout).all()
    assert abs(assigned.is_holdout.mean() - .05) < .012

def test_the_control_arm_is_not_mailed_and_the_other_is(ask):
    mailed = dict(ask("""SELECT arm, avg(CAST(c.customer_id IS NOT NULL AS INT)) FROM assignments a LEFT JOIN contacts c
        ON c.customer_id = a.customer_id AND campaign_id = experiment_id AND kind = 'send' WHERE experiment_id = 'promo_mail_2026' GROUP BY arm"""))
    assert mailed == {"no_mail": 0, "promo_mail": 1}

def test_people_are_assigned_before_they_are_mailed(ask):
    assert ask("SELECT count(*) FROM contacts c JOIN assignments a ON a.customer_id = c.customer_id AND campaign_id = experiment_id WHERE c.occurred_at <= a.occurred_at") == [(0,)]

def test_christmas_shows(ask):
    months = dict(ask("SELECT strftime(occurred_at, '%Y-%m'), count(*) FROM orders GROUP BY ALL"))
    assert months["2025-12"] > 1.25*months["2025-09"]

def test_a_return_takes_back_its_sale_later_and_to_the_cent(ask):
    assert ask("""SELECT count(*) FROM order_lines r JOIN order_lines s ON s.order_line_id = r.sale_line_id
        WHERE r.quantity <> -s.quantity OR r.unit_price <> s.unit_price OR r.discount <> -s.discount OR r.tax <> -s.tax OR r.cost <> -s.cost OR r.occurred_at <= s.occurred_at""") == [(0,)]
    assert ask("SELECT count(*) FROM order_lines WHERE kind <> 'sale' AND sale_line_id IS NULL") == [(0,)]

def test_markets_have_their_currencies_and_every_day_its_rate(ask):
    assert dict(ask("SELECT market, string_agg(DISTINCT currency) FROM orders GROUP BY market")) == {"DE": "EUR", "UK": "GBP", "US": "USD"}
    assert ask("SELECT count(*) FROM order_lines l ANTI JOIN exchange_rates r ON r.from_currency = l.currency AND r.day = CAST(l.occurred_at AS DATE)") == [(0,)]

def test_platforms_claim_more_than_they_caused(retailer):
    assert all(channel["claimed_conversions"] > 1.3*channel["caused_orders"] > 0 for channel in retailer.truth["channels"].values())

def test_media_of_the_last_week_are_preliminary(ask):
    known = dict(ask("SELECT day >= DATE '2026-06-23', max(date_diff('day', occurred_at, known_at)) FROM media GROUP BY ALL"))
    assert known[True] < known[False]

def test_touchpoints_have_machines_and_strangers(ask):
    machines, strangers, linked = ask("""SELECT avg(CAST(is_machine_open AS INT)) FILTER (kind = 'open'), avg(CAST(customer_id IS NULL AS INT)) FILTER (kind = 'visit'),
        count(DISTINCT anonymous_id) FILTER (anonymous_id IN (SELECT anonymous_id FROM identifiers)) FROM touchpoints""")[0]
    assert .3 < machines < .9 and .2 < strangers < .7 and linked > 100

def test_people_mostly_visit_on_one_device_and_strangers_on_any(ask):
    usual, = ask("""SELECT avg(most) FROM (SELECT max(n)/sum(n) AS most, sum(n) AS visits FROM (
        SELECT customer_id, device, count(*) AS n FROM touchpoints WHERE kind = 'visit' AND customer_id IS NOT NULL GROUP BY ALL) GROUP BY customer_id) WHERE visits >= 5""")[0]
    shares = dict(ask("SELECT device, count(*)/sum(count(*)) OVER () FROM touchpoints WHERE kind = 'visit' AND anonymous_id IS NOT NULL GROUP BY device"))
    assert .8 < usual < .97 and abs(shares["mobile"] - .55) < .05 and 0 < shares["tablet"] < .12
    assert ask("SELECT count(*) FROM touchpoints WHERE (kind = 'visit') <> (device IS NOT NULL)") == [(0,)]

def test_the_truth_is_written_where_no_table_is(retailer):
    truth = json.loads((retailer.tables["orders"].parent/"truth.json").read_text())
    assert truth == retailer.truth
    assert truth["experiments"]["subject_line_2026"]["effect"] == 0
    segments = truth["experiments"]["promo_mail_2026"]["segments"]
    assert segments["persuadable"]["effect"] > 5 > 0 > segments["sleeping dog"]["effect"] and segments["lost cause"]["effect"] == 0

def outcomes(retailer, experiment, repository):
    from marketing_mlops.contracts.metrics import unit_values
    assigned = frame(retailer, "assignments").query("experiment_id == @experiment").reset_index(drop=True)
    tables = {name: frame(retailer, name) for name in ("customers", "orders", "order_lines", "exchange_rates")}
    values = unit_values("net_revenue_per_customer", tables, assigned[["customer_id"]], start=assigned.occurred_at, end=assigned.occurred_at + pd.Timedelta(days=14),
                         settings=read_settings(repository/"settings.ini"))
    return assigned.assign(value=values.numerator.to_numpy())

def test_the_metric_sees_of_each_person_the_world_of_her_arm(retailer, repository):
    seen = outcomes(retailer, "promo_mail_2026", repository).set_index("customer_id")
    worlds = true_effects(Recipe(**SMALL)).set_index("customer_id").loc[seen.index]
    expected = np.where(seen.arm == "promo_mail", worlds.with_mail, worlds.without_mail)
    assert np.abs(seen.value - expected).max() < .01

def test_the_readout_finds_the_true_effect_and_none_where_there_is_none(retailer, repository):
    for experiment, treated, truth in [("promo_mail_2026", "promo_mail", retailer.truth["experiments"]["promo_mail_2026"]["effect"]), ("subject_line_2026", "question_subject", 0)]:
        seen = outcomes(retailer, experiment, repository)
        groups = seen.groupby(seen.arm == treated).value.agg(["mean", "var", "size"])
        error = np.sqrt((groups["var"]/groups["size"]).sum())
        assert abs(groups["mean"][True] - groups["mean"][False] - truth) < 3*error

@pytest.mark.slow
def test_intervals_over_redrawn_arms_hold_the_truth_at_their_level():
    "400 assignments of 3,000 simulated customers, seed 11: 95 % intervals hold between 92.5 and 97.5 % of the time."
    worlds, rng = true_effects(Recipe(**SMALL)), np.random.default_rng(11)
    assert 370 <= sum(holds(worlds, rng) for _ in range(400)) <= 394

def holds(worlds, rng):
    mailed = rng.random(len(worlds)) < .5
    seen, other = worlds.with_mail[mailed], worlds.without_mail[~mailed]
    margin = 1.96*np.sqrt(seen.var()/len(seen) + other.var()/len(other))
    return abs(seen.mean() - other.mean() - worlds.effect.mean()) <= margin

@pytest.mark.slow
def test_intervals_over_new_retailers_hold_the_truth_at_their_level():
    "300 retailers of 2,000 customers, seeds 1000 to 1299, each with its own arms: 95 % intervals hold between 92 and 98 % of the time."
    held = 0
    for seed in range(1000, 1300):
        worlds = true_effects(Recipe(customers=2000, months=6, seed=seed))
        mailed = worlds.arm == "promo_mail"
        seen, other = worlds.with_mail[mailed], worlds.without_mail[~mailed]
        held += abs(seen.mean() - other.mean() - worlds.effect.mean()) <= 1.96*np.sqrt(seen.var()/len(seen) + other.var()/len(other))
    assert 276 <= held <= 294

@pytest.mark.slow
def test_expected_effects_agree_with_drawn_ones():
    worlds = true_effects(Recipe(customers=20_000, months=6))
    for _, group in worlds.groupby("segment"):
        assert abs(group.effect.mean() - group.expected_effect.mean()) < 4*group.effect.std()/np.sqrt(len(group)) + .1

@pytest.mark.parametrize("name", sorted(INCIDENTS))
def test_an_incident_changes_what_it_says_and_nothing_else(tmp_path, name):
    good, bad = written(Recipe(800, 6), tmp_path/"good"), written(Recipe(800, 6, incidents=(name,)), tmp_path/"bad")
    before, after = bytes_of(good), bytes_of(bad)
    assert {table for table in before if before[table] != after[table]} == set(INCIDENTS[name].damage)

def test_an_incident_leaves_the_rows_before_it_alone(tmp_path):
    good, bad = written(Recipe(800, 6), tmp_path/"good"), written(Recipe(800, 6, incidents=("price_shock", "tracking_loss", "bot_traffic", "late_data")), tmp_path/"bad")
    for name, key in [("touchpoints", "touchpoint_id"), ("order_lines", "order_line_id"), ("orders", "order_id")]:
        one, other = (pd.read_parquet(tables[name]).query("occurred_at < '2026-05-01 00:00:00+00:00'").set_index(key).sort_index() for tables in (good, bad))
        assert one.drop(columns=["known_at"]).equals(other.drop(columns=["known_at"])), name

def test_prices_rise_by_a_quarter_and_only_those_of_clothes(tmp_path):
    good, bad = written(Recipe(800, 6), tmp_path/"good"), written(Recipe(800, 6, incidents=("price_shock",)), tmp_path/"bad")
    both = pd.read_parquet(good["order_lines"]).merge(pd.read_parquet(bad["order_lines"]), on="order_line_id").merge(pd.read_parquet(good["products"])[["product_id", "category"]], left_on="product_id_x", right_on="product_id")
    ratio = (both.unit_price_y/both.unit_price_x).astype(float)
    assert set(both.category[ratio > 1.01]) == {"fashion"} and ratio.max() == pytest.approx(1.25, abs=.001)
    assert (both.cost_x == both.cost_y).all() and (both.quantity_x == both.quantity_y).all()

@pytest.mark.parametrize("settings, said", [(dict(months=3), "months must lie in [6, 60], got 3"), (dict(customers=5), "at least 100, got 5"), (dict(incidents=("late_date",)), "Did you mean 'late_data'?"),
                                            (dict(incidents="late_data"), "must be a list"), (dict(seed="seven"), "seed must be a whole number")])
def test_impossible_figures_are_refused_before_anything_is_written(tmp_path, settings, said):
    with pytest.raises(ParameterError, match=said.replace("[", r"\[").replace("?", r"\?")): simulate(**settings, into=tmp_path/"never")
    assert not (tmp_path/"never").exists()
