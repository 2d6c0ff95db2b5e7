//! Reading the checked-in reference figures.

use serde_json::Value;

pub(crate) fn load(text: &str) -> Value {
    serde_json::from_str(text).expect("a reference file is JSON")
}

pub(crate) fn float(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

pub(crate) fn floats(value: &Value) -> Vec<f64> {
    list(value).iter().map(float).collect()
}

pub(crate) fn counts(value: &Value) -> Vec<u64> {
    list(value).iter().map(|v| v.as_u64().expect("a count")).collect()
}

pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("{value} is no list"))
}

/// Equal to 1e-6 relative, or 1e-9 absolute near zero.
#[track_caller]
pub(crate) fn close(ours: f64, theirs: f64) {
    let tolerance = 1e-9 + 1e-6 * theirs.abs();
    assert!((ours - theirs).abs() <= tolerance, "ours {ours}, reference {theirs}");
}
