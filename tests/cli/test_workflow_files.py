"""`mmops ci`: the workflow file is sound, may do little, and every command in it works on this machine."""
import json, os, re, shlex, shutil, subprocess, sys
from pathlib import Path
import pytest
from ruamel.yaml import YAML
from marketing_mlops.cli.commands import main
from marketing_mlops.cli.init import fill_workspace
from marketing_mlops.cli.workflow_files import PINNED, WORKFLOWS, is_edited, with_origin, workflow_text

AS = ["-c", "user.name=analyst", "-c", "user.email=analyst@example.com"]
ROLE, MODELS = "analyst@example.com", ["retailer_churn_90d", "retailer_promo_uplift"]
ROOT, BIN = Path(__file__).resolve().parents[2], Path(sys.executable).parent

def git(root, *words): return subprocess.run(["git", "-C", str(root), *AS, *words], capture_output=True, text=True, check=True).stdout
def read(text): return YAML(typ="safe").load(text)
def github(): return read(workflow_text("github", ROLE, MODELS))
def steps(content): return [(job, step) for job, each in content["jobs"].items() for step in each["steps"]]

def test_the_workflow_has_the_structure_github_asks_for():
    content = github()
    assert set(content) == {"name", "on", "permissions", "concurrency", "jobs"} and content["on"] == {"pull_request": None, "push": {"branches": ["main"], "paths-ignore": ["data/ledger/**"]}}
    for name, job in content["jobs"].items():
        assert re.fullmatch(r"[a-z]+", name) and set(job) <= {"if", "needs", "runs-on", "timeout-minutes", "permissions", "steps"}
        assert job["runs-on"] == "ubuntu-24.04" and isinstance(job["timeout-minutes"], int) and job.get("needs", "check") in content["jobs"]
    for _, step in steps(content):
        assert set(step) <= {"name", "uses", "with", "env", "run"} and ("uses" in step) != ("run" in step)
        assert all(isinstance(value, (str, int)) for value in step.get("env", {}).values())

def test_every_action_is_pinned_by_its_digest():
    text = workflow_text("github", ROLE, MODELS)
    used = re.findall(r"uses: (\S+?)@(\S+) # (v[\d.]+)$", text, re.M)
    assert len(used) == text.count("uses:") and all(PINNED[name] == (digest, version) and re.fullmatch("[0-9a-f]{40}", digest) for name, digest, version in used)

def test_it_may_do_little_and_the_job_that_runs_the_change_may_only_read():
    content = github()
    assert content["permissions"] == {} and content["jobs"]["check"]["permissions"] == {"contents": "read"}
    assert content["jobs"]["comment"]["permissions"] == {"pull-requests": "write"}
    assert not any(step.get("uses", "").startswith("actions/checkout") for job, step in steps(content) if job == "comment")
    checkout = next(step for job, step in steps(content) if job == "check")
    assert checkout["with"]["persist-credentials"] is False and "pull_request_target" not in json.dumps(content)

def test_no_secret_stands_in_it_and_no_value_from_outside_stands_in_a_command():
    text = workflow_text("github", ROLE, MODELS) + workflow_text("gitlab", ROLE, MODELS)
    assert "secrets." not in text and not re.search(r"(?i)(password|token)\s*[:=]\s*[\"']?[A-Za-z0-9]{8}", text)
    assert not [step["run"] for _, step in steps(github()) if "${{" in step.get("run", "")]

def test_it_asks_and_never_approves_or_releases():
    for text in (workflow_text("github", ROLE, MODELS), workflow_text("gitlab", ROLE, MODELS)):
        commands = re.findall(r"mmops ([a-z]+)", text)
        assert not set(commands) & {"approve", "release", "activate", "rollback", "retire"} or [c for c in commands if c == "approve"] == ["approve"] and "Then: mmops approve" in text
    runs = " ".join(step.get("run", "") for _, step in steps(github()) if "gh pr create" not in step.get("run", ""))
    assert "approve" not in runs and "release" not in runs and runs.count("mmops request") == len(MODELS)

