"""How fast the explorers of uplift, plans and readouts are: a slider moved in JupyterLab, the next picture. Part of explorer_latency.py."""
import time
from pathlib import Path
import numpy as np
import pandas as pd
from lab_session import browser, lab, open_notebook, write_notebook
from planned_shop import make_shop, rows_of_shop
from readout_example import IN_MAY, LOOK, customers, read
from segment_moves import milliseconds
from marketing_mlops.explorers.experiment_planner import planner_of
from marketing_mlops.explorers.readout_explorer import ReadoutExplorer
from marketing_mlops.explorers.readout_views import view_of
from marketing_mlops.explorers.uplift_explorer import UpliftExplorer
from marketing_mlops.workspace.places import find_workspace

CUSTOMERS, PLANNED = 100_000, 40_000 # Customers of the campaign and the experiment; of the shop a test is planned in
SHARES = {"none": 1/3, "short_mail": 1/3, "long_mail": 1/3}

def held_out(n, seed):
    "Customers of a campaign with two mails, what they spent, and what a model expected of each mail."
    rng = np.random.default_rng(seed)
    interest, arm = rng.random(n), rng.choice(list(SHARES), n)
    spend = rng.binomial(1, .15, n)*rng.gamma(2, 8 + 5*(arm == "short_mail")*(interest > .4) + 3*(arm == "long_mail")*(interest < .4))
    return pd.DataFrame({"arm": arm, "spend": spend.round(2), "unsubscribed": rng.binomial(1, .01*(arm != "none")), "split": "held_out", "gain_short_mail": interest, "gain_long_mail": 1 - interest})

def uplift_explorer(folder):
    return UpliftExplorer(pd.read_parquet(Path(folder)/"held_out.parquet"), dict(margin=.5, contact_cost=.1, unsubscribe_cost=3., currency="EUR"), shares=SHARES, control="none", best_single_arm="short_mail", title="Spring mails")

def planner(folder):
    made = planner_of(find_workspace(Path(folder)/"shop"))
    made.select(worthwhile=.5, hoped=2.5)
    return made

def readout_explorer(folder):
    units = pd.read_parquet(Path(folder)/"units.parquet")
    made = ReadoutExplorer(read(units), units, look_into=LOOK, clock=IN_MAY)
    made.select("days")
    return made

def move_uplift(explorer, i):
    explorer._texts(explorer._settings() | dict(depth=i % len(explorer.curve.shares)))

def move_plan(explorer, i): explorer._take(dict(worthwhile=.3 + .01*i))

def move_readout(explorer, i):
    days = explorer.figures["days"]["days"]
    explorer.select(day=days[i % len(days)])
    view_of(explorer.figures, explorer.chosen)

# What is opened, what the kernel does for a move, the slider, and what shows that the picture is new
SLIDERS = dict(uplift=(uplift_explorer, move_uplift, ".mmx-control:has(label:text-is('Depth')) input[type=range]", ".mmu-mark"),
               plan=(planner, move_plan, ".mmp .mmx-control input[type=range] >> nth=0", ".mmp-sentences"),
               readout=(readout_explorer, move_readout, ".mmr input[type=range]", ".mmr-plot"))

def write_tables(folder, customers_of_campaign, customers_of_shop, seed):
    held_out(customers_of_campaign, seed).to_parquet(folder/"held_out.parquet")
    customers(n=customers_of_campaign//10*10).to_parquet(folder/"units.parquet")
    make_shop(folder/"shop", rows_of_shop(customers_of_shop))

def in_the_kernel(folder, name, spread):
    "Seconds until the explorer is made, and milliseconds of Python for a move."
    opened, move, *_ = SLIDERS[name]
    start = time.perf_counter()
    explorer = opened(folder)
    built = time.perf_counter() - start
    return dict(build_seconds=round(built, 1), move_ms=spread(milliseconds(lambda i: move(explorer, i), range(1, 41))))

def key_moves(page, slider, drawn, n=60, rest=90):
    "Milliseconds from an arrow key on the slider to the frame with the new picture."
    page.evaluate("s => probe.watch(s, 'keydown')", drawn)
    page.locator(slider).first.focus()
    for i in range(n):
        page.keyboard.press("ArrowLeft" if i//8 % 2 == 0 else "ArrowRight")
        page.wait_for_timeout(rest)
    page.wait_for_timeout(500)
    return page.evaluate("probe.times")

CELL = "import sys; sys.path[:0] = {paths!r}\nfrom slider_moves import {opens}\nexplorer = {opens}('.')\nexplorer"

def on_screen(folder, home, name, probe, spread):
    "Moves of a slider in a JupyterLab of its own."
    *_, slider, drawn = SLIDERS[name]
    with lab(folder, home) as server, browser(server.address, height=1400) as watched:
        page = watched.page
        open_notebook(server, page, f"{name}.ipynb")
        page.wait_for_timeout(1_500)
        page.click(".jp-NotebookPanel .jp-CodeCell .cm-content >> nth=0")
        page.keyboard.press("Shift+Enter")
        page.wait_for_selector(slider, timeout=600_000)                # the customers are ranked and read first
        page.wait_for_timeout(2_000)
        page.locator(drawn).first.scroll_into_view_if_needed()
        page.evaluate(probe)
        times = key_moves(page, slider, drawn)
        return dict(move_by_key_ms=spread(times), longest_main_thread_task_ms=round(page.evaluate("probe.long")), outgoing_requests=len(watched.outgoing), console_errors=len(watched.errors))

def moved_sliders(folder, home, customers_of_campaign, customers_of_shop, *, seed, paths, probe, spread):
    "The whole measurement: by explorer its customers, the kernel's part and the screen's part."
    folder.mkdir(parents=True)
    write_tables(folder, customers_of_campaign, customers_of_shop, seed)
    for name, (opens, *_) in SLIDERS.items(): write_notebook(folder/f"{name}.ipynb", CELL.format(paths=paths, opens=opens.__name__))
    home.mkdir(parents=True)
    counts = dict(uplift=customers_of_campaign, plan=customers_of_shop, readout=customers_of_campaign//10*10)
    return {name: dict(customers=counts[name], kernel=in_the_kernel(folder, name, spread), screen=on_screen(folder, home/name, name, probe, spread)) for name in SLIDERS}
