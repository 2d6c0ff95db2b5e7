//! `MLflow`'s search language for runs and experiments (`mlflow/utils/search_utils.py`), as typed
//! filters and orders.
//!
//! A filter is comparisons joined by `AND`; there is no `OR` and no parenthesis. A column is
//! `entity.key`, or a bare key for an attribute; a key with unusual characters stands in backticks or
//! double quotes. A string stands in single or double quotes and is taken as it is, never unescaped.
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
mod pattern;
mod run;
mod syntax;
mod test;

use mainstay_core::error::{Coded, ErrorCode};
use thiserror::Error;

pub use experiment::{ExperimentFilter, ExperimentOrder, search_experiments};
pub use logged_model::{LoggedModelFilter, LoggedModelOrder, MeasuredOn, search_logged_models};
pub(crate) use run::{DatasetField, RunColumn, RunTest, TextAttribute, TimeAttribute};
pub use run::{RunFilter, RunOrder};
pub(crate) use test::TextTest;

use crate::run::Lifecycle;

/// Longest filter or order text, in bytes; a list of a thousand run ids fits.
pub const MAX_TEXT: usize = 64 * 1024;
/// Most comparisons in one filter.
pub const MAX_TERMS: usize = 100;
/// Most columns in one order.
pub const MAX_ORDERS: usize = 16;

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
    /// A column stands twice in an order.
    #[error("`order_by` contains duplicate fields: '{0}' stands twice")]
    Twice(String),
    /// The page token does not fit this search.
    #[error("the page token is not one of this search; start again without it")]
    PageToken,
}

impl Coded for SearchError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::PageToken => ErrorCode::InvalidArgument,
            _ => ErrorCode::InvalidFilter,
        }
    }
}
