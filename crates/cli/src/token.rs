//! `mainstay token`: what programs show to a server.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use http::Method;
use serde_json::json;

use crate::at::At;
use crate::client::part;
use crate::render;
use crate::terminal::{note, say};
use crate::{Failed, Session};

#[derive(Debug, Subcommand)]
pub enum Token {
    /// Make one. Its text is printed once and kept nowhere.
    Create(Create),
    /// Those that were not revoked.
    List(List),
    /// End one at once.
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub struct Create {
    /// What it is for, such as 'ci'.
    #[arg(long)]
    label: String,
    /// What it may do.
    #[arg(long, value_parser = ["viewer", "developer", "approver", "admin"])]
    role: String,
    /// After how many days it ends; never, if left out.
    #[arg(long)]
    days: Option<u32>,
    #[command(flatten)]
    at: At,
}

#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    at: At,
}

#[derive(Debug, Args)]
pub struct Revoke {
    /// Its id, as in the list.
    id: String,
    #[command(flatten)]
    at: At,
}

const PATH: &str = "/api/v1/tokens";

impl Token {
    pub(crate) async fn run(self, session: Session<'_>) -> Result<ExitCode, Failed> {
        match self {
            Self::Create(create) => create.run(session).await?,
            Self::List(list) => list.run(session).await?,
            Self::Revoke(revoke) => revoke.run(session).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Create {
    async fn run(self, session: Session<'_>) -> Result<(), Failed> {
        let client = self.at.connect_or_make(session).await?;
        let body = json!({ "label": self.label, "role": self.role, "expires_in_days": self.days });
        let made = client.post(PATH, &body).await;
        client.close().await;
        let made = made?;
        if session.json {
            say(made.to_string());
        } else {
            note(format!("token {}; its text is shown this once:", render::cell(&made["id"])));
            say(made["token"].as_str().unwrap_or_default());
        }
        Ok(())
    }
}

impl List {
    async fn run(self, session: Session<'_>) -> Result<(), Failed> {
        let client = self.at.connect(session).await?;
        let found = client.list(PATH, usize::MAX).await;
        client.close().await;
        let found = found?;
        if session.json {
            say(json!({ "items": found }).to_string());
        } else {
            let columns = [
                ("id", "/id"),
                ("label", "/label"),
                ("roles", "/roles"),
                ("created", "/created"),
                ("expires", "/expires"),
            ];
            render::table(&found, &columns);
        }
        Ok(())
    }
}

impl Revoke {
    async fn run(self, session: Session<'_>) -> Result<(), Failed> {
        let client = self.at.connect(session).await?;
        let done = client.send(Method::DELETE, &format!("{PATH}/{}", part(&self.id)), None).await;
        client.close().await;
        done?;
        if session.json {
            say(json!({ "id": self.id, "revoked": true }).to_string());
        } else {
            say(format!("token {} is revoked", self.id));
        }
        Ok(())
    }
}
