"""Questions to a server, and what of the answers does not count."""

import json
import urllib.error
import urllib.parse
import urllib.request

API = "/api/2.0/mlflow/"
NEW = "/api/3.0/mlflow/"


def ask(url, question):
    """One answer: its status and its JSON, or its text."""
    method, path, body = question
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data=data, method=method)
    request.add_header("Content-Type", "application/json")
    try:
        with urllib.request.urlopen(request) as answer:
            status, text = answer.status, answer.read()
    except urllib.error.HTTPError as error:
        status, text = error.code, error.read()
    try:
        return status, json.loads(text)
    except ValueError:
        return status, text.decode()


def get(call, **query):
    return ("GET", API + call + "?" + urllib.parse.urlencode(query, doseq=True), None)


def post(call, **body):
    return ("POST", API + call, body)


def questions(ids):
    """At least two hundred questions about everything that is there."""
    return [
        *about_experiments(ids), *about_runs(ids), *about_points(ids), *about_logged_models(ids),
        *about_artifacts(ids), *about_models(ids), *about_traces(ids), *about_evaluation(ids), *about_issues(ids),
        *about_gateway(ids), *about_webhooks(ids),
    ]


def about_experiments(ids):
    for id in ["0", *(ids[key] for key in ("plain", "elsewhere", "gone", "named")), "987654"]:
        yield get("experiments/get", experiment_id=id)
    for name in ["Default", "flights/delays", "gone", "before", "after"]:
        yield get("experiments/get-by-name", experiment_name=name)
    for view in ["ACTIVE_ONLY", "DELETED_ONLY", "ALL"]:
        for order in [["name ASC"], ["name DESC"], ["creation_time ASC"], ["last_update_time DESC"]]:
            yield post("experiments/search", max_results=100, view_type=view, order_by=order)
    for filter in ["name LIKE 'f%'", "name ILIKE '%E%'", "tags.team = 'green'", "name != 'after'"]:
        yield post("experiments/search", max_results=100, filter=filter, order_by=["name ASC"])
    yield post("experiments/search", max_results=2, order_by=["name ASC"])


def about_runs(ids):
    for run in [*ids["runs"], ids["strange"], ids["long"], "0" * 32]:
        yield get("runs/get", run_id=run)
    all = [ids["plain"], ids["named"], ids["elsewhere"], "0", ids["gone"]]
    filters = [
        "metrics.loss < 0.01", "metrics.`val/acc` >= 0.5", "metrics.loss > 0 and params.depth = '7'",
        "params.solver LIKE 'l%'", "params.depth != '3'", "tags.kind = 'odd'", "tags.kind != 'odd'",
        "tags.mlflow.user = 'amélie'", "attributes.status = 'FAILED'", "attributes.run_name LIKE 'run 1%'",
        "attributes.start_time > 1700000000010", "attributes.end_time < 1700000100005", "dataset.name = 'flights'",
        "dataset.digest = 'aaaa'", "dataset.context = 'training'", "metrics.odd > 0", "run_name = 'strange'",
        f"run_id IN ('{ids['runs'][0]}','{ids['runs'][1]}')", "attributes.user_id = 'nobody'",
        "tags.note ILIKE 'A%'", "params.text LIKE 'x%'",
    ]
    for filter in filters:
        yield post("runs/search", experiment_ids=all, filter=filter, order_by=["attributes.start_time ASC"])
    for order in ["metrics.loss DESC", "params.depth ASC", "attributes.end_time DESC", "tags.kind ASC"]:
        order_by = [order, "attributes.run_name ASC"]
        yield post("runs/search", experiment_ids=[ids["plain"]], order_by=order_by)
    for view in ["ACTIVE_ONLY", "DELETED_ONLY", "ALL"]:
        yield post("runs/search", experiment_ids=all, run_view_type=view, order_by=["attributes.run_name ASC"])
    yield post("runs/search", experiment_ids=all, max_results=5, order_by=["attributes.run_name ASC"])


def about_points(ids):
    for run, keys in ids["metrics"].items():
        for key in keys:
            yield get("metrics/get-history", run_id=run, metric_key=key, max_results=25_000)
    yield get("metrics/get-history", run_id=ids["runs"][0], metric_key="nothing")
    query = {"run_ids": ids["runs"][:4], "metric_key": "loss", "max_results": 20}
    path = "/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval?" + urllib.parse.urlencode(query, doseq=True)
    yield ("GET", path, None)


