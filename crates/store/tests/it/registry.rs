//! Registered models and their versions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mainstay_core::command::Commands;
use mainstay_core::digest::Digest;
use mainstay_core::error::{Coded as _, ErrorCode};
use mainstay_core::event::{EventLog as _, EventQuery, EventSeq};
use mainstay_core::name::Name;
use mainstay_core::principal::Principal;
use mainstay_core::scope::default_workspace;
use mainstay_core::time::MachineTime;
use mainstay_governance::command::RecordGates;
use mainstay_governance::gate::{GateReport, GateResult, Verdict};
use mainstay_governance::port::GovernanceTx;
use mainstay_registry::command::{
    CreateModel, DeleteVersion, PromoteAlias, RegisterVersion, SetAlias, TransitionStage,
};
use mainstay_registry::model::{Stage, VersionDetail};
use mainstay_registry::name::{Alias, ModelName, Tag, VersionNumber};
use mainstay_registry::port::{RegistryReader as _, RegistryTx};
use mainstay_serving::command::{CreateEndpoint, SetRevision};
use mainstay_serving::endpoint::Endpoint;
use mainstay_serving::port::ServingTx;
use mainstay_serving::revision::{Pinned, RevisionDraft};
use mainstay_serving::schema::{FeatureKind, FeatureSpec, InputSchema};

use crate::both;
use crate::databases::Fresh;
use crate::writer::AllowAll;

fn register() -> RegisterVersion {
    RegisterVersion {
        workspace: default_workspace(),
        name: ModelName::new("flight-delay").unwrap(),
        source: "mlflow-artifacts:/0/models/m/artifacts".into(),
        location: None,
        run: None,
        run_link: String::new(),
        logged_model: None,
        description: String::new(),
        tags: Vec::new(),
        digest: None,
    }
}

fn create() -> CreateModel {
    CreateModel {
        workspace: default_workspace(),
        name: ModelName::new("flight-delay").unwrap(),
        description: String::new(),
        tags: Vec::new(),
    }
}

both!(sixteen_clients_at_once_get_versions_without_a_gap, async |fresh: Fresh| {
    // Two processes on PostgreSQL; SQLite's data directory has one, so there both are the same.
    let other = fresh.reopen().await;
    let commands = |database: &mainstay_store::Database| -> Commands<dyn RegistryTx> {
        Commands::new(Arc::new(database.writer.clone()), Arc::new(AllowAll))
    };
    let both = [commands(&fresh.database), commands(&other)];
    both[0].run(&Principal::system("test"), create()).await.unwrap();
    let clients: Vec<_> = (0..16)
        .map(|n| {
            let commands = both[n % 2].clone();
            tokio::spawn(async move {
                let caller = Principal::system(&format!("client-{n}"));
                // Whoever comes first creates the model; the others are told that it is there.
                drop(commands.run(&caller, create()).await);
                commands.run(&caller, register()).await.unwrap().number
            })
        })
        .collect();
    let mut numbers = BTreeSet::new();
    for client in clients {
        numbers.insert(client.await.unwrap());
    }
    assert_eq!(numbers, (1..=16).map(VersionNumber).collect());

    let (caller, last) = (Principal::system("test"), VersionNumber(16));
    let (workspace, name) = (default_workspace(), ModelName::new("flight-delay").unwrap());
    both[0].run(&caller, DeleteVersion { workspace, name: name.clone(), number: last }).await.unwrap();
    // A number is never given twice.
    assert_eq!(both[1].run(&caller, register()).await.unwrap().number, VersionNumber(17));
    let versions = fresh.database.reader.version_numbers(&default_workspace(), &name).await.unwrap();
    assert_eq!(versions.len(), 16);

    let registered = EventQuery::after(EventSeq(0), 100).of_kind("model_version.registered");
    let events = fresh.database.read(&registered).await.unwrap();
    let subjects: BTreeSet<_> = events.iter().map(|event| event.subject.to_string()).collect();
    assert_eq!((events.len(), subjects.len()), (17, 17));
});

