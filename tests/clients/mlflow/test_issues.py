"""Issues, runs of the prompt lab and what is refused: through the unmodified client's store, and as 3.18 sends what that
store does not know yet (ids, metadata, orders)."""

import json
import urllib.error
import urllib.request

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities.issue import IssueSeverity, IssueStatus
from mlflow.exceptions import MlflowException

ISSUES = "/api/3.0/mlflow/issues"


@pytest.fixture(scope="module")
def client(server):
    mlflow.set_tracking_uri(server.url)
    return MlflowClient(server.url)


@pytest.fixture
def store(client):
    return client._tracking_client.store


@pytest.fixture
def experiment(client, request):
    return mlflow.set_experiment(f"issues/{request.node.name}").experiment_id


def post(server, path, body, method="POST"):
    request = urllib.request.Request(server.url + path, data=json.dumps(body).encode(), method=method)
    request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def create(server, experiment, name, **more):
    body = {"experiment_id": experiment, "name": name, "severity": "low", "description": "It is slow.", **more}
    return post(server, ISSUES, body)


def made(server, experiment, name, **more):
    status, answer = create(server, experiment, name, **more)
    assert status == 200, answer
    return answer["issue"]


def update(server, issue, **change):
    return post(server, f"{ISSUES}/{issue}", change, "PATCH")


def search(server, experiment, **asked):
    status, answer = post(server, f"{ISSUES}/search", {"experiment_id": experiment, **asked})
    assert status == 200, answer
    return answer


def names(answer):
    return [found["name"] for found in answer.get("issues", [])]


def test_the_client_follows_an_issue_to_its_end(client, store, experiment):
    run = client.create_run(experiment).info.run_id
    one = store.create_issue(experiment, "Slow", "It is slow.", severity=IssueSeverity.LOW, source_run_id=run,
                             categories=["latency", "cost"], root_causes=["the network"], created_by="ann")
    assert one.issue_id.startswith("iss-") and one.status == IssueStatus.PENDING
    assert store.get_issue(one.issue_id) == one
    changed = store.update_issue(one.issue_id, status=IssueStatus.RESOLVED, severity=IssueSeverity.HIGH)
    assert (changed.status, changed.severity) == (IssueStatus.RESOLVED, IssueSeverity.HIGH)
    assert (changed.categories, changed.root_causes, changed.created_by) == (
        ["latency", "cost"], ["the network"], "ann")
    for number in range(4):
        store.create_issue(experiment, f"Issue {number}", "It is one.")
    found, token = [], None
    while True:
        page = store.search_issues(experiment, max_results=2, page_token=token)
        found += [issue.name for issue in page]
        token = page.token
        if not token:
            break
    assert sorted(found) == ["Issue 0", "Issue 1", "Issue 2", "Issue 3", "Slow"]
    assert [one.name for one in store.search_issues(experiment, "status = 'resolved'")] == ["Slow"]
    with pytest.raises(MlflowException, match="Issue with ID 'iss-none' not found"):
        store.get_issue("iss-none")


def test_metadata_and_lists_are_set_and_cleared(server, experiment):
    one = made(server, experiment, "Slow", categories=["latency"], metadata={"a": "1", "b": "2"})
    assert one["last_seen_timestamp"] == one["created_timestamp"]
    seen = one["last_seen_timestamp"] + 1
    status, changed = update(server, one["issue_id"], status="resolved", last_seen_timestamp=seen,
                             metadata={"c": "é"}, delete_metadata_keys=["a"])
    assert status == 200, changed
    changed = changed["issue"]
    assert (changed["status"], changed["last_seen_timestamp"]) == ("resolved", seen)
    assert changed["metadata"] == {"b": "2", "c": "é"} and changed["categories"] == ["latency"]
    status, refused = update(server, one["issue_id"], metadata={"b": "3"}, delete_metadata_keys=["b"])
    assert (status, refused["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert "Cannot update and delete the same key" in refused["message"]


def test_ids_may_be_chosen_once(server, experiment):
    assert made(server, experiment, "Mine", issue_id="iss-mine_1")["issue_id"] == "iss-mine_1"
    status, refused = create(server, experiment, "Mine too", issue_id="iss-mine_1")
    assert (status, refused["error_code"]) == (400, "RESOURCE_ALREADY_EXISTS")
    assert "Issue ID already exists" in refused["message"]
    status, refused = create(server, experiment, "Other", issue_id="other-1")
    assert status == 400 and "issue_id must be iss-" in refused["message"]


def test_issues_are_found_in_orders_and_pages(server, experiment):
    for number in range(5):
        made(server, experiment, f"Issue {number}", severity="high" if number == 3 else "low",
             categories=[f" Kind{number % 2} "], metadata={"n": "x"})
    asked = {"max_results": 2, "order_by": ["name DESC"]}
    page = search(server, experiment, include_total_count=True, **asked)
    assert page["total_count"] == 5
    found = names(page)
    while page.get("next_page_token"):
        page = search(server, experiment, page_token=page["next_page_token"], **asked)
        found += names(page)
    assert found == [f"Issue {number}" for number in (4, 3, 2, 1, 0)]
    assert names(search(server, experiment))[0] == "Issue 3", "the worst first"
    some = search(server, experiment, filter_string="status = 'pending'", categories=["KIND0"], severities=["low"])
    assert sorted(names(some)) == ["Issue 0", "Issue 2", "Issue 4"]
    assert names(search(server, experiment, name="SUE 3")) == ["Issue 3"]
    assert names(search(server, experiment, filter_string="status = 'resolved' OR status = 'rejected'")) == []
    status, refused = post(server, f"{ISSUES}/search", {"experiment_id": experiment, "order_by": ["size"]})
    assert status == 400 and "Invalid issue order_by: 'size'" in refused["message"]


def test_a_prompt_that_was_tried_is_a_run_with_a_model(server, client, experiment):
    status, answer = post(server, "/ajax-api/2.0/mlflow/runs/create-promptlab-run", {
        "experiment_id": experiment,
        "prompt_template": "Say {{ word }}",
        "prompt_parameters": [{"key": "word", "value": "grüß 😀"}],
        "model_route": "chat",
        "model_parameters": [{"key": "temperature", "value": 0.5}],
        "model_input": "Say grüß 😀",
        "model_output": "Hello.",
        "model_output_parameters": [{"key": "latency", "value": 100}],
        "mlflow_version": "3.18.0",
    })
    assert status == 200 and answer["run"]["info"]["status"] == "FINISHED", answer
    run = client.get_run(answer["run"]["info"]["run_id"])
    assert run.data.params == {"temperature": "0.5", "model_route": "chat", "prompt_template": "Say {{ word }}"}
    assert run.data.tags["mlflow.runSourceType"] == "PROMPT_ENGINEERING"
    assert json.loads(run.data.tags["mlflow.log-model.history"])[0]["artifact_path"] == "model"
    table = mlflow.artifacts.load_dict(f"{run.info.artifact_uri}/eval_results_table.json")
    assert table == {
        "columns": ["word", "prompt", "output", "latency"],
        "data": [["grüß 😀", "Say grüß 😀", "Hello.", "100"]],
    }
    model = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
    assert model.metadata.get_input_schema().input_names() == ["word"]


def test_what_is_refused_says_so(server, client):
    status, answer = post(server, "/api/3.0/mlflow/label-schemas", {})
    assert (status, answer["error_code"]) == (501, "NOT_IMPLEMENTED")
    status, answer = post(server, "/api/3.0/mlflow/nothing-of-this-name", {})
    assert (status, answer["error_code"]) == (404, "ENDPOINT_NOT_FOUND")
