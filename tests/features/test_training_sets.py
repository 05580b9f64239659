"""Training sets of the demonstration, and of the public files."""
import hashlib, json, os, re, shutil, subprocess, sys
import pandas as pd
import pyarrow.parquet as pq
import pytest
from marketing_mlops.features.point_in_time import feature_table
from marketing_mlops.features.event_rows import open_events
from marketing_mlops.features.score_features import keep_scores
from marketing_mlops.features.spines import spine
from marketing_mlops.features.task_rows import last_complete_cutoff
from marketing_mlops.features.training_files import describe_training_set, read_training_set, write_training_set
from marketing_mlops.features.training_sets import check_training_spec, training_set
from marketing_mlops.workspace.errors import DataError, ParameterError

FEATURES = ["recency_days", "orders_90d", "orders_365d", "net_revenue_365d", "average_order_value_365d", "tenure_days", "clicks_90d",
            "engagement_seconds_90d", "contacts_90d", "trait.age_band", "trait.acquisition_channel"]
CHURN = dict(source="retailer", task="propensity", consent_purpose="email", outcome=dict(kind="no_order", horizon_days=90, active_days=365),
             cutoffs=dict(last="2026-03-01", every_days=30, count=6), features=FEATURES, split=dict(held_out="last_cutoff"), holdout=.05)
PROMO = dict(source="retailer", task="uplift", consent_purpose="email", features=FEATURES, split=dict(held_out=.5),
             experiment=dict(name="promo_mail_2026", control="no_mail", arms=dict(no_mail=.5, promo_mail=.5), outcome_window_days=14, currency="EUR"))
HILLSTROM = dict(source="hillstrom", task="uplift", outcome=dict(kind="outcome", column="spend"), split=dict(held_out=.5),
                 features=["trait.recency", "trait.history", "trait.mens", "trait.womens", "trait.zip_code", "trait.newbie", "trait.channel"],
                 experiment=dict(name="minethatdata_email", control="No E-Mail", arms={"No E-Mail": 1/3, "Mens E-Mail": 1/3, "Womens E-Mail": 1/3}, outcome_window_days=14, currency="USD"))
BANK = dict(source="bank-marketing", task="propensity", outcome=dict(kind="outcome", column="conversion"), split=dict(held_out=.2),
            features=["trait.age", "trait.job", "trait.days_since_earlier_contact", "trait.euribor_3_months"])

@pytest.fixture(scope="module")
def made(retailer):
    "Function (spec) -> its training set, made once for all tests that only read it."
    kept = {}
    def make(spec):
        key = json.dumps(spec, sort_keys=True)
        if key not in kept: kept[key] = training_set(retailer, "m", spec)
        return kept[key]
    return make

def digest(training): return hashlib.sha256(training.frame.to_csv(index=False).encode()).hexdigest()

def test_churn_rows_hold_a_label_a_side_and_every_feature(made):
    training = made(CHURN)
    assert set(training.frame.label) == {0, 1} and set(training.frame.split) == {"train", "held_out"}
    assert training.held_out.cutoff.unique().tolist() == [pd.Timestamp("2026-03-01", tz="UTC")]
    assert training.train.matured_at.max() <= pd.Timestamp("2026-03-01", tz="UTC")
    assert training.categorical == ["trait.age_band", "trait.acquisition_channel"] and training.numeric == FEATURES[:-2]
    assert all(training.frame[name].dtype == "float64" for name in training.numeric)
    assert training.frame.recency_days.between(0, 364).all(), "active customers ordered within 365 days"
    assert training.treatment is None and training.frame.is_holdout.any()

def test_churn_is_the_mirror_image_of_a_repeat_purchase(retailer, made):
    churn = made(CHURN).frame
    repeat = training_set(retailer, "repeat", CHURN | dict(outcome=CHURN["outcome"] | dict(kind="order"))).frame
    assert (churn.label + repeat.label == 1).all()
    pd.testing.assert_frame_equal(churn.drop(columns="label"), repeat.drop(columns="label"))

def test_recency_tells_who_leaves(made):
    frame = made(CHURN).frame
    late, fresh = frame.recency_days > 120, frame.recency_days < 30
    assert frame.label[late].mean() > frame.label[fresh].mean() + .2

