//! The rules of the commands.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use mainstay_core::action::Action;
use mainstay_core::command::{Command, Journal};
use mainstay_core::digest::Digest;
use mainstay_core::entropy::SeededEntropy;
use mainstay_core::error::{Coded, ErrorCode, StorageError};
use mainstay_core::event::Event;
use mainstay_core::id::TokenId;
use mainstay_core::name::Name;
use mainstay_core::principal::{Actor, Grant, Role};
use mainstay_core::scope::{ResourceKind, Scope, Subject, default_workspace};
use mainstay_core::time::MachineTime;
use mainstay_governance::command::{
    CreateToken, CreateWebhook, CreateWorkspace, DeleteWebhook, GrantRole, NewSecret, RecordGates,
    RecordRefusal, RevokeRole, RevokeToken, UpdateWebhook, WebhookChange,
};
use mainstay_governance::error::GovernanceError;
use mainstay_governance::gate::{Approval, GateReport, GateResult, Verdict};
use mainstay_governance::port::GovernanceTx;
use mainstay_governance::token::{ApiToken, StoredToken};
use mainstay_governance::webhook::mlflow::MlflowEvent;
use mainstay_governance::webhook::{
    Definition, Dialect, Subscription, Webhook, WebhookId, WebhookSecret, mlflow,
};

struct Memory {
    actor: Actor,
    workspace: Name,
    tokens: BTreeMap<TokenId, StoredToken>,
    roles: BTreeSet<(Actor, Role)>,
    workspaces: BTreeSet<Name>,
    webhooks: BTreeMap<WebhookId, Webhook>,
    /// The webhooks for which what was untold was forgotten.
    forgotten: Vec<WebhookId>,
    reports: Vec<GateReport>,
    events: Vec<Event>,
}

impl Memory {
    fn new() -> Self {
        Self {
            actor: Actor::local(),
            workspace: default_workspace(),
            tokens: BTreeMap::new(),
            roles: BTreeSet::new(),
            workspaces: BTreeSet::from([default_workspace()]),
            webhooks: BTreeMap::new(),
            forgotten: Vec::new(),
            reports: Vec::new(),
            events: Vec::new(),
        }
    }

    fn kinds(&self) -> Vec<&'static str> {
        self.events.iter().map(|event| event.kind).collect()
    }
}

impl Journal for Memory {
    fn record(&mut self, event: Event) {
        self.events.push(event);
    }
    fn now(&self) -> MachineTime {
        MachineTime::from_micros(100)
    }
    fn actor(&self) -> &Actor {
        &self.actor
    }
    fn workspace(&self) -> &Name {
        &self.workspace
    }
}

#[async_trait]
impl GovernanceTx for Memory {
    async fn insert_token(&mut self, token: &StoredToken) -> Result<(), StorageError> {
        assert!(self.tokens.insert(token.id, token.clone()).is_none());
        Ok(())
    }
    async fn token(&mut self, id: TokenId) -> Result<Option<StoredToken>, StorageError> {
        Ok(self.tokens.get(&id).cloned())
    }
    async fn revoke_token(&mut self, id: TokenId, at: MachineTime) -> Result<(), StorageError> {
        self.tokens.get_mut(&id).unwrap().revoked = Some(at);
        Ok(())
    }
    async fn put_role(&mut self, actor: &Actor, role: Role) -> Result<(), StorageError> {
        self.roles.insert((actor.clone(), role));
        Ok(())
    }
    async fn delete_role(&mut self, actor: &Actor, role: Role) -> Result<bool, StorageError> {
        Ok(self.roles.remove(&(actor.clone(), role)))
    }
    async fn has_workspace(&mut self, name: &Name) -> Result<bool, StorageError> {
        Ok(self.workspaces.contains(name))
    }
    async fn insert_workspace(&mut self, name: &Name, _: &Actor) -> Result<(), StorageError> {
        self.workspaces.insert(name.clone());
        Ok(())
    }
    async fn insert_webhook(&mut self, webhook: &Webhook) -> Result<(), StorageError> {
        self.webhooks.insert(webhook.id, webhook.clone());
        Ok(())
    }
    async fn webhook(&mut self, id: WebhookId) -> Result<Option<Webhook>, StorageError> {
        Ok(self.webhooks.get(&id).cloned())
    }
    async fn update_webhook(&mut self, webhook: &Webhook) -> Result<(), StorageError> {
        assert!(self.webhooks.insert(webhook.id, webhook.clone()).is_some());
        Ok(())
    }
    async fn forget_untold(&mut self, id: WebhookId) -> Result<(), StorageError> {
        self.forgotten.push(id);
        Ok(())
    }
    async fn delete_webhook(&mut self, id: WebhookId) -> Result<bool, StorageError> {
        Ok(self.webhooks.remove(&id).is_some())
    }
    async fn insert_report(&mut self, report: &GateReport) -> Result<(), StorageError> {
        self.reports.push(report.clone());
        Ok(())
    }
    async fn newest_report(&mut self, digest: &Digest) -> Result<Option<GateReport>, StorageError> {
        Ok(self.reports.iter().rfind(|report| report.digest == *digest).cloned())
    }
    async fn approvals(&mut self, _: &Digest) -> Result<Vec<Approval>, StorageError> {
        Ok(Vec::new())
    }
}

