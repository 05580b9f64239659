"""How fast the builder of segments is: customers of a campaign, a bound moved in JupyterLab, the next picture. Part of explorer_latency.py."""
import json, time
from dataclasses import replace
import numpy as np
import pandas as pd
from lab_session import browser, lab, open_notebook, write_notebook
from marketing_mlops.explorers.segment_counters import SegmentCounter
from marketing_mlops.explorers.segment_drafts import draft_ground, judge_segment_draft
from marketing_mlops.explorers.segment_people import people_of_frame
from marketing_mlops.explorers.segment_views import look_at, view_message, view_sentence
from marketing_mlops.features.conditions import Condition
from marketing_mlops.features.segment_rules import SegmentRules
from marketing_mlops.features.segment_sets import SegmentSet
from marketing_mlops.features.segments import Segment, in_segment

CUSTOMERS, STEADY = 1_200_000, Condition("orders_365d", ">=", 2)
STAGES = SegmentSet("stage", "Who still buys", [Segment("awake", "Bought within 90 days.", [[Condition("recency_days", "<=", 90)]]), Segment("asleep", "Has not bought for 90 days.", [[Condition("recency_days", ">", 90)]])], True, False,
                    rules=SegmentRules(protected=("trait.age_band",), proxies=("trait.region", "trait.score"), reachable={"email": .3, "sms": .1}))

def campaign(n, seed):
    "Customers with eight features, three consents, an arm and what they spent."
    rng = np.random.default_rng(seed)
    loyal, mailed = rng.gamma(1, 1.5, n), rng.random(n) < .5
    orders, recency = rng.poisson(2*loyal).astype(float), np.where(rng.random(n) < .08, np.nan, rng.exponential(220/(1 + loyal)).round())
    spend = rng.binomial(1, .05 + .06*(mailed & (orders >= 3) & (recency > 60)))*rng.gamma(4, 12, n)
    return pd.DataFrame({"customer_id": np.char.mod("c%07d", np.arange(n)), "recency_days": recency, "orders_365d": orders, "net_revenue_365d": np.where(orders > 0, rng.lognormal(4, 1, n).round(2), 0),
                         "tenure_days": rng.uniform(30, 1_900, n).round(), "trait.score": rng.normal(size=n), "trait.age_band": rng.choice(["18-29", "30-44", "45-59", None], n, p=[.3, .4, .2, .1]),
                         "trait.channel": rng.choice(["email", "search", "social", "direct", "affiliate"], n), "trait.region": rng.choice([f"region {i:02}" for i in range(30)], n),
                         **{f"agreed.{purpose}": rng.random(n) < share for purpose, share in (("email", .6), ("sms", .2), ("push", .1))}, "arm": np.where(mailed, "mail", "nobody"), "spend": spend.round(2)})

def earlier(frame, seed=8):
    "Nine tenths of the customers, a quarter of a year before, in another order."
    before = frame.sample(frac=.9, random_state=seed).reset_index(drop=True)
    return before.assign(recency_days=(before.recency_days + np.random.default_rng(seed).integers(-90, 40, len(before))).clip(lower=0))

def people_of_campaign(df):
    people = people_of_frame(df.drop(columns=["arm", "spend"]), sets=[STAGES], name="Spring mail").with_outcome(df.spend, "spend", "EUR", arm=df.arm, control="nobody")
    return replace(people, before=earlier(people.frame))

def judged(people):
    "Milliseconds of the questions of the set, asked after a bound was moved, and of their preparation."
    start = time.perf_counter()
    ground = draft_ground(people)
    prepared = 1000*(time.perf_counter() - start)
    def one(days):
        draft = Segment("drafted", "Drafted.", [[STEADY, Condition("recency_days", ">=", days)]])
        inside = in_segment(draft, people.frame).to_numpy()
        return milliseconds(lambda each: judge_segment_draft(people, inside, each, "stage", ground), [draft])[0]
    return round(prepared), [one(days) for days in range(20, 320, 15)]

def moved(counter, name="recency_days"): return [[STEADY, Condition(name, ">=", cut)] for cut in counter.dimensions[name].cuts]

def milliseconds(work, over):
    times = []
    for each in over:
        start = time.perf_counter()
        work(each)
        times.append(1000*(time.perf_counter() - start))
    return times

def segment_kernel(people, spread):
    "What the kernel does: counting into bins once, the first move of a slider, every further one, and counting customers instead."
    start = time.perf_counter()
    counter = SegmentCounter(people)
    built = time.perf_counter() - start
    def first_move(name):
        counter.follow(people)
        counter.tally([STEADY])
        return milliseconds(lambda asked: view_message(look_at(counter, asked)), moved(counter, name)[:1])[0]
    first = [first_move(name) for name in ("recency_days", "tenure_days", "trait.score", "net_revenue_365d")*2]
    look_at(counter, [STEADY]); look_at(counter, moved(counter)[0])
    moves = milliseconds(lambda asked: view_message(look_at(counter, asked)), moved(counter)*3)
    one_by_one = milliseconds(lambda asked: counter.count(counter.inside(asked)), [[STEADY, Condition("recency_days", ">=", cut + .5)] for cut in counter.dimensions["recency_days"].cuts])
    is_equal = all(bool((counter.tally(asked).numbers == counter.count(counter.inside(asked)).numbers).all()) for asked in moved(counter))
    prepared, rules = judged(people)
    return counter, dict(build_seconds=round(built, 1), rules_prepared_ms=prepared, rules_ms=spread(rules), first_move_ms=spread(first), move_ms=spread(moves), counted_one_by_one_ms=spread(one_by_one), every_place_equal=is_equal)

