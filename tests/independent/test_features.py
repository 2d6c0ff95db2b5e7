"""Features that were served, against what DuckDB's ASOF joins make of the tables: see features.sql.

The demonstration replays some days with a server, which is then asked about more: any carrier at any hour, so that
windows have emptied. What its prediction log lists is sampled and computed anew from
demo/flights/*.parquet. It must be equal: values to the last bit, and the instants of the rows that were read.
"""

import copy
import random
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import duckdb
import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests/loop"))

import driver  # noqa: E402
from server import BINARY, Server  # noqa: E402

FLIGHTS = ROOT / "demo/flights"
DAYS = 15
STARTS = datetime(2013, 3, 15, 5, tzinfo=timezone.utc)
CARRIED = timedelta(days=14 + 8)
"""So far feature values have been carried after that many days."""
DRAWN = 2_500
SAMPLE = 10_000
EMPTIED = 500
"""At least so many predictions of the sample must have found an emptied window."""
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def micros(instant):
    return (datetime.fromisoformat(instant.replace("Z", "+00:00")) - EPOCH) // timedelta(microseconds=1)


@pytest.fixture(scope="module")
def client(pytestconfig, tmp_path_factory):
    """Of a server with which the demonstration was replayed."""
    named = pytestconfig.getoption("--data")
    server = Server(Path(named) if named else tmp_path_factory.mktemp("flights") / "data")
    try:
        if not named:
            command = [BINARY, "demo", str(FLIGHTS), "--days", str(DAYS), "--server", server.url]
            demo = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
            assert demo.returncode == 0, demo.stderr
        yield driver.Client(server.url)
    finally:
        server.stop()


@pytest.fixture(scope="module")
def tables():
    base = duckdb.connect()
    for table in ("flights", "weather", "planes"):
        base.execute(f"CREATE TABLE {table} AS FROM '{FLIGHTS}/{table}.parquet'")
    return base


