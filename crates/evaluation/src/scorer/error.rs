//! Why a scorer is refused. Sentences that clients read begin as `MLflow`'s do.

use mainstay_core::error::{Coded, ErrorCode, StorageError};
use mainstay_core::experiment::ExperimentError;
use mainstay_core::text::TextError;
use thiserror::Error;

use mainstay_core::experiment::ExperimentId;
use mainstay_core::search::SearchError;

/// Why a command on scorers was refused.
#[derive(Debug, Error)]
pub enum ScorerError {
    /// There is no such scorer, or it has no version.
    #[error("Scorer with name '{name}' not found for experiment {experiment}.")]
    NoScorer {
        /// The experiment.
        experiment: ExperimentId,
        /// The name.
        name: String,
    },
    /// The scorer has no such version.
    #[error("Scorer with name '{name}' and version {version} not found for experiment {experiment}.")]
    NoVersion {
        /// The experiment.
        experiment: ExperimentId,
        /// The name.
        name: String,
        /// What was asked for.
        version: i64,
    },
    /// The name is blank.
    #[error("Scorer name cannot be empty or contain only whitespace.")]
    BlankName,
    /// The description is not JSON.
    #[error("serialized_scorer must be valid JSON")]
    NotJson,
    /// The description is no object.
    #[error("serialized_scorer must be a JSON object")]
    NotObject,
    /// The description holds code.
    #[error(
        "Custom scorer registration (using @scorer decorator) is disabled: its code would have to run inside \
         the server. Keep the code in a repository and pass the scorer to evaluate(), or register a built-in \
         scorer or one of make_judge()"
    )]
    Code,
    /// The arguments of a third-party scorer are no object.
    #[error("third_party_scorer_data.kwargs must be a JSON object")]
    Arguments,
    /// The arguments of a third-party scorer say where it sends its requests.
    #[error(
        "third_party_scorer_data.kwargs must not contain {0}: where a scorer sends its requests is not the \
         client's to choose"
    )]
    Destination(String),
    /// The model is no text.
    #[error("Scorer model must be a string")]
    ModelNotText,
    /// The model is blank.
    #[error("Scorer model cannot be empty or contain only whitespace.")]
    BlankModel,
    /// There is no such gateway endpoint.
    #[error("GatewayEndpoint not found (name='{0}'); make it, or name another one")]
    NoGatewayEndpoint(String),
    /// The share is no share.
    #[error("sample_rate must be between 0.0 and 1.0, got {0:?}")]
    SampleRate(f64),
    /// The server could not run it.
    #[error(
        "Scorer '{0}' does not use a gateway model. Automatic evaluation is only supported for scorers that \
         use gateway models."
    )]
    NotGateway(String),
    /// The server could not know what it needs.
    #[error(
        "Scorer '{0}' requires expectations, but scorers with expectations are not currently supported for \
         automatic evaluation."
    )]
    NeedsExpectations(String),
    /// It is about an experiment.
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    /// A text is not one.
    #[error(transparent)]
    Text(#[from] TextError),
    /// The filter cannot be understood.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Coded for ScorerError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NoScorer { .. } | Self::NoVersion { .. } | Self::NoGatewayEndpoint(_) => {
                ErrorCode::NotFound
            }
            Self::Experiment(error) => error.code(),
            Self::Text(error) => error.code(),
            Self::Search(error) => error.code(),
            Self::Storage(error) => error.code(),
            Self::BlankName
            | Self::NotJson
            | Self::NotObject
            | Self::Code
            | Self::Arguments
            | Self::Destination(_)
            | Self::ModelNotText
            | Self::BlankModel
            | Self::SampleRate(_)
            | Self::NotGateway(_)
            | Self::NeedsExpectations(_) => ErrorCode::InvalidArgument,
        }
    }
}
