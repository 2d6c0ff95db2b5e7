//! Filters and orders of runs.

use mainstay_core::search::{Column, Comparison, Extra, NumberTest, TextTest, parse, parse_orders};

use super::SearchError;

const ENTITIES: &str = "metric, parameter, tag, attribute, dataset";
const ATTRIBUTES: &str = "run_id, run_name, user_id, status, artifact_uri, start_time, end_time";

/// A text attribute of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextAttribute {
    RunId,
    RunName,
    User,
    Status,
    ArtifactUri,
}

/// A numeric attribute of a run, in milliseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeAttribute {
    Start,
    End,
}

/// What a dataset is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DatasetField {
    Name,
    Digest,
    Context,
}

/// Where a value of a run stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RunColumn {
    Metric(String),
    Param(String),
    Tag(String),
    Text(TextAttribute),
    Time(TimeAttribute),
    Dataset(DatasetField),
}

impl RunColumn {
    fn new(Column { entity, key }: Column) -> Result<Self, SearchError> {
        match entity.as_deref() {
            Some("metric" | "metrics") => Ok(Self::Metric(key)),
            Some("parameter" | "parameters" | "param" | "params") => Ok(Self::Param(key)),
            Some("tag" | "tags") => Ok(Self::Tag(key)),
            Some("dataset" | "datasets") => match key.as_str() {
                "name" => Ok(Self::Dataset(DatasetField::Name)),
                "digest" => Ok(Self::Dataset(DatasetField::Digest)),
                "context" => Ok(Self::Dataset(DatasetField::Context)),
                _ => Err(SearchError::Attribute { key, valid: "name, digest, context" }),
            },
            None | Some("attribute" | "attributes" | "attr" | "run") => match key.as_str() {
                "run_id" => Ok(Self::Text(TextAttribute::RunId)),
                "run_name" | "run name" | "Run name" | "Run Name" => Ok(Self::Text(TextAttribute::RunName)),
                "user_id" => Ok(Self::Text(TextAttribute::User)),
                "status" => Ok(Self::Text(TextAttribute::Status)),
                "artifact_uri" => Ok(Self::Text(TextAttribute::ArtifactUri)),
                "start_time" | "created" | "Created" => Ok(Self::Time(TimeAttribute::Start)),
                "end_time" => Ok(Self::Time(TimeAttribute::End)),
                _ => Err(SearchError::Attribute { key, valid: ATTRIBUTES }),
            },
            Some(entity) => Err(SearchError::Entity { entity: entity.to_owned(), valid: ENTITIES }),
        }
    }
}

/// One comparison.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum RunTest {
    Metric(String, NumberTest),
    Param(String, TextTest),
    Tag(String, TextTest),
    Text(TextAttribute, TextTest),
    Time(TimeAttribute, NumberTest),
    Dataset(DatasetField, TextTest),
}

/// Which runs are wanted: all comparisons must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunFilter {
    pub(crate) tests: Vec<RunTest>,
}

impl RunFilter {
    /// Parses a filter text; a blank one wants every run.
    pub fn parse(text: &str) -> Result<Self, SearchError> {
        let tests = parse(text)?.into_iter().map(test).collect::<Result<_, _>>()?;
        Ok(Self { tests })
    }
}

fn test(Comparison { column, op, value }: Comparison) -> Result<RunTest, SearchError> {
    let key = column.key.clone();
    Ok(match RunColumn::new(column)? {
        RunColumn::Metric(name) => RunTest::Metric(name, NumberTest::new(&key, op, &value)?),
        RunColumn::Param(name) => RunTest::Param(name, TextTest::new(&key, op, value, Extra::Nulls)?),
        RunColumn::Tag(name) => RunTest::Tag(name, TextTest::new(&key, op, value, Extra::Nulls)?),
        RunColumn::Time(attribute) => RunTest::Time(attribute, NumberTest::new(&key, op, &value)?),
        RunColumn::Dataset(field) => RunTest::Dataset(field, TextTest::new(&key, op, value, Extra::Lists)?),
        RunColumn::Text(attribute) => {
            // Only the id is looked up in lists (`LIST_SUPPORTED_KEYS`).
            let lists = if attribute == TextAttribute::RunId { Extra::Lists } else { Extra::Nothing };
            RunTest::Text(attribute, TextTest::new(&key, op, value, lists)?)
        }
    })
}

/// In which order runs come: as asked, missing values last and NaN before them in both directions;
/// then the latest start first, unless starts were asked for; then by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOrder {
    /// Column, and whether ascending.
    pub(crate) columns: Vec<(RunColumn, bool)>,
}

impl Default for RunOrder {
    fn default() -> Self {
        Self { columns: vec![(RunColumn::Time(TimeAttribute::Start), false)] }
    }
}

impl RunOrder {
    /// Parses order texts, such as `metrics.loss DESC`; ascending where nothing is said.
    pub fn parse(texts: &[String]) -> Result<Self, SearchError> {
        let mut columns = parse_orders(texts, |column| match RunColumn::new(column)? {
            RunColumn::Dataset(_) => {
                let entity = "dataset".to_owned();
                Err(SearchError::Entity { entity, valid: "metric, parameter, tag, attribute" })
            }
            column => Ok(column),
        })?;
        let start = RunColumn::Time(TimeAttribute::Start);
        if !columns.iter().any(|(column, _)| *column == start) {
            columns.push((start, false));
        }
        Ok(Self { columns })
    }
}
