"""Credits of the public paths by two independent packages, for tests/measurement/test_attribution.py.

    uv venv oracles && uv pip install --python oracles/bin/python ChannelAttribution==2.2.5 matplotlib requests marketing-attribution-models==2.1.1
    oracles/bin/python tests/measurement/oracles/make_attribution_oracles.py FOLDER_OF_DATASETS

ChannelAttribution draws journeys for its Markov model (4 million, seed 7), so its answer is near ours and not equal;
marketing-attribution-models solves the chain. What it divides by its removal effects are the conversions of all paths.
The versions in the file are those of specifications as they were first published; they are kept as they are.
"""
import json, sys
from importlib.metadata import version
from pathlib import Path
import ChannelAttribution
import pandas as pd
import polars as pl
from mam.models.markov import MarkovModel

FILE = Path(__file__).parent/"attribution.json"

def main(folder):
    paths = pd.read_csv(Path(folder)/"attribution-paths"/"path_data.csv")
    one, two = (f"{name} {version(name)}" for name in ("ChannelAttribution", "marketing-attribution-models"))
    rules = ChannelAttribution.heuristic_models(paths, "path", "total_conversions").set_index("channel_name")
    answers = [dict(by=one, method=method, repeats="all", tolerance=1e-6, credits=rules[f"{method}_touch"].round(9).to_dict()) for method in ("first", "last", "linear")]
    drawn = ChannelAttribution.markov_model(paths, "path", "total_conversions", var_null="total_null", nsim_start=4_000_000, conv_par=.01, seed=7).set_index("channel_name")
    answers.append(dict(by=f"{one}, drawn", method="markov", repeats="all", tolerance=25., credits=drawn.total_conversions.round(4).to_dict()))
    rows = [dict(channels=path.split(" > "), has_conversion=won, weight=float(n)) for path, yes, no in paths[["path", "total_conversions", "total_null"]].itertuples(index=False) for won, n in ((True, yes), (False, no)) if n]
    parts = MarkovModel(transition_to_same_state=True)._compute_markov(pl.DataFrame(rows))
    answers.append(dict(by=two, method="markov", repeats="all", tolerance=1e-6, credits={name: round(float(part*paths.total_conversions.sum()), 9) for name, part in parts.items()}))
    known = json.loads(FILE.read_text()) if FILE.is_file() else {}
    FILE.write_text(json.dumps(dict(command="python tests/measurement/oracles/make_attribution_oracles.py FOLDER_OF_DATASETS", versions=known.get("versions"), answers=answers), indent=1) + "\n")

if __name__ == "__main__": main(sys.argv[1])
