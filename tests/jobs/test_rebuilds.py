"""A rebuild says what is missing in words, leaves nothing behind however it ends, and finds what differs."""
import os, shlex, signal, subprocess, sys, tempfile, time
from dataclasses import replace
from pathlib import Path
import pytest
from marketing_mlops.governance.named_bundles import NamedBundle
from marketing_mlops.jobs import rebuilds
from marketing_mlops.jobs.rebuild_plans import BuildStage, RebuildError, build_plan, check_revision, recorded_hash, files_below, recorded_stages, stages_to
from marketing_mlops.jobs.rebuilds import rebuilt, temporary_place
from marketing_mlops.registry.bundle_files import BundleError, opened_files, seal_files
from marketing_mlops.workspace.places import find_workspace, write_text

pytestmark = pytest.mark.edges

MAKE = """import sys, time; from pathlib import Path
from marketing_mlops.registry.bundle_files import seal_files
if Path("slow").exists(): print("slowly", flush=True); time.sleep(60)
rows = Path("data/ingest/shop/rows.csv").read_bytes()
seal_files("data/bundle/churn", {"rows.json": b"[%d]" % rows.count(b"\\n")}, dict(format=1, model="churn"), {})
"""
COPY = """import shutil; shutil.copytree("data/sources/shop", "data/ingest/shop", dirs_exist_ok=True)\n"""

