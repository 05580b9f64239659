"""A graph says what its model says, to the last decision; and a graph that does not is found."""
import subprocess, sys
from types import SimpleNamespace
import numpy as np, pandas as pd, pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from scipy.special import expit
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder
from marketing_mlops.models import encoders
from marketing_mlops.models.arm_scores import ArmPart, ArmScore
from marketing_mlops.models.propensity import PropensityModel
from marketing_mlops.models.uplift_learners import UPLIFT_LEARNERS
from marketing_mlops.models.uplift_models import TLearner
from marketing_mlops.registry import graph_rows
from marketing_mlops.registry.graph_drafts import UnwritableModel
from marketing_mlops.registry.graph_rows import open_graph, run_graph
from marketing_mlops.registry.graphs import AGREEMENT_TOLERANCE, agreement, propensity_graph, uplift_graphs
from marketing_mlops.registry.probe_rows import probe_rows

NUMBERS, CATEGORIES = ["recency_days", "orders_90d", "net_revenue_365d"], ["trait.age_band"]
FEATURES = [*NUMBERS, *CATEGORIES]
ALGORITHMS = [{"name": "hist_gradient_boosting", "max_iter": 30}, {"name": "logistic_regression"}]

@pytest.fixture(scope="module", autouse=True)
def one_thread():
    "Threads of OpenMP wait for each other where tests run side by side."
    from threadpoolctl import threadpool_limits
    with threadpool_limits(1, user_api="openmp"): yield

def customers(n=1500, seed=7, missing=.1):
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame({"recency_days": rng.gamma(2, 30, n), "orders_90d": rng.poisson(2, n).astype(float), "net_revenue_365d": rng.gamma(2, 40, n).round(2),
                         "trait.age_band": rng.choice(["18-24", "25-34", "35+"], n)})
    chance = expit((rows.recency_days-60)/20 - .5*rows.orders_90d + (rows["trait.age_band"] == "35+"))
    for name in FEATURES: rows.loc[rng.random(n) < missing, name] = None
    return rows, (rng.random(n) < chance).astype(int)

def name_of(algorithm): return algorithm["name"]

@pytest.fixture(scope="module", params=ALGORITHMS, ids=name_of)
def churn(request):
    rows, leaves = customers()
    return PropensityModel(request.param, NUMBERS, CATEGORIES).fit(rows, leaves), rows

@pytest.fixture(scope="module")
def session(churn): return open_graph(propensity_graph(churn[0], FEATURES))

# what is converted

def test_a_propensity_graph_agrees_with_its_model_on_every_kind_of_row(churn):
    model, rows = churn
    verdict = agreement(model, propensity_graph(model, FEATURES), rows)
    assert verdict.passed, verdict
    assert max(reason.value for reason in verdict.reasons) < 1e-12, "graphs decide exactly as models do"

@pytest.mark.parametrize("algorithm", [ALGORITHMS[0], {"name": "linear_regression"}], ids=name_of)
def test_uplift_graphs_agree_on_amounts_for_every_arm(algorithm):
    rows, buys = customers()
    arm = np.random.default_rng(1).choice(["No E-Mail", "Mens E-Mail", "Womens E-Mail"], len(rows))
    model = TLearner(algorithm, NUMBERS, CATEGORIES, control="No E-Mail").fit(rows, buys*rows.net_revenue_365d.fillna(20), arm)
    graphs = uplift_graphs(model)
    assert sorted(graphs) == ["Mens E-Mail", "No E-Mail", "Womens E-Mail"]
    assert agreement(model, graphs, rows).passed

@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=name_of)
def test_uplift_graphs_agree_on_outcomes_that_happen_or_not(algorithm):
    rows, buys = customers()
    arm = np.random.default_rng(1).choice(["no_mail", "promo_mail"], len(rows))
    model = TLearner(algorithm, NUMBERS, CATEGORIES, control="no_mail").fit(rows, buys, arm)
    assert agreement(model, uplift_graphs(model), rows).passed

