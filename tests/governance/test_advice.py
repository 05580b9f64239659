"""What a refusal advises is typed as it stands, and it leads to a release."""
import re, shutil, subprocess
import pytest
from governed_workspace import small_bundle
from marketing_mlops.cli.commands import main
from marketing_mlops.governance.approvals import request_approval
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.governance.live_pointers import live
from marketing_mlops.governance.policies import policy_in_force
from marketing_mlops.governance.release_gates import check_bundle
from marketing_mlops.governance.releases import bundle_evidence
from marketing_mlops.governance.signatures import add_signer

ANALYST, OWNER, FINANCE, PROTECTION = (f"{name}@example.com" for name in ("analyst", "model-owner", "finance", "data-protection"))

@pytest.fixture
def shop(shop, monkeypatch):
    monkeypatch.setenv("MMOPS_WORKSPACE", str(shop.root))
    monkeypatch.delenv("MMOPS_SIGNING_KEY", raising=False)
    return shop

def typed(*words): return main([str(word) for word in words])
def candidate(shop, days=60, **words): return small_bundle(shop, "churn", even_after=float(days), **words)
def matter(shop): return bundle_evidence(shop.path("data", "bundle", "churn")).matter
def ask(): assert typed("request", "churn", "--as", ANALYST) == 0
def agree(*roles): assert [typed("approve", "churn", "--as", role) for role in roles] == [0]*len(roles)
def go_live(shop, days=60, **words): candidate(shop, days, **words), ask(), agree(OWNER, FINANCE); assert typed("release", "churn", "--as", ANALYST) == 0
def edited(shop, name, old, new):
    path = shop.root/name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))

def refused(capsys, says, *words):
    "What a refused command prints."
    capsys.readouterr()
    assert typed(*words) == 1
    said = capsys.readouterr().err
    assert says in said, said
    return said

def follow(said, **roles):
    "Type the commands of an advice in their order; each with the role it is for, and a reason where one is asked for."
    commands = re.findall("`mmops ([^`]+)`", said)
    assert commands
    for command in commands:
        words = command.split()
        given = [roles.get(words[0], ANALYST) if word == "ROLE" else "Because" if word == "TEXT" else word for word in words]
        assert typed(*given) == 0, command

def leads_to_a_release(shop, capsys, says, *approvers, **roles):
    said = refused(capsys, says, "release", "churn", "--as", ANALYST)
    follow(said, **roles), agree(*approvers)
    assert typed("release", "churn", "--as", ANALYST) == 0
    assert live(shop, "churn").champion == matter(shop).bundle_hash

def test_nobody_asked(shop, capsys):
    candidate(shop)
    leads_to_a_release(shop, capsys, "nobody asked for these bytes", OWNER, FINANCE)

def test_one_side_is_missing(shop, capsys):
    candidate(shop), ask(), agree(OWNER)
    leads_to_a_release(shop, capsys, "the yes of", approve=FINANCE)

def test_refused(shop, capsys):
    candidate(shop), ask(), agree(OWNER, FINANCE)
    assert typed("refuse", "churn", "--as", PROTECTION, "--reason", "Consents") == 0
    follow(refused(capsys, "was refused by", "approve", "churn", "--as", OWNER))
    assert typed("refuse", "churn", "--as", PROTECTION, "--reason", "Consents") == 0
    leads_to_a_release(shop, capsys, "refused it", OWNER, FINANCE)

def test_taken_back(shop, capsys):
    candidate(shop), ask(), agree(OWNER, FINANCE)
    assert typed("withdraw", "churn", "--as", OWNER, "--reason", "Read too fast") == 0
    leads_to_a_release(shop, capsys, "took the yes back", OWNER, FINANCE)

def test_rolled_back(shop, capsys):
    go_live(shop), go_live(shop, 90)
    assert typed("rollback", "churn", "--as", ANALYST, "--reason", "Complaints") == 0
    leads_to_a_release(shop, capsys, "rolled it back on", OWNER)

