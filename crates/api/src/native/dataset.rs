//! `/api/v1/datasets`: datasets, their table versions, and what validations found in them.
//!
//! | route | what it gives |
//! |---|---|
//! | `GET /api/v1/datasets` | the datasets, by name |
//! | `GET /api/v1/datasets/{name}` | one |
//! | `GET /api/v1/datasets/{name}/versions` | its versions, newest first |
//! | `GET /api/v1/datasets/{name}/versions/{number}` | one, with its files and validations |
//!
//! They are written by pipelines (`import`, `validate`).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::Method;
use mainstay_core::action::Action;
use mainstay_core::digest::Digest;
use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::name::Name;
use mainstay_core::page::Page;
use mainstay_core::scope::ResourceKind;
use mainstay_data::dataset::Dataset;
use mainstay_data::ports::DataReader;
use mainstay_data::schema::{Column, DeclaredTypes};
use mainstay_data::table::{DataFile, TableVersion};
use mainstay_data::validation::Validation;
use serde::Serialize;
use serde_json::Value;
use thiserror::Error as ThisError;

use super::Error;
use super::listing::{Listing, PageParams};
use super::request::{One, Params, Two};
use crate::caller::Caller;
use crate::dialect::Protocol;
use crate::route::{Route, RouteScope};

/// Most validations that are shown with a version, the newest.
const VALIDATIONS: usize = 100;

/// What the handlers here need.
#[derive(Clone)]
pub struct DatasetState {
    /// Datasets, versions and validations.
    pub reader: Arc<dyn DataReader>,
}

/// The table.
pub fn routes() -> Vec<Route<DatasetState>> {
    let all = (Action::DataRead, RouteScope::Workspace);
    let dataset = (Action::DataRead, RouteScope::Path(ResourceKind::Dataset, "name"));
    let (native, one) = (Protocol::Native, "/api/v1/datasets/{name}/versions/{number}");
    vec![
        Route::new(native, (Method::GET, "/api/v1/datasets"), all, list),
        Route::new(native, (Method::GET, "/api/v1/datasets/{name}"), dataset, show),
        Route::new(native, (Method::GET, "/api/v1/datasets/{name}/versions"), dataset, versions),
        Route::new(native, (Method::GET, one), dataset, version),
    ]
}

/// What is asked for is not there.
#[derive(Debug, ThisError)]
enum DatasetError {
    #[error("there is no dataset '{0}'")]
    NoDataset(Name),
    #[error("dataset '{0}' has no version {1}")]
    NoVersion(Name, u64),
}

impl Coded for DatasetError {
    fn code(&self) -> ErrorCode {
        ErrorCode::NotFound
    }
}

/// A version's number in a path.
struct Number(u64);

/// Not a number.
#[derive(Debug, ThisError)]
#[error("a version of a dataset is a whole number from 1")]
struct InvalidNumber;

impl Coded for InvalidNumber {
    fn code(&self) -> ErrorCode {
        ErrorCode::InvalidArgument
    }
}

impl std::str::FromStr for Number {
    type Err = InvalidNumber;

    fn from_str(text: &str) -> Result<Self, InvalidNumber> {
        // What does not fit 63 bits is no version of any table.
        let number = text.parse::<i64>().ok().and_then(|number| u64::try_from(number).ok());
        number.filter(|number| *number > 0).map(Self).ok_or(InvalidNumber)
    }
}

/// A dataset on the wire.
#[derive(Debug, Serialize)]
struct DatasetBody {
    name: Name,
    description: String,
    declared_types: DeclaredTypes,
    time_column: Option<String>,
    created_column: Option<String>,
}

impl From<Dataset> for DatasetBody {
    fn from(dataset: Dataset) -> Self {
        let Dataset { name, description, declared_types, time_column, created_column } = dataset;
        Self { name, description, declared_types, time_column, created_column }
    }
}

