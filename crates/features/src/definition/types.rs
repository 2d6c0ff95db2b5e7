//! The checked definitions. SQL in them is text; the query layer reads it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::span::Span;

/// The type of a key, feature or label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dtype {
    /// True or false.
    Bool,
    /// A 64-bit signed integer.
    Int64,
    /// An IEEE 754 double.
    Float64,
    /// UTF-8 text.
    String,
    /// An instant in UTC, in microseconds.
    Timestamp,
}

impl Dtype {
    /// The name used in definitions.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int64 => "int64",
            Self::Float64 => "float64",
            Self::String => "string",
            Self::Timestamp => "timestamp",
        }
    }

    /// The type of that name.
    pub fn named(text: &str) -> Option<Self> {
        [Self::Bool, Self::Int64, Self::Float64, Self::String, Self::Timestamp]
            .into_iter()
            .find(|dtype| dtype.as_str() == text)
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One column of an entity's key, and how a view finds it in its source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JoinKey {
    /// The column's name in entity frames, requests and emitted rows.
    pub name: String,
    /// Its type: [`Dtype::String`], [`Dtype::Int64`] or [`Dtype::Bool`].
    pub dtype: Dtype,
    /// SQL over the source's columns; in an entity itself, the name.
    pub expression: String,
}

/// Where facts come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// The dataset whose table versions are read.
    pub dataset: String,
    /// SQL: the instant from which a row's fact holds. Rows where it is NULL are no facts.
    pub timestamp: String,
    /// SQL: when the fact became known to us; the timestamp itself if absent.
    pub created: Option<String>,
    /// SQL: only rows for which this is true are facts.
    pub filter: Option<String>,
}

/// A feature that is an expression over one source row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Feature {
    /// Its name within the view.
    pub name: String,
    /// Its type; the expression's value is cast to it.
    pub dtype: Dtype,
    /// SQL over the source's columns.
    pub expression: String,
}

/// What an aggregate computes over the facts in its window; NULLs are left out, as in SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Function {
    /// The number of facts, or of non-NULL values if there is a column. 0 for an empty window.
    Count,
    /// The sum; NULL if there is no value.
    Sum,
    /// The arithmetic mean; NULL if there is no value.
    Mean,
    /// The least value; NULL if there is none.
    Min,
    /// The greatest value; NULL if there is none.
    Max,
    /// The share, from 0 to 1, of values that are true; NULL if there is none. Needs a boolean column.
    Rate,
}

impl Function {
    /// The name used in definitions.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Mean => "mean",
            Self::Min => "min",
            Self::Max => "max",
            Self::Rate => "rate",
        }
    }

    /// The function of that name.
    pub fn named(text: &str) -> Option<Self> {
        [Self::Count, Self::Sum, Self::Mean, Self::Min, Self::Max, Self::Rate]
            .into_iter()
            .find(|function| function.as_str() == text)
    }

    /// The type of the result unless the definition says `dtype: int64`, which `sum`, `min` and `max`
    /// over whole numbers may.
    pub const fn default_dtype(self) -> Dtype {
        match self {
            Self::Count => Dtype::Int64,
            Self::Sum | Self::Mean | Self::Min | Self::Max | Self::Rate => Dtype::Float64,
        }
    }
}

/// A feature that folds the facts of a window (t − window, t].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Aggregate {
    /// Its name within the view.
    pub name: String,
    /// What is computed.
    pub function: Function,
    /// SQL over the source's columns; absent only for [`Function::Count`].
    pub column: Option<String>,
    /// The window's length.
    pub window: Span,
    /// The type of the result: [`Dtype::Int64`] or [`Dtype::Float64`].
    pub dtype: Dtype,
}

/// How a view's features come from its source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// One feature row per source row.
    Features(Vec<Feature>),
    /// A step function of the facts: see [`crate::window`].
    Aggregates(Vec<Aggregate>),
}

/// Features of one entity (or combination of entities) from one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FeatureView {
    /// Its name.
    pub name: String,
    /// The columns of its key, in order; none for a view that joins on time alone.
    pub keys: Vec<JoinKey>,
    /// Where its facts come from.
    pub source: Source,
    /// How long a row answers; for ever if absent.
    pub ttl: Option<Span>,
    /// Its features.
    pub content: Content,
}

impl FeatureView {
    /// Names and types of the features, in order.
    pub fn schema(&self) -> Vec<(&str, Dtype)> {
        match &self.content {
            Content::Features(features) => features.iter().map(|f| (f.name.as_str(), f.dtype)).collect(),
            Content::Aggregates(aggregates) => {
                aggregates.iter().map(|a| (a.name.as_str(), a.dtype)).collect()
            }
        }
    }

    /// Position and type of a feature.
    pub fn feature(&self, name: &str) -> Option<(usize, Dtype)> {
        self.schema().iter().enumerate().find(|(_, f)| f.0 == name).map(|(at, f)| (at, f.1))
    }
}

/// `view:feature`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FeatureRef {
    /// The view.
    pub view: String,
    /// The feature in it.
    pub feature: String,
}

impl FeatureRef {
    /// The name of the column in a training frame and of the model's input: `view__feature`.
    pub fn column(&self) -> String {
        format!("{}__{}", self.view, self.feature)
    }
}

impl fmt::Display for FeatureRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.view, self.feature)
    }
}

impl Serialize for FeatureRef {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

/// What a model is to predict: each row of the source is one example.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Label {
    /// The source: its `timestamp` is the instant at which a prediction would be asked for, its
    /// `created` the instant at which the label is known.
    pub source: Source,
    /// SQL over the source's columns.
    pub expression: String,
    /// The label's type.
    pub dtype: Dtype,
}

/// A feature computed from the request itself, by the same evaluator in training and serving.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RequestFeature {
    /// Its name; also the column in a training frame and the model's input.
    pub name: String,
    /// Its type.
    pub dtype: Dtype,
    /// SQL over the request's fields (columns of the entity frame) and `event_timestamp`.
    pub expression: String,
}

/// What one model reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FeatureService {
    /// Its name.
    pub name: String,
    /// Where training examples come from.
    pub label: Option<Label>,
    /// Stored features, in the order of the model's inputs.
    pub features: Vec<FeatureRef>,
    /// Computed features, after the stored ones.
    pub request: Vec<RequestFeature>,
    /// The distinct join keys of the views it reads, in the order of their first use.
    pub keys: Vec<JoinKey>,
}
