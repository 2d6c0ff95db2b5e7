//! The news of a workspace: the newest events that are worth a line, however many others came since.

use mainstay_core::error::StorageError;
use mainstay_core::event::{EventQuery, RecordedEvent};
use mainstay_core::name::Name;

use crate::Console;
use crate::show::news_kinds::NEWS_KINDS;

impl Console {
    /// The newest of them, the newest first. Each kind is looked up by itself: what is logged in between, which may be
    /// most of the record, is not read.
    pub(super) async fn news(
        &self,
        workspace: &Name,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StorageError> {
        let mut found: Vec<RecordedEvent> = Vec::new();
        for kind in NEWS_KINDS {
            let mut query = EventQuery::newest(limit).within(workspace).of_kind(kind);
            if let Some(oldest) = found.last().filter(|_| found.len() == limit) {
                query.after = oldest.seq;
            }
            found.extend(self.events.read(&query).await?);
            found.sort_unstable_by_key(|event| std::cmp::Reverse(event.seq));
            found.truncate(limit);
        }
        Ok(found)
    }
}
