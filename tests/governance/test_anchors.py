"""What a git tag at the end of the ledger shows, and that nothing waits for one."""
import importlib, os, pkgutil, subprocess
import pytest
import marketing_mlops.governance
from governed_workspace import at, make_workspace, small_bundle
from marketing_mlops.governance.anchors import ANCHORED_KINDS, read_anchors
from marketing_mlops.governance.approvals import grant, request_approval
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.governance.ledger_databases import store_file
from marketing_mlops.governance.ledger_entries import ENTRY_KINDS, LedgerError
from marketing_mlops.governance.live_pointers import RELEASED
from marketing_mlops.governance.releases import bundle_evidence
from marketing_mlops.governance.signatures import add_signer
from marketing_mlops.governance.text_log import log_file
from marketing_mlops.workspace.places import find_workspace

def git(shop, *words): return subprocess.run(["git", "-C", shop.root, "-c", "user.name=analyst", "-c", "user.email=analyst@example.com", *words], check=True, capture_output=True, text=True).stdout

@pytest.fixture
def repository(shop):
    git(shop, "init", "-q"), git(shop, "commit", "-q", "--allow-empty", "-m", "First")
    return shop

FACTS = {"bundle_hash": "5f2a"*16, "approver": "model-owner@example.com", "reason": ""}
def record(shop, kind, day): return Ledger(shop, at(day)).append(kind, "churn", "marketing@example.com", FACTS)
def cut(shop, n):
    "Forget the newest entries in log and database."
    lines = log_file(shop, "laptop").read_text().splitlines(keepends=True)
    log_file(shop, "laptop").write_text("".join(lines[:-n]))
    store_file(shop).unlink()
    Ledger(shop).rebuild()

def reasons(shop): return {reason.code: reason for reason in Ledger(shop).verify().reasons}

def test_every_anchored_kind_is_declared():
    for module in pkgutil.iter_modules(marketing_mlops.governance.__path__): importlib.import_module(f"marketing_mlops.governance.{module.name}")
    assert set(ANCHORED_KINDS) <= set(ENTRY_KINDS)

def test_a_release_leaves_a_tag_and_a_remark_leaves_none(repository):
    record(repository, "note", "09-01")
    released = record(repository, RELEASED, "09-02")
    assert [(anchor.hash, anchor.state) for anchor in read_anchors(repository)] == [(released.hash, "unsigned")]
    assert "Vouched for up to entry 2 of laptop (released, 2026-09-02)" in reasons(repository)["anchors"].message

def test_an_end_cut_off_up_to_a_tag_shows_and_behind_it_cannot_be_seen_which_is_said(repository):
    record(repository, RELEASED, "09-01"), record(repository, "note", "09-02")
    cut(repository, 1)
    assert Ledger(repository).verify().passed and "cannot be seen" in reasons(repository)["anchors"].message
    cut(repository, 1)
    assert "(unsigned) names the entry" in reasons(repository)["anchor_missing"].message

def test_without_a_commit_the_release_is_recorded_and_the_missing_tag_is_told_and_made_later(shop):
    git(shop, "init", "-q")
    record(shop, RELEASED, "09-01")
    assert Ledger(shop).verify().status == "review" and "1 approval or release is covered by no git tag" in reasons(shop)["not_anchored"].message
    with pytest.raises(LedgerError, match="Git made no tag"): Ledger(shop).anchor()
    git(shop, "commit", "-q", "--allow-empty", "-m", "First")
    assert Ledger(shop).anchor() and Ledger(shop).verify().passed

def new_key(folder, name="owner", passphrase=""):
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "", "-f", folder/name], check=True)
    return folder/name

