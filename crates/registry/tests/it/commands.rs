//! The rules of the commands.

use mainstay_core::command::{Command, CommandError, Commands};
use mainstay_core::digest::Digest;
use mainstay_core::error::{Coded, ErrorCode};
use mainstay_core::name::Name;
use mainstay_core::principal::Principal;
use mainstay_core::scope::default_workspace;
use mainstay_registry::command::{
    CreateModel, DeleteAlias, DeleteModel, DeleteVersion, DescribeModel, PromoteAlias, RegisterVersion,
    RenameModel, SetAlias, SetModelTag, SetVersionTag, TransitionStage,
};
use mainstay_registry::error::RegistryError;
use mainstay_registry::model::{ModelVersion, Stage};
use mainstay_registry::name::{Alias, ModelName, Tag, VersionNumber};
use mainstay_registry::port::RegistryTx;

use crate::memory::{Memory, registry};

fn model() -> ModelName {
    ModelName::new("flight-delay").unwrap()
}

fn create(name: ModelName) -> CreateModel {
    CreateModel { workspace: default_workspace(), name, description: String::new(), tags: Vec::new() }
}

fn register(digest: Option<Digest>) -> RegisterVersion {
    RegisterVersion {
        workspace: default_workspace(),
        name: model(),
        source: "mlflow-artifacts:/1/r/artifacts/model".to_owned(),
        location: None,
        run: None,
        run_link: String::new(),
        logged_model: None,
        description: "first".to_owned(),
        tags: vec![Tag::new("k", "v").unwrap()],
        digest,
    }
}

fn set(alias: &str, number: u32) -> SetAlias {
    SetAlias {
        workspace: default_workspace(),
        name: model(),
        alias: Alias::new(alias).unwrap(),
        number: VersionNumber(number),
    }
}

fn promote(alias: &str, number: u32) -> PromoteAlias {
    PromoteAlias { set: set(alias, number) }
}

async fn run<C>(commands: &Commands<dyn RegistryTx>, command: C) -> Result<C::Out, ErrorCode>
where
    C: Command<Tx = dyn RegistryTx, Error = RegistryError>,
{
    commands.run(&Principal::system("test"), command).await.map_err(|error| error.code())
}

fn kinds(memory: &Memory) -> Vec<&'static str> {
    memory.0.lock().unwrap().events.iter().map(|event| event.kind).collect()
}

#[tokio::test]
async fn numbers_are_gap_free_and_never_reused() {
    let (memory, commands) = registry();
    assert_eq!(run(&commands, register(None)).await.err(), Some(ErrorCode::NotFound));
    run(&commands, create(model())).await.unwrap();
    assert_eq!(run(&commands, create(model())).await.err(), Some(ErrorCode::AlreadyExists));
    for expected in 1..=3 {
        assert_eq!(run(&commands, register(None)).await.unwrap().number, VersionNumber(expected));
    }
    let number = VersionNumber(3);
    let delete = || DeleteVersion { workspace: default_workspace(), name: model(), number };
    run(&commands, delete()).await.unwrap();
    assert_eq!(run(&commands, delete()).await.err(), Some(ErrorCode::NotFound));
    assert_eq!(run(&commands, register(None)).await.unwrap().number, VersionNumber(4));
    assert_eq!(
        kinds(&memory),
        [
            "model.created",
            "model_version.registered",
            "model_version.registered",
            "model_version.registered",
            "model_version.deleted",
            "model_version.registered",
        ]
    );
}

#[tokio::test]
async fn a_deleted_version_keeps_its_row_and_loses_its_fields_and_aliases() {
    let (memory, commands) = registry();
    run(&commands, create(model())).await.unwrap();
    run(&commands, register(Some(Digest::of(b"x")))).await.unwrap();
    run(&commands, set("spare", 1)).await.unwrap();
    let number = VersionNumber(1);
    run(&commands, DeleteVersion { workspace: default_workspace(), name: model(), number }).await.unwrap();

    let state = memory.0.lock().unwrap();
    let version: &ModelVersion = &state.versions[&(model(), number)];
    assert_eq!((version.stage.as_str(), version.source.as_str()), ("Deleted_Internal", ""));
    assert_eq!((version.creator.as_ref(), version.description.as_str()), (None, ""));
    assert_eq!(version.digest, Some(Digest::of(b"x")));
    assert!(state.aliases.is_empty());
    assert_eq!(state.events.last().unwrap().body["aliases"], serde_json::json!(["spare"]));
}

