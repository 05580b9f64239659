"""Parameters name the file and the key that is wrong, and an edit keeps every comment."""
import io
import pytest
from marketing_mlops.workspace.errors import ParameterError
from marketing_mlops.workspace.params import edit_params, read_params, read_yaml
from marketing_mlops.workspace.places import find_workspace

GOOD = """\
# our shop
sources:
  shop: {kind: file}   # nightly
models:
  spring_mail:
    owner: model-owner@example.com
    purpose: 'Decide who receives the mail'
    audience: Customers with consent
    source: shop
    task: uplift
    experiment:
      arms: {No E-Mail: 0.5, E-Mail: 0.5}
      planned_end: 2026-03-31
"""

@pytest.fixture
def shop(tmp_path):
    (tmp_path/"settings.ini").write_text("[DEFAULT]\nreporting_currency = EUR\n")
    (tmp_path/"params.yaml").write_text(GOOD)
    (tmp_path/"data"/"replays").mkdir(parents=True)
    return find_workspace(tmp_path)

@pytest.mark.parametrize("old, new, key, says", [
    ("sources:", "source:", "sources", "Did you mean 'source'?"),
    ("models:", "modles:", "models", "the key models is missing"),
    ("    source: shop\n", "", "models.spring_mail.source", "is missing"),
    ("    owner: model-owner@example.com\n", "    owner:\n", "models.spring_mail.owner", "is missing"),
    ("source: shop", "source: shp", "models.spring_mail.source", "Did you mean 'shop'?"),
    ("task: uplift", "task: uplfit", "models.spring_mail.task", "Did you mean 'uplift'?"),
    ("task: uplift", "task: [uplift]", "models.spring_mail.task", "allowed: propensity"),
    ("experiment:", "experimnt:", "models.spring_mail.experimnt", "Did you mean 'experiment'?"),
    ("{kind: file}", "file", "sources.shop", "is 'file'"),
    ("  spring_mail:", "  spring_mail: &x\n  other:", "models.spring_mail", "is None"),
    ("    task: uplift", "\ttask: uplift", None, "line 10"),
    ("    task: uplift", "    task: uplift\n    task: propensity", None, "line 11"),
    ("    task: uplift", "    task: !!python/object:os.system x", None, "line 10"),
    (GOOD, "- a list\n", None, "the top of the file is a list"),
    (GOOD, "", "sources", "the key sources is missing"),
    (GOOD, GOOD + "---\n" + GOOD, None, "line "),
    (GOOD, "a: \x07\n", None, "YAML"),
])
def test_a_mistake_is_two_lines_that_name_file_and_key(shop, old, new, key, says):
    shop.path("params.yaml").write_text(GOOD.replace(old, new, 1))
    with pytest.raises(ParameterError) as e: read_params(shop)
    assert says in str(e.value) and "params.yaml" in e.value.problem and str(e.value).count("\n") == 1
    assert e.value.fields["key"] == key

def test_a_message_names_its_file_as_seen_from_the_workspace(shop):
    shop.path("data", "replays", "params.yaml").write_text("sources: {hillstrom: {kind: file}}\nmodels: {hillstrom_email: {source: hillstrom}}\n")
    with pytest.raises(ParameterError) as e: read_params(shop)
    assert e.value.problem.startswith("data/replays/params.yaml: models.hillstrom_email.owner is missing")
    assert e.value.remedy == "Add a line `owner: …` below models.hillstrom_email in data/replays/params.yaml."

def test_a_missing_or_undecodable_file_is_named(shop):
    shop.path("params.yaml").write_bytes(GOOD.replace("spring", "frühling").encode("latin-1"))
    with pytest.raises(ParameterError, match="not UTF-8"): read_params(shop)
    shop.path("params.yaml").unlink()
    with pytest.raises(ParameterError, match="does not exist"): read_params(shop)

def test_both_files_are_one_list_and_each_model_knows_its_file(shop):
    replays = shop.path("data", "replays", "params.yaml")
    replays.write_text(GOOD.replace("shop", "hillstrom").replace("spring_mail", "hillstrom_email"))
    found = read_params(shop)
    assert sorted(found.models) == ["hillstrom_email", "spring_mail"] and sorted(found.sources) == ["hillstrom", "shop"]
    assert found.where("hillstrom_email") == replays and found.where("spring_mail") == shop.path("params.yaml")

def test_a_model_of_one_file_may_use_a_source_of_the_other(shop):
    shop.path("data", "replays", "params.yaml").write_text("sources: {hillstrom: {kind: file}}\nmodels: {}\n")
    shop.path("params.yaml").write_text(GOOD.replace("source: shop", "source: hillstrom"))
    assert read_params(shop).model("spring_mail")["source"] == "hillstrom"

def test_a_name_declared_twice_is_refused_with_both_files(shop):
    shop.path("data", "replays", "params.yaml").write_text(GOOD)
    with pytest.raises(ParameterError, match="also declared") as e: read_params(shop)
    assert str(e.value).count("params.yaml") >= 2

def test_words_that_look_like_truth_values_stay_words(shop):
    shop.path("params.yaml").write_text(GOOD.replace("No E-Mail", "no"))
    assert list(read_params(shop).model("spring_mail")["experiment"]["arms"]) == ["no", "E-Mail"]

def test_an_unknown_name_is_answered_with_the_nearest(shop):
    with pytest.raises(ParameterError, match="Did you mean 'spring_mail'"): read_params(shop).model("spring_mial")
    with pytest.raises(ParameterError, match="There is no source 'shpo'"): read_params(shop).source("shpo")
    with pytest.raises(ParameterError): read_params(shop).where("nothing")

@pytest.mark.parametrize("file", ["params.yaml", "data/replays/params.yaml"])
def test_an_edit_that_changes_nothing_changes_no_byte(repository, tmp_path, file):
    before = (repository/file).read_text()
    (tmp_path/"params.yaml").write_text(before)
    edit_params(tmp_path/"params.yaml", lambda content: None)
    assert (tmp_path/"params.yaml").read_text() == before

def test_an_edit_keeps_comments_quotes_and_order(shop):
    path = shop.path("params.yaml")
    def add(content): content["sources"]["web"] = {"kind": "file"}
    edit_params(path, add)
    after = path.read_text()
    assert "# our shop" in after and "# nightly" in after and "'Decide who" in after
    assert after.index("shop:") < after.index("web:") < after.index("models:")
    assert read_params(shop).source("web") == {"kind": "file"}

def test_an_edit_that_fails_leaves_the_file_as_it_was(shop):
    path = shop.path("params.yaml")
    def wrong(content): raise KeyError("models")
    with pytest.raises(KeyError): edit_params(path, wrong)
    assert path.read_text() == GOOD
    path.write_text("sources:\n\tshop: {}\n")
    with pytest.raises(ParameterError, match="line 2"): edit_params(path, lambda content: None)

def test_the_parameters_of_this_repository_are_read(repository):
    found = read_params(find_workspace(repository))
    assert {"retailer_promo_uplift", "hillstrom_email"} <= set(found.models)

def test_an_empty_mapping_is_read_as_such(tmp_path):
    (tmp_path/"x.yaml").write_text("# nothing yet\n")
    assert read_yaml(tmp_path/"x.yaml") == {}
