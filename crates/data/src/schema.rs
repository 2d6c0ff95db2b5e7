//! The columns of a table and their types.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use mainstay_core::error::{Coded, ErrorCode};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Most columns that a table may have.
pub const MAX_COLUMNS: usize = 10_000;

/// Longest column name, in bytes.
pub const MAX_COLUMN_NAME: usize = 500;

/// The type of a column. Every column may hold nulls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DataType {
    /// True or false.
    Bool,
    /// A signed 64-bit integer.
    Int64,
    /// An IEEE 754 double.
    Float64,
    /// UTF-8 text.
    Utf8,
    /// An instant: microseconds since 1970-01-01T00:00:00Z, in UTC.
    Timestamp,
    /// A calendar date: days since 1970-01-01.
    Date,
}

impl DataType {
    /// Every type.
    pub const ALL: [Self; 6] =
        [Self::Bool, Self::Int64, Self::Float64, Self::Utf8, Self::Timestamp, Self::Date];

    /// The name used in declarations and manifests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int64 => "int64",
            Self::Float64 => "float64",
            Self::Utf8 => "utf8",
            Self::Timestamp => "timestamp",
            Self::Date => "date",
        }
    }

    /// The type of that name.
    pub fn named(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|data_type| data_type.as_str() == text)
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Types that a person declared, by column; they override what an import would infer.
pub type DeclaredTypes = BTreeMap<String, DataType>;

/// One column.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// The name, as in the source.
    pub name: String,
    /// The type.
    #[serde(rename = "type")]
    pub data_type: DataType,
}

impl Column {
    /// A column.
    pub fn new(name: impl Into<String>, data_type: DataType) -> Self {
        Self { name: name.into(), data_type }
    }
}

/// Why columns do not make a [`Schema`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SchemaError {
    /// There are none.
    #[error("a table needs at least one column")]
    Empty,
    /// More than [`MAX_COLUMNS`].
    #[error("a table has at most {MAX_COLUMNS} columns; this one has {0}")]
    TooMany(usize),
    /// A column has no name.
    #[error("column {0} has no name; give every column one")]
    Unnamed(usize),
    /// A name longer than [`MAX_COLUMN_NAME`], or with a control character in it.
    #[error(
        "the name of column {0} is longer than {MAX_COLUMN_NAME} bytes or holds a control character; rename it"
    )]
    BadName(usize),
    /// Two columns share a name.
    #[error("the column {0:?} appears twice; rename one of them")]
    Duplicate(String),
}

impl Coded for SchemaError {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidData
    }
}

/// The columns of a table, in order, with distinct names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<Column>", into = "Vec<Column>")]
pub struct Schema(Vec<Column>);

impl Schema {
    /// Checks the columns. Positions in errors count from 1.
    pub fn new(columns: Vec<Column>) -> Result<Self, SchemaError> {
        if columns.is_empty() {
            return Err(SchemaError::Empty);
        }
        if columns.len() > MAX_COLUMNS {
            return Err(SchemaError::TooMany(columns.len()));
        }
        let mut seen = HashSet::with_capacity(columns.len());
        for (index, column) in columns.iter().enumerate() {
            if column.name.is_empty() {
                return Err(SchemaError::Unnamed(index + 1));
            }
            if column.name.len() > MAX_COLUMN_NAME || column.name.chars().any(char::is_control) {
                return Err(SchemaError::BadName(index + 1));
            }
            if !seen.insert(column.name.as_str()) {
                return Err(SchemaError::Duplicate(column.name.clone()));
            }
        }
        Ok(Self(columns))
    }

    /// The columns, in order.
    pub fn columns(&self) -> &[Column] {
        &self.0
    }

    /// The position of a column.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.0.iter().position(|column| column.name == name)
    }

    /// The type of a column.
    pub fn type_of(&self, name: &str) -> Option<DataType> {
        self.0.iter().find(|column| column.name == name).map(|column| column.data_type)
    }
}

impl TryFrom<Vec<Column>> for Schema {
    type Error = SchemaError;

    fn try_from(columns: Vec<Column>) -> Result<Self, SchemaError> {
        Self::new(columns)
    }
}

impl From<Schema> for Vec<Column> {
    fn from(schema: Schema) -> Self {
        schema.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_shown() {
        let column = |name: &str| Column::new(name, DataType::Int64);
        assert_eq!(Schema::new(vec![]), Err(SchemaError::Empty));
        assert_eq!(Schema::new(vec![column("a"), column("")]), Err(SchemaError::Unnamed(2)));
        assert_eq!(Schema::new(vec![column("a\0")]), Err(SchemaError::BadName(1)));
        assert_eq!(
            Schema::new(vec![column("a"), column("b"), column("a")]),
            Err(SchemaError::Duplicate("a".to_owned()))
        );
        let many = (0..=MAX_COLUMNS).map(|i| column(&i.to_string())).collect();
        assert_eq!(Schema::new(many), Err(SchemaError::TooMany(MAX_COLUMNS + 1)));
    }

    #[test]
    fn json_is_a_list_of_named_types_and_is_checked() {
        let schema = Schema::new(vec![
            Column::new("time_hour", DataType::Timestamp),
            Column::new("dest", DataType::Utf8),
        ])
        .unwrap();
        let text = r#"[{"name":"time_hour","type":"timestamp"},{"name":"dest","type":"utf8"}]"#;
        assert_eq!(serde_json::to_string(&schema).unwrap(), text);
        assert_eq!(serde_json::from_str::<Schema>(text).unwrap(), schema);
        let twice = r#"[{"name":"a","type":"bool"},{"name":"a","type":"bool"}]"#;
        assert!(serde_json::from_str::<Schema>(twice).is_err());
        for data_type in DataType::ALL {
            assert_eq!(serde_json::to_value(data_type).unwrap(), data_type.as_str());
            assert_eq!(DataType::named(data_type.as_str()), Some(data_type));
        }
    }
}
