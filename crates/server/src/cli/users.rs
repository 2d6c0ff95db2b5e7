//! `mainstay users`: who logs in with a name and a password.

use std::io::{BufRead as _, IsTerminal as _};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use http::Method;
use serde_json::json;

use super::at::At;
use super::render;
use crate::Failed;
use crate::client::part;
use crate::terminal::{note, say};

#[derive(Debug, Subcommand)]
pub(super) enum Users {
    /// Make one. The password is read from standard input, so that no list of processes shows it.
    Create(Create),
    /// All of them.
    List(List),
    /// Give one another password, read from standard input.
    Password(Named),
    /// Remove one, with all that it was granted.
    Delete(Named),
}

#[derive(Debug, Args)]
pub(super) struct Create {
    /// The name to log in with.
    name: String,
    /// Make it an admin of the server: of every workspace.
    #[arg(long)]
    admin: bool,
    #[command(flatten)]
    at: At,
}

#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    at: At,
}

#[derive(Debug, Args)]
pub(super) struct Named {
    /// The user.
    name: String,
    #[command(flatten)]
    at: At,
}

const PATH: &str = "/api/v1/users";

impl Users {
    pub(super) async fn run(self, json: bool) -> Result<ExitCode, Failed> {
        match self {
            Self::Create(create) => create.run(json).await?,
            Self::List(list) => list.run(json).await?,
            Self::Password(named) => named.set_password(json).await?,
            Self::Delete(named) => named.delete(json).await?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// One line of standard input.
fn password() -> Result<String, Failed> {
    let input = std::io::stdin();
    if input.is_terminal() {
        note("type the password, which is shown, and press Enter; or send it through a pipe");
    }
    let mut line = String::new();
    input.lock().read_line(&mut line).map_err(|error| Failed::outside("reading the password", error))?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

impl Create {
    async fn run(self, json: bool) -> Result<(), Failed> {
        let body = json!({ "name": self.name, "password": password()?, "admin": self.admin });
        let client = self.at.connect().await?;
        let made = client.post(PATH, &body).await;
        client.close().await;
        let made = made?;
        say(if json { made.to_string() } else { format!("{} can log in", render::cell(&made["name"])) });
        Ok(())
    }
}

impl List {
    async fn run(self, json: bool) -> Result<(), Failed> {
        let client = self.at.connect().await?;
        let found = client.list(PATH, usize::MAX).await;
        client.close().await;
        let found = found?;
        if json {
            say(json!({ "items": found }).to_string());
        } else {
            render::table(&found, &[("name", "/name"), ("admin", "/admin"), ("created", "/created")]);
        }
        Ok(())
    }
}

impl Named {
    async fn set_password(self, json: bool) -> Result<(), Failed> {
        let body = json!({ "password": password()? });
        let path = format!("{PATH}/{}/password", part(&self.name));
        self.done(Method::PUT, &path, Some(&body), (json, "has another password")).await
    }

    async fn delete(self, json: bool) -> Result<(), Failed> {
        let path = format!("{PATH}/{}", part(&self.name));
        self.done(Method::DELETE, &path, None, (json, "is removed")).await
    }

    async fn done(
        self,
        method: Method,
        path: &str,
        body: Option<&serde_json::Value>,
        (json, what): (bool, &str),
    ) -> Result<(), Failed> {
        let client = self.at.connect().await?;
        let done = client.send(method, path, body).await;
        client.close().await;
        done?;
        say(if json { json!({ "name": self.name }).to_string() } else { format!("{} {what}", self.name) });
        Ok(())
    }
}
