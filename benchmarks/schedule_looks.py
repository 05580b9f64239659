"""What a look at the clock costs when nothing is due: `mmops schedule due` with 500 schedules, against one and against none.

A scheduler that is called every minute looks 1,440 times a day and finds nothing to do in most of them. The command is
timed as cron would start it, in a process of its own. The first look after `schedule.yaml` has changed reads all entries;
the others do not.

    python benchmarks/schedule_looks.py [--repeat 3]
"""
import argparse, json, os, statistics, subprocess, sys, tempfile, time
from pathlib import Path

LOOKS = 10
COUNTS = (1, 50, 500)
MMOPS = [str(Path(sys.executable).parent/"mmops")]
RESULTS = Path(__file__).parent/"results"/"schedule_looks.json"

ENTRY = """  readout_{i}:
    report: campaign_readout
    parameters: {{model: promo_{i}}}
    cron: "{minute} 7 * * mon"
    market: DE
    owner: marketing@example.com
    retries: 2
    deadline: 30 min
"""

def make_workspace(root, n):
    root.mkdir()
    (root/"settings.ini").write_text("[DEFAULT]\nreporting_currency = EUR\n[markets]\nDE = Europe/Berlin, monday, 1, DE\n")
    (root/"schedule.yaml").write_text("schedules:\n" + "".join(ENTRY.format(i=i, minute=i % 60) for i in range(n)))

def seconds(*words):
    "Seconds of a command, from its start to its end."
    started = time.perf_counter()
    subprocess.run([*MMOPS, *words], check=True, capture_output=True, env=os.environ)
    return time.perf_counter() - started

def looks(root, n):
    "The first look at n schedules, and the median of those that find nothing."
    make_workspace(root, n)
    due = ("schedule", "due", "--workspace", str(root), "--now", "2026-04-07T12:00:00+02:00")
    first = seconds(*due)
    return dict(first_look=first, nothing_due=statistics.median(seconds(*due) for _ in range(LOOKS)))

def main(repeat):
    seconds("--help")                                          # files are in the cache of the machine, as every minute
    with tempfile.TemporaryDirectory() as folder:
        found = {n: [looks(Path(folder)/f"{n}_{turn}", n) for turn in range(repeat)] for n in COUNTS}
    command_alone = statistics.median(seconds("--help") for _ in range(LOOKS))
    rows = {str(n): {key: round(statistics.median(turn[key] for turn in turns), 3) for key in turns[0]} for n, turns in found.items()}
    content = dict(command=f"python benchmarks/schedule_looks.py --repeat {repeat}", repeat=repeat, looks=LOOKS, cores=os.cpu_count(), seconds_by_schedules=rows,
                   seconds_of_help=round(command_alone, 3), times_the_look_at_one=round(rows["500"]["nothing_due"]/rows["1"]["nothing_due"], 2))
    RESULTS.write_text(json.dumps(content, indent=2) + "\n")
    print(json.dumps(content, indent=2))

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=3)
    main(parser.parse_args().repeat)
