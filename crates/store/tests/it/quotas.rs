//! Quotas: counted in the transaction that adds, refused there, and given back by a purge.

use std::sync::Arc;
use std::time::Duration;

use mainstay_core::command::{Command, Commands, Journal, Unit};
use mainstay_core::error::{Coded as _, ErrorCode};
use mainstay_core::id::RunId;
use mainstay_core::principal::Principal;
use mainstay_core::scope::default_workspace;
use mainstay_core::time::Clock as _;
use mainstay_retention::command::{Otherwise, StartPurge};
use mainstay_retention::port::PurgeTx;
use mainstay_retention::purge::{Cause, PurgeId};
use mainstay_retention::quota::{
    Bytes, Change, ChangeLimits, CountBytes, LimitChanges, Limits, QuotaReader as _, QuotaTx, SetLimits,
};
use mainstay_retention::target::{Target, TargetKind};
use mainstay_store::writer::Writer;
use mainstay_traces::command::StartTrace;
use mainstay_traces::id::TraceId;
use mainstay_traces::merge::Summary;
use mainstay_traces::port::TraceTx;
use mainstay_tracking::command::{ArtifactLocation, CreateExperiment, CreateRun};
use mainstay_tracking::experiment::{ExperimentId, ExperimentName};
use mainstay_tracking::port::TrackingTx;

use crate::both;
use crate::databases::Fresh;
use crate::writer::AllowAll;

/// The code of a refusal; `None` if it was done.
async fn refused<C, Tx: ?Sized + Journal + 'static>(fresh: &Fresh, command: C) -> Option<ErrorCode>
where
    C: Command<Tx = Tx>,
    Writer: Unit<Tx>,
{
    let commands: Commands<Tx> = Commands::new(Arc::new(fresh.database.writer.clone()), Arc::new(AllowAll));
    commands.run(&Principal::system("test"), command).await.err().map(|error| error.code())
}

fn limits(limits: Limits) -> SetLimits {
    SetLimits { workspace: default_workspace(), limits }
}

fn experiment(name: &str) -> CreateExperiment {
    CreateExperiment {
        workspace: default_workspace(),
        name: ExperimentName::new(name).unwrap(),
        location: ArtifactLocation::Under("mlflow-artifacts:/".into()),
        tags: Vec::new(),
    }
}

fn run(n: u8) -> CreateRun {
    CreateRun {
        workspace: default_workspace(),
        id: RunId::from_bytes([n; 16]),
        experiment: ExperimentId(1),
        name: format!("run-{n}"),
        user: String::new(),
        start_ms: 0,
        tags: Vec::new(),
    }
}

fn trace(id: &str) -> StartTrace {
    StartTrace {
        workspace: default_workspace(),
        experiment: ExperimentId(1),
        id: TraceId::parse(id).unwrap(),
        summary: Summary::default(),
        assessments: Vec::new(),
    }
}

/// A quota, for whoever compares tables with the record.
pub(crate) async fn some(fresh: &Fresh) {
    let set = limits(Limits { runs: Some(1_000), ..Limits::default() });
    assert_eq!(refused::<_, dyn QuotaTx>(fresh, set).await, None);
}

both!(what_is_one_too_many_is_refused_and_leaves_nothing, async |fresh: Fresh| {
    let over = Some(ErrorCode::QuotaExceeded);
    assert_eq!(refused::<_, dyn TrackingTx>(&fresh, experiment("one")).await, None);
    assert_eq!(refused::<_, dyn TrackingTx>(&fresh, run(1)).await, None);
    let reader = &fresh.database.reader;
    assert_eq!(reader.usage(&default_workspace()).await.unwrap(), None, "nothing is limited");

    // What is there counts.
    let most =
        Limits { experiments: Some(2), runs: Some(2), traces_per_day: Some(1), artifact_bytes: Some(10) };
    assert_eq!(refused::<_, dyn QuotaTx>(&fresh, limits(most)).await, None);
    assert_eq!(refused::<_, dyn TrackingTx>(&fresh, experiment("two")).await, None);
    assert_eq!(refused::<_, dyn TrackingTx>(&fresh, experiment("three")).await, over);
    assert_eq!(refused::<_, dyn TrackingTx>(&fresh, run(2)).await, None);
    assert_eq!(refused::<_, dyn TrackingTx>(&fresh, run(3)).await, over);
    assert_eq!(refused::<_, dyn TraceTx>(&fresh, trace("tr-1")).await, None);
    assert_eq!(refused::<_, dyn TraceTx>(&fresh, trace("tr-2")).await, over);
    assert_eq!(refused::<_, dyn TraceTx>(&fresh, trace("tr-1")).await, None, "it is no new one");
    let usage = reader.usage(&default_workspace()).await.unwrap().unwrap();
    let today = fresh.clock.now().day();
    assert_eq!((usage.experiments, usage.runs, usage.traces_on(today)), (2, 2, 1), "refusals count nothing");
    assert!(reader.check_state().await.unwrap().is_good());

    // Another day, and another run in the place of one that is purged.
    fresh.clock.advance(Duration::from_hours(24));
    assert_eq!(refused::<_, dyn TraceTx>(&fresh, trace("tr-2")).await, None);
    let purge = StartPurge {
        workspace: default_workspace(),
        id: PurgeId::from_bytes([1; 16]),
        cause: Cause::Asked,
        reason: String::new(),
        targets: vec![Target::new(TargetKind::Run, &RunId::from_bytes([1; 16]).to_string()).unwrap()],
        otherwise: Otherwise::Refuse,
    };
    assert_eq!(refused::<_, dyn PurgeTx>(&fresh, purge).await, None);
    assert_eq!(refused::<_, dyn TrackingTx>(&fresh, run(3)).await, None);

    let count = |bytes| CountBytes { workspace: default_workspace(), bytes };
    for (bytes, left) in [(Bytes::Came(7), 3), (Bytes::Came(7), 0), (Bytes::Are(4), 6)] {
        assert_eq!(refused::<_, dyn QuotaTx>(&fresh, count(bytes)).await, None);
        let usage = reader.usage(&default_workspace()).await.unwrap().unwrap();
        assert_eq!(usage.bytes_left(), Some(left), "{bytes:?}");
    }
    assert_eq!(reader.measured().await.unwrap(), [(default_workspace(), Some(fresh.clock.now()))]);
    let changes = LimitChanges { runs: Change::At(9), experiments: Change::Lifted, ..Default::default() };
    let change = ChangeLimits { workspace: default_workspace(), changes };
    assert_eq!(refused::<_, dyn QuotaTx>(&fresh, change).await, None);
    let usage = reader.usage(&default_workspace()).await.unwrap().unwrap();
    assert_eq!(usage.limits, Limits { runs: Some(9), experiments: None, ..most });
    let none = limits(Limits::default());
    assert_eq!(refused::<_, dyn QuotaTx>(&fresh, none).await, None);
    assert_eq!(reader.usage(&default_workspace()).await.unwrap(), None);
    assert_eq!(refused::<_, dyn TrackingTx>(&fresh, experiment("three")).await, None);
    assert!(reader.check_state().await.unwrap().is_good());
});
