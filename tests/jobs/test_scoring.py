"""Who scores, who is scored, and what is written of it."""
import json, random, shutil
import pandas as pd
import pytest
from marketing_mlops.contracts.schemas import frame_of_rows
from marketing_mlops.governance.live_pointers import bundle_place, pointer_file
from marketing_mlops.governance.routing import Route, routed
from marketing_mlops.jobs.scoring import champion_of, place_pointers, route_of, score_customers, write_scores
from marketing_mlops.registry.bundle_files import BundleError
from marketing_mlops.registry.bundles import write_bundle
from marketing_mlops.registry.graph_drafts import GraphDraft, finished_graph
from marketing_mlops.registry.input_schemas import input_schema
from marketing_mlops.sources.ingestion import write_table
from marketing_mlops.workspace.errors import WorkspaceError
from marketing_mlops.workspace.places import Workspace, write_json
from marketing_mlops.workspace.settings import Settings

MODEL = "shop_churn_90d"
SPEC = dict(source="shop", consent_purpose="email", outcome=dict(active_days=365), holdout=.3)
PEOPLE = [f"customer {i:02}" for i in range(40)]

def rule(even_at):
    "Even chances of leaving so many days after the last order."
    draft = GraphDraft()
    days = draft.add("Sub", draft.input("recency_days", is_text=False), draft.constant([even_at]))
    return finished_graph(draft, draft.add("Sigmoid", draft.add("Div", days, draft.constant([20.]))), ["recency_days"])

def build(shop, even_at=60., **more):
    "The candidate of the model."
    return write_bundle(shop.output("bundle", MODEL), scorer={"no_order": rule(even_at)}, kind="graph", features=["recency_days"],
        schema=input_schema(pd.DataFrame({"recency_days": [3., 60., 120.]}), ["recency_days"]), parameters=SPEC | {"model": MODEL, "task": "propensity"} | more,
        evaluation={}, lock_hash="a1"*32, data_hashes={}, code_hash="c3"*32, envelope={})

def point(shop, champion): return write_json(pointer_file(shop, MODEL), dict(model=MODEL, champion=champion, routing={}, ledger_head="77"))

def put_live(shop, bundle):
    "What a release leaves."
    shutil.copytree(bundle.folder, bundle_place(shop, bundle.core_hash))
    point(shop, bundle.core_hash)
    return bundle

def deliver(shop, shuffled=False):
    "Accepted tables of 40 customers; every tenth has never agreed, customer 05 has withdrawn, and customer 07 withdraws after the source's end."
    def said(each, is_granted, day, known=None): return dict(customer_id=each, purpose="email", is_granted=is_granted, occurred_at=day, known_at=known or day)
    days = {each: (pd.Timestamp("2026-06-29T09:00Z") - pd.Timedelta(days=5*i)).isoformat() for i, each in enumerate(PEOPLE)}
    order = lambda each: dict(order_id=f"o {each}", customer_id=each, occurred_at=days[each], known_at=days[each])
    line = lambda each: dict(order_line_id=f"l {each}", order_id=f"o {each}", kind="sale", quantity=1, unit_price=80, currency="EUR", occurred_at=days[each], known_at=days[each])
    tables = dict(customers=[dict(customer_id=each, first_seen_at="2024-01-01T00:00Z") for each in PEOPLE],
        consents=[said(each, True, "2024-01-01T00:00Z") for i, each in enumerate(PEOPLE) if i % 10]
                 + [said(PEOPLE[5], False, "2026-06-01T00:00Z"), said(PEOPLE[7], False, "2026-06-28T00:00Z", known="2026-06-30T09:00Z")],
        orders=[order(each) for each in PEOPLE], order_lines=[line(each) for each in PEOPLE])
    shop.accepted("shop").mkdir(parents=True, exist_ok=True)
    for name, rows in tables.items():
        if shuffled: random.Random(7).shuffle(rows)
        write_table(frame_of_rows(name, rows), name, shop.accepted("shop"))

@pytest.fixture(scope="module")
def delivered(tmp_path_factory):
    "A workspace with accepted tables and a candidate; to be copied."
    root = tmp_path_factory.mktemp("scored")
    shop = Workspace(root, Settings("development", root))
    deliver(shop); build(shop)
    return shop

@pytest.fixture
def shop(delivered, tmp_path):
    shutil.copytree(delivered.root, tmp_path/"shop")
    return Workspace(tmp_path/"shop", delivered.settings)

def written(scored, into):
    into.mkdir()
    return {file.name: file.read_bytes() for file in write_scores(scored, into)}

def test_every_row_of_a_model_without_a_champion_is_marked_candidate(shop):
    candidate = build(shop)
    for _ in range(2):                                         # without a pointer, then with one that names nobody
        scored = score_customers(shop, MODEL, SPEC)
        assert set(scored.frame.role) == {"candidate"} and scored.role == "candidate"
        assert set(scored.frame.bundle_hash) == {candidate.core_hash}
        place_pointers(shop, [MODEL])