@pytest.mark.parametrize("named", ["by the call", "in the environment", "to git"])
@pytest.mark.parametrize("form", ["", "openpgp", "ssh"])
def test_a_tag_is_signed_with_the_key_of_approvals_however_git_signs(repository, tmp_path, monkeypatch, named, form):
    key = new_key(tmp_path/"keys")
    monkeypatch.delenv("MMOPS_SIGNING_KEY", raising=False)
    add_signer(repository, "model-owner@example.com", key.with_suffix(".pub").read_text())
    if form: git(repository, "config", "gpg.format", form)
    if named == "in the environment": monkeypatch.setenv("MMOPS_SIGNING_KEY", str(key))
    if named == "to git": git(repository, "config", "user.signingkey", str(key))
    Ledger(repository, at("09-01"), str(key) if named == "by the call" else None).append(RELEASED, "churn", "marketing@example.com", FACTS)
    assert [(anchor.state, anchor.signer) for anchor in read_anchors(repository)] == [("verified", "model-owner@example.com")]
    assert "signed by model-owner@example.com" in reasons(repository)["anchors"].message and "unsigned" not in reasons(repository)["anchors"].message

def test_an_approval_given_with_a_key_is_anchored_with_it(repository, tmp_path, monkeypatch):
    monkeypatch.delenv("MMOPS_SIGNING_KEY", raising=False)
    key, folder = new_key(tmp_path/"keys"), small_bundle(repository, "first")
    add_signer(repository, "model-owner@example.com", key.with_suffix(".pub").read_text())
    asked = bundle_evidence(folder)
    request_approval(repository, asked.matter, "analyst@example.com", structure=asked.structure, clock=at("09-01"))
    grant(repository, asked.matter, "model-owner@example.com", key=str(key), clock=at("09-01"))
    assert [anchor.signer for anchor in read_anchors(repository)] == ["model-owner@example.com"]

def test_without_a_key_the_tag_is_called_unsigned_in_plain_words(repository, monkeypatch):
    monkeypatch.delenv("MMOPS_SIGNING_KEY", raising=False)
    record(repository, RELEASED, "09-01")
    assert "It is an unsigned anchor: whoever can write to this repository could have made it anew." in reasons(repository)["anchors"].message

def test_a_locked_key_stops_no_release_and_leaves_an_unsigned_tag(repository, tmp_path, monkeypatch):
    monkeypatch.setenv("MMOPS_SIGNING_KEY", str(new_key(tmp_path/"keys", passphrase="a long one")))
    record(repository, RELEASED, "09-01")
    assert [anchor.state for anchor in read_anchors(repository)] == ["unsigned"]

def test_a_key_that_is_gone_leaves_an_unsigned_tag(repository):
    git(repository, "config", "gpg.format", "ssh"), git(repository, "config", "user.signingkey", "/nowhere/key")
    record(repository, RELEASED, "09-01")
    assert [anchor.state for anchor in read_anchors(repository)] == ["unsigned"]

def test_without_git_releases_are_recorded_and_verify_says_so(repository, monkeypatch):
    monkeypatch.setenv("PATH", os.devnull)
    assert record(repository, RELEASED, "09-01").number == 1 and "not_anchored" in reasons(repository)

def test_settings_switch_tags_off_and_verify_says_so(repository):
    with open(repository.root/"settings.ini", "a") as file: file.write("ledger_anchor = none\n")
    shop = find_workspace(repository.root)
    record(shop, RELEASED, "09-01")
    assert read_anchors(shop) == [] and Ledger(shop).verify().passed and "ledger_anchor = none" in reasons(shop)["anchors"].message

def test_a_workspace_inside_a_larger_repository_makes_no_tags_there_unasked(repository):
    inner = make_workspace(repository.root/"shops"/"spring")
    record(inner, RELEASED, "09-01")
    assert git(repository, "tag") == "" and "is no git repository" in reasons(inner)["anchors"].message

def test_a_colleagues_tags_count_once_they_are_fetched(repository, tmp_path):
    record(repository, RELEASED, "09-01")
    git(repository, "add", "settings.ini", "params.yaml", "data/ledger"), git(repository, "commit", "-q", "-m", "All")
    subprocess.run(["git", "clone", "-q", repository.root, tmp_path/"clone"], check=True)
    clone = find_workspace(tmp_path/"clone")
    assert [anchor.state for anchor in read_anchors(clone)] == ["unsigned"] and Ledger(clone).verify().status == "pass"      # its database is not made yet, which is no fault
    Ledger(clone).rebuild()
    assert Ledger(clone).verify().passed
