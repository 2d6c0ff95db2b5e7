//! `mainstay users grant` and `revoke`: what people may do.

use clap::Args;
use http::Method;
use mainstay_core::error::ErrorCode;
use serde_json::{Value, json};

use crate::at::At;
use crate::client::{Client, part};
use crate::experiments::{self, MLFLOW};
use crate::render::cell;
use crate::terminal::say;
use crate::{Failed, Session};

pub(super) const EXAMPLES: &str = "\
Examples:
  mainstay users grant ann READ --model deliveries
  mainstay users grant ann EDIT --experiment flights
  mainstay users grant ann --role viewer
  mainstay users revoke ann --model deliveries";

#[derive(Debug, Args)]
pub struct Grant {
    /// The user.
    name: String,
    /// The level.
    #[arg(value_parser = ["READ", "USE", "EDIT", "MANAGE", "DENY"], ignore_case = true)]
    #[arg(required_unless_present = "role", conflicts_with = "role")]
    level: Option<String>,
    #[command(flatten)]
    on: On,
    #[command(flatten)]
    at: At,
}

#[derive(Debug, Args)]
pub struct Revoke {
    /// The user.
    name: String,
    #[command(flatten)]
    on: On,
    #[command(flatten)]
    at: At,
}

/// On what, or as what.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct On {
    /// On this experiment, by its name or id.
    #[arg(long, value_name = "NAME|ID")]
    experiment: Option<String>,
    /// On this registered model or prompt.
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// On everything in the workspace.
    #[arg(long)]
    everything: bool,
    /// A role in the workspace, with which its data, pipelines, endpoints and audit are seen too.
    #[arg(long, value_parser = ["viewer", "developer", "approver", "admin"])]
    role: Option<String>,
}

/// What a level is on: the kind and the id that MLflow's API calls it by, and what a person does.
struct Thing {
    kind: &'static str,
    id: String,
    name: String,
}

impl On {
    async fn thing(&self, client: &Client) -> Result<Thing, Failed> {
        if let Some(text) = &self.experiment {
            let found = experiments::resolve(client, text).await?;
            let name = format!("experiment {}", cell(&found["name"]));
            return Ok(Thing { kind: "experiment", id: cell(&found["experiment_id"]), name });
        }
        Ok(match &self.model {
            Some(model) => {
                // A level on what is not there would be a surprise for whoever makes it.
                client.get(&format!("{MLFLOW}/registered-models/get?name={}", part(model))).await?;
                Thing { kind: "registered_model", id: model.clone(), name: format!("model {model}") }
            }
            None => Thing {
                kind: "workspace",
                id: "*".to_owned(),
                name: "everything in the workspace".to_owned(),
            },
        })
    }
}

const PERMISSIONS: &str = "/api/3.0/mlflow/users/permissions";
const ROLES: &str = "/api/v1/grants";

impl Grant {
    pub(super) async fn run(self, session: Session<'_>) -> Result<(), Failed> {
        let Self { name, level, on, at } = self;
        let client = at.connect(session).await?;
        let done = grant(&client, &name, level.as_deref(), &on).await;
        client.close().await;
        tell(session, done?);
        Ok(())
    }
}

/// What was done: for programs, and for people.
type Done = (Value, String);

fn tell(session: Session<'_>, (document, sentence): Done) {
    say(if session.json { document.to_string() } else { sentence });
}

async fn grant(client: &Client, user: &str, level: Option<&str>, on: &On) -> Result<Done, Failed> {
    if let Some(role) = &on.role {
        let body = json!({ "actor": format!("user:{user}"), "role": role });
        client.post(ROLES, &body).await?;
        return Ok((json!({ "name": user, "role": role }), format!("{user} is {role} here")));
    }
    let (thing, level) = (on.thing(client).await?, level.unwrap_or_default().to_uppercase());
    let body = json!({
        "username": user, "resource_type": thing.kind, "resource_id": thing.id, "permission": level,
    });
    match client.post(&format!("{PERMISSIONS}/grant"), &body).await {
        // There is another level, which this one takes the place of.
        Err(failed) if failed.code() == Some(ErrorCode::AlreadyExists) => {
            replace(client, user, &level, &thing, &body).await?;
        }
        granted => drop(granted?),
    }
    let document =
        json!({ "name": user, "resource_type": thing.kind, "resource_id": thing.id, "permission": level });
    Ok((document, format!("{user} has {level} on {}", thing.name)))
}

/// Changes a level. That of a single thing changes at once, that of the workspace is taken back before.
async fn replace(
    client: &Client,
    user: &str,
    level: &str,
    thing: &Thing,
    grant: &Value,
) -> Result<(), Failed> {
    let (path, field) = match thing.kind {
        "experiment" => ("experiments", "experiment_id"),
        "registered_model" => ("registered-models", "name"),
        _ => {
            client.post(&format!("{PERMISSIONS}/revoke"), grant).await?;
            return client.post(&format!("{PERMISSIONS}/grant"), grant).await.map(drop);
        }
    };
    // What this API calls no permissions is a denial.
    let level = if level == "DENY" { "NO_PERMISSIONS" } else { level };
    let body = json!({ "username": user, field: thing.id, "permission": level });
    client.send(Method::PATCH, &format!("{MLFLOW}/{path}/permissions/update"), Some(&body)).await.map(drop)
}

impl Revoke {
    pub(super) async fn run(self, session: Session<'_>) -> Result<(), Failed> {
        let Self { name, on, at } = self;
        let client = at.connect(session).await?;
        let done = revoke(&client, &name, &on).await;
        client.close().await;
        tell(session, done?);
        Ok(())
    }
}

async fn revoke(client: &Client, user: &str, on: &On) -> Result<Done, Failed> {
    if let Some(role) = &on.role {
        let path = format!("{ROLES}/{}/{role}", part(&format!("user:{user}")));
        client.send(Method::DELETE, &path, None).await?;
        return Ok((json!({ "name": user, "role": role }), format!("{user} is no {role} here any more")));
    }
    let thing = on.thing(client).await?;
    let body = json!({ "username": user, "resource_type": thing.kind, "resource_id": thing.id });
    client.post(&format!("{PERMISSIONS}/revoke"), &body).await?;
    let document = json!({ "name": user, "resource_type": thing.kind, "resource_id": thing.id });
    Ok((document, format!("{user} has no level of its own on {} any more", thing.name)))
}
