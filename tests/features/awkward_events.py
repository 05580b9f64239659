"""A million events that are awkward in every way, as accepted tables: late, repeated, missing and simultaneous rows, instants at
cutoffs and where clocks change, negative and fractional amounts, ids with emoji and HTML. DuckDB draws them from hashes."""
import duckdb
import pandas as pd
from marketing_mlops.contracts.schemas import TABLES
from marketing_mlops.features.aggregations import AGGREGATIONS
from marketing_mlops.features.catalogue import FEATURES
from marketing_mlops.features.declarations import OTHER_WAYS, Feature, Tally

N_PEOPLE, N_ORDERS = 20_000, 150_000
ROWS = dict(customers=N_PEOPLE, orders=N_ORDERS, order_lines=300_000, touchpoints=330_000, contacts=210_000, media=20_000, traits=20_000, products=300, exchange_rates=800)
# Cutoffs of the tests: nights of daylight saving in Europe and in America, month ends, and a midnight in Berlin.
CUTOFFS = ("2025-10-26 01:00", "2025-11-02 06:00", "2026-03-01 00:00", "2026-03-29 01:00", "2026-03-30 22:00")
MACROS = f"""
create macro u(i, salt) as (hash(i::varchar || salt) % 1000003)/1000003.0;
create macro pick(i, salt, names) as names[1 + (hash(i::varchar || salt) % len(names))::bigint];
create macro person(i) as case when i % 97 = 0 then '<b>"🛒"&amp;' || chr(39) when i % 49 = 0 then 'ünï 🧣 ' else 'c' end || i;
create macro who(i) as person((pow(u(i, 'who'), 2)*{N_PEOPLE - 1})::bigint);
create macro moment(i) as case when u(i, 'edge') < .05 then pick(i, 'which', {list(CUTOFFS)}::timestamp[]) + to_microseconds((hash(i::varchar || 'step') % 3)::bigint - 1)
    when u(i, 'tied') < .1 then timestamp '2024-09-01' + to_days((u(i, 'when')*620)::int) else timestamp '2024-09-01' + to_microseconds((u(i, 'when')*620*86400e6)::bigint) end;
create macro delay(i) as case when u(i, 'late') < .7 then to_seconds(0) when u(i, 'late') < .97 then to_seconds((u(i, 'by')*86400)::bigint) else to_days((u(i, 'by')*200)::int) end;
"""
TEXTS = ["email", "search", "📧", "<i>app</i>", "Ünïcode", "b&b", "store"]
OF_TYPE = dict(string="pick({i}, {salt}, {texts})", int="(hash({i}::varchar || {salt}) % 7)::bigint - 1", bool="u({i}, {salt}) < .3",
               float="case when u({i}, {salt} || 'z') < .1 then -0.0::double else (u({i}, {salt}) - .1)*exp(10*u({i}, {salt} || 'e')) end",
               money="((u({i}, {salt}) - .1)*exp(8*u({i}, {salt} || 'e')))::decimal(18, 4)", date="date '2024-08-01' + (u({i}, {salt})*700)::int",
               instant="timezone('UTC', moment({i} || {salt}))")
COLUMNS = {"customers.customer_id": "person(i)", "customers.household_id": "case when u(i, 'home') < .7 then 'h' || (i//2) end", "customers.account_id": "case when u(i, 'firm') < .2 then 'a' || (i//5) end",
           "orders.order_id": "'o' || i", "orders.account_id": "'a' || (hash(i::varchar || 'a') % 4000)", "order_lines.order_id": f"'o' || (i % {N_ORDERS})", "order_lines.order_line_id": "'l' || i", "touchpoints.touchpoint_id": "'t' || i", "contacts.contact_id": "'m' || i",
           "order_lines.unit_price": "abs((u(i, 'price') - .1)*exp(6*u(i, 'dear')))::decimal(18, 4)", "order_lines.currency": "pick(i, 'currency', ['EUR', 'GBP'])", "products.product_id": "'p' || i",
           "exchange_rates.from_currency": "'GBP'", "exchange_rates.to_currency": "'EUR'", "exchange_rates.day": "date '2024-08-01' + i::int", "exchange_rates.rate": "1.1 + u(i, 'rate')/7",
           "media.known_at": "timezone('UTC', instant + delay(i) + to_microseconds(i))", "traits.trait": "pick(i, 'trait', ['age_band', 'score'])", "traits.known_when": "'timestamp'", "traits.is_time_derived": "false",
           "traits.value": "case when pick(i, 'trait', ['age_band', 'score']) = 'age_band' then pick(i, 'age', ['18-24', '🧓', 'Ü']) end",
           "traits.number": "case when pick(i, 'trait', ['age_band', 'score']) = 'score' then u(i, 'number') - .5 end"}
