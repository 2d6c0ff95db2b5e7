"""Everything that a stock server can hold, made through its unmodified client."""

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
    evaluation(ids)
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
    # What there is no place for: it is counted, and left out.
    ids["judged"] = ids["traces"].pop()
    mlflow.log_feedback(trace_id=ids["judged"], name="good", value=True)


def evaluation(ids):
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