CELL = """import sys; sys.path[:0] = {paths!r}
from pathlib import Path
import pandas as pd
from segment_moves import people_of_campaign
from marketing_mlops.explorers.segment_builder import SegmentBuilder
builder = SegmentBuilder(people_of_campaign(pd.read_parquet("customers.parquet")))
builder"""

def slider(page, name): return page.locator(f".mms input[type=range][aria-label^='{name}, at least']")

SENTENCE = ".mms-sentence" # Set in one go with all bars; the size in it changes with every move

def key_moves(page, name, n=60, rest=90):
    slider(page, name).focus()
    for i in range(n):
        page.keyboard.press("ArrowRight" if i//8 % 2 == 0 else "ArrowLeft")
        page.wait_for_timeout(rest)

def new_sliders(page, n=12):
    "One move each of sliders in turn: the kernel has seen none of these conditions."
    for i in range(n):
        slider(page, ("tenure_days", "trait.score")[i % 2]).focus()
        page.keyboard.press("ArrowRight")
        page.wait_for_function("n => probe.times.length > n", arg=i, timeout=20_000)
        page.wait_for_timeout(250)

def fired(page, n=200):
    "Two hundred arrow keys as fast as they come: the bound that stands at the end, and the sentence."
    slider(page, "recency_days").focus()
    page.evaluate("s => { probe.watch(s, 'keydown'); window.lastMove = 0; window.addEventListener('keydown', () => { lastMove = performance.now() }, true) }", SENTENCE)
    for i in range(n): page.keyboard.press("ArrowLeft" if i % 3 else "ArrowRight")
    for key in ("Home", *["ArrowRight"]*5): page.keyboard.press(key)
    page.wait_for_timeout(1_500)
    frames, late, at = page.evaluate("[probe.frames, probe.last - lastMove, Number(document.activeElement.value)]")
    return dict(moves=n + 6, frames_shown=frames, last_frame_after_end_ms=round(max(0, late), 1), at=at, says=page.inner_text(".mms-sentence"))

def under_the_hand(page, probe, moves):
    "Moves of one bound, first moves of others, and a burst, on the builder that is on screen."
    page.evaluate(probe)
    typed = page.locator(".mms input[type=number][aria-label^='orders_365d, at least']")
    typed.fill("2"); page.wait_for_timeout(5_000)                  # until the rules have been asked
    result = dict(move_by_key_ms=moves(page, lambda: key_moves(page, "recency_days")), first_move_ms=moves(page, lambda: new_sliders(page)))
    page.click(".mms-header .mmx-button"); typed.fill("2"); page.wait_for_timeout(3_000)
    return result | dict(slider_moves=fired(page), longest_main_thread_task_ms=round(page.evaluate("probe.long")))

def in_lab(folder, home, paths, memory, probe, spread):
    def moves(page, work):
        page.evaluate("s => probe.watch(s, 'keydown')", SENTENCE)
        work()
        page.wait_for_timeout(500)
        return spread(page.evaluate("probe.times"))
    write_notebook(folder/"segment.ipynb", CELL.format(paths=paths), memory)
    with lab(folder, home) as server, browser(server.address, height=1100) as watched:
        page = watched.page
        open_notebook(server, page, "segment.ipynb")
        page.wait_for_timeout(1_500)
        page.click(".jp-NotebookPanel .jp-CodeCell .cm-content >> nth=0")
        page.keyboard.press("Shift+Enter")
        page.wait_for_selector(".mms-sentence")
        page.evaluate("document.querySelector('.mms').scrollIntoView()")
        result = under_the_hand(page, probe, moves)
        page.locator(".jp-CodeCell .cm-content").nth(1).click()
        page.keyboard.press("Shift+Enter")
        page.wait_for_timeout(1_500)
        return result | dict(outgoing_requests=len(watched.outgoing), console_errors=len(watched.errors))

def segment_moves(folder, home, customers, *, seed, paths, memory, probe, spread):
    "The whole measurement; `last_state_shown`: whether the sentence after the burst is what the library says of that bound."
    folder.mkdir()
    df = campaign(customers, seed)
    df.to_parquet(folder/"customers.parquet")
    screen = in_lab(folder, home, paths, memory, probe, spread)
    counter, kernel = segment_kernel(people_of_campaign(df), spread)
    seen = screen["slider_moves"]
    at, says = seen.pop("at"), seen.pop("says")
    asked = [STEADY, Condition("recency_days", ">=", counter.dimensions["recency_days"].cuts[int(at) - 1])]
    seen["last_state_shown"] = bool(says == view_sentence(look_at(counter, asked)))
    kept = json.loads((folder/"memory.json").read_text())
    return dict(customers=customers, kernel=kernel, screen=screen, kernel_memory_megabytes=dict(own=kept["RssAnon"], mapped=kept["RssFile"], peak=kept["VmHWM"]))
