"""What is missing, damaged or renamed is said in words with the remedy, and nothing is written by asking."""
import json, shutil
from pathlib import Path
import pytest
from marketing_mlops.registry.lineage import grouped_doubts, impact_words, lineage, lineage_graph, origin_words, transformation_words
from marketing_mlops.registry.lineage_graphs import KINDS, LineageGraph, Thing, downstream, upstream
from marketing_mlops.workspace.errors import ParameterError
from marketing_mlops.workspace.places import find_workspace, write_json, write_text

LIVE, EARLIER = "5f2a"*16, "77c1"*16
RUN = "20260629T060000000000Z-0b22"
PARAMS = """sources: {shop: {kind: file}}
models:
  churn: {owner: model-owner@example.com, purpose: Win back, audience: Customers, source: shop, task: propensity, outcome: {kind: no_order, horizon_days: 90}, features: [recency_days, clicks_90d], consent_purpose: email, algorithm: {name: logistic}}
"""
TABLES = ("consents", "media", "order_lines", "orders", "touchpoints")

def locked(*stages):
    "A lock of stages, each with what it reads and makes."
    text = "schema: '2.0'\nstages:\n"
    for i, (name, deps, outs) in enumerate(stages):
        def part(title, paths): return f"    {title}:\n" + "".join(f"    - path: {path}\n      hash: md5\n      md5: {i:02}{j:02}{'a'*28}.dir\n" for j, path in enumerate(paths))
        text += f"  {name}:\n    cmd: x\n{part('deps', deps)}{part('outs', outs)}"
    return text

BUILT = [("ingest@shop", ["data/sources/shop"], ["data/ingest/shop"]), ("validate@shop", ["data/ingest/shop"], ["data/validate/shop"])] + [
    (f"{step}@churn", ["data/validate/shop"], [f"data/{step}/churn"]) for step in ("features", "train", "evaluate", "bundle", "score", "monitor")]

def ran(root, job, key, run_id=RUN, results=(), page=True, **more):
    said = dict(job=job, key=key, run_id=run_id, status="done", started_at="2026-06-29T06:00:00+00:00", ended_at="2026-06-29T06:00:09+00:00", parameters={}, inputs={}, results=dict(results), semantic_hash="c0de"*16) | more
    write_json(root/"data"/"runs"/job/key/run_id/"run.json", said)
    if page: write_text(root/"data"/"runs"/job/key/run_id/"page.html", "<p>Page</p>")

def entry(n, kind, day, subject="churn", **payload):
    return dict(kind=kind, subject=subject, actor="marketing@example.com", occurred_at=f"2026-07-{day:02}T09:00:00.000000+00:00", hash=f"{n:02}"*32, payload=payload)

@pytest.fixture
def shop(tmp_path):
    write_text(tmp_path/"settings.ini", "[DEFAULT]\nreporting_currency = EUR\n")
    write_text(tmp_path/"params.yaml", PARAMS), write_text(tmp_path/"dvc.lock", locked(*BUILT))
    write_text(tmp_path/"data"/"sources"/"shop"/"mapping.yaml", "publisher: {name: The shop}\nfiles: {sales.csv: {sha256: ff9e59285e9dc3f5}}\n")
    for kind in ("ingest", "validate"):
        write_json(tmp_path/"data"/kind/"shop"/"ingest.json", dict(tables={name: dict(file="sales.csv", n_read=12, n_written=12) for name in TABLES}))
        for name in TABLES: write_text(tmp_path/"data"/kind/"shop"/f"{name}.parquet", "rows")
    write_json(tmp_path/"data"/"features"/"churn"/"features.json", dict(features=[dict(name="recency_days"), dict(name="clicks_90d")]))
    for place in ("train/churn/training.json", "evaluate/churn/evaluation.json", "monitor/churn/monitor.json"): write_json(tmp_path/"data"/place, {})
    write_json(tmp_path/"data"/"bundle"/"churn"/"envelope.json", dict(core_hash=LIVE))
    write_json(tmp_path/"data"/"score"/"churn"/"score.json", dict(bundle_hash=LIVE, n=9, role="champion", cutoff="2026-07-01"))
    ran(tmp_path, "weekly", "shop", results=dict(figures={"net_revenue": {"value": 319_874.99}, "pages": 7}), inputs={f"data/validate/shop/{name}.parquet": "aa"*32 for name in ("order_lines", "touchpoints")}, parameters={"source": "shop"})
    ran(tmp_path, "model_card", "churn", results=dict(bundle=LIVE, sentence="It holds 16.8 % of those concerned."), parameters={"model": "churn"})
    return find_workspace(tmp_path)

