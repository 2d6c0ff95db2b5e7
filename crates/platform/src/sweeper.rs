//! Removes what is purged, in the background, and applies retention rules.
//!
//! Everything that it needs to go on is in the database, so it may be stopped anywhere. Of an item it first counts the
//! artifacts and keeps the count, then removes them, then the rows; the item goes with its last row, and the purge is
//! finished with its last item, in the same transaction each. Whatever is done twice does no harm.

use std::sync::Arc;
use std::time::Duration;

use mainstay_core::command::{Authorizer, Commands};
use mainstay_core::entropy::Entropy;
use mainstay_core::event::EventLog as _;
use mainstay_core::failed::Failed;
use mainstay_core::name::Name;
use mainstay_core::principal::Principal;
use mainstay_core::time::{Clock, HOUR};
use mainstay_retention::command::{MAX_TARGETS, NoteMeasured, Otherwise, StartPurge, SweepPurge};
use mainstay_retention::port::{Artifacts, PurgeReader as _, PurgeTx, RuleReader as _, RuleTx};
use mainstay_retention::purge::{Cause, PurgeId};
use mainstay_retention::quota::{Bytes, CountBytes, QuotaReader as _, QuotaTx};
use mainstay_retention::rule::Rule;
use mainstay_retention::rule::command::NoteApplied;
use mainstay_retention::survey::{Wanted, survey};
use mainstay_store::Database;
use mainstay_tracking::port::TrackingReader as _;
use tokio::sync::watch;

use crate::Platform;
use crate::artifact_places::ArtifactPlaces;

/// Items that are looked at together.
const CHUNK: usize = 32;
/// Purges that are looked at together.
const PURGES: usize = 100;
/// How long commits gather before it is looked whether one of them began a purge.
const GATHER: Duration = Duration::from_secs(1);
/// How long to wait after a failure, and until rules are looked at again.
const PAUSE: Duration = Duration::from_mins(1);
/// How often a rule is applied, and the artifacts of a workspace are measured that has a quota, in microseconds.
const EVERY: i64 = HOUR;
/// Most purges that a rule begins at a time. What is left waits for the next time.
const MOST_PURGES: usize = 100;

/// Removes what is purged.
pub struct Sweeper {
    database: Database,
    artifacts: Arc<dyn Artifacts>,
    purges: Commands<dyn PurgeTx>,
    rules: Commands<dyn RuleTx>,
    quotas: Commands<dyn QuotaTx>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    principal: Principal,
}

impl Sweeper {
    /// Of all workspaces of a platform.
    pub fn new(platform: &Platform) -> Self {
        Self::over(platform, Arc::new(ArtifactPlaces::new(platform)))
    }

    /// With another way to artifacts.
    pub fn over(platform: &Platform, artifacts: Arc<dyn Artifacts>) -> Self {
        let (writer, policy) = (Arc::new(platform.database.writer.clone()), platform.authority.clone());
        let policy: Arc<dyn Authorizer> = policy;
        Self {
            database: platform.database.clone(),
            artifacts,
            purges: Commands::new(writer.clone(), policy.clone()),
            rules: Commands::new(writer.clone(), policy.clone()),
            quotas: Commands::new(writer, policy),
            clock: platform.clock.clone(),
            entropy: platform.entropy.clone(),
            principal: Principal::system("sweeper"),
        }
    }

