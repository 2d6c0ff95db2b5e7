"""Independent answers for feature rows, by DuckDB.

    python features.py fixture > features.json      (what the crate's tests read)
    python features.py compare FRAME.parquet --entities E.parquet --view NAME=ROWS.parquet:TTL_SECONDS:KEY[,KEY…] …

`fixture` draws facts and entity rows, and computes windowed aggregates straight from the facts by a
correlated aggregate per entity row (no step functions anywhere), and a plain view by ASOF JOIN.

`compare` joins emitted rows to entity rows by ASOF JOIN and compares every cell of a frame. ASOF JOIN
knows one inequality, so it is applied to rows in the order in which they become visible, after dropping
the rows that a greater (ts, created) hides from the start; without late rows nothing is dropped.

Needs duckdb and numpy.
"""

import argparse
import json
import sys

import duckdb
import numpy as np

HOUR = 3_600_000_000
WINDOW = 3 * HOUR
TTL = 6 * HOUR


def draw(seed=20130101):
    rng = np.random.default_rng(seed)
    facts, step = [], 10 * 60_000_000  # instants on a grid of ten minutes, so that edges are met
    for i in range(400):
        ts = int(rng.integers(0, 7 * 24 * 6)) * step
        late = int(rng.integers(1, 60)) * step if rng.random() < 0.2 else 0
        delay = None if rng.random() < 0.1 else round(float(rng.normal(10, 40)), 3)
        facts.append((["EWR", "JFK", "LGA", None][int(rng.choice(4, p=[0.4, 0.3, 0.25, 0.05]))], ts, ts + late, delay))
    entities = []
    for i in range(600):
        origin = ["EWR", "JFK", "LGA", "ZZZ", None][int(rng.choice(5, p=[0.35, 0.3, 0.25, 0.05, 0.05]))]
        entities.append((i, origin, int(rng.integers(0, 8 * 24 * 6)) * step))
    for fact in facts[:40]:  # exactly on the edges of windows and ttl
        for edge in (0, WINDOW - 1, WINDOW, WINDOW + 1, TTL, TTL + 1):
            entities.append((len(entities), fact[0], fact[1] + edge))
    return facts, entities


def tables(db, facts, entities):
    db.execute("create table facts(id integer, origin varchar, ts bigint, created bigint, delay double)")
    db.executemany("insert into facts values (?,?,?,?,?)", [(i, *fact) for i, fact in enumerate(facts)])
    db.execute("create table entities(row_id bigint, origin varchar, moment bigint)")
    db.executemany("insert into entities values (?,?,?)", entities)


def windowed(db):
    """The aggregates over facts with at - window < ts <= at and created <= at, of rows within the ttl."""
    # A breakpoint that is known keeps the step function alive for the ttl: the entry and the expiry of a fact.
    return db.execute(
        f"""
        with alive as (
          select e.row_id, max(case when f.ts + {WINDOW} <= e.moment then f.ts + {WINDOW} else f.ts end) as newest
          from entities e join facts f on f.origin = e.origin and f.created <= e.moment and f.ts <= e.moment
          group by e.row_id)
        select e.row_id,
          case when a.newest >= e.moment - {TTL} then count(f.id) end,
          case when a.newest >= e.moment - {TTL} then sum(f.delay) end,
          case when a.newest >= e.moment - {TTL} then avg(f.delay) end,
          case when a.newest >= e.moment - {TTL} then min(f.delay) end,
          case when a.newest >= e.moment - {TTL} then max(f.delay) end,
          case when a.newest >= e.moment - {TTL} then avg((f.delay > 15)::int) end
        from entities e
          left join alive a using (row_id)
          left join facts f on f.origin = e.origin and f.created <= e.moment
            and f.ts <= e.moment and f.ts > e.moment - {WINDOW}
        group by e.row_id, e.moment, a.newest order by e.row_id"""
    ).fetchall()


