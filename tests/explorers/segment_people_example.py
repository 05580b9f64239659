"Customers with a known truth and hostile names, for the tests of the builder of segments."
import numpy as np
import pandas as pd
from marketing_mlops.explorers.segment_people import people_of_frame
from marketing_mlops.features.conditions import Condition
from marketing_mlops.features.segment_rules import SegmentRules
from marketing_mlops.features.segment_sets import SegmentSet
from marketing_mlops.features.segments import Segment

HOSTILE = "trait.<img src=x onerror=alert(1)> 🌷"
STAGES = SegmentSet("stage", "Who still buys", [Segment("awake", "Bought within 90 days.", [[Condition("recency_days", "<=", 90)]]), Segment("asleep", "Has not.", [[Condition("recency_days", ">", 90)]])],
                    True, False, rules=SegmentRules(protected=("trait.age_band",), reachable={"email": .3}))

def customers(n=6_000, seed=8):
    "A mail moves those who used to order often and are silent; the channel knows nothing."
    rng = np.random.default_rng(seed)
    loyal = rng.gamma(1, 1.5, n)
    orders, recency = rng.poisson(loyal*2).astype(float), np.where(rng.random(n) < .08, np.nan, rng.exponential(220/(1 + loyal), n).round())
    arm = np.where(rng.random(n) < .5, "mail", "nobody")
    spend = rng.binomial(1, .15 + .3*((arm == "mail") & (orders >= 3) & (recency > 60)))*rng.gamma(4, 12, n)
    return pd.DataFrame({"customer_id": [f"secret-{i:05}" for i in range(n)], "recency_days": recency, "orders_365d": orders, "net_revenue_365d": np.where(orders > 0, rng.lognormal(4, 1, n), 0),
                         "trait.age_band": rng.choice(["18-29", "30-44", "45-59", None], n, p=[.3, .4, .2, .1]), "trait.channel": rng.choice(["email", "<b>fair</b> 🌷", "search"], n),
                         HOSTILE: rng.normal(size=n), "agreed.email": rng.random(n) < .6, "agreed.sms": rng.random(n) < .2, "arm": arm, "spend": spend.round(2)})

FEATURES = ["recency_days", "orders_365d", "net_revenue_365d", "trait.age_band", "trait.channel", HOSTILE]

def people_of(df=None, sets=(STAGES,), name="Spring <b>mail</b>"):
    df = customers() if df is None else df
    return people_of_frame(df, [each for each in FEATURES if each in df], sets=sets, name=name).with_outcome(df.spend, "spend", "EUR", arm=df.arm, control="nobody")