def test_nothing_to_take_back(shop, capsys):
    candidate(shop), ask(), agree(OWNER)
    follow(refused(capsys, "has no yes to take back", "withdraw", "churn", "--as", FINANCE, "--reason", "Late"), refuse=FINANCE)

def test_an_answer_to_other_bytes(shop, capsys):
    candidate(shop)
    follow(refused(capsys, "Nobody asked for bundle", "approve", "churn", "--as", OWNER))
    agree(OWNER)

def test_a_gate_nobody_asked(shop, capsys):
    folder = candidate(shop)
    request_approval(shop, matter(shop), ANALYST, structure=bundle_evidence(folder).structure)
    follow(refused(capsys, "Nobody has measured fairness and rebuild", "approve", "churn", "--as", OWNER))
    agree(OWNER, FINANCE)
    assert typed("release", "churn", "--as", ANALYST) == 0

def test_a_gate_nobody_asked_before_the_yes(shop, capsys):
    from marketing_mlops.governance.approvals import grant
    folder = candidate(shop)
    request_approval(shop, matter(shop), ANALYST, structure=bundle_evidence(folder).structure)
    check_bundle(shop, "churn", folder, ANALYST)
    for role in (OWNER, FINANCE): grant(shop, matter(shop), role)
    leads_to_a_release(shop, capsys, "nobody has measured fairness and rebuild", OWNER, FINANCE)

@pytest.mark.parametrize("name, old, new, says, approver", [
    ("settings.ini", ", finance@example.com", "", "finance@example.com is no approver any more", OWNER),
    ("params.yaml", "task: propensity}", "task: propensity, release: {approval_days: 9}}", "approved by other rules than those in force", FINANCE)])
def test_other_rules_have_come_into_force(shop, capsys, name, old, new, says, approver):
    go_live(shop)
    candidate(shop, 90), ask(), agree(FINANCE)
    edited(shop, name, old, new)
    candidate(shop, 120), ask(), agree(OWNER, FINANCE)       # these bring the new rules
    candidate(shop, 90)
    leads_to_a_release(shop, capsys, says, approver, withdraw=FINANCE)

def test_another_structure_than_was_told(shop, capsys):
    folder = candidate(shop)
    own = bundle_evidence(folder).structure
    told = own | {next(iter(own)): "0"*64}
    request_approval(shop, matter(shop), ANALYST, structure=told)
    assert typed("check", "churn", "--as", ANALYST) == 0
    agree(OWNER, FINANCE)
    leads_to_a_release(shop, capsys, "another structure than its approvers were told", OWNER, FINANCE, withdraw=OWNER)

def test_a_request_that_called_itself_a_refresh(shop, capsys):
    go_live(shop)
    asked, ledger = bundle_evidence(candidate(shop, 90, algorithm={"name": "logistic_regression"})), Ledger(shop)
    ledger.append("approval_requested", "churn", ANALYST, dict(bundle_hash=asked.bundle_hash, evaluation_hash=asked.evaluation_hash, author=ANALYST, reason="", structure=asked.structure, changes=[],
        missing=["either"], policy_hash=policy_in_force(ledger.entries(subject="churn")).hash))
    assert typed("check", "churn", "--as", ANALYST) == 0
    agree(OWNER)
    leads_to_a_release(shop, capsys, "is missing, whatever the entries say", OWNER, FINANCE, withdraw=OWNER)

def test_who_said_yes_turns_out_to_be_the_author(shop, capsys):
    candidate(shop), ask(), agree(OWNER, FINANCE)
    ledger = Ledger(shop)
    ledger.append("approval_requested", "churn", ANALYST, ledger.entries("approval_requested")[-1].payload | dict(author=OWNER))
    leads_to_a_release(shop, capsys, "model-owner@example.com built this bundle", PROTECTION, FINANCE, withdraw=FINANCE)

