"""Measures the program against its targets, and writes docs/performance.md.

usage: python bench --binary target/release/mainstay --latency .../examples/latency [--only WORD] [--stock PYTHON]

With --stock, a stock MLflow server of that environment is measured beside, on SQLite and on the PostgreSQL server
that MAINSTAY_TEST_POSTGRES names.
"""

import argparse
import os
import pathlib
import shutil
import statistics
import string
import subprocess
import sys
import tempfile
import time

import artifacts
import disk
import evaluator
import peers
import prediction
import runs
import series
import spans
import starting
import steps
import tracking

ROOT = pathlib.Path(__file__).parents[1]
PAGE = ROOT / "docs/performance.md"
TEMPLATE = pathlib.Path(__file__).parent / "performance.template"
HEADS = ["", "median", "spread", "target", "held", "N", "beside it"]
FIGURES = [
    starting.start_to_health,
    starting.idle,
    tracking.log_metric,
    tracking.by_the_disk,
    series.charts,
    series.history,
    runs.hundred_thousand_runs,
    spans.otlp,
    artifacts.one_gigabyte,
    prediction.one_row,
    evaluator.one_row_latency,
    steps.durable_step,
    starting.run_without_a_server,
]


class Bench:
    """What all figures share: the programs, a directory on a disk, the demonstration's data."""

    def __init__(self, binary, latency, directory):
        self.binary, self.latency, self.directory = binary, latency, directory
        self.syncs = []
        self.demo = directory / "demo"

    def make_demo(self):
        """Runs the demonstration's first pipeline: tables, a model, and an endpoint that serves it."""
        command = [self.binary, "run", ROOT / "demo/flights/pipeline.yaml", "--data", self.demo]
        subprocess.run(command, check=True, capture_output=True)

    def demo_model(self, server):
        version = server.call("GET", "/api/v1/models/flight-delay/versions/1")
        digest = version["digest"].removeprefix("sha256:")
        return self.demo / "artifacts/models" / digest / "model.onnx"

    def new_directory(self, name):
        """A path at which there is nothing."""
        path = self.directory / name
        shutil.rmtree(path, ignore_errors=True)
        return path

    def disk_said(self):
        """The disk's own time for a sync, measured now."""
        self.syncs.append(disk.sync_ms(self.directory))
        return f"fdatasync p50 {self.syncs[-1]:.2f} ms"


def table(figures):
    lines = ["| " + " | ".join(HEADS) + " |", "|---" * len(HEADS) + "|"]
    return "\n".join(lines + ["| " + " | ".join(figure.cells()) + " |" for figure in figures])


def machine():
    names = [line for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    name = names[0].split(":", 1)[1].strip() if names else "unknown processor"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores ({name}), {memory:.0f} GiB of memory"


def write_page(bench, figures, beside):
    held = sum(figure.holds for figure in figures if figure.target is not None)
    words = {
        "table": table(figures),
        "peers": beside,
        "machine": machine(),
        "sync": f"{statistics.median(bench.syncs):.2f}",
        "held": str(held),
        "targets": str(sum(figure.target is not None for figure in figures)),
    }
    PAGE.write_text(string.Template(TEMPLATE.read_text()).substitute(words))


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--binary", type=pathlib.Path, required=True)
    arguments.add_argument("--latency", type=pathlib.Path, required=True)
    arguments.add_argument("--only", help="only figures whose function has this in its name; writes no page")
    arguments.add_argument("--stock", help="the Python of an environment with mlflow; without it no page is written")
    arguments = arguments.parse_args()
    # Beside what is built: a temporary directory may lie in memory, where a sync costs nothing.
    (ROOT / "target").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=ROOT / "target") as directory:
        bench = Bench(arguments.binary.resolve(), arguments.latency.resolve(), pathlib.Path(directory))
        bench.make_demo()
        figures = []
        for measure in FIGURES:
            if arguments.only and arguments.only not in measure.__name__:
                continue
            begun = time.perf_counter()
            for figure in measure(bench):
                figures.append(figure)
                print(" · ".join(cell for cell in figure.cells() if cell), flush=True)
            print(f"  ({measure.__name__}: {time.perf_counter() - begun:.0f} s)", file=sys.stderr, flush=True)
        print(f"\n{table(figures)}")
        if arguments.stock and (not arguments.only or arguments.only == "peers"):
            beside = peers.peers(bench, arguments.stock, os.environ["MAINSTAY_TEST_POSTGRES"])
            print(f"\n{beside}")
            if not arguments.only:
                write_page(bench, figures, beside)


if __name__ == "__main__":
    main()
