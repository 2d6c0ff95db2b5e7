"""Traces: told by clients and over OTLP, their tags, assessments and runs, searches, figures, and their end."""

import hashlib

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from pair import API, NEW, pages

TRACES = NEW + "traces"
#: 2024-01-01T00:00:00Z, in nanoseconds.
BEGUN = 1_704_067_200 * 10**9


def where(experiment):
    return {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}


def identity(name, number):
    return hashlib.md5(f"{name}{number}".encode()).hexdigest()


def start(pair, experiment, number, **more):
    """A trace that a client tells."""
    info = {
        "trace_id": "tr-" + identity(pair.name, number), "trace_location": where(experiment), "state": "OK",
        "request_time": f"2024-01-01T00:00:00.{number:03}Z", "trace_metadata": {}, "tags": {},
    }
    pair.ask("POST", TRACES, {"trace": {"trace_info": info | more}})
    return info["trace_id"]


def export(pair, experiment, number, spans):
    """A trace over OTLP; of each span its name, parent, status and attributes."""
    sent = ExportTraceServiceRequest()
    scope = sent.resource_spans.add().scope_spans.add()
    for at, (name, parent, status, attributes) in enumerate(spans, 1):
        begun = BEGUN + number * 10**9 + at * 10**6
        span = scope.spans.add(
            trace_id=bytes.fromhex(identity(pair.name, number)), span_id=at.to_bytes(8, "big"), name=name,
            parent_span_id=parent.to_bytes(8, "big") if parent else b"", start_time_unix_nano=begun,
            end_time_unix_nano=begun + (100 - 10 * at) * 10**6,
        )
        span.status.code = status
        for key, value in attributes.items():
            span.attributes.add(key=key).value.string_value = value
    headers = {"Content-Type": "application/x-protobuf", "x-mlflow-experiment-id": experiment}
    pair.ask("POST", "/v1/traces", sent.SerializeToString(), headers=headers)
    return "tr-" + identity(pair.name, number)


def search(pair, experiment, **more):
    return pair.ask("POST", TRACES + "/search", {"locations": [where(experiment)], **more})


def test_a_trace_is_told_and_read(pair, experiment):
    more = {"execution_duration": "1.5s", "tags": {"a": "b"}, "trace_metadata": {"mlflow.trace.session": "s"}}
    trace = start(pair, experiment, 1, client_request_id="c", request_preview="q", response_preview="r", **more)
    pair.ask("GET", f"{TRACES}/{trace}")
    pair.get(f"traces/{trace}/info")
    pair.ask("POST", TRACES + "/batchGetInfos", {"trace_ids": [trace, "tr-nothing"]})
    start(pair, experiment, 1, **more)
    for missing in ["tr-" + "0" * 32, "nothing"]:
        pair.ask("GET", f"{TRACES}/{missing}")
        pair.ask("GET", TRACES + "/get", query={"trace_id": missing})


def test_a_trace_over_otlp(pair, experiment):
    spans = [
        ("root", 0, 1, {"mlflow.spanType": '"AGENT"', "mlflow.spanInputs": '{"q": "hello"}', "mlflow.spanOutputs": '"x"'}),
        ("child", 1, 2, {"mlflow.spanType": '"TOOL"', "custom": "text"}),
    ]
    trace = export(pair, experiment, 1, spans)
    pair.ask("GET", f"{TRACES}/{trace}")
    pair.ask("GET", TRACES + "/get", query={"trace_id": trace})
    pair.ask("GET", TRACES + "/batchGet", query={"trace_ids": [trace, "tr-" + "0" * 32]})
    pair.ask("GET", "/ajax-api/2.0/mlflow/get-trace-artifact", query={"request_id": trace})
    search(pair, experiment)


def test_tags_of_a_trace(pair, experiment):
    trace = start(pair, experiment, 1)
    for key, value in [("a", "1"), ("a", "2"), ("b", ""), ("k" * 250, "v"), ("long", "v" * 8000)]:
        pair.ask("PATCH", f"{TRACES}/{trace}/tags", {"key": key, "value": value})
    for key in ["a", "a", "nothing"]:
        pair.ask("DELETE", f"{TRACES}/{trace}/tags", {"key": key})
    pair.ask("GET", f"{TRACES}/{trace}")


