//! The tokens that count.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use mainstay_core::error::StorageError;
use mainstay_core::id::TokenId;
use mainstay_governance::port::GovernanceReader;
use mainstay_governance::token::StoredToken;

use super::kept::{Kept, Source};

/// Reads all tokens that were not revoked.
pub(super) struct StoredTokens(pub(super) Arc<dyn GovernanceReader>);

#[async_trait]
impl Source for StoredTokens {
    type Content = HashMap<TokenId, StoredToken>;

    async fn read(&self) -> Result<Self::Content, StorageError> {
        Ok(self.0.tokens().await?.into_iter().map(|token| (token.id, token)).collect())
    }
}

/// The tokens, read again when they may have changed.
pub(super) type Tokens = Kept<StoredTokens>;
