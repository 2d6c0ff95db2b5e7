"""Everything that a stock server can hold, made through its unmodified client."""

import json
import urllib.request

import mlflow
from mlflow import MlflowClient
from mlflow.entities import (
    Dataset, DatasetInput, InputTag, LoggedModelInput, LoggedModelOutput, LoggedModelParameter, Metric, Param, RunTag,
)

#: Steps of the metric with a long history.
LONG = 40_000


def fill(url):
    """Makes everything; gives the ids that queries need."""
    mlflow.set_tracking_uri(url)
    client = MlflowClient(url)
    ids = experiments(client)
    runs(client, ids)
    logged_models(client, ids)
    inputs(client, ids)
    artifacts(client, ids)
    registry(client, ids)
    prompts(client, ids)
    traces(client, ids)
    issues(ids)
    judgements(ids)
    gateway(url, ids)
    evaluation(url, ids)
    webhooks(client, ids)
    return ids


def experiments(client):
    plain = client.create_experiment("flights/delays", tags={"team": "green", "mlflow.note.content": "# Flüge\n…"})
    elsewhere = client.create_experiment("elsewhere", artifact_location="s3://bucket/elsewhere")
    gone = client.create_experiment("gone")
    client.create_run(gone, run_name="went with it")
    client.delete_experiment(gone)
    named = client.create_experiment("before")
    client.rename_experiment(named, "after")
    client.set_experiment_tag("0", "long", "é" * 4000)
    return {"plain": plain, "elsewhere": elsewhere, "gone": gone, "named": named, "runs": [], "metrics": {}}


def runs(client, ids):
    for number in range(24):
        run = client.create_run(
            ids["plain"], start_time=1_700_000_000_000 + number, run_name=f"run {number}",
            tags={"kind": "odd" if number % 2 else "even", "mlflow.user": "amélie", "mlflow.source.name": "train.py"},
        ).info.run_id
        ids["runs"].append(run)
        now = 1_700_000_000_000
        metrics = [Metric("loss", 1 / (step + 1 + number), now + step, step) for step in range(60)]
        metrics += [Metric("val/acc", number / 24, now, 0), Metric("val/acc", number / 24, now + 5, 0)]
        client.log_batch(
            run, metrics, [Param("depth", str(number)), Param("solver", "lbfgs"), Param("text", "x" * 5_000)],
            [RunTag("note", "a\nb"), RunTag("empty", "")],
        )
        ids["metrics"][run] = ["loss", "val/acc"]
        client.set_terminated(run, ["FINISHED", "FAILED", "KILLED"][number % 3], end_time=1_700_000_100_000 + number)
    strange = ids["strange"] = client.create_run(ids["plain"], run_name="strange").info.run_id
    for value, step in [(float("nan"), 3), (float("inf"), -7), (float("-inf"), 2**40), (-0.0, 0), (5e-324, 1)]:
        client.log_metric(strange, "odd", value, timestamp=12_345, step=step)
    client.log_metric(strange, "odd", 1.0, timestamp=1, step=0)
    client.log_metric(strange, "late", float("nan"), timestamp=1, step=9)
    ids["metrics"][strange] = ["odd", "late"]
    long = ids["long"] = client.create_run(ids["named"], run_name="long").info.run_id
    for begin in range(0, LONG, 1_000):
        points = [Metric("steps", step * 0.5, 1_600_000_000_000 + step, step) for step in range(begin, begin + 1_000)]
        client.log_batch(long, points)
    ids["metrics"][long] = ["steps"]
    parent, child = ids["runs"][0], ids["runs"][1]
    client.set_tag(child, "mlflow.parentRunId", parent)
    client.delete_run(ids["runs"][7])
    client.delete_tag(ids["runs"][6], "note")
    client.create_run(ids["elsewhere"], run_name="far away")
    client.create_run("0")


def logged_models(client, ids):
    ids["models"] = []
    for number in range(6):
        model = client.create_logged_model(
            ids["plain"], name=f"model-{number}", source_run_id=ids["runs"][number], model_type="sklearn",
            tags={"stage": "new", "n": str(number)}, params={"alpha": "0.5", "number": str(number)},
        )
        ids["models"].append(model.model_id)
        if number != 3:
            client.finalize_logged_model(model.model_id, "FAILED" if number == 4 else "READY")
        for step in range(3):
            client.log_metric(
                ids["runs"][number], "rmse", 1.0 / (step + 1 + number), timestamp=1_000 + step, step=step,
                dataset_name="valid", dataset_digest="abc123", model_id=model.model_id,
            )
        client.log_metric(ids["runs"][number], "size", 7.0 + number, timestamp=2_000, step=0, model_id=model.model_id)
    client.set_logged_model_tags(ids["models"][0], {"more": "✓"})
    client.delete_logged_model(ids["models"][5])


