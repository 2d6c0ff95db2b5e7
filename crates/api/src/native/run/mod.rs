//! `/api/v1/runs`: search over runs, for tables and scripts.
//!
//! | route | what it gives |
//! |---|---|
//! | `POST /api/v1/runs/search` | rows, of which only some columns; or groups with aggregates |
//! | `POST /api/v1/runs/columns` | which metrics, parameters and tags there are |
//! | `POST /api/v1/runs/columns/values` | which values a parameter, tag or attribute has |
//!
//! The language of filters, orders and columns is that of `docs/reference/search.md`.

mod columns;
mod group;
mod number;
mod row;
mod search;

use std::sync::Arc;

use http::Method;
use mainstay_core::action::Action;
use mainstay_core::error::{Coded, ErrorCode};
use mainstay_tracking::experiment::ExperimentId;
use mainstay_tracking::port::{RunSelection, RunTable};
use mainstay_tracking::search::{RunFilter, SearchError, View};
use serde::Deserialize;
use thiserror::Error as ThisError;

use super::Error;
use crate::caller::Caller;
use crate::dialect::Protocol;
use crate::route::{Route, RouteScope};

/// Most experiments that are named.
pub(super) const MAX_EXPERIMENTS: usize = 1_000;

/// What the handlers here need.
#[derive(Clone)]
pub struct RunState {
    /// The index of runs.
    pub runs: Arc<dyn RunTable>,
}

/// The table.
pub fn routes() -> Vec<Route<RunState>> {
    let read = (Action::RunRead, RouteScope::Workspace);
    let native = Protocol::Native;
    vec![
        Route::new(native, (Method::POST, "/api/v1/runs/search"), read, search::search).for_levels(),
        Route::new(native, (Method::POST, "/api/v1/runs/columns"), read, columns::columns).for_levels(),
        Route::new(native, (Method::POST, "/api/v1/runs/columns/values"), read, columns::values).for_levels(),
    ]
}

/// What is wrong with a request.
#[derive(Debug, ThisError)]
pub(super) enum RequestError {
    /// A text in this field cannot be read.
    #[error("{field}: {error}")]
    Text {
        /// Which.
        field: &'static str,
        /// Why not.
        error: SearchError,
    },
    /// A number is out of range.
    #[error("'{field}' is a whole number from {least} to {most}")]
    Range {
        /// Of which field.
        field: &'static str,
        /// The least.
        least: usize,
        /// The most.
        most: usize,
    },
    /// More experiments than [`MAX_EXPERIMENTS`].
    #[error("'experiments' names more than {MAX_EXPERIMENTS}; leave it out for all, or ask several times")]
    Experiments,
    /// Two fields that say different things of the same.
    #[error("'{field}' cannot stand with '{other}'; leave one of them out")]
    Together {
        /// The one.
        field: &'static str,
        /// The other.
        other: &'static str,
    },
    /// A field that says nothing without another.
    #[error("'{field}' says nothing without '{needs}'; send both, or leave it out")]
    Alone {
        /// The field.
        field: &'static str,
        /// The other.
        needs: &'static str,
    },
}

impl Coded for RequestError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Text { error, .. } => error.code(),
            _ => ErrorCode::InvalidArgument,
        }
    }

    fn position(&self) -> Option<usize> {
        match self {
            Self::Text { error, .. } => error.position(),
            _ => None,
        }
    }
}

/// Says in which field a text stands that cannot be read.
pub(super) fn in_field(field: &'static str) -> impl Fn(SearchError) -> RequestError {
    move |error| RequestError::Text { field, error }
}

/// A number that was sent, or another one; within a range.
pub(super) fn within(
    field: &'static str,
    sent: Option<usize>,
    default: usize,
    (least, most): (usize, usize),
) -> Result<usize, RequestError> {
    let number = sent.unwrap_or(default);
    if (least..=most).contains(&number) {
        Ok(number)
    } else {
        Err(RequestError::Range { field, least, most })
    }
}

/// Whether deleted runs are shown, on the wire.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Shown {
    #[default]
    Active,
    Deleted,
    All,
}

impl From<Shown> for View {
    fn from(shown: Shown) -> Self {
        match shown {
            Shown::Active => Self::Active,
            Shown::Deleted => Self::Deleted,
            Shown::All => Self::All,
        }
    }
}

/// The runs that are asked for: of those experiments that the caller may read.
async fn selection(
    state: &RunState,
    caller: &Caller,
    experiments: Option<Vec<String>>,
    view: Option<Shown>,
    filter: Option<&str>,
) -> Result<RunSelection, Error> {
    let filter = RunFilter::parse(filter.unwrap_or_default()).map_err(in_field("filter"))?;
    let mut experiments = match experiments {
        Some(ids) if ids.len() > MAX_EXPERIMENTS => return Err(RequestError::Experiments.into()),
        Some(ids) => ids.iter().map(|id| ExperimentId::parse(id)).collect::<Result<Vec<_>, _>>()?,
        None => state.runs.experiments_with_runs(&caller.workspace).await?,
    };
    let readable = caller.readable();
    experiments.retain(|id| readable.has(id));
    experiments.sort_unstable();
    experiments.dedup();
    Ok(RunSelection {
        workspace: caller.workspace.clone(),
        experiments,
        view: view.unwrap_or_default().into(),
        filter,
    })
}
