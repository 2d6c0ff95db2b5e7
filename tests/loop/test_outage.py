"""The database is locked, frozen or shut down under load. Predictions and labels need none: not one fails or
waits for it, and none that was acknowledged is missing afterwards. What goes on the record waits, or is refused
in the words of its protocol; then nothing of it is there.
"""

import collections
import json
import os
import shutil
import subprocess
import time

import driver
import lives
import outages
import pytest
from load import Line, Load
from server import BINARY, Server

LENGTH = float(os.environ.get("MAINSTAY_OUTAGE", "4"))
"""Seconds that an outage lasts."""
SLOWEST = min(2.0, LENGTH / 2)
"""Seconds that a prediction may take at most."""


def wait_for(what, is_so, seconds=120):
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.01)


def acknowledged(calls, since=0.0, until=float("inf")):
    return [call for call in calls if call.is_acknowledged and since <= call.began and call.ended <= until]


def endure(data, database, outage):
    """Load before, in and after an outage. What was asked, the span of the outage, and the server."""
    server = Server(data, database)
    load = Load(server.url)

    def everywhere(count, since):
        kinds = [load.predictions, load.labels, *load.records.values()]
        return len(kinds) == 4 and all(len(acknowledged(calls, since)) >= count for calls in kinds)

    wait_for("load", lambda: everywhere(20, 0.0))
    with outage:
        began = time.monotonic()
        load.over.wait(LENGTH)
        ended = time.monotonic()
    wait_for("answers to all of it after the outage", lambda: everywhere(1, ended))
    load.end()
    return server, load, (began, ended)


def check_refusals(records):
    """A write that was not acknowledged was refused as its protocol refuses."""
    for name, calls in records.items():
        for call in calls:
            if call.is_acknowledged:
                continue
            assert call.status in (500, 503), call
            told = json.loads(call.body)
            if name == "pipelines":
                assert call.kind == "application/problem+json" and told["code"] == "unavailable", call
            else:
                assert told["error_code"] in ("TEMPORARILY_UNAVAILABLE", "INTERNAL_ERROR") and told["message"], call


def check_record(client, load):
    """What was acknowledged is there; of what was not, all or nothing."""
    listed, token = set(), ""
    while token is not None:
        page = client.call("GET", f"/api/v1/pipelines?limit=500{token}")
        listed |= {item["name"] for item in page["items"]}
        token = page["next_page_token"] and f"&page_token={page['next_page_token']}"
    assert {f"p{call.about}" for call in acknowledged(load.records["pipelines"])} <= listed
    run = client.call("GET", f"/api/2.0/mlflow/runs/get?run_id={load.run}")["run"]["data"]
    parts = {kind: {one["key"][1:] for one in run[kind] if one["key"][1:].isdigit()} for kind in ("metrics", "params", "tags")}
    assert parts["metrics"] == parts["params"] == parts["tags"], "a batch was half written"
    assert {str(call.about) for call in acknowledged(load.records["metrics"])} <= parts["metrics"]


def check_logs(client, load):
    """No acknowledged prediction or label is missing, none doubled."""
    logged, token = collections.Counter(), ""
    while token is not None:
        page = client.call("GET", f"/api/v1/endpoints/purchases/predictions?limit=500{token}")
        logged.update(item["id"] for item in page["items"])
        token = page["next_page_token"] and f"&page_token={page['next_page_token']}"
    assert logged == collections.Counter(call.about for call in acknowledged(load.predictions))
    line = Line(client.url)
    for call in acknowledged(load.labels):
        again = Load.call(line, None, "POST", "/api/v1/labels", "\n".join(call.about).encode(), "application/x-ndjson")
        assert json.loads(again.body)["duplicate"] == len(call.about), "an acknowledged label is missing"


def report(name, load, span, capsys):
    began, ended = span
    within = [call for call in load.predictions if call.began < ended and call.ended > began]
    writes = [call for calls in load.records.values() for call in calls]
    with capsys.disabled():
        print(f"\n  {name} for {ended - began:.1f} s: {len(load.predictions)} predictions, {len(within)} in the outage, ", end="")
        print(f"slowest {max(call.seconds for call in within) * 1e3:.0f} ms; {len(load.labels)} batches of labels, ", end="")
        print(f"slowest {max(call.seconds for call in load.labels) * 1e3:.0f} ms; {len(writes)} writes to the record, ", end="")
        refused = sum(not call.is_acknowledged for call in writes)
        print(f"{refused} refused, slowest {max(call.seconds for call in writes):.1f} s")
    return within


def stand(name, born, place, database, outage, capsys):
    shutil.copytree(born, place, dirs_exist_ok=True)
    server, load, span = endure(place / "data", database, outage)
    try:
        within = report(name, load, span, capsys)
        failed = [call for call in load.predictions + load.labels if not call.is_acknowledged]
        assert not failed, failed[:3]
        assert len(acknowledged(within, *span)) >= 50, "hardly a prediction in the outage"
        assert max(call.seconds for call in load.predictions) < SLOWEST
        check_refusals(load.records)
        client = driver.Client(server.url)
        check_record(client, load)
        check_logs(client, load)
    finally:
        server.stop()
    verify = [BINARY, "audit", "verify", "--state"] + [str(place / "data")] + (["--db", database] if database else [])
    verified = subprocess.run(verify, capture_output=True, text=True, check=False)
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_while_sqlite_is_locked(born, tmp_path, capsys):
    stand("SQLite locked", born, tmp_path, None, outages.locked(tmp_path / "data"), capsys)


@pytest.mark.parametrize("outage", ["frozen", "away"])
def test_while_postgres_is(outage, postgres, tmp_path_factory, capsys):
    database = lives.fresh_database(postgres, f"outage_{outage}")
    born = lives.bear(tmp_path_factory.mktemp("born-postgres"), database)
    place = tmp_path_factory.mktemp(outage)
    stand(f"PostgreSQL {outage}", born, place, database, getattr(outages.Postgres(postgres), outage)(), capsys)
