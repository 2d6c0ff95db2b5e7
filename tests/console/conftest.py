"""A server with the demonstration's data and some runs of a script, an empty one, and a browser."""

import base64
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from browser import Browser

ROOT = pathlib.Path(__file__).parents[2]
# What is wrong with any page, as its own script finds it.
CHECKS = (pathlib.Path(__file__).parent / "page_checks.js").read_text()
sys.path.append(str(ROOT / "tests/loop"))

import driver  # noqa: E402
import world  # noqa: E402

BINARY = os.environ.get("MAINSTAY") or str(ROOT / "target/release/mainstay")
# Where pictures of all pages are left to be looked at, if named.
PICTURES = os.environ.get("CONSOLE_PICTURES")


class Server:
    def __init__(self, data, *more):
        self.data = data
        # What `call` shows, where it is asked who one is.
        self.credential = {}
        command = [BINARY, "up", "--listen", "127.0.0.1:0", "--data", str(data), *more]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        for line in self.process.stderr:
            if "http://" in line:
                self.url = "http://" + line.split("http://", 1)[1].split()[0]
                return
        raise AssertionError("the server ended before it listened")

    def call(self, path, body=None, method=None):
        """JSON in, JSON out."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **self.credential}
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def mlflow(self, path, **body):
        return self.call(f"/api/2.0/mlflow/{path}", body)

    def upload(self, path, data):
        """An artifact of a run."""
        request = urllib.request.Request(f"{self.url}/api/2.0/mlflow-artifacts/artifacts/{path}", data, method="PUT")
        urllib.request.urlopen(request).close()

    def get(self, path, **headers):
        """Status, headers and text of a page."""
        try:
            with urllib.request.urlopen(urllib.request.Request(self.url + path, headers=headers)) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.headers, refused.read().decode()

    def wait_for_endpoint(self, name):
        """A server that has just started first reads which endpoints there are."""
        deadline = time.monotonic() + 60
        while self.get(f"/v2/models/{name}/ready")[0] != 200:
            assert time.monotonic() < deadline, f"{name} does not answer"
            time.sleep(0.01)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        _, rest = self.process.communicate(timeout=60)
        assert "panicked" not in rest, rest
        return self.process.returncode


@contextlib.contextmanager
def serving(data, *more):
    """A server over a data directory, which has to end well."""
    server = Server(data, *more)
    yield server
    assert server.stop() == 0


def sign_up(data, name, password, *more):
    """Makes somebody who can log in, before there is a server."""
    command = [BINARY, "users", "create", name, "--data", str(data), *more]
    subprocess.run(command, input=password + "\n", text=True, check=True, capture_output=True)


def basic(name, password):
    """The header by which somebody is known."""
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


@pytest.fixture(scope="session")
def empty(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("empty")) as server:
        yield server


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A server of a file's own, with nothing on it yet."""
    with serving(tmp_path_factory.mktemp("own")) as server:
        yield server


def train(server, experiment, name, start, points, status):
    """A run as a training script leaves it."""
    run = server.mlflow("runs/create", experiment_id=experiment, run_name=name, start_time=start, user_id="ada")
    run = run["run"]["info"]["run_id"]
    losses = [0.46 + 0.2 * 0.97**step for step in range(points)]
    for key, value in [("val/log_loss", lambda loss: loss), ("val/auc", lambda loss: 1.2 - loss)]:
        metrics = [{"key": key, "value": value(loss), "timestamp": start + step, "step": step}
                   for step, loss in enumerate(losses)]
        server.mlflow("runs/log-batch", run_id=run, metrics=metrics)
    server.mlflow("runs/log-batch", run_id=run,
                  params=[{"key": "learning_rate", "value": "0.1"}, {"key": "algorithm", "value": "<b>gbm</b>"}],
                  tags=[{"key": "team", "value": "ops"}])
    if status:
        server.mlflow("runs/update", run_id=run, status=status, end_time=start + 134_000)
    return run


def serve(server):
    """An endpoint kept by hand: its champion is the first of two models that a script logged."""
    server.mlflow("registered-models/create", name="by-hand")
    for version in ["one", "another"]:
        server.upload(f"{server.experiment}/{server.run}/artifacts/{version}/model.onnx", f"{version} model".encode())
        server.mlflow("model-versions/create", name="by-hand", source=f"runs:/{server.run}/{version}", run_id=server.run)
    definition = {"model": "by-hand", "governed": False,
                  "schema": [{"name": "distance", "kind": "float", "range": {"min": 17, "max": 4983}},
                             {"name": "carrier", "kind": "text", "nullable": True}],
                  "labels": {"positive": 1, "horizon_micros": 3_600_000_000, "missing": {"kind": "excluded"}}}
    server.call("/api/v1/endpoints/by-hand", definition, "PUT")
    arms = [{"version": 1, "role": "champion"}]
    server.call("/api/v1/endpoints/by-hand/revisions", {"expected": 1, "arms": arms})


@pytest.fixture(scope="session")
def full(tmp_path_factory):
    data = tmp_path_factory.mktemp("full")
    subprocess.run([BINARY, "run", str(ROOT / "demo/flights/pipeline.yaml"), "--data", str(data)], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with serving(data) as server:
        experiment = server.mlflow("experiments/create", name="flight delay <script>")["experiment_id"]
        start = 1_700_000_000_000
        train(server, experiment, "brave-heron-41", start, 60, "FINISHED")
        train(server, experiment, "old-finch-3", start + 500_000, 60, "FAILED")
        server.run = train(server, experiment, "red-marten-9", start + 900_000, 600, None)
        server.experiment = experiment
        finished = server.call("/api/v1/events?kind=pipeline_run.finished")["events"]
        server.pipeline_run = finished[0]["subject"].split(":")[1]
        serve(server)
        yield server


@pytest.fixture(scope="session")
def alive(tmp_path_factory):
    """The little world of tests/loop: a model that served, drifted, raised an alarm, and was replaced."""
    root = tmp_path_factory.mktemp("alive")
    first = world.lay_out(root, world.visits())
    subprocess.run([BINARY, "run", str(first), "--data", str(root / "data")], check=True, capture_output=True)
    with serving(root / "data") as server:
        life = driver.Life(driver.Client(server.url), world.visits())
        server.wait_for_endpoint("purchases")
        life.live(world.SERVES_FROM, 30)
        yield server


@pytest.fixture(scope="session")
def browser():
    browser = Browser()
    yield browser
    browser.close()


@pytest.fixture
def page(browser):
    """A wide one, in which nothing may fail."""
    page = browser.page(1440, "light")
    yield page
    assert page.settle() == []
    page.close()
