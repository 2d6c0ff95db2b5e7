"""Names, passwords and levels on single things, as the unmodified MLflow client meets them."""

import base64
import contextlib
import json
import subprocess
import time
import urllib.error
import urllib.request

import mlflow
import pytest
from conftest import BINARY, Server
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

ADMIN = ("root", "a long admin password")


def make_admin(data):
    """The first admin, made by whoever can read the data directory."""
    name, password = ADMIN
    command = [BINARY, "users", "create", name, "--admin", "--data", str(data)]
    made = subprocess.run(command, input=password + "\n", capture_output=True, text=True)
    assert made.returncode == 0, made.stderr


def start(data, *options):
    # A directory that holds data: the command opens none by itself.
    first = Server(data)
    assert first.stop() == 0
    make_admin(data)
    return Server(data, "--auth", "required", *options)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = start(tmp_path_factory.mktemp("auth"), "--default-permission", "NO_PERMISSIONS")
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def spaces(tmp_path_factory):
    running = start(tmp_path_factory.mktemp("spaces"), "--mlflow-workspaces")
    yield running
    assert running.stop() == 0


def basic(who):
    return "Basic " + base64.b64encode(":".join(who).encode()).decode()


def call(server, who, method, path, body=None, headers=(), raw=None):
    """The status and the JSON of an answer."""
    data = raw if raw is not None else None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(server.url + path, data=data, method=method)
    if data is not None:
        request.add_header("Content-Type", "application/json")
    if who:
        request.add_header("Authorization", basic(who))
    for name, value in dict(headers).items():
        request.add_header(name, value)
    try:
        with urllib.request.urlopen(request) as answer:
            text, status, heads = answer.read(), answer.status, answer.headers
    except urllib.error.HTTPError as error:
        text, status, heads = error.read(), error.code, error.headers
    call.headers = heads
    return status, json.loads(text) if text and heads.get_content_subtype().endswith("json") else None


def user(server, name):
    who = (name, f"the password of {name}")
    status, made = call(
        server, ADMIN, "POST", "/api/2.0/mlflow/users/create", dict(zip(("username", "password"), who))
    )
    assert status == 200 and made["user"]["username"] == name, made
    return who


@contextlib.contextmanager
def acting(monkeypatch, server, who):
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", who[0])
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", who[1])
    mlflow.set_tracking_uri(server.url)
    yield MlflowClient(server.url)
    monkeypatch.delenv("MLFLOW_TRACKING_USERNAME")
    monkeypatch.delenv("MLFLOW_TRACKING_PASSWORD")


def grant(server, who, kind, thing, level, by=ADMIN, headers=()):
    body = {"username": who[0], "resource_type": kind, "resource_id": thing, "permission": level}
    return call(server, by, "POST", "/api/3.0/mlflow/users/permissions/grant", body, headers)


@contextlib.contextmanager
def denied():
    with pytest.raises(MlflowException, match=r"Permission denied.") as caught:
        yield
    assert caught.value.error_code == "PERMISSION_DENIED"


def test_nobody_is_asked_who_it_is(server, monkeypatch):
    for path in ("/api/2.0/mlflow/experiments/search", "/ajax-api/3.0/mlflow/nothing", "/"):
        status, _ = call(server, None, "GET", path, headers={"Accept": "application/json"})
        assert status == 401, path
        assert any(line.startswith("Basic ") for line in call.headers.get_all("WWW-Authenticate"))
    assert call(server, ADMIN, "GET", "/api/2.0/mlflow/nothing")[0] == 404
    for wrong in (("root", "wrong"), ("nobody", ADMIN[1])):
        status, told = call(server, wrong, "GET", "/api/2.0/mlflow/users/current")
        assert (status, told["error_code"]) == (401, "UNAUTHENTICATED")
        assert told["message"].startswith("You are not authenticated. ")
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "root")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "wrong")
    with pytest.raises(MlflowException, match="You are not authenticated. "):
        MlflowClient(server.url).search_experiments()


