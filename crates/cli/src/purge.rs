//! `mainstay purge`: what is deleted for good.

mod named;

use std::io::{BufRead as _, IsTerminal as _};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use crate::at::At;
use crate::client::{Client, part};
use crate::experiments;
use crate::render::{self, Column};
use crate::terminal::{note, say};
use crate::{Failed, Session};

use self::named::Named;

/// Deletes things for good, with their artifacts. What a version of a registered model or another run still needs is
/// left.
#[derive(Debug, Args)]
pub struct Purge {
    /// What: run:ID, experiment:ID, `logged_model:ID`, trace:ID, or `run_artifacts:ID` for the artifacts of a run alone.
    /// Runs and experiments can be meant by their names.
    #[arg(value_name = "KIND:ID", required_unless_present_any = ["deleted", "list"], conflicts_with = "deleted")]
    targets: Vec<String>,
    /// All that is deleted and could be restored: runs, logged models and experiments.
    #[arg(long)]
    deleted: bool,
    /// Of that, only this kind: runs, `logged_models` or experiments. May be given several times.
    #[arg(long, requires = "deleted")]
    kind: Vec<String>,
    /// Of that, only what lies in this experiment, by its name or id.
    #[arg(long, requires = "deleted", value_name = "NAME|ID")]
    experiment: Option<String>,
    /// Of that, only what was deleted so many days ago.
    #[arg(long, requires = "deleted", default_value_t = 0, value_name = "DAYS")]
    older_than: u32,
    /// Why: it stands in the record.
    #[arg(long, default_value = "")]
    reason: String,
    #[command(flatten)]
    how: How,
    /// With --yes, take also what is named and not deleted yet.
    #[arg(long, requires = "yes")]
    not_deleted: bool,
    /// Show what was purged, and how far it is.
    #[arg(long, conflicts_with_all = ["targets", "deleted"])]
    list: bool,
    #[command(flatten)]
    at: At,
}

/// How it is gone about.
#[derive(Debug, Args)]
struct How {
    /// Show what would go, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask back.
    #[arg(long)]
    yes: bool,
    /// Do not wait until the last of it is removed.
    #[arg(long)]
    no_wait: bool,
}

const PATH: &str = "/api/v1/purges";
const COLUMNS: &[Column] = &[
    ("purge", "/id"),
    ("started", "/started_at"),
    ("state", "/state"),
    ("takes", "/takes"),
    ("bytes", "/done/bytes"),
    ("left", "/left"),
    ("rule", "/rule"),
    ("by", "/actor"),
];
const SAMPLE: &[Column] = &[
    ("kind", "/kind"),
    ("id", "/id"),
    ("experiment", "/experiment"),
    ("files", "/objects"),
    ("bytes", "/bytes"),
];
/// In this order: what lies in an experiment before it.
const KINDS: [&str; 3] = ["runs", "logged_models", "experiments"];
/// Most things that are named which are not deleted.
const NAMED: usize = 20;
/// Most purges that are shown.
const SHOWN: usize = 100;
/// How often a server is asked how far it is.
const POLL: Duration = Duration::from_millis(250);

impl Purge {
    pub(crate) async fn run(self, session: Session<'_>) -> Result<ExitCode, Failed> {
        let json = session.json;
        let client = self.at.clone().connect(session).await?;
        let done = if self.list { list(&client, json).await } else { self.act(&client, json).await };
        client.close().await;
        done.map(|()| ExitCode::SUCCESS)
    }

    async fn act(&self, client: &Client, json: bool) -> Result<(), Failed> {
        let (wishes, alive) = self.wishes(client).await?;
        if self.how.dry_run || !self.how.yes {
            let mut looked = look(client, &wishes).await?;
            if self.how.dry_run {
                if let Some(named) = looked.first_mut().filter(|_| !alive.is_empty()) {
                    named["not_deleted"] = json!(alive);
                }
                show(&looked, json);
                alive.iter().take(NAMED).for_each(|one| note(format!("not deleted yet: {one}")));
                return Ok(());
            }
            note(summary(&looked));
            alive.iter().take(NAMED).for_each(|one| note(format!("not deleted yet: {one}")));
            confirm()?;
        } else if let Some(one) = alive.first().filter(|_| !self.not_deleted) {
            let more = if alive.len() > 1 { format!(" and {} more", alive.len() - 1) } else { String::new() };
            let is = if alive.len() > 1 { "are" } else { "is" };
            return Err(Failed::Usage(format!(
                "{one}{more} {is} not deleted yet, and nothing brings back what is purged: delete first what is to go, \
                 look with --dry-run, or say --not-deleted"
            )));
        }
        let mut purges = Vec::new();
        for wish in &wishes {
            loop {
                let started = client.post(PATH, wish).await?;
                let Some(id) = started.pointer("/purge/id").and_then(Value::as_str) else { break };
                purges.push(if self.how.no_wait {
                    started["purge"].clone()
                } else {
                    finished(client, id).await?
                });
                // What is left was found, and is begun with another one.
                if started["has_more"] != Value::Bool(true) {
                    break;
                }
            }
        }
        if json {
            say(json!({ "purges": purges }).to_string());
        } else if purges.is_empty() {
            say("nothing to purge");
        } else {
            render::table(&purges, COLUMNS);
        }
        Ok(())
    }

