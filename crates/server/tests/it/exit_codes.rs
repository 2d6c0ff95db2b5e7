//! How commands end that were used wrongly, or that name what is not there.

use std::path::Path;

use serde_json::Value;

use crate::program::Data;

const DONE: i32 = 0;
const FAILED: i32 = 1;
const USAGE: i32 = 2;
const NOT_FOUND: i32 = 3;

/// Files that cannot be used, beside a pipeline that can.
fn files(folder: &Path) {
    let broken = "stages: [";
    let params = "vars: [missing.yaml]\nstages: {a: {cmd: echo}}";
    let fails = "stages: {a: {cmd: exit 7}}";
    let import = "stages: {a: {uses: import, with: {dataset: d, path: missing.csv}}}";
    for (name, text) in [
        ("good.yaml", "stages: {a: {cmd: echo}}"),
        ("broken.yaml", broken),
        ("params.of.yaml", params),
        ("fails.yaml", fails),
        ("import.yaml", import),
        ("empty.csv", ""),
        ("text.csv", "a,b"),
        ("head.json", "{}"),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    std::fs::write(folder.join("latin.yaml"), b"stages: {a: {cmd: 'echo \xe4'}}").unwrap();
    std::fs::create_dir(folder.join("empty")).unwrap();
}

/// Arguments, how a command ends that is given them, and a part of what it says.
type Case = (&'static [&'static str], i32, &'static str);

/// Runs each from a folder with the files, as people and as programs do; no password is printed, and nothing is made.
fn all_end(cases: &[Case], nothing: &[&str]) {
    let place = tempfile::tempdir().unwrap();
    files(place.path());
    let data = Data::new();
    let ended = |arguments: &[&str]| {
        let output = data.mainstay(arguments).current_dir(place.path()).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    // A data directory that is there, for those that ask it.
    assert_eq!(ended(&["run", "good.yaml"]).0, DONE);
    for (arguments, code, part) in cases {
        let (found, said) = ended(arguments);
        assert_eq!(found, *code, "{arguments:?}: {said}");
        assert!(said.contains(part), "{arguments:?}: {said}");
        assert!(!said.contains("s3cret"), "{arguments:?}: {said}");
        let (found, told) = ended(&[arguments, &["--json"][..]].concat());
        assert_eq!(found, *code, "{arguments:?} --json: {told}");
        // A run that fails was carried out, and says so as any other.
        if *code != DONE && *arguments != ["run", "fails.yaml"] && *arguments != ["run", "import.yaml"] {
            let last = told.lines().last().unwrap_or_default();
            let error: Value = serde_json::from_str(last).unwrap_or_else(|_| panic!("{arguments:?}: {told}"));
            assert!(
                error["code"].is_string() && error["message"].as_str().unwrap().contains(part),
                "{error}"
            );
        }
    }
    for nothing in nothing {
        assert!(!place.path().join(nothing).exists(), "{nothing} was left behind");
    }
}

#[test]
fn every_command_ends_as_the_contract_says() {
    let cases: &[Case] = &[
        (&["run", "missing.yaml"], NOT_FOUND, "missing.yaml"),
        (&["run", "missing.yaml", "--check"], NOT_FOUND, "missing.yaml"),
        (&["run", "good.yaml/x", "--check"], NOT_FOUND, "good.yaml/x"),
        (&["run", "params.of.yaml", "--check"], NOT_FOUND, "missing.yaml"),
        (&["run", "empty", "--check"], USAGE, "empty"),
        (&["run", "broken.yaml", "--check"], USAGE, "line 1"),
        (&["run", "latin.yaml", "--check"], USAGE, "latin.yaml"),
        (&["run", "good.yaml", "-p", "x"], USAGE, "NAME=VALUE"),
        (&["run", "good.yaml", "--check"], DONE, ""),
        (&["run", "fails.yaml"], FAILED, "code 7"),
        (&["run", "import.yaml"], FAILED, "missing.csv: there is no such file"),
        (&["init", "--csv", "missing.csv", "--target", "y", "--to", "o"], NOT_FOUND, "missing.csv"),
        (
            &["init", "--csv", "missing.csv", "--target", "y", "--time", "t", "--to", "o"],
            NOT_FOUND,
            "missing.csv",
        ),
        (&["init", "--csv", "empty", "--target", "y", "--to", "o"], USAGE, "empty: the file cannot be read"),
        (
            &["init", "--csv", "empty.csv", "--target", "y", "--to", "o"],
            USAGE,
            "empty.csv: the file is empty",
        ),
        (&["audit", "verify", "missing"], NOT_FOUND, "no data directory at missing"),
        (&["audit", "verify", "empty", "--state"], NOT_FOUND, "no data directory at empty"),
        (&["audit", "head", "missing"], NOT_FOUND, "no data directory at missing"),
        (&["audit", "rebuild", "missing"], NOT_FOUND, "no data directory at missing"),
        (&["audit", "verify", "--head", "missing.json"], NOT_FOUND, "missing.json"),
        (&["audit", "verify", "--head", "head.json"], USAGE, "holds no head"),
        (&["backup", "--data", "missing", "--to", "copy"], NOT_FOUND, "no data directory at missing"),
        (&["restore", "missing", "--data", "restored"], NOT_FOUND, "no backup at missing"),
        (&["restore", "empty", "--data", "restored"], NOT_FOUND, "no backup at empty"),
        (&["demo", "missing", "--data", "replayed"], NOT_FOUND, "missing"),
        (&["pipelines", "put", "p", "missing.yaml"], NOT_FOUND, "missing.yaml"),
        (&["pipelines", "put", "p", "broken.yaml"], USAGE, "line 1"),
        (&["pipelines", "start", "p", "--root", "missing"], NOT_FOUND, "missing"),
        (&["pipelines", "start", "missing"], NOT_FOUND, "missing"),
        (&["models", "list", "--data", "missing"], NOT_FOUND, "no data directory at missing"),
        (&["models", "list", "--data", "good.yaml"], NOT_FOUND, "no data directory at good.yaml"),
        (&["why", "m@champion"], NOT_FOUND, "m"),
        (&["models", "list", "--server", "box"], USAGE, "http://127.0.0.1:5000"),
        (&["models", "list", "--server", "http://127.0.0.1:1"], FAILED, "127.0.0.1:1"),
        (&["runs", "list", "--filter", "((("], USAGE, ""),
        (&["up", "--data", "good.yaml"], USAGE, "good.yaml"),
        (&["up", "--listen", "5000"], USAGE, "127.0.0.1:5000 for this machine alone"),
        (&["up", "--listen", "0.0.0.0:0"], USAGE, "--auth required"),
        (&["up", "--listen", "no-such-host.invalid:0"], USAGE, "no-such-host.invalid"),
    ];
    all_end(cases, &["o", "copy", "restored"]);
}

#[test]
fn addresses_that_are_wrong_are_refused_before_anything_is_made() {
    let cases: &[Case] = &[
        (&["models", "list", "--server", "http://ada:s3cret@box:x"], USAGE, "http://127.0.0.1:5000"),
        (
            &["up", "--data", "made", "--db", "sqlite:///foo.db"],
            USAGE,
            "this begins with sqlite://; leave --db",
        ),
        (&["up", "--data", "made", "--db", "mysql://a:s3cret@h/b"], USAGE, "this begins with mysql://"),
        (&["up", "--data", "made", "--db", "foo"], USAGE, "postgresql://USER:PASSWORD@HOST/NAME"),
        (&["run", "good.yaml", "--data", "made", "--db", "foo"], USAGE, "leave --db"),
        (
            &["up", "--data", "made", "--db", "postgresql://u:s3cret@127.0.0.1:1/x"],
            FAILED,
            "the PostgreSQL database 'x' at 127.0.0.1:1 cannot be used: Connection refused",
        ),
        (
            &["up", "--data", "made", "--db", "postgresql://u:s3cret@no-such-host.invalid/x"],
            FAILED,
            "'x' at no-such",
        ),
        (&["audit", "verify", "--db", "postgresql://u:s3cret@127.0.0.1:1/x"], FAILED, "'x' at 127.0.0.1:1"),
        (&["backup", "--to", "copy", "--db", "mysql://h/b"], USAGE, "this begins with mysql://"),
        (&["up", "--port", "5001"], USAGE, "--listen HOST:PORT"),
        (&["up", "--host", "0.0.0.0"], USAGE, "--listen HOST:PORT"),
    ];
    all_end(cases, &["made", "copy"]);
}

#[test]
fn what_is_wrong_is_said_with_what_is_right() {
    let cases: &[Case] = &[
        (&["run", "text.csv", "--check"], USAGE, "the file: must be a mapping"),
        (&["quotas", "set"], USAGE, "--runs 100000"),
        (&["quotas", "set", "--artifact-bytes", "ten"], USAGE, "10GB"),
        (&["quotas", "set", "--runs", "10GB"], USAGE, "whole number"),
        (&["why", "nope/1"], NOT_FOUND, "there is no model 'nope'; `mainstay models list`"),
        (&["purge", "run:nothing", "--yes"], NOT_FOUND, "mainstay runs list --all"),
        (&["purge", "nothing", "--yes"], USAGE, "KIND:ID"),
        (&["users", "grant", "ann", "READ"], USAGE, "--experiment"),
        (&["users", "grant", "ann", "--model", "m"], USAGE, "LEVEL"),
    ];
    all_end(cases, &[]);
}