@pytest.mark.parametrize("way", UPLIFT_LEARNERS)
def test_every_way_of_learning_a_gain_is_written_as_one_graph_per_arm(way):
    rows, buys = customers()
    arm = np.random.default_rng(1).choice(["No E-Mail", "Mens E-Mail", "Womens E-Mail"], len(rows), p=[.5, .3, .2])
    spend = buys*rows.net_revenue_365d.fillna(20) if UPLIFT_LEARNERS[way].learns_amounts else buys
    model = UPLIFT_LEARNERS[way].model(ALGORITHMS[0], NUMBERS, CATEGORIES, "No E-Mail").fit(rows, spend, arm)
    graphs = uplift_graphs(model)
    assert list(graphs) == ["Mens E-Mail", "No E-Mail", "Womens E-Mail"] and graphs == uplift_graphs(model)
    verdict = agreement(model, graphs, rows)
    assert verdict.passed and max(reason.value for reason in verdict.reasons) < 1e-12, verdict
    asked = {each.name for graph in graphs.values() for each in open_graph(graph).get_inputs()}
    assert asked <= set(FEATURES), "nobody is asked for the arm"

@pytest.mark.parametrize("numeric, categorical", [(NUMBERS, []), ([], CATEGORIES)], ids=["numbers only", "categories only"])
@pytest.mark.parametrize("way", [way for way, each in UPLIFT_LEARNERS.items() if each.learns_amounts])
def test_an_uplift_model_may_have_features_of_one_kind_alone(way, numeric, categorical):
    rows, buys = customers(400)
    arm = np.random.default_rng(1).choice(["no_mail", "promo_mail"], len(rows))
    model = UPLIFT_LEARNERS[way].model({"name": "linear_regression"}, numeric, categorical, "no_mail").fit(rows, buys + .5*(arm == "promo_mail"), arm)
    assert agreement(model, uplift_graphs(model), rows).passed

def test_a_graph_that_was_told_another_arm_is_found():
    rows, buys = customers()
    arm = np.random.default_rng(1).choice(["no_mail", "promo_mail"], len(rows))
    model = UPLIFT_LEARNERS["s"].model(ALGORITHMS[0], NUMBERS, CATEGORIES, "no_mail").fit(rows, buys + .5*(arm == "promo_mail"), arm)
    graphs = uplift_graphs(model)
    assert agreement(model, {"no_mail": graphs["promo_mail"], "promo_mail": graphs["no_mail"]}, rows).status == "fail"

def test_a_model_that_never_saw_a_gap_is_asked_about_one():
    rows, leaves = customers(missing=0)
    for algorithm in ALGORITHMS:
        model = PropensityModel(algorithm, NUMBERS, CATEGORIES).fit(rows, leaves)
        assert agreement(model, propensity_graph(model, FEATURES), rows).passed

@pytest.mark.parametrize("algorithm", ALGORITHMS[:2], ids=lambda a: a["name"])
def test_a_feature_that_was_known_of_one_customer_alone_does_not_stop_a_graph(algorithm):
    "Of nobody at all is refused by the model."
    rows, leaves = customers()
    rows["clicks_90d"] = np.where(np.arange(len(rows)) == 0, 3., np.nan)
    model = PropensityModel(algorithm, [*NUMBERS, "clicks_90d"], CATEGORIES).fit(rows, leaves)
    verdict = agreement(model, propensity_graph(model, [*FEATURES, "clicks_90d"]), rows)
    assert verdict.passed, verdict

@pytest.mark.parametrize("numeric, categorical", [(NUMBERS, []), ([], CATEGORIES)], ids=["numbers only", "categories only"])
def test_a_model_may_have_features_of_one_kind_alone(numeric, categorical):
    rows, leaves = customers()
    for algorithm in ALGORITHMS:
        model = PropensityModel(algorithm, numeric, categorical).fit(rows, leaves)
        assert agreement(model, propensity_graph(model, [*numeric, *categorical]), rows).passed

def test_trees_that_are_a_single_leaf_are_written():
    rows, leaves = customers(60)
    model = PropensityModel({"name": "hist_gradient_boosting", "max_iter": 5, "min_samples_leaf": 500}, NUMBERS, CATEGORIES).fit(rows, leaves)
    assert agreement(model, propensity_graph(model, FEATURES), rows).passed

