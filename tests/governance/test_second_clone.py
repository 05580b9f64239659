"""What a colleague gets who clones the workspace: the same history from the committed logs alone, and the same answers."""
import subprocess
import pytest
from governed_workspace import approved, at, make_workspace, put_live, small_bundle
from marketing_mlops.cli.commands import main
from marketing_mlops.governance.approval_states import approval_state
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.governance.live_pointers import live, what_was_live
from marketing_mlops.governance.policies import policy_in_force
from marketing_mlops.governance.releases import RollbackChoice, bundle_evidence, rollback, state_of_bundle
from marketing_mlops.governance.trials import start_canary
from marketing_mlops.workspace.places import find_workspace

ANALYST = "analyst@example.com"
DAYS = [f"03-{day:02}" for day in range(1, 13)]

def git(folder, *words): return subprocess.run(["git", "-c", "user.name=tests", "-c", "user.email=tests@example.com", *words], cwd=folder, check=True, capture_output=True, text=True).stdout

@pytest.fixture
def both(tmp_path):
    "A workspace with a past, in git as a workspace is, and a clone of it."
    here = make_workspace(tmp_path/"here")
    (here.root/".gitignore").write_text("data/state/\ndata/bundle/\ndata/bundles/\n")
    git(here.root, "init", "-q"), git(here.root, "add", "-A"), git(here.root, "commit", "-qm", "A workspace")
    made = [small_bundle(here, f"churn_{days}", even_after=float(days)) for days in (30, 60, 90)]
    put_live(here, approved(here, made[0], "03-01"), "03-02")
    put_live(here, approved(here, made[1], "03-03"), "03-04")
    start_canary(here, "churn", approved(here, made[2], "03-05"), ANALYST, share=.2, clock=at("03-06"))
    rollback(here, "churn", "marketing@example.com", "Complaints doubled", choice=RollbackChoice(stage="canary"), clock=at("03-08"))
    rollback(here, "churn", "marketing@example.com", "And again", choice=RollbackChoice(to=bundle_evidence(made[0]).bundle_hash), clock=at("03-10"))
    git(here.root, "add", "-A"), git(here.root, "commit", "-qm", "What was decided")
    git(tmp_path, "clone", "-q", str(here.root), "there")
    assert not (tmp_path/"there"/"data"/"state").exists()
    return here, find_workspace(tmp_path/"there"), [bundle_evidence(each) for each in made]

def test_a_second_clone_rebuilds_the_same_history_and_gives_the_same_answers(both):
    here, there, made = both
    assert Ledger(there).entries() == Ledger(here).entries() and Ledger(there).head == Ledger(here).head
    for day in DAYS: assert what_was_live(there, "churn", at(day).now()) == what_was_live(here, "churn", at(day).now())
    assert live(there, "churn") == live(here, "churn") and live(there, "churn").champion == made[0].bundle_hash
    own = [Ledger(shop).entries(subject="churn") for shop in (here, there)]
    assert policy_in_force(own[0]) == policy_in_force(own[1]) is not None
    for each in made:
        assert approval_state(here, each.matter, clock=at("03-12")) == approval_state(there, each.matter, clock=at("03-12"))
        assert len({state_of_bundle(entries, each.bundle_hash, at("03-12").now()) for entries in own}) == 1
    assert not git(there.root, "status", "--porcelain"), "looking changed something that is committed"

def test_a_second_clone_vouches_for_the_same_anchors(both):
    here, there, _ = both
    assert Ledger(there).catch_up() == len(Ledger(here).entries())     # the database of a clone is made from the logs
    first, second = (Ledger(shop).verify() for shop in (here, there))
    assert [each.message for each in second.reasons] == [each.message for each in first.reasons]
    assert second.status == first.status != "fail"

def test_the_commands_of_both_clones_print_the_same(both, capsys, monkeypatch):
    here, there, _ = both
    def said(shop, *words):
        monkeypatch.setenv("MMOPS_WORKSPACE", str(shop.root))
        monkeypatch.chdir(shop.root)
        code = main([*words])
        return code, capsys.readouterr().out.replace(str(shop.root), "")
    for shop in both[:2]: live(shop, "churn")
    for words in (["live", "--at", "2026-03-03"], ["live", "--at", "2026-03-07"], ["ledger", "verify"], ["ledger", "--about", "churn"]):
        first, second = said(here, *words), said(there, *words)
        assert first == second and first[1], words
