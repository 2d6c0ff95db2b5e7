"""One-row inference against the demonstration's endpoint: what the server adds to its model."""

import json
import struct

import evaluator
import load
from figure import Figure, calmest
from server import Server

CONNECTIONS = 8
MANY = 32
"""Connections that keep the server busy: it is woken less often for each call."""
CALLS = 3_200
"""On all connections together, in one repeat."""
REPEATS = 48
PATH = "/v2/models/delays/infer"
AT = "2013-03-20T12:00:00Z"
"""Within what the demonstration has materialised; data time stands still, so no day closes."""

ROW = {
    "weather_now__temp": 41.0,
    "weather_now__wind_speed": 9.2,
    "weather_now__precip": 0.0,
    "weather_now__visib": 10.0,
    "weather_now__pressure": 1012.3,
    "origin_recent__late_3h": 0.18,
    "origin_recent__departures_3h": 51.0,
    "carrier_recent__late_3h": 0.21,
    "plane_facts__built": 1999.0,
    "plane_facts__seats": 149.0,
    "hour": 12.0,
    "weekday": 3.0,
    "miles": 1400.0,
    "carrier_code": "UA",
    "origin_code": "EWR",
}
ENTITY = {"origin": "EWR", "carrier": "UA", "tailnum": "N14228", "distance": 1400}


def one_row(bench):
    """One row a request, with log, policy, metrics and the watch of the endpoint on."""
    with Server(bench.binary, bench.demo) as server:
        server.wait_for("/v2/models/delays/ready")
        inputs = server.call("GET", "/v2/models/delays")["inputs"]
        model = evaluator.cpu_us(bench, bench.demo_model(server), row_of(inputs))
        kinds = {
            "tensors as JSON": (as_json(inputs), CONNECTIONS, 35),
            "tensors in binary": (as_binary(inputs), CONNECTIONS, 35),
            f"tensors as JSON, {MANY} connections": (as_json(inputs), MANY, None),
            "entity keys": (as_entity(), CONNECTIONS, None),
        }
        for name, (request, connections, target) in kinds.items():
            queues = [[request] * (CALLS // connections)] * connections
            load.run(server, queues)
            outcomes = [load.run(server, queues) for _ in range(REPEATS)]
            over, all_said = calmest([outcome.server_cpu / outcome.count * 1e6 - model for outcome in outcomes])
            beside = [f"model {model:.1f} µs", outcomes[-1].said(), all_said]
            calls = f"{CALLS:,} calls"
            yield Figure(f"1-row inference, CPU over the model, {name}", "µs", over, calls, target, beside)


def row_of(inputs):
    """The row as the model takes it: name, type and value of each input."""
    return [(each["name"], each["datatype"], ROW[each["name"]]) for each in inputs]


def as_json(inputs):
    tensors = [
        {"name": name, "shape": [1, 1], "datatype": kind, "data": [value]} for name, kind, value in row_of(inputs)
    ]
    body = {"parameters": {"data_time": AT}, "inputs": tensors}
    return load.post(PATH, json.dumps(body).encode())


def as_binary(inputs):
    tensors, tail = [], b""
    for name, kind, value in row_of(inputs):
        raw = struct.pack("<f", value) if kind == "FP32" else struct.pack("<I", len(value)) + value.encode()
        size = {"binary_data_size": len(raw)}
        tensors.append({"name": name, "shape": [1, 1], "datatype": kind, "parameters": size})
        tail += raw
    parameters = {"data_time": AT, "binary_data_output": True}
    head = json.dumps({"parameters": parameters, "inputs": tensors}).encode()
    length = f"inference-header-content-length: {len(head)}\r\n"
    return load.post(PATH, head + tail, "application/octet-stream", length)


def as_entity():
    body = {"parameters": {"data_time": AT, "entity": ENTITY}, "inputs": []}
    return load.post(PATH, json.dumps(body).encode())