    /// The bodies of the requests, one for each kind of what is deleted; and what is named and not deleted yet.
    async fn wishes(&self, client: &Client) -> Result<(Vec<Value>, Vec<String>), Failed> {
        let reason = &self.reason;
        if self.deleted {
            let unknown = self.kind.iter().find(|kind| !KINDS.contains(&kind.as_str()));
            if let Some(kind) = unknown {
                return Err(Failed::Usage(format!("--kind is one of {}, not '{kind}'", KINDS.join(", "))));
            }
            let wanted =
                KINDS.into_iter().filter(|kind| self.kind.is_empty() || self.kind.iter().any(|k| k == kind));
            let experiment = match &self.experiment {
                Some(name) => Some(experiments::id(client, name).await?),
                None => None,
            };
            let deleted =
                |kind| json!({ "kind": kind, "experiment": experiment, "for_days": self.older_than });
            let wishes = wanted.map(|kind| json!({ "deleted": deleted(kind), "reason": reason }));
            return Ok((wishes.collect(), Vec::new()));
        }
        let (mut targets, mut alive) = (Vec::new(), Vec::new());
        for text in &self.targets {
            let named = Named::find(client, text).await?;
            alive.extend(named.alive);
            targets.push(json!({ "kind": named.kind, "id": named.id }));
        }
        Ok((vec![json!({ "targets": targets, "reason": reason })], alive))
    }
}

async fn list(client: &Client, json: bool) -> Result<(), Failed> {
    let purges = client.list(PATH, SHOWN).await?;
    if json {
        say(json!({ "items": purges }).to_string());
    } else {
        render::table(&purges, COLUMNS);
    }
    Ok(())
}

/// What would go, wish by wish.
async fn look(client: &Client, wishes: &[Value]) -> Result<Vec<Value>, Failed> {
    let mut looked = Vec::new();
    for wish in wishes {
        let mut dry = wish.clone();
        dry["dry_run"] = Value::Bool(true);
        looked.push(client.post(PATH, &dry).await?);
    }
    Ok(looked)
}

/// Sums up `takes` of several answers, in words.
pub(crate) fn summary(looked: &[Value]) -> String {
    let of = [
        ("experiments", "experiment", "experiments"),
        ("runs", "run", "runs"),
        ("logged_models", "logged model", "logged models"),
        ("traces", "trace", "traces"),
        ("run_artifacts", "run's artifacts", "runs' artifacts"),
    ];
    let sum = |key: &str| looked.iter().filter_map(|one| one["takes"][key].as_u64()).sum::<u64>();
    let some = of.into_iter().map(|(key, one, many)| (sum(key), one, many)).filter(|(count, ..)| *count > 0);
    let told: Vec<String> =
        some.map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many })).collect();
    let held: u64 = looked.iter().filter_map(|one| one["held_count"].as_u64()).sum();
    let more = looked.iter().any(|one| one["has_more"] == Value::Bool(true));
    let mut text = if told.is_empty() {
        "nothing would go".to_owned()
    } else {
        format!("would go: {}", told.join(", "))
    };
    if more {
        text.push_str(", and more");
    }
    if held > 0 {
        text = format!("{text}; {held} stay, since something needs them");
    }
    text
}

/// What would go, with some of it, and what is in the way.
pub(crate) fn show(looked: &[Value], json: bool) {
    if json {
        say(json!({ "items": looked }).to_string());
        return;
    }
    let sample: Vec<Value> =
        looked.iter().filter_map(|one| one["sample"].as_array()).flatten().cloned().collect();
    if !sample.is_empty() {
        render::table(&sample, SAMPLE);
    }
    for one in looked {
        for held in one["held"].as_array().into_iter().flatten() {
            let by = held["by"].as_array().into_iter().flatten();
            let by: Vec<String> = by
                .map(|hold| format!("{} {}", render::cell(&hold["kind"]), render::cell(&hold["id"])))
                .collect();
            say(format!(
                "held\t{} {}\tby {}",
                render::cell(&held["kind"]),
                render::cell(&held["id"]),
                by.join(", ")
            ));
        }
    }
    say(summary(looked));
}

/// Asks back on a terminal; a script says that it need not be asked.
fn confirm() -> Result<(), Failed> {
    if !std::io::stdin().is_terminal() {
        return Err(Failed::Usage(
            "nobody can be asked here: say --yes, or --dry-run to look first".to_owned(),
        ));
    }
    note("it cannot be restored. Purge it? [y/N]");
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    read.map_err(|error| Failed::outside("reading your answer", error))?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        Ok(())
    } else {
        Err(Failed::Usage("nothing was purged".to_owned()))
    }
}

/// The purge when the last of it is gone.
async fn finished(client: &Client, id: &str) -> Result<Value, Failed> {
    client.sweep().await?;
    loop {
        let purge = client.get(&format!("{PATH}/{}", part(id))).await?;
        if purge["state"] == "finished" {
            return Ok(purge);
        }
        tokio::time::sleep(POLL).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_go_is_summed_up() {
        let runs = json!({"takes": {"runs": 2, "traces": 0}, "held_count": 1, "has_more": false});
        let models = json!({"takes": {"logged_models": 3}, "held_count": 0, "has_more": true});
        assert_eq!(
            summary(&[runs, models]),
            "would go: 2 runs, 3 logged models, and more; 1 stay, since something needs them"
        );
        assert_eq!(summary(&[]), "nothing would go");
    }
}
