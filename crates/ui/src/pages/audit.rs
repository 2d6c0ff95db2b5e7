//! `/audit`: the record, filtered and paged; and its newest lines for pages that follow it.

use askama::Template;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use mainstay_api::Caller;
use mainstay_api::route::RouteScope;
use mainstay_core::action::Action;
use mainstay_core::event::{EventQuery, EventSeq};
use mainstay_core::scope::Subject;
use serde::Deserialize;

use super::{Row, asked, reads};
use crate::frame::{Page, page};
use crate::show::link::segment;
use crate::show::news_kinds::is_news;
use crate::show::shell::{Section, Shell};
use crate::show::words::{Line, Part};
use crate::{State, asset};

/// Lines on a page.
const PAGE: usize = 100;
/// Most live lines at once.
const LIVE: usize = 50;

pub(super) fn routes() -> Vec<Row> {
    vec![
        reads("/audit", Action::AuditRead, RouteScope::Workspace, show),
        reads("/audit/lines", Action::AuditRead, RouteScope::Workspace, lines),
    ]
}

#[derive(Debug, Default, Deserialize)]
struct Filter {
    #[serde(default)]
    subject: String,
    #[serde(default)]
    kind: String,
    before: Option<u64>,
}

struct Entry {
    line: Line,
    subject: String,
    subject_filter: String,
    kind_filter: String,
    body: String,
}

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage {
    shell: Shell,
    subject: String,
    kind: String,
    entries: Vec<Entry>,
    older: Option<String>,
    filtered: bool,
    /// What is wrong with the subject that is asked for.
    fault: Option<String>,
    head: u64,
}

async fn show(
    axum::extract::State(console): State,
    caller: Caller,
    query: Result<Query<Filter>, QueryRejection>,
) -> Page {
    let Filter { subject, kind, before } = asked(query)?;
    let about = Subject::parse(subject.trim());
    let is_wrong = about.is_none() && !subject.trim().is_empty();
    let query = EventQuery {
        before: before.map(EventSeq),
        workspace: Some(caller.workspace.clone()),
        subject: about,
        kind: Some(kind.trim().to_owned()).filter(|kind| !kind.is_empty()),
        ..EventQuery::newest(PAGE + 1)
    };
    let mut events = if is_wrong { Vec::new() } else { console.events.read(&query).await? };
    let more = events.len() > PAGE;
    events.truncate(PAGE);
    let last = events.last().map(|event| event.seq.0);
    let older = last
        .filter(|_| more)
        .map(|seq| format!("/audit?subject={}&kind={}&before={seq}", segment(&subject), segment(&kind)));
    let now = console.now();
    let entries = events.into_iter().map(|event| Entry {
        line: Line::of(&event, now),
        subject: event.subject.to_string(),
        subject_filter: format!("/audit?subject={}", segment(&event.subject)),
        kind_filter: format!("/audit?kind={}", segment(&event.kind)),
        body: event.body.map_or_else(
            || "erased: only its digest is left".to_owned(),
            |body| serde_json::to_string_pretty(&body).unwrap_or_default(),
        ),
    });
    page(&AuditPage {
        shell: Shell::new("Audit", Section::Audit).seen_by(&caller),
        fault: is_wrong.then(|| {
            format!(
                "{:?} is no subject: a subject is a kind and an id, such as 'model:flight-delay' or 'run:' and its id",
                subject.trim()
            )
        }),
        filtered: !subject.is_empty() || !kind.is_empty(),
        subject,
        kind,
        entries: entries.collect(),
        older,
        head: console.events.head().borrow().0,
    })
}

#[derive(Debug, Deserialize)]
struct After {
    after: u64,
}

#[derive(Template)]
#[template(path = "event_lines.html")]
struct EventLines {
    lines: Vec<Line>,
}

/// The news after a position, newest first: a fragment, for the island that follows the log.
async fn lines(
    axum::extract::State(console): State,
    caller: Caller,
    query: Result<Query<After>, QueryRejection>,
) -> Page {
    let after = asked(query)?.after;
    let query = EventQuery { after: EventSeq(after), ..EventQuery::newest(LIVE) }.within(&caller.workspace);
    let now = console.now();
    let events = console.events.read(&query).await?;
    let news = events.iter().filter(|event| is_news(&event.kind));
    page(&EventLines { lines: news.map(|event| Line::of(event, now)).collect() })
}
