"Schedulers, workers and runs are killed at random times: nothing due is lost, nothing runs twice, nothing is left over."
import json, subprocess, sys
from pathlib import Path
import pytest

pytestmark = pytest.mark.edges

STORM = Path(__file__).with_name("storm.py")

def weather(tmp_path, rounds, seed):
    "What is there to judge after so many kills."
    done = subprocess.run([sys.executable, str(STORM), str(tmp_path/"storm"), str(rounds), str(seed)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)

def judge(found):
    assert found["states"] == {"done": found["rounds"] + 2}, found             # each due time was planned, and has been run
    assert found["done"] == found["rounds"] + 2 and found["done_twice"] == 0, found
    assert found["overlaps"] == 0, found                                       # never two at once
    assert found["orphans"] == [], found
    assert found["runs_without_attempt"] == 0 and found["runs"] >= found["started"], found   # evidence for every run, and a record for every evidence
    assert found["errors"] == [], found
    assert found["attempts"] > found["rounds"] + 2, "nothing was hit: the storm is too weak"

@pytest.mark.slow
def test_fifty_kills_lose_nothing_and_repeat_nothing(tmp_path): judge(weather(tmp_path, 50, 7))

@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_five_hundred_kills_lose_nothing_and_repeat_nothing(tmp_path, seed): judge(weather(tmp_path, 50, seed))