def test_what_the_experiment_did_is_what_the_readout_counts(retailer, made):
    from marketing_mlops.contracts.metrics import unit_values
    from marketing_mlops.sources.ingestion import accepted_tables
    training = made(PROMO)
    units = training.frame[["customer_id"]]
    end = training.frame.cutoff + pd.Timedelta(days=14)
    spent = unit_values("net_revenue_per_customer", accepted_tables(retailer, "retailer"), units, start=training.frame.cutoff, end=end, settings=retailer.settings)
    assert training.frame.spend.tolist() == spent.numerator.astype(float).tolist() == training.frame.label.tolist()
    assert training.outcomes == ("spend", "contribution", "unsubscribed", "complained") and training.treatment == "arm"
    left = unit_values("contribution_margin", accepted_tables(retailer, "retailer"), units, start=training.frame.cutoff, end=end, settings=retailer.settings)
    assert training.frame.contribution.tolist() == left.numerator.astype(float).tolist() and 0 < training.frame.contribution.sum() < training.frame.spend.sum()
    assert set(training.frame.arm) == {"no_mail", "promo_mail"} and not training.frame.is_holdout.any()

def test_half_of_an_experiment_is_held_out_person_by_person(retailer, made):
    frame = made(PROMO).frame
    assert frame.customer_id.is_unique and abs((frame.split == "held_out").mean() - .5) < .06
    again = training_set(retailer, "another_name", PROMO | dict(features=["tenure_days"])).frame
    assert again.set_index("customer_id").split.to_dict() == frame.set_index("customer_id").split.to_dict()

@pytest.mark.slow
def test_the_order_of_rows_in_the_files_does_not_matter(retailer, tmp_path):
    from marketing_mlops.workspace.places import Workspace
    shuffled = Workspace(tmp_path, retailer.settings)
    shuffled.accepted("retailer").mkdir(parents=True)
    for file in retailer.accepted("retailer").glob("*.parquet"):
        rows = pq.read_table(file)
        order = pd.Series(range(len(rows))).sample(frac=1, random_state=3).to_numpy()
        pq.write_table(rows.take(order), shuffled.accepted("retailer")/file.name)
    for spec in (CHURN, PROMO): assert digest(training_set(shuffled, "m", spec)) == digest(training_set(retailer, "m", spec))

