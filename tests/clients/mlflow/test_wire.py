"""What clients see on the wire, beyond what a script does: words of refusals, histories, artifacts, roots."""

import json
import pathlib
import urllib.error
import urllib.parse
import urllib.request

import pytest
from conftest import Server
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

API = "/api/2.0/mlflow/"
AJAX = "/ajax-api/2.0/mlflow/"
PROXY = "/api/2.0/mlflow-artifacts/artifacts"
SEE = " See the API docs for more information about request parameters."


@pytest.fixture(scope="module")
def client(server):
    return MlflowClient(server.url)


@pytest.fixture(scope="module")
def experiment(client):
    return client.create_experiment("wire")


@pytest.fixture
def run(client, experiment):
    return client.create_run(experiment)


def ask(server, method, path, body=None, headers=None):
    """Status, headers and bytes."""
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    request = urllib.request.Request(server.url + path, data=data, method=method, headers=headers or {})
    if data is not None and not request.has_header("Content-type"):
        request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def call(server, method, path, body=None):
    status, _, answer = ask(server, method, path, body)
    return status, json.loads(answer)


def refused(server, method, path, body=None):
    status, answer = call(server, method, path, body)
    assert status == 400 and answer["error_code"] == "INVALID_PARAMETER_VALUE", answer
    assert (answer["sqlstate"], answer["error_class"]) == ("KAM00", "INVALID_PARAMETER_VALUE")
    return answer["message"]


@pytest.mark.parametrize(
    "path, body, message",
    [
        (
            "experiments/create",
            {"name": 123},
            "Invalid value 123 for parameter 'name' supplied:  Hint: Value was of type 'int'." + SEE,
        ),
        ("experiments/create", {}, "Missing value for required parameter 'name'." + SEE),
        (
            "experiments/create",
            {"name": "x", "artifact_location": 9.0},
            "Invalid value 9.0 for parameter 'artifact_location'",
        ),
        ("experiments/create", {"name": "x", "tags": "5"}, "Invalid value \"5\" for parameter 'tags'"),
        ("runs/log-metric", {"run_id": 31, "value": "x"}, "Invalid value 31 for parameter 'run_id' supplied"),
        ("runs/log-metric", {"run_id": None, "key": 41}, "Missing value for required parameter 'run_id'"),
        ("runs/log-metric", {"run_id": "r", "value": 1, "timestamp": 5}, "Missing value for required parameter 'key'"),
        (
            "runs/log-metric",
            {"run_id": "r", "key": "k", "value": 1, "timestamp": "foo"},
            "Invalid value \"foo\" for parameter 'timestamp'",
        ),
        ("runs/log-parameter", {"run_id": 31, "key": "k", "value": 41}, "Invalid value 31 for parameter 'run_id'"),
        (
            "runs/set-tag",
            {"run_id": "r", "runId": "r"},
            "Request specifies both 'run_id' and 'runId'; provide only one of them.",
        ),
        (
            "runs/log-batch",
            {"run_id": "r", "metrics": "foo"},
            "Invalid value \"foo\" for parameter 'metrics' supplied",
        ),
        (
            "runs/log-batch",
            {"run_id": "r", "metrics": [{"key": "k", "value": 1}]},
            "Missing value for required parameter 'metrics[0].timestamp'." + SEE,
        ),
        (
            "runs/log-batch",
            {"run_id": "r", "tags": [{"value": "v"}]},
            "Missing value for required parameter 'tags[0].key'." + SEE,
        ),
        ("runs/search", {"max_results": 123456789}, "Invalid value 123456789 for parameter 'max_results' supplied"),
        ("registered-models/create", {"name": 3}, "Invalid value 3 for parameter 'name' supplied"),
        ("logged-models/search", {"filter": ""}, "Missing value for required parameter 'experiment_ids'." + SEE),
    ],
)
def test_the_first_wrong_field_is_named(server, path, body, message):
    assert refused(server, "POST", API + path, body).startswith(message)


