//! The one command of an import: a page of things and how far the import is, together or not at all.

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::{BoxFuture, Command, Context, Job, Refused, Unit};
use mainstay_core::error::StorageError;
use mainstay_core::event::Event;
use mainstay_core::experiment::ExperimentError;
use mainstay_core::name::Name;
use mainstay_core::scope::{ResourceKind, Scope, Subject};
use mainstay_evaluation::dataset::EvaluationDatasetDetail;
use mainstay_evaluation::import::{put_dataset, put_records};
use mainstay_evaluation::issue::Issue;
use mainstay_evaluation::issue::import::put_issue;
use mainstay_evaluation::issue::port::IssueTx;
use mainstay_evaluation::port::EvaluationTx;
use mainstay_evaluation::record::DatasetRecord;
use mainstay_evaluation::scorer::import::{ImportedScorer, put_scorer};
use mainstay_evaluation::scorer::port::ScorerTx;
use mainstay_gateway::import::{self as gateway, ImportedEndpoint, ImportedSecret};
use mainstay_gateway::model_definition::ModelDefinition;
use mainstay_gateway::port::GatewayTx;
use mainstay_governance::import::put_webhook;
use mainstay_governance::port::GovernanceTx;
use mainstay_governance::webhook::Webhook;
use mainstay_registry::import::{self as registry, ImportedVersion};
use mainstay_registry::model::ModelDetail;
use mainstay_registry::port::RegistryTx;
use mainstay_store::StoreTx;
use mainstay_store::writer::Writer;
use mainstay_traces::import::{ImportedTrace, put_trace};
use mainstay_traces::port::TraceTx;
use mainstay_tracking::experiment::ExperimentDetail;
use mainstay_tracking::import::{self as tracking, Imported, Series};
use mainstay_tracking::logged_model::LoggedModelDetail;
use mainstay_tracking::port::TrackingTx;
use mainstay_tracking::run::RunDetail;
use serde_json::{Value, json};

use crate::finding::Finding;

/// What an import writes through.
#[async_trait]
pub trait ImportTx:
    TrackingTx + RegistryTx + TraceTx + EvaluationTx + ScorerTx + IssueTx + GatewayTx + GovernanceTx
{
    /// Notes how far the import from `source` is.
    async fn note(&mut self, source: &str, state: &str) -> Result<(), StorageError>;
}

#[async_trait]
impl ImportTx for StoreTx {
    async fn note(&mut self, source: &str, state: &str) -> Result<(), StorageError> {
        self.put_import(source, state).await
    }
}

/// A file that was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopiedFiles {
    /// How many.
    pub count: u64,
    /// How many bytes.
    pub bytes: u64,
    /// See [`Files::digest`](crate::state::Files::digest), after the last of them.
    pub digest: String,
}

