"""The report on customer value: made from the demonstration and from published orders, computed sentences, no customer, fitting its screen."""
import shutil
from dataclasses import replace
import pandas as pd
import pytest
from marketing_mlops.features.purchase_histories import PurchaseHistories, purchase_histories
from marketing_mlops.features.event_rows import open_events
from marketing_mlops.models.lifetime_value import Horizon
from marketing_mlops.models.learners import NotLearnable
from marketing_mlops.models.value_fits import DROPOUT_CODES, alive_chances, fit_value
from marketing_mlops.reporting.reports import run_report
from marketing_mlops.reporting.value_blocks import (determined_block, first_tenth_sentence, fits_block, left_out_sentences, left_sentence, money_of_value, value_steps, order_sentence, past_sentences, range_sentence,
                                                    rfm_block, segments_value_block, tenths_chart, tried_block, tried_groups_block, tried_sentence, value_answer, value_heading, value_sentence)
from marketing_mlops.sources.simulator import simulate
from marketing_mlops.training.value_reviews import ValueQuestion, review_value, segments_by_trait, wide_range
from marketing_mlops.workspace.errors import DataError, ParameterError
from marketing_mlops.workspace.params import read_yaml
from marketing_mlops.workspace.places import find_workspace, write_text

ASKED = ValueQuestion(draws=3)

@pytest.fixture(scope="module")
def place(tmp_path_factory, repository):
    "A workspace with 300 simulated customers."
    root = tmp_path_factory.mktemp("value")
    write_text(root/"settings.ini", "[DEFAULT]\nreporting_currency = EUR\n")
    write_text(root/"params.yaml", "sources:\n  retailer: {kind: simulated}\nmodels: {}\n")
    (root/"nbs"/"reports").mkdir(parents=True)
    shutil.copy2(repository/"nbs"/"reports"/"customer_value.ipynb", root/"nbs"/"reports")
    found = find_workspace(root)
    simulate(300, 12, 7, into=found.accepted("retailer"), private=root/"private")
    return found

@pytest.fixture(scope="module")
def review(place): return review_value(place, "retailer", asked=ASKED)

@pytest.fixture(scope="module")
def page(place, tmp_path_factory): return run_report("customer_value", dict(draws=3), place, tmp_path_factory.mktemp("page"))

def test_the_page_says_what_the_customers_are_worth_and_shows_none(place, page, tools):
    text, results = tools.as_it_reads(page.read_text()), read_yaml(page.with_suffix(".json"))["results"]
    assert results["verdict"] in text.lower() and results["sentence"] in text
    assert (f"{results['worth']['expected']:,.0f} EUR" in text) == (results["verdict"] != "fail")
    ids = pd.read_parquet(place.accepted("retailer")/"customers.parquet").customer_id
    executed = "".join(file.read_text() for file in place.path("data", "runs").rglob("*.*") if file.suffix in (".ipynb", ".json", ".html"))
    assert not [each for each in ids if each in text or each in executed]

def test_the_page_can_be_made_twice_alike(place, page, tmp_path):
    assert run_report("customer_value", dict(draws=3), place, tmp_path).read_bytes() == page.read_bytes()

def test_what_cannot_be_asked_is_said(place):
    with pytest.raises(ValueError, match="must lie in"): Horizon(365, 10.)
    with pytest.raises(ParameterError, match="draws is 0"): replace(ASKED, draws=0)
    for source, cutoff, model, says in (("retailer", None, "bgnbd", "Did you mean 'bg_nbd'"), ("retailer", "2001-01-01", "bg_nbd", "no customer"), ("retailr", None, "bg_nbd", "There is no source 'retailr'")):
        with pytest.raises((ParameterError, DataError), match=says): review_value(place, source, cutoff=cutoff, asked=replace(ASKED, model=model))

def test_published_orders_do_not_determine_who_has_left(public):
    with open_events(public("online-retail"), "online-retail") as events: histories = purchase_histories(events, "2011-12-10")
    fit = fit_value(histories)
    assert fit.verdict.status == "review" and fit.dropout_gain < .5 and fit.n == 4_338
    with pytest.raises(NotLearnable, match="explains these purchases as well: leaving improves the log-likelihood by 0.2"): alive_chances(fit, histories)

