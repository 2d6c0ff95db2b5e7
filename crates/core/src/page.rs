//! Keyset pages: a token carries the key of the last item shown, never an offset.

use std::cmp::Ordering;
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

    /// The key of the last item of the page before, of a listing whose keys are `K`.
    pub fn key<K: DeserializeOwned>(&self) -> Result<Option<K>, InvalidPageToken> {
        self.after.as_ref().map(PageToken::key).transpose()
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

    /// Makes the page of `rows`, all of which are at hand, that was asked for; `compare` orders them by
    /// their keys, which are also the tokens.
    pub fn sorted<K: Clone + Serialize + DeserializeOwned>(
        rows: impl IntoIterator<Item = T>,
        request: &PageRequest,
        key: impl Fn(&T) -> K,
        compare: impl Fn(&K, &K) -> Ordering,
    ) -> Result<Self, InvalidPageToken> {
        let after: Option<K> = request.key()?;
        let mut rows: Vec<(K, T)> = rows
            .into_iter()
            .map(|row| (key(&row), row))
            .filter(|(key, _)| after.as_ref().is_none_or(|after| compare(key, after).is_gt()))
            .collect();
        rows.sort_by(|(a, _), (b, _)| compare(a, b));
        let Page { items, next } = Page::of(rows, request.limit, |(key, _)| key.clone());
        Ok(Self { items: items.into_iter().map(|(_, row)| row).collect(), next })
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
    fn sorted_pages_show_every_row_once() {
        let (mut seen, mut request) = (Vec::new(), PageRequest::first(2));
        loop {
            let page = Page::sorted([3, 1, 5, 2, 4], &request, |n| *n, |a, b| b.cmp(a)).unwrap();
            seen.push(page.items);
            request.after = page.next;
            if request.after.is_none() {
                break;
            }
        }
        assert_eq!(seen, [vec![5, 4], vec![3, 2], vec![1]]);
        let foreign = PageRequest { limit: 1, after: Some(PageToken::after(&"x")) };
        assert_eq!(Page::sorted([1], &foreign, |n| *n, Ord::cmp), Err(InvalidPageToken));
    }

    #[test]
    fn foreign_tokens_are_refused() {
        assert_eq!("not hex".parse::<PageToken>(), Err(InvalidPageToken));
        assert_eq!("00".parse::<PageToken>().and_then(|t| t.key::<u64>()), Err(InvalidPageToken));
    }
}
