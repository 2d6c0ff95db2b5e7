use serde_json::{Value, json};

use super::*;
use crate::scalar::{Scalar, parse_timestamp};
use crate::schema::{Column, DataType, Schema};

fn suite(expectations: &Value) -> Result<Suite, SuiteError> {
    Suite::from_json(json!({ "name": "s", "expectations": expectations }))
}

fn schema() -> Schema {
    Schema::new(vec![
        Column::new("i", DataType::Int64),
        Column::new("f", DataType::Float64),
        Column::new("s", DataType::Utf8),
        Column::new("t", DataType::Timestamp),
        Column::new("b", DataType::Bool),
    ])
    .unwrap()
}

fn test_of(kind: &str, kwargs: &Value) -> Probe {
    suite(&json!([{ "type": kind, "kwargs": kwargs }])).unwrap().plan(&schema()).remove(0)
}

fn between(kwargs: &Value) -> ValueTest {
    match test_of("expect_column_values_to_be_between", kwargs) {
        Probe::Values { test, .. } => test,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_document_is_kept_as_it_was() {
    let text = r#"{"name":"s","id":null,"notes":"n","meta":{"great_expectations_version":"1.24.1"},"unknown":[1,2.50],
        "expectations":[{"type":"expect_column_to_exist","kwargs":{"column":"i"},"meta":{"k":1},"severity":"warning","id":"x"}]}"#;
    let suite = Suite::parse(text).unwrap();
    assert_eq!(*suite.document(), serde_json::from_str::<Value>(text).unwrap());
    assert_eq!(suite.expectations()[0].severity, Severity::Warning);
    let again = Suite::parse(&suite.document().to_string()).unwrap();
    assert_eq!((again.digest(), &again), (suite.digest(), &suite));
}

#[test]
fn what_is_not_understood_is_refused_with_what_is() {
    let refused = |expectation: &Value| suite(&json!([expectation])).unwrap_err().to_string();
    let unknown = refused(&json!({ "type": "expect_column_mean_to_be_between", "kwargs": {} }));
    assert!(unknown.contains("expect_column_mean_to_be_between"), "{unknown}");
    assert!(unknown.contains("supported are expect_column_to_exist, "), "{unknown}");

    let null = "expect_column_values_to_not_be_null";
    let range = "expect_column_values_to_be_between";
    for (kind, kwargs, keyword) in [
        (null, json!({}), "'column'"),
        (null, json!({ "column": "i", "mostly": 1.5 }), "'mostly'"),
        (null, json!({ "column": "i", "row_condition": "x > 1" }), "'row_condition'"),
        (range, json!({ "column": "i" }), "'min_value'"),
        (range, json!({ "column": "i", "min_value": [1] }), "'min_value'"),
        (range, json!({ "column": "i", "min_value": 2, "max_value": 1 }), "'min_value'"),
        (range, json!({ "column": "i", "min_value": 2, "strict_min": 1 }), "'strict_min'"),
        ("expect_column_values_to_be_in_set", json!({ "column": "i", "value_set": 3 }), "'value_set'"),
        ("expect_column_values_to_be_of_type", json!({ "column": "i", "type_": "blob" }), "'type_'"),
        ("expect_table_row_count_to_be_between", json!({ "min_value": "1" }), "'min_value'"),
    ] {
        let sentence = refused(&json!({ "type": kind, "kwargs": kwargs }));
        assert!(sentence.starts_with(&format!("expectation 1: {keyword}")), "{sentence}");
    }
    assert!(matches!(Suite::parse("{"), Err(SuiteError::NotJson(_))));
    assert!(matches!(Suite::parse("[]"), Err(SuiteError::Shape(_))));
    let many = vec![json!({ "type": "expect_column_to_exist", "kwargs": { "column": "i" } }); 1_001];
    assert_eq!(suite(&Value::from(many)), Err(SuiteError::TooMany(1_001)));
}

#[test]
fn bounds_are_exact_for_integers_and_instants() {
    let test = between(&json!({ "column": "i", "min_value": 0.5, "max_value": 3, "strict_max": true }));
    assert_eq!(test, ValueTest::Ints(1, 2));
    let strict = between(&json!({ "column": "i", "min_value": 0.5, "strict_min": true }));
    assert_eq!(strict, ValueTest::Ints(1, i64::MAX));
    let whole = between(&json!({ "column": "i", "min_value": 1.0, "strict_min": true }));
    assert_eq!(whole, ValueTest::Ints(2, i64::MAX));
    let beyond = between(&json!({ "column": "i", "min_value": i64::MAX, "strict_min": true }));
    assert_eq!(beyond, ValueTest::Never);
    let far = between(&json!({ "column": "i", "max_value": 1e300 }));
    assert_eq!(far, ValueTest::Ints(i64::MIN, i64::MAX));

    let floats = between(&json!({ "column": "f", "min_value": 0, "max_value": 1, "strict_min": true }));
    assert_eq!(
        [0.0, f64::MIN_POSITIVE, 1.0, 1.0 + f64::EPSILON].map(|value| floats.fits_float(value)),
        [false, true, true, false]
    );
    let texts = between(&json!({ "column": "s", "min_value": "b", "max_value": "d", "strict_max": true }));
    assert_eq!(["a", "b", "cz", "d"].map(|value| texts.fits_text(value)), [false, true, true, false]);

    let new_year = parse_timestamp("2013-01-01T00:00:00Z").unwrap().micros();
    let instants = between(&json!({ "column": "t", "min_value": "2013-01-01 01:00:00+01:00" }));
    assert_eq!([new_year - 1, new_year].map(|value| instants.fits_int(value)), [false, true]);
}

#[test]
fn bounds_of_another_kind_and_missing_columns_are_exceptions() {
    let kind = "expect_column_values_to_be_between";
    for kwargs in [
        json!({ "column": "s", "min_value": 1 }),
        json!({ "column": "i", "min_value": "1" }),
        json!({ "column": "t", "min_value": "soon" }),
        json!({ "column": "b", "min_value": 0 }),
        json!({ "column": "nope", "min_value": 0 }),
    ] {
        let suite = suite(&json!([{ "type": kind, "kwargs": kwargs }])).unwrap();
        let plan = suite.plan(&schema());
        let result = suite.evaluate(&schema(), 7, &plan, &[ValueCounts::default()]).to_json();
        assert_eq!(result["success"], false);
        assert_eq!(result["results"][0]["exception_info"]["raised_exception"], true, "{result}");
    }
}

#[test]
fn sets_compare_by_value_within_the_type() {
    let set = |column: &str, set: &Value| match test_of(
        "expect_column_values_to_be_in_set",
        &json!({ "column": column, "value_set": set }),
    ) {
        Probe::Values { test, .. } => test,
        other => panic!("{other:?}"),
    };
    let ints = set("i", &json!([1, 2.0, 2.5, "3", null]));
    assert_eq!([1, 2, 3].map(|value| ints.fits_int(value)), [true, true, false]);
    let floats = set("f", &json!([0, 1.5]));
    assert_eq!([0.0, -0.0, 1.5, 2.0].map(|value| floats.fits_float(value)), [true, true, true, false]);
    let texts = set("s", &json!(["EWR", 1]));
    assert_eq!(["EWR", "1"].map(|value| texts.fits_text(value)), [true, false]);
    let truths = set("b", &json!([true]));
    assert_eq!([true, false].map(|value| truths.fits_bool(value)), [true, false]);
    assert!(set("i", &Value::Null).fits_int(5));
    assert!(!set("i", &json!([])).fits_int(5));
}

/// The worked example of the documentation: 4 rows, 1 null, 1 unexpected.
#[test]
fn mostly_is_judged_on_non_null_values() {
    let counts = ValueCounts {
        elements: 4,
        missing: 1,
        unexpected: 1,
        partial: vec![Unexpected { row: 3, value: Some(Scalar::Int(9)) }],
    };
    for (mostly, success) in [(0.66, true), (0.67, false), (0.75, false)] {
        let suite = suite(&json!([{ "type": "expect_column_values_to_be_between",
            "kwargs": { "column": "i", "max_value": 3, "mostly": mostly } }]))
        .unwrap();
        let result = suite.evaluate(&schema(), 4, &suite.plan(&schema()), std::slice::from_ref(&counts));
        assert_eq!(result.success(), success, "{mostly}");
        let json = result.to_json();
        let shown = &json["results"][0]["result"];
        assert_eq!(shown["unexpected_percent"].as_f64(), Some(1.0 / 3.0 * 100.0));
        assert_eq!(shown["unexpected_percent_total"].as_f64(), Some(25.0));
        assert_eq!(shown["partial_unexpected_index_list"], json!([3]));
    }
}

#[test]
fn only_critical_failures_block() {
    let expectation = |severity: &str| {
        json!({ "type": "expect_table_row_count_to_be_between", "severity": severity,
            "kwargs": { "min_value": 10 } })
    };
    let judged = |severity: &str| {
        let suite = suite(&json!([expectation(severity)])).unwrap();
        suite.evaluate(&schema(), 7, &suite.plan(&schema()), &[])
    };
    assert!(judged("critical").blocks());
    assert!(!judged("warning").blocks());
    assert!(!judged("warning").success());
    assert_eq!(judged("info").to_json()["results"][0]["result"], json!({ "observed_value": 7 }));
    let empty = suite(&json!([])).unwrap().evaluate(&schema(), 0, &[], &[]).to_json();
    assert_eq!((&empty["success"], &empty["statistics"]["success_percent"]), (&json!(true), &Value::Null));
}
