//! Filters with their columns and types checked.

use std::collections::BTreeMap;

use mainstay_core::search::{Column, Comparison, Extra, NumberTest, Operand, TextTest, parse};

use super::SearchError;
use crate::model::{ModelDetail, VersionDetail};
use crate::prompt::IS_PROMPT;

/// A test of a tag. One that is missing fails every test; but a model without [`IS_PROMPT`] is a
/// model, so it counts as `false` there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct TagTest {
    key: String,
    test: TextTest,
}

impl TagTest {
    fn holds(&self, tags: &BTreeMap<String, String>) -> bool {
        match tags.get(&self.key) {
            Some(value) => self.test.holds(value),
            None if self.key == IS_PROMPT => match &self.test {
                TextTest::Equal(value) => value == "false",
                TextTest::Differs(value) => value == "true",
                _ => false,
            },
            None => false,
        }
    }
}

/// Hides prompts unless some test names their tag.
fn shown(tests: &[TagTest], tags: &BTreeMap<String, String>) -> bool {
    let asked = tests.iter().any(|test| test.key == IS_PROMPT);
    asked || tags.get(IS_PROMPT).is_none_or(|value| value != "true")
}

enum Kind {
    Attribute,
    Tag,
}

fn kind(column: &Column) -> Result<Kind, SearchError> {
    match column.entity.as_deref() {
        None | Some("attribute") => Ok(Kind::Attribute),
        Some("tag" | "tags") => Ok(Kind::Tag),
        Some(entity) => Err(SearchError::Column {
            key: format!("{entity}.{}", column.key),
            valid: "attribute.<key> and tags.<key>",
        }),
    }
}

fn tag_test(Comparison { column, op, value }: Comparison) -> Result<TagTest, SearchError> {
    let test = TextTest::new(&column.key, op, value, Extra::Nothing)?;
    Ok(TagTest { key: column.key, test })
}

/// Which models are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelFilter {
    names: Vec<TextTest>,
    tags: Vec<TagTest>,
}

impl ModelFilter {
    /// Parses a filter text; a blank one wants every model that is no prompt.
    pub fn parse(text: &str) -> Result<Self, SearchError> {
        let mut filter = Self::default();
        for comparison in parse(text)? {
            match kind(&comparison.column)? {
                Kind::Tag => filter.tags.push(tag_test(comparison)?),
                Kind::Attribute => {
                    let Comparison { column: Column { key, .. }, op, value } = comparison;
                    if key != "name" {
                        return Err(SearchError::Column { key, valid: "name" });
                    }
                    filter.names.push(TextTest::new(&key, op, value, Extra::Lists)?);
                }
            }
        }
        Ok(filter)
    }

    /// Whether this model is wanted.
    pub fn matches(&self, detail: &ModelDetail) -> bool {
        shown(&self.tags, &detail.tags)
            && self.names.iter().all(|test| test.holds(detail.model.name.as_str()))
            && self.tags.iter().all(|test| test.holds(&detail.tags))
    }
}

/// The number of a version, which clients write with and without quotes.
fn whole(key: &str, value: Operand) -> Result<Operand, SearchError> {
    let number = match &value {
        Operand::Text(text) => text.parse::<u32>().ok().map(f64::from),
        Operand::Number(number) => Some(*number).filter(|number| number.fract() == 0.0),
        // What it is compared with is not looked at before the comparator.
        _ => return Ok(value),
    };
    let expected = "a whole number";
    number.map(Operand::Number).ok_or_else(|| SearchError::Value { key: key.to_owned(), expected })
}

/// Which versions are wanted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VersionFilter {
    names: Vec<TextTest>,
    runs: Vec<TextTest>,
    sources: Vec<TextTest>,
    numbers: Vec<NumberTest>,
    tags: Vec<TagTest>,
}

impl VersionFilter {
    /// Parses a filter text; a blank one wants every version of a model that is no prompt.
    pub fn parse(text: &str) -> Result<Self, SearchError> {
        let mut filter = Self::default();
        for comparison in parse(text)? {
            if let Kind::Tag = kind(&comparison.column)? {
                filter.tags.push(tag_test(comparison)?);
                continue;
            }
            let Comparison { column: Column { key, .. }, op, value } = comparison;
            match key.as_str() {
                "name" => filter.names.push(TextTest::new(&key, op, value, Extra::Lists)?),
                "run_id" => filter.runs.push(TextTest::new(&key, op, value, Extra::Lists)?),
                "source_path" => filter.sources.push(TextTest::new(&key, op, value, Extra::Nothing)?),
                "version_number" => filter.numbers.push(NumberTest::new(&key, op, &whole(&key, value)?)?),
                _ => {
                    let valid = "name, version_number, run_id, source_path";
                    return Err(SearchError::Column { key, valid });
                }
            }
        }
        Ok(filter)
    }

    /// The one model whose versions can match, if the filter names one: spares reading the others.
    pub fn model_name(&self) -> Option<&str> {
        self.names.iter().find_map(|test| match test {
            TextTest::Equal(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// Whether this version is wanted. Deleted ones never are.
    pub fn matches(&self, detail: &VersionDetail) -> bool {
        let version = &detail.version;
        !version.is_deleted()
            && shown(&self.tags, &detail.tags)
            && self.names.iter().all(|test| test.holds(version.model.as_str()))
            && self.runs.iter().all(|test| version.run.as_ref().is_some_and(|run| test.holds(run.as_str())))
            && self.sources.iter().all(|test| test.holds(&version.source))
            && self.numbers.iter().all(|test| test.holds(f64::from(version.number.0)))
            && self.tags.iter().all(|test| test.holds(&detail.tags))
    }
}
