"""Metrics: what is the last of them, their histories, in pages, of several runs, and thinned out."""

import pytest
from pair import AJAX, pages


@pytest.fixture
def points(pair, run):
    """A run with points that came in no order, with equal steps and times, and what is no number."""
    series = [
        (1, 5, 0), (2, 5, 0), (0.5, 4, 1), ("NaN", 6, 2), ("Infinity", 7, -3), ("-Infinity", 1, 7), (3, 1, 7), (-1, 1, 7),
        (1e-300, 2, 8), (1e300, 3, 9), (0.1, 3, 9),
    ]
    metrics = [{"key": "acc", "value": number, "timestamp": number, "step": number} for number in range(40)]
    for value, timestamp, step in series:
        metrics.append({"key": "loss", "value": value, "timestamp": timestamp, "step": step})
    pair.post("runs/log-batch", run_id=run, metrics=metrics)
    return run


def test_the_last_point_counts(pair, points):
    pair.get("runs/get", run_id=points)
    pair.post("runs/log-metric", run_id=points, key="acc", value=-1, timestamp=0, step=39)
    pair.post("runs/log-metric", run_id=points, key="acc", value=-2, timestamp=100, step=3)
    pair.get("runs/get", run_id=points)


def test_a_point_that_is_told_twice_is_one(pair, run):
    for _ in range(2):
        pair.post("runs/log-metric", run_id=run, key="a", value=1.5, timestamp=1, step=1)
    point = {"key": "a", "value": 1.5, "timestamp": 1, "step": 1}
    pair.post("runs/log-batch", run_id=run, metrics=[point, point])
    pair.get("metrics/get-history", run_id=run, metric_key="a")


def test_a_history(pair, points):
    for key in ["loss", "acc", "nothing", ""]:
        pair.get("metrics/get-history", run_id=points, metric_key=key)
    pair.get("metrics/get-history", run_id="0" * 32, metric_key="loss")
    pair.get("metrics/get-history", run_id=points)
    pair.get("metrics/get-history", metric_key="loss")


@pytest.mark.parametrize("size", [7, 40, 25_000])
def test_pages_of_a_history(pair, points, size):
    asked = {"run_id": points, "metric_key": "acc", "max_results": size}
    pages(lambda **page: pair.get("metrics/get-history", **asked, **page))


@pytest.mark.parametrize("more", [
    {}, {"max_results": 5}, {"max_results": 40}, {"start_step": 5, "end_step": 20, "max_results": 4},
    {"start_step": 5}, {"start_step": 20, "end_step": 5}, {"max_results": 0}, {"max_results": 2501}, {"metric_key": ""},
], ids=str)
def test_intervals_of_several_histories(pair, experiment, points, more):
    other = pair.post("runs/create", experiment_id=experiment, start_time=2, run_name="two")["run"]["info"]["run_id"]
    metrics = [{"key": "acc", "value": number, "timestamp": number, "step": 3 * number} for number in range(9)]
    pair.post("runs/log-batch", run_id=other, metrics=metrics)
    for ids in [[points], [points, other], []]:
        query = {"run_ids": ids, "metric_key": "acc", **more}
        pair.ask("GET", AJAX + "metrics/get-history-bulk-interval", query=query)


def test_histories_in_bulk(pair, points):
    for query in [{"metric_key": "acc", "max_results": 3}, {"metric_key": "nothing"}, {}]:
        pair.ask("GET", AJAX + "metrics/get-history-bulk", query={"run_id": points, **query})