def about_logged_models(ids):
    for model in [*ids["models"], "m-" + "0" * 32]:
        yield ("GET", f"{API}logged-models/{model}", None)
    filters = [
        "name = 'model-1'", "params.alpha = '0.5'", "tags.n = '2'", "metrics.rmse < 0.3", "name LIKE 'model-%'",
        "model_type = 'sklearn'", "metrics.size >= 8",
    ]
    for filter in filters:
        order = [{"field_name": "name", "ascending": True}]
        yield post("logged-models/search", experiment_ids=[ids["plain"]], filter=filter, order_by=order)
    for name, ascending in [("creation_time", True), ("name", False), ("metrics.rmse", True), ("metrics.size", False)]:
        order = [{"field_name": name, "ascending": ascending}, {"field_name": "name", "ascending": True}]
        yield post("logged-models/search", experiment_ids=[ids["plain"]], order_by=order)
    for model in ids["models"]:
        yield ("GET", f"{API}logged-models/{model}/artifacts/directories", None)


def about_artifacts(ids):
    run = ids["runs"][0]
    for id in [*ids["runs"][:5], ids["strange"]]:
        yield get("artifacts/list", run_id=id)
    for path in ["deep", "deep/er", "names", "nothing"]:
        yield get("artifacts/list", run_id=run, path=path)
    for path in ["greeting.txt", "deep/er/file.json", "names/a b (1) é.txt", "large.bin", "nothing"]:
        below = urllib.parse.quote(f"{ids['plain']}/{run}/artifacts/{path}")
        yield ("GET", f"/api/2.0/mlflow-artifacts/artifacts/{below}", None)


def about_models(ids):
    for name in ["delay model", "other", "new name", "old name", "for deletion", "greeting", "chat"]:
        yield get("registered-models/get", name=name)
        yield post("registered-models/get-latest-versions", name=name)
        yield get("model-versions/search", filter=f"name='{name}'", max_results=100, order_by="version_number ASC")
    for number in range(1, 7):
        yield get("model-versions/get", name="delay model", version=number)
        yield get("model-versions/get-download-uri", name="delay model", version=number)
    for number in range(1, 5):
        yield get("model-versions/get", name="greeting", version=number)
    yield get("model-versions/get", name="new name", version=1)
    yield get("model-versions/get-download-uri", name="new name", version=1)
    for name, alias in [("delay model", "champion"), ("delay model", "challenger"), ("greeting", "production"),
                        ("other", "champion")]:
        yield get("registered-models/alias", name=name, alias=alias)
    for filter in ["", "name LIKE 'de%'", "name ILIKE '%O%'", "tags.owner = 'me'", "tags.owner != 'me'",
                   "tags.`mlflow.prompt.is_prompt` = 'true'", "name = 'nothing'"]:
        for order in ["name ASC", "name DESC", "last_updated_timestamp ASC"]:
            yield get("registered-models/search", filter=filter, order_by=order, max_results=100)
    for filter in [f"run_id='{ids['runs'][0]}'", "tags.number = '2'", "source_path LIKE 'mlflow%'",
                   "tags.`mlflow.prompt.is_prompt` = 'true'"]:
        yield get("model-versions/search", filter=filter, max_results=100, order_by="version_number DESC")


