//! Keeping a pipeline under a name, so that its triggers can start it.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::digest::Digest;
use mainstay_core::event::Event;
use mainstay_core::name::Name;
use mainstay_core::scope::{ResourceKind, Scope, Subject};
use serde_json::json;

use crate::definition::{BuiltIns, DefinitionError, Source};
use crate::port::{Pipeline, PipelineTx};
use crate::refusal::PipelineError;

/// Writes a pipeline or its next revision; nothing happens if the text is the same.
#[derive(Debug, Clone)]
pub struct DefinePipeline {
    workspace: Name,
    name: Name,
    source: String,
}

impl DefinePipeline {
    /// Checks the text as the start of a run does, except that variables without a value may come with the run
    /// ([`Source::check`]).
    pub fn new(
        workspace: Name,
        name: Name,
        source: String,
        built_ins: &dyn BuiltIns,
    ) -> Result<Self, DefinitionError> {
        Source::parse(&source)?.check(built_ins)?;
        Ok(Self { workspace, name, source })
    }
}

#[async_trait]
impl Command for DefinePipeline {
    type Tx = dyn PipelineTx;
    type Out = Pipeline;
    type Error = PipelineError;

    fn action(&self) -> Action {
        Action::PipelineRun
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), Subject::new(ResourceKind::Pipeline, &self.name))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<Pipeline, PipelineError> {
        let present = tx.pipeline(&self.name).await?;
        let revision = match present {
            Some(present) if present.source == self.source => return Ok(present),
            Some(present) => present.revision + 1,
            None => 1,
        };
        let pipeline =
            Pipeline { name: self.name.clone(), revision, source: self.source.clone(), updated: tx.now() };
        tx.put_pipeline(&pipeline).await?;
        let digest = Digest::of(self.source.as_bytes());
        let body = json!({ "revision": revision, "source": self.source, "digest": digest });
        tx.record(Event::new("pipeline.defined", self.scope().subject, body));
        Ok(pipeline)
    }
}
