"""Metrics with many points: logging them, reading them, and opening their charts."""

import json
import os
import time

import load
from figure import Figure, calmest
from server import Server

API = "/api/2.0/mlflow"
CONNECTIONS = 8
BATCH = 1_000
"""Points of a call, as many as MLflow takes."""
POINTS = 10_000_000
PORTION = 25
"""Calls on each connection between two looks, so that they need not all lie in memory."""
SINGLE = 100_000
OPENINGS = 24
COLD = 3
CALM_MS = 20
"""A server that spends less in a second has nothing left to merge."""


def charts(bench):
    """Ten million points by log-batch; then their chart, from a server that was just started and from a warm one."""
    data = bench.new_directory("series")
    with Server(bench.binary, data) as server:
        run = create_run(server)
        cpu = [outcome.server_cpu / outcome.count * 1e3 for outcome in logged(server, run)]
        least, said = calmest(cpu)
        calls = f"{CONNECTIONS * PORTION} calls"
        yield Figure("log-batch of 1,000 points, CPU a call", "ms", least, calls, 1.5, [said])
        settle(server)
        yield from openings(server, run)
    cold = []
    for _ in range(COLD):
        forget(data)
        with Server(bench.binary, data) as server:
            cold.append(opened(server, run, {})[0])
    said = f"the files' pages dropped before the start; {sum(f.stat().st_size for f in data.glob('*.db')) / 1e6:.0f} MB"
    yield Figure("Chart of 10 million points, first after a start", "ms", cold, "1 chart", 100, [said])


def openings(server, run):
    """The chart of all points, and of parts of them."""
    parts = [("all", {}, 100), ("a tenth", {"from": 4_000_123, "to": 5_000_123}, None)]
    parts.append(("a thousandth", {"from": 4_000_123, "to": 4_010_123}, None))
    for name, ends, target in parts:
        walls, cpus = zip(*[opened(server, run, ends) for _ in range(OPENINGS)])
        said = f"CPU {calmest(cpus)[0][0]:.1f} ms"
        figure = "Chart of 10 million points" if name == "all" else f"… of {name} of them"
        yield Figure(figure, "ms", list(walls), "1 chart", target, [said])


def opened(server, run, ends):
    """Wall and CPU time of one chart, in milliseconds."""
    body = {"runs": [run], "metrics": ["loss"], "points": 1_000, **ends}
    before, start = server.spent(), time.perf_counter()
    answer = server.call("POST", "/api/v1/runs/series", body)
    wall = time.perf_counter() - start
    shown = answer["series"][0]
    if shown["kind"] != "buckets" or not 500 <= len(shown["x"]) <= 1_000:
        raise RuntimeError(f"not a chart: {shown['kind']}, {len(shown.get('x', []))}")
    if not ends and shown["total"] != POINTS:
        raise RuntimeError(f"{shown['total']} points instead of {POINTS}")
    return wall * 1e3, (server.spent() - before) * 1e3


def history(bench):
    """A hundred thousand points, logged one by one, then read whole."""
    with Server(bench.binary, bench.new_directory("history")) as server:
        run = create_run(server)
        steps = [range(at, SINGLE, CONNECTIONS) for at in range(CONNECTIONS)]
        load.run(server, [[single(run, step) for step in of_one] for of_one in steps])
        settle(server)
        cpus, walls = [], []
        for _ in range(OPENINGS):
            before, start = server.spent(), time.perf_counter()
            text = server.call("GET", f"{API}/metrics/get-history?run_id={run}&metric_key=loss", raw=True)
            walls.append((time.perf_counter() - start) * 1e3)
            cpus.append((server.spent() - before) * 1e3)
        if len(json.loads(text)["metrics"]) != SINGLE:
            raise RuntimeError("points are missing")
        least, said = calmest(cpus)
        beside = [f"wall {min(walls):.0f} – {max(walls):.0f} ms", said]
        yield Figure("History of 100,000 points, logged one by one, CPU", "ms", least, "1 history", 60, beside)


def create_run(server):
    made = server.call("POST", f"{API}/runs/create", {"experiment_id": "0", "start_time": 1_700_000_000_000})
    return made["run"]["info"]["run_id"]


def point(step):
    return {"key": "loss", "value": 1 / (step + 1), "timestamp": 1_700_000_000_000 + 10 * step, "step": step}


def single(run, step):
    return load.post(f"{API}/runs/log-metric", json.dumps({"run_id": run, **point(step)}).encode())


def batch(run, number):
    metrics = [point(step) for step in range(number * BATCH, (number + 1) * BATCH)]
    return load.post(f"{API}/runs/log-batch", json.dumps({"run_id": run, "metrics": metrics}).encode())


def logged(server, run):
    """Logs all points, a portion at a time."""
    calls = CONNECTIONS * PORTION
    for begin in range(0, POINTS // BATCH, calls):
        numbers = [range(begin + at, begin + calls, CONNECTIONS) for at in range(CONNECTIONS)]
        yield load.run(server, [[batch(run, number) for number in of_one] for of_one in numbers])


def settle(server):
    """Waits until the server has nothing left to do."""
    for _ in range(120):
        before = server.spent()
        time.sleep(1)
        if (server.spent() - before) * 1e3 < CALM_MS:
            return
    raise RuntimeError("the server does not come to rest")


def forget(data):
    """Lets the kernel drop what it keeps of the database's files in memory."""
    for file in data.glob("mainstay.db*"):
        descriptor = os.open(file, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)
