"""What MLflow's own parser and evaluator (mlflow-skinny 3.17.2, SearchUtils) make of filters and orders.

Writes search.json beside it: runs, and for each search the ids found, in order, or null if refused.
"""

import json
import math
import pathlib

from mlflow.entities import (
    Dataset, DatasetInput, InputTag, Metric, Param, Run, RunData, RunInfo, RunInputs, RunTag,
)
from mlflow.exceptions import MlflowException
from mlflow.utils.search_utils import SearchUtils

RUNS = [
    dict(id="a" * 32, name="brave-heron-1", user="alice", status="FINISHED", start=30, end=40,
         metrics={"loss": 0.5, "val/loss": 1.0, "a b": 1e-05}, params={"lr": "0.1", "model": "GBM"},
         tags={"team": "Ops", "mlflow.source.name": "train.py", "it's": "x"},
         datasets=[("flights", "abc", "training")]),
    dict(id="b" * 32, name="calm-otter-2", user="bob", status="RUNNING", start=30, end=None,
         metrics={"loss": math.nan, "val/loss": -2.5}, params={"lr": "0.2"}, tags={"team": "ops"},
         datasets=[("flights", "def", "eval"), ("planes", "abc", None)]),
    dict(id="c" * 32, name="Calm-otter-3", user="alice", status="FAILED", start=10, end=20,
         metrics={"loss": math.inf}, params={"model": "a_b%c"}, tags={}, datasets=[]),
    dict(id="d" * 32, name="d", user="", status="FINISHED", start=20, end=25,
         metrics={"loss": -math.inf, "other": 0.0}, params={"lr": "0.1"}, tags={"team": ""}, datasets=[]),
    dict(id="e" * 32, name="e", user="carol", status="KILLED", start=20, end=99,
         metrics={"val/loss": 1.0}, params={"lr": "0.10", "model": "gbm"}, tags={"note": "it's"}, datasets=[]),
]

FILTERS = [
    "", "metrics.loss > 0.4", "metric.loss <= 0.5", "metrics.loss != 0.5", "metrics.loss = 0.5",
    "metrics.`val/loss` = 1", 'metrics."val/loss" = 1.0', "metrics.`a b` < 1e-4", "metrics.`val/loss` < -1.5",
    "metrics.`val/loss` >= .5", "params.lr = '0.1'", 'param.lr != "0.1"', "parameters.lr LIKE '0.1%'",
    "parameter.model ilike 'gbm'", "params.model LIKE 'a_b%'", "params.model LIKE 'A%'",
    "tags.team = 'Ops' and params.lr = '0.1'", "tag.team ILIKE 'o%'", "tags.mlflow.source.name = 'train.py'",
    "tags.`mlflow.source.name` LIKE '%.py'", "tags.team IS NULL", "tags.team IS NOT NULL",
    "params.model is not null AND tags.team is null", 'tags.note = "it\'s"', "tags.team = ''",
    "attributes.status = 'FINISHED'", "attr.status != 'FINISHED'", "run.status LIKE 'F%'", "status = 'KILLED'",
    "run_id = '%s'" % ("c" * 32), "run_id IN ('%s', '%s')" % ("a" * 32, "c" * 32),
    "attributes.run_id NOT IN ('%s')" % ("a" * 32), "run_name = 'd'", "attributes.`Run name` ILIKE 'calm%'",
    "user_id = 'alice'", "start_time > 10", "attributes.start_time <= 20", "created = 30", "end_time != 40",
    "end_time >= 25 AND start_time < 30", "dataset.name = 'flights'", "datasets.digest = 'abc'",
    "datasets.context = 'eval'", "datasets.name IN ('planes', 'x')", "dataset.name LIKE 'fl%'",
    "  metrics.loss   >=0.5   AND   params.lr='0.1' ", "metrics.missing > 0", "params.missing != 'x'",
    # Refused.
    "metrics.loss > '0.4'", "metrics.loss LIKE 'x'", "metrics.loss IS NULL", "params.lr = 0.1", "params.lr > '0.1'",
    "params.lr = abc", "params.lr IN ('0.1')", "status IN ('FINISHED')", "status > 'A'", "start_time = '30'",
    "start_time LIKE '3%'", "foo.bar = 'x'", "unknown = 'x'", "metrics.loss > 0.4 OR metrics.loss < 0",
    "(metrics.loss > 0.4)", "metrics.loss", "metrics.loss >", "metrics.loss == 0.5", "metrics.loss <> 0.5",
    "run_id IN ()", "run_id IN (1)", "dataset.foo = 'x'", "status IS NULL", "params.lr = '0.1'; params.lr = '0.2'",
    "params.lr = '0.1", "Metrics.loss > 1", "not metrics.loss > 1",
]

ORDERS = [
    [], ["metrics.loss ASC"], ["metrics.loss DESC"], ["metrics.`val/loss`"], ["params.lr DESC"],
    ["params.model asc", "metrics.`val/loss` desc"], ["attributes.start_time ASC"], ["start_time DESC", "run_id DESC"],
    ["tags.team"], ["end_time"], ["attribute.status", "created ASC"], ["metrics.`a b` DESC"],
]

BAD_ORDERS = [["metrics.loss UP"], ["foo.bar"], ["unknown ASC"], ["metrics.loss ASC DESC"], [""]]


def run(r):
    info = RunInfo(run_id=r["id"], experiment_id="0", user_id=r["user"], status=r["status"], start_time=r["start"],
                   end_time=r["end"], lifecycle_stage="active", artifact_uri="", run_name=r["name"])
    data = RunData(metrics=[Metric(k, v, 0, 0) for k, v in r["metrics"].items()],
                   params=[Param(k, v) for k, v in r["params"].items()],
                   tags=[RunTag(k, v) for k, v in r["tags"].items()])
    inputs = [
        DatasetInput(Dataset(name=n, digest=d, source_type="local", source="s"),
                     [InputTag("mlflow.data.context", c)] if c else [])
        for n, d, c in r["datasets"]
    ]
    return Run(info, data, RunInputs(dataset_inputs=inputs))


def search(filter_string, order):
    try:
        found = SearchUtils.sort(SearchUtils.filter([run(r) for r in RUNS], filter_string), order)
    except (MlflowException, ValueError, IndexError):
        return None
    return "".join(r.info.run_id[0] for r in found)


def plain(r):
    special = lambda v: str(v) if not math.isfinite(v) else v
    return {**r, "metrics": {k: special(v) for k, v in r["metrics"].items()}}


cases = [dict(filter=f, order=[], found=search(f, [])) for f in FILTERS]
cases += [dict(filter="", order=o, found=search("", o)) for o in ORDERS + BAD_ORDERS]
out = pathlib.Path(__file__).parent / "search.json"
out.write_text(json.dumps(dict(runs=[plain(r) for r in RUNS], cases=cases), indent=1) + "\n")
