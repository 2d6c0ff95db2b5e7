"""What differs from a stock server on purpose: one table, of which each entry stands in the page for users."""

from dataclasses import dataclass
from typing import Callable

from pair import AJAX, API, NEW, PROXY, Pair, texts


@dataclass(frozen=True)
class OnPurpose:
    """A sentence of that page, what makes the servers differ so, and exactly how they then do."""

    sentence: str
    shown: Callable[[Pair, str, str], set[str]]
    differences: frozenset[str]
    tolerated: bool = False
    """Whether this may also differ wherever else it is met."""


def only(*differences):
    return frozenset(differences)


def here(call, *fields):
    """Fields of an answer that a stock server leaves out."""
    return frozenset(f"{call} {field}: here alone" for field in fields)


def refused(call, stock="200 None"):
    """What is refused here."""
    return only(f"{call} 400 INVALID_PARAMETER_VALUE, stock {stock}")


def logged(pair, experiment, run):
    made = pair.post("logged-models", experiment_id=experiment, name="m", model_type="t", source_run_id=run)
    return made["model"]["info"]["model_id"]


def no_json(pair, experiment, run):
    return pair.differing("POST", API + "runs/search", b"{")


def no_object_in_a_list(pair, experiment, run):
    return pair.differing("POST", API + "experiments/create", ["one"])


def everywhere(pair, experiment, filter):
    """A filter by name, in all the lists that have one."""
    found = set()
    for call in ("registered-models/search", "model-versions/search"):
        found |= pair.differing("GET", API + call, query={"filter": filter})
    for call, more in [
        ("runs/search", {"experiment_ids": [experiment]}), ("experiments/search", {"max_results": 5}),
        ("logged-models/search", {"experiment_ids": [experiment]}),
    ]:
        # What a run is called is told by a tag.
        named = filter.replace("name", "tags.n") if call.startswith("runs") else filter
        found |= pair.differing("POST", API + call, {"filter": named, **more})
    within = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}
    return found | pair.differing("POST", NEW + "traces/search", {"locations": [within], "filter": filter})


def dangling(pair, experiment, run):
    filters = ["name = '1' AND ", "AND name = '1'", "name = '1' AND AND name = '2'"]
    return set().union(*(everywhere(pair, experiment, filter) for filter in filters))


def blank(pair, experiment, run):
    return everywhere(pair, experiment, " ")


def without_quotes(pair, experiment, run):
    asked = {"experiment_ids": [experiment], "filter": "name = one"}
    return pair.differing("POST", API + "logged-models/search", asked)


def as_numbers(pair, experiment, run):
    found = set()
    for filter in ("params.lr > 0.05", "params.lr = 3", "tags.fold BETWEEN 1 AND 3"):
        found |= pair.differing("POST", API + "runs/search", {"experiment_ids": [experiment], "filter": filter})
    return found


def pages_of_nothing(pair, experiment, run):
    found = pair.differing("GET", API + "registered-models/search", query={"max_results": 0})
    asked = {"experiment_ids": [experiment], "max_results": -1}
    return found | pair.differing("POST", API + "logged-models/search", asked)


def input_of_nothing(pair, experiment, run):
    return pair.differing("POST", API + "runs/log-inputs", {"run_id": run, "datasets": [{"tags": []}]})


def backslash(pair, experiment, run):
    return pair.differing("GET", API + "artifacts/list", query={"run_id": run, "path": "a\\b"})


def bare_number(pair, experiment, run):
    pair.post("runs/log-metric", run_id=run, key="n", value="NaN", timestamp=1, step=0)
    return pair.differing("GET", AJAX + "metrics/get-history-bulk", query={"run_id": [run], "metric_key": "n"})


def by_clients_id(pair, experiment, run):
    within = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}
    return pair.differing("POST", NEW + "traces/search", {"locations": [within], "order_by": ["client_request_id"]})


def half_a_step(pair, experiment, run):
    point = {"run_id": run, "key": "a", "value": 1, "timestamp": 1, "step": 1.5}
    return pair.differing("POST", API + "runs/log-metric", point)


def no_object(pair, experiment, run):
    return pair.differing("POST", API + "runs/log-metric", [])


def order_twice(pair, experiment, run):
    asked = {"experiment_ids": [experiment], "order_by": ["start_time", "start_time"]}
    return pair.differing("POST", API + "runs/search", asked)


