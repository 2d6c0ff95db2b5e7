//! Filters with their columns and types checked.

use std::collections::BTreeMap;

use mainstay_core::run_ref::RunRef;
use mainstay_core::search::{
    Column, Comparison, Extra, Filter, NumberTest, Operand, Term, TextTest, parse_filter,
};

use super::SearchError;
use crate::model::{ModelDetail, VersionDetail};
use crate::prompt::IS_PROMPT;

/// A test of a tag. One that is missing fails every test but `IS NULL`; but a model without [`IS_PROMPT`] is a
/// model, so it counts as `false` there.
#[derive(Debug, Clone, PartialEq)]
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
                test => test.wants_missing(),
            },
            None => self.test.wants_missing(),
        }
    }
}

/// Hides prompts unless some test names their tag.
fn shown(is_asked: bool, tags: &BTreeMap<String, String>) -> bool {
    is_asked || tags.get(IS_PROMPT).is_none_or(|value| value != "true")
}

enum Kind {
    Attribute,
    Tag,
}

fn kind(column: &Column) -> Result<Kind, SearchError> {
    match column.entity.as_deref() {
        None | Some("attribute") => Ok(Kind::Attribute),
        Some("tag" | "tags") => Ok(Kind::Tag),
        Some(entity) => {
            Err(SearchError::Entity { entity: entity.to_owned(), valid: "('attribute', 'tag', 'tags')" })
        }
    }
}

fn tag_test(Comparison { column, op, value }: Comparison) -> Result<TagTest, SearchError> {
    let test = TextTest::new(&column.key, op, value, Extra::All)?;
    Ok(TagTest { key: column.key, test })
}

/// A test of a model.
#[derive(Debug, Clone, PartialEq)]
enum ModelTest {
    Name(TextTest),
    Tag(TagTest),
}

impl ModelTest {
    fn new(Term { comparison, .. }: Term) -> Result<Self, SearchError> {
        if let Kind::Tag = kind(&comparison.column)? {
            return tag_test(comparison).map(Self::Tag);
        }
        let Comparison { column: Column { key, .. }, op, value } = comparison;
        match key.as_str() {
            "name" => Ok(Self::Name(TextTest::new(&key, op, value, Extra::All)?)),
            _ => Err(SearchError::Attribute { key, valid: "name" }),
        }
    }

    fn holds(&self, detail: &ModelDetail) -> bool {
        match self {
            Self::Name(test) => test.holds(detail.model.name.as_str()),
            Self::Tag(test) => test.holds(&detail.tags),
        }
    }
}

/// Which models are wanted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModelFilter(Filter<ModelTest>);

impl ModelFilter {
    /// Parses a filter text; a blank one wants every model that is no prompt.
    pub fn parse(text: &str) -> Result<Self, SearchError> {
        parse_filter(text)?.try_map(&mut ModelTest::new).map(Self)
    }

    /// Whether this model is wanted.
    pub fn matches(&self, detail: &ModelDetail) -> bool {
        let asks_for_prompts = |test: &ModelTest| matches!(test, ModelTest::Tag(tag) if tag.key == IS_PROMPT);
        shown(self.0.names(&asks_for_prompts), &detail.tags) && self.0.holds(&|test| test.holds(detail))
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

/// A test of a version.
#[derive(Debug, Clone, PartialEq)]
enum VersionTest {
    Name(TextTest),
    Run(TextTest),
    Source(TextTest),
    Number(NumberTest),
    Tag(TagTest),
}

impl VersionTest {
    fn new(Term { comparison, .. }: Term) -> Result<Self, SearchError> {
        if let Kind::Tag = kind(&comparison.column)? {
            return tag_test(comparison).map(Self::Tag);
        }
        let Comparison { column: Column { key, .. }, op, value } = comparison;
        Ok(match key.as_str() {
            "name" => Self::Name(TextTest::new(&key, op, value, Extra::All)?),
            "run_id" => Self::Run(TextTest::new(&key, op, value, Extra::All)?),
            "source_path" => Self::Source(TextTest::new(&key, op, value, Extra::All)?),
            "version_number" => Self::Number(NumberTest::new(&key, op, &whole(&key, value)?)?),
            _ => {
                return Err(SearchError::Attribute {
                    key,
                    valid: "name, version_number, run_id, source_path",
                });
            }
        })
    }

    fn holds(&self, detail: &VersionDetail) -> bool {
        let version = &detail.version;
        match self {
            Self::Name(test) => test.holds(version.model.as_str()),
            Self::Run(test) => match (&version.run, test) {
                (run, TextTest::Missing) => run.is_none(),
                (run, TextTest::Present) => run.is_some(),
                // Clients that name none say "".
                (run, test) => test.holds(run.as_ref().map_or("", RunRef::as_str)),
            },
            Self::Source(test) => test.holds(&version.source),
            Self::Number(test) => test.holds(f64::from(version.number.0)),
            Self::Tag(test) => test.holds(&detail.tags),
        }
    }
}

/// Which versions are wanted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VersionFilter(Filter<VersionTest>);

impl VersionFilter {
    /// Parses a filter text; a blank one wants every version of a model that is no prompt.
    pub fn parse(text: &str) -> Result<Self, SearchError> {
        parse_filter(text)?.try_map(&mut VersionTest::new).map(Self)
    }

    /// The one model whose versions can match, if the filter names one: spares reading the others.
    pub fn model_name(&self) -> Option<&str> {
        self.0.needed().find_map(|test| match test {
            VersionTest::Name(TextTest::Equal(name)) => Some(name.as_str()),
            _ => None,
        })
    }

    /// Whether this version is wanted. Deleted ones never are.
    pub fn matches(&self, detail: &VersionDetail) -> bool {
        let asks_for_prompts =
            |test: &VersionTest| matches!(test, VersionTest::Tag(tag) if tag.key == IS_PROMPT);
        !detail.version.is_deleted()
            && shown(self.0.names(&asks_for_prompts), &detail.tags)
            && self.0.holds(&|test| test.holds(detail))
    }
}
