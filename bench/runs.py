"""A hundred thousand runs: making them, searching among them, and starting a server that has them."""

import json
import time

import load
from figure import Figure, calmest, percentile
from series import forget, settle
from server import Server

API = "/api/2.0/mlflow"
CONNECTIONS = 8
RUNS = 100_000
PORTION = 4_000
"""Runs between two looks, so that their requests need not all lie in memory."""
KEYS = 20
TAGS = 5
SEARCHES = 60
STARTS = 5
GETS = 400
NOW = 1_700_000_000_000


def hundred_thousand_runs(bench):
    """Makes them, each with twenty metrics, twenty parameters and five tags; searches; starts again."""
    data = bench.new_directory("runs")
    with Server(bench.binary, data) as server:
        experiment = server.call("POST", f"{API}/experiments/create", {"name": "runs"})["experiment_id"]
        created, ids = [], []
        for first in range(0, RUNS, PORTION):
            made = load.run(server, shared(create(experiment) for _ in range(PORTION)), keep=True)
            created.append(made.server_cpu / made.count * 1e3)
            portion = [json.loads(body)["run"]["info"]["run_id"] for body in made.bodies]
            load.run(server, shared(fill(run, first + at) for at, run in enumerate(portion)))
            ids += portion
        least, said = calmest(created)
        yield Figure("create-run, CPU a call at 8 connections", "ms", least, f"{PORTION:,} calls", 0.15, [made.said(), said])
        settle(server)
        yield from searches(server, experiment)
        yield from one_run(server, ids)
    yield from starts(bench, data, experiment)


def shared(requests):
    """The requests, dealt to the connections."""
    requests = list(requests)
    return [requests[at::CONNECTIONS] for at in range(CONNECTIONS)]


def create(experiment):
    body = {"experiment_id": experiment, "start_time": NOW, "tags": [{"key": "mlflow.user", "value": "u"}]}
    return load.post(f"{API}/runs/create", json.dumps(body).encode())


def fill(run, number):
    """What a run has. Numbers that look random and are the same each time."""
    value = lambda key: (number * 2_654_435_761 + key * 40_503) % 1_000_003 / 1_000_003
    metrics = [{"key": f"m{key}", "value": value(key), "timestamp": NOW, "step": 0} for key in range(KEYS)]
    params = [{"key": f"p{key}", "value": "x" if number % 10 == 0 else f"v{number % 97}"} for key in range(KEYS)]
    tags = [{"key": f"t{key}", "value": str(number % 13)} for key in range(TAGS)]
    body = {"run_id": run, "metrics": metrics, "params": params, "tags": tags}
    return load.post(f"{API}/runs/log-batch", json.dumps(body).encode())


def asked(experiment, most=100):
    """A filter on a metric and a parameter, in the order of the metric."""
    return {
        "experiment_ids": [experiment],
        "max_results": most,
        "filter": "metrics.m1 > 0.5 and params.p1 = 'x'",
        "order_by": ["metrics.m1 DESC"],
    }


def searches(server, experiment):
    page = load.post(f"{API}/runs/search", json.dumps(asked(experiment)).encode())
    outcome = load.run(server, [[page] * SEARCHES], keep=True)
    if any(len(json.loads(body)["runs"]) != 100 for body in outcome.bodies):
        raise RuntimeError("not a page of a hundred runs")
    slowest = percentile(outcome.latencies, 0.95) * 1e3
    cpu = f"CPU {outcome.server_cpu / outcome.count * 1e3:.1f} ms, p50 {outcome.p50_ms():.1f} ms"
    yield Figure("Search with filter and order in 100,000 runs, page of 100, wall p95", "ms", [slowest], f"{SEARCHES} calls", 10, [cpu])
    plain = {"experiment_ids": [experiment], "max_results": 1_000}
    many = load.post(f"{API}/runs/search", json.dumps(plain).encode())
    cpus = [outcome.server_cpu * 1e3 for outcome in (load.run(server, [[many]]) for _ in range(24))]
    least, said = calmest(cpus)
    yield Figure("Page of 1,000 runs, CPU", "ms", least, "1 call", 25, [said])
    yield Figure("Memory (RSS) with 100,000 runs", "MB", [server.resident_mb()], "after the searches", 200)


def one_run(server, ids):
    head = "HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"
    step = max(1, len(ids) // GETS)
    requests = [f"GET {API}/runs/get?run_id={run} {head}".encode() for run in ids[::step]]
    outcome = load.run(server, [requests])
    cpu = f"CPU {outcome.server_cpu / outcome.count * 1e3:.2f} ms"
    yield Figure("get-run, wall p50 on a kept connection", "ms", [outcome.p50_ms()], f"{outcome.count} calls", 0.5, [cpu])


def starts(bench, data, experiment):
    """The pages of the database are dropped from the kernel's memory before each start."""
    healths, firsts = [], []
    for _ in range(STARTS):
        forget(data)
        with Server(bench.binary, data) as server:
            healths.append(server.started)
            begun = time.perf_counter()
            server.call("POST", f"{API}/runs/search", asked(experiment))
            firsts.append(time.perf_counter() - begun)
            resident = server.resident_mb()
    yield Figure("Start to `/health` with 100,000 runs", "s", healths, "1 start", 0.3, [bench.disk_said()])
    yield Figure("… first search after it", "s", firsts, "1 search", 0.5, [f"RSS then {resident:.0f} MB"])
