//! `expectations.json`: what the data is expected to be like, from what it is like now.

use mainstay_data::schema::DataType;
use serde_json::{Value, json};

use super::profile::{ColumnProfile, Profile};
use super::roles::Roles;

/// A column of text with more values than this has no closed set.
const SET: usize = 20;
/// How far beyond what was seen a number may lie, as a share of the range.
const SLACK: f64 = 0.5;

pub(super) fn text(profile: &Profile, roles: &Roles) -> String {
    let mut all = vec![json!({
        "type": "expect_table_row_count_to_be_between", "kwargs": { "min_value": (profile.rows / 2).max(1) },
    })];
    for column in &profile.columns {
        let is_left_out = roles.left_out.iter().any(|(name, _)| *name == column.name);
        if !is_left_out {
            all.extend(of_column(
                column,
                profile.rows,
                column.name == roles.target || column.name == roles.time,
            ));
        }
    }
    let suite = json!({
        "name": roles.name,
        "expectations": all,
        "meta": {
            "notes": "Written from the data as it was: check each line against what you know. Critical ones stop the \
                      pipeline, warnings are only shown. 'mostly' is the share of rows that must comply.",
        },
    });
    format!("{suite:#}\n")
}

fn of_column(column: &ColumnProfile, rows: u64, is_needed: bool) -> Vec<Value> {
    let name = &column.name;
    let expect = |kind: &str, severity: &str, mut kwargs: Value| {
        kwargs["column"] = json!(name);
        json!({ "type": format!("expect_column_values_to_{kind}"), "severity": severity, "kwargs": kwargs })
    };
    let filled = 1.0 - column.nulls as f64 / rows.max(1) as f64;
    let mut all = Vec::new();
    if column.nulls == 0 {
        all.push(expect("not_be_null", if is_needed { "critical" } else { "warning" }, json!({})));
    } else if filled > 0.1 {
        // A twentieth less than now, in steps of a twentieth.
        let mostly = ((filled - 0.05) * 20.0).floor().max(1.0) / 20.0;
        all.push(expect("not_be_null", "warning", json!({ "mostly": mostly })));
    }
    if let Some((low, high)) = column.range.filter(|(low, high)| low.is_finite() && high.is_finite()) {
        let slack = SLACK * (high - low).max(1.0);
        // A quantity that was never negative is not expected to become so.
        let least = if low >= 0.0 { (low - slack).max(0.0) } else { low - slack };
        let range = json!({ "min_value": least.floor(), "max_value": (high + slack).ceil() });
        all.push(expect("be_between", "warning", range));
    }
    let set =
        column.values.as_ref().filter(|values| column.data_type == DataType::Utf8 && values.len() <= SET);
    if let Some(values) = set {
        all.push(expect("be_in_set", "warning", json!({ "value_set": values })));
    }
    all
}
