"""Features in every form they arrive in."""
from decimal import Decimal
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, strategies as st
from marketing_mlops.models.encoders import MOST_CATEGORIES, as_categories, as_numbers, check_learnable, encoded_pipeline, feature_frame
from marketing_mlops.models.learners import NotLearnable, classifier_for
from marketing_mlops.workspace.errors import DataError

def column(values, dtype=None): return pd.Series(values, name="spend", dtype=dtype)

@pytest.mark.parametrize("values,dtype", [
    ([1, 2.5, None], None), ([1, 2.5, None], "Float64"), ([Decimal("1"), Decimal("2.5"), None], object),
    ([Decimal("1.0000"), Decimal("2.5000"), None], pd.ArrowDtype(pa.decimal128(18, 4))), ([1, 2.5, pd.NA], object)])
def test_numbers_are_read_in_every_form_of_the_tables(values, dtype):
    assert as_numbers(column(values, dtype)) == pytest.approx([1, 2.5, np.nan], nan_ok=True)

@pytest.mark.parametrize("values,dtype", [([True, False], None), ([1, 0], "Int64"), ([True, False], "boolean")])
def test_counts_and_booleans_are_numbers(values, dtype): assert as_numbers(column(values, dtype)).tolist() == [1, 0]

@pytest.mark.parametrize("values,dtype", [(["1", "2"], "str"), (["a", "b"], "category"), (pd.to_datetime(["2026-03-01"]), None), ([1, "12,50"], object)])
def test_text_and_dates_are_no_numbers(values, dtype):
    with pytest.raises(DataError) as refused: as_numbers(column(values, dtype))
    assert refused.value.column == "spend" and "spend" in str(refused.value)

@pytest.mark.parametrize("bad", [np.inf, -np.inf, 1e39])
def test_values_beyond_what_a_graph_can_hold_are_refused(bad):
    with pytest.raises(DataError, match="without bounds"): as_numbers(column([1., bad]))

def test_a_column_without_any_value_is_all_missing():
    assert np.isnan(as_numbers(column([None, None], object))).all() and np.isnan(as_numbers(column([pd.NA, pd.NA], "Int64"))).all()

@given(st.lists(st.floats(-1e30, 1e30), min_size=1, max_size=20))
def test_numbers_survive_the_32_bits_of_a_graph_unchanged(values):
    found = as_numbers(column(values, float))
    assert (found.astype(np.float32).astype(float) == found).all() and (as_numbers(column(found)) == found).all()

@pytest.mark.parametrize("values,dtype", [(["a", None], "str"), (["a", None], object), (["a", np.nan], object), (["a", None], "category"), (["a", ""], "str"), (["a", pd.NA], "string")])
def test_a_category_that_is_not_known_is_one_category(values, dtype): assert as_categories(column(values, dtype)).tolist() == ["a", ""]

@pytest.mark.parametrize("values", [[1, 2], [1.5], [True], [("a",)], [b"a"]])
def test_categories_are_text(values):
    with pytest.raises(DataError, match="no text"): as_categories(column(values, object))

ROWS = pd.DataFrame(dict(a=[1., np.nan, 3, 4], b=[0, 1, 0, 1], c=["x", None, "<b>", "x"]), index=[9, 9, 4, 0])

def test_names_decide_and_not_the_order_of_rows_or_columns():
    frame = feature_frame(ROWS, ["a", "b"], ["c"])
    assert frame.equals(feature_frame(ROWS[["c", "b", "a"]].assign(z=1), ["a", "b"], ["c"])) and list(frame.index) == [0, 1, 2, 3]

def test_the_rows_given_are_not_changed():
    before = ROWS.copy(deep=True)
    feature_frame(ROWS, ["a", "b"], ["c"])
    pd.testing.assert_frame_equal(ROWS, before)

def test_missing_and_double_columns_are_named():
    with pytest.raises(DataError, match="no column orders"): feature_frame(ROWS, ["orders"], [])
    with pytest.raises(DataError, match="a occurs more than once"): feature_frame(pd.concat([ROWS, ROWS[["a"]]], axis=1), ["a"], [])
    with pytest.raises(TypeError, match="DataFrame"): feature_frame(ROWS.to_numpy(), ["a"], [])

def test_a_postcode_is_not_learned():
    with pytest.raises(NotLearnable): check_learnable(pd.DataFrame(dict(c=[str(i) for i in range(MOST_CATEGORIES+1)])), [], ["c"])
    check_learnable(pd.DataFrame(dict(c=[str(i) for i in range(MOST_CATEGORIES)])), [], ["c"])

@pytest.mark.parametrize("name", ["logistic_regression", "hist_gradient_boosting"])
def test_unseen_categories_and_gaps_that_training_never_had_get_a_chance(name):
    frame = feature_frame(pd.concat([ROWS.fillna({"a": 0})]*20), ["a", "b"], ["c"])
    fitted = encoded_pipeline(classifier_for({"name": name}), ["a", "b"], ["c"]).fit(frame, np.arange(80) % 2)
    strange = feature_frame(pd.DataFrame(dict(a=[None], b=[None], c=["never seen"]), dtype=object), ["a", "b"], ["c"])
    assert 0 < fitted.predict_proba(strange)[0, 1] < 1

def test_a_gap_is_told_from_the_number_that_fills_it():
    frame = feature_frame(ROWS, ["a"], [])
    encoded = encoded_pipeline(classifier_for({"name": "logistic_regression"}), ["a"], []).fit(frame, [0, 1, 0, 1])[:-1].transform(frame)
    assert encoded[:, 1].tolist() == [0, 1, 0, 0] and np.isfinite(encoded).all()

def test_a_feature_without_any_value_in_training_does_no_harm():
    rows = pd.DataFrame(dict(a=[None]*6, b=range(6)), dtype=object)
    frame = feature_frame(rows, ["a", "b"], [])
    fitted = encoded_pipeline(classifier_for({"name": "logistic_regression"}), ["a", "b"], []).fit(frame, [0, 0, 0, 1, 1, 1])
    assert np.isfinite(fitted.decision_function(frame)).all()
    assert fitted[:-1].transform(frame)[:, 2].tolist() == [1]*6   # the gap is marked, as it would be in a column with some values

def test_a_model_needs_a_feature():
    with pytest.raises(ValueError, match="at least one feature"): encoded_pipeline(classifier_for({"name": "logistic_regression"}), [], [])
