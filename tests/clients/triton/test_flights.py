"""The unmodified tritonclient against a model of eight days of flights."""

import pathlib
import re

import mlflow
import numpy as np
import onnxruntime
import pytest
import tritonclient.http as triton
from conftest import Server, run_pipeline
from tritonclient.utils import InferenceServerException

DEMO = pathlib.Path(__file__).parents[3] / "demo/flights"
ENDPOINT = "delays"
ROWS = 300

PIPELINE = """
stages:
  flights:
    uses: import
    with: {dataset: flights, path: flights.parquet}
  weather:
    uses: import
    with: {dataset: weather, path: weather.parquet}
  planes:
    uses: import
    with: {dataset: planes, path: planes.parquet}
  check:
    uses: validate
    needs: [flights]
    with: {dataset: flights, suite: expectations.json}
  features:
    uses: features
    with: {project: flights, definitions: features.yaml}
  endpoint:
    uses: endpoint
    needs: [features]
    with:
      endpoint: delays
      model: flight-delay
      project: flights
      service: delay
      labels: {positive: 1, horizon_micros: 86400000000, missing: {kind: excluded}}
  train:
    uses: train
    needs: [check, weather, planes, features]
    with:
      project: flights
      service: delay
      from: 2013-01-01T00:00:00Z
      until: 2013-01-09T00:00:00Z
      validation_days: 2
      candidates: [{algorithm: boosting, budget: 0.5}]
      max_trees: 20
  register:
    uses: register
    needs: [train]
    with: {model: flight-delay, digest: "${steps.train.digest}"}
  gate:
    uses: gate
    needs: [register]
    with:
      model: flight-delay
      version: "${steps.register.version}"
      digest: "${steps.register.digest}"
      project: flights
      service: delay
      from: 2013-01-09T00:00:00Z
      until: 2013-01-12T00:00:00Z
      max_ece: 0.3
  rollout:
    uses: rollout
    needs: [gate, endpoint]
    with:
      endpoint: delays
      version: "${steps.register.version}"
      digest: "${steps.register.digest}"
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    root = tmp_path_factory.mktemp("flights")
    for file in ["flights.parquet", "weather.parquet", "planes.parquet", "features.yaml", "expectations.json"]:
        (root / file).symlink_to(DEMO / file)
    (root / "eight-days.yaml").write_text(PIPELINE)
    run_pipeline(root / "eight-days.yaml", root / "data")
    running = Server(root / "data").ready()
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def client(served):
    connected = triton.InferenceServerClient(served.url.removeprefix("http://"))
    yield connected
    connected.close()


@pytest.fixture(scope="module")
def rows(client):
    """Values of the model's inputs: numbers with some missing, texts with some that no training row had."""
    draws = np.random.default_rng(5)
    rows = {}
    for each in client.get_model_metadata(ENDPOINT)["inputs"]:
        if each["datatype"] == "BYTES":
            values = draws.choice(np.array(["UA", "AA", "JFK", "EWR", "", "é?"], dtype=object), (ROWS, 1))
        else:
            assert each["datatype"] == "FP32"
            values = draws.normal(20, 30, (ROWS, 1)).astype(np.float32)
            if each["name"] == "origin_recent__departures_3h":
                values = values.round()  # a count; the schema of the endpoint knows
            values[draws.random((ROWS, 1)) < 0.1] = np.nan
        rows[each["name"]] = values
    return rows


@pytest.fixture(scope="module")
def expected(served, rows):
    mlflow.set_tracking_uri(served.url)
    graph = mlflow.onnx.load_model("models:/flight-delay@champion").SerializeToString()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    return dict(zip(["label", "probabilities"], session.run(["label", "probabilities"], rows), strict=True))


def tensors(rows, binary, names=None):
    made = []
    for name in names or rows:
        values = rows[name]
        kind = "BYTES" if values.dtype == object else "FP32"
        made.append(triton.InferInput(name, list(values.shape), kind))
        made[-1].set_data_from_numpy(values, binary_data=binary)
    return made


def test_the_server_and_the_model_are_ready_and_tell_what_they_take(client):
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready(ENDPOINT)
    assert not client.is_model_ready("nobody")
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    told = client.get_model_metadata(ENDPOINT)
    inputs = {each["name"]: (each["datatype"], each["shape"]) for each in told["inputs"]}
    assert inputs["carrier_code"] == ("BYTES", [-1, 1]) and inputs["miles"] == ("FP32", [-1, 1])
    assert len(inputs) == 15
    outputs = {each["name"]: (each["datatype"], each["shape"]) for each in told["outputs"]}
    assert outputs == {"label": ("INT64", [-1]), "probabilities": ("FP32", [-1, 2])}


def test_binary_tensors_give_what_onnxruntime_gives(client, rows, expected):
    answer = client.infer(ENDPOINT, tensors(rows, binary=True))
    assert np.abs(answer.as_numpy("probabilities") - expected["probabilities"]).max() <= 1e-5
    assert (answer.as_numpy("label") == expected["label"]).all()
    wanted = [triton.InferRequestedOutput("probabilities", binary_data=True)]
    answer = client.infer(ENDPOINT, tensors(rows, binary=True), outputs=wanted, request_id="mine")
    assert [each["name"] for each in answer.get_response()["outputs"]] == ["probabilities"]
    assert answer.get_response()["id"] == "mine"


def test_json_gives_the_same(client, rows):
    # JSON has no NaN, and this client would write one.
    whole = {
        name: values if values.dtype == object else np.nan_to_num(values) for name, values in rows.items()
    }
    wanted = [triton.InferRequestedOutput("probabilities", binary_data=False)]
    by_json = client.infer(ENDPOINT, tensors(whole, binary=False), outputs=wanted).as_numpy("probabilities")
    by_bytes = client.infer(ENDPOINT, tensors(whole, binary=True)).as_numpy("probabilities")
    assert by_json.shape == (ROWS, 2) and np.abs(by_json - by_bytes).max() <= 1e-6


def refused(client, inputs):
    with pytest.raises(InferenceServerException) as refusal:
        client.infer(ENDPOINT, inputs)
    assert re.search("40[04]|422", str(refusal.value.status())), refusal.value.status()
    return refusal.value.message()


def test_what_does_not_fit_is_refused_with_the_reason(client, rows):
    flat = dict(rows, miles=rows["miles"].reshape(1, ROWS))
    assert "miles" in refused(client, tensors(flat, binary=True))
    fewer = dict(rows, miles=rows["miles"][:7])
    assert "miles" in refused(client, tensors(fewer, binary=True))
    wrong = triton.InferInput("miles", [ROWS, 1], "BYTES")
    wrong.set_data_from_numpy(np.full((ROWS, 1), "far", dtype=object))
    others = tensors(rows, True, [name for name in rows if name != "miles"])
    assert "miles" in refused(client, [wrong, *others])
    unknown = triton.InferInput("kilometres", [ROWS, 1], "FP32")
    unknown.set_data_from_numpy(rows["miles"])
    assert "kilometres" in refused(client, [unknown, *others])
    with pytest.raises(InferenceServerException, match="nobody"):
        client.infer("nobody", tensors(rows, binary=True))
