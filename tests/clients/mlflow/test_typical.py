"""What a training script does through the unmodified MLflow client."""

import json
import math
import urllib.error
import urllib.request

import mlflow
import pytest
import xgboost
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

X, Y = load_iris(return_X_y=True, as_frame=True)


@pytest.fixture(scope="module")
def client(server):
    mlflow.set_tracking_uri(server.url)
    return MlflowClient(server.url)


@pytest.fixture(scope="module")
def experiment(client):
    return mlflow.set_experiment("flights/typical").experiment_id


@pytest.fixture(scope="module")
def run(client, experiment):
    with mlflow.start_run(run_name="first") as active:
        mlflow.log_param("a", 1)
        mlflow.log_params({"b": 2, "long": "é" * 7000})
        mlflow.log_metric("loss", 1.0, step=1, timestamp=1000)
        mlflow.log_metric("loss", 0.5, step=2, timestamp=2000)
        mlflow.log_metrics({"nan": float("nan"), "inf": float("inf")}, step=3)
        mlflow.set_tag("team", "green")
        mlflow.log_text("hi", "x.txt")
        mlflow.log_dict({"a": 1}, "sub/d e.json")
        mlflow.log_input(mlflow.data.from_pandas(X.head(), name="iris"), context="train")
    return client.get_run(active.info.run_id)


@pytest.fixture(scope="module")
def registered(client, experiment):
    with mlflow.start_run():
        model = LogisticRegression(max_iter=50).fit(X, Y)
        return mlflow.sklearn.log_model(
            model, name="model", registered_model_name="iris", input_example=X.head(2)
        )


def call(server, method, path, body=None, raw=None):
    data = raw if raw is not None else (json.dumps(body).encode() if body is not None else None)
    request = urllib.request.Request(server.url + path, data=data, method=method)
    request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        text = error.read()
        return error.code, json.loads(text) if text.startswith(b"{") else text


def test_a_run_keeps_what_was_logged(run):
    assert run.info.status == "FINISHED" and run.info.run_name == "first"
    assert run.data.params["a"] == "1" and run.data.params["b"] == "2"
    assert run.data.params["long"] == "é" * 6000
    assert run.data.metrics["loss"] == 0.5 and math.isnan(run.data.metrics["nan"])
    assert run.data.metrics["inf"] == pytest.approx(1.7976931348623157e308)
    assert run.data.tags["team"] == "green" and run.data.tags["mlflow.runName"] == "first"
    assert run.inputs.dataset_inputs[0].dataset.name == "iris"


def test_autolog(client, experiment):
    mlflow.sklearn.autolog()
    try:
        with mlflow.start_run() as active:
            LogisticRegression(max_iter=50).fit(X, Y)
    finally:
        mlflow.sklearn.autolog(disable=True)
    logged = client.get_run(active.info.run_id)
    assert logged.data.params["max_iter"] == "50"
    assert logged.data.metrics["training_accuracy_score"] > 0.9


def test_autolog_of_boosted_trees(client, experiment):
    rounds, matrix = 5, xgboost.DMatrix(X, Y)
    settings = {"objective": "multi:softprob", "num_class": 3, "max_depth": 2}
    mlflow.xgboost.autolog()
    try:
        with mlflow.start_run() as active:
            trained = xgboost.train(settings, matrix, num_boost_round=rounds, evals=[(matrix, "train")])
    finally:
        mlflow.xgboost.autolog(disable=True)
    logged = client.get_run(active.info.run_id)
    assert logged.data.params["max_depth"] == "2"
    history = client.get_metric_history(active.info.run_id, "train-mlogloss")
    assert [point.step for point in history] == list(range(rounds))
    losses = [point.value for point in history]
    assert losses == sorted(losses, reverse=True) and losses[-1] == logged.data.metrics["train-mlogloss"]
    files = {file.path for file in client.list_artifacts(active.info.run_id)}
    assert {"feature_importance_weight.json", "feature_importance_weight.png"} <= files
    (made,) = logged.outputs.model_outputs
    loaded = mlflow.xgboost.load_model(client.get_logged_model(made.model_id).model_uri)
    assert (loaded.predict(matrix) == trained.predict(matrix)).all()


def test_search(client, experiment, run):
    filters = "metrics.loss < 1 and params.a = '1' and tags.team LIKE 'gr%' and datasets.name = 'iris'"
    found = client.search_runs([experiment], filters, order_by=["metrics.loss DESC"])
    assert [each.info.run_id for each in found] == [run.info.run_id]
    assert client.search_runs([experiment], "params.a = '2'") == []
    frame = mlflow.search_runs(filter_string="run_name = 'first'")
    assert list(frame.run_id) == [run.info.run_id]
    wider = "(params.a = '2' or tags.team RLIKE '^gr') and not (metrics.loss is null or metrics.loss between 1 and 9)"
    assert [each.info.run_id for each in client.search_runs([experiment], wider)] == [run.info.run_id]
    with pytest.raises(MlflowException) as refused:
        client.search_runs([experiment], "params.a > '1'")
    assert refused.value.error_code == "INVALID_PARAMETER_VALUE"