both!(of_many_versions_those_are_read_that_are_asked_for, async |fresh: Fresh| {
    let commands: Commands<dyn RegistryTx> =
        Commands::new(Arc::new(fresh.database.writer.clone()), Arc::new(AllowAll));
    let caller = Principal::system("test");
    let named = |name: &str| ModelName::new(name).unwrap();
    for name in ["flight-delay", "other"] {
        commands.run(&caller, CreateModel { name: named(name), ..create() }).await.unwrap();
        for number in 1..=5 {
            let tags = vec![Tag::new("number", number.to_string()).unwrap()];
            let version = RegisterVersion { name: named(name), tags, ..register() };
            commands.run(&caller, version).await.unwrap();
        }
    }
    let (workspace, name) = (default_workspace(), named("flight-delay"));
    for (number, stage) in [(1, Stage::Staging), (2, Stage::Production), (3, Stage::Staging)] {
        let (workspace, number) = (workspace.clone(), VersionNumber(number));
        let name = name.clone();
        let transition = TransitionStage { workspace, name, number, stage, archive_existing: false };
        commands.run(&caller, transition).await.unwrap();
    }
    let delete = |number| DeleteVersion { workspace: workspace.clone(), name: name.clone(), number };
    commands.run(&caller, delete(VersionNumber(5))).await.unwrap();

    let reader = &fresh.database.reader;
    let told = |found: Vec<VersionDetail>| -> Vec<(String, u32, String)> {
        let one = |one: VersionDetail| {
            (one.version.model.to_string(), one.version.number.0, one.tags["number"].clone())
        };
        found.into_iter().map(one).collect()
    };
    let expected = |all: &[(&str, u32)]| -> Vec<(String, u32, String)> {
        all.iter().map(|(name, number)| ((*name).to_owned(), *number, number.to_string())).collect()
    };
    let numbers = reader.version_numbers(&workspace, &name).await.unwrap();
    assert_eq!(numbers, [4, 3, 2, 1].map(VersionNumber));
    let within = VersionNumber(2)..=VersionNumber(5);
    let found = reader.versions_within(&workspace, &name, within).await.unwrap();
    assert_eq!(told(found), expected(&[("flight-delay", 4), ("flight-delay", 3), ("flight-delay", 2)]));
    // The stage of 1 and 3, that of 2, and none, which 4 has.
    let latest = [("flight-delay", 3), ("flight-delay", 2), ("flight-delay", 4), ("other", 5)];
    let both = [name.clone(), named("other")];
    let found = reader.latest_versions(&workspace, &both).await.unwrap();
    assert_eq!(told(found), expected(&latest));
    let found = reader.latest_versions(&workspace, &both[..1]).await.unwrap();
    assert_eq!(told(found), expected(&latest[..3]));
    let elsewhere = Name::new("elsewhere").unwrap();
    assert!(reader.latest_versions(&elsewhere, &both).await.unwrap().is_empty());
});

/// An endpoint that follows `champion` of the model.
pub(crate) fn governed_endpoint() -> CreateEndpoint {
    let hour = FeatureSpec { name: "hour".into(), kind: FeatureKind::Float, nullable: false, range: None };
    let endpoint = Endpoint {
        name: Name::new("delays").unwrap(),
        model: Name::new("flight-delay").unwrap(),
        governed: true,
        features: None,
        day_offset_micros: 0,
        schema: InputSchema::new(vec![hour]).unwrap(),
        labels: None,
        retraining: Vec::new(),
    };
    CreateEndpoint { workspace: default_workspace(), endpoint }
}

