//! The two encodings of one request, and what is refused.

use super::*;

/// A request in JSON: a root and its child, the second of another program.
const REQUEST: &str = r#"{"resourceSpans": [
  {"resource": {"attributes": [
     {"key": "service.name", "value": {"stringValue": "codex_vscode"}},
     {"key": "telemetry.sdk.language", "value": {"stringValue": "python"}}]},
   "scopeSpans": [{"scope": {"name": "x"}, "spans": [
     {"traceId": "0000000000000000000000000000000A", "spanId": "00000000000000aa", "parentSpanId": "",
      "name": "root", "kind": "SPAN_KIND_SERVER", "startTimeUnixNano": "1000000", "endTimeUnixNano": 3000000,
      "status": {"code": 2, "message": "no"}, "flags": 1,
      "attributes": [
        {"key": "n", "value": {"intValue": "7"}},
        {"key": "list", "value": {"arrayValue": {"values": [{"boolValue": true}, {"doubleValue": 0.5}]}}},
        {"key": "mlflow.spanInputs", "value": {"stringValue": "{\"q\": 1}"}},
        {"key": "mlflow.traceTag.team", "value": {"stringValue": "green"}},
        {"key": "none", "value": {}}],
      "events": [{"timeUnixNano": 5, "name": "e", "attributes": [
        {"key": "m", "value": {"kvlistValue": {"values": [{"key": "a", "value": {"stringValue": "b"}}]}}}]}],
      "links": [{"traceId": "0b", "spanId": "0c"}, {"traceId": "00112233445566778899aabbccddeeff00", "spanId": "0c"}]
     }]}]},
  {"scopeSpans": [{"spans": [
     {"traceId": "0a", "spanId": "bb", "parentSpanId": "aa", "name": "child", "startTimeUnixNano": 2000000},
     {"traceId": "00", "spanId": "00", "name": "zero"}]}]}]}"#;

fn from_json(text: &str) -> Result<Vec<SpanBatch>, Refused> {
    read(Bytes::copy_from_slice(text.as_bytes()), None, Encoding::Json)
}

fn refusal(result: Result<Vec<SpanBatch>, Refused>) -> (u16, String) {
    match result {
        Err(Refused::Request(status, detail)) => (status.as_u16(), detail),
        Err(Refused::NoExperiment | Refused::Tracking(_)) => panic!("refused otherwise"),
        Ok(_) => panic!("taken"),
    }
}

#[test]
fn the_corpus_is_replayed() {
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/otlp");
    let files: Vec<_> = std::fs::read_dir(&corpus).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(files.len() > 5, "{}", corpus.display());
    for file in &files {
        fuzzed(&std::fs::read(file).unwrap());
    }
}

#[test]
fn both_encodings_say_the_same() {
    let message = Encoding::Json.decode(REQUEST.as_bytes()).ok().unwrap();
    let protobuf = message.encode_to_vec();
    let again = Encoding::Protobuf.decode(&protobuf).ok().unwrap();
    assert_eq!(again, message);
    let batches = read(protobuf.into(), None, Encoding::Protobuf).ok().unwrap();
    assert_eq!(batches, from_json(REQUEST).ok().unwrap());
    let shown: Vec<_> = batches.iter().map(|batch| (batch.trace().as_str().len(), batch.spans())).collect();
    assert_eq!(shown, [(35, 2), (35, 1)]);
    assert_eq!(batches[0].trace().as_str(), "tr-0000000000000000000000000000000a");
    assert_eq!(batches[1].trace().as_str(), "tr-00000000000000000000000000000000");
}

