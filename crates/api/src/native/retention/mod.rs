//! `/api/v1/purges`, `/api/v1/retention` and `/api/v1/quotas`: what is deleted for good, by which rules, and how much
//! there may be.
//!
//! A preview, a dry run and what really happens find things in the same way.

mod purge;
mod quota;
mod rule;
mod wire;

use std::sync::Arc;

use http::Method;
use mainstay_core::action::Action;
use mainstay_core::command::Commands;
use mainstay_core::entropy::Entropy;
use mainstay_core::scope::ResourceKind;
use mainstay_core::time::Clock;
use mainstay_retention::port::{Artifacts, PurgeReader, PurgeTx, RuleReader, RuleTx};
use mainstay_retention::quota::{QuotaReader, QuotaTx};

use crate::dialect::Protocol;
use crate::route::{Route, RouteScope};

pub use self::wire::{Looked, Sampled, look};

/// What is read of purges and rules.
pub trait RetentionReader: PurgeReader + RuleReader {}

impl<T: PurgeReader + RuleReader> RetentionReader for T {}

/// What the handlers here need.
#[derive(Clone)]
pub struct RetentionState {
    /// Purges, rules, and what they may take.
    pub reader: Arc<dyn RetentionReader>,
    /// How much lies where.
    pub artifacts: Arc<dyn Artifacts>,
    /// Commands on purges.
    pub purges: Commands<dyn PurgeTx>,
    /// Commands on rules.
    pub rules: Commands<dyn RuleTx>,
    /// How much workspaces may have.
    pub quotas: Arc<dyn QuotaReader>,
    /// Commands on that.
    pub limits: Commands<dyn QuotaTx>,
    /// Machine time.
    pub clock: Arc<dyn Clock>,
    /// Draws ids.
    pub entropy: Arc<dyn Entropy>,
}

/// The table.
pub fn routes() -> Vec<Route<RetentionState>> {
    let native = Protocol::Native;
    let (all, one) = ("/api/v1/purges", "/api/v1/purges/{id}");
    let (rules, rule) = ("/api/v1/retention/rules", "/api/v1/retention/rules/{name}");
    let (preview, quotas) = ("/api/v1/retention/preview", "/api/v1/quotas");
    let (read, manage) = (Action::RetentionRead, Action::RetentionManage);
    let of_purge = RouteScope::Path(ResourceKind::Purge, "id");
    let of_rule = RouteScope::Path(ResourceKind::RetentionRule, "name");
    // What a rule would take is for those alone who may write one: it names what lies in all experiments.
    vec![
        Route::new(native, (Method::GET, all), (read, RouteScope::Workspace), purge::list),
        Route::new(native, (Method::POST, all), (Action::RunPurge, RouteScope::Workspace), purge::start),
        Route::new(native, (Method::GET, one), (read, of_purge), purge::show),
        Route::new(native, (Method::GET, rules), (read, RouteScope::Workspace), rule::list),
        Route::new(native, (Method::PUT, rule), (manage, of_rule), rule::save),
        Route::new(native, (Method::DELETE, rule), (manage, of_rule), rule::remove),
        Route::new(native, (Method::GET, quotas), (read, RouteScope::Workspace), quota::show),
        Route::new(native, (Method::PUT, quotas), (Action::ServerManage, RouteScope::Workspace), quota::set),
        Route::new(
            native,
            (Method::PATCH, quotas),
            (Action::ServerManage, RouteScope::Workspace),
            quota::change,
        ),
        Route::new(native, (Method::POST, preview), (manage, RouteScope::Workspace), rule::preview),
    ]
}