EVERYWHERE = {"customer_id": "case when u(i, 'guest') < .9 then who(i || '{table}') end", "product_id": "'p' || (hash(i::varchar || 'p') % 300)", "market": "pick(i, 'market', ['DE', 'UK', 'US'])",
              "campaign_id": "'k' || (hash(i::varchar || 'k') % 40)", "creative_id": "'x' || (hash(i::varchar || 'x') % 200)", "occurred_at": "timezone('UTC', instant)", "known_at": "timezone('UTC', instant + delay(i))"}

def _column(table, column):
    "How a column is drawn; of those that may be missing, one value in ten is."
    own = COLUMNS.get(f"{table}.{column.name}") or EVERYWHERE.get(column.name, "").replace("{table}", table)
    if own: return f"{own} as {column.name}"
    drawn = OF_TYPE[column.type].format(i="i", salt=f"'{column.name}'", texts=list(column.allowed or TEXTS))
    return f"{f'''case when u(i, '{column.name}?') < .9 then {drawn} end''' if column.nullable else drawn} as {column.name}"

def write_awkward_events(folder):
    "The tables; one row in two hundred of an events table stands there twice."
    folder.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(config={"threads": 2}) as con:
        con.execute("set TimeZone = 'UTC'; set enable_progress_bar = false;" + MACROS)
        for table, n in ROWS.items():
            drawn = ", ".join(_column(table, each) for each in TABLES[table].columns)
            con.execute(f"create or replace temp table drawn as select {drawn} from (select i, moment(i || '{table}') as instant from range({n}) t(i))")
            if table in ("order_lines", "touchpoints", "contacts", "traits"): con.execute("insert into drawn select * from drawn where hash(drawn::varchar) % 200 = 0")
            con.execute(f"copy drawn to '{folder/table}.parquet' (format parquet)")
    return sum(ROWS[table] for table in ("orders", "order_lines", "touchpoints", "contacts", "media", "traits"))

def _own(name, table, how, column=None, **rest): return Feature(name, "An awkward feature.", "units", table, how, column, **rest)

def awkward_features():
    "Every aggregation over windows of several lengths, of columns of several types, for every kind of entity."
    takes = {"nothing": [None], "number": ["engagement_seconds"], "any": ["channel", "engagement_seconds", "is_machine_open"], "value": ["channel", "engagement_seconds"]}
    found = [_own(f"of_touchpoints_{how}_{column or 'rows'}_{days or 'ever'}", "touchpoints", how, column, window_days=days)
             for how, each in AGGREGATIONS.items() for column in takes[each.takes] for days in (1, 90, None)]
    clicks = (("kind", ("click",)), ("is_machine_open", (False, True)))
    found += [_own("last_price", "order_lines", "last", "list_amount"), _own("least_pieces", "order_lines", "min", "quantity"), _own("prices", "order_lines", "distinct", "unit_price", window_days=365),
              _own("at_home", "order_lines", "sum", "net_amount", entity="household", window_days=180), _own("at_work", "orders", "count", entity="account"),
              _own("click_rate_smooth", "touchpoints", "count", where=clicks, window_days=90, per=Tally("contacts", "count", where=(("kind", ("send",)),)), smoothing=(.02, 50)),
              _own("creative_clicks", "media", "sum", "clicks", entity="creative", window_days=90, per=Tally("media", "sum", "impressions")), _own("campaign_clicks", "media", "count", entity="campaign")]
    return {each.name: each for each in found}

def names_by_entity():
    "Registered and awkward features: key of their spine → names."
    found = {}
    for name, each in (FEATURES | awkward_features()).items():
        if each.table in OTHER_WAYS: continue
        found.setdefault({"creative": "creative_id", "campaign": "campaign_id"}.get(each.entity, "customer_id"), []).append(name)
    found["customer_id"] += ["trait.age_band", "trait.score"]
    return found

def awkward_spine(key, n):
    "The first entities, those with unusual ids and one that did nothing, at every cutoff, in no order."
    people = [f"c{i}" for i in range(n) if i % 97 and i % 49] + [f"<b>\"🛒\"&amp;'{i}" for i in range(0, 20*n, 97)] + [f"ünï 🧣 {i}" for i in range(49, 20*n, 49) if i % 97]
    names = dict(customer_id=[*people, "nobody"], creative_id=[f"x{i}" for i in range(60)], campaign_id=[f"k{i}" for i in range(20)])[key]
    rows = pd.MultiIndex.from_product([names, pd.to_datetime(CUTOFFS, utc=True).astype("datetime64[us, UTC]")], names=[key, "cutoff"]).to_frame(index=False)
    return rows.sample(frac=1, random_state=7, ignore_index=True)
