"""Searches of experiments and runs: filters, orders, views and pages."""

import pytest
from pair import pages, texts

RUNS = 8

FILTERS = [
    "", "metrics.loss < 3", "metrics.loss >= 3", "metrics.loss = 3", "metrics.loss != 3", "metrics.odd > 0",
    "metrics.nan > 0", "metrics.nan = 'NaN'", "metrics.loss > 'x'", "metrics.loss LIKE '1'", "metrics.`val/acc` > 1.5",
    "metric.loss > 3", "params.depth = '3'", "params.depth != '3'", "params.depth > '3'",
    "params.depth LIKE '%3%'", "params.Depth = '3'", "params.solver ILIKE 'LB%'", "params.solver LIKE 'LB%'",
    "params.nothing IS NULL", "params.solver IS NOT NULL", "params.nothing != 'x'", "parameters.depth = '3'",
    "tags.kind = 'odd'", "tags.kind != 'odd'", "tags.kind LIKE 'o_d'", "tags.kind ILIKE 'O%'", "tags.half IS NULL",
    "tags.half IS NOT NULL", "tags.half != 'x'", "tags.mlflow.runName = 'run 1'", "tags.`kind` = \"odd\"",
    "tag.kind = 'odd'", "tags.\"kind\" = 'odd'", "tags.kind = odd", "status = 'RUNNING'",
    "attributes.status = 'FINISHED'",
    "attribute.status != 'FINISHED'", "status = 'finished'", "status LIKE 'F%'", "run_name = 'run 1'",
    "run_name LIKE 'run%'",
    "run_name ILIKE 'RUN%'", "`run name` = 'run 1'", "attributes.`Run name` = 'run 1'", "start_time > 3",
    "start_time = 3",
    "start_time <= '3'", "end_time > 0", "end_time < 105", "end_time = 'x'", "created > 3", "user_id = 'amélie'",
    "user_id LIKE 'a%'", "run_id IN ('x','y')", 
    "artifact_uri LIKE '%artifacts'", "dataset.name = 'd1'", "datasets.name LIKE 'd%'", "dataset.digest = 'g0'",
    "dataset.context = 'training'", "dataset.name = 'd1' AND dataset.context = 'training'",
    "dataset.name IN ('d1','d0')",
    "dataset.foo = 'x'", "metrics.loss > 1 AND params.solver = 'lbfgs'", "metrics.loss > 1 and tags.kind = 'odd'",
    "metrics.loss", "metrics.loss >", "> 1", "foo = 'x'", "foo.bar = 'x'",
    "attributes.foo = 'x'", "metrics.loss = ", "'a' = 'a'", "status = 'RUNNING';", "run_name = 'it''s'", "status = ''",
    "metrics.a.b > 1", "tags.kind = 'odd' AND tags.kind = 'even'", "metrics.loss > -1e3", "metrics.loss < 1e400",
    "lifecycle_stage = 'active'", "metrics.loss > 1 AND metrics.loss < 5 AND metrics.loss != 3",
]
ORDERS = [
    [], ["start_time"], ["start_time ASC"], ["attributes.start_time DESC"], ["metrics.loss"], ["metrics.loss DESC"],
    ["metrics.nan"], ["metrics.nan DESC"], ["metrics.odd"], ["metrics.odd DESC", "start_time ASC"], ["params.depth"],
    ["params.solver DESC"], ["tags.kind ASC", "metrics.loss DESC"], ["tags.half"], ["tags.half DESC"], ["status"],
    ["run_name"], ["attributes.run_name DESC"], ["end_time"], ["end_time DESC"], ["`metrics`.loss"],
    ["metrics.`val/acc`"],
    ["foo"], ["foo.bar"], ["metrics.loss FOO"], [""], ["metrics.loss ASC DESC"],
    ["Created"], ["user_id"], ["metrics.nothing"], ["dataset.name"], ["attributes.`Start Time`"],
]


@pytest.fixture(scope="module")
def filled(named_pair):
    """An experiment with runs that differ in everything that a filter can ask for."""
    pair = named_pair("searched")
    experiment = pair.post("experiments/create", name="searched")["experiment_id"]
    for number in range(RUNS):
        add_run(pair, experiment, number)
    return pair, experiment