def test_users(server):
    ann = user(server, "ann@example.org")
    users = "/api/2.0/mlflow/users/"
    status, current = call(server, ann, "GET", users + "current")
    assert status == 200 and set(current["user"]) == {"id", "username", "is_admin"}
    assert current["user"]["username"] == ann[0] and current["user"]["is_admin"] is False
    assert call(server, ann, "GET", users + "list")[0] == 403
    listed = call(server, ADMIN, "GET", users + "list")[1]["users"]
    assert {"root": True, ann[0]: False}.items() <= {one["username"]: one["is_admin"] for one in listed}.items()
    assert call(server, ann, "GET", users + "get?username=root")[0] == 403
    for body, said in [
        ({"username": "x", "password": "short"}, "at least 12 characters"),
        ({"username": "", "password": ""}, "cannot be empty"),
        ({"username": ann[0], "password": "another password"}, "already exists"),
    ]:
        status, told = call(server, ADMIN, "POST", users + "create", body)
        assert status == 400 and said in told["message"], told
    for raw in (b"null", b""):
        assert call(server, ADMIN, "POST", users + "create", raw=raw)[0] == 400

    change = {"username": ann[0], "password": "a better password"}
    path = users + "update-password"
    assert "Current password is required" in call(server, ann, "PATCH", path, change)[1]["message"]
    wrong = {**change, "current_password": "not this one"}
    assert "does not match" in call(server, ann, "PATCH", path, wrong)[1]["message"]
    assert call(server, ann, "PATCH", path, {**change, "username": "root"})[0] == 403
    assert call(server, ann, "PATCH", path, {**change, "current_password": ann[1]})[0] == 200
    assert call(server, ann, "GET", users + "current")[0] == 401
    ann = (ann[0], change["password"])
    assert call(server, ann, "GET", users + "current")[0] == 200

    assert call(server, ADMIN, "DELETE", users + "delete", {"username": "root"})[0] == 400
    assert call(server, ADMIN, "DELETE", users + "delete", {"username": ann[0]})[0] == 200
    assert call(server, ann, "GET", users + "current")[0] == 401


def test_a_token_is_a_password_and_pages_from_elsewhere_are_kept_out(server):
    body = {"label": "ci", "role": "developer"}
    status, made = call(server, ADMIN, "POST", "/api/v1/tokens", body)
    assert status == 201
    token = ("whoever", made["token"])
    path = "/api/2.0/mlflow/experiments/search"
    assert call(server, token, "POST", path, {"max_results": 5})[0] == 200
    elsewhere = {"Origin": "https://evil.example"}
    assert call(server, ADMIN, "POST", path, {"max_results": 5}, elsewhere)[0] == 403


