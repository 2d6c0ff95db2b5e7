//! `MLflow`'s search over models and versions: filter and order texts, evaluated over what a
//! [`RegistryReader`](crate::port::RegistryReader) handed out.
//!
//! The language is that of [`mainstay_core::search`], the columns those of `SearchModelUtils` and
//! `SearchModelVersionUtils`: `name`, `run_id`, `source_path` and `tags.key`, which are texts, and the number
//! `version_number`. Prompts, which are models
//! with the tag `mlflow.prompt.is_prompt`, are hidden unless the filter names that tag.

mod filter;
mod order;

use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::page::InvalidPageToken;
use mainstay_core::search::{Fault, MAX_DEPTH, MAX_EXPRESSIONS, MAX_ORDERS, MAX_TERMS, MAX_TEXT};
use thiserror::Error;

pub use filter::{ModelFilter, VersionFilter};
pub use order::{ModelOrder, VersionOrder, search_models, search_versions};

/// Why a filter or order text is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SearchError {
    /// Longer than [`MAX_TEXT`] or [`MAX_ORDERS`].
    #[error("the filter is too long: at most {MAX_TEXT} bytes and {MAX_ORDERS} orders")]
    TooLong,
    /// More than [`MAX_TERMS`] or [`MAX_EXPRESSIONS`].
    #[error(
        "the filter has more than {MAX_TERMS} comparisons, or more than {MAX_EXPRESSIONS} with RLIKE, from character \
         {at} on; write IN for many values of one column"
    )]
    TooMany {
        /// Where the first one too many stands.
        at: usize,
    },
    /// Deeper than [`MAX_DEPTH`].
    #[error("the filter has more than {MAX_DEPTH} parentheses and NOTs inside one another at character {at}")]
    TooDeep {
        /// Where.
        at: usize,
    },
    /// The text does not follow the grammar.
    #[error("invalid filter at character {at}, near '{near}': expected {expected}")]
    Syntax {
        /// Where.
        at: usize,
        /// What stands there.
        near: String,
        /// What should stand there.
        expected: &'static str,
    },
    /// There is no such column here.
    #[error("invalid attribute key '{key}'; valid keys are {valid}")]
    Column {
        /// What was written.
        key: String,
        /// What could be.
        valid: &'static str,
    },
    /// The column does not have this comparator.
    #[error("invalid comparator '{op}' for '{key}'")]
    Comparator {
        /// The column.
        key: String,
        /// The comparator.
        op: &'static str,
    },
    /// The value is not of the column's type.
    #[error("'{key}' is compared with {expected}")]
    Value {
        /// The column.
        key: String,
        /// What it is compared with.
        expected: &'static str,
    },
    /// A regular expression cannot be compiled.
    #[error("the regular expression '{expression}' cannot be used: {reason}")]
    Expression {
        /// Its start.
        expression: String,
        /// Why not.
        reason: String,
    },
    /// A column stands twice in an order.
    #[error("'{0}' stands twice in order_by")]
    Twice(String),
    /// The page token does not fit this search.
    #[error("the page token is not one of this search; start again without it")]
    PageToken,
}

impl From<Fault> for SearchError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::TooLong => Self::TooLong,
            Fault::TooMany { at } => Self::TooMany { at },
            Fault::TooDeep { at } => Self::TooDeep { at },
            Fault::Syntax { at, near, expected } => Self::Syntax { at, near, expected },
            Fault::Comparator { key, op } => Self::Comparator { key, op },
            Fault::NotText(key) => Self::Value { key, expected: "a quoted string" },
            Fault::NotNumber(key) => Self::Value { key, expected: "a number" },
            Fault::Expression { expression, reason } => Self::Expression { expression, reason },
            Fault::Twice(key) => Self::Twice(key),
        }
    }
}

impl From<InvalidPageToken> for SearchError {
    fn from(InvalidPageToken: InvalidPageToken) -> Self {
        Self::PageToken
    }
}

impl Coded for SearchError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::PageToken => ErrorCode::InvalidArgument,
            _ => ErrorCode::InvalidFilter,
        }
    }

    fn position(&self) -> Option<usize> {
        match self {
            Self::TooMany { at } | Self::TooDeep { at } | Self::Syntax { at, .. } => Some(*at),
            _ => None,
        }
    }
}
