//! The definitions file: one YAML document with `entities`, `sources`, `feature_views` and
//! `feature_services`.
//!
//! ```yaml
//! entities:
//!   - {name: origin, join_keys: [origin]}          # name or name:dtype, string unless said
//! sources:
//!   - name: departures
//!     dataset: flights                             # whose table versions are read
//!     timestamp: time_hour                         # SQL over its columns: when the fact became known
//!     created: imported_at                         # optional SQL: when we learned of it
//!     filter: dep_delay IS NOT NULL                # optional SQL predicate
//! feature_views:
//!   - name: origin_recent
//!     entities: [origin]
//!     keys: {origin: origin}                       # optional: join key -> SQL, else the key's name
//!     source: departures
//!     ttl: 1d                                      # optional: unlimited without it
//!     aggregates:                                  # or `features: [{name, dtype, expression}]`
//!       - {name: mean_delay_3h, function: mean, column: dep_delay, window: 3h}
//! feature_services:
//!   - name: delay
//!     label: {source: outcomes, expression: arr_delay > 15, dtype: bool}   # optional
//!     features: ["origin_recent:mean_delay_3h"]
//!     request: [{name: hour, dtype: int64, expression: "date_part('hour', event_timestamp)"}]
//! ```
//!
//! Parsing resolves every reference: a [`FeatureView`] carries its source and typed keys, so that it can
//! be planned, digested and stored by itself.

mod check;
mod raw;
mod types;

use std::collections::BTreeMap;

use mainstay_core::digest::Digest;
use mainstay_core::error::{Coded, ErrorCode};
use serde::Serialize;
use thiserror::Error;

pub use types::{
    Aggregate, Content, Dtype, Feature, FeatureRef, FeatureService, FeatureView, Function, JoinKey, Label,
    RequestFeature, Source,
};

/// Longest definitions file, in bytes.
pub const MAX_FILE: usize = 1 << 20;

/// The column that holds the instant of a row, in emitted views and in training frames.
pub const EVENT_TIMESTAMP: &str = "event_timestamp";
/// The column that holds the instant at which a row became known.
pub const CREATED_TIMESTAMP: &str = "created_timestamp";
/// The column that names a row of an entity frame.
pub const ROW_ID: &str = "row_id";

/// Why a definitions file is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DefinitionError {
    /// More than [`MAX_FILE`] bytes.
    #[error("a definitions file has at most {MAX_FILE} bytes; this one has {0}")]
    TooLarge(usize),
    /// Not YAML, or not of the documented shape; the text names line and column.
    #[error("the definitions file cannot be read: {0}")]
    Malformed(String),
    /// A value is wrong.
    #[error("{place}: {problem}")]
    Invalid {
        /// The path to the value, such as `feature_views[0] origin_recent.ttl`.
        place: String,
        /// What is wrong and what would be right.
        problem: String,
    },
}

impl Coded for DefinitionError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::TooLarge(_) => ErrorCode::TooLarge,
            Self::Malformed(_) | Self::Invalid { .. } => ErrorCode::InvalidDefinition,
        }
    }
}

/// A checked definitions file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Definitions {
    entities: BTreeMap<String, Vec<JoinKey>>,
    sources: BTreeMap<String, Source>,
    feature_views: BTreeMap<String, FeatureView>,
    feature_services: BTreeMap<String, FeatureService>,
}

impl Definitions {
    /// Reads and checks a file.
    pub fn parse(text: &str) -> Result<Self, DefinitionError> {
        if text.len() > MAX_FILE {
            return Err(DefinitionError::TooLarge(text.len()));
        }
        let file = raw::read(text)?;
        check::resolve(file)
    }

    /// The digest of the canonical form: independent of comments, layout, the order of definitions and
    /// the spelling of defaults; dependent on everything that changes a value. The order of features
    /// inside a view or service counts, because it is the order of columns.
    pub fn digest(&self) -> Digest {
        canonical(self)
    }

    /// The join keys of an entity, in order.
    pub fn entity(&self, name: &str) -> Option<&[JoinKey]> {
        self.entities.get(name).map(Vec::as_slice)
    }

    /// A source.
    pub fn source(&self, name: &str) -> Option<&Source> {
        self.sources.get(name)
    }

    /// A feature view.
    pub fn view(&self, name: &str) -> Option<&FeatureView> {
        self.feature_views.get(name)
    }

    /// A feature service.
    pub fn service(&self, name: &str) -> Option<&FeatureService> {
        self.feature_services.get(name)
    }

    /// Every feature view, by name.
    pub fn views(&self) -> impl ExactSizeIterator<Item = &FeatureView> {
        self.feature_views.values()
    }

    /// Every feature service, by name.
    pub fn services(&self) -> impl ExactSizeIterator<Item = &FeatureService> {
        self.feature_services.values()
    }
}

impl FeatureView {
    /// The digest of everything that decides the view's rows: keys, source and content; and of its ttl.
    pub fn digest(&self) -> Digest {
        canonical(self)
    }
}

/// Hashes the compact JSON of a value whose maps are ordered.
fn canonical(value: &impl Serialize) -> Digest {
    // The types hold no map with keys other than text and no fallible serialiser, so this cannot fail.
    Digest::of(&serde_json::to_vec(value).unwrap_or_default())
}