@pytest.mark.parametrize("said", [
    {"feedback": {"value": "yes"}}, {"feedback": {"value": 0.5}}, {"feedback": {"value": [1, {"a": None}]}},
    {"expectation": {"value": "paris"}}, {"expectation": {"value": True}},
    {"feedback": {"value": False}, "rationale": "because", "metadata": {"k": "v"}}, {},
], ids=str)
def test_assessments(pair, experiment, said):
    trace = start(pair, experiment, 1)
    of = {"assessment_name": "q", "trace_id": trace, "source": {"source_type": "HUMAN", "source_id": "bob"}}
    times = {"create_time": "2024-01-01T00:00:00Z", "last_update_time": "2024-01-01T00:00:00.500Z"}
    made = pair.ask("POST", f"{TRACES}/{trace}/assessments", {"assessment": of | times | said})
    pair.ask("GET", f"{TRACES}/{trace}")
    if not said:
        return
    at = f"{TRACES}/{trace}/assessments/{made['assessment']['assessment_id']}"
    pair.ask("GET", at)
    for _ in range(2):
        pair.ask("DELETE", at)
    pair.ask("GET", at)


def test_traces_of_a_run(pair, experiment, run):
    said = start(pair, experiment, 1, trace_metadata={"mlflow.sourceRun": run})
    linked = start(pair, experiment, 2)
    start(pair, experiment, 3)
    pair.post("traces/link-to-run", trace_ids=[linked, said], run_id=run)
    pair.post("traces/link-to-run", trace_ids=[linked], run_id=run)
    for name in ["run_id", "attributes.run_id", "metadata.`mlflow.sourceRun`", "request_metadata.`mlflow.sourceRun`"]:
        search(pair, experiment, filter=f"{name} = '{run}'", order_by=["timestamp_ms ASC"])


def test_traces_that_go_on_have_ended_when_they_began(pair, experiment):
    start(pair, experiment, 0, execution_duration="1s")
    start(pair, experiment, 1, state="IN_PROGRESS")
    start(pair, experiment, 2, execution_duration="0.5s")
    ended = BEGUN // 10**6 + 1
    for filter in ["> 1000", "< 1000", f"= {ended}", f"> {ended}", f"< {ended}"]:
        search(pair, experiment, filter=f"trace.end_time {filter}", order_by=["timestamp_ms ASC"])
    for order in ["end_time_ms", "end_time_ms DESC", "execution_time_ms", "execution_time_ms DESC"]:
        search(pair, experiment, order_by=[order])


