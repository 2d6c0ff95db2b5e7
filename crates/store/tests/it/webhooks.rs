//! Webhooks of both dialects, and up to where each was told.

use std::sync::Arc;

use mainstay_core::command::{Command, CommandError, Commands};
use mainstay_core::entropy::SeededEntropy;
use mainstay_core::error::{Coded as _, ErrorCode};
use mainstay_core::event::EventSeq;
use mainstay_core::name::Name;
use mainstay_core::principal::Principal;
use mainstay_core::scope::default_workspace;
use mainstay_governance::command::{
    CreateWebhook, DeleteWebhook, KeepCursor, NewSecret, UpdateWebhook, WebhookChange,
};
use mainstay_governance::error::GovernanceError;
use mainstay_governance::port::{DeliveryTx, GovernanceReader as _, GovernanceTx};
use mainstay_governance::webhook::mlflow::{MlflowEvent, check_secret};
use mainstay_governance::webhook::{Definition, Dialect, Subscription, Webhook, WebhookId, WebhookSecret};

use crate::both;
use crate::databases::Fresh;
use crate::writer::AllowAll;

const OURS: WebhookId = WebhookId::from_bytes([1; 16]);
const THEIRS: WebhookId = WebhookId::from_bytes([2; 16]);

async fn run<C>(fresh: &Fresh, command: C) -> Result<C::Out, CommandError<GovernanceError>>
where
    C: Command<Tx = dyn GovernanceTx, Error = GovernanceError>,
{
    let commands = Commands::new(Arc::new(fresh.database.writer.clone()), Arc::new(AllowAll));
    commands.run(&Principal::system("test"), command).await
}

async fn keep(fresh: &Fresh, position: u64) {
    let commands: Commands<dyn DeliveryTx> =
        Commands::new(Arc::new(fresh.database.writer.clone()), Arc::new(AllowAll));
    let keep = KeepCursor { workspace: default_workspace(), webhook: THEIRS, position: EventSeq(position) };
    commands.run(&Principal::system("test"), keep).await.unwrap();
}

async fn create(fresh: &Fresh, id: WebhookId, definition: Definition) -> Webhook {
    run(fresh, CreateWebhook { workspace: default_workspace(), id, definition }).await.unwrap()
}

async fn change(fresh: &Fresh, change: WebhookChange) -> Webhook {
    run(fresh, UpdateWebhook { workspace: default_workspace(), id: THEIRS, change }).await.unwrap()
}

fn theirs() -> Definition {
    Definition {
        name: Name::new("theirs").unwrap(),
        description: "what for".to_owned(),
        url: "https://example.com/".to_owned(),
        is_active: true,
        subscription: Subscription::Mlflow {
            events: vec![MlflowEvent::PromptCreated, MlflowEvent::ModelCreated],
            secret: check_secret("sécret".to_owned()).unwrap(),
        },
    }
}

both!(webhooks_of_both_dialects_are_kept_whole, async |fresh: Fresh| {
    let (name, url) = (Name::new("ours").unwrap(), "https://example.com/".to_owned());
    let secret = WebhookSecret::draw(&SeededEntropy::new(3));
    let ours = Definition::native(name, url, vec!["alarm.*".to_owned()], secret).unwrap();
    let ours = create(&fresh, OURS, ours).await;
    let made = create(&fresh, THEIRS, theirs()).await;
    let all = async || {
        let all = fresh.database.reader.webhooks().await.unwrap();
        all.into_iter().map(|(_, webhook)| webhook).collect::<Vec<_>>()
    };
    assert_eq!(all().await, [ours.clone(), made.clone()]);

    let all_of_it = WebhookChange {
        name: Some(Name::new("changed").unwrap()),
        description: Some(String::new()),
        url: Some("https://example.com/changed".to_owned()),
        is_active: Some(false),
        events: Some(vec![MlflowEvent::BudgetExceeded]),
        secret: Some(NewSecret::None),
    };
    let changed = change(&fresh, all_of_it).await;
    assert_eq!(all().await, [ours.clone(), changed.clone()]);
    assert!(changed.updated > made.updated && changed.created == made.created);

    let elsewhere = Name::new("elsewhere").unwrap();
    let update = UpdateWebhook { workspace: elsewhere.clone(), id: THEIRS, change: WebhookChange::default() };
    let delete = |workspace, dialect| DeleteWebhook { workspace, id: THEIRS, dialect };
    for refused in [
        run(&fresh, update).await.map(drop),
        run(&fresh, delete(elsewhere, Dialect::Mlflow)).await,
        run(&fresh, delete(default_workspace(), Dialect::Native)).await,
    ] {
        assert_eq!(refused.unwrap_err().code(), ErrorCode::NotFound);
    }
    run(&fresh, delete(default_workspace(), Dialect::Mlflow)).await.unwrap();
    assert_eq!(all().await, [ours]);
});

both!(what_was_not_told_before_a_webhook_began_again_is_not_told, async |fresh: Fresh| {
    create(&fresh, THEIRS, theirs()).await;
    let cursor = async || fresh.database.reader.webhook_cursor(THEIRS).await.unwrap();
    let active = |is_active| WebhookChange { is_active: Some(is_active), ..WebhookChange::default() };
    change(&fresh, active(true)).await;
    assert_eq!(cursor().await, None, "it began at its creation, and goes on");
    change(&fresh, active(false)).await;
    change(&fresh, active(true)).await;
    // Four events: the last one says that it is active again.
    assert_eq!(cursor().await, Some(EventSeq(3)));
    // A task that was ended may have been about to note where it was.
    keep(&fresh, 2).await;
    assert_eq!(cursor().await, Some(EventSeq(3)));
    keep(&fresh, 4).await;
    assert_eq!(cursor().await, Some(EventSeq(4)));
    let events = Some(vec![MlflowEvent::AliasCreated]);
    change(&fresh, WebhookChange { events: events.clone(), ..WebhookChange::default() }).await;
    change(&fresh, WebhookChange { events, ..WebhookChange::default() }).await;
    assert_eq!(cursor().await, Some(EventSeq(4)), "the same events again are no change");

    run(&fresh, DeleteWebhook { workspace: default_workspace(), id: THEIRS, dialect: Dialect::Mlflow })
        .await
        .unwrap();
    assert_eq!(cursor().await, None);
});
