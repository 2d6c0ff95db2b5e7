//! Questions that are answered, and their traces.

use futures::future::try_join_all;
use mainstay_core::error::Failure;
use mainstay_core::id::RunId;
use mainstay_core::time::{Clock, MachineTime};
use mainstay_demonstration::measure::{is_within, rank};
use mainstay_demonstration::question::Question;
use mainstay_demonstration::search::{Hit, Library, Method};
use mainstay_traces::assessment::{Assessment, AssessmentId, AssessmentValue, Judgement, Source, SourceType};
use mainstay_traces::batch::SpanBatch;
use mainstay_traces::command::{CreateAssessment, LogSpans};
use mainstay_traces::error::TraceError;
use mainstay_traces::id::{SpanId, TraceId};
use mainstay_traces::info::{Pairs, key};
use mainstay_traces::span::{Attribute, Span, SpanKind, StatusCode, TYPE_ATTRIBUTE};
use serde_json::{Value, json};

use super::{Recorder, Task};

/// How many of the passages that were found a trace tells.
pub(super) const TOLD: usize = 5;
/// Among how many of the first the page that answers should be.
const FIRST: u32 = 3;
/// What the traces are called.
const TRACE_NAME: &str = "answer a question";

/// From when to when something was done.
#[derive(Debug, Clone, Copy)]
struct Period {
    began: MachineTime,
    ended: MachineTime,
}

/// A question that was answered.
pub(super) struct Answered<'a> {
    question: &'static Question,
    method: Method,
    /// What was found first, at most [`TOLD`] passages.
    hits: Vec<Hit<'a>>,
    /// Where the page that answers was found.
    pub(super) rank: Option<u32>,
    answer: Option<String>,
    whole: Period,
    search: Period,
    quote: Period,
}

impl Answered<'_> {
    /// When it began to be answered.
    pub(super) const fn began(&self) -> MachineTime {
        self.whole.began
    }

    /// When it was.
    pub(super) const fn ended(&self) -> MachineTime {
        self.whole.ended
    }

    /// How long the search took, in microseconds.
    pub(super) fn search_micros(&self) -> u64 {
        u64::try_from(self.search.ended.since(self.search.began)).unwrap_or_default()
    }
}

/// Answers a question, and reads the clock meanwhile.
pub(super) fn answer<'a>(
    library: &'a Library,
    question: &'static Question,
    method: Method,
    clock: &dyn Clock,
) -> Answered<'a> {
    let began = clock.now();
    let mut hits = library.search(question.text, method);
    let found = clock.now();
    let answer = hits.first().map(|hit| hit.passage.quoted());
    let ended = clock.now();
    let rank = rank(&hits, question.page);
    hits.truncate(TOLD);
    Answered {
        question,
        method,
        hits,
        rank,
        answer,
        whole: Period { began, ended },
        search: Period { began, ended: found },
        quote: Period { began: found, ended },
    }
}

