"""A Python script as a step of a pipeline: its model goes through the same gate, and is served."""

import json
import shutil
import sys
import time
import urllib.request
from pathlib import Path

import mlflow
import numpy as np
import onnxruntime
import pytest
import world
from conftest import Server
from mlflow import MlflowClient

PIPELINE = f"""
stages:
  train:
    cmd: {sys.executable} train.py --until {world.day(world.SERVES_FROM - 3)}
    deps: [train.py, visits.csv]
    metrics: [logged]
  register:
    uses: register
    needs: [train]
    with: {{model: by-script, run: "${{steps.train.metrics.logged.run}}"}}
  gate:
    uses: gate
    needs: [register]
    with:
      model: by-script
      version: "${{steps.register.version}}"
      digest: "${{steps.register.digest}}"
      project: shops
      service: purchase
      from: {world.day(world.SERVES_FROM - 3)}
      until: {world.day(world.SERVES_FROM)}
      max_ece: 0.6
  endpoint:
    uses: endpoint
    with:
      endpoint: scripted
      model: by-script
      project: shops
      service: purchase
      labels: {{positive: 1, horizon_micros: {6 * world.HOUR}, missing: {{kind: excluded}}}}
  rollout:
    uses: rollout
    needs: [gate, endpoint]
    if: steps.gate.passed
    with:
      endpoint: scripted
      version: "${{steps.register.version}}"
      digest: "${{steps.register.digest}}"
"""


def call(url, method, path, body=None, kind="application/json"):
    request = urllib.request.Request(url + path, data=body, method=method)
    request.add_header("Content-Type", kind)
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())


def finished(url, run):
    """Waits for a run of a pipeline to end, and gives it."""
    deadline = time.monotonic() + 120
    while (found := call(url, "GET", f"/api/v1/pipeline-runs/{run}"))["state"] in ("queued", "running", "waiting"):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


@pytest.fixture(scope="module")
def served(shops, tmp_path_factory):
    root = tmp_path_factory.mktemp("scripted")
    # Relative paths in a pipeline that is kept start in the data directory.
    data = Path(shutil.copytree(shops, root / "data"))
    shutil.copy(Path(__file__).parent / "train.py", data)
    shutil.copy(shops.parent / "visits.csv", data)
    running = Server(data).ready()
    yield running
    assert running.stop() == 0


def test_what_a_script_trained_is_judged_and_served(served):
    call(served.url, "PUT", "/api/v1/pipelines/scripted", PIPELINE.encode(), "application/yaml")
    started = call(served.url, "POST", "/api/v1/pipelines/scripted/runs", b"{}")
    run = finished(served.url, started["run"])
    steps = {step["name"]: step for step in run["steps"]}
    assert run["state"] == "succeeded", {name: step.get("reason") for name, step in steps.items()}

    client = MlflowClient(served.url)
    mlflow.set_tracking_uri(served.url)
    version = client.get_model_version_by_alias("by-script", "champion")
    logged = client.get_run(version.run_id)
    assert client.get_experiment(logged.info.experiment_id).name == "scripts"
    assert logged.data.params["C"] == "1.0"
    assert version.source == f"models:/{logged.outputs.model_outputs[0].model_id}"

    served.ready("/v2/models/scripted/ready")
    asked = {
        "inputs": [
            {"name": "temp", "shape": [2, 1], "datatype": "FP32", "data": [10.0, 19.5]},
            {"name": "hour", "shape": [2, 1], "datatype": "FP32", "data": [3, 17]},
        ],
        "parameters": {"data_time": world.day(world.SERVES_FROM)},
    }
    answer = call(served.url, "POST", "/v2/models/scripted/infer", json.dumps(asked).encode())
    output = next(each for each in answer["outputs"] if each["name"] == "probabilities")
    graph = mlflow.onnx.load_model("models:/by-script@champion").SerializeToString()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    feed = {each["name"]: np.array(each["data"], dtype=np.float32).reshape(2, 1) for each in asked["inputs"]}
    (expected,) = session.run(["probabilities"], feed)
    assert np.abs(np.array(output["data"]).reshape(2, 2) - expected).max() <= 1e-5
