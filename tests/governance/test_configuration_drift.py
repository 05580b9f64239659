"""What was built is found to be built alike, and each thing that changed since is named."""
import json, shutil
import pytest
from marketing_mlops.governance.configuration_drift import configuration_drift, parameters_then
from marketing_mlops.governance.live_pointers import bundle_place
from marketing_mlops.registry.bundle_files import opened_files, seal_files
from marketing_mlops.registry.recipes import code_hash
from marketing_mlops.workspace.params import read_params
from marketing_mlops.workspace.places import find_workspace

MODEL = "retailer_churn_90d"

@pytest.fixture(scope="module")
def built(first_run):
    "The tiny workspace after `mmops run`, to be read only, and the hash of its candidate."
    workspace = find_workspace(first_run/"workspace")
    return workspace, opened_files(workspace.output("bundle", MODEL))[3]

@pytest.fixture
def live(built, tmp_path):
    "Function (change of its facts) -> a workspace with the candidate in the place of released bundles, and its hash."
    workspace, core_hash = built
    for name in ("settings.ini", "params.yaml"): shutil.copy2(workspace.root/name, tmp_path/name)
    shutil.copytree(workspace.output("bundle", MODEL), tmp_path/"data"/"bundle"/MODEL)
    place = find_workspace(tmp_path)
    def put(**facts):
        files, core, envelope, _ = opened_files(place.output("bundle", MODEL))
        new = seal_files(tmp_path/"made", files, core | dict(code_hash=code_hash()) | facts, {})   # the tests' own package made nothing of this
        shutil.copytree(tmp_path/"made", bundle_place(place, new))
        return place, new
    return put

def test_what_the_pipeline_just_built_would_be_built_alike(live):
    place, core_hash = live()
    assert configuration_drift(place, MODEL, read_params(place).model(MODEL), core_hash).status == "pass"

@pytest.mark.parametrize("change, code, says", [
    (dict(lock_hash="0"*64), "other_libraries", "libraries"), (dict(code_hash="0"*64), "other_code", "modules that make bundles")])
def test_other_libraries_and_other_code_are_named(live, change, code, says):
    place, core_hash = live(**change)
    found = configuration_drift(place, MODEL, read_params(place).model(MODEL), core_hash)
    assert (found.status, [each.code for each in found.reasons]) == ("review", [code]) and says in found.reasons[0].message

def test_a_changed_parameter_is_named_with_both_values(live):
    place, core_hash = live()
    text = (place.root/"params.yaml").read_text()
    assert text.count("max_iter: 60") == 1
    (place.root/"params.yaml").write_text(text.replace("max_iter: 60", "max_iter: 75"))
    found = configuration_drift(place, MODEL, read_params(place).model(MODEL), core_hash)
    assert [each.message for each in found.reasons] == ["parameters: algorithm.max_iter was 60, is 75"]

def test_a_feature_that_means_something_else_now_is_named(live):
    place, core_hash = live()
    schema = place.output("bundle", MODEL)/"schema.json"
    said = json.loads(schema.read_text())
    name = sorted(said["versions"])[0]
    schema.write_text(json.dumps(said | {"versions": said["versions"] | {name: "0"*12}}))
    found = configuration_drift(place, MODEL, read_params(place).model(MODEL), core_hash)
    assert [each.message for each in found.reasons] == [f"features: {name} defined otherwise"]

def test_a_damaged_bundle_is_unknown_and_never_a_pass(live):
    place, core_hash = live()
    with open(bundle_place(place, core_hash)/"parameters.json", "ab") as file: file.write(b" ")
    found = configuration_drift(place, MODEL, read_params(place).model(MODEL), core_hash)
    assert found.status == "unknown" and "was changed after the bundle was made" in found.reasons[0].message

def test_what_training_noted_is_no_parameter(built):
    workspace, _ = built
    then = parameters_then(opened_files(workspace.output("bundle", MODEL))[0])
    assert "facts" not in then and then == json.loads(json.dumps(read_params(workspace).model(MODEL), default=str))
