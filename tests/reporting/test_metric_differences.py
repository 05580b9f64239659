"""What moved between two revisions: every figure against its range, the comment safe whatever the names are."""
import random
import pytest
from marketing_mlops.reporting.metric_differences import MEANINGS, MOST_ROWS, difference_comment, differences_sentence, comment_text, metric_differences, range_meaning

FILE = "data/metrics/evaluate/spring.json"
def ranged(name, old, new): return {f"figures.{name}.{end}": dict(old=then, new=now) for end, then, now in zip(("value", "low", "high"), old, new)}

@pytest.mark.parametrize("after, before, now, meaning", [
    (.60, (.70, .80), (.55, .65), "apart"), (.90, (.70, .80), (.85, .95), "apart"), (.68, (.70, .80), (.63, .73), "outside"),
    (.75, (.70, .80), (.70, .80), "inside"), (.70, (.70, .80), (.65, .75), "inside"), (.7, None, (.6, .8), "unranged"), (.7, (.6, .8), None, "unranged")])
def test_a_figure_is_held_against_the_range_it_had(after, before, now, meaning): assert range_meaning(after, before, now) == meaning

def test_chance_alone_is_hardly_ever_called_more_than_chance():
    rng, n, apart = random.Random(7), 2000, 0
    for _ in range(n):
        one, two = rng.gauss(.7, .01), rng.gauss(.7, .01)
        apart += range_meaning(two, (one - .0196, one + .0196), (two - .0196, two + .0196)) == "apart"
    assert apart/n < .02   # two 95 per cent ranges miss each other in 0.6 of 100 cases

def test_worst_news_stands_first_and_ends_of_ranges_are_no_rows():
    diff = {FILE: {**ranged("auc", (.73, .71, .75), (.60, .58, .62)), **ranged("qini", (.1, .0, .2), (.12, .0, .2)), **ranged("alift", (.5, .4, .6), (.8, .7, .9)), "n_training": dict(old=10, new=12)}}
    found = metric_differences(diff)
    assert [(each.meaning, each.judged) for each in found] == [("apart", "worse"), ("apart", "better"), ("unranged", ""), ("inside", "better")]
    assert differences_sentence(found).endswith("More than chance: 2 figures (1 worse, 1 better).") and found[0].before_range == "0.710 to 0.750"

def test_what_only_one_side_has_is_said():
    found = metric_differences({FILE: {"figures.auc.value": dict(old=.7, new=None), "figures.auc.low": dict(old=.6, new=None), "figures.auc.high": dict(old=.8, new=None), "n": dict(new=3)}})
    assert [each.meaning for each in found] == ["gone", "came"] and "not recorded any more" in found[0].words

@pytest.mark.parametrize("value", [float("nan"), True, None, "pass", [1]])
def test_values_that_are_no_numbers_do_not_break_it(value):
    found = metric_differences({FILE: {"verdict": dict(old="review", new=value)}})
    assert len(found) == 1 and found[0].meaning in MEANINGS and difference_comment(found)

@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "a | b", "@everyone", "`x`", "![x](http://y)", "[a](b)", "🌷 <b>", "www.example.com", "a\nb\n# c", "#12"])
def test_no_name_bends_the_comment(name):
    comment = difference_comment(metric_differences({f"data/metrics/evaluate/{name.replace('/', '_')}.json": {name: dict(old=1.5, new=2.5)}}), title=name, notes=[name])
    row = [line for line in comment.splitlines() if line.startswith("|")]
    assert len(row) == 3 and all(line.count("|") == 7 for line in row)
    assert not any(bad in comment for bad in ("<script", "@everyone", "`", "](", "www.e", "\n# c", "<b>", "#12\n"))

def test_nothing_moved_is_one_sentence():
    assert difference_comment([]) == "## What this change does to the figures\n\nNo recorded figure moved.\n"

def test_a_comment_stays_below_what_github_takes():
    many = {f"data/metrics/evaluate/{'m'*60}{i}.json": {f"figures.{'f'*80}{j}": dict(old=1.0, new=2.5) for j in range(20)} for i in range(30)}
    comment = difference_comment(metric_differences(many))
    assert len(comment) < 65_536 and f"{600 - MOST_ROWS} more are not shown" in comment

def test_plain_text_stays_plain(): assert comment_text("Net revenue rose by 0.20, which is better") == "Net revenue rose by 0.20, which is better"
