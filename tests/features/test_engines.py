"""One definition on every engine and in every way: the values are the same to the last bit."""
import json, os, shutil, signal, subprocess, sys, time
from pathlib import Path
import duckdb
import pandas as pd
import pytest
from awkward_events import CUTOFFS, awkward_features, awkward_spine, names_by_entity, write_awkward_events
import on_spark
from marketing_mlops.features.catalogue import FEATURES
from marketing_mlops.sources.simulator import simulate
from marketing_mlops.workspace.params import read_params
from marketing_mlops.workspace.places import find_workspace

HERE = Path(__file__).parent
pytestmark = pytest.mark.edges
CLUSTER, MACHINE = "local-cluster[2,1,1024]", "local[2]"
FEW = 60 # Entities without an unusual id

# Beside the registered features in the quick test, and over tiles; the slow one takes everything in both ways.
SOME = [f"of_touchpoints_{each}_ever" for each in ("count_rows", "mean_engagement_seconds", "last_channel", "first_engagement_seconds", "days_since_last_rows", "distinct_channel")] + ["net_revenue_365d"]

def without_spark():
    "Why Spark cannot be tested here; None where it can."
    if not shutil.which("java"): return "there is no Java on this machine; Spark needs Java 17"
    try: import pyspark  # noqa: F401
    except ImportError: return "pyspark is not installed; make test-edges installs it where there is Java"

on_spark_only = pytest.mark.skipif(without_spark() is not None, reason=str(without_spark()))

@pytest.fixture(scope="module")
def workspace(shared, repository):
    "A workspace with the awkward events and what DuckDB makes of them, to be read only."
    def build(root):
        shutil.copy2(repository/"settings.ini", root)
        write_awkward_events(root/"data"/"validate"/"shop")
        (root/"duckdb").mkdir()
        on_spark.awkward(root, root/"duckdb", "duckdb", FEW)
    return shared("awkward", build)

@pytest.fixture(scope="module")
def demo(shared, repository):
    "The simulated retailer, small, with the training sets of its models, to be read only."
    def build(root):
        for name in ("settings.ini", "params.yaml"): shutil.copy2(repository/name, root)
        simulate(1_500, 18, 7, into=find_workspace(root).accepted("retailer"), private=root/"private")
        (root/"duckdb").mkdir()
        on_spark.training_sets(root, root/"duckdb", "duckdb")
    return shared("demo-for-spark", build)

def processes_of(session):
    "Processes of a session that have not ended."
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try: state, _, _, found = stat.read_text().rpartition(")")[2].split()[:4]
        except (OSError, ValueError): continue
        if int(found) == session and state != "Z": yield stat.parent.name

def run_on_spark(folder, jobs):
    "Runs jobs in a process of their own, in a time zone with daylight saving; whatever it started has ended with it."
    import pyspark
    home = folder/"spark"                                      # where a cluster on one machine keeps its work, away from the installation
    home.mkdir()
    for name in ("bin", "jars", "python", "data"): (home/name).symlink_to(Path(pyspark.__file__).parent/name)
    (folder/"jobs.json").write_text(json.dumps(jobs))
    quick = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"         # a minute is too short to gain from more
    env = os.environ | dict(SPARK_HOME=str(home), SPARK_LOCAL_IP="127.0.0.1", SPARK_LOCAL_DIRS=str(folder), JAVA_TOOL_OPTIONS=quick, TZ="America/New_York")
    with open(folder/"said.txt", "w") as said:
        process = subprocess.Popen([sys.executable, HERE/"on_spark.py", folder/"jobs.json"], env=env, stdout=said, stderr=subprocess.STDOUT, start_new_session=True)
        code = process.wait()
    said = (folder/"said.txt").read_text()
    assert code == 0, said[-4000:]
    for _ in range(300):                                       # a Java machine notices that its caller is gone, and closes its files
        if not (left := list(processes_of(process.pid))): return
        time.sleep(.1)
    os.killpg(process.pid, signal.SIGKILL)
    raise AssertionError(f"processes {left} were left")

def outputs(folder, *names):
    for name in names: (folder/name).mkdir()
    return [str(folder/name) for name in names]

@pytest.fixture(scope="module")
def spark(shared, workspace, demo):
    "What Spark makes of both, computed once for the whole suite."
    def build(folder):
        cluster, sets = outputs(folder, "cluster", "sets")
        jobs = [[CLUSTER, "awkward", [str(workspace), cluster, "pyspark", FEW, ["range"], [*FEATURES, *SOME]]], [CLUSTER, "awkward", [str(workspace), cluster, "pyspark", FEW, ["tiles"], SOME]],
                [MACHINE, "training_sets", [str(demo), sets, "pyspark", ["retailer_churn_90d"]]]]
        run_on_spark(folder, jobs)
    return shared("on-spark", build)

