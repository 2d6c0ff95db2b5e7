"""Servers that live and are killed, and what of a life is left on the record."""

import json
import random
import sqlite3
import subprocess
import threading
import time
import urllib.error
from pathlib import Path

import driver
import psycopg
import world
from server import BINARY, Server


def bear(root: Path, database: str | None = None):
    """Makes a data directory in which the first champion serves."""
    first = world.lay_out(root, world.visits())
    command = [BINARY, "run", str(first), "--data", str(root / "data")]
    if database:
        command += ["--db", database]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return root


def fresh_database(postgres: str, name: str):
    """Makes a database on the server at an address; its own address."""
    with psycopg.connect(postgres, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name}")
    return postgres.rsplit("/", 1)[0] + f"/{name}"


class Immortal:
    """A server that is started again whenever it was killed; a client of it that tries again."""

    def __init__(self, data: Path, database: str | None = None, listen: str = "127.0.0.1:0"):
        self.data, self.database, self.listen = data, database, listen
        self.lock = threading.Lock()
        self.server = Server(data, database, listen)
        self.kills = 0
        self.lost = 0

    def kill(self):
        with self.lock:
            self.server.kill()
            self.kills += 1
            self.server = Server(self.data, self.database, self.listen)

    def call(self, *arguments):
        """As `Client.call`; a request whose answer got lost is sent again, as clients do."""
        for _ in range(100):
            with self.lock:
                url = self.server.url
            try:
                return driver.Client(url).call(*arguments)
            except urllib.error.HTTPError as refusal:
                if refusal.code < 500:
                    raise AssertionError(f"{arguments[:2]}: {refusal.read().decode()}") from refusal
            except (urllib.error.URLError, ConnectionError, TimeoutError, OSError):
                self.lost += 1
            time.sleep(0.01)
        raise AssertionError(f"no answer to {arguments[:2]}")


class Record:
    """A look into the database, beside the server."""

    def __init__(self, data: Path, database: str | None):
        if database:
            self.connection = psycopg.connect(database, autocommit=True)
        else:
            self.connection = sqlite3.connect(f"file:{data}/mainstay.db?mode=ro", uri=True, timeout=30)

    def events(self, after=0):
        """Events behind a sequence number as (sequence, kind, subject, body)."""
        query = f"SELECT seq, kind, subject, body FROM events WHERE seq > {int(after)} ORDER BY seq"
        rows = self.connection.execute(query).fetchall()
        return [(seq, kind, subject, json.loads(body)) for seq, kind, subject, body in rows]

    def newest(self):
        return self.connection.execute("SELECT COALESCE(MAX(seq), 0) FROM events").fetchone()[0]

    def close(self):
        self.connection.close()


def outcome(everything):
    """What a life came to, without what differs between any two: ids, machine times, latencies."""
    pipelines, lists = {}, {"steps": [], "alarms": [], "rollouts": [], "served": []}
    for _, kind, subject, body in everything:
        if kind == "pipeline_run.started":
            pipelines[subject] = (body["pipeline"], body["data_time"])
        elif kind == "step.accepted":
            value = body["output"]["value"]
            told = {key: value.get(key) for key in ("outcome", "passed", "gates", "version", "digest", "until")}
            lists["steps"].append((pipelines[subject], body["step"], body["output"]["artifacts"], told))
        elif kind in ("alarm.raised", "alarm.resolved"):
            window = body.get("cause", {}).get("window")
            lists["alarms"].append((kind, body["family"], body["champion"], body["data_time"], window))
        elif kind.startswith("rollout."):
            evidence = body["detail"].get("evidence") or {}
            told = {key: evidence.get(key) for key in ("watermark", "pairs", "quality")}
            lists["rollouts"].append((kind, body["state"], body["candidate"], told))
        elif kind in ("endpoint.revised", "endpoint.rolled_back"):
            arms = [(arm["version"], arm["digest"], arm["role"]) for arm in body["revision"]["arms"]]
            lists["served"].append((body["revision"]["number"], arms))
    # Steps of one run may end side by side, in any order.
    lists["steps"].sort(key=lambda step: (str(step[0]), step[1]))
    return lists


class Killer(threading.Thread):
    """Kills the server once in each of the states that it is told, whichever comes first, and counts."""

    def __init__(self, immortal: Immortal, states, seed: int):
        super().__init__(daemon=True)
        self.immortal, self.states = immortal, list(states)
        self.draws = random.Random(seed)
        self.hit = []
        self.over = threading.Event()
        self.fault = None

    def run(self):
        try:
            sight = Sight(self.immortal)
            while self.states and not self.over.is_set():
                state = sight.enters(self.states)
                if state is None:
                    time.sleep(0.0005)
                    continue
                time.sleep(self.draws.random() * DELAY.get(state, 0.005))
                self.immortal.kill()
                self.hit.append(state)
                self.states.remove(state)
                sight.forget()
        except Exception as fault:
            self.fault = fault

    def end(self):
        self.over.set()
        self.join(timeout=60)
        if self.fault:
            raise self.fault


STATES = [
    "step running",
    "output written",
    "accepted",
    "register",
    "gate",
    "shadow",
    "canary 1",
    "segment sealing",
    "canary 2",
    "canary 3",
    "promote",
    "rollback",
]
"""What a life is killed in."""

DELAY = {"output written": 0.0, "segment sealing": 0.01, "shadow": 0.05, "canary 1": 0.05, "canary 2": 0.05}
"""Seconds, at most, between the entrance of a state and the kill in it."""

ENTERED = {
    "accepted": ("step.accepted", lambda body: body["step"] == "train"),
    "register": ("step.accepted", lambda body: body["step"] == "register"),
    "gate": ("gates.evaluated", lambda body: True),
    "shadow": ("rollout.started", lambda body: True),
    "canary 1": ("rollout.advanced", lambda body: body["state"].get("step") == 0),
    "canary 2": ("rollout.advanced", lambda body: body["state"].get("step") == 1),
    "canary 3": ("rollout.advanced", lambda body: body["state"].get("step") == 2),
    "promote": ("rollout.promoted", lambda body: True),
    "rollback": ("rollout.rolled_back", lambda body: True),
}
"""States that an event tells of."""


class Sight:
    """What the record and the data directory show of the state that a server is in."""

    def __init__(self, immortal: Immortal):
        self.data = immortal.data
        self.record = Record(immortal.data, immortal.database)
        self.forget()

    def forget(self):
        self.after = self.record.newest()

    def enters(self, states):
        """The first of the states that is entered just now."""
        for seq, kind, _, body in self.record.events(self.after):
            self.after = max(self.after, seq)
            for state in states:
                entered, holds = ENTERED.get(state, (None, None))
                if entered == kind and holds(body):
                    return state
        work = self.data / "work"
        if "output written" in states and any(work.glob("*/result.json")):
            return "output written"
        if "step running" in states and any(work.glob("*-train-*/order.json")):
            return "step running"
        log = self.data / "segments" / "predictions" / "default"
        if "segment sealing" in states and len(list(log.glob("*.open"))) > 1:
            return "segment sealing"
        return None
