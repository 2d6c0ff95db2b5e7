"""Artifacts in a bucket that speaks S3's protocol: what the unmodified client does, and what is left after faults."""

import hashlib
import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import bucket as buckets
import mlflow
import pytest
from conftest import BINARY, Server
from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

URL = f"s3://{buckets.NAME}/{buckets.PREFIX}"
PROXY = "/api/2.0/mlflow-artifacts/"
MIB = 1 << 20


@pytest.fixture(scope="module")
def bucket():
    running = buckets.Bucket()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def server(bucket, tmp_path_factory):
    running = Server(tmp_path_factory.mktemp("data"), "--artifacts", URL, environment=buckets.environment(bucket.url))
    yield running
    assert running.stop() == 0


@pytest.fixture
def client(server):
    mlflow.set_tracking_uri(server.url)
    return MlflowClient(server.url)


@pytest.fixture
def run(client):
    return client.create_run("0")


def call(server, method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(server.url + path, data=data, method=method)
    request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.loads(answer.read() or "{}")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def until(condition, what):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def some_bytes(path, length):
    """A file of bytes that do not repeat, and their digest."""
    block = b"".join(hashlib.sha256(str(n).encode()).digest() for n in range(1 << 15))
    whole = (block * (length // len(block) + 1))[:length]
    path.write_bytes(whole)
    return hashlib.sha256(whole).hexdigest()


def digest(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def folder(run):
    return f"0/{run.info.run_id}/artifacts"


def test_what_a_client_logs_lies_in_the_bucket_and_comes_back(bucket, client, run, tmp_path):
    id = run.info.run_id
    client.log_text(id, "hello", "a.txt")
    client.log_text(id, "", "empty.txt")
    client.log_dict(id, {"ü": 1}, "dir/sub ü/b c.json")
    assert {f"{folder(run)}/a.txt", f"{folder(run)}/dir/sub ü/b c.json"} <= bucket.keys().keys()
    listed = {(each.path, each.is_dir, each.file_size) for each in client.list_artifacts(id)}
    assert listed == {("a.txt", False, 5), ("empty.txt", False, 0), ("dir", True, None)}
    [sub] = client.list_artifacts(id, "dir")
    assert (sub.path, sub.is_dir) == ("dir/sub ü", True)
    assert client.list_artifacts(id, "nothing") == []
    whole = pathlib.Path(client.download_artifacts(id, "", str(tmp_path)))
    assert (whole / "a.txt").read_text() == "hello" and (whole / "empty.txt").read_text() == ""
    assert json.loads((whole / "dir/sub ü/b c.json").read_text()) == {"ü": 1}
    client.log_text(id, "again", "a.txt")
    assert mlflow.artifacts.load_text(f"runs:/{id}/a.txt") == "again"


def test_deletion_takes_a_file_or_a_directory_with_all_its_pages(bucket, client, run):
    id = run.info.run_id
    for name in ["keep.txt", "gone.txt", "many.txt"]:
        client.log_text(id, name, name)
    for number in range(1_050):
        key = f"{buckets.PREFIX}/{folder(run)}/many/{number:04}"
        bucket.s3.put_object(Bucket=buckets.NAME, Key=key, Body=b"x")
    assert len(client.list_artifacts(id, "many")) == 1_050
    repository = get_artifact_repository(f"mlflow-artifacts:/{folder(run)}", tracking_uri=client.tracking_uri)
    repository.delete_artifacts("gone.txt")
    repository.delete_artifacts("many")
    repository.delete_artifacts("never-was")
    left = {key.removeprefix(folder(run) + "/") for key in bucket.keys() if key.startswith(folder(run))}
    assert left == {"keep.txt", "many.txt"}


def test_a_long_file_passes_in_parts_and_is_read_in_ranges(bucket, server, client, run, tmp_path):
    file = tmp_path / "long.bin"
    expected = some_bytes(file, 20 * MIB + 7)
    client.log_artifact(run.info.run_id, str(file))
    key = f"{buckets.PREFIX}/{folder(run)}/long.bin"
    # Three parts of the server's own.
    assert bucket.s3.head_object(Bucket=buckets.NAME, Key=key)["ETag"].endswith('-3"')
    down = tmp_path / "down"
    down.mkdir()
    assert digest(client.download_artifacts(run.info.run_id, "long.bin", str(down))) == expected
    whole, address = file.read_bytes(), f"{PROXY}artifacts/{folder(run)}/long.bin"
    ask = http.client.HTTPConnection(urllib.parse.urlsplit(server.url).netloc)
    end = len(whole) - 1
    across = (f"{8 * MIB - 3}-{8 * MIB + 3}", 8 * MIB - 3, 8 * MIB + 3)
    for asked, first, last in [("0-9", 0, 9), across, ("-5", end - 4, end)]:
        ask.request("GET", address, headers={"Range": f"bytes={asked}"})
        answer = ask.getresponse()
        assert answer.status == 206 and answer.read() == whole[first : last + 1]
        assert answer.headers["Content-Range"] == f"bytes {first}-{last}/{len(whole)}"
    ask.request("GET", address, headers={"Range": f"bytes={len(whole)}-"})
    answer = ask.getresponse()
    assert (answer.status, answer.read()) == (416, b"")
    ask.request("GET", address, headers={"If-None-Match": answer.headers["ETag"]})
    answer = ask.getresponse()
    assert (answer.status, answer.read()) == (304, b"")


def put(url, body, headers):
    """Sends a body to a URL of the store, and gives the ETag."""
    request = urllib.request.Request(url, data=body, method="PUT", headers=headers)
    # moto takes what urllib says on its own account for a form.
    request.add_header("Content-Type", "application/octet-stream")
    with urllib.request.urlopen(request) as answer:
        return answer.headers["ETag"]


def begin(server, run, parts=2, name="a.bin"):
    asked = {"path": name, "num_parts": parts}
    return call(server, "POST", f"{PROXY}mpu/create/{folder(run)}", asked)


def test_parts_are_put_by_urls_that_the_store_would_sign_too(bucket, server, run):
    status, begun = begin(server, run)
    assert status == 200 and [each["part_number"] for each in begun["credentials"]] == [1, 2]
    parts = []
    for each, body in zip(begun["credentials"], [b"a" * 5 * MIB, b"b"]):
        assert buckets.is_signed(each["url"], "PUT") and not buckets.is_signed(each["url"], "GET")
        etag = put(each["url"], body, each["headers"])
        parts.append({"part_number": each["part_number"], "etag": etag, "url": each["url"]})
    complete = lambda asked: call(server, "POST", f"{PROXY}mpu/complete/{folder(run)}", asked)
    named = {"path": "a.bin", "upload_id": begun["upload_id"]}
    assert f"{folder(run)}/a.bin" not in bucket.keys()
    for wrong in [[], parts[1:], parts[::-1], [{**parts[0], "etag": '"no"'}, parts[1]]]:
        status, answer = complete({**named, "parts": wrong})
        assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), answer
    assert complete({**named, "parts": parts}) == (200, {})
    assert bucket.keys()[f"{folder(run)}/a.bin"] == 5 * MIB + 1
    status, answer = call(server, "GET", f"{PROXY}presigned/{folder(run)}/a.bin")
    assert status == 200 and answer["file_size"] == 5 * MIB + 1 and answer["headers"] == {}
    assert buckets.is_signed(answer["url"], "GET") and "response-content-disposition=attachment" in answer["url"]
    with urllib.request.urlopen(answer["url"]) as download:
        assert download.headers["Content-Disposition"] == "attachment"
        assert download.read(1) == b"a"
    status, answer = call(server, "GET", f"{PROXY}presigned/{folder(run)}/none.bin")
    assert (status, answer["error_code"]) == (404, "RESOURCE_DOES_NOT_EXIST")


def test_an_upload_is_aborted_and_limits_are_said(bucket, server, run):
    _, begun = begin(server, run)
    named = {"path": "a.bin", "upload_id": begun["upload_id"]}
    for _ in range(2):
        assert call(server, "POST", f"{PROXY}mpu/abort/{folder(run)}", named) == (200, {})
    assert not [key for key in bucket.uploads() if run.info.run_id in key]
    for count in [0, -1, 10_001, 1 << 40]:
        status, answer = begin(server, run, parts=count)
        assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), answer
        assert "between 1 and 10000" in answer["message"]
    for name in ["..", "src%5C.."]:
        assert begin(server, run, name=name)[1]["message"] == "Invalid path"
    for elsewhere in ["models/x", ".incoming", "workspaces/other", "999999/x"]:
        status, _ = call(server, "POST", f"{PROXY}mpu/create/{elsewhere}", {"path": "a", "num_parts": 1})
        assert status in (400, 404), elsewhere


def test_clients_go_to_the_bucket_themselves_where_they_are_told_to(bucket, tmp_path, monkeypatch):
    options = ["--artifacts", URL, "--direct-artifacts"]
    server = Server(tmp_path / "data", *options, environment=buckets.environment(bucket.url))
    try:
        info = call(server, "GET", "/api/3.0/mlflow/server-info")[1]
        assert info["multipart_uploads_enabled"] and info["multipart_downloads_enabled"]
        monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE", str(6 * MIB))
        monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE", str(5 * MIB))
        monkeypatch.setenv("MLFLOW_MULTIPART_DOWNLOAD_CHUNK_SIZE", str(5 * MIB))
        # Clients before 3.18 do not ask the server what it can.
        monkeypatch.setenv("MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD", "true")
        monkeypatch.setenv("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "true")
        client = MlflowClient(server.url)
        mlflow.set_tracking_uri(server.url)
        run = client.create_run("0")
        file = tmp_path / "model.bin"
        expected = some_bytes(file, 12 * MIB)
        client.log_artifact(run.info.run_id, str(file), "sub")
        head = bucket.s3.head_object(Bucket=buckets.NAME, Key=f"{buckets.PREFIX}/{folder(run)}/sub/model.bin")
        # The client's three parts of 5 MiB, not the server's two of 8.
        assert head["ETag"].endswith('-3"')
        down = download_artifacts(f"runs:/{run.info.run_id}/sub/model.bin", dst_path=str(tmp_path / "down"))
        assert digest(down) == expected
    finally:
        assert server.stop() == 0


def test_a_local_store_sends_clients_back_to_the_server(tmp_path, monkeypatch):
    server = Server(tmp_path / "data", "--direct-artifacts")
    try:
        assert call(server, "GET", "/api/3.0/mlflow/server-info")[1]["multipart_uploads_enabled"] is False
        monkeypatch.setenv("MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD", "true")
        monkeypatch.setenv("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "true")
        monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE", "1000")
        mlflow.set_tracking_uri(server.url)
        client = MlflowClient(server.url)
        run = client.create_run("0")
        expected = some_bytes(tmp_path / "a.bin", 3 * MIB)
        client.log_artifact(run.info.run_id, str(tmp_path / "a.bin"))
        down = download_artifacts(f"runs:/{run.info.run_id}/a.bin", dst_path=str(tmp_path / "down"))
        assert digest(down) == expected
        status, answer = begin(server, run)
        assert (status, answer["error_code"]) == (501, "NOT_IMPLEMENTED")
        assert answer["message"].startswith("Multipart upload is not supported for the current artifact repository")
    finally:
        assert server.stop() == 0


def half_sent(server, path, length, sent):
    """A connection on which the first part of an upload has been sent."""
    host, port = urllib.parse.urlsplit(server.url).netloc.split(":")
    connection = socket.create_connection((host, int(port)))
    head = f"PUT {PROXY}artifacts/{path} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: {length}\r\n\r\n"
    connection.sendall(head.encode() + b"x" * sent)
    return connection


def test_a_client_that_goes_away_leaves_nothing(bucket, server, run):
    path = f"{folder(run)}/gone.bin"
    connection = half_sent(server, path, 40 * MIB, 18 * MIB)
    until(lambda: any(key.endswith(path) for key in bucket.uploads()), "the upload does not begin")
    connection.close()
    until(lambda: not any(key.endswith(path) for key in bucket.uploads()), "the upload is not aborted")
    assert path not in bucket.keys()


def test_a_killed_server_leaves_nothing_to_be_seen(bucket, tmp_path):
    data = tmp_path / "data"
    server = Server(data, "--artifacts", URL, environment=buckets.environment(bucket.url))
    run = MlflowClient(server.url).create_run("0")
    MlflowClient(server.url).log_text(run.info.run_id, "whole", "whole.txt")
    path = f"{folder(run)}/torn.bin"
    connection = half_sent(server, path, 40 * MIB, 18 * MIB)
    until(lambda: any(key.endswith(path) for key in bucket.uploads()), "the upload does not begin")
    server.process.kill()
    server.process.wait()
    server.process.stderr.close()
    connection.close()
    assert path not in bucket.keys()
    # It finds the bucket by itself, and sweeps it: moto says of all uploads that they are of 2010.
    server = Server(data, environment=buckets.environment(bucket.url))
    try:
        until(lambda: not bucket.uploads(), "the upload is not swept")
        listed = MlflowClient(server.url).list_artifacts(run.info.run_id)
        assert [each.path for each in listed] == ["whole.txt"]
    finally:
        assert server.stop() == 0


def test_artifacts_that_clients_put_into_a_bucket_are_served_too(bucket, tmp_path, monkeypatch):
    for name, value in buckets.environment(bucket.url).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", bucket.url)
    server = Server(tmp_path / "data", "--default-artifact-root", f"s3://{buckets.NAME}/theirs")
    try:
        mlflow.set_tracking_uri(server.url)
        client = MlflowClient(server.url)
        run = client.create_run(client.create_experiment("theirs"))
        assert run.info.artifact_uri.startswith(f"s3://{buckets.NAME}/theirs/")
        # By the client's own means.
        client.log_text(run.info.run_id, "direct", "dir/a.txt")
        listed = call(server, "GET", f"/api/2.0/mlflow/artifacts/list?run_id={run.info.run_id}&path=dir")[1]
        assert listed["files"] == [{"path": "dir/a.txt", "is_dir": False, "file_size": 6}]
        address = f"{server.url}/get-artifact?run_id={run.info.run_id}&path=dir/a.txt"
        with urllib.request.urlopen(address) as answer:
            assert answer.read() == b"direct"
        asked = {"run_id": run.info.run_id, "path": "dir/b.txt"}
        status, answer = call(server, "POST", "/api/2.0/mlflow/artifacts/presigned-upload-url", asked)
        assert status == 200 and buckets.is_signed(answer["presigned_url"], "PUT")
        put(answer["presigned_url"], b"put", answer["headers"])
        status, answer = call(server, "POST", "/api/2.0/mlflow/artifacts/presigned-download-url", asked)
        assert status == 200 and answer["file_size"] == 3
        with urllib.request.urlopen(answer["presigned_url"]) as download:
            assert download.read() == b"put"
    finally:
        assert server.stop() == 0


def test_models_lie_under_their_digests_and_are_checked(bucket, tmp_path):
    import world

    data, told = tmp_path / "data", buckets.environment(bucket.url)
    # Remembers the bucket.
    assert Server(data, "--artifacts", URL + "-models", environment=told).stop() == 0
    file = world.lay_out(tmp_path, world.visits())
    command = [BINARY, "run", str(file), "--data", str(data)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **told})
    assert done.returncode == 0, done.stderr
    prefix = f"{buckets.PREFIX}-models/"
    [graph] = [key for key in bucket.keys(prefix) if key.startswith("models/") and key.endswith("/model.onnx")]
    held = bucket.s3.get_object(Bucket=buckets.NAME, Key=prefix + graph)["Body"].read()
    assert graph.split("/")[1] == hashlib.sha256(held).hexdigest()
    shutil.copytree(data, tmp_path / "other")
    server = Server(data, environment=told).ready()
    assert server.stop() == 0
    bucket.s3.put_object(Bucket=buckets.NAME, Key=prefix + graph, Body=held[:-1] + b"?")
    server = Server(tmp_path / "other", environment=told)
    try:
        status = lambda: call(server, "GET", "/api/v1/endpoints/purchases")[1]["predictor"]
        until(lambda: "digest" in json.dumps(status()), f"a damaged model is served: {status()}")
    finally:
        assert server.stop() == 0


def test_nothing_secret_is_told(bucket, tmp_path):
    server = Server(tmp_path / "data", "--artifacts", URL, "--log", "debug", environment=buckets.environment(bucket.url))
    run = MlflowClient(server.url).create_run("0")
    MlflowClient(server.url).log_text(run.info.run_id, "x", "a.txt")
    answers = [begin(server, run)[1]["credentials"][0]["url"]]
    answers.append(call(server, "GET", f"{PROXY}presigned/{folder(run)}/a.txt")[1]["url"])
    signatures = [url.split("X-Amz-Signature=")[1][:64] for url in answers]
    events = json.dumps(call(server, "GET", "/api/v1/events"))
    server.process.terminate()
    _, log = server.process.communicate(timeout=60)
    remembered = (tmp_path / "data/artifacts.url").read_text()
    for text in [events, log, remembered]:
        for secret in [buckets.SECRET, *signatures]:
            assert secret not in text


def test_a_store_that_is_away_is_said_to_be(tmp_path):
    away = buckets.environment(f"http://127.0.0.1:{buckets.free_port()}")
    server = Server(tmp_path / "data", "--artifacts", URL, environment=away)
    try:
        run = MlflowClient(server.url).create_run("0")
        status, answer = call(server, "GET", f"{PROXY}artifacts?path={folder(run)}")
        assert (status, answer["error_code"]) == (503, "TEMPORARILY_UNAVAILABLE"), answer
    finally:
        assert server.stop() == 0


@pytest.mark.parametrize(
    "url, environment, told",
    [
        (URL, {"AWS_ENDPOINT_URL": "http://192.0.2.1:9000"}, "is not encrypted"),
        ("s3://KEY:HIDDEN@bucket/x", {}, "credentials come from the environment"),
        (URL + "?secret=HIDDEN", {}, "an option is unknown"),
    ],
)
def test_what_cannot_be_opened_is_refused_at_the_start(tmp_path, url, environment, told):
    command = [BINARY, "up", "--listen", "127.0.0.1:0", "--data", str(tmp_path / "data"), "--artifacts", url]
    ended = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})
    assert ended.returncode != 0 and told in ended.stderr and "HIDDEN" not in ended.stderr