def inputs(client, ids):
    table = Dataset("flights", "d1g3st", "local", '{"path": "/data/flights.csv"}', '{"columns": ["a"]}', '{"rows": 7}')
    other = Dataset("weather", "aaaa", "http", '{"url": "http://weather"}')
    for number in range(0, 12, 2):
        used = [DatasetInput(table, [InputTag("mlflow.data.context", "training"), InputTag("part", "1")])]
        used += [DatasetInput(other, [])] if number % 4 else []
        client.log_inputs(ids["runs"][number], datasets=used, models=[LoggedModelInput(ids["models"][0])])
        client.log_outputs(ids["runs"][number], models=[LoggedModelOutput(ids["models"][1], step=number)])


def artifacts(client, ids):
    for run in [*ids["runs"][:4], ids["strange"]]:
        client.log_text(run, f"hello from {run}", "greeting.txt")
        client.log_dict(run, {"a": [1, 2, 3]}, "deep/er/file.json")
        client.log_text(run, "ünïcode", "names/a b (1) é.txt")
    client.log_text(ids["runs"][0], "x" * 3_000_000, "large.bin")


def registry(client, ids):
    for name in ["delay model", "other", "for deletion", "old name"]:
        client.create_registered_model(name, tags={"owner": "me", "kind": name}, description=f"what {name} is for")
    client.rename_registered_model("old name", "new name")
    client.delete_registered_model("for deletion")
    run = ids["runs"][0]
    for number in range(5):
        client.create_model_version(
            "delay model", f"mlflow-artifacts:/{ids['plain']}/{run}/artifacts/deep", run_id=run,
            tags={"number": str(number)}, description=f"number {number}", run_link="http://ci/run/7",
        )
    client.create_model_version("new name", f"models:/{ids['models'][0]}", model_id=ids["models"][0])
    client.transition_model_version_stage("delay model", "1", "Archived")
    client.transition_model_version_stage("delay model", "2", "Production")
    client.transition_model_version_stage("delay model", "3", "Staging")
    client.delete_model_version("delay model", "4")
    client.set_registered_model_alias("delay model", "champion", "2")
    client.set_registered_model_alias("delay model", "challenger", "5")
    client.set_model_version_tag("delay model", "5", "long", "y" * 20_000)
    client.set_registered_model_tag("other", "empty", "")


def prompts(client, ids):
    for text in ["Hello {{name}}", "Hello {{name}}!", "Good day {{name}}, {{question}}"]:
        mlflow.genai.register_prompt(name="greeting", template=text, commit_message=f"says {text}", tags={"by": "me"})
    mlflow.genai.register_prompt(
        name="chat", template=[{"role": "system", "content": "Be kind"}, {"role": "user", "content": "{{q}}"}]
    )
    mlflow.genai.set_prompt_alias("greeting", "production", 2)


def traces(client, ids):
    mlflow.set_experiment(experiment_id=ids["plain"])

    @mlflow.trace(name="answer", span_type="CHAIN", attributes={"place": "kitchen"})
    def answer(question):
        with mlflow.start_span("look up", span_type="RETRIEVER") as span:
            span.set_inputs({"query": question, "deep": [1, 2.5, None, {"é": True}]})
            span.set_outputs(["a", "b"])
            span.add_event(mlflow.entities.SpanEvent("found", attributes={"count": 2, "share": 0.5}))
        with mlflow.start_span("ask", span_type="CHAT_MODEL") as span:
            span.set_attribute("mlflow.chat.tokenUsage", {"input_tokens": 7, "output_tokens": 5, "total_tokens": 12})
            span.set_attribute("mlflow.llm.cost", {"input_cost": 0.00001, "output_cost": 0.5, "total_cost": 0.50001})
            if "fail" in question:
                raise ValueError("no answer")
        mlflow.update_current_trace(
            tags={"topic": "food"}, metadata={"mlflow.trace.session": "s-1", "mlflow.trace.user": "amélie"},
            client_request_id=f"request {question}",
        )
        return {"answer": question.upper()}

    ids["traces"] = []
    for number in range(8):
        question = f"question {number}" + (" fail" if number == 3 else "")
        if number == 5:
            with mlflow.start_run(run_id=ids["runs"][10]):
                answer(question)
        else:
            try:
                answer(question)
            except ValueError:
                pass
        ids["traces"].append(mlflow.get_last_active_trace_id())
    mlflow.flush_trace_async_logging()
    client.set_trace_tag(ids["traces"][0], "later", "tag")
    client.link_traces_to_run([ids["traces"][1], ids["traces"][2]], ids["runs"][2])
    client.link_prompt_versions_to_trace([mlflow.genai.load_prompt("prompts:/greeting/1")], ids["traces"][2])


