"""Evaluation datasets and scorers through the unmodified MLflow client."""

import json
import urllib.error
import urllib.request

import mlflow
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.genai import datasets, scorers
from mlflow.genai.judges import make_judge

API = "/api/3.0/mlflow/"


@pytest.fixture(scope="module")
def client(server):
    mlflow.set_tracking_uri(server.url)
    return MlflowClient(server.url)


@pytest.fixture(scope="module")
def experiment(client):
    return mlflow.set_experiment("flights/evaluation").experiment_id


@pytest.fixture(scope="module")
def call(server):
    def call(method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(server.url + path, data=data, method=method)
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    return call


def test_a_dataset_keeps_its_records(experiment):
    made = datasets.create_dataset(name="qa", experiment_id=experiment, tags={"team": "ml", "n": 1})
    assert made.dataset_id.startswith("d-") and made.experiment_ids == [experiment]
    made.merge_records(
        [
            {"inputs": {"q": "one"}, "expectations": {"a": 1}, "tags": {"level": "easy"}},
            {"inputs": {"q": "two", "deep": {"x": [1, 2.5, None]}}, "outputs": "free text"},
        ]
    )
    made.merge_records(pd.DataFrame([{"inputs": {"q": "one"}, "expectations": {"b": "é"}}]))
    found = datasets.get_dataset(dataset_id=made.dataset_id)
    assert (found.name, found.tags["team"], found.tags["n"]) == ("qa", "ml", "1")
    assert json.loads(found.profile) == {"num_records": 2}
    types = json.loads(found.schema)
    assert types["inputs"] == {"q": "string", "deep": "object"}
    assert types["expectations"] == {"a": "integer", "b": "string"}
    records = found.to_df().set_index(found.to_df().inputs.map(lambda inputs: inputs["q"]))
    assert set(records.index) == {"one", "two"}
    assert records.expectations["one"] == {"a": 1, "b": "é"}
    assert records.inputs["two"] == {"q": "two", "deep": {"x": [1, 2.5, None]}}
    assert records.outputs["two"] == "free text"
    assert records.tags["one"]["level"] == "easy"


def test_records_go_page_by_page_and_can_be_deleted(experiment, client, call):
    made = client.create_dataset(name="paged", experiment_id=experiment)
    path = f"{API}datasets/{made.dataset_id}/records"
    for n in range(3):
        sent = [{"inputs": {"n": n, "i": i}, "source": {"source_type": "code"}} for i in range(4)]
        status, answer = call("POST", path, {"records": json.dumps(sent)})
        assert (status, answer) == (200, {"inserted_count": 4, "updated_count": 0})
    everything = json.loads(call("GET", path)[1]["records"])
    keys = [(record["created_time"], record["dataset_record_id"]) for record in everything]
    assert len(keys) == 12 and [time for time, _ in keys] == sorted(time for time, _ in keys)
    assert everything[0]["source"] == {"source_type": "CODE", "source_data": {}}
    assert everything[0]["outputs"] == {} and "expectations" not in everything[0]
    ids, token = [], ""
    while token is not None:
        answer = call("GET", f"{path}?max_results=5&page_token={urllib.request.quote(token)}")[1]
        ids += [record["dataset_record_id"] for record in json.loads(answer["records"])]
        token = answer.get("next_page_token")
    assert ids == [id for _, id in keys]
    skipped = json.loads(call("GET", f"{path}?page_token=10")[1]["records"])
    assert [record["dataset_record_id"] for record in skipped] == ids[10:]
    assert call("GET", f"{path}?page_token=%21")[0] == 400
    gone = {"dataset_record_ids": [*ids[:11], "dr-none"]}
    assert call("DELETE", path, gone)[1] == {"deleted_count": 11}
    assert call("DELETE", path, gone)[1] == {"deleted_count": 0}
    assert len(datasets.get_dataset(dataset_id=made.dataset_id).to_df()) == 1


def test_datasets_are_searched(client):
    one, two = client.create_experiment("search-one"), client.create_experiment("search-two")
    for name, experiments, team in [("s-a", [one], "ml"), ("s-b", [one, two], "data"), ("s-c", two, "ml")]:
        client.create_dataset(name=name, experiment_id=experiments, tags={"team": team})

    def names(**asked):
        return [found.name for found in client.search_datasets(**asked)]

    assert names(experiment_ids=[one], order_by=["name ASC"]) == ["s-a", "s-b"]
    assert sorted(names(experiment_ids=[one, two])) == ["s-a", "s-b", "s-c"]
    assert names(experiment_ids=[two], filter_string="tags.team = 'ml'") == ["s-c"]
    assert names(filter_string="name IN ('s-a', 's-c')", order_by=["name DESC"]) == ["s-c", "s-a"]
    first = client.search_datasets(filter_string="name LIKE 's-%'", order_by=["name"], max_results=2)
    assert [found.name for found in first] == ["s-a", "s-b"]
    rest = client.search_datasets(
        filter_string="name LIKE 's-%'", order_by=["name"], max_results=2, page_token=first.token
    )
    assert [found.name for found in rest] == ["s-c"] and not rest.token
    for wrong, said in [
        ("tag.team = 'ml'", "Invalid identifier token 'tag' specified"),
        ("digest = 'x'", "Invalid attribute key 'digest' specified. Valid keys are"),
        ("name NOT IN ('a')", "List values for 'name' are only supported with the IN comparator."),
        ("created_time > 1.5", "Invalid value for numeric attribute 'created_time': '1.5'"),
    ]:
        with pytest.raises(MlflowException) as refused:
            client.search_datasets(filter_string=wrong)
        assert refused.value.error_code == "INVALID_PARAMETER_VALUE" and said in refused.value.message


def test_tags_and_experiments_change(client, call):
    one, two = client.create_experiment("linked-one"), client.create_experiment("linked-two")
    made = datasets.create_dataset(name="linked", experiment_id=[one], tags={"env": "dev"})
    datasets.set_dataset_tags(dataset_id=made.dataset_id, tags={"env": "prod", "x": "y", "none": None})
    datasets.delete_dataset_tag(dataset_id=made.dataset_id, key="x")
    datasets.delete_dataset_tag(dataset_id=made.dataset_id, key="x")
    kept = datasets.get_dataset(dataset_id=made.dataset_id).tags
    assert kept["env"] == "prod" and "x" not in kept and "none" not in kept
    for _ in range(2):
        linked = datasets.add_dataset_to_experiments(dataset_id=made.dataset_id, experiment_ids=[two])
        assert sorted(linked.experiment_ids) == sorted([one, two])
    with pytest.raises(MlflowException, match="No Experiment with id=987654"):
        client.add_dataset_to_experiments(dataset_id=made.dataset_id, experiment_ids=["987654"])
    left = datasets.remove_dataset_from_experiments(dataset_id=made.dataset_id, experiment_ids=[one, "77"])
    assert left.experiment_ids == [two]
    assert call("GET", f"{API}datasets/{made.dataset_id}/experiment-ids") == (200, {"experiment_ids": [two]})


def test_what_is_not_there(client, call):
    made = client.create_dataset(name="short-lived")
    client.delete_dataset(made.dataset_id)
    client.delete_dataset(made.dataset_id)
    for id in [made.dataset_id, "invalid-id"]:
        with pytest.raises(MlflowException, match=f"Evaluation dataset with id '{id}' not found"):
            client.get_dataset(id)
        with pytest.raises(MlflowException, match=f"Could not find evaluation dataset with ID {id}"):
            client.set_dataset_tags(id, {"a": "b"})
        with pytest.raises(MlflowException, match=f"Dataset '{id}' not found"):
            client.add_dataset_to_experiments(id, ["0"])
        path = f"{API}datasets/{id}/records"
        assert call("POST", path, {"records": '[{"inputs": {"q": 1}}]'})[0] == 404
        assert call("GET", path) == (200, {"records": "[]"})
        assert call("DELETE", path, {"dataset_record_ids": ["x"]}) == (200, {"deleted_count": 0})
        assert call("GET", f"{API}datasets/{id}/experiment-ids") == (200, {})


def test_bodies_that_cannot_be_are_refused(client, call):
    made = client.create_dataset(name="strict")
    path = f"{API}datasets/{made.dataset_id}/records"
    many = json.dumps([{"inputs": {"n": n}} for n in range(20_001)])
    huge = "[" + ",".join(["{}"] * 600_000) + "]"
    blog = '[{"source": {"source_type": "blog"}}]'
    for text in ["", "{", "{}", "[1]", '[{"inputs": null}]', '[{"inputs": [1]}]', blog, many, huge]:
        status, answer = call("POST", path, {"records": text})
        assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), text[:40]
    assert call("POST", f"{API}datasets/create", {})[0] == 400
    assert call("POST", f"{API}datasets/create", {"name": "x", "tags": "[1]"})[0] == 400
    assert call("GET", path) == (200, {"records": "[]"})