def about_traces(ids):
    for trace in [*ids["traces"], "tr-" + "0" * 32]:
        yield ("GET", f"{NEW}traces/{trace}", None)
    for trace in ids["traces"]:
        yield ("GET", f"{NEW}traces/get?trace_id={trace}", None)
    for assessment in [*(one for all in ids["assessments"].values() for one in all), ("tr-0", "a-0")]:
        yield ("GET", f"{NEW}traces/{assessment[0]}/assessments/{assessment[1]}", None)
    where = [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": ids["plain"]}}]
    run = ids["runs"][2]
    filters = [
        "tags.topic = 'food'", "feedback.good = 'false'", "feedback.mark = '0.75'", "expectation.expected = '1'", "attributes.status = 'ERROR'", "tags.later = 'tag'", f"metadata.`mlflow.sourceRun` = '{ids['runs'][10]}'",
        "attributes.client_request_id = 'request question 4'", "attributes.name = 'nothing'", f"attributes.run_id = '{run}'",
    ]
    for filter in filters:
        for order in ["timestamp_ms ASC", "timestamp_ms DESC"]:
            body = {"locations": where, "filter": filter, "order_by": [order], "max_results": 50}
            yield ("POST", f"{NEW}traces/search", body)


def about_evaluation(ids):
    for dataset in [*ids["datasets"], "d-" + "0" * 32]:
        yield ("GET", f"{NEW}datasets/{dataset}", None)
        yield ("GET", f"{NEW}datasets/{dataset}/records?max_results=100", None)
        yield ("GET", f"{NEW}datasets/{dataset}/experiment-ids", None)
    for filter in ["", "name = 'qa'", "tags.team = 'ml'"]:
        body = {"experiment_ids": [ids["plain"]], "filter_string": filter, "order_by": ["name ASC"]}
        yield ("POST", f"{NEW}datasets/search", body)
    yield ("GET", f"{NEW}scorers/list?experiment_id={ids['plain']}", None)
    yield ("GET", f"{NEW}scorers/versions?experiment_id={ids['plain']}&name=polite", None)
    yield ("GET", f"{NEW}scorers/get?experiment_id={ids['plain']}&name=tone", None)
    yield ("GET", f"{NEW}scorers/online-configs?scorer_ids={ids['scorer']}", None)
    for version in [1, 2, 3]:
        yield ("GET", f"{NEW}scorers/get?experiment_id={ids['plain']}&name=polite&version={version}", None)


def about_issues(ids):
    for issue in [*ids["issues"], "iss-none"]:
        yield ("GET", f"{NEW}issues/{issue}", None)
    for more in [{}, {"filter_string": "status = 'resolved'"}, {"order_by": ["name DESC"]}, {"max_results": 1}]:
        yield ("POST", f"{NEW}issues/search", {"experiment_id": ids["plain"], **more})


def about_gateway(ids):
    def read(call, **query):
        return ("GET", f"{NEW}gateway/{call}?" + urllib.parse.urlencode(query), None)

    for secret in [*ids["secrets"], "s-" + "0" * 32]:
        yield read("secrets/get", secret_id=secret)
    for definition in [*ids["definitions"], "d-" + "0" * 32]:
        yield read("model-definitions/get", model_definition_id=definition)
    for endpoint in [*ids["endpoints"], "e-" + "0" * 32]:
        yield read("endpoints/get", endpoint_id=endpoint)
        yield read("endpoints/bindings/list", endpoint_id=endpoint)
    for kind in ["secrets", "model-definitions", "endpoints", "endpoints/bindings"]:
        yield read(kind + "/list")
    yield read("endpoints/get", name="chat")
    yield read("secrets/list", provider="openai")


def about_webhooks(ids):
    yield ("GET", f"{API}webhooks?max_results=10", None)
    for webhook in [*ids["webhooks"], "none"]:
        yield ("GET", f"{API}webhooks/{webhook}", None)


#: Lists that a stock server hands out in no order, and what tells the things in them apart.
UNORDERED = {
    "tags": ("key",), "params": ("key",), "metrics": ("key", "timestamp", "step", "value"), "aliases": (),
    "latest_versions": ("version",), "dataset_inputs": (), "model_inputs": ("model_id",), "model_outputs": ("model_id",),
    "model_versions": ("name", "version"), "assessments": ("assessment_id",), "secrets": ("secret_id",),
    "model_definitions": ("model_definition_id",), "endpoints": ("endpoint_id",), "model_mappings": ("mapping_id",),
    "bindings": ("endpoint_id", "resource_id"), "events": ("entity", "action"), "webhooks": ("name",),
}
#: What a stock server leaves out of some things, though it tells it where it is asked for it; we tell it always.
LEFT_OUT = {
    "runs": ("model_inputs",), "latest_versions": ("aliases",), "model_versions": ("aliases",),
    "dataset": ("experiment_ids",), "datasets": ("experiment_ids",),
}


#: Where nothing is said, some of a stock server's answers have an empty text, and others nothing.
EMPTY_OR_ABSENT = ("next_page_token", "created_by", "last_updated_by")


def counted(answer, name=None, without=()):
    """What counts of an answer: lists without an order are sorted, page tokens are there or not, JSON in a text is what
    it says and not how it is spaced, what a stock server leaves out does not count, and an error is its code: its
    sentence may be our own."""
    without = (*without, *LEFT_OUT.get(name, ()))
    if isinstance(answer, str) and answer[:1] in ("{", "["):
        try:
            return {"the text of": counted(json.loads(answer))}
        except ValueError:
            return answer
    if isinstance(answer, dict):
        if "error_code" in answer:
            return {"error_code": answer["error_code"]}
        if "webhook_id" in answer:
            # The same 128 bits, without dashes.
            answer = answer | {"webhook_id": answer["webhook_id"].replace("-", "")}
        if answer.get("next_page_token"):
            answer = answer | {"next_page_token": "a token"}
        return {key: counted(value, key, without) for key, value in answer.items()
                if key not in without and not (key in EMPTY_OR_ABSENT and not value)}
    if isinstance(answer, list):
        things = [counted(thing, None, without) for thing in answer]
        if name in UNORDERED:
            keys = UNORDERED[name]
            things.sort(key=lambda thing: json.dumps([thing.get(key) for key in keys] or thing, sort_keys=True))
        return things
    return answer
