//! One life: from the first pipeline to the last day.

use std::io::IsTerminal as _;
use std::path::Path;

use http::Method;
use indicatif::{ProgressBar, ProgressStyle};
use mainstay_core::failed::Failed;
use mainstay_core::time::{DAY, DataTime};
use mainstay_pipelines::definition::ROOT;
use serde_json::{Map, Value, json};

use super::client::Client;
use super::expectation::Occasion;
use super::ledger::Ledger;
use super::plan::{Plan, Scene};
use super::rows::Requests;
use super::score::Scores;
use super::settle::{finish, items, serves, settle, text};
use super::{table, tell};
use crate::Tell;

/// The name that the first pipeline is kept under.
const FIRST: &str = "first";
/// Events read at once.
const PAGE: usize = 1_000;

pub(super) struct Life<'a> {
    plan: &'a Plan,
    requests: &'a Requests,
    client: Client,
    ledger: Ledger,
    scores: Scores,
    /// The prediction ids of the requests that were made, in their order.
    ids: Vec<String>,
    /// How many labels were reported.
    reported: usize,
    /// Scenes that are still to come.
    script: Vec<&'a Scene>,
    /// The last event that was told.
    seen: u64,
    bar: ProgressBar,
    tell: Tell<'a>,
}

impl<'a> Life<'a> {
    pub(super) fn new(plan: &'a Plan, requests: &'a Requests, client: Client, tell: Tell<'a>) -> Self {
        let bar = if std::io::stderr().is_terminal() {
            let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} days, {eta} left");
            let bar = ProgressBar::new(u64::try_from(plan.until.since(plan.from) / DAY).unwrap_or_default());
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        } else {
            ProgressBar::hidden()
        };
        Self {
            plan,
            requests,
            client,
            ledger: Ledger::default(),
            scores: Scores::default(),
            ids: Vec::new(),
            reported: 0,
            script: plan.script.iter().collect(),
            seen: 0,
            bar,
            tell,
        }
    }

    /// Runs the first pipeline; its relative paths start in `root`.
    pub(super) async fn begin(&mut self, root: &Path) -> Result<(), Failed> {
        // Among other versions and figures its own would be no one's.
        if !items(&self.client.get("/api/v1/endpoints").await?).is_empty() {
            let fault = "the server has endpoints already; a replay begins with one that has none";
            return Err(Failed::Usage(fault.to_owned()));
        }
        self.line(&self.plan.title);
        let path = root.join(&self.plan.pipeline);
        let source = std::fs::read(&path).map_err(|error| Failed::file(&path, error))?;
        let place = format!("/api/v1/pipelines/{FIRST}");
        self.client.call(Method::PUT, &place, "application/yaml", source).await?;
        let params: Map<String, Value> = [(ROOT.to_owned(), json!(root))].into_iter().collect();
        let run = self.start("the beginning", FIRST, &params, self.plan.from).await?;
        self.bar.set_message("first pipeline");
        let state = finish(&mut self.client, &run).await?;
        self.hear(self.plan.from).await?;
        if state != "succeeded" {
            return Err(Failed::outside("the first pipeline", state));
        }
        serves(&mut self.client, self.plan.endpoint.as_str()).await?;
        Ok(())
    }

    /// Lives from the first day to the last.
    pub(super) async fn live(&mut self) -> Result<(), Failed> {
        let plan = self.plan;
        let mut now = plan.from;
        let mut row = 0;
        while now < plan.until {
            self.bar.set_position(u64::try_from(now.since(plan.from) / DAY).unwrap_or_default());
            self.bar.set_message(plan.date(now));
            self.schedules(now).await?;
            self.scene(now).await?;
            let end = now.plus(plan.part()).min(plan.until);
            self.report(now).await?;
            let until =
                row + self.requests.times.get(row..).unwrap_or_default().partition_point(|at| *at < end);
            if until > row {
                self.ask(row..until).await?;
                let last = self.requests.times.get(until - 1).copied().unwrap_or(now);
                settle(&mut self.client, plan.endpoint.as_str(), last).await?;
            }
            self.hear(end).await?;
            (row, now) = (until, end);
        }
        self.bar.finish_and_clear();
        Ok(())
    }

    async fn ask(&mut self, rows: std::ops::Range<usize>) -> Result<(), Failed> {
        let path = format!("/v2/models/{}/infer", self.plan.endpoint);
        let answer = self.client.post(&path, &self.requests.body(self.plan, &rows)).await?;
        let outcomes = self.requests.outcomes.get(rows).unwrap_or_default();
        self.ids.extend(self.scores.take(&answer, self.plan.requests.column, outcomes)?);
        Ok(())
    }

    /// Reports the labels that became known before now. Nothing is known before it was asked for.
    async fn report(&mut self, now: DataTime) -> Result<(), Failed> {
        let waiting = self.requests.known.get(self.reported..).unwrap_or_default();
        let ready = waiting.partition_point(|(known, _)| *known < now);
        let mut body = String::new();
        for (known, row) in waiting.iter().take(ready) {
            let (Some(at), Some(value)) = (self.requests.times.get(*row), self.requests.outcomes.get(*row))
            else {
                continue;
            };
            let Some(id) = self.ids.get(*row) else { continue };
            let label = json!({
                "prediction_id": id, "value": value, "at": at.to_string(), "arrived": known.to_string(),
            });
            body.push_str(&label.to_string());
            body.push('\n');
        }
        self.reported += ready;
        if !body.is_empty() {
            self.client
                .call(Method::POST, "/api/v1/labels", "application/x-ndjson", body.into_bytes())
                .await?;
        }
        Ok(())
    }

    async fn schedules(&mut self, now: DataTime) -> Result<(), Failed> {
        for schedule in &self.plan.schedules {
            let every = i64::from(schedule.every_days) * DAY;
            let since = now.since(self.plan.from);
            if every > 0 && since >= every && since % every < self.plan.part() {
                let ahead = now.plus(i64::from(schedule.ahead_days) * DAY);
                let run = self.start("schedule", schedule.pipeline.as_str(), &Map::new(), ahead).await?;
                let state = finish(&mut self.client, &run).await?;
                if state != "succeeded" {
                    return Err(Failed::outside(
                        format!("the scheduled pipeline {}", schedule.pipeline),
                        state,
                    ));
                }
            }
        }
        Ok(())
    }

    /// Starts the next scene whose time has come, if no run of its pipeline is under way.
    async fn scene(&mut self, now: DataTime) -> Result<(), Failed> {
        let Some(position) = self.script.iter().position(|scene| scene.not_before <= now) else {
            return Ok(());
        };
        let Some(scene) = self.script.get(position).copied() else { return Ok(()) };
        let path = format!("/api/v1/pipeline-runs?pipeline={}&state=running,waiting", scene.pipeline);
        if !items(&self.client.get(&path).await?).is_empty() {
            return Ok(());
        }
        self.script.remove(position);
        self.tell(now, "somebody", &scene.say);
        let run = self.start(&scene.name, scene.pipeline.as_str(), &scene.params, now).await?;
        self.ledger.scenes.insert(run, scene.name.clone());
        Ok(())
    }

    /// Starts a run, once: `why`, the pipeline and the instant are its key.
    async fn start(
        &mut self,
        why: &str,
        pipeline: &str,
        params: &Map<String, Value>,
        at: DataTime,
    ) -> Result<String, Failed> {
        let key = format!("replay: {why}, {pipeline} at {at}");
        let body = json!({ "params": params, "data_time": at.to_string(), "idempotency_key": key });
        let started = self.client.post(&format!("/api/v1/pipelines/{pipeline}/runs"), &body).await?;
        Ok(text(&started, "/run").to_owned())
    }

    /// Takes in what has happened since, and tells what is worth telling.
    async fn hear(&mut self, now: DataTime) -> Result<(), Failed> {
        loop {
            let page = self.client.get(&format!("/api/v1/events?after={}&limit={PAGE}", self.seen)).await?;
            let events = page.get("events").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            if events.is_empty() {
                return Ok(());
            }
            for event in events {
                self.seen = event.get("seq").and_then(Value::as_u64).unwrap_or(self.seen);
                self.ledger.take(event, now);
                if let Some((what, sentence)) = tell::sentence(event, self.plan, &self.ledger) {
                    // The end of a part belongs to the day that it ends.
                    self.tell(now.plus(-1), what, &sentence);
                }
            }
        }
    }

    fn tell(&self, now: DataTime, what: &str, sentence: &str) {
        let date = self.plan.date(now);
        self.line(&format!("{date}  {what:<11}  {sentence}"));
    }

    fn line(&self, line: &str) {
        self.bar.suspend(|| (self.tell)(line));
    }

    /// The table, and whether everything happened that was expected.
    pub(super) fn conclude(&self, occasion: Occasion) -> bool {
        self.line("");
        for line in table::lines(self.plan, &self.ledger, &self.scores, self.plan.until) {
            self.line(&line);
        }
        self.line(&format!(
            "\n{} requests answered, {} alarms",
            self.scores.answered(),
            self.ledger.alarms.len()
        ));
        let mut is_good = true;
        for expected in self.plan.expect.iter().filter(|expected| expected.applies(occasion)) {
            let (count, holds) = expected.judge(&self.ledger);
            is_good &= holds;
            self.line(&format!("{} {} ({count})", if holds { "✓" } else { "✗" }, expected.say));
        }
        is_good
    }
}
