//! Whose names lead pipelines to an experiment.

use std::sync::Arc;

use mainstay_core::command::Commands;
use mainstay_core::entropy::SeededEntropy;
use mainstay_core::experiment::ExperimentId;
use mainstay_core::permission::{Level, Pattern, Permissions};
use mainstay_core::principal::{Actor, Grant, Principal, Role};
use mainstay_core::scope::{ResourceKind, default_workspace};
use mainstay_governance::command::{Before, CreateUser, DeleteUser, GrantPermission, GrantRole};
use mainstay_governance::people::{Number, Target};
use mainstay_governance::port::GovernanceTx;
use mainstay_governance::user::{Password, PasswordHash, UserName};
use mainstay_platform::authority::local_user;
use serde_json::json;

use crate::app::TestApp;

const API: &str = "/api/2.0/mlflow/experiments";

/// A user that there is, with a level on the workspace, and perhaps a role.
async fn user(app: &TestApp, name: &str, role: Option<Role>) -> Principal {
    let people = &app.platform.people;
    let password = PasswordHash::of(&Password::new("a long password").unwrap(), &SeededEntropy::new(1));
    let (name, id) = (UserName::new(name).unwrap(), Number::draw(&*app.platform.entropy));
    let create = CreateUser { name: name.clone(), id, admin: false, password: password.unwrap() };
    people.run(&local_user(), create).await.unwrap();
    let mut grants = Vec::new();
    if let Some(role) = role {
        let grant = Grant { workspace: Some(default_workspace()), role };
        let command = GrantRole { workspace: default_workspace(), actor: name.actor(), role };
        let writer = Arc::new(app.platform.database.writer.clone());
        let governance: Commands<dyn GovernanceTx> = Commands::new(writer, app.platform.authority.clone());
        governance.run(&local_user(), command).await.unwrap();
        grants.push(grant);
    }
    let mut levels = Permissions::default();
    levels.add(&default_workspace(), ResourceKind::Workspace, &Pattern::new("*"), Level::Edit);
    let held = GrantPermission {
        workspace: default_workspace(),
        user: name.clone(),
        on: Target::new(ResourceKind::Workspace, "*").unwrap(),
        level: Level::Edit,
        before: Before::Any,
    };
    people.run(&local_user(), held).await.unwrap();
    Principal::new(name.actor(), grants).with_permissions(Arc::new(levels))
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_the_runs_of_a_pipeline_by_the_name_of_its_project() {
    let app = TestApp::start().await;
    let ann = user(&app, "ann", None).await;
    let dev = user(&app, "dev", Some(Role::Developer)).await;
    let made = async |who: &Principal, name: &str| {
        app.act_as(who.clone());
        let made = app.post(&format!("{API}/create"), &json!({"name": name})).await.expect(200);
        ExperimentId::parse(made["experiment_id"].as_str().unwrap()).unwrap()
    };
    let call = async |who: &Principal, path: &str, body: serde_json::Value| {
        app.act_as(who.clone());
        app.post(&format!("{API}/{path}"), &body).await.expect(200);
    };
    let stranger =
        async |id: ExperimentId| app.platform.named_by_level(&default_workspace(), id).await.unwrap();
    let (anns, devs) = (made(&ann, "anns").await, made(&dev, "devs").await);
    assert_eq!((stranger(anns).await, stranger(devs).await), (Some(Actor::user("ann")), None));
    assert_eq!(stranger(ExperimentId::DEFAULT).await, None);
    // What counts is who gave the name that it has, whatever else happened since.
    call(&ann, "update", json!({"experiment_id": devs.to_string(), "new_name": "deliveries"})).await;
    call(&dev, "update", json!({"experiment_id": anns.to_string(), "new_name": "churn"})).await;
    call(&ann, "update", json!({"experiment_id": anns.to_string(), "new_name": "churn"})).await;
    // More than are read at once.
    for n in 0..120 {
        call(
            &dev,
            "set-experiment-tag",
            json!({"experiment_id": devs.to_string(), "key": "n", "value": n.to_string()}),
        )
        .await;
    }
    assert_eq!((stranger(anns).await, stranger(devs).await), (None, Some(Actor::user("ann"))));
    app.platform.people.run(&local_user(), DeleteUser { name: UserName::new("ann").unwrap() }).await.unwrap();
    assert_eq!(stranger(devs).await, None);
    app.platform.close().await;
}
