//! The input schema of an endpoint, and how a request may break it.
//!
//! A schema is an ordered list: predictions record their features by position. It may therefore only
//! grow at its end (see [`InputSchema::check_successor`]), so that old records stay readable.

use std::collections::HashSet;

use mainstay_core::error::{Coded, ErrorCode};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::value::FeatureValue;

/// Most features that a schema may have.
pub const MAX_FEATURES: usize = 4096;
/// Longest name of a feature, in bytes.
pub const MAX_FEATURE_NAME: usize = 250;

/// What values a feature takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeatureKind {
    /// Numbers; whole numbers are taken too.
    Float,
    /// Whole numbers.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// Text.
    Text,
}

impl FeatureKind {
    const fn accepts(self, value: &FeatureValue) -> bool {
        matches!(
            (self, value),
            (Self::Float, FeatureValue::Float(_) | FeatureValue::Integer(_))
                | (Self::Integer, FeatureValue::Integer(_))
                | (Self::Boolean, FeatureValue::Boolean(_))
                | (Self::Text, FeatureValue::Text(_))
        )
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Float => "a number",
            Self::Integer => "a whole number",
            Self::Boolean => "true or false",
            Self::Text => "text",
        }
    }
}

/// The values that were usual when the model was made, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
}

/// One feature of an input schema.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureSpec {
    /// Its name, unique in the schema.
    pub name: String,
    /// What values it takes.
    pub kind: FeatureKind,
    /// Whether a request may leave it out, or give null or NaN.
    #[serde(default)]
    pub nullable: bool,
    /// Its usual values; a value outside is answered, and counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<Range>,
}

/// Why a list of features is no schema.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum InvalidSchema {
    /// None, or more than [`MAX_FEATURES`].
    #[error("an input schema has between 1 and {MAX_FEATURES} features; this one has {0}")]
    Count(usize),
    /// A bad name.
    #[error("the name of a feature has between 1 and {MAX_FEATURE_NAME} bytes; that at position {0} has not")]
    Name(usize),
    /// A name twice.
    #[error("the feature '{0}' stands twice in the input schema; name it once")]
    Duplicate(String),
    /// A range on what is not a number, or one that is empty or not finite.
    #[error("the range of feature '{0}' must be two finite numbers, min <= max, and the feature a number")]
    Range(String),
    /// A later schema drops, renames, moves or retypes a feature.
    #[error(
        "the feature '{0}' may not be dropped, renamed, moved or retyped, as recorded predictions refer to it by position; add features at the end, or create another endpoint"
    )]
    NotAppended(String),
}

impl Coded for InvalidSchema {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidDefinition
    }
}

/// How one value breaks the schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Breach {
    /// A value of a feature that must have one is missing.
    Missing,
    /// The value is of another kind.
    Kind,
    /// The value is infinite.
    NotFinite,
    /// The value lies outside its usual range.
    OutOfRange,
}

/// A breach and where it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Violation {
    /// The position of the feature in the schema.
    pub feature: u16,
    /// What is wrong.
    pub breach: Breach,
}

/// Why a request does not fit a schema.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SchemaError {
    /// Another number of values than features.
    #[error("the endpoint takes {expected} features; {given} were given")]
    Count {
        /// Features of the schema.
        expected: usize,
        /// Values given.
        given: usize,
    },
    /// A feature that must have a value has none.
    #[error("the feature '{0}' needs a value")]
    Missing(String),
    /// A value of another kind.
    #[error("the feature '{feature}' takes {expected}")]
    Kind {
        /// Which.
        feature: String,
        /// What it takes, in words.
        expected: &'static str,
    },
    /// An infinite value.
    #[error("the feature '{0}' must be finite; leave it out or give null where it is not known")]
    NotFinite(String),
    /// A name that the schema does not have.
    #[error("the endpoint has no feature '{0}'")]
    Unknown(String),
}

impl Coded for SchemaError {
    fn code(&self) -> ErrorCode {
        ErrorCode::SignatureMismatch
    }
}