def test_rows_of_a_released_model_carry_its_bundle_s_hash_whatever_the_candidate_is(shop):
    champion = put_live(shop, build(shop, even_at=60.))
    before = score_customers(shop, MODEL, SPEC).frame
    assert build(shop, even_at=90.).core_hash != champion.core_hash
    after = score_customers(shop, MODEL, SPEC).frame
    assert set(after.role) == {"champion"} and set(after.bundle_hash) == {champion.core_hash}
    pd.testing.assert_frame_equal(before, after)

@pytest.mark.parametrize("edit", [dict(consent_purpose="sms"), dict(outcome=dict(active_days=30)), dict(holdout=.9), dict(source="elsewhere")], ids=lambda e: next(iter(e)))
def test_a_champion_scores_whom_it_was_approved_for_whatever_params_yaml_says_by_now(shop, edit):
    put_live(shop, build(shop))
    approved = score_customers(shop, MODEL, SPEC).frame
    pd.testing.assert_frame_equal(score_customers(shop, MODEL, SPEC | edit).frame, approved)

def test_a_rollback_brings_back_the_people_of_the_earlier_champion(shop):
    first = put_live(shop, build(shop))
    people = score_customers(shop, MODEL, SPEC).frame.customer_id.tolist()
    narrower = SPEC | dict(outcome=dict(active_days=60))
    put_live(shop, build(shop, even_at=90., **narrower))
    assert len(score_customers(shop, MODEL, narrower).frame) < len(people)
    point(shop, first.core_hash)
    assert score_customers(shop, MODEL, narrower).frame.customer_id.tolist() == people

def test_a_key_that_params_yaml_gained_since_the_approval_is_not_the_champion_s(shop):
    bundle = write_bundle(shop.output("bundle", MODEL), scorer={"no_order": rule(60.)}, kind="graph", features=["recency_days"],
        schema=input_schema(pd.DataFrame({"recency_days": [3., 60., 120.]}), ["recency_days"]), parameters={key: SPEC[key] for key in ("source", "consent_purpose")} | {"model": MODEL, "task": "propensity"},
        evaluation={}, lock_hash="a1"*32, data_hashes={}, code_hash="c3"*32, envelope={})
    put_live(shop, bundle)
    assert not score_customers(shop, MODEL, SPEC).frame.is_holdout.any()

def test_a_released_model_scores_without_any_candidate(shop):
    put_live(shop, build(shop))
    shutil.rmtree(shop.output("bundle", MODEL))
    assert score_customers(shop, MODEL, SPEC).role == "champion"

def test_scoring_twice_gives_equal_bytes_also_from_rows_in_another_order(shop, tmp_path):
    first = written(score_customers(shop, MODEL, SPEC), tmp_path/"first")
    deliver(shop, shuffled=True)
    assert written(score_customers(shop, MODEL, SPEC), tmp_path/"second") == first
    assert list(first) == ["scores.parquet", "score.json"]

def test_a_score_is_the_one_the_rule_gives_for_the_days_since_the_last_order(shop):
    frame = score_customers(shop, MODEL, SPEC).frame
    expected = 1/(1 + 2.718281828459045**(-(frame.recency_days - 60)/20))
    assert (frame.p_no_order - expected).abs().max() < 1e-6
    assert frame.recency_days.is_monotonic_increasing and frame.customer_id.is_monotonic_increasing

def test_who_has_not_agreed_or_has_withdrawn_is_left_out_and_counted(shop):
    scored = score_customers(shop, MODEL, SPEC)
    never = {each for i, each in enumerate(PEOPLE) if i % 10 == 0}
    assert scored.left_out == dict(no_consent=len(never) + 1, not_active=0)
    assert set(scored.frame.customer_id) == set(PEOPLE) - never - {PEOPLE[5]}

def test_the_holdout_is_scored_and_marked(shop):
    scored = score_customers(shop, MODEL, SPEC)
    assert 0 < scored.frame.is_holdout.sum() < len(scored.frame)
    assert scored.facts()["n_holdout"] == scored.frame.is_holdout.sum() and scored.facts()["n"] == len(scored.frame)

def test_the_facts_of_a_scoring_name_no_customer(shop):
    assert "customer " not in json.dumps(score_customers(shop, MODEL, SPEC).facts())

def test_a_pointer_is_placed_only_where_it_is_missing(shop):
    bundle = put_live(shop, build(shop))
    held = pointer_file(shop, MODEL).read_bytes()
    assert [file.name for file in place_pointers(shop, [MODEL, "spring_mail"])] == ["spring_mail.json"]
    assert pointer_file(shop, MODEL).read_bytes() == held and champion_of(shop, MODEL) == bundle.core_hash
    assert champion_of(shop, "spring_mail") is None and place_pointers(shop, [MODEL, "spring_mail"]) == []

def test_a_pointer_that_cannot_be_read_is_not_replaced(shop):
    pointer_file(shop, MODEL).parent.mkdir(parents=True)
    pointer_file(shop, MODEL).write_text("<<<<<<< ours")
    assert place_pointers(shop, [MODEL]) == [] and pointer_file(shop, MODEL).read_text() == "<<<<<<< ours"