def names(things, kind): return sorted(thing.name for thing, far in things if thing.kind == kind)
def said(shop, what, *entries): return lineage(shop, what, entries)

def test_a_score_goes_back_to_the_file_and_a_file_forward_to_the_people_on_a_list(shop):
    exported = entry(1, "audience_exported", 4, bundle_hash=LIVE, file="email.csv", counts={"included": 1204})
    scores = said(shop, "data/score/churn/scores.parquet")
    assert names(scores.up, "source file") == ["sales.csv"] and names(scores.up, "table") == ["shop.consents", "shop.order_lines", "shop.orders", "shop.touchpoints"]
    assert "ff9e59285e9d; The shop" in origin_words(scores) and "churn@5f2a5f2a5f2a" in transformation_words(scores)
    assert "1,204 people" in impact_words(said(shop, "sales.csv", exported))

@pytest.mark.parametrize("what", ["churn", "churn@5f2a5f2a5f2a", "CHURN@5F2A5F2A5F2A", "5f2a5f", LIVE, "data/bundle/churn", "./data/bundle/churn/"])
def test_a_version_is_found_by_every_name_it_has(shop, what): assert [thing.digest for thing in said(shop, what).about] == [LIVE]

@pytest.mark.parametrize("what", ["weekly/shop:net_revenue", "weekly/shop:figures.net_revenue", f"{RUN}:net_revenue", f"data/runs/weekly/shop/{RUN}:net_revenue", "319,874.99", "319874.99", "EUR 319,875"])
def test_a_number_is_found_by_every_name_and_comes_from_the_tables_its_metric_counts(shop, what):
    if what.startswith(RUN): shutil.rmtree(shop.path("data", "runs", "model_card"))       # both runs began at the same moment
    assert names(said(shop, what).up, "table") == ["shop.order_lines"]

def test_a_number_that_is_no_metric_comes_from_all_its_report_read_and_says_so(shop):
    found = said(shop, "weekly/shop:pages")
    assert names(found.up, "table") == ["shop.order_lines", "shop.touchpoints"] and "no metric" in found.about[0].words

def test_a_number_in_a_sentence_of_a_card_leads_to_the_model_version(shop): assert names(said(shop, "16.8 %").up, "model version") == ["churn@5f2a5f2a5f2a"]

def test_a_table_nothing_reads_has_no_impact(shop): assert "Nothing was made from it" in impact_words(said(shop, "shop.media"))

def test_after_a_clone_the_answer_stands_and_the_remedy_is_said_once(shop):
    for kind in ("ingest", "validate", "features", "train", "evaluate", "score", "monitor", "bundle"): shutil.rmtree(shop.path("data", kind))
    write_json(shop.path(".dvc", "cache", "files", "md5", "01", "01" + "a"*28 + ".dir"), [dict(relpath=f"{name}.parquet", md5="99"*16) for name in TABLES])
    ran(shop.root, "bundle", "churn", results=dict(core_hash=LIVE))
    shutil.copytree(shop.path(".dvc", "cache", "files", "md5", "01"), shop.path(".dvc", "cache", "files", "md5", "00"))
    version = said(shop, "churn")
    assert version.about[0].digest == LIVE and names(version.up, "feature") == ["shop.clicks_90d", "shop.recency_days"]
    assert len([doubt for doubt in version.doubts if "dvc pull" in doubt]) == 1

def test_with_neither_data_nor_cache_the_source_says_what_is_not_known(shop):
    for kind in ("ingest", "validate", "runs"): shutil.rmtree(shop.path("data", kind))
    assert any("Which tables shop has is not known here" in doubt and "mmops run" in doubt for doubt in said(shop, "shop").doubts)

@pytest.mark.parametrize("content", ["", "{", "[]", '{"results": "x"}', "\x00"])
def test_a_damaged_manifest_is_a_doubt_and_asking_for_its_number_says_so(shop, content):
    write_text(shop.path("data", "runs", "weekly", "shop", RUN, "run.json"), content)
    assert any("run.json is damaged" in doubt for doubt in said(shop, "orders").doubts)
    with pytest.raises(ParameterError, match="No report on record says"): said(shop, "319,874.99")
    with pytest.raises(ParameterError, match="is damaged"): said(shop, f"weekly/shop/{RUN}")

