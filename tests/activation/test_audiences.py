"""Nobody is contacted without consent, from the holdout, or by a model that was not released; every export is on record."""
import csv, io
from dataclasses import replace
from datetime import timedelta
import numpy as np, pandas as pd, pytest
from marketing_mlops.activation.audience_files import EXPORTED, AudienceError, csv_text, safe_cell, write_audience
from marketing_mlops.activation.audiences import Audience, Selection, audience, consented, holdout_customers
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.governance.live_pointers import RELEASED, ROLLED_BACK
from marketing_mlops.workspace.clock import ReplayClock, instant_of
from marketing_mlops.workspace.errors import DataError, MmopsError
from marketing_mlops.workspace.places import find_workspace

BUNDLE, OTHER = "5f2a"*16, "77c1"*16
NOW = instant_of("2026-09-01T08:00:00Z")
def later(**words): return ReplayClock(NOW + timedelta(**words))

@pytest.fixture
def people():
    "Two hundred customers: scores with ties and gaps, several statements each, a few in the holdout."
    rng = np.random.default_rng(3)
    ids = [f"customer-{i:03d}" for i in range(200)]
    scores = pd.DataFrame({"customer_id": ids, "p_churn": rng.integers(0, 20, 200)/20., "market": rng.choice(["DE", "UK"], 200), "role": "champion", "bundle_hash": BUNDLE})
    scores.loc[rng.choice(200, 9, replace=False), "p_churn"] = np.nan
    consents = pd.DataFrame({"customer_id": rng.choice(ids[:180], 500), "purpose": rng.choice(["email", "sms"], 500), "is_granted": rng.random(500) < .7,
                             "known_at": pd.Timestamp(NOW) + pd.to_timedelta(rng.integers(-4000, 200, 500), unit="h")})
    return scores, consents, set(rng.choice(ids, 20, replace=False))

def choose(people, clock=later(), purpose="email", **words):
    scores, consents, holdout = people
    return audience(scores, consents, holdout, purpose, selection=Selection("p_churn", **words), clock=clock)

@pytest.fixture
def shop(tmp_path):
    (tmp_path/"settings.ini").write_text("[DEFAULT]\nreporting_currency = EUR\n")
    shop = find_workspace(tmp_path)
    make_champion(shop, BUNDLE)
    return shop

def make_champion(shop, digest, kind=RELEASED, **words):
    return Ledger(shop, later(days=-1)).append(kind, "churn", "analyst@example.com", dict(bundle_hash=digest, approver="model-owner@example.com", reason="") | words)
def export(shop, made, **words): return write_audience(shop, "churn", made, "marketing@example.com", **dict(clock=later(hours=1)) | words)

# ---- who

def agreed_by_hand(consents, customer, purpose, now):
    "What the rules say, one person at a time."
    said = sorted((row.known_at, not row.is_granted) for row in consents.itertuples() if row.customer_id == customer and row.purpose == purpose and row.known_at <= now)
    return bool(said) and not said[-1][1]

@pytest.mark.parametrize("hours", [-2000, 0, 150])
def test_nobody_in_the_audience_lacks_consent_or_belongs_to_the_holdout_and_nobody_else_is_missing(people, hours):
    scores, consents, holdout = people
    made = choose(people, later(hours=hours))
    expected = {row.customer_id for row in scores.itertuples() if row.customer_id not in holdout and not np.isnan(row.p_churn)
                and agreed_by_hand(consents, row.customer_id, "email", NOW + timedelta(hours=hours))}
    assert set(made.rows["customer_id"]) == expected and expected
    assert sum(made.counts.values()) == 200 and made.counts["included"] == len(made)

def test_a_withdrawal_of_the_same_instant_wins_in_any_order():
    said = pd.DataFrame({"customer_id": ["a", "a", "b", "b"], "purpose": "email", "is_granted": [True, False, False, True], "known_at": pd.Timestamp(NOW)})
    for frame in (said, said[::-1]): assert not consented(frame, "email", later()).any()

def test_a_withdrawal_counts_from_the_second_it_is_known():
    said = pd.DataFrame({"customer_id": "a", "purpose": "email", "is_granted": [True, False], "known_at": [pd.Timestamp(NOW), pd.Timestamp(NOW) + pd.Timedelta(hours=1)]})
    assert consented(said, "email", later(minutes=59))["a"] and not consented(said, "email", later(hours=1))["a"]

def test_shuffled_rows_and_renumbered_indices_choose_the_same_people_in_the_same_order(people):
    scores, consents, holdout = people
    made = choose(people, largest=30)
    shuffled = scores.sample(frac=1, random_state=1).set_index(np.zeros(200, dtype=int)), consents.sample(frac=1, random_state=2), list(holdout)
    pd.testing.assert_frame_equal(choose(shuffled, largest=30).rows, made.rows)
    assert len(made) == 30 and made.rows["p_churn"].is_monotonic_decreasing and made.counts["beyond_largest"] > 0

