//! Rows of the table: almost each endpoint stands under both prefixes.

use axum::handler::Handler;
use http::Method;
use mainstay_core::action::Action;

use crate::MlflowState;
use mainstay_api::dialect::Protocol;
use mainstay_api::route::{Route, RouteScope};

/// Largest JSON body, in bytes: the profile of a dataset alone may have 16 MiB.
pub const JSON_LIMIT: usize = 32 << 20;

/// The prefixes of most calls.
const API: &[&str] = &["/api", "/ajax-api"];

/// Collects rows.
#[must_use]
pub struct Table {
    prefixes: &'static [&'static str],
    version: &'static str,
    rows: Vec<Route<MlflowState>>,
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "a handler is named where its row stands, as with axum itself"
)]
impl Table {
    /// Rows under `/api/2.0/mlflow/` and its twin.
    pub const fn v2() -> Self {
        Self { prefixes: API, version: "/2.0/mlflow", rows: Vec::new() }
    }

    /// Rows under `/api/3.0/mlflow/` and its twin.
    pub const fn v3() -> Self {
        Self { prefixes: API, version: "/3.0/mlflow", rows: Vec::new() }
    }

    /// Rows under `/api/2.0/mlflow-artifacts/` and its twin.
    pub const fn artifacts() -> Self {
        Self { prefixes: API, version: "/2.0/mlflow-artifacts", rows: Vec::new() }
    }

    /// Rows under `/ajax-api/<version>/mlflow/` alone: what only pages ask for.
    pub const fn ajax(version: &'static str) -> Self {
        Self { prefixes: &["/ajax-api"], version, rows: Vec::new() }
    }

    /// Rows without any prefix.
    pub const fn plain() -> Self {
        Self { prefixes: &[""], version: "", rows: Vec::new() }
    }

    /// A row of GET.
    pub fn get<T: 'static>(self, path: &str, action: Action, handler: impl Handler<T, MlflowState>) -> Self {
        self.row(Method::GET, path, action, &handler)
    }

    /// A row of POST.
    pub fn post<T: 'static>(self, path: &str, action: Action, handler: impl Handler<T, MlflowState>) -> Self {
        self.row(Method::POST, path, action, &handler)
    }

    /// A row of PUT.
    pub fn put<T: 'static>(self, path: &str, action: Action, handler: impl Handler<T, MlflowState>) -> Self {
        self.row(Method::PUT, path, action, &handler)
    }

    /// A row of PATCH.
    pub fn patch<T: 'static>(
        self,
        path: &str,
        action: Action,
        handler: impl Handler<T, MlflowState>,
    ) -> Self {
        self.row(Method::PATCH, path, action, &handler)
    }

    /// A row of DELETE.
    pub fn delete<T: 'static>(
        self,
        path: &str,
        action: Action,
        handler: impl Handler<T, MlflowState>,
    ) -> Self {
        self.row(Method::DELETE, path, action, &handler)
    }

    fn row<T: 'static>(
        mut self,
        method: Method,
        path: &str,
        action: Action,
        handler: &impl Handler<T, MlflowState>,
    ) -> Self {
        for prefix in self.prefixes {
            let path = format!("{prefix}{}/{path}", self.version);
            let what = (action, RouteScope::Workspace);
            let route = Route::new(Protocol::Mlflow, (method.clone(), path), what, handler.clone());
            self.rows.push(route.with_body_limit(JSON_LIMIT));
        }
        self
    }

    /// Says of all rows that they are [brief](Route::brief).
    pub fn brief(mut self) -> Self {
        self.rows = self.rows.into_iter().map(Route::brief).collect();
        self
    }

    /// The rows.
    pub fn rows(self) -> Vec<Route<MlflowState>> {
        self.rows
    }
}
