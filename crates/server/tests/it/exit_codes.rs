//! How commands end that were used wrongly, or that name what is not there.

use std::path::Path;

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
        ("head.json", "{}"),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    std::fs::write(folder.join("latin.yaml"), b"stages: {a: {cmd: 'echo \xe4'}}").unwrap();
    std::fs::create_dir(folder.join("empty")).unwrap();
}

#[test]
fn every_command_ends_as_the_contract_says() {
    let place = tempfile::tempdir().unwrap();
    files(place.path());
    let data = Data::new();
    // Whether a command ran and what it said, from a folder with the files.
    let ended = |arguments: &[&str]| {
        let output = data.mainstay(arguments).current_dir(place.path()).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let table: &[(&[&str], i32, &str)] = &[
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
    // A data directory that is there, for those that ask it.
    assert_eq!(ended(&["run", "good.yaml"]).0, DONE);
    for (arguments, code, part) in table {
        let (found, said) = ended(arguments);
        assert_eq!(found, *code, "{arguments:?}: {said}");
        assert!(said.contains(part), "{arguments:?}: {said}");
    }
    for nothing in ["o", "copy", "restored"] {
        assert!(!place.path().join(nothing).exists(), "{nothing} was left behind");
    }
}
