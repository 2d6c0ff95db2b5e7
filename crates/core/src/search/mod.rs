//! The search language that `MLflow` speaks (`mlflow/utils/search_utils.py`): filters and orders as
//! texts, and tests of single values. Which columns there are, and of what type, is a domain's.
//!
//! A filter is comparisons joined by `AND`; there is no `OR` and no parenthesis. A column is
//! `entity.key`, or a bare key for an attribute; a key with unusual characters stands in backticks or
//! quotes. A string stands in single or double quotes and is taken as it is, never unescaped.
//!
//! [`parse`] gives [`Comparison`]s. A domain looks up the column of each and makes a [`TextTest`] or a
//! [`NumberTest`] of the rest. Each refusal is a [`Fault`], which the domain says in the words that its
//! clients know.

mod expression;
mod pattern;
mod syntax;
mod test;

pub use expression::Expression;
pub use pattern::Pattern;
pub use syntax::{Column, Comparison, Op, Operand, parse, parse_order, parse_orders};
pub use test::{Extra, NumberTest, TextTest};

/// Longest filter or order text, in bytes; a list of a thousand run ids fits.
pub const MAX_TEXT: usize = 64 * 1024;
/// Most comparisons in one filter.
pub const MAX_TERMS: usize = 100;
/// Most columns in one order.
pub const MAX_ORDERS: usize = 16;

/// Why a text is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Longer than [`MAX_TEXT`], [`MAX_TERMS`] or [`MAX_ORDERS`].
    TooLong,
    /// It does not follow the grammar.
    Syntax {
        /// Where: the start of what could not be read.
        near: String,
        /// What should stand there.
        expected: &'static str,
    },
    /// The column does not have this comparator.
    Comparator {
        /// The column.
        key: String,
        /// The comparator.
        op: &'static str,
    },
    /// This column is compared with a quoted string, or a list of them.
    NotText(String),
    /// This column is compared with a number.
    NotNumber(String),
    /// This column stands twice in an order.
    Twice(String),
}
