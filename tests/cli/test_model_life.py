"""From a candidate to a champion, to customers and back, by typed words; every refusal in two lines with nothing half done."""
import json, re, shutil, subprocess, sys
from datetime import timedelta
from pathlib import Path
import pandas as pd
import pytest
from marketing_mlops.cli.commands import main
from marketing_mlops.contracts.verdict import Reason, Verdict
from marketing_mlops.governance.approvals import grant, request_approval
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.governance.live_checks import check_champions
from marketing_mlops.governance.live_pointers import ReleaseError, bundle_place, live, pointer_file
from marketing_mlops.governance.releases import bundle_evidence
from marketing_mlops.registry.bundles import read_bundle, write_bundle
from marketing_mlops.registry.graph_drafts import GraphDraft, finished_graph
from marketing_mlops.registry.input_schemas import input_schema
from marketing_mlops.registry.origins import note_origin
from marketing_mlops.workspace.clock import ReplayClock, WallClock, instant_of
from marketing_mlops.workspace.places import find_workspace, write_json, write_text

pytestmark = pytest.mark.edges

PARAMS = """sources: {shop: {kind: file}}
models:
  churn: {owner: model-owner@example.com, purpose: Win back, audience: Customers, source: shop, task: propensity, consent_purpose: email}
  spring: {owner: model-owner@example.com, purpose: Spring mail, audience: Customers, source: shop, task: uplift}
"""
ANALYST, OWNER = "analyst@example.com", "model-owner@example.com"

def build(shop, even_after=60., status="pass", task="propensity", more={}):
    "The candidate of `churn`: even chances of leaving so many days after the last order."
    draft = GraphDraft()
    days = draft.add("Sub", draft.input("recency_days", is_text=False), draft.constant([even_after]))
    graph = finished_graph(draft, draft.add("Sigmoid", draft.add("Div", days, draft.constant([20.]))), ["recency_days"])
    reasons = [] if status == "pass" else [Reason("auc", "auc is 0.58.", .58, .6, "Collect more rows.", status)]
    return write_bundle(shop.path("data", "bundle", "churn"), scorer={"no_order": graph} if task == "propensity" else {"no_mail": graph, "mail": graph}, kind="graph", features=["recency_days"],
        schema=input_schema(pd.DataFrame({"recency_days": [5., 60., None]}), ["recency_days"]), parameters={"model": "churn", "task": task, "source": "shop", "consent_purpose": "email", **more},
        evaluation=dict(figures={"auc": dict(value=.7, low=.68, high=.72)}, verdict=Verdict("churn", status, reasons).to_dict(), sentences=["It ranks \x1b[2J well."]),
        lock_hash="a1"*32, data_hashes={}, code_hash="c3"*32, envelope={})

@pytest.fixture
def shop(tmp_path, monkeypatch):
    write_text(tmp_path/"settings.ini", f"[DEFAULT]\napprovers = {OWNER}, marketing@example.com\ntracking_url = sqlite:///data/state/tracking.db\n")
    write_text(tmp_path/"params.yaml", PARAMS)
    write_text(tmp_path/"data"/"sources"/"shop"/"mapping.yaml", "as_of: 2026-08-31\n")
    write_text(tmp_path/"data"/"state"/"ledger_writer", "laptop\n")
    write_json(tmp_path/"data"/"bundle"/"spring"/"untrained.json", dict(model="spring", why="no features"))
    monkeypatch.setenv("MMOPS_WORKSPACE", str(tmp_path))
    found = find_workspace(tmp_path)
    build(found)
    return found

def typed(*words): return main([str(word) for word in words])

def approved(shop, **more):
    typed("request", "churn", "--as", ANALYST); typed("approve", "churn", "--as", OWNER); typed("approve", "churn", "--as", "marketing@example.com")
    return read_bundle(shop.path("data", "bundle", "churn"))

def released(shop, even_after=60., **words):
    build(shop, even_after, **words)
    bundle = approved(shop)
    assert typed("release", "churn", "--as", ANALYST) == 0
    return bundle

def contents(shop):
    "What a refused command must leave as it was."
    return {str(p.relative_to(shop.root)): p.read_bytes() for each in ("ledger", "live", "bundles", "audiences") for p in sorted(shop.path("data", each).rglob("*")) if p.is_file()}

def refused(shop, capsys, *words, says):
    before = contents(shop)
    capsys.readouterr()
    assert typed(*words) == 1
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 2 and "Traceback" not in said and "\x1b" not in said
    assert says in said, said
    assert contents(shop) == before

def test_a_model_goes_live_and_back_and_mlflow_shows_it(shop, capsys):
    from marketing_mlops.registry.tracking_store import tracking_client
    def champion(): return tracking_client(shop).get_model_version_by_alias("churn", "champion").tags["mmops.core_hash"]
    assert [typed("register", "churn"), typed("register", "churn")] == [0, 0]
    assert capsys.readouterr().out.count("is version 1 in mlflow.") == 2
    first = released(shop)
    assert champion() == first.core_hash
    build(shop, 90.)
    assert typed("register", "churn") == 0
    second = released(shop, 90.)
    assert champion() == second.core_hash != first.core_hash
    assert typed("rollback", "churn", "--as", ANALYST, "--reason", "Complaints doubled") == 0
    assert champion() == live(shop, "churn").champion == first.core_hash
    capsys.readouterr()
    assert typed("live", "churn") == 0
    said = capsys.readouterr().out
    assert first.core_hash[:12] in said and "Complaints doubled" in said and OWNER in said
    assert [e.kind for e in Ledger(shop).entries() if e.kind != "bundle_registered"] == ["policy_changed",
        *["approval_requested", "bundle_checked", "approval_granted", "approval_granted", "stage_left_out", "stage_left_out", "released"]*2, "rolled_back"]

