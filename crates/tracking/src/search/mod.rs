//! `MLflow`'s search language ([`mainstay_core::search`]) for runs, experiments and logged models, as
//! typed filters and orders.
//!
//! | entity | also | comparators | value |
//! |---|---|---|---|
//! | `metric` | `metrics` | `= != < <= > >=` | number |
//! | `parameter` | `parameters`, `param`, `params` | `= != LIKE ILIKE`, `IS [NOT] NULL` | string |
//! | `tag` | `tags` | likewise | string |
//! | `dataset` | `datasets` | `= != LIKE ILIKE [NOT] IN` | `name`, `digest`, `context`: string, list |
//! | `attribute` | `attributes`, `attr`, `run` | numeric ones as metrics; others as datasets | |
//!
//! A missing metric, parameter or tag fails every comparison but `IS NULL`; a NaN fails every
//! comparison but `!=`.

mod experiment;
mod logged_model;
mod run;

use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::page::InvalidPageToken;
use mainstay_core::search::{Fault, MAX_ORDERS, MAX_TERMS, MAX_TEXT};
use thiserror::Error;

pub use experiment::{ExperimentFilter, ExperimentOrder, search_experiments};
pub use logged_model::{LoggedModelFilter, LoggedModelOrder, MeasuredOn, search_logged_models};
pub(crate) use run::{DatasetField, RunColumn, RunTest, TextAttribute, TimeAttribute};
pub use run::{RunFilter, RunOrder};

use crate::run::Lifecycle;

/// Whether what is deleted is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Only what is alive.
    Active,
    /// Only what is deleted.
    Deleted,
    /// Both.
    All,
}

impl View {
    /// Whether something in this stage is shown.
    pub fn shows(self, lifecycle: Lifecycle) -> bool {
        match self {
            Self::Active => lifecycle == Lifecycle::Active,
            Self::Deleted => lifecycle == Lifecycle::Deleted,
            Self::All => true,
        }
    }
}

/// Why a filter, order or page token is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SearchError {
    /// Longer than [`MAX_TEXT`], [`MAX_TERMS`] or [`MAX_ORDERS`].
    #[error(
        "the search is too long: at most {MAX_TEXT} bytes, {MAX_TERMS} comparisons and {MAX_ORDERS} orders"
    )]
    TooLong,
    /// The text does not follow the grammar.
    #[error("Invalid clause(s) in filter string near '{near}': expected {expected}")]
    Syntax {
        /// Where.
        near: String,
        /// What should stand there.
        expected: &'static str,
    },
    /// There is no such entity.
    #[error("Invalid entity type '{entity}'. Valid values are {valid}")]
    Entity {
        /// What was written.
        entity: String,
        /// What could be.
        valid: &'static str,
    },
    /// There is no such attribute.
    #[error("Invalid attribute key '{key}' specified. Valid keys are {valid}")]
    Attribute {
        /// What was written.
        key: String,
        /// What could be.
        valid: &'static str,
    },
    /// The column does not have this comparator.
    #[error("Invalid comparator '{op}' for '{key}'")]
    Comparator {
        /// The column.
        key: String,
        /// The comparator.
        op: &'static str,
    },
    /// The value is not of the column's type.
    #[error("Expected {expected} for '{key}'")]
    Value {
        /// The column.
        key: String,
        /// What it is compared with.
        expected: &'static str,
    },
    /// A prompt is named, and nothing else.
    #[error(
        "Invalid comparator '{0}' for prompts filter. Only '=' is supported with format: prompt = \"name/version\""
    )]
    PromptComparator(&'static str),
    /// The text names no version of a prompt.
    #[error("Invalid prompts filter value '{0}'. Expected format: prompt = \"name/version\"")]
    PromptValue(String),
    /// What is kept as several columns has few comparators.
    #[error(
        "Comparator '{op}' is not supported for reserved metadata '{key}'. Only '=', '!=', 'IS NULL', and \
         'IS NOT NULL' are supported."
    )]
    ReservedComparator {
        /// The comparator.
        op: &'static str,
        /// The key.
        key: String,
    },
    /// What is kept as several columns has no order.
    #[error(
        "Ordering by reserved metadata '{0}' is not supported because it is represented by multiple columns."
    )]
    ReservedOrder(String),
    /// A column stands twice in an order.
    #[error("`order_by` contains duplicate fields: '{0}' stands twice")]
    Twice(String),
    /// The page token does not fit this search.
    #[error("the page token is not one of this search; start again without it")]
    PageToken,
}

impl From<Fault> for SearchError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::TooLong => Self::TooLong,
            Fault::Syntax { near, expected } => Self::Syntax { near, expected },
            Fault::Comparator { key, op } => Self::Comparator { key, op },
            Fault::NotText(key) => Self::Value { key, expected: "a quoted string value" },
            Fault::NotNumber(key) => Self::Value { key, expected: "a numeric value" },
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
}
