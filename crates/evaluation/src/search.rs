//! Search over evaluation datasets: there are few, so they are filtered and ordered as they are.
//!
//! Columns are `name`, `created_by`, `last_updated_by` (`= != LIKE ILIKE`, and `IN` for the name),
//! `created_time` and `last_update_time` (`= != < <= > >=` with whole milliseconds), and `tags.<key>`.
//! What is missing fails every comparison.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use mainstay_core::page::{Page, PageRequest};
use mainstay_core::search::{
    Column, Comparison, Extra, Filter, NumberTest, Op, Operand, Term, TextTest, parse_filter, parse_orders,
};
use mainstay_core::time::MachineTime;
use serde::{Deserialize, Serialize};

use crate::dataset::EvaluationDatasetDetail;
use crate::error::EvaluationError;
use mainstay_core::experiment::ExperimentId;
use mainstay_core::search::SearchError;

const ATTRIBUTES: &str = "name, created_time, last_update_time, created_by, last_updated_by";
const ORDERS: &str = "name, created_time, last_update_time";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    Name,
    CreatedBy,
    UpdatedBy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Time {
    Created,
    Updated,
}

impl Time {
    fn named(key: &str) -> Option<Self> {
        match key {
            "created_time" => Some(Self::Created),
            "last_update_time" => Some(Self::Updated),
            _ => None,
        }
    }

    const fn of(self, detail: &EvaluationDatasetDetail) -> MachineTime {
        match self {
            Self::Created => detail.dataset.created,
            Self::Updated => detail.dataset.updated,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    Tag(String, TextTest),
    Text(Text, TextTest),
    Time(Time, NumberTest),
}

impl Test {
    fn new(Comparison { column, op, value }: Comparison) -> Result<Self, EvaluationError> {
        let Column { entity, key } = column;
        match entity.as_deref() {
            None => {}
            Some("tags") => {
                let test = TextTest::new(&key, op, value, Extra::Nothing)?;
                return Ok(Self::Tag(key, test));
            }
            Some(entity) => return Err(EvaluationError::Identifier(entity.to_owned())),
        }
        if let Some(time) = Time::named(&key) {
            return match value {
                Operand::Number(value) if value.fract() != 0.0 => {
                    Err(EvaluationError::NotInteger { key, value })
                }
                value => Ok(Self::Time(time, NumberTest::new(&key, op, &value)?)),
            };
        }
        let text = match key.as_str() {
            "name" => Text::Name,
            "created_by" => Text::CreatedBy,
            "last_updated_by" => Text::UpdatedBy,
            _ => return Err(SearchError::Attribute { key, valid: ATTRIBUTES }.into()),
        };
        if op == Op::NotIn {
            return Err(EvaluationError::ListComparator);
        }
        let extra = if text == Text::Name { Extra::Lists } else { Extra::Nothing };
        Ok(Self::Text(text, TextTest::new(&key, op, value, extra)?))
    }

    fn holds(&self, detail: &EvaluationDatasetDetail) -> bool {
        let dataset = &detail.dataset;
        let (value, test) = match self {
            Self::Time(time, test) => return test.holds(time.of(detail).millis() as f64),
            Self::Tag(key, test) => (detail.tags.get(key), test),
            Self::Text(Text::Name, test) => (Some(&dataset.name), test),
            Self::Text(Text::CreatedBy, test) => (dataset.created_by.as_ref(), test),
            Self::Text(Text::UpdatedBy, test) => (dataset.updated_by.as_ref(), test),
        };
        value.is_some_and(|value| test.holds(value))
    }
}

/// Which datasets are wanted: those of any of the experiments, if any is named, that pass a filter.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DatasetFilter {
    experiments: BTreeSet<ExperimentId>,
    filter: Filter<Test>,
}

impl DatasetFilter {
    /// Parses a filter text; a blank one wants every dataset.
    pub fn new(experiments: BTreeSet<ExperimentId>, text: &str) -> Result<Self, EvaluationError> {
        let filter = parse_filter(text)?.try_map(&mut |Term { comparison, .. }| Test::new(comparison))?;
        Ok(Self { experiments, filter })
    }

    fn takes(&self, detail: &EvaluationDatasetDetail) -> bool {
        let of_these = self.experiments.is_empty() || !self.experiments.is_disjoint(&detail.experiments);
        of_these && self.filter.holds(&|test| test.holds(detail))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Name,
    Time(Time),
}

/// In which order datasets come: as asked, by default the newest first; then by id, the greatest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetOrder(Vec<(By, bool)>);

impl DatasetOrder {
    /// Parses order texts; ascending where nothing is said.
    pub fn parse(texts: &[String]) -> Result<Self, EvaluationError> {
        let column = |Column { entity, key }: Column| match (entity, Time::named(&key)) {
            (Some(entity), _) => Err(EvaluationError::Identifier(entity)),
            (None, Some(time)) => Ok(By::Time(time)),
            (None, None) if key == "name" => Ok(By::Name),
            (None, None) => Err(SearchError::Attribute { key, valid: ORDERS }.into()),
        };
        let mut order = parse_orders(texts, column)?;
        if order.is_empty() {
            order.push((By::Time(Time::Created), false));
        }
        Ok(Self(order))
    }

