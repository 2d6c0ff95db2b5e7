"""Traces as applications send them: OpenTelemetry's JSON to /v1/traces, which MLflow's clients speak too."""

import json
import time
import urllib.request

MARKUP = "<img src=x onerror=\"document.body.dataset.ran='yes'\"><script>document.body.dataset.ran='yes'</script>"


def value(content):
    """As MLflow's clients write it: the JSON of a value, as a text."""
    return {"stringValue": json.dumps(content)}


def attributes(pairs):
    return [{"key": key, "value": value(content)} for key, content in pairs.items()]


def span(trace, number, parent, name, start, length, kind="CHAIN", failed=False, **more):
    """A span of a trace, both by number; milliseconds."""
    made = {
        "traceId": f"{trace:032x}", "spanId": f"{number + 1:016x}", "name": name,
        "startTimeUnixNano": str(int(start * 1e6)), "endTimeUnixNano": str(int((start + length) * 1e6)),
        "status": {"code": 2, "message": "it broke"} if failed else {"code": 1},
        "attributes": attributes({"mlflow.spanType": kind, **more.get("attributes", {})}),
        "events": more.get("events", []),
    }
    if parent is not None:
        made["parentSpanId"] = f"{parent + 1:016x}"
    return made


def export(url, experiment, spans):
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()
    headers = {"Content-Type": "application/json", "x-mlflow-experiment-id": experiment}
    urllib.request.urlopen(urllib.request.Request(f"{url}/v1/traces", body, headers)).close()


def named(trace):
    return f"tr-{trace:032x}"


def small(url, experiment, count, batch=100):
    """Traces of two spans each; every seventh failed. The last is the newest, begun a minute ago."""
    newest = time.time() * 1_000 - 60_000
    for first in range(0, count, batch):
        spans = []
        for number in range(first, min(count, first + batch)):
            start, failed = newest - (count - 1 - number) * 10_000, number % 7 == 0
            usage = {"input_tokens": number, "output_tokens": 2, "total_tokens": number + 2}
            root = {"mlflow.spanInputs": {"question": f"what is {number}?"}, "mlflow.spanOutputs": f"it is {number}",
                    "mlflow.trace.session": f"talk-{number % 5}", "mlflow.chat.tokenUsage": usage,
                    "mlflow.traceTag.team": ["ops", "research"][number % 2]}
            spans.append(span(number + 1, 0, None, f"answer-{number % 3}", start, 100 + number, "AGENT", failed, attributes=root))
            spans.append(span(number + 1, 1, 0, "ask the model", start + 10, 50, "LLM"))
        export(url, experiment, spans)


def huge(url, experiment, trace, count, batch=5_000):
    """A trace of that many spans: a root, steps below it, calls below each step, one of which failed."""
    start = 1_763_769_600_000
    spans = [span(trace, 0, None, "marathon", start, count, "AGENT")]
    step = 0
    for number in range(1, count):
        if number % 100 == 1:
            step = number
            spans.append(span(trace, number, 0, f"step {number // 100}", start + number, 99))
        else:
            failed = number == count - 5
            kind = ["LLM", "TOOL", "RETRIEVER"][number % 3]
            hidden = {"mlflow.spanInputs": "a needle in here"} if number == count // 2 else {}
            spans.append(span(trace, number, step, f"call {number}", start + number, 1, kind, failed, attributes=hidden))
    for first in range(0, count, batch):
        export(url, experiment, spans[first:first + batch])
    return named(trace)


# One red point.
PICTURE = ("data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==")
ANSWER = """## Answer

It is **20 °C**, see [here](https://example.org/?a=1&b=2) and [there](javascript:alert(1)).

| day | °C |
|-----|---:|
| Mon | 20 |

<img src=x onerror="document.body.dataset.ran='yes'">
"""


def deep(url, experiment, trace, count):
    """A trace in which each span lies in the one before; nobody says of what kind they are."""
    start = 1_763_769_800_000
    spans = [span(trace, number, number - 1 if number else None, f"level {number}", start + number, 2 * count - 2 * number, "UNKNOWN")
             for number in range(count)]
    export(url, experiment, spans)
    return named(trace)


def answer(url, experiment, trace):
    """A trace whose chat holds a picture, one that is elsewhere, and an answer in Markdown."""
    start = 1_763_769_900_000
    asked = [{"type": "text", "text": "What is this?"}, {"type": "image_url", "image_url": {"url": PICTURE}},
             {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "bm8gcGljdHVyZQ=="}},
             {"type": "image_url", "image_url": {"url": "https://example.org/x.png"}}]
    messages = {"messages": [{"role": "user", "content": asked}]}
    export(url, experiment, [span(trace, 0, None, "look", start, 100, "CHAT_MODEL", attributes={
        "mlflow.spanInputs": messages, "mlflow.spanOutputs": {"choices": [{"message": {"role": "assistant", "content": ANSWER}}]}})])
    return named(trace)


def chat(url, experiment, trace):
    """A trace with a chat, markup where people write, an exception and its stack."""
    start = 1_763_769_700_000
    messages = {"model": "tiny-1", "messages": [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": MARKUP}, {"type": "image_url", "image_url": {"url": "https://example.org/x.png"}}]},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\": \"Bern\"}"}}]},
    ]}
    usage = {"input_tokens": 12, "output_tokens": 5, "total_tokens": 17}
    failure = {"name": "exception", "timeUnixNano": str(int((start + 70) * 1e6)), "attributes": [
        {"key": "exception.type", "value": {"stringValue": "TimeoutError"}},
        {"key": "exception.message", "value": {"stringValue": MARKUP}},
        {"key": "exception.stacktrace", "value": {"stringValue": "Traceback (most recent call last):\n  line 1"}}]}
    export(url, experiment, [
        span(trace, 0, None, "chat <b>bold</b>", start, 100, "AGENT", True, attributes={"mlflow.spanInputs": {"q": MARKUP}, "mlflow.spanOutputs": MARKUP}),
        span(trace, 1, 0, "tiny-1", start + 5, 40, "CHAT_MODEL", attributes={"mlflow.spanInputs": messages, "mlflow.chat.tokenUsage": usage,
             "mlflow.spanOutputs": {"choices": [{"message": {"role": "assistant", "content": "Sunny."}}]}}),
        span(trace, 2, 0, "weather", start + 50, 20, "TOOL", True, events=[failure]),
    ])
    return named(trace)
