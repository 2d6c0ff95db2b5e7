//! Search over issues: their heads are filtered and ordered as they are.
//!
//! The filter's columns are `status` and `source_run_id`; of a run that is not named nothing but `IS NULL` holds.
//! Beside the filter stand lists, which a client that shows a table of issues sends.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeSet;

use mainstay_core::page::{Page, PageRequest};
use mainstay_core::search::{Comparison, Extra, Filter, MAX_ORDERS, Term, TextTest, parse_filter};
use mainstay_core::text::{clip, exceeds};
use serde::{Deserialize, Serialize};

use super::command::{MAX_ENTRIES, short_texts};
use super::error::IssueError;
use super::{IssueHead, IssueSeverity, IssueStatus};
use mainstay_core::search::SearchError;
use mainstay_core::text::MAX_KEY;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Status,
    SourceRun,
}

#[derive(Debug, Clone, PartialEq)]
struct Test(Column, TextTest);

impl Test {
    fn new(Comparison { column, op, value }: Comparison) -> Result<Self, IssueError> {
        let known = match (column.entity, column.key.as_str()) {
            (None, "status") => Column::Status,
            (None, "source_run_id") => Column::SourceRun,
            (None, key) => return Err(IssueError::FilterField(clip(key))),
            (Some(entity), key) => return Err(IssueError::FilterField(clip(&format!("{entity}.{key}")))),
        };
        Ok(Self(known, TextTest::new(&column.key, op, value, Extra::All)?))
    }

    fn holds(&self, issue: &IssueHead) -> bool {
        match self.0 {
            Column::Status => self.1.holds(issue.status.as_str()),
            Column::SourceRun => {
                issue.source_run.map_or_else(|| self.1.wants_missing(), |run| self.1.holds(&run.to_string()))
            }
        }
    }
}

/// What a client looks for. Different fields all hold; of a list, any entry does.
#[derive(Debug, Clone, Default)]
pub struct Sought {
    /// A filter text.
    pub filter: String,
    /// A part of the name, in any case.
    pub name: Option<String>,
    /// Any of these.
    pub statuses: Vec<String>,
    /// Any of these.
    pub severities: Vec<String>,
    /// Any of these, in any case and without the space around them.
    pub categories: Vec<String>,
}

/// Which issues are wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct IssueFilter {
    filter: Filter<Test>,
    name: Option<String>,
    statuses: BTreeSet<IssueStatus>,
    severities: BTreeSet<IssueSeverity>,
    categories: BTreeSet<String>,
}

/// A category as it is compared.
fn category(text: &str) -> String {
    text.trim().to_lowercase()
}

/// The choices that a list names.
fn choices<T: Ord + std::str::FromStr<Err = IssueError>>(
    field: &'static str,
    names: &[String],
) -> Result<BTreeSet<T>, IssueError> {
    if names.len() > MAX_ENTRIES {
        return Err(IssueError::Sought(field));
    }
    names.iter().map(|name| name.parse()).collect()
}

impl IssueFilter {
    /// Checks what is looked for.
    pub fn new(sought: Sought) -> Result<Self, IssueError> {
        if sought.name.as_ref().is_some_and(|name| exceeds(name, MAX_KEY).is_some()) {
            return Err(IssueError::NameSought);
        }
        let statuses = choices("statuses", &sought.statuses)?;
        let severities = choices("severities", &sought.severities)?;
        let categories = short_texts("categories", sought.categories)?;
        Ok(Self {
            filter: parse_filter(&sought.filter)?
                .try_map(&mut |Term { comparison, .. }| Test::new(comparison))?,
            name: sought.name.map(|name| name.to_lowercase()),
            statuses,
            severities,
            categories: categories.iter().map(|text| category(text)).collect(),
        })
    }

    /// Whether it wants this issue.
    pub fn takes(&self, issue: &IssueHead) -> bool {
        let categories = || issue.categories.iter().any(|text| self.categories.contains(&category(text)));
        let severity = || issue.severity.is_some_and(|severity| self.severities.contains(&severity));
        self.filter.holds(&|test| test.holds(issue))
            && self.name.as_ref().is_none_or(|part| issue.name.to_lowercase().contains(part))
            && (self.statuses.is_empty() || self.statuses.contains(&issue.status))
            && (self.severities.is_empty() || severity())
            && (self.categories.is_empty() || categories())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Name,
    Status,
    Severity,
    Created,
    Updated,
    LastSeen,
}

impl By {
    fn named(text: &str) -> Option<Self> {
        match text {
            "name" => Some(Self::Name),
            "status" => Some(Self::Status),
            "severity" => Some(Self::Severity),
            "created_timestamp" => Some(Self::Created),
            "last_updated_timestamp" => Some(Self::Updated),
            "last_seen_timestamp" => Some(Self::LastSeen),
            _ => None,
        }
    }