def test_scorers_are_registered_and_versioned(client, experiment, call):
    judge = make_judge(name="tone", instructions="Is {{ outputs }} polite?", model="openai:/gpt-4")
    judge.register(experiment_id=experiment)
    other = make_judge(name="tone", instructions="Is {{ outputs }} kind?", model="openai:/gpt-4")
    other.register(experiment_id=experiment)
    assert [found.name for found in scorers.list_scorers(experiment_id=experiment)] == ["tone"]
    newest = scorers.get_scorer(name="tone", experiment_id=experiment)
    first = scorers.get_scorer(name="tone", experiment_id=experiment, version=1)
    assert "kind" in newest.instructions and "polite" in first.instructions
    named = f"experiment_id={experiment}&name=tone"
    versions = call("GET", f"{API}scorers/versions?{named}")[1]["scorers"]
    assert [version["scorer_version"] for version in versions] == [1, 2]
    assert versions[0]["experiment_id"] == int(experiment)
    assert len({version["scorer_id"] for version in versions}) == 1
    everywhere = call("GET", f"{API}scorers/list")[1]["scorers"]
    assert ("tone", 2) in [(one["scorer_name"], one["scorer_version"]) for one in everywhere]
    both = f"{API}scorers/list?experiment_id={experiment}&experiment_ids={experiment}"
    assert call("GET", both)[0] == 400
    two = f"{API}scorers/list?experiment_ids={experiment}&experiment_ids=0"
    assert [one["scorer_name"] for one in call("GET", two)[1]["scorers"]] == ["tone"]

    scorers.delete_scorer(name="tone", experiment_id=experiment, version=2)
    assert "polite" in scorers.get_scorer(name="tone", experiment_id=experiment).instructions
    with pytest.raises(MlflowException, match="Scorer with name 'tone' and version 2 not found"):
        scorers.get_scorer(name="tone", experiment_id=experiment, version=2)
    scorers.delete_scorer(name="tone", experiment_id=experiment, version="all")
    with pytest.raises(MlflowException, match="Scorer with name 'tone' not found for experiment"):
        scorers.get_scorer(name="tone", experiment_id=experiment)


