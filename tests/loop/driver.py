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
                "temp": [visit["temp"] for visit in part],
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
    endpoint = client.call("GET", "/api/v1/endpoints/purchases")
    watch, served = endpoint["watch"], endpoint["predictor"]
    if watch is None or watch["busy"] or watch["watermark"] < until:
        return False
    if served["revision"] != endpoint["revision"]["number"]:
        return False
    runs = client.call("GET", "/api/v1/pipeline-runs?state=running,waiting")["items"]
    for run in runs:
        steps = client.call("GET", f"/api/v1/pipeline-runs/{run['id']}")["steps"]
        for step in steps:
            at_rest = step["state"] in ("accepted", "failed", "skipped", "cancelled", "pending")
            parked = step["uses"] == "rollout" and step["state"] == "waiting"
            if not (at_rest or parked):
                return False
    return True


class Life:
    """One life of a model: `client` is asked for the server that lives now."""

    def __init__(self, client, visits):
        self.client = client
        self.visits = visits
        self.answers = {}
        self.reported = 0

    def settle(self, until, seconds=60):
        deadline = time.monotonic() + seconds
        while not has_settled(self.client(), until):
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
            self.client().call("POST", "/api/v1/labels", labels_of(batch, self.answers), "application/x-ndjson")
        self.reported = upto

    def live(self, first_day, last_day):
        start = world.START + timedelta(days=first_day)
        end = world.START + timedelta(days=last_day)
        while start < end:
            part = [visit for visit in self.visits if start <= visit["at"] < start + PART]
            self.report(start)
            answer = self.client().call("POST", "/v2/models/purchases/infer", rows_of(part))
            for visit, given in zip(part, answer["parameters"]["prediction_ids"], strict=True):
                self.answers[visit["id"]] = given
            self.settle(world.instant(part[-1]["at"]))
            start += PART
