//! What has to be counted: expectations on values, made concrete for a column's type.

use std::collections::HashSet;

use serde_json::Value;

use super::suite::{Check, Range, Suite};
use crate::scalar::{Scalar, parse_date, parse_timestamp};
use crate::schema::{DataType, Schema};

/// How many unexpected values are kept.
pub const PARTIAL_LIMIT: usize = 20;

/// A test that every non-null value of a column is put to. Instants and dates are tested as integers:
/// microseconds and days.
#[derive(Debug, Clone, PartialEq)]
pub enum ValueTest {
    /// Only null is unexpected.
    Present,
    /// Every value fits.
    Any,
    /// No value fits.
    Never,
    /// Integers from the first to the second, both in.
    Ints(i64, i64),
    /// Floats within bounds.
    Floats {
        /// The lower bound.
        min: f64,
        /// Whether the lower bound is out.
        strict_min: bool,
        /// The upper bound.
        max: f64,
        /// Whether the upper bound is out.
        strict_max: bool,
    },
    /// Text within bounds, by Unicode code point.
    Texts {
        /// The lower bound.
        min: Option<String>,
        /// Whether the lower bound is out.
        strict_min: bool,
        /// The upper bound.
        max: Option<String>,
        /// Whether the upper bound is out.
        strict_max: bool,
    },
    /// Members of a set of integers.
    IntSet(HashSet<i64>),
    /// Members of a set of floats, by their bits, with one zero.
    FloatSet(HashSet<u64>),
    /// Members of a set of texts.
    TextSet(HashSet<String>),
    /// Members of a set of truth values: whether it holds `false`, whether it holds `true`.
    BoolSet([bool; 2]),
}

impl ValueTest {
    /// Whether an integer, an instant in microseconds or a date in days fits.
    pub fn fits_int(&self, value: i64) -> bool {
        match self {
            Self::Ints(min, max) => (*min..=*max).contains(&value),
            Self::IntSet(set) => set.contains(&value),
            Self::Present | Self::Any => true,
            _ => false,
        }
    }

    /// Whether a float fits. NaN counts as null and must not be asked for.
    pub fn fits_float(&self, value: f64) -> bool {
        match self {
            Self::Floats { min, strict_min, max, strict_max } => {
                (if *strict_min { value > *min } else { value >= *min })
                    && (if *strict_max { value < *max } else { value <= *max })
            }
            Self::FloatSet(set) => set.contains(&bits(value)),
            Self::Present | Self::Any => true,
            _ => false,
        }
    }

    /// Whether a text fits.
    pub fn fits_text(&self, value: &str) -> bool {
        match self {
            Self::Texts { min, strict_min, max, strict_max } => {
                min.as_deref().is_none_or(|min| if *strict_min { value > min } else { value >= min })
                    && max.as_deref().is_none_or(|max| if *strict_max { value < max } else { value <= max })
            }
            Self::TextSet(set) => set.contains(value),
            Self::Present | Self::Any => true,
            _ => false,
        }
    }

    /// Whether a truth value fits.
    pub fn fits_bool(&self, value: bool) -> bool {
        match self {
            Self::BoolSet([with_false, with_true]) => {
                if value {
                    *with_true
                } else {
                    *with_false
                }
            }
            Self::Present | Self::Any => true,
            _ => false,
        }
    }
}

/// The bits of a float, with -0 as 0.
fn bits(value: f64) -> u64 {
    (value + 0.0).to_bits()
}

/// What one expectation needs.
#[derive(Debug, Clone, PartialEq)]
pub enum Probe {
    /// The test of a column's values; `column` is its position in the schema.
    Values {
        /// Which column.
        column: usize,
        /// The test.
        test: ValueTest,
    },
    /// Nothing but the schema and the number of rows.
    Nothing,
    /// It cannot be judged, for this reason: the expectation fails.
    Impossible(String),
}

/// One unexpected value.
#[derive(Debug, Clone, PartialEq)]
pub struct Unexpected {
    /// The row, counted from 0 over all files.
    pub row: u64,
    /// The value; `None` for null.
    pub value: Option<Scalar>,
}

/// What was counted for one [`Probe::Values`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ValueCounts {
    /// Rows.
    pub elements: u64,
    /// Rows with null or NaN.
    pub missing: u64,
    /// Unexpected values; for [`ValueTest::Present`] the nulls.
    pub unexpected: u64,
    /// The first [`PARTIAL_LIMIT`] unexpected values, in row order.
    pub partial: Vec<Unexpected>,
}

impl Suite {
    /// What each expectation needs of a table with `schema`, in the order of the suite.
    pub fn plan(&self, schema: &Schema) -> Vec<Probe> {
        self.expectations().iter().map(|expectation| probe(&expectation.check, schema)).collect()
    }
}