def test_a_bundle_goes_live_stage_by_stage_and_mlflow_follows_and_is_put_right_after_somebody_moved_an_alias(shop, capsys):
    from marketing_mlops.registry.tracking import aliases_of, set_alias
    def shown(): return {alias: core_hash for alias, core_hash in aliases_of(shop, "churn").items() if core_hash}
    assert typed("register", "churn") == 0
    first = released(shop)
    second = build(shop, 90.)
    assert typed("register", "churn") == 0
    approved(shop)
    assert typed("release", "churn", "--as", ANALYST, "--stage", "shadow") == 0
    assert shown() == dict(champion=first.core_hash, shadow=second.core_hash)
    capsys.readouterr()
    assert typed("register", "churn") == 0 and "mmops request" not in (said := capsys.readouterr().out) and "on trial beside the champion" in said
    assert typed("release", "churn", "--as", ANALYST, "--stage", "canary", "--share", "0.25") == 0
    capsys.readouterr()
    build(shop, 120.)                                          # the nightly run
    assert typed("live", "churn") == 0 and f"canary {second.core_hash[:12]} (25%)" in (said := capsys.readouterr().out)
    assert f"bundle {second.core_hash[:12]}: serves 25% of the customers as canary since" in said and f"by {ANALYST} (as typed), approved by {OWNER}, " in said
    typed("ledger", "--about", "churn")
    assert f"bundle {second.core_hash[:12]}, share 0.25" in capsys.readouterr().out
    typed("review", "list")
    assert "went on trial as canary for 25% of the customers" in capsys.readouterr().out
    typed("status")
    assert f"canary {second.core_hash[:12]} (25%)" in capsys.readouterr().out
    assert shown() == dict(champion=first.core_hash, canary=second.core_hash)
    set_alias(shop, "churn", "champion", second.core_hash)
    assert typed("aliases", "--check") == 1 and first.core_hash[:12] in capsys.readouterr().out
    assert typed("aliases", "churn") == 0 and shown()["champion"] == first.core_hash
    capsys.readouterr()
    assert typed("aliases") == 0 and capsys.readouterr().out == "mlflow shows what the ledger says.\n"
    assert typed("release", "churn", "--as", ANALYST) == 0 and shown() == dict(champion=second.core_hash)
    assert live(shop, "churn").champion == second.core_hash
    assert typed("rollback", "churn", "--as", ANALYST, "--reason", "Complaints", "--to", first.core_hash[:12]) == 0
    assert "a review is due by" in capsys.readouterr().out and shown() == dict(champion=first.core_hash)

@pytest.mark.parametrize("words, contains", [(("--stage", "cannary"), "Did you mean 'canary'"), (("--share", "0.1"), "--share goes with --stage canary"), (("--stage", "canary", "--share", "ten"), "is no number"),
    (("--stage", "canary", "--share", "1.5"), "above 0 and below 1"), (("--stage", "shadow"), "has no champion")])
def test_a_step_that_cannot_be_is_refused_in_two_lines(shop, capsys, words, contains):
    approved(shop)
    entries = len(Ledger(shop).entries())
    capsys.readouterr()
    assert typed("release", "churn", "--as", ANALYST, *words) == 1
    said = capsys.readouterr().err
    assert contains in said and said.count("\n") == 2 and len(Ledger(shop).entries()) == entries

def test_status_names_a_review_nobody_held_and_a_champion_beyond_its_days_until_somebody_acts(shop, capsys):
    from marketing_mlops.cli.release_status import release_status
    write_text(shop.root/"params.yaml", PARAMS.replace("consent_purpose: email}", "consent_purpose: email, release: {live_days: 30}}"))
    shop = find_workspace(shop.root)
    released(shop); released(shop, 90.)
    typed("rollback", "churn", "--as", ANALYST, "--reason", "Complaints")
    now = Ledger(shop).entries("rolled_back")[-1].time
    def waits(days): return " ".join(release_status(shop, ["churn"], clock=ReplayClock(now + pd.Timedelta(days=days).to_pytimedelta())).waits)
    assert "was not held" not in waits(0) and "was not held" in waits(6) and "its rules allow 30" in waits(31) and "its rules allow 30" not in waits(6)
    Ledger(shop).append("review_held", "churn", OWNER, dict(seen="Complaints came from another mailing"))
    assert "was not held" not in waits(6)
    assert live(shop, "churn"), "an alert stops nobody"

def test_status_says_a_missed_review_once_also_where_a_scheduler_raised_an_alert_about_it(shop, capsys):
    from marketing_mlops.schedules.duty_alerts import tell_of_duties
    released(shop)
    now = WallClock().now()
    past = Ledger(shop, ReplayClock(now - timedelta(days=9)))
    past.append("rolled_back", "churn", ANALYST, dict(to="ab"*32, bundle_hash="ab"*32, before="cd"*32, reason="Complaints", review_due=(now - timedelta(days=7)).isoformat()))
    assert tell_of_duties(shop, now), "the scheduler raised it"
    capsys.readouterr()
    assert typed("status") == 0
    said = capsys.readouterr().out
    assert said.count("was not held") == 1 and "mmops alerts --seen" not in said

