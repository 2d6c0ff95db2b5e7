//! Traces: what an application did for one request, as a tree of spans, with the semantics that `MLflow`
//! 3.18 gives them (`mlflow/store/tracking/sqlalchemy_store.py`), stored otherwise: spans in append-only
//! [`block`]s, trace infos column by column in an [`index`].
//!
//! # How spans come
//!
//! A protocol makes [`Span`](span::Span)s and a [`SpanBatch`](batch::SpanBatch) for each trace, which
//! [translates](translate) what they say in the words of others, encodes them and notes what [follows](derive) from them, all before the writer sees anything. One request is one
//! command, [`LogSpans`](command::LogSpans): it merges what follows into the trace, makes the trace if there
//! is none yet, and appends the block. Spans may come in any order and number of requests, before or after the
//! client's own summary, [`StartTrace`](command::StartTrace), which has the last word on what it says.
//!
//! # How a read goes
//!
//! [`port::TraceReader`] hands out whole infos and spans; a span that was sent twice counts once, as it came
//! last. Searches go through [`index::TraceIndex`], which follows the log of events: each event names the
//! traces that it changed, and the index reads those again.

pub mod assessment;
pub mod batch;
pub mod block;
pub mod command;
pub mod correlation;
pub mod derive;
pub mod error;
pub mod id;
pub mod import;
pub mod index;
pub mod info;
pub mod merge;
pub mod metrics;
pub mod port;
pub mod preview;
pub mod search;
mod search_assessment;
mod search_span;
pub mod span;
pub mod span_text;
pub mod stored;
pub mod translate;
pub mod usage;