both!(an_alias_that_an_endpoint_follows_waits_for_the_gates, async |fresh: Fresh| {
    let (caller, writer) = (Principal::system("test"), Arc::new(fresh.database.writer.clone()));
    let commands: Commands<dyn RegistryTx> = Commands::new(writer.clone(), Arc::new(AllowAll));
    let serving: Commands<dyn ServingTx> = Commands::new(writer, Arc::new(AllowAll));
    commands.run(&caller, create()).await.unwrap();
    let digest = Some(Digest::of(b"model"));
    commands.run(&caller, RegisterVersion { digest, ..register() }).await.unwrap();
    let set = |alias: &str| SetAlias {
        workspace: default_workspace(),
        name: ModelName::new("flight-delay").unwrap(),
        alias: Alias::new(alias).unwrap(),
        number: VersionNumber(1),
    };
    commands.run(&caller, set("champion")).await.unwrap();
    serving.run(&caller, governed_endpoint()).await.unwrap();
    commands.run(&caller, set("candidate")).await.unwrap();
    let refused = commands.run(&caller, set("champion")).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::WrongState);
    let refused = commands.run(&caller, PromoteAlias { set: set("champion") }).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::GateNotPassed);
});

fn report(artifact: &[u8]) -> RecordGates {
    judged(artifact, Verdict::Passed)
}

fn judged(artifact: &[u8], verdict: Verdict) -> RecordGates {
    let gate = GateResult {
        name: "calibration".to_owned(),
        verdict,
        figures: BTreeMap::new(),
        sentence: "it is calibrated".to_owned(),
    };
    let report = GateReport {
        model: "flight-delay".to_owned(),
        version: Some(1),
        digest: Digest::of(artifact),
        gates: vec![gate],
        data: BTreeMap::new(),
        evaluated: MachineTime::from_micros(1),
    };
    RecordGates { workspace: default_workspace(), report }
}

both!(the_verdict_on_one_artifact_says_nothing_of_another, async |fresh: Fresh| {
    let (caller, writer) = (Principal::system("test"), Arc::new(fresh.database.writer.clone()));
    let commands: Commands<dyn RegistryTx> = Commands::new(writer.clone(), Arc::new(AllowAll));
    let serving: Commands<dyn ServingTx> = Commands::new(writer.clone(), Arc::new(AllowAll));
    let gates: Commands<dyn GovernanceTx> = Commands::new(writer, Arc::new(AllowAll));
    commands.run(&caller, create()).await.unwrap();
    commands.run(&caller, RegisterVersion { digest: Some(Digest::of(b"old")), ..register() }).await.unwrap();
    commands.run(&caller, RegisterVersion { digest: Some(Digest::of(b"new")), ..register() }).await.unwrap();
    serving.run(&caller, governed_endpoint()).await.unwrap();
    let promote = |number| PromoteAlias {
        set: SetAlias {
            workspace: default_workspace(),
            name: ModelName::new("flight-delay").unwrap(),
            alias: Alias::new("champion").unwrap(),
            number: VersionNumber(number),
        },
    };
    gates.run(&caller, report(b"old")).await.unwrap();
    let refused = commands.run(&caller, promote(2)).await.unwrap_err();
    assert_eq!(refused.code(), ErrorCode::GateNotPassed, "only the old artifact was judged");
    commands.run(&caller, promote(1)).await.unwrap();
    gates.run(&caller, report(b"new")).await.unwrap();
    commands.run(&caller, promote(2)).await.unwrap();
});