/// A version on the wire. `committed_at` is machine time.
#[derive(Debug, Serialize)]
struct VersionBody {
    dataset: Name,
    version: u64,
    digest: Digest,
    source: String,
    committed_at: String,
    rows: u64,
    bytes: u64,
    /// Rows that the import kept out.
    quarantined_rows: u64,
    columns: Vec<Column>,
}

impl From<&TableVersion> for VersionBody {
    fn from(version: &TableVersion) -> Self {
        let manifest = &version.manifest;
        Self {
            dataset: version.dataset.clone(),
            version: version.version,
            digest: version.digest,
            source: version.source.clone(),
            committed_at: version.committed_at.to_string(),
            rows: manifest.rows(),
            bytes: manifest.bytes(),
            quarantined_rows: manifest.quarantined_rows(),
            columns: manifest.schema.columns().to_vec(),
        }
    }
}

/// A version with everything that is known of it.
#[derive(Debug, Serialize)]
struct DetailBody {
    #[serde(flatten)]
    version: VersionBody,
    files: Vec<DataFile>,
    /// Newest first.
    validations: Vec<ValidationBody>,
}

#[derive(Debug, Serialize)]
struct ValidationBody {
    suite: String,
    suite_digest: Digest,
    success: bool,
    /// Whether an expectation that was not met forbids using the version.
    blocking: bool,
    recorded_at: String,
    /// In Great Expectations' shape.
    result: Value,
}

impl From<Validation> for ValidationBody {
    fn from(validation: Validation) -> Self {
        Self {
            suite: validation.suite,
            suite_digest: validation.suite_digest,
            success: validation.success,
            blocking: validation.blocking,
            recorded_at: validation.recorded_at.to_string(),
            result: validation.result,
        }
    }
}

async fn list(
    State(state): State<DatasetState>,
    caller: Caller,
    Params(page): Params<PageParams>,
) -> Result<Json<Listing<DatasetBody>>, Error> {
    let (after, limit) = (page.after::<Name>()?, page.limit()?);
    let rows = state.reader.datasets(&caller.workspace, after.as_ref(), limit + 1).await?;
    let page = Page::of(rows, limit, |dataset| dataset.name.clone());
    Ok(Json(Listing::of(page, DatasetBody::from)))
}

async fn existing(state: &DatasetState, caller: &Caller, name: Name) -> Result<Dataset, Error> {
    let found = state.reader.dataset(&caller.workspace, &name).await?;
    Ok(found.ok_or(DatasetError::NoDataset(name))?)
}

async fn show(
    State(state): State<DatasetState>,
    caller: Caller,
    One(name): One<Name>,
) -> Result<Json<DatasetBody>, Error> {
    Ok(Json(existing(&state, &caller, name).await?.into()))
}

async fn versions(
    State(state): State<DatasetState>,
    caller: Caller,
    One(name): One<Name>,
    Params(page): Params<PageParams>,
) -> Result<Json<Listing<VersionBody>>, Error> {
    let (before, limit) = (page.after::<u64>()?, page.limit()?);
    let dataset = existing(&state, &caller, name).await?;
    let rows = state.reader.versions(&caller.workspace, &dataset.name, before, limit + 1).await?;
    let page = Page::of(rows, limit, |version: &TableVersion| version.version);
    Ok(Json(Listing::of(page, |version| VersionBody::from(&version))))
}

async fn version(
    State(state): State<DatasetState>,
    caller: Caller,
    Two(name, Number(number)): Two<Name, Number>,
) -> Result<Json<DetailBody>, Error> {
    let dataset = existing(&state, &caller, name).await?.name;
    let found = state.reader.version(&caller.workspace, &dataset, Some(number)).await?;
    let found = found.ok_or_else(|| DatasetError::NoVersion(dataset.clone(), number))?;
    let validations = state.reader.validations(&caller.workspace, &dataset, number, VALIDATIONS).await?;
    Ok(Json(DetailBody {
        version: VersionBody::from(&found),
        files: found.manifest.files,
        validations: validations.into_iter().map(ValidationBody::from).collect(),
    }))
}