#[test]
fn what_cannot_be_read_is_refused_in_the_words_of_a_stock_server() {
    let empty = |encoding| read(Bytes::new(), None, encoding);
    let none = (400, "Invalid OpenTelemetry format - no spans found".to_owned());
    let malformed = (400, "Invalid OpenTelemetry format".to_owned());
    let unconvertible = (422, "Cannot convert OpenTelemetry span to MLflow span".to_owned());
    assert_eq!(refusal(empty(Encoding::Protobuf)), none);
    assert_eq!(refusal(empty(Encoding::Json)), malformed);
    assert_eq!(refusal(from_json("{}")), none);
    let garbage = read(Bytes::from_static(b"\x0a\xff not protobuf"), None, Encoding::Protobuf);
    assert_eq!(refusal(garbage), malformed);
    let with_span = |span: &str| {
        from_json(&format!(r#"{{"resourceSpans": [{{"scopeSpans": [{{"spans": [{span}]}}]}}]}}"#))
    };
    assert_eq!(refusal(with_span(r#"{"traceId": "zz", "spanId": "01"}"#)), malformed);
    assert_eq!(refusal(with_span(r#"{"traceId": "01"}"#)), unconvertible);
    assert_eq!(refusal(with_span(r#"{"spanId": "01"}"#)), unconvertible);
    assert_eq!(refusal(with_span(r#"{"traceId": "01", "spanId": "0102030405060708ff"}"#)), unconvertible);
    let deep = "{\"arrayValue\": {\"values\": [".repeat(1_000);
    let deep = format!(r#"{{"traceId": "01", "spanId": "01", "attributes": [{{"key": "a", "value": {deep}"#);
    assert_eq!(refusal(with_span(&deep)), malformed);
    assert!(
        from_json(r#"{"resourceSpans": [{"scopeSpans": null}]}"#).is_ok_and(|batches| batches.is_empty())
    );
}

/// A few bytes on the wire must not stand for any amount of memory.
#[test]
fn what_would_take_too_much_memory_is_refused() {
    let told = |result| {
        let (status, detail) = refusal(result);
        assert_eq!(status, 413);
        detail
    };
    let many = "{},".repeat(MAX_PARTS);
    let text = format!(r#"{{"resourceSpans": [{{"scopeSpans": [{{"spans": [{many}{{}}]}}]}}]}}"#);
    assert!(told(from_json(&text)).starts_with("The request has more than 1048576 spans"));
    // Empty spans in one list of spans, two bytes each.
    let spans = [0x12, 0x00].repeat(MAX_PARTS);
    let framed = |tag: u8, body: &[u8]| {
        let mut length = Vec::new();
        prost::encode_length_delimiter(body.len(), &mut length).unwrap();
        [&[tag][..], &length, body].concat()
    };
    let bomb = framed(0x0a, &framed(0x12, &spans));
    assert!(told(read(bomb.into(), None, Encoding::Protobuf)).ends_with("split it"));

    let of = |traces: usize, resource: &str| {
        let spans: Vec<String> =
            (0..traces).map(|n| format!(r#"{{"traceId": "{n:032x}", "spanId": "01"}}"#)).collect();
        let spans = spans.join(",");
        from_json(&format!(
            r#"{{"resourceSpans": [{{"resource": {{"attributes": [{resource}]}}, "scopeSpans": [{{"spans": [{spans}]}}]}}]}}"#
        ))
    };
    assert_eq!(of(10_000, "").ok().unwrap().len(), 10_000);
    assert!(told(of(10_001, "")).contains("10000 traces"));
    let long = format!(r#"{{"key": "k", "value": {{"stringValue": "{}"}}}}"#, "x".repeat(7_999));
    assert!(told(of(9_000, &long)).contains("bytes of tags"));
    let tags: Vec<String> = (0..1_001).map(|n| format!(r#"{{"key": "k{n}", "value": {{}}}}"#)).collect();
    assert!(matches!(of(1, &tags.join(",")), Err(Refused::Tracking(_))));
}

#[test]
fn the_encoding_is_the_one_that_the_header_names() {
    let headers = |value: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, value.parse().unwrap());
        headers
    };
    assert_eq!(Encoding::of(&headers("application/x-protobuf")).ok(), Some(Encoding::Protobuf));
    assert_eq!(Encoding::of(&headers("application/json; charset=utf-8")).ok(), Some(Encoding::Json));
    for (headers, named) in [(headers("text/plain"), "text/plain"), (HeaderMap::new(), "None")] {
        let detail =
            format!("Invalid Content-Type: {named}. Expected: application/x-protobuf or application/json");
        assert_eq!(refusal(Encoding::of(&headers).map(|_| Vec::new())), (400, detail));
    }
}

/// How long it takes to make a request ready for the writer. A measurement, to be asked for:
/// `cargo nextest run --release -p mainstay-mlflow --run-ignored only --no-capture`.
#[test]
#[ignore = "a measurement"]
#[expect(clippy::disallowed_methods, reason = "a measurement")]
fn spans_a_second() {
    let string = |key: String, text: String| message::KeyValue {
        key,
        value: Some(message::AnyValue { value: Some(message::Value::String(text)) }),
    };
    let span = |n: u64| message::Span {
        trace_id: (n / 10).to_be_bytes().to_vec(),
        span_id: n.to_be_bytes().to_vec(),
        parent_span_id: if n.is_multiple_of(10) { Vec::new() } else { (n - n % 10).to_be_bytes().to_vec() },
        name: format!("step {}", n % 10),
        start_time_unix_nano: 1_700_000_000_000_000_000 + n,
        end_time_unix_nano: 1_700_000_000_000_500_000 + n,
        attributes: (0..10)
            .map(|k| match k {
                0 => string(
                    "mlflow.spanInputs".into(),
                    format!(r#"{{"question": "what is {n}?", "k": [1, 2]}}"#),
                ),
                1 => string("mlflow.spanOutputs".into(), format!(r#"{{"answer": "a number, {n}"}}"#)),
                _ => string(format!("custom.attribute.{k}"), format!("value {}", n % 100)),
            })
            .collect(),
        ..message::Span::default()
    };
    let spans = (0..10_000).map(span).collect();
    let scope_spans = vec![message::ScopeSpans { spans }];
    let resource_spans = vec![message::ResourceSpans { resource: None, scope_spans }];
    let body: Bytes = ExportTraceServiceRequest { resource_spans }.encode_to_vec().into();
    for _ in 0..5 {
        let started = std::time::Instant::now();
        let batches = read(body.clone(), None, Encoding::Protobuf).ok().unwrap();
        let taken = started.elapsed();
        let spans: usize = batches.iter().map(SpanBatch::spans).sum();
        println!("{} bytes, {spans} spans in {} traces: {taken:?}", body.len(), batches.len());
    }
}
