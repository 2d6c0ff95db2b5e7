//! `uses: import`: brings a CSV, zip or Parquet file into a dataset, as its next table version.

use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use mainstay_core::command::Command as _;
use mainstay_core::error::ErrorCode;
use mainstay_core::name::Name;
use mainstay_data::commands::{CommitTableVersion, CreateDataset};
use mainstay_data::dataset::Dataset;
use mainstay_data::dates::DateOrder;
use mainstay_data::ports::{DataReader as _, DataTx};
use mainstay_data::schema::DeclaredTypes;
use mainstay_data::table::Manifest;
use mainstay_pipelines::definition::check_arguments;
use mainstay_pipelines::run::StepOutput;
use mainstay_query::import::{ImportOptions, Progress, Target, TextFormat, import_file};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{BuiltIn, Held, Prepared, StepError, read, write};
use mainstay_platform::Platform;
use mainstay_platform::loop_tx::{Conclusion, Effect, EffectError, Tx};

/// `with:` of the step.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    /// The dataset; created with the declarations below if there is none.
    dataset: Name,
    /// The file, relative to the pipeline's root.
    path: PathBuf,
    /// Adds the rows to those of the newest version instead of replacing them.
    #[serde(default)]
    append: bool,
    #[serde(default)]
    description: String,
    /// Types that win over what is inferred.
    #[serde(default)]
    types: DeclaredTypes,
    time_column: Option<String>,
    created_column: Option<String>,
    /// Most bad rows, as a share of all.
    max_bad_share: Option<f64>,
    /// What separates the fields of a CSV file; a comma if left out.
    delimiter: Option<char>,
    /// Whether numbers are written as `3,14`.
    #[serde(default)]
    decimal_comma: bool,
    /// What comes first in dates that are not written as RFC 3339 has them.
    date_order: Option<DateOrder>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Order {
    path: PathBuf,
    /// The file as the pipeline names it.
    file: String,
    format: TextFormat,
    directory: PathBuf,
    key_prefix: String,
    declared: DeclaredTypes,
    max_bad_share: Option<f64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Outcome {
    manifest: Manifest,
    rows_read: u64,
}

/// The step.
pub struct Import;

#[async_trait]
impl BuiltIn for Import {
    fn name(&self) -> &'static str {
        "import"
    }

    fn check(&self, with: &Map<String, Value>) -> Result<(), String> {
        check_arguments::<Arguments>(with)
    }

    async fn prepare(&self, platform: &Platform, held: &Held) -> Result<Prepared, StepError> {
        let arguments: Arguments = held.arguments()?;
        let workspace = &held.workspace;
        let known =
            platform.database.reader.dataset(workspace, &arguments.dataset).await.map_err(StepError::of)?;
        let key_prefix = format!("tables/{workspace}/{}/", arguments.dataset);
        let directory = platform.layout.root().join(&key_prefix);
        std::fs::create_dir_all(&directory)
            .map_err(|error| StepError::lost(format!("{key_prefix}: {error}")))?;
        let order = Order {
            path: held.root.join(&arguments.path),
            file: arguments.path.display().to_string(),
            format: TextFormat {
                delimiter: arguments.delimiter,
                decimal_comma: arguments.decimal_comma,
                date_order: arguments.date_order,
            },
            directory,
            key_prefix,
            declared: known.map_or(arguments.types, |dataset| dataset.declared_types),
            max_bad_share: arguments.max_bad_share,
        };
        Ok(Prepared::Child(write(&order)?))
    }

    fn perform(&self, order: Value, _: &Path) -> Result<Value, StepError> {
        let order: Order = read(order)?;
        let mut options =
            ImportOptions { declared: order.declared, format: order.format, ..ImportOptions::default() };
        if let Some(share) = order.max_bad_share {
            options.max_bad_share = share;
        }
        let target = Target { directory: &order.directory, key_prefix: &order.key_prefix };
        let mut observer = |progress: Progress| {
            let Progress { rows, bytes, total_bytes, .. } = progress;
            // Into the step's log. Who has stopped to read it stops no step.
            drop(writeln!(io::stderr().lock(), "{rows} rows, {bytes} of {total_bytes} bytes"));
            ControlFlow::Continue(())
        };
        let imported = import_file(&order.path, target, &options, &mut observer)
            .map_err(|error| StepError::of(error.of(order.file)))?;
        write(&Outcome { manifest: imported.manifest, rows_read: imported.rows_read })
    }

    async fn conclude(
        &self,
        platform: &Platform,
        held: &Held,
        result: Value,
    ) -> Result<Box<dyn Effect>, StepError> {
        let arguments: Arguments = held.arguments()?;
        let Outcome { mut manifest, rows_read } = read(result)?;
        let (workspace, reader) = (&held.workspace, &platform.database.reader);
        let newest = reader.version(workspace, &arguments.dataset, None).await.map_err(StepError::of)?;
        let mut after = None;
        if let Some(newest) = newest.filter(|_| arguments.append) {
            if newest.manifest.schema != manifest.schema {
                let message = format!(
                    "the file's columns or types differ from those of {} version {}; declare the types, or import \
                     without append",
                    arguments.dataset, newest.version
                );
                return Err(StepError::refused(ErrorCode::InvalidData, message));
            }
            after = Some(newest.version);
            let added = std::mem::replace(&mut manifest.files, newest.manifest.files);
            manifest.files.extend(added);
        }
        let dataset = Dataset {
            name: arguments.dataset.clone(),
            description: arguments.description,
            declared_types: arguments.types,
            time_column: arguments.time_column,
            created_column: arguments.created_column,
        };
        let source = arguments.path.display().to_string();
        Ok(Box::new(Imported {
            create: CreateDataset { workspace: workspace.clone(), dataset },
            commit: CommitTableVersion {
                workspace: workspace.clone(),
                dataset: arguments.dataset,
                manifest,
                source,
            },
            after,
            rows_read,
        }))
    }
}

/// Creates the dataset if there is none, and commits the version.
struct Imported {
    create: CreateDataset,
    commit: CommitTableVersion,
    /// The version whose files the new one repeats; it must still be the newest.
    after: Option<u64>,
    rows_read: u64,
}

#[async_trait]
impl Effect for Imported {
    async fn apply(&self, tx: &mut Tx) -> Result<Conclusion, EffectError> {
        let name = &self.commit.dataset;
        let tx: &mut (dyn DataTx + 'static) = tx;
        if tx.dataset_for_update(name).await?.is_none() {
            self.create.apply(tx).await.map_err(EffectError::from_coded)?;
        }
        if self.after.is_some() && tx.newest_version(name).await?.map(|(number, _)| number) != self.after {
            let message =
                format!("{name} got another version meanwhile; the rows are added again to that one");
            return Err(EffectError::from_coded(StepError::overtaken(message)));
        }
        let committed = self.commit.apply(tx).await.map_err(EffectError::from_coded)?;
        let manifest = &self.commit.manifest;
        let value = json!({
            "dataset": name,
            "version": committed.version,
            "added": committed.added,
            "rows": manifest.rows(),
            "read": self.rows_read,
            "quarantined": manifest.quarantine.as_ref().map_or(0, |quarantine| quarantine.rows),
        });
        let artifacts = [("table".to_owned(), committed.digest)].into();
        Ok(Conclusion::Accepted(StepOutput { value, artifacts }))
    }
}
