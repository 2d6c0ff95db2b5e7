"""The durable engine: a chain of a hundred commands that do nothing, under a server."""

import pathlib
import shutil
import tempfile
import time
from datetime import datetime

from disk import Trace, sync_ms
from figure import Figure, calmest
from server import Server

CHAIN = 100
REPEATS = 12
TRACED = 3
MEMORY = "/dev/shm"


def chain():
    lines = ["stages:"]
    for number in range(CHAIN):
        lines += [f"  step{number}:", '    cmd: "true"']
        lines += [f"    needs: step{number - 1}"] if number else []
    return "\n".join(lines) + "\n"


def durable_step(bench):
    """Time from the start of the run to its end, and the syncs in it, for each step."""
    walls, cpus, beyond = [], [], []
    syncs = list(traced(bench))
    with Server(bench.binary, bench.new_directory("steps")) as server:
        run_chain(server)
        for _ in range(REPEATS):
            sync = sync_ms(bench.directory)
            cpu = server.cpu()
            wall = run_chain(server)
            walls.append(wall)
            beyond.append(wall - min(syncs) * sync)
            cpus.append((server.cpu() - cpu) / CHAIN * 1e3)
        logs = list((server.data / "logs").rglob("*"))
        kept = sum(path.is_file() for path in logs)
    if kept < CHAIN * (REPEATS + 1):
        raise RuntimeError(f"{kept} logs of {CHAIN * (REPEATS + 1)} steps are kept")
    steps = f"{CHAIN} steps"
    yield Figure("Durable step, syncs", "", syncs, steps, 2)
    beyond, all_said = calmest(beyond)
    beside = [f"wall {min(walls):.1f} – {max(walls):.1f} ms", all_said, bench.disk_said()]
    yield Figure("Durable step, time beyond its syncs", "ms", beyond, steps, 3, beside)
    yield Figure("Durable step, CPU, its processes included", "ms", cpus, steps)
    if pathlib.Path(MEMORY).is_dir():
        yield Figure("Durable step, wall where a sync costs nothing (tmpfs)", "ms", list(in_memory(bench)), steps)


def traced(bench):
    trace = Trace(bench.directory / "steps.strace")
    with Server(bench.binary, bench.new_directory("steps-traced"), trace) as server:
        run_chain(server)
        for _ in range(TRACED):
            before = trace.syncs()
            run_chain(server)
            yield (trace.syncs() - before) / CHAIN


def in_memory(bench):
    directory = tempfile.mkdtemp(prefix="mainstay-bench-", dir=MEMORY)
    try:
        with Server(bench.binary, pathlib.Path(directory) / "data") as server:
            run_chain(server)
            for _ in range(TRACED):
                yield run_chain(server)
    finally:
        shutil.rmtree(directory)


def run_chain(server):
    """Runs the chain to its end; milliseconds a step, by the server's own clock."""
    server.call("PUT", "/api/v1/pipelines/chain", chain().encode(), "application/yaml")
    run = server.call("POST", "/api/v1/pipelines/chain/runs", {})["run"]
    while True:
        # Seldom, so that asking is no part of what is measured.
        time.sleep(0.1)
        shown = server.call("GET", f"/api/v1/pipeline-runs/{run}")
        if shown["state"] not in ("running", "waiting"):
            break
    if shown["state"] != "succeeded" or any(step["attempt"] != 1 for step in shown["steps"]):
        raise RuntimeError(f"the chain ended as {shown['state']}")
    begun, ended = (datetime.fromisoformat(shown[key]) for key in ("started", "finished"))
    return (ended - begun).total_seconds() * 1e3 / CHAIN
