"""Lives through the world's days as its clients would: predictions asked, labels reported, in data time.

Everything goes through the public API. A day part is only begun when the server has settled: it has folded
what it was sent, and nothing waits to be decided. So what the loop decides depends on the data alone, and
can be compared between two lives.
"""

import json
import time
import urllib.error
import urllib.request
from datetime import timedelta

import world

PART = timedelta(hours=6)
"""How much of a day is sent in one request."""


class Client:
    """Speaks to one server; where it listens may change from life to life."""

    def __init__(self, url):
        self.url = url

    def call(self, method, path, body=None, kind="application/json"):
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)
        if data is not None:
            request.add_header("content-type", kind)
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None


def rows_of(part):
    return {
        "inputs": [],
        "parameters": {
            "data_time": [world.instant(visit["at"]) for visit in part],
            "key": [visit["shop"] for visit in part],
            "prediction_id": [visit["id"] for visit in part],
            "entity": {
                "shop": [visit["shop"] for visit in part],
                "celsius": [visit["celsius"] for visit in part],
            },
        },
    }


def labels_of(visits, ids):
    lines = []
    for visit in visits:
        known = world.instant(visit["at"] + world.KNOWN_AFTER)
        label = {"prediction_id": ids[visit["id"]], "value": visit["bought"], "at": world.instant(visit["at"]), "arrived": known}
        lines.append(json.dumps(label))
    return "\n".join(lines).encode()


def has_settled(client, until):
    """Whether everything before `until` is folded, decided and carried out."""
    # What was folded may have started a run, and a run may have revised the endpoint: in this order.
    return is_folded(client, until) and is_at_rest(client) and is_folded(client, until)


def is_folded(client, until):
    endpoint = client.call("GET", "/api/v1/endpoints/purchases")
    watch, served = endpoint["watch"], endpoint["predictor"]
    if watch is None or watch["busy"] or watch["watermark"] < until:
        return False
    return served["revision"] == endpoint["revision"]["number"]


def is_at_rest(client):
    """Whether no step works: all are over, or wait for others or for evidence."""
    for run in client.call("GET", "/api/v1/pipeline-runs?state=running,waiting")["items"]:
        for step in client.call("GET", f"/api/v1/pipeline-runs/{run['id']}")["steps"]:
            over = step["state"] in ("accepted", "failed", "skipped", "cancelled", "pending")
            parked = step["uses"] == "rollout" and step["state"] == "waiting"
            if not (over or parked):
                return False
    return True


class Life:
    """One life of a model. `server` answers `call` as `Client` does."""

    def __init__(self, server, visits):
        self.server = server
        self.visits = visits
        self.answers = {}
        self.repeated = set()
        self.reported = 0

    def settle(self, until, seconds=60):
        deadline = time.monotonic() + seconds
        while not has_settled(self.server, until):
            if time.monotonic() > deadline:
                raise AssertionError(f"not settled within {seconds} s at {until}")
            time.sleep(0.005)

    def report(self, now):
        """Labels that are known by `now`."""
        upto = self.reported
        while upto < len(self.visits) and self.visits[upto]["at"] + world.KNOWN_AFTER <= now:
            upto += 1
        batch = self.visits[self.reported : upto]
        batch = [visit for visit in batch if visit["id"] in self.answers]
        if batch:
            self.server.call("POST", "/api/v1/labels", labels_of(batch, self.answers), "application/x-ndjson")
        self.reported = upto

    def ask(self, part):
        lost = getattr(self.server, "lost", 0)
        answer = self.server.call("POST", "/v2/models/purchases/infer", rows_of(part))
        if getattr(self.server, "lost", 0) > lost:
            self.repeated |= {visit["id"] for visit in part}
        for visit, given in zip(part, answer["parameters"]["prediction_ids"], strict=True):
            assert given == visit["id"]
            self.answers[visit["id"]] = given

    def live(self, first_day, last_day):
        start = world.START + timedelta(days=first_day)
        end = world.START + timedelta(days=last_day)
        while start < end:
            part = [visit for visit in self.visits if start <= visit["at"] < start + PART]
            self.report(start)
            self.ask(part)
            self.settle(world.instant(part[-1]["at"]))
            start += PART
