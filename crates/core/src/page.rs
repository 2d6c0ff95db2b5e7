//! Keyset pages: a token carries the key of the last item shown, never an offset.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::error::{Coded, ErrorCode};

/// The token was not made by this server.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the page token is not one that this server gave out; start again without it")]
pub struct InvalidPageToken;

impl Coded for InvalidPageToken {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidArgument
    }
}

/// Longest token accepted, in characters.
const MAX_TOKEN: usize = 4096;

/// An opaque position in a listing: hexadecimal JSON of the last key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageToken(String);

impl PageToken {
    /// A token for the key of the last item of a page.
    pub fn after<K: Serialize>(key: &K) -> Self {
        Self(hex::encode(serde_json::to_vec(key).unwrap_or_default()))
    }

    /// The key inside.
    pub fn key<K: DeserializeOwned>(&self) -> Result<K, InvalidPageToken> {
        let bytes = hex::decode(&self.0).map_err(|_| InvalidPageToken)?;
        serde_json::from_slice(&bytes).map_err(|_| InvalidPageToken)
    }
}

impl fmt::Display for PageToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for PageToken {
    type Err = InvalidPageToken;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAX_TOKEN || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(InvalidPageToken);
        }
        Ok(Self(text.to_owned()))
    }
}

/// Which part of a listing is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// At most this many items.
    pub limit: usize,
    /// Where the page before ended.
    pub after: Option<PageToken>,
}

impl PageRequest {
    /// The first `limit` items.
    pub const fn first(limit: usize) -> Self {
        Self { limit, after: None }
    }
}

/// One page of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, in the listing's order.
    pub items: Vec<T>,
    /// Where to go on; `None` at the end.
    pub next: Option<PageToken>,
}

impl<T> Page<T> {
    /// Makes a page of `rows`, of which one more than `limit` may have been read to learn whether
    /// there is a further page; `key` gives an item's position.
    pub fn of<K: Serialize>(mut rows: Vec<T>, limit: usize, key: impl Fn(&T) -> K) -> Self {
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|last| PageToken::after(&key(last)));
        Self { items: rows, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_knows_whether_more_follows() {
        let page = Page::of(vec![1, 2, 3], 2, |n| *n);
        assert_eq!(page.items, [1, 2]);
        assert_eq!(page.next.map(|t| t.key()), Some(Ok(2)));
        assert_eq!(Page::of(vec![1, 2], 2, |n| *n).next, None);
    }

    #[test]
    fn foreign_tokens_are_refused() {
        assert_eq!("not hex".parse::<PageToken>(), Err(InvalidPageToken));
        assert_eq!("00".parse::<PageToken>().and_then(|t| t.key::<u64>()), Err(InvalidPageToken));
    }
}
