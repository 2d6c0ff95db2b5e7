use arrow::array::{AsArray as _, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use futures::TryStreamExt as _;
use mainstay_core::error::{Coded as _, ErrorCode};
use mainstay_core::time::DataTime;
use mainstay_data::scalar::Scalar;
use mainstay_query::error::QueryError;
use mainstay_query::export::{ExportFormat, export};
use mainstay_query::import::{ImportOptions, Imported};
use mainstay_query::scan::{RowFilter, Selection, TimeRange, scan};
use mainstay_query::session::{SessionOptions, open};

use crate::tables::{Bench, demo, read};

fn at(text: &str) -> DataTime {
    DataTime::parse(text).unwrap()
}

async fn selected(
    bench: &Bench,
    imported: &Imported,
    selection: &Selection,
) -> Result<RecordBatch, QueryError> {
    let session = open(&SessionOptions::spilling_to(bench.root.path().join("spill")))?;
    let stream = scan(&session, &bench.table(imported), selection).await?;
    let schema = stream.schema();
    let batches: Vec<_> = stream.try_collect().await?;
    Ok(concat_batches(&schema, &batches)?)
}

#[tokio::test]
async fn a_day_of_one_airport_in_two_columns() {
    let bench = Bench::new();
    let imported = bench.import(&demo("flights"), &ImportOptions::default()).unwrap();
    let (from, until) = (at("2013-02-01T00:00:00Z"), at("2013-02-02T00:00:00Z"));
    let selection = Selection {
        columns: Some(vec!["time_hour".to_owned(), "flight".to_owned()]),
        rows: RowFilter {
            between: Some(TimeRange { column: "time_hour".to_owned(), from, until }),
            equal: vec![("origin".to_owned(), Scalar::Text("JFK".to_owned()))],
        },
    };
    let rows = selected(&bench, &imported, &selection).await.unwrap();

    let all = read(&demo("flights"));
    let times = all.column_by_name("time_hour").unwrap().as_primitive::<TimestampMicrosecondType>();
    let origins = all.column_by_name("origin").unwrap().as_string::<i32>();
    let flights = all.column_by_name("flight").unwrap().as_primitive::<Int64Type>();
    let mut expected: Vec<_> = (0..all.num_rows())
        .filter(|&row| {
            let time = times.value(row);
            origins.value(row) == "JFK" && time >= from.micros() && time < until.micros()
        })
        .map(|row| (times.value(row), flights.value(row)))
        .collect();
    let found_times = rows.column(0).as_primitive::<TimestampMicrosecondType>().values();
    let found_flights = rows.column(1).as_primitive::<Int64Type>().values();
    let mut found: Vec<_> = found_times.iter().copied().zip(found_flights.iter().copied()).collect();
    expected.sort_unstable();
    found.sort_unstable();
    assert!(expected.len() > 250, "{}", expected.len());
    assert_eq!(found, expected);
}

#[tokio::test]
async fn names_and_types_of_a_selection_are_checked() {
    let bench = Bench::new();
    let imported = bench.import_csv("Upper,n\na,1\n").unwrap();
    let equal = |column: &str, value| Selection {
        rows: RowFilter { equal: vec![(column.to_owned(), value)], ..RowFilter::default() },
        ..Selection::default()
    };
    let rows = selected(&bench, &imported, &equal("Upper", Scalar::Text("a".to_owned()))).await.unwrap();
    assert_eq!(rows.num_rows(), 1);
    for wrong in [
        equal("upper", Scalar::Text("a".to_owned())),
        equal("n", Scalar::Text("1".to_owned())),
        Selection { columns: Some(vec!["m".to_owned()]), ..Selection::default() },
    ] {
        let error = selected(&bench, &imported, &wrong).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidArgument, "{error}");
    }
}

#[tokio::test]
async fn exports_appear_whole_and_read_back() {
    let bench = Bench::new();
    let imported = bench.import_csv("t,s\n2013-01-01 05:00:00,\"a,\"\"b\"\"\"\n,\n").unwrap();
    let session = open(&SessionOptions::spilling_to(bench.root.path().join("a [spill]"))).unwrap();
    let everything = Selection::default();
    let csv = bench.root.path().join("out.csv");
    let stream = scan(&session, &bench.table(&imported), &everything).await.unwrap();
    let exported = export(stream, &csv, ExportFormat::Csv).await.unwrap();
    let text = std::fs::read_to_string(&csv).unwrap();
    assert_eq!(text, "t,s\n2013-01-01T05:00:00Z,\"a,\"\"b\"\"\"\n,\n");
    assert_eq!((exported.rows, exported.bytes), (2, text.len() as u64));

    let parquet = bench.root.path().join("out.parquet");
    let stream = scan(&session, &bench.table(&imported), &everything).await.unwrap();
    export(stream, &parquet, ExportFormat::Parquet).await.unwrap();
    assert_eq!(read(&parquet), bench.rows(&imported));

    let none = Selection {
        rows: RowFilter { equal: vec![("s".to_owned(), Scalar::Text("no".to_owned()))], between: None },
        ..everything
    };
    let stream = scan(&session, &bench.table(&imported), &none).await.unwrap();
    assert_eq!(export(stream, &csv, ExportFormat::Csv).await.unwrap().rows, 0);
    assert_eq!(std::fs::read_to_string(&csv).unwrap(), "t,s\n");
}

#[tokio::test]
async fn files_in_folders_with_odd_names_are_found() {
    let bench = Bench::new();
    let imported = bench.import_csv("n\n1\n").unwrap();
    let odd = bench.root.path().join("a [b]* %20é?");
    std::fs::create_dir_all(odd.join("tables")).unwrap();
    std::fs::rename(bench.root.path().join("tables/t"), odd.join("tables/t")).unwrap();
    let table = mainstay_query::scan::Table::under(&odd, &imported.manifest);
    let session = open(&SessionOptions::spilling_to(bench.root.path().join("spill"))).unwrap();
    let stream = scan(&session, &table, &Selection::default()).await.unwrap();
    let batches: Vec<_> = stream.try_collect().await.unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 1);
}