/// What a page holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Contents {
    /// Nothing: the import begins, ends, or goes to its next stage. The event and what it says.
    Milestone(Option<(&'static str, Value)>),
    /// Experiments.
    Experiments(Vec<Imported<ExperimentDetail>>),
    /// Runs.
    Runs(Vec<Imported<RunDetail>>),
    /// Points; those of one run side by side.
    Points(Vec<Series>),
    /// Logged models.
    LoggedModels(Vec<Imported<LoggedModelDetail>>),
    /// Registered models, without their aliases.
    Models(Vec<ModelDetail>),
    /// Versions.
    Versions(Vec<ImportedVersion>),
    /// The aliases of registered models.
    Aliases(Vec<ModelDetail>),
    /// Traces.
    Traces(Vec<ImportedTrace>),
    /// Evaluation datasets.
    Datasets(Vec<EvaluationDatasetDetail>),
    /// Their records; those of one dataset side by side.
    Records(Vec<DatasetRecord>),
    /// Secrets of the gateway, sealed anew.
    Secrets(Vec<ImportedSecret>),
    /// Its model definitions.
    ModelDefinitions(Vec<ModelDefinition>),
    /// Its endpoints.
    Endpoints(Vec<ImportedEndpoint>),
    /// Scorers.
    Scorers(Vec<ImportedScorer>),
    /// Issues.
    Issues(Vec<Issue>),
    /// Webhooks.
    Webhooks(Vec<Webhook>),
    /// Files are where they belong.
    Files(CopiedFiles),
}

/// Writes a page. Events: one for each thing, `import.left_out` with what is not kept, `import.files_copied`, and
/// `import.started` and `import.verified` at the ends.
#[derive(Debug, Clone)]
pub struct ImportPage {
    /// Where the things belong.
    pub workspace: Name,
    /// What this import is called.
    pub source: String,
    /// The things.
    pub contents: Contents,
    /// What of the page is not kept.
    pub left_out: Vec<Finding>,
    /// How far the import is when this is written.
    pub state: String,
}

/// How the record names an import.
pub fn import_subject(source: &str) -> Subject {
    Subject::new(ResourceKind::Server, format_args!("import from {source}"))
}

#[async_trait]
impl Command for ImportPage {
    type Tx = dyn ImportTx;
    type Out = ();
    type Error = ExperimentError;

    fn action(&self) -> Action {
        // Whatever is brought in, users and webhooks among it, could be made by nobody else at one stroke.
        Action::AccessManage
    }

    fn scope(&self) -> Scope {
        Scope::new(self.workspace.clone(), import_subject(&self.source))
    }

    async fn apply(&self, tx: &mut Self::Tx) -> Result<(), ExperimentError> {
        let subject = || import_subject(&self.source);
        match &self.contents {
            Contents::Milestone(None) => {}
            Contents::Milestone(Some((kind, body))) => {
                tx.record(Event::new(kind, subject(), body.clone()));
            }
            Contents::Files(CopiedFiles { count, bytes, digest }) => {
                let body = json!({"count": count, "bytes": bytes, "digest": digest});
                tx.record(Event::new("import.files_copied", subject(), body));
            }
            things => put(tx, things).await?,
        }
        if !self.left_out.is_empty() {
            tx.record(Event::new("import.left_out", subject(), json!({"findings": self.left_out})));
        }
        Ok(tx.note(&self.source, &self.state).await?)
    }
}

/// Writes the things of a page.
async fn put(tx: &mut dyn ImportTx, things: &Contents) -> Result<(), ExperimentError> {
    macro_rules! each {
        ($put:path, $all:ident) => {{
            for one in $all {
                $put(tx, one).await?;
            }
        }};
    }
    match things {
        Contents::Milestone(_) | Contents::Files(_) => {}
        Contents::Experiments(all) => each!(tracking::put_experiment, all),
        Contents::Runs(all) => each!(tracking::put_run, all),
        Contents::Points(series) => tracking::put_points(tx, series).await?,
        Contents::LoggedModels(all) => each!(tracking::put_logged_model, all),
        Contents::Models(all) => each!(registry::put_model, all),
        Contents::Versions(all) => each!(registry::put_version, all),
        Contents::Aliases(all) => each!(registry::put_aliases, all),
        Contents::Traces(all) => each!(put_trace, all),
        Contents::Datasets(all) => each!(put_dataset, all),
        Contents::Records(records) => put_records(tx, records).await?,
        Contents::Secrets(all) => each!(gateway::put_secret, all),
        Contents::ModelDefinitions(all) => each!(gateway::put_model_definition, all),
        Contents::Endpoints(all) => each!(gateway::put_endpoint, all),
        Contents::Scorers(all) => each!(put_scorer, all),
        Contents::Issues(all) => each!(put_issue, all),
        Contents::Webhooks(all) => each!(put_webhook, all),
    }
    Ok(())
}

/// The writer, as the unit of imports.
pub struct ImportUnit(pub Writer);

struct Narrowed(Box<dyn Job<dyn ImportTx>>);

impl Job<StoreTx> for Narrowed {
    fn context(&self) -> &Context {
        self.0.context()
    }

    fn apply<'a>(&'a mut self, tx: &'a mut StoreTx) -> BoxFuture<'a, Result<(), Refused>> {
        self.0.apply(tx)
    }

    fn settle(self: Box<Self>, committed: Result<(), StorageError>) {
        self.0.settle(committed);
    }
}

impl Unit<dyn ImportTx> for ImportUnit {
    fn submit(&self, job: Box<dyn Job<dyn ImportTx>>) -> BoxFuture<'_, Result<(), StorageError>> {
        Unit::<StoreTx>::submit(&self.0, Box::new(Narrowed(job)))
    }
}
