//! The demonstration: the beginning of its year, lived through by the binary as a person would start it.

use std::path::Path;

use crate::program::{Data, demo};

/// The demonstration's folder with a first model that is trained on three weeks instead of two months.
fn lay_out(folder: &Path) {
    for entry in std::fs::read_dir(demo()).unwrap() {
        let path = entry.unwrap().path().canonicalize().unwrap();
        let name = path.file_name().unwrap().to_owned();
        if name != "pipeline.yaml" {
            std::os::unix::fs::symlink(&path, folder.join(name)).unwrap();
        }
    }
    let mut pipeline = std::fs::read_to_string(demo().join("pipeline.yaml")).unwrap();
    for (long, short) in [
        ("from: 2013-01-01T05:00:00Z", "from: 2013-02-08T05:00:00Z"),
        ("validation_days: 14", "validation_days: 7\n      max_trees: 40"),
    ] {
        assert!(pipeline.contains(long));
        pipeline = pipeline.replace(long, short);
    }
    std::fs::write(folder.join("pipeline.yaml"), pipeline).unwrap();
}

#[test]
fn the_first_days_of_the_year_are_served_and_told() {
    let (data, folder) = (Data::new(), tempfile::tempdir().unwrap());
    lay_out(folder.path());
    let (folder, place) = (folder.path().to_str().unwrap(), data.path().join("year"));
    let arguments = ["demo", folder, "--data", place.to_str().unwrap(), "--days", "12"];
    let lived = data.output(&arguments);
    let said = String::from_utf8_lossy(&lived.stdout);
    assert!(lived.status.success(), "{said}\n{}", String::from_utf8_lossy(&lived.stderr));

    // The first version passed its gates and answered; the model of ten days did neither.
    assert!(said.contains("version 1 passes all"), "{said}");
    assert!(said.contains("  refused      version 2: "), "{said}");
    let row = |version: &str| said.lines().find(|line| line.starts_with(version)).unwrap_or_default();
    assert!(row("1  ").contains("the first one") && row("1  ").contains("12 days"), "{said}");
    assert!(row("2  ").contains("against_incumbent") && row("2  ").ends_with('–'), "{said}");
    assert!(said.contains("all as they were recorded"), "{said}");

    // A second life would begin with what this one left.
    let again = data.output(&arguments);
    assert_eq!(again.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&again.stderr).contains("is not empty"));
}
