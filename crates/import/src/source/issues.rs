//! `issues`.

use std::collections::BTreeMap;

use mainstay_core::error::StorageError;
use mainstay_core::experiment::ExperimentId;
use mainstay_core::name::Name;
use mainstay_evaluation::issue::{Issue, IssueDetail, IssueHead};
use mainstay_store::params;
use mainstay_store::value::Row;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Page, Stock, has_nul, instant};
use crate::error::ImportError;
use crate::finding::Finding;

const PAGE: u64 = 200;
const ROWS: &str = "SELECT i.issue_id, i.experiment_id, i.name, i.description, i.status, i.severity, i.root_causes, \
    i.source_run_id, i.categories, i.created_timestamp, i.last_updated_timestamp, i.created_by, i.last_updated_by, \
    i.last_seen_timestamp, i.metadata FROM issues i JOIN experiments e ON e.experiment_id = i.experiment_id \
    WHERE e.workspace = $1 AND i.issue_id > $2 ORDER BY i.issue_id LIMIT $3";

/// Issues, and the id of the last.
pub type Issues = Page<Issue, String>;

impl Stock {
    /// The issues of a workspace behind the one of that id.
    pub async fn issues(&mut self, workspace: &Name, after: Option<String>) -> Result<Issues, ImportError> {
        let rows = self.query(ROWS, params![workspace.as_str(), after.unwrap_or_default(), PAGE]).await?;
        issues(&rows).map_err(ImportError::Source)
    }
}

fn issues(rows: &[Row]) -> Result<Issues, StorageError> {
    let mut page = Page::end();
    for row in rows {
        let id = row.text(0)?;
        page.last = Some(id.to_owned());
        match issue(row)? {
            Ok(issue) => page.items.push(issue),
            Err(reason) => page.findings.push(Finding::new(format!("issue {id:?}"), reason)),
        }
    }
    Ok(page)
}

/// JSON, or nothing.
fn json<T: DeserializeOwned + Default>(row: &Row, column: usize) -> Result<Option<T>, StorageError> {
    Ok(match row.opt_text(column)? {
        None => Some(T::default()),
        Some(text) => serde_json::from_str::<Option<T>>(text).ok().map(Option::unwrap_or_default),
    })
}

fn issue(row: &Row) -> Result<Result<Issue, &'static str>, StorageError> {
    let text = |column| row.opt_text(column).map(|text| text.map(str::to_owned));
    for column in [2, 3, 6, 8, 11, 12, 14] {
        // In JSON it is written in six characters.
        let written = row.opt_text(column)?.unwrap_or_default();
        if has_nul(&[written]) || written.contains("\\u0000") {
            return Ok(Err("one of its texts holds U+0000"));
        }
    }
    let (created, updated) = (row.int(9)?, row.int(10)?);
    let choices = || {
        let severity = row.opt_text(5).ok()?.map(str::parse).transpose().ok()?;
        let run = row.opt_text(7).ok()?.map(str::parse).transpose().ok()?;
        Some((row.text(0).ok()?.parse().ok()?, row.text(4).ok()?.parse().ok()?, severity, run))
    };
    let Some((id, status, severity, source_run)) = choices() else {
        return Ok(Err("its id, its status, its severity or its run is none that is known"));
    };
    let lists = (json(row, 6)?, json(row, 8)?, json::<BTreeMap<String, Value>>(row, 14)?);
    let (Some(root_causes), Some(categories), Some(metadata)) = lists else {
        return Ok(Err("its root causes, its categories or its metadata cannot be read"));
    };
    let (Some(created_at), Some(updated)) = (instant(Some(created)), instant(Some(updated))) else {
        return Ok(Err("its times are beyond all time"));
    };
    let plain = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let metadata = metadata.into_iter().map(|(key, value)| (key, plain(value))).collect();
    Ok(Ok(Issue {
        head: IssueHead {
            id,
            experiment: ExperimentId(row.count(1)?),
            name: row.text(2)?.to_owned(),
            status,
            severity,
            categories,
            source_run,
            created: created_at,
            updated,
            created_by: text(11)?,
            updated_by: text(12)?,
            last_seen_ms: row.opt_int(13)?.unwrap_or(created),
        },
        detail: IssueDetail { description: row.text(3)?.to_owned(), root_causes, metadata },
    }))
}

#[cfg(test)]
mod tests {
    use mainstay_store::value::Value as Cell;

    use super::*;

    fn row(id: &str, status: &str, causes: Cell) -> Row {
        let run: Cell = "0123456789abcdef0123456789abcdef".into();
        let mut cells: Vec<Cell> =
            vec![id.into(), 1_i64.into(), "slow".into(), "It is slow".into(), status.into()];
        cells.extend(["high".into(), causes, run, r#"["latency"]"#.into(), 5_i64.into(), 7_i64.into()]);
        cells.extend(["ann".into(), Cell::Null, Cell::Null, r#"{"a": "b", "n": 1}"#.into()]);
        Row::new(cells)
    }

    #[test]
    fn an_issue_is_read_and_what_cannot_be_kept_is_told() {
        let rows = [
            row("iss-1", "pending", Cell::Null),
            row("iss-2", "ajar", Cell::Null),
            row("iss-3", "resolved", r#"["\u0000"]"#.into()),
            row("iss-4", "resolved", "{".into()),
            row("5", "resolved", Cell::Null),
        ];
        let page = issues(&rows).unwrap();
        let [issue] = &page.items[..] else { panic!("{:?}", page.items) };
        assert_eq!((issue.head.last_seen_ms, issue.head.updated.millis()), (5, 7));
        assert_eq!(
            (&issue.head.categories, issue.detail.root_causes.len()),
            (&vec!["latency".to_owned()], 0)
        );
        assert_eq!(issue.detail.metadata["n"], "1");
        assert_eq!((page.findings.len(), page.last.as_deref()), (4, Some("5")));
    }
}
