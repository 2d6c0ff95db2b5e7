"""Experiments and runs: their lives, what is logged to them, and what is refused."""

import pytest
from pair import AJAX, texts


def test_an_experiment_is_made_renamed_deleted_and_restored(pair):
    made = pair.post("experiments/create", name=pair.name, tags=texts({"team": "green", "note": "é"}))["experiment_id"]
    pair.get("experiments/get", experiment_id=made)
    pair.get("experiments/get-by-name", experiment_name=pair.name)
    pair.post("experiments/create", name=pair.name)
    pair.post("experiments/update", experiment_id=made, new_name=pair.name + "b")
    pair.get("experiments/get-by-name", experiment_name=pair.name)
    for _ in range(2):
        pair.post("experiments/delete", experiment_id=made)
    pair.post("experiments/set-experiment-tag", experiment_id=made, key="a", value="b")
    pair.post("runs/create", experiment_id=made, start_time=1)
    pair.get("experiments/get", experiment_id=made)
    for _ in range(2):
        pair.post("experiments/restore", experiment_id=made)
    pair.get("experiments/get", experiment_id=made)


def test_runs_go_and_come_back_with_their_experiment(pair, experiment, run):
    pair.post("experiments/delete", experiment_id=experiment)
    pair.get("runs/get", run_id=run)
    pair.post("runs/log-metric", run_id=run, key="a", value=1, timestamp=1)
    pair.post("experiments/restore", experiment_id=experiment)
    pair.get("runs/get", run_id=run)


def test_tags_of_an_experiment(pair, experiment):
    for key, value in [("a", "1"), ("a", "2"), ("b/c", ""), ("long", "x" * 5001), ("", "x"), ("k" * 251, "x")]:
        pair.post("experiments/set-experiment-tag", experiment_id=experiment, key=key, value=value)
    for key in ["a", "a", "nothing"]:
        pair.post("experiments/delete-experiment-tag", experiment_id=experiment, key=key)
    pair.get("experiments/get", experiment_id=experiment)


@pytest.mark.parametrize("call", ["get", "delete", "restore", "update", "set-experiment-tag"])
def test_an_experiment_that_there_is_not(pair, call):
    for id in ["987654", "abc", ""]:
        if call == "get":
            pair.get("experiments/get", experiment_id=id)
        else:
            pair.post(f"experiments/{call}", experiment_id=id, new_name=pair.name, key="a", value="b")


def test_a_run_is_made_ended_deleted_and_restored(pair, experiment):
    more = {"start_time": 5, "user_id": "amélie", "tags": texts({"mlflow.user": "x", "a": "b"})}
    run = pair.post("runs/create", experiment_id=experiment, **more)["run"]["info"]["run_id"]
    pair.get("runs/get", run_id=run)
    pair.post("runs/update", run_id=run, run_name="named", status="RUNNING")
    pair.post("runs/update", run_id=run, status="FINISHED", end_time=1234)
    pair.post("runs/update", run_id=run, run_name="")
    for _ in range(2):
        pair.post("runs/delete", run_id=run)
    pair.post("runs/log-parameter", run_id=run, key="a", value="b")
    pair.get("runs/get", run_id=run)
    for _ in range(2):
        pair.post("runs/restore", run_id=run)
    pair.post("runs/update", run_id=run, status="FAILED")
    pair.get("runs/get", run_id=run)


def test_the_name_of_a_run_and_its_tag_are_one(pair, run):
    pair.post("runs/set-tag", run_id=run, key="mlflow.runName", value="two")
    pair.get("runs/get", run_id=run)
    pair.post("runs/log-batch", run_id=run, tags=texts({"mlflow.runName": "three"}))
    pair.get("runs/get", run_id=run)


def test_an_empty_name_changes_nothing(pair, run):
    pair.post("runs/set-tag", run_id=run, key="mlflow.runName", value="")
    pair.get("runs/get", run_id=run)
    pair.post("runs/log-batch", run_id=run, tags=texts({"mlflow.runName": "", "a": "b"}))
    pair.get("runs/get", run_id=run)


