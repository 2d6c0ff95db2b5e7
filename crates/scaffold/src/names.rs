//! Columns that were named, and those that there are.

use mainstay_core::failed::Failed;

use super::form::Named;

/// Names that are listed at most.
const LISTED: usize = 20;
/// How alike a name must be to be offered: 1 is equal, 0 has nothing in common.
const ALIKE: f64 = 0.6;

/// Refuses a name that no column has, with the one that was perhaps meant.
pub(super) fn expect_all<'a, I: Iterator<Item = &'a str>>(
    file: &str,
    named: &Named<'_>,
    all: impl Fn() -> I,
) -> Result<(), Failed> {
    let wanted = [named.target].into_iter().chain(named.time).chain(named.keys.iter().map(String::as_str));
    for wanted in wanted {
        if !all().any(|name| name == wanted) {
            return Err(Failed::Usage(missing(file, wanted, &all().collect::<Vec<_>>())));
        }
    }
    Ok(())
}

fn missing(file: &str, wanted: &str, all: &[&str]) -> String {
    let meant = nearest(wanted, all).map_or_else(String::new, |name| format!("; did you mean '{name}'?"));
    let listed = all.iter().take(LISTED).copied().collect::<Vec<_>>().join(", ");
    let more = all.len().saturating_sub(LISTED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let stop = if meant.is_empty() { "; it" } else { " It" };
    format!("{file} has no column '{wanted}'{meant}{stop} has: {listed}{more}")
}

/// The name that is most like the one that was given.
fn nearest<'a>(wanted: &str, all: &[&'a str]) -> Option<&'a str> {
    let wanted = wanted.trim().to_lowercase();
    let alike = |name: &str| strsim::normalized_damerau_levenshtein(&wanted, &name.trim().to_lowercase());
    let scored = all.iter().map(|name| (*name, alike(name))).filter(|(_, score)| *score >= ALIKE);
    scored.max_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(name, _)| name)
}

/// A file with instants in it has a time of its own: somebody has to say which.
pub(super) fn refuse_silent_order(instants: &[&str]) -> Result<(), Failed> {
    if instants.is_empty() {
        return Ok(());
    }
    let instants = instants.join(", ");
    let message = format!("say with --time when a row happened; the file has instants in: {instants}");
    Err(Failed::Usage(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_missing_is_met_by_the_nearest() {
        let said = missing("a.csv", "tarjet", &["when", "amount", "target"]);
        assert_eq!(said, "a.csv has no column 'tarjet'; did you mean 'target'? It has: when, amount, target");
        assert_eq!(missing("a.csv", "zzz", &["when"]), "a.csv has no column 'zzz'; it has: when");
        assert_eq!(nearest("CHURNED ", &["churn", "churned"]), Some("churned"));
        let many: Vec<String> = (0..50).map(|n| format!("column number {n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(missing("a.csv", "x", &many).ends_with("column number 19 and 30 more"));
    }
}
