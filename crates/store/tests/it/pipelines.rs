//! The suite of the pipeline domain, on both databases.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use mainstay_core::command::Commands;
use mainstay_core::name::Name;
use mainstay_pipelines::conformance::{Bench, CHECKS, Everybody};

use crate::both;
use crate::databases::Fresh;

/// A bench in a workspace of its own; checks share the database and its clock.
pub(crate) fn bench(fresh: &Fresh, number: u64) -> Bench {
    Bench {
        commands: Commands::new(Arc::new(fresh.database.writer.clone()), Arc::new(Everybody)),
        reader: Arc::new(fresh.database.reader.clone()),
        clock: fresh.clock.clone(),
        workspace: Name::new(format!("check-{number}")).unwrap(),
        next_id: AtomicU64::new(number * 1_000),
    }
}

both!(the_store_of_pipelines_passes_its_suite, async |fresh: Fresh| {
    let mut failed = Vec::new();
    for (number, check) in (1..).zip(CHECKS) {
        if let Err(error) = (check.run)(bench(&fresh, number)).await {
            failed.push(format!("{}: {error}", check.name));
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
    let state = fresh.database.reader.check_state().await.unwrap();
    assert!(state.is_good(), "{state:#?}");
});