def test_status_counts_the_incidents_nobody_closed(shop, capsys):
    def said(*words):
        capsys.readouterr()
        assert typed("status", *words) == 0
        return capsys.readouterr().out
    assert "incident" not in said()
    for text in ("The mail went out twice", "Codes were empty"): typed("incident", "open", "churn", "--text", text, "--as", ANALYST)
    typed("incident", "open", "spring", "--text", "Wrong language", "--as", ANALYST)
    assert "churn: 2 incidents are open, the oldest " in said() and "The mail went out twice" in said() and "spring: incident " in said()
    assert "Wrong language" not in said("churn") and "2 incidents are open" in said("churn")
    write_text(shop.root/"params.yaml", "sources: {shop: {kind: file}}\nmodels: {}\n")
    assert "2 incidents are open" in said(), "of a model that is declared no more"
    first, *_ = Ledger(shop).entries("incident_opened")
    typed("incident", "close", first.hash[:8], "--cause", "A retry", "--learnings", "A key", "--impact", "10 EUR", "--as", ANALYST)
    assert "churn: incident " in said() and "The mail went out twice" not in said()

def test_status_of_a_clone_says_that_what_is_live_is_not_there_and_how_it_comes(shop, capsys):
    bundle = released(shop)
    def said():
        capsys.readouterr()
        assert typed("status") == 0
        return capsys.readouterr().out
    place = bundle_place(shop, bundle.core_hash)
    assert "not in this folder" not in said()
    shutil.move(place, shop.root/"elsewhere")
    assert f"churn: {bundle.core_hash[:12]} is live and not in this folder" in said() and f"data/bundles/{bundle.core_hash}" in said() and "`mmops restore`" in said()
    shutil.move(shop.root/"elsewhere", place)
    assert "not in this folder" not in said()

def test_a_step_stands_where_mlflow_cannot_be_reached(shop, capsys):
    write_text(shop.root/"settings.ini", f"[DEFAULT]\napprovers = {OWNER}, marketing@example.com\ntracking_url = http://127.0.0.1:9/\n")
    shop = find_workspace(shop.root)
    released(shop)
    second = build(shop, 90.)
    approved(shop)
    capsys.readouterr()
    assert typed("release", "churn", "--as", ANALYST, "--stage", "canary") == 0
    assert "mlflow does not show it" in capsys.readouterr().out and live(shop, "churn").canary == second.core_hash
    assert typed("rollback", "churn", "--as", ANALYST, "--reason", "Complaints") == 0 and live(shop, "churn").canary is None
    assert typed("aliases") == 1 and "could not be used" in capsys.readouterr().err

@pytest.mark.slow
def test_one_command_gives_a_new_store_of_mlflow_versions_and_aliases_of_what_serves(shop, capsys):
    from marketing_mlops.registry.tracking import aliases_of
    first = released(shop)
    second = build(shop, 90.)
    approved(shop)
    assert typed("release", "churn", "--as", ANALYST, "--stage", "canary") == 0
    build(shop, 120.)                                          # the candidate is another one by now
    capsys.readouterr()
    assert typed("aliases", "--check") == 1 and "Next: `mmops aliases` puts them right." in capsys.readouterr().out
    assert typed("aliases") == 0
    assert {alias: core_hash for alias, core_hash in aliases_of(shop, "churn").items() if core_hash} == dict(champion=first.core_hash, canary=second.core_hash)
    said = capsys.readouterr().out.splitlines()
    assert f"mlflow shows {first.core_hash[:12]} as champion of churn." in said and f"mlflow shows {second.core_hash[:12]} as canary of churn." in said

def test_what_is_in_no_folder_here_is_named_with_what_to_do(shop, capsys):
    first = released(shop)
    shutil.rmtree(shop.root/"data"/"bundles")
    build(shop, 90.)
    capsys.readouterr()
    assert typed("aliases") == 1
    assert f"bundle {first.core_hash[:12]} has no version in mlflow, and the bundle is not in this folder." in (said := capsys.readouterr().out) and "mmops register" not in said

def test_what_comes_next_is_the_stage_the_approved_rules_ask_for(shop, capsys):
    released(shop)
    write_text(shop.root/"params.yaml", PARAMS.replace("consent_purpose: email}", "consent_purpose: email, release: {stages: [shadow, canary]}}"))
    build(shop, 90.)
    typed("request", "churn", "--as", ANALYST)
    for role in (OWNER, "marketing@example.com"):
        capsys.readouterr()
        typed("approve", "churn", "--as", role)
    asked = "Next: `mmops release churn --stage shadow --as ROLE`."
    assert asked in capsys.readouterr().out
    typed("status")
    assert asked in capsys.readouterr().out
    assert typed("release", "churn", "--as", ANALYST, "--stage", "shadow") == 0 and "Go on with `mmops release churn --stage canary --as ROLE`" in capsys.readouterr().out
    assert typed("release", "churn", "--as", ANALYST, "--stage", "canary") == 0 and "Go on with `mmops release churn --as ROLE`" in capsys.readouterr().out
    assert typed("release", "churn", "--as", ANALYST) == 0

@pytest.mark.slow
def test_mlflow_shows_no_champion_after_a_release_of_what_it_does_not_hold(shop, capsys):
    from marketing_mlops.registry.tracking_store import tracking_client
    def aliases(): return tracking_client(shop).get_registered_model("churn").aliases
    assert typed("register", "churn") == 0
    released(shop)
    assert set(aliases()) == {"champion"}
    capsys.readouterr()
    released(shop, 90.)
    assert "champion" not in aliases() and "which now shows no champion. Register it with `mmops register churn`." in capsys.readouterr().out
    assert typed("register", "churn") == 0
    assert set(aliases()) == {"champion"}

