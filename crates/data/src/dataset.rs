//! Datasets: the names under which table versions follow each other.

use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::name::Name;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::schema::{DataType, DeclaredTypes, Schema};

/// A named sequence of table versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dataset {
    /// The name, distinct within a workspace.
    pub name: Name,
    /// What it is, for people.
    pub description: String,
    /// Types that override what an import would infer.
    pub declared_types: DeclaredTypes,
    /// The column that says when a row's fact became known (data time).
    pub time_column: Option<String>,
    /// The column that says when the row itself came to be: orders rows of one instant, and keeps
    /// late rows out of the past.
    pub created_column: Option<String>,
}

/// Why a table does not fit its dataset's declarations.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DeclarationError {
    /// A declared column is missing.
    #[error(
        "the column {0:?} is declared but the table does not have it; correct the declaration or the data"
    )]
    Missing(String),
    /// A column has another type than declared.
    #[error("the column {column:?} is declared as {declared} but the table has {found}; import it again")]
    Type {
        /// Which.
        column: String,
        /// As the dataset says.
        declared: DataType,
        /// As the table says.
        found: DataType,
    },
    /// The time or created column holds no instants.
    #[error("the column {column:?} must hold timestamps, but the table has {found}; declare its type")]
    NotATime {
        /// Which.
        column: String,
        /// Its type.
        found: DataType,
    },
}

impl Coded for DeclarationError {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidData
    }
}

impl Dataset {
    /// A dataset without declarations.
    pub fn new(name: Name) -> Self {
        Self {
            name,
            description: String::new(),
            declared_types: DeclaredTypes::new(),
            time_column: None,
            created_column: None,
        }
    }

    /// Checks that a table has every declared column with its declared type, and that the time and
    /// created columns hold timestamps.
    pub fn accepts(&self, schema: &Schema) -> Result<(), DeclarationError> {
        let found =
            |column: &String| schema.type_of(column).ok_or_else(|| DeclarationError::Missing(column.clone()));
        for (column, declared) in &self.declared_types {
            let found = found(column)?;
            if found != *declared {
                return Err(DeclarationError::Type { column: column.clone(), declared: *declared, found });
            }
        }
        for column in self.time_column.iter().chain(&self.created_column) {
            let found = found(column)?;
            if found != DataType::Timestamp {
                return Err(DeclarationError::NotATime { column: column.clone(), found });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Column;

    #[test]
    fn a_table_must_keep_what_was_declared() {
        let mut dataset = Dataset::new(Name::new("flights").unwrap());
        dataset.declared_types.insert("tailnum".to_owned(), DataType::Utf8);
        dataset.time_column = Some("time_hour".to_owned());
        let schema = |tailnum, time_hour| {
            Schema::new(vec![Column::new("tailnum", tailnum), Column::new("time_hour", time_hour)]).unwrap()
        };
        assert_eq!(dataset.accepts(&schema(DataType::Utf8, DataType::Timestamp)), Ok(()));
        assert!(matches!(
            dataset.accepts(&schema(DataType::Int64, DataType::Timestamp)),
            Err(DeclarationError::Type { declared: DataType::Utf8, found: DataType::Int64, .. })
        ));
        assert!(matches!(
            dataset.accepts(&schema(DataType::Utf8, DataType::Date)),
            Err(DeclarationError::NotATime { found: DataType::Date, .. })
        ));
        dataset.created_column = Some("created".to_owned());
        assert_eq!(
            dataset.accepts(&schema(DataType::Utf8, DataType::Timestamp)),
            Err(DeclarationError::Missing("created".to_owned()))
        );
    }
}
