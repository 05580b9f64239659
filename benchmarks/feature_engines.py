"""Features three ways: ours, by hand, and with other tools, on ten million events; and many cutoffs over tiles and without.

    python benchmarks/feature_engines.py [--events 10000000] [--repeats 3] [--huge]     writes benchmarks/results/feature_engines.json

One customer for every fifty events, visits over two years with late arrivals, drawn from hashes. Thirteen values per row:
rows, sum, largest and different channels over 30, 90 and 365 days, and the last channel. The sparse spine asks every
customer once, each at her own moment; the dense one asks all of them on twelve Mondays. All sides are run in turns on the
same files and must give the same values. pandas and polars run in an environment of their own with the same two threads;
polars is installed into it for this run. `--huge` adds a hundred million events with 8 GB of memory. Processor seconds
stand beside the seconds, because they hardly depend on what else the machine does; the load is recorded, too.
"""
import argparse, json, os, resource, shutil, statistics, subprocess, sys, tempfile, time
from pathlib import Path
import duckdb, ibis, numpy as np, pandas as pd, pyarrow as pa, pyarrow.parquet as pq
from marketing_mlops.features.declarations import Tally
from marketing_mlops.features.event_rows import EventSource
from marketing_mlops.features.range_joins import WindowedTally
from marketing_mlops.features.tallies import tally_values
from marketing_mlops.sources.connections import open_duckdb

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT/"benchmarks"/"results"/"feature_engines.json"
SEED, EVENTS_EACH, WINDOWS, WEEKS, THREADS, MEMORY = 7, 50, (30, 90, 365), 12, 2, "8GB"
TABLE = "touchpoints"
TALLIES = dict(rows=Tally(TABLE, "count"), seconds=Tally(TABLE, "sum", "engagement_seconds"), longest=Tally(TABLE, "max", "engagement_seconds"), channels=Tally(TABLE, "distinct", "channel"))
ASKED = {f"{name}_{days}": WindowedTally(tally, days) for days in WINDOWS for name, tally in TALLIES.items()} | {"last_channel": WindowedTally(Tally(TABLE, "last", "channel"), None)}

EVENTS = """copy (
  select 't' || i as touchpoint_id, ['visit', 'click', 'open', 'impression'][1 + (hash(i::varchar || 'k{seed}') % 4)::int] as kind,
    'c' || lpad((pow(u(i, 'w{seed}'), 1.5)*{most})::bigint::varchar, 8, '0') as customer_id,
    ['email', 'search', 'social', 'display', 'direct', 'push'][1 + floor(pow(u(i, 'c{seed}'), 2)*6)::int] as channel,
    round(exp(2 + u(i, 'a{seed}') + u(i, 'b{seed}') + u(i, 'd{seed}')), 1) as engagement_seconds,
    make_timestamptz(1704067200000000 + (u(i, 't{seed}')*730*86400)::bigint*1000000 + (hash(i::varchar || 'm{seed}') % 1000000)::bigint) as occurred_at,
    occurred_at + case when u(i, 'l{seed}') < .05 then to_seconds((u(i, 'y{seed}')*20*86400)::bigint) else to_seconds(0) end as known_at
  from range({n}) t(i)) to '{path}' (format parquet, compression zstd)"""

def connection(folder, **settings): return open_duckdb(**dict(threads=THREADS, temp_directory=str(folder/"spill"), memory_limit="12GB") | settings)

