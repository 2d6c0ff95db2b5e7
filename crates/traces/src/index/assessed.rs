//! Which traces are wanted for what is said of them.

use std::collections::HashSet;

use super::{Told, TraceIndex};
use crate::assessment::Kind;
use crate::info::key;
use crate::search::AssessmentTest;

impl TraceIndex {
    /// Keeps the traces of which something is said that passes. What is said of a whole conversation is said of
    /// all traces of it within the scope.
    pub(super) fn narrow_assessed(&self, rows: &mut Vec<u32>, scope: &[u32], test: &AssessmentTest) {
        let sessions = self.metadata.get(key::SESSION);
        let (mut direct, mut covered) = (HashSet::new(), HashSet::new());
        for (row, told) in scope.iter().zip(self.assessments.map(scope, |told| told)) {
            let passing = told.into_iter().flatten().filter(|told| test.passes(told));
            for told in passing {
                direct.insert(*row);
                if told.is_of_session {
                    covered.extend(sessions.and_then(|sessions| sessions.get(*row)));
                }
            }
        }
        let is_covered = |row: u32| {
            let session = || sessions.and_then(|sessions| sessions.get(row));
            direct.contains(&row)
                || (!covered.is_empty() && session().is_some_and(|session| covered.contains(session)))
        };
        rows.retain(|row| is_covered(*row) != test.wants_missing());
    }

    /// Keeps the traces that have this issue.
    pub(super) fn narrow_issue(&self, rows: &mut Vec<u32>, id: &str) {
        let is_it = |told: &Told| told.kind == Kind::Issue && *told.name == *id;
        self.assessments.retain(rows, |told| told.is_some_and(|told| told.iter().any(is_it)));
    }
}
