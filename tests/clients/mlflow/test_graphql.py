"""What MLflow's own pages ask of /graphql, by plain HTTP."""

import json
import math
import urllib.parse
import urllib.request

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag


@pytest.fixture(scope="module")
def client(server):
    mlflow.set_tracking_uri(server.url)
    return MlflowClient(server.url)


@pytest.fixture(scope="module")
def ask(server):
    def ask(query, variables=None, operation=None):
        body = {"query": query, "variables": variables, "operationName": operation}
        request = urllib.request.Request(server.url + "/graphql", data=json.dumps(body).encode())
        request.add_header("Content-Type", "application/json; charset=utf-8")
        with urllib.request.urlopen(request) as answer:
            answer = json.loads(answer.read())
        assert set(answer) == {"data", "errors"}
        return answer

    return ask


@pytest.fixture(scope="module")
def experiment(client):
    return client.create_experiment("graphql")


@pytest.fixture(scope="module")
def run(client, experiment):
    run = client.create_run(experiment, run_name="first").info.run_id
    for step in range(10):
        client.log_metric(run, "loss", step, timestamp=step + 1, step=step)
    client.log_metric(run, "nan", math.nan, timestamp=2, step=2)
    client.log_param(run, "a", "1")
    client.log_text(run, "hello world", "test.txt")
    client.log_text(run, "x", "testDir/inner.txt")
    plain = Dataset(name="one", digest="1", source_type="script", source="test")
    used = Dataset(name="two", digest="2", source_type="script", source="test")
    context = InputTag(key="mlflow.data.context", value="training")
    client.log_inputs(run, [DatasetInput(plain, []), DatasetInput(used, [context])])
    return run


def test_a_run_with_its_experiment(ask, experiment, run):
    # As the page of a run asks, which wants __typename everywhere.
    query = """
      query GetRun($data: MlflowGetRunInput!) @component(name: "MLflow.ExperimentRunTracking") {
        mlflowGetRun(input: $data) {
          apiError { helpUrl code message __typename }
          run {
            info { status endTime startTime runName runUuid lifecycleStage __typename }
            experiment { experimentId name tags { key value } __typename }
            modelVersions { status version name source __typename }
            data { metrics { key value step timestamp __typename } params { key value } tags { key } }
            inputs { datasetInputs { tags { key value } dataset { name digest schema } } modelInputs { modelId } }
            __typename
          }
          __typename
        }
      }
    """
    answer = ask(query, {"data": {"runId": run}}, "GetRun")
    assert answer["errors"] is None
    found = answer["data"]["mlflowGetRun"]
    assert found["apiError"] is None and found["__typename"] == "MlflowGetRunResponse"
    found = found["run"]
    assert found["info"]["status"] == "RUNNING" and found["info"]["endTime"] == "0"
    assert found["info"]["runUuid"] == run and found["info"]["runName"] == "first"
    assert (found["experiment"]["experimentId"], found["experiment"]["name"]) == (experiment, "graphql")
    assert found["modelVersions"] == [] and found["inputs"]["modelInputs"] == []
    metrics = {metric["key"]: metric for metric in found["data"]["metrics"]}
    assert metrics["nan"]["value"] is None and metrics["nan"]["timestamp"] == "2"
    assert (metrics["loss"]["value"], metrics["loss"]["step"]) == (9, "9")
    assert found["data"]["params"] == [{"key": "a", "value": "1"}]
    datasets = {each["dataset"]["name"]: each for each in found["inputs"]["datasetInputs"]}
    assert datasets["one"]["tags"] == [] and datasets["one"]["dataset"]["schema"] == ""


def test_runs_are_searched_by_query_and_mutation(ask, client):
    made = client.create_experiment("graphql-search")
    ids = [client.create_run(made, start_time=n + 1).info.run_id for n in range(3)]
    fields = "{ runs { info { runId } experiment { name } modelVersions { name } } nextPageToken }"
    for kind in ["query", "mutation"]:
        found = ask(f'{kind} {{ mlflowSearchRuns(input: {{experimentIds: ["{made}"], maxResults: 2, '
                    f'runViewType: ACTIVE_ONLY, orderBy: ["start_time ASC",]}}) {fields} }}')
        runs = found["data"]["mlflowSearchRuns"]
        assert [each["info"]["runId"] for each in runs["runs"]] == ids[:2]
        assert runs["runs"][0]["experiment"]["name"] == "graphql-search"
    rest = ask(
        f"query Next($data: MlflowSearchRunsInput!) {{ mlflowSearchRuns(input: $data) {fields} }}",
        {"data": {"experimentIds": [made], "maxResults": 2, "orderBy": ["start_time ASC"],
                  "pageToken": runs["nextPageToken"]}},
    )["data"]["mlflowSearchRuns"]
    assert [each["info"]["runId"] for each in rest["runs"]] == ids[2:] and rest["nextPageToken"] == ""


