//! Whether a workspace has room for an artifact, where it may have so many bytes only.

use mainstay_core::name::Name;
use mainstay_core::object::{ObjectError, ObjectPath, Objects};
use mainstay_core::principal::Principal;
use mainstay_retention::quota::{Bytes, CountBytes, OverQuota, Quota, Usage};

use crate::{Error, Mlflow};

fn no_room(limit: u64) -> Error {
    OverQuota { quota: Quota::ArtifactBytes, limit }.into()
}

/// What a workspace has left.
pub(crate) struct Room {
    workspace: Name,
    /// Its usage, if its bytes are limited.
    limited: Option<(u64, u64)>,
}

impl Room {
    /// Refuses where nothing is left.
    pub(crate) async fn in_workspace(state: &Mlflow, workspace: &Name) -> Result<Self, Error> {
        let usage = state.quotas.usage(workspace).await?;
        let limited =
            usage.and_then(|usage: Usage| Some((usage.bytes_left()?, usage.limits.artifact_bytes?)));
        match limited {
            Some((0, limit)) => Err(no_room(limit)),
            _ => Ok(Self { workspace: workspace.clone(), limited }),
        }
    }

    /// The most that one artifact may have.
    pub(crate) fn at_most(&self, limit: u64) -> u64 {
        self.limited.map_or(limit, |(left, _)| left.min(limit))
    }

    /// The answer of the store; where an artifact was too large for what is left, the quota is why.
    pub(crate) fn told(&self, stored: Result<(), ObjectError>) -> Result<(), Error> {
        match (stored, self.limited) {
            (Err(ObjectError::TooLarge { limit: at }), Some((left, limit))) if at == left => {
                Err(no_room(limit))
            }
            (stored, _) => Ok(stored?),
        }
    }

    /// Counts what was stored. Where an object took the place of another one, the other is counted until all are
    /// measured again.
    pub(crate) async fn taken(
        &self,
        state: &Mlflow,
        objects: &dyn Objects,
        path: &ObjectPath,
    ) -> Result<(), Error> {
        if self.limited.is_some()
            && let Some(status) = objects.status(path).await?
        {
            let (workspace, bytes) = (self.workspace.clone(), Bytes::Came(status.size));
            state.counting.run(&Principal::system("artifacts"), CountBytes { workspace, bytes }).await?;
        }
        Ok(())
    }
}
