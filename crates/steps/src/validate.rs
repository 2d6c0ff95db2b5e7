//! `uses: validate`: judges a table version by an expectation suite; an expectation of critical severity
//! that is not met fails the step.

use std::path::PathBuf;

use async_trait::async_trait;
use mainstay_core::command::Command as _;
use mainstay_core::error::ErrorCode;
use mainstay_core::name::Name;
use mainstay_data::commands::RecordValidation;
use mainstay_data::expectations::Suite;
use mainstay_data::ports::DataReader as _;
use mainstay_data::validation::ValidationId;
use mainstay_pipelines::definition::check_arguments;
use mainstay_pipelines::run::StepOutput;
use mainstay_query::expectations::validate;
use mainstay_query::scan::Table;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{BuiltIn, Held, StepError};
use mainstay_platform::Platform;
use mainstay_platform::loop_tx::{Conclusion, Effect, EffectError, Tx};

/// `with:` of the step.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Arguments {
    dataset: Name,
    /// The version; the newest if absent.
    version: Option<u64>,
    /// A suite in Great Expectations' JSON, relative to the pipeline's root.
    suite: PathBuf,
}

/// The step.
pub struct Validate;

#[async_trait]
impl BuiltIn for Validate {
    fn name(&self) -> &'static str {
        "validate"
    }

    fn check(&self, with: &Map<String, Value>) -> Result<(), String> {
        check_arguments::<Arguments>(with)
    }

    async fn conclude(
        &self,
        platform: &Platform,
        held: &Held,
        _: Value,
    ) -> Result<Box<dyn Effect>, StepError> {
        let arguments: Arguments = held.arguments()?;
        let workspace = &held.workspace;
        let found = platform.database.reader.version(workspace, &arguments.dataset, arguments.version).await;
        let version = found.map_err(StepError::of)?.ok_or_else(|| {
            let message = format!("{} has no such version; import it first", arguments.dataset);
            StepError::refused(ErrorCode::NotFound, message)
        })?;
        let path = held.root.join(&arguments.suite);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            StepError::refused(
                ErrorCode::NotFound,
                format!("the suite {}: {error}", arguments.suite.display()),
            )
        })?;
        let suite = Suite::parse(&text).map_err(StepError::of)?;
        let table = Table::under(platform.layout.root(), &version.manifest);
        let judged = suite.clone();
        let task = tokio::task::spawn_blocking(move || validate(&table, &judged));
        let result =
            task.await.map_err(|error| StepError::lost(error.to_string()))?.map_err(StepError::of)?;
        Ok(Box::new(Validated(RecordValidation {
            workspace: workspace.clone(),
            id: ValidationId::draw(&*platform.entropy),
            dataset: arguments.dataset,
            version: version.version,
            table_digest: version.digest,
            suite,
            result,
        })))
    }
}

struct Validated(RecordValidation);

#[async_trait]
impl Effect for Validated {
    async fn apply(&self, tx: &mut Tx) -> Result<Conclusion, EffectError> {
        self.0.apply(tx).await.map_err(EffectError::from_coded)?;
        let (suite, statistics) = (self.0.suite.name(), self.0.result.statistics());
        if self.0.result.blocks() {
            let reason = format!(
                "{} version {} does not meet {} of the {} expectations of suite {suite}, a critical one among them",
                self.0.dataset, self.0.version, statistics.unsuccessful, statistics.evaluated
            );
            return Ok(Conclusion::Failed(reason));
        }
        let value = json!({
            "dataset": self.0.dataset,
            "version": self.0.version,
            "suite": suite,
            "passed": self.0.result.success(),
            "statistics": statistics,
        });
        let artifacts = [("table".to_owned(), self.0.table_digest)].into();
        Ok(Conclusion::Accepted(StepOutput { value, artifacts }))
    }
}
