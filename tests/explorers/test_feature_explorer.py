"""What has to be true of the explorer of features: what its figures rest on, what its intervals promise, what its texts do."""
import json
from dataclasses import replace
import numpy as np
import pandas as pd
import pytest
from feature_rows_example import HOSTILE, leaving, leaving_rows
from marketing_mlops.explorers.feature_bins import bin_feature, outcome_by_bin, over_time
from marketing_mlops.explorers.feature_cells import feature_cell, feature_yaml, filter_choices, with_filter, with_window
from marketing_mlops.explorers.feature_costs import table_seconds
from marketing_mlops.explorers.feature_explorer import FeatureExplorer
from marketing_mlops.explorers.feature_relations import rank_columns, rank_correlations
from marketing_mlops.explorers.feature_rows import rows_of_frame
from marketing_mlops.features.catalogue import FEATURES, feature
from marketing_mlops.features.declarations import OTHER_WAYS, Feature, Tally
from marketing_mlops.features.own_features import own_features
from marketing_mlops.measurement.redundancy import rank_correlation
from marketing_mlops.workspace.errors import MmopsError, ParameterError
from marketing_mlops.workspace.places import find_workspace

@pytest.fixture(scope="module")
def explorer(): return FeatureExplorer(leaving_rows())

def shown(explorer, *columns): return explorer.overview().set_index("feature").sort_index()[list(columns)]

def test_held_out_outcomes_change_no_gain_and_no_bin(explorer):
    df = leaving()
    turned = df.assign(label=np.where(df.split == "held_out", 1 - df.label, df.label))
    other = FeatureExplorer(leaving_rows(turned))
    gains = ["gain", "gain_low", "gain_high", "missing"]
    pd.testing.assert_frame_equal(shown(other, *gains), shown(explorer, *gains))
    pd.testing.assert_frame_equal(other.profile().bins, explorer.profile().bins)
    assert not other.profile().course["mean"].equals(explorer.profile().course["mean"])

def test_the_order_of_rows_changes_nothing(explorer):
    mixed = leaving().sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(outcome_by_bin(rows := leaving_rows(mixed), bin_feature(rows, "orders_90d")), outcome_by_bin(explorer.rows, bin_feature(explorer.rows, "orders_90d")))
    pd.testing.assert_frame_equal(over_time(rows, bin_feature(rows, "visits_90d")), over_time(explorer.rows, bin_feature(explorer.rows, "visits_90d")))

@pytest.mark.slow
def test_intervals_of_repeated_customers_hold_their_level():
    rng, held, draws, n = np.random.default_rng(11), 0, 150, 150
    for _ in range(draws):
        chance = np.repeat(rng.choice([.05, .6], n), 6)                    # customers differ, and each is asked six times
        df = pd.DataFrame(dict(customer_id=np.repeat(np.arange(n).astype(str), 6), label=(rng.random(6*n) < chance).astype(int), one=1.))
        rows = rows_of_frame(df, "label", features=["one"])
        found = outcome_by_bin(rows, bin_feature(rows, "one")).iloc[0]
        held += found.low <= .325 <= found.high
    assert 134 <= held <= 150        # 95 % of 150, within three standard errors

def test_every_row_is_in_exactly_one_bin(explorer):
    for name in explorer.rows.features:
        for scale in ("quantile", "linear", "log"):
            found = outcome_by_bin(explorer.rows, bin_feature(explorer.rows, name, scale))
            assert found.n.sum() == explorer.rows.within(explorer.rows.training).sum() and abs(found.share.sum() - 1) < 1e-9

def test_rank_correlations_of_all_pairs_are_those_of_each_pair():
    numbers = pd.DataFrame(np.random.default_rng(2).poisson(3, (500, 4)).astype(float)) @ np.array([[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, -1], [0, 0, 0, 1]])
    found = rank_correlations(rank_columns(numbers))
    assert all(abs(found[i, j] - rank_correlation(numbers[i].to_numpy(), numbers[j].to_numpy())) < 1e-4 for i in range(4) for j in range(4))

