//! `GET /api/v1/events`: the record, as a page of JSON or as a live stream of server-sent events.

use std::convert::Infallible;
use std::pin::Pin;

use axum::Json;
use axum::extract::{Query, State};
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use futures::stream;
use futures::{Stream, StreamExt as _};
use http::Method;
use http::request::Parts;
use mainstay_core::action::Action;
use mainstay_core::event::{EventQuery, EventSeq, RecordedEvent};
use mainstay_core::name::Name;
use mainstay_core::scope::Subject;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::hearing::Hearing;
use super::standing::StandingOf;
use super::{Error, NativeState};
use crate::caller::Caller;
use crate::dialect::{BodyError, Protocol};
use crate::route::{Route, RouteScope};

/// Most events on a page.
const PAGE: usize = 1_000;

pub(super) fn routes() -> Vec<Route<NativeState>> {
    let read = (Action::AuditRead, RouteScope::Workspace);
    // Pages of experiments, runs and traces live on it, whoever may open them.
    let hear = (Action::RunRead, RouteScope::Workspace);
    vec![
        Route::new(Protocol::Native, (Method::GET, "/api/v1/events"), read, list),
        Route::new(Protocol::Native, (Method::GET, "/api/v1/events/stream"), hear, follow).for_levels(),
    ]
}

/// `?after=SEQ&before=SEQ&subject=kind:id&kind=…&newest=true&limit=N`
#[derive(Debug, Deserialize)]
struct ListParams {
    #[serde(default)]
    after: u64,
    before: Option<u64>,
    subject: Option<String>,
    kind: Option<String>,
    #[serde(default)]
    newest: bool,
    limit: Option<usize>,
}

/// An event on the wire.
#[derive(Debug, Serialize)]
struct EventBody {
    seq: u64,
    at: String,
    kind: String,
    actor: String,
    workspace: String,
    subject: String,
    body: Option<serde_json::Value>,
}

impl From<RecordedEvent> for EventBody {
    fn from(event: RecordedEvent) -> Self {
        Self {
            seq: event.seq.0,
            at: event.at.to_string(),
            kind: event.kind,
            actor: event.actor.to_string(),
            workspace: event.workspace.to_string(),
            subject: event.subject.to_string(),
            body: event.body,
        }
    }
}

#[derive(Debug, Serialize)]
struct Listing {
    events: Vec<EventBody>,
}

async fn list(
    State(state): State<NativeState>,
    caller: Caller,
    Query(params): Query<ListParams>,
) -> Result<Json<Listing>, Error> {
    let subject = match params.subject.as_deref() {
        None => None,
        Some(text) => Some(Subject::parse(text).ok_or_else(|| {
            BodyError::Malformed(format!("{text:?} is no subject; write it as 'model:flight-delay'"))
        })?),
    };
    let query = EventQuery {
        after: EventSeq(params.after),
        before: params.before.map(EventSeq),
        workspace: Some(caller.workspace),
        subject,
        kind: params.kind,
        newest_first: params.newest,
        limit: params.limit.unwrap_or(100).min(PAGE),
    };
    let events = state.events.read(&query).await?;
    Ok(Json(Listing { events: events.into_iter().map(EventBody::from).collect() }))
}

/// Follows the log from `Last-Event-ID`, or from now: as much of it as the caller may hear.
async fn follow(
    State(state): State<NativeState>,
    caller: Caller,
    parts: Parts,
) -> Sse<impl Stream<Item = Result<Sent, Infallible>>> {
    let head = state.events.head();
    let named = parts.headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse().ok());
    let after = EventSeq(named.unwrap_or(head.borrow().0));
    let until = Box::pin(tokio::time::sleep(LONGEST));
    let stopping = state.stopping.clone();
    let hearing = Hearing::of(&caller);
    let standing = state.standing.clone().of(parts, caller.principal.clone());
    let workspace = caller.workspace;
    let start =
        Follow { state, workspace, standing, hearing, head, after, until, stopping, ready: Vec::new() };
    // Whoever has heard nothing yet goes on from here, too: an id without data is an event that nobody is told.
    let begun = stream::iter([Ok(Sent::default().id(after.0.to_string()))]);
    let events = stream::unfold(start, |mut follow| async move {
        let sent = follow.next().await?;
        Some((Ok(sent), follow))
    });
    Sse::new(begun.chain(events)).keep_alive(KeepAlive::default())
}

/// A stream is let in once. It ends with what let it in, and after a while for all that nobody announces, as the end of
/// a token's time; a client goes on with `Last-Event-ID`, if it still may.
const LONGEST: std::time::Duration = std::time::Duration::from_mins(2);

/// Waits until the server drains: otherwise each open page would hold up its end.
async fn drained(stopping: Option<&mut watch::Receiver<bool>>) {
    let told = match stopping {
        Some(stopping) => stopping.wait_for(|stopping| *stopping).await.is_ok(),
        None => false,
    };
    if !told {
        std::future::pending::<()>().await;
    }
}

struct Follow {
    state: NativeState,
    workspace: Name,
    standing: StandingOf,
    hearing: Hearing,
    head: watch::Receiver<EventSeq>,
    after: EventSeq,
    /// When the client must come again, and show again who it is.
    until: Pin<Box<tokio::time::Sleep>>,
    stopping: Option<watch::Receiver<bool>>,
    /// Read and not yet sent, newest first.
    ready: Vec<RecordedEvent>,
}

impl Follow {
    /// The next event of the caller's workspace; `None` when the server stops, or the caller may do something else than
    /// when it was let in.
    async fn next(&mut self) -> Option<Sent> {
        loop {
            if !self.standing.holds().await {
                return None;
            }
            if let Some(event) = self.ready.pop() {
                let body = EventBody::from(event);
                let sent = Sent::default().id(body.seq.to_string()).event(body.kind.clone());
                return sent.json_data(&body).ok();
            }
            let after = self.after;
            let head = tokio::select! {
                () = &mut self.until => return None,
                () = drained(self.stopping.as_mut()) => return None,
                () = self.standing.questioned() => continue,
                moved = self.head.wait_for(|head| *head > after) => *moved.ok()?,
            };
            let query = EventQuery::after(after, 100).within(&self.workspace);
            let events = self.state.events.read(&query).await.ok()?;
            // Where nothing was read, all that is new is of other workspaces.
            self.after = events.last().map_or(head, |last| last.seq);
            let told = self.hearing.among(events, &self.workspace, &*self.state.tracked);
            self.ready = told.await.ok()?;
            self.ready.reverse();
        }
    }
}
