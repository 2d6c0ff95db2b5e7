//! A name that is not there: what was meant?

use mainstay_core::error::{Coded, ErrorCode};
use thiserror::Error;

/// Nothing has this name.
#[derive(Debug, Error)]
#[error("there is no {kind} '{name}'{}; {hint}", meant(near))]
pub(crate) struct Unknown {
    kind: &'static str,
    name: String,
    /// Names that are like it, the most alike first.
    near: Vec<String>,
    /// What to do.
    hint: &'static str,
}

impl Unknown {
    /// Among `names` there is none that is `name`.
    pub(crate) fn new<'a>(
        kind: &'static str,
        name: &str,
        names: impl Iterator<Item = &'a str>,
        hint: &'static str,
    ) -> Self {
        Self { kind, name: name.to_owned(), near: nearest(name, names), hint }
    }
}

impl Coded for Unknown {
    fn code(&self) -> ErrorCode {
        ErrorCode::NotFound
    }
}

/// How many names are proposed.
const PROPOSED: usize = 3;
/// How alike they have to be, by the measure of Jaro and Winkler.
const ALIKE: f64 = 0.8;

/// The names that are most like one.
pub(crate) fn nearest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let wanted = name.to_lowercase();
    let alike = |other: &str| {
        let other = other.to_lowercase();
        if other.contains(&wanted) && !wanted.is_empty() {
            1.0
        } else {
            strsim::jaro_winkler(&wanted, &other)
        }
    };
    let mut near: Vec<(f64, &str)> =
        names.map(|other| (alike(other), other)).filter(|(alike, _)| *alike >= ALIKE).collect();
    near.sort_by(|(one, a), (other, b)| other.total_cmp(one).then_with(|| a.cmp(b)));
    near.truncate(PROPOSED);
    near.into_iter().map(|(_, name)| name.to_owned()).collect()
}

fn meant(near: &[String]) -> String {
    let names: Vec<String> = near.iter().map(|name| format!("'{name}'")).collect();
    match names.split_last() {
        None => String::new(),
        Some((only, [])) => format!(", did you mean {only}"),
        Some((last, others)) => format!(", did you mean {} or {last}", others.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_alike_are_proposed() {
        let names = ["flights", "flight-delays", "churn"];
        let said =
            Unknown::new("experiment", "flihgts", ["flights", "churn"].into_iter(), "list them").to_string();
        assert_eq!(said, "there is no experiment 'flihgts', did you mean 'flights'; list them");
        let several = Unknown::new("experiment", "flight", names.into_iter(), "list them").to_string();
        assert_eq!(
            several,
            "there is no experiment 'flight', did you mean 'flight-delays' or 'flights'; list them"
        );
        let nothing = Unknown::new("model", "zzz", names.into_iter(), "list them").to_string();
        assert_eq!(nothing, "there is no model 'zzz'; list them");
        assert_eq!(nearest("delay", names.into_iter()), ["flight-delays"]);
    }
}
