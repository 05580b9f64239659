"""`mmops features`: retired by typed words, refused at the next run, and taken back."""
import pytest
from marketing_mlops.cli.commands import main
from marketing_mlops.cli.features import declaration_facts, known_features
from marketing_mlops.jobs.targets import check_before_run
from marketing_mlops.workspace.errors import ParameterError
from marketing_mlops.workspace.places import find_workspace, write_text

PARAMS = """sources: {shop: {kind: file}}
models:
  churn: {owner: model-owner@example.com, purpose: Win back, audience: Customers, source: shop, task: propensity, outcome: {kind: no_order, horizon_days: 90},
          cutoffs: {last: "2026-01-01"}, split: {held_out: last_cutoff}, algorithm: {name: logistic_regression}, features: [recency_days, clicks_90d]}
"""
WHO_AND_WHY = ["--as", "marketing@example.com", "--reason", "The \x1b[2J tracker ends"]

@pytest.fixture
def shop(tmp_path, monkeypatch):
    write_text(tmp_path/"settings.ini", "[DEFAULT]\ndefault_models = churn\n")
    write_text(tmp_path/"params.yaml", PARAMS)
    monkeypatch.chdir(tmp_path)
    return find_workspace(tmp_path)

def test_a_retired_feature_stops_the_run_of_a_model_that_names_it_until_it_is_taken_back(shop, capsys):
    check_before_run(shop)
    assert main(["features", "retire", "clicks_90d", *WHO_AND_WHY]) == 0
    said = capsys.readouterr().out
    assert "The next run of churn is refused" in said and "\x1b" not in said
    with pytest.raises(ParameterError, match="clicks_90d was retired on") as refused: check_before_run(shop)
    assert str(refused.value).count("\n") == 1
    assert main(["run", "--no-open"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 2
    assert main(["features", "unretire", "clicks_90d", *WHO_AND_WHY]) == 0
    check_before_run(shop)

def test_the_list_shows_who_names_a_feature_and_since_when_it_is_retired(shop, capsys):
    main(["features", "retire", "clicks_90d", *WHO_AND_WHY]); capsys.readouterr()
    assert main(["features", "list", "--used"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "churn" in lines["clicks_90d"] and lines["clicks_90d"].rstrip()[-10:-6].isdigit() and not lines["recency_days"].rstrip()[-1].isdigit()

@pytest.mark.parametrize("words,says", [(["features", "retire", "clicks_90d", "--as", "marketing@example.com"], "reason is missing"), (["features", "retire", "clicks_90", *WHO_AND_WHY], "Did you mean"),
                                        (["features", "unretire", "clicks_90d", *WHO_AND_WHY], "is not retired"), (["features", "show", "click"], "There is no feature"), (["features", "lst"], "no command")])
def test_what_cannot_be_done_is_two_lines(shop, capsys, words, says):
    assert main(words) == 1
    err = capsys.readouterr().err.splitlines()
    assert len(err) == 2 and says in err[0]

OWN = """
features:
  home_return_rate_180d: {definition: Lines sent back by her household per line bought., unit: share, entity: household, table: order_lines, aggregation: count, where: {kind: [return, cancellation]},
                          window_days: 180, per: {table: order_lines, aggregation: count, where: {is_purchase: true}}, smoothing: [0.1, 20], max_age_days: 2}
"""

def test_the_whole_declaration_is_shown_in_the_words_of_params_yaml(shop, capsys):
    write_text(shop.path("params.yaml"), PARAMS + OWN)
    assert main(["features", "show", "home_return_rate_180d"]) == 0
    shown = dict(line.split(": ", 1) for line in capsys.readouterr().out.splitlines())
    assert shown["entity"] == "household" and shown["window_days"] == "180" and shown["max_age_days"] == "2"
    assert shown["aggregation"] == "count in order_lines, where kind is return or cancellation" and shown["per"] == "count in order_lines, where is_purchase is true"
    assert shown["smoothing"] == "drawn towards 0.1, as by 20 further rows" and shown["missing"] == "only for whoever has no household; 0.1 where no row counts"
    assert {"orders.customer_id", "customers.household_id"} <= set(shown["reads"].split(", "))

@pytest.mark.parametrize("name, missing", [("return_rate_365d", "never; 0.1 where no row counts"), ("orders_365d", "never; 0 where no row counts"), ("recency_days", "She never bought anything."), ("trait.age_band", "the source does not say it")])
def test_what_a_missing_value_says_is_true_of_the_feature(shop, capsys, name, missing):
    assert main(["features", "show", name]) == 0
    assert f"missing: {missing}" in capsys.readouterr().out.splitlines()

def test_every_feature_there_is_can_be_shown(shop):
    for name, declared in known_features(shop).items():
        facts = declaration_facts(declared)
        assert facts["aggregation"] and facts["entity"] and facts["missing"], name

def test_a_feature_of_a_campaign_is_refused_for_a_model_before_anything_is_read_and_says_so_where_it_is_shown(shop, capsys):
    own = "\nfeatures: {shown_30d: {definition: Impressions., unit: impressions, entity: campaign, table: touchpoints, aggregation: count, window_days: 30, missing: 0}}\n"
    write_text(shop.path("params.yaml"), PARAMS.replace("clicks_90d]", "shown_30d]") + own)
    with pytest.raises(ParameterError, match="features names 'shown_30d', which describes a campaign; the rows of a model are customers") as refused: check_before_run(shop)
    assert str(refused.value).count("\n") == 1 and "Remove it from features:" in str(refused.value)
    assert main(["features", "show", "shown_30d"]) == 0
    assert "no model may name it" in capsys.readouterr().out
