//! `mainstay import`: what other servers kept.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Subcommand};
use mainstay_core::command::Commands;
use mainstay_core::name::Name;
use mainstay_core::scope::default_workspace;
use mainstay_governance::command::CreateWorkspace;
use mainstay_governance::policy::Mode;
use mainstay_governance::port::{GovernanceReader as _, GovernanceTx};
use mainstay_import::address::Address;
use mainstay_import::artifacts::Artifacts;
use mainstay_import::command::ImportUnit;
use mainstay_import::error::ImportError;
use mainstay_import::source::{Rules, Stock};
use mainstay_import::unsealing::Unsealing;
use mainstay_import::{Importer, Preview, Summary, Target};
use mainstay_tracking::text::Overlong;
use serde_json::{Value, json};

use super::up::{GATEWAY_PASSPHRASE, environment_text};
use super::{DataArgs, environment};
use crate::Failed;
use crate::terminal::{note, say};
use mainstay_platform::Platform;
use mainstay_platform::authority::local_user;

/// What the stock server's secrets of webhooks are sealed with.
const WEBHOOK_KEY: &str = "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY";

#[derive(Debug, Subcommand)]
pub(super) enum Import {
    /// A stock MLflow server's database and artifacts, into a data directory that nobody has used. Stop that
    /// server first. Killed at any point, the same command goes on.
    Mlflow(Mlflow),
}

#[derive(Debug, Args)]
pub(super) struct Mlflow {
    /// The stock server's database, as its --backend-store-uri says it: `sqlite:///FILE` or
    /// `postgresql://user:password@host/name`
    #[arg(long, value_name = "URI", env = "MAINSTAY_IMPORT_DB", hide_env_values = true)]
    db: String,
    /// Where its artifacts are: DIR for what it keeps itself (mlflow-artifacts:), FROM=DIR for what it calls by
    /// URIs that begin with FROM, 'keep' where the data directory's artifacts are that directory already; may be
    /// repeated.
    #[arg(long, value_name = "DIR|FROM=DIR|keep")]
    artifacts: Vec<String>,
    /// A file with what the stock server had as `MLFLOW_CRYPTO_KEK_PASSPHRASE`, which opens the secrets of its
    /// gateway. Without it that variable is read, which also seals them here, as it does for `mainstay up`.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<std::path::PathBuf>,
    /// Tell what would come and what cannot be kept, and write nothing.
    #[arg(long)]
    check: bool,
    /// Cut values that are longer than a stock server of today lets them be.
    #[arg(long)]
    truncate: bool,
    /// Leave out what cannot be kept; the record names it.
    #[arg(long)]
    leave_out: bool,
    /// The data directory to import into; created if it does not exist.
    #[arg(long, env = "MAINSTAY_DATA", default_value = "./mainstay-data")]
    data: std::path::PathBuf,
    /// A PostgreSQL database to import into, instead of the SQLite file in the data directory:
    /// `postgresql://user:password@host/name`
    #[arg(long, value_name = "URL", env = "MAINSTAY_DB", hide_env_values = true)]
    into_db: Option<String>,
}

impl Import {
    pub(super) async fn run(self, json: bool) -> Result<ExitCode, Failed> {
        match self {
            Self::Mlflow(mlflow) => mlflow.run(json).await,
        }
    }
}