def test_the_first_request_puts_on_record_when_and_from_what_the_bundle_was_made_and_register_adds_its_trial(shop, capsys):
    bundle = read_bundle(shop.path("data", "bundle", "churn"))
    note_origin(shop, bundle.core_hash, clock=ReplayClock(instant_of("2026-03-01T08:30:00Z")))
    for _ in range(2): assert typed("request", "churn", "--as", ANALYST) == 0
    assert capsys.readouterr().out.count("On record: made 2026-03-01 08:30 UTC, revision unknown.") == 2
    for _ in range(2): assert typed("register", "churn", "--as", ANALYST) == 0
    asked, registered = Ledger(shop).entries("bundle_registered")
    assert (asked.payload["made_at"], asked.payload["links"]) == ("2026-03-01T08:30:00+00:00", {})
    assert registered.payload["made_at"] == asked.payload["made_at"] and registered.payload["links"]["mlflow version"] == "1"
    assert typed("register", "churn", "--as", "me") == 1 and "no mail address" in capsys.readouterr().err

def test_a_registered_candidate_still_waits_for_somebody_to_ask(shop, capsys):
    assert typed("register", "churn", "--as", ANALYST) == 0
    capsys.readouterr()
    typed("status")
    assert "a candidate waits" in capsys.readouterr().out

def test_status_and_live_offer_no_release_of_what_was_rolled_back_or_refused_elsewhere(shop, tmp_path, capsys):
    approved(shop)
    (shop.path("data", "state", "ledger_writer")).write_text("office\n")      # what a colleague wrote before pulling the yes
    log, kept = shop.path("data", "ledger", "laptop.jsonl"), shop.path("data", "ledger", "laptop.jsonl").read_text()
    log.write_text("".join(line for line in kept.splitlines(keepends=True) if "approval_granted" not in line))
    shop.path("data", "state", "ledger.db").unlink()
    assert typed("refuse", "churn", "--as", "marketing@example.com", "--reason", "Complaints doubled") == 0
    log.write_text(kept)
    capsys.readouterr()
    for words in (("status",), ("live",)):
        assert typed(*words) == 0 and "mmops release churn" not in capsys.readouterr().out
    refused(shop, capsys, "release", "churn", "--as", ANALYST, says="marketing@example.com refused it: Complaints doubled")

def test_a_version_registered_after_its_release_becomes_champion_in_mlflow_at_once(shop, capsys):
    bundle = released(shop)
    assert "mlflow holds no version of churn yet" in capsys.readouterr().out
    assert typed("register", "churn") == 0
    assert "mlflow shows it as champion" in capsys.readouterr().out

@pytest.mark.parametrize("address", ["http://127.0.0.1:9", "postgresql+nosuchdriver://analyst:${MMOPS_DATABASE_PASSWORD}@127.0.0.1:9/x"])
def test_a_release_stands_when_mlflow_cannot_be_reached(shop, capsys, monkeypatch, address):
    monkeypatch.setenv("MMOPS_DATABASE_PASSWORD", "very-secret")
    settings = shop.root/"settings.ini"
    settings.write_text(re.sub("tracking_url = .*", f"tracking_url = {address}", settings.read_text()))
    bundle = released(find_workspace(shop.root))
    said = capsys.readouterr()
    assert live(shop, "churn").champion == bundle.core_hash
    assert "is live, approved by" in said.out and "The champion stands, but mlflow does not show it" in said.out
    refused(shop, capsys, "register", "churn", says="could not be used")
    assert "very-secret" not in said.out + said.err + capsys.readouterr().err

ROLES = [("request", "churn"), ("approve", "churn"), ("refuse", "churn", "--reason", "x"), ("release", "churn"), ("rollback", "churn", "--reason", "x"), ("activate", "churn")]

@pytest.mark.parametrize("words", ROLES, ids=lambda words: words[0])
def test_nothing_is_decided_without_a_role(shop, capsys, words):
    refused(shop, capsys, *words, says=f"mmops {words[0]}: the role that acts is missing.")

@pytest.mark.parametrize("words", [("register",), ("request", "--as", ANALYST), ("release", "--as", ANALYST)], ids=lambda words: words[0])
@pytest.mark.parametrize("model, says", [("chrun", "Did you mean 'churn'?"), ("spring", "names no features"), ("../churn", "churn")])
def test_a_model_without_a_candidate_is_refused_with_the_reason(shop, capsys, words, model, says):
    refused(shop, capsys, words[0], model, *words[1:], says=says)

def test_a_candidate_that_was_not_built_yet_names_the_command(shop, capsys):
    import shutil
    shutil.rmtree(shop.path("data", "bundle", "churn"))
    refused(shop, capsys, "request", "churn", "--as", ANALYST, says="Build it with `mmops run churn`")

def test_a_changed_byte_is_found_by_every_command_that_reads_the_candidate(shop, capsys):
    approved(shop)
    (shop.path("data", "bundle", "churn")/"README.md").write_text("Better than it is")
    for words in (["register", "churn"], ["request", "churn", "--as", ANALYST], ["approve", "churn", "--as", OWNER], ["approve", "churn", "--as", "marketing@example.com"], ["release", "churn", "--as", ANALYST]):
        refused(shop, capsys, *words, says="README.md: this file was changed")

def three_approvers(shop):
    write_text(shop.root/"settings.ini", (shop.root/"settings.ini").read_text().replace(f"approvers = {OWNER}, marketing@example.com", f"approvers = {OWNER}, marketing@example.com, finance@example.com"))

def test_a_request_that_leaves_nobody_to_answer_is_refused_and_not_on_record(shop, capsys):
    refused(shop, capsys, "request", "churn", "--as", OWNER, says="No approver of the technical side would be left to answer")
    refused(shop, capsys, "request", "churn", "--as", ANALYST, "--author", OWNER, says="Let a role ask that is no approver")
    assert Ledger(shop).entries("approval_requested") == []