@pytest.fixture(scope="module")
def drawn(client, tables, pytestconfig):
    """Requests about no flight in particular, by id; none of a data directory that was named."""
    if pytestconfig.getoption("--data"):
        return {}
    draws = random.Random(3)
    values = {name: tables.sql(f"SELECT DISTINCT {name} FROM flights ORDER BY 1").fetchall() for name in ("carrier", "tailnum")}
    carriers, planes = ([value for (value,) in values[name]] for name in ("carrier", "tailnum"))
    minutes = sorted(draws.randrange(CARRIED // timedelta(minutes=1)) for _ in range(DRAWN))
    requests = {}
    for number, minute in enumerate(minutes):
        requests[f"{(1 << 64) + number:032x}"] = {
            "at": STARTS + timedelta(minutes=minute),
            "carrier": draws.choice([*carriers, "unheard of"]),
            "origin": draws.choice(["EWR", "JFK", "LGA", "BOS"]),
            "tailnum": draws.choice([*planes, "N0", None]),
            "distance": draws.randrange(80, 5_000),
        }
    for first in range(0, DRAWN, 500):
        part = dict(list(requests.items())[first : first + 500])
        entity = {name: [one[name] for one in part.values()] for name in ("carrier", "origin", "tailnum", "distance")}
        times = [one["at"].isoformat() for one in part.values()]
        parameters = {"data_time": times, "prediction_id": list(part), "entity": entity}
        client.call("POST", "/v2/models/delays/infer", {"inputs": [], "parameters": parameters})
    return requests


def listed(client):
    """What the log lists, the first of each id."""
    seen, token = set(), ""
    while token is not None:
        page = client.call("GET", f"/api/v1/endpoints/delays/predictions?limit=500{token}")
        for item in page["items"]:
            if item["id"] not in seen:
                seen.add(item["id"])
                yield item
        token = page["next_page_token"] and f"&page_token={page['next_page_token']}"


def fill(base, table, columns, rows):
    base.execute(f"CREATE TABLE {table} ({columns})")
    if rows:
        lists = [list(column) for column in zip(*rows, strict=True)]
        base.execute(f"INSERT INTO {table} SELECT {', '.join('unnest(?)' for _ in lists)}", lists)


@pytest.fixture(scope="module")
def logged(client, tables, drawn):
    """The ids of the log and of those with an emptied window, of which `answers` now holds what is expected."""
    asked = [
        (item["id"], micros(item["at"]), item["key"], item["entities"]["origin"])
        for item in listed(client)
        if item["id"] not in drawn
    ]
    fill(tables, "asked", "id VARCHAR, asked_at BIGINT, key VARCHAR, origin VARCHAR", asked)
    columns = "id VARCHAR, asked_at BIGINT, carrier VARCHAR, origin VARCHAR, tailnum VARCHAR, distance BIGINT"
    rows = [(one, micros(it["at"].isoformat()), *list(it.values())[1:]) for one, it in drawn.items()]
    fill(tables, "drawn", columns, rows)
    tables.execute((Path(__file__).parent / "features.sql").read_text())
    assert not tables.sql("FROM answers WHERE contradicts").fetchall(), "the script contradicts itself"
    ids = [one for one, *_ in asked] + list(drawn)
    counted = tables.sql("SELECT id FROM answers").fetchall()
    assert sorted(ids) == sorted(one for (one,) in counted), "a flight is in the tables twice, or the log lacks one"
    return ids, {one for (one,) in tables.sql("SELECT id FROM answers WHERE has_emptied").fetchall()}


@pytest.fixture(scope="module")
def sampled(client, tables, logged):
    """What was served and what is expected, by id: a random sample, and more of those with an emptied window."""
    ids, emptied = logged
    draws = random.Random(2013)
    chosen = set(draws.sample(sorted(ids), SAMPLE))
    rest = sorted(emptied - chosen)
    chosen |= set(draws.sample(rest, min(len(rest), 2 * EMPTIED)))
    served = {item["id"]: told(item) for item in listed(client) if item["id"] in chosen}
    expected = {}
    for one, entities, features, reads in tables.sql("SELECT id, entities, features, reads FROM answers").fetchall():
        if one in chosen:
            reads = {view: named(**read) for view, read in reads.items()}
            expected[one] = {"entities": entities, "features": features, "reads": reads}
    return served, expected


def told(item):
    """What a logged prediction says that it was asked, served, and read."""
    reads = {view: read and (micros(read["ts"]), micros(read["created"])) for view, read in item["reads"].items()}
    return {"at": micros(item["at"]), "entities": item["entities"], "features": item["features"], "reads": reads}


def named(ts, is_fresh):
    """What the log may name as read. A row past its ttl does not answer; it is named until it is forgotten."""
    newest = ts if ts is None else (ts, ts)
    return {newest} if is_fresh else {newest, None}


def differences(served, expected):
    """Each as (id, part, name, what was served, what was expected)."""
    found = [(one, "id", None, one in served, one in expected) for one in served.keys() ^ expected.keys()]
    for one in served.keys() & expected.keys():
        for part in ("entities", "features", "reads"):
            left, right = served[one][part], expected[one][part]
            for name in sorted(left.keys() | right.keys()):
                got, wanted = left.get(name, "absent"), right.get(name, "absent")
                if not (got in wanted if part == "reads" else got == wanted):
                    found.append((one, part, name, got, wanted))
    return found


def test_features_served_are_those_of_an_independent_script(logged, sampled, capsys):
    (ids, emptied), (served, expected) = logged, sampled
    emptied &= served.keys()
    different = differences(served, expected)
    days = {told["at"] // 86_400_000_000 for told in served.values()}
    with capsys.disabled():
        print(f"\n  {len(served)} of {len(ids)} predictions, on {len(days)} days; ", end="")
        print(f"in {len(emptied)} a window had emptied; {len(different)} differences")
    assert not different, "\n".join(map(str, different[:20]))
    assert len(emptied) >= EMPTIED


CHANGES = {
    "a count": lambda told: told["features"].update(origin_recent__departures_3h=-1),
    "the last bit": lambda told: told["features"].update(miles=told["features"]["miles"] * (1 + 2**-52)),
    "a value that is missing": lambda told: told["features"].update(weather_now__visib=None),
    "an instant": lambda told: told["reads"].update(origin_recent=(0, 0)),
    "a feature that is left out": lambda told: told["features"].pop("miles"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_comparison_finds_what_is_changed(sampled, change):
    served, expected = sampled
    one = next(one for one in sorted(served) if served[one]["features"]["weather_now__visib"])
    changed = {one: copy.deepcopy(served[one])}
    assert not differences(changed, {one: expected[one]})
    CHANGES[change](changed[one])
    assert len(differences(changed, {one: expected[one]})) == 1
