"""Whom to contact: counts against customers one by one, the rule and the best depth in money, and depths that truly stay."""
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from marketing_mlops.measurement.contact_thresholds import chance_groups, depth_profits, depth_sentence, threshold_choice, threshold_sentences
from marketing_mlops.measurement.intervals import NotMeasurable, mean_interval
from marketing_mlops.measurement.loss_and_profit import ContactTerms, contact_profit

TERMS = ContactTerms(40., 4.)

def drawn(n=2_000, seed=6, by=1.):
    rng = np.random.default_rng(seed)
    p = rng.beta(1, 8, n)
    return rng.random(n) < p, p*by

@pytest.mark.parametrize("n, most", [(2_000, 50), (37, 50), (500, 10)])
def test_groups_hold_every_customer_once_best_first(n, most):
    took, p = drawn(n)
    groups = chance_groups(took, p, most)
    assert (groups.customers.sum(), groups.hits.sum()) == (n, took.sum()) and len(groups) <= most
    assert (groups.chance.diff().dropna() < 0).all() and (groups.lowest <= groups.chance).all() and groups.lowest.iloc[-1] == p.min()

def test_equal_chances_are_never_parted_and_the_order_of_rows_changes_nothing():
    took, p = drawn()
    p = p.round(2)
    groups, order = chance_groups(took, p), np.random.default_rng(0).permutation(len(p))
    assert sum(groups.customers) == len(p) and len(set(groups.lowest)) == len(groups)
    for lowest, higher in zip(groups.lowest[1:], groups.lowest): assert ((p >= lowest) & (p < higher)).sum() in groups.customers.tolist()
    again = chance_groups(took[order], p[order])
    assert again.drop(columns="chance").equals(groups.drop(columns="chance")) and again.chance.tolist() == pytest.approx(groups.chance.tolist())

def test_each_depth_is_the_profit_of_those_customers_with_students_interval():
    took, p = drawn(600)
    groups = chance_groups(took, p)
    table = depth_profits(groups, TERMS)
    for i in (1, 10, 30, len(groups)):
        per_customer = np.where(p >= groups.lowest[i-1], TERMS.value*took - TERMS.cost, 0.)
        e = mean_interval(per_customer)
        assert table.loc[i, ["profit", "low", "high"]].tolist() == pytest.approx([e.value, e.low, e.high])
    assert table.iloc[0][["share", "profit", "low", "high"]].tolist() == [0, 0, 0, 0]

@given(st.floats(.5, 60), st.floats(.01, .99), st.integers(0, 5))
@settings(max_examples=20, deadline=None)
def test_whatever_the_money_the_best_depth_stays_and_is_no_worse_than_rule_and_everybody(value, share, seed):
    groups, terms = chance_groups(*drawn(200, seed)), ContactTerms(value, value*share)
    found, profit = threshold_choice(groups, terms), depth_profits(groups, terms).profit
    assert found.share_low <= found.best_share <= found.share_high and profit.max() >= max(found.by_rule.value, found.everybody.value, 0) - 1e-9
    assert found.best_profit <= profit.max() + 1e-9 and (found.best_chance is None) == (found.best_share == 0)

def test_the_rule_comes_near_the_exact_one_and_everybody_is_exact():
    took, p = drawn()
    found = threshold_choice(chance_groups(took, p), TERMS)
    assert found.by_rule.value == pytest.approx(contact_profit(took, p, TERMS).value, abs=.05)
    assert found.everybody.value == pytest.approx((40*took - 4).mean()) and found.rule_beyond_everybody.value == pytest.approx(found.by_rule.value - found.everybody.value)

def test_chances_that_are_off_put_the_rule_out_of_the_race_and_the_sentence_says_so():
    right, timid = (threshold_choice(chance_groups(*drawn(by=by)), TERMS) for by in (1., 1/3))
    assert (right.rule_is_best, timid.rule_is_best) == (True, False) and timid.best_share == right.best_share
    assert "cannot tell" in threshold_sentences(right)[1] and "lies elsewhere" in threshold_sentences(timid)[1]
    assert depth_sentence(right) == depth_sentence(timid) and f"contacting {100*right.best_share:.0f} %" in depth_sentence(right)

def test_other_money_gives_another_sentence():
    groups = chance_groups(*drawn())
    said = {" ".join(threshold_sentences(threshold_choice(groups, ContactTerms(value, 4.)))) for value in (4.5, 20., 40., 400.)}
    assert len(said) == 4 and any("contacts nobody" in each for each in said)

def test_a_rule_that_contacts_everybody_has_nothing_to_be_held_against():
    found = threshold_choice(chance_groups(*drawn()), ContactTerms(1e6, .0001))
    assert found.rule_share == 1 and isinstance(found.rule_beyond_everybody, NotMeasurable)

def test_the_same_seed_gives_the_same_ends():
    groups = chance_groups(*drawn())
    assert threshold_choice(groups, TERMS, seed=3) == threshold_choice(groups, TERMS, seed=3)

@pytest.mark.parametrize("label", [np.zeros(20), np.ones(20)])
def test_one_kind_of_customers_cannot_be_grouped(label):
    with pytest.raises(NotMeasurable): chance_groups(label, np.linspace(.1, .9, 20))

def test_a_single_customer_has_no_interval():
    groups = chance_groups(*drawn(40)).iloc[:1].assign(customers=1, hits=1)
    with pytest.raises(NotMeasurable, match="1 customer"): depth_profits(groups, TERMS)

@pytest.mark.slow
def test_the_true_best_depth_stays_in_95_of_100_lists_and_choosing_is_paid_for():
    "200 lists of 1,000 customers, seed 11: the true best depth, and the best profit less its optimism."
    rng, stayed, off = np.random.default_rng(11), 0, []
    p = rng.beta(1, 8, 1_000)
    for _ in range(200):
        groups = chance_groups(rng.random(1_000) < p, p)
        shares, expected = np.append(0, groups.customers.cumsum()/1_000), np.append(0, (40*groups.chance*groups.customers - 4*groups.customers).cumsum()/1_000)
        found = threshold_choice(groups, TERMS)
        stayed += found.share_low <= shares[expected.argmax()] <= found.share_high
        off.append(found.best_profit - expected[np.flatnonzero(shares == found.best_share)[0]])
    assert stayed >= 186 and abs(np.mean(off)) < 3*np.std(off)/np.sqrt(200) + .02