def test_who_creates_something_manages_it_and_nobody_else_sees_it(server, monkeypatch):
    owner, other = user(server, "owner"), user(server, "other")
    with acting(monkeypatch, server, owner) as client:
        experiment = client.create_experiment("owned")
        run = client.create_run(experiment)
        client.log_metric(run.info.run_id, "m", 1.0)
        client.create_registered_model("owned")
        assert [one.name for one in client.search_experiments()] == ["owned"]
        assert len(client.search_runs([experiment])) == 1
        # In the browser's own words.
        with_path = f"/ajax-api/2.0/mlflow/artifacts/list?run_id={run.info.run_id}"
        assert call(server, owner, "GET", with_path)[0] == 200
    with acting(monkeypatch, server, other) as client:
        assert client.search_experiments() == [] and client.search_registered_models() == []
        assert client.search_runs([experiment]) == []
        for refused in (
            lambda: client.get_experiment(experiment),
            lambda: client.get_run(run.info.run_id),
            lambda: client.get_metric_history(run.info.run_id, "m"),
            lambda: client.list_artifacts(run.info.run_id),
            lambda: client.log_metric(run.info.run_id, "m", 2.0),
            lambda: client.create_run(experiment),
            lambda: client.delete_run(run.info.run_id),
            lambda: client.rename_experiment(experiment, "mine"),
            lambda: client.get_registered_model("owned"),
            lambda: client.create_model_version("owned", "s3://b/m"),
            lambda: client.delete_registered_model("owned"),
        ):
            with denied():
                refused()
        assert grant(server, other, "experiment", experiment, "MANAGE", by=other)[0] == 403
    assert call(server, other, "GET", with_path)[0] == 403
    artifacts = f"/api/2.0/mlflow-artifacts/artifacts/{experiment}/x.txt"
    assert call(server, other, "PUT", artifacts, raw=b"x")[0] == 403
    assert call(server, owner, "PUT", artifacts, raw=b"x")[0] == 200
    assert call(server, other, "GET", artifacts)[0] == 403

    # The console and our own API know of roles alone.
    assert call(server, other, "GET", "/api/v1/models")[0] == 403

    assert grant(server, other, "experiment", experiment, "READ", by=owner)[0] == 200
    assert grant(server, other, "experiment", experiment, "READ", by=owner)[0] == 400
    with acting(monkeypatch, server, other) as client:
        assert client.get_run(run.info.run_id).data.metrics == {"m": 1.0}
        with denied():
            client.set_tag(run.info.run_id, "a", "b")
    asked = f"/api/3.0/mlflow/users/permissions/get?username=other&resource_type=experiment&resource_id={experiment}"
    assert call(server, other, "GET", asked)[1] == {"allowed": False, "permission": "READ"}

    # A model that takes the name of one that is gone is not its owner's.
    with acting(monkeypatch, server, owner) as client:
        client.rename_registered_model("owned", "renamed")
        client.update_registered_model("renamed", "still mine")
        client.delete_registered_model("renamed")
    with acting(monkeypatch, server, other) as client:
        client.create_registered_model("renamed")
    with acting(monkeypatch, server, owner) as client, denied():
        client.get_registered_model("renamed")


def test_searches_give_whole_pages_of_what_may_be_read(server, monkeypatch):
    maker, reader = user(server, "maker"), user(server, "reader")
    with acting(monkeypatch, server, maker) as client:
        ids = [client.create_experiment(f"page {n}") for n in range(10)]
        for n, experiment in enumerate(ids):
            client.create_registered_model(f"page {n}")
            client.create_model_version(f"page {n}", "s3://bucket/model")
            client.create_run(experiment)
    for n in range(0, 10, 2):
        assert grant(server, reader, "experiment", ids[n], "READ", by=maker)[0] == 200
        assert grant(server, reader, "registered_model", f"page {n}", "READ", by=maker)[0] == 200

    def pages(search):
        sizes, found, token = [], [], None
        while True:
            page = search(token)
            sizes.append(len(page))
            found.extend(page)
            token = page.token
            if not token:
                return sizes, found

    with acting(monkeypatch, server, reader) as client:
        for search in (
            lambda token: client.search_experiments(max_results=2, page_token=token),
            lambda token: client.search_registered_models(max_results=2, page_token=token),
            lambda token: client.search_model_versions(max_results=2, page_token=token),
            lambda token: client.search_runs(ids, max_results=2, page_token=token),
        ):
            sizes, found = pages(search)
            assert sizes == [2, 2, 1] and len(found) == 5


