//! What is read out of the words of others.

use super::*;
use crate::span::SpanEvent;
use crate::span::tests::{span, with};

fn translated_of(pairs: &[(&str, &str)]) -> Span {
    let mut made = pairs.iter().fold(span(1, None, 1), |span, (key, value)| with(span, key, value));
    translate(&mut made);
    made
}

fn shown<'a>(span: &'a Span, key: &str) -> &'a str {
    span.attribute(key).unwrap_or("nothing")
}

#[test]
fn types_come_from_every_convention() {
    for (key, name, kind) in [
        ("openinference.span.kind", "RETRIEVER", "RETRIEVER"),
        ("gen_ai.operation.name", "chat", "CHAT_MODEL"),
        ("gen_ai.operation.name", "execute_tool", "TOOL"),
        ("traceloop.span.kind", "workflow", "WORKFLOW"),
        ("ai.operationId", "ai.embed.doEmbed", "EMBEDDING"),
        ("span.type", "claude_code.interaction", "AGENT"),
        ("span.type", "memory", "MEMORY"),
        ("lmnr.span.type", "PIPELINE", "CHAIN"),
        ("langfuse.observation.type", "generation", "LLM"),
        ("lk.function_tool.name", "x", "TOOL"),
    ] {
        let told = quoted(name);
        let span = translated_of(&[("mlflow.spanType", "\"UNKNOWN\""), (key, &told)]);
        assert_eq!(shown(&span, "mlflow.spanType"), quoted(kind), "{key}={name}");
        let typed = translated_of(&[("mlflow.spanType", "\"PARSER\""), (key, &told)]);
        assert_eq!(shown(&typed, "mlflow.spanType"), "\"PARSER\"", "{key}={name}");
    }
    assert_eq!(translated_of(&[("openinference.span.kind", "\"X\"")]).attribute("mlflow.spanType"), None);
}

