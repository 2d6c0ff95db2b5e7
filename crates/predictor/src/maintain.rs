//! The upkeep of the logs: idle segments are closed, closed ones sealed, sealed ones put on the record.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mainstay_api::oip::Refusal;
use mainstay_core::command::Commands;
use mainstay_core::name::Name;
use mainstay_core::principal::Principal;
use mainstay_segments::log::{LogError, SegmentLog};
use mainstay_serving::command::RegisterSegment;
use mainstay_serving::port::ServingTx;
use mainstay_serving::segment::{LogId, SealedSegment, SegmentId, SegmentKind};
use tokio::sync::watch;

use super::Predictor;

/// Between two rounds.
const ROUND: Duration = Duration::from_secs(1);
/// After so many rounds without a record a segment is closed.
const IDLE_ROUNDS: u32 = 60;

/// Puts sealed segments on the record. The same one again changes nothing.
#[async_trait]
pub trait SegmentRegistry: Send + Sync {
    /// One segment of a workspace.
    async fn register(
        &self,
        workspace: &Name,
        kind: SegmentKind,
        segment: SealedSegment,
    ) -> Result<(), Refusal>;
}

#[async_trait]
impl SegmentRegistry for Commands<dyn ServingTx> {
    async fn register(
        &self,
        workspace: &Name,
        kind: SegmentKind,
        segment: SealedSegment,
    ) -> Result<(), Refusal> {
        let command = RegisterSegment { workspace: workspace.clone(), kind, segment };
        self.run(&Principal::system("predictor"), command).await.map(drop).map_err(Refusal::new)
    }
}

/// What is remembered from round to round.
#[derive(Debug, Default)]
pub struct Upkeep {
    registered: HashSet<SegmentId>,
    /// Records appended when the log was last looked at, and since how many rounds it is so.
    idle: HashMap<LogId, (u64, u32)>,
}

impl Predictor {
    /// Keeps the logs in order until `stop` turns true, and once more then.
    pub async fn maintain(self, registry: Arc<dyn SegmentRegistry>, mut stop: watch::Receiver<bool>) {
        let mut upkeep = Upkeep::default();
        loop {
            let stopping = tokio::select! {
                () = tokio::time::sleep(ROUND) => false,
                _ = stop.wait_for(|stop| *stop) => true,
            };
            self.round(&mut upkeep, &*registry).await;
            if stopping {
                return;
            }
        }
    }

    /// One round. What fails is tried again in the next one.
    pub async fn round(&self, upkeep: &mut Upkeep, registry: &dyn SegmentRegistry) {
        for logs in [&self.0.predictions, self.0.labels.logs()] {
            for (workspace, log) in logs.all() {
                rotate_idle(upkeep, &log);
                if let Err(error) = seal(Arc::clone(&log)).await {
                    tracing::warn!(?error, %workspace, kind = logs.kind().as_str(), "segments are not sealed now");
                }
                for segment in log.sealed_segments() {
                    if upkeep.registered.contains(&segment.id) {
                        continue;
                    }
                    match registry.register(&workspace, logs.kind(), segment).await {
                        Ok(()) => drop(upkeep.registered.insert(segment.id)),
                        Err(error) => {
                            tracing::warn!(%error, segment = %segment.id, "a segment is not on the record yet");
                            break;
                        }
                    }
                }
            }
        }
        let this = self.clone();
        let saved = tokio::task::spawn_blocking(move || this.0.save_watermarks()).await;
        if let Ok(Err(error)) = saved {
            tracing::warn!(%error, "the checkpoint of the watermarks is not written now");
        }
    }
}

fn rotate_idle(upkeep: &mut Upkeep, log: &SegmentLog) {
    let appended = log.stats().appended;
    let (seen, rounds) = upkeep.idle.entry(log.id()).or_insert((appended, 0));
    if *seen == appended {
        *rounds = rounds.saturating_add(1);
    } else {
        (*seen, *rounds) = (appended, 0);
    }
    if *rounds == IDLE_ROUNDS {
        log.rotate();
    }
}

async fn seal(log: Arc<SegmentLog>) -> Result<(), LogError> {
    // Sealing reads whole segments and waits for the disk.
    let sealed = tokio::task::spawn_blocking(move || log.seal_closed()).await;
    sealed.unwrap_or_else(|error| Err(std::io::Error::other(error).into())).map(drop)
}