/// The features that an endpoint takes, in their order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<FeatureSpec>", into = "Vec<FeatureSpec>")]
pub struct InputSchema(Vec<FeatureSpec>);

impl InputSchema {
    /// Checks a list of features.
    pub fn new(features: Vec<FeatureSpec>) -> Result<Self, InvalidSchema> {
        if features.is_empty() || features.len() > MAX_FEATURES {
            return Err(InvalidSchema::Count(features.len()));
        }
        let mut names = HashSet::with_capacity(features.len());
        for (position, feature) in features.iter().enumerate() {
            if feature.name.is_empty() || feature.name.len() > MAX_FEATURE_NAME {
                return Err(InvalidSchema::Name(position));
            }
            if !names.insert(feature.name.as_str()) {
                return Err(InvalidSchema::Duplicate(feature.name.clone()));
            }
            let numeric = matches!(feature.kind, FeatureKind::Float | FeatureKind::Integer);
            let sound = |r: Range| numeric && r.min.is_finite() && r.max.is_finite() && r.min <= r.max;
            if feature.range.is_some_and(|r| !sound(r)) {
                return Err(InvalidSchema::Range(feature.name.clone()));
            }
        }
        Ok(Self(features))
    }

    /// The features, in the order in which predictions record them.
    pub fn features(&self) -> &[FeatureSpec] {
        &self.0
    }

    /// The position of a feature.
    pub fn position(&self, name: &str) -> Result<usize, SchemaError> {
        let found = self.0.iter().position(|feature| feature.name == name);
        found.ok_or_else(|| SchemaError::Unknown(name.to_owned()))
    }

    /// Whether `next` may take this schema's place: the same names and kinds, in the same places,
    /// with new features only after them. Ranges and nullability may change.
    pub fn check_successor(&self, next: &Self) -> Result<(), InvalidSchema> {
        for (position, old) in self.0.iter().enumerate() {
            let kept = next.0.get(position).is_some_and(|new| new.name == old.name && new.kind == old.kind);
            if !kept {
                return Err(InvalidSchema::NotAppended(old.name.clone()));
            }
        }
        Ok(())
    }

    /// Checks the values of one row, one for each feature in order.
    ///
    /// Values that refuse the row give the first of them as an error; unusual ones are appended to
    /// `flagged`, which is left as it was when nothing is unusual.
    pub fn check(&self, values: &[FeatureValue], flagged: &mut Vec<Violation>) -> Result<(), SchemaError> {
        if values.len() != self.0.len() {
            return Err(SchemaError::Count { expected: self.0.len(), given: values.len() });
        }
        for (position, (spec, value)) in self.0.iter().zip(values).enumerate() {
            let Some(breach) = breach(spec, value) else { continue };
            let name = || spec.name.clone();
            match breach {
                Breach::Missing => return Err(SchemaError::Missing(name())),
                Breach::Kind => {
                    return Err(SchemaError::Kind { feature: name(), expected: spec.kind.as_str() });
                }
                Breach::NotFinite => return Err(SchemaError::NotFinite(name())),
                Breach::OutOfRange => {
                    // MAX_FEATURES keeps every position within u16.
                    let feature = u16::try_from(position).unwrap_or(u16::MAX);
                    flagged.push(Violation { feature, breach });
                }
            }
        }
        Ok(())
    }
}

fn breach(spec: &FeatureSpec, value: &FeatureValue) -> Option<Breach> {
    if value.is_missing() {
        return (!spec.nullable).then_some(Breach::Missing);
    }
    if !spec.kind.accepts(value) {
        return Some(Breach::Kind);
    }
    let number = value.as_number()?;
    if !number.is_finite() {
        return Some(Breach::NotFinite);
    }
    spec.range.is_some_and(|r| number < r.min || number > r.max).then_some(Breach::OutOfRange)
}

impl TryFrom<Vec<FeatureSpec>> for InputSchema {
    type Error = InvalidSchema;

    fn try_from(features: Vec<FeatureSpec>) -> Result<Self, Self::Error> {
        Self::new(features)
    }
}

