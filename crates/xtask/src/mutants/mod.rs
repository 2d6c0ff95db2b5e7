//! Whether the tests notice: faults are planted one after the other, and each time the tests must fail.
//!
//! The faults are those of [`mainstay_core::fault`]. All tests are built once, with the feature that can
//! plant them. First they run with nothing planted, and must be green; then, fault by fault, those of the
//! crates in which the rule lives run, and after them all others, until a binary is red. A fault that
//! leaves all of them green survives: a test is missing.

mod suite;

use std::io::Write;
use std::path::Path;

use mainstay_core::fault::Fault;

use crate::violation::CheckError;
use suite::{Binary, Outcome};

/// What to ask for it by.
pub(crate) const NAME: &str = "mutants";

/// The crate in which the rule lives that a fault breaks.
const fn home(fault: Fault) -> &'static str {
    match fault {
        Fault::AnswerBeforeCommit | Fault::EventAfterCommit | Fault::NoSync => "mainstay-store",
        Fault::TokenCheckDropped | Fault::DoubleAccept => "mainstay-pipelines",
        Fault::LabelsInArrivalOrder | Fault::BootstrapOverRows | Fault::ImmatureLabels => {
            "mainstay-monitoring"
        }
        Fault::CreatedCutoffOff => "mainstay-query",
        Fault::VerdictUnbound => "mainstay-governance",
    }
}

/// Plants every fault. `true` if the tests are green without, and red with each of them.
pub(crate) fn run(root: &Path, out: &mut impl Write) -> Result<bool, CheckError> {
    let built = suite::build(root)?;
    let judged = judge(&built.tests, Binary::run, out);
    // It can be broken by a variable: nobody should start it by mistake.
    built.remove_program()?;
    judged
}

fn judge(
    tests: &[Binary],
    run: impl Fn(&Binary, Option<Fault>) -> Result<Outcome, CheckError>,
    out: &mut impl Write,
) -> Result<bool, CheckError> {
    for binary in tests {
        let outcome = run(binary, None)?;
        if !outcome.is_green() {
            writeln!(out, "{NAME}: red with nothing planted: {binary}: {outcome}")?;
            return Ok(false);
        }
    }
    writeln!(out, "{:<24} all {} binaries of tests are green", "nothing planted", tests.len())?;
    let mut survived = 0;
    for fault in Fault::ALL {
        let mut noticed = None;
        for binary in nearest_first(tests, home(fault)) {
            let outcome = run(binary, Some(fault))?;
            if !outcome.is_green() {
                noticed = Some((binary, outcome));
                break;
            }
        }
        if let Some((binary, outcome)) = noticed {
            writeln!(out, "{:<24} {binary}: {outcome}", fault.name())?;
        } else {
            survived += 1;
            writeln!(out, "{:<24} SURVIVED: no test fails", fault.name())?;
        }
    }
    writeln!(out, "{NAME}: {survived} of {} faults survived", Fault::ALL.len())?;
    Ok(survived == 0)
}

/// The binaries of one package, and then all others.
fn nearest_first<'a>(tests: &'a [Binary], package: &str) -> impl Iterator<Item = &'a Binary> {
    let (near, far): (Vec<_>, Vec<_>) = tests.iter().partition(|binary| binary.package == package);
    near.into_iter().chain(far)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// Judges tests of two crates of which `notice` says whether they fail; gives the report.
    fn judged(notice: impl Fn(&str, Option<Fault>) -> bool) -> (bool, String, Vec<String>) {
        let tests = ["mainstay-core", "mainstay-store"].map(Binary::named);
        let (mut out, ran) = (Vec::new(), RefCell::new(Vec::new()));
        let run = |binary: &Binary, fault: Option<Fault>| {
            if fault == Some(Fault::NoSync) {
                ran.borrow_mut().push(binary.package.clone());
            }
            Ok(Outcome::of(notice(&binary.package, fault).then_some("a_test")))
        };
        let all_noticed = judge(&tests, run, &mut out).unwrap();
        (all_noticed, String::from_utf8(out).unwrap(), ran.into_inner())
    }

    #[test]
    fn every_fault_must_turn_a_test_red_and_the_nearest_are_asked_first() {
        let (all_noticed, report, ran) = judged(|package, fault| match fault {
            None => false,
            Some(fault) => package == home(fault) || package == "mainstay-core",
        });
        assert!(all_noticed, "{report}");
        assert_eq!(ran, ["mainstay-store"], "and nobody else once a test is red");
        assert!(report.contains("no-sync                  mainstay-store: a_test"), "{report}");
    }

    #[test]
    fn a_fault_that_nobody_notices_survives() {
        let (all_noticed, report, ran) = judged(|_, fault| fault.is_some_and(|f| f != Fault::NoSync));
        assert!(!all_noticed);
        assert_eq!(ran, ["mainstay-store", "mainstay-core"]);
        assert!(report.contains("SURVIVED") && report.ends_with("1 of 10 faults survived\n"), "{report}");
    }

    #[test]
    fn tests_that_are_red_anyhow_prove_nothing() {
        let (all_noticed, report, ran) = judged(|_, _| true);
        assert!(!all_noticed && ran.is_empty());
        assert!(report.contains("red with nothing planted: mainstay-core: a_test"), "{report}");
    }
}