def test_who_asked_may_not_approve_and_an_outsider_may_neither(shop, capsys):
    three_approvers(shop)
    typed("request", "churn", "--as", OWNER)
    refused(shop, capsys, "approve", "churn", "--as", OWNER, says="asked for this approval")
    refused(shop, capsys, "approve", "churn", "--as", "intern@example.com", says="may not approve")
    refused(shop, capsys, "approve", "churn", "--as", "not a mail address", says="no mail address")

def test_who_may_not_answer_reads_that_and_nothing_before_it(shop, capsys):
    def said(*words):
        capsys.readouterr()
        typed("approve", "churn", "--as", *words)
        return capsys.readouterr()
    assert said(OWNER).out == "" and "Nobody asked for bundle" in said(OWNER).err
    typed("request", "churn", "--as", ANALYST)
    for role, says in ((ANALYST, "may not approve"), ("intern@example.com", "may not approve"), ("not a mail address", "no mail address")):
        assert said(role).out == "" and says in said(role).err
    assert "verdict pass" in said(f" {OWNER.upper()}").out, "an approver reads what the yes is about"
    typed("refuse", "churn", "--as", "marketing@example.com", "--reason", "Complaints doubled")
    assert said(OWNER).out == "" and "Complaints doubled" in said(OWNER).err

def test_who_built_it_may_not_approve_either(shop, capsys):
    three_approvers(shop)
    typed("request", "churn", "--as", ANALYST, "--author", OWNER)
    refused(shop, capsys, "approve", "churn", "--as", OWNER, says="built this bundle")
    assert typed("approve", "churn", "--as", "marketing@example.com") == 0

def test_a_request_keeps_its_reason_and_asking_twice_is_one_request(shop):
    for _ in range(2): typed("request", "churn", "--as", ANALYST, "--reason", "Monthly training")
    entry, = Ledger(shop).entries("approval_requested")
    assert entry.payload["reason"] == "Monthly training"

def test_a_request_for_what_is_approved_names_the_approver_the_end_and_the_release(shop, capsys):
    approved(shop)
    until = Ledger(shop).entries("approval_granted")[0].payload["expires_at"][:10]
    before = contents(shop)
    capsys.readouterr()
    assert typed("request", "churn", "--as", ANALYST) == 0
    said = capsys.readouterr().out
    assert f"approved by {OWNER}, marketing@example.com until {until}, identity: unverified" in said and said.endswith("Next: `mmops release churn --as ROLE`.\n")
    assert "mmops approve" not in said and "Approvers" not in said and contents(shop) == before

def test_a_request_for_what_is_live_says_that_nothing_is_left_to_do(shop, capsys):
    released(shop)
    capsys.readouterr()
    assert typed("request", "churn", "--as", ANALYST) == 0
    said = capsys.readouterr().out
    assert "It is live since" in said and "Next:" not in said

def test_a_pointer_that_cannot_be_read_is_written_again_by_the_command_its_error_names(shop, monkeypatch):
    from marketing_mlops.governance.live_pointers import pointer_file
    from marketing_mlops.jobs.scoring import champion_of
    from marketing_mlops.workspace.errors import WorkspaceError
    bundle = released(shop)
    for part in ("record_trial", "register_version"): monkeypatch.setattr(f"marketing_mlops.registry.tracking.{part}", lambda *about: "1")   # mlflow is slow, and not in question
    pointer_file(shop, "churn").write_text("{")
    with pytest.raises(WorkspaceError, match="run `mmops register churn`"): champion_of(shop, "churn")
    assert typed("register", "churn") == 0
    assert champion_of(shop, "churn") == bundle.core_hash

def test_every_state_of_an_approval_has_its_words():
    from typing import get_args
    from marketing_mlops.cli.approve import APPROVAL_WORDS
    from marketing_mlops.governance.approval_states import ApprovalStatus
    assert set(APPROVAL_WORDS) == set(get_args(ApprovalStatus))

def test_without_a_valid_approval_nothing_is_released(shop, capsys):
    refused(shop, capsys, "release", "churn", "--as", ANALYST, says="mmops request churn --as ROLE")
    typed("request", "churn", "--as", ANALYST)
    refused(shop, capsys, "release", "churn", "--as", ANALYST, says="the yes of the business side and the technical side is missing")
    typed("refuse", "churn", "--as", OWNER, "--reason", "Calibration is off")
    refused(shop, capsys, "release", "churn", "--as", ANALYST, says="Calibration is off")

def test_an_approval_that_has_ended_releases_nothing(shop, capsys):
    asked, past = bundle_evidence(shop.path("data", "bundle", "churn")), ReplayClock(instant_of("2020-01-01"))
    request_approval(shop, asked.matter, ANALYST, clock=past); grant(shop, asked.matter, OWNER, clock=past); grant(shop, asked.matter, "marketing@example.com", clock=past)
    refused(shop, capsys, "release", "churn", "--as", ANALYST, says="ended on 2020-01-31")
    typed("live")
    assert "was approved by model-owner@example.com, marketing@example.com until 2020-01-31" in capsys.readouterr().out

@pytest.mark.parametrize("status", ["pass", "review", "fail", "unknown"])
def test_a_request_says_at_once_when_the_release_would_be_refused(shop, capsys, status):
    build(shop, status=status); typed("request", "churn", "--as", ANALYST)
    assert ("Its release would be refused" in capsys.readouterr().out) is (status in ("fail", "unknown"))

def test_a_bundle_that_failed_its_gates_is_not_released_even_when_approved(shop, capsys):
    build(shop, status="fail"); approved(shop)
    refused(shop, capsys, "release", "churn", "--as", ANALYST, says="has the verdict 'fail'")