def test_categories_may_hold_any_text():
    rows, leaves = customers()
    rows["trait.age_band"] = rows["trait.age_band"].replace({"18-24": "<script>alert(1)</script>", "25-34": "Köln, 🎈 \"x\"\n", "35+": " "})
    model = PropensityModel(ALGORITHMS[0], NUMBERS, CATEGORIES).fit(rows, leaves)
    assert agreement(model, propensity_graph(model, FEATURES), rows).passed

@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(*[st.one_of(st.none(), st.floats(-1e30, 1e30, width=64))]*3, st.one_of(st.none(), st.sampled_from(["18-24", "35+", "", "new", "NaN"]), st.text(max_size=5))), min_size=1, max_size=8))
def test_any_row_at_all_gets_one_score(churn, session, values):
    model, _ = churn
    rows = pd.DataFrame(values, columns=FEATURES).astype({name: float for name in NUMBERS} | {"trait.age_band": object})
    apart = np.abs(run_graph(session, rows) - model.predict_proba(rows)[:, 1])
    assert apart.max() < 1e-9

def test_the_order_of_columns_and_rows_does_not_matter(churn):
    model, rows = churn
    session = open_graph(propensity_graph(model, FEATURES))
    shuffled = rows.sample(frac=1, random_state=1)[FEATURES[::-1]]
    assert (pd.Series(run_graph(session, shuffled), shuffled.index).reindex(rows.index) == run_graph(session, rows)).all()

def test_models_and_graphs_spell_a_missing_category_alike():
    assert encoders.MISSING_CATEGORY == graph_rows.MISSING_TEXT
    values = pd.Series([1.1, None, 1e-9, 16777217., -0.], dtype=object)
    assert np.array_equal(encoders.as_numbers(values), graph_rows.number_values(values), equal_nan=True), "numbers are rounded alike"

# the same bytes

SCRIPT = """
import sys, hashlib; sys.path.insert(0, sys.argv[1])
from test_graphs import *
rows, leaves = customers(2000)
for algorithm in ALGORITHMS:
    model = PropensityModel(algorithm, NUMBERS, CATEGORIES).fit(rows, leaves)
    print(hashlib.sha256(propensity_graph(model, FEATURES)).hexdigest(), hashlib.sha256(model.predict_proba(rows).tobytes()).hexdigest())
"""

def test_two_processes_write_the_same_bytes(repository):
    import os
    from pathlib import Path
    told = [subprocess.run([sys.executable, "-c", SCRIPT, str(Path(__file__).parent)], cwd=repository, text=True, capture_output=True, check=True,
                           env=os.environ | {"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": threads, "PYTHONPATH": str(repository)}).stdout for seed, threads in (("1", "1"), ("2", "2"))]
    assert told[0] == told[1] and len(told[0].split()) == 4

# the errors that are known

def converted(model, numeric, categorical=()):
    "What the usual converter writes."
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import FloatTensorType, StringTensorType
    types = [(name, FloatTensorType([None, 1])) for name in numeric] + [(name, StringTensorType([None, 1])) for name in categorical]
    return convert_sklearn(model, "planted", types, options={"zipmap": False} if hasattr(model, "classes_") else None, target_opset={"": 19, "ai.onnx.ml": 3}).SerializeToString()

def coded(n=12_000, seed=3):
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame({"job": rng.integers(0, 12, n).astype(float), "recency_days": rng.gamma(2, 30, n).astype(np.float32).astype(float)})
    return rows, (rng.random(n) < expit(np.sin(rows.job*2)*2 + (rows.recency_days-60)/30)).astype(int)

def through(*columns): return ColumnTransformer([("numbers", "passthrough", list(columns))])

def test_trees_that_treat_categories_themselves_are_refused_by_the_writer_and_by_the_comparison():
    rows, leaves = coded()
    model = Pipeline([("encoded", through("job", "recency_days")), ("learner", HistGradientBoostingClassifier(max_iter=20, categorical_features=[0], random_state=0))]).fit(rows, leaves)
    with pytest.raises(UnwritableModel, match="categorical_features"): propensity_graph(SimpleNamespace(pipeline_=model, sigmoid_=(-1, 0)), list(rows))
    verdict = agreement(model, converted(model, rows), rows)
    assert verdict.status == "fail" and verdict.reasons[0].value > .05, verdict