def test_search_goes_on_page_by_page(client):
    pages = client.create_experiment("pages")
    ids = [client.create_run(pages, start_time=n).info.run_id for n in range(1, 8)]
    found, token = [], None
    while True:
        page = client.search_runs([pages], max_results=3, page_token=token)
        found += [each.info.run_id for each in page]
        token = page.token
        if not token:
            break
    assert found == ids[::-1]


def test_history(client, run):
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [(point.step, point.timestamp, point.value) for point in history] == [(1, 1000, 1.0), (2, 2000, 0.5)]


def test_artifacts(client, run, tmp_path, server):
    assert sorted(file.path for file in client.list_artifacts(run.info.run_id)) == ["sub", "x.txt"]
    assert [file.path for file in client.list_artifacts(run.info.run_id, "sub")] == ["sub/d e.json"]
    local = client.download_artifacts(run.info.run_id, "sub/d e.json", str(tmp_path))
    assert json.load(open(local)) == {"a": 1}
    root = "/api/2.0/mlflow-artifacts/artifacts/"
    with urllib.request.urlopen(server.url + root + run.info.artifact_uri.split(":/", 1)[1] + "/x.txt") as answer:
        assert answer.read() == b"hi"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "attachment" in answer.headers["Content-Disposition"]
    for path in ["0/%2e%2e/mainstay.db", "..%2f..%2fmainstay.db", "0/%252e%252e/x", "%2fetc/passwd", "0/a%23b"]:
        status, answer = call(server, "GET", root + path)
        assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), path


def test_a_param_does_not_change(client, experiment):
    logged = client.create_run(experiment).info.run_id
    client.log_param(logged, "p", "1")
    client.log_param(logged, "p", "1")
    with pytest.raises(MlflowException, match="Changing param values is not allowed"):
        client.log_param(logged, "p", "2")
    assert client.get_run(logged).data.params == {"p": "1"}


def test_a_batch_is_logged_whole_or_not_at_all(client, experiment, server):
    logged = client.create_run(experiment).info.run_id
    client.log_param(logged, "p", "1")
    batch = {
        "run_id": logged,
        "metrics": [{"key": "m", "value": 1, "timestamp": "5"}],
        "params": [{"key": "a", "value": "1"}, {"key": "p", "value": "2"}],
    }
    status, answer = call(server, "POST", "/api/2.0/mlflow/runs/log-batch", batch)
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    kept = client.get_run(logged).data
    assert kept.params == {"p": "1"} and kept.metrics == {}


def test_deleted_things_can_be_restored(client):
    made = client.create_experiment("short-lived")
    logged = client.create_run(made).info.run_id
    client.delete_experiment(made)
    assert client.get_run(logged).info.lifecycle_stage == "deleted"
    with pytest.raises(MlflowException, match="must be in the 'active' state"):
        client.log_metric(logged, "m", 1)
    with pytest.raises(MlflowException, match="already exists"):
        client.create_experiment("short-lived")
    client.restore_experiment(made)
    client.log_metric(logged, "m", 1)
    client.delete_run(logged)
    assert client.search_runs([made]) == []
    client.restore_run(logged)
    assert len(client.search_runs([made])) == 1


def test_the_registry(client, registered):
    assert mlflow.get_logged_model(registered.model_id).status == "READY"
    version = client.get_model_version("iris", "1")
    assert version.status == "READY" and version.source == f"models:/{registered.model_id}"
    assert version.run_id == registered.run_id
    client.set_registered_model_alias("iris", "best", "1")
    client.set_model_version_tag("iris", "1", "k", "v")
    client.update_model_version("iris", "1", "the first")
    by_alias = client.get_model_version_by_alias("iris", "best")
    assert (by_alias.tags, by_alias.description) == ({"k": "v"}, "the first")
    assert [int(each.version) for each in client.search_model_versions("name='iris'")] == [1]
    found = client.search_registered_models("name='iris'")[0]
    assert {alias: int(version) for alias, version in found.aliases.items()} == {"best": 1}
    client.transition_model_version_stage("iris", "1", "staging")
    assert [int(each.version) for each in client.get_latest_versions("iris", ["Staging"])] == [1]


def test_loading_by_alias(client, registered):
    client.set_registered_model_alias("iris", "best", "1")
    loaded = mlflow.pyfunc.load_model("models:/iris@best")
    assert list(loaded.predict(X)) == list(LogisticRegression(max_iter=50).fit(X, Y).predict(X))


