"""The explorer of uplift in Python: what it refuses, what it sends, what leaves it."""
import json, xml.dom.minidom
import numpy as np
import pandas as pd
import pytest
import traitlets
from marketing_mlops.explorers.uplift_charts import UpliftCharts, check_settings, frozen_uplift, start_settings, uplift_spec
from marketing_mlops.explorers.uplift_explorer import UpliftExplorer
from marketing_mlops.measurement.targeting_depths import profit_by_depth
from marketing_mlops.workspace.errors import DataError, MmopsError

HOSTILE = "</script><img src=x onerror=alert(1)>"

def held_out(n=6_000, mail="mail", seed=1, binary=False):
    rng = np.random.default_rng(seed)
    x, arm = rng.random(n), rng.choice(["none", mail], n)
    spend = rng.binomial(1, .2, n)*(1 if binary else rng.gamma(2, 5+4*(x > .6)*(arm == mail), n))
    return pd.DataFrame({"arm": arm, "spend": spend, "unsubscribed": rng.binomial(1, .02*(arm == mail)), "split": "held_out", f"gain_{mail}": x})

def explorer(rows=None, mail="mail", **given):
    rows = held_out(mail=mail) if rows is None else rows
    return UpliftExplorer(rows, dict(margin=.5, contact_cost=.3, unsubscribe_cost=4, currency="EUR"), **dict(shares={"none": .5, mail: .5}, control="none", best_single_arm=mail) | given)

ODD = dict(tiny=held_out(6), hundred=held_out(100), nobody_buys=held_out(400).assign(spend=0.), one_score=held_out(800).assign(gain_mail=1.), two_scores=held_out(2_000).assign(gain_mail=lambda d: (d["gain_mail"] > .5)*1.),
           binary=held_out(4_000, binary=True), one_arm=held_out(600).assign(arm="mail"), integers=held_out(900).astype({"spend": int}))

@pytest.mark.parametrize("kind", ODD)
def test_every_odd_campaign_has_a_curve_a_sentence_a_snapshot_and_a_page(kind):
    one = explorer(ODD[kind])
    for share in (0, .3, 1):
        one.select(share)
        shot = one.snapshot()
        xml.dom.minidom.parseString(shot.svg)
        assert one.title in shot.sentence and len(shot.table) == 3
    json.dumps(uplift_spec(one.curve, "x"), allow_nan=False)
    assert frozen_uplift(one.curve).count("<script") == 2

@pytest.mark.parametrize("change,says", [
    (dict(split="train"), "of split train"), (dict(arm="coupon"), "'coupon', which has no share"), (dict(gain_mial=1.), "belongs to no arm")])
def test_rows_that_cannot_be_shown_are_refused_in_two_lines(change, says):
    with pytest.raises(DataError, match=says) as refused: explorer(held_out().assign(**change))
    assert len(str(refused.value).splitlines()) == 2

def test_missing_gains_are_named():
    with pytest.raises(DataError, match="no predicted gain 'gain_mail'"): explorer(held_out().drop(columns="gain_mail"))
    with pytest.raises(DataError, match="5 customers have no predicted gain"): explorer(held_out().assign(gain_mail=lambda d: d["gain_mail"].where(d.index >= 5)))

def test_names_with_markup_stay_text_in_picture_and_page():
    one = explorer(mail=HOSTILE)
    page = frozen_uplift(one.curve, HOSTILE)
    assert "<img" not in page and page.count("</script>") == 2 and "<img" not in one.snapshot().svg

def test_no_customer_leaves_with_the_page():
    rows = held_out().assign(customer_id=[f"secret-{i}" for i in range(6_000)])
    one = explorer(rows)
    assert "secret" not in frozen_uplift(one.curve) + one.snapshot().svg
    told = uplift_spec(one.curve, "x")["rivals"][0]["against"]
    assert all(not any(m) for m, ok in zip(told["means"], told["measurable"]) if not ok)
    assert not all(told["measurable"])

def test_the_page_and_the_spec_are_the_same_bytes_for_the_same_rows():
    assert frozen_uplift(explorer().curve) == frozen_uplift(explorer().curve)

@pytest.mark.parametrize("wrong", [dict(depth=-1), dict(depth=1.5), dict(depth=True), dict(margin=0), dict(margin=float("nan")), dict(contact_cost=-.1), dict(contact_cost="1"), dict(rival="all"), dict(extra=1), None, []])
def test_settings_no_slider_has_are_refused(wrong):
    one = explorer()
    spec, start = uplift_spec(one.curve, "x"), start_settings(one.curve)
    with pytest.raises(ValueError): check_settings(start | wrong if isinstance(wrong, dict) else wrong, spec)
    charts = UpliftCharts(one.curve)
    with pytest.raises(traitlets.TraitError): charts.settings = start | wrong if isinstance(wrong, dict) else wrong
    assert charts.settings == start
    charts.close()

def test_what_the_widget_sets_the_explorer_has_and_the_other_way_round():
    one = explorer()
    charts = one.live()
    charts.settings = charts.settings | dict(depth=30, contact_cost=1.25, rival="mail")
    assert (one.depth, one.economics.contact_cost, one.rival) == (30, 1.25, "mail")
    one.select(.5, margin=.2)
    assert charts.settings["margin"] == .2 and charts.settings["depth"] == 50
    charts.close()

def test_an_unknown_price_is_refused_and_changes_nothing():
    one = explorer()
    before = one._settings()
    for wrong in (dict(contact_costs=1), dict(margin=45), dict(rival="all")):
        with pytest.raises(MmopsError): one.select(.1, **wrong)
    assert one._settings() == before

def test_a_dearer_contact_lowers_profit_by_what_the_reached_cost():
    one = explorer()
    cheap = profit_by_depth(one.curve, "none", one.economics)
    one.select(contact_cost=1.3)
    assert np.allclose((cheap["profit"]-one.profits()["profit"]).dropna(), one.curve.shares[cheap["profit"].notna()]*1.)