async fn run<C>(memory: &mut Memory, command: C) -> Result<C::Out, ErrorCode>
where
    C: Command<Tx = dyn GovernanceTx, Error = GovernanceError>,
{
    command.apply(memory).await.map_err(|error| error.code())
}

#[tokio::test]
async fn tokens_are_made_for_their_own_workspace_and_revoked_once() {
    let mut memory = Memory::new();
    let token = ApiToken::draw(&SeededEntropy::new(1));
    let grant = |workspace| Grant { workspace, role: Role::Developer };
    let create = |grants, expires| CreateToken {
        workspace: default_workspace(),
        id: token.id(),
        label: Name::new("ci").unwrap(),
        digest: token.digest(),
        grants,
        expires,
    };
    let own = || vec![grant(Some(default_workspace()))];
    let foreign = vec![grant(Some(Name::new("other").unwrap()))];
    for (grants, expires) in [
        (Vec::new(), None),
        (foreign, None),
        (vec![grant(None)], None),
        (own(), Some(MachineTime::from_micros(100))),
    ] {
        assert_eq!(run(&mut memory, create(grants, expires)).await, Err(ErrorCode::InvalidArgument));
    }
    run(&mut memory, create(own(), None)).await.unwrap();
    assert!(memory.tokens[&token.id()].principal(&token, MachineTime::MAX).is_ok());
    let revoke = |id| RevokeToken { workspace: default_workspace(), id };
    for _ in 0..2 {
        run(&mut memory, revoke(token.id())).await.unwrap();
    }
    assert!(memory.tokens[&token.id()].principal(&token, MachineTime::MIN).is_err());
    assert_eq!(run(&mut memory, revoke(TokenId::from_bytes([9; 16]))).await, Err(ErrorCode::NotFound));
    assert_eq!(memory.kinds(), ["token.created", "token.revoked"]);
    let record = format!("{:?}", memory.events);
    let secret = token.reveal().rsplit('_').next().unwrap().to_owned();
    assert!(record.contains(&token.digest().hex()) && !record.contains(&secret));
}

#[tokio::test]
async fn roles_workspaces_and_refusals_are_on_the_record() {
    let mut memory = Memory::new();
    let workspace = default_workspace;
    let actor = Actor::user(Name::new("bob").unwrap());
    let role = Role::Approver;
    let revoke = || RevokeRole { workspace: workspace(), actor: actor.clone(), role };
    assert_eq!(run(&mut memory, revoke()).await, Err(ErrorCode::NotFound));
    run(&mut memory, GrantRole { workspace: workspace(), actor: actor.clone(), role }).await.unwrap();
    run(&mut memory, revoke()).await.unwrap();
    let name = Name::new("team").unwrap();
    let create = || CreateWorkspace { workspace: workspace(), name: name.clone(), admin: actor.clone() };
    run(&mut memory, create()).await.unwrap();
    assert_eq!(run(&mut memory, create()).await, Err(ErrorCode::AlreadyExists));
    let scope = Scope::new(workspace(), Subject::new(ResourceKind::Model, "m"));
    let refusal = RecordRefusal { actor: actor.clone(), action: Action::ModelPromote, scope, left_out: 2 };
    run(&mut memory, refusal).await.unwrap();
    assert_eq!(memory.kinds(), ["role.granted", "role.revoked", "workspace.created", "access.refused"]);
    assert_eq!(memory.events[3].body["action"], "model.promote");
}

#[tokio::test]
async fn webhooks_keep_their_secret_out_of_the_record() {
    let mut memory = Memory::new();
    let (workspace, id) = (default_workspace, WebhookId::from_bytes([1; 16]));
    let secret = WebhookSecret::draw(&SeededEntropy::new(2));
    let shown = secret.reveal();
    let url = "https://chat.example/hook".to_owned();
    let kinds = vec!["alarm.raised".to_owned()];
    let definition = Definition::native(Name::new("chat").unwrap(), url, kinds, secret).unwrap();
    run(&mut memory, CreateWebhook { workspace: workspace(), id, definition }).await.unwrap();
    let update = UpdateWebhook { workspace: workspace(), id, change: WebhookChange::default() };
    assert_eq!(run(&mut memory, update).await, Err(ErrorCode::NotFound), "it is of another dialect");
    let delete = |dialect| DeleteWebhook { workspace: workspace(), id, dialect };
    assert_eq!(run(&mut memory, delete(Dialect::Mlflow)).await, Err(ErrorCode::NotFound));
    run(&mut memory, delete(Dialect::Native)).await.unwrap();
    assert_eq!(run(&mut memory, delete(Dialect::Native)).await, Err(ErrorCode::NotFound));
    assert_eq!(memory.kinds(), ["webhook.created", "webhook.deleted"]);
    let record = format!("{:?}", memory.events);
    assert!(!record.contains(shown.trim_start_matches("whsec_")));
    // Who reads the record need not be who may call the receiver.
    assert!(record.contains("https://chat.example") && !record.contains("/hook"), "{record}");
}