def test_bodies_say_what_they_are(server):
    status, _, answer = ask(server, "POST", API + "runs/search", b"{}", {"Content-Type": "application/xml"})
    message = "Bad Request. Content-Type must be one of ['application/json']."
    assert (status, json.loads(answer)["message"]) == (400, message)
    status, answer = call(server, "GET", API + "runs/get?run_id=" + "0" * 32)
    assert (status, answer["error_class"]) == (404, "RESOURCE_NOT_FOUND")


def test_keys_and_params_are_refused_in_known_words(client, run, server):
    logged = {"run_id": run.info.run_id, "value": 1, "timestamp": 0}
    log = lambda **fields: refused(server, "POST", API + "runs/log-metric", {**logged, **fields})
    assert "Names may only contain alphanumerics" in log(key="a#b")
    message = log(key="../a")
    assert "Names may be treated as files" in message and message.endswith("would resolve to '../a'")
    assert "Timestamp must be a nonnegative long" in log(key="a", timestamp=-1)
    batch = {"run_id": run.info.run_id, "params": [{"key": "a", "value": "1"}] * 2}
    message = refused(server, "POST", API + "runs/log-batch", batch)
    assert message.startswith("Duplicate parameter keys have been submitted: ['a'].")
    batch = {"run_id": run.info.run_id, "metrics": [{"key": "m", "value": 1, "timestamp": 0}]}
    assert call(server, "POST", API + "runs/log-batch", batch)[0] == 200


def test_histories_of_many_runs(client, experiment, server):
    first, second = sorted(client.create_run(experiment).info.run_id for _ in range(2))
    for step in range(10):
        client.log_metric(first, "m", step, timestamp=step, step=step)
    client.log_metric(second, "m", float("nan"), timestamp=1, step=0)

    query = f"metrics/get-history-bulk?run_id={second}&run_id={first}&run_id=nobody&metric_key=m"
    status, answer = call(server, "GET", AJAX + query)
    assert status == 200 and [point["run_id"] for point in answer["metrics"]] == [first] * 10 + [second]
    assert answer["metrics"][-1]["value"] == "NaN" and answer["metrics"][3]["step"] == 3
    assert len(call(server, "GET", AJAX + query + "&max_results=4")[1]["metrics"]) == 4
    assert call(server, "GET", AJAX + "metrics/get-history-bulk?run_id=x&metric_key=m")[1] == {"metrics": []}
    bulk = "GetMetricHistoryBulk request "
    for query, message in [
        ("metric_key=m", "must specify at least one run_id."),
        ("metric_key=m" + "&run_id=x" * 101, "cannot specify more than 100 run_ids. Received 101 run_ids."),
        ("run_id=x", "must specify a metric_key."),
    ]:
        assert refused(server, "GET", AJAX + "metrics/get-history-bulk?" + query) == bulk + message

    path = API + "metrics/get-history-bulk-interval?"
    steps = lambda query: [point["step"] for point in call(server, "GET", path + query)[1].get("metrics", [])]
    of_first = f"run_ids={first}&metric_key=m"
    assert steps(of_first + "&max_results=5") == [0, 2, 4, 6, 9]
    assert steps(of_first + "&start_step=2&end_step=4") == [2, 3, 4]
    assert steps(of_first + f"&run_ids={second}&max_results=1") == [9, 0]
    assert steps("run_ids=nobody&metric_key=m") == []
    for query, message in [
        ("metric_key=m", "Missing value for required parameter 'run_ids'." + SEE),
        ("run_ids=x", "Missing value for required parameter 'metric_key'." + SEE),
        (
            "metric_key=m" + "&run_ids=x" * 101,
            "GetMetricHistoryBulkInterval request must specify at most 100 run_ids. Received 101 run_ids." + SEE,
        ),
        ("run_ids=x&metric_key=m&max_results=0", "max_results must be between 1 and 2500." + SEE),
        ("run_ids=x&metric_key=m&max_results=2501", "max_results must be between 1 and 2500." + SEE),
        (
            "run_ids=x&metric_key=m&start_step=1&end_step=0",
            "end_step must be greater than start_step. Found start_step=1 and end_step=0.",
        ),
        (
            "run_ids=x&metric_key=m&start_step=1",
            "If either start step or end step are specified, both must be specified.",
        ),
        ("run_ids=x&metric_key=m&max_results=y", "Invalid value \"y\" for parameter 'max_results' supplied"),
    ]:
        assert refused(server, "GET", path + query).startswith(message)
    assert call(server, "GET", API + "metrics/get-history?run_id=nobody&metric_key=m") == (200, {})


