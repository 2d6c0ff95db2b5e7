//! The pipeline domain's port: definitions, runs, steps, results and approvals.

mod read;
mod write;

use std::collections::HashMap;
use std::sync::Arc;

use mainstay_core::digest::Digest;
use mainstay_pipelines::definition::Definition;

/// How many definitions are kept before they are forgotten together.
const KNOWN: usize = 64;

/// Definitions that were read, under their digests, by which they never change. A large one takes longer to
/// read than all the rest of a step's commands.
#[derive(Default)]
pub(crate) struct KnownDefinitions(HashMap<Digest, Arc<Definition>>);

impl KnownDefinitions {
    fn get(&self, digest: &Digest) -> Option<Arc<Definition>> {
        self.0.get(digest).cloned()
    }

    fn keep(&mut self, digest: Digest, definition: &Arc<Definition>) {
        if self.0.len() >= KNOWN {
            self.0.clear();
        }
        self.0.insert(digest, Arc::clone(definition));
    }
}
