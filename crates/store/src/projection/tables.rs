//! Which tables are projections of the log, and their columns.

use mainstay_core::error::StorageError;

use crate::value::{Row, Value};

/// A table that the events give whole.
pub(super) struct Projection {
    /// Its name.
    pub(super) table: &'static str,
    /// The columns of its primary key, then the others.
    pub(super) columns: &'static [&'static str],
    /// How many of the columns are the key.
    pub(super) key: usize,
    /// All rows, in the order of `columns`.
    pub(super) select: &'static str,
    /// One row, in the order of `columns`.
    pub(super) insert: &'static str,
    /// Empties it.
    pub(super) delete: &'static str,
}

macro_rules! projections {
    ($($table:ident ($first:ident $(, $key:ident)*) ($($column:ident),*) $marks:literal;)*) => {
        /// Every projection.
        pub(super) const PROJECTIONS: &[Projection] = &[$(Projection {
            table: stringify!($table),
            columns: &[stringify!($first), $(stringify!($key),)* $(stringify!($column),)*],
            key: [stringify!($first), $(stringify!($key),)*].len(),
            select: concat!(
                "SELECT ", stringify!($first), $(", ", stringify!($key),)* $(", ", stringify!($column),)*
                " FROM ", stringify!($table)
            ),
            insert: concat!(
                "INSERT INTO ", stringify!($table), " (",
                stringify!($first), $(", ", stringify!($key),)* $(", ", stringify!($column),)*
                ") VALUES (", $marks, ")"
            ),
            delete: concat!("DELETE FROM ", stringify!($table)),
        },)*];
    };
}

projections! {
    api_tokens (id) (workspace, label, digest, grants, creator, created, expires, revoked)
        "$1, $2, $3, $4, $5, $6, $7, $8, $9";
    approvals (id) (workspace, state, digest, requested, document) "$1, $2, $3, $4, $5, $6";
    custom_role_members (id) (role, user_name) "$1, $2, $3";
    custom_role_permissions (id) (role, kind, pattern, level) "$1, $2, $3, $4, $5";
    custom_roles (id) (workspace, name, description) "$1, $2, $3, $4";
    endpoint_revisions (workspace, endpoint, number) (document) "$1, $2, $3, $4";
    endpoints (workspace, name) (model, governed, document) "$1, $2, $3, $4, $5";
    gate_reports (workspace, digest, number) (document) "$1, $2, $3, $4";
    model_aliases (workspace, model, alias) (number) "$1, $2, $3, $4";
    permissions (workspace, user_name, kind, pattern) (level) "$1, $2, $3, $4, $5";
    purges (id) (workspace, started, finished, document) "$1, $2, $3, $4, $5";
    quotas (workspace) (document) "$1, $2";
    retention_rules (workspace, name) (document) "$1, $2, $3";
    role_grants (workspace, actor, role) () "$1, $2, $3";
    users (name) (id, admin, password, created) "$1, $2, $3, $4, $5";
    workspaces (name) (created, description) "$1, $2, $3";
}

/// A cell of a projection; unlike [`Value`] it has an order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cell {
    Null,
    Int(i64),
    Text(String),
}

impl Cell {
    /// A cell as a database gave it.
    pub(super) fn read(value: Value) -> Result<Self, StorageError> {
        match value {
            Value::Null => Ok(Self::Null),
            Value::Int(x) => Ok(Self::Int(x)),
            Value::Text(x) => Ok(Self::Text(x)),
            Value::Real(_) | Value::Blob(_) => {
                Err(StorageError::Corrupt("a projection has a column of another type".into()))
            }
        }
    }
}

impl From<Cell> for Value {
    fn from(cell: Cell) -> Self {
        match cell {
            Cell::Null => Self::Null,
            Cell::Int(x) => Self::Int(x),
            Cell::Text(x) => Self::Text(x),
        }
    }
}

impl Projection {
    /// Splits a row of `select` into its key and its other cells.
    pub(super) fn split(&self, row: Row) -> Result<(Vec<Cell>, Vec<Cell>), StorageError> {
        let mut key = row.into_values().into_iter().map(Cell::read).collect::<Result<Vec<_>, _>>()?;
        let rest = key.split_off(self.key.min(key.len()));
        Ok((key, rest))
    }
}
