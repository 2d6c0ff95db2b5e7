//! Reading suites.

use mainstay_core::digest::Digest;
use mainstay_core::error::{Coded, ErrorCode};
use serde_json::{Map, Value};
use thiserror::Error;

use crate::schema::DataType;

/// Most expectations in a suite.
pub const MAX_EXPECTATIONS: usize = 1_000;

/// The types that are understood.
const SUPPORTED: [&str; 6] = [
    "expect_column_to_exist",
    "expect_column_values_to_not_be_null",
    "expect_column_values_to_be_between",
    "expect_column_values_to_be_in_set",
    "expect_column_values_to_be_of_type",
    "expect_table_row_count_to_be_between",
];

/// Keywords of every expectation that only say how to report, and are ignored here.
const REPORTING: [&str; 5] = ["batch_id", "result_format", "catch_exceptions", "include_config", "meta"];

/// Why a document is not a suite.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SuiteError {
    /// Not JSON.
    #[error("the suite is not JSON: {0}")]
    NotJson(String),
    /// Not of the shape of a suite.
    #[error("the suite must be a JSON object with a 'name' and a list 'expectations': {0}")]
    Shape(&'static str),
    /// Too many expectations.
    #[error("a suite has at most {MAX_EXPECTATIONS} expectations; this one has {0}")]
    TooMany(usize),
    /// A type that is not understood. Positions count from 1.
    #[error("expectation {index} is of type {found:?}, which is not supported; supported are {}", SUPPORTED.join(", "))]
    Type {
        /// Which expectation.
        index: usize,
        /// Its type.
        found: String,
    },
    /// A keyword that is missing or has a value that does not fit.
    #[error("expectation {index}: '{keyword}' {problem}")]
    Keyword {
        /// Which expectation.
        index: usize,
        /// Which keyword.
        keyword: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl Coded for SuiteError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NotJson(_) => ErrorCode::MalformedBody,
            Self::Type { .. } => ErrorCode::Unsupported,
            Self::Shape(_) | Self::TooMany(_) | Self::Keyword { .. } => ErrorCode::InvalidDefinition,
        }
    }
}

/// How bad it is if an expectation is not met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Worth a look.
    Warning,
    /// The data must not be used. The default.
    Critical,
}

/// Bounds on values, either side open if absent.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Range {
    /// The least value: a number, or text for instants, dates and text columns.
    pub min: Option<Value>,
    /// The greatest value.
    pub max: Option<Value>,
    /// Whether the least value itself is out.
    pub strict_min: bool,
    /// Whether the greatest value itself is out.
    pub strict_max: bool,
}

/// What is expected.
#[derive(Debug, Clone, PartialEq)]
pub enum Check {
    /// The column exists, at `index` (from 0) if given.
    ColumnExists {
        /// Which column.
        column: String,
        /// Where.
        index: Option<usize>,
    },
    /// No value is null.
    NotNull {
        /// In which column.
        column: String,
    },
    /// Non-null values lie within bounds.
    Between {
        /// In which column.
        column: String,
        /// The bounds.
        range: Range,
    },
    /// Non-null values are members of a set. An absent set allows every value.
    InSet {
        /// In which column.
        column: String,
        /// The set.
        set: Option<Vec<Value>>,
    },
    /// The column has a type, here or by the name that pandas, Spark or SQL give it.
    OfType {
        /// Which column.
        column: String,
        /// The type.
        data_type: DataType,
    },
    /// The number of rows lies within bounds.
    RowCount {
        /// The bounds; numbers.
        range: Range,
    },
}

impl Check {
    /// The column that is looked at, if it is one.
    pub fn column(&self) -> Option<&str> {
        match self {
            Self::ColumnExists { column, .. }
            | Self::NotNull { column }
            | Self::Between { column, .. }
            | Self::InSet { column, .. }
            | Self::OfType { column, .. } => Some(column),
            Self::RowCount { .. } => None,
        }
    }
}

/// One expectation of a suite.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    /// What is expected.
    pub check: Check,
    /// The share of the considered values that must fit, 0 to 1; null values are considered by
    /// [`Check::NotNull`] only.
    pub mostly: f64,
    /// How bad it is if not.
    pub severity: Severity,
    /// The configuration as it was given, with the defaults of `meta` and `severity`.
    pub config: Value,
}

/// A suite of expectations, with the document that it was read from.
#[derive(Debug, Clone, PartialEq)]
pub struct Suite {
    name: String,
    expectations: Vec<Expectation>,
    document: Value,
}

