//! `mainstay audit head`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::Record;
use crate::Exit;
use crate::Failed;
use crate::terminal::{note, say};

#[derive(Debug, Args)]
pub(in crate::cli) struct PrintHead {
    #[command(flatten)]
    record: Record,
    /// Write it to this file instead.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl PrintHead {
    pub(super) async fn run(self) -> Result<ExitCode, Failed> {
        let newest = self.record.open().await?.signed_heads(1).await?.pop();
        let Some(head) = newest else {
            note("no head was signed yet; the server signs one when it stops, and while it runs");
            return Ok(Exit::NotFound.into());
        };
        let text =
            serde_json::to_string(&head).map_err(|error| Failed::outside("writing the head", error))?;
        match self.out {
            None => say(text),
            Some(path) => {
                std::fs::write(&path, format!("{text}\n")).map_err(|error| Failed::file(&path, error))?;
                note(format!("the head of {} events is in {}", head.head.size, path.display()));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
