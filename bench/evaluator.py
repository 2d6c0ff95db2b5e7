"""The native evaluator beside onnxruntime in Python: the same graphs, the same row, one thread each."""

import json
import pathlib
import shutil
import subprocess
import time

import numpy
import onnxruntime
from figure import Figure, median_of, percentile
from server import Server

REFERENCE = pathlib.Path(__file__).parents[1] / "crates/inference/tests/reference/models"
MODELS = ["logistic", "random_forest", "hist_boosting", "lightgbm_binary", "columns_boosting"]
"""Exported from scikit-learn and LightGBM; numbers, and texts beside numbers."""
NAMES = {"float32": "FP32", "int64": "INT64", "string": "BYTES"}
REPEATS = 3
SECONDS = 0.2
BATCH = 64


def one_row_latency(bench):
    """The median wall time of one row, by a program around the evaluator and by Python."""
    import prediction

    with Server(bench.binary, bench.demo) as server:
        server.wait_for("/v2/models/delays/ready")
        inputs = server.call("GET", "/v2/models/delays")["inputs"]
        graph = bench.demo_model(server)
    models = bench.new_directory("models")
    models.mkdir()
    lay_out(models / "flight-delay", graph, prediction.row_of(inputs))
    for name in MODELS:
        lay_out(models / name, REFERENCE / f"{name}.onnx", reference_row(name))
    native = [latencies(bench, models) for _ in range(REPEATS)]
    peers = {name: [python_p50_us(models / name) for _ in range(REPEATS)] for name in native[0]}
    for name, peer in peers.items():
        ours = [each[name]["one_row"]["p50_us"] for each in native]
        runtime = median_of([{"p50": each} for each in peer], "p50")
        beside = [f"onnxruntime {min(peer):.2f} – {max(peer):.2f} µs"]
        yield Figure(f"Evaluator, one row, p50: {name}", "µs", ours, f"{SECONDS} s", runtime, beside)


def cpu_us(bench, graph, row):
    """Mean CPU time of one evaluation of a row, in microseconds."""
    models = bench.new_directory("model")
    models.mkdir()
    lay_out(models / "model", graph, row)
    return latencies(bench, models)["model"]["one_row"]["cpu_us"]


def latencies(bench, models):
    command = [bench.latency, models, "--seconds", str(SECONDS)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    reports = {line["model"]: line["report"] for line in map(json.loads, lines)}
    for name, report in reports.items():
        # What gives another answer has no time to compare.
        if not (report.get("same_length") and report["max_difference"] <= 1e-5):
            raise RuntimeError(f"{name}: {report}")
    return reports


def reference_row(name):
    """The first row of what the evaluator's tests use."""
    inputs = json.loads((REFERENCE / f"{name}.json").read_text())["inputs"]
    row = []
    for each in inputs:
        width = each["shape"][1]
        # A missing number is null there as in what the program reads; numpy makes NaN of it.
        row.append((each["name"], NAMES[each["dtype"]], each["data"][:width]))
    return row


def lay_out(directory, graph, row):
    """The model, one row many times, and what onnxruntime says to it, as the program wants it."""
    directory.mkdir()
    shutil.copyfile(graph, directory / "model.onnx")
    inputs = []
    for name, kind, values in row:
        values = values if isinstance(values, list) else [values]
        inputs.append({"name": name, "datatype": kind, "tail": [len(values)], "data": values * BATCH})
    answers = dict(zip(*run(session(directory), inputs, BATCH), strict=True))
    check, expected = next((name, each) for name, each in answers.items() if each.dtype == numpy.float32)
    rows = {"inputs": inputs, "check": check, "expected": expected.reshape(-1).tolist()}
    (directory / "rows.json").write_text(json.dumps(rows))


def session(directory):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    graph = str(directory / "model.onnx")
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def feed(inputs, rows):
    kinds = {"FP32": numpy.float32, "INT64": numpy.int64, "BYTES": object}
    return {
        each["name"]: numpy.array(each["data"], dtype=kinds[each["datatype"]]).reshape([-1, *each["tail"]])[:rows]
        for each in inputs
    }


def run(opened, inputs, rows):
    return [output.name for output in opened.get_outputs()], opened.run(None, feed(inputs, rows))


def python_p50_us(directory):
    opened, one = session(directory), feed(json.loads((directory / "rows.json").read_text())["inputs"], 1)
    for _ in range(50):
        opened.run(None, one)
    walls, start = [], time.perf_counter()
    while time.perf_counter() - start < SECONDS:
        before = time.perf_counter()
        opened.run(None, one)
        walls.append(time.perf_counter() - before)
    return percentile(sorted(walls), 0.5) * 1e6
