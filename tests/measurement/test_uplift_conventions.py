"""Areas under uplift curves against the recorded answers of the programs whose conventions they are."""
import json
from pathlib import Path
import numpy as np
import pytest
from marketing_mlops.measurement.intervals import NotMeasurable
from marketing_mlops.measurement.uplift_conventions import AREA_CONVENTIONS, area_by, areas_by_convention
from marketing_mlops.measurement.uplift_curves import qini_curve

ORACLE = json.loads((Path(__file__).parent/"oracles"/"uplift.json").read_text())["conventions"]
ROWS = {name: np.array(ORACLE[name]) for name in ("score", "treated", "outcome", "amount")}

@pytest.mark.parametrize("what,convention", [(what, name) for what, areas in ORACLE["areas"].items() for name in areas])
def test_each_convention_is_that_of_its_program(what, convention):
    found = area_by(convention, ROWS["score"], ROWS["treated"] == 1, ROWS[what])
    assert found == pytest.approx(ORACLE["areas"][what][convention], abs=1e-9)

def test_every_convention_of_another_program_has_a_recorded_answer():
    assert {name for areas in ORACLE["areas"].values() for name in areas} == {name for name in AREA_CONVENTIONS if not name.startswith("house")}

def draw(seed=1, n=3_000):
    rng = np.random.default_rng(seed)
    x, treated = rng.random(n), rng.random(n) < .5
    return x, treated, (rng.random(n) < .2 + .2*x*treated).astype(float)

@pytest.mark.parametrize("convention", AREA_CONVENTIONS)
def test_one_chance_for_all_the_order_of_rows_and_the_scale_of_scores_change_no_convention(convention):
    x, treated, y = draw()
    x, mixed = x.round(2), np.random.default_rng(2).permutation(len(x))
    value = area_by(convention, x, treated, y)
    assert area_by(convention, x, treated, y, chance=np.full(len(x), .3)) == value
    assert area_by(convention, np.exp(5*x[mixed]), treated[mixed], y[mixed]) == pytest.approx(value, abs=1e-12)

@pytest.mark.parametrize("convention", AREA_CONVENTIONS)
def test_a_random_order_has_what_the_convention_says_on_average(convention):
    _, treated, y = draw(3)
    values = np.array([area_by(convention, np.random.default_rng(i).random(len(y)), treated, y) for i in range(60)])
    effect = y[treated].mean() - y[~treated].mean()
    expected = {"0": 0., "0.5": .5, "half the effect on everybody": effect/2}[AREA_CONVENTIONS[convention].by_chance]
    assert abs(values.mean()-expected) < 4*values.std()/np.sqrt(60)

def test_the_area_of_the_house_is_that_of_the_curve_in_finer_steps():
    x, treated, y = draw(4)
    curve = qini_curve(x, treated, y)
    for name, estimate in (("house_qini", curve.coefficient), ("house_auuc", curve.area)):
        assert area_by(name, x, treated, y) == pytest.approx(estimate.value, abs=3e-4) and estimate.low < estimate.value < estimate.high

def test_known_chances_undo_a_preference_for_good_customers():
    rng, off = np.random.default_rng(5), {"none": [], "known": []}
    for _ in range(20):
        x = rng.random(4_000); chance = np.where(x > .5, .8, .25)
        treated = rng.random(4_000) < chance
        y = rng.random(4_000) < .05 + .3*(x > .5) + .1*x*treated
        for name, given in (("none", None), ("known", chance)): off[name].append(area_by("house_qini", x, treated, y, chance=given)-.1/12)
    assert abs(np.mean(off["known"])) < 4*np.std(off["known"])/np.sqrt(20) < abs(np.mean(off["none"]))

def test_what_a_convention_cannot_divide_by_is_named_instead_of_counted():
    table = areas_by_convention(np.arange(40.), np.arange(40) % 2 == 0, np.zeros(40))
    assert table["value"].isna().all() and table["reason"].str.contains("have the outcome 0").all()
    with pytest.raises(NotMeasurable, match="ranks nobody"): areas_by_convention(np.ones(4), np.array([True, False]*2), np.ones(4))
    with pytest.raises(NotMeasurable, match="control has 0"): area_by("house_qini", np.arange(4.), np.ones(4, bool), np.ones(4))
    with pytest.raises(ValueError, match="strictly between"): area_by("house_qini", np.arange(4.), np.array([True, False]*2), np.ones(4), chance=np.array([0, .5, .5, .5]))
