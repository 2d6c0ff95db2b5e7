//! Traces: spans in any order, the client's summary, tags, links, deletion, and what the index reads.

use std::sync::Arc;

use mainstay_core::command::{CommandError, Commands};
use mainstay_core::error::{Coded as _, ErrorCode};
use mainstay_core::event::{EventLog as _, EventQuery, EventSeq};
use mainstay_core::name::Name;
use mainstay_core::principal::Principal;
use mainstay_core::scope::default_workspace;
use mainstay_store::reader::Reader;
use mainstay_traces::assessment::{
    Assessment, AssessmentId, AssessmentValue, Change, Failure, Judgement, Source, SourceType,
};
use mainstay_traces::batch::SpanBatch;
use mainstay_traces::command::{
    BeginTrace, CreateAssessment, DeleteAssessment, DeleteTraceTag, DeleteTraces, Doomed, EndTrace,
    LinkPrompts, LinkTracesToRun, LogSpans, SetTraceTag, StartTrace, UpdateAssessment,
};
use mainstay_traces::error::TraceError;
use mainstay_traces::id::{SpanId, TraceId};
use mainstay_traces::index::touched_by;
use mainstay_traces::info::{Pairs, TraceInfo, TraceState, key};
use mainstay_traces::merge::Summary;
use mainstay_traces::port::{TraceReader as _, TraceTx};
use mainstay_traces::span::{Attribute, Span, SpanKind, StatusCode};
use mainstay_tracking::command::{
    ArtifactLocation, CreateDefaultExperiment, CreateExperiment, DeleteExperiment,
};
use mainstay_tracking::experiment::{ExperimentId, ExperimentName};
use mainstay_tracking::port::TrackingTx;

use crate::both;
use crate::databases::Fresh;
use crate::writer::AllowAll;

struct Story {
    traces: Commands<dyn TraceTx>,
    tracking: Commands<dyn TrackingTx>,
    caller: Principal,
}

impl Story {
    /// With the default experiment.
    async fn new(fresh: &Fresh) -> Self {
        let writer = Arc::new(fresh.database.writer.clone());
        let this = Self {
            traces: Commands::new(writer.clone(), Arc::new(AllowAll)),
            tracking: Commands::new(writer, Arc::new(AllowAll)),
            caller: Principal::system("test"),
        };
        let location = ArtifactLocation::Under("mlflow-artifacts:/".into());
        let create = CreateDefaultExperiment { workspace: default_workspace(), location };
        this.tracking.run(&this.caller, create).await.unwrap();
        this
    }

    async fn log(&self, batches: Vec<SpanBatch>) -> Result<(), CommandError<TraceError>> {
        let command = LogSpans::new(default_workspace(), ExperimentId::DEFAULT, None, batches);
        self.traces.run(&self.caller, command).await
    }

    async fn summarise(&self, id: &TraceId, summary: Summary) {
        let command = StartTrace {
            workspace: default_workspace(),
            experiment: ExperimentId::DEFAULT,
            id: id.clone(),
            summary,
            assessments: Vec::new(),
        };
        self.traces.run(&self.caller, command).await.unwrap();
    }
}

fn trace_id(n: u8) -> TraceId {
    TraceId::from_otel([n; 16])
}

fn span(id: u8, parent: Option<u8>, attributes: &[(&str, &str)]) -> Span {
    let attribute = |(key, value): &(&str, &str)| Attribute { key: (*key).into(), value: (*value).into() };
    Span {
        id: SpanId([id; 8]),
        parent: parent.map(|id| SpanId([id; 8])),
        name: format!("span {id}"),
        kind: SpanKind::Internal,
        start_ns: u64::from(id) * 1_000_000,
        end_ns: Some(100_000_000),
        status: StatusCode::Unset,
        message: String::new(),
        attributes: attributes.iter().map(attribute).collect(),
        events: Vec::new(),
        links: Vec::new(),
    }
}

fn batch(trace: &TraceId, spans: &[Span]) -> SpanBatch {
    SpanBatch::new(trace.clone(), spans.to_vec(), Pairs::new()).unwrap()
}

/// A trace with its spans.
async fn shown(reader: &Reader, workspace: &Name, trace: u8) -> (TraceInfo, Vec<Span>) {
    let (trace, spans) = reader.trace_with_spans(workspace, &trace_id(trace)).await.unwrap().unwrap();
    let (read, count) = (spans.owned().unwrap(), spans.count().unwrap());
    assert_eq!(read.len(), count);
    (trace.info, read)
}

