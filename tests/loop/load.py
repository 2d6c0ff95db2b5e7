"""A steady load on one server: predictions, labels, and writes to the record, each of them remembered."""

import http.client
import json
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit

import world

PATIENCE = 180
"""Seconds that a client waits for an answer."""
PREDICTORS, LABELLERS = 4, 2


@dataclass(frozen=True)
class Call:
    """One request: what it was about, when it was made and answered, and how."""

    about: object
    began: float
    ended: float
    status: int | str
    kind: str
    body: bytes

    @property
    def seconds(self):
        return self.ended - self.began

    @property
    def is_acknowledged(self):
        return self.status == 200


@dataclass
class Load:
    """Threads that ask until they are told to end. Reading the lists while they do is fine."""

    url: str
    pause: float = 0.004
    predictions: list[Call] = field(default_factory=list)
    labels: list[Call] = field(default_factory=list)
    records: dict[str, list[Call]] = field(default_factory=dict)

    def __post_init__(self):
        self.over = threading.Event()
        self.unlabelled = deque()
        work = [(self.predict, number) for number in range(PREDICTORS)] + [(self.label,)] * LABELLERS
        work += [(self.write, "pipelines", self.put_pipeline), (self.write, "metrics", self.log_batch)]
        self.run = self.call(Line(self.url), None, "POST", "/api/2.0/mlflow/runs/create", {"experiment_id": "0"})
        assert self.run.is_acknowledged, self.run
        self.run = json.loads(self.run.body)["run"]["info"]["run_id"]
        self.threads = [threading.Thread(target=target, args=args, daemon=True) for target, *args in work]
        for thread in self.threads:
            thread.start()

    def end(self):
        """Lets every thread finish what it is at."""
        self.over.set()
        for thread in self.threads:
            thread.join(timeout=PATIENCE)
            assert not thread.is_alive()

    @staticmethod
    def call(line, about, method, path, body, kind="application/json"):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        began = time.monotonic()
        try:
            status, kind, answer = line.ask(method, path, body, kind)
        except (OSError, http.client.HTTPException) as fault:
            status, kind, answer = repr(fault), "", b""
        return Call(about, began, time.monotonic(), status, kind, answer)

    def predict(self, number):
        line, count = Line(self.url), 0
        while not self.over.wait(self.pause):
            visit = {"id": f"{number + 1:016x}{count:016x}", "shop": f"shop-{count % 6}", "celsius": 15.0}
            at = world.START + timedelta(days=world.SERVES_FROM, seconds=count)
            body = {
                "inputs": [],
                "parameters": {
                    "data_time": [world.instant(at)],
                    "prediction_id": [visit["id"]],
                    "entity": {"shop": [visit["shop"]], "celsius": [visit["celsius"]]},
                },
            }
            made = self.call(line, visit["id"], "POST", "/v2/models/purchases/infer", body)
            self.predictions.append(made)
            if made.is_acknowledged:
                label = {"prediction_id": visit["id"], "value": bool(count % 2), "at": world.instant(at)}
                self.unlabelled.append(json.dumps(label))
            count += 1

    def label(self):
        line = Line(self.url)
        while not self.over.wait(self.pause * 4):
            batch = [self.unlabelled.popleft() for _ in range(min(20, len(self.unlabelled) // 2))]
            if batch:
                body = "\n".join(batch).encode()
                made = self.call(line, batch, "POST", "/api/v1/labels", body, "application/x-ndjson")
                self.labels.append(made)

    def write(self, name, make):
        line, calls = Line(self.url), self.records.setdefault(name, [])
        while not self.over.wait(self.pause * 4):
            calls.append(make(line, len(calls)))

    def put_pipeline(self, line, number):
        text = f"stages:\n  only: {{cmd: echo {number}}}\n".encode()
        return self.call(line, number, "PUT", f"/api/v1/pipelines/p{number}", text, "application/yaml")

    def log_batch(self, line, number):
        batch = {
            "run_id": self.run,
            "metrics": [{"key": f"m{number}", "value": 1.0, "timestamp": 1, "step": 0}],
            "params": [{"key": f"p{number}", "value": "x"}],
            "tags": [{"key": f"t{number}", "value": "x"}],
        }
        return self.call(line, number, "POST", "/api/2.0/mlflow/runs/log-batch", batch)


class Line:
    """One connection, made again after a fault."""

    def __init__(self, url):
        self.address = urlsplit(url).netloc
        self.connection = None

    def ask(self, method, path, body, kind):
        self.connection = self.connection or http.client.HTTPConnection(self.address, timeout=PATIENCE)
        try:
            self.connection.request(method, path, body, {"content-type": kind})
            answer = self.connection.getresponse()
            return answer.status, answer.headers.get("content-type", ""), answer.read()
        except (OSError, http.client.HTTPException):
            self.connection.close()
            self.connection = None
            raise