def issues(ids):
    from mlflow.entities.issue import IssueSeverity, IssueStatus

    made = mlflow.genai.create_issue(
        "slow answers", severity=IssueSeverity.HIGH, description="They take *long*, né?", categories=["latency", "own"],
        source_run_id=ids["runs"][0], metadata={"found by": "me", "é": "ü"}, experiment_id=ids["plain"],
    )
    chosen = mlflow.genai.create_issue(
        "made up", severity=IssueSeverity.LOW, description="none", issue_id="iss-chosen-1", experiment_id=ids["plain"],
        last_seen_timestamp=1_700_000_000_000,
    )
    mlflow.genai.update_issue(chosen.issue_id, status=IssueStatus.RESOLVED, experiment_id=ids["plain"])
    ids["issues"] = [made.issue_id, chosen.issue_id]


def judgements(ids):
    from mlflow.entities import AssessmentError, AssessmentSource, Expectation, Feedback

    person = AssessmentSource("HUMAN", "amélie")
    one, other, third = ids["traces"][:3]
    good = mlflow.log_feedback(trace_id=one, name="good", value=True, source=person, rationale="It is, né?")
    mlflow.override_feedback(trace_id=one, assessment_id=good.assessment_id, value=False, rationale="no", source=person)
    span = mlflow.get_trace(other).data.spans[1].span_id
    mlflow.log_feedback(
        trace_id=other, name="judged", span_id=span, metadata={"model": "x", "mlflow.assessment.sourceRunId": ids["runs"][1]},
        source=AssessmentSource("LLM_JUDGE", "judge"), error=AssessmentError("LIMIT", "too many", "a\nb"),
    )
    mlflow.log_feedback(
        trace_id=other, name="marks", value={"a": [1, 2.5, None, "ü"], "b": {"c": True}}, source=AssessmentSource("CODE"),
    )
    mlflow.log_feedback(trace_id=other, name="gone", value=3)
    gone = next(one for one in mlflow.get_trace(other).info.assessments if one.name == "gone")
    mlflow.delete_assessment(other, gone.assessment_id)
    said = mlflow.log_expectation(trace_id=third, name="expected", value=["x", 1], source=person, metadata={"n": "1"})
    mlflow.update_assessment(third, said.assessment_id, Expectation(name="expected", value=["x", 2]))
    marked = mlflow.log_feedback(trace_id=third, name="mark", value=0.25, source=person)
    mlflow.update_assessment(third, marked.assessment_id, Feedback(name="mark", value=0.75, metadata={"why": "later"}))
    ids["assessments"] = {}
    mlflow.log_issue(trace_id=third, issue_id=ids["issues"][0], run_id=ids["runs"][0], rationale="look at the time")
    for trace in [one, other, third]:
        said = mlflow.get_trace(trace).info.assessments
        ids["assessments"][trace] = [(trace, assessment.assessment_id) for assessment in said]


