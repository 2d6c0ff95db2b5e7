//! Feature rows: emitted from sources, joined point in time, carried online.
//!
//! * [`emit()`]: a source's table version → the rows of a feature view, plain or windowed.
//! * [`point_in_time()`]: entity rows × views → a frame with one row per entity row.
//! * [`examples()`] and [`training_frame()`]: the same, with entity rows and labels from a source.
//! * [`online_rows()`]: what a materialisation carries to the online store.
//! * [`RequestEvaluator`]: features of the request itself, by one implementation in both places.
//!
//! All of it is plain DataFusion plans of unions, sorts, windows and grouped maxima over one packed
//! column ([`mainstay_features::online::pack`]), every one of which spills when the session's memory pool
//! is full, plus two scalar functions that pack. The rule and the definition of the windows are
//! [`mainstay_features::rule`] and [`mainstay_features::window`].
//!
//! A view's emitted rows are a table with the columns of its key, `event_timestamp`,
//! `created_timestamp`, and its features.

mod column;
mod emit;
mod error;
mod examples;
mod functions;
mod online;
mod point_in_time;
mod relation;
mod request;
#[cfg(test)]
mod tests;

pub use column::view_schema;
pub use emit::{Emitted, Visible, emit};
pub use error::FeatureError;
pub use examples::{Examples, LABEL, LABEL_KNOWN_AT, TrainingSet, examples, training_frame};
pub use online::{OnlineRows, online_rows};
pub use point_in_time::{FrameStream, JoinedView, point_in_time};
pub use request::{RequestEvaluator, RequestFields};
