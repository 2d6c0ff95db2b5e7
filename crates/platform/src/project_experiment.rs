//! The experiment in which the pipelines of a project keep their runs: the one that bears the project's name.

use mainstay_core::action::Action;
use mainstay_core::error::{Coded, ErrorCode, StorageError};
use mainstay_core::event::{EventLog as _, EventQuery, EventSeq};
use mainstay_core::name::Name;
use mainstay_core::principal::{Actor, Principal};
use mainstay_core::scope::Scope;
use mainstay_governance::people::UserName;
use mainstay_governance::port::PeopleReader as _;
use mainstay_tracking::command::{ArtifactLocation, CreateExperiment};
use mainstay_tracking::error::TrackingError;
use mainstay_tracking::experiment::{Experiment, ExperimentName, experiment_subject};
use mainstay_tracking::port::TrackingReader as _;
use thiserror::Error;

use crate::Platform;

/// How many events of an experiment are read at once.
const PAGE: usize = 100;

/// Why a project has no experiment.
#[derive(Debug, Error)]
pub enum ProjectExperimentError {
    /// Somebody whom a level let in has given an experiment the project's name, and may change what is in it.
    #[error(
        "{actor} has given experiment {name} the name of this project, and has no role that lets pipelines write \
         where they may; rename it, and the step creates another, or give it to somebody with the role developer"
    )]
    Theirs {
        /// Who.
        actor: Actor,
        /// The name of both.
        name: ExperimentName,
    },
    /// It could not be created.
    #[error(transparent)]
    Tracking(#[from] TrackingError),
    /// The policy refuses.
    #[error("{0}")]
    Refused(String),
    /// Another step was first: it is there now.
    #[error("another step created the experiment at the same time")]
    Overtaken,
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