fn probe(check: &Check, schema: &Schema) -> Probe {
    let Some(name) = check.column() else { return Probe::Nothing };
    if matches!(check, Check::ColumnExists { .. }) {
        return Probe::Nothing;
    }
    let found = schema.position(name).and_then(|at| Some((at, schema.columns().get(at)?.data_type)));
    let Some((column, data_type)) = found else {
        return Probe::Impossible(format!("the column {name:?} does not exist"));
    };
    let test = match check {
        Check::NotNull { .. } => Some(ValueTest::Present),
        Check::Between { range, .. } => between(range, data_type),
        Check::InSet { set: None, .. } => Some(ValueTest::Any),
        Check::InSet { set: Some(set), .. } => Some(in_set(set, data_type)),
        _ => return Probe::Nothing,
    };
    match test {
        Some(test) => Probe::Values { column, test },
        None => Probe::Impossible(format!(
            "the bounds cannot be compared with the values of the column {name:?}, which is of type {data_type}"
        )),
    }
}

fn between(range: &Range, data_type: DataType) -> Option<ValueTest> {
    match data_type {
        DataType::Bool => None,
        DataType::Int64 => int_range(range, |bound, up| match bound.as_i64() {
            Some(whole) => Some(Bound { whole, exact: true }),
            None => bound.as_f64().map(|real| rounded(real, up)),
        }),
        DataType::Timestamp => int_range(range, |bound, _| {
            let whole = parse_timestamp(bound.as_str()?)?.micros();
            Some(Bound { whole, exact: true })
        }),
        DataType::Date => int_range(range, |bound, _| {
            Some(Bound { whole: i64::from(parse_date(bound.as_str()?)?), exact: true })
        }),
        DataType::Float64 => {
            let side = |bound: &Option<Value>, open: f64| match bound {
                None => Some(open),
                Some(bound) => bound.as_f64(),
            };
            Some(ValueTest::Floats {
                min: side(&range.min, f64::NEG_INFINITY)?,
                strict_min: range.strict_min && range.min.is_some(),
                max: side(&range.max, f64::INFINITY)?,
                strict_max: range.strict_max && range.max.is_some(),
            })
        }
        DataType::Utf8 => {
            let side = |bound: &Option<Value>| match bound {
                None => Some(None),
                Some(bound) => bound.as_str().map(|text| Some(text.to_owned())),
            };
            Some(ValueTest::Texts {
                min: side(&range.min)?,
                strict_min: range.strict_min,
                max: side(&range.max)?,
                strict_max: range.strict_max,
            })
        }
    }
}

/// A bound as an integer; `exact` is false if it was rounded inwards, so that it is never out itself.
struct Bound {
    whole: i64,
    exact: bool,
}

/// The nearest integer within the range that a real bound leaves open.
fn rounded(real: f64, up: bool) -> Bound {
    let whole = if up { real.ceil() } else { real.floor() };
    let exact = whole.to_bits() == real.to_bits();
    #[expect(clippy::cast_possible_truncation, reason = "`as` saturates at the ends of i64, which is meant")]
    let whole = whole as i64;
    Bound { whole, exact }
}

fn int_range(range: &Range, read: impl Fn(&Value, bool) -> Option<Bound>) -> Option<ValueTest> {
    let mut min = i64::MIN;
    if let Some(bound) = &range.min {
        let bound = read(bound, true)?;
        let step = i64::from(range.strict_min && bound.exact);
        match bound.whole.checked_add(step) {
            Some(whole) => min = whole,
            None => return Some(ValueTest::Never),
        }
    }
    let mut max = i64::MAX;
    if let Some(bound) = &range.max {
        let bound = read(bound, false)?;
        let step = i64::from(range.strict_max && bound.exact);
        match bound.whole.checked_sub(step) {
            Some(whole) => max = whole,
            None => return Some(ValueTest::Never),
        }
    }
    Some(ValueTest::Ints(min, max))
}

/// Values of another kind than the column's are never met, so they drop out of the set.
fn in_set(set: &[Value], data_type: DataType) -> ValueTest {
    match data_type {
        DataType::Bool => ValueTest::BoolSet([
            set.iter().any(|value| value.as_bool() == Some(false)),
            set.iter().any(|value| value.as_bool() == Some(true)),
        ]),
        DataType::Int64 => ValueTest::IntSet(
            set.iter()
                .filter_map(|value| {
                    value.as_i64().or_else(|| {
                        let bound = rounded(value.as_f64()?, true);
                        bound.exact.then_some(bound.whole)
                    })
                })
                .collect(),
        ),
        DataType::Timestamp => ValueTest::IntSet(
            set.iter().filter_map(|value| Some(parse_timestamp(value.as_str()?)?.micros())).collect(),
        ),
        DataType::Date => ValueTest::IntSet(
            set.iter().filter_map(|value| Some(i64::from(parse_date(value.as_str()?)?))).collect(),
        ),
        DataType::Float64 => {
            ValueTest::FloatSet(set.iter().filter_map(|value| value.as_f64().map(bits)).collect())
        }
        DataType::Utf8 => {
            ValueTest::TextSet(set.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect())
        }
    }
}