impl Suite {
    /// Reads a suite from JSON text.
    pub fn parse(text: &str) -> Result<Self, SuiteError> {
        let document = serde_json::from_str(text).map_err(|error| SuiteError::NotJson(error.to_string()))?;
        Self::from_json(document)
    }

    /// Reads a suite from a JSON document; fields that are not understood are kept.
    pub fn from_json(document: Value) -> Result<Self, SuiteError> {
        let suite = document.as_object().ok_or(SuiteError::Shape("it is not an object"))?;
        let name = suite.get("name").and_then(Value::as_str).filter(|name| !name.is_empty());
        let name = name.ok_or(SuiteError::Shape("it has no 'name'"))?.to_owned();
        let list = suite.get("expectations").and_then(Value::as_array);
        let list = list.ok_or(SuiteError::Shape("it has no list 'expectations'"))?;
        if list.len() > MAX_EXPECTATIONS {
            return Err(SuiteError::TooMany(list.len()));
        }
        let expectations = list.iter().zip(1..).map(|(config, index)| expectation(config, index));
        let expectations = expectations.collect::<Result<_, _>>()?;
        Ok(Self { name, expectations, document })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The expectations, in order.
    pub fn expectations(&self) -> &[Expectation] {
        &self.expectations
    }

    /// The document as it was given.
    pub fn document(&self) -> &Value {
        &self.document
    }

    /// The digest of the document.
    pub fn digest(&self) -> Digest {
        Digest::of_parts([b"mainstay suite 1".as_slice(), self.document.to_string().as_bytes()])
    }
}

fn expectation(config: &Value, index: usize) -> Result<Expectation, SuiteError> {
    let object = config.as_object().ok_or(SuiteError::Shape("an expectation is not an object"))?;
    let no_type = SuiteError::Keyword { index, keyword: "type".to_owned(), problem: "is missing" };
    let kind = object.get("type").and_then(Value::as_str).ok_or(no_type)?;
    if !SUPPORTED.contains(&kind) {
        return Err(SuiteError::Type { index, found: kind.chars().take(100).collect() });
    }
    let empty = Map::new();
    let kwargs = match object.get("kwargs") {
        None | Some(Value::Null) => &empty,
        Some(Value::Object(kwargs)) => kwargs,
        Some(_) => return Err(SuiteError::Shape("the 'kwargs' of an expectation are not an object")),
    };
    let keywords = Keywords { index, kwargs };
    let (check, known): (Check, &[&str]) = match kind {
        "expect_column_to_exist" => (
            Check::ColumnExists { column: keywords.column()?, index: keywords.index("column_index")? },
            &["column", "column_index"],
        ),
        "expect_column_values_to_not_be_null" => {
            (Check::NotNull { column: keywords.column()? }, &["column", "mostly"])
        }
        "expect_column_values_to_be_between" => (
            Check::Between { column: keywords.column()?, range: keywords.range(false)? },
            &["column", "mostly", "min_value", "max_value", "strict_min", "strict_max"],
        ),
        "expect_column_values_to_be_in_set" => (
            Check::InSet { column: keywords.column()?, set: keywords.set()? },
            &["column", "mostly", "value_set"],
        ),
        "expect_column_values_to_be_of_type" => (
            Check::OfType { column: keywords.column()?, data_type: keywords.data_type()? },
            &["column", "type_", "mostly"],
        ),
        _ => (
            Check::RowCount { range: keywords.range(true)? },
            &["min_value", "max_value", "strict_min", "strict_max"],
        ),
    };
    keywords.only(known)?;
    let severity = match object.get("severity").map(Value::as_str) {
        None | Some(Some("critical")) => Severity::Critical,
        Some(Some("warning")) => Severity::Warning,
        Some(Some("info")) => Severity::Info,
        Some(_) => {
            return Err(keywords.wrong("severity", "must be 'critical', 'warning' or 'info'"));
        }
    };
    let mut config = object.clone();
    config.entry("meta").or_insert_with(|| Value::Object(Map::new()));
    config.entry("severity").or_insert_with(|| Value::from("critical"));
    Ok(Expectation { check, mostly: keywords.mostly()?, severity, config: Value::Object(config) })
}

/// The keywords of one expectation. A null counts as absent, as it does in the original.
struct Keywords<'a> {
    index: usize,
    kwargs: &'a Map<String, Value>,
}

impl<'a> Keywords<'a> {
    fn wrong(&self, keyword: &str, problem: &'static str) -> SuiteError {
        SuiteError::Keyword { index: self.index, keyword: keyword.to_owned(), problem }
    }