def test_an_approval_does_not_cover_the_next_candidate(shop, capsys):
    approved(shop); build(shop, 90.)
    refused(shop, capsys, "approve", "churn", "--as", OWNER, says="Nobody asked for bundle")
    refused(shop, capsys, "release", "churn", "--as", ANALYST, says="is not approved")

def test_releasing_what_is_live_changes_nothing(shop, capsys):
    released(shop)
    before = contents(shop)
    assert typed("release", "churn", "--as", ANALYST) == 0
    assert "nothing was changed" in capsys.readouterr().out and contents(shop) == before

def test_of_two_who_release_at_once_one_is_told(shop):
    approved(shop)
    command = [Path(sys.executable).with_name("mmops"), "release", "churn", "--as", ANALYST, "--workspace", str(shop.root)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [each.communicate(timeout=600)[0] for each in both]
    assert [each.returncode for each in both] == [0, 0]
    assert sorted(["is live, approved by" in each, "nothing was changed" in each] for each in said) == [[False, True], [True, False]]

def test_the_first_champion_has_nothing_to_go_back_to(shop, capsys):
    released(shop)
    refused(shop, capsys, "rollback", "churn", "--as", ANALYST, "--reason", "Complaints", says="no earlier champion")
    refused(shop, capsys, "rollback", "churn", "--as", ANALYST, says="the reason is missing")

def test_empty_states_say_what_comes_next(shop, capsys):
    typed("live"); typed("ledger"); typed("ledger", "verify")
    said = capsys.readouterr().out
    assert "Nothing is live yet. Next: `mmops request" in said and "Nothing was decided here yet" in said and "`features retire`" in said
    assert not shop.path("data", "ledger").exists() and not (shop.state/"ledger.db").exists()

def test_control_characters_of_an_evaluation_do_not_reach_the_terminal(shop, capsys):
    typed("request", "churn", "--as", ANALYST)
    said = capsys.readouterr().out
    assert "\x1b" not in said and "\\x1b[2J" in said

def test_a_release_added_by_hand_is_named_by_the_check_of_the_ledger(shop, capsys):
    first = released(shop)
    capsys.readouterr()
    assert typed("ledger", "verify") == 0 and "no valid approval" not in capsys.readouterr().out
    Ledger(shop).append("released", "churn", ANALYST, Ledger(shop).entries("released")[-1].payload | dict(bundle_hash="f"*64, before=first.core_hash))
    typed("ledger", "verify")
    said = capsys.readouterr().out
    assert "ledger: pass" not in said and "no valid approval stands behind the entry 'released' of bundle ffffffffffff" in said

def test_an_edited_ledger_is_named_and_ends_with_one(shop, capsys):
    released(shop)
    log = shop.path("data", "ledger", "laptop.jsonl")
    log.write_text(log.read_text().replace(OWNER, "intern@example.com"))
    capsys.readouterr()
    assert typed("ledger", "verify") == 1
    assert "was edited" in capsys.readouterr().out

@pytest.mark.parametrize("words, says", [(["--last", "0"], "--last is 0"), (["--about", "chrun"], "Did you mean 'churn'?"), (["verfy"], "unrecognized arguments")])
def test_a_mistyped_question_to_the_ledger_is_refused(shop, capsys, words, says):
    typed("request", "churn", "--as", ANALYST)
    refused(shop, capsys, "ledger", *words, says=says)

def point(shop, champion):
    "The pointer file, with another bundle in it."
    file = pointer_file(shop, "churn")
    return write_json(file, json.loads(file.read_text()) | {"champion": champion})

def test_a_pointer_that_names_another_bundle_than_the_ledger_stops_a_run_fails_the_check_and_is_mended_by_the_named_command(shop, capsys):
    first, second = released(shop), released(shop, 90.)
    for named in (first.core_hash, None):
        point(shop, named)
        refused(shop, capsys, "run", "churn", "--no-open", says="by the ledger " + second.core_hash[:12])
        with pytest.raises(ReleaseError, match="mmops register churn"): check_champions(shop, ["churn"])
        assert typed("ledger", "verify") == 1
        said = capsys.readouterr().out
        assert "ledger: fail" in said and "data/live/churn.json" in said and "mmops register churn" in said
        assert typed("register", "churn") == 0 and typed("ledger", "verify") == 0
        check_champions(shop, ["churn", "spring"])
    pointer_file(shop, "churn").unlink()
    with pytest.raises(ReleaseError, match="names no champion"): check_champions(shop, ["churn"])

def test_a_pointer_nobody_released_is_refused_before_a_run(shop, capsys):
    write_json(pointer_file(shop, "churn"), dict(model="churn", champion="ab"*32, routing={"champion": 1.0}, ledger_head="cd"*32))
    refused(shop, capsys, "run", "churn", "--no-open", says="by the ledger there is no champion")

def test_a_run_refuses_a_champion_whose_bytes_changed_and_live_says_so(shop, capsys):
    bundle = released(shop)
    file = bundle_place(shop, bundle.core_hash)/"parameters.json"
    file.write_text(file.read_text().replace("email", "sms"))
    refused(shop, capsys, "run", "churn", "--no-open", says="parameters.json: this file was changed")
    assert typed("live") == 0
    assert "Warning: The bundle" in (said := capsys.readouterr().out) and "parameters.json: this file was changed" in said

def test_live_warns_of_nothing_where_all_is_as_released_and_calls_a_day_to_come_unknown(shop, capsys):
    bundle = released(shop)
    capsys.readouterr()
    assert typed("live") == 0 and "Warning" not in capsys.readouterr().out
    assert typed("live", "--at", "2099-01-01") == 0
    assert "still to come: as known today" in (said := capsys.readouterr().out) and bundle.core_hash[:12] in said
    assert typed("live", "--at", "2026-01-01") == 0 and "still to come" not in capsys.readouterr().out

def test_a_lost_or_edited_database_is_made_again_by_the_command_that_the_check_names(shop, capsys):
    import sqlite3
    released(shop)
    database = shop.path("data", "state", "ledger.db")
    with sqlite3.connect(database) as edited: edited.execute("update ledger_entries set actor = 'intern@example.com'")
    capsys.readouterr()
    assert typed("ledger", "verify") == 1 and "Run `mmops ledger rebuild`." in capsys.readouterr().out
    assert typed("ledger", "rebuild") == 0 and typed("ledger", "verify") == 0
    database.unlink()
    assert typed("ledger", "rebuild") == 0 and typed("ledger", "verify") == 0

def test_live_says_for_whom_the_champion_was_approved_and_why_it_was_asked_for(shop, capsys):
    def said(*words):
        capsys.readouterr()
        assert typed("live", *words) == 0
        return capsys.readouterr().out
    build(shop, more={"audience": "Customers who agreed \x1b[2J to mail"})
    typed("request", "churn", "--as", ANALYST, "--reason", "Monthly training")
    assert "Monthly training" in said(), "who has to answer reads it, too"
    typed("approve", "churn", "--as", OWNER, "--reason", "Looks good"), typed("approve", "churn", "--as", "marketing@example.com")
    assert typed("release", "churn", "--as", ANALYST) == 0
    write_text(shop.root/"params.yaml", PARAMS.replace("audience: Customers", "audience: Everybody", 1))
    first = read_bundle(shop.path("data", "bundle", "churn"))
    words = f"bundle {first.core_hash[:12]}: for Customers who agreed \\x1b[2J to mail. {ANALYST} asked for it on"
    assert words in said() and ": Monthly training." in said() and "Everybody" not in said()
    released(shop, 90.)
    typed("rollback", "churn", "--as", ANALYST, "--reason", "Complaints")
    assert words in said() and ": Monthly training." in said(), "what came back was asked for by its own request"
    file = bundle_place(shop, first.core_hash)/"parameters.json"
    file.write_text(file.read_text().replace("to mail", "to calls"))
    assert words in said() and "to calls" not in said(), "the release remembers for whom, where the bundle was altered"

def test_a_retired_model_still_has_a_past(shop, capsys):
    bundle = released(shop)
    write_text(shop.root/"params.yaml", "sources: {shop: {kind: file}}\nmodels: {}\n")
    capsys.readouterr()
    assert typed("live", "churn") == 0
    assert bundle.core_hash[:12] in capsys.readouterr().out

def test_status_says_what_is_live_and_what_waits_without_mlflow(shop):
    bundle = released(shop)
    build(shop, 90.); typed("request", "churn", "--as", ANALYST)
    code = "import sys; from marketing_mlops.cli.commands import main; main(['status']); print(sorted(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"{bundle.core_hash[:12]} since " in done.stdout
    assert "nobody has answered" in done.stdout and "`mmops approve churn --as ROLE`" in done.stdout
    for heavy in ("mlflow", "pandas", "numpy", "onnxruntime"): assert f"'{heavy}'" not in done.stderr, heavy

def test_status_survives_a_broken_ledger(shop, capsys):
    released(shop)
    log = shop.path("data", "ledger", "laptop.jsonl")
    log.write_text(log.read_text().replace(OWNER, "intern@example.com"))
    capsys.readouterr()
    assert typed("status") == 0
    assert "was edited" in capsys.readouterr().out

PEOPLE = [f"c{i:02}" for i in range(40)]

@pytest.fixture
def scored(shop):
    "Forty people scored by the champion; c00 is in the holdout of the source, c01 in that of the model, c02 withdrew, c03 was never asked."
    bundle, then = released(shop), pd.Timestamp("2026-08-30T12:00:00Z")
    shop.accepted("shop").mkdir(parents=True)
    asked = [name for name in PEOPLE if name != "c03"]
    pd.DataFrame(dict(customer_id=asked, purpose="email", is_granted=[n != "c02" for n in asked], legal_basis="consent", occurred_at=then, known_at=then)).to_parquet(shop.accepted("shop")/"consents.parquet")
    pd.DataFrame(dict(experiment_id="holdout", customer_id=["c00"], arm="holdout", is_holdout=True, occurred_at=then, known_at=then)).to_parquet(shop.accepted("shop")/"assignments.parquet")
    frame = pd.DataFrame(dict(customer_id=PEOPLE, cutoff=then, is_holdout=[n == "c01" for n in PEOPLE], p_no_order=[1-i/100 for i in range(40)], role="champion", bundle_hash=bundle.core_hash))
    save(shop, frame)
    return frame

def save(shop, frame):
    place = shop.path("data", "score", "churn")
    place.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(place/"scores.parquet")

def test_a_list_holds_the_best_of_those_who_agreed_and_no_holdout(shop, scored, capsys):
    into = shop.root/"winback.csv"
    assert typed("activate", "churn", "--purpose", "email", "--top", "0.25", "--as", "marketing@example.com", "--into", into) == 0
    listed = pd.read_csv(into)
    assert listed.customer_id.tolist() == PEOPLE[4:13]                  # a quarter of the 36 who may be contacted
    entry = Ledger(shop).entries("audience_exported")[0]
    assert entry.payload["counts"]["holdout"] == 2 and entry.actor == "marketing@example.com"
    assert entry.occurred_at.startswith("2026-08-31") and entry.recorded_at > entry.occurred_at[:4]
    assert "c04" not in str(entry.payload)

def test_a_dry_run_shows_the_same_people_and_writes_nothing(shop, scored, capsys):
    before = contents(shop)
    assert typed("activate", "churn", "--top", "0.25", "--dry-run") == 0
    said = capsys.readouterr().out
    assert "9 of 40 people for email" in said and "nothing was written" in said and contents(shop) == before

@pytest.mark.parametrize("words, says", [(["--top", "10"], "--top is 10"), (["--top", "0"], "--top is 0"), (["--minimum", "nan"], "--minimum is nan"), (["--minimum", "inf"], "--minimum is inf"), (["--minimum=-inf"], "--minimum is -inf"),
                                         (["--top", "nan"], "--top is nan"), (["--purpose", "sms"], "the consent_purpose of the model is 'email'"), (["--purpose", "emial"], "Did you mean 'email'?"), (["--score", "p_churn"], "there is no score 'p_churn'"),
                                         (["--top", "many"], "invalid float value")], ids=lambda w: str(w)[:24])
def test_a_selection_that_means_nothing_is_refused(shop, scored, capsys, words, says):
    limit = [] if {"--top", "--minimum"} & set(words) else ["--top", "0.5"]
    refused(shop, capsys, "activate", "churn", "--as", "marketing@example.com", *limit, *words, says=says)

def test_rows_of_a_candidate_contact_nobody(shop, scored, capsys):
    save(shop, scored.assign(role="candidate"))
    refused(shop, capsys, "activate", "churn", "--as", "marketing@example.com", "--top", "0.5", says="come from a candidate")

def test_scores_of_the_champion_before_contact_nobody(shop, scored, capsys):
    released(shop, 90.)
    refused(shop, capsys, "activate", "churn", "--as", "marketing@example.com", "--top", "0.5", says="is the champion of churn since")

def test_a_purpose_that_was_not_approved_contacts_nobody_whatever_params_yaml_says_by_now(shop, scored, capsys):
    (shop.root/"params.yaml").write_text(PARAMS.replace("consent_purpose: email", "consent_purpose: sms"))
    refused(shop, capsys, "activate", "churn", "--purpose", "sms", "--as", "marketing@example.com", "--top", "0.5", says="the consent_purpose of the model is 'email'")
    assert typed("activate", "churn", "--top", "0.25", "--dry-run") == 0
    assert "9 of 40 people for email" in capsys.readouterr().out

def test_consents_that_grew_old_stop_a_live_source(shop, scored, capsys):
    (shop.source_folder("shop")/"mapping.yaml").unlink()
    refused(shop, capsys, "activate", "churn", "--as", "marketing@example.com", "--top", "0.5", says="days old")

def test_a_source_without_consents_or_scores_is_refused(shop, scored, capsys):
    (shop.accepted("shop")/"consents.parquet").unlink()
    refused(shop, capsys, "activate", "churn", "--as", "marketing@example.com", "--top", "0.5", says="consents")
    (shop.path("data", "score", "churn")/"scores.parquet").unlink()
    refused(shop, capsys, "activate", "churn", "--as", "marketing@example.com", "--top", "0.5", says="Make them with `mmops run churn`")

def test_a_list_without_an_end_is_refused_and_an_uplift_model_ends_where_a_contact_pays(shop, scored, capsys):
    refused(shop, capsys, "activate", "churn", "--as", "marketing@example.com", says="how many people are meant")
    prices = dict(experiment=dict(control="no_mail"), economics=dict(margin=.5, contact_cost=.4, unsubscribe_cost=4.))
    bundle = released(shop, 90., task="uplift", more=prices)
    (shop.root/"params.yaml").write_text(PARAMS.replace("task: propensity", "task: uplift"))
    save(shop, scored.rename(columns={"p_no_order": "gain_mail"}).assign(bundle_hash=bundle.core_hash))
    capsys.readouterr()
    assert typed("activate", "churn", "--dry-run") == 0
    said = capsys.readouterr().out
    assert "minimum 0.8, the gain at which a contact pays (cost 0.4 / margin 0.5; unsubscribes are not counted)" in said and "17 of 40 people" in said
    assert typed("activate", "churn", "--dry-run", "--minimum", "0.9") == 0
    assert "at which a contact pays" not in capsys.readouterr().out

def test_a_champion_that_fell_short_says_so_beside_its_list(shop, scored, capsys):
    bundle = released(shop, 90., status="review")
    save(shop, scored.assign(bundle_hash=bundle.core_hash))
    capsys.readouterr()
    assert typed("activate", "churn", "--dry-run", "--top", "0.5") == 0
    said = capsys.readouterr().out
    assert "Warning: verdict review. It ranks" in said and "\x1b" not in said

def test_scores_of_a_champion_whose_bytes_changed_contact_nobody(shop, scored, capsys):
    kept = shop.path("data", "bundles", live(shop, "churn").champion)
    file = kept/"parameters.json"
    file.chmod(0o644)
    file.write_text(file.read_text().replace("propensity", "Propensity"))
    refused(shop, capsys, "activate", "churn", "--as", "marketing@example.com", "--top", "0.5", says="parameters.json")

def test_what_is_live_and_what_waits_are_told_as_of_one_clock(shop, capsys, monkeypatch):
    asked, bundle = [], build(shop)
    typed("request", "churn", "--as", ANALYST)
    monkeypatch.setattr("marketing_mlops.cli.live.WallClock", lambda: asked.append(1) or ReplayClock(instant_of("2026-09-01")))
    assert typed("live") == 0 and len(asked) == 1
    assert bundle.core_hash[:12] in capsys.readouterr().out
