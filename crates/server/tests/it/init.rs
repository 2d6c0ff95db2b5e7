//! A CSV of somebody's own: from `init` over `run` to a champion, and the account of how it came to be.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use crate::program::Data;

const ROWS: u32 = 2_000;

/// Numbers in [0, 1) that are the same each time (the constants of Knuth's MMIX).
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Customers and whether they left: numbers, texts, gaps, a column that says nothing, awkward names.
fn write(folder: &Path, with_time: bool) -> PathBuf {
    let mut draws = Draws(7);
    let time = if with_time { "month end," } else { "" };
    let mut csv = format!("{time}customer,Monthly Charges ($),plan,tenure,note,always,churned\n");
    for row in 0..ROWS {
        let (charge, tenure) = (20.0 + 80.0 * draws.next(), (72.0 * draws.next()).floor());
        let draw = draws.next();
        let plan = if draw < 1.0 / 3.0 {
            "basic"
        } else if draw < 2.0 / 3.0 {
            "it's plus"
        } else {
            "premium"
        };
        let pull = (charge - 60.0) / 10.0 - (tenure - 36.0) / 12.0;
        let left = if draws.next() < 1.0 / (1.0 + (-pull).exp()) { "yes" } else { "no" };
        let charge = if draws.next() < 0.1 { String::new() } else { format!("{charge:.2}") };
        if with_time {
            // Thirty days, evenly.
            let minute = row * 30 * 24 * 60 / ROWS;
            write!(csv, "2024-03-{:02}T{:02}:{:02}:00Z,", minute / 1_440 + 1, minute / 60 % 24, minute % 60)
                .unwrap();
        }
        writeln!(csv, "c{},{charge},{plan},{tenure},note {row},1,{left}", row % 40).unwrap();
    }
    let path = folder.join("Churn of 2024.csv");
    std::fs::write(&path, csv).unwrap();
    path
}

fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs the pipeline that was written, and reads the account of the champion.
fn run(data: &Data, folder: &Path) -> Value {
    let run = data.output(&["run", folder.join("pipeline.yaml").to_str().unwrap(), "--json"]);
    let summary: Value = serde_json::from_str(&printed(&run)).unwrap();
    assert_eq!(summary["state"], "succeeded", "{summary:#}");
    let why = data.output(&["why", "churn@champion", "--json"]);
    serde_json::from_str(&printed(&why)).unwrap()
}

#[test]
fn a_file_with_time_and_keys_becomes_a_champion_with_a_story() {
    let (data, place) = (Data::new(), tempfile::tempdir().unwrap());
    let csv = write(place.path(), true);
    let (csv, folder) = (csv.to_str().unwrap(), place.path().join("churn"));
    let to = folder.to_str().unwrap();
    let silent = data.output(&["init", "--csv", csv, "--target", "churned", "--to", to]);
    assert_eq!(silent.status.code(), Some(2));
    assert!(said(&silent).contains("--time") && said(&silent).contains("month end"), "{}", said(&silent));
    let all = ["init", "--csv", csv, "--target", "churned", "--time", "month end", "--key", "customer"];
    let made = data.output(&[&all[..], &["--name", "churn", "--to", to]].concat());
    assert!(printed(&made).contains("mainstay run"));
    assert!(
        said(&made).contains("'note' is left out") && said(&made).contains("'always' is left out"),
        "{}",
        said(&made)
    );
    assert_eq!(
        data.output(&[&all[..], &["--to", to]].concat()).status.code(),
        Some(2),
        "the folder is not empty"
    );

    let why = run(&data, &folder);
    assert_eq!((&why["version"], &why["aliases"][0]), (&1.into(), &"champion".into()));
    assert_eq!(why["data"][0]["rows"], ROWS);
    assert_eq!(why["data"][0]["validations"][0]["success"], true);
    assert_eq!(why["origin"]["pipeline"], "pipeline");
    assert_eq!(why["origin"]["training"]["output"]["features"]["project"], "churn");
    assert!(why["gates"]["gates"].as_array().unwrap().iter().all(|gate| gate["verdict"] == "passed"));
    assert_eq!(why["release"]["moves"][0]["endpoint"], "churn");

    let page = printed(&data.output(&["why", "churn/1"]));
    for part in [
        "churn version 1",
        "pipeline run",
        "churn version 1: 2000 rows",
        "better_than_trivial",
        "alias champion moved",
    ] {
        assert!(page.contains(part), "{part} is missing in\n{page}");
    }
    assert_eq!(data.output(&["why", "churn/9"]).status.code(), Some(3));
    assert_eq!(data.output(&["why", "churn"]).status.code(), Some(2));
    let shown = printed(&data.output(&["models", "show", "churn@champion"]));
    assert!(shown.contains("better_than_trivial"), "{shown}");
    assert_eq!(printed(&data.output(&["endpoints", "list"])).split('\t').nth(3), Some("champion v1"));
    assert!(printed(&data.output(&["monitors", "list"])).contains("drift"));
    a_second_version_waits(&data, &folder);
    assert!(printed(&data.output(&["datasets", "show", "churn/1"])).contains("Monthly Charges ($)"));
}

