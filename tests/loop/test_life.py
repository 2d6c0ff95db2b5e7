"""The life of a model over the public API: drift, alarm, retraining, gates, shadow, canaries, promotion, and a
candidate in other units rolled back; undisturbed, and under `kill -9` in each of those states.
"""

import collections
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import driver
import lives
import pytest
import world
from server import BINARY

SABOTAGE = 30
"""On this day somebody rolls out a candidate that was trained in other units."""
ENDS = 40


def live(born: Path, place: Path, states=(), seed=0, database=None):
    """One life: what it came to, and the kills by state. No acknowledged prediction is missing from it."""
    shutil.copytree(born, place, dirs_exist_ok=True)
    immortal = lives.Immortal(place / "data", database)
    killer = lives.Killer(immortal, states, seed)
    killer.start()
    try:
        life = driver.Life(immortal, world.visits())
        life.live(world.SERVES_FROM, SABOTAGE)
        params = {"service": "purchase_fahrenheit"}
        start = {"params": params, "data_time": world.day(SABOTAGE), "idempotency_key": "sabotage"}
        immortal.call("POST", "/api/v1/pipelines/retrain/runs", start)
        last = world.START + timedelta(days=SABOTAGE)
        life.settle(world.instant(last - timedelta(minutes=30)))
        life.live(SABOTAGE, ENDS)
        logged = logged_ids(immortal)
    finally:
        killer.end()
        immortal.server.stop()
    verify = [BINARY, "audit", "verify"] + [str(place / "data")] + (["--db", database] if database else [])
    verified = subprocess.run(verify, capture_output=True, text=True, check=False)
    assert verified.returncode == 0, verified.stdout
    acknowledged = [visit["id"] for visit in life.visits if visit["id"] in life.answers]
    assert set(acknowledged) <= set(logged), "an acknowledged prediction is missing"
    doubled = {one for one, count in collections.Counter(logged).items() if count > 1}
    assert doubled <= life.repeated, "a prediction that nobody repeated is logged twice"
    record = lives.Record(place / "data", database)
    came_to = lives.outcome(record.events())
    record.close()
    return came_to, killer.hit


def logged_ids(client):
    ids, token = [], ""
    while token is not None:
        page = client.call("GET", f"/api/v1/endpoints/purchases/predictions?limit=500{token}")
        ids += [item["id"] for item in page["items"]]
        token = page["next_page_token"] and f"&page_token={page['next_page_token']}"
    return ids


@pytest.fixture(scope="module")
def undisturbed(born, tmp_path_factory):
    came_to, _ = live(born, tmp_path_factory.mktemp("undisturbed"))
    return came_to


def test_the_loop_closes_by_itself(undisturbed):
    rollouts = [kind for kind, *_ in undisturbed["rollouts"]]
    through = ["rollout.started"] + 3 * ["rollout.advanced"]
    assert rollouts == through + ["rollout.promoted"] + through + ["rollout.rolled_back"], undisturbed
    assert undisturbed["alarms"][0][0] == "alarm.raised"
    served = [arms for _, arms in undisturbed["served"]]
    assert [version for version, _, role in served[-1] if role == "champion"] == [2]


ROUNDS = 3


def test_a_life_under_kills_comes_to_the_same(born, undisturbed, tmp_path_factory, capsys):
    hit = collections.Counter()
    for seed in range(ROUNDS):
        came_to, states = live(born, tmp_path_factory.mktemp(f"killed-{seed}"), lives.STATES, seed)
        hit.update(states)
        for part, expected in undisturbed.items():
            assert came_to[part] == expected, f"{part} of the life with kills in {states}"
    show(hit, capsys)
    assert sum(hit.values()) >= 30, hit


def show(hit, capsys):
    """Prints the histogram of kills, which has no zero."""
    with capsys.disabled():
        print()
        for state in lives.STATES:
            print(f"  killed in {state:16} {hit[state]:3}")
        print(f"  {sum(hit.values())} kills")
    assert all(hit[state] for state in lives.STATES), hit


def test_on_postgres_a_life_under_kills_comes_to_the_same(undisturbed, postgres, tmp_path_factory, capsys):
    database = lives.fresh_database(postgres, "life")
    born = lives.bear(tmp_path_factory.mktemp("born-postgres"), database)
    came_to, hit = live(born, tmp_path_factory.mktemp("killed-postgres"), lives.STATES, 5, database)
    for part, expected in undisturbed.items():
        assert came_to[part] == expected, part
    show(collections.Counter(hit), capsys)
