"""Webhooks by the unmodified MLflow client, and what a receiver gets of them."""

import base64
import collections
import hashlib
import hmac
import http.server
import json
import threading
import time

import mlflow
import pytest
from conftest import Server
from mlflow import MlflowClient
from mlflow.entities.webhook import WebhookAction, WebhookEntity, WebhookEvent, WebhookStatus
from mlflow.exceptions import MlflowException

SECRET = "of the receiver's own"
MODEL_CREATED = WebhookEvent(WebhookEntity.REGISTERED_MODEL, WebhookAction.CREATED)
VERSION_CREATED = WebhookEvent(WebhookEntity.MODEL_VERSION, WebhookAction.CREATED)

Call = collections.namedtuple("Call", ["path", "headers", "body", "status"])


class Receiver(http.server.ThreadingHTTPServer):
    """Takes deliveries. Answers by the path: /statuses/500/200 is first 500, then 200 for ever."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.calls = []
        self.arrived = threading.Condition()

    def wait(self, path, count):
        """The calls of a path, once there are so many."""
        with self.arrived:
            of_path = lambda: [call for call in self.calls if call.path == path]  # noqa: E731
            assert self.arrived.wait_for(lambda: len(of_path()) >= count, timeout=60), of_path()
            return of_path()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        with self.server.arrived:
            before = sum(call.path == self.path for call in self.server.calls)
            statuses = [int(part) for part in self.path.split("/") if part.isdigit()] or [200]
            status = statuses[min(before, len(statuses) - 1)]
            if self.path.startswith("/signed") and not is_signed(self.headers, body):
                status = 401
            self.server.calls.append(Call(self.path, self.headers, body, status))
            self.server.arrived.notify_all()
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(b"so be it")

    def log_message(self, *_):
        pass


def is_signed(headers, body):
    """As the documentation of MLflow tells receivers to check."""
    signed = f"{headers['X-MLflow-Delivery-Id']}.{headers['X-MLflow-Timestamp']}.{body.decode()}"
    digest = hmac.new(SECRET.encode(), signed.encode(), hashlib.sha256).digest()
    expected = "v1," + base64.b64encode(digest).decode()
    is_fresh = abs(time.time() - int(headers["X-MLflow-Timestamp"])) < 300
    return is_fresh and hmac.compare_digest(expected, headers.get("X-MLflow-Signature", ""))


@pytest.fixture(scope="module")
def receiver():
    receiver = Receiver()
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    yield receiver
    receiver.shutdown()


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    running = Server(tmp_path_factory.mktemp("data"), "--allow-private-webhooks")
    mlflow.set_tracking_uri(running.url)
    yield MlflowClient(running.url)
    assert running.stop() == 0


@pytest.fixture
def hook(client, receiver):
    """Makes webhooks that go when the test ends."""
    made = []

    def make(path, events, **more):
        created = client.create_webhook(name="hook", url=receiver.url + path, events=events, **more)
        made.append(created.webhook_id)
        return created

    yield make
    for webhook_id in made:
        client.delete_webhook(webhook_id)


def data(calls):
    return [json.loads(call.body)["data"] for call in calls]


def test_webhooks_are_kept(client):
    made = [
        client.create_webhook(f"kept-{n}", f"https://example.com/{n}", [VERSION_CREATED], secret=SECRET)
        for n in range(5)
    ]
    pages, token = [], None
    while True:
        page = client.list_webhooks(max_results=2, page_token=token)
        pages.append([each.name for each in page])
        token = page.token
        if not token:
            break
    assert [len(page) for page in pages] == [2, 2, 1]
    assert sorted(sum(pages, [])) == sorted(each.name for each in made)

    first = made[0]
    assert first.secret is None and first.status == WebhookStatus.ACTIVE and first.description is None
    changed = client.update_webhook(
        first.webhook_id,
        name="changed",
        url="https://example.com/changed",
        events=[MODEL_CREATED, VERSION_CREATED],
        description="what for",
        status=WebhookStatus.DISABLED,
    )
    assert (changed.name, changed.description) == ("changed", "what for")
    assert changed.events == [MODEL_CREATED, VERSION_CREATED] and changed.status == WebhookStatus.DISABLED
    assert changed.last_updated_timestamp > first.last_updated_timestamp
    assert client.get_webhook(first.webhook_id).url == "https://example.com/changed"
    with pytest.raises(MlflowException, match="Webhook URL cannot be empty or just whitespace"):
        client.update_webhook(first.webhook_id, url="   ")

    for each in made:
        client.delete_webhook(each.webhook_id)
    with pytest.raises(MlflowException, match=f"Webhook with ID {first.webhook_id} not found") as gone:
        client.get_webhook(first.webhook_id)
    assert gone.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    assert list(client.list_webhooks()) == []


def test_models_and_versions_are_told(client, receiver, hook):
    alias = WebhookEvent(WebhookEntity.MODEL_VERSION_ALIAS, WebhookAction.CREATED)
    gone = WebhookEvent(WebhookEntity.MODEL_VERSION_ALIAS, WebhookAction.DELETED)
    tag = WebhookEvent(WebhookEntity.MODEL_VERSION_TAG, WebhookAction.SET)
    untag = WebhookEvent(WebhookEntity.MODEL_VERSION_TAG, WebhookAction.DELETED)
    hook("/signed/models", [MODEL_CREATED, VERSION_CREATED, tag, untag, alias, gone], secret=SECRET)
    client.create_registered_model("told", tags={"team": "ops"}, description="about")
    client.create_model_version("told", "s3://bucket/model", run_id="1234567890abcdef", tags={"k": "v"})
    client.set_model_version_tag("told", "1", "checked", "yes")
    client.delete_model_version_tag("told", "1", "checked")
    client.set_registered_model_tag("told", "nobody", "is told")
    client.set_registered_model_alias("told", "live", "1")
    client.delete_registered_model_alias("told", "live")
    calls = receiver.wait("/signed/models", 6)
    assert [call.status for call in calls] == [200] * 6
    heads = [json.loads(call.body) for call in calls]
    assert [(head["entity"], head["action"]) for head in heads] == [
        ("registered_model", "created"),
        ("model_version", "created"),
        ("model_version_tag", "set"),
        ("model_version_tag", "deleted"),
        ("model_version_alias", "created"),
        ("model_version_alias", "deleted"),
    ]
    assert data(calls) == [
        {"name": "told", "tags": {"team": "ops"}, "description": "about"},
        {
            "name": "told",
            "version": "1",
            "source": "s3://bucket/model",
            "run_id": "1234567890abcdef",
            "tags": {"k": "v"},
            "description": None,
        },
        {"name": "told", "version": "1", "key": "checked", "value": "yes"},
        {"name": "told", "version": "1", "key": "checked"},
        {"name": "told", "alias": "live", "version": "1"},
        {"name": "told", "alias": "live"},
    ]


def test_prompts_are_told(client, receiver, hook):
    pairs = [
        (WebhookEntity.PROMPT, WebhookAction.CREATED),
        (WebhookEntity.PROMPT_VERSION, WebhookAction.CREATED),
        (WebhookEntity.PROMPT_VERSION_TAG, WebhookAction.SET),
        (WebhookEntity.PROMPT_ALIAS, WebhookAction.CREATED),
        (WebhookEntity.PROMPT_ALIAS, WebhookAction.DELETED),
    ]
    hook("/prompts", [WebhookEvent(*pair) for pair in pairs])
    mlflow.genai.register_prompt(name="greeting", template="Hello {{name}}!", commit_message="first")
    client.set_prompt_version_tag("greeting", "1", "checked", "yes")
    client.set_prompt_alias("greeting", "live", 1)
    client.delete_prompt_alias("greeting", "live")
    calls = receiver.wait("/prompts", 5)
    assert "X-MLflow-Signature" not in calls[0].headers
    created, version, tag, alias, gone = data(calls)
    assert (created["name"], created["tags"]) == ("greeting", {})
    assert (version["version"], version["template"], version["description"]) == ("1", "Hello {{name}}!", "first")
    assert tag == {"name": "greeting", "version": "1", "key": "checked", "value": "yes"}
    assert alias == {"name": "greeting", "alias": "live", "version": "1"}
    assert gone == {"name": "greeting", "alias": "live"}
    with pytest.raises(MlflowException, match="Tried to create a registered model with name 'greeting'"):
        client.create_registered_model("greeting")


def test_what_may_pass_is_tried_again(client, receiver, hook):
    hook("/flaky/500/429/200", [MODEL_CREATED], secret=SECRET)
    client.create_registered_model("flaky")
    calls = receiver.wait("/flaky/500/429/200", 3)
    assert [call.status for call in calls] == [500, 429, 200]
    assert len({(call.headers["X-MLflow-Delivery-Id"], call.body) for call in calls}) == 1


def test_what_is_refused_is_not(client, receiver, hook):
    hook("/signed/wrong", [MODEL_CREATED], secret="another one")
    for name in ["refused", "refused-too"]:
        client.create_registered_model(name)
    calls = receiver.wait("/signed/wrong", 2)
    assert [each["name"] for each in data(calls)] == ["refused", "refused-too"]
    assert [call.status for call in calls] == [401, 401]


def test_a_change_counts_at_once(client, receiver, hook):
    made = hook("/silent", [MODEL_CREATED], status=WebhookStatus.DISABLED)
    client.create_registered_model("unheard")
    client.update_webhook(made.webhook_id, status=WebhookStatus.ACTIVE)
    client.create_registered_model("heard")
    assert [each["name"] for each in data(receiver.wait("/silent", 1))] == ["heard"]
    client.update_webhook(made.webhook_id, url=receiver.url + "/moved")
    client.create_registered_model("moved")
    assert data(receiver.wait("/moved", 1))[-1]["name"] == "moved"


def test_a_webhook_is_tried_out(client, receiver, hook):
    good = client.test_webhook(hook("/signed/tried", [VERSION_CREATED], secret=SECRET).webhook_id)
    assert (good.success, good.response_status, good.response_body, good.error_message) == (True, 200, "so be it", None)
    (example,) = data(receiver.wait("/signed/tried", 1))
    assert (example["name"], example["source"]) == ("example_model", "models:/123")

    missing = hook("/statuses/404", [MODEL_CREATED])
    event = WebhookEvent(WebhookEntity.PROMPT_TAG, WebhookAction.SET)
    bad = client.test_webhook(missing.webhook_id, event)
    assert (bad.success, bad.response_status, bad.error_message) == (False, 404, None)
    assert data(receiver.wait("/statuses/404", 1)) == [
        {"name": "example_prompt", "key": "example_key", "value": "example_value"}
    ]

    client.update_webhook(missing.webhook_id, url="http://127.0.0.1:1/")
    nobody = client.test_webhook(missing.webhook_id)
    assert not nobody.success and nobody.response_status is None
    assert nobody.error_message.startswith("Failed to test webhook: it could not be reached")
