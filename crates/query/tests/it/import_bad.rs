use std::fmt::Write as _;

use mainstay_core::error::{Coded as _, ErrorCode};
use mainstay_data::schema::{DataType, SchemaError};
use mainstay_query::import::{ImportError, ImportOptions};
use serde_json::Value;

use crate::tables::{Bench, zipped};

/// 1,000 rows of which five are bad, each in its own way.
fn flawed() -> Vec<u8> {
    let mut text = String::from("n,s\n");
    for row in 1..=1_000 {
        match row {
            100 => text.push_str("100\n"),
            200 => text.push_str("two hundred,x\n"),
            300 => text.push_str("300,\u{1}\n"),
            400 => writeln!(text, "400,{}", "y".repeat(60)).unwrap(),
            500 => writeln!(text, "500,{}", "z".repeat(300)).unwrap(),
            _ => writeln!(text, "{row},row {row}").unwrap(),
        }
    }
    let mut bytes = text.into_bytes();
    let at = bytes.iter().position(|&b| b == 1).unwrap();
    bytes[at] = 0xFF;
    bytes
}

fn options() -> ImportOptions {
    let mut options = ImportOptions {
        max_field_bytes: 50,
        max_record_bytes: 100,
        max_bad_share: 0.05,
        ..Default::default()
    };
    options.declared.insert("n".to_owned(), DataType::Int64);
    options
}

#[test]
fn bad_rows_are_put_aside_with_their_reasons() {
    let bench = Bench::new();
    let imported = bench.import(&bench.write("a.csv", flawed()), &options()).unwrap();
    assert_eq!((imported.rows_read, imported.manifest.rows()), (1_000, 995));
    let kinds = ["field-count", "field-size", "not-utf8", "record-size", "value"];
    assert!(imported.bad_rows.iter().map(|(kind, count)| (*kind, *count)).eq(kinds.map(|kind| (kind, 1))));

    let file = imported.manifest.quarantine.clone().unwrap();
    assert_eq!((file.rows, imported.manifest.quarantined_rows()), (5, 5));
    let lines = std::fs::read_to_string(bench.root.path().join(&file.object_key)).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let seen: Vec<_> = lines.iter().map(|line| (line["row"].as_u64().unwrap(), &line["kind"])).collect();
    let expected =
        [(100, "field-count"), (200, "value"), (300, "not-utf8"), (400, "field-size"), (500, "record-size")];
    assert!(seen.iter().zip(&expected).all(|(seen, expected)| seen.0 == expected.0 && seen.1 == expected.1));
    assert_eq!((&lines[1]["row"], &lines[1]["line"]), (&200.into(), &201.into()));
    assert_eq!((&lines[1]["column"], &lines[1]["raw"]), (&"n".into(), &"two hundred,x".into()));
    assert_eq!(lines[1]["reason"], "the value of \"n\" is not of type int64");
}

#[test]
fn too_many_bad_rows_fail_the_import_and_leave_nothing() {
    let bench = Bench::new();
    let path = bench.write("a.csv", flawed());
    for strict in [
        ImportOptions { max_bad_share: 0.004, ..options() },
        ImportOptions { max_bad_rows: 4, ..options() },
        ImportOptions { max_bad_share: 0.0, ..options() },
    ] {
        let error = bench.import(&path, &strict).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidData);
        let sentence = error.to_string();
        assert!(
            sentence.contains("the first is in line 101: it has 1 fields, but there are 2 columns"),
            "{sentence}"
        );
        assert!(bench.published().is_empty(), "{:?}", bench.published());
    }
}

/// A quote that is never closed swallows the rest of the file: one bad row, but most of the bytes.
#[test]
fn an_open_quote_is_noticed_by_its_bytes() {
    let bench = Bench::new();
    let mut text = String::from("n,s\n");
    for row in 0..1_000 {
        writeln!(text, "{row},{}", if row == 600 { "\"open" } else { "fine" }).unwrap();
    }
    let error = bench.import(&bench.write("a.csv", text), &options()).unwrap_err();
    assert!(error.to_string().contains("perhaps a quote is not closed"), "{error}");
}

#[test]
fn headers_that_make_no_schema_are_refused() {
    let bench = Bench::new();
    let refused = |text: &str| bench.import_csv(text).unwrap_err();
    assert!(matches!(refused(""), ImportError::Empty));
    assert!(matches!(refused("a,a\n1,2\n"), ImportError::Schema(SchemaError::Duplicate(_))));
    assert!(matches!(refused("a,,b\n1,2,3\n"), ImportError::Schema(SchemaError::Unnamed(2))));
    let wide = vec!["x"; 10_001].join(",");
    assert!(matches!(refused(&wide), ImportError::Header));
    let latin = bench.import(&bench.write("a.csv", b"\xe4\n1\n"), &options()).unwrap_err();
    assert!(matches!(latin, ImportError::Header));
    let absent = bench.import(&bench.root.path().join("absent.csv"), &options()).unwrap_err();
    assert!(matches!(absent, ImportError::Missing));
    assert_eq!(absent.of("absent.csv").to_string(), "absent.csv: there is no such file; check its path");
}

#[test]
fn archives_that_are_not_one_honest_csv_are_refused() {
    let bench = Bench::new();
    let path = bench.root.path().join("a.zip");
    let refused = |entries: &[(&str, &[u8])], options: &ImportOptions| {
        zipped(&path, entries);
        bench.import(&path, options).unwrap_err()
    };
    let plain = ImportOptions::default();
    assert!(matches!(refused(&[], &plain), ImportError::ZipEntries(0)));
    let two = refused(&[("a.csv", b"a\n1\n"), ("b.csv", b"a\n1\n")], &plain);
    assert!(matches!(two, ImportError::ZipEntries(2)));
    assert!(matches!(refused(&[("../a.csv", b"a\n1\n")], &plain), ImportError::ZipEntry));

    let mut zeros = b"a\n".to_vec();
    zeros.extend(b"0\n".repeat(2 << 20));
    let bomb = refused(&[("a.csv", &zeros)], &plain);
    assert!(matches!(bomb, ImportError::ZipBomb("its ratio")), "{bomb}");
    assert_eq!(bomb.code(), ErrorCode::TooLarge);
    let large = refused(&[("a.csv", &zeros)], &ImportOptions { max_unzipped_bytes: 1_000, ..plain.clone() });
    assert!(matches!(large, ImportError::ZipBomb("its size")));

    zipped(&path, &[("a.csv", b"n\n1\n2\n3\n")]);
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.windows(5).position(|window| window == b"a.csv").unwrap() + 6;
    bytes[at] ^= 0x20;
    let damaged = bench.import(&bench.write("b.zip", bytes), &plain).unwrap_err();
    assert!(matches!(damaged, ImportError::Zip(_)), "{damaged:?}");
    assert!(bench.published().is_empty());
}
