//! Pages of our own API: `?limit=50&page_token=…` gives `{"items": […], "next_page_token": …}`.
//!
//! Pages are by key, so that what is added or removed meanwhile neither repeats nor hides an item.

use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::page::{Page, PageRequest, PageToken};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error as ThisError;

use super::Error;

/// Items of a page whose request does not say.
const DEFAULT_LIMIT: usize = 50;
/// Most items of a page.
pub(super) const MAX_LIMIT: usize = 500;

/// The limit is zero or too large.
#[derive(Debug, ThisError)]
#[error("'limit' is a whole number from 1 to {MAX_LIMIT}")]
struct InvalidLimit;

impl Coded for InvalidLimit {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidArgument
    }
}

/// Which page is wanted.
#[derive(Debug, Deserialize)]
pub(super) struct PageParams {
    limit: Option<usize>,
    page_token: Option<String>,
}

impl PageParams {
    /// At most so many items.
    pub(super) fn limit(&self) -> Result<usize, Error> {
        match self.limit.unwrap_or(DEFAULT_LIMIT) {
            limit @ 1..=MAX_LIMIT => Ok(limit),
            _ => Err(InvalidLimit.into()),
        }
    }

    /// The page, of a listing whose keys are `K`: a token that holds no such key is refused here, and
    /// not by the store.
    pub(super) fn request<K: DeserializeOwned>(&self) -> Result<PageRequest, Error> {
        let after = self.page_token.as_deref().map(str::parse::<PageToken>).transpose()?;
        if let Some(token) = &after {
            token.key::<K>()?;
        }
        Ok(PageRequest { limit: self.limit()?, after })
    }

    /// The key behind which the page starts.
    pub(super) fn after<K: DeserializeOwned>(&self) -> Result<Option<K>, Error> {
        let token = self.page_token.as_deref().map(str::parse::<PageToken>).transpose()?;
        Ok(token.map(|token| token.key()).transpose()?)
    }
}

/// One page on the wire.
#[derive(Debug, Serialize)]
pub(super) struct Listing<T> {
    items: Vec<T>,
    next_page_token: Option<String>,
}

impl<T> Listing<T> {
    /// A page, each item as its wire type.
    pub(super) fn of<I>(page: Page<I>, wire: impl FnMut(I) -> T) -> Self {
        Self {
            next_page_token: page.next.map(|token| token.to_string()),
            items: page.items.into_iter().map(wire).collect(),
        }
    }

    /// A listing that is always whole.
    pub(super) fn whole(items: Vec<T>) -> Self {
        Self { items, next_page_token: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(limit: Option<usize>, token: Option<&str>) -> PageParams {
        PageParams { limit, page_token: token.map(str::to_owned) }
    }

    #[test]
    fn tokens_hold_a_key_of_the_listing() {
        let token = PageToken::after(&"iris").to_string();
        let page = params(Some(2), Some(&token));
        assert_eq!(page.after::<String>().unwrap().as_deref(), Some("iris"));
        assert_eq!(page.request::<String>().unwrap().limit, 2);
        assert!(page.request::<u64>().is_err(), "a name is no number");
        assert!(params(None, Some("00")).request::<String>().is_err());
        assert!(params(None, Some("x")).after::<String>().is_err());
    }

    #[test]
    fn limits_are_bounded() {
        assert_eq!(params(None, None).limit().unwrap(), DEFAULT_LIMIT);
        for bad in [0, MAX_LIMIT + 1] {
            assert!(params(Some(bad), None).limit().is_err());
        }
    }
}
