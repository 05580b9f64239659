"""An erasure counts persons and names nobody, and one that cannot be placed in time counts against a rebuild."""
import json
import pytest
from governed_workspace import at
from marketing_mlops.governance.erasure_entries import ERASED, erasure_words, erasures_since, n_erased
from marketing_mlops.governance.ledger import Ledger

HOSTILE = "<b>shop</b> 🌷"

def erased(shop, day, n, source="shop"): return Ledger(shop, at(day)).append(ERASED, source, "data-protection@example.com", dict(n_persons=n))

@pytest.mark.parametrize("payload, n", [(dict(n_persons=3), 3), (dict(n_persons=0), 0), (dict(n_persons=-2), 0), (dict(n_persons=True), 0), (dict(n_persons="3"), 0), (dict(n_persons=2.5), 0), (dict(n_persons=None), 0), (dict(n_persons=[3]), 0), ({}, 0)])
def test_only_a_whole_number_above_nothing_counts_persons(shop, payload, n):
    assert n_erased(Ledger(shop, at("04-01")).append(ERASED, "shop", "data-protection@example.com", payload)) == n

def test_only_erasures_of_the_source_after_the_moment_count(shop):
    for day, n, source in (("03-01", 1, "shop"), ("04-01", 2, "shop"), ("04-02", 4, HOSTILE), ("04-03", 0, "shop")): erased(shop, day, n, source)
    Ledger(shop, at("04-04")).append("note", "shop", "data-protection@example.com", dict(n_persons=9))
    entries = Ledger(shop).entries()
    assert [n_erased(each) for each in erasures_since(entries, "shop", "2026-03-15T00:00:00+00:00")] == [2]
    assert [n_erased(each) for each in erasures_since(entries, HOSTILE, "unknown")] == [4]

def test_the_moment_itself_is_not_after_it_in_whatever_zone_it_is_written(shop):
    erased(shop, "04-01", 2)                                   # 9:00 UTC
    entries = Ledger(shop).entries()
    assert [len(erasures_since(entries, "shop", moment)) for moment in ("2026-04-01T09:00:00+00:00", "2026-04-01T11:00:00+02:00", "2026-04-01T10:59:59+02:00")] == [0, 0, 1]

@pytest.mark.parametrize("made_at", ["unknown", "", "yesterday", "2026-13-45", "2026-05-01", "2026-05-01T08:00:00", "<b>2026</b>", "🌷"])
def test_a_moment_nobody_can_place_counts_every_erasure(shop, made_at):
    erased(shop, "03-01", 1); erased(shop, "04-01", 2)
    assert len(erasures_since(Ledger(shop).entries(), "shop", made_at)) == 2

@pytest.mark.parametrize("days, words", [(["04-01"], "2 persons erased on 2026-04-01"), (["04-01", "04-02"], "4 persons erased on 2026-04-01 and 2026-04-02"), (["04-01", "04-01"], "4 persons erased on 2026-04-01"),
                                         (["04-03", "04-01", "04-02"], "6 persons erased on 2026-04-01 … 2026-04-03")])
def test_the_words_add_persons_and_name_each_day_once(shop, days, words):
    assert erasure_words([erased(shop, day, 2) for day in days]) == words

def test_one_person_is_one(shop): assert erasure_words([erased(shop, "04-01", 1)]) == "1 person erased on 2026-04-01"

def test_the_log_holds_a_number_and_nobody(shop):
    erased(shop, "04-01", 2)
    line, = next(shop.path("data", "ledger").glob("*.jsonl")).read_text().splitlines()
    assert json.loads(line)["payload"] == dict(n_persons=2)
