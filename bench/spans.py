"""Spans over OTLP, each call durable before it is answered."""

import hashlib

import load
from figure import Figure, calmest
from server import Server

CONNECTIONS = 8
TRACES = 20
"""Of a call, as an exporter sends them."""
SPANS = 25
"""Of a trace."""
CALLS = 8
"""On each connection, in one repeat."""
REPEATS = 8
NOW = 1_700_000_000_000_000_000


def otlp(bench):
    """Eight connections, each sending batches of five hundred spans in protobuf."""
    with Server(bench.binary, bench.new_directory("spans")) as server:
        load.run(server, requests(0))
        outcomes = [load.run(server, requests(repeat)) for repeat in range(1, REPEATS + 1)]
    spans = TRACES * SPANS
    walls = [outcome.wall / outcome.count / spans * 50_000 for outcome in outcomes]
    cpu, said = calmest([outcome.server_cpu / outcome.count / spans * 1e6 for outcome in outcomes])
    fastest = max(outcome.count * spans / outcome.wall for outcome in outcomes)
    beside = [f"{fastest:,.0f} spans a second at most", outcomes[-1].said(), bench.disk_said()]
    calls = f"{CONNECTIONS * CALLS * spans:,} spans"
    yield Figure("OTLP, time for 50,000 spans", "s", walls, calls, 1, beside)
    yield Figure("OTLP, CPU a span", "µs", cpu, calls, None, [said])


def requests(repeat):
    headers = "x-mlflow-experiment-id: 0\r\n"
    body = lambda connection, call: batch(f"{repeat} {connection} {call}")
    return [
        [load.post("/v1/traces", body(connection, call), "application/x-protobuf", headers) for call in range(CALLS)]
        for connection in range(CONNECTIONS)
    ]


def batch(name):
    """An `ExportTraceServiceRequest` (opentelemetry/proto/trace/v1/trace.proto), written by its field numbers."""
    spans = b"".join(field(2, one) for trace in range(TRACES) for one in trace_of(f"{name} {trace}"))
    resource = field(1, pair("service.name", "bench"))
    return field(1, field(1, resource) + field(2, spans))


def trace_of(name):
    """The spans of a trace: a root, and calls of a model below it."""
    trace = hashlib.sha256(name.encode()).digest()[:16]
    for number in range(1, SPANS + 1):
        parent = field(4, (1).to_bytes(8, "big")) if number > 1 else b""
        begun = NOW + number * 1_000_000
        times = fixed(7, begun) + fixed(8, begun + 900_000)
        said = {"mlflow.spanType": '"LLM"', "model": "small", "question": f"what is {number}?"}
        attributes = b"".join(field(9, pair(key, text)) for key, text in said.items())
        yield field(1, trace) + field(2, number.to_bytes(8, "big")) + parent + field(5, b"call") + times + attributes


def pair(key, text):
    """A `KeyValue` whose value is a text."""
    return field(1, key.encode()) + field(2, field(1, text.encode()))


def varint(number):
    written = b""
    while number > 127:
        written += bytes([number & 127 | 128])
        number >>= 7
    return written + bytes([number])


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def fixed(number, value):
    return varint(number << 3 | 1) + value.to_bytes(8, "little")
