//! `mainstay monitors`: how far the watch of each endpoint has come, and what it found.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use crate::catalog::{Kind, List, Show};
use crate::client::{Client, part};
use crate::render;
use crate::terminal::say;
use crate::{Failed, Session};

#[derive(Debug, Subcommand)]
pub enum Monitors {
    /// The monitor of each endpoint, with its open alarms.
    List(List),
    /// One endpoint's: its retraining policies and its alarms, the newest first, with their evidence.
    Show(Show),
}

const MONITORS: Kind = Kind {
    path: "/api/v1/endpoints",
    columns: &[
        ("endpoint", "/endpoint"),
        ("watermark", "/watermark"),
        ("watched until", "/watch/folded_until"),
        ("policies", "/policies"),
        ("open alarms", "/open_alarms"),
    ],
    below: &[],
};

/// Most alarms of one endpoint that are shown.
const ALARMS: usize = 20;

impl Monitors {
    pub(crate) async fn run(self, session: Session<'_>) -> Result<ExitCode, Failed> {
        match self {
            Self::List(list) => {
                let (limit, client) = list.connect(session).await?;
                let found = all(&client, limit).await;
                client.close().await;
                let found = found?;
                if session.json {
                    say(json!({ "items": found }).to_string());
                } else {
                    render::table(&found, MONITORS.columns);
                }
            }
            Self::Show(show) => {
                let (name, client) = show.connect(session).await?;
                let found = one(&client, &name).await;
                client.close().await;
                let found = found?;
                if session.json {
                    say(found.to_string());
                } else {
                    render::document(&found);
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn all(client: &Client, limit: usize) -> Result<Vec<Value>, Failed> {
    let mut open = client.list("/api/v1/alarms?open=true", usize::MAX).await?;
    let endpoints = client.list(MONITORS.path, limit).await?;
    let summary = |endpoint: Value| {
        let name = &endpoint["name"];
        let alarms = open.extract_if(.., |alarm| alarm["endpoint"] == *name);
        let ids: Vec<Value> = alarms.map(|mut alarm| alarm["id"].take()).collect();
        json!({
            "endpoint": name,
            "watermark": endpoint["watermark"],
            "watch": endpoint["watch"],
            "policies": policies(&endpoint).iter().map(|policy| &policy["name"]).collect::<Vec<_>>(),
            "open_alarms": ids,
        })
    };
    Ok(endpoints.into_iter().map(summary).collect())
}

async fn one(client: &Client, name: &str) -> Result<Value, Failed> {
    let endpoint = client.get(&format!("{}/{}", MONITORS.path, part(name))).await?;
    let alarms = client.list(&format!("/api/v1/alarms?endpoint={}", part(name)), ALARMS).await?;
    Ok(json!({
        "endpoint": endpoint["name"],
        "watermark": endpoint["watermark"],
        "watch": endpoint["watch"],
        "policies": policies(&endpoint),
        "alarms": alarms,
    }))
}

fn policies(endpoint: &Value) -> &[Value] {
    endpoint.pointer("/definition/retraining").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