def plain(db):
    """ASOF over the facts that were known at once, each instant once, within the ttl."""
    return db.execute(
        f"""
        with known as (
          select origin, ts, any_value(delay order by id) as delay from facts
          where created = ts and origin is not null group by origin, ts having count(*) = 1)
        select e.row_id, case when k.ts >= e.moment - {TTL} then k.delay end
        from entities e asof left join known k on e.origin = k.origin and e.moment >= k.ts
        order by e.row_id"""
    ).fetchall()


def fixture():
    db = duckdb.connect()
    facts, entities = draw()
    tables(db, facts, entities)
    once = db.execute(
        "select origin, ts, any_value(delay) from facts where created = ts and origin is not null "
        "group by origin, ts having count(*) = 1 order by origin, ts"
    ).fetchall()
    answers = windowed(db)
    empty = sum(1 for row in answers if row[1] == 0)
    assert empty >= 30, "the fixture must hold windows that have emptied"
    json.dump(
        {"facts": facts, "once": once, "entities": entities, "windowed": answers, "plain": plain(db)},
        sys.stdout,
        separators=(",", ":"),
    )


def compare(arguments):
    db = duckdb.connect()
    db.execute("set TimeZone = 'UTC'")
    frame = db.execute(f"select row_id, columns('.*__.*') from read_parquet('{arguments.frame}') order by row_id")
    columns = [column[0] for column in frame.description]
    rows = {row[columns.index("row_id")]: row for row in frame.fetchall()}
    cells = wrong = emptied = 0
    for given in arguments.view:
        name, rest = given.split("=", 1)
        path, ttl, keys = rest.rsplit(":", 2)
        keys = [key for key in keys.split(",") if key]
        on = "".join(f" and e.{key} = r.{key}" for key in keys)
        wanted = [column for column in columns if column.startswith(name + "__")]
        features = ", ".join(f'r."{column[len(name) + 2:]}"' for column in wanted)
        partition = f"partition by {', '.join(keys)}" if keys else ""
        db.execute(
            f"""create or replace temp table visible as
            with rows as (select *, greatest(event_timestamp, created_timestamp) as visible
                          from read_parquet('{path}') where created_timestamp is not null),
            ranked as (select *, max((event_timestamp, created_timestamp)) over (
                         {partition} order by visible range unbounded preceding) as greatest from rows)
            select * from ranked where greatest = (event_timestamp, created_timestamp)"""
        )
        limit = f"r.event_timestamp >= e.event_timestamp - interval {int(ttl)} second" if int(ttl) else "true"
        answers = db.execute(
            f"""select e.row_id, coalesce({limit}, false), {features}
            from read_parquet('{arguments.entities}') e
            asof left join visible r on e.event_timestamp >= r.visible{on}"""
        ).fetchall()
        assert len(answers) == len(rows), f"{name}: {len(answers)} answers for {len(rows)} rows"
        for row_id, fresh, *values in answers:
            for column, value in zip(wanted, values):
                expected = value if fresh else None
                found = rows[row_id][columns.index(column)]
                cells += 1
                emptied += expected == 0
                same = expected == found or (expected is None) == (found is None) and (
                    isinstance(expected, float)
                    and (abs(expected - found) <= 1e-9 * max(1.0, abs(expected)) or expected != expected)
                )
                if not same:
                    wrong += 1
                    if wrong <= 10:
                        print(f"row {row_id} {column}: expected {expected}, found {found}")
    print(json.dumps({"rows": len(rows), "cells": cells, "zeros": emptied, "wrong": wrong}))
    sys.exit(1 if wrong or not cells else 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("fixture")
    comparing = commands.add_parser("compare")
    comparing.add_argument("frame")
    comparing.add_argument("--entities", required=True)
    comparing.add_argument("--view", action="append", required=True)
    arguments = parser.parse_args()
    fixture() if arguments.command == "fixture" else compare(arguments)
