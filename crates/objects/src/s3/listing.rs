//! What lies in a directory of a bucket: a page of the store's answers at a time.

use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use mainstay_core::error::StorageError;
use mainstay_core::object::{Entries, Entry};
use object_store::ListResult;
use object_store::aws::AmazonS3;
use object_store::list::{PaginatedListOptions, PaginatedListStore as _};
use object_store::path::Path;

use super::answered;

/// Which page comes next.
enum Next {
    First,
    After(String),
    None,
}

/// What lies in a folder; in the whole bucket if none is named.
pub(super) fn entries(s3: Arc<AmazonS3>, folder: Option<Path>) -> Entries {
    let prefix = folder.as_ref().map(|folder| format!("{folder}/"));
    let pages = stream::try_unfold((s3, prefix, Next::First), |(s3, prefix, next)| async move {
        let page_token = match next {
            Next::First => None,
            Next::After(token) => Some(token),
            Next::None => return Ok(None),
        };
        let options = PaginatedListOptions {
            delimiter: Some("/".into()),
            page_token,
            ..PaginatedListOptions::default()
        };
        let page = match answered("listing a directory", s3.list_paginated(prefix.as_deref(), options)).await
        {
            Ok(page) => page,
            Err(refusal) => return Err(StorageError::from(refusal)),
        };
        let next = page.page_token.map_or(Next::None, Next::After);
        Ok(Some((page.result, (s3, prefix, next))))
    });
    Box::pin(pages.map_ok(move |page| named(&page, folder.as_ref())).try_flatten())
}

/// The names of a page.
fn named(page: &ListResult, folder: Option<&Path>) -> Entries {
    let entry = |path: &Path, size| Some(Ok(Entry { name: path.filename()?.to_owned(), size }));
    // Some tools make a directory by an object of its name, which is no file in it.
    let files = page.objects.iter().filter(|meta| Some(&meta.location) != folder);
    let files = files.filter_map(|meta| entry(&meta.location, Some(meta.size)));
    let directories = page.common_prefixes.iter().filter_map(|path| entry(path, None));
    stream::iter(files.chain(directories).collect::<Vec<_>>()).boxed()
}
