"""`mainstay demo --shuffle-days` over many seeds: with nothing drifting, no alarm should ask for a retraining.

One line a seed. Ends with 1 if fewer than 95 % of the seeds were quiet.
"""

import argparse
import json
import os
import sqlite3
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[2]
BINARY = os.environ.get("MAINSTAY") or str(ROOT / "target/release/mainstay")
PATIENCE = 3_600
QUIET = 0.95


def causes(data):
    """What started each run that nobody asked for: the family of its alarm."""
    with sqlite3.connect(f"file:{data}/mainstay.db?mode=ro", uri=True) as record:
        started = record.execute("SELECT body FROM events WHERE kind = 'pipeline_run.started' ORDER BY seq").fetchall()
    bodies = [json.loads(body)["cause"] for (body,) in started]
    return [cause["evidence"]["family"] for cause in bodies if cause["kind"] == "event"]


def live(seed, days):
    """Whether a seed was quiet."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mainstay-quiet-") as place:
        data = Path(place) / "data"
        command = [BINARY, "demo", str(ROOT / "demo/flights"), "--shuffle-days", "--seed", str(seed), "--data", str(data)]
        command += ["--days", str(days)] if days else []
        demo = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
        if "requests answered" not in demo.stdout:
            raise SystemExit(f"seed {seed} did not come to its end:\n{demo.stdout[-2000:]}{demo.stderr[-2000:]}")
        families = causes(data)
    by_alarm = [family for family in families if family != "age"]
    answered = next(line for line in demo.stdout.splitlines() if "requests answered" in line)
    said = f"retrained by alarm about {', '.join(by_alarm)}" if by_alarm else "quiet"
    by_age = len(families) - len(by_alarm)
    print(f"seed {seed:2}: {said}; {by_age} retrainings by age; {answered}; {time.monotonic() - began:.0f} s", flush=True)
    return not by_alarm


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seeds", type=int, default=20, help="how many")
    arguments.add_argument("--first", type=int, default=0, help="the first of them")
    arguments.add_argument("--parallel", type=int, default=2)
    arguments.add_argument("--days", type=int, help="only so many days each")
    wishes = arguments.parse_args()
    seeds = range(wishes.first, wishes.first + wishes.seeds)
    with ThreadPoolExecutor(wishes.parallel) as workers:
        quiet = sum(workers.map(lambda seed: live(seed, wishes.days), seeds))
    print(f"{quiet} of {len(seeds)} seeds were quiet")
    raise SystemExit(quiet < QUIET * len(seeds))


if __name__ == "__main__":
    main()
