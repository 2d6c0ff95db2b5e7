"""Clients write all kinds of things at once while the server is killed: what was answered is there, whole, once."""

import os
import random
import statistics
import subprocess
import time
from collections import Counter

import pytest
from lives import fresh_database
from server import BINARY, Server
from writes import Line, Writer, swept, write_until

CLIENTS = 6
KILLS = {"sqlite": int(os.environ.get("MAINSTAY_KILLS", "12")), "postgres": int(os.environ.get("MAINSTAY_KILLS_POSTGRES", "4"))}


KINDS = ("run", "batch", "metric", "file", "version", "trace", "assessment", "issue", "purge")
PURGED = ("run", "run_artifacts", "trace", "experiment")


def told(writers):
    """How much of each kind was acknowledged, and how much was purged."""
    gone = Counter(kind for writer in writers for kind, *_ in writer.gone)
    sure = {kind: sum(len(writer.sure[kind]) for writer in writers) for kind in KINDS}
    return sure | {f"{kind} purged": gone[kind] for kind in PURGED}


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_whatever_was_answered_outlives_kills(kind, tmp_path, request):
    rng = random.Random(7)
    database = fresh_database(request.getfixturevalue("postgres"), f"writes_{os.getpid()}") if kind == "postgres" else None
    data = tmp_path / "data"
    writers = [Writer(f"w{n}", random.Random(n)) for n in range(CLIENTS)]
    server = Server(data, database)
    for writer in writers:
        writer.begin(Line(server.url))
    back = []
    for kill in range(10 * KILLS[kind]):
        # On a slow machine little is written before a kill; then there are more of them.
        if kill >= KILLS[kind] and min(told(writers).values()) > 0:
            break
        life = rng.uniform(0.05, 0.8)

        def end(stop, server=server, life=life):
            # The kill comes at any moment: that is what is tested, and nothing is waited for.
            stop.wait(life)
            server.kill()
            stop.set()

        write_until(writers, server.url, end)
        if rng.random() < 0.5:
            # Once more, as it goes on with what was purged: that begins when it does.
            server = Server(data, database)
            time.sleep(rng.uniform(0, 0.02))
            server.kill()
        began = time.monotonic()
        server = Server(data, database)
        back.append(time.monotonic() - began)
        line = Line(server.url)
        for writer in writers:
            writer.check(line, everything=False)
    line = Line(server.url)
    swept(line)
    for writer in writers:
        writer.check(line, everything=True)
    server.stop()
    command = [BINARY, "audit", "verify", "--state", str(data)] + (["--db", database] if database else [])
    verified = subprocess.run(command, capture_output=True, text=True, check=False)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert min(told(writers).values()) > 0, told(writers)
    print(f"\n{len(back)} kills on {kind}: {told(writers)}; back in {statistics.median(back):.3f} s (longest {max(back):.3f})")
