"""Who may be learned from: consent, activity, and the permanent holdout."""
from datetime import datetime, timedelta, timezone
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from marketing_mlops.contracts.schemas import frame_of_rows
from marketing_mlops.features.eligibility import is_consented
from marketing_mlops.features import spines
from marketing_mlops.features.event_rows import open_events
from marketing_mlops.features.spines import as_cutoff, cutoffs_from
from marketing_mlops.features.training_sets import training_set
from marketing_mlops.sources.recipes import is_held_out
from marketing_mlops.workspace.clock import ReplayClock
from marketing_mlops.workspace.errors import ParameterError, WorkspaceError

CUTOFF = datetime(2026, 3, 1, tzinfo=timezone.utc)
SETTINGS = dict(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True, database=None)
moments = st.one_of(st.sampled_from([CUTOFF + step*timedelta(microseconds=1) for step in (-1, 0, 1)]),
                    st.datetimes(datetime(2025, 1, 1), datetime(2026, 6, 1), timezones=st.just(timezone.utc)))

@st.composite
def statements(draw):
    at = draw(moments)
    return dict(customer_id=draw(st.sampled_from(["ada", "ben"])), purpose=draw(st.sampled_from(["email", "sms"])), is_granted=draw(st.booleans()),
                occurred_at=at, known_at=at + draw(st.sampled_from([timedelta(0), timedelta(days=9)])))

def may_be_mailed(said, customer, cutoff):
    known = [each for each in said if each["customer_id"] == customer and each["purpose"] == "email" and each["known_at"] < cutoff]
    if not known: return False
    newest = max(each["known_at"] for each in known)
    return all(each["is_granted"] for each in known if each["known_at"] == newest)

def spine(workspace, source, cutoffs, **asked):
    with open_events(workspace, source) as events: return spines.spine(events, cutoffs, **asked).frame

def contact_spine(workspace, source, experiment, *, purpose):
    with open_events(workspace, source) as events: return spines.contact_spine(events, experiment, purpose=purpose).frame

@settings(max_examples=60, **SETTINGS)
@given(said=st.lists(statements(), min_size=1, max_size=10))
def test_the_latest_statement_known_before_the_cutoff_decides(said):
    rows = pd.DataFrame(dict(customer_id=["ada", "ben", "cem"], cutoff=pd.Timestamp(CUTOFF)), index=[7, 3, 5])
    found = is_consented(rows, frame_of_rows("consents", said), "email")
    assert found.index.tolist() == [7, 3, 5]
    assert found.tolist() == [may_be_mailed(said, name, CUTOFF) for name in rows.customer_id]

@settings(max_examples=40, **SETTINGS)
@given(said=st.lists(statements(), min_size=1, max_size=8), later=st.lists(statements(), min_size=1, max_size=4))
def test_no_statement_known_at_or_after_the_cutoff_changes_who_is_in(said, later):
    rows = pd.DataFrame(dict(customer_id=["ada", "ben"], cutoff=pd.Timestamp(CUTOFF)))
    added = [each | dict(known_at=max(each["known_at"], CUTOFF)) for each in later]
    assert is_consented(rows, frame_of_rows("consents", said + added), "email").tolist() == is_consented(rows, frame_of_rows("consents", said), "email").tolist()

@settings(max_examples=40, **SETTINGS)
@given(said=st.lists(statements(), max_size=8))
def test_a_withdrawal_drops_the_customer_whatever_she_said_before(said):
    before = [each for each in said if each["known_at"] < CUTOFF - timedelta(hours=1)]
    withdrawn = dict(customer_id="ada", purpose="email", is_granted=False, occurred_at=CUTOFF - timedelta(hours=1), known_at=CUTOFF - timedelta(hours=1))
    rows = pd.DataFrame(dict(customer_id=["ada"], cutoff=pd.Timestamp(CUTOFF)))
    assert is_consented(rows, frame_of_rows("consents", [*before, withdrawn]), "email").tolist() == [False]

@pytest.mark.parametrize("granted_last", [True, False])
def test_of_two_statements_that_became_known_together_the_withdrawal_wins(granted_last):
    "As an audience is cut, so a customer is not scored who may not be mailed."
    from marketing_mlops.activation.audiences import consented
    known_at = CUTOFF - timedelta(days=2)
    said = [dict(customer_id="ada", purpose="email", is_granted=is_granted, occurred_at=known_at - timedelta(days=ago), known_at=known_at)
            for is_granted, ago in ((granted_last, 1), (not granted_last, 2))]
    rows = pd.DataFrame(dict(customer_id=["ada"], cutoff=pd.Timestamp(CUTOFF)))
    assert is_consented(rows, frame_of_rows("consents", said), "email").tolist() == [False]
    assert consented(frame_of_rows("consents", said), "email", ReplayClock(CUTOFF)).to_dict() == dict(ada=False)

def event(at, **values): return values | dict(occurred_at=at, known_at=at)

def a_shop(shop, *, consents=None, **more):
    "Three customers with an order each, all of whom agreed to be mailed unless said otherwise."
    names, joined = ["ada", "ben", "cem"], datetime(2025, 1, 1, tzinfo=timezone.utc)
    orders = [event(CUTOFF - timedelta(days=day), order_id=f"{name}{day}", customer_id=name) for name in names for day in (-30, 10, 40, 70, 100)]
    lines = [{k: v for k, v in each.items() if k != "customer_id"} | dict(order_line_id=each["order_id"], kind="sale", quantity=1, unit_price=10, currency="EUR") for each in orders]
    agreed = [event(joined, customer_id=name, purpose="email", is_granted=True) for name in names]
    return shop.accept(customers=[dict(customer_id=name, first_seen_at=joined) for name in names], orders=orders, order_lines=lines, consents=agreed + (consents or []), **more)

