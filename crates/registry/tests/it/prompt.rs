//! Prompts: models whose tags say so.

use mainstay_core::command::{Command, CommandError};
use mainstay_core::error::{Coded as _, ErrorCode};
use mainstay_core::principal::Principal;
use mainstay_core::scope::default_workspace;
use mainstay_registry::command::{
    CreateModel, DeleteAlias, DeleteModelTag, DeleteVersionTag, RegisterVersion, SetAlias, SetModelTag,
    SetVersionTag,
};
use mainstay_registry::error::RegistryError;
use mainstay_registry::name::{Alias, ModelName, Tag, VersionNumber};
use mainstay_registry::port::RegistryTx;
use mainstay_registry::prompt::IS_PROMPT;

use crate::memory::{Memory, registry};

fn name() -> ModelName {
    ModelName::new("greeting").unwrap()
}

fn create(is_prompt: Option<&str>) -> CreateModel {
    let tags = is_prompt.map(|value| Tag::new(IS_PROMPT, value).unwrap()).into_iter().collect();
    CreateModel { workspace: default_workspace(), name: name(), description: String::new(), tags }
}

#[tokio::test]
async fn a_prompt_and_a_model_cannot_share_a_name() {
    let taken = async |first, second| {
        let (_, commands) = registry();
        let caller = Principal::system("test");
        commands.run(&caller, create(first)).await.unwrap();
        let refused = commands.run(&caller, create(second)).await.unwrap_err();
        assert_eq!(refused.code(), ErrorCode::AlreadyExists);
        refused.to_string()
    };
    assert_eq!(taken(None, None).await, "Registered Model (name=greeting) already exists.");
    // The tag counts, not its value.
    assert_eq!(taken(Some("false"), Some("true")).await, "Prompt (name=greeting) already exists.");
    assert_eq!(
        taken(None, Some("true")).await,
        "Tried to create a prompt with name 'greeting', but the name is already taken by a registered model. \
         MLflow does not allow creating a model and a prompt with the same name."
    );
    assert_eq!(
        taken(Some("true"), None).await,
        "Tried to create a registered model with name 'greeting', but the name is already taken by a prompt. \
         MLflow does not allow creating a model and a prompt with the same name."
    );
}

/// What is done to a model's tags and aliases, by all six commands.
async fn changes(memory: &Memory, commands: &mainstay_core::command::Commands<dyn RegistryTx>) -> Vec<bool> {
    async fn run<C>(commands: &mainstay_core::command::Commands<dyn RegistryTx>, command: C)
    where
        C: Command<Tx = dyn RegistryTx, Error = RegistryError>,
    {
        let done: Result<_, CommandError<_>> = commands.run(&Principal::system("test"), command).await;
        done.unwrap();
    }
    let (workspace, number, tag) = (default_workspace, VersionNumber(1), Tag::new("k", "v").unwrap());
    let key = || "k".to_owned();
    let alias = Alias::new("live").unwrap();
    let before = memory.0.lock().unwrap().events.len();
    run(commands, SetModelTag { workspace: workspace(), name: name(), tag: tag.clone() }).await;
    run(commands, DeleteModelTag { workspace: workspace(), name: name(), key: key() }).await;
    run(commands, SetVersionTag { workspace: workspace(), name: name(), number, tag }).await;
    run(commands, DeleteVersionTag { workspace: workspace(), name: name(), number, key: key() }).await;
    run(commands, SetAlias { workspace: workspace(), name: name(), alias: alias.clone(), number }).await;
    run(commands, DeleteAlias { workspace: workspace(), name: name(), alias }).await;
    let events = &memory.0.lock().unwrap().events[before..];
    events.iter().map(|event| event.body.get("prompt").is_some_and(|prompt| prompt == true)).collect()
}

#[tokio::test]
async fn events_say_whether_the_model_was_a_prompt_when_they_happened() {
    let (memory, commands) = registry();
    let caller = Principal::system("test");
    commands.run(&caller, create(Some("TRUE"))).await.unwrap();
    let register = RegisterVersion {
        workspace: default_workspace(),
        name: name(),
        source: "dummy-source".to_owned(),
        location: None,
        run: None,
        run_link: String::new(),
        logged_model: None,
        description: String::new(),
        tags: Vec::new(),
        digest: None,
    };
    commands.run(&caller, register).await.unwrap();
    assert_eq!(changes(&memory, &commands).await, [true; 6]);

    let untag = DeleteModelTag { workspace: default_workspace(), name: name(), key: IS_PROMPT.to_owned() };
    commands.run(&caller, untag).await.unwrap();
    assert!(memory.0.lock().unwrap().events.last().unwrap().body.get("prompt").is_none(), "it is none now");
    assert_eq!(changes(&memory, &commands).await, [false; 6]);
}
