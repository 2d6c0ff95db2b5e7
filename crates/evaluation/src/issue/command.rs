//! Creating and changing an issue.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::digest::Digest;
use mainstay_core::event::Event;
use mainstay_core::id::RunId;
use mainstay_core::name::Name;
use mainstay_core::scope::{ResourceKind, Scope};
use mainstay_core::text::exceeds;
use serde_json::json;

use super::error::IssueError;
use super::port::IssueTx;
use super::{Issue, IssueDetail, IssueHead, IssueId, IssueSeverity, IssueStatus, issue_subject};
use mainstay_core::experiment::ExperimentId;
use mainstay_core::experiment::active_experiment;
use mainstay_core::text::{MAX_KEY, Overlong, TextError, checked};

/// Most entries of a list or of the metadata.
pub(super) const MAX_ENTRIES: usize = 100;
/// Longest description, root cause or value of the metadata; of the root causes also all together.
const MAX_LONG: usize = 65_536;
/// Longest values of the metadata together.
const MAX_METADATA: usize = 131_072;
/// Longest name of a person.
const MAX_PERSON: usize = 255;

/// Checks a list of short texts.
pub(super) fn short_texts(field: &'static str, texts: Vec<String>) -> Result<Vec<String>, IssueError> {
    let is_short = |text: &String| !text.is_empty() && exceeds(text, MAX_KEY).is_none();
    if texts.len() > MAX_ENTRIES || !texts.iter().all(is_short) {
        return Err(IssueError::Texts(field));
    }
    texts.into_iter().map(|text| Ok(checked(field, text, MAX_KEY, Overlong::Refuse)?)).collect()
}

fn name(text: String) -> Result<String, IssueError> {
    if text.is_empty() || exceeds(&text, MAX_KEY).is_some() {
        return Err(IssueError::Name);
    }
    Ok(checked("name", text, MAX_KEY, Overlong::Refuse)?)
}

fn person(field: &'static str, text: String) -> Result<String, IssueError> {
    if exceeds(&text, MAX_PERSON).is_some() {
        return Err(IssueError::Person(field));
    }
    Ok(checked(field, text, MAX_PERSON, Overlong::Refuse)?)
}

fn description(text: String) -> Result<String, IssueError> {
    Ok(checked("description", text, MAX_LONG, Overlong::Refuse)?)
}

fn root_causes(texts: Vec<String>) -> Result<Vec<String>, IssueError> {
    let all: usize = texts.iter().map(String::len).sum();
    if texts.len() > MAX_ENTRIES || all > MAX_LONG * 4 {
        return Err(TextError::TooLong { field: "root_causes", limit: MAX_LONG }.into());
    }
    let texts = texts.into_iter().map(|text| checked("root_causes", text, MAX_LONG, Overlong::Refuse));
    Ok(texts.collect::<Result<_, _>>()?)
}

fn last_seen(ms: i64) -> Result<i64, IssueError> {
    if ms < 0 { Err(IssueError::LastSeen) } else { Ok(ms) }
}

fn metadata(entries: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, IssueError> {
    let fits = |(key, value): (&String, &String)| {
        !key.is_empty() && exceeds(key, MAX_KEY).is_none() && exceeds(value, MAX_LONG).is_none()
    };
    let all: usize = entries.values().map(|value| value.chars().count()).sum();
    if entries.len() > MAX_ENTRIES || all > MAX_METADATA || !entries.iter().all(fits) {
        return Err(IssueError::Metadata);
    }
    if entries.iter().any(|(key, value)| key.contains('\0') || value.contains('\0')) {
        return Err(TextError::Nul { field: "metadata" }.into());
    }
    Ok(entries)
}

/// Each text once, where it stands first.
fn once(texts: Vec<String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    texts.into_iter().filter(|text| seen.insert(text.clone())).collect()
}

/// What a new issue says.
#[derive(Debug, Clone, Default)]
pub struct NewIssue {
    /// Its name.
    pub name: String,
    /// What the problem is.
    pub description: String,
    /// How far it is.
    pub status: IssueStatus,
    /// How bad it is.
    pub severity: Option<IssueSeverity>,
    /// Why it may be there.
    pub root_causes: Vec<String>,
    /// The run that found it.
    pub source_run: Option<RunId>,
    /// What kinds of problem it is.
    pub categories: Vec<String>,
    /// Who creates it.
    pub created_by: Option<String>,
    /// When it was seen last, in milliseconds; when it is created if absent.
    pub last_seen_ms: Option<i64>,
    /// Whatever else is to be kept with it.
    pub metadata: BTreeMap<String, String>,
}

/// Creates an issue in an active experiment. Event: `issue.created`.
#[derive(Debug, Clone)]
pub struct CreateIssue {
    workspace: Name,
    id: IssueId,
    experiment: ExperimentId,
    new: NewIssue,
}

impl CreateIssue {
    /// Checks what the issue says; the id was just drawn, or chosen by the caller.
    pub fn new(
        workspace: Name,
        id: IssueId,
        experiment: ExperimentId,
        new: NewIssue,
    ) -> Result<Self, IssueError> {
        let new = NewIssue {
            name: name(new.name)?,
            description: description(new.description)?,
            status: new.status,
            severity: new.severity,
            root_causes: root_causes(new.root_causes)?,
            source_run: new.source_run,
            categories: short_texts("categories", new.categories)?,
            created_by: new.created_by.map(|text| person("created_by", text)).transpose()?,
            last_seen_ms: new.last_seen_ms.map(last_seen).transpose()?,
            metadata: metadata(new.metadata)?,
        };
        Ok(Self { workspace, id, experiment, new })
    }
}

#[async_trait]
impl Command for CreateIssue {
    type Tx = dyn IssueTx;
    type Out = Issue;
    type Error = IssueError;

    fn action(&self) -> Action {
        Action::RunWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), issue_subject(&self.id))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<Issue, IssueError> {
        active_experiment(tx, self.experiment).await?;
        if tx.issue(&self.id).await?.is_some() {
            return Err(IssueError::Exists);
        }
        if let Some(id) = self.new.source_run {
            let experiment = tx.experiment_of_run(id).await?.ok_or(IssueError::NoRun(id))?;
            if experiment != self.experiment {
                return Err(IssueError::ForeignRun);
            }
        }
        let (now, new) = (tx.now(), self.new.clone());
        let issue = Issue {
            head: IssueHead {
                id: self.id.clone(),
                experiment: self.experiment,
                name: new.name,
                status: new.status,
                severity: new.severity,
                categories: new.categories,
                source_run: new.source_run,
                created: now,
                updated: now,
                created_by: new.created_by.clone(),
                updated_by: new.created_by,
                last_seen_ms: new.last_seen_ms.unwrap_or_else(|| now.millis()),
            },
            detail: IssueDetail {
                description: new.description,
                root_causes: new.root_causes,
                metadata: new.metadata,
            },
        };
        tx.insert_issue(&issue).await?;
        tx.record(told("issue.created", &issue));
        Ok(issue)
    }
}