def test_datasets_that_runs_used(client, experiment, server):
    made = client.create_experiment("datasets")
    for context in ["train", "train", None]:
        run = client.create_run(made).info.run_id
        tags = [{"key": "mlflow.data.context", "value": context}] if context else []
        dataset = {"name": "iris", "digest": "d1", "source_type": "local", "source": "x"}
        body = {"run_id": run, "datasets": [{"dataset": dataset, "tags": tags}]}
        assert call(server, "POST", API + "runs/log-inputs", body)[0] == 200
    found = call(server, "POST", AJAX + "experiments/search-datasets", {"experiment_ids": [made]})[1]
    known = {"experiment_id": made, "name": "iris", "digest": "d1"}
    assert sorted(found["dataset_summaries"], key=len) == [known, {**known, "context": "train"}]
    message = refused(server, "POST", AJAX + "experiments/search-datasets", {})
    assert message == "SearchDatasets request must specify at least one experiment_id."
    many = {"experiment_ids": ["1"] * 21}
    assert "Received 21 experiment_ids." in refused(server, "POST", AJAX + "experiments/search-datasets", many)


@pytest.mark.parametrize(
    "name, media_type, disposition",
    [
        ("a.txt", "text/plain", "attachment; filename=a.txt"),
        ("b.pkl", "application/octet-stream", "attachment; filename=b.pkl"),
        ("c.png", "image/png", "attachment; filename=c.png"),
        ("d.pdf", "application/pdf", "attachment; filename=d.pdf"),
        ("MLmodel", "text/plain", "attachment; filename=MLmodel"),
        ("a:b c.json", "text/plain", 'attachment; filename="a:b c.json"'),
        ("é.txt", "text/plain", "attachment; filename=.txt; filename*=UTF-8''%C3%A9.txt"),
    ],
)
def test_downloads_say_what_they_are(client, run, server, name, media_type, disposition, tmp_path):
    (tmp_path / name).write_text("0123456789")
    client.log_artifact(run.info.run_id, str(tmp_path / name), "dir")
    quoted = urllib.parse.quote("dir/" + name)
    listed = call(server, "GET", f"{API}artifacts/list?run_id={run.info.run_id}&path=./dir/")[1]
    assert [file["path"] for file in listed["files"]] == ["dir/" + name]
    below = run.info.artifact_uri.split(":/", 1)[1]
    for path in [f"{PROXY}/{below}/{quoted}", f"/get-artifact?run_id={run.info.run_id}&path={quoted}"]:
        status, headers, body = ask(server, "GET", path, headers={"Accept": "text/html"})
        assert (status, body) == (200, b"0123456789")
        assert headers["Content-Type"] == media_type and headers["Content-Disposition"] == disposition
        assert headers["X-Content-Type-Options"] == "nosniff"
        part = ask(server, "GET", path, headers={"Range": "bytes=2-4"})
        assert (part[0], part[1]["Content-Range"], part[2]) == (206, "bytes 2-4/10", b"234")
        beyond = ask(server, "GET", path, headers={"Range": "bytes=10-"})
        assert (beyond[0], beyond[1]["Content-Range"]) == (416, "bytes */10")
        known = ask(server, "GET", path, headers={"If-None-Match": headers["ETag"]})
        assert (known[0], known[2]) == (304, b"")


