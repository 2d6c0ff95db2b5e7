"""Runs by the thousand, as training scripts log them: runs/create and runs/log-batch over connections that are kept.

    python tests/console/seed.py URL RUNS [POINTS]

leaves RUNS runs with 20 metrics and 20 parameters each in the experiment "sweep", and with POINTS one more run
whose metric has so many points."""

import concurrent.futures
import http.client
import json
import math
import random
import sys
import threading
import urllib.parse

START = 1_700_000_000_000
BATCH = 1_000
local = threading.local()


def call(url, path, body):
    """One call over this thread's connection."""
    if getattr(local, "url", None) != url:
        local.url, local.connection = url, http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc)
    local.connection.request("POST", f"/api/2.0/mlflow/{path}", json.dumps(body), {"Content-Type": "application/json"})
    answer = local.connection.getresponse()
    text = answer.read()
    assert answer.status == 200, text
    return json.loads(text)


def values(number):
    """Metrics and parameters of one run, the same each time."""
    draw = random.Random(number)
    rate, depth = 10 ** draw.uniform(-5, -1), draw.choice([2, 4, 6, 8, 12])
    loss = 0.2 + 0.1 * abs(math.log10(rate) + 3) + 0.1 * draw.random()
    metrics = {"val/loss": loss, "accuracy": 1 - loss / 2, **{f"metric_{at}": draw.random() for at in range(18)}}
    params = {"learning_rate": f"{rate:.3g}", "depth": depth, **{f"param_{at}": draw.randrange(10) for at in range(17)}}
    # One in eleven names no optimiser.
    if number % 11:
        params["optimizer"] = draw.choice(["adam", "adamw", "sgd", "rmsprop"])
    return metrics, params


def one_run(url, experiment, number):
    start = START + number * 1_000
    run = call(url, "runs/create", {"experiment_id": experiment, "run_name": f"trial-{number}", "start_time": start,
                                    "user_id": ["ada", "grace"][number % 2]})["run"]["info"]["run_id"]
    metrics, params = values(number)
    call(url, "runs/log-batch", {
        "run_id": run,
        "metrics": [{"key": key, "value": value, "timestamp": start, "step": 0} for key, value in metrics.items()],
        "params": [{"key": key, "value": str(value)} for key, value in params.items()],
        "tags": [{"key": "team", "value": ["ops", "research"][number % 3 == 0]}],
    })
    if number % 10:
        status = "FAILED" if number % 9 == 0 else "FINISHED"
        call(url, "runs/update", {"run_id": run, "status": status, "end_time": start + 1_000 * (number % 7_000)})
    return run


def sweep(url, runs, threads=8):
    """The experiment's id and the ids of its runs, in the order of their numbers."""
    experiment = call(url, "experiments/create", {"name": "sweep"})["experiment_id"]
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        return experiment, list(pool.map(lambda number: one_run(url, experiment, number), range(runs)))


def long_metric(url, experiment, points, key="loss", name="marathon"):
    """A run whose metric has many points: a falling wave with one spike."""
    # The server may have closed this thread's connection meanwhile.
    local.url = None
    run = call(url, "runs/create", {"experiment_id": experiment, "run_name": name, "start_time": START})
    run = run["run"]["info"]["run_id"]
    for first in range(0, points, BATCH):
        steps = range(first, min(points, first + BATCH))
        batch = [{"key": key, "value": 9.0 if step == points // 3 else 1 / (1 + step / 1_000) + 0.05 * math.sin(step),
                  "timestamp": START + step, "step": step} for step in steps]
        call(url, "runs/log-batch", {"run_id": run, "metrics": batch})
    return run


if __name__ == "__main__":
    made, _ = sweep(sys.argv[1], int(sys.argv[2]))
    if len(sys.argv) > 3:
        long_metric(sys.argv[1], made, int(sys.argv[3]))
    print(f"{sys.argv[1]}/experiments/{made}")
