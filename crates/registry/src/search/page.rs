//! The searches themselves, which are shown models and versions one after the other.

use std::ops::ControlFlow;

use mainstay_core::page::{Page, PageRequest, Selection};
use mainstay_core::permission::Readable;

use super::SearchError;
use super::filter::{ModelFilter, VersionFilter};
use super::order::{Key, ModelOrder, VersionOrder};
use crate::model::{ModelDetail, VersionDetail};
use crate::name::ModelName;

/// A search that is shown models one after the other, by name.
#[derive(Debug)]
pub struct ModelSearch {
    filter: ModelFilter,
    order: ModelOrder,
    readable: Readable,
    found: Selection<Key, ModelDetail>,
    matched: usize,
}

impl ModelSearch {
    /// A search for one page of the models that match, among those that the caller may see.
    pub fn new(
        filter: ModelFilter,
        order: ModelOrder,
        readable: Readable,
        page: &PageRequest,
    ) -> Result<Self, SearchError> {
        Ok(Self { filter, order, readable, found: Selection::new(page)?, matched: 0 })
    }

    /// Behind which model it may begin: those before it are of an earlier page.
    pub fn behind(&self) -> Option<&ModelName> {
        self.found.after().filter(|_| self.order.is_by_name()).map(|key| &key.name)
    }

    /// Shows it a model; breaks where the rest cannot matter.
    pub fn see(&mut self, detail: ModelDetail) -> ControlFlow<()> {
        if self.readable.has(&detail.model.name) && self.filter.matches(&detail) {
            self.found.offer(Key::of_model(&detail.model), detail, |a, b| self.order.compare(a, b));
            self.matched += 1;
        }
        let is_enough = self.order.is_by_name() && self.matched >= self.found.enough();
        if is_enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// The page of those that matched.
    pub fn page(self) -> Page<ModelDetail> {
        self.found.page(|a, b| self.order.compare(a, b))
    }
}

/// A search that is shown versions one after the other, in any order.
#[derive(Debug)]
pub struct VersionSearch {
    filter: VersionFilter,
    order: VersionOrder,
    readable: Readable,
    found: Selection<Key, VersionDetail>,
}

impl VersionSearch {
    /// A search for one page of the versions that match, among those of the models that the caller may see.
    pub fn new(
        filter: VersionFilter,
        order: VersionOrder,
        readable: Readable,
        page: &PageRequest,
    ) -> Result<Self, SearchError> {
        Ok(Self { filter, order, readable, found: Selection::new(page)? })
    }

    /// The one model whose versions can match, if the filter names one: spares reading the others.
    pub fn model_name(&self) -> Option<&str> {
        self.filter.model_name()
    }

    /// Shows it a version.
    pub fn see(&mut self, detail: VersionDetail) {
        if self.readable.has(&detail.version.model) && self.filter.matches(&detail) {
            self.found.offer(Key::of_version(&detail.version), detail, |a, b| self.order.compare(a, b));
        }
    }

    /// The page of those that matched.
    pub fn page(self) -> Page<VersionDetail> {
        self.found.page(|a, b| self.order.compare(a, b))
    }
}