/// The event that says what an issue is now; of its long texts the digest.
pub(super) fn told(kind: &'static str, Issue { head, detail }: &Issue) -> Event {
    let long = json!([detail.description, detail.root_causes, detail.metadata]).to_string();
    let body = json!({
        "experiment": head.experiment,
        "name": head.name,
        "status": head.status.as_str(),
        "severity": head.severity.map(IssueSeverity::as_str),
        "categories": head.categories,
        "source_run": head.source_run,
        "last_seen_ms": head.last_seen_ms,
        "by": head.updated_by,
        "detail": Digest::of(long.as_bytes()),
    });
    Event::new(kind, issue_subject(&head.id), body)
}

/// What is to change of an issue; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct IssueChange {
    /// Its name.
    pub name: Option<String>,
    /// What the problem is.
    pub description: Option<String>,
    /// How far it is.
    pub status: Option<IssueStatus>,
    /// How bad it is.
    pub severity: Option<IssueSeverity>,
    /// All its categories.
    pub categories: Option<Vec<String>>,
    /// When it was seen, in milliseconds; an earlier instant than is known changes nothing.
    pub last_seen_ms: Option<i64>,
    /// Who changes it.
    pub updated_by: Option<String>,
    /// Entries that are added to the metadata or replaced there.
    pub metadata: BTreeMap<String, String>,
    /// Entries that are removed from it.
    pub delete_metadata: Vec<String>,
}

/// Changes an issue. Event: `issue.updated`.
#[derive(Debug, Clone)]
pub struct UpdateIssue {
    workspace: Name,
    id: IssueId,
    change: IssueChange,
}

impl UpdateIssue {
    /// Checks what is to change.
    pub fn new(workspace: Name, id: IssueId, change: IssueChange) -> Result<Self, IssueError> {
        let deleted = short_texts("delete_metadata_keys", change.delete_metadata)?;
        let change = IssueChange {
            name: change.name.map(name).transpose()?,
            description: change.description.map(description).transpose()?,
            status: change.status,
            severity: change.severity,
            categories: change
                .categories
                .map(|texts| short_texts("categories", texts))
                .transpose()?
                .map(once),
            last_seen_ms: change.last_seen_ms.map(last_seen).transpose()?,
            updated_by: change.updated_by.map(|text| person("last_updated_by", text)).transpose()?,
            metadata: metadata(change.metadata)?,
            delete_metadata: deleted,
        };
        if change.delete_metadata.iter().any(|key| change.metadata.contains_key(key)) {
            return Err(IssueError::SetAndDeleted);
        }
        Ok(Self { workspace, id, change })
    }
}

#[async_trait]
impl Command for UpdateIssue {
    type Tx = dyn IssueTx;
    type Out = Issue;
    type Error = IssueError;

    fn action(&self) -> Action {
        Action::RunWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), issue_subject(&self.id))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<Issue, IssueError> {
        let found = tx.issue(&self.id).await?;
        let admitted = found.filter(|issue| tx.admits(ResourceKind::Experiment, &issue.head.experiment));
        let Issue { mut head, mut detail } =
            admitted.ok_or_else(|| IssueError::NoIssue(self.id.to_string()))?;
        let change = self.change.clone();
        head.name = change.name.unwrap_or(head.name);
        head.status = change.status.unwrap_or(head.status);
        head.severity = change.severity.or(head.severity);
        head.categories = change.categories.unwrap_or(head.categories);
        head.last_seen_ms = change.last_seen_ms.map_or(head.last_seen_ms, |seen| seen.max(head.last_seen_ms));
        head.updated_by = change.updated_by.or(head.updated_by);
        head.updated = tx.now();
        detail.description = change.description.unwrap_or(detail.description);
        detail.metadata.extend(change.metadata);
        detail.metadata.retain(|key, _| !change.delete_metadata.contains(key));
        detail.metadata = metadata(detail.metadata)?;
        let issue = Issue { head, detail };
        tx.update_issue(&issue).await?;
        tx.record(told("issue.updated", &issue));
        Ok(issue)
    }
}
