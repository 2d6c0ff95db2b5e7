"""What an application that is traced does through the unmodified MLflow client."""

import json
import time

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import SpanType, TraceState
from mlflow.exceptions import MlflowException


@pytest.fixture(scope="module")
def client(server):
    mlflow.set_tracking_uri(server.url)
    return MlflowClient(server.url)


@pytest.fixture(scope="module")
def experiment(client):
    return mlflow.set_experiment("traces/typical").experiment_id


@mlflow.trace(span_type=SpanType.RETRIEVER)
def retrieve(question):
    return [{"page_content": f"about {question}"}]


@mlflow.trace(span_type=SpanType.LLM)
def generate(messages):
    span = mlflow.get_current_active_span()
    span.set_attribute(
        "mlflow.chat.tokenUsage", {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
    )
    return {"choices": [{"message": {"role": "assistant", "content": "sunny"}}]}


@mlflow.trace(name="answer", span_type=SpanType.CHAIN, attributes={"fruit": "apple", "n": 7})
def answer(question):
    documents = retrieve(question)
    return generate([{"role": "user", "content": f"{question} {documents}"}])


def seen(trace_id):
    """The trace once it is there: the client exports in the background."""
    deadline = time.monotonic() + 30
    while True:
        trace = mlflow.get_trace(trace_id, silent=True)
        if trace is not None:
            return trace
        assert time.monotonic() < deadline, trace
        time.sleep(0.05)


@pytest.fixture(scope="module")
def trace(client, experiment):
    answer("what is the weather?")
    mlflow.flush_trace_async_logging()
    return seen(mlflow.get_last_active_trace_id())


def test_a_trace_comes_back_as_it_was_made(trace, experiment):
    info = trace.info
    assert (info.state, info.experiment_id) == (TraceState.OK, experiment)
    assert info.tags["mlflow.traceName"] == "answer"
    assert info.tags["mlflow.trace.spansLocation"] == "TRACKING_STORE"
    assert info.trace_metadata["mlflow.trace_schema.version"] == "3"
    assert "what is the weather?" in info.request_preview
    assert "sunny" in info.response_preview
    assert info.token_usage == {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
    spans = {span.name: span for span in trace.data.spans}
    root = spans["answer"]
    assert set(spans) == {"answer", "retrieve", "generate"}
    assert root.parent_id is None and spans["retrieve"].parent_id == root.span_id
    assert root.inputs == {"question": "what is the weather?"}
    assert root.outputs["choices"][0]["message"]["content"] == "sunny"
    assert (root.attributes["fruit"], root.attributes["n"]) == ("apple", 7)
    assert root.span_type == SpanType.CHAIN and spans["generate"].span_type == SpanType.LLM
    assert root.status.status_code.value == "OK"
    assert root.start_time_ns < root.end_time_ns


def test_a_failure_is_an_error_with_its_exception(client, experiment):
    @mlflow.trace
    def fails():
        raise ValueError("no bread")

    with pytest.raises(ValueError):
        fails()
    mlflow.flush_trace_async_logging()
    trace = seen(mlflow.get_last_active_trace_id())
    assert trace.info.state == TraceState.ERROR
    (span,) = trace.data.spans
    assert "no bread" in span.status.description
    (event,) = span.events
    assert event.name == "exception" and event.attributes["exception.message"] == "no bread"


def test_two_hundred_spans_are_one_trace(client, experiment):
    with mlflow.start_span("many") as root:
        for n in range(199):
            with mlflow.start_span(f"step {n}") as span:
                span.set_inputs({"n": n})
    mlflow.flush_trace_async_logging()
    trace = seen(root.trace_id)
    assert len(trace.data.spans) == 200
    by_name = {span.name: span for span in trace.data.spans}
    assert by_name["step 150"].inputs == {"n": 150}
    assert json.loads(trace.info.trace_metadata["mlflow.trace.sizeStats"])["num_spans"] == 200


def test_searches_find_what_they_ask_for(client, experiment, trace):
    with mlflow.start_run() as run:
        with mlflow.start_span("in a run"):
            mlflow.update_current_trace(tags={"topic": "news"}, metadata={"mlflow.trace.session": "s-1"})
    mlflow.flush_trace_async_logging()
    made = seen(mlflow.get_last_active_trace_id())
    other = mlflow.create_experiment("traces/empty")

    def found(text=None, **more):
        traces = client.search_traces(locations=[experiment], filter_string=text, **more)
        return [one.info.trace_id for one in traces]

    assert found("tag.topic = 'news'") == [made.info.trace_id]
    assert found("metadata.`mlflow.trace.session` = 's-1'") == [made.info.trace_id]
    assert found(f"attribute.run_id = '{run.info.run_id}'") == [made.info.trace_id]
    assert found("name = 'answer'") == [trace.info.trace_id]
    assert made.info.trace_id in found("status = 'OK'") and made.info.trace_id not in found("status = 'ERROR'")
    assert found(order_by=["timestamp ASC"])[0] == trace.info.trace_id
    times = [one.info.request_time for one in client.search_traces(locations=[experiment])]
    assert times == sorted(times, reverse=True)
    before = found(f"timestamp < {made.info.request_time}")
    assert trace.info.trace_id in before and made.info.trace_id not in before
    assert client.search_traces(locations=[other]) == []

    page = client.search_traces(locations=[experiment], max_results=2, include_spans=False)
    rest = client.search_traces(
        locations=[experiment], max_results=500, page_token=page.token, include_spans=False
    )
    assert page.token and rest.token is None
    assert [one.info.trace_id for one in [*page, *rest]] == found()
    with pytest.raises(MlflowException, match="Invalid attribute key"):
        found("nothing = 'x'")


def test_tags_are_set_and_removed(client, trace):
    trace_id = trace.info.trace_id
    client.set_trace_tag(trace_id, "reviewed", "yes")
    assert mlflow.get_trace(trace_id, silent=True).info.tags["reviewed"] == "yes"
    client.delete_trace_tag(trace_id, "reviewed")
    assert "reviewed" not in mlflow.get_trace(trace_id, silent=True).info.tags
    with pytest.raises(MlflowException, match="No trace tag with key 'reviewed'"):
        client.delete_trace_tag(trace_id, "reviewed")


def test_deleted_traces_are_gone(client):
    experiment = mlflow.create_experiment("traces/deleted")
    ids = []
    for n in range(3):
        with mlflow.start_span(f"n {n}") as span:
            pass
        ids.append(span.trace_id)
    mlflow.flush_trace_async_logging()
    home = seen(ids[0]).info.experiment_id
    for trace_id in ids:
        seen(trace_id)
    assert client.delete_traces(experiment_id=home, trace_ids=ids[:1]) == 1
    assert mlflow.get_trace(ids[0], silent=True) is None
    assert client.delete_traces(experiment_id=experiment, trace_ids=ids) == 0
    assert client.delete_traces(experiment_id=home, trace_ids=ids) == 2