@pytest.mark.slow
def test_the_review_of_published_orders_says_so_and_matches_the_reference(public):
    "Online Retail: BG/NBD degenerates there, and the report says so in words and gives no chance that anybody is still there."
    workspace = public("online-retail")
    review = review_value(workspace, "online-retail", asked=replace(ASKED, segment_by="country"))
    assert (review.histories.cutoff, len(review.histories), review.clock) == ("2011-12-10", 4_338, "replay")
    assert set(DROPOUT_CODES) & {reason.code for reason in review.fit.verdict.reasons} and "p_alive" not in review.values
    assert left_sentence(review).startswith("Not known. A model in which nobody ever leaves explains these purchases as well")
    assert review.rfm.loc["recency"].round(3).tolist() == [92.059, 17, 50, 141.75, 373] and "Of 4,338 customers 1,493 ordered once, 55 more than once on one day only, and 2,790 on several days" in str(rfm_block(review))
    assert review.orders_of_nobody == (1_427, 19_959) and left_out_sentences(review)[1].endswith("Somebody who had bought before then looks like a new customer.")   # each first seen by an order
    assert review.check.came_purchases > review.check.purchases.comes_high and review.word == "fail" and "No sum can be given" in value_sentence(review)   # the quarter before Christmas
    assert list(review.segments.fits) == ["United Kingdom", "others"] and "United Kingdom" in str(segments_value_block(review))
    assert all(each.dropout_gain < 3 for each in review.others.values())

def test_a_conclusion_follows_its_figures(review):
    check = review.check
    right = replace(check, came_revenue=(check.revenue.comes_low + check.revenue.comes_high)/2, came_purchases=round((check.purchases.comes_low + check.purchases.comes_high)/2))
    wrong = replace(check, came_revenue=3*check.revenue.expected, came_purchases=round(3*check.purchases.expected))
    said = [value_sentence(replace(review, check=each)) for each in (right, wrong, None)]
    assert "was right about the 90 days before" in said[0] and "No sum can be given" in said[1] and "revenue 67 % too low and purchases 67 % too low" in said[1] and "Whether the model holds is not known" in said[2]
    assert "outside" in tried_sentence(replace(review, check=wrong)) and "within" in tried_sentence(replace(review, check=right)) and "Not tried out" in tried_sentence(replace(review, check=None))
    for share, says in ((.5, "better than"), (.1, "worse than"), (.25, "no better than")):
        ranked = replace(right, ranked_first=dict(model=share, revenue_so_far=.25, best_possible=.6))
        assert says in first_tenth_sentence(replace(review, check=ranked))
    assert [replace(review, check=each).word for each in (wrong, None)] == ["fail", "unknown"]
    richer = replace(review, check=right, worth=replace(review.worth, expected=123_456.))
    assert "123,456 EUR" in str(value_answer(richer)) and money_of_value(5, review) == "5 EUR"

def off_by(check, factor):
    "A check in which the model expected so many times what came, with ranges around what came."
    came = check.came_revenue
    return replace(check, revenue=replace(check.revenue, expected=factor*came, comes_low=.99*came*factor, comes_high=1.01*came*factor))

def test_a_range_says_what_is_not_in_it_and_is_not_given_where_the_model_failed(review):
    slightly, badly = replace(review, check=off_by(review.check, 1.1)), replace(review, check=off_by(review.check, 1.6))
    assert "What both models miss is in no range: last time bg_nbd set revenue 10 % too high" in range_sentence(slightly) and "nothing says how large" in range_sentence(replace(review, check=None))
    assert range_sentence(badly).startswith("None is given") and f"{review.worth.expected:,.0f} EUR" not in str(value_answer(badly))
    assert "known to" not in str(value_answer(slightly))

def test_advice_follows_the_order_of_customers_and_the_other_model(review):
    ranked = [replace(review, check=replace(review.check, ranked_first=dict(model=share, revenue_so_far=.25, best_possible=.6))) for share in (.3, .255)]
    assert [order_sentence(each).split(": ")[0] for each in ranked] == ["To choose customers, rank them by the model", "To choose customers, rank them by revenue so far; the model ranks no better beyond chance."]
    unsure = replace(ranked[0], check=replace(ranked[0].check, ranked_first=ranked[0].check.ranked_first | dict(gain_error=.04)))   # 5 points, give or take 8
    assert "by revenue so far" in order_sentence(unsure) and "no better than" in first_tenth_sentence(unsure) and review.check.ranked_first["gain_error"] > 0
    missed = replace(off_by(review.check, 1.5), others={})
    near, far = (replace(missed, others=dict(pareto_nbd=dict(purchases=1., revenue=factor*missed.came_revenue))) for factor in (1.008, 1.1))
    steps = {name: " ".join(value_steps(replace(review, check=each))) for name, each in dict(alone=missed, near=near, far=far).items()}
    assert "pareto_nbd was 1 % off instead: try `-p model=pareto_nbd` first. Then look for" in steps["near"] and "try `-p" not in steps["far"] + steps["alone"]   # 10 % off is nearer than 50 %, and beyond chance all the same
    assert all("Do not multiply" in each and "Scale" not in each for each in steps.values())