impl Mlflow {
    async fn run(self, json: bool) -> Result<ExitCode, Failed> {
        let overlong = if self.truncate { Overlong::Truncate } else { Overlong::Refuse };
        let rules = Rules { overlong, artifacts: Artifacts::parse(&self.artifacts)? };
        let passphrase = environment_text(GATEWAY_PASSPHRASE)?;
        let unsealing = unsealing(self.passphrase_file.as_deref(), passphrase.clone())?;
        let mut stock = Stock::open(&self.db.parse::<Address>()?, rules, unsealing).await?;
        if self.check {
            let workspaces = stock.workspaces().await?;
            let preview = stock.preview(&workspaces).await?;
            show_preview(&preview, json);
            return Ok(if preview.findings.count == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        let data = DataArgs { data: self.data, db: self.into_db };
        let mut platform = Platform::open(&data.data, data.db.as_deref(), environment(Mode::Local)).await?;
        if let Some(passphrase) = passphrase {
            platform = platform.with_gateway_passphrase(passphrase);
        }
        let done = Box::pin(bring(&platform, stock, self.leave_out)).await;
        platform.close().await;
        show_summary(&done?, json);
        Ok(ExitCode::SUCCESS)
    }
}

/// With which keys the stock server's secrets are opened.
fn unsealing(file: Option<&Path>, passphrase: Option<String>) -> Result<Unsealing, Failed> {
    let passphrase = match file {
        Some(file) => {
            let text = std::fs::read_to_string(file).map_err(|error| Failed::file(file, error))?;
            Some(text.trim_end_matches(['\r', '\n']).to_owned())
        }
        None => passphrase,
    };
    let webhooks = environment_text(WEBHOOK_KEY)?;
    Ok(Unsealing::new(passphrase, webhooks.as_deref()).ok_or(ImportError::WebhookKey)?)
}

async fn bring(platform: &Platform, stock: Stock, leave_out: bool) -> Result<Summary, Failed> {
    let writer = platform.database.writer.clone();
    let target = Target {
        reader: platform.database.reader.clone(),
        commands: Commands::new(Arc::new(ImportUnit(writer)), platform.authority.clone()),
        objects: platform.objects.clone(),
        clock: platform.clock.clone(),
        keys: platform.gateway_keys.clone(),
        entropy: platform.entropy.clone(),
        principal: local_user(),
    };
    let tell = |line: String| note(line);
    let mut importer = Importer::new(stock, target, leave_out, &tell).await?;
    create_workspaces(platform, importer.workspaces()).await?;
    Ok(Box::pin(importer.run()).await?)
}

async fn create_workspaces(platform: &Platform, wanted: &[Name]) -> Result<(), Failed> {
    let there = platform.database.reader.workspaces().await?;
    let writer = Arc::new(platform.database.writer.clone());
    let commands: Commands<dyn GovernanceTx> = Commands::new(writer, platform.authority.clone());
    let missing = |name: &&Name| **name != default_workspace() && !there.contains(name);
    for name in wanted.iter().filter(missing) {
        let caller = local_user();
        let (workspace, admin) = (default_workspace(), caller.actor.clone());
        commands.run(&caller, CreateWorkspace { workspace, name: name.clone(), admin }).await?;
    }
    Ok(())
}

fn show_preview(preview: &Preview, json: bool) {
    let Preview { revision, inventory, files, findings, elsewhere } = preview;
    if json {
        let findings = json!({"count": findings.count, "told": findings.told});
        let files = json!({"count": files.0, "bytes": files.1});
        let all = json!({
            "revision": revision, "rows": inventory, "files": files, "kept_elsewhere": elsewhere,
            "cannot_be_kept": findings,
        });
        say(all.to_string());
        return;
    }
    say(format!("revision {revision}"));
    for (kind, rows) in inventory {
        say(format!("{kind}: {rows}"));
    }
    say(format!("files: {}, {} bytes", files.0, files.1));
    for place in elsewhere {
        say(format!("stays where it is: {place}"));
    }
    for finding in &findings.told {
        say(format!("cannot be kept: {finding}"));
    }
    let more = findings.count - findings.told.len() as u64;
    if more > 0 {
        say(format!("and {more} more that cannot be kept"));
    }
}

fn show_summary(summary: &Summary, json: bool) {
    let Summary { kinds, files: (count, bytes, digest), left_out } = summary;
    if json {
        let files = json!({"count": count, "bytes": bytes, "digest": digest});
        let all: Value = json!({"kinds": kinds, "files": files, "left_out": left_out});
        say(all.to_string());
        return;
    }
    for (kind, compared) in kinds {
        say(format!("{kind}: {} here and there, {}", compared.here, compared.digest_here));
    }
    say(format!("files: {count}, {bytes} bytes, each read again after it was copied"));
    if *left_out > 0 {
        say(format!("{left_out} things were left out; the record names them (import.left_out)"));
    }
    say("both sides are alike");
}
