//! Which of a run's values are written.

use std::collections::BTreeSet;

use super::run::RunColumn;
use super::{DatasetField, SearchError};

/// Most columns that are named.
const MAX_COLUMNS: usize = 1_000;

/// Names of values of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Names {
    /// All there are.
    All,
    /// These.
    These(BTreeSet<String>),
}

impl Names {
    const NONE: Self = Self::These(BTreeSet::new());

    /// Whether a value of that name is among them.
    pub fn has(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::These(names) => names.contains(name),
        }
    }

    /// Whether there is no name among them.
    pub fn is_none(&self) -> bool {
        matches!(self, Self::These(names) if names.is_empty())
    }

    fn add(&mut self, name: String) {
        if let Self::These(names) = self {
            names.insert(name);
        }
    }
}

/// Which of a run's values are wanted, beside its id and its experiment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunProjection {
    /// Attributes, as a filter names them.
    pub attributes: Names,
    /// Metrics.
    pub metrics: Names,
    /// Parameters.
    pub params: Names,
    /// Tags.
    pub tags: Names,
    /// Whether the datasets that went in are wanted.
    pub datasets: bool,
}

impl RunProjection {
    /// Everything.
    pub const ALL: Self = Self {
        attributes: Names::All,
        metrics: Names::All,
        params: Names::All,
        tags: Names::All,
        datasets: true,
    };

    /// Nothing.
    pub const NONE: Self = Self {
        attributes: Names::NONE,
        metrics: Names::NONE,
        params: Names::NONE,
        tags: Names::NONE,
        datasets: false,
    };

    /// Parses columns, such as `metrics.loss`, `params.*` for all parameters, or `datasets`.
    pub fn parse(texts: &[String]) -> Result<Self, SearchError> {
        if texts.len() > MAX_COLUMNS {
            return Err(SearchError::Many { what: "columns", most: MAX_COLUMNS });
        }
        let mut all = Self::NONE;
        for text in texts {
            match text.trim() {
                "attributes.*" => all.attributes = Names::All,
                "metrics.*" => all.metrics = Names::All,
                "params.*" => all.params = Names::All,
                "tags.*" => all.tags = Names::All,
                "datasets" => all.datasets = true,
                text => match RunColumn::parse(text)? {
                    RunColumn::Metric(key) => all.metrics.add(key),
                    RunColumn::Param(key) => all.params.add(key),
                    RunColumn::Tag(key) => all.tags.add(key),
                    RunColumn::Text(attribute) => all.attributes.add(attribute.as_str().to_owned()),
                    RunColumn::Time(attribute) => all.attributes.add(attribute.as_str().to_owned()),
                    RunColumn::Dataset(DatasetField::Name | DatasetField::Digest | DatasetField::Context) => {
                        let valid = "datasets, which writes them whole,";
                        return Err(SearchError::Column { column: text.to_owned(), valid });
                    }
                },
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_is_wanted_and_nothing_else() {
        let texts = ["metrics.`a b`", "params.*", "Created", "attr.run_id"].map(str::to_owned);
        let found = RunProjection::parse(&texts).unwrap();
        assert!(found.metrics.has("a b") && !found.metrics.has("a"));
        assert!(found.params.has("anything") && found.tags.is_none() && !found.datasets);
        assert!(found.attributes.has("start_time") && found.attributes.has("run_id"));
        assert!(!found.attributes.has("status"));
        for bad in ["", "loss", "metrics.a b", "metrics.", "datasets.name", "metrics.a ASC"] {
            assert!(RunProjection::parse(&[bad.to_owned()]).is_err(), "{bad}");
        }
    }
}
