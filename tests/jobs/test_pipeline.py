"""What `reproduce` does around DVC; the stages are one shell command each."""
import contextlib, os, sys, threading, time
from pathlib import Path
import pytest
import zc.lockfile
from marketing_mlops.jobs.pipeline import reproduce
from marketing_mlops.workspace.errors import ParameterError, StageError
from marketing_mlops.workspace.places import find_workspace

PARAMS = """sources: {shop: {kind: file}}
models:
  promo: {owner: model-owner@example.com, purpose: win back, audience: customers, source: shop, task: uplift}
"""

@pytest.fixture
def pipeline(tmp_path):
    "Function command -> a workspace whose only stage executes it; it is to write out.txt."
    def build(command):
        (tmp_path/"settings.ini").write_text("[DEFAULT]\ndefault_models = promo\n")
        (tmp_path/"params.yaml").write_text(PARAMS)
        (tmp_path/"dvc.yaml").write_text(f"stages:\n  plan:\n    foreach: ${{models}}\n    do: {{cmd: {command!r}, outs: [out.txt]}}\n")
        (tmp_path/".dvc").mkdir()
        (tmp_path/".dvc"/"config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
        return find_workspace(tmp_path)
    return build

@pytest.mark.skipif(os.name == "nt", reason="the commands are those of a Unix shell")
class TestStages:
    def test_a_stage_has_what_it_needs_while_the_process_keeps_its_environment(self, pipeline):
        shop, before, during = pipeline("printenv MMOPS_WORKSPACE PATH > out.txt"), dict(os.environ), []
        reproduce(shop, progress=lambda outcome: during.append(dict(os.environ)))
        workspace, path = (shop.root/"out.txt").read_text().splitlines()
        assert (workspace, path.split(os.pathsep)[0]) == (str(shop.root), str(Path(sys.executable).parent))
        assert during == [before, before] and dict(os.environ) == before

    def test_the_working_directory_is_as_it_was_also_after_a_failure(self, pipeline):
        before = os.getcwd()
        with pytest.raises(StageError): reproduce(pipeline("exit 3"))
        assert os.getcwd() == before

    def test_a_stage_that_ends_without_a_word_is_told_with_its_code(self, pipeline):
        with pytest.raises(StageError, match=r"^'plan@promo' ended with code 3\.\n.*data/runs"): reproduce(pipeline("exit 3"))

    @pytest.mark.parametrize("way", ["exit 130", "kill -INT $$"])
    def test_an_interrupted_stage_interrupts_the_run(self, pipeline, way):
        with pytest.raises(KeyboardInterrupt): reproduce(pipeline(way))

    def test_a_run_tells_of_lock_files_only_when_their_content_changes(self, pipeline):
        shop = pipeline("echo 41 > out.txt")
        assert [reproduce(shop, force=force).changed_locks for force in (False, True)] == [(), ()]
        (shop.root/"dvc.yaml").write_text((shop.root/"dvc.yaml").read_text().replace("41", "53"))
        assert reproduce(shop).changed_locks == ("dvc.lock",)

    def test_a_run_waits_for_somebody_who_only_looks_while_a_stage_runs(self, pipeline, monkeypatch):
        monkeypatch.setattr("dvc.lock.DEFAULT_TIMEOUT", .06)   # DVC itself would wait no longer than this
        shop = pipeline("touch begun; sleep .2; echo 41 > out.txt")
        def look():
            while not shop.path("begun").exists(): time.sleep(.01)
            with contextlib.closing(zc.lockfile.LockFile(str(shop.path(".dvc", "tmp", "lock")))): time.sleep(.6)
        looking = threading.Thread(target=look)
        looking.start()
        done = reproduce(shop)
        looking.join()
        assert [each.status for each in done.stages] == ["made"] and shop.path("out.txt").exists()

    @pytest.mark.parametrize("rules, says", [
        ("release: {rollback_when: {auc_fall: 0.05}}", "release.rollback_when has the unknown key 'auc_fall'"), ("release: {cadence: 30}", "Did you mean 'cadence_days'"),
        ("release: {cadence_days: 0}", "release.cadence_days is 0"), ("release: {approval_days: soon}", "release.approval_days is 'soon'"), ("monitoring: {pis: 0.2}", "Did you mean 'psi'")])
    def test_a_rule_nobody_reads_is_refused_before_the_first_stage(self, pipeline, rules, says):
        shop = pipeline("echo 41 > out.txt")
        shop.path("params.yaml").write_text(PARAMS.replace("task: uplift}", f"task: uplift, {rules}}}"))
        with pytest.raises(ParameterError) as refused: reproduce(shop)
        assert says in str(refused.value) and str(refused.value).startswith("params.yaml: models.promo: ") and not shop.path("out.txt").exists()