impl From<InputSchema> for Vec<FeatureSpec> {
    fn from(schema: InputSchema) -> Self {
        schema.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(name: &str, kind: FeatureKind) -> FeatureSpec {
        FeatureSpec { name: name.to_owned(), kind, nullable: false, range: None }
    }

    fn schema() -> InputSchema {
        let ranged = FeatureSpec {
            range: Some(Range { min: 0.0, max: 10.0 }),
            nullable: true,
            ..spec("hour", FeatureKind::Float)
        };
        InputSchema::new(vec![ranged, spec("carrier", FeatureKind::Text)]).unwrap()
    }

    fn text(value: &str) -> FeatureValue {
        FeatureValue::Text(value.to_owned())
    }

    #[test]
    fn sound_rows_pass_and_leave_no_flag() {
        let mut flagged = Vec::new();
        for hour in [FeatureValue::Float(10.0), FeatureValue::Integer(0), FeatureValue::Null] {
            schema().check(&[hour, text("UA")], &mut flagged).unwrap();
        }
        schema().check(&[FeatureValue::Float(f64::NAN), text("UA")], &mut flagged).unwrap();
        assert_eq!(flagged, []);
    }

    #[test]
    fn unusual_values_are_flagged_and_wrong_ones_refused() {
        let mut flagged = Vec::new();
        schema().check(&[FeatureValue::Float(10.5), text("UA")], &mut flagged).unwrap();
        assert_eq!(flagged, [Violation { feature: 0, breach: Breach::OutOfRange }]);

        let mut refused = |values: &[FeatureValue]| schema().check(values, &mut flagged).unwrap_err();
        assert_eq!(refused(&[]), SchemaError::Count { expected: 2, given: 0 });
        assert_eq!(
            refused(&[FeatureValue::Null, FeatureValue::Null]),
            SchemaError::Missing("carrier".to_owned())
        );
        assert_eq!(
            refused(&[text("9"), text("UA")]),
            SchemaError::Kind { feature: "hour".to_owned(), expected: "a number" }
        );
        assert_eq!(
            refused(&[FeatureValue::Float(f64::INFINITY), text("UA")]),
            SchemaError::NotFinite("hour".to_owned())
        );
        assert_eq!(schema().position("tailnum"), Err(SchemaError::Unknown("tailnum".to_owned())));
        assert_eq!(flagged.len(), 1);
    }

    #[test]
    fn bad_definitions_are_refused_on_reading_too() {
        let twice = vec![spec("a", FeatureKind::Float), spec("a", FeatureKind::Text)];
        assert_eq!(InputSchema::new(twice), Err(InvalidSchema::Duplicate("a".to_owned())));
        let range = Some(Range { min: 1.0, max: 0.0 });
        let empty_range = FeatureSpec { range, ..spec("a", FeatureKind::Float) };
        assert_eq!(InputSchema::new(vec![empty_range]), Err(InvalidSchema::Range("a".to_owned())));
        let on_text = FeatureSpec { range, ..spec("a", FeatureKind::Text) };
        assert_eq!(InputSchema::new(vec![on_text]), Err(InvalidSchema::Range("a".to_owned())));
        assert!(serde_json::from_str::<InputSchema>("[]").is_err());
        let json = serde_json::to_string(&schema()).unwrap();
        assert_eq!(serde_json::from_str::<InputSchema>(&json).unwrap(), schema());
    }

    #[test]
    fn a_schema_grows_only_at_its_end() {
        let mut longer = schema().features().to_vec();
        longer.push(spec("dep_delay", FeatureKind::Float));
        let longer = InputSchema::new(longer).unwrap();
        assert_eq!(schema().check_successor(&longer), Ok(()));
        assert_eq!(
            longer.check_successor(&schema()),
            Err(InvalidSchema::NotAppended("dep_delay".to_owned()))
        );
        let moved = InputSchema::new(schema().features().iter().rev().cloned().collect()).unwrap();
        assert_eq!(schema().check_successor(&moved), Err(InvalidSchema::NotAppended("hour".to_owned())));
    }
}