def test_how_many_have_left_depends_on_the_model_and_a_clearly_better_one_is_named(review):
    fit, other = review.fit, review.others["pareto_nbd"]
    shown = lambda fit, gain: replace(fit, purchases=replace(fit.purchases, log_likelihood=fit.steady.log_likelihood + gain, is_at_top=True, log_covariance=tuple(tuple(.01*(i == j) for j in range(4)) for i in range(4))))
    def told(own, others):
        each = replace(review, fit=shown(fit, own), others=dict(pareto_nbd=shown(other, others)))
        return replace(each, values=each.values.assign(p_alive=alive_chances(each.fit, each.histories)))
    worse, better, unseen = told(10., 30.), told(30., 10.), told(30., 0.)
    assert "(pareto_nbd, which fits better)" in left_sentence(worse) and "it depends on the model" in left_sentence(worse) and "(bg_nbd, which fits better)" in left_sentence(better)
    assert "pareto_nbd" not in left_sentence(unseen) and "scores" not in left_sentence(worse)
    assert "In bg_nbd none of the" in left_sentence(worse) and "bought on one day only can have left" in left_sentence(worse)
    assert "log-likelihood is 20.0 higher" in str(determined_block(worse)) and worse.verdicts["fit"].status == "review" and "clearly better" not in str(determined_block(better))
    assert "Log-likelihood" in str(fits_block(worse)) and f"{worse.fit.purchases.log_likelihood:,.1f}".replace("-", "−") in str(fits_block(worse))

def test_a_model_that_explains_the_past_better_is_advised_only_where_it_came_nearer(review):
    better = replace(review, fit=replace(review.fit, purchases=replace(review.fit.purchases, log_likelihood=review.others["pareto_nbd"].purchases.log_likelihood - 50)))
    missed = off_by(review.check, 1.11)
    said = {factor: " ".join(value_steps(replace(better, check=replace(missed, others=dict(pareto_nbd=dict(purchases=1., revenue=factor*missed.came_revenue)))))) for factor in (1.09, 1.001)}
    assert "Keep bg_nbd" in said[1.09] and "9 % (pareto_nbd) against 11 % (bg_nbd)" in said[1.09] and "Keep" not in said[1.001] and "Hold both against what came" in said[1.001]

def test_the_range_takes_in_the_other_model(review):
    for other in (.5, 2.):
        moved = replace(review, worth_by_others=dict(pareto_nbd=other*review.worth.expected))
        low, high = wide_range(moved)
        assert (low, high) == pytest.approx((min(1, other)*review.worth.comes_low, max(1, other)*review.worth.comes_high))
        assert f"{low:,.0f} to {high:,.0f} EUR" in range_sentence(moved) and f"{review.worth.comes_low:,.0f} to {review.worth.comes_high:,.0f} EUR" in range_sentence(moved)
    assert review.worth_by_others["pareto_nbd"] > 0 and "both models" not in range_sentence(replace(review, worth_by_others={}))

def test_what_to_do_stands_first_and_follows_the_miss(review):
    high, low = (replace(review, check=off_by(review.check, factor)) for factor in (1.1, .9))
    assert "at most" in value_steps(high)[0] and "more may come" in value_steps(low)[0] and "before the model has been tried out" in value_steps(replace(review, check=None))[0]
    assert value_steps(replace(review, check=off_by(review.check, 1.6), past=dict(last_365_days=777.)))[0].endswith("begin at the 777 EUR that the last 365 days brought.")
    said = str(value_answer(high))
    assert said.index("What to do: ") < said.index("Who acts: finance@example.com") < said.index("Range: ") < said.index("How sure: ")