    fn compare(self, a: &Key, b: &Key) -> Ordering {
        match self {
            Self::Name => a.name.cmp(&b.name),
            Self::Status => a.status.cmp(&b.status),
            Self::Severity => a.severity.cmp(&b.severity),
            Self::Created => a.created.cmp(&b.created),
            Self::Updated => a.updated.cmp(&b.updated),
            Self::LastSeen => a.last_seen.cmp(&b.last_seen),
        }
    }
}

/// In which order issues come: as asked, by default the worst first, of those the newest; then by id, the greatest
/// first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssueOrder(Vec<(By, bool)>);

impl IssueOrder {
    /// Parses order texts; ascending where nothing is said.
    pub fn parse(texts: &[String]) -> Result<Self, IssueError> {
        if texts.len() > MAX_ORDERS {
            return Err(SearchError::TooLong.into());
        }
        if texts.is_empty() {
            return Ok(Self(vec![(By::Severity, false), (By::Created, false)]));
        }
        let order = |text: &String| {
            let words: Vec<&str> = text.split_whitespace().collect();
            let ascending = match words.as_slice() {
                [_] => Some(true),
                [_, way] if way.eq_ignore_ascii_case("ASC") => Some(true),
                [_, way] if way.eq_ignore_ascii_case("DESC") => Some(false),
                _ => None,
            };
            let by = words.first().and_then(|word| By::named(word));
            by.zip(ascending).ok_or_else(|| IssueError::OrderBy(clip(text)))
        };
        Ok(Self(texts.iter().map(order).collect::<Result<_, _>>()?))
    }

    fn compare(&self, a: &Key, b: &Key) -> Ordering {
        let by_columns = self.0.iter().fold(Ordering::Equal, |so_far, (by, ascending)| {
            so_far.then_with(|| {
                let ordering = by.compare(a, b);
                if *ascending { ordering } else { ordering.reverse() }
            })
        });
        by_columns.then_with(|| Reverse(&a.id).cmp(&Reverse(&b.id)))
    }
}

/// What an issue is ordered by; also the page token. Instants in milliseconds, as the client sees them.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Key {
    name: String,
    status: u8,
    severity: Option<u8>,
    created: i64,
    updated: i64,
    last_seen: i64,
    id: String,
}

impl Key {
    fn of(issue: &IssueHead) -> Self {
        Self {
            name: issue.name.to_lowercase(),
            status: issue.status as u8,
            severity: issue.severity.map(|severity| severity as u8),
            created: issue.created.millis(),
            updated: issue.updated.millis(),
            last_seen: issue.last_seen_ms,
            id: issue.id.to_string(),
        }
    }
}

/// One page of issues.
pub fn search_issues(
    issues: Vec<IssueHead>,
    order: &IssueOrder,
    page: &PageRequest,
) -> Result<Page<IssueHead>, IssueError> {
    Ok(Page::sorted(issues, page, Key::of, |a, b| order.compare(a, b))?)
}

#[cfg(test)]
mod tests {
    use mainstay_core::error::{Coded as _, ErrorCode};
    use mainstay_core::id::RunId;
    use mainstay_core::time::MachineTime;

    use super::*;
    use mainstay_core::experiment::ExperimentId;

    fn issue(n: u8, name: &str, severity: Option<IssueSeverity>, categories: &[&str]) -> IssueHead {
        IssueHead {
            id: format!("iss-{n}").parse().unwrap(),
            experiment: ExperimentId(1),
            name: name.to_owned(),
            status: if n.is_multiple_of(2) { IssueStatus::Pending } else { IssueStatus::Resolved },
            severity,
            categories: categories.iter().map(|&text| text.to_owned()).collect(),
            source_run: (n == 3).then(|| RunId::from_bytes([3; 16])),
            created: MachineTime::from_micros(i64::from(n / 2) * 1_000),
            updated: MachineTime::from_micros(9_000 - i64::from(n) * 1_000),
            created_by: None,
            updated_by: None,
            last_seen_ms: i64::from(n),
        }
    }

