//! What the domain needs of a store.

use async_trait::async_trait;
use mainstay_core::command::Journal;
use mainstay_core::error::StorageError;
use mainstay_core::id::AlarmId;
use mainstay_core::name::Name;
use mainstay_core::page::{Page, PageRequest};

use crate::record::{RecordedAlarm, RecordedLook};
use crate::reference::Family;
use crate::watch::FindingKey;

/// The writing side, in the workspace of the transaction. "Not found" is `Ok(None)`.
#[async_trait]
pub trait MonitoringTx: Journal {
    /// The alarm of a finding.
    async fn alarm(
        &mut self,
        endpoint: &Name,
        finding: &FindingKey,
    ) -> Result<Option<RecordedAlarm>, StorageError>;

    /// Stores a new alarm, or replaces the one of that id.
    async fn put_alarm(&mut self, alarm: &RecordedAlarm) -> Result<(), StorageError>;

    /// Stores a look, or replaces the one of that finding.
    async fn put_look(&mut self, endpoint: &Name, look: &RecordedLook) -> Result<(), StorageError>;
}

/// Which alarms are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AlarmFilter {
    /// Only about this endpoint.
    pub endpoint: Option<Name>,
    /// Only those that are open.
    pub open_only: bool,
}

/// The reading side.
#[async_trait]
pub trait MonitoringReader: Send + Sync {
    /// One alarm.
    async fn alarm(&self, workspace: &Name, id: &AlarmId) -> Result<Option<RecordedAlarm>, StorageError>;

    /// Alarms, the last raised first.
    async fn alarms(
        &self,
        workspace: &Name,
        filter: &AlarmFilter,
        page: &PageRequest,
    ) -> Result<Page<RecordedAlarm>, StorageError>;

    /// The looks at a family of an endpoint, the newest day first.
    async fn looks(
        &self,
        workspace: &Name,
        endpoint: &Name,
        family: Family,
        page: &PageRequest,
    ) -> Result<Page<RecordedLook>, StorageError>;
}
