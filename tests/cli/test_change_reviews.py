"""`mmops ci review`: both sides in a copy, the figures DVC knows, and a workspace that stays as it was. The whole way is run by test_workflow_files."""
import json, subprocess
from pathlib import Path
import pytest
from marketing_mlops.cli import change_reviews
from marketing_mlops.cli.change_reviews import build_side, copied_workspace, measured_difference, place_revision
from marketing_mlops.cli.commands import main
from marketing_mlops.reporting.metric_differences import metric_differences
from marketing_mlops.workspace.errors import StageError
from marketing_mlops.workspace.places import find_workspace, write_json, write_text

AS = ["-c", "user.name=analyst", "-c", "user.email=analyst@example.com"]
MODEL = "{owner: marketing@example.com, purpose: Mail, audience: Customers, task: propensity, source: shop}"

def git(root, *words): return subprocess.run(["git", "-C", str(root), *AS, *words], capture_output=True, text=True, check=True).stdout.strip()
def commit(root, message): git(root, "add", "-A"); git(root, "commit", "-qm", message); return git(root, "rev-parse", "HEAD")

@pytest.fixture(params=["", "teams/spring"])
def shop(tmp_path, request):
    "A workspace, at the top of its repository or below it."
    top = tmp_path/"repository"
    root = top/request.param
    write_text(root/"settings.ini", "[DEFAULT]\nreporting_currency = EUR\ndefault_models = spring\n")
    write_text(root/"params.yaml", f"sources: {{shop: {{kind: simulated, customers: 20000}}}}\nmodels:\n  spring: {MODEL}\n")
    write_text(root/".gitignore", "/data/sources/*/?*\n")
    write_text(root/"data/sources/shop/orders.csv", "mine\n")
    git(tmp_path, "init", "-q", str(top))
    commit(top, "A shop")
    return root

def test_a_copy_has_the_files_of_its_sources_and_shares_nothing_that_can_be_harmed(shop, tmp_path):
    copy = copied_workspace(find_workspace(shop), tmp_path/"copy")
    place_revision(copy, "HEAD", 700)
    assert "700" in (copy/"params.yaml").read_text() and (copy/"data/sources/shop/orders.csv").read_text() == "mine\n"
    head = git(shop, "rev-parse", "HEAD")
    (copy/"data/sources/shop/orders.csv").write_text("theirs\n"); build_side(copy, [])
    assert (shop/"data/sources/shop/orders.csv").read_text() == "mine\n" and git(shop, "rev-parse", "HEAD") == head and git(shop, "status", "--porcelain") == ""

def test_the_second_side_begins_with_the_lock_of_the_first(shop, tmp_path):
    write_text(shop/"dvc.lock", "schema: '2.0'\n")
    commit(shop, "Locked")
    copy = copied_workspace(find_workspace(shop), tmp_path/"copy")
    place_revision(copy, "HEAD", 700)
    (copy/"dvc.lock").write_text("schema: '2.0' # as the first side left it\n")
    build_side(copy, [])
    place_revision(copy, "HEAD~1", 700)
    assert "as the first side left it" in (copy/"dvc.lock").read_text()

def test_the_figures_are_those_dvc_finds_in_both_commits(tmp_path):
    root = tmp_path/"shop"
    write_text(root/".dvc/config", "[core]\n    analytics = false\n")
    write_text(root/"dvc.yaml", "metrics:\n  - data/metrics/evaluate/spring.json\n")
    sides = []
    for value, low, high in ((.73, .71, .75), (.60, .58, .62)):
        write_json(root/"data/metrics/evaluate/spring.json", dict(figures=dict(auc=dict(value=value, low=low, high=high)), verdict="pass"))
        if not sides: git(tmp_path, "init", "-q", str(root))
        sides.append(commit(root, "A side"))
    moved, = metric_differences(measured_difference(root, *sides))
    assert (moved.subject, moved.stage, moved.meaning, moved.judged) == ("spring", "evaluate", "apart", "worse")
    (root/"dvc.yaml").unlink()
    bare = commit(root, "No metrics")
    with pytest.raises(StageError, match="DVC knows no figure"): measured_difference(root, bare, bare)

def test_a_side_that_cannot_be_built_is_said_in_two_lines_and_leaves_nothing(shop, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TMPDIR", str(tmp_path)); monkeypatch.setattr(change_reviews.TemporaryDirectory, "__init__", _here(tmp_path))
    monkeypatch.setattr(change_reviews, "_MMOPS", "import sys; sys.exit('The orders of <b>March</b> are missing.\\nAdd them.')")
    assert main(["ci", "review", "--base", "HEAD", "--into", str(tmp_path/"review"), "--workspace", str(shop)]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said == ["The orders of <b>March</b> are missing.", "Add them."] and not (tmp_path/"review").exists() and not list(tmp_path.glob("mmops-review-*"))

def _here(folder):
    from tempfile import TemporaryDirectory
    whole = TemporaryDirectory.__init__
    return lambda self, *words, **named: whole(self, *words, **named | dict(dir=str(folder)))

@pytest.mark.parametrize("words, says", [(["--base", "no_such_branch"], "git says"), ([], "remains unsaid"), (["--base", "HEAD", "--customers", "3"], "at least 500"), (["--base", "--upload-pack=touch evil"], "")])
def test_what_cannot_be_reviewed_is_said_in_two_lines(shop, tmp_path, words, says, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["ci", "review", *words, "--workspace", str(shop)]) == 1
    said = capsys.readouterr().err
    assert says in said and len(said.splitlines()) == 2 and not (tmp_path/"review").exists() and not (tmp_path/"evil").exists()