def test_artifacts_at_the_root(server):
    for name in ["a.txt", "dir/b.txt"]:
        assert ask(server, "PUT", f"{PROXY}/{name}", b"x")[0] == 200
    listed = call(server, "GET", PROXY)[1]["files"]
    assert {"path": "a.txt", "is_dir": False, "file_size": 1} in listed
    assert {"path": "dir", "is_dir": True} in listed
    assert not {"models", "workspaces", ".incoming"} & {file["path"] for file in listed}
    below = call(server, "GET", PROXY + "?path=dir")[1]["files"]
    assert below == [{"path": "b.txt", "is_dir": False, "file_size": 1}]
    assert call(server, "GET", PROXY + "?path=nothing") == (200, {})
    assert "refers to a directory" in refused(server, "GET", PROXY + "/dir")
    assert call(server, "GET", PROXY + "/a.txt/below")[0] == 404
    assert refused(server, "PUT", PROXY + "/dir/", b"x") == "Invalid path"
    for mine in ["models/x", ".incoming/x"]:
        assert ask(server, "PUT", f"{PROXY}/{mine}", b"x")[0] == 404
    assert ask(server, "PUT", PROXY + "/987/x", b"x")[0] == 404
    assert "targets workspace 'beta'" in refused(server, "GET", PROXY + "/workspaces/beta/x")
    for _ in range(2):
        assert call(server, "DELETE", PROXY + "/a.txt") == (200, {})
    assert refused(server, "DELETE", PROXY + "/0") == "Invalid path"


def test_paths_that_lead_elsewhere(server):
    for path in ["../path", "/etc/passwd", "a/%2e%2e/b", "a#b", "C:/x"]:
        path = urllib.parse.quote(path)
        for address in [
            API + "artifacts/list?run_id=nobody&path=",
            "/get-artifact?run_id=nobody&path=",
            "/model-versions/get-artifact?name=nobody&version=1&path=",
            "//model-versions/get-artifact?name=nobody&version=1&path=",
            AJAX + "upload-artifact?run_id=nobody&path=",
        ]:
            method, body = ("POST", b"x") if "upload" in address else ("GET", None)
            assert refused(server, method, address + path, body) == "Invalid path", address


def test_one_file_at_a_time(client, run, server, tmp_path):
    upload = AJAX + f"upload-artifact?run_id={run.info.run_id}&path=sub/x.txt"
    assert ask(server, "POST", upload, b"hello", {"Content-Type": "text/markdown"})[::2] == (200, b"")
    assert ask(server, "GET", f"/get-artifact?run_uuid={run.info.run_id}&path=sub/x.txt")[2] == b"hello"
    for query, body, message in [
        ("path=x", b"x", "Request must specify run_id or run_uuid."),
        (f"run_id={run.info.run_id}", b"x", "Request must specify path."),
        (f"run_id={run.info.run_id}&path=x", b"", "Request must specify data."),
        (f"run_id={run.info.run_id}&path=x", b"x" * (10 * 2**20 + 1), "Artifact size is too large. Max size is 10MB."),
    ]:
        assert refused(server, "POST", AJAX + "upload-artifact?" + query, body) == message
    assert ask(server, "POST", AJAX + "upload-artifact?run_id=nobody&path=x", b"x")[0] == 404

    model = client.create_logged_model(run.info.experiment_id, name="filed")
    below = model.artifact_location.split(":/", 1)[1]
    assert ask(server, "PUT", f"{PROXY}/{below}/MLmodel", b"flavors: {}")[0] == 200
    files = AJAX + f"logged-models/{model.model_id}/artifacts/files"
    assert ask(server, "GET", files + "?artifact_file_path=MLmodel")[2] == b"flavors: {}"
    assert "artifact_file_path" in refused(server, "GET", files)
    client.create_registered_model("filed")
    version = client.create_model_version("filed", f"models:/{model.model_id}", model_id=model.model_id)
    address = f"/model-versions/get-artifact?name=filed&version={version.version}&path=MLmodel"
    assert ask(server, "GET", address)[2] == b"flavors: {}"
    assert call(server, "GET", address + "&presigned=true")[0] == 501


