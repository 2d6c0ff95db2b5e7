//! Refusals are events too, at a bounded rate: a client that knocks all day must not fill the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mainstay_core::action::Action;
use mainstay_core::command::{Authorizer, Commands};
use mainstay_core::principal::{Actor, Principal};
use mainstay_core::scope::Scope;
use mainstay_governance::command::RecordRefusal;
use mainstay_governance::policy::CedarPolicy;
use mainstay_governance::port::GovernanceTx;
use mainstay_store::writer::Writer;
use tokio::sync::mpsc;

/// Most refusals that wait to be recorded; further ones are only counted.
const WAITING: usize = 64;
/// The least time between two of them.
const PACE: Duration = Duration::from_millis(100);

type Refusal = (Actor, Action, Scope);

/// Records refusals behind the caller's back.
pub(super) struct Refusals {
    queue: mpsc::Sender<Refusal>,
    left_out: Arc<AtomicU64>,
}

impl Refusals {
    pub(super) fn start(writer: Arc<Writer>, policy: Arc<CedarPolicy>) -> Self {
        let (queue, mut waiting) = mpsc::channel::<Refusal>(WAITING);
        let left_out = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&left_out);
        let commands: Commands<dyn GovernanceTx> = Commands::new(writer, Arc::new(Silent(policy)));
        tokio::spawn(async move {
            let authority = Principal::system("authority");
            while let Some((actor, action, scope)) = waiting.recv().await {
                let left_out = counted.swap(0, Ordering::Relaxed);
                let record = RecordRefusal { actor, action, scope, left_out };
                if let Err(error) = commands.run(&authority, record).await {
                    tracing::warn!(%error, "a refusal could not be recorded");
                }
                tokio::time::sleep(PACE).await;
            }
        });
        Self { queue, left_out }
    }

    pub(super) fn note(&self, principal: &Principal, action: Action, scope: &Scope) {
        let refusal = (principal.actor.clone(), action, scope.clone());
        if self.queue.try_send(refusal).is_err() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The policy without the recording: what records must not be recorded itself.
struct Silent(Arc<CedarPolicy>);

impl Authorizer for Silent {
    fn allows(&self, principal: &Principal, action: Action, scope: &Scope) -> bool {
        self.0.allows(principal, action, scope)
    }

    fn refused(&self, principal: &Principal, action: Action, _: &Scope) {
        tracing::error!(actor = %principal.actor, %action, "the recorder of refusals was refused");
    }
}
