"""The stability index and its interval: closed form, simulation with known truth, degenerate samples."""
import numpy as np
import pytest
from marketing_mlops.measurement.shifts import smoothed_shares, stability_index, standardised_shift

def test_of_millions_the_index_is_the_textbook_sum():
    p, q = [.5, .3, .2], [.3, .3, .4]
    expected = sum((b-a)*np.log(b/a) for a, b in zip(p, q))
    assert stability_index(p, 10**7, q, 10**7).value == pytest.approx(expected, abs=1e-5)

def test_it_is_the_same_in_both_directions_of_time():
    assert stability_index([.5, .3, .2], 800, [.3, .3, .4], 900).value == pytest.approx(stability_index([.3, .3, .4], 900, [.5, .3, .2], 800).value)

@pytest.mark.parametrize("n", [30, 100, 1_000])
def test_chance_alone_is_taken_off(n):
    rng, p = np.random.default_rng(3), np.full(10, .1)
    found = [stability_index(p, 10**6, counts/n, n) for counts in rng.multinomial(n, p, 500)]
    assert np.mean([each.value for each in found]) < 3/n + .01
    assert sum(each.low > .1 for each in found) <= 2

def test_an_emptied_bin_is_a_large_shift_and_no_infinity():
    found = stability_index([.25]*4, 2_000, [.5, .5, 0., 0.], 2_000)
    assert 1 < found.low and np.isfinite(found.high)

def test_bins_empty_on_both_sides_change_nothing():
    assert stability_index([.5, .5, 0.], 5_000, [.4, .6, 0.], 5_000).value == pytest.approx(stability_index([.5, .5], 5_000, [.4, .6], 5_000).value, abs=1e-3)

def test_everybody_in_another_bin_is_a_finite_shift():
    assert 3 < standardised_shift([1., 0.], [0., 1.]) < 10
    assert standardised_shift([0., 1.], [1., 0.]) < -3

def test_shares_of_nobody_and_counts_are_refused():
    with pytest.raises(ValueError, match="nobody"): smoothed_shares([.5, .5], 0)
    with pytest.raises(ValueError, match="sum to 1"): smoothed_shares([3, 4], 7)
