//! `mainstay users`: who logs in with a name and a password.

mod grant;

use std::io::{BufRead as _, IsTerminal as _};
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
pub enum Users {
    /// Make one. The password is read from standard input, so that no list of processes shows it.
    Create(Create),
    /// All of them.
    List(List),
    /// Give one another password, read from standard input.
    Password(Named),
    /// Remove one, with all that it was granted.
    Delete(Named),
    /// Say what one may do with an experiment, a model or the workspace, or which role one has here.
    #[command(after_help = grant::EXAMPLES)]
    Grant(grant::Grant),
    /// Take back what was granted.
    Revoke(grant::Revoke),
}

#[derive(Debug, Args)]
pub struct Create {
    /// The name to log in with.
    name: String,
    /// Make it an admin of the server: of every workspace.
    #[arg(long)]
    admin: bool,
    #[command(flatten)]
    at: At,
}

#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    at: At,
}

#[derive(Debug, Args)]
pub struct Named {
    /// The user.
    name: String,
    #[command(flatten)]
    at: At,
}

const PATH: &str = "/api/v1/users";

impl Users {
    pub(crate) async fn run(self, session: Session<'_>) -> Result<ExitCode, Failed> {
        match self {
            Self::Create(create) => create.run(session).await?,
            Self::List(list) => list.run(session).await?,
            Self::Password(named) => named.set_password(session).await?,
            Self::Delete(named) => named.delete(session).await?,
            Self::Grant(grant) => grant.run(session).await?,
            Self::Revoke(revoke) => revoke.run(session).await?,
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
    async fn run(self, session: Session<'_>) -> Result<(), Failed> {
        let body = json!({ "name": self.name, "password": password()?, "admin": self.admin });
        let client = self.at.connect_or_make(session).await?;
        let made = client.post(PATH, &body).await;
        client.close().await;
        let made = made?;
        say(if session.json {
            made.to_string()
        } else {
            format!("{} can log in", render::cell(&made["name"]))
        });
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
            render::table(&found, &[("name", "/name"), ("admin", "/admin"), ("created", "/created")]);
        }
        Ok(())
    }
}

impl Named {
    async fn set_password(self, session: Session<'_>) -> Result<(), Failed> {
        let body = json!({ "password": password()? });
        let path = format!("{PATH}/{}/password", part(&self.name));
        self.done(Method::PUT, &path, Some(&body), (session, "has another password")).await
    }

    async fn delete(self, session: Session<'_>) -> Result<(), Failed> {
        let path = format!("{PATH}/{}", part(&self.name));
        self.done(Method::DELETE, &path, None, (session, "is removed")).await
    }

    async fn done(
        self,
        method: Method,
        path: &str,
        body: Option<&serde_json::Value>,
        (session, what): (Session<'_>, &str),
    ) -> Result<(), Failed> {
        let client = self.at.connect(session).await?;
        let done = client.send(method, path, body).await;
        client.close().await;
        done?;
        say(if session.json {
            json!({ "name": self.name }).to_string()
        } else {
            format!("{} {what}", self.name)
        });
        Ok(())
    }
}