#[test]
fn inputs_outputs_tokens_model_and_provider_are_found() {
    let span = translated_of(&[
        ("input.value", "{\"q\": 1}"),
        ("output.value", "\"a\""),
        ("llm.token_count.prompt", "100"),
        ("llm.token_count.completion", "\"50\""),
        ("llm.token_count.prompt_details.cache_read", "7"),
        ("llm.model_name", "\"m\""),
        ("llm.provider", "\"p\""),
    ]);
    for (key, value) in [
        ("mlflow.spanInputs", "{\"q\": 1}"),
        ("mlflow.spanOutputs", "\"a\""),
        ("mlflow.llm.model", "\"m\""),
        ("mlflow.llm.provider", "\"p\""),
        (
            "mlflow.chat.tokenUsage",
            r#"{"input_tokens": 100, "output_tokens": 50, "total_tokens": 150, "cache_read_input_tokens": 7}"#,
        ),
    ] {
        assert_eq!(shown(&span, key), value);
    }
    let own = translated_of(&[("mlflow.spanInputs", "1"), ("gen_ai.input.messages", "[2]")]);
    assert_eq!(shown(&own, "mlflow.spanInputs"), "1");
    let empty = translated_of(&[("gen_ai.input.messages", "[]"), ("traceloop.entity.input", "{\"a\": 1}")]);
    assert_eq!(shown(&empty, "mlflow.spanInputs"), "{\"a\": 1}");
    let numbered = translated_of(&[
        ("gen_ai.prompt.0.content", "\"hi\""),
        ("gen_ai.completion.0.content", "\"ho\""),
        ("gen_ai.usage.prompt_tokens", "1"),
    ]);
    assert_eq!(
        (shown(&numbered, "mlflow.spanInputs"), shown(&numbered, "mlflow.spanOutputs")),
        ("\"hi\"", "\"ho\"")
    );
    assert_eq!(shown(&numbered, "mlflow.chat.tokenUsage"), r#"{"input_tokens": 1}"#);
}

#[test]
fn a_model_is_found_in_the_messages_of_our_own_spans() {
    let span = translated_of(&[("mlflow.spanInputs", r#"{"messages": [], "model": "gpt"}"#)]);
    assert_eq!(shown(&span, "mlflow.llm.model"), "\"gpt\"");
    let none = translated_of(&[("mlflow.spanInputs", r#"{"x": "\"model\""}"#)]);
    assert_eq!(none.attribute("mlflow.llm.model"), None);
}

#[test]
fn gemini_wraps_its_messages() {
    let agent = ("gen_ai.agent.name", "\"gemini-cli\"");
    let messages = r#"[{"role": "user", "parts": [1]}, {"role": "model", "parts": [2]}]"#;
    let span = translated_of(&[
        agent,
        ("gen_ai.operation.name", "\"system_prompt\""),
        ("gen_ai.input.messages", messages),
        ("gen_ai.output.messages", messages),
    ]);
    let read = |key| serde_json::from_str::<Value>(shown(&span, key)).unwrap();
    assert_eq!(read("mlflow.spanInputs")["contents"][0], json!({"role": "system", "parts": [1]}));
    assert_eq!(read("mlflow.spanOutputs"), {
        json!({"candidates": [{"content": {"role": "model", "parts": [1, 2]}}]})
    });
    assert_eq!(shown(&span, "mlflow.message.format"), "\"gemini\"");
}

#[test]
fn claude_code_counts_its_caches_apart_and_redacts() {
    let request = translated_of(&[
        ("span.type", "\"llm_request\""),
        ("input_tokens", "10"),
        ("output_tokens", "5"),
        ("cache_read_tokens", "100"),
        ("new_context", "\"<REDACTED>\""),
        ("response.model_output", "\"done\""),
    ]);
    let usage =
        r#"{"input_tokens": 110, "output_tokens": 5, "total_tokens": 115, "cache_read_input_tokens": 100}"#;
    assert_eq!(shown(&request, "mlflow.chat.tokenUsage"), usage);
    assert_eq!(
        (request.attribute("mlflow.spanInputs"), shown(&request, "mlflow.spanOutputs")),
        (None, "\"done\"")
    );
    let tool = translated_of(&[("span.type", "\"claude_code.tool\""), ("file_path", "\"/a\"")]);
    assert_eq!(shown(&tool, "mlflow.spanInputs"), r#"{"file_path":"/a"}"#);
}

#[test]
fn vercel_gathers_what_it_spreads() {
    let span = translated_of(&[
        ("ai.operationId", "\"ai.generateText.doGenerate\""),
        ("ai.prompt.messages", r#"[{"role": "user"}]"#),
        ("ai.prompt.tools", r#"["{\"name\": \"t\"}"]"#),
        ("ai.response.text", "\"hi\""),
    ]);
    let read = |key| serde_json::from_str::<Value>(shown(&span, key)).unwrap();
    assert_eq!(read("mlflow.spanInputs"), json!({"messages": [{"role": "user"}], "tools": [{"name": "t"}]}));
    assert_eq!(read("mlflow.spanOutputs"), json!({"text": "hi"}));
    assert_eq!(shown(&span, "mlflow.message.format"), "\"vercel_ai\"");
}

#[test]
fn events_tell_what_attributes_do_not() {
    let event = |name: &str, key: &str, value: &str| SpanEvent {
        name: name.into(),
        time_ns: 0,
        attributes: vec![Attribute { key: key.into(), value: value.into() }],
    };
    let told = |events: Vec<SpanEvent>| {
        let mut made = with(span(1, None, 1), "lk.agent_name", "\"a\"");
        made.events = events;
        translate(&mut made);
        (shown(&made, "mlflow.spanInputs").to_owned(), shown(&made, "mlflow.spanOutputs").to_owned())
    };
    let spring = told(vec![
        event("gen_ai.content.prompt", "gen_ai.prompt", "\"q\""),
        event("gen_ai.content.completion", "gen_ai.completion", r#""[1]""#),
    ]);
    assert_eq!(spring, ("\"q\"".to_owned(), "[1]".to_owned()));
    let live_kit = told(vec![
        event("gen_ai.user.message", "content", "\"hi\""),
        event("gen_ai.choice", "content", "\"ho\""),
    ]);
    assert_eq!(live_kit.0, r#"[{"role":"user","content":"hi"}]"#);
    assert_eq!(live_kit.1, r#"[{"role":"assistant","content":"ho"}]"#);
}