def test_versions_that_came_of_a_run(ask, client, tmp_path):
    from sklearn.linear_model import LinearRegression

    mlflow.set_experiment("graphql-versions")
    with mlflow.start_run() as active:
        mlflow.sklearn.log_model(LinearRegression().fit([[1], [2]], [1, 2]), name="model", registered_model_name="gq")
    run = active.info.run_id
    found = ask(f'{{ mlflowGetRun(input: {{runId: "{run}"}}) {{ run {{ modelVersions {{ name version status }} }} }} }}')
    version = {"name": "gq", "version": "1", "status": "READY"}
    assert found["data"]["mlflowGetRun"]["run"]["modelVersions"] == [version]
    fields = "modelVersions { name runId creationTimestamp tags { key } aliases deploymentJobState { jobId } }"
    found = ask(f"""{{ mlflowSearchModelVersions(input: {{filter: "run_id='{run}'"}}) {{ {fields} }} }}""")
    [one] = found["data"]["mlflowSearchModelVersions"]["modelVersions"]
    assert one["name"] == "gq" and one["runId"] == run and int(one["creationTimestamp"]) > 0
    assert one["aliases"] == [] and one["deploymentJobState"] == {"jobId": ""}


def test_experiments_artifacts_histories_and_datasets(ask, experiment, run):
    found = ask(
        "query MlflowGetExperimentQuery($input: MlflowGetExperimentInput!) "
        "{ mlflowGetExperiment(input: $input) { experiment { name lifecycleStage creationTime } } }",
        {"input": {"experimentId": experiment}},
    )["data"]["mlflowGetExperiment"]["experiment"]
    assert (found["name"], found["lifecycleStage"]) == ("graphql", "active") and int(found["creationTime"]) > 0

    both = f"""{{
      files: mlflowListArtifacts(input: {{runId: "{run}"}}) {{ files {{ ...File }} }}
      below: mlflowListArtifacts(input: {{runId: "{run}", path: "testDir",}}) {{ files {{ ...File }} }}
    }} fragment File on MlflowFileInfo {{ path isDir fileSize }}"""
    assert ask(both)["data"] == {
        "files": {"files": [
            {"path": "test.txt", "isDir": False, "fileSize": "11"},
            {"path": "testDir", "isDir": True, "fileSize": "0"},
        ]},
        "below": {"files": [{"path": "testDir/inner.txt", "isDir": False, "fileSize": "1"}]},
    }

    history = """query H($data: MlflowGetMetricHistoryBulkIntervalInput!) {
      mlflowGetMetricHistoryBulkInterval(input: $data) { metrics { timestamp step runId key value __typename } } }"""

    def steps(**asked):
        asked = {"runIds": [run, "0" * 32], "metricKey": "loss"} | asked
        return [point["step"] for point in
                ask(history, {"data": asked})["data"]["mlflowGetMetricHistoryBulkInterval"]["metrics"]]

    assert steps() == [str(step) for step in range(10)]
    assert steps(maxResults=5) == ["0", "2", "4", "6", "9"]
    assert steps(startStep=2, endStep=3) == ["2", "3"]
    refused = ask(history, {"data": {"runIds": [run], "metricKey": "loss", "startStep": 1}})
    assert refused["data"] == {"mlflowGetMetricHistoryBulkInterval": None}
    assert refused["errors"] == ["If either start step or end step are specified, both must be specified."]

    used = ask(f'mutation {{ mlflowSearchDatasets(input: {{experimentIds: ["{experiment}"]}}) '
               "{ datasetSummaries { experimentId name digest context } } }")
    summaries = sorted(used["data"]["mlflowSearchDatasets"]["datasetSummaries"], key=lambda each: each["name"])
    assert summaries == [
        {"experimentId": experiment, "name": "one", "digest": "1", "context": ""},
        {"experimentId": experiment, "name": "two", "digest": "2", "context": "training"},
    ]


def test_one_call_that_fails_does_not_fail_the_others(ask, experiment):
    answer = ask(f"""{{
      a: mlflowGetExperiment(input: {{experimentId: "987654"}}) {{ experiment {{ name }} }}
      b: mlflowGetExperiment(input: {{experimentId: "{experiment}"}}) {{ experiment {{ name }} }}
      c: test(inputString: "abc") {{ output }}
    }}""")
    assert answer["data"] == {"a": None, "b": {"experiment": {"name": "graphql"}}, "c": {"output": "abc"}}
    assert len(answer["errors"]) == 1 and "No Experiment with id=987654" in answer["errors"][0]


def test_limits_and_mistakes_are_told_with_200(ask):
    roots = " ".join(f'k{n}: test(inputString: "abc") {{ output }}' for n in range(12))
    deep = "a" + "{a" * 11 + "}" * 11
    for query, said in [
        (f"query Q {{{roots}}}", "GraphQL queries should have at most 10 root fields, got 12 root fields"),
        (f"{{ {deep} }}", "Query exceeds maximum depth of 10"),
        ("{ a {" + " ".join(f"f{n}" for n in range(1001)) + "} }", "Query exceeds maximum total selections of 1000"),
        ("{ nothing }", "Cannot query field 'nothing' on type 'Query'."),
        ("{" * 30_000, "Syntax Error"),
        ("", "Must provide a query string."),
        ("query A { __typename } query B { __typename }", "Must provide operation name"),
    ]:
        answer = ask(query)
        assert answer["data"] is None and said in answer["errors"][0], query[:60]


def test_queries_may_come_by_get(server):
    query = urllib.parse.urlencode({
        "query": "query Q($a: String) { test(inputString: $a) { output } }",
        "variables": '{"a": "x"}',
        "operationName": "Q",
    })
    with urllib.request.urlopen(f"{server.url}/graphql?{query}") as answer:
        assert json.loads(answer.read()) == {"data": {"test": {"output": "x"}}, "errors": None}
