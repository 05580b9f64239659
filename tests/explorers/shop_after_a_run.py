"""A workspace after its first run with an approval asked for, and how the app is driven over it."""
import os, shutil, subprocess
from app_workspace import BIN
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.governance.signatures import add_signer
from marketing_mlops.workspace.places import find_workspace

MODEL = "retailer_churn_90d"
ANALYST, MARKETING, OWNER, PRIVACY = (f"{name}@example.com" for name in ("analyst", "marketing", "model-owner", "data-protection"))

def mmops(place, *words, **more):
    "A command as somebody types it in the workspace."
    done = subprocess.run([BIN/"mmops", *words], cwd=place.root, env=os.environ | more, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout

def key_of(place, role): return place.root.parent/f"{role.split('@')[0]}_key"

def workspace_after_a_run(first_run, root):
    "A copy in which two approvers have keys and the analyst has asked for the candidate."
    shutil.copytree(first_run/"workspace", root, symlinks=True)
    place = find_workspace(root)
    for role in (MARKETING, OWNER):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(key_of(place, role))], check=True)
        add_signer(place, role, key_of(place, role).with_suffix(".pub").read_text())
    mmops(place, "request", MODEL, "--as", ANALYST, "--reason", "monthly training")
    return place

def grants(place): return [(each.actor, each.payload["identity"]) for each in Ledger(place).entries("approval_granted", subject=MODEL)]

def show(page, name, selector, choice=None):
    "Open an explorer as somebody who may still be in another one."
    back = page.locator(".mmd-bar .mmx-button")
    if back.is_visible(): back.click()
    if choice: page.select_option(f"[data-explorer={name}] select", choice)
    page.click(f"[data-explorer={name}] .mmd-open")
    page.wait_for_selector(f".mmd-content {selector}", timeout=120_000)
    return page

def says(page, selector, words): page.wait_for_function("([s, w]) => document.querySelector(s)?.textContent.includes(w)", arg=[selector, words], timeout=120_000)

def sit(page, role):
    "Say who sits there. Until the desk has been read for that role, nothing can be answered."
    can_answer, said = page.get_by_label("I am").evaluate("""(node, role) => { node.value = role; node.dispatchEvent(new Event('input', {bubbles: true}));
        return [[...document.querySelectorAll('.mma-approve, .mma-refuse')].some(button => !button.disabled), document.querySelector("[aria-label='Your answer']").textContent] }""", role)
    assert not can_answer and f"it is being read for {role}" in said
    page.wait_for_function("!document.querySelector('.mma').textContent.includes('it is being read for')", timeout=120_000)
