//! Signed heads beside the log.

use std::sync::Arc;

use mainstay_core::command::Commands;
use mainstay_core::entropy::SeededEntropy;
use mainstay_core::principal::Principal;
use mainstay_core::scope::default_workspace;
use mainstay_core::time::MachineTime;
use mainstay_governance::audit::{Head, SignedHead, SigningKey};
use mainstay_governance::command::KeepHead;
use mainstay_governance::port::AuditTx;

use crate::both;
use crate::databases::Fresh;
use crate::projection::{commands, grant};
use crate::writer::AllowAll;

async fn sign(fresh: &Fresh, key: &SigningKey) -> SignedHead {
    let frontier = fresh.database.reader.frontier().await.unwrap();
    key.sign(Head { size: frontier.size(), root: frontier.root(), time: MachineTime::from_micros(5) })
}

both!(heads_are_kept_newest_first_and_need_no_event, async |fresh: Fresh| {
    let key = SigningKey::generate(&SeededEntropy::new(3));
    let heads: Commands<dyn AuditTx> =
        Commands::new(Arc::new(fresh.database.writer.clone()), Arc::new(AllowAll));
    let keep = async |head: &SignedHead| {
        let keep = KeepHead { workspace: default_workspace(), head: head.clone() };
        heads.run(&Principal::system("heads"), keep).await.unwrap();
    };
    let mut kept = Vec::new();
    for name in ["ann", "bob"] {
        commands(&fresh).run(&Principal::system("test"), grant(name)).await.unwrap();
        let head = sign(&fresh, &key).await;
        keep(&head).await;
        kept.insert(0, head);
    }
    // A second one of the same size changes nothing.
    let mut later = kept[0].clone();
    later.head.time = MachineTime::from_micros(6);
    keep(&later).await;
    assert_eq!(fresh.database.reader.signed_heads(10).await.unwrap(), kept);
    assert!(kept.iter().all(|head| key.public().verify(head).is_ok()));
    assert_eq!(fresh.database.reader.frontier().await.unwrap().size(), 2);
});
