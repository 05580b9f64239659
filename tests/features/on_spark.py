"""Computes features on Spark in a process of its own: python on_spark.py JOBS.json, a list of [master, function, arguments].

Every Spark session, and the Java machine below it, ends with this process. The functions are also what the tests call for DuckDB."""
import json, os, sys, time
from dataclasses import replace
from pathlib import Path
from awkward_events import awkward_features, awkward_spine, names_by_entity
from marketing_mlops.features.event_rows import open_events
from marketing_mlops.features.point_in_time import features_of
from marketing_mlops.features.training_files import write_training_set
from marketing_mlops.features.training_sets import training_set
from marketing_mlops.workspace.params import read_params
from marketing_mlops.workspace.places import find_workspace

def awkward(root, out, engine, n, ways=("range", "tiles"), only=None):
    "Features of the awkward events, one file for each way and kind of entity."
    with open_events(find_workspace(root), "shop", engine=engine) as events:
        events = replace(events, own=awkward_features())
        for key, names in names_by_entity().items():
            kept = [name for name in names if only is None or name in only]
            for way in ways if kept else ():
                features_of(events, awkward_spine(key, n), kept, over_tiles=way == "tiles").to_parquet(Path(out)/f"{way}-{key}.parquet")

def training_sets(root, out, engine, only=None):
    "The training sets of a workspace's models."
    workspace = find_workspace(root)
    workspace = replace(workspace, settings=replace(workspace.settings, feature_engine=engine))
    for model, spec in read_params(workspace).models.items():
        if only and model not in only: continue
        (Path(out)/model).mkdir()
        write_training_set(training_set(workspace, model, spec), Path(out)/model)

def main(jobs):
    from pyspark.sql import SparkSession
    for master, function, arguments in jobs:
        session = SparkSession.getActiveSession()
        if session and session.sparkContext.master != master: session.stop()
        os.environ["SPARK_MASTER"] = master
        started = time.monotonic()
        globals()[function](*arguments)
        print(f"{function} on {master}: {time.monotonic()-started:.0f} s", flush=True)
    SparkSession.getActiveSession().stop()

if __name__ == "__main__": main(json.loads(Path(sys.argv[1]).read_text()))
