"""Logged models: their lives, what is measured on them, runs that make and use them, and searches."""

import pytest
from pair import pages, texts


def make(pair, experiment, name="one", **more):
    more = {"source_run_id": "", "model_type": "t"} | more
    return pair.post("logged-models", experiment_id=experiment, name=name, **more)["model"]["info"]["model_id"]


@pytest.fixture
def model(pair, experiment, run):
    return make(pair, experiment, source_run_id=run, params=texts({"a": "1"}), tags=texts({"t": "x"}))


def write(pair, model):
    """Every change that there is."""
    at = f"logged-models/{model}"
    pair.patch(at + "/tags", model_id=model, tags=texts({"t": "y", "u": ""}))
    pair.post(at + "/params", model_id=model, params=texts({"b": "2"}))
    pair.patch(at, model_id=model, status="LOGGED_MODEL_READY")
    pair.delete(at + "/tags/t")


def test_a_model_is_made_changed_and_removed(pair, model):
    pair.get(f"logged-models/{model}")
    write(pair, model)
    pair.get(f"logged-models/{model}")
    pair.delete(f"logged-models/{model}")
    pair.get(f"logged-models/{model}")


def test_a_removed_model_is_still_written(pair, experiment, model):
    for _ in range(2):
        pair.delete(f"logged-models/{model}")
    pair.post(f"logged-models/{model}/params", model_id=model, params=texts({"b": "2"}))
    pair.patch(f"logged-models/{model}/tags", model_id=model, tags=texts({"c": "3"}))
    pair.patch(f"logged-models/{model}", model_id=model, status="LOGGED_MODEL_READY")
    pair.delete(f"logged-models/{model}/tags/t")
    pair.get(f"logged-models/{model}", allow_deleted="true")
    pair.get(f"logged-models/{model}")
    pair.post("logged-models/search", experiment_ids=[experiment])


def test_a_model_that_there_is_not(pair):
    write(pair, "m-" + "0" * 32)
    pair.get("logged-models/m-" + "0" * 32)
    pair.delete("logged-models/m-" + "0" * 32)


@pytest.mark.parametrize("name", ["", "a/b", "a b", "é", "a:b", "a.b", "a%b", "a'b", "a\"b"])
def test_names_of_models(pair, experiment, run, name):
    pair.post("logged-models", experiment_id=experiment, name=name, model_type="t", source_run_id=run)


@pytest.mark.parametrize("status", ["LOGGED_MODEL_UPLOAD_FAILED", "LOGGED_MODEL_PENDING"])
def test_how_the_making_ended(pair, model, status):
    pair.patch(f"logged-models/{model}", model_id=model, status=status)
    pair.get(f"logged-models/{model}")


def test_what_is_measured_on_a_model(pair, experiment, run, model):
    for number in range(4):
        of = {"dataset_name": f"d{number % 2}", "dataset_digest": "g"} if number else {}
        point = {"key": "acc", "value": number, "timestamp": number, "step": number, "model_id": model}
        pair.post("runs/log-metric", run_id=run, **point, **of)
    pair.get(f"logged-models/{model}")
    pair.get("runs/get", run_id=run)
    for filter in ["", "metrics.acc > 1", "metrics.acc > 2.5"]:
        pair.post("logged-models/search", experiment_ids=[experiment], filter=filter)
        for digest in ["g", "x"]:
            datasets = [{"dataset_name": "d1", "dataset_digest": digest}]
            pair.post("logged-models/search", experiment_ids=[experiment], filter=filter, datasets=datasets)


def test_runs_make_and_use_models(pair, run, model):
    pair.post("runs/outputs", run_id=run, models=[{"model_id": model, "step": 3}])
    pair.get("runs/get", run_id=run)
    pair.post("runs/log-inputs", run_id=run, models=[{"model_id": model}])
    pair.get("runs/get", run_id=run)


def test_a_version_of_a_model(pair, model):
    pair.post("registered-models/create", name=pair.name)
    pair.post("model-versions/create", name=pair.name, source=f"models:/{model}")
    pair.get("model-versions/get", name=pair.name, version="1")
    pair.get("model-versions/get-download-uri", name=pair.name, version="1")
    pair.get(f"logged-models/{model}")


FILTERS = [
    "", "name = 'one'", "name LIKE 'o%'", "name ILIKE 'O%'", "name != 'one'", "model_type = 'A'",
    "model_type ILIKE 'a'",
    "status = 'READY'", "status = 'PENDING'", "params.lr = '1'", "params.lr != '1'", "tags.t = 'x'", "tags.t ILIKE 'X'",
    "tags.t LIKE 'X'", "metrics.acc > 0", "metrics.acc >= 2", "metrics.acc = 1", "metrics.acc != 1",
    "metrics.nothing > 0",
    "creation_timestamp > 0", "creation_time > 0", "last_updated_timestamp < 5", "attributes.name = 'one'",
    "name = 'one' AND tags.t = 'x'", "metrics.acc LIKE 'x'", "tags.`t` = 'x'", "name IN ('one','two')",
    "name NOT IN ('one')", "model_id = 'm-0'",
]
ORDERS = [
    ("creation_time", True), ("creation_timestamp", False), ("creation_timestamp", True), ("name", True),
    ("name", False),
    ("metrics.acc", True), ("metrics.acc", False), ("metrics.nothing", True), ("model_type", True), ("status", False),
    ("last_updated_timestamp", True),
]


@pytest.fixture(scope="module")
def filled(named_pair):
    pair = named_pair("logged")
    experiment = pair.post("experiments/create", name=pair.name)["experiment_id"]
    run = pair.post("runs/create", experiment_id=experiment, start_time=1, run_name="one")["run"]["info"]["run_id"]
    for number, name in enumerate(["one", "One", "two", "three", "four", "one"]):
        params, tags = texts({"lr": str(number % 2)}), texts({"t": ["x", "X", "y"][number % 3]})
        more = {"params": params if number % 3 else [], "tags": tags if number else [], "model_type": "aA"[number % 2]}
        model = make(pair, experiment, name, source_run_id=run, **more)
        if number % 2:
            pair.post("runs/log-metric", run_id=run, key="acc", value=number, timestamp=1, step=number, model_id=model)
        if number == 4:
            pair.patch(f"logged-models/{model}", model_id=model, status="LOGGED_MODEL_READY")
    return pair, experiment


@pytest.mark.parametrize("filter", FILTERS)
def test_filters(filled, filter):
    pair, experiment = filled
    order = [{"field_name": "creation_time", "ascending": True}]
    pair.post("logged-models/search", experiment_ids=[experiment], filter=filter, order_by=order)


@pytest.mark.parametrize("field, ascending", ORDERS)
def test_orders(filled, field, ascending):
    pair, experiment = filled
    order = [{"field_name": field, "ascending": ascending}]
    if not field.startswith("creation"):
        order.append({"field_name": "creation_time", "ascending": True})
    pair.post("logged-models/search", experiment_ids=[experiment], order_by=order)


@pytest.mark.parametrize("size", [1, 4, 6, 50, 100])
def test_pages(filled, size):
    pair, experiment = filled
    pages(lambda **page: pair.post("logged-models/search", experiment_ids=[experiment], max_results=size, **page))
