//! Checks over the repository that the compiler cannot make: `cargo xtask CHECK…`, and a check of the
//! tests themselves: `cargo xtask mutants`.
//!
//! Each check is a pure function from what the repository holds to a list of [`Violation`]s, so that a
//! test can show, with a small made-up repository, that it fails. This file reads the real one.
//!
//! # Adding a check
//!
//! Write the pure function in a module of its own with a test per rule, and give it a line in
//! [`CHECKS`]. `make lint` runs all of them.

mod budgets;
mod layers;
mod links;
mod mutants;
mod source;
mod tree;
mod vendor;
mod violation;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use violation::{CheckError, Violation};

/// A check over the repository with the given root.
type Check = fn(&Path) -> Result<Vec<Violation>, CheckError>;

/// Name, what it says, and the check.
const CHECKS: &[(&str, &str, Check)] = &[
    ("layers", "who may depend on whom", layers::check),
    ("budgets", "sizes of files, functions and crates; names that say nothing", budgets::check),
    ("links", "relative links in Markdown resolve", links::check),
    ("vendor", "vendored assets are the listed bytes", vendor::check),
];

fn main() -> ExitCode {
    let names: Vec<String> = std::env::args().skip(1).collect();
    match run(&names, &mut io::stdout().lock()) {
        Ok(code) => code,
        Err(error) => {
            // Nobody is left to tell if standard error is closed too.
            let _ = writeln!(io::stderr(), "xtask: {error}");
            ExitCode::from(2)
        }
    }
}

/// Runs the named checks; 0 if all hold, 1 if one does not, 2 for wrong use.
fn run(names: &[String], out: &mut impl Write) -> Result<ExitCode, CheckError> {
    if names == [mutants::NAME] {
        let all_noticed = mutants::run(&tree::root()?, out)?;
        return Ok(if all_noticed { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let known = |name: &String| CHECKS.iter().any(|(known, ..)| known == name);
    if names.is_empty() || !names.iter().all(known) {
        writeln!(out, "usage: cargo xtask CHECK…, or cargo xtask {}", mutants::NAME)?;
        for (name, says, _) in CHECKS {
            writeln!(out, "  {name:<10}{says}")?;
        }
        return Ok(ExitCode::from(2));
    }
    let root = tree::root()?;
    let mut code = ExitCode::SUCCESS;
    for (name, says, check) in CHECKS.iter().filter(|(name, ..)| names.iter().any(|asked| asked == name)) {
        let violations = check(&root)?;
        for violation in &violations {
            writeln!(out, "{violation}")?;
        }
        if violations.is_empty() {
            writeln!(out, "{name}: {says}: holds")?;
        } else {
            writeln!(out, "{name}: {says}: {} violations", violations.len())?;
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_check_is_wrong_use_not_success() {
        let mut out = Vec::new();
        let code = run(&["layers".to_owned(), "layer".to_owned()], &mut out).unwrap();
        assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(2)));
        assert!(String::from_utf8(out).unwrap().contains("budgets"));
    }
}
