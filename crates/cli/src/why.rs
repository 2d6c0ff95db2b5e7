//! `mainstay why`: how a version came to be and to answer, in one page.

use std::process::ExitCode;

use clap::Args;
use mainstay_core::error::ErrorCode;
use mainstay_core::time::DataTime;
use serde_json::Value;

use crate::at::At;
use crate::client::part;
use crate::model_ref::ModelRef;
use crate::models::missing;
use crate::render::cell;
use crate::terminal::say;
use crate::{Failed, Session};

#[derive(Debug, Args)]
pub struct Why {
    /// The version: MODEL@champion, or MODEL/3.
    #[arg(value_name = "MODEL@ALIAS|MODEL/VERSION")]
    model: String,
    #[command(flatten)]
    at: At,
}

impl Why {
    pub(crate) async fn run(self, session: Session<'_>) -> Result<ExitCode, Failed> {
        let wanted = ModelRef::parse(&self.model);
        if let ModelRef::Model(name) = &wanted {
            return Err(Failed::Usage(format!("say which version of {name}: {name}@champion, or {name}/1")));
        }
        let client = self.at.connect(session).await?;
        let found = async {
            let number = wanted.number(&client).await?.unwrap_or_default();
            client.get(&format!("/api/v1/models/{}/versions/{number}/why", part(wanted.name()))).await
        };
        let found = match found.await {
            Err(failed) if failed.code() == Some(ErrorCode::NotFound) => {
                missing(&client, &wanted, failed).await
            }
            found => found,
        };
        client.close().await;
        let found = found?;
        if session.json {
            say(found.to_string());
        } else {
            page(&found).iter().for_each(say);
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The page, line by line.
fn page(why: &Value) -> Vec<String> {
    let mut lines = vec![
        format!("{} version {}", at(why, "/model"), at(why, "/version")),
        format!("  artifact    {}", at(why, "/digest")),
        format!("  aliases     {}", at(why, "/aliases")),
        format!("  registered  {} by {}", at(why, "/registered"), at(why, "/creator")),
    ];
    origin(&why["origin"], &why["tracking_run"], &mut lines);
    data(why, &mut lines);
    gates(&why["gates"], &mut lines);
    approvals(items(why, "/origin/approvals"), &mut lines);
    release(why, &mut lines);
    lines
}

fn origin(origin: &Value, tracking: &Value, lines: &mut Vec<String>) {
    heading("Where it comes from", lines);
    if tracking.is_string() {
        lines.push(format!("  tracking run {}", cell(tracking)));
    }
    if origin.is_null() {
        lines.push("  registered by a client; no pipeline run made it".to_owned());
        return;
    }
    let started =
        if origin["started"].is_null() { String::new() } else { format!(", {}", at(origin, "/started")) };
    lines.push(format!(
        "  pipeline {} run {} ({}){started}",
        at(origin, "/pipeline"),
        at(origin, "/run"),
        at(origin, "/state")
    ));
    lines.push(format!(
        "  started by {} ({}): {}",
        at(origin, "/author"),
        at(origin, "/cause"),
        because(&origin["evidence"])
    ));
    let training = &origin["training"];
    if training.is_null() {
        return;
    }
    let output = |key: &str| at(training, &format!("/output/{key}"));
    let with = |key: &str| at(training, &format!("/with/{key}"));
    lines.push(format!(
        "  trained on {} rows by step {}: {}",
        output("rows"),
        at(training, "/step"),
        output("candidate")
    ));
    lines.push(format!("  validation  {}", output("validation")));
    lines.push(format!("  baseline    {}", output("baseline")));
    let stretch =
        ["from", "until", "days", "days_before"].into_iter().filter(|key| !training["with"][key].is_null());
    let stretch = stretch.map(|key| format!("{key} {}", with(key))).collect::<Vec<_>>().join(", ");
    lines.push(format!("  stretch     {stretch}"));
    if !training["output"]["features"].is_null() {
        lines.push(format!(
            "  features    service {} of {} revision {} ({})",
            output("features/service"),
            output("features/project"),
            output("features/revision"),
            output("features/digest")
        ));
    }
}

/// What started it, in words where it was an alarm.
fn because(evidence: &Value) -> String {
    if !evidence["alarm"].is_string() {
        return cell(evidence);
    }
    let signals = items(evidence, "/cause/signals").iter();
    let mut names: Vec<String> = signals.map(|signal| at(signal, "/series/name")).collect();
    names.dedup();
    let about = if names.is_empty() { String::new() } else { format!(": {}", names.join(", ")) };
    format!(
        "by policy '{}' of endpoint {}, because of alarm {} about {}{about}",
        at(evidence, "/policy"),
        at(evidence, "/endpoint"),
        at(evidence, "/alarm"),
        at(evidence, "/family"),
    )
}

fn data(why: &Value, lines: &mut Vec<String>) {
    heading("Data", lines);
    for table in items(why, "/data") {
        let checks = items(table, "/validations").iter().map(|check| {
            format!("{} {}", at(check, "/suite"), if check["success"] == true { "met" } else { "not met" })
        });
        let checks = checks.collect::<Vec<_>>().join(", ");
        lines.push(format!(
            "  {} version {}: {} rows from {}, {}{}",
            at(table, "/dataset"),
            at(table, "/version"),
            at(table, "/rows"),
            at(table, "/source"),
            at(table, "/digest"),
            if checks.is_empty() { String::new() } else { format!("; expectations: {checks}") }
        ));
    }
    none_if_empty(items(why, "/data"), lines);
}

fn gates(report: &Value, lines: &mut Vec<String>) {
    heading("Gates", lines);
    if report.is_null() {
        lines.push("  no gate has judged this artifact".to_owned());
        return;
    }
    lines.push(format!("  evaluated {}", at(report, "/evaluated")));
    for gate in items(report, "/gates") {
        lines.push(format!("  {:12} {}: {}", at(gate, "/verdict"), at(gate, "/name"), at(gate, "/sentence")));
    }
}

fn approvals(approvals: &[Value], lines: &mut Vec<String>) {
    heading("Approvals", lines);
    for approval in approvals {
        let said = approval["comment"]
            .as_str()
            .map_or_else(String::new, |_| format!(": {}", at(approval, "/comment")));
        lines.push(format!(
            "  {} {} by {} at {}{said}",
            at(approval, "/step"),
            at(approval, "/state"),
            at(approval, "/by"),
            at(approval, "/at")
        ));
    }
    none_if_empty(approvals, lines);
}

fn release(why: &Value, lines: &mut Vec<String>) {
    heading("Release", lines);
    let (rollouts, moves) = (items(why, "/release/rollouts"), items(why, "/release/moves"));
    let rollbacks = items(why, "/release/rollbacks");
    for rollout in rollouts {
        lines.push(format!(
            "  rollout {} on {} against version {}: {}",
            at(rollout, "/id"),
            at(rollout, "/endpoint"),
            at(rollout, "/champion"),
            at(rollout, "/phase")
        ));
        if rollout["reason"].is_string() {
            lines.push(format!("    {} because: {}", at(rollout, "/phase"), at(rollout, "/reason")));
        }
        for phase in items(rollout, "/history") {
            lines.push(format!(
                "    {}  {}  by {}",
                at(phase, "/at"),
                at(phase, "/kind"),
                at(phase, "/actor")
            ));
            evidence(&phase["detail"], lines);
        }
    }
    let mut changes: Vec<&Value> = moves.iter().chain(rollbacks).collect();
    // A rollback stands right before the move of the alias that came with it.
    changes.sort_by_key(|change| change["seq"].as_u64());
    lines.extend(changes.into_iter().map(changed));
    if rollouts.is_empty() && moves.is_empty() && rollbacks.is_empty() {
        lines.push("  none".to_owned());
    }
}

/// A move of an alias, or a rollback by hand, which has a reason.
fn changed(change: &Value) -> String {
    let said = |key: &str| cell(&change[key]);
    let (at, from, to, actor) = (said("at"), said("from"), said("to"), said("actor"));
    if change["alias"].is_null() {
        let (endpoint, reason) = (said("endpoint"), said("reason"));
        return format!(
            "  {at}  endpoint {endpoint} rolled back by hand from {from} to {to} by {actor}: {reason}"
        );
    }
    let through =
        change["endpoint"].as_str().map_or_else(String::new, |name| format!(" with endpoint {name}"));
    format!("  {at}  alias {} moved from {from} to {to} by {actor}{through}", said("alias"))
}

/// What led to a phase: a verdict, the numbers of the guards and of quality, or a person's reason.
fn evidence(detail: &Value, lines: &mut Vec<String>) {
    for key in ["verdict", "reason"] {
        if !detail[key].is_null() {
            lines.push(format!("      {key}: {}", at(detail, &format!("/{key}"))));
        }
    }
    let evidence = &detail["evidence"];
    if evidence.is_null() {
        return;
    }
    let until = evidence["watermark"].as_i64().map(|micros| DataTime::from_micros(micros).to_string());
    lines.push(format!("      {} pairs until {}", at(evidence, "/pairs"), until.unwrap_or_default()));
    for guard in items(evidence, "/guards") {
        let figures = (at(guard, "/observed"), at(guard, "/limit"), at(guard, "/verdict"));
        lines.push(format!(
            "      guard {}: {} against {} ({})",
            at(guard, "/guard"),
            figures.0,
            figures.1,
            figures.2
        ));
    }
    if !evidence["quality"].is_null() {
        lines.push(format!("      quality: {}", at(evidence, "/quality")));
    }
}

fn heading(text: &str, lines: &mut Vec<String>) {
    lines.push(String::new());
    lines.push(text.to_owned());
}

fn none_if_empty(items: &[Value], lines: &mut Vec<String>) {
    if items.is_empty() {
        lines.push("  none".to_owned());
    }
}

fn at(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).map_or_else(|| "-".to_owned(), cell)
}

fn items<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