def test_limits_leave_out_the_lowest_scores_and_count_them(people):
    made = choose(people, minimum=.5)
    assert made.rows["p_churn"].min() >= .5 and made.counts["below_minimum"] > 0
    assert len(choose(people, minimum=.5, largest=10_000)) == len(made)

@pytest.mark.parametrize("minimum", [float("nan"), float("inf"), -float("inf")])
def test_a_minimum_that_is_no_finite_number_takes_nobody(minimum):
    with pytest.raises(ValueError, match="finite"): Selection("p_churn", minimum=minimum)

def test_inputs_are_left_as_they_were(people):
    before = [each.copy() for each in people[:2]]
    choose(people, largest=5)
    for was, now in zip(before, people): pd.testing.assert_frame_equal(was, now)

# ---- what is refused

def with_role(people, role, n): scores = people[0].copy(); scores.loc[scores.index[:n], "role"] = role; return (scores, *people[1:])
def changed(people, **columns): return (people[0].assign(**columns), *people[1:])

@pytest.mark.parametrize("spoil, contains", [
    (lambda p: with_role(p, "candidate", 1), "come from a candidate, a bundle that nobody released, in 1 of 200 rows, such as 0"),
    (lambda p: with_role(p, "candidate", 200), "in 200 of 200 rows"),
    (lambda p: with_role(p, "challenger", 2), "come from no champion in 2 of 200 rows"),
    (lambda p: with_role(p, None, 2), "come from no champion in 2 of 200 rows"),
    (lambda p: (p[0].drop(columns="role"), *p[1:]), "no column 'role'"),
    (lambda p: (p[0].rename(columns={"p_churn": "p_chrun"}), *p[1:]), "Did you mean 'p_chrun'"),
    (lambda p: (pd.concat([p[0], p[0].head(3)]), *p[1:]), "name a customer more than once in 6 of 203 rows, such as 0, 1, 2, 200, 201"),
    (lambda p: changed(p, customer_id=range(200)), "name no customer as text in 200 of 200"),
    (lambda p: changed(p, customer_id=[None] + list(p[0]["customer_id"][1:])), "name no customer as text in 1 of 200"),
    (lambda p: changed(p, bundle_hash=[BUNDLE]*100 + [OTHER]*100), "come from 2 bundles"),
    (lambda p: changed(p, bundle_hash=None), "exactly one is allowed"),
    (lambda p: changed(p, p_churn="high"), "hold no number in p_churn"),
    (lambda p: (p[0].head(0), *p[1:]), "have no rows"),
    (lambda p: (p[0], p[1].head(0), p[2]), "table of consents is empty"),
    (lambda p: (p[0], p[1].assign(known_at=p[1]["known_at"].dt.tz_localize(None)), p[2]), "has no time zone"),
    (lambda p: (p[0], p[1].drop(columns="is_granted"), p[2]), "no column 'is_granted'")])
def test_scores_and_consents_that_are_no_ground_are_refused_in_two_lines(people, spoil, contains):
    with pytest.raises(DataError) as refused: choose(spoil(people))
    assert contains in str(refused.value) and str(refused.value).count("\n") == 1

def test_no_purpose_an_unknown_purpose_and_old_consents_are_refused(people):
    for purpose, contains in ((None, "No purpose is named"), ("", "No purpose is named"), ("e-mail", "Did you mean 'email'")):
        with pytest.raises(DataError, match=contains): choose(people, purpose=purpose)
    with pytest.raises(DataError, match="newest consent is 3. days old; at most 2 are allowed"): choose(people, later(days=45))

def test_a_table_in_the_place_of_the_holdout_is_refused(people):
    scores, consents, holdout = people
    assignments = pd.DataFrame({"customer_id": sorted(holdout), "is_holdout": True})
    for wrong in (assignments, "customer-001", assignments.to_dict()):
        with pytest.raises(TypeError, match="holdout_customers"): choose((scores, consents, wrong))
    assert len(choose((scores, consents, holdout_customers(assignments)))) == len(choose(people))
    assert choose((scores, consents, set())).counts["holdout"] == 0

# ---- the file

def test_a_dry_run_says_what_would_be_written_and_writes_nothing(shop, people):
    made = choose(people, largest=10)
    before = sorted(path for path in shop.root.rglob("*") if path.is_file())
    planned = export(shop, made, dry_run=True)
    assert planned.is_dry_run and planned.n_people == 10 and Ledger(shop).entries(EXPORTED) == []
    assert set(path for path in shop.root.rglob("*") if path.is_file()) - set(before) <= {shop.path("data", "live", "churn.json")}
    written = export(shop, made)
    assert (written.path, written.sha256) == (planned.path, planned.sha256) and written.path.read_bytes().decode() == csv_text(made.rows)

