"""Logging of metrics over MLflow's protocol, each call durable before it is answered."""

import json

import load
from disk import Trace, sync_ms
from figure import Figure, calmest
from server import Server

CONNECTIONS = 8
CALLS = 150
"""On each connection, in one repeat."""
REPEATS = 24
TRACED = 3
SLOWER_MS = [0, 2, 8]
"""How much longer each sync takes."""
API = "/api/2.0/mlflow"


def log_metric(bench):
    """Eight connections, each logging one point after the other to a run of its own."""
    outcomes = []
    with Server(bench.binary, bench.new_directory("tracking")) as server:
        # The first calls fill caches and grow files.
        load.run(server, requests(server, CALLS))
        before = server.metric("mainstay_writer_groups_total")
        for _ in range(REPEATS):
            outcomes.append(load.run(server, requests(server, CALLS)))
        groups = server.metric("mainstay_writer_groups_total") - before
    a_group = sum(outcome.count for outcome in outcomes) / groups
    cpu, all_said = calmest([outcome.server_cpu / outcome.count * 1e3 for outcome in outcomes])
    beside = [outcomes[-1].said(), f"{a_group:.1f} calls a commit group", all_said, bench.disk_said()]
    calls = f"{CONNECTIONS * CALLS:,} calls"
    yield Figure("log-metric, CPU a call at 8 connections", "ms", cpu, calls, 0.1, beside)
    yield Figure("log-metric, syncs a commit group", "", list(syncs_a_group(bench)), calls, 1.15)


def syncs_a_group(bench):
    trace = Trace(bench.directory / "tracking.strace")
    with Server(bench.binary, bench.new_directory("tracking-traced"), trace) as server:
        for _ in range(TRACED):
            queues = requests(server, CALLS)
            before = trace.syncs(), server.metric("mainstay_writer_groups_total")
            load.run(server, queues)
            after = trace.syncs(), server.metric("mainstay_writer_groups_total")
            yield (after[0] - before[0]) / (after[1] - before[1])


def by_the_disk(bench):
    """How long calls take beside what a disk alone would need that syncs once for eight of them: this one, and slower
    ones."""
    for delay in SLOWER_MS:
        # Tracing alone costs more than a fast sync.
        trace = Trace(bench.directory / f"tracking-{delay}.strace", delay) if delay else None
        sync = trace.sync_ms(bench.directory) if trace else sync_ms(bench.directory)
        calls, outcomes = CONNECTIONS * CALLS, []
        with Server(bench.binary, bench.new_directory(f"tracking-{delay}"), trace) as server:
            load.run(server, requests(server, CALLS))
            before = server.metric("mainstay_writer_groups_total")
            for _ in range(TRACED):
                outcomes.append(load.run(server, requests(server, CALLS)))
            groups = server.metric("mainstay_writer_groups_total") - before
        values = [outcome.wall / calls / (sync / 1e3 / CONNECTIONS) for outcome in outcomes]
        a_group = f"{TRACED * calls / groups:.1f} calls a commit group"
        beside = [outcomes[-1].said(), a_group, f"fdatasync p50 {sync:.2f} ms"]
        name = f"… where a sync takes {delay} ms more" if delay else "log-metric, wall over that of a sync for eight calls"
        yield Figure(name, "", values, f"{calls:,} calls", 1.43, beside)


def requests(server, calls):
    """For each connection a new run, and its calls."""
    queues = []
    for _ in range(CONNECTIONS):
        run = server.call("POST", f"{API}/runs/create", {"experiment_id": "0", "start_time": 1})
        run = run["run"]["info"]["run_id"]
        queues.append([metric(run, step) for step in range(calls)])
    return queues


def metric(run, step):
    point = {"run_id": run, "key": "loss", "value": 1 / (step + 1), "timestamp": 1_700_000_000_000 + step, "step": step}
    return load.post(f"{API}/runs/log-metric", json.dumps(point).encode())
