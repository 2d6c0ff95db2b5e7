//! Filters and orders of runs.

use mainstay_core::search::{
    Column, Comparison, Extra, Filter, NumberTest, Term, TextTest, parse_column, parse_filter, parse_orders,
};

use super::SearchError;

const ENTITIES: &str = "metric, parameter, tag, attribute, dataset";
const ATTRIBUTES: &str =
    "run_id, run_name, user_id, status, artifact_uri, start_time, end_time, duration, experiment_id";

/// A text attribute of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextAttribute {
    RunId,
    Experiment,
    RunName,
    User,
    Status,
    ArtifactUri,
}

/// A numeric attribute of a run: milliseconds, since the Unix epoch or from start to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeAttribute {
    Start,
    End,
    Duration,
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
                "experiment_id" => Ok(Self::Text(TextAttribute::Experiment)),
                "run_name" | "run name" | "Run name" | "Run Name" => Ok(Self::Text(TextAttribute::RunName)),
                "user_id" => Ok(Self::Text(TextAttribute::User)),
                "status" => Ok(Self::Text(TextAttribute::Status)),
                "artifact_uri" => Ok(Self::Text(TextAttribute::ArtifactUri)),
                "start_time" | "created" | "Created" => Ok(Self::Time(TimeAttribute::Start)),
                "end_time" => Ok(Self::Time(TimeAttribute::End)),
                "duration" => Ok(Self::Time(TimeAttribute::Duration)),
                _ => Err(SearchError::Attribute { key, valid: ATTRIBUTES }),
            },
            Some(entity) => Err(SearchError::Entity { entity: entity.to_owned(), valid: ENTITIES }),
        }
    }

    /// Reads a column that stands alone.
    pub(crate) fn parse(text: &str) -> Result<Self, SearchError> {
        Self::new(parse_column(text)?)
    }

    /// As it is written: `metrics.loss`, `params.lr`, `status`.
    pub(crate) fn name(&self) -> Column {
        let (entity, key) = match self {
            Self::Metric(key) => (Some("metrics"), key.as_str()),
            Self::Param(key) => (Some("params"), key.as_str()),
            Self::Tag(key) => (Some("tags"), key.as_str()),
            Self::Text(attribute) => (None, attribute.as_str()),
            Self::Time(attribute) => (None, attribute.as_str()),
            Self::Dataset(DatasetField::Name) => (Some("datasets"), "name"),
            Self::Dataset(DatasetField::Digest) => (Some("datasets"), "digest"),
            Self::Dataset(DatasetField::Context) => (Some("datasets"), "context"),
        };
        Column { entity: entity.map(str::to_owned), key: key.to_owned() }
    }
}

impl TextAttribute {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::RunId => "run_id",
            Self::Experiment => "experiment_id",
            Self::RunName => "run_name",
            Self::User => "user_id",
            Self::Status => "status",
            Self::ArtifactUri => "artifact_uri",
        }
    }
}

impl TimeAttribute {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start_time",
            Self::End => "end_time",
            Self::Duration => "duration",
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

/// Which runs are wanted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunFilter(pub(crate) Filter<RunTest>);

impl RunFilter {
    /// Parses a filter text; a blank one wants every run.
    pub fn parse(text: &str) -> Result<Self, SearchError> {
        let mut located =
            |Term { at, comparison }| test(comparison).map_err(|error| error.of_comparison_at(at));
        parse_filter(text)?.try_map(&mut located).map(Self)
    }
}

fn test(Comparison { column, op, value }: Comparison) -> Result<RunTest, SearchError> {
    let key = column.key.clone();
    Ok(match RunColumn::new(column)? {
        RunColumn::Metric(name) => RunTest::Metric(name, NumberTest::of_any(&key, op, &value)?),
        RunColumn::Param(name) => RunTest::Param(name, TextTest::new(&key, op, value, Extra::AllAndNumbers)?),
        RunColumn::Tag(name) => RunTest::Tag(name, TextTest::new(&key, op, value, Extra::AllAndNumbers)?),
        RunColumn::Time(attribute) => RunTest::Time(attribute, NumberTest::of_any(&key, op, &value)?),
        RunColumn::Dataset(field) => RunTest::Dataset(field, TextTest::new(&key, op, value, Extra::All)?),
        RunColumn::Text(attribute) => RunTest::Text(attribute, TextTest::new(&key, op, value, Extra::All)?),
    })
}

/// In which order runs come: as asked, missing values last and NaN before them in both directions;
/// then the latest start first, unless starts were asked for; then by id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunOrder {
    /// Column, and whether ascending.
    pub(crate) columns: Vec<(RunColumn, bool)>,
    /// Whether parameters and tags that are numbers come before those that are not, by their size.
    pub(crate) is_natural: bool,
}

impl Default for RunOrder {
    fn default() -> Self {
        Self { columns: vec![(RunColumn::Time(TimeAttribute::Start), false)], is_natural: false }
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
        Ok(Self { columns, is_natural: false })
    }

    /// The same for people: parameters and tags that are numbers come first, by their size, and texts behind them.
    /// `MLflow` orders all of them as texts.
    #[must_use]
    pub const fn natural(mut self) -> Self {
        self.is_natural = true;
        self
    }
}