@pytest.mark.parametrize("name", FEATURES)
def test_a_pasted_cell_registers_what_was_explored(name):
    names = {}
    exec(feature_cell(feature(name)), names)
    assert feature(name) == FEATURES[name]

def test_what_is_written_for_params_yaml_is_read_back_as_it_was(tmp_path):
    (tmp_path/"settings.ini").write_text("[DEFAULT]\nreporting_currency = EUR\n")
    kinds = {(each.table, each.aggregation, each.column, bool(each.per), bool(each.smoothing), each.window_days is None): each for each in FEATURES.values() if each.table not in OTHER_WAYS and each.unit}
    for i, declared in enumerate(kinds.values()):
        own = replace(declared, name=f"read_back_{i}")
        (tmp_path/"params.yaml").write_text(feature_yaml(own), encoding="utf-8")
        assert own_features(find_workspace(tmp_path))[own.name].version == own.version

SENT = Tally("contacts", "count", where=(("kind", ("send",)),))
@pytest.mark.parametrize("changed", [
    dict(entity="household", window_days=90, missing=0.), dict(entity="account", aggregation="last", column="channel"),
    dict(per=SENT, window_days=30), dict(per=SENT, smoothing=(1e-5, 200.), max_age_days=2.5, owner="media@example.com"),
    dict(per=Tally("touchpoints", "sum", "engagement_seconds"), entity="household", means_missing="Never: no visit, \"none\"."),
    dict(where=(("kind", ("visit", "open")), ("is_machine_open", (False,)), ("channel", ("yes", "1e3", "null", "2026-01-01", "a: b", "~", "🌷", "y\u2028z", "\x85")),)),
    dict(where=(("engagement_seconds", (1.5, 2e-5, 1e22)),))])
def test_a_declaration_is_the_same_after_both_ways_out(changed, tmp_path):
    declared = Feature(**dict(name="own_share", definition="Of the <b>household</b>: yes, 🌷.", unit="share", table="touchpoints", aggregation="count") | changed)
    (tmp_path/"settings.ini").write_text("[DEFAULT]\nreporting_currency = EUR\n")
    (tmp_path/"params.yaml").write_text(feature_yaml(declared), encoding="utf-8")
    assert own_features(find_workspace(tmp_path))["own_share"] == declared
    assert eval(feature_cell(declared).rpartition("register_feature")[2], dict(Feature=Feature, Tally=Tally)) == declared

def test_every_filter_there_is_makes_a_feature_that_can_be_declared():
    choices = {"channel": ("email", "Пошта", "🌷", "<b>", "a"*80, "123", " ")}
    names = [with_filter(feature("clicks_90d"), "channel", (value,), choices).name for value in choices["channel"]]
    assert len(set(names)) == len(names) and not set(names) & set(FEATURES)

def test_the_time_of_a_team_s_own_feature_is_that_of_its_table(tmp_path, monkeypatch):
    (tmp_path/"settings.ini").write_text("[DEFAULT]\nreporting_currency = EUR\n")
    own = Feature("own_visits_9d", "Visits.", "visits", "touchpoints", "count", window_days=9)
    (tmp_path/"params.yaml").write_text(feature_yaml(own))
    asked = []
    monkeypatch.setattr("marketing_mlops.explorers.feature_costs.feature_table", lambda workspace, source, spine, names: asked.extend(names))
    table_seconds(find_workspace(tmp_path), "shop", rows_of_frame(leaving().assign(own_visits_9d=1.), "label", "cutoff"), own)
    assert asked == ["visits_90d", "own_visits_9d"]

def test_a_table_of_names_alone_can_be_explored():
    explorer = FeatureExplorer(rows_of_frame(leaving(), "label", "cutoff", features=["trait.channel"]))
    assert explorer.profile().related.empty and explorer.snapshot().table.shape[0] == 3

def test_a_name_there_is_not_is_answered_with_names_and_how_many_more_there_are():
    many = leaving().assign(**{f"score_{i}": 1.*i for i in range(14)})
    explorer = FeatureExplorer(rows_of_frame(many, "label", "cutoff", features=[f"score_{i}" for i in range(14)]))
    with pytest.raises(ParameterError, match=r"Choose one of score_0, .*, score_11 and 2 more\."): explorer.select("nope")