@pytest.mark.slow
def test_another_process_on_one_processor_makes_the_same_rows(retailer):
    code = ("import os, sys, hashlib, json; from pathlib import Path\n"
            "if hasattr(os, 'sched_setaffinity'): os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
            "from marketing_mlops.features.training_sets import training_set\nfrom marketing_mlops.workspace.places import Workspace\nfrom marketing_mlops.workspace.settings import Settings\n"
            "root = Path(sys.argv[1]); made = training_set(Workspace(root, Settings('development', root)), 'm', json.loads(sys.argv[2]))\n"
            "print(hashlib.sha256(made.frame.to_csv(index=False).encode()).hexdigest())")
    done = subprocess.run([sys.executable, "-c", code, str(retailer.root), json.dumps(CHURN)], env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == digest(training_set(retailer, "m", CHURN))

@pytest.mark.parametrize("change, says", [
    (dict(task="lifetime_value"), "training sets are made for"), (dict(features=None), "features is missing"), (dict(features="recency_days"), "a list of names"),
    (dict(split=None), "split is missing"), (dict(outcome=None), "outcome is missing"), (dict(cutoffs=None), "cutoffs"), (dict(consent_purpose=None), "no purpose is named"),
    (dict(features=["recency_days", "trait.shoe_size"]), "no trait 'shoe_size'"), (dict(split=dict(held_out="first_cutoff")), "last_cutoff")])
def test_a_spec_that_cannot_be_used_is_refused_in_two_lines(retailer, change, says):
    spec = {key: value for key, value in (CHURN | change).items() if not (key == "cutoffs" and value is None)}
    with pytest.raises(ParameterError, match=says) as caught: training_set(retailer, "retailer_churn_90d", spec)
    assert len(str(caught.value).splitlines()) == 2

def test_an_experiment_nobody_was_assigned_to_is_refused(retailer):
    with pytest.raises(DataError, match="promo_mail_2062"): training_set(retailer, "m", PROMO | dict(experiment=PROMO["experiment"] | dict(name="promo_mail_2062")))
    with pytest.raises(DataError, match="declared are"): training_set(retailer, "m", PROMO | dict(experiment=PROMO["experiment"] | dict(arms=dict(no_mail=.5, mail=.5))))

def test_cutoffs_that_have_not_matured_leave_nothing_and_say_so(retailer):
    with pytest.raises(DataError, match="not_matured"): training_set(retailer, "m", CHURN | dict(cutoffs=dict(last="2026-06-15", count=1)))

def test_a_cutoff_ahead_of_the_data_is_refused_with_its_key_and_the_day_that_fits(retailer):
    for last, every in (("2026-09-27", 30), ("2026-08-31", 30), ("2026-12-31", 1)):
        with pytest.raises(ParameterError, match=f"cutoffs.last is {last}, which lies ahead of the data: source 'retailer' ends 2026-0[67]") as refused:
            training_set(retailer, "m", CHURN | dict(cutoffs=dict(last=last, every_days=every, count=14)))
        assert refused.value.fields["key"] == "cutoffs.last" and re.search(r"Name 2026-0[34]-\d\d, the last whose outcome is complete", refused.value.remedy)

def test_the_day_that_fits_is_judged_by(retailer):
    with open_events(retailer, "retailer") as events: fits = f"{last_complete_cutoff(events, CHURN['outcome']):%Y-%m-%d}"
    training = training_set(retailer, "m", CHURN | dict(cutoffs=dict(last=fits, every_days=30, count=5), features=["recency_days"]))
    assert training.held_out.cutoff.max() == pd.Timestamp(fits, tz="UTC") and training.open_cutoffs == ()

def test_cutoffs_whose_outcome_is_not_complete_are_left_out_and_named(retailer, made, tmp_path):
    training = training_set(retailer, "m", CHURN | dict(cutoffs=dict(last="2026-05-30", every_days=30, count=8), features=["recency_days"]))
    assert training.open_cutoffs == ("2026-04-30", "2026-05-30") and training.held_out.cutoff.max() == pd.Timestamp("2026-03-31", tz="UTC")
    assert "The outcome of the cutoffs 2026-04-30, 2026-05-30 is not complete yet; they were left out." in training._repr_markdown_()
    write_training_set(training, tmp_path)
    assert read_training_set(tmp_path).open_cutoffs == training.open_cutoffs
    assert "open_cutoffs" not in describe_training_set(made(CHURN))

def test_a_score_that_no_row_can_have_is_refused_with_the_day_of_the_first(retailer):
    folder = retailer.output("score", "released_late")
    folder.mkdir(parents=True)
    pd.DataFrame(dict(customer_id=["x"], cutoff=pd.to_datetime(["2026-06-30"], utc=True), bundle_hash="ab"*32, role="champion", p_buy=[.5])).to_parquet(folder/"scores.parquet")
    keep_scores(retailer, "released_late", pd.Timestamp("2026-07-01T06:00Z"))
    with pytest.raises(DataError, match=r"score.released_late is missing in all [\d,]+ rows to learn from: the first score of released_late was made on 2026-07-01") as refused:
        training_set(retailer, "m", CHURN | dict(features=["recency_days", "score.released_late"]))
    assert refused.value.remedy == "Remove score.released_late from features: in params.yaml, or name cutoffs after the first score."

# Public files --------------------------------------------------------------------------------------------------------

def test_recency_frequency_and_money_of_online_retail_are_those_computed_elsewhere(public):
    # ../shared/datasets/REFERENCE.md: customer known, quantity and price above zero, snapshot 2011-12-10
    workspace = public("online-retail")
    with open_events(workspace, "online-retail") as events: rows = spine(events, ["2011-12-10"], purpose=None).frame
    table = feature_table(workspace, "online-retail", rows, ["recency_days", "orders_ever", "sales_ever"])
    buyers = table[table.orders_ever > 0]
    assert len(buyers) == 4_338 and int(buyers.orders_ever.sum()) == 18_532 and int((buyers.orders_ever == 1).sum()) == 1_493
    assert buyers[["recency_days", "orders_ever", "sales_ever"]].mean().round(3).tolist() == [92.059, 4.272, 2054.266]
    assert buyers.recency_days.quantile([.25, .5, .75]).tolist() == [17, 50, 141.75]
    assert buyers.sales_ever.quantile([.25, .5, .75, 1]).round(3).tolist() == [307.415, 674.485, 1661.74, 280206.02]
    assert round(buyers.sales_ever.sum(), 3) == 8_911_407.904
    assert table[table.orders_ever == 0].recency_days.isna().all()

def test_online_retail_asks_who_comes_back(public):
    spec = dict(source="online-retail", task="propensity", outcome=dict(kind="order", horizon_days=60, active_days=180), cutoffs=dict(last="2011-10-10", every_days=30, count=5),
                features=["recency_days", "orders_ever", "sales_ever", "trait.country"], split=dict(held_out="last_cutoff"))
    training = training_set(public("online-retail"), "repeat_purchase", spec)
    assert .3 < training.train.label.mean() < .7 and len(training.held_out) > 1_000
    with pytest.raises(DataError, match="not_matured"): training_set(public("online-retail"), "m", spec | dict(cutoffs=dict(last="2011-10-12", count=1)))

@pytest.mark.parametrize("trait", ["duration", "contacts_in_campaign", "weekday_of_last_contact"])
def test_what_the_bank_knows_only_during_the_call_is_refused_by_name(public, trait):
    with pytest.raises(DataError, match=f"trait.{trait} .* known only during the contact") as caught:
        training_set(public("bank-marketing"), "term_deposit", BANK | dict(features=[*BANK["features"], f"trait.{trait}"]))
    assert caught.value.column == f"trait.{trait}"

def test_the_bank_is_split_in_the_order_of_its_rows(public):
    training = training_set(public("bank-marketing"), "term_deposit", BANK)
    assert (len(training.train), len(training.held_out)) == (32_950, 8_238)
    assert training.frame.cutoff.is_monotonic_increasing
    # REFERENCE.md: the base rate of the last fifth is about five times that of the first four
    assert 4.5 < training.held_out.label.mean()/training.train.label.mean() < 5.2
    assert training.frame.groupby("split")["trait.euribor_3_months"].mean().diff().abs().iloc[-1] > 2
    assert training.frame["trait.age"].notna().all() and training.frame["trait.days_since_earlier_contact"].isna().mean() > .96

def test_the_rows_of_the_bank_follow_its_file(public, datasets):
    from marketing_mlops.sources.raw_files import file_bytes
    found = next(p for p in (datasets/"bank-marketing").iterdir() if p.name.startswith("bank-additional-full"))
    lines = [line.split(";") for line in file_bytes(found).decode().splitlines()]
    answers = [line[-1].strip('"') == "yes" for line in lines[1:]]
    ages = [float(line[0]) for line in lines[1:]]
    frame = training_set(public("bank-marketing"), "term_deposit", BANK).frame
    assert frame.label.astype(bool).tolist() == answers and frame["trait.age"].tolist() == ages

def test_hillstrom_keeps_its_arms_and_what_people_spent(public):
    training = training_set(public("hillstrom"), "hillstrom_email", HILLSTROM)
    assert len(training.frame) == 64_000 and training.outcomes == ("visit", "conversion", "spend")
    assert training.frame.arm.value_counts().to_dict() == {"Womens E-Mail": 21_387, "Mens E-Mail": 21_307, "No E-Mail": 21_306}
    assert round(training.frame[training.frame.arm == "Mens E-Mail"].spend.mean(), 4) == 1.4226
    assert training.categorical == ["trait.zip_code", "trait.channel"] and training.frame[training.features].notna().all(axis=None)

def test_a_training_set_survives_the_way_through_its_files(made, tmp_path):
    from marketing_mlops.features.training_files import read_training_set, write_training_set
    training = made(PROMO)
    files = write_training_set(training, tmp_path)
    again = read_training_set(tmp_path)
    pd.testing.assert_frame_equal(again.frame, training.frame)
    assert (again.model, again.features, again.treatment, again.outcomes, again.categorical) == (training.model, training.features, "arm", training.outcomes, training.categorical)
    before = [file.read_bytes() for file in files]
    assert [file.read_bytes() for file in write_training_set(again, tmp_path)] == before

@pytest.mark.parametrize("experiment, says", [({"foo": 1}, "experiment.name is missing"), ("promo", "key: value"), (dict(name="p", control="a", arms=["a", "b"], outcome_window_days=14, currency="EUR"), "shares are allowed")])
def test_an_experiment_whose_rows_cannot_be_made_is_refused_before_data_are_read(experiment, says):
    with pytest.raises(ParameterError, match=says): check_training_spec("m", PROMO | dict(experiment=experiment))
