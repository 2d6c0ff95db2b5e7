//! What saved views need of a store. They belong to the transaction's workspace, or the one given.

use async_trait::async_trait;
use mainstay_core::command::Journal;
use mainstay_core::error::StorageError;
use mainstay_core::name::Name;

use super::SavedView;

/// What the commands write through.
#[async_trait]
pub trait SavedViewTx: Journal {
    /// How many views other than this one there are.
    async fn other_views(&mut self, name: &Name) -> Result<u64, StorageError>;
    /// Adds a view, or replaces the one of its name.
    async fn put_view(&mut self, view: &SavedView) -> Result<(), StorageError>;
    /// Removes a view; `false` if there was none.
    async fn delete_view(&mut self, name: &Name) -> Result<bool, StorageError>;
}

/// What readers ask.
#[async_trait]
pub trait SavedViewReader: Send + Sync {
    /// All views of a workspace, by name.
    async fn saved_views(&self, workspace: &Name) -> Result<Vec<SavedView>, StorageError>;
    /// One view.
    async fn saved_view(&self, workspace: &Name, name: &Name) -> Result<Option<SavedView>, StorageError>;
}