/// A second version, on an endpoint that nobody asks: its rollout cannot end in `run`.
fn a_second_version_waits(data: &Data, folder: &Path) {
    let path = folder.join("pipeline.yaml");
    let text = std::fs::read_to_string(&path).unwrap();
    let text =
        text.replace("validation_days: 4", "validation_days: 5").replace("margin: 0.01", "margin: 5.0");
    std::fs::write(&path, text).unwrap();
    let run = data.output(&["run", path.to_str().unwrap()]);
    assert_eq!(run.status.code(), Some(0), "{}", said(&run));
    assert!(
        said(&run).contains("rollout waits for") && said(&run).contains("under `mainstay up`"),
        "{}",
        said(&run)
    );
    let why: Value = serde_json::from_str(&printed(&data.output(&["why", "churn/2", "--json"]))).unwrap();
    let rollout = &why["release"]["rollouts"][0];
    assert_eq!((&rollout["phase"], &rollout["reason"]), (&"shadow".into(), &Value::Null));
    assert_eq!(rollout["started"], Value::Null, "nobody has asked the endpoint yet: it has no data time");
    let shown = data.output(&["endpoints", "show", "churn", "--json"]);
    let shown: Value = serde_json::from_str(&printed(&shown)).unwrap();
    assert_eq!(shown["rollout"]["started_at"], Value::Null, "{shown}");
    assert!(printed(&data.output(&["why", "churn/2"])).contains("rollout.started"));
    let back = data.output(&["endpoints", "rollback", "churn", "--reason", "not today"]);
    assert!(printed(&back).contains("churn now answers with version 1"));
    let page = printed(&data.output(&["why", "churn/2"]));
    assert!(page.contains("aborted because: not today"), "{page}");
}

#[test]
fn a_file_without_time_is_taken_in_its_order_and_says_so_loudly() {
    let (data, place) = (Data::new(), tempfile::tempdir().unwrap());
    let csv = write(place.path(), false);
    let folder = place.path().join("churn");
    let arguments =
        ["init", "--csv", csv.to_str().unwrap(), "--target", "churned", "--name", "churn", "--to"];
    let made = data.output(&[&arguments[..], &[folder.to_str().unwrap()]].concat());
    printed(&made);
    assert!(said(&made).contains("THE ORDER OF THE ROWS STANDS IN FOR TIME"), "{}", said(&made));
    assert!(std::fs::read_to_string(folder.join("README.md")).unwrap().contains("The time is made up"));
    let why = run(&data, &folder);
    assert_eq!(why["data"][0]["rows"], ROWS);
}

#[test]
fn a_target_that_is_no_yes_or_no_is_asked_about() {
    let (data, place) = (Data::new(), tempfile::tempdir().unwrap());
    let csv = write(place.path(), false);
    let folder = place.path().join("x");
    let init = |target: &[&str]| {
        let arguments =
            ["init", "--csv", csv.to_str().unwrap(), "--to", folder.to_str().unwrap(), "--target"];
        std::fs::remove_dir_all(&folder).ok();
        data.output(&[&arguments[..], target].concat())
    };
    for wrong in
        [&["tenure"][..], &["nothing"], &["plan"], &["plan", "--positive", "gold"], &["plan", "--above", "3"]]
    {
        assert_eq!(init(wrong).status.code(), Some(2), "{wrong:?}: {}", said(&init(wrong)));
    }
    printed(&init(&["tenure", "--above", "36"]));
    printed(&init(&["plan", "--positive", "it's plus"]));
}
