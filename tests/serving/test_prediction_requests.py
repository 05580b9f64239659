"""Whatever is sent is either a question or refused with a reason; nothing else comes out."""
import json, math
import numpy as np, pytest
from hypothesis import given, settings, strategies as st
from marketing_mlops.registry.graph_rows import category_texts, number_values
from marketing_mlops.registry.input_schemas import input_schema
from marketing_mlops.serving.prediction_requests import MOST_ROWS, RequestRefused, held_against, read_question, requested_columns
from served_shop import FEATURES, customers

SCHEMA = input_schema(customers(), FEATURES)
GOOD = {"recency_days": 30, "orders_90d": 2, "trait.age_band": "35+"}

plain = st.none() | st.booleans() | st.integers(-10**400, 10**400) | st.floats() | st.text(max_size=20)
anything = st.recursive(plain, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4), max_leaves=12)
names = st.sampled_from([*FEATURES, "customer_id", "recency", "Orders_90d"]) | st.text(max_size=12)

def refusal_of(function, *given):
    "None for an answer; the refusal otherwise. Any other error passes and fails the test."
    try: function(*given)
    except RequestRefused as e:
        assert 400 <= e.status < 500 and e.problem and e.remedy
        assert len(json.dumps(e.to_dict())) < 20_000, "an answer may not be as large as what was sent"
        return e

@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200) | anything.map(lambda value: json.dumps(value).encode()) | anything.map(lambda value: json.dumps({"model": "churn", "rows": value}).encode()))
def test_any_body_is_a_question_or_refused(body): refusal_of(read_question, body)

@settings(max_examples=150, deadline=None)
@given(st.lists(st.dictionaries(names, anything, max_size=5), min_size=1, max_size=5))
def test_any_rows_fit_or_are_refused(rows): refusal_of(held_against, rows, SCHEMA)

@settings(max_examples=100, deadline=None)
@given(st.lists(st.fixed_dictionaries({"recency_days": st.none() | st.floats(0, 1e6, width=32), "orders_90d": st.none() | st.integers(0, 10**6), "trait.age_band": st.none() | st.text(st.characters(codec="utf-8"), max_size=20)}), min_size=1, max_size=20))
def test_rows_of_the_right_types_are_never_refused(rows):
    frame, notes = held_against(json.loads(json.dumps(rows)), SCHEMA)
    assert len(frame) == len(rows) and {each.code for each in notes} <= {"missing_value", "outside_range", "unseen_category"}

@settings(max_examples=200, deadline=None)
@given(st.lists(st.fixed_dictionaries({name: anything | st.sampled_from(["35+", 1, 2.5, None]) for name in FEATURES}), min_size=1, max_size=4))
def test_the_quick_way_says_what_the_thorough_way_says(rows):
    thorough, quick = (refusal_of(way, rows, SCHEMA) for way in (held_against, requested_columns))
    assert (thorough and thorough.to_dict()) == (quick and quick.to_dict())
    if thorough: return
    (frame, said), (columns, noted) = held_against(rows, SCHEMA), requested_columns(rows, SCHEMA)
    assert said == noted
    for name, part in SCHEMA["features"].items():
        slow = (category_texts if part["type"] == "category" else number_values)(frame[name])
        assert slow.dtype == columns[name].dtype and np.array_equal(slow, columns[name], equal_nan=slow.dtype.kind == "f"), name

@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e39, 10**400, True, False, "12,50", "", [1], {"value": 1}], ids=repr)
def test_a_number_that_is_none_is_refused_by_its_name(value):
    refused = refusal_of(held_against, [GOOD, GOOD | {"orders_90d": value}], SCHEMA)
    assert "orders_90d" in refused.problem and refused.fields["details"][0]["rows"] == [1]

@pytest.mark.parametrize("value", [3, 3.5, True, math.nan, ["35+"], {"band": "35+"}], ids=repr)
def test_a_category_that_is_no_text_is_refused_by_its_name(value):
    refused = refusal_of(held_against, [GOOD, GOOD | {"trait.age_band": value}], SCHEMA)
    assert "trait.age_band" in refused.problem and refused.fields["details"][0]["rows"] == [1]

