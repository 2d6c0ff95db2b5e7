//! `init` with files as people have them: other separators, other dates, and faults.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::program::Data;

const ROWS: u32 = 3_000;

/// Orders of a shop over sixty days, as a German spreadsheet exports them: semicolons, decimal commas, the day
/// first. Whether an order comes back depends on its price.
fn german(row: u32) -> String {
    let (month, day, hour) = (row / 50 / 30 + 3, row / 50 % 30 + 1, row % 50 / 3);
    // A multiplier that walks through all residues, so that neither column follows the time.
    let (price, items) = (row * 7_919 % 1_000, row * 104_729 % 7 + 1);
    let back = if price + row * 31 % 400 > 700 { "ja" } else { "nein" };
    format!(
        "{day:02}.{month:02}.2024 {hour:02}:15;{};{},{:02};{items};Kunde {};{back}\n",
        500_000 + row * 37,
        price / 10,
        price % 10 * 10,
        row % 9
    )
}

fn write(folder: &Path, name: &str, text: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_file_with_semicolons_and_decimal_commas_becomes_a_champion() {
    let (data, place) = (Data::new(), tempfile::tempdir().unwrap());
    // With the mark that spreadsheets put in front of UTF-8.
    let mut csv = String::from("\u{feff}Bestellt am;Bestell-ID;Preis;Stück;Kunde;Retoure\n");
    (0..ROWS).for_each(|row| csv.push_str(&german(row)));
    let csv = write(place.path(), "retouren.csv", csv);
    let folder = place.path().join("retouren");
    let made = data.output(&[
        "init",
        "--csv",
        &csv,
        "--target",
        "Retoure",
        "--positive",
        "ja",
        "--time",
        "Bestellt am",
        "--to",
        folder.to_str().unwrap(),
    ]);
    assert!(made.status.success(), "{}", said(&made));
    for note in ["separated by ';'", "decimal comma", "the day first", "'Bestell-ID' is left out"] {
        assert!(said(&made).contains(note), "{note} is missing in\n{}", said(&made));
    }
    let pipeline = folder.join("pipeline.yaml");
    let text = std::fs::read_to_string(&pipeline).unwrap();
    assert!(
        text.contains("delimiter: \";\"\n      decimal_comma: true\n      date_order: day_first\n"),
        "{text}"
    );
    let features = std::fs::read_to_string(folder.join("features.yaml")).unwrap();
    assert!(features.contains("name: preis, dtype: float64"), "{features}");

    let run = data.output(&["run", pipeline.to_str().unwrap(), "--json"]);
    assert!(run.status.success(), "{}", said(&run));
    let summary: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(summary["state"], "succeeded", "{summary:#}");
    let why = data.output(&["why", "retouren@champion", "--json"]);
    let why: Value = serde_json::from_slice(&why.stdout).unwrap();
    assert_eq!((&why["version"], &why["data"][0]["rows"]), (&1.into(), &ROWS.into()), "{why:#}");
}

/// A file of five hundred columns, and one with tabs and American dates whose rows have no time.
#[test]
fn wide_files_and_tabs_are_taken() {
    let (data, place) = (Data::new(), tempfile::tempdir().unwrap());
    let names: Vec<String> = (0..498).map(|n| format!("c{n}")).collect();
    let mut csv = format!("when,y,{}\n", names.join(","));
    for row in 0..400_u32 {
        let cells: Vec<String> = (0..498).map(|n| (row * 7_919 % (n + 97)).to_string()).collect();
        writeln!(csv, "2024-03-{:02} 10:{:02},{},{}", row / 20 + 1, row % 20, row % 2, cells.join(","))
            .unwrap();
    }
    let wide = write(place.path(), "wide.csv", csv);
    let to = place.path().join("wide");
    let to = to.to_str().unwrap();
    let made = data.output(&["init", "--csv", &wide, "--target", "y", "--time", "when", "--to", to]);
    assert!(made.status.success(), "{}", said(&made));
    assert!(said(&made).contains("columns are features"), "{}", said(&made));
    let nowhere = place.path().join("nowhere");
    let nowhere = nowhere.to_str().unwrap();
    let missing = data.output(&["init", "--csv", &wide, "--target", "c49x", "--to", nowhere]);
    assert!(said(&missing).contains("and 480 more"), "{}", said(&missing));

    let mut tabs = String::from("y\tx\tnote\n");
    for row in 0..400_u32 {
        writeln!(tabs, "{}\t{}.5\t\"a\tb\"", row % 2, row * 7_919 % 97).unwrap();
    }
    let tabs = write(place.path(), "tabs.tsv", tabs);
    let to = place.path().join("tabs");
    let made = data.output(&["init", "--csv", &tabs, "--target", "y", "--to", to.to_str().unwrap()]);
    assert!(made.status.success(), "{}", said(&made));
    let copy = std::fs::read_to_string(to.join("rows.csv")).unwrap();
    assert!(
        copy.starts_with("made_up_arrival\ty\tx\tnote\n2000-01-01T00:00:00Z\t0\t0.5\t\"a\tb\"\n"),
        "{copy}"
    );
    assert!(std::fs::read_to_string(to.join("pipeline.yaml")).unwrap().contains("delimiter: \"\\t\""));
}

/// Rows over thirty days with a time, a number and a target.
fn plain(header: &str, target: impl Fn(u32) -> String) -> String {
    let mut csv = format!("{header}\n");
    for row in 0..300_u32 {
        writeln!(csv, "2024-03-{:02} 10:00:00,{}.5,{}", row / 10 + 1, row * 7_919 % 97, target(row)).unwrap();
    }
    csv
}

#[test]
fn a_file_that_makes_no_project_is_refused_in_a_sentence_and_leaves_nothing() {
    let (data, place) = (Data::new(), tempfile::tempdir().unwrap());
    let both = |row: u32| (row % 2).to_string();
    let dates = |day: fn(u32) -> String| {
        let rows = (0..300).map(|row| format!("{},{},{}\n", day(row), row % 7, row % 2));
        format!("t,x,y\n{}", rows.collect::<String>())
    };
    let cases: &[(&str, String, &[&str], &str)] = &[
        ("one class", plain("t,x,y", |_| "1".into()), &[], "holds '1' in every row"),
        ("one truth", plain("t,x,y", |_| "true".into()), &[], "holds 'true' in every row"),
        ("no target", plain("t,x,y", |_| String::new()), &[], "holds no value in any row"),
        ("beyond", plain("t,x,y", |row| row.to_string()), &["--above", "900"], "between 0 and 299"),
        ("header", "t,x,y\n".into(), &[], "has a line of column names and no rows"),
        ("empty", String::new(), &[], "the file is empty"),
        ("twice", plain("t,y,y", both), &[], "\"y\" appears twice"),
        ("near", plain("t,x,targe", both), &["--target", "target"], "did you mean 'targe'?"),
        ("near time", plain("when,x,y", both), &["--time", "wen"], "did you mean 'when'?"),
        ("near key", plain("t,amount,y", both), &["--key", "amnt"], "did you mean 'amount'?"),
        ("number", dates(|row| (1_711_929_600 + row * 3_600).to_string()), &[], "such as \"1711929600\""),
        ("short year", dates(|row| format!("{:02}.03.24", row / 10 + 1)), &[], "four digits of the year"),
        ("either", dates(|row| format!("{:02}/03/2024", row / 30 + 1)), &[], "--date-order day-first"),
    ];
    for (name, csv, more, sentence) in cases {
        let csv = write(place.path(), &format!("{name}.csv"), csv);
        let to = place.path().join("made/below");
        let mut arguments = vec!["init", "--csv", &csv, "--to", to.to_str().unwrap()];
        for (flag, default) in [("--target", "y"), ("--time", "t")] {
            if !more.contains(&flag) {
                arguments.extend([flag, default]);
            }
        }
        arguments.extend(*more);
        let refused = data.output(&arguments);
        assert_eq!(refused.status.code(), Some(2), "{name}: {}", said(&refused));
        assert!(said(&refused).contains(sentence), "{name}: {}", said(&refused));
        assert!(!place.path().join("made").exists(), "{name} left something behind");
    }
}

#[test]
fn dates_are_read_in_the_only_order_that_makes_sense_or_as_told() {
    let (data, place) = (Data::new(), tempfile::tempdir().unwrap());
    let rows = |day: &dyn Fn(u32) -> String| {
        let rows = (0..300).map(|row| format!("{},{},{}\n", day(row), row % 7, row * 7 % 2));
        format!("t,x,y\n{}", rows.collect::<String>())
    };
    let twelve = |row: u32| format!("{}/{}/2024", row / 30 % 12 + 1, row / 100 + 1);
    for (name, csv, more, line) in [
        ("slashes", rows(&|row| format!("{:02}/03/2024", row / 10 + 1)), None, "date_order: day_first"),
        (
            "american",
            rows(&|row| format!("3/{}/2024 {}:00 PM", row / 10 + 1, row % 12 + 1)),
            None,
            "month_first",
        ),
        ("japanese", rows(&|row| format!("2024/03/{:02}", row / 10 + 1)), None, "date_order: year_first"),
        ("told", rows(&twelve), Some("month-first"), "date_order: month_first"),
        (
            "zone",
            rows(&|row| format!("2024-03-{:02}T10:00:00+0100", row / 10 + 1)),
            None,
            "types: {'t': timestamp}",
        ),
    ] {
        let csv = write(place.path(), &format!("{name}.csv"), csv);
        let to = place.path().join(name);
        let mut arguments =
            vec!["init", "--csv", &csv, "--target", "y", "--time", "t", "--to", to.to_str().unwrap()];
        arguments.extend(more.map(|order| ["--date-order", order]).into_iter().flatten());
        let made = data.output(&arguments);
        assert!(made.status.success(), "{name}: {}", said(&made));
        let pipeline = std::fs::read_to_string(to.join("pipeline.yaml")).unwrap();
        assert!(pipeline.contains(line), "{name}: {pipeline}");
    }
}
