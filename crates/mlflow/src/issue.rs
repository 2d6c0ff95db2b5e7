//! Issues of experiments: create, get, update, search.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use mainstay_core::action::Action;
use mainstay_core::scope::ResourceKind;
use mainstay_core::text::clip;
use mainstay_evaluation::issue::command::{CreateIssue, IssueChange, NewIssue, UpdateIssue};
use mainstay_evaluation::issue::error::IssueError;
use mainstay_evaluation::issue::search::{IssueFilter, IssueOrder, Sought, search_issues};
use mainstay_evaluation::issue::{Issue, IssueDetail, IssueHead, IssueId, IssueSeverity, IssueStatus};
use mainstay_tracking::experiment::ExperimentId;
use serde::{Deserialize, Serialize};

use crate::body::Call;
use crate::run::parse_run_id;
use crate::table::Table;
use crate::wire::{int64, list, page, required};
use crate::{Error, MlflowError, MlflowState};
use mainstay_api::caller::Caller;
use mainstay_api::route::Route;

/// `SEARCH_ISSUES_DEFAULT_MAX_RESULTS` and `SEARCH_MAX_RESULTS_THRESHOLD`.
const PAGE: (usize, usize) = (100, 50_000);
/// Most issues on one page, whatever is asked for: their texts are long.
const MAX_PAGE: usize = 1_000;

pub(crate) fn routes() -> Vec<Route<MlflowState>> {
    let (read, write) = (Action::RunRead, Action::RunWrite);
    Table::v3()
        .post("issues", write, create)
        .post("issues/search", read, search)
        .get("issues/{issue_id}", read, get)
        .patch("issues/{issue_id}", write, update)
        .rows()
}

/// `Issue`.
#[derive(Debug, Serialize)]
struct IssueBody {
    issue_id: String,
    experiment_id: String,
    name: String,
    description: String,
    status: &'static str,
    created_timestamp: i64,
    last_updated_timestamp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    root_causes: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_run_id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    categories: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_by: Option<String>,
    last_seen_timestamp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_updated_by: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<String, String>,
}

impl From<Issue> for IssueBody {
    fn from(Issue { head, detail }: Issue) -> Self {
        Self {
            issue_id: head.id.to_string(),
            experiment_id: head.experiment.to_string(),
            name: head.name,
            description: detail.description,
            status: head.status.as_str(),
            created_timestamp: head.created.millis(),
            last_updated_timestamp: head.updated.millis(),
            severity: head.severity.map(IssueSeverity::as_str),
            root_causes: detail.root_causes,
            source_run_id: head.source_run.map(|run| run.to_string()),
            categories: head.categories,
            created_by: head.created_by,
            last_seen_timestamp: head.last_seen_ms,
            last_updated_by: head.updated_by,
            metadata: detail.metadata,
        }
    }
}

impl From<IssueHead> for IssueBody {
    fn from(head: IssueHead) -> Self {
        Issue { head, detail: IssueDetail::default() }.into()
    }
}

#[derive(Debug, Serialize)]
struct One {
    issue: IssueBody,
}