@pytest.mark.parametrize("value, written", [(5, "holds 5 in 1 row;"), (2.5, "holds 2.5 in 1 row;"), (True, "holds True in 1 row;")])
def test_a_refusal_repeats_what_was_sent_and_not_what_python_calls_it(value, written):
    problem = refusal_of(held_against, [GOOD | {"trait.age_band": value}], SCHEMA).problem
    assert written in problem and not any(word in problem for word in ("np.", "int64", "float64", "bool"))

@pytest.mark.parametrize("others", [[], [GOOD]], ids=["alone", "beside a number"])
@pytest.mark.parametrize("value, says", [(True, "true or false"), (False, "true or false"), (math.inf, "without bounds"), (-1e39, "without bounds")], ids=repr)
def test_a_refusal_speaks_of_numbers_and_not_of_our_language(value, says, others):
    refused = refusal_of(requested_columns, [*others, GOOD | {"orders_90d": value}], SCHEMA)
    assert says in refused.problem and "np." not in json.dumps(refused.to_dict()) and "orders_90d" in refused.problem

def test_a_feature_absent_from_one_row_is_refused_and_null_is_not():
    without = {name: value for name, value in GOOD.items() if name != "orders_90d"}
    refused = refusal_of(held_against, [GOOD, without, GOOD], SCHEMA)
    assert "orders_90d: not there" in refused.problem and refused.fields["details"][0]["rows"] == [1]
    frame, notes = held_against([GOOD, GOOD | {"orders_90d": None}], SCHEMA)
    assert frame.orders_90d.isna().tolist() == [False, True] and [each.code for each in notes] == ["missing_value"]

def test_every_wrong_feature_is_named_at_once():
    refused = refusal_of(held_against, [{"recency_days": "x", "trait.age_band": 7, "orders_90": 1}], SCHEMA)
    assert {each["feature"] for each in refused.fields["details"]} == {*FEATURES, "orders_90"}
    assert "Did you mean" in json.dumps(refused.to_dict())

def test_identifiers_of_our_tables_are_not_looked_at():
    frame, notes = held_against([GOOD | {"customer_id": ["anything"], "cutoff": math.nan}], SCHEMA)
    assert list(frame) == FEATURES and not notes

def test_mixed_types_down_a_column_are_refused_not_guessed():
    refused = refusal_of(held_against, [GOOD, GOOD | {"orders_90d": "2"}, GOOD | {"trait.age_band": 35}], SCHEMA)
    assert {each["code"] for each in refused.fields["details"]} == {"not_a_number", "not_text"}

@pytest.mark.parametrize("body", [
    b"{" + b",".join(b'"k%d": 1' % i for i in range(80_000)) + b', "k0": 2}',
    json.dumps({"model": "churn", "rows": [{f"k{i}": 1 for i in range(50_000)}]}).encode(),
    json.dumps({"model": "churn", "rows": [{"x"*900_000: 1}]}).encode(),
    json.dumps({"model": "churn", "rows": [GOOD | {"orders_90d": "x"*900_000}]}).encode(),
    b'{"model": "churn", "rows": [{"orders_90d": ' + b"9"*900_000 + b"}]}",
    b'{"model": "churn", "rows": ' + b"["*900 + b"]"*900 + b"}",
    json.dumps({"model": "m"*900_000, "rows": {}}).encode(),
    json.dumps({"model": "churn", "rows": [{}]*(MOST_ROWS+1)}).encode(),
], ids=["a name twice among 80,000", "50,000 names", "a long name", "a long value", "a long number", "deep lists", "a long model", "too many rows"])
def test_gross_bodies_are_refused_with_a_small_answer(body):
    def whole(body):
        model, rows = read_question(body)
        held_against(rows, SCHEMA)
    assert refusal_of(whole, body)

@pytest.mark.parametrize("body, says", [(b'{"model": "churn", "rows": [{"trait.age_band": "\\ud800"}]}', "no text"), (b'{"model": "\\uD83C\\uDF37", "rows": [{}]}', None),
                                        (b'\xef\xbb\xbf{"model": "churn", "rows": [{}]}', None)], ids=["half a character", "a tulip", "a byte order mark"])
def test_text_is_whole_characters(body, says):
    refused = refusal_of(read_question, body)
    assert (says in refused.problem) if says else refused is None
