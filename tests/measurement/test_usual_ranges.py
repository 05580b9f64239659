"""The range of the next figure: that of an independent implementation, and right as often as it says, also where weeks are not quite independent."""
import numpy as np
import pytest
import statsmodels.api as sm
from marketing_mlops.measurement.intervals import NotMeasurable
from marketing_mlops.measurement.usual_ranges import usual_growth, usual_range

@pytest.mark.parametrize("n", [6, 8, 12, 30])
@pytest.mark.parametrize("level", [.8, .95, .994])
def test_the_range_is_that_of_a_regression_on_a_constant(n, level):
    figures = np.random.default_rng(n).lognormal(3, .2, n)
    low, high = sm.OLS(figures, np.ones(n)).fit().get_prediction([[1.]]).conf_int(obs=True, alpha=1 - level)[0]
    found = usual_range(figures, level)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high)) and found.n == n

@pytest.mark.parametrize("n, level", [(6, .95), (12, .95), (12, .994)])
def test_quiet_figures_lie_outside_as_often_as_the_level_says(n, level):
    drawn = np.random.default_rng(7).normal(50, 8, (4_000, n + 1))
    outside = np.mean([not (found := usual_range(each[:-1], level)).low <= each[-1] <= found.high for each in drawn])
    assert abs(outside - (1 - level)) < 3.3*np.sqrt(level*(1 - level)/4_000)

def test_weeks_that_follow_each_other_lie_outside_more_often_but_not_twice():
    "Correlation .3 from week to week: what the page warns of has a size."
    rng, outside = np.random.default_rng(8), []
    for _ in range(3_000):
        week, weeks = rng.normal(), []
        for _ in range(13): weeks.append(week := .3*week + np.sqrt(1 - .3**2)*rng.normal())
        found = usual_range(weeks[:-1])
        outside.append(not found.low <= weeks[-1] <= found.high)
    assert .05 < np.mean(outside) < .10

def test_growth_does_not_depend_on_the_currency():
    before, last = [(41., 37.), (40., 35.5), (44., 39.), (42., 38.5), (39., 36.), (43., 38.)], 80.
    euros, cents = usual_growth(before, last), usual_growth([(100*a, 100*b) for a, b in before], 100*last)
    assert (cents.low, cents.high) == (pytest.approx(100*euros.low), pytest.approx(100*euros.high))

@pytest.mark.parametrize("before", [[], [1.]*5])
def test_too_few_figures_are_no_range(before):
    with pytest.raises(NotMeasurable): usual_range(before)