def git(folder, *words):
    done = subprocess.run(["git", "-C", str(folder), "-c", "user.name=tests", "-c", "user.email=tests@example.com", *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()

@pytest.fixture
def places(tmp_path, monkeypatch):
    "Temporary folders of this test alone."
    (tmp_path/"temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path/"temporary"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path/"temporary"

@pytest.fixture
def shop(tmp_path, places):
    "Two stages as shell commands, run once and committed."
    root = tmp_path/"shop"
    write_text(root/"settings.ini", "[DEFAULT]\nreporting_currency = EUR\n")
    for name, text in (("make.py", MAKE), ("copy_rows.py", COPY), (".gitignore", "/data/?*\n/slow\n")): write_text(root/name, text)
    write_text(root/"data/sources/shop/rows.csv", "ada\nbob\n")
    for name in ("copy_rows.py", "make.py"): subprocess.run([sys.executable, name], cwd=root, check=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})
    h = lambda path: recorded_hash(root/path)
    write_text(root/"dvc.lock", f"""stages:
  bundle@churn:
    cmd: {sys.executable} make.py
    deps: [{{path: data/ingest/shop, md5: {h('data/ingest/shop')}}}, {{path: make.py, md5: {h('make.py')}}}]
    outs: [{{path: data/bundle/churn, md5: {h('data/bundle/churn')}}}]
  ingest@shop:
    cmd: {sys.executable} copy_rows.py
    deps: [{{path: data/sources/shop, md5: {h('data/sources/shop')}}}, {{path: copy_rows.py, md5: {h('copy_rows.py')}}}]
    outs: [{{path: data/ingest/shop, md5: {h('data/ingest/shop')}}}]
""")
    git(tmp_path, "init", "-q", str(root)); git(root, "add", "-A"); git(root, "commit", "-qm", "A shop")
    return find_workspace(root)

@pytest.fixture
def bundle(shop):
    folder = shop.output("bundle", "churn")
    return NamedBundle("churn", opened_files(folder)[3], folder, "2026-04-01T08:00:00+00:00", git(shop.root, "rev-parse", "HEAD"))

def refused(shop, bundle, **options):
    with pytest.raises(RebuildError) as why:
        with rebuilt(shop, bundle, **options): pass
    return str(why.value)

def test_a_rebuild_of_a_clean_revision_is_the_same_and_leaves_nothing(shop, bundle, places):
    before = files_below(shop.root/"data")
    with rebuilt(shop, bundle) as again: assert (again.core_hash, again.other, again.plan.notes) == (bundle.core_hash, [], [])
    assert list(places.iterdir()) == [] and files_below(shop.root/"data") == before and git(shop.root, "status", "--porcelain") == ""
    assert not (shop.root/".git/worktrees").exists()

def test_a_shallow_clone_is_told_to_fetch(shop, bundle, tmp_path):
    git(shop.root, "commit", "-q", "--allow-empty", "-m", "Later")
    git(tmp_path, "clone", "-q", "--depth", "1", shop.root.as_uri(), str(tmp_path/"shallow"))
    with pytest.raises(RebuildError, match="(?s)newest revisions only.*git fetch --unshallow"): check_revision(find_workspace(tmp_path/"shallow"), bundle.commit, "churn")

def test_a_folder_without_git_is_told_to_clone(bundle, tmp_path):
    write_text(tmp_path/"plain/settings.ini", "[DEFAULT]\nreporting_currency = EUR\n")
    with pytest.raises(RebuildError, match="not a git clone"): check_revision(find_workspace(tmp_path/"plain"), bundle.commit, "churn")

def test_a_bundle_of_unknown_origin_is_told_to_be_registered(shop, bundle):
    assert "mmops register churn" in refused(shop, replace(bundle, revision="unknown"))

def test_changes_that_were_never_committed_are_named(shop, bundle):
    script, folder = shop.root/"make.py", shop.output("bundle", "churn")
    lock, then = (shop.root/"dvc.lock").read_text(), (recorded_hash(script), recorded_hash(folder))
    write_text(script, MAKE.replace("[%d]", "[%d, 1]"))
    subprocess.run([sys.executable, "make.py"], cwd=shop.root, check=True, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})
    write_text(shop.root/"dvc.lock", lock.replace(then[0], recorded_hash(script)).replace(then[1], recorded_hash(folder)))
    said = refused(shop, replace(bundle, core_hash=opened_hash(folder), revision=f"{bundle.revision} with uncommitted changes"))
    assert "nobody committed: make.py of revision" in said and "`mmops run`" in said

def test_a_bundle_of_a_later_format_is_named_before_anything_runs(shop, bundle, tmp_path):
    seal_files(tmp_path/"tomorrow", {}, dict(format=2), {})
    with pytest.raises(BundleError, match="is of format 2"):
        with rebuilt(shop, replace(bundle, folder=tmp_path/"tomorrow", core_hash=opened_hash(tmp_path/"tomorrow"))): pass

def opened_hash(folder):
    import hashlib
    return hashlib.sha256((folder/"core.json").read_bytes()).hexdigest()

def test_rows_that_changed_are_said_and_the_recorded_tables_are_taken(shop, bundle):
    write_text(shop.root/"data/sources/shop/rows.csv", "ada\n")
    with rebuilt(shop, bundle) as again:
        assert again.core_hash == bundle.core_hash and [stage.name for stage in again.plan.stages] == ["bundle@churn"]
        assert "holds other files than were read then" in again.plan.notes[0]

def test_a_half_pulled_remote_is_named_by_file(shop, bundle):
    import hashlib, json, shutil
    tables = shop.path("data/ingest/shop")
    listed = json.dumps([dict(md5=hashlib.md5((tables/"rows.csv").read_bytes()).hexdigest(), relpath="rows.csv")])
    digest = recorded_hash(tables)
    assert hashlib.md5(listed.encode()).hexdigest() + ".dir" == digest
    write_text(shop.path(".dvc/cache/files/md5", digest[:2], digest[2:]), listed)
    shutil.rmtree(tables); shutil.rmtree(shop.path("data/sources/shop"))
    said = refused(shop, bundle)
    assert "data/sources/shop is not here" in said and "1 file of data/ingest/shop: rows.csv" in said and "dvc pull" in said

def test_a_source_with_a_secret_key_needs_that_key(shop, bundle, monkeypatch):
    import shutil
    monkeypatch.delenv("MMOPS_ID_KEY", raising=False)
    write_text(shop.root/"data/sources/shop/mapping.yaml", "identity: keyed\n")
    lock = (shop.root/"dvc.lock").read_text()
    old = next(line for line in lock.splitlines() if "path: data/sources/shop" in line).split("md5: ")[1].split("}")[0]
    write_text(shop.root/"dvc.lock", lock.replace(old, recorded_hash(shop.path("data/sources/shop"))))
    shutil.rmtree(shop.path("data/ingest/shop"))
    chain = stages_to(recorded_stages(shop.root), "data/bundle/churn")
    with pytest.raises(RebuildError, match="key of the customers' pseudonyms is not here"): build_plan(shop, shop.root/"nowhere", [replace(stage, deps={path: digest for path, digest in stage.deps.items() if path.startswith("data/")}) for stage in chain], "churn")

def test_a_folder_in_the_cache_that_leads_elsewhere_is_not_taken(shop, bundle):
    import hashlib, json
    listed = json.dumps([dict(md5="0"*32, relpath="../../../outside")])
    digest = hashlib.md5(listed.encode()).hexdigest() + ".dir"
    write_text(shop.path(".dvc/cache/files/md5", digest[:2], digest[2:]), listed)
    from marketing_mlops.jobs.rebuild_plans import cached_content
    assert cached_content(shop, digest)[1] == ["../../../outside (leaves its folder)"]

def test_a_stage_that_does_not_end_is_ended_with_its_children(shop, places, monkeypatch):
    stage = recorded_stages(shop.root)[0]
    began = time.monotonic()
    with temporary_place() as place, pytest.raises(RebuildError, match="did not end within 0.3 seconds"): rebuilds._run_stage(replace(stage, command="sleep 61 & sleep 62"), place, os.environ, .3)
    assert time.monotonic() - began < 20 and not subprocess.run(["pgrep", "-fx", "sleep 6[12]"], capture_output=True, text=True).stdout

@pytest.mark.parametrize("how, left", [(signal.SIGINT, 0), (signal.SIGKILL, 1)], ids=["ctrl_c", "kill_9"])
def test_whoever_stops_a_rebuild_leaves_nothing_that_stays(shop, bundle, places, how, left):
    code = f"from pathlib import Path; from marketing_mlops.jobs.rebuilds import temporary_place\nimport time\nwith temporary_place() as place: print(place, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=os.environ | {"TMPDIR": str(places), "PYTHONPATH": os.pathsep.join(sys.path)}) as process:
        process.stdout.readline()
        with temporary_place(): assert len(list(places.iterdir())) == 2, "one that is in use stays"
        process.send_signal(how); process.wait(20)
    assert len(list(places.iterdir())) == left
    with temporary_place(): assert len(list(places.iterdir())) == 1
    assert list(places.iterdir()) == []

def test_a_stage_that_is_ended_writes_nothing_afterwards(tmp_path):
    slow = "import signal, sys, time\ndef end(*_): time.sleep(1); open('last', 'w').close(); sys.exit()\nsignal.signal(signal.SIGTERM, end); open('ready', 'w').close(); time.sleep(60)"
    (tmp_path/"slow.py").write_text(slow)
    stage = BuildStage("slow", f"{shlex.quote(sys.executable)} slow.py; true", {}, {})
    with pytest.raises(RebuildError, match="did not end within"): rebuilds._run_stage(stage, tmp_path, dict(os.environ), 2.)
    assert (tmp_path/"ready").exists() and (tmp_path/"last").exists()       # it has written before we go on

def test_what_a_stage_began_in_a_warm_worker_ends_before_the_folder_goes(shop, tmp_path):
    "The worker answers only to those with its environment, and the copy has one of its own."
    copy = tmp_path/"copy"
    write_text(copy/"settings.ini", "[DEFAULT]\nreporting_currency = EUR\n")
    write_text(copy/"late.py", "import signal, sys, time\ndef main(*words):\n    def end(*_): time.sleep(1); open('last', 'w').close(); sys.exit()\n"
               "    signal.signal(signal.SIGTERM, end); open('ready', 'w').close(); time.sleep(60)\n")
    begin = "from marketing_mlops.jobs.client import run_warm; from marketing_mlops.jobs.workers import worker_home; run_warm(worker_home(), 'late:main', [], deadline_s=60)"
    environment = rebuilds.rebuild_environment(shop, copy) | {"PYTHONPATH": os.pathsep.join([str(copy), *sys.path])}
    plan = rebuilds.BuildPlan([BuildStage("late", f"{shlex.quote(sys.executable)} -c {shlex.quote(begin)}", {}, {})])
    with pytest.raises(RebuildError, match="did not end within"): rebuilds.run_stages(plan, copy, environment, deadline_s=5.)
    assert (copy/"ready").exists() and (copy/"last").exists()