def test_isotonic_calibration_is_refused_by_the_writer_and_by_the_comparison():
    rows, leaves = coded(3000)
    inside = CalibratedClassifierCV(HistGradientBoostingClassifier(max_iter=10, random_state=0), method="isotonic", cv=3)
    model = Pipeline([("encoded", through("job", "recency_days")), ("learner", inside)]).fit(rows, leaves)
    with pytest.raises(UnwritableModel, match="ends in CalibratedClassifierCV"): propensity_graph(SimpleNamespace(pipeline_=model, sigmoid_=None), list(rows))
    assert agreement(model, converted(model, rows), rows).status == "fail"

def test_splits_moved_by_one_32_bit_number_are_found_beside_the_splits():
    import onnx
    rows, leaves = customers()
    model = PropensityModel(ALGORITHMS[0], NUMBERS, CATEGORIES).fit(rows, leaves)
    graph = onnx.load_model_from_string(propensity_graph(model, FEATURES))
    splits = next(part.t for node in graph.graph.node for part in node.attribute if part.name == "nodes_splits")
    moved = np.nextafter(onnx.numpy_helper.to_array(splits).astype(np.float32), np.float32(-np.inf)).astype(np.float64)
    splits.CopyFrom(onnx.numpy_helper.from_array(moved))
    verdict = agreement(model, graph.SerializeToString(), rows)
    assert verdict.status == "fail" and "split of " in verdict.reasons[1].message, verdict

def test_amounts_summed_in_32_bits_are_refused():
    rows, _ = coded(3000)
    spend = 300 + 40*np.sin(rows.job) + rows.recency_days
    arms = {"no_mail": spend, "promo_mail": spend+1}
    models = {arm: Pipeline([("encoded", through("job", "recency_days")), ("learner", HistGradientBoostingRegressor(max_iter=60, random_state=0))]).fit(rows, y) for arm, y in arms.items()}
    model = SimpleNamespace(numeric=["job", "recency_days"], categorical=[], arm_scores=lambda: {arm: ArmScore((ArmPart(each),)) for arm, each in models.items()}, control="no_mail", predict=lambda frame: pd.DataFrame({"promo_mail": models["promo_mail"].predict(frame) - models["no_mail"].predict(frame)}))
    assert agreement(model, uplift_graphs(model), rows).passed
    assert agreement(model, {arm: converted(each, rows) for arm, each in models.items()}, rows).status == "fail"

def test_a_model_that_does_not_round_its_features_is_found_beside_the_splits():
    rows, leaves = coded(3000)
    exact = rows.assign(recency_days=np.random.default_rng(0).gamma(2, 30, 3000))
    model = Pipeline([("encoded", through("job", "recency_days")), ("learner", HistGradientBoostingClassifier(max_iter=20, random_state=0))]).fit(exact, leaves)
    verdict = agreement(model, propensity_graph(SimpleNamespace(pipeline_=model, sigmoid_=(-1, 0)), list(rows)), exact)
    assert verdict.status == "fail" and "split of recency_days" in verdict.reasons[1].message, verdict

@pytest.mark.parametrize("step, says", [
    (OneHotEncoder(handle_unknown="error"), "meets unseen categories"), (OneHotEncoder(handle_unknown="ignore", drop="first"), "drops or merges"),
    (OneHotEncoder(handle_unknown="ignore", min_frequency=600), "drops or merges"), (OrdinalEncoder(), "OrdinalEncoder")], ids=["unknown is an error", "drop", "merged", "ordinal"])
def test_encodings_that_cannot_be_repeated_are_refused(step, says):
    rows, leaves = customers(missing=0)
    encoder = ColumnTransformer([("numbers", "passthrough", NUMBERS), ("categories", step, CATEGORIES)], sparse_threshold=0)
    model = Pipeline([("encoded", encoder), ("learner", HistGradientBoostingClassifier(max_iter=2))]).fit(rows, leaves)
    with pytest.raises(UnwritableModel, match=says): propensity_graph(SimpleNamespace(pipeline_=model, sigmoid_=None), FEATURES)