def long_name(pair, experiment, run):
    return pair.differing("POST", API + "registered-models/create", {"name": "x" * 256 + pair.name})


def two_lines(pair, experiment, run):
    return pair.differing("POST", API + "experiments/create", {"name": "a\nb" + pair.name})


def unknown_output(pair, experiment, run):
    models = [{"model_id": "m-" + "0" * 32, "step": 1}]
    return pair.differing("POST", API + "runs/outputs", {"run_id": run, "models": models})


def unknown_input(pair, experiment, run):
    models = [{"model_id": "m-" + "0" * 32}]
    return pair.differing("POST", API + "runs/log-inputs", {"run_id": run, "models": models})


def output_again(pair, experiment, run):
    model = logged(pair, experiment, run)
    pair.post("runs/outputs", run_id=run, models=[{"model_id": model, "step": 1}])
    return pair.differing("POST", API + "runs/outputs", {"run_id": run, "models": [{"model_id": model, "step": 2}]})


def nowhere(pair, experiment, run):
    return pair.differing("POST", API + "runs/create", {"start_time": 1, "run_name": "x"})


def at_no_time(pair, experiment, run):
    return pair.differing("POST", API + "runs/create", {"experiment_id": experiment, "run_name": "x"})


def pages_of_any_size(pair, experiment, run):
    return pair.differing("POST", API + "experiments/search", {})


def no_number(pair, experiment, run):
    model = logged(pair, experiment, run)
    pair.post("runs/log-metric", run_id=run, key="a", value="NaN", timestamp=1, step=0, model_id=model)
    return pair.differing("GET", API + f"logged-models/{model}")


def any_digest(pair, experiment, run):
    of = {"model_id": logged(pair, experiment, run), "dataset_name": "d", "dataset_digest": "g"}
    pair.post("runs/log-metric", run_id=run, key="a", value=1, timestamp=1, step=0, **of)
    asked = {"experiment_ids": [experiment], "datasets": [{"dataset_name": "d"}], "filter": "metrics.a > 0"}
    return pair.differing("POST", API + "logged-models/search", asked)


def name_taken(pair, experiment, run):
    other = pair.post("experiments/create", name=pair.name + "b")["experiment_id"]
    return pair.differing("POST", API + "experiments/update", {"experiment_id": other, "new_name": pair.name})


def plain_text(pair, experiment, run):
    body = b'{"experiment_id": "0"}'
    return pair.differing("POST", API + "runs/search", body, headers={"Content-Type": "text/plain"})


def readable_token(pair, experiment, run):
    asked = {"max_results": 1, "page_token": "eyJvZmZzZXQiOiAxfQ=="}
    return pair.differing("POST", API + "experiments/search", asked)


def in_a_numbered_folder(pair, experiment, run):
    asked = {"name": pair.name + "b", "artifact_location": "mlflow-artifacts:/987654"}
    return pair.differing("POST", API + "experiments/create", asked)


def nameless(pair, experiment, run):
    from test_traces import TRACES, start

    trace = start(pair, experiment, 1)
    said = {"feedback": {"value": "yes"}, "source": {"source_type": "HUMAN", "source_id": "x"}}
    return pair.differing("POST", f"{TRACES}/{trace}/assessments", {"assessment": said})


def long_issue(pair, experiment, run):
    asked = {"experiment_id": experiment, "name": "x", "description": "x" * 65_537, "status": "pending"}
    return pair.differing("POST", NEW + "issues", asked)


def registered(pair, experiment, run):
    """Versions with aliases, wherever they are told."""
    name = pair.name
    pair.differing("POST", API + "registered-models/create", {"name": name})
    found = set()
    for _ in range(2):
        found |= pair.differing("POST", API + "model-versions/create", {"name": name, "source": "s3://b/x"})
    pair.differing("POST", API + "registered-models/alias", {"name": name, "alias": "a", "version": "1"})
    pair.differing("POST", API + "registered-models/alias", {"name": name, "alias": "b", "version": "2"})
    found |= pair.differing("PATCH", API + "model-versions/update", {"name": name, "version": "1", "description": "d"})
    found |= pair.differing("PATCH", API + "registered-models/update", {"name": name, "description": "d"})
    move = {"name": name, "version": "1", "stage": "Staging", "archive_existing_versions": False}
    found |= pair.differing("POST", API + "model-versions/transition-stage", move)
    found |= pair.differing("POST", API + "registered-models/get-latest-versions", {"name": name})
    for call, more in [
        ("registered-models/get", {"name": name}), ("registered-models/alias", {"name": name, "alias": "a"}),
        ("model-versions/get", {"name": name, "version": "1"}), ("model-versions/search", {"filter": f"name='{name}'"}),
        ("registered-models/search", {"filter": f"name='{name}'"}),
    ]:
        found |= pair.differing("GET", API + call, query=more)
    return found | pair.differing("POST", API + "registered-models/rename", {"name": name, "new_name": name + "b"})


