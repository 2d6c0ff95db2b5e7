//! Putting findings on the record.
//!
//! All are idempotent by the finding's key: a watch that was restarted finds the same things once more.
//!
//! | event | subject | body |
//! |---|---|---|
//! | `alarm.raised` | endpoint | alarm, endpoint, family, champion (version, digest), cause (window and signals, or age), data time |
//! | `alarm.resolved` | endpoint | the same, less the cause, and the ending |

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::error::{Coded, ErrorCode, StorageError};
use mainstay_core::event::Event;
use mainstay_core::id::AlarmId;
use mainstay_core::name::Name;
use mainstay_core::scope::{ResourceKind, Scope, Subject};
use mainstay_core::time::DataTime;
use serde_json::{Value, json};

use crate::port::MonitoringTx;
use crate::record::{Cause, Ending, RecordedAlarm, RecordedLook, Resolution};
use crate::watch::FindingKey;

/// Why a finding is not put on the record.
#[derive(Debug, thiserror::Error)]
pub enum MonitoringError {
    /// No such alarm.
    #[error("endpoint '{endpoint}' has no alarm of the {} family for that day", finding.family.as_str())]
    NoAlarm {
        /// The endpoint.
        endpoint: Name,
        /// What was named.
        finding: FindingKey,
    },
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Coded for MonitoringError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NoAlarm { .. } => ErrorCode::NotFound,
            Self::Storage(error) => error.code(),
        }
    }
}

fn endpoint_scope(workspace: &Name, endpoint: &Name) -> Scope {
    Scope::new(workspace.clone(), Subject::new(ResourceKind::Endpoint, endpoint))
}

fn event(kind: &'static str, alarm: &RecordedAlarm, (what, value): (&str, Value)) -> Event {
    let FindingKey { champion, version, family, .. } = alarm.finding;
    let body = json!({
        "alarm": alarm.id,
        "endpoint": alarm.endpoint,
        "family": family,
        "champion": { "version": version, "digest": champion },
        "data_time": alarm.resolution.map_or(alarm.data_time, |resolution| resolution.data_time),
        what: value,
    });
    Event::new(kind, Subject::new(ResourceKind::Endpoint, &alarm.endpoint), body)
}

/// Raises an alarm.
#[derive(Debug, Clone)]
pub struct RaiseAlarm {
    /// Where.
    pub workspace: Name,
    /// The id that it gets if it is new.
    pub id: AlarmId,
    /// About which endpoint.
    pub endpoint: Name,
    /// The finding.
    pub finding: FindingKey,
    /// What was found.
    pub cause: Cause,
    /// The watermark.
    pub data_time: DataTime,
}

#[async_trait]
impl Command for RaiseAlarm {
    type Tx = dyn MonitoringTx;
    /// The alarm of that finding, new or not.
    type Out = RecordedAlarm;
    type Error = MonitoringError;

    fn action(&self) -> Action {
        Action::MonitorWrite
    }

    fn scope(&self) -> Scope {
        endpoint_scope(&self.workspace, &self.endpoint)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<RecordedAlarm, MonitoringError> {
        if let Some(known) = tx.alarm(&self.endpoint, &self.finding).await? {
            return Ok(known);
        }
        let alarm = RecordedAlarm {
            id: self.id,
            endpoint: self.endpoint.clone(),
            finding: self.finding,
            cause: self.cause.clone(),
            data_time: self.data_time,
            raised_at: tx.now(),
            resolution: None,
        };
        tx.put_alarm(&alarm).await?;
        tx.record(event("alarm.raised", &alarm, ("cause", json!(alarm.cause))));
        Ok(alarm)
    }
}

/// Ends an alarm. One that is over stays as it ended.
#[derive(Debug, Clone)]
pub struct ResolveAlarm {
    /// Where.
    pub workspace: Name,
    /// About which endpoint.
    pub endpoint: Name,
    /// The finding that raised it.
    pub finding: FindingKey,
    /// Why it is over.
    pub ending: Ending,
    /// The watermark.
    pub data_time: DataTime,
}

#[async_trait]
impl Command for ResolveAlarm {
    type Tx = dyn MonitoringTx;
    /// The alarm, with how it ended.
    type Out = RecordedAlarm;
    type Error = MonitoringError;

    fn action(&self) -> Action {
        Action::MonitorWrite
    }

    fn scope(&self) -> Scope {
        endpoint_scope(&self.workspace, &self.endpoint)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<RecordedAlarm, MonitoringError> {
        let found = tx.alarm(&self.endpoint, &self.finding).await?;
        let missing = || MonitoringError::NoAlarm { endpoint: self.endpoint.clone(), finding: self.finding };
        let mut alarm = found.ok_or_else(missing)?;
        if alarm.resolution.is_none() {
            let Self { ending, data_time, .. } = *self;
            alarm.resolution = Some(Resolution { ending, data_time, at: tx.now() });
            tx.put_alarm(&alarm).await?;
            tx.record(event("alarm.resolved", &alarm, ("ending", json!(ending))));
        }
        Ok(alarm)
    }
}

/// Keeps the figures of looks for pages. No event: they follow from the predictions and labels.
#[derive(Debug, Clone)]
pub struct RecordLooks {
    /// Where.
    pub workspace: Name,
    /// About which endpoint.
    pub endpoint: Name,
    /// The looks.
    pub looks: Vec<RecordedLook>,
}

#[async_trait]
impl Command for RecordLooks {
    type Tx = dyn MonitoringTx;
    type Out = ();
    type Error = MonitoringError;

    fn action(&self) -> Action {
        Action::MonitorWrite
    }

    fn scope(&self) -> Scope {
        endpoint_scope(&self.workspace, &self.endpoint)
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), MonitoringError> {
        for look in &self.looks {
            tx.put_look(&self.endpoint, look).await?;
        }
        Ok(())
    }
}
