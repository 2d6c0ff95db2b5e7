//! Results, in the shape of Great Expectations' `ExpectationSuiteValidationResult`.

use serde_json::{Value, json};

use super::plan::{Unexpected, ValueCounts};
use super::suite::Severity;
use crate::scalar::Scalar;

/// What was found for one expectation.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpectationResult {
    pub(super) success: bool,
    pub(super) severity: Severity,
    pub(super) config: Value,
    pub(super) finding: Finding,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Finding {
    /// Success or failure says it all.
    Bare,
    /// One observed value.
    Observed(Value),
    /// Counts of values; `nulls` if nulls are what was counted.
    Counts { counts: ValueCounts, nulls: bool },
    /// It could not be judged.
    Exception(String),
}

impl ExpectationResult {
    /// Whether it was met.
    pub fn success(&self) -> bool {
        self.success
    }

    /// How bad it is if not.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// The JSON of one entry of `results`.
    pub fn to_json(&self) -> Value {
        let (result, exception) = match &self.finding {
            Finding::Bare => (json!({}), None),
            Finding::Observed(value) => (json!({ "observed_value": value }), None),
            Finding::Counts { counts, nulls } => (counted(counts, *nulls), None),
            Finding::Exception(message) => (json!({}), Some(message)),
        };
        json!({
            "success": self.success,
            "expectation_config": self.config,
            "result": result,
            "meta": {},
            "exception_info": {
                "raised_exception": exception.is_some(),
                "exception_message": exception,
                "exception_traceback": null,
            },
        })
    }
}

/// `part / whole * 100`, or null if there is no whole: the arithmetic of the original, in its order.
fn percent(part: u64, whole: u64) -> Value {
    if whole == 0 { Value::Null } else { Value::from(part as f64 / whole as f64 * 100.0) }
}

/// The `result` of an expectation on values. Source: `_format_map_output` in Great Expectations
/// 1.24's `expectations/expectation.py`, format `SUMMARY`.
fn counted(counts: &ValueCounts, nulls: bool) -> Value {
    let ValueCounts { elements, missing, unexpected, partial } = counts;
    let considered = if nulls { *elements } else { elements.saturating_sub(*missing) };
    let value_of = |found: &Unexpected| found.value.as_ref().map_or(Value::Null, Scalar::to_json);
    let mut result = json!({
        "element_count": elements,
        "unexpected_count": unexpected,
        "unexpected_percent": percent(*unexpected, considered),
        "partial_unexpected_list": partial.iter().map(value_of).collect::<Vec<_>>(),
        "partial_unexpected_counts": tallied(partial.iter().map(value_of)),
        "partial_unexpected_index_list": partial.iter().map(|found| found.row).collect::<Vec<_>>(),
    });
    if let (false, Some(result)) = (nulls, result.as_object_mut()) {
        result.insert("missing_count".to_owned(), Value::from(*missing));
        result.insert("missing_percent".to_owned(), percent(*missing, *elements));
        result.insert("unexpected_percent_total".to_owned(), percent(*unexpected, *elements));
        result.insert("unexpected_percent_nonmissing".to_owned(), percent(*unexpected, considered));
    }
    result
}

/// Distinct values with their counts, the most frequent first, equal counts by value.
fn tallied(values: impl Iterator<Item = Value>) -> Vec<Value> {
    let mut counts: Vec<(Value, u64)> = Vec::new();
    for value in values {
        match counts.iter_mut().find(|(seen, _)| *seen == value) {
            Some((_, count)) => *count += 1,
            None => counts.push((value, 1)),
        }
    }
    counts.sort_by(|(a, m), (b, n)| n.cmp(m).then_with(|| by_value(a, b)));
    counts.into_iter().map(|(value, count)| json!({ "value": value, "count": count })).collect()
}

fn by_value(a: &Value, b: &Value) -> std::cmp::Ordering {
    match (a.as_f64(), b.as_f64(), a.as_str(), b.as_str()) {
        (Some(a), Some(b), ..) => a.total_cmp(&b),
        (.., Some(a), Some(b)) => a.cmp(b),
        _ => std::cmp::Ordering::Equal,
    }
}

/// How many expectations were met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Statistics {
    /// All.
    #[serde(rename = "evaluated_expectations")]
    pub evaluated: usize,
    /// Those that were met.
    #[serde(rename = "successful_expectations")]
    pub successful: usize,
    /// Those that were not.
    #[serde(rename = "unsuccessful_expectations")]
    pub unsuccessful: usize,
}

/// What a suite found in a table.
#[derive(Debug, Clone, PartialEq)]
pub struct SuiteResult {
    pub(super) suite_name: String,
    pub(super) results: Vec<ExpectationResult>,
}

impl SuiteResult {
    /// Whether every expectation was met.
    pub fn success(&self) -> bool {
        self.results.iter().all(|result| result.success)
    }

    /// Whether an expectation of critical severity was not met: the table must not be used.
    pub fn blocks(&self) -> bool {
        self.results.iter().any(|result| !result.success && result.severity == Severity::Critical)
    }

    /// One result per expectation, in the order of the suite.
    pub fn results(&self) -> &[ExpectationResult] {
        &self.results
    }

    /// How many expectations were met.
    pub fn statistics(&self) -> Statistics {
        let successful = self.results.iter().filter(|result| result.success).count();
        let evaluated = self.results.len();
        Statistics { evaluated, successful, unsuccessful: evaluated - successful }
    }

    /// The configurations of the expectations that were not met.
    pub fn failures(&self) -> Vec<&Value> {
        self.results.iter().filter(|result| !result.success).map(|result| &result.config).collect()
    }

    /// The JSON of the whole result.
    pub fn to_json(&self) -> Value {
        let statistics = self.statistics();
        json!({
            "success": self.success(),
            "results": self.results.iter().map(ExpectationResult::to_json).collect::<Vec<_>>(),
            "suite_name": self.suite_name,
            "suite_parameters": {},
            "statistics": {
                "evaluated_expectations": statistics.evaluated,
                "successful_expectations": statistics.successful,
                "unsuccessful_expectations": statistics.unsuccessful,
                "success_percent": percent(statistics.successful as u64, statistics.evaluated as u64),
            },
            "meta": {},
            "id": null,
        })
    }
}