def test_gates_of_its_own(shop, capsys):
    candidate(shop, gates={"auc": .6}), ask()
    request = Ledger(shop).entries("approval_requested")[-1]
    agree(OWNER, FINANCE)
    said = refused(capsys, "was judged by other gates", "release", "churn", "--as", ANALYST)
    edited(shop, "params.yaml", "task: propensity}", "task: propensity, gates: {auc: 0.6}}")
    follow(said.replace("`mmops run churn`", ""), withdraw=OWNER)
    agree(OWNER, FINANCE)
    assert Ledger(shop).entries("approval_requested")[-1].payload["policy_hash"] != request.payload["policy_hash"]
    assert typed("release", "churn", "--as", ANALYST) == 0

def test_a_request_that_is_stopped_while_it_measures_has_asked_nobody(shop, capsys, monkeypatch):
    from marketing_mlops.cli import release_checks
    def stopped(*_): raise KeyboardInterrupt
    candidate(shop)
    with monkeypatch.context() as patch:
        patch.setitem(release_checks.MEASURES, "rebuild", ("building it a second time", stopped))
        assert typed("request", "churn", "--as", ANALYST) != 0
    assert Ledger(shop).entries(subject="churn") == []
    ask()
    assert [entry.kind for entry in Ledger(shop).entries(subject="churn") if entry.kind.startswith(("approval", "bundle_checked"))] == ["approval_requested", "bundle_checked"]

def test_what_was_measured_is_not_measured_again_by_a_request(shop, capsys, monkeypatch):
    from marketing_mlops.cli import release_checks
    from marketing_mlops.contracts.verdict import judged
    done = []
    def measure(name): return lambda *_: done.append(name) or judged(name)
    for name, (said, _) in release_checks.MEASURES.items(): monkeypatch.setitem(release_checks.MEASURES, name, (said, measure(name)))
    candidate(shop)
    assert typed("check", "churn", "--as", ANALYST, "--no-rebuild") == 0 and done == ["fairness"]
    ask(), ask()
    assert done == ["fairness", "rebuild"]
    agree(OWNER, FINANCE)
    assert typed("release", "churn", "--as", ANALYST) == 0
    candidate(shop, 90), ask()
    assert done[2:] == ["fairness", "champion", "rebuild"]

@pytest.mark.parametrize("kind, says", [("text", "notes could not sign: it is no private SSH key"), ("public", "alone.pub could not sign: it is the public half, and no agent holds the private one"),
    ("locked", "locked could not sign: it is locked, and its passphrase was not typed or is another"), ("open", "open could not sign: others may read it, so it is not used")])
def test_a_key_that_cannot_sign_says_what_is_wrong_and_the_right_one_signs_after_it(shop, tmp_path, capsys, monkeypatch, kind, says):
    if not shutil.which("ssh-keygen"): pytest.skip("ssh-keygen is not installed")
    for name in ("SSH_AUTH_SOCK", "DISPLAY"): monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSH_ASKPASS", "/bin/false"), monkeypatch.setenv("SSH_ASKPASS_REQUIRE", "force")     # nobody is there to type
    def key(name, passphrase=""): subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "", "-f", tmp_path/name], check=True); return tmp_path/name
    right, wrong = key("right"), tmp_path/{"text": "notes", "public": "alone.pub"}.get(kind, kind)
    if kind == "text": wrong.write_text("my passwords\n")
    if kind == "public": shutil.copy2(key("lost").with_suffix(".pub"), wrong)
    if kind == "locked": key("locked", "a long one")
    if kind == "open": key("open").chmod(0o644)
    for file in (right, wrong):
        if file.with_suffix(".pub").is_file(): add_signer(shop, OWNER, file.with_suffix(".pub").read_text())
    candidate(shop), ask()
    refused(capsys, says, "approve", "churn", "--as", OWNER, "--key", wrong)
    assert typed("approve", "churn", "--as", OWNER, "--key", right) == 0 and "identity: verified" in capsys.readouterr().out
