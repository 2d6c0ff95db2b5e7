"""The demonstration, while its server is killed fifty times: it comes to what an undisturbed one comes to."""

import hashlib
import json
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests/loop"))

import driver  # noqa: E402
import lives  # noqa: E402
from reaper import Reaper, logged  # noqa: E402
from server import BINARY, Server  # noqa: E402

FLIGHTS = ROOT / "demo/flights"
PATIENCE = 3_600
"""Seconds that one life may take."""


def demo(pytestconfig, *options):
    days = pytestconfig.getoption("--days")
    return [BINARY, "demo", str(FLIGHTS), *options, *(["--days", str(days)] if days else [])]


@pytest.fixture(scope="module")
def undisturbed(pytestconfig, tmp_path_factory):
    """The data directory of an undisturbed life."""
    if named := pytestconfig.getoption("--undisturbed"):
        return Path(named)
    place = tmp_path_factory.mktemp("undisturbed")
    command = demo(pytestconfig, "--data", str(place / "data"))
    with open(place / "story", "w") as story:
        done = subprocess.run(command, stdout=story, stderr=subprocess.STDOUT, check=False, timeout=PATIENCE)
    assert done.returncode == 0, (place / "story").read_text()
    return place / "data"


@pytest.fixture(scope="module")
def killed(pytestconfig, undisturbed, tmp_path_factory):
    """The data directory of a life under kills, and who killed."""
    place = tmp_path_factory.mktemp("killed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{probe.getsockname()[1]}"
    immortal = lives.Immortal(place / "data", listen=listen)
    kills, seed = pytestconfig.getoption("--kills"), pytestconfig.getoption("--seed")
    reaper = Reaper(immortal, kills, seed, logged(undisturbed))
    with open(place / "story", "w") as story:
        command = demo(pytestconfig, "--server", f"http://{listen}")
        began = time.monotonic()
        replay = subprocess.Popen(command, stdout=story, stderr=subprocess.STDOUT)
        reaper.start()
        try:
            while replay.poll() is None and not reaper.fault:
                assert time.monotonic() < began + PATIENCE, "the replay does not end"
                time.sleep(0.05)
        finally:
            replay.kill()
            replay.wait()
            reaper.over.set()
            reaper.join(timeout=120)
            immortal.server.stop()
    if reaper.fault:
        raise reaper.fault
    assert replay.returncode == 0, (place / "story").read_text()
    return place / "data", reaper, time.monotonic() - began


def predictions(data):
    """By id, a digest of what was asked and answered; and the ids that the log has twice."""
    server = Server(data)
    try:
        client, found, doubled, token = driver.Client(server.url), {}, set(), ""
        while token is not None:
            page = client.call("GET", f"/api/v1/endpoints/delays/predictions?limit=500{token}")
            for item in page["items"]:
                said = digest(item)
                if item["id"] in found:
                    doubled.add(item["id"])
                if found.setdefault(item["id"], said) != said:
                    raise AssertionError(f"{item['id']} was asked twice, and answered differently")
            token = page["next_page_token"] and f"&page_token={page['next_page_token']}"
    finally:
        server.stop()
    return found, doubled


def digest(item):
    """Of everything but the machine's time, and whom a canary's draw of the keys, another in each life, chose."""
    for differs in ("received", "assigned", "answered"):
        del item[differs]
    for arm in item["arms"]:
        del arm["latency_micros"]
    return hashlib.blake2b(json.dumps(item, sort_keys=True).encode(), digest_size=12).digest()


def test_the_demonstration_under_kills_comes_to_the_same(undisturbed, killed, pytestconfig, capsys):
    data, reaper, seconds = killed
    with capsys.disabled():
        print(f"\n  {reaper.kills} kills in {seconds:.0f} s")
        for line in reaper.histogram():
            print(f"  {line}")
    assert reaper.kills == pytestconfig.getoption("--kills")
    came_to = {life: lives.outcome(lives.Record(life, None).events()) for life in (undisturbed, data)}
    for part, expected in came_to[undisturbed].items():
        assert came_to[data][part] == expected, f"{part} of the life with kills"
    with capsys.disabled():
        print("  the same: " + ", ".join(f"{len(told)} {part}" for part, told in came_to[data].items()))
    for check in ([], ["--state"]):
        verified = subprocess.run(
            [BINARY, "audit", "verify", *check, str(data)], capture_output=True, text=True, check=False
        )
        assert verified.returncode == 0, verified.stdout + verified.stderr


def test_no_prediction_is_missing_or_changed(undisturbed, killed, capsys):
    data, reaper, _ = killed
    expected, _ = predictions(undisturbed)
    found, doubled = predictions(data)
    with capsys.disabled():
        print(f"\n  {len(found)} predictions; {len(doubled)} are in the log twice, as their answers got lost")
    assert found.keys() == expected.keys()
    assert not [one for one in found if found[one] != expected[one]]