def test_the_file_for_gitlab_has_the_structure_gitlab_asks_for():
    content = read(workflow_text("gitlab", ROLE, MODELS))
    assert content["stages"] == ["check"] and content["check"]["stage"] == "check" and all(isinstance(line, str) for line in content["check"]["script"])
    assert content["check"]["artifacts"]["paths"] == ["review/"] and content["check"]["variables"]["GIT_DEPTH"] == "0"

@pytest.mark.parametrize("role", ["", "analyst", "a b@example.com", "x@y; rm -rf .", "$(id)@example.com", '"@example.com', "analyst@example.com\nevil: 1"])
def test_a_role_that_is_no_address_is_refused(role, tmp_path, capsys):
    (tmp_path/"settings.ini").write_text("[DEFAULT]\nreporting_currency = EUR\ndefault_models = spring\n")
    assert main(["ci", f"--as={role}", "--workspace", str(tmp_path)]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 2 and not (tmp_path/".github").exists()

def test_a_model_with_a_strange_name_stays_one_word_for_the_shell():
    text = workflow_text("github", ROLE, ["spring'; touch evil; '"])
    line = next(line.strip() for line in text.splitlines() if "mmops request" in line)
    assert shlex.split(line)[2] == "spring'; touch evil; '"

@pytest.fixture
def shop(tmp_path):
    (tmp_path/"settings.ini").write_text("[DEFAULT]\nreporting_currency = EUR\ndefault_models = spring\n")
    return tmp_path

def test_an_edited_file_is_never_overwritten(shop, capsys):
    file = shop/WORKFLOWS["github"].file
    assert main(["ci", "--as", ROLE, "--workspace", str(shop)]) == 0
    made = file.read_text()
    file.write_text(made.replace("timeout-minutes: 45", "timeout-minutes: 90"))
    assert main(["ci", "--as", "model-owner@example.com", "--workspace", str(shop)]) == 0
    said = capsys.readouterr().out
    assert "timeout-minutes: 90" in file.read_text() and "was edited and stays" in said and "model-owner@example.com" in file.with_name(f"{file.name}.new").read_text()

def test_a_file_nobody_edited_follows_a_newer_version(shop):
    file = shop/WORKFLOWS["gitlab"].file
    file.write_text(with_origin("stages: [old]\n", "0.0.1"))
    assert main(["ci", "--for", "gitlab", "--as", ROLE, "--workspace", str(shop)]) == 0
    assert "mmops ci review" in file.read_text() and not is_edited(file.read_text()) and not list(shop.glob("*.new"))

def test_a_file_of_another_maker_stays(shop):
    (shop/".gitlab-ci.yml").write_text("stages: [ours]\n")
    main(["ci", "--for", "gitlab", "--as", ROLE, "--workspace", str(shop)])
    assert (shop/".gitlab-ci.yml").read_text() == "stages: [ours]\n" and (shop/".gitlab-ci.yml.new").is_file()

@pytest.mark.parametrize("words, says", [(["--for", "jenkins", "--as", ROLE], "allowed are github and gitlab"), ([], "remains unsaid"), (["--as", ROLE, "--branch", "main]"], "--branch is")])
def test_what_cannot_be_written_is_said_in_two_lines(shop, words, says, capsys):
    assert main(["ci", *words, "--workspace", str(shop)]) == 1
    said = capsys.readouterr().err
    assert says in said and len(said.splitlines()) == 2

# --- every command of the file, executed

GH = '''#!/usr/bin/env python3
"""Takes what `gh` takes here, strictly, and notes it: there is no GitHub on this machine."""
import argparse, json, os, sys
top = argparse.ArgumentParser(allow_abbrev=False); sub = top.add_subparsers(required=True, dest="what")
pr = sub.add_parser("pr").add_subparsers(required=True, dest="verb")
comment = pr.add_parser("comment", allow_abbrev=False); comment.add_argument("number"); comment.add_argument("--repo", required=True); comment.add_argument("--body-file", required=True)
comment.add_argument("--edit-last", action="store_true"); comment.add_argument("--create-if-none", action="store_true")
create = pr.add_parser("create", allow_abbrev=False)
for flag in ("--base", "--head", "--title", "--body"): create.add_argument(flag, required=True)
said = vars(top.parse_args())
assert os.environ["GH_TOKEN"], "gh asks for a token"
if said.get("body_file"): said["body"] = open(said["body_file"], encoding="utf-8").read()
with open(os.environ["GH_NOTES"], "a", encoding="utf-8") as notes: notes.write(json.dumps(said) + "\\n")
'''

@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    "A small shop in git, with a bare repository behind it and a change on top."
    place = tmp_path_factory.mktemp("ci")
    root = place/"shop"
    root.mkdir()
    fill_workspace(root, "shop")
    params = (root/"params.yaml").read_text()
    (root/"params.yaml").write_text(params.replace("customers: 20000", "customers: 3000"))
    main(["ci", "--as", ROLE, "--workspace", str(root)])
    git(root, "init", "-q", "-b", "main"); git(root, "add", "-A"); git(root, "commit", "-qm", "A shop")
    git(place, "init", "-q", "--bare", "origin.git"); git(root, "remote", "add", "origin", str(place/"origin.git")); git(root, "push", "-q", "origin", "main")
    base = git(root, "rev-parse", "HEAD").strip()
    git(root, "checkout", "-qb", "fewer_features")
    text = (root/"params.yaml").read_text()
    assert "orders_90d, orders_365d, " in text
    (root/"params.yaml").write_text(text.replace("features: [recency_days, orders_90d, orders_365d, net_revenue_365d,", "features: [recency_days,", 1))
    report = root/"nbs/reports/monitoring.ipynb"
    report.write_text(report.read_text().replace("# Monitoring", "# Monitoring <b>of spring</b>", 1))
    git(root, "commit", "-qam", "Fewer features")
    return root, base

def environment(root, base, **more):
    tools = root.parent/"tools"
    tools.mkdir(exist_ok=True)
    (tools/"gh").write_text(GH); (tools/"gh").chmod(0o755)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MMOPS_", "GIT_"))}
    given = dict(PATH=f"{tools}{os.pathsep}{BIN}{os.pathsep}{kept['PATH']}", PYTHONPATH=str(ROOT), CI="1", GITHUB_SHA=git(root, "rev-parse", "HEAD").strip(), GITHUB_STEP_SUMMARY=str(root.parent/"summary.md"),
                 GH_NOTES=str(root.parent/"gh.jsonl"), MMOPS_WARM_IDLE="20", PIP_NO_INDEX="1", PIP_NO_BUILD_ISOLATION="0", PIP_DISABLE_PIP_VERSION_CHECK="1")
    outside = {"github.event.pull_request.base.sha": base, "github.token": "for-this-test", "github.repository": "team/shop", "github.event.pull_request.number": "7"}
    return kept | given | {name: re.sub(r"\$\{\{ (.+?) \}\}", lambda found: outside[found[1]], str(value)) for name, value in more.items()}

def execute(root, base, job, name, **more):
    "A step as GitHub runs it: its text in a file, `bash -e`."
    step = next(step for each, step in steps(read((root/WORKFLOWS["github"].file).read_text())) if (each, step.get("name")) == (job, name))
    script = root.parent/"step.sh"
    script.write_text(step["run"])
    done = subprocess.run(["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)], cwd=root, env=environment(root, base, **step.get("env", {})) | more, capture_output=True, text=True, timeout=1100)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout

@pytest.fixture(scope="module")
def venv(tmp_path_factory):
    "An environment to install into, in which the dependencies are already there."
    folder = tmp_path_factory.mktemp("venv")/"env"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    subprocess.run([str(folder/"bin"/"python"), "-m", "pip", "uninstall", "--quiet", "--yes", "setuptools"], check=True)   # an old one comes with it
    site = next(folder.glob("lib/python*/site-packages"))
    (site/"there.pth").write_text(str(next(Path(sys.prefix).glob("lib/python*/site-packages"))) + "\n")
    return folder

@pytest.mark.edges
@pytest.mark.parametrize("job", ["check", "propose"])
def test_the_installation_works(workspace, venv, job):
    root, base = workspace
    execute(root, base, job, "Install", PATH=f"{venv/'bin'}{os.pathsep}{os.environ['PATH']}")
    done = subprocess.run([str(venv/"bin"/"python"), "-c", "import shop, pytest; print(shop.__file__)"], cwd=venv, capture_output=True, text=True)
    assert done.returncode == 0 and str(root) in done.stdout, done.stderr
    git(root, "clean", "-qfdX", "--", "*.egg-info")

@pytest.mark.edges
def test_the_tests_of_the_team_run(workspace): assert "1 passed" in execute(*workspace, "check", "Tests")

@pytest.mark.edges
def test_a_pull_request_gets_its_figures_and_pages_and_the_workspace_stays_as_it_was(workspace):
    root, base = workspace
    before = git(root, "status", "--porcelain", "--ignored"), git(root, "log", "--all", "--oneline")
    said = execute(root, base, "check", "What the change moves")
    comment = (root/"review/comment.md").read_text()
    assert "of 1 model or source moved" in said and re.search(r"\| retailer&#95;churn&#95;90d \(evaluate\) \| Auc (rose|fell) by", comment), said + comment
    assert "retailer&#95;promo" not in comment.split("Compared")[0]                # the other model did not change
    page = (root/"review/pages.html").read_text()
    assert "1 notebook was edited" in page and "Monitoring &lt;b&gt;of spring&lt;/b&gt;" in page and "<script" not in page
    execute(root, base, "check", "Show it with this run")
    assert (root.parent/"summary.md").read_text() == comment
    execute(root, base, "comment", "Post what moved")
    posted = json.loads((root.parent/"gh.jsonl").read_text().splitlines()[-1])
    assert (posted["verb"], posted["number"], posted["repo"], posted["body"]) == ("comment", "7", "team/shop", comment)
    shutil.rmtree(root/"review")
    assert (git(root, "status", "--porcelain", "--ignored"), git(root, "log", "--all", "--oneline")) == before and git(root, "worktree", "list").count("\n") == 1

@pytest.mark.edges
def test_after_the_merge_the_whole_pipeline_runs_and_a_request_waits_on_a_branch(workspace):
    root, base = workspace
    git(root, "checkout", "-q", "main"); git(root, "merge", "-q", "fewer_features")
    try:
        execute(root, base, "propose", "The whole pipeline")
        assert "Approvers" in execute(root, base, "propose", "Ask for approval")
        execute(root, base, "propose", "Put the request where approvers work")
        sha = git(root, "rev-parse", "HEAD~1").strip()[:8]
        names = git(root, "ls-remote", "--heads", "origin").split()
        assert any(name.startswith("refs/heads/mmops/request-") for name in names)
        created = json.loads((root.parent/"gh.jsonl").read_text().splitlines()[-1])
        assert created["verb"] == "create" and created["base"] == "main" and created["head"] == f"mmops/request-{sha}"
        changed = git(root, "show", "--name-only", "--format=", "HEAD").split()
        assert changed and all(name.startswith("data/ledger/") for name in changed)
        log = "".join(file.read_text() for file in (root/"data/ledger").glob("*.jsonl"))
        assert log.count('"approval_requested"') == len(MODELS) and '"approval_granted"' not in log and '"released"' not in log
        assert "Nothing new is asked for" in execute(root, base, "propose", "Put the request where approvers work")
    finally:
        from marketing_mlops.jobs.workers import stop_worker
        stop_worker(str(root))
