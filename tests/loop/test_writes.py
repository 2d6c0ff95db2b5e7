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
    for _ in range(KILLS[kind]):
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
    kinds = ("run", "batch", "metric", "file", "version", "trace", "assessment", "issue", "purge")
    told = {kind: sum(len(writer.sure[kind]) for writer in writers) for kind in kinds}
    assert min(told.values()) > 0, told
    gone = Counter(kind for writer in writers for kind, *_ in writer.gone)
    assert gone.keys() == {"run", "run_artifacts", "trace", "experiment"}, gone
    print(f"\n{KILLS[kind]} kills on {kind}: {told}; gone {dict(gone)}; back in {statistics.median(back):.3f} s (longest {max(back):.3f})")
