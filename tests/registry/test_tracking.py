"""mlflow shows trials and versions, once for each content, and asks nobody for anything."""
import os, subprocess, sys
from pathlib import Path
import pandas as pd, pytest
from marketing_mlops.registry.bundles import score_rows
from marketing_mlops.registry.tracking import record_trial, register_version, set_alias, version_of
from marketing_mlops.registry.tracking_store import tracking_address, tracking_client
from marketing_mlops.workspace.errors import MmopsError, ParameterError
from marketing_mlops.workspace.places import find_workspace

MODEL = "retailer_churn_90d"

@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    "The database mlflow makes at first use, made once: its migrations take seconds."
    root = tmp_path_factory.mktemp("store")
    (root/"settings.ini").write_text("[DEFAULT]\ntracking_url = sqlite:///data/state/tracking.db\n[development]\n")
    tracking_client(find_workspace(root)).search_experiments()
    return root

@pytest.fixture
def workspace(tmp_path, empty_store):
    import shutil
    shutil.copytree(empty_store, tmp_path/"workspace")
    return find_workspace(tmp_path/"workspace")

RESOLVER = '''
import os, socket
def _refuse(real):
    def look_up(host=None, *rest, **options):
        if host in (None, "", "localhost", "127.0.0.1", "::1"): return real(host, *rest, **options)
        open(os.environ["MMOPS_TEST_LOOKUPS"], "a").write(f"{host}\\n")
        raise OSError(f"a name was looked up: {host}")
    return look_up
for _name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex"): setattr(socket, _name, _refuse(getattr(socket, _name)))
'''

