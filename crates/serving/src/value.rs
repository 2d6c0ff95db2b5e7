//! The value of one feature or entity key.

use serde::{Deserialize, Serialize};

/// A value as it came in a request or out of the online store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FeatureValue {
    /// Not known.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A number; NaN means not known.
    Float(f64),
    /// Text, such as a category.
    Text(String),
}

impl FeatureValue {
    /// Whether nothing is known: null or NaN.
    pub fn is_missing(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Float(number) => number.is_nan(),
            _ => false,
        }
    }

    /// The value as a number, if it is one. Integers beyond 2^53 are rounded.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Integer(number) => Some(*number as f64),
            Self::Float(number) => Some(*number),
            _ => None,
        }
    }
}