impl Recorder {
    /// Logs a trace of each answer, all at once, linked to the run in which they were judged, if there is one; and what
    /// is said of each.
    pub(super) async fn record_traces(
        &self,
        task: Task<'_>,
        run: Option<RunId>,
        library: &Library,
        answers: &[Answered<'_>],
    ) -> Result<(), Failure> {
        let batch = |answered| self.batch(library, answered);
        let batches = answers.iter().map(batch).collect::<Result<Vec<_>, TraceError>>()?;
        let traces: Vec<TraceId> = batches.iter().map(|batch| batch.trace().clone()).collect();
        let run = run.map(|run| run.to_string());
        let command = LogSpans::new(task.workspace.clone(), task.experiment, run, batches);
        self.traces.run(task.caller, command).await?;
        let judged = answers.iter().zip(traces).map(|(answered, trace)| self.judge(task, answered, trace));
        try_join_all(judged).await?;
        Ok(())
    }

    /// The trace of an answer.
    fn batch(&self, library: &Library, answered: &Answered<'_>) -> Result<SpanBatch, TraceError> {
        let trace = TraceId::from_otel(self.entropy.bytes16());
        let root = self.span(&trace, None, (TRACE_NAME, "CHAIN"), answered.whole);
        let search = self.span(&trace, Some(root.id), ("search", "RETRIEVER"), answered.search);
        let quote = self.span(&trace, Some(root.id), ("quote", "PARSER"), answered.quote);
        let (asked, documents) = (json!({"question": answered.question.text}), documents(&answered.hits));
        let first = documents.get(0).cloned().unwrap_or_default();
        let told = json!(answered.answer);
        let mut search = with(search, &[("mlflow.spanInputs", &asked), ("mlflow.spanOutputs", &documents)]);
        for (key, value) in facts(answered.method, library) {
            search = with(search, &[(key, &json!(value))]);
        }
        let spans = vec![
            with(root, &[("mlflow.spanInputs", &asked), ("mlflow.spanOutputs", &told)]),
            search,
            with(quote, &[("mlflow.spanInputs", &json!({"document": first})), ("mlflow.spanOutputs", &told)]),
        ];
        SpanBatch::new(trace, spans, Pairs::from([(key::NAME.to_owned(), TRACE_NAME.to_owned())]))
    }

    fn span(
        &self,
        trace: &TraceId,
        parent: Option<SpanId>,
        (name, kind): (&str, &str),
        period: Period,
    ) -> Span {
        let mut id = [0; 8];
        self.entropy.fill(&mut id);
        let nanos = |at: MachineTime| u64::try_from(at.micros()).unwrap_or_default().saturating_mul(1_000);
        let span = Span {
            id: SpanId(id),
            parent,
            name: name.to_owned(),
            kind: SpanKind::Internal,
            start_ns: nanos(period.began),
            end_ns: Some(nanos(period.ended)),
            status: StatusCode::Ok,
            message: String::new(),
            attributes: Vec::new(),
            events: Vec::new(),
            links: Vec::new(),
        };
        with(span, &[("mlflow.traceRequestId", &json!(trace)), (TYPE_ATTRIBUTE, &json!(kind))])
    }

    /// Says which page should have been found, and whether it was among the first.
    async fn judge(&self, task: Task<'_>, answered: &Answered<'_>, trace: TraceId) -> Result<(), Failure> {
        let page = answered.question.page;
        let why = answered.rank.map_or_else(
            || format!("no passage of {page} has a word of the question"),
            |rank| format!("the first passage of {page} stands at place {rank}"),
        );
        let expected = Judgement::Expectation(AssessmentValue::new(&json!(page))?);
        let found = Judgement::Feedback(AssessmentValue::new(&json!(is_within(answered.rank, FIRST)))?, None);
        let said = [
            ("found", "place of the page among the first 3", found, Some(why)),
            ("page", "questions of the demonstration", expected, None),
        ];
        for (name, source, judgement, rationale) in said {
            let now = self.clock.now().millis();
            let assessment = Assessment {
                id: AssessmentId::draw(&*self.entropy),
                trace: trace.clone(),
                name: name.to_owned(),
                span: None,
                source: Source { kind: SourceType::Code, id: Some(source.to_owned()) },
                judgement,
                rationale,
                metadata: Pairs::new(),
                overrides: None,
                valid: true,
                created_ms: now,
                updated_ms: now,
            };
            let command = CreateAssessment { workspace: task.workspace.clone(), assessment };
            self.traces.run(task.caller, command).await?;
        }
        Ok(())
    }
}

/// What is chosen of a search, as parameters of a run and attributes of a span.
pub(super) fn facts(method: Method, library: &Library) -> Vec<(&'static str, String)> {
    let mut facts = vec![("method", method.as_str().to_owned()), ("passages", library.len().to_string())];
    if let Method::Bm25(chosen) = method {
        facts.push(("k1", chosen.k1.to_string()));
        facts.push(("b", chosen.b.to_string()));
    }
    facts
}

/// Passages in the shape of documents that MLflow's retrievers give.
fn documents(hits: &[Hit<'_>]) -> Value {
    let document = |hit: &Hit<'_>| {
        let (passage, address) = (hit.passage, hit.passage.address());
        json!({
            "id": address,
            "page_content": passage.text,
            "metadata": {"doc_uri": address, "page": passage.page, "heading": passage.heading, "score": hit.score},
        })
    };
    hits.iter().map(document).collect()
}

fn with(mut span: Span, attributes: &[(&str, &Value)]) -> Span {
    let told =
        attributes.iter().map(|(key, value)| Attribute { key: (*key).to_owned(), value: value.to_string() });
    span.attributes.extend(told);
    span
}
