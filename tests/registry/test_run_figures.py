"""A number is found as a page shows it, however it was rounded, and a damaged run is a sentence."""
import json
import numpy as np
import pytest
from marketing_mlops.registry.run_figures import RunPlace, figures_like, figures_of, newest_of_each, run_places, told_of_run, read_number
from marketing_mlops.workspace.places import find_workspace, write_json, write_text

@pytest.fixture
def shop(tmp_path): return find_workspace(write_text(tmp_path/"settings.ini", "[DEFAULT]\nreporting_currency = EUR\n").parent)

def ran(shop, n, results, job="weekly", key="shop", status="done"):
    place = RunPlace(f"20260629T0600{n:02}000000Z-0a{n:02}", job, key)
    write_json(shop.path(place.folder, "run.json"), dict(job=job, key=key, run_id=place.run_id, status=status, results=results, inputs={}, parameters={}))
    return place

def drawn(n=400, seed=11):
    rng = np.random.default_rng(seed)
    return [float(value) for value in rng.choice([-1, 1], n)*10**rng.uniform(-3, 7, n)]

@pytest.mark.parametrize("digits", [0, 1, 2, 3])
def test_whatever_a_page_shows_of_a_value_means_that_value_and_is_found_in_its_bytes(digits):
    for value in drawn():
        for text, factor in ((f"{abs(value):,.{digits}f}", 1), (f"{abs(value)*100:.{digits}f} %", 100)):
            number = read_number(text)
            assert number.means(value), (text, value)
            assert not number.keys or any(key in json.dumps({"x": value}).encode() for key in number.keys), (text, value, number.keys)

def test_a_number_that_is_shown_otherwise_is_not_meant():
    for value in drawn(200, seed=12):
        typed = f"{abs(value):,.2f}"
        assert not read_number(typed).means(value*1.1 + (.02 if value > 0 else -.02)), (typed, value)

@pytest.mark.parametrize("text", ["", " ", "orders_90d", "5f2a0c11", "1..2", "12,", "%", "--3", "NaN", "inf", "1e5", "٣٤", "1" + "0"*400])
def test_what_is_no_number_raises_nothing(text):
    found = read_number(text)
    assert found is None or not found.means("x")

def test_a_sign_that_was_typed_counts():
    assert [read_number(text).means(-.0213) for text in ("-0.02", "−0.02", "0.02", "+0.02")] == [True, True, True, False]
    assert not read_number("1").means(True)

def test_the_newest_run_that_says_it_is_meant_and_an_older_one_only_where_none_does(shop):
    ran(shop, 1, {"net": 5.25}), ran(shop, 2, {"net": 5.25}), ran(shop, 3, {"net": 6.5}), ran(shop, 4, {"net": 5.25}, status="failed"), ran(shop, 5, {"net": 5.25}, key="other")
    def hits(text): return [(hit.place.key, hit.place.run_id[-4:]) for hit in figures_like(shop, read_number(text), run_places(shop))]
    assert hits("5.25") == [("other", "0a05")]
    assert hits("6.5") == [("shop", "0a03")]

@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"results": []}', '{"results": {}, "inputs": "x"}', '{"parameters": 3}', "\x00"])
def test_a_damaged_manifest_is_a_sentence_with_a_remedy(shop, content):
    place = ran(shop, 1, {})
    write_text(shop.path(place.folder, "run.json"), content)
    said, why = told_of_run(shop, place)
    assert not said and "is damaged" in why and "mmops report weekly" in why
    assert figures_like(shop, read_number("5.25"), run_places(shop)) == []

def test_a_folder_without_a_manifest_a_file_among_runs_and_no_runs_at_all(shop):
    assert run_places(shop) == []
    shop.path("data", "runs", "weekly", "shop", "20260629T060000000000Z-0a0a").mkdir(parents=True)
    write_text(shop.path("data", "runs", "README.md"), "what lies here")
    place, = run_places(shop)
    assert "has no run.json" in told_of_run(shop, place)[1]

def test_runs_are_listed_newest_first_and_the_newest_of_each_once(shop):
    for n, key in enumerate(["a", "b", "a", "b", "c"]): ran(shop, n, {}, key=key)
    places = run_places(shop)
    assert [place.run_id for place in places] == sorted((place.run_id for place in places), reverse=True)
    assert [(place.key, place.run_id[-4:]) for place in newest_of_each(places)] == [("c", "0a04"), ("b", "0a03"), ("a", "0a02")]

def test_nested_results_are_named_by_the_way_to_them():
    assert figures_of({"a": [{"value": 1, "low": None}, {"b": "two"}], "c": True}) == {"a.1": 1, "a.2.b": "two", "c": True}
