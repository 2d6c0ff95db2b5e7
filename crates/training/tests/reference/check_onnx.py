"""Checks exported models against onnx, ONNX Runtime and mlflow.

Usage: python check_onnx.py DIRECTORY [--no-mlflow]

DIRECTORY is `tmp/mainstay-training-export` in the target folder, where this crate's tests leave NAME.onnx and
NAME.json: the inputs (null is a missing number, "" a missing category) and the trainer's own predictions,
the probability of class 1 or the value. Every prediction must agree to 1e-5, relative to the spread of the predictions for regression.
Exit code 1 and a line for each failure otherwise. Needs numpy, onnx, onnxruntime and, unless told
otherwise, mlflow.
"""

import json
import pathlib
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime

MAX_BYTES = 10_000_000
TOLERANCE = 1e-5


def load_inputs(dump):
    feed = {}
    for name in dump["names"]:
        values = dump["inputs"][name]
        if any(isinstance(v, str) for v in values):
            feed[name] = np.array(values, dtype=object).reshape(-1, 1)
        else:
            feed[name] = np.array([np.nan if v is None else v for v in values], dtype=np.float32).reshape(-1, 1)
    return feed


def answer(outputs):
    """The probability of class 1, or the value; checks shapes, types and the label on the way."""
    if "variable" in outputs:
        variable = outputs["variable"]
        assert variable.dtype == np.float32 and variable.ndim == 2 and variable.shape[1] == 1, variable.shape
        return variable[:, 0]
    label, probabilities = outputs["label"], outputs["probabilities"]
    assert label.dtype == np.int64 and label.ndim == 1, (label.dtype, label.shape)
    assert probabilities.dtype == np.float32 and probabilities.shape == (len(label), 2), probabilities.shape
    assert np.all(np.abs(probabilities.sum(axis=1) - 1) < 1e-6)
    assert np.array_equal(label, (probabilities[:, 1] > probabilities[:, 0]).astype(np.int64))
    return probabilities[:, 1]


def run(session, feed):
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feed)))


def check(path, with_mlflow):
    model = onnx.load(str(path))
    onnx.checker.check_model(model, full_check=True)
    assert path.stat().st_size <= MAX_BYTES, f"{path.stat().st_size} bytes"
    dump = json.loads(path.with_suffix(".json").read_text())
    feed = load_inputs(dump)
    expected = np.array(dump["expected"])
    scale = expected.std() if "variable" in [output.name for output in model.graph.output] else 1.0

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    assert [i.name for i in session.get_inputs()] == list(feed), "inputs are not the features in their order"
    whole = answer(run(session, feed))
    difference = float(np.max(np.abs(whole - expected))) / scale
    assert difference <= TOLERANCE, f"largest difference {difference:.2e}"

    single = [answer(run(session, {k: v[r : r + 1] for k, v in feed.items()}))[0] for r in range(0, len(expected), 97)]
    by_row = float(np.max(np.abs(np.array(single) - expected[::97]))) / scale
    assert by_row <= TOLERANCE, f"row by row: largest difference {by_row:.2e}"

    if with_mlflow:
        check_mlflow(model, feed, expected, scale)
    return len(expected), difference


def check_mlflow(model, feed, expected, scale):
    import mlflow.onnx
    import mlflow.pyfunc

    with tempfile.TemporaryDirectory() as folder:
        mlflow.onnx.save_model(model, f"{folder}/model", onnx_execution_providers=["CPUExecutionProvider"])
        loaded = mlflow.onnx.load_model(f"{folder}/model")
        onnx.checker.check_model(loaded)
        predicted = answer(mlflow.pyfunc.load_model(f"{folder}/model").predict(feed))
    difference = float(np.max(np.abs(predicted - expected))) / scale
    assert difference <= TOLERANCE, f"mlflow: largest difference {difference:.2e}"


def main():
    arguments = sys.argv[1:]
    with_mlflow = "--no-mlflow" not in arguments
    folders = [a for a in arguments if not a.startswith("--")]
    if len(folders) != 1:
        sys.exit(__doc__)
    models = sorted(pathlib.Path(folders[0]).glob("*.onnx"))
    failed = not models
    for path in models:
        try:
            rows, difference = check(path, with_mlflow)
            print(f"{path.name}: {rows} rows, largest difference {difference:.2e}, {path.stat().st_size} bytes")
        except Exception as error:  # each model is reported
            failed = True
            print(f"{path.name}: FAILED: {type(error).__name__}: {error}")
    if not models:
        print(f"no model in {folders[0]}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
