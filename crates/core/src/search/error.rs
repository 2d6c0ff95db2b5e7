//! What is wrong with a search, in the words that clients of `MLflow` know.

use thiserror::Error;

use super::{MAX_DEPTH, MAX_EXPRESSIONS, MAX_ORDERS, MAX_TERMS, MAX_TEXT};
use crate::error::{Coded, ErrorCode};
use crate::page::InvalidPageToken;

/// Why a filter, order or page token is refused. Places are numbers of characters from the start of the text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SearchError {
    /// Longer than [`MAX_TEXT`] or [`MAX_ORDERS`].
    #[error("the search is too long: at most {MAX_TEXT} bytes and {MAX_ORDERS} orders")]
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
    /// Its evaluation took too long.
    #[error(
        "the search took longer than it may; name fewer experiments, or compare fewer texts with LIKE and RLIKE"
    )]
    TooSlow,
    /// The text does not follow the grammar.
    #[error("Invalid clause(s) in filter string at character {at}, near '{near}': expected {expected}")]
    Syntax {
        /// Where.
        at: usize,
        /// What stands there.
        near: String,
        /// What should stand there.
        expected: &'static str,
    },
    /// What is wrong with the comparison that begins there.
    #[error("{error} (the comparison at character {at})")]
    Located {
        /// Where it begins.
        at: usize,
        /// What is wrong.
        error: Box<Self>,
    },
    /// A regular expression cannot be compiled.
    #[error("the regular expression '{expression}' cannot be used: {reason}")]
    Expression {
        /// Its start.
        expression: String,
        /// Why not.
        reason: String,
    },
    /// The column is not of the kind that is needed here.
    #[error("'{column}' cannot stand here; {valid} can")]
    Column {
        /// What was written.
        column: String,
        /// What could be.
        valid: &'static str,
    },
    /// More of something than a search may have.
    #[error("{what} has more than {most} entries; ask for fewer")]
    Many {
        /// Of what.
        what: &'static str,
        /// How many it may have.
        most: usize,
    },
    /// No order of groups.
    #[error(
        "'{0}' is no order of groups; write count, a column of group_by, or count, min, max, mean, first or last of a \
         column of aggregates, such as min(metrics.loss) DESC"
    )]
    GroupOrder(String),
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
    /// Spans have no such column.
    #[error(
        "Invalid span attribute '{0}'. Supported attributes: name, status, type, attributes.<attribute_name>."
    )]
    SpanAttribute(String),
    /// A span is asked for in an `OR` or a `NOT`.
    #[error(
        "What is asked of spans is joined to the rest by AND alone: search twice, or ask for the opposite comparison"
    )]
    SpanJoined,
    /// Issues have no such column.
    #[error("Invalid issue attribute '{0}'. Supported attributes: id")]
    IssueAttribute(String),
    /// A trace may have several of these, which have no order.
    #[error("Invalid identifier type '{0}': traces are not ordered by it")]
    NotOrdered(&'static str),
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

impl SearchError {
    /// This column is compared with a quoted string, or a list of them.
    pub(super) fn not_text(key: &str) -> Self {
        Self::Value { key: key.to_owned(), expected: "a quoted string value" }
    }

    /// This column is compared with a number, or a list of them.
    pub(super) fn not_number(key: &str) -> Self {
        Self::Value { key: key.to_owned(), expected: "a numeric value" }
    }

    /// Says which comparison is wrong, by where it begins.
    #[must_use]
    pub fn of_comparison_at(self, at: usize) -> Self {
        Self::Located { at, error: Box::new(self) }
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
            Self::TooMany { at }
            | Self::TooDeep { at }
            | Self::Syntax { at, .. }
            | Self::Located { at, .. } => Some(*at),
            _ => None,
        }
    }
}