def test_learners_of_three_classes_and_of_logarithms_are_refused():
    rows, leaves = coded(600)
    three = Pipeline([("encoded", through("job")), ("learner", HistGradientBoostingClassifier(max_iter=2))]).fit(rows, np.arange(600) % 3)
    with pytest.raises(UnwritableModel, match="3 classes"): propensity_graph(SimpleNamespace(pipeline_=three, sigmoid_=None), ["job"])
    counts = Pipeline([("encoded", through("job")), ("learner", HistGradientBoostingRegressor(max_iter=2, loss="poisson"))]).fit(rows, leaves)
    with pytest.raises(UnwritableModel, match="logarithm"): uplift_graphs(SimpleNamespace(numeric=["job"], categorical=[], arm_scores=lambda: {"control": ArmScore((ArmPart(counts),))}))

def test_one_wrong_row_among_many_is_enough(churn):
    model, rows = churn
    class Odd:
        pipeline_, sigmoid_ = model.pipeline_, model.sigmoid_
        def predict_proba(self, frame):
            found = model.predict_proba(frame)
            found[17 % len(found), 1] += 10*AGREEMENT_TOLERANCE
            return found
    verdict = agreement(Odd(), propensity_graph(model, FEATURES), rows)
    assert verdict.status == "fail" and "differ on 1 of 1,500" in verdict.reasons[0].message

def test_a_graph_that_answers_nan_agrees_with_nothing(churn):
    model, rows = churn
    class Lost:
        pipeline_, sigmoid_, predict_proba = model.pipeline_, (float("nan"), 0.), model.predict_proba
    verdict = agreement(Lost(), propensity_graph(Lost(), FEATURES), rows)
    assert verdict.status == "fail" and "not both of them give a number" in verdict.reasons[0].message

def test_the_verdict_says_how_many_rows_it_rests_on(churn):
    model, rows = churn
    graph = propensity_graph(model, FEATURES)
    many = pd.concat([rows]*7, ignore_index=True)
    assert "all there are; 10,000 are wanted" in agreement(model, graph, rows).reasons[0].message
    assert "10,500 real rows." in agreement(model, graph, many).reasons[0].message
    assert agreement(model, graph, rows.iloc[:0]).status == "unknown"

def test_probes_cover_every_feature(churn):
    model, rows = churn
    _, probes = probe_rows(rows, NUMBERS, CATEGORIES, {})
    assert {f"missing of {name}" for name in FEATURES} | {f"extreme of {name}" for name in NUMBERS} | {"unseen of trait.age_band", "everything missing"} == set(probes)

# a public file

def bank(datasets):
    rows = pd.read_csv(datasets/"bank-marketing"/"bank-additional-full.csv.gz", sep=";")
    return rows.drop(columns=["y", "duration"]), (rows.y == "yes").astype(int).to_numpy()

def test_a_model_of_bank_marketing_agrees_on_all_its_customers(datasets):
    rows, bought = bank(datasets)
    categorical = [name for name in rows if not pd.api.types.is_numeric_dtype(rows[name])]
    numeric = [name for name in rows if name not in categorical]
    model = PropensityModel({"name": "hist_gradient_boosting", "max_iter": 20}, numeric, categorical).fit(rows, bought)
    verdict = agreement(model, propensity_graph(model, [*numeric, *categorical]), rows)
    assert verdict.passed and "41,188 real rows." in verdict.reasons[0].message, verdict

def test_the_usual_converter_is_refused_on_bank_marketing(datasets):
    rows, bought = bank(datasets)
    rows = pd.DataFrame({name.replace(".", "_"): rows[name].astype("category").cat.codes.astype(float) if not pd.api.types.is_numeric_dtype(rows[name])
                         else rows[name].astype(np.float32).astype(float) for name in rows})
    codes = [name for name in ("job", "marital", "education", "default", "housing", "loan", "contact", "month", "day_of_week", "poutcome")]
    model = Pipeline([("encoded", through(*rows)), ("learner", HistGradientBoostingClassifier(max_iter=30, random_state=0,
                      categorical_features=[list(rows).index(name) for name in codes]))]).fit(rows, bought)
    verdict = agreement(model, converted(model, rows), rows)
    assert verdict.status == "fail" and "of 41,188 real rows" in verdict.reasons[0].message and verdict.reasons[0].value > .01, verdict