def test_a_grant_of_nothing_is_refused(server):
    who = user(server, "nothing")
    for kind, thing in (("experiment", "0"), ("registered_model", "*"), ("workspace", "*")):
        status, told = grant(server, who, kind, thing, "NO_PERMISSIONS")
        assert (status, told["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
        assert told["message"].startswith(f"Invalid permission 'NO_PERMISSIONS' on {kind}. Take the grant away")


def test_a_stream_ends_with_the_credential_that_opened_it(server):
    who = user(server, "listener")
    assert grant(server, who, "experiment", "0", "READ")[0] == 200
    made = call(server, ADMIN, "POST", "/api/v1/tokens", {"label": "listens", "role": "viewer"})[1]
    listeners = [("whoever", made["token"]), who]
    streams = []
    for one in listeners:
        request = urllib.request.Request(server.url + "/api/v1/events/stream", headers={"Authorization": basic(one)})
        streams.append(urllib.request.urlopen(request, timeout=60))
        assert streams[-1].readline().startswith(b"id: ")
    assert call(server, ADMIN, "DELETE", "/api/v1/tokens/" + made["id"])[0] == 204
    assert call(server, ADMIN, "DELETE", "/api/2.0/mlflow/users/delete", {"username": who[0]})[0] == 200
    began = time.monotonic()
    for one, stream in zip(listeners, streams):
        stream.read()
        assert call(server, one, "GET", "/api/2.0/mlflow/users/current")[0] == 401
    # By itself a stream ends after two minutes.
    assert time.monotonic() - began < 60


def test_routes_of_older_clients(server):
    who = user(server, "older")
    base = "/api/2.0/mlflow/experiments/permissions/"
    body = {"experiment_id": "no-such-thing", "username": who[0], "permission": "READ"}
    status, made = call(server, ADMIN, "POST", base + "create", body)
    assert status == 200 and made["experiment_permission"]["permission"] == "READ"
    assert call(server, who, "POST", base + "create", body)[0] == 403
    assert call(server, ADMIN, "POST", base + "create", body)[1]["error_code"] == "RESOURCE_ALREADY_EXISTS"
    none = {**body, "permission": "NO_PERMISSIONS"}
    assert call(server, ADMIN, "PATCH", base + "update", none) == (200, {})
    query = f"get?experiment_id=no-such-thing&username={who[0]}"
    told = call(server, ADMIN, "GET", base + query)[1]["experiment_permission"]
    assert told == {"experiment_id": "no-such-thing", "user_id": told["user_id"], "permission": "NO_PERMISSIONS"}
    gone = {key: body[key] for key in ("experiment_id", "username")}
    assert call(server, ADMIN, "DELETE", base + "delete", gone) == (200, {})
    status, told = call(server, ADMIN, "GET", base + query)
    assert status == 404
    assert told["message"] == f"Experiment permission with experiment_id=no-such-thing and username={who[0]} not found"


def test_roles(server):
    member = user(server, "member")
    roles = "/api/3.0/mlflow/roles/"
    role = call(
        server, ADMIN, "POST", roles + "create", {"workspace": "ws1", "name": "viewer", "description": "reads"}
    )[1]["role"]
    assert (role["workspace"], role["name"], role["description"], role["permissions"]) == ("ws1", "viewer", "reads", [])
    again = {"workspace": "ws1", "name": "viewer"}
    assert "already exists" in call(server, ADMIN, "POST", roles + "create", again)[1]["message"]
    assert call(server, member, "POST", roles + "create", {"workspace": "ws1", "name": "x"})[0] == 403
    level = {"role_id": role["id"], "resource_type": "workspace", "resource_pattern": "*", "permission": "MANAGE"}
    held = call(server, ADMIN, "POST", roles + "permissions/add", level)[1]["role_permission"]
    bogus = {**level, "resource_type": "bogus"}
    assert "Invalid resource type" in call(server, ADMIN, "POST", roles + "permissions/add", bogus)[1]["message"]
    assert call(server, member, "GET", roles + f"get?role_id={role['id']}")[0] == 403
    assigned = call(server, ADMIN, "POST", roles + "assign", {"username": "member", "role_id": role["id"]})
    assert assigned[1]["assignment"]["role_id"] == role["id"]
    # Who manages a workspace makes its roles, and nobody else's.
    assert call(server, member, "POST", roles + "create", {"workspace": "ws1", "name": "mine"})[0] == 200
    assert call(server, member, "POST", roles + "create", {"workspace": "ws2", "name": "mine"})[0] == 403
    mine = call(server, member, "GET", "/ajax-api/3.0/mlflow/users/roles/list?username=member")[1]["roles"]
    assert [one["name"] for one in mine] == ["viewer"]
    assert len(call(server, member, "GET", roles + "list?workspace=ws1")[1]["roles"]) == 2
    assert call(server, member, "GET", roles + "list")[0] == 403
    # None of this promotes a model, nor makes a token.
    there = {"X-Mainstay-Workspace": "ws1"}
    assert call(server, member, "GET", "/api/v1/tokens", headers=there)[0] == 403
    changed = {"role_permission_id": held["id"], "permission": "READ"}
    told = call(server, ADMIN, "PATCH", roles + "permissions/update", changed)[1]["role_permission"]
    assert told["permission"] == "READ"
    assert call(server, member, "POST", roles + "create", {"workspace": "ws1", "name": "more"})[0] == 403
    unassign = {"username": "member", "role_id": role["id"]}
    assert call(server, ADMIN, "DELETE", roles + "unassign", unassign) == (200, {})
    assert call(server, ADMIN, "DELETE", roles + "delete", {"role_id": role["id"]}) == (200, {})
    assert call(server, ADMIN, "GET", roles + f"get?role_id={role['id']}")[0] == 404


def test_workspaces(spaces):
    who, base = user(spaces, "inhabitant"), "/api/3.0/mlflow/workspaces"
    assert call(spaces, None, "GET", "/api/3.0/mlflow/server-info")[1]["workspaces_enabled"] is True
    assert call(spaces, who, "POST", base, {"name": "team-a"})[0] == 403
    status, made = call(spaces, ADMIN, "POST", base, {"name": "team-a", "description": "ours"})
    assert (status, made) == (201, {"workspace": {"name": "team-a", "description": "ours"}})
    assert call(spaces, ADMIN, "POST", base, {"name": "Team"})[0] == 400
    assert "reserved" in call(spaces, ADMIN, "POST", base, {"name": "default"})[1]["message"]
    seeds = call(spaces, ADMIN, "GET", "/api/3.0/mlflow/roles/list?workspace=team-a")[1]["roles"]
    assert [(one["name"], one["permissions"][0]["permission"]) for one in seeds] == [
        ("admin", "MANAGE"),
        ("user", "USE"),
    ]
    there, nowhere = ({"X-MLFLOW-WORKSPACE": name} for name in ("team-a", "team-b"))
    create, body = "/api/2.0/mlflow/experiments/create", {"name": "e"}
    assert call(spaces, who, "POST", create, body, there)[0] == 403
    # Who has no part in any learns nothing of which there are.
    assert call(spaces, who, "POST", create, body, nowhere)[0] == 403
    status, told = call(spaces, ADMIN, "POST", create, body, nowhere)
    assert status == 404 and "Workspace 'team-b' not found" in told["message"]
    assert call(spaces, who, "GET", base)[1] == {"workspaces": []}
    use = {"username": who[0], "permission": "USE"}
    status, told = call(spaces, ADMIN, "POST", base + "/team-a/permissions", use)
    assert status == 200 and told["permission"]["can_use"] is True
    assert call(spaces, who, "GET", base + "/team-a/permissions")[0] == 403
    assert [one["name"] for one in call(spaces, who, "GET", base)[1]["workspaces"]] == ["team-a"]
    experiment = call(spaces, who, "POST", create, body, there)[1]["experiment_id"]
    get = f"/api/2.0/mlflow/experiments/get?experiment_id={experiment}"
    assert call(spaces, who, "GET", get, headers=there)[0] == 200
    assert call(spaces, who, "GET", get)[0] == 403
    assert call(spaces, ADMIN, "GET", get)[0] == 404
    assert call(spaces, ADMIN, "DELETE", base + "/team-a")[0] == 400
    assert call(spaces, ADMIN, "DELETE", base + "/team-a?mode=CASCADE")[0] == 501
    assert call(spaces, ADMIN, "POST", base, {"name": "empty"})[0] == 201
    assert call(spaces, ADMIN, "DELETE", base + "/empty")[0] == 204
    gone = call(spaces, ADMIN, "DELETE", base + f"/team-a/permissions?username={who[0]}")
    assert gone == (204, None)
    assert call(spaces, ADMIN, "GET", base + "/team-a/permissions")[1] == {"permissions": []}


def test_the_record_knows_no_password(server):
    """Last, as everything has been done by now."""
    after, seen = 0, 0
    while True:
        status, page = call(server, ADMIN, "GET", f"/api/v1/events?after={after}&limit=500")
        assert status == 200, page
        text = json.dumps(page)
        assert "argon2" not in text and "password of" not in text and ADMIN[1] not in text
        seen += len(page["events"])
        if len(page["events"]) < 500:
            break
        after = page["events"][-1]["seq"]
    assert seen > 50
