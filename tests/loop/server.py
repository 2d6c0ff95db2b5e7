"""A server of the tests: one process of the binary that MAINSTAY names."""

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

BINARY = os.environ.get("MAINSTAY") or str(Path(__file__).parents[2] / "target/release/mainstay")


class Server:
    """One process of the server on a data directory."""

    def __init__(self, data: Path, database: str | None = None, listen: str = "127.0.0.1:0"):
        self.data = data
        self.log = open(data.parent / "server.log", "a+")
        self.log.seek(0, os.SEEK_END)
        command = [BINARY, "up", "--listen", listen, "--data", str(data)]
        if database:
            command += ["--db", database]
        self.process = subprocess.Popen(command, stderr=self.log, stdin=subprocess.DEVNULL)
        self.url = self._listens()
        self._ready()

    def _listens(self):
        mark = self.log.tell()
        for _ in range(20_000):
            self.log.seek(mark)
            for line in self.log.read().splitlines():
                if "http://" in line:
                    return "http://" + line.split("http://", 1)[1].split()[0]
            if self.process.poll() is not None:
                break
            time.sleep(0.001)
        self.log.seek(mark)
        raise AssertionError("the server does not listen:\n" + self.log.read())

    def _ready(self):
        for _ in range(20_000):
            try:
                with urllib.request.urlopen(self.url + "/v2/health/ready", timeout=5) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, ConnectionError):
                pass
            time.sleep(0.001)
        raise AssertionError("the server is not ready")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=60) == 0
