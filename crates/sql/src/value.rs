//! Values and rows as they pass between SQL and the stores.

use mainstay_core::error::StorageError;
use mainstay_core::page::PageRequest;
use serde::de::DeserializeOwned;

/// One SQL value. Times are microseconds in `Int`; a float that may be NaN or infinite is stored as
/// bits in `Int` or inside a `Blob`, never as `Real` (see the crate's dialect rules).
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// NULL.
    Null,
    /// BIGINT.
    Int(i64),
    /// Double precision; finite.
    Real(f64),
    /// Text without U+0000.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

macro_rules! value_from {
    ($($from:ty => |$x:ident| $to:expr;)*) => {
        $(impl From<$from> for Value {
            fn from($x: $from) -> Self {
                $to
            }
        })*
    };
}

value_from! {
    i64 => |x| Self::Int(x);
    i32 => |x| Self::Int(x.into());
    u32 => |x| Self::Int(x.into());
    bool => |x| Self::Int(x.into());
    // Counters and positions; a value beyond i64 cannot occur within the lifetime of a log.
    u64 => |x| Self::Int(i64::try_from(x).unwrap_or(i64::MAX));
    f64 => |x| Self::Real(x);
    &str => |x| Self::Text(x.to_owned());
    String => |x| Self::Text(x);
    &String => |x| Self::Text(x.clone());
    Vec<u8> => |x| Self::Blob(x);
    &[u8] => |x| Self::Blob(x.to_vec());
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(x: Option<T>) -> Self {
        x.map_or(Self::Null, Into::into)
    }
}

/// Builds the parameters of a statement: `params![run_id, 3, "text"]`.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        &$crate::row![$($value),*]
    };
}

/// Builds one row for a statement that writes several: `row![run_id, 3, "text"]`.
#[macro_export]
macro_rules! row {
    ($($value:expr),* $(,)?) => {
        [$($crate::value::Value::from($value)),*]
    };
}

/// One row of an answer. Its accessors name a column that has the wrong type: a row that does not
/// read is damage, not a panic.
#[derive(Debug, Clone, PartialEq)]
pub struct Row(Vec<Value>);

impl Row {
    /// Wraps the values of a row.
    pub fn new(values: Vec<Value>) -> Self {
        Self(values)
    }

    /// The values, in the order of the columns.
    pub fn into_values(self) -> Vec<Value> {
        self.0
    }

    fn at(&self, column: usize) -> Result<&Value, StorageError> {
        self.0.get(column).ok_or_else(|| damaged(column, "missing"))
    }

    /// A BIGINT.
    pub fn int(&self, column: usize) -> Result<i64, StorageError> {
        match self.at(column)? {
            Value::Int(x) => Ok(*x),
            _ => Err(damaged(column, "no integer")),
        }
    }

    /// A BIGINT that counts something.
    pub fn count(&self, column: usize) -> Result<u64, StorageError> {
        u64::try_from(self.int(column)?).map_err(|_| damaged(column, "negative"))
    }

    /// A BIGINT or NULL.
    pub fn opt_int(&self, column: usize) -> Result<Option<i64>, StorageError> {
        match self.at(column)? {
            Value::Null => Ok(None),
            _ => self.int(column).map(Some),
        }
    }

    /// A flag, stored as 0 or 1.
    pub fn flag(&self, column: usize) -> Result<bool, StorageError> {
        self.int(column).map(|x| x != 0)
    }

    /// A double.
    pub fn real(&self, column: usize) -> Result<f64, StorageError> {
        match self.at(column)? {
            Value::Real(x) => Ok(*x),
            _ => Err(damaged(column, "no number")),
        }
    }

    /// A double or NULL.
    pub fn opt_real(&self, column: usize) -> Result<Option<f64>, StorageError> {
        match self.at(column)? {
            Value::Null => Ok(None),
            _ => self.real(column).map(Some),
        }
    }

    /// Text.
    pub fn text(&self, column: usize) -> Result<&str, StorageError> {
        match self.at(column)? {
            Value::Text(x) => Ok(x),
            _ => Err(damaged(column, "no text")),
        }
    }

    /// Text or NULL.
    pub fn opt_text(&self, column: usize) -> Result<Option<&str>, StorageError> {
        match self.at(column)? {
            Value::Null => Ok(None),
            _ => self.text(column).map(Some),
        }
    }

    /// Bytes.
    pub fn blob(&self, column: usize) -> Result<&[u8], StorageError> {
        match self.at(column)? {
            Value::Blob(x) => Ok(x),
            _ => Err(damaged(column, "no bytes")),
        }
    }

    /// Bytes or NULL.
    pub fn opt_blob(&self, column: usize) -> Result<Option<&[u8]>, StorageError> {
        match self.at(column)? {
            Value::Null => Ok(None),
            _ => self.blob(column).map(Some),
        }
    }

    /// Text that parses: an id, a name, a digest.
    pub fn parsed<T: std::str::FromStr>(&self, column: usize) -> Result<T, StorageError> {
        self.text(column)?.parse().map_err(|_| damaged(column, "text that does not parse"))
    }

    /// Text that holds JSON.
    pub fn json<T: DeserializeOwned>(&self, column: usize) -> Result<T, StorageError> {
        serde_json::from_str(self.text(column)?).map_err(|_| damaged(column, "JSON that does not read"))
    }
}

fn damaged(column: usize, what: &str) -> StorageError {
    StorageError::Corrupt(format!("column {column} of a row holds {what}"))
}

/// The document in the first column of a row that may be there.
pub fn document<T: DeserializeOwned>(row: Option<&Row>) -> Result<Option<T>, StorageError> {
    row.map(|row| row.json(0)).transpose()
}

/// The documents in the first column of rows.
pub fn documents<T: DeserializeOwned>(rows: &[Row]) -> Result<Vec<T>, StorageError> {
    rows.iter().map(|row| row.json(0)).collect()
}

/// The key behind which a page starts. Whoever hands a token to a store has checked that it holds one.
pub fn after<K: DeserializeOwned>(page: &PageRequest) -> Result<Option<K>, StorageError> {
    page.key().map_err(|error| StorageError::Failed(error.into()))
}

/// Writes JSON for a TEXT column.
pub fn json_text<T: serde::Serialize>(value: &T) -> Result<String, StorageError> {
    serde_json::to_string(value).map_err(|e| StorageError::Failed(e.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_reads_by_type_and_names_what_does_not_fit() {
        let row = Row::new(vec![Value::Int(1), Value::Text("[1,2]".into()), Value::Null]);
        assert_eq!(row.int(0).unwrap(), 1);
        assert_eq!(row.json::<Vec<i64>>(1).unwrap(), [1, 2]);
        assert_eq!(row.opt_text(2).unwrap(), None);
        for wrong in [row.text(0).map(drop), row.int(1).map(drop), row.int(2).map(drop), row.int(3).map(drop)]
        {
            assert!(matches!(wrong, Err(StorageError::Corrupt(_))));
        }
    }
}
