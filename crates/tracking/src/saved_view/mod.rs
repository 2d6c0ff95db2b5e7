//! Views of runs that people keep: a name, of which experiments, and what the console's address says then
//! (filter, order, columns, groups, charts). They belong to the workspace, so that everybody in it sees the same.
//!
//! The server does not look into what the address says beyond its alphabet: the console reads it as it reads any
//! address that a person typed.

mod command;
pub mod port;

use std::fmt;

use mainstay_core::error::{Coded, ErrorCode, StorageError};
use mainstay_core::name::Name;
use mainstay_core::permission::Readable;
use mainstay_core::time::MachineTime;
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use command::{DeleteSavedView, SaveView};

use crate::experiment::ExperimentId;

/// Longest query of a view, in bytes.
pub const MAX_QUERY: usize = 16_384;
/// Most experiments that a view names.
pub const MAX_EXPERIMENTS: usize = 1_000;
/// Most views of a workspace.
pub const MAX_VIEWS: usize = 1_000;

/// Why a command on saved views was refused.
#[derive(Debug, Error)]
pub enum SavedViewError {
    /// It cannot be the query of an address.
    #[error(
        "'query' is what stands behind the '?' of the console's address: at most {MAX_QUERY} bytes, \
         percent-encoded (RFC 3986)"
    )]
    Query,
    /// It names too many experiments.
    #[error("a view is of at most {MAX_EXPERIMENTS} experiments; leave them out to mean all")]
    Experiments,
    /// There is no such view.
    #[error("there is no saved view named '{0}'")]
    NoView(Name),
    /// The workspace is full of them.
    #[error("a workspace keeps at most {MAX_VIEWS} saved views; delete some")]
    TooMany,
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Coded for SavedViewError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Query | Self::Experiments => ErrorCode::InvalidArgument,
            Self::NoView(_) => ErrorCode::NotFound,
            Self::TooMany => ErrorCode::WrongState,
            Self::Storage(error) => error.code(),
        }
    }
}

/// The query of an address, checked: nothing in it ends a header, an attribute or the query itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ViewQuery(String);

impl ViewQuery {
    /// Checks a text (RFC 3986, "query"); `"` `<` `>` and the like must be percent-encoded.
    pub fn new(text: impl Into<String>) -> Result<Self, SavedViewError> {
        let text = text.into();
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?%".contains(&byte);
        if text.len() > MAX_QUERY || !text.bytes().all(plain) {
            return Err(SavedViewError::Query);
        }
        Ok(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ViewQuery {
    type Error = SavedViewError;

    fn try_from(text: String) -> Result<Self, SavedViewError> {
        Self::new(text)
    }
}

impl From<ViewQuery> for String {
    fn from(query: ViewQuery) -> Self {
        query.0
    }
}

impl fmt::Display for ViewQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A view that somebody kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedView {
    /// What people call it; one of a kind in its workspace.
    pub name: Name,
    /// Of which experiments, in no order; of all where none is named.
    pub experiments: Vec<ExperimentId>,
    /// What the address says.
    pub query: ViewQuery,
    /// Who saved it last.
    pub author: String,
    /// When.
    pub saved: MachineTime,
}

impl SavedView {
    /// Whether somebody may see all that it is of.
    pub fn is_open_to(&self, readable: &Readable) -> bool {
        match self.experiments.as_slice() {
            [] => *readable == Readable::All,
            named => named.iter().all(|id| readable.has(id)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_is_open_to_whoever_may_read_all_of_it() {
        let view = |experiments: &[u64]| SavedView {
            name: Name::new("v").unwrap(),
            experiments: experiments.iter().map(|id| ExperimentId(*id)).collect(),
            query: ViewQuery::new("").unwrap(),
            author: String::new(),
            saved: MachineTime::from_micros(0),
        };
        let one = Readable::Only(["1".to_owned()].into());
        let open: Vec<bool> = [&[1][..], &[1, 2], &[]].map(|ids| view(ids).is_open_to(&one)).into();
        assert_eq!(open, [true, false, false]);
        assert!(view(&[]).is_open_to(&Readable::All));
    }

    #[test]
    fn a_query_holds_nothing_that_ends_it() {
        let good =
            "filter=metrics.%60val%2Floss%60%20%3C%200.3&order=metrics.loss%20ASC&col=!160:metrics.loss";
        assert_eq!(ViewQuery::new(good).unwrap().as_str(), good);
        assert!(ViewQuery::new("").is_ok());
        for bad in ["a b", "a#b", "a\r\nSet-Cookie: x", "a\"b", "<script>", "ü"] {
            assert!(ViewQuery::new(bad).is_err(), "{bad}");
        }
        assert!(ViewQuery::new("a".repeat(MAX_QUERY + 1)).is_err());
    }
}
