"""Starts a server of its own for the tests: the binary that MAINSTAY names, on a free port."""

import os
import pathlib
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

# The little world of the loop's tests.
sys.path.append(str(pathlib.Path(__file__).parents[1] / "loop"))

BINARY = os.environ.get("MAINSTAY") or str(pathlib.Path(__file__).parents[2] / "target/release/mainstay")


class Server:
    """A running server: `url`, its data directory, and the way to stop it."""

    def __init__(self, data, *options, environment=None):
        self.data = data
        command = [BINARY, "up", "--listen", "127.0.0.1:0", "--data", str(data), *options]
        self.process = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})}
        )
        heard = []
        for line in self.process.stderr:
            heard.append(line)
            if "http://" in line:
                self.url = "http://" + line.split("http://", 1)[1].split()[0]
                return
        raise AssertionError("the server ended before it listened:\n" + "".join(heard))

    def ready(self, path="/v2/health/ready"):
        """Waits until its endpoints, or the one of that path, answer, and gives itself."""
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(self.url + path):
                    return self
            except urllib.error.HTTPError as error:
                assert error.code in (404, 503) and time.monotonic() < deadline, error
            time.sleep(0.01)

    def stop(self):
        """Drains, and gives the exit code."""
        self.process.send_signal(signal.SIGTERM)
        _, rest = self.process.communicate(timeout=60)
        assert "panicked" not in rest, rest
        return self.process.returncode


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = Server(tmp_path_factory.mktemp("data"))
    yield running
    assert running.stop() == 0


def run_pipeline(file, data):
    """Runs a pipeline without a server."""
    done = subprocess.run([BINARY, "run", str(file), "--data", str(data)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def shops(tmp_path_factory):
    """The data directory of the little world, in which the first champion serves."""
    import world

    root = tmp_path_factory.mktemp("shops")
    run_pipeline(world.lay_out(root, world.visits()), root / "data")
    return root / "data"
