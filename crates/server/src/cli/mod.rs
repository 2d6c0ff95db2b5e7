//! The command line. How it ends is in [`crate::Exit`].

mod audit;
mod backup;
mod demo;
mod foreign;
mod import;
mod init;
mod listen;
mod misused;
mod restore;
mod run;
mod run_logs;
mod up;

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory as _, Parser, Subcommand};
use mainstay_cli::terminal::note;
use mainstay_cli::{DataArgs, Exit, Session, report};
use mainstay_governance::policy::Mode;

use crate::Failed;
use crate::here::Directories;
use mainstay_platform::Environment;
use mainstay_platform::clock::{SystemClock, SystemEntropy};
use mainstay_store::address::PostgresAddress;

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
    #[command(flatten)]
    Client(mainstay_cli::Command),
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
    /// Print a script by which a shell completes commands and options.
    Completion(mainstay_cli::Completion),
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

/// Runs the program.
pub fn main() -> ExitCode {
    // Before anything else: it must have one thread and little memory.
    if std::env::args_os().nth(1).is_some_and(|first| first == "__spawner") {
        return mainstay_runner::spawner_main();
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misused::end(error),
    };
    let json = cli.json;
    let filter = tracing_subscriber::EnvFilter::try_new(&cli.log).unwrap_or_default();
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    log.with_target(false).with_ansi(std::io::stderr().is_terminal()).init();
    match dispatch(cli) {
        Ok(code) => code,
        Err(failed) => {
            note(report(&failed, json));
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
        Command::Client(command) => block_on(command.run(Session { json, local: &Directories })),
        Command::Demo(demo) => block_on(demo.run(json)),
        Command::Import(import) => block_on(import.run(json)),
        Command::Audit(audit) => block_on(audit.run(json)),
        Command::Backup(backup) => block_on(backup.run(json)),
        Command::Restore(restore) => block_on(restore.run(json)),
        Command::Completion(completion) => Ok(completion.run(&Cli::command())),
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

/// A database that is named must answer, before anything is made.
pub(crate) async fn reachable(db: Option<&str>) -> Result<(), Failed> {
    match db {
        Some(url) => Ok(PostgresAddress::parse(url)?.reach().await?),
        None => Ok(()),
    }
}

/// The real clock and entropy.
pub(crate) fn environment(mode: Mode) -> Environment {
    let clock = Arc::new(SystemClock::start());
    Environment { clock, entropy: Arc::new(SystemEntropy), mode, guard_events: false }
}
