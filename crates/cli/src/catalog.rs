//! `list` and `show` of what is registered.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::at::At;
use crate::client::{Client, part};
use crate::model_ref::ModelRef;
use crate::render::{self, Column};
use crate::terminal::say;
use crate::{Failed, Session};

/// What every kind of thing can do.
#[derive(Debug, Subcommand)]
pub enum Catalog {
    /// All of them.
    List(List),
    /// One, with everything that is known of it.
    Show(Show),
}

#[derive(Debug, Args)]
pub struct List {
    /// At most so many.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    #[command(flatten)]
    at: At,
}

#[derive(Debug, Args)]
pub struct Show {
    /// Its name; of a dataset also a version, as NAME/3.
    name: String,
    #[command(flatten)]
    at: At,
}

/// A kind of thing in the API.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    /// Where it is listed.
    pub(crate) path: &'static str,
    /// What a list shows.
    pub(crate) columns: &'static [Column],
    /// The listings below one of them that its page shows, by name.
    pub(crate) below: &'static [&'static str],
}

pub(crate) const DATASETS: Kind = Kind {
    path: "/api/v1/datasets",
    columns: &[("name", "/name"), ("time column", "/time_column"), ("description", "/description")],
    below: &["versions"],
};
pub(crate) const FEATURES: Kind = Kind {
    path: "/api/v1/feature-definitions",
    columns: &[
        ("project", "/project"),
        ("revision", "/revision"),
        ("applied", "/applied_at"),
        ("digest", "/digest"),
    ],
    below: &[],
};
pub(crate) const ENDPOINTS: Kind = Kind {
    path: "/api/v1/endpoints",
    columns: &[
        ("name", "/name"),
        ("model", "/definition/model"),
        ("revision", "/revision/number"),
        ("arms", "/arms"),
        ("rollout", "/rollout/phase"),
        ("watermark", "/watermark"),
    ],
    below: &["rollouts"],
};
pub(crate) const PIPELINES: Kind = Kind {
    path: "/api/v1/pipelines",
    columns: &[("name", "/name"), ("revision", "/revision"), ("updated", "/updated")],
    below: &[],
};

/// Most items of a listing below a thing that are shown.
const BELOW: usize = 20;

impl Catalog {
    pub(crate) async fn run(self, kind: Kind, session: Session<'_>) -> Result<ExitCode, Failed> {
        match self {
            Self::List(list) => list.run(kind, session).await,
            Self::Show(show) => show.run(kind, session).await,
        }
    }
}

impl List {
    /// At most how many, and who is asked.
    pub(crate) async fn connect(self, session: Session<'_>) -> Result<(usize, Client), Failed> {
        Ok((self.limit as usize, self.at.connect(session).await?))
    }

    pub(crate) async fn run(self, kind: Kind, session: Session<'_>) -> Result<ExitCode, Failed> {
        let client = self.at.connect(session).await?;
        let found = client.list(kind.path, self.limit as usize).await;
        client.close().await;
        let mut items = found?;
        if session.json {
            say(json!({ "items": items }).to_string());
        } else {
            items.iter_mut().for_each(name_arms);
            render::table(&items, kind.columns);
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Show {
    /// The name, and who is asked about it.
    pub(crate) async fn connect(self, session: Session<'_>) -> Result<(String, Client), Failed> {
        Ok((self.name, self.at.connect(session).await?))
    }

    pub(crate) async fn run(self, kind: Kind, session: Session<'_>) -> Result<ExitCode, Failed> {
        let client = self.at.connect(session).await?;
        let found = one(&client, kind, &self.name).await;
        client.close().await;
        let found = found?;
        if session.json {
            say(found.to_string());
        } else {
            render::document(&found);
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The thing of that name, or the version of it, with the listings below it.
async fn one(client: &Client, kind: Kind, name: &str) -> Result<Value, Failed> {
    if kind.below == ["versions"]
        && let ModelRef::Version(name, number) = ModelRef::parse(name)
    {
        return client.get(&format!("{}/{}/versions/{number}", kind.path, part(&name))).await;
    }
    let path = format!("{}/{}", kind.path, part(name));
    let mut found = client.get(&path).await?;
    for listing in kind.below {
        found[listing] = client.list(&format!("{path}/{listing}"), BELOW).await?.into();
    }
    Ok(found)
}

/// Writes the arms of an endpoint as `champion v3, canary v4 25%`.
fn name_arms(item: &mut Value) {
    let Some(Value::Array(arms)) = item.pointer("/revision/arms") else { return };
    let names = arms.iter().map(|arm| {
        let (role, version) = (render::cell(&arm["role"]), render::cell(&arm["version"]));
        match arm["weight"].as_f64() {
            Some(weight) => format!("{role} v{version} {}%", weight / 100.0),
            None => format!("{role} v{version}"),
        }
    });
    let text = names.collect::<Vec<_>>().join(", ");
    item["arms"] = json!(text);
}
