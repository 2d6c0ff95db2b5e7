//! Search over experiments: there are few, so they are filtered and ordered as they are.

use std::cmp::Ordering;

use mainstay_core::page::{Page, PageRequest};
use mainstay_core::search::{
    Column, Comparison, Extra, Filter, NumberTest, Term, TextTest, parse_filter, parse_orders,
};
use serde::{Deserialize, Serialize};

use super::{SearchError, View};
use crate::experiment::{ExperimentDetail, ExperimentId};

const ATTRIBUTES: &str = "name, experiment_id, creation_time, last_update_time";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attribute {
    Name,
    Id,
    Created,
    Updated,
}

fn attribute(key: &str) -> Result<Attribute, SearchError> {
    match key {
        "name" => Ok(Attribute::Name),
        "experiment_id" => Ok(Attribute::Id),
        "creation_time" => Ok(Attribute::Created),
        "last_update_time" => Ok(Attribute::Updated),
        _ => Err(SearchError::Attribute { key: key.to_owned(), valid: ATTRIBUTES }),
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    Tag(String, TextTest),
    Text(Attribute, TextTest),
    Time(Attribute, NumberTest),
}

impl Test {
    fn new(
        Comparison { column: Column { entity, key }, op, value }: Comparison,
    ) -> Result<Self, SearchError> {
        match entity.as_deref() {
            Some("tag" | "tags") => {
                let test = TextTest::new(&key, op, value, Extra::All)?;
                Ok(Self::Tag(key, test))
            }
            None | Some("attribute" | "attributes") => match attribute(&key)? {
                Attribute::Name => {
                    Ok(Self::Text(Attribute::Name, TextTest::new(&key, op, value, Extra::All)?))
                }
                Attribute::Id => Ok(Self::Text(Attribute::Id, TextTest::new(&key, op, value, Extra::All)?)),
                time => Ok(Self::Time(time, NumberTest::new(&key, op, &value)?)),
            },
            Some(entity) => Err(SearchError::Entity {
                entity: entity.to_owned(),
                valid: "('attribute', 'attributes', 'tag', 'tags')",
            }),
        }
    }

    fn holds(&self, detail: &ExperimentDetail) -> bool {
        let experiment = &detail.experiment;
        match self {
            Self::Tag(key, test) => match detail.tags.get(key) {
                Some(value) => test.holds(value),
                None => test.wants_missing(),
            },
            Self::Text(Attribute::Id, test) => test.holds(&experiment.id.to_string()),
            Self::Text(_, test) => test.holds(experiment.name.as_str()),
            Self::Time(Attribute::Created, test) => test.holds(experiment.created.millis() as f64),
            Self::Time(_, test) => test.holds(experiment.updated.millis() as f64),
        }
    }
}

/// Which experiments are wanted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExperimentFilter(Filter<Test>);

impl ExperimentFilter {
    /// Parses a filter text; a blank one wants every experiment.
    pub fn parse(text: &str) -> Result<Self, SearchError> {
        let mut located =
            |Term { at, comparison }| Test::new(comparison).map_err(|error| error.of_comparison_at(at));
        parse_filter(text)?.try_map(&mut located).map(Self)
    }
}

/// In which order experiments come: as asked, then the highest id first; by default the newest first, then the
/// lowest id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExperimentOrder(Vec<(Attribute, bool)>);

impl ExperimentOrder {
    /// Parses order texts; ascending where nothing is said.
    pub fn parse(texts: &[String]) -> Result<Self, SearchError> {
        let mut order = parse_orders(texts, |Column { entity, key }| {
            match entity.filter(|entity| !matches!(entity.as_str(), "attribute" | "attributes")) {
                Some(entity) => Err(SearchError::Entity { entity, valid: "attribute" }),
                None => attribute(&key),
            }
        })?;
        let is_default = order.is_empty();
        if is_default {
            order.push((Attribute::Created, false));
        }
        order.push((Attribute::Id, is_default));
        Ok(Self(order))
    }
}

/// What an experiment is ordered by; also the page token.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Key {
    name: String,
    id: ExperimentId,
    created: i64,
    updated: i64,
}

fn compare(order: &ExperimentOrder, a: &Key, b: &Key) -> Ordering {
    order.0.iter().fold(Ordering::Equal, |so_far, (attribute, ascending)| {
        so_far.then_with(|| {
            let ordering = match attribute {
                Attribute::Name => a.name.cmp(&b.name),
                Attribute::Id => a.id.cmp(&b.id),
                Attribute::Created => a.created.cmp(&b.created),
                Attribute::Updated => a.updated.cmp(&b.updated),
            };
            if *ascending { ordering } else { ordering.reverse() }
        })
    })
}

/// One page of the experiments that match.
pub fn search_experiments(
    experiments: Vec<ExperimentDetail>,
    view: View,
    filter: &ExperimentFilter,
    order: &ExperimentOrder,
    page: &PageRequest,
) -> Result<Page<ExperimentDetail>, SearchError> {
    let key = |ExperimentDetail { experiment, .. }: &ExperimentDetail| Key {
        name: experiment.name.to_string(),
        id: experiment.id,
        created: experiment.created.micros(),
        updated: experiment.updated.micros(),
    };
    let wanted = experiments
        .into_iter()
        .filter(|detail| view.shows(detail.experiment.lifecycle))
        .filter(|detail| filter.0.holds(&|test| test.holds(detail)));
    Ok(Page::sorted(wanted, page, key, |a, b| compare(order, a, b))?)
}