def test_traces_are_deleted(pair, experiment):
    traces = [start(pair, experiment, number) for number in range(4)]
    remove = TRACES + "/delete-traces"
    old = {"max_timestamp_millis": BEGUN // 10**6 + 1}
    for which in [{"request_ids": traces[:1]}, {"request_ids": ["tr-nothing"]}, old, {}]:
        pair.ask("POST", remove, {"experiment_id": experiment, **which})
    search(pair, experiment)
    pair.ask("GET", f"{TRACES}/{traces[0]}")


FILTERS = [
    "", "status = 'OK'", "status = 'ERROR'", "status != 'OK'", "trace.status = 'OK'", "attributes.status = 'OK'",
    "state = 'OK'",
    "timestamp_ms > {t}", "timestamp_ms <= {t}", "timestamp_ms = {t}", "attributes.timestamp > 0",
    "execution_time_ms > 100",
    "execution_time_ms >= 200 AND execution_time_ms <= 300", "name = 'root'", "name LIKE 'r%'", "name ILIKE 'RO%'",
    "tag.env = 'prod'", "tags.env = 'prod'", "tag.env != 'prod'", "tag.env LIKE 'p%'", "tag.env ILIKE 'P%'",
    "tag.nothing != 'x'", "tag.`mlflow.traceName` = 'root'", "metadata.m = 'x'", "request_metadata.m = 'x'",
    "metadata.`mlflow.trace.session` = 's0'", "client_request_id = 'c1'", "trace.client_request_id LIKE 'c%'",
    "request_id = 'x'", "trace_id = 'x'", "run_id = 'x'", "span.name = 'child'", "span.name LIKE 'ch%'",
    "span.type = 'TOOL'",
    "span.type != 'TOOL'", "span.status = 'ERROR'", "span.name = 'child' AND span.type = 'TOOL'",
    "span.name = 'top' AND span.type = 'TOOL'", "span.content LIKE '%needle%'", "trace.text LIKE '%needle%'",
    "feedback.q = 'yes'", "feedback.q != 'yes'", "expectation.q = 'paris'", "feedback.nothing = 'x'",
    "feedback.q = 'yes' AND status = 'OK'", "status = 'OK' AND tag.env = 'prod' AND metadata.m = 'x'", 
    "foo = 'x'", "trace.foo = 'x'", "foo.bar = 'x'", "span.foo = 'x'", "params.x = 'x'", "status", "status = OK",
    "prompt = 'x'", "prompt = 'p/1'", "tag.env > 'x'", "issue.id = 'x'",
]
ORDERS = [
    [], ["timestamp_ms"], ["timestamp_ms DESC"], ["timestamp ASC"], ["execution_time_ms", "timestamp_ms"],
    ["execution_time DESC", "timestamp_ms"], ["status", "timestamp_ms"], ["status DESC", "timestamp_ms"],
    ["name", "timestamp_ms"], ["tag.env", "timestamp_ms"], ["tag.env DESC", "timestamp_ms"],
    ["metadata.m", "timestamp_ms"],
    ["attributes.timestamp_ms DESC"], ["foo"], ["timestamp_ms FOO"], [""],
]


@pytest.fixture(scope="module")
def filled(named_pair):
    pair = named_pair("traced")
    experiment = pair.post("experiments/create", name=pair.name)["experiment_id"]
    for number in range(6):
        more = {"execution_duration": f"0.{number}s", "client_request_id": f"c{number}"} if number % 3 else {}
        more |= {"state": ["OK", "ERROR", "IN_PROGRESS"][number % 3]}
        metadata = {"m": ["x", "X", "y"][number % 3], "mlflow.trace.session": f"s{number % 2}"}
        tags = {"mlflow.traceName": ["root", "Root"][number % 2]}
        tags |= {"env": ["prod", "dev"][number % 2]} if number else {}
        trace = start(pair, experiment, number, tags=tags, trace_metadata=metadata, **more)
        assess(pair, trace, number)
    for number in range(6, 10):
        kinds = {"mlflow.spanType": '"TOOL"', "mlflow.spanInputs": '{"q": "needle"}' if number % 2 else '"hay"'}
        spans = [("top", 0, 1, {"mlflow.spanType": '"CHAIN"'}), (f"child{number % 3 or ''}", 1, number % 3, kinds)]
        export(pair, experiment, number, spans)
    return pair, experiment


def assess(pair, trace, number):
    said = {"expectation": {"value": "paris"}}
    if number % 2:
        said = {"feedback": {"value": ["yes", "no"][number // 2 % 2]}}
    of = {"assessment_name": "q", "trace_id": trace, "source": {"source_type": "CODE", "source_id": "x"}}
    times = {"create_time": "2024-01-01T00:00:00Z", "last_update_time": "2024-01-01T00:00:00Z"}
    pair.ask("POST", f"{TRACES}/{trace}/assessments", {"assessment": of | times | said | {"rationale": "r"}})


@pytest.mark.parametrize("filter", FILTERS)
def test_filters(filled, filter):
    pair, experiment = filled
    search(pair, experiment, filter=filter.replace("{t}", str(BEGUN // 10**6 + 2)), order_by=["timestamp_ms ASC"])


@pytest.mark.parametrize("order", ORDERS, ids=", ".join)
def test_orders(filled, order):
    pair, experiment = filled
    search(pair, experiment, order_by=order)


@pytest.mark.parametrize("size", [1, 4, 10, 500, 501, 0])
def test_pages(filled, size):
    pair, experiment = filled
    pages(lambda **page: search(pair, experiment, max_results=size, order_by=["timestamp_ms DESC"], **page))


def test_older_clients_search(filled):
    pair, experiment = filled
    for more in [{}, {"filter": "status = 'OK'"}, {"order_by": "timestamp_ms ASC"}, {"max_results": 3}]:
        pair.ask("GET", API + "traces", query={"experiment_ids": experiment, **more})


@pytest.mark.parametrize("view, figure, dimension", [
    ("TRACES", "trace_count", "trace_status"), ("TRACES", "trace_count", "trace_name"),
    ("TRACES", "latency", "trace_status"),
    ("SPANS", "span_count", "span_name"), ("SPANS", "span_count", "span_type"),
    ("ASSESSMENTS", "assessment_count", "assessment_name"),
])
def test_figures(filled, view, figure, dimension):
    pair, experiment = filled
    ways = [{"aggregation_type": "AVG"}, {"aggregation_type": "PERCENTILE", "percentile_value": 50.0}]
    if "count" in figure:
        ways = [{"aggregation_type": "COUNT"}]
    of = {"experiment_ids": [experiment], "view_type": view, "metric_name": figure, "aggregations": ways}
    begun = BEGUN // 10**6
    spread = {"time_interval_seconds": 5, "start_time_ms": begun, "end_time_ms": begun + 20_000}
    by = {"dimensions": [dimension]}
    for more in [{}, by, by | spread, {"filters": ["trace.status = 'OK'"]}]:
        pair.ask("POST", TRACES + "/metrics", of | more)


def test_how_often_filters_meet(filled):
    pair, experiment = filled
    for other in ["tag.env = 'prod'", "status = 'ERROR'", "bad"]:
        of = {"experiment_ids": [experiment], "filter_string1": "status = 'OK'", "filter_string2": other}
        pair.ask("POST", TRACES + "/calculate-filter-correlation", of)