    fn found(sought: Sought, order: &[&str]) -> Vec<String> {
        let filter = IssueFilter::new(sought).unwrap();
        let order: Vec<String> = order.iter().map(|&text| text.to_owned()).collect();
        let order = IssueOrder::parse(&order).unwrap();
        let all = [
            issue(1, "Slow", Some(IssueSeverity::Low), &["latency"]),
            issue(2, "wrong sum", None, &["Correctness", "cost"]),
            issue(3, "wrong 100%", Some(IssueSeverity::High), &[]),
            issue(4, "rude", Some(IssueSeverity::Low), &[" Safety "]),
        ];
        let wanted: Vec<IssueHead> = all.into_iter().filter(|issue| filter.takes(issue)).collect();
        let (mut ids, mut page) = (Vec::new(), PageRequest::first(2));
        loop {
            let found = search_issues(wanted.clone(), &order, &page).unwrap();
            ids.extend(
                found.items.iter().map(|issue| issue.id.as_str().trim_start_matches("iss-").to_owned()),
            );
            page.after = found.next;
            if page.after.is_none() {
                return ids;
            }
        }
    }

    #[test]
    fn the_worst_come_first_and_of_those_the_newest() {
        assert_eq!(found(Sought::default(), &[]), ["3", "4", "1", "2"]);
        for (order, wanted) in [
            (&["name"][..], ["4", "1", "3", "2"]),
            (&["severity ASC"], ["2", "4", "1", "3"]),
            (&["status", "last_seen_timestamp asc"], ["2", "4", "1", "3"]),
            (&["created_timestamp desc"], ["4", "3", "2", "1"]),
            (&["last_updated_timestamp"], ["4", "3", "2", "1"]),
        ] {
            assert_eq!(found(Sought::default(), order), wanted, "{order:?}");
        }
    }

    #[test]
    fn fields_all_hold_and_of_lists_any() {
        let texts = |all: &[&str]| all.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        let run = RunId::from_bytes([3; 16]);
        let filter = |text: String| Sought { filter: text, ..Sought::default() };
        assert_eq!(found(filter("status = 'resolved'".into()), &["name"]), ["1", "3"]);
        assert_eq!(found(filter(format!("source_run_id = '{run}' AND status != 'pending'")), &[]), ["3"]);
        // No run found the others.
        assert!(found(filter(format!("source_run_id != '{run}'")), &[]).is_empty());
        assert_eq!(found(filter("source_run_id IS NULL AND NOT status = 'pending'".into()), &[]), ["1"]);
        assert_eq!(found(filter("status IN ('rejected', 'pending')".into()), &[]), ["4", "2"]);
        for (sought, wanted) in [
            (Sought { name: Some("WRONG".into()), ..Sought::default() }, &["3", "2"][..]),
            (Sought { name: Some("0%".into()), ..Sought::default() }, &["3"]),
            (Sought { name: Some("w_".into()), ..Sought::default() }, &[]),
            (Sought { severities: texts(&["low", "high"]), ..Sought::default() }, &["3", "4", "1"]),
            (Sought { categories: texts(&["COST", "safety"]), ..Sought::default() }, &["4", "2"]),
            (Sought { statuses: texts(&["rejected"]), ..Sought::default() }, &[]),
            (
                Sought { statuses: texts(&["pending"]), severities: texts(&["low"]), ..Sought::default() },
                &["4"],
            ),
        ] {
            assert_eq!(found(sought.clone(), &[]), wanted, "{sought:?}");
        }
    }

    #[test]
    fn what_cannot_be_searched_is_named() {
        let refused = |filter: &str| {
            IssueFilter::new(Sought { filter: filter.to_owned(), ..Sought::default() }).unwrap_err()
        };
        for (filter, text) in [
            ("name = 'x'", "Invalid filter field 'name'. Supported fields"),
            ("tags.a = 'x'", "Invalid filter field 'tags.a'"),
            ("status < 'x'", "Invalid comparator '<'"),
            ("status = 3", "Expected"),
            ("status", "Invalid clause(s) in filter string"),
        ] {
            let error = refused(filter);
            assert!(error.to_string().starts_with(text), "{filter}: {error}");
            assert_eq!(error.code(), ErrorCode::InvalidFilter, "{filter}");
        }
        for order in ["", "trace_count", "name up", "name ASC DESC"] {
            let error = IssueOrder::parse(&[order.to_owned()]).unwrap_err();
            assert_eq!(error.to_string(), format!("Invalid issue order_by: '{order}'"));
        }
        let open = Sought { statuses: vec!["open".into()], ..Sought::default() };
        assert_eq!(IssueFilter::new(open).unwrap_err().to_string(), "Invalid issue status: 'open'");
        let long = Sought { name: Some("x".repeat(251)), ..Sought::default() };
        assert!(matches!(IssueFilter::new(long), Err(IssueError::NameSought)));
    }
}