def gateway(url, ids):
    from mlflow.entities.gateway_budget_policy import (
        BudgetAction, BudgetDuration, BudgetDurationUnit, BudgetTargetScope, BudgetUnit,
    )
    from mlflow.entities import FallbackConfig, GatewayEndpointModelConfig, GatewayEndpointTag, RoutingStrategy
    from mlflow.entities.gateway_endpoint import FallbackStrategy, GatewayModelLinkageType, GatewayResourceType
    from mlflow.store.tracking.rest_store import RestStore
    from mlflow.utils.rest_utils import MlflowHostCreds

    store = RestStore(lambda: MlflowHostCreds(url))

    def model(definition, linkage=GatewayModelLinkageType.PRIMARY, **more):
        return GatewayEndpointModelConfig(definition.model_definition_id, linkage, **more)

    shared = store.create_gateway_secret("shared", {"api_key": "sk-of-the-provider-1234"}, "openai", created_by="me")
    amazon = store.create_gateway_secret(
        "amazon é", {"aws_access_key_id": "AKIATEST12345678", "aws_secret_access_key": "a secret of twenty"}, "bedrock",
        auth_config={"auth_mode": "access_keys", "aws_region_name": "us-east-1"},
    )
    store.update_gateway_secret(shared.secret_id, {"api_key": "sk-of-the-provider-5678"}, updated_by="you")
    lost = store.create_gateway_secret("lost", {"api_key": "sk-that-was-deleted"})
    models = [
        store.create_gateway_model_definition(name, secret.secret_id, provider, of, created_by="me")
        for name, secret, provider, of in [
            ("fast", shared, "openai", "gpt-4o-mini"), ("slow", amazon, "bedrock", "claude"), ("none", lost, "openai", "x"),
        ]
    ]
    store.delete_gateway_secret(lost.secret_id)
    chat = store.create_gateway_endpoint(
        "chat", [model(models[0], weight=0.5), model(models[1], GatewayModelLinkageType.FALLBACK, fallback_order=1)],
        routing_strategy=RoutingStrategy.REQUEST_BASED_TRAFFIC_SPLIT, created_by="me",
        fallback_config=FallbackConfig(FallbackStrategy.SEQUENTIAL, 2), experiment_id=ids["plain"],
    )
    quiet = store.create_gateway_endpoint("quiet", [model(models[2])], usage_tracking=False)
    tracked = store.create_gateway_endpoint("tracked", [model(models[0])])
    store.attach_model_to_endpoint(tracked.endpoint_id, model(models[1], weight=2.0))
    store.set_gateway_endpoint_tag(chat.endpoint_id, GatewayEndpointTag("team", "green é"))
    store.create_endpoint_binding(quiet.endpoint_id, GatewayResourceType.SCORER, "somebody's")
    # What there is no place for: it is counted, and left out.
    store.create_budget_policy(
        BudgetUnit.USD, 5.0, BudgetDuration(BudgetDurationUnit.DAYS, 1), BudgetTargetScope.GLOBAL, BudgetAction.ALERT,
    )
    ids["secrets"] = [shared.secret_id, amazon.secret_id]
    ids["definitions"] = [one.model_definition_id for one in models]
    ids["endpoints"] = [chat.endpoint_id, quiet.endpoint_id, tracked.endpoint_id]


def evaluation(url, ids):
    from mlflow.genai import datasets
    from mlflow.genai.judges import make_judge

    made = datasets.create_dataset(name="qa", experiment_id=[ids["plain"], ids["named"]], tags={"team": "ml", "n": "1"})
    made.merge_records([
        {"inputs": {"q": f"number {number}", "deep": {"x": [1, 2.5, None]}}, "outputs": f"free text {number}",
         "expectations": {"a": number, "é": "ü"}, "tags": {"level": "easy"}}
        for number in range(30)
    ])
    made.merge_records([{"inputs": {"q": "number 3", "deep": {"x": [1, 2.5, None]}}, "expectations": {"b": 1}}])
    empty = datasets.create_dataset(name="empty", experiment_id=ids["plain"])
    ids["datasets"] = [made.dataset_id, empty.dataset_id]
    for text in ["Is {{ outputs }} polite?", "Is {{ outputs }} very polite?"]:
        judge = make_judge(name="polite", instructions=text, model="openai:/gpt-4o-mini", feedback_value_type=bool)
        judge.register(experiment_id=ids["plain"])
    judge = make_judge(name="tone", instructions="Is {{ outputs }} kind?", model="gateway:/chat")
    judge.register(experiment_id=ids["plain"])
    body = json.dumps({"experiment_id": ids["plain"], "name": "tone", "sample_rate": 0.25, "filter_string": "status = 'OK'"})
    request = urllib.request.Request(url + "/api/3.0/mlflow/scorers/online-config", data=body.encode(), method="PUT")
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request) as answer:
        ids["scorer"] = json.load(answer)["config"]["scorer_id"]


def webhooks(client, ids):
    """The last that is made: nobody is called."""
    from mlflow.entities.webhook import WebhookAction, WebhookEntity, WebhookEvent, WebhookStatus

    events = [
        WebhookEvent(WebhookEntity.PROMPT, WebhookAction.CREATED),
        WebhookEvent(WebhookEntity.MODEL_VERSION, WebhookAction.CREATED),
    ]
    signed = client.create_webhook("signed", "https://1.1.1.1/T0/hook?x=1", events, "for chat", secret="schlüssel")
    plain = client.create_webhook("plain", "https://1.1.1.1/", events[:1], status=WebhookStatus.DISABLED)
    gone = client.create_webhook("gone", "https://1.1.1.1/", events[:1])
    client.delete_webhook(gone.webhook_id)
    ids["webhooks"] = [signed.webhook_id, plain.webhook_id, gone.webhook_id]