def test_calls_that_need_another_store(run, server):
    mpu = "/api/2.0/mlflow-artifacts/mpu/create/dir/sub"
    status, answer = call(server, "POST", mpu, {"path": "a.bin", "num_parts": 2})
    assert (status, answer["error_code"]) == (501, "NOT_IMPLEMENTED")
    assert answer["message"] == "Multipart upload is not supported for the current artifact repository"
    assert refused(server, "POST", mpu, {"path": "src%5C.."}) == "Invalid path"
    assert refused(server, "POST", mpu, {}) == "Missing value for required parameter 'path'." + SEE
    status, answer = call(server, "GET", "/api/2.0/mlflow-artifacts/presigned/x")
    message = "Multipart download is not supported for the current artifact repository"
    assert (status, answer["message"]) == (501, message)
    body = {"run_id": run.info.run_id, "path": "x"}
    url = lambda way, asked: refused(server, "POST", f"{API}artifacts/presigned-{way}-url", asked)
    for way, of in [("upload", ""), ("download", "runs with ")]:
        words = f"Presigned {way} is not supported for {of}proxied artifact storage (artifact URI scheme: mlflow-artifacts)."
        assert url(way, body).startswith(words)
    assert "Exactly one of run_id and model_id" in url("upload", {"path": "x"})
    assert "604800 seconds (got 0)" in url("download", {**body, "expiration": 0})


def test_logged_models(client, experiment, run, server):
    made = client.create_experiment("models")
    models = [client.create_logged_model(made, name=f"model{n}", source_run_id="123") for n in range(3)]
    assert models[0].source_run_id == "123"
    on = {"model_id": models[0].model_id, "dataset_name": "iris", "dataset_digest": "d1"}
    for step in [1, 2]:
        client.log_metric(run.info.run_id, "acc", step / 10, step=step, **on)
    kept = client.get_logged_model(models[0].model_id).metrics
    assert [(point.step, point.value) for point in kept] == [(1, 0.1), (2, 0.2)]
    datasets = [{"dataset_name": "iris", "dataset_digest": "d1"}]
    assert [model.name for model in client.search_logged_models([made], datasets=datasets)] == ["model0"]
    search = {"experiment_ids": [made]}
    message = refused(server, "POST", API + "logged-models/search", {**search, "datasets": [{}]})
    assert message == "`dataset_name` in the `datasets` clause must be specified."
    assert call(server, "POST", API + "logged-models/search", {"experiment_ids": []}) == (200, {})

    page = client.search_logged_models([made], max_results=2)
    client.delete_logged_model(page[-1].model_id)
    rest = client.search_logged_models([made], max_results=2, page_token=page.token)
    assert [model.name for model in rest] == ["model0"]
    path = API + f"logged-models/{page[-1].model_id}"
    assert call(server, "GET", path)[0] == 404 and call(server, "GET", path + "?allow_deleted=True")[0] == 200
    tags = {"tags": [{"key": "any # key", "value": "v"}]}
    assert call(server, "PATCH", API + f"logged-models/{models[0].model_id}/tags", tags)[0] == 200
    with pytest.raises(MlflowException, match="No tag with key"):
        client.delete_logged_model_tag(models[0].model_id, "nothing")
    with pytest.raises(MlflowException, match="Invalid model name"):
        client.create_logged_model(made, name="a/b")

    client.create_registered_model("noted")
    for _ in range(2):
        client.create_model_version("noted", f"models:/{models[0].model_id}", model_id=models[0].model_id)
    tags = client.get_logged_model(models[0].model_id).tags
    assert tags["mlflow.modelVersions"] == '[{"name": "noted", "version": 1}, {"name": "noted", "version": 2}]'