CHURN = dict(source="shop", task="propensity", consent_purpose="email", outcome=dict(kind="no_order", horizon_days=20), features=["orders_90d"],
             cutoffs=dict(last="2026-03-01", every_days=30, count=3), split=dict(held_out="last_cutoff"))

def test_a_withdrawn_consent_takes_the_customer_out_of_training_too_from_then_on(shop):
    withdrawn = event(CUTOFF - timedelta(days=45), customer_id="ben", purpose="email", is_granted=False)
    frame = training_set(a_shop(shop, consents=[withdrawn]), "churn", CHURN).frame
    assert frame[frame.customer_id == "ben"].cutoff.tolist() == [pd.Timestamp(CUTOFF - timedelta(days=60))]
    assert len(frame[frame.customer_id == "ada"]) == 3

def test_what_is_left_out_is_counted(shop):
    withdrawn = event(CUTOFF - timedelta(days=45), customer_id="ben", purpose="email", is_granted=False)
    assert training_set(a_shop(shop, consents=[withdrawn]), "churn", CHURN).dropped == {"no_consent": 2, "not_matured": 0}

def test_consent_to_another_purpose_is_no_consent(shop):
    with_sms = a_shop(shop, consents=[event(CUTOFF - timedelta(days=45), customer_id="ada", purpose="sms", is_granted=False)])
    assert spine(with_sms, "shop", ["2026-03-01"], purpose="email").customer_id.tolist() == ["ada", "ben", "cem"]
    assert spine(with_sms, "shop", ["2026-03-01"], purpose="sms").empty
    assert spine(with_sms, "shop", ["2026-03-01"], purpose="phone").empty

def test_a_purpose_may_be_left_out_only_where_nobody_was_asked(shop):
    with pytest.raises(ParameterError, match="no purpose is named"): spine(a_shop(shop), "shop", ["2026-03-01"], purpose=None)
    (shop.folder/"consents.parquet").unlink()
    assert len(spine(shop.workspace, "shop", ["2026-03-01"], purpose=None)) == 3
    with pytest.raises(ParameterError, match="has no table consents"): spine(shop.workspace, "shop", ["2026-03-01"], purpose="email")

def test_the_holdout_stays_in_the_spine_and_is_marked_from_its_assignment_on(shop):
    assigned = [event(CUTOFF - timedelta(days=15), experiment_id="permanent_holdout", customer_id="ben", arm="held_out", is_holdout=True)]
    drawn = spine(a_shop(shop, assignments=assigned), "shop", ["2026-01-30", "2026-03-01"], purpose="email")
    assert drawn.groupby("cutoff").is_holdout.sum().tolist() == [0, 1]
    assert drawn[drawn.is_holdout].customer_id.tolist() == ["ben"] and drawn.is_holdout.dtype == bool

def test_without_a_recorded_holdout_the_same_share_is_drawn_every_time(shop):
    workspace = a_shop(shop)
    assert not spine(workspace, "shop", ["2026-03-01"], purpose="email").is_holdout.any()
    marked = spine(workspace, "shop", ["2026-03-01"], purpose="email", holdout=.6)
    assert marked.is_holdout.tolist() == is_held_out(marked.customer_id, .6).tolist()

def test_the_simulated_holdout_is_marked_as_it_was_drawn(retailer):
    drawn = spine(retailer, "retailer", ["2026-03-01"], purpose="email", holdout=.3)
    assert drawn.is_holdout.tolist() == is_held_out(drawn.customer_id, .05).tolist() and drawn.is_holdout.any()

def test_nobody_is_drawn_before_she_was_seen_and_the_rows_are_sorted(retailer):
    drawn = spine(retailer, "retailer", ["2026-03-01", "2025-06-01"], purpose="email", active_days=365)
    since = pd.read_parquet(retailer.accepted("retailer")/"customers.parquet").set_index("customer_id").first_seen_at
    assert (drawn.customer_id.map(since) < drawn.cutoff).all()
    pd.testing.assert_frame_equal(drawn, drawn.sort_values(["cutoff", "customer_id"], ignore_index=True))
    assert dict(drawn.dtypes.astype(str)) == dict(customer_id="str", cutoff="datetime64[us, UTC]", is_holdout="bool")

def test_people_contacted_without_consent_are_not_learned_from(shop):
    sent = [event(CUTOFF, contact_id=f"m{name}", kind="send", channel="email", customer_id=name, campaign_id="spring") for name in ("ada", "ben")]
    withdrawn = event(CUTOFF - timedelta(days=1), customer_id="ada", purpose="email", is_granted=False)
    assert contact_spine(a_shop(shop, contacts=sent, consents=[withdrawn]), "shop", "spring", purpose="email").customer_id.tolist() == ["ben"]

@pytest.mark.parametrize("value", ["March", "2026-13-01", "2026-03-01T10:00", 20260301, None, float("nan"), ""])
def test_a_cutoff_that_is_no_instant_is_refused(value):
    with pytest.raises(ParameterError, match="no day and no instant"): as_cutoff(value)

@pytest.mark.parametrize("rule", [{}, {"last": "2026-03-01", "count": 0}, {"last": "2026-03-01", "count": True}, {"last": "2026-03-01", "every_days": "30"}, {"last": "x"}])
def test_a_rule_for_cutoffs_that_cannot_be_read_is_refused(rule):
    with pytest.raises(ParameterError): cutoffs_from(rule)

def test_a_source_without_accepted_tables_says_what_to_run(shop):
    with pytest.raises(WorkspaceError, match="mmops run"): spine(shop.workspace, "shop", ["2026-03-01"], purpose=None)
