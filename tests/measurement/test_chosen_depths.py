"""Depths that are chosen on some customers and judged on others."""
import numpy as np
import pandas as pd
import pytest
from marketing_mlops.measurement.chosen_depths import choose_on_half, pick_depth
from marketing_mlops.measurement.intervals import NotMeasurable
from marketing_mlops.measurement.policies import policy_values
from marketing_mlops.measurement.policy_profits import Economics
from marketing_mlops.measurement.targeting_depths import profit_by_depth, targeting_curve
from marketing_mlops.workspace.errors import DataError

ASKED = dict(shares={"none": .5, "mail": .5}, economics=Economics(margin=.5, contact_cost=.5, currency="EUR"), control="none")

def campaign(seed, n=3_000, rising=4.):
    rng = np.random.default_rng(seed)
    x, arm = rng.random(n), np.where(rng.random(n) < .5, "mail", "none")
    rows = pd.DataFrame(dict(arm=arm, spend=rng.gamma(2, 1, n)*(5 + rising*x*(arm == "mail"))/2), index=[f"c{i}" for i in range(n)])
    return rows, pd.DataFrame(dict(mail=rising*x), index=rows.index)

def test_the_depth_picked_is_the_highest_point_of_the_targeting_curve():
    rows, gains = campaign(1)
    rule, curve = pick_depth(rows, gains, **ASKED), targeting_curve(rows, gains, **ASKED, best_single_arm="mail")
    by_depth = profit_by_depth(curve, "none").fillna(0)
    assert rule.profit == pytest.approx(by_depth["profit"].max()) and rule.share == by_depth["share"][by_depth["profit"].idxmax()]
    reached = gains["mail"] >= rule.threshold
    assert reached.mean() == rule.share

def test_no_customer_is_judged_by_a_depth_she_helped_to_choose():
    rows, gains = campaign(2, 400)
    rule = pick_depth(rows.iloc[:200], gains.iloc[:200], **ASKED)
    with pytest.raises(DataError, match="1 customer of 201"): rule.arms_for(gains.iloc[199:])
    assert set(rule.arms_for(gains.iloc[200:])) <= {"mail", "none"}
    chosen = choose_on_half(rows, gains, **ASKED)
    changed = rows.assign(spend=rows["spend"].where(~rows.index.isin(chosen.index), 1e6))        # the fortunes of those who are judged do not change what they get
    pd.testing.assert_series_equal(choose_on_half(changed, gains, **ASKED), chosen)
    assert len(chosen) == 200

def test_the_choice_does_not_depend_on_the_order_of_columns_and_repeats_with_its_seed():
    rows, gains = campaign(3, 600)
    gains = gains.assign(sms=0.)
    asked = ASKED | dict(shares={"none": .4, "mail": .4, "sms": .2})
    one, two = (choose_on_half(rows, g, **asked, seed=4) for g in (gains, gains[["sms", "mail"]]))
    pd.testing.assert_series_equal(one, two)

def test_the_choice_of_one_half_earns_on_the_other_what_is_said_in_the_mean_of_many_campaigns():
    off = []
    for seed in range(40):
        rows, gains = campaign(100+seed, 1_000)
        chosen = choose_on_half(rows, gains, **ASKED, seed=seed)
        truth = ((.5*gains.loc[chosen.index, "mail"]-.5)*(chosen == "mail")).mean()
        off.append(policy_values(rows.loc[chosen.index], chosen, **ASKED, best_single_arm="mail").values["learned"].value - truth)
    assert abs(np.mean(off)) < 4*np.std(off)/np.sqrt(len(off))

@pytest.mark.parametrize("change,kind,says", [
    (lambda rows, gains: (rows.iloc[:0], gains.iloc[:0]), NotMeasurable, "no rows"), (lambda rows, gains: (rows, gains.iloc[::-1]), DataError, "another order"),
    (lambda rows, gains: (rows, gains.rename(columns={"mail": "post"})), DataError, "'post'"), (lambda rows, gains: (rows.assign(split="train"), gains), DataError, "split train"),
    (lambda rows, gains: (rows, gains*np.nan), DataError, "no predicted gain"), (lambda rows, gains: (rows.assign(chance=0.), gains), DataError, "chance that is none")])
def test_rows_that_cannot_choose_are_refused(change, kind, says):
    rows, gains = change(*campaign(5, 200))
    with pytest.raises(kind, match=says): pick_depth(rows, gains, **ASKED)
