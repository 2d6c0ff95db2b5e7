"""Whose files this server reads, with its own credentials, from a bucket that clients write themselves."""

import urllib.error
import urllib.request

import bucket as buckets
import pytest
from conftest import Server
from test_auth import ADMIN, basic, call, grant, make_admin, user

API = "/api/2.0/mlflow/"
ROOT = f"s3://{buckets.NAME}/theirs"


@pytest.fixture(scope="module")
def bucket():
    running = buckets.Bucket()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def server(bucket, tmp_path_factory):
    data, told = tmp_path_factory.mktemp("data"), buckets.environment(bucket.url)
    assert Server(data).stop() == 0
    make_admin(data)
    options = ("--auth", "required", "--mlflow-workspaces", "--default-artifact-root", ROOT)
    running = Server(data, *options, environment=told)
    yield running
    assert running.stop() == 0


def made(server, who, path, body, headers=()):
    status, answer = call(server, who, "POST", API + path, body, headers)
    assert status == 200, answer
    return answer


def run_with_file(server, bucket, name, text, location=None):
    """A run of an experiment of that name, with one file; gives the experiment and what is told of the run."""
    place = {"artifact_location": location} if location else {}
    experiment = made(server, ADMIN, "experiments/create", {"name": name, **place})["experiment_id"]
    info = made(server, ADMIN, "runs/create", {"experiment_id": experiment})["run"]["info"]
    key = info["artifact_uri"].removeprefix(f"s3://{buckets.NAME}/")
    bucket.s3.put_object(Bucket=buckets.NAME, Key=f"{key}/model/MLmodel", Body=text.encode())
    return experiment, info


def read(server, who, model, version, headers=(), more=""):
    address = f"{server.url}/model-versions/get-artifact?name={model}&version={version}&path=MLmodel{more}"
    request = urllib.request.Request(address, headers={"Authorization": basic(who), **dict(headers)})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, None


def test_a_version_leads_nobody_to_the_files_of_others(server, bucket):
    _, hidden = run_with_file(server, bucket, "hidden", "hidden model")
    run_with_file(server, bucket, "team", "the team's", f"{ROOT}/team")
    open_, own = run_with_file(server, bucket, "open", "open model")
    bob, ann, max_ = user(server, "bob"), user(server, "ann"), user(server, "max")
    made(server, ADMIN, "registered-models/create", {"name": "bobs"})
    assert grant(server, bob, "registered_model", "bobs", "EDIT")[0] == 200
    assert grant(server, bob, "experiment", open_, "READ")[0] == 200
    assert grant(server, ann, "registered_model", "bobs", "READ")[0] == 200
    assert grant(server, max_, "workspace", "*", "MANAGE")[0] == 200
    version = lambda who, source, **more: made(
        server, who, "model-versions/create", {"name": "bobs", "source": source, **more}
    )["model_version"]["version"]
    base = hidden["artifact_uri"]
    theirs = [
        base + "/model",
        base,
        base.rsplit("/", 2)[0],
        f"{ROOT}/team/x",
        f"{ROOT}/team",
        f"{ROOT}/nobodys",
        f"{ROOT}/77/x",
        f"{ROOT}/workspaces/beta/x",
        f"{ROOT}/models/x",
    ]
    closed = set()
    for source in theirs:
        for more in ({}, {"run_id": own["run_id"]}):
            number = version(bob, source, **more)
            # Whether something is there, and whose, is told to nobody.
            status, told = call(
                server, bob, "GET", f"/model-versions/get-artifact?name=bobs&version={number}&path=MLmodel"
            )
            closed.add((status, told["error_code"], told["message"].replace(f"version {number} ", "version N ")))
            assert read(server, bob, "bobs", number, more="&presigned=true")[0] == 403
    [(status, code, message)] = closed
    assert (status, code) == (403, "PERMISSION_DENIED") and "register it with its run_id" in message
    # What he may read he may register, and with the run it is there for all who may read the model.
    mine = own["artifact_uri"] + "/model"
    alone, whole = version(bob, mine), version(bob, mine, run_id=own["run_id"])
    for number in (alone, whole):
        assert read(server, bob, "bobs", number) == (200, "open model")
    assert read(server, ann, "bobs", alone)[0] == 403
    assert read(server, ann, "bobs", whole) == (200, "open model")
    # Elsewhere the server reads nothing, and clients may.
    assert read(server, bob, "bobs", version(bob, "s3://another/model"))[0] == 400
    # Those who may read everything here read anything here, also what was there before this server.
    put = lambda key: bucket.s3.put_object(Bucket=buckets.NAME, Key=f"theirs/{key}/MLmodel", Body=key.encode())
    for key in ("exported", "models/churn", "77/run/artifacts/model"):
        put(key)
        number = version(bob, f"{ROOT}/{key}")
        for who in (ADMIN, max_):
            assert read(server, who, "bobs", number) == (200, key)
        assert read(server, bob, "bobs", number)[0] == 403
    number = version(bob, base + "/model")
    assert read(server, ADMIN, "bobs", number) == (200, "hidden model")
    assert read(server, bob, "bobs", number)[0] == 403


def test_a_workspace_reads_its_own_files(server, bucket):
    _, hidden = run_with_file(server, bucket, "of the default workspace", "of default")
    beta = {"X-MLFLOW-WORKSPACE": "beta"}
    assert call(server, ADMIN, "POST", "/api/3.0/mlflow/workspaces", {"name": "beta"})[0] == 201
    dev = user(server, "dev")
    granted = {"actor": "user:dev", "role": "developer"}
    assert call(server, ADMIN, "POST", "/api/v1/grants", granted, beta)[0] in (200, 201)
    made(server, dev, "registered-models/create", {"name": "x"}, beta)
    version = lambda source: made(server, dev, "model-versions/create", {"name": "x", "source": source}, beta)[
        "model_version"
    ]["version"]
    for source in (hidden["artifact_uri"] + "/model", f"{ROOT}/anything", f"{ROOT}/workspaces/default/x"):
        assert read(server, dev, "x", version(source), beta)[0] == 403, source
    experiment = made(server, dev, "experiments/create", {"name": "own"}, beta)["experiment_id"]
    own = made(server, dev, "runs/create", {"experiment_id": experiment}, beta)["run"]["info"]["artifact_uri"]
    assert own.startswith(f"{ROOT}/workspaces/beta/{experiment}/")
    for uri in (own, f"{ROOT}/workspaces/beta/exported"):
        key = uri.removeprefix(f"s3://{buckets.NAME}/")
        bucket.s3.put_object(Bucket=buckets.NAME, Key=f"{key}/MLmodel", Body=b"of beta")
        assert read(server, dev, "x", version(uri), beta) == (200, "of beta")


def test_nobody_puts_an_experiment_around_those_of_others(server):
    eve, bob = user(server, "eve"), user(server, "bob2")
    for who in (eve, bob):
        assert grant(server, who, "workspace", "*", "USE")[0] == 200
    place = lambda who, name, at: call(
        server, who, "POST", API + "experiments/create", {"name": name, "artifact_location": f"{ROOT}/{at}"}
    )
    assert place(bob, "bob's", "shop/bob")[0] == 200
    for at in ("shop", "shop/bob", "shop/bob/within"):
        status, told = place(eve, f"eve's {at}", at)
        assert status == 400 and "name another" in told["message"], told
    assert place(eve, "eve's", "shop/eve")[0] == 200
    assert place(bob, "bob's second", "shop/bob/second")[0] == 200
    assert place(ADMIN, "all", "shop")[0] == 200