    /// Works whenever a purge was begun, and on rules from time to time, until `stop` turns true.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut log = self.database.head();
        loop {
            let seen = *log.borrow_and_update();
            let mut pause = GATHER;
            if let Err(error) = self.sweep(&stop).await {
                tracing::warn!(%error, "what is purged could not be removed; it is tried again");
                pause = PAUSE;
            }
            if let Err(error) = self.apply_rules(&stop).await {
                tracing::warn!(%error, "retention rules could not be applied; it is tried again");
                pause = PAUSE;
            }
            if let Err(error) = self.measure(&stop).await {
                tracing::warn!(%error, "artifacts could not be measured for quotas; it is tried again");
                pause = PAUSE;
            }
            // An elapsed wait is as good as a stop, or as news.
            drop(tokio::time::timeout(pause, stop.wait_for(|stop| *stop)).await);
            let news = tokio::time::timeout(PAUSE, log.wait_for(|head| *head != seen));
            tokio::select! {
                // An error says that the writer is gone, and nothing more will come.
                news = news => if matches!(news, Ok(Err(_))) { return },
                _ = stop.wait_for(|stop| *stop) => {}
            }
            if *stop.borrow() {
                return;
            }
        }
    }

    /// Finishes all purges that there are. One that fails does not hold up the others.
    pub async fn sweep(&self, stop: &watch::Receiver<bool>) -> Result<(), Failed> {
        loop {
            let unfinished = self.database.reader.unfinished_purges(PURGES).await?;
            if unfinished.is_empty() || *stop.borrow() {
                return Ok(());
            }
            let mut failed = None;
            for (workspace, purge) in unfinished {
                if let Err(error) = self.finish(&workspace, purge, stop).await {
                    failed = Some(error);
                }
            }
            failed.map_or(Ok(()), Err)?;
        }
    }

    /// Goes on with a purge to its end.
    async fn finish(
        &self,
        workspace: &Name,
        purge: PurgeId,
        stop: &watch::Receiver<bool>,
    ) -> Result<(), Failed> {
        let mut folders = self.artifacts.folders(&[]);
        while !*stop.borrow() {
            let mut items = self.database.reader.purge_items(purge, CHUNK).await?;
            let mut measured = Vec::new();
            for item in items.iter_mut().filter(|item| !item.is_measured) {
                let measure = folders.measure(&item.target, &item.place).await?;
                item.is_elsewhere = measure.elsewhere;
                measured.push((item.target.clone(), measure));
            }
            if !measured.is_empty() {
                let command = NoteMeasured { workspace: workspace.clone(), purge, measured };
                self.purges.run(&self.principal, command).await?;
            }
            for item in items.iter().filter(|item| !item.is_elsewhere) {
                folders.remove(&item.target, &item.place).await?;
            }
            let items = items.into_iter().map(|item| item.target).collect();
            let command = SweepPurge { workspace: workspace.clone(), purge, items };
            if self.purges.run(&self.principal, command).await?.finished.is_some() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Applies the rules whose time has come.
    pub async fn apply_rules(&self, stop: &watch::Receiver<bool>) -> Result<(), Failed> {
        for (workspace, standing) in self.database.reader.all_rules().await? {
            let is_due = standing.applied.is_none_or(|at| self.clock.now().since(at) >= EVERY);
            if is_due && !*stop.borrow() {
                self.apply(&workspace, &standing.rule, stop).await?;
            }
        }
        Ok(())
    }

    /// Measures the artifacts of the workspaces whose time has come, of those that may have so many bytes only.
    pub async fn measure(&self, stop: &watch::Receiver<bool>) -> Result<(), Failed> {
        let reader = &self.database.reader;
        for (workspace, measured) in reader.measured().await? {
            let is_due = measured.is_none_or(|at| self.clock.now().since(at) >= EVERY);
            if is_due && !*stop.borrow() {
                let places = reader.places(&workspace).await?;
                let places: Vec<String> = places.into_iter().map(|(_, place)| place).collect();
                let bytes = Bytes::Are(self.artifacts.measure_all(&places).await?);
                self.quotas.run(&self.principal, CountBytes { workspace, bytes }).await?;
            }
        }
        Ok(())
    }

    async fn apply(&self, workspace: &Name, rule: &Rule, stop: &watch::Receiver<bool>) -> Result<(), Failed> {
        // First, so that a rule that cannot be applied is not tried without end.
        let note = NoteApplied { workspace: workspace.clone(), name: rule.name.clone() };
        self.rules.run(&self.principal, note).await?;
        let wanted = Wanted { kind: rule.kind, experiment: rule.experiment, terms: rule.terms.clone() };
        for _ in 0..MOST_PURGES {
            if *stop.borrow() {
                return Ok(());
            }
            let reader = &self.database.reader;
            let found = survey(reader, workspace, &wanted, self.clock.now(), MAX_TARGETS).await?;
            if found.takes.is_empty() {
                return Ok(());
            }
            let id = PurgeId::draw(&*self.entropy);
            let command = StartPurge {
                workspace: workspace.clone(),
                id,
                cause: Cause::Rule(rule.name.clone()),
                reason: String::new(),
                targets: found.takes.into_iter().map(|(found, _)| found.target).collect(),
                otherwise: Otherwise::Skip,
            };
            let started = self.purges.run(&self.principal, command).await?;
            if started.purge.is_none() {
                return Ok(());
            }
            self.finish(workspace, id, stop).await?;
            if !found.has_more {
                return Ok(());
            }
        }
        Ok(())
    }
}