def python(code, *words, cwd, tmp_path, repository, **variables):
    "Run `code` in a process that notes and refuses look-ups, as outside CI."
    (tmp_path/"site").mkdir(exist_ok=True)
    (tmp_path/"site"/"sitecustomize.py").write_text(RESOLVER)
    env = {k: v for k, v in os.environ.items() if k not in ("CI", "PYTEST_CURRENT_TEST", "DO_NOT_TRACK", "MLFLOW_DISABLE_TELEMETRY")}
    env |= {"PYTHONPATH": f"{tmp_path/'site'}{os.pathsep}{repository}", "MMOPS_TEST_LOOKUPS": str(tmp_path/"lookups.txt"), **variables}
    return subprocess.Popen([sys.executable, "-c", code, *map(str, words)], cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

def told(process):
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, out+err
    return out.split()

REGISTER = """
import sys
from marketing_mlops.registry.bundles import read_bundle
from marketing_mlops.registry.tracking import record_trial, register_version, set_alias
from marketing_mlops.workspace.places import find_workspace
workspace, bundle = find_workspace(sys.argv[1]), read_bundle(sys.argv[2])
run = record_trial(workspace, "retailer_churn_90d", bundle, {"auc": .7}, {"C": 1})
print(run, register_version(workspace, "retailer_churn_90d", bundle, run))
set_alias(workspace, "retailer_churn_90d", "champion", bundle.core_hash)
"""
LOAD = """
import sys, pandas as pd, mlflow.pyfunc
rows = pd.DataFrame({"trait.age_band": ["35+", "x", None], "recency_days": [60., 60., 10.]})
for name in ("models:/retailer_churn_90d/1", "models:/retailer_churn_90d@champion"):
    print(*mlflow.pyfunc.load_model(name).predict(rows)["p_no_order"].round(6))
"""

@pytest.mark.slow
def test_two_at_once_make_one_trial_and_one_version_and_nobody_looks_a_name_up(workspace, bundle, tmp_path, repository):
    place = dict(cwd=tmp_path, tmp_path=tmp_path, repository=repository)
    both = [python(REGISTER, workspace.root, bundle.folder, **place) for _ in range(2)]
    first, second = map(told, both)
    assert first == second and first[1] == "1"
    client = tracking_client(workspace)
    assert len(client.search_runs([client.get_experiment_by_name(MODEL).experiment_id])) == 1 and len(client.search_model_versions(f"name = '{MODEL}'")) == 1
    found = told(python(LOAD, **place, MLFLOW_TRACKING_URI=tracking_address(workspace), MLFLOW_DISABLE_TELEMETRY="true"))
    rows = pd.DataFrame({"recency_days": [60., 60., 10.], "trait.age_band": ["35+", "x", None]})
    assert [float(each) for each in found] == [*score_rows(bundle, rows)["p_no_order"].round(6)]*2
    assert not (tmp_path/"lookups.txt").exists(), (tmp_path/"lookups.txt").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["retailer_churn_90d", "site", "workspace"], "nothing is written where somebody stands"

def test_the_same_content_is_recorded_once_and_other_content_anew(workspace, make_bundle):
    made = [make_bundle(even_at) for even_at in (60., 60., 75.)]
    runs = [record_trial(workspace, MODEL, each, {"auc": .7}, {}) for each in made]
    versions = [register_version(workspace, MODEL, each, run) for each, run in zip(made, runs)]
    assert runs[0] == runs[1] != runs[2] and versions == ["1", "1", "2"]

def test_a_trial_that_was_interrupted_is_recorded_again(workspace, bundle, monkeypatch):
    from mlflow import MlflowClient
    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_artifacts", lambda *words, **options: (_ for _ in ()).throw(OSError("disk full")))
        with pytest.raises(OSError): record_trial(workspace, MODEL, bundle, {}, {})
    trial = record_trial(workspace, MODEL, bundle, {}, {})
    client = tracking_client(workspace)
    assert client.get_run(trial).info.status == "FINISHED" and [each.path for each in client.list_artifacts(trial)] == ["bundle"]

def test_no_pickle_lies_in_the_store(workspace, bundle):
    register_version(workspace, MODEL, bundle, record_trial(workspace, MODEL, bundle, {}, {}))
    names = [path.name for path in workspace.state.rglob("*")]
    assert "MLmodel" in names and not [name for name in names if name.endswith((".pkl", ".pickle", ".joblib"))]
    text = next(workspace.state.rglob("MLmodel")).read_text()
    assert "marketing_mlops.registry.tracked_models" in text and str(Path(__file__).resolve().parents[2]) not in text

def test_an_alias_follows_and_goes(workspace, make_bundle):
    one, two = make_bundle(60.), make_bundle(75.)
    for each in (one, two): register_version(workspace, MODEL, each, record_trial(workspace, MODEL, each, {}, {}))
    client = tracking_client(workspace)
    for each in (one, two, one):
        set_alias(workspace, MODEL, "champion", each.core_hash)
        assert str(client.get_model_version_by_alias(MODEL, "champion").version) == version_of(client, MODEL, each.core_hash)
    set_alias(workspace, MODEL, "champion", None); set_alias(workspace, MODEL, "champion", None); set_alias(workspace, "nobody", "champion", None)
    assert client.get_registered_model(MODEL).aliases == {}
    set_alias(workspace, MODEL, "champion", one.core_hash)
    with pytest.raises(MmopsError, match="has no version"): set_alias(workspace, MODEL, "champion", "0"*64)
    assert client.get_registered_model(MODEL).aliases == {}
    with pytest.raises(ValueError, match="must be one of"): set_alias(workspace, MODEL, "king", one.core_hash)

@pytest.mark.parametrize("name", ["", "a' OR '1'='1", "../x", "a/b", "x y", "ü"])
def test_a_name_that_could_be_a_query_or_a_path_is_refused(workspace, bundle, name):
    with pytest.raises(ParameterError, match="cannot be the name"): record_trial(workspace, name, bundle, {}, {})
    with pytest.raises(ParameterError, match="cannot be the name"): register_version(workspace, name, bundle, "0")

def test_long_and_odd_settings_are_kept(workspace, bundle):
    settings = {"features": [f"trait.feature_{i}" for i in range(900)], "gates": {"calibration_slope": [.7, 1.4]}, "consent_purpose": None, "odd": "<b>\n'\";--"}
    found = tracking_client(workspace).get_run(record_trial(workspace, MODEL, bundle, {"auc": float("inf"), "lift_at_10": 1.4}, settings)).data
    assert found.metrics == {"lift_at_10": 1.4} and found.params["gates.calibration_slope"] == "[0.7, 1.4]" and found.params["odd"].startswith("<b>")

def test_the_store_is_found_from_any_folder(workspace, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert tracking_address(workspace) == f"sqlite:///{workspace.root.resolve()}/data/state/tracking.db"
    import dataclasses
    for address in ("postgresql://server/db", "sqlite:////absolute/x.db", "http://127.0.0.1:5000"):
        assert tracking_address(dataclasses.replace(workspace, settings=dataclasses.replace(workspace.settings, tracking_url=address))) == address
