use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray as _, Decimal128Array, DictionaryArray, Float32Array, Float64Array, Int32Array,
    LargeStringArray, ListArray, RecordBatch, StringArray, TimestampNanosecondArray, UInt64Array,
};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use mainstay_data::schema::DataType::{Float64, Int64, Timestamp, Utf8};
use mainstay_query::import::{ImportError, ImportOptions};
use parquet::arrow::ArrowWriter;

use crate::tables::{Bench, demo, read, schema};

fn parquet(bench: &Bench, columns: Vec<(&str, ArrayRef)>) -> PathBuf {
    let path = bench.root.path().join("source.parquet");
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    path
}

#[test]
fn the_demo_tables_come_through_as_they_are() {
    let bench = Bench::new();
    for (name, rows, columns) in [("weather", 26_115, 15), ("planes", 3_322, 9)] {
        let imported = bench.import(&demo(name), &ImportOptions::default()).unwrap();
        assert_eq!((imported.manifest.rows(), imported.manifest.schema.columns().len()), (rows, columns));
        assert_eq!(bench.rows(&imported), read(&demo(name)));
    }
}

#[test]
fn other_types_become_ours() {
    let bench = Bench::new();
    let decimals = Decimal128Array::from(vec![Some(150), None]).with_precision_and_scale(10, 2).unwrap();
    let codes: DictionaryArray<Int32Type> = vec![Some("EWR"), None].into_iter().collect();
    let path = parquet(
        &bench,
        vec![
            ("int", Arc::new(Int32Array::from(vec![Some(-1), None]))),
            ("float", Arc::new(Float32Array::from(vec![Some(0.5), None]))),
            ("decimal", Arc::new(decimals)),
            ("large", Arc::new(LargeStringArray::from(vec![Some("é"), None]))),
            ("code", Arc::new(codes)),
            ("nanos", Arc::new(TimestampNanosecondArray::from(vec![Some(1_500), None]))),
        ],
    );
    let imported = bench.import(&path, &ImportOptions::default()).unwrap();
    let expected = [
        ("int", Int64),
        ("float", Float64),
        ("decimal", Float64),
        ("large", Utf8),
        ("code", Utf8),
        ("nanos", Timestamp),
    ];
    assert_eq!(imported.manifest.schema, schema(&expected));
    let rows = bench.rows(&imported);
    assert!(rows.columns().iter().all(|column| column.null_count() == 1 && column.is_null(1)));
    assert_eq!(rows.column(2).as_primitive::<Float64Type>().value(0).to_bits(), 1.5_f64.to_bits());
    assert_eq!(rows.column(4).as_string::<i32>().value(0), "EWR");
    assert_eq!(rows.column(5).as_primitive::<TimestampMicrosecondType>().value(0), 1);
}

#[test]
fn values_that_do_not_convert_are_put_aside() {
    let bench = Bench::new();
    let path = parquet(
        &bench,
        vec![
            ("big", Arc::new(UInt64Array::from(vec![1, u64::MAX, 3, 4, 5]))),
            ("text", Arc::new(StringArray::from(vec!["1", "2", "three", "NA", "5"]))),
            ("real", Arc::new(Float64Array::from(vec![1.0, 2.0, 3.5, 4.0, 5.0]))),
            ("long", Arc::new(StringArray::from(vec!["a", "b", "c", "d", "too long"]))),
        ],
    );
    let mut options = ImportOptions { max_bad_share: 0.6, max_field_bytes: 6, ..ImportOptions::default() };
    options.declared.extend([("text".to_owned(), Int64), ("real".to_owned(), Int64)]);
    let imported = bench.import(&path, &options).unwrap();
    assert_eq!(imported.manifest.schema.type_of("real"), Some(Int64));
    let rows = bench.rows(&imported);
    assert_eq!(rows.column(0).as_primitive::<Int64Type>().values(), &[1, 4]);
    assert_eq!(rows.column(1).as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [Some(1), None]);
    let file = imported.manifest.quarantine.unwrap();
    let lines = std::fs::read_to_string(bench.root.path().join(file.object_key)).unwrap();
    let seen: Vec<(u64, String, String)> = lines
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|line| {
            (
                line["row"].as_u64().unwrap(),
                line["column"].as_str().unwrap().to_owned(),
                line["raw"].as_str().unwrap().to_owned(),
            )
        })
        .collect();
    let of = |row, column: &str, raw: &str| (row, column.to_owned(), raw.to_owned());
    assert_eq!(seen[1..], [of(2, "big", "18446744073709551615"), of(3, "text", "three")]);
    assert_eq!((seen[0].0, seen[0].1.as_str()), (5, "long"));
}

#[test]
fn what_cannot_be_a_table_is_refused() {
    let bench = Bench::new();
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1)])]);
    let nested = bench.import(&parquet(&bench, vec![("l", Arc::new(list))]), &ImportOptions::default());
    assert!(matches!(nested, Err(ImportError::ColumnType { column, .. }) if column == "l"));

    let path = parquet(&bench, vec![("n", Arc::new(Int32Array::from(vec![1])))]);
    let mut options = ImportOptions::default();
    options.declared.insert("n".to_owned(), Timestamp);
    assert!(matches!(bench.import(&path, &options), Err(ImportError::Declared { .. })));

    let bytes = std::fs::read(demo("planes")).unwrap();
    let cut = bench.write("cut.parquet", &bytes[..bytes.len() / 2]);
    assert!(matches!(bench.import(&cut, &ImportOptions::default()), Err(ImportError::Parquet(_))));
    assert!(bench.published().is_empty());
}
