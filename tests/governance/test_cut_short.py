"""A process that dies at any write, a disk that is full and a server that is away: who serves is as before or as decided, and the next call completes it."""
import pytest
from variants import first_always
from governed_workspace import approved, at, finished, put_live, small_bundle, start
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.governance.live_checks import check_champions
from marketing_mlops.governance.live_pointers import bundle_place, live
from marketing_mlops.governance.releases import bundle_evidence, rollback
from marketing_mlops.governance.trials import start_canary
from marketing_mlops.registry.bundles import read_bundle

ANALYST, MARKETING = "analyst@example.com", "marketing@example.com"
STEPS = {    # name -> (the call, in a process of its own and here)
    "release": ('put_live(shop, folder, "03-06")', lambda shop, folder: put_live(shop, folder, "03-06")),
    "canary step": ('start_canary(shop, "churn", folder, "analyst@example.com", share=.2, clock=at("03-06"))', lambda shop, folder: start_canary(shop, "churn", folder, ANALYST, share=.2, clock=at("03-06"))),
    "rollback": ('rollback(shop, "churn", "marketing@example.com", "Complaints", clock=at("03-06"))', lambda shop, folder: rollback(shop, "churn", MARKETING, "Complaints", clock=at("03-06"))),
}
IMPORTS = "from marketing_mlops.governance.trials import start_canary\nfrom marketing_mlops.governance.releases import rollback\n"

# One process tries the step in a fork for every write there is: the n-th child dies at its n-th write, until one comes through.
# A write is what changes the disk: a text or bytes handed over, a sync, a file put in place, a folder made, a commit of the database.
DYING = '''
import itertools, shutil, sqlite3
import sqlalchemy.engine.default as engine
folder, root, aside = {folder!r}, {root!r}, {aside!r}
def dying(left):
    def counted(own):
        def call(*words, **more):
            left[0] -= 1
            if left[0] == 0: os.kill(os.getpid(), signal.SIGKILL)
            return own(*words, **more)
        return call
    for name in ("fsync", "replace", "rename", "mkdir", "truncate", "ftruncate"): setattr(os, name, counted(getattr(os, name)))
    from marketing_mlops.governance import ledger
    ledger.append_line = counted(ledger.append_line)
    shutil.copyfile = counted(shutil.copyfile)
    dialect = engine.DefaultDialect
    dialect.do_commit = counted(dialect.do_commit)
shutil.copytree(root, aside + "/kept")
for n in itertools.count(1):
    place = aside + "/" + str(n)
    shutil.copytree(aside + "/kept", place)
    child = os.fork()
    if child == 0:
        shop = find_workspace(place)
        folder = folder.replace(root, place)
        dying([n])
        {step}
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFEXITED(status):
        print(n - 1, os.WEXITSTATUS(status))
        break
'''

def serving(shop):
    found = live(shop, "churn")
    return found.champion, found.canary, found.canary_share

@pytest.mark.edges       # every write is a copy of the workspace and a process
@pytest.mark.parametrize("step", first_always(["rollback", "release", "canary step"]))
def test_killed_at_any_write_the_old_or_the_new_state_stands_and_the_next_call_completes_it(two, step, tmp_path):
    folder, aside = approved(two, small_bundle(two, "churn_30", even_after=30.), "03-05"), tmp_path/"aside"
    told, again = STEPS[step]
    aside.mkdir()
    died, code = map(int, finished(start(two, IMPORTS + DYING.format(folder=str(folder), root=str(two.root), aside=str(aside), step=told))).split())
    assert code == 0 and died >= 8
    before, after = serving(two), (again(two, folder), serving(two))[1]
    from marketing_mlops.workspace.places import find_workspace
    seen = set()
    for n in range(1, died + 1):
        shop = find_workspace(aside/str(n))
        stands = serving(shop)
        assert stands in (before, after), n
        seen.add(stands)
        check_champions(shop, ["churn"])
        for bundle in filter(None, stands[:2]): read_bundle(bundle_place(shop, bundle), expected=bundle)
        if stands == before or step != "rollback": again(shop, shop.root/folder.relative_to(two.root))
        assert serving(shop) == after and Ledger(shop).verify().status != "fail", n
    assert seen == {before, after}

# ---- a disk that is full

FULL = '''
import resource
from marketing_mlops.workspace.errors import MmopsError
folder = {folder!r}
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
largest = max(path.stat().st_size for path in shop.path("data", "ledger").glob("*.jsonl"))
resource.setrlimit(resource.RLIMIT_FSIZE, ({room} + largest*{of_log}, resource.RLIM_INFINITY))
try: {step}
except (OSError, MmopsError) as error: print("refused:", str(error).splitlines()[0])
else: print("went through")
'''

@pytest.mark.parametrize("room, of_log", [pytest.param(0, 0, marks=pytest.mark.edges), (200, 1)], ids=["for nothing", "for half an entry"])
@pytest.mark.parametrize("step", STEPS)
def test_a_full_disk_leaves_serving_on_the_last_good_state_and_the_next_call_succeeds(two, step, room, of_log):
    folder = approved(two, small_bundle(two, "churn_30", even_after=30.), "03-05")
    told, again = STEPS[step]
    before = serving(two)
    said = finished(start(two, IMPORTS + FULL.format(folder=str(folder), step=told, room=room, of_log=of_log)))
    assert said.startswith("refused:"), said
    assert serving(two) == before and Ledger(two).verify().status != "fail"
    check_champions(two, ["churn"])
    again(two, folder)
    assert serving(two) != before and Ledger(two).verify().status != "fail"