def write_events(folder, n):
    path = folder/f"{TABLE}.parquet"
    con = connection(folder, memory_limit="4GB", preserve_insertion_order=False)
    con.execute("create macro u(i, salt) as (hash(i::varchar || salt) % 1000003)/1000003.0")
    con.execute(EVENTS.format(n=n, most=n//EVENTS_EACH - 1, path=path, seed=SEED))
    con.close()
    return path

def customers(n): return np.array([f"c{i:08d}" for i in range(n//EVENTS_EACH)])

def sparse_spine(n):
    rng, ids = np.random.default_rng(SEED), customers(n)
    cutoff = pd.Timestamp("2025-01-01", tz="UTC") + pd.to_timedelta(rng.integers(0, 360*86_400, len(ids)), unit="s")
    return pd.DataFrame(dict(customer_id=rng.permutation(ids), cutoff=cutoff.astype("datetime64[us, UTC]")))

def dense_spine(n):
    mondays = pd.date_range("2025-10-06", periods=WEEKS, freq="7D", tz="UTC").astype("datetime64[us, UTC]")
    ids = customers(n)
    return pd.DataFrame(dict(customer_id=np.tile(ids, WEEKS), cutoff=mondays.repeat(len(ids))))

HAND = """with spine as (select *, {starts} from read_parquet('{spine}'))
select s.row_, {values}, arg_max(e.channel, e.occurred_at) as last_channel
from spine s join read_parquet('{events}') e using (customer_id)
where e.occurred_at < s.cutoff and e.known_at < s.cutoff group by s.row_"""

def by_hand(days):
    recent = f"filter (where e.occurred_at >= s.start_{days})"
    return (f"count(*) {recent} as rows_{days}, sum(e.engagement_seconds) {recent} as seconds_{days}, "
            f"max(e.engagement_seconds) {recent} as longest_{days}, count(distinct e.channel) {recent} as channels_{days}")

def hand_written(folder, events, spine):
    "What an analyst would write for DuckDB: one join, one aggregation, a filter for each window."
    query = HAND.format(events=events, spine=spine, values=", ".join(map(by_hand, WINDOWS)), starts=", ".join(f"cutoff - interval {days} day as start_{days}" for days in WINDOWS))
    with connection(folder) as con: return con.sql(query).to_arrow_table().to_pandas()

def ours(folder, events, spine, over_tiles=None, **settings):
    "The same by tallies."
    rows = pd.read_parquet(spine)
    with connection(folder, **settings) as con:
        source = EventSource("shop", {TABLE: Path(events)}, ibis.duckdb.from_connection(con), "EUR")
        found = tally_values(source, rows, list(ASKED.values()), over_tiles=over_tiles)
    return pd.DataFrame({"row_": rows.row_} | {name: found[each] for name, each in ASKED.items()})

def with_pandas(folder, events, spine):
    "The same with pandas: a merge, then one grouping for each window."
    rows = pd.read_parquet(events, columns=["customer_id", "channel", "engagement_seconds", "occurred_at", "known_at"])
    met = pd.read_parquet(spine).merge(rows, on="customer_id")
    met = met[(met.occurred_at < met.cutoff) & (met.known_at < met.cutoff)]
    found = {"last_channel": met.sort_values("occurred_at").groupby("row_").channel.last()}
    for days in WINDOWS:
        each = met[met.occurred_at >= met.cutoff - pd.Timedelta(days=days)].groupby("row_")
        found |= {f"rows_{days}": each.size(), f"seconds_{days}": each.engagement_seconds.sum(), f"longest_{days}": each.engagement_seconds.max(), f"channels_{days}": each.channel.nunique()}
    return pd.DataFrame(found).reset_index()

def with_polars(folder, events, spine):
    "The same with polars, lazily."
    import polars as pl
    met = pl.scan_parquet(spine).join(pl.scan_parquet(events), on="customer_id").filter(pl.col("occurred_at") < pl.col("cutoff"), pl.col("known_at") < pl.col("cutoff"))
    values = [pl.col("channel").sort_by("occurred_at").last().alias("last_channel")]
    for days in WINDOWS:
        recent = pl.col("occurred_at") >= pl.col("cutoff") - pl.duration(days=days)
        seconds = pl.col("engagement_seconds").filter(recent)
        values += [recent.sum().alias(f"rows_{days}"), seconds.sum().alias(f"seconds_{days}"), seconds.max().alias(f"longest_{days}"), pl.col("channel").filter(recent).n_unique().alias(f"channels_{days}")]
    return met.group_by("row_").agg(values).collect().to_pandas()

def on_spark(folder, events, spine):
    "Ours on Spark, on this machine."
    from pyspark.sql import SparkSession
    os.environ.setdefault("PYSPARK_SUBMIT_ARGS", "--driver-memory 8g pyspark-shell")
    os.environ["SPARK_MASTER"] = f"local[{THREADS}]"
    from marketing_mlops.features.engines import spark_engine
    rows = pd.read_parquet(spine)
    with spark_engine(None) as engine:
        started = time.perf_counter()                          # the session is there before the clock starts, as it is on a cluster
        found = tally_values(EventSource("shop", {TABLE: Path(events)}, engine, "EUR"), rows, list(ASKED.values()))
        seconds = time.perf_counter() - started
    SparkSession.getActiveSession().stop()
    return pd.DataFrame({"row_": rows.row_} | {name: found[each] for name, each in ASKED.items()}), seconds

def over_tiles(folder, events, spine): return ours(folder, events, spine, True)
def plain(folder, events, spine): return ours(folder, events, spine, False)
def bounded(folder, events, spine): return ours(folder, events, spine, False, memory_limit=MEMORY)
SIDES = dict(hand_written=hand_written, ours=plain, over_tiles=over_tiles, pandas=with_pandas, polars=with_polars, spark=on_spark, bounded=bounded)

def processor_seconds():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime

def run_side(name, folder, spine):
    "One side in this process: values to a file, seconds, processor seconds and the peak of memory to another."
    folder = Path(folder)
    before, started = processor_seconds(), time.perf_counter()
    found = SIDES[name](folder, folder/f"{TABLE}.parquet", folder/spine)
    seconds = time.perf_counter() - started
    if isinstance(found, tuple): found, seconds = found
    used = dict(seconds=seconds, cpu_seconds=processor_seconds() - before, peak_megabytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss/1000)
    found.to_parquet(folder/"found.parquet", index=False)
    (folder/"measured.json").write_text(json.dumps(used if name != "spark" else dict(seconds=seconds)))   # Spark works in a Java machine

def measured(name, folder, spine, python=sys.executable):
    "The side in a process of its own, so that one does not profit from the other's memory."
    env = os.environ | dict(POLARS_MAX_THREADS=str(THREADS), PYTHONPATH=str(ROOT))
    subprocess.run([python, __file__, "--side", name, str(folder), spine], check=True, env=env, stderr=subprocess.DEVNULL if name == "spark" else None)
    return json.loads((folder/"measured.json").read_text()) | dict(load=round(os.getloadavg()[0], 1)), pd.read_parquet(folder/"found.parquet")

def check_equal(found, expected, name):
    "Raises where a value differs: sums within a billionth, everything else exactly."
    found, expected = (each.set_index("row_").reindex(expected.row_.sort_values()) for each in (found, expected))
    for column in ASKED:
        if column == "last_channel": is_same = (found[column].fillna("-") == expected[column].fillna("-")).all()
        else: is_same = np.allclose(found[column].astype(float).fillna(0), expected[column].astype(float).fillna(0), rtol=1e-9, atol=0)
        if not is_same: raise SystemExit(f"{name} and the hand-written query differ in {column}")

def compare(folder, spine, names, repeats, python):
    "Medians of several sides, run in turns, all equal to the first."
    runs, expected = {name: [] for name in names}, None
    for i in range(repeats):
        for name in names:
            if i and name in ("pandas", "polars", "spark"): continue   # far from any limit; once is enough
            one, found = measured(name, folder, spine, python if name == "polars" else sys.executable)
            expected = found if expected is None else expected
            check_equal(found, expected, name)
            runs[name].append(one)
            print(f"{spine:14} {name:13} " + ", ".join(f"{key} {value:.1f}" for key, value in one.items()), flush=True)
    def middle(name, key): return round(statistics.median(each[key] for each in runs[name]), 2)
    return {name: {key: middle(name, key) for key in runs[name][0]} for name in names}

def polars_python(folder):
    "An environment with polars, thrown away afterwards; None where it cannot be made."
    home = folder/"polars"
    try:
        subprocess.run([sys.executable, "-m", "venv", "--system-site-packages", home], check=True)
        subprocess.run([home/"bin"/"python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "polars"], check=True)
    except subprocess.CalledProcessError: return None
    here = subprocess.run([sys.executable, "-c", "import site; print(site.getsitepackages()[0])"], capture_output=True, text=True, check=True).stdout.strip()
    (next((home/"lib").glob("python*"))/"site-packages"/"ours.pth").write_text(here + "\n")
    return str(home/"bin"/"python")

def huge(folder):
    "A hundred million events with bounded memory."
    if shutil.disk_usage(folder).free < 30e9: raise SystemExit("30 GB of free disk are needed for a hundred million events")
    n = 100_000_000
    write_events(folder, n)
    sparse_spine(n).rename_axis("row_").reset_index().to_parquet(folder/"sparse.parquet", index=False)
    one, found = measured("bounded", folder, "sparse.parquet")
    return one | dict(events=n, rows=len(found), memory_limit=MEMORY, parquet_megabytes=round((folder/f"{TABLE}.parquet").stat().st_size/1e6))

def main(events, repeats, with_huge):
    load = round(os.getloadavg()[0], 1)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    with tempfile.TemporaryDirectory() as top:
        folder = Path(top)
        size = write_events(folder, events).stat().st_size
        for name, spine in (("sparse.parquet", sparse_spine(events)), ("dense.parquet", dense_spine(events))): spine.rename_axis("row_").reset_index().to_parquet(folder/name, index=False)
        python, java = polars_python(folder), shutil.which("java")
        peers = ["pandas", *(["polars"] if python else []), *(["spark"] if java else [])]
        sparse = compare(folder, "sparse.parquet", ["hand_written", "ours", *peers], repeats, python)
        dense = compare(folder, "dense.parquet", ["hand_written", "ours", "over_tiles"], repeats, python)
        hundred = huge(folder) if with_huge else json.loads(RESULT.read_text()).get("huge") if RESULT.is_file() else None
    versions = {each.__name__: each.__version__ for each in (duckdb, ibis, pd, pa)}
    record = dict(command=f"python benchmarks/feature_engines.py --events {events} --repeats {repeats}" + " --huge"*with_huge, commit=commit, seed=SEED, cores=os.cpu_count(), threads=THREADS, load_at_start=load,
                  events=events, customers=events//EVENTS_EACH, dense_rows=WEEKS*(events//EVENTS_EACH), values=len(ASKED), parquet_megabytes=round(size/1e6), repeats=repeats, versions=versions, sparse=sparse, dense=dense, huge=hundred,
                  ours_over_hand_written={key: round(sparse["ours"][key]/sparse["hand_written"][key], 2) for key in ("seconds", "cpu_seconds")},
                  tiles_over_plain={key: round(dense["over_tiles"][key]/dense["ours"][key], 2) for key in ("seconds", "cpu_seconds")},
                  tiles_over_hand_written={key: round(dense["over_tiles"][key]/dense["hand_written"][key], 2) for key in ("seconds", "cpu_seconds")})
    RESULT.write_text(json.dumps(record, indent=1, sort_keys=True) + "\n")
    print(RESULT.read_text())

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--huge", action="store_true", help="a hundred million events, too")
    parser.add_argument("--side", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side: run_side(*given.side)
    else: main(given.events, given.repeats, given.huge)