def on_trial(shop, champion, share=.4, **beside):
    "What a canary step, or a shadow, leaves."
    for bundle in beside.values():
        if not bundle_place(shop, bundle.core_hash).exists(): shutil.copytree(bundle.folder, bundle_place(shop, bundle.core_hash))
    routing = {"champion": 1 - share, "canary": share} if "canary" in beside else {"champion": 1.}
    write_json(pointer_file(shop, MODEL), dict(model=MODEL, champion=champion.core_hash, routing=routing, ledger_head="77") | {role: bundle.core_hash for role, bundle in beside.items()})

def test_a_canary_s_share_is_who_the_service_would_send_to_it_and_everybody_has_one_row(shop, tmp_path):
    champion = put_live(shop, build(shop))
    alone = score_customers(shop, MODEL, SPEC).frame
    canary = build(shop, even_at=90.)
    on_trial(shop, champion, canary=canary)
    scored = score_customers(shop, MODEL, SPEC)
    route = Route(MODEL, champion.core_hash, canary.core_hash, .4)
    assert route_of(shop, MODEL) == route and scored.frame.customer_id.tolist() == alone.customer_id.tolist()
    assert scored.frame.bundle_hash.tolist() == [routed(each, route) for each in alone.customer_id] and 0 < (scored.frame.role == "canary").sum() < len(alone)
    mine = scored.frame.role == "champion"
    assert scored.frame[mine].equals(alone[mine]) and (scored.frame.p_no_order < alone.p_no_order)[~mine].all()
    assert scored.facts()["canary"] == dict(bundle_hash=canary.core_hash, share=.4, n=int((~mine).sum())) and scored.facts()["bundle_hash"] == champion.core_hash
    assert written(scored, tmp_path/"first") == written(score_customers(shop, MODEL, SPEC), tmp_path/"second")

def test_whom_a_canary_may_not_contact_is_not_scored_in_its_place_by_the_champion(shop):
    champion = put_live(shop, build(shop))
    everybody = score_customers(shop, MODEL, SPEC).frame.customer_id
    canary = build(shop, even_at=90., outcome=dict(active_days=60))
    on_trial(shop, champion, .9, canary=canary)
    frame = score_customers(shop, MODEL, SPEC).frame
    assert set(everybody) > set(frame.customer_id) and (frame[frame.role == "canary"].recency_days <= 61).all()

@pytest.mark.parametrize("harm", [lambda place: shutil.rmtree(place), lambda place: (place/"README.md").write_text("x"), lambda place: None], ids=["missing", "changed", "whole"])
def test_a_shadow_changes_no_row_whatever_becomes_of_it(shop, tmp_path, harm):
    champion = put_live(shop, build(shop))
    before = written(score_customers(shop, MODEL, SPEC), tmp_path/"before")
    shadow = build(shop, even_at=90.)
    on_trial(shop, champion, shadow=shadow)
    harm(bundle_place(shop, shadow.core_hash))
    scored = score_customers(shop, MODEL, SPEC)
    after = written(scored, tmp_path/"after")
    assert after["scores.parquet"] == before["scores.parquet"] and ("shadow_scores.parquet" in after) == (scored.shadow_trouble == "")
    assert ("trouble" in scored.facts()["shadow"]) == bool(scored.shadow_trouble)

def test_a_changed_canary_stops_the_scoring(shop):
    champion, canary = put_live(shop, build(shop)), build(shop, even_at=90.)
    on_trial(shop, champion, canary=canary)
    (bundle_place(shop, canary.core_hash)/"README.md").write_text("x")
    with pytest.raises(BundleError, match="was changed"): score_customers(shop, MODEL, SPEC)

@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "<<<<<<< ours", '{"champion": 5}', '{"champion": ""}', '{"champion": "../../elsewhere"}', '{"champion": ["5f3a"]}',
    '{"champion": "%s", "canary": "%s", "routing": {}}' % ("a"*64, "b"*64), '{"champion": "%s", "canary": "%s", "routing": {"canary": 7}}' % ("a"*64, "b"*64), '{"champion": "%s", "shadow": "../x"}' % ("a"*64)])
def test_a_file_that_is_no_pointer_stops_the_scoring_in_two_lines(shop, text):
    pointer_file(shop, MODEL).parent.mkdir(parents=True)
    pointer_file(shop, MODEL).write_text(text)
    with pytest.raises(WorkspaceError, match="is no live pointer") as error: score_customers(shop, MODEL, SPEC)
    assert len(str(error.value).splitlines()) == 2 and f"mmops register {MODEL}" in error.value.remedy

def test_a_champion_that_is_missing_or_changed_is_never_replaced_by_the_candidate(shop):
    bundle = put_live(shop, build(shop))
    kept = bundle_place(shop, bundle.core_hash)
    (kept/"README.md").write_text("Approved for everything.")
    with pytest.raises(BundleError, match="was changed"): score_customers(shop, MODEL, SPEC)
    shutil.rmtree(kept)
    with pytest.raises(BundleError, match="no such folder"): score_customers(shop, MODEL, SPEC)
    shutil.copytree(build(shop, even_at=90.).folder, kept)     # whole, but another one
    with pytest.raises(BundleError): score_customers(shop, MODEL, SPEC)