def test_what_a_server_says_of_itself(client, server):
    info = call(server, "GET", "/api/3.0/mlflow/server-info")[1]
    assert info["features_enabled"] == {"gateway": False, "scheduled_issue_detection": False}
    assert info["tracking_auth"] == "" and info["artifacts_presigned_only"] is False
    assert call(server, "GET", API + "experiments/get?experiment_id=0")[1]["experiment"]["workspace"] == "default"
    found = client.search_experiments(filter_string="attributes.name = 'Default'")
    assert [experiment.name for experiment in found] == ["Default"]


def test_places_of_experiments(client, server):
    here = client.get_experiment(client.create_experiment("relative", artifact_location="my_location"))
    assert here.artifact_location == str(pathlib.Path.cwd() / "my_location")
    for location, message in [
        ("runs:/abc/x", "Artifact location cannot be a runs:/ URI. Given: 'runs:/abc/x'"),
        ("s3://bucket/a#b", "'artifact_location' URL can't include fragments or params."),
        ("s3://bucket/a?x=../y", "Invalid query string"),
        ("x" * 2049, "Invalid artifact path length."),
        ("mlflow-artifacts:/1", "Invalid value"),
        ("https://elsewhere/x", "Invalid value"),
    ]:
        body = {"name": "nowhere", "artifact_location": location}
        assert refused(server, "POST", API + "experiments/create", body).startswith(message)
    assert client.get_experiment_by_name("nowhere") is None
    kept = client.get_experiment(client.create_experiment("versioned", artifact_location="s3://bucket/a?x=1"))
    assert kept.artifact_location == "s3://bucket/a?x=1"
    run = client.create_run(kept.experiment_id)
    assert run.info.artifact_uri == f"s3://bucket/a/{run.info.run_id}/artifacts?x=1"


def test_artifacts_that_clients_write_themselves(tmp_path):
    root = tmp_path / "a root"
    server = Server(tmp_path / "data", "--default-artifact-root", root.as_uri())
    try:
        client = MlflowClient(server.url)
        made = client.create_experiment("local")
        assert client.get_experiment(made).artifact_location == f"{root.as_uri()}/{made}"
        run = client.create_run(made)
        (tmp_path / "MLmodel").write_text("flavors: {}")
        client.log_artifact(run.info.run_id, str(tmp_path / "MLmodel"), "model")
        place = root / made / run.info.run_id / "artifacts" / "model"
        assert (place / "MLmodel").exists()
        assert [file.path for file in client.list_artifacts(run.info.run_id, "model")] == ["model/MLmodel"]
        answer = ask(server, "GET", f"/get-artifact?run_id={run.info.run_id}&path=model/MLmodel")
        assert (answer[0], answer[2]) == (200, b"flavors: {}")
        client.create_registered_model("local")
        for source in [str(place), place.as_uri(), f"{place}/.", f"{place}/../model"]:
            assert client.create_model_version("local", source, run_id=run.info.run_id).source == source
        words = "To use a local path as a model version"
        own = run.info.run_id
        for source, run_id in [(str(place), None), ("/tmp", own), ("file:///tmp", None), (f"{place}/../../..", own)]:
            with pytest.raises(MlflowException, match=words):
                client.create_model_version("local", source, run_id=run_id)
        with pytest.raises(MlflowException, match="is not a valid remote uri"):
            client.create_model_version("local", "file://123.456.789.123/path", run_id=run.info.run_id)
        with pytest.raises(MlflowException, match="numbered folders"):
            client.create_experiment("stolen", artifact_location=f"{root.as_uri()}/{made}")
    finally:
        assert server.stop() == 0
