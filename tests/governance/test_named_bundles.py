"""`MODEL@VERSION` means one bundle for certain, or nothing: never the nearest."""
import shutil
import pytest
from governed_workspace import at, small_bundle
from marketing_mlops.governance.ledger import Ledger
from marketing_mlops.governance.ledger_entries import LedgerError
from marketing_mlops.governance.named_bundles import NamedBundle, known_bundles, named_bundle
from marketing_mlops.governance.registrations import register_bundle
from marketing_mlops.registry.bundle_files import bytes_hash
from marketing_mlops.registry.origins import origin_file
from marketing_mlops.workspace.errors import ParameterError
from marketing_mlops.workspace.places import write_json

ANALYST = "analyst@example.com"

def hash_of(folder): return bytes_hash((folder/"core.json").read_bytes())
def known(shop): return known_bundles(shop, "churn", Ledger(shop).entries(subject="churn"))

@pytest.mark.parametrize("name", ["churn", "churn@", "churn@champion", " churn@CHAMPION ", "churn@ champion"])
def test_a_model_alone_means_its_champion(two, name): assert named_bundle(two, name).core_hash == hash_of(two.path("data", "bundle", "churn_90"))

def test_without_a_champion_a_model_alone_means_its_candidate(shop):
    folder = small_bundle(shop, "churn")
    assert named_bundle(shop, "churn") == named_bundle(shop, "churn@candidate") == NamedBundle("churn", hash_of(folder), folder, "unknown", "unknown")
    with pytest.raises(ParameterError, match="churn has no champion"): named_bundle(shop, "churn@champion")

def test_four_digits_name_an_earlier_champion_and_three_do_not(two):
    digest = hash_of(two.path("data", "bundle", "churn_60"))
    assert named_bundle(two, f"churn@{digest[:4]}").core_hash == named_bundle(two, f"churn@{digest}").core_hash == digest
    with pytest.raises(ParameterError): named_bundle(two, f"churn@{digest[:3]}")

def test_digits_that_two_bundles_share_name_neither_and_both_are_listed(shop):
    for digest in ("abcd" + "0"*60, "abcd" + "1"*60): register_bundle(shop, "churn", digest, ANALYST, clock=at("03-01"))
    with pytest.raises(ParameterError, match="2 bundles of churn begin with abcd") as error: named_bundle(shop, "churn@abcd")
    assert "abcd00000000" in error.value.problem and "abcd11111111" in error.value.problem and error.value.remedy == "Give more digits."
    assert named_bundle(shop, "churn@abcd1").core_hash == "abcd" + "1"*60

def test_a_version_of_mlflow_is_what_is_on_record_and_the_hash_of_another_model_is_not(shop):
    register_bundle(shop, "churn", "ab"*32, ANALYST, links={"mlflow version": "3"}, clock=at("03-01"))
    register_bundle(shop, "promo", "cd"*32, ANALYST, links={"mlflow version": "4"}, clock=at("03-01"))
    assert named_bundle(shop, "churn@3").core_hash == named_bundle(shop, "churn@v3").core_hash == "ab"*32
    for version in ("4", "cdcd"):
        with pytest.raises(ParameterError): named_bundle(shop, f"churn@{version}")

@pytest.mark.parametrize("version", ["zzzz", "latest", "<b>x</b>", "🌷🌷🌷🌷", "../../etc", "0", "9999", "a"*65, "-1", "champion champion", "\0\0\0\0"])
def test_nonsense_names_nothing_and_the_message_lists_what_there_is(two, version):
    with pytest.raises(ParameterError) as error: named_bundle(two, f"churn@{version}")
    assert all(each[:12] in error.value.problem for each in known(two)) and "mmops live churn" in error.value.remedy

def test_a_model_nobody_knows_is_refused_with_the_nearest(shop):
    with pytest.raises(ParameterError, match="churn") as error: named_bundle(shop, "chrun@champion")
    assert "churn, promo" in error.value.remedy
    for name in ("", "@champion", "🌷", "<b>churn</b>"):
        with pytest.raises(ParameterError, match="no model"): named_bundle(shop, name)

def test_a_model_that_only_the_ledger_knows_still_has_a_name(two):
    (two.root/"params.yaml").write_text("sources: {}\nmodels: {}\n")
    assert named_bundle(two, "churn").core_hash == hash_of(two.path("data", "bundle", "churn_90"))

def test_without_its_files_a_bundle_keeps_its_name_and_its_origin(two):
    digest = hash_of(two.path("data", "bundle", "churn_90"))
    register_bundle(two, "churn", digest, ANALYST, clock=at("03-05"))
    for place in ("bundle", "bundles"): shutil.rmtree(two.path("data", place))
    assert named_bundle(two, "churn@champion") == NamedBundle("churn", digest, None, "unknown", "unknown")

def test_the_origin_on_record_goes_before_the_one_noted_here(shop):
    digest = hash_of(small_bundle(shop, "churn"))
    write_json(origin_file(shop, digest), dict(made_at="2026-03-01T08:00:00+00:00", revision="d4"*20 + " with uncommitted changes"))
    assert named_bundle(shop, "churn").commit == "d4"*20 and named_bundle(shop, "churn").was_dirty
    register_bundle(shop, "churn", digest, ANALYST, clock=at("03-02"))
    write_json(origin_file(shop, digest), dict(made_at="2026-05-01T08:00:00+00:00", revision="e5"*20))
    assert (named_bundle(shop, "churn").made_at, named_bundle(shop, "churn").commit) == ("2026-03-01T08:00:00+00:00", "d4"*20)

@pytest.mark.parametrize("content", [b"{", b"[]", b'"text"', b"\xff\xfe", b"", b"7"])
def test_a_damaged_note_of_an_origin_is_unknown(shop, content):
    digest = hash_of(small_bundle(shop, "churn"))
    origin_file(shop, digest).parent.mkdir(parents=True, exist_ok=True)
    origin_file(shop, digest).write_bytes(content)
    found = named_bundle(shop, "churn")
    assert (found.made_at, found.revision, found.commit, found.was_dirty) == ("unknown", "unknown", "", False)

@pytest.mark.parametrize("content", [b"{", b"[]", b'"text"', b"\xff\xfe", b"", b"{}"])
def test_a_kept_folder_whose_model_nobody_can_tell_is_passed_over(two, content):
    strange = two.path("data", "bundles", "f"*64)
    strange.mkdir()
    (strange/"core.json").write_bytes(content); (strange/"parameters.json").write_bytes(content)
    two.path("data", "bundles", "a file").write_text("not a folder")
    assert set(known(two)) == {hash_of(two.path("data", "bundle", name)) for name in ("churn_60", "churn_90")}

def test_an_edited_ledger_names_nothing(two):
    log = next(two.path("data", "ledger").glob("*.jsonl"))
    log.write_text(log.read_text().replace("finance@", "nobody@", 1))
    with pytest.raises(LedgerError): named_bundle(two, "churn@champion")
