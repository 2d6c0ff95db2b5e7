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
/// Rows that a [`Selection`] holds beyond two pages, for the sake of short pages.
const SPARE: usize = 64;

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

    /// Makes the page of `rows` that was asked for; `compare` orders them by their keys, which are also the tokens.
    pub fn sorted<K: Clone + Serialize + DeserializeOwned>(
        rows: impl IntoIterator<Item = T>,
        request: &PageRequest,
        key: impl Fn(&T) -> K,
        compare: impl Fn(&K, &K) -> Ordering,
    ) -> Result<Self, InvalidPageToken> {
        let mut selection = Selection::new(request)?;
        for row in rows {
            selection.offer(key(&row), row, &compare);
        }
        Ok(selection.page(&compare))
    }
}

/// A page in the making, of rows that come one after the other in any order: it never holds many more than two
/// pages of them.
#[derive(Debug)]
pub struct Selection<K, T> {
    after: Option<K>,
    limit: usize,
    rows: Vec<(K, T)>,
}

impl<K: Clone + Serialize + DeserializeOwned, T> Selection<K, T> {
    /// Of no rows yet.
    pub fn new(request: &PageRequest) -> Result<Self, InvalidPageToken> {
        Ok(Self { after: request.key()?, limit: request.limit, rows: Vec::new() })
    }

    /// The key of the last row of the page before.
    pub const fn after(&self) -> Option<&K> {
        self.after.as_ref()
    }

    /// How many rows are enough to fill the page and to know that another one follows.
    pub const fn enough(&self) -> usize {
        self.limit.saturating_add(1)
    }

    /// Shows it a row; `compare` is the same for all.
    pub fn offer(&mut self, key: K, row: T, compare: impl Fn(&K, &K) -> Ordering) {
        if self.after.as_ref().is_some_and(|after| compare(&key, after).is_le()) {
            return;
        }
        self.rows.push((key, row));
        let enough = self.enough();
        // Sorted out once for each page that came, so that a row costs about one comparison.
        if self.rows.len() > enough.saturating_mul(2).saturating_add(SPARE) {
            self.rows.select_nth_unstable_by(self.limit, |(a, _), (b, _)| compare(a, b));
            self.rows.truncate(enough);
        }
    }

    /// The page of the rows that it was shown.
    pub fn page(mut self, compare: impl Fn(&K, &K) -> Ordering) -> Page<T> {
        self.rows.sort_by(|(a, _), (b, _)| compare(a, b));
        let Page { items, next } = Page::of(self.rows, self.limit, |(key, _)| key.clone());
        Page { items: items.into_iter().map(|(_, row)| row).collect(), next }
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
    fn a_selection_holds_little_of_what_it_is_shown() {
        let shown: Vec<u64> = (0..10_000).map(|n| n * 7_919 % 10_007).collect();
        let mut sorted = shown.clone();
        sorted.sort_unstable();
        let request = PageRequest { limit: 10, after: Some(PageToken::after(&sorted[99])) };
        let mut selection = Selection::new(&request).unwrap();
        for n in shown {
            selection.offer(n, n, Ord::cmp);
            assert!(selection.rows.len() <= 2 * 11 + SPARE);
        }
        let page = selection.page(Ord::cmp);
        assert_eq!(page.items, sorted[100..110]);
        assert_eq!(page.next.map(|token| token.key()), Some(Ok(sorted[109])));
        let all = Page::sorted([2, 1], &PageRequest::first(usize::MAX), |n| *n, Ord::cmp).unwrap();
        assert_eq!(all, Page { items: vec![1, 2], next: None });
    }

    #[test]
    fn foreign_tokens_are_refused() {
        assert_eq!("not hex".parse::<PageToken>(), Err(InvalidPageToken));
        assert_eq!("00".parse::<PageToken>().and_then(|t| t.key::<u64>()), Err(InvalidPageToken));
    }
}
