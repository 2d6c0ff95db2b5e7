#!/usr/bin/env python3
"""Python onnxruntime on the models that `cargo run --release -p mainstay-inference --example latency` reads.

usage: latency.py DIRECTORY [SECONDS]    needs: numpy onnxruntime
DIRECTORY/<name>/{model.onnx,rows.json}; prints one JSON line per model in the example's form.
"""
import json, os, sys, time
import numpy as np, onnxruntime as ort

directory, seconds = sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 1.0
kinds = {"FP32": np.float32, "INT64": np.int64}


def measure(session, feed):
    for _ in range(50):
        session.run(None, feed)
    walls, cpu, start = [], time.process_time(), time.perf_counter()
    while time.perf_counter() - start < seconds:
        for _ in range(100):
            before = time.perf_counter()
            session.run(None, feed)
            walls.append(time.perf_counter() - before)
    cpu = (time.process_time() - cpu) / len(walls)
    return {"p50_us": round(sorted(walls)[len(walls) // 2] * 1e6, 2), "cpu_us": round(cpu * 1e6, 2)}


for name in sorted(os.listdir(directory)):
    rows = os.path.join(directory, name, "rows.json")
    if not os.path.exists(rows):
        continue
    inputs = json.load(open(rows))["inputs"]
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(os.path.join(directory, name, "model.onnx"), options, providers=["CPUExecutionProvider"])
    feeds = [{i["name"]: np.array(i["data"], dtype=kinds.get(i["datatype"], object)).reshape([-1] + i["tail"])[:n] for i in inputs} for n in (1, 64)]
    print(json.dumps({"model": name, "report": {"one_row": measure(session, feeds[0]), "64_rows": measure(session, feeds[1])}}), flush=True)