def add_run(pair, experiment, number):
    start = {"start_time": number, "run_name": f"run {number % 4}", "user_id": "amélie" if number % 2 else "bob"}
    run = pair.post("runs/create", experiment_id=experiment, **start)["run"]["info"]["run_id"]
    metrics = {"loss": number, "val/acc": number / 2, "nan": ["NaN", "Infinity", "-Infinity", 1][number % 4]}
    if number % 2:
        metrics["odd"] = number
    tags = {"kind": "odd" if number % 2 else "even"} | ({"half": "x"} if number < RUNS / 2 else {})
    params = {"depth": str(number)} | ({"solver": ["lbfgs", "LBFGS", "it's"][number % 3]} if number % 4 else {})
    points = [{"key": key, "value": value, "timestamp": 1} for key, value in metrics.items()]
    pair.post("runs/log-batch", run_id=run, metrics=points, tags=texts(tags), params=texts(params))
    of = {"name": f"d{number % 3}", "digest": f"g{number % 2}", "source_type": "t", "source": "s"}
    context = texts({"mlflow.data.context": ["training", "test"][number % 2]})
    pair.post("runs/log-inputs", run_id=run, datasets=[{"dataset": of, "tags": context}])
    if number % 3:
        pair.post("runs/update", run_id=run, status=["FINISHED", "FAILED"][number % 2], end_time=100 + number)
    if number == RUNS - 1:
        pair.post("runs/delete", run_id=run)


@pytest.mark.parametrize("filter", FILTERS)
def test_filters_of_runs(filled, filter):
    pair, experiment = filled
    pair.post("runs/search", experiment_ids=[experiment], filter=filter, order_by=["start_time ASC"])


@pytest.mark.parametrize("order", ORDERS, ids=", ".join)
def test_orders_of_runs(filled, order):
    pair, experiment = filled
    pair.post("runs/search", experiment_ids=[experiment], order_by=order)


@pytest.mark.parametrize("view", ["ACTIVE_ONLY", "DELETED_ONLY", "ALL"])
def test_views_of_runs(filled, view):
    pair, experiment = filled
    pair.post("runs/search", experiment_ids=[experiment], run_view_type=view)


@pytest.mark.parametrize("size", [0, -1, 1, 3, 7, 8, 50_000, 50_001, "2", "x"])
def test_pages_of_runs(filled, size):
    pair, experiment = filled
    pages(lambda **page: pair.post("runs/search", experiment_ids=[experiment], max_results=size, **page))


def test_which_experiments_are_searched(filled):
    pair, experiment = filled
    for ids in [[], [experiment, experiment], ["987654"], ["abc"], [""]]:
        pair.post("runs/search", experiment_ids=ids)
    pair.post("runs/search")


EXPERIMENT_FILTERS = [
    "name = '{}b'", "name LIKE '{}%'", "name ILIKE '{}%'", "name LIKE '{}%' AND name != '{}b'",
    "tags.team = 'x'", "tags.team ILIKE 'X'", "tags.team != 'x'", "tags.`team` LIKE 'x%'",
    "name LIKE '{}%' AND tags.team IS NULL",
    "name = x", "name > 'a'", "name LIKE '{}%' AND creation_time > 0", "last_update_time < 5", "creation_time = 'x'",
    "attributes.name = '{}b'", "foo = 'x'", "tags.team", "experiment_id = '0'",
    "creation_time LIKE 'x'", "lifecycle_stage = 'active'", "tag.team = 'x'",
]


@pytest.fixture(scope="module")
def experiments(named_pair):
    pair = named_pair("several")
    for number, name in enumerate(["a", "A", "b", "c", "gone"]):
        tags = texts({"team": ["x", "X", "y"][number % 3]}) if number % 2 else []
        id = pair.post("experiments/create", name=pair.name + name, tags=tags)["experiment_id"]
    pair.post("experiments/delete", experiment_id=id)
    return pair


@pytest.mark.parametrize("filter", EXPERIMENT_FILTERS)
def test_filters_of_experiments(experiments, filter):
    filter = filter.replace("{}", experiments.name)
    experiments.post("experiments/search", max_results=500, filter=filter, order_by=["name ASC"])


@pytest.mark.parametrize("order", [
    ["name"], ["name DESC"], ["creation_time"], ["last_update_time DESC"], ["experiment_id"], ["foo"], ["name FOO"],
    [""],
    ["tags.team"], ["attributes.name ASC"],
], ids=", ".join)
def test_orders_of_experiments(experiments, order):
    mine = f"name LIKE '{experiments.name}%'"
    experiments.post("experiments/search", max_results=500, filter=mine, order_by=order, view_type="ALL")


def test_views_and_pages_of_experiments(experiments):
    mine = {"filter": f"name LIKE '{experiments.name}%'", "order_by": ["name ASC"]}
    for view in ["ACTIVE_ONLY", "DELETED_ONLY", "ALL"]:
        experiments.post("experiments/search", max_results=500, view_type=view, **mine)
    for size in [1, 2, 4, 5, 0, -1, 50_000, 50_001]:
        pages(lambda **page: experiments.post("experiments/search", max_results=size, **mine, **page))
