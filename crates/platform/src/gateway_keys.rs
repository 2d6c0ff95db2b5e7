//! Where the key comes from under which the gateway's secrets are sealed.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use mainstay_core::entropy::Entropy;
use mainstay_core::error::{Cause, StorageError};
use mainstay_directory::gateway_key::gateway_key;
use mainstay_gateway::port::KeyHolder;
use mainstay_gateway::sealing::{GOOD_PASSPHRASE, KeyEncryptionKey};
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

/// Holds the key once it was asked for: reading it may make a file, and deriving it takes long.
pub struct GatewayKeys {
    source: Source,
    key: OnceCell<Arc<KeyEncryptionKey>>,
}

#[derive(Clone)]
enum Source {
    /// What the server's owner chose.
    Passphrase(Arc<Zeroizing<String>>),
    /// A file in this directory, made where there is none.
    File { keys: PathBuf, entropy: Arc<dyn Entropy> },
}

impl GatewayKeys {
    /// From a file in the directory of keys.
    pub fn in_directory(keys: PathBuf, entropy: Arc<dyn Entropy>) -> Self {
        Self { source: Source::File { keys, entropy }, key: OnceCell::new() }
    }

    /// From a passphrase.
    pub fn of_passphrase(passphrase: String) -> Self {
        if passphrase.chars().count() < GOOD_PASSPHRASE {
            tracing::warn!(
                "the passphrase of the gateway's secrets has fewer than {GOOD_PASSPHRASE} characters"
            );
        }
        Self { source: Source::Passphrase(Arc::new(Zeroizing::new(passphrase))), key: OnceCell::new() }
    }
}

impl fmt::Debug for GatewayKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GatewayKeys").field("has_passphrase", &self.has_passphrase()).finish_non_exhaustive()
    }
}

impl Source {
    fn key(&self) -> Result<KeyEncryptionKey, Cause> {
        match self {
            Self::Passphrase(passphrase) => Ok(KeyEncryptionKey::from_passphrase(passphrase)?),
            Self::File { keys, entropy } => Ok(gateway_key(keys, &**entropy)?),
        }
    }
}

#[async_trait]
impl KeyHolder for GatewayKeys {
    async fn key(&self) -> Result<Arc<KeyEncryptionKey>, StorageError> {
        let make = || async {
            let source = self.source.clone();
            let making = tokio::task::spawn_blocking(move || source.key());
            let key = making.await.map_err(|error| StorageError::Failed(error.into()))?;
            key.map(Arc::new).map_err(StorageError::Failed)
        };
        self.key.get_or_try_init(make).await.cloned()
    }

    fn has_passphrase(&self) -> bool {
        matches!(self.source, Source::Passphrase(_))
    }
}
