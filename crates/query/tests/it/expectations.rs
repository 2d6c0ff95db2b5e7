use mainstay_data::expectations::Suite;
use mainstay_data::schema::DataType;
use mainstay_query::error::QueryError;
use mainstay_query::expectations::validate;
use mainstay_query::import::ImportOptions;
use serde_json::{Value, json};

use crate::tables::{Bench, demo};

/// Every expectation of the reference has the same verdict and the same numbers here. What differs by
/// design (see `mainstay_data::expectations`) is brought to one form on both sides first.
#[test]
fn results_are_those_of_great_expectations() {
    let text = include_str!("../reference/great_expectations_suite.json");
    let reference: Value = serde_json::from_str(text).unwrap();
    let bench = Bench::new();
    let mut options = ImportOptions::default();
    options.declared.insert("e".to_owned(), DataType::Float64);
    options.rows_per_file = 10;
    let path = bench.write("a.csv", reference["csv"].as_str().unwrap());
    let imported = bench.import(&path, &options).unwrap();
    assert_eq!(imported.manifest.files.len(), 4, "counting goes over several files");

    let suite = Suite::from_json(reference["suite"].clone()).unwrap();
    let ours = validate(&bench.table(&imported), &suite).unwrap().to_json();
    assert_eq!(ours["statistics"], reference["result"]["statistics"]);
    assert_eq!(ours["success"], reference["result"]["success"]);
    let theirs = reference["result"]["results"].as_array().unwrap();
    let ours = ours["results"].as_array().unwrap();
    assert_eq!((ours.len(), theirs.len()), (35, 35));
    for found in ours {
        let found = normal(found);
        let same = |other: &&Value| normal(other)["expectation_config"] == found["expectation_config"];
        let expected = theirs.iter().find(same).unwrap_or_else(|| panic!("no reference for {found}"));
        assert_eq!(found, normal(expected));
    }
}

fn normal(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::String(text) => match text.as_str() {
            "NaT" => Value::Null,
            "str" => json!("utf8"),
            _ => json!(text.replace("+00:00", "Z")),
        },
        Value::Array(values) => values.iter().map(normal).collect(),
        Value::Object(fields) => fields
            .iter()
            .filter(|(key, _)| !matches!(key.as_str(), "exception_message" | "exception_traceback"))
            .map(|(key, value)| {
                let value = normal(value);
                (key.clone(), if key == "partial_unexpected_counts" { merged(&value) } else { value })
            })
            .collect(),
        other => other.clone(),
    }
}

/// Python counts each NaN of a list as a value of its own.
fn merged(counts: &Value) -> Value {
    let mut merged: Vec<(Value, f64)> = Vec::new();
    for entry in counts.as_array().into_iter().flatten() {
        let count = entry["count"].as_f64().unwrap();
        match merged.iter_mut().find(|(value, _)| *value == entry["value"]) {
            Some((_, sum)) => *sum += count,
            None => merged.push((entry["value"].clone(), count)),
        }
    }
    merged.into_iter().map(|(value, count)| json!({ "value": value, "count": count })).collect()
}

fn judged(bench: &Bench, name: &str, expectations: &Value) -> Value {
    let imported = bench.import(&demo(name), &ImportOptions::default()).unwrap();
    let suite = Suite::from_json(json!({ "name": name, "expectations": expectations })).unwrap();
    validate(&bench.table(&imported), &suite).unwrap().to_json()
}

/// Counted by hand with pandas; see `demo/flights/PROVENANCE.md`.
#[test]
fn the_flights_have_the_known_gaps() {
    let bench = Bench::new();
    let result = judged(
        &bench,
        "flights",
        &json!([
            { "type": "expect_table_row_count_to_be_between", "kwargs": { "min_value": 300_000 } },
            { "type": "expect_column_values_to_not_be_null", "kwargs": { "column": "dep_time", "mostly": 0.97 } },
            { "type": "expect_column_values_to_not_be_null", "kwargs": { "column": "arr_delay" } },
            { "type": "expect_column_values_to_be_in_set",
              "kwargs": { "column": "origin", "value_set": ["EWR", "JFK", "LGA"] } },
            { "type": "expect_column_values_to_be_between",
              "kwargs": { "column": "dep_time", "min_value": 1, "max_value": 2359 } },
            { "type": "expect_column_values_to_be_between", "kwargs": { "column": "time_hour",
              "min_value": "2013-01-01T10:00:00Z", "max_value": "2014-01-01T04:00:00Z" } },
            { "type": "expect_column_values_to_be_of_type",
              "kwargs": { "column": "time_hour", "type_": "timestamp" } },
        ]),
    );
    let results = result["results"].as_array().unwrap();
    let verdicts: Vec<_> = results.iter().map(|result| result["success"].as_bool().unwrap()).collect();
    assert_eq!(verdicts, [true, true, false, true, false, true, true]);
    assert_eq!(results[2]["result"]["unexpected_count"], 9_430);
    let midnight = &results[4]["result"];
    assert_eq!((&midnight["unexpected_count"], &midnight["missing_count"]), (&json!(29), &json!(8_255)));
    assert_eq!(midnight["partial_unexpected_list"], json!(vec![2_400; 20]));
    assert_eq!(midnight["partial_unexpected_counts"], json!([{ "value": 2_400, "count": 20 }]));
}

#[test]
fn a_missing_or_damaged_file_is_no_verdict() {
    let bench = Bench::new();
    let imported = bench.import_csv("a\n1\n2\n").unwrap();
    let suite = Suite::parse(
        r#"{"name":"s","expectations":[{"type":"expect_column_values_to_not_be_null","kwargs":{"column":"a"}}]}"#,
    )
    .unwrap();
    let table = bench.table(&imported);
    let path = &table.files[0].path;
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, &bytes).unwrap();
    assert!(matches!(table.files[0].verify(), Err(QueryError::Damaged { .. })));
    std::fs::write(path, &bytes[..middle]).unwrap();
    assert!(matches!(validate(&table, &suite), Err(QueryError::Damaged { .. })));
    std::fs::remove_file(path).unwrap();
    let error = validate(&table, &suite).unwrap_err().to_string();
    assert!(error.contains("tables/t/") && !error.contains(path.to_str().unwrap()), "{error}");
}
