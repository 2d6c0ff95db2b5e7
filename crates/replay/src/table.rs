//! The table at the end: one row a version.

use std::collections::BTreeMap;

use mainstay_core::time::{DAY, DataTime};

use super::ledger::{Candidate, Fate, Ledger, Origin};
use super::plan::Plan;
use super::score::Scores;

const HEAD: [&str; 7] =
    ["version", "made by", "trained on", "gates", "rollout", "champion for", "log loss served"];

/// Its lines, in columns.
pub(super) fn lines(plan: &Plan, ledger: &Ledger, scores: &Scores, end: DataTime) -> Vec<String> {
    let reigns = reigns(ledger, end);
    let mut rows = vec![HEAD.map(str::to_owned)];
    for candidate in ledger.order.iter().filter_map(|run| ledger.candidates.get(run)) {
        let Some(version) = candidate.version else { continue };
        let served = scores.of(version);
        rows.push([
            version.to_string(),
            maker(candidate),
            candidate.rows.map_or_else(String::new, |rows| format!("{rows} rows")),
            gates(candidate),
            rollout(plan, candidate),
            reigns.get(&version).map_or_else(|| "–".to_owned(), |days| format!("{days} days")),
            served.map_or_else(|| "–".to_owned(), |(count, loss)| format!("{loss:.4} ({count})")),
        ]);
    }
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let line = |row: &[String; 7]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// Whole days that each version was champion.
fn reigns(ledger: &Ledger, end: DataTime) -> BTreeMap<u64, i64> {
    let mut days = BTreeMap::new();
    let ends = ledger.reigns.iter().skip(1).map(|(_, from)| *from).chain([end]);
    for ((version, from), until) in ledger.reigns.iter().zip(ends) {
        *days.entry(*version).or_insert(0) += until.since(*from) / DAY;
    }
    days
}

fn maker(candidate: &Candidate) -> String {
    match candidate.origin {
        Origin::First => "the first pipeline".to_owned(),
        Origin::Alarm => "an alarm".to_owned(),
        Origin::Age => "age".to_owned(),
        Origin::Script => candidate.scene.clone().unwrap_or_default(),
    }
}

fn gates(candidate: &Candidate) -> String {
    let failed: Vec<&str> = candidate
        .gates
        .iter()
        .filter(|(_, verdict)| verdict != "passed")
        .map(|(name, _)| name.as_str())
        .collect();
    if failed.is_empty() {
        format!("{} passed", candidate.gates.len())
    } else {
        format!("not: {}", failed.join(", "))
    }
}

fn rollout(plan: &Plan, candidate: &Candidate) -> String {
    let on = candidate.ended.map_or_else(String::new, |at| format!(" {}", plan.date(at)));
    match &candidate.fate {
        Fate::Open if candidate.rollout.is_some() => "under way".to_owned(),
        Fate::Open => "–".to_owned(),
        Fate::Refused => "none".to_owned(),
        Fate::Promoted if candidate.rollout.is_none() => "the first one".to_owned(),
        Fate::Promoted => format!("promoted{on}"),
        Fate::RolledBack { reason } => format!("rolled back{on}: {reason}"),
    }
}