/// Who acts: the person whose credential it is; where everybody is the machine's own user, whom the client names.
fn actor(caller: &Caller, named: Option<String>) -> Option<String> {
    let known = caller.principal.actor.user_name().filter(|name| *name != "local");
    known.map(str::to_owned).or(named).filter(|name| !name.is_empty())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Create {
    #[serde(alias = "experimentId")]
    experiment_id: Option<String>,
    name: Option<String>,
    description: Option<String>,
    status: Option<String>,
    severity: Option<String>,
    #[serde(alias = "rootCauses", deserialize_with = "list")]
    root_causes: Vec<String>,
    #[serde(alias = "sourceRunId")]
    source_run_id: Option<String>,
    #[serde(deserialize_with = "list")]
    categories: Vec<String>,
    #[serde(alias = "createdBy")]
    created_by: Option<String>,
    #[serde(alias = "issueId")]
    issue_id: Option<String>,
    #[serde(alias = "lastSeenTimestamp", deserialize_with = "int64")]
    last_seen_timestamp: Option<i64>,
    metadata: Option<BTreeMap<String, String>>,
}

async fn create(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Create>,
) -> Result<Json<One>, Error> {
    let name = required("name", request.name)?;
    let description = required("description", request.description)?;
    let experiment = ExperimentId::parse(&required("experiment_id", request.experiment_id)?)?;
    let source_run = request.source_run_id.filter(|id| !id.is_empty());
    let id = match request.issue_id {
        Some(chosen) => chosen.parse()?,
        None => IssueId::draw(&*state.entropy),
    };
    let new = NewIssue {
        name,
        description,
        status: request.status.map_or(Ok(IssueStatus::default()), |text| text.parse())?,
        severity: request.severity.map(|text| text.parse()).transpose()?,
        root_causes: request.root_causes,
        source_run: source_run.map(|id| parse_run_id(&id)).transpose()?,
        categories: request.categories,
        created_by: actor(&caller, request.created_by),
        last_seen_ms: request.last_seen_timestamp,
        metadata: request.metadata.unwrap_or_default(),
    };
    let command = CreateIssue::new(caller.workspace, id, experiment, new)?;
    Ok(Json(One { issue: state.issues.run(&caller.principal, command).await?.into() }))
}

/// Reads an id. A text that cannot be one names no issue, which is what clients expect to hear.
fn issue_id(text: &str) -> Result<IssueId, IssueError> {
    text.parse().map_err(|_| IssueError::NoIssue(clip(text)))
}

async fn get(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(text): Path<String>,
) -> Result<Json<One>, Error> {
    let found = state.issue_reader.issues(&caller.workspace, &[issue_id(&text)?]).await?.pop();
    let found = found.ok_or(IssueError::NoIssue(text))?;
    caller.admitted(ResourceKind::Experiment, found.head.experiment)?;
    Ok(Json(One { issue: found.into() }))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Update {
    name: Option<String>,
    description: Option<String>,
    status: Option<String>,
    severity: Option<String>,
    categories: Option<Vec<String>>,
    #[serde(alias = "lastSeenTimestamp", deserialize_with = "int64")]
    last_seen_timestamp: Option<i64>,
    #[serde(alias = "lastUpdatedBy")]
    last_updated_by: Option<String>,
    metadata: Option<BTreeMap<String, String>>,
    #[serde(alias = "deleteMetadataKeys", deserialize_with = "list")]
    delete_metadata_keys: Vec<String>,
}

async fn update(
    State(state): State<MlflowState>,
    caller: Caller,
    Path(text): Path<String>,
    Call(request): Call<Update>,
) -> Result<Json<One>, Error> {
    let change = IssueChange {
        name: request.name,
        description: request.description,
        status: request.status.map(|text| text.parse()).transpose()?,
        severity: request.severity.map(|text| text.parse()).transpose()?,
        categories: request.categories,
        last_seen_ms: request.last_seen_timestamp,
        updated_by: actor(&caller, request.last_updated_by),
        metadata: request.metadata.unwrap_or_default(),
        delete_metadata: request.delete_metadata_keys,
    };
    let command = UpdateIssue::new(caller.workspace, issue_id(&text)?, change)?;
    Ok(Json(One { issue: state.issues.run(&caller.principal, command).await?.into() }))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Search {
    #[serde(alias = "experimentId")]
    experiment_id: Option<String>,
    #[serde(alias = "filterString")]
    filter_string: Option<String>,
    #[serde(alias = "maxResults", deserialize_with = "int64")]
    max_results: Option<i64>,
    #[serde(alias = "pageToken")]
    page_token: Option<String>,
    #[serde(alias = "includeTraceCount")]
    include_trace_count: Option<bool>,
    name: Option<String>,
    #[serde(deserialize_with = "list")]
    statuses: Vec<String>,
    #[serde(deserialize_with = "list")]
    severities: Vec<String>,
    #[serde(deserialize_with = "list")]
    categories: Vec<String>,
    #[serde(alias = "orderBy", deserialize_with = "list")]
    order_by: Vec<String>,
    #[serde(alias = "includeTotalCount")]
    include_total_count: Option<bool>,
    view: Option<String>,
}

#[derive(Debug, Serialize)]
struct Found {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    issues: Vec<IssueBody>,
    /// Empty at the end: clients look for it.
    next_page_token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_count: Option<usize>,
}

async fn search(
    State(state): State<MlflowState>,
    caller: Caller,
    Call(request): Call<Search>,
) -> Result<Json<Found>, Error> {
    let mut wanted = page(request.max_results, PAGE, request.page_token.as_deref())?;
    wanted.limit = wanted.limit.min(MAX_PAGE);
    let is_basic = match request.view.as_deref() {
        None | Some("full") => false,
        Some("basic") => true,
        Some(_) => return Err(MlflowError::IssueView.into()),
    };
    if request.include_trace_count == Some(true) {
        return Err(MlflowError::TraceCount.into());
    }
    let filter = IssueFilter::new(Sought {
        filter: request.filter_string.unwrap_or_default(),
        name: request.name,
        statuses: request.statuses,
        severities: request.severities,
        categories: request.categories,
    })?;
    let order = IssueOrder::parse(&request.order_by)?;
    let experiment = request.experiment_id.filter(|id| !id.is_empty());
    let experiment = experiment.map(|id| ExperimentId::parse(&id)).transpose()?;
    let readable = caller.readable();
    let mut found = state.issue_reader.issue_heads(&caller.workspace, experiment).await?;
    found.retain(|issue| readable.has(issue.experiment) && filter.takes(issue));
    let total_count = request.include_total_count.filter(|asked| *asked).map(|_| found.len());
    let shown = search_issues(found, &order, &wanted)?;
    let issues = if is_basic {
        shown.items.into_iter().map(IssueBody::from).collect()
    } else {
        let ids: Vec<IssueId> = shown.items.into_iter().map(|issue| issue.id).collect();
        let full = state.issue_reader.issues(&caller.workspace, &ids).await?;
        full.into_iter().map(IssueBody::from).collect()
    };
    let next_page_token = shown.next.map(|token| token.to_string()).unwrap_or_default();
    Ok(Json(Found { issues, next_page_token, total_count }))
}