def test_every_feature_takes_another_window_and_filter():
    for declared in FEATURES.values():
        if declared.table in OTHER_WAYS: continue
        other = with_window(declared, 17)
        assert other.window_days == 17 and other.name.endswith("_17d") and "17 days" in other.definition
        for column, values in filter_choices(declared.table).items():
            chosen = with_filter(other, column, values[:1], filter_choices(declared.table))
            assert dict(chosen.where)[column] == values[:1]

def test_a_saved_picture_has_no_markup_of_names_and_no_small_bins(explorer):
    for name in explorer.rows.features:
        explorer.select(name)
        shot = explorer.snapshot(minimum_rows=40)
        assert "<img" not in shot.svg and "<b>" not in shot.svg
        assert (shot.table.rows.str.replace(",", "").astype(int) >= 40).all()
    explorer.select("orders_90d")

def test_features_without_any_value_or_of_one_value_are_shown():
    df = leaving().assign(never=np.nan, always="x", infinite=np.inf)
    explorer = FeatureExplorer(rows_of_frame(df, "label", "cutoff", features=["never", "always", "infinite", "orders_90d"]))
    said = {name: explorer.select(name) for name in explorer.rows.features if explorer.snapshot().svg}
    assert said["never"] == said["infinite"] == "No customer has a value." and said["always"] == "Every customer has the same value."
    assert explorer.overview().feature[0] == "orders_90d" and shown(explorer, "missing").missing["infinite"] == 1

def test_an_infinite_value_counts_as_missing_everywhere(explorer):
    rows = leaving_rows(leaving().assign(orders_90d=lambda f: f.orders_90d.where(f.index % 5 > 0, np.inf)))
    binned = bin_feature(rows, "orders_90d")
    assert "missing" in outcome_by_bin(rows, binned).query("n > 0").bin.tolist()
    assert over_time(rows, binned)["upper_quartile"].max() < 100

ODD = dict(empty=lambda: leaving().iloc[:0], one_row=lambda: leaving().iloc[:1], one_customer=lambda: leaving().iloc[[0, 600, 1200]], nobody_leaves=lambda: leaving().assign(label=0),
           ten_thousand=lambda: leaving(4_000).assign(**{"trait.channel": [f"c{i}" for i in range(12_000)]}), all_missing=lambda: leaving().assign(visits_90d=np.nan, **{"trait.channel": None}),
           infinite=lambda: leaving().assign(visits_90d=np.where(np.arange(1800) % 2, np.inf, -np.inf)))

@pytest.mark.parametrize("kind", ODD)
def test_odd_rows_are_shown_sensibly_or_refused_in_two_lines(kind):
    try: explorer = FeatureExplorer(leaving_rows(ODD[kind]()))
    except MmopsError as refused:
        assert len(str(refused).splitlines()) == 2 and kind in ("empty", "one_row")
        return
    for name in explorer.rows.features:
        assert explorer.select(name)
        assert explorer.snapshot(minimum_rows=1).svg
    charts = explorer.live()
    json.dumps([charts.spec, charts.profile, charts.texts], allow_nan=False)
    assert len(charts.profile["bins"]) < 100
    charts.close()

def test_a_view_opens_again_and_a_feature_that_has_gone_is_named(explorer):
    explorer.select("visits_90d", window=30, ticked=["orders_90d"])
    kept = json.loads(json.dumps(explorer.state()))
    assert FeatureExplorer.from_state(kept, rows=leaving_rows()).code() == explorer.code()
    with pytest.raises(ParameterError, match="no feature 'visits_90d'"): FeatureExplorer.from_state(kept, rows=leaving_rows(leaving().drop(columns="visits_90d")))
    with pytest.raises(ValueError, match="ticked must be features of the list"): FeatureExplorer.from_state(kept, rows=leaving_rows(leaving().drop(columns="orders_90d")))
    explorer.select("orders_90d", ticked=[])