fn pairs(pairs: &[(&str, &str)]) -> Pairs {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn refused<T>(result: Result<T, CommandError<TraceError>>) -> (ErrorCode, String) {
    let error = result.err().unwrap();
    (error.code(), error.to_string())
}

both!(a_trace_grows_with_its_spans, async |fresh: Fresh| {
    let (story, workspace, reader) = (Story::new(&fresh).await, default_workspace(), &fresh.database.reader);
    let usage = |n| ("mlflow.chat.tokenUsage", format!(r#"{{"input_tokens": {n}, "output_tokens": 0}}"#));
    let (key, of_child) = usage(7);
    let child = span(2, Some(1), &[(key, &of_child), ("session.id", "\"s\"")]);
    story.log(vec![batch(&trace_id(1), std::slice::from_ref(&child))]).await.unwrap();
    let read = async || shown(reader, &workspace, 1).await;
    let (info, spans) = read().await;
    assert_eq!((info.state, info.request_ms, info.duration_ms), (TraceState::InProgress, 2, Some(98)));
    assert_eq!(
        info.metadata[key::TOKEN_USAGE],
        r#"{"input_tokens": 7, "output_tokens": 0, "total_tokens": 0}"#
    );
    assert_eq!((info.metadata[key::SESSION].as_str(), spans.len()), ("s", 1));
    assert_eq!(
        info.tags[key::ARTIFACT_LOCATION],
        format!("mlflow-artifacts:/0/traces/{}/artifacts", trace_id(1))
    );

    // The root covers its child, which comes once more and counts once.
    let (key, of_root) = usage(3);
    let root = span(1, None, &[(key, &of_root), ("mlflow.spanInputs", "\"hello\"")]);
    story.log(vec![batch(&trace_id(1), &[root.clone(), child.clone()])]).await.unwrap();
    let (info, spans) = read().await;
    assert_eq!((info.state, info.request_ms, info.duration_ms), (TraceState::Ok, 1, Some(99)));
    assert_eq!(
        info.metadata[key::TOKEN_USAGE],
        r#"{"input_tokens": 3, "output_tokens": 0, "total_tokens": 0}"#
    );
    assert_eq!((info.request_preview.as_deref(), info.tags[key::SPANS_LOCATION].as_str()), {
        (Some("\"hello\""), key::TRACKING_STORE)
    });
    assert_eq!((info.name(), info.root_name.as_deref()), (Some("span 1"), Some("span 1")));
    assert_eq!(spans, [root, child]);
    assert!(reader.trace_with_spans(&Name::new("other").unwrap(), &trace_id(1)).await.unwrap().is_none());
    assert!(reader.trace_with_spans(&workspace, &trace_id(9)).await.unwrap().is_none());
});

both!(spans_of_one_request_are_taken_whole_or_not_at_all, async |fresh: Fresh| {
    let (story, workspace, reader) = (Story::new(&fresh).await, default_workspace(), &fresh.database.reader);
    let create = CreateExperiment {
        workspace: workspace.clone(),
        name: ExperimentName::new("other").unwrap(),
        location: ArtifactLocation::Under("mlflow-artifacts:/".into()),
        tags: Vec::new(),
    };
    let other = story.tracking.run(&story.caller, create).await.unwrap().id;
    let elsewhere =
        LogSpans::new(workspace.clone(), other, None, vec![batch(&trace_id(2), &[span(1, None, &[])])]);
    story.traces.run(&story.caller, elsewhere).await.unwrap();
    let before = *fresh.database.head().borrow();
    let both = vec![batch(&trace_id(1), &[span(1, None, &[])]), batch(&trace_id(2), &[span(1, None, &[])])];
    let (code, sentence) = refused(story.log(both).await);
    assert_eq!(code, ErrorCode::InvalidArgument);
    assert_eq!(sentence, format!("Trace with ID '{}' already exists in another experiment.", trace_id(2)));
    assert!(reader.traces(&workspace, &[trace_id(1)]).await.unwrap().is_empty());
    assert_eq!(*fresh.database.head().borrow(), before);

    let nowhere =
        LogSpans::new(workspace, ExperimentId(77), None, vec![batch(&trace_id(3), &[span(1, None, &[])])]);
    let (code, sentence) = refused(story.traces.run(&story.caller, nowhere).await);
    assert_eq!((code, sentence.as_str()), (ErrorCode::NotFound, "No Experiment with id=77 exists"));
});

both!(a_summary_is_taken_before_and_after_the_spans, async |fresh: Fresh| {
    let (story, workspace, reader) = (Story::new(&fresh).await, default_workspace(), &fresh.database.reader);
    let summary = Summary {
        request_ms: 5,
        duration_ms: Some(6),
        state: TraceState::Ok,
        client_request_id: Some("c".into()),
        request_preview: Some("q".into()),
        tags: pairs(&[("a", "1"), (key::SPANS_LOCATION, "elsewhere")]),
        metadata: (0..20).map(|n| (format!("m{n}"), n.to_string())).collect(),
        ..Summary::default()
    };
    story.summarise(&trace_id(1), summary.clone()).await;
    let told = reader.traces(&workspace, &[trace_id(1)]).await.unwrap().remove(0).info;
    assert!(!told.tags.contains_key(key::SPANS_LOCATION) && told.is_finalized());
    assert_eq!((told.metadata.len(), told.client_request_id.as_deref()), (21, Some("c")));

    let head = *fresh.database.head().borrow();
    story.summarise(&trace_id(1), summary.clone()).await;
    assert_eq!(*fresh.database.head().borrow(), head, "nothing changed, so nothing is said");

    story.log(vec![batch(&trace_id(1), &[span(1, None, &[("mlflow.spanOutputs", "\"r\"")])])]).await.unwrap();
    let (info, spans) = shown(reader, &workspace, 1).await;
    assert_eq!((info.request_ms, info.duration_ms, spans.len()), (5, Some(6), 1));
    assert_eq!(
        (info.request_preview.as_deref(), info.response_preview.as_deref()),
        (Some("q"), Some("\"r\""))
    );
    assert_eq!(info.tags[key::SPANS_LOCATION], key::TRACKING_STORE);

    let delete = DeleteExperiment { workspace: workspace.clone(), id: ExperimentId::DEFAULT };
    story.tracking.run(&story.caller, delete).await.unwrap();
    let late = StartTrace {
        workspace,
        experiment: ExperimentId::DEFAULT,
        id: trace_id(2),
        summary: Summary::default(),
        assessments: Vec::new(),
    };
    let (code, sentence) = refused(story.traces.run(&story.caller, late).await);
    assert_eq!(code, ErrorCode::WrongState);
    assert_eq!(sentence, "The experiment 0 must be in the 'active' state. Current state is deleted.");
});

both!(traces_of_old_clients_begin_and_end, async |fresh: Fresh| {
    let (story, workspace) = (Story::new(&fresh).await, default_workspace());
    let begin = BeginTrace {
        workspace: workspace.clone(),
        experiment: ExperimentId::DEFAULT,
        id: TraceId::drawn([7; 16]),
        request_ms: 100,
        tags: pairs(&[("a", "1")]),
        metadata: pairs(&[("m", "1")]),
    };
    let info = story.traces.run(&story.caller, begin).await.unwrap();
    assert_eq!((info.state, info.duration_ms, info.is_finalized()), (TraceState::InProgress, None, false));
    let end = EndTrace {
        workspace: workspace.clone(),
        id: TraceId::drawn([7; 16]),
        end_ms: 150,
        state: TraceState::Error,
        tags: pairs(&[("b", "2")]),
        metadata: pairs(&[("m", "2")]),
    };
    let ended = story.traces.run(&story.caller, end.clone()).await.unwrap();
    assert_eq!(
        (ended.state, ended.duration_ms, ended.metadata["m"].as_str()),
        (TraceState::Error, Some(50), "2")
    );
    let read = fresh.database.reader.traces(&workspace, &[TraceId::drawn([7; 16])]).await.unwrap();
    assert_eq!(read.into_iter().map(|read| read.info).collect::<Vec<_>>(), [ended]);
    let unknown = EndTrace { id: trace_id(9), ..end };
    assert_eq!(refused(story.traces.run(&story.caller, unknown).await).0, ErrorCode::NotFound);
});

both!(tags_are_set_and_removed_but_not_the_servers_own, async |fresh: Fresh| {
    let (story, workspace, reader) = (Story::new(&fresh).await, default_workspace(), &fresh.database.reader);
    story.summarise(&trace_id(1), Summary::default()).await;
    let set = |key: &str, value: &str| SetTraceTag {
        workspace: default_workspace(),
        id: trace_id(1),
        key: key.into(),
        value: value.into(),
    };
    story.traces.run(&story.caller, set("topic", &"é".repeat(8_001))).await.unwrap();
    let info = reader.traces(&workspace, &[trace_id(1)]).await.unwrap().remove(0).info;
    assert_eq!(info.tags["topic"].chars().count(), 8_000);
    let (_, sentence) = refused(story.traces.run(&story.caller, set(key::ARTIFACT_LOCATION, "x")).await);
    assert_eq!(sentence, "Tag 'mlflow.artifactLocation' is immutable and cannot be set on a trace.");
    assert!(story.traces.run(&story.caller, set("a//b", "x")).await.is_err());
    assert!(story.traces.run(&story.caller, set(key::NAME, &"n".repeat(4_097))).await.is_err());

    let elsewhere = SetTraceTag { workspace: Name::new("other").unwrap(), ..set("topic", "x") };
    assert_eq!(refused(story.traces.run(&story.caller, elsewhere).await).0, ErrorCode::NotFound);
    let remove =
        |key: &str| DeleteTraceTag { workspace: default_workspace(), id: trace_id(1), key: key.into() };
    story.traces.run(&story.caller, remove("topic")).await.unwrap();
    let (code, sentence) = refused(story.traces.run(&story.caller, remove("topic")).await);
    assert_eq!(code, ErrorCode::NotFound);
    assert_eq!(sentence, format!("No trace tag with key 'topic' for trace with ID '{}'", trace_id(1)));
    let (_, sentence) = refused(story.traces.run(&story.caller, remove(key::SPANS_LOCATION)).await);
    assert_eq!(sentence, "Tag 'mlflow.trace.spansLocation' is immutable and cannot be deleted on a trace.");
});

both!(deletion_takes_the_oldest_first_and_all_that_hangs_on_them, async |fresh: Fresh| {
    let (story, workspace, reader) = (Story::new(&fresh).await, default_workspace(), &fresh.database.reader);
    for n in 1..=4 {
        story.log(vec![batch(&trace_id(n), &[span(n, None, &[])])]).await.unwrap();
    }
    let delete = async |doomed| {
        let command =
            DeleteTraces { workspace: default_workspace(), experiment: ExperimentId::DEFAULT, doomed };
        story.traces.run(&story.caller, command).await.unwrap()
    };
    assert_eq!(delete(Doomed::Until(3, 1)).await, 1);
    assert_eq!(delete(Doomed::Until(0, 10)).await, 0);
    assert_eq!(delete(Doomed::Named(vec![trace_id(2), trace_id(9)])).await, 1);
    let all: Vec<_> = (1..=4).map(trace_id).collect();
    let left = reader.traces(&workspace, &all).await.unwrap();
    assert_eq!(left.iter().map(|left| left.info.id.clone()).collect::<Vec<_>>(), all[2..]);
    assert!(reader.trace_with_spans(&workspace, &trace_id(1)).await.unwrap().is_none());
    // Begun again, it has none of its old spans.
    story.log(vec![batch(&trace_id(1), &[span(9, None, &[])])]).await.unwrap();
    let (_, spans) = shown(reader, &workspace, 1).await;
    assert_eq!(spans, [span(9, None, &[])]);
});

both!(events_name_what_the_index_reads_again, async |fresh: Fresh| {
    let (story, workspace, reader) = (Story::new(&fresh).await, default_workspace(), &fresh.database.reader);
    for n in 1..=60 {
        story.log(vec![batch(&trace_id(n), &[span(1, None, &[])])]).await.unwrap();
    }
    let link = LinkTracesToRun {
        workspace: workspace.clone(),
        run: "r1".into(),
        traces: vec![trace_id(1), trace_id(61)],
    };
    story.traces.run(&story.caller, link.clone()).await.unwrap();
    story.traces.run(&story.caller, link.clone()).await.unwrap();
    let stranger =
        LinkTracesToRun { workspace: Name::new("other").unwrap(), run: "r2".into(), ..link.clone() };
    story.traces.run(&story.caller, stranger).await.unwrap();
    let many = LinkTracesToRun { traces: vec![trace_id(1); 101], ..link };
    let (_, sentence) = refused(story.traces.run(&story.caller, many).await);
    assert!(
        sentence.starts_with("Cannot link more than 100 traces to a run in a single request. Provided 101")
    );
    let prompts =
        LinkPrompts { workspace: workspace.clone(), trace: trace_id(2), prompts: vec!["greet/3".into()] };
    story.traces.run(&story.caller, prompts).await.unwrap();
    // A trace may come after its link.
    story.log(vec![batch(&trace_id(61), &[span(1, None, &[])])]).await.unwrap();

    let (first, head) = reader.all_indexed(None, 50).await.unwrap();
    assert_eq!(head, *fresh.database.head().borrow());
    let (rest, _) = reader.all_indexed(first.last().map(|last| &last.trace.info.id), 50).await.unwrap();
    assert_eq!((first.len(), rest.len()), (50, 11));
    assert_eq!(first[0].runs, ["r1"], "links of another workspace are not seen");
    assert_eq!(first[1].prompts, ["greet/3"]);
    assert_eq!(rest[10].runs, ["r1"]);
    let mut touched = Vec::new();
    for event in fresh.database.read(&EventQuery::after(EventSeq(0), 1_000)).await.unwrap() {
        touched.extend(touched_by(&event).unwrap());
    }
    touched.sort();
    touched.dedup();
    assert_eq!(reader.indexed(&touched).await.unwrap(), [first, rest].concat());
    assert!(reader.indexed(&[trace_id(99)]).await.unwrap().is_empty());
});

fn feedback(id: &str, value: i32) -> Assessment {
    Assessment {
        id: AssessmentId::parse(id).unwrap(),
        trace: trace_id(1),
        name: "quality".into(),
        span: Some("00aa".into()),
        source: Source { kind: SourceType::Human, id: Some("ann".into()) },
        judgement: Judgement::Feedback(
            AssessmentValue::new(&value.into()).unwrap(),
            Some(Failure { code: "E".into(), message: Some("m".into()), stack: None }),
        ),
        rationale: Some("r".into()),
        metadata: pairs(&[("k", "v")]),
        overrides: None,
        valid: true,
        created_ms: 5,
        updated_ms: 6,
    }
}

both!(assessments_are_kept_in_the_order_in_which_they_were_made, async |fresh: Fresh| {
    let (story, workspace, reader) = (Story::new(&fresh).await, default_workspace(), &fresh.database.reader);
    story.log(vec![batch(&trace_id(1), &[span(1, None, &[])])]).await.unwrap();
    let create = async |assessment: Assessment| {
        story.traces.run(&story.caller, CreateAssessment { workspace: default_workspace(), assessment }).await
    };
    let told = async || reader.traces(&workspace, &[trace_id(1)]).await.unwrap().remove(0).assessments;
    for (id, value) in [("z", 1), ("a", 2)] {
        assert_eq!(create(feedback(id, value)).await.unwrap(), feedback(id, value));
    }
    let over = Assessment { overrides: Some(AssessmentId::parse("z").unwrap()), ..feedback("m", 3) };
    create(over.clone()).await.unwrap();
    let hidden = Assessment { valid: false, ..feedback("z", 1) };
    assert_eq!(told().await, [hidden.clone(), feedback("a", 2), over.clone()]);
    assert_eq!(refused(create(feedback("a", 2)).await).0, ErrorCode::AlreadyExists);
    let lost = Assessment { overrides: Some(AssessmentId::parse("y").unwrap()), ..feedback("n", 4) };
    assert_eq!(refused(create(lost).await).0, ErrorCode::NotFound);
    let elsewhere = Assessment { trace: trace_id(9), ..feedback("n", 4) };
    assert_eq!(refused(create(elsewhere).await).0, ErrorCode::NotFound);
    let stranger = CreateAssessment { workspace: Name::new("other").unwrap(), assessment: feedback("n", 4) };
    assert_eq!(refused(story.traces.run(&story.caller, stranger).await).0, ErrorCode::NotFound);

    let id = |id: &str| AssessmentId::parse(id).unwrap();
    let change = Change { name: Some("other".into()), ..Change::default() };
    let update = UpdateAssessment { workspace: workspace.clone(), trace: trace_id(1), id: id("a"), change };
    let changed = story.traces.run(&story.caller, update).await.unwrap();
    assert_eq!((changed.name.as_str(), changed.created_ms), ("other", 5));
    assert_eq!(told().await[1], changed);
    let delete = |name| DeleteAssessment { workspace: default_workspace(), trace: trace_id(1), id: id(name) };
    story.traces.run(&story.caller, delete("m")).await.unwrap();
    let head = *fresh.database.head().borrow();
    story.traces.run(&story.caller, delete("m")).await.unwrap();
    assert_eq!(*fresh.database.head().borrow(), head, "nothing changed, so nothing is said");
    assert_eq!(told().await, [feedback("z", 1), changed]);

    // A summary brings more, and those that are known again.
    let start = StartTrace {
        workspace: workspace.clone(),
        experiment: ExperimentId::DEFAULT,
        id: trace_id(1),
        summary: Summary::default(),
        assessments: vec![feedback("a", 7), feedback("b", 8)],
    };
    let answered = story.traces.run(&story.caller, start.clone()).await.unwrap();
    assert_eq!(answered.assessments, [feedback("z", 1), feedback("a", 7), feedback("b", 8)]);
    assert_eq!(told().await, answered.assessments);
    let head = *fresh.database.head().borrow();
    story.traces.run(&story.caller, start).await.unwrap();
    assert_eq!(*fresh.database.head().borrow(), head, "nothing changed, so nothing is said");
    let indexed = reader.indexed(&[trace_id(1)]).await.unwrap().remove(0);
    assert_eq!(indexed.trace.assessments, answered.assessments);

    let doomed = Doomed::Named(vec![trace_id(1)]);
    let delete = DeleteTraces { workspace: workspace.clone(), experiment: ExperimentId::DEFAULT, doomed };
    story.traces.run(&story.caller, delete).await.unwrap();
    story.log(vec![batch(&trace_id(1), &[span(1, None, &[])])]).await.unwrap();
    assert!(told().await.is_empty());
});

both!(a_long_trace_is_read_whole, async |fresh: Fresh| {
    let (story, workspace, reader) = (Story::new(&fresh).await, default_workspace(), &fresh.database.reader);
    let spans: Vec<Span> = (0..30_000_u64)
        .map(|n| {
            let parent = (n > 0).then(|| SpanId((n - 1).to_be_bytes()));
            Span { id: SpanId(n.to_be_bytes()), parent, ..span(1, None, &[("mlflow.spanType", "\"TOOL\"")]) }
        })
        .collect();
    for part in spans.chunks(20_000) {
        story.log(vec![batch(&trace_id(1), part)]).await.unwrap();
    }
    let (info, read) = shown(reader, &workspace, 1).await;
    assert_eq!(read, spans);
    assert!(info.is_complete(read.len()));
});

/// How long the writer takes for spans, and a reader for a long trace. A measurement, to be asked for:
/// `cargo nextest run --release --workspace --test it --run-ignored only --no-capture spans_a_second`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
#[expect(clippy::disallowed_methods, reason = "a measurement")]
async fn spans_a_second() {
    let fresh = crate::databases::sqlite().await;
    let (story, workspace) = (Story::new(&fresh).await, default_workspace());
    let spans: Vec<Span> =
        (0..10).map(|n| span(n, (n > 0).then_some(0), &[("a", "1"), ("b", "\"x\"")])).collect();
    let ready: Vec<Vec<SpanBatch>> = (0..50_u16)
        .map(|request| {
            let id = |n: u16| TraceId::parse(&format!("tr-{:032x}", request * 100 + n)).unwrap();
            (0..100).map(|n| batch(&id(n), &spans)).collect()
        })
        .collect();
    let started = std::time::Instant::now();
    for batches in ready {
        story.log(batches).await.unwrap();
    }
    eprintln!("50 requests of 100 traces of 10 spans: {:?}", started.elapsed());

    let long: Vec<Span> = (0..30_000_u64)
        .map(|n| Span {
            id: SpanId(n.to_be_bytes()),
            ..span(1, None, &[("mlflow.spanInputs", "{\"a\": 1}")])
        })
        .collect();
    story.log(vec![batch(&trace_id(255), &long)]).await.unwrap();
    let started = std::time::Instant::now();
    let read = fresh.database.reader.trace_with_spans(&workspace, &trace_id(255)).await.unwrap();
    eprintln!("a trace of {} spans is read: {:?}", read.unwrap().1.owned().unwrap().len(), started.elapsed());
}