def test_a_run_that_there_is_not(pair):
    for id in ["0" * 32, "nothing", ""]:
        pair.get("runs/get", run_id=id)
        for call in ["update", "delete", "restore"]:
            pair.post(f"runs/{call}", run_id=id)
        pair.post("runs/log-metric", run_id=id, key="a", value=1, timestamp=1)
        pair.post("runs/log-parameter", run_id=id, key="a", value="1")
        pair.post("runs/log-batch", run_id=id, tags=texts({"a": "b"}))


def test_a_parameter_is_told_once(pair, run):
    for key, value in [("a", "1"), ("a", "1"), ("a", "2"), ("b", ""), ("b", "x"), ("c", "x" * 6001), ("d", "x" * 6000)]:
        pair.post("runs/log-parameter", run_id=run, key=key, value=value)
    pair.post("runs/log-batch", run_id=run, params=texts({"a": "1", "e": "5"}))
    pair.post("runs/log-batch", run_id=run, params=[*texts({"f": "1"}), *texts({"f": "2"})])
    pair.get("runs/get", run_id=run)


@pytest.mark.parametrize("key", [
    "a/b", "a b", "A.b-c_d", "é", "a#b", "../a", "/a", "a//b", ".", "a:b", "k" * 250, "k" * 251, "",
])
def test_keys(pair, run, key):
    pair.post("runs/log-metric", run_id=run, key=key, value=1, timestamp=1)
    pair.post("runs/log-parameter", run_id=run, key=key, value="1")
    pair.post("runs/set-tag", run_id=run, key=key, value="1")
    pair.get("runs/get", run_id=run)


def test_tags_of_a_run(pair, run):
    for key, value in [("a", "1"), ("a", "2"), ("b", ""), ("long", "x" * 8000), ("longer", "x" * 8001)]:
        pair.post("runs/set-tag", run_id=run, key=key, value=value)
    for key in ["a", "a", "nothing"]:
        pair.post("runs/delete-tag", run_id=run, key=key)
    pair.get("runs/get", run_id=run)


@pytest.mark.parametrize("limit", [("metrics", 1001), ("params", 101), ("tags", 101)])
def test_a_batch_has_limits(pair, run, limit):
    kind, count = limit
    things = [{"key": f"k{number}", "value": "1", "timestamp": 1} for number in range(count)]
    if kind == "metrics":
        things = [thing | {"value": 1} for thing in things]
    else:
        things = texts({thing["key"]: "1" for thing in things})
    pair.post("runs/log-batch", run_id=run, **{kind: things})
    pair.post("runs/log-batch", run_id=run, **{kind: things[1:]})
    pair.get("runs/get", run_id=run)


def dataset(name, digest="aaaa", context=None):
    data = {"name": name, "digest": digest, "source_type": "local", "source": "{}", "schema": "{}", "profile": "{}"}
    return {"dataset": data, "tags": texts({"mlflow.data.context": context}) if context else []}


def test_inputs(pair, experiment, run):
    pair.post("runs/log-inputs", run_id=run, datasets=[dataset("b"), dataset("a", context="training")])
    pair.post("runs/log-inputs", run_id=run, datasets=[dataset("a", "bbbb", "validation")])
    pair.post("runs/log-inputs", run_id=run, datasets=[])
    pair.post("runs/log-inputs", run_id=run, datasets=[dataset("x" * 501)])
    pair.get("runs/get", run_id=run)
    pair.ask("POST", AJAX + "experiments/search-datasets", {"experiment_ids": [experiment]})


def test_a_dataset_that_is_told_again_keeps_its_first_context(pair, run):
    for context in ["training", "validation"]:
        pair.post("runs/log-inputs", run_id=run, datasets=[dataset("a", context=context)])
        pair.get("runs/get", run_id=run)
