//! What is put on the record about features: definitions applied, views materialised.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::Command;
use mainstay_core::digest::Digest;
use mainstay_core::error::{Coded, ErrorCode, StorageError};
use mainstay_core::event::Event;
use mainstay_core::name::Name;
use mainstay_core::scope::{ResourceKind, Scope, Subject};
use mainstay_core::time::DataTime;
use serde_json::json;
use thiserror::Error;

use crate::definition::{DefinitionError, Definitions};
use crate::port::{FeaturesTx, Materialisation, StoredDefinitions};

/// Why a command about features is refused.
#[derive(Debug, Error)]
pub enum FeaturesError {
    /// The definitions file is wrong.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// The definitions moved on since they were read.
    #[error("the definitions of {project} are at revision {found}, not {expected}; read them again")]
    Revision {
        /// The project.
        project: Name,
        /// The revision that the caller knew.
        expected: u64,
        /// The latest revision; 0 if there is none.
        found: u64,
    },
    /// No such project or view.
    #[error("there is no feature view {view:?} in {project}")]
    NoView {
        /// The project.
        project: Name,
        /// The view.
        view: String,
    },
    /// The view was redefined since its rows were emitted.
    #[error("the feature view {0:?} was redefined meanwhile; emit and materialise it again")]
    Redefined(String),
    /// A materialisation would go back.
    #[error("the feature view {view:?} is materialised up to {found} already, beyond {until}")]
    Backwards {
        /// The view.
        view: String,
        /// How far it is.
        found: DataTime,
        /// How far the command would take it.
        until: DataTime,
    },
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Coded for FeaturesError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Definition(error) => error.code(),
            Self::Revision { .. } => ErrorCode::RevisionConflict,
            Self::NoView { .. } => ErrorCode::NotFound,
            Self::Redefined(_) | Self::Backwards { .. } => ErrorCode::WrongState,
            Self::Storage(error) => error.code(),
        }
    }
}

/// Where a project's definitions stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The revision in force.
    pub revision: u64,
    /// Its digest.
    pub digest: Digest,
    /// Whether this command made it; `false` if the definitions said the same already.
    pub changed: bool,
}

/// Makes a definitions file the latest revision of its project. The same definitions again, whatever
/// their layout, change nothing and record nothing.
#[derive(Debug)]
pub struct ApplyDefinitions {
    workspace: Name,
    project: Name,
    text: String,
    definitions: Definitions,
    expected: Option<u64>,
}

impl ApplyDefinitions {
    /// Parses and checks the file. With `expected`, the command is refused unless that is the latest
    /// revision (0: none yet).
    pub fn new(
        workspace: Name,
        project: Name,
        text: String,
        expected: Option<u64>,
    ) -> Result<Self, DefinitionError> {
        let definitions = Definitions::parse(&text)?;
        Ok(Self { workspace, project, text, definitions, expected })
    }
}

#[async_trait]
impl Command for ApplyDefinitions {
    type Tx = dyn FeaturesTx;
    type Out = Applied;
    type Error = FeaturesError;

    fn action(&self) -> Action {
        Action::FeatureWrite
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), Subject::new(ResourceKind::Feature, &self.project))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<Applied, FeaturesError> {
        let latest = tx.definitions(&self.project).await?;
        let found = latest.as_ref().map_or(0, |stored| stored.revision);
        if let Some(expected) = self.expected.filter(|expected| *expected != found) {
            return Err(FeaturesError::Revision { project: self.project.clone(), expected, found });
        }
        let digest = self.definitions.digest();
        if latest.is_some_and(|stored| stored.digest == digest) {
            return Ok(Applied { revision: found, digest, changed: false });
        }
        let stored = StoredDefinitions {
            project: self.project.clone(),
            revision: found + 1,
            digest,
            text: self.text.clone(),
            applied_at: tx.now(),
        };
        tx.add_definitions(&stored).await?;
        let views: serde_json::Map<_, _> =
            self.definitions.views().map(|view| (view.name.clone(), json!(view.digest()))).collect();
        let services: Vec<&str> = self.definitions.services().map(|s| s.name.as_str()).collect();
        let body = json!({
            "revision": stored.revision, "digest": digest, "views": views, "services": services,
        });
        tx.record(Event::new("features.applied", self.scope().subject, body));
        Ok(Applied { revision: stored.revision, digest, changed: true })
    }
}

/// Notes that the rows of a view up to a data time were carried to the online stores. The same again
/// changes nothing and records nothing.
#[derive(Debug)]
pub struct RecordMaterialisation {
    /// The workspace.
    pub workspace: Name,
    /// What was done.
    pub materialisation: Materialisation,
}

#[async_trait]
impl Command for RecordMaterialisation {
    type Tx = dyn FeaturesTx;
    type Out = ();
    type Error = FeaturesError;

    fn action(&self) -> Action {
        Action::FeatureWrite
    }

    fn scope(&self) -> Scope {
        let Materialisation { project, view, .. } = &self.materialisation;
        Scope::new(self.workspace.clone(), Subject::new(ResourceKind::Feature, format!("{project}/{view}")))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), FeaturesError> {
        let done = &self.materialisation;
        let stored = tx.definitions(&done.project).await?;
        let definitions = stored.map(|stored| Definitions::parse(&stored.text)).transpose()?;
        let no_view = || FeaturesError::NoView { project: done.project.clone(), view: done.view.clone() };
        let view = definitions.as_ref().and_then(|all| all.view(&done.view)).ok_or_else(no_view)?;
        if view.digest() != done.definition {
            return Err(FeaturesError::Redefined(done.view.clone()));
        }
        if let Some(before) = tx.materialisation(&done.project, &done.view).await? {
            if before == *done {
                return Ok(());
            }
            if before.definition == done.definition && before.until > done.until {
                let (view, found, until) = (done.view.clone(), before.until, done.until);
                return Err(FeaturesError::Backwards { view, found, until });
            }
        }
        tx.put_materialisation(done).await?;
        let body = json!({
            "view": done.view, "definition": done.definition, "until": done.until.to_string(),
            "rows": done.rows, "digest": done.digest,
        });
        tx.record(Event::new("features.materialised", self.scope().subject, body));
        Ok(())
    }
}
