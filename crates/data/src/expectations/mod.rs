//! Expectation suites in the JSON of Great Expectations (read against version 1.24), kept verbatim.
//!
//! The way of a validation: [`Suite::parse`] reads the document; [`Suite::plan`] says, for a schema,
//! which values have to be tested by which [`ValueTest`]; whoever holds the rows counts, once over all
//! of them, into [`ValueCounts`]; [`Suite::evaluate`] turns the counts into a [`SuiteResult`], whose
//! JSON is that of Great Expectations with `result_format: SUMMARY`.
//!
//! Differences from the pandas engine of the original, all in what is shown and none in what is
//! counted: `observed_value` of a type is our name of it (`utf8`, not `str`); instants are written with
//! `Z`; nulls are tallied as one value; results stand in the order of the suite; `exception_info` has one
//! shape.

mod evaluate;
mod plan;
mod result;
mod suite;

pub use plan::{PARTIAL_LIMIT, Probe, Unexpected, ValueCounts, ValueTest};
pub use result::{ExpectationResult, Statistics, SuiteResult};
pub use suite::{Check, Expectation, MAX_EXPECTATIONS, Range, Severity, Suite, SuiteError};

#[cfg(test)]
mod tests;
