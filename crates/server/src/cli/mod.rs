//! The command line. How it ends is in [`crate::exit`].

mod approve;
mod at;
mod audit;
mod backup;
mod catalog;
mod demo;
mod endpoints;
mod import;
mod init;
mod listen;
mod model_ref;
mod monitors;
mod pipeline_start;
mod pipelines;
mod purge;
mod quotas;
mod render;
mod restore;
mod retention;
mod run;
mod run_logs;
mod runs;
mod token;
mod up;
mod users;
mod why;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand};
use mainstay_governance::policy::Mode;

use crate::Failed;
use crate::exit::Exit;
use crate::terminal::note;
use mainstay_platform::Environment;
use mainstay_platform::clock::{SystemClock, SystemEntropy};

/// The whole life of a model in one binary.
#[derive(Debug, Parser)]
#[command(name = "mainstay", version, arg_required_else_help = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Results as JSON, one document per command.
    #[arg(long, global = true)]
    json: bool,
    /// What to log: a level, or a filter such as 'mainstay=debug'.
    #[arg(long, global = true, env = "MAINSTAY_LOG", default_value = "warn")]
    log: String,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the server: console, API, engine and predictor on one address.
    Up(up::Up),
    /// Run a pipeline file to its end, with no server needed.
    Run(run::Run),
    /// Write definitions, expectations and pipelines for a CSV file of your own.
    Init(mainstay_scaffold::Wishes),
    /// How a version came to be: data, features, run, gates, approvals, rollout.
    Why(why::Why),
    /// Runs of experiments.
    #[command(subcommand)]
    Runs(runs::Runs),
    /// Delete things for good, with their artifacts.
    Purge(purge::Purge),
    /// Rules by which things are purged as time goes on.
    #[command(subcommand)]
    Retention(retention::Retention),
    /// How much a workspace may have.
    #[command(subcommand)]
    Quotas(quotas::Quotas),
    /// Registered models and their versions.
    #[command(subcommand)]
    Models(catalog::Catalog),
    /// Endpoints: what answers, and going back.
    #[command(subcommand)]
    Endpoints(endpoints::Endpoints),
    /// Pipelines, their runs and logs.
    #[command(subcommand)]
    Pipelines(pipelines::Pipelines),
    /// Datasets and their versions.
    #[command(subcommand)]
    Datasets(catalog::Catalog),
    /// Feature definitions.
    #[command(subcommand)]
    Features(catalog::Catalog),
    /// Monitors of endpoints, and their alarms.
    #[command(subcommand)]
    Monitors(monitors::Monitors),
    /// Decide on what waits for a person.
    Approve(approve::Approve),
    /// Tokens that programs show to a server.
    #[command(subcommand)]
    Token(token::Token),
    /// People who log in with a name and a password.
    #[command(subcommand)]
    Users(users::Users),
    /// Replay a year of real data through the whole loop, and tell what happens.
    Demo(demo::Demo),
    /// Bring in what another server kept.
    #[command(subcommand)]
    Import(import::Import),
    /// Check the record.
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Copy a data directory, while a server may have it open.
    Backup(backup::Backup),
    /// Make a data directory of a backup, and check it.
    Restore(restore::Restore),
    /// Starts the processes of steps; the server runs it.
    #[command(name = "__spawner", hide = true)]
    Spawner,
    /// Performs a built-in step; the engine runs it.
    #[command(name = "__step", hide = true)]
    Step {
        /// The built-in step.
        uses: String,
    },
}

/// Where the data is.
#[derive(Debug, Clone, Args)]
pub(crate) struct DataArgs {
    /// The data directory; created if it does not exist.
    #[arg(long, env = "MAINSTAY_DATA", default_value = "./mainstay-data")]
    pub(crate) data: PathBuf,
    /// A PostgreSQL database instead of the SQLite file in the data directory:
    /// `postgresql://user:password@host/name`
    #[arg(long, env = "MAINSTAY_DB", hide_env_values = true)]
    pub(crate) db: Option<String>,
}

/// Runs the program.
pub fn main() -> ExitCode {
    // Before anything else: it must have one thread and little memory.
    if std::env::args_os().nth(1).is_some_and(|first| first == "__spawner") {
        return mainstay_runner::spawner_main();
    }
    let cli = Cli::parse();
    let filter = tracing_subscriber::EnvFilter::try_new(&cli.log).unwrap_or_default();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    log.with_target(false).with_ansi(std::io::stderr().is_terminal()).init();
    match dispatch(cli) {
        Ok(code) => code,
        Err(failed) => {
            note(format!("error: {failed}"));
            Exit::of(&failed).into()
        }
    }
}

fn dispatch(cli: Cli) -> Result<ExitCode, Failed> {
    let json = cli.json;
    match cli.command {
        Command::Up(up) => block_on(up.run()),
        Command::Run(run) => block_on(run.run(json)),
        Command::Init(wishes) => init::run(&wishes, json),
        Command::Why(why) => block_on(why.run(json)),
        Command::Monitors(monitors) => block_on(monitors.run(json)),
        Command::Runs(runs) => block_on(runs.run(json)),
        Command::Purge(purge) => block_on(purge.run(json)),
        Command::Retention(retention) => block_on(retention.run(json)),
        Command::Quotas(quotas) => block_on(quotas.run(json)),
        Command::Models(models) => block_on(models.run(catalog::MODELS, json)),
        Command::Endpoints(endpoints) => block_on(endpoints.run(json)),
        Command::Pipelines(pipelines) => block_on(pipelines.run(json)),
        Command::Datasets(datasets) => block_on(datasets.run(catalog::DATASETS, json)),
        Command::Features(features) => block_on(features.run(catalog::FEATURES, json)),
        Command::Approve(approve) => block_on(approve.run(json)),
        Command::Token(token) => block_on(token.run(json)),
        Command::Users(users) => block_on(users.run(json)),
        Command::Demo(demo) => block_on(demo.run(json)),
        Command::Import(import) => block_on(import.run(json)),
        Command::Audit(audit) => block_on(audit.run(json)),
        Command::Backup(backup) => block_on(backup.run(json)),
        Command::Restore(restore) => block_on(restore.run(json)),
        Command::Spawner => Err(Failed::Usage("__spawner takes no further arguments".into())),
        Command::Step { uses } => {
            let done =
                crate::engine::step_main(&uses).map_err(|e| Failed::outside("performing a step", e))?;
            Ok(if done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
    }
}

fn block_on<T>(work: impl Future<Output = Result<T, Failed>>) -> Result<T, Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|e| Failed::outside("starting", e))?;
    let done = runtime.block_on(work);
    // A blocking read that nobody waits for must not keep the program alive.
    runtime.shutdown_background();
    done
}

/// The real clock and entropy.
pub(crate) fn environment(mode: Mode) -> Environment {
    let clock = Arc::new(SystemClock::start());
    Environment { clock, entropy: Arc::new(SystemEntropy), mode, guard_events: false }
}
