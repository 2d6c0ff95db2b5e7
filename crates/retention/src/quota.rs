//! Quotas: how much a workspace may have.
//!
//! Experiments, runs and the traces of a day are counted in the transaction that adds them, which fails if one is too
//! many. Bytes of artifacts are measured every hour, and what is uploaded through the server meanwhile is added; an
//! upload is refused once there is no room, and uploads that are under way together may go over by what is in them.

use std::fmt;

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::{Command, Journal};
use mainstay_core::error::{Coded, ErrorCode, StorageError};
use mainstay_core::event::Event;
use mainstay_core::name::Name;
use mainstay_core::scope::{ResourceKind, Scope, Subject};
use mainstay_core::time::MachineTime;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;
use thiserror::Error;

use crate::error::RetentionError;

/// The most that a limit can be: what is more is no limit.
pub const MAX_LIMIT: u64 = i64::MAX.cast_unsigned();

/// What a workspace may have at most; what is not said is not limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Experiments, deleted ones included until they are purged.
    #[serde(default)]
    pub experiments: Option<u64>,
    /// Runs, deleted ones included until they are purged.
    #[serde(default)]
    pub runs: Option<u64>,
    /// New traces on one day, by the UTC clock of the server.
    #[serde(default)]
    pub traces_per_day: Option<u64>,
    /// Bytes of the artifacts of its runs, logged models and traces.
    #[serde(default)]
    pub artifact_bytes: Option<u64>,
}

impl Limits {
    /// Whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What becomes of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Change {
    /// It stays as it is.
    #[default]
    Kept,
    /// Nothing is limited any more.
    Lifted,
    /// So many from now on.
    At(u64),
}

impl Change {
    fn of(self, before: Option<u64>) -> Option<u64> {
        match self {
            Self::Kept => before,
            Self::Lifted => None,
            Self::At(most) => Some(most),
        }
    }
}

/// As in a JSON Merge Patch (RFC 7396): `null` lifts a limit, and one that is not mentioned stays.
impl<'de> Deserialize<'de> for Change {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Lifted, Self::At))
    }
}

/// What becomes of each of the [`Limits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitChanges {
    /// Of [`Limits::experiments`].
    pub experiments: Change,
    /// Of [`Limits::runs`].
    pub runs: Change,
    /// Of [`Limits::traces_per_day`].
    pub traces_per_day: Change,
    /// Of [`Limits::artifact_bytes`].
    pub artifact_bytes: Change,
}

impl LimitChanges {
    /// The limits after the changes.
    pub fn of(self, before: Limits) -> Limits {
        Limits {
            experiments: self.experiments.of(before.experiments),
            runs: self.runs.of(before.runs),
            traces_per_day: self.traces_per_day.of(before.traces_per_day),
            artifact_bytes: self.artifact_bytes.of(before.artifact_bytes),
        }
    }
}

/// How much a workspace with a limit has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// What it may have.
    pub limits: Limits,
    /// Experiments.
    pub experiments: u64,
    /// Runs.
    pub runs: u64,
    /// New traces on the newest day on which there were any, by its number since the epoch.
    pub traces: (i64, u64),
    /// Bytes of artifacts.
    pub artifact_bytes: u64,
    /// When these were measured last.
    pub measured: Option<MachineTime>,
}

impl Usage {
    /// How many more bytes of artifacts may come; `None` if that is not limited.
    pub fn bytes_left(&self) -> Option<u64> {
        self.limits.artifact_bytes.map(|limit| limit.saturating_sub(self.artifact_bytes))
    }

    /// The new traces of a day.
    pub const fn traces_on(&self, day: i64) -> u64 {
        if self.traces.0 == day { self.traces.1 } else { 0 }
    }
}

/// What a workspace may have a limit of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quota {
    /// [`Limits::experiments`].
    Experiments,
    /// [`Limits::runs`].
    Runs,
    /// [`Limits::traces_per_day`].
    TracesPerDay,
    /// [`Limits::artifact_bytes`].
    ArtifactBytes,
}

impl Quota {
    /// Whether a workspace may have so many, what is just being added among them.
    pub fn admits(self, used: u64, limit: Option<u64>) -> Result<(), OverQuota> {
        match limit {
            Some(limit) if used > limit => Err(OverQuota { quota: self, limit }),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Experiments => "experiments",
            Self::Runs => "runs",
            Self::TracesPerDay => "new traces a day",
            Self::ArtifactBytes => "bytes of artifacts",
        })
    }
}

/// The workspace has as much as it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "the workspace has reached its quota of {limit} {quota}; purge what is no longer needed, or ask an admin of the \
     server to raise it"
)]
pub struct OverQuota {
    /// Of what.
    pub quota: Quota,
    /// How many it may have.
    pub limit: u64,
}

impl Coded for OverQuota {
    fn code(&self) -> ErrorCode {
        ErrorCode::QuotaExceeded
    }
}

/// What the commands on quotas write through.
#[async_trait]
pub trait QuotaTx: Journal {
    /// The limits of the workspace.
    async fn limits(&mut self) -> Result<Limits, StorageError>;
    /// Replaces the limits of the workspace, and counts anew what it has if it had none.
    async fn put_limits(&mut self, limits: &Limits) -> Result<(), StorageError>;
    /// Adds bytes of artifacts to those of the workspace, if it has a limit.
    async fn add_bytes(&mut self, bytes: u64) -> Result<(), StorageError>;
    /// Replaces the bytes of artifacts of the workspace by those that were measured.
    async fn put_bytes(&mut self, bytes: u64) -> Result<(), StorageError>;
}

