//! `mainstay retention`: rules by which things are purged as time goes on.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

use crate::at::At;
use crate::client::{Client, part};
use crate::experiments;
use crate::purge::show;
use crate::render::{self, Column};
use crate::terminal::say;
use crate::{Failed, Session};

/// Rules by which things are purged as time goes on.
#[derive(Debug, Subcommand)]
pub enum Retention {
    /// All rules.
    List(List),
    /// Keep a rule, in the place of one of its name.
    Add(Add),
    /// What a rule would take now; of one that is kept, or of one that is told here.
    Preview(Preview),
    /// Take a rule away. What it purged stays purged.
    Remove(Remove),
}

#[derive(Debug, Args)]
pub struct List {
    #[command(flatten)]
    at: At,
}

#[derive(Debug, Args)]
struct Terms {
    /// What goes: runs, `run_artifacts`, traces, `logged_models` or experiments.
    #[arg(long)]
    kind: Option<String>,
    /// Only of this experiment, by its name or id.
    #[arg(long, value_name = "NAME|ID")]
    experiment: Option<String>,
    /// So many days after their end.
    #[arg(long, value_name = "DAYS")]
    older_than: Option<u32>,
    /// So many days after they were deleted.
    #[arg(long, value_name = "DAYS")]
    deleted_for: Option<u32>,
    /// But not the newest so many of each experiment.
    #[arg(long, value_name = "N")]
    keep_last: Option<u64>,
    /// But not those with this tag: a key, or key=value. May be given several times.
    #[arg(long, value_name = "TAG")]
    keep_tagged: Vec<String>,
}

impl Terms {
    async fn body(&self, client: &Client) -> Result<Value, Failed> {
        let experiment = match &self.experiment {
            Some(name) => Some(experiments::id(client, name).await?),
            None => None,
        };
        Ok(json!({
            "kind": self.kind,
            "experiment": experiment,
            "older_than_days": self.older_than,
            "deleted_for_days": self.deleted_for,
            "keep_last": self.keep_last,
            "keep_tagged": self.keep_tagged,
        }))
    }
}

#[derive(Debug, Args)]
pub struct Add {
    /// Its name.
    name: String,
    #[command(flatten)]
    terms: Terms,
    #[command(flatten)]
    at: At,
}

#[derive(Debug, Args)]
pub struct Preview {
    /// A rule that is kept.
    #[arg(required_unless_present = "kind", conflicts_with = "kind")]
    name: Option<String>,
    #[command(flatten)]
    terms: Terms,
    #[command(flatten)]
    at: At,
}

#[derive(Debug, Args)]
pub struct Remove {
    /// Its name.
    name: String,
    #[command(flatten)]
    at: At,
}

const RULES: &str = "/api/v1/retention/rules";
const PREVIEW: &str = "/api/v1/retention/preview";
const COLUMNS: &[Column] = &[
    ("name", "/name"),
    ("kind", "/kind"),
    ("experiment", "/experiment"),
    ("older than", "/older_than_days"),
    ("deleted for", "/deleted_for_days"),
    ("keep last", "/keep_last"),
    ("keep tagged", "/keep_tagged"),
    ("applied", "/applied_at"),
];

impl Retention {
    pub(crate) async fn run(self, session: Session<'_>) -> Result<ExitCode, Failed> {
        let json = session.json;
        let at = match &self {
            Self::List(List { at }) => at,
            Self::Add(add) => &add.at,
            Self::Preview(preview) => &preview.at,
            Self::Remove(remove) => &remove.at,
        };
        let client = at.clone().connect(session).await?;
        let done = self.ask(&client, json).await;
        client.close().await;
        done.map(|()| ExitCode::SUCCESS)
    }

    async fn ask(&self, client: &Client, json: bool) -> Result<(), Failed> {
        match self {
            Self::List(_) => {
                let rules = client.list(RULES, usize::MAX).await?;
                if json {
                    say(json!({ "items": rules }).to_string());
                } else {
                    render::table(&rules, COLUMNS);
                }
            }
            Self::Add(add) => {
                if add.terms.kind.is_none() {
                    return Err(Failed::Usage("say what goes with --kind, such as --kind runs".to_owned()));
                }
                let path = format!("{RULES}/{}", part(&add.name));
                let rule = client.send(Method::PUT, &path, Some(&add.terms.body(client).await?)).await?;
                if json {
                    say(rule.to_string());
                } else {
                    render::document(&rule);
                }
            }
            Self::Preview(preview) => {
                let body = match &preview.name {
                    Some(name) => kept(client, name).await?,
                    None => preview.terms.body(client).await?,
                };
                show(&[client.post(PREVIEW, &body).await?], json);
            }
            Self::Remove(remove) => {
                client.send(Method::DELETE, &format!("{RULES}/{}", part(&remove.name)), None).await?;
                let name = &remove.name;
                say(if json { json!({ "name": name }).to_string() } else { format!("{name} is removed") });
            }
        }
        Ok(())
    }
}

/// What a rule that is kept says.
async fn kept(client: &Client, name: &str) -> Result<Value, Failed> {
    let rules = client.list(RULES, usize::MAX).await?;
    let mut rule = rules.into_iter().find(|rule| rule["name"] == name).ok_or_else(|| {
        Failed::Usage(format!(
            "there is no rule '{name}'; `mainstay retention list` shows those that there are"
        ))
    })?;
    if let Some(fields) = rule.as_object_mut() {
        for told in ["name", "author", "saved_at", "applied_at"] {
            fields.remove(told);
        }
    }
    Ok(rule)
}