def test_a_report_whose_page_vanished_keeps_its_figures_and_says_so(shop):
    shop.path("data", "runs", "weekly", "shop", RUN, "page.html").unlink()
    found = said(shop, "319,874.99")
    assert names(found.up, "table") == ["shop.order_lines"] and any("page of this run is gone" in doubt and "mmops report weekly" in doubt for doubt in found.doubts)

def test_a_report_that_was_sent_and_whose_run_is_gone_leaves_a_decision_without_an_exception(shop):
    sent = entry(1, "report_sent", 4, "weekly", run="data/runs/weekly/shop/20250101T000000000000Z-dead", sent_to={"marketing@example.com": "taken"})
    there = entry(2, "report_sent", 5, "weekly", run=f"data/runs/weekly/shop/{RUN}", sent_to={"finance@example.com": "taken"})
    assert [thing.digest for thing, far in said(shop, "weekly/shop", sent, there).down if thing.kind == "export"] == ["02"*32]
    assert said(shop, "01"*32, sent).up == ()

def test_a_renamed_feature_is_named_with_the_one_that_is_near(shop):
    write_json(shop.path("data", "features", "churn", "features.json"), dict(features=[dict(name="recency_day", version="0"*12), dict(name="clicks_90d", version="0"*12)]))
    doubts = said(shop, "churn").doubts
    assert any("recency_day, which nobody declares any more. Did you mean 'recency_days'?" in doubt for doubt in doubts)
    assert any("clicks_90d is declared otherwise since churn was trained" in doubt for doubt in doubts)

def test_two_pipelines_with_the_same_table_are_both_named(shop):
    write_text(shop.path("data", "replays", "dvc.lock"), locked(*BUILT[:2]))
    assert any("validate@shop of dvc.yaml and validate@shop of data/replays/dvc.yaml" in doubt for doubt in said(shop, "shop.orders").doubts)

def test_a_table_of_two_sources_is_both_and_one_where_the_source_is_named(shop):
    write_text(shop.path("params.yaml"), PARAMS.replace("shop: {kind: file}}", "shop: {kind: file}, winter: {kind: simulated, seed: 3}}"))
    write_text(shop.path("data", "validate", "winter", "orders.parquet"), "rows")
    assert [thing.name for thing in said(shop, "orders").about] == ["shop.orders", "winter.orders"]
    assert [thing.name for thing in said(shop, "winter.orders").about] == ["winter.orders"]
    words = origin_words(said(shop, "orders"))
    assert "sales.csv" in words and "And in the source winter. Simulated by seed 3" in words

@pytest.mark.parametrize("file, content, says", [("params.yaml", "models: [", "params.yaml"), ("dvc.lock", "<<<<<<< HEAD\n", "dvc.lock cannot be read"), ("data/live/churn.json", "{", "data/live/churn.json is damaged"), ("data/many/params.yaml", "x: {", "params.yaml")])
def test_a_damaged_record_is_a_doubt_and_the_rest_is_answered(shop, file, content, says):
    write_text(shop.path(file), content)
    assert any(says in doubt for doubt in said(shop, "churn@5f2a5f2a5f2a" if file != "params.yaml" else "shop.orders").doubts)

@pytest.mark.parametrize("file", ["bundle/churn/envelope.json", "score/churn/score.json", "features/churn/features.json", "ingest/shop/ingest.json", "evaluate/churn/evaluation.json", "sources/shop/mapping.yaml"])
@pytest.mark.parametrize("content", ["", "[1, 2]", '{"features": "x", "tables": [], "core_hash": 5, "bundle_hash": [1], "verdict": "no", "files": 3, "publisher": "x", "n": "many"}', "\x00"])
def test_a_stage_that_left_nonsense_raises_nothing(shop, file, content):
    write_text(shop.path("data", *file.split("/")), content)
    assert said(shop, "orders").about and said(shop, "churn").about

@pytest.mark.parametrize("payload", [{}, {"bundle_hash": None}, {"bundle_hash": "short"}, {"bundle_hash": ["a"]}, {"counts": 3, "sent_to": [], "run": 5, "file": "../../etc/passwd"}, {"incident": "none", "run": "/"}])
@pytest.mark.parametrize("kind", ["released", "audience_exported", "incident_opened", "incident_closed", "report_sent", "feature_retired", "never_heard_of"])
def test_an_entry_with_few_facts_raises_nothing(shop, kind, payload): assert said(shop, "churn", entry(1, kind, 4, **payload)).about