#[tokio::test]
async fn setting_an_alias_moves_it() {
    let (memory, commands) = registry();
    run(&commands, create(model())).await.unwrap();
    for _ in 0..2 {
        run(&commands, register(None)).await.unwrap();
    }
    run(&commands, set("spare", 1)).await.unwrap();
    run(&commands, set("spare", 2)).await.unwrap();
    assert_eq!(run(&commands, set("spare", 9)).await.err(), Some(ErrorCode::NotFound));
    let delete =
        || DeleteAlias { workspace: default_workspace(), name: model(), alias: Alias::new("spare").unwrap() };
    run(&commands, delete()).await.unwrap();
    run(&commands, delete()).await.unwrap();

    let state = memory.0.lock().unwrap();
    assert!(state.aliases.is_empty());
    let moves: Vec<_> = state.events.iter().filter(|e| e.kind.starts_with("alias.")).collect();
    assert_eq!(moves.len(), 3, "removing what is not there is no event");
    assert_eq!(moves[1].body["from"], 1);
    assert_eq!(moves[1].body["to"], 2);
}

#[tokio::test]
async fn a_followed_alias_moves_only_by_promotion_through_a_passed_gate() {
    let (memory, commands) = registry();
    let (good, bad) = (Digest::of(b"good"), Digest::of(b"bad"));
    run(&commands, create(model())).await.unwrap();
    for digest in [Some(good), Some(bad), None] {
        run(&commands, register(digest)).await.unwrap();
    }
    let endpoint = Name::new("delays").unwrap();
    {
        let mut state = memory.0.lock().unwrap();
        state.guards.insert((model(), Alias::new("champion").unwrap()), endpoint.clone());
        state.passed.insert(good);
    }
    let approver = Principal::system("approver");
    let developer = Principal::system("developer");
    let code = |result: Result<_, CommandError<RegistryError>>| result.map_err(|error| error.code());

    assert_eq!(run(&commands, set("champion", 1)).await.err(), Some(ErrorCode::WrongState));
    let denied = commands.run(&developer, promote("champion", 1)).await;
    assert_eq!(code(denied).err(), Some(ErrorCode::PermissionDenied));
    for refused in [2, 3] {
        let done = commands.run(&approver, promote("champion", refused)).await;
        assert_eq!(code(done).err(), Some(ErrorCode::GateNotPassed));
    }
    assert!(memory.0.lock().unwrap().aliases.is_empty());

    let promoted = commands.run(&approver, promote("champion", 1)).await.unwrap();
    assert_eq!((promoted.endpoint, promoted.digest, promoted.from), (endpoint, good, None));
    commands.run(&developer, set("spare", 2)).await.unwrap();
    let promoted = commands.run(&approver, promote("spare", 2)).await;
    assert_eq!(code(promoted).err(), Some(ErrorCode::WrongState));

    let workspace = default_workspace;
    let stage = |number| TransitionStage {
        workspace: workspace(),
        name: model(),
        number: VersionNumber(number),
        stage: Stage::Production,
        archive_existing: false,
    };
    assert_eq!(run(&commands, stage(2)).await.err(), Some(ErrorCode::GateNotPassed));
    run(&commands, stage(1)).await.unwrap();
    let number = VersionNumber(1);
    for refused in [
        run(&commands, DeleteVersion { workspace: workspace(), name: model(), number }).await,
        run(&commands, DeleteModel { workspace: workspace(), name: model() }).await,
        run(
            &commands,
            DeleteAlias { workspace: workspace(), name: model(), alias: set("champion", 1).alias },
        )
        .await,
        run(
            &commands,
            RenameModel { workspace: workspace(), from: model(), to: ModelName::new("b").unwrap() },
        )
        .await
        .map(drop),
    ] {
        assert_eq!(refused.err(), Some(ErrorCode::WrongState));
    }
}