def told_nothing(pair, experiment, run):
    return pair.differing("POST", API + "logged-models", {"experiment_id": experiment, "name": "m"})


def just_made(pair, experiment, run):
    return pair.differing("POST", API + "runs/create", {"experiment_id": experiment, "start_time": 1, "run_name": "x"})


def tagged(pair, experiment, run):
    model = logged(pair, experiment, run)
    return pair.differing("PATCH", API + f"logged-models/{model}/tags", {"model_id": model, "tags": texts({"a": "1"})})


def empty_file(pair, experiment, run):
    below = f"{experiment}/{run}/artifacts"
    pair.ask("PUT", f"{PROXY}/{below}/empty", b"")
    found = pair.differing("GET", API + "artifacts/list", query={"run_id": run})
    return found | pair.differing("GET", PROXY, query={"path": below})


#: What is told of versions, and where.
OF_VERSIONS = frozenset().union(
    here("GET model-versions/get", ".model_version.user_id"),
    here("GET model-versions/search", ".model_versions[].aliases", ".model_versions[].user_id"),
    here("GET registered-models/alias", ".model_version.user_id"),
    here("PATCH model-versions/update", ".model_version.user_id"),
    here("POST model-versions/create", ".model_version.user_id"),
    here("POST model-versions/transition-stage", ".model_version.user_id"),
    here("POST registered-models/get-latest-versions", ".model_versions[].user_id"),
    *(
        here(call, f".{path}.latest_versions[].aliases", f".{path}.latest_versions[].user_id")
        for call, path in [
            ("GET registered-models/get", "registered_model"), ("GET registered-models/search", "registered_models[]"),
            ("PATCH registered-models/update", "registered_model"),
            ("POST registered-models/rename", "registered_model"),
        ]
    ),
)
#: The lists that a filter narrows.
LISTS = (
    "GET registered-models/search", "GET model-versions/search", "POST runs/search", "POST experiments/search",
    "POST logged-models/search", "POST traces/search",
)
CLIENTS_FAULT = "what the client did wrong | sometimes 500 | 400"
NAMED_MODEL = "inputs and outputs of a run that name a logged model | not looked up | 404 if there is none"
LEFT_OUT = "`model_type` and `source_run_id` are left out where there is none"
#: In the order of the page.
TABLE = [
    OnPurpose("a body that is no JSON | taken for an empty one | 400", no_json, refused("POST runs/search")),
    OnPurpose(
        "a filter that begins or ends in `AND`, or has two in a row", dangling, frozenset().union(*map(refused, LISTS))
    ),
    OnPurpose(
        "a number without quotes beside a parameter or tag (`params.lr > 0.05`) | 400 | compared as", as_numbers,
        only("POST runs/search 200 None, stock 400 INVALID_PARAMETER_VALUE"),
    ),
    OnPurpose(
        "a filter of nothing but blanks | 400 | as none", blank,
        only(*(f"{call} 200 None, stock 400 INVALID_PARAMETER_VALUE" for call in LISTS)),
    ),
    OnPurpose("a value without quotes in a filter of logged models", without_quotes, refused("POST logged-models/search")),
    OnPurpose(
        "`max_results` of 0 or less in lists of registered models", pages_of_nothing,
        refused("GET registered-models/search") | refused("POST logged-models/search"),
    ),
    OnPurpose("an input of a run without its dataset", input_of_nothing, refused("POST runs/log-inputs")),
    OnPurpose("a backslash in the path of an artifact", backslash, refused("GET artifacts/list")),
    OnPurpose(
        "NaN and infinity in `metrics/get-history-bulk`", bare_number,
        only('GET /ajax-api/2.0/mlflow/metrics/get-history-bulk .metrics[].value: "NaN", stock NaN'),
    ),
    OnPurpose(
        "traces in the order of `client_request_id` | 400 | so ordered", by_clients_id,
        only("POST traces/search 200 None, stock 400 INVALID_PARAMETER_VALUE"),
    ),
    OnPurpose("a step or time that is no 64-bit integer", half_a_step, refused("POST runs/log-metric")),
    OnPurpose(CLIENTS_FAULT, no_object, refused("POST runs/log-metric", "500 None")),
    OnPurpose(CLIENTS_FAULT, no_object_in_a_list, refused("POST experiments/create", "500 None")),
    OnPurpose(CLIENTS_FAULT, order_twice, refused("POST runs/search", "500 INTERNAL_ERROR")),
    OnPurpose("names of models over 256 characters", long_name, refused("POST registered-models/create")),
    OnPurpose("names of experiments with control characters", two_lines, refused("POST experiments/create")),
    OnPurpose("an assessment without a name | kept, on SQLite | 400", nameless, refused("POST traces/{id}/assessments")),
    OnPurpose(NAMED_MODEL, unknown_output, only("POST runs/outputs 404 RESOURCE_DOES_NOT_EXIST, stock 200 None")),
    OnPurpose(NAMED_MODEL, unknown_input, only("POST runs/log-inputs 404 RESOURCE_DOES_NOT_EXIST, stock 200 None")),
    OnPurpose(
        "an output that is told again | 400 | the step that was told last", output_again,
        only("POST runs/outputs 200 None, stock 400 BAD_REQUEST"),
    ),
    OnPurpose("`runs/create` without an experiment", nowhere, only("POST runs/create 200 None, stock 400 BAD_REQUEST")),
    OnPurpose(
        "or a time | 400; 1970 | the default experiment; now", at_no_time,
        only("POST runs/create .run.info.start_time: now, stock 0") | here("POST runs/create", ".run.outputs"),
    ),
    OnPurpose(
        "`experiments/search` without `max_results` | 400 | a page of 1,000", pages_of_any_size,
        only("POST experiments/search 200 None, stock 400 INVALID_PARAMETER_VALUE"),
    ),
    OnPurpose(
        "NaN as a metric of a logged model | 0 | NaN", no_number,
        only('GET logged-models/{id} .model.data.metrics[].value: "NaN", stock 0.0'),
    ),
    OnPurpose(
        "logged models by a dataset's name without its digest", any_digest, here("POST logged-models/search", ".models")
    ),
    OnPurpose("`aliases` of versions in lists, `user_id` of a version", registered, OF_VERSIONS, tolerated=True),
    OnPurpose(
        "`outputs` of a run that was just made", just_made, here("POST runs/create", ".run.outputs"), tolerated=True
    ),
    OnPurpose(
        "the `model` whose tags were set", tagged, here("PATCH logged-models/{id}/tags", ".model"), tolerated=True
    ),
    OnPurpose(
        "`file_size` of an empty file", empty_file,
        here("GET artifacts/list", ".files[].file_size") | here(f"GET {PROXY}", ".files[].file_size"), tolerated=True,
    ),
    OnPurpose(
        LEFT_OUT, told_nothing,
        only(*(f"POST logged-models .model.info.{field}: stock alone" for field in ("model_type", "source_run_id"))),
    ),
    OnPurpose(
        "an experiment that is given a name that is taken | `BAD_REQUEST` | `RESOURCE_ALREADY_EXISTS`", name_taken,
        only("POST experiments/update 400 RESOURCE_ALREADY_EXISTS, stock 400 BAD_REQUEST"),
    ),
    OnPurpose(
        "a body of `text/plain` on a server without logins | read | 403", plain_text,
        only("POST runs/search 403 PERMISSION_DENIED, stock 400 INVALID_PARAMETER_VALUE"),
    ),
    OnPurpose("page tokens | an offset, readable | opaque", readable_token, refused("POST experiments/search")),
    OnPurpose("not in the numbered folders", in_a_numbered_folder, refused("POST experiments/create")),
    OnPurpose("description and each root cause 65,536 characters", long_issue, refused("POST issues")),
]
TOLERATED = frozenset(difference for entry in TABLE if entry.tolerated for difference in entry.differences)