def test_a_model_only_the_ledger_knows_is_found_by_the_hash_of_its_version(shop):
    found = said(shop, EARLIER, entry(1, "released", 3, "winter", bundle_hash=EARLIER))
    assert [thing.name for thing in found.about] == ["winter@77c177c177c1"] and names(found.down, "decision") == ["released: winter"]

def test_an_incident_stands_behind_what_was_released_last_and_one_before_any_release_says_so(shop):
    released, opened = entry(1, "released", 3, bundle_hash=EARLIER), entry(2, "incident_opened", 6, text="Mails twice")
    assert names(said(shop, "02"*4, released, opened).up, "model version") == ["churn@77c177c177c1"]
    assert any("is not on record; it is shown behind the newest one" in doubt for doubt in said(shop, "02"*4, opened).doubts)

def test_what_was_released_rests_on_its_approval(shop):
    entries = [entry(1, "approval_granted", 2, bundle_hash=LIVE), entry(2, "released", 3, bundle_hash=LIVE), entry(3, "audience_exported", 4, bundle_hash=LIVE, file="email.csv")]
    assert names(said(shop, "email.csv", *entries).up, "decision") == ["approval granted: churn", "released: churn"]

@pytest.mark.parametrize("what, near", {"ordres": "orders", "chrun": "churn", "recency": "recency_days", "weekly/shp": "weekly/shop"}.items())
def test_an_unknown_name_is_answered_with_near_ones(shop, what, near):
    with pytest.raises(ParameterError, match="Nothing on record is called") as refused: said(shop, what)
    assert near in refused.value.problem

@pytest.mark.parametrize("what", ["x"*5000, "../../etc/passwd", "<script>", "🎁", "a:b:c", ":", "weekly/shop:", "\x00", "%s %d {0}", "[", "(?P<"])
def test_nonsense_is_refused_in_words(shop, what):
    with pytest.raises(ParameterError): said(shop, what)

def test_a_figure_a_report_does_not_hold_is_answered_with_those_it_holds(shop):
    with pytest.raises(ParameterError, match="holds no figure 'net_revenu'.*Did you mean 'net_revenue'"): said(shop, "weekly/shop:net_revenu")

def test_asking_writes_nothing(shop):
    def everything(): return {path.relative_to(shop.root).as_posix(): path.read_bytes() for path in sorted(shop.root.rglob("*")) if path.is_file()}
    before = everything()
    for what in ("churn", "orders", "319,874.99"): said(shop, what, entry(1, "released", 3, bundle_hash=LIVE)).to_dict()
    assert everything() == before

def test_the_answer_is_plain_data_and_every_link_lies_within_it(shop):
    told = json.loads(json.dumps(said(shop, "orders", entry(1, "released", 3, bundle_hash=LIVE)).to_dict()))
    keys = {each["key"] for part in ("about", "upstream", "downstream") for each in told[part]}
    assert told["links"] and {key for link in told["links"] for key in link} <= keys

def test_more_reports_than_are_read_are_counted(shop, monkeypatch):
    for n in range(7): ran(shop.root, "grid", f"market_{n}", f"2026070{n}T060000000000Z-0a0{n}", parameters={"source": "shop"})
    monkeypatch.setattr("marketing_mlops.registry.lineage_reports.MOST_REPORTS", 5)
    found = said(shop, "shop.media")
    assert len(names(found.down, "report")) == 5 and any("The newest 5 reports were looked at; 4 others" in doubt for doubt in found.doubts)

def test_a_walk_ends_also_in_a_circle():
    graph = LineageGraph()
    for name in "abc": graph.add(Thing(name, "table", name))
    for before, after in ("ab", "bc", "ca"): graph.link(before, after)
    assert [thing.name for thing, far in upstream(graph, "a")] == ["c", "b"] and [thing.name for thing, far in downstream(graph, "a")] == ["b", "c"]

def test_every_kind_of_thing_has_a_place_in_the_order(shop): assert {thing.kind for thing in lineage_graph(shop)[0].things.values()} <= set(KINDS)

def test_doubts_about_missing_data_become_one_and_others_stay():
    missing = [f"data/{i} is not on this machine. `dvc pull` brings it." for i in range(9)]
    assert grouped_doubts(["first", *missing, "first"]) == ["data/0, data/1, data/2, data/3, data/4 and 4 more are not on this machine. `dvc pull` brings it.", "first"]
