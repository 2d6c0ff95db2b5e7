//! `mainstay audit rebuild`.

use std::process::ExitCode;

use clap::Args;
use mainstay_core::command::Commands;
use mainstay_core::scope::default_workspace;
use mainstay_directory::record_check::{check_log, stored_head};
use mainstay_governance::command::RebuildProjections;
use mainstay_governance::policy::Mode;
use mainstay_governance::port::ProjectionTx;
use serde_json::{Value, json};

use super::Record;
use crate::Failed;
use crate::cli::environment;
use crate::terminal::{note, say};
use mainstay_platform::Platform;
use mainstay_platform::authority::local_user;

#[derive(Debug, Args)]
pub(in crate::cli) struct Rebuild {
    #[command(flatten)]
    record: Record,
}

impl Rebuild {
    pub(super) async fn run(self, json: bool) -> Result<ExitCode, Failed> {
        let reader = self.record.open().await?;
        // Tables are not built from a log that was changed.
        let report = check_log(&reader, stored_head(&reader).await?).await?;
        if !report.is_good() {
            report.faults.iter().for_each(|fault| note(fault.to_string()));
            note("the log is not what it was, so nothing is built from it");
            return Ok(ExitCode::FAILURE);
        }
        let directory = &self.record.directory;
        let platform = Platform::open(directory, self.record.db.as_deref(), environment(Mode::Local)).await?;
        let writer = std::sync::Arc::new(platform.database.writer.clone());
        let commands: Commands<dyn ProjectionTx> = Commands::new(writer, platform.authority.clone());
        let rebuild = RebuildProjections { workspace: default_workspace() };
        let done = commands.run(&local_user(), rebuild).await;
        platform.close().await;
        let before = done?;
        if json {
            let rows: serde_json::Map<String, Value> =
                before.rows.iter().map(|(table, rows)| ((*table).to_owned(), json!(rows))).collect();
            let differences: Vec<_> = before.differences.iter().map(ToString::to_string).collect();
            let count = before.difference_count;
            say(json!({"rows": rows, "difference_count": count, "differences": differences}).to_string());
        } else {
            before.rows.iter().for_each(|(table, rows)| say(format!("{table}: {rows} rows")));
            before.differences.iter().for_each(|difference| note(format!("was different: {difference}")));
            say(format!(
                "rebuilt from {} events; {} differences before",
                report.events, before.difference_count
            ));
        }
        Ok(ExitCode::SUCCESS)
    }
}
