"""Purchase histories: what the published file says of itself, late returns, several currencies, and tables that cannot be."""
import numpy as np
import pandas as pd
import pytest
from marketing_mlops.features.event_rows import open_events
from marketing_mlops.features.purchase_histories import PurchaseHistories, check_histories, histories_from, history_problems, purchase_days, purchase_histories, rfm_table, top_share
from marketing_mlops.workspace.errors import DataError

def days(*rows): return pd.DataFrame(rows, columns=["customer_id", "day", "net_amount"])

def test_online_retail_has_the_published_recency_frequency_and_money(public):
    "OWN figures of the data sets' reference, snapshot 2011-12-10."
    with open_events(public("online-retail"), "online-retail") as events: histories = purchase_histories(events, "2011-12-10")
    table, frame = rfm_table(histories), histories.frame
    assert (len(frame), histories.currency, int((frame.orders == 1).sum())) == (4_338, "GBP", 1_493)
    assert table.loc["recency", ["mean", "median", "lower_quartile", "upper_quartile"]].round(3).tolist() == [92.059, 50, 17, 141.75]
    assert table.loc["orders", ["mean", "median"]].round(3).tolist() == [4.272, 2]
    assert table.loc["sales"].round(3).tolist() == [2054.266, 307.415, 674.485, 1661.74, 280206.02]
    assert top_share(frame.sales) == pytest.approx(.613, abs=1e-3) and frame.sales.sum() == pytest.approx(8_911_407.904)

def test_a_cutoff_sees_nothing_of_its_own_day_or_later(public):
    with open_events(public("online-retail"), "online-retail") as events:
        early, late = purchase_days(events, "2011-06-01"), purchase_days(events, "2011-12-10")
    assert early.day.max() < pd.Timestamp("2011-06-01")
    pd.testing.assert_frame_equal(early, late[late.day < "2011-06-01"].reset_index(drop=True))

def test_one_customer_by_hand():
    rows = days(("ada", "2026-01-01", 30.), ("ada", "2026-01-11", 50.), ("ada", "2026-01-31", 10.), ("ada", "2026-02-02", -30.))
    ada = histories_from(rows, "2026-03-02", "EUR").frame.iloc[0]
    assert (ada.frequency, ada.recency_days, ada.age_days, ada.mean_value, ada.orders, ada.sales, ada.net_revenue) == (2, 30, 60, 20., 3, 90., 60.)

def test_order_of_rows_further_columns_and_names_of_customers_do_not_matter():
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(dict(customer_id=rng.integers(0, 30, 200).astype(str), day=pd.Timestamp("2026-01-01") + pd.to_timedelta(rng.integers(0, 90, 200), unit="D"), net_amount=rng.uniform(-10, 50, 200)))
    one = histories_from(rows, "2026-04-15", "EUR").frame
    mixed = histories_from(rows.sample(frac=1, random_state=1).assign(note="x")[["note", "net_amount", "day", "customer_id"]], "2026-04-15", "EUR").frame
    pd.testing.assert_frame_equal(one, mixed)

def test_an_instant_counts_on_its_day_in_utc():
    rows = pd.DataFrame(dict(customer_id="ada", day=pd.to_datetime(["2026-01-01T23:30:00-02:00", "2026-01-05T10:00:00Z"], utc=True), net_amount=[5., 5.]))
    assert histories_from(rows, "2026-02-01", "EUR").frame.recency_days[0] == 3

@pytest.mark.parametrize("change, says", [
    (dict(frequency=[1.5, 0]), "frequency is no whole number"), (dict(frequency=[-1, 0]), "frequency is no whole number"), (dict(recency_days=[0, 0]), "missing or 0 although she came back"),
    (dict(recency_days=[10, 4]), "above 0 although nobody came back"), (dict(recency_days=[90, 0]), "lies after the cutoff"), (dict(age_days=[0, 30]), "age_days is not above 0"),
    (dict(mean_value=[-5., 3.]), "mean_value is not above 0"), (dict(mean_value=[np.inf, 3.]), "mean_value is not above 0"), (dict(mean_value=["a lot", 3.]), "mean_value is not above 0"), (dict(customer_id=["ada", "ada"]), "missing or stands twice"), (dict(customer_id=[None, "ada"]), "missing or stands twice")])
def test_a_history_that_cannot_be_is_refused(change, says):
    good = pd.DataFrame(dict(customer_id=["ada", "ben"], frequency=[1, 0], recency_days=[20, 0], age_days=[40, 30], mean_value=[5., np.nan]))
    check_histories(good)
    assert not any(wrong.any() for _, _, wrong in history_problems(good))
    with pytest.raises(DataError, match=says): PurchaseHistories(good.assign(**change), "EUR")

def test_all_problems_are_said_at_once():
    bad = pd.DataFrame(dict(customer_id=["ada", "ada"], frequency=[-1, 0], recency_days=[20, 0], age_days=[0, 30], mean_value=[5., 0.]))
    with pytest.raises(DataError) as found: PurchaseHistories(bad, "EUR")
    assert all(name in str(found.value) for name in ("customer_id", "frequency", "age_days", "mean_value")) and found.value.rows

@pytest.mark.parametrize("change, says", [(dict(day=["2026-01-01", "soon"]), "day is missing or cannot be read in 1 of 2"), (dict(net_amount=[1., np.inf]), "net_amount is missing"), (dict(customer_id=["ada", None]), "customer_id is missing"),
                                          (dict(currency=["EUR", "GBP"]), "Amounts in EUR, GBP cannot be added"), (dict(net_amount=[-1., 0.]), "no customer in these purchase histories")])
def test_purchases_that_cannot_be_read_are_refused(change, says):
    with pytest.raises(DataError, match=says): histories_from(days(("ada", "2026-01-01", 3.), ("ben", "2026-01-02", 4.)).assign(**change), "2026-02-01", "" if "currency" in change else "EUR")

def test_a_tenth_of_few_customers_is_one():
    assert top_share(pd.Series([3., 1.])) == .75 and top_share(pd.Series([1.]*10), .3) == pytest.approx(.3)
