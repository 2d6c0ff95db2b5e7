"""What there is before anybody asks: the start, memory and time while idle, and a run without a server."""

import subprocess
import time

from figure import Figure, percentile
from server import Server

REPEATS = 7
IDLE_SECONDS = 5

TWO_STEPS = """\
stages:
  first:
    cmd: "true"
  second:
    cmd: "true"
    needs: first
"""


def start_to_health(bench):
    """From the start of the process to the first answer of /health."""
    with_demo, fresh = [], []
    for repeat in range(REPEATS):
        with Server(bench.binary, bench.demo) as server:
            with_demo.append(server.started)
        with Server(bench.binary, bench.new_directory(f"fresh-{repeat}")) as server:
            fresh.append(server.started)
    yield Figure("Start to `/health`, a new data directory", "s", fresh, "1 start", 0.2, [bench.disk_said()])
    yield Figure("Start to `/health`, the demonstration's directory", "s", with_demo, "1 start", 0.2)


def idle(bench):
    """Memory and CPU of a server that serves an endpoint which nobody asks."""
    resident, cpu = [], []
    for _ in range(3):
        with Server(bench.binary, bench.demo) as server:
            server.wait_for("/v2/models/delays/ready")
            time.sleep(1)
            before = server.cpu()
            time.sleep(IDLE_SECONDS)
            cpu.append((server.cpu() - before) / IDLE_SECONDS * 1e3)
            resident.append(server.resident_mb())
            parts = [
                f"{server.resident_mb('RssAnon'):.0f} MB its own",
                f"{server.resident_mb('RssFile'):.0f} MB pages of the program",
                f"spawner {server.spawner_mb():.0f} MB",
            ]
    yield Figure("Idle memory (RSS)", "MB", resident, f"after {IDLE_SECONDS + 1} s", 60, parts)
    yield Figure("Idle CPU", "ms/s", cpu, f"{IDLE_SECONDS} s")


def run_without_a_server(bench):
    """`mainstay run` of two steps, the whole process; then the same again where it has run before."""
    pipeline = bench.directory / "two-steps.yaml"
    pipeline.write_text(TWO_STEPS)
    first, again = [], []
    for repeat in range(REPEATS):
        data = bench.new_directory(f"run-{repeat}")
        for times in (first, again):
            start = time.perf_counter()
            subprocess.run([bench.binary, "run", pipeline, "--data", data], check=True, capture_output=True)
            times.append(time.perf_counter() - start)
    yield Figure("`mainstay run` of two steps, a new data directory", "s", first, "1 run", 0.5, [bench.disk_said()])
    slowest = percentile(sorted(again), 0.95)
    yield Figure("`mainstay run` of two steps, again", "s", again, "1 run", 0.5, [f"p95 {slowest:.2f} s"])
