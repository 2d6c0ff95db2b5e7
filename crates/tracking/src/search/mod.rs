//! The search language ([`mainstay_core::search`]) for runs, experiments and logged models, as typed filters and
//! orders. For runs:
//!
//! | entity | also | comparators | value |
//! |---|---|---|---|
//! | `metric` | `metrics` | `= != < <= > >= [NOT] BETWEEN [NOT] IN`, `IS [NOT] NULL` | number, list |
//! | `parameter` | `parameters`, `param`, `params` | `= != LIKE ILIKE RLIKE [NOT] IN`, `IS [NOT] NULL` | string, list |
//! | `tag` | `tags` | likewise | string, list |
//! | `dataset` | `datasets` | likewise | `name`, `digest`, `context`: string, list |
//! | `attribute` | `attributes`, `attr`, `run` | numeric ones as metrics; others as parameters | |
//!
//! A missing metric, parameter, tag or attribute fails every comparison but `IS NULL`; a NaN fails every
//! comparison but `!=`, `NOT IN` and `IS NOT NULL`.

mod experiment;
mod group;
mod logged_model;
mod logged_model_search;
mod projection;
mod run;

pub use mainstay_core::search::SearchError;

pub use experiment::{ExperimentFilter, ExperimentOrder, search_experiments};
pub use group::{Figure, GroupColumn, GroupOrder, NumberColumn, RunGrouping};
pub use logged_model::{LoggedModelFilter, LoggedModelOrder, MeasuredOn};
pub use logged_model_search::{LoggedModelSearch, LookedAt};
pub use projection::{Names, RunProjection};
pub(crate) use run::{DatasetField, RunColumn, RunTest, TextAttribute, TimeAttribute};
pub use run::{RunFilter, RunOrder};

use crate::run::Lifecycle;

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
