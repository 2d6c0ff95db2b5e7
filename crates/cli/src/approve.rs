//! `mainstay approve`: a person's word on what waits for one.

use std::io::{BufRead as _, IsTerminal as _};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use mainstay_core::error::{Coded, ErrorCode};
use serde_json::{Value, json};
use thiserror::Error;

use crate::at::At;
use crate::client::{Client, part};
use crate::render::{self, Column};
use crate::terminal::{note, say};
use crate::{Failed, Session};

/// Shows what is to be approved, the digest of it and what led to it, and sends your decision with that
/// digest: it counts for those bytes and no others.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Approve {
    #[command(subcommand)]
    waiting: Option<Waiting>,
    /// The request, as in the list.
    #[arg(required = true)]
    id: Option<String>,
    /// Refuse instead.
    #[arg(long)]
    reject: bool,
    /// Why; it goes on the record.
    #[arg(long)]
    reason: Option<String>,
    /// The digest that you have looked at; refused if the request is about another one.
    #[arg(long)]
    digest: Option<String>,
    /// Do not ask back.
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    at: At,
}

#[derive(Debug, Subcommand)]
enum Waiting {
    /// What waits for a decision.
    List {
        #[command(flatten)]
        at: At,
    },
}

/// Why nothing was decided.
#[derive(Debug, Error)]
enum Undecided {
    #[error("nothing with the id {0} waits for a decision; `mainstay approve list` shows what does")]
    NotFound(String),
    #[error("the request is about {asked}, and you looked at {seen}; nothing was decided")]
    OtherDigest { asked: String, seen: String },
    #[error("nothing was decided")]
    Declined,
}

impl Coded for Undecided {
    fn code(&self) -> ErrorCode {
        match self {
            Self::NotFound(_) => ErrorCode::NotFound,
            Self::OtherDigest { .. } => ErrorCode::GateNotPassed,
            Self::Declined => ErrorCode::WrongState,
        }
    }
}

const PATH: &str = "/api/v1/approvals";
const COLUMNS: &[Column] = &[
    ("id", "/id"),
    ("run", "/run"),
    ("step", "/step"),
    ("digest", "/digest"),
    ("by", "/by"),
    ("expires", "/expires"),
];

impl Approve {
    pub(crate) async fn run(self, session: Session<'_>) -> Result<ExitCode, Failed> {
        let at = match &self.waiting {
            Some(Waiting::List { at }) => at.clone(),
            None => self.at.clone(),
        };
        let client = at.connect(session).await?;
        let done = match &self.id {
            Some(id) => self.decide(&client, id, session).await,
            None => list(&client, session).await,
        };
        client.close().await;
        done.map(|()| ExitCode::SUCCESS)
    }

    async fn decide(&self, client: &Client, id: &str, session: Session<'_>) -> Result<(), Failed> {
        let pending = client.list(PATH, usize::MAX).await?;
        let request = pending.iter().find(|request| request["id"] == id);
        let request = request.ok_or_else(|| Undecided::NotFound(id.to_owned()))?;
        show(client, request).await?;
        let digest = request["digest"].as_str().unwrap_or_default();
        if let Some(seen) = self.digest.as_ref().filter(|seen| *seen != digest) {
            return Err(Undecided::OtherDigest { asked: digest.to_owned(), seen: seen.clone() }.into());
        }
        self.confirm()?;
        let body = json!({ "decision": self.word(), "digest": digest, "reason": self.reason });
        let done = client.post(&format!("{PATH}/{}", part(id)), &body).await?;
        say(if session.json { done.to_string() } else { render::cell(&done["state"]) });
        Ok(())
    }

    const fn word(&self) -> &'static str {
        if self.reject { "reject" } else { "approve" }
    }

    /// Asks back on a terminal; a script has said what it looked at, or that it need not be asked.
    fn confirm(&self) -> Result<(), Failed> {
        if self.yes || self.digest.is_some() {
            return Ok(());
        }
        if !std::io::stdin().is_terminal() {
            let message = "without a terminal, say which digest is decided on with --digest, or say --yes";
            return Err(Failed::Usage(message.to_owned()));
        }
        note(format!("{}? [y/N]", self.word()));
        let mut answer = String::new();
        let read = std::io::stdin().lock().read_line(&mut answer);
        read.map_err(|error| Failed::outside("reading your answer", error))?;
        if matches!(answer.trim(), "y" | "Y" | "yes") { Ok(()) } else { Err(Undecided::Declined.into()) }
    }
}

async fn list(client: &Client, session: Session<'_>) -> Result<(), Failed> {
    let pending = client.list(PATH, usize::MAX).await?;
    if session.json {
        say(json!({ "items": pending }).to_string());
    } else {
        render::table(&pending, COLUMNS);
    }
    Ok(())
}

/// What is decided on, and the results of the steps that it comes after, on standard error: standard output
/// is the decision's.
async fn show(client: &Client, request: &Value) -> Result<(), Failed> {
    let text = |key: &str| render::cell(&request[key]);
    let run = client.get(&format!("/api/v1/pipeline-runs/{}", part(&text("run")))).await?;
    note(format!(
        "{} of {} (run {}, started by {})",
        text("step"),
        render::cell(&run["pipeline"]),
        text("run"),
        text("author")
    ));
    note(format!("digest   {}", text("digest")));
    note(format!("expires  {}", text("expires")));
    let steps = run["steps"].as_array().map_or(&[][..], Vec::as_slice);
    let accepted = steps.iter().filter(|step| !step["output"].is_null());
    for step in accepted {
        note(format!("  {}  {}", render::cell(&step["name"]), render::cell(&step["output"]["value"])));
    }
    Ok(())
}
