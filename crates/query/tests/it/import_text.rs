use std::ops::ControlFlow;

use arrow::array::{Array, AsArray as _};
use arrow::datatypes::{Date32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use mainstay_core::digest::Digest;
use mainstay_core::time::DataTime;
use mainstay_data::dates::DateOrder;
use mainstay_data::scalar::Scalar;
use mainstay_data::schema::DataType::{Bool, Date, Float64, Int64, Timestamp, Utf8};
use mainstay_query::export::{ExportFormat, export};
use mainstay_query::import::{
    ImportError, ImportOptions, Phase, Progress, Target, TextFormat, import_file, look,
};
use mainstay_query::scan::{Selection, scan};
use mainstay_query::session::{SessionOptions, open};
use proptest::prelude::*;

use crate::tables::{Bench, demo, read, schema, zipped};

#[test]
fn types_nulls_and_statistics_of_a_small_file() {
    let bench = Bench::new();
    let imported = bench
        .import_csv(
            "i,f,s,t,d,b\n1,0.5,x,2013-01-01 05:00:00,2013-01-01,true\n\
             NA,NA,NA,,,NA\n-3,1e3,\"a, \"\"b\"\"\",2013-01-01T00:00:00+01:00,2012-02-29,FALSE\n",
        )
        .unwrap();
    let expected = [("i", Int64), ("f", Float64), ("s", Utf8), ("t", Timestamp), ("d", Date), ("b", Bool)];
    assert_eq!(imported.manifest.schema, schema(&expected));
    assert_eq!((imported.rows_read, imported.manifest.quarantine.is_none()), (3, true));

    let rows = bench.rows(&imported);
    let ints = rows.column(0).as_primitive::<Int64Type>();
    assert_eq!(ints.iter().collect::<Vec<_>>(), [Some(1), None, Some(-3)]);
    let floats = rows.column(1).as_primitive::<Float64Type>();
    assert_eq!(floats.iter().collect::<Vec<_>>(), [Some(0.5), None, Some(1000.0)]);
    let texts = rows.column(2).as_string::<i32>();
    assert_eq!(texts.iter().collect::<Vec<_>>(), [Some("x"), Some("NA"), Some("a, \"b\"")]);
    let instant = |text| DataTime::parse(text).unwrap();
    let times = rows.column(3).as_primitive::<TimestampMicrosecondType>();
    let (first, last) = (instant("2012-12-31T23:00:00Z"), instant("2013-01-01T05:00:00Z"));
    assert_eq!(times.iter().collect::<Vec<_>>(), [Some(last.micros()), None, Some(first.micros())]);
    let dates = rows.column(4).as_primitive::<Date32Type>();
    assert_eq!(dates.iter().collect::<Vec<_>>(), [Some(15_706), None, Some(15_399)]);
    assert_eq!(rows.column(5).as_boolean().iter().collect::<Vec<_>>(), [Some(true), None, Some(false)]);

    let file = &imported.manifest.files[0];
    assert_eq!((file.rows, file.columns[0].nulls, file.columns[2].nulls), (3, 1, 0));
    let bounds = |at: usize| (file.columns[at].min.clone().unwrap(), file.columns[at].max.clone().unwrap());
    assert_eq!(bounds(0), (Scalar::Int(-3), Scalar::Int(1)));
    assert_eq!(bounds(1), (Scalar::Float(0.5), Scalar::Float(1000.0)));
    assert_eq!(bounds(2), (Scalar::Text("NA".to_owned()), Scalar::Text("x".to_owned())));
    assert_eq!(bounds(3), (Scalar::Timestamp(first), Scalar::Timestamp(last)));
    assert_eq!(bounds(4), (Scalar::Date(15_399), Scalar::Date(15_706)));
    assert_eq!(bounds(5), (Scalar::Bool(false), Scalar::Bool(true)));

    let path = bench.root.path().join(&file.object_key);
    let bytes = std::fs::read(path).unwrap();
    assert_eq!((Digest::of(&bytes), bytes.len() as u64), (file.sha256, file.bytes));
    bench.table(&imported).files[0].verify().unwrap();
}

/// All flights of the demo, written as CSV, zipped and read again, are the same rows.
#[tokio::test]
async fn the_flights_survive_csv_and_zip() {
    let bench = Bench::new();
    let original = bench.import(&demo("flights"), &ImportOptions::default()).unwrap();
    let session = open(&SessionOptions {
        partitions: 1,
        ..SessionOptions::spilling_to(bench.root.path().join("spill"))
    })
    .unwrap();
    let batches = scan(&session, &bench.table(&original), &Selection::default()).await.unwrap();
    let csv = bench.root.path().join("flights.csv");
    assert_eq!(export(batches, &csv, ExportFormat::Csv).await.unwrap().rows, 336_776);

    let zip = bench.root.path().join("flights.zip");
    zipped(&zip, &[("data/flights.csv", &std::fs::read(&csv).unwrap())]);
    let again = bench.import(&zip, &ImportOptions::default()).unwrap();
    assert_eq!(again.manifest.schema, original.manifest.schema);
    assert_eq!((again.rows_read, again.bad_rows.len()), (336_776, 0));
    assert_eq!(bench.rows(&again), read(&demo("flights")));
    assert_eq!(again.manifest.digest(), original.manifest.digest(), "equal rows give equal files");

    let file = &again.manifest.files[0];
    let nulls = |name| file.columns[again.manifest.schema.position(name).unwrap()].nulls;
    assert_eq!((nulls("dep_time"), nulls("arr_delay"), nulls("tailnum")), (8_255, 9_430, 2_512));
}

#[test]
fn declared_types_win() {
    let bench = Bench::new();
    let path = bench.write("a.csv", "code,n,when\n1,2.0,2013-01-01\n2,3,2013-01-02\n");
    let mut options = ImportOptions::default();
    for (column, data_type) in [("code", Utf8), ("n", Int64), ("when", Timestamp)] {
        options.declared.insert(column.to_owned(), data_type);
    }
    let imported = bench.import(&path, &options).unwrap();
    assert_eq!(imported.manifest.schema, schema(&[("code", Utf8), ("n", Int64), ("when", Timestamp)]));
    let rows = bench.rows(&imported);
    assert_eq!(rows.column(1).as_primitive::<Int64Type>().values(), &[2, 3]);

    options.declared.insert("other".to_owned(), Int64);
    let missing = bench.import(&path, &options);
    assert!(matches!(missing, Err(ImportError::DeclaredMissing(column)) if column == "other"));
}

fn parted(delimiter: char) -> TextFormat {
    TextFormat { delimiter: Some(delimiter), ..TextFormat::default() }
}

#[test]
fn decimal_commas_and_dates_are_read_as_declared() {
    let bench = Bench::new();
    let path = bench.write("a.csv", "day;x\n31.12.2024;1,5\n1.1.2025;-0,25\n");
    let format = TextFormat { decimal_comma: true, date_order: Some(DateOrder::DayFirst), ..parted(';') };
    let imported = bench.import(&path, &ImportOptions { format, ..ImportOptions::default() }).unwrap();
    assert_eq!(imported.manifest.schema, schema(&[("day", Date), ("x", Float64)]));
    let rows = bench.rows(&imported);
    assert_eq!(rows.column(0).as_primitive::<Date32Type>().values(), &[20_088, 20_089]);
    assert_eq!(rows.column(1).as_primitive::<Float64Type>().values(), &[1.5, -0.25]);
    let as_text = ImportOptions { format: parted(';'), ..ImportOptions::default() };
    let imported = bench.import(&path, &as_text).unwrap();
    assert_eq!(imported.manifest.schema, schema(&[("day", Utf8), ("x", Utf8)]), "nothing is guessed");
}

#[test]
fn a_single_column_that_looks_like_several_is_refused_until_it_is_declared() {
    let bench = Bench::new();
    for other in [";", "\t", "|"] {
        let path = bench.write("a.csv", format!("a{other}b\n1{other}2\n"));
        let refused = bench.import(&path, &ImportOptions::default()).unwrap_err();
        assert!(matches!(&refused, ImportError::OtherDelimiter(found) if found == other), "{refused}");
        assert!(refused.to_string().contains(&format!("`delimiter: {other:?}`")), "{refused}");
        let declared = ImportOptions { format: parted(','), ..ImportOptions::default() };
        match bench.import(&path, &declared) {
            Ok(imported) => assert_eq!(imported.manifest.schema.columns().len(), 1),
            Err(error) => assert!(other == "\t" && matches!(error, ImportError::Schema(_)), "{error}"),
        }
    }
}

#[test]
fn a_look_finds_out_how_a_file_is_written() {
    let bench = Bench::new();
    let seen =
        |text: &str| look(&bench.write("a.csv", text), None, &ImportOptions::default()).unwrap().unwrap();
    for (delimiter, text) in [
        (',', "a,b;c\n1,2;3\n"),
        (';', "a, net;b;c\n1,5;2,5;x\n1;2;y\n"),
        ('\t', "a\tb\n1,5\tx\n"),
        ('|', "a|b\n1|\"x,y;z\"\n"),
        (',', "only\n1;2\n"),
        (';', "a,b;c;d\n1,2;\"3;3\";4\n"),
    ] {
        assert_eq!(seen(text).delimiter, delimiter, "{text:?}");
    }
    let found = seen("t;x;s\n31.12.2024;1,5;1.5\n;2,5;1.25\n03.01.2025 10:00;NA;no\n");
    let [t, x, s] = found.columns.as_slice() else { panic!("{found:?}") };
    assert_eq!((t.name.as_str(), t.values, t.orders, t.iso), ("t", 2, [2, 0, 0], 0));
    assert_eq!((x.values, x.decimal_comma, x.decimal_point), (2, 2, 0));
    assert_eq!((s.values, s.decimal_comma, s.decimal_point, s.odd.as_deref()), (3, 0, 2, Some("1.5")));
    assert_eq!((found.rows, found.is_archive), (3, false));
    assert!(look(&demo("planes"), None, &ImportOptions::default()).unwrap().is_none(), "Parquet is no text");
}

#[test]
fn delimiters_null_tokens_and_empty_tables() {
    let bench = Bench::new();
    let mut options = ImportOptions { format: parted(';'), ..ImportOptions::default() };
    options.null_tokens = vec!["-999".to_owned()];
    let imported = bench.import(&bench.write("a.csv", "a;b\n1;x,y\n-999;z\n"), &options).unwrap();
    let rows = bench.rows(&imported);
    assert_eq!((rows.column(0).null_count(), rows.column(1).as_string::<i32>().value(0)), (1, "x,y"));

    let empty = bench.import_csv("a,b\n").unwrap();
    assert_eq!((empty.manifest.rows(), empty.manifest.files.len()), (0, 1));
    assert_eq!(bench.rows(&empty).num_columns(), 2);
    for delimiter in ['"', '\n', 'é'] {
        let options = ImportOptions { format: parted(delimiter), ..ImportOptions::default() };
        let refused = bench.import(&bench.write("a.csv", "a\n1\n"), &options);
        assert!(matches!(refused, Err(ImportError::Delimiter)));
    }
}

#[test]
fn large_tables_are_split_into_files() {
    let bench = Bench::new();
    let text: String = std::iter::once("n\n".to_owned()).chain((0..25).map(|n| format!("{n}\n"))).collect();
    let options = ImportOptions { rows_per_file: 10, ..ImportOptions::default() };
    let imported = bench.import(&bench.write("a.csv", text), &options).unwrap();
    let files = &imported.manifest.files;
    assert_eq!(files.iter().map(|file| file.rows).collect::<Vec<_>>(), [10, 10, 5]);
    let minima: Vec<_> = files.iter().map(|file| file.columns[0].min.clone().unwrap()).collect();
    assert_eq!(minima, [0, 10, 20].map(Scalar::Int));
    let rows = bench.rows(&imported);
    assert!(rows.column(0).as_primitive::<Int64Type>().values().iter().copied().eq(0..25));
}

#[test]
fn progress_is_told_and_can_stop() {
    let bench = Bench::new();
    let text: String =
        std::iter::once("n\n".to_owned()).chain((0..40_000).map(|n| format!("{n}\n"))).collect();
    let path = bench.write("a.csv", &text);
    let directory = bench.root.path().join("tables/t");
    let target = Target { directory: &directory, key_prefix: "tables/t/" };
    let mut seen: Vec<Progress> = Vec::new();
    import_file(&path, target, &ImportOptions::default(), &mut |progress| {
        seen.push(progress);
        ControlFlow::Continue(())
    })
    .unwrap();
    let total = text.len() as u64;
    assert!(seen.iter().all(|progress| progress.total_bytes == total && progress.bytes <= total));
    let end = |phase| *seen.iter().rfind(|progress| progress.phase == phase).unwrap();
    for phase in [Phase::Inferring, Phase::Writing] {
        assert_eq!(end(phase), Progress { phase, rows: 40_000, bytes: total, total_bytes: total });
    }

    std::fs::remove_dir_all(&directory).unwrap();
    std::fs::create_dir(&directory).unwrap();
    let stopped = import_file(&path, target, &ImportOptions::default(), &mut |progress| {
        if progress.phase == Phase::Writing { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(matches!(stopped, Err(ImportError::Stopped)));
    assert!(bench.published().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a table of texts and integers holds, its CSV reads back as it was.
    #[test]
    fn rows_survive_csv(rows in prop::collection::vec((".{0,12}", any::<Option<i64>>()), 1..40)) {
        let bench = Bench::new();
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let line = |(text, number): &(String, Option<i64>)| {
            format!("{},{}\n", quoted(text), number.map_or("NA".to_owned(), |number| number.to_string()))
        };
        let csv: String = std::iter::once("s,n\n".to_owned()).chain(rows.iter().map(line)).collect();
        let mut options = ImportOptions { text_null_tokens: vec![], ..ImportOptions::default() };
        options.declared.extend([("s".to_owned(), Utf8), ("n".to_owned(), Int64)]);
        let read = bench.rows(&bench.import(&bench.write("a.csv", csv), &options).unwrap());
        let (texts, numbers) = (read.column(0).as_string::<i32>(), read.column(1).as_primitive::<Int64Type>());
        prop_assert_eq!(texts.len(), rows.len());
        for ((text, number), (read_text, read_number)) in rows.iter().zip(texts.iter().zip(numbers)) {
            prop_assert_eq!((Some(text.as_str()), *number), (read_text, read_number));
        }
    }

    /// Any bytes are a table or a typed error, never a panic.
    #[test]
    fn any_bytes_are_a_table_or_an_error(
        start in prop::sample::select(vec![&b""[..], b"PK\x03\x04", b"PAR1", b"a,b\n"]),
        rest in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let bench = Bench::new();
        let outcome = bench.import(&bench.write("x", [start, &rest].concat()), &ImportOptions::default());
        prop_assert_eq!(outcome.is_err(), bench.published().is_empty());
    }
}