    fn compare(&self, a: &Key, b: &Key) -> Ordering {
        let by_columns = self.0.iter().fold(Ordering::Equal, |so_far, (by, ascending)| {
            so_far.then_with(|| {
                let ordering = match by {
                    By::Name => a.name.cmp(&b.name),
                    By::Time(Time::Created) => a.created.cmp(&b.created),
                    By::Time(Time::Updated) => a.updated.cmp(&b.updated),
                };
                if *ascending { ordering } else { ordering.reverse() }
            })
        });
        by_columns.then_with(|| b.id.cmp(&a.id))
    }
}

/// What a dataset is ordered by; also the page token. Instants in milliseconds, as the client sees them.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Key {
    name: String,
    created: i64,
    updated: i64,
    id: String,
}

/// One page of the datasets that match.
pub fn search_datasets(
    datasets: Vec<EvaluationDatasetDetail>,
    filter: &DatasetFilter,
    order: &DatasetOrder,
    page: &PageRequest,
) -> Result<Page<EvaluationDatasetDetail>, EvaluationError> {
    let key = |EvaluationDatasetDetail { dataset, .. }: &EvaluationDatasetDetail| Key {
        name: dataset.name.clone(),
        created: dataset.created.millis(),
        updated: dataset.updated.millis(),
        id: dataset.id.to_string(),
    };
    let wanted = datasets.into_iter().filter(|detail| filter.takes(detail));
    Ok(Page::sorted(wanted, page, key, |a, b| order.compare(a, b))?)
}

#[cfg(test)]
mod tests {
    use mainstay_core::error::{Coded as _, ErrorCode};

    use super::super::DatasetId;
    use super::super::dataset::EvaluationDataset;
    use super::*;

    fn dataset(n: u8, name: &str, team: &str, experiments: &[u64]) -> EvaluationDatasetDetail {
        let at = MachineTime::from_micros(i64::from(n / 2) * 1_000);
        EvaluationDatasetDetail {
            dataset: EvaluationDataset {
                id: DatasetId::from_bytes([n; 16]),
                name: name.to_owned(),
                digest: String::new(),
                schema: None,
                profile: None,
                created: at,
                updated: at,
                created_by: (n == 1).then(|| "ann".to_owned()),
                updated_by: None,
            },
            tags: [("team".to_owned(), team.to_owned())].into(),
            experiments: experiments.iter().map(|id| ExperimentId(*id)).collect(),
        }
    }

    fn found(experiments: &[u64], filter: &str, order: &[&str]) -> Vec<String> {
        let all = vec![
            dataset(1, "b", "ml", &[1]),
            dataset(2, "a", "data", &[1, 2]),
            dataset(3, "C", "ml", &[2]),
            dataset(4, "d", "ml", &[]),
        ];
        let experiments = experiments.iter().map(|id| ExperimentId(*id)).collect();
        let filter = DatasetFilter::new(experiments, filter).unwrap();
        let order: Vec<String> = order.iter().map(|&text| text.to_owned()).collect();
        let order = DatasetOrder::parse(&order).unwrap();
        let (mut names, mut page) = (Vec::new(), PageRequest::first(2));
        loop {
            let found = search_datasets(all.clone(), &filter, &order, &page).unwrap();
            names.extend(found.items.into_iter().map(|detail| detail.dataset.name));
            page.after = found.next;
            if page.after.is_none() {
                return names;
            }
        }
    }

    #[test]
    fn the_newest_come_first_and_the_greater_id_of_two() {
        // Instants: 0, 1, 1, 2 milliseconds.
        assert_eq!(found(&[], "", &[]), ["d", "C", "a", "b"]);
        assert_eq!(found(&[], "", &["name"]), ["C", "a", "b", "d"]);
        assert_eq!(found(&[], "", &["last_update_time ASC"]), ["b", "C", "a", "d"]);
    }

    #[test]
    fn filters_select() {
        for (experiments, filter, wanted) in [
            (&[][..], "tags.team = 'ml' AND name != 'd'", &["C", "b"][..]),
            (&[], "name IN ('a', 'b')", &["a", "b"]),
            (&[], "name ILIKE 'c%'", &["C"]),
            (&[], "created_by = 'ann'", &["b"]),
            // Nobody is known to have made the others.
            (&[], "created_by != 'bob'", &["b"]),
            (&[], "tags.other != 'x'", &[]),
            (&[], "created_time >= 1 and last_update_time < 2", &["C", "a"]),
            (&[1], "", &["a", "b"]),
            (&[1, 2], "tags.team LIKE 'm_'", &["C", "b"]),
            (&[9], "", &[]),
        ] {
            assert_eq!(found(experiments, filter, &[]), wanted, "{filter}");
        }
    }

    #[test]
    fn wrong_columns_and_comparators_are_named() {
        let refused = |filter: &str| DatasetFilter::new(BTreeSet::new(), filter).unwrap_err();
        for (filter, text) in [
            ("digest = 'x'", "Invalid attribute key 'digest' specified. Valid keys are"),
            ("tag.team = 'x'", "Invalid identifier token 'tag' specified"),
            ("name NOT IN ('a')", "List values for 'name' are only supported with the IN comparator."),
            ("created_time > 1.5", "Invalid value for numeric attribute 'created_time': '1.5'"),
            ("created_time LIKE 'x'", "Invalid comparator 'LIKE'"),
            ("created_by IN ('x')", "Invalid comparator 'IN'"),
            ("tags.team IN ('x')", "Invalid comparator 'IN'"),
            ("name > 'x'", "Invalid comparator '>'"),
        ] {
            let error = refused(filter);
            assert!(error.to_string().starts_with(text), "{filter}: {error}");
            assert_eq!(error.code(), ErrorCode::InvalidFilter);
        }
        let order = |text: &str| DatasetOrder::parse(&[text.to_owned()]).unwrap_err().to_string();
        assert!(order("created_by").starts_with("Invalid attribute key 'created_by'"));
        assert!(order("tags.team").starts_with("Invalid identifier token 'tags'"));
    }
}
