"""A page of lineage escapes every name, draws what it can, and loses nothing in its list."""
import re
from datetime import datetime, timezone
import pytest
from marketing_mlops.registry.lineage import Lineage
from marketing_mlops.registry.lineage_graphs import KINDS, Thing
from marketing_mlops.reporting.lineage_pages import COLUMNS, MOST_IN_COLUMN, lineage_columns, lineage_page

NOW = datetime(2026, 7, 5, 9, tzinfo=timezone.utc)
NASTY = ["</script><script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "'; DROP TABLE orders; --", "🎁 Ünïcode ‮ reversed", "&lt;b&gt;", "a\nb\tc\x00d", "x"*500, "]]>", "{{7*7}} ${x} %s"]

def page_of(*things, links=(), doubts=(), elsewhere=()):
    about, *others = things
    return lineage_page(Lineage("asked", (about,), tuple((thing, 1) for thing in others), (), tuple(links), tuple(doubts), tuple(elsewhere)), now=NOW)

@pytest.mark.parametrize("name", NASTY)
def test_every_field_of_a_thing_is_escaped(name):
    thing = Thing(f"table:{name}", "table", name, name, name, name, name, name, name, (name,), (name,))
    page = page_of(thing, Thing("b", "report", "r"), links=[(f"table:{name}", "b")], doubts=[name], elsewhere=[name])
    assert page.count("<script") == page.count("</script") == 1 and not re.search(r"<img|onerror=alert\(1\)>(?!.*&gt;)", page.replace(name, ""))
    assert "<script>alert" not in page and "<img" not in page

def test_the_page_asks_nothing_of_the_network_and_allows_one_script():
    page = page_of(Thing("a", "table", "orders"))
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1]
    assert "default-src 'none'" in policy and "unsafe" not in policy and policy.count("sha256-") == 2
    assert not re.search(r'(?:src|href)="(?!#)', page)

def test_every_kind_has_a_column(): assert sorted(kind for kinds in COLUMNS for kind in kinds) == sorted(KINDS)

def test_a_long_column_is_cut_in_the_drawing_and_whole_in_the_list():
    features = [Thing(f"feature:{i}", "feature", f"feature_{i:03}") for i in range(MOST_IN_COLUMN + 9)]
    page = page_of(Thing("t", "training set", "set"), *features, links=[(feature.key, "t") for feature in features])
    assert lineage_columns(features)[0][2] == 9 and "and 9 more in the list" in page
    assert page.count("<li class=") == len(features) + 1 and "and 27 more</dd>" in page      # twelve are named as what it was made from

def test_every_link_of_the_drawing_and_the_list_leads_to_a_line():
    page = page_of(Thing("a", "table", "orders"), Thing("b", "feature", "recency_days"), links=[("a", "b")])
    assert set(re.findall(r'href="#(t\d+)"', page)) <= set(re.findall(r'<li [^>]*id="(t\d+)"', page))

def test_a_box_can_be_reached_by_keyboard_and_is_named():
    page = page_of(Thing("a", "table", "orders", doubts=("Not here.",)))
    assert 'aria-label="table orders"' in page and 'class="about doubtful"' in page and 'tabindex="0" role="region"' in page

def test_a_thing_alone_has_a_page_too(): assert "Nothing was made from it" in page_of(Thing("a", "incident", "mails twice"))

def test_a_moment_that_is_none_is_shown_as_it_is(): assert "<dd>last week</dd>" in page_of(Thing("a", "table", "orders", at="last week"))