/// What readers of quotas ask.
#[async_trait]
pub trait QuotaReader: Send + Sync {
    /// How much the workspace has; `None` if it has no limit.
    async fn usage(&self, workspace: &Name) -> Result<Option<Usage>, StorageError>;
    /// How much a workspace without a limit has, counted now: its experiments and runs.
    async fn count(&self, workspace: &Name) -> Result<Usage, StorageError>;
    /// The workspaces whose bytes of artifacts are limited, and when these were measured.
    async fn measured(&self) -> Result<Vec<(Name, Option<MachineTime>)>, StorageError>;
}

fn subject(workspace: &Name) -> Subject {
    Subject::new(ResourceKind::Workspace, workspace)
}

/// Sets the limits of a workspace. Event: `quota.set`.
#[derive(Debug, Clone)]
pub struct SetLimits {
    /// Which.
    pub workspace: Name,
    /// What it may have.
    pub limits: Limits,
}

#[async_trait]
impl Command for SetLimits {
    type Tx = dyn QuotaTx;
    type Out = ();
    type Error = RetentionError;

    fn action(&self) -> Action {
        Action::ServerManage
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), subject(&self.workspace))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), RetentionError> {
        set(tx, &self.workspace, self.limits).await
    }
}

/// Changes some limits of a workspace, and leaves the others as they are. Event: `quota.set`, with all of them.
#[derive(Debug, Clone)]
pub struct ChangeLimits {
    /// Which.
    pub workspace: Name,
    /// What becomes of them.
    pub changes: LimitChanges,
}

#[async_trait]
impl Command for ChangeLimits {
    type Tx = dyn QuotaTx;
    type Out = ();
    type Error = RetentionError;

    fn action(&self) -> Action {
        Action::ServerManage
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), subject(&self.workspace))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), RetentionError> {
        let limits = self.changes.of(tx.limits().await?);
        set(tx, &self.workspace, limits).await
    }
}

async fn set(tx: &mut dyn QuotaTx, workspace: &Name, limits: Limits) -> Result<(), RetentionError> {
    let Limits { experiments, runs, traces_per_day, artifact_bytes } = limits;
    let all = [experiments, runs, traces_per_day, artifact_bytes];
    if all.into_iter().flatten().any(|most| most > MAX_LIMIT) {
        return Err(RetentionError::Limit);
    }
    tx.put_limits(&limits).await?;
    tx.record(Event::new("quota.set", subject(workspace), json!(limits)));
    Ok(())
}

/// What became of a workspace's bytes of artifacts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bytes {
    /// So many came.
    Came(u64),
    /// There are so many.
    Are(u64),
}

/// Keeps how many bytes of artifacts a workspace has. No event: what they are is measured again.
#[derive(Debug, Clone)]
pub struct CountBytes {
    /// Where.
    pub workspace: Name,
    /// How many.
    pub bytes: Bytes,
}

#[async_trait]
impl Command for CountBytes {
    type Tx = dyn QuotaTx;
    type Out = ();
    type Error = RetentionError;

    fn action(&self) -> Action {
        Action::AuditWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), subject(&self.workspace))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), RetentionError> {
        match self.bytes {
            Bytes::Came(bytes) => tx.add_bytes(bytes).await?,
            Bytes::Are(bytes) => tx.put_bytes(bytes).await?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_told_where_there_is_a_limit() {
        let mut usage = Usage { artifact_bytes: 70, traces: (3, 9), ..Usage::default() };
        assert_eq!(usage.bytes_left(), None);
        usage.limits.artifact_bytes = Some(100);
        assert_eq!(usage.bytes_left(), Some(30));
        usage.limits.artifact_bytes = Some(50);
        assert_eq!(usage.bytes_left(), Some(0), "a limit may be set below what is there");
        assert_eq!((usage.traces_on(3), usage.traces_on(4)), (9, 0));
        assert!(!usage.limits.is_empty() && Limits::default().is_empty());
    }

    #[test]
    fn a_limit_that_is_not_mentioned_stays() {
        let before = Limits { runs: Some(5), artifact_bytes: Some(9), ..Limits::default() };
        let changed =
            |text: &str| serde_json::from_str::<LimitChanges>(text).map(|changes| changes.of(before));
        assert_eq!(changed("{}").unwrap(), before);
        let after = Limits { runs: None, experiments: Some(3), ..before };
        assert_eq!(changed(r#"{"runs": null, "experiments": 3}"#).unwrap(), after);
        assert!(changed(r#"{"run": 1}"#).is_err() && changed(r#"{"runs": -1}"#).is_err());
    }

    #[test]
    fn the_last_one_that_is_allowed_is_let_in() {
        assert_eq!(Quota::Runs.admits(5, None), Ok(()));
        assert_eq!(Quota::Runs.admits(5, Some(5)), Ok(()));
        let over = Quota::TracesPerDay.admits(6, Some(5)).unwrap_err();
        assert_eq!(over.code().class().http_status(), 429);
        assert!(over.to_string().contains("its quota of 5 new traces a day;"), "{over}");
    }
}
