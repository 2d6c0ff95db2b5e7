"""What the pipeline's own trainer leaves for the unmodified MLflow client: a run, and a model that it loads."""

import json
import shutil
import urllib.request

import mlflow
import numpy as np
import onnxruntime
import pytest
from conftest import Server
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

ROWS = 200


def call(url, method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data=data, method=method)
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())


@pytest.fixture(scope="module")
def served(shops, tmp_path_factory):
    running = Server(shutil.copytree(shops, tmp_path_factory.mktemp("served") / "data")).ready()
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def client(served):
    mlflow.set_tracking_uri(served.url)
    return MlflowClient(served.url)


@pytest.fixture
def champion(client):
    return client.get_model_version_by_alias("purchase", "champion")


@pytest.fixture(scope="module")
def rows():
    draws = np.random.default_rng(3)
    columns = {
        "shop_recent__mean_amount": draws.uniform(20, 80, ROWS),
        "shop_recent__visits": draws.integers(0, 30, ROWS),
        "celsius": draws.uniform(5, 25, ROWS),
        "temp": draws.uniform(5, 25, ROWS),
        "hour": draws.integers(0, 24, ROWS),
    }
    rows = {name: values.astype(np.float32) for name, values in columns.items()}
    for values in rows.values():
        values[draws.integers(0, ROWS, 10)] = np.nan
    return rows


@pytest.fixture(scope="module")
def answered(served, rows):
    """What the endpoint predicts for the rows."""
    with urllib.request.urlopen(served.url + "/v2/models/purchases") as answer:
        names = [each["name"] for each in json.load(answer)["inputs"]]
    inputs = [
        {
            "name": name,
            "shape": [ROWS, 1],
            "datatype": "FP32",
            "data": [None if np.isnan(value) else float(value) for value in rows[name]],
        }
        for name in names
    ]
    asked = {"inputs": inputs, "parameters": {"data_time": "2024-01-13T00:00:00Z"}}
    answer = call(served.url, "POST", "/v2/models/purchases/infer", asked)
    output = next(each for each in answer["outputs"] if each["name"] == "probabilities")
    return names, np.array(output["data"]).reshape(output["shape"])


def test_training_is_a_run(client, champion):
    run = client.get_run(champion.run_id)
    assert run.info.status == "FINISHED"
    assert client.get_experiment(run.info.experiment_id).name == "shops"
    params, metrics, tags = run.data.params, run.data.metrics, run.data.tags
    assert (params["service"], params["data.visits"]) == ("purchase", "1")
    assert (params["seed"], params["max_trees"]) == ("0", "20")
    candidates = json.loads(params["candidates"])
    tried = [metrics[f"candidates/{position}/validation_log_loss"] for position in range(len(candidates))]
    assert metrics["validation_log_loss"] == min(tried) < metrics["baseline/validation_log_loss"]
    assert json.loads(params["selected"]) == candidates[tried.index(min(tried))]
    for figure in ["auc", "brier", "ece"]:
        assert 0 <= metrics[f"validation_{figure}"] <= 1
    assert (tags["mainstay.step"], tags["mainstay.pipeline"]) == ("train", "first")
    (used,) = run.inputs.dataset_inputs
    assert used.dataset.name == "visits" and json.loads(used.dataset.source)["version"] == 1
    (made,) = run.outputs.model_outputs
    assert champion.source == f"models:/{made.model_id}"
    model = mlflow.get_logged_model(made.model_id)
    assert model.status == "READY" and model.source_run_id == champion.run_id
    assert {metric.key: metric.value for metric in model.metrics}["validation_log_loss"] == min(tried)
    found = mlflow.search_runs(experiment_names=["shops"], filter_string="metrics.validation_auc > 0.5")
    assert list(found.run_id) == [champion.run_id]


def test_the_champion_loads_and_predicts_as_the_endpoint_does(champion, rows, answered):
    names, expected = answered
    feed = {name: rows[name].reshape(-1, 1) for name in names}
    graphs = set()
    places = ["models:/purchase@champion", f"models:/purchase/{champion.version}", f"runs:/{champion.run_id}/model"]
    for place in places:
        graph = mlflow.onnx.load_model(place).SerializeToString()
        session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        (got,) = session.run(["probabilities"], feed)
        assert np.abs(got - expected).max() <= 1e-5
        graphs.add(graph)
    assert len(graphs) == 1


def test_the_champion_is_a_python_function(champion, rows, answered):
    import pandas

    names, expected = answered
    loaded = mlflow.pyfunc.load_model("models:/purchase@champion")
    got = loaded.predict(pandas.DataFrame({name: rows[name].astype(float) for name in names}))
    assert np.abs(got["probabilities"] - expected).max() <= 1e-5
    assert loaded.metadata.get_input_schema().input_names() == names
    example = loaded.input_example
    assert list(example.columns) == names
    assert loaded.predict(example)["probabilities"].shape == (len(example), 2)


def test_the_alias_moves_by_passed_gates_only(client, champion):
    source = f"runs:/{champion.run_id}/model"
    with mlflow.start_run(experiment_id=client.get_experiment_by_name("shops").experiment_id):
        graph = mlflow.onnx.load_model(champion.source)
        graph.doc_string = "another one, that nobody judged"
        logged = mlflow.onnx.log_model(graph, name="other", registered_model_name="purchase")
    unjudged = max(client.search_model_versions("name = 'purchase'"), key=lambda each: int(each.version))
    assert unjudged.source == f"models:/{logged.model_id}" != source
    with pytest.raises(MlflowException) as refused:
        client.set_registered_model_alias("purchase", "champion", unjudged.version)
    assert refused.value.error_code == "PERMISSION_DENIED"
    assert f"version {unjudged.version} cannot be promoted" in str(refused.value)
    assert client.get_model_version_by_alias("purchase", "champion").version == champion.version
    client.set_registered_model_alias("purchase", "challenger", unjudged.version)
    client.set_registered_model_alias("purchase", "champion", champion.version)


def test_a_moved_champion_answers(served, client, champion):
    """The same bytes under another number: their gates have passed, so the endpoint changes with the alias."""
    again = client.copy_model_version(f"models:/purchase/{champion.version}", "purchase")
    try:
        client.set_registered_model_alias("purchase", "champion", again.version)
        revision = call(served.url, "GET", "/api/v1/endpoints/purchases")["revision"]
        assert [(str(arm["version"]), arm["role"]) for arm in revision["arms"]] == [(again.version, "champion")]
    finally:
        client.set_registered_model_alias("purchase", "champion", champion.version)


def test_promotion_is_a_right_of_its_own(shops, tmp_path_factory, monkeypatch):
    data = shutil.copytree(shops, tmp_path_factory.mktemp("guarded") / "data")
    local = Server(data)
    tokens = {
        role: call(local.url, "POST", "/api/v1/tokens", {"label": role, "role": role})["token"]
        for role in ["developer", "approver"]
    }
    assert local.stop() == 0
    guarded = Server(data, "--auth", "required")
    try:
        client = MlflowClient(guarded.url)
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", tokens["developer"])
        version = client.get_model_version_by_alias("purchase", "champion").version
        client.set_registered_model_alias("purchase", "candidate", version)
        with pytest.raises(MlflowException) as refused:
            client.set_registered_model_alias("purchase", "champion", version)
        assert refused.value.error_code == "PERMISSION_DENIED"
        assert "model.promote" in str(refused.value)
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", tokens["approver"])
        client.set_registered_model_alias("purchase", "champion", version)
    finally:
        assert guarded.stop() == 0
