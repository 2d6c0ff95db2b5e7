//! `/datasets` and `/datasets/{name}`: tables, their versions, what was checked.

use askama::Template;
use axum::extract::Path;
use mainstay_api::Caller;
use mainstay_api::route::RouteScope;
use mainstay_core::action::Action;
use mainstay_core::name::Name;
use mainstay_core::scope::ResourceKind;
use mainstay_core::time::{DAY, DataTime};
use mainstay_data::scalar::Scalar;
use mainstay_data::table::{ColumnStats, TableVersion};
use mainstay_data::validation::Validation;
use serde_json::Value;

use super::{Row, reads};
use crate::frame::{Missing, Page, page};
use crate::show::figure::{bytes, count, number, short};
use crate::show::link;
use crate::show::moment::{Moment, data_minute};
use crate::show::shell::{Section, Shell};
use crate::{Console, State, asset};

/// Most datasets, and versions of one, on a page.
const SHOWN: usize = 200;

pub(super) fn routes() -> Vec<Row> {
    let dataset = RouteScope::Path(ResourceKind::Dataset, "name");
    vec![
        reads("/datasets", Action::DataRead, RouteScope::Workspace, list),
        reads("/datasets/{name}", Action::DataRead, dataset, show),
    ]
}

struct ListRow {
    href: String,
    name: String,
    description: String,
    version: Option<u64>,
    rows: String,
    size: String,
    committed: Option<Moment>,
}

#[derive(Template)]
#[template(path = "datasets.html")]
struct DatasetsPage {
    shell: Shell,
    rows: Vec<ListRow>,
}

async fn list(axum::extract::State(console): State, caller: Caller) -> Page {
    let now = console.now();
    let mut rows = Vec::new();
    for dataset in console.data.datasets(&caller.workspace, None, SHOWN).await? {
        let newest = console.data.version(&caller.workspace, &dataset.name, None).await?;
        let manifest = newest.as_ref().map(|version| &version.manifest);
        rows.push(ListRow {
            href: link::dataset(&dataset.name),
            name: dataset.name.to_string(),
            description: dataset.description,
            version: newest.as_ref().map(|version| version.version),
            rows: manifest.map_or_else(String::new, |manifest| count(manifest.rows())),
            size: manifest.map_or_else(String::new, |manifest| bytes(manifest.bytes())),
            committed: newest.as_ref().map(|version| Moment::ago(version.committed_at, now)),
        });
    }
    page(&DatasetsPage { shell: Shell::new("Data", Section::Data).seen_by(&caller), rows })
}

struct ColumnRow {
    name: String,
    kind: &'static str,
    least: String,
    greatest: String,
    nulls: String,
}

struct VersionRow {
    number: u64,
    rows: String,
    size: String,
    kept_out: String,
    digest: String,
    short: String,
    source: String,
    committed: Moment,
}

struct Check {
    name: String,
    about: String,
    passed: bool,
    observed: String,
}

struct Checked {
    suite: String,
    passed: usize,
    at: Moment,
    checks: Vec<Check>,
}

#[derive(Template)]
#[template(path = "dataset.html")]
struct DatasetPage {
    shell: Shell,
    name: String,
    description: String,
    time_column: Option<String>,
    columns: Vec<ColumnRow>,
    versions: Vec<VersionRow>,
    checked: Option<Checked>,
}

async fn show(axum::extract::State(console): State, caller: Caller, Path(name): Path<String>) -> Page {
    let name = Name::new(name)?;
    let workspace = &caller.workspace;
    let dataset = console.data.dataset(workspace, &name).await?;
    let dataset = dataset.ok_or_else(|| Missing(format!("dataset {name}")))?;
    let versions = console.data.versions(workspace, &name, None, SHOWN).await?;
    let newest = versions.first();
    let validation = match newest {
        Some(version) => console.data.validations(workspace, &name, version.version, 1).await?.pop(),
        None => None,
    };
    page(&DatasetPage {
        shell: Shell::new(name.to_string(), Section::Data).seen_by(&caller).under("Data", "/datasets"),
        name: name.to_string(),
        description: dataset.description,
        time_column: dataset.time_column,
        columns: newest.map(columns).unwrap_or_default(),
        versions: versions.iter().map(|version| version_row(version, &console)).collect(),
        checked: validation.map(|validation| checked(&validation, &console)),
    })
}

fn version_row(version: &TableVersion, console: &Console) -> VersionRow {
    let kept_out = version.manifest.quarantined_rows();
    VersionRow {
        number: version.version,
        rows: count(version.manifest.rows()),
        size: bytes(version.manifest.bytes()),
        kept_out: if kept_out == 0 { String::new() } else { count(kept_out) },
        digest: version.digest.to_string(),
        short: short(&version.digest.to_string()),
        source: version.source.clone(),
        committed: Moment::ago(version.committed_at, console.now()),
    }
}

/// The columns of a version, with what is known over all its files.
fn columns(version: &TableVersion) -> Vec<ColumnRow> {
    let files = &version.manifest.files;
    let column = |(at, column): (usize, &mainstay_data::schema::Column)| {
        let stats: Vec<&ColumnStats> = files.iter().filter_map(|file| file.columns.get(at)).collect();
        // The ends of several files are told only where there is one file: scalars of text have no order here.
        let (least, greatest) = match stats.as_slice() {
            [only] => (only.min.as_ref().map(scalar), only.max.as_ref().map(scalar)),
            _ => (None, None),
        };
        ColumnRow {
            name: column.name.clone(),
            kind: column.data_type.as_str(),
            least: least.unwrap_or_default(),
            greatest: greatest.unwrap_or_default(),
            nulls: count(stats.iter().map(|stats| stats.nulls).sum()),
        }
    };
    version.manifest.schema.columns().iter().enumerate().map(column).collect()
}

fn scalar(value: &Scalar) -> String {
    match value {
        Scalar::Bool(value) => value.to_string(),
        Scalar::Int(value) => value.to_string(),
        Scalar::Float(value) => number(*value),
        Scalar::Text(text) => text.clone(),
        Scalar::Timestamp(at) => data_minute(*at),
        Scalar::Date(day) => {
            let at = DataTime::from_micros(i64::from(*day).saturating_mul(DAY));
            at.to_string().chars().take(10).collect()
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number_) if number_.is_f64() => number_.as_f64().map_or_else(String::new, number),
        other => other.to_string(),
    }
}

/// A validation, in Great Expectations' shape.
fn checked(validation: &Validation, console: &Console) -> Checked {
    let results =
        validation.result.get("results").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let check = |result: &Value| {
        let text =
            |pointer: &str| result.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        let unexpected = result.pointer("/result/unexpected_count").and_then(Value::as_u64);
        let observed = result.pointer("/result/observed_value").filter(|value| !value.is_null());
        let name = text("/expectation_config/type");
        Check {
            name: name.trim_start_matches("expect_").replace('_', " "),
            about: text("/expectation_config/kwargs/column"),
            passed: result.get("success").and_then(Value::as_bool) == Some(true),
            observed: match (unexpected, observed) {
                (Some(unexpected), _) => format!("{} unexpected", count(unexpected)),
                (None, Some(Value::Number(value))) => value.as_f64().map_or_else(String::new, number),
                (None, Some(value)) => plain(value),
                (None, None) => String::new(),
            },
        }
    };
    let checks: Vec<Check> = results.iter().map(check).collect();
    Checked {
        suite: validation.suite.clone(),
        passed: checks.iter().filter(|check| check.passed).count(),
        at: Moment::ago(validation.recorded_at, console.now()),
        checks,
    }
}