def test_scorers_that_would_act_in_the_server_are_refused(experiment, call):
    def register(scorer, name="bad"):
        body = {"experiment_id": experiment, "name": name, "serialized_scorer": json.dumps(scorer)}
        status, answer = call("POST", f"{API}scorers/register", body)
        return status, answer.get("message", "")

    status, said = register({"ensemble_scorer_data": {"scorers": [{"call_source": "return 1"}]}})
    assert status == 400 and said.startswith("Custom scorer registration")
    status, said = register({"third_party_scorer_data": {"kwargs": {"deep": [["api_base", "http://x"]]}}})
    assert status == 400 and "'api_base'" in said
    assert register({}, name=" ") == (400, "Scorer name cannot be empty or contain only whitespace.")
    status, said = register({"instructions_judge_pydantic_data": {"model": "gateway:/chat"}})
    assert status == 404 and "GatewayEndpoint not found" in said
    status, said = register({"instructions_judge_pydantic_data": {"model": "openai:/gpt-4"}}, name="good")
    assert status == 200

    body = {"experiment_id": experiment, "name": "good", "sample_rate": 0.5}
    status, answer = call("PUT", f"{API}scorers/online-config", body)
    assert status == 400 and answer["message"].startswith("Scorer 'good' does not use a gateway model.")
    body |= {"sample_rate": 1.5}
    assert "sample_rate must be between 0.0 and 1.0, got 1.5" in call("PUT", f"{API}scorers/online-config", body)[1]["message"]
    body |= {"sample_rate": 0, "filter_string": "status = 'OK'"}
    config = call("PUT", f"{API}scorers/online-config", body)[1]["config"]
    assert (config["sample_rate"], config["filter_string"], config["experiment_id"]) == (0.0, "status = 'OK'", experiment)
    query = f"{API}scorers/online-configs?scorer_ids={config['scorer_id']}&scorer_ids=none"
    assert call("GET", query) == (200, {"configs": [config]})
    assert call("GET", f"{API}scorers/online-configs")[0] == 400
