"""What happened after the cutoff, and what is not known yet."""
from datetime import datetime, timedelta, timezone
import pandas as pd
import pytest
from marketing_mlops.features.labels import check_outcome, labels
from marketing_mlops.features.splits import split_in_time
from marketing_mlops.workspace.errors import ParameterError

CUTOFF = datetime(2026, 3, 1, tzinfo=timezone.utc)
MICROSECOND = timedelta(microseconds=1)
ADA = pd.DataFrame(dict(customer_id=["ada"], cutoff=[pd.Timestamp(CUTOFF)]))
END = CUTOFF + timedelta(days=90)

def a_shop(shop, *sales, end=END, kind="sale", price=10):
    "Ada's lines at the given instants, and somebody else's order that marks the end of the data."
    rows = [(f"o{i}", "ada", at, kind, price) for i, at in enumerate(sales)] + [("end", "eve", end, "sale", 10)]
    return shop.accept(orders=[dict(order_id=order, customer_id=name, occurred_at=at, known_at=at) for order, name, at, _, _ in rows],
                       order_lines=[dict(order_line_id=order, order_id=order, kind=word, quantity=-1 if word == "return" else 1, unit_price=amount, currency="EUR", occurred_at=at, known_at=at)
                                    for order, _, at, word, amount in rows])

@pytest.mark.parametrize("at, ordered", [(CUTOFF - MICROSECOND, 0), (CUTOFF, 1), (CUTOFF + timedelta(days=30) - MICROSECOND, 1), (CUTOFF + timedelta(days=30), 0)])
def test_the_label_window_is_half_open_and_begins_where_features_end(shop, at, ordered):
    workspace = a_shop(shop, at)
    assert labels(workspace, "shop", ADA, dict(kind="order", horizon_days=30)).frame.label.tolist() == [ordered]
    assert labels(workspace, "shop", ADA, dict(kind="no_order", horizon_days=30)).frame.label.tolist() == [1 - ordered]

@pytest.mark.parametrize("kind, price", [("return", 10), ("cancellation", 10), ("adjustment", 10), ("sale", 0)])
def test_returns_and_gifts_are_no_purchases(shop, kind, price):
    workspace = a_shop(shop, CUTOFF + timedelta(days=3), kind=kind, price=price)
    assert labels(workspace, "shop", ADA, dict(kind="order", horizon_days=30)).frame.label.tolist() == [0]

@pytest.mark.parametrize("end, n", [(CUTOFF + timedelta(days=30), 1), (CUTOFF + timedelta(days=30) - MICROSECOND, 0)])
def test_a_window_that_reaches_beyond_the_data_is_left_out_and_counted(shop, end, n):
    found = labels(a_shop(shop, end=end), "shop", ADA, dict(kind="order", horizon_days=30))
    assert (len(found.frame), found.dropped) == (n, {"not_matured": 1 - n})

def test_maturity_waits_for_orders_that_are_known_late(shop):
    workspace = a_shop(shop, end=CUTOFF + timedelta(days=32))
    assert len(labels(workspace, "shop", ADA, dict(kind="order", horizon_days=30, maturity_days=2)).frame) == 1
    assert len(labels(workspace, "shop", ADA, dict(kind="order", horizon_days=30, maturity_days=3)).frame) == 0

def test_a_finished_source_ends_with_the_last_second_of_its_last_day(shop):
    workspace = a_shop(shop, end=CUTOFF + timedelta(days=20))
    folder = workspace.source_folder("shop")
    folder.mkdir(parents=True)
    (folder/"mapping.yaml").write_text("name: shop\nkind: simulated\nas_of: 2026-03-30\n")
    assert len(labels(workspace, "shop", ADA, dict(kind="order", horizon_days=30)).frame) == 1
    (folder/"mapping.yaml").write_text("name: shop\nkind: simulated\nas_of: 2026-03-29\n")
    assert len(labels(workspace, "shop", ADA, dict(kind="order", horizon_days=30)).frame) == 0

def test_amounts_stay_amounts_and_marks_become_zero_or_one(shop):
    at = CUTOFF + timedelta(days=14)
    stated = dict(experiment_id="mail", customer_id="ada", conversion=True, spend="12.34", currency="EUR", occurred_at=at, known_at=at)
    workspace = shop.accept(outcomes=[stated])
    assert labels(workspace, "shop", ADA, dict(kind="outcome", column="spend")).frame.label.tolist() == [12.34]
    marks = labels(workspace, "shop", ADA, dict(kind="outcome", column="conversion")).frame.label
    assert (marks.tolist(), str(marks.dtype)) == ([1], "int64")

def test_outcomes_of_several_experiments_need_a_name(shop):
    at = CUTOFF + timedelta(days=14)
    workspace = shop.accept(outcomes=[dict(experiment_id=name, customer_id="ada", conversion=name == "b", occurred_at=at, known_at=at) for name in "ab"])
    with pytest.raises(ParameterError, match="belong to a, b"): labels(workspace, "shop", ADA, dict(kind="outcome", column="conversion"))
    assert labels(workspace, "shop", ADA, dict(kind="outcome", column="conversion", experiment="b")).frame.label.tolist() == [1]

@pytest.mark.parametrize("outcome", [{}, dict(kind="churn"), dict(kind="order"), dict(kind="order", horizon_days=0), dict(kind="order", horizon_days=True),
                                     dict(kind="order", horizon_days="90"), dict(kind="order", horizon_days=90, column="spend"), dict(kind="outcome")])
def test_an_outcome_that_cannot_be_computed_is_refused(outcome):
    with pytest.raises(ParameterError): check_outcome(outcome)

@pytest.mark.parametrize("share", [.1, .2, .5])
def test_no_training_label_was_unknown_when_the_held_out_period_began(share):
    cutoffs = pd.date_range("2025-01-01", periods=12, freq="30D", tz="UTC").repeat(7)
    frame = pd.DataFrame(dict(cutoff=cutoffs, matured_at=cutoffs + pd.Timedelta(days=90)))
    for rule in ("last_cutoff", share):
        split = split_in_time(frame, rule)
        assert frame[split == "train"].matured_at.max() <= frame[split == "held_out"].cutoff.min()
        assert set(split.dropna()) == {"train", "held_out"} and split.isna().any()