#[tokio::test]
async fn a_changed_webhook_keeps_what_is_not_said() {
    let mut memory = Memory::new();
    let (workspace, id) = (default_workspace, WebhookId::from_bytes([1; 16]));
    let secret = mlflow::check_secret("first-secret".to_owned()).unwrap();
    let definition = Definition {
        name: Name::new("chat").unwrap(),
        description: "what for".to_owned(),
        url: "https://chat.example/hook".to_owned(),
        is_active: true,
        subscription: Subscription::Mlflow { events: vec![MlflowEvent::ModelCreated], secret },
    };
    let create = CreateWebhook { workspace: workspace(), id, definition: definition.clone() };
    let created = run(&mut memory, create).await.unwrap();
    assert_eq!((&created.definition, created.updated), (&definition, MachineTime::from_micros(100)));

    let mut change = async |change| {
        let update = UpdateWebhook { workspace: workspace(), id, change };
        let changed = run(&mut memory, update).await.unwrap();
        (changed, std::mem::take(&mut memory.forgotten).len())
    };
    let (same, forgotten) = change(WebhookChange::default()).await;
    assert_eq!((&same.definition, same.created, forgotten), (&definition, created.created, 0));
    assert_eq!(same.updated.millis(), created.updated.millis() + 1, "clients see that it changed");

    let secret = mlflow::check_secret("second-secret".to_owned()).unwrap().unwrap();
    let url = Some("https://chat.example/other".to_owned());
    let (moved, forgotten) =
        change(WebhookChange { url, secret: Some(NewSecret::Is(secret)), ..WebhookChange::default() }).await;
    assert_eq!((moved.definition.description.as_str(), forgotten), ("what for", 0));
    let Subscription::Mlflow { secret: Some(secret), .. } = moved.definition.subscription else { panic!() };
    assert_eq!(secret.as_bytes(), b"second-secret");

    let silent = WebhookChange { is_active: Some(false), ..WebhookChange::default() };
    assert_eq!(change(silent.clone()).await.1, 0);
    assert_eq!(change(WebhookChange { is_active: Some(true), ..silent.clone() }).await.1, 1);
    assert_eq!(change(WebhookChange { is_active: Some(true), ..silent.clone() }).await.1, 0);
    let events = Some(vec![MlflowEvent::PromptCreated, MlflowEvent::ModelCreated]);
    let unsigned = WebhookChange { events, secret: Some(NewSecret::None), ..WebhookChange::default() };
    let (unsigned, forgotten) = change(unsigned).await;
    let Subscription::Mlflow { events, secret: None } = unsigned.definition.subscription else { panic!() };
    assert_eq!((events, forgotten), (vec![MlflowEvent::PromptCreated, MlflowEvent::ModelCreated], 1));

    assert!(memory.kinds()[1..].iter().all(|kind| *kind == "webhook.changed"));
    let record = format!("{:?}", memory.events);
    assert!(record.contains("what for") && !record.contains("-secret"));
    assert_eq!(memory.events.last().unwrap().body["signed"], false);
    assert_eq!(memory.events.last().unwrap().body["events"][0], "prompt.created");
}

#[tokio::test]
async fn gate_reports_are_checked_and_recorded_whole() {
    let mut memory = Memory::new();
    let gate = GateResult {
        name: "incumbent".to_owned(),
        verdict: Verdict::Passed,
        figures: BTreeMap::new(),
        sentence: "0.01 better, 95 % interval 0.004 to 0.016".to_owned(),
    };
    let report = |gates| GateReport {
        model: "delay".to_owned(),
        version: Some(3),
        digest: Digest::of(b"a"),
        gates,
        data: BTreeMap::from([("flights".to_owned(), "7".to_owned())]),
        evaluated: MachineTime::from_micros(5),
    };
    let record = |gates| RecordGates { workspace: default_workspace(), report: report(gates) };
    assert_eq!(run(&mut memory, record(Vec::new())).await, Err(ErrorCode::InvalidArgument));
    run(&mut memory, record(vec![gate])).await.unwrap();
    let digest = Digest::of(b"a");
    assert_eq!(memory.newest_report(&digest).await.unwrap().unwrap().version, Some(3));
    assert_eq!(memory.events[0].subject.to_string(), "model_version:delay/3");
    assert_eq!(memory.events[0].body["digest"], digest.to_string());
}
