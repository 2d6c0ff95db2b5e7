"""Measures one artifact of 1 GB, up and down, beside `dd conv=fsync` of as much to the same disk.

usage: python bench/artifacts.py --binary target/release/mainstay [--mib 1024] [--rounds 3] [--directory DIR]
                                 [--artifacts s3://…]

Client and server share the machine: the ratio is of the whole way, the client's part included. Prints one JSON
object for each round and their medians. `rss_growth_mb` is what the server's resident memory, sampled during the
transfer, rose by at most; with `--artifacts s3://…` the store is the one that the environment names (AWS_…).
"""

import argparse
import http.client
import json
import pathlib
import shutil
import statistics
import subprocess
import tempfile
import threading
import time

import server as servers
from figure import Figure

MIB = 1 << 20
PATH = "/api/2.0/mlflow-artifacts/artifacts/bench/one.bin"


def dd_seconds(directory, mib):
    """How long dd takes to write as much and have it on the disk."""
    target = directory / "dd.bin"
    begun = time.perf_counter()
    command = ["dd", "if=/dev/zero", f"of={target}", "bs=1M", f"count={mib}", "conv=fsync"]
    subprocess.run(command, check=True, capture_output=True)
    seconds = time.perf_counter() - begun
    target.unlink()
    return seconds


class Measured:
    """What a transfer costs the server: wall and CPU seconds, and the rise of its memory."""

    def __init__(self, server):
        self.server, self.over = server, threading.Event()

    def __enter__(self):
        self.before, self.most = self.server.resident_mb(), 0
        self.cpu, self.begun = self.server.cpu(), time.perf_counter()
        self.watch = threading.Thread(target=self._sample)
        self.watch.start()
        return self

    def _sample(self):
        while not self.over.wait(0.02):
            self.most = max(self.most, self.server.resident_mb())

    def __exit__(self, *_):
        self.wall, self.cpu = time.perf_counter() - self.begun, self.server.cpu() - self.cpu
        self.over.set()
        self.watch.join()

    def figures(self, dd):
        growth = max(0, self.most - self.before)
        return {
            "wall_s": round(self.wall, 3),
            "cpu_s": round(self.cpu, 2),
            "rss_growth_mb": round(growth, 1),
            "of_dd": round(dd / self.wall, 2),
        }


def upload(port, source, length):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.blocksize = MIB
    with open(source, "rb") as body:
        connection.request("PUT", PATH, body, {"Content-Length": str(length)})
        answer = connection.getresponse()
        text = answer.read()
    connection.close()
    assert answer.status == 200, text


def download(port, length):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.request("GET", PATH)
    answer, buffer, received = connection.getresponse(), bytearray(MIB), 0
    assert answer.status == 200
    while count := answer.readinto(buffer):
        received += count
    connection.close()
    assert received == length, received


def one_round(binary, directory, mib, options):
    source = directory / "source.bin"
    if not source.exists():
        command = ["dd", "if=/dev/urandom", f"of={source}", "bs=1M", f"count={mib}"]
        subprocess.run(command, check=True, capture_output=True)
    data = directory / "data"
    shutil.rmtree(data, ignore_errors=True)
    dd = dd_seconds(directory, mib)
    running = servers.Server(binary, data, options=options)
    try:
        with Measured(running) as up:
            upload(running.port, source, mib * MIB)
        with Measured(running) as down:
            download(running.port, mib * MIB)
        running.call("DELETE", PATH)
    finally:
        running.stop()
    return {"dd_s": round(dd, 3), "up": up.figures(dd), "down": down.figures(dd)}


def one_gigabyte(bench):
    """One artifact, up and down, beside `dd` of as much."""
    directory = bench.new_directory("artifact")
    directory.mkdir()
    rounds = [one_round(bench.binary, directory, 1024, []) for _ in range(3)]
    shutil.rmtree(directory)
    for way, name in (("up", "Upload of 1 GB"), ("down", "Download of 1 GB")):
        times = [1 / each[way]["of_dd"] for each in rounds]
        cpu = statistics.median(each[way]["cpu_s"] for each in rounds)
        beside = [f"dd {statistics.median(each['dd_s'] for each in rounds):.2f} s", f"CPU {cpu:.2f} s"]
        yield Figure(f"{name}, times the wall of `dd conv=fsync`", "", times, "1 GB", 1 / 0.7, beside)
        yield Figure(f"{name}, growth of memory", "MB", [each[way]["rss_growth_mb"] for each in rounds], "1 GB", 32)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", required=True, type=pathlib.Path)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--directory", type=pathlib.Path, default=pathlib.Path("."))
    parser.add_argument("--artifacts", help="where the server keeps artifacts")
    given = parser.parse_args()
    options = ["--artifacts", given.artifacts] if given.artifacts else []
    rounds = []
    with tempfile.TemporaryDirectory(dir=given.directory) as directory:
        for _ in range(given.rounds):
            rounds.append(one_round(given.binary.resolve(), pathlib.Path(directory), given.mib, options))
            print(json.dumps(rounds[-1]), flush=True)
    median = lambda way, name: statistics.median(each[way][name] for each in rounds)
    names = ["wall_s", "cpu_s", "rss_growth_mb", "of_dd"]
    print(json.dumps({"median": {way: {name: median(way, name) for name in names} for way in ["up", "down"]}}))


if __name__ == "__main__":
    main()