#[tokio::test]
async fn stages_archive_on_request() {
    let (memory, commands) = registry();
    run(&commands, create(model())).await.unwrap();
    for _ in 0..2 {
        run(&commands, register(None)).await.unwrap();
    }
    let to = |number, stage, archive_existing| TransitionStage {
        workspace: default_workspace(),
        name: model(),
        number: VersionNumber(number),
        stage,
        archive_existing,
    };
    run(&commands, to(1, Stage::choice("PRODUCTION").unwrap(), false)).await.unwrap();
    run(&commands, to(2, Stage::Production, true)).await.unwrap();
    assert_eq!(run(&commands, to(2, Stage::None, true)).await.err(), Some(ErrorCode::InvalidArgument));
    assert_eq!(run(&commands, to(2, Stage::Deleted, false)).await.err(), Some(ErrorCode::InvalidArgument));
    let state = memory.0.lock().unwrap();
    let stages: Vec<Stage> = state.versions.values().map(|v| v.stage).collect();
    assert_eq!(stages, [Stage::Archived, Stage::Production]);
    assert_eq!(state.events.last().unwrap().body["archived"], serde_json::json!([1]));
}

#[tokio::test]
async fn names_that_say_who_may_are_not_taken() {
    let (memory, commands) = registry();
    let wildcard = ModelName::new("*").unwrap();
    assert_eq!(run(&commands, create(wildcard.clone())).await.err(), Some(ErrorCode::InvalidName));
    run(&commands, create(model())).await.unwrap();
    let rename =
        |to: &ModelName| RenameModel { workspace: default_workspace(), from: model(), to: to.clone() };
    assert_eq!(run(&commands, rename(&wildcard)).await.err(), Some(ErrorCode::InvalidName));
    let to = ModelName::new("granted").unwrap();
    memory.0.lock().unwrap().granted.insert(to.clone());
    assert_eq!(run(&commands, rename(&to)).await.err(), Some(ErrorCode::WrongState));
    // To keep its name a model needs nobody's leave.
    memory.0.lock().unwrap().granted.insert(model());
    run(&commands, rename(&model())).await.unwrap();
}

#[tokio::test]
async fn renaming_keeps_everything_and_frees_the_name() {
    let (memory, commands) = registry();
    run(&commands, create(model())).await.unwrap();
    run(&commands, register(None)).await.unwrap();
    run(&commands, set("spare", 1)).await.unwrap();
    let workspace = default_workspace;
    let tag = Tag::new("team", "ops").unwrap();
    run(&commands, SetModelTag { workspace: workspace(), name: model(), tag: tag.clone() }).await.unwrap();
    let number = VersionNumber(1);
    run(&commands, SetVersionTag { workspace: workspace(), name: model(), number, tag }).await.unwrap();
    let to = ModelName::new("renamed").unwrap();
    let rename = || RenameModel { workspace: workspace(), from: model(), to: to.clone() };
    run(&commands, rename()).await.unwrap();
    assert_eq!(run(&commands, rename()).await.err(), Some(ErrorCode::NotFound));
    run(&commands, create(model())).await.unwrap();
    assert_eq!(run(&commands, rename()).await.err(), Some(ErrorCode::AlreadyExists));
    let description = "about".to_owned();
    let describe = DescribeModel { workspace: workspace(), name: to.clone(), description };
    assert_eq!(run(&commands, describe).await.unwrap().description, "about");

    let state = memory.0.lock().unwrap();
    assert!(state.versions.contains_key(&(to.clone(), number)));
    assert_eq!(state.aliases.values().collect::<Vec<_>>(), [&number]);
    assert_eq!(state.tags.keys().filter(|(name, _, _)| *name == to).count(), 3);
}