def test_every_parameter_stands_with_its_error_or_says_that_it_has_none(review):
    open_fit = replace(review.fit, purchases=replace(review.fit.purchases, log_covariance=None, partial_log_errors=dict(r=.1, alpha=.1)))
    said = str(fits_block(replace(review, fit=open_fit, others={})))
    assert said.count("(not determined)") == 2 + sum(name not in review.fit.spend.determined_errors for name in review.fit.spend.parameters) and f"r {review.fit.purchases.parameters['r']:.3g} ± " in said and "Amounts, by Gamma-Gamma: p " in said

def test_who_has_left_is_told_apart_from_lost_and_churn(review):
    said = str(value_answer(review))
    assert "Who has left for good: " in said and "not the segment lost, which counts days without an order" in said and "not churn" in said

def test_what_came_already_stands_beside_what_is_expected(review):
    past = dict(last_365_days=111_111., check_days=22_222., same_days_before=33_333.)
    said = " ".join(past_sentences(replace(review, past=past)))
    assert "111,111 EUR" in said and "22,222 EUR, new customers included; the same days a year before 33,333 EUR" in said and review.past["check_days"] > 0
    assert "do not reach back to the same 90 days" in " ".join(past_sentences(replace(review, past=dict(last_365_days=1., check_days=1.)))) and past_sentences(replace(review, past={})) == ["The data do not reach back 365 days."]
    assert left_out_sentences(replace(review, orders_of_nobody=(77, 1_234)))[0].startswith("77 of 1,234 orders with a sale carry no customer")
    assert review.orders_of_nobody[1] >= review.histories.frame.orders.sum() and "and a first order is the first since then" in str(value_answer(review))
    early = left_out_sentences(replace(review, seen_before=123))[1]
    assert "123 of " in early and "the first order here may not be their first" in early and "looks like a new customer" in left_out_sentences(replace(review, seen_before=0))[1]

def test_every_part_can_be_shown(review):
    nothing = replace(review, check=None, unchecked="Nobody had bought then.")
    for part in (tried_block, tried_groups_block): assert "Nobody had bought then." in str(part(nothing)) and "Nobody" not in str(part(review))
    assert "pareto_nbd" in str(fits_block(review)) and "came back" in str(determined_block(review)) and "not split into groups" in str(segments_value_block(review))
    assert dict(value_heading(review).facts)["As of"] == "2026-06-30" and review.histories.cutoff == "2026-07-01" and "known at the end of 2026-06-30" in value_sentence(review)
    shares = next(iter(tenths_chart(review).to_dict()["datasets"].values()))
    assert len(shares) == 10 and sum(each["share"] for each in shares) == pytest.approx(1) and shares[0]["share"] == pytest.approx(review.top_tenth, abs=.01)

def test_the_question_reaches_the_answer(place, review):
    longer = review_value(place, "retailer", asked=replace(ASKED, draws=1, horizon=Horizon(730, 0.), model="pareto_nbd"))
    assert longer.worth.expected > review.worth.expected and longer.fit.model == "pareto_nbd" and "bg_nbd" in longer.others
    with pytest.raises(ParameterError, match="check_days is 0"): ValueQuestion(check_days=0)
    with pytest.raises((ParameterError, DataError)): review_value(place, "retailer", asked=replace(ASKED, segment_by="shoe_size"))

def test_a_check_that_begins_before_the_first_purchase_is_named(place):
    early = review_value(place, "retailer", asked=replace(ASKED, check_days=5_000))
    assert early.check is None and early.word == "unknown" and early.unchecked in value_sentence(early)

def test_rare_values_of_a_trait_stand_together(public):
    workspace = public("online-retail")
    with open_events(workspace, "online-retail") as events:
        ids = events.read("customers").select("customer_id").order_by("customer_id").limit(400).to_pandas().customer_id
        shop = PurchaseHistories(pd.DataFrame(dict(customer_id=ids, frequency=1, recency_days=10, age_days=300, mean_value=5.)), "GBP", "2011-12-10")
        found = segments_by_trait(events, shop, "country")
    assert set(found.dropna()) <= {"United Kingdom", "Germany", "France", "others"} and "others" in set(found)

@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_fits_its_screen(chromium, page, width, scheme):
    watched = chromium(page, width, scheme)
    assert watched.page.evaluate("document.documentElement.scrollWidth") <= width
    assert (watched.said, watched.asked, watched.dialogs) == ([], [], [])
