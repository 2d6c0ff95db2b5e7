//! Why features could not be computed.

use arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use mainstay_core::error::{Cause, Coded, ErrorCode, StorageError};
use mainstay_data::schema::SchemaError;
use mainstay_features::online::{KeyError, PackError};
use mainstay_features::window::WindowError;
use thiserror::Error;

use crate::error::QueryError;

/// Why features could not be computed.
#[derive(Debug, Error)]
pub enum FeatureError {
    /// An SQL expression of a definition does not fit its table.
    #[error("{place}: the expression {expression:?} cannot be used: {problem}")]
    Expression {
        /// Where it stands in the definitions.
        place: String,
        /// The text.
        expression: String,
        /// The first line of what is wrong.
        problem: String,
    },
    /// The entity rows lack a column.
    #[error("the entity rows have no column {0:?}; they need row_id, event_timestamp and every join key")]
    EntityColumn(String),
    /// A feature that no view gives.
    #[error("the feature view {view:?} has no feature {feature:?}")]
    NoFeature {
        /// The view.
        view: String,
        /// The feature.
        feature: String,
    },
    /// The service has no label, or a view's table was not given.
    #[error("{0}")]
    Incomplete(String),
    /// Two columns of a frame would have one name.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// Facts cannot be folded.
    #[error(transparent)]
    Window(#[from] WindowError),
    /// A row cannot be packed or unpacked.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// A key cannot be encoded.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The query, the files or the disk.
    #[error(transparent)]
    Query(#[from] QueryError),
}

impl Coded for FeatureError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Expression { .. } => ErrorCode::InvalidDefinition,
            Self::EntityColumn(_) | Self::NoFeature { .. } | Self::Incomplete(_) => {
                ErrorCode::InvalidArgument
            }
            Self::Schema(error) => error.code(),
            Self::Window(error) => error.code(),
            Self::Pack(error) => error.code(),
            Self::Key(error) => error.code(),
            Self::Query(error) => error.code(),
        }
    }
}

impl From<DataFusionError> for FeatureError {
    fn from(error: DataFusionError) -> Self {
        Self::Query(error.into())
    }
}

impl From<ArrowError> for FeatureError {
    fn from(error: ArrowError) -> Self {
        Self::Query(error.into())
    }
}

impl From<StorageError> for FeatureError {
    fn from(error: StorageError) -> Self {
        Self::Query(error.into())
    }
}

/// A column that a plan of ours should have given and did not.
pub(super) fn missing(column: &str) -> FeatureError {
    FeatureError::Query(QueryError::Failed(Cause::from(format!("the plan gave no usable column {column}"))))
}
