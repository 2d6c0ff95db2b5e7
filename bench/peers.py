"""The same calls to a stock MLflow server and to this one, each on SQLite and on PostgreSQL."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import time
import urllib.parse

import load
from figure import number
from runs import API, asked, create, fill, shared
from series import batch, create_run
from server import Server, free_port, status_kib, tree
from tracking import requests as metrics

RUNS = 2_000
POINTS = 10_000
CALLS = 20
"""On each connection."""
BOOT = 180
"""Longest start, in seconds."""
SETTLE = 15
"""Seconds after the start, in which workers go on to load what they need."""


class Stock(Server):
    """`mlflow server` with its default number of workers, of the environment whose Python is given."""

    def __init__(self, python, data, database):
        self.data, self.port = pathlib.Path(data), free_port()
        self.data.mkdir()
        command = [python, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        # By its driver: SQLAlchemy would take another one.
        database = database and database.replace("postgresql://", "postgresql+psycopg2://", 1)
        command += ["--backend-store-uri", database or f"sqlite:///{self.data}/mlflow.db"]
        command += ["--artifacts-destination", str(self.data / "artifacts")]
        environment = dict(os.environ, MLFLOW_DISABLE_TELEMETRY="true", MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false")
        begun = time.perf_counter()
        with open(self.data / "log", "w") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, env=environment, cwd=self.data, start_new_session=True
            )
        while not self._answers():
            if self.process.poll() is not None or time.perf_counter() - begun > BOOT:
                raise RuntimeError((self.data / "log").read_text())
            time.sleep(0.01)
        self.started = time.perf_counter() - begun
        self.pid = self.process.pid

    def stop(self):
        os.killpg(self.pid, signal.SIGTERM)
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(self.pid, signal.SIGKILL)
            self.process.wait()


def fresh_database(postgres, name):
    """A new database on that server; its address."""
    address = urllib.parse.urlsplit(postgres)
    subprocess.run(["psql", "-q", postgres, "-c", f"CREATE DATABASE {name}"], check=True)
    return address._replace(path=f"/{name}").geturl()


def peers(bench, python, postgres):
    """The table: a row for each measurement, a column for each server."""
    columns = {}
    for kind in ("SQLite", "PostgreSQL"):
        for name in ("stock", "Mainstay"):
            data = bench.new_directory(f"{name}-{kind}")
            database = fresh_database(postgres, f"{name}_bench".lower()) if kind == "PostgreSQL" else None
            if name == "stock":
                server = Stock(python, data, database)
            else:
                server = Server(bench.binary, data, options=["--db", database] if database else [])
            with server:
                columns[f"{name}, {kind}"] = dict(measured(server, 1 if name == "stock" else 10))
            shutil.rmtree(data)
            print(f"{name}, {kind}: {columns[f'{name}, {kind}']}", flush=True)
    rows = next(iter(columns.values()))
    lines = ["| " + " | ".join(["", *columns]) + " |", "|---" * (1 + len(columns)) + "|"]
    lines += ["| " + " | ".join([row, *(column[row] for column in columns.values())]) + " |" for row in rows]
    return "\n".join(lines)


def measured(server, times):
    """What one server came to. A faster one is asked so many `times` more often."""
    yield "start to `/health`", f"{number(server.started)} s"
    time.sleep(SETTLE)
    yield "memory (RSS) of all its processes", f"{resident_mb(server):.0f} MB"
    load.run(server, metrics(server, CALLS))
    yield "`log-metric`, 8 connections", cell(load.run(server, metrics(server, CALLS * times)))
    run = create_run(server)
    batches = [batch(run, number) for number in range(16 * times)]
    yield "`log-batch` of 1,000 metrics, 8 connections", cell(load.run(server, shared(batches)))
    experiment = server.call("POST", f"{API}/experiments/create", {"name": "runs"})["experiment_id"]
    made = load.run(server, shared(create(experiment) for _ in range(RUNS)), keep=True)
    yield "`runs/create`, 8 connections", cell(made)
    ids = [json.loads(body)["run"]["info"]["run_id"] for body in made.bodies]
    filled = load.run(server, shared(fill(run, at) for at, run in enumerate(ids)))
    yield "`log-batch` of 20 metrics, 20 parameters, 5 tags, 8 connections", cell(filled)
    gets = [f"GET {API}/runs/get?run_id={run} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode() for run in ids[:100]]
    yield "`runs/get`, 1 connection", cell(load.run(server, [gets]))
    search = load.post(f"{API}/runs/search", json.dumps(asked(experiment)).encode())
    yield f"`runs/search`, filter and order, {RUNS:,} runs, 1 connection", cell(load.run(server, [[search] * 10 * times]))
    history = create_run(server)
    load.run(server, [[batch(history, number) for number in range(POINTS // 1_000)]])
    path = f"{API}/metrics/get-history?run_id={history}&metric_key=loss"
    read = f"GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode()
    yield f"`metrics/get-history` of {POINTS:,} points", cell(load.run(server, [[read] * 5]))


def cell(outcome):
    """CPU of a call, and the calls of a second."""
    cpu = outcome.server_cpu / outcome.count * 1e3
    return f"{number(cpu)} ms; {outcome.count / outcome.wall:,.0f}/s, p50 {outcome.p50_ms():.1f} ms"


def resident_mb(server):
    return sum(status_kib(pid, "VmRSS") for pid in tree(server.pid)) * 1024 / 1e6
