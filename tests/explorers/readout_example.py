"""Two mails against no mail, for the tests of the explorer of a readout."""
import numpy as np
import pandas as pd
from marketing_mlops.measurement.experiments import read_experiment
from marketing_mlops.measurement.readouts import read_out
from marketing_mlops.workspace.clock import ReplayClock, instant_of

HOSTILE = "<img src=x onerror=alert(1)>"
LOOK = ["gender", "device"] # columns the promise does not name
IN_MAY = ReplayClock(instant_of("2026-05-20"))

def promise(mail="short_mail", **changes):
    return read_experiment(dict(
        name="two_mails", hypothesis="A mail raises spend within 14 days", objective="Spring season", owner="marketing@example.com",
        control="no_mail", arms={"no_mail": .4, "long_mail": .3, mail: .3}, goal="spend_per_customer", guardrails=["unsubscribe_rate"], guardrail_margins={"unsubscribe_rate": .01},
        diagnostics=["conversion_rate"], worthwhile_effect=.50, currency="EUR", outcome_window_days=14, planned_customers=12_000, stopping_rule="fixed_horizon", segments=["market"]) | changes)

def customers(mail="short_mail", n=12_000) -> pd.DataFrame:
    rng = np.random.default_rng(2026)
    arm = rng.permutation(np.repeat(["no_mail", "long_mail", mail], [n*4//10, n*3//10, n*3//10]))
    buys = rng.random(n) < np.where(arm == "long_mail", .13, .08)
    return pd.DataFrame(dict(unit_id=[f"c{i:05}" for i in range(n)], arm=arm, assigned_at=pd.Timestamp("2026-03-03T08:00Z") + pd.to_timedelta(np.arange(n)*8//n, unit="D"),
        market=rng.choice(["DE", "FR"], n, p=[.6, .4]), gender=rng.choice(["f", "m"], n), device=rng.choice(["desk", "phone", "tablet"], n), opened=rng.random(n) < .1 + .4*(arm == "long_mail"),
        conversion_rate=buys.astype(int), spend_per_customer=(buys*rng.lognormal(3.4, .8, n)).round(2), unsubscribe_rate=(rng.random(n) < .002*(arm != "no_mail")).astype(int)))

def read(units, clock=IN_MAY, mail="short_mail", **changes): return read_out(promise(mail, **changes), units, clock=clock)