both!(a_gate_that_failed_is_told_from_one_that_could_not_tell_and_from_none, async |fresh: Fresh| {
    let (caller, writer) = (Principal::system("test"), Arc::new(fresh.database.writer.clone()));
    let commands: Commands<dyn RegistryTx> = Commands::new(writer.clone(), Arc::new(AllowAll));
    let serving: Commands<dyn ServingTx> = Commands::new(writer.clone(), Arc::new(AllowAll));
    let gates: Commands<dyn GovernanceTx> = Commands::new(writer, Arc::new(AllowAll));
    commands.run(&caller, create()).await.unwrap();
    commands.run(&caller, RegisterVersion { digest: Some(Digest::of(b"a")), ..register() }).await.unwrap();
    let created = serving.run(&caller, governed_endpoint()).await.unwrap();
    for (verdict, sentence) in [
        (None, "its gates have not been evaluated"),
        (Some(Verdict::Inconclusive), "gate 'calibration' is inconclusive"),
        (Some(Verdict::Failed), "gate 'calibration' failed"),
    ] {
        if let Some(verdict) = verdict {
            gates.run(&caller, judged(b"a", verdict)).await.unwrap();
        }
        let promote = PromoteAlias {
            set: SetAlias {
                workspace: default_workspace(),
                name: ModelName::new("flight-delay").unwrap(),
                alias: Alias::new("champion").unwrap(),
                number: VersionNumber(1),
            },
        };
        let answers = SetRevision {
            workspace: default_workspace(),
            endpoint: Name::new("delays").unwrap(),
            expected: created.number,
            governed: true,
            draft: RevisionDraft::champion(Pinned { version: 1, digest: Digest::of(b"a") }),
        };
        let refused = commands.run(&caller, promote).await.unwrap_err();
        assert!(refused.to_string().contains(sentence), "{refused}");
        let refused = serving.run(&caller, answers).await.unwrap_err();
        assert_eq!(refused.code(), ErrorCode::GateNotPassed);
        assert!(refused.to_string().contains(sentence), "{refused}");
    }
});

both!(lists_read_names_and_the_page_that_is_shown, async |fresh: Fresh| {
    let commands: Commands<dyn RegistryTx> =
        Commands::new(Arc::new(fresh.database.writer.clone()), Arc::new(AllowAll));
    let (caller, workspace) = (Principal::system("test"), default_workspace());
    let name = |text: &str| ModelName::new(text).unwrap();
    let tag = |value: &str| vec![Tag { key: "mlflow.prompt.is_prompt".into(), value: value.into() }];
    for (text, tags) in
        [("flight-delay", vec![]), ("greeting", tag("True")), ("B", tag("no")), ("zeta", vec![])]
    {
        commands.run(&caller, CreateModel { name: name(text), tags, ..create() }).await.unwrap();
    }
    for _ in 0..3 {
        commands.run(&caller, register()).await.unwrap();
    }
    let doomed =
        DeleteVersion { workspace: workspace.clone(), name: name("flight-delay"), number: VersionNumber(3) };
    commands.run(&caller, doomed).await.unwrap();

    let reader = &fresh.database.reader;
    let names = reader.model_names(&workspace).await.unwrap();
    let told: Vec<_> = names.iter().map(|one| (one.name.as_str(), one.is_prompt)).collect();
    assert_eq!(told, [("B", false), ("flight-delay", false), ("greeting", true), ("zeta", false)]);
    let wanted = ["zeta", "flight-delay", "nothing"].map(name);
    let found = reader.summaries(&workspace, &wanted).await.unwrap();
    let told: Vec<_> =
        found.iter().map(|one| (one.detail.model.name.as_str(), one.versions, one.newest)).collect();
    assert_eq!(told, [("zeta", 0, None), ("flight-delay", 2, Some(VersionNumber(2)))]);
    let after = async |after: Option<&str>, limit| {
        let found = reader.models_after(&workspace, after, limit).await.unwrap();
        found.into_iter().map(|detail| detail.model.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(after(None, 2).await, ["B", "flight-delay"]);
    assert_eq!(after(Some("flight-delay"), 9).await, ["greeting", "zeta"]);
    assert_eq!(reader.models_after(&workspace, Some("flight"), 1).await.unwrap()[0].tags.len(), 0);
    let elsewhere = Name::new("other").unwrap();
    assert!(reader.model_names(&elsewhere).await.unwrap().is_empty());
    assert!(reader.summaries(&elsewhere, &wanted).await.unwrap().is_empty());
});