def test_versions_are_never_numbered_twice(client, registered):
    client.create_registered_model("numbers")
    source = f"models:/{registered.model_id}"
    made = [client.create_model_version("numbers", source, model_id=registered.model_id) for _ in range(2)]
    assert [int(version.version) for version in made] == [1, 2]
    client.delete_model_version("numbers", "2")
    assert int(client.create_model_version("numbers", source, model_id=registered.model_id).version) == 3
    client.rename_registered_model("numbers", "renamed")
    assert [int(each.version) for each in client.search_model_versions("name='renamed'")] == [3, 1]
    client.delete_registered_model("renamed")
    with pytest.raises(MlflowException) as gone:
        client.get_registered_model("renamed")
    assert gone.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_sources_must_belong_to_what_is_named(client, registered, run):
    client.create_registered_model("sources")
    for source in ["/etc", "file:///etc", f"models:/{registered.model_id}", f"runs:/{run.info.run_id}/x",
                   "mlflow-artifacts:/0/../x", run.info.artifact_uri, "s3://bucket/a/../b"]:
        with pytest.raises(MlflowException, match="Invalid model version source") as refused:
            client.create_model_version("sources", source)
        assert refused.value.error_code == "INVALID_PARAMETER_VALUE"
    made = client.create_model_version("sources", f"runs:/{run.info.run_id}/sub", run_id=run.info.run_id)
    assert int(made.version) == 1


def test_prompts_are_hidden_from_models(client):
    mlflow.genai.register_prompt(name="greeting", template="Hi {{x}}", commit_message="c")
    mlflow.genai.set_prompt_alias("greeting", alias="prod", version=1)
    assert mlflow.genai.load_prompt("prompts:/greeting@prod").format(x="you") == "Hi you"
    assert "greeting" in [prompt.name for prompt in mlflow.genai.search_prompts()]
    assert "greeting" not in [model.name for model in client.search_registered_models()]


@pytest.mark.parametrize(
    "method, path, body, status, code",
    [
        ("GET", "experiments/get?experiment_id=999", None, 404, "RESOURCE_DOES_NOT_EXIST"),
        ("GET", "experiments/get-by-name?experiment_name=nobody", None, 404, "RESOURCE_DOES_NOT_EXIST"),
        ("GET", "runs/get?run_id=" + "0" * 32, None, 404, "RESOURCE_DOES_NOT_EXIST"),
        ("GET", "runs/get?run_id=nobody", None, 404, "RESOURCE_DOES_NOT_EXIST"),
        ("GET", "runs/get", None, 400, "INVALID_PARAMETER_VALUE"),
        ("POST", "experiments/create", {"name": "Default"}, 400, "RESOURCE_ALREADY_EXISTS"),
        ("POST", "experiments/create", {}, 400, "INVALID_PARAMETER_VALUE"),
        ("POST", "experiments/get", {}, 405, "ENDPOINT_NOT_FOUND"),
        ("GET", "experiments/nothing", None, 404, "ENDPOINT_NOT_FOUND"),
        ("POST", "runs/create", {"experiment_id": 0}, 400, "INVALID_PARAMETER_VALUE"),
        ("POST", "runs/search", b"{bad", 400, "INVALID_PARAMETER_VALUE"),
        ("POST", "runs/search", b"[" * 100_000, 400, "INVALID_PARAMETER_VALUE"),
        ("POST", "runs/search", {"max_results": 50_001}, 400, "INVALID_PARAMETER_VALUE"),
        ("GET", "registered-models/get?name=nobody", None, 404, "RESOURCE_DOES_NOT_EXIST"),
        ("GET", "registered-models/search?max_results=1001", None, 400, "INVALID_PARAMETER_VALUE"),
    ],
)
def test_refusals_speak_mlflow(server, method, path, body, status, code):
    raw = body if isinstance(body, bytes) else None
    for prefix in ["/api/2.0/mlflow/", "/ajax-api/2.0/mlflow/"]:
        got, answer = call(server, method, prefix + path, None if raw else body, raw)
        assert got == status, answer
        if code:
            assert answer["error_code"] == code and answer["message"]


def test_both_spellings_and_texts_for_numbers_come_in(server, experiment):
    body = {"experimentId": experiment, "startTime": "7", "runName": "camel", "unknown": {"a": []}}
    status, answer = call(server, "POST", "/api/2.0/mlflow/runs/create", body)
    info = answer["run"]["info"]
    assert status == 200 and info["start_time"] == 7 and info["run_uuid"] == info["run_id"]
    assert answer["run"]["inputs"] == {} and answer["run"]["outputs"] == {}
    twice = json.dumps(json.dumps({"experiment_ids": [experiment], "filter": "run_name = 'camel'"})).encode()
    status, answer = call(server, "POST", "/api/2.0/mlflow/runs/search", raw=twice)
    assert status == 200 and len(answer["runs"]) == 1