def differing(found, expected):
    "Columns of which a single bit differs."
    def bits(values): return values.to_numpy(na_value=float("nan")).view("u8") if values.dtype == "float64" else values.fillna("missing").to_numpy()
    return [name for name in found if found[name].dtype != expected[name].dtype or not ((bits(found[name]) == bits(expected[name])) | (found[name].isna() & expected[name].isna())).all()]

def same_values(found, expected):
    files = sorted(found.glob("*.parquet"))
    return files and {file.name: bad for file in files if (bad := differing(found := pd.read_parquet(file), pd.read_parquet(expected/file.name)[list(found)]))} == {}

def test_the_events_are_awkward(workspace):
    with duckdb.connect() as con:
        con.execute("set TimeZone = 'UTC'")
        def n(query): return con.sql(query.replace("@", f"{workspace}/data/validate/shop/")).to_arrow_table().column(0)[0].as_py()
        assert sum(n(f"select count(*) from '@{table}.parquet'") for table in ("orders", "order_lines", "touchpoints", "contacts", "media", "traits")) >= 1_000_000
        assert n("select count(*) from '@touchpoints.parquet' where known_at >= occurred_at + interval 30 day") > 1_000
        assert n("select count(*) - count(distinct touchpoint_id) from '@touchpoints.parquet'") > 1_000
        assert n("select count(*) from (select customer_id, occurred_at from '@touchpoints.parquet' group by all having count(*) > 1)") > 100
        assert min(n(f"select count(*) from '@order_lines.parquet' where occurred_at = timestamptz '{cutoff}+00'") for cutoff in CUTOFFS) > 100
        assert n("select count(*) from '@order_lines.parquet' where discount < 0 and discount != round(discount, 2)") > 1_000
        assert n("select count(distinct customer_id) from '@orders.parquet' where contains(customer_id, '🛒') or contains(customer_id, '<b>')") > 100
        assert n("select count(*) from '@contacts.parquet' where customer_id is null") > 1_000

def test_tiles_give_the_values_of_a_range_join(workspace):
    for file in (workspace/"duckdb").glob("tiles-*.parquet"):
        found, expected = (pd.read_parquet(file.with_name(file.name.replace("tiles", way))) for way in ("tiles", "range"))
        assert differing(found, expected) == [], file.name

def test_every_registered_feature_has_values_to_compare(workspace):
    "A feature of which all is missing would be equal everywhere."
    for key, names in names_by_entity().items():
        found = pd.read_parquet(workspace/"duckdb"/f"range-{key}.parquet")
        assert len(found) == len(awkward_spine(key, FEW)) and [name for name in names if found[name].isna().all()] == []

@on_spark_only
def test_a_spark_cluster_gives_the_values_of_duckdb(workspace, spark): assert same_values(spark/"cluster", workspace/"duckdb")

def same_sets(found, expected, models):
    for model in models:
        for name in ("training_set.parquet", "features.json"): assert (found/model/name).read_bytes() == (expected/model/name).read_bytes(), (model, name)

@on_spark_only
def test_the_training_set_of_the_demo_has_the_same_bytes_on_spark(demo, spark): same_sets(spark/"sets", demo/"duckdb", ["retailer_churn_90d"])

@on_spark_only
@pytest.mark.slow
def test_every_training_set_of_the_demo_has_the_same_bytes_on_spark(demo, tmp_path):
    sets, = outputs(tmp_path, "sets")
    run_on_spark(tmp_path, [[MACHINE, "training_sets", [str(demo), sets, "pyspark"]]])
    same_sets(Path(sets), demo/"duckdb", read_params(find_workspace(demo)).models)

@on_spark_only
@pytest.mark.slow
@pytest.mark.parametrize("master", [MACHINE, CLUSTER])
def test_every_feature_is_equal_in_both_ways_on_spark(workspace, tmp_path, master):
    out, = outputs(tmp_path, "out")
    run_on_spark(tmp_path, [[master, "awkward", [str(workspace), out, "pyspark", FEW]]])
    assert same_values(Path(out), workspace/"duckdb") and len(list(Path(out).iterdir())) == len(list((workspace/"duckdb").iterdir()))
