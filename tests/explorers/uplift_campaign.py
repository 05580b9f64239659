"""A campaign for the browser tests of the explorer of uplift, and the controls they move."""
import numpy as np
import pandas as pd

HOSTILE = "<img src=x onerror=alert(1)>"
SHARES = {"none": 1/3, "mens": 1/3, HOSTILE: 1/3}

def campaign() -> pd.DataFrame:
    rng, n = np.random.default_rng(7), 9_000
    x, arm = rng.random(n), rng.choice(list(SHARES), n)
    spend = rng.binomial(1, .15, n)*rng.gamma(2, 8 + 5*(arm == "mens")*(x > .4) + 3*(arm == HOSTILE)*(x < .4), n)
    return pd.DataFrame({"arm": arm, "spend": spend.round(2), "unsubscribed": rng.binomial(1, .01*(arm != "none")), "split": "held_out", "gain_mens": x, f"gain_{HOSTILE}": 1-x})

GIVEN = dict(shares=SHARES, control="none", best_single_arm="mens", title="Spring mails")
PRICES = dict(margin=.5, contact_cost=.1, unsubscribe_cost=3., currency="EUR")

def slider(page, name): return page.locator(f".mmx-control:has(label:text-is('{name}')) input[type=range]")

def typed(page, name): return page.locator(f".mmx-control:has(label:text-is('{name}')) input[type=number]")

def settled(page): page.wait_for_timeout(120)
