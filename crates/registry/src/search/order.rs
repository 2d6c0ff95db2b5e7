//! Orders, and what stands in page tokens.

use std::cmp::Ordering;

use mainstay_core::search::{self, parse_orders};
use mainstay_core::time::MachineTime;
use serde::{Deserialize, Serialize};

use super::SearchError;
use crate::model::{Model, ModelVersion};
use crate::name::{ModelName, VersionNumber};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Column {
    Name,
    Number,
    Created,
    Updated,
}

/// What a row is ordered by; also the page token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Key {
    pub(super) name: ModelName,
    number: VersionNumber,
    created: MachineTime,
    updated: MachineTime,
}

fn compare(order: &[(Column, bool)], a: &Key, b: &Key) -> Ordering {
    order.iter().fold(Ordering::Equal, |so_far, (column, ascending)| {
        so_far.then_with(|| {
            let ordering = match column {
                Column::Name => a.name.cmp(&b.name),
                Column::Number => a.number.cmp(&b.number),
                Column::Created => a.created.cmp(&b.created),
                Column::Updated => a.updated.cmp(&b.updated),
            };
            if *ascending { ordering } else { ordering.reverse() }
        })
    })
}

fn parse(
    texts: &[String],
    columns: &[(&str, Column)],
    valid: &'static str,
) -> Result<Vec<(Column, bool)>, SearchError> {
    parse_orders(texts, |search::Column { entity, key }| {
        let is_attribute = matches!(entity.as_deref(), None | Some("attribute"));
        let known = columns.iter().find(|(name, _)| *name == key && is_attribute);
        known.map(|(_, column)| *column).ok_or(SearchError::Attribute { key, valid })
    })
}

/// In which order models come: as asked, then by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelOrder(Vec<(Column, bool)>);

impl ModelOrder {
    /// Parses order texts: `name`, `creation_timestamp` or `last_updated_timestamp` (also
    /// `timestamp`), each with `ASC` or `DESC`.
    pub fn parse(texts: &[String]) -> Result<Self, SearchError> {
        let columns = [
            ("name", Column::Name),
            ("creation_timestamp", Column::Created),
            ("last_updated_timestamp", Column::Updated),
            ("timestamp", Column::Updated),
        ];
        let mut order = parse(texts, &columns, "name, creation_timestamp, last_updated_timestamp")?;
        order.push((Column::Name, true));
        Ok(Self(order))
    }

    /// The last updated first, then by name.
    pub fn last_updated_first() -> Self {
        Self(vec![(Column::Updated, false), (Column::Name, true)])
    }
}

/// In which order versions come: as asked, then by name, then the highest number first; by default
/// the last updated first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionOrder(Vec<(Column, bool)>);

impl VersionOrder {
    /// Parses order texts: `name`, `version_number`, `creation_timestamp` or
    /// `last_updated_timestamp`, each with `ASC` or `DESC`.
    pub fn parse(texts: &[String]) -> Result<Self, SearchError> {
        let columns = [
            ("name", Column::Name),
            ("version_number", Column::Number),
            ("creation_timestamp", Column::Created),
            ("last_updated_timestamp", Column::Updated),
        ];
        let valid = "name, version_number, creation_timestamp, last_updated_timestamp";
        let mut order = parse(texts, &columns, valid)?;
        if order.is_empty() {
            order.push((Column::Updated, false));
        }
        order.extend([(Column::Name, true), (Column::Number, false)]);
        Ok(Self(order))
    }
}

impl ModelOrder {
    /// Whether it is the order of names, in which stores show models.
    pub(super) fn is_by_name(&self) -> bool {
        matches!(self.0.first(), Some((Column::Name, true)))
    }

    pub(super) fn compare(&self, a: &Key, b: &Key) -> Ordering {
        compare(&self.0, a, b)
    }
}

impl VersionOrder {
    pub(super) fn compare(&self, a: &Key, b: &Key) -> Ordering {
        compare(&self.0, a, b)
    }
}

impl Key {
    pub(super) fn of_model(model: &Model) -> Self {
        Self {
            name: model.name.clone(),
            number: VersionNumber(0),
            created: model.created,
            updated: model.updated,
        }
    }

    pub(super) fn of_version(version: &ModelVersion) -> Self {
        Self {
            name: version.model.clone(),
            number: version.number,
            created: version.created,
            updated: version.updated,
        }
    }
}