def test_the_ledger_holds_counts_and_digests_and_nobody(shop, people):
    made = choose(people, largest=10, also=("market",))
    written = export(shop, made)
    entry, = Ledger(shop).entries(EXPORTED)
    assert entry.payload["sha256"] == written.sha256 and entry.payload["counts"] == made.counts and entry.payload["bundle_hash"] == BUNDLE
    assert not any(customer in str(entry) for customer in people[0]["customer_id"])

def test_writing_the_same_again_adds_no_entry_and_brings_a_lost_file_back(shop, people):
    written = export(shop, choose(people))
    text = written.path.read_text()
    for spoil in (lambda: None, written.path.unlink, lambda: written.path.write_text("changed")):
        spoil()
        assert export(shop, choose(people), clock=later(hours=2)).path.read_text() == text
    assert len(Ledger(shop).entries(EXPORTED)) == 1

def test_two_selections_of_one_day_are_two_files(shop, people):
    assert export(shop, choose(people, largest=5)).path != export(shop, choose(people, largest=6)).path
    assert len(Ledger(shop).entries(EXPORTED)) == 2

def test_killed_before_the_file_the_next_call_completes_what_was_recorded(shop, people, monkeypatch):
    def die(*_): raise KeyboardInterrupt
    monkeypatch.setattr("marketing_mlops.activation.audience_files.write_text", die)
    with pytest.raises(KeyboardInterrupt): export(shop, choose(people))
    monkeypatch.undo()
    assert len(Ledger(shop).entries(EXPORTED)) == 1 and not shop.path("data", "audiences").exists()
    assert export(shop, choose(people)).path.exists() and len(Ledger(shop).entries(EXPORTED)) == 1

@pytest.mark.parametrize("spoil, contains", [
    (lambda shop, made: make_champion(shop, OTHER), "is the champion of churn since"),
    (lambda shop, made: replace(made, rows=made.rows.head(0)), "Nobody is in the audience")])
@pytest.mark.parametrize("dry_run", [True, False])
def test_an_audience_that_is_not_fit_any_more_is_not_written(shop, people, spoil, contains, dry_run):
    made = choose(people)
    spoilt = spoil(shop, made)
    if isinstance(spoilt, Audience): made = spoilt
    with pytest.raises(AudienceError) as refused: export(shop, made, dry_run=dry_run)
    assert contains in str(refused.value) and str(refused.value).count("\n") == 1
    assert Ledger(shop).entries(EXPORTED) == [] and not shop.path("data", "audiences").exists()

def test_a_rollback_makes_the_scores_of_the_later_champion_unfit(shop, people):
    first = Ledger(shop).entries(RELEASED)[0]
    make_champion(shop, OTHER)
    newer = choose((people[0].assign(bundle_hash=OTHER), *people[1:]))
    export(shop, newer)
    make_champion(shop, BUNDLE, ROLLED_BACK, to=first.hash)
    with pytest.raises(AudienceError, match=f"scored by bundle {OTHER[:12]}, but {BUNDLE[:12]} is the champion"): export(shop, newer)
    export(shop, choose(people))

def test_consents_are_looked_at_again_after_a_day(shop, people):
    made = choose(people)
    export(shop, made, clock=later(hours=24))
    for clock in (later(hours=25), later(hours=-1)):
        with pytest.raises(AudienceError, match="within 24 hours"): export(shop, made, clock=clock)

def test_without_a_champion_or_a_role_nothing_is_written(shop, people):
    with pytest.raises(AudienceError, match="promo has no champion"): write_audience(shop, "promo", choose(people), "marketing@example.com", clock=later())
    with pytest.raises(MmopsError, match="no mail address"): write_audience(shop, "churn", choose(people), "me", clock=later())
    for model in ("../../x", ""):
        with pytest.raises(MmopsError): write_audience(shop, model, choose(people), "marketing@example.com", clock=later())
    assert not shop.path("data", "audiences").exists()

DANGEROUS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "＝1", "=cmd|' /C calc'!A0", '=HYPERLINK("http://x.example","y")']

@pytest.mark.parametrize("text", DANGEROUS)
def test_no_cell_acts_in_a_spreadsheet_and_nothing_else_is_changed(text):
    assert safe_cell(text) == "'" + text
    rows = list(csv.reader(io.StringIO(csv_text(pd.DataFrame({text: [text], "harmless": ['a "quoted", one\r\nwith 🍂 = -']})), newline="")))
    assert rows == [["'" + text, "harmless"], ["'" + text, 'a "quoted", one\r\nwith 🍂 = -']]

def test_numbers_stay_numbers_and_missing_stays_empty():
    frame = pd.DataFrame({"gain": [-.1, 2., np.nan], "n": [-1, 0, 7], "who": ["a", None, pd.NA], "at": [pd.Timestamp("2026-01-01T00:00:00Z"), pd.NaT, pd.NaT]})
    assert csv_text(frame).splitlines() == ["gain,n,who,at", "-0.1,-1,a,2026-01-01 00:00:00+00:00", "2.0,0,,", ",7,,"]
