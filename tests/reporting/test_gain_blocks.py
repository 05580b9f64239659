"""The part of a model card on gains says what the evaluation of the same model found, and nothing where it found nothing."""
from types import SimpleNamespace
import numpy as np
import pandas as pd
import pytest
from marketing_mlops.reporting.charts import draw_svg
from marketing_mlops.reporting.card_blocks import figures_block
from marketing_mlops.reporting.gain_blocks import depth_block, gain_curve_chart, gain_groups_chart, gain_tests_block, profit_depth_chart
from marketing_mlops.reporting.model_cards import ModelCard
from marketing_mlops.training.evaluations import evaluate

PARTS = dict(gain_tests=gain_tests_block, gain_groups=gain_groups_chart, gain_curve=gain_curve_chart, profit_curve=profit_depth_chart, depth_rule=depth_block)
HOSTILE = "<b>mail</b>"

def spec(arms): return dict(task="uplift", algorithm=dict(name="hist_gradient_boosting"), economics=dict(margin=.5, contact_cost=.5),
                            experiment=dict(arms=dict.fromkeys(("none", *arms), 1/(1+len(arms))), control="none", currency="EUR"))

def card_of(arms, n=1_500, change=lambda rows: rows):
    rng = np.random.default_rng(9)
    x, arm = rng.random(n), rng.choice(["none", *arms], n)
    rows = pd.DataFrame(dict(arm=arm, spend=10 + 8*(x-.4)*(arm == arms[0]) + rng.gamma(2, 2, n), split="held_out", chosen=np.where(x > .5, arms[0], "none")))
    rows = change(rows.assign(label=rows.spend, **{f"gain_{name}": 8*(x-.4) if i == 0 else rng.normal(0, 1, n) for i, name in enumerate(arms)}))
    evaluation = evaluate("mail", rows, spec(arms), dict(n_training=1_000, best_single_arm=arms[0])).to_dict()
    return ModelCard("mail", SimpleNamespace(core_hash="a1"*32, parameters=spec(arms), evaluation=evaluation), "", None, ())

@pytest.fixture(scope="module")
def card(): return card_of(["mail", "post"])

def without(card, table):
    evaluation = card.evaluation | dict(tables={name: rows for name, rows in card.evaluation["tables"].items() if name != table})
    return ModelCard("mail", SimpleNamespace(core_hash="a1"*32, parameters=card.parameters, evaluation=evaluation), "", None, ())

@pytest.mark.parametrize("table", PARTS)
def test_a_part_that_was_not_recorded_reads_unknown_and_is_left_out_of_other_cards(card, table):
    assert str(PARTS[table](without(card, table))).endswith("unknown")
    other = ModelCard("churn", SimpleNamespace(core_hash="a1"*32, parameters=dict(task="propensity"), evaluation={}), "", None, ())
    assert str(PARTS[table](other)) == ""

def test_the_table_counts_the_deals_of_the_evaluation(card):
    said = str(gain_tests_block(card))
    for row in card.evaluation["tables"]["gain_tests"]: assert f"{row['as_good']} of 999" in said
    assert said.count("Yes") == 2 and said.count("Not told from chance") == 1          # mail and the policy that gives it; the post knows nothing

def test_each_chart_can_be_drawn_and_says_in_words_what_it_shows(card):
    for name in ("gain_groups", "gain_curve", "profit_curve"):
        chart = PARTS[name](card)
        assert chart.description and draw_svg(chart.to_dict()).startswith("<svg")
    assert "beyond nobody at" in profit_depth_chart(card).description and "beyond mail to all at" in profit_depth_chart(card).description

def test_every_figure_of_the_gains_has_a_name_for_people(card):
    said = str(figures_block(card))
    assert all(each in said for each in ("Qini of mail", "AUUC of post", "predicted differences that are real for mail", "gained beyond the prediction for post", "uplift of mail in the best 30 %"))

def test_the_names_of_arms_are_escaped_wherever_they_stand():
    card = card_of([HOSTILE])
    assert all(HOSTILE not in block(card).html for block in (gain_tests_block, depth_block))

def test_a_model_that_predicts_the_same_for_everybody_gets_reasons_and_no_chart():
    card = card_of(["mail"], change=lambda rows: rows.assign(gain_mail=1., chosen="mail"))
    assert str(gain_tests_block(card)).count("Cannot be said") == 2
    assert all("not measured: Every customer has the score 1" in str(chart(card)) for chart in (gain_curve_chart, gain_groups_chart))
    assert "everybody" in str(depth_block(card))