    fn get(&self, keyword: &str) -> Option<&'a Value> {
        self.kwargs.get(keyword).filter(|value| !value.is_null())
    }

    fn only(&self, known: &[&str]) -> Result<(), SuiteError> {
        let stranger = self.kwargs.iter().find(|(keyword, value)| {
            !value.is_null() && !known.contains(&keyword.as_str()) && !REPORTING.contains(&keyword.as_str())
        });
        match stranger {
            None => Ok(()),
            Some((keyword, _)) => Err(self
                .wrong(&keyword.chars().take(100).collect::<String>(), "is not supported here; remove it")),
        }
    }

    fn column(&self) -> Result<String, SuiteError> {
        let column = self.get("column").and_then(Value::as_str);
        column.map(str::to_owned).ok_or_else(|| self.wrong("column", "must be the name of a column"))
    }

    fn index(&self, keyword: &str) -> Result<Option<usize>, SuiteError> {
        let Some(value) = self.get(keyword) else { return Ok(None) };
        let index = value.as_u64().and_then(|index| usize::try_from(index).ok());
        index.map(Some).ok_or_else(|| self.wrong(keyword, "must be a whole number, 0 or more"))
    }

    fn mostly(&self) -> Result<f64, SuiteError> {
        let Some(value) = self.get("mostly") else { return Ok(1.0) };
        let share = value.as_f64().filter(|share| (0.0..=1.0).contains(share));
        share.ok_or_else(|| self.wrong("mostly", "must be a number between 0 and 1"))
    }

    fn flag(&self, keyword: &str) -> Result<bool, SuiteError> {
        let Some(value) = self.get(keyword) else { return Ok(false) };
        value.as_bool().ok_or_else(|| self.wrong(keyword, "must be true or false"))
    }

    fn bound(&self, keyword: &str, numbers_only: bool) -> Result<Option<Value>, SuiteError> {
        let bound = self.get(keyword);
        if bound.is_some_and(|bound| !(bound.is_number() || bound.is_string() && !numbers_only)) {
            let problem = if numbers_only { "must be a number" } else { "must be a number or text" };
            return Err(self.wrong(keyword, problem));
        }
        Ok(bound.cloned())
    }

    fn range(&self, numbers_only: bool) -> Result<Range, SuiteError> {
        let range = Range {
            min: self.bound("min_value", numbers_only)?,
            max: self.bound("max_value", numbers_only)?,
            strict_min: self.flag("strict_min")?,
            strict_max: self.flag("strict_max")?,
        };
        if range.min.is_none() && range.max.is_none() {
            return Err(self.wrong("min_value", "and 'max_value' are both missing; give at least one"));
        }
        let number = |bound: &Option<Value>| bound.as_ref().and_then(Value::as_f64);
        if let (Some(min), Some(max)) = (number(&range.min), number(&range.max))
            && min > max
        {
            return Err(self.wrong("min_value", "is greater than 'max_value'; no value could fit"));
        }
        Ok(range)
    }

    fn set(&self) -> Result<Option<Vec<Value>>, SuiteError> {
        let Some(value) = self.get("value_set") else { return Ok(None) };
        let set = value.as_array().filter(|set| !set.iter().any(|v| v.is_array() || v.is_object()));
        set.map(|set| Some(set.clone())).ok_or_else(|| self.wrong("value_set", "must be a list of values"))
    }

    fn data_type(&self) -> Result<DataType, SuiteError> {
        let name = self.get("type_").and_then(Value::as_str);
        name.and_then(type_named).ok_or_else(|| {
            self.wrong("type_", "must be bool, int64, float64, utf8, timestamp or date, or the name of one of them in pandas, Spark or SQL")
        })
    }
}

/// The type that a name means in pandas, Spark, SQL or here.
fn type_named(name: &str) -> Option<DataType> {
    let name = name.to_ascii_lowercase();
    Some(match name.as_str() {
        "bool" | "bool_" | "boolean" | "booleantype" => DataType::Bool,
        "int" | "int64" | "integer" | "bigint" | "long" | "longtype" => DataType::Int64,
        "float" | "float64" | "double" | "double precision" | "doubletype" => DataType::Float64,
        "utf8" | "str" | "string" | "object" | "text" | "varchar" | "stringtype" => DataType::Utf8,
        "date" | "datetype" => DataType::Date,
        "timestamp" | "timestamptz" | "datetime" | "timestamptype" => DataType::Timestamp,
        _ if name.starts_with("datetime64") => DataType::Timestamp,
        _ => return None,
    })
}
